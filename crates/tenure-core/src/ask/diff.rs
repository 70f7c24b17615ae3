//! What changed between two coordinates?
//!
//! This file compares the holdings. `landscape` compares levels and definitions, `power` compares who could do
//! something. A subtree is that of each coordinate: what lies in it at one of the two alone is gained or lost.
//!
//! Rules: `docs/semantics.md#diff`.

mod landscape;
mod power;

use std::collections::BTreeSet;

use roaring::RoaringBitmap;

use crate::ask::answer::{AskError, Diff};
use crate::index::timeline::{Of, TimelineId};
use crate::ledger::moment::{Given, Moment};
use crate::ledger::view::{Evidence, View};
use crate::words::instant::EffectiveAt;
use crate::words::level::Level;
use crate::words::principal::Principal;
use crate::words::symbol::{LevelRef, PrincipalRef};

pub use power::Place;

impl View<'_> {
    /// What changed from this coordinate to another: holdings, and levels and definitions unless one principal is
    /// asked about
    ///
    /// # Errors
    /// A level in `under` that exists at neither of the two.
    /// # Cost
    /// O(what was ever held at the levels, as bitmaps + holdings that differ + principals kept apart). Levels cost
    /// O(levels + custom role collections there), and nothing if no change of them lies between the two. The
    /// collections of two catalogues are compared once for each kind of level and feature set.
    pub fn diff(
        &self,
        t: EffectiveAt,
        other: &View<'_>,
        other_t: EffectiveAt,
        under: Option<&Level>,
        principal: Option<&Principal>,
    ) -> Result<Diff, AskError> {
        let both = Both { before: Moment::new(self, t), after: Moment::new(other, other_t) };
        let within = both.within(under)?;
        let mut diff = both.holdings(&within, principal);
        if principal.is_none() {
            diff.landscape = Some(both.landscape(&within));
        }
        Ok(diff)
    }
}

/// The two coordinates that are compared
struct Both<'v> {
    before: Moment<'v>,
    after: Moment<'v>,
}

/// The levels that are compared; `None` is all that exist
type Levels = Option<BTreeSet<LevelRef>>;

/// The levels that are compared, as of each coordinate
struct Within {
    before: Levels,
    after: Levels,
}

fn takes(levels: &Levels, level: LevelRef) -> bool {
    levels.as_ref().is_none_or(|levels| levels.contains(&level))
}

impl Within {
    /// The levels that lie in the subtree at either coordinate; `None` is all that exist
    fn either(&self) -> Levels {
        Some(self.before.as_ref()?.union(self.after.as_ref()?).copied().collect())
    }
}

