//! Which stories do entries tell?
//!
//! A story tells one thing from its beginning to its end. Entries that are drawn one by one seldom tell it.

use proptest::prelude::{BoxedStrategy, Just, Strategy, any};
use proptest::prop_oneof;

use tenure_core::{Access, RevokeExpects};

use super::draft::{Body, Draft, Until, created, creation, given, grant, named, numbered, skewed};
use super::neo;
use crate::world;

/// Most entries of a story
pub(super) const STORY_ENTRIES_MAX: usize = 7;

/// What an entry of a story submits, and how many ticks ahead it takes effect, if the story depends on
/// it
pub(super) type Told = (Option<i64>, Body);

/// Entries that tell one thing from its beginning to its end, which drawn one by one seldom come
/// together
pub(super) fn story() -> BoxedStrategy<Vec<Told>> {
    prop_oneof![2 => names_change(), 2 => levels_change(), 2 => terms_change(), 3 => access_changes(), 2 => sources_follow(), 5 => neo::stories()]
        .boxed()
}

pub(super) fn told(draft: Draft) -> Told {
    (None, Body::Changes(vec![draft]))
}

fn told_ahead(ticks: i64, draft: Draft) -> Told {
    (Some(ticks), Body::Changes(vec![draft]))
}

fn names_change() -> BoxedStrategy<Vec<Told>> {
    let who = || skewed(world::PRINCIPALS.len());
    let ops = given("subaccount:s1", "Ops");
    let custom = |roles| Draft::CreateRoleCollection { level: 0, name: 1, roles };
    let no_custom = Draft::DeleteRoleCollection { level: 0, name: 1 };
    let list = |name| world::ROLE_LISTS.iter().position(|roles| **roles == [name]).unwrap();
    let viewers = [(2, list("dest/My Viewer")), (8, list("own/My Viewer")), (0, list("Own"))];
    prop_oneof![
        // A predefined one is suspended, and a custom one takes its name and may be granted anew.
        2 => (who(), any::<bool>()).prop_map(move |(to, anew)| {
            let mut story = vec![
                (None, Body::Publish(1)),
                told(grant(ops, to)),
                (None, Body::Publish(0)),
                told(custom(0)),
            ];
            story.extend(anew.then(|| told(grant(ops, to))));
            story.extend([told(no_custom), (None, Body::Publish(1))]);
            story
        }),
        // A custom one is held, and its name comes to mean a predefined one.
        1 => who().prop_map(move |to| vec![
            told(custom(0)),
            told(grant(ops, to)),
            (None, Body::Publish(1)),
            (None, Body::VoidBack(3)),
            (None, Body::VoidBack(1)),
        ]),
        // One that is to be created exists when its time comes.
        1 => who().prop_map(move |to| vec![
            told_ahead(4, custom(0)),
            told(custom(1)),
            told_ahead(3, grant(ops, to)),
        ]),
        // A custom role has the scopes of its template, or its own, and what lists it gives nothing
        // when it is gone.
        2 => (who(), 0..viewers.len()).prop_map(move |(to, number)| {
            let (role, roles) = viewers[number];
            vec![
                told(Draft::CreateRole(role)),
                told(Draft::SetRoles {
                    level: 0,
                    name: 0,
                    roles,
                }),
                told(grant(given("subaccount:s1", "Custom"), to)),
                told(Draft::DeleteRole { role, bare: false }),
            ]
        }),
        // A custom role hides a predefined one, and goes.
        1 => (who(), any::<bool>()).prop_map(move |(to, bare)| vec![
            told(grant(given("cf-org:o1", "role:cf/Org Manager"), to)),
            told(Draft::CreateRole(3)),
            told(Draft::DeleteRole { role: 3, bare }),
        ]),
    ]
    .boxed()
}

