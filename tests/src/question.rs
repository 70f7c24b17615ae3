//! What is asked?
//!
//! Every question that the ledger answers, put to it and to the oracle. Coordinates are drawn at the
//! boundaries: at each moment at which something takes effect or expires and one microsecond beside it,
//! before the first and far in the future; known at each position, and around each void.

use std::fmt;

use proptest::prelude::{Just, Strategy, any};
use proptest::prop_oneof;
use proptest::sample::Index;

use tenure_core::{
    Ability, AssignmentFilter, EffectiveAt, GrantableText, KnownAt, Ledger, Level, Position,
    Principal, Span, View,
    answer::{
        Anywhere, AskError, Check, Diff, Holding, Interval, LevelThen, RoleCollectionThen, What,
        Who,
    },
};

use crate::oracle::Oracle;
use crate::scenario::{Granted, Scenario, clock};
use crate::world;

/// A question before its coordinates are looked up
#[derive(Clone, Copy)]
pub struct Draft {
    sort: Sort,
    asked: Asked,
    principal: usize,
    at: Time,
    other_at: Time,
    known_at: Known,
    other_known_at: Known,
    flags: (bool, bool, bool),
}

#[derive(Clone, Copy, Debug)]
enum Sort {
    Check,
    Who,
    What,
    Where,
    WhoAnywhere,
    Timeline,
    WhoDuring,
    Assignments,
    Diff,
    Levels,
    RoleCollections,
    Catalog,
}

/// About what
#[derive(Clone, Copy, Debug)]
enum Asked {
    /// A row of [`world::ASKED`]
    Row(usize),
    /// What a grant of the scenario gives, or an ability, where and mostly of whom it is granted
    Granted(Index, usize),
    /// An ability and a level on their own
    Random(usize, usize),
}

#[derive(Clone, Copy, Debug)]
enum Time {
    Boundary(Index, i64),
    First,
    BeforeFirst,
    Last,
}

#[derive(Clone, Copy, Debug)]
enum Known {
    Newest,
    Late(Index),
    Any(Index),
    Void(Index, u64),
}

/// A question with its coordinates
#[derive(Clone, PartialEq, Eq)]
pub enum Question {
    /// Could p do X on L?
    Check(Principal, Ability, Level, EffectiveAt, KnownAt),
    /// Who could X on L? With the holdings, or without
    Who(Ability, Level, EffectiveAt, KnownAt, bool),
    /// What could p do on L?
    What(Principal, Level, EffectiveAt, KnownAt),
    /// Where under L could p do X?
    Where(Principal, Ability, Level, EffectiveAt, KnownAt),
    /// Who could X anywhere under L?
    WhoAnywhere(Ability, Level, EffectiveAt, KnownAt, bool),
    /// When could p do X on L?
    Timeline(Principal, Ability, Level, Span, KnownAt),
    /// Who could X on L at some time?
    WhoDuring(Ability, Level, Span, KnownAt),
    /// Which holdings count?
    Assignments(AssignmentFilter, EffectiveAt, KnownAt),
    /// What changed from one to the other, under a level and of a principal?
    Diff((EffectiveAt, KnownAt), (EffectiveAt, KnownAt), Option<Level>, Option<Principal>),
    /// Which levels are there?
    Levels(EffectiveAt, KnownAt),
    /// Which role collections are there?
    RoleCollections(Level, EffectiveAt, KnownAt),
    /// Which catalogue is in force?
    Catalog(EffectiveAt, KnownAt),
}

/// An answer to a [`Question`] of the same name
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "each is the answer to the question of its name")]
pub enum Answer {
    Check(Result<Check, AskError>),
    Who(Result<Who<Vec<Holding>>, AskError>),
    What(Result<What, AskError>),
    Where(Result<Vec<Level>, AskError>),
    WhoAnywhere(Result<Who<Anywhere>, AskError>),
    Intervals(Result<Vec<Interval>, AskError>),
    WhoDuring(Result<Who<Vec<Interval>>, AskError>),
    Assignments(Result<Vec<Holding>, AskError>),
    Diff(Result<Diff, AskError>),
    Levels(Vec<LevelThen>),
    RoleCollections(Result<Vec<RoleCollectionThen>, AskError>),
    Catalog(Option<(String, Position)>),
}

