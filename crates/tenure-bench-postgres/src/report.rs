//! What is the outcome?
//!
//! One table a comparison, each budget with met or missed, and the same as JSON.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use tenure_bench::landscape::{Counts, Plan};
use tenure_bench::question::Class;

use crate::history::{CLASSES, Drawn};
use crate::measure::{ByClass, EndToEnd, InServer};
use crate::question::Answer;
use crate::tables::Tables;

/// Engine against engine, on one level
const ONE_LEVEL_RATIO_MIN: f64 = 10.0;
/// Engine against engine, on the whole landscape
const LANDSCAPE_RATIO_MIN: f64 = 100.0;

/// All that was measured
#[derive(Debug)]
pub(crate) struct Report {
    plan: Plan,
    counts: Counts,
    rows: Vec<(&'static str, usize)>,
    tabled: Duration,
    answers: BTreeMap<Class, (usize, f64)>,
    pub(crate) ledger: ByClass,
    pub(crate) sqlite: ByClass,
    pub(crate) sqlite_load: Duration,
    pub(crate) replay: ByClass,
    pub(crate) postgres: Option<InServer>,
    pub(crate) postgres_version: String,
    pub(crate) postgres_settings: Vec<String>,
    pub(crate) postgres_load: Vec<(&'static str, Duration)>,
    pub(crate) postgres_clients: BTreeMap<Class, EndToEnd>,
    pub(crate) http_clients: BTreeMap<Class, EndToEnd>,
}

/// The ratio that a class is to have, engine against engine
fn budget(class: Class) -> f64 {
    match class {
        Class::WhoUnder | Class::WhoUnderWide => LANDSCAPE_RATIO_MIN,
        _ => ONE_LEVEL_RATIO_MIN,
    }
}

fn met(is: bool) -> &'static str {
    if is { "met" } else { "MISSED" }
}

/// A time in the unit that suits it
fn shown(micros: f64) -> String {
    match micros {
        _ if micros < 100.0 => format!("{micros:.1} µs"),
        _ if micros < 1_000.0 => format!("{micros:.0} µs"),
        _ if micros < 100_000.0 => format!("{:.1} ms", micros / 1_000.0),
        _ if micros < 1e6 => format!("{:.0} ms", micros / 1_000.0),
        _ => format!("{:.1} s", micros / 1e6),
    }
}

fn ratio(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.1}x") } else { format!("{ratio:.0}x") }
}

impl Report {
    pub(crate) fn new(plan: &Plan, counts: Counts, tables: &Tables, tabled: Duration) -> Self {
        let rows = vec![
            ("holding", tables.holdings.len()),
            ("membership", tables.memberships.len()),
            ("lies_in", tables.lies_in.len()),
            ("custom_gives", tables.custom_gives.len()),
            ("requires", tables.requires.len()),
            ("gives", tables.gives.len()),
            ("known_user", tables.known_users.len()),
        ];
        Self {
            plan: plan.clone(),
            counts,
            rows,
            tabled,
            answers: BTreeMap::new(),
            ledger: ByClass::new(),
            sqlite: ByClass::new(),
            sqlite_load: Duration::ZERO,
            replay: ByClass::new(),
            postgres: None,
            postgres_version: String::new(),
            postgres_settings: Vec::new(),
            postgres_load: Vec::new(),
            postgres_clients: BTreeMap::new(),
            http_clients: BTreeMap::new(),
        }
    }

    /// How many rows the answers of each class have
    pub(crate) fn rows(&mut self, questions: &[Drawn], answers: &[Answer]) {
        for class in CLASSES {
            let of = questions.iter().zip(answers).filter(|(one, _)| one.class == *class);
            let rows: Vec<usize> = of.map(|(_, answer)| answer.len()).collect();
            if !rows.is_empty() {
                let mean = rows.iter().sum::<usize>() as f64 / rows.len() as f64;
                self.answers.insert(*class, (rows.len(), mean));
            }
        }
    }

