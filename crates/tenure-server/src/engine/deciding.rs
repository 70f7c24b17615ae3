//! What does the fold make of messages, and which rows come of it?

use tenure_core::{Fingerprint, Ledger, Position, Recorded, Submission};
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

/// Lets the fold decide, in the order of the log; `kept` reads a row that the journal has, with which an entry
/// whose id came before is compared
///
/// # Errors
/// An earlier entry with the same id that cannot be read; the ledger is ahead of the journal then.
pub(super) fn decide(
    ledger: &mut Ledger,
    kept: impl Fn(Position) -> Result<Row, tenure_journal::Error>,
    messages: Vec<Message>,
) -> Result<(Vec<Row>, Answers), tenure_journal::Error> {
    let first = ledger.next_position();
    let mut rows: Vec<Row> = Vec::new();
    let mut answers = Answers::new();
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
            let content_of = |owner: Position| match owner.get().checked_sub(first.get()) {
                None => content(&kept(owner)?, owner),
                // It is not written yet.
                Some(ahead) => {
                    let row = usize::try_from(ahead).ok().and_then(|ahead| rows.get(ahead));
                    row.map_or(Ok(Fingerprint::NONE), |row| content(row, owner))
                }
            };
            let submitter = message.submitter.clone();
            let recorded = Recorded { recorded_at, submitter, submission };
            // Only who waits for an answer hears of notes, and pays for them.
            let (outcome, notes) = match receipts {
                Some(_) => ledger.apply_noting(&recorded, content_of)?,
                None => (ledger.apply_with(&recorded, content_of)?, Vec::new()),
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
            rows.push(Row { recorded_at, submitter, outcome, payload, origin });
        }
        answers.extend(message.waiter.zip(receipts));
    }
    Ok((rows, answers))
}

/// The fingerprint of an entry that the journal holds
fn content(row: &Row, position: Position) -> Result<Fingerprint, tenure_journal::Error> {
    let unreadable = |source| tenure_journal::Error::Unreadable { position, source };
    match &row.payload {
        Payload::Entry(bytes) => Encoded::from_canonical(bytes)
            .map(|encoded| encoded.fingerprint())
            .map_err(|error| unreadable(RowError::Entry(error))),
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
