//! When did somebody look at who holds what on a level?
//!
//! An observation changes no state. It says that a source saw the holdings of one level, or of a subtree, at a moment
//! or all the time up to it. What nobody looked at is not "no", so answers about a level say when it was observed.
//!
//! Rules: `docs/semantics.md#observed`.

use imbl::Vector;

use crate::history::landscape_at::Land;
use crate::words::instant::EffectiveAt;
use crate::words::position::Position;
use crate::words::symbol::{LevelRef, SharedMap, Symbol};

/// How many of the newest runs an observation may go on with
const RUNS_TRIED: usize = 16;

/// A stretch of time in which a level or a subtree was observed
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Observation {
    /// The first moment
    pub(crate) from: EffectiveAt,
    /// The last moment; a subtree is that of this moment
    pub(crate) to: EffectiveAt,
    /// The entry that says it
    pub(crate) position: Position,
    /// What saw it
    pub(crate) source: Symbol,
}

impl Observation {
    /// Whether it is of one moment alone: an `observe` with `from` has a `from` before its end
    pub(crate) fn is_moment(&self) -> bool {
        self.from == self.to
    }

    fn goes_on(&self, before: &Self) -> bool {
        before.from <= self.from && before.to <= self.to && before.position <= self.position
    }
}

/// Observations in log order, as runs that can be searched
// INVARIANT (runs): within a run neither `from` nor `to` nor `position` ever goes back.
#[derive(Clone, Debug, Default)]
struct Runs(Vector<Vector<Observation>>);

/// Observations of one level
#[derive(Clone, Debug, Default)]
struct OfLevel {
    /// Of it alone
    alone: Runs,
    /// Of it and all that lay below it
    subtree: Runs,
}

/// All applied observations, voided ones too
#[derive(Clone, Debug, Default)]
pub(crate) struct Observations {
    of: SharedMap<LevelRef, OfLevel>,
    /// The last moment of all
    last: Option<EffectiveAt>,
}

/// Which observations of one list are of interest: those whose last moment lies in `[from, until)`
#[derive(Clone, Copy)]
struct Window {
    from: EffectiveAt,
    until: Option<EffectiveAt>,
}

const ALWAYS: Window = Window { from: EffectiveAt::FIRST, until: None };

/// The observations of one level that are known at some S, in order of time within each part
pub(crate) struct Seen<'a, C> {
    parts: Vec<(&'a Vector<Observation>, Window)>,
    known_at: u64,
    counts: C,
}

impl Runs {
    fn add(&mut self, observation: Observation) {
        let newest = self.0.len().saturating_sub(RUNS_TRIED);
        let mut tried = newest..self.0.len();
        let goes_on = |run: &usize| {
            let last = self.0.get(*run).and_then(Vector::last);
            last.is_none_or(|last| observation.goes_on(last))
        };
        match tried.find(goes_on).and_then(|run| self.0.get_mut(run)) {
            Some(run) => run.push_back(observation),
            None => self.0.push_back(Vector::unit(observation)),
        }
    }
}

impl Observations {
    pub(crate) fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    pub(crate) fn add(&mut self, level: LevelRef, subtree: bool, observation: Observation) {
        self.last = self.last.max(Some(observation.to));
        let of = self.of.entry(level).or_default();
        let runs = if subtree { &mut of.subtree } else { &mut of.alone };
        runs.add(observation);
    }

    /// The first moment after all observations
    pub(crate) fn end(&self) -> EffectiveAt {
        let last = self.last.map_or(0, EffectiveAt::micros);
        EffectiveAt::saturating_from_micros(last.saturating_add(1))
    }

    /// The levels that applied observations name, in no order
    pub(crate) fn levels(&self) -> impl Iterator<Item = LevelRef> {
        self.of.keys().copied()
    }

    /// The observations that name a level, each with whether it is of the subtree, in no order
    pub(crate) fn naming(&self, level: LevelRef) -> impl Iterator<Item = (bool, &Observation)> {
        self.of.get(&level).into_iter().flat_map(|of| {
            let parts = [(false, &of.alone), (true, &of.subtree)];
            parts
                .into_iter()
                .flat_map(|(subtree, runs)| runs.0.iter().flatten().map(move |one| (subtree, one)))
        })
    }

    /// Every observation with its level and whether it is of a subtree, those of one level in log order
    pub(crate) fn all(&self) -> Vec<(LevelRef, bool, Observation)> {
        let mut all: Vec<(LevelRef, bool, Observation)> = Vec::new();
        for (level, of) in self.of.iter() {
            for (subtree, runs) in [(false, &of.alone), (true, &of.subtree)] {
                all.extend(runs.0.iter().flatten().map(|one| (*level, subtree, *one)));
            }
        }
        all.sort_by_key(|(level, subtree, one)| (*level, *subtree, one.position));
        all
    }

