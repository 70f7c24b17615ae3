//! `tenure export`, `verify` and `rebuild`: work on the journal itself

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use tenure_core::known::KnownAt;
use tenure_core::outcome::Position;
use tenure_journal::{Journal, Reader};
use tenure_server::engine::{Progress, StartError, rebuild, verify};
use tenure_wire::question::{self, Question};

use crate::door::{Door, DoorArgs};
use crate::output::{bar, complain, say};

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
            // Who has closed standard output has read enough.
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
        let mut after: Option<String> = None;
        loop {
            let page = question::History { after, ..question::History::default() };
            let answer = door.ask(&Question::History(page))?;
            for row in answer.get("entries").and_then(|e| e.as_array()).into_iter().flatten() {
                serde_json::to_writer(&mut out, row)?;
                out.write_all(b"\n")?;
            }
            match answer.get("next_after") {
                Some(next) => after = Some(next.to_string()),
                None => break,
            }
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

/// Check every checksum of a data folder, decide every entry again and compare the outcomes
#[derive(Debug, Args)]
pub(crate) struct Verify {}

impl Verify {
    pub(crate) fn run(self, door: &DoorArgs) -> anyhow::Result<ExitCode> {
        let (ledger, seconds) =
            read(door, "verifying", |reader, progress| verify(reader, &mut |now| progress(now)))?;
        let entries = ledger.newest_position().map_or(0, Position::get);
        let levels = ledger.view(KnownAt(entries)).levels(tenure_server::ask::now()).len();
        say(&format!(
            "sound: {entries} entries, every checksum fits and every outcome is the one recorded; \
             {levels} levels now ({seconds:.1} s)"
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Fold the journal of a data folder again from its first entry
#[derive(Debug, Args)]
pub(crate) struct Rebuild {}

impl Rebuild {
    pub(crate) fn run(self, door: &DoorArgs) -> anyhow::Result<ExitCode> {
        let (ledger, seconds) =
            read(door, "rebuilding", |reader, progress| rebuild(reader, &mut |now| progress(now)))?;
        let entries = ledger.newest_position().map_or(0, Position::get);
        say(&format!("rebuilt from {entries} entries ({seconds:.1} s)"))?;
        complain(
            "the folded view lives in memory: every start builds it, so nothing was discarded",
        );
        Ok(ExitCode::SUCCESS)
    }
}

/// Reads the journal of a data folder, with a bar and the seconds that it took
fn read<T>(
    door: &DoorArgs,
    what: &'static str,
    how: impl FnOnce(&Reader, &mut dyn FnMut(Progress)) -> Result<T, StartError>,
) -> anyhow::Result<(T, f64)> {
    let journal = Journal::open(door.folder()?, None)?;
    let began = Instant::now();
    let bar = bar(what);
    let read = how(&journal.reader(), &mut |progress| {
        bar.set_length(progress.of);
        bar.set_position(progress.done);
    });
    bar.finish_and_clear();
    Ok((read?, began.elapsed().as_secs_f64()))
}
