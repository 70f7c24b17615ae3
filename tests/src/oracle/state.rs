//! What holds at one moment?
//!
//! The fold of facts in order of (`effective_at`, position, index). Each is total: what does not fit
//! the moment does nothing. At one instant, what expires does so before any change.
//!
//! Rules: `docs/semantics.md#state`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tenure_core::{
    Attributes, Catalog, EffectiveAt, EntryId, Level, LevelKind, Position, Principal, Rule,
};

use super::access::ledger;

/// A role: its application and its name
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct RoleName {
    pub(super) application: Arc<str>,
    pub(super) name: Arc<str>,
}

impl RoleName {
    pub(super) fn text(&self) -> String {
        let escaped = |part: &str| part.replace('%', "%25").replace('/', "%2F");
        format!("{}/{}", escaped(&self.application), escaped(&self.name))
    }
}

/// What a holding is of
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Granted {
    RoleCollection(Arc<str>),
    Role(RoleName),
}

/// What a holding is keyed by
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Key {
    pub(super) principal: Principal,
    pub(super) granted: Granted,
    pub(super) level: Level,
}

/// A change of an applied entry, its names resolved
#[derive(Clone, Debug)]
pub(super) enum Deed {
    CreateLevel {
        level: Level,
        parent: Option<Level>,
        attributes: Attributes,
    },
    MoveLevel {
        level: Level,
        parent: Level,
    },
    SetLevel {
        level: Level,
        attributes: Attributes,
    },
    DeleteLevel {
        level: Level,
    },
    CreateRole {
        level: Level,
        role: RoleName,
        custom: CustomRole,
    },
    DeleteRole {
        level: Level,
        role: RoleName,
    },
    CreateRoleCollection {
        level: Level,
        name: Arc<str>,
        roles: BTreeSet<RoleName>,
    },
    SetRoles {
        level: Level,
        name: Arc<str>,
        roles: BTreeSet<RoleName>,
    },
    DeleteRoleCollection {
        level: Level,
        name: Arc<str>,
    },
    Grant {
        key: Key,
        until: Option<EffectiveAt>,
        custom: bool,
    },
    Revoke {
        key: Key,
    },
    AddMember {
        set: Principal,
        member: Principal,
    },
    RemoveMember {
        set: Principal,
        member: Principal,
    },
    SetRule {
        set: Principal,
        origin: Arc<str>,
        rule: Option<Arc<Rule>>,
    },
    SetPermission {
        level: Level,
        name: Arc<str>,
        permission: Permission,
    },
    DeletePermission {
        level: Level,
        name: Arc<str>,
    },
    RemovePrincipal {
        principal: Principal,
    },
    PublishCatalog {
        catalog: Arc<Catalog>,
    },
    /// It changes no state
    Observe {
        level: Level,
        subtree: bool,
        source: Arc<str>,
        from: EffectiveAt,
    },
    /// It changes which entries count, and nothing at any moment
    Void(Position),
}

/// A deed with its place in the order
#[derive(Clone, Debug)]
pub(super) struct Fact {
    pub(super) effective_at: EffectiveAt,
    pub(super) not_before: Option<EffectiveAt>,
    pub(super) position: Position,
    pub(super) index: usize,
    pub(super) id: EntryId,
    pub(super) deed: Deed,
}

#[derive(Clone, Debug)]
pub(super) struct LevelState {
    pub(super) parent: Option<Level>,
    pub(super) attributes: Attributes,
}

#[derive(Clone, Debug)]
pub(super) struct CustomRole {
    pub(super) template: Arc<str>,
    /// `None`: those of the catalogue's role of that template
    pub(super) scopes: Option<Vec<Arc<str>>>,
}

/// What makes users of an origin members of a group
#[derive(Clone, Debug)]
pub(super) struct RuleThen {
    pub(super) origin: Arc<str>,
    pub(super) rule: Arc<Rule>,
    pub(super) entry: Position,
}

/// A permission of an application
#[derive(Clone, Debug)]
pub(super) struct Permission {
    pub(super) roles: Vec<Arc<str>>,
    pub(super) paths: Vec<Arc<str>>,
}

/// A running holding
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) since: EffectiveAt,
    pub(super) until: Option<EffectiveAt>,
    pub(super) not_before: Option<EffectiveAt>,
    pub(super) entry: Position,
    pub(super) id: EntryId,
    /// Whether its name meant a custom one when the grant was decided
    pub(super) custom: bool,
}