/// Questions of every sort
pub fn drafts() -> impl Strategy<Value = Draft> {
    let sort = prop_oneof![
        5 => Just(Sort::Check),
        4 => Just(Sort::Who),
        3 => Just(Sort::What),
        2 => Just(Sort::Where),
        3 => Just(Sort::WhoAnywhere),
        4 => Just(Sort::Timeline),
        3 => Just(Sort::WhoDuring),
        3 => Just(Sort::Assignments),
        3 => Just(Sort::Diff),
        1 => Just(Sort::Levels),
        2 => Just(Sort::RoleCollections),
        1 => Just(Sort::Catalog),
    ];
    drafts_of(sort)
}

/// Questions about single moments, which a slow oracle answers of a long log as well
pub fn drafts_at_moments() -> impl Strategy<Value = Draft> {
    drafts_of(prop_oneof![
        3 => Just(Sort::Check),
        8 => Just(Sort::Who),
        1 => Just(Sort::What),
        2 => Just(Sort::WhoAnywhere),
        4 => Just(Sort::Assignments),
        3 => Just(Sort::Diff),
        1 => Just(Sort::RoleCollections),
    ])
}

fn drafts_of(sort: impl Strategy<Value = Sort>) -> impl Strategy<Value = Draft> {
    let random = (0..world::ABILITIES.len(), 0..world::LEVELS.len());
    let asked = prop_oneof![
        5 => (0..world::ASKED.len()).prop_map(Asked::Row),
        7 => (any::<Index>(), 0..3 * world::ABILITIES.len())
            .prop_map(|(grant, ability)| Asked::Granted(grant, ability)),
        1 => random.prop_map(|(ability, level)| Asked::Random(ability, level)),
    ];
    let principal = 0..world::principals().len();
    let flags = any::<(bool, bool, bool)>();
    (sort, asked, principal, time(), time(), known(), known(), flags).prop_map(
        |(sort, asked, principal, at, other_at, known_at, other_known_at, flags)| Draft {
            sort,
            asked,
            principal,
            at,
            other_at,
            known_at,
            other_known_at,
            flags,
        },
    )
}

fn time() -> impl Strategy<Value = Time> {
    let beside = prop_oneof![4 => Just(0_i64), 1 => Just(-1), 1 => Just(1)];
    prop_oneof![
        20 => (any::<Index>(), beside).prop_map(|(index, micros)| Time::Boundary(index, micros)),
        3 => Just(Time::Last),
        1 => Just(Time::BeforeFirst),
        1 => Just(Time::First),
    ]
}

fn known() -> impl Strategy<Value = Known> {
    prop_oneof![
        6 => Just(Known::Newest),
        3 => any::<Index>().prop_map(Known::Late),
        1 => any::<Index>().prop_map(Known::Any),
        3 => (any::<Index>(), 0..3_u64).prop_map(|(index, after)| Known::Void(index, after)),
    ]
}

impl Time {
    fn resolve(self, moments: &[EffectiveAt]) -> EffectiveAt {
        let micros = match self {
            Self::First => 0,
            Self::Last => return EffectiveAt::LAST,
            Self::BeforeFirst => moments.first().map_or(0, |first| first.micros() - 1),
            Self::Boundary(_, micros) if moments.is_empty() => micros,
            Self::Boundary(index, micros) => index.get(moments).micros() + micros,
        };
        EffectiveAt::saturating_from_micros(micros)
    }
}

impl Known {
    /// `late` positions from the newest back are what [`Known::Late`] means
    fn resolve(self, late: u64, newest: u64, voids: &[u64]) -> KnownAt {
        KnownAt(match self {
            Self::Newest => newest,
            Self::Late(index) if late > 0 => newest - index.index(late as usize) as u64,
            Self::Void(index, after) if !voids.is_empty() => {
                (index.get(voids) - 1 + after).min(newest)
            }
            Self::Late(index) | Self::Any(index) | Self::Void(index, _) => {
                index.index(newest as usize + 1) as u64
            }
        })
    }
}

impl Asked {
    /// What is asked about, and the grant that it is about
    fn resolve(self, grants: &[Granted]) -> (Ability, Level, Option<Granted>) {
        let (ability, level) = match self {
            Self::Granted(index, ability) if !grants.is_empty() => {
                let grant = index.get(grants).clone();
                let ability = match (world::ABILITIES.get(ability), grant.grantable.clone()) {
                    (Some(ability), _) => world::ability(ability),
                    (None, GrantableText::RoleCollection(name)) => Ability::RoleCollection(name),
                    (None, GrantableText::Role(role)) => Ability::Role(role),
                };
                return (ability, grant.level.clone(), Some(grant));
            }
            Self::Granted(..) => world::ASKED[0],
            Self::Row(row) => world::ASKED[row],
            Self::Random(ability, level) => (world::ABILITIES[ability], world::LEVELS[level]),
        };
        (world::ability(ability), world::level(level), None)
    }
}

