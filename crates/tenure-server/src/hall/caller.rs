//! Who asks or appends, and how is that known?

use std::fmt;

use std::sync::Arc;

use tenure_core::{Instant, Principal, PrincipalKind};

use super::certificate::Certificate;

/// A principal that somebody outside vouches for: a user or a client, and none that the ledger itself names
///
/// # Errors
/// A sentence that says why not.
pub(super) fn vouched(principal: Principal) -> Result<Principal, String> {
    if !matches!(principal.kind(), PrincipalKind::User | PrincipalKind::Client) {
        return Err(format!("`{principal}` is a set: a caller is a user or a client"));
    }
    if principal.is_named_by_the_ledger() {
        return Err(format!(
            "`{principal}` is a name that the ledger gives itself: choose another origin"
        ));
    }
    Ok(principal)
}

/// How a caller was authenticated
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Authentication {
    /// The caller sent nothing that says who it is
    Nothing,
    /// The caller sent a bearer token of the callers' file
    Token,
    /// The caller sent a token that an issuer signed
    SignedToken,
    /// The caller has logged on in a browser
    Session,
    /// The caller has a client certificate that the callers' file names
    Certificate,
    /// The caller is a user of this machine whom the callers' file names
    Peer,
    /// The caller opened the data folder, and could write its files by hand as well
    OwnFolder,
}

/// By what it is found out later whether a caller is still known
#[derive(Clone, Debug)]
pub(super) enum Proof {
    /// Nothing can end it
    Nothing,
    /// A token, by its digest
    Token([u8; 32]),
    /// A session, by the digest of its text
    Session([u8; 32]),
    /// A client certificate
    Certificate(Arc<Certificate>),
    /// A user of this machine
    User(u32),
    /// A signed token, until then
    Until(Instant),
}

/// A principal that asks or appends, and how it was authenticated
#[derive(Clone, Debug)]
pub struct Caller {
    principal: Principal,
    authentication: Authentication,
    proof: Proof,
}

impl Caller {
    /// A caller of whom nothing is known
    pub fn anonymous() -> Self {
        Self::by(Authentication::Nothing, Principal::anonymous(), Proof::Nothing)
    }

    /// The caller that is known in this way
    pub(super) fn by(authentication: Authentication, principal: Principal, proof: Proof) -> Self {
        Self { principal, authentication, proof }
    }

    /// The caller whose token was sent
    pub fn of_token(principal: Principal) -> Self {
        Self::by(Authentication::Token, principal, Proof::Nothing)
    }

    /// A caller over NATS of whom nothing is known
    pub(crate) fn anonymous_over_nats() -> Self {
        let principal = Principal::of_nats("anonymous").unwrap_or_else(Principal::anonymous);
        Self::by(Authentication::Nothing, principal, Proof::Nothing)
    }

    /// A caller that has opened the data folder itself
    pub fn local() -> Self {
        Self::by(Authentication::OwnFolder, Principal::local(), Proof::Nothing)
    }

    /// The principal
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// By what it is known
    pub(super) fn proof(&self) -> &Proof {
        &self.proof
    }

    /// How it was authenticated
    pub fn authentication(&self) -> Authentication {
        self.authentication
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.principal.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_callers_have_canonical_names() {
        assert_eq!(Caller::anonymous().to_string(), "client:tenure/anonymous");
        assert_eq!(Caller::local().to_string(), "client:tenure/local");
    }
}
