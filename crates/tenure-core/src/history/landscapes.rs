//! Which landscape was known at S?
//!
//! One landscape serves nearly every S. Most changes take effect when they are recorded. Those that were
//! recorded after S come after everything that was known at S, so a *clamp* cuts them off. Two kinds of change
//! need more:
//!
//! - A late change or a void alters what was there before. The landscape from before such a change is kept. It
//!   shares every part that did not change.
//! - A change that was scheduled at S may have been altered before it took effect. A question about a time after
//!   it, as known at S, is answered from a landscape that is folded for that S. The last few of these are
//!   kept.

use std::sync::Arc;

use imbl::Vector;
use parking_lot::Mutex;

use crate::history::landscape::{Landscape, Structural};
use crate::history::order::{Cut, OrderKey};
use crate::words::instant::EffectiveAt;
use crate::words::position::{KnownAt, Position};

/// Most landscapes folded for one S that are kept
const FOLDED_MAX: usize = 32;
/// Most landscapes from before a late change or a void; beyond that every other one is dropped
const EARLIER_MAX: usize = 4_096;
/// Most records that these do not share with later ones, half a kilobyte each at most; beyond that, too,
/// every other one is dropped
const EARLIER_WEIGHT_MAX: usize = 1 << 18;

/// A landscape, and the positions S that it serves
// INVARIANT (earlier): every change in it that was recorded after `from` and up to `through` took effect when it
// was recorded, or later.
#[derive(Clone, Debug)]
struct Earlier {
    from: u64,
    through: u64,
    landscape: Landscape,
    /// About how many of its records later landscapes do not share
    weight: usize,
}

type Folded = Vec<(usize, Arc<Landscape>)>;

/// The landscapes of all positions
#[derive(Clone, Debug, Default)]
pub(crate) struct Structure {
    /// Every applied change of structure or definitions, in log order
    changes: Vector<(OrderKey, Arc<Structural>)>,
    /// The positions at which the set of counted changes became another one
    versions: Vector<Position>,
    pub(crate) newest: Landscape,
    /// The first position that the newest landscape serves with a clamp
    newest_from: u64,
    earlier: Vector<Earlier>,
    earlier_weight: usize,
    /// The scheduled changes: when each takes effect, and where it was recorded
    scheduled: Vector<(EffectiveAt, Position)>,
    folded: Arc<Mutex<Folded>>,
}

/// The landscape that was known at some S, and how to read it
#[derive(Debug)]
pub(crate) struct Known<'a> {
    pub(crate) landscape: &'a Landscape,
    /// The last change that was known
    pub(crate) clamp: Cut,
    /// The first moment for which a landscape folded for that S must be read instead
    pub(crate) until: Option<EffectiveAt>,
}

impl Structure {
    /// The same, with landscapes folded for it alone: two copies that go on differently number their versions alike
    pub(crate) fn aside(&self) -> Self {
        Self { folded: Arc::default(), ..self.clone() }
    }

    /// Takes a change in at its place
    pub(crate) fn insert(&mut self, key: OrderKey, change: &Arc<Structural>, late: bool) {
        // Before the first change there is nothing. No clamp could cut off a change that takes effect at once.
        if late || self.newest_from == 0 {
            self.keep_earlier(key.position, self.newest.weight_of(key, change));
        }
        self.newest.insert(key, Arc::clone(change));
    }

    /// Takes a change of a refused entry out again
    pub(crate) fn remove(&mut self, key: OrderKey) {
        self.newest.remove(key);
    }

    /// Notes an inserted change, now that its entry is applied
    pub(crate) fn settle(&mut self, key: OrderKey, change: Arc<Structural>, scheduled: bool) {
        if scheduled {
            self.scheduled.push_back((key.effective_at, key.position));
        }
        self.changes.push_back((key, change));
        self.note_version(key.position);
    }

    /// Every applied change, in log order
    pub(crate) fn changes(&self) -> &Vector<(OrderKey, Arc<Structural>)> {
        &self.changes
    }

