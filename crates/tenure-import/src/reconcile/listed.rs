//! Which levels were listed as a whole, and when?
//!
//! A level is listed once its role collections are listed and, after that, all holders and all mappings of each of
//! them. A source may show all of it at once, or one exchange after another. The ledger keeps it as an `observe`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tenure_core::Instant;
use tenure_wire::api;
use tenure_wire::question::Texts;
use tenure_wire::v1::Change;

use super::drift::Pair;
use super::run::Run;
use crate::ImportError;
use crate::fact::Page;

/// What is listed of a role collection
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Part {
    Users,
    Mappings,
}

/// A listing of a level that is under way
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// What is not shown yet
    rest: BTreeSet<(String, Part)>,
}

/// The pages of the holders of a role collection, so far
#[derive(Debug, Default)]
pub(crate) struct Pages {
    of: u64,
    seen: BTreeMap<u64, BTreeSet<Pair>>,
    nameless: bool,
}

/// Pages by level and role collection
pub(crate) type PagesUnderWay = HashMap<(String, String), Pages>;

impl Run<'_> {
    /// The last listing of a level at or before a moment, as the ledger has it
    pub(crate) fn listed(
        &mut self,
        level: &str,
        at: Instant,
    ) -> Result<Option<Instant>, ImportError> {
        let question = Texts::named("sources").with("on", level).with("at", at.to_string());
        let answer: Option<api::Sources> = self.ask(&question)?;
        let rows = answer.map(|answer| answer.sources).unwrap_or_default();
        let listed = rows.iter().filter_map(|row| row.listed.as_deref());
        Ok(listed.filter_map(|at| Instant::parse(at).ok()).max())
    }

    /// A source saw all that was held at a level: now, or all the time since then
    pub(crate) fn covered(
        &mut self,
        level: &str,
        subtree: bool,
        from: Option<Instant>,
    ) -> Result<(), ImportError> {
        if from.is_some_and(|from| from >= self.moment.at) {
            return Ok(());
        }
        let observe = Change::Observe {
            level: level.to_owned(),
            subtree: subtree.then_some(true),
            source: self.source.to_owned(),
            from: from.map(|from| from.to_string()),
        };
        self.append(format!("what `{}` saw", self.source), vec![observe])?;
        Ok(())
    }

    /// The role collections of a level were listed: a listing of the level begins
    pub(crate) fn listing_begins(&mut self, level: &str, collections: &BTreeSet<&str>) {
        let parts =
            |name: &&str| [Part::Users, Part::Mappings].map(|part| ((*name).to_owned(), part));
        let rest = collections.iter().flat_map(parts).collect();
        self.listings.insert(level.to_owned(), Listing { rest });
    }

    /// A part of a listing was shown as a whole
    pub(crate) fn part_listed(
        &mut self,
        level: &str,
        collection: &str,
        part: Part,
    ) -> Result<(), ImportError> {
        let Some(listing) = self.listings.get_mut(level) else { return Ok(()) };
        listing.rest.remove(&(collection.to_owned(), part));
        if !listing.rest.is_empty() {
            return Ok(());
        }
        self.listings.remove(level);
        self.covered(level, false, None)
    }

    /// Takes a page of the holders of a role collection, and gives all holders once the last page is there
    ///
    /// A page that says another number of pages than those before begins anew.
    pub(crate) fn page_of(
        &mut self,
        level: &str,
        collection: &str,
        page: Page,
        holders: BTreeSet<Pair>,
        nameless: bool,
    ) -> Option<BTreeSet<Pair>> {
        let key = (level.to_owned(), collection.to_owned());
        let pages = self.pages.entry(key.clone()).or_default();
        if pages.of != page.of || page.number == 1 {
            *pages = Pages { of: page.of, ..Pages::default() };
        }
        pages.nameless |= nameless;
        pages.seen.insert(page.number, holders);
        if pages.seen.len() as u64 != pages.of {
            return None;
        }
        let pages = self.pages.remove(&key)?;
        (!pages.nameless).then(|| pages.seen.into_values().flatten().collect())
    }
}
