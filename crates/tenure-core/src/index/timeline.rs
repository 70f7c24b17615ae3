//! Who held one thing, or was a member of one set, once so many entries were known?
//!
//! Nearly all changes are recorded when they take effect. For these the two clocks are one: the entries up to
//! one position decide what was so at T, as known at S. That position is the smaller of S and the last position
//! recorded by T. So a [`Timeline`] keeps such changes as events by position. The events are cut into runs, and
//! each run begins with the bitmap of the principals that held the thing at its beginning. A run is closed when
//! its events outweigh its bitmap. So a question costs what its answer costs, and all bitmaps together stay
//! within a constant of all events.
//!
//! Some changes are no events: late, scheduled, expiring and voided ones, and those of an entry that also deletes
//! or removes something. A principal with such a change is kept *apart*: the timeline has all its changes in
//! order of effect, and they are folded alone (see [`crate::history::holding`]).

use crate::history::edge::Edge;
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::history::order::{OrderKey, Track};
use crate::words::grantable::Grantable;
use crate::words::symbol::{LevelRef, PrincipalRef};

/// Fewest events of a run
const RUN_EVENTS_MIN: usize = 64;
/// A run gets one event more for so many principals in its bitmap: an event weighs about as much as four of
/// them
const HELD_PER_EVENT: u64 = 4;
/// The first position that does not fit into an event; principals with later changes are kept apart
pub(crate) const POSITION_END: u64 = 1 << 31;
/// The first number of a principal that does not fit into an event
const NUMBER_END: u32 = 1 << 30;

/// A timeline, numbered
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct TimelineId(pub(crate) u32);

/// What a timeline is of
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Of {
    /// Who holds this there
    Holding { level: LevelRef, grantable: Grantable },
    /// Who is a member of this
    Members { set: PrincipalRef },
}

/// What happened to a principal, or to all of them
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Happened {
    Start(u32),
    Stop(u32),
    /// The principal stops because it was removed, not by a change of this timeline
    Removed(u32),
    /// All principals stop: the thing that is held, or the set, was deleted
    Reset,
}

/// [`Happened`] at a position, packed: the number of the principal with two flags
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Event {
    position: u32,
    what: u32,
}

const STOP: u32 = 1 << 31;
const REMOVED: u32 = 1 << 30;
const RESET: u32 = u32::MAX;

impl Event {
    fn new(position: u32, what: Happened) -> Self {
        let what = match what {
            Happened::Start(number) => number,
            Happened::Stop(number) => number | STOP,
            Happened::Removed(number) => number | STOP | REMOVED,
            Happened::Reset => RESET,
        };
        Self { position, what }
    }

    fn what(self) -> Happened {
        let number = self.what & !(STOP | REMOVED);
        match self.what {
            RESET => Happened::Reset,
            what if what & REMOVED != 0 => Happened::Removed(number),
            what if what & STOP != 0 => Happened::Stop(number),
            _ => Happened::Start(number),
        }
    }
}

/// A closed list of events, and the principals that held before the first of them
#[derive(Debug)]
struct Run {
    held: Arc<RoaringBitmap>,
    events: Box<[Event]>,
}

/// Who held one thing, or was a member of one set
// INVARIANT (timeline): events are in order of position, and those of `tail` come after all of `runs`. No
// position is in two runs. `tail_held` has the principals that held before the tail. For a principal in `apart`,
// `apart` has all its changes; its older events stay and do not count.
#[derive(Clone, Debug)]
pub(crate) struct Timeline {
    pub(crate) of: Of,
    /// Whether its events are of a custom role or role collection
    ///
    /// All of them are, or none. A principal that was granted the other kind under the same name is kept
    /// apart.
    custom: bool,
    /// Whether every principal is kept apart, whatever comes
    whole_apart: bool,
    /// The position of the last deletion before the timeline began, 0 if there was none
    floor: u32,
    /// The positions of its resets
    resets: Vec<u32>,
    runs: imbl::Vector<Arc<Run>>,
    tail: Vec<Event>,
    tail_held: Arc<RoaringBitmap>,
    /// The principals that hold after the tail; `None` after an event was taken back
    now_held: Option<Arc<RoaringBitmap>>,
    /// The number of events at which the tail is closed
    tail_max: usize,
    /// By the number of the principal
    apart: Vec<(u32, Arc<Track<Edge>>)>,
}

impl Timeline {
    pub(crate) fn new(of: Of, custom: bool, floor: u32) -> Self {
        Self {
            of,
            custom,
            whole_apart: false,
            floor,
            resets: Vec::new(),
            runs: imbl::Vector::new(),
            tail: Vec::new(),
            tail_held: Arc::default(),
            now_held: Some(Arc::default()),
            tail_max: RUN_EVENTS_MIN,
            apart: Vec::new(),
        }
    }

