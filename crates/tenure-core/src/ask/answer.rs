//! What does an answer consist of?

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ask::found_kind::FoundKind;
use crate::ask::reading::Reading;
use crate::words::change::EntryId;
use crate::words::ended::Ended;
use crate::words::instant::{EffectiveAt, RecordedAt};
use crate::words::joined_by::JoinedBy;
use crate::words::level::{Attributes, Environment, FeatureSet, Level, LevelKind};
use crate::words::position::{KnownAt, Position};
use crate::words::principal::Principal;
use crate::words::requirement::{LeafRow, Requirement};
use crate::words::span::Span;

/// The coordinates that an answer was computed at
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ComputedAt {
    /// The moment of valid time; `None` over a stretch of time
    pub at: Option<EffectiveAt>,
    /// What was known
    pub known_at: KnownAt,
    /// When the newest known entry was recorded; `None` if nothing was known
    pub recorded_at: Option<RecordedAt>,
    /// The version of the catalogue in force then; `None` over a stretch of time, and where there is none
    pub catalog: Option<Arc<str>>,
    /// In which sense it was asked
    pub reading: Reading,
}

/// An answer with its coordinates
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answered {
    /// The answer
    pub answer: Answer,
    /// The coordinates that it was computed at; the first ones of [`Answer::Diff`] and [`Answer::PowerDiff`]
    pub as_of: ComputedAt,
    /// Whether the one principal asked about is known, if it is about one
    pub known: Option<NameKnown>,
    /// When the one level that was asked about, or the subtree, was observed, where there are observations of it
    pub observed: Option<Observed>,
    /// The levels that were passed over because something else decides there, in byte order
    pub elsewhere: Vec<Elsewhere>,
}

/// When somebody looked at who holds what on a level, as known then
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Observed {
    /// Around the moment that was asked about
    At {
        /// The first moment that is covered
        first: EffectiveAt,
        /// The last moment at or before the one asked about that is covered
        before: Option<EffectiveAt>,
        /// The first moment at or after the one asked about that is covered
        after: Option<EffectiveAt>,
    },
    /// Within the stretch of time that was asked about
    Over {
        /// The first moment that is covered
        first: EffectiveAt,
        /// The stretches that are not covered, in order, at most [`GAPS_MAX`]
        gaps: Vec<Span>,
        /// How many there are
        gap_count: usize,
    },
    /// In the subtree that was asked about
    Under {
        /// How many of its levels have observations, and none at the moment asked about
        not_observed: usize,
        /// The first [`NOT_OBSERVED_MAX`] of them, in byte order
        levels: Vec<Level>,
    },
}

/// Most stretches without an observation that an answer names
pub const GAPS_MAX: usize = 100;
/// Most levels without an observation that an answer names
pub const NOT_OBSERVED_MAX: usize = 10;

/// Most gaps that a row of [`Answer::Sources`] names
pub const SOURCE_GAPS_MAX: usize = 10;

/// Whether a principal is known: whether a counted entry names it in a change, as known then
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NameKnown {
    /// Whether it is
    pub named: bool,
    /// Known principals of that kind and name in other origins, in byte order, at most 20
    pub elsewhere: Vec<Principal>,
    /// For one that is not known: at most five known ones of that kind whose names differ by one or two letters, the
    /// nearest first
    pub similar: Vec<Principal>,
}

/// What helps whoever asked something that has no answer
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hint {
    /// At most five known names that differ by one or two letters, the nearest first
    pub similar: Vec<String>,
    /// Since when a level is gone, if it was there before
    pub gone: Option<Gone>,
}

/// The end of a level
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gone {
    /// When it was deleted
    pub since: EffectiveAt,
    /// The position of the entry that deleted it or an ancestor
    pub by: Position,
}

