//! What became of each record?
//!
//! A record has one fate: the weightiest of what became of its parts, in the order of [`Fate`].

use crate::record::{Place, Record};
use crate::summary::{At, Records};

use super::run::Run;

/// What became of a record, the lightest first
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Fate {
    NotAboutAccess,
    Known,
    Applied,
    Drift,
    LeftOut,
    Refused,
}

/// The fates of the records so far, by their place in the order of time
#[derive(Debug, Default)]
pub(crate) struct Accounting(Vec<Fate>);

impl Accounting {
    /// There are so many records
    pub(crate) fn expect(&mut self, records: usize) {
        self.0.resize(records, Fate::NotAboutAccess);
    }

    pub(crate) fn note(&mut self, index: usize, fate: Fate) {
        if let Some(known) = self.0.get_mut(index) {
            *known = fate.max(*known);
        }
    }

    /// Adds the fates to the counts
    pub(crate) fn add_to(&self, records: &mut Records) {
        for fate in &self.0 {
            let count = match fate {
                Fate::NotAboutAccess => &mut records.not_about_access,
                Fate::Known => &mut records.known,
                Fate::Applied => &mut records.applied,
                Fate::Drift => &mut records.drift,
                Fate::LeftOut => &mut records.left_out,
                Fate::Refused => &mut records.refused,
            };
            *count += 1;
        }
    }
}

impl Run<'_> {
    /// Something of the record at hand that leaves no access out
    pub(crate) fn pass_over(&mut self, reason: impl Into<String>) {
        self.summary.pass_over(reason);
    }

    /// The ledger has already what the record at hand says
    pub(crate) fn known_already(&mut self, reason: impl Into<String>) {
        self.summary.pass_over(reason);
        self.accounting.note(self.index, Fate::Known);
    }

    /// Something that the record at hand says cannot be kept
    pub(crate) fn left_out(&mut self, problem: impl Into<String>) {
        let Record { place, kind, .. } = self.record;
        let problem = format!("{kind}: {}", problem.into());
        self.summary.left_out.add(At { place: Place::clone(place), problem });
        self.accounting.note(self.index, Fate::LeftOut);
    }
}
