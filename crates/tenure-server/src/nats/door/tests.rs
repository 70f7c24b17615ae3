//! Questions over a real server of either version, to a ledger whose log is embedded

use std::time::Duration;

use async_nats::RequestErrorKind;
use async_nats::service::{NATS_SERVICE_ERROR, NATS_SERVICE_ERROR_CODE};
use serde_json::json;
use tempfile::TempDir;
use tenure_journal::Journal;
use tenure_test_nats::{Server, Version};
use tokio::task::JoinHandle;

use tenure_wire::question::KINDS;

use super::*;
use crate::engine::{Checkpointing, Engine, Genesis, Options, Writer};
use crate::hall::Caller;
use crate::hall::Limits;
use crate::metrics::Metrics;

/// Requests that are served, and questions that compute, at once
const PLACES: u32 = 8;
const PATIENCE: Duration = Duration::from_secs(180);
const ADMIN: &str = "user:sap.default/admin@acme.example";

/// A ledger that answers over NATS
struct AskedLedger {
    hall: Arc<Hall>,
    metrics: Arc<Metrics>,
    serving: JoinHandle<Result<(), SubscribeError>>,
    writer: Option<Writer>,
    _data: TempDir,
}

async fn client(server: &Server) -> Client {
    let options = ConnectOptions::new().request_timeout(Some(PATIENCE));
    options.connect(server.url()).await.unwrap()
}

impl AskedLedger {
    /// One whose journal has not been folded yet
    async fn starting(server: &Server) -> Self {
        let limits =
            Limits { requests_max: PLACES as usize, request_timeout: Duration::from_secs(30) };
        let metrics = Arc::new(Metrics::default());
        let hall = Arc::new(Hall::new(limits, "sap.default", Arc::clone(&metrics)));
        let client = bounded(ConnectOptions::new()).connect(server.url()).await.unwrap();
        let serving = tokio::spawn(serve(client, Arc::clone(&hall)));
        Self { hall, metrics, serving, writer: None, _data: tempfile::tempdir().unwrap() }
    }

    fn fold(&mut self) {
        let journal = Journal::open(self._data.path(), Some("acme")).unwrap();
        let metrics = Arc::clone(&self.metrics);
        let checkpoints = Checkpointing::Off;
        let options = Options { genesis: Genesis::BuiltIn, checkpoints, accept_clock: false };
        let (engine, writer) = Engine::start(journal, options, metrics, |_| {}).unwrap();
        self.hall.open(engine);
        self.writer = Some(writer);
    }

    async fn ready(server: &Server) -> Self {
        let mut replica = Self::starting(server).await;
        replica.fold();
        replica
    }

    async fn append(&self, changes: Value) -> (String, u64) {
        let draft = json!({ "actor": ADMIN, "changes": changes });
        let entry = codec::decode_draft(&draft, "sap.default", Uuid::now_v7).unwrap();
        let id = entry.entry().id().to_string();
        let appended = self.hall.append(&Caller::anonymous(), vec![entry]).await.unwrap();
        (id, appended.results[0].position.unwrap())
    }

    async fn close(self) {
        self.hall.close();
        tokio::time::timeout(PATIENCE, self.serving).await.unwrap().unwrap().unwrap();
        drop(self.hall);
        self.writer.unwrap().join();
    }
}

use uuid::Uuid;