/// The answer to the [`Question`](crate::Question) of the same name
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Each with the holdings that make it true, if they were asked for
    Who(Who<Vec<Holding>>),
    /// Each with its levels
    WhoAnywhere(Who<Anywhere>),
    /// Each with its intervals
    WhoDuring(Who<Vec<Interval>>),
    /// Each with its levels, each of them with its intervals
    WhoDuringAnywhere(Who<Vec<LevelDuring>>),
    /// Names
    What(What),
    /// Yes or no, and why
    Check(Check),
    /// Maximal intervals, in order
    Timeline(Vec<Interval>),
    /// In byte order
    Where(Vec<Level>),
    /// In order of principal, level and what is held
    Assignments(Vec<Holding>),
    /// In order of principal, level, what is held and time
    Holdings(Vec<HoldingThen>),
    /// In byte order
    Members(Vec<Member>),
    /// In byte order
    Principals(Vec<PrincipalThen>),
    /// The best first
    Search(Search),
    /// What differs, and the second coordinates
    Diff {
        /// What differs
        diff: Diff,
        /// The second coordinates
        until: ComputedAt,
    },
    /// Who gained or lost the power, and the second coordinates
    PowerDiff {
        /// Who
        diff: PowerDiff,
        /// The second coordinates
        until: ComputedAt,
    },
    /// In byte order of the source, then of the level
    Sources(Vec<SourceThen>),
    /// In byte order
    Levels(Vec<LevelThen>),
    /// In byte order
    RoleCollections(Vec<RoleCollectionThen>),
    /// The position of the entry that published it; `None` if no catalogue is in force
    Catalog(Option<Position>),
    /// In log order
    History {
        /// Of the entries
        positions: Vec<Position>,
        /// Whether the limit left some out
        more: bool,
    },
    /// Its position
    Entry(Position),
}

/// What is held, by its names
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum GrantedName {
    /// A role collection of the level
    RoleCollection(Arc<str>),
    /// A role, as `application/name`
    Role(Arc<str>),
}

/// A holding as evidence
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Holding {
    /// The principal asked about
    pub principal: Principal,
    /// Where
    pub level: Level,
    /// What
    pub granted: GrantedName,
    /// The set through which it holds, if it is not its own
    pub via: Option<Principal>,
    /// The first start; through a set, the later of that and the start of the membership
    pub since: EffectiveAt,
    /// The granted end as of the time asked about
    pub until: Option<EffectiveAt>,
    /// The earliest moment at which the entry that answers for the terms can have happened, where it says one
    pub not_before: Option<EffectiveAt>,
    /// The position of the entry that answers for the terms
    pub entry: Position,
    /// The id of that entry
    pub id: EntryId,
    /// The membership through which it is held; `None` where it is not, and of `everyone:`
    pub membership: Option<HeldMembership>,
    /// When and how it ends, if that was asked for and it does
    pub ends: Option<End>,
}

/// When and how a holding ceases to count under its terms
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct End {
    /// When
    pub at: EffectiveAt,
    /// How
    pub ended: Ended,
}

/// A membership as evidence
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct HeldMembership {
    /// Since when, without a break
    pub since: EffectiveAt,
    /// What made it a member
    pub by: JoinedBy,
    /// By a rule: the positions of the entries that added the user to the sets behind it, in order, if they were asked for
    pub entries: Vec<Position>,
}

/// A longest stretch in which a holding counts under the terms of one entry
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct HoldingThen {
    /// The holding, as at the start of the stretch
    pub holding: Holding,
    /// When, within the stretch that was asked about
    pub span: Span,
    /// How it ended; `None` if it goes on at the end of what was asked about
    pub ended: Option<Ended>,
}

/// A stretch of time in which something was true, with the holdings behind it
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interval {
    /// When; it is open only where no end was asked
    pub span: Span,
    /// Every set of terms behind it
    pub because: Vec<Holding>,
}

/// A level with the stretches of time in which something was true there
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LevelDuring {
    /// The level
    pub level: Level,
    /// Maximal, in order
    pub intervals: Vec<Interval>,
}

