//! Which entries name something?
//!
//! For the history of a principal, a level or a role collection, and for an actor's. Refused entries
//! and duplicates are in it; what could not be decoded names nothing.

use std::sync::Arc;

use crate::known::KnownAt;
use crate::ledger::Ledger;
use crate::level::Level;
use crate::outcome::Position;
use crate::pages::Pages;
use crate::positions::Positions;
use crate::principal::Principal;
use crate::symbol::{LevelRef, PrincipalRef, Symbol};

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

/// The positions at which each thing is named
///
/// Of levels and principals only those that no timeline tells of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mentions {
    principals: Lists,
    actors: Lists,
    levels: Lists,
    role_collections: Lists,
}

/// By the number of what is named
type Lists = Pages<Option<Arc<Positions>>>;

impl Mentions {
    pub(crate) fn add(&mut self, mentioned: Mentioned, position: Position) {
        let (lists, number) = match mentioned {
            Mentioned::Principal(principal) => (&mut self.principals, principal.number),
            Mentioned::Actor(principal) => (&mut self.actors, principal.number),
            Mentioned::Level(level) => (&mut self.levels, level.number),
            Mentioned::RoleCollection(name) => (&mut self.role_collections, name.number()),
        };
        if let Some(list) = lists.entry(number as usize) {
            Arc::make_mut(list.get_or_insert_default()).push(position);
        }
    }

    /// Every list: which of the four, the number of what is named, and where
    pub(crate) fn all(&self) -> impl Iterator<Item = (u8, usize, &Positions)> + Clone {
        let kinds = [&self.principals, &self.actors, &self.levels, &self.role_collections];
        (0..).zip(kinds).flat_map(|(kind, lists)| {
            let named = lists.iter().enumerate();
            named.filter_map(move |(number, list)| Some((kind, number, list.as_deref()?)))
        })
    }

    fn after(&self, mentioned: Mentioned, after: u64) -> impl Iterator<Item = Position> {
        let (lists, number) = match mentioned {
            Mentioned::Principal(principal) => (&self.principals, principal.number),
            Mentioned::Actor(principal) => (&self.actors, principal.number),
            Mentioned::Level(level) => (&self.levels, level.number),
            Mentioned::RoleCollection(name) => (&self.role_collections, name.number()),
        };
        let list = lists.get(number as usize).and_then(Option::as_ref);
        list.into_iter().flat_map(move |list| list.after(after))
    }
}

impl Ledger {
    /// The positions after one of the entries that mention something, in log order
    ///
    /// Refused entries and duplicates are among them, malformed ones are not.
    ///
    /// # Cost
    /// Of a level or a principal O(changes of it after the position), else O(answer).
    pub fn mentions(
        &self,
        mention: &Mention,
        after: KnownAt,
    ) -> Box<dyn Iterator<Item = Position> + '_> {
        let after = after.0;
        match mention {
            Mention::Actor(principal) => {
                let found = self.find_principal(principal).map(Mentioned::Actor);
                Box::new(found.into_iter().flat_map(move |one| self.mentions.after(one, after)))
            }
            Mention::RoleCollection(name) => {
                let found = self.symbols.get(name).map(Mentioned::RoleCollection);
                Box::new(found.into_iter().flat_map(move |one| self.mentions.after(one, after)))
            }
            Mention::Principal(principal) => match self.find_principal(principal) {
                Some(found) => Box::new(self.mentions_of_principal(found, after)),
                None => Box::new(std::iter::empty()),
            },
            Mention::Level(level) => match self.find_level(level) {
                Some(found) => {
                    let told = self.index.positions_at_level(found, after);
                    let others = self.mentions.after(Mentioned::Level(found), after);
                    Box::new(merged(told, others))
                }
                None => Box::new(std::iter::empty()),
            },
        }
    }

    pub(crate) fn mentions_of_principal(
        &self,
        principal: PrincipalRef,
        after: u64,
    ) -> impl Iterator<Item = Position> {
        let told = self.index.positions_of_principal(principal, after);
        merged(told, self.mentions.after(Mentioned::Principal(principal), after))
    }
}

/// What timelines tell of and what they do not, in order, each once
fn merged(
    told: Vec<u32>,
    others: impl Iterator<Item = Position>,
) -> impl Iterator<Item = Position> {
    let told = told.into_iter().filter_map(|position| Position::new(u64::from(position)));
    let mut all: Vec<Position> = told.chain(others).collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter()
}
