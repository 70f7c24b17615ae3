//! How are names kept once?
//!
//! Every name that the fold meets is interned as a [`Symbol`] and resolved to text last, so keys are
//! small and comparisons cheap. Symbols are never forgotten: their number is bounded by the log.
//!
//! A ledger and its clones share these tables until one of them changes a part. So a clone is a snapshot that
//! costs next to nothing.

use std::cmp::Ordering;
use std::hash::Hash;
use std::sync::Arc;

use imbl::shared_ptr::DefaultSharedPtr;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::words::level::LevelKind;
use crate::words::pages::Pages;
use crate::words::principal::PrincipalKind;

/// A name, interned in [`Symbols`]
///
/// Its order is the order of interning, not of the texts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Symbol(u32);

impl Symbol {
    /// The symbol of a name that every ledger interns at that place
    pub(crate) const fn fixed(place: u32) -> Self {
        Self(place)
    }

    pub(crate) fn number(self) -> u32 {
        self.0
    }
}

/// The names met so far
// INVARIANT (symbols): `texts[s]` is the text whose symbol is `s`, and `symbols` its inverse.
#[derive(Clone, Debug, Default)]
pub(crate) struct Symbols {
    texts: imbl::Vector<Arc<str>>,
    symbols: imbl::HashMap<Arc<str>, Symbol>,
}

impl Symbols {
    /// These names, in that order
    pub(crate) fn of(names: &[&str]) -> Self {
        let mut symbols = Self::default();
        for name in names {
            symbols.intern(name);
        }
        symbols
    }

    /// The symbol of a text, made now if it was never met
    pub(crate) fn intern(&mut self, text: &str) -> Symbol {
        if let Some(symbol) = self.symbols.get(text) {
            return *symbol;
        }
        let symbol = Symbol(index(self.texts.len()));
        let text: Arc<str> = text.into();
        self.texts.push_back(Arc::clone(&text));
        self.symbols.insert(text, symbol);
        symbol
    }

    /// The symbol of a text, if it was ever met
    pub(crate) fn get(&self, text: &str) -> Option<Symbol> {
        self.symbols.get(text).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| &**text)
    }

    /// The symbol with that number, if there is one
    pub(crate) fn numbered(&self, number: u32) -> Option<Symbol> {
        ((number as usize) < self.texts.len()).then_some(Symbol(number))
    }

    /// The text of a symbol
    pub(crate) fn text(&self, symbol: Symbol) -> &Arc<str> {
        #[expect(clippy::indexing_slicing, reason = "by INVARIANT (symbols)")]
        &self.texts[symbol.0 as usize]
    }
}

/// A place as four bytes: memory would be full long before 2^32 names
pub(crate) fn index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// A level, numbered in a [`Registry`], with its kind
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct LevelRef {
    pub(crate) number: u32,
    pub(crate) kind: LevelKind,
}

impl LevelRef {
    /// The ledger's own level, the first that every ledger numbers
    pub(crate) const LEDGER: Self = Self { number: 0, kind: LevelKind::Ledger };
}

/// A principal, numbered in a [`Registry`], with its kind
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct PrincipalRef {
    pub(crate) number: u32,
    pub(crate) kind: PrincipalKind,
}

/// Things of one type, numbered in the order in which they were met
// INVARIANT (registry): `items[n]` is the item whose number is `n`, and `numbers` is the inverse. `ranks` says how
// the first so many items are ordered among themselves.
#[derive(Clone, Debug)]
pub(crate) struct Registry<T> {
    items: Pages<T>,
    numbers: imbl::HashMap<T, u32>,
    ranks: Arc<[u32]>,
}

/// Items are ranked again when so many, and an eighth of the ranked ones, are not ranked yet
const UNRANKED_MAX: usize = 256;

impl<T: Clone> Default for Registry<T> {
    fn default() -> Self {
        Self { items: Pages::default(), numbers: imbl::HashMap::default(), ranks: Arc::default() }
    }
}

impl<T: Clone + Ord + Hash> Registry<T> {
    /// The number of an item, given now if it was never met
    ///
    /// # Cost
    /// O(log items); O(items × log items) when an eighth has come since they were ranked.
    pub(crate) fn number(&mut self, item: &T) -> u32 {
        let number = self.number_unranked(item);
        if self.items.len() > self.ranks.len() / 8 * 9 + UNRANKED_MAX {
            self.rank();
        }
        number
    }

    /// The same without ranking, for a caller that adds many items and ranks once
    pub(crate) fn number_unranked(&mut self, item: &T) -> u32 {
        if let Some(number) = self.numbers.get(item) {
            return *number;
        }
        let number = index(self.items.len());
        self.items.push(item.clone());
        self.numbers.insert(item.clone(), number);
        number
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter()
    }

    pub(crate) fn rank(&mut self) {
        let mut order: Vec<(&T, u32)> = self.items.iter().zip(0..).collect();
        order.sort_unstable();
        let mut ranks = vec![0; order.len()];
        for (rank, (_, number)) in (0..).zip(order) {
            if let Some(place) = ranks.get_mut(number as usize) {
                *place = rank;
            }
        }
        self.ranks = ranks.into();
    }

    pub(crate) fn get(&self, item: &T) -> Option<u32> {
        self.numbers.get(item).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn item(&self, number: u32) -> &T {
        #[expect(clippy::expect_used, reason = "by INVARIANT (registry)")]
        self.items.get(number as usize).expect("a number is given with its item")
    }

    /// How the items of two numbers are ordered
    pub(crate) fn compare(&self, one: u32, other: u32) -> Ordering {
        match (self.ranks.get(one as usize), self.ranks.get(other as usize)) {
            (Some(one), Some(other)) => one.cmp(other),
            _ => self.item(one).cmp(self.item(other)),
        }
    }
}

/// What is small and keyed by interned numbers
pub(crate) type Map<K, V> = FxHashMap<K, V>;

/// The same, for what a ledger keeps: shared with its clones
pub(crate) type SharedMap<K, V> = imbl::GenericHashMap<K, V, FxBuildHasher, DefaultSharedPtr>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invariant_symbols() {
        let mut symbols = Symbols::default();
        let (a, b) = (symbols.intern("a"), symbols.intern("b"));
        assert_ne!(a, b);
        assert_eq!(symbols.intern("a"), a);
        assert_eq!(&**symbols.text(b), "b");
        assert_eq!(symbols.get("c"), None);
    }

    #[test]
    fn invariant_registry() {
        let mut registry = Registry::default();
        let (x, y) = (registry.number(&"x"), registry.number(&"y"));
        assert_eq!(registry.number(&"x"), x);
        assert_eq!(registry.item(y), &"y");
        assert_eq!(registry.get(&"z"), None);
        for n in 0..2_000_u32 {
            registry.number(&&*Box::leak(format!("{}", n * 7_919 % 2_000).into_boxed_str()));
        }
        for (a, b) in (0..2_002).zip(1..2_002) {
            assert_eq!(registry.compare(a, b), registry.item(a).cmp(registry.item(b)), "{a} {b}");
        }
    }
}
