//! What was so, as known at one position?
//!
//! A [`View`] pins what was known. It answers single facts: whether a holding runs, whether a user is a member,
//! what a name means. The questions of `ask` are made of these. Facts of one moment come from a `Moment`
//! (`moment.rs`).

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use crate::history::holding::{Ends, Held, HoldingHistory, HoldingKey, Terms};
use crate::history::landscape::Landscape;
use crate::history::landscape_at::Land;
use crate::history::landscapes::Known;
use crate::history::membership::{Membership, MembershipHistory};
use crate::history::order::{Bound, Cut};
use crate::index::timeline::{Of, TimelineId};
use crate::ledger::Ledger;
use crate::ledger::rules::User;
use crate::words::instant::EffectiveAt;
use crate::words::joined_by::JoinedBy;
use crate::words::position::{KnownAt, Position};
use crate::words::principal::Principal;
use crate::words::span::Span;
use crate::words::symbol::PrincipalRef;
use roaring::RoaringBitmap;

/// The ledger as known at one position
#[derive(Debug)]
pub struct View<'a> {
    pub(crate) ledger: &'a Ledger,
    known: Known<'a>,
    /// Folded for this S, if `known` does not reach far enough
    folded: OnceCell<Arc<Landscape>>,
    known_at: KnownAt,
}

/// A holding that counts, as evidence that is not yet resolved to text
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Evidence {
    pub(crate) key: HoldingKey,
    pub(crate) terms: Terms,
    /// The membership through which whoever is asked about has it, where it is that of a set with members
    pub(crate) joined: Option<Joined>,
}

/// Since when a principal is a member without a break, and by what
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Joined {
    pub(crate) since: EffectiveAt,
    pub(crate) by: JoinedBy,
}

impl From<Membership> for Joined {
    fn from(membership: Membership) -> Self {
        Self { since: membership.span.from(), by: JoinedBy::Entry(membership.entry) }
    }
}

/// A principal whose own holdings whoever is asked about has
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holder {
    pub(crate) principal: PrincipalRef,
    pub(crate) matched: Matched,
}

/// How a principal is matched by another
#[derive(Clone, Copy, Debug)]
pub(crate) enum Matched {
    /// It is the same, or everybody is matched
    Always,
    /// It was added to the set
    Added(Joined),
    /// The rule of the group makes it a member; since when costs more to find
    ByRule,
}

impl<'a> View<'a> {
    /// The ledger as known once the first so many entries had been folded
    ///
    /// # Cost
    /// O(log late changes of structure + scheduled ones).
    pub fn of(ledger: &'a Ledger, known_at: KnownAt) -> Self {
        let next = Position::new(known_at.0.saturating_add(1));
        let next_recorded = next
            .and_then(|next| ledger.recorded_at(next))
            .map(|at| EffectiveAt::saturating_from_micros(at.micros()));
        let known = ledger.structure.known(known_at, next_recorded);
        Self { ledger, known, folded: OnceCell::new(), known_at }
    }

    /// Whether a principal ever held anything
    pub(crate) fn ever_holds(&self, holder: PrincipalRef) -> bool {
        self.ledger.index.of_principal(holder).next().is_some()
    }

