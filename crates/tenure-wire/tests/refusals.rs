//! What does each reason sound like?
//!
//! `refusals.txt` is read by people: each refusal that there is, of an entry that gets it, with its sentence.
//! `TENURE_UPDATE=1 cargo test -p tenure-wire --test refusals` writes the file anew.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail by a panic")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use serde_json::{Value, json};
use tenure_core::{
    Instant, LedgerInMemory, Outcome, Position, Principal, Reason, Recorded, RecordedAt, Refusal,
    RefusalCode, Submission,
};
use tenure_wire::api::EntryResult;
use tenure_wire::codec::{ENTRY_BYTES_MAX, Format, decode_entry};
use tenure_wire::message::{self, CE_TYPE, Content, Head, Item, Reading, Sender};
use tenure_wire::sentence::{READ_AGAIN_BYTES_MAX, Submitted};

const ACTOR: &str = "user:corp/admin@acme.example";
const ALICE: &str = "user:corp/alice@acme.example";
const GROUP: &str = "group:corp/Admins";
const ACCOUNT: &str = "global-account:acme";
const DIRECTORY: &str = "directory:sales";
const DEV: &str = "subaccount:dev";
const LEDGER: &str = "ledger:acme";

/// A number for each reason: one without a number does not compile, one without an entry below fails
fn number(reason: &Reason) -> usize {
    match reason {
        Reason::Malformed => 0,
        Reason::IdReused { .. } => 1,
        Reason::BadTime => 2,
        Reason::UnknownEntry => 3,
        Reason::NotApplied { .. } => 4,
        Reason::AlreadyVoided { .. } => 5,
        Reason::UnknownLevel => 6,
        Reason::UnknownParent => 7,
        Reason::LevelExists => 8,
        Reason::UnfitParent => 9,
        Reason::ParentWithin => 10,
        Reason::UnknownRole { .. } => 11,
        Reason::AmbiguousRole { .. } => 12,
        Reason::RoleExists => 13,
        Reason::UnknownRoleCollection => 14,
        Reason::RoleCollectionExists => 15,
        Reason::Predefined => 16,
        Reason::ForeignAttribute { .. } => 17,
        Reason::NoCustomRoleCollections => 18,
        Reason::NotGrantedAlone => 19,
        Reason::NoAuthorizations => 20,
        Reason::UnknownPrincipal => 21,
        Reason::EmptyInterval => 22,
        Reason::NotHeld => 23,
        Reason::AlreadyHeld => 24,
        Reason::Forbidden { .. } => 25,
        Reason::AccessWithTime => 26,
        Reason::NoAdministrator => 27,
        Reason::LedgerStays => 28,
        Reason::NoCustomRoles => 29,
        Reason::OwnApplication => 30,
        Reason::OwnRoleInCollection { .. } => 31,
        Reason::OwnRoleToSet => 32,
        Reason::NoPermissions => 33,
        Reason::UnknownPermission => 34,
    }
}

fn id(n: u32) -> String {
    format!("01930f0e-7c1e-7d2a-9b1a-{n:012}")
}

/// A ledger, and what is told of each place of its log
struct Told {
    ledger: LedgerInMemory,
    submitter: Principal,
    reasons: BTreeSet<usize>,
    codes: BTreeSet<RefusalCode>,
    text: String,
}

impl Told {
    /// Takes in a message, each a minute after the one before
    fn message(&mut self, head: Head<'_>, data: &[u8]) -> Vec<EntryResult> {
        let Content::Items(items) = message::decode(head, data, Sender::Submitter) else {
            panic!("needs an upgrade")
        };
        items.into_iter().map(|item| self.item(item)).collect()
    }

