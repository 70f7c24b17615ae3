//! What do the APIs of XSUAA say?
//!
//! - An array of role collections is a whole listing of a zone: of their roles, users and mappings, as far as these were
//!   asked for. Nothing in the answer says what was asked for. It was if any role collection of the listing has the
//!   key; a role collection without the key has none then.
//! - Users come in pages, in UAA's dialect of SCIM. They are all users if the pages together have as many as they say.
//! - Identity providers say which origin a mapping is of.
//!
//! A listing has no time: the options say when it was made. A zone says its id only in users and mappings. The level of
//! the options comes before it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;
use tenure_core::{Instant, Level};
use uuid::Uuid;

use crate::document::Document;
use crate::fact::{
    CollectionSeen, Fact, Holder, Observation, Page, UserId, UserSeen, Zone, ZoneObservation,
};
use crate::found::Found;
use crate::json::{Totals, items, text};
use crate::record::{Place, Record, RecordId};
use crate::{ImportError, Options, xs};

const NAME: &str = "XSUAA";

/// The namespace of the ids of records
const NAMESPACE: Uuid = Uuid::from_u128(0x2a9b_47c6_0e1f_5d38_b6d4_13f8_c05e_9a72);

const USERS: &str = "userReferences";
const MAPPINGS: &str = "samlAttributeAssignment";
const GROUPS: &str = "groupReferences";
const ROLES: &str = "roleReferences";

/// What a row is
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Collection,
    User,
    IdentityProvider,
    Other,
}

fn kind(row: &Value) -> Kind {
    let has = |key: &str| row.get(key).is_some();
    if has("originKey") {
        Kind::IdentityProvider
    } else if has("userName") {
        Kind::User
    } else if [ROLES, USERS, MAPPINGS, GROUPS, "isReadOnly"].iter().any(|key| has(key)) {
        Kind::Collection
    } else {
        Kind::Other
    }
}

/// A row, and whether it is of a list
struct Row {
    place: Place,
    value: Value,
    listed: bool,
}

/// All rows of a zone
#[derive(Default)]
struct Rows {
    collections: Vec<Row>,
    users: Vec<Row>,
    idps: Vec<Row>,
    totals: Totals,
}

pub(crate) fn read(
    documents: Vec<Document>,
    options: &Options,
    found: &mut Found<'_>,
) -> Result<(), ImportError> {
    let said = |problem: &str| ImportError::Options(problem.to_owned());
    let Some(at) = options.at else {
        return Err(said("say with `--at` when the file was made: it does not say it itself"));
    };
    let mut ids: BTreeSet<String> = BTreeSet::new();
    let mut zones: Vec<Option<String>> = Vec::new();
    for document in &documents {
        let own: BTreeSet<String> = rows_of(document).iter().flat_map(zone_ids).collect();
        zones.push(own.first().cloned());
        ids.extend(own);
    }
    if let Some(on) = &options.on
        && Level::parse(on).is_err()
    {
        return Err(said("`--on` is a level, as `subaccount:<id>`"));
    }
    let mut several = ids.iter();
    let only = match (several.next(), several.next()) {
        (Some(one), Some(other)) if options.on.is_some() => {
            return Err(ImportError::Options(format!(
                "the files are of the zones `{one}` and `{other}`, and `--on` names one level: import each by itself"
            )));
        }
        (one, None) => one.cloned(),
        _ => None,
    };
    let mut by_zone: BTreeMap<String, Rows> = BTreeMap::new();
    for (document, own) in documents.iter().zip(zones) {
        let Some(zone) = options.on.clone().or(own).or_else(|| only.clone()) else {
            return Err(said(
                "say with `--on` the level that the files are of, and import each level by itself: a file does not say it",
            ));
        };
        let rows = by_zone.entry(zone).or_default();
        let listed = rows_of(document);
        let is_list = document.value.is_array() || document.value.get("totalResults").is_some();
        if listed.iter().any(|row| kind(row) == Kind::User) {
            rows.totals.add(&document.value);
        }
        for (index, value) in listed.iter().enumerate() {
            let place = document.place(index);
            let row = Row { place: place.clone(), value: value.clone(), listed: is_list };
            match kind(value) {
                Kind::Collection => rows.collections.push(row),
                Kind::User => rows.users.push(row),
                Kind::IdentityProvider => rows.idps.push(row),
                // A page without a list has no records.
                Kind::Other if value.get("totalResults").is_some() => {}
                Kind::Other => {
                    let problem = "it is no role collection, user or identity provider";
                    found.bad(place, problem.to_owned())?;
                }
            }
        }
    }
    for (zone, rows) in by_zone {
        let (space, zone) = match &options.on {
            Some(on) => {
                let id = on.split_once(':').map_or(on.as_str(), |(_, id)| id);
                (only.clone().unwrap_or_else(|| id.to_owned()), Zone::Level(on.clone()))
            }
            None => (zone.clone(), Zone::Identity(format!("subaccount:{zone}"))),
        };
        let mut listing = Listing { found: &mut *found, at, zone, space, seen: HashSet::new() };
        listing.identity_providers(rows.idps)?;
        listing.collections(rows.collections)?;
        listing.users(rows.users, &rows.totals)?;
    }
    Ok(())
}

