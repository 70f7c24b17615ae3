//! When is something so?
//!
//! Half-open stretches of valid time in microseconds, and how stretches with values are put together.

/// The end of what has no end
pub(crate) const FOREVER: i64 = i64::MAX;

/// A stretch of valid time, `[from, until)`
// INVARIANT (span): `until` is after `from`; only `new` makes one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Span {
    from: i64,
    until: i64,
}

impl Span {
    pub(crate) const ALWAYS: Self = Self { from: 0, until: FOREVER };

    pub(crate) fn new(from: i64, until: i64) -> Option<Self> {
        (from < until).then_some(Self { from, until })
    }

    pub(crate) fn from(self) -> i64 {
        self.from
    }

    pub(crate) fn until(self) -> i64 {
        self.until
    }

    /// The part that lies in another
    pub(crate) fn and(self, other: Self) -> Option<Self> {
        Self::new(self.from.max(other.from), self.until.min(other.until))
    }

    pub(crate) fn contains(self, t: i64) -> bool {
        self.from <= t && t < self.until
    }
}

/// Sorted by value and time, with adjacent and overlapping stretches of one value joined
pub(crate) fn joined<V: Ord + Copy>(mut all: Vec<(V, Span)>) -> Vec<(V, Span)> {
    all.sort_unstable();
    let mut found: Vec<(V, Span)> = Vec::with_capacity(all.len());
    for (value, span) in all {
        match found.last_mut() {
            Some((last, before)) if *last == value && span.from <= before.until => {
                before.until = before.until.max(span.until);
            }
            _ => found.push((value, span)),
        }
    }
    found
}

/// The stretches of `one` without those of `other`; both sorted and disjoint
pub(crate) fn without(one: &[Span], other: &[Span]) -> Vec<Span> {
    let mut found = Vec::new();
    for span in one {
        let mut from = span.from;
        for gap in other.iter().filter(|gap| gap.and(*span).is_some()) {
            found.extend(Span::new(from, gap.from));
            from = gap.until;
        }
        found.extend(Span::new(from, span.until));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_joined_and_cut() {
        let span = |from, until| Span::new(from, until).unwrap();
        let all = vec![(1, span(5, 9)), (1, span(2, 5)), (2, span(9, 10)), (1, span(20, 21))];
        let expected = [(1, span(2, 9)), (1, span(20, 21)), (2, span(9, 10))];
        assert_eq!(joined(all), expected);
        let cut = without(&[span(0, 10), span(20, 30)], &[span(0, 2), span(4, 5), span(9, 25)]);
        assert_eq!(cut, [span(2, 4), span(5, 9), span(25, 30)]);
        assert_eq!(Span::new(3, 3), None);
    }
}
