//! What do records of SAP's audit log retrieval API say?
//!
//! A record is an envelope. Its `message` is JSON, or a text that holds JSON, and says what happened. `objects` makes
//! facts of the changes of role collections and users, `hierarchy` those of levels, and `texts` joins the texts of
//! security events that were cut.
//!
//! No real record about role collections was ever published. So the keys inside `object.id` are read whether they are
//! written `role_name`, `roleName` or `rolename`, and a record that lacks one is bad.
//!
//! The same record comes again where windows overlap. It counts once.

mod hierarchy;
mod objects;
mod texts;

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;
use tenure_core::Instant;
use uuid::Uuid;

use crate::document::Document;
use crate::fact::{Fact, Observation, Zone};
use crate::found::Found;
use crate::json::text;
use crate::record::{Place, Record, RecordId};
use crate::{ImportError, Options};
use texts::Texts;

const NAME: &str = "audit log";

/// The namespace of the ids of records
const NAMESPACE: Uuid = Uuid::from_u128(0x5f0c_8d1e_77a4_5c0b_8a3e_91d2_6b40_e7f3);

const CONFIGURATION: &str = "audit.configuration";
const SECURITY: &str = "audit.security-events";
/// Changes of personal data, which changes of users can be
const MODIFICATION: &str = "audit.data-modification";

/// What a record says
enum Said {
    /// Facts, with the kind of the record
    Facts(String, Vec<Fact>),
    /// Nothing that the ledger can use, with the kind of the record and why
    Nothing(String, String),
}

/// A record whose envelope was read
struct Entry {
    place: Place,
    at: Instant,
    tenant: String,
    actor: Option<String>,
    category: String,
    id: RecordId,
    message: Value,
}

/// How far the records of a tenant reach
struct Reach {
    from: Instant,
    to: Instant,
    place: Place,
}

pub(crate) fn read(
    documents: Vec<Document>,
    options: &Options,
    found: &mut Found<'_>,
) -> Result<(), ImportError> {
    let mut log = Log { options, found, seen: HashSet::new(), reach: BTreeMap::new(), gaps: false };
    let mut texts = Texts::default();
    let first = documents.first().map(|document| document.place(0));
    for document in documents {
        for (index, row) in
            document.records(&["resources", "Resources", "value", "entries"]).iter().enumerate()
        {
            let place = document.place(index);
            match entry(place.clone(), row) {
                Ok(entry) => log.take(entry, &mut texts)?,
                Err(problem) => log.bad(place, problem)?,
            }
        }
    }
    for (entry, text) in texts.joined(&mut log)? {
        log.event(entry, &text)?;
    }
    log.coverage(first);
    Ok(())
}

struct Log<'l, 'o> {
    options: &'l Options,
    found: &'l mut Found<'o>,
    /// What was read already, by its content
    seen: HashSet<Uuid>,
    /// By tenant
    reach: BTreeMap<String, Reach>,
    /// Whether something could not be read, so that nobody knows what else changed
    gaps: bool,
}

impl Log<'_, '_> {
    fn bad(&mut self, place: Place, problem: String) -> Result<(), ImportError> {
        self.gaps = true;
        self.found.bad(place, problem)
    }

    fn take(&mut self, entry: Entry, texts: &mut Texts) -> Result<(), ImportError> {
        let category = entry.category.clone();
        let of_object = category == MODIFICATION && objects::is_one(&entry.message);
        if category == CONFIGURATION {
            let (at, place) = (entry.at, entry.place.clone());
            let new = Reach { from: at, to: at, place: place.clone() };
            let reach = self.reach.entry(entry.tenant.clone()).or_insert(new);
            reach.from = reach.from.min(at);
            if at > reach.to {
                (reach.to, reach.place) = (at, place);
            }
        }
        if !self.seen.insert(content(&entry)) {
            let again = "a record that was read before: windows of the audit log overlap";
            self.say(entry, Ok(Said::Nothing(category, again.to_owned())))
        } else if entry.message.get("success").and_then(Value::as_bool) == Some(false) {
            self.say(entry, Ok(Said::Nothing(category, "it failed".to_owned())))
        } else if category == CONFIGURATION || of_object {
            let said = objects::read(&entry.message, &entry.tenant, self.options)
                .or_else(|| hierarchy::read(&entry.message, entry.at))
                .unwrap_or_else(|| Err("it has no `object` with a `type`".to_owned()));
            self.say(entry, said)
        } else if category == SECURITY {
            match texts.take(entry) {
                Ok(None) => Ok(()),
                Ok(Some((entry, text))) => self.event(entry, &text),
                Err((place, problem)) => self.bad(place, problem),
            }
        } else {
            let reason = format!("records of the category `{category}` are not about access");
            self.say(entry, Ok(Said::Nothing(category, reason)))
        }
    }

