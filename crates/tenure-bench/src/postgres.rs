//! How does the ledger compare with PostgreSQL?
//!
//! Both have the same history and are asked the same questions. A fold of its own ([`fold`]) makes bitemporal tables of
//! the history, [`sql`] puts the questions, and every answer is compared with the ledger's: a difference is a failure.
//! `docs/benchmarks.md` says what is measured and how.

mod client;
mod fold;
mod rows;
mod server;
mod sql;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::{Args, value_parser};
use serde::de::DeserializeOwned;
use tenure_core::{AsOf, Known, KnownAt, Ledger, OutcomeKind, Position, Question};
use tenure_journal::{Journal, Reader};
use tenure_server::engine::rebuild;
use tenure_wire::api;
use tenure_wire::question::{Asked, LIMIT_MAX, Texts, kind};

use crate::ask::InProcess;
use crate::client as http;
use crate::landscape::{Facts, Plan, Size};
use crate::ledger::load;
use crate::question::{Asker, Class};
use crate::report::{Report, Row};
use crate::say;
use crate::served::Served;
use crate::times::{Measured, Spread, Times, closed_loop, ratio};
use client::Client;
use fold::Fold;
use rows::Rows;
use server::Server;
use tables::Tables;

/// Compare the ledger with PostgreSQL 15: the same history, the same questions, the same answers
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Changes in the made-up history
    #[arg(long, value_name = "N", default_value_t = 1_000_000,
        value_parser = value_parser!(u64).range(1_000..=100_000_000))]
    changes: u64,
    /// The same seed makes the same history and questions
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Questions of each class
    #[arg(long, value_name = "N", default_value_t = 40)]
    questions: usize,
    /// Runs of each question; the shortest counts, on both sides
    #[arg(long, value_name = "N", default_value_t = 5)]
    runs: usize,
    /// Connections at once, where several ask
    #[arg(long, value_name = "N", default_value_t = 8)]
    connections: usize,
    /// How long several connections ask each class, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    window_ms: u64,
}

/// The classes that are put in SQL
const CLASSES: [Class; 13] = [
    Class::WhoNow,
    Class::WhoThen,
    Class::WhoKnown,
    Class::WhoDuring,
    Class::CheckNow,
    Class::CheckThen,
    Class::CheckKnown,
    Class::Timeline,
    Class::Assignments,
    Class::Diff,
    Class::Where,
    Class::WhoUnder,
    Class::WhoUnderWide,
];

/// A question, as the ledger takes it and as PostgreSQL does, and its answer
struct Drawn {
    class: Class,
    question: Question,
    asked: client::Asked,
    expected: Rows,
}

/// Times by class
type ByClass<T> = BTreeMap<Class, T>;
/// Through a client: the shortest run of each question over one connection, and all over several
type EndToEnd = (Spread, Measured);

/// Makes tables of a journal
fn tables(reader: &Reader) -> anyhow::Result<Tables> {
    let mut fold = Fold::default();
    for block in reader.blocks_from(Position::FIRST) {
        for row in block?.1 {
            let entry = row.entry()?.filter(|_| row.outcome.kind() == OutcomeKind::Applied);
            fold.take(row.recorded_at.micros(), entry.as_ref())?;
        }
    }
    Ok(fold.finish())
}

/// Draws questions and has the ledger answer them
fn draw(options: &Options, facts: &Facts, ledger: &Ledger) -> (Vec<Drawn>, ByClass<Times>) {
    let in_process = InProcess::of(ledger, None);
    let mut asker = Asker::new(facts, options.seed);
    let (mut drawn, mut times) = (Vec::new(), ByClass::<Times>::new());
    for class in CLASSES {
        // Its answers are thousands of people with hundreds of levels.
        let fewer = if class == Class::WhoUnderWide { 10 } else { 1 };
        for question in asker.some(class, options.questions.div_ceil(fewer)) {
            let Some(asked) = sql::statement(&pinned(&question, ledger)) else { continue };
            let mut shortest = Duration::MAX;
            let mut answered = None;
            for _ in 0..=options.runs {
                let began = Instant::now();
                answered = in_process.answer(&question);
                shortest = shortest.min(began.elapsed());
            }
            times.entry(class).or_default().push(shortest);
            let expected = rows::of_ledger(answered.map(|answered| answered.answer).as_ref());
            drawn.push(Drawn { class, question, asked, expected });
        }
    }
    (drawn, times)
}

