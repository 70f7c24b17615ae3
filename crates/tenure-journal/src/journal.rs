//! Where do rows go, and when are they safe?

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tenure_core::{Position, RecordedAt};
use tenure_wire::message::Origin;

use crate::block::{BLOCK_BYTES_MAX, Block, BlockError, Packer, SEGMENT_ROWS_MAX};
use crate::flusher::Flusher;
use crate::folder::{Folder, FolderError, Witness};
use crate::origin::anchor_value;
use crate::private;
use crate::reserve::{Kept, RESERVED_BYTES, Reserve};
use crate::row::{Row, RowError};
use crate::slices;
use crate::store::{Blocks, Reader, Store, failure, newest, note_key, remove_unfinished, sync_new};

/// Where a copy of the store is read before sled may repair the store itself
const LOOK_FOLDER: &str = "journal.look";
/// The key of the newest position
const CURSOR: &[u8] = b"cursor";
/// The key of the place that was last brought in line with the stream
pub(crate) const ANCHOR: &[u8] = b"anchor";
/// Free space below which nothing is written: sled needs room to finish what it began, and the tail to be gathered
const FREE_BYTES_MIN: u64 = 16 * 1_024 * 1_024;
/// Blocks at the tail before they are gathered into segments
const TAIL_BLOCKS_MAX: usize = 256;
/// Bytes of their rows
const TAIL_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// So many times the bytes of rows are written until they lie where they stay: sled writes a piece, then its
/// neighbours with it, again and again (4.5 times the bytes at most were seen)
const WRITTEN_FACTOR: u64 = 6;

/// Why the journal did not do what it was asked
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder cannot be used; nothing was changed
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// sled cannot read or write
    #[error("the store `{}` failed", path.display())]
    Store {
        /// Its folder
        path: PathBuf,
        /// Why
        #[source]
        source: sled::Error,
    },
    /// A file beside sled's cannot be read or written
    #[error("the file `{}` failed", path.display())]
    Io {
        /// The file or folder
        path: PathBuf,
        /// Why
        #[source]
        source: io::Error,
    },
    /// What is read is not what was written
    #[error(
        "the journal is damaged from position {position} on, in `{}`: {problem}; put \
         back a copy of the data folder, and keep this one for study",
        path.display()
    )]
    Damaged {
        /// The first position that cannot be trusted
        position: u64,
        /// The file
        path: PathBuf,
        /// What is wrong
        problem: String,
    },
    /// The disk is nearly full; nothing was written
    #[error(
        "the disk of `{}` has {free_bytes} bytes left, and {needed_bytes} are needed: make room",
        path.display()
    )]
    DiskFull {
        /// The data folder
        path: PathBuf,
        /// Bytes left
        free_bytes: u64,
        /// Bytes that must be left before anything is written
        needed_bytes: u64,
    },
    /// An earlier write failed, so what is on the disk is not known
    #[error("an earlier write failed: start again, which reads what is there")]
    Failed,
    /// A row that was read cannot be made sense of
    #[error("the entry at position {position} cannot be read")]
    Unreadable {
        /// Its position
        position: Position,
        /// Why
        #[source]
        source: RowError,
    },
    /// A row cannot be encoded; nothing was written
    #[error("a row cannot be encoded")]
    Row(#[source] RowError),
}

impl Error {
    /// Whether what is read is not what was written: a log elsewhere can give it again
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }
}

/// The journal of one ledger, in a data folder that this process holds
///
/// # Guarantees
/// When [`Journal::commit`] returns `Ok`, the rows are on the disk. When it returns an error, they are
/// there whole or not at all, and [`Journal::open`] tells which. Positions are dense.
// INVARIANT (cursor): the last block of `store` ends where the cursor says, and not before the witness.
#[derive(Debug)]
pub struct Journal {
    store: Arc<Store>,
    /// sled's own file, for what its flush leaves undone
    db_file: Arc<File>,
    witness: Arc<Mutex<Witness>>,
    /// The first positions of the blocks that are not yet gathered
    tail: Vec<u64>,
    /// Bytes of their rows, as far as they were written since it was opened
    tail_bytes: usize,
    newest_recorded_at: Option<RecordedAt>,
    failed: bool,
    /// Something was committed and not flushed
    unflushed: bool,
    /// What is written with the next rows
    notes: Vec<(Vec<u8>, Vec<u8>)>,
    /// What is written with those that are pending
    pending_notes: Vec<(Vec<u8>, Vec<u8>)>,
    packer: Packer,
    reserve: Reserve,
    /// Last, so that the lock is given back when sled is closed
    folder: Folder,
}