fn levels_change() -> BoxedStrategy<Vec<Told>> {
    let who = || skewed(world::PRINCIPALS.len());
    let create = |creation| Draft::CreateLevel { creation, attributes: None };
    let set = |level, attributes| Draft::SetLevel { level: numbered(level), attributes };
    let delete = |level| Draft::DeleteLevel(numbered(level));
    let put =
        |level, parent| Draft::Misplace { level: numbered(level), parent: Some(numbered(parent)) };
    let admin = given("directory:d1", "Admins");
    let viewer = given("subaccount:s1", "Viewers");
    let manager = given("cf-org:o1", "role:cf/Org Manager");
    let gone = [
        ("subaccount:s2", "role:acct/Security Admin", "subaccount:s2"),
        ("cf-org:o1", "role:cf/Org Manager", "cf-org:o1"),
        ("service-instance:i1", "role:svc/Creds", "service-instance:i1"),
        ("subaccount:s1", "Admins", "subaccount:s1"),
        ("subaccount:s1", "Custom", "directory:d1"),
    ];
    let (s3_below_d2, s1_below_h) =
        (creation("subaccount:s3", "directory:d2"), creation("subaccount:s1", "global-account:h"));
    prop_oneof![
        // A level goes with all above it up to some level, and comes back.
        (who(), 0..gone.len()).prop_map(move |(to, number)| {
            let (level, what, root) = gone[number];
            let mut story = vec![told(grant(given(level, what), to)), told(delete(root))];
            if root != level {
                story.push(told(created(root)));
            }
            story.push(told(created(level)));
            story
        }),
        // A directory ceases to manage authorizations, and manages them again.
        who().prop_map(move |to| vec![
            told(grant(admin, to)),
            told(set("directory:d1", 2)),
            told(set("directory:d1", 1)),
        ]),
        // The feature set changes, here or above.
        (who(), any::<bool>()).prop_map(move |(to, above)| {
            let level = if above { "global-account:g" } else { "subaccount:s1" };
            vec![told(grant(viewer, to)), told(set(level, 3)), told(set(level, 4))]
        }),
        // A subtree moves, and back.
        who().prop_map(move |to| vec![
            told(grant(admin, to)),
            told(put("subaccount:s1", "global-account:h")),
            told(grant(manager, to)),
            told(put("subaccount:s1", "directory:d1")),
        ]),
        // A level would come to lie in itself, since what was before turns out not to have been.
        who().prop_map(move |to| vec![
            told(grant(admin, to)),
            told(put("directory:d2", "global-account:g")),
            told(put("directory:d1", "directory:d2")),
            (None, Body::VoidBack(2)),
            (None, Body::VoidBack(1)),
        ]),
        // One that is to be created, or whose parent is to be there, turns out otherwise.
        who().prop_map(move |to| vec![
            told_ahead(4, create(s3_below_d2)),
            told_ahead(5, grant(given("subaccount:s3", "Viewers"), to)),
            told_ahead(2, delete("directory:d2")),
            (None, Body::VoidBack(1)),
        ]),
        who().prop_map(move |to| vec![
            told(delete("subaccount:s1")),
            told_ahead(5, create(s1_below_h)),
            told_ahead(2, created("subaccount:s1")),
            told_ahead(6, grant(viewer, to)),
        ]),
    ]
    .boxed()
}

