//! A ledger that governs itself: who may append and read is in it, for doors, for the command line and for auditors
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use std::time::Duration;

use common::http2::{Http2, block_on};
use common::{Ran, Server, Start, command, entry_at, grant, landscape, poll, run};
use serde_json::{Value, json};
use tempfile::TempDir;
use tenure_server::hall::token_digest;
use ureq::http::Request;

const ROOT: &str = "user:corp/root@x";
const AUDITOR: &str = "user:corp/auditor@x";
const FEED: &str = "client:corp/feed";
const ANN: &str = "user:corp/ann@x";
const DEV: &str = "subaccount:dev";
const WHO: &str = "/v1/who?can=destinations.manage&on=subaccount:dev";

struct Governed {
    server: Server,
    _folder: TempDir,
}

/// A server that knows these four; the token of each is its name
fn served() -> Governed {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens.toml");
    let row = |who: &str| {
        format!("[[token]]\nsha256 = \"{}\"\nprincipal = \"{who}\"\n", token_digest(who))
    };
    fs::write(&tokens, [ROOT, AUDITOR, FEED, ANN].map(row).concat()).unwrap();
    fs::set_permissions(&tokens, fs::Permissions::from_mode(0o600)).unwrap();
    let server = Start::on(&folder.path().join("data")).arg("--tokens", tokens.to_str().unwrap());
    Governed { server: server.ready(), _folder: folder }
}

impl Governed {
    fn cli(&self, who: &str, arguments: &[&str]) -> Ran {
        let mut command = command();
        command.args(["--server", &self.server.url()]).args(arguments).env("TENURE_TOKEN", who);
        run(&mut command)
    }

    fn get(&self, who: &str, path: &str) -> (u16, Value) {
        let url = format!("{}{path}", self.server.url());
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut answer =
            agent.get(url).header("authorization", format!("Bearer {who}")).call().unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&text).unwrap())
    }

    fn append(&self, who: &str, entry: &Value) -> Value {
        let url = format!("{}/v1/entries", self.server.url());
        let request = ureq::post(url).header("authorization", format!("Bearer {who}"));
        let request = request.content_type("application/json");
        let mut answer = request.send(entry.to_string().as_bytes()).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["results"][0].clone()
    }

    #[track_caller]
    fn applied(&self, who: &str, entry: &Value) {
        let result = self.append(who, entry);
        assert_eq!(result["outcome"], "applied", "{result:#}");
    }

    #[track_caller]
    fn forbidden(&self, who: &str, entry: &Value) {
        let result = self.append(who, entry);
        assert_eq!(result["refusal"]["code"], "forbidden", "{result:#}");
        // It owns no id, and is found by it all the same.
        let (status, row) =
            self.get(ROOT, &format!("/v1/entries/{}", result["id"].as_str().unwrap()));
        assert_eq!((status, &row["position"]), (200, &result["position"]), "{row:#}");
    }

    fn role(&self, role: &str, level: &str, to: &str) {
        let ran = self.cli(ROOT, &["grant", "--role", role, "--to", to, "--on", level]);
        assert!(ran.stdout.contains("applied"), "{ran:?}");
    }
}

fn given(to: &str) -> Value {
    json!({ "actor": "user:corp/somebody", "changes": [grant(to)] })
}

