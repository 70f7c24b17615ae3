//! How are figures reported?
//!
//! Every command makes one [`Report`]: sections of named figures, and budgets that are met or missed. People read it
//! as text within 80 columns; programs read the same sections and names as JSON.

use std::io::Write as _;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::{Value, json};

use crate::machine;

/// How to show a report
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// How to show the report
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// For a person
    Table,
    /// For a document
    Markdown,
    /// For a program
    Json,
}

/// Named values: texts, counts, and figures that are null where nothing could be measured
pub(crate) type Row = Vec<(&'static str, Value)>;

/// A number with commas between its thousands
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A value for a person, a figure with as many digits as say something
fn shown(value: &Value) -> String {
    match (value, value.as_f64()) {
        (Value::String(text), _) => text.clone(),
        (Value::Number(count), _) if count.is_u64() => grouped(count.as_u64().unwrap_or_default()),
        #[expect(clippy::cast_possible_truncation, reason = "a figure is positive, and shown")]
        (_, Some(figure)) if figure >= 1_000.0 => grouped(figure.round() as u64),
        (_, Some(figure)) if figure >= 100.0 => format!("{figure:.0}"),
        (_, Some(figure)) => format!("{figure:.2}"),
        (_, None) => "-".to_owned(),
    }
}

/// A bound, and whether a figure keeps to it
#[derive(Clone, Debug, Serialize)]
struct Budget {
    what: String,
    figure: Option<f64>,
    unit: &'static str,
    relation: &'static str,
    bound: f64,
    met: bool,
}

#[derive(Clone, Debug)]
struct Section {
    name: &'static str,
    rows: Vec<Row>,
    /// Whether it has one row for each of several things
    is_table: bool,
}

/// All that one command measured
#[derive(Clone, Debug)]
pub(crate) struct Report {
    sections: Vec<Section>,
    budgets: Vec<Budget>,
}

impl Report {
    /// A report that tells of the machine, and of nothing else yet
    pub(crate) fn new() -> Self {
        let mut report = Self { sections: Vec::new(), budgets: Vec::new() };
        report.facts("machine", machine::described());
        report
    }

    /// Adds a section of figures about one thing
    pub(crate) fn facts(&mut self, name: &'static str, row: Row) {
        self.sections.push(Section { name, rows: vec![row], is_table: false });
    }

    /// Adds a section with a row for each thing; rows of one table have the same names
    pub(crate) fn table(&mut self, name: &'static str, rows: Vec<Row>) {
        self.sections.push(Section { name, rows, is_table: true });
    }

    /// Adds a budget for a figure that may be at most so much
    pub(crate) fn at_most(
        &mut self,
        what: impl Into<String>,
        figure: Option<f64>,
        bound: f64,
        unit: &'static str,
    ) {
        let (what, met) = (what.into(), figure.is_some_and(|figure| figure <= bound));
        self.budgets.push(Budget { what, figure, unit, relation: "<=", bound, met });
    }

    /// Adds a budget for a figure that is to be at least so much
    pub(crate) fn at_least(
        &mut self,
        what: impl Into<String>,
        figure: Option<f64>,
        bound: f64,
        unit: &'static str,
    ) {
        let (what, met) = (what.into(), figure.is_some_and(|figure| figure >= bound));
        self.budgets.push(Budget { what, figure, unit, relation: ">=", bound, met });
    }

    /// Writes the report to stdout
    pub(crate) fn print(&self, output: &Output) -> anyhow::Result<()> {
        let text = match output.format {
            Format::Table => self.text(Section::text),
            Format::Markdown => self.text(Section::markdown),
            Format::Json => format!("{:#}\n", self.json()),
        };
        match std::io::stdout().lock().write_all(text.as_bytes()) {
            // The reader has read enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => Ok(other?),
        }
    }

    fn text(&self, of: fn(&Section) -> String) -> String {
        let sections = self.sections.iter().map(|section| of(section) + "\n");
        let budgets = self.budgets.iter().map(|budget| {
            let Budget { what, figure, unit, relation, bound, met } = budget;
            let word = if *met { "met   " } else { "MISSED" };
            let (figure, bound) = (shown(&json!(figure)), shown(&json!(bound)));
            let bound = bound.trim_end_matches(".00");
            format!("{word} {what}: {figure} {unit} (budget {relation} {bound})\n")
        });
        sections.chain(budgets).collect()
    }

    fn json(&self) -> Value {
        let object = |row: &Row| -> Value {
            row.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
        };
        let sections = self.sections.iter().map(|Section { name, rows, is_table }| {
            let mut rows = rows.iter().map(object);
            let value = if *is_table { rows.collect() } else { rows.next().unwrap_or_default() };
            ((*name).to_owned(), value)
        });
        sections.chain([("budgets".to_owned(), json!(self.budgets))]).collect()
    }
}

impl Section {
    /// A table whose numbers are aligned to the right, or a list
    fn markdown(&self) -> String {
        let mut lines = vec![format!("{}:", self.name.replace('_', " ")), String::new()];
        if self.is_table {
            let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
            let head = || self.rows.first().into_iter().flatten();
            lines.push(line(head().map(|(name, _)| name.replace('_', " ")).collect()));
            let rule = |value: &Value| if value.is_string() { "---" } else { "---:" };
            lines.push(line(head().map(|(_, value)| rule(value).to_owned()).collect()));
            let rows = self.rows.iter().map(|row| row.iter().map(|(_, v)| shown(v)).collect());
            lines.extend(rows.map(line));
        } else {
            let facts = self.rows.iter().flatten();
            lines.extend(
                facts.map(|(name, v)| format!("- {}: {}", name.replace('_', " "), shown(v))),
            );
        }
        lines.join("\n") + "\n"
    }

    /// Numbers are aligned to the right, texts to the left
    fn text(&self) -> String {
        let mut lines: Vec<Vec<(String, bool)>> = Vec::new();
        if self.is_table {
            let head = self.rows.first().into_iter().flatten();
            lines
                .push(head.map(|(name, value)| ((*name).to_owned(), !value.is_string())).collect());
            let cells = |row: &Row| row.iter().map(|(_, v)| (shown(v), !v.is_string())).collect();
            lines.extend(self.rows.iter().map(cells));
        } else {
            let facts = self.rows.iter().flatten();
            lines.extend(
                facts.map(|(name, v)| vec![((*name).to_owned(), false), (shown(v), false)]),
            );
        }
        let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = lines.iter().filter_map(|line| line.get(column));
            cells.map(|(text, _)| text.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = self.name.replace('_', " ") + "\n";
        for line in &lines {
            let cells = line.iter().zip(&widths).map(|((text, is_number), width)| {
                if *is_number { format!("{text:>width$}") } else { format!("{text:<width$}") }
            });
            text.push_str(format!("  {}", cells.collect::<Vec<_>>().join("  ")).trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_aligned_and_the_json_has_the_same_names() {
        let mut report = Report { sections: Vec::new(), budgets: Vec::new() };
        report.facts("load", vec![("changes", 1_234_567.into()), ("seconds", 1.5.into())]);
        let row = |class: &str, p50: f64| vec![("class", class.into()), ("p50_us", p50.into())];
        report.table("asked", vec![row("who", 7.456), row("check-now", 1_200.0)]);
        report.at_most("who: p50", Some(7.456), 20.0, "us");
        report.at_least("check", None, 40_000.0, "answers/s");
        let text = "load\n  changes  1,234,567\n  seconds  1.50\n\n\
                    asked\n  class      p50_us\n  who          7.46\n  check-now   1,200\n\n\
                    met    who: p50: 7.46 us (budget <= 20)\n\
                    MISSED check: - answers/s (budget >= 40,000)\n";
        assert_eq!(report.text(Section::text), text);
        let markdown = "load:\n\n- changes: 1,234,567\n- seconds: 1.50\n\n\
                        asked:\n\n| class | p50 us |\n| --- | ---: |\n| who | 7.46 |\n\
                        | check-now | 1,200 |\n\n";
        assert!(report.text(Section::markdown).starts_with(markdown));
        let json = report.json();
        assert_eq!(json["load"]["changes"], 1_234_567);
        assert_eq!(json["asked"][1]["p50_us"], 1_200.0);
        assert_eq!(json["budgets"][1]["figure"], Value::Null);
        assert_eq!([0, 999, 1_000].map(grouped), ["0", "999", "1,000"]);
    }
}
