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

/// What the answer to `sources` says
fn sources(server: &Server, parameters: &str) -> Value {
    server.get(&format!("/v1/sources{parameters}")).ok()["sources"].clone()
}

/// The source of most of these tests, on `subaccount:dev`
fn listing(more: &Value) -> Value {
    let mut row = json!({"source": "nightly listing", "level": DEV, "subtree": false,
        "level_exists": true, "moments": 0});
    for (name, value) in more.as_object().unwrap() {
        row[name] = value.clone();
    }
    row
}

#[test]
fn sources_say_what_was_covered_by_whom() {
    let (server, _data) = server();
    assert_eq!(sources(&server, ""), json!([]));
    let before = server.position();
    observe(&server, "2026-07-07T08:00:00Z", &[]);
    observe(&server, "2026-07-10T08:00:00Z", &[("from", "2026-07-09T08:00:00Z".into())]);
    observe(&server, "2026-07-12T08:00:00Z", &[]);
    observe(&server, "2026-07-20T08:00:00Z", &[("from", "2026-07-15T08:00:00Z".into())]);
    let rows = |at: &str| sources(&server, &format!("?on={DEV}&at={at}"));
    let day = |day: &str| format!("2026-07-{day}T08:00:00Z");
    let after = |day: &str| format!("2026-07-{day}T08:00:00.000001Z");

    // Nothing is covered one microsecond before the first moment.
    assert_eq!(rows("2026-07-07T07:59:59.999999Z"), json!([]));
    let once = listing(&json!({"first": day("07"), "last": day("07"), "listed": day("07"),
        "moments": 1}));
    assert_eq!(rows(&day("07")), json!([once]), "a source that only lists has no gaps");
    assert_eq!(rows("2026-07-09T07:59:59.999999Z"), json!([once]));
    // A stretch that has begun is covered up to the moment asked about.
    let first_gap = json!({"from": after("07"), "until": day("09")});
    let begun = |last: &str, more: Value| {
        let mut row = listing(&json!({"first": day("07"), "last": last, "listed": day("07"),
            "moments": 1, "gaps": [first_gap], "gap_count": 1}));
        for (name, value) in more.as_object().unwrap() {
            row[name] = value.clone();
        }
        json!([row])
    };
    assert_eq!(rows(&day("09")), begun(&day("09"), json!({})));
    assert_eq!(
        rows("2026-07-09T12:00:00Z"),
        begun("2026-07-09T12:00:00Z", json!({})),
        "covered up to then"
    );
    assert_eq!(rows("2026-07-12T07:59:59.999999Z"), begun(&day("10"), json!({})));
    let second_gap = |until: &str| json!({"from": after("10"), "until": day(until)});
    let listed_again = json!({"listed": day("12"), "moments": 2, "gap_count": 2,
        "gaps": [first_gap, second_gap("12")]});
    assert_eq!(rows(&day("12")), begun(&day("12"), listed_again));
    // A listing within a gap does not end the gap.
    let at_last = json!({"listed": day("12"), "moments": 2, "gap_count": 2,
        "gaps": [first_gap, second_gap("15")]});
    assert_eq!(rows("2026-08-01"), begun(&day("20"), at_last.clone()));

    // As known before: before the observations, and around a void of one.
    let known =
        |known_at: u64| sources(&server, &format!("?on={DEV}&at=2026-08-01&known_at={known_at}"));
    assert_eq!(known(before), json!([]));
    assert_eq!(known(before + 1), json!([once]));
    let stretch = server.get(&format!("/v1/entries/{}", before + 2)).ok()["id"].clone();
    let void = json!({"actor": "user:corp/a", "changes": [{"type": "void", "entry": stretch}]});
    server.append(&[void]);
    assert_eq!(known(before + 4), begun(&day("20"), at_last));
    let voided = json!({"listed": day("12"), "moments": 2, "gap_count": 1,
        "gaps": [{"from": after("07"), "until": day("15")}]});
    assert_eq!(known(before + 5), begun(&day("20"), voided.clone()));
    assert_eq!(rows("2026-08-01"), begun(&day("20"), voided));
}

