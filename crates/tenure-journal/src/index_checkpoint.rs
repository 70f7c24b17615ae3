//! How does a start avoid folding the whole journal?
//!
//! It reads an index checkpoint, a copy of the folded index that lies beside the journal. Each checkpoint is a
//! *generation*: a folder `index/<number>` with the pieces of the index and a manifest that ties them to a
//! position of the journal. A generation is written in a folder `index/<number>.part`. When all of it is on the
//! disk, the folder gets its final name and the older generations are removed. Each generation has a folder of its
//! own because sled does not give space back: so all of them together take the space of at most two.
//!
//! A checkpoint can always be built again from the journal. If anything is wrong with one, it is discarded with a
//! line in the log, and the journal is folded instead.

mod manifest;
mod reading;
mod volume;

use std::error::Error as StdError;
use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tenure_core::Position;

use self::reading::Reading;
use self::volume::{VOLUME_BYTES_MAX, Volume, VolumeError};
use crate::journal::Journal;
use crate::private::create_folder;
use crate::row::RowError;
use crate::store::Reader;

pub use self::manifest::Manifest;

/// The folder of the checkpoints within a data folder
pub(crate) const INDEX_FOLDER: &str = "index";
const UNFINISHED: &str = "part";
/// Free space that is left to the journal: a checkpoint can be written later
pub(crate) const FREE_BYTES_MIN: u64 = 64 * 1_024 * 1_024;
/// Compressed bytes between two flushes
const FLUSH_BYTES: u64 = 8 * 1_024 * 1_024;

