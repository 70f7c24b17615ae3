//! How does a stretch end in which a holding counts under one set of terms?
//!
//! Rules: `docs/semantics.md#how-it-ended`.

use crate::words::position::Position;

/// How it ended; of several at one moment, the first of this list
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum How {
    /// Its granted end came
    Expired,
    /// A change revoked it
    Revoked,
    /// A change removed its principal
    PrincipalRemoved,
    /// A change deleted its custom role or role collection
    DefinitionDeleted,
    /// A change deleted its level or an ancestor of that
    LevelDeleted,
    /// Another grant set other terms
    Regranted,
    /// Whoever is asked about is no longer a member of the set that holds it
    Left,
    /// It runs on and does not count
    Suspended,
}

impl How {
    /// The word that answers use
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::PrincipalRemoved => "principal_removed",
            Self::DefinitionDeleted => "definition_deleted",
            Self::LevelDeleted => "level_deleted",
            Self::Regranted => "regranted",
            Self::Left => "left",
            Self::Suspended => "suspended",
        }
    }
}

/// How a stretch ended, and the entry that ended it
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ended {
    /// How
    pub how: How,
    /// The position of the entry whose change did it; `None` where it expired, or where several did
    pub entry: Option<Position>,
}
