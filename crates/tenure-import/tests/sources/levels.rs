//! Hierarchies and listings become levels created, moved, renamed and deleted

use serde_json::json;

use crate::scenario::{Scenario, directory, hierarchy, subaccount};

const SUB: &str = "subaccount:sub-1";

#[test]
fn a_level_begins_when_it_was_created_but_not_before_its_parent() {
    let mut scenario = Scenario::new();
    // Created before the directory that it is first seen in: it must have been moved there.
    let old = subaccount("sub-9", "dir-1", json!({"createdDate": "Jan 3, 2026, 1:00:00 AM"}));
    let managed = directory("dir-1", true, json!({"subaccounts": [old]}));
    scenario.hierarchy("10:00:00", hierarchy(json!([managed]), json!([])));
    let summary = scenario.run();
    assert_eq!(summary.entries.applied, 3);
    let times: Vec<_> = scenario.changes().into_iter().map(|(time, _)| time).collect();
    assert_eq!(times, ["2026-01-02T03:04:05Z", "2026-01-15T12:00:00Z", "2026-01-15T12:00:00Z"]);
    let rows = scenario.levels("10:00:00");
    assert_eq!(rows[0].level, "directory:dir-1");
    assert_eq!(
        (rows[0].attributes.authorizations, rows[0].attributes.name.as_deref()),
        (Some(true), Some("dir-1"))
    );
    assert_eq!(rows[2].parent.as_deref(), Some("directory:dir-1"));
    assert_eq!(rows[2].attributes.region.as_deref(), Some("xx10"));
}

#[test]
fn dates_in_milliseconds_are_dates_too() {
    let mut scenario = Scenario::landscape();
    let body = subaccount("sub-3", "ga-1", json!({"createdDate": 1_772_355_600_000_i64}));
    let params = json!({"globalAccount": "acme", "subaccount": "sub-3"});
    scenario.done("10:00:00", "accounts/subaccount update", params, body);
    scenario.run();
    assert_eq!(scenario.changes().last().unwrap().0, "2026-03-01T09:00:00Z");
}

#[test]
fn what_a_complete_listing_lacks_is_gone_and_what_a_partial_one_lacks_is_not() {
    let mut scenario = Scenario::landscape();
    let one = json!({"value": [subaccount("sub-2", "dir-1", json!({}))]});
    let filtered = json!({"globalAccount": "acme", "labelsFilter": "x"});
    scenario.done("10:00:00", "accounts/subaccount list", filtered, one.clone());
    let whole = json!({"globalAccount": "acme"});
    scenario.done("11:00:00", "accounts/subaccount list", whole, one);
    scenario.run();
    assert!(scenario.level_names("10:59:59").contains(&SUB.to_owned()));
    assert_eq!(
        scenario.level_names("11:00:00"),
        ["directory:dir-1", "global-account:ga-1", "subaccount:sub-2"],
    );
}

#[test]
fn a_directory_goes_with_all_that_is_in_it() {
    let mut scenario = Scenario::landscape();
    let sub = json!([subaccount("sub-1", "ga-1", json!({}))]);
    scenario.hierarchy("10:00:00", hierarchy(json!([]), sub));
    scenario.run();
    assert_eq!(scenario.level_names("10:00:00"), ["global-account:ga-1", SUB]);
    assert_eq!(scenario.changes_of("delete_level").len(), 1);
}

#[test]
fn a_level_is_gone_when_it_is_not_found_and_not_when_its_deletion_is_asked_for() {
    let mut scenario = Scenario::landscape();
    let params = json!({"globalAccount": "acme", "subaccount": "sub-1"});
    let dying = subaccount("sub-1", "ga-1", json!({"state": "DELETING"}));
    scenario.done("10:00:00", "accounts/subaccount delete", params.clone(), dying.clone());
    scenario.done("10:00:05", "accounts/subaccount get", params.clone(), dying.clone());
    scenario.failed("10:00:10", "accounts/subaccount get", params, "404");
    // A listing that lags behind does not bring it back.
    let late = json!({"value": [dying, subaccount("sub-2", "dir-1", json!({}))]});
    scenario.done("10:00:15", "accounts/subaccount list", json!({"globalAccount": "acme"}), late);
    let summary = scenario.run();
    let gone = scenario.changes_of("delete_level");
    assert_eq!(gone[0].0, "2026-03-01T10:00:10Z");
    assert!(!scenario.level_names("10:00:15").contains(&SUB.to_owned()));
    assert_eq!(summary.passed_over["a level that is gone is still shown as being deleted"], 1);
}

#[test]
fn an_accepted_deletion_that_nothing_follows_holds_at_once() {
    let mut scenario = Scenario::landscape();
    let params = json!({"globalAccount": "acme", "subaccount": "sub-1"});
    let dying = subaccount("sub-1", "ga-1", json!({"state": "DELETING"}));
    scenario.done("10:00:00", "accounts/subaccount delete", params, dying);
    scenario.run();
    assert!(!scenario.level_names("10:00:00").contains(&SUB.to_owned()));
}

