//! When are index checkpoints written, and how little do they disturb?
//!
//! A thread takes the snapshot that is shown, and writes its pieces one by one. After each it rests, so that
//! it takes no more than its share of one processor. Who appends and who asks does not wait for it.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tenure_core::{Ledger, Position};
use tenure_journal::{IndexCheckpoints, Manifest, WriteError};
use tenure_wire::v1::RULES_VERSION;

use super::checkpoints::{Checkpointing, Formats, Stored};
use super::error::chain;
use super::shared::Shared;

/// How often it is looked whether a checkpoint is due
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long nothing is tried after a failure
const REST_AFTER_FAILURE: Duration = Duration::from_secs(60);
/// How long a checkpoint may still take when the ledger is told to stop
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// How much the journal must have beyond a checkpoint before the next one is worth its while
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    /// So many positions
    pub(super) positions: u64,
    /// And one of so many of all
    pub(super) one_in: u64,
    /// So many positions when the ledger is told to stop
    pub(super) positions_at_stop: u64,
    /// And one of so many of all when it is told to stop
    pub(super) one_in_at_stop: u64,
}

impl Default for Due {
    fn default() -> Self {
        Self { positions: 65_536, one_in: 16, positions_at_stop: 4_096, one_in_at_stop: 256 }
    }
}

impl Due {
    fn is(self, newest: u64, last: u64, stopping: bool) -> bool {
        let (positions, one_in) = if stopping {
            (self.positions_at_stop, self.one_in_at_stop)
        } else {
            (self.positions, self.one_in)
        };
        newest.saturating_sub(last) > positions.max(newest / one_in.max(1))
    }
}

/// Tells a thread that waits to stop
#[derive(Debug, Default)]
struct Stop {
    deadline: Mutex<Option<Instant>>,
    told: Condvar,
}

impl Stop {
    fn tell(&self, deadline: Instant) {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = Some(deadline);
        self.told.notify_all();
    }

