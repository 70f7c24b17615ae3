//! Does a ledger that starts from a checkpoint answer as one that folds its journal?

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tenure_core::{Principal, RecordedAt};
use tenure_journal::Journal;
use tenure_log::{AppendError, embedded};
use tenure_wire::codec::{self, Encoded};
use uuid::Uuid;

use super::checkpointer::Due;
use super::checkpoints::Formats;
use super::clock_guard::ClockGuard;
use super::compare::compare;
use super::*;
use crate::metrics::Metrics;

const WRITE: Checkpointing = Checkpointing::Write { share: 100 };

/// A checkpoint is due at once
const SOON: Due =
    Due { positions: 0, one_in: u64::MAX, positions_at_stop: 0, one_in_at_stop: u64::MAX };
/// A checkpoint is due when the ledger stops
const AT_STOP: Due = Due { positions: u64::MAX, ..SOON };
/// A checkpoint is never due
const NEVER: Due = Due { positions_at_stop: u64::MAX, ..AT_STOP };

fn patience(mut there: impl FnMut() -> bool) {
    let began = Instant::now();
    while !there() {
        assert!(began.elapsed() < Duration::from_secs(60), "it does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn start_as(
    data: &Path,
    checkpoints: Checkpointing,
    formats: &Formats,
    due: Due,
) -> (Engine, Writer) {
    let journal = Journal::open(data, Some("acme")).unwrap();
    let options = Options { genesis: Genesis::BuiltIn, checkpoints, accept_clock: false };
    let with = (formats, due, ClockGuard::begin(false));
    Engine::start_with(journal, options, with, Arc::new(Metrics::default()), |_| {}).unwrap()
}

/// A start that fails, or an engine with a clock of its own
fn start_by(
    data: &Path,
    genesis: Genesis,
    clock: ClockGuard,
) -> Result<(Engine, Writer), StartError> {
    let journal = Journal::open(data, Some("acme")).unwrap();
    let options = Options { genesis, checkpoints: Checkpointing::Off, accept_clock: false };
    let with = (&Formats::default(), NEVER, clock);
    Engine::start_with(journal, options, with, Arc::new(Metrics::default()), |_| {})
}

fn start(data: &Path, due: Due) -> (Engine, Writer) {
    start_as(data, WRITE, &Formats::default(), due)
}

fn stop((engine, writer): (Engine, Writer)) {
    drop(engine);
    writer.join();
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn encoded(n: u128, changes: &Value) -> Encoded {
    let entry = json!({ "id": id(n), "actor": "admin@acme.example", "changes": changes });
    codec::decode_draft(&entry, "sap.default", Uuid::now_v7).unwrap()
}

fn grant(n: u128) -> Encoded {
    let to = format!("p{}@acme.example", n % 50);
    encoded(
        n,
        &json!([{ "type": "grant", "level": "subaccount:dev",
        "role_collection": "Subaccount Viewer", "to": to }]),
    )
}

fn land(n: u128) -> Encoded {
    encoded(
        n,
        &json!([
        { "type": "create_level", "level": "global-account:acme" },
        { "type": "create_level", "level": "subaccount:dev", "parent": "global-account:acme" }]),
    )
}

/// Some of everything: applied, refused, repeated, voided
fn fill(engine: &Engine) {
    engine.append_blocking(&Principal::local(), vec![land(1)]).unwrap();
    for n in 100..150 {
        engine
            .append_blocking(
                &Principal::local(),
                vec![
                    grant(n),
                    grant(n),
                    encoded(
                        n + 500,
                        &json!([{
            "type": "revoke", "level": "subaccount:dev", "role_collection": "Subaccount Viewer",
            "from": format!("p{}@acme.example", n % 7) }]),
                    ),
                ],
            )
            .unwrap();
    }
    let voided = json!([{ "type": "void", "entry": id(120) }]);
    engine.append_blocking(&Principal::local(), vec![encoded(2_000, &voided)]).unwrap();
}

fn checkpoint_position(engine: &Engine) -> u64 {
    let text = engine.metrics().text();
    let line = text.lines().find(|line| line.starts_with("tenure_index_checkpoint_position "));
    line.and_then(|line| line.split(' ').nth(1)).unwrap().parse().unwrap()
}

/// That what serves is what the journal says, decided again
#[track_caller]
fn is_the_fold(engine: &Engine) {
    let decided = verify(engine.name(), engine.reader(), &mut |_| {}).unwrap();
    assert!(compare(&decided, &engine.ledger()).unwrap() > 0);
}

fn generations(data: &Path) -> Vec<String> {
    let files = fs::read_dir(data.join("index")).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        files.map(|file| file.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_start_reads_the_checkpoint_and_goes_on_from_it() {
    let data = tempfile::tempdir().unwrap();
    let running = start(data.path(), AT_STOP);
    fill(&running.0);
    let newest = running.0.shown().0;
    stop(running);
    assert_eq!(generations(data.path()), ["0000000001"]);
    // From the checkpoint alone; then with a tail.
    for round in 0..3 {
        let running = start(data.path(), NEVER);
        assert_eq!(checkpoint_position(&running.0), newest);
        is_the_fold(&running.0);
        // What came before the checkpoint is known to have come.
        let receipts = running
            .0
            .append_blocking(&Principal::local(), vec![grant(100), grant(3_000 + round)])
            .unwrap();
        assert!(matches!(receipts[0].outcome, tenure_core::Outcome::Duplicate(_)));
        assert_eq!(receipts[1].outcome, tenure_core::Outcome::Applied);
        is_the_fold(&running.0);
        stop(running);
    }
    assert_eq!(generations(data.path()), ["0000000001"]);
}

#[test]
fn checkpoints_are_written_in_the_background_and_only_the_newest_is_kept() {
    let data = tempfile::tempdir().unwrap();
    let running = start(data.path(), SOON);
    fill(&running.0);
    for n in 4_000..4_003 {
        running.0.append_blocking(&Principal::local(), vec![grant(n)]).unwrap();
        let newest = running.0.shown().0;
        patience(|| checkpoint_position(&running.0) == newest);
    }
    assert_eq!(generations(data.path()).len(), 1);
    stop(running);
    let running = start_as(data.path(), Checkpointing::Read, &Formats::default(), SOON);
    assert_eq!(checkpoint_position(&running.0), running.0.shown().0);
    is_the_fold(&running.0);
    stop(running);
    let running = start_as(data.path(), Checkpointing::Off, &Formats::default(), SOON);
    assert_eq!(checkpoint_position(&running.0), 0);
    stop(running);
}

#[test]
fn a_checkpoint_that_cannot_be_read_costs_a_fold_and_no_start() {
    let data = tempfile::tempdir().unwrap();
    let running = start(data.path(), AT_STOP);
    fill(&running.0);
    stop(running);
    let file = data.path().join("index/0000000001/0000/db");
    let sound = fs::read(&file).unwrap();
    let written = sound.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for at in (0..written).step_by(1 + written / 10) {
        let mut bytes = sound.clone();
        bytes[at] ^= 0xFF;
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, bytes).unwrap();
        let running = start(data.path(), NEVER);
        is_the_fold(&running.0);
        stop(running);
    }
}

#[test]
fn an_unknown_format_is_discarded_and_the_journal_folded() {
    let data = tempfile::tempdir().unwrap();
    let running = start(data.path(), AT_STOP);
    fill(&running.0);
    stop(running);
    let running = start_as(data.path(), WRITE, &Formats::of_a_much_later_program(), NEVER);
    assert_eq!(generations(data.path()), Vec::<String>::new());
    is_the_fold(&running.0);
    stop(running);
}

#[test]
fn an_older_format_serves_while_the_index_is_rebuilt_beside_it() {
    let data = tempfile::tempdir().unwrap();
    let running = start(data.path(), AT_STOP);
    fill(&running.0);
    stop(running);
    let later = Formats::of_a_later_program();
    let running = start_as(data.path(), WRITE, &later, NEVER);
    // It is asked, and appended to, from the first moment on.
    is_the_fold(&running.0);
    let receipts =
        running.0.append_blocking(&Principal::local(), vec![grant(100), grant(5_000)]).unwrap();
    assert!(matches!(receipts[0].outcome, tenure_core::Outcome::Duplicate(_)));
    // The rebuilt one takes its place without a further entry, and then a checkpoint in its format is due.
    patience(|| running.0.shared.index_is_current.load(Ordering::Acquire));
    is_the_fold(&running.0);
    running.0.append_blocking(&Principal::local(), vec![grant(100), grant(5_001)]).unwrap();
    is_the_fold(&running.0);
    patience(|| generations(data.path()) == ["0000000002"]);
    stop(running);
    let running = start_as(data.path(), WRITE, &later, NEVER);
    assert!(running.0.shared.index_is_current.load(Ordering::Acquire));
    is_the_fold(&running.0);
    stop(running);
}

#[test]
fn a_stop_does_not_wait_for_a_rebuild_nor_keep_what_is_not_current() {
    let data = tempfile::tempdir().unwrap();
    let running = start(data.path(), AT_STOP);
    fill(&running.0);
    stop(running);
    for _ in 0..5 {
        stop(start_as(data.path(), WRITE, &Formats::of_a_later_program(), NEVER));
    }
    let running = start_as(data.path(), WRITE, &Formats::of_a_later_program(), NEVER);
    is_the_fold(&running.0);
    stop(running);
}

#[test]
fn nothing_is_appended_by_a_clock_that_jumped_or_is_years_ahead() {
    let data = tempfile::tempdir().unwrap();
    let before = |days: i64| {
        let micros = embedded::now().micros() - days * 24 * 60 * 60 * 1_000_000;
        RecordedAt::saturating_from_micros(micros)
    };
    let jumped = || ClockGuard::new(before(2), Some(before(2)));
    let years_ahead = || ClockGuard::new(before(0), Some(before(6 * 365)));
    // A ledger without catalogues is not begun at a wrong time.
    for clock in [jumped(), years_ahead()] {
        let Err(error) = start_by(data.path(), Genesis::BuiltIn, clock) else {
            panic!("it started");
        };
        assert!(chain(&error).contains("--accept-clock"), "{}", chain(&error));
    }
    for clock in [jumped(), years_ahead()] {
        let running = start_by(data.path(), Genesis::Manual, clock).unwrap();
        let Err(AppendError::NotDone(why)) =
            running.0.append_blocking(&Principal::local(), vec![land(1)])
        else {
            panic!("it was appended");
        };
        assert!(why.contains("this machine's clock") && why.contains("--accept-clock"), "{why}");
        assert_eq!(running.0.shown().0, 0);
        stop(running);
    }
    // The operator accepts it once; then the newest entry shows that time.
    let accepted = ClockGuard::new(before(0), None);
    for clock in [accepted, years_ahead(), jumped()] {
        let running = start_by(data.path(), Genesis::BuiltIn, clock).unwrap();
        assert_eq!(running.0.append_blocking(&Principal::local(), vec![land(1)]).unwrap().len(), 1);
        stop(running);
    }
}
