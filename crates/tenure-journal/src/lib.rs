//! The journal of the ledger: every entry of the log with its outcome, in sled
//!
//! A [`Journal`] keeps [`Row`]s in order and without gaps, and says when they are on the disk. A [`Reader`] reads
//! them while the journal is written. The journal decides no outcome: the fold decides, and at a start it folds
//! the rows again. Beside the journal lie [`IndexCheckpoints`], copies of the folded index. A copy may be lost at
//! any time: the journal can build it again.

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
mod sled_store;
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
