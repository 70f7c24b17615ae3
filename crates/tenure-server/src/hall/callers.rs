//! Who sends a request, by what came with it?
//!
//! Each way to say so is configured; the first that a request uses is taken, and a credential that fails is the end: no
//! other way is tried after it.

use std::sync::Arc;

use tenure_wire::api::Problem;

use super::caller::Caller;
use super::issuers::{Issuers, is_signed};
use super::tokens::Tokens;
use crate::ask;
use crate::problem::{Code, problem};

/// What came with a request that may say who sends it
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Credentials<'a> {
    /// Its header `authorization`
    pub(crate) authorization: Option<&'a str>,
}

/// The ways by which callers say who they are
#[derive(Debug, Default)]
pub struct Callers {
    tokens: Option<Arc<Tokens>>,
    issuers: Issuers,
}

fn unauthenticated(why: &str) -> Problem {
    problem(Code::Unauthenticated, why)
}

impl Callers {
    /// Callers who say by tokens of a file who they are
    #[must_use]
    pub fn with_tokens(self, tokens: Option<Arc<Tokens>>) -> Self {
        Self { tokens, ..self }
    }

    /// The same, and callers whose tokens one of these issuers signed
    #[must_use]
    pub fn with_issuers(self, issuers: Issuers) -> Self {
        Self { issuers, ..self }
    }

    /// Whether there is any way to say who one is: then nobody is served who does not
    fn any(&self) -> bool {
        self.tokens.is_some() || !self.issuers.is_empty()
    }

    /// The caller of a request over HTTP; a closed door says nothing of what is behind it
    ///
    /// # Errors
    /// `unauthenticated`: nothing was sent where callers say who they are, or something that is no credential of now.
    pub(crate) async fn over_http(&self, sent: Credentials<'_>) -> Result<Caller, Problem> {
        match sent.authorization {
            Some(authorization) => self.bearer(authorization).await,
            None if self.any() => Err(unauthenticated(
                "say who you are: send `authorization: Bearer <token>`; the command `tenure` takes it by \
                 `--token-file`, or from the environment as `TENURE_TOKEN`",
            )),
            None => Ok(Caller::anonymous()),
        }
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
            return owner.map(Caller::of_signed_token).map_err(unauthenticated);
        }
        let now = ask::now().instant();
        let owner = self.tokens.as_ref().and_then(|tokens| tokens.owner(token, now));
        owner.map(Caller::of_token).ok_or_else(|| {
            unauthenticated(
                "the token is none of this server, or it has expired: ask its operator for one",
            )
        })
    }
}
