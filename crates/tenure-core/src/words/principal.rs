//! Who receives?
//!
//! A [`Principal`] is a user, a client, or a set of users that an identity provider keeps. Three rules
//! make every principal's text canonical: user names are in lower case, the origins `ldap` and `sap.ids` are
//! read as `sap.default`, and the attribute `Groups` is the group. Short forms belong to the doors
//! ([`Principal::parse_short`]) and never reach the log.
//!
//! Rules: `docs/semantics.md#principal`.

use std::fmt;
use std::sync::Arc;

use crate::words::name::{NameError, principal_name, shown, user_name};

/// The origin of SAP's default identity provider
pub const DEFAULT_ORIGIN: &str = "sap.default";
/// Other names of the default origin, which the log reads as it; all three in any letter case
pub const DEFAULT_ORIGIN_ALIASES: [&str; 2] = ["ldap", "sap.ids"];
/// Longest origin, in bytes
pub(crate) const ORIGIN_BYTES_MAX: usize = 128;
/// The attribute whose values are groups
const GROUPS: &str = "Groups";

/// The kinds of principals
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PrincipalKind {
    /// `user:<origin>/<name>`
    User,
    /// `client:<origin>/<id>`
    Client,
    /// `group:<origin>/<name>`
    Group,
    /// `attribute:<origin>/<attribute>=<value>`
    Attribute,
    /// `everyone:<origin>`
    Everyone,
}

impl PrincipalKind {
    const ALL: [Self; 5] = [Self::User, Self::Client, Self::Group, Self::Attribute, Self::Everyone];

    /// The kind of that name
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The kind's name in texts
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Client => "client",
            Self::Group => "group",
            Self::Attribute => "attribute",
            Self::Everyone => "everyone",
        }
    }

    /// Whether it stands for a set of users
    pub fn is_set(self) -> bool {
        matches!(self, Self::Group | Self::Attribute | Self::Everyone)
    }
}

/// A principal under its canonical name
///
/// Compared and ordered by the bytes of its text.
// INVARIANT (canonical principal): `text` is the canonical text; only `canonical` makes one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal {
    text: Arc<str>,
    kind: PrincipalKind,
}

/// A text that names no principal
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParsePrincipalError {
    /// It has not the form of a principal
    #[error("`{text}` is not a principal: {problem}")]
    Form {
        /// The text
        text: String,
        /// What is wrong with it
        problem: &'static str,
    },
    /// Its origin is none
    #[error(
        "`{text}` is not a principal: an origin is an origin key of 1 to {ORIGIN_BYTES_MAX} letters, digits, `.`, `_` and `-`, and begins with a letter or a digit"
    )]
    Origin {
        /// The text
        text: String,
    },
    /// An origin alone that is none
    #[error(
        "`{text}` is not an origin: an origin is an origin key of 1 to {ORIGIN_BYTES_MAX} letters, digits, `.`, `_` and `-`, and begins with a letter or a digit"
    )]
    Alone {
        /// The text
        text: String,
    },
    /// Its name is none
    #[error(transparent)]
    Name(#[from] NameError),
}

/// Reads an origin, and gives its canonical form
fn origin_of<'a>(text: &str, origin: &'a str) -> Result<&'a str, ParsePrincipalError> {
    let plain = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
    let begins = origin.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    if !begins || origin.len() > ORIGIN_BYTES_MAX || !origin.as_bytes().iter().all(plain) {
        return Err(ParsePrincipalError::Origin { text: shown(text) });
    }
    let mut names = DEFAULT_ORIGIN_ALIASES.into_iter().chain([DEFAULT_ORIGIN]);
    let default = names.any(|name| origin.eq_ignore_ascii_case(name));
    Ok(if default { DEFAULT_ORIGIN } else { origin })
}

/// Reads an origin, and gives its canonical form
///
/// # Errors
/// A text that is no origin.
pub fn origin(text: &str) -> Result<Arc<str>, ParsePrincipalError> {
    let found = origin_of(text, text).map_err(|_| ParsePrincipalError::Alone { text: shown(text) });
    Ok(found?.into())
}

