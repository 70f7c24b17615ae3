//! What is reported, and which budgets are met?
//!
//! The JSON of these types is for programs: fields are added, never renamed or taken away.

use serde::Serialize;

use crate::landscape::{Counts, Plan};
use crate::machine::Machine;
use crate::question::Class;
use crate::times::Spread;

/// Changes at which the budgets are meant
pub const BUDGET_CHANGES: u64 = 10_000_000;

/// The report of one run
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    /// The program's version
    pub version: &'static str,
    /// Where it was measured
    pub machine: Machine,
    /// What was measured
    pub landscape: Landscape,
    /// Writing it
    pub load: Load,
    /// Its data folder
    pub disk: Disk,
    /// Starting on it
    pub start: Start,
    /// Asking it in process
    pub in_process: InProcess,
    /// Asking it, and appending, over HTTP on loopback
    pub http: Http,
    /// Appending in process, with a flush before each acknowledgement
    pub append: Vec<Appending>,
    /// Each budget
    pub budgets: Vec<Budget>,
}

/// A made-up landscape
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Landscape {
    /// Always true: sizes are assumed, as no figure of a customer's landscape is public
    pub assumption: bool,
    /// In words
    pub described: String,
    /// `s`, `m`, `l`, …
    pub size: &'static str,
    /// What it was made from
    pub seed: u64,
    /// Subaccounts at a time
    pub subaccounts: u32,
    /// People at a time
    pub people: u32,
    /// Holdings at a time, about
    pub holdings: u64,
    /// Changes
    pub changes: u64,
    /// Entries
    pub entries: u64,
    /// Entries that were recorded after they took effect
    pub late: u64,
    /// Entries that were recorded before they take effect
    pub scheduled: u64,
    /// Grants that end by themselves
    pub expiring: u64,
    /// Entries that are voids
    pub voids: u64,
    /// Entries that are refused or duplicates, on purpose
    pub refused_or_duplicate: u64,
}

impl Landscape {
    pub(crate) fn new(plan: &Plan, counts: &Counts) -> Self {
        Self {
            assumption: true,
            described: plan.shape.described(),
            size: plan.shape.size.as_str(),
            seed: plan.seed,
            subaccounts: plan.shape.subaccounts,
            people: plan.shape.people,
            holdings: plan.shape.live,
            changes: counts.changes,
            entries: counts.entries,
            late: counts.late,
            scheduled: counts.scheduled,
            expiring: counts.expiring,
            voids: counts.voids,
            refused_or_duplicate: counts.refused + counts.duplicates,
        }
    }
}

/// How it was written: made, encoded, decided and committed by one thread
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Load {
    /// In all
    pub seconds: f64,
    /// Of these, making it up
    pub making_seconds: f64,
    /// Of these, encoding and fingerprints
    pub encoding_seconds: f64,
    /// Of these, deciding and committing with a flush for each batch, as a server does
    pub recording_seconds: f64,
    /// Changes a second, making it up apart
    pub changes_per_second: f64,
    /// Changes a second that are made up
    pub made_per_second: f64,
}

/// The data folder
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Disk {
    /// Of all its files
    pub bytes: u64,
    /// A change
    pub bytes_a_change: f64,
}

/// A start on the data folder, in a process of its own
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Start {
    /// Until it could answer, from an index checkpoint
    pub seconds: f64,
    /// Of these, opening the journal
    pub opening_seconds: f64,
    /// Until it could answer without a checkpoint
    pub folded_seconds: f64,
    /// Bytes that the checkpoint takes
    pub checkpoint_bytes: u64,
    /// Changes a second, from the journal to what can be asked
    pub changes_per_second: f64,
    /// Memory that is resident then; null where the system does not say
    pub resident_bytes: Option<u64>,
    /// Of these, more than when the journal was open
    pub folded_bytes: Option<u64>,
    /// Names of principals and levels
    pub names: u64,
    /// An estimate of what these names take: their texts, and 96 bytes each for the tables that they are in
    pub names_bytes: u64,
    /// Folded bytes a change, names apart
    pub bytes_a_change: Option<f64>,
}

/// Asking in process, by one thread
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct InProcess {
    /// Each kind of question
    pub classes: Vec<Asked>,
    /// All kinds as a company would ask them: checks most of all
    pub mix: Spread,
    /// Answers a second in that mix
    pub mix_per_second: f64,
}

/// A kind of question
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Asked {
    /// Its name
    pub class: &'static str,
    /// In words
    pub described: &'static str,
    /// Rows of an answer, on average
    pub rows: f64,
    /// How long an answer took
    pub took: Spread,
    /// Answers a second
    pub per_second: f64,
}

/// Asking over HTTP, with the server and its clients on this machine
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Http {
    /// Connections that ask at once, each waiting for its answer
    pub connections: usize,
    /// One check a request
    pub check: HttpAsked,
    /// A hundred checks a request: the figures are of requests
    pub checks_by_hundred: HttpAsked,
    /// All kinds of questions as a company would ask them
    pub mix: HttpAsked,
    /// Each kind of question, asked by one connection
    pub classes: Vec<HttpClass>,
    /// Appending by `POST /v1/entries`
    pub append: Vec<Appending>,
}

