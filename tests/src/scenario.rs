//! Which logs are tried?
//!
//! A scenario is a short log over the names of [`crate::world`]: a landscape and a catalogue first, then
//! steps of every kind, mostly lawful. Effective times lie on a coarse grid, so that equal instants are
//! common. How many of them are late, scheduled or expiring is a parameter.
//!
//! Steps name earlier ones by number, so a scenario can be shrunk by leaving steps out.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any};
use proptest::prop_oneof;
use proptest::sample::Index;

use tenure_core::change::{Change, Entry, EntryId, GrantExpects, RevokeExpects, RoleAttributes};
use tenure_core::grantable::{GrantableText, RoleText};
use tenure_core::instant::{EffectiveAt, Instant, RecordedAt};
use tenure_core::level::Level;
use tenure_core::outcome::{Fingerprint, Recorded, Submission};
use tenure_core::principal::Principal;
use uuid::Uuid;

use crate::world;

/// The grid of effective times
pub const TICK_MICROS: i64 = 3_600_000_000;
/// When the world begins, 2020-01-01T00:00:00Z
pub const ORIGIN_MICROS: i64 = 1_577_836_800_000_000;
/// The first entry is recorded so many ticks after the world begins
const FIRST_RECORDED_TICKS: i64 = 12;

/// How far back a void or a repetition reaches, in entries
const EARLIER_MAX: usize = 16;

/// A log, shown as one reads it aloud
#[derive(Clone)]
pub struct Scenario {
    /// What the log holds, in order
    pub log: Vec<Recorded>,
    /// How many entries make the landscape that it starts with
    pub beginning: usize,
}

/// A grant of a scenario, applied or not
#[derive(Clone, Debug)]
pub struct Granted {
    /// Where
    pub level: Level,
    /// What
    pub grantable: GrantableText,
    /// To whom
    pub to: Principal,
    /// When it takes effect
    pub since: EffectiveAt,
    /// The number of its entry
    pub position: u64,
}

/// What a step submits
#[derive(Clone, Debug)]
enum Body {
    Changes(Vec<Draft>),
    Publish(usize),
    Void { entry: Index, anywhere: bool },
    VoidUnknown,
    Again(Index, Repetition),
    Malformed,
}

#[derive(Clone, Copy, Debug)]
enum Repetition {
    Same,
    OtherReason,
    OtherTime,
}

/// A change before its names are looked up
#[derive(Clone, Copy, Debug)]
enum Draft {
    Grant {
        what: usize,
        to: usize,
        until: Until,
        expect: Option<GrantExpects>,
    },
    Revoke {
        what: usize,
        from: usize,
        expect: Option<RevokeExpects>,
    },
    GrantEarlier {
        grant: Index,
        until: Until,
        expect: Option<GrantExpects>,
    },
    RevokeEarlier {
        grant: Index,
        bare: bool,
        expect: Option<RevokeExpects>,
    },
    AddMember {
        set: usize,
        member: usize,
    },
    RemoveMember {
        set: usize,
        member: usize,
        expect: Option<RevokeExpects>,
    },
    RemovePrincipal(usize),
    CreateLevel {
        creation: usize,
        attributes: Option<u8>,
    },
    MoveLevel(usize),
    Misplace {
        level: usize,
        parent: Option<usize>,
    },
    SetLevel {
        level: usize,
        attributes: u8,
    },
    DeleteLevel(usize),
    CreateRole(usize),
    DeleteRole {
        role: usize,
        bare: bool,
    },
    CreateRoleCollection {
        level: usize,
        name: usize,
        roles: usize,
    },
    SetRoles {
        level: usize,
        name: usize,
        roles: usize,
    },
    DeleteRoleCollection {
        level: usize,
        name: usize,
    },
}

/// When a step's changes hold, seen from when it is recorded
#[derive(Clone, Copy, Debug)]
enum When {
    Unstated,
    Ticks(i64),
    Beside(i64, i64),
    Epoch,
    BeforeEpoch,
    Last,
}

/// When a grant ends, seen from when it holds
#[derive(Clone, Copy, Debug)]
enum Until {
    Never,
    Ticks(i64),
    Beside(i64, i64),
    BeforeEpoch,
}

/// One entry before its names are looked up
#[derive(Clone, Debug)]
pub struct Step {
    /// Ticks since the entry before it
    gap: i64,
    /// Microseconds after the tick
    beside: i64,
    when: When,
    body: Body,
}