    /// The observations of a level, as known at a position, with those of the levels above it
    ///
    /// `land` gives what was there from a moment on; `moments` are those at which the levels above may have become others.
    ///
    /// # Cost
    /// O(moments × depth × runs × log observations).
    pub(crate) fn of<'a, C: Fn(Position) -> bool>(
        &'a self,
        level: LevelRef,
        moments: impl IntoIterator<Item = EffectiveAt>,
        land: impl Fn(EffectiveAt) -> Land<'a>,
        known_at: u64,
        counts: C,
    ) -> Seen<'a, C> {
        let mut parts = Vec::new();
        if let Some(of) = self.of.get(&level) {
            let own = of.alone.0.iter().chain(&of.subtree.0);
            parts.extend(own.map(|run| (run, ALWAYS)));
        }
        let mut moments = moments.into_iter().peekable();
        while let Some(from) = moments.next() {
            let window = Window { from, until: moments.peek().copied() };
            for (above, _) in land(from).upwards(level).skip(1) {
                let runs = self.of.get(&above).into_iter().flat_map(|of| &of.subtree.0);
                parts.extend(runs.map(|run| (run, window)));
            }
        }
        Seen { parts, known_at, counts }
    }
}

/// The first place of a run that does not meet a condition which holds up to there
fn first_without(run: &Vector<Observation>, meets: impl Fn(&Observation) -> bool) -> usize {
    use std::cmp::Ordering;
    let order = |one: &Observation| if meets(one) { Ordering::Less } else { Ordering::Greater };
    run.binary_search_by(order).unwrap_or_else(|place| place)
}

impl<'a, C: Fn(Position) -> bool> Seen<'a, C> {
    /// The places of a run that are known and lie in its window
    fn places(&self, run: &Vector<Observation>, window: Window) -> std::ops::Range<usize> {
        let start = first_without(run, |one| one.to < window.from);
        let known = first_without(run, |one| one.position.get() <= self.known_at);
        let end = window.until.map_or(run.len(), |until| first_without(run, |one| one.to < until));
        start..end.min(known).max(start)
    }

    fn counted(&self, one: &Observation) -> bool {
        (self.counts)(one.position)
    }

    /// The first moment that is covered
    pub(crate) fn first(&self) -> Option<EffectiveAt> {
        let firsts = self.parts.iter().filter_map(|(run, window)| {
            let mut known = self.places(run, *window).filter_map(|place| run.get(place));
            known.find(|one| self.counted(one)).map(|one| one.from)
        });
        firsts.min()
    }

    /// The last moment at or before one that is covered
    pub(crate) fn before(&self, t: EffectiveAt) -> Option<EffectiveAt> {
        let lasts = self.parts.iter().filter_map(|(run, window)| {
            let places = self.places(run, *window);
            let end = first_without(run, |one| one.from <= t).min(places.end);
            let mut begun = (places.start..end).rev().filter_map(|place| run.get(place));
            begun.find(|one| self.counted(one)).map(|one| one.to.min(t))
        });
        lasts.max()
    }

    /// The first moment at or after one that is covered
    pub(crate) fn after(&self, t: EffectiveAt) -> Option<EffectiveAt> {
        let firsts = self.parts.iter().filter_map(|(run, window)| {
            let places = self.places(run, *window);
            let start = first_without(run, |one| one.to < t).max(places.start);
            let mut going_on = (start..places.end).filter_map(|place| run.get(place));
            going_on.find(|one| self.counted(one)).map(|one| one.from.max(t))
        });
        firsts.min()
    }

    /// The observations that cover a moment from one on and before another, by their first moments
    ///
    /// # Cost
    /// O(n log n) of these and of the voided ones among them.
    pub(crate) fn between(
        &self,
        from: EffectiveAt,
        until: Option<EffectiveAt>,
    ) -> Vec<&'a Observation> {
        let mut found: Vec<&Observation> = Vec::new();
        for (run, window) in &self.parts {
            let places = self.places(run, *window);
            let start = first_without(run, |one| one.to < from).max(places.start);
            let within = (start..places.end).filter_map(|place| run.get(place));
            let within = within.take_while(|one| until.is_none_or(|until| one.from < until));
            found.extend(within.filter(|one| self.counted(one)));
        }
        found.sort_unstable_by_key(|one| (one.from, one.to));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> EffectiveAt {
        EffectiveAt::saturating_from_micros(micros)
    }

    #[test]
    fn invariant_runs() {
        let mut runs = Runs::default();
        let mut seed = 7_u64;
        for position in 1..2_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let to = i64::try_from(seed >> 54).unwrap();
            let from = to - i64::try_from(seed % 40).unwrap().min(to);
            let position = Position::new(position).unwrap();
            let source = Symbol::fixed(0);
            runs.add(Observation { from: at(from), to: at(to), position, source });
        }
        assert_eq!(runs.0.iter().map(Vector::len).sum::<usize>(), 1_999);
        for run in &runs.0 {
            for (before, one) in run.iter().zip(run.iter().skip(1)) {
                assert!(one.goes_on(before), "{before:?} {one:?}");
            }
        }
    }
}
