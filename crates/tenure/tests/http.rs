//! The door over HTTP: what it answers, streams and counts
#![expect(
    clippy::unwrap_used,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;

use std::time::{Duration, Instant};

use common::{
    Events, Start, entry, entry_at, grant, landscape, poll, query, server, tenure, tenure_on,
};
use serde_json::{Value, json};
use tenure_core::{DEFAULT_ORIGIN, Ledger, RecordedAt};
use tenure_journal::Journal;
use tenure_log::{Message, embedded};
use tenure_server::engine::record;
use tenure_wire::codec::decode_draft;
use uuid::Uuid;

#[test]
fn every_question_has_its_answer() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let get = |path: &str| server.get(path).ok();
    let on = "on=subaccount:dev";
    let can = "can=destinations.manage";
    let alice = "principal=alice@acme.example";
    let who = get(&format!("/v1/who?{can}&{on}&explain=true"));
    assert_eq!(who["total"], 1);
    assert_eq!(who["subjects"][0]["principal"], "user:sap.default/alice@acme.example");
    assert_eq!(who["subjects"][0]["because"][0]["entry"], 14);
    assert_eq!(who["sets"], json!([]));
    let under = get(&format!("/v1/who?{can}&under=global-account:acme"));
    assert_eq!(under["subjects"][0]["levels"], json!(["subaccount:dev"]));
    let during = get(&format!("/v1/who?{can}&{on}&from=2024-01-01"));
    let interval = &during["subjects"][0]["intervals"][0];
    assert_eq!(interval["from"], "2024-02-01T00:00:00Z");
    assert_eq!(interval["until"], "2099-01-01T00:00:00Z");
    let what = get(&format!("/v1/what?{alice}&{on}"));
    assert_eq!(what["role_collections"], json!(["Destination Administrator"]));
    assert!(what["operations"].as_array().unwrap().contains(&json!("destinations.manage")));
    let check = get(&format!("/v1/check?{alice}&{can}&{on}"));
    assert_eq!(check["allowed"], true);
    assert_eq!(check["missing"], Value::Null);
    let denied = get(&format!("/v1/check?principal=bob@acme.example&{can}&{on}"));
    assert_eq!((&denied["allowed"], denied["missing"].is_object()), (&json!(false), true));
    let timeline = get(&format!("/v1/timeline?{alice}&{can}&{on}"));
    assert_eq!(timeline["intervals"][0]["until"], "2099-01-01T00:00:00Z");
    let place = get(&format!("/v1/where?{alice}&{can}&under=global-account:acme"));
    assert_eq!(place["levels"], json!(["subaccount:dev"]));
    let diff = get("/v1/diff?from=2024-01-15&until=2024-03-01");
    assert_eq!(diff["gained"].as_array().unwrap().len(), 2);
    let assignments = get(&format!("/v1/assignments?{on}"));
    assert_eq!(assignments["assignments"].as_array().unwrap().len(), 2);
    assert_eq!(get("/v1/levels")["levels"].as_array().unwrap().len(), 5);
    let collections = get(&format!("/v1/role-collections?{on}"));
    assert!(
        collections["role_collections"]
            .as_array()
            .unwrap()
            .iter()
            .any(|c| c["role_collection"] == "Subaccount Viewer")
    );
    let catalog = get("/v1/catalog");
    assert_eq!(catalog["catalog"]["version"], catalog["as_of"]["catalog"]);
    for answer in [&who, &what, &check, &place, &assignments, &catalog] {
        for field in ["at", "known_at", "recorded_at", "catalog", "revision"] {
            assert!(answer["as_of"].get(field).is_some(), "{field}: {answer:#}");
        }
    }
    // The answer about an interval has no `at` and no catalogue.
    assert_eq!(timeline["as_of"].get("at"), None);
    assert_eq!(timeline["as_of"].get("catalog"), None);
    // At that position the level was not known yet.
    server.get(&format!("/v1/who?{can}&{on}&known_at=12")).is_problem(404, "unknown_level", &[]);
    server.stop();
}