fn offsets() -> impl Strategy<Value = i64> {
    prop_oneof![
        Just(-1),
        Just(1),
        Just(-2),
        Just(2),
        Just(-4),
        Just(4),
        Just(-7),
        Just(9)
    ]
}

fn when(off_time: u32) -> impl Strategy<Value = When> {
    let beside = (offsets(), prop_oneof![Just(-1_i64), Just(1)]);
    prop_oneof![
        (100 - off_time) * 8 => Just(When::Unstated),
        (100 - off_time) * 2 => Just(When::Ticks(0)),
        off_time * 9 => offsets().prop_map(When::Ticks),
        off_time => beside.prop_map(|(ticks, micros)| When::Beside(ticks, micros)),
        4 => Just(When::BeforeEpoch),
        1 => Just(When::Epoch),
        1 => Just(When::Last),
    ]
}

fn until(off_time: u32) -> impl Strategy<Value = Until> {
    let ahead = prop_oneof![Just(1_i64), Just(2), Just(3), Just(5), Just(8)];
    let beside = (Just(2_i64), prop_oneof![Just(-1_i64), Just(1)]);
    prop_oneof![
        (100 - off_time) * 10 => Just(Until::Never),
        off_time * 12 => ahead.prop_map(Until::Ticks),
        off_time => beside.prop_map(|(ticks, micros)| Until::Beside(ticks, micros)),
        8 => prop_oneof![Just(0_i64), Just(-2)].prop_map(Until::Ticks),
        4 => Just(Until::BeforeEpoch),
    ]
}

fn grant_expects() -> impl Strategy<Value = Option<GrantExpects>> {
    prop_oneof![
        6 => Just(None),
        1 => Just(Some(GrantExpects::Any)),
        3 => Just(Some(GrantExpects::NotHeld)),
    ]
}

fn revoke_expects() -> impl Strategy<Value = Option<RevokeExpects>> {
    prop_oneof![
        4 => Just(Some(RevokeExpects::Any)),
        4 => Just(None),
        1 => Just(Some(RevokeExpects::Held)),
    ]
}

/// Numbers below a count, mostly the smaller ones
fn skewed(count: usize) -> impl Strategy<Value = usize> + Clone {
    prop_oneof![3 => 0..count.div_ceil(4), 2 => 0..count]
}

/// Where role collections are created: where they are granted, and now and then elsewhere
fn homes() -> impl Strategy<Value = usize> + Clone {
    prop_oneof![5 => Just(0_usize), 5 => 0..4_usize, 1 => 0..world::LEVELS.len()]
}

fn names() -> impl Strategy<Value = usize> + Clone {
    prop_oneof![8 => Just(0_usize), 4 => Just(1), 1 => 0..world::ROLE_COLLECTIONS.len()]
}

fn holdings(off_time: u32) -> impl Strategy<Value = Draft> {
    let who = skewed(world::PRINCIPALS.len());
    let (set, user) = (skewed(world::SETS.len()), skewed(world::USERS.len()));
    let lawful = world::GRANTS_LAWFUL;
    let what = prop_oneof![9 => skewed(lawful), 1 => lawful..world::GRANTS.len()];
    prop_oneof![
        50 => (what.clone(), who.clone(), until(off_time), grant_expects())
            .prop_map(|(what, to, until, expect)| Draft::Grant { what, to, until, expect }),
        16 => (any::<Index>(), until(off_time), grant_expects())
            .prop_map(|(grant, until, expect)| Draft::GrantEarlier { grant, until, expect }),
        3 => (what, who.clone(), revoke_expects())
            .prop_map(|(what, from, expect)| Draft::Revoke { what, from, expect }),
        14 => (any::<Index>(), proptest::bool::weighted(0.3), revoke_expects())
            .prop_map(|(grant, bare, expect)| Draft::RevokeEarlier { grant, bare, expect }),
        14 => (set.clone(), user.clone())
            .prop_map(|(set, member)| Draft::AddMember { set, member }),
        5 => (set, user, revoke_expects())
            .prop_map(|(set, member, expect)| Draft::RemoveMember { set, member, expect }),
        3 => who.prop_map(Draft::RemovePrincipal),
    ]
}

