//! How does a journal become a ledger again?
//!
//! A rebuild takes the outcomes as the journal has them and folds the facts; a verification decides every
//! entry again and compares. One thread reads and decodes, another folds.

use std::ops::ControlFlow;
use std::sync::mpsc::sync_channel;

use tenure_core::{
    Entry, Fingerprint, Kept, Ledger, Outcome, Position, Principal, RecordedAt, Submission,
};
use tenure_journal::{Reader, Row};

use super::error::StartError;

/// Batches that are decoded ahead
const BATCHES_AHEAD: usize = 8;

/// What an engine is when it is shown what the journal holds
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Entries folded
    pub done: u64,
    /// Entries in the journal
    pub of: u64,
}

/// A row, read for the fold
struct Decoded {
    recorded_at: RecordedAt,
    submitter: Principal,
    entry: Option<Entry>,
    outcome: Outcome,
}

/// Folds all that the journal of a ledger holds, with the outcomes that it says
///
/// # Errors
/// The first place that cannot be read, or that cannot have been applied.
/// # Cost
/// O(entries). Reading and folding share two processors.
pub fn rebuild(
    name: &str,
    reader: &Reader,
    progress: &mut impl FnMut(Progress),
) -> Result<Ledger, StartError> {
    let mut ledger = Ledger::new(name);
    catch_up(&mut ledger, reader, progress)?;
    Ok(ledger)
}

/// Folds what a journal holds beyond a ledger, with the outcomes that it says
///
/// # Errors
/// As [`rebuild`].
pub(crate) fn catch_up(
    ledger: &mut Ledger,
    reader: &Reader,
    progress: &mut impl FnMut(Progress),
) -> Result<(), StartError> {
    let mut whole = |now| {
        progress(now);
        ControlFlow::Continue(())
    };
    catch_up_while(ledger, reader, &mut whole).map(|_| ())
}

/// As [`catch_up`], for as long as `progress` says so
///
/// # Errors
/// As [`rebuild`].
pub(crate) fn catch_up_while(
    ledger: &mut Ledger,
    reader: &Reader,
    progress: &mut impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, StartError> {
    let of = reader.newest().map_or(0, Position::get);
    let from = ledger.next_position();
    ledger.reserve(of.saturating_sub(from.get()));
    std::thread::scope(|scope| {
        let (sender, batches) = sync_channel(BATCHES_AHEAD);
        scope.spawn(move || {
            for block in reader.blocks_from(from) {
                let decoded = block.map_err(StartError::Journal).and_then(|(first, rows)| {
                    decode(first, &rows)
                        .map_err(|(position, source)| StartError::Row { position, source })
                });
                // Nobody receives once the fold has ended.
                if sender.send(decoded).is_err() {
                    return;
                }
            }
        });
        for batch in batches {
            for Decoded { recorded_at, submitter, entry, outcome } in batch? {
                let position = ledger.next_position();
                let restored = ledger.restore(recorded_at, &submitter, entry.as_ref(), &outcome);
                restored.map_err(|now| other_outcome(position, &outcome, &now))?;
            }
            let done = ledger.newest_position().map_or(0, Position::get);
            if progress(Progress { done, of: of.max(done) }).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    })
}

fn decode(
    first: Position,
    rows: &[Row],
) -> Result<Vec<Decoded>, (Position, tenure_journal::RowError)> {
    let positions = std::iter::successors(Some(first), |position| Some(position.next()));
    let decoded = positions.zip(rows).map(|(position, row)| {
        let entry = row.entry().map_err(|source| (position, source))?;
        let (submitter, outcome) = (row.submitter.clone(), row.outcome.clone());
        Ok(Decoded { recorded_at: row.recorded_at, submitter, entry, outcome })
    });
    decoded.collect()
}

/// What a verification must know of the entries before
struct Verified<'r> {
    reader: &'r Reader,
    contents: Vec<Fingerprint>,
}

impl Kept for Verified<'_> {
    type Error = StartError;

    fn content(&self, position: Position) -> Result<Fingerprint, StartError> {
        let place = usize::try_from(position.get() - 1).ok();
        let content = place.and_then(|place| self.contents.get(place)).copied();
        Ok(content.unwrap_or(Fingerprint::NONE))
    }

    fn entry(&self, position: Position) -> Result<Option<Entry>, StartError> {
        let row = self.reader.row(position).map_err(StartError::Journal)?;
        row.entry().map_err(|source| StartError::Row { position, source })
    }
}

/// Decides all that the journal of a ledger holds again, and compares every outcome
///
/// # Errors
/// The first place that cannot be read, or that the fold decides otherwise.
/// # Cost
/// O(entries), and 32 bytes of memory an entry more than [`rebuild`].
pub fn verify(
    name: &str,
    reader: &Reader,
    progress: &mut impl FnMut(Progress),
) -> Result<Ledger, StartError> {
    let of = reader.newest().map_or(0, Position::get);
    let mut ledger = Ledger::new(name);
    let mut kept = Verified { reader, contents: Vec::new() };
    for block in reader.blocks_from(Position::FIRST) {
        let (_, rows) = block.map_err(StartError::Journal)?;
        for row in rows {
            let position = ledger.next_position();
            let recorded = row.recorded().map_err(|source| StartError::Row { position, source })?;
            let now = ledger.apply_with(&recorded, &kept)?;
            kept.contents.push(match recorded.submission {
                Submission::Entry(_, fingerprint) => fingerprint,
                Submission::Malformed => Fingerprint::NONE,
            });
            // Reasons may be told apart more finely one day; codes stay.
            if !same_decision(&now, &row.outcome) {
                return Err(other_outcome(position, &row.outcome, &now));
            }
        }
        progress(Progress { done: ledger.newest_position().map_or(0, Position::get), of });
    }
    Ok(ledger)
}

fn other_outcome(position: Position, before: &Outcome, now: &Outcome) -> StartError {
    StartError::OtherOutcome { position, before: described(before), now: described(now) }
}

fn same_decision(one: &Outcome, other: &Outcome) -> bool {
    match (one, other) {
        (Outcome::Applied, Outcome::Applied) => true,
        (Outcome::Refused(one), Outcome::Refused(other)) => {
            one.code() == other.code() && one.change == other.change
        }
        (Outcome::Duplicate(one), Outcome::Duplicate(other)) => one.position == other.position,
        _ => false,
    }
}

fn described(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Applied => "applied".to_owned(),
        Outcome::Refused(refusal) => format!("refused as {}", refusal.code().as_str()),
        Outcome::Duplicate(original) => format!("a duplicate of {}", original.position),
    }
}
