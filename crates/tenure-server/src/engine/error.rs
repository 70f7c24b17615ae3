//! Why does an engine not start?

use tenure_core::Position;
use tenure_journal::RowError;
use tenure_wire::catalogs;

/// Why an engine did not start
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The journal cannot be opened or read
    #[error("the journal cannot be read")]
    Journal(#[source] tenure_journal::Error),
    /// A row that was decided otherwise before
    #[error(
        "the entry at position {position} was {before}, and is {now} by the rules of this program: the \
         journal is damaged, or was written by a program with other rules"
    )]
    OtherOutcome {
        /// Its position
        position: Position,
        /// What the journal says
        before: String,
        /// What the fold says
        now: String,
    },
    /// A row that says what no row says
    #[error("the entry at position {position} cannot be read")]
    Row {
        /// Its position
        position: Position,
        /// Why
        #[source]
        source: RowError,
    },
    /// A built-in catalogue is wrong
    #[error("a built-in catalogue is wrong")]
    Catalog(#[source] catalogs::CatalogFileError),
    /// This machine's clock is surely wrong
    #[error("the built-in catalogues cannot be appended: {0}")]
    Clock(String),
    /// The log in NATS cannot be used
    #[error("the log cannot be used")]
    Log(#[source] tenure_log::nats::OpenError),
    /// What is kept beside the journal cannot be read or written
    #[error("the data folder cannot be used")]
    Folder(#[source] std::io::Error),
    /// The journal follows a stream
    #[error(
        "the data folder `{}` follows a stream in NATS: name it with `--log nats://…`, or ask its server", .0.display()
    )]
    FollowsStream(std::path::PathBuf),
}

/// An error with all its causes, in one line
pub fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
