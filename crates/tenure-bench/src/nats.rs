//! How fast is a ledger whose log is a NATS stream, against NATS alone in the same run?
//!
//! A nats-server of our own runs on loopback with its store in the folder: once with `sync_interval: always`, once as
//! it comes. Measured are
//! - durable appends of clients that wait for each answer, and bare publishes that wait for their acknowledgement,
//! - a ledger that is built again from the stream, from its journal, and a bare consumer that reads the same.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::{self, Context, stream};
use clap::Args;
use futures::{StreamExt, TryStreamExt};
use serde_json::json;
use tenure_core::Principal;
use tenure_journal::Journal;
use tenure_log::nats::connect::ConnectSettings;
use tenure_log::nats::{NatsSettings, subject};
use tenure_server::engine::{Checkpointing, Engine, Genesis, Options as Start, Writer, rebuild};
use tenure_server::metrics::Metrics;
use tenure_wire::codec::{Encoded, decode_draft};
use tenure_wire::message::{CE_TYPE, encode};
use uuid::Uuid;

use crate::report::{Report, Row};
use crate::say;
use crate::times::closed_loop;

/// Entries of the stream that a ledger is built from
const REBUILD_ENTRIES: usize = 200_000;
/// Publishes that wait for their acknowledgement at once
const IN_FLIGHT: usize = 256;
/// Rebuilds of each kind; the shortest counts
const REBUILDS: usize = 3;

/// Measure a ledger on a NATS stream against NATS alone
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// A folder on the disk that is to be measured
    #[arg(default_value = "target")]
    folder: PathBuf,
    /// How long each kind of append is measured, in seconds
    #[arg(default_value_t = 5)]
    seconds: u64,
    /// Entries of the stream that a ledger is built from
    #[arg(long, value_name = "N", default_value_t = REBUILD_ENTRIES)]
    entries: usize,
    /// The program nats-server
    #[arg(long, env = "TENURE_BENCH_NATS", default_value = ".cache/nats/bin/nats-server")]
    nats_server: PathBuf,
}

/// A nats-server that ends when this is dropped
struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}

