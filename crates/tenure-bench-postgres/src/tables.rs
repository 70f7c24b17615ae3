//! What is in the tables?
//!
//! Two clocks a row: `valid`, in which stretch of valid time it is so, and `known`, from which position
//! on and up to which it was what the ledger knew. Each table is as an expert would lay it out to be
//! read: names are numbers, ancestors are a closure, operations are clauses of leaves, and a holding is
//! there only in the stretches in which it counts, so nothing is left to work out but what is asked.

use crate::names::Names;
use crate::span::Span;

/// The end of what is still known
pub(crate) const STILL: u64 = u64::MAX;

/// In place of a catalogue's number, where none is in force
pub(crate) const NO_CATALOG: u32 = 1_000_000;

/// A row with both its times
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bitemporal<V> {
    pub(crate) value: V,
    pub(crate) valid: Span,
    pub(crate) known_from: u64,
    pub(crate) known_until: u64,
}

/// A level lies in an ancestor, or is it
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct LiesIn {
    pub(crate) level: u32,
    pub(crate) kind: u32,
    /// The feature set in force at the level
    pub(crate) set: u32,
    /// The same, or that the level has definitions of its own
    pub(crate) definitions: u32,
    pub(crate) ancestor: u32,
    pub(crate) ancestor_kind: u32,
    pub(crate) ancestor_definitions: u32,
}

/// Something gives what may be asked for, at a level with custom definitions
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct CustomGives {
    pub(crate) level: u32,
    pub(crate) held: u32,
    pub(crate) granted: u32,
}

/// A holding that counts, with its terms
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct HoldingRow {
    pub(crate) level: u32,
    pub(crate) granted: u32,
    pub(crate) principal: u32,
    pub(crate) since: i64,
    pub(crate) until: i64,
    pub(crate) entry: u64,
}

/// A user is a member of a set
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Membership {
    pub(crate) set: u32,
    pub(crate) member: u32,
}

/// A leaf of a clause of what an operation requires; clauses are any-of, their leaves all-of
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Require {
    pub(crate) catalog: u32,
    pub(crate) kind: u32,
    pub(crate) set: u32,
    pub(crate) operation: u32,
    pub(crate) clause: u32,
    pub(crate) leaf: u32,
    /// How many leaves the clause has
    pub(crate) size: u32,
    pub(crate) held: u32,
    pub(crate) below: bool,
    /// One row for each kind of level where the leaf looks
    pub(crate) place: u32,
}

/// A catalogue's grantable gives what may be asked for
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Gives {
    pub(crate) catalog: u32,
    pub(crate) kind: u32,
    pub(crate) definitions: u32,
    pub(crate) held: u32,
    pub(crate) granted: u32,
}

/// Another name of a scope
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Alias {
    pub(crate) catalog: u32,
    pub(crate) held: u32,
    pub(crate) real: u32,
}

/// A history as tables
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) names: Names,
    pub(crate) catalogs: Vec<Bitemporal<u32>>,
    pub(crate) lies_in: Vec<Bitemporal<LiesIn>>,
    pub(crate) custom_gives: Vec<Bitemporal<CustomGives>>,
    pub(crate) holdings: Vec<Bitemporal<HoldingRow>>,
    pub(crate) memberships: Vec<Bitemporal<Membership>>,
    /// Users that counted entries name; these rows have one time only
    pub(crate) known_users: Vec<Bitemporal<u32>>,
    pub(crate) requires: Vec<Require>,
    pub(crate) gives: Vec<Gives>,
    pub(crate) aliases: Vec<Alias>,
}

/// The rows of one thing that are still known, in order
#[derive(Debug)]
pub(crate) struct Open<V> {
    rows: Vec<(V, Span, u64)>,
}

impl<V> Default for Open<V> {
    fn default() -> Self {
        Self { rows: Vec::new() }
    }
}

impl<V: Ord + Copy> Open<V> {
    /// Puts what is known from a position on in place of what was: what is as it was stays one row
    pub(crate) fn replace(
        &mut self,
        mut now: Vec<(V, Span)>,
        position: u64,
        closed: &mut Vec<Bitemporal<V>>,
    ) {
        now.sort_unstable();
        let mut rows = Vec::with_capacity(now.len());
        let mut before = self.rows.drain(..).peekable();
        let mut close = |(value, valid, known_from): (V, Span, u64)| {
            if known_from < position {
                closed.push(Bitemporal { value, valid, known_from, known_until: position });
            }
        };
        for (value, span) in now {
            while let Some(gone) = before.next_if(|(v, s, _)| (*v, *s) < (value, span)) {
                close(gone);
            }
            match before.next_if(|(v, s, _)| (*v, *s) == (value, span)) {
                Some(same) => rows.push(same),
                None => rows.push((value, span, position)),
            }
        }
        before.for_each(close);
        self.rows = rows;
    }

    /// Gives all that is still known
    pub(crate) fn finish(self, closed: &mut Vec<Bitemporal<V>>) {
        closed.extend(self.rows.into_iter().map(|(value, valid, known_from)| Bitemporal {
            value,
            valid,
            known_from,
            known_until: STILL,
        }));
    }
}