impl Journal {
    /// Opens the journal of a data folder; one that does not exist or is empty becomes that ledger's
    ///
    /// # Errors
    /// A folder that is held, read-only, of another ledger or a newer format; a store that is damaged or
    /// has lost what was acknowledged. Nothing is changed then.
    pub fn open(path: &Path, ledger: Option<&str>) -> Result<Self, Error> {
        let folder = Folder::open(path, ledger)?;
        let store = folder.store();
        let new = !store.join("db").exists();
        let (witness, acknowledged) = Witness::open(&folder)?;
        if new && acknowledged > 0 {
            return Err(Error::Damaged {
                position: 1,
                path: store.clone(),
                problem: format!("it is gone, and {acknowledged} positions were acknowledged"),
            });
        }
        if new {
            let free_bytes = folder.free_bytes().map_err(|e| io_failure(path, e))?;
            let needed_bytes = FREE_BYTES_MIN + RESERVED_BYTES;
            if free_bytes < needed_bytes {
                let path = path.to_owned();
                return Err(Error::DiskFull { path, free_bytes, needed_bytes });
            }
        }
        remove_unfinished(&store).map_err(|e| io_failure(&store, e))?;
        let looked = if new { None } else { look(&folder, acknowledged)? };
        private::create_folder(&store).map_err(|e| io_failure(&store, e))?;
        let db = open_store(&store, &store)?;
        if acknowledged == 0 {
            sync_new(&store).map_err(|e| io_failure(&store, e))?;
        }
        let db_path = store.join("db");
        let db_file = File::options().read(true).write(true).open(&db_path);
        let db_file = Arc::new(db_file.map_err(|e| io_failure(&db_path, e))?);
        let reserve = Reserve::new(&db_file);
        let store = Arc::new(Store::new(db, store));
        let tail = match looked {
            Some(Layout { blocks, tail }) => {
                *store.blocks_mut() = blocks;
                tail
            }
            None => {
                let read = read_layout(&store, acknowledged);
                let Layout { blocks, tail } = read.map_err(|error| match error {
                    Error::Damaged { position, path, problem } => {
                        let problem = format!(
                            "{problem} (there was no room to read a copy first, so the store may have been \
                             cut there)"
                        );
                        Error::Damaged { position, path, problem }
                    }
                    other => other,
                })?;
                *store.blocks_mut() = blocks;
                tail
            }
        };
        let mut journal = Self {
            store,
            db_file,
            witness: Arc::new(Mutex::new(witness)),
            tail,
            tail_bytes: 0,
            newest_recorded_at: None,
            failed: false,
            unflushed: false,
            notes: Vec::new(),
            pending_notes: Vec::new(),
            packer: Packer::default(),
            reserve,
            folder,
        };
        if let Some(position) = journal.newest() {
            journal.newest_recorded_at = Some(journal.reader().row(position)?.recorded_at);
        }
        Ok(journal)
    }

