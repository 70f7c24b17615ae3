//! What is a ledger whose log is a stream that others follow too?
//!
//! It folds its journal, follows the stream from there (see [`super::following`]), tells the other replicas how
//! far it is, and says what stands between it and being asked.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use serde::Serialize;
use tenure_journal::quarantine::Expected;
use tenure_log::nats::{LogHandle, Standing, subject};
use uuid::Uuid;

use super::digest::{Trail, hex};
use super::peers::{PeerReport, Peers};
use crate::metrics::Metrics;
use crate::problem::Code;

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
    /// The client that this server is in the stream; it speaks for its callers where it holds `tenure/Door`
    client: String,
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
    pub(super) id: String,
    pub(super) folder: PathBuf,
    pub(super) log: LogHandle,
    pub(super) trail: Mutex<Trail>,
    pub(super) peers: Mutex<Peers>,
    /// Why nothing can be written here, while it is so
    pub(super) blocked: Mutex<Option<String>>,
    /// The journal that was set aside before this one, until the stream has what it had
    pub(super) before: Option<Expected>,
    /// What the journal that was set aside had, and the stream has not
    pub(super) lost: Mutex<Option<String>>,
    /// The built-in catalogues are there, or are left to people
    pub(super) begun: AtomicBool,
}

impl Replica {
    pub(super) fn obstacle(&self) -> Option<Obstacle> {
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

    pub(super) fn report(&self) -> Report {
        let status = self.log.status();
        let server = status.server();
        let (_, digest) = self.trail.lock().head();
        Report {
            replica: self.id.clone(),
            client: subject::own_client().to_string(),
            sequence: status.applied(),
            last_sequence: status.last().max(status.applied()),
            nats_version: server.version,
            digest: hex(&digest),
            replicas: self.peers.lock().report(),
            warnings: server.warnings,
        }
    }

    pub(super) fn measure(&self, metrics: &Metrics) {
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

/// What is said of a journal that was set aside
pub(super) fn of_set_aside(before: &Expected) -> String {
    format!(
        "The journal that was set aside in `{}` had {} positions. What can be read of it can be republished; \
         then, or to go on without them, remove `expected.json` from the data folder and start again",
        before.set_aside.display(),
        before.position
    )
}

/// The name of a replica: one for each data folder
pub(super) fn replica_id(folder: &Path) -> std::io::Result<String> {
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
