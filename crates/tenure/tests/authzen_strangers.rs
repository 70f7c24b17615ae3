//! What strangers and callers without rights are told in the words of AuthZEN 1.0
#![expect(
    clippy::panic,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

#[expect(dead_code, reason = "a test uses a part of it")]
mod authzen_server;
mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use authzen_server::{
    ACTIONS, DISCOVERY, EVALUATION, EVALUATIONS, RESOURCES, SUBJECTS, alice, dev, evaluation,
    says_as_of, served, served_with, with,
};
use common::{Start, entry, landscape};
use serde_json::{Value, json};
use tenure_server::hall::token_digest;

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
    // Each of those in the batch counts as one that was asked alone.
    let counted = || {
        let request = agent.get(format!("{}/metrics", served.server.url()));
        let mut metrics = request.header("authorization", format!("Bearer {root}")).call().unwrap();
        let metrics = metrics.body_mut().read_to_string().unwrap();
        let line = metrics.lines().find_map(|line| {
            line.strip_prefix("tenure_questions_total{question=\"check\",status=\"403\"} ")
        });
        line.unwrap().parse::<u64>().unwrap()
    };
    let before = counted();
    send(Some(ann), EVALUATIONS, &batch);
    assert_eq!(counted(), before + 2);
    // Where the endpoints are is no secret.
    assert_eq!(served.server.get(DISCOVERY).status, 200);
}
