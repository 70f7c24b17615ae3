//! What must the fold know of an entry that it took in before?
//!
//! A ledger does not keep entries. Whoever takes entries in keeps them anyway, in a journal or in memory.

use crate::words::change::Entry;
use crate::words::outcome::Fingerprint;
use crate::words::position::Position;

/// The entries that a ledger took in
pub trait Kept {
    /// Why an entry cannot be read
    type Error;

    /// The fingerprint of the entry at a position, whose id came again; [`Fingerprint::NONE`] where there is none
    ///
    /// # Errors
    /// It cannot be read.
    fn content(&self, position: Position) -> Result<Fingerprint, Self::Error>;

    /// The entry at a position, which its submitter wants to void; `None` where there is none
    ///
    /// It is asked only while access is enforced, of a submitter that does not administer the ledger.
    /// # Errors
    /// It cannot be read.
    fn entry(&self, position: Position) -> Result<Option<Entry>, Self::Error>;
}
