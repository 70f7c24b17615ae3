//! Where are the pieces of an index checkpoint?
//!
//! They are in volumes, sled databases of bounded size, of which one is open at a time. sled keeps in memory most
//! of what it has read or written of a database with few, large values; closing the volume gives that memory
//! back. A piece is compressed and cut into chunks. Each chunk is a value of its own, small enough for sled to keep
//! it in its main file.
//!
//! ```text
//! key    generation 8 | piece 4 | chunk 4
//! value  checksum 4 | chunks of the piece 4 | raw length of the piece 4 | bytes
//! ```
//! Numbers are big-endian. The checksum is CRC-32 (IEEE) of the key and of everything after the checksum.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Unusable;
use crate::sled_store;

/// Compressed bytes at which a volume is full
pub(super) const VOLUME_BYTES_MAX: u64 = 32 * 1_024 * 1_024;
/// A node of sled holds sixteen chunks and stays below a fourth of the segment size: sled puts a larger node into
/// a file of its own, which it does not flush
const CHUNK_BYTES: usize = 60 * 1_024;
/// Bytes of the largest piece
const PIECE_BYTES_MAX: u32 = 256 * 1_024 * 1_024;
const HEADER_BYTES: usize = 12;
const ZSTD_LEVEL: i32 = 1;
/// The piece number under which the manifest is stored
const MANIFEST: u32 = u32::MAX;

/// How long a store may be locked by what is left of the one that was dropped
const LOCKED_FOR: Duration = Duration::from_secs(5);

/// A sled database with some pieces of a generation
#[derive(Debug)]
pub(super) struct Volume {
    db: sled::Db,
    file: File,
    path: PathBuf,
    generation: u64,
}

/// Opens the store, and waits a little while it is locked
///
/// sled lets go of the lock when the last of its own threads is done with the store, which may be after the store was
/// dropped. A checkpoint that was just written would be taken for unusable.
fn opened(path: &Path) -> sled::Result<sled::Db> {
    let deadline = Instant::now() + LOCKED_FOR;
    loop {
        match sled_store::config(path, 8 * 1_024 * 1_024).open() {
            Err(sled::Error::Io(error))
                if error.to_string().contains("could not acquire lock")
                    && Instant::now() < deadline =>
            {
                std::thread::sleep(Duration::from_millis(10));
            }
            result => return result,
        }
    }
}

/// The folder of a volume within the folder of its generation
pub(super) fn folder(generation: &Path, volume: u32) -> PathBuf {
    generation.join(format!("{volume:04}"))
}

impl Volume {
    /// Opens a volume, and makes it if it is not there yet
    pub(super) fn open(path: &Path, generation: u64) -> Result<Self, VolumeError> {
        let db = opened(path).map_err(VolumeError::Store)?;
        let file = File::open(path.join("db")).map_err(VolumeError::Io)?;
        Ok(Self { db, file, path: path.to_owned(), generation })
    }

    /// Writes a piece and returns the bytes that it takes; it is on the disk after [`Volume::flush`]
    pub(super) fn put(&self, piece: u32, raw: &[u8]) -> Result<u64, VolumeError> {
        let length = u32::try_from(raw.len()).ok().filter(|length| *length <= PIECE_BYTES_MAX);
        let length = length.ok_or(VolumeError::TooLarge)?;
        let compressed = zstd::bulk::compress(raw, ZSTD_LEVEL).map_err(VolumeError::Io)?;
        let mut batch = sled::Batch::default();
        let chunks: Vec<&[u8]> = compressed.chunks(CHUNK_BYTES).collect();
        let count = u32::try_from(chunks.len()).map_err(|_| VolumeError::TooLarge)?;
        for (chunk, bytes) in (0_u32..).zip(chunks) {
            let key = self.key(piece, chunk);
            let mut value = Vec::with_capacity(HEADER_BYTES + bytes.len());
            value.extend([0; 4]);
            value.extend(count.to_be_bytes());
            value.extend(length.to_be_bytes());
            value.extend_from_slice(bytes);
            let sum = checksum(&key, &value);
            for (place, byte) in value.iter_mut().zip(sum.to_be_bytes()) {
                *place = byte;
            }
            batch.insert(&key, value);
        }
        self.db.apply_batch(batch).map_err(VolumeError::Store)?;
        Ok(compressed.len() as u64)
    }

    /// Reads a piece; `None` if it is not in this volume
    pub(super) fn get(&self, piece: u32) -> Result<Option<Vec<u8>>, Unusable> {
        let mut compressed = Vec::new();
        let mut chunk = 0;
        loop {
            let key = self.key(piece, chunk);
            let damaged = || Unusable::Piece(piece);
            let Some(value) = self.db.get(key).map_err(Unusable::Store)? else {
                return if chunk == 0 { Ok(None) } else { Err(damaged()) };
            };
            let (sum, rest) = value.split_first_chunk::<4>().ok_or_else(damaged)?;
            let (count, rest) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
            let (length, bytes) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
            if u32::from_be_bytes(*sum) != checksum(&key, &value) {
                return Err(damaged());
            }
            let (count, length) = (u32::from_be_bytes(*count), u32::from_be_bytes(*length));
            if length > PIECE_BYTES_MAX {
                return Err(damaged());
            }
            compressed.extend_from_slice(bytes);
            chunk += 1;
            if chunk >= count {
                let raw = zstd::bulk::decompress(&compressed, length as usize);
                return raw.map(Some).map_err(|_| damaged());
            }
        }
    }

    pub(super) fn put_manifest(&self, manifest: Vec<u8>) -> Result<(), VolumeError> {
        self.db.insert(self.key(MANIFEST, 0), manifest).map_err(VolumeError::Store)?;
        Ok(())
    }

    pub(super) fn manifest(&self) -> Result<Option<sled::IVec>, Unusable> {
        self.db.get(self.key(MANIFEST, 0)).map_err(Unusable::Store)
    }

    /// Waits until all that was written is on the disk
    pub(super) fn flush(&self) -> Result<(), VolumeError> {
        self.db.flush().map_err(VolumeError::Store)?;
        // As in the journal: sled's flush reaches neither the drive's cache nor the file's length.
        self.file.sync_all().map_err(VolumeError::Io)?;
        File::open(&self.path).and_then(|folder| folder.sync_all()).map_err(VolumeError::Io)
    }

    fn key(&self, piece: u32, chunk: u32) -> [u8; 16] {
        let mut key = [0; 16];
        let parts = self.generation.to_be_bytes().into_iter();
        let parts = parts.chain(piece.to_be_bytes()).chain(chunk.to_be_bytes());
        for (place, byte) in key.iter_mut().zip(parts) {
            *place = byte;
        }
        key
    }
}

/// Why a volume cannot be opened or written
#[derive(Debug)]
pub(super) enum VolumeError {
    Store(sled::Error),
    Io(io::Error),
    TooLarge,
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(value.get(4..).unwrap_or_default());
    hasher.finalize()
}
