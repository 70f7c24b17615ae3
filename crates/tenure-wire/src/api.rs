//! What does every door answer with?
//!
//! The JSON of the answers, the same at each door, and how the core's answers become it.

mod diff;
mod from_core;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::v1;

pub use diff::{
    Catalogs, Changed, DefinedAt, DefinitionRow, Diff, DiffAnswer, DiffAsOf, Environments,
    FeatureSets, LevelAttributes, LevelChanged, LevelMoved, LevelsDiff, PowerDiff, PowerDiffRow,
};
pub(crate) use from_core::life_text;
pub use from_core::{holdings, revision};

/// Why the fold refused an entry
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Refusal {
    /// A stable code
    pub code: String,
    /// A sentence
    pub message: String,
    /// The change that decided, counted from 0; null for the entry as a whole
    pub change: Option<usize>,
}

/// What became of the entry that owns the id of a duplicate
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Original {
    /// Its position
    pub position: u64,
    /// `applied` or `refused`
    pub outcome: String,
    /// Why it was refused
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
}

/// What became of an entry
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct EntryResult {
    /// Its id; null if it could not be decoded
    pub id: Option<String>,
    /// Its place in the log
    pub position: u64,
    /// When the log recorded it
    pub recorded_at: String,
    /// `applied`, `refused` or `duplicate`
    pub outcome: String,
    /// Why it was refused
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// What a duplicate repeats
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<Original>,
}

/// What became of an entry that was handed in, or would become of it
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct AppendResult {
    /// Its id; null if it could not be decoded
    pub id: Option<String>,
    /// Its place in the log; null in a dry run
    pub position: Option<u64>,
    /// When the log recorded it; null in a dry run
    pub recorded_at: Option<String>,
    /// `applied`, `refused` or `duplicate`
    pub outcome: String,
    /// Why it was refused
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// What a duplicate repeats
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<Original>,
    /// What the author of an applied entry may not have meant
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
}

/// Something that the author of a change may not have meant
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Note {
    /// `terms_changed`, `repeated` or `scheduled`
    pub code: String,
    /// The change, counted from 0
    pub change: usize,
    /// A sentence
    pub message: String,
}

/// An entry of the log with what became of it
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct EntryRow {
    /// What became of it
    #[serde(flatten)]
    pub result: EntryResult,
    /// Who handed it in: the log vouches for it, and the entry cannot claim it
    pub submitter: String,
    /// The client that handed it in for the submitter, which it may as a door; absent where the submitter did so itself
    #[serde(skip_serializing_if = "Option::is_none")]
    pub door: Option<String>,
    /// When it holds
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective_at: Option<String>,
    /// The earliest moment at which it can have happened, where it says one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// The position of the void that voids it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voided_by: Option<u64>,
    /// The entry as recorded
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<v1::Entry>,
    /// The bytes of one that could not be decoded, in base64
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
}

/// Answer to an append
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Appended {
    /// One for each entry, in order
    pub results: Vec<AppendResult>,
    /// What to pass as `min_position` to read one's own writes
    pub revision: String,
}

/// A page of the log
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Entries {
    /// In log order
    pub entries: Vec<EntryRow>,
    /// What to pass as `after` for the next page; absent on the last
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_after: Option<u64>,
    /// Whether the principal is known
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Known>,
}

/// The coordinates that an answer was computed at
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct AsOf {
    /// Valid time; absent over intervals
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The position that was known
    pub known_at: u64,
    /// When that position was recorded; null for position 0
    pub recorded_at: Option<String>,
    /// The version of the catalogue in force, null if there is none; absent over intervals
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "there_or_null")]
    #[schema(value_type = Option<String>)]
    pub catalog: Option<Option<String>>,
    /// In which sense it was asked, where it is not what was assigned: `session` or `latent`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<String>,
    /// With `session`: how long a session lives, as it is asked
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life: Option<String>,
    /// What to pass as `min_position` to see at least this
    pub revision: String,
}

/// A level that was passed over: something that the ledger does not see decides on its roles
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Elsewhere {
    /// The level
    pub level: String,
    /// Since when, within the stretch that was asked about; absent at one moment
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Until when; null only where no end was asked, absent at one moment
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "there_or_null")]
    #[schema(value_type = Option<String>)]
    pub until: Option<Option<String>>,
}

fn there_or_null<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

