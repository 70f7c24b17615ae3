//! A ledger notices when the broker has lost messages, has no stream or refuses to store. It never ignores this in
//! silence, and it reports the cause
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;
mod raw_nats;

use std::fs;
use std::path::{Path, PathBuf};

use common::{
    Ran, Server, Start, copy_folder, entry, files_under, grant, landscape, poll, tenure_on,
};
use raw_nats::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenure_test_nats::{Server as Nats, Start as StartNats, Version};

fn on(data: &Path, url: &str) -> Start {
    Start::on(data).arg("--ledger", "acme").arg("--log", url)
}

/// The same by a URL with a password, which is in no argument
fn by(data: &Path, url: &str) -> Start {
    Start::on(data).arg("--ledger", "acme").env("TENURE_LOG", url)
}

fn readiness(server: &Server) -> Value {
    server.get("/readyz").json()
}

/// Waits until a server is not ready, with this code and these words in its sentence
#[track_caller]
fn unready(server: &Server, code: &str, words: &str) {
    let told = |found: &Value| {
        found["code"] == code && found["detail"].as_str().is_some_and(|d| d.contains(words))
    };
    let found = poll(|| told(&readiness(server)).then_some(()));
    found.unwrap_or_else(|| panic!("{words}: {}\n{}", readiness(server), server.stderr()));
}

/// Waits until a server is ready, and returns its position and its digest
#[track_caller]
fn ready(server: &Server) -> (u64, String) {
    let found = poll(|| Some(readiness(server)).filter(|found| found["status"] == "ready"));
    let found = found.unwrap_or_else(|| panic!("{}\n{}", readiness(server), server.stderr()));
    (found["position"].as_u64().unwrap(), found["log"]["digest"].as_str().unwrap().to_owned())
}

#[track_caller]
fn ready_at(server: &Server, position: u64) -> (u64, String) {
    let there = poll(|| (readiness(server)["position"] == position).then_some(()));
    there.unwrap_or_else(|| panic!("{}\n{}", readiness(server), server.stderr()));
    ready(server)
}

/// Asserts that a server takes no entries and answers as before
#[track_caller]
fn takes_nothing_and_answers(server: &Server) {
    let one = entry(&[grant("late@acme.example")]);
    server.post("/v1/entries", &one).is_problem(503, "log_unavailable", &["nothing was appended"]);
    let check = "/v1/check?principal=alice@acme.example&can=destinations.manage&on=subaccount:dev";
    assert_eq!(server.get(check).ok()["allowed"], true);
}

#[track_caller]
fn request(nats: &Nats, subject: &str) -> Value {
    let answer = Client::of(nats).try_request(subject, &[], b"");
    answer.unwrap_or_else(|| panic!("no answer: {subject}"))
}

fn delete_stream(nats: &Nats) {
    let deleted = request(nats, "$JS.API.STREAM.DELETE.TENURE_ACME");
    assert_eq!(deleted["success"], true, "{deleted}");
}

fn has_stream(nats: &Nats) -> bool {
    let info = request(nats, "$JS.API.STREAM.INFO.TENURE_ACME");
    assert!(info["config"].is_object() || info["error"]["code"] == 404, "{info}");
    info["config"].is_object()
}

fn republish(data: &Path, nats: &Nats, more: &[&str]) -> Ran {
    tenure_on(data, &[&["republish", "--log", &nats.url()], more].concat())
}

/// Publishes malformed messages until so many are stored, or the server stores no more; returns how many are
fn publish_noise(nats: &Nats, messages: usize, bytes: usize) -> usize {
    let mut client = Client::of(nats);
    let noise = vec![b'~'; bytes];
    let stored = |_: &usize| {
        let answer = client.try_request("tenure.acme.log.crm", &[("ce-type", "noise")], &noise);
        answer.unwrap()["error"].is_null()
    };
    (0..messages).take_while(stored).count()
}

