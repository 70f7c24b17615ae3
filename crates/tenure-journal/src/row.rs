//! What does the journal keep of one position of the log?
//!
//! It keeps the submitted bytes for ever, with the time at which they were recorded and their outcome. A row is
//! MessagePack with fields by their place; a new version adds its fields at the end.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use tenure_core::{
    Entry, Original, Outcome, Position, Recorded, RecordedAt, Refusal, RefusalCode, Submission,
};
use tenure_wire::codec::{self, Encoded};
use tenure_wire::message::Origin;

/// The submitted bytes
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Payload {
    /// The canonical encoding of an entry
    Entry(Vec<u8>),
    /// Bytes that could not be decoded, as they came, and why
    Malformed {
        /// The bytes
        raw: Vec<u8>,
        /// A sentence
        message: String,
    },
}

/// One position of the log
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// When the log recorded it
    pub recorded_at: RecordedAt,
    /// What became of it
    pub outcome: Outcome,
    /// What was submitted
    pub payload: Payload,
    /// The message of the stream that begins with this row, where a stream is the log; the rows after it that
    /// have none came in the same message
    pub origin: Option<Origin>,
}

/// Why bytes cannot be read as a row
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// They cannot be decoded
    #[error("the row cannot be decoded")]
    Decode(#[source] rmp_serde::decode::Error),
    /// They cannot be encoded
    #[error("the row cannot be encoded")]
    Encode(#[source] rmp_serde::encode::Error),
    /// They contain something that no row contains
    #[error("the row says {0}")]
    Content(&'static str),
    /// The entry in it cannot be read
    #[error("the entry of the row cannot be read")]
    Entry(#[source] codec::Malformed),
}

#[derive(Serialize, Deserialize)]
struct StoredRefusal(String, Option<u16>, String);

#[derive(Serialize, Deserialize)]
struct StoredRow {
    recorded_at: i64,
    /// 0 applied, 1 refused, 2 duplicate
    outcome: u8,
    /// Its own, or that of the original
    refusal: Option<StoredRefusal>,
    original: Option<u64>,
    /// Why it is malformed
    malformed: Option<String>,
    bytes: ByteBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<StoredOrigin>,
}

#[derive(Serialize, Deserialize)]
struct StoredOrigin(u64, ByteBuf);

impl Row {
    /// The row as the fold takes it
    ///
    /// # Errors
    /// The entry cannot be read; in a sound journal every entry can.
    pub fn recorded(&self) -> Result<Recorded, RowError> {
        let submission = match &self.payload {
            Payload::Entry(bytes) => {
                Encoded::from_canonical(bytes).map_err(RowError::Entry)?.into_submission()
            }
            Payload::Malformed { message, .. } => {
                Submission::Malformed { message: message.clone() }
            }
        };
        Ok(Recorded { recorded_at: self.recorded_at, submission })
    }

    /// The entry in it; `None` for what could not be decoded
    ///
    /// # Errors
    /// As [`Row::recorded`].
    /// # Cost
    /// Less than [`Row::recorded`]: nothing is hashed.
    pub fn entry(&self) -> Result<Option<Entry>, RowError> {
        match &self.payload {
            Payload::Entry(bytes) => {
                codec::entry_from_canonical(bytes).map(Some).map_err(RowError::Entry)
            }
            Payload::Malformed { .. } => Ok(None),
        }
    }

    /// Number of submitted bytes
    pub(crate) fn submitted_bytes(&self) -> usize {
        match &self.payload {
            Payload::Entry(bytes) => bytes.len(),
            Payload::Malformed { raw, message } => raw.len() + message.len(),
        }
    }

    /// Appends its encoding
    pub(crate) fn encode(&self, into: &mut Vec<u8>) -> Result<(), RowError> {
        let refusal = |refusal: &Refusal| {
            let change = refusal.change.and_then(|change| u16::try_from(change).ok());
            StoredRefusal(refusal.code.as_str().to_owned(), change, refusal.message.clone())
        };
        let (outcome, refusal, original) = match &self.outcome {
            Outcome::Applied => (0, None, None),
            Outcome::Refused(why) => (1, Some(refusal(why)), None),
            Outcome::Duplicate(original) => {
                (2, original.refusal.as_ref().map(refusal), Some(original.position.get()))
            }
        };
        let (malformed, bytes) = match &self.payload {
            Payload::Entry(bytes) => (None, bytes),
            Payload::Malformed { raw, message } => (Some(message.clone()), raw),
        };
        let stored = StoredRow {
            recorded_at: self.recorded_at.micros(),
            outcome,
            refusal,
            original,
            malformed,
            bytes: ByteBuf::from(bytes.as_slice()),
            origin: self.origin.map(|origin| {
                StoredOrigin(origin.sequence, ByteBuf::from(origin.digest.as_slice()))
            }),
        };
        rmp_serde::encode::write(into, &stored).map_err(RowError::Encode)
    }

    /// Reads so many rows
    pub(crate) fn decode_all(mut bytes: &[u8], count: usize) -> Result<Vec<Self>, RowError> {
        let mut rows = Vec::with_capacity(count.min(4_096));
        for _ in 0..count {
            let stored: StoredRow =
                rmp_serde::decode::from_read(&mut bytes).map_err(RowError::Decode)?;
            rows.push(Self::from_stored(stored)?);
        }
        if bytes.is_empty() { Ok(rows) } else { Err(RowError::Content("more than it should")) }
    }

    fn from_stored(stored: StoredRow) -> Result<Self, RowError> {
        let refusal = |StoredRefusal(code, change, message): StoredRefusal| {
            let code = RefusalCode::parse(&code).ok_or(RowError::Content("an unknown code"))?;
            Ok(Refusal { code, change: change.map(usize::from), message })
        };
        let refusal = stored.refusal.map(refusal).transpose()?;
        let outcome = match (stored.outcome, refusal, stored.original.and_then(Position::new)) {
            (0, None, None) => Outcome::Applied,
            (1, Some(refusal), None) => Outcome::Refused(refusal),
            (2, refusal, Some(position)) => Outcome::Duplicate(Original { position, refusal }),
            _ => return Err(RowError::Content("an outcome that is none")),
        };
        let payload = match stored.malformed {
            None => Payload::Entry(stored.bytes.into_vec()),
            Some(message) => Payload::Malformed { raw: stored.bytes.into_vec(), message },
        };
        let recorded_at = RecordedAt::saturating_from_micros(stored.recorded_at);
        if recorded_at.micros() != stored.recorded_at {
            return Err(RowError::Content("a time outside 1970 to 9999"));
        }
        let origin = stored.origin.map(|StoredOrigin(sequence, digest)| {
            let digest = digest.as_slice().try_into();
            let digest = digest.map_err(|_| RowError::Content("a digest of another length"))?;
            Ok(Origin { sequence, digest })
        });
        Ok(Self { recorded_at, outcome, payload, origin: origin.transpose()? })
    }
}
