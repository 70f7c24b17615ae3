//! Which entries of the journal has the stream lost, and how does it get them back?
//!
//! [`plan`] compares both and changes nothing. [`republish`] appends the bytes of the journal's entries to the stream,
//! with the times at which they were recorded and who submitted them. It uses the one subject whose messages may say
//! these two. A message is appended only if no other message came in between. A run that broke off is continued by the
//! next one.

use std::time::Duration;

use async_nats::jetstream::message::PublishMessage;
use tenure_core::Position;
use tenure_journal::{Payload, Reader, Row};
use tenure_wire::message::{ENCODE_BYTES_MAX, ENTRIES_MAX, encode};
use uuid::Uuid;

use super::align::{self, AlignError, Comparison};
use super::stream::{self, StreamError};
use super::{NatsSettings, OpenError, envelope, subject};
use crate::chain;

/// Bytes of the entries of one message
const MESSAGE_BYTES_MAX: usize = 512 * 1_024;
/// Bytes of a message that are kept for its headers
const HEADERS_BYTES: usize = 4_096;
/// How long a server may take to connect
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the entries were not republished, or only a part of them
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepublishError {
    /// NATS or the stream cannot be used
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The stream cannot be read
    #[error("the stream cannot be read")]
    Align(#[from] AlignError),
    /// A message was not acknowledged
    #[error(
        "after {done} entries a message was not acknowledged: run this again, and it goes on from there. If the \
         message with its headers is larger than the server takes, set a larger `max_payload` there for this run"
    )]
    Publish {
        /// Entries that were appended before
        done: u64,
        /// Why
        #[source]
        source: async_nats::jetstream::context::PublishError,
    },
    /// Another program appended a message meanwhile
    #[error(
        "after {done} entries another message was in the stream: run this again, and see which one that is"
    )]
    Between {
        /// Entries that were appended before
        done: u64,
    },
    /// No server answered
    #[error("NATS at {0} did not answer")]
    Away(String),
}

/// What [`republish`] would do
#[derive(Debug)]
pub struct Plan {
    /// The name of the stream
    pub stream: String,
    /// The sequence of its last message; `None` if there is no stream yet
    pub last: Option<u64>,
    /// The journal's last position
    pub newest: u64,
    /// How journal and stream compare
    pub comparison: Comparison,
    /// The first position to append; `None` if there is nothing to append
    pub from: Option<Position>,
    connected: Connected,
}

struct Connected {
    context: async_nats::jetstream::Context,
    max_payload: usize,
    ledger: String,
    stream_replicas: usize,
}

impl std::fmt::Debug for Connected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connected").field("ledger", &self.ledger).finish_non_exhaustive()
    }
}

/// Compares a journal with its stream
///
/// # Errors
/// No server answers, the stream cannot be this ledger's log, or the journal cannot be read.
pub async fn plan(
    settings: &NatsSettings,
    ledger: &str,
    reader: &Reader,
) -> Result<Plan, RepublishError> {
    let connected = settings.connect.connect(&format!("tenure republish {ledger}")).await;
    let (client, mut connection) = connected.map_err(OpenError::Connect)?;
    let there = connection.wait_for(|connection| connection.connected);
    if !tokio::time::timeout(PATIENCE, there).await.is_ok_and(|told| told.is_ok()) {
        return Err(RepublishError::Away(settings.connect.shown_urls()));
    }
    let context = stream::context(&client);
    let newest = reader.newest().map_or(0, Position::get);
    let (last, comparison) = match stream::find(&context, ledger).await? {
        None if newest == 0 => (None, Comparison::Same(None)),
        None => (None, Comparison::LostTail { common: 0, newest }),
        Some((found, info)) => {
            let last = info.state.last_sequence;
            let hole = match stream::is_whole(&info) {
                true => None,
                false => stream::hole(&found, last).await?,
            };
            let comparison = match hole {
                Some(sequence) => Comparison::Missing { sequence },
                None => align::compare(reader, &found, ledger, last).await?,
            };
            (Some(last), comparison)
        }
    };
    let from = match &comparison {
        Comparison::Same(_) | Comparison::Missing { .. } => None,
        Comparison::LostTail { common, .. } => Position::new(common + 1),
        Comparison::OtherContent { position, .. } => Position::new(*position),
    };
    Ok(Plan {
        stream: subject::stream(ledger),
        last,
        newest,
        comparison,
        from,
        connected: Connected {
            context,
            max_payload: client.max_payload(),
            ledger: ledger.to_owned(),
            stream_replicas: settings.stream_replicas,
        },
    })
}

