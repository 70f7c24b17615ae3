//! How do tests and tools fold a log without a journal?

use std::convert::Infallible;
use std::ops::Deref;

use imbl::Vector;

use crate::ledger::kept::Kept;
use crate::ledger::state::Ledger;
use crate::words::change::Entry;
use crate::words::note::Note;
use crate::words::outcome::{Fingerprint, Outcome, Recorded, Submission};
use crate::words::position::Position;
use crate::words::principal::Principal;
use crate::words::symbol::SharedMap;

/// A ledger that keeps in memory what it must know of its entries
///
/// That is 32 bytes an entry, and a copy of each entry that another than `client:tenure/local` handed in: such a
/// submitter may void it.
#[derive(Debug)]
pub struct LedgerInMemory {
    ledger: Ledger,
    contents: Contents,
}

#[derive(Clone, Debug, Default)]
struct Contents {
    fingerprints: Vector<Option<Fingerprint>>,
    entries: SharedMap<Position, Entry>,
}

impl Contents {
    fn keep(&mut self, position: Position, recorded: &Recorded) {
        self.fingerprints.push_back(match &recorded.submission {
            Submission::Entry(entry, fingerprint) => {
                if recorded.submitter != Principal::local() {
                    self.entries.insert(position, entry.clone());
                }
                Some(*fingerprint)
            }
            Submission::Malformed => None,
        });
    }
}

impl Kept for Contents {
    type Error = Infallible;

    fn content(&self, position: Position) -> Result<Fingerprint, Infallible> {
        let place = usize::try_from(position.get() - 1).ok();
        let content = place.and_then(|place| self.fingerprints.get(place).copied().flatten());
        Ok(content.unwrap_or(Fingerprint::NONE))
    }

    fn entry(&self, position: Position) -> Result<Option<Entry>, Infallible> {
        Ok(self.entries.get(&position).cloned())
    }
}

impl Deref for LedgerInMemory {
    type Target = Ledger;

    fn deref(&self) -> &Ledger {
        &self.ledger
    }
}

impl LedgerInMemory {
    /// The fold of no entries, of the ledger with that name
    pub fn new(name: &str) -> Self {
        Self { ledger: Ledger::new(name), contents: Contents::default() }
    }

    /// Takes in the next entry of the log and gives its outcome
    ///
    /// # Cost
    /// As [`Ledger::apply_with`].
    pub fn apply(&mut self, recorded: &Recorded) -> Outcome {
        let position = self.ledger.next_position();
        let Ok(outcome) = self.ledger.apply_with(recorded, &self.contents);
        self.contents.keep(position, recorded);
        outcome
    }

    /// The same, with what the author of the entry may not have meant
    ///
    /// # Cost
    /// As [`Ledger::apply_noting`].
    pub fn apply_noting(&mut self, recorded: &Recorded) -> (Outcome, Vec<Note>) {
        let position = self.ledger.next_position();
        let Ok(told) = self.ledger.apply_noting(recorded, &self.contents);
        self.contents.keep(position, recorded);
        told
    }

    /// A ledger that goes on from here for itself
    pub fn trial(&self) -> Self {
        Self { ledger: self.ledger.aside(), contents: self.contents.clone() }
    }
}
