//! `tenure bench`: what the ledger costs on a big landscape that is made up

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use tenure_bench::curve::{curve, lengths};
use tenure_bench::landscape::{Plan, Shape, Share, Shares, Size};
use tenure_bench::plot::{self, grouped};
use tenure_bench::report::{Appending, Asked, BUDGET_CHANGES, Budget, Curve, HttpAsked, Report};
use tenure_bench::times::Spread;
use tenure_bench::{BenchError, Options, Started, Watch, measure, start};

use crate::door::{DoorArgs, Wrong};
use crate::output::{Format, Output, Rows, bar, complain, painted, say};

/// A size, as the command line says it
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum SizeArg {
    /// 25 subaccounts, 35 people; 5 thousand changes
    S,
    /// 300 subaccounts, 5,000 people; 1 million changes
    M,
    /// As many as the changes give: 1,000 subaccounts, 22,000 people at 10 million changes
    L,
    /// One subaccount whose people hold by groups: 100,000 people at 10 million changes
    Zone,
    /// 60 subaccounts, 1,000 people, however many changes
    Steady,
}

impl From<SizeArg> for Size {
    fn from(size: SizeArg) -> Self {
        match size {
            SizeArg::S => Self::S,
            SizeArg::M => Self::M,
            SizeArg::L => Self::L,
            SizeArg::Zone => Self::Zone,
            SizeArg::Steady => Self::Steady,
        }
    }
}

/// Make up a big landscape, write it, ask every kind of question, and compare with the budgets
///
/// The sizes are assumptions: no figure of a customer's landscape is public. The data folder (`--data`, a
/// temporary one by default) must be new or empty and should be on the disk that is to be measured.
/// Everything is on this machine; questions over HTTP go to a server in this process, on loopback.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// How big the landscape is (an assumption)
    #[arg(long, value_enum, default_value_t = SizeArg::L)]
    size: SizeArg,
    /// How many changes its three years have, 1,000 to 100,000,000 [default: that of the size; 10 million
    /// for l]
    #[arg(long, value_name = "N")]
    changes: Option<u64>,
    /// The same seed makes the same landscape and the same questions
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Questions of each kind, at most; a kind ends after five seconds too
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    questions: usize,
    /// Connections that ask at once over HTTP
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1_024))]
    connections: u16,
    /// How long each thing is done over HTTP, and appended, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 3_000, value_parser = clap::value_parser!(u64).range(10..=600_000))]
    each_ms: u64,
    /// Percentage of entries recorded after they took effect [default: 0.5]
    #[arg(long, value_name = "%")]
    late: Option<Share>,
    /// Percentage of entries recorded before they take effect [default: 0.2]
    #[arg(long, value_name = "%")]
    scheduled: Option<Share>,
    /// Percentage of grants that end by themselves [default: 3]
    #[arg(long, value_name = "%")]
    expiring: Option<Share>,
    /// Percentage of entries that void another [default: 0.3]
    #[arg(long, value_name = "%")]
    voids: Option<Share>,
    /// Percentage of entries that are refused or duplicates [default: 0.1]
    #[arg(long, value_name = "%")]
    refused: Option<Share>,
    /// Instead, measure questions against the length of history, from 10,000 changes to `--changes`
    #[arg(long)]
    curve: bool,
    /// Draw that as SVG
    #[arg(long, value_name = "FILE", requires = "curve")]
    plot: Option<PathBuf>,
    /// Only start on a data folder, and say how long it took: for the process that does so
    #[arg(long, hide = true)]
    start_only: bool,
}

