//! `tenure demo`: a made-up company, and eleven questions that are worth asking of it

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use tenure_core::{Ledger, Position, Principal};
use tenure_demo::{Dispatch, demo, demo_questions};
use tenure_journal::Journal;
use tenure_log::Message;
use tenure_server::config::{Partial, Settings};
use tenure_server::engine::{Genesis, record};
use tenure_server::http::ListenAt;
use tenure_server::server::ServeError;
use tenure_wire::codec::{Format as WireFormat, decode_entry};
use tenure_wire::question::Texts;

use crate::door::{Door, DoorArgs};
use crate::output::{Format, bar, say};
use crate::questions;
use crate::serve;

const LEDGER: &str = "demo";
const FOLDER: &str = "tenure-demo";
/// Messages that are written with one flush
const MESSAGES_A_FLUSH: usize = 256;

/// Build a made-up company with three years of history (in `--data`, by default `tenure-demo`), and ask
/// eleven questions of it
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Keep serving it afterwards
    #[arg(long)]
    serve: bool,
    /// Address to serve at, with --serve [default: 127.0.0.1:7480]
    #[arg(long, value_name = "ADDRESS", requires = "serve")]
    listen: Option<ListenAt>,
    /// Serve also at an address that is not loopback: everybody who reaches it reads and writes the demo
    #[arg(long, requires = "serve")]
    allow_open: bool,
}

impl Demo {
    pub(crate) fn serves(&self) -> bool {
        self.serve
    }

    pub(crate) fn run(self, door: &DoorArgs) -> anyhow::Result<ExitCode> {
        let folder = door.data.clone().unwrap_or_else(|| PathBuf::from(FOLDER));
        let settings = Partial {
            data: Some(folder.clone()),
            listen: self.listen,
            allow_open: Some(self.allow_open),
            ..Partial::default()
        };
        // What is wrong is said before the work begins.
        let settings = Settings { accept_clock: door.accept_clock, ..settings.settle()? };
        if settings.must_be_enforced() {
            return Err(ServeError::Open(settings.listen).into());
        }
        let entries = build(&folder)?;
        say(&format!(
            "Acme, a company that was made up: {entries} entries from July 2023 to July 2026, in `{}`.",
            folder.display()
        ))?;
        let door = DoorArgs::folder_door(&folder, Genesis::BuiltIn, door.accept_clock)?;
        let asked = ask_all(&door, &folder);
        door.close();
        asked?;
        if self.serve {
            return serve::serve(settings);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes the history into a folder, unless it is there
fn build(folder: &Path) -> anyhow::Result<u64> {
    let history = demo(LEDGER).context("a built-in catalogue is wrong")?;
    let length: usize = history.iter().map(|dispatch| dispatch.entries.len()).sum();
    let mut journal = Journal::open(folder, Some(LEDGER))?;
    if let Some(newest) = journal.newest() {
        if newest.get() < length as u64 {
            bail!(
                "`{}` holds a demo that was not finished: remove it, then run this again",
                folder.display()
            );
        }
        return Ok(newest.get());
    }
    let mut ledger = Ledger::new(LEDGER);
    let bar = bar("writing three years");
    bar.set_length(history.len() as u64);
    for dispatches in history.chunks(MESSAGES_A_FLUSH) {
        let messages = dispatches.iter().map(message).collect::<anyhow::Result<_>>()?;
        record(&mut journal, &mut ledger, messages)?;
        bar.inc(dispatches.len() as u64);
    }
    bar.finish_and_clear();
    Ok(ledger.newest_position().map_or(0, Position::get))
}

fn message(dispatch: &Dispatch) -> anyhow::Result<Message> {
    let encoded = dispatch
        .entries
        .iter()
        .map(|entry| Ok(decode_entry(WireFormat::Json, &serde_json::to_vec(entry)?)?.into()));
    Ok(Message {
        stamped_at: dispatch.recorded_at,
        submitter: Principal::local(),
        caller: None,
        entries: encoded.collect::<anyhow::Result<_>>()?,
        origin: None,
        waiter: None,
    })
}

fn ask_all(door: &Door, folder: &Path) -> anyhow::Result<()> {
    for (n, demo) in demo_questions().into_iter().enumerate() {
        say(&format!("\n{}. {}", n + 1, demo.asked))?;
        let texts = demo.question;
        say(&format!("   $ {}\n", command(&texts, folder)))?;
        let name = texts.name;
        let answer = questions::whole(door, texts)?;
        questions::show(Format::Table, name, &answer)?;
        say(&format!("\n   {}", demo.see))?;
    }
    Ok(())
}

/// The command that asks a question of a data folder
fn command(texts: &Texts, folder: &Path) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "tenure".to_owned());
    let folder = folder.display().to_string();
    let mut words = vec![program, "--data".to_owned(), folder, texts.name.to_owned()];
    let parameters = &texts.parameters;
    // Most commands take the principal without a flag.
    let by_itself = match texts.name {
        "diff" | "assignments" | "principals" | "sources" => None,
        "members" => Some("set"),
        "entry" => Some("entry"),
        "search" => Some("q"),
        _ => Some("principal"),
    };
    words.extend(by_itself.and_then(|name| parameters.get(name)).map(str::to_owned));
    for (name, value) in parameters.iter().filter(|(name, _)| Some(*name) != by_itself) {
        match (name, value) {
            ("explain", "true" | "full") => words.push("--explain".to_owned()),
            ("explain", _) => {}
            _ => words.extend([format!("--{}", name.replace('_', "-")), value.to_owned()]),
        }
    }
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word as a shell takes it
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}
