//! Which levels, roles, role collections and catalogues were there, as known now?
//!
//! Changes of structure in order of effect; what is recorded late folds all of them again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use tenure_core::{FeatureSet, LevelKind};

use crate::names::{Grantable, Names, Role};
use crate::span::{FOREVER, Span};

/// A change's place among all: effective time, position, index in its entry
pub(super) type Key = (i64, u64, u32);

/// What something was, from each change on
pub(super) type Track<T> = Vec<(Key, T)>;

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Custom {
    pub(super) template: u32,
    /// As written; `None` means those of the template
    pub(super) scopes: Option<Vec<u32>>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct LevelState {
    pub(super) parent: Option<u32>,
    pub(super) set: Option<FeatureSet>,
    pub(super) authorizations: Option<bool>,
}

#[derive(Clone, Debug)]
pub(super) enum Structural {
    Create(u32, LevelState),
    Move(u32, u32),
    Set(u32, Option<FeatureSet>, Option<bool>),
    Delete(u32),
    CreateRole(u32, Role, Custom),
    DeleteRole(u32, Role),
    CreateCollection(u32, u32, Arc<[Role]>),
    SetCollection(u32, u32, Arc<[Role]>),
    DeleteCollection(u32, u32),
    Publish(u32),
}

/// All that ever was of one level; `None` is a deletion
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct LevelTrack {
    pub(super) states: Track<Option<LevelState>>,
    pub(super) roles: BTreeMap<Role, Track<Option<Custom>>>,
    pub(super) collections: BTreeMap<u32, Track<Option<Arc<[Role]>>>>,
}

/// What a change touched
#[derive(Debug, Default)]
pub(super) struct Touched {
    pub(super) levels: BTreeSet<u32>,
    pub(super) collections: BTreeSet<(u32, u32)>,
    pub(super) catalogs: bool,
}

#[derive(Debug, Default)]
pub(super) struct Landscape {
    log: BTreeMap<Key, Structural>,
    pub(super) levels: FxHashMap<u32, LevelTrack>,
    pub(super) catalogs: Track<u32>,
    /// After the last change
    children: FxHashMap<u32, BTreeSet<u32>>,
    /// At any time, and as known at any
    ever_children: FxHashMap<u32, BTreeSet<u32>>,
}

/// The value of a track at a moment
pub(super) fn at<T>(track: &Track<T>, t: i64) -> Option<&T> {
    let after = track.partition_point(|(key, _)| key.0 <= t);
    track.get(after.checked_sub(1)?).map(|(_, value)| value)
}

/// The stretches of a track with their values
pub(super) fn stretches<T>(track: &Track<T>) -> impl Iterator<Item = (Span, &T)> {
    track.iter().enumerate().filter_map(|(n, (key, value))| {
        let until = track.get(n + 1).map_or(FOREVER, |(next, _)| next.0);
        Some((Span::new(key.0, until)?, value))
    })
}

fn fits(kind: LevelKind, parent: Option<LevelKind>) -> bool {
    use LevelKind as K;
    match kind {
        K::GlobalAccount => parent.is_none(),
        K::Directory | K::Subaccount => matches!(parent, Some(K::GlobalAccount | K::Directory)),
        K::CfOrg | K::Application => parent == Some(K::Subaccount),
        K::CfSpace => parent == Some(K::CfOrg),
        K::ServiceInstance => matches!(parent, Some(K::CfSpace | K::Subaccount)),
    }
}

impl Landscape {
    /// Takes a change in
    pub(super) fn insert(&mut self, names: &Names, key: Key, change: Structural) -> Touched {
        let late = self.log.last_key_value().is_some_and(|(last, _)| *last > key);
        self.log.insert(key, change.clone());
        if late {
            return self.again(names);
        }
        let mut touched = Touched::default();
        self.apply(names, key, &change, &mut touched);
        touched
    }

    /// Takes a change out
    pub(super) fn remove(&mut self, names: &Names, key: Key) -> Touched {
        self.log.remove(&key);
        self.again(names)
    }

    /// Folds all again, and compares
    fn again(&mut self, names: &Names) -> Touched {
        let levels = std::mem::take(&mut self.levels);
        let catalogs = std::mem::take(&mut self.catalogs);
        self.children.clear();
        let log = std::mem::take(&mut self.log);
        for (key, change) in &log {
            self.apply(names, *key, change, &mut Touched::default());
        }
        self.log = log;
        let mut touched = Touched { catalogs: self.catalogs != catalogs, ..Touched::default() };
        let all: BTreeSet<u32> = levels.keys().chain(self.levels.keys()).copied().collect();
        let nothing = LevelTrack::default();
        for level in all {
            let before = levels.get(&level).unwrap_or(&nothing);
            let now = self.levels.get(&level).unwrap_or(&nothing);
            if before.states != now.states || before.roles != now.roles {
                touched.levels.insert(level);
            }
            let of_both = before.collections.keys().chain(now.collections.keys());
            touched.collections.extend(
                of_both
                    .filter(|name| before.collections.get(name) != now.collections.get(name))
                    .map(|name| (level, *name)),
            );
        }
        touched
    }

    fn newest(&self, level: u32) -> Option<LevelState> {
        self.levels.get(&level)?.states.last()?.1
    }

    fn has_custom(&self, level: u32, name: u32) -> bool {
        let track = self.levels.get(&level).and_then(|track| track.collections.get(&name));
        track.and_then(|track| track.last()).is_some_and(|(_, roles)| roles.is_some())
    }

    fn has_role(&self, level: u32, role: Role) -> bool {
        let track = self.levels.get(&level).and_then(|track| track.roles.get(&role));
        track.and_then(|track| track.last()).is_some_and(|(_, custom)| custom.is_some())
    }

    fn put(&mut self, key: Key, level: u32, state: Option<LevelState>, touched: &mut Touched) {
        let before = self.newest(level).and_then(|state| state.parent);
        let after = state.and_then(|state| state.parent);
        if let Some(children) = before.and_then(|parent| self.children.get_mut(&parent)) {
            children.remove(&level);
        }
        if let Some(parent) = after {
            self.children.entry(parent).or_default().insert(level);
            self.ever_children.entry(parent).or_default().insert(level);
        }
        self.levels.entry(level).or_default().states.push((key, state));
        touched.levels.insert(level);
    }

    fn put_collection(
        &mut self,
        key: Key,
        level: u32,
        name: u32,
        roles: Option<Arc<[Role]>>,
        touched: &mut Touched,
    ) {
        let track = self.levels.entry(level).or_default();
        track.collections.entry(name).or_default().push((key, roles));
        touched.collections.insert((level, name));
    }

    fn put_role(
        &mut self,
        key: Key,
        level: u32,
        role: Role,
        custom: Option<Custom>,
        touched: &mut Touched,
    ) {
        let track = self.levels.entry(level).or_default();
        track.roles.entry(role).or_default().push((key, custom));
        touched.levels.insert(level);
    }

    fn apply(&mut self, names: &Names, key: Key, change: &Structural, touched: &mut Touched) {
        match change {
            Structural::Create(level, state) => {
                let parent = state.parent;
                if self.newest(*level).is_none()
                    && fits(names.kind(*level), parent.map(|parent| names.kind(parent)))
                    && parent.is_none_or(|parent| self.newest(parent).is_some())
                {
                    self.put(key, *level, Some(*state), touched);
                }
            }
            Structural::Move(level, parent) => {
                if let Some(state) = self.newest(*level)
                    && self.newest(*parent).is_some()
                    && fits(names.kind(*level), Some(names.kind(*parent)))
                    && !self.lies_in(*parent, *level)
                {
                    let state = LevelState { parent: Some(*parent), ..state };
                    self.put(key, *level, Some(state), touched);
                }
            }
            Structural::Set(level, set, authorizations) => {
                if let Some(state) = self.newest(*level) {
                    let state = LevelState {
                        set: set.or(state.set),
                        authorizations: authorizations.or(state.authorizations),
                        ..state
                    };
                    self.put(key, *level, Some(state), touched);
                }
            }
            Structural::Delete(level) => self.delete(key, *level, touched),
            Structural::CreateRole(level, role, custom) => {
                if self.newest(*level).is_some() && !self.has_role(*level, *role) {
                    self.put_role(key, *level, *role, Some(custom.clone()), touched);
                }
            }
            Structural::DeleteRole(level, role) => {
                if self.has_role(*level, *role) {
                    self.put_role(key, *level, *role, None, touched);
                }
            }
            Structural::CreateCollection(level, name, roles) => {
                if self.newest(*level).is_some() && !self.has_custom(*level, *name) {
                    self.put_collection(key, *level, *name, Some(Arc::clone(roles)), touched);
                }
            }
            Structural::SetCollection(level, name, roles) => {
                if self.has_custom(*level, *name) {
                    self.put_collection(key, *level, *name, Some(Arc::clone(roles)), touched);
                }
            }
            Structural::DeleteCollection(level, name) => {
                if self.has_custom(*level, *name) {
                    self.put_collection(key, *level, *name, None, touched);
                }
            }
            Structural::Publish(catalog) => {
                self.catalogs.push((key, *catalog));
                touched.catalogs = true;
            }
        }
    }

    fn delete(&mut self, key: Key, level: u32, touched: &mut Touched) {
        if self.newest(level).is_none() {
            return;
        }
        let mut doomed = vec![level];
        let mut next = 0;
        while let Some(one) = doomed.get(next).copied() {
            doomed.extend(self.children.get(&one).into_iter().flatten());
            next += 1;
        }
        for level in doomed {
            let track = self.levels.entry(level).or_default();
            let roles: Vec<Role> = track.roles.keys().copied().collect();
            let collections: Vec<u32> = track.collections.keys().copied().collect();
            for role in roles {
                if self.has_role(level, role) {
                    self.put_role(key, level, role, None, touched);
                }
            }
            for name in collections {
                if self.has_custom(level, name) {
                    self.put_collection(key, level, name, None, touched);
                }
            }
            self.put(key, level, None, touched);
        }
    }

    fn lies_in(&self, level: u32, ancestor: u32) -> bool {
        let mut up = Some(level);
        while let Some(one) = up {
            if one == ancestor {
                return true;
            }
            up = self.newest(one).and_then(|state| state.parent);
        }
        false
    }

    /// A level and whatever was ever below it
    pub(super) fn ever_below(&self, level: u32) -> BTreeSet<u32> {
        let mut found = BTreeSet::from([level]);
        let mut queue = vec![level];
        while let Some(one) = queue.pop() {
            let children = self.ever_children.get(&one).into_iter().flatten().copied();
            queue.extend(children.filter(|child| found.insert(*child)));
        }
        found
    }

    pub(super) fn level(&self, level: u32, t: i64) -> Option<LevelState> {
        *at(&self.levels.get(&level)?.states, t)?
    }

    /// The feature set in force
    pub(super) fn set(&self, level: u32, t: i64) -> FeatureSet {
        let mut up = Some(level);
        while let Some(state) = up.and_then(|level| self.level(level, t)) {
            if let Some(set) = state.set {
                return set;
            }
            up = state.parent;
        }
        FeatureSet::B
    }

    pub(super) fn custom_role(&self, level: u32, role: Role, t: i64) -> Option<&Custom> {
        at(self.levels.get(&level)?.roles.get(&role)?, t)?.as_ref()
    }

    /// The stretches in which a custom one of that name exists
    pub(super) fn customs(&self, level: u32, what: Grantable) -> Vec<Span> {
        let Some(track) = self.levels.get(&level) else { return Vec::new() };
        match what {
            Grantable::Collection(name) => {
                let all = track.collections.get(&name).into_iter().flat_map(stretches);
                all.filter(|(_, roles)| roles.is_some()).map(|(span, _)| span).collect()
            }
            Grantable::Role(role) => {
                let all = track.roles.get(&role).into_iter().flat_map(stretches);
                all.filter(|(_, custom)| custom.is_some()).map(|(span, _)| span).collect()
            }
        }
    }
}
