//! What does the journal keep of one position of the log?
//!
//! It keeps the submitted bytes for ever, with the time at which they were recorded and their outcome. A row is
//! MessagePack with fields by their place; a new version adds its fields at the end.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use tenure_core::{
    Entry, Original, Outcome, Position, Principal, Reason, Recorded, RecordedAt, Refusal,
    Submission,
};
use tenure_wire::codec::{self, Encoded};
use tenure_wire::message::{Origin, Reading};

/// The submitted bytes
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Payload {
    /// The canonical encoding of an entry
    Entry(Vec<u8>),
    /// Bytes that could not be decoded
    Malformed {
        /// The bytes as they came
        raw: Vec<u8>,
        /// How they were read
        reading: Reading,
    },
}

/// One position of the log
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// When the log recorded it
    pub recorded_at: RecordedAt,
    /// Who handed it in
    pub submitter: Principal,
    /// The client that spoke for the submitter, if the submitter did not hand it in itself
    pub door: Option<Principal>,
    /// What became of it
    pub outcome: Outcome,
    /// What was submitted
    pub payload: Payload,
    /// The message of the stream that begins with this row, where a stream is the log; the rows after it that
    /// have none came in the same message
    pub origin: Option<Origin>,
}

/// Who handed in a row, and the door that spoke for it
pub(crate) type Submitters = (Principal, Option<Principal>);

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

/// The change, then the reason in parts
#[derive(Serialize, Deserialize)]
struct StoredRefusal(Option<u16>, String, Vec<u64>, Vec<Arc<str>>);

/// Its place and when it was recorded
#[derive(Serialize, Deserialize)]
struct StoredOriginal(u64, i64);

#[derive(Serialize, Deserialize)]
struct StoredRow {
    recorded_at: i64,
    /// `None` if both are those of the row before, in the same block
    submitter: Option<StoredSubmitter>,
    /// 0 applied, 1 refused, 2 duplicate
    outcome: u8,
    /// Its own, or that of the original
    refusal: Option<StoredRefusal>,
    original: Option<StoredOriginal>,
    /// How what is malformed was read
    malformed: Option<String>,
    bytes: ByteBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<StoredOrigin>,
}

/// The submitter, and the door that spoke for it
#[derive(Serialize, Deserialize)]
struct StoredSubmitter(Arc<str>, Option<Arc<str>>);

#[derive(Serialize, Deserialize)]
struct StoredOrigin(u64, ByteBuf);