/// A data folder whose one entry was recorded so many seconds after now: the log's clock is ahead of this machine's
fn recorded_ahead(seconds: i64) -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(data.path(), None).unwrap();
    let level = json!({ "type": "create_level", "level": "global-account:early" });
    let item = decode_draft(&entry(&[level]), DEFAULT_ORIGIN, Uuid::now_v7).unwrap();
    let ahead = embedded::now().micros() + seconds * 1_000_000;
    let message = Message {
        submitter: tenure_core::Principal::local(),
        caller: None,
        stamped_at: RecordedAt::saturating_from_micros(ahead),
        entries: vec![item.into()],
        origin: None,
        waiter: None,
    };
    let mut ledger = Ledger::new(journal.ledger());
    record(&mut journal, &mut ledger, vec![message]).unwrap();
    data
}

#[test]
fn what_was_just_acknowledged_is_in_force_although_the_clock_of_the_log_is_ahead() {
    let data = recorded_ahead(3_600);
    let server = server(&data);
    let appended = server.post("/v1/entries", &entry(&[grant("carol@acme.example")])).ok();
    let recorded_at = &appended["results"][0]["recorded_at"];
    let asked =
        "principal=carol@acme.example&can=role-collection:Subaccount%20Viewer&on=subaccount:dev";
    let check = server.get(&format!("/v1/check?{asked}")).ok();
    assert_eq!((&check["allowed"], &check["as_of"]["at"]), (&json!(true), recorded_at));
    let earlier = server.get(&format!("/v1/check?{asked}&at=2026-01-01")).ok();
    assert_eq!(earlier["allowed"], false);
    // The server says by how much the clocks disagree, and is ready.
    let ready = server.get("/readyz").ok();
    let behind = ready["clock"]["behind_log_seconds"].as_f64().unwrap();
    assert!(behind > 3_000.0 && behind <= 3_600.0, "{ready}");
    let metrics = server.get("/metrics").text;
    assert!(metrics.contains("tenure_clock_offset_seconds -3"), "{metrics}");
    // It logs that once a minute, not with each entry.
    assert_eq!(server.stderr().matches("clock is behind").count(), 1, "{}", server.stderr());
    server.stop();
}

#[test]
fn an_answer_says_whether_it_is_new_enough() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let answer = server.post("/v1/entries", &entry(&[grant("carol@acme.example")])).ok();
    let revision = answer["revision"].as_str().unwrap();
    let newest = answer["results"][0]["position"].as_u64().unwrap();
    assert_eq!(revision, format!("default@{newest}"));
    let seen = server
        .get(&format!("/v1/assignments?principal=carol@acme.example&min_position={revision}"));
    assert_eq!(seen.ok()["as_of"]["known_at"], newest);
    // A position that comes during the wait is answered; for one that does not come the wait ends after two seconds.
    let next = newest + 1;
    let waiting = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| server.get(&format!("/v1/levels?min_position={next}")));
        server.append(&[entry(&[grant("dave@acme.example")])]);
        waiting.join().unwrap()
    });
    assert!(waiting.ok()["as_of"]["known_at"].as_u64().unwrap() >= next);
    let began = Instant::now();
    let behind = server.get(&format!("/v1/levels?min_position={}", next + 7));
    behind.is_problem(409, "behind", &[&next.to_string(), "7 behind"]);
    assert!(began.elapsed() >= Duration::from_secs(2));
    server.stop();
}

