//! How are a stream's messages read, in order and without a gap, for as long as it takes?
//!
//! By turns. Each connects to a stream that is verified and in line with what was read before, reads from
//! there on, and ends when anything is not as it should be; the next turn looks again. The consumer has
//! no state: where to go on is known here. The stream is looked at every two seconds meanwhile, so a loss
//! is found while it is followed too.
//!
//! Memory is bounded: so many bytes are read ahead of the journal, and one request's messages wait.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::{Info, Stream};
use futures::{FutureExt, StreamExt};
use tenure_core::Position;
use tenure_journal::{Cursor, Reader};
use tenure_wire::message::{Content, Origin};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::align::{self, AlignError, Comparison};
use super::connect::Connection;
use super::standing::Standing;
use super::stream::{self, StreamError};
use super::{Shared, Status, envelope, subject};
use crate::{Message, chain};

/// Messages that are asked for at once
const BATCH_MAX: usize = 512;
/// Bytes that are read ahead of the journal
const AHEAD_BYTES_MAX: u32 = 32 * 1_024 * 1_024;
/// Bytes that are asked for at once, unless a message has more
const REQUEST_BYTES: usize = 8 * 1_024 * 1_024;
/// Bytes of the largest message that a NATS server can be told to take, with its headers
const REQUEST_BYTES_MAX: usize = 65 * 1_024 * 1_024;
/// Runs of messages that are read ahead of the journal
const AHEAD_MAX: usize = 64;
/// Entries of a run that is handed on although more are there
const RUN_ENTRIES_MAX: usize = 1_024;
/// Bytes of a run that is handed on although more are there
const RUN_BYTES_MAX: u32 = 256 * 1_024;
/// Bytes that an entry takes in memory beside its own
const ENTRY_OVERHEAD_BYTES: usize = 256;
/// How often the stream is looked at
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// A consumer that says nothing for two of these is made again
const HEARTBEAT: Duration = Duration::from_secs(2);
/// A consumer that nobody reads is forgotten by the server after
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);
/// How long a connected server may not reach the stream before another one is tried
const REACH_PATIENCE: Duration = Duration::from_secs(5);
/// How long a message that was read must be gone until that is said
const HOLE_PATIENCE: Duration = Duration::from_secs(2);
/// Pause before the next turn after one that failed
const PAUSE: Duration = Duration::from_millis(250);
/// Pause before the next turn where an operator has to do something
const LONG_PAUSE: Duration = Duration::from_secs(1);

/// What the stream gives to whoever writes the journal
#[derive(Debug)]
pub enum Fed {
    /// Messages that follow each other, and their part of the memory that may be used
    Messages(Vec<Message>, OwnedSemaphorePermit),
    /// The journal's end is that message of the stream now
    Aligned(Cursor),
}

/// What comes next
#[derive(Debug)]
pub enum Next {
    /// At least one
    Some(Vec<Fed>),
    /// Nothing came in that time
    Idle,
    /// Nothing will come any more
    Closed,
}

/// The messages of the stream, in their order
#[derive(Debug)]
pub struct Feed {
    receiver: mpsc::Receiver<Fed>,
    shared: Arc<Shared>,
    runtime: Handle,
}

impl Feed {
    /// Waits that long for something, and gives all that is there, up to so many entries and bytes
    ///
    /// Not to be called from a thread of the runtime.
    pub fn next(&mut self, entries_max: usize, bytes_max: usize, patience: Duration) -> Next {
        let first = match self.receiver.try_recv() {
            Ok(first) => first,
            Err(mpsc::error::TryRecvError::Disconnected) => return Next::Closed,
            Err(mpsc::error::TryRecvError::Empty) => {
                let receiver = &mut self.receiver;
                let received = async { tokio::time::timeout(patience, receiver.recv()).await };
                match self.runtime.block_on(received) {
                    Ok(Some(first)) => first,
                    Ok(None) => return Next::Closed,
                    Err(_) => return Next::Idle,
                }
            }
        };
        let size = |fed: &Fed| match fed {
            Fed::Messages(messages, permit) => {
                (messages.iter().map(|message| message.entries.len()).sum(), permit.num_permits())
            }
            Fed::Aligned(_) => (0, 0),
        };
        let (mut entries, mut bytes) = size(&first);
        let mut taken = vec![first];
        while entries < entries_max
            && bytes < bytes_max
            && let Ok(fed) = self.receiver.try_recv()
        {
            let (more_entries, more_bytes) = size(&fed);
            entries += more_entries;
            bytes += more_bytes;
            taken.push(fed);
        }
        Next::Some(taken)
    }

