//! The command line of the ledger

mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The ledger that remembers who could do what
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a server
    Serve(serve::Serve),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Serve(serve) => serve.run(),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "errors of the command line go there")]
            {
                eprintln!("error: {error:#}");
            }
            ExitCode::from(3)
        }
    }
}
