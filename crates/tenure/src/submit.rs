//! `tenure submit`, `grant` and `revoke`: appending entries, or trying them

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Map, Value, json};
use tenure_core::Instant;
use tenure_wire::api::{AppendResult, Appended};
use tenure_wire::codec;

use crate::door::{Door, DoorArgs, Wrong};
use crate::output::{Format, Output, Rows, say};
use crate::render;

/// Entries in one request
const BATCH_ENTRIES_MAX: usize = 1_000;
/// Bytes of JSON in one request, below what a server takes
const BATCH_BYTES_MAX: usize = 900_000;

/// Append the entries of a file: one entry, {"entries": […]}, or one entry a line
#[derive(Debug, Args)]
pub(crate) struct Submit {
    /// The file; `-` for standard input
    file: PathBuf,
    #[command(flatten)]
    how: How,
}

/// Whether entries are appended
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct How {
    /// Append nothing; show what would become of the entries, each after the ones before it
    #[arg(long)]
    dry_run: bool,
}

/// What an entry says besides its change
#[derive(Debug, Args)]
pub(crate) struct About {
    /// The principal that acts [default: the user of this machine, of origin `local`]
    #[arg(long, value_name = "WHO", env = "TENURE_ACTOR")]
    actor: Option<String>,
    /// The reason, such as a ticket
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The moment from which it holds, if not now: an instant or a date
    #[arg(long, value_name = "TIME")]
    effective_at: Option<String>,
    /// The earliest moment at which it can have happened, if only that is known: an instant or a date
    #[arg(long, value_name = "TIME")]
    not_before: Option<String>,
    /// The id of the entry, a UUID; an entry that is sent again with the same id counts once [default: a new one]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
    #[command(flatten)]
    pub(crate) how: How,
}

/// Grant a role collection, or a single role
#[derive(Debug, Args)]
pub(crate) struct Grant {
    /// Name of the role collection (with --role: of the role)
    name: String,
    /// Grant a single role, `name` or `application/name`
    #[arg(long)]
    role: bool,
    /// The principal that receives it
    #[arg(long, value_name = "WHO")]
    to: String,
    /// At this level
    #[arg(long, value_name = "LEVEL")]
    on: String,
    /// When it ends by itself: an instant, or a date, as whose day begins it ends
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Refuse the grant if the principal holds it already
    #[arg(long)]
    if_not_held: bool,
    #[command(flatten)]
    about: About,
}

/// Revoke a role collection, or a single role
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// Name of the role collection (with --role: of the role)
    name: String,
    /// Revoke a single role, `name` or `application/name`
    #[arg(long)]
    role: bool,
    /// The principal that holds it
    #[arg(long, value_name = "WHO")]
    from: String,
    /// At this level
    #[arg(long, value_name = "LEVEL")]
    on: String,
    /// Accept the revocation even if the principal does not hold it
    #[arg(long)]
    if_held: bool,
    #[command(flatten)]
    about: About,
}

/// An instant, or the midnight of a date, as the log wants it
fn instant(text: &str) -> anyhow::Result<Value> {
    let instant = Instant::parse_or_date(text).map_err(|error| Wrong(error.to_string()))?;
    Ok(Value::String(instant.to_string()))
}

impl About {
    pub(crate) fn entry(self, changes: Vec<Value>) -> anyhow::Result<Value> {
        let actor = self.actor.unwrap_or_else(|| {
            let user = std::env::var("USER").ok().filter(|user| !user.is_empty());
            user.map_or("client:tenure/cli".to_owned(), |user| format!("user:local/{user}"))
        });
        let mut entry = Map::new();
        entry.extend(self.id.map(|id| ("id".to_owned(), Value::String(id))));
        entry.insert("actor".to_owned(), Value::String(actor));
        entry.extend(self.reason.map(|reason| ("reason".to_owned(), Value::String(reason))));
        if let Some(text) = self.effective_at {
            entry.insert("effective_at".to_owned(), instant(&text)?);
        }
        if let Some(text) = self.not_before {
            entry.insert("not_before".to_owned(), instant(&text)?);
        }
        entry.insert("changes".to_owned(), Value::Array(changes));
        Ok(Value::Object(entry))
    }
}

impl Grant {
    pub(crate) fn run(self, door: &DoorArgs, output: &Output) -> anyhow::Result<ExitCode> {
        let given = if self.role { "role" } else { "role_collection" };
        let mut change = json!({
            "type": "grant", "level": self.on, given: self.name, "to": self.to,
        });
        if let Value::Object(change) = &mut change {
            if let Some(text) = &self.until {
                change.insert("until".to_owned(), instant(text)?);
            }
            if self.if_not_held {
                change.insert("expect".to_owned(), "not_held".into());
            }
        }
        let how = self.about.how;
        append(door, output, vec![self.about.entry(vec![change])?], how)
    }
}

impl Revoke {
    pub(crate) fn run(self, door: &DoorArgs, output: &Output) -> anyhow::Result<ExitCode> {
        let taken = if self.role { "role" } else { "role_collection" };
        let mut change = json!({
            "type": "revoke", "level": self.on, taken: self.name, "from": self.from,
        });
        if let Value::Object(change) = &mut change
            && self.if_held
        {
            change.insert("expect".to_owned(), "any".into());
        }
        let how = self.about.how;
        append(door, output, vec![self.about.entry(vec![change])?], how)
    }
}

