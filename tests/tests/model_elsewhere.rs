//! What is said where something else than the platform decides?
//!
//! Short logs written by hand about one application, asked about exhaustively or for one corner.

use tenure_core::answer::{Answer, AskError};
use tenure_core::{Abilities, Attributes, Change, EffectiveAt, KnownAt, Place, Question};
use tenure_tests::script::{Script, ask, create, exhaust, fold, grant, hour, publish};
use tenure_tests::{question, world};

const A1: &str = "application:a1";
const ALICE: &str = "user:corp/alice@x";

/// An application in the multi-environment, which has a role and no operation
fn landscape() -> Script {
    let levels = vec![
        create("global-account:g", None),
        create("subaccount:s1", Some("global-account:g")),
        create(A1, Some("subaccount:s1")),
    ];
    Script::new().at(1, None, levels).at(1, None, vec![publish(0)]).at(
        2,
        None,
        vec![grant(A1, "role:neo/Neo Dev", ALICE)],
    )
}

fn provider(name: &str) -> Vec<Change> {
    let attributes = Attributes { role_provider: Some(name.into()), ..Attributes::default() };
    vec![Change::SetLevel { level: world::level(A1), attributes }]
}

/// A role provider decides on no power of the ledger's own, also where it is asked about with others
#[test]
fn what_is_the_ledgers_own_is_compared_under_a_level_beside_what_is_decided_elsewhere() {
    let submitter = vec![grant(A1, "role:tenure/Submitter", ALICE)];
    let script = landscape().at(5, None, provider("other")).at(7, None, submitter);
    let scenario = script.scenario();
    let (ledger, oracle) = fold(&scenario).unwrap_or_else(|failure| panic!("{failure}"));
    let known_at = KnownAt(scenario.log.len() as u64);
    let [from, until] = [6, 8]
        .map(|hours| question::as_of(EffectiveAt::saturating_from_micros(hour(hours)), known_at));
    let own = world::ability("ledger.append");
    let all = Abilities::any_of(vec![own.clone(), world::ability("role:Neo Dev")]).unwrap();
    for can in [Abilities::from(own), all] {
        let place = Place::Under(world::level("global-account:g"));
        let asked = Question::PowerDiff { can, place, from, until };
        ask(&asked, &ledger, &oracle).unwrap_or_else(|failure| panic!("{failure}"));
        match question::ask(&asked, &ledger).unwrap().answer {
            Answer::PowerDiff { diff, .. } => assert_eq!(diff.gained.len(), 1, "{diff:?}"),
            other => panic!("{other:?}"),
        }
    }
}

/// Over the hours, what the ledger says as the oracle does
fn timeline(script: Script, can: &str, hours: [i64; 2]) -> Result<usize, AskError> {
    let scenario = script.scenario();
    exhaust(&scenario).unwrap_or_else(|failure| panic!("{failure}"));
    let (ledger, oracle) = fold(&scenario).unwrap_or_else(|failure| panic!("{failure}"));
    let [from, until] = hours.map(|hours| EffectiveAt::saturating_from_micros(hour(hours)));
    let question = Question::Timeline {
        principal: world::principal(ALICE),
        can: Abilities::from(world::ability(can)),
        on: world::level(A1),
        from,
        until: Some(until),
        known_at: KnownAt(scenario.log.len() as u64).into(),
    };
    ask(&question, &ledger, &oracle).unwrap_or_else(|failure| panic!("{failure}"));
    match question::ask(&question, &ledger)?.answer {
        Answer::Timeline(intervals) => Ok(intervals.len()),
        other => panic!("{other:?}"),
    }
}

/// A role is not decided on by the ledger for a time. An operation counts as there for that time, if it ever was.
#[test]
fn what_is_decided_elsewhere_for_a_time_is_passed_over_for_that_time() {
    let script = || landscape().at(5, None, provider("other")).at(8, None, provider("platform"));
    assert_eq!(timeline(script(), "role:Neo Dev", [3, 9]), Ok(2));
    assert_eq!(timeline(script(), "role:Neo Dev", [4, 6]), Ok(1));
    let elsewhere = Err(AskError::DecidedElsewhere(world::level(A1)));
    assert_eq!(timeline(script(), "role:Neo Dev", [5, 8]), elsewhere);
    // In the multi-environment the catalogue asks nothing for it there.
    assert_eq!(timeline(script(), "deputise", [3, 9]), Ok(0));
    assert_eq!(timeline(script(), "deputise", [6, 7]), elsewhere);
    let unknown = |name: &str| Err(AskError::UnknownOperation(name.into()));
    assert_eq!(timeline(script(), "deputise", [3, 5]), unknown("deputise"));
    assert_eq!(timeline(script(), "operation:never", [3, 9]), unknown("never"));
    assert_eq!(timeline(script(), "ledger.append", [3, 9]), Ok(0));
    // No role provider decides on what the ledger's own roles are.
    let unknown = Err(AskError::UnknownRole("tenure/Never".into()));
    assert_eq!(timeline(script(), "role:tenure/Never", [6, 7]), unknown);
}
