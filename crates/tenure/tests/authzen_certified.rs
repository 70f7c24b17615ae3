//! The ledger asked as the certification and the interoperability test of AuthZEN 1.0 ask, and as its page shows
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

#[expect(dead_code, reason = "a test uses a part of it")]
mod authzen_server;
mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use authzen_server::{
    ACTIONS, EPOCH, EVALUATION, EVALUATIONS, RESOURCES, SUBJECTS, Served, results, says_as_of,
    served,
};
use common::entry_at;
use serde_json::{Value, json};

/// A document of `tests/authzen`
fn data(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/authzen");
    serde_json::from_str(&fs::read_to_string(folder.join(name)).unwrap()).unwrap()
}

/// An application for each record, with single roles that each give one operation
fn records(
    operations: &[(&str, &str)],
    records: &[String],
    grants: &[(String, &str, String)],
) -> Served {
    let served = served("catalog = \"manual\"\nauthzen.resource-types.record = \"application\"");
    let roles: Vec<Value> = operations
        .iter()
        .map(|(role, _)| {
            json!({ "role": role, "application": "records", "at": ["application"], "grantable": true })
        })
        .collect();
    let defined: Vec<Value> = operations
        .iter()
        .map(|(role, operation)| {
            json!({ "operation": operation, "at": ["application"],
                "requires": { "role": role, "application": "records", "at": ["application"] } })
        })
        .collect();
    // A catalogue has role collections, and nothing here is given by one.
    let unused = json!({ "role_collection": "Unused", "at": ["application"],
        "roles": [format!("records/{}", operations[0].0)] });
    let catalog = json!({ "version": "records", "roles": roles, "role_collections": [unused],
        "operations": defined });
    let mut levels = vec![
        json!({ "type": "create_level", "level": "global-account:cert" }),
        json!({ "type": "create_level", "level": "subaccount:cert", "parent": "global-account:cert" }),
    ];
    levels.extend(records.iter().map(|record| {
        json!({ "type": "create_level", "level": format!("application:{record}"),
            "parent": "subaccount:cert" })
    }));
    let grants: Vec<Value> = grants
        .iter()
        .map(|(user, role, record)| {
            json!({ "type": "grant", "level": format!("application:{record}"), "role": role,
                "to": format!("user:sap.default/{user}") })
        })
        .collect();
    let publish = json!({ "type": "publish_catalog", "catalog": catalog });
    let mut entries = vec![entry_at(EPOCH, &[publish]), entry_at(EPOCH, &levels)];
    entries.extend(grants.chunks(200).map(|grants| entry_at(EPOCH, grants)));
    served.server.append(&entries);
    served
}

/// The fixture of the certification, as far as it needs no properties
fn certified() -> Served {
    let grant = |user: &str, role| (user.to_owned(), role, "record-1".to_owned());
    records(
        &[("reader", "read"), ("writer", "write"), ("deleter", "delete")],
        &["record-1".to_owned(), "record-2".to_owned()],
        &[grant("alice", "reader"), grant("alice", "writer"), grant("bob", "reader")],
    )
}
#[test]
fn the_certification_is_passed_but_for_properties() {
    let served = certified();
    let document = data("certification.json");
    let cases = document["cases"].as_array().unwrap();
    let (mut core, mut properties) = (0, 0);
    let mut next_token = Value::Null;
    let mut last = Value::Null;
    for case in cases {
        let (id, path) = (case["id"].as_str().unwrap(), case["path"].as_str().unwrap());
        let mut request = case["request"].clone();
        if request["page"]["token"].is_string() {
            request["page"]["token"] = next_token.clone();
        }
        let answer = served.server.post(path, &request);
        let found = answer.json();
        assert_eq!(answer.status, case["status"], "{id}: {found:#}");
        if answer.status != 200 {
            answer.is_problem(400, "bad_request", &[]);
            core += 1;
            continue;
        }
        if path == EVALUATION || found.get("decision").is_some() {
            assert!(found["decision"].is_boolean(), "{id}: {found:#}");
            says_as_of(&found);
        } else if path == EVALUATIONS {
            let known_at: BTreeSet<u64> =
                found["evaluations"].as_array().unwrap().iter().map(says_as_of).collect();
            assert_eq!(known_at.len(), 1, "{id}: {found:#}");
        } else {
            assert!(found["page"]["next_token"].is_string(), "{id}: {found:#}");
            says_as_of(&found);
        }
        if case["level"].as_str().unwrap().ends_with("Properties") {
            properties += 1;
            continue;
        }
        core += 1;
        match &case["body"] {
            // The results of the case before it, whatever else the context says.
            Value::Null => match id {
                "C-4-2-2" | "C-4-2-3" | "C-4-3-2" | "C-4-3-3" | "C-4-4-2" => {
                    assert_eq!(found["results"], last["results"], "{id}");
                }
                "C-4-5-1" => {
                    assert_eq!(results(&found).len(), 1, "{id}: {found:#}");
                    next_token = found["page"]["next_token"].clone();
                }
                "C-4-5-2" => {
                    assert_eq!(results(&found).len(), 1, "{id}: {found:#}");
                    assert!(results(&found).is_disjoint(&results(&last)), "{id}: {found:#}");
                    assert_eq!(found["page"]["next_token"], "", "{id}: {found:#}");
                }
                // The second evaluation lacks a resource, or is about one that nobody was given.
                "C-3-2-1" | "C-3-2-6" | "C-3-4-1" => {
                    assert_eq!(found["evaluations"][0]["decision"], true, "{id}: {found:#}");
                    assert_eq!(found["evaluations"][1]["decision"], false, "{id}: {found:#}");
                    assert_eq!(found["evaluations"].as_array().unwrap().len(), 2, "{id}");
                }
                other => panic!("nothing is expected of {other}"),
            },
            expected if expected.get("results").is_some() => {
                let (expected, found) = (results(expected), results(&found));
                match case["body_is"].as_str().unwrap() {
                    "exactly" => assert_eq!(found, expected, "{id}"),
                    _ => assert!(found.is_superset(&expected), "{id}: {found:#?}"),
                }
            }
            expected if expected.get("evaluations").is_some() => {
                let decisions = |answer: &Value| -> Vec<Value> {
                    let each = answer["evaluations"].as_array().unwrap().iter();
                    each.map(|one| one["decision"].clone()).collect()
                };
                assert_eq!(decisions(&found), decisions(expected), "{id}");
            }
            expected => {
                assert_eq!(found["decision"], expected["decision"], "{id}: {found:#}");
                assert!(found.get("evaluations").is_none(), "{id}: {found:#}");
            }
        }
        last = found;
    }
    assert_eq!((core, properties), (40, 10));
}