/// Whether a principal is known, and who else could be meant
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Known {
    /// Whether an entry known then names it in a change
    pub named: bool,
    /// Known principals of the same kind and name in other origins, at most 20
    pub elsewhere: Vec<String>,
    /// For one that is not known: at most five known ones whose names differ by one or two letters
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub similar: Vec<String>,
}

/// When somebody looked at who holds what on the level or the subtree that was asked about, as known then
///
/// What nobody looked at is not "no".
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Observed {
    /// Over a stretch of time
    Over {
        /// The first moment that is covered
        first: String,
        /// The stretches within it that are not covered, the first hundred
        gaps: Vec<Gap>,
        /// How many there are
        gap_count: usize,
    },
    /// Under a level
    Under {
        /// How many of its levels have observations, and none at the moment asked about
        not_observed: usize,
        /// The first ten of them
        levels: Vec<String>,
    },
    /// Around a moment
    At {
        /// The first moment that is covered
        first: String,
        /// The last one at or before the moment asked about; null if there is none
        before: Option<String>,
        /// The first one at or after the moment asked about; null if there is none
        after: Option<String>,
    },
}

/// A stretch of time in which nobody looked
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Gap {
    /// Its first moment
    pub from: String,
    /// The first moment after it; null only where no end was asked
    pub until: Option<String>,
}

/// Who holds what where, since when, and by which entry
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Held {
    /// The position of the entry that answers for the terms
    pub entry: u64,
    /// The id of that entry
    pub id: String,
    /// The principal asked about
    pub principal: String,
    /// The role collection that is held
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_collection: Option<String>,
    /// The single role that is held, `application/name`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Where
    pub level: String,
    /// The first start; through a set, the later of that and the start of the membership
    pub since: String,
    /// The earliest moment at which the entry that answers for the terms can have happened, where it says one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// The set through which it holds
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// The membership in that set; none in `everyone:`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub membership: Option<Membership>,
    /// Who gave it, where `explain=full` was asked
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<By>,
}

/// A holding as evidence
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Holding {
    /// Who holds what
    #[serde(flatten)]
    pub held: Held,
    /// The granted end as of the time asked about, or null
    pub until: Option<String>,
    /// How it ends, where `explain=full` was asked at a moment and it does
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

/// A membership as evidence
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Membership {
    /// Since when, without a break
    pub since: String,
    /// What makes it a member
    #[serde(flatten)]
    pub joined_by: JoinedBy,
    /// By a rule, where `explain=full` was asked: the entries that added the user to the sets that make the rule true
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<u64>,
    /// Who added the member or set the rule, where `explain=full` was asked
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<By>,
}

/// Who made an entry, when it was recorded, and why
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct By {
    /// Its position
    pub position: u64,
    /// Who acted, as the entry says
    pub actor: String,
    /// Who handed it in, as the log vouches
    pub submitter: String,
    /// Why, as the entry says
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the log recorded it
    pub recorded_at: String,
}

/// A stretch of time in which one could, with the holdings behind it
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Interval {
    /// Its first moment
    pub from: String,
    /// The first moment after it; null only where no end was asked
    pub until: Option<String>,
    /// The holdings behind it, none where everybody could; of `who` only with `explain`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<Vec<Holding>>,
}

/// A subject of an answer
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Subject {
    /// Who
    pub principal: String,
    /// The holdings that make it true, where `explain` was asked
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<Vec<Holding>>,
    /// The levels, where a subtree was asked about
    #[serde(skip_serializing_if = "Option::is_none")]
    pub levels: Option<Vec<LevelThere>>,
    /// The intervals, where a stretch of time was asked about
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intervals: Option<Vec<Interval>>,
    /// Whether it also has the power assigned, where `reading=latent` was asked
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned: Option<bool>,
}

/// A level of a subtree where a subject could
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum LevelThere {
    /// At the moment that was asked about
    Now(String),
    /// During the stretch of time that was asked about
    During {
        /// The level
        level: String,
        /// When, while it lay in the subtree
        intervals: Vec<Interval>,
    },
}

/// Who could
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Who {
    /// The coordinates
    pub as_of: AsOf,
    /// When the level or the subtree was observed, where there are observations of it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Observed>,
    /// All subjects, on whatever page
    pub total: usize,
    /// Users and clients, in byte order
    pub subjects: Vec<Subject>,
    /// Sets that could by their own holdings, on the first page
    pub sets: Vec<Subject>,
    /// The levels that were passed over, in byte order
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<Elsewhere>,
    /// What to pass as `page_token` for the next page; absent on the last
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

/// What a principal could do on a level
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct What {
    /// The coordinates
    pub as_of: AsOf,
    /// When the level or the subtree was observed, where there are observations of it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Observed>,
    /// Names
    pub role_collections: Vec<String>,
    /// `application/name`
    pub roles: Vec<String>,
    /// Real names
    pub scopes: Vec<String>,
    /// Ids
    pub operations: Vec<String>,
    /// Names, of an application that has some
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<String>,
    /// The level, if something that the ledger does not see decides on its roles
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<Elsewhere>,
    /// Whether the principal is known
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Known>,
}

/// Whether a principal could
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// The coordinates
    pub as_of: AsOf,
    /// When the level or the subtree was observed, where there are observations of it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Observed>,
    /// Whether
    pub allowed: bool,
    /// For yes: every holding of a satisfied leaf in a true branch
    pub because: Vec<Holding>,
    /// For no: the unsatisfied parts of the requirement
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<v1::Expr>,
    /// Where `reading=latent` was asked: how the principal could have given itself the power, in order
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<Step>>,
    /// Where `reading=session` was asked, for yes: the last moment at which it was assigned
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<String>,
    /// Whether the principal is known
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Known>,
}

/// A step by which a principal gives itself something
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// The operation that it does
    pub operation: String,
    /// Where
    pub level: String,
    /// What that gives
    pub gives: Given,
}

