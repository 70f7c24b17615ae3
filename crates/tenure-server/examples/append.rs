//! How fast does the embedded log append, with a flush before each acknowledgement?
//!
//! `cargo run --release -p tenure-server --example append [folder]`: 64 clients that wait for each answer,
//! then one alone. The folder should be on the disk that is to be measured.
#![expect(clippy::print_stdout, reason = "it prints what it measures")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tenure_journal::Journal;
use tenure_server::engine::{Checkpointing, Engine, Genesis, Options};
use tenure_server::metrics::Metrics;
use tenure_wire::codec::{self, Encoded};
use uuid::Uuid;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn grant(n: u64) -> Result<Encoded, Failure> {
    let entry = json!({"actor": "admin@acme.example", "changes": [{"type": "grant",
        "level": "global-account:acme", "role_collection": "Global Account Viewer",
        "to": format!("p{}@acme.example", n % 10_000)}]});
    Ok(codec::decode_draft(&entry, "sap.default", Uuid::now_v7)?)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let folder = std::env::args().nth(1).map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let folder = folder.join(format!("append-{}", std::process::id()));
    let journal = Journal::open(&folder, None)?;
    let options = Options { genesis: Genesis::BuiltIn, checkpoints: Checkpointing::Off };
    let (engine, writer) = Engine::start(journal, options, Arc::new(Metrics::default()), |_| {})?;
    let account = json!({"actor": "admin@acme.example",
        "changes": [{"type": "create_level", "level": "global-account:acme"}]});
    engine.append(vec![codec::decode_draft(&account, "sap.default", Uuid::now_v7)?]).await?;
    let measure = Duration::from_secs(5);
    for (clients, size) in [(64, 1), (64, 16), (1, 1)] {
        let began = Instant::now();
        let running = (0..clients).map(|client| {
            let engine = engine.clone();
            tokio::spawn(async move {
                let mut times = Vec::new();
                let mut n = client;
                while began.elapsed() < measure {
                    let entries = (0..size).map(|k| grant(n + k)).collect::<Result<_, _>>()?;
                    let asked = Instant::now();
                    engine.append(entries).await?;
                    times.push(asked.elapsed().as_secs_f64() * 1_000.0);
                    n += 7_919;
                }
                Ok::<_, Failure>(times)
            })
        });
        let mut times = Vec::new();
        for client in running.collect::<Vec<_>>() {
            times.extend(client.await??);
        }
        let seconds = began.elapsed().as_secs_f64();
        times.sort_by(f64::total_cmp);
        let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
        let entries = times.len() as f64 * size as f64;
        println!(
            "{clients} clients, {size} entries a request: {:.0} entries/s, p50 {:.2} ms, p99 {:.2} ms",
            entries / seconds,
            at(50),
            at(99)
        );
    }
    drop(engine);
    writer.join();
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
