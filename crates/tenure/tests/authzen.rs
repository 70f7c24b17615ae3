//! What a decision, a batch and a search in the words of AuthZEN 1.0 say
#![expect(
    clippy::panic,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

#[expect(dead_code, reason = "a test uses a part of it")]
mod authzen_server;
mod common;

use std::collections::BTreeSet;

use authzen_server::{
    ACTIONS, EVALUATION, EVALUATIONS, RESOURCES, SUBJECTS, alice, dev, evaluation, says_as_of,
    served, with,
};
use common::{entry, entry_at, grant, landscape};
use serde_json::{Value, json};

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

    // A time that has not come is now on every page.
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
