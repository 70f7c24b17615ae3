//! Which web pages of other origins may ask, and what do their browsers hear of it?
//!
//! None, unless an operator names origins. Their pages may read and append under `/v1` and `/access` as whoever they
//! say in `authorization`; cookies are never asked for.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use serde::{Deserialize, Serialize};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::host::{Host, usual_port};

/// How long a browser need not ask again whether it may send such a request
const MAX_AGE: Duration = Duration::from_secs(600);

/// An origin of web pages, as browsers write it: `https://portal.acme.example`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin {
    encrypted: bool,
    /// Without the usual port, which a browser leaves out
    host: Host,
}

/// A text that names no origin
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "an origin is `https://` or `http://` and a host, with a port if it is not the usual one, and nothing more: \
     https://portal.acme.example"
)]
pub struct NoOrigin;

impl FromStr for Origin {
    type Err = NoOrigin;

    fn from_str(text: &str) -> Result<Self, NoOrigin> {
        let (scheme, host) = text.split_once("://").ok_or(NoOrigin)?;
        let usual = usual_port(scheme).ok_or(NoOrigin)?;
        let host: Host = host.parse().map_err(|_| NoOrigin)?;
        Ok(Self { encrypted: scheme == "https", host: host.without_port(usual) })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.encrypted { "https" } else { "http" }, self.host)
    }
}

impl Origin {
    /// Its host
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Whether nobody stands between a browser and it: it is encrypted, or on this machine
    pub(super) fn is_safe(&self) -> bool {
        self.encrypted || self.host.is_loopback()
    }
}

impl TryFrom<String> for Origin {
    type Error = NoOrigin;

    fn try_from(text: String) -> Result<Self, NoOrigin> {
        text.parse()
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.to_string()
    }
}

fn is_among(origins: &[Origin], sent: &HeaderValue) -> bool {
    sent.to_str().is_ok_and(|sent| origins.iter().any(|origin| origin.to_string() == sent))
}

fn is_asked(path: &str) -> bool {
    path.starts_with("/v1/") || path.starts_with("/access/")
}

/// Whether a page of one of these origins asks for what such a page may
pub(super) fn allows(origins: &[Origin], path: &str, headers: &HeaderMap) -> bool {
    let mut sent = headers.get_all(ORIGIN).iter().peekable();
    is_asked(path) && sent.peek().is_some() && sent.all(|one| is_among(origins, one))
}

/// Whether a request comes of a page of one of these origins
pub(super) fn is_named(origins: &[Origin], headers: &HeaderMap) -> bool {
    headers.get_all(ORIGIN).iter().any(|one| is_among(origins, one))
}

/// What tells browsers that pages of these origins may ask; `None` without origins
pub(super) fn layer(origins: &[Origin]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let origins = origins.to_vec();
    let allowed = move |origin: &HeaderValue, request: &Parts| {
        is_asked(request.uri.path()) && is_among(&origins, origin)
    };
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allowed))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE])
        .max_age(MAX_AGE);
    Some(layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_send_it() {
        for (text, shown) in [
            ("https://Portal.acme.example", "https://portal.acme.example"),
            ("https://portal.acme.example:443", "https://portal.acme.example"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), shown);
        }
        for wrong in [
            "*",
            "null",
            "portal.acme.example",
            "https://*",
            "https://*.acme.example",
            "https://portal.acme.example/",
            "https://portal.acme.example/page",
            "https://user@portal.acme.example",
            "https://",
            "ftp://portal.acme.example",
            "HTTPS://portal.acme.example",
        ] {
            assert_eq!(wrong.parse::<Origin>(), Err(NoOrigin), "{wrong}");
        }
    }
}