fn levels() -> impl Strategy<Value = Draft> {
    let level = 0..world::LEVELS.len();
    let creation = 0..world::CREATIONS.len();
    let usual = creation.clone();
    prop_oneof![
        6 => usual.prop_map(|creation| Draft::CreateLevel { creation, attributes: None }),
        1 => (creation.clone(), 0..world::ATTRIBUTES).prop_map(|(creation, attributes)| {
            Draft::CreateLevel { creation, attributes: Some(attributes) }
        }),
        4 => creation.prop_map(Draft::MoveLevel),
        1 => (level.clone(), proptest::option::of(level.clone()))
            .prop_map(|(level, parent)| Draft::Misplace { level, parent }),
        7 => (skewed(world::LEVELS.len()), 1..world::ATTRIBUTES)
            .prop_map(|(level, attributes)| Draft::SetLevel { level, attributes }),
        3 => prop_oneof![1 => level, 2 => 4..world::LEVELS.len()].prop_map(Draft::DeleteLevel),
    ]
}

fn definitions() -> impl Strategy<Value = Draft> {
    let roles = skewed(world::ROLE_LISTS.len());
    let role = skewed(world::CUSTOM_ROLES.len());
    let created = (homes(), names(), roles.clone());
    prop_oneof![
        5 => role.clone().prop_map(Draft::CreateRole),
        3 => (role, any::<bool>()).prop_map(|(role, bare)| Draft::DeleteRole { role, bare }),
        6 => created.prop_map(|(level, name, roles)| {
            Draft::CreateRoleCollection { level, name, roles }
        }),
        4 => (homes(), names(), roles)
            .prop_map(|(level, name, roles)| Draft::SetRoles { level, name, roles }),
        4 => (homes(), names())
            .prop_map(|(level, name)| Draft::DeleteRoleCollection { level, name }),
    ]
}

fn draft(off_time: u32) -> impl Strategy<Value = Draft> {
    prop_oneof![70 => holdings(off_time), 10 => levels(), 14 => definitions()]
}

/// Changes that are refused only if the landscape has changed
fn lawful(off_time: u32) -> impl Strategy<Value = Draft> {
    let what = skewed(world::GRANTS_LAWFUL);
    let who = skewed(world::PRINCIPALS.len());
    let until = prop_oneof![
        (100 - off_time) => Just(Until::Never),
        off_time => Just(Until::Ticks(3)),
    ];
    let earlier = (any::<Index>(), until.clone());
    let (set, member) = (skewed(world::SETS.len()), skewed(world::USERS.len()));
    let anything = Some(RevokeExpects::Any);
    prop_oneof![
        6 => (what.clone(), who.clone(), until)
            .prop_map(|(what, to, until)| Draft::Grant { what, to, until, expect: None }),
        2 => earlier
            .prop_map(|(grant, until)| Draft::GrantEarlier { grant, until, expect: None }),
        // Never by a bare name, which is looked up in what is held when the revoke is decided.
        3 => any::<Index>()
            .prop_map(move |grant| Draft::RevokeEarlier { grant, bare: false, expect: anything }),
        2 => (set.clone(), member.clone())
            .prop_map(|(set, member)| Draft::AddMember { set, member }),
        1 => (set, member)
            .prop_map(move |(set, member)| Draft::RemoveMember { set, member, expect: anything }),
    ]
}

fn step(off_time: u32) -> impl Strategy<Value = Step> {
    let gap = prop_oneof![4 => Just(1_i64), 3 => Just(0), 1 => Just(2), 1 => Just(5)];
    let beside = prop_oneof![12 => Just(0_i64), 1 => Just(1), 1 => Just(TICK_MICROS / 2)];
    let repetition = prop_oneof![
        4 => Just(Repetition::Same),
        1 => Just(Repetition::OtherReason),
        1 => Just(Repetition::OtherTime),
    ];
    // One change that falls takes the others with it: several are mostly such as stand.
    let changes = prop_oneof![
        60 => draft(off_time).prop_map(|draft| vec![draft]),
        6 => vec(lawful(off_time), 2..5),
        4 => (vec(lawful(off_time), 0..2), vec(draft(off_time), 2..3))
            .prop_map(|(lawful, drafts)| [lawful, drafts].concat()),
    ];
    let body = prop_oneof![
        70 => changes.prop_map(Body::Changes),
        3 => prop_oneof![Just(0_usize), Just(1), Just(1), 0..world::CATALOGS].prop_map(Body::Publish),
        10 => (any::<Index>(), proptest::bool::weighted(0.1))
            .prop_map(|(entry, anywhere)| Body::Void { entry, anywhere }),
        1 => Just(Body::VoidUnknown),
        4 => (any::<Index>(), repetition).prop_map(|(entry, how)| Body::Again(entry, how)),
        1 => Just(Body::Malformed),
    ];
    (gap, beside, when(off_time), body).prop_map(|(gap, beside, when, body)| Step {
        gap,
        beside,
        when,
        body,
    })
}

