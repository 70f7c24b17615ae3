//! Which attempts are refused?
//!
//! There is one attempt for every refusal that a well formed entry can get, by people and programs that mean well. In
//! addition, requests have typing errors by chance.

use tenure_core::RefusalCode;

use crate::calendar::day as date;
use crate::cast::{AYLIN, DRIFT, HR, INGRID, LENA, MAREK, PIPELINE, PORTAL, RAHUL, SOFIA, TOMASZ};
use crate::change::{
    collection, create, create_collection, create_role, grant, grant_first, grant_until,
    move_level, remove_principal, revoke, role, set_roles, void,
};
use crate::company::{Company, Scene};
use crate::estate::{
    GLOBAL_ACCOUNT, INVOICING, ORDERS, PLATFORM, PRICING, SHIPPING, Stage, Unit, WEBSHOP,
};

const SCENES: [Scene; 18] = [
    (date(2023, 8, 16), a_role_collection_too_early),
    (date(2023, 10, 4), an_org_twice),
    (date(2024, 3, 6), a_directory_that_does_not_manage),
    (date(2024, 3, 7), a_role_by_itself),
    (date(2024, 4, 16), a_role_collection_twice),
    (date(2024, 6, 12), what_sap_defines),
    (date(2024, 8, 20), a_subaccount_into_a_space),
    (date(2024, 10, 8), a_business_role_twice),
    (date(2024, 12, 3), an_end_before_the_start),
    (date(2025, 1, 15), nobody_leaves),
    (date(2025, 2, 18), held_already),
    (date(2025, 4, 15), an_entry_that_is_not_there),
    (date(2025, 7, 9), the_same_id),
    (date(2025, 8, 4), revoked_from_who_left),
    (date(2025, 9, 16), the_sandbox_is_gone),
    (date(2025, 12, 10), before_the_first_second),
    (date(2026, 1, 21), no_such_role),
    (date(2026, 2, 5), which_of_the_two),
];

/// Makes the attempts of today
pub(crate) fn day(company: &mut Company) {
    let today = company.desk.today();
    for (when, scene) in SCENES {
        if when == today {
            scene(company);
        }
    }
}

fn a_role_collection_too_early(company: &mut Company) {
    let changes =
        vec![grant(&collection("Subaccount Viewer"), &PRICING.subaccount(Stage::Dev), RAHUL)];
    let reason = company.ticketed("REQ", "as in the tutorial, which is for feature set B");
    company.desk.attempt(MAREK, &reason, changes, RefusalCode::UnknownRoleCollection);
}

fn an_org_twice(company: &mut Company) {
    let changes =
        vec![create(&ORDERS.org(Stage::Test), &ORDERS.subaccount(Stage::Test), "acme-orders-test")];
    company.desk.attempt(PIPELINE, "Set up Orders", changes, RefusalCode::LevelExists);
}

fn a_directory_that_does_not_manage(company: &mut Company) {
    let level = Unit::Commerce.directory();
    let changes = vec![grant(&collection("Directory Viewer"), &level, TOMASZ)];
    let reason = company.ticketed("REQ", "Tomasz Zielinski oversees commerce");
    company.desk.attempt(INGRID, &reason, changes, RefusalCode::NotAllowedHere);
}

fn a_role_by_itself(company: &mut Company) {
    let level = WEBSHOP.subaccount(Stage::Dev);
    let changes = vec![grant(&role("Destination Administrator"), &level, LENA)];
    let reason = company.ticketed("REQ", "only this role, please");
    company.desk.attempt(PORTAL, &reason, changes, RefusalCode::NotAllowedHere);
}

fn a_role_collection_twice(company: &mut Company) {
    let level = SHIPPING.subaccount(Stage::Prod);
    let changes = vec![create_collection(&level, "Subaccount Viewer", &["Destination Viewer"])];
    let reason = "A smaller Subaccount Viewer";
    company.desk.attempt(MAREK, reason, changes, RefusalCode::RoleCollectionExists);
}

fn what_sap_defines(company: &mut Company) {
    let level = ORDERS.subaccount(Stage::Prod);
    let changes = vec![set_roles(&level, "Subaccount Administrator", &["Subaccount Admin"])];
    let reason = "AUD-2024-09 administrators need no destinations";
    company.desk.attempt(AYLIN, reason, changes, RefusalCode::Predefined);
}

