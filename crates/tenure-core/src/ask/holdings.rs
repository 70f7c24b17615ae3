//! What was held over a stretch of time, and how did each holding end?
//!
//! A row is a longest stretch in which a holding counts under the terms of one entry, seen by whoever is asked
//! about. Three things limit it: the terms themselves, the membership through which it is held, and whether its
//! name means something at its level. How it ended is told by whichever of the three ended, in that order.
//!
//! Rules: `docs/semantics.md#how-it-ended`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::ask::answer::{Answer, AskError, End, Holding, HoldingThen, Who};
use crate::ask::listing::{AssignmentFilter, Wanted};
use crate::ask::reading::Reading;
use crate::history::holding::Held;
use crate::history::order::Cut;
use crate::index::timeline::{Of, TimelineId};
use crate::ledger::moment::Moment;
use crate::ledger::rules::{Belonging, User};
use crate::ledger::view::{Evidence, Joined, View};
use crate::words::ended::{Ended, How};
use crate::words::grantable::Grantable;
use crate::words::instant::EffectiveAt;
use crate::words::joined_by::JoinedBy;
use crate::words::position::Position;
use crate::words::principal::{Principal, PrincipalKind};
use crate::words::span::Span;
use crate::words::symbol::{LevelRef, PrincipalRef};

/// A stretch of time, and how it ends
#[derive(Clone, Debug)]
struct Stretch<T> {
    span: Span,
    /// The entry that ends it, if one alone does
    ended_by: Option<Position>,
    of: T,
}

/// Whoever is asked about is matched by a holder, through these pieces of membership
type Matched = Stretch<Vec<(Span, Joined)>>;

/// A name means something at a level: whether something custom
type Meant = Stretch<bool>;

