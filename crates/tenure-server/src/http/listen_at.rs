//! Where does a server listen?

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What the text of a Unix socket begins with
const UNIX: &str = "unix:";

/// Where a server listens
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ListenAt {
    /// At an address and a port
    Tcp(SocketAddr),
    /// At a Unix socket with this path
    Unix(PathBuf),
}

/// A text that says no place to listen at
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a server listens at an IP address and a port, 127.0.0.1:7480, or at unix:/path/to.sock")]
pub struct NoPlace;

impl ListenAt {
    /// Whether programs on other machines can reach it
    pub fn is_open(&self) -> bool {
        match self {
            Self::Tcp(address) => !address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => false,
        }
    }

    /// The address and the port, if it has them
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

impl FromStr for ListenAt {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        match text.strip_prefix(UNIX) {
            Some("") => Err(NoPlace),
            Some(path) => Ok(Self::Unix(path.into())),
            None => text.parse().map(Self::Tcp).map_err(|_| NoPlace),
        }
    }
}

impl fmt::Display for ListenAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

impl TryFrom<String> for ListenAt {
    type Error = NoPlace;

    fn try_from(text: String) -> Result<Self, NoPlace> {
        text.parse()
    }
}

impl From<ListenAt> for String {
    fn from(at: ListenAt) -> Self {
        at.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_as_it_is_read() {
        for text in ["127.0.0.1:7480", "[::1]:0", "unix:/run/tenure/tenure.sock", "unix:t.sock"] {
            assert_eq!(text.parse::<ListenAt>().unwrap().to_string(), text);
        }
        for wrong in ["", "everywhere", "localhost:80", "127.0.0.1", "unix:", "/run/tenure.sock"] {
            assert_eq!(wrong.parse::<ListenAt>(), Err(NoPlace), "{wrong}");
        }
    }

    #[test]
    fn loopback_and_a_unix_socket_are_not_open() {
        for text in ["127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "unix:/t"] {
            assert!(!text.parse::<ListenAt>().unwrap().is_open(), "{text}");
        }
        for text in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "10.0.0.1:1"] {
            assert!(text.parse::<ListenAt>().unwrap().is_open(), "{text}");
        }
    }
}
