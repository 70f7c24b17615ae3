//! The ledger asked in the words of AuthZEN 1.0, as its certification asks and as a stranger may
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use common::{Server, Start, entry, entry_at, grant, landscape};
use serde_json::{Value, json};
use tempfile::TempDir;
use tenure_server::hall::token_digest;

const EVALUATION: &str = "/access/v1/evaluation";
const EVALUATIONS: &str = "/access/v1/evaluations";
const SUBJECTS: &str = "/access/v1/search/subject";
const RESOURCES: &str = "/access/v1/search/resource";
const ACTIONS: &str = "/access/v1/search/action";
const DISCOVERY: &str = "/.well-known/authzen-configuration";
const EPOCH: &str = "1970-01-01T00:00:00Z";

/// A document of `tests/authzen`
fn data(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/authzen");
    serde_json::from_str(&fs::read_to_string(folder.join(name)).unwrap()).unwrap()
}

/// A server with a configuration file, whose folder lives as long as it
struct Served {
    server: Server,
    folder: TempDir,
}

fn served(settings: &str) -> Served {
    served_with(settings, Start::on)
}

fn served_with(settings: &str, start: impl FnOnce(&Path) -> Start) -> Served {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("tenure.toml");
    fs::write(&config, settings).unwrap();
    let start = start(&folder.path().join("data"));
    Served { server: start.arg("--config", config.to_str().unwrap()).ready(), folder }
}

