//! `tenure import` and `tenure drift`: what files of other systems say

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use tenure_core::Instant;
use tenure_import::{
    AskFailure, Drift, ImportError, Input, Listed, Map, Options, Source, Summary, Target,
    TargetError,
};
use tenure_wire::api::AppendResult;
use tenure_wire::question::Texts;
use tenure_wire::v1;

use crate::door::{Door, DoorArgs, Refused, Wrong};
use crate::output::{Format, Output, Rows, bar, say};

/// Differences that are shown one by one
const DRIFT_SHOWN_MAX: usize = 50;

/// Import what other systems say: listings, logs, tables
#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(subcommand)]
    source: Kind,
}

/// Compare listings with the ledger: nothing is appended, and the exit status is 1 if anything differs
#[derive(Debug, Args)]
pub(crate) struct CompareDrift {
    #[command(subcommand)]
    source: Kind,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// Exchanges with the btp CLI server, one JSON object a line; with --command, the output of `btp --format json`
    BtpCli {
        #[command(flatten)]
        files: Files,
        /// The command whose output the files are, as `list security/role-collection`
        #[arg(long, value_name = "COMMAND", requires = "at", requires = "on")]
        command: Option<String>,
    },
    /// The Cloud Foundry API: audit events, roles, users, organizations, spaces, service bindings, in any mix
    Cf(Files),
    /// Records of SAP's audit log retrieval API, version 2
    AuditLog(Files),
    /// Role collections, users and identity providers of XSUAA
    Xsuaa(Files),
    /// SCIM 2.0 users and groups of an identity provider
    Scim {
        #[command(flatten)]
        files: Files,
        /// Which of a group's two names role collections are mapped to
        #[arg(long, default_value = "display")]
        group_name: GroupName,
    },
    /// A state of Terraform or OpenTofu: what is meant to be so
    Terraform(Files),
    /// A table of grants and revokes
    Csv(Files),
    /// Entries in the ledger's own JSON without ids, one a line
    Jsonl(Files),
    /// Names for users who are known by an id alone: what `user:…/id-…` holds, the named user holds from now on, or
    /// from `--at` on
    Map(Files),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum GroupName {
    /// `displayName`
    Display,
    /// `name` of SAP's extension
    Name,
}

#[derive(Debug, Args)]
struct Files {
    /// The files, plain or compressed with gzip; `-` is standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The level that the files are about, where they do not say it: as `subaccount:ID`
    #[arg(long, value_name = "LEVEL")]
    on: Option<String>,
    /// When the listings were made, where they do not say it
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// The origin of users whose origin is not recorded
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,
    /// A table of names for ids, with the header `kind,id,name,origin`
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,
    /// Where an observation contradicts the ledger, append what makes them agree, with a reason that says so
    #[arg(long, conflicts_with = "drift_only")]
    reconcile: bool,
    /// Only compare observations with the ledger, and append nothing
    #[arg(long)]
    drift_only: bool,
    /// Stop at the first record that cannot be read, before anything is appended
    #[arg(long)]
    strict: bool,
    /// Exit with 0 though records were left out, refused or unreadable
    #[arg(long)]
    tolerate: bool,
    /// Who acts where a record does not say it [default: client:tenure/import-SOURCE]
    #[arg(long, value_name = "WHO", env = "TENURE_ACTOR")]
    actor: Option<String>,
}

impl Kind {
    /// The source, its files, and the options that it alone has
    fn parts(self) -> (Source, Files, Options) {
        let plain = Options::default();
        match self {
            Self::BtpCli { files, command } => {
                (Source::BtpCli, files, Options { command, ..plain })
            }
            Self::Scim { files, group_name } => {
                let group_by_name = group_name == GroupName::Name;
                (Source::Scim, files, Options { group_by_name, ..plain })
            }
            Self::Cf(files) => (Source::Cf, files, plain),
            Self::AuditLog(files) => (Source::AuditLog, files, plain),
            Self::Xsuaa(files) => (Source::Xsuaa, files, plain),
            Self::Terraform(files) => (Source::Terraform, files, plain),
            Self::Csv(files) => (Source::Csv, files, plain),
            Self::Jsonl(files) => (Source::Jsonl, files, plain),
            Self::Map(files) => (Source::Map, files, plain),
        }
    }
}

impl Import {
    pub(crate) fn run(self, door: &DoorArgs, output: &Output) -> anyhow::Result<ExitCode> {
        let (source, files, options) = self.source.parts();
        let tolerate = files.tolerate;
        let summary = import(source, files, options, door)?;
        show(&summary, output)?;
        let failed = summary.is_incomplete() && !tolerate;
        Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }
}

impl CompareDrift {
    pub(crate) fn run(self, door: &DoorArgs, output: &Output) -> anyhow::Result<ExitCode> {
        let (source, mut files, options) = self.source.parts();
        files.drift_only = true;
        let tolerate = files.tolerate;
        let summary = import(source, files, options, door)?;
        show(&summary, output)?;
        let failed = !summary.drift.is_empty() || (summary.is_incomplete() && !tolerate);
        Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }
}

fn import(
    source: Source,
    files: Files,
    options: Options,
    door: &DoorArgs,
) -> anyhow::Result<Summary> {
    let at = files.at.as_deref().map(Instant::parse).transpose();
    let mut at = at.map_err(|error| Wrong(format!("`--at`: {error}")))?;
    if source == Source::Map && at.is_none() {
        at = Some(crate::collect::now()?);
    }
    let map = files.map.as_deref().map(map).transpose()?.unwrap_or_default();
    let options = Options {
        reconcile: files.reconcile,
        drift_only: files.drift_only,
        strict: files.strict,
        actor: files.actor,
        at,
        on: files.on,
        map,
        default_origin: files.origin.unwrap_or(options.default_origin),
        ..options
    };
    let mut opened = Vec::new();
    let mut length = 0;
    for path in &files.files {
        let (read, bytes) = open(path)?;
        length += bytes;
        opened.push((path.display().to_string(), read));
    }
    let inputs = opened.iter_mut().map(|(name, read)| Input { name: name.clone(), read }).collect();
    let door = if options.drift_only { door.reading()? } else { door.appending()? };
    let bar = bytes_bar(length);
    let imported =
        tenure_import::import(source, inputs, &options, &mut Through(&door), &mut |bytes| {
            bar.set_position(bytes);
        });
    bar.finish_and_clear();
    door.close();
    imported.map_err(|error| match error {
        wrong @ (ImportError::Bad { .. }
        | ImportError::Actor { .. }
        | ImportError::Options { .. }
        | ImportError::OtherKind { .. }) => {
            anyhow::Error::new(wrong).context(Wrong("nothing was imported".to_owned()))
        }
        other => anyhow::Error::new(other),
    })
}

/// A file and its length; that of standard input is not known
fn open(path: &Path) -> anyhow::Result<(Box<dyn BufRead>, u64)> {
    if path == Path::new("-") {
        return Ok((Box::new(BufReader::new(std::io::stdin())), 0));
    }
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("`{shown}` cannot be read"))?;
    let length = file.metadata().map(|metadata| metadata.len()).unwrap_or(0);
    Ok((Box::new(BufReader::new(file)), length))
}

