//! When are written rows on the disk?
//!
//! They are when sled has flushed and all of its files are synchronised. A [`Flusher`] may do that in a thread of
//! its own, while the journal writes more.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tenure_core::Position;

use crate::folder::Witness;
use crate::journal::{Error, io_failure};
use crate::store::{Store, newest};

/// Flushes a journal
#[derive(Clone, Debug)]
pub struct Flusher {
    store: Arc<Store>,
    /// sled's main file, which its flush does not fully synchronise
    db_file: Arc<File>,
    witness: Arc<Mutex<Witness>>,
    folder: PathBuf,
}

impl Flusher {
    pub(crate) fn new(
        store: &Arc<Store>,
        db_file: &Arc<File>,
        witness: &Arc<Mutex<Witness>>,
        folder: PathBuf,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            db_file: Arc::clone(db_file),
            witness: Arc::clone(witness),
            folder,
        }
    }

    /// Waits until all that was committed before the call is on the disk
    ///
    /// # Errors
    /// sled or a file cannot be written: it is unknown what is on the disk.
    pub fn flush(&self) -> Result<(), Error> {
        let newest = newest(&self.store.blocks()).map_or(0, Position::get);
        self.sync(newest)
    }

    pub(crate) fn sync(&self, newest: u64) -> Result<(), Error> {
        // Bytes that are written after this line may miss the flush.
        let written_bytes = self.store.written_bytes();
        self.store.db.flush().map_err(|source| self.store.failure(newest, source))?;
        // sled's flush writes pages back (`sync_file_range` on Linux). It reaches neither the drive's cache nor
        // the file's length; this does.
        self.db_file.sync_data().map_err(|e| io_failure(&self.store.file(), e))?;
        self.sync_blobs().map_err(|e| io_failure(&self.store.path().join("blobs"), e))?;
        self.store.note_flushed(written_bytes);
        let mut witness = self.witness.lock().unwrap_or_else(PoisonError::into_inner);
        witness.note(newest).map_err(|e| io_failure(&self.folder, e))
    }

    /// Flushes the files that sled makes for large values, in a store from before blocks were cut into slices
    fn sync_blobs(&self) -> io::Result<()> {
        let folder = self.store.path().join("blobs");
        let mut any = false;
        for file in std::fs::read_dir(&folder)? {
            match File::open(file?.path()) {
                Ok(file) => file.sync_all()?,
                // sled removes a file when its value is replaced.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            any = true;
        }
        if any { File::open(&folder)?.sync_all() } else { Ok(()) }
    }
}
