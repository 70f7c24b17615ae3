//! Who asks or appends, and how is that known?

use std::fmt;

use tenure_core::{Principal, PrincipalKind};

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

/// A principal that asks or appends, and how it was authenticated
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    principal: Principal,
    authentication: Authentication,
}

impl Caller {
    /// A caller of whom nothing is known
    pub fn anonymous() -> Self {
        Self { principal: Principal::anonymous(), authentication: Authentication::Nothing }
    }

    /// The caller that is known in this way
    pub(super) fn by(authentication: Authentication, principal: Principal) -> Self {
        Self { principal, authentication }
    }

    /// The caller whose token was sent
    pub fn of_token(principal: Principal) -> Self {
        Self { principal, authentication: Authentication::Token }
    }

    /// A caller over NATS of whom nothing is known
    pub(crate) fn anonymous_over_nats() -> Self {
        let principal = Principal::of_nats("anonymous").unwrap_or_else(Principal::anonymous);
        Self { principal, authentication: Authentication::Nothing }
    }

    /// A caller that has opened the data folder itself
    pub fn local() -> Self {
        Self { principal: Principal::local(), authentication: Authentication::OwnFolder }
    }

    /// The principal
    pub fn principal(&self) -> &Principal {
        &self.principal
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
