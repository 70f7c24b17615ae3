//! What does an audit event say?

use std::collections::{BTreeSet, HashMap};

use serde_json::{Value, json};
use tenure_core::{Instant, LevelKind, PrincipalKind};
use uuid::Uuid;

use super::items::{Item, Kind, guid_at};
use super::requests::Requests;
use super::surroundings::{Surroundings, ends, happened, requested};
use super::{CF, record};
use crate::fact::{Event, Fact, Held, Holder, Observation, Zone, ZoneEvent};
use crate::found::Found;
use crate::json::text;
use crate::record::Record;

/// The role of the catalogue that is for credentials of a service instance
pub(crate) const CREDENTIALS: &str = "service-credentials/Service Credentials";

/// The role of the catalogue that a type of roles is, and the kind of levels that has it
pub(crate) fn role(type_of: &str) -> Option<(LevelKind, Held)> {
    let (kind, name) = match type_of {
        "organization_user" => (LevelKind::CfOrg, "Org User"),
        "organization_auditor" => (LevelKind::CfOrg, "Org Auditor"),
        "organization_billing_manager" => (LevelKind::CfOrg, "Org Billing Manager"),
        "organization_manager" => (LevelKind::CfOrg, "Org Manager"),
        "space_auditor" => (LevelKind::CfSpace, "Space Auditor"),
        "space_supporter" => (LevelKind::CfSpace, "Space Supporter"),
        "space_developer" => (LevelKind::CfSpace, "Space Developer"),
        "space_manager" => (LevelKind::CfSpace, "Space Manager"),
        _ => return None,
    };
    Some((kind, Held::Role(format!("cloud-foundry/{name}"))))
}

/// The client that the credentials of a binding are
pub(crate) fn client(binding: &str) -> Holder {
    Holder {
        kind: PrincipalKind::Client,
        origin: Some(CF.to_owned()),
        name: Some(binding.to_owned()),
        id: None,
    }
}

/// The level of a kind, as a zone
pub(crate) fn zone(kind: LevelKind, guid: &str) -> Zone {
    Zone::Level(format!("{}:{guid}", kind.as_str()))
}

/// Reads an event
///
/// # Errors
/// A sentence that says why it cannot be used.
pub(crate) fn read(item: &Item<'_>, known: &Surroundings<'_>) -> Result<Record, String> {
    let at = item.created.ok_or("it does not say when it was created")?;
    let kind = item.text("type").unwrap_or_default();
    // The id is the event's own, so that a later release may add keys.
    let content = item.guid.map_or_else(|| item.value.clone(), |guid| json!(guid));
    let mut record = record(&kind, &item.place, at, &content);
    record.actor = actor(item.value, known);
    if !item.first {
        record.passed_over = Some("records that another page has too".to_owned());
        return Ok(record);
    }
    match facts(&kind, at, item, known)? {
        Ok(facts) => record.facts = facts,
        Err(reason) => record.passed_over = Some(reason.to_owned()),
    }
    Ok(record)
}

/// The facts, or why there are none
fn facts(
    kind: &str,
    at: Instant,
    item: &Item<'_>,
    known: &Surroundings<'_>,
) -> Result<Result<Vec<Fact>, &'static str>, String> {
    if let Some(changed) = kind.strip_prefix("audit.user.") {
        let (type_of, gets) = match (changed.strip_suffix("_add"), changed.strip_suffix("_remove"))
        {
            (Some(type_of), _) => (type_of, true),
            (None, Some(type_of)) => (type_of, false),
            (None, None) => return Ok(Err("changes of users that are not about roles")),
        };
        return role_changed(type_of, gets, at, item, known).map(Ok);
    }
    if let Some((level, verb)) = happened(kind) {
        if !ends(verb) && !matches!(verb, "create" | "update") {
            return Ok(Err(OTHER));
        }
        return level_changed(level, verb, at, item, known).map(Ok);
    }
    match kind {
        "audit.service_binding.create" | "audit.service_key.create" => {
            credentials(true, at, item, known).map(Ok)
        }
        "audit.service_binding.delete" | "audit.service_key.delete" => {
            credentials(false, at, item, known).map(Ok)
        }
        "audit.service_binding.show" | "audit.service_key.show" => {
            Ok(Err("somebody read service credentials, which the ledger does not keep"))
        }
        _ => Ok(Err(OTHER)),
    }
}

const OTHER: &str = "events that are not about access";

fn role_changed(
    type_of: &str,
    gets: bool,
    at: Instant,
    item: &Item<'_>,
    known: &Surroundings<'_>,
) -> Result<Vec<Fact>, String> {
    let (kind, held) =
        role(type_of).ok_or_else(|| format!("`{type_of}` is no role that is known here"))?;
    let name = if kind == LevelKind::CfOrg { "organization" } else { "space" };
    let requested_level = || {
        let related = item.value.pointer("/data/request/relationships")?;
        guid_at(related.get(name)?.get("data")?)
    };
    let level = item.guid_of(name).or_else(requested_level);
    let level = level.ok_or_else(|| format!("it does not say which {name} it is about"))?;
    let holder = target(item.value, known).ok_or("it does not say which user it is about")?;
    let event = if gets {
        ZoneEvent::Assigned { held, to: holder, until: None }
    } else {
        ZoneEvent::Unassigned { held, from: holder }
    };
    Ok(vec![known.shown(kind, level, at), Fact::event(zone(kind, level), event)])
}

