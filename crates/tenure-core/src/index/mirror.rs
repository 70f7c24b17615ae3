//! Which timelines is a principal in, and what happened to it there?
//!
//! A mirror has the changes of one principal, by timeline and position.

use std::ops::RangeInclusive;
use std::sync::Arc;

use imbl::OrdSet;

use crate::index::timeline::{POSITION_END, TimelineId};

/// Most changes that are kept in one list; more are kept in a tree
const SMALL_MAX: usize = 4_096;

/// A change of a principal in a timeline, or the mark that it is kept apart there
///
/// In order of timeline, then of position; the mark comes last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Reflection {
    timeline: TimelineId,
    /// Twice the position, plus one if the change is a stop; all bits are set for the mark
    place: u32,
}

const APART: u32 = u32::MAX;

/// The changes of one principal
// INVARIANT (mirror): the reflections are sorted; a timeline has at most one of them at a position.
#[derive(Clone, Debug, Default)]
pub(crate) enum Mirror {
    #[default]
    Empty,
    Small(Arc<Vec<Reflection>>),
    Large(OrdSet<Reflection>),
}

fn all_of(timeline: TimelineId) -> RangeInclusive<Reflection> {
    Reflection { timeline, place: 0 }..=Reflection { timeline, place: APART }
}

impl Mirror {
    /// The position of its last change in a timeline, 0 if there is none
    pub(crate) fn last_position(&self, timeline: TimelineId) -> u32 {
        let end = Reflection { timeline, place: APART - 1 };
        let last = self.last_until(end).filter(|last| last.timeline == timeline);
        last.map_or(0, |last| last.place >> 1)
    }

    fn last_until(&self, end: Reflection) -> Option<Reflection> {
        match self {
            Self::Empty => None,
            Self::Small(list) => {
                let after = list.partition_point(|one| *one <= end);
                after.checked_sub(1).and_then(|last| list.get(last)).copied()
            }
            Self::Large(tree) => tree.get_prev(&end).copied(),
        }
    }

    /// Notes a change at the end of those in a timeline
    pub(crate) fn push(&mut self, timeline: TimelineId, position: u32, stops: bool) {
        self.insert(Reflection { timeline, place: position << 1 | u32::from(stops) });
    }

    /// Takes the last change in a timeline back
    pub(crate) fn pop(&mut self, timeline: TimelineId) {
        if let Some(last) = self.reflections(timeline).filter(|last| last.place != APART).last() {
            match self {
                Self::Empty => {}
                Self::Small(list) => Arc::make_mut(list).retain(|one| *one != last),
                Self::Large(tree) => drop(tree.remove(&last)),
            }
        }
    }

    /// Marks that a timeline keeps the principal apart
    pub(crate) fn mark_apart(&mut self, timeline: TimelineId) {
        self.insert(Reflection { timeline, place: APART });
    }

    fn insert(&mut self, reflection: Reflection) {
        match self {
            Self::Empty => *self = Self::Small(Arc::new(vec![reflection])),
            Self::Small(list) if list.len() < SMALL_MAX => {
                let list = Arc::make_mut(list);
                if list.last().is_none_or(|last| *last < reflection) && list.len() < list.capacity()
                {
                    list.push(reflection);
                } else if let Err(place) = list.binary_search(&reflection) {
                    // There are very many of these lists, so they grow in small steps.
                    if list.len() == list.capacity() {
                        list.reserve_exact(list.len() / 4 + 1);
                    }
                    list.insert(place, reflection);
                }
            }
            Self::Small(list) => {
                let mut tree: OrdSet<Reflection> = list.iter().copied().collect();
                tree.insert(reflection);
                *self = Self::Large(tree);
            }
            Self::Large(tree) => drop(tree.insert(reflection)),
        }
    }

    fn reflections(&self, timeline: TimelineId) -> impl Iterator<Item = Reflection> {
        let (list, tree) = match self {
            Self::Empty => (&[][..], None),
            Self::Small(list) => {
                let from = list.partition_point(|one| one.timeline < timeline);
                let rest = list.get(from..).unwrap_or_default();
                let count = rest.iter().take_while(|one| one.timeline == timeline).count();
                (rest.get(..count).unwrap_or_default(), None)
            }
            Self::Large(tree) => (&[][..], Some(tree.range(all_of(timeline)))),
        };
        list.iter().chain(tree.into_iter().flatten()).copied()
    }

