//! What did the fold make of an entry?
//!
//! An [`Outcome`] depends on nothing but the entries up to it, so every replica that reads the log
//! gives the same. A [`Refusal`] is an answer, not a failure: the refused attempt stays in the log. It is
//! data; `tenure-wire` makes a sentence of it.
//!
//! Rules: `docs/semantics.md#outcomes`, `docs/semantics.md#order-of-reasons`.

use std::sync::Arc;

use crate::words::change::Entry;
use crate::words::instant::RecordedAt;
use crate::words::level::{Attribute, Level};
use crate::words::position::Position;
use crate::words::principal::Principal;
use crate::words::tenure::LedgerOperation;

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
    /// Bytes that cannot be decoded
    Malformed,
}

/// What the log holds at a position, when it learned of it, and from whom
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The time that the log gave it, or the one before it if that was later
    pub recorded_at: RecordedAt,
    /// Who handed it in: the log vouches for it, and the entry cannot claim it
    pub submitter: Principal,
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
    /// A change that its submitter may not make
    Forbidden,
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
    /// A permission that the application does not have
    UnknownPermission,
    /// An end that is not after the start
    EmptyInterval,
    /// A holding or membership that does not run
    NotHeld,
    /// A holding that runs
    AlreadyHeld,
}

impl RefusalCode {
    /// Every code, in the order in which reasons are looked for
    pub const ALL: [Self; 21] = [
        Self::Malformed,
        Self::IdReused,
        Self::BadTime,
        Self::Forbidden,
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
        Self::UnknownPermission,
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
            Self::Forbidden => "forbidden",
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
            Self::UnknownPermission => "unknown_permission",
            Self::EmptyInterval => "empty_interval",
            Self::NotHeld => "not_held",
            Self::AlreadyHeld => "already_held",
        }
    }
}

/// What exactly refuses an entry
///
/// It holds what the entry does not say. The names that a sentence needs are in the change that decided, so
/// a name that is taken out of an entry is in no refusal either. Where several reasons have one code, the
/// first in this list decides.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Reason {
    /// The bytes are no entry
    Malformed,
    /// Another entry owns the id
    IdReused {
        /// The place of that entry
        owner: Position,
    },
    /// `effective_at` or `not_before` of the entry, or `until` or `from` of the change, lies before 1970
    BadTime,
    /// The submitter does not hold what the change asks for
    Forbidden {
        /// What it asks for
        operation: LedgerOperation,
        /// Where it asks for it
        at: Level,
    },
    /// No entry has the id that is to be voided
    UnknownEntry,
    /// The entry that is to be voided was refused
    NotApplied {
        /// The place of that entry
        owner: Position,
    },
    /// The entry that is to be voided does not count any more
    AlreadyVoided {
        /// The place of the void that voids it
        void: Position,
    },
    /// The level does not exist
    UnknownLevel,
    /// The parent does not exist
    UnknownParent,
    /// The level exists
    LevelExists,
    /// The level's kind does not fit in the parent's, or into nothing
    UnfitParent,
    /// The parent is the level itself or lies in it
    ParentWithin,
    /// A role does not exist there
    UnknownRole {
        /// Which of [`Change::roles`](crate::Change::roles), counted from 0
        nth: usize,
    },
    /// Several applications have a role of that name there
    AmbiguousRole {
        /// Which of [`Change::roles`](crate::Change::roles), counted from 0
        nth: usize,
        /// The first of these applications in order, at most [`APPLICATIONS_MAX`]
        applications: Vec<Arc<str>>,
        /// How many more there are
        more: usize,
    },
    /// The role exists there
    RoleExists,
    /// The role collection does not exist there
    UnknownRoleCollection,
    /// The role collection exists there
    RoleCollectionExists,
    /// The catalogue predefines the role or role collection
    Predefined,
    /// Levels of that kind do not have the attribute
    ForeignAttribute {
        /// The attribute
        attribute: Attribute,
    },
    /// `access` takes effect at its position, and the entry says when it holds
    AccessWithTime,
    /// Nobody would be left who administers the ledger
    NoAdministrator,
    /// The ledger's own level is always there
    LedgerStays,
    /// The level does not take custom roles
    NoCustomRoles,
    /// Only an application has permissions
    NoPermissions,
    /// Roles of `tenure` are the ledger's own: there is no custom one
    OwnApplication,
    /// A role of `tenure` is given alone, never through a role collection
    OwnRoleInCollection {
        /// Which of [`Change::roles`](crate::Change::roles), counted from 0
        nth: usize,
    },
    /// The level does not take custom role collections
    NoCustomRoleCollections,
    /// The role is not granted by itself
    NotGrantedAlone,
    /// The directory does not manage authorizations
    NoAuthorizations,
    /// A role of `tenure` is given to users and clients alone
    OwnRoleToSet,
    /// Nothing that counts names the principal
    UnknownPrincipal,
    /// The application does not have the permission
    UnknownPermission,
    /// `until` is not after the start, `from` of an observation not before its end, or `not_before` of the entry after
    /// the moment at which it holds
    EmptyInterval,
    /// The holding or membership does not run
    NotHeld,
    /// The holding runs
    AlreadyHeld,
}

