//! Does the ledger say what the oracle says of rules, permissions and environments where two clocks cross?
//!
//! Short logs written by hand, asked about exhaustively at and before each moment.

use tenure_core::answer::{Answer, Member};
use tenure_core::{
    Abilities, Change, EffectiveAt, JoinedBy, KnownAt, Life, Now, Question, Reading,
};
use tenure_tests::script::{
    Script, add, create, custom_role, delete, exhaust, exhaust_neo, fold, grant, hour,
    no_custom_role, permission, publish, remove, revoke, rule, set, void,
};
use tenure_tests::{question, world};

const G: &str = "global-account:g";
const N1: &str = "subaccount:n1";
const A2: &str = "application:a2";
const ALICE: &str = "user:corp/alice@x";
const BOB: &str = "user:corp/bob@x";
const RULES: &str = "group:corp/Rules";
const IT: &str = "attribute:corp/dept=IT";
const HR: &str = "attribute:corp/dept=HR";
const ADMINISTRATOR: &str = "role:neo/Administrator";

/// A subaccount in Neo with an application, whose administrators are a group
fn landscape() -> Script {
    let levels = vec![create(G, None), create(N1, Some(G)), set(N1, 10), create(A2, Some(N1))];
    Script::new().at(1, None, levels).at(1, None, vec![publish(0)]).at(
        2,
        None,
        vec![grant(N1, ADMINISTRATOR, RULES)],
    )
}

fn settle(script: Script) {
    let scenario = script.scenario();
    let settled = exhaust(&scenario).and_then(|()| exhaust_neo(&scenario));
    if let Err(failure) = settled {
        panic!("{failure}\n{scenario:?}");
    }
}

fn leave(set: &str, member: &str) -> Change {
    let (set, member) = (world::principal(set), world::principal(member));
    Change::RemoveMember { set, member, expect: None }
}

/// Since when Alice is a member at an hour, and by which entry
fn member_at(script: Script, hours: i64) -> Option<(i64, JoinedBy)> {
    let scenario = script.scenario();
    let (ledger, _) = fold(&scenario).unwrap_or_else(|failure| panic!("{failure:?}"));
    let at = EffectiveAt::saturating_from_micros(hour(hours));
    let as_of = question::as_of(at, KnownAt(scenario.log.len() as u64));
    let members = Question::Members { set: world::principal(RULES), as_of };
    let answered = question::ask(&members, &ledger).unwrap_or_else(|error| panic!("{error}"));
    let Answer::Members(members) = answered.answer else { panic!("{answered:?}") };
    let alice = members.into_iter().find(|one| one.principal == world::principal(ALICE));
    alice.map(|Member { since, by, .. }| ((since.micros() - hour(0)) / (hour(1) - hour(0)), by))
}

/// A thread that serves sockets answers a check alone that costs little, whatever the log holds
#[test]
fn only_a_check_that_costs_little_is_answered_at_once() {
    let at_once = |script: Script, can: &[&str], reading| {
        let scenario = script.scenario();
        let (ledger, _) = fold(&scenario).unwrap_or_else(|failure| panic!("{failure:?}"));
        let newest = KnownAt(scenario.log.len() as u64);
        let at = EffectiveAt::saturating_from_micros(hour(6));
        let can = can.iter().map(|text| world::ability(text)).collect();
        let check = Question::Check {
            principal: world::principal(ALICE),
            can: Abilities::any_of(can).unwrap(),
            on: world::level(N1),
            as_of: question::as_of(at, newest),
            reading,
        };
        assert!(question::ask(&check, &ledger).is_ok());
        check.ask_at_once(&ledger, Now { at, newest }).is_some()
    };
    let script = || landscape().at(3, None, vec![add(RULES, ALICE)]);
    let ruled = || script().at(4, None, vec![rule(RULES, Some(0))]);
    let (one, two) = (&[ADMINISTRATOR][..], &[ADMINISTRATOR, "role:neo/Neo Dev"][..]);
    assert!(at_once(script(), one, Reading::Assigned));
    assert!(!at_once(script(), two, Reading::Assigned));
    assert!(!at_once(script(), one, Reading::Latent));
    assert!(!at_once(script(), one, Reading::Session(Life::default())));
    assert!(!at_once(ruled(), one, Reading::Assigned));
}

