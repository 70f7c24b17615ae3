//! Facts beside an answer that keep a person from misreading it: when somebody looked, how exact a time is, where a
//! stretch of time ends
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;

use common::{Ran, Server, Start, command, entry_at, landscape, run};
use serde_json::{Value, json};
use tempfile::TempDir;

const DEV: &str = "subaccount:dev";
const VIEWER: &str = "Subaccount Viewer";

fn server() -> (Server, TempDir) {
    let data = tempfile::tempdir().unwrap();
    let server = Start::on(data.path()).ready();
    server.append(&landscape());
    (server, data)
}

fn observe(server: &Server, at: &str, change: &[(&str, Value)]) {
    let mut observed = json!({"type": "observe", "level": DEV, "source": "nightly listing"});
    for (name, value) in change {
        observed[*name] = value.clone();
    }
    server.append(&[entry_at(at, &[observed])]);
}

fn grant(to: &str) -> Value {
    json!({"type": "grant", "level": DEV, "role_collection": VIEWER, "to": to})
}

fn tenure(server: &Server, arguments: &[&str]) -> Ran {
    run(command().args(["--server", &server.url()]).args(arguments))
}

/// What the answer to a question says of when the place was observed
fn observed(server: &Server, question: &str) -> Value {
    server.get(&format!("/v1/{question}")).ok()["observed"].clone()
}

#[test]
fn what_nobody_looked_at_is_not_no() {
    let (server, _data) = server();
    let who = |times: &str| format!("who?can=destinations.manage&on={DEV}{times}");
    assert_eq!(observed(&server, &who("&at=2026-03-03")), Value::Null, "there the ledger decides");

    let before = server.position();
    observe(&server, "2026-07-07T08:00:00Z", &[]);
    observe(&server, "2026-07-10T08:00:00Z", &[("from", "2026-07-09T08:00:00Z".into())]);
    let (first, last) = ("2026-07-07T08:00:00Z", "2026-07-10T08:00:00Z");
    let between = "2026-07-09T08:00:00Z";
    for (at, before, after) in [
        ("2026-03-03", Value::Null, json!(first)),
        ("2026-07-07T08:00:00Z", json!(first), json!(first)),
        ("2026-07-08", json!(first), json!(between)),
        ("2026-07-09T12:00:00Z", json!("2026-07-09T12:00:00Z"), json!("2026-07-09T12:00:00Z")),
        ("2026-07-11", json!(last), Value::Null),
    ] {
        let expected = json!({"first": first, "before": before, "after": after});
        for question in [
            who(&format!("&at={at}")),
            format!("what?principal=a@x&on={DEV}&at={at}"),
            format!("check?principal=a@x&can=destinations.manage&on={DEV}&at={at}"),
            format!("assignments?on={DEV}&at={at}"),
            format!("role-collections?on={DEV}&at={at}"),
        ] {
            assert_eq!(observed(&server, &question), expected, "{question}");
        }
    }
    let gaps = json!({"first": first, "gap_count": 3, "gaps": [
        {"from": "2026-07-07T00:00:00Z", "until": first},
        {"from": "2026-07-07T08:00:00.000001Z", "until": between},
        {"from": "2026-07-10T08:00:00.000001Z", "until": "2026-07-11T00:00:00Z"},
    ]});
    let stretch = "&from=2026-07-07&until=2026-07-11";
    for question in [
        who(stretch),
        format!("timeline?principal=a@x&can=destinations.manage&on={DEV}{stretch}"),
        format!("holdings?on={DEV}{stretch}"),
    ] {
        assert_eq!(observed(&server, &question), gaps, "{question}");
    }
    // Nobody asked about one level: nothing is said of it.
    assert_eq!(observed(&server, "assignments?principal=a@x"), Value::Null);
    // As known before the observations there are none.
    assert_eq!(observed(&server, &who(&format!("&at=2026-07-08&known_at={before}"))), Value::Null);
}

/// Whoever looked at a directory at the moment at which a level left it did not look at that level
#[test]
fn a_level_is_looked_at_where_it_is_at_that_moment() {
    let (server, _data) = server();
    let looked = |at: &str| {
        let whole = [("level", json!("directory:west")), ("subtree", json!(true))];
        observe(&server, at, &whole);
    };
    let who = format!("who?can=destinations.manage&on={DEV}&at=2026-07-08");
    looked("2026-07-08T00:00:00Z");
    let moved = json!({"type": "move_level", "level": DEV, "parent": "directory:eu"});
    server.append(&[entry_at("2026-07-08T00:00:00Z", &[moved])]);
    assert_eq!(observed(&server, &who), Value::Null);
    let before = "2026-07-07T23:59:59.999999Z";
    looked(before);
    looked("2026-07-09T00:00:00Z");
    assert_eq!(observed(&server, &who), json!({"before": before, "after": null, "first": before}));
}

