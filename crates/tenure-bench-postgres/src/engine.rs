//! What does the ledger's own engine answer?
//!
//! All that is asked of the core is asked here.

use anyhow::Context;
use tenure_core::{
    AssignmentFilter, EffectiveAt, Instant, KnownAt, Ledger, OutcomeKind, Position, Span, View,
    answer::{self, GrantedName},
};

use crate::question::{Answer, Held, Question, Stretch};

/// The ledger in memory
#[derive(Debug, Default)]
pub(crate) struct Engine {
    ledger: Ledger,
}

/// What the core answers, before it is put into rows: what is measured
#[derive(Debug)]
pub(crate) enum Raw {
    Who(answer::Who<Vec<answer::Holding>>),
    Under(answer::Who<answer::Anywhere>),
    During(answer::Who<Vec<answer::Interval>>),
    Check(answer::Check),
    Timeline(Vec<answer::Interval>),
    Where(Vec<tenure_core::Level>),
    Assignments(Vec<answer::Holding>),
    Diff(answer::Diff),
    /// It has no answer
    Error,
}

fn effective(micros: i64) -> EffectiveAt {
    EffectiveAt::saturating_from_micros(micros)
}

impl Engine {
    /// For whoever records entries in a journal as well
    pub(crate) fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// When the entry at a position was recorded, and whether it was applied
    ///
    /// # Errors
    /// A position that is not there.
    pub(crate) fn outcome(&self, position: Position) -> anyhow::Result<(i64, bool)> {
        let recorded_at = self.ledger.recorded_at(position).context("a position is missing")?;
        let applied = self.ledger.outcome(position) == Some(OutcomeKind::Applied);
        Ok((recorded_at.micros(), applied))
    }

    pub(crate) fn newest(&self) -> u64 {
        self.ledger.newest_position().map_or(0, Position::get)
    }

    /// The position that a recorded time stands for
    pub(crate) fn position(&self, micros: i64) -> u64 {
        Instant::from_micros(micros).map_or(0, |instant| self.ledger.known_at(instant).0)
    }

    /// Answers a question
    pub(crate) fn ask(&self, question: &Question) -> Raw {
        self.answer(question).unwrap_or(Raw::Error)
    }

    fn answer(&self, question: &Question) -> Option<Raw> {
        let view = |known: u64| View::of(&self.ledger, KnownAt(known));
        let span = |from: i64, until: Option<i64>| Span::new(effective(from), until.map(effective));
        Some(match question {
            Question::Who { can, on, at } => {
                Raw::Who(view(at.1).who(can, on, effective(at.0), false).ok()?)
            }
            Question::WhoUnder { can, under, at } => {
                Raw::Under(view(at.1).who_anywhere(can, under, effective(at.0), false).ok()?)
            }
            Question::WhoDuring { can, on, from, until, known } => {
                Raw::During(view(*known).who_during(can, on, span(*from, *until)?).ok()?)
            }
            Question::Check { principal, can, on, at } => {
                Raw::Check(view(at.1).check(principal, can, on, effective(at.0)).ok()?)
            }
            Question::Timeline { principal, can, on, from, until, known } => {
                let span = span(*from, *until)?;
                Raw::Timeline(view(*known).timeline(principal, can, on, span).ok()?)
            }
            Question::Where { principal, can, under, at } => {
                let at_t = effective(at.0);
                Raw::Where(view(at.1).where_could(principal, can, under, at_t).ok()?)
            }
            Question::AssignmentsOn { on, at } => {
                let filter =
                    AssignmentFilter { on: Some(on.clone()), ..AssignmentFilter::default() };
                Raw::Assignments(view(at.1).assignments(&filter, effective(at.0)).ok()?)
            }
            Question::AssignmentsOf { principal, at } => {
                let principal = Some(principal.clone());
                let filter = AssignmentFilter { principal, ..AssignmentFilter::default() };
                Raw::Assignments(view(at.1).assignments(&filter, effective(at.0)).ok()?)
            }
            Question::DiffUnder { under, from, until } => {
                let (one, two) = (effective(from.0), effective(until.0));
                let other = view(until.1);
                Raw::Diff(view(from.1).diff(one, &other, two, Some(under), None).ok()?)
            }
            Question::DiffOf { principal, from, until } => {
                let (one, two) = (effective(from.0), effective(until.0));
                let other = view(until.1);
                Raw::Diff(view(from.1).diff(one, &other, two, None, Some(principal)).ok()?)
            }
        })
    }
}

fn held(holding: &answer::Holding) -> Held {
    Held {
        holder: holding.via.as_ref().unwrap_or(&holding.principal).to_string(),
        level: holding.level.to_string(),
        granted: match &holding.granted {
            GrantedName::RoleCollection(name) => format!("role_collection:{name}"),
            GrantedName::Role(role) => format!("role:{role}"),
        },
        since: holding.since.micros(),
        until: holding.until.map_or(i64::MAX, EffectiveAt::micros),
        entry: holding.entry.get(),
    }
}

fn stretch(interval: &answer::Interval) -> Stretch {
    (interval.from.micros(), interval.until.map_or(i64::MAX, EffectiveAt::micros))
}

/// Users, clients and sets, each with what is made of its detail
fn all<T, U>(who: &answer::Who<T>, of: impl Fn(&T) -> U) -> Vec<(String, U)> {
    let subjects = who.subjects.iter().chain(&who.sets);
    subjects.map(|subject| (subject.principal.to_string(), of(&subject.detail))).collect()
}

impl Raw {
    /// As rows that can be compared
    pub(crate) fn rows(&self, question: &Question) -> Answer {
        let texts = |levels: &[tenure_core::Level]| {
            levels.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let answer = match self {
            Self::Who(who) => {
                Answer::Names(all(who, |_| ()).into_iter().map(|(p, ())| p).collect())
            }
            Self::Under(who) => Answer::Places(all(who, |detail| texts(&detail.levels))),
            Self::During(who) => {
                Answer::During(all(who, |detail| detail.iter().map(stretch).collect()))
            }
            Self::Check(check) => Answer::Holdings(check.because.iter().map(held).collect()),
            Self::Timeline(intervals) => Answer::Stretches(intervals.iter().map(stretch).collect()),
            Self::Where(levels) => Answer::Names(texts(levels)),
            Self::Assignments(holdings) => Answer::Holdings(holdings.iter().map(held).collect()),
            Self::Diff(diff) => {
                let gained = diff.gained.iter().map(|now| (None, Some(held(now))));
                let lost = diff.lost.iter().map(|then| (Some(held(then)), None));
                let changed =
                    diff.changed.iter().map(|(then, now)| (Some(held(then)), Some(held(now))));
                Answer::Changes(gained.chain(lost).chain(changed).collect())
            }
            Self::Error => question.nothing(),
        };
        answer.sorted()
    }
}
