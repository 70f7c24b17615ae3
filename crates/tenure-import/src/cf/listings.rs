//! What do listings of roles and of service credential bindings say?

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use tenure_core::{Instant, LevelKind};

use super::events::{CREDENTIALS, client, role, zone};
use super::items::{Item, Kind};
use super::record;
use super::requests::Requests;
use super::surroundings::Surroundings;
use crate::ImportError;
use crate::fact::{Fact, Held, Holder, HoldingSeen, ZoneEvent, ZoneObservation};
use crate::found::Found;
use crate::record::Place;

/// A role or a binding
struct Seen<'a> {
    level: (LevelKind, &'a str),
    holder: Holder,
    held: Held,
}

/// What is listed of a level
struct Listed<'a> {
    place: Place,
    /// By their ids
    seen: BTreeMap<&'a str, HoldingSeen>,
    all: bool,
}

pub(crate) fn read(
    items: &[Item<'_>],
    requests: &Requests,
    known: &Surroundings<'_>,
    found: &mut Found<'_>,
) -> Result<(), ImportError> {
    for kind in [Kind::Role, Kind::Binding] {
        let mut read = Vec::new();
        for item in items.iter().filter(|item| item.kind == kind) {
            match seen(item, known) {
                Ok((guid, seen)) => read.push((item, guid, seen)),
                Err(problem) => found.bad(item.place.clone(), problem)?,
            }
        }
        match known.options.at {
            Some(at) => at_once(kind, at, read, requests, known, found),
            None => one_by_one(read, known, found)?,
        }
    }
    Ok(())
}

fn seen<'a>(item: &Item<'a>, known: &Surroundings<'_>) -> Result<(&'a str, Seen<'a>), String> {
    let guid = item.guid.ok_or("it has no `guid`")?;
    if item.kind == Kind::Binding {
        let instance = item.related("service_instance");
        let instance = instance.ok_or("it does not say which service instance it is of")?;
        let level = (LevelKind::ServiceInstance, instance);
        let held = Held::Role(CREDENTIALS.to_owned());
        return Ok((guid, Seen { level, holder: client(guid), held }));
    }
    let type_of = item.text("type").unwrap_or_default();
    let (kind, held) =
        role(&type_of).ok_or_else(|| format!("`{type_of}` is no role that is known here"))?;
    let name = if kind == LevelKind::CfOrg { "organization" } else { "space" };
    let level =
        item.related(name).ok_or_else(|| format!("it does not say of which {name} it is"))?;
    let user = item.related("user").ok_or("it does not say which user has it")?;
    let holder = known.holder(user, None, None);
    Ok((guid, Seen { level: (kind, level), holder, held }))
}

/// Each as a grant at its own time, since the time of the listing is not known
fn one_by_one(
    read: Vec<(&Item<'_>, &str, Seen<'_>)>,
    known: &Surroundings<'_>,
    found: &mut Found<'_>,
) -> Result<(), ImportError> {
    for (item, guid, Seen { level: (kind, level), holder, held }) in read {
        let Some(at) = item.created else {
            let problem =
                "it does not say when it was created, and `--at` does not say when it was listed";
            found.bad(item.place.clone(), problem.to_owned())?;
            continue;
        };
        let mut record = record(item.kind.list(), &item.place, at, &json!(guid));
        if item.first {
            let event = ZoneEvent::Assigned { held, to: holder, until: None };
            record.facts =
                vec![known.shown(kind, level, at), Fact::event(zone(kind, level), event)];
        } else {
            record.passed_over = Some("records that another page has too".to_owned());
        }
        found.record(record);
    }
    Ok(())
}

/// All of a level at once, as the listing shows it
fn at_once(
    kind: Kind,
    at: Instant,
    read: Vec<(&Item<'_>, &str, Seen<'_>)>,
    requests: &Requests,
    known: &Surroundings<'_>,
    found: &mut Found<'_>,
) {
    let ids = read.iter().filter_map(|(item, guid, _)| Some((item.request?, *guid)));
    let mut whole = BTreeMap::new();
    let mut everywhere = None;
    for (_, request, read) in requests.of(kind, ids) {
        if !request.is_complete(read) {
            continue;
        }
        if request.is_of_all() {
            everywhere = Some(request.place.clone());
        }
        for (level, name) in filters(kind) {
            for guid in request.only(name).into_iter().flatten() {
                whole.insert((*level, guid), request.place.clone());
            }
        }
    }
    if let Some(place) = &everywhere {
        let lists: &[Kind] =
            if kind == Kind::Role { &[Kind::Organization, Kind::Space] } else { &[Kind::Instance] };
        for list in lists {
            let levels = known.listed(*list, at).filter_map(|guid| Some((list.level()?, guid)));
            whole.extend(levels.map(|level| (level, place.clone())));
        }
    }
    let mut levels: BTreeMap<(LevelKind, &str), Listed<'_>> = BTreeMap::new();
    for (level, place) in whole {
        levels.insert(level, Listed { place, seen: BTreeMap::new(), all: true });
    }
    for (item, guid, Seen { level, holder, held }) in read {
        let all = everywhere.is_some();
        let listed = levels.entry(level).or_insert_with(|| Listed {
            place: item.place.clone(),
            seen: BTreeMap::new(),
            all,
        });
        listed.seen.insert(guid, HoldingSeen { holder, held, since: item.created });
    }
    for ((level, guid), Listed { place, seen, all }) in levels {
        let ids: BTreeSet<_> = seen.keys().collect();
        let content = json!([level.as_str(), guid, at.to_string(), all, ids]);
        let mut record = record(kind.list(), &place, at, &content);
        let seen = seen.into_values().collect();
        record.facts = vec![
            known.shown(level, guid, at),
            Fact::observation(
                zone(level, guid),
                ZoneObservation::Holdings { seen, all, intent: false },
            ),
        ];
        found.record(record);
    }
}

/// The filters of a request that leave a listing of these levels whole
fn filters(kind: Kind) -> &'static [(LevelKind, &'static str)] {
    match kind {
        Kind::Role => {
            &[(LevelKind::CfOrg, "organization_guids"), (LevelKind::CfSpace, "space_guids")]
        }
        _ => &[(LevelKind::ServiceInstance, "service_instance_guids")],
    }
}
