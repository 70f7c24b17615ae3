//! The log of the ledger: where entries get their order
//!
//! A [`Log`] gives messages in one order, each with the time that it was stamped. It decides nothing:
//! the fold does. [`embedded`] is the log of a ledger that runs alone, whose journal is its log; [`nats`]
//! is a stream in NATS JetStream, which any number of ledgers follow.

use std::future::Future;

use tenure_core::{Outcome, Position, RecordedAt};
use tenure_wire::codec::Encoded;
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

/// Messages in the order of the log
pub trait Log: Send {
    /// Waits for messages and gives all that are there, up to so many entries; `None` when the log is
    /// closed, and no messages when whoever waits was only woken
    fn next(&mut self, entries_max: usize) -> Option<Vec<Message>>;
}

/// What appends to a log
pub trait Append: Send + Sync {
    /// Appends entries and waits until they are in the log and applied here
    ///
    /// # Guarantees
    /// On `Ok` they are in the log, in this order: on this disk where the log is here, acknowledged by the
    /// broker where it is elsewhere.
    /// # Errors
    /// [`AppendError::NotDone`]: nothing was appended. [`AppendError::Indeterminate`]: it may have been;
    /// append again with the same ids.
    fn append(
        &self,
        entries: Vec<Encoded>,
    ) -> impl Future<Output = Result<Vec<Receipt>, AppendError>> + Send;
}

/// An error with all its causes, in one line
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
