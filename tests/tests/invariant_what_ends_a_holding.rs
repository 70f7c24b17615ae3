//! Does a holding end at the five things that end it, and at nothing else?
//!
//! INVARIANT (what ends a holding), told in `tenure-core/src/history/holding.rs`: `until`, a revoke, the removal of
//! its principal, the deletion of its custom role or role collection, the deletion of its level or of an ancestor.
//! Timelines, the landscape and the folding of a single holding each rely on that list. Here every one of the five
//! happens on time, late, scheduled and voided, and all answers are compared with the naive oracle, at and
//! beside each moment, as known at each position.

use tenure_core::answer::Answer;
use tenure_core::{
    Ability, Change, EffectiveAt, Instant, KnownAt, LedgerInMemory, Question, Reading,
};
use tenure_tests::script::{
    Script, add, collection, create, delete, exhaust, fold, grant, hour, no_collection, publish,
    remove, revoke, void,
};
use tenure_tests::{question, world};

const ROOT: &str = "global-account:g";
const LEVEL: &str = "subaccount:s1";
const GROUP: &str = "group:corp/holders";
/// Holds by itself
const ALICE: &str = "user:corp/alice@x";
/// Holds through the group
const BERT: &str = "user:corp/bert@x";
/// Holds by itself, and only some of the five end that
const OTHER: &str = "user:corp/other@x";
const MINE: &str = "Mine";

/// The five, and whether the other holding of the timeline ends as well
#[derive(Clone, Copy, Debug)]
enum End {
    Until,
    Revoke,
    RemovePrincipal,
    DeleteRoleCollection,
    DeleteLevel,
    DeleteAncestor,
}

const ENDS: [(End, bool); 6] = [
    (End::Until, false),
    (End::Revoke, false),
    (End::RemovePrincipal, false),
    (End::DeleteRoleCollection, true),
    (End::DeleteLevel, true),
    (End::DeleteAncestor, true),
];

/// When the end takes effect, seen from when it is recorded
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Timing {
    OnTime,
    Late,
    Scheduled,
    Voided,
}

const TIMINGS: [Timing; 4] = [Timing::OnTime, Timing::Late, Timing::Scheduled, Timing::Voided];

/// The hour at which the end takes effect
const END: i64 = 8;

fn until(change: Change, hours: i64) -> Change {
    match change {
        Change::Grant { level, grantable, to, expect, .. } => {
            let until = Some(Instant::from_micros(hour(hours)).unwrap());
            Change::Grant { level, grantable, to, until, expect }
        }
        other => other,
    }
}

/// A user and a group hold a custom role collection; then what the user has ends, and all is granted again
fn script(end: End, timing: Timing) -> Script {
    let changes = match end {
        // A grant to whom it runs already gives new terms.
        End::Until => {
            vec![until(grant(LEVEL, MINE, ALICE), END), until(grant(LEVEL, MINE, GROUP), END)]
        }
        End::Revoke => vec![revoke(LEVEL, MINE, ALICE), revoke(LEVEL, MINE, GROUP)],
        End::RemovePrincipal => vec![remove(ALICE), remove(GROUP)],
        End::DeleteRoleCollection => vec![no_collection(LEVEL, MINE)],
        End::DeleteLevel => vec![delete(LEVEL)],
        End::DeleteAncestor => vec![delete(ROOT)],
    };
    // An `until` takes effect at END by itself; the grant that says it is recorded and takes effect before.
    let effective = if let End::Until = end { 5 } else { END };
    let (recorded, stated) = match timing {
        Timing::OnTime | Timing::Voided => (effective, None),
        Timing::Late => (effective + 3, Some(effective)),
        Timing::Scheduled => (effective - 1, Some(effective)),
    };
    let mut script = Script::new()
        .at(0, None, vec![create(ROOT, None), create(LEVEL, Some(ROOT))])
        .at(0, None, vec![publish(0)])
        .at(1, None, vec![collection(LEVEL, MINE)])
        .at(2, None, vec![grant(LEVEL, MINE, ALICE), grant(LEVEL, MINE, OTHER)])
        .at(3, None, vec![grant(LEVEL, MINE, GROUP), add(GROUP, BERT)])
        .at(recorded, stated, changes);
    if timing == Timing::Voided {
        script = script.at(recorded + 4, None, vec![void(6)]);
    }
    // The same names come again. What ended does not come back with them.
    let again = vec![create(ROOT, None), create(LEVEL, Some(ROOT)), collection(LEVEL, MINE)];
    for change in again {
        script = script.at(20, None, vec![change]);
    }
    script
}

fn could(ledger: &LedgerInMemory, principal: &str, hours: i64, entries: u64) -> bool {
    let check = Question::Check {
        principal: world::principal(principal),
        can: Ability::RoleCollection(MINE.into()).into(),
        on: world::level(LEVEL),
        as_of: question::as_of(EffectiveAt::saturating_from_micros(hour(hours)), KnownAt(entries)),
        reading: Reading::Assigned,
    };
    match question::ask(&check, ledger).map(|answered| answered.answer) {
        Ok(Answer::Check(check)) => check.allowed,
        _ => false,
    }
}

#[test]
fn invariant_what_ends_a_holding() {
    for (end, ends_others) in ENDS {
        for timing in TIMINGS {
            let scenario = script(end, timing).scenario();
            exhaust(&scenario).unwrap_or_else(|error| panic!("{end:?} {timing:?}: {error}"));
            let (ledger, _) = fold(&scenario).unwrap();
            let newest = scenario.log.len() as u64;
            let stays = timing == Timing::Voided;
            for (principal, after) in
                [(ALICE, stays), (BERT, stays), (OTHER, stays || !ends_others)]
            {
                let context = format!("{principal}, {end:?} {timing:?}");
                assert!(could(&ledger, principal, END - 1, newest), "before the end: {context}");
                assert_eq!(could(&ledger, principal, END, newest), after, "at the end: {context}");
                assert_eq!(could(&ledger, principal, 30, newest), after, "for good: {context}");
                // Before the end was recorded nobody knew of it.
                assert!(could(&ledger, principal, END, 5), "as known before: {context}");
            }
        }
    }
}
