//! Did two replicas make the same of the same entries?
//!
//! Each position has a digest of all that was decided up to it: the digest before, the entry's bytes, when
//! it was recorded, who handed it in, and its outcome. Equal digests mean the same history. Of a refusal it has
//! the code and the change: reasons may be told apart more finely one day, codes stay.

use std::collections::{BTreeMap, VecDeque};

use sha2::{Digest as _, Sha256};
use tenure_core::{Outcome, Position, Refusal};
use tenure_journal::{Journal, Payload, Reader, Row};

/// A digest is noted in the journal at every position that is a multiple of this
pub(super) const MARK_EVERY: u64 = 1_024;
/// Digests of the newest positions that are kept at hand
const RECENT_MAX: usize = 65_536;
/// The note of the newest position and its digest
const HEAD: &[u8] = b"digest";
const MARK: u8 = b'm';

/// The digest of a history
pub(super) type StateDigest = [u8; 16];

/// A digest as text
pub(super) fn hex(digest: &StateDigest) -> String {
    format!("{:032x}", u128::from_be_bytes(*digest))
}

/// Reads a digest's text
pub(super) fn parse(text: &str) -> Option<StateDigest> {
    let lawful = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    lawful.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(u128::to_be_bytes)
}

/// The digest of the history that a row ends
pub(super) fn next(before: &StateDigest, position: Position, row: &Row) -> StateDigest {
    let mut hasher = Sha256::new();
    hasher.update(before);
    hasher.update(position.get().to_be_bytes());
    hasher.update(row.recorded_at.micros().to_be_bytes());
    let submitter = row.submitter.as_str();
    for text in [submitter, row.door.as_ref().map_or("", |door| door.as_str())] {
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text);
    }
    let mut refusal = |kind: u8, refusal: Option<&Refusal>, original: u64| {
        let change = refusal.and_then(|r| r.change).and_then(|c| u32::try_from(c).ok());
        hasher.update([kind, u8::from(refusal.is_some()), u8::from(change.is_some())]);
        hasher.update(change.unwrap_or_default().to_be_bytes());
        hasher.update(original.to_be_bytes());
        let code = refusal.map_or("", |refusal| refusal.code().as_str());
        hasher.update((code.len() as u64).to_be_bytes());
        hasher.update(code);
    };
    match &row.outcome {
        Outcome::Applied => refusal(0, None, 0),
        Outcome::Refused(why) => refusal(1, Some(why), 0),
        Outcome::Duplicate(original) => {
            refusal(2, original.refusal.as_ref(), original.position.get());
        }
    }
    match &row.payload {
        Payload::Entry(bytes) => {
            hasher.update([0]);
            hasher.update(bytes);
        }
        Payload::Malformed { raw, .. } => {
            hasher.update([1]);
            hasher.update(raw);
        }
    }
    let mut digest = StateDigest::default();
    for (byte, from) in digest.iter_mut().zip(hasher.finalize()) {
        *byte = from;
    }
    digest
}

/// The digests of a ledger's history
///
/// All in memory, 16 bytes for 1,024 positions and for each of the newest: others are told of it while the
/// disk stands still too.
// INVARIANT (trail): the last of `recent` is the digest at `newest`; there is none while `newest` is 0.
#[derive(Debug, Default)]
pub(super) struct Trail {
    newest: u64,
    recent: VecDeque<StateDigest>,
    /// By position, those that are noted in the journal
    marks: BTreeMap<u64, StateDigest>,
}

impl Trail {
    /// The trail of what a journal holds
    ///
    /// # Errors
    /// The journal cannot be read.
    /// # Cost
    /// O(entries / 1,024); O(entries) for a journal without digests.
    pub(super) fn open(reader: &Reader) -> Result<Self, tenure_journal::Error> {
        let newest = reader.newest().map_or(0, Position::get);
        if newest == 0 {
            return Ok(Self::default());
        }
        if let Some(digest) = reader.note(HEAD)?.and_then(|note| head_at(&note, newest)) {
            let mut marks = BTreeMap::new();
            for noted in reader.notes(&[MARK]) {
                let (key, digest) = noted?;
                if let (Ok(position), Ok(digest)) = (key.try_into(), digest.try_into()) {
                    marks.insert(u64::from_be_bytes(position), digest);
                }
            }
            return Ok(Self { newest, recent: VecDeque::from([digest]), marks });
        }
        let (mut digest, mut marks) = (StateDigest::default(), BTreeMap::new());
        for row in reader.rows_from(Position::FIRST) {
            let (position, row) = row?;
            digest = next(&digest, position, &row);
            if position.get().is_multiple_of(MARK_EVERY) {
                marks.insert(position.get(), digest);
            }
        }
        Ok(Self { newest, recent: VecDeque::from([digest]), marks })
    }

    /// The newest position, and its digest
    pub(super) fn head(&self) -> (u64, StateDigest) {
        (self.newest, self.recent.back().copied().unwrap_or_default())
    }

