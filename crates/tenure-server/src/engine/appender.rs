//! Which log is appended to?

use tenure_core::Principal;
use tenure_log::{AppendError, Receipt, embedded, nats};
use tenure_wire::codec::Encoded;

/// What appends to the log of a running ledger; cheap to clone
#[derive(Clone, Debug)]
pub(super) enum Appender {
    /// The journal is the log
    Embedded(embedded::QueueAppender),
    /// A stream is
    Nats(nats::Appender),
}

impl Appender {
    /// As the `append` of either log; in a stream, the caller is the submitter where this server is a door
    pub(super) async fn append(
        &self,
        submitter: &Principal,
        entries: Vec<Encoded>,
    ) -> Result<Vec<Receipt>, AppendError> {
        match self {
            Self::Embedded(appender) => appender.append(submitter.clone(), entries).await,
            Self::Nats(appender) => appender.append(submitter, entries).await,
        }
    }
}
