//! Which positions and which moment does a question pin, and what stands beside its answer?

use std::sync::Arc;

use crate::ask::answer::{Answer, Answered, AskError, ComputedAt};
use crate::ask::detail::Detail;
use crate::ask::diff::Place;
use crate::ask::observed::PlaceRef;
use crate::ask::question::{AsOf, Known, Now};
use crate::ask::reading::Reading;
use crate::index::mentions::Mention;
use crate::ledger::Ledger;
use crate::ledger::view::View;
use crate::words::ability::Abilities;
use crate::words::change::EntryName;
use crate::words::instant::{EffectiveAt, RecordedAt};
use crate::words::level::Level;
use crate::words::outcome::OutcomeKind;
use crate::words::position::{KnownAt, Position};
use crate::words::principal::Principal;
use crate::words::span::Span;

/// A ledger at the moment of asking
#[derive(Clone, Copy)]
pub(super) struct Pinned<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) now: Now,
    pub(super) place: Option<PlaceRef<'a>>,
    pub(super) over: Option<(Option<&'a Abilities>, PlaceRef<'a>)>,
    pub(super) reading: Reading,
    pub(super) detail: &'a Detail,
}

impl<'a> Pinned<'a> {
    pub(super) fn view(self, known: Known) -> Result<View<'a>, AskError> {
        let newest = self.now.newest;
        let known_at = match known {
            Known::Newest => newest,
            Known::At(known_at) if known_at > newest => {
                return Err(AskError::NotYet { position: known_at.0, newest: newest.0 });
            }
            Known::At(known_at) => known_at,
            // What may not be seen yet is not known yet.
            Known::By(time) => self.ledger.known_at(time).min(newest),
        };
        Ok(View::of(self.ledger, known_at))
    }

    /// The rows whose evidence is wanted, if any is
    pub(super) fn explain(self, explain: bool) -> Option<&'a Detail> {
        explain.then_some(self.detail)
    }

    /// When the last position that is known was recorded
    fn recorded_at(self, view: &View<'_>) -> Option<RecordedAt> {
        Position::new(view.known_at().0).and_then(|position| self.ledger.recorded_at(position))
    }

    /// The moment that is asked about; where the question does not say, the later of the clock and the last
    /// position that is known
    ///
    /// So what was just acknowledged is in force at once, even if the log's clock is ahead of this one.
    pub(super) fn moment(self, view: &View<'_>, at: Option<EffectiveAt>) -> EffectiveAt {
        at.unwrap_or_else(|| {
            let recorded_at = self.recorded_at(view).map_or(0, RecordedAt::micros);
            self.now.at.max(EffectiveAt::saturating_from_micros(recorded_at))
        })
    }

    pub(super) fn computed_at(self, view: &View<'_>, at: Option<EffectiveAt>) -> ComputedAt {
        let known_at = view.known_at();
        let recorded_at = self.recorded_at(view);
        let catalog = at.and_then(|at| view.catalog(at)).map(|(version, _)| Arc::clone(version));
        ComputedAt { at, known_at, recorded_at, catalog, reading: self.reading }
    }

    pub(super) fn at(
        self,
        as_of: AsOf,
        answer: impl FnOnce(&View<'_>, EffectiveAt) -> Result<Answer, AskError>,
    ) -> Result<Answered, AskError> {
        let view = self.view(as_of.known_at)?;
        let t = self.moment(&view, as_of.at);
        let mut answer = answer(&view, t)?;
        if self.detail.ends {
            view.tell_ends(&mut answer, (t, self.reading), &self.detail.rows);
        }
        let observed = self.place.and_then(|place| view.observed_at(place, t));
        let elsewhere = self.over.map(|(can, looked)| view.elsewhere_at(can, looked, t));
        Ok(Answered {
            answer,
            as_of: self.computed_at(&view, Some(t)),
            known: None,
            observed,
            elsewhere: elsewhere.unwrap_or_default(),
        })
    }

    pub(super) fn over(
        self,
        can: &Abilities,
        on: &Level,
        span: Option<Span>,
        known_at: Known,
        answer: impl FnOnce(&View<'_>, Span) -> Result<Answer, AskError>,
    ) -> Result<Answered, AskError> {
        let view = self.view(known_at)?;
        let span = span.ok_or_else(|| view.empty_interval(can, on))?;
        let answer = answer(&view, span)?;
        Ok(self.over_time(&view, span, answer))
    }

    /// An answer about a stretch of time, with its coordinates
    pub(super) fn over_time(self, view: &View<'_>, span: Span, answer: Answer) -> Answered {
        let observed = self.place.and_then(|place| view.observed_over(place, span));
        let over = self.over.and_then(|(can, looked)| Some((can?, looked)));
        let elsewhere = over.map(|(can, looked)| view.elsewhere_over(can, looked, span));
        Answered {
            answer,
            as_of: self.computed_at(view, None),
            known: None,
            observed,
            elsewhere: elsewhere.unwrap_or_default(),
        }
    }

    pub(super) fn diff(
        self,
        from: AsOf,
        until: AsOf,
        under: Option<&Level>,
        principal: Option<&Principal>,
    ) -> Result<Answered, AskError> {
        let (before, after) = (self.view(from.known_at)?, self.view(until.known_at)?);
        let (from, until) = (self.moment(&before, from.at), self.moment(&after, until.at));
        let diff = before.diff(from, &after, until, under, principal)?;
        Ok(Answered {
            answer: Answer::Diff { diff, until: self.computed_at(&after, Some(until)) },
            as_of: self.computed_at(&before, Some(from)),
            known: None,
            observed: None,
            elsewhere: Vec::new(),
        })
    }

    pub(super) fn power_diff(
        self,
        from: AsOf,
        until: AsOf,
        can: &Abilities,
        place: &Place,
    ) -> Result<Answered, AskError> {
        let (before, after) = (self.view(from.known_at)?, self.view(until.known_at)?);
        let (from, until) = (self.moment(&before, from.at), self.moment(&after, until.at));
        let diff = before.power_diff(from, &after, until, can, place)?;
        let elsewhere = match place {
            Place::On(_) => Vec::new(),
            Place::Under(under) => {
                let place = PlaceRef::Under(under);
                let mut both = before.elsewhere_at(Some(can), place, from);
                both.extend(after.elsewhere_at(Some(can), place, until));
                both.sort();
                both.dedup();
                both
            }
        };
        Ok(Answered {
            answer: Answer::PowerDiff { diff, until: self.computed_at(&after, Some(until)) },
            as_of: self.computed_at(&before, Some(from)),
            known: None,
            observed: None,
            elsewhere,
        })
    }

    /// The positions that have all mentions
    ///
    /// # Errors
    /// A level or a role collection that no entry ever named.
    /// # Cost
    /// O(positions of the mentions up to the last one that is answered).
    pub(super) fn history(
        self,
        mentions: &[Mention],
        outcome: Option<OutcomeKind>,
        after: KnownAt,
        limit: Option<usize>,
    ) -> Result<Answered, AskError> {
        let Self { ledger, now: Now { newest, .. }, .. } = self;
        let view = View::of(ledger, newest);
        let limit = limit.unwrap_or(usize::MAX - 1);
        let wanted = |position: &Position| {
            outcome.is_none_or(|outcome| ledger.outcome(*position) == Some(outcome))
        };
        let all = mentions
            .is_empty()
            .then(|| (after.0.saturating_add(1)..=newest.0).filter_map(Position::new));
        let lists = mentions.iter().map(|mention| ledger.mentions(mention, after)).collect();
        let mut positions: Vec<Position> = all
            .into_iter()
            .flatten()
            .chain(in_all(lists))
            .take_while(|position| newest.reaches(*position))
            .filter(wanted)
            .take(limit + 1)
            .collect();
        let more = positions.len() > limit;
        positions.truncate(limit);
        if positions.is_empty() {
            mentions.iter().try_for_each(|mention| view.ever_named(mention))?;
        }
        Ok(Answered {
            answer: Answer::History { positions, more },
            as_of: self.computed_at(&view, None),
            known: None,
            observed: None,
            elsewhere: Vec::new(),
        })
    }

    pub(super) fn entry(self, name: EntryName) -> Result<Answered, AskError> {
        let Self { ledger, now: Now { newest, .. }, .. } = self;
        let position = match name {
            EntryName::Position(position) => Position::new(position),
            EntryName::Id(id) => ledger.entry_of_id(id),
        };
        let position = position.filter(|position| newest.reaches(*position));
        let position = position.ok_or(AskError::UnknownEntry(name))?;
        Ok(Answered {
            answer: Answer::Entry(position),
            as_of: self.computed_at(&View::of(ledger, newest), None),
            known: None,
            observed: None,
            elsewhere: Vec::new(),
        })
    }
}

/// The positions that stand in each of several ascending lists, in order
fn in_all<'a>(
    lists: Vec<Box<dyn Iterator<Item = Position> + 'a>>,
) -> impl Iterator<Item = Position> + 'a {
    let mut lists: Vec<_> = lists.into_iter().map(Iterator::peekable).collect();
    std::iter::from_fn(move || {
        loop {
            let heads: Option<Vec<Position>> =
                lists.iter_mut().map(|list| list.peek().copied()).collect();
            let heads = heads?;
            let (least, most) = (heads.iter().min().copied()?, heads.iter().max().copied()?);
            if least == most {
                for list in &mut lists {
                    list.next();
                }
                return Some(least);
            }
            for list in &mut lists {
                while list.next_if(|position| *position < most).is_some() {}
            }
        }
    })
}