    /// Whether nobody needs the log any more
    pub fn stopped(&self) -> bool {
        *self.shared.stopped.borrow()
    }

    /// What the log tells of itself, for as long as anybody asks
    pub fn handle(&self) -> LogHandle {
        LogHandle(Arc::clone(&self.shared))
    }

    /// Says that all up to this message is applied and may be seen
    pub fn applied(&self, sequence: u64) {
        self.shared.status.set_applied(sequence);
    }

    /// What the log tells of itself
    pub fn status(&self) -> &Status {
        &self.shared.status
    }
}

/// What a log in NATS tells of itself; it does not keep the log from stopping
#[derive(Clone, Debug)]
pub struct LogHandle(Arc<Shared>);

impl LogHandle {
    /// Where it stands
    pub fn status(&self) -> &Status {
        &self.0.status
    }

    /// The connection
    pub fn client(&self) -> async_nats::Client {
        self.0.client.clone()
    }

    /// The URL's server is connected
    pub fn connected(&self) -> bool {
        self.0.connection.borrow().connected
    }

    /// Is there when nobody needs the log any more
    pub async fn stopped(&self) {
        let mut stopped = self.0.stopped.subscribe();
        let _closed = stopped.wait_for(|stopped| *stopped).await;
    }
}

/// Why a turn ended
enum End {
    /// Look again
    Again,
    /// Nobody needs the log any more
    Stopped,
    /// An operator has to do something; then look again
    Standing(Standing),
    /// Only another program can go on
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

/// Messages that are handed on together
#[derive(Default)]
struct Run {
    messages: Vec<Message>,
    entries: usize,
    /// Bytes of memory, about
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

