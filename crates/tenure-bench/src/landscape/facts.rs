//! What is remembered of a history once it is made?
//!
//! A few thousand grants, drawn evenly from all of them, and the names that questions can be asked about.
//! So questions meet people who hold something, without the history being kept.

use std::sync::Arc;

use tenure_core::{Level, Principal};
use tenure_demo::dice::Dice;

use super::shape::Shape;

/// Grants that are remembered
const GRANTS_KEPT: usize = 4_096;

/// A grant of a role collection to a user, as it was made
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Given {
    /// Where
    pub level: Level,
    /// What
    pub role_collection: Arc<str>,
    /// To whom
    pub to: Principal,
    /// When it took effect, in microseconds since 1970
    pub effective_micros: i64,
    /// When it was recorded
    pub recorded_micros: i64,
}

/// How much of what a history has
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Messages
    pub messages: u64,
    /// Entries
    pub entries: u64,
    /// Changes
    pub changes: u64,
    /// Changes that grant
    pub grants: u64,
    /// Grants that end by themselves
    pub expiring: u64,
    /// Changes that revoke
    pub revokes: u64,
    /// Changes of members
    pub memberships: u64,
    /// Changes of levels, roles, role collections and the catalogue
    pub definitions: u64,
    /// Principals that were removed
    pub removals: u64,
    /// Entries that were recorded after they took effect
    pub late: u64,
    /// Entries that were recorded before they take effect
    pub scheduled: u64,
    /// Entries that are voids
    pub voids: u64,
    /// Entries that are refused on purpose
    pub refused: u64,
    /// Entries that are sent again
    pub duplicates: u64,
}

/// What is remembered of a history
#[derive(Clone, Debug)]
pub struct Facts {
    /// The shape it is of
    pub shape: Shape,
    /// How much of what
    pub counts: Counts,
    /// The root
    pub root: Level,
    /// Directories, none of which is deleted
    pub directories: Vec<Level>,
    /// Subaccounts that are never deleted
    pub subaccounts: Vec<Level>,
    /// Role collections that many hold, and that are never deleted: about a hundred of each where the
    /// landscape is big enough
    pub crowded: Vec<(Level, Arc<str>)>,
    /// Some users
    pub users: Vec<Principal>,
    /// Grants of what is crowded, drawn evenly
    pub crowded_grants: Vec<Given>,
    /// Grants of anything, drawn evenly
    pub grants: Vec<Given>,
    /// The newest moment of recorded time
    pub newest_micros: i64,
    /// Names of principals, levels, role collections and roles
    pub names: u64,
    /// Bytes of their texts
    pub names_bytes: u64,
}

/// A few of many, drawn evenly while they go by
#[derive(Debug)]
pub(crate) struct Reservoir {
    kept: Vec<Given>,
    seen: u64,
}

impl Reservoir {
    pub(crate) fn new() -> Self {
        Self { kept: Vec::new(), seen: 0 }
    }

    /// Takes the next one with the chance that makes all of them equally likely
    pub(crate) fn offer(&mut self, dice: &mut Dice, make: impl FnOnce() -> Given) {
        self.seen += 1;
        if self.kept.len() < GRANTS_KEPT {
            self.kept.push(make());
            return;
        }
        let place = usize::try_from(dice.below(self.seen)).unwrap_or(usize::MAX);
        if let Some(kept) = self.kept.get_mut(place) {
            *kept = make();
        }
    }

    pub(crate) fn kept(&self) -> &[Given] {
        &self.kept
    }
}
