//! Assignments become grants and revokes, and whoever is seen to hold something is compared

use serde_json::{Value, json};
use tenure_import::Options;

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
    assert_eq!((summary.left_out.total, summary.records.left_out), (1, 1), "{summary:#?}");
    assert!(summary.left_out.listed[0].problem.contains("unheard-of"));
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
fn the_first_sight_of_a_user_is_a_baseline_and_so_is_a_role_collection_nobody_defined() {
    let mut scenario = Scenario::landscape();
    see(&mut scenario, "10:00:00", 9, &[VIEWER, "Orders Clerk"]);
    see(&mut scenario, "11:00:00", 9, &[VIEWER, "Orders Clerk", "Destination Administrator"]);
    let summary = scenario.run();
    assert_eq!(summary.baseline, 2);
    assert_eq!(scenario.held(ADA, SUB, "09:59:59"), Vec::<String>::new());
    assert_eq!(scenario.held(ADA, SUB, "10:00:00"), ["Orders Clerk", VIEWER]);
    assert_eq!(scenario.roles(SUB, "Orders Clerk", "10:00:00"), Some(vec![]));
    // What is different the second time is drift.
    assert_eq!(summary.drift.len(), 1);
    assert_eq!(summary.drift[0].missing, ["Destination Administrator"]);
    assert_eq!(scenario.held(ADA, SUB, "11:00:00"), ["Orders Clerk", VIEWER]);
}

#[test]
fn only_compared_nothing_is_appended() {
    let mut scenario = Scenario::landscape();
    scenario.run();
    let before = scenario.memory.log().count();
    see(&mut scenario, "10:00:00", 9, &[VIEWER]);
    let options = Options { drift_only: true, reconcile: true, ..Options::default() };
    let summary = scenario.run_with(&options);
    assert_eq!(summary.drift.len(), 1, "{summary:#?}");
    assert_eq!(scenario.memory.log().count(), before);
}

