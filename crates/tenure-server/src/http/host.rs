//! Which host does a request ask, and is it this server?

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use axum::http::uri::Authority;
use serde::{Deserialize, Serialize};

/// A host as a request or an operator names it: a name or an IP address, and a port if one is said
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Host {
    name: Name,
    port: Option<u16>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Name {
    Address(IpAddr),
    /// In small letters, and without the dot that may end it
    Word(String),
}

/// A text that names no host
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "a host is a name or an IP address, with a port if clients send one: ledger.acme.example:7480"
)]
pub struct NoHost;

impl FromStr for Host {
    type Err = NoHost;

    fn from_str(text: &str) -> Result<Self, NoHost> {
        let authority: Authority = text.parse().map_err(|_| NoHost)?;
        let host = authority.host();
        // What is not `host` or `host:port`, such as `user@host`, is refused here.
        let port = match text.strip_prefix(host).ok_or(NoHost)? {
            "" => None,
            rest => Some(rest.strip_prefix(':').and_then(port).ok_or(NoHost)?),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name = match bare.parse::<IpAddr>() {
            Ok(address) => Name::Address(address.to_canonical()),
            Err(_) => {
                let word = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
                let lawful = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
                if word.is_empty() || !word.bytes().all(lawful) {
                    return Err(NoHost);
                }
                Name::Word(word)
            }
        };
        Ok(Self { name, port })
    }
}

/// The port of a URL that names none
pub(super) fn usual_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// A port; a number with a sign is none
fn port(text: &str) -> Option<u16> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Name::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
            Name::Address(address) => write!(f, "{address}")?,
            Name::Word(word) => f.write_str(word)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl TryFrom<String> for Host {
    type Error = NoHost;

    fn try_from(text: String) -> Result<Self, NoHost> {
        text.parse()
    }
}

impl From<Host> for String {
    fn from(host: Host) -> Self {
        host.to_string()
    }
}

impl Host {
    /// Whether only a program on this machine reaches anything under this name
    pub(super) fn is_loopback(&self) -> bool {
        match &self.name {
            Name::Address(address) => address.is_loopback(),
            Name::Word(word) => word == "localhost",
        }
    }

    /// Whether it is this IP address itself
    pub(super) fn is_address(&self, address: IpAddr) -> bool {
        self.name == Name::Address(address.to_canonical())
    }

    /// Whether an operator who named this host meant the other one; a host without a port has every port
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.name == other.name && self.port.is_none_or(|port| other.port == Some(port))
    }

    /// The same without this port, if it has it
    pub(super) fn without_port(self, usual: u16) -> Self {
        Self { port: self.port.filter(|port| *port != usual), ..self }
    }

    /// Whether an `Origin` is this host: then the page of the request came from it
    pub(super) fn is_origin(&self, origin: &str) -> bool {
        let Some((scheme, authority)) = origin.split_once("://") else { return false };
        let Some(usual) = usual_port(scheme) else { return false };
        authority.parse::<Self>().is_ok_and(|page| {
            page.name == self.name && page.port.unwrap_or(usual) == self.port.unwrap_or(usual)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Host {
        text.parse().unwrap()
    }

    #[test]
    fn a_host_is_read_whole_or_not() {
        for (text, shown) in [
            ("LocalHost.:7480", "localhost:7480"),
            ("[::1]:80", "[::1]:80"),
            ("[::ffff:127.0.0.1]", "127.0.0.1"),
            ("ledger_1.acme.example", "ledger_1.acme.example"),
        ] {
            assert_eq!(host(text).to_string(), shown);
        }
        for wrong in [
            "",
            ":80",
            "a b",
            "user@localhost",
            "localhost:",
            "localhost:65536",
            "localhost:+1",
            "a/b",
            "::1",
            "*",
        ] {
            assert_eq!(wrong.parse::<Host>(), Err(NoHost), "{wrong}");
        }
    }

    #[test]
    fn loopback_is_localhost_and_the_addresses_of_this_machine_alone() {
        for text in ["localhost", "127.0.0.1:1", "127.9.8.7", "[::1]", "[::ffff:127.0.0.1]"] {
            assert!(host(text).is_loopback(), "{text}");
        }
        for text in
            ["localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0", "127.1", "[::2]"]
        {
            assert!(!host(text).is_loopback(), "{text}");
        }
    }

    #[test]
    fn a_configured_port_is_the_only_one() {
        assert!(host("a.example").covers(&host("A.example.:80")));
        assert!(host("a.example:80").covers(&host("a.example:80")));
        for other in ["a.example", "a.example:81", "b.a.example:80"] {
            assert!(!host("a.example:80").covers(&host(other)), "{other}");
        }
    }

    #[test]
    fn an_origin_is_the_host_with_its_port() {
        for (text, origin) in [
            ("localhost:7480", "http://localhost:7480"),
            ("a.example", "https://a.example"),
            ("a.example", "http://A.example:80"),
            ("a.example:443", "https://a.example"),
        ] {
            assert!(host(text).is_origin(origin), "{text} {origin}");
        }
        for (text, origin) in [
            ("localhost:7480", "http://localhost:3000"),
            ("localhost:7480", "http://127.0.0.1:7480"),
            ("localhost:7480", "http://localhost"),
            ("localhost:7480", "ftp://localhost:7480"),
            ("localhost", "null"),
            ("localhost", "http://localhost/"),
        ] {
            assert!(!host(text).is_origin(origin), "{text} {origin}");
        }
    }
}