    /// Its changes in a timeline: the position of each, and whether it is a stop
    ///
    /// Changes that were made while the timeline kept it apart are missing.
    pub(crate) fn changes(&self, timeline: TimelineId) -> impl Iterator<Item = (u32, bool)> {
        self.reflections(timeline)
            .filter(|one| one.place != APART)
            .map(|one| (one.place >> 1, one.place & 1 == 1))
    }

    /// Whether its last change in a timeline up to a position is a start, if the timeline does not keep it apart
    pub(crate) fn started(&self, timeline: TimelineId, prefix: u64) -> bool {
        let prefix = u32::try_from(prefix).ok().filter(|prefix| u64::from(*prefix) < POSITION_END);
        let place = prefix.map_or(APART - 1, |prefix| prefix << 1 | 1);
        let end = Reflection { timeline, place };
        self.last_until(end).is_some_and(|last| last.timeline == timeline && last.place & 1 == 0)
    }

    /// Whether it was ever in a timeline
    pub(crate) fn is_in(&self, timeline: TimelineId) -> bool {
        self.reflections(timeline).next().is_some()
    }

    fn all(&self) -> impl Iterator<Item = Reflection> {
        let (list, tree) = match self {
            Self::Empty => (&[][..], None),
            Self::Small(list) => (&list[..], None),
            Self::Large(tree) => (&[][..], Some(tree.iter())),
        };
        list.iter().chain(tree.into_iter().flatten()).copied()
    }

    /// The timelines that it ever was in, in order, each once
    pub(crate) fn timelines(&self) -> impl Iterator<Item = TimelineId> {
        let mut last = None;
        self.all().map(|one| one.timeline).filter(move |timeline| {
            let new = last != Some(*timeline);
            last = Some(*timeline);
            new
        })
    }

    /// The positions of its changes, in no order; one may stand there twice
    pub(crate) fn positions(&self) -> impl Iterator<Item = u32> {
        self.all().filter(|one| one.place != APART).map(|one| one.place >> 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invariant_mirror() {
        let mut mirror = Mirror::default();
        let mut expected: Vec<(u32, u32, bool)> = Vec::new();
        for n in 1..9_000_u32 {
            let timeline = n * 7_919 % 97;
            mirror.push(TimelineId(timeline), n, n % 3 == 0);
            expected.push((timeline, n, n % 3 == 0));
            if n % 11 == 0 {
                mirror.pop(TimelineId(timeline));
                expected.pop();
            }
            if n == 40 {
                mirror.mark_apart(TimelineId(5));
                mirror.mark_apart(TimelineId(1_000));
                mirror.mark_apart(TimelineId(5));
            }
        }
        assert!(matches!(mirror, Mirror::Large(_)));
        expected.sort_unstable();
        for timeline in 0..97 {
            let changes: Vec<_> = mirror.changes(TimelineId(timeline)).collect();
            let own = expected.iter().filter(|(t, ..)| *t == timeline);
            let own: Vec<_> = own.map(|(_, position, stops)| (*position, *stops)).collect();
            assert_eq!(changes, own, "{timeline}");
            for prefix in [0, 41, 1_000, 8_999, u64::MAX] {
                let last = own.iter().rev().find(|(at, _)| u64::from(*at) <= prefix);
                let expected = last.is_some_and(|(_, stops)| !stops);
                assert_eq!(mirror.started(TimelineId(timeline), prefix), expected, "{timeline}");
            }
        }
        let timelines: Vec<_> = mirror.timelines().map(|timeline| timeline.0).collect();
        assert_eq!(timelines, (0..97).chain([1_000]).collect::<Vec<_>>());
        assert!(mirror.is_in(TimelineId(1_000)) && !mirror.is_in(TimelineId(98)));
        assert_eq!(mirror.positions().count(), expected.len());
    }
}
