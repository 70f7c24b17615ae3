//! `tenure republish`: give the stream back what it has lost

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use tenure_journal::Journal;
use tenure_log::nats::align::Comparison;
use tenure_log::nats::republish::{self, Plan};
use tenure_server::config::NatsPartial;

use crate::door::DoorArgs;
use crate::nats::NatsArgs;
use crate::output::{bar, complain, say};

/// Append the entries that a data folder has and the stream has lost; without `--yes` only list them
///
/// The data folder's server must be stopped. Entries are appended as their bytes stand in the journal, with the
/// times at which they were recorded, by a user that may publish on `tenure.<ledger>.log.republished`.
#[derive(Debug, Args)]
pub(crate) struct Republish {
    /// NATS servers: nats://host:4222,nats://other:4222
    #[arg(long, value_name = "URLS", env = "TENURE_LOG")]
    log: String,
    #[command(flatten)]
    nats: NatsArgs,
    /// Append the entries
    #[arg(long)]
    yes: bool,
    /// Append them although the stream went on with other entries: those from the data folder get new positions
    #[arg(long)]
    after_others: bool,
}

impl Republish {
    pub(crate) fn run(self, door: &DoorArgs) -> anyhow::Result<ExitCode> {
        let settings = NatsPartial::from(self.nats).settle(self.log)?;
        let journal = Journal::open(door.folder()?, None)?;
        let reader = journal.reader();
        let runtime = tokio::runtime::Runtime::new().context("the threads cannot be started")?;
        runtime.block_on(async {
            let plan = republish::plan(&settings, journal.ledger(), &reader).await?;
            for line in describe(&plan) {
                say(&line)?;
            }
            let Some(from) = plan.from else {
                return Ok(match plan.comparison {
                    Comparison::Same(_) => ExitCode::SUCCESS,
                    _ => ExitCode::from(1),
                });
            };
            let diverged = matches!(plan.comparison, Comparison::OtherContent { .. });
            if !self.yes {
                complain("nothing was done: with `--yes` it is");
                return Ok(ExitCode::from(1));
            }
            if diverged && !self.after_others {
                bail!(
                    "the stream went on with other entries: restore a better stream, or set this data folder \
                     aside and let it be built again from the stream as it is; `--after-others` appends its \
                     entries at the end all the same, at new positions, and every data folder has to be \
                     built again"
                );
            }
            let bar = bar("republishing");
            bar.set_length(plan.newest + 1 - from.get());
            let done = republish::republish(&plan, &reader, |done| bar.set_position(done)).await;
            bar.finish_and_clear();
            let done = done?;
            say(&format!("appended {done} entries to `{}`", plan.stream))?;
            Ok(ExitCode::SUCCESS)
        })
    }
}

fn describe(plan: &Plan) -> Vec<String> {
    let (stream, last, newest) = (&plan.stream, plan.last, plan.newest);
    let has = match last {
        Some(last) => format!("the stream `{stream}` ends with its message {last}"),
        None => format!("there is no stream `{stream}`"),
    };
    let has = format!("{has}; the data folder has {newest} positions");
    let then = match &plan.comparison {
        Comparison::Same(_) if newest == 0 => "there is nothing to append".to_owned(),
        Comparison::Same(_) => "the stream has all of them: there is nothing to append".to_owned(),
        Comparison::LostTail { common, newest } => format!(
            "both have the positions up to {common}: positions {} to {newest} are to be appended, as they \
             stand in the journal, with the times at which they were recorded",
            common + 1
        ),
        Comparison::OtherContent { position, sequence } => format!(
            "from position {position} on the stream (its message {sequence}) has something else: positions \
             {position} to {newest} of the data folder would get new positions at the end"
        ),
        Comparison::Missing { sequence } => format!(
            "the stream's message {sequence} is gone, and what follows it is there: restore the stream from a \
             backup that has it, or delete the stream and republish all of it"
        ),
    };
    vec![has, then]
}