    /// A security event whose text is whole
    fn event(&mut self, entry: Entry, text: &Value) -> Result<(), ImportError> {
        let said = objects::administrator(text, &entry.tenant)
            .or_else(|| hierarchy::read(text, entry.at))
            .unwrap_or_else(|| {
                let reason = "a security event that is not about who holds role collections";
                Ok(Said::Nothing(SECURITY.to_owned(), reason.to_owned()))
            });
        self.say(entry, said)
    }

    fn say(&mut self, entry: Entry, said: Result<Said, String>) -> Result<(), ImportError> {
        let (kind, facts, passed_over) = match said {
            Err(problem) => return self.bad(entry.place, problem),
            Ok(Said::Facts(kind, facts)) => (kind, facts, None),
            Ok(Said::Nothing(kind, reason)) => (kind, Vec::new(), Some(reason)),
        };
        let Entry { place, at, actor, id, .. } = entry;
        self.found.record(Record {
            source: NAME,
            kind,
            place,
            at,
            version: None,
            id,
            actor,
            facts,
            passed_over,
        });
        Ok(())
    }

    /// The log told all that changed between its oldest and its newest record of a tenant, or in the time that was
    /// asked for
    fn coverage(&mut self, first: Option<Place>) {
        // What could not be read may have been a change, of whichever tenant.
        if self.gaps {
            return;
        }
        let mut reach = std::mem::take(&mut self.reach);
        if let Some((from, to)) = self.options.window {
            // Nothing happened in that time, and it is known that nothing did.
            let on = self.options.on.as_ref().and_then(|on| on.split_once(':'));
            if let (true, Some((_, tenant)), Some(place)) = (reach.is_empty(), on, first) {
                reach.insert(tenant.to_owned(), Reach { from, to, place });
            }
            for reach in reach.values_mut() {
                (reach.from, reach.to) = (from, to);
            }
        }
        for (tenant, Reach { from, to, place }) in reach {
            if from == to {
                continue;
            }
            let content = [tenant.as_str().into(), from.to_string().into(), to.to_string().into()];
            let covered = Observation::Covered { zone: zone(&tenant), subtree: false, from };
            self.found.record(Record {
                source: NAME,
                kind: "from the oldest to the newest record".to_owned(),
                place,
                at: to,
                version: None,
                id: RecordId::of(&NAMESPACE, content.iter()),
                actor: None,
                facts: vec![Fact::Observation(covered)],
                passed_over: None,
            });
        }
    }
}

/// The level of a tenant
fn zone(tenant: &str) -> Zone {
    Zone::Identity(format!("subaccount:{tenant}"))
}

fn entry(place: Place, row: &Value) -> Result<Entry, String> {
    if !row.is_object() {
        return Err("it is JSON, but not an object".to_owned());
    }
    // Real records have a text; SAP's sample has an object.
    let message = match row.get("message") {
        Some(Value::String(written)) => serde_json::from_str(written)
            .map_err(|error| format!("`message` is not JSON: {error}"))?,
        Some(message) => message.clone(),
        None => return Err("it has no `message`".to_owned()),
    };
    let either = |key: &str| text(&message, key).or_else(|| text(row, key));
    let time = either("time").ok_or_else(|| "it has no `time`".to_owned())?;
    // Times are in UTC, also where they do not say so.
    let at = Instant::parse(&time)
        .or_else(|error| Instant::parse(&format!("{time}Z")).map_err(|_| error));
    let at = at.map_err(|error| format!("`time`: {error}"))?;
    if at < Instant::EPOCH {
        return Err("`time` lies before 1970".to_owned());
    }
    let id = match text(&message, "uuid").or_else(|| text(row, "message_uuid")) {
        Some(uuid) => RecordId::of(&NAMESPACE, [Value::from(uuid)].iter()),
        None => RecordId::of(&NAMESPACE, [Value::from(time), message.clone()].iter()),
    };
    Ok(Entry {
        place,
        at,
        tenant: either("tenant").ok_or_else(|| "it has no `tenant`".to_owned())?,
        actor: either("user"),
        category: either("category").ok_or_else(|| "it has no `category`".to_owned())?,
        id,
        message,
    })
}

/// What makes two records the same
fn content(entry: &Entry) -> Uuid {
    let parts = [entry.at.to_string().into(), entry.tenant.as_str().into()];
    // The id alone is not enough: nobody promises that one `uuid` is one change.
    RecordId::of(&NAMESPACE, parts.iter().chain([&entry.message])).entry(entry.at, &[])
}