/// The same question with positions in place of recorded times
fn pinned(question: &Question, ledger: &Ledger) -> Question {
    let newest = KnownAt(ledger.newest_position().map_or(0, Position::get));
    let pin = |known| match known {
        Known::Newest => newest,
        Known::At(position) => position,
        Known::By(time) => ledger.known_at(time).min(newest),
    };
    question.clone().map_as_of(|as_of| AsOf { known_at: pin(as_of.known_at).into(), ..as_of })
}

/// Fails unless PostgreSQL's answer is the ledger's
fn same(question: &Question, expected: &Rows, found: Rows) -> anyhow::Result<()> {
    let found = rows::of_postgres(question, found);
    let short = |rows: &Rows| format!("{rows:?}").chars().take(2_000).collect::<String>();
    ensure!(
        found == *expected,
        "PostgreSQL answers otherwise than the ledger.\n{question:?}\n\
         the ledger, {} rows: {}\nPostgreSQL, {} rows: {}",
        expected.len(),
        short(expected),
        found.len(),
        short(&found)
    );
    Ok(())
}

fn of_class(drawn: &[Drawn], class: Class) -> Vec<&Drawn> {
    drawn.iter().filter(|one| one.class == class).collect()
}

/// Compares all that is compared
pub(crate) fn measure(options: &Options) -> anyhow::Result<Report> {
    let plan = Plan::new(Size::L, options.changes, options.seed);
    let folder = tempfile::tempdir()?;
    let mut report = Report::new();
    let facts = load(&plan, folder.path(), &mut report)?;
    say("asking in process, and making tables");
    let journal = Journal::open(folder.path(), None)?;
    let ledger = rebuild(journal.ledger(), &journal.reader(), &mut |_| {})?;
    let (drawn, mut ours) = draw(options, &facts, &ledger);
    let tables = tables(&journal.reader())?;
    drop((ledger, journal));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let asked = runtime.block_on(async {
        tokio::select! {
            asked = ask_postgres(options, &tables, &drawn, &mut report) => asked,
            // What runs is dropped: PostgreSQL is stopped and its folder removed.
            _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        }
    });
    let (mut theirs, protocol) = asked?;
    drop(tables);
    say("asking the ledger over HTTP");
    let served = Served::start(folder.path())?;
    let over_http = runtime.block_on(ask_over_http(options, &served, &drawn))?;
    let (mut engines, mut clients): (Vec<Row>, Vec<Row>) = (Vec::new(), Vec::new());
    for class in CLASSES {
        let of = of_class(&drawn, class);
        let rows: usize = of.iter().map(|one| one.expected.len()).sum();
        let ours = ours.remove(&class).unwrap_or_default().spread();
        let theirs = theirs.remove(&class).unwrap_or_default().spread();
        let over = |theirs: Option<f64>, ours: Option<f64>| Some(theirs? / ours?);
        let times = over(theirs.p50_us, ours.p50_us);
        engines.push(vec![
            ("question", class.as_str().into()),
            ("asked", ours.count.into()),
            ("rows", ratio(rows as u64, ours.count).into()),
            ("ours_p50", ours.p50_us.into()),
            ("ours_p90", ours.p90_us.into()),
            ("pg_p50", theirs.p50_us.into()),
            ("pg_p90", theirs.p90_us.into()),
            ("ratio", times.into()),
        ]);
        let bound =
            if matches!(class, Class::WhoUnder | Class::WhoUnderWide) { 25.0 } else { 10.0 };
        report.at_least(
            format!("{}: engine against engine", class.as_str()),
            times,
            bound,
            "times",
        );
        let (Some(http), Some(protocol)) = (over_http.get(&class), protocol.get(&class)) else {
            continue;
        };
        let faster = over(protocol.0.p50_us, http.0.p50_us);
        let more = http.1.per_second / protocol.1.per_second;
        clients.push(vec![
            ("question", class.as_str().into()),
            ("http_p50", http.0.p50_us.into()),
            ("pg_p50", protocol.0.p50_us.into()),
            ("ratio", faster.into()),
            ("http_per_s", http.1.per_second.into()),
            ("pg_per_s", protocol.1.per_second.into()),
            ("ratio_per_s", more.into()),
        ]);
        let least = faster.map(|faster| faster.min(more));
        report.at_least(format!("{}: end to end", class.as_str()), least, 1.0, "times");
    }
    report.table("engines_us", engines);
    report.table("end_to_end_us", clients);
    Ok(report)
}

