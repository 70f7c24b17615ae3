//! A wrong request gets a sentence that says what is wrong, with the right status; it appends nothing and loses nothing
#![expect(
    clippy::unwrap_used,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;

use std::fs;

use common::{ADMIN, Answer, Server, Start, entry, entry_at, grant, landscape, query, tenure_on};
use serde_json::{Value, json};
use tenure_wire::codec::{ENTRY_BYTES_MAX, decode_draft};
use uuid::Uuid;

const JSON: &str = "application/json";
const MSGPACK: &str = "application/msgpack";

/// A server with the small landscape in it
fn server(data: &tempfile::TempDir) -> Server {
    let server = Start::on(data.path()).ready();
    server.append(&landscape());
    server
}

/// Asserts that a request changes neither the position nor the log
#[track_caller]
fn appends_nothing(server: &Server, what: impl FnOnce() -> Answer) -> Answer {
    let before = server.position();
    let answer = what();
    assert_eq!(server.position(), before, "{answer:#?}");
    answer
}

/// An entry whose encoding has so many bytes
fn entry_of_size(bytes: usize) -> Value {
    let with_padding = |padding: usize| {
        entry(&[json!({
            "type": "create_role", "level": "subaccount:dev", "role": "Padded",
            "application": "app!t1", "template": "Padded", "scopes": [],
            "attributes": { "padding": "x".repeat(padding) } })])
    };
    let length = |entry: &Value| {
        let encoded = decode_draft(entry, "sap.default", Uuid::now_v7).map(|e| e.bytes().len());
        // An entry that is too large cannot be encoded; this function is not called with such a size.
        encoded.unwrap()
    };
    let probe = 200_000;
    let entry = with_padding(probe + bytes - length(&with_padding(probe)));
    if bytes <= ENTRY_BYTES_MAX {
        assert_eq!(length(&entry), bytes);
    }
    entry
}

/// A rule nested so deep
fn deep_rule(depth: usize) -> Value {
    let leaf = json!({ "everyone": true });
    (1..depth).fold(leaf, |inner, _| json!({ "all_of": [inner] }))
}