    fn item(&mut self, item: Item) -> EntryResult {
        let position = self.ledger.next_position();
        let now = Instant::parse("2026-03-01T12:00:00Z").unwrap().micros();
        let minutes = i64::try_from(position.get()).unwrap();
        let recorded_at = RecordedAt::saturating_from_micros(now + minutes * 60_000_000);
        let submission = match &item {
            Item::Entry(entry) => entry.clone().into_submission(),
            Item::Malformed { .. } => Submission::Malformed,
        };
        let submitter = self.submitter.clone();
        let outcome = self.ledger.apply(&Recorded { recorded_at, submitter, submission });
        if let Outcome::Refused(refusal) = &outcome {
            self.reasons.insert(number(&refusal.reason));
            self.codes.insert(refusal.code());
        }
        let submitted = match &item {
            Item::Entry(entry) => Submitted::Entry(entry.entry()),
            Item::Malformed { raw, reading } => Submitted::Malformed { raw, reading: *reading },
        };
        EntryResult::new(position, recorded_at, &outcome, submitted)
    }

    fn entry(&mut self, entry: &Value) -> EntryResult {
        let head = Head {
            spec_version: Some("1.0"),
            kind: Some(CE_TYPE),
            content_type: Some("application/json"),
        };
        self.message(head, entry.to_string().as_bytes()).remove(0)
    }

    fn changes(&mut self, n: u32, more: Value, changes: Value) -> EntryResult {
        let mut entry = json!({"id": id(n), "actor": ACTOR, "changes": changes});
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.entry(&entry)
    }

    fn applied(&mut self, n: u32, changes: Value) {
        let result = self.changes(n, json!({}), changes);
        assert_eq!(result.outcome, "applied", "{result:?}");
    }

    fn tell(&mut self, what: &str, result: &EntryResult) {
        let (how, refusal) = match (&result.refusal, &result.original) {
            (Some(refusal), None) => ("", refusal),
            (None, Some(original)) => ("a duplicate of ", original.refusal.as_ref().unwrap()),
            other => panic!("{what} is not refused: {other:?}"),
        };
        let change = refusal.change.map(|n| format!(", change {n}")).unwrap_or_default();
        let (code, message) = (&refusal.code, &refusal.message);
        write!(self.text, "{what}\n    {how}{code}{change}: {message}\n\n").unwrap();
    }

    /// Tells of an entry with one change that is refused
    fn refused(&mut self, n: u32, change: Value) {
        self.refused_with(n, json!({}), change);
    }

    fn refused_with(&mut self, n: u32, more: Value, change: Value) {
        let result = self.changes(n, more.clone(), json!([change]));
        let more = more.as_object().unwrap();
        let more: Vec<String> =
            more.iter().map(|(key, value)| format!("{key} {value}, ")).collect();
        self.tell(&format!("{}{change}", more.concat()), &result);
    }
}

fn catalog() -> Value {
    let role = |application: &str, role: &str, grantable: bool| json!({"role": role, "application": application, "at": ["subaccount"], "grantable": grantable});
    let mut roles = vec![role("app", "Viewer", false), role("app", "Owner", true)];
    roles.push(role("other", "Viewer", false));
    roles.push(json!({"role": "Admin", "application": "app", "at": ["directory"]}));
    roles.extend((0..11).map(|n| role(&format!("app-{n:02}"), "Operator", false)));
    json!({
        "version": "1", "custom_role_collections": ["global-account", "subaccount"], "roles": roles,
        "role_collections": [
            {"role_collection": "Everything", "at": ["subaccount"], "roles": ["app/Owner"]},
            {"role_collection": "Directory Admins", "at": ["directory"], "roles": ["app/Admin"]}
        ],
        "operations": [{"operation": "view", "at": ["subaccount"],
            "requires": {"role": "Viewer", "application": "app", "at": ["subaccount"]}}]
    })
}

