//! Where do rows go, and when are they on the disk?

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
use crate::sled_store;
use crate::slices;
use crate::store::{Blocks, Reader, Store, failure, newest, note_key, remove_unfinished, sync_new};

/// The folder of the copy that is read first: sled may repair what it opens
const LOOK_FOLDER: &str = "journal.look";
/// The key of the newest position
const CURSOR: &[u8] = b"cursor";
/// The key of the position that was last matched with the stream
pub(crate) const ANCHOR: &[u8] = b"anchor";
/// Free space below which nothing is written: sled needs room to finish what it began, and to gather the tail
const FREE_BYTES_MIN: u64 = 16 * 1_024 * 1_024;
/// Blocks at the tail before they are gathered into segments
const TAIL_BLOCKS_MAX: usize = 256;
/// Bytes of the rows at the tail before they are gathered into segments
const TAIL_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// How many times sled may write the bytes of a row until they lie where they stay: it writes a slice again
/// together with its neighbours (4.5 times was the most that was seen)
const WRITTEN_FACTOR: u64 = 6;

/// Why the journal cannot be opened, read or written
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
    /// The bytes that were read are other ones than were written
    #[error(
        "the journal is damaged from position {position} on, in `{}`: {problem}; put \
         back a copy of the data folder, and keep this one for study",
        path.display()
    )]
    Damaged {
        /// The first position that may be damaged
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
        /// Bytes that must be left before the journal writes
        needed_bytes: u64,
    },
    /// An earlier write failed, so it is unknown what is on the disk
    #[error("an earlier write failed: start again, and the start reads what is there")]
    Failed,
    /// A row holds an entry that cannot be read
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
    /// Whether the journal is damaged: where the log is a stream, its rows can be read from there again
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }
}

/// The journal of one ledger, in a data folder that this process holds
///
/// # Guarantees
/// When [`Journal::commit`] returns `Ok`, the rows are on the disk. When it returns an error, either all of them
/// are there or none, and [`Journal::open`] finds out which. Positions are dense.
// INVARIANT (cursor): the last block of `store` ends at the cursor, and the cursor is at or after the witness.
#[derive(Debug)]
pub struct Journal {
    store: Arc<Store>,
    /// sled's main file, which its flush does not fully synchronise
    db_file: Arc<File>,
    witness: Arc<Mutex<Witness>>,
    /// The first positions of the blocks that are not yet gathered
    tail: Vec<u64>,
    /// Bytes of their rows; those from before this start are not counted
    tail_bytes: usize,
    newest_recorded_at: Option<RecordedAt>,
    failed: bool,
    /// Whether rows were committed and not flushed
    unflushed: bool,
    /// Notes that are written with the next rows
    notes: Vec<(Vec<u8>, Vec<u8>)>,
    /// Notes that are written with the pending rows
    pending_notes: Vec<(Vec<u8>, Vec<u8>)>,
    packer: Packer,
    reserve: Reserve,
    /// The last field, so that sled is closed before the lock is given back
    folder: Folder,
}

impl Journal {
    /// Opens the journal of a data folder; a new or empty folder becomes the folder of that ledger
    ///
    /// # Errors
    /// The folder is held by another process, is read-only, belongs to another ledger or has a newer format; or
    /// the store is damaged or has lost acknowledged rows. The folder is left as it was.
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