impl Server {
    fn start(program: &Path, folder: &Path, sync: &str) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let (store, config) = (folder.join("store"), folder.join("nats.conf"));
        let jetstream = format!("store_dir: \"{}\"\n{sync}", store.display());
        let listen = format!("listen: \"127.0.0.1:{port}\"");
        std::fs::write(&config, format!("{listen}\njetstream {{ {jetstream} }}\n"))?;
        let mut command = Command::new(program);
        command.arg("--config").arg(&config);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().with_context(|| program.display().to_string())?;
        let server = Self { child, url: format!("nats://127.0.0.1:{port}") };
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(began.elapsed().as_secs() < 10, "the nats-server does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// A ledger on its stream with a journal in the folder, once it is ready
    async fn ledger(&self, folder: &Path) -> anyhow::Result<(Engine, Writer)> {
        let connect = ConnectSettings { urls: self.url.clone(), ..ConnectSettings::default() };
        let settings = NatsSettings { connect, stream_replicas: 1 };
        let journal = Journal::open(folder, Some("bench"))?;
        let metrics = Arc::new(Metrics::default());
        let checkpoints = Checkpointing::Off;
        let start = Start { genesis: Genesis::BuiltIn, checkpoints, accept_clock: false };
        let (engine, writer) = Engine::follow(journal, &settings, start, metrics, |_| {}).await?;
        let began = Instant::now();
        while let Some(obstacle) = engine.obstacle() {
            if began.elapsed().as_secs() > 120 {
                bail!("the ledger does not get ready: {}", obstacle.why);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok((engine, writer))
    }
}

fn entry(change: &serde_json::Value) -> anyhow::Result<Encoded> {
    let draft = json!({"actor": "admin@acme.example", "changes": [change]});
    Ok(decode_draft(&draft, "sap.default", Uuid::now_v7)?)
}

/// A grant as a client has it
fn grant(n: usize) -> anyhow::Result<Encoded> {
    let to = format!("p{}@acme.example", n % 10_000);
    entry(&json!({"type": "grant", "level": "global-account:acme",
        "role_collection": "Global Account Viewer", "to": to}))
}

async fn create_account(engine: &Engine) -> anyhow::Result<()> {
    let account = entry(&json!({"type": "create_level", "level": "global-account:acme"}))?;
    engine.append(&Principal::anonymous(), vec![account]).await?;
    Ok(())
}

async fn end(engine: Engine, writer: Writer) -> anyhow::Result<()> {
    drop(engine);
    Ok(tokio::task::spawn_blocking(move || writer.join()).await?)
}

/// Publishes entries in one message; what it gives is there when the message is acknowledged
async fn publish(
    context: &Context,
    to: String,
    entries: &[Encoded],
) -> anyhow::Result<jetstream::context::PublishAckFuture> {
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("ce-specversion", "1.0");
    headers.insert("ce-type", CE_TYPE);
    headers.insert("content-type", "application/msgpack");
    let data = encode(entries.iter().map(Encoded::bytes));
    Ok(context.publish_with_headers(to, headers, data.into()).await?)
}

/// Measures appends, and gives their figures to the report
async fn appends(
    options: &Options,
    folder: &Path,
    sync: Option<&'static str>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let name = if sync.is_some() { "append_sync_always" } else { "append_default_sync" };
    say(name);
    let server = Server::start(&options.nats_server, &folder.join("nats"), sync.unwrap_or(""))?;
    let (engine, writer) = server.ledger(&folder.join("data")).await?;
    create_account(&engine).await?;
    let context = jetstream::new(async_nats::connect(&server.url).await?);
    let (name_of_stream, subjects) = ("BARE".to_owned(), vec!["bare.>".to_owned()]);
    let bare = stream::Config { name: name_of_stream, subjects, ..stream::Config::default() };
    context.create_stream(bare).await?;
    let lasts = Duration::from_secs(options.seconds);
    let mut rows = Vec::new();
    let mut measured = Vec::new();
    for clients in [64, 1] {
        let of = |how: &str| vec![("how", how.into()), ("clients", (clients as u64).into())];
        let append = async |engine: &mut Engine, n: usize| {
            engine.append(&Principal::anonymous(), vec![grant(n)?]).await?;
            Ok(())
        };
        let bare = async |context: &mut Context, n: usize| {
            publish(context, "bare.x".to_owned(), &[grant(n)?]).await?.await?;
            Ok(())
        };
        let ours = closed_loop(vec![engine.clone(); clients], lasts, usize::MAX, append).await?;
        let theirs = closed_loop(vec![context.clone(); clients], lasts, usize::MAX, bare).await?;
        rows.extend([ours.row(of("the ledger")), theirs.row(of("bare publish"))]);
        measured.push(ours);
    }
    report.table(name, rows);
    if let (Some(_), [many, one]) = (sync, measured.as_slice()) {
        report.at_least("durable append, 64 clients", Some(many.per_second), 25_000.0, "entries/s");
        report.at_most("durable append, one client: p50", one.took.p50_us, 1_000.0, "us");
    }
    end(engine, writer).await
}

/// Reads a stream by a bare consumer and by a ledger that is built again, and its journal by another ledger
async fn rebuilds(
    options: &Options,
    folder: &Path,
    each: usize,
    report: &mut Report,
) -> anyhow::Result<Row> {
    say(&format!("rebuild, {each} entries a message"));
    let server = Server::start(&options.nats_server, &folder.join("nats"), "")?;
    let (engine, writer) = server.ledger(&folder.join("first")).await?;
    create_account(&engine).await?;
    let context = jetstream::new(async_nats::connect(&server.url).await?);
    let to = subject::log(engine.name()).replace('*', "bench");
    let sent = futures::stream::iter(0..options.entries / each).map(async |message| {
        let entries = (0..each).map(|k| grant(message * each + k));
        let entries = entries.collect::<anyhow::Result<Vec<_>>>()?;
        publish(&context, to.clone(), &entries).await?.await?;
        anyhow::Ok(())
    });
    sent.buffered(IN_FLIGHT).try_collect::<()>().await?;
    let stream = context.get_stream(subject::stream(engine.name())).await?;
    let messages = usize::try_from(stream.get_info().await?.state.messages)?;
    end(engine, writer).await?;
    let [mut bare, mut ours, mut journals] = [f64::INFINITY; 3];
    for run in 0..REBUILDS {
        let began = Instant::now();
        let config = pull::Config { ack_policy: AckPolicy::None, ..pull::Config::default() };
        let consumer = stream.create_consumer(config).await?;
        let read = consumer.stream().max_messages_per_batch(512).messages().await?;
        read.take(messages).try_for_each(async |_| Ok(())).await?;
        bare = bare.min(began.elapsed().as_secs_f64());
        let (began, data) = (Instant::now(), folder.join(format!("again-{run}")));
        let (engine, writer) = server.ledger(&data).await?;
        ours = ours.min(began.elapsed().as_secs_f64());
        end(engine, writer).await?;
        let began = Instant::now();
        let journal = Journal::open(&data, None)?;
        drop(rebuild(journal.ledger(), &journal.reader(), &mut |_| {})?);
        journals = journals.min(began.elapsed().as_secs_f64());
    }
    let what = format!("rebuild, {each} entries a message: time over the journal's");
    report.at_most(what, Some(ours / journals), 1.3, "times");
    let per_second = |seconds: f64| (options.entries as f64 / seconds).into();
    Ok(vec![
        ("entries_a_message", (each as u64).into()),
        ("ledger_per_s", per_second(ours)),
        ("journal_per_s", per_second(journals)),
        ("bare_consumer_per_s", per_second(bare)),
    ])
}

async fn measure_in(options: &Options, folder: &Path) -> anyhow::Result<Report> {
    let mut report = Report::new();
    let sync = Some("sync_interval: always");
    appends(options, &folder.join("always"), sync, &mut report).await?;
    appends(options, &folder.join("default"), None, &mut report).await?;
    let mut rows = Vec::new();
    for each in [1, 16, 250] {
        let folder = folder.join(format!("rebuild-{each}"));
        rows.push(rebuilds(options, &folder, each, &mut report).await?);
    }
    report.table("rebuild", rows);
    Ok(report)
}

/// Measures in a folder that is removed again
pub(crate) fn measure(options: &Options) -> anyhow::Result<Report> {
    let folder = tempfile::tempdir_in(&options.folder)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(measure_in(options, folder.path()))
}