impl Draft {
    /// The question about a scenario, as known within its first entries
    pub fn about(&self, scenario: &Scenario, newest: usize) -> Question {
        let newest = newest as u64;
        let mut grants = scenario.grants();
        grants.retain(|grant| grant.position <= newest);
        let (ability, level, grant) = self.asked.resolve(&grants);
        // What was granted is asked about from when it was granted on, and from when that was known.
        let mut moments = scenario.moments();
        let mut late = newest.saturating_sub(scenario.beginning as u64);
        if let Some(grant) = &grant {
            moments.retain(|moment| *moment >= grant.since);
            late = newest + 1 - grant.position;
        }
        let mut voids = scenario.voids();
        voids.retain(|void| *void <= newest);
        let at = self.at.resolve(&moments);
        let other_at = self.other_at.resolve(&moments);
        let known_at = self.known_at.resolve(late, newest, &voids);
        let other_known_at = self.other_known_at.resolve(late, newest, &voids);
        // What a set was granted is asked of others as well: they may be members.
        let granted_to = grant.map(|grant| grant.to).filter(|to| {
            let seldom_another = if to.kind().is_set() { 2 } else { 5 };
            !self.principal.is_multiple_of(seldom_another)
        });
        // A subtree is more interesting from further up.
        let root = || world::level(["global-account:g", "global-account:h"][self.principal % 2]);
        let under = if self.flags.0 { level.clone() } else { root() };
        let principal =
            granted_to.unwrap_or_else(|| world::principals().swap_remove(self.principal));
        let span = || {
            let (from, until) = (at.min(other_at), at.max(other_at));
            let from = if self.flags.0 { from } else { EffectiveAt::FIRST };
            Span::new(from, self.flags.1.then_some(until))
                .unwrap_or_else(|| Span::new(from, None).unwrap())
        };
        let explain = self.flags.2;
        let seldom = self.principal.is_multiple_of(2);
        match self.sort {
            Sort::Check => Question::Check(principal, ability, level, at, known_at),
            Sort::Who => Question::Who(ability, level, at, known_at, explain),
            Sort::What => Question::What(principal, level, at, known_at),
            Sort::Where => Question::Where(principal, ability, under, at, known_at),
            Sort::WhoAnywhere => Question::WhoAnywhere(ability, under, at, known_at, explain),
            Sort::Timeline => Question::Timeline(principal, ability, level, span(), known_at),
            Sort::WhoDuring => Question::WhoDuring(ability, level, span(), known_at),
            Sort::Assignments => {
                let name = match ability {
                    Ability::RoleCollection(name) => name,
                    _ => "Admins".into(),
                };
                let filter = AssignmentFilter {
                    on: self.flags.0.then_some(level),
                    principal: self.flags.1.then_some(principal),
                    role_collection: (seldom && self.flags.2).then_some(name),
                };
                Question::Assignments(filter, at, known_at)
            }
            Sort::Diff => Question::Diff(
                (at, known_at),
                (other_at, other_known_at),
                self.flags.1.then_some(under),
                (seldom && self.flags.2).then_some(principal),
            ),
            Sort::Levels => Question::Levels(at, known_at),
            Sort::RoleCollections => Question::RoleCollections(level, at, known_at),
            Sort::Catalog => Question::Catalog(at, known_at),
        }
    }
}

impl Question {
    /// The same question as known at another position
    #[must_use]
    pub fn known_at(&self, known_at: KnownAt) -> Self {
        let mut question = self.clone();
        match &mut question {
            Self::Diff((_, from), (_, to), _, _) => (*from, *to) = (known_at, known_at),
            Self::Check(.., s)
            | Self::Who(.., s, _)
            | Self::What(.., s)
            | Self::Where(.., s)
            | Self::WhoAnywhere(.., s, _)
            | Self::Timeline(.., s)
            | Self::WhoDuring(.., s)
            | Self::Assignments(.., s)
            | Self::Levels(.., s)
            | Self::RoleCollections(.., s)
            | Self::Catalog(.., s) => *s = known_at,
        }
        question
    }

