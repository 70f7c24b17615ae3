//! Which records do the files have, and in which order did they happen?
//!
//! Events of one second stay in the order of their listing. A page that is sorted with the newest first is turned around,
//! and so is the order of such pages. Pages say their numbers, so the order of the files makes no difference.

use std::cmp::Ordering;
use std::collections::HashSet;

use serde_json::Value;
use tenure_core::{Instant, LevelKind};

use super::record;
use super::requests::{Page, Requests};
use crate::ImportError;
use crate::document::Document;
use crate::found::Found;
use crate::json::{items, text};
use crate::record::Place;

/// What a record is
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Kind {
    Event,
    Role,
    User,
    Organization,
    Space,
    Instance,
    Binding,
}

impl Kind {
    /// Told by the record's own keys
    fn of(value: &Value) -> Option<Self> {
        let type_of = value.get("type").and_then(Value::as_str).unwrap_or_default();
        let related = |name| value.get("relationships").is_some_and(|all| all.get(name).is_some());
        let link = value.pointer("/links/self/href").and_then(Value::as_str);
        let linked = |list: &str| link.is_none_or(|link| link.contains(&format!("/v3/{list}/")));
        let has = |key| value.get(key).is_some();
        if type_of.starts_with("audit.") && has("target") {
            return Some(Self::Event);
        }
        if related("user") && (related("space") || related("organization")) {
            return Some(Self::Role);
        }
        if has("username") || has("presentation_name") {
            return Some(Self::User);
        }
        if related("service_instance") && ["app", "key"].contains(&type_of) {
            return Some(Self::Binding);
        }
        if related("space") && ["managed", "user-provided"].contains(&type_of) {
            return Some(Self::Instance);
        }
        if !has("name") {
            return None;
        }
        // Domains lie in organizations too.
        if related("organization") && linked("spaces") && !has("internal") {
            return Some(Self::Space);
        }
        let is_organization = !related("organization")
            && linked("organizations")
            && (link.is_some() || has("suspended"));
        is_organization.then_some(Self::Organization)
    }

    /// The name of its listing in the API
    pub(crate) fn list(self) -> &'static str {
        match self {
            Self::Event => "audit_events",
            Self::Role => "roles",
            Self::User => "users",
            Self::Organization => "organizations",
            Self::Space => "spaces",
            Self::Instance => "service_instances",
            Self::Binding => "service_credential_bindings",
        }
    }

    /// The level that it describes
    pub(crate) fn level(self) -> Option<LevelKind> {
        match self {
            Self::Organization => Some(LevelKind::CfOrg),
            Self::Space => Some(LevelKind::CfSpace),
            Self::Instance => Some(LevelKind::ServiceInstance),
            Self::Event | Self::Role | Self::User | Self::Binding => None,
        }
    }
}

/// A record of a file
#[derive(Debug)]
pub(crate) struct Item<'a> {
    pub(crate) kind: Kind,
    pub(crate) value: &'a Value,
    pub(crate) place: Place,
    pub(crate) guid: Option<&'a str>,
    pub(crate) created: Option<Instant>,
    pub(crate) updated: Option<Instant>,
    /// Whether no record before it has its id
    pub(crate) first: bool,
    /// The request that it is an answer to, if the page says it
    pub(crate) request: Option<usize>,
}

impl<'a> Item<'a> {
    fn new(kind: Kind, value: &'a Value, place: Place, request: Option<usize>) -> Self {
        let guid = value.get("guid").and_then(Value::as_str).filter(|guid| !guid.is_empty());
        let (created, updated) = (moment(value, "created_at"), moment(value, "updated_at"));
        Self { kind, value, place, guid, created, updated, first: true, request }
    }

    pub(crate) fn text(&self, key: &str) -> Option<String> {
        text(self.value, key)
    }

    /// The id of something that it is related to
    pub(crate) fn related(&self, name: &str) -> Option<&'a str> {
        guid_at(self.value.get("relationships")?.get(name)?.get("data")?)
    }

    /// The id in an object of its own, as an event has its `space`
    pub(crate) fn guid_of(&self, key: &str) -> Option<&'a str> {
        guid_at(self.value.get(key)?)
    }
}

