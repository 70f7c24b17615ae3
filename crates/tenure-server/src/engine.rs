//! How does an entry become a fact that can be asked about?
//!
//! One thread takes messages from the log, lets the fold decide, writes the rows to the journal, and
//! then shows a snapshot: nothing is seen or acknowledged before it is on the disk. Who asks takes the
//! snapshot that is shown; neither waits for the other.

mod appender;
mod checkpointer;
mod checkpoints;
mod compare;
mod digest;
mod disk;
mod following;
mod green;
mod peers;
mod replay;
mod replica;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tenure_core::{Fingerprint, KnownAt, Ledger, Position, Recorded, Snapshot, Submission};
use tenure_journal::{Journal, Payload, Reader, Row, RowError};
use tenure_log::embedded::{self, Queue};
use tenure_log::{AppendError, Message, Receipt};
use tenure_wire::catalogs;
use tenure_wire::codec::Encoded;
use tenure_wire::message::Item;
use tokio::sync::watch;

use crate::metrics::Metrics;
use appender::Appender;
use replica::Replica;

pub use replica::{Obstacle, Report, open_or_begin_again};

use self::checkpointer::{Checkpointer, Due};
use self::checkpoints::{Begun, Formats};
use self::disk::{DiskWatch, Work};
use self::green::Green;

pub use checkpointer::write_checkpoint;
pub use checkpoints::Checkpointing;
pub use compare::{CompareError, Compared, compare_checkpoint};
pub use replay::{rebuild, verify};

/// Entries that are taken from the log at once
const BATCH_ENTRIES_MAX: usize = 8_192;

/// What is said once a write has failed
const WRITE_FAILED: &str = "an earlier write failed, so what is on the disk is not known: start the server \
     again, which reads what is there";

/// Why an engine did not start
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The journal cannot be opened or read
    #[error("the journal cannot be read")]
    Journal(#[source] tenure_journal::Error),
    /// A row that was decided otherwise before
    #[error(
        "the entry at position {position} was {before}, and is {now} by the rules of this program: the \
         journal is damaged, or was written by a program with other rules"
    )]
    OtherOutcome {
        /// Its position
        position: Position,
        /// What the journal says
        before: String,
        /// What the fold says
        now: String,
    },
    /// A row that says what no row says
    #[error("the entry at position {position} cannot be read")]
    Row {
        /// Its position
        position: Position,
        /// Why
        #[source]
        source: RowError,
    },
    /// A built-in catalogue is wrong
    #[error("a built-in catalogue is wrong")]
    Catalog(#[source] catalogs::CatalogFileError),
    /// The log in NATS cannot be used
    #[error("the log cannot be used")]
    Log(#[source] tenure_log::nats::OpenError),
    /// What is kept beside the journal cannot be read or written
    #[error("the data folder cannot be used")]
    Folder(#[source] std::io::Error),
    /// The journal follows a stream
    #[error(
        "the data folder `{}` follows a stream in NATS: name it with `--log nats://…`, or ask its server", .0.display()
    )]
    FollowsStream(std::path::PathBuf),
}

/// Whether the built-in catalogues are appended where they are missing
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Genesis {
    /// They are
    #[default]
    BuiltIn,
    /// They are left to people
    Manual,
}

/// How an engine starts
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Whether the built-in catalogues are appended where they are missing
    pub genesis: Genesis,
    /// What is done with index checkpoints
    pub checkpoints: Checkpointing,
}

/// What all parts of a running ledger share
#[derive(Debug)]
struct Shared {
    name: String,
    /// What may be seen
    snapshot: ArcSwap<Snapshot>,
    reader: Reader,
    /// The newest position that may be seen
    shown: watch::Sender<u64>,
    /// Set when a write has failed: what is on the disk is not known
    failed: AtomicBool,
    /// Whether the index is the one that this program makes, and not one of an older format
    index_is_current: AtomicBool,
    metrics: Arc<Metrics>,
    disk: DiskWatch,
    /// Where the log is a stream that others follow too
    replica: Option<Arc<Replica>>,
}

impl Shared {
    /// A row of the journal, for the thread that writes it
    fn kept(&self, position: Position) -> Result<Row, tenure_journal::Error> {
        self.disk.during(Work::Writing, || self.reader.row(position))
    }
}