fn map(path: &Path) -> anyhow::Result<Map> {
    let shown = path.display();
    let bytes = std::fs::read(path).with_context(|| format!("`{shown}` cannot be read"))?;
    Map::read(&bytes).map_err(|error| {
        anyhow::Error::new(error).context(Wrong(format!("`{shown}` cannot be used")))
    })
}

pub(crate) fn show(summary: &Summary, output: &Output) -> anyhow::Result<()> {
    match output.format {
        Format::Json => say(&serde_json::to_string_pretty(summary)?),
        Format::Csv => say(drift(&summary.drift).csv()?.trim_end()),
        Format::Table => say(&report(summary)),
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
pub(crate) struct Through<'a>(pub(crate) &'a Door);

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

/// What was read and what became of it
fn report(summary: &Summary) -> String {
    let (records, entries) = (&summary.records, &summary.entries);
    let mut lines = Vec::new();
    let span = match (&summary.first_at, &summary.last_at) {
        (Some(first), Some(last)) => format!(", {first} to {last}"),
        _ => String::new(),
    };
    lines.push(format!("read              {} records{span}", records.read));
    if let Some(expected) = summary.expected {
        lines.push(format!("not one of them can be used: {expected} was expected"));
    }
    for (count, what) in [
        (records.applied, "applied"),
        (records.known, "known already"),
        (records.not_about_access, "not about access"),
        (records.drift, "drift, not appended"),
        (records.left_out, "left out"),
        (records.refused, "refused"),
        (records.bad, "not readable"),
    ] {
        if count > 0 {
            lines.push(format!("{count:>10} {what}"));
        }
    }
    lines.push(format!(
        "entries           {} applied, {} known from an earlier import",
        entries.applied, entries.duplicate
    ));
    let counts = entries.changes.iter().map(|(kind, count)| (*count, kind.as_str()));
    lines.extend(counts.map(|(count, kind)| format!("{count:>10} {kind}")));
    if summary.baseline > 0 {
        lines.push(format!("{:>10} of them seen for the first time: a baseline", summary.baseline));
    }
    if !summary.passed_over.is_empty() {
        lines.push("passed over".to_owned());
        let counts = summary.passed_over.iter();
        lines.extend(counts.map(|(reason, count)| format!("{count:>10} {reason}")));
    }
    listed("left out", &summary.left_out, &mut lines);
    listed("not readable", &summary.bad, &mut lines);
    listed("order not known", &summary.ties, &mut lines);
    if !entries.refusals.is_empty() {
        lines.push("refused".to_owned());
        let shown = entries.refusals.iter();
        lines.extend(shown.map(|one| format!("  {}: {}: {}", one.place, one.code, one.message)));
    }
    if !summary.nameless.is_empty() {
        lines.push("known by an id alone; a map (`--map`) can name them".to_owned());
        lines.extend(summary.nameless.iter().take(DRIFT_SHOWN_MAX).map(|who| format!("  {who}")));
    }
    for definition in &summary.definitions {
        lines.push(format!(
            "definition of `{}` at {} differs from the catalogue ({}): recorded {}, ledger {}",
            definition.role_collection,
            definition.level,
            definition.place,
            definition.recorded.join(", "),
            definition.ledger.join(", ")
        ));
    }
    let reconciled = summary.drift.iter().filter(|drift| drift.reconciled).count();
    lines.push(format!(
        "drift             {} differences in {} observations, {reconciled} reconciled",
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

fn listed(title: &str, listed: &Listed, lines: &mut Vec<String>) {
    if listed.total == 0 {
        return;
    }
    lines.push(title.to_owned());
    lines.extend(listed.listed.iter().map(|one| format!("  {}: {}", one.place, one.problem)));
    let more = listed.total - listed.listed.len() as u64;
    if more > 0 {
        lines.push(format!("  … and {more} more"));
    }
}

fn drift(list: &[Drift]) -> Rows {
    let mut rows = Rows::new(&[
        "place",
        "at",
        "on",
        "principal",
        "missing here",
        "unexpected here",
        "reconciled",
        "because",
    ]);
    for drift in list {
        rows.push([
            drift.place.to_string(),
            drift.at.clone(),
            drift.on.clone(),
            drift.principal.clone(),
            drift.missing.join(", "),
            drift.unexpected.join(", "),
            drift.reconciled.to_string(),
            drift.because.clone(),
        ]);
    }
    rows
}
