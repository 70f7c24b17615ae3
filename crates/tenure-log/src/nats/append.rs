//! How do entries get into the stream, and when are they answered?
//!
//! What waits together travels in one message; so many messages are under way at once. An append is
//! answered when the broker has acknowledged its message and this ledger has applied it. Where that is not
//! known in time, it is said so: the entries may be appended again with the same ids.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use tenure_wire::codec::Encoded;
use tenure_wire::message::{ENCODE_BYTES_MAX, ENTRIES_MAX, encode};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

use super::envelope::UnderWay;
use super::standing::Standing;
use super::{Shared, Status, envelope, stream, subject};
use crate::{AppendError, Receipt, Waiter, chain, embedded};

/// Appends that may wait; more wait at the door
const QUEUE_MAX: usize = 1_024;
/// Messages under way at once: one is written while the one before it is decided
const IN_FLIGHT_MAX: usize = 2;
/// While others are under way, fewer entries wait for more: each message costs a server a flush
const TOGETHER_MIN: usize = 32;
/// Bytes of one message's entries, should the server take so many
const MESSAGE_BYTES_MAX: usize = 512 * 1_024;
/// Bytes that headers may take of what a server takes
const HEADERS_BYTES: usize = 1_024;
/// How long an append may take before it is said that it is not known
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause before a message that nobody took is sent again
const PAUSE: Duration = Duration::from_millis(100);

struct Waiting {
    entries: Vec<Encoded>,
    /// Only if the stream's last message is this one still
    after: Option<u64>,
    waiter: Waiter,
}

/// Appends to the stream; cheap to clone. The last one stops the log.
#[derive(Clone, Debug)]
pub struct Appender {
    queue: mpsc::Sender<Waiting>,
    stop: Arc<StopOnDrop>,
}

/// As an [`Appender`], but the log may stop
#[derive(Clone, Debug)]
pub struct WeakAppender {
    queue: mpsc::WeakSender<Waiting>,
    stop: Weak<StopOnDrop>,
}

impl WeakAppender {
    /// What appends, if the log has not stopped
    pub fn upgrade(&self) -> Option<Appender> {
        Some(Appender { queue: self.queue.upgrade()?, stop: self.stop.upgrade()? })
    }
}

/// Stops the log when nobody is left who appends
#[derive(Debug)]
struct StopOnDrop(Arc<Shared>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stopped.send_replace(true);
    }
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiting").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

impl Appender {
    /// As this one, but the log may stop
    pub fn downgrade(&self) -> WeakAppender {
        WeakAppender { queue: self.queue.downgrade(), stop: Arc::downgrade(&self.stop) }
    }

    /// What the log tells of itself
    pub fn status(&self) -> &Status {
        &self.stop.0.status
    }

    /// Appends entries and waits until they are in the stream and applied here
    ///
    /// # Guarantees
    /// On `Ok` the broker has acknowledged them, and they are in the stream in this order.
    /// # Errors
    /// [`AppendError::NotDone`]: nothing was appended. [`AppendError::Indeterminate`]: the entries may have been
    /// appended; append them again with the same ids.
    pub async fn append(&self, entries: Vec<Encoded>) -> Result<Vec<Receipt>, AppendError> {
        self.enqueue(entries, None).await
    }

    /// Appends entries if the stream still ends with that message
    ///
    /// # Errors
    /// As [`Appender::append`]; [`AppendError::NotDone`] too if it ends otherwise.
    pub async fn append_after(
        &self,
        last: u64,
        entries: Vec<Encoded>,
    ) -> Result<Vec<Receipt>, AppendError> {
        self.enqueue(entries, Some(last)).await
    }

    async fn enqueue(
        &self,
        entries: Vec<Encoded>,
        after: Option<u64>,
    ) -> Result<Vec<Receipt>, AppendError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let standing = self.status().standing();
        if standing.forbids_appending() {
            return Err(AppendError::NotDone(standing.sentence()));
        }
        let (waiter, receipts) = oneshot::channel();
        let closed = |_| AppendError::NotDone("the log is closed".into());
        self.queue.send(Waiting { entries, after, waiter }).await.map_err(closed)?;
        receipts.await.unwrap_or(Err(AppendError::Indeterminate))
    }
}

/// A message that is to be sent, and whose entries are in it
struct Parcel {
    entries: Vec<Encoded>,
    after: Option<u64>,
    /// Each with its number of entries, in order
    waiters: Vec<(usize, Waiter)>,
    bytes: usize,
}

