//! Which levels, roles, role collections and catalogues were there, and when?
//!
//! A [`Landscape`] is the fold of all changes of structure and definitions, over all of valid time,
//! as known at one position. It does not know the holdings. They are folded one by one
//! against it (see [`crate::history::holding`]).
//!
//! Every change is total. Creating a thing that exists does nothing. Changing or deleting a thing that is
//! missing does nothing. A change also does nothing when its level or parent is missing at its moment, or when
//! the level would not fit under the parent. [`crate::history::landscape_at`] reads what was there at a
//! moment.
//!
//! Rules: `docs/semantics.md#total`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::OrdSet;

use crate::history::order::{Cut, OrderKey, Track};
use crate::words::definitions::Definitions;
use crate::words::grantable::{Grantable, RoleKey};
use crate::words::instant::EffectiveAt;
use crate::words::level::Attributes;
use crate::words::pages::Pages;
use crate::words::position::Position;
use crate::words::rule::Rule;
use crate::words::symbol::{LevelRef, PrincipalRef, SharedMap, Symbol};

/// A change of structure or definitions, its names resolved
#[derive(Clone, Debug)]
pub(crate) enum Structural {
    /// A global account lies in the ledger's own level here
    CreateLevel {
        level: LevelRef,
        parent: LevelRef,
        attributes: Attributes,
    },
    MoveLevel {
        level: LevelRef,
        parent: LevelRef,
    },
    SetLevel {
        level: LevelRef,
        attributes: Attributes,
    },
    DeleteLevel {
        level: LevelRef,
    },
    CreateRole {
        level: LevelRef,
        role: RoleKey,
        custom: Arc<CustomRole>,
    },
    DeleteRole {
        level: LevelRef,
        role: RoleKey,
    },
    CreateRoleCollection {
        level: LevelRef,
        name: Symbol,
        roles: Arc<[RoleKey]>,
    },
    SetRoles {
        level: LevelRef,
        name: Symbol,
        roles: Arc<[RoleKey]>,
    },
    DeleteRoleCollection {
        level: LevelRef,
        name: Symbol,
    },
    SetRule {
        set: PrincipalRef,
        rule: Option<Arc<RuleOf>>,
    },
    SetPermission {
        level: LevelRef,
        name: Symbol,
        permission: Arc<Permission>,
    },
    DeletePermission {
        level: LevelRef,
        name: Symbol,
    },
    PublishCatalog(Arc<Published>),
}

impl Structural {
    /// The level that it changes, or that has what it changes
    fn level(&self) -> Option<LevelRef> {
        match self {
            Self::CreateLevel { level, .. }
            | Self::MoveLevel { level, .. }
            | Self::SetLevel { level, .. }
            | Self::DeleteLevel { level }
            | Self::CreateRole { level, .. }
            | Self::DeleteRole { level, .. }
            | Self::CreateRoleCollection { level, .. }
            | Self::SetRoles { level, .. }
            | Self::DeleteRoleCollection { level, .. }
            | Self::SetPermission { level, .. }
            | Self::DeletePermission { level, .. } => Some(*level),
            Self::SetRule { .. } | Self::PublishCatalog(_) => None,
        }
    }
}

/// A catalogue, and the entry that published it
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) definitions: Definitions,
    pub(crate) position: Position,
}

/// A custom role as it was created
#[derive(Debug)]
pub(crate) struct CustomRole {
    pub(crate) template: Symbol,
    /// As they were written; `None` means those of the catalogue's role of the template
    pub(crate) scopes: Option<Arc<[Symbol]>>,
}

/// The rule of a group, and whose users it makes members
#[derive(Debug)]
pub(crate) struct RuleOf {
    pub(crate) origin: Arc<str>,
    pub(crate) rule: Arc<Rule>,
}

/// What a permission of an application says
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Permission {
    /// The names of the roles that give it
    pub(crate) roles: Vec<Symbol>,
    /// The paths that it protects
    pub(crate) paths: Vec<Arc<str>>,
}

