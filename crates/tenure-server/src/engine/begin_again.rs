//! What becomes of a damaged journal whose entries a stream has?

use std::path::Path;

use tenure_journal::Journal;
use tenure_journal::quarantine;

use super::checkpoints::{self, Begun, Checkpointing, Formats};
use super::digest::Trail;
use super::error::{StartError, chain};
use super::replay::Progress;
use crate::metrics::Metrics;

/// Opens the journal of a data folder that follows a stream; a damaged one is set aside and begun again
///
/// # Errors
/// As [`Journal::open`], but for damage.
pub fn open_or_begin_again(
    path: &Path,
    ledger: Option<&str>,
) -> Result<Journal, tenure_journal::Error> {
    match Journal::open(path, ledger) {
        Err(error) if error.is_damage() => {
            set_aside(path, &error)
                .map_err(|source| tenure_journal::Error::Io { path: path.to_owned(), source })?;
            Journal::open(path, ledger)
        }
        opened => opened,
    }
}

fn set_aside(path: &Path, error: &tenure_journal::Error) -> std::io::Result<()> {
    let why = chain(error);
    let kept = quarantine::quarantine(path, &why)?;
    tracing::error!(
        why,
        set_aside = %kept.set_aside.display(),
        positions = kept.position,
        "the journal is damaged: it was set aside, and is built again from the stream"
    );
    Ok(())
}

/// A replica does not serve from an older format of the index: it is not ready before it has caught up anyway
pub(super) fn formats() -> Formats {
    Formats::default().without_older()
}

pub(super) type Folded = (Journal, Begun, Trail);

/// Folds the journal of a replica; a damaged one is set aside and begun again
pub(super) fn fold_or_begin_again(
    journal: Journal,
    checkpointing: Checkpointing,
    metrics: &Metrics,
    progress: &mut impl FnMut(Progress),
) -> Result<Folded, StartError> {
    let path = journal.path().to_owned();
    let folded = fold(&journal, checkpointing, metrics, progress);
    match folded {
        Ok((begun, trail)) => Ok((journal, begun, trail)),
        Err(StartError::Journal(error)) if error.is_damage() => {
            drop(journal);
            set_aside(&path, &error).map_err(StartError::Folder)?;
            let journal = Journal::open(&path, None).map_err(StartError::Journal)?;
            let (begun, trail) = fold(&journal, checkpointing, metrics, progress)?;
            Ok((journal, begun, trail))
        }
        Err(error) => Err(error),
    }
}

fn fold(
    journal: &Journal,
    checkpointing: Checkpointing,
    metrics: &Metrics,
    progress: &mut impl FnMut(Progress),
) -> Result<(Begun, Trail), StartError> {
    let begun = checkpoints::begin(journal, checkpointing, &formats(), metrics, progress)?;
    let trail = Trail::open(&journal.reader()).map_err(StartError::Journal)?;
    Ok((begun, trail))
}
