//! How do we make sure that the disk has room for the rows that the journal takes on?
//!
//! sled writes later than it is asked to. When it runs out of disk space during a write, we no longer know what it
//! has stored. So the journal reserves blocks of the file system beyond the end of sled's file. A disk that fills up
//! is then noticed before a write begins. On a file system that cannot reserve blocks, the journal only checks the
//! free space.

use std::fs::File;
use std::io;
use std::sync::Arc;

/// Bytes that are reserved beyond the end of sled's file
///
/// Rows that wait for a flush, with what sled writes beside them, seldom take more.
pub(crate) const RESERVED_BYTES: u64 = 32 * 1_024 * 1_024;

/// Bytes of the first reservation, which shows whether the file system can reserve
const TRIED_BYTES: u64 = 4_096;

/// Reserves room for sled's file
#[derive(Debug)]
pub(crate) struct Reserve {
    file: Arc<File>,
    possible: bool,
}

/// The result of an attempt to reserve room
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kept {
    /// So many bytes are reserved; 0 where the file system cannot reserve
    Room(u64),
    /// The disk is full or a quota is used up
    Full,
}

impl Reserve {
    pub(crate) fn new(file: &Arc<File>) -> Self {
        let tried = extent(file).and_then(|(length, _)| allocate(file, length, TRIED_BYTES));
        let possible = match tried {
            Err(error) if !is_full(&error) => {
                tracing::info!(%error, "this file system cannot reserve room for the journal");
                false
            }
            Ok(()) | Err(_) => true,
        };
        Self { file: Arc::clone(file), possible }
    }

    /// Makes sure that room is reserved, and takes at most so many bytes of the disk for it
    ///
    /// # Cost
    /// One look at the file's metadata. Once in a few mebibytes, one reservation.
    pub(crate) fn keep(&self, spare_bytes: u64) -> io::Result<Kept> {
        if !self.possible {
            return Ok(Kept::Room(0));
        }
        let (length, allocated) = extent(&self.file)?;
        let kept = allocated.saturating_sub(length);
        // Half of it may be used up before more is reserved, so most writes need no reservation.
        if kept >= RESERVED_BYTES / 2 {
            return Ok(Kept::Room(kept));
        }
        // With too little space, a file system may use up the rest and still report that it is full.
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

/// The length of a file, and the bytes of the disk that it takes
#[cfg(target_os = "linux")]
fn extent(file: &File) -> io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = file.metadata()?;
    // These blocks have 512 bytes on every file system.
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