/// The landscape and a catalogue, recorded some time after they took effect, each step of which a
/// shrunk scenario may leave out
fn beginning() -> impl Strategy<Value = Vec<Step>> {
    let at_start = |body| Step {
        gap: 0,
        beside: 0,
        when: When::Ticks(-FIRST_RECORDED_TICKS),
        body,
    };
    let levels = (0..world::CREATIONS_AT_START).map(|creation| Draft::CreateLevel {
        creation,
        attributes: None,
    });
    let custom = [0, 1, 2].map(|level| Draft::CreateRoleCollection {
        level,
        name: 0,
        roles: 0,
    });
    let role = [Draft::CreateRole(0)];
    let changes = levels
        .chain(role)
        .chain(custom)
        .map(|draft| Body::Changes(vec![draft]));
    let steps: Vec<Step> = [Body::Publish(0)]
        .into_iter()
        .chain(changes)
        .map(at_start)
        .collect();
    let kept = vec(proptest::bool::weighted(0.99), steps.len());
    kept.prop_map(move |kept| {
        steps
            .iter()
            .zip(kept)
            .filter(|(_, kept)| *kept)
            .map(|(step, _)| step.clone())
            .collect()
    })
}

/// Scenarios of so many steps after the beginning, of which so many in a hundred are late, scheduled or
/// expiring
pub fn scenarios(steps: std::ops::Range<usize>, off_time: u32) -> BoxedStrategy<Scenario> {
    (beginning(), vec(step(off_time), steps))
        .prop_map(|(beginning, steps)| Scenario::new(&beginning, &steps))
        .boxed()
}

/// Scenarios of both sorts: nearly all in time, and a third or more out of it
pub fn mixed(steps: std::ops::Range<usize>) -> BoxedStrategy<Scenario> {
    prop_oneof![
        1 => scenarios(steps.clone(), 1),
        2 => scenarios(steps.clone(), 30),
        1 => scenarios(steps, 60),
    ]
    .boxed()
}

/// Two logs of the same entries: grants, revokes and memberships that expect nothing, at pairwise
/// different effective times, recorded in order and in another order. What the landscape was and will
/// be is recorded before them
pub fn arrivals(entries: std::ops::Range<usize>) -> BoxedStrategy<[Scenario; 2]> {
    let structure = prop_oneof![
        1 => Just(Body::Publish(1)),
        4 => levels().prop_map(|draft| Body::Changes(vec![draft])),
        4 => definitions().prop_map(|draft| Body::Changes(vec![draft])),
    ];
    let ahead = 0..2 * entries.end as i64;
    let structure = (ahead, structure).prop_map(|(ticks, body)| Step {
        gap: 0,
        beside: 0,
        when: When::Ticks(ticks),
        body,
    });
    let arrivals = entries.prop_flat_map(|count| {
        let order: Vec<usize> = (0..count).collect();
        (vec(lawful(40), count), Just(order).prop_shuffle())
    });
    (beginning(), vec(structure, 0..6), arrivals)
        .prop_map(|(beginning, structure, (drafts, order))| {
            let beginning = [beginning, structure].concat();
            let in_order: Vec<usize> = (0..order.len()).collect();
            [in_order, order].map(|order| Scenario::arriving(&beginning, &drafts, &order))
        })
        .boxed()
}

/// Looks up the names of drafts and notes what came before
#[derive(Default)]
struct Builder {
    log: Vec<Recorded>,
    entries: Vec<Entry>,
    /// How many of them make the landscape
    beginning: usize,
    /// The contents met, each of which is its own fingerprint
    contents: Vec<Entry>,
    catalogs: Vec<Arc<tenure_core::catalog::Catalog>>,
    recorded_micros: i64,
}