fn stored_files(nats: &Nats) -> Vec<PathBuf> {
    let store = nats.store();
    files_under(&store).into_iter().map(|path| store.join(path)).collect()
}

/// The files of the stream's messages, in their order
fn blocks(nats: &Nats) -> Vec<PathBuf> {
    let number = |path: &PathBuf| path.file_stem()?.to_str()?.parse::<u64>().ok();
    let mut blocks: Vec<_> = stored_files(nats)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "blk") && number(path).is_some())
        .filter(|path| path.to_string_lossy().contains("TENURE_ACME"))
        .filter(|path| !path.to_string_lossy().contains("/obs/"))
        .collect();
    blocks.sort_by_key(number);
    blocks
}

#[test]
fn a_hole_is_found_by_who_had_read_it_and_by_who_had_not() {
    for version in Version::ALL {
        a_hole_is_found(Nats::start(version));
    }
}

#[track_caller]
fn a_hole_is_found(mut nats: Nats) {
    let (data, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let server = on(data.path(), &nats.url()).ready();
    server.append(&landscape());
    // So many bytes take more than two of the stream's files.
    assert_eq!(publish_noise(&nats, 24, 1_000_000), 24);
    server.append(&[entry(&[grant("bob@acme.example")])]);
    let before = ready_at(&server, server.position());
    nats.stop();
    let blocks = blocks(&nats);
    assert!(blocks.len() > 2, "{blocks:?}");
    // The server's indexes of that file, and of all files, are removed too.
    let lost = blocks[1].file_stem().unwrap();
    for file in stored_files(&nats) {
        let of_messages = file.parent().is_some_and(|folder| folder.ends_with("msgs"));
        if of_messages && (file.file_stem() == Some(lost) || file.ends_with("index.db")) {
            fs::remove_file(file).unwrap();
        }
    }
    nats.start_again();
    assert!(has_stream(&nats));
    unready(&server, "log_diverged", "is gone");
    takes_nothing_and_answers(&server);
    server.stop();
    let server = on(data.path(), &nats.url()).listening().unwrap();
    unready(&server, "log_diverged", "is gone");
    takes_nothing_and_answers(&server);
    let fresh = on(other.path(), &nats.url()).listening().unwrap();
    unready(&fresh, "log_diverged", "is gone");
    fresh.stop();
    server.stop();
    let shown = republish(data.path(), &nats, &[]);
    assert!(shown.exits(1).stdout.contains("is gone"), "{shown:?}");
    // The operator does what the sentence says.
    delete_stream(&nats);
    republish(data.path(), &nats, &["--yes"]).exits(0);
    let server = on(data.path(), &nats.url()).ready();
    assert_eq!(ready(&server), before);
    let fresh = on(&other.path().join("again"), &nats.url()).ready();
    assert_eq!(ready_at(&fresh, before.0), before);
}

#[test]
fn a_stream_that_is_gone_is_not_begun_again_and_can_be_put_back() {
    for version in Version::ALL {
        let mut nats = Nats::start(version);
        let data = TempDir::new().unwrap();
        let server = on(data.path(), &nats.url()).ready();
        server.append(&landscape());
        let before = ready(&server);
        nats.stop();
        let backup = TempDir::new().unwrap();
        copy_folder(&nats.store(), &backup.path().join("store"));
        nats.start_again();
        assert_eq!(ready(&server), before);
        delete_stream(&nats);
        unready(&server, "log_lost_tail", "there is no stream `TENURE_ACME`");
        takes_nothing_and_answers(&server);
        server.stop();
        let server = on(data.path(), &nats.url()).listening().unwrap();
        unready(&server, "log_lost_tail", "there is no stream `TENURE_ACME`");
        // By now the ledger has looked more than once.
        assert!(!has_stream(&nats));
        nats.stop();
        nats.lose_store();
        copy_folder(&backup.path().join("store"), &nats.store());
        nats.start_again();
        assert_eq!(ready(&server), before);
        server.append(&[entry(&[grant("bob@acme.example")])]);
        let before = ready(&server);
        // There is no backup.
        delete_stream(&nats);
        unready(&server, "log_lost_tail", "there is no stream");
        server.stop();
        let shown = republish(data.path(), &nats, &[]);
        assert!(shown.exits(1).stdout.contains("there is no stream"), "{shown:?}");
        assert!(!has_stream(&nats), "showing what it would do has made the stream");
        republish(data.path(), &nats, &["--yes"]).exits(0);
        let server = on(data.path(), &nats.url()).ready();
        assert_eq!(ready(&server), before);
    }
}

#[test]
fn it_is_not_ready_while_more_is_published_than_it_has_read() {
    const THERE: usize = 40_000;
    const PUBLISHED: usize = 200_000;
    // Messages that are read ahead of the fold near the end of the stream
    const SOON: u64 = 80_000;
    let nats = Nats::start(Version::Newest);
    let (data, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let first = on(other.path(), &nats.url()).ready();
    first.append(&landscape());
    first.stop();
    let publish = |count: usize| {
        let one = "HPUB tenure.acme.log.crm 28 29\r\nNATS/1.0\r\nce-type: noise\r\n\r\n~\r\n";
        let mut client = Client::of(&nats);
        client.send(one.repeat(count).as_bytes());
        // When this message is stored, those before it are stored too.
        client.try_request("tenure.acme.log.crm", &[("ce-type", "noise")], b"~").unwrap();
    };
    publish(THERE);
    let server = on(data.path(), &nats.url()).listening().unwrap();
    // The ledger has begun to read up to the present end. Then many more messages come, faster than it can decide.
    publish(PUBLISHED);
    let info = request(&nats, "$JS.API.STREAM.INFO.TENURE_ACME");
    let published = info["state"]["last_seq"].as_u64().unwrap();
    let ready = common::poll_for(common::PATIENCE * 4, || {
        Some(readiness(&server)).filter(|found| found["status"] == "ready")
    });
    let ready = ready.unwrap_or_else(|| panic!("{}\n{}", readiness(&server), server.stderr()));
    let read = ready["log"]["sequence"].as_u64().unwrap();
    assert!(read + SOON >= published, "ready at {read} of {published}");
}

#[test]
fn a_broker_that_stores_no_more_is_no_riddle() {
    for version in Version::ALL {
        let limits = "jetstream { max_file_store: 12MB, max_mem: 8MB }\n";
        let nats = StartNats::with(version, limits).running();
        let data = TempDir::new().unwrap();
        let server = on(data.path(), &nats.url()).ready();
        server.append(&landscape());
        assert!(publish_noise(&nats, 40, 500_000) < 40, "it stores all of it");
        // The answer says that nothing was appended, and why.
        takes_nothing_and_answers(&server);
        let one = entry(&[grant("bob@acme.example")]);
        let answer = server.post("/v1/entries", &one);
        answer.is_problem(503, "log_unavailable", &["nothing was appended", "resources"]);
    }
}

#[test]
fn who_is_not_let_in_is_told_why() {
    let config = r#"
        authorization { users = [
            { user: "ledger", password: "right" },
            { user: "stranger", password: "right", permissions: { publish: { deny: "$JS.API.>" } } },
        ] }
    "#;
    for version in Version::ALL {
        let nats = StartNats::with(version, config).running();
        let data = TempDir::new().unwrap();
        let server = by(data.path(), &nats.url_as("ledger", "wrong")).listening().unwrap();
        unready(&server, "not_ready", "uthorization");
        server.stop();
        let server = by(data.path(), &nats.url_as("stranger", "right")).listening().unwrap();
        unready(&server, "not_ready", "ermissions Violation");
        server.stop();
        let server = by(data.path(), &nats.url_as("ledger", "right")).ready();
        let body = json!({ "entries": landscape() });
        server.post("/v1/entries", &body).ok();
    }
}
