//! What did the fold make of an entry?
//!
//! An [`Outcome`] depends on nothing but the entries up to it, so every replica that reads the log
//! gives the same. A [`Refusal`] is an answer, not a failure: the refused attempt stays in the log.
//!
//! Rules: `docs/semantics.md#outcomes`, `docs/semantics.md#order-of-reasons`.

use crate::words::change::Entry;
use crate::words::instant::RecordedAt;
use crate::words::position::Position;

/// A digest of an entry's canonical encoding without its id: equal contents have equal ones
///
/// SHA-256, so two contents with one digest are not to be found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// That of no content
    pub const NONE: Self = Self([0; 32]);
}

/// What one place of the log holds
#[derive(Clone, Debug)]
pub enum Submission {
    /// An entry, with the fingerprint of its content
    Entry(Entry, Fingerprint),
    /// Bytes that cannot be decoded, and why
    Malformed {
        /// A sentence
        message: String,
    },
}

/// What the log holds at a position, and when it learned of it
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The time that the log gave it, or the one before it if that was later
    pub recorded_at: RecordedAt,
    /// What was submitted
    pub submission: Submission,
}

/// Why the fold refuses an entry
///
/// The order is that in which reasons are looked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RefusalCode {
    /// It cannot be decoded, or is wrong in itself
    Malformed,
    /// Its id came before with other content
    IdReused,
    /// An instant before 1970
    BadTime,
    /// A void of an entry that is unknown or was not applied
    UnknownEntry,
    /// A void of an entry that is voided
    AlreadyVoided,
    /// A level that does not exist at that time
    UnknownLevel,
    /// A level that exists
    LevelExists,
    /// A parent that does not fit
    BadParent,
    /// A role that does not exist there at that time
    UnknownRole,
    /// A role's name that several applications use there
    AmbiguousRole,
    /// A role that exists there
    RoleExists,
    /// A role collection that does not exist there at that time
    UnknownRoleCollection,
    /// A role collection that exists there
    RoleCollectionExists,
    /// A change of what the catalogue predefines
    Predefined,
    /// Something that a level of this kind does not take
    NotAllowedHere,
    /// A principal that nothing named
    UnknownPrincipal,
    /// An end that is not after the start
    EmptyInterval,
    /// A holding or membership that does not run
    NotHeld,
    /// A holding that runs
    AlreadyHeld,
}

impl RefusalCode {
    /// Every code, in the order in which reasons are looked for
    pub const ALL: [Self; 19] = [
        Self::Malformed,
        Self::IdReused,
        Self::BadTime,
        Self::UnknownEntry,
        Self::AlreadyVoided,
        Self::UnknownLevel,
        Self::LevelExists,
        Self::BadParent,
        Self::UnknownRole,
        Self::AmbiguousRole,
        Self::RoleExists,
        Self::UnknownRoleCollection,
        Self::RoleCollectionExists,
        Self::Predefined,
        Self::NotAllowedHere,
        Self::UnknownPrincipal,
        Self::EmptyInterval,
        Self::NotHeld,
        Self::AlreadyHeld,
    ];

    /// The stable code
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::IdReused => "id_reused",
            Self::BadTime => "bad_time",
            Self::UnknownEntry => "unknown_entry",
            Self::AlreadyVoided => "already_voided",
            Self::UnknownLevel => "unknown_level",
            Self::LevelExists => "level_exists",
            Self::BadParent => "bad_parent",
            Self::UnknownRole => "unknown_role",
            Self::AmbiguousRole => "ambiguous_role",
            Self::RoleExists => "role_exists",
            Self::UnknownRoleCollection => "unknown_role_collection",
            Self::RoleCollectionExists => "role_collection_exists",
            Self::Predefined => "predefined",
            Self::NotAllowedHere => "not_allowed_here",
            Self::UnknownPrincipal => "unknown_principal",
            Self::EmptyInterval => "empty_interval",
            Self::NotHeld => "not_held",
            Self::AlreadyHeld => "already_held",
        }
    }

    /// The code with that text
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }
}

/// Why, and which change
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The code
    pub code: RefusalCode,
    /// The change that decided, counted from 0; `None` for the entry as a whole
    pub change: Option<usize>,
    /// A sentence that says what was wrong and what would be right
    pub message: String,
}

/// What became of the entry that owns an id
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Original {
    /// Its place
    pub position: Position,
    /// Why it was refused; `None` if it was applied
    pub refusal: Option<Refusal>,
}

/// What the fold made of an entry
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// All its changes are facts from here on
    Applied,
    /// None of its changes are
    Refused(Refusal),
    /// An entry with this id and content came before; nothing happens twice
    Duplicate(Original),
}

/// Which of the three outcomes
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OutcomeKind {
    /// [`Outcome::Applied`]
    Applied,
    /// [`Outcome::Refused`]
    Refused,
    /// [`Outcome::Duplicate`]
    Duplicate,
}

impl OutcomeKind {
    /// Every kind
    pub const ALL: [Self; 3] = [Self::Applied, Self::Refused, Self::Duplicate];

    /// Its name in texts
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Refused => "refused",
            Self::Duplicate => "duplicate",
        }
    }

    /// The kind of that name
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl Outcome {
    /// Which of the three it is
    pub fn kind(&self) -> OutcomeKind {
        match self {
            Self::Applied => OutcomeKind::Applied,
            Self::Refused(_) => OutcomeKind::Refused,
            Self::Duplicate(_) => OutcomeKind::Duplicate,
        }
    }
}
