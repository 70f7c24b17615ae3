//! Which entries count, as known at a position?
//!
//! A void says that an entry should never have counted: it takes the entry's changes out of the facts
//! for every position at or after its own, and leaves them for every earlier one. Voids can be voided.
//!
//! Rules: `docs/semantics.md#counted`, `docs/semantics.md#void`.

use crate::words::position::{KnownAt, Position};
use crate::words::symbol::SharedMap;

/// All voids, the entries that they void, and from which position on
#[derive(Clone, Debug, Default)]
pub(crate) struct Voids {
    /// The voids of an entry, in log order
    of: SharedMap<Position, Vec<Position>>,
    /// The entry that a void is of
    target: SharedMap<Position, Position>,
    /// The positions at which an entry ceased to count and counted again, in turn
    flips: SharedMap<Position, Vec<Position>>,
}

impl Voids {
    /// Whether an applied entry is voided, as known then
    pub(crate) fn voided(&self, position: Position, known_at: KnownAt) -> bool {
        if self.flips.is_empty() {
            return false;
        }
        self.flips
            .get(&position)
            .is_some_and(|flips| flips.partition_point(|flip| known_at.reaches(*flip)) % 2 == 1)
    }

    /// Every void with the entry that it is of, in log order
    pub(crate) fn all(&self) -> Vec<(Position, Position)> {
        let mut all: Vec<_> = self.target.iter().map(|(void, of)| (*void, *of)).collect();
        all.sort_unstable();
        all
    }

    /// The void that voids an entry, as known then; the earliest, where there are several
    pub(crate) fn voided_by(&self, position: Position, known_at: KnownAt) -> Option<Position> {
        self.of
            .get(&position)?
            .iter()
            .copied()
            .find(|void| known_at.reaches(*void) && !self.voided(*void, known_at))
    }

    /// Adds a void and gives every entry that stops counting (`true`) or counts again (`false`)
    pub(crate) fn add(&mut self, void: Position, target: Position) -> Vec<(Position, bool)> {
        self.of.entry(target).or_default().push(void);
        self.target.insert(void, target);
        let known_at = KnownAt::from(void);
        let mut flipped = Vec::new();
        let mut next = Some(target);
        while let Some(entry) = next {
            let before = self.voided(entry, known_at);
            let now = self.voided_by(entry, known_at).is_some();
            if before == now {
                break;
            }
            self.flips.entry(entry).or_default().push(void);
            flipped.push((entry, now));
            // The entry may itself be a void. Then its own target changes too.
            next = self.target.get(&entry).copied();
        }
        flipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(n: u64) -> Position {
        Position::new(n).unwrap()
    }

    #[test]
    fn a_void_of_a_void_counts_again_and_a_second_void_stands_on_its_own() {
        let mut voids = Voids::default();
        let [e, v1, v2, v3, v4] = [1, 2, 3, 4, 5].map(position);
        assert_eq!(voids.add(v1, e), [(e, true)]);
        assert_eq!(voids.add(v2, v1), [(v1, true), (e, false)]);
        assert_eq!(voids.add(v3, e), [(e, true)]);
        // v1 counts again, but v3 voids the entry anyway.
        assert_eq!(voids.add(v4, v2), [(v2, true), (v1, false)]);
        let seen: Vec<_> = (1..=5).map(|s| voids.voided(e, KnownAt(s))).collect();
        assert_eq!(seen, [false, true, false, true, true]);
        assert_eq!(voids.voided_by(e, KnownAt(5)), Some(v1));
        assert_eq!(voids.voided_by(e, KnownAt(4)), Some(v3));
    }
}
