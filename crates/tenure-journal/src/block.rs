//! How are rows kept together?
//!
//! A block holds consecutive rows in one value. At the tail of the journal are small blocks, as they were
//! committed. Before them are segments: compressed blocks of about a thousand rows. Each block carries a checksum
//! over its first position and its content.
//!
//! ```text
//! version 1 byte | codec 1 byte | checksum 4 | first position 8 | rows 4 | raw length 4 | payload
//! ```
//! Numbers are big-endian. The checksum is CRC-32 (IEEE) of the two bytes before it and of everything after it.

use tenure_core::Position;

use crate::row::{Row, RowError, Submitters};

/// Rows of a full segment
pub(crate) const SEGMENT_ROWS_MAX: usize = 1_024;
/// Bytes of a full block's rows before they are compressed; a single row may have more
pub(crate) const BLOCK_BYTES_MAX: usize = 256 * 1_024;
/// Bytes from which on a block is compressed: a smaller one would gain little
const COMPRESS_BYTES_MIN: usize = 4 * 1_024;
/// Bytes of the largest block: a row keeps a malformed message whole, and a NATS server takes messages of at
/// most 64 MiB
const RAW_BYTES_MAX: u32 = 80 * 1_024 * 1_024;

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 22;
const CODEC_RAW: u8 = 0;
const CODEC_ZSTD: u8 = 1;
const ZSTD_LEVEL: i32 = 1;

/// Why a value cannot be read as a block
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// A newer program wrote it
    #[error("its format is {0}, and the newest format that this program reads is {VERSION}")]
    Version(u8),
    /// Its bytes are other ones than were written
    #[error("its checksum does not fit its bytes")]
    Checksum,
    /// It is shorter or longer than it says, or stands at another position
    #[error("it is not whole")]
    Shape,
    /// Its payload cannot be decompressed
    #[error("it cannot be decompressed")]
    Compression(#[source] std::io::Error),
    /// Its rows cannot be read
    #[error("its rows cannot be read")]
    Row(#[source] RowError),
}

/// Compresses blocks, with one compressor for all: to make one costs as much as to compress a small block
#[derive(Default)]
pub(crate) struct Packer(Option<zstd::bulk::Compressor<'static>>);

impl Packer {
    /// `None` if the payload cannot be compressed
    fn pack(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        if self.0.is_none() {
            self.0 = zstd::bulk::Compressor::new(ZSTD_LEVEL).ok();
        }
        self.0.as_mut()?.compress(payload).ok()
    }
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Packer").field(&self.0.is_some()).finish()
    }
}

/// Consecutive rows, encoded
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) first: Position,
    pub(crate) count: u32,
    /// The encoded rows, not compressed
    pub(crate) payload: Vec<u8>,
    /// Who handed in the row that was pushed last: the next row of the same does not repeat it
    before: Option<Submitters>,
}

impl Block {
    pub(crate) fn new(first: Position) -> Self {
        Self { first, count: 0, payload: Vec::new(), before: None }
    }

    pub(crate) fn push(&mut self, row: &Row) -> Result<(), RowError> {
        row.encode(self.before.as_ref(), &mut self.payload)?;
        if !self.before.as_ref().is_some_and(|before| row.is_of(before)) {
            self.before = Some(row.submitters());
        }
        self.count += 1;
        Ok(())
    }

    /// Adds the rows of the block that follows this one
    pub(crate) fn extend(&mut self, next: &Self) {
        self.payload.extend_from_slice(&next.payload);
        self.before.clone_from(&next.before);
        self.count += next.count;
    }

    pub(crate) fn is_full(&self) -> bool {
        self.count as usize >= SEGMENT_ROWS_MAX || self.payload.len() >= BLOCK_BYTES_MAX
    }

    /// The position after its last row
    pub(crate) fn end(&self) -> u64 {
        self.first.get() + u64::from(self.count)
    }

    pub(crate) fn rows(&self) -> Result<Vec<Row>, BlockError> {
        Row::decode_all(&self.payload, self.count as usize).map_err(BlockError::Row)
    }

    pub(crate) fn encode(&self, packer: &mut Packer) -> Vec<u8> {
        let raw_length = u32::try_from(self.payload.len()).unwrap_or(u32::MAX);
        let compressed = (self.payload.len() >= COMPRESS_BYTES_MIN)
            .then(|| packer.pack(&self.payload))
            .flatten()
            .filter(|compressed| compressed.len() < self.payload.len());
        let (codec, payload) = match &compressed {
            Some(compressed) => (CODEC_ZSTD, compressed),
            None => (CODEC_RAW, &self.payload),
        };
        let mut value = Vec::with_capacity(HEADER_BYTES + payload.len());
        value.extend([VERSION, codec, 0, 0, 0, 0]);
        value.extend(self.first.get().to_be_bytes());
        value.extend(self.count.to_be_bytes());
        value.extend(raw_length.to_be_bytes());
        value.extend_from_slice(payload);
        let sum = checksum(&value);
        for (place, byte) in value.iter_mut().skip(2).zip(sum.to_be_bytes()) {
            *place = byte;
        }
        value
    }

