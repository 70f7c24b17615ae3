//! How is something shown?
//!
//! A table for a person, JSON or CSV for a program. Colour and progress only on a terminal; errors and
//! progress go to stderr, answers to stdout.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use clap::{Args, ValueEnum};
use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::look_alike::{csv_cell, visible};

/// How to show answers
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// How to show the answer
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t = Format::Table,
        help_heading = "Output"
    )]
    pub(crate) format: Format,
}

/// A format of answers
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Format {
    /// For a person
    Table,
    /// For a program: the JSON that every door answers
    Json,
    /// For a spreadsheet
    Csv,
}

/// Rows under a head
pub(crate) struct Rows {
    pub(crate) head: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Rows {
    pub(crate) fn new(head: &[&'static str]) -> Self {
        Self { head: head.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn push<const N: usize>(&mut self, row: [String; N]) {
        self.rows.push(row.into());
    }

    /// Without a column, if each of its cells has this text
    pub(crate) fn without(mut self, column: &str, text: &str) -> Self {
        if let Some(at) = self.head.iter().position(|name| *name == column)
            && self.rows.iter().all(|row| row.get(at).is_some_and(|cell| cell == text))
        {
            self.head.remove(at);
            self.rows.iter_mut().for_each(|row| drop(row.remove(at)));
        }
        self
    }

    /// Without the columns in which every cell is empty, if that is asked for
    pub(crate) fn without_empty(mut self, asked: bool) -> Self {
        if asked && !self.rows.is_empty() {
            for column in self.head.clone() {
                self = self.without(column, "");
            }
        }
        self
    }

    /// As a table that fits the terminal
    pub(crate) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(self.head.iter().map(|name| name.to_uppercase()));
        // What a name hides, or does to a terminal, is shown. A line of a cell is a thing of its own.
        let shown = |cell: &String| cell.lines().map(visible).collect::<Vec<_>>().join("\n");
        table.add_rows(self.rows.iter().map(|row| row.iter().map(shown)));
        table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn csv(&self) -> anyhow::Result<String> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&self.head)?;
        for row in &self.rows {
            writer.write_record(row.iter().map(|cell| csv_cell(cell)))?;
        }
        Ok(String::from_utf8(writer.into_inner().map_err(|e| e.into_error())?)?)
    }
}

/// Writes to stdout; a reader that closed it has read enough
pub(crate) fn say(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Writes to stderr
pub(crate) fn complain(text: &str) {
    // If stderr cannot be written there is nobody left to tell.
    let _unheard = writeln!(std::io::stderr().lock(), "{text}");
}

/// Paints a text if stdout is a terminal
pub(crate) fn painted(text: &str, yes: bool) -> String {
    let plain = !std::io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some();
    match (plain, yes) {
        (true, _) => text.to_owned(),
        (false, true) => format!("\u{1b}[1;32m{text}\u{1b}[0m"),
        (false, false) => format!("\u{1b}[1;31m{text}\u{1b}[0m"),
    }
}

/// A progress bar on a terminal, nothing elsewhere
pub(crate) fn bar(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} ({eta} left)");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(what);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