#[test]
fn a_body_that_cannot_be_decoded_is_turned_away_whole() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let good = entry(&[grant("carol@acme.example")]);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut entry = good.clone();
        change(&mut entry);
        serde_json::to_vec(&entry).unwrap()
    };
    let change = |key: &'static str, value: Value| with(&|e| e["changes"][0][key] = value.clone());
    let only = |change: Value| with(&|e| e["changes"][0] = change.clone());
    let twice = br#"{"actor": "user:sap.default/a", "actor": "user:sap.default/b", "changes": []}"#;
    // The name of the case, the bytes that are sent, and a word of the sentence.
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", Vec::new(), "JSON"),
        ("half of it", br#"{"actor": "user:sap.default/a", "changes": ["#.to_vec(), "JSON"),
        ("more than it", br#"{"entries": []} {"#.to_vec(), "JSON"),
        ("no UTF-8", b"{\"actor\": \"\xff\xfe\"}".to_vec(), "JSON"),
        ("a list", b"[]".to_vec(), "map"),
        ("a number", b"1e400".to_vec(), ""),
        ("a key that stands twice", twice.to_vec(), "actor"),
        ("nested without end", "[".repeat(100_000).into_bytes(), ""),
        ("no entries", br#"{"entries": []}"#.to_vec(), "entries"),
        ("entries that are none", br#"{"entries": {}}"#.to_vec(), "entries"),
        ("beside the entries", br#"{"entries": [1], "ids": []}"#.to_vec(), "ids"),
        (
            "a misspelt field of an entry",
            with(&|e| e["effectiv_at"] = "2025-01-01T00:00:00Z".into()),
            "effectiv_at",
        ),
        ("a misspelt field of a change", change("untill", "2026-04-01T00:00:00Z".into()), "untill"),
        ("a field that is null", change("until", Value::Null), "until"),
        ("a number for a text", change("until", 7.into()), "until"),
        (
            "a feature set that is none",
            only(json!({ "type": "set_level", "level": "subaccount:dev", "feature_set": "C" })),
            "feature_set",
        ),
        ("no actor", with(&|e| drop(e.as_object_mut().unwrap().remove("actor"))), "actor"),
        ("an actor that is none", with(&|e| e["actor"] = "usr:x/y".into()), "actor"),
        ("no changes", with(&|e| e["changes"] = json!([])), "changes"),
        (
            "257 changes",
            with(&|e| e["changes"] = Value::Array(vec![grant("x@y.example"); 257])),
            "changes",
        ),
        ("a change that is a list", only(json!(["grant"])), "changes[0]"),
        ("an unknown change", only(json!({ "type": "gant", "level": "subaccount:dev" })), "gant"),
        ("the year 10000", change("until", "10000-01-01T00:00:00Z".into()), "until"),
        (
            "the year 10000 as a start",
            with(&|e| e["effective_at"] = "10000-01-01T00:00:00Z".into()),
            "effective_at",
        ),
        ("a time without an offset", change("until", "2026-04-01T00:00:00".into()), "until"),
        ("the 30th of February", change("until", "2026-02-30T00:00:00Z".into()), "until"),
        ("a level of an unknown kind", change("level", "subacount:dev".into()), "level"),
        ("a level without an id", change("level", "subaccount:".into()), "level"),
        ("a level with a blank", change("level", "subaccount:a b".into()), "level"),
        ("a principal of an unknown kind", change("to", "robot:x/y".into()), "to"),
        ("both of a role and a collection", change("role", "Org Manager".into()), "role"),
        ("an expectation that is none", change("expect", "maybe".into()), "expect"),
        ("an id that is none", with(&|e| e["id"] = "4711".into()), "id"),
        ("a reason over 1,024 bytes", with(&|e| e["reason"] = "x".repeat(1_025).into()), "reason"),
        (
            "a rule of no shape",
            only(
                json!({ "type": "set_rule", "set": "group:corp/g", "origin": "corp", "rule": {} }),
            ),
            "rule",
        ),
        (
            "a rule that is nested without end",
            only(
                json!({ "type": "set_rule", "set": "group:corp/g", "origin": "corp", "rule": deep_rule(9) }),
            ),
            "8 deep",
        ),
        (
            "a pattern of another language",
            only(json!({ "type": "set_rule", "set": "group:corp/g", "origin": "corp",
                "rule": { "attribute": "a", "matches": "^a$" } })),
            "^a$",
        ),
        (
            "the rule of an attribute",
            only(json!({ "type": "set_rule", "set": "attribute:corp/a=b", "origin": "corp" })),
            "group",
        ),
        (
            "a path without a slash",
            only(
                json!({ "type": "set_permission", "level": "application:a", "permission": "p", "roles": [], "paths": ["pay"] }),
            ),
            "pay",
        ),
        (
            "an identity provider that is a URL",
            only(
                json!({ "type": "set_level", "level": "subaccount:dev", "identity_provider": "https://idp.example" }),
            ),
            "identity_provider",
        ),
        (
            "a catalogue that is none",
            only(json!({ "type": "publish_catalog", "catalog": { "version": "v" } })),
            "`roles`",
        ),
        (
            "a void among others",
            with(
                &|e| e["changes"] = json!([{ "type": "void", "entry": Uuid::now_v7().to_string() }, grant("x@y.example")]),
            ),
            "void",
        ),
    ];
    let before = server.log();
    let mut unnamed = Vec::new();
    for (what, body, named) in cases {
        let answer = server.post_bytes("/v1/entries", JSON, &body);
        assert_eq!(answer.status, 400, "{what}: {answer:#?}");
        let problem = answer.is_problem(400, "bad_request", &[]);
        let detail = problem["detail"].as_str().unwrap();
        if !detail.contains(named) {
            unnamed.push(format!("{what}: `{named}` is not in `{detail}`"));
        }
    }
    assert!(unnamed.is_empty(), "{unnamed:#?}");
    // With one wrong entry among right ones, none is appended, and the sentence says which one is wrong.
    let mut wrong = good.clone();
    wrong["changes"][0]["untill"] = "2026-04-01T00:00:00Z".into();
    let answer = server.post("/v1/entries", &json!({ "entries": [good, wrong] }));
    answer.is_problem(400, "bad_request", &["entries[1]", "untill"]);
    assert_eq!(server.log(), before);
    server.append(&[good]);
    server.stop();
}

#[test]
fn message_pack_is_read_as_strictly() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let good = json!({ "actor": ADMIN, "changes": [grant("carol@acme.example")] });
    let bytes = rmp_serde::to_vec_named(&good).unwrap();
    let before = server.log();
    let mut followed = bytes.clone();
    followed.push(0xc0);
    let misspelt = {
        let mut entry = good.clone();
        entry["changes"][0]["untill"] = "2026-04-01T00:00:00Z".into();
        rmp_serde::to_vec_named(&entry).unwrap()
    };
    // These are lists, which serde would accept as maps.
    let unnamed = rmp_serde::to_vec(&(ADMIN, [("grant", "subaccount:dev")])).unwrap();
    let mut cases = vec![
        ("nothing", Vec::new(), "MessagePack"),
        ("what no MessagePack is", vec![0xc1], "MessagePack"),
        ("JSON", serde_json::to_vec(&good).unwrap(), "MessagePack"),
        ("bytes behind it", followed, "MessagePack"),
        ("a misspelt field", misspelt, "untill"),
        ("a list", unnamed, "map"),
        (
            "binary for a text",
            [&[0x81, 0xa5], &b"actor"[..], &[0xc4, 1, 7]].concat(),
            "MessagePack",
        ),
        ("an extension", [&[0x81, 0xa5], &b"actor"[..], &[0xd4, 1, 7]].concat(), "MessagePack"),
        ("a map of four thousand million", vec![0xdf, 0xff, 0xff, 0xff, 0xff], "MessagePack"),
        (
            "a text of four thousand million",
            vec![0xdb, 0xff, 0xff, 0xff, 0xff, b'x'],
            "MessagePack",
        ),
        ("nested without end", vec![0x91; 100_000], "MessagePack"),
    ];
    // Cut at any place it is no entry.
    cases.extend(
        (0..bytes.len()).step_by(7).map(|n| ("a part of it", bytes[..n].to_vec(), "MessagePack")),
    );
    for (what, body, named) in cases {
        let answer = server.post_bytes("/v1/entries", MSGPACK, &body);
        assert_eq!(answer.status, 400, "{what}: {answer:#?}");
        answer.is_problem(400, "bad_request", &[named]);
    }
    assert_eq!(server.log(), before);
    let answer = server.post_bytes("/v1/entries", MSGPACK, &bytes).ok();
    assert_eq!(answer["results"][0]["outcome"], "applied");
    server.stop();
}

#[test]
fn an_entry_has_at_most_262_144_bytes_and_a_body_a_mebibyte() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let too_large = entry_of_size(ENTRY_BYTES_MAX + 1);
    appends_nothing(&server, || server.post("/v1/entries", &too_large)).is_problem(
        400,
        "bad_request",
        &["262144", "262145"],
    );
    let largest = entry_of_size(ENTRY_BYTES_MAX);
    let results = server.append(std::slice::from_ref(&largest));
    let position = results[0]["position"].as_u64().unwrap();
    let row = server.get(&format!("/v1/entries/{position}")).ok();
    assert_eq!(row["entry"]["changes"], largest["changes"]);
    // A body over the limit, with its length and without.
    let body = serde_json::to_vec(&json!({ "entries": vec![&largest; 5] })).unwrap();
    assert!(body.len() > 1024 * 1024);
    let before = server.position();
    let mut with_length = format!(
        "POST /v1/entries HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    with_length.extend(body);
    let mut chunked =
        b"POST /v1/entries HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
        Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
            .to_vec();
    for _ in 0..17 {
        chunked.extend(b"10000\r\n");
        chunked.extend([b' '; 0x10000]);
        chunked.extend(b"\r\n");
    }
    chunked.extend(b"0\r\n\r\n");
    for request in [with_length, chunked] {
        let answer = common::raw(server.address(), &request);
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        for part in ["application/problem+json", "too_large", "1048576"] {
            assert!(answer.contains(part), "{answer}");
        }
    }
    assert_eq!(server.position(), before);
    // After a restart it is there, byte for byte.
    let before = server.log();
    server.stop();
    let server = Start::on(data.path()).ready();
    assert_eq!(server.log(), before);
    server.stop();
}

#[test]
fn at_most_a_thousand_entries_or_checks_at_once() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let many = |n: usize| (0..n).map(|_| entry(&[grant("dave@acme.example")])).collect::<Vec<_>>();
    appends_nothing(&server, || server.post("/v1/entries", &json!({ "entries": many(1_001) })))
        .is_problem(413, "too_many", &["1001", "1000"]);
    server.append(&many(1_000));
    let check = json!({ "principal": "alice@acme.example", "can": "destinations.manage",
        "on": "subaccount:dev" });
    let checks = |n: usize| json!({ "checks": vec![&check; n] });
    server.post("/v1/check", &checks(1_001)).is_problem(413, "too_many", &["1001", "1000"]);
    let answered = server.post("/v1/check", &checks(1_000)).ok();
    let answered = answered["results"].as_array().unwrap();
    assert_eq!(answered.len(), 1_000);
    assert!(answered.iter().all(|check| check["allowed"] == true));
    server.stop();
}

#[test]
fn what_is_wrong_with_a_change_is_refused_and_stays_in_the_log() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let moved = |level: &str, parent: &str| json!({ "type": "move_level", "level": level, "parent": parent });
    let with = |key: &str, value: &str| {
        let mut change = grant("erin@acme.example");
        change[key] = value.into();
        change
    };
    let from = "2025-01-01T00:00:00Z";
    let cases = [
        (
            "a cycle of two",
            entry(&[moved("directory:eu", "directory:west")]),
            "bad_parent",
            json!(0),
        ),
        ("a cycle of one", entry(&[moved("directory:eu", "directory:eu")]), "bad_parent", json!(0)),
        (
            "a kind that does not fit",
            entry(&[moved("directory:eu", "subaccount:dev")]),
            "bad_parent",
            json!(0),
        ),
        (
            "a global account moved",
            entry(&[moved("global-account:acme", "directory:eu")]),
            "bad_parent",
            json!(0),
        ),
        (
            "an end before the start",
            entry_at(from, &[with("until", "2024-06-01T00:00:00Z")]),
            "empty_interval",
            json!(0),
        ),
        ("an end at the start", entry_at(from, &[with("until", from)]), "empty_interval", json!(0)),
        (
            "before 1970",
            entry_at("1969-12-31T23:59:59Z", &[grant("erin@acme.example")]),
            "bad_time",
            Value::Null,
        ),
        (
            "an end before 1970",
            entry_at(from, &[with("until", "1969-12-31T23:59:59Z")]),
            "bad_time",
            json!(0),
        ),
        (
            "an unknown level",
            entry(&[grant("erin@acme.example"), with("level", "subaccount:nowhere")]),
            "unknown_level",
            json!(1),
        ),
        (
            "an unknown collection",
            entry(&[with("role_collection", "No Such")]),
            "unknown_role_collection",
            json!(0),
        ),
        (
            "a level that is there",
            entry(&[
                json!({ "type": "create_level", "level": "subaccount:dev", "parent": "directory:eu" }),
            ]),
            "level_exists",
            json!(0),
        ),
        (
            "a predefined collection deleted",
            entry(&[
                json!({ "type": "delete_role_collection", "level": "subaccount:dev", "role_collection": "Subaccount Viewer" }),
            ]),
            "predefined",
            json!(0),
        ),
        (
            "what is not held",
            entry(&[
                json!({ "type": "revoke", "level": "subaccount:dev", "role_collection": "Subaccount Viewer", "from": "user:sap.default/zoe" }),
            ]),
            "not_held",
            json!(0),
        ),
        (
            "an unknown entry",
            entry(&[json!({ "type": "void", "entry": Uuid::now_v7().to_string() })]),
            "unknown_entry",
            json!(0),
        ),
    ];
    let held = "/v1/assignments?principal=erin@acme.example";
    let levels = server.get("/v1/levels").ok()["levels"].clone();
    for (what, entry, code, change) in cases {
        let position = server.position() + 1;
        let answer = server.post("/v1/entries", &entry).ok();
        let result = &answer["results"][0];
        assert_eq!(result["outcome"], "refused", "{what}: {result:#}");
        assert_eq!(result["refusal"]["code"], code, "{what}: {result:#}");
        assert_eq!(result["refusal"]["change"], change, "{what}: {result:#}");
        common::assert_sentence(result["refusal"]["message"].as_str().unwrap());
        assert_eq!(result["position"], position);
        // An auditor can find the attempt.
        let row = server.get(&format!("/v1/entries/{position}")).ok();
        assert_eq!(row["outcome"], "refused", "{what}");
        assert_eq!(row["entry"]["id"], entry["id"], "{what}");
    }
    assert_eq!(server.get("/v1/levels").ok()["levels"], levels);
    assert_eq!(server.get(held).ok()["assignments"], json!([]));
    server.stop();
}