    /// What reads it while it is written
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.store))
    }

    /// The ledger that it is of
    pub fn ledger(&self) -> &str {
        self.folder.ledger()
    }

    /// The data folder
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The newest position, if there is one
    pub fn newest(&self) -> Option<Position> {
        self.store.newest()
    }

    /// When the newest row was recorded, if there is one
    pub fn newest_recorded_at(&self) -> Option<RecordedAt> {
        self.newest_recorded_at
    }

    /// Keeps a value under a key, in the same batch as the next rows; see [`Reader::note`]
    pub fn note(&mut self, key: &[u8], value: Vec<u8>) {
        self.notes.push((note_key(key), value));
    }

    /// Notes that the row at a position ends that message of the stream: its rows came in another one first,
    /// which the stream has lost
    ///
    /// # Errors
    /// As [`Journal::commit`].
    pub fn anchor(&mut self, position: Position, origin: Origin) -> Result<(), Error> {
        self.write_pending()?;
        let newest = self.newest().map_or(0, Position::get);
        let mut batch = sled::Batch::default();
        batch.insert(ANCHOR, anchor_value(position, origin));
        self.write(batch, newest, Flush::Now)
    }

    /// Whether there is room for what was taken on, and for rows with so many submitted bytes more
    ///
    /// # Errors
    /// The disk is nearly full, or an earlier write failed.
    pub fn writable(&mut self, more_bytes: usize) -> Result<(), Error> {
        if self.failed {
            return Err(Error::Failed);
        }
        let to_write_bytes = (self.store.pending().bytes + more_bytes) as u64;
        let rows_bytes = to_write_bytes + self.store.unflushed_bytes();
        let written_bytes = rows_bytes.saturating_mul(WRITTEN_FACTOR);
        let path = self.folder.path();
        let free = || self.folder.free_bytes().map_err(|e| io_failure(path, e));
        let full = |free_bytes, needed_bytes| {
            Err(Error::DiskFull { path: path.to_owned(), free_bytes, needed_bytes })
        };
        let free_bytes = free()?;
        let spare = free_bytes.saturating_sub(FREE_BYTES_MIN);
        match self.reserve.keep(spare).map_err(|e| io_failure(path, e))? {
            Kept::Full => full(free_bytes, FREE_BYTES_MIN + RESERVED_BYTES.max(written_bytes)),
            // Most rows find room in what is kept; what it has just taken is no longer free.
            Kept::Room(kept) => {
                let free_bytes = free()?;
                let needed_bytes = FREE_BYTES_MIN + written_bytes.saturating_sub(kept);
                if free_bytes < needed_bytes { full(free_bytes, needed_bytes) } else { Ok(()) }
            }
        }
    }

    /// Writes rows at the end and flushes them to the disk
    ///
    /// # Guarantees
    /// On `Ok` they are on the disk. On [`Error::DiskFull`] and [`Error::Row`] nothing was written. On any
    /// other error it is not known whether they are, and nothing more is written until the journal is
    /// opened again.
    /// # Cost
    /// One flush, however many rows; once in 256 calls the tail is gathered into segments.
    pub fn commit(&mut self, rows: &[Row]) -> Result<(), Error> {
        self.write_pending()?;
        let Some(last) = rows.last() else { return Ok(()) };
        self.writable(rows.iter().map(Row::submitted_bytes).sum())?;
        let notes = std::mem::take(&mut self.notes);
        self.add(rows, notes, Flush::Now)?;
        self.newest_recorded_at = Some(last.recorded_at);
        Ok(())
    }

    /// Takes rows on, to be written with others and flushed later: for rows that a log elsewhere has
    ///
    /// Tells what was written meanwhile.
    /// # Guarantees
    /// On `Ok` they are read here; after a crash those are there that came before some row, which is at or
    /// after the last that [`Journal::write_pending`] wrote before a flush.
    /// # Errors
    /// As [`Journal::write_pending`]; the rows are left with the caller then.
    /// # Cost
    /// A write for about a thousand rows.
    pub fn commit_unflushed(&mut self, rows: &mut Vec<Row>) -> Result<Written, Error> {
        let is_full = {
            let pending = self.store.pending();
            pending.rows.len() >= SEGMENT_ROWS_MAX || pending.bytes >= BLOCK_BYTES_MAX
        };
        let written = if is_full { self.write_pending()? } else { Written::default() };
        let first = self.newest().map_or(Position::FIRST, Position::next);
        self.newest_recorded_at =
            rows.last().map(|row| row.recorded_at).or(self.newest_recorded_at);
        self.store.pending_mut().extend(rows, first);
        self.pending_notes.append(&mut self.notes);
        Ok(written)
    }

    /// Whether there are rows that were taken on and not written
    pub fn has_pending(&self) -> bool {
        !self.store.pending().rows.is_empty()
    }

    /// Writes the rows that were taken on
    ///
    /// # Errors
    /// As [`Journal::commit`]; on [`Error::DiskFull`] nothing was written, and they are still read.
    pub fn write_pending(&mut self) -> Result<Written, Error> {
        if !self.has_pending() {
            return Ok(Written::default());
        }
        self.writable(0)?;
        let store = Arc::clone(&self.store);
        let written = {
            let pending = store.pending();
            let notes = std::mem::take(&mut self.pending_notes);
            self.add(&pending.rows, notes, Flush::Later)?;
            Written { rows: pending.rows.len(), bytes: pending.bytes }
        };
        store.pending_mut().clear();
        Ok(written)
    }

    /// Waits until all that was committed is on the disk
    ///
    /// # Errors
    /// As [`Journal::commit`].
    pub fn flush(&mut self) -> Result<(), Error> {
        if self.failed {
            return Err(Error::Failed);
        }
        self.write_pending()?;
        match self.newest() {
            Some(newest) if self.unflushed => self.sync(newest.get()),
            _ => Ok(()),
        }
    }

    /// What flushes from another thread what was committed unflushed
    pub fn flusher(&self) -> Flusher {
        let folder = self.folder.path().to_owned();
        Flusher::new(&self.store, &self.db_file, &self.witness, folder)
    }

    fn add(
        &mut self,
        rows: &[Row],
        notes: Vec<(Vec<u8>, Vec<u8>)>,
        flush: Flush,
    ) -> Result<(), Error> {
        let written = newest(&self.store.blocks());
        let mut next = written.map_or(Position::FIRST, Position::next);
        let mut blocks = vec![Block::new(next)];
        for row in rows {
            if blocks.last().is_none_or(Block::is_full) {
                blocks.push(Block::new(next));
            }
            if let Some(block) = blocks.last_mut() {
                block.push(row).map_err(Error::Row)?;
            }
            next = next.next();
        }
        self.store.note_written(rows.iter().map(Row::submitted_bytes).sum());
        let mut batch = sled::Batch::default();
        for block in &blocks {
            slices::insert(&mut batch, block.first.get(), &block.encode(&mut self.packer));
        }
        for (key, value) in notes {
            batch.insert(key, value);
        }
        self.write(batch, next.get() - 1, flush)?;
        for block in &blocks {
            // A full one is a segment as it is.
            if !block.is_full() {
                self.tail.push(block.first.get());
                self.tail_bytes += block.payload.len();
            }
            self.store.blocks_mut().insert(block.first.get(), block.count);
        }
        if self.tail.len() >= TAIL_BLOCKS_MAX || self.tail_bytes >= TAIL_BYTES_MAX {
            // What was to be added is written: nobody may write it again.
            self.gather(flush).inspect_err(|_| self.failed = true)?;
        }
        Ok(())
    }

    /// Applies a batch with the cursor in it, and waits until it is on the disk if it is to be
    fn write(&mut self, mut batch: sled::Batch, newest: u64, flush: Flush) -> Result<(), Error> {
        batch.insert(CURSOR, &newest.to_be_bytes());
        // Until all of it has returned, what is on the disk is not known.
        self.failed = true;
        let failure = |source| self.store.failure(newest, source);
        self.store.db.apply_batch(batch).map_err(failure)?;
        match flush {
            Flush::Now => self.sync(newest),
            Flush::Later => {
                self.unflushed = true;
                self.failed = false;
                Ok(())
            }
        }
    }

    fn sync(&mut self, newest: u64) -> Result<(), Error> {
        self.failed = true;
        self.flusher().sync(newest)?;
        self.failed = false;
        self.unflushed = false;
        Ok(())
    }

    /// Gathers the small blocks at the tail into segments, in one atomic batch
    fn gather(&mut self, flush: Flush) -> Result<(), Error> {
        let store = Arc::clone(&self.store);
        let mut segments: Vec<Block> = Vec::new();
        let mut gathered = Vec::with_capacity(self.tail.len());
        let mut batch = sled::Batch::default();
        for first in std::mem::take(&mut self.tail) {
            let growing = segments.last_mut().filter(|s| !s.is_full() && s.end() == first);
            let value = store.value(first)?;
            let block = Block::decode(first, &value);
            let block = block.map_err(|problem| store.damaged(first, &problem))?;
            slices::remove(&mut batch, first, value.len());
            gathered.push(first);
            match growing {
                Some(segment) => segment.extend(&block),
                None => segments.push(block),
            }
        }
        // What is removed and stands again at the same key: the later of the two is what the batch does.
        for segment in &segments {
            let value = segment.encode(&mut self.packer);
            slices::insert(&mut batch, segment.first.get(), &value);
        }
        // By INVARIANT (blocks): who reads meanwhile waits.
        let mut blocks = store.blocks_mut();
        self.write(batch, newest(&blocks).map_or(0, Position::get), flush)?;
        for first in gathered {
            blocks.remove(&first);
        }
        for segment in &segments {
            blocks.insert(segment.first.get(), segment.count);
        }
        // The last one may still grow.
        let last = segments.last().filter(|last| !last.is_full());
        self.tail.extend(last.map(|last| last.first.get()));
        self.tail_bytes = last.map_or(0, |last| last.payload.len());
        store.forget_cache();
        Ok(())
    }
}

