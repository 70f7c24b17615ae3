//! A full disk, a read-only folder and a file that may not grow each give a sentence, and nothing is lost; once there
//! is room again, everything works as before
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may fail by a panic, and one that does less says so: `allow-*-in-tests` does not \
              reach helpers"
)]

mod common;
mod mounted;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{
    Server, Start, clean, entry, files_under, grant, is_root, landscape, left_behind, poll,
    tenure_on,
};
use mounted::Mounted;
use serde_json::{Value, json};

fn free_bytes(folder: &Path) -> u64 {
    let stat = rustix::fs::statvfs(folder).unwrap();
    stat.f_bavail * stat.f_frsize
}

/// A file that takes up free space
struct Ballast {
    path: PathBuf,
}

impl Ballast {
    /// Leaves so many mebibytes free
    fn leaving(folder: &Path, mebibytes: u64) -> Self {
        let path = folder.join(format!("ballast-{}", uuid::Uuid::new_v4()));
        let mut file = fs::File::create(&path).unwrap();
        let block = vec![7; 64 * 1024];
        while free_bytes(folder) > mebibytes * 1024 * 1024 {
            if file.write_all(&block).is_err() {
                break;
            }
        }
        Self { path }
    }

    /// Leaves no free space
    fn filling(folder: &Path) -> Self {
        Self::leaving(folder, 0)
    }

    fn remove(self) {
        fs::remove_file(self.path).unwrap();
    }
}

fn one() -> Value {
    entry(&[grant("carol@acme.example")])
}

/// Asserts that questions are answered as before
#[track_caller]
fn is_readable(server: &Server, log: &[Value]) {
    assert_eq!(server.log(), log);
    let check = "/v1/check?principal=alice@acme.example&can=destinations.manage&on=subaccount:dev";
    assert_eq!(server.get(check).ok()["allowed"], true);
    server.get("/healthz").ok();
}

#[test]
fn a_replica_with_a_full_disk_waits_and_goes_on_by_itself() {
    let Some(disk) = Mounted::small_disk() else {
        return;
    };
    let nats = tenure_test_nats::Server::start(tenure_test_nats::Version::Newest);
    let other = tempfile::tempdir().unwrap();
    let follow =
        |data: &Path| Start::on(data).arg("--ledger", "acme").arg("--log", &nats.url()).ready();
    let (full, roomy) = (follow(&disk.path().join("data")), follow(other.path()));
    roomy.append(&landscape());
    let position = roomy.position();
    let readiness = |server: &Server| server.get("/readyz").json();
    let at = |position: u64| {
        poll(|| (readiness(&full)["position"] == position).then_some(()))
            .unwrap_or_else(|| panic!("{}\n{}", readiness(&full), full.stderr()));
    };
    at(position);
    // Without a free byte, while rows wait for their flush: the server uses the room that it has reserved.
    let ballast = Ballast::leaving(disk.path(), 18);
    roomy.append(&[one()]);
    at(position + 1);
    let last_bytes = Ballast::filling(disk.path());
    // The other replicas go on. This one says why it does not, and takes no entries.
    for _ in 0..10 {
        roomy.append(&[one()]);
    }
    poll(|| readiness(&full)["detail"].as_str()?.contains("bytes left").then_some(()))
        .unwrap_or_else(|| panic!("{}\n{}", readiness(&full), full.stderr()));
    full.post("/v1/entries", &one()).is_problem(503, "log_unavailable", &["nothing was appended"]);
    assert_eq!(full.log().len() as u64, position + 1);
    last_bytes.remove();
    ballast.remove();
    at(position + 11);
    assert_eq!(full.log(), roomy.log());
    assert_eq!(readiness(&full)["log"]["digest"], readiness(&roomy)["log"]["digest"]);
}