    pub(crate) fn custom(&self) -> bool {
        self.custom
    }

    /// Whether a change of a principal fits in as an event
    pub(crate) fn takes(&self, number: u32, edge: Edge) -> bool {
        let fits = match edge {
            Edge::Start { until: Some(_), .. } => false,
            Edge::Start { custom, .. } => custom == self.custom || self.is_empty(),
            Edge::Stop => true,
        };
        fits && !self.whole_apart && number < NUMBER_END && !self.is_apart(number)
    }

    fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.tail.is_empty()
    }

    /// Takes an event in at the end
    pub(crate) fn push(&mut self, position: u32, what: Happened, custom: bool) {
        if let Happened::Start(_) = what
            && self.is_empty()
        {
            self.custom = custom;
        }
        if what == Happened::Reset {
            self.resets.push(position);
        }
        // A position is in one run alone, so the events of one entry can be taken back from the tail.
        if self.tail.len() >= self.tail_max
            && self.tail.last().is_some_and(|last| last.position < position)
        {
            self.close_run();
        }
        let event = Event::new(position, what);
        self.tail.push(event);
        if let Some(now) = &mut self.now_held {
            play(Arc::make_mut(now), &[event], position);
        }
    }

    fn close_run(&mut self) {
        let held = self.now_held.take().unwrap_or_else(|| {
            let mut held = (*self.tail_held).clone();
            play(&mut held, &self.tail, u32::MAX);
            Arc::new(held)
        });
        self.tail_max = RUN_EVENTS_MIN + usize::try_from(held.len() / HELD_PER_EVENT).unwrap_or(0);
        self.now_held = Some(Arc::clone(&held));
        let events = std::mem::take(&mut self.tail).into_boxed_slice();
        let held_before = std::mem::replace(&mut self.tail_held, held);
        self.runs.push_back(Arc::new(Run { held: held_before, events }));
    }

    /// Takes the last event back
    pub(crate) fn pop(&mut self) {
        self.now_held = None;
        if let Some(last) = self.tail.pop()
            && last.what() == Happened::Reset
        {
            self.resets.pop();
        }
    }

    /// The principals that held after the events up to a position; for those kept apart it may be wrong
    ///
    /// # Cost
    /// O(log runs + bitmap + events of one run).
    pub(crate) fn held(&self, prefix: u64) -> RoaringBitmap {
        let prefix = u32::try_from(prefix).unwrap_or(u32::MAX);
        if let Some(now) = &self.now_held
            && self.tail.last().is_none_or(|last| last.position <= prefix)
            && (!self.tail.is_empty() || self.runs.is_empty())
        {
            return (**now).clone();
        }
        let (held, events) = self.run_of(prefix);
        let mut held = held.clone();
        play(&mut held, events, prefix);
        held
    }

    /// The run of a position: the principals that held before it, and its events
    fn run_of(&self, prefix: u32) -> (&RoaringBitmap, &[Event]) {
        if self.runs.is_empty() || self.tail.first().is_some_and(|first| first.position <= prefix) {
            return (&self.tail_held, &self.tail);
        }
        let begins = |run: &Arc<Run>| run.events.first().map_or(0, |first| first.position);
        let after = self.runs.binary_search_by(|run| {
            if begins(run) <= prefix {
                std::cmp::Ordering::Less
            } else {
                std::cmp::Ordering::Greater
            }
        });
        let place = after.unwrap_or_else(|place| place).saturating_sub(1);
        self.runs
            .get(place)
            .map_or((&self.tail_held, &self.tail[..]), |run| (&run.held, &run.events))
    }

    /// Whether the first event comes after a position
    pub(crate) fn begins_after(&self, prefix: u64) -> bool {
        let first = match self.runs.front() {
            Some(run) => run.events.first(),
            None => self.tail.first(),
        };
        first.is_none_or(|first| u64::from(first.position) > prefix)
    }

    /// The position of the last deletion among its events up to a position, 0 if there is none
    pub(crate) fn last_reset(&self, prefix: u64) -> u64 {
        let after = self.resets.partition_point(|reset| u64::from(*reset) <= prefix);
        let last = after.checked_sub(1).and_then(|last| self.resets.get(last));
        u64::from(last.copied().unwrap_or(self.floor))
    }

    /// All events, in order
    pub(crate) fn events(&self) -> impl Iterator<Item = (u32, Happened)> {
        let closed = self.runs.iter().flat_map(|run| run.events.iter());
        closed.chain(&self.tail).map(|event| (event.position, event.what()))
    }

    /// Whether it is of something custom, whether every principal is kept apart, and its floor
    pub(crate) fn terms(&self) -> (bool, bool, u32) {
        (self.custom, self.whole_apart, self.floor)
    }

    pub(crate) fn events_len(&self) -> usize {
        self.runs.iter().map(|run| run.events.len()).sum::<usize>() + self.tail.len()
    }

    /// All events, packed
    pub(crate) fn packed(&self) -> impl Iterator<Item = (u32, u32)> {
        let closed = self.runs.iter().flat_map(|run| run.events.iter());
        closed.chain(&self.tail).map(|event| (event.position, event.what))
    }

    /// Takes in an event as it was packed
    pub(crate) fn push_packed(&mut self, position: u32, what: u32, custom: bool) {
        self.push(position, Event { position, what }.what(), custom);
    }

    /// The positions of its own changes after a position, in order; one may stand there twice
    pub(crate) fn positions(&self, after: u32) -> impl Iterator<Item = u32> {
        let ends = |run: &Arc<Run>| run.events.last().map_or(0, |last| last.position);
        let closed = self.runs.iter().filter(move |run| ends(run) > after);
        closed
            .flat_map(|run| run.events.iter())
            .chain(&self.tail)
            .filter(move |event| event.position > after)
            .filter(|event| matches!(event.what(), Happened::Start(_) | Happened::Stop(_)))
            .map(|event| event.position)
    }

    /// Whether nothing happened after one position and up to another
    ///
    /// # Cost
    /// O(log events).
    pub(crate) fn is_quiet_between(&self, after: u64, until: u64) -> bool {
        let last = |prefix: u64| {
            let prefix = u32::try_from(prefix).unwrap_or(u32::MAX);
            let (_, events) = self.run_of(prefix);
            let count = events.partition_point(|event| event.position <= prefix);
            count.checked_sub(1).and_then(|last| events.get(last)).map(|event| event.position)
        };
        last(after) == last(until)
    }

    /// Adds the principals that started after one position and up to another
    pub(crate) fn started_between(&self, after: u64, until: u64, found: &mut RoaringBitmap) {
        let ends = |run: &Arc<Run>| run.events.last().map_or(0, |last| u64::from(last.position));
        let closed = self.runs.iter().filter(|run| ends(run) > after);
        let events = closed.flat_map(|run| run.events.iter()).chain(&self.tail);
        for event in events.take_while(|event| u64::from(event.position) <= until) {
            if let Happened::Start(number) = event.what()
                && u64::from(event.position) > after
            {
                found.insert(number);
            }
        }
    }

    /// The principals that the entry at a position changed here
    pub(crate) fn changed_at(&self, position: u32) -> Vec<u32> {
        let (_, events) = self.run_of(position);
        let start = events.partition_point(|event| event.position < position);
        let here = events.iter().skip(start).take_while(|event| event.position == position);
        here.filter_map(|event| match event.what() {
            Happened::Start(number) | Happened::Stop(number) => Some(number),
            Happened::Removed(_) | Happened::Reset => None,
        })
        .collect()
    }

    /// The principals with events up to a position, without those kept apart
    pub(crate) fn met(&self, prefix: u64) -> RoaringBitmap {
        let mut met: RoaringBitmap = self
            .events()
            .take_while(|(position, _)| u64::from(*position) <= prefix)
            .filter_map(|(_, what)| match what {
                Happened::Start(number) | Happened::Stop(number) => Some(number),
                Happened::Removed(_) | Happened::Reset => None,
            })
            .collect();
        for (number, _) in &self.apart {
            met.remove(*number);
        }
        met
    }

    /// Keeps every principal apart from here on
    pub(crate) fn set_all_apart(&mut self) {
        self.whole_apart = true;
    }

    /// Whether any principal is kept apart
    pub(crate) fn has_apart(&self) -> bool {
        !self.apart.is_empty()
    }

    pub(crate) fn is_apart(&self, number: u32) -> bool {
        self.place_apart(number).is_ok()
    }

    fn place_apart(&self, number: u32) -> Result<usize, usize> {
        self.apart.binary_search_by_key(&number, |(other, _)| *other)
    }

    fn apart_mut(&mut self, number: u32) -> Option<&mut Track<Edge>> {
        let place = self.place_apart(number).ok()?;
        self.apart.get_mut(place).map(|(_, changes)| Arc::make_mut(changes))
    }

    /// The changes of a principal that is kept apart
    pub(crate) fn changes_apart(&self, number: u32) -> Option<&Arc<Track<Edge>>> {
        let place = self.place_apart(number).ok()?;
        self.apart.get(place).map(|(_, changes)| changes)
    }

    /// The principals kept apart, with their changes
    pub(crate) fn all_apart(&self) -> impl Iterator<Item = (u32, &Arc<Track<Edge>>)> {
        self.apart.iter().map(|(number, changes)| (*number, changes))
    }

    /// Keeps a principal apart from here on; `changes` are all its changes
    pub(crate) fn set_apart(&mut self, number: u32, changes: Track<Edge>) {
        match self.place_apart(number) {
            Ok(_) => {}
            Err(place) => {
                if self.apart.len() == self.apart.capacity() {
                    self.apart.reserve_exact(self.apart.len() / 4 + 1);
                }
                self.apart.insert(place, (number, Arc::new(changes)));
            }
        }
    }

    pub(crate) fn insert_apart(&mut self, number: u32, key: OrderKey, edge: Edge) {
        if let Some(changes) = self.apart_mut(number) {
            changes.insert(key, edge);
        }
    }

    pub(crate) fn remove_apart(&mut self, number: u32, key: OrderKey) {
        if let Some(changes) = self.apart_mut(number) {
            changes.remove(key);
        }
    }
}

