//! Who could have given itself a power, by whatever operations a catalogue has?
//!
//! Catalogues are drawn, on one small landscape in which each kind of level lies below another. Whoever was granted
//! something is asked about everywhere. The oracle tries every operation at every level until nothing is new.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any};
use proptest::prop_oneof;
use proptest::sample::{select, subsequence};

use tenure_core::answer::Answer;
use tenure_core::{
    Ability, Attributes, Catalog, CatalogDocument, Change, Direction, EffectiveAt, Environment,
    GivenRow, GivesRow, HeldRow, KnownAt, LeafRow, LevelKind, OperationRow, Principal, Question,
    Reading, Requirement, RoleCollectionRow, RoleRow, RoleText,
};
use tenure_tests::harness::{check, samples};
use tenure_tests::scenario::Scenario;
use tenure_tests::script::{Script, add, ask, create, fold, grant, hour, managing_directory};
use tenure_tests::{question, world};

const KINDS: [LevelKind; 7] = [
    LevelKind::GlobalAccount,
    LevelKind::Directory,
    LevelKind::Subaccount,
    LevelKind::CfOrg,
    LevelKind::CfSpace,
    LevelKind::ServiceInstance,
    LevelKind::Application,
];
/// Each below the one before it but for the last two, which are in Neo
const LEVELS: [&str; 9] = [
    "global-account:g",
    "directory:d1",
    "subaccount:s1",
    "cf-org:o1",
    "cf-space:p1",
    "service-instance:i1",
    "directory:d2",
    "subaccount:n1",
    "application:a1",
];
const ROLES: [&str; 5] = ["R0", "R1", "R2", "R3", "R4"];
const COLLECTIONS: [&str; 3] = ["C0", "C1", "C2"];
const OPERATIONS: [&str; 8] = ["o0", "o1", "o2", "o3", "o4", "o5", "o6", "o7"];
const HOLDERS: [&str; 3] = ["user:corp/alice@x", "group:corp/Admins", "client:corp/CI"];

fn kinds() -> impl Strategy<Value = Vec<LevelKind>> {
    prop_oneof![2 => subsequence(KINDS.to_vec(), 1..3), 1 => Just(KINDS.to_vec())]
}

fn leaf() -> impl Strategy<Value = Requirement<LeafRow>> {
    let held = prop_oneof![
        5 => select(&ROLES[..]).prop_map(|role| HeldRow::Role { role: role.into(), application: None }),
        1 => select(&COLLECTIONS[..]).prop_map(|name| HeldRow::RoleCollection(name.into())),
        1 => Just(HeldRow::Scope("scope".into())),
    ];
    let direction = prop_oneof![2 => Just(Direction::At), 1 => Just(Direction::Below)];
    (held, direction, kinds())
        .prop_map(|(held, direction, kinds)| Requirement::Leaf(LeafRow { held, direction, kinds }))
}

fn requirement() -> impl Strategy<Value = Requirement<LeafRow>> {
    let any_of = vec(leaf(), 1..3).prop_map(Requirement::AnyOf);
    let all_of = vec(leaf(), 2..3).prop_map(Requirement::AllOf);
    prop_oneof![4 => leaf(), 1 => any_of, 2 => all_of]
}

fn given() -> impl Strategy<Value = GivesRow> {
    let role = |text: &str| GivenRow::Role(RoleText::parse(text).unwrap());
    let what = prop_oneof![
        6 => select(&ROLES[..]).prop_map(role),
        // Nobody is given what is not granted alone.
        1 => Just(role("Listed")),
        2 => select(&COLLECTIONS[..]).prop_map(|name| GivenRow::RoleCollection(name.into())),
        1 => Just(GivenRow::AnyRoleCollection),
    ];
    (what, option::of(kinds())).prop_map(|(what, below)| GivesRow { what, below })
}

fn both() -> Option<Vec<Environment>> {
    Some(Environment::ALL.to_vec())
}

fn role(name: &str, grantable: bool, scopes: Option<&str>) -> RoleRow {
    RoleRow {
        role: name.into(),
        application: "app".into(),
        template: None,
        at: KINDS.to_vec(),
        feature_sets: None,
        environments: both(),
        scopes: scopes.map(|scope| vec![scope.into()]),
        grantable: grantable.then_some(true),
    }
}

