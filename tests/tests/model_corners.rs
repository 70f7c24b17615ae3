//! Does the ledger say what the oracle says where two clocks cross?
//!
//! Short logs written by hand, asked about exhaustively: at and beside each moment, known at each position.

use tenure_core::answer::{Answer, AskError, DefinedAt, Diff, LandscapeDiff, PowerDiff};
use tenure_core::{
    AsOf, AssignmentFilter, EffectiveAt, Environment, FeatureSet, KnownAt, LedgerInMemory,
    LevelKind, Now, Place, Question,
};
use tenure_tests::script::{
    Script, add, collection, create, delete, exhaust, fold, grant, hour, managing_directory,
    move_to, no_collection, publish, remove, revoke, void,
};
use tenure_tests::world;

const G: &str = "global-account:g";
const D1: &str = "directory:d1";
const D2: &str = "directory:d2";
const S1: &str = "subaccount:s1";
const ALICE: &str = "user:corp/alice@x";
const BOB: &str = "user:corp/bob@x";
const GROUP: &str = "group:corp/Admins";

fn landscape() -> Script {
    let levels = vec![create(G, None), create(S1, Some(G))];
    Script::new().at(1, None, levels).at(1, None, vec![publish(0)])
}

fn settle(script: Script) {
    let scenario = script.scenario();
    if let Err(failure) = exhaust(&scenario) {
        panic!("{failure}\n{scenario:?}");
    }
}

/// Before the first position nothing is known, and the first change may take effect when it is recorded.
#[test]
fn before_the_first_position_there_is_nothing() {
    settle(landscape());
    settle(Script::new().at(1, None, vec![publish(0)]));
}

/// A removal that is to come ends what is granted after it is recorded and before it takes effect.
#[test]
fn a_scheduled_removal_ends_what_is_granted_before_it() {
    let granted = landscape()
        .at(2, None, vec![grant(S1, "Viewers", ALICE)])
        .at(3, Some(9), vec![remove(ALICE)])
        .at(4, None, vec![grant(S1, "Admins", ALICE)])
        .at(5, None, vec![add(GROUP, ALICE), grant(S1, "Auditors", GROUP)]);
    settle(granted);
    let group = landscape()
        .at(2, None, vec![grant(S1, "Admins", GROUP)])
        .at(3, Some(9), vec![remove(GROUP)])
        .at(4, None, vec![add(GROUP, ALICE)])
        .at(10, None, vec![grant(S1, "Admins", GROUP)]);
    settle(group);
}

/// A timeline may begin with a grant that is to come after a deletion that is to come.
#[test]
fn a_scheduled_deletion_ends_what_is_granted_before_it() {
    let level = landscape()
        .at(2, Some(9), vec![delete(S1)])
        .at(3, Some(10), vec![create(S1, Some(G))])
        .at(4, Some(20), vec![grant(S1, "Admins", BOB)])
        .at(5, None, vec![grant(S1, "Admins", ALICE)]);
    settle(level);
    let custom = landscape()
        .at(2, None, vec![collection(S1, "Custom")])
        .at(3, Some(9), vec![no_collection(S1, "Custom")])
        .at(4, Some(10), vec![collection(S1, "Custom")])
        .at(5, Some(20), vec![grant(S1, "Custom", BOB)])
        .at(6, None, vec![grant(S1, "Custom", ALICE)]);
    settle(custom);
}