impl View<'_> {
    /// Every longest stretch in which a holding counts under the terms of one entry, within a stretch of time
    ///
    /// In order of principal, level, what is held and time.
    ///
    /// # Errors
    /// A level that exists at no moment of it, or a role collection or role that was never defined.
    /// # Cost
    /// O(changes of the holdings that the filter takes × changes of structure around their levels).
    pub fn holdings_during(
        &self,
        filter: &AssignmentFilter,
        span: Span,
    ) -> Result<Vec<HoldingThen>, AskError> {
        if let Some(on) = &filter.on {
            let exists = self.ledger.find_level(on).is_some_and(|on| self.exists_during(on, span));
            if !exists {
                return Err(AskError::UnknownLevel(on.clone()));
            }
        }
        let wanted =
            self.wanted(filter, filter.on.as_ref().and_then(|on| self.ledger.find_level(on)))?;
        let mut rows = Rows { view: self, span, meant: BTreeMap::new(), found: Vec::new() };
        match &filter.principal {
            Some(principal) => {
                for (holder, matched) in self.matched(principal) {
                    for timeline in self.ledger.index.of_principal(holder) {
                        rows.add(timeline, holder, principal, &matched, &wanted);
                    }
                }
            }
            None => {
                let always = [always()];
                let timelines: BTreeSet<TimelineId> = self.timelines_of(&wanted).collect();
                for timeline in timelines {
                    for number in self.within(timeline, span) {
                        let holder = self.ledger.numbered(number);
                        let principal = self.ledger.principal_of(holder);
                        rows.add(timeline, holder, principal, &always, &wanted);
                    }
                }
            }
        }
        let mut found = rows.found;
        found.sort();
        Ok(found)
    }

    /// Tells of each holding that is shown how it ends, as seen from a moment at which it counts
    ///
    /// # Cost
    /// For each of them, O(its changes + changes of structure around its level + memberships of the principal).
    pub(super) fn tell_ends(
        &self,
        answer: &mut Answer,
        (t, reading): (EffectiveAt, Reading),
        rows: &Range<usize>,
    ) {
        let now = Moment::new(self, t);
        let tell = |holding: &mut Holding| self.tell_end(holding, &now);
        match answer {
            // Each was told with the last moment of its own session.
            Answer::Who(_) if matches!(reading, Reading::Session(_)) => {}
            // What is not shown has no evidence.
            Answer::Who(Who { subjects, sets }) => {
                let all = subjects.iter_mut().chain(sets);
                all.flat_map(|subject| &mut subject.detail).for_each(tell);
            }
            Answer::Check(check) => {
                let then = check.last_at.map(|last_at| Moment::new(self, last_at));
                let then = then.as_ref().unwrap_or(&now);
                check.because.iter_mut().for_each(|holding| self.tell_end(holding, then));
            }
            Answer::Assignments(holdings) => {
                holdings.iter_mut().skip(rows.start).take(rows.len()).for_each(tell);
            }
            _ => {}
        }
    }

    /// Tells how a holding ends, and which memberships are behind a rule, as of a moment at which it counts
    pub(super) fn tell_end(&self, holding: &mut Holding, then: &Moment<'_>) {
        holding.ends = self.end_of(holding, then.t);
        if let (Some(membership), Some(via)) = (&mut holding.membership, &holding.via)
            && let JoinedBy::Rule(_) = membership.by
            && let Some(set) = self.ledger.find_principal(via)
        {
            membership.entries = then.entries_behind(set, self.user(&holding.principal));
        }
    }

    /// When and how a holding that counts at a moment ceases to count under its terms
    fn end_of(&self, holding: &Holding, t: EffectiveAt) -> Option<End> {
        let ledger = self.ledger;
        let holder = ledger.find_principal(holding.via.as_ref().unwrap_or(&holding.principal))?;
        let level = ledger.find_level(&holding.level)?;
        let timeline =
            ledger.index.find_holding_timeline(level, self.granted(&holding.granted)?)?;
        let always_matched = holding.via.is_none() || holder.kind == PrincipalKind::Everyone;
        let matched = if always_matched {
            vec![always()]
        } else {
            self.matched_by(holder, self.user(&holding.principal))
        };
        let span = Span { from: t, until: None };
        let mut rows = Rows { view: self, span, meant: BTreeMap::new(), found: Vec::new() };
        rows.add(timeline, holder, &holding.principal, &matched, &Wanted::default());
        let now = rows.found.into_iter().find(|row| row.span.from() == t)?;
        Some(End { at: now.span.until()?, ended: now.ended? })
    }

    /// The error of such a question without a moment in its stretch: the level first, then what is asked
    pub(super) fn no_holdings(&self, filter: &AssignmentFilter, from: EffectiveAt) -> AskError {
        let now = Moment::new(self, from);
        let level = filter.on.as_ref().map(|on| now.level(on)).transpose();
        let wanted = level.and_then(|on| self.wanted(filter, on).map(drop));
        wanted.err().unwrap_or(AskError::EmptyInterval)
    }

    fn exists_during(&self, level: LevelRef, span: Span) -> bool {
        let (landscape, clamp) = self.landscape(span.until());
        let Some(track) = landscape.track(level) else { return false };
        let first = track.states.at(Cut::through(span.from()).min(clamp));
        first.is_some_and(Option::is_some)
            || track.states.iter().any(|(key, state)| {
                let t = key.effective_at;
                let within = t > span.from() && span.until().is_none_or(|until| t < until);
                // A change that comes later at the same moment may take it back.
                let stays =
                    || track.states.at(Cut::through(t).min(clamp)).is_some_and(Option::is_some);
                within && *key <= clamp.0 && state.is_some() && stays()
            })
    }

    /// The holders that match a principal at some time, with the stretches in which they do
    fn matched(&self, principal: &Principal) -> Vec<(PrincipalRef, Vec<Matched>)> {
        let ledger = self.ledger;
        let own = ledger.find_principal(principal);
        let mut found: Vec<_> = own.into_iter().map(|own| (own, vec![always()])).collect();
        if principal.kind() == PrincipalKind::User {
            let user = self.user(principal);
            let sets = self.sets_of(user).into_iter();
            found.extend(sets.map(|set| (set, self.matched_by(set, user))));
            let everyone = ledger.find_everyone(principal.origin());
            found.extend(everyone.map(|everyone| (everyone, vec![always()])));
        }
        found
    }

    /// The stretches in which a user is a member of a set
    fn matched_by(&self, set: PrincipalRef, user: User<'_>) -> Vec<Matched> {
        let Belonging { stretches, pieces } = self.belonging(set, user);
        let stretches = stretches.into_iter();
        let matched = stretches.map(|(span, ended_by)| {
            let within = pieces.iter().filter(|(piece, _)| span.contains(piece.from()));
            Stretch { span, ended_by, of: within.copied().collect() }
        });
        matched.collect()
    }

    /// When a name means something at a level, so that holdings of it count there
    fn meant(&self, level: LevelRef, grantable: Grantable, timeline: TimelineId) -> Vec<Meant> {
        let (landscape, clamp) = self.landscape(None);
        let mut moments = landscape.moments_above(level, grantable, clamp);
        moments.entry(EffectiveAt::FIRST).or_default();
        let mut next = moments.iter().skip(1);
        let mut found: Vec<Meant> = Vec::new();
        for from in moments.keys() {
            let now = Moment::new(self, *from);
            let here = now.here(level);
            let custom = here
                .and_then(|here| now.given(&here, grantable, timeline))
                .map(|given| given.custom);
            let next = next.next();
            let (until, ended_by) = (next.map(|(t, _)| *t), next.and_then(|(_, by)| *by));
            let Some(span) = Span::new(*from, until) else { continue };
            match (found.last_mut(), custom) {
                (_, None) => {}
                (Some(last), Some(custom))
                    if last.span.until() == Some(*from) && last.of == custom =>
                {
                    last.span.until = until;
                    last.ended_by = ended_by;
                }
                (_, Some(custom)) => found.push(Stretch { span, ended_by, of: custom }),
            }
        }
        found
    }
}

