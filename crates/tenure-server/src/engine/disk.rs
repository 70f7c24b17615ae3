//! What has the disk still to do, and since when?
//!
//! A disk that stands still gives no error: whoever writes or flushes just does not come back. So each notes
//! when it began, and who asks for readiness sees how long it has been. What was written and not flushed is
//! bounded, by rows and by bytes: at more, nothing is read from the stream.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::Thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tenure_journal::{Flusher, Written};
use tenure_log::nats::Feed;

use crate::metrics::Metrics;

/// Rows wait so long for their flush
const FLUSH_INTERVAL: Duration = Duration::from_millis(100);
/// Rows that are not on the disk yet; at more nothing is read
const UNFLUSHED_ROWS_MAX: usize = 131_072;
/// Bytes of them
const UNFLUSHED_BYTES_MAX: usize = 8 * 1_024 * 1_024;
/// How long a write or a flush may take before the disk is said to stand still
const PATIENCE: Duration = Duration::from_secs(5);

/// What the disk is asked to do
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Work {
    /// By whoever writes the journal
    Writing,
    /// By whoever flushes behind it
    Flushing,
}

/// Since when the disk is at work
// INVARIANT (disk watch): each kind of work is one thread's.
#[derive(Debug)]
pub(super) struct DiskWatch {
    origin: Instant,
    /// Milliseconds since `origin`, and one; 0 while there is none
    writing: AtomicU64,
    flushing: AtomicU64,
}

impl Default for DiskWatch {
    fn default() -> Self {
        Self { origin: Instant::now(), writing: AtomicU64::new(0), flushing: AtomicU64::new(0) }
    }
}

impl DiskWatch {
    fn millis(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Notes that the disk is at work meanwhile
    pub(super) fn during<T>(&self, work: Work, run: impl FnOnce() -> T) -> T {
        let since = match work {
            Work::Writing => &self.writing,
            Work::Flushing => &self.flushing,
        };
        since.store(self.millis() + 1, Ordering::Release);
        let done = run();
        since.store(0, Ordering::Release);
        done
    }

    /// What to say of a disk that stands still
    pub(super) fn stalled(&self) -> Option<String> {
        let now = self.millis();
        let began = [&self.writing, &self.flushing].map(|since| since.load(Ordering::Acquire));
        let longest =
            began.into_iter().filter(|began| *began > 0).map(|began| now.saturating_sub(began - 1));
        let waited = Duration::from_millis(longest.max()?);
        (waited >= PATIENCE).then(|| {
            format!(
                "the disk of the data folder has not answered for {} s: nothing more is written until it \
                 does. What is known is answered, and it goes on by itself",
                waited.as_secs()
            )
        })
    }
}

struct Ends<'a>(&'a Unflushed);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Release);
        self.0.wake();
    }
}

/// What was written and is not on the disk yet
#[derive(Default)]
pub(super) struct Unflushed {
    rows: AtomicUsize,
    bytes: AtomicUsize,
    /// Nothing more is written
    ended: AtomicBool,
    failed: Mutex<Option<tenure_journal::Error>>,
    flusher: OnceLock<Thread>,
}

impl Unflushed {
    /// Says which thread flushes
    pub(super) fn flushed_by(&self, thread: &Thread) {
        let _set_before = self.flusher.set(thread.clone());
    }

    /// Takes note of what was written
    pub(super) fn add(&self, written: Written) {
        // Whoever flushes looks at the rows first: what it finds of them it finds of the bytes.
        let before = self.bytes.fetch_add(written.bytes, Ordering::AcqRel);
        self.rows.fetch_add(written.rows, Ordering::AcqRel);
        if before + written.bytes >= UNFLUSHED_BYTES_MAX / 2 {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(flusher) = self.flusher.get() {
            flusher.unpark();
        }
    }

    /// Says that nothing more is written, when what is given is dropped: also where its thread panics
    pub(super) fn ends_with_this(&self) -> impl Drop {
        Ends(self)
    }

    /// Whether a flush has failed
    ///
    /// # Errors
    /// That of the flush.
    pub(super) fn failure(&self) -> Result<(), tenure_journal::Error> {
        self.failed.lock().take().map_or(Ok(()), Err)
    }

    /// Waits while too much of it is not on the disk; whether the log is needed still
    ///
    /// # Errors
    /// A flush that failed.
    pub(super) fn wait(&self, feed: &Feed) -> Result<bool, tenure_journal::Error> {
        loop {
            self.failure()?;
            let waiting = (self.rows.load(Ordering::Acquire), self.bytes.load(Ordering::Acquire));
            if waiting.0 < UNFLUSHED_ROWS_MAX && waiting.1 < UNFLUSHED_BYTES_MAX {
                return Ok(true);
            }
            if feed.stopped() {
                return Ok(false);
            }
            self.wake();
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }

    /// Flushes behind whoever writes, until that has ended
    pub(super) fn flush_behind(&self, flusher: &Flusher, disk: &DiskWatch, metrics: &Metrics) {
        while !self.ended.load(Ordering::Acquire) {
            std::thread::park_timeout(FLUSH_INTERVAL);
            // Those that are written now are flushed; of those that come meanwhile nothing is known.
            let rows = self.rows.load(Ordering::Acquire);
            let bytes = self.bytes.load(Ordering::Acquire);
            if rows == 0 {
                continue;
            }
            let began = Instant::now();
            if let Err(error) = disk.during(Work::Flushing, || flusher.flush()) {
                *self.failed.lock() = Some(error);
                return;
            }
            metrics.flush_seconds.observe(began.elapsed().as_secs_f64());
            self.rows.fetch_sub(rows, Ordering::AcqRel);
            self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_goes_on_for_long_is_told_and_work_that_ended_is_not() {
        let mut watch = DiskWatch::default();
        watch.during(Work::Flushing, || assert_eq!(watch.stalled(), None));
        let Some(long_ago) = watch.origin.checked_sub(PATIENCE * 2) else { return };
        watch.origin = long_ago;
        assert_eq!(watch.stalled(), None);
        let began_long_ago = |since: &AtomicU64| {
            since.store(1, Ordering::Release);
            let told = watch.stalled().unwrap();
            assert!(told.contains("has not answered for 10 s"), "{told}");
            watch.during(Work::Writing, || assert!(watch.stalled().is_some()));
            since.store(0, Ordering::Release);
            assert_eq!(watch.stalled(), None);
        };
        began_long_ago(&watch.flushing);
    }
}