/// Requests of one kind
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct HttpAsked {
    /// Answers a second
    pub per_second: f64,
    /// How long an answer took
    pub took: Spread,
    /// Answers that were none: another status than 200
    pub failed: u64,
}

/// A kind of question over HTTP
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct HttpClass {
    /// Its name
    pub class: &'static str,
    /// Its figures
    #[serde(flatten)]
    pub asked: HttpAsked,
}

/// Appending by so many clients that wait for each answer
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Appending {
    /// Clients
    pub clients: usize,
    /// Entries a request
    pub entries_a_request: usize,
    /// Entries a second that are on the disk
    pub entries_per_second: f64,
    /// How long a request took
    pub took: Spread,
}

/// A budget, and whether it was met
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Budget {
    /// What is limited
    pub what: String,
    /// The figure; null where it could not be measured
    pub figure: Option<f64>,
    /// Its unit
    pub unit: &'static str,
    /// `<=` or `>=`
    pub relation: &'static str,
    /// The bound
    pub bound: f64,
    /// Whether the figure keeps to the bound
    pub met: bool,
}

impl Budget {
    fn at_most(what: &str, figure: Option<f64>, bound: f64, unit: &'static str) -> Self {
        let met = figure.is_some_and(|figure| figure <= bound);
        Self { what: what.to_owned(), figure, unit, relation: "<=", bound, met }
    }

    fn at_least(what: &str, figure: Option<f64>, bound: f64, unit: &'static str) -> Self {
        let met = figure.is_some_and(|figure| figure >= bound);
        Self { what: what.to_owned(), figure, unit, relation: ">=", bound, met }
    }

    /// How cost grows with the length of history: at most twofold from a hundred thousand changes to ten
    /// million
    pub(crate) fn growth(class: Class, ratio: Option<f64>) -> Self {
        let what = format!("{class}: p50 at 10,000,000 changes over p50 at 100,000");
        Self::at_most(&what, ratio, 2.0, "times")
    }
}

impl Report {
    /// Compares the figures with the budgets
    pub(crate) fn judge(&mut self) {
        let class = |class: Class| {
            let asked = self.in_process.classes.iter().find(|asked| asked.class == class.as_str());
            asked.map(|asked| asked.took).unwrap_or_default()
        };
        let appended = |appended: &[Appending], clients: usize| {
            let by = |a: &&Appending| a.clients == clients && a.entries_a_request == 1;
            appended.iter().find(by).copied()
        };
        let now = class(Class::WhoNow);
        let known = class(Class::WhoKnown);
        let ratio = known.p99_us.zip(now.p99_us).map(|(known, now)| known / now);
        let durable = appended(&self.append, 64);
        let alone = appended(&self.append, 1);
        self.budgets = vec![
            Budget::at_most("who, one level: p50", now.p50_us, 20.0, "us"),
            Budget::at_most("who, one level: p99", now.p99_us, 200.0, "us"),
            Budget::at_most(
                "who, as known years back: p99 over the p99 of now",
                ratio,
                5.0,
                "times",
            ),
            Budget::at_most("who anywhere: p50", class(Class::WhoUnder).p50_us, 2_000.0, "us"),
            Budget::at_most("check, in process: p50", class(Class::CheckNow).p50_us, 2.0, "us"),
            Budget::at_least(
                "check, over HTTP",
                Some(self.http.check.per_second),
                40_000.0,
                "answers/s",
            ),
            Budget::at_least(
                "rebuild from the journal",
                Some(self.start.changes_per_second),
                1e6,
                "changes/s",
            ),
            Budget::at_most("start", Some(self.start.seconds), 3.0, "s"),
            Budget::at_most(
                "memory, names apart",
                self.start.bytes_a_change,
                40.0,
                "bytes a change",
            ),
            Budget::at_most("disk", Some(self.disk.bytes_a_change), 40.0, "bytes a change"),
            Budget::at_least(
                "durable append, 64 clients",
                durable.map(|appending| appending.entries_per_second),
                50_000.0,
                "entries/s",
            ),
            Budget::at_most(
                "durable append, one client: p50",
                alone.and_then(|appending| appending.took.p50_us),
                1_000.0,
                "us",
            ),
        ];
    }
}

/// Cost against the length of history
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Curve {
    /// The program's version
    pub version: &'static str,
    /// Where it was measured
    pub machine: Machine,
    /// Always true: sizes are assumed
    pub assumption: bool,
    /// The landscape, which is as big at every length
    pub described: String,
    /// What it was made from
    pub seed: u64,
    /// Each length
    pub points: Vec<Point>,
    /// What is limited
    pub budgets: Vec<Budget>,
}

/// One length of history
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Point {
    /// Changes
    pub changes: u64,
    /// Each kind of question
    pub classes: Vec<Asked>,
}

impl Curve {
    /// Compares the longest history with that of a hundred thousand changes
    pub(crate) fn judge(&mut self) {
        let at = |changes: u64, class: Class| {
            let point = self.points.iter().find(|point| point.changes == changes)?;
            point.classes.iter().find(|asked| asked.class == class.as_str())?.took.p50_us
        };
        let ratio = at(BUDGET_CHANGES, Class::WhoNow)
            .zip(at(100_000, Class::WhoNow))
            .map(|(long, short)| long / short);
        self.budgets = vec![Budget::growth(Class::WhoNow, ratio)];
    }
}
