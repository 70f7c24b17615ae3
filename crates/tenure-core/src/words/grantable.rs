//! What can be given?
//!
//! A role collection of a level, or a single role. A role is known by its application and its name;
//! its text is the name, or `application/name`.
//!
//! Rules: `docs/semantics.md#role-text`.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use crate::words::name::{NAME_BYTES_MAX, NameError, plain_name, plain_text, shown};
use crate::words::symbol::{Symbol, Symbols};

/// A role as a text names it: by its name alone, or by `application/name`
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RoleText {
    /// The application, where the text says it
    pub application: Option<Arc<str>>,
    /// The name
    pub name: Arc<str>,
}

impl RoleText {
    /// Reads `name` or `application/name`; `%2F` is a `/` and `%25` a `%` within either part
    ///
    /// # Errors
    /// A second slash, another use of `%`, or a part that is no name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let error = || NameError::RoleText("role", shown(text));
        if text.is_empty() {
            return Err(NameError::Empty("role"));
        }
        // Escaped, each byte of both names takes three at most.
        if text.len() > 6 * NAME_BYTES_MAX + 1 {
            return Err(NameError::Long("role", text.len()));
        }
        plain_text("role", text)?;
        let part = |what, part: &str| {
            if part.is_empty() {
                return Err(error());
            }
            plain_name(what, &unescaped(part).ok_or_else(error)?)
        };
        match text.split_once('/') {
            None => Ok(Self { application: None, name: part("role", text)? }),
            Some((_, name)) if name.contains('/') => Err(error()),
            Some((application, name)) => Ok(Self {
                application: Some(part("application of a role", application)?),
                name: part("role", name)?,
            }),
        }
    }
}

/// A part of a role's text without its escapes, or `None` if a `%` is no escape
fn unescaped(part: &str) -> Option<String> {
    let mut name = String::with_capacity(part.len());
    let mut rest = part;
    while let Some((before, after)) = rest.split_once('%') {
        name.push_str(before);
        let (escaped, after) = after.split_at_checked(2)?;
        name.push(match escaped {
            "2F" => '/',
            "25" => '%',
            _ => return None,
        });
        rest = after;
    }
    name.push_str(rest);
    Some(name)
}

/// A name as a part of a role's text
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '/' => f.write_str("%2F")?,
                '%' => f.write_str("%25")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Checks the name of a role or of an application
///
/// # Errors
/// A text that is no name, or a name that no text of a role can say: with its escapes it is in another normal form.
pub fn role_part(what: &'static str, name: &str) -> Result<Arc<str>, NameError> {
    plain_text(what, &Escaped(name).to_string())?;
    plain_name(what, name)
}

/// The text of a role of an application
pub fn role_text(application: &str, name: &str) -> String {
    format!("{}/{}", Escaped(application), Escaped(name))
}

impl fmt::Display for RoleText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.application {
            None => Escaped(&self.name).fmt(f),
            Some(application) => write!(f, "{}/{}", Escaped(application), Escaped(&self.name)),
        }
    }
}

/// What a change gives or takes, as it names it
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum GrantableText {
    /// A role collection of the level
    RoleCollection(Arc<str>),
    /// A single role
    Role(RoleText),
}

impl fmt::Display for GrantableText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RoleCollection(name) => write!(f, "role collection `{name}`"),
            Self::Role(role) => write!(f, "role `{role}`"),
        }
    }
}

/// A role: its application and its name
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct RoleKey {
    /// The application that provides it
    pub(crate) application: Symbol,
    /// Its name
    pub(crate) name: Symbol,
}

impl RoleKey {
    /// Whether it is the role of that application and name
    ///
    /// A name alone means the role of that name of any application, but never one of the ledger's own.
    pub(crate) fn is_meant_by(self, application: Option<Symbol>, name: Symbol) -> bool {
        self.name == name
            && application.map_or(!self.is_own(), |application| application == self.application)
    }

    /// `application/name`
    pub(crate) fn text(self, symbols: &Symbols) -> String {
        role_text(symbols.text(self.application), symbols.text(self.name))
    }
}

/// What a holding is of
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Grantable {
    /// A role collection of the holding's level
    RoleCollection(Symbol),
    /// A single role
    Role(RoleKey),
}

impl Grantable {
    /// Whether it is a role of the application `tenure`
    pub(crate) fn is_own(self) -> bool {
        matches!(self, Self::Role(role) if role.is_own())
    }
}

/// The roles among `roles` that a text may mean
pub(crate) fn matching<'a>(
    text: &'a RoleText,
    symbols: &'a Symbols,
    roles: impl Iterator<Item = RoleKey> + 'a,
) -> impl Iterator<Item = RoleKey> + 'a {
    let name = symbols.get(&text.name);
    let application = text.application.as_ref().map(|application| symbols.get(application));
    roles.filter(move |role| match (name, application) {
        (Some(name), None) => role.is_meant_by(None, name),
        (Some(name), Some(Some(application))) => role.is_meant_by(Some(application), name),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_a_name_or_an_application_and_a_name() {
        let role = RoleText::parse("auditlog-management/Auditlog_Auditor").unwrap();
        assert_eq!(role.application.as_deref(), Some("auditlog-management"));
        assert_eq!(role.to_string(), "auditlog-management/Auditlog_Auditor");
        assert_eq!(RoleText::parse("Org Manager").unwrap().application, None);
        for text in ["", "/", "a/", "/b", "a/b/c", "50%", "a%2f", "%", "%2", "%é", "a\nb", "%00"] {
            assert!(RoleText::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_slash_and_a_percent_sign_within_a_name_are_escaped() {
        for (text, application, name) in [
            ("app/A%2FB", Some("app"), "A/B"),
            ("50 %25", None, "50 %"),
            ("%2F%2F/%25%2F", Some("//"), "%/"),
            ("a%252Fb", None, "a%2Fb"),
        ] {
            let role = RoleText::parse(text).unwrap();
            assert_eq!((role.application.as_deref(), &*role.name), (application, name));
            assert_eq!(role.to_string(), text);
        }
        assert!(role_part("role", "A/B 50%").is_ok());
        // `F` with a dot above is one letter: `%2F` and a dot are not in normal form C.
        assert!(role_part("role", "/\u{307}x").is_err());
        let longest = "/".repeat(NAME_BYTES_MAX);
        let text = role_text(&longest, &longest);
        assert_eq!(&*RoleText::parse(&text).unwrap().name, longest);
    }
}
