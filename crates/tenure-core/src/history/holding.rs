//! When does a holding start, and when does it end?
//!
//! A holding is keyed by principal, grantable and level. A grant starts it, or gives a running holding new
//! terms. A holding that ended does not come back by itself. Each holding is folded alone, against the
//! landscape.
//!
//! INVARIANT (what ends a holding): a holding ends at the first of these five, and at nothing else.
//!
//! 1. Its `until` comes. At one instant, this happens before any change.
//! 2. A change revokes it.
//! 3. A change removes its principal.
//! 4. Its role or role collection is custom, and a change deletes that.
//! 5. A change deletes its level or an ancestor of its level.
//!
//! This file folds all five. These places rely on the list, because they answer without folding:
//!
//! - [`Change::ends_others`](crate::words::change::Change) names the changes behind 3, 4 and 5. An entry with
//!   one of them has no events in timelines.
//! - `reset_ended` in `ledger/applying.rs` tells timelines of 4 and 5.
//! - `Index::remove_principal` tells timelines of 3.
//! - `Land::last_end` finds the last 4 or 5 that the landscape knows, and `Timeline::last_reset` the last one
//!   that the timeline knows. A timeline is relied on only where the two agree.
//! - The copy of an index on the disk writes resets and removals, and derives nothing else of the five.
//!
//! The test `invariant_what_ends_a_holding` (in the package `tenure-tests`) tries each of the five on time,
//! late, scheduled and voided against the naive oracle.
//!
//! Rules: `docs/semantics.md#holding`, `docs/semantics.md#holding-ends`.

use std::borrow::Cow;

use crate::history::edge::Edge;
use crate::history::landscape::LevelTrack;
use crate::history::order::{Bound, Cut, OrderKey, Track};
use crate::words::ended::{Ended, How};
use crate::words::grantable::Grantable;
use crate::words::instant::EffectiveAt;
use crate::words::position::Position;
use crate::words::span::Span;
use crate::words::symbol::{LevelRef, PrincipalRef};

/// Who holds what where
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct HoldingKey {
    pub(crate) principal: PrincipalRef,
    pub(crate) grantable: Grantable,
    pub(crate) level: LevelRef,
}

/// All changes of one holding, voided ones too
#[derive(Debug)]
pub(crate) struct HoldingHistory<'a> {
    pub(crate) key: HoldingKey,
    pub(crate) changes: Cow<'a, Track<Edge>>,
}

/// A holding that runs, with its terms
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Terms {
    /// When the holding first started; new terms do not move it
    pub(crate) since: EffectiveAt,
    pub(crate) until: Option<EffectiveAt>,
    /// The entry that answers for the terms
    pub(crate) entry: Position,
    pub(crate) custom: bool,
}

/// A stretch of time in which a holding runs under one set of terms
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) span: Span,
    pub(crate) terms: Terms,
    /// How the stretch ends, if it does
    pub(crate) ended: Option<Ended>,
}

/// The end of one set of terms
#[derive(Clone, Copy, Debug)]
struct End {
    at: EffectiveAt,
    ended: Ended,
}

impl End {
    fn by(key: OrderKey, how: How) -> Self {
        Self { at: key.effective_at, ended: Ended { how, entry: Some(key.position) } }
    }
}

/// What else may end a holding
#[derive(Clone, Copy)]
pub(crate) struct Ends<'a, C> {
    /// The level as known then
    pub(crate) level: Option<&'a LevelTrack>,
    /// The last change of `level` that was known then
    pub(crate) clamp: Cut,
    /// Removals of the principal
    pub(crate) removals: Option<&'a Track<()>>,
    /// Whether an entry counts, as known then
    pub(crate) counts: C,
}

impl<C: Fn(Position) -> bool> Ends<'_, C> {
    /// The first change within a bound that ends a holding for the reasons 3, 4 or 5 of the invariant
    fn first(
        &self,
        grantable: Grantable,
        custom: bool,
        after: OrderKey,
        bound: Bound,
    ) -> Option<(OrderKey, How)> {
        let deleted =
            self.level.and_then(|level| level.states.first_between(after, bound, Option::is_none));
        let deleted = deleted.filter(|key| *key <= self.clamp.0);
        let removed =
            self.removals.and_then(|removals| first_counted(removals, after, bound, &self.counts));
        let undefined = self.level.filter(|_| custom).and_then(|level| match grantable {
            Grantable::Role(role) => {
                level.roles.get(&role)?.first_between(after, bound, Option::is_none)
            }
            Grantable::RoleCollection(name) => {
                level.role_collections.get(&name)?.first_between(after, bound, Option::is_none)
            }
        });
        let undefined = undefined.filter(|key| *key <= self.clamp.0);
        let deleted = deleted.map(|key| (key, How::LevelDeleted));
        let removed = removed.map(|key| (key, How::PrincipalRemoved));
        let undefined = undefined.map(|key| (key, How::DefinitionDeleted));
        // What deletes a level deletes what is defined there as well: the level comes first.
        [deleted, removed, undefined].into_iter().flatten().min_by_key(|(key, _)| *key)
    }
}

