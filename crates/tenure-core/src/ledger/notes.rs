//! What may the author of a change not have meant, by the state before the change?
//!
//! Looked at after a change was checked and before it is taken in, so the earlier changes of its entry are in the state.
//! Only whoever waits for the answer to an append pays for it.
//!
//! Rules: `docs/semantics.md#notes`.

use std::collections::BTreeSet;

use crate::history::edge::Edge;
use crate::history::order::OrderKey;
use crate::index::TimelineChange;
use crate::index::timeline::{Happened, Of, TimelineId};
use crate::ledger::access::governors;
use crate::ledger::decide::Fact;
use crate::ledger::moment::Moment;
use crate::ledger::state::Ledger;
use crate::ledger::view::View;
use crate::words::grantable::Grantable;
use crate::words::instant::EffectiveAt;
use crate::words::level::Access;
use crate::words::note::{LATER_MAX, Later, Noted};
use crate::words::position::{KnownAt, Position};
use crate::words::symbol::{LevelRef, PrincipalRef};
use crate::words::tenure;

/// Those who hold `tenure/Administrator` at the ledger's own level
const ADMINISTRATORS: Of =
    Of::Holding { level: LevelRef::LEDGER, grantable: Grantable::Role(tenure::ADMINISTRATOR) };

/// Entries by when they take effect
type Starts = BTreeSet<(EffectiveAt, Position)>;

/// What is to be said of a change that is about to be taken in
///
/// # Cost
/// O(changes of the holding or membership). Of a removal, O(changes of all that the principal ever held and was a member
/// of), and of a set also O(changes of its members).
pub(crate) fn of_fact(ledger: &Ledger, key: OrderKey, fact: &Fact) -> Vec<Noted> {
    let noting = Noting { ledger, key, view: View::of(ledger, KnownAt::from(key.position)) };
    match fact {
        Fact::Change(TimelineChange { timeline, principal, edge, .. }) => {
            let (timeline, principal) = (*timeline, *principal);
            match *edge {
                Edge::Start { until, .. } => {
                    noting.of_start(timeline, principal, until).into_iter().collect()
                }
                Edge::Stop => {
                    let mut noted = noting.of_stop(timeline, principal);
                    let own = ledger.index.timeline(timeline).of == ADMINISTRATORS;
                    noted.extend(own.then(|| noting.of_last(principal)).flatten());
                    noted
                }
            }
        }
        Fact::Removal(principal) => {
            let mut noted = noting.of_removal(*principal);
            noted.extend(noting.of_last(*principal));
            noted
        }
        Fact::Structural(_) | Fact::Observation { .. } | Fact::Void(_) => Vec::new(),
    }
}

/// The changes that start something after a change that finds it not running
pub(crate) fn later(
    ledger: &Ledger,
    key: OrderKey,
    timeline: TimelineId,
    principal: PrincipalRef,
) -> Option<Noted> {
    let noting = Noting { ledger, key, view: View::of(ledger, KnownAt::from(key.position)) };
    let mut starts = Starts::new();
    noting.starts_of(timeline, principal, &mut starts);
    scheduled(&starts)
}

fn scheduled(starts: &Starts) -> Option<Noted> {
    let entries: Vec<_> = starts.iter().copied().take(LATER_MAX).collect();
    let more = starts.len() - entries.len();
    (!entries.is_empty()).then_some(Noted::Scheduled(Later { entries, more }))
}

struct Noting<'a> {
    ledger: &'a Ledger,
    key: OrderKey,
    view: View<'a>,
}