impl Served {
    #[track_caller]
    fn ask(&self, path: &str, request: &Value) -> Value {
        self.server.post(path, request).ok()
    }
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

/// The results of a search, in any order
fn results(answer: &Value) -> BTreeSet<String> {
    answer["results"].as_array().unwrap().iter().map(ToString::to_string).collect()
}

/// Asserts that every answer says as of when it is one
#[track_caller]
fn says_as_of(answer: &Value) -> u64 {
    let as_of = &answer["context"]["as_of"];
    assert!(as_of["at"].is_string() && as_of["revision"].is_string(), "{answer:#}");
    as_of["known_at"].as_u64().unwrap_or_else(|| panic!("{answer:#}"))
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

/// Alice may administer destinations of `dev`, bob may look at it
fn dev() -> Served {
    let served = served("");
    served.server.append(&landscape());
    served
}

fn evaluation(subject: &str, action: &str, resource: &str) -> Value {
    let (kind, id) = resource.split_once(':').unwrap();
    json!({ "subject": { "type": "user", "id": subject }, "action": { "name": action },
        "resource": { "type": kind, "id": id } })
}

fn alice() -> Value {
    evaluation("alice@acme.example", "destinations.manage", "subaccount:dev")
}

fn with(mut request: Value, field: &str, value: Value) -> Value {
    request[field] = value;
    request
}

#[test]
fn a_decision_says_as_of_when_and_why() {
    let served = dev();
    let yes = served.ask(EVALUATION, &alice());
    assert_eq!(yes["decision"], true, "{yes:#}");
    assert_eq!(yes["context"]["because"][0]["role_collection"], "Destination Administrator");
    assert_eq!(says_as_of(&yes), served.server.position());
    assert_eq!(yes["context"]["known"]["named"], true, "{yes:#}");
    let no = served
        .ask(EVALUATION, &evaluation("bob@acme.example", "destinations.manage", "subaccount:dev"));
    assert_eq!(no["decision"], false, "{no:#}");
    let missing = no["context"]["reason_admin"]["403"].as_str().unwrap();
    assert!(missing.starts_with("missing: ") && missing.contains("Destination"), "{missing}");
    // Twice the same.
    let again = served.ask(EVALUATION, &alice());
    assert_eq!(again["context"]["because"], yes["context"]["because"]);
    let full = with(alice(), "context", json!({ "explain": "full" }));
    let full = served.ask(EVALUATION, &full);
    assert!(full["context"]["because"][0]["by"]["actor"].is_string(), "{full:#}");
    // Somebody whom nobody named gets a no that says so.
    let stranger = evaluation("alise@acme.example", "destinations.manage", "subaccount:dev");
    let stranger = served.ask(EVALUATION, &stranger);
    assert_eq!(stranger["decision"], false);
    assert_eq!(stranger["context"]["known"]["named"], false, "{stranger:#}");
}

#[test]
fn time_and_knowledge_are_coordinates() {
    let served = dev();
    let before = served.server.position();
    let at = |context: Value| served.ask(EVALUATION, &with(alice(), "context", context));
    for (time, decision) in [
        ("2024-01-31T23:59Z", false),
        ("2024-02-01T00:00Z", true),
        ("2024-02-01T01:00+02:00", false),
        ("2024-02-01", true),
        ("2024-03-01T00:00:00.5Z", true),
    ] {
        let answer = at(json!({ "time": time, "ip": "::1" }));
        assert_eq!(answer["decision"], decision, "{time}: {answer:#}");
    }
    served.server.append(&[entry_at(
        "2024-03-01T00:00:00Z",
        &[json!({ "type": "revoke", "level": "subaccount:dev",
            "role_collection": "Destination Administrator",
            "from": "user:sap.default/alice@acme.example" })],
    )]);
    assert_eq!(at(json!({ "time": "2024-06-01" }))["decision"], false);
    for known_at in [json!(before), json!(before.to_string())] {
        let then = at(json!({ "time": "2024-06-01", "known_at": known_at }));
        assert_eq!(then["decision"], true, "{then:#}");
        assert_eq!(says_as_of(&then), before);
    }
    let newest = served.server.position();
    let not_yet = with(alice(), "context", json!({ "known_at": newest + 1 }));
    served.server.post(EVALUATION, &not_yet).is_problem(409, "not_yet", &[]);
    let behind = with(alice(), "context", json!({ "min_position": newest + 1 }));
    served.server.post(EVALUATION, &behind).is_problem(409, "behind", &[]);
    let reached = with(alice(), "context", json!({ "min_position": newest }));
    assert_eq!(says_as_of(&served.ask(EVALUATION, &reached)), newest);
}

#[test]
fn a_time_that_has_not_come_lets_nobody_in_unless_it_is_heeded() {
    let future = || with(alice(), "context", json!({ "time": "2098-01-01" }));
    for (rule, decision, taken) in [
        ("", false, false),
        ("authzen.time = \"not-later-than-now\"", false, false),
        ("authzen.time = \"heed\"", true, true),
        ("authzen.time = \"ignore\"", false, false),
    ] {
        let served = served(rule);
        let levels = landscape().swap_remove(0);
        let scheduled = json!({ "type": "grant", "level": "subaccount:dev",
            "role_collection": "Destination Administrator",
            "to": "user:sap.default/alice@acme.example" });
        served.server.append(&[levels, entry_at("2097-01-01T00:00:00Z", &[scheduled])]);
        let answer = served.ask(EVALUATION, &future());
        assert_eq!(answer["decision"], decision, "{rule}: {answer:#}");
        let at = answer["context"]["as_of"]["at"].as_str().unwrap();
        assert_eq!(at == "2098-01-01T00:00:00Z", taken, "{rule}: {at}");
        let past = with(alice(), "context", json!({ "time": "1985-10-26T01:22-07:00" }));
        let past = served.ask(EVALUATION, &past);
        // Then there was no level, unless the time is ignored.
        let unknown = past["context"]["error"]["code"] == "unknown_level";
        assert_eq!(unknown, !rule.contains("ignore"), "{rule}: {past:#}");
    }
}

#[test]
fn what_the_ledger_does_not_know_is_no_and_says_so() {
    let served = dev();
    let unknown = |request: &Value, code: &str| {
        let answer = served.ask(EVALUATION, request);
        assert_eq!(answer["decision"], false, "{answer:#}");
        assert_eq!(answer["context"]["error"]["code"], code, "{request}: {answer:#}");
        assert_eq!(answer["context"]["error"]["status"], 404, "{answer:#}");
        common::assert_sentence(answer["context"]["error"]["message"].as_str().unwrap());
        assert_eq!(says_as_of(&answer), served.server.position());
    };
    let a = "alice@acme.example";
    unknown(&evaluation(a, "destinations.manage", "subaccount:none"), "unknown_level");
    unknown(&evaluation(a, "destinations.manage", "subaccount:no such"), "unknown_level");
    unknown(&evaluation(a, "no.such", "subaccount:dev"), "unknown_operation");
    unknown(&evaluation(a, "", "subaccount:dev"), "unknown_operation");
    unknown(&evaluation(a, "role:app/Nobody", "subaccount:dev"), "unknown_role");
    unknown(&evaluation(a, "role-collection:None", "subaccount:dev"), "unknown_role_collection");
    unknown(&evaluation(a, "scope:none", "subaccount:dev"), "unknown_scope");
    unknown(&evaluation(a, "destinations.manage", "spaceship:x"), "unknown_type");
    unknown(&evaluation(" ", "destinations.manage", "subaccount:dev"), "unknown_principal");
    let other = json!({ "type": "spaceship", "id": "x" });
    unknown(&with(alice(), "subject", other), "unknown_type");
    for (path, request) in [
        (SUBJECTS, evaluation(a, "no.such", "subaccount:dev")),
        (SUBJECTS, evaluation(a, "destinations.manage", "subaccount:none")),
        (RESOURCES, evaluation(a, "no.such", "subaccount:dev")),
        // No directory has this operation.
        (RESOURCES, evaluation(a, "destinations.manage", "directory:eu")),
        (RESOURCES, evaluation(a, "destinations.manage", "spaceship:x")),
        (ACTIONS, evaluation(a, "x", "subaccount:none")),
    ] {
        let answer = served.ask(path, &request);
        assert_eq!(answer["results"], json!([]), "{answer:#}");
        assert_eq!(answer["context"]["error"]["status"], 404, "{path} {request}: {answer:#}");
        assert_eq!(answer["page"]["next_token"], "");
        says_as_of(&answer);
    }
    // A batch goes on.
    let batch = json!({ "evaluations": [
        evaluation(a, "no.such", "subaccount:dev"), alice(), 7, {} ] });
    let batch = served.ask(EVALUATIONS, &batch);
    let code = |one: &Value| {
        says_as_of(one);
        one["context"]["error"]["code"].clone()
    };
    let codes: Vec<Value> = batch["evaluations"].as_array().unwrap().iter().map(code).collect();
    assert_eq!(json!(codes), json!(["unknown_operation", null, "bad_request", "bad_request"]));
    assert_eq!(batch["evaluations"][1]["decision"], true, "{batch:#}");
}

#[test]
fn a_batch_ends_where_it_is_told_to() {
    let served = dev();
    let no = evaluation("bob@acme.example", "destinations.manage", "subaccount:dev");
    let error = json!({ "subject": {} });
    let decisions = |semantic: &str, list: &[&Value]| -> Vec<bool> {
        let request = json!({ "options": { "evaluations_semantic": semantic, "more": 1 },
            "evaluations": list });
        let answer = served.ask(EVALUATIONS, &request);
        assert!(answer.get("decision").is_none(), "{answer:#}");
        let each = answer["evaluations"].as_array().unwrap().iter();
        each.map(|one| one["decision"].as_bool().unwrap()).collect()
    };
    let yes = &alice();
    assert_eq!(decisions("execute_all", &[&no, yes, &error, yes]), [false, true, false, true]);
    assert_eq!(decisions("deny_on_first_deny", &[yes, yes, &no, yes]), [true, true, false]);
    assert_eq!(decisions("deny_on_first_deny", &[yes, &error, yes]), [true, false]);
    assert_eq!(decisions("permit_on_first_permit", &[&no, &error, yes, &no]), [false, false, true]);
    let unknown = json!({ "options": { "evaluations_semantic": "first" }, "evaluations": [yes] });
    let named = ["evaluations_semantic"];
    served.server.post(EVALUATIONS, &unknown).is_problem(400, "bad_request", &named);
    // What an item says replaces the whole of what the request says.
    let mixed = json!({ "subject": { "type": "user", "id": "bob@acme.example" },
        "action": { "name": "destinations.manage" },
        "resource": { "type": "subaccount", "id": "none" },
        "context": { "time": "2024-01-15" },
        "evaluations": [
            { "resource": { "type": "subaccount", "id": "dev" } },
            { "subject": { "type": "user", "id": "alice@acme.example" },
              "resource": { "type": "subaccount", "id": "dev" }, "context": {} },
            { "resource": { "id": "dev" } } ] });
    let mixed = served.ask(EVALUATIONS, &mixed);
    let context = |n: usize| &mixed["evaluations"][n]["context"];
    assert_eq!(context(0)["as_of"]["at"], "2024-01-15T00:00:00Z", "{mixed:#}");
    assert_eq!(mixed["evaluations"][1]["decision"], true, "{mixed:#}");
    assert_eq!(context(2)["error"]["status"], 400, "{mixed:#}");
}

#[test]
fn a_search_goes_through_all_its_pages_as_of_the_first() {
    let served = dev();
    let granted = |users: std::ops::Range<u32>| -> Value {
        let each: Vec<Value> = users.map(|n| grant(&format!("u{n:03}@x"))).collect();
        entry(&each)
    };
    let group = json!({ "type": "grant", "level": "subaccount:dev",
        "role_collection": "Subaccount Viewer", "to": "group:corp/Ops" });
    let client = json!({ "type": "grant", "level": "subaccount:dev",
        "role_collection": "Subaccount Viewer", "to": "client:corp/ci" });
    served.server.append(&[granted(0..100), entry(&[group, client])]);
    let search = |kind: &str, page: Value| {
        json!({ "subject": { "type": kind, "id": "ignored" }, "resource": { "type": "subaccount", "id": "dev" },
            "action": { "name": "role-collection:Subaccount Viewer" }, "page": page })
    };
    let pages = |limit: u64| {
        let mut found = Vec::new();
        let mut as_of = BTreeSet::new();
        let mut answer = served.ask(SUBJECTS, &search("user", json!({ "limit": limit })));
        loop {
            assert_eq!(answer["page"]["total"], 101, "{answer:#}");
            assert_eq!(answer["page"]["count"], answer["results"].as_array().unwrap().len());
            as_of.insert(answer["context"]["as_of"].to_string());
            found.extend(answer["results"].as_array().unwrap().iter().cloned());
            let token = answer["page"]["next_token"].as_str().unwrap().to_owned();
            if token.is_empty() {
                return (found, as_of.len());
            }
            answer = served.ask(SUBJECTS, &search("user", json!({ "token": token })));
        }
    };
    let (whole, _) = pages(20_000);
    assert_eq!(whole.len(), 101);
    assert_eq!(whole[0], json!({ "type": "user", "id": "bob@acme.example" }));
    for limit in [1, 7, 100, 101] {
        assert_eq!(pages(limit), (whole.clone(), 1), "{limit}");
    }
    // Other kinds have pages of their own, sets too.
    for (kind, id) in [("client", "corp/ci"), ("group", "corp/Ops")] {
        let answer = served.ask(SUBJECTS, &search(kind, json!({ "limit": 5 })));
        assert_eq!(answer["results"], json!([{ "type": kind, "id": id }]), "{answer:#}");
        assert_eq!(answer["page"]["total"], 1, "{answer:#}");
    }

    // What comes in between is not on later pages.
    let first = served.ask(SUBJECTS, &search("user", json!({ "limit": 60 })));
    let token = first["page"]["next_token"].clone();
    served.server.append(&[granted(100..110)]);
    let second = served.ask(SUBJECTS, &search("user", json!({ "token": token, "limit": 60 })));
    assert_eq!(second["results"].as_array().unwrap().len(), 41);
    assert_eq!(second["context"]["as_of"], first["context"]["as_of"]);

    let refused = |request: &Value| {
        served.server.post(SUBJECTS, request).is_problem(400, "bad_page_token", &["page"]);
    };
    refused(&search("user", json!({ "token": token, "limit": 61 })));
    refused(&search("client", json!({ "token": token })));
    refused(&with(search("user", json!({ "token": token })), "action", json!({ "name": "x" })));
    let later = json!({ "time": "2025-01-01" });
    refused(&with(search("user", json!({ "token": token })), "context", later));
    for forged in ["x", "AAAA", "k5jMgA"] {
        refused(&search("user", json!({ "token": forged })));
    }
    let elsewhere = with(
        search("user", json!({ "token": token })),
        "subject",
        json!({ "type": "user", "id": "bob@acme.example" }),
    );
    served.server.post(ACTIONS, &elsewhere).is_problem(400, "bad_page_token", &[]);

    // None at all says how many there are, and where they begin.
    let none = served.ask(SUBJECTS, &search("user", json!({ "limit": 0 })));
    assert_eq!((&none["results"], &none["page"]["total"]), (&json!([]), &json!(111)));
    let token = &none["page"]["next_token"];
    let all = served.ask(SUBJECTS, &search("user", json!({ "token": token })));
    assert_eq!(all["results"].as_array().unwrap().len(), 111, "{none:#}");

    // A time that has not come is now on every page, also when it has come meanwhile.
    let future = json!({ "time": "2098-01-01" });
    let request = |page: Value| with(search("user", page), "context", future.clone());
    let first = served.ask(SUBJECTS, &request(json!({ "limit": 100 })));
    let rest = served.ask(SUBJECTS, &request(json!({ "token": first["page"]["next_token"] })));
    assert_eq!(rest["results"].as_array().unwrap().len(), 11, "{rest:#}");
    assert_eq!(rest["context"]["as_of"], first["context"]["as_of"]);
}

#[test]
fn resources_and_actions_have_pages_and_places_too() {
    let served = dev();
    let level = |id: &str, parent: &str| json!({ "type": "create_level", "level": format!("subaccount:{id}"), "parent": parent });
    let collection = |id: &str| {
        json!({ "type": "grant", "level": format!("subaccount:{id}"),
            "role_collection": "Subaccount Administrator", "to": "user:corp/a/b" })
    };
    let other = json!({ "type": "create_level", "level": "global-account:other" });
    let ids = ["a", "b", "c"];
    let mut changes = vec![other];
    changes.extend(ids.iter().map(|id| level(id, "global-account:other")));
    changes.extend(ids.iter().chain(&["dev"]).map(|id| collection(id)));
    served.server.append(&[entry(&changes)]);
    let subject = json!({ "type": "user", "id": "corp/a/b" });
    let search = |page: Value, properties: Value| {
        json!({ "subject": subject, "action": { "name": "role-collection:Subaccount Administrator" },
            "resource": { "type": "subaccount", "id": "ignored", "properties": properties }, "page": page })
    };
    let ids_of = |answer: &Value| -> Vec<String> {
        let each = answer["results"].as_array().unwrap().iter();
        each.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    // All global accounts are searched, or what lies under one level.
    let all = served.ask(RESOURCES, &search(Value::Null, Value::Null));
    assert_eq!(ids_of(&all), ["a", "b", "c", "dev"], "{all:#}");
    let under = |level: &str| json!({ "under": level, "color": "red" });
    let some = served.ask(RESOURCES, &search(Value::Null, under("global-account:acme")));
    assert_eq!(ids_of(&some), ["dev"]);
    let first = served.ask(RESOURCES, &search(json!({ "limit": 3 }), Value::Null));
    assert_eq!(ids_of(&first), ["a", "b", "c"]);
    let token = &first["page"]["next_token"];
    let rest = served.ask(RESOURCES, &search(json!({ "token": token }), Value::Null));
    assert_eq!((ids_of(&rest), &rest["page"]["next_token"]), (vec!["dev".to_owned()], &json!("")));
    let moved = search(json!({ "token": token }), under("global-account:acme"));
    served.server.post(RESOURCES, &moved).is_problem(400, "bad_page_token", &[]);
    let none = served.ask(RESOURCES, &search(Value::Null, under("global-account:none")));
    assert_eq!(none["context"]["error"]["code"], "unknown_level", "{none:#}");
    let wrong = search(Value::Null, json!({ "under": 7 }));
    served.server.post(RESOURCES, &wrong).is_problem(400, "bad_request", &["under"]);

    let actions = |page: Value| {
        json!({ "subject": { "type": "user", "id": "alice@acme.example" },
            "resource": { "type": "subaccount", "id": "dev" }, "page": page })
    };
    let all = served.ask(ACTIONS, &actions(Value::Null));
    let names = all["results"].as_array().unwrap();
    assert!(names.contains(&json!({ "name": "destinations.manage" })), "{all:#}");
    let mut found = Vec::new();
    let mut page = json!({ "limit": 1 });
    loop {
        let answer = served.ask(ACTIONS, &actions(page));
        assert_eq!(answer["page"]["total"], names.len());
        found.extend(answer["results"].as_array().unwrap().iter().cloned());
        page = json!({ "token": answer["page"]["next_token"] });
        if answer["page"]["next_token"] == "" {
            break;
        }
    }
    assert_eq!(&found, names);
}

#[test]
fn what_cannot_be_read_is_status_400() {
    let served = dev();
    let server = &served.server;
    let body = serde_json::to_vec(&alice()).unwrap();
    let paths = [EVALUATION, EVALUATIONS, SUBJECTS, RESOURCES, ACTIONS];
    for path in paths {
        for kind in ["text/plain", "application/x-www-form-urlencoded", "application/msgpack"] {
            server.post_bytes(path, kind, &body).is_problem(
                400,
                "bad_request",
                &["application/json"],
            );
        }
        for wrong in ["", "{", "[]", "7", "\"x\"", "null", "{\"subject\":{},\"subject\":{}}"] {
            let answer = server.post_bytes(path, "application/json", wrong.as_bytes());
            answer.is_problem(400, "bad_request", &[]);
        }
        let deep = format!("{{\"x\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        let answer = server.post_bytes(path, "application/json", deep.as_bytes());
        answer.is_problem(400, "bad_request", &[]);
        let large = format!("{{\"x\":\"{}\"}}", "x".repeat(1_100_000));
        let answer = server.post_bytes(path, "application/json", large.as_bytes());
        answer.is_problem(413, "too_large", &[]);
        assert_eq!(server.get(path).status, 405, "{path}");
    }
    let charset = server.post_bytes(EVALUATION, "application/json; charset=utf-8", &body);
    assert_eq!(charset.ok()["decision"], true);
    for (field, value, code) in [
        ("time", json!("soon"), "bad_time"),
        ("time", json!("1969-07-20T20:17Z"), "bad_time"),
        ("time", json!("2025-06-27T18:03"), "bad_time"),
        ("time", json!(1_700_000_000), "bad_request"),
        ("time", json!({}), "bad_request"),
        ("known_at", json!("never"), "bad_time"),
        ("known_at", json!({}), "bad_request"),
        ("min_position", json!("x"), "bad_request"),
        ("min_position", json!("other@1"), "bad_request"),
        ("explain", json!("much"), "bad_request"),
    ] {
        let request = with(alice(), "context", json!({ field: value }));
        server.post(EVALUATION, &request).is_problem(400, code, &[field]);
    }
    for page in [json!({ "limit": -1 }), json!({ "limit": "1" }), json!({ "token": 1 }), json!([])]
    {
        let request = with(alice(), "page", page);
        server.post(SUBJECTS, &request).is_problem(400, "bad_request", &["page"]);
    }
    let many = |n: usize| json!({ "evaluations": vec![json!({}); n], "action": { "name": "x" } });
    server.post(EVALUATIONS, &many(1_001)).is_problem(413, "too_many", &["1001"]);
    // A text that all of them share is as long as a body can be, and each of them reads it.
    let long = json!({ "type": "user", "id": "é".repeat(500_000) });
    let most = server.post(EVALUATIONS, &with(many(1_000), "subject", long)).ok();
    let most = most["evaluations"].as_array().unwrap();
    assert_eq!(most.len(), 1_000);
    for one in most {
        let error = &one["context"]["error"];
        assert_eq!((&error["status"], &error["code"]), (&json!(400), &json!("bad_request")));
        assert!(error["message"].as_str().unwrap().contains("subject.id"), "{error}");
    }
    let text = with(alice(), "subject", "x".repeat(1_000_000).into());
    let told = server.post(EVALUATION, &text);
    told.is_problem(400, "bad_request", &["`subject`"]);
    assert!(told.text.len() < 1_000);
}

#[test]
fn the_id_of_a_request_comes_back_on_errors_too() {
    let served = dev();
    let url = |path: &str| format!("{}{path}", served.server.url());
    let agent = served.server.agent();
    for (path, body) in
        [(EVALUATION, alice()), (EVALUATION, json!({})), ("/access/v1/none", json!({}))]
    {
        let request = agent.post(url(path)).header("x-request-id", "bfe9eb29-ab87");
        let answer = request.content_type("application/json").send(body.to_string()).unwrap();
        assert_eq!(answer.headers()["x-request-id"], "bfe9eb29-ab87", "{path} {body}");
        let request = agent.post(url(path)).content_type("application/json");
        let answer = request.send(body.to_string()).unwrap();
        assert!(answer.headers().get("x-request-id").is_none());
    }
    let request = agent.post(url(EVALUATION)).header("x-request-id", "plain");
    let answer = request.content_type("text/plain").send("x").unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["x-request-id"]),
        (400, &"plain".parse().unwrap())
    );
}

#[test]
fn the_endpoints_are_found_where_the_operator_says() {
    let nowhere = dev();
    nowhere.server.get(DISCOVERY).is_problem(404, "not_found", &["base-url"]);
    let served = served("authzen.base-url = \"https://pdp.example/tenant/one/\"");
    let base = "https://pdp.example/tenant/one";
    for path in [DISCOVERY.to_owned(), format!("{DISCOVERY}/tenant/one")] {
        let agent = served.server.agent();
        // The host of the request says nothing.
        let url = format!("{}{path}", served.server.url());
        let mut answer = agent.get(url).header("x-forwarded-host", "evil.example").call().unwrap();
        assert_eq!(answer.headers()["cache-control"], "max-age=3600");
        assert_eq!(answer.headers()["content-type"], "application/json");
        let text = answer.body_mut().read_to_string().unwrap();
        let endpoint = |path: &str| format!("{base}/access/v1/{path}");
        assert_eq!(
            serde_json::from_str::<Value>(&text).unwrap(),
            json!({
                "policy_decision_point": base,
                "access_evaluation_endpoint": endpoint("evaluation"),
                "access_evaluations_endpoint": endpoint("evaluations"),
                "search_subject_endpoint": endpoint("search/subject"),
                "search_resource_endpoint": endpoint("search/resource"),
                "search_action_endpoint": endpoint("search/action"),
            })
        );
    }
    served.server.get(&format!("{DISCOVERY}/tenant")).is_problem(404, "not_found", &[]);
    served.server.get(&format!("{DISCOVERY}/tenant/one/")).is_problem(404, "not_found", &[]);
}

#[test]
fn a_setting_that_cannot_be_used_is_refused_with_a_sentence() {
    for (settings, named) in [
        ("authzen.base-url = \"http://pdp.example\"", "authzen.base-url"),
        ("authzen.time = \"later\"", "authzen.time"),
        ("authzen.subject-types = { person = \"human\" }", "authzen.subject-types"),
        ("authzen.resource-types = { subaccount = \"directory\" }", "authzen.resource-types"),
        ("authzen.aliases = 1", "aliases"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("tenure.toml");
        fs::write(&config, settings).unwrap();
        let start = Start::on(&folder.path().join("data"));
        let ran = start.arg("--config", config.to_str().unwrap()).attempt().unwrap_err();
        ran.complains(&[named]);
        assert!(!ran.status.success(), "{settings}");
    }
}

#[test]
fn who_may_not_read_is_told_before_anything_is_looked_up() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens.toml");
    let (root, ann, auditor) = ("user:corp/root@x", "user:corp/ann@x", "user:corp/auditor@x");
    let row = |who: &str| {
        format!("[[token]]\nsha256 = \"{}\"\nprincipal = \"{who}\"\n", token_digest(who))
    };
    fs::write(&tokens, [root, ann, auditor].map(row).concat()).unwrap();
    fs::set_permissions(&tokens, fs::Permissions::from_mode(0o600)).unwrap();
    let served = served_with("authzen.base-url = \"https://pdp.example\"", |data| {
        Start::on(data).arg("--tokens", tokens.to_str().unwrap())
    });
    let agent = served.server.agent();
    let send = |who: Option<&str>, path: &str, body: &Value| -> (u16, Value) {
        let mut request = agent.post(format!("{}{path}", served.server.url()));
        if let Some(who) = who {
            request = request.header("authorization", format!("Bearer {who}"));
        }
        let request = request.content_type("application/json").header("x-request-id", "r1");
        let mut answer = request.send(body.to_string()).unwrap();
        assert_eq!(answer.headers()["x-request-id"], "r1");
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&text).unwrap())
    };
    let mut entries = landscape();
    let own = |role: &str, level: &str, to: &str| json!({ "type": "grant", "level": level, "role": role, "to": to });
    let ledger = "ledger:default";
    entries.push(entry(&[
        own("tenure/Administrator", ledger, root),
        own("tenure/Auditor", "subaccount:dev", auditor),
        json!({ "type": "set_level", "level": ledger, "access": "enforced" }),
    ]));
    let (status, answer) = send(Some(root), "/v1/entries", &json!({ "entries": entries }));
    assert_eq!(status, 200);
    for result in answer["results"].as_array().unwrap() {
        assert_eq!(result["outcome"], "applied", "{result:#}");
    }

