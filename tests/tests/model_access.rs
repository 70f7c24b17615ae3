//! May a submitter make these changes?
//!
//! Each corner is a short log. The ledger and the oracle give the same outcomes, and those are written down here.

use tenure_core::{Access, Change, EffectiveAt, KnownAt, LedgerInMemory, Outcome, Recorded};
use tenure_tests::scenario::Scenario;
use tenure_tests::script::{
    Script, access, create, delete, exhaust, fold, grant, hour, publish, remove, revoke, void,
};
use tenure_tests::world;

const LOCAL: &str = "client:tenure/local";
const ALICE: &str = "user:corp/alice@x";
const BOB: &str = "user:corp/bob@x";
const CI: &str = "client:corp/CI";
const LEDGER: &str = "ledger:world";
const G: &str = "global-account:g";
const S1: &str = "subaccount:s1";
const ADMINISTRATOR: &str = "role:tenure/Administrator";
const SUBMITTER: &str = "role:tenure/Submitter";

/// A landscape in which Alice administers the ledger and CI appends to one subaccount until an hour
fn governed() -> Script {
    let mut until = grant(S1, SUBMITTER, CI);
    if let Change::Grant { until, .. } = &mut until {
        *until = tenure_core::Instant::from_micros(hour(10));
    }
    Script::new()
        .by(LOCAL, 0, None, vec![publish(0)])
        .by(LOCAL, 0, None, vec![create(G, None), create(S1, Some(G))])
        .by(LOCAL, 1, None, vec![until])
        .by(LOCAL, 1, None, vec![grant(LEDGER, ADMINISTRATOR, ALICE), access(Access::Enforced)])
}

fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Applied => "applied".into(),
        Outcome::Refused(refusal) => {
            let change = refusal.change.map(|n| format!(" {n}")).unwrap_or_default();
            format!("{}{change}", refusal.code().as_str())
        }
        Outcome::Duplicate(original) => format!("duplicate of {}", original.position),
    }
}

/// Compares with the oracle, outcomes and answers, and tells the last outcomes
fn last(scenario: &Scenario, count: usize) -> Vec<String> {
    let (folded, oracle) = fold(scenario).unwrap_or_else(|failure| panic!("{failure:?}"));
    for who in [LOCAL, ALICE, BOB, CI].map(world::principal) {
        for s in (0..=scenario.log.len() as u64).map(KnownAt) {
            for t in (0..40).map(|t| EffectiveAt::saturating_from_micros(hour(t))) {
                let expected = oracle.may_append_somewhere(&who, t, s);
                assert_eq!(folded.may_append_somewhere(&who, t, s), expected, "{who} {t:?} {s:?}");
            }
        }
    }
    exhaust(scenario).unwrap_or_else(|failure| panic!("{failure:?}"));
    let mut ledger = LedgerInMemory::new(world::LEDGER);
    let outcomes: Vec<String> = scenario.log.iter().map(|r| told(&ledger.apply(r))).collect();
    outcomes[outcomes.len() - count..].to_vec()
}

#[test]
fn a_right_is_that_of_the_recorded_time_and_of_the_position_before() {
    let admins = || vec![grant(S1, "Admins", BOB)];
    let scenario = governed()
        .by(CI, 5, None, admins())
        .by(CI, 6, None, vec![grant(G, "Admins", BOB)])
        // Its right ends at 10, however early the change takes effect.
        .by(CI, 9, Some(20), admins())
        .by(CI, 11, Some(5), admins())
        // No entry gives a right that it needs itself.
        .by(ALICE, 12, None, vec![revoke(LEDGER, ADMINISTRATOR, ALICE), access(Access::Open)])
        .by(ALICE, 13, None, admins())
        .by(CI, 14, None, admins())
        .scenario();
    let expected =
        ["applied", "forbidden 0", "applied", "forbidden 0", "applied", "applied", "applied"];
    assert_eq!(last(&scenario, 7), expected);
    let scenario = governed()
        .by(ALICE, 2, None, vec![grant(LEDGER, ADMINISTRATOR, BOB)])
        .by(ALICE, 2, None, vec![revoke(LEDGER, ADMINISTRATOR, ALICE)])
        .by(ALICE, 3, Some(1), admins())
        .by(BOB, 3, Some(1), admins())
        .scenario();
    assert_eq!(last(&scenario, 3), ["applied", "forbidden 0", "applied"]);
}

#[test]
fn a_forbidden_entry_does_not_own_its_id() {
    let mut scenario = governed().by(CI, 6, None, vec![grant(G, "Admins", BOB)]).scenario();
    let forbidden = scenario.log.last().unwrap().clone();
    let from =
        |submitter: &str| Recorded { submitter: world::principal(submitter), ..forbidden.clone() };
    scenario.log.extend([from(CI), from(ALICE), from(CI), from(BOB)]);
    let expected = ["forbidden 0", "forbidden 0", "applied", "duplicate of 7", "duplicate of 7"];
    assert_eq!(last(&scenario, 5), expected);
}

