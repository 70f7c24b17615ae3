//! Entries that wait together travel to the stream in one message. When the outcome of an append is unknown, the
//! answer says so, and the entry counts once when it is sent again
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;
mod raw_nats;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use common::{Answer, PATIENCE, Server, Start, entry, grant, landscape, poll};
use raw_nats::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenure_test_nats::{Server as Nats, Version};

/// Programs that append at once
const CLIENTS: usize = 128;
/// How many messages their entries may take: one with a single entry, one that waited for 32 entries, the rest in one
/// or two, and some for late entries
const MESSAGES_MAX: u64 = 32;

fn on(data: &TempDir, nats: &Nats) -> Start {
    Start::on(data.path()).arg("--ledger", "acme").arg("--log", &nats.url())
}

/// How many messages the stream has
fn messages(nats: &Nats) -> u64 {
    let info = Client::of(nats).try_request("$JS.API.STREAM.INFO.TENURE_ACME", &[], b"").unwrap();
    info["state"]["messages"].as_u64().unwrap()
}

#[track_caller]
fn ready(server: &Server) {
    let found = poll(|| (server.get("/readyz").status == 200).then_some(()));
    assert!(found.is_some(), "{}", server.stderr());
}

/// The rows of an entry, in order
fn rows(server: &Server, id: &Value) -> Vec<Value> {
    server.log().into_iter().filter(|row| row["id"] == *id).collect()
}

/// A ledger whose nats-server stood still during an append, with the answer of the ledger
struct Unknown {
    nats: Nats,
    server: Server,
    sent: Value,
    _data: TempDir,
}

impl Unknown {
    fn of(version: Version) -> Self {
        let nats = Nats::start(version);
        let data = TempDir::new().unwrap();
        let server = on(&data, &nats).ready();
        server.append(&landscape());
        let sent = entry(&[grant("carol@acme.example")]);
        // The ledger is still connected, so it sends. It cannot know whether the server takes the message.
        nats.pause();
        let answer = server.post("/v1/entries", &sent);
        answer.is_problem(503, "log_unavailable", &["it is not known whether", "same ids"]);
        assert!(!answer.text.contains("nothing was appended"), "{answer:?}");
        assert!(rows(&server, &sent["id"]).is_empty());
        Self { nats, server, sent, _data: data }
    }

    fn again(&self) -> Answer {
        self.server.post("/v1/entries", &json!({ "entries": [self.sent] }))
    }

    /// Asserts that the entry counts once, however often it was sent
    #[track_caller]
    fn is_one(&self, position: &Value) {
        let rows = rows(&self.server, &self.sent["id"]);
        let (first, others) = rows.split_first().unwrap();
        assert_eq!((&first["outcome"], &first["position"]), (&json!("applied"), position));
        assert!(others.iter().all(|row| row["outcome"] == "duplicate"), "{rows:#?}");
    }
}

#[test]
fn an_append_that_a_server_took_after_all_is_one_entry_when_it_is_sent_again() {
    for version in Version::ALL {
        let unknown = Unknown::of(version);
        unknown.nats.go_on();
        // The message that waited in the socket is in the stream, and is read from there.
        let found = poll(|| rows(&unknown.server, &unknown.sent["id"]).first().cloned());
        let found = found.unwrap_or_else(|| panic!("{}", unknown.server.stderr()));
        assert_eq!(found["outcome"], "applied");
        ready(&unknown.server);
        let result = unknown.again().ok()["results"][0].clone();
        assert_eq!(result["outcome"], "duplicate", "{result}");
        assert_eq!(result["original"]["position"], found["position"], "{result}");
        unknown.is_one(&found["position"]);
    }
}

#[test]
fn an_append_that_no_server_took_is_one_entry_when_it_is_sent_again() {
    for version in Version::ALL {
        let mut unknown = Unknown::of(version);
        // The message that waited in the socket is lost with the server.
        unknown.nats.kill();
        unknown.nats.start_again();
        ready(&unknown.server);
        assert!(rows(&unknown.server, &unknown.sent["id"]).is_empty());
        let result = unknown.again().ok()["results"][0].clone();
        assert_eq!(result["outcome"], "applied", "{result}");
        unknown.is_one(&result["position"]);
        assert_eq!(unknown.again().ok()["results"][0]["outcome"], "duplicate");
        unknown.is_one(&result["position"]);
    }
}

/// Sends the request for an append, and does not wait for the answer
fn begin(server: &Server, entry: &Value) -> TcpStream {
    let body = entry.to_string();
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "POST /v1/entries HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: \
         application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    stream
}

#[test]
fn an_append_that_is_not_answered_in_time_may_be_in_the_log() {
    let nats = Nats::start(Version::ALL[0]);
    let data = TempDir::new().unwrap();
    let server = on(&data, &nats).arg("--request-timeout-ms", "1000").ready();
    nats.pause();
    let answer = server.post("/v1/entries", &entry(&[grant("carol@acme.example")]));
    answer.is_problem(503, "timeout", &["it is not known whether", "same ids"]);
    nats.go_on();
}

#[test]
fn entries_that_wait_together_travel_in_one_message() {
    for version in Version::ALL {
        let nats = Nats::start(version);
        let data = TempDir::new().unwrap();
        let server = on(&data, &nats).ready();
        server.append(&landscape());
        let before = (messages(&nats), server.position());
        let entries: Vec<Value> =
            (0..CLIENTS).map(|n| entry(&[grant(&format!("p{n}@acme.example"))])).collect();
        // While the server stands still, the entries gather, even on a slow machine.
        nats.pause();
        let asked: Vec<TcpStream> = entries.iter().map(|entry| begin(&server, entry)).collect();
        server.get("/healthz").ok();
        nats.go_on();
        for mut stream in asked {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            assert!(answer.contains("\"applied\""), "{answer}");
        }
        assert_eq!(server.position() - before.1, CLIENTS as u64);
        let more = messages(&nats) - before.0;
        assert!(more <= MESSAGES_MAX, "{more} messages for {CLIENTS} entries");
    }
}
