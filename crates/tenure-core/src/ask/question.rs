//! What can be asked, as of which coordinates?
//!
//! A [`Question`] is what a person, a program or a test asks; every door reads its texts into one and every
//! client writes them from one. [`Question::ask`] puts it to a ledger. Errors come in one order: the
//! coordinates first, then the level, then what is asked, then the stretch of time.

use crate::ask::answer::{Answer, Answered, AskError, ComputedAt, Hint};
use crate::ask::detail::Detail;
use crate::ask::diff::Place;
use crate::ask::listing::{AssignmentFilter, LevelFilter};
use crate::ask::observed::PlaceRef;
use crate::ask::people::PrincipalFilter;
use crate::ask::pinned::Pinned;
use crate::ask::reading::Reading;
use crate::ask::search::Search;
use crate::ask::sources::SourceFilter;
use crate::index::mentions::Mention;
use crate::ledger::Ledger;
use crate::words::ability::Abilities;
use crate::words::change::EntryName;
use crate::words::instant::{EffectiveAt, Instant};
use crate::words::level::{Level, LevelKind};
use crate::words::outcome::OutcomeKind;
use crate::words::position::KnownAt;
use crate::words::principal::Principal;
use crate::words::span::Span;

/// The two coordinates of a question: when something was true, and what was known
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct AsOf {
    /// A moment of valid time; `None` is the later of the asker's clock and the newest entry that is known
    pub at: Option<EffectiveAt>,
    /// What was known
    pub known_at: Known,
}

/// How much of the log a question may know
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Known {
    /// All that may be seen at the moment of asking
    #[default]
    Newest,
    /// The first so many positions
    At(KnownAt),
    /// All that was recorded by then
    By(Instant),
}

impl AsOf {
    /// The coordinates that an answer as of these has, also where the question has no answer
    ///
    /// # Errors
    /// A position that does not exist yet.
    /// # Cost
    /// O(log entries), or that of a landscape of its own at the first question about such a position.
    pub fn computed(self, ledger: &Ledger, now: Now) -> Result<ComputedAt, AskError> {
        let detail = &Detail::default();
        let reading = Reading::Assigned;
        let pinned = Pinned { ledger, now, place: None, over: None, reading, detail };
        let view = pinned.view(self.known_at)?;
        let at = pinned.moment(&view, self.at);
        Ok(pinned.computed_at(&view, Some(at)))
    }
}

impl From<KnownAt> for Known {
    fn from(known_at: KnownAt) -> Self {
        Self::At(known_at)
    }
}

/// The moment of asking
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Now {
    /// What the clock shows, as valid time
    pub at: EffectiveAt,
    /// The newest position that may be seen
    pub newest: KnownAt,
}

