//! How is there room on the disk for rows that were taken on?
//!
//! sled writes behind, and a write that finds no room is one after which nothing is known. So the blocks that
//! it will write next are taken from the file system beforehand, beyond the end of its file: a disk that fills
//! up is found before anything is written, and never in the middle. Where that cannot be done the check of
//! what is free has to do.

use std::fs::File;
use std::io;
use std::sync::Arc;

/// Bytes beyond the end of sled's file that are its own already
///
/// More than most rows that wait for a flush take, with what sled writes beside them.
pub(crate) const RESERVED_BYTES: u64 = 32 * 1_024 * 1_024;

/// Bytes by which it is found out whether room can be kept
const TRIED_BYTES: u64 = 4_096;

/// What keeps room for sled's file
#[derive(Debug)]
pub(crate) struct Reserve {
    file: Arc<File>,
    possible: bool,
}

/// What became of a try to keep room
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kept {
    /// So many bytes are sled's already, as far as can be known
    Room(u64),
    /// The disk is full, or a quota is used up
    Full,
}

impl Reserve {
    pub(crate) fn new(file: &Arc<File>) -> Self {
        let tried = extent(file).and_then(|(length, _)| allocate(file, length, TRIED_BYTES));
        let possible = match tried {
            Err(error) if !is_full(&error) => {
                tracing::info!(%error, "room for the journal cannot be kept beforehand on this file system");
                false
            }
            Ok(()) | Err(_) => true,
        };
        Self { file: Arc::clone(file), possible }
    }

    /// Makes sure of the room, of so many bytes that the disk has to spare
    ///
    /// # Cost
    /// One look at the file, but for once in a few mebibytes.
    pub(crate) fn keep(&self, spare_bytes: u64) -> io::Result<Kept> {
        if !self.possible {
            return Ok(Kept::Room(0));
        }
        let (length, allocated) = extent(&self.file)?;
        let kept = allocated.saturating_sub(length);
        // A part may be used up, so that not every write asks.
        if kept >= RESERVED_BYTES / 2 {
            return Ok(Kept::Room(kept));
        }
        // A file system that has too little may give what it has, and say that it is full.
        if spare_bytes < (length + RESERVED_BYTES).saturating_sub(allocated) {
            return Ok(Kept::Full);
        }
        match allocate(&self.file, length, RESERVED_BYTES) {
            Err(error) if is_full(&error) => Ok(Kept::Full),
            allocated => allocated.map(|()| Kept::Room(RESERVED_BYTES)),
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// A file's length, and the bytes that are taken for it
#[cfg(target_os = "linux")]
fn extent(file: &File) -> io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = file.metadata()?;
    // Of 512 bytes, whatever the file system's are.
    Ok((metadata.len(), metadata.blocks().saturating_mul(512)))
}

#[cfg(target_os = "linux")]
fn allocate(file: &File, from: u64, bytes: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    Ok(fallocate(file, FallocateFlags::KEEP_SIZE, from, bytes)?)
}

#[cfg(not(target_os = "linux"))]
fn extent(_: &File) -> io::Result<(u64, u64)> {
    Ok((0, u64::MAX))
}

#[cfg(not(target_os = "linux"))]
fn allocate(_: &File, _: u64, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
