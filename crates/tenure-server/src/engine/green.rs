//! How is the index rebuilt while an older one serves?
//!
//! A thread folds the journal into a ledger of its own, and what is appended meanwhile. When it is nearly
//! there it hands the ledger over and wakes the writer, which folds the few entries that are still missing
//! and puts it in the place of the old one, between two messages.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use tenure_core::{Ledger, Position};
use tenure_journal::Reader;
use tenure_log::embedded::Nudge;

use super::error::{StartError, chain};
use super::replay::{Progress, catch_up_while};

/// Entries that the writer may fold itself when it takes the ledger over
const BEHIND_MAX: u64 = 4_096;

/// A rebuild that is under way; dropping it ends it
#[derive(Debug)]
pub(super) struct Green {
    stop: Arc<AtomicBool>,
    rebuilt: Receiver<Ledger>,
    thread: Option<JoinHandle<()>>,
}

impl Green {
    /// Starts to rebuild
    pub(super) fn start(name: String, reader: Reader, nudge: Nudge) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, rebuilt) = sync_channel(1);
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || run(&name, &reader, &nudge, &told, &sender));
        Self { stop, rebuilt, thread: Some(thread) }
    }

    /// The rebuilt ledger, once, when it is there; the newest entries may be missing
    pub(super) fn take(&self) -> Option<Ledger> {
        self.rebuilt.try_recv().ok()
    }
}

impl Drop for Green {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the rebuild of the index ended in a panic: the older index goes on");
        }
    }
}

fn run(name: &str, reader: &Reader, nudge: &Nudge, stop: &AtomicBool, sender: &SyncSender<Ledger>) {
    match rebuild(name, reader, stop) {
        Ok(Some(ledger)) => {
            // The channel has room for the one ledger; nobody takes it any more when the writer has ended.
            if sender.send(ledger).is_ok() {
                nudge.nudge();
            }
        }
        Ok(None) => {}
        Err(error) => tracing::error!(
            error = chain(&error),
            "the index cannot be rebuilt from the journal: the older index goes on"
        ),
    }
}

/// `None` if it was told to stop
fn rebuild(name: &str, reader: &Reader, stop: &AtomicBool) -> Result<Option<Ledger>, StartError> {
    let mut ledger = Ledger::new(name);
    let mut told = 0;
    let mut progress = |now: Progress| {
        let percent = now.done * 100 / now.of.max(1);
        if percent >= told + 10 {
            told = percent;
            tracing::info!(
                done = now.done,
                of = now.of,
                "rebuilding the index beside the older one"
            );
        }
        if stop.load(Ordering::Acquire) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    loop {
        if catch_up_while(&mut ledger, reader, &mut progress)?.is_break() {
            return Ok(None);
        }
        let newest = reader.newest().map_or(0, Position::get);
        if newest.saturating_sub(ledger.newest_position().map_or(0, Position::get)) <= BEHIND_MAX {
            return Ok(Some(ledger));
        }
    }
}
