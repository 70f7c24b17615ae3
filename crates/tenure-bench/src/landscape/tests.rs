//! What must a made-up history be like?

use sha2::{Digest, Sha256};
use tenure_core::{LedgerInMemory, Outcome, Principal, Recorded};
use tenure_wire::codec::Encoded;

use super::{Counts, Facts, Intended, LEDGER, Plan, Shape, Shares, Size, USUAL};

fn heavy() -> Shares {
    let share = 15.0;
    Shares { late: share, scheduled: share, expiring: share, voids: share, refused: share }
}

/// The digest of all canonical bytes and times
fn digest(plan: &Plan) -> String {
    let mut digest = Sha256::new();
    for message in plan.messages().unwrap() {
        digest.update(message.recorded_at.micros().to_be_bytes());
        for made in message.entries {
            digest.update(Encoded::new(made.entry).unwrap().bytes());
        }
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn facts(plan: &Plan) -> Facts {
    let mut messages = plan.messages().unwrap();
    messages.by_ref().for_each(drop);
    messages.facts()
}

#[test]
fn the_same_plan_makes_the_same_bytes_and_another_seed_others() {
    let one = Plan::new(Size::L, 5_000, 7);
    assert_eq!(digest(&one), digest(&one));
    assert_ne!(digest(&one), digest(&Plan::new(Size::L, 5_000, 8)));
    // Every figure is about these bytes: a change of the generator belongs in the changelog.
    assert_eq!(digest(&one), "b0609999511f9aa8b075ee436e650a04374d73269bc099f6a37ae1996869f248");
}

/// Folds the history, and fails where the fold decides otherwise than intended
fn fold(plan: &Plan) {
    let mut ledger = LedgerInMemory::new(LEDGER);
    let mut newest = None;
    for message in plan.messages().unwrap() {
        let recorded_at = message.recorded_at;
        assert!(newest.is_none_or(|newest| newest <= recorded_at), "time went back");
        newest = Some(recorded_at);
        for made in message.entries {
            let submission = Encoded::new(made.entry.clone()).unwrap().into_submission();
            let submitter = Principal::local();
            let outcome = ledger.apply(&Recorded { recorded_at, submitter, submission });
            let is = match &outcome {
                Outcome::Applied => Intended::Applied,
                Outcome::Refused(_) => Intended::Refused,
                Outcome::Duplicate(_) => Intended::Duplicate,
            };
            assert_eq!(is, made.intended, "{plan:?}: {:?}: {outcome:?}", made.entry);
        }
    }
}

#[test]
fn the_fold_decides_what_is_intended() {
    for size in [Size::S, Size::M, Size::L, Size::Zone, Size::Steady] {
        let changes = if size == Size::S { 5_000 } else { 20_000 };
        fold(&Plan::new(size, changes, 1));
        fold(&Plan { shares: heavy(), ..Plan::new(size, changes, 2) });
    }
}

#[test]
fn shares_come_out_as_asked_and_the_length_too() {
    for shares in [USUAL, heavy()] {
        let plan = Plan { shares, ..Plan::new(Size::Steady, 200_000, 3) };
        let counts: Counts = facts(&plan).counts;
        assert!((200_000..200_300).contains(&counts.changes), "{counts:?}");
        let average = counts.changes as f64 / counts.entries as f64;
        assert!((1.4..2.6).contains(&average), "{average} changes an entry");
        for (part, whole, share) in [
            (counts.late, counts.entries, shares.late),
            (counts.scheduled, counts.entries, shares.scheduled),
            (counts.voids, counts.entries, shares.voids),
            (counts.refused_or_duplicate, counts.entries, shares.refused),
            (counts.expiring, counts.grants, shares.expiring),
        ] {
            let (is, wanted) = (part as f64 / whole as f64, share / 100.0);
            assert!((is - wanted).abs() < wanted * 0.15 + 0.000_5, "{is} instead of {wanted}");
        }
    }
}

#[test]
fn every_size_remembers_what_can_be_asked_about() {
    for size in [Size::S, Size::M, Size::L, Size::Zone, Size::Steady] {
        let facts = facts(&Plan::new(size, 20_000, 5));
        assert!(!facts.crowded.is_empty() && !facts.grants.is_empty(), "{size:?}");
        assert!(!facts.subaccounts.is_empty() && facts.names.0 > 50, "{size:?}");
    }
}

#[test]
fn l_grows_with_its_changes_and_m_does_not() {
    let subaccounts = |size, changes| Shape::new(size, changes).subaccounts;
    let l = [1_000, 10_000, 550_000, 10_000_000, 100_000_000].map(|n| subaccounts(Size::L, n));
    assert_eq!(l, [50, 50, 210, 1_000, 3_000]);
    assert_eq!(subaccounts(Size::M, 10_000), subaccounts(Size::M, 10_000_000));
}