/// A running ledger; cheap to clone
#[derive(Clone, Debug)]
pub struct Engine {
    shared: Arc<Shared>,
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

/// What an engine is when it is shown what the journal holds
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Entries folded
    pub done: u64,
    /// Entries in the journal
    pub of: u64,
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
        Self::start_with(journal, options, (&Formats::default(), Due::default()), metrics, progress)
    }

    fn start_with(
        mut journal: Journal,
        options: Options,
        (formats, due): (&Formats, Due),
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
            publish_missing(&mut journal, &mut ledger)?;
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
            replica: None,
        });
        let (appender, queue) = embedded::open();
        let green = (!current).then(|| {
            tracing::info!("the index is of an older format: it serves while it is rebuilt beside");
            Green::start(reader, appender.nudge())
        });
        let appender = Appender::Embedded(appender);
        let checkpointer = Checkpointer::start(&shared, options.checkpoints, stored, formats, due);
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            // The journal holds the folder: it is dropped last.
            let mut journal = journal;
            write_all(&for_thread, ledger, &mut journal, queue, green);
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

    /// Appends entries and waits until they are on the disk and may be seen
    ///
    /// # Errors
    /// [`AppendError::NotDone`]: nothing was appended. [`AppendError::Indeterminate`]: the entries may have been
    /// appended; append them again with the same ids.
    pub async fn append(&self, entries: Vec<Encoded>) -> Result<Vec<Receipt>, AppendError> {
        if let Some(why) = self.forbids_appending() {
            return Err(AppendError::NotDone(why));
        }
        let began = Instant::now();
        let receipts = self.appender.append(entries).await;
        self.shared.metrics.append_seconds.observe(began.elapsed().as_secs_f64());
        receipts
    }

    /// Appends entries from a thread that may block
    ///
    /// # Errors
    /// As [`Engine::append`].
    pub fn append_blocking(&self, entries: Vec<Encoded>) -> Result<Vec<Receipt>, AppendError> {
        futures::executor::block_on(self.append(entries))
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
}

fn publish_missing(journal: &mut Journal, ledger: &mut Ledger) -> Result<(), StartError> {
    let built_in = catalogs::genesis(journal.ledger()).map_err(StartError::Catalog)?;
    let missing: Vec<Encoded> =
        built_in.into_iter().filter(|entry| ledger.owner(entry.entry().id()).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    tracing::info!(catalogs = missing.len(), "appending the built-in catalogues");
    let entries = missing.into_iter().map(Item::from).collect();
    let message = Message { stamped_at: embedded::now(), entries, origin: None, waiter: None };
    record(journal, ledger, vec![message]).map_err(StartError::Journal)
}

/// Lets the fold decide on messages that another clock stamped, and writes them: a made-up history, or one
/// that is restored
///
/// # Errors
/// As [`Journal::commit`]; the ledger is ahead of the journal then, and not to be used.
pub fn record(
    journal: &mut Journal,
    ledger: &mut Ledger,
    messages: Vec<Message>,
) -> Result<(), tenure_journal::Error> {
    let reader = journal.reader();
    let (rows, _) = decide(ledger, |position| reader.row(position), messages)?;
    journal.commit(&rows)
}

type Answers = Vec<(tenure_log::Waiter, Vec<Receipt>)>;

/// Lets the fold decide, in the order of the log; `kept` reads a row that the journal has, with which an entry
/// whose id came before is compared
///
/// # Errors
/// An earlier entry with the same id that cannot be read; the ledger is ahead of the journal then.
fn decide(
    ledger: &mut Ledger,
    kept: impl Fn(Position) -> Result<Row, tenure_journal::Error>,
    messages: Vec<Message>,
) -> Result<(Vec<Row>, Answers), tenure_journal::Error> {
    let first = ledger.next_position();
    let mut rows: Vec<Row> = Vec::new();
    let mut answers = Answers::new();
    for message in messages {
        // Clocks step back; what the log recorded does not.
        let recorded_at = ledger
            .newest_recorded_at()
            .map_or(message.stamped_at, |newest| newest.max(message.stamped_at));
        let mut receipts = message.waiter.is_some().then(Vec::new);
        let mut origin = message.origin;
        for item in message.entries {
            let position = ledger.next_position();
            let (payload, submission) = taken(item);
            let content_of = |owner: Position| match owner.get().checked_sub(first.get()) {
                None => content(&kept(owner)?, owner),
                // It is not written yet.
                Some(ahead) => {
                    let row = usize::try_from(ahead).ok().and_then(|ahead| rows.get(ahead));
                    row.map_or(Ok(Fingerprint::NONE), |row| content(row, owner))
                }
            };
            let outcome = ledger.apply_with(&Recorded { recorded_at, submission }, content_of)?;
            if let Some(receipts) = &mut receipts {
                receipts.push(Receipt { position, recorded_at, outcome: outcome.clone() });
            }
            rows.push(Row { recorded_at, outcome, payload, origin: origin.take() });
        }
        answers.extend(message.waiter.zip(receipts));
    }
    Ok((rows, answers))
}

/// Those that there is room for; who waits for another one is told why not
fn with_room(shared: &Shared, journal: &mut Journal, messages: Vec<Message>) -> Vec<Message> {
    let bytes_of = |message: &Message| message.entries.iter().map(Item::bytes).sum::<usize>();
    let mut room_for = |bytes| shared.disk.during(Work::Writing, || journal.writable(bytes));
    if room_for(messages.iter().map(bytes_of).sum()).is_ok() {
        return messages;
    }
    let mut taken_bytes = 0;
    let mut taken = Vec::new();
    let mut refused = None;
    for message in messages {
        let bytes = taken_bytes + bytes_of(&message);
        match room_for(bytes) {
            Ok(()) => {
                taken_bytes = bytes;
                taken.push(message);
            }
            Err(error) => {
                refused.get_or_insert_with(|| error.to_string());
                if let Some(waiter) = message.waiter {
                    let _gone = waiter.send(Err(AppendError::NotDone(error.to_string())));
                }
            }
        }
    }
    if let Some(error) = refused {
        tracing::error!(error, "not all can be appended");
    }
    taken
}

/// The fingerprint of an entry that the journal holds
fn content(row: &Row, position: Position) -> Result<Fingerprint, tenure_journal::Error> {
    let unreadable = |source| tenure_journal::Error::Unreadable { position, source };
    match &row.payload {
        Payload::Entry(bytes) => Encoded::from_canonical(bytes)
            .map(|encoded| encoded.fingerprint())
            .map_err(|error| unreadable(RowError::Entry(error))),
        Payload::Malformed { .. } => Ok(Fingerprint::NONE),
    }
}

/// What is kept of an item, and what the fold is told
fn taken(item: Item) -> (Payload, Submission) {
    match item {
        Item::Entry(entry) => {
            let (bytes, submission) = entry.into_parts();
            (Payload::Entry(bytes), submission)
        }
        Item::Malformed { raw, message } => (
            Payload::Malformed { raw, message: message.clone() },
            Submission::Malformed { message },
        ),
    }
}

/// Sets the failure when the thread ends otherwise than by the end of the log
struct FailureGuard<'a> {
    failed: &'a AtomicBool,
    armed: bool,
}