    /// Waits so long, or until it is told to stop; then until when work may go on
    fn rest(&self, long: Duration) -> Option<Instant> {
        let told = self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.told.wait_timeout_while(told, long, |deadline| deadline.is_none());
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// The thread that writes checkpoints; dropping it stops it
#[derive(Debug)]
pub(super) struct Checkpointer {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread needs
#[derive(Debug)]
struct Plan {
    checkpoints: IndexCheckpoints,
    format: u32,
    /// Percent of one processor
    share: u8,
    due: Due,
    /// The newest checkpoint in the format that is written
    last: Option<Manifest>,
    /// Whether one is due whatever has come since: the newest is of an older format
    overdue: bool,
}

impl Checkpointer {
    /// Starts it, if checkpoints are to be written
    pub(super) fn start(
        shared: &Arc<Shared>,
        checkpointing: Checkpointing,
        stored: Option<Stored>,
        formats: &Formats,
        due: Due,
    ) -> Option<Self> {
        let (Checkpointing::Write { share }, Some(stored)) = (checkpointing, stored) else {
            return None;
        };
        let current = stored.is_current(formats);
        let plan = Plan {
            checkpoints: stored.checkpoints,
            format: formats.current,
            share,
            due,
            last: stored.last.filter(|_| current),
            overdue: !current,
        };
        let stop = Arc::new(Stop::default());
        let (told, shared) = (Arc::clone(&stop), Arc::clone(shared));
        let thread = std::thread::spawn(move || plan.run(&shared, &told));
        Some(Self { stop, thread: Some(thread) })
    }

    /// Lets it write a last checkpoint if that is worth its while, within a bounded time, and waits for it
    pub(super) fn finish(mut self) {
        self.end(STOP_PATIENCE);
    }

    fn end(&mut self, patience: Duration) {
        self.stop.tell(Instant::now() + patience);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that writes index checkpoints ended in a panic");
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.end(Duration::ZERO);
        }
    }
}

impl Plan {
    fn run(mut self, shared: &Shared, stop: &Stop) {
        let mut not_before = Instant::now();
        loop {
            let deadline = stop.rest(LOOK_EVERY);
            let stopping = deadline.is_some();
            let snapshot = shared.snapshot.load_full();
            let newest = snapshot.newest_position();
            let due = self.is_due(newest.map_or(0, Position::get), stopping);
            let sound = shared.index_is_current.load(Ordering::Acquire)
                && !shared.failed.load(Ordering::Acquire);
            let time = deadline.is_none_or(|deadline| Instant::now() < deadline);
            if due && sound && time && Instant::now() >= not_before {
                match self.write(&snapshot, stop) {
                    Ok(manifest) => {
                        shared.metrics.checkpoint(&manifest);
                        self.overdue = false;
                        self.last = Some(manifest);
                    }
                    Err(WriteError::GivenUp) => {
                        tracing::info!(
                            "there was no time for an index checkpoint: the next start folds more"
                        );
                    }
                    Err(error) => {
                        shared.metrics.index_checkpoint_failures.inc();
                        tracing::warn!(
                            error = chain(&error),
                            "an index checkpoint was not written"
                        );
                        not_before = Instant::now() + REST_AFTER_FAILURE;
                    }
                }
            }
            if stopping {
                return;
            }
        }
    }

    fn is_due(&self, newest: u64, stopping: bool) -> bool {
        if self.overdue {
            return newest > 0;
        }
        let last = self.last.as_ref().map_or(0, |last| last.position);
        if !self.due.is(newest, last, stopping) {
            return false;
        }
        // At the stop there is no use in beginning what cannot be finished.
        let expected_ms = self.last.as_ref().map_or(0, |last| {
            let worked = last.took_ms.saturating_mul(u64::from(self.share)) / 100;
            worked.saturating_mul(newest) / last.position.max(1)
        });
        !stopping || Duration::from_millis(expected_ms) < STOP_PATIENCE
    }

    fn write(&self, ledger: &Ledger, stop: &Stop) -> Result<Manifest, WriteError> {
        let share = u32::from(self.share.clamp(1, 100));
        let rest = |worked: Duration| match stop.rest(worked * (100 - share) / share) {
            Some(deadline) if Instant::now() >= deadline => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        write(&self.checkpoints, self.format, ledger, rest)
    }
}

/// Writes a checkpoint of a ledger whose entries are in the journal
fn write(
    checkpoints: &IndexCheckpoints,
    format: u32,
    ledger: &Ledger,
    between: impl FnMut(Duration) -> ControlFlow<()>,
) -> Result<Manifest, WriteError> {
    let position = ledger.newest_position().unwrap_or(Position::FIRST);
    let pieces = tenure_core::index_pieces(ledger).map(|piece| piece.0);
    let manifest = checkpoints.write((format, RULES_VERSION), position, pieces, between)?;
    tracing::info!(
        position = manifest.position,
        bytes = manifest.stored_bytes,
        seconds = manifest.took_ms as f64 / 1_000.0,
        "an index checkpoint was written"
    );
    Ok(manifest)
}

/// Writes a checkpoint at full speed
///
/// # Errors
/// As [`IndexCheckpoints::write`]; of a ledger without entries there is none.
pub fn write_checkpoint(
    checkpoints: &IndexCheckpoints,
    ledger: &Ledger,
) -> Result<Manifest, WriteError> {
    write(checkpoints, Formats::default().current, ledger, |_| ControlFlow::Continue(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_due_when_the_tail_is_long_in_itself_and_for_the_whole() {
        let due = Due::default();
        assert!(!due.is(65_536, 0, false));
        assert!(due.is(65_537, 0, false));
        assert!(!due.is(10_000_000, 9_400_000, false));
        assert!(due.is(10_000_000, 9_370_000, false));
        assert!(!due.is(4_096, 0, true));
        assert!(due.is(4_097, 0, true));
    }

    #[test]
    fn who_rests_wakes_up_when_told_to_stop() {
        let stop = Arc::new(Stop::default());
        assert_eq!(stop.rest(Duration::from_millis(1)), None);
        let told = Arc::clone(&stop);
        let deadline = Instant::now();
        let thread = std::thread::spawn(move || told.rest(Duration::from_secs(600)));
        stop.tell(deadline);
        assert_eq!(thread.join().unwrap(), Some(deadline));
    }
}
