//! How is an index put on the disk, so that a start need not fold the log?
//!
//! As pieces of bytes: names, places, timelines, changes of structure. What can be derived from these is
//! derived again: mirrors, bitmaps, landscapes, the owners of ids. Catalogues are not in it: their entries
//! have them. The pieces say nothing of what is damaged on the way; who stores them keeps checksums.

mod read;
mod source;
mod write;

use std::sync::Arc;

use crate::ledger::Ledger;
use crate::words::catalog::Catalog;
use crate::words::position::Position;

/// The format of the pieces; another number is another format
pub const INDEX_FORMAT: u32 = 6;
/// Bytes after which a piece ends; it may be longer by one record
const PIECE_BYTES: usize = 1 << 20;

/// One part of an index checkpoint, about 1 MiB
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IndexPiece(pub Vec<u8>);

/// Why pieces are no index
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IndexCheckpointError<E> {
    /// A piece or a catalogue is not to be had
    #[error("a part of the index checkpoint cannot be read")]
    Source(#[source] E),
    /// The bytes say what no index says
    #[error("the index checkpoint says {0}")]
    Content(&'static str),
}

/// The index in pieces
///
/// # Cost
/// O(changes) in all, about a megabyte at a time.
pub fn index_pieces(ledger: &Ledger) -> impl Iterator<Item = IndexPiece> + '_ {
    let mut records = write::records(ledger).peekable();
    std::iter::from_fn(move || {
        records.peek()?;
        let mut bytes = Vec::with_capacity(PIECE_BYTES);
        while bytes.len() < PIECE_BYTES
            && let Some(record) = records.next()
        {
            bytes.extend_from_slice(&record);
        }
        Some(IndexPiece(bytes))
    })
}

/// The ledger of that name from its pieces, in their order; `catalog_at` gives the catalogue that an entry published
///
/// # Errors
/// A piece or a catalogue that is not to be had, or bytes that are no index.
/// # Cost
/// O(changes), much less than folding the log.
pub fn ledger_from_index<E>(
    name: &str,
    pieces: impl IntoIterator<Item = Result<IndexPiece, E>>,
    catalog_at: impl FnMut(Position) -> Result<Arc<Catalog>, E>,
) -> Result<Ledger, IndexCheckpointError<E>> {
    read::ledger(name, source::Source::new(pieces.into_iter()), catalog_at)
}