impl Scenario {
    fn new(beginning: &[Step], steps: &[Step]) -> Self {
        let mut builder = Builder {
            catalogs: world::catalogs().to_vec(),
            beginning: beginning.len(),
            recorded_micros: ORIGIN_MICROS + FIRST_RECORDED_TICKS * TICK_MICROS,
            ..Builder::default()
        };
        for step in beginning.iter().chain(steps) {
            builder.take(step);
        }
        Self {
            log: builder.log,
            beginning: beginning.len(),
        }
    }

    /// The drafts, each at an effective time of its own, recorded at once in some order
    fn arriving(beginning: &[Step], drafts: &[Draft], order: &[usize]) -> Self {
        let mut scenario = Self::new(beginning, &[]);
        let mut builder = Builder {
            recorded_micros: ORIGIN_MICROS + FIRST_RECORDED_TICKS * TICK_MICROS,
            contents: scenario.entries().map(|(_, entry)| entry.clone()).collect(),
            ..Builder::default()
        };
        let first = builder.recorded_micros;
        // Names are looked up in order of effect, so that both logs name the same.
        let mut entries = Vec::new();
        for (number, draft) in (0_i64..).zip(drafts) {
            let effective_micros = first + (2 * number + 1) * TICK_MICROS;
            let change = builder.change(draft, effective_micros);
            let effective_at = Instant::from_micros(effective_micros);
            let entry = entry(
                scenario.log.len() + entries.len(),
                effective_at,
                vec![change],
            );
            builder.entries.push(entry.clone());
            entries.push(entry);
        }
        for number in order {
            builder.submit(entries[*number].clone());
        }
        scenario.log.append(&mut builder.log);
        scenario
    }

    /// A scenario of entries with ids of their own, one a tick
    pub fn of(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut builder = Builder {
            recorded_micros: ORIGIN_MICROS,
            ..Builder::default()
        };
        for entry in entries {
            builder.recorded_micros += TICK_MICROS;
            builder.submit(entry);
        }
        Self {
            log: builder.log,
            beginning: 0,
        }
    }

    /// The entries that can be decoded, in order
    pub fn entries(&self) -> impl Iterator<Item = (&Recorded, &Entry)> {
        self.log
            .iter()
            .filter_map(|recorded| match &recorded.submission {
                Submission::Entry(entry, _) => Some((recorded, entry)),
                Submission::Malformed { .. } => None,
            })
    }

    /// Every moment at which something takes effect or expires, in order
    pub fn moments(&self) -> Vec<EffectiveAt> {
        let mut moments = BTreeSet::new();
        for (recorded, entry) in self.entries() {
            let stated = entry.effective_at();
            moments.insert(stated.unwrap_or(recorded.recorded_at.instant()).micros());
            for change in entry.changes() {
                if let Change::Grant {
                    until: Some(until), ..
                } = change
                {
                    moments.insert(until.micros());
                }
            }
        }
        moments
            .into_iter()
            .map(EffectiveAt::saturating_from_micros)
            .collect()
    }

    /// Its grants, in order
    pub fn grants(&self) -> Vec<Granted> {
        let mut grants = Vec::new();
        for (position, recorded) in (1..).zip(&self.log) {
            let Submission::Entry(entry, _) = &recorded.submission else {
                continue;
            };
            let since = entry
                .effective_at()
                .unwrap_or(recorded.recorded_at.instant());
            for change in entry.changes() {
                if let Change::Grant {
                    level,
                    grantable,
                    to,
                    ..
                } = change
                {
                    grants.push(Granted {
                        level: level.clone(),
                        grantable: grantable.clone(),
                        to: to.clone(),
                        since: EffectiveAt::saturating_from_micros(since.micros()),
                        position,
                    });
                }
            }
        }
        grants
    }

    /// The positions of voids
    pub fn voids(&self) -> Vec<u64> {
        let is_void = |recorded: &Recorded| match &recorded.submission {
            Submission::Entry(entry, _) => matches!(entry.changes(), [Change::Void { .. }]),
            Submission::Malformed { .. } => false,
        };
        let numbered = (1..).zip(&self.log);
        numbered
            .filter(|(_, recorded)| is_void(recorded))
            .map(|(number, _)| number)
            .collect()
    }
}