impl<'v> Both<'v> {
    /// The subtree as of each coordinate
    ///
    /// # Errors
    /// A level that exists at neither.
    fn within(&self, under: Option<&Level>) -> Result<Within, AskError> {
        let Some(under) = under else { return Ok(Within { before: None, after: None }) };
        let (before, after) = (self.before.level(under), self.after.level(under));
        if let (Err(error), Err(_)) = (&before, &after) {
            return Err(error.clone());
        }
        let subtree = |moment: &Moment<'_>, root: Result<LevelRef, AskError>| {
            root.map(|root| moment.land.subtree(root).into_iter().collect()).unwrap_or_default()
        };
        Ok(Within {
            before: Some(subtree(&self.before, before)),
            after: Some(subtree(&self.after, after)),
        })
    }

    /// The counting holdings gained, lost and changed, of everybody or of one principal
    fn holdings(&self, within: &Within, principal: Option<&Principal>) -> Diff {
        let ledger = self.before.view.ledger;
        let principal = principal.map(|principal| ledger.find_principal(principal));
        let mut diff = Diff::default();
        for timeline in self.timelines(within, principal) {
            let Of::Holding { level, .. } = ledger.index.timeline(timeline).of else { continue };
            let before = takes(&within.before, level).then(|| given(&self.before, timeline));
            let after = takes(&within.after, level).then(|| given(&self.after, timeline));
            let given = Pair { before: before.flatten(), after: after.flatten() };
            match principal.flatten() {
                Some(principal) => self.compare(given, principal, &mut diff),
                None => {
                    for number in &self.may_differ(timeline, given) {
                        self.compare(given, ledger.numbered(number), &mut diff);
                    }
                }
            }
        }
        diff.gained.sort();
        diff.lost.sort();
        diff.changed.sort();
        diff
    }

    /// Every timeline that may have a holding that differs; a principal without a number has none
    fn timelines<'a>(
        &'a self,
        within: &Within,
        principal: Option<Option<PrincipalRef>>,
    ) -> Box<dyn Iterator<Item = TimelineId> + 'a> {
        let index = &self.before.view.ledger.index;
        match (principal, within.either()) {
            (Some(principal), _) => {
                Box::new(principal.into_iter().flat_map(|principal| index.of_principal(principal)))
            }
            (None, Some(levels)) => {
                let of_level = |level| index.at_level(level).map(|(_, timeline)| timeline);
                Box::new(levels.into_iter().flat_map(of_level))
            }
            (None, None) => Box::new(index.timelines().map(|(timeline, _)| timeline)),
        }
    }

    /// Adds the holding of a principal in a timeline, if it differs
    fn compare(&self, given: Pair<Given>, principal: PrincipalRef, diff: &mut Diff) {
        let counting = |moment: &Moment<'_>, given: Option<Given>| {
            given.and_then(|given| moment.counting(given, principal))
        };
        let before = counting(&self.before, given.before);
        let after = counting(&self.after, given.after);
        let (then, now) = (self.before.view, self.after.view);
        match (before, after) {
            (None, Some(after)) => diff.gained.push(now.own_holding(&after)),
            (Some(before), None) => diff.lost.push(then.own_holding(&before)),
            (Some(before), Some(after)) if terms(&before) != terms(&after) => {
                diff.changed.push((then.own_holding(&before), now.own_holding(&after)));
            }
            _ => {}
        }
    }

    /// The principals whose holding in a timeline may differ
    ///
    /// Where the events of the timeline can be relied on, whoever holds at both under other terms started again
    /// between the two, or is kept apart.
    fn may_differ(&self, timeline: TimelineId, given: Pair<Given>) -> RoaringBitmap {
        let events = self.before.view.ledger.index.timeline(timeline);
        let (one, other) = (self.before.prefix, self.after.prefix);
        let (first, last) = (one.min(other), one.max(other));
        let relied_on = given.before.is_none_or(|given| self.before.relies_on(given))
            && given.after.is_none_or(|given| self.after.relies_on(given));
        if given.before == given.after
            && relied_on
            && !events.has_apart()
            && events.is_quiet_between(first, last)
        {
            return RoaringBitmap::new();
        }
        let holders = |moment: &Moment<'_>, given: Option<Given>| {
            given.map(|given| moment.holders(given)).unwrap_or_default()
        };
        let before = holders(&self.before, given.before);
        let after = holders(&self.after, given.after);
        let mut at_both = &before & &after;
        if relied_on {
            let mut touched: RoaringBitmap = events.all_apart().map(|(number, _)| number).collect();
            events.started_between(first, last, &mut touched);
            at_both &= touched;
        }
        (before ^ after) | at_both
    }
}

/// What there is at each coordinate
#[derive(Clone, Copy)]
struct Pair<T> {
    before: Option<T>,
    after: Option<T>,
}

/// What a timeline is of, if holdings of it count
fn given(moment: &Moment<'_>, timeline: TimelineId) -> Option<Given> {
    let of = moment.view.ledger.index.timeline(timeline).of;
    let Of::Holding { level, grantable } = of else { return None };
    moment.given(&moment.here(level)?, grantable, timeline)
}

fn terms(evidence: &Evidence) -> impl PartialEq + use<> {
    (evidence.terms.since, evidence.terms.until, evidence.terms.entry)
}
