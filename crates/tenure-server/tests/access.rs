//! Who may do what: every kind of question and append, with every state that a caller can be in
//!
//! `access.txt` is the table, for an auditor to read. What stands in it is what the hall decides, on the way
//! that each door takes. `TENURE_UPDATE=1 cargo test -p tenure-server --test access` writes the file anew.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

use std::fs;
use std::sync::Arc;

use serde_json::Value;
use tenure_core::Question;
use tenure_server::hall::{Action, Authentication, Caller, Hall, Limits};
use tenure_server::metrics::Metrics;
use tenure_wire::codec::{self, Encoded, Format};
use tenure_wire::question::{self, KINDS, Texts};

const ORIGIN: &str = "sap.default";
const DEV: &str = "subaccount:dev";
const ALICE: &str = "user:sap.default/alice@acme.example";

/// Every state that a caller can be in, with the word that stands above its column
fn callers() -> Vec<(&'static str, Caller)> {
    let callers = vec![("anonymous", Caller::anonymous()), ("local", Caller::local())];
    for (_, caller) in &callers {
        // A way to be authenticated that comes later does not compile here without its column.
        match caller.authentication() {
            Authentication::Nothing | Authentication::OwnFolder => {}
        }
    }
    callers
}

/// A question of each kind, and of each form that its kind has
fn questions() -> Vec<(&'static str, Question)> {
    let texts = [
        ("who on a level", Texts::named("who").with("can", "accounts.read").with("on", DEV)),
        ("who under a level", Texts::named("who").with("can", "accounts.read").with("under", DEV)),
        (
            "who during a stretch",
            Texts::named("who")
                .with("can", "accounts.read")
                .with("on", DEV)
                .with("from", "2026-01-01"),
        ),
        (
            "who under a level during a stretch",
            Texts::named("who")
                .with("can", "accounts.read")
                .with("under", DEV)
                .with("from", "2026-01-01"),
        ),
        ("what", Texts::named("what").with("principal", ALICE).with("on", DEV)),
        (
            "check",
            Texts::named("check")
                .with("principal", ALICE)
                .with("can", "accounts.read")
                .with("on", DEV),
        ),
        (
            "timeline",
            Texts::named("timeline")
                .with("principal", ALICE)
                .with("can", "accounts.read")
                .with("on", DEV),
        ),
        (
            "where",
            Texts::named("where")
                .with("principal", ALICE)
                .with("can", "accounts.read")
                .with("under", DEV),
        ),
        ("diff", Texts::named("diff").with("from", "2026-01-01")),
        ("diff under a level", Texts::named("diff").with("from", "2026-01-01").with("under", DEV)),
        ("diff of a principal", Texts::named("diff").with("principal", ALICE)),
        (
            "diff of a power on a level",
            Texts::named("diff")
                .with("can", "accounts.read")
                .with("on", DEV)
                .with("from", "2026-01-01"),
        ),
        (
            "diff of a power under a level",
            Texts::named("diff")
                .with("can", "accounts.read")
                .with("under", DEV)
                .with("from", "2026-01-01"),
        ),
        ("assignments of a level", Texts::named("assignments").with("on", DEV)),
        ("assignments of a principal", Texts::named("assignments").with("principal", ALICE)),
        (
            "assignments of a role collection",
            Texts::named("assignments").with("role_collection", "Subaccount Viewer"),
        ),
        ("holdings", Texts::named("holdings").with("principal", ALICE)),
        ("members", Texts::named("members").with("set", "group:sap.default/developers")),
        ("principals", Texts::named("principals")),
        ("search", Texts::named("search").with("q", "viewer")),
        ("levels", Texts::named("levels")),
        ("levels under a level", Texts::named("levels").with("under", DEV)),
        ("role-collections", Texts::named("role-collections").with("on", DEV)),
        ("catalog", Texts::named("catalog")),
        ("history", Texts::named("history")),
        ("history of a level", Texts::named("history").with("level", DEV)),
        ("history of a principal", Texts::named("history").with("principal", ALICE)),
        ("entry", Texts::named("entry").with("entry", "1")),
    ];
    for kind in KINDS {
        assert!(texts.iter().any(|(_, texts)| texts.name == kind.name), "{} has no row", kind.name);
    }
    let read =
        |texts: Texts| question::read(texts.name, texts.parameters, ORIGIN).unwrap().question;
    texts.into_iter().map(|(row, texts)| (row, read(texts))).collect()
}

/// The types of changes that an entry may have
fn types_of_changes() -> Vec<String> {
    let schema: Value =
        serde_json::from_str(include_str!("../../../schemas/entry.schema.json")).unwrap();
    let types = schema["$defs"]["Change"]["oneOf"].as_array().unwrap();
    let types =
        types.iter().map(|one| one["properties"]["type"]["const"].as_str().unwrap().to_owned());
    types.collect()
}

/// The golden entry with one change of a type
fn entry(change: &str) -> Encoded {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/golden/v1");
    let bytes = fs::read(format!("{path}/{change}.json")).unwrap();
    codec::decode_entry(Format::Json, &bytes).unwrap()
}

/// What the hall decides of each action, a column a caller
struct Table {
    hall: Hall,
    callers: Vec<(&'static str, Caller)>,
    text: String,
}

impl Table {
    fn line(&mut self, name: &str, cells: impl Iterator<Item = String>) {
        let cells: String = cells.map(|cell| format!("  {cell:<10}")).collect();
        self.text.push_str(format!("{name:<40}{cells}").trim_end());
        self.text.push('\n');
    }

    fn row(&mut self, name: &str, action: Action<'_>) {
        let decide = |(_, caller): &(_, Caller)| match self.hall.decide(caller, action) {
            Ok(grounds) => grounds.to_string(),
            Err(problem) => problem.code,
        };
        let cells: Vec<String> = self.callers.iter().map(decide).collect();
        self.line(name, cells.into_iter());
    }
}

#[test]
fn the_table_of_who_may_do_what_has_not_drifted() {
    let hall = Hall::new(Limits::default(), ORIGIN, Arc::new(Metrics::default()));
    let mut table = Table { hall, callers: callers(), text: String::new() };
    let heads: Vec<String> = table.callers.iter().map(|(head, _)| (*head).to_owned()).collect();
    table.line("", heads.into_iter());
    for (row, question) in questions() {
        table.row(row, Action::Ask(&question));
    }
    table.row("changes", Action::Follow);
    for change in types_of_changes() {
        table.row(&format!("append {change}"), Action::Append(&[entry(&change)]));
    }

    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/access.txt");
    if std::env::var_os("TENURE_UPDATE").is_some() {
        fs::write(path, &table.text).unwrap();
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert!(found == table.text, "{path} does not say what the hall decides:\n{}", table.text);
}
