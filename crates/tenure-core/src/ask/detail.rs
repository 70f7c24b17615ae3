//! Which part of an answer is told in detail?
//!
//! An answer names everybody. Why somebody could costs more than who could, so it is told of the rows that are shown.

use std::ops::Range;

use crate::ask::answer::Who;
use crate::words::principal::Principal;

/// What is told of an answer beside its names
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Detail {
    /// The rows that are shown; of all others the names alone are right
    pub rows: Range<usize>,
    /// Whether each holding at a moment says how it ends
    pub ends: bool,
}

impl Default for Detail {
    /// Every row, without ends
    fn default() -> Self {
        Self { rows: 0..usize::MAX, ends: false }
    }
}

impl Detail {
    /// The rows that are shown
    pub(super) fn shown<'w, T>(
        &self,
        who: &'w mut Who<T>,
    ) -> impl Iterator<Item = (&'w Principal, &'w mut T)> {
        let subjects = who.subjects.iter_mut().skip(self.rows.start).take(self.rows.len());
        // Sets come with the first rows.
        let first = self.rows.start == 0;
        let sets = who.sets.iter_mut().filter(move |_| first);
        subjects.chain(sets).map(|subject| (&subject.principal, &mut subject.detail))
    }
}
