//! Does the ledger tell what the oracle tells, and does a trial keep to itself?

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::sample::Index;

use tenure_core::{Change, KnownAt, LedgerInMemory, Note, Noted, Outcome, Recorded, RevokeExpects};
use tenure_tests::harness::{check, same, samples};
use tenure_tests::oracle::Oracle;
use tenure_tests::scenario::{Scenario, mixed};
use tenure_tests::script::{
    Script, add, collection, create, grant, no_collection, publish, remove, revoke, void,
};
use tenure_tests::{question, world};

#[test]
fn notes_are_the_oracles() {
    check("notes_are_the_oracles", 700, mixed(1..60), |scenario| {
        let (mut ledger, mut oracle) = (LedgerInMemory::new(world::LEDGER), Oracle::new());
        for (number, recorded) in (1..).zip(&scenario.log) {
            let expected = (oracle.notes(recorded), oracle.apply(recorded));
            let (outcome, notes) = ledger.apply_noting(recorded);
            same(format_args!("what is told of #{number}"), &(notes, outcome), &expected)?;
        }
        Ok(())
    });
}

/// A trial decides other entries than the ledger goes on with. Each ends where a ledger of its own does.
#[test]
fn invariant_trial() {
    let strategy = (mixed(4..50), any::<Index>(), vec(question::drafts(), 1..6));
    check("invariant_trial", 200, strategy, |(scenario, split, drafts)| {
        let (begun, rest) = scenario.log.split_at(split.index(scenario.log.len()));
        let of = |entries: &[Recorded]| {
            let mut ledger = LedgerInMemory::new(world::LEDGER);
            let told: Vec<_> = entries.iter().map(|one| ledger.apply_noting(one)).collect();
            (ledger, told)
        };
        let (mut ledger, _) = of(begun);
        let mut trial = ledger.trial();
        // The trial passes over every third entry.
        let tried: Vec<Recorded> =
            rest.iter().zip(0..).filter(|(_, n)| n % 3 != 0).map(|(one, _)| one.clone()).collect();
        // What was there before is answered alike.
        let ask = |draft: &question::Draft, ledger: &LedgerInMemory| {
            let question = draft.about(&scenario, begun.len());
            question::ask_within(&question, ledger, KnownAt(begun.len() as u64))
        };
        let (mut told, mut told_in_trial) = (Vec::new(), Vec::new());
        for (n, recorded) in rest.iter().enumerate() {
            told.push(ledger.apply_noting(recorded));
            told_in_trial.extend(tried.get(n).map(|one| trial.apply_noting(one)));
            for draft in &drafts {
                same("an answer in a trial", &ask(draft, &trial), &ask(draft, &ledger))?;
            }
        }
        let (alone, expected) = of(&[begun, rest].concat());
        same("what the ledger tells", &told, &expected[begun.len()..].to_vec())?;
        let (tried_alone, expected) = of(&[begun, &tried].concat());
        same("what the trial tells", &told_in_trial, &expected[begun.len()..].to_vec())?;
        for draft in &drafts {
            let question = draft.about(&scenario, scenario.log.len());
            let asked = |ledger| question::ask(&question, ledger);
            same("an answer of the ledger", &asked(&ledger), &asked(&alone))?;
            let question = draft.about(&scenario, begun.len() + tried.len());
            let asked = |ledger| question::ask(&question, ledger);
            same("an answer of the trial", &asked(&trial), &asked(&tried_alone))?;
        }
        Ok(())
    });
}

#[test]
fn scenarios_bring_about_every_note() {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for scenario in samples(&mixed(1..60), 600) {
        let mut ledger = LedgerInMemory::new(world::LEDGER);
        for recorded in &scenario.log {
            let (outcome, notes) = ledger.apply_noting(recorded);
            for note in notes {
                let kind = if outcome == Outcome::Applied { "" } else { " of a refusal" };
                *counts.entry(format!("{}{kind}", note.what.code())).or_default() += 1;
            }
        }
    }
    let kinds =
        ["terms_changed", "repeated", "scheduled", "scheduled of a refusal", "last_administrator"];
    for kind in kinds {
        assert!(counts.get(kind).is_some_and(|count| *count >= 5), "{kind}: {counts:?}");
    }
}

const G: &str = "global-account:g";
const S1: &str = "subaccount:s1";
const ALICE: &str = "user:corp/alice@x";
const BOB: &str = "user:corp/bob@x";
const GROUP: &str = "group:corp/Admins";

/// What is told of the last entry of a log, and what should be
fn last(script: Script) -> Vec<Note> {
    let Scenario { log, .. } = script.scenario();
    let (mut ledger, mut oracle) = (LedgerInMemory::new(world::LEDGER), Oracle::new());
    let mut told = Vec::new();
    for recorded in &log {
        let expected = oracle.notes(recorded);
        oracle.apply(recorded);
        told = ledger.apply_noting(recorded).1;
        assert_eq!(told, expected);
    }
    told
}

