//! Assignments become grants and revokes, and whoever is seen to hold something is compared

use serde_json::{Value, json};

use crate::scenario::{Scenario, user};

const SUB: &str = "subaccount:sub-1";
const ADA: &str = "user:sap.default/ada@acme.test";
const VIEWER: &str = "Subaccount Viewer";

fn assign(scenario: &mut Scenario, time: &str, verb: &str, name: &str, body: Value) {
    let params = json!({"subaccount": "sub-1", "roleCollectionName": name, "origin": "ldap",
                        "userName": "Ada@Acme.test", "createUserIfMissing": "true"});
    scenario.done(time, &format!("security/role-collection {verb}"), params, body);
}

fn see(scenario: &mut Scenario, time: &str, version: u64, collections: &[&str]) {
    let params = json!({"subaccount": "sub-1", "origin": "ldap", "userName": "ADA@acme.test"});
    scenario.done(time, "security/user get", params, user("sap.default", version, collections));
}

#[test]
fn users_are_granted_and_revoked_at_the_second_whether_or_not_they_held() {
    let mut scenario = Scenario::landscape();
    assign(&mut scenario, "09:00:00", "unassign", VIEWER, user("sap.default", 1, &[]));
    assign(&mut scenario, "10:00:00", "assign", VIEWER, user("sap.default", 2, &[VIEWER]));
    assign(&mut scenario, "10:30:00", "assign", VIEWER, user("sap.default", 2, &[VIEWER]));
    see(&mut scenario, "10:45:00", 2, &[VIEWER]);
    assign(&mut scenario, "11:00:00", "unassign", VIEWER, user("sap.default", 3, &[]));
    let summary = scenario.run();
    assert_eq!(summary.drift, []);
    assert_eq!(summary.observations, 5);
    assert!(scenario.held(ADA, SUB, "09:59:59").is_empty());
    assert_eq!(scenario.held(ADA, SUB, "10:00:00"), [VIEWER]);
    assert!(scenario.held(ADA, SUB, "11:00:00").is_empty());
}

#[test]
fn a_global_account_is_named_by_its_subdomain() {
    let mut scenario = Scenario::landscape();
    let params = json!({"globalAccount": "acme", "origin": "corp-platform", "userName": "b@x.test",
                        "roleCollectionName": "Global Account Viewer"});
    scenario.done("10:00:00", "security/role-collection assign", params.clone(), json!(""));
    let mut other = params;
    other["globalAccount"] = json!("unheard-of");
    scenario.done("11:00:00", "security/role-collection assign", other, json!(""));
    let summary = scenario.run();
    let held = scenario.held("user:corp-platform/b@x.test", "global-account:ga-1", "10:00:00");
    assert_eq!(held, ["Global Account Viewer"]);
    assert_eq!(summary.passed_over.values().sum::<u64>(), 1, "{:?}", summary.passed_over);
}

#[test]
fn groups_and_attribute_values_are_sets_of_their_origin() {
    let mut scenario = Scenario::landscape();
    let mapped = |more: Value| {
        let mut params = json!({"subaccount": "sub-1", "roleCollectionName": VIEWER,
                                "origin": "corp"});
        crate::scenario::merge(&mut params, more);
        params
    };
    let assign = "security/role-collection assign";
    scenario.done("10:00:00", assign, mapped(json!({"group": "Blue"})), json!(""));
    let department = json!({"attribute": "department", "attributeValue": "42"});
    scenario.done("10:00:01", assign, mapped(department.clone()), json!(""));
    let gone = json!({"roleCollectionName": VIEWER, "samlAttrName": "department",
                      "samlAttrValue": "42"});
    scenario.done("11:00:00", "security/role-collection unassign", mapped(department), gone);
    scenario.run();
    assert_eq!(scenario.held("group:corp/Blue", SUB, "11:00:00"), [VIEWER]);
    assert_eq!(scenario.held("attribute:corp/department=42", SUB, "10:59:59"), [VIEWER]);
    assert!(scenario.held("attribute:corp/department=42", SUB, "11:00:00").is_empty());
}

