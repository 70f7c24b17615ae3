//! What is a stretch of time?

use crate::words::instant::EffectiveAt;

/// A stretch of valid time, `[from, until)`
// INVARIANT (span): `until` is after `from`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Span {
    pub(crate) from: EffectiveAt,
    pub(crate) until: Option<EffectiveAt>,
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

    /// Whether a moment lies in it
    pub(crate) fn contains(self, t: EffectiveAt) -> bool {
        self.from <= t && self.until.is_none_or(|until| t < until)
    }

    /// The part of it that lies in another
    pub(crate) fn within(self, other: Self) -> Option<Self> {
        let until = match (self.until, other.until) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        Self::new(self.from.max(other.from), until)
    }
}