#[test]
fn every_search_of_the_interoperability_test_finds_what_it_should() {
    let document = data("search.json");
    let operations = [("viewer", "view"), ("editor", "edit"), ("deleter", "delete")];
    let all: Vec<String> = (101..=120).map(|record| record.to_string()).collect();
    let mut allowed: BTreeSet<(String, &str, String)> = BTreeSet::new();
    let mut granted = Vec::new();
    let users = document["allowed"].as_object().unwrap();
    for (user, actions) in users {
        for (role, action) in operations {
            for record in actions[action].as_array().unwrap() {
                allowed.insert((user.clone(), action, record.to_string()));
                granted.push((user.clone(), role, record.to_string()));
            }
        }
    }
    let served = records(&operations, &all, &granted);
    let entity = |kind: &str, id: &String| json!({ "type": kind, "id": id });
    let mut searches = 0;
    let mut find = |path: &str, request: Value, expected: Vec<Value>| {
        searches += 1;
        let expected: BTreeSet<String> = expected.iter().map(ToString::to_string).collect();
        assert_eq!(results(&served.ask(path, &request)), expected, "{path} {request}");
    };
    let may = |user: &String, action, record: &String| {
        allowed.contains(&(user.clone(), action, record.clone()))
    };
    for record in &all {
        for (_, action) in operations {
            let request = json!({ "subject": { "type": "user" }, "action": { "name": action },
                "resource": entity("record", record) });
            let who = users.keys().filter(|user| may(user, action, record));
            find(SUBJECTS, request, who.map(|user| entity("user", user)).collect());
        }
    }
    for user in users.keys() {
        for (_, action) in operations {
            let request = json!({ "subject": entity("user", user), "action": { "name": action },
                "resource": { "type": "record" } });
            let found = all.iter().filter(|record| may(user, action, record));
            find(RESOURCES, request, found.map(|record| entity("record", record)).collect());
        }
        for record in &all {
            let request =
                json!({ "subject": entity("user", user), "resource": entity("record", record) });
            let found = operations.iter().filter(|(_, action)| may(user, action, record));
            find(ACTIONS, request, found.map(|(_, name)| json!({ "name": name })).collect());
        }
    }
    assert_eq!(searches, 60 + 18 + 120);
}
/// Asserts that all that is expected is there; an object may have more
#[track_caller]
fn has(found: &Value, expected: &Value) {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            for (name, expected) in expected {
                has(found.get(name).unwrap_or_else(|| panic!("no `{name}`: {found:#?}")), expected);
            }
        }
        (Value::Array(found), Value::Array(expected)) => {
            assert_eq!(found.len(), expected.len(), "{found:#?}");
            found.iter().zip(expected).for_each(|(found, expected)| has(found, expected));
        }
        (found, expected) => assert_eq!(found, expected),
    }
}

#[test]
fn the_page_about_it_shows_what_is_answered() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/authzen.md");
    let page = fs::read_to_string(path).unwrap();
    let served = served("");
    let mut asked = 0;
    // Every second part is within a fence.
    for block in page.split("\n```").skip(1).step_by(2) {
        for step in block.split("$ curl -s http://127.0.0.1:7480").skip(1) {
            let (path, rest) = step.split_once(" --json '").unwrap();
            let (request, shown) = rest.split_once("'\n").unwrap();
            let request: Value = serde_json::from_str(request).unwrap();
            has(&served.ask(path, &request), &serde_json::from_str(shown).unwrap());
            asked += 1;
        }
    }
    assert_eq!(asked, 6);
}
