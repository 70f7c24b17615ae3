//! Through which door does the command line ask?
//!
//! Over HTTP to a server, or by opening a data folder that no server holds. Both give the same JSON.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use serde_json::Value;
use tenure_core::DEFAULT_ORIGIN;
use tenure_journal::Journal;
use tenure_server::engine::{Checkpointing, Engine, Genesis, Options, Writer};
use tenure_server::hall::{Caller, Hall, Limits};
use tenure_server::metrics::Metrics;
use tenure_server::problem::of_texts;
use tenure_wire::api::{Appended, Problem};
use tenure_wire::codec;
use tenure_wire::question::{self, Texts};
use uuid::Uuid;

use crate::output::bar;
use crate::remote::{Remote, RemoteArgs};

/// Where to ask
#[derive(Debug, Args)]
pub(crate) struct DoorArgs {
    #[command(flatten)]
    remote: RemoteArgs,
    /// Open this data folder instead; no server may hold it (for `serve`: the folder to serve)
    #[arg(long, global = true, value_name = "DIR", help_heading = "Where to ask")]
    pub(crate) data: Option<PathBuf>,
    /// Believe this machine's clock, although it is years ahead of what the data folder and the program know: for
    /// one start, once you have looked at the clock
    #[arg(long, global = true, env = "TENURE_ACCEPT_CLOCK", help_heading = "Where to ask")]
    pub(crate) accept_clock: bool,
}

/// What a door answered instead of an answer
#[derive(Debug, thiserror::Error)]
#[error("{} ({})", .0.detail, .0.code)]
pub(crate) struct Refused(pub(crate) Problem);

/// Input that is wrong before anybody is asked
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Wrong(pub(crate) String);

/// The exit status of an error: 2 for wrong usage, 3 for what failed
pub(crate) fn exit_status(error: &anyhow::Error) -> u8 {
    // What an error is told in the context of is no cause of it.
    if error.downcast_ref::<Wrong>().is_some() {
        return 2;
    }
    error
        .chain()
        .find_map(|cause| {
            if cause.is::<Wrong>() {
                return Some(2);
            }
            cause.downcast_ref::<Refused>().map(Refused::exit_status)
        })
        .unwrap_or(3)
}

impl Refused {
    /// 2 for what is wrong with the question, 3 for what is wrong with the ledger
    fn exit_status(&self) -> u8 {
        if matches!(self.0.status, 400 | 404 | 405 | 413) { 2 } else { 3 }
    }
}

/// A door
pub(crate) enum Door {
    Remote(Box<Remote>),
    Local { hall: Box<Hall>, writer: Writer },
}

impl DoorArgs {
    /// Opens a door to read through
    pub(crate) fn reading(&self) -> anyhow::Result<Door> {
        self.open(Genesis::Manual)
    }

    /// Opens a door to append through
    pub(crate) fn appending(&self) -> anyhow::Result<Door> {
        self.open(Genesis::BuiltIn)
    }

    /// The data folder, for what works on one alone
    pub(crate) fn folder(&self) -> anyhow::Result<&Path> {
        match &self.data {
            Some(folder) if folder.join("tenure.json").exists() => Ok(folder),
            Some(folder) => bail!("`{}` is no data folder of a ledger", folder.display()),
            None => bail!("say which data folder: `--data DIR`"),
        }
    }

    fn open(&self, genesis: Genesis) -> anyhow::Result<Door> {
        let Some(folder) = &self.data else {
            return Ok(Door::Remote(Box::new(self.remote.open()?)));
        };
        if genesis == Genesis::Manual {
            self.folder()?;
        }
        Self::folder_door(folder, genesis, self.accept_clock)
    }

