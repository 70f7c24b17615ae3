//! How fast is a ledger whose log is a NATS stream, against NATS alone in the same run?
//!
//! `cargo run --release -p tenure-server --example append_nats [folder] [seconds] [always|default|rebuild]`: starts nats-server
//! (`TENURE_BENCH_NATS`, else `.cache/nats/bin/nats-server`) on loopback with a store in the folder, once with
//! `sync_interval: always` and once as it comes, and measures
//! - durable appends of 64 clients that wait for each answer, and the same entries as one message each,
//! - one client that waits for each answer, and a bare publish that waits for its acknowledgement,
//! - a ledger built again from the stream, and a bare pull consumer that reads the same messages.
#![expect(clippy::print_stdout, reason = "it prints what it measures")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::{self, Context};
use futures::StreamExt;
use serde_json::json;
use tenure_core::{Change, Entry, EntryId, GrantableText, Level, Principal};
use tenure_journal::Journal;
use tenure_log::nats::connect::ConnectSettings;
use tenure_log::nats::{NatsSettings, subject};
use tenure_server::engine::{Checkpointing, Engine, Genesis, Options, Writer};
use tenure_server::metrics::Metrics;
use tenure_wire::codec::{self, Encoded};
use tenure_wire::message::{CE_TYPE, encode};
use uuid::Uuid;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// As in the program
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Entries made so far, so that each has an id of its own
static MADE: AtomicU64 = AtomicU64::new(1);

const CLIENTS: u64 = 64;
const REBUILD_ENTRIES: u64 = 200_000;

/// A grant as a client has it: what it costs to make one is no cost of the ledger, nor of NATS
fn grant(n: u64) -> Result<Encoded, Failure> {
    let person = |name: &str| Principal::parse_short(name, "sap.default");
    let change = Change::Grant {
        level: Level::parse("global-account:acme")?,
        grantable: GrantableText::RoleCollection("Global Account Viewer".into()),
        to: person(&format!("p{}@acme.example", n % 10_000))?,
        until: None,
        expect: None,
    };
    let id = EntryId(Uuid::from_u64_pair(MADE.fetch_add(1, Ordering::Relaxed), n));
    let entry = Entry::new(id, person("admin@acme.example")?, None, None, vec![change]);
    Ok(Encoded::new(entry.map_err(|(_, error)| error)?)?)
}

/// A nats-server that ends with this run
struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            let _ended = self.child.wait();
        }
    }
}

impl Server {
    fn start(folder: &Path, sync: &str) -> Result<Self, Failure> {
        std::fs::create_dir_all(folder)?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let store = folder.join("store");
        let config = folder.join("nats.conf");
        let text = format!(
            "listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"{}\"\n{sync} }}\n",
            store.display()
        );
        std::fs::write(&config, text)?;
        let program = std::env::var_os("TENURE_BENCH_NATS")
            .map_or_else(|| PathBuf::from(".cache/nats/bin/nats-server"), PathBuf::from);
        let child = Command::new(&program)
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("`{}`: {error}", program.display()))?;
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > deadline {
                return Err("the nats-server does not listen".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Self { child, url: format!("nats://127.0.0.1:{port}") })
    }

    async fn jetstream(&self) -> Result<Context, Failure> {
        Ok(jetstream::new(async_nats::connect(&self.url).await?))
    }

    async fn engine(&self, folder: &Path) -> Result<(Engine, Writer), Failure> {
        let settings = NatsSettings {
            connect: ConnectSettings { urls: self.url.clone(), ..ConnectSettings::default() },
            stream_replicas: 1,
        };
        let journal = Journal::open(folder, Some("bench"))?;
        let metrics = Arc::new(Metrics::default());
        let options = Options { genesis: Genesis::BuiltIn, checkpoints: Checkpointing::Off };
        Ok(Engine::follow(journal, &settings, options, metrics, |_| {}).await?)
    }
}