    /// Its part of the memory; one large message does not wait for ever
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
    stopped: watch::Receiver<bool>,
    /// The last message that was read; what follows is to be read next
    read: Option<Origin>,
    /// The journal has rows, and none of them came from a stream
    unaligned: bool,
    /// Since when the server that is connected does not reach the stream
    unreached: Option<Instant>,
    /// Bytes that are asked for at once
    request_bytes: usize,
    /// What was read when the stream was looked at
    read_before: u64,
    /// Read, and not yet handed on
    run: Run,
    /// A run that waits for room
    pending: Option<Run>,
    /// A gap that was seen once; a consumer may be wrong
    gap: Option<u64>,
    /// A message that is gone and was read, and since when that is known
    hole: Option<(u64, Instant)>,
    /// The last position of a journal that was set aside
    known_before: u64,
}

/// Follows the stream from where a journal stands
///
/// # Errors
/// The journal cannot be read.
pub(crate) fn start(
    shared: &Arc<Shared>,
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
    Ok(Feed { receiver, shared: Arc::clone(shared), runtime: Handle::current() })
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

    /// Leaves a server that is connected and does not reach the stream, if there are others: it may be cut off
    /// from them
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
        let client = &self.shared.client;
        // A client that is just connecting again answers when it has.
        let servers = tokio::time::timeout(LONG_PAUSE, client.server_pool()).await;
        if servers.is_ok_and(|servers| servers.is_ok_and(|servers| servers.len() > 1)) {
            tracing::warn!("this server does not reach the stream: another one is tried");
            self.shared.elsewhere.ask();
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
        let shared = Arc::clone(&self.shared);
        let context = stream::context(&shared.client);
        let (stream, info) = match stream::find(&context, &shared.ledger).await? {
            Some(found) => found,
            // Who knows entries does not begin a log without them.
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
        let consumer = stream.create_consumer(config).await.map_err(|e| away(&e))?;
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
        self.read_on(&stream, messages, made, last).await
    }

    /// Reads until something is not as it should be
    async fn read_on(
        &mut self,
        stream: &Stream,
        mut messages: pull::Stream,
        made: u64,
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
                        // Nobody comes back for what waits.
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

    /// Takes in a message and those that are there already, without asking for anything else in between
    async fn take_run(
        &mut self,
        stream: &Stream,
        messages: &mut pull::Stream,
        first: Option<Result<async_nats::jetstream::Message, pull::MessagesError>>,
    ) -> Result<(), End> {
        let mut next = Some(first);
        while let Some(received) = next {
            match received {
                Some(Ok(received)) => self.take(stream, &received).await?,
                Some(Err(error)) => return Err(away(&error)),
                None => return Err(End::Again),
            }
            next = (!self.run.is_full()).then(|| messages.next().now_or_never()).flatten();
        }
        Ok(())
    }

    /// Hands on what was read, or lets it wait for room
    // Only while nothing else waits for it: the order is that of the stream.
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

    /// Takes a message in
    async fn take(
        &mut self,
        stream: &Stream,
        received: &async_nats::jetstream::Message,
    ) -> Result<(), End> {
        let info = received.info().map_err(|error| {
            End::Standing(Standing::Away { why: format!("a message has no place: {error}") })
        })?;
        let expected = self.read.map_or(0, |origin| origin.sequence) + 1;
        let sequence = info.stream_sequence;
        if sequence < expected {
            return Ok(());
        }
        // What was published since the stream was looked at is to be read as well, but for the last few.
        if info.pending > BATCH_MAX as u64 {
            self.shared.status.reach_for(sequence, sequence.saturating_add(info.pending));
        }
        if sequence > expected {
            // A consumer may have skipped it, or it is gone.
            let gone = stream::message(stream, expected).await?.is_none();
            let again = self.gap.replace(expected) == Some(expected);
            return Err(match gone && again {
                true => End::Standing(Standing::Missing { sequence: expected }),
                false => End::Again,
            });
        }
        let nanos = info.published.unix_timestamp_nanos();
        let none = async_nats::HeaderMap::new();
        let headers = received.headers.as_ref().unwrap_or(&none);
        let data = &received.payload;
        let found =
            envelope::read(&self.shared.ledger, &received.subject, headers, data, nanos, |id| {
                self.shared.under_way.lock().remove(&id)
            });
        let entries = match found.content {
            Content::Items(items) => items,
            Content::NeedsUpgrade { version } => {
                return Err(End::ForEver(Standing::NeedsUpgrade { version, sequence }));
            }
        };
        let origin = Origin::new(sequence, nanos, data);
        self.read = Some(origin);
        self.gap = None;
        let stamped_at = found.stamped_at;
        let waiter = found.waiter;
        let message = Message { stamped_at, entries, origin: Some(origin), waiter };
        self.run.push(message, data.len());
        Ok(())
    }

    /// The last position that is known here, or that was
    fn known(&self) -> u64 {
        // What was read and is not in the journal yet has some position.
        let read = u64::from(self.read.is_some());
        self.reader.newest().map_or(read, Position::get).max(self.known_before)
    }

    /// Makes sure that no message is gone of those that were read; one that was not read yet is found missing
    /// when it is to be read
    async fn is_whole(&mut self, stream: &Stream, info: &Info) -> Result<(), End> {
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
        // A server that is just starting may count wrongly.
        let lasts = since.elapsed() >= HOLE_PATIENCE;
        Err(if lasts { End::Standing(Standing::Missing { sequence }) } else { End::Again })
    }

    /// Looks whether the stream is still what it was, and how far behind this ledger is
    async fn look(&mut self, stream: &Stream, last_before: u64) -> Result<u64, End> {
        let info = stream.get_info().await.map_err(|error| away(&error))?;
        stream::verify(&info, &self.shared.ledger).map_err(StreamError::Unfit)?;
        self.is_whole(stream, &info).await?;
        let shared = &self.shared;
        // An operator may have given it more copies meanwhile, by which refusals are judged.
        let facts = stream::facts(&shared.client, &info, shared.stream_replicas);
        shared.status.set_server(facts);
        let status = &self.shared.status;
        let last = info.state.last_sequence;
        status.ends_at(last);
        if let Some(read) = self.read
            && (last < read.sequence || !align::has(stream, read).await?)
        {
            // The next turn compares all of it.
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
            // The next message may have more bytes than were asked for: nothing says so.
            self.request_bytes = REQUEST_BYTES_MAX;
            return Err(End::Again);
        }
        if status.applied() < last_before && status.standing() == Standing::Following {
            status.set(Standing::CatchingUp { target: last });
        }
        Ok(last)
    }

    /// Makes sure that the stream has what was read before
    async fn align(&mut self, stream: &Stream, last: u64) -> Result<(), End> {
        let in_line = match self.read {
            Some(read) => last >= read.sequence && align::has(stream, read).await?,
            None => !self.unaligned,
        };
        if in_line {
            return Ok(());
        }
        // What is on its way to the journal is compared too.
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
                        "the stream has again what is known here"
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