#[test]
fn who_may_is_decided_by_the_ledger_from_the_next_entry_on() {
    let governed = served();
    for entry in landscape() {
        governed.applied(ANN, &entry);
    }
    let govern = governed.cli(ROOT, &["govern", "--administrator", ROOT, "--reason", "we go live"]);
    assert!(govern.stdout.contains("applied"), "{govern:?}");
    governed.role("tenure/Auditor", "global-account:acme", AUDITOR);
    governed.role("tenure/Submitter", DEV, FEED);

    governed.forbidden(ANN, &given("a@x"));
    governed.forbidden(AUDITOR, &given("a@x"));
    governed.applied(FEED, &given("a@x"));
    governed.applied(ROOT, &given("b@x"));
    // Not beyond its level, and not by an entry that is dated back to when access was open.
    let outside = json!({ "type": "create_level", "level": "global-account:other" });
    governed.forbidden(FEED, &json!({ "actor": FEED, "changes": [outside] }));
    governed.forbidden(ANN, &entry_at("2024-06-01T00:00:00Z", &[grant("c@x")]));
    // Nobody gives himself a right.
    let own = json!({ "type": "grant", "level": DEV, "role": "tenure/Administrator", "to": FEED });
    governed.forbidden(FEED, &json!({ "actor": FEED, "changes": [own] }));

    let status = |who: &str, path: &str| governed.get(who, path).0;
    assert_eq!([ROOT, AUDITOR, FEED, ANN].map(|who| status(who, WHO)), [200, 200, 403, 403]);
    for path in [
        "/v1/entries",
        "/v1/levels",
        "/v1/search?q=a",
        "/v1/sources",
        "/v1/principals",
        "/v1/catalog",
    ] {
        assert_eq!([status(ROOT, path), status(AUDITOR, path)], [200, 403], "{path}");
    }
    for path in ["/v1/sources?on=subaccount:dev", "/v1/sources?under=global-account:acme"] {
        let all = [ROOT, AUDITOR, FEED, ANN].map(|who| status(who, path));
        assert_eq!(all, [200, 200, 403, 403], "{path}");
    }
    // What is forbidden says so before anything is looked up.
    let (code, problem) = governed.get(ANN, "/v1/who?can=no.such&on=subaccount:none");
    assert_eq!((code, &problem["code"]), (403, &json!("forbidden")), "{problem:#}");
    // About oneself everybody may ask.
    for path in [
        "/v1/assignments?principal=user:corp/ann@x",
        "/v1/check?principal=user:corp/ann@x&can=destinations.manage&on=subaccount:dev",
        "/v1/entries?principal=user:corp/ann@x",
    ] {
        assert_eq!([status(ANN, path), status(FEED, path)], [200, 403], "{path}");
    }
    let checks = json!({ "checks": [
        { "principal": ANN, "can": "destinations.manage", "on": DEV },
        { "principal": ROOT, "can": "destinations.manage", "on": DEV } ] });
    let url = format!("{}/v1/check", governed.server.url());
    let request = ureq::post(url).header("authorization", format!("Bearer {ANN}"));
    let mut answer =
        request.content_type("application/json").send(checks.to_string().as_bytes()).unwrap();
    let answer: Value = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
    assert_eq!(answer["results"][0]["allowed"], false, "{answer:#}");
    assert_eq!(answer["results"][1]["code"], "forbidden", "{answer:#}");
    // What was taken is gone at once.
    let ran =
        governed.cli(ROOT, &["revoke", "--role", "tenure/Submitter", "--from", FEED, "--on", DEV]);
    assert!(ran.stdout.contains("applied"), "{ran:?}");
    governed.forbidden(FEED, &given("d@x"));
}

#[test]
fn the_ledger_tells_who_could_read_and_write_it() {
    let governed = served();
    for entry in landscape() {
        governed.applied(ROOT, &entry);
    }
    governed.cli(ROOT, &["govern", "--administrator", ROOT]);
    governed.role("tenure/Auditor", DEV, AUDITOR);
    let who = governed.cli(ROOT, &["who", "--can", "ledger.read", "--on", DEV, "--explain"]);
    assert!(who.stdout.contains(AUDITOR) && who.stdout.contains("tenure/Auditor"), "{who:?}");
    assert!(who.stdout.contains(&format!("handed in by {ROOT}")), "{who:?}");
    let wrote =
        governed.cli(ROOT, &["who", "--can", "ledger.append", "--under", "global-account:acme"]);
    assert!(wrote.stdout.contains(ROOT) && !wrote.stdout.contains(AUDITOR), "{wrote:?}");
    let past =
        governed.cli(ROOT, &["who", "--can", "ledger.read", "--on", DEV, "--at", "2024-06-01"]);
    assert!(past.stdout.contains("nobody"), "{past:?}");
    let opened = governed.cli(ROOT, &["govern", "--open"]);
    assert!(opened.stdout.contains("applied"), "{opened:?}");
    assert_eq!(governed.get(ANN, WHO).0, 200);
}

#[test]
fn access_is_not_enforced_where_nobody_could_govern() {
    let governed = served();
    let level = json!({ "type": "set_level", "level": "ledger:default", "access": "enforced" });
    let result = governed.append(ROOT, &json!({ "actor": ROOT, "changes": [level] }));
    assert_eq!(result["refusal"]["code"], "not_allowed_here", "{result:#}");
    let ran = governed.cli(ROOT, &["govern", "--administrator", "group:corp/admins"]);
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    assert_eq!(governed.get(ANN, "/v1/levels").0, 200, "it stays open");
}