/// What is refused of the ledger's own level and roles, and what a submitter may not while access is enforced
fn of_access(told: &mut Told) {
    let give = |level: &str, role: &str, to: &str| json!({"type": "grant", "level": level, "role": role, "to": to});
    let set = |access: &str| json!({"type": "set_level", "level": LEDGER, "access": access});
    told.refused(50, json!({"type": "create_level", "level": LEDGER}));
    told.refused(51, json!({"type": "create_level", "level": "ledger:other"}));
    told.refused(52, json!({"type": "move_level", "level": LEDGER, "parent": ACCOUNT}));
    told.refused(53, json!({"type": "move_level", "level": DIRECTORY, "parent": LEDGER}));
    told.refused(54, json!({"type": "delete_level", "level": LEDGER}));
    let role = |level: &str, application: &str| json!({"type": "create_role", "level": level, "role": "Helper", "application": application, "template": "T"});
    told.refused(55, role(LEDGER, "app"));
    told.refused(56, role(DEV, "tenure"));
    let collection = |level: &str, role: &str| json!({"type": "create_role_collection", "level": level, "role_collection": "Governors", "roles": [role]});
    told.refused(57, collection(DEV, "tenure/Administrator"));
    told.refused(58, collection(LEDGER, "tenure/Door"));
    told.refused(59, json!({"type": "delete_role", "level": DEV, "role": "tenure/Auditor"}));
    told.refused(60, give(DEV, "tenure/Door", ALICE));
    told.refused(61, give(DEV, "Submitter", ALICE));
    told.refused(62, give(DEV, "tenure/Submitter", GROUP));
    told.refused(63, json!({"type": "set_level", "level": DEV, "access": "enforced"}));
    let now = json!({"effective_at": "2026-03-01T12:00:00Z"});
    told.refused_with(64, now, set("enforced"));
    told.refused(65, set("enforced"));

    told.applied(66, json!([give(LEDGER, "tenure/Administrator", ACTOR), set("enforced")]));
    told.submitter = Principal::parse(ALICE).unwrap();
    told.refused(67, give(DEV, "tenure/Submitter", ALICE));
    told.refused(68, json!({"type": "create_level", "level": "global-account:other"}));
    told.refused(69, json!({"type": "void", "entry": id(2)}));
    told.submitter = Principal::local();
    told.applied(70, json!([set("open")]));
}

/// What is refused in Neo, and of permissions
fn of_neo(told: &mut Told) {
    let (neo, app) = ("subaccount:neo", "application:shop");
    let other = "application:multi";
    told.applied(
        71,
        json!([
            {"type": "create_level", "level": neo, "parent": ACCOUNT, "environment": "neo"},
            {"type": "create_level", "level": app, "parent": neo},
            {"type": "create_level", "level": other, "parent": DEV},
            {"type": "create_level", "level": "cf-org:o", "parent": DEV}
        ]),
    );
    let role = |level: &str| json!({"type": "create_role", "level": level, "role": "Helper", "application": "app", "template": "T"});
    told.refused(72, role(other));
    told.refused(73, role("cf-org:o"));
    told.refused(
        74,
        json!({"type": "create_role_collection", "level": neo, "role_collection": "Helpers", "roles": []}),
    );
    told.refused(
        75,
        json!({"type": "grant", "level": neo, "role_collection": "Owners", "to": ALICE}),
    );
    told.refused(
        76,
        json!({"type": "set_permission", "level": DEV, "permission": "Pay", "roles": []}),
    );
    told.refused(77, json!({"type": "delete_permission", "level": app, "permission": "Pay"}));
}

