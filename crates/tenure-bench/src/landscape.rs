//! What would a big landscape's history look like?
//!
//! A [`Plan`] says how big, how long and with which shares of what is unusual; [`Plan::messages`] makes
//! the history, message by message and always the same one for the same plan. It holds the state of the
//! landscape, never its history, so a hundred million changes need no more memory than what is live at once.
//!
//! # How entries are made
//! - An entry has 1 change in 70% of cases, 2 in 15%, 3 or 4 in 9%, 5 to 8 in 4.5%, 9 to 32 in 1.4%, 33 to
//!   256 in 0.1%, where there is that much to give or to take: about 1.8 on average. Definitions (role collections, roles, levels) are 1.2% of entries.
//! - It holds when it is recorded, except for the shares of [`Shares`].
//! - Whether something is granted or revoked depends on how many hold it: always granted below four fifths of
//!   the number that the shape gives it, and as likely as revoked at that number. So a landscape fills first,
//!   within about a tenth of its changes, and then turns over.
//! - People join, move, and leave: 30% of them in three years. Who leaves is removed by one change.
//! - 30% of entries state a reason, a ticket number. Ids are UUIDs of version 7.
//! - The built-in catalogues are published on their days.
//!
//! Every name in it is invented; `acme.example` is nobody's domain.

mod clock;
mod definitions;
mod estate;
mod facts;
mod messages;
mod mishap;
mod names;
mod people;
mod shape;
mod shares;
mod slots;
#[cfg(test)]
mod tests;
mod turnover;

use tenure_core::{Entry, RecordedAt, RefusalCode};
use tenure_wire::catalogs::CatalogFileError;

pub use clock::{BEGINS_MICROS, ENDS_MICROS};
pub use facts::{Counts, Facts, Given};
pub use messages::Messages;
pub use shape::{CHANGES_MAX, CHANGES_MIN, ChangesError, Shape, Size};
pub use shares::{Share, ShareError, Shares, TooUnusual};

/// A landscape's history before it is made
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// How big, and how long
    pub shape: Shape,
    /// How much of what is unusual
    pub shares: Shares,
    /// The same seed makes the same history
    pub seed: u64,
    /// The ledger whose built-in catalogues are in it
    pub ledger: String,
}

impl Plan {
    /// The plan of a shape, with the usual shares
    pub fn new(shape: Shape, seed: u64) -> Self {
        Self { shape, shares: Shares::default(), seed, ledger: "bench".to_owned() }
    }

    /// The history, oldest first
    ///
    /// # Guarantees
    /// The same messages for the same plan, on every platform. Every entry is well formed; what is
    /// refused or a duplicate is meant to be. Times never go back. It has at least as many changes as the
    /// shape says, and less than one entry more.
    /// # Errors
    /// A built-in catalogue that is wrong; a test of `tenure-wire` sees to it that none is.
    pub fn messages(&self) -> Result<Messages, CatalogFileError> {
        Messages::new(self)
    }
}

/// What is to become of an entry
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Intended {
    /// Its changes are facts
    Applied,
    /// It is wrong on purpose
    Refused(RefusalCode),
    /// It came before
    Duplicate,
}

/// An entry, and what is to become of it
#[derive(Clone, Debug)]
pub struct Made {
    /// The entry
    pub entry: Entry,
    /// What the fold is to say
    pub intended: Intended,
}

/// One message on the log: entries that were recorded at one time
#[derive(Clone, Debug)]
pub struct Message {
    /// When the log took it
    pub recorded_at: RecordedAt,
    /// What it carries, in order; at least one
    pub entries: Vec<Made>,
}