/// The user that an event is about
fn target(event: &Value, known: &Surroundings<'_>) -> Option<Holder> {
    let target = event.get("target")?;
    let request = requested(event);
    let said = |key: &str| request.and_then(|user| text(user, key));
    let name = said("username").or_else(|| text(target, "name"));
    match guid_at(target).or_else(|| guid_at(request?)) {
        Some(guid) => Some(known.holder(guid, name, said("origin"))),
        None => Some(Holder::user(said("origin"), name?)),
    }
}

fn level_changed(
    kind: LevelKind,
    verb: &str,
    at: Instant,
    item: &Item<'_>,
    known: &Surroundings<'_>,
) -> Result<Vec<Fact>, String> {
    let guid = item.guid_of("target").ok_or("its target has no `guid`")?;
    if ends(verb) {
        let level = format!("{}:{guid}", kind.as_str());
        return Ok(vec![Fact::Event(Event::LevelDeleted(level))]);
    }
    let requested = item.value.pointer("/data/request").and_then(|request| text(request, "name"));
    let named = || text(item.value.get("target")?, "name");
    // The target of an update may have the name of before.
    let name = if verb == "create" { named().or(requested) } else { requested };
    Ok(Vec::from_iter(known.described(kind, guid, name, at)))
}

fn credentials(
    gets: bool,
    at: Instant,
    item: &Item<'_>,
    known: &Surroundings<'_>,
) -> Result<Vec<Fact>, String> {
    let binding = item.guid_of("target").ok_or("its target has no `guid`")?;
    let instance = known.instance_of(binding).ok_or(
        "neither it nor another record says which service instance the credentials are of: add \
         `/v3/service_credential_bindings`",
    )?;
    let (kind, held) = (LevelKind::ServiceInstance, Held::Role(CREDENTIALS.to_owned()));
    let event = if gets {
        ZoneEvent::Assigned { held, to: client(binding), until: None }
    } else {
        ZoneEvent::Unassigned { held, from: client(binding) }
    };
    Ok(vec![known.shown(kind, instance, at), Fact::event(zone(kind, instance), event)])
}

/// Who acted: the account by its id, else what the event calls it
fn actor(event: &Value, known: &Surroundings<'_>) -> Option<String> {
    let actor = event.get("actor")?;
    let (guid, name) = (guid_at(actor), text(actor, "name"));
    if text(actor, "type").is_some_and(|kind| kind != "user") {
        return Some(format!("client:{CF}/{}", name.as_deref().or(guid)?));
    }
    let default = &known.options.default_origin;
    if let Some(user) = guid.and_then(|guid| known.user(guid)) {
        let origin = user.origin.as_ref().unwrap_or(default);
        return Some(format!("user/{origin}/{}", user.name?));
    }
    if let Some((origin, name)) = guid.and_then(|guid| known.options.map.users.get(guid)) {
        return Some(format!("user/{}/{name}", origin.as_ref().unwrap_or(default)));
    }
    match (name, guid) {
        (Some(name), _) => Some(format!("user/{default}/{name}")),
        (None, Some(guid)) if Uuid::try_parse(guid).is_ok() => {
            Some(format!("user/{default}/id-{guid}"))
        }
        // The id of a client is its own name, and it has no e-mail.
        (None, Some(guid)) => Some(format!("client:{CF}/{guid}")),
        (None, None) => None,
    }
}

/// A listing of all events of a stretch covers the organizations that the files name, for that stretch
///
/// It says nothing of the subaccount's own role collections.
pub(crate) fn coverage(
    items: &[Item<'_>],
    requests: &Requests,
    window: Option<(Instant, Instant)>,
    found: &mut Found<'_>,
) {
    let named = items.iter().filter_map(|item| match item.kind {
        Kind::Organization => item.guid,
        Kind::Event => item.guid_of("organization"),
        _ => None,
    });
    let organizations: BTreeSet<&str> = named.collect();
    let events = || {
        let events = items.iter().filter(|item| item.kind == Kind::Event);
        events.filter_map(|item| Some((item.request?, item.guid?, item.created?)))
    };
    let mut stretches = HashMap::new();
    for (request, _, at) in events() {
        let (oldest, newest) = stretches.entry(request).or_insert((at, at));
        (*oldest, *newest) = (at.min(*oldest), at.max(*newest));
    }
    let read = events().map(|(request, guid, _)| (request, guid));
    for (at, request, read) in requests.of(Kind::Event, read) {
        // What was asked for is more than the time between the first event and the last.
        let stretch = window.or_else(|| stretches.get(&at).copied());
        let stretch = stretch.filter(|(oldest, newest)| oldest < newest);
        let (true, true, Some((oldest, newest))) =
            (request.is_of_a_stretch(), request.is_complete(read), stretch)
        else {
            continue;
        };
        for guid in &organizations {
            let level = format!("{}:{guid}", LevelKind::CfOrg.as_str());
            let content = json!([level, oldest.to_string(), newest.to_string()]);
            let mut record = record("audit_events", &request.place, newest, &content);
            let zone = Zone::Level(level);
            let covered = Observation::Covered { zone, subtree: true, from: oldest };
            record.facts.push(Fact::Observation(covered));
            found.record(record);
        }
    }
}
