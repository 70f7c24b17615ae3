//! A client in Rust: append a grant, ask who could, follow what is applied
//!
//! `cargo run -p tenure --example client -- http://127.0.0.1:7480`, on a ledger with the level `subaccount:dev` of the
//! README's tour. Three habits make a client right:
//!
//! - The client makes the id of an entry. If an answer does not come, it sends the same entry again: the ledger
//!   counts an id once.
//! - A refusal is an answer with status 200. A problem document is an answer with another status.
//! - A question passes the `revision` of its append as `min_position`, so the answer is not older than that.
#![expect(clippy::print_stdout, reason = "it shows what it does")]
#![expect(clippy::indexing_slicing, reason = "where a JSON value has nothing, an index gives null")]

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

/// How often an entry is sent before the client gives up
const ATTEMPTS_MAX: u32 = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let server = std::env::args().nth(1).unwrap_or_else(|| "http://127.0.0.1:7480".to_owned());
    for line in run(&server)? {
        println!("{line}");
    }
    Ok(())
}

/// Talks to a server, and tells what it said
pub(crate) fn run(server: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(Duration::from_secs(5)))
        .build()
        .into();
    let mut lines = Vec::new();

    let entry = json!({
        "id": Uuid::now_v7(),
        "actor": "user:sap.default/admin@acme.example",
        "reason": "INC-4711 on-call rotation",
        "changes": [{
            "type": "grant", "level": "subaccount:dev", "role_collection": "Destination Administrator",
            "to": "user:sap.default/erin@acme.example" }],
    });
    let appended = append(&agent, server, &entry)?;
    let result = &appended["results"][0];
    lines.push(format!("appended: {} at #{}", text(&result["outcome"]), result["position"]));

    // As if the first answer had been lost.
    let again = append(&agent, server, &entry)?;
    let original = &again["results"][0]["original"];
    let outcome = text(&again["results"][0]["outcome"]);
    lines.push(format!("sent again: {outcome} of #{}", original["position"]));

    let revision = text(&appended["revision"]);
    let asked = agent
        .get(format!("{server}/v1/who"))
        .query("can", "destinations.manage")
        .query("on", "subaccount:dev")
        .query("min_position", revision)
        .call()?;
    let who = answer(asked)?;
    for subject in who["subjects"].as_array().into_iter().flatten() {
        lines.push(format!("could: {}", text(&subject["principal"])));
    }

    let from = result["position"].as_u64().unwrap_or(1);
    let change = next_change(&agent, server, from - 1)?;
    let kind = text(&change["entry"]["changes"][0]["type"]);
    lines.push(format!("applied: #{}, a {kind}", change["position"]));
    Ok(lines)
}

/// Appends an entry, again and again with the same id until the ledger says what became of it
fn append(agent: &ureq::Agent, server: &str, entry: &Value) -> Result<Value, Box<dyn Error>> {
    for attempt in 1..=ATTEMPTS_MAX {
        match agent.post(format!("{server}/v1/entries")).send_json(entry) {
            // Whether it is in the log is not known.
            Err(_) => {}
            Ok(response) if response.status() == 503 => {}
            Ok(response) => return answer(response),
        }
        sleep(Duration::from_millis(200) * attempt);
    }
    Err(format!("no answer after {ATTEMPTS_MAX} attempts: try again later, with the same id")
        .into())
}

/// The next applied entry after a position; a client that follows for good goes on from the last `id` it has seen
fn next_change(agent: &ureq::Agent, server: &str, after: u64) -> Result<Value, Box<dyn Error>> {
    let response =
        agent.get(format!("{server}/v1/changes")).query("after", after.to_string()).call()?;
    for line in BufReader::new(response.into_body().into_reader()).lines() {
        // Server-sent events: `id: <position>`, `event: applied`, `data: <JSON>`, and an empty line.
        if let Some(data) = line?.strip_prefix("data: ") {
            return Ok(serde_json::from_str(data)?);
        }
    }
    Err("the server has ended the stream".into())
}

/// The JSON of an answer; a problem document is an error with its code and sentence
fn answer(mut response: ureq::http::Response<ureq::Body>) -> Result<Value, Box<dyn Error>> {
    let body: Value = response.body_mut().read_json()?;
    if response.status().is_success() {
        return Ok(body);
    }
    Err(format!("{}: {}", text(&body["code"]), text(&body["detail"])).into())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
