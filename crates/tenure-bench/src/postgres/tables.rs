//! What is in the tables?
//!
//! Most rows have two times: `valid_from` and `valid_until` say in which stretch of valid time the row is so,
//! `known_from` and `known_until` at which positions the ledger knew it. The tables are laid out to be read: names
//! are numbers, ancestors are a closure, requirements are clauses of leaves, and a holding is there only in the
//! stretches in which it counts. So nothing is left to work out but what is asked.

use std::fmt::Write as _;
use std::hash::Hash;

use rustc_hash::FxHashMap;
use tenure_core::{Level, LevelKind, Principal};

/// The end of a stretch of valid time that has no end
pub(super) const FOREVER: i64 = i64::MAX;
/// The end of what is still known
pub(super) const STILL: i64 = i64::MAX;

/// A stretch of valid time, `[from, until)`
// INVARIANT (span): `until` is after `from`; only `new` makes one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Span {
    pub(super) from: i64,
    pub(super) until: i64,
}

impl Span {
    pub(super) const ALWAYS: Self = Self { from: 0, until: FOREVER };

    pub(super) fn new(from: i64, until: i64) -> Option<Self> {
        (from < until).then_some(Self { from, until })
    }

    /// The part that lies in another
    pub(super) fn and(self, other: Self) -> Option<Self> {
        Self::new(self.from.max(other.from), self.until.min(other.until))
    }
}

/// Sorted by value and time, with adjacent and overlapping stretches of one value joined
pub(super) fn joined<V: Ord + Copy>(mut all: Vec<(V, Span)>) -> Vec<(V, Span)> {
    all.sort_unstable();
    let mut found: Vec<(V, Span)> = Vec::with_capacity(all.len());
    for (value, span) in all {
        match found.last_mut() {
            Some((last, before)) if *last == value && span.from <= before.until => {
                before.until = before.until.max(span.until);
            }
            _ => found.push((value, span)),
        }
    }
    found
}

/// Things of one type, numbered in the order in which they were met
// INVARIANT (numbered): `items[n]` is the item whose number is `n`.
#[derive(Debug)]
pub(super) struct Numbered<T> {
    pub(super) items: Vec<T>,
    numbers: FxHashMap<T, u32>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { items: Vec::new(), numbers: FxHashMap::default() }
    }
}

impl<T: Clone + Eq + Hash> Numbered<T> {
    /// The number of an item, given now if it was never met
    pub(super) fn number(&mut self, item: &T) -> u32 {
        if let Some(number) = self.numbers.get(item) {
            return *number;
        }
        let number = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        self.items.push(item.clone());
        self.numbers.insert(item.clone(), number);
        number
    }

    pub(super) fn item(&self, number: u32) -> &T {
        #[expect(clippy::indexing_slicing, reason = "by INVARIANT (numbered)")]
        &self.items[number as usize]
    }

    /// The rows of a table of names
    pub(super) fn rows(&self) -> impl Iterator<Item = Named>
    where
        T: ToString,
    {
        (0..).zip(&self.items).map(|(id, item)| Named { id, text: item.to_string() })
    }
}

/// Every name of a history
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) levels: Numbered<Level>,
    pub(super) principals: Numbered<Principal>,
    pub(super) operations: Numbered<String>,
    /// What a holding is of, as answers name it: `role_collection:<name>` or `role:<application>/<name>`
    pub(super) granted: Numbered<String>,
    /// What must be held, as an ability names it
    pub(super) held: Numbered<String>,
}

impl Names {
    pub(super) fn kind(&self, level: u32) -> LevelKind {
        self.levels.item(level).kind()
    }

    /// The number of a role collection, as it is granted
    pub(super) fn collection(&mut self, name: &str) -> u32 {
        self.granted.number(&format!("role_collection:{name}"))
    }
}

/// A type of columns: how PostgreSQL calls it, and how COPY writes a value
pub(super) trait Value {
    const TYPE: &'static str;
    fn put(&self, text: &mut String);
}

macro_rules! values {
    ($($type:ty = $name:literal,)*) => {
        $(impl Value for $type {
            const TYPE: &'static str = $name;

            fn put(&self, text: &mut String) {
                // Writing to a string cannot fail. Lawful names have nothing that COPY would read otherwise.
                let _written = write!(text, "{self}");
            }
        })*
    };
}

values! { u32 = "int4", i64 = "int8", bool = "bool", String = "text COLLATE \"C\"", }

/// Rows that a table can hold
pub(super) trait Columns {
    /// The name and type of each column
    fn columns() -> Vec<(&'static str, &'static str)>;
    /// Writes the values as COPY reads them
    fn put(&self, text: &mut String);
}

