//! What do the parts cost: the fold, who on one level, a timeline, the evaluation of a requirement?
//!
//! `just bench-micro`, or `cargo bench -p tenure-bench`; a name after `--` chooses one.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput};
use tenure_bench::in_process::Prepared;
use tenure_bench::landscape::{Facts, Plan, Shape, Size};
use tenure_bench::question::{Asker, Class, Question};
use tenure_core::{Ledger, LedgerInMemory, Recorded};
use tenure_wire::codec::Encoded;
use tenure_wire::question::{Check, Question as Asked};

type Failure = Box<dyn std::error::Error>;

/// Changes that are folded in one go
const FOLDED: u64 = 20_000;
/// Changes of the history that is asked
const ASKED: u64 = 200_000;
/// Different questions that are asked in turn
const QUESTIONS: usize = 256;

fn history(changes: u64) -> Result<(Vec<Recorded>, Facts), Failure> {
    let mut messages = Plan::new(Shape::new(Size::Steady, changes)?, 1).messages()?;
    let mut recorded = Vec::new();
    for message in messages.by_ref() {
        for made in message.entries {
            let submission = Encoded::new(made.entry)?.into_submission();
            recorded.push(Recorded { recorded_at: message.recorded_at, submission });
        }
    }
    let facts = messages.facts();
    Ok((recorded, facts))
}

fn folded(recorded: &[Recorded]) -> LedgerInMemory {
    let mut ledger = LedgerInMemory::new();
    for one in recorded {
        black_box(ledger.apply(one));
    }
    ledger
}

fn ask(criterion: &mut Criterion, name: &str, ledger: &Ledger, questions: &[Prepared]) {
    let mut turn = questions.iter().cycle();
    criterion.bench_function(name, |bencher| {
        bencher.iter(|| turn.next().map(|question| black_box(question.ask(ledger, None).is_ok())));
    });
}

/// Who is in Cloud Foundry's space and an administrator of destinations above it: all of two any-ofs
fn instance(facts: &Facts) -> Vec<Question> {
    let newest = tenure_core::Instant::saturating_from_micros(facts.newest_micros);
    let instances = facts.subaccounts.iter().map(|subaccount| {
        let place = subaccount.as_str().trim_start_matches("subaccount:");
        format!("service-instance:{place}-live-destination")
    });
    let known = facts.crowded_grants.iter().map(|given| given.to.to_string());
    let checks = instances.cycle().zip(known).take(QUESTIONS).map(|(on, principal)| Check {
        principal: Some(principal),
        can: Some("destinations.manage".to_owned()),
        on: Some(on),
        at: Some(newest.to_string()),
        ..Check::default()
    });
    checks.map(|check| Question { class: Class::CheckNow, asked: Asked::Check(check) }).collect()
}

fn main() -> Result<(), Failure> {
    let mut criterion = Criterion::default().configure_from_args();
    let (recorded, _) = history(FOLDED)?;
    let mut group = criterion.benchmark_group("fold");
    group.throughput(Throughput::Elements(FOLDED)).sample_size(20);
    group.bench_function("apply, changes", |bencher| {
        // What is dropped is dropped outside the clock.
        bencher.iter_batched(|| (), |()| folded(&recorded), BatchSize::PerIteration);
    });
    group.finish();
    let (recorded, facts) = history(ASKED)?;
    let ledger = folded(&recorded);
    drop(recorded);
    let mut asker = Asker::new(&facts, 1);
    for (name, class) in [
        ("who, one level, now", Class::WhoNow),
        ("who, one level, as known years back", Class::WhoKnown),
        ("who anywhere", Class::WhoUnder),
        ("timeline", Class::Timeline),
        ("check, one level, now", Class::CheckNow),
    ] {
        let questions = (0..QUESTIONS).map(|_| Prepared::new(&asker.of(class)));
        let questions = questions.collect::<Result<Vec<_>, _>>()?;
        ask(&mut criterion, name, &ledger, &questions);
    }
    let mut questions =
        instance(&facts).iter().map(Prepared::new).collect::<Result<Vec<_>, _>>()?;
    // Only some subaccounts have Cloud Foundry.
    questions.retain(|question| question.ask(&ledger, None).is_ok());
    if questions.is_empty() {
        return Err("no subaccount has Cloud Foundry".into());
    }
    ask(&mut criterion, "requirement, all of two any-ofs", &ledger, &questions);
    criterion.final_summary();
    Ok(())
}
