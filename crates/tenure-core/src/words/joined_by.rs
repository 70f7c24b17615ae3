//! By what is a user a member of a set?

use crate::words::position::Position;

/// What makes a user a member
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum JoinedBy {
    /// The entry that added it
    Entry(Position),
    /// The entry that set the rule of the group
    Rule(Position),
}

impl JoinedBy {
    /// The position of that entry
    pub fn position(self) -> Position {
        match self {
            Self::Entry(position) | Self::Rule(position) => position,
        }
    }
}