#[test]
fn an_id_stands_for_one_content_for_ever() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let first = entry(&[grant("carol@acme.example")]);
    let at = server.append(std::slice::from_ref(&first))[0]["position"].clone();
    let mut other = first.clone();
    other["changes"][0]["to"] = "user:sap.default/mallory@acme.example".into();
    let result = |answer: Answer| answer.ok()["results"][0].clone();
    let reused = result(server.post("/v1/entries", &other));
    assert_eq!(reused["refusal"]["code"], "id_reused");
    assert_eq!(reused["refusal"]["change"], Value::Null);
    let again = result(server.post("/v1/entries", &first));
    assert_eq!(again["outcome"], "duplicate");
    assert_eq!(again["original"], json!({ "position": at, "outcome": "applied" }));
    // An entry with an explicit default has another content.
    let mut explicit = first.clone();
    explicit["changes"][0]["expect"] = "any".into();
    assert_eq!(result(server.post("/v1/entries", &explicit))["refusal"]["code"], "id_reused");
    // The id leads to its owner, also after a restart.
    server.stop();
    let server = Start::on(data.path()).ready();
    let row = server.get(&format!("/v1/entries/{}", first["id"].as_str().unwrap())).ok();
    assert_eq!(row["position"], at);
    assert_eq!(result(server.post("/v1/entries", &first))["original"]["position"], at);
    assert_eq!(result(server.post("/v1/entries", &other))["refusal"]["code"], "id_reused");
    server.stop();
}