impl Parcel {
    /// One that begins with an append, unless that is too large for a message
    fn new(first: Waiting, room: usize) -> Result<Self, Waiting> {
        let bytes = bytes_of(&first.entries);
        if bytes > room || first.entries.len() > ENTRIES_MAX {
            return Err(first);
        }
        let waiters = vec![(first.entries.len(), first.waiter)];
        Ok(Self { entries: first.entries, after: first.after, waiters, bytes })
    }

    /// Takes in another append, or gives it back
    fn take(&mut self, next: Waiting, room: usize) -> Option<Waiting> {
        let bytes = bytes_of(&next.entries);
        let fits =
            self.bytes + bytes <= room && self.entries.len() + next.entries.len() <= ENTRIES_MAX;
        if !fits || next.after.is_some() || self.after.is_some() {
            return Some(next);
        }
        self.bytes += bytes;
        self.waiters.push((next.entries.len(), next.waiter));
        self.entries.extend(next.entries);
        None
    }
}

/// Starts what sends
pub(crate) fn start(shared: &Arc<Shared>) -> Appender {
    let (sender, receiver) = mpsc::channel(QUEUE_MAX);
    tokio::spawn(send_all(Arc::clone(shared), receiver));
    Appender { queue: sender, stop: Arc::new(StopOnDrop(Arc::clone(shared))) }
}

/// Bytes of entries that one message may have
fn room(shared: &Shared) -> usize {
    let most = shared.client.max_payload().saturating_sub(HEADERS_BYTES + ENCODE_BYTES_MAX);
    most.min(MESSAGE_BYTES_MAX)
}

fn bytes_of(entries: &[Encoded]) -> usize {
    entries.iter().map(|entry| entry.bytes().len()).sum()
}

async fn send_all(shared: Arc<Shared>, mut queue: mpsc::Receiver<Waiting>) {
    let places = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
    let ended = Arc::new(Notify::new());
    let mut ahead: Option<Waiting> = None;
    loop {
        // First a place, so that what comes meanwhile travels together.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let first = match ahead.take() {
            Some(first) => first,
            None => match queue.recv().await {
                Some(first) => first,
                None => return,
            },
        };
        let room = room(&shared);
        let mut parcel = match Parcel::new(first, room) {
            Ok(parcel) => parcel,
            Err(large) => {
                tokio::spawn(send_in_parts(Arc::clone(&shared), large, room, place));
                continue;
            }
        };
        while ahead.is_none() {
            let others_under_way = places.available_permits() + 1 < IN_FLIGHT_MAX;
            let next = match queue.try_recv() {
                Ok(next) => next,
                // A few more are worth a wait for the answer of those that are under way, and no longer.
                Err(_) if others_under_way && parcel.entries.len() < TOGETHER_MIN => {
                    tokio::select! {
                        next = queue.recv() => match next {
                            Some(next) => next,
                            None => break,
                        },
                        () = ended.notified() => continue,
                    }
                }
                Err(_) => break,
            };
            ahead = parcel.take(next, room);
        }
        let (shared, ended) = (Arc::clone(&shared), Arc::clone(&ended));
        tokio::spawn(async move {
            let Parcel { entries, after, waiters, .. } = parcel;
            let sent = send(&shared, entries, after).await;
            drop(place);
            ended.notify_one();
            answer(sent, waiters);
        });
    }
}

/// Gives each its own receipts
fn answer(sent: Result<Vec<Receipt>, AppendError>, waiters: Vec<(usize, Waiter)>) {
    let mut receipts = sent.map(VecDeque::from);
    for (count, waiter) in waiters {
        let own = receipts.as_mut().map_err(|error| error.clone()).and_then(|receipts| {
            if receipts.len() < count {
                return Err(AppendError::Indeterminate);
            }
            Ok(receipts.drain(..count).collect())
        });
        // Who no longer waits has no answer to get.
        let _gone = waiter.send(own);
    }
}

/// Sends what does not fit into one message, one part after the other
async fn send_in_parts(
    shared: Arc<Shared>,
    waiting: Waiting,
    room: usize,
    place: tokio::sync::OwnedSemaphorePermit,
) {
    let _place = place;
    let mut receipts = Vec::with_capacity(waiting.entries.len());
    let mut after = waiting.after;
    let mut rest = waiting.entries;
    let sent = loop {
        if rest.is_empty() {
            break Ok(receipts);
        }
        let mut bytes = 0;
        let fitting = rest.iter().take(ENTRIES_MAX).take_while(|entry| {
            bytes += entry.bytes().len();
            bytes <= room
        });
        let others = rest.split_off(fitting.count().max(1).min(rest.len()));
        let part = std::mem::replace(&mut rest, others);
        match send(&shared, part, after).await {
            Ok(more) => {
                after = after.map(|last| last + 1);
                receipts.extend(more);
            }
            // The first parts are in the log; with the same ids all of them may be sent again.
            Err(AppendError::NotDone(_)) if !receipts.is_empty() => {
                break Err(AppendError::Indeterminate);
            }
            Err(error) => break Err(error),
        }
    };
    let _gone = waiting.waiter.send(sent);
}

