//! What does an entry in the ledger's own JSON say?
//!
//! A line is an entry as `tenure submit` takes it, without an id: `{"actor"?, "effective_at", "not_before"?, "reason"?,
//! "changes": […]}`. The id is derived from the line, so it must say when it took effect.

use serde_json::{Map, Value};
use tenure_core::Instant;
use tenure_wire::v1::Change;
use uuid::Uuid;

use crate::fact::{Event, Fact};
use crate::record::{Place, Record, RecordId};

const NAMESPACE: Uuid = Uuid::from_u128(0x4f6c_1d5a_9a61_5f0e_8d0b_70c7_2b4d_3a19);

/// Reads a line
///
/// # Errors
/// A sentence that says why it cannot be used.
pub(crate) fn read(place: Place, bytes: &[u8]) -> Result<Record, String> {
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| format!("it is not JSON: {error}"))?;
    let id = RecordId::of(&NAMESPACE, [&value].into_iter());
    let Value::Object(mut entry) = value else {
        return Err("it is JSON, but not an object".to_owned());
    };
    if entry.contains_key("id") {
        return Err("it has an `id`: `tenure submit` appends entries that have one".to_owned());
    }
    let actor = text(&mut entry, "actor")?;
    let reason = text(&mut entry, "reason")?;
    let at = instant(&mut entry, "effective_at")?;
    let at =
        at.ok_or_else(|| "it has no `effective_at`, which says when it took effect".to_owned())?;
    let not_before = instant(&mut entry, "not_before")?;
    let changes = entry.remove("changes").ok_or_else(|| "it has no `changes`".to_owned())?;
    let changes: Vec<Change> =
        serde_json::from_value(changes).map_err(|error| format!("`changes`: {error}"))?;
    if let Some(unknown) = entry.keys().next() {
        return Err(format!("`{unknown}` is no part of an entry"));
    }
    Ok(Record {
        source: "entries",
        kind: "entry".to_owned(),
        place,
        at,
        version: None,
        id,
        actor,
        facts: vec![Fact::Event(Event::Said { changes, not_before, reason, by_name: false })],
        passed_over: None,
    })
}

fn text(entry: &mut Map<String, Value>, key: &str) -> Result<Option<String>, String> {
    match entry.remove(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("`{key}` is no text")),
    }
}

fn instant(entry: &mut Map<String, Value>, key: &str) -> Result<Option<Instant>, String> {
    let text = text(entry, key)?;
    text.map(|text| Instant::parse(&text)).transpose().map_err(|error| format!("`{key}`: {error}"))
}