    /// Takes the changes of an entry out of the newest landscape, or back in, because of a void at a
    /// position
    pub(crate) fn flip(&mut self, entry: Position, voided: bool, because_of: Position) {
        let before = |(key, _): &(OrderKey, Arc<Structural>)| key.position.cmp(&entry);
        let Ok(found) = self.changes.binary_search_by(before) else { return };
        let of_entry =
            |place: &usize| self.changes.get(*place).is_some_and(|(key, _)| key.position == entry);
        let start = (0..=found).rev().take_while(of_entry).last().unwrap_or(found);
        let count = (start..).take_while(of_entry).count();
        let first = self.changes.get(start).cloned();
        let weight = first.map_or(0, |(key, change)| self.newest.weight_of(key, &change));
        self.keep_earlier(because_of, weight);
        for place in start..start + count {
            let Some((key, change)) = self.changes.get(place).cloned() else { continue };
            if voided {
                self.newest.remove(key);
            } else {
                self.newest.insert(key, change);
            }
        }
        self.note_version(because_of);
    }

    fn note_version(&mut self, position: Position) {
        if self.versions.last() != Some(&position) {
            self.versions.push_back(position);
        }
    }

    /// Keeps the newest landscape for questions as known before a position
    fn keep_earlier(&mut self, position: Position, weight: usize) {
        let through = position.get() - 1;
        if self.newest_from > through {
            return;
        }
        let from = std::mem::replace(&mut self.newest_from, position.get());
        let landscape = self.newest.clone();
        self.earlier.push_back(Earlier { from, through, landscape, weight });
        self.earlier_weight += weight;
        while self.earlier.len() > EARLIER_MAX || self.earlier_weight > EARLIER_WEIGHT_MAX {
            let kept = self.earlier.iter().enumerate().filter(|(n, _)| n % 2 == 1);
            self.earlier = kept.map(|(_, earlier)| earlier.clone()).collect();
            self.earlier_weight = self.earlier.iter().map(|earlier| earlier.weight).sum();
        }
    }

    /// What was known at S; `next_recorded` is when the entry after it was recorded, if there is one
    pub(crate) fn known(&self, s: KnownAt, next_recorded: Option<EffectiveAt>) -> Known<'_> {
        let whole = |landscape| Known { landscape, clamp: Cut::OPEN, until: None };
        let (Some(next_recorded), Some(last)) = (next_recorded, self.versions.last()) else {
            return whole(&self.newest);
        };
        if s.reaches(*last) {
            return whole(&self.newest);
        }
        let place = self.earlier.binary_search_by(|earlier| {
            if earlier.through < s.0 {
                std::cmp::Ordering::Less
            } else {
                std::cmp::Ordering::Greater
            }
        });
        let (from, landscape) = match self.earlier.get(place.unwrap_or_else(|place| place)) {
            Some(earlier) if earlier.through == s.0 => return whole(&earlier.landscape),
            Some(earlier) => (earlier.from, &earlier.landscape),
            None => (self.newest_from, &self.newest),
        };
        let clamp = Cut(OrderKey {
            effective_at: next_recorded,
            position: Position::new(s.0).unwrap_or(Position::FIRST),
            index: u16::MAX,
        });
        if from > s.0 {
            return Known { landscape, clamp, until: Some(EffectiveAt::FIRST) };
        }
        let ahead = self
            .scheduled
            .iter()
            .filter(|(at, position)| s.reaches(*position) && *at > next_recorded);
        Known { landscape, clamp, until: ahead.map(|(at, _)| *at).min() }
    }

    /// The landscape folded for S
    ///
    /// # Cost
    /// O(changes of structure up to S), unless it is one of the last ones asked for.
    pub(crate) fn folded(&self, s: KnownAt, counts: impl Fn(Position) -> bool) -> Arc<Landscape> {
        let version = match self.versions.binary_search_by(|position| {
            if s.reaches(*position) {
                std::cmp::Ordering::Less
            } else {
                std::cmp::Ordering::Greater
            }
        }) {
            Ok(place) | Err(place) => place,
        };
        {
            let mut folded = self.folded.lock();
            if let Some(place) = folded.iter().position(|(kept, _)| *kept == version) {
                let found = folded.remove(place);
                let landscape = Arc::clone(&found.1);
                folded.push(found);
                return landscape;
            }
        }
        // The lock is free meanwhile. Two readers that fold for the same S get equal landscapes.
        let counted = self
            .changes
            .iter()
            .take_while(|(key, _)| s.reaches(key.position))
            .filter(|(key, _)| counts(key.position));
        let changes = counted.map(|(key, change)| (*key, Arc::clone(change))).collect();
        let landscape = Arc::new(Landscape::fold(changes));
        let mut folded = self.folded.lock();
        if folded.len() >= FOLDED_MAX {
            folded.remove(0);
        }
        folded.push((version, Arc::clone(&landscape)));
        landscape
    }
}
