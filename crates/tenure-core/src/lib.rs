//! The fold, the timelines and the questions of the ledger
//!
//! This crate decides what becomes of an entry ([`Ledger::apply_with`]), and who could do X at T as known at S
//! ([`Question::ask`]). It has no IO, no clock and no async: everything it knows came in an entry. The durable
//! format is `tenure-wire`'s, and the disk is `tenure-journal`'s.
//!
//! Its rooms, from the ground up: `words` (names, moments, changes), `history` (what was so, folded from
//! changes), `index` (who holds what, fast), `ledger` (what becomes of an entry), `ask` (the questions) and
//! `index_copy` (an index on the disk). A room uses only rooms before it. A caller sees their words, not the
//! rooms.

mod ask;
mod history;
mod index;
mod index_copy;
mod ledger;
mod words;

pub use ask::answer;
pub use ask::{
    AsOf, AssignmentFilter, Detail, FoundKind, Known, LIFE_SECONDS_MAX, LevelFilter, Life, Now,
    Place, PrincipalFilter, Question, Reading, Search, SourceFilter,
};
pub use index::mentions::Mention;
pub use index_copy::{
    INDEX_FORMAT, IndexCheckpointError, IndexPiece, index_pieces, ledger_from_index,
};
pub use ledger::view::View;
pub use ledger::{Kept, Ledger, LedgerInMemory, Snapshot, Trial};
pub use words::ability::{ABILITIES_MAX, Abilities, Ability};
pub use words::catalog::{
    Catalog, CatalogDocument, CatalogError, GivenRow, GivesRow, OperationRow, RoleCollectionRow,
    RoleRow,
};
pub use words::change::{
    CHANGES_MAX, Change, Entry, EntryError, EntryId, EntryName, GrantExpects, REASON_BYTES_MAX,
    RevokeExpects, RoleAttributes, When,
};
pub use words::ended::{Ended, How};
pub use words::grantable::{GrantableText, RoleText, role_part, role_text};
pub use words::instant::{
    BadTime, EffectiveAt, Instant, MICROS_PER_SECOND, ParseInstantError, RecordedAt,
};
pub use words::joined_by::JoinedBy;
pub use words::level::{
    Access, Attribute, Attributes, Environment, FeatureSet, KindSet, LEVEL_ID_BYTES_MAX, Level,
    LevelKind, PLATFORM, ParseLevelError,
};
pub use words::name::{
    NAME_BYTES_MAX, NameError, lower_case, normalised, plain_name, plain_text, prose, searched,
    shown,
};
pub use words::note::{LATER_MAX, Later, Note, Noted};
pub use words::outcome::{
    APPLICATIONS_MAX, Fingerprint, Original, Outcome, OutcomeKind, Reason, ReasonParts, Recorded,
    Refusal, RefusalCode, Submission,
};
pub use words::pattern::{PATTERN_BYTES_MAX, Pattern, PatternError};
pub use words::position::{KnownAt, Position};
pub use words::principal::{
    DEFAULT_ORIGIN, DEFAULT_ORIGIN_ALIASES, ParsePrincipalError, Principal, PrincipalKind, origin,
};
pub use words::requirement::{Direction, HeldRow, LeafRow, REQUIREMENT_DEPTH_MAX, Requirement};
pub use words::rule::{RULE_DEPTH_MAX, RULE_LEAVES_MAX, Rule, RuleError, RuleLeaf};
pub use words::span::Span;
pub use words::tenure::LedgerOperation;
