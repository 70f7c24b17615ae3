//! Who could do X at T, as known at S?
//!
//! Every question has both coordinates: a moment of valid time, and the position that the [`View`](crate::view::View)
//! pins. `plan` turns what is asked about into an expression over leaves with the levels where each
//! looks; `moment` answers at one moment, `interval` over a stretch of time, and `landscape` what is
//! there rather than who could.
//!
//! Errors come in one order: the level first, then what is asked, then the interval.

mod interval;
mod landscape;
mod moment;
mod plan;

pub use landscape::AssignmentFilter;

use crate::instant::EffectiveAt;

/// A stretch of valid time, `[from, until)`
// INVARIANT (span): `until` is after `from`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    from: EffectiveAt,
    until: Option<EffectiveAt>,
}

impl Span {
    /// From a moment up to another, or for ever
    ///
    /// `None` if there is no moment in it.
    pub fn new(from: EffectiveAt, until: Option<EffectiveAt>) -> Option<Self> {
        until.is_none_or(|until| from < until).then_some(Self { from, until })
    }

    /// Its first moment
    pub fn from(self) -> EffectiveAt {
        self.from
    }

    /// The first moment after it
    pub fn until(self) -> Option<EffectiveAt> {
        self.until
    }

    /// The part of it that lies in another
    fn within(self, other: Self) -> Option<Self> {
        let until = match (self.until, other.until) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        Self::new(self.from.max(other.from), until)
    }
}
