//! What does an import need of a ledger?
//!
//! To append, and to ask. A [`Target`] is a server, a data folder or, in tests, a fold in memory; the
//! importer knows nothing else of it.

use std::error::Error;

use tenure_wire::api::EntryResult;
use tenure_wire::question::Texts;
use tenure_wire::v1::Entry;

/// A ledger that is imported into
pub trait Target {
    /// Appends entries and gives what became of each, in order
    ///
    /// An import passes at most 1,000 entries and about 900,000 bytes of JSON a call, each in its
    /// canonical form, and none that is malformed.
    ///
    /// # Errors
    /// [`TargetError`]: whether they are in the ledger is unknown; appending them again is safe.
    fn append(&mut self, entries: Vec<Entry>) -> Result<Vec<EntryResult>, TargetError>;

    /// Answers a question, with everything known that was appended here before
    ///
    /// # Errors
    /// The problem that the question has, or a failure to ask it.
    fn ask(&mut self, question: &Texts) -> Result<serde_json::Value, AskFailure>;
}

/// Why a ledger cannot be reached, or cannot do its work
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct TargetError(Box<dyn Error + Send + Sync>);

impl TargetError {
    /// Of whatever the target says
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

/// Why a question was not answered
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskFailure {
    /// The question has no answer, or is wrong
    #[error("{code}: {detail}")]
    Problem {
        /// A stable code
        code: String,
        /// A sentence
        detail: String,
    },
    /// It could not be asked
    #[error("the ledger could not be asked")]
    Failed(#[source] TargetError),
}
