//! What does the ledger cost on one landscape?
//!
//! The landscape is written to a new data folder, started on in a process of its own (whose memory nothing else has
//! touched), asked in process, asked over HTTP, and appended to.

mod append;
mod over_http;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::{Args, value_parser};
use serde::{Deserialize, Serialize};
use tenure_core::{Ledger, Principal};
use tenure_journal::{IndexCheckpoints, Journal};
use tenure_log::Message;
use tenure_server::engine::{
    self, Checkpointing, Engine, Genesis, rebuild, record, write_checkpoint,
};
use tenure_server::metrics::Metrics;
use tenure_wire::codec::Encoded;
use tenure_wire::message::Item;

use crate::ask::{self, InProcess};
use crate::landscape::{Facts, LEDGER, Made, Plan, Shares, Size};
use crate::machine::{folder_bytes, resident_bytes};
use crate::question::{Asker, Class};
use crate::report::{Report, Row, grouped};
use crate::say;
use crate::times::{Measured, per_second, ratio};

/// Changes that the budgets are meant for
pub(crate) const BUDGET_CHANGES: u64 = 10_000_000;
/// Entries that are written with one flush: as many as a server takes from its log at once
const BATCH_ENTRIES: usize = 8_192;
/// About the bytes that a name takes in tables besides its text: its number and two headers
const NAME_BYTES: u64 = 96;

/// Make up a big landscape, write it, ask every kind of question, and compare with the budgets
///
/// Sizes are assumptions: no figure of a customer's landscape is public. Everything runs on this machine;
/// questions over HTTP go to a server in this process, on loopback.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How big the landscape is (an assumption)
    #[arg(long, value_enum, default_value_t = Size::L)]
    size: Size,
    /// How many changes its three years have [default: that of the size; 10 million for l]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1_000..=100_000_000))]
    changes: Option<u64>,
    /// The same seed makes the same landscape and the same questions
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// A new folder on the disk that is to be measured; a temporary one by default
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Questions of each kind, at most; a kind ends after five seconds too
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    questions: usize,
    /// Connections that ask at once over HTTP
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = value_parser!(u16).range(1..=1_024))]
    connections: u16,
    /// How long each thing is done over HTTP, and appended, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 3_000)]
    each_ms: u64,
    #[command(flatten)]
    shares: Shares,
}

impl Options {
    fn plan(&self) -> anyhow::Result<Plan> {
        let Shares { late, scheduled, expiring, voids, refused } = self.shares;
        let unusual = late + scheduled + voids + refused;
        let all = [late, scheduled, expiring, voids, refused];
        let is_share = |share: &f64| (0.0..=100.0).contains(share);
        ensure!(all.iter().all(is_share), "a share is a percentage, 0 to 100");
        ensure!(
            unusual <= 95.0,
            "late, scheduled, void and refused entries are at most 95% together"
        );
        let changes = self.changes.unwrap_or(self.size.changes());
        Ok(Plan { shares: self.shares, ..Plan::new(self.size, changes, self.seed) })
    }

    fn each(&self) -> Duration {
        Duration::from_millis(self.each_ms)
    }
}

/// Measures everything about one landscape
pub(crate) fn measure(options: &Options) -> anyhow::Result<Report> {
    let plan = options.plan()?;
    let temporary = tempfile::tempdir()?;
    let folder = options.data.as_deref().unwrap_or(temporary.path());
    let mut report = Report::new();
    let facts = load(&plan, folder, &mut report)?;
    let changes = facts.counts.changes;
    let bytes = folder_bytes(folder)?;
    let bytes_a_change = ratio(bytes, changes);
    let disk =
        vec![("mib", ratio(bytes, 1 << 20).into()), ("bytes_a_change", bytes_a_change.into())];
    report.facts("disk", disk);
    let starts = starts(folder, &facts, &mut report)?;
    let in_process = ask_folder(folder, &facts, options, &mut report)?;
    let check = over_http::measure(folder, &facts, options, &mut report)?;
    let append = append::measure(folder, options, &mut report)?;
    if changes < BUDGET_CHANGES {
        let (meant, is) = (grouped(BUDGET_CHANGES), grouped(changes));
        report.facts("note", vec![("changes", format!("{is}; budgets are for {meant}").into())]);
    }
    let p50 = |class| in_process(class).took.p50_us;
    let p99 = |class| in_process(class).took.p99_us;
    let known = p99(Class::WhoKnown).zip(p99(Class::WhoNow)).map(|(known, now)| known / now);
    report.at_most("who, one level: p50", p50(Class::WhoNow), 20.0, "us");
    report.at_most("who, one level: p99", p99(Class::WhoNow), 200.0, "us");
    report.at_most("who, as known years back: p99 over that of now", known, 5.0, "times");
    report.at_most("who anywhere: p50", p50(Class::WhoUnder), 2_000.0, "us");
    report.at_most("who, latent: p50", p50(Class::WhoLatent), 1e6, "us");
    report.at_most("check, in process: p50", p50(Class::CheckNow), 2.0, "us");
    report.at_least("check, over HTTP", Some(check.per_second), 40_000.0, "answers/s");
    let Starts { rebuilt_per_second, seconds, bytes_a_change: memory } = starts;
    report.at_least("rebuild from the journal", Some(rebuilt_per_second), 5e5, "changes/s");
    report.at_most("start from an index checkpoint", Some(seconds), 3.0, "s");
    report.at_most("memory, names apart", memory, 60.0, "bytes a change");
    report.at_most("disk", Some(bytes_a_change), 60.0, "bytes a change");
    let [many, _, one] = append;
    report.at_least("durable append, 64 clients", Some(many.per_second), 50_000.0, "entries/s");
    report.at_most("durable append, one client: p50", one.took.p50_us, 1_000.0, "us");
    Ok(report)
}