#[test]
fn a_submitter_may_void_its_own_entry_while_it_may_make_each_change() {
    let scenario = governed()
        .by(CI, 5, None, vec![grant(S1, "Admins", BOB)])
        .by(ALICE, 5, None, vec![grant(S1, "Admins", ALICE)])
        .by(CI, 6, None, vec![void(6)])
        .by(CI, 6, None, vec![void(5)])
        .by(CI, 6, None, vec![void(8)])
        .by(CI, 6, None, vec![void(99)])
        .by(CI, 7, None, vec![grant(S1, "Admins", BOB)])
        .by(CI, 11, None, vec![void(11)])
        .by(ALICE, 11, None, vec![void(8)])
        .scenario();
    let expected = [
        "forbidden 0",
        "applied",
        "forbidden 0",
        "forbidden 0",
        "applied",
        "forbidden 0",
        "applied",
    ];
    assert_eq!(last(&scenario, 7), expected);
}

#[test]
fn what_ends_rights_asks_for_more() {
    let org = "cf-org:o1";
    let scenario = governed()
        .by(LOCAL, 2, None, vec![grant(G, SUBMITTER, BOB), create(org, Some(S1))])
        .by(BOB, 3, None, vec![delete(org)])
        // CI holds a role of `tenure` at the subaccount until 10.
        .by(BOB, 4, None, vec![delete(S1)])
        .by(BOB, 11, None, vec![delete(S1)])
        .by(LOCAL, 12, None, vec![grant(LEDGER, SUBMITTER, BOB)])
        .by(BOB, 13, None, vec![remove(CI)])
        .by(BOB, 13, None, vec![remove("user:corp/dan@x")])
        .by(ALICE, 13, None, vec![remove(CI)])
        .scenario();
    let expected = [
        "applied",
        "forbidden 0",
        "applied",
        "applied",
        "forbidden 0",
        "unknown_principal 0",
        "applied",
    ];
    assert_eq!(last(&scenario, 7), expected);
}

#[test]
fn a_level_of_the_same_entry_asks_where_its_creation_asked() {
    let (org, space) = ("cf-org:o1", "cf-space:p1");
    let below = || vec![create(org, Some(S1)), create(space, Some(org))];
    let right = |level| vec![grant(level, SUBMITTER, BOB)];
    let scenario = governed()
        .by(CI, 3, None, [below(), right(space)].concat())
        .by(CI, 3, None, below())
        .by(CI, 3, None, vec![create("cf-org:o2", Some("subaccount:s2"))])
        .by(LOCAL, 4, None, vec![grant(S1, ADMINISTRATOR, CI)])
        .by(CI, 5, None, [vec![create("cf-org:o3", Some(S1))], right("cf-org:o3")].concat())
        .by(CI, 5, None, vec![create("global-account:h", None)])
        .scenario();
    let expected = ["forbidden 2", "applied", "forbidden 0", "applied", "applied", "forbidden 0"];
    assert_eq!(last(&scenario, 6), expected);
}

#[test]
fn access_is_enforced_only_where_somebody_who_signs_in_governs() {
    let enforce = || access(Access::Enforced);
    let give = |to| grant(LEDGER, ADMINISTRATOR, to);
    let scenario = Script::new()
        .by(LOCAL, 0, None, vec![enforce()])
        .by(LOCAL, 1, None, vec![give("client:nats/hr"), enforce()])
        .by(LOCAL, 2, None, vec![give(LOCAL), enforce()])
        .by(LOCAL, 3, None, vec![grant(LEDGER, ADMINISTRATOR, "group:corp/Admins")])
        .by(LOCAL, 4, None, vec![give(BOB), revoke(LEDGER, ADMINISTRATOR, BOB), enforce()])
        .by(LOCAL, 5, Some(5), vec![give(CI), enforce()])
        .by(LOCAL, 6, None, vec![enforce(), give(CI)])
        .by(LOCAL, 7, None, vec![give(CI), enforce()])
        // A void of it counts from the next position on.
        .by(BOB, 8, None, vec![create(G, None)])
        .by(CI, 9, None, vec![void(8)])
        .by(BOB, 10, None, vec![create(G, None)])
        .scenario();
    let expected = [
        "not_allowed_here 0",
        "not_allowed_here 1",
        "not_allowed_here 1",
        "not_allowed_here 0",
        "not_allowed_here 2",
        "not_allowed_here 1",
        "not_allowed_here 0",
        "applied",
        "forbidden 0",
        "applied",
        "applied",
    ];
    assert_eq!(last(&scenario, 11), expected);
}
