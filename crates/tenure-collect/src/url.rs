//! Where is a server, and is another URL of the same one?

use ureq::http::Uri;

/// A scheme, a host and a port, all in lower case and in full
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Origin {
    text: String,
    loopback: bool,
}

impl Origin {
    /// The origin of an http or https URL without a user name
    pub(crate) fn of(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let port = match scheme.as_str() {
            "https" => 443,
            "http" => 80,
            _ => return None,
        };
        if uri.authority()?.as_str().contains('@') {
            return None;
        }
        let host = uri.host().filter(|host| !host.is_empty())?.to_ascii_lowercase();
        let port = uri.port_u16().unwrap_or(port);
        let loopback = matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]");
        Some(Self { text: format!("{scheme}://{host}:{port}"), loopback })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.text.starts_with("https:")
    }

    /// Whether it is this machine, so that nobody stands between
    pub(crate) fn is_loopback(&self) -> bool {
        self.loopback
    }
}

/// What stands before the paths of a server
#[derive(Clone, Debug)]
pub(crate) struct Base {
    text: String,
    origin: Origin,
}

impl Base {
    /// Reads an https URL; http only of this machine
    ///
    /// # Errors
    /// What is wrong; the text is not repeated, since it may have a password.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        const NO_URL: &str = "it is an https URL without a user name, as `https://host/path`";
        if text.contains(['?', '#']) {
            return Err("it is a URL without `?` and `#`");
        }
        let origin = Origin::of(text).ok_or(NO_URL)?;
        if !origin.loopback && !origin.is_encrypted() {
            return Err("it is an https URL: whoever stands between could read the secrets");
        }
        Ok(Self { text: text.trim_end_matches('/').to_owned(), origin })
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The URL of a path of this server
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_compared_in_full() {
        let same = |one, other| Origin::of(one).unwrap() == Origin::of(other).unwrap();
        assert!(same("https://API.example/x", "https://api.example:443/y?z"));
        assert!(!same("https://api.example", "http://api.example"));
        assert!(!same("https://api.example", "https://api.example:8443"));
        assert!(!same("https://api.example", "https://api.example.evil.example"));
        for none in ["https://api.example@evil.example/", "/v3/roles", "ftp://api.example", "x"] {
            assert_eq!(Origin::of(none), None, "{none}");
        }
    }

    #[test]
    fn only_loopback_is_asked_without_tls() {
        for good in
            ["https://api.example/", "http://localhost:1", "http://[::1]:1", "http://127.0.0.1"]
        {
            assert!(Base::parse(good).is_ok(), "{good}");
        }
        let bad =
            ["http://api.example", "https://u:p@api.example", "https://a.example?x", "api.example"];
        for bad in bad {
            assert!(Base::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(
            Base::parse("https://a.example/scim/").unwrap().at("/Users"),
            "https://a.example/scim/Users"
        );
    }
}