impl Noting<'_> {
    fn of_start(
        &self,
        timeline: TimelineId,
        principal: PrincipalRef,
        until: Option<EffectiveAt>,
    ) -> Option<Noted> {
        let t = self.key.effective_at;
        if let Of::Members { .. } = self.ledger.index.timeline(timeline).of {
            return self.view.is_member(timeline, principal, t).then_some(Noted::Repeated);
        }
        let from = self.view.running(timeline, principal, t)?.terms.until;
        Some(match from == until {
            true => Noted::Repeated,
            false => Noted::TermsChanged { from, to: until },
        })
    }

    fn of_stop(&self, timeline: TimelineId, principal: PrincipalRef) -> Vec<Noted> {
        let mut starts = Starts::new();
        self.starts_of(timeline, principal, &mut starts);
        let repeated = (!self.runs(timeline, principal)).then_some(Noted::Repeated);
        repeated.into_iter().chain(scheduled(&starts)).collect()
    }

    /// Whether only this principal governs the ledger while access is enforced
    fn of_last(&self, principal: PrincipalRef) -> Option<Noted> {
        let before = KnownAt(self.key.position.get() - 1);
        let enforced = self.ledger.access(before) == Access::Enforced;
        let last = || governors(&self.view, self.key.effective_at) == [principal];
        (enforced && last()).then_some(Noted::LastAdministrator)
    }

    fn of_removal(&self, principal: PrincipalRef) -> Vec<Noted> {
        let index = &self.ledger.index;
        let own = index.all_timelines_of(principal);
        let members = index.members(principal);
        let mut starts = Starts::new();
        for timeline in &own {
            self.starts_of(*timeline, principal, &mut starts);
        }
        if let Some(timeline) = members {
            self.starts_in(timeline, &mut starts);
        }
        let has_members = || {
            let now = Moment::new(&self.view, self.key.effective_at);
            now.rule(principal).is_some() || !now.explicit_members(principal).is_empty()
        };
        let ends = own.iter().any(|timeline| self.runs(*timeline, principal)) || has_members();
        (!ends).then_some(Noted::Repeated).into_iter().chain(scheduled(&starts)).collect()
    }

    /// Whether a holding runs, or a membership
    fn runs(&self, timeline: TimelineId, principal: PrincipalRef) -> bool {
        let t = self.key.effective_at;
        match self.ledger.index.timeline(timeline).of {
            Of::Holding { .. } => self.view.running(timeline, principal, t).is_some(),
            Of::Members { .. } => self.view.is_member(timeline, principal, t),
        }
    }

    /// Adds the later counted entries that start one holding or membership
    fn starts_of(&self, timeline: TimelineId, principal: PrincipalRef, starts: &mut Starts) {
        let Ledger { index, places, .. } = self.ledger;
        let changes = index.changes(places, timeline, principal.number);
        starts.extend(changes.iter().filter_map(|(key, edge)| self.starts(*key, *edge)));
    }

    /// Adds the later counted entries that start any membership of a set
    fn starts_in(&self, timeline: TimelineId, starts: &mut Starts) {
        let Ledger { index, places, .. } = self.ledger;
        let t = self.key.effective_at;
        let timeline = index.timeline(timeline);
        // An event takes effect when it is recorded.
        let recorded_by_then = self.ledger.known_at(t.instant()).0;
        for (position, what) in timeline.events() {
            if let Happened::Start(number) = what
                && u64::from(position) > recorded_by_then
                && !timeline.is_apart(number)
                && let Some(position) = Position::new(u64::from(position))
                && let Some(at) = places.recorded_at(position)
                && self.counts(position)
            {
                starts.insert((EffectiveAt::saturating_from_micros(at.micros()), position));
            }
        }
        let apart = timeline.all_apart().flat_map(|(_, changes)| changes.iter());
        starts.extend(apart.filter_map(|(key, edge)| self.starts(*key, *edge)));
    }

    fn starts(&self, key: OrderKey, edge: Edge) -> Option<(EffectiveAt, Position)> {
        let later = key.effective_at > self.key.effective_at;
        let starts = later && matches!(edge, Edge::Start { .. }) && self.counts(key.position);
        starts.then_some((key.effective_at, key.position))
    }

    fn counts(&self, position: Position) -> bool {
        self.ledger.counts(position, self.view.known_at())
    }
}
