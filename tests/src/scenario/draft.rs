//! What may a step be?
//!
//! Strategies of steps whose names are numbers of rows in [`world`]. What shrinks, shrinks to the first
//! row and to the first alternative, which are the plainest.

use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any};
use proptest::prop_oneof;
use proptest::sample::Index;

use tenure_core::{Access, GrantExpects, RevokeExpects};

use super::neo;
use super::stories::{STORY_ENTRIES_MAX, Told, story};
use super::{FIRST_RECORDED_TICKS, Scenario, TICK_MICROS};
use crate::world;

/// What a step submits
#[derive(Clone, Debug)]
pub(super) enum Body {
    Changes(Vec<Draft>),
    Publish(usize),
    Void {
        entry: Index,
        anywhere: bool,
    },
    VoidUnknown,
    VoidItself,
    /// So many entries back
    VoidBack(usize),
    Again(Index, Repetition),
    Malformed,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Repetition {
    Same,
    OtherReason,
    OtherTime,
}

/// A change before its names are looked up
#[derive(Clone, Copy, Debug)]
pub(super) enum Draft {
    Grant { what: usize, to: usize, until: Until, expect: Option<GrantExpects> },
    Revoke { what: usize, from: usize, expect: Option<RevokeExpects> },
    GrantEarlier { grant: Index, until: Until, expect: Option<GrantExpects> },
    RevokeEarlier { grant: Index, bare: bool, expect: Option<RevokeExpects> },
    AddMember { set: usize, member: usize },
    RemoveMember { set: usize, member: usize, expect: Option<RevokeExpects> },
    RemovePrincipal(usize),
    CreateLevel { creation: usize, attributes: Option<u8> },
    MoveLevel(usize),
    Misplace { level: usize, parent: Option<usize> },
    SetLevel { level: usize, attributes: u8 },
    DeleteLevel(usize),
    CreateRole(usize),
    DeleteRole { role: usize, bare: bool },
    CreateRoleCollection { level: usize, name: usize, roles: usize },
    SetRoles { level: usize, name: usize, roles: usize },
    DeleteRoleCollection { level: usize, name: usize },
    Observe { level: usize, subtree: Option<bool>, source: usize, from: Option<i64> },
    GrantRight { right: usize, to: usize, until: Until },
    RevokeRight { right: usize, from: usize },
    SetAccess(Access),
    SetRule { set: usize, rule: Option<usize> },
    SetPermission(usize),
    DeletePermission(usize),
}

/// When a step's changes hold, seen from when it is recorded
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    Unstated,
    Ticks(i64),
    Beside(i64, i64),
    Epoch,
    BeforeEpoch,
    Last,
}

/// When a grant ends, seen from when it holds
#[derive(Clone, Copy, Debug)]
pub(super) enum Until {
    Never,
    Ticks(i64),
    Beside(i64, i64),
    BeforeEpoch,
}

/// One entry before its names are looked up
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Ticks since the entry before it
    pub(super) gap: i64,
    /// Microseconds after the tick
    pub(super) beside: i64,
    /// The number of one of [`world::submitters`]
    pub(super) submitter: usize,
    pub(super) when: When,
    /// The earliest moment it says, in ticks after the one at which it holds
    pub(super) not_before: Option<i64>,
    pub(super) body: Body,
}