#[test]
fn an_entry_is_waited_for() {
    let data = tempfile::tempdir().unwrap();
    // One of the four places may be taken by a waiting question.
    let server = Start::on(data.path()).arg("--requests-max", "4").ready();
    server.append(&landscape());
    let published = entry(&[grant("carol@acme.example")]);
    let path = format!("/v1/entries/{}", published["id"].as_str().unwrap());
    let row = std::thread::scope(|scope| {
        // The request that looks whether the other one waits may itself have that place for a moment.
        let waits = || {
            let answer = server.get(&format!("{path}?wait=20000"));
            (answer.status != 503).then_some(answer)
        };
        let waiting = scope.spawn(move || poll(waits).expect("a place"));
        let taken = poll(|| {
            let other = server.get("/v1/entries/00000000-0000-7000-8000-000000000000?wait=1");
            (other.status == 503).then_some(other)
        });
        taken.expect("it waits").is_problem(503, "overloaded", &["wait"]);
        server.append(std::slice::from_ref(&published));
        waiting.join().unwrap().ok()
    });
    assert_eq!((&row["id"], &row["outcome"]), (&published["id"], &json!("applied")));
    let newest = server.position();
    let began = Instant::now();
    let absent = format!("/v1/entries/{}", newest + 1);
    server.get(&format!("{absent}?wait=50")).is_problem(404, "unknown_entry", &[]);
    assert!(began.elapsed() >= Duration::from_millis(50));
    for wrong in ["20001", "-1", "1.5", "", "5s"] {
        let answer = server.get(&format!("{absent}?wait={wrong}"));
        answer.is_problem(400, "bad_request", &["`wait`", "20000"]);
    }
    // An entry that is there is answered at once, and so is a name that cannot be an entry's.
    assert_eq!(server.get(&format!("/v1/entries/{newest}?wait=20000")).ok()["id"], row["id"]);
    server.get("/v1/entries/nonsense?wait=20000").is_problem(400, "bad_request", &["UUID"]);
    let ran = tenure(&[
        "--server",
        &server.url(),
        "--format",
        "json",
        "entry",
        &newest.to_string(),
        "--wait",
        "5000",
    ]);
    assert_eq!(ran.exits(0).json()["id"], row["id"]);
    server.stop();
}