/// Loads PostgreSQL and asks it: within the server, where every answer is compared, and over its protocol
async fn ask_postgres(
    options: &Options,
    tables: &Tables,
    drawn: &[Drawn],
    report: &mut Report,
) -> anyhow::Result<(ByClass<Times>, ByClass<EndToEnd>)> {
    say("loading PostgreSQL");
    let server = Server::start().await?;
    let began = Instant::now();
    let loaded = client::load(&server, tables).await?;
    let load_s = began.elapsed().as_secs_f64();
    let version = server.connect().await?.query_one("SHOW server_version", &[]).await?;
    report.facts(
        "postgres",
        vec![
            ("version", version.try_get::<_, String>(0)?.into()),
            ("settings", server.settings.join(" ").into()),
            ("load_s", load_s.into()),
        ],
    );
    report.facts("rows", loaded.into_iter().map(|(table, rows)| (table, rows.into())).collect());
    say("asking PostgreSQL");
    let mut client = Client::open(&server).await?;
    // Once each: afterwards the data is in memory and the plans are cached.
    for one in drawn {
        same(&one.question, &one.expected, client.ask(&one.asked).await?)?;
    }
    let mut in_server = ByClass::<Times>::new();
    for one in drawn {
        let seconds = client.execution(&one.asked, options.runs.max(1)).await?;
        in_server.entry(one.class).or_default().push(Duration::from_secs_f64(seconds));
    }
    say("asking PostgreSQL over its protocol");
    let mut protocol = ByClass::new();
    for class in CLASSES {
        let mut clients = Vec::new();
        for _ in 0..options.connections.max(1) {
            clients.push(Client::open(&server).await?);
        }
        let ask = async |client: &mut Client, one: &&Drawn| client.ask(&one.asked).await.map(drop);
        let of = of_class(drawn, class);
        protocol.insert(class, end_to_end(options, clients, &of, ask).await?);
    }
    Ok((in_server, protocol))
}

async fn ask_over_http(
    options: &Options,
    served: &Served,
    drawn: &[Drawn],
) -> anyhow::Result<ByClass<EndToEnd>> {
    let mut found = ByClass::new();
    for class in CLASSES {
        let mut clients = Vec::new();
        for _ in 0..options.connections.max(1) {
            clients.push(http::Connection::open(served.address).await?);
        }
        let requests = of_class(drawn, class).into_iter().map(|one| {
            let name = Texts::name_of(&one.question);
            let mut asked = Asked::from(one.question.clone());
            let takes = kind(name).into_iter().flat_map(|kind| kind.parameters);
            if takes.into_iter().any(|parameter| parameter.name == "limit") {
                asked.limit = LIMIT_MAX;
            }
            (name, http::question(served.address, &asked))
        });
        let requests: Vec<(&str, Vec<u8>)> = requests.collect();
        let ask = async |client: &mut http::Connection, (name, request): &(&str, Vec<u8>)| {
            let (status, body) = client.ask(request).await?;
            ensure!(status == 200, "{name}: {status}: {}", String::from_utf8_lossy(body));
            parse(name, body)
        };
        found.insert(class, end_to_end(options, clients, &requests, ask).await?);
    }
    Ok(found)
}

/// Makes values of an answer, as a client in Rust would
fn parse(name: &str, body: &[u8]) -> anyhow::Result<()> {
    fn values<T: DeserializeOwned>(body: &[u8]) -> anyhow::Result<()> {
        drop(std::hint::black_box(serde_json::from_slice::<T>(body)?));
        Ok(())
    }
    match name {
        "who" => values::<api::Who>(body),
        "check" => values::<api::Check>(body),
        "timeline" => values::<api::Timeline>(body),
        "where" => values::<api::Where>(body),
        "assignments" => values::<api::Assignments>(body),
        "diff" => values::<api::Diff>(body),
        other => bail!("`{other}` is not compared"),
    }
}

/// Asks over one connection, one question after the other, and then over all at once
async fn end_to_end<C, Q>(
    options: &Options,
    mut clients: Vec<C>,
    questions: &[Q],
    ask: impl AsyncFn(&mut C, &Q) -> anyhow::Result<()>,
) -> anyhow::Result<EndToEnd> {
    for client in &mut clients {
        // Statements are prepared before the clock runs.
        for one in questions {
            ask(client, one).await?;
        }
    }
    let mut times = Times::default();
    let client = clients.first_mut().context("there is no client")?;
    for one in questions {
        let mut shortest = Duration::MAX;
        for _ in 0..options.runs.max(1) {
            let began = Instant::now();
            ask(client, one).await?;
            shortest = shortest.min(began.elapsed());
        }
        times.push(shortest);
    }
    let window = Duration::from_millis(options.window_ms);
    let many = closed_loop(clients, window, usize::MAX, async |client, n| {
        ask(client, questions.get(n % questions.len()).context("nothing to ask")?).await
    });
    Ok((times.spread(), many.await?))
}