/// A level that exists
#[derive(Clone, Debug)]
pub(crate) struct LevelState {
    /// `None` for the ledger's own level alone
    pub(crate) parent: Option<LevelRef>,
    pub(crate) attributes: Attributes,
}

impl LevelState {
    /// The parent as it is shown: a global account has none
    pub(crate) fn shown_parent(&self) -> Option<LevelRef> {
        self.parent.filter(|parent| *parent != LevelRef::LEDGER)
    }
}

/// The whole history of one level; a record `None` is a deletion
#[derive(Clone, Debug, Default)]
pub(crate) struct LevelTrack {
    /// The level; `None` if the level never existed
    of: Option<LevelRef>,
    pub(crate) states: Track<Option<Arc<LevelState>>>,
    pub(crate) roles: SharedMap<RoleKey, Track<Option<Arc<CustomRole>>>>,
    /// The custom roles that ever had a name, and possibly others
    pub(crate) roles_named: SharedMap<Symbol, OrdSet<RoleKey>>,
    pub(crate) role_collections: SharedMap<Symbol, Track<Option<Arc<[RoleKey]>>>>,
    pub(crate) permissions: SharedMap<Symbol, Track<Option<Arc<Permission>>>>,
    /// The role collections that ever listed a role of that name, and possibly others
    pub(crate) listing: SharedMap<Symbol, OrdSet<Symbol>>,
    /// The children after the last step
    children: OrdSet<LevelRef>,
    /// Every level that was ever a child, and possibly others
    pub(crate) ever_children: OrdSet<LevelRef>,
}

/// A track that a step pushed a record to
#[derive(Clone, Copy, Debug)]
pub(crate) enum Touched {
    Level(LevelRef),
    Role(LevelRef, RoleKey),
    RoleCollection(LevelRef, Symbol),
    Permission(LevelRef, Symbol),
    Rule(PrincipalRef),
    Catalog,
}

#[derive(Clone, Debug)]
struct Step {
    key: OrderKey,
    change: Arc<Structural>,
    touched: Arc<[Touched]>,
}

/// The levels and definitions over valid time, as known at one position
// INVARIANT (landscape): `steps` is sorted by key. Applying the steps in that order to a landscape without steps
// gives the tracks. The `touched` of a step are the tracks that it pushed a record to.
///
/// The ledger's own level is there before every step. A clone shares every part that neither copy changes
/// afterwards.
#[derive(Clone, Debug)]
pub(crate) struct Landscape {
    steps: imbl::Vector<Step>,
    /// By the number of the level
    levels: Pages<Arc<LevelTrack>>,
    pub(crate) catalogs: Track<Arc<Published>>,
    /// The rules of groups; what a removal of the group does to them is not in here
    pub(crate) rules: SharedMap<PrincipalRef, Track<Option<Arc<RuleOf>>>>,
}

