//! How long does `who` on one level take at so many changes?
//!
//! `cargo run --release -p tenure-core --example ask [changes]`
#![expect(clippy::print_stdout, reason = "it prints what it measures")]
#![expect(clippy::disallowed_methods, reason = "it measures; the core does not")]

use std::sync::Arc;
use std::time::Instant as Clock;

use tenure_core::ability::Ability;
use tenure_core::change::{Change, Entry, EntryId, RevokeExpects};
use tenure_core::grantable::GrantableText;
use tenure_core::instant::{EffectiveAt, Instant, RecordedAt};
use tenure_core::known::KnownAt;
use tenure_core::ledger::{Ledger, LedgerInMemory};
use tenure_core::level::{Attributes, Level};
use tenure_core::outcome::{Fingerprint, Outcome, Recorded, Submission};
use tenure_core::principal::Principal;
use uuid::Uuid;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let changes: u64 = std::env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    let level = Level::parse("subaccount:prod")?;
    let account = Level::parse("global-account:acme")?;
    let actor = Principal::parse("user:sap.default/admin@acme.example")?;
    let name: Arc<str> = "On Call".into();
    let mut ledger = LedgerInMemory::new();
    let mut apply = |change: Change| -> Result<(), Failure> {
        let n = ledger.next_position().get();
        let entry =
            Entry::new(EntryId(Uuid::from_u128(n.into())), actor.clone(), None, None, vec![change])
                .map_err(|(_, error)| error)?;
        let micros = 1_700_000_000_000_000 + i64::try_from(n)? * 1_000_000;
        let recorded = Recorded {
            recorded_at: RecordedAt::saturating_from_micros(micros),
            submission: Submission::Entry(entry, Fingerprint([0; 32])),
        };
        match ledger.apply(&recorded) {
            Outcome::Applied => Ok(()),
            other => Err(format!("{other:?}").into()),
        }
    };
    apply(Change::CreateLevel {
        level: account.clone(),
        parent: None,
        attributes: Attributes::default(),
    })?;
    let parent = Some(account);
    apply(Change::CreateLevel { level: level.clone(), parent, attributes: Attributes::default() })?;
    let role_collection = Arc::clone(&name);
    let (roles, description) = (Vec::new(), None);
    apply(Change::CreateRoleCollection {
        level: level.clone(),
        role_collection,
        roles,
        description,
    })?;
    let grantable = GrantableText::RoleCollection(Arc::clone(&name));
    let began = Clock::now();
    // A thousand people take turns; about a hundred hold it at a time.
    for n in 0..changes {
        let person = |n: u64| Principal::parse(&format!("user:corp/p{}@acme.example", n % 1_000));
        let (level, grantable) = (level.clone(), grantable.clone());
        apply(if n % 2 == 0 {
            let to = person(n / 2)?;
            Change::Grant { level, grantable, to, until: None, expect: None }
        } else {
            let from = person((n / 2).wrapping_sub(100))?;
            Change::Revoke { level, grantable, from, expect: Some(RevokeExpects::Any) }
        })?;
    }
    let folded = began.elapsed();
    println!(
        "fold: {changes} changes in {folded:.2?}, {:.0} changes/s",
        changes as f64 / folded.as_secs_f64()
    );
    let ability = Ability::RoleCollection(name);
    let newest = ledger.newest_position().map_or(0, tenure_core::outcome::Position::get);
    for (what, at, known_at) in [
        ("now", EffectiveAt::LAST, newest),
        ("half way", EffectiveAt::try_from(half(&ledger, newest)?)?, newest),
        ("half way, as known then", EffectiveAt::try_from(half(&ledger, newest)?)?, newest / 2),
    ] {
        let mut times: Vec<f64> = Vec::new();
        let mut found = 0;
        for _ in 0..101 {
            let began = Clock::now();
            let who = ledger.view(KnownAt(known_at)).who(&ability, &level, at, false)?;
            times.push(began.elapsed().as_secs_f64() * 1_000.0);
            found = who.subjects.len();
        }
        times.sort_by(f64::total_cmp);
        let at = |share: usize| times.get(share).copied().unwrap_or_default();
        println!("who, {what}: {found} subjects, p50 {:.3} ms, p99 {:.3} ms", at(50), at(99));
    }
    Ok(())
}

fn half(ledger: &Ledger, newest: u64) -> Result<Instant, Failure> {
    let middle = tenure_core::outcome::Position::new(newest / 2).ok_or("nothing is there")?;
    Ok(ledger.recorded_at(middle).ok_or("nothing is there")?.instant())
}
