//! Which levels, role collections and holdings are there?

use std::sync::Arc;

use crate::ask::answer::{AskError, Holding, LevelThen, RoleCollectionThen};
use crate::ask::plan::Asked;
use crate::history::landscape::LevelState;
use crate::index::mentions::Mention;
use crate::index::timeline::{Of, TimelineId};
use crate::ledger::moment::Moment;
use crate::ledger::view::{Evidence, View};
use crate::words::ability::Ability;
use crate::words::definitions::Defined;
use crate::words::grantable::{Grantable, RoleText};
use crate::words::instant::EffectiveAt;
use crate::words::level::{Level, LevelKind};
use crate::words::position::KnownAt;
use crate::words::principal::Principal;
use crate::words::requirement::Held;
use crate::words::symbol::{LevelRef, PrincipalRef, Symbol};

/// Which holdings are asked for; an absent field leaves none out
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AssignmentFilter {
    /// At this level
    pub on: Option<Level>,
    /// Of this principal: its own, and those of every set that matches it
    pub principal: Option<Principal>,
    /// Of a role collection of this name
    pub role_collection: Option<Arc<str>>,
    /// Of this single role
    pub role: Option<RoleText>,
}

/// Which levels are asked for; an absent field leaves none out
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LevelFilter {
    /// In the subtree of this level, itself included
    pub under: Option<Level>,
    /// Of this kind
    pub kind: Option<LevelKind>,
}

/// Which holdings are wanted, by the numbers of their names; an absent field leaves none out
#[derive(Debug, Default)]
pub(super) struct Wanted {
    on: Option<LevelRef>,
    role_collection: Option<Symbol>,
    role: Option<Held>,
}

impl Wanted {
    pub(super) fn takes(&self, level: LevelRef, grantable: Grantable) -> bool {
        let is_role = |held: Held| match (held, grantable) {
            (Held::Role { application, name }, Grantable::Role(role)) => {
                role.is_meant_by(application, name)
            }
            _ => false,
        };
        self.on.is_none_or(|on| level == on)
            && self.role_collection.is_none_or(|name| grantable == Grantable::RoleCollection(name))
            && self.role.is_none_or(is_role)
    }
}

