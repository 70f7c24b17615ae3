//! What must a made-up history be like?

use sha2::{Digest, Sha256};
use tenure_core::{LedgerInMemory, Outcome, Recorded};
use tenure_wire::codec::Encoded;

use super::{Counts, Intended, Messages, Plan, Shape, Share, Shares, Size};

fn plan(size: Size, changes: u64, seed: u64) -> Plan {
    Plan::new(Shape::new(size, changes).unwrap(), seed)
}

fn heavy() -> Shares {
    let share = Share::millionths(150_000);
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

fn spent(plan: &Plan) -> Messages {
    let mut messages = plan.messages().unwrap();
    messages.by_ref().for_each(drop);
    messages
}

/// Folds the history, and fails where an outcome is not the one intended
fn fold_as_intended(plan: &Plan) -> LedgerInMemory {
    let mut ledger = LedgerInMemory::new();
    let mut newest = None;
    for message in plan.messages().unwrap() {
        assert!(!message.entries.is_empty());
        assert!(newest.is_none_or(|newest| newest <= message.recorded_at), "time went back");
        newest = Some(message.recorded_at);
        for made in message.entries {
            let encoded = Encoded::new(made.entry.clone()).unwrap();
            let submission = encoded.into_submission();
            let outcome = ledger.apply(&Recorded { recorded_at: message.recorded_at, submission });
            let fits = match (&outcome, made.intended) {
                (Outcome::Applied, Intended::Applied) => true,
                (Outcome::Duplicate(_), Intended::Duplicate) => true,
                (Outcome::Refused(why), Intended::Refused(code)) => why.code() == code,
                _ => false,
            };
            assert!(
                fits,
                "{plan:?}: {:?} was to be {:?} and is {outcome:?}",
                made.entry, made.intended
            );
        }
    }
    ledger
}

#[test]
fn the_same_plan_makes_the_same_bytes_and_another_seed_others() {
    let one = plan(Size::L, 5_000, 7);
    assert_eq!(digest(&one), digest(&one));
    assert_ne!(digest(&one), digest(&plan(Size::L, 5_000, 8)));
    // A change of the generator changes what every figure is about: say so in the changelog.
    assert_eq!(digest(&one), "b44fad327394b1e9d33526886c0cbc24649ccf2c393c5b41b338a6d56c5d8b9d");
}

#[test]
fn every_outcome_is_the_one_intended() {
    for (size, changes) in [
        (Size::S, 5_000),
        (Size::M, 15_000),
        (Size::L, 30_000),
        (Size::Zone, 20_000),
        (Size::Steady, 20_000),
    ] {
        fold_as_intended(&plan(size, changes, 1));
        fold_as_intended(&Plan { shares: heavy(), ..plan(size, changes, 2) });
    }
}

#[track_caller]
fn near(part: u64, whole: u64, share: Share) {
    let (is, wanted) = (part as f64 / whole as f64, share.fraction());
    let slack = wanted * 0.15 + 0.000_5;
    assert!((is - wanted).abs() < slack, "{is} instead of {wanted}");
}

#[test]
fn shares_come_out_as_asked() {
    for shares in [Shares::default(), heavy()] {
        let counts: Counts = *spent(&Plan { shares, ..plan(Size::Steady, 200_000, 3) }).counts();
        near(counts.late, counts.entries, shares.late);
        near(counts.scheduled, counts.entries, shares.scheduled);
        near(counts.voids, counts.entries, shares.voids);
        near(counts.refused + counts.duplicates, counts.entries, shares.refused);
        near(counts.expiring, counts.grants, shares.expiring);
    }
}

#[test]
fn a_history_is_as_long_as_asked_and_has_of_everything() {
    for size in Size::ALL {
        // M is not filled before.
        let changes = if size == Size::M { 300_000 } else { 50_000 };
        let messages = spent(&plan(size, changes, 4));
        let counts = messages.counts();
        assert!((changes..changes + 300).contains(&counts.changes), "{counts:?}");
        let average = counts.changes as f64 / counts.entries as f64;
        assert!((1.4..2.6).contains(&average), "{size}: {average} changes an entry");
        assert!(counts.messages < counts.entries);
        for some in [counts.grants, counts.revokes, counts.memberships, counts.definitions] {
            assert!(some > 300, "{size}: {counts:?}");
        }
        assert!(counts.removals > 0 || size == Size::S, "{size}: {counts:?}");
    }
}

#[test]
fn what_is_remembered_can_be_asked_about() {
    let facts = spent(&plan(Size::L, 100_000, 5)).facts();
    assert!(facts.crowded.len() >= 7, "{:?}", facts.crowded);
    assert!(facts.subaccounts.len() > 50 && facts.directories.len() > 2);
    assert!(facts.crowded_grants.len() > 1_000 && facts.grants.len() > 1_000);
    for size in Size::ALL {
        let facts = spent(&plan(size, 20_000, 5)).facts();
        assert!(!facts.crowded.is_empty() && !facts.crowded_grants.is_empty(), "{size}");
    }
}