/// What was written
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Written {
    /// Rows
    pub rows: usize,
    /// Bytes of what was submitted in them
    pub bytes: usize,
}

/// When what is written is flushed
#[derive(Clone, Copy)]
enum Flush {
    Now,
    Later,
}

/// Where each block is, and which ones are not yet gathered
struct Layout {
    blocks: Blocks,
    tail: Vec<u64>,
}

/// Opens sled in a folder; errors name the store that it stands for
fn open_store(path: &Path, store: &Path) -> Result<sled::Db, Error> {
    sled::Config::new()
        .path(path)
        .cache_capacity(16 * 1_024 * 1_024)
        // A node of sixteen values stays far below a fourth of this: what is larger goes to files of its own,
        // which sled does not flush. A store that is there keeps the size that it was made with.
        .segment_size(4 * 1_024 * 1_024)
        .flush_every_ms(None)
        .open()
        .map_err(|source| failure(store, 1, source))
}

/// Reads a copy of the store, as sled repairs what it opens: at the first byte that it does not like it
/// cuts off all that follows, which may be sound
///
/// `None` if there is no room for a copy.
fn look(folder: &Folder, acknowledged: u64) -> Result<Option<Layout>, Error> {
    let store = folder.store();
    let copy = folder.path().join(LOOK_FOLDER);
    let copied = remove(&copy).and_then(|()| {
        let needed = size_of_folder(&store)? + FREE_BYTES_MIN;
        if folder.free_bytes()? < needed {
            return Ok(false);
        }
        copy_folder(&store, &copy).map(|()| true)
    });
    match copied {
        Ok(true) => {}
        Ok(false) => {
            tracing::warn!(
                "no room to read a copy of the journal first: a damage would be cut off"
            );
            return Ok(None);
        }
        Err(source) => return Err(io_failure(&copy, source)),
    }
    let read =
        open_store(&copy, &store).and_then(|db| read_layout(&Store::new(db, store), acknowledged));
    remove(&copy).map_err(|source| io_failure(&copy, source))?;
    read.map(Some)
}