#[test]
fn drift_is_reported_again_until_it_is_reconciled() {
    let mut scenario = Scenario::landscape();
    assign(&mut scenario, "09:00:00", "assign", VIEWER, user("sap.default", 4, &[VIEWER]));
    see(&mut scenario, "10:00:00", 4, &[VIEWER]);
    see(&mut scenario, "11:00:00", 7, &["Destination Administrator"]);
    see(&mut scenario, "12:00:00", 7, &["Destination Administrator"]);
    let summary = scenario.run();
    assert_eq!(summary.drift.len(), 2);
    let first = &summary.drift[0];
    assert_eq!((first.place.number, first.on.as_str(), first.principal.as_str()), (4, SUB, ADA));
    assert_eq!(first.missing, ["Destination Administrator"]);
    assert_eq!(first.unexpected, [VIEWER]);
    assert_eq!(first.because, "the user was changed 3 times unobserved since line 3");
    assert!(!first.reconciled);
    assert_eq!(scenario.held(ADA, SUB, "12:00:00"), [VIEWER]);

    let summary = scenario.reconcile();
    assert_eq!(summary.drift.len(), 1, "{:?}", summary.drift);
    assert!(summary.drift[0].reconciled);
    assert_eq!(scenario.held(ADA, SUB, "10:59:59"), [VIEWER]);
    assert_eq!(scenario.held(ADA, SUB, "11:00:00"), ["Destination Administrator"]);
    let (entry, _) = scenario.memory.log().filter(|(_, r)| r.outcome == "applied").last().unwrap();
    let reason = entry.reason.clone().unwrap();
    assert!(reason.contains("security/user get` at 2026-03-01T11:00:00Z"), "{reason}");

    assert_eq!(scenario.run().drift, []);
}

#[test]
fn the_first_sight_of_a_user_can_be_drift_and_so_can_a_role_collection_nobody_defined() {
    let mut scenario = Scenario::landscape();
    see(&mut scenario, "10:00:00", 9, &[VIEWER, "Orders Clerk"]);
    let summary = scenario.reconcile();
    assert_eq!(summary.drift[0].missing, ["Orders Clerk", VIEWER]);
    assert_eq!(summary.drift[0].because, "the recording shows this user for the first time");
    assert_eq!(scenario.held(ADA, SUB, "10:00:00"), ["Orders Clerk", VIEWER]);
    assert_eq!(scenario.roles(SUB, "Orders Clerk", "10:00:00"), Some(vec![]));
}

#[test]
fn the_answer_to_an_assignment_shows_the_other_role_collections_too() {
    let mut scenario = Scenario::landscape();
    let after = user("sap.default", 5, &[VIEWER, "Destination Administrator"]);
    assign(&mut scenario, "10:00:00", "assign", VIEWER, after);
    let summary = scenario.run();
    assert_eq!(summary.drift[0].missing, ["Destination Administrator"]);
    assert!(summary.drift[0].unexpected.is_empty());
}

#[test]
fn at_one_second_the_order_of_the_recording_tells() {
    let mut scenario = Scenario::landscape();
    see(&mut scenario, "10:00:00", 1, &[]);
    assign(&mut scenario, "10:00:00", "assign", VIEWER, user("sap.default", 2, &[VIEWER]));
    see(&mut scenario, "10:00:00", 2, &[VIEWER]);
    assign(&mut scenario, "10:00:00", "unassign", VIEWER, user("sap.default", 3, &[]));
    see(&mut scenario, "10:00:00", 3, &[]);
    assert_eq!(scenario.run().drift, []);
    assert_eq!(scenario.reconcile().drift, []);
    assert!(scenario.held(ADA, SUB, "10:00:00").is_empty());
}

#[test]
fn a_user_that_is_gone_holds_nothing() {
    let mut scenario = Scenario::landscape();
    assign(&mut scenario, "09:00:00", "assign", VIEWER, json!(""));
    let params = json!({"subaccount": "sub-1", "origin": "ldap", "userName": "ada@acme.test"});
    scenario.failed("10:00:00", "security/user get", params, "404");
    let summary = scenario.reconcile();
    assert_eq!(summary.drift[0].unexpected, [VIEWER]);
    assert!(scenario.held(ADA, SUB, "10:00:00").is_empty());
}

#[test]
fn users_of_an_origin_that_are_not_listed_hold_nothing() {
    let mut scenario = Scenario::landscape();
    assign(&mut scenario, "09:00:00", "assign", VIEWER, json!(""));
    let list = |origin: &str| json!({"subaccount": "sub-1", "origin": origin});
    scenario.done("10:00:00", "security/user list", list("corp"), json!([]));
    scenario.done("10:00:01", "security/user list", list("ldap"), json!(["ADA@acme.test"]));
    scenario.done("11:00:00", "security/user list", list("ldap"), json!(["bob@acme.test"]));
    scenario.failed("12:00:00", "security/user list", list("nobody"), "404");
    let summary = scenario.run();
    assert_eq!(summary.drift.len(), 1);
    assert_eq!(
        (summary.drift[0].place.number, &summary.drift[0].unexpected[..]),
        (5, &[VIEWER.into()][..])
    );
}

