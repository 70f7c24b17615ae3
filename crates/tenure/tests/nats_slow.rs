//! A replica may be too slow, or its disk may stand still: its memory stays bounded, its readiness is honest, and it
//! goes on by itself
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;
mod mounted;
mod raw_nats;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use common::{Server, Start, entry, grant, landscape, poll, poll_for};
use mounted::Mounted;
use raw_nats::Client;
use serde_json::Value;
use tenure_test_nats::{Server as Nats, Version};

/// Bytes that are published while a replica makes no progress
const FLOOD_BYTES: usize = 384 * 1024 * 1024;
/// Bytes of one message, less than a server's limit
const MESSAGE_BYTES: usize = 1_000_000;
/// How long the disk may take for what is published
const CATCH_UP: Duration = Duration::from_secs(240);
/// Kibibytes of memory that a slow replica may take in addition: 32 MiB are read ahead, 12 are requested, 8 are not
/// flushed, and the rest belongs to sled
const MORE_KIB_MAX: u64 = 192 * 1024;
/// Kibibytes of memory that it may take in addition when as much is published again: only variation
const AGAIN_KIB_MAX: u64 = 128 * 1024;

fn follow(data: &Path, nats: &Nats) -> Server {
    Start::on(data).arg("--ledger", "acme").arg("--log", &nats.url()).ready()
}

fn readiness(server: &Server) -> Value {
    server.get("/readyz").json()
}

/// The peak memory of a process, in KiB
fn peak_kib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// Publishes malformed messages that do not compress: every journal keeps them whole, and the index does not
fn flood(nats: &Nats) -> u64 {
    let mut client = Client::of(nats);
    let mut noise: Vec<u8> = Vec::with_capacity(MESSAGE_BYTES);
    while noise.len() < MESSAGE_BYTES {
        noise.extend(uuid::Uuid::new_v4().as_bytes());
    }
    let messages = FLOOD_BYTES / MESSAGE_BYTES;
    for n in 0..messages {
        // Every message is different.
        noise.rotate_left(1 + n % 16);
        let answer = client.try_request("tenure.acme.log.crm", &[("ce-type", "noise")], &noise);
        assert!(answer.is_some_and(|answer| answer["seq"].is_u64()));
    }
    messages as u64
}

#[track_caller]
fn is_at(server: &Server, position: u64) {
    let there = || (readiness(server)["position"] == position).then_some(());
    poll_for(CATCH_UP, there)
        .unwrap_or_else(|| panic!("{}\n{}", readiness(server), server.stderr()));
}

/// Asserts that two replicas are ready and have the same history at a position
#[track_caller]
fn agree(one: &Server, other: &Server, position: u64) {
    for server in [one, other] {
        is_at(server, position);
        let ready = || (server.get("/readyz").status == 200).then_some(());
        poll(ready).unwrap_or_else(|| panic!("{}\n{}", readiness(server), server.stderr()));
    }
    assert_eq!(readiness(one)["log"]["digest"], readiness(other)["log"]["digest"]);
}

/// Asserts that a question about earlier entries is answered
#[track_caller]
fn answers(server: &Server) {
    let check = "/v1/check?principal=alice@acme.example&can=destinations.manage&on=subaccount:dev";
    assert_eq!(server.get(check).ok()["allowed"], true);
    server.get("/healthz").ok();
}

