//! How does a ledger that runs alone order its entries?
//!
//! By a queue. Entries that wait together are taken together, so many clients share one flush. The queue is
//! bounded: a client that appends faster than the disk writes has to wait.

use std::time::{SystemTime, UNIX_EPOCH};

use tenure_core::{Principal, RecordedAt};
use tenure_wire::codec::Encoded;
use tenure_wire::message::Item;
use tokio::sync::{mpsc, oneshot};

use crate::{AppendError, Message, Receipt, Waiter};

/// Appends that may wait in the queue; further ones wait before it
const QUEUE_MAX: usize = 1_024;

struct Queued {
    submitter: Principal,
    entries: Vec<Encoded>,
    waiter: Waiter,
}

/// Appends to the queue; cheap to clone
#[derive(Clone, Debug)]
pub struct QueueAppender {
    queue: mpsc::Sender<Queued>,
}

/// The queue, from which appends are taken in their order
#[derive(Debug)]
pub struct Queue {
    queue: mpsc::Receiver<Queued>,
}

impl std::fmt::Debug for Queued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queued").field("entries", &self.entries.len()).finish()
    }
}

/// Wakes the thread that waits for the queue, without an entry; it does not keep the log open
#[derive(Clone, Debug)]
pub struct Nudge {
    queue: mpsc::WeakSender<Queued>,
}

impl Nudge {
    /// Lets [`Queue::next`] return at once, even if there are no messages
    pub fn nudge(&self) {
        let (waiter, _) = oneshot::channel();
        if let Some(queue) = self.queue.upgrade() {
            // If the queue is full, its thread is awake already.
            let _full = queue.try_send(Queued {
                submitter: Principal::local(),
                entries: Vec::new(),
                waiter,
            });
        }
    }
}

impl QueueAppender {
    /// Wakes the thread that waits for the queue
    pub fn nudge(&self) -> Nudge {
        Nudge { queue: self.queue.downgrade() }
    }

    /// Appends the entries of a submitter and waits until they are in the log and applied
    ///
    /// # Guarantees
    /// On `Ok` they are on this disk, in this order.
    /// # Errors
    /// [`AppendError::NotDone`]: nothing was appended. [`AppendError::Indeterminate`]: the entries may have been
    /// appended; append them again with the same ids.
    pub async fn append(
        &self,
        submitter: Principal,
        entries: Vec<Encoded>,
    ) -> Result<Vec<Receipt>, AppendError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let (waiter, receipt) = oneshot::channel();
        let closed = |_| AppendError::NotDone("the log is closed".into());
        self.queue.send(Queued { submitter, entries, waiter }).await.map_err(closed)?;
        // The thread that took it from the queue ended before it answered.
        receipt.await.unwrap_or(Err(AppendError::Indeterminate))
    }
}

/// A new queue, and the appender that adds to it
pub fn open() -> (QueueAppender, Queue) {
    let (sender, receiver) = mpsc::channel(QUEUE_MAX);
    (QueueAppender { queue: sender }, Queue { queue: receiver })
}

/// The wall clock, which may step back
pub fn now() -> RecordedAt {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    RecordedAt::saturating_from_micros(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
}

impl Queue {
    /// Waits for messages and gives all that are there, up to so many entries
    ///
    /// `None` when the log is closed; no messages after a [`Nudge`].
    pub fn next(&mut self, entries_max: usize) -> Option<Vec<Message>> {
        let first = self.queue.blocking_recv()?;
        let mut count = first.entries.len();
        let mut taken = vec![first];
        while count < entries_max
            && let Ok(queued) = self.queue.try_recv()
        {
            count += queued.entries.len();
            taken.push(queued);
        }
        let stamped_at = now();
        let message = |queued: Queued| Message {
            stamped_at,
            submitter: queued.submitter,
            caller: None,
            entries: queued.entries.into_iter().map(Item::from).collect(),
            origin: None,
            waiter: Some(queued.waiter),
        };
        // An append without entries is a nudge.
        let taken = taken.into_iter().filter(|queued| !queued.entries.is_empty());
        Some(taken.map(message).collect())
    }
}