    /// The digests of rows that follow, to be taken in when they are written; notes them with the rows
    pub(super) fn ahead(&self, rows: &[Row], journal: &mut Journal) -> Vec<StateDigest> {
        let (mut position, mut digest) = self.head();
        let mut digests = Vec::with_capacity(rows.len());
        for row in rows {
            position += 1;
            let Some(place) = Position::new(position) else { continue };
            digest = next(&digest, place, row);
            digests.push(digest);
            if position.is_multiple_of(MARK_EVERY) {
                journal.note(&mark_key(position), digest.to_vec());
            }
        }
        let head = [position.to_be_bytes().as_slice(), &digest].concat();
        journal.note(HEAD, head);
        digests
    }

    /// Takes in the digests of rows that were written
    pub(super) fn extend(&mut self, digests: Vec<StateDigest>) {
        let positions = self.newest + 1..;
        let marks = positions.zip(&digests).filter(|(at, _)| at.is_multiple_of(MARK_EVERY));
        self.marks.extend(marks.map(|(at, digest)| (at, *digest)));
        self.newest += digests.len() as u64;
        self.recent.extend(digests);
        let over = self.recent.len().saturating_sub(RECENT_MAX);
        self.recent.drain(..over);
    }

    /// The digest at a position, if it is known
    pub(super) fn at(&self, position: u64) -> Option<StateDigest> {
        let back = self.newest.checked_sub(position)?;
        let back = usize::try_from(back).ok()?;
        let recent = self.recent.len().checked_sub(back + 1).and_then(|at| self.recent.get(at));
        recent.or_else(|| self.marks.get(&position)).copied()
    }
}

fn mark_key(position: u64) -> Vec<u8> {
    [[MARK].as_slice(), &position.to_be_bytes()].concat()
}

fn head_at(note: &[u8], newest: u64) -> Option<StateDigest> {
    let (position, digest) = note.split_at_checked(8)?;
    (u64::from_be_bytes(position.try_into().ok()?) == newest).then_some(())?;
    digest.try_into().ok()
}

#[cfg(test)]
mod tests {
    use tenure_core::{Principal, Reason, RecordedAt};

    use super::*;

    fn row(bytes: &[u8], micros: i64, outcome: Outcome) -> Row {
        let recorded_at = RecordedAt::saturating_from_micros(micros);
        let (submitter, payload) = (Principal::local(), Payload::Entry(bytes.to_vec()));
        Row { recorded_at, submitter, door: None, outcome, payload, origin: None }
    }

    fn refused(change: Option<usize>, reason: Reason) -> Outcome {
        Outcome::Refused(Refusal { change, reason })
    }

    #[test]
    fn whatever_was_decided_otherwise_shows_and_a_finer_reason_does_not() {
        let zero = StateDigest::default();
        let of = |row: &Row| next(&zero, Position::FIRST, row);
        let all = [
            row(b"a", 1, Outcome::Applied),
            row(b"b", 1, Outcome::Applied),
            row(b"a", 2, Outcome::Applied),
            row(b"a", 1, refused(None, Reason::NotHeld)),
            row(b"a", 1, refused(Some(0), Reason::NotHeld)),
            row(b"a", 1, refused(Some(0), Reason::UnknownLevel)),
        ];
        let digests: std::collections::BTreeSet<_> = all.iter().map(of).collect();
        assert_eq!(digests.len(), all.len());
        assert_eq!(
            of(&row(b"a", 1, refused(Some(0), Reason::UnknownParent))),
            of(&row(b"a", 1, refused(Some(0), Reason::UnknownLevel)))
        );
    }

    #[test]
    fn the_trail_of_a_journal_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path(), None).unwrap();
        let mut trail = Trail::default();
        for n in 0..3_000_u32 {
            let rows = [row(&n.to_be_bytes(), 1, Outcome::Applied)];
            let digests = trail.ahead(&rows, &mut journal);
            journal.commit_unflushed(&mut rows.to_vec()).unwrap();
            trail.extend(digests);
        }
        let reader = journal.reader();
        let found = Trail::open(&reader).unwrap();
        assert_eq!(found.head(), trail.head());
        assert_eq!(found.at(1_024), trail.at(1_024));
        assert!(found.at(1_024).is_some() && found.at(1_025).is_none());
        assert_eq!((found.marks.len(), &found.marks), (2, &trail.marks));
        let (position, digest) = trail.head();
        assert_eq!(parse(&hex(&digest)), Some(digest));
        assert_eq!(position, 3_000);
        // As if it had been written without digests.
        journal.note(HEAD, Vec::new());
        let rows = [row(b"last", 1, Outcome::Applied)];
        journal.commit(&rows).unwrap();
        let last = Position::new(3_001).unwrap();
        let again = Trail::open(&reader).unwrap();
        assert_eq!(again.head().1, next(&digest, last, &rows[0]));
        assert_eq!(again.marks, trail.marks);
    }
}