#[test]
fn sources_are_chosen_by_source_and_place() {
    let (server, _data) = server();
    let at = |day: u8| format!("2026-07-0{day}T00:00:00Z");
    let observe = |day: u8, level: &str, source: &str, subtree: bool| {
        let change =
            [("level", json!(level)), ("source", json!(source)), ("subtree", json!(subtree))];
        observe(&server, &at(day), &change);
    };
    observe(1, DEV, "b", false);
    observe(1, "directory:eu", "b", true);
    observe(2, "directory:eu", "b", false);
    observe(3, DEV, "A", false);
    let names = |parameters: &str| {
        let rows = sources(&server, parameters);
        let name = |row: &Value| {
            let text = |name: &str| row[name].as_str().unwrap();
            format!("{} {} {}", text("source"), text("level"), row["level_exists"])
        };
        rows.as_array().unwrap().iter().map(name).collect::<Vec<_>>()
    };
    let (a, b) = (format!("A {DEV} true"), format!("b {DEV} true"));
    let eu = "b directory:eu true".to_owned();
    assert_eq!(names(""), [a.clone(), eu.clone(), b.clone()]);
    assert_eq!(names("?source=b"), [eu.clone(), b.clone()]);
    assert_eq!(names("?source=nobody"), [""; 0]);
    assert_eq!(names(&format!("?on={DEV}")), [a.clone(), b.clone()]);
    // Who observed the whole directory is no row of a level below it.
    assert_eq!(names("?under=directory:west"), [a.clone(), b.clone()]);
    assert_eq!(names("?under=directory:eu&source=b"), [eu.clone(), b.clone()]);
    let whole = &sources(&server, "?on=directory:eu")[0];
    assert_eq!((&whole["subtree"], &whole["moments"]), (&json!(true), &json!(2)));
    assert_eq!(sources(&server, &format!("?on=directory:eu&at={}", at(1)))[0]["moments"], 1);

    // Pages: each row once, in the same order, as of the moment and the position of the first.
    let mut paged = Vec::new();
    let mut next = String::new();
    loop {
        let page = server.get(&format!("/v1/sources?limit=1{next}")).ok();
        paged.extend(page["sources"].as_array().unwrap().clone());
        let Some(token) = page["next_page_token"].as_str() else { break };
        next = format!("&page_token={token}");
        observe(4, "directory:west", "A", false);
    }
    assert_eq!(paged.len(), 3);
    let all = sources(&server, &format!("?at={}", at(3)));
    assert_eq!(Value::from(paged), all);

    // A level that is gone has rows, and lies in no subtree.
    let deleted = json!({"type": "delete_level", "level": DEV});
    server.append(&[entry_at("2026-07-05T00:00:00Z", &[deleted])]);
    let gone = [format!("A {DEV} false"), format!("b {DEV} false")];
    assert_eq!(names(&format!("?on={DEV}")), gone);
    assert_eq!(names(&format!("?on={DEV}&at=2026-07-04T23:59:59.999999Z")), [a, b]);
    assert_eq!(names("?under=directory:west"), ["A directory:west true"]);
    for wrong in [format!("on={DEV}&source=nobody"), "under=subaccount:dev".to_owned()] {
        server.get(&format!("/v1/sources?{wrong}")).is_problem(404, "unknown_level", &[DEV]);
    }
    server.get("/v1/sources?on=subaccount:none").is_problem(404, "unknown_level", &[]);
    let both = format!("/v1/sources?on={DEV}&under={DEV}");
    server.get(&both).is_problem(400, "bad_request", &["at most one of the two"]);
}

#[test]
fn a_table_of_sources_shows_gaps() {
    let (server, _data) = server();
    let ran = tenure(&server, &["sources"]);
    assert!(ran.stdout.starts_with("nothing"), "{ran:?}");
    observe(&server, "2026-07-01T00:00:00Z", &[("subtree", json!(true))]);
    for day in 1..6 {
        let (from, to) = (format!("2026-07-1{day}T00:00:00Z"), format!("2026-07-1{day}T12:00:00Z"));
        observe(&server, &to, &[("from", from.into())]);
    }
    let ran = tenure(&server, &["sources", "--on", DEV, "--at", "2026-08-01"]);
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    for shown in ["nightly listing", "and below", "and 2 more", "2026-07-01T00:00:00.000001Z until"]
    {
        assert!(ran.stdout.contains(shown), "{shown}: {}", ran.stdout);
    }
    let json = ["--format", "json", "sources", "--source", "nightly listing"];
    let answer: Value = serde_json::from_str(&tenure(&server, &json).stdout).unwrap();
    assert_eq!(answer["sources"][0]["gap_count"], 5, "{answer:#}");
    let csv = tenure(&server, &["--format", "csv", "sources", "--under", "global-account:acme"]);
    assert!(csv.stdout.starts_with("source,level,first,last,last listed,listings,gaps"), "{csv:?}");
    let both = tenure(&server, &["sources", "--on", DEV, "--under", DEV]);
    assert_eq!(both.status.code(), Some(2), "{both:?}");
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
