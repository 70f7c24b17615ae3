//! The program answers questions over NATS: replicas share them, and servers may go and come back
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::service::NATS_SERVICE_ERROR;
use async_nats::{Client, ConnectOptions};
use common::{PATIENCE, Server, Start, entry, grant, landscape};
use futures::StreamExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenure_test_nats::{Server as Nats, Version};

/// How long one of several attempts may take; longer than a question here waits for an entry
const ONE_ASKED: Duration = Duration::from_secs(25);

fn start(nats: &Nats, data: &TempDir) -> Start {
    Start::on(data.path()).arg("--ledger", "acme").arg("--log", &nats.url())
}

async fn client(nats: &Nats) -> Client {
    let options = ConnectOptions::new().request_timeout(Some(PATIENCE));
    options.connect(nats.url()).await.unwrap()
}

/// The answer to a question, if a replica is there
async fn try_ask(client: &Client, question: &str, parameters: &Value) -> Option<Value> {
    let subject = format!("tenure.acme.ask.{question}");
    let answer = client.request(subject, parameters.to_string().into()).await.ok()?;
    let problem = answer.headers.as_ref().and_then(|headers| headers.get(NATS_SERVICE_ERROR));
    assert_eq!(problem, None, "{:?}", answer.payload);
    Some(serde_json::from_slice(&answer.payload).unwrap())
}

