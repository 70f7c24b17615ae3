//! What does an import need of a ledger?
//!
//! It appends entries and asks questions. A [`Target`] is a server, a data folder or, in tests, a ledger in
//! memory.

use std::error::Error;

use tenure_wire::api::AppendResult;
use tenure_wire::question::Texts;
use tenure_wire::v1::Entry;

/// A ledger that is imported into
pub trait Target {
    /// Appends entries and gives what became of each, in order
    ///
    /// An import passes at most 1,000 entries and about 900,000 bytes of JSON a call. Each entry is in its
    /// canonical form, and none is malformed.
    ///
    /// # Errors
    /// [`TargetError`]: the entries may or may not be in the ledger. Appending them again is safe.
    fn append(&mut self, entries: Vec<Entry>) -> Result<Vec<AppendResult>, TargetError>;

    /// Answers a question; the answer knows all that was appended here before
    ///
    /// # Errors
    /// The problem with the question, or a failure to ask it.
    fn ask(&mut self, question: &Texts) -> Result<serde_json::Value, AskFailure>;
}

/// Why a ledger cannot be reached, or cannot do its work
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct TargetError(Box<dyn Error + Send + Sync>);

impl TargetError {
    /// Wraps the target's own error
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
