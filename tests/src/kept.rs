//! What does the log of a test say of the entries before?

use std::convert::Infallible;

use tenure_core::{Entry, Fingerprint, Kept, Position, Recorded, Submission};

/// A log, with the first position at its beginning
#[derive(Clone, Copy, Debug)]
pub struct Log<'a>(pub &'a [Recorded]);

impl<'a> Log<'a> {
    /// What the log holds at a position
    pub fn at(self, position: Position) -> &'a Submission {
        &self.0[usize::try_from(position.get()).unwrap() - 1].submission
    }
}

impl Kept for Log<'_> {
    type Error = Infallible;

    fn content(&self, position: Position) -> Result<Fingerprint, Infallible> {
        Ok(match self.at(position) {
            Submission::Entry(_, fingerprint) => *fingerprint,
            Submission::Malformed => Fingerprint::NONE,
        })
    }

    fn entry(&self, position: Position) -> Result<Option<Entry>, Infallible> {
        Ok(match self.at(position) {
            Submission::Entry(entry, _) => Some(entry.clone()),
            Submission::Malformed => None,
        })
    }
}