/// What a step gives
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Given {
    /// A role collection
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_collection: Option<String>,
    /// A single role, `application/name`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Where
    pub at: String,
}

/// When a principal could
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Timeline {
    /// The coordinates
    pub as_of: AsOf,
    /// When the level or the subtree was observed, where there are observations of it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Observed>,
    /// Maximal, in order
    pub intervals: Vec<Interval>,
    /// The stretches in which something that the ledger does not see decides on the level's roles
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<Elsewhere>,
    /// Whether the principal is known
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Known>,
}

/// Where a principal could
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Where {
    /// The coordinates
    pub as_of: AsOf,
    /// When the level or the subtree was observed, where there are observations of it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Observed>,
    /// In byte order
    pub levels: Vec<String>,
    /// The levels that were passed over, in byte order
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<Elsewhere>,
    /// What to pass as `page_token` for the next page; absent on the last
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
    /// Whether the principal is known
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Known>,
}

/// Counting holdings
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Assignments {
    /// The coordinates
    pub as_of: AsOf,
    /// When the level or the subtree was observed, where there are observations of it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Observed>,
    /// In order of principal, level and what is held
    pub assignments: Vec<Holding>,
    /// What to pass as `page_token` for the next page; absent on the last
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
    /// Whether the principal is known
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Known>,
}

/// A longest stretch in which a holding counts under the terms of one entry
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct HoldingRow {
    /// Who holds what
    #[serde(flatten)]
    pub held: Held,
    /// The granted end, or null
    pub granted_until: Option<String>,
    /// The first moment of the stretch
    pub from: String,
    /// The first moment after it; null if none was asked for and it goes on
    pub until: Option<String>,
    /// How it ended; null if it goes on at the end of what was asked about
    pub ended: Option<Ended>,
}

/// How a stretch ended
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Ended {
    /// `expired`, `revoked`, `principal_removed`, `definition_deleted`, `level_deleted`, `regranted`, `left` or
    /// `suspended`
    pub how: String,
    /// When; absent where the stretch says it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The position of the entry that ended it; absent where it expired, or where several did
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
    /// Who made that entry, where `explain=full` was asked
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<By>,
}

/// What was held
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Holdings {
    /// The coordinates
    pub as_of: AsOf,
    /// When the level or the subtree was observed, where there are observations of it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Observed>,
    /// In order of principal, level, what is held and time
    pub holdings: Vec<HoldingRow>,
    /// Whether the principal is known
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Known>,
    /// What to pass as `page_token` for the next page; absent on the last
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

/// A member of a set
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// The user
    pub principal: String,
    /// Since when, without a break
    pub since: String,
    /// What makes it a member
    #[serde(flatten)]
    pub by: JoinedBy,
}

/// What makes a user a member of a set: the position of an entry
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum JoinedBy {
    /// The entry that added it
    Entry {
        /// Its position
        entry: u64,
    },
    /// The entry that set the rule of the group
    Rule {
        /// Its position
        rule: u64,
    },
}

impl JoinedBy {
    /// The position
    pub fn position(self) -> u64 {
        let (Self::Entry { entry: position } | Self::Rule { rule: position }) = self;
        position
    }
}

