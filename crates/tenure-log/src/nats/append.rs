//! How do entries get into the stream, and when are they answered?
//!
//! Entries that wait together travel in one message, and a fixed number of messages is under way at once. An append is
//! answered when the broker has acknowledged its message and this ledger has applied it. If that does not happen in
//! time, the answer says that the outcome is unknown: the entries may be appended again with the same ids.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use tenure_core::Principal;
use tenure_wire::codec::Encoded;
use tenure_wire::message::{ENCODE_BYTES_MAX, ENTRIES_MAX, encode};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

use super::envelope::UnderWay;
use super::standing::Standing;
use super::{Shared, Status, envelope, stream, subject};
use crate::{AppendError, Receipt, Waiter, chain, embedded};

/// Appends that may wait in the queue; further ones wait before it
const QUEUE_MAX: usize = 1_024;
/// Messages under way at once: the broker writes one while the fold decides the one before it
const IN_FLIGHT_MAX: usize = 2;
/// While another message is under way, fewer entries than this wait for more: each message costs the server a flush
const TOGETHER_MIN: usize = 32;
/// Bytes of one message's entries, if the server takes that many
const MESSAGE_BYTES_MAX: usize = 512 * 1_024;
/// Bytes of a message that are kept for its headers
const HEADERS_BYTES: usize = 4_096;
/// How long an append may take before its outcome is reported as unknown
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause before a message is sent again that no stream took
const PAUSE: Duration = Duration::from_millis(100);

struct Waiting {
    entries: Vec<Encoded>,
    /// For whom they are appended; `None` for the ledger's own
    caller: Option<Principal>,
    /// The append counts only if the stream still ends with this message
    after: Option<u64>,
    waiter: Waiter,
}

/// Appends to the stream; cheap to clone. When the last one is dropped, the log stops.
#[derive(Clone, Debug)]
pub struct Appender {
    queue: mpsc::Sender<Waiting>,
    stop: Arc<StopOnDrop>,
}

/// Like an [`Appender`], but it does not keep the log from stopping
#[derive(Clone, Debug)]
pub struct WeakAppender {
    queue: mpsc::WeakSender<Waiting>,
    stop: Weak<StopOnDrop>,
}

impl WeakAppender {
    /// An appender, if the log has not stopped
    pub fn upgrade(&self) -> Option<Appender> {
        Some(Appender { queue: self.queue.upgrade()?, stop: self.stop.upgrade()? })
    }
}

/// Stops the log when the last appender is dropped
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
    /// Like this appender, but it does not keep the log from stopping
    pub fn downgrade(&self) -> WeakAppender {
        WeakAppender { queue: self.queue.downgrade(), stop: Arc::downgrade(&self.stop) }
    }

    /// The status of the log
    pub fn status(&self) -> &Status {
        &self.stop.0.status
    }

    /// Appends entries for a caller, and waits until they are in the stream and applied here
    ///
    /// The caller is their submitter where this program's client holds `tenure/Door`; else the client itself is.
    ///
    /// # Guarantees
    /// On `Ok` the broker has acknowledged them, and they are in the stream in this order.
    /// # Errors
    /// [`AppendError::NotDone`]: nothing was appended. [`AppendError::Indeterminate`]: the entries may have been
    /// appended; append them again with the same ids.
    pub async fn append(
        &self,
        caller: &Principal,
        entries: Vec<Encoded>,
    ) -> Result<Vec<Receipt>, AppendError> {
        self.enqueue(entries, Some(caller.clone()), None).await
    }

    /// Appends the ledger's own entries if the stream still ends with the message `last`
    ///
    /// # Errors
    /// As [`Appender::append`]; [`AppendError::NotDone`] also if the stream ends with another message.
    pub async fn append_after(
        &self,
        last: u64,
        entries: Vec<Encoded>,
    ) -> Result<Vec<Receipt>, AppendError> {
        self.enqueue(entries, None, Some(last)).await
    }

    async fn enqueue(
        &self,
        entries: Vec<Encoded>,
        caller: Option<Principal>,
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
        self.queue.send(Waiting { entries, caller, after, waiter }).await.map_err(closed)?;
        receipts.await.unwrap_or(Err(AppendError::Indeterminate))
    }
}

/// A message before it is sent, with the entries of one append or more of the same caller
struct Parcel {
    entries: Vec<Encoded>,
    caller: Option<Principal>,
    after: Option<u64>,
    /// The waiters in order, each with the number of its entries
    waiters: Vec<(usize, Waiter)>,
    bytes: usize,
}

