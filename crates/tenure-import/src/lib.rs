//! What do files of other systems say, as entries of the ledger?
//!
//! [`import`] reads files of one [`Source`] and appends to a [`Target`] what they say. Two parts do the work, and
//! neither knows the other:
//!
//! - **A source** reads records of its own format. A record has facts: events, which changed something, and
//!   observations, which show how something was. A source knows no ledger. Each has a folder here.
//! - **The reconciler** (`reconcile`) makes entries of the facts. It is the same for all sources.
//!
//! The files and their records may be in any order: records are applied in the order of their times. The id of an
//! entry is derived from its record, and the reconciler asks the ledger what was so before each record. So importing
//! twice changes nothing, and files may overlap or follow one another.
//!
//! An import does not guess what nobody recorded. For example, whoever creates a subaccount becomes its administrator;
//! the ledger learns it from the next observation, which shows it as drift. An import keeps no users without
//! assignments, no settings and no subscriptions.
//!
//! All records are held in memory, since the order of their times needs all of them. Each is reduced to what the
//! ledger can use. A line of more than 16 MiB is a bad line, and a file of JSON has at most 1 GiB.

mod actor;
mod audit_log;
mod btp_cli;
mod cf;
mod document;
mod fact;
mod found;
mod input;
mod json;
mod jsonl;
mod kind;
mod lines;
mod map;
mod reconcile;
mod record;
mod scim;
mod summary;
mod table;
mod target;
mod terraform;
mod xs;
mod xsuaa;

use std::io::{self, BufRead};
use std::sync::Arc;

use tenure_core::{DEFAULT_ORIGIN, Instant, ParsePrincipalError, Principal};

use crate::found::Found;
use crate::input::Decoded;
use crate::lines::{LINE_BYTES_MAX, Line, Lines};
use crate::record::Record;

pub use kind::Source;
pub use map::{Map, MapError};
pub use record::Place;
pub use summary::{At, DefinitionDrift, Drift, Entries, Listed, Records, Refused, Summary};
pub use target::{AskFailure, Target, TargetError};

/// How to import
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// Whether an observation that contradicts the ledger is appended, not only reported
    pub reconcile: bool,
    /// Whether observations are only compared with the ledger, and nothing is appended
    pub drift_only: bool,
    /// Whether the first bad line or record ends the import, before anything is appended
    pub strict: bool,
    /// Who acts where a record does not say it: the full text of a principal. `None` is the importer of the source
    pub actor: Option<String>,
    /// The origin of users whose origin is not recorded
    pub default_origin: String,
    /// When the listings were made, where their format does not say it
    pub at: Option<Instant>,
    /// The level that the listings are of, where their format does not say it
    pub on: Option<String>,
    /// Of the btp CLI: the command whose plain output the file is, as `list security/role-collection`
    pub command: Option<String>,
    /// Of SCIM: whether a group is called by its `name` (of SAP's extension), not by its `displayName`
    pub group_by_name: bool,
    /// Names for ids
    pub map: Map,
    /// Since when and until when events were asked for, where all of that time was. Without it, they are taken to be
    /// all there are between the first and the last
    pub window: Option<(Instant, Instant)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            reconcile: false,
            drift_only: false,
            strict: false,
            actor: None,
            default_origin: DEFAULT_ORIGIN.to_owned(),
            at: None,
            on: None,
            command: None,
            group_by_name: false,
            map: Map::default(),
            window: None,
        }
    }
}

/// A file that is imported, plain or gzip
#[expect(missing_debug_implementations, reason = "a reader need not have one")]
pub struct Input<'a> {
    /// Its name, for sentences
    pub name: String,
    /// What is in it
    pub read: &'a mut dyn BufRead,
}

/// Why an import ended early
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Nothing was appended
    #[error("`{file}` cannot be read after {place}")]
    Read {
        /// The name of the input
        file: String,
        /// The last place that could be read
        place: Place,
        /// Why
        source: io::Error,
    },
    /// Nothing was appended
    #[error("`{file}` looks like {looks_like}, and {wanted} was expected")]
    OtherKind {
        /// The name of the input
        file: String,
        /// What it looks like
        looks_like: &'static str,
        /// What the source reads
        wanted: &'static str,
    },
    /// Nothing was appended
    #[error("{0}")]
    Options(String),
    /// Only with [`Options::strict`]; nothing was appended
    #[error("{} cannot be used: {}", .0.place, .0.problem)]
    Bad(At),
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