fn offsets() -> impl Strategy<Value = i64> {
    prop_oneof![Just(-1), Just(1), Just(-2), Just(2), Just(-4), Just(4), Just(-7), Just(9)]
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
        (100 - off_time) * 7 => Just(Until::Never),
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
pub(super) fn skewed(count: usize) -> impl Strategy<Value = usize> + Clone {
    prop_oneof![3 => 0..count.div_ceil(4), 2 => 0..count]
}

/// Where role collections are created: where they are granted, and now and then elsewhere
fn homes() -> impl Strategy<Value = usize> + Clone {
    prop_oneof![5 => Just(0_usize), 5 => 0..4_usize, 1 => 0..world::LEVELS.len()]
}

fn names() -> impl Strategy<Value = usize> + Clone {
    prop_oneof![8 => Just(0_usize), 4 => Just(1), 1 => 0..world::ROLE_COLLECTIONS.len()]
}

fn holdings(off_time: u32) -> BoxedStrategy<Draft> {
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
    .boxed()
}

fn levels() -> BoxedStrategy<Draft> {
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
    .boxed()
}

fn definitions() -> BoxedStrategy<Draft> {
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
    .boxed()
}

fn draft(off_time: u32) -> BoxedStrategy<Draft> {
    prop_oneof![
        70 => holdings(off_time),
        10 => levels(),
        14 => definitions(),
        6 => observations(),
        6 => rights(off_time),
        12 => neo::drafts(),
    ]
    .boxed()
}

/// Who may give, who may append and read, and whether it is asked
fn rights(off_time: u32) -> BoxedStrategy<Draft> {
    let right = skewed(world::RIGHTS.len());
    let holder = skewed(world::HOLDERS.len());
    prop_oneof![
        6 => (right.clone(), holder.clone(), until(off_time))
            .prop_map(|(right, to, until)| Draft::GrantRight { right, to, until }),
        2 => (right, holder).prop_map(|(right, from)| Draft::RevokeRight { right, from }),
        2 => prop_oneof![Just(Access::Enforced), Just(Access::Open)].prop_map(Draft::SetAccess),
    ]
    .boxed()
}

/// Of levels, and mostly of those with levels below; `from` is in ticks before the entry holds
fn observations() -> BoxedStrategy<Draft> {
    let level = skewed(world::LEVELS.len());
    let subtree = prop_oneof![3 => Just(Some(true)), 2 => Just(None), 1 => Just(Some(false))];
    let from = prop_oneof![4 => Just(None), 5 => (1..9_i64).prop_map(Some), 1 => Just(Some(0))];
    (level, subtree, skewed(world::SOURCES.len()), from)
        .prop_map(|(level, subtree, source, from)| Draft::Observe { level, subtree, source, from })
        .boxed()
}

/// Changes that are refused only if the landscape has changed
fn lawful(off_time: u32) -> BoxedStrategy<Draft> {
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
    .boxed()
}

/// The number of a row of [`world::GRANTS`]
pub(super) fn given(level: &str, what: &str) -> usize {
    world::GRANTS.iter().position(|row| *row == (level, what)).unwrap()
}

pub(super) fn grant(row: usize, to: usize) -> Draft {
    Draft::Grant { what: row, to, until: Until::Never, expect: None }
}

/// The number of a row of [`world::CREATIONS`]
pub(super) fn creation(level: &str, parent: &str) -> usize {
    let row = world::CREATIONS.iter().position(|row| (row.0, row.1) == (level, Some(parent)));
    row.unwrap()
}

pub(super) fn created(level: &str) -> Draft {
    let creation = world::CREATIONS.iter().position(|row| row.0 == level).unwrap();
    Draft::CreateLevel { creation, attributes: None }
}

/// The number of one of [`world::PRINCIPALS`]
pub(super) fn named(principal: &str) -> usize {
    world::PRINCIPALS.iter().position(|row| *row == principal).unwrap()
}

/// The number of a row of [`world::LEVELS`]
pub(super) fn numbered(level: &str) -> usize {
    world::LEVELS.iter().position(|row| *row == level).unwrap()
}

/// Changes of one entry that stand only on the ones before them
fn chain() -> BoxedStrategy<Vec<Draft>> {
    let who = || skewed(world::PRINCIPALS.len());
    let members = (skewed(world::SETS.len()), skewed(world::USERS.len()));
    let admin = given("subaccount:s1", "Admins");
    let custom = given("subaccount:s1", "Custom");
    let manager = given("cf-org:o1", "role:cf/Org Manager");
    let once = |what, to| {
        let expect = Some(GrantExpects::NotHeld);
        Draft::Grant { what, to, until: Until::Never, expect }
    };
    let gone = |set, member| Draft::RemoveMember { set, member, expect: None };
    let (level, name) = (0, 0);
    let deleted = Draft::DeleteRoleCollection { level, name };
    let anew = Draft::CreateRoleCollection { level, name, roles: 1 };
    let own_role = vec![Draft::CreateRole(1), Draft::SetRoles { level, name, roles: 3 }];
    prop_oneof![
        who().prop_map(move |to| vec![Draft::RemovePrincipal(to), once(admin, to)]),
        who().prop_map(move |to| vec![
            grant(admin, to),
            Draft::RemovePrincipal(to),
            once(admin, to)
        ]),
        who().prop_map(move |to| vec![grant(custom, to), deleted, anew, once(custom, to)]),
        who().prop_map(move |to| {
            let deleted = Draft::DeleteLevel(numbered("cf-org:o1"));
            vec![grant(manager, to), deleted, created("cf-org:o1"), once(manager, to)]
        }),
        members.prop_map(move |(set, member)| {
            vec![Draft::AddMember { set, member }, gone(set, member), gone(set, member)]
        }),
        Just(own_role),
    ]
    .boxed()
}

/// One step, or those of a story
fn steps(off_time: u32) -> BoxedStrategy<Vec<Step>> {
    let one = step(off_time).prop_map(|step| vec![step]);
    prop_oneof![12 => one, 1 => telling(story(), off_time)].boxed()
}

/// The steps of a story, at times of their own
fn telling(story: BoxedStrategy<Vec<Told>>, off_time: u32) -> BoxedStrategy<Vec<Step>> {
    let steps = vec(step(off_time), STORY_ENTRIES_MAX);
    (story, steps)
        .prop_map(|(story, steps)| {
            let told = story.into_iter().zip(steps);
            told.map(|((ahead, body), step)| {
                let when = ahead.map_or(step.when, When::Ticks);
                Step { gap: step.gap.max(1), when, body, ..step }
            })
            .collect()
        })
        .boxed()
}

fn step(off_time: u32) -> BoxedStrategy<Step> {
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
        6 => chain(),
        2 => (chain(), draft(off_time)).prop_map(|(chain, last)| [chain, vec![last]].concat()),
        4 => (vec(lawful(off_time), 0..2), vec(draft(off_time), 2..3))
            .prop_map(|(lawful, drafts)| [lawful, drafts].concat()),
    ];
    let body = prop_oneof![
        70 => changes.prop_map(Body::Changes),
        3 => prop_oneof![Just(0_usize), Just(1), Just(1), 0..world::CATALOGS].prop_map(Body::Publish),
        10 => (any::<Index>(), proptest::bool::weighted(0.1))
            .prop_map(|(entry, anywhere)| Body::Void { entry, anywhere }),
        1 => prop_oneof![Just(Body::VoidUnknown), Just(Body::VoidItself)],
        4 => (any::<Index>(), repetition).prop_map(|(entry, how)| Body::Again(entry, how)),
        1 => Just(Body::Malformed),
    ];
    let not_before = prop_oneof![
        20 => Just(None),
        3 => (0..6_i64).prop_map(|ticks| Some(-ticks)),
        1 => Just(Some(1)),
    ];
    (gap, beside, submitter(), when(off_time), not_before, body)
        .prop_map(|(gap, beside, submitter, when, not_before, body)| Step {
            gap,
            beside,
            submitter,
            when,
            not_before,
            body,
        })
        .boxed()
}