#[test]
fn the_answer_to_an_assignment_shows_the_other_role_collections_too() {
    let mut scenario = Scenario::landscape();
    let after = user("sap.default", 5, &[VIEWER, "Destination Administrator"]);
    assign(&mut scenario, "10:00:00", "assign", VIEWER, after);
    let summary = scenario.run();
    assert_eq!((summary.baseline, summary.drift.len()), (1, 0));
    assert_eq!(scenario.held(ADA, SUB, "10:00:00"), ["Destination Administrator", VIEWER]);
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
fn all_pages_of_the_holders_of_a_role_collection_are_a_whole_listing() {
    let mut scenario = Scenario::landscape();
    assign(&mut scenario, "09:00:00", "assign", VIEWER, json!(""));
    let page = |scenario: &mut Scenario, time: &str, number: u64, name: &str| {
        let params = json!({"subaccount": "sub-1", "roleCollectionName": VIEWER,
                            "showUserAssignments": "true", "page": number.to_string()});
        let user = json!({"username": name, "origin": "corp"});
        let body = json!({"count": 1, "totalPages": 2, "items": [user]});
        scenario.done(time, "security/role-collection get", params, body);
    };
    page(&mut scenario, "10:00:00", 1, "bob@acme.test");
    let summary = scenario.reconcile();
    // One page of two says nothing of who is not on it.
    assert_eq!(scenario.held(ADA, SUB, "10:00:00"), [VIEWER]);
    assert_eq!((summary.drift.len(), summary.drift[0].missing.len()), (1, 1));
    page(&mut scenario, "10:00:01", 2, "cy@acme.test");
    let summary = scenario.reconcile();
    assert!(scenario.held(ADA, SUB, "10:00:01").is_empty(), "{:#?}", summary.drift);
    assert_eq!(scenario.held("user:corp/bob@acme.test", SUB, "10:00:01"), [VIEWER]);
    assert_eq!(scenario.held("user:corp/cy@acme.test", SUB, "10:00:01"), [VIEWER]);
}

#[test]
fn a_level_of_which_all_was_listed_is_observed_and_later_listings_say_since_when_at_the_earliest() {
    let mut scenario = Scenario::landscape();
    let zone = |more: Value| {
        let mut params = json!({"subaccount": "sub-1"});
        crate::scenario::merge(&mut params, more);
        params
    };
    let listing = |scenario: &mut Scenario, hour: &str, users: &[&str]| {
        let defined = json!([{"name": VIEWER, "isReadOnly": true}]);
        let list = "security/role-collection list";
        scenario.done(&format!("{hour}:00:00"), list, zone(json!({})), defined);
        let get = "security/role-collection get";
        let of = |what: &str| zone(json!({"roleCollectionName": VIEWER, what: "true"}));
        let users: Vec<_> =
            users.iter().map(|name| json!({"username": name, "origin": "corp"})).collect();
        let page = json!({"totalPages": 1, "items": users});
        scenario.done(&format!("{hour}:00:01"), get, of("showUserAssignments"), page);
        let mapped = json!({"name": VIEWER});
        scenario.done(&format!("{hour}:00:02"), get, of("showAttributeMappings"), mapped);
    };
    listing(&mut scenario, "10", &["a@acme.test"]);
    listing(&mut scenario, "12", &["b@acme.test"]);
    let summary = scenario.reconcile();
    assert_eq!((summary.baseline, summary.drift.len()), (1, 2), "{summary:#?}");
    let observed: Vec<_> = scenario.changes_of("observe");
    let moments: Vec<_> = observed.iter().map(|(time, _)| time.as_str()).collect();
    assert_eq!(moments, ["2026-03-01T10:00:02Z", "2026-03-01T12:00:02Z"]);
    let bound = |what: &str| {
        let mut log = scenario.memory.log();
        let entry = log.find(|(entry, _)| {
            entry.changes.iter().any(|change| {
                let change = serde_json::to_value(change).unwrap();
                change["type"] == what
                    && change.to_string().contains(if what == "grant" {
                        "b@acme"
                    } else {
                        "a@acme"
                    })
            })
        });
        entry.unwrap().0.not_before.clone()
    };
    assert_eq!(bound("grant").as_deref(), Some("2026-03-01T10:00:02Z"));
    assert_eq!(bound("revoke").as_deref(), Some("2026-03-01T10:00:02Z"));
    // A listing that is older than what is settled is reported, and nothing comes of it.
    let mut older = Scenario::new();
    std::mem::swap(&mut older.memory, &mut scenario.memory);
    listing(&mut older, "11", &["c@acme.test"]);
    let summary = older.reconcile();
    assert!(summary.drift.iter().all(|drift| !drift.reconciled), "{:#?}", summary.drift);
    assert!(summary.drift[0].because.contains("listed later"), "{:#?}", summary.drift);
    assert!(older.held("user:corp/c@acme.test", SUB, "13:00:00").is_empty());
}

#[test]
fn an_account_under_a_new_name_is_the_same_account() {
    let mut scenario = Scenario::landscape();
    let body = |name: &str, version: u64| {
        json!({"id": "b1", "username": name, "origin": "corp", "zoneId": "sub-1",
               "version": version, "roleCollections": [VIEWER]})
    };
    let params = |name: &str| {
        json!({"subaccount": "sub-1", "origin": "corp", "userName": name,
               "roleCollectionName": VIEWER})
    };
    let assign = "security/role-collection assign";
    scenario.done("10:00:00", assign, params("jane.miller"), body("jane.miller", 3));
    scenario.done("12:00:00", "security/user get", params("jane.smith"), body("jane.smith", 4));
    let summary = scenario.run();
    assert_eq!(summary.drift, []);
    assert_eq!(scenario.held("user:corp/jane.miller", SUB, "11:59:59"), [VIEWER]);
    assert!(scenario.held("user:corp/jane.miller", SUB, "12:00:00").is_empty());
    assert_eq!(scenario.held("user:corp/jane.smith", SUB, "12:00:00"), [VIEWER]);
    let applied = scenario.memory.log().filter(|(_, result)| result.outcome == "applied");
    assert_eq!(applied.filter(|(entry, _)| entry.changes.len() == 2).count(), 1);
}

#[test]
fn the_version_of_a_user_orders_what_has_one_time() {
    let mut scenario = Scenario::landscape();
    let body = |version: u64, held: &[&str]| {
        json!({"id": "b1", "username": "redacted", "origin": "ldap", "zoneId": "sub-1",
               "version": version, "roleCollections": held})
    };
    assign(&mut scenario, "10:00:00", "unassign", VIEWER, body(5, &[]));
    assign(&mut scenario, "10:00:00", "assign", VIEWER, body(4, &[VIEWER]));
    let summary = scenario.run();
    assert_eq!((summary.ties.total, summary.drift.len()), (0, 0), "{summary:#?}");
    assert!(scenario.held(ADA, SUB, "10:00:00").is_empty());
    // Without versions the order of the file counts, and that is said.
    let mut scenario = Scenario::landscape();
    assign(&mut scenario, "10:00:00", "unassign", VIEWER, json!(""));
    assign(&mut scenario, "10:00:00", "assign", VIEWER, json!(""));
    let summary = scenario.run();
    assert_eq!(summary.ties.total, 1);
    assert!(summary.is_incomplete());
    assert_eq!(scenario.held(ADA, SUB, "10:00:00"), [VIEWER]);
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
    let summary = scenario.run();
    assert_eq!((summary.baseline, summary.drift.len()), (2, 0), "{summary:#?}");
    assert_eq!(summary.left_out.total, 1);
    let problem = &summary.left_out.listed[0].problem;
    assert!(
        problem.contains("`team=Blue`") && problem.contains("list security/trust"),
        "{problem}"
    );
    assert_eq!(scenario.held("group:sap.custom/Blue", SUB, "10:00:00"), [VIEWER]);
    assert_eq!(scenario.held("attribute:sap.custom/team=Blue", SUB, "10:00:00"), [VIEWER]);
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
    assert!(summary.left_out.listed[0].problem.contains("the ledger has no `subaccount:sub-1`"));
}
