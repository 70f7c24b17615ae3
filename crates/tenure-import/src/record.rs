//! Which id does an entry have that comes from a record?
//!
//! A UUIDv5 of the record's content and of what the entry says. The content is the exchange itself
//! (`t`, `cmd`, `verb`, `params`, `http`, `backend_status`, `body`) with the keys of all objects in byte
//! order; the line number, the file and whatever a tool noted beside the exchange are not part of it.
//! What the entry says is its effective time and its changes, not its actor and reason: an import with
//! another default actor finds the id taken and changes nothing.

use std::collections::BTreeMap;

use serde_json::Value;
use tenure_core::Instant;
use tenure_wire::v1::Change;
use uuid::Uuid;

/// The namespace of records of the btp CLI server
const NAMESPACE: Uuid = Uuid::from_u128(0x0b5e_6a0f_5d1c_5b60_9c0e_2f6f_b4a1_7e21);

const CONTENT: [&str; 7] = ["t", "cmd", "verb", "params", "http", "backend_status", "body"];

/// A record's content, as the namespace of its entries' ids
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RecordId(Uuid);

impl RecordId {
    pub(crate) fn of(record: &serde_json::Map<String, Value>) -> Self {
        let mut text = String::new();
        for key in CONTENT {
            write(record.get(key).unwrap_or(&Value::Null), &mut text);
            text.push('\n');
        }
        Self(Uuid::new_v5(&NAMESPACE, text.as_bytes()))
    }

    /// The id of the entry that says this because of the record
    pub(crate) fn entry(self, effective_at: Instant, changes: &[Change]) -> Uuid {
        let mut text = format!("{effective_at}\n");
        // Changes are plain data: texts, numbers and maps with texts as keys.
        write(&serde_json::to_value(changes).unwrap_or_default(), &mut text);
        Uuid::new_v5(&self.0, text.as_bytes())
    }
}

/// Writes a value with the keys of objects in byte order
fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            text.push('{');
            for (key, value) in map.iter().collect::<BTreeMap<_, _>>() {
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write(item, text);
                text.push(',');
            }
            text.push(']');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> RecordId {
        RecordId::of(serde_json::from_str::<Value>(text).unwrap().as_object().unwrap())
    }

    #[test]
    fn only_the_content_of_a_record_makes_its_id() {
        let plain = id(r#"{"t":"x","params":{"a":"1","b":"2"},"body":[1]}"#);
        assert_eq!(id(r#"{"body":[1],"params":{"b":"2","a":"1"},"t":"x","line":9}"#), plain);
        assert_ne!(id(r#"{"t":"x","params":{"a":"1","b":"3"},"body":[1]}"#), plain);
        assert_ne!(id(r#"{"t":"x","params":{"a":"1","b":"2"},"body":["1"]}"#), plain);
    }

    #[test]
    fn what_an_entry_says_makes_its_id_too() {
        let record = id(r#"{"t":"x"}"#);
        let delete = |level: &str| [Change::DeleteLevel { level: level.to_owned() }];
        let first = record.entry(Instant::EPOCH, &delete("subaccount:a"));
        assert_eq!(record.entry(Instant::EPOCH, &delete("subaccount:a")), first);
        assert_ne!(record.entry(Instant::EPOCH, &delete("subaccount:b")), first);
        assert_ne!(record.entry(Instant::LAST, &delete("subaccount:a")), first);
    }
}
