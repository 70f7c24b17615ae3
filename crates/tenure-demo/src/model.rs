//! What do the people at Acme believe?
//!
//! The people of the story act on what they know: they revoke only grants that are held, and request only grants that
//! they lack. This is their picture. Unlike the ledger's fold it has only one clock, and no definitions.

use std::collections::{BTreeMap, BTreeSet};

use tenure_wire::v1::Change;

use crate::calendar::Second;
use crate::change::Granted;

/// A principal, a level, and the role collection or role that the principal holds there
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Key {
    pub(crate) principal: String,
    pub(crate) level: String,
    pub(crate) granted: Granted,
}

/// The picture of all that was filed so far
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// The ends are texts, which have the same order as the instants
    held: BTreeMap<Key, Option<String>>,
    members: BTreeSet<(String, String)>,
    parents: BTreeMap<String, String>,
}

impl Model {
    /// Whether a key is held, with or without an end
    pub(crate) fn holds(&self, key: &Key) -> bool {
        self.held.contains_key(key)
    }

    /// The keys that are held without an end
    pub(crate) fn endless(&self) -> impl Iterator<Item = &Key> {
        self.held.iter().filter(|(_, until)| until.is_none()).map(|(key, _)| key)
    }

    /// The keys that are held at a level
    pub(crate) fn held_at(&self, level: &str) -> impl Iterator<Item = &Key> {
        self.held.keys().filter(move |key| key.level == level)
    }

    /// The sets that have a user as their member
    pub(crate) fn sets_of(&self, user: &str) -> Vec<String> {
        let mine = self.members.iter().filter(|(_, member)| member == user);
        mine.map(|(set, _)| set.clone()).collect()
    }

    /// Forgets the keys that have ended by a time
    pub(crate) fn expire(&mut self, now: Second) {
        let now = now.text();
        self.held.retain(|_, until| until.as_ref().is_none_or(|until| *until > now));
    }

    pub(crate) fn take_in(&mut self, change: &Change) {
        match change {
            Change::CreateLevel { level, parent: Some(parent), .. }
            | Change::MoveLevel { level, parent } => {
                self.parents.insert(level.clone(), parent.clone());
            }
            Change::DeleteLevel { level } => {
                let parents = &self.parents;
                self.held.retain(|key, _| !lies_in(parents, &key.level, level));
            }
            Change::Grant { level, role_collection, role, to, until, .. } => {
                if let Some(key) = key(level, role_collection, role, to) {
                    self.held.insert(key, until.clone());
                }
            }
            Change::Revoke { level, role_collection, role, from, .. } => {
                if let Some(key) = key(level, role_collection, role, from) {
                    self.held.remove(&key);
                }
            }
            Change::AddMember { set, member } => {
                self.members.insert((set.clone(), member.clone()));
            }
            Change::RemoveMember { set, member, .. } => {
                self.members.remove(&(set.clone(), member.clone()));
            }
            Change::RemovePrincipal { principal } => self.forget(principal),
            Change::CreateLevel { parent: None, .. }
            | Change::SetLevel { .. }
            | Change::CreateRole { .. }
            | Change::DeleteRole { .. }
            | Change::CreateRoleCollection { .. }
            | Change::SetRoles { .. }
            | Change::DeleteRoleCollection { .. }
            | Change::SetRule { .. }
            | Change::SetPermission { .. }
            | Change::DeletePermission { .. }
            | Change::PublishCatalog { .. }
            | Change::Observe { .. }
            | Change::Void { .. } => {}
        }
    }

    /// Forgets all keys and memberships of a principal
    pub(crate) fn forget(&mut self, principal: &str) {
        self.held.retain(|key, _| key.principal != principal);
        self.members.retain(|(set, member)| set != principal && member != principal);
    }
}

fn key(level: &str, collection: &Option<String>, role: &Option<String>, who: &str) -> Option<Key> {
    let granted = match (collection, role) {
        (Some(name), _) => Granted::Collection(name.clone()),
        (None, Some(name)) => Granted::Role(name.clone()),
        (None, None) => return None,
    };
    Some(Key { principal: who.to_owned(), level: level.to_owned(), granted })
}

fn lies_in(parents: &BTreeMap<String, String>, level: &str, in_level: &str) -> bool {
    std::iter::successors(Some(level), |level| parents.get(*level).map(String::as_str))
        .any(|level| level == in_level)
}
