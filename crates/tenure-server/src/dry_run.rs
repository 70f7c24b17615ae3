//! What would become of entries that were handed in now?
//!
//! A trial begins with the newest state that may be seen. It decides the entries one after another, each seeing the ones
//! before it, and then it is dropped: nothing reaches the log or the journal.
//!
//! Rules: `docs/semantics.md#dry-run`.

use tenure_core::{Fingerprint, KnownAt, Position, Principal, Recorded};
use tenure_journal::Payload;
use tenure_log::{Receipt, embedded};
use tenure_wire::api::{AppendResult, Appended, Problem, revision};
use tenure_wire::codec::Encoded;

use crate::ask;
use crate::engine::Engine;
use crate::problem::{Code, problem};

/// What an append of these entries would answer
///
/// # Errors
/// A row of the journal that cannot be read, where an id came before.
/// # Cost
/// As an append, without the disk.
pub(crate) fn answer(
    engine: &Engine,
    submitter: &Principal,
    entries: Vec<Encoded>,
) -> Result<Appended, Problem> {
    let mut trial = engine.ledger().trial();
    let first = trial.next_position();
    let known_at = trial.newest_position().map_or(KnownAt(0), KnownAt::from);
    let now = embedded::now();
    let recorded_at = trial.newest_recorded_at().map_or(now, |newest| newest.max(now));
    let mut tried: Vec<Fingerprint> = Vec::with_capacity(entries.len());
    let mut results: Vec<AppendResult> = Vec::with_capacity(entries.len());
    for encoded in entries {
        let position = trial.next_position();
        let content_of = |owner: Position| match owner.get().checked_sub(first.get()) {
            None => content(engine, owner),
            Some(ahead) => {
                let before = usize::try_from(ahead).ok().and_then(|ahead| tried.get(ahead));
                Ok(before.copied().unwrap_or(Fingerprint::NONE))
            }
        };
        let (entry, fingerprint) = (encoded.entry().clone(), encoded.fingerprint());
        let submission = encoded.into_submission();
        let recorded = Recorded { recorded_at, submitter: submitter.clone(), submission };
        let (outcome, notes) = trial.apply(&recorded, content_of)?;
        let receipt = Receipt { position, recorded_at, entry: Some(entry), outcome, notes };
        results.push(receipt.result().of_dry_run());
        tried.push(fingerprint);
    }
    Ok(Appended { results, revision: revision(engine.name(), known_at) })
}

/// The fingerprint of an entry that the journal holds
fn content(engine: &Engine, position: Position) -> Result<Fingerprint, Problem> {
    match &ask::row(engine, position)?.payload {
        Payload::Malformed { .. } => Ok(Fingerprint::NONE),
        Payload::Entry(bytes) => Encoded::from_canonical(bytes)
            .map(|encoded| encoded.fingerprint())
            .map_err(|error| problem(Code::Internal, error.to_string())),
    }
}
