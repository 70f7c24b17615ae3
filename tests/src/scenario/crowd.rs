//! Which logs are long and crowded?
//!
//! Few levels and collections, many principals, entries of many changes: what a ledger keeps in runs, trees
//! and ranks once there is much of it, is reached only so. Most is recorded when it takes effect; how much is
//! late, scheduled or expiring is a parameter, as is how often what ends holdings comes.

use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any};
use proptest::prop_oneof;
use proptest::sample::Index;

use tenure_core::{GrantExpects, RevokeExpects};

use super::Scenario;
use super::draft::beginning;
use super::draft::{Body, Draft, Repetition, Step, Until, When, given, numbered};
use crate::world;

/// Rows of [`world::CREATIONS`] that crowds delete and create again
const LEVELS: [&str; 5] =
    ["subaccount:s1", "cf-org:o1", "directory:d1", "subaccount:s2", "cf-space:p1"];

/// Of a hundred entries in a crowd
#[derive(Clone, Copy, Debug)]
pub struct Shares {
    /// So many are late, scheduled or expiring
    pub off_time: u32,
    /// So many delete, remove, define or void
    pub ends: u32,
}

/// What crowds hold: mostly one thing, so that its history grows long
fn places() -> impl Strategy<Value = usize> + Clone {
    let at = |level, what| Just(given(level, what));
    prop_oneof![
        12 => at("subaccount:s1", "Admins"),
        5 => at("subaccount:s1", "Custom"),
        2 => at("cf-org:o1", "role:cf/Org Manager"),
        1 => at("subaccount:s1", "Ops"),
        1 => at("subaccount:s1", "Viewers"),
        1 => at("directory:d1", "Admins"),
    ]
}

/// Somebody of the crowd, or of the few whom everything is about
fn somebody(crowd: usize) -> impl Strategy<Value = usize> + Clone {
    let few = world::PRINCIPALS.len();
    prop_oneof![1 => 0..few, 5 => few..few + crowd]
}

fn until(off_time: u32) -> impl Strategy<Value = Until> {
    prop_oneof![
        100 - off_time => Just(Until::Never),
        off_time => prop_oneof![Just(1_i64), Just(3), Just(20)].prop_map(Until::Ticks),
    ]
}

fn holdings(crowd: usize, off_time: u32) -> BoxedStrategy<Draft> {
    let any_expect = Some(RevokeExpects::Any);
    let sets = 0..world::SETS.len();
    let expects = prop_oneof![30 => Just(None), 1 => Just(Some(GrantExpects::NotHeld))];
    prop_oneof![
        50 => (places(), somebody(crowd), until(off_time), expects)
            .prop_map(|(what, to, until, expect)| Draft::Grant { what, to, until, expect }),
        20 => (places(), somebody(crowd))
            .prop_map(move |(what, from)| Draft::Revoke { what, from, expect: any_expect }),
        10 => any::<Index>()
            .prop_map(move |grant| Draft::RevokeEarlier { grant, bare: false, expect: any_expect }),
        20 => (sets.clone(), somebody(crowd))
            .prop_map(|(set, member)| Draft::AddMember { set, member }),
        8 => (sets, somebody(crowd)).prop_map(move |(set, member)| Draft::RemoveMember {
            set,
            member,
            expect: any_expect,
        }),
    ]
    .boxed()
}

/// What ends, hides, suspends or brings back
fn ends(crowd: usize) -> BoxedStrategy<Draft> {
    let level = 0..LEVELS.len();
    let created = |number: usize| {
        let creation = world::CREATIONS.iter().position(|row| row.0 == LEVELS[number]);
        Draft::CreateLevel { creation: creation.unwrap(), attributes: None }
    };
    let name = prop_oneof![3 => Just(0_usize), 2 => Just(1)];
    prop_oneof![
        3 => somebody(crowd).prop_map(Draft::RemovePrincipal),
        2 => (0..world::PRINCIPALS.len()).prop_map(Draft::RemovePrincipal),
        3 => level.clone().prop_map(|number| Draft::DeleteLevel(numbered(LEVELS[number]))),
        6 => level.prop_map(created),
        4 => (name.clone(), 0..world::ROLE_LISTS.len())
            .prop_map(|(name, roles)| Draft::CreateRoleCollection { level: 0, name, roles }),
        3 => name.prop_map(|name| Draft::DeleteRoleCollection { level: 0, name }),
        1 => (0..2_usize, 1..world::ATTRIBUTES)
            .prop_map(|(level, attributes)| Draft::SetLevel { level: 3 * level, attributes }),
        1 => (0..world::ROLE_LISTS.len())
            .prop_map(|roles| Draft::SetRoles { level: 0, name: 0, roles }),
    ]
    .boxed()
}