#[test]
fn a_dry_run_decides_entries_one_after_another_and_keeps_none() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let newest = server.position();
    let first = entry(&[grant("carol@acme.example")]);
    let mut other = first.clone();
    other["reason"] = "another content".into();
    let mut late = entry(&[grant("carol@acme.example")]);
    late["changes"][0]["until"] = "2098-01-01T00:00:00Z".into();
    let known = server.get("/v1/entries/14").ok()["entry"].clone();
    let body = json!({ "entries": [first, first, other, late, known] });
    let dry = server.post("/v1/entries?dry_run=true", &body).ok();
    let results = dry["results"].as_array().unwrap();
    let outcomes: Vec<&str> = results.iter().map(|one| one["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["applied", "duplicate", "refused", "applied", "duplicate"]);
    assert!(results.iter().all(|one| one["position"].is_null() && one["recorded_at"].is_null()));
    assert_eq!(results[0]["id"], first["id"]);
    assert_eq!(results[1]["original"]["position"], newest + 1);
    assert_eq!(results[2]["refusal"]["code"], "id_reused");
    assert_eq!(results[3]["notes"][0]["code"], "terms_changed");
    assert_eq!(results[4]["original"], json!({ "position": 14, "outcome": "applied" }));
    assert!(dry["revision"].as_str().unwrap().ends_with(&format!("@{newest}")));
    // Nothing is there, and none of the ids is taken.
    assert_eq!(server.position(), newest);
    let id = first["id"].as_str().unwrap();
    server.get(&format!("/v1/entries/{id}")).is_problem(404, "unknown_entry", &[]);
    server.get("/v1/entries?principal=carol@acme.example").ok();
    let appended = server.post("/v1/entries?dry_run=false", &first).ok();
    assert_eq!(appended["results"][0]["position"], newest + 1);
    assert_eq!(appended["results"][0]["outcome"], "applied");
    assert_eq!(appended["results"][0].get("notes"), None);
    let again = server.post("/v1/entries", &late).ok();
    let note = &again["results"][0]["notes"][0];
    assert_eq!((&note["code"], &note["change"]), (&json!("terms_changed"), &json!(0)));
    // A row of the log has no notes.
    let row = server.get(&format!("/v1/entries/{}", newest + 2)).ok();
    assert_eq!(row.get("notes"), None);
    for (query, code, part) in [
        ("dry_run=yes", "bad_request", "`dry_run`"),
        ("dryrun=true", "unknown_parameter", "dryrun"),
        ("dry_run=true&dry_run=true", "bad_request", "twice"),
    ] {
        server.post(&format!("/v1/entries?{query}"), &first).is_problem(400, code, &[part]);
    }
    server.stop();
}

#[test]
fn a_search_finds_what_other_questions_take() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let found = |query: &str| {
        let answer = server.get(&format!("/v1/search?{query}")).ok();
        let found = answer["found"].as_array().unwrap().clone();
        (found, answer["more"] == true)
    };
    let (all, more) = found("q=DEV");
    assert_eq!((&all[0]["kind"], &all[0]["id"]), (&json!("subaccount"), &json!("subaccount:dev")));
    let path = ["global-account:acme", "directory:eu", "directory:west"];
    assert_eq!(all[0]["path"], json!(path));
    assert!(!more);
    let (alice, _) = found("q=ali&kind=user");
    assert_eq!(alice[0]["id"], "user:sap.default/alice@acme.example");
    let (one, more) = found("q=viewer&limit=1");
    assert_eq!((one.len(), more), (1, true));
    let (operation, _) = found("q=destinations.manage");
    assert_eq!(operation[0]["kind"], "operation");
    assert_eq!(found("q=xyzzy"), (vec![], false));
    for (query, part) in [
        ("q=", "no word"),
        ("q=x&kind=scope", "`kind`"),
        ("q=x&limit=201", "1 to 200"),
        ("kind=user", "`q` is missing"),
    ] {
        server.get(&format!("/v1/search?{query}")).is_problem(400, "bad_request", &[part]);
    }
    let levels = |query: &str| server.get(&format!("/v1/levels?{query}"));
    let under = levels("under=subaccount:dev").ok();
    assert_eq!(under["levels"][0]["level"], "subaccount:dev");
    assert_eq!(levels("kind=global-account").ok()["levels"].as_array().unwrap().len(), 1);
    levels("under=subaccount:nowhere").is_problem(404, "unknown_level", &[]);
    levels("kind=user").is_problem(400, "bad_request", &["`subaccount`"]);
    server.stop();
}

#[test]
fn pages_are_of_one_answer() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let users: Vec<String> = (0..25).map(|n| format!("u{n:02}@acme.example")).collect();
    server.append(&users.iter().map(|user| entry(&[grant(user)])).collect::<Vec<_>>());
    let question = "/v1/who?can=role-collection:Subaccount%20Viewer&on=subaccount:dev";
    let whole = server.get(question).ok();
    assert_eq!(whole["total"], 26);
    let mut pages = Vec::new();
    let mut token = String::new();
    loop {
        let page = server.get(&format!("{question}&limit=7{token}")).ok();
        assert_eq!(page["as_of"]["known_at"], whole["as_of"]["known_at"]);
        assert_eq!(page["total"], 26);
        pages.extend(page["subjects"].as_array().unwrap().clone());
        let Some(next) = page["next_page_token"].as_str() else {
            break;
        };
        token = format!("&page_token={next}");
        // Entries that come meanwhile are not part of this answer.
        server.append(&[entry(&[grant(&format!("a{}@acme.example", pages.len()))])]);
    }
    assert_eq!(json!(pages), whole["subjects"]);
    server.stop();
}