#[test]
fn a_full_disk_takes_nothing_and_loses_nothing() {
    let Some(disk) = Mounted::small_disk() else {
        return;
    };
    let data = disk.path().join("data");
    let server = Start::on(&data).ready();
    server.append(&landscape());
    let log = server.log();
    // The disk is nearly full: the server leaves the last free bytes alone.
    let ballast = Ballast::leaving(disk.path(), 12);
    let refused = one();
    for _ in 0..3 {
        let answer = server.post("/v1/entries", &refused);
        answer.is_problem(503, "log_unavailable", &["nothing was appended", "make room"]);
    }
    is_readable(&server, &log);
    // The server also logs it, so that an operator sees it.
    assert!(server.stderr().contains("make room"), "{}", server.stderr());
    // With room again it goes on by itself, and the entry that was not appended is a new one.
    ballast.remove();
    assert_eq!(server.append(std::slice::from_ref(&refused))[0]["position"], log.len() + 1);
    let log = server.log();
    // No byte is free.
    let ballast = Ballast::filling(disk.path());
    server.post("/v1/entries", &one()).is_problem(503, "log_unavailable", &["make room"]);
    is_readable(&server, &log);
    server.stop();
    // On the full disk it starts or says why not, and it does not begin a new ledger there.
    match Start::on(&data).attempt() {
        Ok(server) => {
            is_readable(&server, &log);
            server.post("/v1/entries", &one()).is_problem(503, "log_unavailable", &["make room"]);
            server.stop();
        }
        Err(ran) => drop(ran.exits(3).complains(&[data.to_str().unwrap()])),
    }
    let other = disk.path().join("other");
    Start::on(&other).attempt().unwrap_err().exits(3).complains(&[other.to_str().unwrap()]);
    let ran = tenure_on(
        &data,
        &["grant", "Subaccount Viewer", "--to", "x@y.example", "--on", "subaccount:dev"],
    );
    ran.exits(3).complains(&[]);
    ballast.remove();
    let server = Start::on(&data).ready();
    is_readable(&server, &log);
    server.append(&[one()]);
    server.stop();
    tenure_on(&data, &["verify"]).exits(0);
}

/// An entry of about 200 KB that does not compress
fn large() -> Value {
    let noise = std::iter::repeat_with(|| *uuid::Uuid::new_v4().as_bytes()).flatten();
    let role = format!("Large {}", uuid::Uuid::new_v4());
    let text: String = noise.take(200_000).map(|byte| char::from(b'0' + byte % 64)).collect();
    entry(&[json!({
        "type": "create_role", "level": "subaccount:dev", "role": role, "application": "app!t1",
        "template": "Large", "scopes": [], "attributes": { "noise": text } })])
}

#[test]
fn large_ones_that_come_at_once_find_their_room_or_are_refused() {
    let Some(disk) = Mounted::small_disk() else {
        return;
    };
    let data = disk.path().join("data");
    let server = Start::on(&data).ready();
    server.append(&landscape());
    let ballast = Ballast::leaving(disk.path(), 40);
    let before = server.position();
    let appended: u64 = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    for appended in 0.. {
                        let body = json!({ "entries": [large(), large(), large(), large()] });
                        let answer = server.post("/v1/entries", &body);
                        if answer.status != 200 {
                            // The answer is sure that nothing was appended, because no write has failed.
                            answer.is_problem(
                                503,
                                "log_unavailable",
                                &["nothing was", "make room"],
                            );
                            return appended * 4;
                        }
                    }
                    0
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    assert_eq!(server.position(), before + appended);
    // A small entry may still find room. With more room, large ones do too.
    let small = server.post("/v1/entries", &one()).status;
    assert!([200, 503].contains(&small), "{small}");
    ballast.remove();
    server.append(&[large()]);
    let log = server.log();
    server.stop();
    tenure_on(&data, &["verify"]).exits(0);
    let server = Start::on(&data).ready();
    assert_eq!(server.log(), log);
    server.stop();
}

#[test]
fn a_nearly_full_disk_has_room_for_the_journal_and_none_for_an_index_checkpoint() {
    let Some(disk) = Mounted::small_disk() else {
        return;
    };
    let data = disk.path().join("data");
    let server = Start::on(&data).ready();
    server.append(&landscape());
    let log = server.log();
    server.stop();
    let ran = tenure_on(&data, &["rebuild"]);
    ran.exits(3).complains(&["cannot be written", "kept for the journal"]);
    assert!(ran.stdout.contains("rebuilt from"), "{ran:#?}");
    let server = Start::on(&data).ready();
    is_readable(&server, &log);
    server.append(&[one()]);
    server.stop();
}

