//! How does the ledger compare with PostgreSQL, with SQLite and with replaying the log?
//!
//! One history and one set of questions for all of them. A fold of its own (`fold`) makes bitemporal
//! tables of the history, `sql` puts the questions, and every answer is compared with the ledger's: a
//! difference is a failure. `docs/benchmarks.md` says what is measured and how.

mod door;
mod engine;
mod fold;
mod history;
mod measure;
mod names;
mod postgres;
mod question;
mod report;
mod rows;
mod span;
mod sql;
mod sqlite;
mod tables;
#[cfg(test)]
mod tests;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Parser, ValueEnum};
use tenure_bench::landscape::{Plan, Shape, Size};
use tenure_bench::question::Class;

use history::History;
use measure::{Gathered, Load, shortest};
use report::Report;
use sqlite::Sqlite;

/// As in the program
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Compare the ledger with PostgreSQL 15, with SQLite and with naive replay: the same history, the same
/// questions, the same answers
#[derive(Clone, Debug, Parser)]
struct Arguments {
    /// Changes in the made-up history
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    changes: u64,
    /// The same seed makes the same history and questions
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Questions of each class
    #[arg(long, value_name = "N", default_value_t = 40)]
    questions: usize,
    /// Runs of each question; the shortest counts, on every side
    #[arg(long, value_name = "N", default_value_t = 5)]
    runs: usize,
    /// Questions of each class that are answered by replaying the log as well
    #[arg(long, value_name = "N", default_value_t = 3)]
    replays: usize,
    /// Connections at once, where several ask
    #[arg(long, value_name = "N", default_value_t = 8)]
    connections: usize,
    /// How long several connections ask each class, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    window_ms: u64,
    /// How the report is written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Write PostgreSQL's plan of one question of each class to stderr
    #[arg(long)]
    plans: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    Table,
    Json,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(async {
        tokio::select! {
            report = compare(&arguments) => report,
            // What runs is dropped: PostgreSQL is stopped and its folder removed.
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        }
    })?;
    match arguments.format {
        Format::Table => report.print()?,
        Format::Json => report.print_json()?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Says on stderr what is being done
#[expect(clippy::print_stderr, reason = "progress is for whoever waits")]
fn say(what: &str) {
    eprintln!("{what}");
}

fn each(questions: usize, class: Class) -> usize {
    // Its answers are thousands of people with hundreds of levels.
    if class == Class::WhoUnderWide { questions.div_ceil(10) } else { questions }
}

async fn compare(arguments: &Arguments) -> anyhow::Result<Report> {
    let shape = Shape::new(Size::L, arguments.changes)?;
    let plan = Plan::new(shape, arguments.seed);
    let folder = tempfile::Builder::new().prefix("tenure-bench-ledger-").tempdir()?;
    say("making the history, folding it and making tables of it");
    let history = History::make(&plan, folder.path(), arguments.seed, |class| {
        each(arguments.questions, class)
    })?;
    let History { engine, tables, log, counts, questions, tabled } = history;
    let mut report = Report::new(&plan, counts, &tables, tabled);

    say(&format!("asking {} questions in process", questions.len()));
    let mut expected = Vec::with_capacity(questions.len());
    let mut gathered = Gathered::default();
    for one in &questions {
        let (seconds, raw) = shortest(arguments.runs + 1, || Ok(engine.ask(&one.question)))?;
        gathered.add(one.class, seconds);
        expected.push(raw.rows(&one.question));
    }
    report.ledger = gathered.times();
    report.rows(&questions, &expected);
    drop(engine);

    say("asking SQLite");
    let began = Instant::now();
    let mut sqlite = Sqlite::load(&tables)?;
    report.sqlite_load = began.elapsed();
    let mut gathered = Gathered::default();
    for (one, expected) in questions.iter().zip(&expected) {
        let (seconds, answer) = shortest(arguments.runs.min(3), || sqlite.ask(&one.question))?;
        measure::same("SQLite", one, expected, answer)?;
        gathered.add(one.class, seconds);
    }
    report.sqlite = gathered.times();
    drop(sqlite);

    say("replaying the log for one question after the other");
    let mut gathered = Gathered::default();
    for class in history::CLASSES {
        let of = questions.iter().zip(&expected).filter(|(one, _)| one.class == *class);
        for (one, expected) in of.take(arguments.replays) {
            let began = Instant::now();
            let Some(answer) = log.ask(&tables, &one.question) else { continue };
            gathered.add(*class, began.elapsed().as_secs_f64());
            measure::same("the replay", one, expected, answer)?;
        }
    }
    report.replay = gathered.times();
    drop(log);

    let server = postgres::Server::start().await?;
    report.postgres_version = server.version().await?;
    report.postgres_settings = server.settings().map(str::to_owned).collect();
    for layout in postgres::LAYOUTS {
        say(&format!("loading PostgreSQL, layout `{}`", layout.name));
        let began = Instant::now();
        postgres::load(&server, layout, &tables).await?;
        report.postgres_load.push((layout.name, began.elapsed()));
    }
    drop(tables);
    say("asking PostgreSQL");
    let in_server = measure::in_server(&server, &questions, &expected, arguments.runs).await?;
    if arguments.plans {
        for class in history::CLASSES {
            let one = questions.iter().find(|one| one.class == *class);
            if let (Some(one), Some((layout, _))) = (one, in_server.best(*class)) {
                let plan = postgres::Door::open(&server, layout).await?.plan(&one.question).await?;
                say(&format!("{class} ({}): {:?}\n{plan}\n", layout.name, one.question));
            }
        }
    }

    let load = Load {
        connections: arguments.connections,
        rounds: arguments.runs,
        window: Duration::from_millis(arguments.window_ms),
    };
    say("asking PostgreSQL over its protocol");
    let fastest = async |class| {
        let (layout, _) = in_server.best(class).context("a class without times")?;
        postgres::Door::open(&server, layout).await
    };
    report.postgres_clients = measure::end_to_end(fastest, &questions, load).await?;
    drop(server);

    say("starting the ledger's server and asking over HTTP");
    let ledger = door::Ledger::serve(folder.path())?;
    let http = async |_| door::Door::open(&ledger).await;
    report.http_clients = measure::end_to_end(http, &questions, load).await?;
    drop(ledger);
    report.postgres = Some(in_server);
    Ok(report)
}
