//! Who could do X at T, as known at S?
//!
//! Every [`Question`] has both coordinates: a moment of valid time, and the position that the
//! [`View`](crate::ledger::view::View) pins. `pinned` finds them, and what stands beside each
//! answer. `plan` makes of X an expression over leaves, and says at which levels each leaf must be held. `moment` answers at one moment, `interval` over a stretch of time. `listing` answers
//! questions about levels, role collections and holdings, `people` about members and principals,
//! `holdings` about what was held over a stretch of time, `diff` about what changed between two coordinates.
//! `similar` finds the names that could be meant, `search` those that contain a text, `observed` tells when somebody
//! looked, `sources` which source looked where, `elsewhere` where something else decides, `detail` which rows of an answer say why. `session` and `latent`
//! are the other two readings of "could".
//!
//! Errors come in one order: the level first, then what is asked, then the interval.
//!
//! Rules: `docs/semantics.md#questions`, `docs/semantics.md#order-of-errors`.

pub mod answer;
mod detail;
mod diff;
mod elsewhere;
mod evidence;
mod found_kind;
mod holdings;
mod interval;
mod latent;
mod listing;
mod moment;
mod observed;
mod people;
mod pinned;
mod plan;
mod question;
mod reading;
mod search;
mod session;
mod similar;
mod sources;

pub use detail::Detail;
pub use diff::Place;
pub use found_kind::FoundKind;
pub use listing::{AssignmentFilter, LevelFilter};
pub use people::PrincipalFilter;
pub use question::{AsOf, Known, Now, Question};
pub use reading::{LIFE_SECONDS_MAX, Life, Reading};
pub use search::Search;
pub use sources::SourceFilter;