fn catalogs() -> impl Strategy<Value = Arc<Catalog>> {
    let operation = (kinds(), requirement(), option::weighted(0.9, vec(given(), 1..3)));
    let operations = vec(operation, OPERATIONS.len());
    let lists = vec(subsequence(ROLES.to_vec(), 1..3), COLLECTIONS.len());
    (operations, lists).prop_map(|(operations, lists)| {
        let operations = OPERATIONS.iter().zip(operations);
        let operations = operations.map(|(id, (at, requires, mut gives))| {
            // A catalogue lists nothing twice.
            if let Some(gives) = &mut gives {
                gives.dedup();
            }
            OperationRow {
                operation: (*id).into(),
                title: None,
                at,
                feature_sets: None,
                environments: both(),
                requires,
                gives,
            }
        });
        let collections = COLLECTIONS.iter().zip(lists).map(|(name, roles)| RoleCollectionRow {
            role_collection: (*name).into(),
            at: KINDS.to_vec(),
            feature_sets: None,
            environments: both(),
            roles: roles.into_iter().chain(["Listed"]).map(Arc::from).collect(),
        });
        let mut roles =
            ROLES.map(|name| role(name, true, (name == "R4").then_some("scope"))).to_vec();
        roles.push(role("Listed", false, Some("scope")));
        let document = CatalogDocument {
            version: "drawn".into(),
            custom_role_collections: None,
            scope_aliases: None,
            roles,
            role_collections: collections.collect(),
            operations: operations.collect(),
        };
        Arc::new(Catalog::new(document).unwrap())
    })
}

/// The landscape, a catalogue and a few grants
fn scenarios() -> impl Strategy<Value = Scenario> {
    let granted = (select(&LEVELS[..]), select(&ROLES[..]), select(&HOLDERS[..]));
    (catalogs(), vec(granted, 1..6), any::<bool>()).prop_map(|(catalog, grants, member)| {
        let neo = Attributes { environment: Some(Environment::Neo), ..Attributes::default() };
        let n1 = Change::CreateLevel {
            level: world::level("subaccount:n1"),
            parent: Some(world::level("directory:d2")),
            attributes: neo,
        };
        let landscape = vec![
            create("global-account:g", None),
            managing_directory("directory:d1", "global-account:g"),
            create("subaccount:s1", Some("directory:d1")),
            create("cf-org:o1", Some("subaccount:s1")),
            create("cf-space:p1", Some("cf-org:o1")),
            create("service-instance:i1", Some("cf-space:p1")),
            create("directory:d2", Some("global-account:g")),
            n1,
            create("application:a1", Some("subaccount:n1")),
        ];
        let mut script = Script::new()
            .at(1, None, landscape)
            .at(1, None, vec![Change::PublishCatalog { catalog }])
            .at(1, None, vec![add("group:corp/Admins", "user:corp/alice@x")]);
        if !member {
            script = script.at(2, None, vec![tenure_tests::script::remove("group:corp/Admins")]);
        }
        for (level, role, to) in grants {
            script = script.at(2, None, vec![grant(level, &format!("role:{role}"), to)]);
        }
        script.scenario()
    })
}

/// Every question about the reading: each power at each level, and each of it anywhere
fn questions(scenario: &Scenario) -> Vec<Question> {
    let as_of = question::as_of(
        EffectiveAt::saturating_from_micros(hour(3)),
        KnownAt(scenario.log.len() as u64),
    );
    let reading = Reading::Latent;
    let abilities = OPERATIONS.iter().map(|id| Ability::Operation((*id).into()));
    let roles = ROLES.iter().map(|role| world::ability(&format!("role:{role}")));
    let mut questions = Vec::new();
    for can in abilities.chain(roles).map(tenure_core::Abilities::from) {
        let under = world::level(LEVELS[0]);
        let anywhere = can.clone();
        questions.push(Question::WhoAnywhere {
            can: anywhere,
            under,
            as_of,
            reading,
            explain: true,
        });
        for on in LEVELS.map(world::level) {
            let principal = world::principal(HOLDERS[questions.len() % HOLDERS.len()]);
            let (whoever, there) = (can.clone(), on.clone());
            let who = Question::Who { can: whoever, on: there, as_of, reading, explain: true };
            let can = can.clone();
            questions.extend([who, Question::Check { principal, can, on, as_of, reading }]);
        }
    }
    questions
}

#[test]
fn latent_powers_are_those_of_the_closure() {
    let test = "latent_powers_are_those_of_the_closure";
    check(test, 60, scenarios(), |scenario| {
        let (ledger, oracle) = fold(&scenario)?;
        questions(&scenario).iter().try_for_each(|one| ask(one, &ledger, &oracle))
    });
}

/// Chains of each length are met, some of whose operations only several things together allow.
#[test]
fn chains_of_steps_are_met() {
    let mut lengths: Vec<usize> = vec![0; 12];
    let mut subjects: BTreeSet<Principal> = BTreeSet::new();
    for scenario in samples(&scenarios(), 500) {
        let (ledger, _) = fold(&scenario).unwrap();
        for question in questions(&scenario) {
            let Ok(answered) = question::ask(&question, &ledger) else { continue };
            if let (Answer::Check(check), Question::Check { principal, .. }) =
                (answered.answer, question)
                && check.allowed
            {
                lengths[check.steps.len().min(11)] += 1;
                subjects.extend((check.steps.len() > 1).then_some(principal));
            }
        }
    }
    assert!(lengths[..4].iter().all(|count| *count > 10), "{lengths:?}");
    assert!(lengths[4..].iter().sum::<usize>() > 5, "{lengths:?}");
    assert_eq!(subjects.len(), HOLDERS.len(), "{subjects:?}");
}