/// Takes away what did not come back
struct Registered<'a> {
    shared: &'a Shared,
    id: Uuid,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.shared.under_way.lock().remove(&self.id);
    }
}

/// Sends one message, and waits until it is acknowledged and applied here
async fn send(
    shared: &Shared,
    entries: Vec<Encoded>,
    after: Option<u64>,
) -> Result<Vec<Receipt>, AppendError> {
    let deadline = Instant::now() + PATIENCE;
    let id = Uuid::now_v7();
    let data = Bytes::from(encode(entries.iter().map(Encoded::bytes)));
    let source = format!("urn:tenure:{}", shared.ledger);
    let context = stream::context(&shared.client);
    let to = subject::appended(&shared.ledger);
    let registered = Registered { shared, id };
    let (waiter, mut receipts) = oneshot::channel();
    shared.under_way.lock().insert(id, UnderWay { data: data.clone(), entries, waiter });
    loop {
        ready(shared, deadline).await?;
        let headers = envelope::headers(registered.id, &source, embedded::now());
        let mut message = PublishMessage::build().payload(data.clone()).headers(headers);
        if let Some(last) = after {
            message = message.expected_last_sequence(last);
        }
        let acknowledged = match context.send_publish(to.clone(), message).await {
            Ok(sent) => sent.await,
            // It was not sent.
            Err(error) => match error.kind() {
                PublishErrorKind::TimedOut | PublishErrorKind::MaxAckPending
                    if Instant::now() < deadline =>
                {
                    continue;
                }
                _ => return Err(AppendError::NotDone(chain(&error))),
            },
        };
        match acknowledged {
            Ok(_) => break,
            Err(error) => match error.kind() {
                // No stream was there to take it.
                PublishErrorKind::StreamNotFound if Instant::now() < deadline => {
                    tokio::time::sleep(PAUSE).await;
                }
                PublishErrorKind::StreamNotFound
                | PublishErrorKind::WrongLastSequence
                | PublishErrorKind::MaxPayloadExceeded => {
                    return Err(AppendError::NotDone(chain(&error)));
                }
                // The broker says that it did not store it, and why. Where several keep the stream, others may have.
                _ if is_refusal(&error) && shared.status.server().stream_replicas == 1 => {
                    tracing::warn!(error = chain(&error), "NATS stores nothing more");
                    return Err(AppendError::NotDone(chain(&error)));
                }
                // It may be in the stream: if it is, it will be read here.
                _ => {
                    tracing::warn!(error = chain(&error), "an append was not acknowledged");
                    break;
                }
            },
        }
    }
    match tokio::time::timeout_at(deadline, &mut receipts).await {
        Ok(Ok(receipts)) => receipts,
        Ok(Err(_)) | Err(_) => Err(AppendError::Indeterminate),
    }
}

/// Whether it is JetStream's own answer, and not that none came
fn is_refusal(error: &PublishError) -> bool {
    let source = std::error::Error::source(error);
    source.is_some_and(<dyn std::error::Error>::is::<async_nats::jetstream::Error>)
}

/// Waits until the stream is followed: nothing is sent that might stay in a buffer
async fn ready(shared: &Shared, deadline: Instant) -> Result<(), AppendError> {
    let mut standing = shared.status.watch();
    let settled = standing
        .wait_for(|standing| *standing == Standing::Following || standing.forbids_appending());
    match tokio::time::timeout_at(deadline, settled).await {
        Ok(Ok(standing)) if *standing == Standing::Following => {}
        Ok(Ok(standing)) => return Err(AppendError::NotDone(standing.sentence())),
        Ok(Err(_)) => return Err(AppendError::NotDone("the log is closed".into())),
        Err(_) => return Err(AppendError::NotDone(shared.status.standing().sentence())),
    }
    let mut connection = shared.connection.clone();
    let connected = connection.wait_for(|connection| connection.connected);
    match tokio::time::timeout_at(deadline, connected).await {
        Ok(Ok(_)) => Ok(()),
        _ => Err(AppendError::NotDone("no NATS server is connected".into())),
    }
}
