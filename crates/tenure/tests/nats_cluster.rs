//! Three nats-servers keep three copies of the stream; replicas follow it under load, and are disrupted
//!
//! No acknowledged entry is lost, no entry counts twice, and all replicas end with the same digest. A seed decides the
//! order of the disruptions and their targets. The test prints the disruptions and the counts.
//!
//! `TENURE_SEED=7 TENURE_ROUNDS=3 TENURE_PAUSE_S=20` is a longer run: `just chaos 7 3`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may fail by a panic, and this one is a command too: `allow-*-in-tests` does not reach \
              helpers"
)]

mod common;
mod raw_nats;

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Start, entry, grant, landscape, poll, poll_for};
use raw_nats::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenure_test_nats::{Server as Nats, Version, Wire, free_port};

/// How long a cluster may take to recover
const CLUSTER_PATIENCE: Duration = Duration::from_secs(120);
/// Number of programs that append
const CLIENTS: u32 = 4;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// A sequence of numbers that a seed decides (splitmix64)
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }
}

struct Cluster {
    nodes: Vec<Nats>,
    /// The wires from the first node to the second
    wires: BTreeMap<(usize, usize), Wire>,
}

impl Cluster {
    fn start() -> Self {
        let ports: Vec<u16> = (0..3).map(|_| free_port()).collect();
        let pairs = (0..3).flat_map(|from| (0..3).map(move |to| (from, to)));
        let wires: BTreeMap<_, _> = pairs
            .filter(|(from, to)| from != to)
            .map(|(from, to)| ((from, to), Wire::to(ports[to])))
            .collect();
        let start = |(n, port): (usize, &u16)| {
            let routes = wires.iter().filter(|((from, _), _)| *from == n);
            let routes = routes.map(|(_, wire)| format!("\"nats://127.0.0.1:{}\"", wire.port()));
            let routes = routes.collect::<Vec<_>>().join(", ");
            // The nodes advertise a port without a listener, so that they can reach each other only by the wires.
            let config = format!(
                "server_name: n{n}\ncluster {{ name: tenure, listen: \"127.0.0.1:{port}\", advertise: \"127.0.0.1:9\", \
                 routes: [{routes}] }}\n"
            );
            tenure_test_nats::Start::with(Version::Newest, &config).running()
        };
        let nodes = ports.iter().enumerate().map(start).collect();
        Self { nodes, wires }
    }

    /// The wires to a node and from it
    fn wires_of(&self, node: usize) -> impl Iterator<Item = &Wire> {
        let own = move |(from, to): &(usize, usize)| *from == node || *to == node;
        self.wires.iter().filter(move |(ends, _)| own(ends)).map(|(_, wire)| wire)
    }

    fn urls(&self) -> String {
        self.nodes.iter().map(Nats::url).collect::<Vec<_>>().join(",")
    }

    /// A node's information about the stream; a cluster without a leader does not answer
    fn info(&self, asked: usize) -> Option<Value> {
        let mut client = Client::within(&self.nodes[asked], Duration::from_secs(2));
        client.try_request("$JS.API.STREAM.INFO.TENURE_ACME", &[], b"")
    }

    /// The node that leads the stream, according to the node that is asked
    fn leader(&self, asked: usize) -> Option<usize> {
        let info = self.info(asked)?;
        let name = info["cluster"]["leader"].as_str()?;
        name.strip_prefix('n')?.parse().ok()
    }

    /// Waits until all three copies are there and up to date
    #[track_caller]
    fn whole(&self) -> usize {
        let found = poll_for(CLUSTER_PATIENCE, || {
            let mut client = Client::of(&self.nodes[0]);
            let info = client.try_request("$JS.API.STREAM.INFO.TENURE_ACME", &[], b"")?;
            let current =
                info["cluster"]["replicas"].as_array()?.iter().all(|r| r["current"] == true);
            (current && info["cluster"]["replicas"].as_array()?.len() == 2).then_some(())?;
            self.leader(0)
        });
        found.unwrap_or_else(|| panic!("the cluster does not become whole"))
    }
}

/// The counts of the load
#[derive(Default)]
struct Seen {
    acknowledged: Mutex<HashMap<String, Value>>,
    attempts: AtomicU64,
    unanswered: AtomicU64,
    stop: AtomicBool,
}