    /// A reader, which may be used while the journal is written
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.store))
    }

    /// The name of its ledger
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

    /// Stores a value under a key in the same batch as the next rows; see [`Reader::note`]
    pub fn note(&mut self, key: &[u8], value: Vec<u8>) {
        self.notes.push((note_key(key), value));
    }

    /// Notes that the row at a position is the last row of that message of the stream
    ///
    /// The row first came in another message, which the stream has lost.
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

    /// Checks that there is room for the pending rows and for rows with so many more submitted bytes
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
            // Most rows find room in the reserve. The reserve may just have grown, so free space is read again.
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
    /// On `Ok` the rows are on the disk. On [`Error::DiskFull`] and [`Error::Row`] nothing was written. On any
    /// other error it is unknown whether they are on the disk, and the journal writes nothing more until it is
    /// opened again.
    /// # Cost
    /// One flush for any number of rows. Once in 256 calls the tail is gathered into segments.
    pub fn commit(&mut self, rows: &[Row]) -> Result<(), Error> {
        self.write_pending()?;
        let Some(last) = rows.last() else { return Ok(()) };
        self.writable(rows.iter().map(Row::submitted_bytes).sum())?;
        let notes = std::mem::take(&mut self.notes);
        self.add(rows, notes, Flush::Now)?;
        self.newest_recorded_at = Some(last.recorded_at);
        Ok(())
    }

    /// Takes rows on as pending: they are written together and flushed later
    ///
    /// This is for rows that can be read from a stream again. Returns what was written on the way.
    /// # Guarantees
    /// On `Ok` a reader sees the rows. After a crash the rows up to some position are there. All rows that
    /// [`Journal::write_pending`] wrote before a flush are among them.
    /// # Errors
    /// As [`Journal::write_pending`]; the caller then keeps the rows.
    /// # Cost
    /// One write for about a thousand rows.
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

    /// Whether there are pending rows
    pub fn has_pending(&self) -> bool {
        !self.store.pending().rows.is_empty()
    }

    /// Writes the pending rows
    ///
    /// # Errors
    /// As [`Journal::commit`]; on [`Error::DiskFull`] nothing was written, and readers still see the rows.
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

    /// A flusher, which may be used from another thread
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
            // A full block is a segment already.
            if !block.is_full() {
                self.tail.push(block.first.get());
                self.tail_bytes += block.payload.len();
            }
            self.store.blocks_mut().insert(block.first.get(), block.count);
        }
        if self.tail.len() >= TAIL_BLOCKS_MAX || self.tail_bytes >= TAIL_BYTES_MAX {
            // The rows are written: the caller must not write them again.
            self.gather(flush).inspect_err(|_| self.failed = true)?;
        }
        Ok(())
    }

    /// Applies a batch together with the cursor; with [`Flush::Now`] it waits until all of it is on the disk
    fn write(&mut self, mut batch: sled::Batch, newest: u64, flush: Flush) -> Result<(), Error> {
        batch.insert(CURSOR, &newest.to_be_bytes());
        // Until everything has returned, it is unknown what is on the disk.
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
        // The same key may be removed and inserted in one batch: the later of the two counts.
        for segment in &segments {
            let value = segment.encode(&mut self.packer);
            slices::insert(&mut batch, segment.first.get(), &value);
        }
        // By INVARIANT (blocks): readers wait meanwhile.
        let mut blocks = store.blocks_mut();
        self.write(batch, newest(&blocks).map_or(0, Position::get), flush)?;
        for first in gathered {
            blocks.remove(&first);
        }
        for segment in &segments {
            blocks.insert(segment.first.get(), segment.count);
        }
        // The last segment may still grow.
        let last = segments.last().filter(|last| !last.is_full());
        self.tail.extend(last.map(|last| last.first.get()));
        self.tail_bytes = last.map_or(0, |last| last.payload.len());
        store.forget_cache();
        Ok(())
    }
}

/// How much was written
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Written {
    /// Number of rows
    pub rows: usize,
    /// Bytes that were submitted in them
    pub bytes: usize,
}

/// When a write is flushed
#[derive(Clone, Copy)]
enum Flush {
    Now,
    Later,
}

/// The place of each block, and the blocks that are not yet gathered
struct Layout {
    blocks: Blocks,
    tail: Vec<u64>,
}

/// Opens sled in a folder, the store or a copy of it; errors name the store
fn open_store(path: &Path, store: &Path) -> Result<sled::Db, Error> {
    sled_store::config(path, 16 * 1_024 * 1_024).open().map_err(|source| failure(store, 1, source))
}

/// Reads a copy of the store
///
/// sled repairs the store that it opens: at the first byte that looks wrong it cuts off everything after it, which
/// may be sound. So the copy is opened first. `None` if there is no room for a copy.
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
                "no room to read a copy of the journal first: sled would cut off damaged rows and all after them"
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

/// Reads the place of each block, and compares the end with the cursor and the witness
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
