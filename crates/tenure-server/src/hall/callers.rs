//! Who sends a request, by what came with it?
//!
//! Each way to say so is configured; the first that a request uses is taken, and a credential that fails is the end: no
//! other way is tried after it.

use std::sync::Arc;

use tenure_wire::api::Problem;

use super::caller::{Authentication, Caller, Proof};
use super::callers_file::CallersFile;
use super::certificate::Certificate;
use super::issuers::{Begun, Issuers, is_signed};
use super::peer::Peer;
use super::sessions::Sessions;
use crate::ask;
use crate::http::PublicUrl;
use crate::problem::{Code, problem};

/// What came with a request that may say who sends it
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Credentials<'a> {
    /// Its header `authorization`
    pub(crate) authorization: Option<&'a str>,
    /// The cookie of a session
    pub(crate) session: Option<&'a str>,
    /// What its connection says
    pub(crate) peer: Option<&'a Peer>,
}

impl Credentials<'_> {
    /// The way that is taken, as the metrics name it
    pub(crate) fn way(&self) -> &'static str {
        match (self.authorization, self.peer, self.session) {
            (Some(_), ..) => "bearer",
            (None, Some(Peer::Certificate(_)), _) => "certificate",
            (None, Some(Peer::User(_)), _) => "peer",
            (None, None, Some(_)) => "session",
            (None, None, None) => "nothing",
        }
    }
}

/// The ways by which callers say who they are
#[derive(Debug, Default)]
pub struct Callers {
    file: Option<Arc<CallersFile>>,
    issuers: Issuers,
    sessions: Sessions,
    /// Where browsers come back after they have logged on
    redirect: Option<String>,
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

    /// The same, and callers whose tokens one of these issuers signed
    #[must_use]
    pub fn with_issuers(self, issuers: Issuers) -> Self {
        Self { issuers, ..self }
    }

    /// The same on a server that browsers reach at this URL
    #[must_use]
    pub fn with_public_url(self, url: Option<&PublicUrl>) -> Self {
        Self { redirect: url.map(|url| format!("{url}/auth/callback")), ..self }
    }

    /// Whether there is any way to say who one is: then nobody is served who does not
    fn any(&self) -> bool {
        self.file.is_some() || !self.issuers.is_empty()
    }

    /// What counts of what came with a request: a user id does where the file lists users
    pub(crate) fn counting<'a>(&self, sent: Credentials<'a>) -> Credentials<'a> {
        let users = self.file.as_ref().is_some_and(|file| file.lists_peers());
        let counts = |peer: &&Peer| users || !matches!(peer, Peer::User(_));
        Credentials { peer: sent.peer.filter(counts), ..sent }
    }

    /// The caller of a request over HTTP, by what [counts](Self::counting); a closed door says nothing of what is behind it
    ///
    /// # Errors
    /// `unauthenticated`: nothing was sent where callers say who they are, or something that is no credential of now.
    pub(crate) async fn over_http(&self, sent: Credentials<'_>) -> Result<Caller, Problem> {
        if let Some(authorization) = sent.authorization {
            return self.bearer(authorization).await;
        }
        match (sent.peer, sent.session) {
            (Some(Peer::Certificate(certificate)), _) => self.certificate(certificate),
            (Some(Peer::User(uid)), _) => self.user(*uid),
            (None, Some(session)) => {
                let owner = self.sessions.owner(session);
                let caller = owner.map(|(owner, digest)| {
                    Caller::by(Authentication::Session, owner, Proof::Session(digest))
                });
                caller.ok_or_else(|| unauthenticated("the session has ended: log on again"))
            }
            (None, None) if self.any() => Err(unauthenticated(
                "say who you are: send `authorization: Bearer <token>`; the command `tenure` takes it by \
                 `--token-file`, or from the environment as `TENURE_TOKEN`",
            )),
            (None, None) => Ok(Caller::anonymous()),
        }
    }

    fn certificate(&self, sent: &Arc<Certificate>) -> Result<Caller, Problem> {
        let now = ask::now().instant();
        if now > sent.not_after {
            return Err(unauthenticated("the client certificate has expired: renew it"));
        }
        let owner = self.file.as_ref().and_then(|file| file.of_certificate(sent, now));
        let proof = Proof::Certificate(Arc::clone(sent));
        let caller = owner.map(|owner| Caller::by(Authentication::Certificate, owner, proof));
        caller.ok_or_else(|| {
            unauthenticated(
                "the client certificate is valid, and this server does not know whose it is: its operator gives \
                 one of its names a row `[[certificate]]`",
            )
        })
    }

    fn user(&self, uid: u32) -> Result<Caller, Problem> {
        let now = ask::now().instant();
        let owner = self.file.as_ref().and_then(|file| file.of_user(uid, now));
        let caller = owner.map(|owner| Caller::by(Authentication::Peer, owner, Proof::User(uid)));
        caller.ok_or_else(|| {
            unauthenticated(&format!(
                "this server does not know who user id {uid} is: its operator gives it a row `[[peer]]`"
            ))
        })
    }

    /// Whether a caller that was known is still known, by the same
    pub(super) fn still_know(&self, caller: &Caller) -> bool {
        let now = ask::now().instant();
        let file = || self.file.as_ref();
        let owner = match caller.proof() {
            Proof::Nothing => return true,
            Proof::Until(end) => return now < *end,
            Proof::Token(digest) => file().and_then(|file| file.of_digest(*digest, now)),
            Proof::Session(digest) => self.sessions.of_digest(*digest),
            Proof::Certificate(sent) if now > sent.not_after => None,
            Proof::Certificate(sent) => file().and_then(|file| file.of_certificate(sent, now)),
            Proof::User(uid) => file().and_then(|file| file.of_user(*uid, now)),
        };
        owner.as_ref() == Some(caller.principal())
    }

    /// Where a browser is sent to log on; `None` where nobody does
    pub(crate) fn logon_page(&self, begun: &Begun) -> Option<String> {
        self.issuers.logon_page(begun, self.redirect.as_deref()?)
    }

    /// Logs somebody on who comes back with a code, and gives the text of the session
    ///
    /// # Errors
    /// `unauthenticated`: why nobody is logged on.
    pub(crate) async fn log_on(&self, code: String, begun: Begun) -> Result<String, Problem> {
        let failed = |why: String| {
            tracing::debug!(target: "tenure::access", why, "somebody could not log on");
            unauthenticated(&format!("you are not logged on: {why}"))
        };
        let redirect = self.redirect.clone().unwrap_or_default();
        let principal = self.issuers.logged_on(code, begun, redirect).await.map_err(failed)?;
        tracing::debug!(target: "tenure::access", caller = %principal, "logged on");
        let session = self.sessions.begin(principal);
        session.ok_or_else(|| problem(Code::Overloaded, "too many people are logged on"))
    }

    /// Ends a session
    pub(crate) fn log_off(&self, session: &str) {
        self.sessions.end(session);
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
        if !self.issuers.is_empty() && is_signed(token) {
            let owner = self.issuers.owner(token).await;
            let caller = owner.map(|(owner, until)| {
                Caller::by(Authentication::SignedToken, owner, Proof::Until(until))
            });
            return caller.map_err(unauthenticated);
        }
        let now = ask::now().instant();
        let owner = self.file.as_ref().and_then(|file| file.of_token(token, now));
        let caller = owner
            .map(|(owner, digest)| Caller::by(Authentication::Token, owner, Proof::Token(digest)));
        caller.ok_or_else(|| {
            unauthenticated(
                "the token is none of this server, or it has expired: ask its operator for one",
            )
        })
    }
}
