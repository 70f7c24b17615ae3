//! How is the journal read?

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tenure_core::Position;

use crate::block::{Block, BlockError};
use crate::journal::Error;
use crate::row::Row;
use crate::slices;

/// Number of decoded blocks in the cache
const CACHE_BLOCKS_MAX: usize = 32;

/// The blocks in sled
// INVARIANT (blocks): `blocks` has the first position and row count of every stored block; each block begins
// where the one before it ends. A function that replaces blocks holds the lock of `blocks` for writing meanwhile.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) db: sled::Db,
    path: PathBuf,
    blocks: RwLock<Blocks>,
    pending: RwLock<Pending>,
    cache: Mutex<VecDeque<(u64, Arc<Vec<Row>>)>>,
    /// Submitted bytes of the rows that were written since the store was opened
    written_bytes: AtomicU64,
    /// The part of these bytes that is on the disk
    flushed_bytes: AtomicU64,
}

/// Rows that follow those in sled and are not written yet: they are written many together
// INVARIANT (pending): pending rows begin where the last block ends; they are cleared after the block that holds
// them is in `blocks`.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) rows: Vec<Row>,
    /// Bytes that were submitted in them
    pub(crate) bytes: usize,
    /// The position of the first row
    first: u64,
}

impl Pending {
    pub(crate) fn extend(&mut self, rows: &mut Vec<Row>, first: Position) {
        if self.rows.is_empty() {
            self.first = first.get();
        }
        self.bytes += rows.iter().map(Row::submitted_bytes).sum::<usize>();
        self.rows.append(rows);
    }

    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.bytes = 0;
    }

    /// The rows from a position on; none if the position is not among them
    fn from(&self, position: Position) -> &[Row] {
        let place = position.get().checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        place.and_then(|place| self.rows.get(place..)).unwrap_or_default()
    }

    fn newest(&self) -> Option<Position> {
        let count = self.rows.len() as u64;
        (count > 0).then(|| Position::new(self.first + count - 1)).flatten()
    }
}

/// The first position and the row count of each block
pub(crate) type Blocks = BTreeMap<u64, u32>;

/// The position of the last row of these blocks
pub(crate) fn newest(blocks: &Blocks) -> Option<Position> {
    let (first, count) = blocks.last_key_value()?;
    Position::new(first + u64::from(*count) - 1)
}

impl Store {
    pub(crate) fn new(db: sled::Db, path: PathBuf) -> Self {
        Self {
            db,
            path,
            blocks: RwLock::default(),
            pending: RwLock::default(),
            cache: Mutex::default(),
            written_bytes: AtomicU64::new(0),
            flushed_bytes: AtomicU64::new(0),
        }
    }

    /// Submitted bytes of the written rows that may not be on the disk yet
    pub(crate) fn unflushed_bytes(&self) -> u64 {
        self.written_bytes().saturating_sub(self.flushed_bytes.load(Ordering::Acquire))
    }

    pub(crate) fn written_bytes(&self) -> u64 {
        self.written_bytes.load(Ordering::Acquire)
    }

    pub(crate) fn note_written(&self, bytes: usize) {
        self.written_bytes.fetch_add(bytes as u64, Ordering::AcqRel);
    }

    /// Notes that the first so many written bytes are on the disk
    pub(crate) fn note_flushed(&self, written_bytes: u64) {
        self.flushed_bytes.fetch_max(written_bytes, Ordering::AcqRel);
    }