#[test]
fn killed_on_a_full_disk_it_starts_again_once_there_is_room() {
    let Some(disk) = Mounted::small_disk() else {
        return;
    };
    let data = disk.path().join("data");
    let mut server = Start::on(&data).ready();
    server.append(&landscape());
    for _ in 0..20 {
        server.append(&[one()]);
    }
    let log = server.log();
    let ballast = Ballast::filling(disk.path());
    server.post("/v1/entries", &one()).is_problem(503, "log_unavailable", &[]);
    server.kill();
    // A start there may fail, but it loses no acknowledged entry.
    if let Err(ran) = Start::on(&data).attempt() {
        ran.exits(3).complains(&[]);
    }
    ballast.remove();
    let server = Start::on(&data).ready();
    is_readable(&server, &log);
    server.stop();
}

/// A server whose files may not grow much, so that a write fails in the middle
///
/// With `signal` the failing write ends the process; otherwise it returns an error.
fn with_file_limit(data: &Path, signal: bool) -> Start {
    // sled grows its file by segments of 4 MiB: here it can begin the next one and not finish it.
    let segment = 4 * 1024 * 1024;
    let length = fs::metadata(data.join("journal/db")).unwrap().len();
    let limit = length.div_ceil(segment) * segment + segment / 8;
    let ignore = if signal { "" } else { "trap '' XFSZ; " };
    let script = format!("{ignore}exec prlimit --core=0 --fsize={limit} \"$0\" \"$@\"");
    let mut shell = clean(Command::new("sh"));
    shell.args(["-c", &script, env!("CARGO_BIN_EXE_tenure")]);
    Start::by(shell, data)
}

/// Whether limits can be set; if not, stderr says so
fn limits_are_possible() -> bool {
    let possible = Command::new("prlimit").args(["--core=0", "true"]).status();
    let possible = possible.is_ok_and(|status| status.success());
    if !possible {
        eprintln!("not tested with files that may not grow: there is no `prlimit`");
    }
    possible
}

/// Appends until an append fails; returns the acknowledged entries and the failure
fn append_until_it_fails(server: &Server, noise: usize) -> (Vec<Value>, Option<common::Answer>) {
    let mut acknowledged = Vec::new();
    for n in 0..5_000 {
        let mut entry = one();
        // Noise compresses badly, so the file grows.
        let noise: String = (0..noise).map(|_| uuid::Uuid::new_v4().simple().to_string()).collect();
        entry["changes"][0] = json!({
            "type": "create_role", "level": "subaccount:dev", "role": format!("Role {n}"),
            "application": "app!t1", "template": "T", "attributes": { "noise": noise } });
        let body = serde_json::to_vec(&entry).unwrap();
        match server.try_post("/v1/entries", "application/json", &body) {
            Some(answer) if answer.status == 200 => {
                acknowledged.push(answer.json()["results"][0].clone());
            }
            other => return (acknowledged, other),
        }
    }
    panic!("the limit was not met");
}

#[test]
fn a_write_that_fails_in_the_middle_is_not_taken_for_done_or_not_done() {
    if !limits_are_possible() {
        return;
    }
    // With entries of several sizes, different writes fail.
    for noise in [60, 600, 3_000] {
        write_that_fails(noise);
    }
}

fn write_that_fails(noise: usize) {
    let data = tempfile::tempdir().unwrap();
    let server = Start::on(data.path()).ready();
    server.append(&landscape());
    server.stop();
    let mut server = with_file_limit(data.path(), false).ready();
    let before = server.log();
    let (acknowledged, failure) = append_until_it_fails(&server, noise);
    let failure = failure.unwrap_or_else(|| panic!("no answer: {}", server.stderr()));
    failure.is_problem(503, "log_unavailable", &["not known", "same ids"]);
    // It takes no more entries and says so. It still answers checks and returns entries.
    let check = "/v1/check?principal=alice@acme.example&can=destinations.manage&on=subaccount:dev";
    assert_eq!(server.get(check).ok()["allowed"], true);
    let newest = before.len() + acknowledged.len();
    let rows: Vec<common::Answer> =
        (1..=newest).map(|position| server.get(&format!("/v1/entries/{position}"))).collect();
    server.post("/v1/entries", &one()).is_problem(
        503,
        "log_unavailable",
        &["start the server again"],
    );
    server.get("/readyz").is_problem(503, "not_ready", &["start the server again"]);
    server.get("/healthz").ok();
    server.terminate();
    server.ended();
    // A new start shows which entries are there.
    let server = Start::on(data.path()).ready();
    let after = server.log();
    assert_eq!(after[..before.len()], before[..]);
    assert!([newest, newest + 1].contains(&after.len()), "{} of {newest}", after.len());
    for result in &acknowledged {
        let position = usize::try_from(result["position"].as_u64().unwrap()).unwrap();
        assert_eq!(after[position - 1]["id"], result["id"]);
    }
    server.append(&[one()]);
    server.stop();
    tenure_on(data.path(), &["verify"]).exits(0);
    // Each row was returned correctly or not at all: sled may fail to read after a failed write.
    for (row, after) in rows.iter().zip(&after) {
        if row.status == 200 {
            assert_eq!(row.json(), *after);
        } else {
            row.is_problem(503, "not_ready", &["start the server again"]);
        }
    }
}