#[test]
fn what_is_wrong_with_a_question_is_said() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let who = |more: &[(&str, &str)]| {
        let mut parameters = vec![("can", "destinations.manage"), ("on", "subaccount:dev")];
        parameters.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        parameters.extend(more);
        parameters.retain(|(_, value)| *value != "-");
        format!("/v1/who{}", query(&parameters))
    };
    let newest = server.position();
    let beyond = (newest + 1).to_string();
    let cases: Vec<(String, u16, &str, &str)> = vec![
        (who(&[("can", "destinations.mange")]), 404, "unknown_operation", "destinations.mange"),
        (who(&[("can", "role:No Such")]), 404, "unknown_role", "No Such"),
        (who(&[("can", "scope:no.such")]), 404, "unknown_scope", "no.such"),
        (who(&[("can", "role-collection:No Such")]), 404, "unknown_role_collection", "No Such"),
        (who(&[("can", "permission:pay")]), 404, "unknown_permission", "permission:pay"),
        (who(&[("can", "path:/pay")]), 404, "unknown_permission", "path:/pay"),
        (who(&[("can", "path:pay")]), 400, "bad_request", "path"),
        (who(&[("reading", "hidden")]), 400, "bad_request", "reading"),
        (who(&[("life", "12h")]), 400, "bad_request", "life"),
        (who(&[("reading", "session"), ("life", "8d")]), 400, "bad_request", "life"),
        (who(&[("reading", "session"), ("life", "12")]), 400, "bad_request", "life"),
        (who(&[("reading", "latent"), ("from", "2025-01-01")]), 400, "bad_request", "reading"),
        (who(&[("can", "-")]), 400, "bad_request", "can"),
        (who(&[("on", "subaccount:nowhere")]), 404, "unknown_level", "subaccount:nowhere"),
        (who(&[("on", "subacount:dev")]), 400, "bad_request", "on"),
        (who(&[("on", "-")]), 400, "bad_request", "on"),
        (who(&[("under", "subaccount:dev")]), 400, "bad_request", "under"),
        (who(&[("onn", "subaccount:dev")]), 400, "unknown_parameter", "onn"),
        (format!("{}&on=subaccount:dev", who(&[])), 400, "bad_request", "on"),
        (who(&[("at", "10000-01-01T00:00:00Z")]), 400, "bad_time", "at"),
        (who(&[("at", "yesterday")]), 400, "bad_time", "at"),
        (who(&[("at", "1969-12-31")]), 400, "bad_time", "at"),
        (who(&[("at", "2025-02-30")]), 400, "bad_time", "at"),
        (who(&[("at", "")]), 400, "bad_time", "at"),
        (who(&[("known_at", "")]), 400, "bad_request", "known_at"),
        (who(&[("known_at", "-1")]), 400, "bad_time", "known_at"),
        (who(&[("known_at", "#3")]), 400, "bad_time", "known_at"),
        (who(&[("known_at", &beyond)]), 409, "not_yet", &beyond),
        (who(&[("known_at", "99999999999999999999999999")]), 409, "not_yet", ""),
        (who(&[("from", "2025-01-01"), ("until", "2024-01-01")]), 400, "empty_interval", ""),
        (who(&[("from", "2025-01-01"), ("until", "2025-01-01")]), 400, "empty_interval", ""),
        (who(&[("from", "2025-01-01"), ("at", "2025-01-01")]), 400, "bad_request", "at"),
        (who(&[("explain", "yes")]), 400, "bad_request", "explain"),
        (who(&[("limit", "0")]), 400, "bad_request", "limit"),
        (who(&[("limit", "10001")]), 400, "bad_request", "limit"),
        (who(&[("limit", "1e3")]), 400, "bad_request", "limit"),
        (who(&[("page_token", "xyz")]), 400, "bad_page_token", "page_token"),
        (who(&[("min_position", "soon")]), 400, "bad_request", "min_position"),
        (who(&[("min_position", "other@1")]), 400, "bad_request", "min_position"),
        ("/v1/what?on=subaccount:dev".into(), 400, "bad_request", "principal"),
        ("/v1/what?principal=robot:x/y&on=subaccount:dev".into(), 400, "bad_request", "principal"),
        ("/v1/check?principal=alice@acme.example&on=subaccount:dev".into(), 400, "bad_request", "can"),
        ("/v1/timeline?principal=alice@acme.example&can=destinations.manage&on=subaccount:dev&from=2025-01-02&until=2025-01-01".into(), 400, "empty_interval", ""),
        ("/v1/where?principal=alice@acme.example&can=destinations.manage".into(), 400, "bad_request", "under"),
        ("/v1/where?principal=alice@acme.example&can=no.such&under=global-account:acme".into(), 404, "unknown_operation", "no.such"),
        ("/v1/diff?from=x".into(), 400, "bad_time", "from"),
        (format!("/v1/diff?known_from={beyond}"), 409, "not_yet", ""),
        ("/v1/assignments".into(), 400, "bad_request", "role_collection"),
        ("/v1/assignments?on=subaccount:nowhere".into(), 404, "unknown_level", "nowhere"),
        ("/v1/levels?on=subaccount:dev".into(), 400, "unknown_parameter", "on"),
        ("/v1/role-collections".into(), 400, "bad_request", "on"),
        ("/v1/catalog?at=never".into(), 400, "bad_time", "at"),
        ("/v1/entries?after=x".into(), 400, "bad_request", "after"),
        ("/v1/entries?limit=0".into(), 400, "bad_request", "limit"),
        ("/v1/entries?outcome=done".into(), 400, "bad_request", "outcome"),
        ("/v1/entries?principal=robot:x/y".into(), 400, "bad_request", "principal"),
        ("/v1/entries?user=alice".into(), 400, "unknown_parameter", "user"),
        (format!("/v1/entries/{beyond}"), 404, "unknown_entry", &beyond),
        ("/v1/entries/0".into(), 404, "unknown_entry", "0"),
        ("/v1/entries/99999999999999999999".into(), 404, "unknown_entry", ""),
        (format!("/v1/entries/{}", Uuid::nil()), 404, "unknown_entry", ""),
        ("/v1/entries/first".into(), 400, "bad_request", "entry"),
        ("/v1/entries/1?x=y".into(), 400, "unknown_parameter", ""),
        (format!("/v1/changes?after={beyond}"), 409, "not_yet", &beyond),
        ("/v1/changes?after=x".into(), 400, "bad_request", "x"),
        ("/v1/changes?from=1".into(), 400, "unknown_parameter", "from"),
        ("/v1/whom".into(), 404, "not_found", "/v1/whom"),
        ("/".into(), 404, "not_found", "/"),
    ];
    for (path, status, code, named) in cases {
        let answer = server.get(&path);
        assert_eq!(answer.status, status, "{path}: {answer:#?}");
        answer.is_problem(status, code, &[named]);
    }
    let answer = server.post("/v1/who", &json!({}));
    answer.is_problem(405, "method_not_allowed", &["/v1/who", "POST"]);
    // An append that was meant as a dry run must not be one.
    let answer = server.post("/v1/entries?dryrun=true", &entry(&[grant("x@y.example")]));
    answer.is_problem(400, "unknown_parameter", &["`dryrun`", "`dry_run`"]);
    assert_eq!(server.position(), newest);
    server.stop();
}

