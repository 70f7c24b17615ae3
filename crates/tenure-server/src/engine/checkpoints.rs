//! How does an index checkpoint become a ledger again, and which formats can be read?
//!
//! The newest checkpoint that fits the journal is read, and what the journal has beyond it is folded. A
//! checkpoint of an older format may still be read: its ledger serves while the journal is folded again
//! beside it ([`super::green`]).

use std::sync::Arc;
use std::time::Instant;

use tenure_core::{
    Catalog, Change, INDEX_FORMAT, IndexCheckpointError, IndexPiece, Ledger, Position,
};
use tenure_journal::{
    IndexCheckpoints, Journal, Manifest, Pieces, Reader, RowError, Senseless, Unusable,
};
use tenure_wire::v1::RULES_VERSION;

use super::error::StartError;
use super::replay::{Progress, catch_up, rebuild};
use crate::metrics::Metrics;

/// What is done with index checkpoints
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Checkpointing {
    /// None is read or written
    Off,
    /// They are read, and none is written
    Read,
    /// They are read, and written in the background
    Write {
        /// Percent of one processor that writing takes at most, 1 to 100
        share: u8,
    },
}

/// Why a checkpoint makes no sense
#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error("its format is {0}, which this program does not know")]
    Format(u32),
    #[error("its rules are version {0}, this program's are {RULES_VERSION}")]
    Rules(u32),
    #[error("its index is of another position than it says")]
    Position,
    #[error("a piece cannot be read")]
    Piece(#[source] Unusable),
    #[error("the journal cannot be read")]
    Journal(#[source] tenure_journal::Error),
    #[error("the journal's entry at position {0} cannot be read")]
    Row(Position, #[source] RowError),
    #[error("the journal has no catalogue at position {0}")]
    NoCatalog(Position),
    #[error("the journal does not go on from it")]
    Tail(#[source] StartError),
}

type PieceItem = Result<IndexPiece, ReadError>;
type CatalogAt<'a> = dyn FnMut(Position) -> Result<Arc<Catalog>, ReadError> + 'a;

/// What a part of a checkpoint could not be read for
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct ReadError(#[from] LoadError);

type Decode = fn(
    &str,
    &mut dyn Iterator<Item = PieceItem>,
    &mut CatalogAt<'_>,
) -> Result<Ledger, IndexCheckpointError<ReadError>>;

/// How a format is read
#[derive(Clone, Copy, Debug)]
struct Decoder {
    format: u32,
    decode: Decode,
}

fn decode_1(
    name: &str,
    pieces: &mut dyn Iterator<Item = PieceItem>,
    catalog_at: &mut CatalogAt<'_>,
) -> Result<Ledger, IndexCheckpointError<ReadError>> {
    tenure_core::ledger_from_index(name, pieces, catalog_at)
}

/// The formats that can be read; one of them is written
#[derive(Clone, Debug)]
pub(super) struct Formats {
    /// The one that is written
    pub(super) current: u32,
    readable: Vec<Decoder>,
}

impl Default for Formats {
    fn default() -> Self {
        let current = INDEX_FORMAT;
        Self { current, readable: vec![Decoder { format: current, decode: decode_1 }] }
    }
}

impl Formats {
    /// Without the older ones: what would serve from one meanwhile folds the journal instead
    pub(super) fn without_older(mut self) -> Self {
        self.readable.retain(|decoder| decoder.format == self.current);
        self
    }
}

#[cfg(test)]
impl Formats {
    /// Those of a program that came later: what this one writes can be read, and is not current
    pub(super) fn of_a_later_program() -> Self {
        let mut later = Self::default();
        later.current += 1;
        later.readable.push(Decoder { format: later.current, decode: decode_1 });
        later
    }

    /// Those of a program that came later and does not read what this one writes
    pub(super) fn of_a_much_later_program() -> Self {
        Self::of_a_later_program().without_older()
    }
}

/// The checkpoints of a ledger that runs
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) checkpoints: IndexCheckpoints,
    /// The one that it was made of
    pub(super) last: Option<Manifest>,
}

impl Stored {
    /// Whether the ledger is one that was folded, or made of the format that is written
    pub(super) fn is_current(&self, formats: &Formats) -> bool {
        self.last.as_ref().is_none_or(|last| last.format == formats.current)
    }
}

/// A ledger that has all that its journal holds
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) ledger: Ledger,
    /// `None` if nothing is done with checkpoints
    pub(super) stored: Option<Stored>,
}

