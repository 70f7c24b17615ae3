//! Do readers slow a writer down, or a writer its readers?
//!
//! `cargo run --release -p tenure-tests --example beside [entries] [readers]`
//!
//! Takes entries in at full speed, showing a snapshot after every batch as the engine does, alone and with
//! readers; asks the same seeded questions of a snapshot, alone and beside a writer. Prints all four and
//! their ratios, from one run. On a machine with fewer processors than threads, or one that does other work,
//! the ratios tell how they share them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use uuid::Uuid;

use tenure_core::{
    Ability, Change, EffectiveAt, Entry, EntryId, Fingerprint, KnownAt, Ledger, LedgerInMemory,
    Reading, Recorded, RecordedAt, RevokeExpects, Snapshot, Submission, View,
};
use tenure_tests::script::{create, publish};
use tenure_tests::world;

/// Entries between two snapshots
const BATCH: usize = 64;
const SUBACCOUNTS: u64 = 400;
const USERS: u64 = 8_000;
const QUESTIONS: usize = 4_000;

/// The next number of a seed, well mixed
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*seed ^ (*seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn recorded(number: u64, changes: Vec<Change>) -> Recorded {
    let id = EntryId(Uuid::from_u128(u128::from(number)));
    let actor = world::principal("user:corp/actor@x");
    let mut fingerprint = [0; 32];
    fingerprint[..8].copy_from_slice(&number.to_be_bytes());
    let entry = Entry::new(id, actor, None, None, changes).unwrap();
    Recorded {
        recorded_at: RecordedAt::saturating_from_micros(number as i64 * 1_000_000),
        submitter: world::principal("client:tenure/local"),
        submission: Submission::Entry(entry, Fingerprint(fingerprint)),
    }
}

fn subaccount(number: u64) -> String {
    format!("subaccount:n{number}")
}

fn log(entries: usize) -> Vec<Recorded> {
    let g = "global-account:g";
    let mut log = vec![recorded(1, vec![create(g, None)]), recorded(2, vec![publish(0)])];
    for n in 0..SUBACCOUNTS {
        log.push(recorded(log.len() as u64 + 1, vec![create(&subaccount(n), Some(g))]));
    }
    let mut seed = 7;
    while log.len() < entries {
        let level = world::level(&subaccount(next(&mut seed) % SUBACCOUNTS));
        let grantable = world::grantable(["Admins", "Viewers"][next(&mut seed) as usize % 2]);
        let who = world::principal(&format!("user:corp/u{}@x", next(&mut seed) % USERS));
        let change = if next(&mut seed).is_multiple_of(3) {
            Change::Revoke { level, grantable, from: who, expect: Some(RevokeExpects::Any) }
        } else {
            Change::Grant { level, grantable, to: who, until: None, expect: None }
        };
        log.push(recorded(log.len() as u64 + 1, vec![change]));
    }
    log
}

/// Asks one seeded question of what is known
fn question(snapshot: &Snapshot, seed: &mut u64) -> usize {
    let newest = snapshot.newest_position().map_or(0, |position| position.get());
    let s = KnownAt(newest - next(seed) % (newest / 2 + 1));
    let t = next(seed) % (newest + 1) * 1_000_000;
    let t = EffectiveAt::saturating_from_micros(t as i64);
    let on = world::level(&subaccount(next(seed) % SUBACCOUNTS));
    let view = View::of(snapshot, s);
    if next(seed).is_multiple_of(2) {
        let can = Ability::RoleCollection("Admins".into()).into();
        let found = view.who(&can, &on, (t, Reading::Assigned), None);
        found.map_or(0, |who| who.subjects.len())
    } else {
        let p = world::principal(&format!("user:corp/u{}@x", next(seed) % USERS));
        view.check(&p, &world::ability("manage").into(), &on, (t, Reading::Assigned))
            .map_or(0, |check| check.because.len())
    }
}

/// Asks until there is nothing more to ask, or the writer is done; how long each took
fn asked(shown: &ArcSwap<Snapshot>, seed: u64, more: impl Fn(usize) -> bool) -> Vec<Duration> {
    let mut seed = seed;
    let mut found = 0;
    let mut took = Vec::new();
    while more(took.len()) {
        let start = Instant::now();
        found += question(&shown.load_full(), &mut seed);
        took.push(start.elapsed());
    }
    assert!(found > 0, "questions with empty answers measure nothing");
    took
}

/// Takes the rest of the log in; entries per second
fn write(ledger: &mut LedgerInMemory, log: &[Recorded], shown: &ArcSwap<Snapshot>) -> f64 {
    let start = Instant::now();
    for batch in log.chunks(BATCH) {
        for recorded in batch {
            ledger.apply(recorded);
        }
        shown.store(Arc::new(ledger.snapshot()));
    }
    log.len() as f64 / start.elapsed().as_secs_f64()
}

fn percentile(took: &mut [Duration], of_hundred: usize) -> f64 {
    took.sort_unstable();
    took[(took.len() - 1) * of_hundred / 100].as_secs_f64() * 1e6
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let entries = arguments.next().map_or(400_000, |text| text.parse().unwrap());
    let readers: u64 = arguments.next().map_or(1, |text| text.parse().unwrap());
    let log = log(entries);
    let (before, after) = log.split_at(entries / 2);
    let half = || {
        let mut ledger = LedgerInMemory::new(world::LEDGER);
        let shown = ArcSwap::from_pointee(Ledger::new(world::LEDGER).snapshot());
        write(&mut ledger, before, &shown);
        (ledger, shown)
    };

    let (mut ledger, shown) = half();
    let mut alone = asked(&shown, 1, |count| count < QUESTIONS);
    let write_alone = write(&mut ledger, after, &shown);

    let (mut ledger, shown) = half();
    let done = AtomicBool::new(false);
    let (write_beside, mut beside) = std::thread::scope(|scope| {
        let reading: Vec<_> = (0..readers)
            .map(|n| {
                let (shown, done) = (&shown, &done);
                let more = move |count: usize| count == 0 || !done.load(Ordering::Acquire);
                scope.spawn(move || asked(shown, n + 1, more))
            })
            .collect();
        let rate = write(&mut ledger, after, &shown);
        done.store(true, Ordering::Release);
        let took: Vec<Duration> =
            reading.into_iter().flat_map(|reader| reader.join().unwrap()).collect();
        (rate, took)
    });

    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    println!(
        "{entries} entries, {readers} readers, {processors} processors, a snapshot each {BATCH}"
    );
    println!("append alone            {write_alone:>10.0} entries/s");
    println!(
        "append beside readers   {write_beside:>10.0} entries/s   x{:.2}",
        write_beside / write_alone
    );
    for of_hundred in [50, 99] {
        let (a, b) = (percentile(&mut alone, of_hundred), percentile(&mut beside, of_hundred));
        println!("question alone    p{of_hundred}    {a:>10.1} us");
        println!("question beside   p{of_hundred}    {b:>10.1} us          x{:.2}", b / a);
    }
    println!("questions beside the writer: {}", beside.len());
}