#[test]
fn a_deletion_that_is_announced_changes_nothing() {
    let mut scenario = Scenario::landscape();
    let pending = json!({"contractStatus": "PENDING_FORCED_DELETION",
                         "forceDeleteTargetTime": "Mar 8, 2026, 1:00:00 AM"});
    let params = json!({"subaccount": "sub-1"});
    let body = subaccount("sub-1", "ga-1", pending);
    scenario.done("10:00:00", "accounts/subaccount get", params.clone(), body.clone());
    scenario.done("10:00:05", "accounts/subaccount restore", params, body);
    let summary = scenario.run();
    assert_eq!(summary.entries.applied, 4);
}

#[test]
fn a_level_that_comes_after_a_listing_without_it_begins_after_that_listing() {
    let mut scenario = Scenario::landscape();
    let body = subaccount("sub-3", "ga-1", json!({"createdDate": "Jan 20, 2026, 1:00:00 AM"}));
    let params = json!({"globalAccount": "acme", "subaccount": "sub-3"});
    scenario.done("10:00:00", "accounts/subaccount get", params, body);
    scenario.run();
    assert_eq!(scenario.changes().last().unwrap().0, "2026-03-01T00:00:01.000001Z");
}

#[test]
fn moves_names_and_features_change_from_the_observation_on() {
    let mut scenario = Scenario::landscape();
    let params = json!({"globalAccount": "acme", "subaccount": "sub-1"});
    let body = subaccount(
        "sub-1",
        "dir-1",
        json!({"displayName": "Renamed",
        "lastModifiedBy": "Ada@Acme.test"}),
    );
    scenario.done("10:00:00", "accounts/subaccount update", params, body);
    let params = json!({"globalAccount": "acme", "directoryID": "dir-1"});
    let plain = directory("dir-1", false, json!({}));
    scenario.done("11:00:00", "accounts/directory get", params, plain);
    scenario.run();
    let of = |time: &str, level: &str| {
        scenario.levels(time).into_iter().find(|row| row.level == level).unwrap()
    };
    assert_eq!(of("09:59:59", SUB).parent.as_deref(), Some("global-account:ga-1"));
    assert_eq!(of("10:00:00", SUB).parent.as_deref(), Some("directory:dir-1"));
    assert_eq!(of("10:00:00", SUB).attributes.name.as_deref(), Some("Renamed"));
    assert_eq!(of("10:59:59", "directory:dir-1").attributes.authorizations, Some(true));
    assert_eq!(of("11:00:00", "directory:dir-1").attributes.authorizations, Some(false));
    let renamed = scenario.memory.log().find(|(entry, _)| entry.actor.starts_with("user:"));
    assert_eq!(renamed.unwrap().0.actor, "user:sap.default/ada@acme.test");
}

#[test]
fn a_level_that_is_used_before_it_is_listed_is_described_by_what_comes_later() {
    let mut scenario = Scenario::new();
    let params = json!({"subaccount": "sub-1", "roleCollectionName": "Subaccount Viewer",
                        "userName": "ada@acme.test", "origin": "ldap"});
    scenario.done("09:00:00", "security/role-collection assign", params, json!(""));
    let later = Scenario::landscape().lines.remove(0).replace("00:00:01", "10:00:00");
    scenario.lines.push(later);
    let summary = scenario.run();
    assert_eq!(summary.passed_over.len(), 0);
    let held = scenario.held("user:sap.default/ada@acme.test", SUB, "09:00:00");
    assert_eq!(held, ["Subaccount Viewer"]);
}

#[test]
fn parents_that_nothing_describes_are_known_by_their_names() {
    let mut scenario = Scenario::new();
    let inner = json!({"value": [subaccount("sub-7", "dir-7", json!({}))]});
    scenario.done("10:00:00", "accounts/subaccount list", json!({"globalAccount": "acme"}), inner);
    scenario.run();
    assert_eq!(
        scenario.level_names("10:00:00"),
        ["directory:dir-7", "global-account:ga-1", "subaccount:sub-7"],
    );
}

#[test]
fn a_file_that_follows_another_goes_on_from_what_the_ledger_has() {
    let mut scenario = Scenario::landscape();
    scenario.run();
    scenario.lines.clear();
    let renamed = subaccount("sub-1", "ga-1", json!({"displayName": "Renamed"}));
    scenario.hierarchy("12:00:00", hierarchy(json!([]), json!([renamed])));
    let summary = scenario.run();
    assert_eq!(summary.entries.changes["set_level"], 1);
    assert_eq!(summary.entries.changes["delete_level"], 1);
    assert_eq!(summary.entries.applied, 2);
}