fn landscape() -> Script {
    let levels = vec![create(G, None), create(S1, Some(G))];
    Script::new().at(1, None, levels).at(1, None, vec![publish(0)])
}

fn scheduled(note: &Note) -> (Vec<u64>, usize) {
    let Noted::Scheduled(later) = &note.what else { panic!("{note:?}") };
    (later.entries.iter().map(|(_, position)| position.get()).collect(), later.more)
}

#[test]
fn a_revoke_tells_which_entries_grant_it_again() {
    let held = landscape().at(2, None, vec![grant(S1, "Admins", ALICE)]).at(
        3,
        Some(9),
        vec![grant(S1, "Admins", ALICE)],
    );
    let [note] =
        last(held.clone().at(4, None, vec![revoke(S1, "Admins", ALICE)])).try_into().unwrap();
    assert_eq!(scheduled(&note), (vec![4], 0));
    // What is voided starts nothing.
    assert_eq!(
        last(held.at(4, None, vec![void(4)]).at(5, None, vec![revoke(S1, "Admins", ALICE)])),
        []
    );
    // Ten are named, in order of effect, and the others are counted.
    let mut many = landscape();
    for n in 0..13 {
        many = many.at(2, Some(30 - n), vec![grant(S1, "Admins", ALICE)]);
    }
    let revoked = last(many.clone().at(4, None, vec![revoke(S1, "Admins", ALICE)]));
    assert_eq!(revoked[0].what, Noted::Repeated);
    assert_eq!(scheduled(&revoked[1]), ((6..=15).rev().collect(), 3));
    // A refusal tells them too, and nothing else of its entry.
    let expects = |change| match change {
        Change::Revoke { level, grantable, from, .. } => {
            Change::Revoke { level, grantable, from, expect: Some(RevokeExpects::Held) }
        }
        other => other,
    };
    let refused = vec![add(GROUP, BOB), add(GROUP, BOB), expects(revoke(S1, "Admins", ALICE))];
    let [hint] = last(many.at(4, None, refused)).try_into().unwrap();
    assert_eq!((hint.change, scheduled(&hint).1), (2, 3));
}

#[test]
fn the_removal_of_a_principal_tells_what_starts_later() {
    let script = landscape()
        .at(2, None, vec![add(GROUP, BOB), grant(S1, "Admins", GROUP)])
        .at(3, Some(20), vec![add(GROUP, ALICE), grant(S1, "Viewers", GROUP)])
        .at(4, None, vec![add(GROUP, ALICE)]);
    // Late, so that what was recorded on time comes after it too.
    let [note] = last(script.clone().at(5, Some(3), vec![remove(GROUP)])).try_into().unwrap();
    assert_eq!(scheduled(&note), (vec![5, 4], 0));
    let [note] = last(script.clone().at(5, None, vec![remove(ALICE)])).try_into().unwrap();
    assert_eq!(scheduled(&note), (vec![4], 0));
    // The changes before it in its entry have ended all.
    let [repeated] = last(script.at(5, None, vec![remove(BOB), remove(BOB)])).try_into().unwrap();
    assert_eq!((repeated.change, repeated.what), (1, Noted::Repeated));
}

#[test]
fn a_grant_and_a_membership_tell_that_they_run() {
    let until = |hours: i64| {
        let Change::Grant { level, grantable, to, expect, .. } = grant(S1, "Custom", ALICE) else {
            panic!("a grant");
        };
        let micros = tenure_tests::script::hour(hours);
        let until = Some(tenure_core::Instant::from_micros(micros).unwrap());
        Change::Grant { level, grantable, to, expect, until }
    };
    let script = landscape().at(2, None, vec![collection(S1, "Custom")]).at(
        3,
        None,
        vec![until(20), add(GROUP, ALICE)],
    );
    let told = |change| last(script.clone().at(4, None, vec![change]));
    assert_eq!(told(until(20))[0].what, Noted::Repeated);
    assert!(matches!(told(until(21))[0].what, Noted::TermsChanged { .. }));
    assert!(matches!(
        told(grant(S1, "Custom", ALICE))[0].what,
        Noted::TermsChanged { to: None, .. }
    ));
    assert_eq!(told(add(GROUP, ALICE))[0].what, Noted::Repeated);
    // It ended, or it ends before the change in the same entry.
    assert_eq!(last(script.clone().at(21, None, vec![until(30)])), []);
    let again = vec![no_collection(S1, "Custom"), collection(S1, "Custom"), until(30)];
    assert_eq!(last(script.at(4, None, again)), []);
    assert_eq!(world::principal(ALICE).as_str(), ALICE);
}
