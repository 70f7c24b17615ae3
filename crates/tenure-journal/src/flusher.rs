//! When is what was written on the disk?
//!
//! When sled has flushed, its file has been synchronised, and so have files that it keeps beside. This may
//! run in a thread of its own, while more is written.

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
    /// sled's own file, for what its flush leaves undone
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
    /// sled or a file cannot be written: what is on the disk is not known.
    pub fn flush(&self) -> Result<(), Error> {
        let newest = newest(&self.store.blocks()).map_or(0, Position::get);
        self.sync(newest)
    }

    pub(crate) fn sync(&self, newest: u64) -> Result<(), Error> {
        // Of what is written meanwhile nothing is known.
        let written_bytes = self.store.written_bytes();
        self.store.db.flush().map_err(|source| self.store.failure(newest, source))?;
        // sled's flush writes the pages back (`sync_file_range` on Linux) and leaves the drive's cache and
        // the file's length to this.
        self.db_file.sync_data().map_err(|e| io_failure(&self.store.file(), e))?;
        self.sync_blobs().map_err(|e| io_failure(&self.store.path().join("blobs"), e))?;
        self.store.note_flushed(written_bytes);
        let mut witness = self.witness.lock().unwrap_or_else(PoisonError::into_inner);
        witness.note(newest).map_err(|e| io_failure(&self.folder, e))
    }

    /// Flushes what sled keeps in files of their own: it does where a store has values that were not cut
    fn sync_blobs(&self) -> io::Result<()> {
        let folder = self.store.path().join("blobs");
        let mut any = false;
        for file in std::fs::read_dir(&folder)? {
            match File::open(file?.path()) {
                Ok(file) => file.sync_all()?,
                // sled removes what it has replaced.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            any = true;
        }
        if any { File::open(&folder)?.sync_all() } else { Ok(()) }
    }
}
