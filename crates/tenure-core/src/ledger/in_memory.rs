//! How do tests and tools fold a log without a journal?

use std::convert::Infallible;
use std::ops::Deref;

use imbl::Vector;

use crate::ledger::state::Ledger;
use crate::words::note::Note;
use crate::words::outcome::{Fingerprint, Outcome, Recorded, Submission};
use crate::words::position::Position;

/// A ledger that keeps the contents of its entries in memory, 32 bytes each
#[derive(Debug, Default)]
pub struct LedgerInMemory {
    ledger: Ledger,
    contents: Vector<Option<Fingerprint>>,
}

impl Deref for LedgerInMemory {
    type Target = Ledger;

    fn deref(&self) -> &Ledger {
        &self.ledger
    }
}

impl LedgerInMemory {
    /// The fold of no entries
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the next entry of the log and gives its outcome
    ///
    /// # Cost
    /// As [`Ledger::apply_with`].
    pub fn apply(&mut self, recorded: &Recorded) -> Outcome {
        let contents = &self.contents;
        let Ok(outcome) = self.ledger.apply_with(recorded, |owner| content(contents, owner));
        self.keep(recorded);
        outcome
    }

    /// The same, with what the author of the entry may not have meant
    ///
    /// # Cost
    /// As [`Ledger::apply_noting`].
    pub fn apply_noting(&mut self, recorded: &Recorded) -> (Outcome, Vec<Note>) {
        let contents = &self.contents;
        let Ok(told) = self.ledger.apply_noting(recorded, |owner| content(contents, owner));
        self.keep(recorded);
        told
    }

    /// A ledger that goes on from here for itself
    pub fn trial(&self) -> Self {
        Self { ledger: self.ledger.aside(), contents: self.contents.clone() }
    }

    fn keep(&mut self, recorded: &Recorded) {
        self.contents.push_back(match &recorded.submission {
            Submission::Entry(_, fingerprint) => Some(*fingerprint),
            Submission::Malformed => None,
        });
    }
}

fn content(
    contents: &Vector<Option<Fingerprint>>,
    owner: Position,
) -> Result<Fingerprint, Infallible> {
    let place = usize::try_from(owner.get() - 1).ok();
    let content = place.and_then(|place| contents.get(place).copied().flatten());
    Ok(content.unwrap_or(Fingerprint::NONE))
}