#[test]
fn a_check_that_is_wrong_has_its_problem_as_its_result() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let check = |can: &str| json!({ "principal": "alice@acme.example", "can": can, "on": "subaccount:dev" });
    let body = json!({ "checks": [
        check("destinations.manage"), check("destinations.mange"), check("trust.renew-key-pair"),
        { "principal": "alice@acme.example", "cann": "x", "on": "subaccount:dev" },
        { "principal": "alice@acme.example", "can": [["x"]], "on": "subaccount:dev" }, 7 ] });
    let answer = server.post("/v1/check", &body).ok();
    let codes: Vec<&Value> =
        answer["results"].as_array().unwrap().iter().map(|result| &result["code"]).collect();
    assert_eq!(
        codes,
        [
            &Value::Null,
            &json!("unknown_operation"),
            &Value::Null,
            &json!("unknown_parameter"),
            &json!("bad_request"),
            &json!("bad_request")
        ]
    );
    for (body, named) in [
        (json!([]), "checks"),
        (json!({ "checks": [] }), "checks"),
        (json!({ "checks": [check("x")], "at": "2025-01-01" }), "at"),
    ] {
        server.post("/v1/check", &body).is_problem(400, "bad_request", &[named]);
    }
    server.post_bytes("/v1/check", JSON, b"{").is_problem(400, "bad_request", &["JSON"]);
    server.stop();
}

