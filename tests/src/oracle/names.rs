//! What do names mean at a level, at one moment?
//!
//! Predefined roles and role collections come from the catalogue in force, for the level's kind, and
//! the feature set and the environment in force there; custom ones hide them.
//!
//! Rules: `docs/semantics.md#definitions`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tenure_core::{
    CatalogDocument, Direction, Environment, FeatureSet, HeldRow, LeafRow, LedgerOperation, Level,
    LevelKind, OperationRow, PLATFORM, Requirement, RoleText,
};

use super::access::{own_roles, roles_of};
use super::state::{Granted, Key, RoleName, State, Terms};

/// A role that exists at a level
#[derive(Clone, Debug)]
pub(super) struct RoleThere {
    pub(super) predefined: bool,
    pub(super) grantable: bool,
    /// By their real names
    pub(super) scopes: BTreeSet<Arc<str>>,
}

/// A role collection that exists at a level
#[derive(Clone, Debug)]
pub(super) struct RoleCollectionThere {
    pub(super) predefined: bool,
    /// As defined, existing or not
    pub(super) roles: BTreeSet<RoleName>,
}

/// The roles among these that a text may mean; a name alone never means one of the ledger's own
pub(super) fn matching(text: &RoleText, roles: impl Iterator<Item = RoleName>) -> Vec<RoleName> {
    roles
        .filter(|role| role.name == text.name)
        .filter(|role| match &text.application {
            None => *role.application != *"tenure",
            Some(named) => *named == role.application,
        })
        .collect()
}

/// What an operation of the ledger requires, at any level
fn own_requirement(operation: LedgerOperation) -> Requirement<LeafRow> {
    let leaf = |name: &&str| {
        Requirement::Leaf(LeafRow {
            held: HeldRow::Role { role: (*name).into(), application: Some("tenure".into()) },
            direction: Direction::At,
            kinds: LevelKind::ALL.to_vec(),
        })
    };
    let leaves: Vec<_> = roles_of(operation).iter().map(leaf).collect();
    match leaves.as_slice() {
        [one] => one.clone(),
        _ => Requirement::AnyOf(leaves),
    }
}

impl State {
    pub(super) fn document(&self) -> Option<&CatalogDocument> {
        self.catalog.as_ref().map(|(_, catalog)| catalog.document())
    }

    /// The explicit one of the nearest level at or above that has one, else `B`
    pub(super) fn feature_set(&self, level: &Level) -> FeatureSet {
        self.upwards(level)
            .iter()
            .find_map(|level| self.levels[level].attributes.feature_set)
            .unwrap_or(FeatureSet::B)
    }

    /// That of the nearest subaccount at or above, else the multi-environment
    pub(super) fn environment(&self, level: &Level) -> Environment {
        let mut upwards = self.upwards(level).into_iter();
        let subaccount = upwards.find(|level| level.kind() == LevelKind::Subaccount);
        let stated = subaccount.and_then(|level| self.levels[&level].attributes.environment);
        stated.unwrap_or(Environment::Multi)
    }

    /// The origin of the users of an application
    pub(super) fn identity_provider(&self, level: &Level) -> Arc<str> {
        let upwards = self.upwards(level).into_iter();
        let mut stated =
            upwards.filter_map(|level| self.levels[&level].attributes.identity_provider.clone());
        stated.next().unwrap_or_else(|| "sap.default".into())
    }

    /// Whether something else than the platform decides on the roles of a level
    pub(super) fn is_elsewhere(&self, level: &Level) -> bool {
        let attributes = self.levels.get(level).map(|state| &state.attributes);
        let provider = attributes.and_then(|attributes| attributes.role_provider.as_ref());
        provider.is_some_and(|provider| **provider != *PLATFORM)
    }

    /// Whether a row of the catalogue is for a level
    fn is_for(
        &self,
        level: &Level,
        at: &[LevelKind],
        sets: Option<&Vec<FeatureSet>>,
        environments: Option<&Vec<Environment>>,
    ) -> bool {
        let environment = self.environment(level);
        at.contains(&level.kind())
            && sets.is_none_or(|sets| sets.contains(&self.feature_set(level)))
            && environments.map_or(environment == Environment::Multi, |environments| {
                environments.contains(&environment)
            })
    }

    /// The real name of a scope
    pub(super) fn real_scope(&self, scope: &Arc<str>) -> Arc<str> {
        let aliases = self.document().and_then(|document| document.scope_aliases.as_ref());
        aliases.and_then(|aliases| aliases.get(scope)).unwrap_or(scope).clone()
    }

    fn predefined_roles(&self, level: &Level) -> BTreeMap<RoleName, RoleThere> {
        let rows = self.document().into_iter().flat_map(|document| &document.roles);
        rows.filter(|row| {
            self.is_for(level, &row.at, row.feature_sets.as_ref(), row.environments.as_ref())
        })
        .map(|row| {
            let role = RoleName { application: row.application.clone(), name: row.role.clone() };
            let there = RoleThere {
                predefined: true,
                grantable: row.grantable == Some(true),
                scopes: row.scopes.iter().flatten().map(|s| self.real_scope(s)).collect(),
            };
            (role, there)
        })
        .collect()
    }

    /// The scopes of the catalogue's roles of that application and template
    fn template_scopes(
        &self,
        level: &Level,
        application: &str,
        template: &str,
    ) -> BTreeSet<Arc<str>> {
        let rows = self.document().into_iter().flat_map(|document| &document.roles);
        rows.filter(|row| {
            self.is_for(level, &row.at, row.feature_sets.as_ref(), row.environments.as_ref())
        })
        .filter(|row| *row.application == *application)
        .filter(|row| row.template.as_deref() == Some(template))
        .flat_map(|row| row.scopes.iter().flatten())
        .map(|scope| self.real_scope(scope))
        .collect()
    }