macro_rules! rows {
    ($($(#[$attribute:meta])* $row:ident { $($column:ident: $type:ty,)* })*) => {
        $(
            $(#[$attribute])*
            #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
            pub(super) struct $row { $(pub(super) $column: $type,)* }

            impl Columns for $row {
                fn columns() -> Vec<(&'static str, &'static str)> {
                    vec![$((stringify!($column), <$type as Value>::TYPE),)*]
                }

                fn put(&self, text: &mut String) {
                    $(Value::put(&self.$column, text); text.push('\t');)*
                }
            }
        )*
    };
}

rows! {
    /// A level, a principal, an operation, what is granted or what must be held
    Named { id: u32, text: String, }
    /// A catalogue is in force
    #[derive(Copy)]
    InForce { catalog: u32, }
    /// A leaf of a clause of what an operation requires, once for each kind of level where it looks. Any of the
    /// clauses is enough, and all leaves of a clause are needed.
    #[derive(Copy)]
    Require {
        catalog: u32, kind: u32, operation: u32, clause: u32, leaf: u32, size: u32, held: u32,
        below: bool, place: u32,
    }
    /// Something that a catalogue defines gives what may be asked for
    #[derive(Copy)]
    Gives { catalog: u32, kind: u32, held: u32, granted: u32, }
    /// A level lies in an ancestor, or is it
    #[derive(Copy)]
    LiesIn { level: u32, kind: u32, ancestor: u32, ancestor_kind: u32, }
    /// A custom role collection gives what may be asked for at a level
    #[derive(Copy)]
    CustomGives { level: u32, held: u32, granted: u32, }
    /// A holding that counts, with its terms
    #[derive(Copy)]
    Holding {
        level: u32, granted: u32, principal: u32, since: i64, until: i64, entry: i64,
    }
    /// A user is a member of a set
    #[derive(Copy)]
    Membership { set_id: u32, member: u32, }
}

/// A row with both its times
#[derive(Clone, Debug)]
pub(super) struct Timed<V> {
    row: V,
    valid: Span,
    known_from: i64,
    known_until: i64,
}

impl<V: Columns> Columns for Timed<V> {
    fn columns() -> Vec<(&'static str, &'static str)> {
        let times = ["valid_from", "valid_until", "known_from", "known_until"];
        V::columns().into_iter().chain(times.map(|name| (name, i64::TYPE))).collect()
    }

    fn put(&self, text: &mut String) {
        self.row.put(text);
        for time in [self.valid.from, self.valid.until, self.known_from, self.known_until] {
            Value::put(&time, text);
            text.push('\t');
        }
    }
}

/// A table of rows with both times, which is filled in the order of the log
#[derive(Debug)]
pub(super) struct Bitemporal<V> {
    /// The rows that are still known, by whatever they are about
    open: FxHashMap<u32, Vec<(V, Span, i64)>>,
    closed: Vec<Timed<V>>,
}

impl<V> Default for Bitemporal<V> {
    fn default() -> Self {
        Self { open: FxHashMap::default(), closed: Vec::new() }
    }
}

impl<V: Ord + Copy> Bitemporal<V> {
    /// Puts all rows about something in place of those before: from this position on they are known. A row that
    /// is as it was stays the same row.
    pub(super) fn replace(&mut self, about: u32, mut now: Vec<(V, Span)>, position: i64) {
        let open = self.open.entry(about).or_default();
        if open.is_empty() && now.is_empty() {
            return;
        }
        now.sort_unstable();
        let mut before = std::mem::take(open).into_iter().peekable();
        let mut close = |(row, valid, known_from): (V, Span, i64)| {
            if known_from < position {
                self.closed.push(Timed { row, valid, known_from, known_until: position });
            }
        };
        for (value, span) in now {
            while let Some(gone) = before.next_if(|(v, s, _)| (*v, *s) < (value, span)) {
                close(gone);
            }
            let same = before.next_if(|(v, s, _)| (*v, *s) == (value, span));
            open.push(same.unwrap_or((value, span, position)));
        }
        before.for_each(close);
    }

    /// All rows
    pub(super) fn rows(&self) -> impl Iterator<Item = Timed<V>> {
        let open = self.open.values().flatten();
        let open = open.map(|(row, valid, known_from)| Timed {
            row: *row,
            valid: *valid,
            known_from: *known_from,
            known_until: STILL,
        });
        self.closed.iter().cloned().chain(open)
    }
}

/// A history as tables
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) names: Names,
    pub(super) catalogs: Bitemporal<InForce>,
    pub(super) lies_in: Bitemporal<LiesIn>,
    pub(super) custom_gives: Bitemporal<CustomGives>,
    pub(super) holdings: Bitemporal<Holding>,
    pub(super) memberships: Bitemporal<Membership>,
    pub(super) requires: Vec<Require>,
    pub(super) gives: Vec<Gives>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_joined() {
        let span = |from, until| Span::new(from, until).unwrap();
        let all = vec![(1, span(5, 9)), (1, span(2, 5)), (2, span(9, 10)), (1, span(20, 21))];
        let expected = [(1, span(2, 9)), (1, span(20, 21)), (2, span(9, 10))];
        assert_eq!(joined(all), expected);
        assert_eq!(Span::new(3, 3), None);
    }
}
