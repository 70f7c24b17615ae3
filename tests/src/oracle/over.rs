//! When could somebody, and who could during a stretch of time?
//!
//! From the state at the start of the stretch, and at every moment within it at which anything takes effect or
//! expires.
//!
//! Rules: `docs/semantics.md#over-intervals`.

use std::collections::BTreeSet;

use tenure_core::answer::{AskError, Holding, Interval, LevelDuring, Subject, Who};
use tenure_core::{Abilities, Ability, EffectiveAt, KnownAt, Level, Principal, Span};

use super::Oracle;
use super::ask::{Moment, sorted, undefined};
use super::need::{Asker, Need};
use super::state::Deed;

impl Oracle {
    /// The moments at which anything takes effect or expires
    pub(super) fn moments(&self, s: KnownAt) -> BTreeSet<EffectiveAt> {
        let mut moments = BTreeSet::new();
        for fact in self.counted(s).into_iter().flat_map(|line| &line.facts) {
            moments.insert(fact.effective_at);
            if let Deed::Grant { until: Some(until), .. } = fact.deed {
                moments.insert(until);
            }
        }
        moments
    }

    /// The stretches of a span between which anything takes effect or expires, with their states
    pub(super) fn stretches(
        &self,
        span: Span,
        s: KnownAt,
    ) -> Vec<(EffectiveAt, Option<EffectiveAt>, Moment<'_>)> {
        let mut moments = self.moments(s);
        moments.insert(span.from());
        moments.retain(|t| *t >= span.from() && span.until().is_none_or(|until| *t < until));
        let moments: Vec<EffectiveAt> = moments.into_iter().collect();
        let ends = moments.iter().copied().skip(1).map(Some).chain([span.until()]);
        let stretches = moments.iter().zip(ends);
        stretches.map(|(from, until)| (*from, until, Moment::new(self, *from, s))).collect()
    }

    /// The stretches in which there is something to be asked, with what must be held
    #[expect(clippy::type_complexity, reason = "named once, here")]
    fn asked_over(
        &self,
        can: &Abilities,
        on: &Level,
        span: Span,
        s: KnownAt,
    ) -> Result<Vec<(EffectiveAt, Option<EffectiveAt>, Moment<'_>, Need)>, AskError> {
        let mut stretches = self.stretches(span, s);
        stretches.retain(|(_, _, moment)| moment.state.exists(on));
        if stretches.is_empty() {
            return Err(AskError::UnknownLevel(on.clone()));
        }
        for ability in can.iter() {
            let elsewhere = |(_, _, moment): &(_, _, Moment<'_>)| moment.elsewhere(ability, on);
            if stretches.iter().all(elsewhere) {
                return Err(AskError::DecidedElsewhere(on.clone()));
            }
            self.must_be_defined(ability, s)?;
            // A level where something else decides has the operation, if there ever was one, but no permission.
            let ever = match ability {
                Ability::Permission(name) => self.permissions_ever(on, s).contains(name),
                Ability::Path(_) => !self.permissions_ever(on, s).is_empty(),
                _ => self.is_ever_an_operation(ability, s),
            };
            let defined = |(_, _, moment): &(_, _, Moment<'_>)| moment.need(ability, on).is_some();
            if !stretches.iter().any(|one| (ever && elsewhere(one)) || defined(one)) {
                return Err(undefined(ability));
            }
        }
        let asked = stretches.into_iter().filter_map(|(from, until, moment)| {
            let need = moment.need_any(can, on)?;
            Some((from, until, moment, need))
        });
        Ok(asked.collect())
    }

    /// The maximal intervals in which a principal could
    pub fn timeline(
        &self,
        principal: &Principal,
        can: &Abilities,
        on: &Level,
        span: Span,
        s: KnownAt,
    ) -> Result<Vec<Interval>, AskError> {
        Ok(intervals(principal, &self.asked_over(can, on, span, s)?))
    }

    /// Every known principal that could at some time
    pub fn who_during(
        &self,
        can: &Abilities,
        on: &Level,
        span: Span,
        s: KnownAt,
        explain: bool,
    ) -> Result<Who<Vec<Interval>>, AskError> {
        let asked = self.asked_over(can, on, span, s)?;
        let all = self.people(s).into_iter().map(|principal| {
            let mut detail = intervals(&principal, &asked);
            if !explain {
                detail.iter_mut().for_each(|interval| interval.because.clear());
            }
            Subject { principal, assigned: None, detail }
        });
        Ok(sorted(all.filter(|subject| !subject.detail.is_empty()).collect()))
    }

    /// Every known principal that could on some level of a subtree at some time, while the level lay in it
    pub fn who_during_anywhere(
        &self,
        can: &Abilities,
        under: &Level,
        span: Span,
        s: KnownAt,
        explain: bool,
    ) -> Result<Who<Vec<LevelDuring>>, AskError> {
        let stretches = self.stretches(span, s);
        let levels: BTreeSet<Level> =
            stretches.iter().flat_map(|(_, _, moment)| moment.state.subtree(under)).collect();
        if levels.is_empty() {
            return Err(AskError::UnknownLevel(under.clone()));
        }
        for ability in can.iter() {
            self.must_be_defined(ability, s)?;
            let ever = self.is_ever_an_operation(ability, s);
            let asked = stretches.iter().any(|(_, _, moment)| {
                let mut levels = moment.state.subtree(under).into_iter();
                levels.any(|level| {
                    (ever && moment.elsewhere(ability, &level))
                        || moment.need(ability, &level).is_some()
                })
            });
            if !asked {
                return Err(undefined(ability));
            }
        }
        let mut found: Vec<(Principal, Vec<LevelDuring>)> =
            self.people(s).into_iter().map(|principal| (principal, Vec::new())).collect();
        for level in levels {
            let asked: Vec<_> = self
                .stretches(span, s)
                .into_iter()
                .filter(|(_, _, moment)| moment.state.subtree(under).contains(&level))
                .filter_map(|(from, until, moment)| {
                    let need = moment.need_any(can, &level)?;
                    Some((from, until, moment, need))
                })
                .collect();
            for (principal, levels) in &mut found {
                let mut intervals = intervals(principal, &asked);
                if !explain {
                    intervals.iter_mut().for_each(|interval| interval.because.clear());
                }
                if !intervals.is_empty() {
                    levels.push(LevelDuring { level: level.clone(), intervals });
                }
            }
        }
        let found = found.into_iter().filter(|(_, levels)| !levels.is_empty());
        let subject = |(principal, detail)| Subject { principal, assigned: None, detail };
        Ok(sorted(found.map(subject).collect()))
    }
}

fn intervals(
    p: &Principal,
    asked: &[(EffectiveAt, Option<EffectiveAt>, Moment<'_>, Need)],
) -> Vec<Interval> {
    let mut found: Vec<(EffectiveAt, Option<EffectiveAt>, BTreeSet<Holding>)> = Vec::new();
    for (from, until, moment, need) in asked {
        let Some(because) = moment.verdict(need, &Asker::of(p)) else {
            continue;
        };
        match found.last_mut() {
            Some((_, end, all)) if *end == Some(*from) => {
                *end = *until;
                all.extend(because);
            }
            _ => found.push((*from, *until, because)),
        }
    }
    found
        .into_iter()
        .map(|(from, until, because)| {
            let mut because: Vec<Holding> = because.into_iter().collect();
            // One holding, however often what makes a member changes while it runs.
            because.dedup_by_key(|holding| Holding { membership: None, ..holding.clone() });
            Interval { span: Span::new(from, until).unwrap(), because }
        })
        .collect()
}