#[test]
fn holders_of_a_role_collection_are_complete_only_on_a_single_page() {
    let mut scenario = Scenario::landscape();
    assign(&mut scenario, "09:00:00", "assign", VIEWER, json!(""));
    let page = |scenario: &mut Scenario, time: &str, pages: u64| {
        let params = json!({"subaccount": "sub-1", "roleCollectionName": VIEWER,
                            "showUserAssignments": "true", "page": "1"});
        let bob = json!({"username": "bob@acme.test", "origin": "corp"});
        let body = json!({"count": 1, "totalPages": pages, "items": [bob]});
        scenario.done(time, "security/role-collection get", params, body);
    };
    page(&mut scenario, "10:00:00", 2);
    page(&mut scenario, "11:00:00", 1);
    let summary = scenario.reconcile();
    let found: Vec<_> = summary
        .drift
        .iter()
        .map(|drift| (drift.place.number, drift.principal.as_str(), drift.missing.len()))
        .collect();
    assert_eq!(found, [(3, "user:corp/bob@acme.test", 1), (4, ADA, 0)]);
    assert!(scenario.held(ADA, SUB, "11:00:00").is_empty());
}

#[test]
fn mappings_are_of_the_origin_that_the_trust_list_of_the_zone_gives() {
    let mut scenario = Scenario::landscape();
    let trust = json!([{"name": "Corp", "originKey": "sap.custom",
                        "identityProvider": "login.corp.test"}]);
    let row = |name: &str, attribute: &str| {
        json!({"attributeName": attribute, "samlAttrName": "ignored", "attributeValue": "Blue",
               "idpDisplayName": name, "samlEntityId": "https://login.other.test"})
    };
    let params = json!({"subaccount": "sub-1", "roleCollectionName": VIEWER,
                        "showAttributeMappings": "true"});
    let body = json!({"name": VIEWER, "groupReferences": [row("Corp", "Groups")],
        "samlAttributeAssignment": [row("Corp", "Groups"), row("Corp", "team"), row("?", "team")]});
    scenario.done("10:00:00", "security/role-collection get", params, body);
    scenario.done("12:00:00", "security/trust list", json!({"subaccount": "sub-1"}), trust);
    let summary = scenario.reconcile();
    let found: Vec<_> = summary.drift.iter().map(|drift| drift.principal.as_str()).collect();
    assert_eq!(found, ["attribute:sap.custom/team=Blue", "group:sap.custom/Blue"]);
    assert_eq!(summary.passed_over.values().sum::<u64>(), 1, "{:?}", summary.passed_over);
    assert_eq!(scenario.held("group:sap.custom/Blue", SUB, "10:00:00"), [VIEWER]);
}

#[test]
fn whoever_made_himself_administrator_is_known_only_if_the_recording_says_who_asked() {
    let mut scenario = Scenario::landscape();
    let params = json!({"globalAccount": "acme", "subaccount": "sub-1", "addMeAsAdmin": "true"});
    scenario.done("10:00:00", "accounts/subaccount update", params.clone(), json!("done"));
    let mut known: Value = serde_json::from_str(scenario.lines.last().unwrap()).unwrap();
    known["actor"] = json!("Eve@acme.test");
    known["t"] = json!("2026-03-01T11:00:00Z");
    scenario.lines.push(known.to_string());
    let summary = scenario.run();
    assert_eq!(summary.passed_over.values().sum::<u64>(), 1, "{:?}", summary.passed_over);
    let eve = "user:sap.default/eve@acme.test";
    assert_eq!(scenario.held(eve, SUB, "11:00:00"), ["Subaccount Administrator"]);
    assert!(scenario.held(eve, SUB, "10:00:00").is_empty());
    assert!(scenario.memory.log().any(|(entry, _)| entry.actor == eve));
}

#[test]
fn what_nobody_ever_described_is_skipped_with_a_reason() {
    let mut scenario = Scenario::new();
    assign(&mut scenario, "10:00:00", "assign", VIEWER, json!(""));
    let summary = scenario.run();
    assert_eq!(summary.entries.sent, 0);
    assert_eq!(summary.passed_over["its level was never described, or is gone"], 1);
}
