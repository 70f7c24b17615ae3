//! Where does an entry stand in the log, and how much of the log was known?
//!
//! Rules: `docs/semantics.md#position`.

use std::fmt;
use std::num::NonZeroU64;

/// An entry's place in the log: 1, 2, 3, … without gaps
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Position(NonZeroU64);

impl Position {
    /// The place of the first entry
    pub const FIRST: Self = Self(NonZeroU64::MIN);
    /// A place after every entry there will ever be
    pub(crate) const LAST: Self = Self(NonZeroU64::MAX);

    /// The place with that number; there is none with the number 0
    pub fn new(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    /// Its number
    pub fn get(self) -> u64 {
        self.0.get()
    }

    /// The place after it
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How much was known: the first so many positions; with 0 nothing was known yet
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KnownAt(pub u64);

impl KnownAt {
    /// Whether that position was known
    pub fn reaches(self, position: Position) -> bool {
        position.get() <= self.0
    }
}

impl From<Position> for KnownAt {
    fn from(position: Position) -> Self {
        Self(position.get())
    }
}