impl Builder {
    fn take(&mut self, step: &Step) {
        let tick = self.recorded_micros.div_euclid(TICK_MICROS) + step.gap;
        let recorded_micros = tick * TICK_MICROS + step.beside;
        self.recorded_micros = self.recorded_micros.max(recorded_micros);
        let effective_micros = match step.when {
            When::Unstated => None,
            When::Ticks(ticks) => Some((tick + ticks) * TICK_MICROS),
            When::Beside(ticks, micros) => Some((tick + ticks) * TICK_MICROS + micros),
            When::Epoch => Some(0),
            When::BeforeEpoch => Some(-1),
            When::Last => Some(Instant::LAST.micros()),
        };
        let stated = effective_micros.map(|micros| Instant::from_micros(micros).unwrap());
        let start = effective_micros.unwrap_or(self.recorded_micros);
        // Mostly one of the latest, and not of the beginning: what is built on that goes with it.
        let earlier = |index: &Index, anywhere: bool| {
            let latest = self
                .entries
                .len()
                .saturating_sub(EARLIER_MAX)
                .max(self.beginning);
            let oldest = if anywhere { 0 } else { latest };
            let eligible = self
                .entries
                .get(oldest..)
                .filter(|entries| !entries.is_empty())?;
            Some(index.get(eligible))
        };
        let (effective_at, changes) = match &step.body {
            Body::Malformed => {
                let message = "no entry".to_owned();
                return self.record(Submission::Malformed { message });
            }
            Body::Again(index, how) => {
                let Some(entry) = earlier(index, false) else {
                    return;
                };
                let entry = again(entry, *how);
                return self.submit(entry);
            }
            Body::Void { entry, anywhere } => {
                let Some(entry) = earlier(entry, *anywhere).map(Entry::id) else {
                    return;
                };
                (None, vec![Change::Void { entry, note: None }])
            }
            Body::VoidUnknown => {
                let entry = EntryId(Uuid::from_u128(u128::MAX));
                (
                    None,
                    vec![Change::Void {
                        entry,
                        note: Some("never heard of it".into()),
                    }],
                )
            }
            Body::Publish(number) => {
                let catalog = self.catalogs[*number].clone();
                (stated, vec![Change::PublishCatalog { catalog }])
            }
            Body::Changes(drafts) => {
                let changes = drafts
                    .iter()
                    .map(|draft| self.change(draft, start))
                    .collect();
                (stated, changes)
            }
        };
        self.submit(entry(self.entries.len(), effective_at, changes));
    }

    fn submit(&mut self, entry: Entry) {
        let same = |other: &Entry| {
            (
                entry.actor(),
                entry.reason(),
                entry.effective_at(),
                entry.changes(),
            ) == (
                other.actor(),
                other.reason(),
                other.effective_at(),
                other.changes(),
            )
        };
        let known = self.contents.iter().position(same);
        let number = known.unwrap_or(self.contents.len());
        if known.is_none() {
            self.contents.push(entry.clone());
        }
        let mut fingerprint = [0; 32];
        fingerprint[..8].copy_from_slice(&(number as u64).to_be_bytes());
        self.entries.push(entry.clone());
        self.record(Submission::Entry(entry, Fingerprint(fingerprint)));
    }

    fn record(&mut self, submission: Submission) {
        let recorded_at = RecordedAt::saturating_from_micros(self.recorded_micros);
        self.log.push(Recorded {
            recorded_at,
            submission,
        });
    }

