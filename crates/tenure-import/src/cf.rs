//! What do answers of the Cloud Foundry API say?
//!
//! A file has pages of listings, arrays or single objects of version 3, in any mix. What a record is, its own keys tell.
//!
//! - Audit events are events at their own second. A grant that an event tells may have been refused by Cloud Foundry
//!   because the user had the role already, so it changes nothing then. No event tells that roles ended because a
//!   space, an organization or a user was deleted: the deletion of the level ends them, or a later listing shows it.
//! - Roles and service credential bindings are a listing at `--at`. Without it, each is a grant at its own time.
//! - Users, organizations, spaces and service instances say which names ids have and what lies in what.
//!
//! A listing is whole if the request had no filter but the levels, and all records that it counts were read.

mod events;
mod items;
mod listings;
mod requests;
mod surroundings;

use serde_json::{Value, json};
use tenure_core::Instant;
use uuid::Uuid;

use crate::document::Document;
use crate::fact::{Fact, Observation};
use crate::found::Found;
use crate::record::{Place, Record, RecordId};
use crate::{ImportError, Options};
use items::{Item, Kind};
use surroundings::Surroundings;

const NAME: &str = "Cloud Foundry";

/// The namespace of the ids of records
const NAMESPACE: Uuid = Uuid::from_u128(0x3d2c_61f4_8a07_5f0b_9b6e_7d1a_c5e0_42f8);

/// Whose ids the ids of users are, and the origin of clients that service credentials are for
const CF: &str = "cf";

pub(crate) fn read(
    documents: Vec<Document>,
    options: &Options,
    found: &mut Found<'_>,
) -> Result<(), ImportError> {
    let (items, requests) = items::of(&documents, found)?;
    let known = Surroundings::of(&items, options);
    for item in items.iter().filter(|item| item.first) {
        match item.kind {
            Kind::User => user(item, &known, found),
            Kind::Organization | Kind::Space | Kind::Instance => level(item, &known, found)?,
            Kind::Event | Kind::Role | Kind::Binding => {}
        }
    }
    for item in items.iter().filter(|item| item.kind == Kind::Event) {
        let read = events::read(item, &known);
        found.result(&item.place, read)?;
    }
    listings::read(&items, &requests, &known, found)?;
    events::coverage(&items, &requests, options.window, found);
    Ok(())
}

/// A record without facts
fn record(kind: &str, place: &Place, at: Instant, content: &Value) -> Record {
    Record {
        source: NAME,
        kind: kind.to_owned(),
        place: place.clone(),
        at,
        version: None,
        id: RecordId::of(&NAMESPACE, [&json!(kind), content].into_iter()),
        actor: None,
        facts: Vec::new(),
        passed_over: None,
    }
}

/// A user, which is a name for an id
fn user(item: &Item<'_>, known: &Surroundings<'_>, found: &mut Found<'_>) {
    let content = json!([item.guid, item.value.get("username"), item.value.get("origin")]);
    let mut record = record("users", &item.place, known.shown_at, &content);
    match item.guid.and_then(|guid| known.user(guid)) {
        Some(holder) => {
            record.facts.push(Fact::Observation(Observation::Known(vec![holder])));
            record.passed_over = Some("names of accounts".to_owned());
        }
        None => record.passed_over = Some("accounts without a name".to_owned()),
    }
    found.record(record);
}

/// An organization, a space or a service instance
fn level(
    item: &Item<'_>,
    known: &Surroundings<'_>,
    found: &mut Found<'_>,
) -> Result<(), ImportError> {
    let (Some(guid), Some(kind)) = (item.guid, item.kind.level()) else {
        return found.bad(item.place.clone(), "it has no `guid`".to_owned());
    };
    let (name, at) = (item.text("name"), known.shown_at);
    let mut record =
        record(item.kind.list(), &item.place, at, &json!([guid, name, at.to_string()]));
    match known.described(kind, guid, name, at) {
        Some(levels) => record.facts.push(levels),
        None => record.passed_over = Some("levels that are deleted by then".to_owned()),
    }
    found.record(record);
    Ok(())
}
