//! Exchange by exchange: what is appended because of each?
//!
//! A [`Run`] goes through the exchanges in order of time and keeps what it needs on the way. What the
//! ledger has is asked of the ledger, as of the moment before the exchange; the changes that this run
//! makes at the same second are added in order, since the server's times have no finer digits. So an
//! import over an earlier one finds what that one left, and asks for nothing twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use serde::de::DeserializeOwned;
use tenure_core::{Instant, LevelKind, Principal};
use tenure_wire::api::{self, LevelRow};
use tenure_wire::question::Texts;
use tenure_wire::v1::{Catalog, Change};

use crate::btp_cli::dates;
use crate::btp_cli::{Exchange, What, Zone};
use crate::reconcile::knowledge::Knowledge;
use crate::reconcile::outbox::{Draft, Outbox};
use crate::reconcile::role_collections::ZoneThen;
use crate::reconcile::roles::RoleHistory;
use crate::summary::Summary;
use crate::target::{AskFailure, Target};
use crate::{ImportError, Options};

/// A change of a holding at this second
#[derive(Debug)]
pub(crate) enum HoldingChange {
    Granted {
        level: String,
        principal: String,
        role_collection: String,
    },
    Revoked {
        level: String,
        principal: String,
        role_collection: String,
    },
    /// All holdings of a deleted role collection
    Ended {
        level: String,
        role_collection: String,
    },
}

/// What is so at the second of the exchange at hand, changes of this run included
#[derive(Debug)]
pub(crate) struct Moment {
    pub(crate) at: Instant,
    pub(crate) levels: Option<BTreeMap<String, LevelRow>>,
    pub(crate) zones: HashMap<String, ZoneThen>,
    pub(crate) holdings: Vec<HoldingChange>,
}

impl Moment {
    fn new(at: Instant) -> Self {
        Self { at, levels: None, zones: HashMap::new(), holdings: Vec::new() }
    }
}