#[test]
fn a_difference_is_of_one_answer_over_all_its_lists() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let move_dev =
        json!({ "type": "move_level", "level": "subaccount:dev", "parent": "directory:eu" });
    let changes = [
        move_dev,
        json!({ "type": "create_level", "level": "subaccount:new", "parent": "directory:west" }),
        json!({ "type": "set_level", "level": "directory:west", "name": "West" }),
        json!({ "type": "create_role_collection", "level": "subaccount:dev", "role_collection": "Mine",
            "roles": ["Subaccount Viewer"] }),
        json!({ "type": "revoke", "level": "subaccount:dev", "role_collection": "Subaccount Viewer",
            "from": "user:sap.default/bob@acme.example" }),
        grant("carol@acme.example"),
    ];
    server.append(&[entry(&changes)]);
    let question = "/v1/diff?from=2025-01-01";
    let whole = server.get(question).ok();
    assert_eq!(whole["gained"][0]["principal"], "user:sap.default/carol@acme.example");
    assert_eq!(whole["lost"][0]["principal"], "user:sap.default/bob@acme.example");
    assert_eq!(
        whole["levels"],
        json!({
            "created": ["subaccount:new"],
            "deleted": [],
            "moved": [{ "level": "subaccount:dev", "from": "directory:west", "until": "directory:eu" }],
            "changed": [{ "level": "directory:west", "before": {}, "after": { "name": "West" },
                "feature_set": { "before": "B", "after": "B" },
                "environment": { "before": "multi", "after": "multi" } }],
        })
    );
    let definitions = whole["definitions"].as_array().unwrap();
    assert_eq!(definitions[0]["level"], "subaccount:dev");
    assert_eq!(definitions[0]["gained"], json!(["cis-local/Subaccount Viewer"]));
    let by_catalog = definitions.iter().find(|row| row["kind"] == "subaccount").unwrap();
    assert_eq!((&by_catalog["feature_set"], &by_catalog["levels"]), (&json!("B"), &json!(1)));
    let catalog = |side: &str| whole["as_of"][side]["catalog"].clone();
    assert_eq!(whole["catalogs"], json!({ "from": catalog("from"), "until": catalog("until") }));
    let lists = [
        "/gained",
        "/lost",
        "/changed",
        "/levels/created",
        "/levels/deleted",
        "/levels/moved",
        "/levels/changed",
        "/definitions",
    ];
    let rows = |answer: &Value| -> Vec<(&str, Value)> {
        let of = |list| answer.pointer(list).unwrap().as_array().unwrap().clone();
        lists.iter().flat_map(|list| of(list).into_iter().map(|row| (*list, row))).collect()
    };
    let mut pages = Vec::new();
    let (mut as_of, mut token) = (None, String::new());
    loop {
        let page = server.get(&format!("{question}&limit=2{token}")).ok();
        assert_eq!(page["as_of"], *as_of.get_or_insert_with(|| page["as_of"].clone()));
        assert_eq!(page.get("catalogs").is_some(), pages.is_empty());
        assert!(rows(&page).len() <= 2);
        pages.extend(rows(&page));
        let Some(next) = page["next_page_token"].as_str() else { break };
        token = format!("&page_token={next}");
        // What is recorded meanwhile is not part of this answer, neither at the one coordinate nor at the other.
        server.append(&[entry(&[grant(&format!("a{}@acme.example", pages.len()))])]);
    }
    assert_eq!(pages, rows(&whole));
    let own = server.get(&format!("{question}&principal=bob@acme.example")).ok();
    for field in ["levels", "definitions", "catalogs"] {
        assert_eq!(own.get(field), None);
    }
    server.stop();
}

