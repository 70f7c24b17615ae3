//! Which source observed which level?
//!
//! Rules: `docs/semantics.md#sources`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tenure_core::answer::{AskError, Covered, Gaps, SOURCE_GAPS_MAX, SourceThen};
use tenure_core::{EffectiveAt, KnownAt, Level, Place, SourceFilter, Span};

use super::Oracle;
use super::ask::Moment;
use super::state::Deed;

/// An observation: whether it is of a subtree, its first moment, and its last one
type Seen = (bool, EffectiveAt, EffectiveAt);

impl Oracle {
    /// What each source covers of each level, as its observations name it
    pub fn sources(
        &self,
        filter: &SourceFilter,
        t: EffectiveAt,
        s: KnownAt,
    ) -> Result<Vec<SourceThen>, AskError> {
        let moment = Moment::new(self, t, s);
        if let Some(Place::Under(under)) = &filter.place {
            moment.must_exist(under)?;
        }
        let takes = |level: &Level| match &filter.place {
            None => true,
            Some(Place::On(on)) => on == level,
            Some(Place::Under(under)) => moment.state.subtree(under).contains(level),
        };
        let mut seen: BTreeMap<(Arc<str>, Level), Vec<Seen>> = BTreeMap::new();
        for fact in self.counted(s).into_iter().flat_map(|line| &line.facts) {
            let Deed::Observe { level, subtree, source, from } = &fact.deed else { continue };
            let of_source = filter.source.as_ref().is_none_or(|one| one == source);
            if *from <= t && of_source && takes(level) {
                let row = seen.entry((source.clone(), level.clone())).or_default();
                row.push((*subtree, *from, fact.effective_at));
            }
        }
        if let (true, Some(Place::On(on))) = (seen.is_empty(), &filter.place) {
            moment.must_exist(on)?;
        }
        let rows = seen.into_iter().map(|((source, level), seen)| {
            let level_exists = moment.state.exists(&level);
            SourceThen { source, level, covered: Some(covered(&seen, t, level_exists)) }
        });
        Ok(rows.collect())
    }
}

/// What observations that begin at or before T cover
fn covered(seen: &[Seen], t: EffectiveAt, level_exists: bool) -> Covered {
    let moments: BTreeSet<EffectiveAt> =
        seen.iter().filter(|(_, from, to)| from == to).map(|(_, _, to)| *to).collect();
    let stretches: Vec<&Seen> = seen.iter().filter(|(_, from, to)| from < to).collect();
    let first = seen.iter().map(|(_, from, _)| *from).min().unwrap();
    let last = seen.iter().map(|(_, _, to)| *to.min(&t)).max().unwrap();
    let gaps = (!stretches.is_empty()).then(|| gaps(&stretches, first, last));
    Covered {
        subtree: seen.iter().any(|(subtree, _, _)| *subtree),
        first,
        last,
        listed: moments.last().copied(),
        moments: moments.len(),
        gaps,
        level_exists,
    }
}

/// The stretches between two moments that no observation covers, asked at the borders of all
fn gaps(stretches: &[&Seen], first: EffectiveAt, last: EffectiveAt) -> Gaps {
    let one_more = |t: EffectiveAt| EffectiveAt::saturating_from_micros(t.micros() + 1);
    // What is covered changes at these moments alone.
    let mut borders = BTreeSet::from([one_more(first), last]);
    borders.extend(stretches.iter().flat_map(|(_, from, to)| [*from, one_more(*to)]));
    let borders: Vec<EffectiveAt> =
        borders.into_iter().filter(|t| one_more(first) <= *t && *t <= last).collect();
    let mut gaps: Vec<(EffectiveAt, EffectiveAt)> = Vec::new();
    for pair in borders.windows(2) {
        if stretches.iter().any(|(_, from, to)| *from <= pair[0] && pair[0] <= *to) {
            continue;
        }
        match gaps.last_mut() {
            Some((_, end)) if *end == pair[0] => *end = pair[1],
            _ => gaps.push((pair[0], pair[1])),
        }
    }
    let spans = gaps.iter().map(|(from, until)| Span::new(*from, Some(*until)).unwrap());
    Gaps { first: spans.take(SOURCE_GAPS_MAX).collect(), count: gaps.len() }
}
