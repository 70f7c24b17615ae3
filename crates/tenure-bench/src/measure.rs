//! What is measured, in which order?
//!
//! The landscape is written to a new data folder, started on in a process of its own (so that nothing that
//! came before is in its memory), asked in process, asked over HTTP, and appended to.

mod append;
mod client;
mod load;
mod over_http;
mod start;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tenure_core::Ledger;
use tenure_journal::{IndexCheckpoints, Journal, Reader};
use tenure_server::engine::{StartError, rebuild, write_checkpoint};
use tenure_wire::catalogs::CatalogFileError;

pub use start::{Started, start};

use crate::in_process::{AskFailure, Prepared};
use crate::landscape::{Facts, Plan};
use crate::machine::{Machine, folder_bytes};
use crate::question::{Asker, Class, Question};
use crate::report::{Asked, Disk, InProcess, Landscape, Report, Start};
use crate::times::{Times, per_second};

/// Longest time that one kind of question is asked
const CLASS_PATIENCE: Duration = Duration::from_secs(5);
/// Longest time that it is asked before the clock runs
const WARM_PATIENCE: Duration = Duration::from_millis(500);
/// Questions of a kind that are asked before the clock runs
const WARM_QUESTIONS: usize = 50;
/// What the tables take that a name is in, about: its number and its text, each with a header
const NAME_BYTES: u64 = 96;

/// How much is measured
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Options {
    /// Questions of each kind, at most: a kind ends after five seconds too
    pub questions: usize,
    /// How long each thing is done over HTTP, and appended
    pub each: Duration,
    /// Connections that ask at once over HTTP
    pub connections: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { questions: 1_000, each: Duration::from_secs(3), connections: 32 }
    }
}