#[test]
fn of_a_subtree_it_says_how_many_levels_nobody_looked_at() {
    let (server, _data) = server();
    let under = |at: &str| {
        let question = format!("who?can=destinations.manage&under=global-account:acme&at={at}");
        observed(&server, &question)
    };
    assert_eq!(under("2026-07-07"), Value::Null);
    let whole = ("level", json!("global-account:acme"));
    observe(&server, "2026-07-07T00:00:00Z", &[whole, ("subtree", json!(true))]);
    observe(&server, "2026-07-08T00:00:00Z", &[]);
    assert_eq!(under("2026-07-07"), json!({"not_observed": 0, "levels": []}));
    let others = json!(["directory:eu", "directory:west", "global-account:acme"]);
    assert_eq!(under("2026-07-08"), json!({"not_observed": 3, "levels": others}));
    let all = json!(["directory:eu", "directory:west", "global-account:acme", DEV]);
    assert_eq!(under("2026-07-09"), json!({"not_observed": 4, "levels": all}));
}

#[test]
fn tables_say_it_before_anything_else() {
    let (server, _data) = server();
    observe(&server, "2026-07-07T00:00:00Z", &[]);
    let who = ["who", "--can", "destinations.manage", "--on", DEV];
    let first_line = |more: &[&str]| {
        let ran = tenure(&server, &[&who, more].concat());
        ran.stdout.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(first_line(&["--at", "2026-03-03"]), "not observed before 2026-07-07T00:00:00Z");
    assert_eq!(first_line(&["--at", "2026-08-03"]), "not observed after 2026-07-07T00:00:00Z");
    let from = ["--from", "2026-07-06", "--until", "2026-07-07"];
    assert_eq!(
        first_line(&from),
        "not observed from 2026-07-06T00:00:00Z until 2026-07-07T00:00:00Z"
    );
    let looked = tenure(&server, &[&who[..], &["--at", "2026-07-07"]].concat());
    assert!(!looked.stdout.contains("not observed"), "{looked:?}");
}

#[test]
fn an_observation_that_cannot_be_is_refused_with_a_sentence() {
    let (server, _data) = server();
    let result = |at: &str, change: Value| {
        let answer = server.post("/v1/entries", &entry_at(at, &[change])).ok();
        answer["results"][0]["refusal"].clone()
    };
    let observe = |level: &str, from: &str| json!({"type": "observe", "level": level, "source": "listing", "from": from});
    let at = "2026-07-07T00:00:00Z";
    for (change, code, message) in [
        (observe(DEV, at), "empty_interval", "`from` is 2026-07-07T00:00:00Z, which is not before"),
        (observe("subaccount:gone", "2026-07-06T00:00:00Z"), "unknown_level", "subaccount:gone"),
        (observe(DEV, "1969-12-31T00:00:00Z"), "bad_time", "`from` is 1969"),
    ] {
        let refusal = result(at, change);
        assert_eq!(refusal["code"], code, "{refusal:#}");
        assert!(refusal["message"].as_str().unwrap().contains(message), "{refusal:#}");
    }
}

#[test]
fn a_time_that_is_not_exact_says_how_early_it_can_have_been() {
    let (server, _data) = server();
    let mut entry = entry_at("2026-03-03T00:00:00Z", &[grant("user:sap.default/a@x")]);
    entry["not_before"] = "2026-03-01T00:00:00Z".into();
    server.append(&[entry.clone()]);
    let held = server.get("/v1/assignments?principal=a@x&at=2026-04-01").ok();
    assert_eq!(held["assignments"][0]["not_before"], "2026-03-01T00:00:00Z", "{held:#}");
    let who = tenure(&server, &["assignments", "--principal", "a@x", "--at", "2026-04-01"]);
    assert!(who.stdout.contains("not before 2026-03-01T00:00:00Z"), "{}", who.stdout);
    let rows = server.get("/v1/entries?principal=a@x").ok();
    assert_eq!(rows["entries"][0]["not_before"], "2026-03-01T00:00:00Z", "{rows:#}");
    // It decides nothing.
    let check = server.get(
        &format!("/v1/check?principal=a@x&can=role-collection:{VIEWER}&on={DEV}&at=2026-03-02")
            .replace(' ', "%20"),
    );
    assert_eq!(check.ok()["allowed"], false);

    for (not_before, code, message) in [
        ("2026-03-04T00:00:00Z", "empty_interval", "which is after 2026-03-03T00:00:00Z"),
        ("1969-03-04T00:00:00Z", "bad_time", "`not_before` is 1969-03-04T00:00:00Z"),
    ] {
        entry["id"] = uuid::Uuid::now_v7().to_string().into();
        entry["not_before"] = not_before.into();
        let refusal = server.post("/v1/entries", &entry).ok()["results"][0]["refusal"].clone();
        assert_eq!((&refusal["code"], &refusal["change"]), (&json!(code), &Value::Null));
        assert!(refusal["message"].as_str().unwrap().contains(message), "{refusal:#}");
    }
    let void = json!({"actor": "user:corp/a", "not_before": "2026-03-04T00:00:00Z",
        "changes": [{"type": "void", "entry": "01930f0e-7c1e-7d2a-9b1a-0d9f6f1c2b3a"}]});
    server.post("/v1/entries", &void).is_problem(400, "bad_request", &["`not_before`"]);
}

#[test]
fn several_things_are_asked_about_at_once() {
    let (server, _data) = server();
    server.append(&[entry_at("2026-01-01T00:00:00Z", &[grant("user:sap.default/a@x")])]);
    let viewer = "role-collection:Subaccount%20Viewer";
    let names = |question: &str| {
        let found = server.get(&format!("/v1/{question}")).ok();
        let subjects = found["subjects"].as_array().unwrap().iter();
        subjects.map(|one| one["principal"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let one = names(&format!("who?can=destinations.manage&on={DEV}"));
    let two = names(&format!("who?can=destinations.manage&can={viewer}&on={DEV}"));
    let viewers = names(&format!("who?can={viewer}&on={DEV}"));
    let mut either = [one, viewers].concat();
    either.sort();
    assert_eq!(two, either);
    assert!(two.contains(&"user:sap.default/a@x".to_owned()), "{two:?}");
    let under =
        names(&format!("who?can={viewer}&can=destinations.manage&under=global-account:acme"));
    assert_eq!(under, two);
    let during = format!("who?can={viewer}&can=destinations.manage&on={DEV}&from=2024-01-01");
    assert_eq!(names(&during), two);
    // Each is looked up as if it were asked alone; the first error is the answer.
    for (can, code) in [
        ("can=nothing.such&can=role:Nobody", "unknown_operation"),
        ("can=role:Nobody&can=nothing.such", "unknown_role"),
        ("can=destinations.manage&can=scope:none", "unknown_scope"),
    ] {
        server.get(&format!("/v1/who?{can}&on={DEV}")).is_problem(404, code, &[]);
    }
    let missing = |can: &str| {
        server.get(&format!("/v1/check?principal=b@x&{can}&on={DEV}")).ok()["missing"].clone()
    };
    assert!(missing("can=destinations.manage&can=environments.view")["any_of"].is_array());
    assert_eq!(missing(&format!("can=destinations.manage&can={viewer}")), Value::Null);
    let list = json!({"checks": [{"principal": "a@x", "on": DEV,
        "can": ["destinations.manage", "role-collection:Subaccount Viewer"]}]});
    let checked = server.post("/v1/check", &list).ok();
    assert_eq!(checked["results"][0]["allowed"], true, "{checked:#}");
    let many = "can=destinations.manage&".repeat(33);
    server.get(&format!("/v1/who?{many}on={DEV}")).is_problem(400, "bad_request", &["32 times"]);
    let ran = tenure(
        &server,
        &[
            "check",
            "a@x",
            "--can",
            "destinations.manage",
            "--can",
            "role-collection:Subaccount Viewer",
            "--on",
            DEV,
        ],
    );
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
}

#[test]
fn where_a_stretch_of_time_ends_is_said() {
    let (server, _data) = server();
    let question =
        format!("/v1/who?can=destinations.manage&on={DEV}&from=2026-01-30&until=2026-01-30");
    server.get(&question).is_problem(400, "empty_interval", &["write the next day as `until`"]);
    let help = run(command().args(["grant", "--help"])).stdout;
    assert!(help.contains("as whose day begins it ends"), "{help}");
    let help = run(command().args(["who", "--help"])).stdout;
    assert!(help.contains("which is not included"), "{help}");
}
