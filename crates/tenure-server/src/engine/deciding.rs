//! What does the fold make of messages, and which rows come of it?

use std::cell::RefCell;
use std::collections::HashMap;

use tenure_core::{Entry, Fingerprint, Kept, Ledger, Position, Recorded, Submission};
use tenure_journal::{Journal, Payload, Row, RowError};
use tenure_log::{Message, Receipt};
use tenure_wire::codec::Encoded;
use tenure_wire::message::Item;

/// Entries that are taken from the log at once
pub(super) const BATCH_ENTRIES_MAX: usize = 8_192;

/// Lets the fold decide on messages that another clock stamped, and writes them: a made-up history, or one
/// that is restored
///
/// # Errors
/// As [`Journal::commit`]; the ledger is ahead of the journal then, and not to be used.
pub fn record(
    journal: &mut Journal,
    ledger: &mut Ledger,
    messages: Vec<Message>,
) -> Result<(), tenure_journal::Error> {
    let reader = journal.reader();
    let (rows, _) = decide(ledger, |position| reader.row(position), messages)?;
    journal.commit(&rows)
}

pub(super) type Answers = Vec<(tenure_log::Waiter, Vec<Receipt>)>;

/// What was found out of earlier entries: a message may ask for the same one many times
#[derive(Default)]
pub(crate) struct Contents(RefCell<HashMap<Position, Fingerprint>>);

impl Contents {
    /// The fingerprint of an entry; it is read once
    ///
    /// # Errors
    /// Those of `read`.
    pub(crate) fn of<E>(
        &self,
        position: Position,
        read: impl FnOnce() -> Result<Fingerprint, E>,
    ) -> Result<Fingerprint, E> {
        if let Some(found) = self.0.borrow().get(&position) {
            return Ok(*found);
        }
        let found = read()?;
        self.0.borrow_mut().insert(position, found);
        Ok(found)
    }
}

/// The rows of a journal, and those that are not written yet
struct Rows<'r, R> {
    /// The position of the first row that is not written yet
    first: Position,
    unwritten: &'r [Row],
    written: &'r R,
    contents: &'r Contents,
}

impl<R: Fn(Position) -> Result<Row, tenure_journal::Error>> Rows<'_, R> {
    fn unwritten(&self, position: Position) -> Option<&Row> {
        let ahead = position.get().checked_sub(self.first.get())?;
        self.unwritten.get(usize::try_from(ahead).ok()?)
    }

    fn read<T>(
        &self,
        position: Position,
        read: impl FnOnce(&Row) -> Result<T, RowError>,
    ) -> Result<T, tenure_journal::Error> {
        let found = match self.unwritten(position) {
            Some(row) => read(row),
            None => read(&(self.written)(position)?),
        };
        found.map_err(|source| tenure_journal::Error::Unreadable { position, source })
    }
}

impl<R: Fn(Position) -> Result<Row, tenure_journal::Error>> Kept for Rows<'_, R> {
    type Error = tenure_journal::Error;

    fn content(&self, position: Position) -> Result<Fingerprint, tenure_journal::Error> {
        self.contents.of(position, || self.read(position, content))
    }

    fn entry(&self, position: Position) -> Result<Option<Entry>, tenure_journal::Error> {
        self.read(position, Row::entry)
    }
}

/// Lets the fold decide, in the order of the log; `kept` reads a row that the journal has, where the fold must know
/// an earlier entry
///
/// # Errors
/// An earlier entry that cannot be read; the ledger is ahead of the journal then.
pub(super) fn decide(
    ledger: &mut Ledger,
    kept: impl Fn(Position) -> Result<Row, tenure_journal::Error>,
    messages: Vec<Message>,
) -> Result<(Vec<Row>, Answers), tenure_journal::Error> {
    let first = ledger.next_position();
    let mut rows: Vec<Row> = Vec::new();
    let mut answers = Answers::new();
    let contents = Contents::default();
    for message in messages {
        // Clocks step back; what the log recorded does not.
        let recorded_at = ledger
            .newest_recorded_at()
            .map_or(message.stamped_at, |newest| newest.max(message.stamped_at));
        let mut receipts = message.waiter.is_some().then(Vec::new);
        let mut origin = message.origin;
        for item in message.entries {
            let position = ledger.next_position();
            let (payload, submission) = taken(item);
            let client = &message.submitter;
            // As of the position before: an entry of the same message may have made or unmade the door.
            let (submitter, door) = match &message.caller {
                Some(caller) if ledger.is_door(client, recorded_at) => {
                    (caller.clone(), Some(client.clone()))
                }
                _ => (client.clone(), None),
            };
            let recorded = Recorded { recorded_at, submitter, submission };
            let earlier = Rows { first, unwritten: &rows, written: &kept, contents: &contents };
            // Only who waits for an answer hears of notes, and pays for them.
            let (outcome, notes) = match receipts {
                Some(_) => ledger.apply_noting(&recorded, &earlier)?,
                None => (ledger.apply_with(&recorded, &earlier)?, Vec::new()),
            };
            if let Some(receipts) = &mut receipts {
                let entry = match recorded.submission {
                    Submission::Entry(entry, _) => Some(entry),
                    Submission::Malformed => None,
                };
                let outcome = outcome.clone();
                receipts.push(Receipt { position, recorded_at, entry, outcome, notes });
            }
            let (submitter, origin) = (recorded.submitter, origin.take());
            rows.push(Row { recorded_at, submitter, door, outcome, payload, origin });
        }
        answers.extend(message.waiter.zip(receipts));
    }
    Ok((rows, answers))
}

/// The fingerprint of an entry that the journal holds
pub(super) fn content(row: &Row) -> Result<Fingerprint, RowError> {
    match &row.payload {
        Payload::Entry(bytes) => Encoded::from_canonical(bytes)
            .map(|encoded| encoded.fingerprint())
            .map_err(RowError::Entry),
        Payload::Malformed { .. } => Ok(Fingerprint::NONE),
    }
}

/// What is kept of an item, and what the fold is told
fn taken(item: Item) -> (Payload, Submission) {
    match item {
        Item::Entry(entry) => {
            let (bytes, submission) = entry.into_parts();
            (Payload::Entry(bytes), submission)
        }
        Item::Malformed { raw, reading } => {
            (Payload::Malformed { raw, reading }, Submission::Malformed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_once_however_often_it_is_asked_for() {
        let (contents, mut reads) = (Contents::default(), 0);
        for _ in 0..3 {
            let found = contents.of(Position::FIRST, || {
                reads += 1;
                Ok::<_, std::convert::Infallible>(Fingerprint::NONE)
            });
            assert_eq!(found, Ok(Fingerprint::NONE));
        }
        assert_eq!(reads, 1);
    }
}