/// Asks until a replica is there
async fn ask(client: &Client, question: &str, parameters: Value) -> Value {
    let asked = async {
        loop {
            // The server may have given the request to a replica that was killed just before.
            let answer = try_ask(client, question, &parameters);
            if let Ok(Some(answer)) = tokio::time::timeout(ONE_ASKED, answer).await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap()
}

/// How many questions each replica has answered, by its id, for the replicas that reply in time
async fn shares(client: &Client, replicas: usize) -> BTreeMap<String, u64> {
    let inbox = client.new_inbox();
    let mut replies = client.subscribe(inbox.clone()).await.unwrap();
    client.publish_with_reply("$SRV.STATS.tenure", inbox, "".into()).await.unwrap();
    let mut shares = BTreeMap::new();
    // A replica that has not joined yet does not reply.
    while shares.len() < replicas
        && let Ok(reply) = tokio::time::timeout(Duration::from_secs(2), replies.next()).await
    {
        let stats: Value = serde_json::from_slice(&reply.unwrap().payload).unwrap();
        let asked = stats["endpoints"].as_array().unwrap().iter();
        let asked = asked.map(|endpoint| endpoint["num_requests"].as_u64().unwrap()).sum();
        shares.insert(stats["id"].as_str().unwrap().to_owned(), asked);
    }
    shares
}

/// Waits until each of two replicas has answered more questions than before
async fn both_answer(client: &Client, before: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let both = async {
        loop {
            let shares = shares(client, 2).await;
            let more = |(id, asked): (&String, &u64)| asked > before.get(id).unwrap_or(&0);
            if shares.len() == 2 && shares.iter().all(more) {
                return shares;
            }
            ask(client, "levels", json!({})).await;
        }
    };
    tokio::time::timeout(PATIENCE, both).await.unwrap()
}

fn append(server: &Server, entries: &[Value]) -> u64 {
    server.append(entries).last().unwrap()["position"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_share_the_questions_and_each_answers_as_newly_as_is_asked() {
    for version in Version::ALL {
        let nats = Nats::start(version);
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = start(&nats, &one).ready();
        let mut second = start(&nats, &other).ready();
        append(&first, &landscape());
        let client = client(&nats).await;
        ask(&client, "levels", json!({})).await;
        // Once both have answered, both have joined.
        let before = both_answer(&client, &BTreeMap::new()).await;
        // An entry that one replica has appended is known to the replica that answers.
        for n in 0..20 {
            let user = format!("u{n}@acme.example");
            let position = append(&first, &[entry(&[grant(&user)])]);
            let asked = json!({ "principal": user, "can": "role-collection:Subaccount Viewer",
                "on": "subaccount:dev", "min_position": position });
            let check = ask(&client, "check", asked).await;
            assert_eq!(check["allowed"], true);
            assert!(check["as_of"]["known_at"].as_u64().unwrap() >= position);
        }
        both_answer(&client, &before).await;
        // A killed replica gets no questions: the server knows at once that it is gone.
        second.kill();
        for _ in 0..20 {
            ask(&client, "levels", json!({})).await;
        }
        first.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_tries_entries_tells_notes_and_is_searched() {
    let nats = Nats::start(Version::Newest);
    let data = tempfile::tempdir().unwrap();
    let server = start(&nats, &data).ready();
    let newest = append(&server, &landscape());
    let carol = entry(&[grant("carol@acme.example")]);
    let tried = server.post("/v1/entries?dry_run=true", &carol).ok()["results"][0].clone();
    assert_eq!((&tried["outcome"], &tried["position"]), (&json!("applied"), &Value::Null));
    // The first attempt did not take the place or the id.
    assert_eq!(append(&server, &[carol]), newest + 1);
    let again = server.post("/v1/entries", &entry(&[grant("carol@acme.example")])).ok();
    assert_eq!(again["results"][0]["notes"][0]["code"], "repeated");
    let client = client(&nats).await;
    let seen = json!({ "q": "CAROL", "kind": "user", "min_position": newest + 2 });
    let found = ask(&client, "search", seen).await;
    assert_eq!(found["found"][0]["id"], "user:sap.default/carol@acme.example");
    let under = json!({ "under": "directory:eu", "kind": "subaccount" });
    let levels = ask(&client, "levels", under).await;
    assert_eq!(levels["levels"][0]["level"], "subaccount:dev");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_away_is_asked_again_and_nobody_has_to_do_anything() {
    for version in Version::ALL {
        let mut nats = Nats::start(version);
        let data = tempfile::tempdir().unwrap();
        let server = start(&nats, &data).ready();
        append(&server, &landscape());
        let client = client(&nats).await;
        ask(&client, "levels", json!({})).await;
        for _ in 0..2 {
            nats.kill();
            // Questions over HTTP are still answered.
            server.get("/v1/levels").ok();
            nats.start_again();
            let levels = ask(&client, "levels", json!({})).await;
            assert_eq!(levels["levels"].as_array().unwrap().len(), 5);
        }
        // A publisher can wait for the outcome of the entry that it publishes.
        let published = entry(&[grant("carol@acme.example")]);
        let asked = json!({ "entry": published["id"], "wait": 20_000 });
        let waiting = tokio::spawn({
            let client = client.clone();
            async move { ask(&client, "entry", asked).await }
        });
        append(&server, std::slice::from_ref(&published));
        assert_eq!(waiting.await.unwrap()["outcome"], "applied");
        server.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_stops_though_its_replies_cannot_be_sent() {
    let mut nats = Nats::start(Version::Newest);
    let data = tempfile::tempdir().unwrap();
    let server = start(&nats, &data).ready();
    let client = client(&nats).await;
    ask(&client, "levels", json!({})).await;
    // Many more requests than may wait for the connection.
    for _ in 0..5_000 {
        client.publish_with_reply("tenure.acme.ask.catalog", "replies", "".into()).await.unwrap();
    }
    client.flush().await.unwrap();
    nats.kill();
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_answers_what_it_has_begun() {
    let nats = Nats::start(Version::Newest);
    let data = tempfile::tempdir().unwrap();
    let server = start(&nats, &data).ready();
    let client = client(&nats).await;
    ask(&client, "levels", json!({})).await;
    let absent = json!({ "entry": uuid::Uuid::now_v7().to_string(), "wait": 20_000 });
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.request("tenure.acme.ask.entry", absent.to_string().into()).await }
    });
    // Once this question is answered, the waiting one before it has arrived.
    client.flush().await.unwrap();
    ask(&client, "levels", json!({})).await;
    server.stop();
    // The wait ends, and the answer says that the entry is not there.
    let answer = waiting.await.unwrap().unwrap();
    let code = answer.headers.unwrap().get(NATS_SERVICE_ERROR).unwrap().to_string();
    assert_eq!(code, "unknown_entry");
    client.request("tenure.acme.ask.levels", "".into()).await.unwrap_err();
}
