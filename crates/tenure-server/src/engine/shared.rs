//! What do all parts of a running ledger share?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use tenure_core::{Position, Snapshot};
use tenure_journal::{Reader, Row};
use tokio::sync::watch;

use super::clock_watch::ClockWatch;
use super::disk::{DiskWatch, Work};
use super::replica::Replica;
use crate::metrics::Metrics;

/// What is said once a write has failed
pub(super) const WRITE_FAILED: &str = "an earlier write failed, so what is on the disk is not known: start the server \
     again, which reads what is there";

/// What all parts of a running ledger share
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) name: String,
    /// What may be seen
    pub(super) snapshot: ArcSwap<Snapshot>,
    pub(super) reader: Reader,
    /// The newest position that may be seen
    pub(super) shown: watch::Sender<u64>,
    /// Set when a write has failed: what is on the disk is not known
    pub(super) failed: AtomicBool,
    /// Whether the index is the one that this program makes, and not one of an older format
    pub(super) index_is_current: AtomicBool,
    pub(super) metrics: Arc<Metrics>,
    pub(super) disk: DiskWatch,
    pub(super) clock: ClockWatch,
    /// Where the log is a stream that others follow too
    pub(super) replica: Option<Arc<Replica>>,
}

impl Shared {
    /// A row of the journal, for the thread that writes it
    pub(super) fn kept(&self, position: Position) -> Result<Row, tenure_journal::Error> {
        self.disk.during(Work::Writing, || self.reader.row(position))
    }
}

/// Sets the failure when the thread ends otherwise than by the end of the log
pub(super) struct FailureGuard<'a> {
    pub(super) failed: &'a AtomicBool,
    pub(super) armed: bool,
}

impl Drop for FailureGuard<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.failed.store(true, Ordering::Release);
        }
    }
}
