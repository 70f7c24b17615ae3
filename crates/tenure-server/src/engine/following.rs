//! How does a ledger follow a stream that others follow too?
//!
//! One thread takes messages from the stream, lets the fold decide, shows it, and writes the rows, many at once,
//! with the place in the stream that they came from. The stream has the entries, so what is shown need not wait for this
//! disk: another thread flushes the rows ten times a second (see [`super::disk`]), and what a crash takes away is
//! read again. A disk that is full or stands still holds the reading up and nothing else.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tenure_core::{Ledger, Position};
use tenure_journal::{Cursor, Journal, Written};
use tenure_log::Message;
use tenure_log::nats::{Fed, Feed, Next, Standing};

use super::checkpointer::Checkpointer;
use super::deciding::{BATCH_ENTRIES_MAX, decide};
use super::disk::{Unflushed, Work};
use super::error::chain;
use super::replica::Replica;
use super::shared::{FailureGuard, Shared, WRITE_FAILED};

/// Bytes that are taken from the stream at once
const BATCH_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// How long nothing may come before it is looked up again
const IDLE: Duration = Duration::from_secs(5);
/// Rows that were taken on wait so long to be written with others
const WRITE_INTERVAL: Duration = Duration::from_millis(50);
/// How often a full disk is looked at
const DISK_INTERVAL: Duration = Duration::from_millis(250);
/// How often the progress of a long reading is logged
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

/// What the thread that follows the stream owns
#[derive(Debug)]
pub(super) struct Follower {
    pub(super) feed: Feed,
    pub(super) ledger: Ledger,
    /// It holds the folder: it is dropped last
    pub(super) journal: Journal,
}

impl Follower {
    /// Follows until nobody needs the log any more, or a write fails
    pub(super) fn run(
        mut self,
        shared: &Shared,
        replica: &Replica,
        checkpointer: Option<Checkpointer>,
    ) {
        let mut guard = FailureGuard { failed: &shared.failed, armed: true };
        let unflushed = Unflushed::default();
        let flusher = self.journal.flusher();
        let followed = std::thread::scope(|scope| {
            let behind =
                scope.spawn(|| unflushed.flush_behind(&flusher, &shared.disk, &shared.metrics));
            unflushed.flushed_by(behind.thread());
            let _ends = unflushed.ends_with_this();
            Following { shared, replica, unflushed: &unflushed, own: &mut self }.follow()
        });
        drop(flusher);
        let flushed =
            followed.and_then(|()| unflushed.failure()).and_then(|()| self.journal.flush());
        if let Err(error) = flushed {
            // The fold is ahead of the disk now, and what is on the disk is not known: only a new start
            // tells. What may be seen stays where it was.
            tracing::error!(error = chain(&error), "{WRITE_FAILED}");
            shared.failed.store(true, Ordering::Release);
            // The folder stays held for as long as sled has it open, and nothing more is read.
            while !self.feed.stopped() {
                std::thread::park_timeout(DISK_INTERVAL);
            }
        }
        if let Some(checkpointer) = checkpointer {
            checkpointer.finish();
        }
        guard.armed = false;
    }
}

/// Why nothing more is followed
#[derive(Debug)]
enum End {
    /// Nobody needs the log any more
    Unneeded,
    Failed(tenure_journal::Error),
}

impl From<tenure_journal::Error> for End {
    fn from(error: tenure_journal::Error) -> Self {
        Self::Failed(error)
    }
}

/// The stream being followed
struct Following<'a> {
    shared: &'a Shared,
    replica: &'a Replica,
    unflushed: &'a Unflushed,
    own: &'a mut Follower,
}

