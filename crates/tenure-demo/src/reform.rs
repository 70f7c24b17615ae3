//! How does the structure of Acme change over the years?
//!
//! After the upgrade there are directories, findings of an audit, groups of the identity provider, a move and a
//! deletion.

use tenure_wire::v1::Change;

use crate::calendar::{Day, day as date};
use crate::cast::{AYLIN, CHIDI, HR, INGRID, MAREK, SCIM};
use crate::change::{
    add_member, collection, create, create_collection, delete_level, grant, manage_authorizations,
    move_level, remove_member, remove_principal, revoke, set_roles,
};
use crate::company::{Company, Scene};
use crate::estate::{
    APPS, GLOBAL_ACCOUNT, GROUPS, PAYMENTS, PLATFORM, READER, READERS, RETURNS, RETURNS_MOVE,
    SANDBOX, Stage, Unit,
};
use crate::model::Key;
use crate::staff::Post;

/// The day on which the sandbox is deleted
pub(crate) const SANDBOX_DELETION: Day = date(2025, 9, 12);

const CONNECTIVITY: &str = "Connectivity and Destination Administrator";
/// The role collections that operators have in production through their group
const OPERATIONS: [&str; 3] =
    ["Destination Administrator", "Cloud Connector Administrator", READER];
/// The role collections that developers have in development and test through their group
const DEVELOPMENT: [&str; 2] = [CONNECTIVITY, "Subaccount Viewer"];

const SCENES: [Scene; 13] = [
    (date(2024, 2, 19), auditors_look),
    (date(2024, 3, 4), directories),
    (date(2024, 3, 18), finance_manages_authorizations),
    (READERS, readers),
    (date(2024, 5, 14), findings),
    (date(2024, 7, 1), landscape_auditor),
    (GROUPS, groups),
    (date(2024, 9, 30), groups_replace_grants),
    (date(2025, 1, 27), everyone_visits),
    (RETURNS_MOVE, returns_moves),
    (date(2025, 7, 31), aylin_leaves),
    (SANDBOX_DELETION, sandbox_goes),
    (date(2026, 3, 16), readers_widened),
];

/// Makes the changes of today
pub(crate) fn day(company: &mut Company) {
    let today = company.desk.today();
    for (when, scene) in SCENES {
        if when == today {
            company.desk.wait_for(8, 30);
            scene(company);
        }
    }
}

fn production() -> impl Iterator<Item = String> {
    APPS.into_iter().map(|app| app.subaccount(Stage::Prod))
}

fn users(company: &Company, is: impl Fn(Post) -> bool) -> Vec<String> {
    let found = company.staff.iter().filter(|person| is(person.post));
    found.map(|person| person.user.clone()).collect()
}

fn auditors_look(company: &mut Company) {
    for user in users(company, |post| post == Post::Auditor) {
        let viewer = collection("Subaccount Viewer");
        let mut changes = vec![grant(&collection("Global Account Viewer"), GLOBAL_ACCOUNT, &user)];
        changes.extend(production().map(|level| grant(&viewer, &level, &user)));
        company.desk.file(MAREK, "AUD-2024-03 internal audit looks at production", changes);
    }
}

fn directories(company: &mut Company) {
    let today = company.desk.today();
    for unit in Unit::ALL {
        let directory = unit.directory();
        let mut changes = vec![create(&directory, GLOBAL_ACCOUNT, unit.name())];
        for app in unit.apps(today) {
            changes.extend(Stage::ALL.map(|stage| move_level(&app.subaccount(stage), &directory)));
        }
        company.desk.file(INGRID, "Directories by business unit", changes);
    }
}

fn finance_manages_authorizations(company: &mut Company) {
    let directory = Unit::Finance.directory();
    let administrator = company.lead_of(&PAYMENTS);
    let changes = vec![
        manage_authorizations(&directory),
        grant(&collection("Directory Administrator"), &directory, &administrator),
        grant(&collection("Directory Viewer"), &directory, CHIDI),
    ];
    company.desk.file(INGRID, "Finance manages its users itself", changes);
}

fn readers(company: &mut Company) {
    let roles = ["Subaccount Viewer", "Destination Viewer", "Cloud Connector Auditor"];
    let mut changes: Vec<Change> =
        production().map(|level| create_collection(&level, READER, &roles)).collect();
    for unit in Unit::ALL {
        let reader = collection(READER);
        for user in users(company, |post| post == Post::Operator(unit)) {
            let apps = unit.apps(company.desk.today());
            changes.extend(apps.map(|app| grant(&reader, &app.subaccount(Stage::Prod), &user)));
        }
    }
    company.desk.file(INGRID, "One role collection for reading in production", changes);
}

/// Takes back the grants that the upgrade gave too generously
fn findings(company: &mut Company) {
    let administrator = collection("Subaccount Administrator");
    let connectivity = collection(CONNECTIVITY);
    let mut entries = Vec::new();
    for app in APPS {
        let mut changes = Vec::new();
        for stage in Stage::ALL {
            let level = app.subaccount(stage);
            let excessive = |key: &&Key| {
                key.granted == administrator && [MAREK, AYLIN].contains(&key.principal.as_str())
                    || key.granted == connectivity && stage == Stage::Prod
            };
            let held = company.desk.model().held_at(&level).filter(excessive);
            changes.extend(held.map(|key| revoke(&key.granted, &key.level, &key.principal)));
        }
        entries.push(changes);
    }
    company.desk.together(|desk| {
        for changes in entries {
            desk.file(INGRID, "AUD-2024-07 take back what the upgrade gave to everybody", changes);
        }
    });
}