/// The first record strictly after a change and within a bound whose entry counts
pub(crate) fn first_counted<T>(
    track: &Track<T>,
    after: OrderKey,
    bound: Bound,
    counts: &impl Fn(Position) -> bool,
) -> Option<OrderKey> {
    let mut after = after;
    loop {
        let key = track.first_between(after, bound, |_| true)?;
        if counts(key.position) {
            return Some(key);
        }
        after = key;
    }
}

impl HoldingHistory<'_> {
    /// The terms under which the holding runs at a moment
    pub(crate) fn running<C: Fn(Position) -> bool>(
        &self,
        t: EffectiveAt,
        ends: &Ends<'_, C>,
    ) -> Option<Terms> {
        let mut last = None;
        self.walk(Bound::Through(t), ends, |terms, key, end| {
            last = if end.is_none() { Some((terms, key)) } else { None };
        });
        last.map(|(terms, _)| terms)
    }

    /// All stretches in which the holding runs, in order
    pub(crate) fn stretches<C: Fn(Position) -> bool>(&self, ends: &Ends<'_, C>) -> Vec<Held> {
        let mut stretches: Vec<Held> = Vec::new();
        self.walk(Bound::Open, ends, |terms, key, end| {
            let ended = end.map(|end| end.ended);
            match Span::new(key.effective_at, end.map(|end| end.at)) {
                Some(span) => stretches.push(Held { span, terms, ended }),
                // Terms without a moment leave no stretch; how they ended is how the ones before them did.
                None => {
                    if let Some(last) = stretches.last_mut()
                        && last.span.until() == Some(key.effective_at)
                        && last.ended.is_some_and(|ended| ended.how == How::Regranted)
                    {
                        last.ended = ended;
                    }
                }
            }
        });
        stretches
    }

    /// Calls `each` for every set of terms within a bound, with the change that sets them and when
    /// they end, if they do
    fn walk<C: Fn(Position) -> bool>(
        &self,
        bound: Bound,
        ends: &Ends<'_, C>,
        mut each: impl FnMut(Terms, OrderKey, Option<End>),
    ) {
        let mut running: Option<(Terms, OrderKey)> = None;
        let grantable = self.key.grantable;
        let counted = self
            .changes
            .iter()
            .take_while(|(key, _)| bound.includes(key))
            .filter(|(key, _)| (ends.counts)(key.position));
        for (key, change) in counted {
            let before = Bound::Before(*key);
            if let Some((terms, started)) = running.take() {
                let ended = end(&terms, grantable, started, before, ends);
                let how = match change {
                    Edge::Start { .. } => How::Regranted,
                    Edge::Stop => How::Revoked,
                };
                each(terms, started, Some(ended.unwrap_or(End::by(*key, how))));
                if ended.is_none() {
                    running = Some((terms, started));
                }
            }
            match *change {
                Edge::Start { until, custom } => {
                    let since = running.map_or(key.effective_at, |(terms, _)| terms.since);
                    running = Some((Terms { since, until, entry: key.position, custom }, *key));
                }
                Edge::Stop => running = None,
            }
        }
        if let Some((terms, started)) = running {
            each(terms, started, end(&terms, grantable, started, bound, ends));
        }
    }
}

/// When a holding under these terms ends within a bound, if it does
fn end<C: Fn(Position) -> bool>(
    terms: &Terms,
    grantable: Grantable,
    started: OrderKey,
    bound: Bound,
    ends: &Ends<'_, C>,
) -> Option<End> {
    let expired = terms.until.filter(|until| bound.reaches(*until));
    let expired = expired.map(|at| End { at, ended: Ended { how: How::Expired, entry: None } });
    let ended = ends.first(grantable, terms.custom, started, bound);
    let ended = ended.map(|(key, how)| End::by(key, how));
    // At one instant what expires does so before any change.
    expired.into_iter().chain(ended).min_by_key(|end| (end.at, end.ended.entry.is_some()))
}