impl Principal {
    /// Reads a full name, as the log holds it
    ///
    /// # Errors
    /// An unknown kind, or an origin, name, attribute or value that is none.
    pub fn parse(text: &str) -> Result<Self, ParsePrincipalError> {
        const FORM: &str = "write `user:<origin>/<name>`, `client:<origin>/<id>`, \
             `group:<origin>/<name>`, `attribute:<origin>/<attribute>=<value>` or `everyone:<origin>`";
        let error = |problem| ParsePrincipalError::Form { text: shown(text), problem };
        let (kind, rest) = text.split_once(':').ok_or_else(|| error(FORM))?;
        let kind = PrincipalKind::parse(kind).ok_or_else(|| error(FORM))?;
        if kind == PrincipalKind::Everyone {
            if rest.is_empty() || rest.contains('/') {
                return Err(error("`everyone:` is followed by an origin alone"));
            }
            return Self::everyone(rest);
        }
        let (origin, name) =
            rest.split_once('/').ok_or_else(|| error("its origin and `/` are missing"))?;
        let origin = origin_of(text, origin)?;
        match kind {
            PrincipalKind::User => {
                let name = user_name("name of a user", name)?;
                Ok(Self::canonical(kind, format!("user:{origin}/{name}")))
            }
            PrincipalKind::Attribute => {
                let (attribute, value) = name
                    .split_once('=')
                    .ok_or_else(|| error("an attribute is written `<attribute>=<value>`"))?;
                principal_name("name of an attribute", attribute)?;
                principal_name("value of an attribute", value)?;
                Ok(match attribute {
                    GROUPS => {
                        Self::canonical(PrincipalKind::Group, format!("group:{origin}/{value}"))
                    }
                    _ => Self::canonical(kind, format!("attribute:{origin}/{name}")),
                })
            }
            PrincipalKind::Client | PrincipalKind::Group | PrincipalKind::Everyone => {
                let what = if kind == PrincipalKind::Client {
                    "id of a client"
                } else {
                    "name of a group"
                };
                principal_name(what, name)?;
                Ok(Self::canonical(kind, format!("{}:{origin}/{name}", kind.as_str())))
            }
        }
    }

    /// Reads a full name, or a user name alone, which is taken to be of `default_origin`
    ///
    /// # Errors
    /// As [`Principal::parse`]; a name alone has an `@` and neither `:` nor `/`.
    pub fn parse_short(text: &str, default_origin: &str) -> Result<Self, ParsePrincipalError> {
        if text.contains('@') && !text.contains([':', '/']) {
            return Self::parse(&format!("user:{default_origin}/{text}"));
        }
        Self::parse(text)
    }

    /// The set of everybody of an origin
    ///
    /// # Errors
    /// A text that is no origin.
    pub fn everyone(origin: &str) -> Result<Self, ParsePrincipalError> {
        let origin = origin_of(origin, origin)?;
        Ok(Self::canonical(PrincipalKind::Everyone, format!("everyone:{origin}")))
    }

    /// The client of whoever has opened the data folder itself
    pub fn local() -> Self {
        Self::canonical(PrincipalKind::Client, "client:tenure/local".to_owned())
    }

    /// The client of a caller of whom nothing is known
    pub fn anonymous() -> Self {
        Self::canonical(PrincipalKind::Client, "client:tenure/anonymous".to_owned())
    }

    /// The client that publishes under a token of a NATS subject; `None` for a token that is no name
    pub fn of_nats(token: &str) -> Option<Self> {
        Self::parse(&format!("client:nats/{token}")).ok()
    }

    /// The client of every token of a NATS subject that is no name
    pub fn invalid_nats() -> Self {
        Self::canonical(PrincipalKind::Client, "client:nats/invalid".to_owned())
    }

    fn canonical(kind: PrincipalKind, text: String) -> Self {
        Self { text: text.into(), kind }
    }