/// What is asked
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Question {
    /// Who could X on a level?
    Who {
        /// X
        can: Abilities,
        /// The level
        on: Level,
        /// As of when
        as_of: AsOf,
        /// In which sense
        reading: Reading,
        /// Whether the holdings that make it true are wanted
        explain: bool,
    },
    /// Who could X on some level of a subtree?
    WhoAnywhere {
        /// X
        can: Abilities,
        /// The root of the subtree
        under: Level,
        /// As of when
        as_of: AsOf,
        /// In which sense
        reading: Reading,
        /// Whether the holdings that make it true are wanted
        explain: bool,
    },
    /// Who could X on a level at some moment of `[from, until)`?
    WhoDuring {
        /// X
        can: Abilities,
        /// The level
        on: Level,
        /// The first moment
        from: EffectiveAt,
        /// The first moment after it; `None` is no end
        until: Option<EffectiveAt>,
        /// What was known
        known_at: Known,
        /// Whether the holdings behind each interval are wanted
        explain: bool,
    },
    /// Who could X on some level of a subtree at some moment of `[from, until)`?
    WhoDuringAnywhere {
        /// X
        can: Abilities,
        /// The root of the subtree
        under: Level,
        /// The first moment
        from: EffectiveAt,
        /// The first moment after it; `None` is no end
        until: Option<EffectiveAt>,
        /// What was known
        known_at: Known,
        /// Whether the holdings behind each interval are wanted
        explain: bool,
    },
    /// What could a principal do on a level?
    What {
        /// The principal
        principal: Principal,
        /// The level
        on: Level,
        /// As of when
        as_of: AsOf,
    },
    /// Could a principal do X on a level?
    Check {
        /// The principal
        principal: Principal,
        /// X
        can: Abilities,
        /// The level
        on: Level,
        /// As of when
        as_of: AsOf,
        /// In which sense
        reading: Reading,
    },
    /// When in `[from, until)` could a principal do X on a level?
    Timeline {
        /// The principal
        principal: Principal,
        /// X
        can: Abilities,
        /// The level
        on: Level,
        /// The first moment
        from: EffectiveAt,
        /// The first moment after it; `None` is no end
        until: Option<EffectiveAt>,
        /// What was known
        known_at: Known,
    },
    /// On which levels of a subtree could a principal do X?
    Where {
        /// The principal
        principal: Principal,
        /// X
        can: Abilities,
        /// The root of the subtree
        under: Level,
        /// The only kind of levels that is wanted; `None` is any
        kind: Option<LevelKind>,
        /// As of when
        as_of: AsOf,
        /// In which sense
        reading: Reading,
    },
    /// Which holdings count?
    Assignments {
        /// Which of them
        filter: AssignmentFilter,
        /// As of when
        as_of: AsOf,
    },
    /// Which holdings counted in `[from, until)`, and how did each end?
    Holdings {
        /// Which of them
        filter: AssignmentFilter,
        /// The first moment
        from: EffectiveAt,
        /// The first moment after it; `None` is no end
        until: Option<EffectiveAt>,
        /// What was known
        known_at: Known,
    },
    /// Who is a member of a group or an attribute?
    Members {
        /// The set
        set: Principal,
        /// As of when
        as_of: AsOf,
    },
    /// Which principals are known?
    Principals {
        /// Which of them
        filter: PrincipalFilter,
        /// As of when
        as_of: AsOf,
    },
    /// Which known names contain a text?
    Search {
        /// The text, and which names are wanted
        search: Search,
        /// As of when
        as_of: AsOf,
    },
    /// What differs between two coordinates: holdings, and levels and definitions unless it is about one principal?
    Diff {
        /// The first coordinates
        from: AsOf,
        /// The second coordinates
        until: AsOf,
        /// The root of a subtree, taken at each of the two
        under: Option<Level>,
        /// The principal whose holdings are compared; `None` is everybody
        principal: Option<Principal>,
    },
    /// Who gained or lost the power to X between two coordinates?
    PowerDiff {
        /// X
        can: Abilities,
        /// A level, or the root of a subtree, taken at each of the two
        place: Place,
        /// The first coordinates
        from: AsOf,
        /// The second coordinates
        until: AsOf,
    },
    /// Which sources observed which levels, since when, and with which gaps?
    Sources {
        /// Which of them
        filter: SourceFilter,
        /// As of when
        as_of: AsOf,
    },
    /// Which levels exist?
    Levels {
        /// Which of them
        filter: LevelFilter,
        /// As of when
        as_of: AsOf,
    },
    /// Which role collections exist at a level?
    RoleCollections {
        /// The level
        on: Level,
        /// As of when
        as_of: AsOf,
    },
    /// Which catalogue is in force?
    Catalog {
        /// As of when
        as_of: AsOf,
    },
    /// Which entries mention all of these things? Refused ones and duplicates too
    History {
        /// The things; nothing is every entry
        mentions: Vec<Mention>,
        /// What became of the entries; `None` is whatever did
        outcome: Option<OutcomeKind>,
        /// Only entries after this position
        after: KnownAt,
        /// At most so many entries; `None` is the door's own limit
        limit: Option<usize>,
    },
    /// Which entry is this?
    Entry {
        /// Its id or its position
        entry: EntryName,
    },
}

impl Question {
    /// The same question with its coordinates changed; of a difference the first ones, then the second ones
    ///
    /// Over a stretch of time only `known_at` matters. History and single entries have no coordinates.
    #[must_use]
    pub fn map_as_of(mut self, mut change: impl FnMut(AsOf) -> AsOf) -> Self {
        match &mut self {
            Self::Who { as_of, .. }
            | Self::WhoAnywhere { as_of, .. }
            | Self::What { as_of, .. }
            | Self::Check { as_of, .. }
            | Self::Where { as_of, .. }
            | Self::Assignments { as_of, .. }
            | Self::Members { as_of, .. }
            | Self::Principals { as_of, .. }
            | Self::Search { as_of, .. }
            | Self::Sources { as_of, .. }
            | Self::Levels { as_of, .. }
            | Self::RoleCollections { as_of, .. }
            | Self::Catalog { as_of } => *as_of = change(*as_of),
            Self::Diff { from, until, .. } | Self::PowerDiff { from, until, .. } => {
                (*from, *until) = (change(*from), change(*until));
            }
            Self::WhoDuring { known_at, .. }
            | Self::WhoDuringAnywhere { known_at, .. }
            | Self::Timeline { known_at, .. }
            | Self::Holdings { known_at, .. } => {
                *known_at = change(AsOf { at: None, known_at: *known_at }).known_at;
            }
            Self::History { .. } | Self::Entry { .. } => {}
        }
        self
    }

