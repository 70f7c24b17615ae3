//! A ledger whose log is a stream of a real nats-server starts, goes on, and recovers from losses
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;
mod on_nats;
mod raw_nats;

use std::fs;
use std::path::Path;

use common::{Start, landscape, poll, query, tenure_on};
use on_nats::{
    KIND, away, digest, grants, on, publish, readiness, reads_go_on, ready, ready_at, rebuilt,
    refuses_to_append, request, told, unready_as,
};
use raw_nats::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenure_test_nats::{Server as Nats, Version, free_port};

#[test]
fn a_ledger_goes_on_where_it_was_and_a_lost_folder_is_built_again() {
    for version in Version::ALL {
        let nats = Nats::start(version);
        let data = TempDir::new().unwrap();
        let server = on(data.path(), &nats).ready();
        server.append(&landscape());
        server.append(&grants(0..50));
        let (log, first) = (told(&server), digest(&server));
        // The newest server can sync always. With an older server there is a warning.
        let late = version == Version::Debian;
        let warned = ready(&server)["log"]["warnings"].to_string();
        assert_eq!(warned.contains("two minutes"), late, "{warned}");
        assert_eq!(server.metric("tenure_log_late_sync"), Some(f64::from(u8::from(late))));
        assert_eq!(server.stderr().contains("two minutes"), late);
        server.stop();
        let again = on(data.path(), &nats).ready();
        assert_eq!((told(&again), digest(&again)), (log.clone(), first.clone()));
        assert_eq!(again.append(&grants(50..51))[0]["position"], log.len() as u64 + 1);
        let (log, first) = (told(&again), digest(&again));
        assert_eq!(rebuilt(&nats), (log, first));
    }
}

#[test]
fn what_was_acknowledged_outlives_a_kill_and_a_retry_counts_once() {
    for version in Version::ALL {
        let nats = Nats::start(version);
        let data = TempDir::new().unwrap();
        let mut server = on(data.path(), &nats).ready();
        server.append(&landscape());
        let sent = grants(0..200);
        for part in sent.chunks(7) {
            server.append(part);
        }
        let log = told(&server);
        server.kill();
        let again = on(data.path(), &nats).ready();
        assert_eq!(told(&again), log);
        let sent = again.post("/v1/entries", &json!({ "entries": sent })).ok();
        for result in sent["results"].as_array().unwrap() {
            assert_eq!(result["outcome"], "duplicate");
        }
    }
}

/// Makes or changes the ledger's stream with settings in JSON
#[track_caller]
fn set(client: &mut Client, verb: &str, config: &Value) {
    let subject = format!("$JS.API.STREAM.{verb}.TENURE_ACME");
    let answer = request(client, &subject, &[], config.to_string().as_bytes());
    assert!(answer["error"].is_null(), "{verb} {config}: {answer}");
}

/// The settings of a stream that can be the log, except for the given ones
fn but_for(others: &Value) -> Value {
    let mut config = json!({"name": "TENURE_ACME", "subjects": ["tenure.acme.log.*"],
        "retention": "limits", "storage": "file", "discard": "new", "num_replicas": 1,
        "deny_delete": true, "deny_purge": true});
    for (setting, value) in others.as_object().unwrap() {
        config[setting] = value.clone();
    }
    config
}

#[track_caller]
fn refused_for(nats: &Nats, client: &mut Client, setting: &str) {
    let data = TempDir::new().unwrap();
    let ran = on(data.path(), nats).attempt().map(|_| setting).unwrap_err();
    ran.exits(3).complains(&["TENURE_ACME", &format!("`{setting}`"), "must be"]);
    let gone = request(client, "$JS.API.STREAM.DELETE.TENURE_ACME", &[], b"");
    assert_eq!(gone["success"], true, "{gone}");
}

