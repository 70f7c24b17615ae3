//! How does a running ledger start, and what can be asked of it?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tenure_core::{KnownAt, Ledger, Position, Principal, Snapshot};
use tenure_journal::quarantine::expected;
use tenure_journal::{Journal, Reader};
use tenure_log::nats::{self, NatsSettings, Opened, subject};
use tenure_log::{AppendError, Message, Receipt, embedded};
use tenure_wire::catalogs;
use tenure_wire::codec::Encoded;
use tenure_wire::message::Item;
use tokio::sync::watch;

use super::appender::Appender;
use super::begin_again::{self, fold_or_begin_again};
use super::beginning::begin;
use super::checkpointer::{Checkpointer, Due};
use super::checkpoints::{self, Begun, Formats};
use super::clock_guard::ClockGuard;
use super::clock_watch::{ClockReport, ClockWatch};
use super::deciding::record;
use super::disk::DiskWatch;
use super::error::StartError;
use super::following::Follower;
use super::green::Green;
use super::options::{Genesis, Options};
use super::others::tell_others;
use super::peers::Peers;
use super::replay::Progress;
use super::replica::{Obstacle, Replica, Report, replica_id};
use super::shared::{Shared, WRITE_FAILED};
use super::writing::write_all;
use crate::metrics::Metrics;
use crate::problem::Code;

/// How long a server may take to be there at the start
const OPEN_PATIENCE: Duration = Duration::from_secs(3);

/// A running ledger; cheap to clone
#[derive(Clone, Debug)]
pub struct Engine {
    pub(super) shared: Arc<Shared>,
    appender: Appender,
}

/// The thread that writes; joining it closes the journal
#[derive(Debug)]
pub struct Writer {
    thread: std::thread::JoinHandle<()>,
}

impl Writer {
    /// Waits until all that was appended is written and the journal is closed
    ///
    /// It ends when no [`Engine`] of its ledger is left.
    pub fn join(self) {
        if self.thread.join().is_err() {
            tracing::error!("the thread that writes the journal ended in a panic");
        }
    }
}

impl Engine {
    /// Makes the ledger from its index checkpoint and the journal, appends the built-in catalogues where
    /// they are missing, and starts
    ///
    /// # Errors
    /// A journal that cannot be read, or says otherwise than the fold. What is wrong with a checkpoint is no
    /// error: it is discarded.
    /// # Cost
    /// O(entries), of which those that a checkpoint has cost much less.
    pub fn start(
        journal: Journal,
        options: Options,
        metrics: Arc<Metrics>,
        progress: impl FnMut(Progress),
    ) -> Result<(Self, Writer), StartError> {
        let with = (&Formats::default(), Due::default(), ClockGuard::begin(options.accept_clock));
        Self::start_with(journal, options, with, metrics, progress)
    }