impl Drop for FailureGuard<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.failed.store(true, Ordering::Release);
        }
    }
}

/// Puts a rebuilt ledger in the place of the one that served meanwhile
fn take_over(shared: &Shared, ledger: &mut Ledger, mut rebuilt: Ledger) {
    let caught_up = replay::catch_up(&mut rebuilt, &shared.reader, &mut |_| {});
    if let Err(error) = caught_up {
        tracing::error!(
            error = chain(&error),
            "the rebuilt index is not taken: the older one goes on"
        );
        return;
    }
    *ledger = rebuilt;
    shared.snapshot.store(Arc::new(ledger.snapshot()));
    shared.index_is_current.store(true, Ordering::Release);
    tracing::info!("the rebuilt index serves from here on");
}

fn write_all(
    shared: &Shared,
    mut ledger: Ledger,
    journal: &mut Journal,
    mut queue: Queue,
    mut green: Option<Green>,
) {
    let mut guard = FailureGuard { failed: &shared.failed, armed: true };
    while let Some(messages) = queue.next(BATCH_ENTRIES_MAX) {
        if let Some(rebuilt) = green.as_ref().and_then(Green::take) {
            take_over(shared, &mut ledger, rebuilt);
            green = None;
        }
        if messages.is_empty() {
            continue;
        }
        let messages = with_room(shared, journal, messages);
        if messages.is_empty() {
            continue;
        }
        let began = Instant::now();
        let decided = decide(&mut ledger, |position| shared.kept(position), messages);
        let (written, rows, answers) = match decided {
            Ok((rows, answers)) => {
                let written = shared.disk.during(Work::Writing, || journal.commit(&rows));
                (written, rows, answers)
            }
            Err(error) => (Err(error), Vec::new(), Answers::new()),
        };
        if let Err(error) = written {
            // The fold is ahead of the disk now, and what is on the disk is not known: only a new start
            // tells. What may be seen stays where it was.
            tracing::error!(error = chain(&error), "a write failed: start the server again");
            shared.failed.store(true, Ordering::Release);
            for (waiter, _) in answers {
                let _gone = waiter.send(Err(AppendError::Indeterminate));
            }
            // The folder stays held for as long as sled has it open.
            while let Some(messages) = queue.next(BATCH_ENTRIES_MAX) {
                for waiter in messages.into_iter().filter_map(|message| message.waiter) {
                    let _gone = waiter.send(Err(AppendError::NotDone(WRITE_FAILED.into())));
                }
            }
            return;
        }
        shared.metrics.flush_seconds.observe(began.elapsed().as_secs_f64());
        shared.metrics.count(&rows);
        let newest = journal.newest().map_or(0, Position::get);
        shared.metrics.position.set(i64::try_from(newest).unwrap_or(i64::MAX));
        shared.snapshot.store(Arc::new(ledger.snapshot()));
        shared.shown.send_replace(newest);
        for (waiter, receipts) in answers {
            // Who no longer waits has no answer to get.
            let _gone = waiter.send(Ok(receipts));
        }
    }
    guard.armed = false;
}

/// An error with all its causes, in one line
pub fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