impl Submit {
    pub(crate) fn run(self, door: &DoorArgs, output: &Output) -> anyhow::Result<ExitCode> {
        let shown = self.file.display().to_string();
        let mut text = String::new();
        if shown == "-" {
            std::io::stdin().read_to_string(&mut text).context("standard input cannot be read")?;
        } else {
            text = std::fs::read_to_string(&self.file)
                .with_context(|| format!("`{shown}` cannot be read"))?;
        }
        let mut entries = entries(&text)
            .map_err(|error| Wrong(format!("`{shown}` holds no entries: {error:#}")))?;
        // An id made here stays the same when a request is sent again.
        for entry in &mut entries {
            if let Value::Object(entry) = entry {
                let new = || Value::String(uuid::Uuid::now_v7().to_string());
                entry.entry("id").or_insert_with(new);
            }
        }
        append(door, output, entries, self.how)
    }
}

fn read(text: &str) -> Result<Value, codec::Malformed> {
    codec::tree(codec::Format::Json, text.as_bytes())
}

/// One document, or one entry a line
fn entries(text: &str) -> anyhow::Result<Vec<Value>> {
    if text.trim().is_empty() {
        bail!("it is empty");
    }
    // It is read as strictly as a server does: a key that stands twice is refused.
    match read(text) {
        Ok(Value::Object(mut map)) if map.contains_key("entries") => match map.remove("entries") {
            Some(Value::Array(entries)) if map.is_empty() && !entries.is_empty() => Ok(entries),
            _ => bail!("`entries` is a list with at least one entry, and nothing stands beside it"),
        },
        Ok(Value::Array(_)) => bail!("it is a list: put it into {{\"entries\": […]}}"),
        Ok(entry) => Ok(vec![entry]),
        Err(whole) => {
            let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
            let mut entries = Vec::new();
            for (n, line) in lines {
                match read(line) {
                    Ok(entry) => entries.push(entry),
                    Err(_) if entries.is_empty() => return Err(whole.into()),
                    Err(error) => bail!("line {}: {error}", n + 1),
                }
            }
            Ok(entries)
        }
    }
}

/// Appends entries, or tries them, and shows what became of each
pub(crate) fn append(
    door: &DoorArgs,
    output: &Output,
    entries: Vec<Value>,
    How { dry_run }: How,
) -> anyhow::Result<ExitCode> {
    // What only reads leaves a folder as it is: built-in catalogues that it lacks are not appended.
    let door = if dry_run { door.reading()? } else { door.appending()? };
    let appended = match dry_run {
        true => tried(&entries, &door),
        false => in_batches(&entries, |batch| door.append(batch)),
    };
    door.close();
    let appended = appended?;
    let refused = appended.results.iter().any(|result| result.outcome == "refused");
    match output.format {
        Format::Json => say(&serde_json::to_string_pretty(&appended)?)?,
        Format::Table => {
            if dry_run {
                say("dry run: nothing was appended")?;
            }
            say(&results(&appended).table())?;
        }
        Format::Csv => say(results(&appended).csv()?.trim_end())?,
    }
    Ok(if refused { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn results(appended: &Appended) -> Rows {
    let noted = appended.results.iter().any(|result| !result.notes.is_empty());
    let mut head = vec!["#", "recorded", "outcome", "id"];
    head.extend(noted.then_some("notes"));
    let row = |result: &AppendResult| {
        let mut row = vec![
            result.position.map(|position| position.to_string()).unwrap_or_default(),
            result.recorded_at.clone().unwrap_or_default(),
            render::appended(result),
            result.id.clone().unwrap_or_default(),
        ];
        row.extend(noted.then(|| render::notes(&result.notes)));
        row
    };
    Rows { head, rows: appended.results.iter().map(row).collect() }
}

/// Tries entries in one request: of several, each would see nothing of the others
fn tried(entries: &[Value], door: &Door) -> anyhow::Result<Appended> {
    let mut requests = 0;
    in_batches(entries, |batch| {
        requests += 1;
        if requests > 1 {
            let most = "at most 1,000 entries and 900,000 bytes can be tried at once";
            return Err(Wrong(most.to_owned()).into());
        }
        door.dry_run(batch)
    })
}

/// Sends entries in requests that a server takes
fn in_batches(
    entries: &[Value],
    mut send: impl FnMut(&Value) -> anyhow::Result<Appended>,
) -> anyhow::Result<Appended> {
    let mut all = Appended { results: Vec::new(), revision: String::new() };
    let mut batch = Vec::new();
    let mut bytes = 0;
    let mut flush = |batch: &mut Vec<Value>, all: &mut Appended| -> anyhow::Result<()> {
        if !batch.is_empty() {
            let appended = send(&json!({ "entries": std::mem::take(batch) }))
                .with_context(|| format!("after {} entries", all.results.len()))?;
            all.results.extend(appended.results);
            all.revision = appended.revision;
        }
        Ok(())
    };
    for entry in entries {
        let size = serde_json::to_vec(entry)?.len();
        if batch.len() == BATCH_ENTRIES_MAX || bytes + size > BATCH_BYTES_MAX {
            flush(&mut batch, &mut all)?;
            bytes = 0;
        }
        bytes += size;
        batch.push(entry.clone());
    }
    flush(&mut batch, &mut all)?;
    Ok(all)
}