#[test]
fn a_page_token_is_of_its_question_alone() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    server.append(&[entry(&[grant("carol@acme.example")]), entry(&[grant("dave@acme.example")])]);
    let viewers = "/v1/who?can=role-collection:Subaccount%20Viewer&on=subaccount:dev&limit=1";
    let token = server.get(viewers).ok()["next_page_token"].as_str().unwrap().to_owned();
    let held = "/v1/assignments?on=subaccount:dev&limit=1";
    let of_held = server.get(held).ok()["next_page_token"].as_str().unwrap().to_owned();
    for path in [
        format!("/v1/who?can=destinations.manage&on=subaccount:dev&page_token={token}"),
        format!(
            "/v1/who?can=role-collection:Subaccount%20Viewer&under=subaccount:dev&page_token={token}"
        ),
        format!("{viewers}&at=2030-01-01&page_token={token}"),
        format!("{viewers}&explain=true&page_token={token}"),
        format!("{held}&page_token={token}"),
        format!("{viewers}&page_token={of_held}"),
        format!("{held}&principal=bob@acme.example&page_token={of_held}"),
        format!("{viewers}&page_token={token}x"),
        format!("{viewers}&page_token="),
    ] {
        server.get(&path).is_problem(400, "bad_page_token", &["page_token"]);
    }
    // The token still works with its own question, even with another limit.
    let rest = server.get(&format!("{}00&page_token={token}", viewers)).ok();
    assert_eq!(rest["subjects"].as_array().unwrap().len(), 2);
    server.stop();
}

