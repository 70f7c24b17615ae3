//! How is the text of a security event put together that was cut into several records?
//!
//! `message.data` is a text that holds JSON: `{"level","msgNo","msgId","message"}`. A long text is cut into several
//! records with the same `msgId`. `msgNo` orders them, from 1; some writers count from 0. No record says how many parts
//! there are. So a part is known to be missing where a number is, or where the joined text begins as JSON and is none.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Entry, Log, NAMESPACE, SECURITY, Said};
use crate::ImportError;
use crate::json::text;
use crate::record::{Place, RecordId};

/// Texts that may have more parts, by tenant and `msgId`, and their parts by number
#[derive(Default)]
pub(super) struct Texts(BTreeMap<(String, String), Parts>);

/// The parts of a text by number; a part can come again
type Parts = BTreeMap<u64, Vec<(Entry, String)>>;

impl Texts {
    /// Takes a security event, and gives it back if its text is whole
    ///
    /// # Errors
    /// Its place, and a sentence that says why it cannot be used.
    pub(super) fn take(&mut self, entry: Entry) -> Result<Option<(Entry, Value)>, (Place, String)> {
        let data = match entry.message.get("data") {
            Some(Value::String(written)) => parsed(written),
            Some(data) => data.clone(),
            None => entry.message.clone(),
        };
        let Some(id) = text(&data, "msgId") else {
            let inner = match data.get("message") {
                Some(Value::String(written)) => parsed(written),
                _ => data,
            };
            return Ok(Some((entry, inner)));
        };
        let Some(number) = data.get("msgNo").and_then(Value::as_u64) else {
            return Err((entry.place, format!("the part of the text `{id}` has no `msgNo`")));
        };
        let part = data.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
        let parts = self.0.entry((entry.tenant.clone(), id)).or_default();
        parts.entry(number).or_default().push((entry, part));
        Ok(None)
    }

    /// The texts that are whole, each with the record of its first part
    ///
    /// All records of a text that lacks a part are bad.
    pub(super) fn joined(self, log: &mut Log<'_, '_>) -> Result<Vec<(Entry, Value)>, ImportError> {
        let mut whole = Vec::new();
        for ((tenant, id), parts) in self.0 {
            let first = parts.keys().next().copied().unwrap_or_default();
            let mut missing = (first > 1).then_some(1);
            let mut next = first;
            let mut joined = String::new();
            for (number, same) in &parts {
                if *number != next {
                    missing = missing.or(Some(next));
                }
                next = number + 1;
                if same.iter().any(|(_, part)| same.first().is_some_and(|(_, one)| one != part)) {
                    missing = missing.or(Some(*number));
                }
                joined.extend(same.first().map(|(_, part)| part.as_str()));
            }
            let said = parsed(&joined);
            let (begins, ends) =
                (joined.trim_start().starts_with('{'), joined.trim_end().ends_with('}'));
            if said.is_string() && begins {
                missing = missing.or(Some(next));
            } else if said.is_string() && ends && first == 1 && parts.len() > 1 {
                missing = missing.or(Some(0));
            }
            let mut records = parts.into_values().flatten().map(|(entry, _)| entry);
            if let Some(number) = missing {
                for entry in records {
                    let problem = format!(
                        "the text `{id}` of this security event is cut, and its part {number} is missing or not the \
                         same everywhere: read the records before and after too",
                    );
                    log.bad(entry.place, problem)?;
                }
                continue;
            }
            if let Some(mut first) = records.next() {
                let content = [Value::from(tenant), Value::from(id), said.clone()];
                first.id = RecordId::of(&NAMESPACE, content.iter());
                whole.push((first, said));
            }
            for entry in records {
                let reason = "a further part of a text that was cut".to_owned();
                log.say(entry, Ok(Said::Nothing(SECURITY.to_owned(), reason)))?;
            }
        }
        Ok(whole)
    }
}

/// JSON that a text holds, else the text itself
fn parsed(written: &str) -> Value {
    match serde_json::from_str(written) {
        Ok(Value::Object(object)) => Value::Object(object),
        _ => Value::from(written),
    }
}