impl Following<'_> {
    fn follow(mut self) -> Result<(), tenure_journal::Error> {
        match self.read_on() {
            Ok(()) | Err(End::Unneeded) => Ok(()),
            Err(End::Failed(error)) => Err(error),
        }
    }

    fn read_on(&mut self) -> Result<(), End> {
        let mut told = Instant::now();
        let mut written = Instant::now();
        loop {
            let pending = self.own.journal.has_pending();
            let patience = if pending { WRITE_INTERVAL } else { IDLE };
            let next = self.own.feed.next(BATCH_ENTRIES_MAX, BATCH_BYTES_MAX, patience);
            if pending && (matches!(next, Next::Idle) || written.elapsed() >= WRITE_INTERVAL) {
                self.write(Journal::write_pending)?;
                written = Instant::now();
            }
            match next {
                Next::Closed => return Ok(()),
                Next::Idle => self.unflushed.failure()?,
                Next::Some(fed) => self.take(fed)?,
            }
            if told.elapsed() >= PROGRESS_INTERVAL
                && let Standing::CatchingUp { target } = self.own.feed.status().standing()
            {
                told = Instant::now();
                let done = self.own.feed.status().applied();
                let percent = done * 100 / target.max(1);
                tracing::info!(done, of = target, percent, "reading the stream");
            }
        }
    }

    fn take(&mut self, fed: Vec<Fed>) -> Result<(), End> {
        if !self.unflushed.wait(&self.own.feed)? {
            return Err(End::Unneeded);
        }
        self.wait_for_room()?;
        let mut messages = Vec::new();
        let mut permits = Vec::with_capacity(fed.len());
        for fed in fed {
            match fed {
                Fed::Messages(run, permit) => {
                    messages.extend(run);
                    permits.push(permit);
                }
                Fed::Aligned(cursor) => {
                    self.apply(std::mem::take(&mut messages))?;
                    self.align(cursor)?;
                }
            }
        }
        self.apply(messages)?;
        drop(permits);
        Ok(())
    }

    /// Takes note that the journal's end is another message of the stream now
    fn align(&mut self, cursor: Cursor) -> Result<(), End> {
        self.write(Journal::write_pending)?;
        let Follower { journal, feed, .. } = &mut *self.own;
        self.shared
            .disk
            .during(Work::Writing, || journal.anchor(cursor.position, cursor.origin))?;
        feed.applied(cursor.origin.sequence);
        Ok(())
    }

    /// Lets the fold decide on messages, takes the rows on, shows them, and answers who waits
    fn apply(&mut self, messages: Vec<Message>) -> Result<(), End> {
        let last = messages.iter().rev().find_map(|message| message.origin);
        let Some(last) = last else { return Ok(()) };
        let Self { shared, replica, .. } = *self;
        let Follower { ledger, journal, .. } = &mut *self.own;
        let (mut rows, answers) = decide(ledger, |position| shared.kept(position), messages)?;
        let digests = replica.trail.lock().ahead(&rows, journal);
        shared.metrics.count(&rows);
        self.write(|journal| journal.commit_unflushed(&mut rows))?;
        let Follower { ledger, journal, feed } = &*self.own;
        let newest = journal.newest().map_or(0, Position::get);
        shared.metrics.position.set(i64::try_from(newest).unwrap_or(i64::MAX));
        {
            let mut trail = replica.trail.lock();
            trail.extend(digests);
            replica.peers.lock().catch_up(&trail);
        }
        shared.snapshot.store(Arc::new(ledger.snapshot()));
        shared.shown.send_replace(newest);
        feed.applied(last.sequence);
        if let Some(newest) = ledger.newest_recorded_at() {
            shared.clock.arrived(newest);
        }
        for (waiter, receipts) in answers {
            // Who no longer waits has no answer to get.
            let _gone = waiter.send(Ok(receipts));
        }
        Ok(())
    }

    /// Writes, as soon as there is room; `write` takes nothing on when the disk is full
    fn write(
        &mut self,
        mut write: impl FnMut(&mut Journal) -> Result<Written, tenure_journal::Error>,
    ) -> Result<(), End> {
        loop {
            let journal = &mut self.own.journal;
            match self.shared.disk.during(Work::Writing, || write(journal)) {
                Ok(written) => {
                    self.unflushed.add(written);
                    return Ok(());
                }
                // It filled up in between.
                Err(tenure_journal::Error::DiskFull { .. }) => self.wait_for_room()?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Waits while the disk is full
    fn wait_for_room(&mut self) -> Result<(), End> {
        loop {
            let journal = &mut self.own.journal;
            match self.shared.disk.during(Work::Writing, || journal.writable(0)) {
                Ok(()) => {
                    if self.replica.blocked.lock().take().is_some() {
                        tracing::info!("there is room again: the stream is read on");
                    }
                    return Ok(());
                }
                Err(error) => {
                    let why = chain(&error);
                    let mut blocked = self.replica.blocked.lock();
                    if blocked.is_none() {
                        tracing::error!(why, "nothing can be written: the stream is not read on");
                    }
                    *blocked = Some(why);
                }
            }
            if self.own.feed.stopped() {
                return Err(End::Unneeded);
            }
            std::thread::park_timeout(DISK_INTERVAL);
        }
    }
}
