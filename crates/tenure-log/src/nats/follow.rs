//! How are a stream's messages read, in order and without a gap, for as long as it takes?
//!
//! Reading happens in turns. A turn verifies the stream, checks that it still has the messages that were read before,
//! and reads on from there. When anything is wrong the turn ends, and the next turn begins with the same checks. The
//! consumer has no state: this program knows where to read on. While it reads, it looks at the stream every two
//! seconds, so that it also finds a loss then.
//!
//! The client gives its connection up at a header block that it cannot read, or never passes such a message on. So each turn
//! begins with a few messages that are asked for one by one, in a form that brings nothing down.
//! Messages come over a connection of their own, which is made again when the client has ended.
//!
//! Memory is bounded: a fixed number of bytes is read ahead of the journal, and the messages of one request may wait
//! beside them.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::Info;
use async_nats::{Client, HeaderMap};
use futures::{FutureExt, StreamExt, TryStreamExt};
use tenure_core::Position;
use tenure_journal::Reader;
use tenure_wire::message::{Content, Origin};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::align::{self, AlignError, Comparison};
use super::connect::{ConnectError, ConnectSettings, Connection, Elsewhere};
use super::feed::{Fed, Feed};
use super::standing::Standing;
use super::stream::{self, LogStream, Stored, StreamError};
use super::{Shared, envelope, subject};
use crate::{Message, chain};

/// Messages that are requested at once
const BATCH_MAX: usize = 512;
/// Bytes that are read ahead of the journal
const AHEAD_BYTES_MAX: u32 = 32 * 1_024 * 1_024;
/// Bytes that are requested at once, unless a message has more
const REQUEST_BYTES: usize = 8 * 1_024 * 1_024;
/// Bytes of the largest message that a NATS server can be configured to take, with its headers
const REQUEST_BYTES_MAX: usize = 65 * 1_024 * 1_024;
/// Runs of messages that are read ahead of the journal
const AHEAD_MAX: usize = 64;
/// Entries at which a run is handed on, even if more messages are there
const RUN_ENTRIES_MAX: usize = 1_024;
/// Bytes at which a run is handed on, even if more messages are there
const RUN_BYTES_MAX: u32 = 256 * 1_024;
/// Bytes that an entry takes in memory in addition to its encoding
const ENTRY_OVERHEAD_BYTES: usize = 256;
/// How often the stream is looked at
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// A consumer that stays silent for two of these intervals is made again
const HEARTBEAT: Duration = Duration::from_secs(2);
/// How long the server keeps a consumer that nobody reads
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);
/// How long a connected server may fail to reach the stream before another one is tried
const REACH_PATIENCE: Duration = Duration::from_secs(5);
/// How long a message must be gone before that is reported
const HOLE_PATIENCE: Duration = Duration::from_secs(2);
/// Pause before the next turn after one that failed
const PAUSE: Duration = Duration::from_millis(250);
/// Pause before the next turn when an operator has to act
const LONG_PAUSE: Duration = Duration::from_secs(1);

/// Why a turn ended
enum End {
    /// The next turn has to look again
    Again,
    /// The log has stopped
    Stopped,
    /// Something is wrong; the next turn looks whether it still is
    Standing(Standing),
    /// Only a newer program can go on
    ForEver(Standing),
}

impl From<StreamError> for End {
    fn from(error: StreamError) -> Self {
        Self::Standing(match error {
            StreamError::Unfit(unfit) => Standing::Unfit { why: unfit.to_string() },
            StreamError::Away(why) => Standing::Away { why },
        })
    }
}

impl From<AlignError> for End {
    fn from(error: AlignError) -> Self {
        match error {
            AlignError::Stream(error) => error.into(),
            AlignError::Journal(error) => Self::Standing(Standing::Journal { why: chain(&error) }),
        }
    }
}

fn away(error: &dyn std::error::Error) -> End {
    End::Standing(Standing::Away { why: chain(error) })
}

/// Consecutive messages that are handed on together
#[derive(Default)]
struct Run {
    messages: Vec<Message>,
    entries: usize,
    /// Bytes of memory, estimated
    weight: u32,
}