/// The rows from a position on, grouped into messages: a malformed row is a message of its own
fn messages(
    reader: &Reader,
    from: Position,
    room: usize,
) -> impl Iterator<Item = Result<Vec<Row>, tenure_journal::Error>> + '_ {
    let mut rows = reader.rows_from(from).peekable();
    std::iter::from_fn(move || {
        let first = match rows.next()? {
            Ok((_, row)) => row,
            Err(error) => return Some(Err(error)),
        };
        let size = |row: &Row| match &row.payload {
            Payload::Entry(bytes) => bytes.len(),
            Payload::Malformed { raw, .. } => raw.len(),
        };
        let entry = |row: &Row| matches!(row.payload, Payload::Entry(_));
        let mut bytes = size(&first);
        let together = entry(&first);
        let mut taken = vec![first];
        while together
            && taken.len() < ENTRIES_MAX
            && let Some(Ok((_, next))) = rows.peek()
            && entry(next)
            && taken.first().is_some_and(|first| {
                first.recorded_at == next.recorded_at
                    && first.submitter == next.submitter
                    && first.door == next.door
            })
            && bytes + size(next) <= room
            && let Some(Ok((_, next))) = rows.next()
        {
            bytes += size(&next);
            taken.push(next);
        }
        Some(Ok(taken))
    })
}

/// Does what the plan says, and returns how many entries were appended
///
/// # Errors
/// A message was not acknowledged, perhaps because another program appended meanwhile. The messages before it stay in
/// the stream, and the next plan goes on from there.
pub async fn republish(
    plan: &Plan,
    reader: &Reader,
    mut progress: impl FnMut(u64),
) -> Result<u64, RepublishError> {
    let Some(from) = plan.from else { return Ok(0) };
    let connected = &plan.connected;
    let room = connected.max_payload.saturating_sub(HEADERS_BYTES + ENCODE_BYTES_MAX);
    let to = subject::republished(&connected.ledger);
    let mut last = match plan.last {
        Some(last) => last,
        None => {
            let Connected { context, ledger, stream_replicas, .. } = connected;
            stream::make(context, ledger, *stream_replicas).await?;
            0
        }
    };
    let mut done = 0;
    for rows in messages(reader, from, room.min(MESSAGE_BYTES_MAX)) {
        let rows = rows.map_err(AlignError::Journal)?;
        let Some(first) = rows.first() else { continue };
        let (data, malformed) = match &first.payload {
            Payload::Malformed { raw, reading } => (raw.clone(), Some(*reading)),
            Payload::Entry(_) => {
                let bytes: Vec<&[u8]> = rows
                    .iter()
                    .filter_map(|row| match &row.payload {
                        Payload::Entry(bytes) => Some(bytes.as_slice()),
                        Payload::Malformed { .. } => None,
                    })
                    .collect();
                (encode(bytes.into_iter()), None)
            }
        };
        let headers = envelope::republished(Uuid::now_v7(), &connected.ledger, first, malformed);
        let message = PublishMessage::build()
            .payload(data.into())
            .headers(headers)
            .expected_last_sequence(last);
        let publish = |source| RepublishError::Publish { done, source };
        let sent = connected.context.send_publish(to.clone(), message).await.map_err(publish)?;
        let sequence = sent.await.map_err(publish)?.sequence;
        // Older servers ignore the expectation that the stream is empty.
        if sequence != last + 1 {
            return Err(RepublishError::Between { done });
        }
        last = sequence;
        done += rows.len() as u64;
        progress(done);
    }
    tracing::info!(entries = done, last, "republished");
    Ok(done)
}

impl From<StreamError> for RepublishError {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Unfit(unfit) => Self::Open(OpenError::Unfit(unfit)),
            away @ StreamError::Away(_) => Self::Align(away.into()),
        }
    }
}

impl RepublishError {
    /// The error with all its causes, in one line
    pub fn sentence(&self) -> String {
        chain(self)
    }
}
