//! Who holds what where, and who is a member of what?
//!
//! An [`Index`] keeps one timeline for each grantable at each level, and one for the members of each set. For
//! each principal it keeps a mirror of these. Timelines say who held something. To say why, the few changes
//! of one holding are folded.

pub(crate) mod mentions;
pub(crate) mod mirror;
pub(crate) mod owners;
pub(crate) mod places;
pub(crate) mod positions;
pub(crate) mod timeline;

use std::borrow::Cow;
use std::sync::Arc;

use crate::history::edge::Edge;
use crate::history::order::{OrderKey, Track};
use crate::index::mirror::Mirror;
use crate::index::places::Places;
use crate::index::timeline::{Happened, Of, POSITION_END, Timeline, TimelineId};
use crate::words::grantable::Grantable;
use crate::words::instant::EffectiveAt;
use crate::words::pages::Pages;
use crate::words::position::Position;
use crate::words::symbol::{LevelRef, PrincipalRef, SharedMap, Symbol, index};

// INVARIANT (index): every number in a map below is that of an element of `timelines`. The mirror of a principal
// has every change of that principal in `timelines`, and a mark for each timeline that keeps it apart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    timelines: Pages<Arc<Timeline>>,
    /// By the number of the level
    at_level: Pages<Arc<Vec<(Grantable, TimelineId)>>>,
    of_role_collection: SharedMap<Symbol, imbl::Vector<TimelineId>>,
    /// Those of the roles of `tenure`, at every level
    own_roles: imbl::Vector<TimelineId>,
    of_set: SharedMap<u32, TimelineId>,
    /// What a principal holds, by its number
    holdings: Pages<Mirror>,
    /// What a user is a member of, by its number
    memberships: Pages<Mirror>,
    removals: SharedMap<PrincipalRef, Arc<Track<()>>>,
    /// The principals that an applied entry removed
    removed_at: SharedMap<Position, Arc<Vec<PrincipalRef>>>,
}

/// A change of a principal in a timeline
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimelineChange {
    pub(crate) timeline: TimelineId,
    pub(crate) principal: PrincipalRef,
    pub(crate) key: OrderKey,
    pub(crate) edge: Edge,
}

/// A step that was done to the index; a refused entry takes its steps back, the last first
#[derive(Clone, Copy, Debug)]
pub(crate) enum Done {
    /// An event of one principal, and its reflection in the mirror
    Event(TimelineId, PrincipalRef, OrderKey),
    /// A reset, or a stop by removal
    Mark(TimelineId),
    Apart(TimelineId, PrincipalRef, OrderKey),
    Removal(PrincipalRef, OrderKey),
}

impl Index {
    /// The timeline of a grantable at a level; it is created if it is missing
    ///
    /// `floor` gives the last deletion that would end a holding of the grantable.
    pub(crate) fn holding_timeline(
        &mut self,
        level: LevelRef,
        grantable: Grantable,
        custom: bool,
        floor: impl FnOnce() -> u64,
    ) -> TimelineId {
        if let Some(found) = self.find_holding_timeline(level, grantable) {
            return found;
        }
        let floor = u32::try_from(floor()).unwrap_or(u32::MAX);
        let id = self.add(Timeline::new(Of::Holding { level, grantable }, custom, floor));
        if let Some(list) = self.at_level.entry(level.number as usize) {
            let list = Arc::make_mut(list);
            let place = list.partition_point(|(other, _)| *other < grantable);
            list.insert(place, (grantable, id));
        }
        if let Grantable::RoleCollection(name) = grantable {
            self.of_role_collection.entry(name).or_default().push_back(id);
        }
        if grantable.is_own() {
            self.own_roles.push_back(id);
        }
        id
    }

    /// The timeline of the members of a set; it is created if it is missing
    pub(crate) fn members_timeline(&mut self, set: PrincipalRef) -> TimelineId {
        if let Some(found) = self.of_set.get(&set.number) {
            return *found;
        }
        let id = self.add(Timeline::new(Of::Members { set }, false, 0));
        self.of_set.insert(set.number, id);
        id
    }

    fn add(&mut self, timeline: Timeline) -> TimelineId {
        let id = TimelineId(index(self.timelines.len()));
        self.timelines.push(Arc::new(timeline));
        id
    }

    pub(crate) fn find_holding_timeline(
        &self,
        level: LevelRef,
        grantable: Grantable,
    ) -> Option<TimelineId> {
        let list = self.at_level.get(level.number as usize)?;
        let place = list.binary_search_by_key(&grantable, |(other, _)| *other).ok()?;
        list.get(place).map(|(_, id)| *id)
    }

    pub(crate) fn timeline(&self, id: TimelineId) -> &Timeline {
        #[expect(clippy::expect_used, reason = "by INVARIANT (index)")]
        self.timelines.get(id.0 as usize).expect("a timeline is there before its number is")
    }