/// The members of a set
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Members {
    /// The coordinates
    pub as_of: AsOf,
    /// In byte order
    pub members: Vec<Member>,
    /// Whether the set is known
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Known>,
    /// What to pass as `page_token` for the next page; absent on the last
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

/// A principal that is known
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct PrincipalRow {
    /// The principal
    pub principal: String,
    /// How many of its own holdings count
    pub holdings: usize,
    /// When the last of its own holdings ended; null if one runs, or none ever did
    pub last_held: Option<String>,
}

/// The principals that are known
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Principals {
    /// The coordinates
    pub as_of: AsOf,
    /// All of them, on whatever page
    pub total: usize,
    /// In byte order
    pub principals: Vec<PrincipalRow>,
    /// What to pass as `page_token` for the next page; absent on the last
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

/// A name that contains a text
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Found {
    /// A level's kind, a principal's kind, `role-collection`, `role` or `operation`
    pub kind: String,
    /// As questions take it: of a level and a principal with its kind, of a role `application/name`
    pub id: String,
    /// The display name of a level, or an operation in words
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What a level lies in, from the root down: each by its display name, or `kind:id` if it has none
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Vec<String>>,
}

/// The names that contain a text
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Search {
    /// The coordinates
    pub as_of: AsOf,
    /// The best first
    pub found: Vec<Found>,
    /// Whether the limit left some out
    pub more: bool,
}

/// A source, a level that it observed, and what its observations that name the level cover up to the moment asked about
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SourceRow {
    /// The source
    pub source: String,
    /// `kind:id`, as the observations name it
    pub level: String,
    /// Whether one of them is of the subtree of the level
    pub subtree: bool,
    /// Whether the level exists at the moment asked about
    pub level_exists: bool,
    /// The first moment that is covered
    pub first: String,
    /// The last moment that is covered
    pub last: String,
    /// The last moment of an observation without `from`, which is a full listing; absent if there is none
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<String>,
    /// How many moments have an observation without `from`
    pub moments: usize,
    /// The stretches between `first` and `last` that no observation with `from` covers, the first ten; absent if all
    /// observations are without `from`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gaps: Option<Vec<Gap>>,
    /// How many such stretches there are
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap_count: Option<usize>,
}

/// Which sources observed which levels
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Sources {
    /// The coordinates
    pub as_of: AsOf,
    /// In byte order of the source, then of the level
    pub sources: Vec<SourceRow>,
    /// What to pass as `page_token` for the next page; absent on the last
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}

/// A level, with its explicit attributes
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct LevelRow {
    /// `kind:id`
    pub level: String,
    /// What it lies in
    pub parent: Option<String>,
    /// Its explicit attributes
    #[serde(flatten)]
    pub attributes: LevelAttributes,
}

/// The levels that exist
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Levels {
    /// The coordinates
    pub as_of: AsOf,
    /// In byte order
    pub levels: Vec<LevelRow>,
}

/// A role collection
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct RoleCollectionRow {
    /// Its name
    pub role_collection: String,
    /// Whether the catalogue brings it
    pub predefined: bool,
    /// As defined, existing or not, `application/name`
    pub roles: Vec<String>,
}

/// The role collections of a level
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct RoleCollections {
    /// The coordinates
    pub as_of: AsOf,
    /// When the level or the subtree was observed, where there are observations of it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Observed>,
    /// In byte order
    pub role_collections: Vec<RoleCollectionRow>,
}

/// The catalogue in force
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct CatalogAnswer {
    /// The coordinates
    pub as_of: AsOf,
    /// The whole document; null if there is none
    pub catalog: Option<v1::Catalog>,
}

/// Answers to many checks, in order: each a check, or the problem that it has
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Checks {
    /// In the order of the checks
    pub results: Vec<CheckOrProblem>,
}

/// A check, or the problem that it has
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum CheckOrProblem {
    /// A check
    Check(Box<Check>),
    /// A problem
    Problem(Problem),
}

/// Why there is no answer (RFC 9457)
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Where the code is explained
    #[serde(rename = "type")]
    pub kind: String,
    /// The code in words
    pub title: String,
    /// The HTTP status
    pub status: u16,
    /// A stable code
    pub code: String,
    /// A sentence that says what was wrong and what would be right
    pub detail: String,
    /// Known names that differ by one or two letters, where a name is not known
    #[serde(default, skip_serializing_if = "<[String]>::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub similar: Box<[String]>,
}