impl Default for Landscape {
    fn default() -> Self {
        let mut landscape = Self {
            steps: imbl::Vector::new(),
            levels: Pages::default(),
            catalogs: Track::default(),
            rules: SharedMap::default(),
        };
        let key =
            OrderKey { effective_at: EffectiveAt::BEFORE_ALL, position: Position::FIRST, index: 0 };
        let state = LevelState { parent: None, attributes: Attributes::default() };
        landscape.level_mut(LevelRef::LEDGER).states.push(key, Some(Arc::new(state)));
        landscape
    }
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
    /// O(changes that take effect later). A change that is recorded when it takes effect has none after it.
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
        let step = self.steps.pop_back()?;
        for touched in step.touched.iter().rev() {
            match *touched {
                Touched::Level(level) => {
                    let track = self.level_mut(level);
                    let gone = track.states.pop().flatten();
                    let back = track.states.last().cloned().flatten();
                    self.hang(level, gone.and_then(|s| s.parent), back.and_then(|s| s.parent));
                }
                Touched::Role(level, role) => {
                    self.level_mut(level).roles.entry(role).or_default().pop();
                }
                Touched::RoleCollection(level, name) => {
                    self.level_mut(level).role_collections.entry(name).or_default().pop();
                }
                Touched::Permission(level, name) => {
                    self.level_mut(level).permissions.entry(name).or_default().pop();
                }
                Touched::Rule(set) => {
                    self.rules.entry(set).or_default().pop();
                }
                Touched::Catalog => {
                    self.catalogs.pop();
                }
            }
        }
        Some((step.key, step.change))
    }

    /// Moves a level from the children of one parent to those of another
    fn hang(&mut self, level: LevelRef, from: Option<LevelRef>, to: Option<LevelRef>) {
        if from == to {
            return;
        }
        if let Some(parent) = from {
            self.level_mut(parent).children.remove(&level);
        }
        if let Some(parent) = to {
            let parent = self.level_mut(parent);
            parent.children.insert(level);
            parent.ever_children.insert(level);
        }
    }

    fn level_mut(&mut self, level: LevelRef) -> &mut LevelTrack {
        #[expect(clippy::expect_used, reason = "it is made where it is missing")]
        let track = self.levels.entry(level.number as usize).expect("it was made");
        let track = Arc::make_mut(track);
        track.of = Some(level);
        track
    }

    /// About how many records are copied when a change is inserted or removed while a clone shares them
    ///
    /// These are the records of later steps and those of the change's own level.
    pub(crate) fn weight_of(&self, key: OrderKey, change: &Structural) -> usize {
        let later = match self.steps.binary_search_by_key(&key, |step| step.key) {
            Ok(place) | Err(place) => self.steps.len() - place,
        };
        let own = change.level().and_then(|level| self.track(level));
        later + own.map_or(0, |track| track.states.len())
    }

    /// The tracks that the step with that key pushed a record to
    pub(crate) fn touched(&self, key: OrderKey) -> Arc<[Touched]> {
        let found = self.steps.binary_search_by_key(&key, |step| step.key).ok();
        let step = found.and_then(|place| self.steps.get(place));
        step.map_or_else(|| Arc::from([]), |step| Arc::clone(&step.touched))
    }

    fn apply(&mut self, key: OrderKey, change: Arc<Structural>) {
        let mut touched = Vec::new();
        match &*change {
            Structural::CreateLevel { level, parent, attributes } => {
                if self.newest(*level).is_none() && self.fits_newest(*level, *parent) {
                    let (parent, attributes) = (Some(*parent), attributes.clone());
                    let state = LevelState { parent, attributes };
                    self.set_state(key, *level, Some(state), &mut touched);
                }
            }
            Structural::MoveLevel { level, parent } => {
                if let Some(state) = self.newest(*level).cloned()
                    && self.fits_newest(*level, *parent)
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
                    let there = self.level_mut(*level);
                    there.roles_named.entry(role.name).or_default().insert(*role);
                    let track = there.roles.entry(*role).or_default();
                    if track.last().is_none_or(Option::is_none) {
                        track.push(key, Some(Arc::clone(custom)));
                        touched.push(Touched::Role(*level, *role));
                    }
                }
            }
            Structural::DeleteRole { level, role } => {
                let track = self.level_mut(*level).roles.entry(*role).or_default();
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
            Structural::SetRule { set, rule } => {
                self.rules.entry(*set).or_default().push(key, rule.clone());
                touched.push(Touched::Rule(*set));
            }
            Structural::SetPermission { level, name, permission } => {
                if self.newest(*level).is_some() {
                    let permission = Some(Arc::clone(permission));
                    self.level_mut(*level)
                        .permissions
                        .entry(*name)
                        .or_default()
                        .push(key, permission);
                    touched.push(Touched::Permission(*level, *name));
                }
            }
            Structural::DeletePermission { level, name } => {
                let track = self.level_mut(*level).permissions.entry(*name).or_default();
                if track.last().is_some_and(Option::is_some) {
                    track.push(key, None);
                    touched.push(Touched::Permission(*level, *name));
                }
            }
            Structural::PublishCatalog(published) => {
                self.catalogs.push(key, Arc::clone(published));
                touched.push(Touched::Catalog);
            }
        }
        self.steps.push_back(Step { key, change, touched: touched.into() });
    }

    fn newest(&self, level: LevelRef) -> Option<&Arc<LevelState>> {
        self.track(level)?.states.last()?.as_ref()
    }

    fn fits_newest(&self, level: LevelRef, parent: LevelRef) -> bool {
        let stated = Some(parent).filter(|parent| *parent != LevelRef::LEDGER);
        level.kind.fits_in(stated.map(|parent| parent.kind)) && self.newest(parent).is_some()
    }

    /// Whether `level` is `ancestor` or lies below it
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
        self.track(level)
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
        self.level_mut(level).states.push(key, state.map(Arc::new));
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
        let track = self.level_mut(level);
        for role in roles.iter().flat_map(|roles| roles.iter()) {
            track.listing.entry(role.name).or_default().insert(name);
        }
        track.role_collections.entry(name).or_default().push(key, roles);
        touched.push(Touched::RoleCollection(level, name));
    }

    /// Deletes the whole subtree with its custom roles and role collections
    fn delete(&mut self, key: OrderKey, level: LevelRef, touched: &mut Vec<Touched>) {
        let mut doomed = vec![level];
        let mut next = 0;
        while let Some(one) = doomed.get(next).copied() {
            doomed.extend(self.track(one).into_iter().flat_map(|track| &track.children));
            next += 1;
        }
        for level in doomed {
            let track = self.level_mut(level);
            for (role, records) in track.roles.iter_mut() {
                if records.last().is_some_and(Option::is_some) {
                    records.push(key, None);
                    touched.push(Touched::Role(level, *role));
                }
            }
            for (name, records) in track.role_collections.iter_mut() {
                if records.last().is_some_and(Option::is_some) {
                    records.push(key, None);
                    touched.push(Touched::RoleCollection(level, *name));
                }
            }
            for (name, records) in track.permissions.iter_mut() {
                if records.last().is_some_and(Option::is_some) {
                    records.push(key, None);
                    touched.push(Touched::Permission(level, *name));
                }
            }
            self.set_state(key, level, None, touched);
        }
    }
}

