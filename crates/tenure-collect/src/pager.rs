//! Which page comes next, and can the pages so far be parts of one listing?
//!
//! A listing changes while its pages are read. What shows it: a total that differs from page to page, a resource that is
//! there twice, a page without resources before the end, an end before the total. One change does not show: if one
//! resource of an earlier page is deleted and another one is created at the end, the resource at the joint of two pages
//! is skipped and the total is the same. The next collection has it.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use serde_json::Value;

use crate::exchange::Answer;
use crate::listings::{Listing, Paging, SCIM_COUNT};
use crate::url::Origin;

/// What is wrong with a page
#[derive(Debug)]
pub(crate) enum Odd {
    /// The listing changed, so it is read again
    Unsteady(&'static str),
    /// This is no such listing
    Shape(&'static str),
    /// The next page is at this other server
    Elsewhere(String),
}

/// What is known of the pages so far
pub(crate) struct Pager<'a> {
    listing: &'a Listing,
    origin: &'a Origin,
    /// How many resources the listing says that it has
    total: Option<u64>,
    /// How many resources there were so far
    pub(crate) count: u64,
    ids: HashSet<String>,
    /// The pages that were asked for
    asked: HashSet<String>,
    /// Hashes of the pages that have no ids
    bodies: HashSet<u64>,
    hashes: RandomState,
}

impl<'a> Pager<'a> {
    pub(crate) fn new(listing: &'a Listing, origin: &'a Origin) -> Self {
        Self {
            listing,
            origin,
            total: None,
            count: 0,
            ids: HashSet::new(),
            asked: HashSet::from([listing.first.clone()]),
            bodies: HashSet::new(),
            hashes: RandomState::new(),
        }
    }

    /// Takes the page that was asked for last, and gives the URL of the next one if there is one
    pub(crate) fn next(&mut self, answer: &Answer) -> Result<Option<String>, Odd> {
        let next = match self.listing.paging {
            Paging::One => {
                self.count += length(&answer.value)?;
                None
            }
            Paging::NextUrl => self.after_url(&answer.value)?,
            Paging::StartIndex => self.after_index(&answer.value)?,
            Paging::Handle => self.after_handle(answer)?,
        };
        match next {
            Some(url) if !self.asked.insert(url.clone()) => {
                Err(Odd::Unsteady("a page names a page as the next one that was read before"))
            }
            next => Ok(next),
        }
    }

    fn after_url(&mut self, page: &Value) -> Result<Option<String>, Odd> {
        let total = page.pointer("/pagination/total_results").and_then(Value::as_u64);
        let total = total.ok_or(Odd::Shape("it has no number `pagination.total_results`"))?;
        let resources = page.get("resources").and_then(Value::as_array);
        let resources = resources.ok_or(Odd::Shape("it has no array `resources`"))?;
        let next = match page.pointer("/pagination/next") {
            None | Some(Value::Null) => None,
            Some(next) => {
                let url = next.get("href").and_then(Value::as_str);
                Some(url.ok_or(Odd::Shape("`pagination.next` has no text `href`"))?)
            }
        };
        self.take(total, resources, "guid")?;
        let Some(next) = next else {
            return match self.count == total {
                true => Ok(None),
                false => Err(Odd::Unsteady("it ended before as many resources as it says")),
            };
        };
        match Origin::of(next) {
            Some(origin) if origin == *self.origin => {}
            Some(origin) => return Err(Odd::Elsewhere(origin.as_str().to_owned())),
            None => return Err(Odd::Shape("`pagination.next.href` is no http or https URL")),
        }
        match resources.is_empty() {
            true => Err(Odd::Unsteady("a page before the end has no resources")),
            false => Ok(Some(next.to_owned())),
        }
    }

    fn after_index(&mut self, page: &Value) -> Result<Option<String>, Odd> {
        let total = page.get("totalResults").and_then(Value::as_u64);
        let total = total.ok_or(Odd::Shape("it has no number `totalResults`"))?;
        // SCIM 2.0 writes `Resources`, a UAA `resources`. Where there are none, the key may be missing.
        let resources = page.get("Resources").or_else(|| page.get("resources"));
        let resources = match resources {
            Some(resources) => resources.as_array().ok_or(Odd::Shape("`Resources` is no array"))?,
            None if self.count == total => &Vec::new(),
            None => return Err(Odd::Unsteady("a page before the end has no resources")),
        };
        self.take(total, resources, "id")?;
        if self.count == total {
            return Ok(None);
        }
        if resources.is_empty() {
            return Err(Odd::Unsteady("a page before the end has no resources"));
        }
        let (path, start) = (&self.listing.path, self.count + 1);
        Ok(Some(format!("{path}?startIndex={start}&count={SCIM_COUNT}")))
    }

    fn after_handle(&mut self, answer: &Answer) -> Result<Option<String>, Odd> {
        if answer.status == 204 {
            return Ok(None);
        }
        let records = length(&answer.value)?;
        if records > 0 && !self.bodies.insert(self.hashes.hash_one(&answer.body)) {
            return Err(Odd::Unsteady("a page is there twice"));
        }
        self.count += records;
        let Some(paging) = &answer.paging else { return Ok(None) };
        let handle = paging.trim().strip_prefix("handle=").map(str::trim).unwrap_or_default();
        // It goes back as it came: the server has encoded it already, or has no need to.
        let lawful = |byte: u8| byte.is_ascii_graphic() && !b"&#\"<>".contains(&byte);
        match !handle.is_empty() && handle.bytes().all(lawful) {
            true => Ok(Some(format!("{}?handle={handle}", self.listing.path))),
            false => Err(Odd::Shape("its header `paging` has no `handle=` with a value")),
        }
    }

    /// Counts the resources of a page
    fn take(&mut self, total: u64, resources: &[Value], id: &str) -> Result<(), Odd> {
        if *self.total.get_or_insert(total) != total {
            return Err(Odd::Unsteady("the number of its resources changed"));
        }
        for resource in resources {
            let id = resource.get(id).and_then(Value::as_str);
            let id = id.ok_or(Odd::Shape("a resource in it has no id"))?;
            if !self.ids.insert(id.to_owned()) {
                return Err(Odd::Unsteady("a resource is there twice"));
            }
        }
        self.count += resources.len() as u64;
        match self.count > total {
            true => Err(Odd::Unsteady("it has more resources than it says")),
            false => Ok(()),
        }
    }
}

/// The length of a page that is an array alone
fn length(page: &Value) -> Result<u64, Odd> {
    page.as_array().map(|array| array.len() as u64).ok_or(Odd::Shape("it is no array"))
}
