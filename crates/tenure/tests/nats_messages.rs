//! What the messages of a stream say of themselves: who submitted, when, by which rules; and those that say nothing
#![expect(
    clippy::unwrap_used,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;
#[expect(dead_code, reason = "a test uses a part of it")]
mod on_nats;
mod raw_nats;

use std::time::Duration;

use common::{Server, landscape, poll, query, tenure_on};
use on_nats::{
    KIND, digest, grants, on, publish, publish_as, readiness, reads_go_on, ready_at, rebuilt,
    refuses_to_append, request, told, unready_as,
};
use raw_nats::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenure_test_nats::{Server as Nats, Version};

/// Each row's submitter, with what became of it
fn submitters(server: &Server) -> Vec<(String, String)> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    server.log().iter().map(|row| (text(row, "submitter"), text(row, "outcome"))).collect()
}

#[test]
fn the_subject_says_who_submitted_and_a_republished_stream_says_the_same() {
    for version in Version::ALL {
        let mut nats = Nats::start(version);
        let data = TempDir::new().unwrap();
        let server = on(data.path(), &nats).ready();
        let genesis = submitters(&server);
        let by = |name: &str, outcome: &str| (format!("client:nats/{name}"), outcome.to_owned());
        assert!(!genesis.is_empty(), "{genesis:?}");
        assert!(genesis.iter().all(|row| *row == by("ledger", "applied")), "{genesis:?}");
        server.append(&landscape()[..1]);
        let mut client = Client::of(&nats);
        publish(&mut client, KIND, &json!([{"actor": "no entry"}]));
        // The actor claims to be another one, which changes nothing about who submitted it.
        let mut claimed = landscape()[1].clone();
        claimed["actor"] = json!("client:nats/ledger");
        publish(&mut client, KIND, &claimed);
        // No name turns the direction of writing.
        let headers = [("ce-type", KIND), ("content-type", "application/json")];
        let two = json!([grants(0..1)[0], grants(1..2)[0]]).to_string();
        request(&mut client, "tenure.acme.log.a\u{202e}b", &headers, two.as_bytes());
        let position = genesis.len() as u64 + 5;
        ready_at(&server, position);
        let found = submitters(&server).split_off(genesis.len());
        let expected = [
            by("ledger", "applied"),
            by("crm", "refused"),
            by("crm", "applied"),
            by("invalid", "refused"),
            by("invalid", "refused"),
        ];
        assert_eq!(found, expected);
        let asked = |who: &str| {
            let answer = server.get(&format!("/v1/entries{}", query(&[("submitter", who)]))).ok();
            let rows = answer["entries"].as_array().unwrap().clone();
            rows.iter().map(|row| row["position"].as_u64().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(asked("client:nats/crm"), [position - 3, position - 2]);
        assert_eq!(asked("client:nats/invalid"), [position - 1, position]);
        assert!(asked("client:tenure/anonymous").is_empty());
        let refused = &server.log()[genesis.len() + 4];
        assert_eq!(refused["refusal"]["code"], "malformed");
        let message = refused["refusal"]["message"].as_str().unwrap();
        assert!(message.contains("no name of a client"), "{message}");
        let before = (told(&server), digest(&server));
        server.stop();
        // A header that names a submitter counts on the operators' subject alone.
        nats.stop();
        nats.lose_store();
        nats.start_again();
        tenure_on(data.path(), &["republish", "--log", &nats.url(), "--yes"]).exits(0);
        let other = TempDir::new().unwrap();
        let built = on(other.path(), &nats).ready();
        ready_at(&built, position);
        assert_eq!((told(&built), digest(&built)), before);
        let mut client = Client::of(&nats);
        let claims = [("tenure-submitter", "client:tenure/local"), headers[0], headers[1]];
        let data = grants(2..3)[0].to_string();
        request(&mut client, "tenure.acme.log.crm", &claims, data.as_bytes());
        ready_at(&built, position + 1);
        assert_eq!(submitters(&built).pop().unwrap().0, "client:nats/crm");
    }
}

/// Header blocks that a server stores, and that no connection of the ledger outlives or passes on
const UNREADABLE: [&[u8]; 10] = [
    b"no version\r\n\r\n",
    b"NATS/1.0\r\nno colon\r\n\r\n",
    b"NATS/1.0\r\na name: x\r\n\r\n",
    b"NATS/1.0\r\n\xc3\xa9: x\r\n\r\n",
    b"NATS/1.0\r\na: \xff\xfe\r\n\r\n",
    b"NATS/1.0\r\na: x\ry\r\n\r\n",
    b"NATS/1.0 abc\r\n\r\n",
    b"NATS/1.0 100\r\n\r\n",
    b"NATS/1.0 404 gone\r\n\r\n",
    b"NATS/1.0 409 Consumer Deleted\r\n\r\n",
];

#[test]
fn a_message_whose_headers_cannot_be_read_is_malformed_and_the_ledger_goes_on() {
    for version in Version::ALL {
        let mut nats = Nats::start(version);
        let data = TempDir::new().unwrap();
        let server = on(data.path(), &nats).ready();
        server.append(&landscape());
        let before = server.log().len();
        let mut client = Client::of(&nats);
        for (n, block) in (0..).zip(UNREADABLE) {
            let stored = client.try_request_with("tenure.acme.log.crm", block, b"{}");
            assert!(stored.is_some_and(|stored| stored["seq"].is_u64()), "{block:?}");
            publish(&mut client, KIND, &grants(n..n + 1)[0]);
            // The ledger goes on before the next one, too.
            let position = before as u64 + 2 * (u64::from(n) + 1);
            ready_at(&server, position);
        }
        // Many at once, and a subject that no connection outlives.
        for block in UNREADABLE.repeat(3) {
            client.try_request_with("tenure.acme.log.crm", block, b"{}");
        }
        publish_as(&mut client, "a\u{a0}b", KIND, &grants(20..21)[0]);
        publish(&mut client, KIND, &grants(21..22)[0]);
        let position = before + 5 * UNREADABLE.len() + 2;
        ready_at(&server, position as u64);
        let log = told(&server);
        for row in &log[before..position - 2] {
            assert_eq!(row["submitter"], "client:nats/crm", "{row}");
        }
        for pair in log[before..].chunks(2).take(UNREADABLE.len()) {
            let outcomes = [&pair[0]["refusal"]["code"], &pair[1]["outcome"]];
            assert_eq!(outcomes, ["malformed", "applied"], "{pair:?}");
        }
        assert_eq!(log[position - 2]["submitter"], "client:nats/a\u{a0}b");
        assert_eq!([&log[position - 2]["outcome"], &log[position - 1]["outcome"]], ["applied"; 2]);
        assert_eq!(server.append(&grants(30..31))[0]["outcome"], "applied");
        let message = server.log()[before]["refusal"]["message"].to_string();
        assert!(message.contains("headers cannot be read"), "{message}");
        let (log, first) = (told(&server), digest(&server));
        assert_eq!(rebuilt(&nats), (log.clone(), first.clone()));
        server.stop();
        // A journal compares as equal with a stream of the same messages, and goes to an empty one.
        let republish = || tenure_on(data.path(), &["republish", "--log", &nats.url(), "--yes"]);
        assert!(republish().exits(0).stdout.contains("nothing to append"));
        nats.stop();
        nats.lose_store();
        nats.start_again();
        tenure_on(data.path(), &["republish", "--log", &nats.url(), "--yes"]).exits(0);
        assert_eq!(rebuilt(&nats), (log, first));
    }
}

#[test]
fn a_question_whose_headers_cannot_be_read_leaves_the_door_open() {
    for version in Version::ALL {
        let nats = Nats::start(version);
        let data = TempDir::new().unwrap();
        let server = on(data.path(), &nats).ready();
        server.append(&landscape());
        for block in UNREADABLE {
            // No answer comes to this request.
            let inbox = b"HPUB tenure.acme.ask.levels _INBOX.nobody ";
            let sizes = format!("{0} {0}\r\n", block.len());
            Client::of(&nats).send(&[inbox, sizes.as_bytes(), block, b"\r\n"].concat());
            // A request that comes before the next connection is lost.
            let second = Duration::from_secs(1);
            let asked =
                || Client::within(&nats, second).try_request("tenure.acme.ask.levels", &[], b"{}");
            let answer = poll(|| asked().filter(|answer| answer.is_object()));
            assert!(answer.is_some_and(|answer| answer["code"].is_null()), "{}", server.stderr());
        }
    }
}

#[test]
fn newer_rules_stop_a_replica_and_nothing_else() {
    for version in Version::ALL {
        let nats = Nats::start(version);
        let data = TempDir::new().unwrap();
        let server = on(data.path(), &nats).ready();
        server.append(&landscape());
        let mut client = Client::of(&nats);
        // A submitter can halt nobody: from it such a message is malformed.
        let before = server.log().len();
        publish(&mut client, "dev.tenure.entries.v2", &grants(0..1)[0]);
        publish(&mut client, KIND, &grants(2..3)[0]);
        let held = poll(|| Some(server.log()).filter(|log| log.len() == before + 2));
        let held = held.unwrap_or_else(|| panic!("{}", readiness(&server)));
        let newest: Vec<&Value> = held.iter().rev().take(2).map(|row| &row["outcome"]).collect();
        assert_eq!(newest, ["applied", "refused"], "{held:?}");
        let position = server.position();
        publish_as(&mut client, "ledger", "dev.tenure.entries.v2", &grants(0..1)[0]);
        publish(&mut client, KIND, &grants(1..2)[0]);
        let found = unready_as(&server, "needs_upgrade");
        assert!(found["detail"].to_string().contains("version 2"), "{found}");
        reads_go_on(&server);
        refuses_to_append(&server);
        server.stop();
        let server = on(data.path(), &nats).listening().unwrap();
        unready_as(&server, "needs_upgrade");
        assert_eq!(server.log().len() as u64, position);
    }
}

#[test]
fn only_operators_say_when_an_entry_was_recorded() {
    for version in Version::ALL {
        let nats = Nats::start(version);
        let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
        let servers = [on(folders[0].path(), &nats).ready(), on(folders[1].path(), &nats).ready()];
        servers[0].append(&landscape());
        let now = tenure_log::embedded::now().micros();
        let year_2099 = "4080000000000000";
        let an_hour_ahead = (now + 3_600_000_000).to_string();
        let mut client = Client::of(&nats);
        let mut publish = |subject: &str, recorded_at: &str, name: &str, data: &Value| {
            let headers = [
                ("ce-specversion", "1.0"),
                ("ce-id", "1"),
                ("ce-source", "test"),
                ("ce-type", KIND),
                ("content-type", "application/json"),
                (name, recorded_at),
            ];
            request(&mut client, subject, &headers, data.to_string().as_bytes());
        };
        // A submitter publishes on a subject of its own, and may not date what it submits.
        let submitted = grants(0..4);
        for (subject, name, entry) in [
            ("tenure.acme.log.crm", "tenure-recorded-at", &submitted[0]),
            ("tenure.acme.log.ledger", "tenure-recorded-at", &submitted[1]),
            ("tenure.acme.log.republisher", "tenure-recorded-at", &submitted[2]),
            ("tenure.acme.log.crm", "tenure-malformed", &submitted[3]),
        ] {
            publish(subject, year_2099, name, entry);
        }
        let log = |server: &Server, count: usize| -> Vec<Value> {
            let ids = |entry: &Value| entry["id"].clone();
            let wanted: Vec<Value> = submitted.iter().map(ids).collect();
            let rows = |server: &Server| -> Option<Vec<Value>> {
                let rows = server.log().into_iter().filter(|row| wanted.contains(&row["id"]));
                Some(rows.collect::<Vec<_>>()).filter(|rows| rows.len() == count)
            };
            poll(|| rows(server)).unwrap_or_else(|| panic!("{:#?}", server.log()))
        };
        let rows = log(&servers[0], 4);
        for row in &rows {
            assert_eq!(row["outcome"], "applied", "{row:#}");
            assert!(row["recorded_at"].as_str() < Some("2090"), "{row:#}");
        }
        // Every replica reads the same.
        assert_eq!(rows, log(&servers[1], 4));
        assert_eq!(servers[0].get("/readyz").ok()["clock"], Value::Null);
        // An operator may; and each server says that its clock is behind the log's then.
        let republished = grants(4..5).remove(0);
        publish("tenure.acme.log.republished", &an_hour_ahead, "tenure-recorded-at", &republished);
        for server in &servers {
            let behind =
                poll(|| server.get("/readyz").ok()["clock"]["behind_log_seconds"].as_f64());
            assert!(behind.is_some_and(|seconds| seconds > 3_000.0), "{behind:?}");
            let metrics = server.get("/metrics").text;
            assert!(metrics.contains("tenure_clock_offset_seconds -3"), "{metrics}");
        }
    }
}

#[test]
fn recorded_times_never_step_back() {
    for version in Version::ALL {
        let nats = Nats::start(version);
        let data = TempDir::new().unwrap();
        let server = on(data.path(), &nats).ready();
        server.append(&landscape());
        let earlier = server.log().last().cloned().unwrap();
        let before = earlier["recorded_at"].clone();
        let after = |earlier: &Value| {
            let last = poll(|| {
                let last = server.log().last().cloned()?;
                (last["position"] != earlier["position"]).then_some(last)
            });
            last.unwrap_or_else(|| panic!("{:#?}", server.log().last()))
        };
        // Messages of this subject say when they were recorded, so they can imitate a clock that stepped back.
        let mut client = Client::of(&nats);
        let headers = [
            ("ce-specversion", "1.0"),
            ("ce-id", "1"),
            ("ce-source", "test"),
            ("ce-type", KIND),
            ("content-type", "application/json"),
            ("tenure-recorded-at", "1000000"),
        ];
        let data = grants(0..1)[0].to_string();
        request(&mut client, "tenure.acme.log.republished", &headers, data.as_bytes());
        let last = after(&earlier);
        assert_eq!((&last["recorded_at"], &last["outcome"]), (&before, &json!("applied")));
        // On any other subject the header is ignored.
        request(
            &mut client,
            "tenure.acme.log.crm",
            &headers,
            grants(1..2)[0].to_string().as_bytes(),
        );
        assert!(after(&last)["recorded_at"].as_str() > before.as_str());
    }
}