    /// Writes tables to stdout
    ///
    /// # Errors
    /// An output that cannot be written.
    pub(crate) fn print(&self) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        let (changes, seed) = (self.counts.changes, self.plan.seed);
        writeln!(
            out,
            "History: {changes} changes in {} entries, seed {seed};",
            self.counts.entries
        )?;
        let shape = &self.plan.shape;
        writeln!(
            out,
            "{} subaccounts, {} people, {} holdings at a time (assumed sizes).",
            shape.subaccounts, shape.people, shape.live
        )?;
        let rows: Vec<String> =
            self.rows.iter().map(|(table, rows)| format!("{table} {rows}")).collect();
        writeln!(out, "Rows: {}; made in {:.1?}.", rows.join(", "), self.tabled)?;
        writeln!(
            out,
            "PostgreSQL {}: {}.",
            self.postgres_version,
            self.postgres_settings.join(" ")
        )?;
        let loads: Vec<String> =
            self.postgres_load.iter().map(|(name, took)| format!("{name} {took:.1?}")).collect();
        writeln!(out, "Loaded: {}; SQLite {:.1?}.", loads.join(", "), self.sqlite_load)?;
        writeln!(out, "Every answer of every engine is the ledger's.\n")?;
        writeln!(
            out,
            "Engine against engine, p50 (p90) over the questions, the shortest run of each"
        )?;
        writeln!(out, "{}\n", self.engines())?;
        writeln!(out, "PostgreSQL's layouts, p50")?;
        writeln!(out, "{}\n", self.layouts())?;
        writeln!(out, "End to end, each over its own client")?;
        writeln!(out, "{}", self.clients())?;
        Ok(())
    }

    fn classes(&self) -> impl Iterator<Item = (Class, usize, f64)> {
        let of = |class: &Class| self.answers.get(class).map(|(n, rows)| (*class, *n, *rows));
        CLASSES.iter().filter_map(of)
    }

    fn engines(&self) -> comfy_table::Table {
        let mut table = table(&[
            "class",
            "questions",
            "rows",
            "ledger",
            "PostgreSQL",
            "layout",
            "ratio",
            "budget",
            "SQLite",
            "replay",
        ]);
        for (class, questions, rows) in self.classes() {
            let best = self.postgres.as_ref().and_then(|all| all.best(class));
            let (Some(ours), Some((layout, theirs))) = (self.ledger.get(&class), best) else {
                continue;
            };
            let times = theirs.p50 / ours.p50;
            let other = |all: &ByClass| match all.get(&class) {
                Some(one) => {
                    format!("{} ({})", shown(one.p50), ratio(one.p50 / ours.p50))
                }
                None => "-".to_owned(),
            };
            table.add_row([
                class.to_string(),
                questions.to_string(),
                format!("{rows:.0}"),
                format!("{} ({})", shown(ours.p50), shown(ours.p90)),
                format!("{} ({})", shown(theirs.p50), shown(theirs.p90)),
                layout.name.to_owned(),
                ratio(times),
                format!(">= {:.0}x {}", budget(class), met(times >= budget(class))),
                other(&self.sqlite),
                other(&self.replay),
            ]);
        }
        table
    }

    fn layouts(&self) -> comfy_table::Table {
        let all = self.postgres.iter().flat_map(|all| &all.by_layout);
        let all: Vec<_> = all.collect();
        let mut head = vec!["class"];
        head.extend(all.iter().map(|(layout, _)| layout.name));
        let mut table = table(&head);
        for (class, _, _) in self.classes() {
            let times = all.iter().map(|(_, times)| {
                times.get(&class).map_or_else(String::new, |times| shown(times.p50))
            });
            table.add_row([class.to_string()].into_iter().chain(times));
        }
        table
    }

    fn clients(&self) -> comfy_table::Table {
        let mut table = table(&[
            "class",
            "HTTP p50 (p90)",
            "PostgreSQL p50 (p90)",
            "ratio",
            "HTTP answers/s",
            "PostgreSQL answers/s",
            "ratio",
            "never slower",
        ]);
        for (class, _, _) in self.classes() {
            let both = (self.http_clients.get(&class), self.postgres_clients.get(&class));
            let (Some(ours), Some(theirs)) = both else { continue };
            let latency = theirs.one.p50 / ours.one.p50;
            let rate = ours.several_per_second / theirs.several_per_second;
            table.add_row([
                class.to_string(),
                format!("{} ({})", shown(ours.one.p50), shown(ours.one.p90)),
                format!("{} ({})", shown(theirs.one.p50), shown(theirs.one.p90)),
                ratio(latency),
                format!("{:.0}", ours.several_per_second),
                format!("{:.0}", theirs.several_per_second),
                ratio(rate),
                met(latency >= 1.0 && rate >= 1.0).to_owned(),
            ]);
        }
        table
    }

    /// Writes one JSON object to stdout
    ///
    /// # Errors
    /// An output that cannot be written.
    pub(crate) fn print_json(&self) -> anyhow::Result<()> {
        let classes: Vec<Value> = self.classes().map(|of| self.class_json(of)).collect();
        let seconds = |took: &Duration| took.as_secs_f64();
        let shape = &self.plan.shape;
        let document = json!({
            "changes": self.counts.changes,
            "entries": self.counts.entries,
            "seed": self.plan.seed,
            "subaccounts": shape.subaccounts,
            "people": shape.people,
            "live_holdings": shape.live,
            "rows": self.rows.iter().copied().collect::<BTreeMap<_, _>>(),
            "tables_made_seconds": seconds(&self.tabled),
            "postgres": {
                "version": self.postgres_version,
                "settings": self.postgres_settings,
                "load_seconds": self.postgres_load.iter()
                    .map(|(name, took)| (*name, seconds(took))).collect::<BTreeMap<_, _>>(),
            },
            "sqlite": { "load_seconds": seconds(&self.sqlite_load) },
            "classes": classes,
        });
        let mut out = std::io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, &document)?;
        writeln!(out)?;
        Ok(())
    }

    fn class_json(&self, (class, questions, rows): (Class, usize, f64)) -> Value {
        let best = self.postgres.as_ref().and_then(|all| all.best(class));
        let layouts = self.postgres.iter().flat_map(|all| &all.by_layout);
        let layouts: BTreeMap<&str, Option<&crate::measure::Times>> =
            layouts.map(|(layout, times)| (layout.name, times.get(&class))).collect();
        let ours = self.ledger.get(&class);
        let times = best.zip(ours).map(|((_, theirs), ours)| theirs.p50 / ours.p50);
        let (http, postgres) = (self.http_clients.get(&class), self.postgres_clients.get(&class));
        let never_slower = http.zip(postgres).map(|(ours, theirs)| {
            theirs.one.p50 >= ours.one.p50 && ours.several_per_second >= theirs.several_per_second
        });
        json!({
            "class": class.as_str(),
            "questions": questions,
            "rows_mean": rows,
            "micros": {
                "ledger": ours,
                "postgres": layouts,
                "sqlite": self.sqlite.get(&class),
                "replay": self.replay.get(&class),
            },
            "postgres_layout": best.map(|(layout, _)| layout.name),
            "engine_ratio": times,
            "engine_budget": budget(class),
            "engine_met": times.map(|times| times >= budget(class)),
            "end_to_end": { "http_micros": http, "postgres_micros": postgres },
            "end_to_end_met": never_slower,
        })
    }
}

fn table(head: &[&str]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header(head);
    table
}
