//! Does the ledger say what the oracle says when there is much of everything?
//!
//! Long logs about few things and many principals, so that runs of timelines close, lists become trees and
//! names are ranked; each asked about at its moments and beside them, known around each correction.

use std::fmt::Debug;

use proptest::collection::vec;
use proptest::prelude::BoxedStrategy;

use tenure_core::{
    Attributes, Change, EffectiveAt, KnownAt, LedgerInMemory, OutcomeKind, Question, Reading,
    Submission, View, answer::Answer,
};
use tenure_tests::harness::{check, samples};
use tenure_tests::question;
use tenure_tests::scenario::{Scenario, Shares, busy, crowds};
use tenure_tests::script::{Script, ask, create, fold, grant, hour, publish, revoke};
use tenure_tests::world;

fn tried(test: &str, cases: u64, scenarios: BoxedStrategy<Scenario>, questions: usize) {
    let strategy = (scenarios, vec(question::drafts_at_moments(), questions));
    check(test, cases, strategy, |(scenario, drafts)| {
        let (ledger, oracle) = fold(&scenario)?;
        let newest = scenario.log.len();
        drafts.iter().try_for_each(|draft| ask(&draft.about(&scenario, newest), &ledger, &oracle))
    });
}

#[test]
fn answers_about_a_crowd_in_time() {
    let shares = Shares { off_time: 1, ends: 3 };
    tried("answers_about_a_crowd_in_time", 12, crowds(60..140, 5, 60, shares), 20);
}

#[test]
fn answers_about_a_crowd_out_of_time() {
    let shares = Shares { off_time: 30, ends: 12 };
    tried("answers_about_a_crowd_out_of_time", 12, crowds(40..120, 5, 40, shares), 20);
}

#[test]
fn answers_about_a_crowd_that_is_often_undone() {
    let shares = Shares { off_time: 4, ends: 40 };
    tried("answers_about_a_crowd_that_is_often_undone", 16, crowds(40..120, 4, 12, shares), 20);
}

#[test]
fn answers_about_many_names() {
    let shares = Shares { off_time: 1, ends: 1 };
    tried("answers_about_many_names", 4, crowds(6..9, 120, 700, shares), 8);
}

#[test]
fn answers_about_somebody_busy() {
    tried("answers_about_somebody_busy", 3, busy(), 20);
}

#[test]
fn intervals_of_a_crowd() {
    let crowd = |off_time, ends| crowds(20..50, 4, 10, Shares { off_time, ends });
    let strategy = proptest::prop_oneof![crowd(2, 10), crowd(30, 20)];
    let strategy = (strategy, vec(question::drafts(), 6));
    check("intervals_of_a_crowd", 12, strategy, |(scenario, drafts)| {
        let (ledger, oracle) = fold(&scenario)?;
        let newest = scenario.log.len();
        drafts.iter().try_for_each(|draft| ask(&draft.about(&scenario, newest), &ledger, &oracle))
    });
}

/// The crowds are such that much of one thing is applied: 64 events close a run.
#[test]
fn crowds_are_crowded() {
    let shares = Shares { off_time: 1, ends: 3 };
    let mut long = 0;
    for scenario in samples(&crowds(60..140, 5, 60, shares), 20) {
        let mut ledger = LedgerInMemory::new(world::LEDGER);
        let applied = scenario.log.iter().filter(|recorded| {
            let tells_of_s1 = match &recorded.submission {
                Submission::Entry(entry, _) => {
                    entry.changes().iter().any(|change| matches!(change, Change::Grant { .. }))
                }
                Submission::Malformed => false,
            };
            ledger.apply(recorded).kind() == OutcomeKind::Applied && tells_of_s1
        });
        long += usize::from(applied.count() > 40);
    }
    assert!(long > 10, "{long}");
}

fn must<T: Debug>(result: Result<T, impl Debug>) -> T {
    result.unwrap_or_else(|failure| panic!("{failure:?}"))
}

