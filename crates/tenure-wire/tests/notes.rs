//! What does each note sound like?
//!
//! `notes.txt` is read by people: changes, and what their author is told. `TENURE_UPDATE=1` writes the file anew.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

use std::fmt::Write as _;
use std::fs;

use serde_json::{Value, json};
use tenure_core::{Instant, LedgerInMemory, Principal, Recorded, RecordedAt};
use tenure_wire::api::{AppendResult, EntryResult};
use tenure_wire::codec::{Format, decode_entry};
use tenure_wire::sentence::Submitted;

const ALICE: &str = "user:corp/alice@acme.example";
const BOB: &str = "user:corp/bob@acme.example";
const GROUP: &str = "group:corp/Admins";
const DEV: &str = "subaccount:dev";

/// A ledger, and what is told of the entries that are handed in
struct Told {
    ledger: LedgerInMemory,
    text: String,
}

impl Told {
    /// Hands an entry in, a minute after the one before
    fn hand_in(&mut self, effective_at: Option<&str>, changes: &Value) -> AppendResult {
        let position = self.ledger.next_position();
        let mut entry = json!({
            "id": format!("01930f0e-7c1e-7d2a-9b1a-{:012}", position.get()),
            "actor": "user:corp/admin@acme.example",
            "changes": changes,
        });
        if let Some(effective_at) = effective_at {
            entry.as_object_mut().unwrap().insert("effective_at".into(), effective_at.into());
        }
        let entry = decode_entry(Format::Json, entry.to_string().as_bytes()).unwrap();
        let now = Instant::parse("2026-03-01T12:00:00Z").unwrap().micros();
        let minutes = i64::try_from(position.get()).unwrap();
        let recorded_at = RecordedAt::saturating_from_micros(now + minutes * 60_000_000);
        let submission = entry.clone().into_submission();
        let recorded = Recorded { recorded_at, submitter: Principal::local(), submission };
        let (outcome, notes) = self.ledger.apply_noting(&recorded);
        let submitted = Submitted::Entry(entry.entry());
        let result = EntryResult::new(position, recorded_at, &outcome, submitted);
        AppendResult::from(result).with_notes(&notes, entry.entry(), recorded_at)
    }

    fn applied(&mut self, effective_at: Option<&str>, changes: &Value) {
        let result = self.hand_in(effective_at, changes);
        assert_eq!((&*result.outcome, result.notes.len()), ("applied", 0), "{result:?}");
    }

    /// Tells of an entry
    fn tell(&mut self, changes: &Value) {
        let result = self.hand_in(None, changes);
        for change in changes.as_array().unwrap() {
            writeln!(self.text, "{change}").unwrap();
        }
        for note in &result.notes {
            writeln!(self.text, "    {}, change {}: {}", note.code, note.change, note.message)
                .unwrap();
        }
        if let Some(refusal) = &result.refusal {
            writeln!(self.text, "    refused: {}: {}", refusal.code, refusal.message).unwrap();
        }
        self.text.push('\n');
    }
}

fn grant(to: &str, until: Option<&str>) -> Value {
    let mut grant = json!({"type": "grant", "level": DEV, "role_collection": "On Call", "to": to});
    if let Some(until) = until {
        grant.as_object_mut().unwrap().insert("until".into(), until.into());
    }
    grant
}

fn revoke(expect: &str) -> Value {
    json!({"type": "revoke", "level": DEV, "role_collection": "On Call", "from": ALICE,
        "expect": expect})
}

fn add(member: &str) -> Value {
    json!({"type": "add_member", "set": GROUP, "member": member})
}

fn remove(member: &str) -> Value {
    json!({"type": "remove_member", "set": GROUP, "member": member, "expect": "any"})
}

#[test]
fn each_note_has_a_sentence() {
    let mut told = Told { ledger: LedgerInMemory::new("acme"), text: String::new() };
    told.applied(
        Some("2026-01-01T00:00:00Z"),
        &json!([
            {"type": "create_level", "level": "global-account:acme"},
            {"type": "create_level", "level": DEV, "parent": "global-account:acme"},
            {"type": "create_role_collection", "level": DEV, "role_collection": "On Call",
                "roles": []}
        ]),
    );
    told.applied(None, &json!([grant(ALICE, None), add(ALICE)]));
    told.tell(&json!([grant(ALICE, Some("2026-06-01T00:00:00Z"))]));
    told.tell(&json!([grant(ALICE, Some("2026-06-01T00:00:00Z")), add(ALICE)]));
    told.tell(&json!([grant(ALICE, None)]));
    told.applied(Some("2026-04-01T00:00:00Z"), &json!([add(BOB)]));
    told.tell(&json!([remove(BOB)]));
    for day in 1..=12 {
        let day = format!("2026-05-{day:02}T00:00:00Z");
        told.hand_in(Some(&day), &json!([grant(ALICE, None)]));
    }
    told.tell(&json!([revoke("held")]));
    told.tell(&json!([revoke("any")]));
    told.tell(&json!([revoke("held")]));
    told.tell(&json!([
        {"type": "remove_principal", "principal": BOB},
        {"type": "remove_principal", "principal": GROUP},
        {"type": "remove_principal", "principal": GROUP}
    ]));
    let govern = |to: &str| json!({"type": "grant", "level": "ledger:acme", "role": "tenure/Administrator", "to": to});
    let enforce = json!({"type": "set_level", "level": "ledger:acme", "access": "enforced"});
    told.applied(None, &json!([govern(ALICE), enforce]));
    told.tell(&json!([
        {"type": "revoke", "level": "ledger:acme", "role": "tenure/Administrator", "from": ALICE}
    ]));

    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/notes.txt");
    if std::env::var_os("TENURE_UPDATE").is_some() {
        fs::write(path, &told.text).unwrap();
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert!(found == told.text, "{path} does not say what is said now:\n{}", told.text);
}