    let unknown = evaluation("x", "no.such", "subaccount:none");
    for path in [EVALUATION, SUBJECTS, RESOURCES, ACTIONS] {
        for request in [&alice(), &unknown, &json!({})] {
            let (status, answer) = send(None, path, request);
            assert_eq!((status, &answer["code"]), (401, &json!("unauthenticated")), "{path}");
        }
        for request in [&alice(), &unknown] {
            let (status, answer) = send(Some(ann), path, request);
            assert_eq!((status, &answer["code"]), (403, &json!("forbidden")), "{path} {request}");
        }
    }
    // About himself everybody may ask, and an auditor about his level.
    let about = |who: &str, level: &str| evaluation(who, "destinations.manage", level);
    assert_eq!(send(Some(ann), EVALUATION, &about("corp/ann@x", "subaccount:dev")).0, 200);
    assert_eq!(send(Some(ann), RESOURCES, &about("corp/ann@x", "subaccount:dev")).0, 200);
    assert_eq!(send(Some(auditor), SUBJECTS, &alice()).0, 200);
    assert_eq!(send(Some(auditor), RESOURCES, &alice()).0, 403);
    let batch = json!({ "evaluations": [
        about("corp/ann@x", "subaccount:dev"), alice(), unknown, {},
        about("corp/ann@x", "spaceship:x") ] });
    let (status, answer) = send(Some(ann), EVALUATIONS, &batch);
    assert_eq!(status, 200, "{answer:#}");
    let told = |one: &Value| {
        assert_eq!(one["decision"], false, "{one:#}");
        json!([one["context"]["error"]["status"], one["context"].get("as_of").is_some()])
    };
    let told: Vec<Value> = answer["evaluations"].as_array().unwrap().iter().map(told).collect();
    // The coordinates are for readers.
    let forbidden = json!([403, false]);
    assert_eq!(
        json!(told),
        json!([[null, true], forbidden, forbidden, [400, false], [404, false]])
    );
    let (_, of_root) = send(Some(root), EVALUATIONS, &batch);
    for one in &of_root["evaluations"].as_array().unwrap()[1..] {
        says_as_of(one);
    }
    // Where the endpoints are is no secret.
    assert_eq!(served.server.get(DISCOVERY).status, 200);
    assert!(served.folder.path().exists());
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
