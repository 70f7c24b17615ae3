//! Which levels, roles, role collections and catalogues were there, and when?
//!
//! A [`Landscape`] is the fold of all changes of structure and definitions, over all of valid time,
//! as known at one position. It does not know who holds anything: holdings are folded one by one
//! against it (see [`crate::holding`]).
//!
//! Every change is total: creating what exists does nothing, changing or deleting what does not exist
//! does nothing, and a change whose level or parent is missing at its moment, or which would not fit,
//! does nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::catalog::{Definitions, Table};
use crate::grantable::{Grantable, RoleKey};
use crate::instant::EffectiveAt;
use crate::level::{Attributes, FeatureSet, LevelKind};
use crate::order::{OrderKey, Track};
use crate::requirement::{Direction, Held, Leaf, Requirement};
use crate::symbol::{LevelRef, Map, Symbol};

/// A change of structure or definitions, its names resolved
#[derive(Clone, Debug)]
pub(crate) enum Structural {
    CreateLevel { level: LevelRef, parent: Option<LevelRef>, attributes: Attributes },
    MoveLevel { level: LevelRef, parent: LevelRef },
    SetLevel { level: LevelRef, attributes: Attributes },
    DeleteLevel { level: LevelRef },
    CreateRole { level: LevelRef, role: RoleKey, custom: Arc<CustomRole> },
    DeleteRole { level: LevelRef, role: RoleKey },
    CreateRoleCollection { level: LevelRef, name: Symbol, roles: Arc<[RoleKey]> },
    SetRoles { level: LevelRef, name: Symbol, roles: Arc<[RoleKey]> },
    DeleteRoleCollection { level: LevelRef, name: Symbol },
    PublishCatalog(Arc<Published>),
}

/// A catalogue, and the entry that published it
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) definitions: Definitions,
    pub(crate) position: crate::outcome::Position,
}

/// A custom role as it was created
#[derive(Debug)]
pub(crate) struct CustomRole {
    pub(crate) template: Symbol,
    /// As they were written; `None` means those of the catalogue's role of the template
    pub(crate) scopes: Option<Arc<[Symbol]>>,
}

/// A level that exists
#[derive(Clone, Debug)]
pub(crate) struct LevelState {
    pub(crate) parent: Option<LevelRef>,
    pub(crate) attributes: Attributes,
}

/// All that ever was of one level; a record `None` is a deletion
#[derive(Clone, Debug, Default)]
pub(crate) struct LevelTrack {
    pub(crate) states: Track<Option<Arc<LevelState>>>,
    pub(crate) roles: Map<RoleKey, Track<Option<Arc<CustomRole>>>>,
    pub(crate) role_collections: Map<Symbol, Track<Option<Arc<[RoleKey]>>>>,
}

#[derive(Clone, Copy, Debug)]
enum Touched {
    Level(LevelRef),
    Role(LevelRef, RoleKey),
    RoleCollection(LevelRef, Symbol),
    Catalog,
}

#[derive(Clone, Debug)]
struct Step {
    key: OrderKey,
    change: Arc<Structural>,
    touched: Vec<Touched>,
}

/// The levels and definitions over valid time, as known at one position
// INVARIANT (landscape): `steps` is sorted by key, and the tracks are what applying them in that order
// to nothing gives; each step's `touched` are the tracks that it pushed a record to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Landscape {
    steps: Vec<Step>,
    levels: Map<LevelRef, LevelTrack>,
    catalogs: Track<Arc<Published>>,
    /// After the last step
    children: Map<LevelRef, BTreeSet<LevelRef>>,
    /// Whatever was a child at any time; may hold more
    ever_children: Map<LevelRef, BTreeSet<LevelRef>>,
}

impl Landscape {
    /// The fold of these changes, in whatever order they come
    pub(crate) fn fold(mut changes: Vec<(OrderKey, Arc<Structural>)>) -> Self {
        changes.sort_unstable_by_key(|(key, _)| *key);
        let mut landscape = Self::default();
        for (key, change) in changes {
            landscape.apply(key, change);
        }
        landscape
    }

