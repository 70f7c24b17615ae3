//! What is a ledger whose log is a stream that others follow too?
//!
//! It folds its journal, follows the stream from there (see [`super::following`]), tells the other replicas how
//! far it is, and says what stands between it and being asked.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt;
use parking_lot::Mutex;
use serde::Serialize;
use tenure_core::Position;
use tenure_journal::Journal;
use tenure_journal::quarantine::{self, Expected, expected, forget_expected};
use tenure_log::AppendError;
use tenure_log::nats::{self, LogHandle, NatsSettings, Opened, Standing, subject};
use tenure_wire::catalogs;
use tenure_wire::codec::Encoded;
use uuid::Uuid;

use super::appender::Appender;
use super::digest::Trail;
use super::disk::DiskWatch;
use super::following::Follower;
use super::peers::{Announcement, PeerReport, Peers};
use super::{
    Begun, Checkpointer, Checkpointing, Due, Engine, Formats, Genesis, Options, Progress, Shared,
    StartError, Writer, chain, checkpoints,
};
use crate::metrics::Metrics;
use crate::problem::Code;

/// How long a server may take to be there at the start
const OPEN_PATIENCE: Duration = Duration::from_secs(3);
/// How often replicas tell each other how far they are
const TELL_INTERVAL: Duration = Duration::from_secs(1);
/// Pause before the built-in catalogues are tried again
const GENESIS_PAUSE: Duration = Duration::from_millis(500);

const REPLICA_FILE: &str = "replica";

/// What stands between a replica and being asked
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Obstacle {
    /// The code
    pub code: Code,
    /// A sentence
    pub why: String,
}

