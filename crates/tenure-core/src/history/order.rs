//! In which order do changes take effect?
//!
//! They are ordered by effective time, then by position, then by their index within the entry. A [`Track`]
//! has the history of one thing over valid time, in that order.
//!
//! Rules: `docs/semantics.md#order`.

use crate::words::instant::EffectiveAt;
use crate::words::position::Position;

/// A change's place among all changes
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct OrderKey {
    pub(crate) effective_at: EffectiveAt,
    pub(crate) position: Position,
    pub(crate) index: u16,
}

/// Up to where changes count: a change, and all before it
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Cut(pub(crate) OrderKey);

impl Cut {
    /// Everything up to the end of that moment
    pub(crate) fn through(t: EffectiveAt) -> Self {
        Self(OrderKey { effective_at: t, position: Position::LAST, index: u16::MAX })
    }

    /// To the end of time
    pub(crate) const OPEN: Self = Self(OrderKey {
        effective_at: EffectiveAt::LAST,
        position: Position::LAST,
        index: u16::MAX,
    });
}

impl From<EffectiveAt> for Cut {
    fn from(t: EffectiveAt) -> Self {
        Self::through(t)
    }
}

/// The history of one thing: its value from each change on
// INVARIANT (track): `records` is sorted by its keys; no two are equal.
#[derive(Clone, Debug)]
pub(crate) struct Track<T> {
    records: Vec<(OrderKey, T)>,
}

impl<T> Default for Track<T> {
    fn default() -> Self {
        Self { records: Vec::new() }
    }
}

impl<T> Track<T> {
    /// The value up to a cut
    pub(crate) fn at(&self, cut: Cut) -> Option<&T> {
        let after = self.records.partition_point(|(key, _)| *key <= cut.0);
        self.records.get(after.checked_sub(1)?).map(|(_, value)| value)
    }

    /// The value up to a cut, with the change that set it
    pub(crate) fn record_at(&self, cut: Cut) -> Option<&(OrderKey, T)> {
        let after = self.records.partition_point(|(key, _)| *key <= cut.0);
        self.records.get(after.checked_sub(1)?)
    }

    /// The last record up to a cut that `meets`
    pub(crate) fn last_where(&self, cut: Cut, meets: impl Fn(&T) -> bool) -> Option<OrderKey> {
        let after = self.records.partition_point(|(key, _)| *key <= cut.0);
        let found = self.records.iter().take(after).rev().find(|(_, value)| meets(value));
        found.map(|(key, _)| *key)
    }

    /// Whether there is a record after a change
    pub(crate) fn goes_beyond(&self, key: OrderKey) -> bool {
        self.records.last().is_some_and(|(last, _)| *last > key)
    }

    pub(crate) fn last(&self) -> Option<&T> {
        self.records.last().map(|(_, value)| value)
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn push(&mut self, key: OrderKey, value: T) {
        debug_assert!(self.records.last().is_none_or(|(last, _)| *last < key));
        self.records.push((key, value));
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        self.records.pop().map(|(_, value)| value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(OrderKey, T)> {
        self.records.iter()
    }

    /// The first record that `meets` strictly after a change and within a bound
    pub(crate) fn first_between(
        &self,
        after: OrderKey,
        bound: Bound,
        meets: impl Fn(&T) -> bool,
    ) -> Option<OrderKey> {
        let start = self.records.partition_point(|(key, _)| *key <= after);
        self.records
            .iter()
            .skip(start)
            .take_while(|(key, _)| bound.includes(key))
            .find(|(_, value)| meets(value))
            .map(|(key, _)| *key)
    }

    /// Takes a record in at its place
    pub(crate) fn insert(&mut self, key: OrderKey, value: T) {
        let place = self.records.partition_point(|(other, _)| *other < key);
        // Most tracks have one or two records, so they grow in small steps.
        if self.records.len() == self.records.capacity() {
            self.records.reserve_exact(self.records.len() / 2 + 1);
        }
        self.records.insert(place, (key, value));
    }

    /// Takes a record out
    pub(crate) fn remove(&mut self, key: OrderKey) {
        if let Ok(place) = self.records.binary_search_by_key(&key, |(other, _)| *other) {
            self.records.remove(place);
        }
    }
}

/// Where a stretch of changes ends
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    /// Before that change
    Before(OrderKey),
    /// To the end of that moment
    Through(EffectiveAt),
    /// For ever
    Open,
}

impl Bound {
    pub(crate) fn includes(self, key: &OrderKey) -> bool {
        match self {
            Self::Before(end) => *key < end,
            Self::Through(t) => key.effective_at <= t,
            Self::Open => true,
        }
    }

    /// Whether a holding that expires at that moment expires within the bound
    ///
    /// At one instant, a holding expires before any change.
    pub(crate) fn reaches(self, until: EffectiveAt) -> bool {
        match self {
            Self::Before(key) => until <= key.effective_at,
            Self::Through(t) => until <= t,
            Self::Open => true,
        }
    }
}
