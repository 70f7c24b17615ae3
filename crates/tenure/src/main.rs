//! The command line of the ledger
//!
//! It talks to a server, or opens a data folder that no server holds. Both answer the same questions.
//! Exit status: 0 done or yes, 1 a lawful no, 2 wrong usage, 3 it failed.

mod demo;
mod door;
mod govern;
mod import;
mod look_alike;
mod maintain;
mod nats;
mod output;
mod questions;
mod remote;
mod render;
mod republish;
mod serve;
mod submit;
mod token;
mod unix_transport;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::door::DoorArgs;
use crate::output::Output;

/// Several threads allocate and free small things. With glibc's allocator a rebuild takes nearly twice as long, and
/// less memory (`docs/benchmarks.md`)
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Remembers who could do what on SAP BTP, and who gave it to them
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    after_help = "Levels are `kind:id`, like subaccount:dev; users `alice@acme.example` or \
        `user:<origin>/<name>`; what one could do is an operation like destinations.manage, or \
        `role:<name>`, `scope:<name>`, `role-collection:<name>`.\n\nExit status: 0 done or yes, 1 a lawful \
        no, 2 wrong usage, 3 it failed."
)]
struct Cli {
    #[command(flatten)]
    door: DoorArgs,
    #[command(flatten)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(Box<serve::Serve>),
    Demo(demo::Demo),
    Submit(submit::Submit),
    Grant(submit::Grant),
    Revoke(submit::Revoke),
    Who(questions::Who),
    What(questions::What),
    Check(questions::Check),
    Timeline(questions::Timeline),
    Where(questions::Where),
    Diff(questions::Diff),
    Assignments(questions::Assignments),
    Holdings(questions::Holdings),
    Members(questions::Members),
    Principals(questions::Principals),
    Search(questions::Search),
    History(questions::History),
    Log(questions::Log),
    Entry(questions::Entry),
    Sources(questions::Sources),
    Levels(questions::Levels),
    RoleCollections(questions::RoleCollections),
    Catalog(questions::Catalog),
    Import(import::Import),
    Export(maintain::Export),
    Verify(maintain::Verify),
    Rebuild(maintain::Rebuild),
    Republish(republish::Republish),
    Govern(govern::Govern),
    Token(token::Token),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

impl Command {
    /// Its log filter where `TENURE_LOG_LEVEL` is not set
    fn log_filter(&self) -> &'static str {
        match self {
            Self::Serve(_) => "info",
            Self::Demo(demo) if demo.serves() => "info",
            _ => "error",
        }
    }
}

fn main() -> ExitCode {
    let Cli { door, output, command } = Cli::parse();
    // Nothing has chosen another before.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    serve::log_to_stderr(command.log_filter());
    let arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    let outcome = match nats::no_password_in(arguments) {
        Ok(()) => run(command, &door, &output),
        Err(wrong) => Err(wrong.into()),
    };
    outcome.unwrap_or_else(|error| {
        output::complain(&format!("error: {error:#}"));
        ExitCode::from(door::exit_status(&error))
    })
}

fn run(command: Command, door: &DoorArgs, output: &Output) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(serve) => serve.run(door),
        Command::Demo(demo) => demo.run(door),
        Command::Submit(submit) => submit.run(door, output),
        Command::Grant(grant) => grant.run(door, output),
        Command::Revoke(revoke) => revoke.run(door, output),
        Command::Who(q) => questions::ask(door, output, "who", &q),
        Command::What(q) => questions::ask(door, output, "what", &q),
        Command::Check(q) => questions::ask(door, output, "check", &q),
        Command::Timeline(q) => questions::ask(door, output, "timeline", &q),
        Command::Where(q) => questions::ask(door, output, "where", &q),
        Command::Diff(q) => questions::ask(door, output, "diff", &q),
        Command::Assignments(q) => questions::ask(door, output, "assignments", &q),
        Command::Holdings(q) => questions::ask(door, output, "holdings", &q),
        Command::Members(q) => questions::ask(door, output, "members", &q),
        Command::Principals(q) => questions::ask(door, output, "principals", &q),
        Command::Search(q) => questions::ask(door, output, "search", &q),
        Command::History(q) => questions::ask(door, output, "history", &q),
        Command::Log(q) => questions::ask(door, output, "history", &q),
        Command::Entry(q) => questions::ask(door, output, "entry", &q),
        Command::Sources(q) => questions::ask(door, output, "sources", &q),
        Command::Levels(q) => questions::ask(door, output, "levels", &q),
        Command::RoleCollections(q) => questions::ask(door, output, "role-collections", &q),
        Command::Catalog(q) => questions::ask(door, output, "catalog", &q),
        Command::Import(import) => import.run(door, output),
        Command::Export(export) => export.run(door),
        Command::Verify(verify) => verify.run(door),
        Command::Rebuild(rebuild) => rebuild.run(door),
        Command::Republish(republish) => republish.run(door),
        Command::Govern(govern) => govern.run(door, output),
        Command::Token(token) => token.run(),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "tenure", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}
