//! `tenure export`, `verify` and `rebuild`: work on the journal itself

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use tenure_core::{KnownAt, Position, View};
use tenure_journal::{IndexCheckpoints, Journal, Reader};
use tenure_server::engine::{
    Progress, StartError, compare_checkpoint, rebuild, verify, write_checkpoint,
};
use tenure_wire::question::Texts;

use crate::door::{Door, DoorArgs};
use crate::output::{bar, say};

/// Write the log as JSON, one entry a line with what became of it
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The file to write [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Export {
    pub(crate) fn run(self, door: &DoorArgs) -> anyhow::Result<ExitCode> {
        let door = door.reading()?;
        let written = self.write(&door);
        door.close();
        match written {
            // A reader that closed standard output has read enough.
            Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
            written => written.map(|()| ExitCode::SUCCESS),
        }
    }

    fn write(&self, door: &Door) -> anyhow::Result<()> {
        let mut out: Box<dyn Write> = match &self.output {
            Some(path) => Box::new(
                std::fs::File::create(path)
                    .with_context(|| format!("`{}` cannot be written", path.display()))?,
            ),
            None => Box::new(std::io::stdout().lock()),
        };
        let mut out = std::io::BufWriter::new(&mut out);
        let mut texts = Texts::named("history");
        loop {
            let answer = door.ask(&texts)?;
            for row in answer.get("entries").and_then(|e| e.as_array()).into_iter().flatten() {
                serde_json::to_writer(&mut out, row)?;
                out.write_all(b"\n")?;
            }
            match answer.get("next_after") {
                Some(next) => texts.parameters.set("after", next.to_string()),
                None => break,
            };
        }
        out.flush()?;
        Ok(())
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        let json =
            cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        io.or(json) == Some(std::io::ErrorKind::BrokenPipe)
    })
}

/// Check every checksum of a data folder, decide every entry again and compare the outcomes; compare the
/// index checkpoint with what was decided
#[derive(Debug, Args)]
pub(crate) struct Verify {}

impl Verify {
    pub(crate) fn run(self, door: &DoorArgs) -> anyhow::Result<ExitCode> {
        let journal = Journal::open(door.folder()?, None)?;
        let (ledger, seconds) = read(&journal, "verifying", |reader, progress| {
            verify(journal.ledger(), reader, &mut |now| progress(now))
        })?;
        let entries = ledger.newest_position().map_or(0, Position::get);
        let levels = View::of(&ledger, KnownAt(entries)).levels(tenure_server::ask::now()).len();
        say(&format!(
            "sound: {entries} entries, every checksum fits and every outcome is the one recorded; \
             {levels} levels now ({seconds:.1} s)"
        ))?;
        match compare_checkpoint(&IndexCheckpoints::of(&journal), &ledger)? {
            Some(compared) => say(&format!(
                "the index checkpoint of position {} and the entries beyond it answer the same at {} \
                 coordinates",
                compared.position, compared.coordinates
            ))?,
            None => say("there is no index checkpoint")?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Discard the index checkpoints of a data folder, fold its journal again from the first entry and write a
/// new checkpoint
#[derive(Debug, Args)]
pub(crate) struct Rebuild {}

impl Rebuild {
    pub(crate) fn run(self, door: &DoorArgs) -> anyhow::Result<ExitCode> {
        let journal = Journal::open(door.folder()?, None)?;
        let checkpoints = IndexCheckpoints::of(&journal);
        let discarded =
            checkpoints.discard_all().context("the index checkpoints cannot be discarded")?;
        let (ledger, seconds) = read(&journal, "rebuilding", |reader, progress| {
            rebuild(journal.ledger(), reader, &mut |now| progress(now))
        })?;
        let entries = ledger.newest_position().map_or(0, Position::get);
        say(&format!(
            "rebuilt from {entries} entries ({seconds:.1} s); {discarded} index checkpoints discarded"
        ))?;
        if entries > 0 {
            let written = write_checkpoint(&checkpoints, &ledger).context(
                "the new index checkpoint cannot be written: the next start folds the journal",
            )?;
            say(&format!(
                "an index checkpoint is written: {} bytes ({:.1} s)",
                written.stored_bytes,
                written.took_ms as f64 / 1_000.0
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Reads a journal, with a bar and the seconds that it took
fn read<T>(
    journal: &Journal,
    what: &'static str,
    how: impl FnOnce(&Reader, &mut dyn FnMut(Progress)) -> Result<T, StartError>,
) -> anyhow::Result<(T, f64)> {
    let began = Instant::now();
    let bar = bar(what);
    let read = how(&journal.reader(), &mut |progress| {
        bar.set_length(progress.of);
        bar.set_position(progress.done);
    });
    bar.finish_and_clear();
    Ok((read?, began.elapsed().as_secs_f64()))
}