    fn change(&self, draft: &Draft, start: i64) -> Change {
        let level = |number: usize| world::level(world::LEVELS[number]);
        let granted = |number: usize| {
            let (level, what) = world::GRANTS[number];
            (world::level(level), world::grantable(what))
        };
        let who = |number: usize| world::principal(world::PRINCIPALS[number]);
        let set = |number: usize| world::principal(world::SETS[number]);
        let user = |number: usize| world::principal(world::USERS[number]);
        let collection = |number: usize| Arc::from(world::ROLE_COLLECTIONS[number]);
        let roles = |number: usize| {
            let texts = world::ROLE_LISTS[number].iter();
            texts.map(|text| RoleText::parse(text).unwrap()).collect()
        };
        let end = |until: Until| {
            let micros = match until {
                Until::Never => return None,
                Until::Ticks(ticks) => start + ticks * TICK_MICROS,
                Until::Beside(ticks, micros) => start + ticks * TICK_MICROS + micros,
                Until::BeforeEpoch => -1,
            };
            Some(Instant::from_micros(micros).unwrap_or(Instant::LAST))
        };
        let first_grant = || {
            let (level, grantable) = granted(0);
            (level, grantable, who(0))
        };
        match *draft {
            Draft::Grant {
                what,
                to,
                until,
                expect,
            } => {
                let (level, grantable) = granted(what);
                Change::Grant {
                    level,
                    grantable,
                    to: who(to),
                    until: end(until),
                    expect,
                }
            }
            Draft::GrantEarlier {
                grant,
                until,
                expect,
            } => {
                let (level, grantable, to) = self.earlier_grant(grant).unwrap_or_else(first_grant);
                Change::Grant {
                    level,
                    grantable,
                    to,
                    until: end(until),
                    expect,
                }
            }
            Draft::Revoke { what, from, expect } => {
                let (level, grantable) = granted(what);
                Change::Revoke {
                    level,
                    grantable,
                    from: who(from),
                    expect,
                }
            }
            Draft::RevokeEarlier {
                grant,
                bare,
                expect,
            } => {
                let (level, grantable, from) =
                    self.earlier_grant(grant).unwrap_or_else(first_grant);
                let grantable = match grantable {
                    GrantableText::Role(role) if bare => GrantableText::Role(RoleText {
                        application: None,
                        ..role
                    }),
                    other => other,
                };
                Change::Revoke {
                    level,
                    grantable,
                    from,
                    expect,
                }
            }
            Draft::AddMember { set: of, member } => Change::AddMember {
                set: set(of),
                member: user(member),
            },
            Draft::RemoveMember {
                set: of,
                member,
                expect,
            } => Change::RemoveMember {
                set: set(of),
                member: user(member),
                expect,
            },
            Draft::RemovePrincipal(principal) => Change::RemovePrincipal {
                principal: who(principal),
            },
            Draft::CreateLevel {
                creation,
                attributes,
            } => {
                let (level, parent, usual) = world::CREATIONS[creation];
                Change::CreateLevel {
                    level: world::level(level),
                    parent: parent.map(world::level),
                    attributes: world::attributes(attributes.unwrap_or(usual)),
                }
            }
            Draft::MoveLevel(creation) => {
                let (level, parent, _) = world::CREATIONS[creation];
                let parent = parent.unwrap_or("global-account:g");
                Change::MoveLevel {
                    level: world::level(level),
                    parent: world::level(parent),
                }
            }
            Draft::Misplace {
                level: misplaced,
                parent,
            } => match parent {
                None => Change::CreateLevel {
                    level: level(misplaced),
                    parent: None,
                    attributes: world::attributes(0),
                },
                Some(parent) => Change::MoveLevel {
                    level: level(misplaced),
                    parent: level(parent),
                },
            },
            Draft::SetLevel {
                level: of,
                attributes,
            } => Change::SetLevel {
                level: level(of),
                attributes: world::attributes(attributes),
            },
            Draft::DeleteLevel(deleted) => Change::DeleteLevel {
                level: level(deleted),
            },
            Draft::CreateRole(number) => {
                let (level, application, role, template, scopes) = world::CUSTOM_ROLES[number];
                Change::CreateRole {
                    level: world::level(level),
                    role: role.into(),
                    application: application.into(),
                    template: template.into(),
                    scopes: world::scopes(scopes),
                    attributes: (scopes == 1).then(|| RoleAttributes("{}".into())),
                }
            }
            Draft::DeleteRole { role, bare } => {
                let (level, application, name, _, _) = world::CUSTOM_ROLES[role];
                let application = (!bare).then(|| application.into());
                let role = RoleText {
                    application,
                    name: name.into(),
                };
                Change::DeleteRole {
                    level: world::level(level),
                    role,
                }
            }
            Draft::CreateRoleCollection {
                level: of,
                name,
                roles: list,
            } => Change::CreateRoleCollection {
                level: level(of),
                role_collection: collection(name),
                roles: roles(list),
                description: None,
            },
            Draft::SetRoles {
                level: of,
                name,
                roles: list,
            } => Change::SetRoles {
                level: level(of),
                role_collection: collection(name),
                roles: roles(list),
            },
            Draft::DeleteRoleCollection { level: of, name } => Change::DeleteRoleCollection {
                level: level(of),
                role_collection: collection(name),
            },
        }
    }