#[test]
fn who_gained_or_lost_a_power_is_asked_in_the_same_place() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let (apj, dora) = ("directory:apj", "user:sap.default/dora@acme.example");
    server.append(&[
        entry_at(
            "2025-01-01T00:00:00Z",
            &[
                json!({ "type": "create_level", "level": apj, "parent": "global-account:acme" }),
                json!({ "type": "grant", "level": "directory:eu", "role_collection": "Directory Administrator",
                    "to": dora }),
            ],
        ),
        entry_at(
            "2026-04-01T00:00:00Z",
            &[json!({ "type": "move_level", "level": "subaccount:dev", "parent": apj })],
        ),
    ]);
    let times = "from=2026-03-01&until=2026-05-01";
    let can = "can=subaccounts.update";
    let lost = json!([{ "principal": dora, "levels": ["subaccount:dev"] }]);
    for place in ["on=subaccount:dev", "under=global-account:acme", "under=directory:eu"] {
        let diff = server.get(&format!("/v1/diff?{can}&{place}&{times}")).ok();
        assert_eq!((&diff["gained"], &diff["lost"]), (&json!([]), &lost), "{place}");
        assert_eq!(diff["as_of"]["from"]["at"], "2026-03-01T00:00:00Z");
    }
    let back = "from=2026-05-01&until=2026-03-01";
    let diff = server.get(&format!("/v1/diff?{can}&on=subaccount:dev&{back}&limit=1")).ok();
    assert_eq!((&diff["gained"], diff.get("next_page_token")), (&lost, None));
    let whole = server.get(&format!("/v1/diff?{times}")).ok();
    assert_eq!(whole["levels"]["moved"][0]["level"], "subaccount:dev");
    for (query, status, code) in [
        (format!("{can}&{times}"), 400, "bad_request"),
        (format!("on=subaccount:dev&{times}"), 400, "bad_request"),
        (format!("{can}&on=subaccount:dev&principal={dora}"), 400, "bad_request"),
        (format!("{can}&on=subaccount:nowhere&{times}"), 404, "unknown_level"),
        (format!("can=no.such&on=subaccount:dev&{times}"), 404, "unknown_operation"),
        (format!("can=role:none&on=subaccount:dev&{times}"), 404, "unknown_role"),
    ] {
        server.get(&format!("/v1/diff?{query}")).is_problem(status, code, &[]);
    }
    server.stop();
}

#[test]
fn the_log_is_read_in_pages_and_by_what_entries_name() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let mut refused = entry(&[grant("carol@acme.example")]);
    refused["changes"][0]["level"] = "subaccount:nowhere".into();
    refused["actor"] = "user:sap.default/eve@acme.example".into();
    server.post("/v1/entries", &refused).ok();
    let again = landscape().remove(0);
    server.append(&[entry(&[json!({ "type": "create_level", "level": "directory:asia", "parent": "global-account:acme" })])]);
    server.post("/v1/entries", &again).ok();
    let rows = |query: &str| {
        let page = server.get(&format!("/v1/entries?{query}")).ok();
        let position = |row: &Value| row["position"].as_u64().unwrap();
        page["entries"].as_array().unwrap().iter().map(position).collect::<Vec<_>>()
    };
    assert_eq!(rows("limit=3"), [1, 2, 3]);
    assert_eq!(server.get("/v1/entries?limit=3").ok()["next_after"], 3);
    assert_eq!(rows("after=12"), [13, 14, 15, 16, 17, 18]);
    assert_eq!(server.get("/v1/entries?after=12").ok().get("next_after"), None);
    assert_eq!(rows("principal=alice@acme.example"), [14]);
    assert_eq!(rows("principal=carol@acme.example"), [16]);
    assert_eq!(rows("actor=eve@acme.example"), [16]);
    assert_eq!(rows("outcome=refused"), [16, 18]);
    assert_eq!(rows("level=directory:asia"), [17]);
    assert_eq!(rows("level=subaccount:dev"), [13, 14, 15, 18]);
    assert_eq!(rows("role_collection=Destination%20Administrator"), [14]);
    let row = server.get("/v1/entries/16").ok();
    let by_id = server.get(&format!("/v1/entries/{}", row["id"].as_str().unwrap())).ok();
    assert_eq!(row, by_id);
    assert_eq!(row["entry"]["actor"], "user:sap.default/eve@acme.example");
    server.stop();
}