/// One rule follows another without a gap, or with one, and who was added is shown first.
#[test]
fn a_member_by_rules_is_one_since_the_first_without_a_gap() {
    let script = landscape()
        .at(3, None, vec![add(IT, ALICE), rule(RULES, Some(0))])
        .at(5, None, vec![rule(RULES, Some(2))])
        .at(7, None, vec![add(RULES, ALICE)])
        .at(9, None, vec![leave(RULES, ALICE)])
        .at(11, None, vec![rule(RULES, None)])
        .at(13, None, vec![rule(RULES, Some(1))]);
    let by = |position: u64| tenure_core::Position::new(position).unwrap();
    let member = |hours| member_at(script.clone(), hours);
    assert_eq!(member(4), Some((3, JoinedBy::Rule(by(4)))));
    assert_eq!(member(6), Some((3, JoinedBy::Rule(by(5)))));
    assert_eq!(member(8), Some((7, JoinedBy::Entry(by(6)))));
    assert_eq!(member(10), Some((3, JoinedBy::Rule(by(5)))));
    assert_eq!(member(12), None);
    assert_eq!(member(14), Some((13, JoinedBy::Rule(by(9)))));
    settle(script);
}

/// What a rule looks at, and the rule itself, come late, are to come, and turn out not to have been.
#[test]
fn a_rule_and_what_it_looks_at_may_turn_out_otherwise() {
    settle(
        landscape()
            .at(3, Some(8), vec![rule(RULES, Some(8))])
            .at(4, Some(6), vec![add(IT, ALICE)])
            .at(5, Some(9), vec![add(HR, ALICE), add(HR, BOB)])
            .at(10, Some(7), vec![rule(RULES, Some(0))])
            .at(11, None, vec![remove(IT)])
            .at(12, None, vec![void(8)])
            .at(13, Some(12), vec![rule(RULES, None)]),
    );
    settle(
        landscape()
            .at(3, None, vec![rule(RULES, Some(5)), add(HR, ALICE)])
            .at(4, Some(6), vec![remove(RULES)])
            .at(5, None, vec![add(IT, ALICE), add("group:corp/Ops", ALICE)])
            .at(7, None, vec![grant(N1, "role:neo/Developer", RULES)])
            .at(8, Some(7), vec![rule(RULES, Some(1))])
            .at(9, None, vec![remove(ALICE)]),
    );
}

/// A role of the application, then one of its subaccount of that name, then a virtual one gives the permission.
#[test]
fn a_permission_is_given_by_what_its_roles_mean_at_the_moment() {
    let name = "AccountDeveloper";
    settle(
        landscape()
            .at(3, None, vec![permission(A2, "read", &[name, "Everyone"], "/")])
            .at(4, None, vec![custom_role(N1, name), custom_role(A2, name)])
            .at(5, None, vec![grant(A2, "role:own/AccountDeveloper", ALICE)])
            .at(6, None, vec![grant(N1, "role:own/AccountDeveloper", BOB)])
            .at(7, None, vec![grant(N1, "role:neo/Developer", ALICE)])
            .at(8, None, vec![set(N1, 12), permission(A2, "deep", &[name], "/deep")])
            .at(9, None, vec![no_custom_role(A2, name)])
            .at(10, None, vec![no_custom_role(N1, name)])
            .at(11, None, vec![permission(A2, "read", &[], "/")])
            .at(12, Some(10), vec![set(A2, 13)]),
    );
}

/// A role provider comes and goes, and the application goes with its permissions and comes back without.
#[test]
fn an_application_is_decided_elsewhere_for_a_time_and_ends_with_its_permissions() {
    settle(
        landscape()
            .at(3, None, vec![custom_role(A2, "Reader"), grant(A2, "role:own/Reader", ALICE)])
            .at(4, None, vec![permission(A2, "read", &["Reader"], "/a")])
            .at(5, Some(7), vec![set(A2, 14)])
            .at(6, Some(9), vec![set(A2, 15)])
            .at(10, None, vec![delete(A2)])
            .at(11, None, vec![create(A2, Some(N1)), custom_role(A2, "Reader")])
            .at(12, None, vec![void(6)]),
    );
}

/// What is held in Neo is suspended outside, and the other way round.
#[test]
fn an_environment_suspends_what_is_of_the_other_one() {
    settle(
        landscape()
            .at(3, None, vec![custom_role(N1, "Own"), grant(N1, "role:own/Own", ALICE)])
            .at(4, None, vec![rule(RULES, Some(1))])
            .at(5, None, vec![set(N1, 11)])
            .at(6, None, vec![grant(N1, "Admins", BOB), grant(N1, ADMINISTRATOR, BOB)])
            .at(6, None, vec![grant(N1, "Admins", BOB)])
            .at(8, None, vec![set(N1, 10)])
            .at(9, Some(7), vec![revoke(N1, "role:own/Own", ALICE)])
            .at(10, None, vec![void(6)]),
    );
}
