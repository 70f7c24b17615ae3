//! Where a stream is the log, a server speaks for its callers if the ledger made it a door, and no submitter speaks for another
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;
mod raw_nats;

use std::fs;
use std::path::Path;

use common::{Server, Start, command, entry, grant, landscape, poll, run, set_mode, tenure_on};
use raw_nats::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenure_server::hall::token_digest;
use tenure_test_nats::{Server as Nats, Version};

const ROOT: &str = "user:corp/root@x";
const FEED: &str = "client:corp/feed";
const ANN: &str = "user:corp/ann@x";
const OWN: &str = "client:nats/ledger";
const CRM: &str = "client:nats/crm";

/// A server that knows these three by their names as tokens
fn served(folder: &Path, nats: &Nats) -> Server {
    let tokens = folder.join("tokens.toml");
    let row = |who: &str| {
        format!("[[token]]\nsha256 = \"{}\"\nprincipal = \"{who}\"\n", token_digest(who))
    };
    fs::write(&tokens, [ROOT, FEED, ANN].map(row).concat()).unwrap();
    set_mode(&tokens, 0o600);
    let server = Start::on(&folder.join("data")).arg("--ledger", "acme").arg("--log", &nats.url());
    server.arg("--tokens", tokens.to_str().unwrap()).ready()
}

fn append(server: &Server, who: &str, path: &str, entries: &[Value]) -> Vec<Value> {
    let request = server.agent().post(format!("{}{path}", server.url()));
    let request = request.header("authorization", format!("Bearer {who}"));
    let mut answer = request.send_json(json!({ "entries": entries })).unwrap();
    let answer: Value = answer.body_mut().read_json().unwrap();
    answer["results"].as_array().unwrap_or_else(|| panic!("{answer:#}")).clone()
}

/// What became of one entry: its outcome, its submitter and its door
fn told(server: &Server, position: &Value) -> [String; 3] {
    let request = server.agent().get(format!("{}/v1/entries/{position}", server.url()));
    let mut row = request.header("authorization", format!("Bearer {ROOT}")).call().unwrap();
    let row: Value = row.body_mut().read_json().unwrap();
    let code = row["refusal"]["code"].as_str().or(row["outcome"].as_str());
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    [text(code), text(row["submitter"].as_str()), text(row["door"].as_str())]
}

fn one(server: &Server, who: &str, entry: &Value) -> [String; 3] {
    let results = append(server, who, "/v1/entries", std::slice::from_ref(entry));
    told(server, &results[0]["position"])
}

fn right(role: &str, to: &str, on: &str) -> Value {
    entry(&[json!({ "type": "grant", "level": on, "role": role, "to": to })])
}

/// Publishes as a program that knows only NATS, for a caller or not, and gives the position of the last entry
fn publish(
    server: &Server,
    client: &mut Client,
    token: &str,
    caller: &str,
    entries: &Value,
) -> Value {
    let before = server.position();
    let mut headers =
        vec![("ce-type", "dev.tenure.entries.v1"), ("content-type", "application/json")];
    headers.extend(Some(("Tenure-Caller", caller)).filter(|(_, caller)| !caller.is_empty()));
    let subject = format!("tenure.acme.log.{token}");
    client.try_request(&subject, &headers, entries.to_string().as_bytes()).unwrap();
    let count = entries.as_array().map_or(1, Vec::len) as u64;
    poll(|| (server.position() == before + count).then_some(())).unwrap();
    json!(before + count)
}

fn is(outcome: &str, submitter: &str, door: &str) -> [String; 3] {
    [outcome, submitter, door].map(str::to_owned)
}

/// What every replica must agree on
fn digest(server: &Server) -> (u64, Value) {
    let ready = server.get("/readyz").json();
    (server.position(), ready["log"]["digest"].clone())
}

