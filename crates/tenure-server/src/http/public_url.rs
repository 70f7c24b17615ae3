//! At which URL do browsers reach the server?

use std::fmt;
use std::str::FromStr;

use axum::http::Uri;
use serde::{Deserialize, Serialize};

use super::host::Host;

/// A URL of a server: scheme and host, without a path
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicUrl {
    encrypted: bool,
    host: Host,
}

/// A text that is no such URL
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "it is the https URL of this server without a path, like https://ledger.acme.example; http is for loopback alone"
)]
pub struct NoPublicUrl;

impl FromStr for PublicUrl {
    type Err = NoPublicUrl;

    fn from_str(text: &str) -> Result<Self, NoPublicUrl> {
        let url: Uri = text.parse().map_err(|_| NoPublicUrl)?;
        let host: Host =
            url.authority().ok_or(NoPublicUrl)?.as_str().parse().map_err(|_| NoPublicUrl)?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || text.contains('#') {
            return Err(NoPublicUrl);
        }
        let encrypted = match url.scheme_str() {
            Some("https") => true,
            Some("http") if host.is_loopback() => false,
            _ => return Err(NoPublicUrl),
        };
        Ok(Self { encrypted, host })
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.encrypted { "https" } else { "http" }, self.host)
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
        &self.host
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