fn terms_change() -> BoxedStrategy<Vec<Told>> {
    let who = || skewed(world::PRINCIPALS.len());
    let what = skewed(world::GRANTS_LAWFUL);
    let admin = given("subaccount:s1", "Admins");
    prop_oneof![
        // Renewed while it runs, with ends of all sorts.
        (who(), what).prop_map(move |(to, what)| {
            let until = |ticks| {
                let until = Until::Ticks(ticks);
                told(Draft::Grant { what, to, until, expect: None })
            };
            let expect = Some(RevokeExpects::Any);
            let revoked = Draft::Revoke { what, from: to, expect };
            vec![until(3), until(1), until(2), told(grant(what, to)), told(revoked)]
        }),
        // Voided, not voided, and voided by two of which one stands again.
        who().prop_map(move |to| {
            let back = |entries| (None, Body::VoidBack(entries));
            vec![told(grant(admin, to)), back(1), back(1), back(3), back(2)]
        }),
        // A member has what its set has, until one of them is removed.
        (0..4_usize, 0..3_usize, any::<bool>()).prop_map(move |(set, member, of_set)| {
            let (to, user) = (named(world::SETS[set]), named(world::USERS[member]));
            vec![
                told(Draft::AddMember { set, member }),
                told(grant(admin, to)),
                told(Draft::RemovePrincipal(if of_set { to } else { user })),
                told(Draft::AddMember { set, member }),
            ]
        }),
    ]
    .boxed()
}

/// A source lists a level and then follows it, with gaps; the level may go, or one of it turn out not to have been
fn sources_follow() -> BoxedStrategy<Vec<Told>> {
    let levels = ["subaccount:s1", "directory:d1", "subaccount:s2"];
    let number = |level: &&str| world::LEVELS.iter().position(|row| row == level);
    let levels: Vec<usize> = levels.iter().filter_map(number).collect();
    let place = (0..levels.len()).prop_map(move |place| levels[place]);
    let end = prop_oneof![2 => Just(None), 2 => Just(Some(true)), 1 => Just(Some(false))];
    (place, skewed(world::SOURCES.len()), any::<bool>(), end)
        .prop_map(|(level, source, below, end)| {
            let subtree = below.then_some(true);
            let seen = |from| Draft::Observe { level, subtree, source, from };
            let mut story = vec![
                told(seen(None)),
                told_ahead(4, seen(Some(2))),
                told_ahead(8, seen(None)),
                told_ahead(12, seen(Some(1))),
            ];
            story.extend(end.map(|goes| match goes {
                true => told_ahead(6, Draft::DeleteLevel(level)),
                false => (None, Body::VoidBack(2)),
            }));
            story
        })
        .boxed()
}

/// Rights are given and asked for, and what gave them or asked for them may turn out not to have been
fn access_changes() -> BoxedStrategy<Vec<Told>> {
    let given = |right, to| told(Draft::GrantRight { right, to, until: Until::Never });
    let taken = |right, from| told(Draft::RevokeRight { right, from });
    let set = |access| told(Draft::SetAccess(access));
    let back = |entries| (None, Body::VoidBack(entries));
    let created = |level| told(created(level));
    prop_oneof![
        // The first holder governs, and the second one appends somewhere.
        4 => (1..5_usize).prop_map(move |right| {
            vec![given(0, 0), given(right, 1), set(Access::Enforced), created("subaccount:s3")]
        }),
        // Whoever governs gives it away, and the last one who governs goes.
        2 => Just(vec![
            given(0, 1),
            set(Access::Enforced),
            given(0, 0),
            taken(0, 1),
            told(Draft::RemovePrincipal(named("client:corp/CI"))),
        ]),
        // The grant, or the change of access, is voided; then that void.
        2 => (1..3_usize).prop_map(move |entries| vec![
            given(0, 0),
            set(Access::Enforced),
            back(entries),
            created("directory:d3"),
            back(2),
        ]),
        1 => Just(vec![given(0, 0), set(Access::Enforced), set(Access::Open), back(1)]),
        // One entry gives, asks, and makes a level where it gives again.
        2 => Just(vec![(None, Body::Changes(vec![
            Draft::GrantRight { right: 0, to: 0, until: Until::Never },
            Draft::SetAccess(Access::Enforced),
        ])), (None, Body::Changes(vec![
            self::created("subaccount:s3"),
            self::created("cf-org:o3"),
            Draft::GrantRight { right: 4, to: 1, until: Until::Ticks(3) },
        ]))]),
    ]
    .boxed()
}
