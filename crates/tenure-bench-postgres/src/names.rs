//! Which numbers do names have in the tables?

use std::hash::Hash;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use tenure_core::{FeatureSet, Level, LevelKind, Principal};

/// Things of one type, numbered in the order in which they were met
// INVARIANT (numbered): `items[n]` is the item whose number is `n`.
#[derive(Debug)]
pub(crate) struct Numbered<T> {
    items: Vec<T>,
    numbers: FxHashMap<T, u32>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { items: Vec::new(), numbers: FxHashMap::default() }
    }
}

impl<T: Clone + Eq + Hash> Numbered<T> {
    /// The number of an item, given now if it was never met
    pub(crate) fn number(&mut self, item: &T) -> u32 {
        if let Some(number) = self.numbers.get(item) {
            return *number;
        }
        let number = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        self.items.push(item.clone());
        self.numbers.insert(item.clone(), number);
        number
    }

    pub(crate) fn get(&self, item: &T) -> Option<u32> {
        self.numbers.get(item).copied()
    }

    pub(crate) fn item(&self, number: u32) -> &T {
        #[expect(clippy::indexing_slicing, reason = "by INVARIANT (numbered)")]
        &self.items[number as usize]
    }

    /// All, each with its number
    pub(crate) fn all(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..).zip(&self.items)
    }
}

/// A role: the texts of its application and its name
pub(crate) type Role = (u32, u32);

/// What a holding is of
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Grantable {
    Collection(u32),
    Role(Role),
}

/// What a holding is of, and whether it is the custom or the predefined one of that name
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Granted {
    pub(crate) what: Grantable,
    pub(crate) custom: bool,
}

/// What must be held
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Held {
    RoleName(u32),
    Role(Role),
    Scope(u32),
    Collection(u32),
}

/// Every name of a history
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) texts: Numbered<Arc<str>>,
    pub(crate) levels: Numbered<Level>,
    pub(crate) principals: Numbered<Principal>,
    pub(crate) granted: Numbered<Granted>,
    pub(crate) held: Numbered<Held>,
}

impl Names {
    pub(crate) fn text(&mut self, text: &str) -> u32 {
        self.texts.number(&Arc::from(text))
    }

    pub(crate) fn kind(&self, level: u32) -> LevelKind {
        self.levels.item(level).kind()
    }

    pub(crate) fn role(&mut self, application: &str, name: &str) -> Role {
        (self.text(application), self.text(name))
    }

    fn role_text(&self, (application, name): Role) -> String {
        format!("{}/{}", self.texts.item(application), self.texts.item(name))
    }

    /// As answers name it: `role_collection:` or `role:` before it
    pub(crate) fn granted_text(&self, granted: &Granted) -> String {
        match granted.what {
            Grantable::Collection(name) => format!("role_collection:{}", self.texts.item(name)),
            Grantable::Role(role) => format!("role:{}", self.role_text(role)),
        }
    }

    /// As an ability names it
    pub(crate) fn held_text(&self, held: &Held) -> String {
        match held {
            Held::RoleName(name) => format!("role:{}", self.texts.item(*name)),
            Held::Role(role) => format!("role:{}", self.role_text(*role)),
            Held::Scope(scope) => format!("scope:{}", self.texts.item(*scope)),
            Held::Collection(name) => format!("role-collection:{}", self.texts.item(*name)),
        }
    }
}

/// The number that a kind of level has in the tables
pub(crate) fn kind_number(kind: LevelKind) -> u32 {
    kind as u32
}

/// The number that a feature set has in the tables
pub(crate) fn set_number(set: FeatureSet) -> u32 {
    match set {
        FeatureSet::A => 0,
        FeatureSet::B => 1,
    }
}

/// In place of a feature set, where a level has definitions of its own
pub(crate) const OWN_DEFINITIONS: u32 = 2;