/// Most applications that a [`Reason::AmbiguousRole`] names
pub const APPLICATIONS_MAX: usize = 8;

/// A [`Reason`] as it is stored: its name, its numbers and its texts
pub type ReasonParts = (&'static str, Vec<u64>, Vec<Arc<str>>);

impl Reason {
    /// The stable code
    pub fn code(&self) -> RefusalCode {
        match self {
            Self::Malformed => RefusalCode::Malformed,
            Self::IdReused { .. } => RefusalCode::IdReused,
            Self::BadTime => RefusalCode::BadTime,
            Self::Forbidden { .. } => RefusalCode::Forbidden,
            Self::UnknownEntry | Self::NotApplied { .. } => RefusalCode::UnknownEntry,
            Self::AlreadyVoided { .. } => RefusalCode::AlreadyVoided,
            Self::UnknownLevel | Self::UnknownParent => RefusalCode::UnknownLevel,
            Self::LevelExists => RefusalCode::LevelExists,
            Self::UnfitParent | Self::ParentWithin => RefusalCode::BadParent,
            Self::UnknownRole { .. } => RefusalCode::UnknownRole,
            Self::AmbiguousRole { .. } => RefusalCode::AmbiguousRole,
            Self::RoleExists => RefusalCode::RoleExists,
            Self::UnknownRoleCollection => RefusalCode::UnknownRoleCollection,
            Self::RoleCollectionExists => RefusalCode::RoleCollectionExists,
            Self::Predefined => RefusalCode::Predefined,
            Self::ForeignAttribute { .. }
            | Self::AccessWithTime
            | Self::NoAdministrator
            | Self::LedgerStays
            | Self::NoCustomRoles
            | Self::NoPermissions
            | Self::OwnApplication
            | Self::OwnRoleInCollection { .. }
            | Self::NoCustomRoleCollections
            | Self::NotGrantedAlone
            | Self::NoAuthorizations
            | Self::OwnRoleToSet => RefusalCode::NotAllowedHere,
            Self::UnknownPrincipal => RefusalCode::UnknownPrincipal,
            Self::UnknownPermission => RefusalCode::UnknownPermission,
            Self::EmptyInterval => RefusalCode::EmptyInterval,
            Self::NotHeld => RefusalCode::NotHeld,
            Self::AlreadyHeld => RefusalCode::AlreadyHeld,
        }
    }

    /// The reason in parts, from which [`Reason::from_parts`] makes it again
    pub fn parts(&self) -> ReasonParts {
        let alone = |name| (name, Vec::new(), Vec::new());
        let at = |name, position: &Position| (name, vec![position.get()], Vec::new());
        match self {
            Self::Malformed => alone("malformed"),
            Self::IdReused { owner } => at("id_reused", owner),
            Self::BadTime => alone("bad_time"),
            Self::Forbidden { operation, at } => {
                ("forbidden", Vec::new(), vec![operation.as_str().into(), at.as_str().into()])
            }
            Self::UnknownEntry => alone("unknown_entry"),
            Self::NotApplied { owner } => at("not_applied", owner),
            Self::AlreadyVoided { void } => at("already_voided", void),
            Self::UnknownLevel => alone("unknown_level"),
            Self::UnknownParent => alone("unknown_parent"),
            Self::LevelExists => alone("level_exists"),
            Self::UnfitParent => alone("unfit_parent"),
            Self::ParentWithin => alone("parent_within"),
            Self::UnknownRole { nth } => ("unknown_role", vec![*nth as u64], Vec::new()),
            Self::AmbiguousRole { nth, applications, more } => {
                ("ambiguous_role", vec![*nth as u64, *more as u64], applications.clone())
            }
            Self::RoleExists => alone("role_exists"),
            Self::UnknownRoleCollection => alone("unknown_role_collection"),
            Self::RoleCollectionExists => alone("role_collection_exists"),
            Self::Predefined => alone("predefined"),
            Self::ForeignAttribute { attribute } => {
                ("foreign_attribute", Vec::new(), vec![attribute.as_str().into()])
            }
            Self::AccessWithTime => alone("access_with_time"),
            Self::NoAdministrator => alone("no_administrator"),
            Self::LedgerStays => alone("ledger_stays"),
            Self::NoCustomRoles => alone("no_custom_roles"),
            Self::NoPermissions => alone("no_permissions"),
            Self::OwnApplication => alone("own_application"),
            Self::OwnRoleInCollection { nth } => {
                ("own_role_in_collection", vec![*nth as u64], Vec::new())
            }
            Self::NoCustomRoleCollections => alone("no_custom_role_collections"),
            Self::NotGrantedAlone => alone("not_granted_alone"),
            Self::NoAuthorizations => alone("no_authorizations"),
            Self::OwnRoleToSet => alone("own_role_to_set"),
            Self::UnknownPrincipal => alone("unknown_principal"),
            Self::UnknownPermission => alone("unknown_permission"),
            Self::EmptyInterval => alone("empty_interval"),
            Self::NotHeld => alone("not_held"),
            Self::AlreadyHeld => alone("already_held"),
        }
    }

    /// The reason of these parts; `None` if they are those of none
    pub fn from_parts(name: &str, numbers: &[u64], texts: &[Arc<str>]) -> Option<Self> {
        Some(match (name, numbers, texts) {
            ("malformed", [], []) => Self::Malformed,
            ("id_reused", [owner], []) => Self::IdReused { owner: Position::new(*owner)? },
            ("bad_time", [], []) => Self::BadTime,
            ("forbidden", [], [operation, at]) => Self::Forbidden {
                operation: LedgerOperation::parse(operation)?,
                at: Level::parse(at).ok()?,
            },
            ("unknown_entry", [], []) => Self::UnknownEntry,
            ("not_applied", [owner], []) => Self::NotApplied { owner: Position::new(*owner)? },
            ("already_voided", [void], []) => Self::AlreadyVoided { void: Position::new(*void)? },
            ("unknown_level", [], []) => Self::UnknownLevel,
            ("unknown_parent", [], []) => Self::UnknownParent,
            ("level_exists", [], []) => Self::LevelExists,
            ("unfit_parent", [], []) => Self::UnfitParent,
            ("parent_within", [], []) => Self::ParentWithin,
            ("unknown_role", [nth], []) => Self::UnknownRole { nth: usize::try_from(*nth).ok()? },
            ("ambiguous_role", [nth, more], applications) => Self::AmbiguousRole {
                nth: usize::try_from(*nth).ok()?,
                applications: applications.to_vec(),
                more: usize::try_from(*more).ok()?,
            },
            ("role_exists", [], []) => Self::RoleExists,
            ("unknown_role_collection", [], []) => Self::UnknownRoleCollection,
            ("role_collection_exists", [], []) => Self::RoleCollectionExists,
            ("predefined", [], []) => Self::Predefined,
            ("foreign_attribute", [], [attribute]) => {
                Self::ForeignAttribute { attribute: Attribute::parse(attribute)? }
            }
            ("access_with_time", [], []) => Self::AccessWithTime,
            ("no_administrator", [], []) => Self::NoAdministrator,
            ("ledger_stays", [], []) => Self::LedgerStays,
            ("no_custom_roles", [], []) => Self::NoCustomRoles,
            ("no_permissions", [], []) => Self::NoPermissions,
            ("own_application", [], []) => Self::OwnApplication,
            ("own_role_in_collection", [nth], []) => {
                Self::OwnRoleInCollection { nth: usize::try_from(*nth).ok()? }
            }
            ("no_custom_role_collections", [], []) => Self::NoCustomRoleCollections,
            ("not_granted_alone", [], []) => Self::NotGrantedAlone,
            ("no_authorizations", [], []) => Self::NoAuthorizations,
            ("own_role_to_set", [], []) => Self::OwnRoleToSet,
            ("unknown_principal", [], []) => Self::UnknownPrincipal,
            ("unknown_permission", [], []) => Self::UnknownPermission,
            ("empty_interval", [], []) => Self::EmptyInterval,
            ("not_held", [], []) => Self::NotHeld,
            ("already_held", [], []) => Self::AlreadyHeld,
            _ => return None,
        })
    }
}

/// Why, and which change
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Refusal {
    /// The change that decided, counted from 0; `None` for the entry as a whole
    pub change: Option<usize>,
    /// What exactly is wrong
    pub reason: Reason,
}

impl Refusal {
    /// The stable code
    pub fn code(&self) -> RefusalCode {
        self.reason.code()
    }
}

/// What became of the entry that owns an id
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Original {
    /// Its place
    pub position: Position,
    /// When it was recorded: it took effect then, if it does not say otherwise
    pub recorded_at: RecordedAt,
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