impl Landscape {
    pub(crate) fn track(&self, level: LevelRef) -> Option<&LevelTrack> {
        let track = self.levels.get(level.number as usize)?;
        track.of.is_some().then_some(track)
    }

    /// Whether no change lies between two cuts
    pub(crate) fn is_quiet_between(&self, one: Cut, other: Cut) -> bool {
        let steps_until = |cut: Cut| match self.steps.binary_search_by_key(&cut.0, |step| step.key)
        {
            Ok(place) => place + 1,
            Err(place) => place,
        };
        steps_until(one) == steps_until(other)
    }

    /// All levels that ever were, in no meaningful order
    pub(crate) fn tracks(&self) -> impl Iterator<Item = (LevelRef, &LevelTrack)> {
        self.levels.iter().filter_map(|track| Some((track.of?, &**track)))
    }

    /// The moments after `from` and before `until` at which an answer about a level may change
    ///
    /// An answer depends on the level, on every level that was ever above or below it, and on the catalogue.
    /// Changes after the clamp are left out.
    pub(crate) fn moments_around(
        &self,
        level: LevelRef,
        from: EffectiveAt,
        until: Option<EffectiveAt>,
        clamp: Cut,
    ) -> BTreeSet<EffectiveAt> {
        let mut around = self.ever_above(level);
        around.extend(self.ever_below(level));
        let mut moments = BTreeSet::new();
        self.changes_of(&around, |key| {
            let t = key.effective_at;
            if t > from && *key <= clamp.0 && until.is_none_or(|until| t < until) {
                moments.insert(t);
            }
        });
        moments
    }