#[test]
fn a_stream_that_can_forget_or_rewrite_is_refused_with_the_setting() {
    let of_both = [
        ("max_age", json!({"max_age": 3_600_000_000_000_u64})),
        ("max_bytes", json!({"max_bytes": 1_000_000})),
        ("max_msgs", json!({"max_msgs": 1_000})),
        ("max_msgs_per_subject", json!({"max_msgs_per_subject": 10})),
        ("storage", json!({"storage": "memory"})),
        ("discard", json!({"discard": "old"})),
        ("retention", json!({"retention": "workqueue"})),
        ("retention", json!({"retention": "interest"})),
        // Rollup needs permission to purge.
        ("allow_rollup_hdrs", json!({"allow_rollup_hdrs": true, "deny_purge": false})),
        ("deny_delete", json!({"deny_delete": false})),
        ("deny_purge", json!({"deny_purge": false})),
        ("no_ack", json!({"no_ack": true})),
        ("subjects", json!({"subjects": ["tenure.acme.log.*", "tenure.other.log.*"]})),
        ("subjects", json!({"subjects": ["tenure.other.log.*"]})),
        // A subject with more tokens names no submitter.
        ("subjects", json!({"subjects": ["tenure.acme.log.>"]})),
        ("sources", json!({"sources": [{"name": "OTHER"}]})),
        // A mirror has no subjects of its own.
        ("mirror", json!({"mirror": {"name": "OTHER"}, "subjects": null})),
    ];
    // An older server ignores these.
    let of_newest = [
        ("allow_msg_ttl", json!({"allow_msg_ttl": true})),
        (
            "subject_transform",
            json!({"subject_transform": {"src": "tenure.acme.log.a", "dest": "tenure.acme.log.b"}}),
        ),
        ("persist_mode", json!({"persist_mode": "async"})),
        ("first_seq", json!({"first_seq": 10})),
        // A server allows neither with `discard: new`, and the ledger checks `discard` first.
        ("discard", json!({"allow_msg_counter": true, "discard": "old"})),
        ("discard", json!({"allow_msg_schedules": true, "discard": "old"})),
    ];
    for version in Version::ALL {
        let nats = Nats::start(version);
        let mut client = Client::of(&nats);
        let newer = if version == Version::Newest { of_newest.as_slice() } else { &[] };
        for (setting, others) in of_both.iter().chain(newer) {
            set(&mut client, "CREATE", &but_for(others));
            refused_for(&nats, &mut client, setting);
        }
        // Only an existing stream can be sealed.
        set(&mut client, "CREATE", &but_for(&json!({})));
        set(&mut client, "UPDATE", &but_for(&json!({"sealed": true})));
        refused_for(&nats, &mut client, "sealed");
        // The beginning of this stream is gone, although nobody can remove from it any more.
        set(&mut client, "CREATE", &but_for(&json!({"deny_delete": false})));
        for n in 0..2 {
            publish(&mut client, KIND, &grants(n..n + 1)[0]);
        }
        let deleted =
            request(&mut client, "$JS.API.STREAM.MSG.DELETE.TENURE_ACME", &[], b"{\"seq\": 1}");
        assert_eq!(deleted["success"], true, "{deleted}");
        set(&mut client, "UPDATE", &but_for(&json!({})));
        refused_for(&nats, &mut client, "first_seq");

        set(&mut client, "CREATE", &but_for(&json!({})));
        let data = TempDir::new().unwrap();
        let server = on(data.path(), &nats).ready();
        // A setting that is changed while the stream is followed is found too, and so is its correction.
        set(&mut client, "UPDATE", &but_for(&json!({"max_age": 3_600_000_000_000_u64})));
        assert!(unready_as(&server, "log_unfit")["detail"].to_string().contains("max_age"));
        refuses_to_append(&server);
        set(&mut client, "UPDATE", &but_for(&json!({})));
        ready(&server);
    }
}

#[test]
fn nats_may_be_away_at_the_start_and_in_the_middle() {
    for version in Version::ALL {
        let port = free_port();
        let data = TempDir::new().unwrap();
        let url = format!("nats://127.0.0.1:{port}");
        let start = || Start::on(data.path()).arg("--ledger", "acme").arg("--log", &url);
        let server = start().listening().unwrap();
        away(&server);
        let body = json!({ "entries": grants(0..1) });
        server.post("/v1/entries", &body).is_problem(
            503,
            "log_unavailable",
            &["nothing was appended"],
        );
        let mut nats = tenure_test_nats::Start::with(version, "").port(port).running();
        ready(&server);
        server.append(&landscape());
        nats.kill();
        away(&server);
        reads_go_on(&server);
        server.post("/v1/entries", &body).is_problem(
            503,
            "log_unavailable",
            &["nothing was appended"],
        );
        nats.start_again();
        ready(&server);
        assert_eq!(server.append(&grants(1..2))[0]["outcome"], "applied");
        // A server starts without NATS too, and answers with the entries that are known.
        nats.stop();
        server.stop();
        let server = start().listening().unwrap();
        away(&server);
        reads_go_on(&server);
    }
}

fn copy(from: &Path, to: &Path) {
    common::copy_folder(from, to);
}

