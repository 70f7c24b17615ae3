//! What is there, and who holds it: levels, role collections, assignments, and what changed between
//! two coordinates

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::answer::{AskError, Diff, Holding, LevelThen, RoleCollectionThen};
use crate::grantable::Grantable;
use crate::holding::{HoldingHistory, HoldingKey};
use crate::instant::EffectiveAt;
use crate::level::Level;
use crate::principal::Principal;
use crate::symbol::LevelRef;
use crate::view::{Evidence, View};

/// Which holdings are asked for; absent means all
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AssignmentFilter {
    /// At this level
    pub on: Option<Level>,
    /// Of this principal itself
    pub principal: Option<Principal>,
    /// Of a role collection of this name
    pub role_collection: Option<Arc<str>>,
}

impl View<'_> {
    /// The counting holdings, in order of principal, level and what is held
    ///
    /// # Errors
    /// An unknown level in `on`.
    pub fn assignments(
        &self,
        filter: &AssignmentFilter,
        t: EffectiveAt,
    ) -> Result<Vec<Holding>, AskError> {
        let on = filter.on.as_ref().map(|on| self.level(on, t)).transpose()?;
        let name = match &filter.role_collection {
            None => None,
            Some(name) => match self.ledger.symbols.get(name) {
                None => return Ok(Vec::new()),
                found => found,
            },
        };
        let wanted = |key: &HoldingKey| {
            on.is_none_or(|on| key.level == on)
                && name.is_none_or(|name| key.grantable == Grantable::RoleCollection(name))
        };
        let mut found: Vec<Holding> = Vec::new();
        for evidence in self.evidence(filter.principal.as_ref(), on, t, wanted) {
            found.push(self.own_holding(&evidence));
        }
        found.sort();
        Ok(found)
    }

    /// The counting holdings gained, lost and changed from this coordinate to another
    ///
    /// `under` is taken at each of the two.
    ///
    /// # Errors
    /// A level in `under` that exists at neither.
    pub fn diff(
        &self,
        t: EffectiveAt,
        other: &View<'_>,
        other_t: EffectiveAt,
        under: Option<&Level>,
        principal: Option<&Principal>,
    ) -> Result<Diff, AskError> {
        if let Some(under) = under
            && self.level(under, t).is_err()
            && other.level(under, other_t).is_err()
        {
            return Err(AskError::UnknownLevel(under.clone()));
        }
        let before = self.held_under(under, principal, t);
        let after = other.held_under(under, principal, other_t);
        let mut diff = Diff::default();
        for (key, then) in &before {
            let old = || self.own_holding(then);
            match after.get(key) {
                None => diff.lost.push(old()),
                Some(now) if terms(now) != terms(then) => {
                    diff.changed.push((old(), other.own_holding(now)));
                }
                Some(_) => {}
            }
        }
        let gained = after.iter().filter(|(key, _)| !before.contains_key(key));
        diff.gained.extend(gained.map(|(_, now)| other.own_holding(now)));
        diff.gained.sort();
        diff.lost.sort();
        diff.changed.sort();
        Ok(diff)
    }

    /// The levels that exist, in byte order
    pub fn levels(&self, t: EffectiveAt) -> Vec<LevelThen> {
        let text = |level: LevelRef| self.ledger.level_of(level).clone();
        let mut levels: Vec<LevelThen> = self
            .landscape()
            .levels(t)
            .map(|(level, state)| LevelThen {
                level: text(level),
                parent: state.parent.map(text),
                attributes: state.attributes.clone(),
            })
            .collect();
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
        let level = self.level(on, t)?;
        let symbols = &self.ledger.symbols;
        let here = self.here(level, t);
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

    fn own_holding(&self, evidence: &Evidence) -> Holding {
        self.holding(&self.ledger.principal_of(evidence.key.principal).clone(), evidence)
    }

    fn held_under(
        &self,
        under: Option<&Level>,
        principal: Option<&Principal>,
        t: EffectiveAt,
    ) -> BTreeMap<HoldingKey, Evidence> {
        let subtree: Option<std::collections::BTreeSet<LevelRef>> = under.map(|under| {
            let root = self.ledger.find_level(under);
            root.into_iter().flat_map(|root| self.landscape().subtree(root, t)).collect()
        });
        let wanted =
            |key: &HoldingKey| subtree.as_ref().is_none_or(|levels| levels.contains(&key.level));
        let found = self.evidence(principal, None, t, wanted);
        found.into_iter().map(|evidence| (evidence.key, evidence)).collect()
    }

    /// The counting holdings that are wanted, looked for where they are fewest
    fn evidence(
        &self,
        principal: Option<&Principal>,
        on: Option<LevelRef>,
        t: EffectiveAt,
        wanted: impl Fn(&HoldingKey) -> bool,
    ) -> Vec<Evidence> {
        let index = &self.ledger.index;
        let holdings: Box<dyn Iterator<Item = &HoldingHistory>> = match (principal, on) {
            (Some(principal), _) => {
                let found = self.ledger.find_principal(principal);
                Box::new(found.into_iter().flat_map(|found| index.of_principal(found)))
            }
            (None, Some(level)) => {
                Box::new(index.at_level(level).flat_map(|(_, holdings)| holdings))
            }
            (None, None) => Box::new(index.holdings()),
        };
        holdings
            .filter(|history| wanted(&history.key))
            .filter_map(|history| {
                let here = self.here(history.key.level, t)?;
                self.counting(history, &here, t)
            })
            .collect()
    }
}

fn terms(evidence: &Evidence) -> impl PartialEq + use<> {
    (evidence.run.since, evidence.run.until, evidence.run.entry)
}
