//! What does an operation ask for?
//!
//! A [`Requirement`] is an expression over leaves. A leaf names a role, a scope or a role collection,
//! and the levels where it must be held: the target or an ancestor of some kinds ([`Direction::At`]),
//! or a descendant of some kinds ([`Direction::Below`]). Nothing is inherited: power at another level
//! counts only where a leaf asks for it there.
//!
//! Rules: `docs/semantics.md#requirement`.

use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::words::level::{KindSet, LevelKind};
use crate::words::symbol::Symbol;

/// Deepest nesting of a requirement
pub const REQUIREMENT_DEPTH_MAX: usize = 32;

/// An expression over leaves
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Requirement<L> {
    /// At least one of the parts
    AnyOf(Vec<Self>),
    /// All of the parts
    AllOf(Vec<Self>),
    /// A leaf
    Leaf(L),
}

impl<L> Requirement<L> {
    /// The same expression over other leaves
    pub fn map<M>(&self, leaf: &mut impl FnMut(&L) -> M) -> Requirement<M> {
        match self {
            Self::AnyOf(parts) => {
                Requirement::AnyOf(parts.iter().map(|part| part.map(leaf)).collect())
            }
            Self::AllOf(parts) => {
                Requirement::AllOf(parts.iter().map(|part| part.map(leaf)).collect())
            }
            Self::Leaf(one) => Requirement::Leaf(leaf(one)),
        }
    }

    /// The leaves, from left to right
    pub fn leaves(&self) -> Vec<&L> {
        match self {
            Self::AnyOf(parts) | Self::AllOf(parts) => {
                parts.iter().flat_map(Self::leaves).collect()
            }
            Self::Leaf(leaf) => vec![leaf],
        }
    }

    /// How deeply it is nested; a leaf alone is 1
    pub fn depth(&self) -> usize {
        match self {
            Self::AnyOf(parts) | Self::AllOf(parts) => {
                1 + parts.iter().map(Self::depth).max().unwrap_or(0)
            }
            Self::Leaf(_) => 1,
        }
    }

    /// Whether a list in it has no part
    pub fn has_empty_list(&self) -> bool {
        match self {
            Self::AnyOf(parts) | Self::AllOf(parts) => {
                parts.is_empty() || parts.iter().any(Self::has_empty_list)
            }
            Self::Leaf(_) => false,
        }
    }

    /// The set that satisfies it, given the set that has each leaf
    pub(crate) fn satisfied(&self, who: &impl Fn(&L) -> RoaringBitmap) -> RoaringBitmap {
        match self {
            Self::AnyOf(parts) => {
                let mut parts = parts.iter().map(|part| part.satisfied(who));
                let first = parts.next().unwrap_or_default();
                parts.fold(first, |found, part| found | part)
            }
            Self::AllOf(parts) => {
                let mut parts = parts.iter();
                let mut found = parts.next().map(|part| part.satisfied(who)).unwrap_or_default();
                for part in parts {
                    if found.is_empty() {
                        break;
                    }
                    found &= part.satisfied(who);
                }
                found
            }
            Self::Leaf(leaf) => who(leaf),
        }
    }

    /// The leaves that are true in a true branch, or `None` when it is not satisfied
    pub fn support<'a>(&'a self, holds: &impl Fn(&L) -> bool) -> Option<Vec<&'a L>> {
        match self {
            Self::AnyOf(parts) => {
                let mut found = parts.iter().filter_map(|part| part.support(holds)).peekable();
                found.peek()?;
                Some(found.flatten().collect())
            }
            Self::AllOf(parts) => {
                let found: Option<Vec<_>> = parts.iter().map(|part| part.support(holds)).collect();
                found.map(|leaves| leaves.into_iter().flatten().collect())
            }
            Self::Leaf(leaf) => holds(leaf).then(|| vec![leaf]),
        }
    }

    /// The unsatisfied parts, or `None` when it is satisfied
    pub fn missing(&self, holds: &impl Fn(&L) -> bool) -> Option<Self>
    where
        L: Clone,
    {
        match self {
            Self::AnyOf(parts) => {
                let missing: Option<Vec<_>> =
                    parts.iter().map(|part| part.missing(holds)).collect();
                missing.map(Self::AnyOf)
            }
            Self::AllOf(parts) => {
                let missing: Vec<_> = parts.iter().filter_map(|part| part.missing(holds)).collect();
                if missing.is_empty() { None } else { Some(Self::AllOf(missing)) }
            }
            Self::Leaf(leaf) => {
                if holds(leaf) {
                    None
                } else {
                    Some(Self::Leaf(leaf.clone()))
                }
            }
        }
    }
}

/// Where a leaf looks, seen from the target
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    /// The target itself or an ancestor
    At,
    /// A descendant of the target
    Below,
}

/// What must be held, as a catalogue document writes it
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HeldRow {
    /// A role, of any application unless one is named
    Role {
        /// Its text
        role: Arc<str>,
        /// Its application
        application: Option<Arc<str>>,
    },
    /// Any role with a scope
    Scope(Arc<str>),
    /// A role collection
    RoleCollection(Arc<str>),
}

/// A leaf as a catalogue document writes it
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeafRow {
    /// What must be held
    pub held: HeldRow,
    /// Where it looks
    pub direction: Direction,
    /// The kinds of levels it looks at, in the document's order
    pub kinds: Vec<LevelKind>,
}

/// What must be held
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Held {
    /// A role, of any application unless one is named
    Role {
        /// Its application
        application: Option<Symbol>,
        /// Its name
        name: Symbol,
    },
    /// Any role with a scope (by its real name under the catalogue in force)
    Scope(Symbol),
    /// A role collection
    RoleCollection(Symbol),
    /// A custom role, of any application
    CustomRole(Symbol),
}

/// A leaf
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Leaf {
    /// What must be held
    pub(crate) held: Held,
    /// Where it looks
    pub(crate) direction: Direction,
    /// The kinds of levels it looks at
    pub(crate) kinds: KindSet,
    /// As it is written
    pub(crate) row: Arc<LeafRow>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(n: u8) -> Requirement<u8> {
        Requirement::Leaf(n)
    }

    #[test]
    fn support_is_every_true_leaf_of_a_true_branch() {
        let expr = Requirement::AnyOf(vec![
            leaf(1),
            Requirement::AllOf(vec![leaf(2), leaf(3)]),
            Requirement::AllOf(vec![leaf(1), leaf(4)]),
        ]);
        let held = |set: &'static [u8]| move |leaf: &u8| set.contains(leaf);
        assert_eq!(expr.support(&held(&[1, 2])), Some(vec![&1]));
        assert_eq!(expr.support(&held(&[1, 2, 3])), Some(vec![&1, &2, &3]));
        assert_eq!(expr.support(&held(&[2])), None);
        assert_eq!(
            expr.missing(&held(&[2])),
            Some(Requirement::AnyOf(vec![
                leaf(1),
                Requirement::AllOf(vec![leaf(3)]),
                Requirement::AllOf(vec![leaf(1), leaf(4)]),
            ]))
        );
        assert_eq!(expr.missing(&held(&[1])), None);
        assert_eq!(expr.depth(), 3);
    }
}