fn told() -> Told {
    let mut told = Told {
        ledger: LedgerInMemory::new("acme"),
        submitter: Principal::local(),
        reasons: BTreeSet::new(),
        codes: BTreeSet::new(),
        text: String::new(),
    };
    told.applied(1, json!([{"type": "publish_catalog", "catalog": catalog()}]));
    told.applied(
        2,
        json!([
            {"type": "create_level", "level": ACCOUNT},
            {"type": "create_level", "level": DIRECTORY, "parent": ACCOUNT},
            {"type": "create_level", "level": "directory:north", "parent": DIRECTORY},
            {"type": "create_level", "level": DEV, "parent": ACCOUNT},
            {"type": "create_role", "level": DEV, "role": "Helper", "application": "app", "template": "T"},
            {"type": "create_role_collection", "level": DEV, "role_collection": "On Call", "roles": []},
            {"type": "grant", "level": DEV, "role_collection": "On Call", "to": ALICE},
        ]),
    );
    let late = json!({"effective_at": "2026-04-01T00:00:00Z"});

    told.refused(2, json!({"type": "delete_level", "level": DEV}));
    told.refused_with(
        3,
        json!({"effective_at": "1969-12-31T23:59:59Z"}),
        json!({"type": "delete_level", "level": DEV}),
    );
    let grant = |more: Value| {
        let mut grant = json!({"type": "grant", "level": DEV, "to": ALICE});
        grant.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        grant
    };
    let on_call = |more: Value| {
        let mut grant = grant(more);
        grant.as_object_mut().unwrap().insert("role_collection".to_owned(), json!("On Call"));
        grant
    };
    told.refused(4, on_call(json!({"until": "1960-01-01T00:00:00Z"})));

    told.refused(5, json!({"type": "void", "entry": id(99)}));
    told.refused(6, json!({"type": "void", "entry": id(4)}));
    told.applied(7, json!([{"type": "add_member", "set": GROUP, "member": ALICE}]));
    told.applied(8, json!([{"type": "void", "entry": id(7)}]));
    told.refused(9, json!({"type": "void", "entry": id(7)}));

    told.refused(10, json!({"type": "delete_level", "level": "subaccount:test"}));
    told.refused_with(11, late, json!({"type": "delete_level", "level": "subaccount:test"}));
    let level = |level: &str, parent: &str| json!({"type": "create_level", "level": level, "parent": parent});
    told.refused(12, level("subaccount:test", "directory:south"));
    told.refused(13, level(DEV, ACCOUNT));
    told.refused(14, json!({"type": "create_level", "level": "subaccount:test"}));
    told.refused(15, level("cf-org:test", ACCOUNT));
    told.refused(16, level("global-account:other", ACCOUNT));
    let moved = |parent: &str| json!({"type": "move_level", "level": DIRECTORY, "parent": parent});
    told.refused(17, moved("directory:north"));

    told.refused(18, grant(json!({"role": "app/Reader"})));
    let collection = |level: &str, name: &str, roles: &[&str]| json!({"type": "create_role_collection", "level": level, "role_collection": name, "roles": roles});
    told.refused(19, collection(DEV, "Readers", &["app/Viewer", "Operator", "Reader"]));
    told.refused(20, collection(DEV, "Viewers", &["Owner", "Viewer"]));
    told.refused(21, json!({"type": "delete_role", "level": DEV, "role": "Operator"}));
    told.refused(
        22,
        json!({"type": "create_role", "level": DEV, "role": "Viewer", "application": "app", "template": "T"}),
    );
    told.refused(23, grant(json!({"role_collection": "On Cal"})));
    told.refused(24, collection(DEV, "Everything", &[]));
    let with_roles = |name: &str| json!({"type": "set_roles", "level": DEV, "role_collection": name, "roles": []});
    told.refused(25, with_roles("Everything"));
    told.refused(26, json!({"type": "delete_role", "level": DEV, "role": "app/Viewer"}));

    told.refused(27, json!({"type": "set_level", "level": DIRECTORY, "region": "eu10"}));
    told.refused(28, collection(DIRECTORY, "On Call", &[]));
    told.refused(29, grant(json!({"role": "app/Viewer"})));
    told.refused(
        30,
        json!({"type": "grant", "level": DIRECTORY, "role_collection": "Directory Admins", "to": GROUP}),
    );

    told.refused(
        31,
        json!({"type": "remove_principal", "principal": "user:corp/bob@acme.example"}),
    );
    told.refused_with(
        32,
        json!({"effective_at": "2026-03-05T00:00:00Z"}),
        on_call(json!({"until": "2026-03-05T00:00:00Z"})),
    );
    told.refused(
        33,
        json!({"type": "revoke", "level": DEV, "role_collection": "Everything", "from": ALICE}),
    );
    told.refused(34, json!({"type": "revoke", "level": DEV, "role": "Viewer", "from": ALICE}));
    told.refused(35, json!({"type": "remove_member", "set": GROUP, "member": ALICE}));
    told.refused(36, on_call(json!({"expect": "not_held"})));

    of_access(&mut told);
    of_neo(&mut told);

    // The second change decides.
    let both = json!([
        {"type": "add_member", "set": GROUP, "member": ALICE},
        {"type": "delete_level", "level": "subaccount:test"}
    ]);
    let result = told.changes(37, json!({}), both.clone());
    told.tell(&both.to_string(), &result);
    // It tells when the original took effect.
    let result = told.changes(37, json!({}), both.clone());
    told.tell(&format!("{both} again"), &result);

    let head = |kind, content_type| Head { spec_version: Some("1.0"), kind, content_type };
    let known = head(Some(CE_TYPE), Some("application/json"));
    let long = format!("{{\"note\": \"{}\"}}", "x".repeat(READ_AGAIN_BYTES_MAX));
    let large = json!({"id": id(38), "actor": ACTOR,
        "changes": [{"type": "void", "entry": id(7), "note": "x".repeat(ENTRY_BYTES_MAX)}]})
    .to_string();
    for (what, head, data) in [
        ("a message without headers", Head::default(), "{}"),
        (
            "a message of another version of CloudEvents",
            Head { spec_version: Some("0.3"), ..known },
            "{}",
        ),
        ("a message of text/plain", head(Some(CE_TYPE), Some("text/plain")), "{}"),
        ("the message `[{\"id\": 5}`", known, "[{\"id\": 5}"),
        ("the message `\"hello\"`", known, "\"hello\""),
        ("the message `{\"entries\": []}`", known, "{\"entries\": []}"),
        ("the entry `{\"id\": 5}`", known, "{\"id\": 5}"),
        ("the entry `[]` of a message", known, "[[]]"),
        ("an entry that is too large", known, large.as_str()),
        ("an entry that is longer than what is read again", known, long.as_str()),
        (
            "two bytes that are no MessagePack map",
            head(Some(CE_TYPE), Some("application/msgpack")),
            "\u{1}\u{2}",
        ),
    ] {
        let result = told.message(head, data.as_bytes()).remove(0);
        told.tell(what, &result);
    }
    let raw = b"{}".to_vec();
    let result = told.item(Item::Malformed { raw, reading: Reading::Unknown });
    told.tell("what another program republished as malformed, and why is not known here", &result);
    told
}