async fn until_ready(engine: &Engine) -> Result<(), Failure> {
    let deadline = Instant::now() + Duration::from_secs(120);
    while let Some(obstacle) = engine.obstacle() {
        if Instant::now() > deadline {
            return Err(obstacle.why.into());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

struct Measured {
    each_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

/// Clients that each wait for their answer before they ask again
async fn closed_loop<F, R>(clients: u64, measure: Duration, one: F) -> Result<Measured, Failure>
where
    F: Fn(u64) -> R + Clone + Send + 'static,
    R: Future<Output = Result<(), Failure>> + Send,
{
    let began = Instant::now();
    let running = (0..clients).map(|client| {
        let one = one.clone();
        tokio::spawn(async move {
            let mut times = Vec::new();
            let mut n = client;
            while began.elapsed() < measure {
                let asked = Instant::now();
                one(n).await?;
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
    Ok(Measured { each_second: times.len() as f64 / seconds, p50_ms: at(50), p99_ms: at(99) })
}

async fn publish(context: &Context, to: String, n: u64) -> Result<(), Failure> {
    let data = encode(std::iter::once(grant(n)?.bytes()));
    context.publish_with_headers(to, headers(), data.into()).await?.await?;
    Ok(())
}

fn headers() -> async_nats::HeaderMap {
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("ce-specversion", "1.0");
    headers.insert("ce-type", CE_TYPE);
    headers.insert("content-type", "application/msgpack");
    headers
}

async fn appends(folder: &Path, name: &str, sync: &str, measure: Duration) -> Result<(), Failure> {
    let server = Server::start(&folder.join(name).join("nats"), sync)?;
    let (engine, writer) = server.engine(&folder.join(name).join("data")).await?;
    until_ready(&engine).await?;
    let account = json!({"actor": "admin@acme.example",
        "changes": [{"type": "create_level", "level": "global-account:acme"}]});
    engine.append(vec![codec::decode_draft(&account, "sap.default", Uuid::now_v7)?]).await?;
    let context = server.jetstream().await?;
    context
        .create_stream(jetstream::stream::Config {
            name: "BARE".to_owned(),
            subjects: vec!["bare.>".to_owned()],
            ..jetstream::stream::Config::default()
        })
        .await?;
    let through = |engine: Engine| {
        move |n| {
            let engine = engine.clone();
            async move {
                engine.append(vec![grant(n)?]).await?;
                Ok(())
            }
        }
    };
    let bare = |context: Context| {
        move |n| {
            let context = context.clone();
            async move { publish(&context, "bare.x".to_owned(), n).await }
        }
    };
    let ours = closed_loop(CLIENTS, measure, through(engine.clone())).await?;
    let theirs = closed_loop(CLIENTS, measure, bare(context.clone())).await?;
    println!(
        "{name}: {CLIENTS} clients: {:.0} entries/s (p50 {:.2} ms, p99 {:.2} ms); one message an entry {:.0}/s; \
         ratio {:.1}",
        ours.each_second,
        ours.p50_ms,
        ours.p99_ms,
        theirs.each_second,
        ours.each_second / theirs.each_second
    );
    let ours = closed_loop(1, measure, through(engine.clone())).await?;
    let theirs = closed_loop(1, measure, bare(context)).await?;
    println!(
        "{name}: one client: p50 {:.3} ms (p99 {:.2} ms); a bare acknowledged publish {:.3} ms; 1.5 times it plus \
         0.5 ms is {:.3} ms",
        ours.p50_ms,
        ours.p99_ms,
        theirs.p50_ms,
        theirs.p50_ms * 1.5 + 0.5
    );
    drop(engine);
    tokio::task::spawn_blocking(move || writer.join()).await?;
    Ok(())
}

/// Reads a stream whole by a bare pull consumer, and by a ledger that is built again
async fn rebuild(folder: &Path, each: u64) -> Result<(), Failure> {
    let name = format!("rebuild-{each}");
    let server = Server::start(&folder.join(&name).join("nats"), "")?;
    let (engine, writer) = server.engine(&folder.join(&name).join("first")).await?;
    until_ready(&engine).await?;
    let account = json!({"actor": "admin@acme.example",
        "changes": [{"type": "create_level", "level": "global-account:acme"}]});
    engine.append(vec![codec::decode_draft(&account, "sap.default", Uuid::now_v7)?]).await?;
    let context = server.jetstream().await?;
    let to = format!("tenure.{}.log.bench", engine.name());
    let mut acknowledged = futures::stream::FuturesUnordered::new();
    for message in 0..REBUILD_ENTRIES / each {
        let entries =
            (0..each).map(|k| grant(message * each + k)).collect::<Result<Vec<_>, _>>()?;
        let data = encode(entries.iter().map(Encoded::bytes));
        let sent = context.publish_with_headers(to.clone(), headers(), data.into()).await?;
        acknowledged.push(sent.into_future());
        if acknowledged.len() >= 256
            && let Some(acknowledged) = acknowledged.next().await
        {
            acknowledged?;
        }
    }
    while let Some(acknowledged) = acknowledged.next().await {
        acknowledged?;
    }
    let stream = context.get_stream(subject::stream(engine.name())).await?;
    let messages = stream.get_info().await?.state.messages;
    let newest = engine.shown().0.max(1);
    drop(engine);
    tokio::task::spawn_blocking(move || writer.join()).await?;
    let mut bare = Duration::MAX;
    let mut ours = Duration::MAX;
    for run in 0..3 {
        let began = Instant::now();
        let consumer = stream
            .create_consumer(pull::Config {
                ack_policy: AckPolicy::None,
                ..pull::Config::default()
            })
            .await?;
        let read = consumer.stream().max_messages_per_batch(512).messages().await?;
        let mut read = read.take(usize::try_from(messages)?);
        while let Some(message) = read.next().await {
            message?;
        }
        bare = bare.min(began.elapsed());
        let began = Instant::now();
        let data = folder.join(&name).join(format!("again-{run}"));
        let (engine, writer) = server.engine(&data).await?;
        until_ready(&engine).await?;
        ours = ours.min(began.elapsed());
        drop(engine);
        tokio::task::spawn_blocking(move || writer.join()).await?;
    }
    let rate = |time: Duration| messages as f64 / time.as_secs_f64();
    println!(
        "rebuild, {each} entries a message: {:.0} messages/s ({:.0} entries/s); a bare pull consumer {:.0} messages/s; \
         {:.0}% of it (first ledger was at {newest})",
        rate(ours),
        REBUILD_ENTRIES as f64 / ours.as_secs_f64(),
        rate(bare),
        rate(ours) / rate(bare) * 100.0
    );
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let folder = std::env::args().nth(1).map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let seconds = std::env::args().nth(2).map_or(Ok(5), |text| text.parse())?;
    let folder = folder.join(format!("append-nats-{}", std::process::id()));
    let measure = Duration::from_secs(seconds);
    let only = std::env::args().nth(3);
    let asked = |part: &str| only.as_deref().is_none_or(|only| only == part);
    if asked("always") {
        appends(&folder, "sync_interval always", "sync_interval: always", measure).await?;
    }
    if asked("default") {
        appends(&folder, "default sync", "", measure).await?;
    }
    for each in [1, 16, 250] {
        if asked("rebuild") {
            rebuild(&folder, each).await?;
        }
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