/// Asks until somebody is there to answer
async fn ask(client: &Client, question: &str, body: &[u8], content_type: Option<&str>) -> Message {
    let asked = async {
        loop {
            let mut headers = HeaderMap::new();
            if let Some(kind) = content_type {
                headers.insert("Content-Type", kind);
            }
            let subject = ask_subject("acme", question);
            match client.request_with_headers(subject, headers, body.to_vec().into()).await {
                Ok(answer) => return answer,
                Err(error) => {
                    // A loaded machine may take longer than the client waits.
                    let kinds = [RequestErrorKind::NoResponders, RequestErrorKind::TimedOut];
                    assert!(kinds.contains(&error.kind()), "{error}");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap()
}

async fn json_of(client: &Client, question: &str, parameters: Value) -> Value {
    let answer = ask(client, question, &serde_json::to_vec(&parameters).unwrap(), None).await;
    let headers = answer.headers.unwrap();
    assert_eq!(headers.get(NATS_SERVICE_ERROR), None, "{:?}", answer.payload);
    assert_eq!(headers.get("content-type").unwrap().as_str(), "application/json");
    serde_json::from_slice(&answer.payload).unwrap()
}

#[track_caller]
fn is_problem(answer: &Message, status: u16, code: &str, part: &str) {
    let headers = answer.headers.as_ref().unwrap();
    let header = |name: &str| headers.get(name).map(ToString::to_string);
    let problem: Value = serde_json::from_slice(&answer.payload).unwrap();
    assert_eq!(header(NATS_SERVICE_ERROR).as_deref(), Some(code), "{problem}");
    assert_eq!(header(NATS_SERVICE_ERROR_CODE), Some(status.to_string()));
    assert_eq!(header("content-type").as_deref(), Some("application/problem+json"));
    assert_eq!((&problem["code"], &problem["status"]), (&json!(code), &json!(status)));
    assert!(problem["detail"].as_str().unwrap().contains(part), "{problem}");
}

fn landscape() -> Value {
    json!([{ "type": "create_level", "level": "global-account:acme" },
        { "type": "create_level", "level": "subaccount:dev", "parent": "global-account:acme" },
        { "type": "grant", "level": "subaccount:dev", "role_collection": "Subaccount Viewer",
            "to": "user:sap.default/alice@acme.example" }])
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_answered_in_the_format_they_are_asked_in() {
    for version in Version::ALL {
        let server = Server::start(version);
        let replica = AskedLedger::ready(&server).await;
        let client = client(&server).await;
        let (id, position) = replica.append(landscape()).await;
        let who = json!({ "can": "role-collection:Subaccount Viewer", "on": "subaccount:dev",
            "explain": true, "known_at": position });
        let in_json = json_of(&client, "who", who.clone()).await;
        assert_eq!(in_json["subjects"][0]["because"][0]["id"], id);
        let packed = rmp_serde::to_vec(&who).unwrap();
        let answer = ask(&client, "who", &packed, Some("application/msgpack")).await;
        let headers = answer.headers.unwrap();
        assert_eq!(headers.get("content-type").unwrap().as_str(), "application/msgpack");
        let unpacked: Value = rmp_serde::from_slice(&answer.payload).unwrap();
        assert_eq!(unpacked["subjects"], in_json["subjects"]);
        // No parameters at all, many checks, and a problem in MessagePack.
        let levels: Value =
            serde_json::from_slice(&ask(&client, "levels", b"", None).await.payload).unwrap();
        assert_eq!(levels["levels"].as_array().unwrap().len(), 3);
        let check =
            json!({ "principal": "alice@acme.example", "can": "role:x", "on": "subaccount:dev" });
        let checks = json_of(&client, "check", json!({ "checks": [check, check] })).await;
        assert_eq!(checks["results"][1]["code"], "unknown_role");
        let answer = ask(&client, "levels", b"\x01", Some("application/msgpack")).await;
        let problem: Problem = rmp_serde::from_slice(&answer.payload).unwrap();
        assert_eq!(problem.code, "bad_request");
        replica.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_in_the_headers_and_the_body_and_counted() {
    let server = Server::start(Version::Newest);
    let replica = AskedLedger::ready(&server).await;
    let client = client(&server).await;
    for (question, body, status, code, part) in [
        ("whom", "{}", 404, "not_found", "who, what"),
        ("who", "{", 400, "bad_request", "JSON"),
        ("who", "[]", 400, "bad_request", "map"),
        ("who", "7", 400, "bad_request", "map"),
        ("who", r#"{"can": []}"#, 400, "bad_request", "`can`"),
        ("who", r#"{"can": null}"#, 400, "bad_request", "`can`"),
        ("who", r#"{"cann": "x"}"#, 400, "unknown_parameter", "`cann`"),
        ("who", r#"{"can": "x", "can": "y"}"#, 400, "bad_request", "twice"),
        ("check", r#"{"checks": []}"#, 400, "bad_request", "empty"),
        ("check", r#"{"checks": [], "at": "2025-01-01"}"#, 400, "bad_request", "`at`"),
        ("levels", r#"{"known_at": 999999}"#, 409, "not_yet", "999999"),
        ("levels", r#"{"min_position": 999999}"#, 409, "behind", "999999"),
        ("levels", r#"{"min_position": "other@1"}"#, 400, "bad_request", "revision"),
        ("role-collections", r#"{"on": "subaccount:x"}"#, 404, "unknown_level", "subaccount:x"),
        ("entry", r#"{"entry": 999999}"#, 404, "unknown_entry", "999999"),
        ("entry", r#"{"entry": 1, "wait": 20001}"#, 400, "bad_request", "20000"),
        ("entry", r#"{"entry": 1, "wait": -1}"#, 400, "bad_request", "`wait`"),
        ("entry", r#"{"entry": "", "wait": 20000}"#, 400, "bad_request", "UUID"),
        ("entry", r#"{"entry": "nonsense", "wait": 20000}"#, 400, "bad_request", "UUID"),
    ] {
        let answer = ask(&client, question, body.as_bytes(), None).await;
        is_problem(&answer, status, code, part);
    }
    let mut deep = vec![b'['; 200_000];
    deep.extend(vec![b']'; 200_000]);
    is_problem(&ask(&client, "who", &deep, None).await, 400, "bad_request", "deep");
    // A subject of a ledger or of the server is no inbox.
    let mut log = client.subscribe("tenure.acme.log.ledger").await.unwrap();
    let subject = ask_subject("acme", "levels");
    client.publish_with_reply(subject, "tenure.acme.log.ledger", "".into()).await.unwrap();
    let stats = stats(&client).await;
    let of = |name: &str| {
        stats["endpoints"].as_array().unwrap().iter().find(|e| e["name"] == name).unwrap().clone()
    };
    let entry = of("entry");
    assert_eq!((&entry["num_requests"], &entry["num_errors"]), (&json!(5), &json!(5)));
    assert_eq!(entry["last_error"], "400:bad_request");
    assert!(entry["processing_time"].as_u64().unwrap() > 0);
    assert_eq!(of("levels")["num_requests"], 3);
    assert_eq!(of("what")["num_requests"], 0);
    // All that was asked before was answered by then, and nothing went there.
    json_of(&client, "levels", json!({})).await;
    assert!(log.next().now_or_never().is_none());
    replica.close().await;
}

async fn stats(client: &Client) -> Value {
    serde_json::from_slice(&client.request("$SRV.STATS.tenure", "".into()).await.unwrap().payload)
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_says_what_it_is() {
    let server = Server::start(Version::Newest);
    let replica = AskedLedger::ready(&server).await;
    let client = client(&server).await;
    json_of(&client, "levels", json!({})).await;
    let ping = client.request("$SRV.PING", "".into()).await.unwrap();
    let ping: Value = serde_json::from_slice(&ping.payload).unwrap();
    assert_eq!(ping["type"], "io.nats.micro.v1.ping_response");
    assert_eq!((&ping["name"], &ping["metadata"]["ledger"]), (&json!("tenure"), &json!("acme")));
    let id = ping["id"].as_str().unwrap();
    let info = client.request(format!("$SRV.INFO.tenure.{id}"), "".into()).await.unwrap();
    let info: Value = serde_json::from_slice(&info.payload).unwrap();
    let mut subjects: Vec<&str> = info["endpoints"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["subject"].as_str().unwrap())
        .collect();
    subjects.sort_unstable();
    let mut expected: Vec<String> =
        KINDS.iter().map(|kind| ask_subject("acme", kind.name)).collect();
    expected.sort_unstable();
    assert_eq!(subjects, expected);
    assert!(info["endpoints"].as_array().unwrap().iter().all(|e| e["queue_group"] == "q"));
    let stats = stats(&client).await;
    assert_eq!(
        (&stats["type"], &stats["id"]),
        (&json!("io.nats.micro.v1.stats_response"), &json!(id))
    );
    assert_eq!(stats["metadata"]["ledger"], "acme");
    replica.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_published_an_entry_hears_what_became_of_it() {
    let server = Server::start(Version::Newest);
    let replica = AskedLedger::ready(&server).await;
    let client = client(&server).await;
    // It is asked for before it is there, by its id and by its position.
    let draft = json!({ "actor": ADMIN, "changes": landscape() });
    let entry = codec::decode_draft(&draft, "sap.default", Uuid::now_v7).unwrap();
    let id = entry.entry().id().to_string();
    let next = replica.hall.engine_of_test().shown().0 + 1;
    let asked = [json!(id), json!(next)].map(|entry| {
        let client = client.clone();
        tokio::spawn(async move {
            json_of(&client, "entry", json!({ "entry": entry, "wait": 20_000 })).await
        })
    });
    // Both have come, and wait.
    let waiting = async {
        while replica.hall.engine_of_test().watch_count() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    replica.hall.append(&Caller::anonymous(), vec![entry]).await.unwrap();
    for asked in asked {
        let row = asked.await.unwrap();
        assert_eq!((&row["id"], &row["outcome"]), (&json!(id), &json!("applied")));
    }
    // One that does not come is said when the time is over.
    let absent = Uuid::now_v7().to_string();
    let body = json!({ "entry": absent, "wait": 50 }).to_string();
    is_problem(&ask(&client, "entry", body.as_bytes(), None).await, 404, "unknown_entry", &absent);
    replica.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_replicas_that_are_ready_are_asked() {
    let server = Server::start(Version::Newest);
    let client = client(&server).await;
    let mut first = AskedLedger::starting(&server).await;
    let subject = ask_subject("acme", "levels");
    let nobody = client.request(subject, "".into()).await.unwrap_err();
    assert_eq!(nobody.kind(), RequestErrorKind::NoResponders);
    first.fold();
    json_of(&client, "levels", json!({})).await;
    // A second one takes its share.
    let second = AskedLedger::ready(&server).await;
    let shared = async {
        loop {
            json_of(&client, "levels", json!({})).await;
            let mut replies = client.subscribe("replies").await.unwrap();
            client.publish_with_reply("$SRV.STATS.tenure", "replies", "".into()).await.unwrap();
            let mut of_each = Vec::new();
            while of_each.len() < 2
                && let Ok(Some(reply)) =
                    tokio::time::timeout(Duration::from_secs(1), replies.next()).await
            {
                let stats: Value = serde_json::from_slice(&reply.payload).unwrap();
                let levels = stats["endpoints"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .find(|e| e["name"] == "levels")
                    .unwrap();
                of_each.push(levels["num_requests"].as_u64().unwrap());
            }
            if of_each.len() == 2 && of_each.iter().all(|asked| *asked > 0) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, shared).await.unwrap();
    // One that stops answers what it has begun, and leaves the rest to the other.
    second.close().await;
    for _ in 0..10 {
        json_of(&client, "levels", json!({})).await;
    }
    first.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_is_held_is_refused_at_once_and_the_door_lives_on() {
    // As it comes, a server closes the connection of whoever does not take 64 MB in time.
    let patient = "max_pending: 1GB\nwrite_deadline: \"60s\"\n";
    let server = tenure_test_nats::Start::with(Version::Newest, patient).running();
    let replica = AskedLedger::ready(&server).await;
    let client = client(&server).await;
    json_of(&client, "levels", json!({})).await;
    // Nothing is computed for now.
    let computing = replica.hall.compute_nothing(PLACES).await;
    let large = vec![b' '; 1_000_000];
    let asked: Vec<_> = (0..80)
        .map(|_| {
            let (client, large) = (client.clone(), large.clone());
            tokio::spawn(async move {
                ask(&client, "levels", &[large, b"{}".to_vec()].concat(), None).await
            })
        })
        .collect();
    // 64 MiB are held: of 80 MB the rest is refused while the others wait.
    let refused = async {
        loop {
            let stats = stats(&client).await;
            let levels = stats["endpoints"]
                .as_array()
                .unwrap()
                .iter()
                .find(|e| e["name"] == "levels")
                .unwrap()
                .clone();
            if levels["num_errors"].as_u64().unwrap() >= 12 {
                assert_eq!(levels["last_error"], "503:overloaded");
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.unwrap();
    // The rest of the room takes 214 small ones. Each of the others is told, at once.
    const FIT: usize = 214;
    const BURST: usize = 200;
    let mut replies = client.subscribe("burst").await.unwrap();
    for _ in 0..FIT + BURST {
        let subject = ask_subject("acme", "levels");
        client.publish_with_reply(subject, "burst", "".into()).await.unwrap();
    }
    let told = async {
        for _ in 0..BURST {
            is_problem(&replies.next().await.unwrap(), 503, "overloaded", "more requests");
        }
    };
    tokio::time::timeout(PATIENCE, told).await.unwrap();
    drop(computing);
    let all = async {
        for _ in 0..FIT {
            replies.next().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, all).await.unwrap();
    let mut answered = 0;
    for asked in asked {
        let answer = asked.await.unwrap();
        let problem: Value = serde_json::from_slice(&answer.payload).unwrap();
        match problem.get("code") {
            None => answered += 1,
            Some(code) => assert_eq!(code, "overloaded"),
        }
    }
    assert!((1..=68).contains(&answered), "{answered}");
    json_of(&client, "levels", json!({})).await;
    replica.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_answered_whole() {
    const BURST: usize = 10_000;
    let server = Server::start(Version::Newest);
    let replica = AskedLedger::ready(&server).await;
    let client = client(&server).await;
    json_of(&client, "levels", json!({})).await;
    let mut replies = client.subscribe("burst").await.unwrap();
    let subject = ask_subject("acme", "levels");
    for _ in 0..BURST {
        client.publish_with_reply(subject.clone(), "burst", "".into()).await.unwrap();
    }
    let all = async {
        for _ in 0..BURST {
            let reply = replies.next().await.unwrap();
            assert_eq!(reply.headers.unwrap().get(NATS_SERVICE_ERROR), None);
        }
    };
    tokio::time::timeout(PATIENCE, all).await.unwrap();
    replica.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_fits_no_message_is_said_to() {
    let server = tenure_test_nats::Start::with(Version::Newest, "max_payload: 4096").running();
    let replica = AskedLedger::ready(&server).await;
    let client = client(&server).await;
    let answer = ask(&client, "history", b"", None).await;
    is_problem(&answer, 413, "answer_too_large", "4096");
    json_of(&client, "levels", json!({})).await;
    replica.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_back_finds_the_door_open() {
    let mut server = Server::start(Version::Newest);
    let replica = AskedLedger::ready(&server).await;
    let client = client(&server).await;
    json_of(&client, "levels", json!({})).await;
    server.kill();
    server.start_again();
    let again = async {
        while client.request(ask_subject("acme", "levels"), "".into()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.unwrap();
    replica.close().await;
}