    /// The roles that exist at a level
    pub(super) fn roles_at(&self, level: &Level) -> BTreeMap<RoleName, RoleThere> {
        let mut roles = self.predefined_roles(level);
        let own = RoleThere { predefined: true, grantable: true, scopes: BTreeSet::new() };
        roles.extend(own_roles(level.kind()).into_iter().map(|role| (role, own.clone())));
        for ((at, role), custom) in &self.roles {
            if at == level {
                let scopes = match &custom.scopes {
                    Some(scopes) => scopes.iter().map(|scope| self.real_scope(scope)).collect(),
                    None => self.template_scopes(level, &role.application, &custom.template),
                };
                let grantable = self.environment(level) == Environment::Neo;
                let there = RoleThere { predefined: false, grantable, scopes };
                roles.insert(role.clone(), there);
            }
        }
        roles
    }

    /// The role collections that exist at a level
    pub(super) fn role_collections_at(
        &self,
        level: &Level,
    ) -> BTreeMap<Arc<str>, RoleCollectionThere> {
        let mut found = BTreeMap::new();
        if self.environment(level) == Environment::Neo {
            return found;
        }
        let rows = self.document().into_iter().flat_map(|document| &document.role_collections);
        for row in rows.filter(|row| {
            self.is_for(level, &row.at, row.feature_sets.as_ref(), row.environments.as_ref())
        }) {
            let predefined = self.predefined_roles(level);
            let role = |text: &Arc<str>| {
                let text = RoleText::parse(text).unwrap();
                let found = matching(&text, predefined.keys().cloned());
                assert_eq!(found.len(), 1, "a valid catalogue names each role unambiguously");
                found[0].clone()
            };
            let roles = row.roles.iter().map(role).collect();
            found.insert(
                row.role_collection.clone(),
                RoleCollectionThere { predefined: true, roles },
            );
        }
        for ((at, name), roles) in &self.role_collections {
            if at == level {
                let there = RoleCollectionThere { predefined: false, roles: roles.clone() };
                found.insert(name.clone(), there);
            }
        }
        found
    }

    /// The operations that a catalogue has at a level
    pub(super) fn operation_rows(&self, level: &Level) -> impl Iterator<Item = &OperationRow> {
        let rows = self.document().into_iter().flat_map(|document| &document.operations);
        rows.filter(|row| {
            self.is_for(level, &row.at, row.feature_sets.as_ref(), row.environments.as_ref())
        })
    }

    /// What operations require at a level
    pub(super) fn operations_at(&self, level: &Level) -> BTreeMap<Arc<str>, Requirement<LeafRow>> {
        let own = LedgerOperation::ALL.map(|own| (own.as_str().into(), own_requirement(own)));
        let rows = self.operation_rows(level);
        rows.map(|row| (row.operation.clone(), row.requires.clone())).chain(own).collect()
    }

    /// A directory holds role collections only while it manages authorizations
    pub(super) fn manages_authorizations(&self, level: &Level) -> bool {
        level.kind() != LevelKind::Directory
            || self.levels[level].attributes.authorizations == Some(true)
    }

    /// Whether what is granted there counts, if it exists
    pub(super) fn counts_there(&self, level: &Level, granted: &Granted) -> bool {
        let own = matches!(granted, Granted::Role(role) if *role.application == *"tenure");
        own || self.manages_authorizations(level)
    }

    /// Whether custom roles can be created at a level
    pub(super) fn takes_custom_roles(&self, level: &Level) -> bool {
        match level.kind() {
            LevelKind::GlobalAccount | LevelKind::Directory | LevelKind::Subaccount => true,
            LevelKind::Application => self.environment(level) == Environment::Neo,
            _ => false,
        }
    }

    /// Whether custom role collections can be created at a level
    pub(super) fn takes_custom(&self, level: &Level) -> bool {
        match level.kind() {
            _ if self.environment(level) == Environment::Neo => false,
            LevelKind::GlobalAccount | LevelKind::Subaccount => true,
            LevelKind::Directory => self
                .document()
                .and_then(|document| document.custom_role_collections.as_ref())
                .is_some_and(|kinds| kinds.contains(&LevelKind::Directory)),
            _ => false,
        }
    }

    /// Whether what was granted is predefined there now; `None` if it does not exist
    pub(super) fn predefined(&self, level: &Level, granted: &Granted) -> Option<bool> {
        match granted {
            Granted::RoleCollection(name) => {
                self.role_collections_at(level).get(name).map(|there| there.predefined)
            }
            Granted::Role(role) => self.roles_at(level).get(role).map(|there| there.predefined),
        }
    }

    /// Whether a running holding counts
    pub(super) fn counts(&self, key: &Key, terms: &Terms) -> bool {
        let custom_role = terms.custom && matches!(key.granted, Granted::Role(_));
        self.exists(&key.level)
            && (!custom_role || self.environment(&key.level) == Environment::Neo)
            && self.predefined(&key.level, &key.granted) == Some(!terms.custom)
            && self.counts_there(&key.level, &key.granted)
    }

    /// The existing roles that a counting holding gives, with their scopes
    pub(super) fn gives(&self, level: &Level, granted: &Granted) -> BTreeMap<RoleName, RoleThere> {
        let mut roles = self.roles_at(level);
        match granted {
            Granted::Role(single) => roles.retain(|role, _| role == single),
            Granted::RoleCollection(name) => {
                let listed = &self.role_collections_at(level)[name].roles;
                roles.retain(|role, _| listed.contains(role));
            }
        }
        roles
    }
}
