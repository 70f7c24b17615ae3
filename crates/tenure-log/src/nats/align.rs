//! Do the journal and the stream hold the same entries?
//!
//! The quick check compares one message: the message of the journal's newest row. If the stream has no such message
//! or another one in its place, the last message that both have is searched. The entries after it are compared one
//! by one: entries that an operator has republished are equal, at equal positions, but in other messages.

use tenure_core::{Position, Principal, RecordedAt};
use tenure_journal::{Cursor, Payload, Reader, Row};
use tenure_wire::message::{Content, Item, Origin};

use super::envelope;
use super::stream::{LogStream, StreamError, message};

/// How a journal and a stream compare
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Comparison {
    /// The stream has all entries of the journal; here is the message with which the journal ends
    Same(Option<Cursor>),
    /// The stream ends before the journal does
    LostTail {
        /// The last position that both have, 0 if none
        common: u64,
        /// The journal's last position
        newest: u64,
    },
    /// The journal and the stream have different entries at a position
    OtherContent {
        /// The first position that differs
        position: u64,
        /// The stream's message at that position
        sequence: u64,
    },
    /// A message is missing before the end of the stream
    Missing {
        /// Its sequence
        sequence: u64,
    },
}

/// Why the comparison failed
#[derive(Debug, thiserror::Error)]
pub enum AlignError {
    /// The stream cannot be asked now
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The journal cannot be read
    #[error("the journal cannot be read")]
    Journal(#[from] tenure_journal::Error),
}

/// Whether the stream has exactly this message
pub(crate) async fn has(stream: &LogStream, origin: Origin) -> Result<bool, StreamError> {
    let found = message(stream, origin.sequence).await?;
    Ok(found.is_some_and(|found| Origin::new(origin.sequence, found.nanos, &found.data) == origin))
}

/// Compares a whole journal with a stream; `last` is the sequence of the stream's last message
///
/// # Cost
/// O(log positions) requests to find the last common message, then one for each message after it.
pub(crate) async fn compare(
    reader: &Reader,
    stream: &LogStream,
    ledger: &str,
    last: u64,
) -> Result<Comparison, AlignError> {
    let Some(newest) = reader.newest() else { return Ok(Comparison::Same(None)) };
    let fork = fork(reader, stream, newest, last).await?;
    let mut next = fork.map_or(Position::FIRST, |fork| fork.position.next());
    let mut recorded_at = match fork {
        Some(fork) => Some(reader.row(fork.position)?.recorded_at),
        None => None,
    };
    let mut end = fork;
    let mut sequence = fork.map_or(0, |fork| fork.origin.sequence);
    while next <= newest {
        sequence += 1;
        if sequence > last {
            return Ok(Comparison::LostTail { common: next.get() - 1, newest: newest.get() });
        }
        let Some(found) = message(stream, sequence).await? else {
            return Ok(Comparison::Missing { sequence });
        };
        let (nanos, headers) = (found.nanos, found.headers.as_ref());
        let received =
            envelope::read(ledger, &found.subject, headers, &found.data, nanos, |_| None);
        let differs = |position: Position| {
            Ok(Comparison::OtherContent { position: position.get(), sequence })
        };
        let Content::Items(items) = received.content else { return differs(next) };
        let stamped_at = recorded_at.map_or(received.stamped_at, |r| r.max(received.stamped_at));
        for item in items {
            let by = (&received.submitter, received.caller.as_ref());
            if next > newest || !same(&reader.row(next)?, stamped_at, by, &item) {
                return differs(next);
            }
            next = next.next();
        }
        recorded_at = Some(stamped_at);
        let position = Position::new(next.get() - 1).unwrap_or(Position::FIRST);
        end = Some(Cursor { position, origin: Origin::new(sequence, nanos, &found.data) });
    }
    Ok(Comparison::Same(end))
}

/// Whether a row came of this item, which a client handed in, for a caller or not
fn same(
    row: &Row,
    recorded_at: RecordedAt,
    (client, caller): (&Principal, Option<&Principal>),
    item: &Item,
) -> bool {
    let bytes = match (&row.payload, item) {
        (Payload::Entry(bytes), Item::Entry(entry)) => bytes == entry.bytes(),
        (Payload::Malformed { raw: one, .. }, Item::Malformed { raw: other, .. }) => one == other,
        _ => false,
    };
    let by = match &row.door {
        Some(door) => door == client && caller == Some(&row.submitter),
        None => row.submitter == *client,
    };
    bytes && by && row.recorded_at == recorded_at
}

/// The last row whose message the stream has, among the rows whose message the journal knows
///
/// A restored stream begins with the same messages as before, and then ends or goes on with others. So the search
/// can halve the journal.
async fn fork(
    reader: &Reader,
    stream: &LogStream,
    newest: Position,
    last: u64,
) -> Result<Option<Cursor>, AlignError> {
    let mut common: Option<Cursor> = None;
    if let Some(anchor) = reader.anchored()?
        && anchor.position <= newest
        && anchor.origin.sequence <= last
        && has(stream, anchor.origin).await?
    {
        common = Some(anchor);
    }
    let mut low = common.map_or(0, |anchor| anchor.position.get());
    let mut high = newest.get();
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        let Some(position) = Position::new(middle) else { break };
        match reader.message_of(position)? {
            Some((_, origin)) if origin.sequence <= last && has(stream, origin).await? => {
                common = Some(Cursor { position, origin });
                low = middle;
            }
            Some((first, _)) => high = (first.get() - 1).max(low),
            // These rows are from before there was a stream.
            None => high = low,
        }
    }
    Ok(common)
}
