//! What can be given?
//!
//! A role collection of a level, or a single role. A role is known by its application and its name;
//! its text is the name, or `application/name`.
//!
//! Rules: `docs/semantics.md#role-text`.

use std::fmt;
use std::sync::Arc;

use crate::words::symbol::{Symbol, Symbols};

/// Why a text is no name
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NameError {
    /// It is empty
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// It has a slash, and a slash separates an application from a role
    #[error("`{1}` is not a {0}: a name and an application contain no `/`")]
    Slash(&'static str, String),
}

/// Checks that a name is not empty
///
/// # Errors
/// The name is empty.
pub fn plain_name(what: &'static str, text: &str) -> Result<Arc<str>, NameError> {
    if text.is_empty() { Err(NameError::Empty(what)) } else { Ok(text.into()) }
}

/// Checks that the name of a role or an application is not empty and has no slash
///
/// # Errors
/// The name is empty or has a slash.
pub fn part_name(what: &'static str, text: &str) -> Result<Arc<str>, NameError> {
    if text.contains('/') {
        return Err(NameError::Slash(what, text.chars().take(160).collect()));
    }
    plain_name(what, text)
}

/// A role as a text names it: by its name alone, or by `application/name`
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RoleText {
    /// The application, where the text says it
    pub application: Option<Arc<str>>,
    /// The name
    pub name: Arc<str>,
}

impl RoleText {
    /// Reads `name` or `application/name`
    ///
    /// # Errors
    /// An empty part, or a second slash.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        match text.split_once('/') {
            None => Ok(Self { application: None, name: part_name("role", text)? }),
            Some((application, name)) => Ok(Self {
                application: Some(part_name("application of a role", application)?),
                name: part_name("role", name)?,
            }),
        }
    }
}

impl fmt::Display for RoleText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.application {
            None => f.write_str(&self.name),
            Some(application) => write!(f, "{application}/{}", self.name),
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
    /// `application/name`
    pub(crate) fn text(self, symbols: &Symbols) -> String {
        format!("{}/{}", symbols.text(self.application), symbols.text(self.name))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_a_name_or_an_application_and_a_name() {
        let role = RoleText::parse("auditlog-management/Auditlog_Auditor").unwrap();
        assert_eq!(role.application.as_deref(), Some("auditlog-management"));
        assert_eq!(role.to_string(), "auditlog-management/Auditlog_Auditor");
        assert_eq!(RoleText::parse("Org Manager").unwrap().application, None);
        for text in ["", "/", "a/", "/b", "a/b/c"] {
            assert!(RoleText::parse(text).is_err(), "{text}");
        }
    }
}
