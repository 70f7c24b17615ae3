//! When did somebody look at the level that was asked about?
//!
//! Rules: `docs/semantics.md#observed`.

use crate::ask::answer::{GAPS_MAX, NOT_OBSERVED_MAX, Observed};
use crate::history::landscape_at::Land;
use crate::history::observations::Seen;
use crate::history::order::Cut;
use crate::ledger::view::View;
use crate::words::instant::EffectiveAt;
use crate::words::level::Level;
use crate::words::position::Position;
use crate::words::span::Span;
use crate::words::symbol::LevelRef;

/// Where a question is asked
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PlaceRef<'a> {
    On(&'a Level),
    Under(&'a Level),
}

impl View<'_> {
    /// When the place was observed around a moment; `None` where there are no observations of it
    ///
    /// # Cost
    /// O(moves of the level and those above it × log observations); under a level, that for each level of the subtree.
    pub(super) fn observed_at(&self, place: PlaceRef<'_>, t: EffectiveAt) -> Option<Observed> {
        if self.ledger.observations.is_empty() {
            return None;
        }
        match place {
            PlaceRef::On(level) => {
                let seen = self.seen(self.ledger.find_level(level)?);
                let first = seen.first()?;
                Some(Observed::At { first, before: seen.before(t), after: seen.after(t) })
            }
            PlaceRef::Under(level) => self.observed_under(self.ledger.find_level(level)?, t),
        }
    }

    fn observed_under(&self, root: LevelRef, t: EffectiveAt) -> Option<Observed> {
        let mut any = false;
        let mut without = Vec::new();
        for level in self.land(t).subtree(root) {
            let seen = self.seen(level);
            if seen.before(t) == Some(t) {
                any = true;
            } else if seen.first().is_some() {
                any = true;
                without.push(level);
            }
        }
        let not_observed = without.len();
        let mut levels = self.level_texts(without);
        levels.truncate(NOT_OBSERVED_MAX);
        any.then_some(Observed::Under { not_observed, levels })
    }

    /// When a level was observed within a stretch of time; `None` where there are no observations of it
    ///
    /// # Cost
    /// That of [`View::observed_at`], and O(n log n) of the observations within the stretch.
    pub(super) fn observed_over(&self, place: PlaceRef<'_>, span: Span) -> Option<Observed> {
        let PlaceRef::On(level) = place else { return None };
        if self.ledger.observations.is_empty() {
            return None;
        }
        let seen = self.seen(self.ledger.find_level(level)?);
        let first = seen.first()?;
        let (mut gaps, mut gap_count) = (Vec::new(), 0);
        let mut gap = |from, until| {
            let Some(gap) = Span::new(from, until) else { return };
            gap_count += 1;
            if gaps.len() < GAPS_MAX {
                gaps.push(gap);
            }
        };
        // The first moment that is not covered by what came so far; there is none after the last moment of all.
        let mut next = Some(span.from());
        for one in seen.between(span.from(), span.until()) {
            let Some(from) = next else { break };
            gap(from, Some(one.from));
            let after = EffectiveAt::saturating_from_micros(one.to.micros() + 1);
            next = (after > one.to).then_some(from.max(after));
        }
        if let Some(from) = next {
            gap(from, span.until());
        }
        Some(Observed::Over { first, gaps, gap_count })
    }

    /// The observations of a level that are known
    fn seen(&self, level: LevelRef) -> Seen<'_, impl Fn(Position) -> bool> {
        let observations = &self.ledger.observations;
        let (landscape, clamp) = self.landscape(Some(observations.end()));
        let land = move |from: EffectiveAt| Land::of(landscape, Cut::through(from).min(clamp));
        let moments = landscape.moves_above(level, clamp);
        let known_at = self.known_at();
        let counts = move |position| self.ledger.counts(position, known_at);
        observations.of(level, moments, land, known_at.0, counts)
    }
}