/// A subject of an answer, with whatever was asked of it
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subject<T> {
    /// Who
    pub principal: Principal,
    /// In the reading *latent*, whether it also has the power assigned
    pub assigned: Option<bool>,
    /// What was asked of it
    pub detail: T,
}

/// Who could: known users and clients, and sets by their own holdings alone
///
/// Both in byte order of the principal's text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Who<T> {
    /// Users and clients
    pub subjects: Vec<Subject<T>>,
    /// Groups, attributes and everybody of an origin
    pub sets: Vec<Subject<T>>,
}

impl<T> Who<T> {
    /// Adds sets, each in its place
    pub(crate) fn add_sets(&mut self, sets: Vec<Principal>, detail: impl Fn(&Principal) -> T) {
        if sets.is_empty() {
            return;
        }
        self.sets.extend(sets.into_iter().map(|principal| {
            let detail = detail(&principal);
            Subject { principal, assigned: None, detail }
        }));
        self.sets.sort_by(|a, b| a.principal.cmp(&b.principal));
    }

    /// The same with something else of each
    pub(crate) fn map<U>(self, mut detail: impl FnMut(T) -> U) -> Who<U> {
        let mut each = |subject: Subject<T>| {
            let Subject { principal, assigned, detail: old } = subject;
            Subject { principal, assigned, detail: detail(old) }
        };
        let subjects = self.subjects.into_iter().map(&mut each).collect();
        Who { subjects, sets: self.sets.into_iter().map(each).collect() }
    }

    /// What is told of a principal, if it is among them
    pub(crate) fn of(&self, principal: &Principal) -> Option<&T> {
        let list = if principal.kind().is_set() { &self.sets } else { &self.subjects };
        let place = list.binary_search_by(|subject| subject.principal.cmp(principal)).ok()?;
        list.get(place).map(|subject| &subject.detail)
    }
}

impl Who<Anywhere> {
    /// Each principal with the levels on which it is among those who could; the levels come in byte order
    pub(crate) fn on_levels<'a, T: 'a>(
        levels: impl Iterator<Item = (&'a Level, &'a Who<T>)>,
    ) -> Self {
        let mut of: BTreeMap<&Principal, Anywhere> = BTreeMap::new();
        for (level, who) in levels {
            for subject in who.subjects.iter().chain(&who.sets) {
                of.entry(&subject.principal).or_default().levels.push(level.clone());
            }
        }
        let mut who = Self { subjects: Vec::new(), sets: Vec::new() };
        for (principal, detail) in of {
            let list = if principal.kind().is_set() { &mut who.sets } else { &mut who.subjects };
            list.push(Subject { principal: principal.clone(), assigned: None, detail });
        }
        who
    }
}

/// Where a subject could, and why
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Anywhere {
    /// In byte order
    pub levels: Vec<Level>,
    /// The holdings behind it, at all of them
    pub because: Vec<Holding>,
}

/// What a principal could do on a level
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct What {
    /// Names
    pub role_collections: Vec<Arc<str>>,
    /// `application/name`
    pub roles: Vec<String>,
    /// Real names
    pub scopes: Vec<Arc<str>>,
    /// Ids
    pub operations: Vec<Arc<str>>,
    /// Names, of an application
    pub permissions: Vec<Arc<str>>,
}

/// Whether a principal could, and why
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Check {
    /// Whether
    pub allowed: bool,
    /// For yes: every holding of a satisfied leaf in a true branch
    pub because: Vec<Holding>,
    /// For no: the unsatisfied parts of the requirement
    pub missing: Option<Requirement<LeafRow>>,
    /// In the reading *latent*: how the principal could have given itself the power, in order
    pub steps: Vec<Step>,
    /// In the reading *session*: the last moment at which it was true
    pub last_at: Option<EffectiveAt>,
}

/// A step by which a principal gives itself something
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// The operation that it does
    pub operation: Arc<str>,
    /// Where
    pub level: Level,
    /// What that gives
    pub gives: GrantedName,
    /// Where it gives it
    pub at: Level,
}

