//! What becomes of an entry, and what does the ledger remember?
//!
//! A [`Ledger`] is the fold of a log: [`Ledger::apply_with`] takes the next entry in and gives its outcome,
//! which depends on nothing but the entries up to it. A question is asked of a [`View`], which pins
//! what was known at one position, so entries taken in later do not show in it. A [`Snapshot`] serves
//! readers while the ledger takes entries in. A [`Trial`] decides entries that nobody handed in yet. Whoever hands
//! one in is told by notes what its author may not have meant.

pub(crate) mod access;
pub(crate) mod applying;
pub(crate) mod decide;
pub(crate) mod in_memory;
pub(crate) mod kept;
pub(crate) mod moment;
pub(crate) mod notes;
pub(crate) mod rules;
pub(crate) mod state;
pub(crate) mod trial;
pub(crate) mod view;

pub use in_memory::LedgerInMemory;
pub use kept::Kept;
pub use state::{Ledger, Snapshot};
pub use trial::Trial;