/// The same with what was to come voided, and counting again.
#[test]
fn what_was_to_come_may_turn_out_otherwise() {
    let removal = landscape()
        .at(2, None, vec![grant(S1, "Viewers", ALICE)])
        .at(3, Some(9), vec![remove(ALICE)])
        .at(4, None, vec![void(4)])
        .at(5, None, vec![grant(S1, "Admins", ALICE)])
        .at(6, None, vec![void(5)])
        .at(7, None, vec![grant(S1, "Auditors", ALICE)]);
    settle(removal);
    let deletion = landscape()
        .at(2, Some(9), vec![delete(S1)])
        .at(3, Some(10), vec![create(S1, Some(G))])
        .at(4, Some(20), vec![grant(S1, "Admins", BOB)])
        .at(5, None, vec![void(3)])
        .at(5, None, vec![grant(S1, "Admins", ALICE)])
        .at(6, None, vec![void(6)])
        .at(7, None, vec![grant(S1, "Admins", GROUP), add(GROUP, BOB)]);
    settle(deletion);
}

/// Removals that take effect when they are recorded, of users and of groups, voided and counting again.
#[test]
fn a_removal_ends_what_is_held_and_who_is_a_member() {
    let removals = landscape()
        .at(2, None, vec![grant(S1, "Admins", ALICE), add(GROUP, ALICE)])
        .at(3, None, vec![grant(S1, "Auditors", GROUP), grant(S1, "Admins", BOB)])
        .at(3, None, vec![add(GROUP, BOB)])
        .at(4, None, vec![remove(ALICE)])
        .at(5, None, vec![grant(S1, "Admins", ALICE)])
        .at(6, None, vec![remove(GROUP)])
        .at(7, None, vec![grant(S1, "Auditors", GROUP)])
        .at(8, None, vec![add(GROUP, ALICE)]);
    settle(removals.clone());
    let removals = removals.at(9, None, vec![void(6)]).at(10, None, vec![void(8)]).at(
        11,
        None,
        vec![void(11)],
    );
    settle(removals);
}

/// Deletions that take effect when they are recorded, and turn out not to have been.
#[test]
fn a_deletion_that_is_voided_ended_nothing() {
    let level = landscape()
        .at(2, None, vec![grant(S1, "Admins", ALICE)])
        .at(3, None, vec![delete(S1)])
        .at(4, None, vec![void(4)])
        .at(5, None, vec![grant(S1, "Admins", BOB)])
        .at(6, None, vec![revoke(S1, "Admins", ALICE)])
        .at(7, None, vec![void(5)]);
    settle(level);
    let custom = landscape()
        .at(2, None, vec![collection(S1, "Custom")])
        .at(3, None, vec![grant(S1, "Custom", ALICE)])
        .at(4, None, vec![no_collection(S1, "Custom")])
        .at(5, None, vec![collection(S1, "Custom"), grant(S1, "Custom", BOB)])
        .at(6, None, vec![void(5)])
        .at(7, None, vec![grant(S1, "Custom", ALICE)]);
    settle(custom);
}

/// Several changes of one holding in one entry, and entries that are refused in the end.
#[test]
fn what_a_refused_entry_took_in_is_taken_back() {
    let unlawful = || grant("subaccount:s3", "Admins", ALICE);
    let script = landscape()
        .at(2, None, vec![grant(S1, "Admins", BOB), grant(S1, "Admins", GROUP)])
        .at(3, None, vec![grant(S1, "Admins", ALICE), add(GROUP, ALICE), unlawful()])
        .at(4, None, vec![grant(S1, "Admins", ALICE), grant(S1, "Admins", ALICE), unlawful()])
        .at(5, None, vec![remove(BOB), remove(GROUP), unlawful()])
        .at(6, None, vec![delete(S1), unlawful()])
        .at(7, None, vec![revoke(S1, "Admins", BOB), grant(S1, "Admins", BOB)])
        .at(8, Some(20), vec![remove(BOB), unlawful()])
        .at(9, Some(1), vec![create("subaccount:s2", Some(G)), unlawful()])
        .at(10, None, vec![grant(S1, "Viewers", BOB)]);
    settle(script);
}