    /// Whether its origin is one whose principals the ledger itself names; nobody else vouches for them
    pub fn is_named_by_the_ledger(&self) -> bool {
        matches!(self.origin(), "tenure" | "nats")
    }

    /// Its kind
    pub fn kind(&self) -> PrincipalKind {
        self.kind
    }

    /// The identity provider it is of
    pub fn origin(&self) -> &str {
        let rest = self.text.split_once(':').map_or("", |(_, rest)| rest);
        rest.split_once('/').map_or(rest, |(origin, _)| origin)
    }

    /// Its name within its origin; of an attribute, `<attribute>=<value>`. `everyone:` has none
    pub fn name(&self) -> Option<&str> {
        self.text.split_once('/').map(|(_, name)| name)
    }

    /// The attribute and the value that it is the set of; a group is a value of `Groups`
    pub fn attribute_value(&self) -> Option<(&str, &str)> {
        match self.kind {
            PrincipalKind::Group => Some((GROUPS, self.name()?)),
            PrincipalKind::Attribute => self.name()?.split_once('='),
            PrincipalKind::User | PrincipalKind::Client | PrincipalKind::Everyone => None,
        }
    }

    /// Its canonical text
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invariant_canonical_principal() {
        for (text, canonical) in [
            ("user:ldap/Alice@Acme.Example", "user:sap.default/alice@acme.example"),
            ("user:sap.ids/É@X", "user:sap.default/é@x"),
            ("user:SAP.Default/a", "user:sap.default/a"),
            ("user:LDAP/a", "user:sap.default/a"),
            ("user:Corp/a", "user:Corp/a"),
            ("attribute:ldap/Groups=Admins", "group:sap.default/Admins"),
            ("attribute:corp/groups=Admins", "attribute:corp/groups=Admins"),
            ("attribute:corp/Groups=a=b", "group:corp/a=b"),
            ("group:sap.ids/Admins", "group:sap.default/Admins"),
            ("everyone:ldap", "everyone:sap.default"),
            ("attribute:corp/dept=IT", "attribute:corp/dept=IT"),
            ("client:corp/CI!b7", "client:corp/CI!b7"),
            ("user:corp/a/b", "user:corp/a/b"),
        ] {
            let principal = Principal::parse(text).unwrap();
            assert_eq!(principal.as_str(), canonical);
            assert_eq!(Principal::parse(canonical).unwrap(), principal);
        }
    }

    #[test]
    fn a_name_alone_is_a_user_of_the_default_origin_at_the_doors_only() {
        let alice = Principal::parse_short("Alice@acme.example", "corp").unwrap();
        assert_eq!(alice.as_str(), "user:corp/alice@acme.example");
        assert!(Principal::parse("alice@acme.example").is_err());
        assert!(Principal::parse_short("alice", "corp").is_err());
    }

    #[test]
    fn what_names_nobody_is_refused() {
        for text in [
            "",
            "alice",
            "user:",
            "user:x",
            "user:/x",
            "user:x/",
            "robot:x/y",
            "everyone:",
            "everyone:a/b",
            "attribute:x/y",
            "attribute:x/=y",
            "attribute:x/y=",
            "attribute:x/y =z",
            "user:x/ alice",
            "user:x/alice\u{a0}",
            "user:x/*",
            "attribute:x/y=*",
            "user:https://idp.example/alice",
            "user:-x/alice",
            "user:x y/alice",
            "user:é/alice",
            "everyone:x y",
            "user:x/a\u{202e}b",
            "user:x/e\u{301}",
            "group:x/a\nb",
            "a@b:c",
            "a@b/c",
        ] {
            assert!(Principal::parse_short(text, "corp").is_err(), "{text}");
        }
    }

    #[test]
    fn its_origin_is_what_stands_before_the_name() {
        assert_eq!(Principal::parse("user:corp/a@b").unwrap().origin(), "corp");
        assert_eq!(Principal::parse("everyone:corp").unwrap().origin(), "corp");
    }
}