    /// What the ledger answers
    ///
    /// # Errors
    /// A position that does not exist yet; an unknown level, operation, role, role collection, scope or
    /// entry; a stretch of time without a moment in it.
    /// # Cost
    /// What the answer of that question costs: see the methods of [`View`](crate::ledger::view::View).
    pub fn ask(&self, ledger: &Ledger, now: Now) -> Result<Answered, AskError> {
        self.ask_in_detail(ledger, now, &Detail::default())
    }

    /// The same, where some rows alone are shown
    ///
    /// # Errors
    /// Those of [`Question::ask`].
    /// # Cost
    /// As [`Question::ask`], but that evidence costs what the rows that are shown have of it.
    pub fn ask_in_detail(
        &self,
        ledger: &Ledger,
        now: Now,
        detail: &Detail,
    ) -> Result<Answered, AskError> {
        let mut answered = self.answered(self.pinned(ledger, now, detail))?;
        let known_at = answered.as_of.known_at;
        answered.known = self.about().map(|principal| ledger.name_known(principal, known_at));
        Ok(answered)
    }

    /// The answer, where finding it costs little
    ///
    /// That is a check of one X that needs neither the rule of a group nor another reading than *assigned*, has an answer,
    /// and for which no similar names are looked for.
    ///
    /// # Cost
    /// That of [`Question::ask`] for such a check.
    pub fn ask_at_once(&self, ledger: &Ledger, now: Now) -> Option<Answered> {
        let Self::Check { can, as_of, reading: Reading::Assigned, .. } = self else { return None };
        can.alone()?;
        let detail = Detail::default();
        let pinned = self.pinned(ledger, now, &detail);
        if pinned.view(as_of.known_at).ok()?.has_rules() {
            return None;
        }
        let mut answered = self.answered(pinned).ok()?;
        if let Some(principal) = self.about() {
            let known = ledger.name_known_at_once(principal, answered.as_of.known_at);
            answered.known = Some(known.ok()?);
        }
        Some(answered)
    }

    /// What helps whoever asked, where there is no answer
    ///
    /// # Cost
    /// O(names of the kind that is asked about).
    pub fn hint(&self, ledger: &Ledger, now: Now, error: &AskError) -> Hint {
        let mut as_of = AsOf::default();
        drop(self.clone().map_as_of(|asked| {
            as_of = asked;
            asked
        }));
        let detail = Detail::default();
        let pinned = self.pinned(ledger, now, &detail);
        let view = pinned.view(as_of.known_at);
        view.map(|view| view.hint(error, pinned.moment(&view, self.begins().or(as_of.at))))
            .unwrap_or_default()
    }