/// A level on whose roles something decides that the ledger does not see
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Elsewhere {
    /// The level
    pub level: Level,
    /// When, within the stretch that was asked about; `None` at one moment
    pub span: Option<Span>,
}

/// What changed between two coordinates
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Diff {
    /// Counting at the second alone
    pub gained: Vec<Holding>,
    /// Counting at the first alone
    pub lost: Vec<Holding>,
    /// Counting at both, with another `since`, `until` or `entry`
    pub changed: Vec<(Holding, Holding)>,
    /// What changed of levels and definitions; `None` where the question is about one principal
    pub landscape: Option<LandscapeDiff>,
}

/// What changed of levels and definitions between two coordinates
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LandscapeDiff {
    /// Existing at the second alone, in byte order
    pub created: Vec<Level>,
    /// Existing at the first alone, in byte order
    pub deleted: Vec<Level>,
    /// Existing at both, with another parent, in byte order
    pub moved: Vec<LevelMoved>,
    /// Existing at both, with other attributes or another feature set or environment in force, in byte order
    pub changed: Vec<LevelChanged>,
    /// The role collections whose existing roles differ: those of single levels first, in byte order
    pub definitions: Vec<DefinitionChanged>,
}

/// A level that lies in another one than before
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LevelMoved {
    /// The level
    pub level: Level,
    /// Its parent at the first coordinate
    pub from: Level,
    /// Its parent at the second coordinate
    pub until: Level,
}

/// A level with other attributes than before
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LevelChanged {
    /// The level
    pub level: Level,
    /// Its explicit attributes, before and after
    pub attributes: (Attributes, Attributes),
    /// The feature set in force there, before and after
    pub feature_set: (FeatureSet, FeatureSet),
    /// The environment in force there, before and after
    pub environment: (Environment, Environment),
}

/// Where a role collection has other roles than before
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DefinedAt {
    /// At one level, for whatever reason
    Level(Level),
    /// At every level of a kind under a feature set and in an environment, by the catalogue alone
    Catalog {
        /// The kind
        kind: LevelKind,
        /// The feature set in force there, before and after
        feature_set: FeatureSet,
        /// The environment in force there, before and after
        environment: Environment,
        /// How many levels that were looked at it changes
        levels: usize,
    },
}

/// A role collection whose existing roles differ
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DefinitionChanged {
    /// Where
    pub at: DefinedAt,
    /// Its name
    pub role_collection: Arc<str>,
    /// Its roles that exist at the second coordinate alone, as `application/name`
    pub gained: Vec<String>,
    /// Its roles that exist at the first coordinate alone, as `application/name`
    pub lost: Vec<String>,
}

/// Who gained or lost a power between two coordinates
///
/// Users, clients and sets, each with the levels, all in byte order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PowerDiff {
    /// Who could at the second coordinate alone
    pub gained: Vec<Subject<Vec<Level>>>,
    /// Who could at the first coordinate alone
    pub lost: Vec<Subject<Vec<Level>>>,
}

/// A member of a set
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Member {
    /// The user
    pub principal: Principal,
    /// Since when, without a break
    pub since: EffectiveAt,
    /// What makes it a member
    pub by: JoinedBy,
}

/// A principal that is known
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PrincipalThen {
    /// The principal
    pub principal: Principal,
    /// How many of its own holdings count
    pub holdings: usize,
    /// When the last of its own holdings ended; `None` if one runs, or none ever did
    pub last_held: Option<EffectiveAt>,
}

/// The names that contain a text
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Search {
    /// The best first
    pub found: Vec<Found>,
    /// Whether the limit left some out
    pub more: bool,
}

/// A name that contains a text
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// What it is the name of
    pub kind: FoundKind,
    /// As questions take it: of a level and a principal with its kind, of a role `application/name`
    pub id: String,
    /// The display name of a level, or an operation in words
    pub title: Option<Arc<str>>,
    /// What a level lies in, from the root down, each by its display name if it has one
    pub path: Option<Vec<Arc<str>>>,
}

