//! Does the ledger say what the oracle says?

use proptest::collection::vec;
use proptest::test_runner::TestCaseResult;

use tenure_core::{KnownAt, Ledger, Mention, Position};
use tenure_tests::detail::detail;
use tenure_tests::harness::{check, same};
use tenure_tests::oracle::Oracle;
use tenure_tests::scenario::{Scenario, mixed, of_neo};
use tenure_tests::script::{ask, fold};
use tenure_tests::{question, world};

#[test]
fn outcomes_are_the_oracles() {
    check("outcomes_are_the_oracles", 1_000, mixed(1..60), |scenario| fold(&scenario).map(drop));
}

#[test]
fn answers_are_the_oracles() {
    let strategy = (mixed(1..60), vec(question::drafts(), 1..25));
    check("answers_are_the_oracles", 1_000, strategy, |(scenario, drafts)| {
        let (ledger, oracle) = fold(&scenario)?;
        drafts.iter().try_for_each(|draft| {
            let question = draft.about(&scenario, scenario.log.len());
            ask(&question, &ledger, &oracle)
        })
    });
}

/// Rules of sets, permissions, environments and what one could give oneself, closer together.
#[test]
fn answers_about_neo_are_the_oracles() {
    let strategy = (of_neo(6..40), vec(question::drafts(), 1..25));
    check("answers_about_neo_are_the_oracles", 500, strategy, |(scenario, drafts)| {
        let (ledger, oracle) = fold(&scenario)?;
        drafts.iter().try_for_each(|draft| {
            let question = draft.about(&scenario, scenario.log.len());
            ask(&question, &ledger, &oracle)
        })
    });
}

#[test]
fn details_are_those_of_the_rows_that_are_shown() {
    let strategy = (mixed(1..60), vec((question::drafts(), 0..4_usize, 1..4_usize), 1..25));
    check("details_are_those_of_the_rows", 400, strategy, |(scenario, drafts)| {
        let (ledger, oracle) = fold(&scenario)?;
        drafts.iter().try_for_each(|(draft, first, count)| {
            let question = draft.about(&scenario, scenario.log.len());
            detail(&question, *first..*first + *count, &ledger, &oracle)
        })
    });
}

#[test]
fn histories_are_the_oracles() {
    check("histories_are_the_oracles", 150, mixed(1..60), |scenario| {
        let (ledger, oracle) = fold(&scenario)?;
        history(&scenario, &ledger, &oracle)
    });
}

fn history(scenario: &Scenario, ledger: &Ledger, oracle: &Oracle) -> TestCaseResult {
    let levels = world::LEVELS.iter().map(|text| Mention::Level(world::level(text)));
    let principals = world::principals().into_iter().map(Mention::Principal);
    let actor = Mention::Actor(world::principal("user:corp/actor@x"));
    let names = world::ROLE_COLLECTIONS.iter().map(|name| Mention::RoleCollection((*name).into()));
    let submitters = world::submitters().into_iter().map(Mention::Submitter);
    for mention in levels.chain(principals).chain(names).chain([actor]).chain(submitters) {
        let found = ledger.mentions(&mention, KnownAt(0)).collect::<Vec<_>>();
        same(format_args!("{mention:?}"), &found, &oracle.mentions(&mention))?;
    }
    for recorded in &scenario.log {
        let time = recorded.recorded_at;
        same("known at", &ledger.known_at(time.instant()), &oracle.known_at(time))?;
    }
    for s in (0..=scenario.log.len() as u64).map(KnownAt) {
        for position in (1..=s.0).filter_map(Position::new) {
            // Where several voids stand, any of them may be named.
            let voids = oracle.voids_of(position, s);
            let named = ledger.voided_by(position, s);
            let lawful = named.map_or(voids.is_empty(), |void| voids.contains(&void));
            same(
                format_args!("{position} known at {}: {named:?} of {voids:?}", s.0),
                &lawful,
                &true,
            )?;
        }
    }
    Ok(())
}