fn landscape_auditor(company: &mut Company) {
    let name = "Landscape Auditor";
    let roles = ["System Landscape Viewer", "User and Role Auditor"];
    let changes = vec![
        create_collection(GLOBAL_ACCOUNT, name, &roles),
        grant(&collection(name), GLOBAL_ACCOUNT, CHIDI),
    ];
    company.desk.file(INGRID, "AUD-2024-11 audit of the system landscape", changes);
}

fn groups(company: &mut Company) {
    let today = company.desk.today();
    for unit in Unit::ALL {
        let mut changes = Vec::new();
        for app in unit.apps(today) {
            let prod = app.subaccount(Stage::Prod);
            let operators = unit.operators();
            changes.extend(OPERATIONS.map(|name| grant(&collection(name), &prod, &operators)));
            for stage in [Stage::Dev, Stage::Test] {
                let (level, group) = (app.subaccount(stage), unit.developers());
                changes.extend(DEVELOPMENT.map(|name| grant(&collection(name), &level, &group)));
            }
        }
        let reason = format!("Groups of the identity provider for {}", unit.name());
        company.desk.file(INGRID, &reason, changes);
    }
    let mut members: Vec<Change> = Vec::new();
    for person in &company.staff {
        if !matches!(person.post, Post::Business(_)) {
            let sets = person.post.sets(today);
            members.extend(sets.iter().map(|set| add_member(set, &person.user)));
        }
    }
    company.desk.file(SCIM, "First synchronization of groups", members);
}

fn groups_replace_grants(company: &mut Company) {
    for unit in Unit::ALL {
        let mut changes = Vec::new();
        for app in unit.apps(company.desk.today()) {
            for stage in Stage::ALL {
                let level = app.subaccount(stage);
                let name = if stage == Stage::Prod { READER } else { CONNECTIVITY };
                let group = if stage == Stage::Prod { unit.operators() } else { unit.developers() };
                let replaced = |key: &&Key| {
                    key.level == level
                        && key.granted == collection(name)
                        && company.desk.model().sets_of(&key.principal).contains(&group)
                };
                let held = company.desk.model().endless().filter(replaced);
                changes.extend(held.map(|key| revoke(&key.granted, &key.level, &key.principal)));
            }
        }
        let reason = format!("{}: groups have replaced single grants", unit.name());
        company.desk.file(INGRID, &reason, changes);
    }
}

fn everyone_visits(company: &mut Company) {
    let name = "Service Catalogue Visitor";
    let changes = vec![
        create_collection(PLATFORM, name, &["Subaccount Viewer"]),
        grant(&collection(name), PLATFORM, "everyone:corp-idp"),
    ];
    company.desk.file(MAREK, "Everybody may look up what the platform offers", changes);
}

fn returns_moves(company: &mut Company) {
    let (old, new) = (Unit::Logistics, Unit::Commerce);
    let mut changes: Vec<Change> =
        Stage::ALL.map(|stage| move_level(&RETURNS.subaccount(stage), &new.directory())).into();
    for stage in Stage::ALL {
        let level = RETURNS.subaccount(stage);
        let (names, from, to): (&[&str], _, _) = match stage {
            Stage::Prod => (&OPERATIONS, old.operators(), new.operators()),
            Stage::Dev | Stage::Test => (&DEVELOPMENT, old.developers(), new.developers()),
        };
        for name in names {
            changes.push(revoke(&collection(name), &level, &from));
            changes.push(grant(&collection(name), &level, &to));
        }
    }
    company.desk.file(INGRID, "Returns goes from logistics to commerce", changes);
    let developers =
        users(company, |post| matches!(post, Post::Developer { app, .. } if app.id == RETURNS.id));
    let mut members = Vec::new();
    for user in developers {
        members.push(remove_member(&old.developers(), &user));
        members.push(add_member(&new.developers(), &user));
    }
    company.desk.file(SCIM, "Returns goes from logistics to commerce", members);
}

fn aylin_leaves(company: &mut Company) {
    company.desk.file(HR, "Aylin Kaya leaves the company", vec![remove_principal(AYLIN)]);
    company.staff.retain(|person| person.user != AYLIN);
}

fn sandbox_goes(company: &mut Company) {
    company.desk.file(INGRID, "The sandbox is given up", vec![delete_level(SANDBOX)]);
}

fn readers_widened(company: &mut Company) {
    let roles = [
        "Subaccount Viewer",
        "Destination Viewer",
        "Destination Fragment Viewer",
        "Cloud Connector Auditor",
    ];
    let changes = production().map(|level| set_roles(&level, READER, &roles)).collect();
    company.desk.file(INGRID, "Readers see fragments of destinations, too", changes);
}
