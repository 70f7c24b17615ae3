//! Which source observed which level, since when, and with which gaps?
//!
//! A row is one source with one level, as the `observe` changes name them. It says nothing of levels below, nor of the
//! place of the level at that time: `observed` does.
//!
//! Rules: `docs/semantics.md#sources`.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use crate::ask::answer::{AskError, Covered, Gaps, SourceThen};
use crate::ask::diff::Place;
use crate::history::observations::Observation;
use crate::ledger::moment::Moment;
use crate::ledger::view::View;
use crate::words::instant::EffectiveAt;
use crate::words::symbol::{LevelRef, Map, Symbol};

/// Which sources and levels are asked for; an absent field leaves none out
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SourceFilter {
    /// Of this level alone, or of the levels of a subtree
    pub place: Option<Place>,
    /// Of this source
    pub source: Option<Arc<str>>,
}

/// The observations behind a row
#[derive(Default)]
struct Behind {
    subtree: bool,
    moments: Vec<EffectiveAt>,
    /// The first and the last moments of the others
    stretches: Vec<(EffectiveAt, EffectiveAt)>,
}

impl View<'_> {
    /// The sources with the levels that they observed at or before a moment; what is covered is told of some rows alone
    ///
    /// # Errors
    /// The level in `under` does not exist; the level in `on` does not exist either and has no row.
    /// # Cost
    /// O(observations that name the levels asked about, known or not, + n log n of the rows). What is covered costs
    /// O(n log n) of the observations of the rows that are told.
    pub fn sources(
        &self,
        filter: &SourceFilter,
        t: EffectiveAt,
        told: &Range<usize>,
    ) -> Result<Vec<SourceThen>, AskError> {
        let (now, ledger) = (Moment::new(self, t), self.ledger);
        let levels = match &filter.place {
            None => ledger.observations.levels().collect(),
            Some(Place::On(level)) => Vec::from_iter(ledger.find_level(level)),
            Some(Place::Under(level)) => now.land.subtree(now.level(level)?),
        };
        let mut rows = match &filter.source {
            None => self.rows(&levels, None, t),
            Some(source) => match ledger.symbols.get(source) {
                Some(source) => self.rows(&levels, Some(source), t),
                None => Vec::new(),
            },
        };
        if let Some(Place::On(level)) = &filter.place
            && rows.is_empty()
        {
            now.level(level)?;
        }
        rows.sort_unstable_by(|a, b| self.order_of_sources(*a, *b));
        let end = told.end.min(rows.len());
        let mut covered = self.covered(rows.get(told.start..end).unwrap_or_default(), &now);
        let row = |row: (Symbol, LevelRef)| SourceThen {
            source: Arc::clone(ledger.symbols.text(row.0)),
            level: ledger.level_of(row.1).clone(),
            covered: covered.remove(&row),
        };
        Ok(rows.into_iter().map(row).collect())
    }

    fn order_of_sources(&self, a: (Symbol, LevelRef), b: (Symbol, LevelRef)) -> Ordering {
        let text = |row: (Symbol, LevelRef)| self.ledger.symbols.text(row.0);
        let by_level = || self.ledger.levels.compare(a.1.number, b.1.number);
        text(a).cmp(text(b)).then_with(by_level)
    }

    /// The observations that name a level, count and begin at or before a moment
    fn begun(&self, level: LevelRef, t: EffectiveAt) -> impl Iterator<Item = (bool, &Observation)> {
        let all = self.ledger.observations.naming(level);
        all.filter(move |(_, one)| one.from <= t && self.counts(one.position))
    }

    /// The sources of these levels, each once with each level, in no order
    fn rows(
        &self,
        levels: &[LevelRef],
        source: Option<Symbol>,
        t: EffectiveAt,
    ) -> Vec<(Symbol, LevelRef)> {
        let mut rows = Vec::new();
        for level in levels {
            let sources = self.begun(*level, t).map(|(_, one)| one.source);
            let mut sources: Vec<Symbol> =
                sources.filter(|one| source.is_none_or(|source| source == *one)).collect();
            sources.sort_unstable();
            sources.dedup();
            rows.extend(sources.into_iter().map(|source| (source, *level)));
        }
        rows
    }

    /// What is covered of these rows
    fn covered(
        &self,
        rows: &[(Symbol, LevelRef)],
        now: &Moment<'_>,
    ) -> Map<(Symbol, LevelRef), Covered> {
        let mut behind: Map<(Symbol, LevelRef), Behind> = Map::default();
        behind.extend(rows.iter().map(|row| (*row, Behind::default())));
        let mut levels: Vec<LevelRef> = rows.iter().map(|(_, level)| *level).collect();
        levels.sort_unstable();
        levels.dedup();
        for level in levels {
            for (subtree, one) in self.begun(level, now.t) {
                if let Some(behind) = behind.get_mut(&(one.source, level)) {
                    behind.add(subtree, one, now.t);
                }
            }
        }
        let covered = behind.into_iter().filter_map(|(row, behind)| {
            let level_exists = now.land.level(row.1).is_some();
            Some((row, behind.covered(level_exists)?))
        });
        covered.collect()
    }
}

impl Behind {
    fn add(&mut self, subtree: bool, one: &Observation, t: EffectiveAt) {
        self.subtree |= subtree;
        if one.is_moment() {
            self.moments.push(one.to);
        } else {
            self.stretches.push((one.from, one.to.min(t)));
        }
    }

    /// What they cover; `None` where there are none
    fn covered(mut self, level_exists: bool) -> Option<Covered> {
        self.moments.sort_unstable();
        self.moments.dedup();
        self.stretches.sort_unstable();
        let (moments, stretches) = (&self.moments, &self.stretches);
        let begins = [moments.first().copied(), stretches.first().map(|(from, _)| *from)];
        let ends = stretches.iter().map(|(_, to)| *to);
        let first = begins.into_iter().flatten().min()?;
        let last = ends.chain(moments.last().copied()).max()?;
        let gaps = (!stretches.is_empty()).then(|| {
            let after = |at: EffectiveAt| EffectiveAt::saturating_from_micros(at.micros() + 1);
            let mut gaps = Gaps::default();
            // The first moment that is not covered by what came so far. The two ends are covered, by whatever they are.
            let mut next = after(first);
            for (from, to) in stretches {
                gaps.add(next, *from);
                next = next.max(after(*to));
            }
            gaps.add(next, last);
            gaps
        });
        Some(Covered {
            subtree: self.subtree,
            first,
            last,
            listed: moments.last().copied(),
            moments: moments.len(),
            gaps,
            level_exists,
        })
    }
}