impl Run {
    fn push(&mut self, message: Message, data_bytes: usize) {
        let bytes = data_bytes + message.entries.len() * ENTRY_OVERHEAD_BYTES;
        self.weight = self.weight.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        self.entries += message.entries.len();
        self.messages.push(message);
    }

    fn is_full(&self) -> bool {
        self.entries >= RUN_ENTRIES_MAX || self.weight >= RUN_BYTES_MAX
    }

    /// Bytes of memory that it has to wait for: not more than there can be, even for a very large message
    fn permits(&self) -> u32 {
        self.weight.min(AHEAD_BYTES_MAX / 2)
    }
}

struct Follower {
    shared: Arc<Shared>,
    reader: Reader,
    feed: mpsc::Sender<Fed>,
    memory: Arc<Semaphore>,
    connection: watch::Receiver<Connection>,
    /// How the connection is made that messages come over
    settings: ConnectSettings,
    /// That connection
    reading: Option<(Client, watch::Receiver<Connection>)>,
    read_elsewhere: Elsewhere,
    /// Whether this turn has come to the use of that connection
    reads: bool,
    stopped: watch::Receiver<bool>,
    /// The last message that was read
    read: Option<Origin>,
    /// Whether the journal has rows, and none of them came from a stream
    unaligned: bool,
    /// The time since which the connected server has not reached the stream
    unreached: Option<Instant>,
    /// Bytes that are requested at once
    request_bytes: usize,
    /// The last sequence that had been read at the last look at the stream
    read_before: u64,
    /// Messages that were read and not yet handed on
    run: Run,
    /// A run that waits for room
    pending: Option<Run>,
    /// A gap that was seen once; it counts when it is seen again, as a consumer may be wrong
    gap: Option<u64>,
    /// A message that was read before and is gone now, and the time when that was found
    hole: Option<(u64, Instant)>,
    /// The last position of a journal that was set aside
    known_before: u64,
}

/// Follows the stream from the end of a journal
///
/// # Errors
/// The journal cannot be read.
pub(crate) fn start(
    shared: &Arc<Shared>,
    settings: ConnectSettings,
    reader: Reader,
    known_before: u64,
) -> Result<Feed, tenure_journal::Error> {
    let cursor = reader.cursor()?;
    let (sender, receiver) = mpsc::channel(AHEAD_MAX);
    let read = cursor.map(|cursor| cursor.origin);
    shared.status.set_applied(read.map_or(0, |origin| origin.sequence));
    let follower = Follower {
        shared: Arc::clone(shared),
        unaligned: read.is_none() && reader.newest().is_some(),
        reader,
        feed: sender,
        memory: Arc::new(Semaphore::new(AHEAD_BYTES_MAX as usize)),
        connection: shared.connection.clone(),
        settings,
        reading: None,
        read_elsewhere: Elsewhere::default(),
        reads: false,
        stopped: shared.stopped.subscribe(),
        read,
        unreached: None,
        request_bytes: REQUEST_BYTES,
        read_before: 0,
        run: Run::default(),
        pending: None,
        gap: None,
        hole: None,
        known_before,
    };
    tokio::spawn(follower.run());
    Ok(Feed::new(receiver, Arc::clone(shared)))
}

