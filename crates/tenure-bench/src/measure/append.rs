//! How fast does the embedded log append, with a flush before each acknowledgement?

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tenure_journal::Journal;
use tenure_server::engine::{self, Checkpointing, Engine, Genesis};
use tenure_server::metrics::Metrics;
use tenure_wire::codec::{self, Encoded};
use uuid::Uuid;

use super::{BenchError, Options, Watch};
use crate::report::Appending;
use crate::times::{Times, per_second};

/// Clients, and entries of each of their requests
pub(super) const APPENDERS: [(usize, usize); 3] = [(64, 1), (64, 16), (1, 1)];
/// People who are granted something in turn
const PEOPLE: usize = 10_000;
/// The folder beside what was loaded, so that it is on the same disk
const FOLDER: &str = "append";

/// An entry as a client sends it
pub(super) fn draft(n: usize) -> Value {
    json!({"actor": "user:sap.default/admin@acme.example", "changes": [{"type": "grant",
        "level": "global-account:acme", "role_collection": "Global Account Viewer",
        "to": format!("user:corp/appended.{}@acme.example", n % PEOPLE)}]})
}

fn encoded(draft: &Value) -> Result<Encoded, BenchError> {
    codec::decode_draft(draft, "sap.default", Uuid::now_v7).map_err(BenchError::Encode)
}

/// Appends to a ledger of its own, in a folder within this one that is removed again
pub(super) fn measure(
    folder: &Path,
    options: &Options,
    watch: &mut impl Watch,
) -> Result<Vec<Appending>, BenchError> {
    let folder = folder.join(FOLDER);
    let journal = Journal::open(&folder, Some("append"))?;
    let metrics = Arc::new(Metrics::default());
    let start = engine::Options { genesis: Genesis::BuiltIn, checkpoints: Checkpointing::Off };
    let (engine, writer) = Engine::start(journal, start, metrics, |_| {})?;
    let account = json!({"actor": "user:sap.default/admin@acme.example",
        "changes": [{"type": "create_level", "level": "global-account:acme"}]});
    engine.append_blocking(vec![encoded(&account)?]).map_err(BenchError::Append)?;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|e| BenchError::Io("the threads cannot be started", e))?;
    watch.begins("appending", APPENDERS.len() as u64);
    let mut figures = Vec::new();
    for (done, (clients, size)) in APPENDERS.into_iter().enumerate() {
        figures.push(runtime.block_on(append(&engine, clients, size, options.each))?);
        watch.is_at(done as u64 + 1);
    }
    watch.ends();
    drop(engine);
    writer.join();
    std::fs::remove_dir_all(&folder)
        .map_err(|e| BenchError::Io("a folder cannot be removed", e))?;
    Ok(figures)
}

async fn append(
    engine: &Engine,
    clients: usize,
    size: usize,
    each: Duration,
) -> Result<Appending, BenchError> {
    let began = Instant::now();
    let running = (0..clients).map(|client| {
        let engine = engine.clone();
        tokio::spawn(async move {
            let mut times = Times::default();
            let mut n = client;
            // Once at least, however late it is.
            while times.count() == 0 || began.elapsed() < each {
                let entries = (0..size).map(|k| encoded(&draft(n + k)));
                let entries = entries.collect::<Result<_, _>>()?;
                let asked = Instant::now();
                engine.append(entries).await.map_err(BenchError::Append)?;
                times.push(asked.elapsed());
                n += 7_919;
            }
            Ok::<_, BenchError>(times)
        })
    });
    let mut times = Times::default();
    for client in running.collect::<Vec<_>>() {
        let ended = client.await;
        times.extend(ended.map_err(|error| BenchError::Server(error.to_string()))??);
    }
    let took = began.elapsed();
    Ok(Appending {
        clients,
        entries_a_request: size,
        entries_per_second: per_second(times.count() * size as u64, took),
        took: times.spread(),
    })
}
