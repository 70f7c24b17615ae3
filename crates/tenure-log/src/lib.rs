//! The log of the ledger: where entries get their order
//!
//! A log gives [`Message`]s in one order, each with the time at which the log stamped it. The fold decides what
//! becomes of their entries. There are two logs: [`embedded`] is the log of a ledger that runs alone, whose
//! journal is its log; [`nats`] is a stream in NATS JetStream, which any number of ledgers follow.

use tenure_core::{Entry, Note, Outcome, Position, Principal, RecordedAt};
use tenure_wire::api::{AppendResult, EntryResult};
use tenure_wire::message::{Item, Origin, Reading};
use tenure_wire::sentence::Submitted;
use tokio::sync::oneshot;

pub mod embedded;
pub mod nats;

/// Entries that travelled together; all of them get the time and the submitter of the message
#[derive(Debug)]
pub struct Message {
    /// The time of the log's clock, which may step back
    pub stamped_at: RecordedAt,
    /// Who handed in the entries, as the log vouches for it
    pub submitter: Principal,
    /// For whom the submitter says that it speaks; it counts where the submitter is a door
    pub caller: Option<Principal>,
    /// The entries, at least one
    pub entries: Vec<Item>,
    /// The place of the message in the stream, where a stream is the log
    pub origin: Option<Origin>,
    /// The sender of the entries, if it waits for their receipts
    pub waiter: Option<Waiter>,
}

/// Gives the receipts of a message's entries to the task that waits for them
pub type Waiter = oneshot::Sender<Result<Vec<Receipt>, AppendError>>;

/// The place and the outcome of an appended entry
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// Its position in the log
    pub position: Position,
    /// When the log recorded it
    pub recorded_at: RecordedAt,
    /// The entry; `None` if its bytes could not be decoded
    pub entry: Option<Entry>,
    /// What the fold decided
    pub outcome: Outcome,
    /// What its author may not have meant
    pub notes: Vec<Note>,
}

impl Receipt {
    /// What a door answers
    pub fn result(&self) -> AppendResult {
        // What is appended through a door can be decoded, so no bytes are kept for a sentence.
        let undecoded = Submitted::Malformed { raw: &[], reading: Reading::Unknown };
        let submitted = self.entry.as_ref().map_or(undecoded, Submitted::Entry);
        let result = EntryResult::new(self.position, self.recorded_at, &self.outcome, submitted);
        let result = AppendResult::from(result);
        match &self.entry {
            Some(entry) => result.with_notes(&self.notes, entry, self.recorded_at),
            None => result,
        }
    }
}

/// Why there is no receipt
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AppendError {
    /// Nothing was appended
    #[error("nothing was appended: {0}")]
    NotDone(String),
    /// It is not known whether the entries are in the log
    ///
    /// Append them again with the same ids, which is always safe.
    #[error(
        "it is not known whether the entries are in the log: send them again with the same ids"
    )]
    Indeterminate,
}

/// An error with all its causes, in one line
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
