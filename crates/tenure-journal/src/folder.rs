//! Which ledger does this folder belong to?
//!
//! A data folder says which format it has and which ledger it belongs to. One process at a time holds it. Beside
//! the store it keeps a witness, a file with the last acknowledged position: a store that has lost its tail looks
//! sound, and only the witness shows the loss.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::private;

/// The format of the data folders that this program writes
pub const FORMAT: u32 = 1;

const IDENTITY_FILE: &str = "tenure.json";
const LOCK_FILE: &str = "lock";
pub(crate) const WITNESS_FILE: &str = "acknowledged";
/// The folder of sled's files within a data folder
pub(crate) const STORE_FOLDER: &str = "journal";

/// Why a data folder cannot be used
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It cannot be read or written
    #[error("the data folder `{}` cannot be used: {what}", path.display())]
    Io {
        /// What failed
        what: &'static str,
        /// The folder
        path: PathBuf,
        /// Why
        #[source]
        source: io::Error,
    },
    /// Another process holds it
    #[error(
        "the data folder `{}` is held by another process: ask that process (`--server`), or stop it first",
        .0.display()
    )]
    Held(PathBuf),
    /// A newer program wrote it
    #[error(
        "the data folder `{}` has format {found}, and this program reads formats up to {FORMAT}: use a newer \
         program",
        path.display()
    )]
    NewerFormat {
        /// The folder
        path: PathBuf,
        /// Its format
        found: u32,
    },
    /// It belongs to another ledger
    #[error(
        "the data folder `{}` belongs to the ledger `{found}`, not to `{wanted}`: name that ledger, or \
         another folder",
        path.display()
    )]
    OtherLedger {
        /// The folder
        path: PathBuf,
        /// Its ledger
        found: String,
        /// The ledger asked for
        wanted: String,
    },
    /// It contains something else
    #[error(
        "the folder `{}` is not empty, and it is no data folder of a ledger (it has no `{IDENTITY_FILE}`): \
         name an empty folder",
        .0.display()
    )]
    NotOurs(PathBuf),
    /// The file that names its ledger cannot be read
    #[error(
        "`{}` is damaged, so it is not known which ledger the folder belongs to: put back a copy of the file",
        .0.display()
    )]
    Identity(PathBuf),
}

/// The format of a folder; in a newer format nothing else is read
#[derive(Deserialize)]
struct Format {
    format: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    format: u32,
    ledger: String,
    /// CRC-32 (IEEE) of `format` and `ledger`, with a line feed between them
    checksum: u32,
}

impl Identity {
    fn new(ledger: &str) -> Self {
        let checksum = crc32fast::hash(format!("{FORMAT}\n{ledger}").as_bytes());
        Self { format: FORMAT, ledger: ledger.to_owned(), checksum }
    }

    /// Reads the identity of a folder
    fn read(folder: &Path, path: &Path, bytes: &[u8]) -> Result<Self, FolderError> {
        let damaged = || FolderError::Identity(path.to_owned());
        let Format { format: found } = serde_json::from_slice(bytes).map_err(|_| damaged())?;
        if found > FORMAT {
            return Err(FolderError::NewerFormat { path: folder.to_owned(), found });
        }
        let identity: Self = serde_json::from_slice(bytes).map_err(|_| damaged())?;
        let sound = Self::new(&identity.ledger);
        if identity.format != FORMAT || identity.checksum != sound.checksum {
            return Err(damaged());
        }
        Ok(identity)
    }
}

/// A data folder that this process holds
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    ledger: String,
    /// The lock is held while this file is open
    _lock: File,
}

fn io_error<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> FolderError + 'a {
    move |source| FolderError::Io { what, path: path.to_owned(), source }
}

