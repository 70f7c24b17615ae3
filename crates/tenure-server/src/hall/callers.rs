//! Who sends a request, by what came with it?
//!
//! Each way to say so is configured; the first that a request uses is taken, and a credential that fails is the end: no
//! other way is tried after it.

use std::sync::Arc;

use tenure_wire::api::Problem;

use super::caller::{Authentication, Caller};
use super::callers_file::CallersFile;
use super::certificate::Certificate;
use super::peer::Peer;
use crate::ask;
use crate::problem::{Code, problem};

/// What came with a request that may say who sends it
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Credentials<'a> {
    /// Its header `authorization`
    pub(crate) authorization: Option<&'a str>,
    /// What its connection says
    pub(crate) peer: Option<&'a Peer>,
}

/// The ways by which callers say who they are
#[derive(Debug, Default)]
pub struct Callers {
    file: Option<Arc<CallersFile>>,
}

fn unauthenticated(why: &str) -> Problem {
    problem(Code::Unauthenticated, why)
}

impl Callers {
    /// Callers whom a file lists
    #[must_use]
    pub fn with_file(mut self, file: Option<Arc<CallersFile>>) -> Self {
        self.file = file;
        self
    }

    /// Whether there is any way to say who one is: then nobody is served who does not
    fn any(&self) -> bool {
        self.file.is_some()
    }

    /// The caller of a request over HTTP; a closed door says nothing of what is behind it
    ///
    /// # Errors
    /// `unauthenticated`: nothing was sent where callers say who they are, or something that is no credential of now.
    pub(crate) async fn over_http(&self, sent: Credentials<'_>) -> Result<Caller, Problem> {
        if let Some(authorization) = sent.authorization {
            return self.bearer(authorization).await;
        }
        match sent.peer {
            Some(Peer::Certificate(certificate)) => self.certificate(certificate),
            Some(Peer::User(uid)) if self.file.as_ref().is_some_and(|file| file.lists_peers()) => {
                self.user(*uid)
            }
            _ if self.any() => Err(unauthenticated(
                "say who you are: send `authorization: Bearer <token>`; the command `tenure` takes it by \
                 `--token-file`, or from the environment as `TENURE_TOKEN`",
            )),
            _ => Ok(Caller::anonymous()),
        }
    }

    fn certificate(&self, sent: &Certificate) -> Result<Caller, Problem> {
        let now = ask::now().instant();
        if now > sent.not_after {
            return Err(unauthenticated("the client certificate has expired: renew it"));
        }
        let owner = self.file.as_ref().and_then(|file| file.of_certificate(sent, now));
        owner.map(|owner| Caller::by(Authentication::Certificate, owner)).ok_or_else(|| {
            unauthenticated(
                "the client certificate is valid, and this server does not know whose it is: its operator gives \
                 one of its names a row `[[certificate]]`",
            )
        })
    }

    fn user(&self, uid: u32) -> Result<Caller, Problem> {
        let now = ask::now().instant();
        let owner = self.file.as_ref().and_then(|file| file.of_user(uid, now));
        owner.map(|owner| Caller::by(Authentication::Peer, owner)).ok_or_else(|| {
            unauthenticated(&format!(
                "this server does not know who user id {uid} is: its operator gives it a row `[[peer]]`"
            ))
        })
    }

    /// The caller of a request over NATS; who sends nothing is known to the broker alone
    ///
    /// # Errors
    /// `unauthenticated`: what was sent is no credential of now.
    pub(crate) async fn over_nats(&self, authorization: Option<&str>) -> Result<Caller, Problem> {
        match authorization {
            Some(authorization) => self.bearer(authorization).await,
            None => Ok(Caller::anonymous_over_nats()),
        }
    }

    async fn bearer(&self, authorization: &str) -> Result<Caller, Problem> {
        let (scheme, token) = authorization.split_once(' ').unwrap_or((authorization, ""));
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(unauthenticated(
                "`authorization` is `Bearer <token>`: no other scheme is taken",
            ));
        }
        let token = token.trim();
        let now = ask::now().instant();
        let owner = self.file.as_ref().and_then(|file| file.of_token(token, now));
        owner.map(Caller::of_token).ok_or_else(|| {
            unauthenticated(
                "the token is none of this server, or it has expired: ask its operator for one",
            )
        })
    }
}