#[test]
fn a_stream_that_lost_its_tail_is_found_and_gets_it_back() {
    for version in Version::ALL {
        let mut nats = Nats::start(version);
        let (data, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let server = on(data.path(), &nats).ready();
        server.append(&landscape());
        nats.stop();
        let backup = TempDir::new().unwrap();
        copy(&nats.store(), &backup.path().join("store"));
        nats.start_again();
        ready(&server);
        server.append(&grants(0..20));
        let mut client = Client::of(&nats);
        publish(&mut client, KIND, &json!({"id": 5}));
        publish(
            &mut client,
            KIND,
            &json!({"entries": [grants(30..31)[0], {"id": 7}, grants(31..32)[0]]}),
        );
        drop(client);
        let newest = poll(|| {
            let log = server.log();
            log.iter().filter(|row| row["refusal"]["code"] == "malformed").nth(1)?;
            (log.last()?["outcome"] == "applied").then_some(log.len() as u64)
        });
        let newest = newest.unwrap_or_else(|| panic!("{:#?}", server.log().last()));
        ready_at(&server, newest);
        let (log, before) = (told(&server), digest(&server));
        // The broker comes back with an older backup while the ledger runs.
        nats.stop();
        nats.lose_store();
        copy(&backup.path().join("store"), &nats.store());
        nats.start_again();
        let found = unready_as(&server, "log_lost_tail");
        assert!(found["detail"].to_string().contains("republish"), "{found}");
        reads_go_on(&server);
        refuses_to_append(&server);
        server.stop();
        let server = on(data.path(), &nats).listening().unwrap();
        unready_as(&server, "log_lost_tail");
        reads_go_on(&server);
        server.stop();
        let url = nats.url();
        let republish = |more: &[&str]| {
            let arguments = [&["republish", "--log", &url], more].concat();
            tenure_on(data.path(), &arguments)
        };
        let shown = republish(&[]);
        shown.exits(1);
        assert!(shown.stdout.contains(&format!("to {newest} are to be appended")), "{shown:?}");
        assert!(republish(&["--yes"]).exits(0).stdout.contains("appended"));
        assert!(republish(&[]).exits(0).stdout.contains("nothing to append"));
        let server = on(data.path(), &nats).ready();
        assert_eq!((told(&server), digest(&server)), (log.clone(), before.clone()));
        // A ledger that reads the stream from its beginning has the same entries.
        let built = on(other.path(), &nats).ready();
        assert_eq!((told(&built), digest(&built)), (log, before));
        assert_eq!(server.append(&grants(40..41))[0]["position"], newest + 1);
        server.stop();
        let server = on(data.path(), &nats).ready();
        assert_eq!(server.position(), newest + 1);
    }
}

#[test]
fn a_stream_that_went_on_otherwise_is_found() {
    for version in Version::ALL {
        let mut nats = Nats::start(version);
        let data = TempDir::new().unwrap();
        let server = on(data.path(), &nats).ready();
        server.append(&landscape());
        let common = server.position();
        nats.stop();
        let backup = TempDir::new().unwrap();
        copy(&nats.store(), &backup.path().join("store"));
        nats.start_again();
        ready(&server);
        server.append(&grants(0..3));
        server.stop();
        nats.stop();
        nats.lose_store();
        copy(&backup.path().join("store"), &nats.store());
        nats.start_again();
        let mut client = Client::of(&nats);
        for n in 10..15 {
            publish(&mut client, KIND, &grants(n..n + 1)[0]);
        }
        let server = on(data.path(), &nats).listening().unwrap();
        let found = unready_as(&server, "log_diverged");
        assert!(
            found["detail"].to_string().contains(&format!("position {}", common + 1)),
            "{found}"
        );
        assert_eq!(server.log().len() as u64, common + 3);
        refuses_to_append(&server);
        server.stop();
        let url = nats.url();
        let ran = tenure_on(data.path(), &["republish", "--log", &url, "--yes"]);
        ran.exits(3).complains(&["other entries"]);
        let ran = tenure_on(data.path(), &["republish", "--log", &url, "--yes", "--after-others"]);
        ran.exits(0);
        let other = TempDir::new().unwrap();
        let built = on(other.path(), &nats).ready();
        assert_eq!(built.position(), common + 5 + 3);
    }
}

#[test]
fn a_journal_moves_from_a_folder_to_a_stream() {
    for version in Version::ALL {
        let nats = Nats::start(version);
        let data = TempDir::new().unwrap();
        let server = Start::on(data.path()).arg("--ledger", "acme").ready();
        server.append(&landscape());
        let log = told(&server);
        server.stop();
        let url = nats.url();
        tenure_on(data.path(), &["republish", "--log", &url, "--yes"]).exits(0);
        let server = on(data.path(), &nats).ready();
        assert_eq!(told(&server), log);
        server.append(&grants(0..1));
        server.stop();
        // Without the stream a server does not start: its log would go another way than the stream.
        let ran = Start::on(data.path()).attempt().unwrap_err();
        ran.exits(3).complains(&["follows a stream"]);
        let one = grants(1..2)[0].to_string();
        let file = data.path().join("one.json");
        fs::write(&file, one).unwrap();
        let ran = tenure_on(data.path(), &["submit", file.to_str().unwrap()]);
        ran.exits(3).complains(&["follows a stream"]);
    }
}

#[test]
fn a_damaged_journal_is_set_aside_and_built_again() {
    for version in Version::ALL {
        let nats = Nats::start(version);
        let data = TempDir::new().unwrap();
        let server = on(data.path(), &nats).ready();
        server.append(&landscape());
        server.append(&grants(0..300));
        let log = told(&server);
        server.stop();
        let file = data.path().join("journal/db");
        let mut bytes = fs::read(&file).unwrap();
        let length = bytes.len();
        bytes[length / 3..length / 3 + 64].fill(0xA5);
        fs::write(&file, bytes).unwrap();
        let server = on(data.path(), &nats).ready();
        let kept = data.path().join("quarantine-1");
        assert!(
            kept.join("journal/db").exists() && kept.join("why.txt").exists(),
            "{}",
            server.stderr()
        );
        assert_eq!(told(&server), log);
        assert!(!data.path().join("expected.json").exists());
    }
}

#[test]
fn a_damaged_journal_is_not_forgotten_when_the_stream_lost_more() {
    for version in Version::ALL {
        let mut nats = Nats::start(version);
        let data = TempDir::new().unwrap();
        let server = on(data.path(), &nats).ready();
        server.append(&landscape());
        server.append(&grants(0..10));
        server.stop();
        nats.stop();
        nats.lose_store();
        nats.start_again();
        fs::remove_dir_all(data.path().join("journal")).unwrap();
        let server = on(data.path(), &nats).listening().unwrap();
        let found = unready_as(&server, "log_lost_tail");
        assert!(found["detail"].to_string().contains("quarantine-1"), "{found}");
    }
}

#[test]
fn replicas_agree_and_one_that_differs_says_so() {
    for version in Version::ALL {
        let nats = Nats::start(version);
        let folders = [TempDir::new().unwrap(), TempDir::new().unwrap(), TempDir::new().unwrap()];
        let servers = folders.each_ref().map(|folder| on(folder.path(), &nats).ready());
        let [one, two, three] = &servers;
        one.append(&landscape());
        for n in 0..20 {
            let position = one.append(&grants(n..n + 1))[0]["position"].as_u64().unwrap();
            // The other replicas know the entry that was written through one.
            let asked = query(&[("on", "subaccount:dev"), ("min_position", &position.to_string())]);
            for other in [two, three] {
                let found = other.get(&format!("/v1/assignments{asked}")).ok();
                assert!(found.to_string().contains(&format!("p{n}@acme.example")), "{found}");
            }
        }
        let all = servers.each_ref().map(digest);
        assert!(all.iter().all(|digest| *digest == all[0]), "{all:?}");
        let agreeing = poll(|| {
            servers
                .iter()
                .all(|server| server.metric("tenure_replicas_agreeing") == Some(2.0))
                .then_some(())
        });
        assert!(agreeing.is_some(), "{}", readiness(one));
        // More replicas announce another digest than agree with this one.
        let mut client = Client::of(&nats);
        let position = one.position();
        let mut wrong = || {
            for name in ["x", "y", "z"] {
                let told = json!({"replica": name, "position": position, "digest": "0".repeat(32), "mark": 0,
                    "mark_digest": ""});
                let text = told.to_string();
                client.send(
                    format!("PUB tenure.acme.replica.digest {}\r\n{text}\r\n", text.len())
                        .as_bytes(),
                );
            }
        };
        let found = poll(|| {
            wrong();
            Some(readiness(one)).filter(|found| found["code"] == "replica_differs")
        });
        assert!(found.is_some(), "{}", readiness(one));
        refuses_to_append(one);
        reads_go_on(one);
        let kept = || {
            let files = fs::read_dir(folders[0].path()).unwrap().flatten();
            files
                .filter(|file| file.file_name().to_string_lossy().starts_with("divergence-"))
                .count()
        };
        assert!(poll(|| (kept() >= 3).then_some(())).is_some());
        assert_eq!(kept(), 3);
    }
}
