//! Which steps are about Neo, rules of sets and what one could give oneself?

use proptest::option;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any};
use proptest::prop_oneof;

use super::draft::{Body, Draft, Until, given, grant, named, numbered, skewed};
use super::stories::{Told, told};
use crate::world;

/// The number of the first row of [`world::CUSTOM_ROLES`] with that application and name
pub(super) fn custom(application: &str, name: &str) -> usize {
    let mut rows = world::CUSTOM_ROLES.iter();
    rows.position(|row| (row.1, row.2) == (application, name)).unwrap()
}

fn set_rule() -> impl Strategy<Value = Draft> {
    let set = skewed(world::RULED.len());
    let rule = option::weighted(0.8, 0..world::RULES);
    (set, rule).prop_map(|(set, rule)| Draft::SetRule { set, rule })
}

/// Rules, permissions, and who is in what rules look at
pub(super) fn drafts() -> BoxedStrategy<Draft> {
    let permission = 0..world::PERMISSIONS.len();
    let neo = prop_oneof![Just("application:a2"), Just("subaccount:n1"), Just("subaccount:s1")];
    prop_oneof![
        4 => set_rule(),
        4 => permission.clone().prop_map(Draft::SetPermission),
        1 => permission.prop_map(Draft::DeletePermission),
        3 => (0..world::SETS.len(), skewed(world::USERS.len()))
            .prop_map(|(set, member)| Draft::AddMember { set, member }),
        4 => (neo, 10..world::ATTRIBUTES).prop_map(|(level, attributes)| {
            Draft::SetLevel { level: numbered(level), attributes }
        }),
    ]
    .boxed()
}

/// Stories that are told whole
pub(super) fn stories() -> BoxedStrategy<Vec<Told>> {
    prop_oneof![4 => rules(), 3 => permissions(), 2 => environments(), 2 => steps(), 1 => sessions()]
        .boxed()
}

/// A rule makes a member of whoever is added to what it looks at, and another one follows it, or none
fn rules() -> BoxedStrategy<Vec<Told>> {
    let what = prop_oneof![
        Just(("subaccount:n1", "role:neo/Administrator")),
        Just(("subaccount:s1", "Admins")),
        Just(("global-account:g", "Admins")),
    ];
    let then = prop_oneof![
        2 => (0..world::RULES).prop_map(|rule| Draft::SetRule { set: 0, rule: Some(rule) }),
        1 => Just(Draft::SetRule { set: 0, rule: None }),
        1 => Just(Draft::RemovePrincipal(named("group:corp/Rules"))),
        1 => Just(Draft::RemovePrincipal(named("attribute:corp/dept=IT"))),
        1 => Just(Draft::RemoveMember { set: 1, member: 0, expect: None }),
        1 => Just(Draft::AddMember { set: 3, member: 0 }),
    ];
    (what, 0..6_usize, then.clone(), then, 0..2_usize)
        .prop_map(|((level, what), rule, then, at_last, member)| {
            vec![
                told(grant(given(level, what), named("group:corp/Rules"))),
                told(Draft::SetRule { set: 0, rule: Some(rule) }),
                told(Draft::AddMember { set: 1, member }),
                told(Draft::AddMember { set: 0, member }),
                told(then),
                told(at_last),
            ]
        })
        .boxed()
}