    fn timeline_mut(&mut self, id: TimelineId) -> &mut Timeline {
        #[expect(clippy::expect_used, reason = "by INVARIANT (index)")]
        let timeline = self.timelines.get_mut(id.0 as usize).expect("as for reading");
        Arc::make_mut(timeline)
    }

    fn mirror(&self, timeline: TimelineId, principal: u32) -> Option<&Mirror> {
        match self.timeline(timeline).of {
            Of::Holding { .. } => self.holdings.get(principal as usize),
            Of::Members { .. } => self.memberships.get(principal as usize),
        }
    }

    fn mirror_mut(&mut self, timeline: TimelineId, principal: u32) -> &mut Mirror {
        let mirrors = match self.timeline(timeline).of {
            Of::Members { .. } => &mut self.memberships,
            Of::Holding { .. } => &mut self.holdings,
        };
        #[expect(clippy::expect_used, reason = "it is made where it is missing")]
        mirrors.entry(principal as usize).expect("it was made")
    }

    /// Takes a change in
    ///
    /// `regular` says that the change takes effect when it is recorded, and that its entry neither deletes nor
    /// removes anything. The result says whether the timeline has the change as an event.
    pub(crate) fn take_in(
        &mut self,
        places: &Places,
        change: TimelineChange,
        regular: bool,
        done: &mut Vec<Done>,
    ) -> bool {
        let TimelineChange { timeline: id, principal, key, edge } = change;
        let number = principal.number;
        let custom = matches!(edge, Edge::Start { custom: true, .. });
        let position = u32::try_from(key.position.get()).ok();
        let position = position.filter(|position| u64::from(*position) < POSITION_END);
        if let Some(position) = position.filter(|_| regular)
            && self.timeline(id).takes(number, edge)
            && !self.is_to_be_removed(id, principal, key)
        {
            let stops = edge == Edge::Stop;
            let last = self.mirror(id, number).map_or(0, |mirror| mirror.last_position(id));
            // Positions alone do not order two changes of one holding in one entry.
            if last < position {
                let what = if stops { Happened::Stop(number) } else { Happened::Start(number) };
                self.timeline_mut(id).push(position, what, custom);
                self.mirror_mut(id, number).push(id, position, stops);
                done.push(Done::Event(id, principal, OrderKey { index: 0, ..key }));
                return true;
            }
        }
        self.set_apart(places, id, number);
        self.timeline_mut(id).insert_apart(number, key, edge);
        done.push(Done::Apart(id, principal, key));
        false
    }

    /// Whether a removal of the principal, or of the set, takes effect after a change
    ///
    /// Such a removal was scheduled before the timeline knew the principal, so it is no event there.
    fn is_to_be_removed(&self, id: TimelineId, principal: PrincipalRef, key: OrderKey) -> bool {
        let set = match self.timeline(id).of {
            Of::Members { set } => Some(set),
            Of::Holding { .. } => None,
        };
        let mut removals = [Some(principal), set].into_iter().flatten();
        removals.any(|one| self.removals(one).is_some_and(|removals| removals.goes_beyond(key)))
    }

    /// Takes back what was done
    pub(crate) fn take_back(&mut self, done: Done) {
        match done {
            Done::Event(id, principal, key) => {
                self.timeline_mut(id).pop();
                self.mirror_mut(id, principal.number).pop(id);
                // A later change of the same entry may have set the principal apart together with this change.
                self.timeline_mut(id).remove_apart(principal.number, key);
            }
            Done::Mark(id) => self.timeline_mut(id).pop(),
            Done::Apart(id, principal, key) => {
                self.timeline_mut(id).remove_apart(principal.number, key);
            }
            Done::Removal(principal, key) => {
                if let Some(removals) = self.removals.get_mut(&principal) {
                    Arc::make_mut(removals).remove(key);
                }
            }
        }
    }

    /// Keeps all principals of a timeline apart from here on
    fn set_all_apart(&mut self, places: &Places, id: TimelineId) {
        for number in self.timeline(id).met(u64::MAX) {
            self.set_apart(places, id, number);
        }
        self.timeline_mut(id).set_all_apart();
    }

    /// Keeps a principal apart in a timeline from here on
    fn set_apart(&mut self, places: &Places, id: TimelineId, number: u32) {
        if self.timeline(id).is_apart(number) {
            return;
        }
        let changes = self.events_of(places, id, number);
        self.timeline_mut(id).set_apart(number, changes);
        self.mirror_mut(id, number).mark_apart(id);
    }