    fn earlier_grant(&self, index: Index) -> Option<(Level, GrantableText, Principal)> {
        let grants: Vec<_> = self
            .entries
            .iter()
            .flat_map(Entry::changes)
            .filter_map(|change| match change {
                Change::Grant {
                    level,
                    grantable,
                    to,
                    ..
                } => Some((level.clone(), grantable.clone(), to.clone())),
                _ => None,
            })
            .collect();
        (!grants.is_empty()).then(|| index.get(&grants).clone())
    }
}

/// An entry with an id of its own
pub fn entry(number: usize, effective_at: Option<Instant>, changes: Vec<Change>) -> Entry {
    let id = EntryId(Uuid::from_u128(number as u128 + 1));
    let actor = world::principal("user:corp/actor@x");
    Entry::new(id, actor, None, effective_at, changes).unwrap()
}

fn again(entry: &Entry, how: Repetition) -> Entry {
    let (reason, effective_at) = match how {
        Repetition::Same => return entry.clone(),
        Repetition::OtherReason => (Some("again".into()), entry.effective_at()),
        Repetition::OtherTime => {
            let is_void = matches!(entry.changes(), [Change::Void { .. }]);
            (
                entry.reason().cloned(),
                (!is_void).then_some(Instant::EPOCH),
            )
        }
    };
    let changes = entry.changes().to_vec();
    Entry::new(
        entry.id(),
        entry.actor().clone(),
        reason,
        effective_at,
        changes,
    )
    .unwrap()
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "a log of {} entries", self.log.len())?;
        for (number, recorded) in (1..).zip(&self.log) {
            write!(
                f,
                "  #{number} recorded {}",
                clock(recorded.recorded_at.micros())
            )?;
            match &recorded.submission {
                Submission::Malformed { .. } => writeln!(f, ": malformed")?,
                Submission::Entry(entry, _) => {
                    let id = entry.id().0.as_u128();
                    write!(f, ", id {id}")?;
                    if let Some(effective_at) = entry.effective_at() {
                        write!(f, ", effective {}", clock(effective_at.micros()))?;
                    }
                    if let Some(reason) = entry.reason() {
                        write!(f, ", reason {reason:?}")?;
                    }
                    writeln!(f)?;
                    for change in entry.changes() {
                        writeln!(f, "     {}", Shown(change))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Hours since the world begins
pub fn clock(micros: i64) -> String {
    let since = micros - ORIGIN_MICROS;
    let (ticks, beside) = (since.div_euclid(TICK_MICROS), since.rem_euclid(TICK_MICROS));
    if beside == 0 {
        format!("{ticks}h")
    } else {
        format!("{ticks}h+{beside}us")
    }
}

struct Shown<'a>(&'a Change);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = |roles: &[RoleText]| {
            roles
                .iter()
                .map(RoleText::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        };
        match self.0 {
            Change::Grant {
                level,
                grantable,
                to,
                until,
                expect,
            } => {
                write!(f, "grant {to} {grantable} at {level}")?;
                if let Some(until) = until {
                    write!(f, " until {}", clock(until.micros()))?;
                }
                expect.map_or(Ok(()), |expect| write!(f, ", expecting {expect:?}"))
            }
            Change::Revoke {
                level,
                grantable,
                from,
                expect,
            } => {
                write!(f, "revoke {from} {grantable} at {level}")?;
                expect.map_or(Ok(()), |expect| write!(f, ", expecting {expect:?}"))
            }
            Change::CreateRoleCollection {
                level,
                role_collection,
                roles,
                ..
            } => {
                let roles = texts(roles);
                write!(
                    f,
                    "create role collection `{role_collection}` at {level} of [{roles}]"
                )
            }
            Change::SetRoles {
                level,
                role_collection,
                roles,
            } => {
                write!(
                    f,
                    "set roles of `{role_collection}` at {level} to [{}]",
                    texts(roles)
                )
            }
            Change::PublishCatalog { catalog } => {
                write!(f, "publish catalog `{}`", catalog.version())
            }
            Change::Void { entry, .. } => write!(f, "void id {}", entry.0.as_u128()),
            other => write!(f, "{other:?}"),
        }
    }
}