    pub(crate) fn blocks(&self) -> RwLockReadGuard<'_, Blocks> {
        self.blocks.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn blocks_mut(&self) -> RwLockWriteGuard<'_, Blocks> {
        self.blocks.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pending(&self) -> RwLockReadGuard<'_, Pending> {
        self.pending.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pending_mut(&self) -> RwLockWriteGuard<'_, Pending> {
        self.pending.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest position, written or pending
    pub(crate) fn newest(&self) -> Option<Position> {
        // Pending rows are looked at first, by INVARIANT (pending).
        let pending = self.pending().newest();
        pending.or_else(|| newest(&self.blocks()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// sled's file of pages
    pub(crate) fn file(&self) -> PathBuf {
        self.path.join("db")
    }

    pub(crate) fn forget_cache(&self) {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn failure(&self, position: u64, source: sled::Error) -> Error {
        failure(&self.path, position, source)
    }

    pub(crate) fn damaged(&self, position: u64, problem: &BlockError) -> Error {
        let problem =
            std::iter::successors(Some(problem as &dyn std::error::Error), |e| e.source())
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(": ");
        Error::Damaged { position, path: self.file(), problem }
    }

    pub(crate) fn block(&self, first: u64) -> Result<Block, Error> {
        Block::decode(first, &self.value(first)?).map_err(|problem| self.damaged(first, &problem))
    }

    /// The value of a block, which must be there
    pub(crate) fn value(&self, first: u64) -> Result<Vec<u8>, Error> {
        let value = slices::get(&self.db, first).map_err(|source| self.failure(first, source))?;
        value.ok_or_else(|| self.damaged(first, &BlockError::Shape))
    }

    fn row(&self, position: Position) -> Result<Row, Error> {
        let missing = || self.damaged(position.get(), &BlockError::Shape);
        if let Some(row) = self.pending().from(position).first() {
            return Ok(row.clone());
        }
        let blocks = self.blocks();
        let (first, _) = blocks.range(..=position.get()).next_back().ok_or_else(missing)?;
        let rows = self.rows(*first)?;
        let place = usize::try_from(position.get() - first).ok();
        place.and_then(|place| rows.get(place).cloned()).ok_or_else(missing)
    }

    /// The rows of one block, or the pending rows, from a position on; `None` after the last row
    fn rows_from(&self, position: Position) -> Result<Option<Vec<Row>>, Error> {
        // While the lock is held, no block is gathered into another.
        let blocks = self.blocks();
        if newest(&blocks).is_none_or(|newest| position > newest) {
            let rows = self.pending().from(position).to_vec();
            return Ok((!rows.is_empty()).then_some(rows));
        }
        let found = blocks.range(..=position.get()).next_back();
        let (first, _) = found.ok_or_else(|| self.damaged(position.get(), &BlockError::Shape))?;
        let block = self.block(*first)?;
        drop(blocks);
        let first = block.first.get();
        let mut rows = block.rows().map_err(|problem| self.damaged(first, &problem))?;
        let passed = usize::try_from(position.get() - first).unwrap_or(usize::MAX);
        rows.drain(..passed.min(rows.len()));
        if rows.is_empty() {
            return Err(self.damaged(position.get(), &BlockError::Shape));
        }
        Ok(Some(rows))
    }

    fn rows(&self, first: u64) -> Result<Arc<Vec<Row>>, Error> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, rows)) = cache.iter().find(|(kept, _)| *kept == first) {
            return Ok(Arc::clone(rows));
        }
        let rows = self.block(first)?.rows();
        let rows = Arc::new(rows.map_err(|problem| self.damaged(first, &problem))?);
        if cache.len() >= CACHE_BLOCKS_MAX {
            cache.pop_front();
        }
        cache.push_back((first, Arc::clone(&rows)));
        Ok(rows)
    }
}

/// An error of sled in our words, with the first position and the file that may be damaged
pub(crate) fn failure(store: &Path, position: u64, source: sled::Error) -> Error {
    match source {
        sled::Error::Io(_) => Error::Store { path: store.to_owned(), source },
        sled::Error::Corruption { .. } => Error::Damaged {
            position,
            path: store.join("db"),
            problem: "sled finds a page that is not what it wrote".to_owned(),
        },
        // sled does not recognise its own files, such as `conf`.
        other => Error::Damaged {
            position,
            path: store.to_owned(),
            problem: format!("sled does not recognise its files ({other})"),
        },
    }
}

/// The file of sled's settings: sled reads it first, and refuses to open a database that does not fit it
const SETTINGS_FILE: &str = "conf";

/// Removes the unfinished files of sled that a start left when it ended early
///
/// If a start is killed, or the disk is full during a start, every later start would fail:
/// - sled writes its own checkpoint beside and renames it. When sled 0.34 opens a database, it takes a checkpoint
///   that was not renamed for the newest one, and finds it damaged.
/// - sled writes its settings in place, before the database. Without a database the settings may be half written;
///   then no data is lost with them.
pub(crate) fn remove_unfinished(store: &Path) -> io::Result<()> {
    let files = match std::fs::read_dir(store) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        files => files?,
    };
    let begun = store.join("db").try_exists()?;
    for file in files {
        let file = file?;
        let name = file.file_name();
        let name = name.to_string_lossy();
        let unfinished = name.starts_with("snap.") && name.ends_with(".generating");
        if unfinished || (name == SETTINGS_FILE && !begun) {
            tracing::info!(%name, "removing a file that an interrupted start has left");
            std::fs::remove_file(file.path())?;
        }
    }
    Ok(())
}

