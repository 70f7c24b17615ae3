//! How long does each engine take for each class of questions?

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::Serialize;
use tenure_bench::question::Class;

use crate::door;
use crate::history::{CLASSES, Drawn};
use crate::postgres::{self, LAYOUTS, Layout};
use crate::question::Answer;

/// Times of a class of questions, in microseconds
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Times {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) max: f64,
}

/// Times by class
pub(crate) type ByClass = BTreeMap<Class, Times>;

fn times(mut seconds: Vec<f64>) -> Times {
    seconds.sort_by(f64::total_cmp);
    let at = |share: usize| {
        let place = seconds.len().saturating_sub(1) * share / 100;
        seconds.get(place).copied().unwrap_or_default() * 1e6
    };
    Times { p50: at(50), p90: at(90), max: at(100) }
}

/// Gathers what each question took
#[derive(Debug, Default)]
pub(crate) struct Gathered(BTreeMap<Class, Vec<f64>>);

impl Gathered {
    pub(crate) fn add(&mut self, class: Class, seconds: f64) {
        self.0.entry(class).or_default().push(seconds);
    }

    pub(crate) fn times(self) -> ByClass {
        self.0.into_iter().map(|(class, all)| (class, times(all))).collect()
    }
}

/// The shortest of some runs, in seconds, and the last result
///
/// # Errors
/// Whatever `run` says.
pub(crate) fn shortest<T>(
    runs: usize,
    mut run: impl FnMut() -> anyhow::Result<T>,
) -> anyhow::Result<(f64, T)> {
    let mut best = f64::INFINITY;
    let mut last = None;
    for _ in 0..runs.max(1) {
        let began = Instant::now();
        let result = run()?;
        best = best.min(began.elapsed().as_secs_f64());
        last = Some(result);
    }
    Ok((best, last.context("nothing was run")?))
}

/// Fails where an engine says otherwise than the ledger
///
/// # Errors
/// The question, and what differs.
pub(crate) fn same(
    who: &str,
    drawn: &Drawn,
    expected: &Answer,
    found: Answer,
) -> anyhow::Result<()> {
    let found = found.sorted();
    if found == *expected {
        return Ok(());
    }
    let short = |answer: &Answer| {
        let text = format!("{answer:?}");
        text.chars().take(2_000).collect::<String>()
    };
    bail!(
        "{who} answers otherwise than the ledger.\n{}: {:?}\n{:?}\nthe ledger, {} rows: {}\n{who}, \
         {} rows: {}",
        drawn.class,
        drawn.asked.parameters(),
        drawn.question,
        expected.len(),
        short(expected),
        found.len(),
        short(&found)
    )
}

/// What PostgreSQL takes in each layout, within the server
#[derive(Debug)]
pub(crate) struct InServer {
    pub(crate) by_layout: Vec<(Layout, ByClass)>,
}

impl InServer {
    /// The layout that answers a class fastest, with its times
    pub(crate) fn best(&self, class: Class) -> Option<(Layout, Times)> {
        let all = self.by_layout.iter();
        let of = all.filter_map(|(layout, times)| Some((*layout, *times.get(&class)?)));
        of.min_by(|a, b| a.1.p50.total_cmp(&b.1.p50))
    }
}

/// Asks PostgreSQL every question in every layout, and compares every answer
///
/// # Errors
/// Another answer, or whatever PostgreSQL says.
pub(crate) async fn in_server(
    server: &postgres::Server,
    drawn: &[Drawn],
    expected: &[Answer],
    runs: usize,
) -> anyhow::Result<InServer> {
    let mut by_layout = Vec::new();
    for layout in LAYOUTS {
        let mut door = postgres::Door::open(server, layout).await?;
        // Once each: what is read lies in memory, and the plans are cached.
        for (one, expected) in drawn.iter().zip(expected) {
            same(
                &format!("PostgreSQL ({})", layout.name),
                one,
                expected,
                door.ask(&one.question).await?,
            )?;
        }
        let mut gathered = Gathered::default();
        for one in drawn {
            gathered.add(one.class, door.execution(&one.question, runs).await?);
        }
        by_layout.push((layout, gathered.times()));
    }
    Ok(InServer { by_layout })
}

/// Over one connection: p50 and p90; over several: answers a second
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct EndToEnd {
    pub(crate) one: Times,
    pub(crate) several_per_second: f64,
}

/// How long to ask
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) rounds: usize,
    pub(crate) window: Duration,
}

fn of_class(drawn: &[Drawn], class: Class) -> Vec<Drawn> {
    drawn.iter().filter(|one| one.class == class).cloned().collect()
}

/// Asks every class over a client of its own, one after the other and at several connections
///
/// # Errors
/// Whatever a client says.
pub(crate) async fn end_to_end<C: Client>(
    mut open: impl AsyncFnMut(Class) -> anyhow::Result<C>,
    drawn: &[Drawn],
    load: Load,
) -> anyhow::Result<BTreeMap<Class, EndToEnd>> {
    let mut found = BTreeMap::new();
    for class in CLASSES {
        let questions = of_class(drawn, *class);
        if questions.is_empty() {
            continue;
        }
        let mut client = open(*class).await?;
        for one in &questions {
            client.ask(one).await?;
        }
        let mut seconds = Vec::new();
        for one in &questions {
            let mut best = f64::INFINITY;
            for _ in 0..load.rounds.max(1) {
                let began = Instant::now();
                client.ask(one).await?;
                best = best.min(began.elapsed().as_secs_f64());
            }
            seconds.push(best);
        }
        let mut clients = vec![client];
        while clients.len() < load.connections {
            let mut client = open(*class).await?;
            // Its statements are prepared before the clock runs.
            if let Some(one) = questions.first() {
                client.ask(one).await?;
            }
            clients.push(client);
        }
        let began = Instant::now();
        let asking = clients.into_iter().enumerate().map(|(n, mut client)| {
            let questions = &questions;
            async move {
                let mut answered = 0_u64;
                for one in questions.iter().cycle().skip(n * 7 % questions.len().max(1)) {
                    if began.elapsed() >= load.window {
                        break;
                    }
                    client.ask(one).await?;
                    answered += 1;
                }
                anyhow::Ok(answered)
            }
        });
        let answered: u64 = futures::future::try_join_all(asking).await?.into_iter().sum();
        let several_per_second = answered as f64 / began.elapsed().as_secs_f64();
        found.insert(*class, EndToEnd { one: times(seconds), several_per_second });
    }
    Ok(found)
}

/// A client with a connection
pub(crate) trait Client {
    /// Asks, until the rows are values here
    fn ask(&mut self, drawn: &Drawn) -> impl Future<Output = anyhow::Result<()>>;
}

impl Client for postgres::Door {
    async fn ask(&mut self, drawn: &Drawn) -> anyhow::Result<()> {
        Self::ask(self, &drawn.question).await.map(drop)
    }
}

impl Client for door::Door {
    async fn ask(&mut self, drawn: &Drawn) -> anyhow::Result<()> {
        Self::ask(self, &drawn.asked).await.map(drop)
    }
}
