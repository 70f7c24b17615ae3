//! What was there at one moment, and what did names mean?
//!
//! A [`Land`] is a landscape up to a cut: the end of a moment, or the last change that was known. [`Here`]
//! is what names mean at one of its levels.
//!
//! Rules: `docs/semantics.md#definitions`.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::history::landscape::{
    CustomRole, Landscape, LevelState, LevelTrack, Permission, Published, RuleOf,
};
use crate::history::order::{Cut, OrderKey, Track};
use crate::words::catalog::Setting;
use crate::words::definitions::{Definitions, Gift, GiftOf, Table};
use crate::words::grantable::{Grantable, RoleKey, matching};
use crate::words::level::{Environment, LevelKind, PLATFORM};
use crate::words::principal::DEFAULT_ORIGIN;
use crate::words::requirement::{Direction, Held, Leaf, Requirement};
use crate::words::symbol::{LevelRef, PrincipalRef, Symbol, Symbols};
use crate::words::tenure;

/// A landscape up to a cut
#[derive(Clone, Copy, Debug)]
pub(crate) struct Land<'a> {
    pub(crate) landscape: &'a Landscape,
    pub(crate) cut: Cut,
}

impl<'a> Land<'a> {
    /// What was there up to a cut
    pub(crate) fn of(landscape: &'a Landscape, cut: impl Into<Cut>) -> Self {
        Self { landscape, cut: cut.into() }
    }

    /// Whether both are the same landscape and nothing changed between the two cuts
    pub(crate) fn is_still(&self, other: &Self) -> bool {
        std::ptr::eq(self.landscape, other.landscape)
            && self.landscape.is_quiet_between(self.cut, other.cut)
    }

