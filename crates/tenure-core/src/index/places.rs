//! What does the ledger remember of each place in the log, besides the facts?
//!
//! For each place it remembers the id, when it was recorded, what became of it, and which timelines have its
//! changes. A void needs the last of these.

use std::sync::Arc;

use uuid::Uuid;

use crate::index::timeline::TimelineId;
use crate::words::change::EntryId;
use crate::words::instant::{Instant, RecordedAt};
use crate::words::outcome::OutcomeKind;
use crate::words::position::{KnownAt, Position};

/// What became of an entry, and which timelines have changes of it, in one number
///
/// It is the number of a timeline; or, with the highest bit set, the place where a list of several begins; or
/// one of the constants below.
pub(crate) type Trace = u32;
const LISTED: Trace = 1 << 31;
const MALFORMED: Trace = u32::MAX;
const REFUSED: Trace = u32::MAX - 1;
const DUPLICATE: Trace = u32::MAX - 2;
/// Applied, without a change in a timeline
const APPLIED: Trace = u32::MAX - 3;

/// What became of each place, by position
// INVARIANT (places): the three lists have the same length. While an entry is decided, `times` is one longer.
// `ids` is nil where `traces` says malformed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    ids: imbl::Vector<EntryId>,
    times: Times,
    traces: imbl::Vector<Trace>,
    /// Lists of timelines one after another, each led by its length
    lists: imbl::Vector<u32>,
}

fn at(position: Position) -> Option<usize> {
    usize::try_from(position.get()).ok()?.checked_sub(1)
}

impl Places {
    pub(crate) fn len(&self) -> u64 {
        self.ids.len() as u64
    }

    /// Notes when the next place was recorded, before its entry is decided
    pub(crate) fn begin(&mut self, recorded_at: RecordedAt) {
        self.times.push(recorded_at);
    }

    /// Notes what became of the place that was begun; `None` for what could not be decoded
    pub(crate) fn finish(
        &mut self,
        id: Option<EntryId>,
        outcome: OutcomeKind,
        timelines: &[TimelineId],
    ) {
        let trace = match (id, outcome, timelines) {
            (None, ..) => MALFORMED,
            (_, OutcomeKind::Refused, _) => REFUSED,
            (_, OutcomeKind::Duplicate, _) => DUPLICATE,
            (_, OutcomeKind::Applied, []) => APPLIED,
            (_, OutcomeKind::Applied, [one]) if one.0 < LISTED => one.0,
            (_, OutcomeKind::Applied, several) => {
                let begins = crate::words::symbol::index(self.lists.len());
                self.lists.push_back(crate::words::symbol::index(several.len()));
                self.lists.extend(several.iter().map(|timeline| timeline.0));
                LISTED | begins
            }
        };
        self.ids.push_back(id.unwrap_or(EntryId(Uuid::nil())));
        self.traces.push_back(trace);
    }

    /// The id, the time and the trace of each place, in order
    pub(crate) fn iter(&self) -> impl Iterator<Item = (EntryId, RecordedAt, Trace)> {
        let times = (0..self.ids.len()).filter_map(|place| self.times.get(place));
        let traces = self.ids.iter().zip(&self.traces);
        traces.zip(times).map(|((id, trace), time)| (*id, time, *trace))
    }

    /// The places whose entries may own their id, in order
    pub(crate) fn owning(&self) -> impl Iterator<Item = (Position, EntryId)> {
        let decoded = |trace: &Trace| !matches!(*trace, MALFORMED | DUPLICATE);
        let all = (1..).zip(self.ids.iter().zip(&self.traces));
        all.filter(move |(_, (_, trace))| decoded(trace))
            .filter_map(|(number, (id, _))| Some((Position::new(number)?, *id)))
    }

    pub(crate) fn lists(&self) -> &imbl::Vector<u32> {
        &self.lists
    }

    /// Adds a place that an index copy has
    pub(crate) fn load(&mut self, id: EntryId, recorded_at: RecordedAt, trace: Trace) {
        self.ids.push_back(id);
        self.times.push(recorded_at);
        self.traces.push_back(trace);
    }

    pub(crate) fn load_list(&mut self, number: u32) {
        self.lists.push_back(number);
    }

    fn trace(&self, position: Position) -> Option<Trace> {
        self.traces.get(at(position)?).copied()
    }

    /// The id at a position; `None` too if it could not be decoded
    pub(crate) fn id(&self, position: Position) -> Option<EntryId> {
        self.trace(position).filter(|trace| *trace != MALFORMED)?;
        self.ids.get(at(position)?).copied()
    }

    pub(crate) fn outcome(&self, position: Position) -> Option<OutcomeKind> {
        self.trace(position).map(|trace| match trace {
            MALFORMED | REFUSED => OutcomeKind::Refused,
            DUPLICATE => OutcomeKind::Duplicate,
            _ => OutcomeKind::Applied,
        })
    }

    /// The timelines that have changes of an entry
    pub(crate) fn timelines(&self, position: Position) -> Vec<TimelineId> {
        match self.trace(position) {
            None | Some(MALFORMED | REFUSED | DUPLICATE | APPLIED) => Vec::new(),
            Some(trace) if trace & LISTED == 0 => vec![TimelineId(trace)],
            Some(trace) => {
                let begins = (trace & !LISTED) as usize;
                let length = self.lists.get(begins).map_or(0, |length| *length as usize);
                let list = (begins + 1..=begins + length).filter_map(|n| self.lists.get(n));
                list.map(|number| TimelineId(*number)).collect()
            }
        }
    }

    pub(crate) fn recorded_at(&self, position: Position) -> Option<RecordedAt> {
        self.times.get(at(position)?)
    }

