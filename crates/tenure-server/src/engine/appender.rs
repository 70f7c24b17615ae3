//! Which log is appended to?

use tenure_log::{Append, AppendError, Receipt, embedded, nats};
use tenure_wire::codec::Encoded;

/// What appends to the log of a running ledger; cheap to clone
#[derive(Clone, Debug)]
pub(super) enum Appender {
    /// The journal is the log
    Embedded(embedded::Appender),
    /// A stream is
    Nats(nats::Appender),
}

impl Append for Appender {
    async fn append(&self, entries: Vec<Encoded>) -> Result<Vec<Receipt>, AppendError> {
        match self {
            Self::Embedded(appender) => appender.append(entries).await,
            Self::Nats(appender) => appender.append(entries).await,
        }
    }
}