    pub(crate) fn level(&self, level: LevelRef) -> Option<&'a LevelState> {
        self.landscape.track(level)?.states.at(self.cut)?.as_deref()
    }

    /// Every level that exists
    pub(crate) fn levels(&self) -> impl Iterator<Item = (LevelRef, &'a LevelState)> + use<'a> {
        let cut = self.cut;
        self.landscape
            .tracks()
            .filter_map(move |(level, track)| Some((level, track.states.at(cut)?.as_deref()?)))
    }

    /// The level and its ancestors, from the level up; empty if the level does not exist
    pub(crate) fn upwards(
        &self,
        level: LevelRef,
    ) -> impl Iterator<Item = (LevelRef, &'a LevelState)> + use<'a> {
        let land = *self;
        let mut up = Some(level);
        std::iter::from_fn(move || {
            let level = up?;
            let state = land.level(level)?;
            up = state.parent;
            Some((level, state))
        })
    }

    /// The level and all levels below it, parents before children; empty if the level does not exist
    pub(crate) fn subtree(&self, level: LevelRef) -> Vec<LevelRef> {
        if self.level(level).is_none() {
            return Vec::new();
        }
        let mut found = vec![level];
        let mut next = 0;
        while let Some(one) = found.get(next).copied() {
            let track = self.landscape.track(one).into_iter();
            found.extend(track.flat_map(|track| &track.ever_children).filter(|child| {
                self.level(**child).is_some_and(|state| state.parent == Some(one))
            }));
            next += 1;
        }
        found
    }

    pub(crate) fn catalog(&self) -> Option<&'a Arc<Published>> {
        self.landscape.catalogs.at(self.cut)
    }

    /// What is in force at a level: each of the nearest level at or above it that says so
    pub(crate) fn setting(&self, level: LevelRef) -> Setting {
        let (mut feature_set, mut environment) = (None, None);
        for (level, state) in self.upwards(level) {
            feature_set = feature_set.or(state.attributes.feature_set);
            environment = environment.or_else(|| environment_of(level, state));
            if feature_set.is_some() && environment.is_some() {
                break;
            }
        }
        Setting {
            feature_set: feature_set.unwrap_or_default(),
            environment: environment.unwrap_or_default(),
        }
    }

    /// The origin of the users of an application
    pub(crate) fn identity_provider(&self, level: LevelRef) -> &'a str {
        let stated =
            |(_, state): (_, &'a LevelState)| state.attributes.identity_provider.as_deref();
        self.upwards(level).find_map(stated).unwrap_or(DEFAULT_ORIGIN)
    }

    /// Whether something that the ledger does not see decides on the roles there
    pub(crate) fn is_decided_elsewhere(&self, level: LevelRef) -> bool {
        // Only applications have a role provider.
        level.kind == LevelKind::Application
            && self
                .level(level)
                .and_then(|state| state.attributes.role_provider.as_deref())
                .is_some_and(|provider| provider != PLATFORM)
    }

    /// The rule of a group that is in force unless the group was removed since, and the change that set it
    pub(crate) fn rule(&self, set: PrincipalRef) -> Option<(OrderKey, &'a Arc<RuleOf>)> {
        let (key, rule) = self.landscape.rules.get(&set)?.record_at(self.cut)?;
        Some((*key, rule.as_ref()?))
    }

    /// What names mean at a level; `None` if it does not exist
    pub(crate) fn here(&self, level: LevelRef) -> Option<Here<'a>> {
        self.here_in(level, self.setting(level))
    }

    /// The same, where the caller knows what is in force
    pub(crate) fn here_in(&self, level: LevelRef, setting: Setting) -> Option<Here<'a>> {
        let track = self.landscape.track(level)?;
        let state = track.states.at(self.cut)?.as_deref()?;
        let definitions = self.catalog().map(|published| &published.definitions);
        Some(Here {
            table: definitions.map(|d| d.table(level.kind, setting)),
            definitions,
            track,
            state,
            kind: level.kind,
            is_neo: setting.environment == Environment::Neo,
            cut: self.cut,
        })
    }

    /// The position of the last deletion that ended holdings of one thing at a level; 0 if there is none
    ///
    /// The level may have been deleted, or the custom role or role collection that `custom` names. These are
    /// the reasons 4 and 5 of INVARIANT (what ends a holding).
    pub(crate) fn last_end(&self, level: LevelRef, custom: Option<Grantable>) -> u64 {
        let Some(track) = self.landscape.track(level) else { return 0 };
        let deleted = track.states.last_where(self.cut, Option::is_none);
        let undefined = custom.and_then(|custom| match custom {
            Grantable::Role(role) => track.roles.get(&role)?.last_where(self.cut, Option::is_none),
            Grantable::RoleCollection(name) => {
                track.role_collections.get(&name)?.last_where(self.cut, Option::is_none)
            }
        });
        deleted.max(undefined).map_or(0, |key| key.position.get())
    }

    /// The levels at which a leaf must be held, for a target
    pub(crate) fn reach(&self, target: LevelRef, leaf: &Leaf) -> Vec<LevelRef> {
        let kinds = leaf.kinds;
        match leaf.direction {
            Direction::At => self
                .upwards(target)
                .map(|(level, _)| level)
                .filter(|level| kinds.contains(level.kind))
                .collect(),
            Direction::Below => self
                .subtree(target)
                .into_iter()
                .filter(|level| *level != target && kinds.contains(level.kind))
                .collect(),
        }
    }
}

/// The environment that a level states, if it can state one
pub(crate) fn environment_of(level: LevelRef, state: &LevelState) -> Option<Environment> {
    (level.kind == LevelKind::Subaccount).then(|| state.attributes.environment.unwrap_or_default())
}

/// What names mean at one level that exists, at one moment
#[derive(Clone, Copy, Debug)]
pub(crate) struct Here<'a> {
    definitions: Option<&'a Definitions>,
    table: Option<&'a Table>,
    track: &'a LevelTrack,
    state: &'a LevelState,
    kind: LevelKind,
    pub(crate) is_neo: bool,
    cut: Cut,
}

/// A role that exists
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoleHere<'a> {
    pub(crate) predefined: bool,
    /// Whether it may be granted as a single role
    pub(crate) grantable: bool,
    scopes: ScopesHere<'a>,
}

#[derive(Clone, Copy, Debug)]
enum ScopesHere<'a> {
    /// The real names of these scopes
    Real(&'a [Symbol]),
    /// The scopes that a custom role was created with
    Written(&'a [Symbol]),
    /// The scopes of the catalogue's roles of that application and template
    Template(Symbol, Symbol),
}

/// A role collection that exists
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoleCollectionHere<'a> {
    pub(crate) predefined: bool,
    pub(crate) roles: &'a Arc<[RoleKey]>,
}

impl<'a> Here<'a> {
    /// A directory holds role collections only while it manages authorizations
    pub(crate) fn manages_authorizations(&self) -> bool {
        self.kind != LevelKind::Directory || self.state.attributes.authorizations == Some(true)
    }