    /// What the ledger answers
    pub fn ask(&self, ledger: &Ledger) -> Answer {
        match self {
            Self::Check(p, x, on, t, s) => Answer::Check(View::of(ledger, *s).check(p, x, on, *t)),
            Self::Who(x, on, t, s, explain) => {
                Answer::Who(View::of(ledger, *s).who(x, on, *t, *explain))
            }
            Self::What(p, on, t, s) => Answer::What(View::of(ledger, *s).what(p, on, *t)),
            Self::Where(p, x, under, t, s) => {
                Answer::Where(View::of(ledger, *s).where_could(p, x, under, *t))
            }
            Self::WhoAnywhere(x, under, t, s, explain) => {
                Answer::WhoAnywhere(View::of(ledger, *s).who_anywhere(x, under, *t, *explain))
            }
            Self::Timeline(p, x, on, span, s) => {
                Answer::Intervals(View::of(ledger, *s).timeline(p, x, on, *span))
            }
            Self::WhoDuring(x, on, span, s) => {
                Answer::WhoDuring(View::of(ledger, *s).who_during(x, on, *span))
            }
            Self::Assignments(filter, t, s) => {
                Answer::Assignments(View::of(ledger, *s).assignments(filter, *t))
            }
            Self::Diff((t, s), (other_t, other_s), under, principal) => {
                let other = View::of(ledger, *other_s);
                let (under, principal) = (under.as_ref(), principal.as_ref());
                Answer::Diff(View::of(ledger, *s).diff(*t, &other, *other_t, under, principal))
            }
            Self::Levels(t, s) => Answer::Levels(View::of(ledger, *s).levels(*t)),
            Self::RoleCollections(on, t, s) => {
                Answer::RoleCollections(View::of(ledger, *s).role_collections(on, *t))
            }
            Self::Catalog(t, s) => {
                let view = View::of(ledger, *s);
                Answer::Catalog(view.catalog(*t).map(|(version, at)| (version.to_owned(), at)))
            }
        }
    }

    /// What the oracle answers
    pub fn ask_oracle(&self, oracle: &Oracle) -> Answer {
        match self {
            Self::Check(p, x, on, t, s) => Answer::Check(oracle.check(p, x, on, *t, *s)),
            Self::Who(x, on, t, s, explain) => Answer::Who(oracle.who(x, on, *t, *s, *explain)),
            Self::What(p, on, t, s) => Answer::What(oracle.what(p, on, *t, *s)),
            Self::Where(p, x, under, t, s) => {
                Answer::Where(oracle.where_could(p, x, under, *t, *s))
            }
            Self::WhoAnywhere(x, under, t, s, explain) => {
                Answer::WhoAnywhere(oracle.who_anywhere(x, under, *t, *s, *explain))
            }
            Self::Timeline(p, x, on, span, s) => {
                Answer::Intervals(oracle.timeline(p, x, on, *span, *s))
            }
            Self::WhoDuring(x, on, span, s) => {
                Answer::WhoDuring(oracle.who_during(x, on, *span, *s))
            }
            Self::Assignments(filter, t, s) => {
                Answer::Assignments(oracle.assignments(filter, *t, *s))
            }
            Self::Diff(from, to, under, principal) => {
                Answer::Diff(oracle.diff(*from, *to, under.as_ref(), principal.as_ref()))
            }
            Self::Levels(t, s) => Answer::Levels(oracle.levels(*t, *s)),
            Self::RoleCollections(on, t, s) => {
                Answer::RoleCollections(oracle.role_collections(on, *t, *s))
            }
            Self::Catalog(t, s) => Answer::Catalog(oracle.catalog(*t, *s)),
        }
    }
}

