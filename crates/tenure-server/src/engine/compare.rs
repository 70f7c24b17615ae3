//! Does an index checkpoint answer as the ledger does that decided every entry again?
//!
//! Two indexes of the same journal need not be equal byte for byte: names get their numbers in the order in
//! which they are met. So their answers are compared: what became of each entry, and at coordinates spread
//! over both clocks what there was and who held it.

use std::path::PathBuf;

use tenure_core::{AssignmentFilter, EffectiveAt, KnownAt, Ledger, Position, RecordedAt, View};
use tenure_journal::{IndexCheckpoints, Unusable};

use super::checkpoints::{self, Formats};

/// Positions, and moments at each, that are looked at
const MOMENTS: u64 = 6;
/// Holdings at each coordinate whose principals are asked about
const ASKED: usize = 24;

/// What the comparison found
#[derive(Debug)]
pub struct Compared {
    /// The checkpoint
    pub path: PathBuf,
    /// The position that it is of; with what is beyond it in the journal it was compared
    pub position: u64,
    /// Coordinates at which the answers are equal
    pub coordinates: usize,
}

/// Why a checkpoint does not hold what it should
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// It cannot be read
    #[error("the index checkpoint `{}` cannot be used: delete it, or type `tenure rebuild`", path.display())]
    Unusable {
        /// The checkpoint
        path: PathBuf,
        /// Why
        #[source]
        source: Unusable,
    },
    /// It answers otherwise
    #[error(
        "the index checkpoint `{}` answers otherwise than the journal ({what}): type `tenure rebuild`, and \
         report it",
        path.display()
    )]
    Differs {
        /// The checkpoint
        path: PathBuf,
        /// What differs, and where
        what: String,
    },
}

/// Compares the newest checkpoint of a data folder with a ledger that was folded from its whole journal;
/// `None` if there is none
///
/// Nothing is discarded.
/// # Errors
/// A checkpoint that cannot be used, or that answers otherwise.
/// # Cost
/// O(entries + holdings × coordinates).
pub fn compare_checkpoint(
    checkpoints: &IndexCheckpoints,
    ledger: &Ledger,
) -> Result<Option<Compared>, CompareError> {
    let formats = Formats::default();
    let newest = checkpoints.newest(|manifest, pieces| {
        let (name, reader) = (ledger.name(), checkpoints.reader());
        checkpoints::read(name, manifest, pieces, &formats, reader, &mut |_| {})
    });
    let Some((path, read)) = newest else { return Ok(None) };
    match read {
        Err(source) => Err(CompareError::Unusable { path, source }),
        Ok((manifest, loaded)) => match compare(ledger, &loaded) {
            Ok(coordinates) => {
                Ok(Some(Compared { path, position: manifest.position, coordinates }))
            }
            Err(what) => Err(CompareError::Differs { path, what }),
        },
    }
}

/// The coordinates at which two ledgers answer alike, or what differs
pub(super) fn compare(one: &Ledger, other: &Ledger) -> Result<usize, String> {
    let newest = one.newest_position();
    if newest != other.newest_position() {
        return Err("the newest position".to_owned());
    }
    let Some(newest) = newest.map(Position::get) else { return Ok(0) };
    for position in (1..=newest).filter_map(Position::new) {
        let known_at = KnownAt(newest);
        let same = one.recorded_at(position) == other.recorded_at(position)
            && one.entry_id(position) == other.entry_id(position)
            && one.outcome(position) == other.outcome(position)
            && one.voided_by(position, known_at) == other.voided_by(position, known_at)
            && one.entry_id(position).is_none_or(|id| one.owner(id) == other.owner(id));
        if !same {
            return Err(format!("what became of the entry at position {position}"));
        }
    }
    let spread = || (1..=MOMENTS).filter_map(|n| Position::new((newest * n / MOMENTS).max(1)));
    let mut coordinates = 0;
    for known_at in spread() {
        // A moment in between, and one after all.
        let at = spread().filter_map(|position| one.recorded_at(position)).map(RecordedAt::micros);
        for at in at.chain([i64::MAX]).map(EffectiveAt::saturating_from_micros) {
            let known_at = KnownAt(known_at.get());
            if !same_answers(one, other, known_at, at) {
                return Err(format!("what was true at {at}, as known at position {}", known_at.0));
            }
            coordinates += 1;
        }
    }
    Ok(coordinates)
}

fn same_answers(one: &Ledger, other: &Ledger, known_at: KnownAt, at: EffectiveAt) -> bool {
    let (one, other) = (View::of(one, known_at), View::of(other, known_at));
    let levels = one.levels(at);
    let all = AssignmentFilter::default();
    let held = one.assignments(&all, at);
    if levels != other.levels(at)
        || held != other.assignments(&all, at)
        || one.catalog(at) != other.catalog(at)
    {
        return false;
    }
    let every = |count: usize| count.div_ceil(ASKED).max(1);
    let defined = levels.iter().step_by(every(levels.len())).all(|then| {
        one.role_collections(&then.level, at) == other.role_collections(&then.level, at)
    });
    let held = held.unwrap_or_default();
    defined
        && held.iter().step_by(every(held.len())).all(|holding| {
            let asked = (&holding.principal, &holding.level);
            one.what(asked.0, asked.1, at) == other.what(asked.0, asked.1, at)
        })
}
