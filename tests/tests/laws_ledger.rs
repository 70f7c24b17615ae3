//! Which laws does the ledger keep, whatever is recorded?

use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use proptest::sample::Index;
use proptest::test_runner::TestCaseResult;

use tenure_core::{KnownAt, Ledger, LedgerInMemory, Outcome, Question, Recorded, RefusalCode};
use tenure_tests::harness::{check, same};
use tenure_tests::question::{self, Draft, Found};
use tenure_tests::scenario::{Scenario, arrivals, mixed};
use tenure_tests::world;

fn fold(log: &[Recorded]) -> (LedgerInMemory, Vec<Outcome>) {
    let mut ledger = LedgerInMemory::new(world::LEDGER);
    let outcomes = log.iter().map(|recorded| ledger.apply(recorded)).collect();
    (ledger, outcomes)
}

/// Asks where nothing after so many entries may be seen
fn ask(ledger: &Ledger, newest: usize, questions: &[Question]) -> Vec<Found> {
    let newest = KnownAt(newest as u64);
    questions.iter().map(|question| question::ask_within(question, ledger, newest)).collect()
}

/// Fails unless the answers of a ledger are those expected
fn same_answers(
    ledger: &Ledger,
    newest: usize,
    questions: &[Question],
    expected: &[Found],
) -> TestCaseResult {
    let answers = ask(ledger, newest, questions).into_iter().zip(expected);
    questions.iter().zip(answers).try_for_each(|(question, (answer, expected))| {
        same(format_args!("{question:?}"), &answer, expected)
    })
}

/// A scenario, questions about it, and a place to cut it in two
fn cut() -> impl Strategy<Value = (Scenario, Vec<Draft>, Index)> {
    (mixed(1..50), vec(question::drafts(), 1..30), any::<Index>())
}

fn within(scenario: &Scenario, drafts: &[Draft], newest: usize) -> Vec<Question> {
    drafts.iter().map(|draft| draft.about(scenario, newest)).collect()
}

#[test]
fn the_past_does_not_move() {
    check("the_past_does_not_move", 800, cut(), |(scenario, drafts, cut)| {
        let (before, after) = scenario.log.split_at(cut.index(scenario.log.len() + 1));
        let questions = within(&scenario, &drafts, before.len());
        let (mut ledger, _) = fold(before);
        let newest = before.len();
        let answers = ask(&ledger, newest, &questions);
        for recorded in after {
            ledger.apply(recorded);
        }
        same_answers(&ledger, newest, &questions, &answers)?;
        let (at_once, _) = fold(&scenario.log);
        same_answers(&at_once, newest, &questions, &answers)
    });
}

#[test]
fn a_fold_in_two_halves_is_the_fold() {
    check("a_fold_in_two_halves_is_the_fold", 500, cut(), |(scenario, drafts, cut)| {
        let (before, after) = scenario.log.split_at(cut.index(scenario.log.len() + 1));
        let (at_once, outcomes) = fold(&scenario.log);
        // The first half is asked about, at each of its positions: nothing of that may stay.
        let (mut ledger, mut halves) = fold(before);
        for newest in 0..=before.len() {
            for draft in &drafts {
                let _ = question::ask(&draft.about(&scenario, newest), &ledger);
            }
        }
        halves.extend(after.iter().map(|recorded| ledger.apply(recorded)));
        same("the outcomes", &halves, &outcomes)?;
        let newest = scenario.log.len();
        let questions = within(&scenario, &drafts, newest);
        same_answers(&ledger, newest, &questions, &ask(&at_once, newest, &questions))
    });
}

fn forbidden(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused(refusal) if refusal.code() == RefusalCode::Forbidden)
}

#[test]
fn replaying_twice_is_replaying_once() {
    let strategy = (mixed(1..50), vec(question::drafts(), 1..30));
    check("replaying_twice_is_replaying_once", 500, strategy, |(scenario, drafts)| {
        let (once, outcomes) = fold(&scenario.log);
        let (mut twice, _) = fold(&scenario.log);
        let Some(last) = scenario.log.last() else {
            return Ok(());
        };
        for (number, recorded) in scenario.log.iter().enumerate() {
            // What is forbidden owns no id: handed in again, it is a new attempt.
            if forbidden(&outcomes[number]) {
                continue;
            }
            let again = Recorded { recorded_at: last.recorded_at, ..recorded.clone() };
            let outcome = twice.apply(&again);
            let lawful = match (&outcomes[number], &outcome) {
                (Outcome::Applied, Outcome::Duplicate(original)) => {
                    original.position.get() == number as u64 + 1 && original.refusal.is_none()
                }
                (Outcome::Refused(first), Outcome::Refused(second)) => {
                    let unowned = [RefusalCode::Malformed, RefusalCode::IdReused];
                    unowned.contains(&first.code()) && first == second
                }
                (Outcome::Refused(first), Outcome::Duplicate(original)) => {
                    original.position.get() == number as u64 + 1
                        && original.refusal.as_ref() == Some(first)
                }
                (Outcome::Duplicate(first), Outcome::Duplicate(second)) => first == second,
                _ => false,
            };
            let context =
                format!("#{} again, {:?} at first: {outcome:?}", number + 1, outcomes[number]);
            same(context, &lawful, &true)?;
        }
        let newest = scenario.log.len();
        let again = outcomes.iter().filter(|outcome| !forbidden(outcome)).count();
        let questions = within(&scenario, &drafts, newest);
        let answers = ask(&once, newest, &questions);
        same_answers(&twice, newest, &questions, &answers)?;
        // A reader that knows of the repetition is told the same, but for the coordinates.
        for question in &questions {
            // The repetition itself is in the log.
            if matches!(question, Question::History { .. } | Question::Entry { .. }) {
                continue;
            }
            let answer = |ledger: &Ledger, newest: usize| {
                let question = question::known_at(question, KnownAt(newest as u64));
                question::without_positions(question::ask(&question, ledger))
            };
            same(
                format_args!("{question:?}"),
                &answer(&twice, newest + again),
                &answer(&once, newest),
            )?;
        }
        Ok(())
    });
}

#[test]
fn arrival_order_does_not_matter() {
    let strategy = (arrivals(2..16), vec(question::drafts(), 1..40));
    check("arrival_order_does_not_matter", 1_000, strategy, |([in_order, other], drafts)| {
        let newest = in_order.log.len();
        let [(in_order_fold, _), (other_fold, _)] = [&in_order, &other].map(|one| fold(&one.log));
        for draft in &drafts {
            let question = draft.about(&in_order, newest);
            let question = question::known_at(&question, KnownAt(newest as u64));
            let [first, second] = [&in_order_fold, &other_fold]
                .map(|ledger| question::without_positions(question::ask(&question, ledger)));
            same(format_args!("{question:?}"), &second, &first)?;
        }
        Ok(())
    });
}
