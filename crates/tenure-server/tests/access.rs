//! Who may do what: every kind of question and append, with every state that a caller can be in
//!
//! `access.txt` is the table, for an auditor to read. What stands in it is what the hall decides of questions, on the way
//! that each door takes, and what the fold decides of entries. `auditor at`, `submit at` and `admin at` hold a role of
//! `tenure` at the level that is asked about, `admin` and `door` at the ledger. `TENURE_UPDATE=1 cargo test -p tenure-server --test access` writes the file anew.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tenure_core::{Principal, Question};
use tenure_journal::Journal;
use tenure_server::engine::{Checkpointing, Engine, Genesis, Options};
use tenure_server::hall::{Action, Authentication, Caller, Hall, Limits};
use tenure_server::metrics::Metrics;
use tenure_wire::codec::{self, Encoded, Format};
use tenure_wire::question::{self, KINDS, Texts};
use uuid::Uuid;

const ORIGIN: &str = "sap.default";
const LEDGER: &str = "ledger:acme";
const DEV: &str = "subaccount:dev";
const ALICE: &str = "user:sap.default/alice@acme.example";

/// A state that a caller can be in: the word that stands above its column, who it is, and what it holds where
type State = (&'static str, &'static str, Option<(&'static str, &'static str)>);

/// Every state that a caller can be in
///
/// Each but the first and the last is known by a token; a certificate or a user id gives no other rights.
const STATES: [State; 8] = [
    ("nobody", "client:tenure/anonymous", None),
    ("self", ALICE, None),
    ("auditor at", "user:corp/auditor", Some((DEV, "tenure/Auditor"))),
    ("submit at", "client:corp/submitter", Some((DEV, "tenure/Submitter"))),
    ("admin at", "user:corp/admin", Some((DEV, "tenure/Administrator"))),
    ("admin", "user:corp/root", Some((LEDGER, "tenure/Administrator"))),
    ("door", "client:corp/door", Some((LEDGER, "tenure/Door"))),
    ("local", "client:tenure/local", None),
];

fn callers() -> Vec<(&'static str, Caller)> {
    let caller = |(head, principal, _): State| {
        let caller = match head {
            "nobody" => Caller::anonymous(),
            "local" => Caller::local(),
            _ => Caller::of_token(Principal::parse(principal).unwrap()),
        };
        // A way to be authenticated that comes later does not compile here without its column.
        match caller.authentication() {
            Authentication::Nothing
            | Authentication::Token
            | Authentication::SignedToken
            | Authentication::Session
            | Authentication::Certificate
            | Authentication::Peer
            | Authentication::OwnFolder => {}
        }
        (head, caller)
    };
    STATES.into_iter().map(caller).collect()
}

/// The entries that make a landscape, give each state what it holds, and enforce access
fn entries() -> [Value; 2] {
    let change = |(_, to, held): State| {
        let (level, role) = held?;
        Some(json!({ "type": "grant", "level": level, "role": role, "to": to }))
    };
    let landscape = json!([
        { "type": "create_level", "level": "global-account:acme" },
        { "type": "create_level", "level": "directory:d", "parent": "global-account:acme" },
        { "type": "create_level", "level": DEV, "parent": "global-account:acme" },
    ]);
    let mut changes: Vec<Value> = STATES.into_iter().filter_map(change).collect();
    changes.push(json!({ "type": "set_level", "level": LEDGER, "access": "enforced" }));
    let entry = |changes: Value| json!({ "actor": ALICE, "changes": changes });
    [entry(landscape), entry(changes.into())]
}

fn open_hall(folder: &Path) -> Hall {
    let journal = Journal::open(folder, Some("acme")).unwrap();
    let options =
        Options { genesis: Genesis::Manual, checkpoints: Checkpointing::Off, accept_clock: false };
    let metrics = Arc::new(Metrics::default());
    let (engine, _) = Engine::start(journal, options, Arc::clone(&metrics), |_| ()).unwrap();
    let hall = Hall::new(Limits::default(), ORIGIN, metrics);
    hall.open(engine);
    hall
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
        ("sources", Texts::named("sources")),
        ("sources of a level", Texts::named("sources").with("on", DEV)),
        ("sources under a level", Texts::named("sources").with("under", DEV)),
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

/// What is decided of each action, a column a caller
struct Table {
    hall: Hall,
    callers: Vec<(&'static str, Caller)>,
    text: String,
}

impl Table {
    fn line(&mut self, name: &str, cells: impl Iterator<Item = String>) {
        let cells: String = cells.map(|cell| format!("  {cell:<10}")).collect();
        self.text.push_str(format!("{name:<36}{cells}").trim_end());
        self.text.push('\n');
    }

    fn head(&mut self, title: &str) {
        let heads: Vec<String> = self.callers.iter().map(|(head, _)| (*head).to_owned()).collect();
        self.line(title, heads.into_iter());
    }

    /// What the hall decides, on the way that each door takes
    fn row(&mut self, name: &str, action: Action<'_>) {
        let decide = |(_, caller): &(_, Caller)| match self.hall.decide(caller, action) {
            Ok(grounds) => grounds.to_string(),
            Err(problem) => problem.code,
        };
        let cells: Vec<String> = self.callers.iter().map(decide).collect();
        self.line(name, cells.into_iter());
    }

    /// What the fold decides of an entry
    fn append(&mut self, name: &str, entry: &Encoded) {
        let decide = |(_, caller): &(_, Caller)| {
            let tried = self.hall.dry_run_blocking(caller, vec![entry.clone()]).unwrap();
            let refusal = tried.results[0].refusal.as_ref();
            let forbidden = refusal.is_some_and(|refusal| refusal.code == "forbidden");
            if forbidden { "forbidden" } else { "may" }.to_owned()
        };
        let cells: Vec<String> = self.callers.iter().map(decide).collect();
        self.line(name, cells.into_iter());
    }

    fn rows(&mut self) {
        for (row, question) in questions() {
            self.row(row, Action::Ask(&question));
        }
        self.row("changes", Action::Follow);
        for change in types_of_changes() {
            self.append(&format!("append {change}"), &entry(&change));
        }
        self.append("append set_level of the ledger", &entry("set_level-ledger"));
        let right = json!({ "actor": ALICE, "changes": [{ "type": "grant", "level": DEV,
            "role": "tenure/Auditor", "to": "user:corp/somebody" }] });
        self.append("append grant of a role of tenure", &drafted(&right));
    }
}

fn drafted(entry: &Value) -> Encoded {
    codec::decode_draft(entry, ORIGIN, Uuid::now_v7).unwrap()
}

#[test]
fn the_table_of_who_may_do_what_has_not_drifted() {
    let folder = tempfile::tempdir().unwrap();
    let hall = open_hall(folder.path());
    let mut table = Table { hall, callers: callers(), text: String::new() };
    let [landscape, enforced] = entries();
    let append = |table: &Table, entry: &Value| {
        let appended = table.hall.append_blocking(&Caller::local(), vec![drafted(entry)]).unwrap();
        assert_eq!(appended.results[0].outcome, "applied", "{:?}", appended.results);
    };
    append(&table, &landscape);
    table.head("while access is open");
    table.rows();
    append(&table, &enforced);
    table.text.push('\n');
    table.head("while access is enforced");
    table.rows();

    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/access.txt");
    if std::env::var_os("TENURE_UPDATE").is_some() {
        fs::write(path, &table.text).unwrap();
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert!(found == table.text, "{path} does not say what is decided:\n{}", table.text);
}