/// Why nothing was measured
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// A built-in catalogue is wrong
    #[error("a built-in catalogue is wrong")]
    Catalog(#[source] CatalogFileError),
    /// The journal failed
    #[error("the journal failed")]
    Journal(#[from] tenure_journal::Error),
    /// An entry has too many bytes
    #[error("an entry cannot be encoded")]
    Encode(#[source] tenure_wire::codec::Malformed),
    /// The journal cannot be folded
    #[error("the journal cannot be folded")]
    Start(#[from] StartError),
    /// The index checkpoint cannot be written
    #[error("the index checkpoint cannot be written")]
    Checkpoint(#[source] tenure_journal::WriteError),
    /// A question has no answer
    #[error("`{asked}` cannot be measured")]
    Ask {
        /// The question
        asked: String,
        /// Why
        #[source]
        source: AskFailure,
    },
    /// The process that starts on the data folder failed
    #[error("the start could not be measured: {0}")]
    Child(String),
    /// The data folder holds something
    #[error("`{}` is not empty: name a new folder, what is measured is written there", .0.display())]
    NotEmpty(PathBuf),
    /// A file or a socket failed
    #[error("{0}")]
    Io(&'static str, #[source] io::Error),
    /// The server failed
    #[error("the server failed: {0}")]
    Server(String),
    /// An answer over HTTP that is none
    #[error("an answer over HTTP cannot be read: {0}")]
    Answer(String),
    /// Appending failed
    #[error("appending failed")]
    Append(#[source] tenure_log::AppendError),
    /// The plot cannot be drawn
    #[error("the plot cannot be drawn: {0}")]
    Plot(String),
}

/// Is told how far it is
pub trait Watch {
    /// Something begins that has so many steps
    fn begins(&mut self, what: &'static str, steps: u64);
    /// So many are done
    fn is_at(&mut self, done: u64);
    /// It has ended
    fn ends(&mut self);
}

/// Measures a landscape in a new data folder, which is left there
///
/// `start` measures a start on the folder: [`start()`](start()), in a process of its own where it can be.
///
/// # Errors
/// A folder that is not empty, or whatever failed.
/// # Cost
/// The history is made once and folded four times; what is asked ends after seconds for each kind.
pub fn measure(
    plan: &Plan,
    options: &Options,
    folder: &Path,
    start: impl Fn(&Path) -> Result<Started, BenchError>,
    watch: &mut impl Watch,
) -> Result<Report, BenchError> {
    refuse_full(folder)?;
    let loaded = load::load(plan, folder, watch)?;
    let bytes = folder_bytes(folder).map_err(|e| BenchError::Io("the folder cannot be read", e))?;
    let changes = loaded.facts.counts.changes;
    watch.begins("starting on it", 2);
    let folded = start(folder)?;
    watch.is_at(1);
    let checkpoint = write_checkpoint_of(folder)?;
    let started = start(folder)?;
    watch.ends();
    let in_process = ask_folder(folder, &loaded.facts, plan.seed, options, watch)?;
    let http = over_http::measure(folder, &loaded.facts, plan, options, watch)?;
    let append = append::measure(folder, options, watch)?;
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION"),
        machine: Machine::here(),
        landscape: Landscape::new(plan, &loaded.facts.counts),
        load: loaded.load,
        disk: Disk { bytes, bytes_a_change: a_change(bytes, changes) },
        start: started_report(&folded, &started, checkpoint, &loaded.facts),
        in_process,
        http,
        append,
        budgets: Vec::new(),
    };
    report.judge();
    Ok(report)
}

fn refuse_full(folder: &Path) -> Result<(), BenchError> {
    // One that is not there is made.
    let files = std::fs::read_dir(folder);
    if files.is_ok_and(|mut files| files.next().is_some()) {
        return Err(BenchError::NotEmpty(folder.to_owned()));
    }
    Ok(())
}

fn a_change(bytes: u64, changes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a ratio has few digits")]
    let (bytes, changes) = (bytes as f64, changes.max(1) as f64);
    bytes / changes
}

/// Folds a journal and writes an index checkpoint; the bytes that it takes
fn write_checkpoint_of(folder: &Path) -> Result<u64, BenchError> {
    let journal = Journal::open(folder, None)?;
    let ledger = rebuild(&journal.reader(), &mut |_| {})?;
    let written = write_checkpoint(&IndexCheckpoints::of(&journal), &ledger);
    Ok(written.map_err(BenchError::Checkpoint)?.stored_bytes)
}

/// `folded` is a start without a checkpoint, `started` one with it
fn started_report(
    folded: &Started,
    started: &Started,
    checkpoint_bytes: u64,
    facts: &Facts,
) -> Start {
    let names_bytes = facts.names_bytes + facts.names * NAME_BYTES;
    let resident = started.resident_bytes.zip(started.resident_before_bytes);
    let folded_bytes = resident.map(|(after, before)| after.saturating_sub(before));
    let folding = Duration::from_secs_f64(folded.folding_seconds.max(1e-9));
    Start {
        seconds: started.opening_seconds + started.folding_seconds,
        opening_seconds: started.opening_seconds,
        folded_seconds: folded.opening_seconds + folded.folding_seconds,
        checkpoint_bytes,
        changes_per_second: per_second(facts.counts.changes, folding),
        resident_bytes: started.resident_bytes,
        folded_bytes,
        names: facts.names,
        names_bytes,
        bytes_a_change: folded_bytes
            .map(|folded| a_change(folded.saturating_sub(names_bytes), facts.counts.changes)),
    }
}

fn ask_folder(
    folder: &Path,
    facts: &Facts,
    seed: u64,
    options: &Options,
    watch: &mut impl Watch,
) -> Result<InProcess, BenchError> {
    let journal = Journal::open(folder, None)?;
    let reader = journal.reader();
    watch.begins("folding", 1);
    let ledger = rebuild(&reader, &mut |progress| {
        watch.begins("folding", progress.of);
        watch.is_at(progress.done);
    })?;
    watch.ends();
    let mut asker = Asker::new(facts, seed);
    let classes =
        ask_classes(Class::ALL, &mut asker, &ledger, Some(&reader), options.questions, watch)?;
    let mix = prepared(asker.mix(options.questions.saturating_mul(10)))?;
    watch.begins("asking a mix", mix.len() as u64);
    let (times, _, took) = ask_all(&mix, &ledger, Some(&reader), CLASS_PATIENCE, watch)?;
    watch.ends();
    let mix_per_second = per_second(times.count(), took);
    Ok(InProcess { classes, mix: times.spread(), mix_per_second })
}

/// Asks so many questions of each of some classes, after a few that are not timed
pub(crate) fn ask_classes(
    classes: &[Class],
    asker: &mut Asker<'_>,
    ledger: &Ledger,
    journal: Option<&Reader>,
    questions: usize,
    watch: &mut impl Watch,
) -> Result<Vec<Asked>, BenchError> {
    watch.begins("asking", classes.len() as u64);
    let mut figures = Vec::new();
    for (n, class) in classes.iter().enumerate() {
        let mut draw = |count: usize| prepared((0..count).map(|_| asker.of(*class)).collect());
        let (warm, timed) = (draw(WARM_QUESTIONS)?, draw(questions)?);
        ask_all(&warm, ledger, journal, WARM_PATIENCE, &mut Unwatched)?;
        let (times, rows, took) = ask_all(&timed, ledger, journal, CLASS_PATIENCE, &mut Unwatched)?;
        figures.push(Asked {
            class: class.as_str(),
            described: class.described(),
            rows: a_change(rows, times.count()),
            per_second: per_second(times.count(), took),
            took: times.spread(),
        });
        watch.is_at(n as u64 + 1);
    }
    watch.ends();
    Ok(figures)
}

/// Nobody is told
struct Unwatched;

impl Watch for Unwatched {
    fn begins(&mut self, _: &'static str, _: u64) {}
    fn is_at(&mut self, _: u64) {}
    fn ends(&mut self) {}
}

fn prepared(questions: Vec<Question>) -> Result<Vec<(Prepared, Question)>, BenchError> {
    let prepare = |question: Question| match Prepared::new(&question) {
        Ok(prepared) => Ok((prepared, question)),
        Err(source) => Err(BenchError::Ask { asked: format!("{:?}", question.asked), source }),
    };
    questions.into_iter().map(prepare).collect()
}

/// Asks until all are asked or patience ends, one at least; how long each took, rows of all, and the sum
fn ask_all(
    questions: &[(Prepared, Question)],
    ledger: &Ledger,
    journal: Option<&Reader>,
    patience: Duration,
    watch: &mut impl Watch,
) -> Result<(Times, u64, Duration), BenchError> {
    let mut times = Times::default();
    let mut rows = 0;
    let mut sum = Duration::ZERO;
    for (n, (prepared, question)) in questions.iter().enumerate() {
        let began = Instant::now();
        let answer = prepared.ask(ledger, journal);
        let took = began.elapsed();
        let answer = answer
            .map_err(|source| BenchError::Ask { asked: format!("{:?}", question.asked), source })?;
        times.push(took);
        rows += std::hint::black_box(answer) as u64;
        sum += took;
        if n % 64 == 0 {
            watch.is_at(n as u64);
        }
        if sum > patience {
            break;
        }
    }
    Ok((times, rows, sum))
}