/// All that holds at one moment
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) levels: BTreeMap<Level, LevelState>,
    /// Custom ones
    pub(super) roles: BTreeMap<(Level, RoleName), CustomRole>,
    /// Custom ones
    pub(super) role_collections: BTreeMap<(Level, Arc<str>), BTreeSet<RoleName>>,
    pub(super) catalog: Option<(Position, Arc<Catalog>)>,
    pub(super) holdings: BTreeMap<Key, Terms>,
    /// (set, member), with since when and by which entry
    ///
    /// Those who were added; whom rules make members is not in it.
    pub(super) members: BTreeMap<(Principal, Principal), (EffectiveAt, Position)>,
    /// Of each set that has one
    pub(super) rules: BTreeMap<Principal, RuleThen>,
    /// By application and name
    pub(super) permissions: BTreeMap<(Level, Arc<str>), Permission>,
}

/// Whether a level of that kind may lie directly in one of the other
pub(super) fn fits(kind: LevelKind, parent: Option<LevelKind>) -> bool {
    use LevelKind as K;
    let parents: &[Option<K>] = match kind {
        K::Ledger => &[],
        K::GlobalAccount => &[None],
        K::Directory | K::Subaccount => &[Some(K::GlobalAccount), Some(K::Directory)],
        K::CfOrg | K::Application => &[Some(K::Subaccount)],
        K::CfSpace => &[Some(K::CfOrg)],
        K::ServiceInstance => &[Some(K::CfSpace), Some(K::Subaccount)],
    };
    parents.contains(&parent)
}

impl State {
    /// The ledger's own level, which is always there
    fn new() -> Self {
        let own = LevelState { parent: None, attributes: Attributes::default() };
        Self {
            levels: [(ledger(), own)].into(),
            roles: BTreeMap::new(),
            role_collections: BTreeMap::new(),
            catalog: None,
            holdings: BTreeMap::new(),
            members: BTreeMap::new(),
            rules: BTreeMap::new(),
            permissions: BTreeMap::new(),
        }
    }