    /// Opens a data folder
    pub(crate) fn folder_door(
        folder: &Path,
        genesis: Genesis,
        accept_clock: bool,
    ) -> anyhow::Result<Door> {
        let journal = Journal::open(folder, None)?;
        let bar = bar("folding the journal");
        let options = Options { genesis, checkpoints: Checkpointing::Read, accept_clock };
        let metrics = Arc::new(Metrics::default());
        let started = Engine::start(journal, options, Arc::clone(&metrics), |progress| {
            bar.set_length(progress.of);
            bar.set_position(progress.done);
        });
        bar.finish_and_clear();
        let (engine, writer) = started?;
        let default_origin = std::env::var("TENURE_DEFAULT_ORIGIN");
        let default_origin = default_origin.unwrap_or_else(|_| DEFAULT_ORIGIN.to_owned());
        let hall = Hall::new(Limits::default(), &default_origin, metrics);
        hall.open(engine);
        Ok(Door::Local { hall: Box::new(hall), writer })
    }
}

impl Door {
    /// Asks a question and gives the JSON of its answer
    pub(crate) fn ask(&self, texts: &Texts) -> anyhow::Result<Value> {
        match self {
            Self::Remote(remote) => {
                let mut asked = format!("/v1/{}", path(texts.name));
                let mut parameters = texts.parameters.clone();
                if texts.name == "entry" {
                    let entry = texts.parameters.get("entry").unwrap_or_default();
                    asked.extend(form_urlencoded::byte_serialize(entry.as_bytes()));
                    parameters.remove("entry");
                }
                let query: String = form_urlencoded::Serializer::new(String::new())
                    .extend_pairs(parameters.iter())
                    .finish();
                if !query.is_empty() {
                    asked = format!("{asked}?{query}");
                }
                remote.get(&asked)
            }
            Self::Local { hall, .. } => {
                let Texts { name, parameters } = texts.clone();
                let asked = question::read(name, parameters, hall.default_origin())
                    .map_err(|error| Refused(of_texts(&error)))?;
                let answer = hall.ask_blocking(&Caller::local(), &asked).map_err(Refused)?;
                Ok(serde_json::to_value(answer)?)
            }
        }
    }

    /// The client that a server is in the NATS stream that is its log; a folder that is opened has its own log
    pub(crate) fn client_in_stream(&self) -> anyhow::Result<Option<String>> {
        let Self::Remote(remote) = self else { return Ok(None) };
        let ready = remote.get("/readyz")?;
        Ok(ready.pointer("/log/client").and_then(Value::as_str).map(str::to_owned))
    }

    /// Appends the entries of a body, as `POST /v1/entries` takes it
    pub(crate) fn append(&self, body: &Value) -> anyhow::Result<Appended> {
        self.hand_in(body, false)
    }

    /// Asks what would become of the entries of a body
    pub(crate) fn dry_run(&self, body: &Value) -> anyhow::Result<Appended> {
        self.hand_in(body, true)
    }

    fn hand_in(&self, body: &Value, dry_run: bool) -> anyhow::Result<Appended> {
        match self {
            Self::Remote(remote) => {
                let query = if dry_run { "?dry_run=true" } else { "" };
                let appended = remote.post(&format!("/v1/entries{query}"), body)?;
                Ok(serde_json::from_value(appended)?)
            }
            Self::Local { hall, .. } => {
                let drafts = match body.get("entries").and_then(Value::as_array) {
                    Some(list) => list.iter().collect(),
                    None => vec![body],
                };
                let alone = drafts.len() == 1;
                let decode = |(n, draft)| {
                    codec::decode_draft(draft, hall.default_origin(), Uuid::now_v7).map_err(
                        |error| {
                            let place =
                                |error: codec::Malformed| error.within(&format!("entries[{n}]"));
                            Wrong(if alone { error } else { place(error) }.to_string())
                        },
                    )
                };
                let entries =
                    drafts.into_iter().enumerate().map(decode).collect::<Result<Vec<_>, _>>()?;
                let caller = Caller::local();
                let appended = match dry_run {
                    true => hall.dry_run_blocking(&caller, entries),
                    false => hall.append_blocking(&caller, entries),
                };
                Ok(appended.map_err(Refused)?)
            }
        }
    }

    /// Closes it: what was appended is on the disk
    pub(crate) fn close(self) {
        if let Self::Local { hall, writer } = self {
            drop(hall);
            writer.join();
        }
    }
}

/// The path of a question over HTTP
fn path(question: &'static str) -> &'static str {
    match question {
        "history" => "entries",
        "entry" => "entries/",
        name => name,
    }
}
