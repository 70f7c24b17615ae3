//! What is asked about?
//!
//! X, the thing one could do: an operation of the catalogue, holding exactly a role, a scope or a
//! role collection, or a permission or a path of an application.
//!
//! Rules: `docs/semantics.md#ability`.

use std::fmt;
use std::sync::Arc;

use crate::words::grantable::RoleText;
use crate::words::name::{NameError, plain_name, plain_text, shown};
use crate::words::tenure::LedgerOperation;

/// X in "could X"
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Ability {
    /// `operation:<id>`, or the id alone
    Operation(Arc<str>),
    /// `role:<name>` or `role:<application>/<name>`
    Role(RoleText),
    /// `scope:<name>`
    Scope(Arc<str>),
    /// `role-collection:<name>`
    RoleCollection(Arc<str>),
    /// `permission:<name>`
    Permission(Arc<str>),
    /// `path:</a/path>`
    Path(Arc<str>),
}

impl Ability {
    /// Reads `operation:<id>` (or the id alone), `role:<name>`, `scope:<name>`, `role-collection:<name>`,
    /// `permission:<name>` or `path:</a/path>`
    ///
    /// # Errors
    /// An empty name, a role's text with more than one slash, or a path that does not begin with `/`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        match text.split_once(':') {
            Some(("operation", id)) => Ok(Self::Operation(plain_name("operation", id)?)),
            Some(("role", role)) => Ok(Self::Role(RoleText::parse(role)?)),
            Some(("scope", scope)) => Ok(Self::Scope(plain_name("scope", scope)?)),
            Some(("role-collection", name)) => {
                Ok(Self::RoleCollection(plain_name("role collection", name)?))
            }
            Some(("permission", name)) => Ok(Self::Permission(plain_name("permission", name)?)),
            Some(("path", path)) => {
                plain_text("path", path)?;
                let path = path.starts_with('/').then(|| path.into());
                Ok(Self::Path(path.ok_or_else(|| NameError::Path(shown(text)))?))
            }
            _ => Ok(Self::Operation(plain_name("operation", text)?)),
        }
    }
}

impl Ability {
    /// Whether the ledger itself decides on it everywhere
    pub(crate) fn is_own(&self) -> bool {
        match self {
            Self::Operation(id) => LedgerOperation::parse(id).is_some(),
            Self::Role(role) => role.is_own(),
            Self::Scope(_) | Self::RoleCollection(_) | Self::Permission(_) | Self::Path(_) => false,
        }
    }
}

impl fmt::Display for Ability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Its id alone could be read as something else.
            Self::Operation(id) if id.contains(':') => write!(f, "operation:{id}"),
            Self::Operation(id) => f.write_str(id),
            Self::Role(role) => write!(f, "role:{role}"),
            Self::Scope(scope) => write!(f, "scope:{scope}"),
            Self::RoleCollection(name) => write!(f, "role-collection:{name}"),
            Self::Permission(name) => write!(f, "permission:{name}"),
            Self::Path(path) => write!(f, "path:{path}"),
        }
    }
}

/// Most abilities that one question has
pub const ABILITIES_MAX: usize = 32;

/// What is asked about: one could if one could any of these
// INVARIANT (abilities): there are 1 to ABILITIES_MAX.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Abilities(Vec<Ability>);

impl Abilities {
    /// Any of these; `None` if there is none, or more than [`ABILITIES_MAX`]
    pub fn any_of(abilities: Vec<Ability>) -> Option<Self> {
        (1..=ABILITIES_MAX).contains(&abilities.len()).then_some(Self(abilities))
    }

    /// The only one; `None` if there are several
    pub fn alone(&self) -> Option<&Ability> {
        match self.0.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }

    /// Each of them, in the order in which they were said
    pub fn iter(&self) -> std::slice::Iter<'_, Ability> {
        self.0.iter()
    }
}

impl From<Ability> for Abilities {
    fn from(ability: Ability) -> Self {
        Self(vec![ability])
    }
}
