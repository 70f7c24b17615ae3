//! Who could by the rights of a session that began before?
//!
//! A session keeps the rights of its logon. So it is true at T where it was true by what was assigned at some moment of
//! a session's life up to T.
//!
//! Rules: `docs/semantics.md#readings`.

use crate::ask::answer::{Anywhere, AskError, Check, Holding, Interval, Who};
use crate::ask::detail::Detail;
use crate::ask::interval::Segment;
use crate::ask::plan::Asked;
use crate::ask::reading::{Life, Reading};
use crate::ledger::moment::Moment;
use crate::ledger::view::View;
use crate::words::ability::Abilities;
use crate::words::instant::EffectiveAt;
use crate::words::level::Level;
use crate::words::principal::Principal;
use crate::words::span::Span;
use crate::words::symbol::LevelRef;

/// The stretch of time in which a session that is still used at a moment may have begun
fn session(t: EffectiveAt, life: Life) -> Span {
    let from = EffectiveAt::saturating_from_micros(t.micros() - life.micros());
    // A moment after the last one of all time is none; without it the stretch has no end.
    let until = t.micros().checked_add(1).map(EffectiveAt::saturating_from_micros);
    Span { from, until: until.filter(|until| *until > t) }
}

impl View<'_> {
    /// Every principal that could on a level at some moment of a session's life
    ///
    /// # Errors
    /// As [`View::who`].
    /// # Cost
    /// That of [`View::who_during`].
    pub(super) fn who_in_session(
        &self,
        can: &Abilities,
        on: &Level,
        (t, life): (EffectiveAt, Life),
        explain: Option<&Detail>,
    ) -> Result<Who<Vec<Holding>>, AskError> {
        let now = Moment::new(self, t);
        let level = now.level(on)?;
        let asked = now.asked(can, level)?;
        let span = session(t, life);
        let found = self.during(&self.session_segments(&asked, level, span), span);
        let mut last = found.map(|intervals| (intervals, Vec::new()));
        if let Some(detail) = explain {
            for (name, (intervals, because)) in detail.shown(&mut last) {
                *because = self.because_last(name, &asked, level, intervals, t);
                if let (true, Some(last)) = (detail.ends, intervals.last()) {
                    let then = Moment::new(self, last_moment(last.span, t));
                    because.iter_mut().for_each(|holding| self.tell_end(holding, &then));
                }
            }
        }
        Ok(last.map(|(_, because)| because))
    }

    /// The same on some level of a subtree, as it is at the moment
    ///
    /// # Errors
    /// As [`View::who_anywhere`].
    /// # Cost
    /// That of [`View::who_in_session`] for each level.
    pub(super) fn who_anywhere_in_session(
        &self,
        asked: &[Asked],
        levels: &[LevelRef],
        (t, life): (EffectiveAt, Life),
        explain: bool,
        detail: &Detail,
    ) -> Who<Anywhere> {
        let span = session(t, life);
        let mut by_level = Vec::new();
        for level in levels {
            let segments = self.session_segments(asked, *level, span);
            by_level.push((*level, self.during(&segments, span)));
        }
        let mut who = Who::<Anywhere>::on_levels(
            by_level.iter().map(|(level, who)| (self.ledger.level_of(*level), who)),
        );
        if explain {
            for (name, anywhere) in detail.shown(&mut who) {
                let there =
                    by_level.iter().filter_map(|(level, who)| Some((*level, who.of(name)?)));
                let because = there.flat_map(|(level, intervals)| {
                    self.because_last(name, asked, level, intervals, t)
                });
                anywhere.because = because.collect();
                anywhere.because.sort();
                anywhere.because.dedup();
            }
        }
        who
    }

    /// Whether a principal could at some moment of a session's life, and why at the last such moment
    ///
    /// # Errors
    /// As [`View::check`].
    /// # Cost
    /// That of [`View::timeline`].
    pub(super) fn check_in_session(
        &self,
        principal: &Principal,
        can: &Abilities,
        on: &Level,
        (t, life): (EffectiveAt, Life),
    ) -> Result<Check, AskError> {
        let now = Moment::new(self, t);
        let level = now.level(on)?;
        let asked = now.asked(can, level)?;
        let intervals = self.in_session(principal, &asked, level, session(t, life));
        let Some(last) = intervals.last() else {
            return self.check(principal, can, on, (t, Reading::Assigned));
        };
        Ok(Check {
            allowed: true,
            because: self.because_last(principal, &asked, level, &intervals, t),
            last_at: Some(last_moment(last.span, t)),
            ..Check::default()
        })
    }

    /// Whether a principal could on a level at some moment of a session's life
    pub(super) fn could_in_session(
        &self,
        principal: &Principal,
        asked: &[Asked],
        level: LevelRef,
        (t, life): (EffectiveAt, Life),
    ) -> bool {
        !self.in_session(principal, asked, level, session(t, life)).is_empty()
    }

    fn in_session(
        &self,
        principal: &Principal,
        asked: &[Asked],
        level: LevelRef,
        span: Span,
    ) -> Vec<Interval> {
        self.timeline_of(principal, &self.session_segments(asked, level, span))
    }

    fn session_segments(&self, asked: &[Asked], level: LevelRef, span: Span) -> Vec<Segment> {
        self.segments_of(asked, level, self.existing(level, level, span))
    }

    /// The holdings behind the last moment of these intervals
    fn because_last(
        &self,
        principal: &Principal,
        asked: &[Asked],
        level: LevelRef,
        intervals: &[Interval],
        t: EffectiveAt,
    ) -> Vec<Holding> {
        let Some(last) = intervals.last() else { return Vec::new() };
        let then = Moment::new(self, last_moment(last.span, t));
        let user = self.user(principal);
        let why = then.plan(asked, level).map(|plan| {
            let matching = then.matching(user, &|set| plan.looks_at(self, set));
            then.why(&plan, &matching, user)
        });
        self.holdings(principal, &why.unwrap_or_default())
    }
}

/// The last moment of a stretch up to another moment
fn last_moment(span: Span, t: EffectiveAt) -> EffectiveAt {
    match span.until() {
        Some(until) if until <= t => EffectiveAt::saturating_from_micros(until.micros() - 1),
        _ => t,
    }
}
