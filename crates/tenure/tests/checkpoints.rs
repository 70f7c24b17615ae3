//! The index checkpoints of a data folder are written, interrupted, written without room, and compared
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use common::{Start, command, copy_folder, entry, landscape, tenure_on};

fn index(data: &Path) -> Vec<String> {
    let files = fs::read_dir(data.join("index")).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        files.map(|file| file.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A folder with some thousand entries
fn begun(data: &Path) -> Vec<Value> {
    let server = Start::on(data).ready();
    server.append(&landscape());
    for n in 0..5 {
        let grants = (0..1_000).map(|k| {
            entry(&[json!({ "type": "grant", "level": "subaccount:dev",
                "role_collection": "Subaccount Viewer",
                "to": format!("person-{}@acme.example", (n * 1_000 + k) % 1_500) })])
        });
        server.append(&grants.collect::<Vec<_>>());
    }
    let log = server.log();
    server.stop();
    log
}

#[test]
fn a_server_that_stops_leaves_a_checkpoint_that_the_next_one_reads() {
    let data = tempfile::tempdir().unwrap();
    let log = begun(data.path());
    assert_eq!(index(data.path()), ["0000000001"]);
    let server = Start::on(data.path()).ready();
    assert!(
        server.stderr().contains("the index was read from its checkpoint"),
        "{}",
        server.stderr()
    );
    assert_eq!(server.log(), log);
    assert_eq!(server.metric("tenure_index_checkpoint_position"), Some(log.len() as f64));
    server.stop();
    let ran = tenure_on(data.path(), &["verify"]);
    assert!(ran.exits(0).stdout.contains("answer the same"), "{ran:#?}");
    // The checkpoint is discarded, the journal folded, and a new checkpoint written.
    let ran = tenure_on(data.path(), &["rebuild"]);
    assert!(ran.exits(0).stdout.contains("1 index checkpoints discarded"), "{ran:#?}");
    assert!(ran.stdout.contains("an index checkpoint is written"), "{ran:#?}");
    assert_eq!(index(data.path()), ["0000000001"]);
    // A server also starts without index checkpoints, and leaves them alone.
    let server = Start::on(data.path()).arg("--index-checkpoints", "off").ready();
    assert!(!server.stderr().contains("read from its checkpoint"), "{}", server.stderr());
    assert_eq!(server.log(), log);
    server.stop();
    fs::remove_dir_all(data.path().join("index")).unwrap();
    let ran = tenure_on(data.path(), &["verify"]);
    assert!(ran.exits(0).stdout.contains("no index checkpoint"), "{ran:#?}");
}

#[test]
fn a_damaged_checkpoint_is_named_by_verify_and_discarded_by_a_start() {
    let data = tempfile::tempdir().unwrap();
    let log = begun(data.path());
    let file = data.path().join("index/0000000001/0000/db");
    let mut bytes = fs::read(&file).unwrap();
    let written = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes.iter_mut().take(written).skip(written / 3).step_by(1_000).for_each(|byte| *byte ^= 0x55);
    fs::write(&file, bytes).unwrap();
    let ran = tenure_on(data.path(), &["verify"]);
    ran.exits(3);
    assert!(ran.stderr.contains("tenure rebuild"), "{ran:#?}");
    let server = Start::on(data.path()).ready();
    assert!(server.stderr().contains("an index checkpoint is discarded"), "{}", server.stderr());
    assert_eq!(server.log(), log);
    server.stop();
}

#[test]
fn killed_while_it_writes_a_checkpoint_it_starts_as_before() {
    let data = tempfile::tempdir().unwrap();
    let log = begun(data.path());
    let sound = tempfile::tempdir().unwrap();
    copy_folder(data.path(), sound.path());
    let mut unfinished = 0;
    for round in 0..12_u64 {
        // A server writes a checkpoint beside the older one; a rebuild has removed the older one before.
        let mut child = command()
            .args(["rebuild", "--data"])
            .arg(data.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let began = Instant::now();
        let part = data.path().join("index/0000000001.part");
        while !part.exists() && child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < Duration::from_secs(60), "nothing is written");
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(Duration::from_millis(round * 3));
        child.kill().unwrap();
        child.wait().unwrap();
        unfinished += u64::from(part.exists());
        let server = Start::on(data.path()).ready();
        assert_eq!(server.log(), log, "round {round}");
        assert!(!part.exists(), "what was not finished is still there");
        server.stop();
        fs::remove_dir_all(data.path()).unwrap();
        copy_folder(sound.path(), data.path());
    }
    assert!(unfinished > 0, "it was never killed while it wrote");
}