#[test]
fn a_voided_entry_stays_and_says_so() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let id = server.get("/v1/entries/14").ok()["id"].clone();
    let position =
        server.append(&[entry(&[json!({ "type": "void", "entry": id, "note": "wrong person" })])])
            [0]["position"]
            .clone();
    assert_eq!(server.get("/v1/entries/14").ok()["voided_by"], position);
    let check = "/v1/check?principal=alice@acme.example&can=destinations.manage&on=subaccount:dev";
    assert_eq!(server.get(check).ok()["allowed"], false);
    assert_eq!(server.get(&format!("{check}&known_at=15")).ok()["allowed"], true);
    server.stop();
}

#[test]
fn changes_are_streamed_from_any_position_and_live() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let viewer = |user: &str| entry(&[grant(user)]);
    let ids =
        |stream: &Events, count: usize| (0..count).map(|_| stream.next().id).collect::<Vec<_>>();
    let stream = Events::of(&server, "/v1/changes?after=13", None);
    let first = stream.next();
    assert_eq!((first.id.as_str(), first.name.as_str()), ("14", "applied"));
    assert_eq!(first.json(), server.get("/v1/entries/14").ok());
    assert_eq!(stream.next().id, "15");
    // The live stream has applied entries only: a refused entry or a duplicate changes nothing.
    let carol = viewer("carol@acme.example");
    server.append(std::slice::from_ref(&carol));
    server.post("/v1/entries", &carol).ok();
    let mut refused = viewer("dave@acme.example");
    refused["changes"][0]["level"] = "subaccount:nowhere".into();
    server.post("/v1/entries", &refused).ok();
    server.append(&[viewer("erin@acme.example")]);
    assert_eq!(ids(&stream, 2), ["16", "19"]);
    // A client that comes back misses nothing. The header takes precedence over the address.
    let again = Events::of(&server, "/v1/changes?after=13", Some(16));
    assert_eq!(again.next().id, "19");
    // A stream from the first entry on, with more entries than are read ahead at once.
    let many: Vec<Value> = (0..900).map(|n| viewer(&format!("u{n}@acme.example"))).collect();
    server.append(&many);
    let all = Events::of(&server, "/v1/changes", None);
    let seen = ids(&all, 917);
    assert_eq!(
        seen[..17],
        [
            "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
            "19"
        ]
    );
    assert_eq!(seen[916], server.position().to_string());
    // A stream after the newest position has no old entries.
    let newest = server.position();
    let live = Events::of(&server, &format!("/v1/changes?after={newest}"), None);
    server.append(&[viewer("frank@acme.example")]);
    assert_eq!(live.next().id, (newest + 1).to_string());
    server.get(&format!("/v1/changes?after={}", newest + 2)).is_problem(409, "not_yet", &[]);
    let url = format!("{}/v1/changes", server.url());
    let wrong = server.agent().get(url).header("Last-Event-ID", "x").call().unwrap();
    assert_eq!(wrong.status(), 400);
    // A stop ends the streams, which do not delay it.
    assert_eq!(ids(&again, 901).last().unwrap(), &(newest + 1).to_string());
    server.stop();
    assert_eq!(again.next_or_end(), None);
    assert_eq!(live.next_or_end(), None);
}

#[test]
fn the_description_is_of_what_is_there() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let document = server.get("/openapi.json");
    assert_eq!(document.content_type, "application/json");
    let document = document.ok();
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    let paths = document["paths"].as_object().unwrap();
    for path in ["/v1/entries", "/v1/who", "/v1/check", "/v1/changes", "/healthz", "/metrics"] {
        assert!(paths.contains_key(path), "{path}");
    }
    // This one is there where the settings say so: `authzen.rs` has it.
    let always = paths.iter().filter(|(path, _)| !path.starts_with("/.well-known/"));
    for (path, methods) in always {
        let real = path.replace("{entry}", "1");
        for method in methods.as_object().unwrap().keys() {
            // A wrong question is enough to see that the path and its method exist.
            let answer = match method.as_str() {
                "get" => server.get(&format!("{real}?nothing=x")),
                "post" => server.post(&real, &json!(7)),
                other => panic!("{other} {path} is not tested"),
            };
            assert!(![404, 405, 500].contains(&answer.status), "{method} {path}: {answer:#?}");
        }
    }
    server.stop();
}