/// More late changes of structure than there are earlier landscapes kept.
#[test]
fn landscapes_of_thousands_of_late_changes() {
    const ENTRIES: i64 = 5_300;
    const LEVELS: i64 = 40;
    let g = "global-account:g";
    let level = |n: i64| format!("subaccount:n{}", n % LEVELS);
    // Four of five are late by some hours, and now and then one is to come.
    let effective = |n: i64| match n % 5 {
        0 if n % 7 == 0 => n + 2,
        0 => n,
        _ => n - n % 4 - 1,
    };
    let mut levels = vec![create(g, None)];
    levels.extend((0..LEVELS).map(|n| create(&level(n), Some(g))));
    let mut script = Script::new().at(-9, None, levels);
    for n in 1..=ENTRIES {
        let attributes = Attributes { name: Some(format!("n{n}").into()), ..Attributes::default() };
        let set = Change::SetLevel { level: world::level(&level(n)), attributes };
        script = script.at(n, Some(effective(n)), vec![set]);
    }
    let mut ledger = LedgerInMemory::new(world::LEDGER);
    for recorded in &script.scenario().log {
        assert_eq!(ledger.apply(recorded).kind().as_str(), "applied");
    }
    for n in (0..60).map(|k| k * 7_919 % ENTRIES) {
        for t in [n - 60, n - 1, n, n + 1, n + 3, ENTRIES * 2] {
            let at = EffectiveAt::saturating_from_micros(hour(t));
            // Position 1 made the levels, and position n + 1 is that of the name n.
            let found = View::of(&ledger, KnownAt(n as u64 + 1)).levels(at);
            for of in 0..LEVELS {
                let known = (1..=n).rev().filter(|n| n % LEVELS == of);
                let names = known.filter(|n| effective(*n) <= t).take(3);
                let expected = names.max_by_key(|n| (effective(*n), *n)).map(|n| format!("n{n}"));
                let of = world::level(&level(of));
                let then = found.iter().find(|then| then.level == of);
                let name = then.and_then(|then| then.attributes.name.clone());
                assert_eq!(name.as_deref(), expected.as_deref(), "{of} known at {n}, at {t}");
            }
        }
    }
}

/// A leaf that looks at more places than are looked up one by one.
#[test]
fn answers_about_many_places() {
    let g = "global-account:g";
    let place = |n: usize| format!("subaccount:n{n}");
    let user = |n: usize| format!("user:corp/p{n}@x");
    let mut script = Script::new().at(0, None, vec![create(g, None)]).at(0, None, vec![publish(0)]);
    for n in 0..24 {
        let to = user(n % 5);
        let changes = vec![create(&place(n), Some(g)), grant(&place(n), "Admins", &to)];
        script = script.at(n as i64 + 1, None, changes);
    }
    for n in 0..20 {
        script = script.at(n as i64 + 30, None, vec![revoke(&place(n), "Admins", &user(n % 5))]);
    }
    let scenario = script.scenario();
    let (ledger, oracle) = must(fold(&scenario));
    let look_down = world::ability("look-down");
    let reading = Reading::Assigned;
    for t in (0..60).map(|t| EffectiveAt::saturating_from_micros(hour(t))) {
        let s = KnownAt(scenario.log.len() as u64);
        let on = world::level(g);
        let (can, as_of) = (look_down.clone(), question::as_of(t, s));
        let who = Question::Who { can: can.into(), on: on.clone(), as_of, reading, explain: true };
        must(ask(&who, &ledger, &oracle));
        for p in (0..5).map(|n| world::principal(&user(n))) {
            let (principal, can, on) = (p.clone(), look_down.clone(), on.clone());
            let check = Question::Check { principal, can: can.into(), on, as_of, reading };
            must(ask(&check, &ledger, &oracle));
        }
    }
    let at = EffectiveAt::saturating_from_micros(hour(28));
    let last = Question::Check {
        principal: world::principal(&user(0)),
        can: look_down.into(),
        on: world::level(g),
        as_of: question::as_of(at, KnownAt(scenario.log.len() as u64)),
        reading,
    };
    let Answer::Check(check) = question::ask(&last, &ledger).unwrap().answer else { panic!() };
    assert_eq!(check.because.len(), 5);
}