#[test]
fn a_data_folder_of_a_newer_format_is_left_alone() {
    let data = tempfile::tempdir().unwrap();
    server(&data).stop();
    let identity = data.path().join("tenure.json");
    let mut text: Value = serde_json::from_slice(&fs::read(&identity).unwrap()).unwrap();
    text["format"] = 2.into();
    fs::write(&identity, serde_json::to_vec(&text).unwrap()).unwrap();
    let before = snapshot(data.path());
    let parts = ["format 2", "reads formats up to 1", "newer program"];
    Start::on(data.path()).attempt().unwrap_err().exits(3).complains(&parts);
    for command in
        [&["verify"][..], &["log"], &["grant", "X", "--to", "a", "--on", "subaccount:dev"]]
    {
        tenure_on(data.path(), command).exits(3).complains(&parts);
    }
    assert_eq!(snapshot(data.path()), before);
    text["format"] = 1.into();
    fs::write(&identity, serde_json::to_vec(&text).unwrap()).unwrap();
    Start::on(data.path()).ready().stop();
}

fn snapshot(folder: &std::path::Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let read = |file: std::path::PathBuf| {
        let bytes = fs::read(folder.join(&file)).unwrap();
        (file, bytes)
    };
    common::files_under(folder).into_iter().map(read).collect()
}