#[test]
fn a_server_is_a_door_where_the_ledger_says_so_and_nobody_else_is() {
    for version in Version::ALL {
        let mut nats = Nats::start(version);
        let folder = TempDir::new().unwrap();
        let server = served(folder.path(), &nats);
        let ann = |n: u32| entry(&[grant(&format!("ann{n}@x"))]);
        append(&server, FEED, "/v1/entries", &landscape());
        assert_eq!(one(&server, FEED, &ann(1)), is("applied", OWN, ""));

        let mut govern = command();
        govern.args(["--server", &server.url(), "govern", "--administrator", ROOT]);
        run(govern.env("TENURE_TOKEN", ROOT)).exits(0);
        assert_eq!(told(&server, &json!(server.position())), is("applied", OWN, ""));

        assert_eq!(one(&server, FEED, &ann(2)), is("forbidden", FEED, OWN));
        let trial = append(&server, FEED, "/v1/entries?dry_run=true", &[ann(2)]);
        assert_eq!(trial[0]["refusal"]["code"], "forbidden");
        let submitter = right("tenure/Submitter", FEED, "subaccount:dev");
        assert_eq!(one(&server, ROOT, &submitter), is("applied", ROOT, OWN));
        assert_eq!(one(&server, FEED, &ann(2)), is("applied", FEED, OWN));
        let trial = append(&server, FEED, "/v1/entries?dry_run=true", &[ann(3)]);
        assert_eq!(trial[0]["outcome"], "applied");

        // Whoever may publish speaks for himself, whatever he says.
        let mut client = Client::of(&nats);
        let mut crm = |caller: &str, entries: &Value| {
            let position = publish(&server, &mut client, "crm", caller, entries);
            told(&server, &position)
        };
        assert_eq!(crm(ROOT, &ann(4)), is("forbidden", CRM, ""));
        assert_eq!(crm(OWN, &ann(5)), is("malformed", CRM, ""));
        // Unless an administrator makes him a door.
        let door = right("tenure/Door", CRM, "ledger:acme");
        assert_eq!(one(&server, ROOT, &door), is("applied", ROOT, OWN));
        assert_eq!(crm(FEED, &ann(6)), is("applied", FEED, CRM));
        assert_eq!(crm("", &ann(7)), is("forbidden", CRM, ""));
        assert_eq!(
            crm("client:tenure/anonymous", &ann(8)),
            is("forbidden", "client:tenure/anonymous", CRM)
        );
        for nobody in [
            "client:tenure/local",
            "client:nats/hr",
            "group:corp/ops",
            "everyone:corp",
            "ann",
            "user:",
        ] {
            assert_eq!(crm(nobody, &ann(9)), is("malformed", CRM, ""), "{nobody}");
        }
        // By position: the entry that shuts the door is the last one that went through it.
        let shut =
            json!({ "type": "revoke", "level": "ledger:acme", "role": "tenure/Door", "from": CRM });
        let both = json!([entry(&[shut]), ann(10)]);
        assert_eq!(crm(ROOT, &both), is("forbidden", CRM, ""));
        assert_eq!(told(&server, &json!(server.position() - 1)), is("applied", ROOT, CRM));

        // Callers who append at once are not mixed up.
        std::thread::scope(|scope| {
            let appending = |who: &'static str| {
                let server = &server;
                move || {
                    for n in 0..20 {
                        assert_eq!(
                            one(server, who, &ann(100 + n))[1..],
                            [who, OWN].map(String::from)
                        );
                    }
                }
            };
            let threads = [ROOT, FEED, ANN].map(|who| scope.spawn(appending(who)));
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });

        // Another replica finds the same, also in a stream that was lost and republished.
        let expected = digest(&server);
        let other = TempDir::new().unwrap();
        let replica = served(other.path(), &nats);
        poll(|| (digest(&replica) == expected).then_some(())).unwrap();
        drop(replica);
        server.stop();
        nats.stop();
        nats.lose_store();
        nats.start_again();
        let data = folder.path().join("data");
        tenure_on(&data, &["republish", "--log", &nats.url(), "--yes"]).exits(0);
        let built = TempDir::new().unwrap();
        let built = served(built.path(), &nats);
        poll(|| (digest(&built) == expected).then_some(())).unwrap();
        let feed = right("tenure/Submitter", ANN, "subaccount:dev");
        assert_eq!(one(&built, ROOT, &feed), is("applied", ROOT, OWN));
        assert_eq!(one(&built, ANN, &ann(200)), is("applied", ANN, OWN));
    }
}