impl Answer {
    /// The answer with each holding's entry known by its id alone, so that answers of ledgers that
    /// recorded the same entries at other positions can be compared
    #[must_use]
    pub fn without_positions(mut self) -> Self {
        let plain = |holding: &mut Holding| holding.entry = Position::FIRST;
        let all = |holdings: &mut Vec<Holding>| {
            holdings.iter_mut().for_each(plain);
            holdings.sort();
        };
        match &mut self {
            Self::Check(Ok(check)) => all(&mut check.because),
            Self::Who(Ok(who)) => {
                for subject in who.subjects.iter_mut().chain(&mut who.sets) {
                    all(&mut subject.detail);
                }
            }
            Self::WhoAnywhere(Ok(who)) => {
                for subject in who.subjects.iter_mut().chain(&mut who.sets) {
                    all(&mut subject.detail.because);
                }
            }
            Self::Intervals(Ok(intervals)) => {
                intervals.iter_mut().for_each(|interval| all(&mut interval.because));
            }
            Self::WhoDuring(Ok(who)) => {
                for subject in who.subjects.iter_mut().chain(&mut who.sets) {
                    subject.detail.iter_mut().for_each(|interval| all(&mut interval.because));
                }
            }
            Self::Assignments(Ok(holdings)) => all(holdings),
            Self::Diff(Ok(diff)) => {
                all(&mut diff.gained);
                all(&mut diff.lost);
                for (old, new) in &mut diff.changed {
                    plain(old);
                    plain(new);
                }
            }
            Self::Check(Err(_))
            | Self::Who(Err(_))
            | Self::What(_)
            | Self::Where(_)
            | Self::WhoAnywhere(Err(_))
            | Self::Intervals(Err(_))
            | Self::WhoDuring(Err(_))
            | Self::Assignments(Err(_))
            | Self::Diff(Err(_))
            | Self::Levels(_)
            | Self::RoleCollections(_)
            | Self::Catalog(_) => {}
        }
        self
    }

    /// Whether it says anything: neither an error, nor no, nor nobody
    pub fn says_something(&self) -> bool {
        fn any<T>(who: &Who<T>) -> bool {
            !who.subjects.is_empty() || !who.sets.is_empty()
        }
        match self {
            Self::Check(answer) => answer.as_ref().is_ok_and(|check| check.allowed),
            Self::Who(answer) => answer.as_ref().is_ok_and(any),
            Self::What(answer) => answer.as_ref().is_ok_and(|what| *what != What::default()),
            Self::Where(answer) => answer.as_ref().is_ok_and(|levels| !levels.is_empty()),
            Self::WhoAnywhere(answer) => answer.as_ref().is_ok_and(any),
            Self::Intervals(answer) => answer.as_ref().is_ok_and(|all| !all.is_empty()),
            Self::WhoDuring(answer) => answer.as_ref().is_ok_and(any),
            Self::Assignments(answer) => answer.as_ref().is_ok_and(|all| !all.is_empty()),
            Self::Diff(answer) => answer.as_ref().is_ok_and(|diff| *diff != Diff::default()),
            Self::Levels(levels) => !levels.is_empty(),
            Self::RoleCollections(answer) => answer.as_ref().is_ok_and(|all| !all.is_empty()),
            Self::Catalog(catalog) => catalog.is_some(),
        }
    }
}

impl fmt::Debug for Draft {
    /// In one line: a failure shows the question that it became
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} drawn from {:?}", self.sort, self.asked)
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at =
            |t: &EffectiveAt, s: &KnownAt| format!("at {}, known at #{}", clock(t.micros()), s.0);
        let over = |span: &Span, s: &KnownAt| {
            let until = span.until().map_or("for ever".to_owned(), |until| clock(until.micros()));
            format!("from {} until {until}, known at #{}", clock(span.from().micros()), s.0)
        };
        match self {
            Self::Check(p, x, on, t, s) => write!(f, "check {p} {x} on {on} {}", at(t, s)),
            Self::Who(x, on, t, s, explain) => {
                write!(f, "who {x} on {on} {} (explain: {explain})", at(t, s))
            }
            Self::What(p, on, t, s) => write!(f, "what {p} on {on} {}", at(t, s)),
            Self::Where(p, x, under, t, s) => write!(f, "where {p} {x} under {under} {}", at(t, s)),
            Self::WhoAnywhere(x, under, t, s, explain) => {
                write!(f, "who anywhere {x} under {under} {} (explain: {explain})", at(t, s))
            }
            Self::Timeline(p, x, on, span, s) => {
                write!(f, "timeline {p} {x} on {on} {}", over(span, s))
            }
            Self::WhoDuring(x, on, span, s) => {
                write!(f, "who during {x} on {on} {}", over(span, s))
            }
            Self::Assignments(filter, t, s) => write!(f, "assignments {filter:?} {}", at(t, s)),
            Self::Diff((t, s), (other_t, other_s), under, principal) => write!(
                f,
                "diff {} to {}, under {under:?}, of {principal:?}",
                at(t, s),
                at(other_t, other_s)
            ),
            Self::Levels(t, s) => write!(f, "levels {}", at(t, s)),
            Self::RoleCollections(on, t, s) => {
                write!(f, "role collections on {on} {}", at(t, s))
            }
            Self::Catalog(t, s) => write!(f, "catalog {}", at(t, s)),
        }
    }
}
