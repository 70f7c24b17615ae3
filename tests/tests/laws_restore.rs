//! Does a ledger rebuilt with known outcomes say what the one that decided them says?

use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use proptest::prop_oneof;
use proptest::sample::Index;
use proptest::test_runner::TestCaseResult;

use tenure_core::{Entry, KnownAt, Ledger, LedgerInMemory, Outcome, Recorded, Submission};
use tenure_tests::harness::{check, same};
use tenure_tests::kept::Log;
use tenure_tests::question;
use tenure_tests::scenario::{Scenario, Shares, crowds, mixed};
use tenure_tests::world;

fn decided(scenario: &Scenario) -> (LedgerInMemory, Vec<Outcome>) {
    let mut ledger = LedgerInMemory::new(world::LEDGER);
    let outcomes = scenario.log.iter().map(|recorded| ledger.apply(recorded)).collect();
    (ledger, outcomes)
}

fn entry(recorded: &Recorded) -> Option<&Entry> {
    match &recorded.submission {
        Submission::Entry(entry, _) => Some(entry),
        Submission::Malformed => None,
    }
}

fn restored(log: &[Recorded], outcomes: &[Outcome]) -> Result<Ledger, Outcome> {
    let mut ledger = Ledger::new(world::LEDGER);
    for (recorded, outcome) in log.iter().zip(outcomes) {
        ledger.restore(recorded.recorded_at, &recorded.submitter, entry(recorded), outcome)?;
    }
    Ok(ledger)
}

fn scenarios() -> impl Strategy<Value = Scenario> {
    let shares = Shares { off_time: 10, ends: 15 };
    prop_oneof![4 => mixed(1..60), 1 => crowds(20..60, 4, 20, shares)]
}

fn same_places(decided: &Ledger, restored: &Ledger) -> TestCaseResult {
    for position in
        (1..=decided.known_at(tenure_core::Instant::LAST).0).filter_map(tenure_core::Position::new)
    {
        let of = |ledger: &Ledger| {
            let id = ledger.entry_id(position);
            let owner = id.and_then(|id| ledger.owner(id));
            (id, owner, ledger.outcome(position), ledger.recorded_at(position))
        };
        same(position, &of(restored), &of(decided))?;
    }
    let submitters = world::submitters().into_iter().map(tenure_core::Mention::Submitter);
    let principals = world::principals().into_iter().map(tenure_core::Mention::Principal);
    for mention in principals.chain(submitters) {
        let of = |ledger: &Ledger| ledger.mentions(&mention, KnownAt(0)).collect::<Vec<_>>();
        same(format_args!("{mention:?}"), &of(restored), &of(decided))?;
    }
    Ok(())
}

#[test]
fn a_rebuilt_ledger_is_the_ledger() {
    let strategy = (scenarios(), vec(question::drafts(), 1..30), any::<Index>());
    check("a_rebuilt_ledger_is_the_ledger", 300, strategy, |(scenario, drafts, cut)| {
        let (decided, outcomes) = decided(&scenario);
        let restored = restored(&scenario.log, &outcomes);
        let restored = same("restored", &restored.is_ok(), &true).map(|()| restored.unwrap())?;
        same_places(&decided, &restored)?;
        for draft in &drafts {
            let question = draft.about(&scenario, scenario.log.len());
            same(
                format_args!("{question:?}"),
                &question::ask(&question, &restored),
                &question::ask(&question, &decided),
            )?;
        }
        // The rest is decided on what was restored as on what was decided.
        let cut = cut.index(scenario.log.len() + 1);
        let mut half = Ledger::new(world::LEDGER);
        for (recorded, outcome) in scenario.log.iter().zip(&outcomes).take(cut) {
            let (at, submitter) = (recorded.recorded_at, &recorded.submitter);
            let known = half.restore(at, submitter, entry(recorded), outcome);
            same("a half", &known.is_ok(), &true)?;
        }
        for (recorded, outcome) in scenario.log.iter().zip(&outcomes).skip(cut) {
            let Ok(decided) = half.apply_with(recorded, &Log(&scenario.log));
            same("decided after restoring", &decided, outcome)?;
        }
        for draft in &drafts {
            let question = draft.about(&scenario, scenario.log.len());
            same(
                format_args!("{question:?}"),
                &question::ask(&question, &half),
                &question::ask(&question, &decided),
            )?;
        }
        Ok(())
    });
}

/// What is not looked at again is what an entry expects and what its submitter may; all else that refuses it is
/// noticed.
#[test]
fn a_wrong_outcome_is_noticed() {
    use tenure_core::RefusalCode::{AlreadyHeld, Forbidden, NotHeld, UnknownPrincipal};
    let strategy = (scenarios(), any::<Index>());
    check("a_wrong_outcome_is_noticed", 300, strategy, |(scenario, chosen)| {
        let (_, outcomes) = decided(&scenario);
        let noticed = |n: &usize| match &outcomes[*n] {
            Outcome::Refused(refusal) => {
                let passed_over = [NotHeld, AlreadyHeld, UnknownPrincipal, Forbidden];
                let of_its_own = refusal.change.is_some();
                let at_all = entry(&scenario.log[*n]).is_some();
                at_all && of_its_own && !passed_over.contains(&refusal.code())
            }
            _ => false,
        };
        let refused: Vec<usize> = (0..outcomes.len()).filter(noticed).collect();
        if refused.is_empty() {
            return Ok(());
        }
        let wrong = *chosen.get(&refused);
        let mut outcomes = outcomes.clone();
        let truth = std::mem::replace(&mut outcomes[wrong], Outcome::Applied);
        let found = restored(&scenario.log[..=wrong], &outcomes[..=wrong]).err();
        same(format_args!("#{}", wrong + 1), &found, &Some(truth))
    });
}

#[test]
fn an_id_that_is_owned_is_not_applied_again() {
    check("an_id_that_is_owned_is_not_applied_again", 300, scenarios(), |scenario| {
        let (_, outcomes) = decided(&scenario);
        let repeats = |n: &usize| match &outcomes[*n] {
            Outcome::Duplicate(original) => original.refusal.is_none(),
            _ => false,
        };
        let Some(wrong) = (0..outcomes.len()).find(repeats) else { return Ok(()) };
        let mut outcomes = outcomes.clone();
        outcomes[wrong] = Outcome::Applied;
        let found = restored(&scenario.log[..=wrong], &outcomes[..=wrong]);
        same(format_args!("#{}", wrong + 1), &found.is_err(), &true)
    });
}
