//! A ledger whose log is a stream of a real nats-server, and what other programs publish there
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tenure_test_nats::Server as Nats;

use crate::common::{Server, Start, entry, grant, poll, query};
use crate::raw_nats::Client;

/// Sends a request and returns the JSON of the answer
#[track_caller]
pub(crate) fn request(
    client: &mut Client,
    subject: &str,
    headers: &[(&str, &str)],
    data: &[u8],
) -> Value {
    client.try_request(subject, headers, data).unwrap_or_else(|| panic!("no answer: {subject}"))
}

/// Publishes entries, as a program does that knows only NATS
pub(crate) fn publish(client: &mut Client, kind: &str, data: &Value) -> Value {
    publish_as(client, "crm", kind, data)
}

/// The same as the submitter of that token
pub(crate) fn publish_as(client: &mut Client, token: &str, kind: &str, data: &Value) -> Value {
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "test"),
        ("ce-type", kind),
        ("content-type", "application/json"),
    ];
    let subject = format!("tenure.acme.log.{token}");
    request(client, &subject, &headers, data.to_string().as_bytes())
}

pub(crate) const KIND: &str = "dev.tenure.entries.v1";

pub(crate) fn on(data: &Path, nats: &Nats) -> Start {
    Start::on(data).arg("--ledger", "acme").arg("--log", &nats.url())
}

pub(crate) fn readiness(server: &Server) -> Value {
    server.get("/readyz").json()
}

/// Waits until a server is not ready, with this code
#[track_caller]
pub(crate) fn unready_as(server: &Server, code: &str) -> Value {
    let found = poll(|| Some(readiness(server)).filter(|found| found["code"] == code));
    found.unwrap_or_else(|| panic!("{}\n{}", readiness(server), server.stderr()))
}

#[track_caller]
pub(crate) fn away(server: &Server) {
    let found = poll(|| readiness(server).to_string().contains("NATS is away").then_some(()));
    assert!(found.is_some(), "{}", readiness(server));
}

#[track_caller]
pub(crate) fn ready(server: &Server) -> Value {
    let found = poll(|| Some(readiness(server)).filter(|found| found["status"] == "ready"));
    found.unwrap_or_else(|| panic!("{}\n{}", readiness(server), server.stderr()))
}

#[track_caller]
pub(crate) fn ready_at(server: &Server, position: u64) -> Value {
    let found = poll(|| Some(readiness(server)).filter(|found| found["position"] == position));
    found.unwrap_or_else(|| panic!("{}\n{}", readiness(server), server.stderr()))
}

pub(crate) fn digest(server: &Server) -> String {
    ready(server)["log"]["digest"].as_str().unwrap().to_owned()
}

/// Grants to several people, one entry for each person
pub(crate) fn grants(names: std::ops::Range<u32>) -> Vec<Value> {
    names.map(|n| entry(&[grant(&format!("p{n}@acme.example"))])).collect()
}

#[track_caller]
pub(crate) fn reads_go_on(server: &Server) {
    let asked = query(&[("on", "subaccount:dev")]);
    let found = server.get(&format!("/v1/assignments{asked}")).ok();
    assert!(found["as_of"]["known_at"].as_u64().unwrap() > 0, "{found}");
}

#[track_caller]
pub(crate) fn refuses_to_append(server: &Server) {
    let body = json!({ "entries": grants(900..901) });
    server.post("/v1/entries", &body).is_problem(503, "log_unavailable", &[]);
}

/// The part of the log that is the same on every replica
pub(crate) fn told(server: &Server) -> Vec<Value> {
    let strip = |mut row: Value| {
        let refusal = row.get_mut("refusal").and_then(Value::as_object_mut);
        refusal.map(|refusal| refusal.remove("message"));
        row
    };
    server.log().into_iter().map(strip).collect()
}

/// What a ledger with an empty folder makes of a stream
#[track_caller]
pub(crate) fn rebuilt(nats: &Nats) -> (Vec<Value>, String) {
    let data = TempDir::new().unwrap();
    let built = on(data.path(), nats).ready();
    (told(&built), digest(&built))
}
