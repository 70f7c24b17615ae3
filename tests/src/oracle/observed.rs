//! When did somebody look?
//!
//! Rules: `docs/semantics.md#observed`.

use tenure_core::answer::{GAPS_MAX, NOT_OBSERVED_MAX, Observed};
use tenure_core::{EffectiveAt, KnownAt, Level, Question, Span};

use super::Oracle;
use super::state::Deed;

impl Oracle {
    /// The first and last moments of the stretches in which a level was observed
    fn covered(&self, wanted: &Level, s: KnownAt) -> Vec<(EffectiveAt, EffectiveAt)> {
        let mut covered = Vec::new();
        for fact in self.counted(s).into_iter().flat_map(|line| &line.facts) {
            let Deed::Observe { level, subtree, source: _, from } = &fact.deed else { continue };
            let below = || self.state(fact.effective_at, s).subtree(level).contains(wanted);
            if level == wanted || (*subtree && below()) {
                covered.push((*from, fact.effective_at));
            }
        }
        covered.sort();
        covered
    }

    fn observed_at(&self, level: &Level, t: EffectiveAt, s: KnownAt) -> Option<Observed> {
        let covered = self.covered(level, s);
        let first = covered.iter().map(|(from, _)| *from).min()?;
        let begun = covered.iter().filter(|(from, _)| *from <= t);
        let going_on = covered.iter().filter(|(_, to)| *to >= t);
        Some(Observed::At {
            first,
            before: begun.map(|(_, to)| *to.min(&t)).max(),
            after: going_on.map(|(from, _)| *from.max(&t)).min(),
        })
    }

    fn observed_under(&self, under: &Level, t: EffectiveAt, s: KnownAt) -> Option<Observed> {
        let levels = self.state(t, s).subtree(under);
        let seen: Vec<(Level, bool)> = levels
            .into_iter()
            .filter(|level| !self.covered(level, s).is_empty())
            .map(|level| {
                let now = self.covered(&level, s).iter().any(|(from, to)| *from <= t && t <= *to);
                (level, now)
            })
            .collect();
        if seen.is_empty() {
            return None;
        }
        let mut levels: Vec<Level> =
            seen.into_iter().filter(|(_, now)| !now).map(|(level, _)| level).collect();
        levels.sort();
        let not_observed = levels.len();
        levels.truncate(NOT_OBSERVED_MAX);
        Some(Observed::Under { not_observed, levels })
    }

    /// Whether no observation covers a moment, asked at the borders of all
    fn observed_over(&self, level: &Level, span: Span, s: KnownAt) -> Option<Observed> {
        let covered = self.covered(level, s);
        let first = covered.iter().map(|(from, _)| *from).min()?;
        let one_more = |t: EffectiveAt| EffectiveAt::saturating_from_micros(t.micros() + 1);
        // What is covered changes at these moments alone.
        let mut borders = vec![span.from()];
        borders.extend(covered.iter().flat_map(|(from, to)| [*from, one_more(*to)]));
        borders.retain(|t| *t >= span.from() && span.until().is_none_or(|until| *t < until));
        borders.sort();
        borders.dedup();
        let ends = borders.iter().copied().skip(1).map(Some).chain([span.until()]);
        let mut gaps: Vec<(EffectiveAt, Option<EffectiveAt>)> = Vec::new();
        for (from, until) in borders.iter().copied().zip(ends) {
            if covered.iter().any(|(first, last)| *first <= from && from <= *last) {
                continue;
            }
            match gaps.last_mut() {
                Some((_, end)) if *end == Some(from) => *end = until,
                _ => gaps.push((from, until)),
            }
        }
        let gap_count = gaps.len();
        let gaps = gaps.into_iter().map(|(from, until)| Span::new(from, until).unwrap());
        Some(Observed::Over { first, gaps: gaps.take(GAPS_MAX).collect(), gap_count })
    }

    /// What the answer to a question at (T, S) says of when the place was observed
    pub fn observed(
        &self,
        question: &Question,
        t: Option<EffectiveAt>,
        s: KnownAt,
    ) -> Option<Observed> {
        match question {
            Question::Who { on, .. }
            | Question::What { on, .. }
            | Question::Check { on, .. }
            | Question::RoleCollections { on, .. } => self.observed_at(on, t?, s),
            Question::Assignments { filter, .. } => self.observed_at(filter.on.as_ref()?, t?, s),
            Question::WhoAnywhere { under, .. } | Question::Where { under, .. } => {
                self.observed_under(under, t?, s)
            }
            Question::WhoDuring { on, from, until, .. }
            | Question::Timeline { on, from, until, .. } => {
                self.observed_over(on, Span::new(*from, *until)?, s)
            }
            Question::Holdings { filter, from, until, .. } => {
                self.observed_over(filter.on.as_ref()?, Span::new(*from, *until)?, s)
            }
            _ => None,
        }
    }
}