fn recorded_at(micros: i64) -> Result<RecordedAt, RowError> {
    let at = RecordedAt::saturating_from_micros(micros);
    if at.micros() == micros {
        Ok(at)
    } else {
        Err(RowError::Content("a time outside 1970 to 9999"))
    }
}

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
            Payload::Malformed { .. } => Submission::Malformed,
        };
        let (recorded_at, submitter) = (self.recorded_at, self.submitter.clone());
        Ok(Recorded { recorded_at, submitter, submission })
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
            Payload::Malformed { raw, .. } => raw.len(),
        }
    }

    /// Who handed it in, and the door that spoke for it
    pub(crate) fn submitters(&self) -> Submitters {
        (self.submitter.clone(), self.door.clone())
    }

    /// Whether these handed it in
    pub(crate) fn is_of(&self, submitters: &Submitters) -> bool {
        let (submitter, door) = submitters;
        *submitter == self.submitter && *door == self.door
    }

    /// Appends its encoding, after a row that these handed in
    pub(crate) fn encode(
        &self,
        before: Option<&Submitters>,
        into: &mut Vec<u8>,
    ) -> Result<(), RowError> {
        let refusal = |refusal: &Refusal| {
            let change = refusal.change.and_then(|change| u16::try_from(change).ok());
            let (name, numbers, texts) = refusal.reason.parts();
            StoredRefusal(change, name.to_owned(), numbers, texts)
        };
        let (outcome, refusal, original) = match &self.outcome {
            Outcome::Applied => (0, None, None),
            Outcome::Refused(why) => (1, Some(refusal(why)), None),
            Outcome::Duplicate(original) => {
                let (position, at) = (original.position.get(), original.recorded_at.micros());
                (2, original.refusal.as_ref().map(refusal), Some(StoredOriginal(position, at)))
            }
        };
        let (malformed, bytes) = match &self.payload {
            Payload::Entry(bytes) => (None, bytes),
            Payload::Malformed { raw, reading } => (Some(reading.as_str().to_owned()), raw),
        };
        let same = before.is_some_and(|before| self.is_of(before));
        let stored = StoredRow {
            recorded_at: self.recorded_at.micros(),
            submitter: (!same).then(|| {
                let door = self.door.as_ref().map(|door| door.as_str().into());
                StoredSubmitter(self.submitter.as_str().into(), door)
            }),
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
        let mut rows: Vec<Self> = Vec::with_capacity(count.min(4_096));
        for _ in 0..count {
            let stored: StoredRow =
                rmp_serde::decode::from_read(&mut bytes).map_err(RowError::Decode)?;
            let principal = |text: &Arc<str>| {
                Principal::parse(text)
                    .map_err(|_| RowError::Content("a submitter that is no principal"))
            };
            let submitters = match &stored.submitter {
                Some(StoredSubmitter(submitter, door)) => {
                    (principal(submitter)?, door.as_ref().map(principal).transpose()?)
                }
                None => {
                    rows.last().map(Self::submitters).ok_or(RowError::Content("no submitter"))?
                }
            };
            rows.push(Self::from_stored(stored, submitters)?);
        }
        if bytes.is_empty() { Ok(rows) } else { Err(RowError::Content("more than it should")) }
    }

    fn from_stored(stored: StoredRow, (submitter, door): Submitters) -> Result<Self, RowError> {
        let refusal = |StoredRefusal(change, name, numbers, texts): StoredRefusal| {
            let reason = Reason::from_parts(&name, &numbers, &texts);
            let reason = reason.ok_or(RowError::Content("an unknown reason"))?;
            Ok(Refusal { change: change.map(usize::from), reason })
        };
        let refusal = stored.refusal.map(refusal).transpose()?;
        let outcome = match (stored.outcome, refusal, stored.original) {
            (0, None, None) => Outcome::Applied,
            (1, Some(refusal), None) => Outcome::Refused(refusal),
            (2, refusal, Some(StoredOriginal(position, at))) => Outcome::Duplicate(Original {
                position: Position::new(position).ok_or(RowError::Content("position 0"))?,
                recorded_at: recorded_at(at)?,
                refusal,
            }),
            _ => return Err(RowError::Content("an outcome that is none")),
        };
        let payload = match stored.malformed {
            None => Payload::Entry(stored.bytes.into_vec()),
            Some(reading) => Payload::Malformed {
                raw: stored.bytes.into_vec(),
                reading: Reading::parse(&reading),
            },
        };
        let recorded_at = recorded_at(stored.recorded_at)?;
        let origin = stored.origin.map(|StoredOrigin(sequence, digest)| {
            let digest = digest.as_slice().try_into();
            let digest = digest.map_err(|_| RowError::Content("a digest of another length"))?;
            Ok(Origin { sequence, digest })
        });
        let origin = origin.transpose()?;
        Ok(Self { recorded_at, submitter, door, outcome, payload, origin })
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{Just, Strategy, any};
    use proptest::{option, prop_assert_eq, prop_oneof, proptest, sample::select};
    use tenure_core::{Attribute, LedgerOperation, Level};

    use super::*;

    fn positions() -> impl Strategy<Value = Position> {
        (1..=u64::MAX).prop_map(|n| Position::new(n).unwrap())
    }

    fn times() -> impl Strategy<Value = RecordedAt> {
        (0..=RecordedAt::LAST.micros()).prop_map(RecordedAt::saturating_from_micros)
    }

    /// Every reason, with whatever it may hold
    fn reasons() -> impl Strategy<Value = Reason> {
        let alone = select(vec![
            Reason::Malformed,
            Reason::BadTime,
            Reason::UnknownEntry,
            Reason::UnknownLevel,
            Reason::UnknownParent,
            Reason::LevelExists,
            Reason::UnfitParent,
            Reason::ParentWithin,
            Reason::RoleExists,
            Reason::UnknownRoleCollection,
            Reason::RoleCollectionExists,
            Reason::Predefined,
            Reason::AccessWithTime,
            Reason::NoAdministrator,
            Reason::LedgerStays,
            Reason::NoCustomRoles,
            Reason::OwnApplication,
            Reason::NoCustomRoleCollections,
            Reason::NotGrantedAlone,
            Reason::NoAuthorizations,
            Reason::OwnRoleToSet,
            Reason::UnknownPrincipal,
            Reason::EmptyInterval,
            Reason::NotHeld,
            Reason::AlreadyHeld,
        ]);
        let applications = vec(any::<String>().prop_map(Arc::from), 0..10);
        prop_oneof![
            alone,
            positions().prop_map(|owner| Reason::IdReused { owner }),
            positions().prop_map(|owner| Reason::NotApplied { owner }),
            positions().prop_map(|void| Reason::AlreadyVoided { void }),
            any::<usize>().prop_map(|nth| Reason::UnknownRole { nth }),
            any::<usize>().prop_map(|nth| Reason::OwnRoleInCollection { nth }),
            (select(LedgerOperation::ALL.to_vec()), select(vec!["ledger:main", "subaccount:dev"]))
                .prop_map(|(operation, at)| Reason::Forbidden {
                    operation,
                    at: Level::parse(at).unwrap(),
                }),
            (any::<usize>(), applications, any::<usize>()).prop_map(|(nth, applications, more)| {
                Reason::AmbiguousRole { nth, applications, more }
            }),
            select(Attribute::ALL.to_vec())
                .prop_map(|attribute| Reason::ForeignAttribute { attribute }),
        ]
    }

    fn refusals() -> impl Strategy<Value = Refusal> {
        (option::of(0..256_usize), reasons())
            .prop_map(|(change, reason)| Refusal { change, reason })
    }

    fn rows() -> impl Strategy<Value = Row> {
        let original = (positions(), times(), option::of(refusals()));
        let outcome = prop_oneof![
            Just(Outcome::Applied),
            refusals().prop_map(Outcome::Refused),
            original.prop_map(|(position, recorded_at, refusal)| {
                Outcome::Duplicate(Original { position, recorded_at, refusal })
            }),
        ];
        let reading = select(Reading::ALL.to_vec());
        let payload = prop_oneof![
            any::<Vec<u8>>().prop_map(Payload::Entry),
            (any::<Vec<u8>>(), reading)
                .prop_map(|(raw, reading)| Payload::Malformed { raw, reading }),
        ];
        let origin = (any::<u64>(), any::<[u8; 16]>())
            .prop_map(|(sequence, digest)| Origin { sequence, digest });
        let submitters = select(vec!["client:tenure/local", "client:nats/a b/c", "user:corp/p@x"])
            .prop_map(|text| Principal::parse(text).unwrap());
        let door = option::of(select(vec!["client:nats/ledger", "client:nats/crm"]));
        let door = door.prop_map(|text| text.map(|text| Principal::parse(text).unwrap()));
        (times(), submitters, door, outcome, payload, option::of(origin)).prop_map(
            |(recorded_at, submitter, door, outcome, payload, origin)| Row {
                recorded_at,
                submitter,
                door,
                outcome,
                payload,
                origin,
            },
        )
    }

    proptest! {
        #[test]
        fn a_row_is_read_as_it_was_written(written in vec(rows(), 1..6)) {
            let mut bytes = Vec::new();
            let mut before = None;
            for row in &written {
                row.encode(before.as_ref(), &mut bytes).unwrap();
                before = Some(row.submitters());
            }
            prop_assert_eq!(Row::decode_all(&bytes, written.len()).unwrap(), written);
        }
    }
}
