//! How does the thread write that owns the journal of an embedded log?

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tenure_core::{Ledger, Position, RecordedAt};
use tenure_journal::Journal;
use tenure_log::embedded::Queue;
use tenure_log::{AppendError, Message};
use tenure_wire::message::Item;

use super::clock_guard::ClockGuard;
use super::deciding::{Answers, BATCH_ENTRIES_MAX, decide};
use super::disk::Work;
use super::error::chain;
use super::green::Green;
use super::replay;
use super::shared::{FailureGuard, Shared, WRITE_FAILED};

/// Writes what comes by the queue, until the log is closed
pub(super) fn write_all(
    shared: &Shared,
    mut ledger: Ledger,
    journal: &mut Journal,
    mut queue: Queue,
    mut green: Option<Green>,
    mut clock: ClockGuard,
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
        let messages = in_time(&mut clock, ledger.newest_recorded_at(), messages);
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
        if let Some(newest) = ledger.newest_recorded_at() {
            shared.clock.arrived(newest);
        }
        for (waiter, receipts) in answers {
            // Who no longer waits has no answer to get.
            let _gone = waiter.send(Ok(receipts));
        }
    }
    guard.armed = false;
}

/// All of them, or none while this machine's clock is surely wrong: then who waits is told why
fn in_time(
    clock: &mut ClockGuard,
    newest: Option<RecordedAt>,
    messages: Vec<Message>,
) -> Vec<Message> {
    // They were taken from the queue together, so they have one time.
    let Some(stamped_at) = messages.first().map(|message| message.stamped_at) else {
        return messages;
    };
    let Err(why) = clock.check(stamped_at, newest) else { return messages };
    tracing::warn!(why, "nothing is appended");
    for waiter in messages.into_iter().filter_map(|message| message.waiter) {
        let _gone = waiter.send(Err(AppendError::NotDone(why.clone())));
    }
    Vec::new()
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
