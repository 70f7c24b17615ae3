//! What would become of entries that were handed in now?
//!
//! A trial begins with the newest state that may be seen. It decides the entries one after another, each seeing the ones
//! before it, and then it is dropped: nothing reaches the log or the journal.
//!
//! Rules: `docs/semantics.md#dry-run`.

use std::time::{Duration, Instant};

use tenure_core::{Entry, Fingerprint, Kept, KnownAt, Position, Principal, Recorded};
use tenure_journal::{Payload, Row};
use tenure_log::{Receipt, embedded};
use tenure_wire::api::{AppendResult, Appended, Problem, revision};
use tenure_wire::codec::Encoded;

use crate::ask;
use crate::engine::{Contents, Engine};
use crate::problem::{Code, problem};

/// The entries that the journal holds, and those that were tried before
struct Earlier<'e> {
    engine: &'e Engine,
    /// The position of the first entry that was tried
    first: Position,
    tried: Vec<(Entry, Fingerprint)>,
    contents: Contents,
}

impl Earlier<'_> {
    fn tried(&self, position: Position) -> Option<&(Entry, Fingerprint)> {
        let ahead = position.get().checked_sub(self.first.get())?;
        self.tried.get(usize::try_from(ahead).ok()?)
    }

    fn row(&self, position: Position) -> Result<Row, Problem> {
        ask::row(self.engine, position)
    }
}

impl Kept for Earlier<'_> {
    type Error = Problem;

    fn content(&self, position: Position) -> Result<Fingerprint, Problem> {
        match self.tried(position) {
            Some((_, fingerprint)) => Ok(*fingerprint),
            None => self.contents.of(position, || content(&self.row(position)?)),
        }
    }

    fn entry(&self, position: Position) -> Result<Option<Entry>, Problem> {
        match self.tried(position) {
            Some((entry, _)) => Ok(Some(entry.clone())),
            None => self.row(position)?.entry().map_err(|error| unreadable(&error)),
        }
    }
}

/// What an append of these entries would answer
///
/// # Errors
/// A row of the journal that cannot be read, or too many entries for the patience.
/// # Cost
/// As an append, without the disk; it ends when the patience does.
pub(crate) fn answer(
    engine: &Engine,
    submitter: &Principal,
    entries: Vec<Encoded>,
    patience: Duration,
) -> Result<Appended, Problem> {
    let began = Instant::now();
    let mut trial = engine.ledger().trial();
    let first = trial.next_position();
    let known_at = trial.newest_position().map_or(KnownAt(0), KnownAt::from);
    let now = embedded::now();
    let recorded_at = trial.newest_recorded_at().map_or(now, |newest| newest.max(now));
    let mut earlier = Earlier {
        engine,
        first,
        tried: Vec::with_capacity(entries.len()),
        contents: Contents::default(),
    };
    let mut results: Vec<AppendResult> = Vec::with_capacity(entries.len());
    for encoded in entries {
        if began.elapsed() > patience {
            return Err(problem(
                Code::Timeout,
                "the entries before it took all the time: try fewer",
            ));
        }
        let position = trial.next_position();
        let (entry, fingerprint) = (encoded.entry().clone(), encoded.fingerprint());
        let submission = encoded.into_submission();
        let recorded = Recorded { recorded_at, submitter: submitter.clone(), submission };
        let (outcome, notes) = trial.apply(&recorded, &earlier)?;
        earlier.tried.push((entry.clone(), fingerprint));
        let receipt = Receipt { position, recorded_at, entry: Some(entry), outcome, notes };
        results.push(receipt.result().of_dry_run());
    }
    Ok(Appended { results, revision: revision(engine.name(), known_at) })
}

/// The fingerprint of an entry that the journal holds
fn content(row: &Row) -> Result<Fingerprint, Problem> {
    match &row.payload {
        Payload::Malformed { .. } => Ok(Fingerprint::NONE),
        Payload::Entry(bytes) => Encoded::from_canonical(bytes)
            .map(|encoded| encoded.fingerprint())
            .map_err(|error| unreadable(&error)),
    }
}

fn unreadable(error: &impl ToString) -> Problem {
    problem(Code::Internal, error.to_string())
}