/// Waits until a new store can survive a loss of power
///
/// sled does not flush its settings and the names of its files, and refuses to open a database without them.
pub(crate) fn sync_new(store: &Path) -> io::Result<()> {
    File::open(store.join(SETTINGS_FILE))?.sync_all()?;
    File::open(store)?.sync_all()?;
    store.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// The key of a note, which lies beside the blocks
pub(crate) fn note_key(key: &[u8]) -> Vec<u8> {
    [b"n", key].concat()
}

/// Reads the journal while it is written
#[derive(Clone, Debug)]
pub struct Reader {
    store: Arc<Store>,
}

impl Reader {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// The note under a key; see [`crate::Journal::note`]
    ///
    /// # Errors
    /// sled cannot read.
    pub fn note(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.meta(&note_key(key))
    }

    /// The notes whose keys have this beginning, in the order of the keys, each with the rest of its key
    ///
    /// # Errors
    /// sled cannot read.
    pub fn notes(
        &self,
        beginning: &[u8],
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), Error>> + use<> {
        let beginning = note_key(beginning);
        let store = Arc::clone(&self.store);
        self.store.db.scan_prefix(&beginning).map(move |noted| {
            let (key, value) = noted.map_err(|source| store.failure(1, source))?;
            Ok((key.get(beginning.len()..).unwrap_or_default().to_vec(), value.to_vec()))
        })
    }

    /// The value under a key beside the blocks
    pub(crate) fn meta(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let value = self.store.db.get(key).map_err(|source| self.store.failure(1, source))?;
        Ok(value.map(|value| value.to_vec()))
    }

    /// The newest position, if there is one
    pub fn newest(&self) -> Option<Position> {
        self.store.newest()
    }

    /// The row at a position
    ///
    /// # Errors
    /// [`Error::Damaged`] also if the journal has no such position: ask [`Reader::newest`] first.
    /// # Cost
    /// Decodes the block of the row, unless that block was read recently.
    pub fn row(&self, position: Position) -> Result<Row, Error> {
        self.store.row(position)
    }

    /// The rows from a position on, in order
    ///
    /// The iterator ends after the first error.
    pub fn rows_from(
        &self,
        from: Position,
    ) -> impl Iterator<Item = Result<(Position, Row), Error>> + '_ {
        let newest = self.newest();
        let mut next = Some(from);
        std::iter::from_fn(move || {
            let position = next.filter(|position| Some(*position) <= newest)?;
            let row = self.row(position);
            next = row.is_ok().then(|| position.next());
            Some(row.map(|row| (position, row)))
        })
    }

    /// The rows from a position on, in order, a block at a time, each block with its first position
    ///
    /// The iterator ends after the first error.
    /// # Cost
    /// Decodes every block once and caches none.
    pub fn blocks_from(
        &self,
        from: Position,
    ) -> impl Iterator<Item = Result<(Position, Vec<Row>), Error>> + '_ {
        let mut next = Some(from);
        std::iter::from_fn(move || {
            let position = next?;
            let rows = self.store.rows_from(position).transpose()?;
            next = rows
                .as_ref()
                .ok()
                .and_then(|rows| Position::new(position.get() + rows.len() as u64));
            Some(rows.map(|rows| (position, rows)))
        })
    }

    /// Bytes that sled's files take
    pub fn size_on_disk_bytes(&self) -> u64 {
        self.store.db.size_on_disk().unwrap_or(0)
    }
}
