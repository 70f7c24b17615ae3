//! The journal of the ledger: every place of the log with its outcome, in sled
//!
//! It keeps [`Row`]s, in order and without gaps, and says when they are safe ([`Journal`]); a [`Reader`]
//! reads them meanwhile. It does not decide
//! outcomes: what is read from it is folded again. Beside it lie [`IndexCheckpoints`] of what was folded, which may be
//! lost at any time.

mod block;
mod flusher;
mod folder;
mod index_checkpoint;
mod journal;
mod origin;
mod private;
pub mod quarantine;
mod reserve;
mod row;
mod slices;
mod store;

pub use block::BlockError;
pub use flusher::Flusher;
pub use folder::{FORMAT, FolderError};
pub use index_checkpoint::{
    IndexCheckpoints, Loaded, Manifest, Pieces, Senseless, Unusable, WriteError,
};
pub use journal::{Error, Journal, Written};
pub use origin::Cursor;
pub use row::{Payload, Row, RowError};
pub use store::Reader;