/// Makes a ledger of the newest checkpoint that makes sense and of what the journal has beyond it, or of the
/// whole journal; other checkpoints are discarded, with a line in the log
///
/// # Errors
/// As [`rebuild`].
/// # Cost
/// O(checkpoint and entries beyond it), or O(entries).
pub(super) fn begin(
    journal: &Journal,
    checkpointing: Checkpointing,
    formats: &Formats,
    metrics: &Metrics,
    progress: &mut impl FnMut(Progress),
) -> Result<Begun, StartError> {
    let (name, reader) = (journal.ledger(), journal.reader());
    if checkpointing == Checkpointing::Off {
        return Ok(Begun { ledger: rebuild(name, &reader, progress)?, stored: None });
    }
    let began = Instant::now();
    let checkpoints = IndexCheckpoints::of(journal);
    let loaded = checkpoints
        .load(|manifest, pieces| read(name, manifest, pieces, formats, &reader, progress));
    let Some((manifest, ledger)) = loaded else {
        let ledger = rebuild(name, &reader, progress)?;
        return Ok(Begun { ledger, stored: Some(Stored { checkpoints, last: None }) });
    };
    metrics.checkpoint(&manifest);
    let newest = ledger.newest_position().map_or(0, Position::get);
    tracing::info!(
        position = manifest.position,
        beyond = newest.saturating_sub(manifest.position),
        format = manifest.format,
        seconds = began.elapsed().as_secs_f64(),
        "the index was read from its checkpoint, and what the journal has beyond it was folded"
    );
    Ok(Begun { ledger, stored: Some(Stored { checkpoints, last: Some(manifest) }) })
}

/// Makes the ledger of that name of a checkpoint's pieces and of what the journal has beyond it
pub(super) fn read(
    name: &str,
    manifest: &Manifest,
    pieces: &mut Pieces<'_>,
    formats: &Formats,
    reader: &Reader,
    progress: &mut impl FnMut(Progress),
) -> Result<Ledger, Senseless> {
    let decoder = formats.readable.iter().find(|decoder| decoder.format == manifest.format);
    let decoder = decoder.ok_or(LoadError::Format(manifest.format))?;
    if manifest.rules != RULES_VERSION {
        return Err(LoadError::Rules(manifest.rules).into());
    }
    let mut pieces = pieces
        .map(|piece| piece.map(IndexPiece).map_err(|error| ReadError(LoadError::Piece(error))));
    let mut ledger =
        (decoder.decode)(name, &mut pieces, &mut |at| catalog_at(reader, at).map_err(ReadError))?;
    if ledger.newest_position().map_or(0, Position::get) != manifest.position {
        return Err(LoadError::Position.into());
    }
    catch_up(&mut ledger, reader, progress).map_err(LoadError::Tail)?;
    Ok(ledger)
}

/// The catalogue that an entry published
fn catalog_at(reader: &Reader, position: Position) -> Result<Arc<Catalog>, LoadError> {
    if reader.newest().is_none_or(|newest| position > newest) {
        return Err(LoadError::NoCatalog(position));
    }
    let row = reader.row(position).map_err(LoadError::Journal)?;
    let entry = row.entry().map_err(|error| LoadError::Row(position, error))?;
    let published = entry.as_ref().and_then(|entry| {
        entry.changes().iter().find_map(|change| match change {
            Change::PublishCatalog { catalog } => Some(Arc::clone(catalog)),
            _ => None,
        })
    });
    published.ok_or(LoadError::NoCatalog(position))
}
