//! What do the parts cost: the fold, who on one level, a timeline, the evaluation of a requirement?

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;
use tenure_core::{Ability, AsOf, EffectiveAt, Known, LedgerInMemory, Level, Question, Reading};

use crate::ask::InProcess;
use crate::landscape::{Facts, LEDGER, Message, Plan, Size, lawful};
use crate::question::{Asker, Class};
use crate::report::{Report, Row};
use crate::times::Times;

/// Changes that are folded in one go
const FOLDED: u64 = 20_000;
/// Changes of the history that is asked about
const ASKED: u64 = 200_000;
/// Different questions that are asked in turn
const QUESTIONS: usize = 256;

/// Measure the parts: the fold, and single questions that are asked again and again
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only the parts whose name has this text in it
    name: Option<String>,
    /// How long each part is measured, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 2_000)]
    each_ms: u64,
}

/// Who is in Cloud Foundry's space and an administrator of destinations above it: all of two any-ofs
fn requirements(facts: &Facts) -> anyhow::Result<Vec<Question>> {
    let at = Some(EffectiveAt::saturating_from_micros(facts.newest_micros));
    let as_of = AsOf { at, known_at: Known::Newest };
    let instances = facts.subaccounts.iter().map(|subaccount| {
        let place = subaccount.as_str().trim_start_matches("subaccount:");
        Level::parse(&format!("service-instance:{place}-live-destination"))
    });
    let instances = instances.collect::<Result<Vec<_>, _>>()?;
    let pairs = instances.into_iter().cycle().zip(&facts.grants).take(QUESTIONS);
    let check = pairs.map(|(on, given)| {
        let can = lawful(Ability::parse("destinations.manage")).into();
        Question::Check { principal: given.to.clone(), can, on, as_of, reading: Reading::Assigned }
    });
    Ok(check.collect())
}

/// Measures the parts whose names are wanted
pub(crate) fn measure(options: &Options) -> anyhow::Result<Report> {
    let wanted = |name: &str| options.name.as_ref().is_none_or(|part| name.contains(part.as_str()));
    let mut rows: Vec<Row> = Vec::new();
    let mut part = |name: &'static str, times: u64, run: &mut dyn FnMut() -> Duration| {
        if !wanted(name) {
            return;
        }
        run();
        let (mut rounds, began) = (Times::default(), Instant::now());
        while rounds.count() == 0 || began.elapsed() < Duration::from_millis(options.each_ms) {
            rounds.push(run());
        }
        let spread = rounds.spread();
        let each = |micros: Option<f64>| micros.map(|micros| micros * 1_000.0 / times as f64);
        rows.push(vec![
            ("part", name.into()),
            ("rounds", spread.count.into()),
            ("p50_ns", each(spread.p50_us).into()),
            ("p99_ns", each(spread.p99_us).into()),
        ]);
    };
    let messages = Plan::new(Size::Steady, FOLDED, 1).messages()?;
    let recorded = messages.map(Message::recorded).collect::<anyhow::Result<Vec<_>>>()?.concat();
    part("fold, a change", FOLDED, &mut || {
        let began = Instant::now();
        let mut ledger = LedgerInMemory::new(LEDGER);
        recorded.iter().for_each(|one| drop(black_box(ledger.apply(one))));
        let took = began.elapsed();
        // The ledger is dropped after the clock has stopped.
        drop(ledger);
        took
    });
    let (ledger, facts) = Plan::new(Size::Steady, ASKED, 1).fold()?;
    let asked = InProcess::of(&ledger, None);
    let mut asker = Asker::new(&facts, 1);
    let mut parts: Vec<(&str, Vec<Question>)> = [
        ("who, one level, now", Class::WhoNow),
        ("who, one level, as known years back", Class::WhoKnown),
        ("who anywhere", Class::WhoUnder),
        ("timeline", Class::Timeline),
        ("check, one level, now", Class::CheckNow),
    ]
    .map(|(name, class)| (name, asker.some(class, QUESTIONS)))
    .into();
    let mut requirements = requirements(&facts)?;
    // Only some subaccounts have Cloud Foundry.
    requirements.retain(|question| asked.ask(question).is_ok());
    ensure!(!requirements.is_empty(), "no subaccount has Cloud Foundry");
    parts.push(("requirement, all of two any-ofs", requirements));
    for (name, questions) in parts {
        part(name, questions.len() as u64, &mut || {
            let began = Instant::now();
            questions.iter().for_each(|question| drop(black_box(asked.ask(question))));
            began.elapsed()
        });
    }
    let mut report = Report::new();
    report.table("parts", rows);
    Ok(report)
}
