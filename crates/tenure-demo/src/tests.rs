//! Does every entry of the history get its intended outcome?

mod questions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use tenure_core::{
    EffectiveAt, Instant, KnownAt, LedgerInMemory, LevelKind, Outcome, Principal, Recorded,
    RefusalCode, View,
};
use tenure_wire::Names;
use tenure_wire::catalogs::GENESIS_ACTOR;
use tenure_wire::codec::Encoded;
use tenure_wire::v1;
use uuid::Uuid;

use crate::desk::Intended;
use crate::{company, demo};

/// An entry, its intended outcome and its outcome
type Row = (v1::Entry, Intended, Outcome);

/// The folded history
static FOLDED: LazyLock<(LedgerInMemory, Vec<Row>)> = LazyLock::new(|| {
    let mut ledger = LedgerInMemory::new("demo");
    let mut rows = Vec::new();
    for message in company::history("demo").unwrap() {
        for (entry, intended) in message.entries {
            let core = entry.to_core(Names::Full).unwrap();
            assert_eq!(v1::Entry::from_core(&core), entry, "every filed entry is canonical");
            let submission = Encoded::new(core).unwrap().into_submission();
            let (recorded_at, submitter) = (message.recorded_at, Principal::local());
            let outcome = ledger.apply(&Recorded { recorded_at, submitter, submission });
            rows.push((entry, intended, outcome));
        }
    }
    (ledger, rows)
});

fn rows() -> &'static [Row] {
    &FOLDED.1
}

fn instant(text: &str) -> Instant {
    Instant::parse_or_date(text).unwrap()
}

fn at(text: &str) -> EffectiveAt {
    EffectiveAt::try_from(instant(text)).unwrap()
}

fn view() -> View<'static> {
    let ledger = &FOLDED.0;
    View::of(ledger, KnownAt::from(ledger.newest_position().unwrap()))
}

#[test]
fn every_entry_has_its_intended_outcome() {
    for (n, (entry, intended, outcome)) in rows().iter().enumerate() {
        let became = match outcome {
            Outcome::Applied => Intended::Applied,
            Outcome::Refused(refusal) => Intended::Refused(refusal.code()),
            Outcome::Duplicate(_) => Intended::Duplicate,
        };
        assert_eq!(became, *intended, "#{} {entry:?}: {outcome:?}", n + 1);
    }
}

#[test]
fn every_refusal_of_a_well_formed_entry_occurs() {
    let refused: BTreeSet<RefusalCode> = rows()
        .iter()
        .filter_map(|(_, intended, _)| match intended {
            Intended::Refused(code) => Some(*code),
            Intended::Applied | Intended::Duplicate => None,
        })
        .collect();
    // Whoever can open the folder may everything.
    let never = [RefusalCode::Malformed, RefusalCode::Forbidden];
    let all = RefusalCode::ALL.into_iter().filter(|code| !never.contains(code));
    assert_eq!(refused, all.collect());
}

#[test]
fn the_sizes_are_believable() {
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut people: BTreeSet<&str> = BTreeSet::new();
    for (entry, _, outcome) in rows() {
        *outcomes.entry(outcome.kind().as_str()).or_default() += 1;
        for change in &entry.changes {
            match change {
                v1::Change::Grant { to, .. } if to.starts_with("user:") => {
                    people.insert(to);
                }
                v1::Change::AddMember { member, .. } => {
                    people.insert(member);
                }
                _ => {}
            }
        }
    }
    let levels = view().levels(at("2025-06-30"));
    let of_kind = |kind| levels.iter().filter(|then| then.level.kind() == kind).count();
    assert!((150..=250).contains(&people.len()), "{}", people.len());
    assert_eq!(of_kind(LevelKind::Subaccount), 33);
    assert_eq!(of_kind(LevelKind::Directory), 4);
    assert_eq!(of_kind(LevelKind::CfSpace), 31);
    assert_eq!(of_kind(LevelKind::ServiceInstance), 17);
    assert!((2_500..=6_000).contains(&outcomes["applied"]), "{outcomes:?}");
    assert!((30..=150).contains(&outcomes["refused"]), "{outcomes:?}");
    assert!((5..=50).contains(&outcomes["duplicate"]), "{outcomes:?}");
}

#[test]
fn it_is_the_same_history_every_time_and_another_ledger_has_other_ids() {
    let first = demo("demo").unwrap();
    assert_eq!(first, demo("demo").unwrap());
    let ids = |ledger| -> BTreeSet<String> {
        let dispatches = demo(ledger).unwrap().into_iter();
        dispatches.flat_map(|dispatch| dispatch.entries).map(|entry| entry.id).collect()
    };
    assert!(ids("demo").is_disjoint(&ids("other")));
    // A digest of all entries that people file: it may only change on purpose.
    let mut filed: Vec<u8> = Vec::new();
    for dispatch in &first {
        let of_people = dispatch.entries.iter().filter(|entry| entry.actor != GENESIS_ACTOR);
        for entry in of_people {
            filed.extend(dispatch.recorded_at.to_string().bytes());
            filed.extend(Encoded::new(entry.to_core(Names::Full).unwrap()).unwrap().bytes());
        }
    }
    let digest = Uuid::new_v5(&Uuid::nil(), &filed);
    assert_eq!(digest.to_string(), "4efc2312-baa6-55d5-9df0-6864eb5e81f0");
}

#[test]
fn times_do_not_go_back_and_no_message_is_empty_or_large() {
    let dispatches = demo("demo").unwrap();
    assert!(dispatches.windows(2).all(|pair| pair[0].recorded_at < pair[1].recorded_at
        || pair[0].recorded_at == pair[1].recorded_at
            && pair[0].entries[0].actor == GENESIS_ACTOR));
    for dispatch in &dispatches {
        let bytes: usize = dispatch
            .entries
            .iter()
            .map(|entry| Encoded::new(entry.to_core(Names::Full).unwrap()).unwrap().bytes().len())
            .sum();
        assert!((1..=256 * 1_024).contains(&bytes), "{bytes} at {}", dispatch.recorded_at);
    }
    let span =
        [&dispatches[0], &dispatches[dispatches.len() - 1]].map(|d| d.recorded_at.to_string());
    assert_eq!(span, ["2023-07-01T00:00:00Z", "2026-07-07T00:00:00Z"]);
}

#[test]
fn the_catalogues_are_those_that_a_server_would_append() {
    let of_ledger = tenure_wire::catalogs::genesis("demo").unwrap();
    let published: Vec<Encoded> = demo("demo")
        .unwrap()
        .into_iter()
        .flat_map(|dispatch| dispatch.entries)
        .filter(|entry| entry.actor == GENESIS_ACTOR)
        .map(|entry| Encoded::new(entry.to_core(Names::Full).unwrap()).unwrap())
        .collect();
    let ids = |all: &[Encoded]| -> Vec<_> {
        all.iter().map(|e| (e.entry().id(), e.fingerprint())).collect()
    };
    assert_eq!(ids(&published), ids(&of_ledger));
}
