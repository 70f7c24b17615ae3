//! Which kinds of names can a search find?

use crate::words::level::LevelKind;
use crate::words::principal::PrincipalKind;

/// What a search finds
///
/// The order is that of names that fit equally well.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FoundKind {
    /// A level that exists
    Level(LevelKind),
    /// A principal that is known
    Principal(PrincipalKind),
    /// A role collection that exists at some level
    RoleCollection,
    /// A role that exists at some level
    Role,
    /// An operation that some level has
    Operation,
    /// A permission that some application has
    Permission,
}

impl FoundKind {
    /// Its name in texts
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Level(kind) => kind.as_str(),
            Self::Principal(kind) => kind.as_str(),
            Self::RoleCollection => "role-collection",
            Self::Role => "role",
            Self::Operation => "operation",
            Self::Permission => "permission",
        }
    }

    /// The kind of that name
    pub fn parse(text: &str) -> Option<Self> {
        let others = [Self::RoleCollection, Self::Role, Self::Operation, Self::Permission];
        let level = LevelKind::parse(text).map(Self::Level);
        let principal = PrincipalKind::parse(text).map(Self::Principal);
        level.or(principal).or_else(|| others.into_iter().find(|kind| kind.as_str() == text))
    }

    /// Whether catalogues and entries define it
    pub(super) fn is_defined(self) -> bool {
        matches!(self, Self::RoleCollection | Self::Role | Self::Operation | Self::Permission)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_named_as_elsewhere() {
        for name in ["subaccount", "cf-org", "user", "everyone", "role-collection", "role"] {
            assert_eq!(FoundKind::parse(name).map(FoundKind::as_str), Some(name));
        }
        assert_eq!(FoundKind::parse("scope"), None);
    }
}