/// Why an index checkpoint cannot be used
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    /// sled cannot read it
    #[error("sled cannot read it")]
    Store(#[source] sled::Error),
    /// Its files cannot be read
    #[error("its files cannot be read")]
    Io(#[source] io::Error),
    /// It was never finished, or its end is lost
    #[error("it has no manifest")]
    NoManifest,
    /// Its manifest cannot be read
    #[error("its manifest is damaged, or was written by a newer program")]
    Manifest,
    /// A piece is missing or damaged
    #[error("its piece {0} is missing or damaged")]
    Piece(u32),
    /// It belongs to another ledger
    #[error("it belongs to the ledger `{0}`")]
    OtherLedger(String),
    /// The journal ends before its position
    #[error("it was taken at position {position}, and the journal ends at {newest}")]
    Ahead {
        /// Its position
        position: u64,
        /// The journal's newest position
        newest: u64,
    },
    /// The journal has another history
    #[error("the journal has another entry at its position {0}")]
    OtherHistory(u64),
    /// The journal cannot be read at its position
    #[error("the journal cannot be read at its position")]
    Journal(#[source] crate::Error),
    /// The journal's row at its position cannot be encoded
    #[error("the journal cannot be read at its position")]
    Row(#[source] RowError),
    /// Its pieces make no sense to their reader
    #[error("it makes no sense")]
    Content(#[source] Senseless),
    /// Reading it ended in a panic, in sled or in the reader of its pieces
    #[error("reading it ended in a panic")]
    Panic,
}

/// Why an index checkpoint was not written
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The disk is nearly full
    #[error("the disk has {free_bytes} bytes left, and {FREE_BYTES_MIN} are kept for the journal")]
    DiskFull {
        /// Bytes left
        free_bytes: u64,
    },
    /// sled cannot write
    #[error("sled cannot write it")]
    Store(#[source] sled::Error),
    /// A file or folder cannot be written
    #[error("its files cannot be written")]
    Io(#[source] io::Error),
    /// The journal cannot be read at its position
    #[error("the journal cannot be read at its position")]
    Journal(#[source] crate::Error),
    /// It cannot be encoded
    #[error("it cannot be encoded")]
    Encode(#[source] Box<dyn StdError + Send + Sync>),
    /// A piece is too large
    #[error("a piece of it is too large")]
    TooLarge,
    /// The caller gave it up
    #[error("there was no time to finish it")]
    GivenUp,
    /// Writing it ended in a panic
    #[error("writing it ended in a panic")]
    Panic,
}

impl From<VolumeError> for WriteError {
    fn from(error: VolumeError) -> Self {
        match error {
            VolumeError::Store(source) => Self::Store(source),
            VolumeError::Io(source) => Self::Io(source),
            VolumeError::TooLarge => Self::TooLarge,
        }
    }
}

impl From<VolumeError> for Unusable {
    fn from(error: VolumeError) -> Self {
        match error {
            VolumeError::Store(source) => Self::Store(source),
            VolumeError::Io(source) => Self::Io(source),
            // Only a write can be too large.
            VolumeError::TooLarge => Self::Manifest,
        }
    }
}

/// Why pieces make no sense
pub type Senseless = Box<dyn StdError + Send + Sync>;

/// The pieces of a checkpoint, in order; nothing follows the first error
pub type Pieces<'a> = dyn Iterator<Item = Result<Vec<u8>, Unusable>> + 'a;

/// The index checkpoints of a data folder
///
/// The journal of that folder must stay open meanwhile, because the journal holds the lock on the folder.
#[derive(Clone, Debug)]
pub struct IndexCheckpoints {
    folder: PathBuf,
    ledger: String,
    reader: Reader,
}

/// A checkpoint that was read, or why it cannot be used
pub type Loaded<T> = Result<(Manifest, T), Unusable>;

impl IndexCheckpoints {
    /// The checkpoints beside a journal
    pub fn of(journal: &Journal) -> Self {
        Self {
            folder: journal.path().join(INDEX_FOLDER),
            ledger: journal.ledger().to_owned(),
            reader: journal.reader(),
        }
    }

    /// Reads the journal
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Passes the pieces of the newest checkpoint that fits the journal to `read`
    ///
    /// A checkpoint is discarded if it does not fit, if it is damaged, or if `read` returns an error. A line in
    /// the log says which checkpoint and why. Then the one before it is tried, if there is one.
    /// # Guarantees
    /// No error and no panic, whatever the folder contains. It takes the memory of one volume at a time.
    pub fn load<T>(
        &self,
        mut read: impl FnMut(&Manifest, &mut Pieces<'_>) -> Result<T, Senseless>,
    ) -> Option<(Manifest, T)> {
        self.clear_unfinished();
        for generation in self.generations().into_iter().rev() {
            match self.attempt(generation, &mut read) {
                Ok(loaded) => return Some(loaded),
                Err(why) => self.discard(generation, &why),
            }
        }
        None
    }

    /// As [`IndexCheckpoints::load`], but only the newest checkpoint is read, and it is kept; `None` if there is none
    pub fn newest<T>(
        &self,
        mut read: impl FnMut(&Manifest, &mut Pieces<'_>) -> Result<T, Senseless>,
    ) -> Option<(PathBuf, Loaded<T>)> {
        let newest = *self.generations().last()?;
        Some((self.generation(newest), self.attempt(newest, &mut read)))
    }

    fn attempt<T>(
        &self,
        generation: u64,
        read: &mut impl FnMut(&Manifest, &mut Pieces<'_>) -> Result<T, Senseless>,
    ) -> Result<(Manifest, T), Unusable> {
        // sled 0.34 may panic when its files were changed.
        let attempt = AssertUnwindSafe(|| self.read(generation, read));
        catch_unwind(attempt).unwrap_or(Err(Unusable::Panic))
    }

    fn read<T>(
        &self,
        generation: u64,
        read: &mut impl FnMut(&Manifest, &mut Pieces<'_>) -> Result<T, Senseless>,
    ) -> Result<(Manifest, T), Unusable> {
        let path = self.generation(generation);
        let last = volumes(&path)?.checked_sub(1).ok_or(Unusable::NoManifest)?;
        let volume = Volume::open(&volume::folder(&path, last), generation)?;
        let manifest = volume.manifest()?.ok_or(Unusable::NoManifest)?;
        let manifest = Manifest::decode(&manifest)?;
        self.fits(&manifest)?;
        if manifest.volumes != last + 1 {
            return Err(Unusable::NoManifest);
        }
        drop(volume);
        let mut pieces = Reading::new(&path, generation, &manifest)?;
        let value = read(&manifest, &mut pieces).map_err(Unusable::Content)?;
        // Pieces that `read` did not take are checked too.
        for piece in pieces.by_ref() {
            piece?;
        }
        let failed = pieces.failed();
        if failed { Err(Unusable::Manifest) } else { Ok((manifest, value)) }
    }

    /// Checks that the checkpoint was taken from this journal
    fn fits(&self, manifest: &Manifest) -> Result<(), Unusable> {
        if manifest.ledger != self.ledger {
            return Err(Unusable::OtherLedger(manifest.ledger.clone()));
        }
        let newest = self.reader.newest().map_or(0, Position::get);
        let position = manifest.position;
        let place = Position::new(position).filter(|place| place.get() <= newest);
        let place = place.ok_or(Unusable::Ahead { position, newest })?;
        let row = self.reader.row(place).map_err(Unusable::Journal)?;
        if manifest::digest(place, &row).map_err(Unusable::Row)? != manifest.row {
            return Err(Unusable::OtherHistory(position));
        }
        Ok(())
    }

    /// Writes a checkpoint of the index at a position, then removes the older ones
    ///
    /// `between` is called after each piece with the time that the piece took, and says whether to go on. It may
    /// wait before it returns.
    /// # Guarantees
    /// After a crash either the whole new checkpoint is there, or the one before it.
    /// # Errors
    /// The disk is nearly full or fails, the journal has no such position, or `between` gave up. The checkpoint
    /// before it is still there.
    pub fn write(
        &self,
        (format, rules): (u32, u32),
        position: Position,
        pieces: impl Iterator<Item = Vec<u8>>,
        mut between: impl FnMut(std::time::Duration) -> ControlFlow<()>,
    ) -> Result<Manifest, WriteError> {
        self.clear_unfinished();
        let generation = self.generations().last().map_or(1, |newest| newest.saturating_add(1));
        let part = self.generation(generation).with_extension(UNFINISHED);
        let row = self.reader.row(position).map_err(WriteError::Journal)?;
        let row = manifest::digest(position, &row).map_err(|e| WriteError::Encode(Box::new(e)))?;
        let manifest = Manifest {
            format,
            rules,
            ledger: self.ledger.clone(),
            position: position.get(),
            row,
            pieces: 0,
            volumes: 0,
            raw_bytes: 0,
            stored_bytes: 0,
            written_at: 0,
            took_ms: 0,
        };
        let attempt = AssertUnwindSafe(|| {
            let manifest = self.write_part(&part, generation, manifest, pieces, &mut between)?;
            fs::rename(&part, self.generation(generation)).map_err(WriteError::Io)?;
            sync_folder(&self.folder).map_err(WriteError::Io)?;
            Ok(manifest)
        });
        let written = catch_unwind(attempt).unwrap_or(Err(WriteError::Panic));
        if written.is_ok() {
            for older in self.generations().into_iter().filter(|older| *older < generation) {
                remove(&self.generation(older));
            }
        } else {
            remove(&part);
        }
        written
    }

    fn write_part(
        &self,
        part: &Path,
        generation: u64,
        mut manifest: Manifest,
        pieces: impl Iterator<Item = Vec<u8>>,
        between: &mut impl FnMut(std::time::Duration) -> ControlFlow<()>,
    ) -> Result<Manifest, WriteError> {
        let began = Instant::now();
        if fs::symlink_metadata(&self.folder).is_ok_and(|found| !found.is_dir()) {
            remove(&self.folder);
        }
        create_folder(&self.folder).and_then(|()| create_folder(part)).map_err(WriteError::Io)?;
        let (mut in_volume, mut not_flushed) = (0, 0);
        let mut volume = self.new_volume(part, generation, &mut manifest)?;
        let mut worked = Instant::now();
        for raw in pieces {
            self.has_room()?;
            if in_volume >= VOLUME_BYTES_MAX {
                volume.flush()?;
                // One volume is open at a time. To close it is to wait for sled's threads.
                drop(volume);
                volume = self.new_volume(part, generation, &mut manifest)?;
                (in_volume, not_flushed) = (0, 0);
            }
            let stored = volume.put(manifest.pieces, &raw)?;
            manifest.pieces = manifest.pieces.checked_add(1).ok_or(WriteError::TooLarge)?;
            manifest.raw_bytes += raw.len() as u64;
            manifest.stored_bytes += stored;
            in_volume += stored;
            not_flushed += stored;
            if not_flushed >= FLUSH_BYTES {
                volume.flush()?;
                not_flushed = 0;
            }
            if between(worked.elapsed()).is_break() {
                return Err(WriteError::GivenUp);
            }
            worked = Instant::now();
        }
        volume.flush()?;
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        manifest.written_at = since_1970.as_secs();
        manifest.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let bytes = manifest.encode().map_err(|e| WriteError::Encode(Box::new(e)))?;
        volume.put_manifest(bytes)?;
        volume.flush()?;
        drop(volume);
        sync_folder(part).map_err(WriteError::Io)?;
        Ok(manifest)
    }

    fn new_volume(
        &self,
        part: &Path,
        generation: u64,
        manifest: &mut Manifest,
    ) -> Result<Volume, WriteError> {
        self.has_room()?;
        let volume = Volume::open(&volume::folder(part, manifest.volumes), generation)?;
        manifest.volumes += 1;
        Ok(volume)
    }

    fn has_room(&self) -> Result<(), WriteError> {
        let stat = self.folder.parent().map(rustix::fs::statvfs).transpose();
        let stat = stat.map_err(|error| WriteError::Io(error.into()))?;
        let free = stat.map_or(0, |stat| stat.f_bavail.saturating_mul(stat.f_frsize));
        if free < FREE_BYTES_MIN { Err(WriteError::DiskFull { free_bytes: free }) } else { Ok(()) }
    }

    /// Removes all checkpoints and returns how many there were
    ///
    /// # Errors
    /// A checkpoint cannot be removed.
    pub fn discard_all(&self) -> io::Result<usize> {
        let count = self.generations().len();
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                fs::remove_file(&self.folder)?;
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(count)
    }

    /// Removes a checkpoint and logs why
    fn discard(&self, generation: u64, why: &Unusable) {
        let causes = std::iter::successors(Some(why as &dyn StdError), |&error| error.source());
        let why = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
        let path = self.generation(generation);
        tracing::warn!(checkpoint = %path.display(), why, "an index checkpoint is discarded");
        remove(&path);
    }

    /// The numbers of the finished generations, oldest first
    fn generations(&self) -> Vec<u64> {
        let mut found: Vec<u64> = names(&self.folder).filter_map(|name| number(&name)).collect();
        found.sort_unstable();
        found
    }

    fn clear_unfinished(&self) {
        for name in names(&self.folder) {
            let stem = name.strip_suffix(UNFINISHED).and_then(|stem| stem.strip_suffix('.'));
            if stem.and_then(number).is_some() {
                remove(&self.folder.join(name));
            }
        }
    }

    fn generation(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:010}"))
    }
}

/// How many volumes a generation has
fn volumes(generation: &Path) -> Result<u32, Unusable> {
    // A folder that cannot be read is an error: `names` would show it as empty.
    fs::read_dir(generation).map_err(Unusable::Io)?;
    let newest = names(generation).filter_map(|name| name.parse::<u32>().ok()).max();
    Ok(newest.map_or(0, |newest| newest.saturating_add(1)))
}

fn number(name: &str) -> Option<u64> {
    let digits = name.len() >= 10 && name.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| name.parse().ok()).flatten()
}

/// The names in a folder; none if it cannot be read
fn names(folder: &Path) -> impl Iterator<Item = String> + use<> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.file_name().into_string().ok())
}

/// Removes a generation that is no longer needed; if that fails, a later start tries again
fn remove(path: &Path) {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    if let Err(error) = removed
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "an index checkpoint cannot be removed");
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
