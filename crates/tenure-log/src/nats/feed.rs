//! How do the messages of a stream come to the thread that writes the journal?
//!
//! They come in their order, each batch with a permit for the memory that it takes. The thread blocks while it waits.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use tenure_journal::Cursor;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::{Shared, Status};
use crate::Message;

/// An item of the feed, for the thread that writes the journal
#[derive(Debug)]
pub enum Fed {
    /// Messages in their order, and a permit for the memory that they take
    Messages(Vec<Message>, OwnedSemaphorePermit),
    /// The journal's last row is now in that message of the stream
    Aligned(Cursor),
}

/// What comes next from the feed
#[derive(Debug)]
pub enum Next {
    /// Items, at least one
    Some(Vec<Fed>),
    /// Nothing came in time
    Idle,
    /// Nothing will come any more: the log has stopped
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
    /// What comes of a follower; made in the async runtime
    pub(super) fn new(receiver: mpsc::Receiver<Fed>, shared: Arc<Shared>) -> Self {
        Self { receiver, shared, runtime: Handle::current() }
    }

    /// Waits for an item, and then returns all that are there, up to so many entries and bytes
    ///
    /// A thread of the async runtime must not call this: it blocks.
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

    /// Whether the log has stopped: its last appender was dropped
    pub fn stopped(&self) -> bool {
        *self.shared.stopped.borrow()
    }

    /// A handle that shows the state of the log
    pub fn handle(&self) -> LogHandle {
        LogHandle(Arc::clone(&self.shared))
    }

    /// Notes that all messages up to this one are applied and shown
    pub fn applied(&self, sequence: u64) {
        self.shared.status.set_applied(sequence);
    }

    /// The status of the log
    pub fn status(&self) -> &Status {
        &self.shared.status
    }
}

/// Shows the state of a log in NATS; it does not keep the log from stopping
#[derive(Clone, Debug)]
pub struct LogHandle(Arc<Shared>);

impl LogHandle {
    /// The status of the log
    pub fn status(&self) -> &Status {
        &self.0.status
    }

    /// The connection
    pub fn client(&self) -> Client {
        self.0.client.clone()
    }

    /// Whether a server is connected
    pub fn connected(&self) -> bool {
        self.0.connection.borrow().connected
    }

    /// Waits until the log has stopped
    pub async fn stopped(&self) {
        let mut stopped = self.0.stopped.subscribe();
        let _closed = stopped.wait_for(|stopped| *stopped).await;
    }
}