    /// The level and every level that was ever below it, and possibly others
    pub(crate) fn ever_below(&self, level: LevelRef) -> BTreeSet<LevelRef> {
        let mut below = BTreeSet::from([level]);
        let mut queue = vec![level];
        while let Some(one) = queue.pop() {
            let track = self.track(one).into_iter();
            let children = track.flat_map(|track| &track.ever_children).copied();
            queue.extend(children.filter(|child| below.insert(*child)));
        }
        below
    }

    /// The level and every level that was ever above it
    fn ever_above(&self, level: LevelRef) -> BTreeSet<LevelRef> {
        let mut above = BTreeSet::from([level]);
        let mut queue = vec![level];
        while let Some(one) = queue.pop() {
            let states = self.track(one).into_iter().flat_map(|track| track.states.iter());
            let parents = states.filter_map(|(_, state)| state.as_ref()?.parent);
            queue.extend(parents.filter(|parent| above.insert(*parent)));
        }
        above
    }

    /// The moments at which a level, or one that was ever above it, came, went or got another parent
    ///
    /// # Cost
    /// O(changes of these levels).
    pub(crate) fn moves_above(&self, level: LevelRef, clamp: Cut) -> BTreeSet<EffectiveAt> {
        let mut moments = BTreeSet::new();
        for track in self.ever_above(level).iter().filter_map(|above| self.track(*above)) {
            let mut before = None;
            for (key, state) in track.states.iter().take_while(|(key, _)| *key <= clamp.0) {
                let parent = state.as_ref().map(|state| state.parent);
                if before != Some(parent) {
                    moments.insert(key.effective_at);
                }
                before = Some(parent);
            }
        }
        moments
    }

    /// Every change of these levels, of what is defined there, and of the catalogue, in no order
    fn changes_of(&self, levels: &BTreeSet<LevelRef>, mut note: impl FnMut(&OrderKey)) {
        self.catalogs.iter().for_each(|(key, _)| note(key));
        for track in levels.iter().filter_map(|level| self.track(*level)) {
            track.states.iter().for_each(|(key, _)| note(key));
            track.roles.values().flat_map(Track::iter).for_each(|(key, _)| note(key));
            track.role_collections.values().flat_map(Track::iter).for_each(|(key, _)| note(key));
            track.permissions.values().flat_map(Track::iter).for_each(|(key, _)| note(key));
        }
    }

    /// The moments at which what a name means at a level may change, each with the entry of the changes then, if they are of one
    pub(crate) fn moments_above(
        &self,
        level: LevelRef,
        grantable: Grantable,
        clamp: Cut,
    ) -> BTreeMap<EffectiveAt, Option<Position>> {
        let mut moments: BTreeMap<EffectiveAt, Option<Position>> = BTreeMap::new();
        let mut note = |key: &OrderKey| {
            if *key <= clamp.0 {
                let only = moments.entry(key.effective_at).or_insert(Some(key.position));
                *only = only.filter(|one| *one == key.position);
            }
        };
        self.catalogs.iter().for_each(|(key, _)| note(key));
        for above in self.ever_above(level) {
            let states = self.track(above).into_iter().flat_map(|track| track.states.iter());
            states.for_each(|(key, _)| note(key));
        }
        let own = self.track(level);
        match grantable {
            Grantable::Role(role) => {
                let track = own.and_then(|own| own.roles.get(&role));
                track.into_iter().flat_map(Track::iter).for_each(|(key, _)| note(key));
            }
            Grantable::RoleCollection(name) => {
                let track = own.and_then(|own| own.role_collections.get(&name));
                track.into_iter().flat_map(Track::iter).for_each(|(key, _)| note(key));
            }
        }
        moments
    }
}
