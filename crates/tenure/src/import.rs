//! `tenure import`: what recordings of other systems say

use std::fs::File;
use std::io::{BufReader, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use tenure_import::{AskFailure, Drift, ImportError, Options, Summary, Target, TargetError};
use tenure_wire::api::AppendResult;
use tenure_wire::question::Texts;
use tenure_wire::v1;

use crate::door::{Door, DoorArgs, Refused, Wrong};
use crate::output::{Format, Output, Rows, bar, say};

/// Differences that are shown one by one
const DRIFT_SHOWN_MAX: usize = 50;

/// Import recordings of other systems
#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(subcommand)]
    source: Source,
}

#[derive(Debug, Subcommand)]
enum Source {
    BtpCli(BtpCli),
}

/// Exchanges with the btp CLI server, one JSON object a line, plain or compressed with gzip
#[derive(Debug, Args)]
struct BtpCli {
    /// The file
    file: PathBuf,
    /// Where an observation contradicts the ledger, append what makes them agree, with a reason that says so
    #[arg(long)]
    reconcile: bool,
    /// Stop at the first bad line, before anything is appended
    #[arg(long)]
    strict: bool,
    /// Who acts where the recording does not say it [default: client:tenure/import-btp-cli]
    #[arg(long, value_name = "WHO", env = "TENURE_ACTOR")]
    actor: Option<String>,
}

impl Import {
    pub(crate) fn run(self, door: &DoorArgs, output: &Output) -> anyhow::Result<ExitCode> {
        let Source::BtpCli(source) = self.source;
        let shown = source.file.display().to_string();
        let file = File::open(&source.file).with_context(|| format!("`{shown}` cannot be read"))?;
        let length = file.metadata().map(|metadata| metadata.len()).unwrap_or(0);
        let mut options =
            Options { reconcile: source.reconcile, strict: source.strict, ..Options::default() };
        if let Some(actor) = source.actor {
            options.actor = actor;
        }
        let door = door.appending()?;
        let bar = bytes_bar(length);
        let imported = tenure_import::import(
            &mut BufReader::new(file),
            &options,
            &mut Through(&door),
            &mut |_, bytes| bar.set_position(bytes),
        );
        bar.finish_and_clear();
        door.close();
        let summary = imported.map_err(|error| match error {
            wrong @ (ImportError::BadLine { .. } | ImportError::Actor { .. }) => {
                anyhow::Error::new(wrong).context(Wrong(format!("`{shown}` was not imported")))
            }
            other => anyhow::Error::new(other),
        })?;
        match output.format {
            Format::Json => say(&serde_json::to_string_pretty(&summary)?)?,
            Format::Csv => say(drift(&summary.drift).csv()?.trim_end())?,
            Format::Table => say(&report(&summary))?,
        }
        let refused = !summary.entries.refused.is_empty();
        Ok(if refused { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }
}

fn bytes_bar(length: u64) -> ProgressBar {
    let bar = bar("importing");
    if std::io::stderr().is_terminal() {
        let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    }
    bar.set_length(length);
    bar
}

/// A door as an import needs it
struct Through<'a>(&'a Door);

impl Target for Through<'_> {
    fn append(&mut self, entries: Vec<v1::Entry>) -> Result<Vec<AppendResult>, TargetError> {
        let body = serde_json::json!({ "entries": entries });
        let appended = self.0.append(&body).map_err(TargetError::new)?;
        Ok(appended.results)
    }

    fn ask(&mut self, question: &Texts) -> Result<Value, AskFailure> {
        self.0.ask(question).map_err(|error| match error.downcast::<Refused>() {
            Ok(Refused(problem)) => {
                AskFailure::Problem { code: problem.code, detail: problem.detail }
            }
            Err(error) => AskFailure::Failed(TargetError::new(error)),
        })
    }
}

/// What was read, appended, refused, skipped and found to differ
fn report(summary: &Summary) -> String {
    let entries = &summary.entries;
    let mut lines = Vec::new();
    let span = match (&summary.first_at, &summary.last_at) {
        (Some(first), Some(last)) => format!(", {first} to {last}"),
        _ => String::new(),
    };
    lines.push(format!("read      {} lines{span}", summary.lines));
    lines.push(format!(
        "appended  {} applied, {} known from an earlier import",
        entries.applied, entries.duplicate
    ));
    for (kind, count) in &entries.changes {
        lines.push(format!("            {count} {kind}"));
    }
    let refused: u64 = entries.refused.values().sum();
    lines.push(format!("refused   {refused}"));
    for refusal in &entries.refusals {
        let (line, code, message) = (refusal.line, &refusal.code, &refusal.message);
        lines.push(format!("            line {line}: {code}: {message}"));
    }
    lines.push(format!("skipped   {}", summary.skipped.values().sum::<u64>()));
    for (reason, count) in &summary.skipped {
        lines.push(format!("            {count} {reason}"));
    }
    lines.push(format!("bad lines {}", summary.bad_lines.total));
    for bad in &summary.bad_lines.listed {
        lines.push(format!("            line {}: {}", bad.line, bad.problem));
    }
    for definition in &summary.definitions {
        lines.push(format!(
            "definition of `{}` at {} differs from the catalogue (line {}): recorded {}, ledger {}",
            definition.role_collection,
            definition.level,
            definition.line,
            definition.recorded.join(", "),
            definition.ledger.join(", ")
        ));
    }
    let reconciled = summary.drift.iter().filter(|drift| drift.reconciled).count();
    lines.push(format!(
        "drift     {} differences in {} observations, {reconciled} reconciled",
        summary.drift.len(),
        summary.observations
    ));
    if !summary.drift.is_empty() {
        let shown = summary.drift.get(..DRIFT_SHOWN_MAX).unwrap_or(&summary.drift);
        lines.push(drift(shown).table());
        let more = summary.drift.len() - shown.len();
        if more > 0 {
            lines.push(format!("… and {more} more: `--format json` has all"));
        }
    }
    lines.join("\n")
}

fn drift(list: &[Drift]) -> Rows {
    let mut rows = Rows::new(&[
        "line",
        "at",
        "level",
        "principal",
        "missing here",
        "unexpected here",
        "reconciled",
        "because",
    ]);
    for drift in list {
        rows.push([
            drift.line.to_string(),
            drift.at.clone(),
            drift.level.clone(),
            drift.principal.clone(),
            drift.missing.join(", "),
            drift.unexpected.join(", "),
            drift.reconciled.to_string(),
            drift.because.clone(),
        ]);
    }
    rows
}