impl Bench {
    pub(crate) fn run(self, door: &DoorArgs, output: &Output) -> anyhow::Result<ExitCode> {
        if self.start_only {
            let started = start(door.folder()?)?;
            say(&serde_json::to_string(&started)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        if self.curve {
            return self.measure_curve(output);
        }
        let plan = self.plan()?;
        let options = Options {
            questions: self.questions.max(1),
            each: Duration::from_millis(self.each_ms),
            connections: self.connections.into(),
        };
        complain(&format!("{}; seed {}", plan.shape.described(), plan.seed));
        let temporary = match &door.data {
            Some(_) => None,
            None => Some(tempfile::tempdir().context("no temporary folder can be made")?),
        };
        let folder = door.data.as_deref().or(temporary.as_ref().map(|folder| folder.path()));
        let folder = folder.context("there is no folder")?;
        let report = measure(&plan, &options, folder, start_in_a_process, &mut Bars::default())?;
        match output.format {
            Format::Table => show(&report)?,
            Format::Json => say(&serde_json::to_string_pretty(&report)?)?,
            Format::Csv => say(asked_rows(&report.in_process.classes).csv()?.trim_end())?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn plan(&self) -> anyhow::Result<Plan> {
        let size = Size::from(self.size);
        let shape = Shape::new(size, self.changes.unwrap_or(size.changes()))
            .map_err(|error| Wrong(error.to_string()))?;
        let usual = Shares::default();
        let shares = Shares {
            late: self.late.unwrap_or(usual.late),
            scheduled: self.scheduled.unwrap_or(usual.scheduled),
            expiring: self.expiring.unwrap_or(usual.expiring),
            voids: self.voids.unwrap_or(usual.voids),
            refused: self.refused.unwrap_or(usual.refused),
        };
        shares.check().map_err(|error| Wrong(error.to_string()))?;
        Ok(Plan { shares, ..Plan::new(shape, self.seed) })
    }

    fn measure_curve(self, output: &Output) -> anyhow::Result<ExitCode> {
        let longest = self.changes.unwrap_or(BUDGET_CHANGES);
        Shape::new(Size::Steady, longest).map_err(|error| Wrong(error.to_string()))?;
        let questions = self.questions.max(1);
        let curve = curve(&lengths(longest), self.seed, questions, &mut Bars::default())?;
        if let Some(path) = &self.plot {
            let written = std::fs::write(path, plot::svg(&curve)?);
            written.with_context(|| format!("`{}` cannot be written", path.display()))?;
        }
        match output.format {
            Format::Table => show_curve(&curve)?,
            Format::Json => say(&serde_json::to_string_pretty(&curve)?)?,
            Format::Csv => say(curve_rows(&curve).csv()?.trim_end())?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Starts on a folder in a process of its own, whose memory nothing else has touched
fn start_in_a_process(folder: &Path) -> Result<Started, BenchError> {
    let failed = |problem: &dyn ToString| BenchError::Child(problem.to_string());
    let program = std::env::current_exe().map_err(|e| failed(&e))?;
    let ended = std::process::Command::new(program)
        .arg("--data")
        .arg(folder)
        .args(["bench", "--start-only"])
        .output()
        .map_err(|e| failed(&e))?;
    if !ended.status.success() {
        return Err(failed(&String::from_utf8_lossy(&ended.stderr)));
    }
    serde_json::from_slice(&ended.stdout).map_err(|e| failed(&e))
}

/// Progress on a terminal
#[derive(Default)]
struct Bars {
    bar: Option<(&'static str, ProgressBar)>,
}

impl Watch for Bars {
    fn begins(&mut self, what: &'static str, steps: u64) {
        match &self.bar {
            Some((shown, bar)) if *shown == what => bar.set_length(steps),
            _ => {
                self.ends();
                let new = bar(what);
                new.set_length(steps);
                self.bar = Some((what, new));
            }
        }
    }

    fn is_at(&mut self, done: u64) {
        if let Some((_, bar)) = &self.bar {
            bar.set_position(done);
        }
    }

    fn ends(&mut self) {
        if let Some((_, bar)) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// A figure with as many digits as say something
fn figure(number: f64) -> String {
    if number >= 1_000.0 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is shown, and positive"
        )]
        return grouped(number.round() as u64);
    }
    if number >= 100.0 { format!("{number:.0}") } else { format!("{number:.2}") }
}

fn optional(number: Option<f64>) -> String {
    number.map_or_else(|| "-".to_owned(), figure)
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", grouped(bytes >> 20))
}

fn spread_cells(spread: &Spread) -> [String; 5] {
    [
        grouped(spread.count),
        optional(spread.p50_us),
        optional(spread.p90_us),
        optional(spread.p99_us),
        optional(spread.max_us),
    ]
}

fn asked_rows(classes: &[Asked]) -> Rows {
    let mut rows = Rows::new(&[
        "question",
        "asked",
        "rows",
        "p50 us",
        "p90 us",
        "p99 us",
        "max us",
        "answers/s",
    ]);
    for asked in classes {
        let [count, p50, p90, p99, max] = spread_cells(&asked.took);
        let per_second = figure(asked.per_second);
        rows.push([
            asked.class.to_owned(),
            count,
            format!("{:.1}", asked.rows),
            p50,
            p90,
            p99,
            max,
            per_second,
        ]);
    }
    rows
}

fn http_rows(report: &Report) -> Rows {
    let http = &report.http;
    let head =
        ["over http", "asked", "failed", "p50 us", "p90 us", "p99 us", "max us", "answers/s"];
    let mut rows = Rows::new(&head);
    let mut push = |name: String, asked: &HttpAsked| {
        let [count, p50, p90, p99, max] = spread_cells(&asked.took);
        let failed = grouped(asked.failed);
        rows.push([name, count, failed, p50, p90, p99, max, figure(asked.per_second)]);
    };
    push(format!("check, {} connections", http.connections), &http.check);
    push(format!("100 checks a request, {}", http.connections), &http.checks_by_hundred);
    push(format!("mix, {} connections", http.connections), &http.mix);
    for class in &http.classes {
        push(format!("{}, 1 connection", class.class), &class.asked);
    }
    rows
}

fn append_rows(report: &Report) -> Rows {
    let head = ["append", "clients", "entries a request", "p50 us", "p99 us", "entries/s"];
    let mut rows = Rows::new(&head);
    let mut push = |how: &str, appending: &Appending| {
        rows.push([
            how.to_owned(),
            appending.clients.to_string(),
            appending.entries_a_request.to_string(),
            optional(appending.took.p50_us),
            optional(appending.took.p99_us),
            figure(appending.entries_per_second),
        ]);
    };
    report.append.iter().for_each(|appending| push("in process", appending));
    report.http.append.iter().for_each(|appending| push("over HTTP", appending));
    rows
}

fn show_budgets(budgets: &[Budget]) -> anyhow::Result<()> {
    for budget in budgets {
        let Budget { what, figure: is, unit, relation, bound, met } = budget;
        let word = if *met { "met   " } else { "missed" };
        let (is, bound) = (optional(*is), figure(*bound));
        say(&format!("{} {what}: {is} {unit} (budget {relation} {bound})", painted(word, *met)))?;
    }
    Ok(())
}

fn show(report: &Report) -> anyhow::Result<()> {
    let Report { machine, landscape, load, disk, start, in_process, .. } = report;
    say(&format!("machine: {}", machine.described()))?;
    say(&format!("landscape {}; seed {}", landscape.described, landscape.seed))?;
    say(&format!(
        "  {} entries; {} late, {} scheduled, {} voids, {} refused or duplicate; {} grants that end by \
         themselves",
        grouped(landscape.entries),
        grouped(landscape.late),
        grouped(landscape.scheduled),
        grouped(landscape.voids),
        grouped(landscape.refused_or_duplicate),
        grouped(landscape.expiring),
    ))?;
    say(&format!(
        "write: {} changes/s with a flush for each batch ({:.1} s encoding, {:.1} s deciding and \
         committing); made up at {} changes/s",
        figure(load.changes_per_second),
        load.encoding_seconds,
        load.recording_seconds,
        figure(load.made_per_second),
    ))?;
    say(&format!("disk: {}, {:.1} bytes a change", mebibytes(disk.bytes), disk.bytes_a_change))?;
    say(&format!(
        "start: {:.2} s ({:.2} s opening) from a checkpoint of {}; {:.2} s without, {} changes/s from the journal",
        start.seconds,
        start.opening_seconds,
        mebibytes(start.checkpoint_bytes),
        start.folded_seconds,
        figure(start.changes_per_second),
    ))?;
    match (start.resident_bytes, start.folded_bytes) {
        (Some(resident), Some(folded)) => say(&format!(
            "memory: {} resident, {} of it folded; {} names, taken as {} (their texts and 96 bytes each); \
             {} bytes a change, names apart",
            mebibytes(resident),
            mebibytes(folded),
            grouped(start.names),
            mebibytes(start.names_bytes),
            optional(start.bytes_a_change),
        ))?,
        _ => say("memory: not known, this system does not say")?,
    }
    say(&format!("\n{}", asked_rows(&in_process.classes).table()))?;
    say(&format!(
        "a mix of all, one thread: {} answers/s, p50 {} us, p99 {} us",
        figure(in_process.mix_per_second),
        optional(in_process.mix.p50_us),
        optional(in_process.mix.p99_us)
    ))?;
    say(&format!("\n{}", http_rows(report).table()))?;
    say(&format!("\n{}\n", append_rows(report).table()))?;
    if landscape.changes < BUDGET_CHANGES {
        let (meant, is) = (grouped(BUDGET_CHANGES), grouped(landscape.changes));
        say(&format!("The budgets are meant for {meant} changes; these are {is}."))?;
    }
    show_budgets(&report.budgets)
}

fn curve_rows(curve: &Curve) -> Rows {
    let mut rows = Rows::new(&["changes", "question", "rows", "p50 us", "p99 us", "answers/s"]);
    for point in &curve.points {
        for asked in &point.classes {
            rows.push([
                grouped(point.changes),
                asked.class.to_owned(),
                format!("{:.1}", asked.rows),
                optional(asked.took.p50_us),
                optional(asked.took.p99_us),
                figure(asked.per_second),
            ]);
        }
    }
    rows
}

fn show_curve(curve: &Curve) -> anyhow::Result<()> {
    say(&format!("machine: {}", curve.machine.described()))?;
    say(&format!("landscape, {}; seed {}", curve.described, curve.seed))?;
    say(&format!("\n{}\n", curve_rows(curve).table()))?;
    show_budgets(&curve.budgets)
}