fn remove(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn size_of_folder(folder: &Path) -> io::Result<u64> {
    std::fs::read_dir(folder)?.try_fold(0, |size, file| {
        let file = file?;
        let metadata = file.metadata()?;
        let more = if metadata.is_dir() { size_of_folder(&file.path())? } else { metadata.len() };
        Ok(size + more)
    })
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    private::create_folder(to)?;
    for file in std::fs::read_dir(from)? {
        let file = file?;
        let target = to.join(file.file_name());
        if file.file_type()?.is_dir() {
            copy_folder(&file.path(), &target)?;
        } else {
            std::fs::copy(file.path(), target)?;
        }
    }
    Ok(())
}

/// Reads where each block is, and compares with the cursor and the witness
fn read_layout(store: &Store, acknowledged: u64) -> Result<Layout, Error> {
    let mut layout = Layout { blocks: Blocks::new(), tail: Vec::new() };
    let mut next = 1;
    for value in slices::all(&store.db) {
        let (first, value) = value.map_err(|source| store.failure(next, source))?;
        let block = match first {
            Some(first) if first == next => Block::decode(first, &value),
            _ => Err(BlockError::Shape),
        };
        let block = block.map_err(|problem| store.damaged(next, &problem))?;
        if block.is_full() {
            layout.tail.clear();
        } else {
            layout.tail.push(block.first.get());
        }
        layout.blocks.insert(block.first.get(), block.count);
        next = block.end();
    }
    let cursor = match store.db.get(CURSOR).map_err(|source| store.failure(next, source))? {
        None => 0,
        Some(bytes) => bytes
            .as_ref()
            .try_into()
            .map(u64::from_be_bytes)
            .map_err(|_| store.damaged(next, &BlockError::Shape))?,
    };
    let newest = next - 1;
    if cursor != newest || newest < acknowledged {
        let promised = cursor.max(acknowledged);
        return Err(Error::Damaged {
            position: next,
            path: store.file(),
            problem: format!("it ends at position {newest}, and {promised} was acknowledged"),
        });
    }
    Ok(layout)
}

pub(crate) fn io_failure(path: &Path, source: io::Error) -> Error {
    Error::Io { path: path.to_owned(), source }
}
