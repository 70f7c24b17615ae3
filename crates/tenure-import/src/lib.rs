//! What does a recording of the btp CLI server say, as entries of the ledger?
//!
//! [`import`] reads exchanges with the btp CLI server, one JSON object a line, and appends to a
//! [`Target`] what they show and change. The lines may be in any order: they are applied in the order of
//! their times. The decisions, each where it is made:
//!
//! - **Levels** (`levels`): hierarchies and listings create, move, rename and delete them.
//! - **Role collections and roles** (`role_collections`, `roles`): listings and changes become
//!   custom ones, unless the catalogue in force predefines them.
//! - **Assignments** (`assignments`): `assign` and `unassign` become grants and revokes.
//! - **Observations** (`drift`): whoever is shown to hold something is compared with the ledger.
//! - **Ids** (`record`): derived from the exchange, so importing twice changes nothing.
//!
//! What a difference is made against is the ledger, asked as of the moment before the exchange, not a
//! memory of this import. So files may overlap, follow one another or come twice.
//!
//! What this does not do: it does not infer what nobody recorded, such as that whoever creates a
//! subaccount becomes its administrator (the next observation shows it as drift); it keeps no users
//! without assignments, no settings and no subscriptions; and it takes group members from nowhere.
//!
//! The exchanges are held in memory, since the order of time needs all of them, each reduced to what the
//! ledger has a use for. A line of more than 16 MiB is a bad line.

mod btp_cli;
mod lines;
mod reconcile;
mod record;
mod summary;
mod target;

use std::io::{self, BufRead};

use tenure_core::{DEFAULT_ORIGIN, ParsePrincipalError, Principal};

use crate::btp_cli::Exchange;
use crate::lines::{LINE_BYTES_MAX, Line, Lines};
use crate::reconcile::{Knowledge, Run};

pub use summary::{BadLine, BadLines, DefinitionDrift, Drift, Entries, Refused, Summary};
pub use target::{AskFailure, Target, TargetError};

/// Who acts where the recording does not say it
pub const DEFAULT_ACTOR: &str = "client:tenure/import-btp-cli";

/// How to import
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// Whether what contradicts the ledger is appended, not only reported
    pub reconcile: bool,
    /// Whether the first bad line ends the import, before anything is appended
    pub strict: bool,
    /// Who acts where the recording does not say it: the full text of a principal
    pub actor: String,
    /// The origin of users whose origin is not recorded
    pub default_origin: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            reconcile: false,
            strict: false,
            actor: DEFAULT_ACTOR.to_owned(),
            default_origin: DEFAULT_ORIGIN.to_owned(),
        }
    }
}

/// Why an import ended early
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Nothing was appended
    #[error("the recording cannot be read after line {line}")]
    Read {
        /// The last line that could be read
        line: u64,
        /// Why
        source: io::Error,
    },
    /// Only with [`Options::strict`]; nothing was appended
    #[error("line {} cannot be used: {}", .0.line, .0.problem)]
    BadLine(BadLine),
    /// Nothing was appended
    #[error("nobody acts under that name")]
    Actor(#[source] ParsePrincipalError),
    /// What came before is appended; importing again is safe
    #[error("whether entries were appended is unknown: import again, which changes nothing twice")]
    Append(#[source] TargetError),
    /// What came before is appended; importing again is safe
    #[error("the ledger gave {got} results for {sent} entries")]
    Results {
        /// Entries sent
        sent: usize,
        /// Results received
        got: usize,
    },
    /// What came before is appended; importing again is safe
    #[error("the ledger did not answer the question `{question}`")]
    Ask {
        /// The question's name
        question: &'static str,
        /// Why
        source: AskFailure,
    },
    /// What came before is appended; importing again is safe
    #[error("the ledger's answer to the question `{question}` is not of its shape")]
    Answer {
        /// The question's name
        question: &'static str,
        /// What does not fit
        source: serde_json::Error,
    },
}

/// Imports a recording, plain or gzip, and gives what was read, appended, refused, skipped and found
/// to differ
///
/// `progress` is told how many lines and bytes of the input are done; a line counts half when it is
/// read and half when it is applied.
///
/// # Guarantees
/// Importing the same exchanges again, in whatever order and file, changes nothing.
///
/// # Errors
/// [`ImportError`], of which each says what is true then.
///
/// # Cost
/// A few questions for each exchange that is about levels, role collections or holders.
pub fn import(
    input: &mut dyn BufRead,
    options: &Options,
    target: &mut dyn Target,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Summary, ImportError> {
    let actor = Principal::parse(&options.actor).map_err(ImportError::Actor)?;
    let mut summary = Summary::default();
    let (mut exchanges, bytes) = read(input, options, &mut summary, progress)?;
    exchanges.sort_by_key(|exchange| exchange.at);
    summary.first_at = exchanges.first().map(|exchange| exchange.at.to_string());
    summary.last_at = exchanges.last().map(|exchange| exchange.at.to_string());
    let knowledge = Knowledge::of(&exchanges);
    let (lines, all) = (summary.lines, exchanges.len() as u64);
    let mut run = Run::new(options, actor.to_string(), target, knowledge, summary);
    for (index, exchange) in exchanges.iter().enumerate() {
        run.apply(index, exchange)?;
        let done = |of: u64| (of / 2).saturating_add(of.div_ceil(2) * (index as u64 + 1) / all);
        progress(done(lines), done(bytes));
    }
    let summary = run.finish()?;
    progress(lines, bytes);
    Ok(summary)
}

fn read(
    input: &mut dyn BufRead,
    options: &Options,
    summary: &mut Summary,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(Vec<Exchange>, u64), ImportError> {
    let mut lines = Lines::new(input).map_err(|source| ImportError::Read { line: 0, source })?;
    let mut exchanges = Vec::new();
    loop {
        let read = summary.lines;
        let line = match lines.next_line() {
            Ok(Some(line)) => line,
            Ok(None) => return Ok((exchanges, lines.bytes())),
            Err(source) => return Err(ImportError::Read { line: read, source }),
        };
        summary.lines += 1;
        let number = summary.lines;
        let found = match line {
            Line::TooLong => Err(format!("it has more than {LINE_BYTES_MAX} bytes")),
            Line::Bytes(bytes) if bytes.trim_ascii().is_empty() => continue,
            Line::Bytes(bytes) => Exchange::read(number, bytes),
        };
        match found {
            Ok(exchange) => {
                *summary.exchanges.entry(exchange.kind.clone()).or_default() += 1;
                exchanges.push(exchange);
            }
            Err(problem) => {
                let bad = BadLine { line: number, problem };
                if options.strict {
                    return Err(ImportError::BadLine(bad));
                }
                summary.bad_line(bad);
            }
        }
        progress(number / 2, lines.bytes() / 2);
    }
}
