//! What would become of entries if they were handed in now?

use std::ops::Deref;

use crate::ledger::kept::Kept;
use crate::ledger::state::Ledger;
use crate::words::note::Note;
use crate::words::outcome::{Outcome, Recorded};

/// A ledger that decides entries as the real one would, each seeing the ones before it, and keeps them to itself
// INVARIANT (trial): it shares nothing with another ledger that either of them changes in place.
#[derive(Debug)]
pub struct Trial {
    ledger: Ledger,
}

impl Deref for Trial {
    type Target = Ledger;

    fn deref(&self) -> &Ledger {
        &self.ledger
    }
}

impl Ledger {
    /// A trial that begins with the ledger as it is now
    ///
    /// # Cost
    /// O(1). The trial copies each small part before it changes it.
    pub fn trial(&self) -> Trial {
        Trial { ledger: self.aside() }
    }
}

impl Trial {
    /// What would become of the next entry, and what its author may not have meant
    ///
    /// # Errors
    /// Those of `kept`, as [`Ledger::apply_noting`].
    /// # Cost
    /// As [`Ledger::apply_noting`].
    pub fn apply<K: Kept>(
        &mut self,
        recorded: &Recorded,
        kept: &K,
    ) -> Result<(Outcome, Vec<Note>), K::Error> {
        self.ledger.apply_noting(recorded, kept)
    }
}