    fn pinned<'a>(&'a self, ledger: &'a Ledger, now: Now, detail: &'a Detail) -> Pinned<'a> {
        let (place, over) = (self.place(), self.passed_over());
        Pinned { ledger, now, place, over, reading: self.reading(), detail }
    }

    fn answered<'a>(&'a self, pinned: Pinned<'a>) -> Result<Answered, AskError> {
        match self {
            Self::Who { can, on, as_of, reading, explain } => pinned.at(*as_of, |view, t| {
                let explain = pinned.explain(*explain);
                Ok(Answer::Who(view.who(can, on, (t, *reading), explain)?))
            }),
            Self::WhoAnywhere { can, under, as_of, reading, explain } => {
                pinned.at(*as_of, |view, t| {
                    let (at, detail) = ((t, *reading), pinned.detail);
                    Ok(Answer::WhoAnywhere(view.who_anywhere(can, under, at, *explain, detail)?))
                })
            }
            Self::WhoDuring { can, on, from, until, known_at, explain } => {
                let span = Span::new(*from, *until);
                pinned.over(can, on, span, *known_at, |view, span| {
                    Ok(Answer::WhoDuring(view.who_during(
                        can,
                        on,
                        span,
                        pinned.explain(*explain),
                    )?))
                })
            }
            Self::WhoDuringAnywhere { can, under, from, until, known_at, explain } => {
                let span = Span::new(*from, *until);
                pinned.over(can, under, span, *known_at, |view, span| {
                    let found =
                        view.who_during_anywhere(can, under, span, pinned.explain(*explain))?;
                    Ok(Answer::WhoDuringAnywhere(found))
                })
            }
            Self::What { principal, on, as_of } => {
                pinned.at(*as_of, |view, t| Ok(Answer::What(view.what(principal, on, t)?)))
            }
            Self::Check { principal, can, on, as_of, reading } => pinned.at(*as_of, |view, t| {
                Ok(Answer::Check(view.check(principal, can, on, (t, *reading))?))
            }),
            Self::Timeline { principal, can, on, from, until, known_at } => {
                let span = Span::new(*from, *until);
                pinned.over(can, on, span, *known_at, |view, span| {
                    Ok(Answer::Timeline(view.timeline(principal, can, on, span)?))
                })
            }
            Self::Where { principal, can, under, kind, as_of, reading } => {
                pinned.at(*as_of, |view, t| {
                    let at = (t, *reading);
                    Ok(Answer::Where(view.where_could(principal, can, under, *kind, at)?))
                })
            }
            Self::Assignments { filter, as_of } => {
                pinned.at(*as_of, |view, t| Ok(Answer::Assignments(view.assignments(filter, t)?)))
            }
            Self::Holdings { filter, from, until, known_at } => {
                let view = pinned.view(*known_at)?;
                let span = Span::new(*from, *until);
                let span = span.ok_or_else(|| view.no_holdings(filter, *from))?;
                let answer = Answer::Holdings(view.holdings_during(filter, span)?);
                Ok(pinned.over_time(&view, span, answer))
            }
            Self::Members { set, as_of } => {
                pinned.at(*as_of, |view, t| Ok(Answer::Members(view.members(set, t))))
            }
            Self::Principals { filter, as_of } => {
                pinned.at(*as_of, |view, t| Ok(Answer::Principals(view.principals(filter, t))))
            }
            Self::Search { search, as_of } => {
                pinned.at(*as_of, |view, t| Ok(Answer::Search(view.search(search, t))))
            }
            Self::Diff { from, until, under, principal } => {
                pinned.diff(*from, *until, under.as_ref(), principal.as_ref())
            }
            Self::PowerDiff { can, place, from, until } => {
                pinned.power_diff(*from, *until, can, place)
            }
            Self::Sources { filter, as_of } => pinned.at(*as_of, |view, t| {
                Ok(Answer::Sources(view.sources(filter, t, &pinned.detail.rows)?))
            }),
            Self::Levels { filter, as_of } => {
                pinned.at(*as_of, |view, t| Ok(Answer::Levels(view.levels_of(filter, t)?)))
            }
            Self::RoleCollections { on, as_of } => pinned
                .at(*as_of, |view, t| Ok(Answer::RoleCollections(view.role_collections(on, t)?))),
            Self::Catalog { as_of } => pinned.at(*as_of, |view, t| {
                Ok(Answer::Catalog(view.catalog(t).map(|(_, position)| position)))
            }),
            Self::History { mentions, outcome, after, limit } => {
                pinned.history(mentions, *outcome, *after, *limit)
            }
            Self::Entry { entry } => pinned.entry(*entry),
        }
    }

    /// In which sense it is asked
    pub fn reading(&self) -> Reading {
        match self {
            Self::Who { reading, .. }
            | Self::WhoAnywhere { reading, .. }
            | Self::Check { reading, .. }
            | Self::Where { reading, .. } => *reading,
            _ => Reading::Assigned,
        }
    }

    /// Where an answer may have passed levels over because something else decides there, and what was asked for
    fn passed_over(&self) -> Option<(Option<&Abilities>, PlaceRef<'_>)> {
        match self {
            Self::WhoAnywhere { can, under, .. }
            | Self::WhoDuringAnywhere { can, under, .. }
            | Self::Where { can, under, .. } => Some((Some(can), PlaceRef::Under(under))),
            Self::WhoDuring { can, on, .. } | Self::Timeline { can, on, .. } => {
                Some((Some(can), PlaceRef::On(on)))
            }
            Self::What { on, .. } => Some((None, PlaceRef::On(on))),
            _ => None,
        }
    }

    /// Where it is asked, if its answer says when that place was observed
    fn place(&self) -> Option<PlaceRef<'_>> {
        match self {
            Self::Who { on, .. }
            | Self::WhoDuring { on, .. }
            | Self::What { on, .. }
            | Self::Check { on, .. }
            | Self::Timeline { on, .. }
            | Self::RoleCollections { on, .. } => Some(PlaceRef::On(on)),
            Self::Assignments { filter, .. } | Self::Holdings { filter, .. } => {
                filter.on.as_ref().map(PlaceRef::On)
            }
            Self::WhoAnywhere { under, .. } | Self::Where { under, .. } => {
                Some(PlaceRef::Under(under))
            }
            Self::WhoDuringAnywhere { .. }
            | Self::Members { .. }
            | Self::Principals { .. }
            | Self::Search { .. }
            | Self::Diff { .. }
            | Self::PowerDiff { .. }
            | Self::Sources { .. }
            | Self::Levels { .. }
            | Self::Catalog { .. }
            | Self::History { .. }
            | Self::Entry { .. } => None,
        }
    }
}
