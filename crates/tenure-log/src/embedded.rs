//! How does a ledger that runs alone order its entries?
//!
//! By a queue. What waits together is taken together, so many clients share one flush. The queue is
//! bounded: who appends faster than the disk waits.

use std::time::{SystemTime, UNIX_EPOCH};

use tenure_core::RecordedAt;
use tenure_wire::codec::Encoded;
use tenure_wire::message::Item;
use tokio::sync::{mpsc, oneshot};

use crate::{Append, AppendError, Log, Message, Receipt, Waiter};

/// Appends that may wait in the queue; more wait at the door
const QUEUE_MAX: usize = 1_024;

struct Waiting {
    entries: Vec<Encoded>,
    waiter: Waiter,
}

/// Appends to the queue; cheap to clone
#[derive(Clone, Debug)]
pub struct Appender {
    queue: mpsc::Sender<Waiting>,
}

/// The queue, in its order
#[derive(Debug)]
pub struct Queue {
    queue: mpsc::Receiver<Waiting>,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiting").field("entries", &self.entries.len()).finish()
    }
}

/// Wakes whoever waits for the queue, without an entry; it does not keep the log open
#[derive(Clone, Debug)]
pub struct Nudge {
    queue: mpsc::WeakSender<Waiting>,
}

impl Nudge {
    /// Lets [`Log::next`] return with no messages, unless there are some
    pub fn nudge(&self) {
        let (waiter, _) = oneshot::channel();
        if let Some(queue) = self.queue.upgrade() {
            // Where there is no room, nobody sleeps.
            let _full = queue.try_send(Waiting { entries: Vec::new(), waiter });
        }
    }
}

impl Appender {
    /// What wakes whoever waits for the queue
    pub fn nudge(&self) -> Nudge {
        Nudge { queue: self.queue.downgrade() }
    }
}

/// A log, and what appends to it
pub fn open() -> (Appender, Queue) {
    let (sender, receiver) = mpsc::channel(QUEUE_MAX);
    (Appender { queue: sender }, Queue { queue: receiver })
}

impl Append for Appender {
    async fn append(&self, entries: Vec<Encoded>) -> Result<Vec<Receipt>, AppendError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let (waiter, receipt) = oneshot::channel();
        let closed = |_| AppendError::NotDone("the log is closed".into());
        self.queue.send(Waiting { entries, waiter }).await.map_err(closed)?;
        // Whoever took it from the queue ended before it answered.
        receipt.await.unwrap_or(Err(AppendError::Indeterminate))
    }
}

/// The wall clock, which may step back
pub fn now() -> RecordedAt {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    RecordedAt::saturating_from_micros(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
}

impl Log for Queue {
    fn next(&mut self, entries_max: usize) -> Option<Vec<Message>> {
        let first = self.queue.blocking_recv()?;
        let mut count = first.entries.len();
        let mut taken = vec![first];
        while count < entries_max
            && let Ok(waiting) = self.queue.try_recv()
        {
            count += waiting.entries.len();
            taken.push(waiting);
        }
        let stamped_at = now();
        let message = |waiting: Waiting| Message {
            stamped_at,
            entries: waiting.entries.into_iter().map(Item::from).collect(),
            origin: None,
            waiter: Some(waiting.waiter),
        };
        // Without an entry it is a nudge.
        let taken = taken.into_iter().filter(|waiting| !waiting.entries.is_empty());
        Some(taken.map(message).collect())
    }
}