/// Writes a history to a new data folder, as a server writes it: encoded, decided and committed by one thread
pub(crate) fn load(plan: &Plan, folder: &Path, report: &mut Report) -> anyhow::Result<Facts> {
    let files = std::fs::read_dir(folder);
    let is_new = files.map_or(true, |mut files| files.next().is_none());
    ensure!(is_new, "`{}` is not empty: name a new folder to write to", folder.display());
    say(&format!("{}; seed {}", plan.shape.described(), plan.seed));
    say("making it up and writing it");
    let mut journal = Journal::open(folder, Some(LEDGER))?;
    let mut ledger = Ledger::new(LEDGER);
    let mut history = plan.messages()?;
    let [mut making, mut encoding, mut recording] = [Duration::ZERO; 3];
    loop {
        let began = Instant::now();
        let (mut made, mut entries) = (Vec::new(), 0);
        while entries < BATCH_ENTRIES
            && let Some(message) = history.next()
        {
            entries += message.entries.len();
            made.push(message);
        }
        making += began.elapsed();
        if made.is_empty() {
            break;
        }
        let began = Instant::now();
        let encoded = made.into_iter().map(|message| {
            let encoded = |made: Made| Encoded::new(made.entry).map(Item::Entry);
            let entries = message.entries.into_iter().map(encoded).collect::<Result<_, _>>()?;
            let (stamped_at, submitter) = (message.recorded_at, Principal::local());
            Ok(Message { stamped_at, submitter, caller: None, entries, origin: None, waiter: None })
        });
        let messages = encoded.collect::<anyhow::Result<Vec<_>>>()?;
        encoding += began.elapsed();
        let began = Instant::now();
        record(&mut journal, &mut ledger, messages)?;
        recording += began.elapsed();
    }
    let facts = history.facts();
    let counts = &facts.counts;
    report.facts(
        "landscape",
        vec![
            ("size", format!("{:?} (an assumption)", plan.shape.size).into()),
            ("seed", plan.seed.into()),
            ("subaccounts", u64::from(plan.shape.subaccounts).into()),
            ("people", u64::from(plan.shape.people).into()),
            ("holdings_at_a_time", plan.shape.live.into()),
            ("changes", counts.changes.into()),
            ("entries", counts.entries.into()),
            ("late", counts.late.into()),
            ("scheduled", counts.scheduled.into()),
            ("expiring", counts.expiring.into()),
            ("voids", counts.voids.into()),
            ("refused_or_duplicate", counts.refused_or_duplicate.into()),
        ],
    );
    let changes_per_second = per_second(counts.changes, encoding + recording);
    report.facts(
        "write",
        vec![
            ("changes_per_s", changes_per_second.into()),
            ("encoding_s", encoding.as_secs_f64().into()),
            ("recording_s", recording.as_secs_f64().into()),
            ("making_up_s", making.as_secs_f64().into()),
        ],
    );
    Ok(facts)
}

/// A start on a data folder
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Started {
    /// Until the journal was open
    opening_seconds: f64,
    /// From then on, until questions could be answered
    folding_seconds: f64,
    /// Memory when the journal was open
    resident_before_bytes: Option<u64>,
    /// Memory when questions could be answered
    resident_bytes: Option<u64>,
}

