//! What does an import need to know on its way through the records?
//!
//! A [`Run`] goes through the records in the order of their times. It asks the ledger what was so before
//! each second, and does not rely on what it appended itself. So files may overlap, follow one another or
//! come twice. It keeps only what the ledger cannot answer: for example, when a list of levels was complete.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use serde::de::DeserializeOwned;
use tenure_core::{Instant, LevelKind, Principal, PrincipalKind};
use tenure_wire::api::{self, LevelRow};
use tenure_wire::question::Texts;
use tenure_wire::v1::{Catalog, Change};

use super::accounting::Accounting;
use super::drift::Scope;
use super::knowledge::Knowledge;
use super::listed::{Listing, PagesUnderWay};
use super::moment::Moment;
use super::outbox::{Draft, Outbox};
use super::roles::RoleHistory;
use crate::fact::{UserId, Zone};
use crate::record::Record;
use crate::summary::Summary;
use crate::target::{AskFailure, Target};
use crate::{ImportError, Options, actor};

/// An import under way
pub(crate) struct Run<'a> {
    pub(crate) source: &'static str,
    pub(crate) options: &'a Options,
    actor: String,
    target: &'a mut dyn Target,
    pub(crate) knowledge: Knowledge<'a>,
    pub(crate) summary: Summary,
    pub(crate) accounting: Accounting,
    outbox: Outbox,
    pub(crate) moment: Moment,
    /// The record at hand, and its place in the order of time
    pub(crate) record: &'a Record,
    pub(crate) index: usize,
    /// When a level was last known not to be there
    pub(crate) absent: HashMap<String, Instant>,
    /// From when on a level that was created here exists
    pub(crate) created: HashMap<String, Instant>,
    /// The last complete listing of a kind of levels in a global account
    pub(crate) complete: HashMap<(String, LevelKind), Instant>,
    /// The last observation of a user at a level: the user's version, and the place
    pub(crate) users: HashMap<(String, String), (Option<u64>, String)>,
    /// The principal that an id was last
    pub(crate) called: HashMap<UserId, String>,
    /// What was already observed in this import
    pub(crate) sighted: HashSet<(String, Scope)>,
    /// Listings of levels that are under way
    pub(crate) listings: HashMap<String, Listing>,
    pub(crate) pages: PagesUnderWay,
    /// Levels, and role collections by level, that were there at an earlier second and that this import did not delete.
    /// An event relies on it, so that most need no question. If somebody deleted one in between, the ledger refuses the
    /// entry, and the summary says so
    pub(crate) there: HashSet<String>,
    pub(crate) collections_there: HashSet<(String, String)>,
    catalogs: HashMap<String, Rc<Catalog>>,
    pub(crate) roles: HashMap<String, RoleHistory>,
    /// The differing definitions of role collections that the summary has already
    pub(crate) definitions: BTreeSet<(String, String, Vec<String>)>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        source: &'static str,
        options: &'a Options,
        actor: String,
        target: &'a mut dyn Target,
        knowledge: Knowledge<'a>,
        first: &'a Record,
        summary: Summary,
    ) -> Self {
        Self {
            source,
            options,
            actor,
            target,
            knowledge,
            summary,
            accounting: Accounting::default(),
            outbox: Outbox::new(options.drift_only),
            moment: Moment::new(first.at),
            record: first,
            index: 0,
            absent: HashMap::new(),
            created: HashMap::new(),
            complete: HashMap::new(),
            users: HashMap::new(),
            called: HashMap::new(),
            sighted: HashSet::new(),
            listings: HashMap::new(),
            pages: PagesUnderWay::new(),
            there: HashSet::new(),
            collections_there: HashSet::new(),
            catalogs: HashMap::new(),
            roles: HashMap::new(),
            definitions: BTreeSet::new(),
        }
    }

    /// Goes on to a record
    pub(crate) fn go_on(&mut self, index: usize, record: &'a Record) {
        if self.moment.at != record.at {
            self.moment = Moment::new(record.at);
        }
        (self.index, self.record) = (index, record);
    }

    /// Sends what still waits, and gives the summary
    pub(crate) fn finish(mut self) -> Result<Summary, ImportError> {
        self.flush()?;
        self.accounting.add_to(&mut self.summary.records);
        Ok(self.summary)
    }

    /// Who acts in a record: the actor that it names, else the actor of the options
    pub(crate) fn actor(&self, record: &Record) -> String {
        let origin = &self.options.default_origin;
        let named = record.actor.as_deref();
        named
            .and_then(|actor| actor::principal(actor, self.source, origin))
            .unwrap_or_else(|| self.actor.clone())
    }

    /// The same, but a person whom an observation names comes before the actor of the options
    pub(crate) fn actor_or(&self, record: &Record, named: Option<&String>) -> String {
        let named = named.filter(|name| record.actor.is_none() && name.contains('@'));
        named
            .and_then(|name| Principal::parse_short(name, &self.options.default_origin).ok())
            .map_or_else(|| self.actor(record), |actor| actor.to_string())
    }

    /// Lets an entry wait that takes effect at this second; false if it is malformed
    pub(crate) fn append(
        &mut self,
        reason: String,
        changes: Vec<Change>,
    ) -> Result<bool, ImportError> {
        self.append_since(reason, changes, None)
    }

    /// The same of what happened after a moment, if that is known, and at the latest at this second
    pub(crate) fn append_since(
        &mut self,
        reason: String,
        changes: Vec<Change>,
        not_before: Option<Instant>,
    ) -> Result<bool, ImportError> {
        self.moment.note(&changes);
        let (record, effective_at) = (self.record, self.moment.at);
        let actor = self.actor(record);
        let not_before = not_before.filter(|bound| *bound < effective_at);
        self.push(Draft {
            record,
            index: self.index,
            actor: &actor,
            effective_at,
            not_before,
            reason,
            changes,
        })
    }

    pub(crate) fn append_as(
        &mut self,
        record: &Record,
        actor: &str,
        effective_at: Instant,
        reason: String,
        changes: Vec<Change>,
    ) -> Result<bool, ImportError> {
        let index = self.index;
        self.push(Draft { record, index, actor, effective_at, not_before: None, reason, changes })
    }

    fn push(&mut self, draft: Draft<'_>) -> Result<bool, ImportError> {
        self.outbox.push(self.target, &mut self.summary, &mut self.accounting, draft)
    }

    /// Sends what waits, and tells whether the last entry of it holds now
    pub(crate) fn flush(&mut self) -> Result<bool, ImportError> {
        self.outbox.flush(self.target, &mut self.summary, &mut self.accounting)
    }

    /// The ledger's answer, or `None` where it says that the level is unknown
    pub(crate) fn ask<T: DeserializeOwned>(
        &mut self,
        question: &Texts,
    ) -> Result<Option<T>, ImportError> {
        self.flush()?;
        self.ask_of_before(question)
    }

    /// The same, but what waits to be sent is not in the answer
    fn ask_of_before<T: DeserializeOwned>(
        &mut self,
        question: &Texts,
    ) -> Result<Option<T>, ImportError> {
        let name = question.name;
        match self.target.ask(question) {
            Ok(answer) => serde_json::from_value(answer)
                .map(Some)
                .map_err(|error| ImportError::Answer { question: name, source: error }),
            Err(AskFailure::Problem { code, .. })
                if matches!(
                    code.as_str(),
                    "unknown_level" | "unknown_role_collection" | "unknown_role"
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(ImportError::Ask { question: name, source: error }),
        }
    }

    /// Whether any applied entry names a level; entries that wait to be sent do not count
    pub(crate) fn was_ever_named(&mut self, level: &str) -> Result<bool, ImportError> {
        let question = Texts::named("history")
            .with("level", level)
            .with("outcome", "applied")
            .with("limit", "1");
        let page: Option<api::Entries> = self.ask_of_before(&question)?;
        Ok(page.is_some_and(|page| !page.entries.is_empty()))
    }

    /// The levels that the ledger has at a moment
    pub(crate) fn levels_at(
        &mut self,
        at: Instant,
    ) -> Result<BTreeMap<String, LevelRow>, ImportError> {
        let question = Texts::named("levels").with("at", at.to_string());
        let answer: Option<api::Levels> = self.ask(&question)?;
        let rows = answer.map(|answer| answer.levels).unwrap_or_default();
        Ok(rows.into_iter().map(|row| (row.level.clone(), row)).collect())
    }

    /// The catalogue of a version that an answer at that instant names
    pub(crate) fn catalog(
        &mut self,
        version: Option<String>,
        at: Instant,
    ) -> Result<Option<Rc<Catalog>>, ImportError> {
        let Some(version) = version else {
            return Ok(None);
        };
        if let Some(catalog) = self.catalogs.get(&version) {
            return Ok(Some(Rc::clone(catalog)));
        }
        let question = Texts::named("catalog").with("at", at.to_string());
        let answer: Option<api::CatalogAnswer> = self.ask(&question)?;
        let Some(catalog) = answer.and_then(|answer| answer.catalog) else {
            return Ok(None);
        };
        let catalog = Rc::new(catalog);
        self.catalogs.insert(version, Rc::clone(&catalog));
        Ok(Some(catalog))
    }

    /// The level of a zone, which the ledger has now
    ///
    /// `None` if it cannot have it; the record is left out then.
    pub(crate) fn zone(&mut self, zone: &Zone) -> Result<Option<String>, ImportError> {
        let Some(mut level) = self.knowledge.level(zone).map(str::to_owned) else {
            let subdomain = match zone {
                Zone::GlobalAccount(subdomain) => subdomain,
                Zone::Level(level) | Zone::Identity(level) => level,
            };
            self.left_out(format!(
                "nothing that was read says which global account has the subdomain `{subdomain}`: add the answer to \
                 `get accounts/global-account`",
            ));
            return Ok(None);
        };
        if self.there.contains(&level) {
            return Ok(Some(level));
        }
        if let (Zone::Identity(_), Some((_, id))) = (zone, level.clone().split_once(':'))
            && !self.has(&level)?
        {
            // A zone's id does not say of which kind its level is.
            for kind in [LevelKind::GlobalAccount, LevelKind::Directory] {
                let other = format!("{}:{id}", kind.as_str());
                if self.has(&other)? {
                    level = other;
                }
            }
        }
        if self.ensure_level(&level)? {
            self.there.insert(level.clone());
            return Ok(Some(level));
        }
        self.left_out(format!(
            "the ledger has no `{level}`, and nothing that was read describes it or says what it lies in",
        ));
        Ok(None)
    }

    /// The text of a principal of an identity provider, or `None` if it names nobody
    pub(crate) fn principal(
        &self,
        kind: PrincipalKind,
        origin: Option<&str>,
        name: &str,
    ) -> Option<String> {
        let origin = origin.unwrap_or(&self.options.default_origin);
        let text = format!("{}:{origin}/{name}", kind.as_str());
        Principal::parse(&text).ok().map(|principal| principal.to_string())
    }
}