impl Folder {
    /// Takes the lock on a folder; a new or empty folder becomes the folder of that ledger
    ///
    /// With `None` the folder may belong to any ledger.
    pub(crate) fn open(path: &Path, ledger: Option<&str>) -> Result<Self, FolderError> {
        private::create_folder(path).map_err(io_error("it cannot be made", path))?;
        let identity_path = path.join(IDENTITY_FILE);
        let identity = match fs::read(&identity_path) {
            Ok(bytes) => Some(Identity::read(path, &identity_path, &bytes)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(io_error("it cannot be read", path)(error)),
        };
        let lock = private::open(&path.join(LOCK_FILE))
            .map_err(io_error("its lock cannot be opened", path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => FolderError::Held(path.to_owned()),
            TryLockError::Error(error) => io_error("it cannot be locked", path)(error),
        })?;
        let ledger = match identity {
            Some(found) => match ledger {
                Some(wanted) if wanted != found.ledger => {
                    return Err(FolderError::OtherLedger {
                        path: path.to_owned(),
                        found: found.ledger,
                        wanted: wanted.to_owned(),
                    });
                }
                _ => found.ledger,
            },
            None => {
                let others = fs::read_dir(path).map_err(io_error("it cannot be read", path))?;
                // A start that was killed may have left these.
                let beside = format!("{IDENTITY_FILE}{}", private::BESIDE);
                let ours = |name: &std::ffi::OsStr| {
                    [LOCK_FILE, &beside, "lost+found"].iter().any(|known| name == *known)
                };
                if others.flatten().any(|file| !ours(&file.file_name())) {
                    return Err(FolderError::NotOurs(path.to_owned()));
                }
                let ledger = ledger.unwrap_or("default").to_owned();
                let text = serde_json::to_vec(&Identity::new(&ledger)).map_err(io::Error::from);
                text.and_then(|text| private::replace(path, IDENTITY_FILE, &text))
                    .map_err(io_error("it cannot be written", path))?;
                ledger
            }
        };
        if let Err(error) = private::keep_to_owner(path) {
            tracing::warn!(%error, path = %path.display(), "other users may look into the data folder");
        }
        Ok(Self { path: path.to_owned(), ledger, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn ledger(&self) -> &str {
        &self.ledger
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.path.join(STORE_FOLDER)
    }

    /// Free bytes on the disk of the folder
    pub(crate) fn free_bytes(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.path)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

/// A file with the last position whose flush returned
///
/// It has two slots, each with a checksum. They are written in turn, so one of them is always whole. The file is
/// not flushed: after a loss of power it may be behind the store, and never ahead of it.
#[derive(Debug)]
pub(crate) struct Witness {
    file: File,
    next_slot: u64,
    noted: u64,
}

const SLOT_BYTES: usize = 12;

impl Witness {
    /// Opens the witness and returns the position in it, 0 if there is none
    pub(crate) fn open(folder: &Folder) -> Result<(Self, u64), FolderError> {
        let path = folder.path.join(WITNESS_FILE);
        let mut file = private::open(&path).map_err(io_error(
            "its file of the last acknowledged position cannot be opened",
            &path,
        ))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io_error(
            "its file of the last acknowledged position cannot be read",
            &path,
        ))?;
        let seen: Vec<Option<u64>> = bytes.chunks(SLOT_BYTES).take(2).map(slot).collect();
        let newest = seen.iter().flatten().max().copied().unwrap_or(0);
        // The slot with the newest position stays; the other one is written next.
        let next_slot = u64::from(seen.first().copied().flatten() == Some(newest));
        Ok((Self { file, next_slot, noted: newest }, newest))
    }

    pub(crate) fn note(&mut self, position: u64) -> io::Result<()> {
        if position <= self.noted {
            return Ok(());
        }
        let number = position.to_be_bytes();
        let mut slot = Vec::with_capacity(SLOT_BYTES);
        slot.extend(number);
        slot.extend(crc32fast::hash(&number).to_be_bytes());
        self.file.seek(SeekFrom::Start(self.next_slot * SLOT_BYTES as u64))?;
        self.file.write_all(&slot)?;
        self.next_slot = 1 - self.next_slot;
        self.noted = position;
        Ok(())
    }
}

/// The position in the witness of a folder, 0 if there is none
pub(crate) fn witnessed(folder: &Path) -> io::Result<u64> {
    match fs::read(folder.join(WITNESS_FILE)) {
        Ok(bytes) => Ok(bytes.chunks(SLOT_BYTES).take(2).filter_map(slot).max().unwrap_or(0)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

fn slot(bytes: &[u8]) -> Option<u64> {
    let (number, sum) = bytes.split_at_checked(8)?;
    let sum = u32::from_be_bytes(sum.try_into().ok()?);
    (crc32fast::hash(number) == sum).then_some(())?;
    Some(u64::from_be_bytes(number.try_into().ok()?))
}
