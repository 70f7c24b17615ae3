//! Is an index that was written in pieces and read again the index, whatever is recorded after it?

use std::sync::Arc;

use proptest::collection::vec;
use proptest::test_runner::{TestCaseError, TestCaseResult};

use tenure_core::{
    Catalog, Change, IndexPiece, Ledger, LedgerInMemory, Outcome, Position, Recorded, Submission,
};
use tenure_tests::harness::{check, same};
use tenure_tests::kept::Log;
use tenure_tests::oracle::Oracle;
use tenure_tests::question::{self, Draft};
use tenure_tests::scenario::{Scenario, mixed};
use tenure_tests::script::ask;
use tenure_tests::world;

/// The catalogue that an entry published, which an index does not have
fn catalog(log: &[Recorded], position: Position) -> Result<Arc<Catalog>, String> {
    let Submission::Entry(entry, _) = Log(log).at(position) else {
        return Err(format!("a malformed entry at {position}"));
    };
    match entry.changes() {
        [Change::PublishCatalog { catalog }] => Ok(Arc::clone(catalog)),
        _ => Err(format!("no catalogue at {position}")),
    }
}

/// A ledger that goes through its pieces
fn through_pieces(ledger: &Ledger, log: &[Recorded]) -> Result<Ledger, TestCaseError> {
    let pieces: Vec<IndexPiece> = tenure_core::index_pieces(ledger).collect();
    let catalog_at = |position| catalog(log, position);
    tenure_core::ledger_from_index(world::LEDGER, pieces.into_iter().map(Ok), catalog_at)
        .map_err(|error| TestCaseError::fail(format!("{error:?}")))
}

fn apply(ledger: &mut Ledger, log: &[Recorded], recorded: &Recorded) -> Outcome {
    let Ok(outcome) = ledger.apply_with(recorded, &Log(log));
    outcome
}

fn same_as_the_oracle(
    ledger: &Ledger,
    oracle: &Oracle,
    scenario: &Scenario,
    drafts: &[Draft],
    newest: usize,
) -> TestCaseResult {
    drafts.iter().try_for_each(|draft| {
        let question = draft.about(scenario, newest);
        ask(&question, ledger, oracle)
    })
}

/// Cuts a history everywhere: what is read from the pieces answers as the oracle does at once and when the
/// rest, and all of it a second time, has been taken in
#[test]
fn an_index_read_from_its_pieces_and_the_tail_is_the_fold() {
    let strategy = (mixed(1..30), vec(question::drafts(), 1..8));
    let name = "an_index_read_from_its_pieces_and_the_tail_is_the_fold";
    check(name, 60, strategy, |(scenario, drafts)| {
        let log = &scenario.log;
        let mut before = LedgerInMemory::new(world::LEDGER);
        let mut oracle = Oracle::new();
        for cut in 0..=log.len() {
            if cut > 0 {
                before.apply(&log[cut - 1]);
                oracle.apply(&log[cut - 1]);
            }
            let mut ledger = through_pieces(&before, log)?;
            same_as_the_oracle(&ledger, &oracle, &scenario, &drafts, cut)?;
            let mut all = Oracle::new();
            for recorded in &log[..cut] {
                all.apply(recorded);
            }
            for recorded in &log[cut..] {
                let outcome = apply(&mut ledger, log, recorded);
                same("an outcome", &outcome, &all.apply(recorded))?;
            }
            same_as_the_oracle(&ledger, &all, &scenario, &drafts, log.len())?;
            let Some(last) = log.last() else { return Ok(()) };
            for recorded in log {
                let again = Recorded { recorded_at: last.recorded_at, ..recorded.clone() };
                let outcome = apply(&mut ledger, log, &again);
                same("an outcome again", &outcome, &all.apply(&again))?;
            }
        }
        Ok(())
    });
}

/// What is read from the pieces can be written in pieces again, with nothing lost
#[test]
fn an_index_goes_through_its_pieces_twice() {
    let strategy = (mixed(1..50), vec(question::drafts(), 1..25));
    check("an_index_goes_through_its_pieces_twice", 150, strategy, |(scenario, drafts)| {
        let (mut ledger, mut oracle) = (LedgerInMemory::new(world::LEDGER), Oracle::new());
        for recorded in &scenario.log {
            ledger.apply(recorded);
            oracle.apply(recorded);
        }
        let once = through_pieces(&ledger, &scenario.log)?;
        let twice = through_pieces(&once, &scenario.log)?;
        same_as_the_oracle(&twice, &oracle, &scenario, &drafts, scenario.log.len())
    });
}