impl Parcel {
    /// A parcel with a first append; an append that is too large for one message is given back
    fn new(first: Waiting, room: usize) -> Result<Self, Waiting> {
        let bytes = bytes_of(&first.entries);
        if bytes > room || first.entries.len() > ENTRIES_MAX {
            return Err(first);
        }
        let waiters = vec![(first.entries.len(), first.waiter)];
        let Waiting { entries, caller, after, .. } = first;
        Ok(Self { entries, caller, after, waiters, bytes })
    }

    /// Adds another append, or gives it back
    fn take(&mut self, next: Waiting, room: usize) -> Option<Waiting> {
        let bytes = bytes_of(&next.entries);
        let fits =
            self.bytes + bytes <= room && self.entries.len() + next.entries.len() <= ENTRIES_MAX;
        if !fits || next.caller != self.caller || next.after.is_some() || self.after.is_some() {
            return Some(next);
        }
        self.bytes += bytes;
        self.waiters.push((next.entries.len(), next.waiter));
        self.entries.extend(next.entries);
        None
    }
}

/// Starts the task that sends
pub(crate) fn start(shared: &Arc<Shared>) -> Appender {
    let (sender, receiver) = mpsc::channel(QUEUE_MAX);
    tokio::spawn(send_all(Arc::clone(shared), receiver));
    Appender { queue: sender, stop: Arc::new(StopOnDrop(Arc::clone(shared))) }
}

/// Bytes that the entries of one message may have
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
        // The wait for a place comes first: appends that arrive meanwhile travel together.
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
                // A small message waits for more appends, until a message under way is answered.
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
            let Parcel { entries, caller, after, waiters, .. } = parcel;
            let sent = send(&shared, entries, caller.as_ref(), after).await;
            drop(place);
            ended.notify_one();
            answer(sent, waiters);
        });
    }
}

/// Gives each waiter its own receipts
fn answer(sent: Result<Vec<Receipt>, AppendError>, waiters: Vec<(usize, Waiter)>) {
    let mut receipts = sent.map(VecDeque::from);
    for (count, waiter) in waiters {
        let own = receipts.as_mut().map_err(|error| error.clone()).and_then(|receipts| {
            if receipts.len() < count {
                return Err(AppendError::Indeterminate);
            }
            Ok(receipts.drain(..count).collect())
        });
        // The waiter may have gone.
        let _gone = waiter.send(own);
    }
}

/// Sends an append that does not fit into one message in parts, one after the other
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
        match send(&shared, part, waiting.caller.as_ref(), after).await {
            Ok(more) => {
                after = after.map(|last| last + 1);
                receipts.extend(more);
            }
            // The first parts are in the log. All parts may be sent again with the same ids.
            Err(AppendError::NotDone(_)) if !receipts.is_empty() => {
                break Err(AppendError::Indeterminate);
            }
            Err(error) => break Err(error),
        }
    };
    let _gone = waiting.waiter.send(sent);
}

/// Removes a message from those under way when the wait for it ends
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
    caller: Option<&Principal>,
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
        let headers = envelope::headers(registered.id, &source, embedded::now(), caller);
        let mut message = PublishMessage::build().payload(data.clone()).headers(headers);
        if let Some(last) = after {
            message = message.expected_last_sequence(last);
        }
        let acknowledged = match context.send_publish(to.clone(), message).await {
            Ok(sent) => sent.await,
            // The message was not sent.
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
                // There was no stream to take the message.
                PublishErrorKind::StreamNotFound if Instant::now() < deadline => {
                    tokio::time::sleep(PAUSE).await;
                }
                PublishErrorKind::StreamNotFound
                | PublishErrorKind::WrongLastSequence
                | PublishErrorKind::MaxPayloadExceeded => {
                    return Err(AppendError::NotDone(chain(&error)));
                }
                // The broker says that it did not store the message, and why. If several servers keep the stream,
                // another one may have stored it.
                _ if is_refusal(&error) && shared.status.server().stream_replicas == 1 => {
                    tracing::warn!(error = chain(&error), "NATS refused to store a message");
                    return Err(AppendError::NotDone(chain(&error)));
                }
                // The message may be in the stream. If it is, it will be read here.
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

/// Whether JetStream itself answered with the error; otherwise no answer came
fn is_refusal(error: &PublishError) -> bool {
    let source = std::error::Error::source(error);
    source.is_some_and(<dyn std::error::Error>::is::<async_nats::jetstream::Error>)
}

/// Waits until the stream is followed and a server is connected: a message sent earlier might stay in a buffer
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
