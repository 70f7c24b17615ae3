//! Do the journal and the stream hold the same?
//!
//! The quick answer compares one message: the one that the journal's newest row came in. Where it is not
//! there, or another one, the last message that both have is looked for, and what follows it is compared
//! entry by entry: what an operator has published again is the same at the same positions, in other
//! messages.

use async_nats::jetstream::stream::Stream;
use tenure_core::{Position, RecordedAt};
use tenure_journal::{Cursor, Payload, Reader, Row};
use tenure_wire::message::{Content, Item, Origin};

use super::envelope;
use super::stream::{StreamError, message};

/// How a journal and a stream compare
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Comparison {
    /// The stream has all that the journal has; the message that ends where the journal ends
    Same(Option<Cursor>),
    /// The stream ends before the journal does
    LostTail {
        /// The last position that both have, 0 if none
        common: u64,
        /// The journal's last position
        newest: u64,
    },
    /// Both have something else at a position
    OtherContent {
        /// The first position that differs
        position: u64,
        /// The stream's message
        sequence: u64,
    },
    /// The stream has no message at a place before its end
    Missing {
        /// The place
        sequence: u64,
    },
}

/// Why a comparison was not made
#[derive(Debug, thiserror::Error)]
pub enum AlignError {
    /// The stream cannot be asked now
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The journal cannot be read
    #[error("the journal cannot be read")]
    Journal(#[from] tenure_journal::Error),
}

/// Whether the stream has just this message
pub(crate) async fn has(stream: &Stream, origin: Origin) -> Result<bool, StreamError> {
    let found = message(stream, origin.sequence).await?;
    Ok(found.is_some_and(|found| {
        Origin::new(origin.sequence, found.time.unix_timestamp_nanos(), &found.payload) == origin
    }))
}

/// Compares all of a journal with a stream that ends at a message
///
/// # Cost
/// O(log positions) requests to find what both surely have, then one for each message after it.
pub(crate) async fn compare(
    reader: &Reader,
    stream: &Stream,
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
        let nanos = found.time.unix_timestamp_nanos();
        let received =
            envelope::read(ledger, &found.subject, &found.headers, &found.payload, nanos, |_| None);
        let differs = |position: Position| {
            Ok(Comparison::OtherContent { position: position.get(), sequence })
        };
        let Content::Items(items) = received.content else { return differs(next) };
        let stamped_at = recorded_at.map_or(received.stamped_at, |r| r.max(received.stamped_at));
        for item in items {
            if next > newest || !same(&reader.row(next)?, stamped_at, &item) {
                return differs(next);
            }
            next = next.next();
        }
        recorded_at = Some(stamped_at);
        let position = Position::new(next.get() - 1).unwrap_or(Position::FIRST);
        end = Some(Cursor { position, origin: Origin::new(sequence, nanos, &found.payload) });
    }
    Ok(Comparison::Same(end))
}

fn same(row: &Row, recorded_at: RecordedAt, item: &Item) -> bool {
    let bytes = match (&row.payload, item) {
        (Payload::Entry(bytes), Item::Entry(entry)) => bytes == entry.bytes(),
        (Payload::Malformed { raw: one, .. }, Item::Malformed { raw: other, .. }) => one == other,
        _ => false,
    };
    bytes && row.recorded_at == recorded_at
}

/// The last row whose message the stream has, as far as the journal knows messages
///
/// A stream that was restored begins as it did before and ends earlier or otherwise, so the messages that
/// it has are the first ones.
async fn fork(
    reader: &Reader,
    stream: &Stream,
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
            // Rows from before there was a stream.
            None => high = low,
        }
    }
    Ok(common)
}
