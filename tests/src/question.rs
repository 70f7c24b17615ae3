//! What is asked?
//!
//! Every question that the ledger answers, put to it and to the oracle. Coordinates are drawn at the
//! boundaries: at each moment at which something takes effect or expires and one microsecond beside it,
//! before the first and far in the future; known at each position, and around each void.

mod found;

use std::fmt;

use proptest::prelude::{Just, Strategy, any};
use proptest::prop_oneof;
use proptest::sample::Index;

use tenure_core::{
    Abilities, Ability, AssignmentFilter, EffectiveAt, EntryName, FoundKind, GrantableText, Known,
    KnownAt, LIFE_SECONDS_MAX, Level, LevelFilter, Life, Mention, OutcomeKind, Place,
    PrincipalFilter, Question, Reading, Search, SourceFilter,
};

use crate::scenario::{Granted, Scenario};
use crate::world;

pub use found::{
    Found, as_certain, as_of, ask, ask_oracle, ask_within, known_at, says_something,
    without_positions,
};

/// A question before its coordinates are looked up
#[derive(Clone, Copy)]
pub struct Draft {
    sort: Sort,
    asked: Asked,
    /// What else is asked about
    more: Option<usize>,
    principal: usize,
    at: Time,
    other_at: Time,
    known_at: KnownDraft,
    other_known_at: KnownDraft,
    flags: (bool, bool, bool),
    reading: Reading,
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
    WhoDuringAnywhere,
    Assignments,
    Holdings,
    Members,
    Principals,
    Search,
    Diff,
    PowerDiff,
    Sources,
    Levels,
    RoleCollections,
    Catalog,
    History,
    Entry,
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
enum KnownDraft {
    Newest,
    Late(Index),
    Any(Index),
    Void(Index, u64),
}

/// Questions of every sort
pub fn drafts() -> impl Strategy<Value = Draft> {
    let sort = prop_oneof![
        8 => Just(Sort::Check),
        4 => Just(Sort::Who),
        3 => Just(Sort::What),
        2 => Just(Sort::Where),
        3 => Just(Sort::WhoAnywhere),
        4 => Just(Sort::Timeline),
        3 => Just(Sort::WhoDuring),
        2 => Just(Sort::WhoDuringAnywhere),
        3 => Just(Sort::Assignments),
        6 => Just(Sort::Holdings),
        2 => Just(Sort::Members),
        2 => Just(Sort::Principals),
        2 => Just(Sort::Search),
        5 => Just(Sort::Diff),
        4 => Just(Sort::PowerDiff),
        3 => Just(Sort::Sources),
        2 => Just(Sort::Levels),
        2 => Just(Sort::RoleCollections),
        1 => Just(Sort::Catalog),
        2 => Just(Sort::History),
        1 => Just(Sort::Entry),
    ];
    drafts_of(
        sort,
        prop_oneof![4 => Just(Reading::Assigned), 2 => session(), 3 => Just(Reading::Latent)],
    )
}

/// From a second to a week, most about as long as what is held in a scenario
fn session() -> impl Strategy<Value = Reading> {
    let seconds = prop_oneof![
        1 => Just(1_u32),
        4 => (1..6_u32).prop_map(|hours| hours * 3_600),
        2 => Just(Life::default().seconds()),
        1 => Just(LIFE_SECONDS_MAX),
    ];
    seconds.prop_map(|seconds| Reading::Session(Life::of_seconds(seconds).unwrap()))
}

/// Questions about single moments, which a slow oracle answers of a long log as well
pub fn drafts_at_moments() -> impl Strategy<Value = Draft> {
    let sort = prop_oneof![
        3 => Just(Sort::Check),
        8 => Just(Sort::Who),
        1 => Just(Sort::What),
        2 => Just(Sort::WhoAnywhere),
        4 => Just(Sort::Assignments),
        2 => Just(Sort::Members),
        1 => Just(Sort::Principals),
        1 => Just(Sort::Search),
        3 => Just(Sort::Diff),
        2 => Just(Sort::PowerDiff),
        1 => Just(Sort::RoleCollections),
    ];
    let reading =
        prop_oneof![12 => Just(Reading::Assigned), 1 => session(), 1 => Just(Reading::Latent)];
    drafts_of(sort, reading)
}

fn drafts_of(
    sort: impl Strategy<Value = Sort>,
    reading: impl Strategy<Value = Reading>,
) -> impl Strategy<Value = Draft> {
    let random = (0..world::ABILITIES.len(), 0..world::LEVELS.len());
    let asked = prop_oneof![
        5 => (0..world::ASKED.len()).prop_map(Asked::Row),
        7 => (any::<Index>(), 0..3 * world::ABILITIES.len())
            .prop_map(|(grant, ability)| Asked::Granted(grant, ability)),
        1 => random.prop_map(|(ability, level)| Asked::Random(ability, level)),
    ];
    let principal = 0..world::principals().len();
    let flags = any::<(bool, bool, bool)>();
    let more = proptest::option::weighted(0.15, 0..world::ABILITIES.len());
    let times = (time(), time());
    (sort, (asked, more), principal, times, known(), known(), flags, reading).prop_map(
        |(sort, (asked, more), principal, times, known_at, other_known_at, flags, reading)| Draft {
            sort,
            asked,
            more,
            principal,
            at: times.0,
            other_at: times.1,
            known_at,
            other_known_at,
            flags,
            reading,
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

fn known() -> impl Strategy<Value = KnownDraft> {
    prop_oneof![
        6 => Just(KnownDraft::Newest),
        3 => any::<Index>().prop_map(KnownDraft::Late),
        1 => any::<Index>().prop_map(KnownDraft::Any),
        3 => (any::<Index>(), 0..3_u64).prop_map(|(index, after)| KnownDraft::Void(index, after)),
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

impl KnownDraft {
    /// `late` positions from the newest back are what [`KnownDraft::Late`] means
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
        let (asked, on, grant) = self.asked.resolve(&grants);
        let more = self.more.map(|more| world::ability(world::ABILITIES[more]));
        let can = [asked.clone()].into_iter().chain(more).collect();
        let can = Abilities::any_of(can).unwrap();
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
        let set = grant.as_ref().is_some_and(|grant| grant.to.kind().is_set());
        // What a set was granted is asked of others as well.
        let granted_to = grant.map(|grant| grant.to).filter(|to| {
            let seldom_another = if to.kind().is_set() { 2 } else { 5 };
            !self.principal.is_multiple_of(seldom_another)
        });
        // A subtree is more interesting from further up.
        let roots = ["global-account:g", "global-account:h", "ledger:world"];
        let root = || world::level(roots[self.principal % roots.len()]);
        let under = if self.flags.0 { on.clone() } else { root() };
        let somebody = match (set, self.reading) {
            // Of a set that was granted something, mostly users: they may be members.
            (true, _) => world::principal(world::USERS[self.principal / 2 % world::USERS.len()]),
            // Who was granted something may give itself more.
            (_, Reading::Latent) if !grants.is_empty() => {
                grants[self.principal % grants.len()].to.clone()
            }
            _ => world::principals().swap_remove(self.principal),
        };
        let principal = granted_to.unwrap_or(somebody);
        let stretch = || {
            let (from, until) = (at.min(other_at), at.max(other_at));
            let from = if self.flags.0 { from } else { EffectiveAt::FIRST };
            let until = self.flags.1.then_some(until).filter(|until| *until > from);
            (from, until)
        };
        let explain = self.flags.2;
        let reading = self.reading;
        let seldom = self.principal.is_multiple_of(2);
        let as_of = as_of(at, known_at);
        let known = Known::At(known_at);
        let (from, until) = stretch();
        match self.sort {
            Sort::Check => Question::Check { principal, can, on, as_of, reading },
            Sort::Who => Question::Who { can, on, as_of, reading, explain },
            Sort::What => Question::What { principal, on, as_of },
            Sort::Where => {
                let kind = (self.flags.1 && seldom).then_some(on.kind());
                Question::Where { principal, can, under, kind, as_of, reading }
            }
            Sort::WhoAnywhere => Question::WhoAnywhere { can, under, as_of, reading, explain },
            Sort::Timeline => {
                Question::Timeline { principal, can, on, from, until, known_at: known }
            }
            Sort::WhoDuring => {
                Question::WhoDuring { can, on, from, until, known_at: known, explain }
            }
            Sort::WhoDuringAnywhere => {
                Question::WhoDuringAnywhere { can, under, from, until, known_at: known, explain }
            }
            Sort::Assignments | Sort::Holdings => {
                let (mut role_collection, mut role) = (Some("Admins".into()), None);
                match asked {
                    Ability::RoleCollection(name) => role_collection = Some(name),
                    Ability::Role(text) => (role_collection, role) = (None, Some(text)),
                    _ => {}
                }
                let named = seldom && self.flags.2;
                // Who leaves a set is told only where a user is asked about.
                let principal = match principal.kind().is_set() && !self.flags.2 {
                    true => world::principal(world::USERS[self.principal % world::USERS.len()]),
                    false => principal,
                };
                let filter = AssignmentFilter {
                    on: self.flags.0.then_some(on),
                    principal: self.flags.1.then_some(principal),
                    role_collection: role_collection.filter(|_| named),
                    role: role.filter(|_| named),
                };
                match self.sort {
                    Sort::Holdings => Question::Holdings { filter, from, until, known_at: known },
                    _ => Question::Assignments { filter, as_of },
                }
            }
            Sort::Members => {
                let set = world::principal(world::SETS[self.principal % world::SETS.len()]);
                Question::Members { set, as_of }
            }
            Sort::Principals => {
                let filter = PrincipalFilter {
                    kind: self.flags.0.then_some(principal.kind()),
                    origin: (self.flags.1 && seldom).then(|| principal.origin().into()),
                    holding: self.flags.2.then_some(seldom),
                };
                Question::Principals { filter, as_of }
            }
            Sort::Search => {
                let text = world::SEARCHED[self.principal % world::SEARCHED.len()].into();
                let kind = match (self.flags.0, self.flags.1) {
                    (true, true) => Some(FoundKind::Level(on.kind())),
                    (true, false) => Some(FoundKind::Principal(principal.kind())),
                    (false, true) => Some(match asked {
                        Ability::RoleCollection(_) => FoundKind::RoleCollection,
                        Ability::Operation(_) => FoundKind::Operation,
                        Ability::Permission(_) | Ability::Path(_) => FoundKind::Permission,
                        Ability::Role(_) | Ability::Scope(_) => FoundKind::Role,
                    }),
                    (false, false) => None,
                };
                let limit = if self.flags.2 { 20 } else { known_at.0 as usize % 5 + 1 };
                Question::Search { search: Search { text, kind, limit }, as_of }
            }
            Sort::Diff => Question::Diff {
                from: as_of,
                until: self::as_of(other_at, other_known_at),
                under: self.flags.1.then_some(under),
                principal: (seldom && self.flags.2).then_some(principal),
            },
            Sort::PowerDiff => Question::PowerDiff {
                can,
                place: if self.flags.1 { Place::Under(under) } else { Place::On(on) },
                from: as_of,
                until: self::as_of(other_at, other_known_at),
            },
            Sort::Sources => {
                let place = match (self.flags.0, self.flags.1) {
                    (true, true) => Some(Place::On(on)),
                    (_, false) => None,
                    (false, true) => Some(Place::Under(under)),
                };
                let source = world::SOURCES[self.principal % world::SOURCES.len()];
                let source = (self.flags.2 && seldom).then(|| source.into());
                Question::Sources { filter: SourceFilter { place, source }, as_of }
            }
            Sort::Levels => {
                let filter = LevelFilter {
                    kind: (self.flags.2 && seldom).then_some(on.kind()),
                    under: self.flags.1.then_some(under),
                };
                Question::Levels { filter, as_of }
            }
            Sort::RoleCollections => Question::RoleCollections { on, as_of },
            Sort::Catalog => Question::Catalog { as_of },
            Sort::History => {
                let mut mentions = Vec::new();
                mentions.extend(self.flags.0.then_some(Mention::Principal(principal)));
                mentions.extend(self.flags.1.then_some(Mention::Level(on)));
                let submitter = Mention::Submitter(world::submitter(other_known_at.0));
                mentions.extend(seldom.then_some(submitter));
                let outcome = self.flags.2.then_some(OutcomeKind::Applied);
                let limit = Some(known_at.0 as usize % 7 + 1);
                Question::History { mentions, outcome, after: other_known_at, limit }
            }
            Sort::Entry => Question::Entry { entry: EntryName::Position(other_known_at.0 + 1) },
        }
    }
}

impl fmt::Debug for Draft {
    /// In one line: a failure shows the question that it became
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} drawn from {:?}", self.sort, self.asked)
    }
}
