//! At which URL do browsers reach the server?

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::cors::Origin;
use super::host::Host;

/// A URL of a server: an origin to which nobody can listen
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicUrl(Origin);

/// A text that is no such URL
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "it is the https URL of this server without a path, like https://ledger.acme.example; http is for loopback alone"
)]
pub struct NoPublicUrl;

impl FromStr for PublicUrl {
    type Err = NoPublicUrl;

    fn from_str(text: &str) -> Result<Self, NoPublicUrl> {
        let origin: Origin =
            text.strip_suffix('/').unwrap_or(text).parse().map_err(|_| NoPublicUrl)?;
        if origin.is_safe() { Ok(Self(origin)) } else { Err(NoPublicUrl) }
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for PublicUrl {
    type Error = NoPublicUrl;

    fn try_from(text: String) -> Result<Self, NoPublicUrl> {
        text.parse()
    }
}

impl From<PublicUrl> for String {
    fn from(url: PublicUrl) -> Self {
        url.to_string()
    }
}

impl PublicUrl {
    /// Its host, by which clients ask the server
    pub fn host(&self) -> &Host {
        self.0.host()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_place_and_nothing_more() {
        for (text, shown) in [
            ("https://Ledger.acme.example", "https://ledger.acme.example"),
            ("https://ledger.acme.example:8443/", "https://ledger.acme.example:8443"),
            ("http://localhost:7480", "http://localhost:7480"),
            // As browsers name it in `Host` and `Origin`.
            ("https://ledger.acme.example:443", "https://ledger.acme.example"),
        ] {
            assert_eq!(text.parse::<PublicUrl>().unwrap().to_string(), shown);
        }
        for wrong in [
            "",
            "ledger.acme.example",
            "http://ledger.acme.example",
            "https://ledger.acme.example/app",
            "https://ledger.acme.example?x",
            "https://ledger.acme.example/#x",
            "https://user@ledger.acme.example",
            "ftp://localhost",
        ] {
            assert_eq!(wrong.parse::<PublicUrl>(), Err(NoPublicUrl), "{wrong}");
        }
    }
}