    /// Takes a change in at its place
    ///
    /// # Cost
    /// O(changes that take effect later), which is none for what is recorded when it takes effect.
    pub(crate) fn insert(&mut self, key: OrderKey, change: Arc<Structural>) {
        let later = self.undo_after(key);
        self.apply(key, change);
        self.redo(later);
    }

    /// Takes a change out
    ///
    /// # Cost
    /// As [`Landscape::insert`].
    pub(crate) fn remove(&mut self, key: OrderKey) {
        let later = self.undo_after(key);
        if self.steps.last().is_some_and(|step| step.key == key) {
            self.undo();
        }
        self.redo(later);
    }

    fn undo_after(&mut self, key: OrderKey) -> Vec<(OrderKey, Arc<Structural>)> {
        let mut later = Vec::new();
        while self.steps.last().is_some_and(|step| step.key > key) {
            later.extend(self.undo());
        }
        later
    }

    fn redo(&mut self, later: Vec<(OrderKey, Arc<Structural>)>) {
        for (key, change) in later.into_iter().rev() {
            self.apply(key, change);
        }
    }

    fn undo(&mut self) -> Option<(OrderKey, Arc<Structural>)> {
        let step = self.steps.pop()?;
        for touched in step.touched.iter().rev() {
            match *touched {
                Touched::Level(level) => {
                    let track = self.levels.entry(level).or_default();
                    let gone = track.states.pop().flatten();
                    let back = track.states.last().cloned().flatten();
                    self.hang(level, gone.and_then(|s| s.parent), back.and_then(|s| s.parent));
                }
                Touched::Role(level, role) => {
                    let track = self.levels.entry(level).or_default();
                    track.roles.entry(role).or_default().pop();
                }
                Touched::RoleCollection(level, name) => {
                    let track = self.levels.entry(level).or_default();
                    track.role_collections.entry(name).or_default().pop();
                }
                Touched::Catalog => {
                    self.catalogs.pop();
                }
            }
        }
        Some((step.key, step.change))
    }

    /// Notes that a level lies in another parent now
    fn hang(&mut self, level: LevelRef, from: Option<LevelRef>, to: Option<LevelRef>) {
        if from == to {
            return;
        }
        if let Some(children) = from.and_then(|parent| self.children.get_mut(&parent)) {
            children.remove(&level);
        }
        if let Some(parent) = to {
            self.children.entry(parent).or_default().insert(level);
            self.ever_children.entry(parent).or_default().insert(level);
        }
    }

    fn apply(&mut self, key: OrderKey, change: Arc<Structural>) {
        let mut touched = Vec::new();
        match &*change {
            Structural::CreateLevel { level, parent, attributes } => {
                if self.newest(*level).is_none() && self.fits_newest(*level, *parent) {
                    let state = LevelState { parent: *parent, attributes: attributes.clone() };
                    self.set_state(key, *level, Some(state), &mut touched);
                }
            }
            Structural::MoveLevel { level, parent } => {
                if let Some(state) = self.newest(*level).cloned()
                    && self.fits_newest(*level, Some(*parent))
                    && !self.lies_in_newest(*parent, *level)
                {
                    let state = LevelState { parent: Some(*parent), ..(*state).clone() };
                    self.set_state(key, *level, Some(state), &mut touched);
                }
            }
            Structural::SetLevel { level, attributes } => {
                if let Some(state) = self.newest(*level).cloned() {
                    let attributes = state.attributes.overlaid(attributes);
                    let state = LevelState { attributes, ..(*state).clone() };
                    self.set_state(key, *level, Some(state), &mut touched);
                }
            }
            Structural::DeleteLevel { level } => {
                if self.newest(*level).is_some() {
                    self.delete(key, *level, &mut touched);
                }
            }
            Structural::CreateRole { level, role, custom } => {
                if self.newest(*level).is_some() {
                    let track =
                        self.levels.entry(*level).or_default().roles.entry(*role).or_default();
                    if track.last().is_none_or(Option::is_none) {
                        track.push(key, Some(Arc::clone(custom)));
                        touched.push(Touched::Role(*level, *role));
                    }
                }
            }
            Structural::DeleteRole { level, role } => {
                let track = self.levels.entry(*level).or_default().roles.entry(*role).or_default();
                if track.last().is_some_and(Option::is_some) {
                    track.push(key, None);
                    touched.push(Touched::Role(*level, *role));
                }
            }
            Structural::CreateRoleCollection { level, name, roles } => {
                if self.newest(*level).is_some() && !self.has_custom_newest(*level, *name) {
                    self.set_roles(key, *level, *name, Some(Arc::clone(roles)), &mut touched);
                }
            }
            Structural::SetRoles { level, name, roles } => {
                if self.has_custom_newest(*level, *name) {
                    self.set_roles(key, *level, *name, Some(Arc::clone(roles)), &mut touched);
                }
            }
            Structural::DeleteRoleCollection { level, name } => {
                if self.has_custom_newest(*level, *name) {
                    self.set_roles(key, *level, *name, None, &mut touched);
                }
            }
            Structural::PublishCatalog(published) => {
                self.catalogs.push(key, Arc::clone(published));
                touched.push(Touched::Catalog);
            }
        }
        self.steps.push(Step { key, change, touched });
    }

