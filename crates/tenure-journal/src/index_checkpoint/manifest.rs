//! What does an index checkpoint say of itself?
//!
//! Its manifest says which ledger it belongs to, at which position of the journal it was taken, which format its
//! pieces have, and how many there are. The manifest is written last: a checkpoint without one was never finished.
//!
//! ```text
//! version 1 byte | checksum 4 | MessagePack, fields by their place
//! ```
//! The checksum is CRC-32 (IEEE) of what follows it.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tenure_core::Position;

use super::Unusable;
use crate::row::{Row, RowError};

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 5;

/// What an index checkpoint says of itself
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The format of its pieces
    pub format: u32,
    /// The version of the rules by which its ledger was folded
    pub rules: u32,
    /// The name of the ledger
    pub ledger: String,
    /// The position at which it was taken
    pub position: u64,
    /// SHA-256 of the journal's row at that position, which differs when the history differs
    pub row: [u8; 32],
    /// Number of pieces
    pub pieces: u32,
    /// Number of volumes that hold the pieces
    pub volumes: u32,
    /// Bytes of the pieces
    pub raw_bytes: u64,
    /// Bytes of the pieces, compressed
    pub stored_bytes: u64,
    /// When it was written, in seconds since 1970
    pub written_at: u64,
    /// How long it took to write it, in milliseconds, with all pauses
    pub took_ms: u64,
}

impl Manifest {
    pub(super) fn encode(&self) -> Result<Vec<u8>, rmp_serde::encode::Error> {
        let content = rmp_serde::to_vec(self)?;
        let mut value = Vec::with_capacity(HEADER_BYTES + content.len());
        value.push(VERSION);
        value.extend(crc32fast::hash(&content).to_be_bytes());
        value.extend(content);
        Ok(value)
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self, Unusable> {
        let (head, content) = value.split_at_checked(HEADER_BYTES).ok_or(Unusable::Manifest)?;
        match head {
            [VERSION, sum @ ..] if *sum == crc32fast::hash(content).to_be_bytes() => {}
            _ => return Err(Unusable::Manifest),
        }
        rmp_serde::from_slice(content).map_err(|_| Unusable::Manifest)
    }
}

/// The digest by which a journal's row at a position is recognised
pub(super) fn digest(position: Position, row: &Row) -> Result<[u8; 32], RowError> {
    let mut bytes = position.get().to_be_bytes().to_vec();
    row.encode(None, &mut bytes)?;
    Ok(Sha256::digest(&bytes).into())
}
