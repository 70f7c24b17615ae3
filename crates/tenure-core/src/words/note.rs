//! What may the author of an entry not have meant?
//!
//! A [`Note`] is told to whoever hands an entry in. It is no part of the outcome: it is not stored, and a replica never
//! makes it. It is data; `tenure-wire` makes a sentence of it.
//!
//! Rules: `docs/semantics.md#notes`.

use crate::words::instant::EffectiveAt;
use crate::words::position::Position;

/// Most entries that a note names
pub const LATER_MAX: usize = 10;

/// Something that the author of a change may not have meant
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// The change, counted from 0
    pub change: usize,
    /// What is to be said of it
    pub what: Noted,
}

/// What is to be said of a change
///
/// Several notes on one change come in this order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Noted {
    /// A grant gives a holding that runs another end
    TermsChanged {
        /// When it would have ended
        from: Option<EffectiveAt>,
        /// When it ends now
        to: Option<EffectiveAt>,
    },
    /// What the change starts runs already, or what it ends does not run
    Repeated,
    /// Later changes start again what the change ends
    Scheduled(Later),
    /// Access is enforced, and nobody who signs in administers the ledger any more
    LastAdministrator,
}

impl Noted {
    /// The stable code
    pub fn code(&self) -> &'static str {
        match self {
            Self::TermsChanged { .. } => "terms_changed",
            Self::Repeated => "repeated",
            Self::Scheduled(_) => "scheduled",
            Self::LastAdministrator => "last_administrator",
        }
    }
}

/// Entries that start something again
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Later {
    /// When each takes effect, and its place; the first ones in that order, at most [`LATER_MAX`]
    pub entries: Vec<(EffectiveAt, Position)>,
    /// How many more there are
    pub more: usize,
}