    fn newest(&self, level: LevelRef) -> Option<&Arc<LevelState>> {
        self.levels.get(&level)?.states.last()?.as_ref()
    }

    fn fits_newest(&self, level: LevelRef, parent: Option<LevelRef>) -> bool {
        level.kind.fits_in(parent.map(|parent| parent.kind))
            && parent.is_none_or(|parent| self.newest(parent).is_some())
    }

    /// Whether `level` is `ancestor` or lies somewhere in it
    fn lies_in_newest(&self, level: LevelRef, ancestor: LevelRef) -> bool {
        let mut up = Some(level);
        while let Some(one) = up {
            if one == ancestor {
                return true;
            }
            up = self.newest(one).and_then(|state| state.parent);
        }
        false
    }

    fn has_custom_newest(&self, level: LevelRef, name: Symbol) -> bool {
        self.levels
            .get(&level)
            .and_then(|track| track.role_collections.get(&name)?.last()?.as_ref())
            .is_some()
    }

    fn set_state(
        &mut self,
        key: OrderKey,
        level: LevelRef,
        state: Option<LevelState>,
        touched: &mut Vec<Touched>,
    ) {
        let before = self.newest(level).and_then(|state| state.parent);
        let after = state.as_ref().and_then(|state| state.parent);
        self.levels.entry(level).or_default().states.push(key, state.map(Arc::new));
        self.hang(level, before, after);
        touched.push(Touched::Level(level));
    }

    fn set_roles(
        &mut self,
        key: OrderKey,
        level: LevelRef,
        name: Symbol,
        roles: Option<Arc<[RoleKey]>>,
        touched: &mut Vec<Touched>,
    ) {
        let track = self.levels.entry(level).or_default();
        track.role_collections.entry(name).or_default().push(key, roles);
        touched.push(Touched::RoleCollection(level, name));
    }

    /// Deletes the whole subtree with its custom roles and role collections
    fn delete(&mut self, key: OrderKey, level: LevelRef, touched: &mut Vec<Touched>) {
        let mut doomed = vec![level];
        let mut next = 0;
        while let Some(one) = doomed.get(next).copied() {
            doomed.extend(self.children.get(&one).into_iter().flatten());
            next += 1;
        }
        for level in doomed {
            let track = self.levels.entry(level).or_default();
            for (role, records) in &mut track.roles {
                if records.last().is_some_and(Option::is_some) {
                    records.push(key, None);
                    touched.push(Touched::Role(level, *role));
                }
            }
            for (name, records) in &mut track.role_collections {
                if records.last().is_some_and(Option::is_some) {
                    records.push(key, None);
                    touched.push(Touched::RoleCollection(level, *name));
                }
            }
            self.set_state(key, level, None, touched);
        }
    }
}

// What was there at a moment.
impl Landscape {
    pub(crate) fn track(&self, level: LevelRef) -> Option<&LevelTrack> {
        self.levels.get(&level)
    }

    pub(crate) fn level(&self, level: LevelRef, t: EffectiveAt) -> Option<&LevelState> {
        self.levels.get(&level)?.states.at(t)?.as_deref()
    }

    /// Every level that exists at that moment
    pub(crate) fn levels(&self, t: EffectiveAt) -> impl Iterator<Item = (LevelRef, &LevelState)> {
        self.levels
            .iter()
            .filter_map(move |(level, track)| Some((*level, track.states.at(t)?.as_deref()?)))
    }