/// Imports files of one source, and gives a summary of what was done
///
/// `progress` is told how many bytes of all the input are done. A byte counts half when it is read, and half when what
/// it says is applied.
///
/// # Guarantees
/// Importing the same records again, in whatever order and files, changes nothing. Each record that was read is in
/// exactly one count of [`Summary::records`].
///
/// # Errors
/// [`ImportError`]. Each variant says what is true then.
///
/// # Cost
/// A few questions for each record that is about levels, role collections or holders.
pub fn import(
    source: Source,
    inputs: Vec<Input<'_>>,
    options: &Options,
    target: &mut dyn Target,
    progress: &mut dyn FnMut(u64),
) -> Result<Summary, ImportError> {
    let actor = options.actor.clone().unwrap_or_else(|| source.actor());
    let actor = Principal::parse(&actor).map_err(ImportError::Actor)?.to_string();
    let mut found = Found::new(options);
    let several = inputs.len() > 1;
    let (mut all, mut documents) = (0, Vec::new());
    for input in inputs {
        let file = several.then(|| Arc::from(input.name.as_str()));
        let decoded = Decoded::new(input.read).and_then(|decoded| decoded.check(source));
        let decoded = decoded.map_err(|error| error.of(&input.name))?;
        let before = all;
        let mut read = |bytes| progress((before + bytes) / 2);
        all += match source {
            Source::BtpCli if options.command.is_none() => {
                lines(decoded, &input.name, file, &mut found, &mut read, btp_cli::read)?
            }
            Source::Jsonl => lines(decoded, &input.name, file, &mut found, &mut read, jsonl::read)?,
            Source::Map => map::read(decoded, &input.name, file, options, &mut found)?,
            Source::Csv => table::read(decoded, &input.name, file, options, &mut found)?,
            _ => document::read(decoded, &input.name, file, &mut found, &mut documents)?,
        };
    }
    match source {
        Source::BtpCli => btp_cli::outputs(documents, options, &mut found)?,
        Source::Cf => cf::read(documents, options, &mut found)?,
        Source::AuditLog => audit_log::read(documents, options, &mut found)?,
        Source::Xsuaa => xsuaa::read(documents, options, &mut found)?,
        Source::Scim => scim::read(documents, options, &mut found)?,
        Source::Terraform => terraform::read(documents, options, &mut found)?,
        Source::Csv | Source::Jsonl | Source::Map => {}
    }
    let Found { mut records, mut summary, .. } = found;
    if records.is_empty() && summary.bad.total > 0 {
        summary.expected = Some(source.reads());
    }
    reconcile::in_order(&mut records, &mut summary);
    summary.first_at = records.first().map(|record| record.at.to_string());
    summary.last_at = records.last().map(|record| record.at.to_string());
    let count = records.len() as u64;
    let mut applied = |records: u64| progress(all / 2 + all.div_ceil(2) * records / count);
    let name = source.name();
    let summary =
        reconcile::reconcile(&records, name, options, actor, target, summary, &mut applied)?;
    progress(all);
    Ok(summary)
}

/// Reads an input a line at a time, and gives how many bytes of it were consumed
fn lines(
    decoded: Decoded<'_>,
    name: &str,
    file: Option<Arc<str>>,
    found: &mut Found<'_>,
    progress: &mut dyn FnMut(u64),
    read: impl Fn(Place, &[u8]) -> Result<Record, String>,
) -> Result<u64, ImportError> {
    let mut lines = Lines::new(decoded);
    let mut place = Place { file, is_line: true, number: 0 };
    loop {
        let line = match lines.next_line() {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(lines.bytes()),
            Err(source) => return Err(ImportError::Read { file: name.to_owned(), place, source }),
        };
        place.number += 1;
        let result = match line {
            Line::TooLong => Err(format!("it has more than {LINE_BYTES_MAX} bytes")),
            Line::Bytes(bytes) if bytes.trim_ascii().is_empty() => continue,
            Line::Bytes(bytes) => read(place.clone(), bytes),
        };
        found.result(&place, result)?;
        progress(lines.bytes());
    }
}