#[test]
fn ended_by_a_signal_in_the_middle_of_a_write_it_loses_nothing_acknowledged() {
    if !limits_are_possible() {
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let server = Start::on(data.path()).ready();
    server.append(&landscape());
    server.stop();
    let mut server = with_file_limit(data.path(), true).ready();
    let noise = 3_000;
    let (acknowledged, failure) = append_until_it_fails(&server, noise);
    assert!(failure.is_none(), "{failure:#?}");
    assert_ne!(server.ended().code(), Some(0));
    let server = Start::on(data.path()).ready();
    let after = server.log();
    for result in &acknowledged {
        let position = usize::try_from(result["position"].as_u64().unwrap()).unwrap();
        assert_eq!(after[position - 1]["id"], result["id"]);
    }
    server.stop();
    tenure_on(data.path(), &["verify"]).exits(0);
}

/// The bytes of all files in a folder
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let read = |file: PathBuf| {
        let bytes = fs::read(folder.join(&file)).unwrap();
        (file, bytes)
    };
    files_under(folder).into_iter().map(read).collect()
}

#[test]
fn a_read_only_disk_is_said() {
    let (data, log) = left_behind();
    let before = contents(data.path());
    {
        let from = data.path().to_str().unwrap();
        let Some(seen) = Mounted::new(&["--bind", from]) else {
            return;
        };
        let again = Command::new("mount").args(["-o", "remount,ro,bind"]).arg(seen.path()).status();
        assert!(again.unwrap().success());
        let folder = seen.path().to_str().unwrap();
        Start::on(seen.path()).attempt().unwrap_err().exits(3).complains(&[folder, "Read-only"]);
        tenure_on(seen.path(), &["log"]).exits(3).complains(&[folder, "Read-only"]);
        let inside = seen.path().join("new");
        Start::on(&inside).attempt().unwrap_err().exits(3).complains(&[folder, "Read-only"]);
    }
    assert_eq!(contents(data.path()), before);
    let server = Start::on(data.path()).ready();
    assert_eq!(server.log(), log);
    server.stop();
}

#[test]
fn a_folder_that_may_not_be_written_is_said() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let server = Start::on(&data).ready();
    server.append(&landscape());
    let log = server.log();
    server.stop();
    let before = contents(&data);
    let Some(nobody) = common::unprivileged(home.path()) else {
        return;
    };
    let program = nobody.get_program().to_owned();
    let arguments: Vec<_> = nobody.get_args().map(ToOwned::to_owned).collect();
    let nobody = || {
        let mut command = clean(Command::new(&program));
        command.args(&arguments);
        command
    };
    common::set_mode(&data, 0o555);
    let folder = data.to_str().unwrap();
    let parts = [folder, "denied"];
    Start::by(nobody(), &data).attempt().unwrap_err().exits(3).complains(&parts);
    common::run(nobody().arg("--data").arg(&data).arg("log")).exits(3).complains(&parts);
    // A folder that may not be made, and one that may not be read.
    let inside = data.join("new");
    Start::by(nobody(), &inside).attempt().unwrap_err().exits(3).complains(&parts);
    if is_root() {
        common::set_mode(&data, 0o700);
        Start::by(nobody(), &data).attempt().unwrap_err().exits(3).complains(&parts);
    }
    common::set_mode(&data, 0o755);
    assert_eq!(contents(&data), before);
    let server = Start::on(&data).ready();
    assert_eq!(server.log(), log);
    server.stop();
}