    /// The level and its ancestors, from itself up; nothing if it does not exist
    pub(crate) fn upwards(
        &self,
        level: LevelRef,
        t: EffectiveAt,
    ) -> impl Iterator<Item = (LevelRef, &LevelState)> {
        let mut up = Some(level);
        std::iter::from_fn(move || {
            let level = up?;
            let state = self.level(level, t)?;
            up = state.parent;
            Some((level, state))
        })
    }

    /// The level and all below it, parents before children; nothing if it does not exist
    pub(crate) fn subtree(&self, level: LevelRef, t: EffectiveAt) -> Vec<LevelRef> {
        if self.level(level, t).is_none() {
            return Vec::new();
        }
        let mut found = vec![level];
        let mut next = 0;
        while let Some(one) = found.get(next).copied() {
            found.extend(self.ever_children.get(&one).into_iter().flatten().filter(|child| {
                self.level(**child, t).is_some_and(|state| state.parent == Some(one))
            }));
            next += 1;
        }
        found
    }

    pub(crate) fn catalog(&self, t: EffectiveAt) -> Option<&Arc<Published>> {
        self.catalogs.at(t)
    }

    pub(crate) fn feature_set(&self, level: LevelRef, t: EffectiveAt) -> FeatureSet {
        self.upwards(level, t)
            .find_map(|(_, state)| state.attributes.feature_set)
            .unwrap_or_default()
    }

    /// What names mean at a level at a moment; `None` if it does not exist
    pub(crate) fn here(&self, level: LevelRef, t: EffectiveAt) -> Option<Here<'_>> {
        self.here_under(level, t, self.feature_set(level, t))
    }

    /// The same, for a feature set in force that is known
    pub(crate) fn here_under(
        &self,
        level: LevelRef,
        t: EffectiveAt,
        feature_set: FeatureSet,
    ) -> Option<Here<'_>> {
        let track = self.levels.get(&level)?;
        let state = track.states.at(t)?.as_deref()?;
        let definitions = self.catalog(t).map(|published| &published.definitions);
        Some(Here {
            table: definitions.map(|d| d.table(level.kind, feature_set)),
            definitions,
            track,
            state,
            kind: level.kind,
            t,
        })
    }

    /// The levels where a leaf looks, seen from a target
    pub(crate) fn reach(&self, target: LevelRef, leaf: &Leaf, t: EffectiveAt) -> Vec<LevelRef> {
        let kinds = leaf.kinds;
        match leaf.direction {
            Direction::At => self
                .upwards(target, t)
                .map(|(level, _)| level)
                .filter(|level| kinds.contains(level.kind))
                .collect(),
            Direction::Below => self
                .subtree(target, t)
                .into_iter()
                .filter(|level| *level != target && kinds.contains(level.kind))
                .collect(),
        }
    }

    /// The moments after `from` and before `until` at which anything may change that a question about
    /// a level depends on: itself, whatever was ever above or below it, and the catalogue
    pub(crate) fn moments_around(
        &self,
        level: LevelRef,
        from: EffectiveAt,
        until: Option<EffectiveAt>,
    ) -> BTreeSet<EffectiveAt> {
        let mut around = BTreeSet::from([level]);
        let mut queue = vec![level];
        while let Some(one) = queue.pop() {
            let states = self.levels.get(&one).into_iter().flat_map(|track| track.states.iter());
            let parents = states.filter_map(|(_, state)| state.as_ref()?.parent);
            queue.extend(parents.filter(|parent| around.insert(*parent)));
        }
        queue.push(level);
        let mut below = BTreeSet::new();
        while let Some(one) = queue.pop() {
            let children = self.ever_children.get(&one).into_iter().flatten().copied();
            queue.extend(children.filter(|child| below.insert(*child)));
        }
        around.extend(below);
        let mut moments = BTreeSet::new();
        let mut note = |key: &OrderKey| {
            let t = key.effective_at;
            if t > from && until.is_none_or(|until| t < until) {
                moments.insert(t);
            }
        };
        self.catalogs.iter().for_each(|(key, _)| note(key));
        for track in around.iter().filter_map(|level| self.levels.get(level)) {
            track.states.iter().for_each(|(key, _)| note(key));
            track.roles.values().flat_map(Track::iter).for_each(|(key, _)| note(key));
            track.role_collections.values().flat_map(Track::iter).for_each(|(key, _)| note(key));
        }
        moments
    }
}