fn rows_of(document: &Document) -> &[Value] {
    document.records(&["resources", "Resources", "value", "entries"])
}

/// The ids of the zones that a row is of
fn zone_ids(row: &Value) -> Vec<String> {
    let inside = [USERS, MAPPINGS, GROUPS].into_iter().flat_map(|key| items(row, key));
    let all = std::iter::once(row).chain(inside);
    all.flat_map(|row| ["zoneId", "roleCollectionIdentityZone"].map(|key| text(row, key)))
        .flatten()
        .collect()
}

/// What was listed of a zone
struct Listing<'l, 'o> {
    found: &'l mut Found<'o>,
    at: Instant,
    zone: Zone,
    /// Whose ids the ids of users are
    space: String,
    /// Rows that were read already, by their content
    seen: HashSet<Uuid>,
}

impl Listing<'_, '_> {
    fn record(
        &mut self,
        place: Place,
        kind: &str,
        id: RecordId,
        facts: Vec<Fact>,
        reason: Option<&str>,
    ) {
        self.found.record(Record {
            source: NAME,
            kind: kind.to_owned(),
            place,
            at: self.at,
            version: None,
            id,
            actor: None,
            facts,
            passed_over: reason.map(str::to_owned),
        });
    }

    fn fact(&self, observation: ZoneObservation) -> Fact {
        Fact::observation(self.zone.clone(), observation)
    }

    fn id(&self, kind: &str, content: &Value) -> RecordId {
        let zone = Value::from(self.space.as_str());
        RecordId::of(&NAMESPACE, [&kind.into(), &zone, content].into_iter())
    }

    /// Whether the row was read already; then it is noted
    fn again(&mut self, kind: &str, row: &Row) -> bool {
        let id = self.id(kind, &row.value);
        let new = self.seen.insert(id.entry(self.at, &[]));
        if !new {
            let reason = "the same was read before: pages overlap";
            self.record(row.place.clone(), kind, id, Vec::new(), Some(reason));
        }
        !new
    }

    fn identity_providers(&mut self, rows: Vec<Row>) -> Result<(), ImportError> {
        let kind = "identity provider";
        for row in rows {
            if self.again(kind, &row) {
                continue;
            }
            let Some(idp) = xs::identity_provider(&row.value) else {
                self.found.bad(row.place, "the identity provider has no `originKey`".to_owned())?;
                continue;
            };
            let (id, fact) =
                (self.id(kind, &row.value), self.fact(ZoneObservation::Trust(vec![idp])));
            self.record(row.place, kind, id, vec![fact], None);
        }
        Ok(())
    }

    fn collections(&mut self, rows: Vec<Row>) -> Result<(), ImportError> {
        let kind = "role collection";
        let mut named: BTreeMap<String, Row> = BTreeMap::new();
        let mut gaps = false;
        for row in rows {
            if self.again(kind, &row) {
                continue;
            }
            let Some(name) = text(&row.value, "name") else {
                gaps = true;
                self.found.bad(row.place, "the role collection has no `name`".to_owned())?;
                continue;
            };
            if let Some(other) = named.get(&name) {
                let problem = format!(
                    "`{name}` is shown otherwise by {}: files of two levels or of two moments need an import each",
                    other.place
                );
                gaps = true;
                self.found.bad(row.place, problem)?;
                continue;
            }
            named.insert(name, row);
        }
        // Only what is in a list can be compared with the rest of it.
        let asked =
            |key: &str| named.values().any(|row| row.listed && row.value.get(key).is_some());
        let (roles, users, mappings) = (asked(ROLES), asked(USERS), asked(MAPPINGS));
        let shows = |row: &Row, asked: bool, key: &str| {
            row.value.get(key).is_some() || (row.listed && asked)
        };
        let mut listed: Vec<CollectionSeen> = Vec::new();
        let mut whole = roles && !gaps;
        let mut read: Vec<(Row, Vec<ZoneObservation>)> = Vec::new();
        for (name, row) in named {
            let mut shown = Vec::new();
            let definition = if shows(&row, roles, ROLES) { definition(&row.value) } else { None };
            match definition {
                Some(seen) if row.listed => listed.push(seen),
                Some(seen) => shown.push(ZoneObservation::Collection(seen)),
                None => whole &= !row.listed,
            }
            if shows(&row, users, USERS) {
                let holders = items(&row.value, USERS).iter().map(|user| self.holder(user));
                let (users, collection) = (holders.collect(), name.clone());
                let page = Some(Page::WHOLE);
                shown.push(ZoneObservation::Holders { collection, users, page });
            }
            let mut problem = None;
            if row.value.get(MAPPINGS).is_none() && row.value.get(GROUPS).is_some() {
                // All attributes that are mapped stand in one list, groups also in the other.
                problem = Some(format!("`{name}` has `{GROUPS}` and no `{MAPPINGS}`"));
            } else if shows(&row, mappings, MAPPINGS) {
                match xs::mappings(&row.value) {
                    Some(mappings) => {
                        let collection = name.clone();
                        shown.push(ZoneObservation::Mappings { collection, mappings });
                    }
                    None => {
                        problem =
                            Some(format!("a mapping of `{name}` lacks its attribute or value"));
                    }
                }
            }
            match problem {
                Some(problem) => self.found.bad(row.place, problem)?,
                None => read.push((row, shown)),
            }
        }
        if whole && let Some((row, _)) = read.iter().find(|(row, _)| row.listed) {
            let names = listed.iter().map(|seen| seen.name.as_str()).collect::<Vec<_>>();
            let id = self.id("role collections", &names.into());
            let fact = self.fact(ZoneObservation::Collections(listed));
            self.record(row.place.clone(), "role collections", id, vec![fact], None);
        } else {
            let defined = listed.into_iter().map(ZoneObservation::Collection);
            read.iter_mut().find(|(row, _)| row.listed).into_iter().for_each(|(_, shown)| {
                shown.splice(0..0, defined.clone());
            });
        }
        for (row, shown) in read {
            let facts: Vec<Fact> = shown.into_iter().map(|shown| self.fact(shown)).collect();
            let unasked = "it shows neither roles nor users nor mappings of the role collection";
            let reason = (facts.is_empty() && !whole).then_some(unasked);
            let id = self.id(kind, &row.value);
            self.record(row.place, kind, id, facts, reason);
        }
        Ok(())
    }