impl Follower {
    async fn run(mut self) {
        loop {
            let mut stopped = self.stopped.clone();
            let end = tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => End::Stopped,
                end = self.connected_turn() => end,
            };
            let pause = match end {
                End::Stopped => return,
                End::Again => PAUSE,
                End::Standing(standing) => {
                    let pause = if standing.forbids_appending() { LONG_PAUSE } else { PAUSE };
                    let away = matches!(standing, Standing::Away { .. });
                    let standing = match standing {
                        Standing::Away { why } => self.away(why),
                        other => other,
                    };
                    self.shared.status.set(standing);
                    if away {
                        self.try_elsewhere().await;
                    } else {
                        self.unreached = None;
                    }
                    pause
                }
                End::ForEver(standing) => {
                    self.shared.status.set(standing);
                    let _closed = stopped.wait_for(|stopped| *stopped).await;
                    return;
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Tries another server, if there is one, when the connected server has not reached the stream for a while: it may
    /// be cut off from the others
    async fn try_elsewhere(&mut self) {
        if !self.connection.borrow().connected {
            self.unreached = None;
            return;
        }
        let since = *self.unreached.get_or_insert_with(Instant::now);
        if since.elapsed() < REACH_PATIENCE {
            return;
        }
        self.unreached = None;
        // The connection that failed: messages come over one of their own.
        let (client, elsewhere) = match &self.reading {
            Some((client, _)) if self.reads => (client, &self.read_elsewhere),
            _ => (&self.shared.client, &self.shared.elsewhere),
        };
        // A client that is reconnecting answers only afterwards.
        let servers = tokio::time::timeout(LONG_PAUSE, client.server_pool()).await;
        if servers.is_ok_and(|servers| servers.is_ok_and(|servers| servers.len() > 1)) {
            tracing::warn!("the connected server does not reach the stream: another one is tried");
            elsewhere.ask();
            if let Err(error) = client.force_reconnect().await {
                tracing::warn!(error = chain(&error), "no other server can be tried");
            }
        }
    }

    fn away(&self, why: String) -> Standing {
        Standing::Away { why: self.connection.borrow().explain(why) }
    }

    async fn connected_turn(&mut self) -> End {
        while !self.connection.borrow_and_update().connected {
            if !self.shared.status.standing().forbids_appending() {
                self.shared.status.set(self.away("no server is connected".to_owned()));
            }
            if self.connection.changed().await.is_err() {
                return End::Stopped;
            }
        }
        match self.turn().await {
            Ok(end) | Err(end) => end,
        }
    }

    async fn turn(&mut self) -> Result<End, End> {
        let made = self.connection.borrow_and_update().made;
        self.reads = false;
        let shared = Arc::clone(&self.shared);
        let context = stream::context(&shared.client);
        let (stream, info) = match stream::find(&context, &shared.ledger).await? {
            Some(found) => found,
            // A ledger that knows entries does not begin a log without them.
            None => match self.known() {
                0 => stream::make(&context, &shared.ledger, shared.stream_replicas).await?,
                newest => {
                    let stream = subject::stream(&shared.ledger);
                    return Err(End::Standing(Standing::Absent { stream, newest }));
                }
            },
        };
        self.is_whole(&stream, &info).await?;
        shared.status.set_server(stream::facts(&shared.client, &info, shared.stream_replicas));
        let last = info.state.last_sequence;
        shared.status.ends_at(last);
        self.align(&stream, last).await?;
        self.read_singly(&stream, last).await?;
        self.reads = true;
        let (reading, connection) = self.reading().await?;
        let context = stream::context(&reading);
        let log = context.get_stream_no_info(subject::stream(&shared.ledger)).await;
        let log = log.map_err(|error| away(&error))?;
        let from = self.read.map_or(0, |origin| origin.sequence) + 1;
        let config = pull::Config {
            description: Some("a ledger that follows its log".to_owned()),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: from },
            ack_policy: AckPolicy::None,
            inactive_threshold: FORGOTTEN_AFTER,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer = log.create_consumer(config).await.map_err(|e| away(&e))?;
        let messages = consumer
            .stream()
            .max_messages_per_batch(BATCH_MAX)
            .max_bytes_per_batch(self.request_bytes)
            .heartbeat(HEARTBEAT)
            .expires(HEARTBEAT * 15)
            .messages()
            .await
            .map_err(|e| away(&e))?;
        self.unreached = None;
        shared.status.set(Standing::CatchingUp { target: last });
        self.read_on(&stream, messages, (made, connection), last).await
    }

    /// The connection that messages come over; its state has a server now
    async fn reading(&mut self) -> Result<(Client, watch::Receiver<Connection>), End> {
        // The sender of the state is gone when the client has ended, which a message can bring about.
        let live = self.reading.take().filter(|(_, state)| state.has_changed().is_ok());
        let (client, mut state) = match live {
            Some(live) => live,
            None => {
                let name = format!("tenure {} reads", self.shared.ledger);
                let heeding = |options| self.read_elsewhere.heed(options);
                let made = self.settings.connect_with(&name, heeding).await;
                made.map_err(|error: ConnectError| away(&error))?
            }
        };
        self.reading = Some((client.clone(), state.clone()));
        let connected = state.wait_for(|connection| connection.connected);
        let connected = tokio::time::timeout(REACH_PATIENCE, connected).await;
        if !connected.is_ok_and(|told| told.is_ok()) {
            return Err(End::Standing(Standing::Away {
                why: "no server takes a connection for reading".to_owned(),
            }));
        }
        state.mark_unchanged();
        Ok((client, state))
    }

    /// Reads as many messages as one request of the last turn may have brought, and more after each that no connection
    /// outlives
    async fn read_singly(&mut self, stream: &LogStream, last: u64) -> Result<(), End> {
        let (mut left, mut bytes) = (BATCH_MAX, 0);
        let from = self.read.map_or(0, |origin| origin.sequence) + 1;
        let mut messages = std::pin::pin!(stream::singly(stream, from, last));
        while left > 0 && bytes < REQUEST_BYTES && self.pending.is_none() {
            let Some((sequence, message)) = messages.try_next().await? else { break };
            // Whether it is gone, the consumer tells too.
            let Some(message) = message else { break };
            tracing::trace!(sequence, "read by itself");
            let readable = message.headers.is_some();
            left = if readable { left - 1 } else { BATCH_MAX };
            bytes = if readable { bytes + message.data.len() } else { 0 };
            if let Err(end) = self.take(message) {
                self.offer();
                if let End::ForEver(_) = end {
                    self.hand_over().await?;
                }
                return Err(end);
            }
            if self.run.is_full() {
                self.offer();
            }
        }
        if self.pending.is_none() {
            self.offer();
        }
        Ok(())
    }

    /// Reads until something is wrong
    async fn read_on(
        &mut self,
        stream: &LogStream,
        mut messages: pull::Stream,
        (made, mut reading): (u64, watch::Receiver<Connection>),
        mut last: u64,
    ) -> Result<End, End> {
        let mut looks = tokio::time::interval_at(Instant::now() + LOOK_INTERVAL, LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let waits = self.pending.is_some();
            let weight = self.pending.as_ref().map_or(0, Run::permits);
            let memory = Arc::clone(&self.memory);
            let feed = self.feed.clone();
            let room = async move {
                let permit = memory.acquire_many_owned(weight).await;
                (permit, feed.reserve_owned().await)
            };
            tokio::select! {
                biased;
                changed = self.connection.changed() => {
                    let now = self.connection.borrow();
                    if changed.is_err() || !now.connected || now.made != made {
                        return Ok(End::Again);
                    }
                }
                // Whatever it is, the next turn looks.
                _ = reading.changed() => return Ok(End::Again),
                _ = looks.tick() => last = self.look(stream, last).await?,
                (permit, slot) = room, if waits => {
                    let (Ok(permit), Ok(slot)) = (permit, slot) else { return Ok(End::Stopped) };
                    if let Some(run) = self.pending.take() {
                        slot.send(Fed::Messages(run.messages, permit));
                    }
                }
                message = messages.next(), if !waits => {
                    let taken = self.take_run(stream, &mut messages, message).await;
                    self.offer();
                    match taken {
                        Ok(()) => {}
                        // There is no next turn, so the waiting run is handed on now.
                        Err(end @ End::ForEver(_)) => {
                            self.hand_over().await?;
                            return Err(end);
                        }
                        Err(end) => return Err(end),
                    }
                }
            }
        }
    }

    /// Takes in a message, and then all messages that are already there
    async fn take_run(
        &mut self,
        stream: &LogStream,
        messages: &mut pull::Stream,
        first: Option<Result<async_nats::jetstream::Message, pull::MessagesError>>,
    ) -> Result<(), End> {
        let mut next = Some(first);
        while let Some(received) = next {
            match received {
                Some(Ok(received)) => self.take_next(stream, received).await?,
                Some(Err(error)) => return Err(away(&error)),
                None => return Err(End::Again),
            }
            next = (!self.run.is_full()).then(|| messages.next().now_or_never()).flatten();
        }
        Ok(())
    }

    /// Hands on the messages that were read, or lets them wait for room
    // Called only while no other run waits, so that the order of the stream is kept.
    fn offer(&mut self) {
        let run = std::mem::take(&mut self.run);
        if run.messages.is_empty() {
            return;
        }
        let memory = Arc::clone(&self.memory).try_acquire_many_owned(run.permits());
        match (memory, self.feed.try_reserve()) {
            (Ok(permit), Ok(slot)) => slot.send(Fed::Messages(run.messages, permit)),
            _ => self.pending = Some(run),
        }
    }

    /// Takes a message in that a consumer gave
    async fn take_next(
        &mut self,
        stream: &LogStream,
        received: async_nats::jetstream::Message,
    ) -> Result<(), End> {
        let info = received.info().map_err(|error| {
            End::Standing(Standing::Away { why: format!("a message has no place: {error}") })
        })?;
        let expected = self.read.map_or(0, |origin| origin.sequence) + 1;
        let sequence = info.stream_sequence;
        if sequence < expected {
            return Ok(());
        }
        // The goal moves to messages that were published since the last look, unless only a few are left.
        if info.pending > BATCH_MAX as u64 {
            self.shared.status.reach_for(sequence, sequence.saturating_add(info.pending));
        }
        if sequence > expected {
            // The message in between is gone, or the consumer has skipped it.
            let gone = stream::message(stream, expected).await?.is_none();
            let again = self.gap.replace(expected) == Some(expected);
            return Err(match gone && again {
                true => End::Standing(Standing::Missing { sequence: expected }),
                false => End::Again,
            });
        }
        let nanos = info.published.unix_timestamp_nanos();
        let async_nats::Message { subject, headers, payload, status, .. } = received.message;
        self.take(Stored {
            sequence,
            subject: subject.to_string(),
            // As `headers::parse` reads them: a message of the log has no status.
            headers: status.is_none().then(|| headers.unwrap_or_else(HeaderMap::new)),
            data: payload,
            nanos,
        })
    }

    /// Takes the next message in
    fn take(&mut self, message: Stored) -> Result<(), End> {
        let Stored { sequence, subject, headers, data, nanos } = message;
        let found =
            envelope::read(&self.shared.ledger, &subject, headers.as_ref(), &data, nanos, |id| {
                self.shared.under_way.lock().remove(&id)
            });
        let entries = match found.content {
            Content::Items(items) => items,
            Content::NeedsUpgrade { version } => {
                return Err(End::ForEver(Standing::NeedsUpgrade { version, sequence }));
            }
        };
        let origin = Origin::new(sequence, nanos, &data);
        self.read = Some(origin);
        self.gap = None;
        let stamped_at = found.stamped_at;
        let envelope::Received { submitter, caller, waiter, .. } = found;
        let origin = Some(origin);
        let message = Message { stamped_at, submitter, caller, entries, origin, waiter };
        self.run.push(message, data.len());
        Ok(())
    }

    /// The last position that this ledger knows, or knew before its journal was set aside
    fn known(&self) -> u64 {
        // A message that was read may not be in the journal yet; it has some position.
        let read = u64::from(self.read.is_some());
        self.reader.newest().map_or(read, Position::get).max(self.known_before)
    }

    /// Checks that the stream still has every message that was read
    ///
    /// A missing message that was not read yet is found when it is its turn to be read.
    async fn is_whole(&mut self, stream: &LogStream, info: &Info) -> Result<(), End> {
        let read = self.read.map_or(0, |origin| origin.sequence);
        if stream::is_whole(info) {
            self.hole = None;
            return Ok(());
        }
        let (sequence, since) = match self.hole.take() {
            Some(hole) if stream::message(stream, hole.0).await?.is_none() => hole,
            _ => match stream::hole(stream, read).await? {
                Some(sequence) => (sequence, Instant::now()),
                None => return Ok(()),
            },
        };
        self.hole = Some((sequence, since));
        // A server that has just started may count wrongly for a moment.
        let lasts = since.elapsed() >= HOLE_PATIENCE;
        Err(if lasts { End::Standing(Standing::Missing { sequence }) } else { End::Again })
    }

    /// Checks that the stream is still as it was, and notes how far behind this ledger is
    async fn look(&mut self, stream: &LogStream, last_before: u64) -> Result<u64, End> {
        let info = stream.get_info().await.map_err(|error| away(&error))?;
        stream::verify(&info, &self.shared.ledger).map_err(StreamError::Unfit)?;
        self.is_whole(stream, &info).await?;
        let shared = &self.shared;
        // The number of replicas decides how a refusal is judged, and an operator may have changed it.
        let facts = stream::facts(&shared.client, &info, shared.stream_replicas);
        shared.status.set_server(facts);
        let status = &self.shared.status;
        let last = info.state.last_sequence;
        status.ends_at(last);
        if let Some(read) = self.read
            && (last < read.sequence || !align::has(stream, read).await?)
        {
            // The next turn compares the whole stream.
            return Err(End::Again);
        }
        let read = self.read.map_or(0, |origin| origin.sequence);
        let passed = read != std::mem::replace(&mut self.read_before, read);
        let stuck = self.pending.is_none() && read < last_before && !passed;
        if passed && self.request_bytes > REQUEST_BYTES {
            self.request_bytes = REQUEST_BYTES;
            return Err(End::Again);
        }
        if stuck && self.request_bytes < REQUEST_BYTES_MAX {
            // The next message may be larger than the request, which no reply would say.
            self.request_bytes = REQUEST_BYTES_MAX;
            return Err(End::Again);
        }
        if status.applied() < last_before && status.standing() == Standing::Following {
            status.set(Standing::CatchingUp { target: last });
        }
        Ok(last)
    }

    /// Checks that the stream has the messages that were read before
    async fn align(&mut self, stream: &LogStream, last: u64) -> Result<(), End> {
        let in_line = match self.read {
            Some(read) => last >= read.sequence && align::has(stream, read).await?,
            None => !self.unaligned,
        };
        if in_line {
            return Ok(());
        }
        // Messages on their way to the journal are compared too.
        let read = self.read.map_or(0, |origin| origin.sequence);
        let mut applied = self.shared.status.watch_applied();
        if self.pending.is_some() || *applied.borrow_and_update() < read {
            self.hand_over().await?;
            if applied.wait_for(|applied| *applied >= read).await.is_err() {
                return Err(End::Stopped);
            }
        }
        match align::compare(&self.reader, stream, &self.shared.ledger, last).await? {
            Comparison::Same(cursor) => {
                if let Some(cursor) = cursor {
                    tracing::info!(
                        position = cursor.position.get(),
                        sequence = cursor.origin.sequence,
                        "the stream has again all entries that are known here"
                    );
                    if self.feed.send(Fed::Aligned(cursor)).await.is_err() {
                        return Err(End::Stopped);
                    }
                    self.read = Some(cursor.origin);
                }
                self.unaligned = false;
                Ok(())
            }
            Comparison::LostTail { common, newest } => {
                Err(End::Standing(Standing::LostTail { common, newest }))
            }
            Comparison::OtherContent { position, sequence } => {
                Err(End::Standing(Standing::OtherContent { position, sequence }))
            }
            Comparison::Missing { sequence } => Err(End::Standing(Standing::Missing { sequence })),
        }
    }

    async fn hand_over(&mut self) -> Result<(), End> {
        if let Some(run) = self.pending.take() {
            let permit = Arc::clone(&self.memory).acquire_many_owned(run.permits()).await;
            let Ok(permit) = permit else { return Err(End::Stopped) };
            self.feed.send(Fed::Messages(run.messages, permit)).await.map_err(|_| End::Stopped)?;
        }
        Ok(())
    }
}
