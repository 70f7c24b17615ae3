//! The log of the ledger: where entries get their order
//!
//! A log gives [`Message`]s in one order, each with the time at which the log stamped it. The fold decides what
//! becomes of their entries. There are two logs: [`embedded`] is the log of a ledger that runs alone, whose
//! journal is its log; [`nats`] is a stream in NATS JetStream, which any number of ledgers follow.

use tenure_core::{Outcome, Position, RecordedAt};
use tenure_wire::message::{Item, Origin};
use tokio::sync::oneshot;

pub mod embedded;
pub mod nats;

/// Entries that travelled together; they share the time that the log gave them
#[derive(Debug)]
pub struct Message {
    /// The log's clock, which may step back
    pub stamped_at: RecordedAt,
    /// At least one
    pub entries: Vec<Item>,
    /// Where it stands in the stream, where one is the log
    pub origin: Option<Origin>,
    /// Who waits for what becomes of them
    pub waiter: Option<Waiter>,
}

/// Whoever waits for what becomes of the entries of a message
pub type Waiter = oneshot::Sender<Result<Vec<Receipt>, AppendError>>;

/// What became of an entry that was appended
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// Its place in the log
    pub position: Position,
    /// When the log recorded it
    pub recorded_at: RecordedAt,
    /// What the fold made of it
    pub outcome: Outcome,
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
