//! What becomes of an old subaccount in Neo?
//!
//! The portal of the staff runs in Neo. Its pages are protected by permissions, and the roles that give them go to groups
//! whose members the identity provider's assertions make. In the end it moves to the multi-environment.

use tenure_core::RefusalCode;
use tenure_wire::v1::{Environment, Rule};

use crate::calendar::day as date;
use crate::cast::{BEATRIZ, INGRID, LUKAS, MAREK, PRIYA, SCIM};
use crate::change::{
    add_member, collection, create, create_in_neo, create_role, delete_permission, equals,
    everyone, grant, remove_member, remove_principal, revoke, role, set_environment,
    set_permission, set_role_provider, set_rule,
};
use crate::company::{Company, Scene};
use crate::estate::GLOBAL_ACCOUNT;

/// The subaccount of the portal
pub(crate) const PEOPLE_PORTAL: &str = "subaccount:people-portal";
/// The portal, an HTML5 application
pub(crate) const STAFF_PORTAL: &str = "application:staff-portal";
/// What the company gives its staff, a Java application
const BENEFITS: &str = "application:benefits";

/// The origin of the applications' users
const CORP: &str = "corp-idp";
const STAFF: &str = "group:neo.people-portal/staff";
const PAYROLL: &str = "group:neo.people-portal/payroll";
const IN_PAYROLL: &str = "attribute:corp-idp/department=Payroll";
const IN_FINANCE: &str = "attribute:corp-idp/costcenter=4711";

const SCENES: [Scene; 6] = [
    (date(2023, 8, 21), portal),
    (date(2023, 9, 4), assertions),
    (date(2024, 1, 30), a_permission_that_is_not_there),
    (date(2024, 10, 1), benefits_elsewhere),
    (date(2025, 6, 10), payroll_moves),
    (date(2026, 3, 2), migration),
];

/// Makes the changes of today
pub(crate) fn day(company: &mut Company) {
    let today = company.desk.today();
    for (when, scene) in SCENES {
        if when == today {
            company.desk.wait_for(9, 0);
            scene(company);
        }
    }
}

fn portal(company: &mut Company) {
    let clerk = role("Payroll Clerk");
    let rule = Rule {
        any_of: Some(vec![equals("department", "Payroll"), equals("costcenter", "4711")]),
        ..Rule::default()
    };
    let changes = vec![
        create_in_neo(PEOPLE_PORTAL, GLOBAL_ACCOUNT, "People Portal", CORP),
        create(STAFF_PORTAL, PEOPLE_PORTAL, "Staff Portal"),
        create(BENEFITS, PEOPLE_PORTAL, "Benefits"),
        grant(&role("neo/Administrator"), PEOPLE_PORTAL, INGRID),
        grant(&role("neo/Cloud Connector Admin"), PEOPLE_PORTAL, MAREK),
        create_role(PEOPLE_PORTAL, "Payroll Clerk", "staff-portal", &[]),
        create_role(BENEFITS, "Approver", "benefits", &[]),
        set_rule(STAFF, CORP, everyone()),
        set_rule(PAYROLL, CORP, rule),
        grant(&clerk, PEOPLE_PORTAL, PAYROLL),
        grant(&role("Approver"), BENEFITS, BEATRIZ),
        set_permission(STAFF_PORTAL, "Read News", &["Everyone"], "/news"),
        set_permission(STAFF_PORTAL, "Run Payroll", &["Payroll Clerk"], "/payroll"),
        set_permission(STAFF_PORTAL, "Administrate", &[], "/admin"),
    ];
    company.desk.file(
        INGRID,
        "The People Portal, which still runs in Neo, joins the ledger",
        changes,
    );
}

/// What the identity provider asserts of people
fn assertions(company: &mut Company) {
    let changes = vec![add_member(IN_PAYROLL, BEATRIZ), add_member(IN_FINANCE, PRIYA)];
    company.desk.file(SCIM, "attributes of users", changes);
}

fn a_permission_that_is_not_there(company: &mut Company) {
    let changes = vec![delete_permission(STAFF_PORTAL, "Read Archive")];
    let reason = company.ticketed("REQ", "the archive is gone, and so may its permission");
    company.desk.attempt(MAREK, &reason, changes, RefusalCode::UnknownPermission);
}

fn benefits_elsewhere(company: &mut Company) {
    let changes = vec![set_role_provider(BENEFITS, "successfactors")];
    company.desk.file(INGRID, "Benefits takes its roles from SAP SuccessFactors", changes);
}

fn payroll_moves(company: &mut Company) {
    let changes = vec![remove_member(IN_FINANCE, PRIYA), add_member(IN_PAYROLL, LUKAS)];
    company.desk.file(SCIM, "attributes of users", changes);
}

/// Whoever was a platform member gets what SAP's table of the migration says
fn migration(company: &mut Company) {
    let members = [
        ("neo/Administrator", "Subaccount Administrator", INGRID),
        ("neo/Cloud Connector Admin", "Cloud Connector Administrator", MAREK),
    ];
    let mut changes = vec![set_environment(PEOPLE_PORTAL, Environment::Multi)];
    for (_, now, who) in members {
        changes.push(grant(&collection(now), PEOPLE_PORTAL, who));
    }
    for (then, _, who) in members {
        changes.push(revoke(&role(then), PEOPLE_PORTAL, who));
    }
    changes.extend([remove_principal(PAYROLL), remove_principal(STAFF)]);
    company.desk.file(INGRID, "The People Portal moves to the multi-environment", changes);
}
