//! What does the ledger cost on a big landscape?
//!
//! Each command measures one thing and prints one report. Landscapes are made up, so their sizes are assumptions.
//! Nothing here is a test: tests do not depend on time. `docs/benchmarks.md` has figures and says how they are
//! measured.

mod ask;
mod client;
mod curve;
mod doors;
mod landscape;
mod ledger;
mod machine;
mod micro;
mod nats;
mod plot;
mod postgres;
mod question;
mod report;
mod served;
mod times;

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// As in the product
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measure the ledger on made-up landscapes
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    output: report::Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Ledger(ledger::Options),
    Curve(curve::Options),
    Micro(micro::Options),
    Postgres(postgres::Options),
    Nats(nats::Options),
    Doors(doors::Options),
    /// Start on a data folder, and print how long it took: `ledger` runs this in a process of its own
    #[command(hide = true)]
    Start {
        data: PathBuf,
    },
}

/// Says on stderr what is being done
fn say(what: &str) {
    // If stderr is closed nobody reads it.
    let _unheard = writeln!(std::io::stderr().lock(), "{what}");
}

fn main() -> anyhow::Result<()> {
    let Cli { output, command } = Cli::parse();
    let report = match command {
        Command::Ledger(options) => ledger::measure(&options)?,
        Command::Curve(options) => curve::measure(&options)?,
        Command::Micro(options) => micro::measure(&options)?,
        Command::Postgres(options) => postgres::measure(&options)?,
        Command::Nats(options) => nats::measure(&options)?,
        Command::Doors(options) => doors::measure(&options)?,
        Command::Start { data } => {
            let started = serde_json::to_string(&ledger::start(&data)?)?;
            return Ok(writeln!(std::io::stdout().lock(), "{started}")?);
        }
    };
    report.print(&output)
}