    /// The changes of a principal that its mirror has
    fn events_of(&self, places: &Places, id: TimelineId, number: u32) -> Track<Edge> {
        let custom = self.timeline(id).custom();
        let mut changes = Track::default();
        for (position, stops) in self.mirror(id, number).into_iter().flat_map(|m| m.changes(id)) {
            let Some(position) = Position::new(u64::from(position)) else { continue };
            let micros = places.recorded_at(position).map_or(i64::MAX, |at| at.micros());
            let effective_at = EffectiveAt::saturating_from_micros(micros);
            let edge = if stops { Edge::Stop } else { Edge::Start { until: None, custom } };
            // Such an entry neither deletes nor removes, so the index within the entry does not matter.
            changes.push(OrderKey { effective_at, position, index: 0 }, edge);
        }
        changes
    }

    /// All changes of a principal in a timeline, in order of effect, voided ones too
    pub(crate) fn changes(
        &self,
        places: &Places,
        id: TimelineId,
        number: u32,
    ) -> Cow<'_, Track<Edge>> {
        match self.timeline(id).changes_apart(number) {
            Some(changes) => Cow::Borrowed(changes),
            None => Cow::Owned(self.events_of(places, id, number)),
        }
    }

    /// Notes that all holdings of something, or all members of a set, end at a position
    pub(crate) fn reset(&mut self, id: TimelineId, position: Position, done: &mut Vec<Done>) {
        if let Some(position) = event_position(position) {
            self.timeline_mut(id).push(position, Happened::Reset, false);
            done.push(Done::Mark(id));
        }
    }

    /// Records that a principal is removed: reason 3 of INVARIANT (what ends a holding)
    pub(crate) fn remove_principal(
        &mut self,
        places: &Places,
        principal: PrincipalRef,
        key: OrderKey,
        regular: bool,
        done: &mut Vec<Done>,
    ) {
        Arc::make_mut(self.removals.entry(principal).or_default()).insert(key, ());
        done.push(Done::Removal(principal, key));
        let number = principal.number;
        let position = event_position(key.position).filter(|_| regular);
        let Some(position) = position else {
            self.keep_all_apart(places, principal);
            return;
        };
        for id in self.all_timelines_of(principal) {
            if !self.timeline(id).is_apart(number) {
                self.timeline_mut(id).push(position, Happened::Removed(number), false);
                done.push(Done::Mark(id));
            }
        }
        if let Some(id) = self.of_set.get(&number).copied() {
            self.reset(id, key.position, done);
        }
    }

    /// Keeps a principal apart in every timeline that has it; of a set, its members too
    fn keep_all_apart(&mut self, places: &Places, principal: PrincipalRef) {
        for id in self.all_timelines_of(principal) {
            self.set_apart(places, id, principal.number);
        }
        if let Some(id) = self.of_set.get(&principal.number).copied() {
            self.set_all_apart(places, id);
        }
    }

    pub(crate) fn all_timelines_of(&self, principal: PrincipalRef) -> Vec<TimelineId> {
        let memberships = self.memberships.get(principal.number as usize).into_iter();
        self.of_principal(principal).chain(memberships.flat_map(Mirror::timelines)).collect()
    }

    /// Adds a timeline that an index copy has, and mirrors it
    ///
    /// The result is false if its events are out of order or name a principal whose number is not below
    /// `principals`.
    pub(crate) fn load(&mut self, timeline: Timeline, principals: u32) -> bool {
        let place = TimelineId(index(self.timelines.len()));
        let (of, custom) = (timeline.of, timeline.custom());
        let id = match of {
            Of::Holding { level, grantable } => {
                self.holding_timeline(level, grantable, custom, || 0)
            }
            Of::Members { set } => self.members_timeline(set),
        };
        if id != place {
            return false;
        }
        for (position, what) in timeline.events() {
            let (number, stops) = match what {
                Happened::Start(number) => (number, false),
                Happened::Stop(number) => (number, true),
                Happened::Removed(_) | Happened::Reset => continue,
            };
            if number >= principals || u64::from(position) >= POSITION_END {
                return false;
            }
            self.mirror_mut(id, number).push(id, position, stops);
        }
        for (number, _) in timeline.all_apart() {
            self.mirror_mut(id, number).mark_apart(id);
        }
        *self.timeline_mut(id) = timeline;
        true
    }

    pub(crate) fn load_removals(&mut self, principal: PrincipalRef, removals: Track<()>) {
        self.removals.insert(principal, Arc::new(removals));
    }

    pub(crate) fn all_removals(&self) -> &SharedMap<PrincipalRef, Arc<Track<()>>> {
        &self.removals
    }

    pub(crate) fn all_removed_at(&self) -> &SharedMap<Position, Arc<Vec<PrincipalRef>>> {
        &self.removed_at
    }

    pub(crate) fn timelines_len(&self) -> usize {
        self.timelines.len()
    }

    /// Notes which principals an applied entry removed
    pub(crate) fn note_removal(&mut self, position: Position, principal: PrincipalRef) {
        Arc::make_mut(self.removed_at.entry(position).or_default()).push(principal);
    }

    /// Keeps apart every principal that an entry changed, because the entry stops counting or counts again
    pub(crate) fn flip(&mut self, places: &Places, position: Position) {
        if let Some(event) = event_position(position) {
            for id in places.timelines(position) {
                for number in self.timeline(id).changed_at(event) {
                    self.set_apart(places, id, number);
                }
            }
        }
        let removed = self.removed_at.get(&position).cloned();
        for principal in removed.iter().flat_map(|removed| removed.iter()) {
            self.keep_all_apart(places, *principal);
        }
    }

    /// Every grantable that was ever held at a level, with its timeline
    pub(crate) fn at_level(
        &self,
        level: LevelRef,
    ) -> impl Iterator<Item = (Grantable, TimelineId)> {
        self.at_level.get(level.number as usize).into_iter().flat_map(|list| list.iter().copied())
    }

    /// Whether anything was ever held at a level
    pub(crate) fn any_at(&self, level: LevelRef) -> bool {
        self.at_level.get(level.number as usize).is_some_and(|list| !list.is_empty())
    }

    /// The timelines of the roles of `tenure`
    pub(crate) fn own_roles(&self) -> impl Iterator<Item = TimelineId> {
        self.own_roles.iter().copied()
    }

    /// The timelines of a role collection of that name, at any level
    pub(crate) fn of_role_collection(&self, name: Symbol) -> impl Iterator<Item = TimelineId> {
        self.of_role_collection.get(&name).into_iter().flatten().copied()
    }

    /// Every timeline
    pub(crate) fn timelines(&self) -> impl Iterator<Item = (TimelineId, &Timeline)> {
        self.timelines.iter().enumerate().map(|(n, timeline)| (TimelineId(index(n)), &**timeline))
    }

    /// The timelines of what a principal ever held
    pub(crate) fn of_principal(&self, principal: PrincipalRef) -> impl Iterator<Item = TimelineId> {
        let mirror = self.holdings.get(principal.number as usize);
        mirror.into_iter().flat_map(Mirror::timelines)
    }

    /// Whether a principal may hold what a timeline is of, or may be a member, once so many entries were known
    ///
    /// If not, folding its changes would find nothing.
    pub(crate) fn may_run(&self, id: TimelineId, principal: PrincipalRef, prefix: u64) -> bool {
        let started = |mirror: &Mirror| mirror.started(id, prefix);
        self.timeline(id).is_apart(principal.number)
            || self.mirror(id, principal.number).is_some_and(started)
    }

    /// Whether a principal ever held what a timeline is of, or ever was a member
    pub(crate) fn is_in(&self, timeline: TimelineId, principal: PrincipalRef) -> bool {
        self.mirror(timeline, principal.number).is_some_and(|mirror| mirror.is_in(timeline))
    }

    /// The sets that a user was ever a member of, with their timelines
    pub(crate) fn of_member(
        &self,
        member: PrincipalRef,
    ) -> impl Iterator<Item = (PrincipalRef, TimelineId)> {
        let mirror = self.memberships.get(member.number as usize).into_iter();
        mirror.flat_map(Mirror::timelines).filter_map(|id| match self.timeline(id).of {
            Of::Members { set } => Some((set, id)),
            Of::Holding { .. } => None,
        })
    }

    /// The timeline of a set's members, if it ever had one
    pub(crate) fn members(&self, set: PrincipalRef) -> Option<TimelineId> {
        self.of_set.get(&set.number).copied()
    }

    pub(crate) fn removals(&self, principal: PrincipalRef) -> Option<&Track<()>> {
        self.removals.get(&principal).map(Arc::as_ref)
    }

    /// The positions after one at which timelines tell of changes at a level
    pub(crate) fn positions_at_level(&self, level: LevelRef, after: u64) -> Vec<u32> {
        let after = u32::try_from(after).unwrap_or(u32::MAX);
        let timelines = self.at_level(level).map(|(_, id)| self.timeline(id));
        timelines.flat_map(|timeline| timeline.positions(after)).collect()
    }

    /// The positions after one at which timelines tell of changes that name a principal
    pub(crate) fn positions_of_principal(&self, principal: PrincipalRef, after: u64) -> Vec<u32> {
        let after = u32::try_from(after).unwrap_or(u32::MAX);
        let held = self.holdings.get(principal.number as usize).into_iter();
        let memberships = self.memberships.get(principal.number as usize).into_iter();
        let own = held.chain(memberships).flat_map(Mirror::positions);
        let members = self.members(principal).map(|id| self.timeline(id).positions(after));
        own.filter(|position| *position > after).chain(members.into_iter().flatten()).collect()
    }
}

fn event_position(position: Position) -> Option<u32> {
    u32::try_from(position.get()).ok().filter(|position| u64::from(*position) < POSITION_END)
}
