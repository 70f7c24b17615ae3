//! Which request is a page an answer to, and was all of the answer read?
//!
//! The address of the first page has the request's filter, and each page counts what all pages have. An array says
//! neither, so it is a part.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::Value;

use super::items::Kind;
use crate::record::Place;

/// Parameters that do not change what a listing has
const HARMLESS: [&str; 4] = ["page", "per_page", "order_by", "include"];

/// What a page says of its listing
#[derive(Debug)]
pub(crate) struct Page {
    /// From 1; 0 if it is not said
    pub(crate) number: u64,
    /// Whether the newest is first, if the request says it
    pub(crate) descending: Option<bool>,
    total: Option<u64>,
    request: Option<(String, BTreeMap<String, String>)>,
}

impl Page {
    pub(crate) fn of(value: &Value) -> Self {
        let address = |key: &str| {
            let link = value.get("pagination")?.get(key)?.get("href")?;
            link.as_str().map(parsed)
        };
        let number = |key| address(key)?.1.get("page")?.parse::<u64>().ok();
        let before = number("next").map(|next| next.saturating_sub(1));
        let after = number("previous").map(|previous| previous.saturating_add(1));
        let mut request = address("first");
        let order = request.as_ref().and_then(|(_, params)| params.get("order_by")).cloned();
        if let Some((_, params)) = &mut request {
            params.retain(|name, _| !HARMLESS.contains(&name.as_str()));
        }
        Self {
            number: before.or(after).unwrap_or_default(),
            descending: order.filter(|by| by.ends_with("ed_at")).map(|by| by.starts_with('-')),
            total: value.pointer("/pagination/total_results").and_then(Value::as_u64),
            request,
        }
    }
}

/// An address without its parameters, and these
fn parsed(address: &str) -> (String, BTreeMap<String, String>) {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let params = query.split('&').filter(|param| !param.is_empty()).map(|param| {
        let (name, value) = param.split_once('=').unwrap_or((param, ""));
        (decoded(name), decoded(value))
    });
    (path.to_owned(), params.collect())
}

/// A part of an address without its escapes (`%2C` is a comma)
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let escape = part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (escape, part.get(2..)) {
            (Some(byte), Some(rest)) => {
                bytes.push(byte);
                bytes.extend_from_slice(rest.as_bytes());
            }
            _ => {
                bytes.push(b'%');
                bytes.extend_from_slice(part.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A request, of which pages were read
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) place: Place,
    path: String,
    filter: BTreeMap<String, String>,
    /// How many records it has; `None` if the pages do not agree
    total: Option<u64>,
}

impl Request {
    /// Whether it lists what has that name in the API
    pub(crate) fn lists(&self, kind: Kind) -> bool {
        self.path.trim_end_matches('/').ends_with(&format!("/v3/{}", kind.list()))
    }

    /// Whether so many different records are all that it has
    pub(crate) fn is_complete(&self, read: usize) -> bool {
        self.total == Some(read as u64)
    }

    /// Whether it is of all events about access in a stretch of time
    pub(crate) fn is_of_a_stretch(&self) -> bool {
        self.filter.iter().all(|(name, value)| {
            let types: BTreeSet<&str> = value.split(',').collect();
            name.starts_with("created_ats[")
                || (name == "types" && ACCESS_TYPES.iter().all(|one| types.contains(one)))
        })
    }

    pub(crate) fn is_of_all(&self) -> bool {
        self.filter.is_empty()
    }

    /// The ids that it is of, if it is limited to these and by nothing else
    pub(crate) fn only(&self, name: &str) -> Option<BTreeSet<&str>> {
        let ids = self.filter.get(name).filter(|_| self.filter.len() == 1)?;
        Some(ids.split(',').filter(|id| !id.is_empty()).collect())
    }
}

/// The types of events that give and end access to organizations and spaces: a listing without one of them leaves
/// something out
const ACCESS_TYPES: [&str; 18] = [
    "audit.user.space_auditor_add",
    "audit.user.space_auditor_remove",
    "audit.user.space_supporter_add",
    "audit.user.space_supporter_remove",
    "audit.user.space_developer_add",
    "audit.user.space_developer_remove",
    "audit.user.space_manager_add",
    "audit.user.space_manager_remove",
    "audit.user.organization_user_add",
    "audit.user.organization_user_remove",
    "audit.user.organization_auditor_add",
    "audit.user.organization_auditor_remove",
    "audit.user.organization_billing_manager_add",
    "audit.user.organization_billing_manager_remove",
    "audit.user.organization_manager_add",
    "audit.user.organization_manager_remove",
    "audit.organization.delete-request",
    "audit.space.delete-request",
];

/// The requests that were answered
#[derive(Debug, Default)]
pub(crate) struct Requests {
    places: HashMap<(String, BTreeMap<String, String>), usize>,
    all: Vec<Request>,
}

impl Requests {
    /// Takes a page, and gives the place of its request
    pub(crate) fn take(&mut self, page: Page, place: Place) -> Option<usize> {
        let Page { total, request, .. } = page;
        let (path, filter) = request?;
        let key = (path.clone(), filter.clone());
        let at = *self.places.entry(key).or_insert(self.all.len());
        match self.all.get_mut(at) {
            Some(request) => {
                request.total = request.total.filter(|known| Some(*known) == total);
                request.place = place.min(request.place.clone());
            }
            None => self.all.push(Request { place, path, filter, total }),
        }
        Some(at)
    }

    /// The requests for a kind of records, each with those of the ids that were read for it
    pub(crate) fn of<'s>(
        &'s self,
        kind: Kind,
        read: impl Iterator<Item = (usize, &'s str)>,
    ) -> impl Iterator<Item = (usize, &'s Request, usize)> {
        let mut ids: HashMap<usize, HashSet<&str>> = HashMap::new();
        for (request, id) in read {
            ids.entry(request).or_default().insert(id);
        }
        let all = self.all.iter().enumerate().filter(move |(_, request)| request.lists(kind));
        all.map(move |(at, request)| (at, request, ids.get(&at).map_or(0, HashSet::len)))
    }
}
