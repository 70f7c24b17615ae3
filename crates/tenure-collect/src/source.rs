//! What is a source that can be asked?

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tenure_core::Level;
use ureq::Agent;

use crate::retry::Limits;
use crate::secret::Secret;
use crate::settings::Kind;
use crate::url::Base;

/// A source that is collected, with its secrets; made by [`Settings::open`](crate::Settings::open)
pub struct Source {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) on: Option<Level>,
    pub(crate) origin: Option<String>,
    pub(crate) every: Option<Duration>,
    pub(crate) overlap: Duration,
    pub(crate) base: Base,
    pub(crate) access: Access,
    pub(crate) agent: Agent,
    pub(crate) limits: Limits,
}

/// How the server is shown who asks
pub(crate) enum Access {
    /// A token, which another server makes
    Token(Grant),
    Basic {
        username: String,
        password: Secret,
    },
    /// A certificate in the TLS of the connection
    Certificate {
        certificate: PathBuf,
        key: PathBuf,
    },
}

/// For what a UAA makes a token (RFC 6749)
pub(crate) struct Grant {
    pub(crate) base: Base,
    pub(crate) client_id: String,
    pub(crate) client_secret: Secret,
    pub(crate) kind: GrantKind,
}

pub(crate) enum GrantKind {
    /// `client_credentials`
    Client,
    /// `password`
    Password { username: String, password: Secret, origin: Option<String> },
    /// `refresh_token`
    Refresh(Secret),
}

impl Source {
    /// Its name
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which API it speaks
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The level that its listings are of, if the operator says it
    pub fn on(&self) -> Option<&Level> {
        self.on.as_ref()
    }

    /// The origin key of its users, if it is an identity provider and the operator says it
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// How often a server collects it; `None` if only somebody who asks for it does
    pub fn every(&self) -> Option<Duration> {
        self.every
    }

    /// How much of the window before is asked again
    pub fn overlap(&self) -> Duration {
        self.overlap
    }
}

/// Leaves the secrets out
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
