//! What does the upgrade from feature set A to B do?
//!
//! It happens in one night and in one message, as SAP documents it. Members of the global account become its
//! administrators and administrators of every subaccount. Security administrators become administrators of their
//! subaccounts. A user that manages an org or a space, or develops in a space, becomes Connectivity and Destination
//! Administrator of the subaccount, unless that user administers the subaccount. The roles of Cloud Foundry stay.
//! Source: SAP Help, "Upgrade to Feature Set B"; `feature_set_upgrade_A_to_B` of the domain's facts.

use std::collections::BTreeSet;

use tenure_wire::v1::{Change, FeatureSet};

use crate::cast::UPGRADER;
use crate::change::{Granted, collection, grant, revoke, role, set_feature_set};
use crate::company::Company;
use crate::estate::{APPS, GLOBAL_ACCOUNT, PLATFORM, SANDBOX, Stage};
use crate::model::Model;

const REASON: &str = "Upgrade of the global account to feature set B";

/// Upgrades the global account
pub(crate) fn run(company: &mut Company) {
    company.desk.wait_for(4, 0);
    let mut subaccounts: Vec<(String, Vec<String>)> = Vec::new();
    for app in APPS {
        for stage in Stage::ALL {
            let below = vec![app.org(stage), app.space(stage)];
            subaccounts.push((app.subaccount(stage), below));
        }
    }
    subaccounts.push((PLATFORM.to_owned(), Vec::new()));
    let sandbox = ["cf-org:sandbox", "cf-space:sandbox-play"].map(str::to_owned);
    subaccounts.push((SANDBOX.to_owned(), sandbox.into()));

    company.desk.together(|desk| {
        let member = role("Global Account Member");
        let members = holders(desk.model(), &member, GLOBAL_ACCOUNT);
        let mut changes: Vec<Change> =
            members.iter().map(|user| revoke(&member, GLOBAL_ACCOUNT, user)).collect();
        changes.push(set_feature_set(GLOBAL_ACCOUNT, FeatureSet::B));
        let administrator = collection("Global Account Administrator");
        changes.extend(members.iter().map(|user| grant(&administrator, GLOBAL_ACCOUNT, user)));
        desk.file(UPGRADER, REASON, changes);
        for (subaccount, below) in &subaccounts {
            let changes = of_subaccount(desk.model(), &members, subaccount, below);
            desk.file(UPGRADER, REASON, changes);
        }
    });
}

fn of_subaccount(
    model: &Model,
    members: &BTreeSet<String>,
    subaccount: &str,
    below: &[String],
) -> Vec<Change> {
    let security = role("Security Administrator");
    let security_administrators = holders(model, &security, subaccount);
    let mut changes: Vec<Change> =
        security_administrators.iter().map(|user| revoke(&security, subaccount, user)).collect();
    let administrators: BTreeSet<&String> = members.union(&security_administrators).collect();
    let administrator = collection("Subaccount Administrator");
    changes.extend(administrators.iter().map(|user| grant(&administrator, subaccount, user)));

    let connectivity = collection("Connectivity and Destination Administrator");
    let mut platform_users = BTreeSet::new();
    for level in below {
        for name in ["Org Manager", "Space Manager", "Space Developer"] {
            platform_users.extend(holders(model, &role(name), level));
        }
    }
    let others = platform_users.iter().filter(|user| !administrators.contains(user));
    changes.extend(others.map(|user| grant(&connectivity, subaccount, user)));
    changes
}

/// The principals that hold a role at a level, with or without an end
fn holders(model: &Model, role: &Granted, level: &str) -> BTreeSet<String> {
    let held = model.held_at(level).filter(|key| key.granted == *role);
    held.map(|key| key.principal.clone()).collect()
}