pub(crate) fn guid_at(value: &Value) -> Option<&str> {
    value.get("guid")?.as_str().filter(|guid| !guid.is_empty())
}

fn moment(value: &Value, key: &str) -> Option<Instant> {
    Instant::parse(value.get(key)?.as_str()?).ok().filter(|at| *at >= Instant::EPOCH)
}

/// Lists that pages include beside their own
const INCLUDED: [&str; 3] = ["organizations", "spaces", "users"];

/// The records of all files in the order of their listings, and the requests that they answer
pub(crate) fn of<'a>(
    documents: &'a [Document],
    found: &mut Found<'_>,
) -> Result<(Vec<Item<'a>>, Requests), ImportError> {
    let mut requests = Requests::default();
    let mut pages: Vec<(Page, &Document)> =
        documents.iter().map(|document| (Page::of(&document.value), document)).collect();
    pages.sort_by_key(|(page, _)| page.number);
    let (descending, mut pages): (Vec<_>, Vec<_>) =
        pages.into_iter().partition(|(page, document)| is_descending(page, document));
    let ascending = pages.len();
    pages.extend(descending.into_iter().rev());
    let mut all = Vec::new();
    let mut seen = HashSet::new();
    for (index, (page, document)) in pages.into_iter().enumerate() {
        let request = requests.take(page, document.place(0));
        let records = document.records(&["resources"]).iter().enumerate();
        let own: Vec<_> = records.map(|(n, value)| (document.place(n), value)).collect();
        let own: Vec<_> = if index < ascending { own } else { own.into_iter().rev().collect() };
        let included = document.value.get("included");
        let included = included.into_iter().flat_map(|lists| {
            INCLUDED.iter().flat_map(|name| items(lists, name)).map(|v| (document.place(0), v))
        });
        let own = own.into_iter().map(|(place, value)| (place, value, true));
        for (place, value, is_own) in
            own.chain(included.map(|(place, value)| (place, value, false)))
        {
            let Some(kind) = Kind::of(value) else {
                other(place, value, found)?;
                continue;
            };
            let mut item = Item::new(kind, value, place, request.filter(|_| is_own));
            item.first = item.guid.is_none_or(|guid| seen.insert((kind, guid)));
            // A page of roles includes the same users and spaces again and again.
            if item.first || is_own {
                all.push(item);
            }
        }
    }
    for item in all.iter().filter(|item| !item.first) {
        again(item, found);
    }
    Ok((all, requests))
}

fn is_descending(page: &Page, document: &Document) -> bool {
    if let Some(descending) = page.descending {
        return descending;
    }
    let records = document.records(&["resources"]);
    let time = |value: Option<&Value>| value.and_then(|value| moment(value, "created_at"));
    let (first, last) = (time(records.first()), time(records.last()));
    first.zip(last).is_some_and(|(first, last)| first.cmp(&last) == Ordering::Greater)
}

/// A record that another page has too
fn again(item: &Item<'_>, found: &mut Found<'_>) {
    // Roles and bindings are counted by the level that they are of.
    if matches!(item.kind, Kind::Role | Kind::Binding | Kind::Event) {
        return;
    }
    let at = item.created.unwrap_or(Instant::EPOCH);
    let mut record = record(item.kind.list(), &item.place, at, item.value);
    record.passed_over = Some("records that another page has too".to_owned());
    found.record(record);
}

/// A record of another kind
fn other(place: Place, value: &Value, found: &mut Found<'_>) -> Result<(), ImportError> {
    if let Some(error) = items(value, "errors").first() {
        let title = text(error, "title").or_else(|| text(error, "detail")).unwrap_or_default();
        return found.bad(place, format!("it is an error of Cloud Foundry, no listing: {title}"));
    }
    let Some(at) = moment(value, "created_at") else {
        let problem = "it is none of the records of Cloud Foundry that are read, and says no time";
        return found.bad(place, problem.to_owned());
    };
    let mut record = record("other records", &place, at, value);
    record.passed_over = Some("records of a kind that is not about access".to_owned());
    found.record(record);
    Ok(())
}