fn always() -> Matched {
    let span = Span { from: EffectiveAt::FIRST, until: None };
    Stretch { span, ended_by: None, of: Vec::new() }
}

/// The rows of an answer that is being made
struct Rows<'v> {
    view: &'v View<'v>,
    span: Span,
    meant: BTreeMap<TimelineId, Vec<Meant>>,
    found: Vec<HoldingThen>,
}

impl Rows<'_> {
    /// Adds what a holder held in a timeline while it matched a principal
    fn add(
        &mut self,
        timeline: TimelineId,
        holder: PrincipalRef,
        principal: &Principal,
        matched: &[Matched],
        wanted: &Wanted,
    ) {
        let view = self.view;
        let Of::Holding { level, grantable } = view.ledger.index.timeline(timeline).of else {
            return;
        };
        if !wanted.takes(level, grantable) {
            return;
        }
        let Some(history) = view.history(timeline, holder) else { return };
        let held = view.stretches(&history, None);
        if held.iter().all(|one| one.span.within(self.span).is_none()) {
            return;
        }
        let meant =
            self.meant.entry(timeline).or_insert_with(|| view.meant(level, grantable, timeline));
        for one in held {
            for meant in meant.iter().filter(|meant| meant.of == one.terms.custom) {
                for matched in matched {
                    let Some(span) = one
                        .span
                        .within(meant.span)
                        .and_then(|span| span.within(matched.span))
                        .and_then(|span| span.within(self.span))
                    else {
                        continue;
                    };
                    let then = |(piece, _): &&(Span, Joined)| piece.contains(span.from());
                    let joined = matched.of.iter().find(then).map(|(_, joined)| *joined);
                    let evidence = Evidence { key: history.key, terms: one.terms, joined };
                    self.found.push(HoldingThen {
                        holding: view.holding(principal, &evidence),
                        span,
                        ended: ended(span, &one, matched, meant),
                    });
                }
            }
        }
    }
}

/// How a stretch ended: the first of the three that ended with it
fn ended(span: Span, held: &Held, matched: &Matched, meant: &Meant) -> Option<Ended> {
    let end = span.until()?;
    let ends = |of: Span| of.until() == Some(end);
    if ends(held.span) {
        held.ended
    } else if ends(matched.span) {
        Some(Ended { how: How::Left, entry: matched.ended_by })
    } else if ends(meant.span) {
        Some(Ended { how: How::Suspended, entry: meant.ended_by })
    } else {
        None
    }
}
