//! The journal of the ledger: every place of the log with its outcome, in sled
//!
//! It keeps [`Row`]s, in order and without gaps, and says when they are safe ([`Journal`]); a [`Reader`]
//! reads them meanwhile. It does not decide
//! outcomes: what is read from it is folded again. Beside it lie [`Checkpoints`] of what was folded, which may be
//! lost at any time.

mod block;
mod checkpoint;
mod flusher;
mod folder;
mod journal;
mod origin;
mod pieces;
pub mod quarantine;
mod reserve;
mod row;
mod store;

pub use block::BlockError;
pub use checkpoint::{Checkpoints, Loaded, Manifest, Pieces, Senseless, Unusable, WriteError};
pub use flusher::Flusher;
pub use folder::{FORMAT, FolderError};
pub use journal::{Error, Journal, Written};
pub use origin::Cursor;
pub use row::{Payload, Row, RowError};
pub use store::Reader;