/// Mostly those who may
fn submitter() -> impl Strategy<Value = usize> {
    prop_oneof![5 => Just(0_usize), 4 => Just(1), 2 => Just(2), 1 => 3..world::SUBMITTERS]
}

/// The landscape and a catalogue, recorded some time after they took effect, each step of which a
/// shrunk scenario may leave out
pub(super) fn beginning() -> impl Strategy<Value = Vec<Step>> {
    let at_start = |body| Step {
        gap: 0,
        beside: 0,
        submitter: 0,
        when: When::Ticks(-FIRST_RECORDED_TICKS),
        not_before: None,
        body,
    };
    let levels = (0..world::CREATIONS_AT_START)
        .map(|creation| Draft::CreateLevel { creation, attributes: None });
    let custom = [0, 1, 2].map(|level| Draft::CreateRoleCollection { level, name: 0, roles: 0 });
    let roles = [0, neo::custom("own", "Reader"), neo::custom("own", "Editor")];
    let roles = roles.map(Draft::CreateRole);
    let permissions = [Draft::SetPermission(0), Draft::SetPermission(2)];
    let changes = levels
        .chain(roles)
        .chain(permissions)
        .chain(custom)
        .map(|draft| Body::Changes(vec![draft]));
    let steps: Vec<Step> = [Body::Publish(0)].into_iter().chain(changes).map(at_start).collect();
    let kept = vec(proptest::bool::weighted(0.99), steps.len());
    kept.prop_map(move |kept| {
        steps.iter().zip(kept).filter(|(_, kept)| *kept).map(|(step, _)| step.clone()).collect()
    })
}

