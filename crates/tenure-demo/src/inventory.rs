//! What does the ledger begin with?
//!
//! On one day in July 2023 the levels, and then the holdings of all people, are taken over from the cockpit. The
//! global account has feature set A.

use tenure_wire::v1::{Change, FeatureSet};

use crate::cast::{AYLIN, INGRID, MAREK, PIPELINE, SCIM};
use crate::change::{
    add_member, collection, create, create_collection, create_global_account, create_role,
    create_subaccount, grant, role,
};
use crate::company::Company;
use crate::estate::{APPS, App, GLOBAL_ACCOUNT, PLATFORM, SANDBOX, SERVICE_MANAGER, Stage, Unit};
use crate::names::user;
use crate::routine::key_until;
use crate::staff::{Person, Post, appointment};

/// Entries in a message of the inventory
const ENTRIES_PER_MESSAGE: usize = 50;
const REASON: &str = "Inventory of the cockpit";

/// Takes the inventory
pub(crate) fn take(company: &mut Company) {
    hire(company);
    company.desk.wait_for(9, 0);
    let root = vec![create_global_account(GLOBAL_ACCOUNT, "Acme", FeatureSet::A)];
    company.desk.file(INGRID, "The ledger begins", root);
    company.desk.together(|desk| {
        for app in APPS {
            desk.file(INGRID, REASON, levels(app));
        }
        desk.file(INGRID, REASON, shared_levels());
    });
    company.desk.together(|desk| {
        for app in APPS {
            desk.file(MAREK, REASON, business(app));
        }
    });
    let today = company.desk.today();
    let staff = company.staff.clone();
    for some in staff.chunks(ENTRIES_PER_MESSAGE) {
        company.desk.together(|desk| {
            for person in some {
                let grants = appointment(&person.user, person.post, today);
                if !grants.is_empty() {
                    desk.file(AYLIN, &format!("{REASON}: {}", person.name), grants);
                }
            }
        });
    }
    company.desk.together(|desk| {
        for app in APPS {
            let of_app = staff.iter().filter(|person| person.post == Post::Business(app));
            let members: Vec<Change> = of_app
                .flat_map(|person| {
                    person.post.sets(today).into_iter().map(|set| add_member(&set, &person.user))
                })
                .collect();
            desk.file(SCIM, "First synchronization of attributes", members);
        }
    });
    let until = key_until(today);
    company.desk.together(|desk| {
        for app in APPS {
            let Some(client) = app.client else { continue };
            let keys = [Stage::Test, Stage::Prod].map(|stage| {
                let key = role("Service Credentials");
                crate::change::grant_until(&key, &app.destination(stage), client, until.clone())
            });
            desk.file(INGRID, "Inventory of service keys", keys.into());
        }
        let plan = role("service-manager/subaccount-admin");
        let grants = vec![grant(&plan, SERVICE_MANAGER, PIPELINE)];
        desk.file(INGRID, "Inventory of service keys", grants);
    });
}

/// Hires the people outside the cast
fn hire(company: &mut Company) {
    let mut posts: Vec<Post> = Vec::new();
    for app in APPS {
        let cast_lead = company.staff.iter().any(|person| person.post == Post::Lead(app));
        if !cast_lead {
            posts.push(Post::Lead(app));
        }
        // The developers of Orders with production access are in the cast.
        let prod = |n: u32| n == 0 && !cast_lead;
        posts.extend((0..4).map(|n| Post::Developer { app, prod: prod(n) }));
        posts.extend((0..6).map(|_| Post::Business(app)));
    }
    // The operators of commerce are in the cast.
    let units = Unit::ALL.into_iter().filter(|unit| *unit != Unit::Commerce);
    posts.extend(units.flat_map(|unit| [Post::Operator(unit); 3]));
    posts.push(Post::Auditor);
    for post in posts {
        let name = company.names.next();
        let user = user("corp-idp", &name);
        company.staff.push(Person { user, name, post, since: None, cast: false });
    }
}

/// The levels of an application, stage by stage
fn levels(app: &App) -> Vec<Change> {
    let mut changes = Vec::new();
    for stage in Stage::ALL {
        let (subaccount, org, space) = (app.subaccount(stage), app.org(stage), app.space(stage));
        let title = format!("{} {}", app.title, stage.as_str());
        changes.push(create_subaccount(&subaccount, GLOBAL_ACCOUNT, &title));
        changes.push(create(&org, &subaccount, &format!("acme-{}-{}", app.id, stage.as_str())));
        changes.push(create(&space, &org, "app"));
        if app.client.is_some() && stage != Stage::Dev {
            changes.push(create(&app.destination(stage), &space, "destination"));
        }
    }
    changes
}

fn shared_levels() -> Vec<Change> {
    vec![
        create_subaccount(PLATFORM, GLOBAL_ACCOUNT, "Platform"),
        create(SERVICE_MANAGER, PLATFORM, "service-manager"),
        create_subaccount(SANDBOX, GLOBAL_ACCOUNT, "Sandbox"),
        create("cf-org:sandbox", SANDBOX, "acme-sandbox"),
        create("cf-space:sandbox-play", "cf-org:sandbox", "play"),
    ]
}

/// The changes that give an application's business users their role collection in production, through their
/// department
fn business(app: &App) -> Vec<Change> {
    let level = app.subaccount(Stage::Prod);
    let name = app.business;
    let scope = name.replace(' ', "");
    let scopes = [format!("{scope}.Display"), format!("{scope}.Edit")];
    let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    let application = format!("acme-{}", app.id);
    vec![
        create_role(&level, name, &application, &scopes),
        create_collection(&level, name, &[name]),
        grant(&collection(name), &level, &app.department()),
    ]
}