/// A source, and a level that it observed
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceThen {
    /// The source
    pub source: Arc<str>,
    /// The level, as the observations name it
    pub level: Level,
    /// What is covered; `None` for a row that is not shown
    pub covered: Option<Covered>,
}

/// What the observations of one source cover that name one level and begin at or before T, up to T
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Covered {
    /// Whether one of them is of the subtree of the level
    pub subtree: bool,
    /// The first moment that is covered
    pub first: EffectiveAt,
    /// The last moment that is covered
    pub last: EffectiveAt,
    /// The last moment of an observation of one moment alone, which is a full listing
    pub listed: Option<EffectiveAt>,
    /// How many moments there are with such an observation
    pub moments: usize,
    /// The gaps between the stretches; `None` where all observations are of one moment alone
    pub gaps: Option<Gaps>,
    /// Whether the level exists at T
    pub level_exists: bool,
}

/// The stretches of time between a first and a last moment that are not covered
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Gaps {
    /// The first [`SOURCE_GAPS_MAX`] of them, in order
    pub first: Vec<Span>,
    /// How many there are
    pub count: usize,
}

impl Gaps {
    /// Adds the stretch from one moment up to another, if there is a moment in it
    pub(crate) fn add(&mut self, from: EffectiveAt, until: EffectiveAt) {
        let Some(gap) = Span::new(from, Some(until)) else { return };
        self.count += 1;
        if self.first.len() < SOURCE_GAPS_MAX {
            self.first.push(gap);
        }
    }
}

/// A level that exists
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LevelThen {
    /// The level
    pub level: Level,
    /// What it lies in
    pub parent: Option<Level>,
    /// Its explicit attributes
    pub attributes: Attributes,
}

/// A role collection that exists
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoleCollectionThen {
    /// Its name
    pub role_collection: Arc<str>,
    /// Whether the catalogue brings it
    pub predefined: bool,
    /// Its roles as defined, existing or not, as `application/name`
    pub roles: Vec<String>,
}

/// Why a question has no answer
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AskError {
    /// The level does not exist at the coordinates asked about
    #[error("the level `{0}` does not exist then, as known then")]
    UnknownLevel(Level),
    /// No catalogue in force asks anything for that operation there
    #[error("no catalogue in force then, as known then, defines the operation `{0}` there")]
    UnknownOperation(Arc<str>),
    /// Nothing that counts ever defined the role
    #[error("nothing known then ever defined the role `{0}`")]
    UnknownRole(String),
    /// Nothing that counts ever defined the role collection
    #[error("nothing known then ever defined the role collection `{0}`")]
    UnknownRoleCollection(Arc<str>),
    /// Nothing that counts ever defined the scope
    #[error("nothing known then ever defined the scope `{0}`")]
    UnknownScope(Arc<str>),
    /// The application never had the permission, or never had any
    #[error("nothing known then ever made the permission that `{0}` asks for there")]
    UnknownPermission(Arc<str>),
    /// The roles of an application are decided by something that the ledger does not see
    #[error(
        "who has which role of `{0}` is decided elsewhere: its role provider is not the platform, so the ledger cannot say"
    )]
    DecidedElsewhere(Level),
    /// A position that may not be seen yet
    #[error("position {position} does not exist yet: the newest is {newest}")]
    NotYet {
        /// The position
        position: u64,
        /// The newest one
        newest: u64,
    },
    /// An entry that is not in the log, or may not be seen yet
    #[error("the entry `{0}` is not in the log")]
    UnknownEntry(crate::words::change::EntryName),
    /// An interval without a moment in it
    #[error(
        "the interval is empty: `until`, which it does not include, is not after `from`; for one whole day \
         write the next day as `until`"
    )]
    EmptyInterval,
}