fn a_subaccount_into_a_space(company: &mut Company) {
    let changes = vec![move_level(PLATFORM, &ORDERS.org(Stage::Dev))];
    company.desk.attempt(PIPELINE, "Set up the platform", changes, RefusalCode::BadParent);
}

fn a_business_role_twice(company: &mut Company) {
    let level = INVOICING.subaccount(Stage::Prod);
    let changes = vec![create_role(&level, "Invoice Clerk", "acme-invoicing", &["Invoice.Edit"])];
    company.desk.attempt(PIPELINE, "Deploy Invoicing 4.0", changes, RefusalCode::RoleExists);
}

fn an_end_before_the_start(company: &mut Company) {
    let until = Some(date(2024, 12, 2).at(18, 0).text());
    let level = PRICING.space(Stage::Prod);
    let changes = vec![grant_until(&role("Space Developer"), &level, SOFIA, until)];
    let reason = company.ticketed("INC", "firefighter, typed in on the day after");
    company.desk.attempt(PORTAL, &reason, changes, RefusalCode::EmptyInterval);
}

fn nobody_leaves(company: &mut Company) {
    let changes = vec![remove_principal("user:corp-idp/a.n.other@acme.example")];
    let reason = "A. N. Other leaves the company";
    company.desk.attempt(HR, reason, changes, RefusalCode::UnknownPrincipal);
}

fn held_already(company: &mut Company) {
    let level = ORDERS.subaccount(Stage::Prod);
    let changes = vec![grant_first(&collection("Release Crew"), &level, RAHUL)];
    let reason = company.ticketed("REQ", "Rahul Menon releases Orders");
    company.desk.attempt(PORTAL, &reason, changes, RefusalCode::AlreadyHeld);
}

fn an_entry_that_is_not_there(company: &mut Company) {
    let changes =
        vec![void("00000000-0000-4000-8000-000000000000", "copied from the wrong ledger")];
    let reason = "AUD-2025-05 correction";
    company.desk.attempt(MAREK, reason, changes, RefusalCode::UnknownEntry);
}

fn the_same_id(company: &mut Company) {
    let level = PRICING.space(Stage::Dev);
    let changes = vec![grant(&role("Space Auditor"), &level, LENA)];
    let reason = company.ticketed("REQ", "Lena Hartmann helps Pricing");
    company.desk.file(PORTAL, &reason, changes);
    company.desk.reuse_id(&format!("{reason}, once more"));
}

fn revoked_from_who_left(company: &mut Company) {
    let changes = vec![revoke(&collection("Global Account Administrator"), GLOBAL_ACCOUNT, AYLIN)];
    let reason = "Aylin Kaya has left";
    company.desk.attempt(MAREK, reason, changes, RefusalCode::NotHeld);
}

fn the_sandbox_is_gone(company: &mut Company) {
    let changes = vec![grant(&collection("Subaccount Viewer"), crate::estate::SANDBOX, RAHUL)];
    let reason = company.ticketed("REQ", "Rahul Menon tries something out");
    company.desk.attempt(PORTAL, &reason, changes, RefusalCode::UnknownLevel);
}

fn before_the_first_second(company: &mut Company) {
    let level = ORDERS.space(Stage::Dev);
    let changes = vec![grant(&role("Space Auditor"), &level, LENA)];
    let never = "1969-12-31T23:59:59Z".to_owned();
    let reason = "Drift: an empty date, an hour west of 1970";
    company.desk.attempt_effective(DRIFT, reason, never, changes, RefusalCode::BadTime);
}

fn no_such_role(company: &mut Company) {
    let level = WEBSHOP.subaccount(Stage::Prod);
    let changes =
        vec![create_collection(&level, "Fragment Crew", &["Destination Fragment Keeper"])];
    let reason = company.ticketed("REQ", "keepers of fragments");
    company.desk.attempt(PORTAL, &reason, changes, RefusalCode::UnknownRole);
}

/// Since two days ago, two applications have a role of this name
fn which_of_the_two(company: &mut Company) {
    let level = ORDERS.subaccount(Stage::Prod);
    let changes = vec![create_collection(&level, "Audit Log Reader", &["Auditlog_Auditor"])];
    let reason = "AUD-2026-02 readers of the audit log";
    company.desk.attempt(MAREK, reason, changes, RefusalCode::AmbiguousRole);
}
