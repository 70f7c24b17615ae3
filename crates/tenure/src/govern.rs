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
        let (level, client) = own_level(door)?;
        let access = if self.open { "open" } else { "enforced" };
        let grant = |role: &str, to: &str| json!({ "type": "grant", "level": level, "role": role, "to": to });
        let administrator = self.administrator.iter();
        let administrator = administrator.map(|to| grant("tenure/Administrator", to));
        // In a stream the server speaks for its callers, and publishes the catalogues that it brings.
        let doors = client.iter().filter(|_| !self.open);
        let doors = doors.flat_map(|to| [grant("tenure/Door", to), grant("tenure/Submitter", to)]);
        let access = json!({ "type": "set_level", "level": level, "access": access });
        let changes = administrator.chain(doors).chain([access]).collect();
        let how = self.about.how;
        append(door, output, vec![self.about.entry(changes)?], how)
    }
}

/// The level of the ledger that a door leads to, and the client that its server is where the log is a stream
fn own_level(door: &DoorArgs) -> anyhow::Result<(String, Option<String>)> {
    let door = door.appending()?;
    let client = door.client_in_stream()?;
    let answer = door.ask(&Texts::named("levels").with("kind", "ledger"));
    door.close();
    let level = answer?.pointer("/levels/0/level").and_then(Value::as_str).map(str::to_owned);
    Ok((level.context("the ledger does not tell its own level")?, client))
}