    /// Reads the value that is stored at a position
    pub(crate) fn decode(at: u64, value: &[u8]) -> Result<Self, BlockError> {
        let version = *value.first().ok_or(BlockError::Shape)?;
        if version > VERSION {
            return Err(BlockError::Version(version));
        }
        let stored: [u8; 4] = bytes(value, 2)?;
        if u32::from_be_bytes(stored) != checksum(value) {
            return Err(BlockError::Checksum);
        }
        let first = u64::from_be_bytes(bytes(value, 6)?);
        let count = u32::from_be_bytes(bytes(value, 14)?);
        let raw_length = u32::from_be_bytes(bytes(value, 18)?);
        let payload = value.get(HEADER_BYTES..).ok_or(BlockError::Shape)?;
        let first = Position::new(first).filter(|_| first == at && count > 0);
        let first = first.ok_or(BlockError::Shape)?;
        if raw_length > RAW_BYTES_MAX {
            return Err(BlockError::Shape);
        }
        let payload = match value.get(1) {
            Some(&CODEC_RAW) => payload.to_vec(),
            Some(&CODEC_ZSTD) => zstd::bulk::decompress(payload, raw_length as usize)
                .map_err(BlockError::Compression)?,
            _ => return Err(BlockError::Shape),
        };
        if payload.len() != raw_length as usize {
            return Err(BlockError::Shape);
        }
        Ok(Self { first, count, payload, before: None })
    }
}

fn bytes<const N: usize>(value: &[u8], at: usize) -> Result<[u8; N], BlockError> {
    value.get(at..at + N).and_then(|bytes| bytes.try_into().ok()).ok_or(BlockError::Shape)
}

fn checksum(value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(value.get(..2).unwrap_or_default());
    hasher.update(value.get(6..).unwrap_or_default());
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use tenure_core::{Original, Outcome, Principal, Reason, RecordedAt, Refusal};
    use tenure_wire::codec::Format;
    use tenure_wire::message::{Origin, Reading};

    use super::*;
    use crate::row::Payload;

    fn golden() -> Vec<Row> {
        let refusal = |change, reason| Refusal { change, reason };
        let recorded_at = RecordedAt::saturating_from_micros(1_600_000_000_000_000);
        let original = |refusal| Original { position: Position::FIRST, recorded_at, refusal };
        let applications = vec!["app".into(), "other".into()];
        let ambiguous = Reason::AmbiguousRole { nth: 3, applications, more: 0 };
        let outcomes = [
            Outcome::Applied,
            Outcome::Refused(refusal(Some(255), ambiguous)),
            Outcome::Refused(refusal(None, Reason::IdReused { owner: Position::FIRST })),
            Outcome::Duplicate(original(None)),
            Outcome::Duplicate(original(Some(refusal(Some(0), Reason::NotHeld)))),
        ];
        let row = |(n, outcome)| Row {
            recorded_at: RecordedAt::saturating_from_micros(1_700_000_000_000_000 + n),
            submitter: if n < 3 { Principal::local() } else { Principal::of_nats("hr").unwrap() },
            door: (n == 4).then(|| Principal::of_nats("ledger").unwrap()),
            outcome,
            payload: match n % 2 {
                0 => Payload::Entry(vec![0xC0, 0, 255]),
                _ => {
                    Payload::Malformed { raw: b"{".to_vec(), reading: Reading::Entry(Format::Json) }
                }
            },
            origin: None,
        };
        (0_i64..).zip(outcomes).map(row).collect()
    }

    #[test]
    fn what_was_once_written_is_read_for_ever() {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/golden/journal-block-v1.bin");
        let rows = golden();
        let mut block = Block::new(Position::new(7).unwrap());
        rows.iter().for_each(|row| block.push(row).unwrap());
        if std::env::var_os("TENURE_UPDATE").is_some() && !std::path::Path::new(path).exists() {
            std::fs::write(path, block.encode(&mut Packer::default())).unwrap();
        }
        let stored = std::fs::read(path).unwrap();
        let decoded = Block::decode(7, &stored).unwrap();
        assert_eq!(decoded.rows().unwrap(), rows);
        assert_eq!(block.encode(&mut Packer::default()), stored);
    }

    #[test]
    fn rows_say_which_message_they_came_in() {
        let mut rows = golden();
        rows[1].origin = Some(Origin { sequence: 7, digest: [9; 16] });
        let mut block = Block::new(Position::FIRST);
        rows.iter().for_each(|row| block.push(row).unwrap());
        assert_eq!(
            Block::decode(1, &block.encode(&mut Packer::default())).unwrap().rows().unwrap(),
            rows
        );
    }

    #[test]
    fn every_flipped_bit_of_a_block_is_found() {
        for copies in [1, 2_000] {
            let mut block = Block::new(Position::FIRST);
            (0..copies).for_each(|_| golden().iter().for_each(|row| block.push(row).unwrap()));
            let sound = block.encode(&mut Packer::default());
            assert_eq!(Block::decode(1, &sound).unwrap().payload, block.payload);
            for at in (0..sound.len()).step_by(1 + sound.len() / 500) {
                let mut damaged = sound.clone();
                damaged[at] ^= 1 << (at % 8);
                assert!(Block::decode(1, &damaged).is_err(), "byte {at}");
            }
            for length in (0..sound.len()).step_by(1 + sound.len() / 100) {
                assert!(Block::decode(1, &sound[..length]).is_err(), "cut to {length}");
            }
            assert!(Block::decode(2, &sound).is_err());
        }
    }
}