#[test]
fn a_replica_whose_disk_stands_still_says_so_and_goes_on_when_the_disk_does() {
    let Some(disk) = Mounted::ext4() else { return };
    let nats = Nats::start(Version::Newest);
    let other = tempfile::tempdir().unwrap();
    let (slow, quick) = (follow(&disk.path().join("data"), &nats), follow(other.path(), &nats));
    quick.append(&landscape());
    let position = quick.position();
    is_at(&slow, position);
    let before = peak_kib(&slow);
    let Some(stands) = disk.stand_still() else { return };
    let flooded = flood(&nats);
    is_at(&quick, position + flooded);
    let said = poll(|| {
        let detail = readiness(&slow)["detail"].as_str()?.to_owned();
        detail.contains("has not answered for").then_some(())
    });
    said.unwrap_or_else(|| panic!("{}\n{}", readiness(&slow), slow.stderr()));
    answers(&slow);
    let one = entry(&[grant("dave@acme.example")]);
    slow.post("/v1/entries", &one).is_problem(503, "log_unavailable", &["nothing was appended"]);
    assert!(slow.metric("tenure_log_behind").unwrap() > 0.0);
    let more = peak_kib(&slow) - before;
    assert!(more < MORE_KIB_MAX, "{more} KiB more, of {FLOOD_BYTES} bytes that were published");
    drop(stands);
    agree(&slow, &quick, position + flooded);
    // In the end it has taken no more memory than a replica that was never behind.
    assert!(peak_kib(&slow) < peak_kib(&quick) + MORE_KIB_MAX);
    slow.append(&[one]);
    agree(&slow, &quick, position + 1 + flooded);
}

/// A process that runs for only a fortieth of the time, until this is dropped: also by a test that fails, which
/// would wait for this thread without end otherwise
struct Slowed {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Slowed {
    fn new(server: &Server) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (id, ended) = (server.id().to_string(), Arc::clone(&over));
        let signal = move |name: &str| {
            let told = Command::new("sh").args(["-c", "kill -$0 $1", name, &id]).status().unwrap();
            assert!(told.success());
        };
        let thread = std::thread::spawn(move || {
            while !ended.load(Ordering::Acquire) {
                signal("STOP");
                std::thread::sleep(Duration::from_millis(390));
                signal("CONT");
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        Self { over, thread: Some(thread) }
    }
}

impl Drop for Slowed {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        drop(self.thread.take().map(JoinHandle::join));
    }
}

#[test]
fn a_slow_replica_keeps_its_memory_and_catches_up() {
    let nats = Nats::start(Version::Newest);
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [slow, quick] = folders.each_ref().map(|folder| follow(folder.path(), &nats));
    quick.append(&landscape());
    let position = quick.position();
    is_at(&slow, position);
    let before = peak_kib(&slow);
    let slowed = Slowed::new(&slow);
    let flooded = flood(&nats);
    is_at(&quick, position + flooded);
    let behind = slow.metric("tenure_log_behind").unwrap();
    let more = peak_kib(&slow) - before;
    // A question that needs the quick replica's position is told that this replica is behind.
    let ask = format!("/v1/levels?min_position={}", position + flooded);
    slow.get(&ask).is_problem(409, "behind", &[]);
    let told = poll(|| {
        let why = readiness(&slow)["detail"].as_str().map(str::to_owned);
        why.filter(|why| why.contains("being read"))
    });
    drop(slowed);
    assert!(told.is_some(), "it did not say that it is behind: {}", slow.stderr());
    // What it has stored takes memory in sled, as it does in the quick one. What it has not read takes none.
    let stored_kib = (flooded as f64 - behind) * MESSAGE_BYTES as f64 / 1024.0;
    let most = MORE_KIB_MAX as f64 + 2.0 * stored_kib;
    assert!(
        (more as f64) < most,
        "{more} KiB more, and {behind} messages of {flooded} are not read"
    );
    agree(&slow, &quick, position + flooded);
    // In the end it has taken no more memory than a replica that was never behind.
    assert!(peak_kib(&slow) < peak_kib(&quick) + MORE_KIB_MAX);
    // More messages to read take no more memory.
    let peaks = [peak_kib(&slow), peak_kib(&quick)];
    let flooded = flooded + flood(&nats);
    agree(&slow, &quick, position + flooded);
    for (replica, before) in [&slow, &quick].into_iter().zip(peaks) {
        let more = peak_kib(replica) - before;
        assert!(more < AGAIN_KIB_MAX, "{more} KiB more for another {FLOOD_BYTES} bytes");
    }
    answers(&slow);
}
