//! Who could do X at T, as known at S?
//!
//! Every question has both coordinates: a moment of valid time, and the position that the [`View`](crate::ledger::view::View)
//! pins. `plan` turns what is asked about into an expression over leaves with the levels where each
//! looks; `moment` answers at one moment, `interval` over a stretch of time, and `listing` what is
//! there rather than who could.
//!
//! Errors come in one order: the level first, then what is asked, then the interval.
//!
//! Rules: `docs/semantics.md#questions`, `docs/semantics.md#order-of-errors`.

pub mod answer;
mod evidence;
mod interval;
mod listing;
mod moment;
mod plan;
mod question;

pub use listing::AssignmentFilter;
pub use question::{AsOf, Known, Now, Question};