#[test]
fn who_handed_an_entry_in_is_shown_and_is_a_filter() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let mut claimed = entry(&[grant("carol@acme.example")]);
    claimed["actor"] = json!("client:tenure/local");
    let appended = server.append(std::slice::from_ref(&claimed));
    let position = appended[0]["position"].as_u64().unwrap();
    let row = server.get(&format!("/v1/entries/{position}")).ok();
    assert_eq!(row["submitter"], "client:tenure/anonymous", "{row}");
    assert_eq!(row["entry"]["actor"], "client:tenure/local", "{row}");
    let by = |who: &str| {
        let answer = server.get(&format!("/v1/entries{}", query(&[("submitter", who)]))).ok();
        answer["entries"].as_array().unwrap().len() as u64
    };
    // The catalogues are the folder's own.
    let catalogs = by("client:tenure/local");
    assert!(catalogs > 0);
    assert_eq!(by("client:tenure/anonymous"), position - catalogs);
    assert_eq!(by("client:nats/crm"), 0);
    // The submitter is not content: the same entry from another one is a duplicate.
    server.stop();
    let file = data.path().with_extension("json");
    std::fs::write(&file, claimed.to_string()).unwrap();
    let ran = tenure_on(data.path(), &["submit", file.to_str().unwrap()]);
    std::fs::remove_file(&file).unwrap();
    assert!(ran.exits(0).stdout.contains("duplicate"), "{ran:#?}");
    let asked = ["--format", "csv", "history", "--submitter", "client:tenure/local"];
    let ran = tenure_on(data.path(), &asked);
    let rows = ran.exits(0).stdout.lines().count() as u64;
    assert_eq!(rows, 1 + catalogs + 1, "{ran:#?}");
    // A table has the column only where somebody else is in it.
    let table = |arguments: &[&str]| tenure_on(data.path(), arguments).exits(0).stdout.clone();
    assert!(table(&["log"]).contains("SUBMITTER"));
    assert!(!table(&["history", "--submitter", "client:tenure/local"]).contains("SUBMITTER"));
}

#[test]
fn what_happens_is_counted() {
    let data = tempfile::tempdir().unwrap();
    let server = server(&data);
    let duplicate = entry(&[grant("carol@acme.example")]);
    server.append(std::slice::from_ref(&duplicate));
    server.post("/v1/entries", &duplicate).ok();
    server.get("/v1/levels").ok();
    server.get("/v1/levels?at=2024-01-01").ok();
    server.get("/v1/who?can=no.such&on=subaccount:dev");
    let text = server.get("/metrics");
    assert!(text.content_type.starts_with("application/openmetrics-text"));
    assert!(text.text.ends_with("# EOF\n"), "{text:#?}");
    for (name, value) in [
        ("tenure_entries_total{outcome=\"applied\"}", 4.0),
        ("tenure_entries_total{outcome=\"duplicate\"}", 1.0),
        ("tenure_questions_total{question=\"levels\",status=\"200\"}", 2.0),
        ("tenure_questions_total{question=\"who\",status=\"404\"}", 1.0),
        ("tenure_append_duration_seconds_count", 3.0),
        ("tenure_position", 17.0),
        ("tenure_ready", 1.0),
        ("tenure_requests_in_flight", 0.0),
    ] {
        assert_eq!(server.metric(name), Some(value), "{name} in {}", text.text);
    }
    assert!(server.metric("tenure_journal_size_bytes").unwrap() > 0.0);
    assert_eq!(server.get("/healthz").ok(), json!({ "status": "alive" }));
    let ready = json!({ "status": "ready", "ledger": "default", "position": 17 });
    assert_eq!(server.get("/readyz").ok(), ready);
    server.stop();
}