/// Scenarios of so many steps after the beginning, of which so many in a hundred are late, scheduled or
/// expiring
pub fn scenarios(steps: Range<usize>, off_time: u32) -> BoxedStrategy<Scenario> {
    (beginning(), vec(self::steps(off_time), steps))
        .prop_map(|(beginning, steps)| Scenario::new(&beginning, &steps.concat()))
        .boxed()
}

/// Scenarios of all sorts: nearly all in time, a third or more out of it, and mostly about Neo
pub fn mixed(steps: Range<usize>) -> BoxedStrategy<Scenario> {
    prop_oneof![
        3 => scenarios(steps.clone(), 1),
        6 => scenarios(steps.clone(), 30),
        3 => scenarios(steps.clone(), 60),
        2 => of_neo(steps),
    ]
    .boxed()
}

/// Scenarios in which mostly stories of Neo are told, up to a third as many as there are steps
pub fn of_neo(steps: Range<usize>) -> BoxedStrategy<Scenario> {
    let told = (1..steps.end.div_ceil(3) + 1, prop_oneof![2 => Just(1_u32), 1 => Just(25)]);
    let told = told.prop_flat_map(|(count, off_time)| {
        let single = step(off_time).prop_map(|step| vec![step]);
        let about = (neo::drafts(), step(off_time))
            .prop_map(|(draft, step)| vec![Step { body: Body::Changes(vec![draft]), ..step }]);
        let told = telling(neo::stories(), off_time);
        vec(prop_oneof![2 => told, 2 => about, 1 => single], count)
    });
    (beginning(), told)
        .prop_map(|(beginning, steps)| Scenario::new(&beginning, &steps.concat()))
        .boxed()
}

/// Two logs of the same entries: grants, revokes and memberships that expect nothing, at pairwise
/// different effective times, recorded in order and in another order. What the landscape was and will
/// be is recorded before them
pub fn arrivals(entries: Range<usize>) -> BoxedStrategy<[Scenario; 2]> {
    let structure = prop_oneof![
        1 => Just(Body::Publish(1)),
        4 => levels().prop_map(|draft| Body::Changes(vec![draft])),
        4 => definitions().prop_map(|draft| Body::Changes(vec![draft])),
    ];
    let ahead = 0..2 * entries.end as i64;
    let structure = (ahead, structure).prop_map(|(ticks, body)| Step {
        gap: 0,
        beside: 0,
        submitter: 0,
        when: When::Ticks(ticks),
        not_before: None,
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