/// An import under way
pub(crate) struct Run<'a> {
    pub(crate) options: &'a Options,
    actor: String,
    target: &'a mut dyn Target,
    pub(crate) knowledge: Knowledge<'a>,
    pub(crate) summary: Summary,
    outbox: Outbox,
    pub(crate) moment: Moment,
    /// The exchange at hand
    pub(crate) source: Option<&'a Exchange>,
    /// When a level was last known not to be there
    pub(crate) absent: HashMap<String, Instant>,
    /// From when on a level that was created here exists
    pub(crate) created: HashMap<String, Instant>,
    /// The last complete listing of a kind of levels in a global account
    pub(crate) complete: HashMap<(String, LevelKind), Instant>,
    /// The last sight of a user at a level: its version and the line
    pub(crate) users: HashMap<(String, String), (Option<u64>, u64)>,
    catalogs: HashMap<String, Rc<Catalog>>,
    pub(crate) roles: HashMap<String, RoleHistory>,
    pub(crate) definitions: BTreeSet<(String, String, Vec<String>)>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        options: &'a Options,
        actor: String,
        target: &'a mut dyn Target,
        knowledge: Knowledge<'a>,
        summary: Summary,
    ) -> Self {
        Self {
            options,
            actor,
            target,
            knowledge,
            summary,
            outbox: Outbox::default(),
            moment: Moment::new(Instant::EPOCH),
            source: None,
            absent: HashMap::new(),
            created: HashMap::new(),
            complete: HashMap::new(),
            users: HashMap::new(),
            catalogs: HashMap::new(),
            roles: HashMap::new(),
            definitions: BTreeSet::new(),
        }
    }

    /// Appends what an exchange gives
    pub(crate) fn apply(
        &mut self,
        index: usize,
        exchange: &'a Exchange,
    ) -> Result<(), ImportError> {
        if self.moment.at != exchange.at {
            self.moment = Moment::new(exchange.at);
        }
        self.source = Some(exchange);
        match &exchange.what {
            What::Levels { seen, complete } => self.levels_seen(exchange, seen, complete.as_ref()),
            What::LevelGone(level) => self.level_gone(exchange, level),
            What::DeletionAsked { level, seen } => {
                self.deletion_asked(index, exchange, level, seen)
            }
            What::Collections(zone, seen) => self.collections_listed(exchange, zone, seen),
            What::Collection(zone, seen) => self.collection_seen(exchange, zone, seen),
            What::CollectionGone(zone, name) => self.collection_gone(exchange, zone, name),
            What::CollectionCreated(zone, seen) => self.collection_created(exchange, zone, seen),
            What::CollectionDeleted(zone, name) => self.collection_deleted(exchange, zone, name),
            What::RoleAdded { zone, collection, role } => {
                self.role_added(exchange, zone, collection, role)
            }
            What::RoleRemoved { zone, collection, role } => {
                self.role_removed(exchange, zone, collection, role)
            }
            What::RoleCreated(zone, role) => self.role_created(exchange, zone, role),
            What::RoleDeleted(zone, role) => self.role_deleted(exchange, zone, role),
            What::Assigned { zone, collection, to, after } => {
                self.assigned(exchange, zone, collection, to, after.as_ref())
            }
            What::Unassigned { zone, collection, from, after } => {
                self.unassigned(exchange, zone, collection, from, after.as_ref())
            }
            What::Holders { zone, collection, users, all } => {
                self.holders_seen(exchange, zone, collection, users, *all)
            }
            What::Mappings { zone, collection, definition, mappings } => {
                if let Some(definition) = definition {
                    self.collection_seen(exchange, zone, definition)?;
                }
                self.mappings_seen(exchange, zone, collection, mappings)
            }
            What::User { zone, origin, name, seen } => {
                self.user_seen(exchange, zone, origin.as_deref(), name, seen.as_ref())
            }
            What::Users { zone, origin, names } => {
                self.users_listed(exchange, zone, origin.as_deref(), names)
            }
            What::AddedMe(level) => self.added_me(exchange, level),
            What::Roles(..) | What::Trust(..) => Ok(()),
            What::Nothing(reason) => {
                self.summary.skip(reason);
                Ok(())
            }
        }
    }

    /// Sends what still waits, and gives the summary
    pub(crate) fn finish(mut self) -> Result<Summary, ImportError> {
        self.outbox.flush(self.target, &mut self.summary)?;
        Ok(self.summary)
    }

    /// Who acts in an exchange: whoever it says, else whoever the options say
    pub(crate) fn actor(&self, exchange: &Exchange) -> String {
        exchange
            .actor
            .as_deref()
            .and_then(|actor| Principal::parse_short(actor, &self.options.default_origin).ok())
            .map_or_else(|| self.actor.clone(), |actor| actor.to_string())
    }

    /// The same, with a second best for what a body says of whoever made it
    pub(crate) fn actor_or(&self, exchange: &Exchange, named: Option<&String>) -> String {
        let named = named.filter(|name| exchange.actor.is_none() && name.contains('@'));
        named
            .and_then(|name| Principal::parse_short(name, &self.options.default_origin).ok())
            .map_or_else(|| self.actor(exchange), |actor| actor.to_string())
    }

    /// Lets an entry wait that takes effect at this second
    pub(crate) fn append(
        &mut self,
        source: &Exchange,
        reason: String,
        changes: Vec<Change>,
    ) -> Result<bool, ImportError> {
        let actor = self.actor(source);
        self.append_as(source, &actor, self.moment.at, reason, changes)
    }

    pub(crate) fn append_as(
        &mut self,
        source: &Exchange,
        actor: &str,
        effective_at: Instant,
        reason: String,
        changes: Vec<Change>,
    ) -> Result<bool, ImportError> {
        let draft = Draft { source, actor, effective_at, reason, changes };
        self.outbox.push(self.target, &mut self.summary, draft)
    }

    /// Sends what waits, and tells whether the last of it holds now
    pub(crate) fn flush(&mut self) -> Result<bool, ImportError> {
        self.outbox.flush(self.target, &mut self.summary)
    }

    /// The ledger's answer, or `None` where it says that the level is unknown
    pub(crate) fn ask<T: DeserializeOwned>(
        &mut self,
        question: &Texts,
    ) -> Result<Option<T>, ImportError> {
        self.flush()?;
        self.ask_of_before(question)
    }

    /// The same, of what the ledger was told before what waits
    fn ask_of_before<T: DeserializeOwned>(
        &mut self,
        question: &Texts,
    ) -> Result<Option<T>, ImportError> {
        let name = question.name;
        match self.target.ask(question) {
            Ok(answer) => serde_json::from_value(answer)
                .map(Some)
                .map_err(|error| ImportError::Answer { question: name, source: error }),
            Err(AskFailure::Problem { code, .. }) if code == "unknown_level" => Ok(None),
            Err(error) => Err(ImportError::Ask { question: name, source: error }),
        }
    }

    /// The moment before this second
    pub(crate) fn before(&self) -> Instant {
        dates::before(self.moment.at)
    }

    /// Whether any applied entry names a level, but for those that wait
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

    /// The catalogue of a version that an answer at this second names
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

    /// The level of a zone, which the ledger has from here on, or `None` with the reason counted
    pub(crate) fn zone(&mut self, zone: &Zone) -> Result<Option<String>, ImportError> {
        let Some(level) = self.knowledge.level(zone).map(str::to_owned) else {
            self.summary.skip("nothing recorded says which global account has that subdomain");
            return Ok(None);
        };
        if self.ensure_level(&level)? {
            return Ok(Some(level));
        }
        self.summary.skip("its level was never described, or is gone");
        Ok(None)
    }

    /// The text of a principal of an identity provider, or `None` if it names nobody
    pub(crate) fn principal(&self, kind: &str, origin: Option<&str>, name: &str) -> Option<String> {
        let origin = origin.unwrap_or(&self.options.default_origin);
        let text = format!("{kind}:{origin}/{name}");
        Principal::parse(&text).ok().map(|principal| principal.to_string())
    }
}