    /// A principal, and its number if an entry ever named it
    pub(crate) fn user<'n>(&self, name: &'n Principal) -> User<'n> {
        User { name, number: self.ledger.find_principal(name) }
    }

    /// The position that it pins
    pub fn known_at(&self) -> KnownAt {
        self.known_at
    }

    /// The landscape for all moments before one, and the last change of it that was known
    pub(crate) fn landscape_until(&self, end: EffectiveAt) -> (&Landscape, Cut) {
        if self.known.until.is_some_and(|until| until <= end) {
            let fold =
                || self.ledger.structure.folded(self.known_at, |position| self.counts(position));
            return (self.folded.get_or_init(fold), Cut::OPEN);
        }
        (self.known.landscape, self.known.clamp)
    }

    /// What was there at a moment
    pub(crate) fn land(&self, t: EffectiveAt) -> Land<'_> {
        let (landscape, clamp) = self.landscape_until(t);
        Land::of(landscape, Cut::through(t).min(clamp))
    }

    /// The landscape for all moments up to an end, and the last change of it that was known
    pub(crate) fn landscape(&self, end: Option<EffectiveAt>) -> (&Landscape, Cut) {
        self.landscape_until(end.unwrap_or(EffectiveAt::LAST))
    }

    /// How many of the known entries were recorded by a moment
    pub(crate) fn prefix(&self, t: EffectiveAt) -> u64 {
        self.ledger.known_at(t.instant()).0.min(self.known_at.0)
    }

    /// The version of the catalogue in force, and the position of the entry that published it
    pub fn catalog(&self, at: EffectiveAt) -> Option<(&Arc<str>, Position)> {
        let published = self.land(at).catalog()?;
        Some((&published.definitions.version, published.position))
    }

    pub(crate) fn counts(&self, position: Position) -> bool {
        self.ledger.counts(position, self.known_at)
    }

    /// All changes of a principal's holding in a timeline; `None` for a timeline of members
    pub(crate) fn history(
        &self,
        timeline: TimelineId,
        principal: PrincipalRef,
    ) -> Option<HoldingHistory<'_>> {
        let Of::Holding { level, grantable } = self.ledger.index.timeline(timeline).of else {
            return None;
        };
        let ledger = self.ledger;
        let changes = ledger.index.changes(&ledger.places, timeline, principal.number);
        Some(HoldingHistory { key: HoldingKey { principal, grantable, level }, changes })
    }

    fn ends<'v>(
        &'v self,
        key: &HoldingKey,
        (landscape, clamp): (&'v Landscape, Cut),
    ) -> Ends<'v, impl Fn(Position) -> bool + 'v> {
        Ends {
            level: landscape.track(key.level),
            clamp,
            removals: self.ledger.index.removals(key.principal),
            counts: |position| self.counts(position),
        }
    }

    /// The running holding of a principal in a timeline
    pub(crate) fn running(
        &self,
        timeline: TimelineId,
        principal: PrincipalRef,
        t: EffectiveAt,
    ) -> Option<Evidence> {
        let history = self.history(timeline, principal)?;
        let terms = self.terms(&history, t)?;
        Some(Evidence { key: history.key, terms, joined: None })
    }

    /// The terms under which a holding runs
    pub(crate) fn terms(&self, history: &HoldingHistory<'_>, t: EffectiveAt) -> Option<Terms> {
        history.running(t, &self.ends(&history.key, self.landscape_until(t)))
    }

    pub(crate) fn stretches(
        &self,
        history: &HoldingHistory<'_>,
        end: Option<EffectiveAt>,
    ) -> Vec<Held> {
        history.stretches(&self.ends(&history.key, self.landscape(end)))
    }

    /// The principals that may hold what a timeline is of, or may be members, at some time of a stretch
    ///
    /// These are the principals at its beginning, those that start within it, and those kept apart.
    pub(crate) fn within(&self, id: TimelineId, span: Span) -> RoaringBitmap {
        let timeline = self.ledger.index.timeline(id);
        let before = self.prefix(span.from());
        let until = span.until().map_or(self.known_at().0, |until| self.prefix(until));
        let agrees = match timeline.of {
            Of::Members { .. } => true,
            Of::Holding { level, grantable } => {
                let custom = timeline.custom().then_some(grantable);
                timeline.last_reset(before) == self.land(span.from()).last_end(level, custom)
            }
        };
        let mut within = if agrees { timeline.held(before) } else { timeline.met(before) };
        timeline.started_between(before, until, &mut within);
        within.extend(timeline.all_apart().map(|(number, _)| number));
        within
    }

    fn membership(
        &self,
        timeline: TimelineId,
        member: PrincipalRef,
    ) -> (MembershipHistory<'_>, [Option<&crate::history::order::Track<()>>; 2]) {
        let index = &self.ledger.index;
        let changes: Cow<'_, _> = index.changes(&self.ledger.places, timeline, member.number);
        let of_set = match index.timeline(timeline).of {
            Of::Members { set } => index.removals(set),
            Of::Holding { .. } => None,
        };
        (MembershipHistory { changes }, [of_set, index.removals(member)])
    }

    /// Whether a user is a member of the set that a timeline is of
    pub(crate) fn is_member(
        &self,
        timeline: TimelineId,
        member: PrincipalRef,
        t: EffectiveAt,
    ) -> bool {
        self.membership_at(timeline, member, t).is_some()
    }

    /// The membership of a user in the set that a timeline is of
    pub(crate) fn membership_at(
        &self,
        timeline: TimelineId,
        member: PrincipalRef,
        t: EffectiveAt,
    ) -> Option<Membership> {
        let (membership, removals) = self.membership(timeline, member);
        membership.at(t, removals, &|position| self.counts(position))
    }

    pub(crate) fn memberships(
        &self,
        timeline: TimelineId,
        member: PrincipalRef,
    ) -> Vec<Membership> {
        let (membership, removals) = self.membership(timeline, member);
        membership.stretches(Bound::Open, removals, &|position| self.counts(position))
    }

    /// Whether a counted entry names the principal in a change, at any time
    pub(crate) fn knows(&self, principal: PrincipalRef) -> bool {
        self.ledger.knows(principal, self.known_at)
    }
}