/// Starts on a data folder as a server does, and stops: from its index checkpoint if there is one, else by folding
/// its journal
pub(crate) fn start(folder: &Path) -> anyhow::Result<Started> {
    let began = Instant::now();
    let journal = Journal::open(folder, None)?;
    let opening_seconds = began.elapsed().as_secs_f64();
    let resident_before_bytes = resident_bytes();
    let began = Instant::now();
    let options = engine::Options {
        genesis: Genesis::Manual,
        checkpoints: Checkpointing::Read,
        accept_clock: false,
    };
    let (engine, writer) = Engine::start(journal, options, Arc::new(Metrics::default()), |_| {})?;
    let folding_seconds = began.elapsed().as_secs_f64();
    let resident_bytes = resident_bytes();
    drop(engine);
    writer.join();
    Ok(Started { opening_seconds, folding_seconds, resident_before_bytes, resident_bytes })
}

/// Starts in a process of its own
fn start_apart(folder: &Path) -> anyhow::Result<Started> {
    let ended = Command::new(std::env::current_exe()?).arg("start").arg(folder).output()?;
    let complaint = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.success(), "the start could not be measured: {complaint}");
    Ok(serde_json::from_slice(&ended.stdout)?)
}

/// The figures of starts that have budgets
struct Starts {
    rebuilt_per_second: f64,
    seconds: f64,
    bytes_a_change: Option<f64>,
}

/// Measures a start without an index checkpoint, writes one, and measures a start with it
fn starts(folder: &Path, facts: &Facts, report: &mut Report) -> anyhow::Result<Starts> {
    say("starting on it");
    let folded = start_apart(folder)?;
    let journal = Journal::open(folder, None)?;
    let ledger = rebuild(journal.ledger(), &journal.reader(), &mut |_| {})?;
    let checkpoint = write_checkpoint(&IndexCheckpoints::of(&journal), &ledger)?.stored_bytes;
    drop((ledger, journal));
    let started = start_apart(folder)?;
    let changes = facts.counts.changes;
    let resident = started.resident_bytes.zip(started.resident_before_bytes);
    let index_bytes = resident.map(|(after, before)| after.saturating_sub(before));
    let names_bytes = facts.names.1 + facts.names.0 * NAME_BYTES;
    let bytes_a_change = index_bytes.map(|bytes| ratio(bytes.saturating_sub(names_bytes), changes));
    let seconds = started.opening_seconds + started.folding_seconds;
    let rebuilt_per_second = changes as f64 / folded.folding_seconds.max(1e-9);
    let mib = |bytes: u64| ratio(bytes, 1 << 20);
    report.facts(
        "start",
        vec![
            ("from_checkpoint_s", seconds.into()),
            ("of_these_opening_s", started.opening_seconds.into()),
            ("without_checkpoint_s", (folded.opening_seconds + folded.folding_seconds).into()),
            ("rebuilt_changes_per_s", rebuilt_per_second.into()),
            ("checkpoint_mib", mib(checkpoint).into()),
            ("resident_mib", started.resident_bytes.map(mib).into()),
            ("of_these_index_mib", index_bytes.map(mib).into()),
            ("names", facts.names.0.into()),
            // Their texts, and 96 bytes each.
            ("names_about_mib", mib(names_bytes).into()),
            ("bytes_a_change_names_apart", bytes_a_change.into()),
        ],
    );
    Ok(Starts { rebuilt_per_second, seconds, bytes_a_change })
}

/// Asks every class in process, by one thread
fn ask_folder(
    folder: &Path,
    facts: &Facts,
    options: &Options,
    report: &mut Report,
) -> anyhow::Result<impl Fn(Class) -> Measured + use<>> {
    say("asking in process");
    let journal = Journal::open(folder, None)?;
    let reader = journal.reader();
    let ledger = rebuild(journal.ledger(), &reader, &mut |_| {})?;
    let asked = InProcess::of(&ledger, Some(&reader));
    let mut asker = Asker::new(facts, options.seed);
    let classes = asked.classes(Class::ALL, &mut asker, options.questions)?;
    let mix = asker.mix(options.questions.saturating_mul(10));
    let mix = asked.ask_all(&mix, ask::PATIENCE)?;
    let mut rows: Vec<Row> = classes.iter().map(|(class, asked)| ask::row(*class, asked)).collect();
    rows.push(mix.1.row(vec![("question", "mix of all".into()), ("rows", mix.0.into())]));
    report.table("in_process", rows);
    let empty = mix.1;
    Ok(move |class| {
        let found = classes.iter().find(|(other, _)| *other == class);
        found.map_or(empty, |(_, (_, measured))| *measured)
    })
}
