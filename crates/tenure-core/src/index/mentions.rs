//! Which entries name something?
//!
//! The history of a principal, a level, a role collection, an actor or a submitter is made of these. Refused
//! entries and duplicates are in it. An entry that could not be decoded names nothing, but it has a submitter.

use std::sync::Arc;

use crate::index::positions::Positions;
use crate::words::level::Level;
use crate::words::pages::Pages;
use crate::words::position::Position;
use crate::words::principal::Principal;
use crate::words::symbol::{LevelRef, PrincipalRef, Symbol};

/// What an entry may name
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mention {
    /// A principal, in a change
    Principal(Principal),
    /// The actor of the entry
    Actor(Principal),
    /// The submitter of the entry, also of one that could not be decoded
    Submitter(Principal),
    /// A level or parent, in a change
    Level(Level),
    /// A role collection, in a change
    RoleCollection(Arc<str>),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Mentioned {
    Principal(PrincipalRef),
    Actor(PrincipalRef),
    Submitter(PrincipalRef),
    Level(LevelRef),
    RoleCollection(Symbol),
}

/// The positions at which each thing is named
///
/// For levels and principals it has only the positions that no timeline has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mentions {
    principals: Lists,
    actors: Lists,
    submitters: Lists,
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
            Mentioned::Submitter(principal) => (&mut self.submitters, principal.number),
            Mentioned::Level(level) => (&mut self.levels, level.number),
            Mentioned::RoleCollection(name) => (&mut self.role_collections, name.number()),
        };
        if let Some(list) = lists.entry(number as usize) {
            Arc::make_mut(list.get_or_insert_default()).push(position);
        }
    }

    /// Every list: its kind (0 to 4), the number of the thing, and the positions
    pub(crate) fn all(&self) -> impl Iterator<Item = (u8, usize, &Positions)> + Clone {
        let kinds = [
            &self.principals,
            &self.actors,
            &self.levels,
            &self.role_collections,
            &self.submitters,
        ];
        (0..).zip(kinds).flat_map(|(kind, lists)| {
            let named = lists.iter().enumerate();
            named.filter_map(move |(number, list)| Some((kind, number, list.as_deref()?)))
        })
    }

    pub(crate) fn after(&self, mentioned: Mentioned, after: u64) -> impl Iterator<Item = Position> {
        let (lists, number) = match mentioned {
            Mentioned::Principal(principal) => (&self.principals, principal.number),
            Mentioned::Actor(principal) => (&self.actors, principal.number),
            Mentioned::Submitter(principal) => (&self.submitters, principal.number),
            Mentioned::Level(level) => (&self.levels, level.number),
            Mentioned::RoleCollection(name) => (&self.role_collections, name.number()),
        };
        let list = lists.get(number as usize).and_then(Option::as_ref);
        list.into_iter().flat_map(move |list| list.after(after))
    }
}

/// The positions of timelines and the other ones, merged in order, each once
pub(crate) fn merged(
    told: Vec<u32>,
    others: impl Iterator<Item = Position>,
) -> impl Iterator<Item = Position> {
    let told = told.into_iter().filter_map(|position| Position::new(u64::from(position)));
    let mut all: Vec<Position> = told.chain(others).collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter()
}