/// Plays the events up to a position on a bitmap
fn play(held: &mut RoaringBitmap, events: &[Event], prefix: u32) {
    for event in events.iter().take_while(|event| event.position <= prefix) {
        match event.what() {
            Happened::Start(number) => {
                held.insert(number);
            }
            Happened::Stop(number) | Happened::Removed(number) => {
                held.remove(number);
            }
            Happened::Reset => held.clear(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline() -> Timeline {
        let set = PrincipalRef { number: 9, kind: crate::words::principal::PrincipalKind::Group };
        Timeline::new(Of::Members { set }, false, 0)
    }

    /// Many events, and after each the principals that hold, computed the slow way
    fn long() -> (Timeline, Vec<(u32, RoaringBitmap)>) {
        let mut timeline = timeline();
        let mut held = RoaringBitmap::new();
        let mut moments = Vec::new();
        for n in 1..4_000_u32 {
            let number = n.wrapping_mul(2_654_435_761) % 700;
            let what = match n % 997 {
                0 => Happened::Reset,
                k if k % 5 == 1 => Happened::Stop(number),
                k if k % 31 == 2 => Happened::Removed(number),
                _ => Happened::Start(number),
            };
            match what {
                Happened::Start(number) => drop(held.insert(number)),
                Happened::Stop(number) | Happened::Removed(number) => drop(held.remove(number)),
                Happened::Reset => held.clear(),
            }
            let position = n / 3 * 7 + 2;
            timeline.push(position, what, false);
            moments.retain(|(at, _)| *at != position);
            moments.push((position, held.clone()));
        }
        (timeline, moments)
    }

    #[test]
    fn invariant_timeline() {
        let (timeline, moments) = long();
        assert!(timeline.runs.len() > 5, "{}", timeline.runs.len());
        assert!(timeline.held(1).is_empty());
        let mut before = RoaringBitmap::new();
        for (position, held) in &moments {
            assert_eq!(timeline.held(u64::from(*position)), *held, "at {position}");
            assert_eq!(timeline.held(u64::from(*position) - 1), before, "before {position}");
            before.clone_from(held);
        }
        assert_eq!(timeline.held(u64::MAX), before);
        let at_once: Vec<u32> = timeline.positions(0).collect();
        let late: Vec<u32> = timeline.positions(5_000).collect();
        let expected: Vec<u32> = at_once.iter().copied().filter(|p| *p > 5_000).collect();
        assert_eq!(late, expected);
        for position in [2, 9, 100, 9_002] {
            let changed = timeline.changed_at(position).len();
            assert_eq!(changed, at_once.iter().filter(|p| **p == position).count(), "{position}");
        }
    }

    #[test]
    fn what_an_entry_did_is_in_one_run() {
        let full = u32::try_from(RUN_EVENTS_MIN).unwrap();
        for before in full - 4..full + 4 {
            let mut timeline = timeline();
            for n in 1..=before {
                timeline.push(n, Happened::Start(n), false);
            }
            let held = timeline.held(u64::MAX);
            for n in 0..5 {
                timeline.push(before + 1, Happened::Start(1_000 + n), false);
            }
            assert_eq!(timeline.changed_at(before + 1).len(), 5, "{before}");
            for _ in 0..5 {
                timeline.pop();
            }
            assert_eq!(timeline.held(u64::MAX), held, "{before}");
        }
    }

    #[test]
    fn what_is_popped_was_never_there() {
        let (mut timeline, moments) = long();
        let (position, held) = moments.last().unwrap();
        for what in [Happened::Start(5_000), Happened::Reset, Happened::Start(5_001)] {
            timeline.push(position + 1, what, false);
        }
        let resets = timeline.resets.len();
        for _ in 0..3 {
            timeline.pop();
        }
        assert_eq!(timeline.held(u64::MAX), *held);
        assert_eq!(timeline.resets.len() + 1, resets);
    }
}
