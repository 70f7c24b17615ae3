//! Which entries name something?
//!
//! For the history of a principal, a level or a role collection, and for an actor's. Refused entries
//! and duplicates are in it; what could not be decoded names nothing.

use std::sync::Arc;

use crate::ledger::Ledger;
use crate::level::Level;
use crate::outcome::Position;
use crate::principal::Principal;
use crate::symbol::{LevelRef, Map, PrincipalRef, Symbol};

/// What an entry may name
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mention {
    /// A principal, in a change
    Principal(Principal),
    /// The actor of the entry
    Actor(Principal),
    /// A level or parent, in a change
    Level(Level),
    /// A role collection, in a change
    RoleCollection(Arc<str>),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Mentioned {
    Principal(PrincipalRef),
    Actor(PrincipalRef),
    Level(LevelRef),
    RoleCollection(Symbol),
}

/// The positions at which each thing is named, in log order
#[derive(Debug, Default)]
pub(crate) struct Mentions {
    positions: Map<Mentioned, Vec<Position>>,
}

impl Mentions {
    pub(crate) fn actor(principal: PrincipalRef) -> Mentioned {
        Mentioned::Actor(principal)
    }

    pub(crate) fn principal(principal: PrincipalRef) -> Mentioned {
        Mentioned::Principal(principal)
    }

    pub(crate) fn level(level: LevelRef) -> Mentioned {
        Mentioned::Level(level)
    }

    pub(crate) fn role_collection(name: Symbol) -> Mentioned {
        Mentioned::RoleCollection(name)
    }

    pub(crate) fn add(&mut self, mentioned: Mentioned, position: Position) {
        let positions = self.positions.entry(mentioned).or_default();
        if positions.last() != Some(&position) {
            positions.push(position);
        }
    }

    pub(crate) fn of_principal(&self, principal: PrincipalRef) -> &[Position] {
        self.of(Mentioned::Principal(principal))
    }

    fn of(&self, mentioned: Mentioned) -> &[Position] {
        self.positions.get(&mentioned).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn positions<'a>(&'a self, ledger: &Ledger, mention: &Mention) -> &'a [Position] {
        let mentioned = match mention {
            Mention::Principal(p) => ledger.find_principal(p).map(Mentioned::Principal),
            Mention::Actor(p) => ledger.find_principal(p).map(Mentioned::Actor),
            Mention::Level(level) => ledger.find_level(level).map(Mentioned::Level),
            Mention::RoleCollection(name) => {
                ledger.symbols.get(name).map(Mentioned::RoleCollection)
            }
        };
        mentioned.map_or(&[], |mentioned| self.of(mentioned))
    }
}