    pub(crate) fn newest_recorded_at(&self) -> Option<RecordedAt> {
        self.times.get(self.ids.len().checked_sub(1)?)
    }

    /// The last position recorded at or before a time; 0 if there is none
    pub(crate) fn known_at(&self, time: Instant) -> KnownAt {
        KnownAt(self.times.count_until(time.micros()) as u64)
    }
}

/// Times in a chunk
const CHUNK: usize = 64;

/// Times that never go back, four bytes each where a chunk lasts less than 71 minutes
// INVARIANT (times): ascending; every chunk but the tail has CHUNK times.
#[derive(Clone, Debug, Default)]
struct Times {
    chunks: imbl::Vector<Arc<Chunk>>,
    tail: Vec<i64>,
}

#[derive(Debug)]
struct Chunk {
    first: i64,
    rest: Offsets,
}

/// Microseconds after the first time of the chunk
#[derive(Debug)]
enum Offsets {
    Narrow(Box<[u32]>),
    Wide(Box<[i64]>),
}

impl Chunk {
    fn new(times: &[i64]) -> Self {
        let first = times.first().copied().unwrap_or(0);
        let offsets = times.iter().map(|time| time - first);
        let narrow: Option<Box<[u32]>> =
            offsets.clone().map(|offset| u32::try_from(offset).ok()).collect();
        let rest = narrow.map_or_else(|| Offsets::Wide(offsets.collect()), Offsets::Narrow);
        Self { first, rest }
    }

    fn get(&self, place: usize) -> Option<i64> {
        let offset = match &self.rest {
            Offsets::Narrow(offsets) => i64::from(*offsets.get(place)?),
            Offsets::Wide(offsets) => *offsets.get(place)?,
        };
        Some(self.first + offset)
    }

    /// How many of its times are not after that one
    fn count_until(&self, time: i64) -> usize {
        let offset = time - self.first;
        match &self.rest {
            Offsets::Narrow(offsets) => offsets.partition_point(|one| i64::from(*one) <= offset),
            Offsets::Wide(offsets) => offsets.partition_point(|one| *one <= offset),
        }
    }
}

impl Times {
    fn push(&mut self, time: RecordedAt) {
        self.tail.push(time.micros());
        if self.tail.len() == CHUNK {
            self.chunks.push_back(Arc::new(Chunk::new(&self.tail)));
            self.tail.clear();
        }
    }

    fn get(&self, place: usize) -> Option<RecordedAt> {
        let micros = match self.chunks.get(place / CHUNK) {
            Some(chunk) => chunk.get(place % CHUNK)?,
            None => *self.tail.get(place - self.chunks.len() * CHUNK)?,
        };
        Some(RecordedAt::saturating_from_micros(micros))
    }

    fn count_until(&self, time: i64) -> usize {
        if self.tail.first().is_some_and(|first| *first <= time) {
            return self.chunks.len() * CHUNK + self.tail.partition_point(|one| *one <= time);
        }
        let begun = self.chunks.binary_search_by(|chunk| {
            if chunk.first <= time { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater }
        });
        let Some(last) = begun.unwrap_or_else(|place| place).checked_sub(1) else { return 0 };
        last * CHUNK + self.chunks.get(last).map_or(0, |chunk| chunk.count_until(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invariant_times() {
        let mut times = Times::default();
        let mut all: Vec<i64> = Vec::new();
        for n in 0..3_000_i64 {
            // Now and then there is a pause of days, and sometimes several places have one time.
            let time = n / 3 * 1_000_003 + n / 700 * 500_000_000_000;
            all.push(time);
            times.push(RecordedAt::saturating_from_micros(time));
        }
        for (place, time) in all.iter().enumerate() {
            assert_eq!(times.get(place).unwrap().micros(), *time);
            for near in [time - 1, *time, time + 1] {
                let expected = all.partition_point(|one| *one <= near);
                assert_eq!(times.count_until(near), expected, "{place} {near}");
            }
        }
        assert_eq!(times.get(3_000), None);
        assert_eq!(times.count_until(i64::MAX / 2), 3_000);
        assert!(times.chunks.iter().any(|chunk| matches!(chunk.rest, Offsets::Wide(_))));
    }

    #[test]
    fn a_place_tells_what_became_of_it_and_where_its_changes_are() {
        let mut places = Places::default();
        let id = |n| Some(EntryId(Uuid::from_u128(n)));
        let now = RecordedAt::FIRST;
        let several = [TimelineId(3), TimelineId(7)];
        places.begin(now);
        places.finish(None, OutcomeKind::Refused, &[]);
        places.begin(now);
        places.finish(id(2), OutcomeKind::Refused, &[]);
        places.begin(now);
        places.finish(id(3), OutcomeKind::Applied, &several[..1]);
        places.begin(now);
        places.finish(id(4), OutcomeKind::Applied, &several);
        places.begin(now);
        places.finish(id(5), OutcomeKind::Applied, &[]);
        places.begin(now);
        places.finish(id(6), OutcomeKind::Duplicate, &[]);
        let of = |n| Position::new(n).unwrap();
        let ids: Vec<_> = (1..=6).map(|n| places.id(of(n))).collect();
        assert_eq!(ids, [None, id(2), id(3), id(4), id(5), id(6)]);
        let outcomes: Vec<_> = (1..=7).map(|n| places.outcome(of(n)).map(|o| o.as_str())).collect();
        let said = ["refused", "refused", "applied", "applied", "applied", "duplicate"];
        assert_eq!(outcomes[..6], said.map(Some));
        assert_eq!(outcomes[6], None);
        let timelines: Vec<_> = (1..=6).map(|n| places.timelines(of(n)).len()).collect();
        assert_eq!(timelines, [0, 0, 1, 2, 0, 0]);
    }
}