fn when(off_time: u32) -> impl Strategy<Value = When> {
    let ticks = prop_oneof![Just(-1_i64), Just(-3), Just(-20), Just(1), Just(3), Just(20)];
    prop_oneof![
        (100 - off_time) * 4 => Just(When::Unstated),
        100 - off_time => Just(When::Ticks(0)),
        off_time * 4 => ticks.clone().prop_map(When::Ticks),
        off_time => ticks.prop_map(|ticks| When::Beside(ticks, 1)),
    ]
}

fn step(crowd: usize, changes: usize, shares: Shares) -> BoxedStrategy<Step> {
    let Shares { off_time, ends: share } = shares;
    let held = || vec(holdings(crowd, off_time), 1..=changes);
    let around = (held(), ends(crowd), held(), any::<(bool, bool)>()).prop_map(
        |(before, end, after, (first, last))| {
            let before = if first { before } else { Vec::new() };
            let after = if last { after } else { Vec::new() };
            [before, vec![end], after].concat()
        },
    );
    // Somebody's changes twice in one entry, or what falls with its last change.
    let twice = (held(), places(), somebody(crowd), any::<bool>()).prop_map(
        |(mut held, what, to, falls)| {
            let expect = falls.then_some(GrantExpects::NotHeld);
            let until = Until::Never;
            held.push(Draft::Grant { what, to, until, expect: None });
            held.push(Draft::Revoke { what, from: to, expect: Some(RevokeExpects::Any) });
            held.push(Draft::Grant { what, to, until, expect: None });
            held.extend(falls.then_some(Draft::Grant { what, to, until, expect }));
            held
        },
    );
    let body = prop_oneof![
        100 - share => held().prop_map(Body::Changes),
        4 => twice.prop_map(Body::Changes),
        share => prop_oneof![
            4 => ends(crowd).prop_map(|end| Body::Changes(vec![end])),
            2 => around.prop_map(Body::Changes),
            1 => (0..world::CATALOGS).prop_map(Body::Publish),
            3 => any::<(Index, bool)>()
                .prop_map(|(entry, anywhere)| Body::Void { entry, anywhere }),
            1 => (1..4_usize).prop_map(Body::VoidBack),
            1 => any::<Index>().prop_map(|entry| Body::Again(entry, Repetition::Same)),
        ],
    ];
    let gap = prop_oneof![1 => Just(0_i64), 5 => Just(1)];
    (gap, 0..world::SUBMITTERS, when(off_time), body)
        .prop_map(|(gap, submitter, when, body)| Step {
            gap,
            beside: 0,
            submitter,
            when,
            not_before: None,
            body,
        })
        .boxed()
}

/// Logs of so many entries with up to so many changes each, about so many principals and a few more
pub fn crowds(
    entries: Range<usize>,
    changes: usize,
    crowd: usize,
    shares: Shares,
) -> BoxedStrategy<Scenario> {
    (beginning(), vec(step(crowd, changes, shares), entries))
        .prop_map(|(beginning, steps)| Scenario::new(&beginning, &steps))
        .boxed()
}

/// Logs in which one user has more changes than are kept in one list
pub fn busy() -> BoxedStrategy<Scenario> {
    let what = prop_oneof![
        5 => Just(given("subaccount:s1", "Admins")),
        1 => Just(given("subaccount:s1", "Viewers")),
    ];
    let own = (what, any::<bool>()).prop_map(|(what, starts)| {
        if starts {
            Draft::Grant { what, to: 0, until: Until::Never, expect: None }
        } else {
            Draft::Revoke { what, from: 0, expect: Some(RevokeExpects::Any) }
        }
    });
    let own = own.prop_map(|draft| Step {
        gap: 1,
        beside: 0,
        submitter: 0,
        when: When::Unstated,
        not_before: None,
        body: Body::Changes(vec![draft]),
    });
    let shares = Shares { off_time: 2, ends: 20 };
    (beginning(), vec(own, 520..600), vec(step(3, 2, shares), 0..20))
        .prop_map(|(beginning, own, others)| Scenario::new(&beginning, &[own, others].concat()))
        .boxed()
}