    /// Whether running holdings of something that exists here count here
    ///
    /// A custom role counts by itself in Neo alone.
    pub(crate) fn counts(&self, grantable: Grantable) -> bool {
        let is_custom_role =
            || matches!(grantable, Grantable::Role(_)) && self.is_custom(grantable) == Some(true);
        grantable.is_own() || self.manages_authorizations() && (self.is_neo || !is_custom_role())
    }

    pub(crate) fn takes_custom_roles(&self) -> bool {
        match self.kind {
            LevelKind::GlobalAccount | LevelKind::Directory | LevelKind::Subaccount => true,
            LevelKind::Application => self.is_neo,
            _ => false,
        }
    }

    pub(crate) fn takes_custom_role_collections(&self) -> bool {
        match self.kind {
            _ if self.is_neo => false,
            LevelKind::GlobalAccount | LevelKind::Subaccount => true,
            LevelKind::Directory => self.definitions.is_some_and(|d| d.custom_in_directories),
            _ => false,
        }
    }

    /// The operations that give something here, in byte order
    pub(crate) fn gifts(&self) -> &'a [(Symbol, Arc<[Gift]>)] {
        self.table.map_or(&[], |table| &table.gifts)
    }

    /// What a gift gives here: as a grant here would take it
    ///
    /// # Cost
    /// O(role collections here) for any of them, O(roles here) for a role.
    pub(crate) fn given_by(&self, gift: &GiftOf, symbols: &Symbols) -> Vec<Grantable> {
        if !self.manages_authorizations() {
            return Vec::new();
        }
        match gift {
            GiftOf::AnyRoleCollection => {
                self.role_collections().into_iter().map(Grantable::RoleCollection).collect()
            }
            GiftOf::RoleCollection(name) => {
                let there = self.role_collection(*name).map(|_| Grantable::RoleCollection(*name));
                there.into_iter().collect()
            }
            GiftOf::Role(text) => {
                let found: Vec<RoleKey> = matching(text, symbols, self.roles()).collect();
                let [one] = found.as_slice() else { return Vec::new() };
                let granted = self.role(*one).is_some_and(|role| role.grantable);
                let granted = granted && !one.is_own();
                granted.then_some(Grantable::Role(*one)).into_iter().collect()
            }
        }
    }

    /// The requirement of an operation, if the operation is defined here
    pub(crate) fn operation(&self, operation: Symbol) -> Option<&'a Arc<Requirement<Leaf>>> {
        let own = tenure::operations().iter().find(|(id, _)| *id == operation);
        own.map(|(_, requirement)| requirement).or_else(|| self.table?.operations.get(&operation))
    }

    pub(crate) fn operations(
        &self,
    ) -> impl Iterator<Item = (Symbol, &'a Arc<Requirement<Leaf>>)> + use<'a> {
        let table = self.table.into_iter().flat_map(|table| table.operations.iter());
        let own = tenure::operations().iter().map(|(id, requirement)| (id, requirement));
        table.chain(own).map(|(id, requirement)| (*id, requirement))
    }

    /// The real name of a scope, by the catalogue in force
    pub(crate) fn real_scope(&self, scope: Symbol) -> Symbol {
        self.definitions.map_or(scope, |definitions| definitions.real_scope(scope))
    }

    /// A custom role hides a predefined one of the same application and name
    pub(crate) fn role(&self, role: RoleKey) -> Option<RoleHere<'a>> {
        if role.is_own() {
            let here = tenure::roles_at(self.kind).any(|own| own == role);
            let own = RoleHere { predefined: true, grantable: true, scopes: ScopesHere::Real(&[]) };
            return here.then_some(own);
        }
        let custom = self.track.roles.get(&role).and_then(|track| track.at(self.cut)?.as_deref());
        if let Some(custom) = custom {
            let scopes = match &custom.scopes {
                Some(scopes) => ScopesHere::Written(scopes),
                None => ScopesHere::Template(role.application, custom.template),
            };
            return Some(RoleHere { predefined: false, grantable: self.is_neo, scopes });
        }
        let predefined = self.table?.roles.get(&role)?;
        Some(RoleHere {
            predefined: true,
            grantable: predefined.grantable,
            scopes: ScopesHere::Real(&predefined.scopes),
        })
    }

    /// The roles that exist here, in no order
    pub(crate) fn roles(&self) -> impl Iterator<Item = RoleKey> + use<'a> {
        let cut = self.cut;
        let is_custom = move |track: &Track<Option<Arc<CustomRole>>>| {
            track.at(cut).is_some_and(Option::is_some)
        };
        let track = self.track;
        let custom = track.roles.iter().filter(move |(_, track)| is_custom(track));
        let predefined = self.table.into_iter().flat_map(|table| table.roles.keys());
        let predefined =
            predefined.copied().filter(move |role| !track.roles.get(role).is_some_and(is_custom));
        custom.map(|(role, _)| *role).chain(predefined).chain(tenure::roles_at(self.kind))
    }

    /// The custom roles and role collections that exist here, in no order
    pub(crate) fn custom(&self) -> impl Iterator<Item = Grantable> + use<'a> {
        let cut = self.cut;
        let roles = self.track.roles.iter();
        let roles = roles.filter(move |(_, track)| track.at(cut).is_some_and(Option::is_some));
        let names = self.track.role_collections.iter();
        let names = names.filter(move |(_, track)| track.at(cut).is_some_and(Option::is_some));
        let names = names.map(|(name, _)| Grantable::RoleCollection(*name));
        roles.map(|(role, _)| Grantable::Role(*role)).chain(names)
    }

    /// What is predefined at levels like this one, hidden or not; in no order
    pub(crate) fn predefined(&self) -> impl Iterator<Item = Grantable> + use<'a> {
        let table = self.table;
        let roles = table.into_iter().flat_map(|table| table.roles.keys().copied());
        let roles = roles.chain(tenure::roles_at(self.kind));
        let named = table.filter(|_| !self.is_neo).into_iter();
        let names = named.flat_map(|table| table.role_collections.keys());
        let names = names.map(|name| Grantable::RoleCollection(*name));
        roles.map(Grantable::Role).chain(names)
    }

    /// A custom role collection hides a predefined one of its name; in Neo there are none
    pub(crate) fn role_collection(&self, name: Symbol) -> Option<RoleCollectionHere<'a>> {
        if self.is_neo {
            return None;
        }
        let custom =
            self.track.role_collections.get(&name).and_then(|track| track.at(self.cut)?.as_ref());
        if let Some(roles) = custom {
            return Some(RoleCollectionHere { predefined: false, roles });
        }
        let roles = self.table?.role_collections.get(&name)?;
        Some(RoleCollectionHere { predefined: true, roles })
    }

    /// The role collections that exist here, in no order
    pub(crate) fn role_collections(&self) -> BTreeSet<Symbol> {
        let ever = self.track.role_collections.keys();
        let predefined = self.table.into_iter().flat_map(|table| table.role_collections.keys());
        ever.chain(predefined).copied().filter(|n| self.role_collection(*n).is_some()).collect()
    }

    /// The names that a custom role collection ever had here
    pub(crate) fn ever_custom(&self) -> impl Iterator<Item = Symbol> + use<'a> {
        self.track.role_collections.keys().copied()
    }

    /// Whether the name means a custom role or role collection here; `None` if it means nothing
    pub(crate) fn is_custom(&self, grantable: Grantable) -> Option<bool> {
        match grantable {
            Grantable::Role(role) => self.role(role).map(|role| !role.predefined),
            Grantable::RoleCollection(name) => self.role_collection(name).map(|c| !c.predefined),
        }
    }

    /// The roles that a grantable gives here; a listed role that does not exist gives nothing
    pub(crate) fn roles_given(
        &self,
        grantable: Grantable,
    ) -> impl Iterator<Item = (RoleKey, RoleHere<'a>)> + use<'a> {
        let (single, listed) = match grantable {
            Grantable::Role(role) => (Some(role), None),
            Grantable::RoleCollection(name) => (None, self.role_collection(name)),
        };
        let here = *self;
        single
            .into_iter()
            .chain(listed.into_iter().flat_map(|collection| collection.roles.iter().copied()))
            .filter_map(move |role| Some((role, here.role(role)?)))
    }

    /// The scopes of a role, by their real names
    pub(crate) fn scopes_of(&self, role: RoleHere<'a>) -> Vec<Symbol> {
        match role.scopes {
            ScopesHere::Real(scopes) => scopes.to_vec(),
            ScopesHere::Written(scopes) => scopes.iter().map(|s| self.real_scope(*s)).collect(),
            ScopesHere::Template(application, template) => self
                .table
                .into_iter()
                .flat_map(|table| table.roles.iter())
                .filter(|(key, role)| {
                    key.application == application && role.template == Some(template)
                })
                .flat_map(|(_, role)| role.scopes.iter().copied())
                .collect(),
        }
    }

    /// Whether a counting holding of a grantable satisfies a leaf
    pub(crate) fn gives(&self, grantable: Grantable, held: Held) -> bool {
        match held {
            Held::RoleCollection(name) => grantable == Grantable::RoleCollection(name),
            Held::Role { application, name } => {
                self.roles_given(grantable).any(|(role, _)| role.is_meant_by(application, name))
            }
            Held::Scope(scope) => {
                self.roles_given(grantable).any(|(_, role)| self.scopes_of(role).contains(&scope))
            }
            Held::CustomRole(name) => {
                let is_it =
                    |(role, here): (RoleKey, RoleHere<'_>)| role.name == name && !here.predefined;
                self.roles_given(grantable).any(is_it)
            }
        }
    }

    /// The grantables that satisfy a leaf here, each once
    ///
    /// # Cost
    /// O(answer) where the level never had a custom role or role collection. Elsewhere O(custom roles of that name, for a
    /// scope of the level + role collections that ever listed such a role).
    pub(crate) fn givers(&self, held: Held) -> Vec<Grantable> {
        let mut found: Vec<Grantable> = Vec::new();
        let names_a_role = |role: RoleKey, found: &mut Vec<Grantable>| {
            found.push(Grantable::Role(role));
            found.extend(self.table.into_iter().flat_map(|table| table.listing(role.name)));
            let listing = self.track.listing.get(&role.name).into_iter().flatten();
            found.extend(listing.map(|name| Grantable::RoleCollection(*name)));
        };
        match held {
            Held::RoleCollection(name) => {
                if self.role_collection(name).is_some() {
                    found.push(Grantable::RoleCollection(name));
                }
                return found;
            }
            Held::Role { application: Some(application), name }
                if RoleKey { application, name }.is_own() =>
            {
                let role = RoleKey { application, name };
                return self.role(role).map(|_| Grantable::Role(role)).into_iter().collect();
            }
            Held::Role { application, name } => {
                found.extend(self.table.into_iter().flat_map(|table| table.of_role(name)));
                if !self.has_custom() && application.is_none() && !self.is_neo {
                    return found;
                }
                let listing = self.track.listing.get(&name).into_iter().flatten();
                found.extend(listing.map(|name| Grantable::RoleCollection(*name)));
                found.extend(self.roles_named(name).map(Grantable::Role));
            }
            Held::Scope(scope) => {
                found.extend(self.table.into_iter().flat_map(|table| table.of_scope(scope)));
                if !self.has_custom() && !self.is_neo {
                    return found;
                }
                let predefined = self.table.into_iter().flat_map(|table| table.with_scope(scope));
                for role in predefined.chain(self.track.roles.keys().copied()) {
                    names_a_role(role, &mut found);
                }
            }
            Held::CustomRole(name) => {
                for role in self.roles_named(name) {
                    names_a_role(role, &mut found);
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found.retain(|grantable| self.gives(*grantable, held));
        found
    }

    /// The permission of that name, if the application has it
    pub(crate) fn permission(&self, name: Symbol) -> Option<&'a Arc<Permission>> {
        self.track.permissions.get(&name)?.at(self.cut)?.as_ref()
    }

    /// The permissions that the application has, in no order
    pub(crate) fn permissions(
        &self,
    ) -> impl Iterator<Item = (Symbol, &'a Arc<Permission>)> + use<'a> {
        let cut = self.cut;
        let all = self.track.permissions.iter();
        all.filter_map(move |(name, track)| Some((*name, track.at(cut)?.as_ref()?)))
    }

    /// Whether a custom role of that name exists here
    pub(crate) fn has_custom_role(&self, name: Symbol) -> bool {
        let exists = |role: &RoleKey| {
            let track = self.track.roles.get(role);
            track.and_then(|track| track.at(self.cut)).is_some_and(Option::is_some)
        };
        self.roles_named(name).any(|role| exists(&role))
    }

    /// The custom roles that ever had a name here, and possibly others
    fn roles_named(&self, name: Symbol) -> impl Iterator<Item = RoleKey> + use<'a> {
        self.track.roles_named.get(&name).into_iter().flatten().copied()
    }

    /// Whether there ever was a custom role or role collection here
    fn has_custom(&self) -> bool {
        !(self.track.roles.is_empty() && self.track.role_collections.is_empty())
    }
}