impl Seen {
    fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }
}

/// Appends entries, and sends those that were not acknowledged again with the same ids
fn load(client: u32, urls: &[String], agent: &ureq::Agent, seen: &Seen) {
    let mut n = 0;
    while !seen.stop.load(Ordering::Relaxed) {
        let entries: Vec<Value> = (0..3)
            .map(|k| entry(&[grant(&format!("c{client}-{}@acme.example", n * 3 + k))]))
            .map(|mut entry| {
                entry["id"] = json!(uuid::Uuid::now_v7().to_string());
                entry
            })
            .collect();
        let body = json!({ "entries": entries }).to_string();
        n += 1;
        let mut at = client as usize;
        // It repeats until the outcome is known, even after the load is told to stop.
        loop {
            seen.attempts.fetch_add(1, Ordering::Relaxed);
            let url = format!("{}/v1/entries", urls[at % urls.len()]);
            let answer = common::post(agent, &url, "application/json", body.as_bytes());
            if let Some(answer) = answer.filter(|answer| answer.status == 200) {
                let mut acknowledged = seen.acknowledged.lock().unwrap();
                for result in answer.json()["results"].as_array().unwrap() {
                    acknowledged.insert(result["id"].as_str().unwrap().to_owned(), result.clone());
                }
                break;
            }
            seen.unanswered.fetch_add(1, Ordering::Relaxed);
            at += 1;
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
}

fn replica(data: &Path, cluster: &Cluster) -> Start {
    let start = Start::on(data).arg("--ledger", "acme").arg("--log", &cluster.urls());
    start.arg("--nats-stream-replicas", "3")
}

/// Asserts that the load goes on: more entries are acknowledged
#[track_caller]
fn gets_on(seen: &Seen, what: &str) {
    let before = seen.count();
    let more = poll_for(CLUSTER_PATIENCE, || (seen.count() > before + 6).then_some(()));
    assert!(more.is_some(), "nothing is acknowledged any more after: {what}");
}

fn disrupt(
    cluster: &mut Cluster,
    which: usize,
    dice: &mut Dice,
    pause: Duration,
    seen: &Seen,
) -> String {
    let leader = cluster.whole();
    let stand = |node: &Nats| {
        node.pause();
        let until = Instant::now() + pause;
        while Instant::now() < until {
            std::thread::park_timeout(until - Instant::now());
        }
        node.go_on();
    };
    match which {
        0 => {
            cluster.nodes[leader].kill();
            gets_on(seen, "the leader was killed");
            cluster.nodes[leader].start_again();
            format!("killed the leader n{leader}, went on with two, started it again")
        }
        1 => {
            stand(&cluster.nodes[leader]);
            format!("stopped the leader n{leader} for {} s", pause.as_secs())
        }
        2 => {
            for n in 0..3 {
                cluster.nodes[n].stop();
                cluster.nodes[n].start_again();
                cluster.whole();
            }
            "restarted all three, one after another".to_owned()
        }
        _ => {
            let minority = dice.roll(3);
            cluster.wires_of(minority).for_each(Wire::cut);
            gets_on(seen, "a minority was cut off");
            // The node knows no leader any more, except that a former leader believes in itself for a while.
            let lost = || cluster.leader(minority).is_none_or(|knows| knows == minority);
            assert!(poll(|| lost().then_some(())).is_some(), "n{minority} was not cut off");
            std::thread::park_timeout(pause);
            gets_on(seen, "a minority was cut off for a while");
            cluster.wires_of(minority).for_each(Wire::mend);
            let role = if minority == leader { "the leader " } else { "" };
            format!(
                "cut {role}n{minority} off from the others, went on without it, mended the network"
            )
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_and_replicas_agree_whatever_becomes_of_the_servers() {
    let random = RandomState::new().hash_one(0) % 1_000_000;
    let (seed, rounds) = (number("TENURE_SEED", random), number("TENURE_ROUNDS", 1));
    let pause = Duration::from_secs(number("TENURE_PAUSE_S", 3));
    println!("seed {seed}: repeat with TENURE_SEED={seed} TENURE_ROUNDS={rounds}");
    let mut dice = Dice(seed);
    let mut cluster = Cluster::start();
    let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let first = replica(folders[0].path(), &cluster).ready();
    let second = replica(folders[1].path(), &cluster).ready();
    first.append(&landscape());
    let seen = Arc::new(Seen::default());
    let urls = vec![first.url(), second.url()];
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (seen, urls, agent) = (Arc::clone(&seen), urls.clone(), first.agent());
            std::thread::spawn(move || load(client, &urls, &agent, &seen))
        })
        .collect();
    gets_on(&seen, "the start");
    for round in 0..rounds {
        let mut kinds = vec![0, 1, 2, 3];
        while !kinds.is_empty() {
            let which = kinds.remove(dice.roll(kinds.len()));
            let began = (Instant::now(), seen.count());
            let done = disrupt(&mut cluster, which, &mut dice, pause, &seen);
            gets_on(&seen, &done);
            println!(
                "round {round}: {done}: {} entries acknowledged meanwhile, {:.1} s",
                seen.count() - began.1,
                began.0.elapsed().as_secs_f64()
            );
        }
    }
    seen.stop.store(true, Ordering::Relaxed);
    clients.into_iter().for_each(|client| client.join().unwrap());
    cluster.whole();
    let third = TempDir::new().unwrap();
    let fresh = replica(third.path(), &cluster).ready();
    let servers = [&first, &second, &fresh];
    let digests = poll_for(CLUSTER_PATIENCE, || {
        let all = servers.map(|server| server.get("/readyz").json());
        let digests = all.map(|ready| (ready["position"].clone(), ready["log"]["digest"].clone()));
        digests.iter().all(|one| !one.1.is_null() && *one == digests[0]).then_some(digests)
    });
    let digests = digests
        .unwrap_or_else(|| panic!("{:#?}", servers.map(|server| server.get("/readyz").json())));
    let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
    let mut applied: HashMap<String, u64> = HashMap::new();
    for row in first.log() {
        *outcomes.entry(row["outcome"].as_str().unwrap().to_owned()).or_default() += 1;
        if row["outcome"] == "applied" {
            let position = row["position"].as_u64().unwrap();
            let id = row["id"].as_str().unwrap().to_owned();
            assert!(applied.insert(id.clone(), position).is_none(), "{id} counts twice");
        }
    }
    let acknowledged = seen.acknowledged.lock().unwrap();
    for (id, result) in acknowledged.iter() {
        let position = match result["outcome"].as_str().unwrap() {
            "applied" => &result["position"],
            _ => &result["original"]["position"],
        };
        assert_eq!(applied.get(id).copied(), position.as_u64(), "{result}");
    }
    println!(
        "acknowledged {} entries in {} requests, {} of them sent again; the log: {outcomes:?}; all three replicas \
         at {} with digest {}",
        acknowledged.len(),
        seen.attempts.load(Ordering::Relaxed),
        seen.unanswered.load(Ordering::Relaxed),
        digests[0].0,
        digests[0].1
    );
    assert!(poll(|| first.metric("tenure_replicas_differing").filter(|n| *n == 0.0)).is_some());
}

#[test]
fn a_replica_whose_server_is_cut_off_goes_on_at_another_one() {
    let cluster = Cluster::start();
    let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let first = replica(folders[0].path(), &cluster).ready();
    first.append(&landscape());
    let alone = (cluster.whole() + 1) % 3;
    // The ledger gets the URL of one server and hears of the others from it.
    let of_one = Start::on(folders[1].path()).arg("--ledger", "acme");
    let server = of_one.arg("--log", &cluster.nodes[alone].url()).ready();
    cluster.wires_of(alone).for_each(Wire::cut);
    let body = entry(&[grant("carol@acme.example")]).to_string();
    let appended = poll_for(CLUSTER_PATIENCE, || {
        let answer = server.try_post("/v1/entries", "application/json", body.as_bytes());
        answer.filter(|answer| answer.status == 200)
    });
    assert!(appended.is_some(), "{}", server.stderr());
    assert!(server.stderr().contains("another one is tried"), "{}", server.stderr());
    assert!(cluster.leader(alone).is_none(), "n{alone} was not cut off");
}