#[test]
fn what_is_forbidden_does_not_fill_the_log_and_the_log_of_access_says_who_asked_what() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens.toml");
    let row = |who: &str| {
        format!("[[token]]\nsha256 = \"{}\"\nprincipal = \"{who}\"\n", token_digest(who))
    };
    fs::write(&tokens, [ROOT, FEED, ANN].map(row).concat()).unwrap();
    fs::set_permissions(&tokens, fs::Permissions::from_mode(0o600)).unwrap();
    let server = Start::on(&folder.path().join("data")).arg("--tokens", tokens.to_str().unwrap());
    let server = server.env("TENURE_LOG_LEVEL", "info,tenure::access=debug").ready();
    let governed = Governed { server, _folder: folder };
    governed.cli(ROOT, &["govern", "--administrator", ROOT]).exits(0);

    let send = |who: &str| {
        let entries: Vec<Value> =
            (0..600).map(|_| entry_at("2025-01-01T00:00:00Z", &[grant("x@y")])).collect();
        let request = governed.server.agent().post(format!("{}/v1/entries", governed.server.url()));
        let request = request.header("authorization", format!("Bearer {who}"));
        let mut answer = request.send_json(json!({ "entries": entries })).unwrap();
        let after =
            answer.headers().get("retry-after").map(|after| after.to_str().unwrap().to_owned());
        let body: Value = answer.body_mut().read_json().unwrap();
        (answer.status().as_u16(), after, body)
    };
    assert_eq!((send(FEED).0, send(FEED).0), (200, 200));
    let (status, after, problem) = send(FEED);
    assert_eq!(
        (status, after.as_deref(), &problem["code"]),
        (429, Some("1"), &json!("too_many_requests"))
    );
    assert!(problem["detail"].as_str().unwrap().contains("forbidden"), "{problem:#}");
    let log = governed.get(ROOT, "/v1/entries?submitter=client:corp/feed&limit=10000").1;
    assert_eq!(log["entries"].as_array().unwrap().len(), 1_200);
    // Nor does it by what is refused for another reason, before it is asked who may.
    let empty = || {
        let mut entry = entry_at("2025-01-01T00:00:00Z", &[grant("x@y")]);
        entry["not_before"] = json!("2025-02-01T00:00:00Z");
        entry
    };
    let send_empty = |who: &str| {
        let request = governed.server.agent().post(format!("{}/v1/entries", governed.server.url()));
        let request = request.header("authorization", format!("Bearer {who}"));
        let entries: Vec<Value> = (0..1_000).map(|_| empty()).collect();
        request.send_json(json!({ "entries": entries })).unwrap().status().as_u16()
    };
    assert_eq!((send_empty(ANN), send_empty(ANN), send_empty(ANN)), (200, 200, 429));
    assert_eq!([(); 3].map(|()| send_empty(ROOT)), [200; 3], "who may append is not limited");
    // It may still ask, and the others may still append.
    assert_eq!(governed.get(FEED, &format!("/v1/assignments?principal={FEED}")).0, 200);
    assert_eq!(send(ROOT).0, 200);

    assert_eq!(governed.get(ANN, WHO).0, 403);
    // What the server says may come after its answer.
    let parts = [ANN, "\"who\"", "can=destinations.manage", "on=subaccount:dev", "forbidden"];
    let told = poll(|| {
        let said = governed.server.stderr();
        let line = said.lines().rfind(|line| line.contains("tenure::access"))?.to_owned();
        parts.iter().all(|part| line.contains(part)).then_some(())
    });
    assert!(told.is_some(), "{}", governed.server.stderr());
}

#[test]
fn one_caller_leaves_room_for_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens.toml");
    let row = |who: &str| {
        format!("[[token]]\nsha256 = \"{}\"\nprincipal = \"{who}\"\n", token_digest(who))
    };
    fs::write(&tokens, [FEED, ANN].map(row).concat()).unwrap();
    fs::set_permissions(&tokens, fs::Permissions::from_mode(0o600)).unwrap();
    let server = Start::on(&folder.path().join("data")).arg("--tokens", tokens.to_str().unwrap());
    let server = server.arg("--requests-max", "16").ready();
    let governed = Governed { server, _folder: folder };
    // Two that follow the changes are an eighth of sixteen requests.
    let follow = || {
        let request = governed.server.agent().get(format!("{}/v1/changes", governed.server.url()));
        request.header("authorization", format!("Bearer {FEED}")).call().unwrap()
    };
    let streams = [follow(), follow()];
    assert_eq!(governed.get(FEED, "/v1/levels").0, 429);
    assert_eq!(governed.get(ANN, "/v1/levels").0, 200);
    assert_eq!(follow().status(), 429);
    drop(streams);
    poll(|| (governed.get(FEED, "/v1/levels").0 == 200).then_some(())).unwrap();

    // An answer that its client does not take is in memory, so it counts until the client has gone.
    block_on(async {
        let mut http_2 = Http2::connect(governed.server.address()).await;
        let mut waiting = Vec::new();
        for _ in 0..2 {
            let request = Request::get("http://localhost/openapi.json");
            let request = request.header("authorization", format!("Bearer {FEED}"));
            let asked = http_2.send(request.body(()).unwrap(), true).await;
            // The head has come, and the rest waits.
            waiting.push(asked.answer.await.unwrap());
        }
        // It is longer than the window that the client has opened.
        poll(|| (governed.get(FEED, "/v1/levels").0 == 429).then_some(())).unwrap();
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(governed.get(FEED, "/v1/levels").0, 429, "it still counts");
        assert_eq!(governed.get(ANN, "/v1/levels").0, 200);
    });
    poll(|| (governed.get(FEED, "/v1/levels").0 == 200).then_some(())).unwrap();
}
