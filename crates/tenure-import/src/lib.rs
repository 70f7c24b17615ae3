//! What do recordings of other systems say, as entries of the ledger?
//!
//! [`import`] reads the lines of a recording and appends to a [`Target`] what they say. Two parts do the
//! work, and neither knows the other:
//!
//! - **A source** reads a line of its own format and makes a record of it. A record has facts: events, which
//!   changed something, and observations, which show how something was. A source knows no ledger. There is
//!   one source so far, the btp CLI (`btp_cli`).
//! - **The reconciler** (`reconcile`) makes entries of the facts. It is the same for all sources.
//!
//! The lines may be in any order: records are applied in the order of their times. The id of an entry is
//! derived from its record, and the reconciler asks the ledger what was so before each record. So importing
//! twice changes nothing, and files may overlap or follow one another.
//!
//! An import does not guess what nobody recorded. For example, whoever creates a subaccount becomes its
//! administrator; the ledger learns it from the next observation, which shows it as drift. An import keeps
//! no users without assignments, no settings, no subscriptions and no members of groups.
//!
//! All records are held in memory, since the order of their times needs all of them. Each is reduced to
//! what the ledger can use. A line of more than 16 MiB is a bad line.

mod btp_cli;
mod fact;
mod lines;
mod reconcile;
mod record;
mod summary;
mod target;

use std::io::{self, BufRead};

use tenure_core::{DEFAULT_ORIGIN, ParsePrincipalError, Principal};

use crate::lines::{LINE_BYTES_MAX, Line, Lines};
use crate::record::Record;

pub use summary::{BadLine, BadLines, DefinitionDrift, Drift, Entries, Refused, Summary};
pub use target::{AskFailure, Target, TargetError};

/// Who acts where the recording does not say it
pub const DEFAULT_ACTOR: &str = btp_cli::ACTOR;

/// How to import
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// Whether an observation that contradicts the ledger is appended, not only reported
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
    /// All entries before these are appended; importing again is safe
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

/// Imports a recording, plain or gzip, and gives a summary of what was done
///
/// `progress` is told how many lines and bytes of the input are done. A line counts half when it is read,
/// and half when it is applied.
///
/// # Guarantees
/// Importing the same records again, in whatever order and file, changes nothing.
///
/// # Errors
/// [`ImportError`]. Each variant says what is true then.
///
/// # Cost
/// A few questions for each record that is about levels, role collections or holders.
pub fn import(
    input: &mut dyn BufRead,
    options: &Options,
    target: &mut dyn Target,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Summary, ImportError> {
    let actor = Principal::parse(&options.actor).map_err(ImportError::Actor)?;
    let mut summary = Summary::default();
    let (mut records, bytes) = read(input, options, &mut summary, progress)?;
    records.sort_by_key(|record| record.at);
    summary.first_at = records.first().map(|record| record.at.to_string());
    summary.last_at = records.last().map(|record| record.at.to_string());
    let (lines, all) = (summary.lines, records.len() as u64);
    let mut applied = |records: u64| {
        let done = |of: u64| (of / 2).saturating_add(of.div_ceil(2) * records / all);
        progress(done(lines), done(bytes));
    };
    let actor = actor.to_string();
    let summary = reconcile::reconcile(&records, options, actor, target, summary, &mut applied)?;
    progress(lines, bytes);
    Ok(summary)
}

fn read(
    input: &mut dyn BufRead,
    options: &Options,
    summary: &mut Summary,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(Vec<Record>, u64), ImportError> {
    let mut lines = Lines::new(input).map_err(|source| ImportError::Read { line: 0, source })?;
    let mut records = Vec::new();
    loop {
        let read = summary.lines;
        let line = match lines.next_line() {
            Ok(Some(line)) => line,
            Ok(None) => return Ok((records, lines.bytes())),
            Err(source) => return Err(ImportError::Read { line: read, source }),
        };
        summary.lines += 1;
        let number = summary.lines;
        let found = match line {
            Line::TooLong => Err(format!("it has more than {LINE_BYTES_MAX} bytes")),
            Line::Bytes(bytes) if bytes.trim_ascii().is_empty() => continue,
            Line::Bytes(bytes) => btp_cli::read(number, bytes),
        };
        match found {
            Ok(record) => {
                *summary.exchanges.entry(record.kind.clone()).or_default() += 1;
                records.push(record);
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