#[test]
fn a_folder_that_is_no_data_folder_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("thesis.txt"), "years of work").unwrap();
    Start::on(home.path())
        .attempt()
        .unwrap_err()
        .exits(3)
        .complains(&["not empty", "name an empty folder"]);
    assert_eq!(fs::read(home.path().join("thesis.txt")).unwrap(), b"years of work");
    // A command that reads needs an existing folder and makes none.
    let missing = home.path().join("missing");
    tenure_on(&missing, &["log"]).exits(3).complains(&["no data folder"]);
    assert!(!missing.exists());
    // A file is no folder, and a folder of another ledger is refused.
    let file = home.path().join("thesis.txt");
    Start::on(&file).attempt().unwrap_err().exits(3).complains(&["thesis.txt"]);
    let data = tempfile::tempdir().unwrap();
    Start::on(data.path()).arg("--ledger", "acme").ready().stop();
    Start::on(data.path())
        .arg("--ledger", "other")
        .attempt()
        .unwrap_err()
        .exits(3)
        .complains(&["`acme`", "`other`"]);
    let mut again = Start::on(data.path()).arg("--ledger", "acme").ready();
    assert_eq!(again.get("/readyz").ok()["ledger"], "acme");
    again.kill();
    let identity = data.path().join("tenure.json");
    fs::write(&identity, "{").unwrap();
    Start::on(data.path()).attempt().unwrap_err().exits(3).complains(&["tenure.json", "damaged"]);
}

#[test]
fn settings_that_are_wrong_are_refused() {
    let data = tempfile::tempdir().unwrap();
    let config = data.path().join("tenure.toml");
    let path = config.to_str().unwrap();
    let folder = data.path().join("data");
    for (text, named) in [
        ("lisen = \"127.0.0.1:0\"", "lisen"),
        ("requests-max = \"many\"", "requests-max"),
        ("ledger = \"Acme\"", "ledger"),
        ("log = \"kafka://x\"", "log"),
        ("catalog = \"none\"", "catalog"),
        ("requests-max = 0", "requests-max"),
        ("request-timeout-ms = 1", "request-timeout-ms"),
        ("= 3", "tenure.toml"),
    ] {
        fs::write(&config, text).unwrap();
        let ran = Start::on(&folder).arg("--config", path).attempt().unwrap_err();
        assert_ne!(ran.code(), 0, "{text}: {ran:#?}");
        ran.complains(&[named]);
        assert!(!folder.exists(), "{text}");
    }
    let ran = Start::on(&folder).arg("--config", "/no/such.toml").attempt().unwrap_err();
    assert_ne!(ran.code(), 0);
    ran.complains(&["/no/such.toml", "cannot be read"]);
    let ran = common::tenure(&["serve", "--listen", "everywhere"]);
    ran.exits(2).complains(&["everywhere"]);
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that does less says so")]
fn an_address_that_may_not_be_listened_at_is_said() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    fs::create_dir(&data).unwrap();
    // TEST-NET-1 is no address of this machine.
    let at = |address: &str| {
        let mut command = common::command();
        command.args(["serve", "--allow-open", "--listen", address, "--data"]).arg(&data);
        common::run(&mut command)
    };
    at("192.0.2.1:80").exits(3).complains(&["192.0.2.1:80", "--listen"]);
    // A port that another server, on another folder, has taken.
    let other = tempfile::tempdir().unwrap();
    let taken = Start::on(other.path()).ready();
    at(&taken.address().to_string()).exits(3).complains(&["cannot listen", "in use"]);
    // A port that only the superuser may use.
    let first = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    if first.map_or(1024, |first| first.trim().parse().unwrap_or(1024)) <= 80 {
        eprintln!("not tested: every port may be listened at here");
        return;
    }
    let Some(mut command) = common::unprivileged(home.path()) else {
        return;
    };
    common::set_mode(&data, 0o777);
    let nobodys = data.join("his");
    command.args(["serve", "--listen", "127.0.0.1:80", "--data"]).arg(&nobodys);
    common::run(&mut command).exits(3).complains(&["127.0.0.1:80", "denied"]);
    // All these attempts have lost nothing, and hold no lock.
    Start::on(&data.join("mine")).ready().stop();
}