/// Where a question says no moment, it asks about the later of the asker's clock and the last position that it knows.
#[test]
fn what_was_just_recorded_is_in_force_although_the_clock_of_the_asker_is_behind() {
    let script = landscape().at(5, None, vec![grant(S1, "Admins", ALICE)]);
    let (ledger, _) = fold(&script.scenario()).unwrap();
    let moment = |hours| EffectiveAt::saturating_from_micros(hour(hours));
    let assigned = |from: AsOf, clock| {
        let filter = AssignmentFilter::default();
        let now = Now { at: moment(clock), newest: KnownAt(3) };
        let answered = Question::Assignments { filter, as_of: from }.ask(&ledger, now).unwrap();
        let Answer::Assignments(holdings) = answered.answer else { panic!("no assignments") };
        (answered.as_of.at, holdings.len())
    };
    let newest = AsOf::default();
    assert_eq!(assigned(newest, 2), (Some(moment(5)), 1));
    assert_eq!(assigned(newest, 7), (Some(moment(7)), 1));
    // A moment that is said counts, and so does the position that is known.
    assert_eq!(assigned(AsOf { at: Some(moment(2)), ..newest }, 2), (Some(moment(2)), 0));
    assert_eq!(assigned(AsOf { at: None, known_at: KnownAt(2).into() }, 0), (Some(moment(1)), 0));
    assert_eq!(assigned(AsOf { at: None, known_at: KnownAt(0).into() }, 0), (Some(moment(0)), 0));
    // Each side of a difference has its own.
    let before = AsOf { at: None, known_at: KnownAt(2).into() };
    let diff = Question::Diff { from: before, until: newest, under: None, principal: None };
    let answered = diff.ask(&ledger, Now { at: moment(2), newest: KnownAt(3) }).unwrap();
    let Answer::Diff { diff, until } = answered.answer else { panic!("no difference") };
    assert_eq!((answered.as_of.at, until.at), (Some(moment(2)), Some(moment(5))));
    assert_eq!(diff.gained.len(), 1);
}

/// From one hour to another, as known at the end
fn between(ledger: &LedgerInMemory, question: impl Fn(AsOf, AsOf) -> Question) -> Answer {
    let newest = KnownAt(ledger.newest_position().unwrap().get());
    let now = Now { at: EffectiveAt::LAST, newest };
    let as_of = |hours| {
        let at = Some(EffectiveAt::saturating_from_micros(hour(hours)));
        AsOf { at, known_at: newest.into() }
    };
    question(as_of(4), as_of(6)).ask(ledger, now).unwrap().answer
}

fn changed(ledger: &LedgerInMemory, under: Option<&str>) -> Diff {
    let under = under.map(world::level);
    let found = between(ledger, |from, until| {
        let under = under.clone();
        Question::Diff { from, until, under, principal: None }
    });
    let Answer::Diff { diff, .. } = found else { panic!("no difference") };
    diff
}

fn power(ledger: &LedgerInMemory, can: &str, place: &Place) -> PowerDiff {
    let found = between(ledger, |from, until| {
        let (can, place) = (world::ability(can), place.clone());
        Question::PowerDiff { can: can.into(), place, from, until }
    });
    let Answer::PowerDiff { diff, .. } = found else { panic!("no difference") };
    diff
}

fn told(rows: &[tenure_core::answer::Subject<Vec<tenure_core::Level>>]) -> Vec<String> {
    rows.iter().map(|row| format!("{} {:?}", row.principal, row.detail)).collect()
}

