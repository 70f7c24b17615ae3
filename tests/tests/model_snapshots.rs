//! Is every answer of a snapshot exactly the answer at its position, while entries are taken in?
//!
//! A writer takes entries in as fast as it can and shows a snapshot after each, as the engine does. Readers
//! pin what is shown, ask, and note what they were told; the oracle confirms it afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use proptest::collection::vec;
use proptest::prop_oneof;

use tenure_core::Question;
use tenure_core::{Ledger, LedgerInMemory, Snapshot};
use tenure_tests::harness::{check, same};
use tenure_tests::oracle::Oracle;
use tenure_tests::question::{self, Draft, Found};
use tenure_tests::scenario::{Scenario, Shares, crowds, mixed};
use tenure_tests::world;

const READERS: usize = 3;
/// Notes of each reader that the oracle looks at
const NOTES_MAX: usize = 40;

struct Note {
    position: usize,
    question: Question,
    answer: Found,
}

fn newest(snapshot: &Snapshot) -> usize {
    snapshot.newest_position().map_or(0, |position| position.get() as usize)
}

/// Asks what is shown until the writer is done, and what was pinned first once more
fn read(
    reader: usize,
    shown: &ArcSwap<Snapshot>,
    done: &AtomicBool,
    scenario: &Scenario,
    drafts: &[Draft],
) -> Vec<Note> {
    let note = |pinned: &Snapshot, draft: &Draft| {
        let position = newest(pinned);
        let question = draft.about(scenario, position);
        Note { position, answer: question::ask(&question, pinned), question }
    };
    let mut notes = Vec::new();
    let mut pins: Vec<Arc<Snapshot>> = Vec::new();
    let mut drafts_to_ask = drafts.iter().cycle().skip(reader);
    loop {
        let last = done.load(Ordering::Acquire);
        let pinned = shown.load_full();
        if notes.len() < NOTES_MAX {
            notes.extend(drafts_to_ask.next().map(|draft| note(&pinned, draft)));
        }
        if pins.len() < NOTES_MAX / 4 && pins.last().is_none_or(|l| newest(l) != newest(&pinned)) {
            pins.push(pinned);
        }
        if last {
            break;
        }
        std::thread::yield_now();
    }
    for (pinned, draft) in pins.iter().zip(drafts.iter().cycle()) {
        notes.push(note(pinned, draft));
    }
    notes
}

#[test]
fn readers_are_told_what_was_known_at_their_position() {
    let shares = Shares { off_time: 20, ends: 20 };
    let scenarios = prop_oneof![mixed(40..60), crowds(40..80, 4, 20, shares)];
    let strategy = (scenarios, vec(question::drafts_at_moments(), 1..12));
    let test = "readers_are_told_what_was_known_at_their_position";
    check(test, 12, strategy, |(scenario, drafts)| {
        let shown = ArcSwap::from_pointee(Ledger::new(world::LEDGER).snapshot());
        let done = AtomicBool::new(false);
        let mut outcomes = Vec::new();
        let notes: Vec<Note> = std::thread::scope(|scope| {
            let readers: Vec<_> = (0..READERS)
                .map(|n| {
                    let (shown, done, scenario, drafts) = (&shown, &done, &scenario, &drafts);
                    scope.spawn(move || read(n, shown, done, scenario, drafts))
                })
                .collect();
            let mut ledger = LedgerInMemory::new(world::LEDGER);
            for recorded in &scenario.log {
                outcomes.push(ledger.apply(recorded));
                shown.store(Arc::new(ledger.snapshot()));
            }
            done.store(true, Ordering::Release);
            readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect()
        });
        let mut oracle = Oracle::new();
        let mut positions: Vec<&Note> = notes.iter().collect();
        positions.sort_by_key(|note| note.position);
        let mut rest = positions.into_iter().peekable();
        for position in 0..=scenario.log.len() {
            if let Some(recorded) = position.checked_sub(1).and_then(|n| scenario.log.get(n)) {
                same("an outcome", &outcomes[position - 1], &oracle.apply(recorded))?;
            }
            // The oracle knows no more than the snapshot did.
            while let Some(note) = rest.next_if(|note| note.position == position) {
                let expected = question::ask_oracle(&note.question, &oracle);
                let context = format!("{:?}, pinned at #{position}", note.question);
                let found = question::as_certain(note.answer.clone(), &expected);
                same(context, &found, &expected)?;
            }
        }
        Ok(())
    });
}
