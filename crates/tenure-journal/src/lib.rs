//! The journal of the ledger: every place of the log with its outcome, in sled
//!
//! It keeps [`Row`]s, in order and without gaps, and says when they are safe ([`Journal`]); a [`Reader`]
//! reads them meanwhile. It does not decide
//! outcomes, and it holds no index: what is read from it is folded again.

mod block;
mod flusher;
mod folder;
mod journal;
mod origin;
pub mod quarantine;
mod row;
mod store;

pub use block::BlockError;
pub use flusher::Flusher;
pub use folder::{FORMAT, FolderError};
pub use journal::{Error, Journal};
pub use origin::Cursor;
pub use row::{Payload, Row, RowError};
pub use store::Reader;