/// What a replica shows of itself
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Report {
    replica: String,
    /// The stream's last message that is applied here
    sequence: u64,
    /// The stream's last message when it was last looked at
    last_sequence: u64,
    nats_version: String,
    /// The digest of the history at the newest position
    digest: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    replicas: Vec<PeerReport>,
    /// What an operator should know
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// What a replica knows of its log and of the others
#[derive(Debug)]
pub(super) struct Replica {
    id: String,
    folder: PathBuf,
    log: LogHandle,
    pub(super) trail: Mutex<Trail>,
    pub(super) peers: Mutex<Peers>,
    /// Why nothing can be written here, while it is so
    pub(super) blocked: Mutex<Option<String>>,
    /// The journal that was set aside before this one, until the stream has what it had
    before: Option<Expected>,
    /// What the journal that was set aside had, and the stream has not
    lost: Mutex<Option<String>>,
    /// The built-in catalogues are there, or are left to people
    begun: AtomicBool,
}

impl Replica {
    fn obstacle(&self) -> Option<Obstacle> {
        let standing = self.log.status().standing();
        let code = match standing {
            Standing::Following => None,
            Standing::Away { .. } | Standing::CatchingUp { .. } | Standing::Journal { .. } => {
                Some(Code::NotReady)
            }
            Standing::Unfit { .. } => Some(Code::LogUnfit),
            Standing::Absent { .. } | Standing::LostTail { .. } => Some(Code::LogLostTail),
            Standing::OtherContent { .. } | Standing::Missing { .. } => Some(Code::LogDiverged),
            Standing::NeedsUpgrade { .. } => Some(Code::NeedsUpgrade),
        };
        if let Some(code) = code {
            let blocked = self.blocked.lock().clone();
            let why = match (blocked, code) {
                (Some(blocked), Code::NotReady) => blocked,
                _ => standing.sentence(),
            };
            let why = match (&standing, &self.before) {
                (Standing::Absent { .. }, Some(before)) => {
                    format!("{why}. {}", of_set_aside(before))
                }
                _ => why,
            };
            return Some(Obstacle { code, why });
        }
        if let Some(why) = self.blocked.lock().clone() {
            return Some(Obstacle { code: Code::NotReady, why });
        }
        if let Some(why) = self.lost.lock().clone() {
            return Some(Obstacle { code: Code::LogLostTail, why });
        }
        if let Some(why) = self.peers.lock().differs().map(str::to_owned) {
            return Some(Obstacle { code: Code::ReplicaDiffers, why });
        }
        (!self.begun.load(Ordering::Acquire)).then(|| Obstacle {
            code: Code::NotReady,
            why: "the built-in catalogues are being appended".to_owned(),
        })
    }

    fn report(&self) -> Report {
        let status = self.log.status();
        let server = status.server();
        let (_, digest) = self.trail.lock().head();
        Report {
            replica: self.id.clone(),
            sequence: status.applied(),
            last_sequence: status.last().max(status.applied()),
            nats_version: server.version,
            digest: super::digest::hex(&digest),
            replicas: self.peers.lock().report(),
            warnings: server.warnings,
        }
    }

    fn measure(&self, metrics: &Metrics) {
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let status = self.log.status();
        let applied = status.applied();
        metrics.log_connected.set(i64::from(self.log.connected()));
        metrics.log_sequence.set(number(applied));
        metrics.log_behind.set(number(status.last().saturating_sub(applied)));
        metrics.log_late_sync.set(i64::from(status.server().syncs_late));
        let (differing, agreeing) = self.peers.lock().counts();
        metrics.replicas_differing.set(count(differing));
        metrics.replicas_agreeing.set(count(agreeing));
    }
}

impl Engine {
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

    /// Brings the metrics of a replica up to date
    pub(crate) fn measure(&self) {
        if let Some(replica) = &self.shared.replica {
            replica.measure(&self.shared.metrics);
        }
    }

    /// Why nothing can be appended through this ledger, if so
    pub(super) fn forbids_appending(&self) -> Option<String> {
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
            snapshot: arc_swap::ArcSwap::from_pointee(ledger.snapshot()),
            reader,
            shown: tokio::sync::watch::Sender::new(newest),
            failed: AtomicBool::new(false),
            index_is_current: AtomicBool::new(true),
            metrics,
            disk: DiskWatch::default(),
            replica: Some(Arc::clone(&replica)),
        });
        let for_thread = Arc::clone(&shared);
        let of_thread = Arc::clone(&replica);
        let thread = std::thread::Builder::new()
            .name("follow".to_owned())
            .spawn(move || {
                let checkpointing = options.checkpoints;
                let (formats, due) = (formats(), Due::default());
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

/// Opens the journal of a data folder that follows a stream; a damaged one is set aside and begun again
///
/// # Errors
/// As [`Journal::open`], but for damage.
pub fn open_or_begin_again(
    path: &Path,
    ledger: Option<&str>,
) -> Result<Journal, tenure_journal::Error> {
    match Journal::open(path, ledger) {
        Err(error) if error.is_damage() => {
            set_aside(path, &error)
                .map_err(|source| tenure_journal::Error::Io { path: path.to_owned(), source })?;
            Journal::open(path, ledger)
        }
        opened => opened,
    }
}

fn set_aside(path: &Path, error: &tenure_journal::Error) -> std::io::Result<()> {
    let why = chain(error);
    let kept = quarantine::quarantine(path, &why)?;
    tracing::error!(
        why,
        set_aside = %kept.set_aside.display(),
        positions = kept.position,
        "the journal is damaged: it was set aside, and is built again from the stream"
    );
    Ok(())
}

/// A replica does not serve from an older format of the index: it is not ready before it has caught up anyway
fn formats() -> Formats {
    Formats::default().without_older()
}

type Folded = (Journal, Begun, Trail);

fn fold_or_begin_again(
    journal: Journal,
    checkpointing: Checkpointing,
    metrics: &Metrics,
    progress: &mut impl FnMut(Progress),
) -> Result<Folded, StartError> {
    let path = journal.path().to_owned();
    let folded = fold(&journal, checkpointing, metrics, progress);
    match folded {
        Ok((begun, trail)) => Ok((journal, begun, trail)),
        Err(StartError::Journal(error)) if error.is_damage() => {
            drop(journal);
            set_aside(&path, &error).map_err(StartError::Folder)?;
            let journal = Journal::open(&path, None).map_err(StartError::Journal)?;
            let (begun, trail) = fold(&journal, checkpointing, metrics, progress)?;
            Ok((journal, begun, trail))
        }
        Err(error) => Err(error),
    }
}

fn fold(
    journal: &Journal,
    checkpointing: Checkpointing,
    metrics: &Metrics,
    progress: &mut impl FnMut(Progress),
) -> Result<(Begun, Trail), StartError> {
    let begun = checkpoints::begin(journal, checkpointing, &formats(), metrics, progress)?;
    let trail = Trail::open(&journal.reader()).map_err(StartError::Journal)?;
    Ok((begun, trail))
}

/// The name of a replica: one for each data folder
fn replica_id(folder: &Path) -> std::io::Result<String> {
    let path = folder.join(REPLICA_FILE);
    match std::fs::read_to_string(&path) {
        Ok(id) if Uuid::parse_str(id.trim()).is_ok() => return Ok(id.trim().to_owned()),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let id = Uuid::new_v4().to_string();
    std::fs::write(&path, &id)?;
    Ok(id)
}

/// Tells the others how far this replica is, and hears them
async fn tell_others(shared: Arc<Shared>, replica: Arc<Replica>, client: async_nats::Client) {
    let to = subject::digests(&shared.name);
    let mut tick = tokio::time::interval(TELL_INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut heard = loop {
        match client.subscribe(to.clone()).await {
            Ok(heard) => break heard,
            Err(error) => {
                tracing::warn!(error = chain(&error), "the other replicas are not heard");
                tokio::select! {
                    () = replica.log.stopped() => return,
                    _ = tick.tick() => {}
                }
            }
        }
    };
    loop {
        tokio::select! {
            () = replica.log.stopped() => return,
            _ = tick.tick() => {
                if !replica.log.connected() {
                    continue;
                }
                let told = Announcement::of(&replica.id, &replica.trail.lock());
                let data = told.and_then(|told| serde_json::to_vec(&told).ok());
                if let Some(data) = data
                    && let Err(error) = client.publish(to.clone(), data.into()).await
                {
                    tracing::debug!(error = chain(&error), "the other replicas were not told");
                }
            }
            message = heard.next() => {
                let Some(message) = message else { return };
                if let Ok(told) = serde_json::from_slice::<Announcement>(&message.payload) {
                    let trail = replica.trail.lock();
                    replica.peers.lock().hear(&told, &trail);
                }
            }
        }
    }
}

/// Once the stream is followed: looks whether it has what a journal had that was set aside, and appends the
/// built-in catalogues where they are missing
async fn begin(
    shared: Arc<Shared>,
    replica: Arc<Replica>,
    appender: nats::WeakAppender,
    genesis: Genesis,
) {
    let mut standing = replica.log.status().watch();
    loop {
        let followed = tokio::select! {
            followed = standing.wait_for(|standing| *standing == Standing::Following) => followed.is_ok(),
            () = replica.log.stopped() => false,
        };
        if !followed {
            return;
        }
        let Some(appender) = appender.upgrade() else { return };
        match first_step(&shared, &replica, &appender, genesis).await {
            Ok(()) => {
                replica.begun.store(true, Ordering::Release);
                tracing::info!("ready");
                return;
            }
            Err(why) => tracing::warn!(why, "not begun yet"),
        }
        drop(appender);
        tokio::time::sleep(GENESIS_PAUSE).await;
    }
}

async fn first_step(
    shared: &Shared,
    replica: &Replica,
    appender: &nats::Appender,
    genesis: Genesis,
) -> Result<(), String> {
    let newest = *shared.shown.borrow();
    if let Some(before) = expected(&replica.folder) {
        if newest < before.position {
            let why = format!(
                "the stream has {newest} positions: it has lost entries. {}",
                of_set_aside(&before)
            );
            if replica.lost.lock().replace(why.clone()).is_none() {
                tracing::error!(code = "log_lost_tail", "{why}");
            }
            return Err("the stream has lost entries".to_owned());
        }
        forget_expected(&replica.folder).map_err(|error| chain(&error))?;
        replica.lost.lock().take();
    }
    if genesis == Genesis::Manual {
        return Ok(());
    }
    let last = replica.log.status().applied();
    let missing = missing_catalogs(shared)?;
    if missing.is_empty() {
        return Ok(());
    }
    tracing::info!(catalogs = missing.len(), "appending the built-in catalogues");
    // Of several replicas that begin at once, one appends them.
    match appender.append_after(last, missing).await {
        Ok(_) => Ok(()),
        Err(AppendError::NotDone(why)) => Err(why),
        Err(error @ AppendError::Indeterminate) => Err(error.to_string()),
    }
}

fn of_set_aside(before: &Expected) -> String {
    format!(
        "The journal that was set aside in `{}` had {} positions. What can be read of it can be republished; \
         then, or to go on without them, remove `expected.json` from the data folder and start again",
        before.set_aside.display(),
        before.position
    )
}

fn missing_catalogs(shared: &Shared) -> Result<Vec<Encoded>, String> {
    let built_in = catalogs::genesis(&shared.name).map_err(|error| chain(&error))?;
    let ledger = shared.snapshot.load();
    Ok(built_in.into_iter().filter(|entry| ledger.owner(entry.entry().id()).is_none()).collect())
}
