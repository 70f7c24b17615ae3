//! Who receives?
//!
//! A [`Principal`] is a user, a client, or a set of users that an identity provider keeps. Two rules
//! make every principal's text canonical: user names are lower-cased (ASCII), and the origins `ldap`
//! and `sap.ids` are read as `sap.default`. Short forms belong to the doors
//! ([`Principal::parse_short`]) and never reach the log.
//!
//! Rules: `docs/semantics.md#principal`.

use std::fmt;
use std::sync::Arc;

/// The origin of SAP's default identity provider
pub const DEFAULT_ORIGIN: &str = "sap.default";
/// Other names of the default origin, which the log reads as it
pub const DEFAULT_ORIGIN_ALIASES: [&str; 2] = ["ldap", "sap.ids"];

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
#[error("`{text}` is not a principal: {problem}")]
pub struct ParsePrincipalError {
    text: String,
    problem: &'static str,
}

impl Principal {
    /// Reads a full name, as the log holds it
    ///
    /// # Errors
    /// An unknown kind, or a missing origin, name or value.
    pub fn parse(text: &str) -> Result<Self, ParsePrincipalError> {
        const FORM: &str = "write `user:<origin>/<name>`, `client:<origin>/<id>`, \
             `group:<origin>/<name>`, `attribute:<origin>/<attribute>=<value>` or `everyone:<origin>`";
        let error = |problem| ParsePrincipalError { text: shown(text), problem };
        let (kind, rest) = text.split_once(':').ok_or_else(|| error(FORM))?;
        let kind = PrincipalKind::ALL
            .into_iter()
            .find(|known| known.as_str() == kind)
            .ok_or_else(|| error(FORM))?;
        if kind == PrincipalKind::Everyone {
            if rest.is_empty() || rest.contains('/') {
                return Err(error("`everyone:` is followed by an origin alone"));
            }
            return Ok(Self::canonical(kind, rest, None));
        }
        let (origin, name) =
            rest.split_once('/').ok_or_else(|| error("its origin and `/` are missing"))?;
        if origin.is_empty() {
            return Err(error("its origin is empty"));
        }
        if name.is_empty() {
            return Err(error("its name is empty"));
        }
        if kind == PrincipalKind::Attribute
            && name.split_once('=').is_none_or(|(attribute, _)| attribute.is_empty())
        {
            return Err(error("an attribute is written `<attribute>=<value>`"));
        }
        Ok(Self::canonical(kind, origin, Some(name)))
    }

    /// Reads a full name, or a user name alone, which is taken to be of `default_origin`
    ///
    /// # Errors
    /// As [`Principal::parse`]; a name alone has an `@` and neither `:` nor `/`.
    pub fn parse_short(text: &str, default_origin: &str) -> Result<Self, ParsePrincipalError> {
        if text.contains('@') && !text.contains([':', '/']) {
            return Ok(Self::canonical(PrincipalKind::User, default_origin, Some(text)));
        }
        Self::parse(text)
    }

    /// The set of everybody of an origin
    pub fn everyone(origin: &str) -> Self {
        Self::canonical(PrincipalKind::Everyone, origin, None)
    }

    fn canonical(kind: PrincipalKind, origin: &str, name: Option<&str>) -> Self {
        let origin = if DEFAULT_ORIGIN_ALIASES.contains(&origin) { DEFAULT_ORIGIN } else { origin };
        let text = match (kind, name) {
            (_, None) => format!("{}:{origin}", kind.as_str()),
            (PrincipalKind::User, Some(name)) => {
                format!("user:{origin}/{}", name.to_ascii_lowercase())
            }
            (_, Some(name)) => format!("{}:{origin}/{name}", kind.as_str()),
        };
        Self { text: text.into(), kind }
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

    /// Its canonical text
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn shown(text: &str) -> String {
    text.chars().take(160).collect()
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
            ("user:sap.ids/É@X", "user:sap.default/É@x"),
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