    pub(super) fn start_with(
        mut journal: Journal,
        options: Options,
        (formats, due, mut clock): (&Formats, Due, ClockGuard),
        metrics: Arc<Metrics>,
        mut progress: impl FnMut(Progress),
    ) -> Result<(Self, Writer), StartError> {
        let reader = journal.reader();
        let builds = options.genesis == Genesis::BuiltIn;
        if builds && reader.cursor().map_err(StartError::Journal)?.is_some() {
            // It would go another way than the stream.
            return Err(StartError::FollowsStream(journal.path().to_owned()));
        }
        let Begun { mut ledger, stored } =
            checkpoints::begin(&journal, options.checkpoints, formats, &metrics, &mut progress)?;
        if builds {
            publish_missing(&mut journal, &mut ledger, &mut clock)?;
        }
        let current = stored.as_ref().is_none_or(|stored| stored.is_current(formats));
        let newest = ledger.newest_position().map_or(0, Position::get);
        metrics.position.set(i64::try_from(newest).unwrap_or(i64::MAX));
        let shared = Arc::new(Shared {
            name: journal.ledger().to_owned(),
            snapshot: ArcSwap::from_pointee(ledger.snapshot()),
            reader: reader.clone(),
            shown: watch::Sender::new(newest),
            failed: AtomicBool::new(false),
            index_is_current: AtomicBool::new(current),
            metrics,
            disk: DiskWatch::default(),
            clock: ClockWatch::of(&ledger),
            replica: None,
        });
        let (appender, queue) = embedded::open();
        let green = (!current).then(|| {
            tracing::info!("the index is of an older format: it serves while it is rebuilt beside");
            Green::start(shared.name.clone(), reader, appender.nudge())
        });
        let appender = Appender::Embedded(appender);
        let checkpointer = Checkpointer::start(&shared, options.checkpoints, stored, formats, due);
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            // The journal holds the folder: it is dropped last.
            let mut journal = journal;
            write_all(&for_thread, ledger, &mut journal, queue, green, clock);
            if let Some(checkpointer) = checkpointer {
                checkpointer.finish();
            }
        });
        Ok((Self { shared, appender }, Writer { thread }))
    }

    /// The ledger's name
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The newest position that may be seen, 0 if there is none
    pub fn shown(&self) -> KnownAt {
        KnownAt(*self.shared.shown.borrow())
    }

    /// Told whenever a newer position may be seen
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.shared.shown.subscribe()
    }

    /// How many watch
    #[cfg(test)]
    pub(crate) fn watch_count(&self) -> usize {
        self.shared.shown.receiver_count()
    }

    /// Waits until a position may be seen; whether it came in time
    pub async fn reach(&self, position: u64, patience: Duration) -> bool {
        let mut shown = self.watch();
        let reached = shown.wait_for(|shown| *shown >= position);
        matches!(tokio::time::timeout(patience, reached).await, Ok(Ok(_)))
    }

    /// Why nothing can be appended, if so
    pub fn failure(&self) -> Option<&'static str> {
        self.shared.failed.load(Ordering::Acquire).then_some(WRITE_FAILED)
    }

    /// What to say of the disk while it stands still
    pub fn stalled(&self) -> Option<String> {
        self.shared.disk.stalled()
    }

    /// Who would be the submitter of a caller's entries, as things are now
    pub(crate) fn submitter_of(&self, caller: &Principal) -> Principal {
        let own = subject::own_client();
        match &self.appender {
            Appender::Nats(_) if !self.ledger().is_door(&own, embedded::now()) => own,
            Appender::Nats(_) | Appender::Embedded(_) => caller.clone(),
        }
    }

    /// Appends entries and waits until they are on the disk and may be seen
    ///
    /// Where a stream is the log, they are the submitter's if this server is a door there; else its own client's.
    /// # Errors
    /// [`AppendError::NotDone`]: nothing was appended. [`AppendError::Indeterminate`]: the entries may have been
    /// appended; append them again with the same ids.
    pub async fn append(
        &self,
        submitter: &Principal,
        entries: Vec<Encoded>,
    ) -> Result<Vec<Receipt>, AppendError> {
        if let Some(why) = self.forbids_appending() {
            return Err(AppendError::NotDone(why));
        }
        let began = Instant::now();
        let sent_at = embedded::now();
        let receipts = self.appender.append(submitter, entries).await;
        self.shared.metrics.append_seconds.observe(began.elapsed().as_secs_f64());
        if self.shared.replica.is_some()
            && let Some(first) = receipts.iter().flatten().next()
        {
            self.shared.clock.acknowledged(first.recorded_at, sent_at);
        }
        receipts
    }

    /// Appends entries from a thread that may block
    ///
    /// # Errors
    /// As [`Engine::append`].
    pub fn append_blocking(
        &self,
        submitter: &Principal,
        entries: Vec<Encoded>,
    ) -> Result<Vec<Receipt>, AppendError> {
        futures::executor::block_on(self.append(submitter, entries))
    }

    /// The ledger at the newest position that may be seen, or a newer one
    pub(crate) fn ledger(&self) -> Arc<Snapshot> {
        self.shared.snapshot.load_full()
    }

    /// What the journal holds
    pub fn reader(&self) -> &Reader {
        &self.shared.reader
    }

    /// Counters of what happens
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.shared.metrics
    }

    /// What stands between this ledger and being asked, if anything does
    pub fn obstacle(&self) -> Option<Obstacle> {
        if let Some(why) = self.failure() {
            return Some(Obstacle { code: Code::NotReady, why: why.to_owned() });
        }
        if let Some(why) = self.stalled() {
            return Some(Obstacle { code: Code::NotReady, why });
        }
        self.shared.replica.as_ref().and_then(|replica| replica.obstacle())
    }

    /// What a replica of several shows of itself; `None` for a ledger that runs alone
    pub fn report(&self) -> Option<Report> {
        self.shared.replica.as_ref().map(|replica| replica.report())
    }

    /// What an operator should know of this server's clock and the log's, if they disagree
    pub fn clock(&self) -> Option<ClockReport> {
        self.shared.clock.report()
    }

    /// Brings the metrics of the clock and of a replica up to date
    pub(crate) fn measure(&self) {
        self.shared.metrics.clock_offset_seconds.set(self.shared.clock.offset_seconds());
        if let Some(replica) = &self.shared.replica {
            replica.measure(&self.shared.metrics);
        }
    }

    /// Why nothing can be appended through this ledger, if so
    fn forbids_appending(&self) -> Option<String> {
        let obstacle = self.obstacle()?;
        if let Some(why) = self.stalled() {
            return Some(why);
        }
        if let Some(blocked) = self.shared.replica.as_ref().and_then(|r| r.blocked.lock().clone()) {
            return Some(blocked);
        }
        match obstacle.code {
            // Who waits for the stream waits a while; the log says so when it takes too long.
            Code::NotReady if self.failure().is_none() => None,
            _ => Some(obstacle.why),
        }
    }

    /// Folds the journal again, and follows the stream from where it stands
    ///
    /// Reads are answered from then on, as of what is known here. A damaged journal is set aside and begun
    /// again: the stream has what was in it.
    ///
    /// # Errors
    /// A journal that says otherwise than the fold, a stream that is no log, or settings that cannot be
    /// used. A NATS server that is away is none.
    /// # Cost
    /// O(entries of the journal).
    pub async fn follow(
        journal: Journal,
        settings: &NatsSettings,
        options: Options,
        metrics: Arc<Metrics>,
        mut progress: impl FnMut(Progress) + Send + 'static,
    ) -> Result<(Self, Writer), StartError> {
        let of_fold = Arc::clone(&metrics);
        let folded = tokio::task::spawn_blocking(move || {
            fold_or_begin_again(journal, options.checkpoints, &of_fold, &mut progress)
        });
        let (journal, Begun { ledger, stored }, trail) = match folded.await {
            Ok(folded) => folded?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let reader = journal.reader();
        let name = journal.ledger().to_owned();
        let before = expected(journal.path());
        let known = before.as_ref().map_or(0, |before| before.position);
        let opened = nats::open(settings, &name, reader.clone(), known, OPEN_PATIENCE).await;
        let Opened { appender, feed, client } = opened.map_err(StartError::Log)?;
        let id = replica_id(journal.path()).map_err(StartError::Folder)?;
        let replica = Arc::new(Replica {
            peers: Mutex::new(Peers::new(id.clone(), journal.path())),
            id,
            folder: journal.path().to_owned(),
            before,
            log: feed.handle(),
            trail: Mutex::new(trail),
            blocked: Mutex::default(),
            lost: Mutex::default(),
            begun: AtomicBool::new(false),
        });
        let newest = ledger.newest_position().map_or(0, Position::get);
        metrics.position.set(i64::try_from(newest).unwrap_or(i64::MAX));
        let shared = Arc::new(Shared {
            name,
            snapshot: ArcSwap::from_pointee(ledger.snapshot()),
            reader,
            shown: watch::Sender::new(newest),
            failed: AtomicBool::new(false),
            index_is_current: AtomicBool::new(true),
            metrics,
            disk: DiskWatch::default(),
            clock: ClockWatch::of(&ledger),
            replica: Some(Arc::clone(&replica)),
        });
        let for_thread = Arc::clone(&shared);
        let of_thread = Arc::clone(&replica);
        let thread = std::thread::Builder::new()
            .name("follow".to_owned())
            .spawn(move || {
                let checkpointing = options.checkpoints;
                let (formats, due) = (begin_again::formats(), Due::default());
                let checkpointer =
                    Checkpointer::start(&for_thread, checkpointing, stored, &formats, due);
                let follower = Follower { ledger, journal, feed };
                follower.run(&for_thread, &of_thread, checkpointer);
            })
            .map_err(StartError::Folder)?;
        tokio::spawn(tell_others(Arc::clone(&shared), Arc::clone(&replica), client));
        let first =
            begin(Arc::clone(&shared), Arc::clone(&replica), appender.downgrade(), options.genesis);
        tokio::spawn(first);
        Ok((Self { shared, appender: Appender::Nats(appender) }, Writer { thread }))
    }
}

fn publish_missing(
    journal: &mut Journal,
    ledger: &mut Ledger,
    clock: &mut ClockGuard,
) -> Result<(), StartError> {
    let built_in = catalogs::genesis(journal.ledger()).map_err(StartError::Catalog)?;
    let missing: Vec<Encoded> =
        built_in.into_iter().filter(|entry| ledger.owner(entry.entry().id()).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let stamped_at = embedded::now();
    clock.check(stamped_at, ledger.newest_recorded_at()).map_err(StartError::Clock)?;
    tracing::info!(catalogs = missing.len(), "appending the built-in catalogues");
    let entries = missing.into_iter().map(Item::from).collect();
    let submitter = Principal::local();
    let message =
        Message { stamped_at, submitter, caller: None, entries, origin: None, waiter: None };
    record(journal, ledger, vec![message]).map_err(StartError::Journal)
}