/// Nobody is granted or loses anything, and yet a move gives a power and takes one.
#[test]
fn a_move_shows_as_such_and_in_the_difference_of_a_power() {
    let script = landscape()
        .at(2, None, vec![managing_directory(D1, G), managing_directory(D2, G)])
        .at(3, None, vec![move_to(S1, D1), grant(D1, "Admins", ALICE), grant(D2, "Admins", GROUP)])
        .at(3, None, vec![add(GROUP, BOB)])
        .at(5, None, vec![move_to(S1, D2)]);
    settle(script.clone());
    let (ledger, _) = fold(&script.scenario()).unwrap();
    for under in [None, Some(G), Some(D1), Some(D2), Some(S1)] {
        let diff = changed(&ledger, under);
        let LandscapeDiff { moved, .. } = diff.landscape.clone().unwrap();
        let [moved] = moved.as_slice() else { panic!("{diff:?}") };
        let texts = [&moved.level, &moved.from, &moved.until].map(ToString::to_string);
        assert_eq!(texts, [S1, D1, D2]);
        assert_eq!((diff.gained.len(), diff.lost.len(), diff.changed.len()), (0, 0, 0));
    }
    for place in [Place::On(world::level(S1)), Place::Under(world::level(G))] {
        let diff = power(&ledger, "view", &place);
        assert_eq!(told(&diff.gained), [format!("{GROUP} [{S1}]"), format!("{BOB} [{S1}]")]);
        assert_eq!(told(&diff.lost), [format!("{ALICE} [{S1}]")]);
    }
    // What is not there at one of the two is nobody there.
    let diff = power(&ledger, "view", &Place::Under(world::level(D1)));
    assert_eq!((told(&diff.gained), told(&diff.lost).len()), (Vec::new(), 1));
}

/// What a catalogue alone changes is one row for all levels of a kind, but for those where the name is custom.
#[test]
fn a_new_catalogue_is_one_row_for_each_kind_and_feature_set() {
    let script = landscape()
        .at(2, None, vec![create("subaccount:s2", Some(G)), create("subaccount:s3", Some(G))])
        .at(3, None, vec![collection("subaccount:s3", "Ops")])
        .at(5, None, vec![publish(1)]);
    let (ledger, _) = fold(&script.clone().scenario()).unwrap();
    settle(script);
    let rows = changed(&ledger, None).landscape.unwrap().definitions;
    let of = |name: &str| {
        let row = rows.iter().find(|row| {
            let DefinedAt::Catalog { kind, .. } = row.at else { panic!("{row:?}") };
            kind == LevelKind::Subaccount && *row.role_collection == *name
        });
        row.map(|row| row.at.clone())
    };
    let at = |levels| {
        let (kind, feature_set) = (LevelKind::Subaccount, FeatureSet::B);
        let environment = Environment::Multi;
        Some(DefinedAt::Catalog { kind, feature_set, environment, levels })
    };
    assert_eq!(of("Viewers"), at(3), "{rows:?}");
    assert_eq!(of("Ops"), at(2), "{rows:?}");
}

/// An error only where neither coordinate has an answer: of the level before that of the power.
#[test]
fn a_power_is_unknown_only_if_it_is_so_at_both_coordinates() {
    let script = landscape().at(5, None, vec![create("subaccount:s2", Some(G))]);
    let (ledger, _) = fold(&script.scenario()).unwrap();
    let asked = |can: &str, on: &str, hours: [i64; 2]| {
        let [from, until] = hours.map(|hours| AsOf {
            at: Some(EffectiveAt::saturating_from_micros(hour(hours))),
            known_at: KnownAt(3).into(),
        });
        let (can, place) = (world::ability(can), Place::On(world::level(on)));
        let now = Now { at: EffectiveAt::LAST, newest: KnownAt(3) };
        let asked = Question::PowerDiff { can: can.into(), place, from, until }.ask(&ledger, now);
        asked.map(|answered| answered.answer)
    };
    let (s2, never) = ("subaccount:s2", "operation:never");
    assert!(asked("view", s2, [4, 6]).is_ok());
    assert_eq!(asked("view", s2, [3, 4]), Err(AskError::UnknownLevel(world::level(s2))));
    assert_eq!(asked(never, s2, [3, 4]), Err(AskError::UnknownLevel(world::level(s2))));
    let unknown = AskError::UnknownOperation("never".into());
    assert_eq!(asked(never, s2, [4, 6]), Err(unknown.clone()));
    assert_eq!(asked(never, s2, [6, 4]), Err(unknown));
}