    /// A user in a role collection; `None` if neither a name nor an id is known
    fn holder(&self, row: &Value) -> Option<Holder> {
        let id = text(row, "id").map(|id| UserId { space: self.space.clone(), id });
        match xs::holder(row) {
            Some(holder) => Some(Holder { id, ..holder }),
            None => id.map(|id| Holder {
                name: None,
                id: Some(id),
                ..Holder::user(text(row, "origin"), String::new())
            }),
        }
    }

    fn users(&mut self, rows: Vec<Row>, totals: &Totals) -> Result<(), ImportError> {
        let kind = "user";
        let mut ids = HashSet::new();
        let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut last = None;
        let mut read_all = true;
        for row in rows {
            if self.again(kind, &row) {
                continue;
            }
            let (Some(name), Some(own)) = (text(&row.value, "userName"), text(&row.value, "id"))
            else {
                read_all = false;
                self.found.bad(row.place, "the user has no `id` or no `userName`".to_owned())?;
                continue;
            };
            if !ids.insert(own.clone()) {
                let problem = format!("the user `{own}` is shown otherwise before");
                self.found.bad(row.place, problem)?;
                continue;
            }
            let origin = text(&row.value, "origin");
            match &origin {
                Some(origin) => names.entry(origin.clone()).or_default().push(name.clone()),
                None => read_all = false,
            }
            let id = Some(UserId { space: self.space.clone(), id: own });
            let user = Holder { id, ..Holder::user(origin, name) };
            // Groups that come from an identity provider are no assignments of the user's own.
            let direct = |group: &&Value| text(group, "type").is_none_or(|of| of == "DIRECT");
            let collections = row.value.get("groups").and_then(Value::as_array).map(|groups| {
                let direct = groups.iter().filter(direct);
                direct
                    .filter_map(|group| text(group, "display").or_else(|| text(group, "value")))
                    .collect()
            });
            let fact = match collections {
                Some(collections) => {
                    let version = row.value.get("meta").and_then(|meta| meta.get("version"));
                    let version = version.and_then(Value::as_u64);
                    self.fact(ZoneObservation::User(UserSeen { user, collections, version }))
                }
                None => Fact::Observation(Observation::Known(vec![user])),
            };
            let id = self.id(kind, &row.value);
            last = Some(row.place.clone());
            self.record(row.place, kind, id, vec![fact], None);
        }
        if let (Some(place), true) = (last, read_all && totals.prove(ids.len())) {
            for (origin, mut names) in names {
                names.sort();
                let id = self.id("users", &serde_json::json!([origin, names]));
                let seen = ZoneObservation::Users { origin: Some(origin), names };
                let fact = self.fact(seen);
                self.record(place.clone(), "users of an origin", id, vec![fact], None);
            }
        }
        Ok(())
    }
}

/// A role collection whose roles are shown, also where there are none
fn definition(row: &Value) -> Option<CollectionSeen> {
    xs::role_collection(row).or_else(|| {
        // Whether it is delivered makes no difference for its roles.
        let mut row = row.clone();
        row.as_object_mut()?.insert("isReadOnly".to_owned(), false.into());
        xs::role_collection(&row)
    })
}