    /// Folds the facts that took effect at or before a moment
    pub(super) fn fold<'a>(facts: impl Iterator<Item = &'a Fact>, t: EffectiveAt) -> Self {
        let mut facts: Vec<&Fact> = facts.filter(|fact| fact.effective_at <= t).collect();
        facts.sort_by_key(|fact| (fact.effective_at, fact.position, fact.index));
        let mut state = Self::new();
        for fact in facts {
            state.expire(fact.effective_at);
            state.apply(fact);
        }
        state.expire(t);
        state
    }

    pub(super) fn expire(&mut self, t: EffectiveAt) {
        self.holdings.retain(|_, terms| terms.until.is_none_or(|until| until > t));
    }

    /// Whether a level exists that might hold something
    pub(super) fn exists(&self, level: &Level) -> bool {
        self.levels.contains_key(level)
    }

    /// The level and its ancestors, the ledger's own level last
    pub(super) fn upwards(&self, level: &Level) -> Vec<Level> {
        match self.levels.get(level) {
            None => Vec::new(),
            Some(LevelState { parent: None, .. }) if *level == ledger() => vec![ledger()],
            Some(LevelState { parent: None, .. }) => vec![level.clone(), ledger()],
            Some(LevelState { parent: Some(parent), .. }) => {
                let mut up = vec![level.clone()];
                up.extend(self.upwards(parent));
                up
            }
        }
    }

    /// The level and its descendants, in byte order
    pub(super) fn subtree(&self, level: &Level) -> Vec<Level> {
        self.levels.keys().filter(|one| self.upwards(one).contains(level)).cloned().collect()
    }

    /// Applies a fact; one that does not fit does nothing
    pub(super) fn apply(&mut self, fact: &Fact) {
        match &fact.deed {
            Deed::CreateLevel { level, parent, attributes } => {
                let parent_kind = parent.as_ref().map(Level::kind);
                let parent_exists = parent.as_ref().is_none_or(|parent| self.exists(parent));
                if !self.exists(level) && parent_exists && fits(level.kind(), parent_kind) {
                    let state =
                        LevelState { parent: parent.clone(), attributes: attributes.clone() };
                    self.levels.insert(level.clone(), state);
                }
            }
            Deed::MoveLevel { level, parent } => {
                if self.exists(level)
                    && self.exists(parent)
                    && fits(level.kind(), Some(parent.kind()))
                    && !self.upwards(parent).contains(level)
                {
                    self.levels.get_mut(level).unwrap().parent = Some(parent.clone());
                }
            }
            Deed::SetLevel { level, attributes } => {
                if let Some(state) = self.levels.get_mut(level) {
                    set(&mut state.attributes, attributes);
                }
            }
            Deed::DeleteLevel { level } => {
                let doomed = self.subtree(level);
                self.levels.retain(|level, _| !doomed.contains(level));
                self.roles.retain(|(level, _), _| !doomed.contains(level));
                self.role_collections.retain(|(level, _), _| !doomed.contains(level));
                self.permissions.retain(|(level, _), _| !doomed.contains(level));
                self.holdings.retain(|key, _| !doomed.contains(&key.level));
            }
            Deed::CreateRole { level, role, custom } => {
                let key = (level.clone(), role.clone());
                if self.exists(level) && !self.roles.contains_key(&key) {
                    self.roles.insert(key, custom.clone());
                }
            }
            Deed::DeleteRole { level, role } => {
                if self.roles.remove(&(level.clone(), role.clone())).is_some() {
                    self.end_custom(level, &Granted::Role(role.clone()));
                }
            }
            Deed::CreateRoleCollection { level, name, roles } => {
                let key = (level.clone(), name.clone());
                if self.exists(level) && !self.role_collections.contains_key(&key) {
                    self.role_collections.insert(key, roles.clone());
                }
            }
            Deed::SetRoles { level, name, roles } => {
                if let Some(old) = self.role_collections.get_mut(&(level.clone(), name.clone())) {
                    *old = roles.clone();
                }
            }
            Deed::DeleteRoleCollection { level, name } => {
                if self.role_collections.remove(&(level.clone(), name.clone())).is_some() {
                    self.end_custom(level, &Granted::RoleCollection(name.clone()));
                }
            }
            Deed::Grant { key, until, custom } => {
                let running = self.holdings.get(key);
                let terms = Terms {
                    since: running.map_or(fact.effective_at, |running| running.since),
                    until: *until,
                    not_before: fact.not_before,
                    entry: fact.position,
                    id: fact.id,
                    custom: *custom,
                };
                self.holdings.insert(key.clone(), terms);
            }
            Deed::Revoke { key } => {
                self.holdings.remove(key);
            }
            Deed::AddMember { set, member } => {
                let since = (fact.effective_at, fact.position);
                self.members.entry((set.clone(), member.clone())).or_insert(since);
            }
            Deed::RemoveMember { set, member } => {
                self.members.remove(&(set.clone(), member.clone()));
            }
            Deed::SetRule { set, origin, rule } => {
                self.rules.remove(set);
                if let Some(rule) = rule {
                    let (origin, rule) = (origin.clone(), rule.clone());
                    let then = RuleThen { origin, rule, entry: fact.position };
                    self.rules.insert(set.clone(), then);
                }
            }
            Deed::SetPermission { level, name, permission } => {
                if self.exists(level) {
                    let key = (level.clone(), name.clone());
                    self.permissions.insert(key, permission.clone());
                }
            }
            Deed::DeletePermission { level, name } => {
                self.permissions.remove(&(level.clone(), name.clone()));
            }
            Deed::RemovePrincipal { principal } => {
                self.rules.remove(principal);
                self.holdings.retain(|key, _| key.principal != *principal);
                self.members.retain(|(set, member), _| set != principal && member != principal);
            }
            Deed::PublishCatalog { catalog } => {
                self.catalog = Some((fact.position, catalog.clone()));
            }
            Deed::Observe { .. } | Deed::Void(_) => {}
        }
    }

    /// Ends every holding of what was custom and is deleted
    fn end_custom(&mut self, level: &Level, granted: &Granted) {
        self.holdings
            .retain(|key, terms| !(terms.custom && key.level == *level && key.granted == *granted));
    }
}

fn set(old: &mut Attributes, new: &Attributes) {
    if new.name.is_some() {
        old.name = new.name.clone();
    }
    if new.feature_set.is_some() {
        old.feature_set = new.feature_set;
    }
    if new.authorizations.is_some() {
        old.authorizations = new.authorizations;
    }
    if new.environment.is_some() {
        old.environment = new.environment;
    }
    if new.region.is_some() {
        old.region = new.region.clone();
    }
    if new.identity_provider.is_some() {
        old.identity_provider = new.identity_provider.clone();
    }
    if new.role_provider.is_some() {
        old.role_provider = new.role_provider.clone();
    }
    if new.access.is_some() {
        old.access = new.access;
    }
}