impl View<'_> {
    /// The counting holdings, in order of principal, level and what is held
    ///
    /// # Errors
    /// An unknown level in `on`, or a role collection that was never defined.
    pub fn assignments(
        &self,
        filter: &AssignmentFilter,
        t: EffectiveAt,
    ) -> Result<Vec<Holding>, AskError> {
        let now = Moment::new(self, t);
        let on = filter.on.as_ref().map(|on| now.level(on)).transpose()?;
        let wanted = self.wanted(filter, on)?;
        let Some(principal) = &filter.principal else {
            let evidence = now.evidence(None, &wanted);
            let mut found: Vec<Holding> =
                evidence.iter().map(|evidence| self.own_holding(evidence)).collect();
            found.sort();
            return Ok(found);
        };
        let mut found = Vec::new();
        let user = self.user(principal);
        for holder in now.matching(user, &|set| self.ever_holds(set)) {
            let evidence = now.evidence(Some(Some(holder.principal)), &wanted);
            if evidence.is_empty() {
                continue;
            }
            let joined = now.joined(holder, user);
            found.extend(
                evidence
                    .into_iter()
                    .map(|own| self.holding(principal, &Evidence { joined, ..own })),
            );
        }
        found.sort();
        Ok(found)
    }

    /// What a filter takes at a level, its names resolved
    ///
    /// # Errors
    /// A role collection or a role that was never defined.
    pub(super) fn wanted(
        &self,
        filter: &AssignmentFilter,
        on: Option<LevelRef>,
    ) -> Result<Wanted, AskError> {
        let name = filter.role_collection.as_ref();
        let role_collection = name.map(|name| self.defined_role_collection(name)).transpose()?;
        let role = filter.role.as_ref().map(|role| self.asked(&Ability::Role(role.clone())));
        let role = match role.transpose()? {
            Some(Asked::Held(held)) => Some(held),
            _ => None,
        };
        Ok(Wanted { on, role_collection, role })
    }

    /// Every timeline that may have what is wanted
    pub(super) fn timelines_of(
        &self,
        wanted: &Wanted,
    ) -> Box<dyn Iterator<Item = TimelineId> + '_> {
        let index = &self.ledger.index;
        match (wanted.on, wanted.role_collection) {
            (Some(level), _) => Box::new(index.at_level(level).map(|(_, timeline)| timeline)),
            (None, Some(name)) => Box::new(index.of_role_collection(name)),
            (None, None) => Box::new(index.timelines().map(|(timeline, _)| timeline)),
        }
    }

    fn defined_role_collection(&self, name: &Arc<str>) -> Result<Symbol, AskError> {
        let symbol = self.ledger.symbols.get(name);
        let defined =
            |name| self.ledger.was_defined(Defined::RoleCollection(name), self.known_at());
        symbol
            .filter(|name| defined(*name))
            .ok_or_else(|| AskError::UnknownRoleCollection(Arc::clone(name)))
    }

    /// Whether any entry ever named a level or a role collection, or a catalogue defined it
    ///
    /// # Errors
    /// One of which nothing is known.
    pub(super) fn ever_named(&self, mention: &Mention) -> Result<(), AskError> {
        let known_at = self.known_at();
        let named = || {
            let mut positions = self.ledger.mentions(mention, KnownAt(0));
            positions.next().is_some_and(|first| known_at.reaches(first))
        };
        match mention {
            // It is there without an entry.
            Mention::Level(level) if self.ledger.is_own_level(level) => Ok(()),
            Mention::Level(level) if !named() => Err(AskError::UnknownLevel(level.clone())),
            Mention::RoleCollection(name) if !named() => {
                self.defined_role_collection(name).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// The levels that exist, in byte order
    pub fn levels(&self, t: EffectiveAt) -> Vec<LevelThen> {
        self.described(self.land(t).levels())
    }

    /// The levels that a filter takes, in byte order
    ///
    /// # Errors
    /// An unknown level in `under`.
    /// # Cost
    /// O(levels of the subtree), or of all levels that ever were.
    pub fn levels_of(
        &self,
        filter: &LevelFilter,
        t: EffectiveAt,
    ) -> Result<Vec<LevelThen>, AskError> {
        let now = Moment::new(self, t);
        let land = now.land;
        let wanted = |level: &LevelRef| filter.kind.is_none_or(|kind| kind == level.kind);
        let Some(under) = &filter.under else {
            return Ok(self.described(land.levels().filter(|(level, _)| wanted(level))));
        };
        let subtree = land.subtree(now.level(under)?).into_iter().filter(wanted);
        Ok(self.described(subtree.filter_map(|level| Some((level, land.level(level)?)))))
    }

    fn described<'l>(
        &self,
        levels: impl Iterator<Item = (LevelRef, &'l LevelState)>,
    ) -> Vec<LevelThen> {
        let text = |level: LevelRef| self.ledger.level_of(level).clone();
        let described = levels.map(|(level, state)| LevelThen {
            level: text(level),
            parent: state.shown_parent().map(text),
            attributes: state.attributes.clone(),
        });
        let mut levels: Vec<LevelThen> = described.collect();
        levels.sort_by(|a, b| a.level.cmp(&b.level));
        levels
    }

    /// The role collections that exist at a level, in byte order
    ///
    /// # Errors
    /// An unknown level.
    pub fn role_collections(
        &self,
        on: &Level,
        t: EffectiveAt,
    ) -> Result<Vec<RoleCollectionThen>, AskError> {
        let now = Moment::new(self, t);
        let level = now.level(on)?;
        let symbols = &self.ledger.symbols;
        let here = now.here(level);
        let mut found: Vec<RoleCollectionThen> = here
            .into_iter()
            .flat_map(|here| here.role_collections().into_iter().map(move |name| (here, name)))
            .filter_map(|(here, name)| {
                let collection = here.role_collection(name)?;
                let mut roles: Vec<String> =
                    collection.roles.iter().map(|role| role.text(symbols)).collect();
                roles.sort();
                Some(RoleCollectionThen {
                    role_collection: Arc::clone(symbols.text(name)),
                    predefined: collection.predefined,
                    roles,
                })
            })
            .collect();
        found.sort_by(|a, b| a.role_collection.cmp(&b.role_collection));
        Ok(found)
    }

    pub(super) fn own_holding(&self, evidence: &Evidence) -> Holding {
        self.holding(&self.ledger.principal_of(evidence.key.principal).clone(), evidence)
    }
}

impl Moment<'_> {
    /// The counting holdings that a filter takes; the search begins where the fewest are
    ///
    /// A principal without a number holds nothing.
    fn evidence(&self, principal: Option<Option<PrincipalRef>>, wanted: &Wanted) -> Vec<Evidence> {
        let ledger = self.view.ledger;
        let index = &ledger.index;
        let timelines: Box<dyn Iterator<Item = TimelineId>> = match principal {
            Some(principal) => {
                Box::new(principal.into_iter().flat_map(|one| index.of_principal(one)))
            }
            None => self.view.timelines_of(wanted),
        };
        let mut found = Vec::new();
        for timeline in timelines {
            let Of::Holding { level, grantable } = index.timeline(timeline).of else { continue };
            let here = if wanted.takes(level, grantable) { self.here(level) } else { None };
            let Some(given) = here.and_then(|here| self.given(&here, grantable, timeline)) else {
                continue;
            };
            match principal.flatten() {
                Some(principal) => found.extend(self.counting(given, principal)),
                None => {
                    let holders = self.holders(given);
                    let holders = holders.iter().map(|number| ledger.numbered(number));
                    found.extend(holders.filter_map(|holder| self.counting(given, holder)));
                }
            }
        }
        found
    }
}