/// What names mean at one level that exists, at one moment
#[derive(Clone, Copy, Debug)]
pub(crate) struct Here<'a> {
    definitions: Option<&'a Definitions>,
    table: Option<&'a Table>,
    track: &'a LevelTrack,
    state: &'a LevelState,
    kind: LevelKind,
    t: EffectiveAt,
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
    /// By their real names
    Real(&'a [Symbol]),
    /// As a custom role wrote them
    Written(&'a [Symbol]),
    /// Those of the catalogue's roles of that application and template
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

    pub(crate) fn takes_custom_role_collections(&self) -> bool {
        match self.kind {
            LevelKind::GlobalAccount | LevelKind::Subaccount => true,
            LevelKind::Directory => self.definitions.is_some_and(|d| d.custom_in_directories),
            _ => false,
        }
    }

    /// What an operation requires, if it can be done here
    pub(crate) fn operation(&self, operation: Symbol) -> Option<&'a Arc<Requirement<Leaf>>> {
        self.table?.operations.get(&operation)
    }

    pub(crate) fn operations(
        &self,
    ) -> impl Iterator<Item = (Symbol, &'a Arc<Requirement<Leaf>>)> + use<'a> {
        let table = self.table;
        table.into_iter().flat_map(|table| table.operations.iter()).map(|(id, expr)| (*id, expr))
    }

    /// The real name of a scope, by the catalogue in force
    pub(crate) fn real_scope(&self, scope: Symbol) -> Symbol {
        self.definitions.map_or(scope, |definitions| definitions.real_scope(scope))
    }

    /// A custom role hides a predefined one of the same application and name
    pub(crate) fn role(&self, role: RoleKey) -> Option<RoleHere<'a>> {
        let custom = self.track.roles.get(&role).and_then(|track| track.at(self.t)?.as_deref());
        if let Some(custom) = custom {
            let scopes = match &custom.scopes {
                Some(scopes) => ScopesHere::Written(scopes),
                None => ScopesHere::Template(role.application, custom.template),
            };
            return Some(RoleHere { predefined: false, grantable: false, scopes });
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
        let t = self.t;
        let is_custom =
            move |track: &Track<Option<Arc<CustomRole>>>| track.at(t).is_some_and(Option::is_some);
        let track = self.track;
        let custom = track.roles.iter().filter(move |(_, track)| is_custom(track));
        let predefined = self.table.into_iter().flat_map(|table| table.roles.keys());
        custom.map(|(role, _)| *role).chain(
            predefined.filter(move |role| !track.roles.get(role).is_some_and(is_custom)).copied(),
        )
    }

    /// A custom role collection hides a predefined one of its name
    pub(crate) fn role_collection(&self, name: Symbol) -> Option<RoleCollectionHere<'a>> {
        let custom =
            self.track.role_collections.get(&name).and_then(|track| track.at(self.t)?.as_ref());
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

    /// Whether the name means a custom one here; `None` if it means nothing
    pub(crate) fn is_custom(&self, grantable: Grantable) -> Option<bool> {
        match grantable {
            Grantable::Role(role) => self.role(role).map(|role| !role.predefined),
            Grantable::RoleCollection(name) => self.role_collection(name).map(|c| !c.predefined),
        }
    }

    /// The roles that something gives here: a role listed and not existing gives nothing
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

    /// Whether a counting holding of that gives what a leaf asks for
    pub(crate) fn gives(&self, grantable: Grantable, held: Held) -> bool {
        match held {
            Held::RoleCollection(name) => grantable == Grantable::RoleCollection(name),
            Held::Role { application, name } => self.roles_given(grantable).any(|(role, _)| {
                role.name == name && application.is_none_or(|a| a == role.application)
            }),
            Held::Scope(scope) => {
                self.roles_given(grantable).any(|(_, role)| self.scopes_of(role).contains(&scope))
            }
        }
    }
}