/// What gives a permission comes and goes
fn permissions() -> BoxedStrategy<Vec<Told>> {
    let who = || skewed(world::PRINCIPALS.len());
    let set = |level: &'static str, attributes| {
        told(Draft::SetLevel { level: numbered(level), attributes })
    };
    let (reader, editor) = (custom("own", "Reader"), custom("own", "Editor"));
    let read = given("application:a2", "role:own/Reader");
    let edit = given("subaccount:n1", "role:own/Editor");
    let run = given("subaccount:n1", "role:neo/Developer");
    prop_oneof![
        // A custom role that was granted alone goes, and comes back without its holders.
        who().prop_map(move |to| vec![
            told(grant(read, to)),
            told(Draft::DeleteRole { role: reader, bare: false }),
            told(Draft::SetPermission(9)),
            told(Draft::CreateRole(reader)),
        ]),
        // One of the application hides that of the subaccount.
        who().prop_map(move |to| vec![
            told(Draft::SetPermission(1)),
            told(grant(edit, to)),
            told(grant(run, to)),
            told(Draft::DeleteRole { role: editor, bare: true }),
            told(Draft::DeletePermission(1)),
        ]),
        // Whose users everyone is, changes.
        any::<bool>().prop_map(move |here| {
            let level = if here { "application:a2" } else { "subaccount:n1" };
            vec![told(Draft::SetPermission(2)), set(level, 12), set("subaccount:n1", 13)]
        }),
        // Something else decides, for a time.
        who().prop_map(move |to| vec![
            told(grant(read, to)),
            told(Draft::SetPermission(0)),
            set("application:a2", 14),
            told(Draft::SetPermission(1)),
            set("application:a2", 15),
        ]),
    ]
    .boxed()
}

/// A subaccount leaves Neo and comes back, or is in it for a time
fn environments() -> BoxedStrategy<Vec<Told>> {
    let who = || skewed(world::PRINCIPALS.len());
    let set = |level: &'static str, attributes| {
        told(Draft::SetLevel { level: numbered(level), attributes })
    };
    let list = world::ROLE_LISTS.iter().position(|roles| **roles == ["Own"]).unwrap();
    let n1 = numbered("subaccount:n1");
    let collection = Draft::CreateRoleCollection { level: n1, name: 0, roles: list };
    let what = prop_oneof![
        Just(given("subaccount:n1", "role:neo/Administrator")),
        Just(given("subaccount:n1", "role:own/Editor")),
        Just(given("application:a2", "role:own/Reader")),
        Just(given("application:a2", "role:neo/Neo Dev")),
    ];
    prop_oneof![
        (who(), what).prop_map(move |(to, what)| vec![
            told(grant(what, to)),
            set("subaccount:n1", 11),
            told(collection),
            told(grant(given("subaccount:n1", "Admins"), to)),
            set("subaccount:n1", 10),
        ]),
        who().prop_map(move |to| vec![
            told(grant(given("subaccount:s1", "Admins"), to)),
            told(grant(given("subaccount:s1", "Custom"), to)),
            set("subaccount:s1", 10),
            told(Draft::CreateRole(0)),
            set("subaccount:s1", 11),
        ]),
    ]
    .boxed()
}

/// Somebody is given what leads to more, and another catalogue gives other things
fn steps() -> BoxedStrategy<Vec<Told>> {
    let who = || skewed(world::PRINCIPALS.len());
    let what = prop_oneof![
        3 => Just(given("global-account:g", "Admins")),
        2 => Just(given("directory:d1", "Admins")),
        2 => Just(given("subaccount:n1", "role:neo/Administrator")),
        1 => Just(given("cf-org:o1", "role:cf/Org Manager")),
        1 => Just(given("subaccount:s1", "Admins")),
    ];
    (what, who(), 0..world::CATALOGS)
        .prop_map(|(what, to, catalog)| {
            let directory = numbered("directory:d1");
            vec![
                (None, Body::Publish(0)),
                told(grant(what, to)),
                told(Draft::SetLevel { level: directory, attributes: 1 }),
                (None, Body::Publish(catalog)),
                (None, Body::Publish(0)),
            ]
        })
        .boxed()
}

/// What was held is not, for hours and for less
fn sessions() -> BoxedStrategy<Vec<Told>> {
    let what = skewed(world::GRANTS_LAWFUL);
    (what, skewed(world::PRINCIPALS.len()), 1..4_i64)
        .prop_map(|(what, to, ticks)| {
            let expect = Some(tenure_core::RevokeExpects::Any);
            vec![
                told(grant(what, to)),
                told(Draft::Revoke { what, from: to, expect }),
                told(Draft::Grant { what, to, until: Until::Ticks(ticks), expect: None }),
                told(Draft::SetLevel { level: numbered("subaccount:s1"), attributes: 3 }),
            ]
        })
        .boxed()
}
