//! What is a record of a source, and which id does an entry have that comes from a record?
//!
//! The id is a UUIDv5 of the record's content and of what the entry says. The source chooses the content:
//! everything that was recorded, but not the line number, the file, or what a tool noted beside it. What
//! the entry says is its effective time and its changes. The actor and the reason are no part of the id:
//! an import with another default actor finds the id taken and changes nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::Value;
use tenure_core::Instant;
use tenure_wire::v1::Change;
use uuid::Uuid;

use crate::fact::Fact;

/// What a source recorded at one time
#[derive(Debug)]
pub(crate) struct Record {
    /// The name of the source, as reasons say it
    pub(crate) source: &'static str,
    /// What was recorded, in the words of the source: a command, or the type of an event
    pub(crate) kind: String,
    pub(crate) place: Place,
    pub(crate) at: Instant,
    /// What the source counts up with each of its records about the same thing, and that thing: it orders
    /// records of one time
    pub(crate) version: Option<(String, u64)>,
    pub(crate) id: RecordId,
    /// Who acted, where the record says it
    pub(crate) actor: Option<String>,
    /// In the order in which they are applied
    pub(crate) facts: Vec<Fact>,
    /// Why the record changes nothing, if the source says so
    pub(crate) passed_over: Option<String>,
}

impl Record {
    /// Why an entry is appended that says nothing but the record's own event
    pub(crate) fn reason(&self) -> String {
        format!("{}: {}", self.source, self.kind)
    }
}

/// Where a record stands in what was read
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// The name of the file, where there are several
    pub file: Option<Arc<str>>,
    /// Whether the number is that of a line; else it is that of a record
    pub is_line: bool,
    /// From 1
    pub number: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}: ")?;
        }
        let of = if self.is_line { "line" } else { "record" };
        write!(f, "{of} {}", self.number)
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A record's content, as the namespace of its entries' ids
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RecordId(Uuid);

impl RecordId {
    /// Of a source, which has a namespace of its own, and of the record's parts in a fixed order
    ///
    /// The order of the keys of objects makes no difference.
    pub(crate) fn of<'v>(source: &Uuid, content: impl Iterator<Item = &'v Value>) -> Self {
        let mut text = String::new();
        for part in content {
            write(part, &mut text);
            text.push('\n');
        }
        Self(Uuid::new_v5(source, text.as_bytes()))
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

    #[test]
    fn what_an_entry_says_makes_its_id_too() {
        let record = RecordId::of(&Uuid::NAMESPACE_OID, [Value::from("x")].iter());
        let delete = |level: &str| [Change::DeleteLevel { level: level.to_owned() }];
        let first = record.entry(Instant::EPOCH, &delete("subaccount:a"));
        assert_eq!(record.entry(Instant::EPOCH, &delete("subaccount:a")), first);
        assert_ne!(record.entry(Instant::EPOCH, &delete("subaccount:b")), first);
        assert_ne!(record.entry(Instant::LAST, &delete("subaccount:a")), first);
    }
}
