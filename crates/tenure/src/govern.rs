//! `tenure govern`: who may read and write the ledger is decided by the ledger itself from now on

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};
use tenure_wire::question::Texts;

use crate::door::DoorArgs;
use crate::output::Output;
use crate::submit::{About, append};

/// Enforce access: from the next entry on, only who holds a role of `tenure` appends and reads
#[derive(Debug, Args)]
pub(crate) struct Govern {
    /// Who administers the ledger, such as user:sap.default/alice@acme.example: it gets tenure/Administrator
    #[arg(long, value_name = "WHO", required_unless_present = "open")]
    administrator: Option<String>,
    /// Open the ledger again: everybody who is let in appends and reads
    #[arg(long, conflicts_with = "administrator")]
    open: bool,
    #[command(flatten)]
    about: About,
}

impl Govern {
    pub(crate) fn run(self, door: &DoorArgs, output: &Output) -> anyhow::Result<ExitCode> {
        let level = own_level(door)?;
        let access = if self.open { "open" } else { "enforced" };
        let grant = self.administrator.map(|administrator| {
            json!({ "type": "grant", "level": level, "role": "tenure/Administrator", "to": administrator })
        });
        let access = json!({ "type": "set_level", "level": level, "access": access });
        let changes = grant.into_iter().chain([access]).collect();
        let how = self.about.how;
        append(door, output, vec![self.about.entry(changes)?], how)
    }
}

/// The level of the ledger that a door leads to
fn own_level(door: &DoorArgs) -> anyhow::Result<String> {
    let door = door.appending()?;
    if door.follows_stream()? {
        anyhow::bail!(
            "the log of this server is a NATS stream, where it cannot be told yet who sends an entry over HTTP: \
             access would shut everybody out"
        );
    }
    let answer = door.ask(&Texts::named("levels").with("kind", "ledger"));
    door.close();
    let level = answer?.pointer("/levels/0/level").and_then(Value::as_str).map(str::to_owned);
    level.context("the ledger does not tell its own level")
}