#[test]
fn each_refusal_has_a_sentence() {
    let told = told();
    assert_eq!(told.reasons, (0..=34).collect(), "a reason is missing below");
    assert_eq!(told.codes, RefusalCode::ALL.into_iter().collect());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/refusals.txt");
    if std::env::var_os("TENURE_UPDATE").is_some() {
        fs::write(path, &told.text).unwrap();
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert!(found == told.text, "{path} does not say what is said now:\n{}", told.text);
}

#[test]
fn a_reason_that_does_not_fit_its_entry_is_told_by_its_code() {
    let changes = json!([{"type": "delete_level", "level": DEV}]);
    let text = json!({"id": id(1), "actor": ACTOR, "changes": changes}).to_string();
    let entry = decode_entry(Format::Json, text.as_bytes()).unwrap();
    let submitted = Submitted::Entry(entry.entry());
    for reason in [Reason::AlreadyHeld, Reason::UnknownRole { nth: 7 }, Reason::Malformed] {
        for change in [None, Some(0), Some(9)] {
            let refusal = Refusal { change, reason: reason.clone() };
            let code = refusal.code().as_str().to_owned();
            let outcome = Outcome::Refused(refusal);
            let result = EntryResult::new(Position::FIRST, RecordedAt::FIRST, &outcome, submitted);
            assert!(result.refusal.unwrap().message.contains(&code));
        }
    }
}
