//! Which levels, custom definitions and catalogues were there, as known now?
//!
//! Changes of structure in order of effect. A late change folds all of them again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use tenure_core::{FeatureSet, LevelKind};

use super::super::tables::{FOREVER, Grantable, Names, Role, Span};

/// A change's place among all: effective time, position, index in its entry
pub(super) type Key = (i64, u64, u32);

/// What something was, from each change on
pub(super) type Track<T> = Vec<(Key, T)>;

/// What a custom name means
#[derive(Clone, Debug)]
pub(super) enum Custom {
    Collection(Arc<[Role]>),
    /// The scopes as written; `None` means those of the template
    Role {
        template: u32,
        scopes: Option<Vec<u32>>,
    },
}

#[derive(Clone, Copy, Debug)]
pub(super) struct LevelState {
    pub(super) parent: Option<u32>,
    pub(super) set: Option<FeatureSet>,
    pub(super) authorizations: Option<bool>,
}

/// A change of structure, which has no effect where it cannot be
#[derive(Clone, Debug)]
pub(super) enum Structural {
    Create(u32, LevelState),
    Move(u32, u32),
    Set(u32, Option<FeatureSet>, Option<bool>),
    Delete(u32),
    Define(u32, Grantable, Custom),
    Redefine(u32, Grantable, Custom),
    Undefine(u32, Grantable),
    Publish(u32),
}

/// All that ever was of one level; `None` is a deletion
#[derive(Debug, Default)]
pub(super) struct LevelTrack {
    pub(super) states: Track<Option<LevelState>>,
    pub(super) customs: BTreeMap<Grantable, Track<Option<Custom>>>,
}

/// What changes touched
#[derive(Debug, Default)]
pub(super) struct Touched {
    pub(super) levels: BTreeSet<u32>,
    pub(super) collections: BTreeSet<(u32, Grantable)>,
    pub(super) catalogs: bool,
}

#[derive(Debug, Default)]
pub(super) struct Structure {
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

impl Structure {
    /// Takes a change in
    pub(super) fn insert(&mut self, names: &Names, key: Key, change: Structural) -> Touched {
        let late = self.log.last_key_value().is_some_and(|(last, _)| *last > key);
        self.log.insert(key, change.clone());
        let mut touched = Touched::default();
        if late {
            self.again(names, &mut touched);
        } else {
            self.apply(names, key, &change, &mut touched);
        }
        touched
    }

    /// Takes a change out
    pub(super) fn remove(&mut self, names: &Names, key: Key) -> Touched {
        let mut touched = Touched::default();
        self.log.remove(&key);
        self.again(names, &mut touched);
        touched
    }

    /// Folds all again: everything that was or is there counts as touched
    fn again(&mut self, names: &Names, touched: &mut Touched) {
        for (level, track) in self.levels.drain() {
            touched.levels.insert(level);
            touched.collections.extend(track.customs.into_keys().map(|what| (level, what)));
        }
        self.catalogs.clear();
        self.children.clear();
        touched.catalogs = true;
        let log = std::mem::take(&mut self.log);
        for (key, change) in &log {
            self.apply(names, *key, change, touched);
        }
        self.log = log;
    }

    fn newest(&self, level: u32) -> Option<LevelState> {
        self.levels.get(&level)?.states.last()?.1
    }

    fn has(&self, level: u32, what: Grantable) -> bool {
        let track = self.levels.get(&level).and_then(|track| track.customs.get(&what));
        track.and_then(|track| track.last()).is_some_and(|(_, custom)| custom.is_some())
    }

    fn put(&mut self, key: Key, level: u32, state: Option<LevelState>, touched: &mut Touched) {
        let before = self.newest(level).and_then(|state| state.parent);
        if let Some(children) = before.and_then(|parent| self.children.get_mut(&parent)) {
            children.remove(&level);
        }
        if let Some(parent) = state.and_then(|state| state.parent) {
            self.children.entry(parent).or_default().insert(level);
            self.ever_children.entry(parent).or_default().insert(level);
        }
        self.levels.entry(level).or_default().states.push((key, state));
        touched.levels.insert(level);
    }

    fn put_custom(
        &mut self,
        key: Key,
        (level, what): (u32, Grantable),
        custom: Option<Custom>,
        touched: &mut Touched,
    ) {
        let track = self.levels.entry(level).or_default();
        track.customs.entry(what).or_default().push((key, custom));
        match what {
            Grantable::Collection(_) => touched.collections.insert((level, what)),
            // A custom role may hide a predefined one.
            Grantable::Role(_) => touched.levels.insert(level),
        };
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
                    let set = set.or(state.set);
                    let authorizations = authorizations.or(state.authorizations);
                    let state = LevelState { set, authorizations, ..state };
                    self.put(key, *level, Some(state), touched);
                }
            }
            Structural::Delete(level) => self.delete(key, *level, touched),
            Structural::Define(level, what, custom) => {
                if self.newest(*level).is_some() && !self.has(*level, *what) {
                    self.put_custom(key, (*level, *what), Some(custom.clone()), touched);
                }
            }
            Structural::Redefine(level, what, custom) => {
                if self.has(*level, *what) {
                    self.put_custom(key, (*level, *what), Some(custom.clone()), touched);
                }
            }
            Structural::Undefine(level, what) => {
                if self.has(*level, *what) {
                    self.put_custom(key, (*level, *what), None, touched);
                }
            }
            Structural::Publish(catalog) => {
                self.catalogs.push((key, *catalog));
                touched.catalogs = true;
            }
        }
    }

    /// Deletes a level with all levels below it and their definitions
    fn delete(&mut self, key: Key, level: u32, touched: &mut Touched) {
        if self.newest(level).is_none() {
            return;
        }
        for level in below(&self.children, level) {
            let track = self.levels.get(&level);
            let customs = track.into_iter().flat_map(|track| track.customs.keys().copied());
            for what in customs.collect::<Vec<_>>() {
                if self.has(level, what) {
                    self.put_custom(key, (level, what), None, touched);
                }
            }
            self.put(key, level, None, touched);
        }
    }

    fn lies_in(&self, level: u32, ancestor: u32) -> bool {
        let mut up = Some(level);
        while let Some(one) = up.filter(|one| *one != ancestor) {
            up = self.newest(one).and_then(|state| state.parent);
        }
        up.is_some()
    }

    /// A level and all that was ever below it
    pub(super) fn ever_below(&self, level: u32) -> Vec<u32> {
        below(&self.ever_children, level)
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

    /// What a custom name means at a moment
    pub(super) fn custom(&self, level: u32, what: Grantable, t: i64) -> Option<&Custom> {
        at(self.levels.get(&level)?.customs.get(&what)?, t)?.as_ref()
    }

    /// The stretches in which a custom one of that name exists
    pub(super) fn customs(&self, level: u32, what: Grantable) -> Vec<Span> {
        let track = self.levels.get(&level).and_then(|track| track.customs.get(&what));
        let all = track.into_iter().flat_map(stretches);
        all.filter(|(_, custom)| custom.is_some()).map(|(span, _)| span).collect()
    }
}

/// A level and all below it, each once
fn below(children: &FxHashMap<u32, BTreeSet<u32>>, level: u32) -> Vec<u32> {
    let (mut found, mut seen) = (vec![level], BTreeSet::from([level]));
    let mut next = 0;
    while let Some(one) = found.get(next).copied() {
        let more = children.get(&one).into_iter().flatten().copied();
        found.extend(more.filter(|child| seen.insert(*child)));
        next += 1;
    }
    found
}
