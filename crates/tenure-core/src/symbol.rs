//! How are names kept once?
//!
//! Every name that the fold meets is interned as a [`Symbol`] and resolved to text last, so keys are
//! small and comparisons cheap. Symbols are never forgotten: their number is bounded by the log.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::level::LevelKind;
use crate::principal::PrincipalKind;

/// A name, interned in [`Symbols`]
///
/// Its order is the order of interning, not of the texts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Symbol(u32);

/// The names met so far
// INVARIANT (symbols): `texts[s]` is the text whose symbol is `s`, and `symbols` its inverse.
#[derive(Debug, Default)]
pub(crate) struct Symbols {
    texts: Vec<Arc<str>>,
    symbols: std::collections::HashMap<Arc<str>, Symbol>,
}

impl Symbols {
    /// The symbol of a text, made now if it was never met
    pub(crate) fn intern(&mut self, text: &str) -> Symbol {
        if let Some(symbol) = self.symbols.get(text) {
            return *symbol;
        }
        let symbol = Symbol(index(self.texts.len()));
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.symbols.insert(text, symbol);
        symbol
    }

    /// The symbol of a text, if it was ever met
    pub(crate) fn get(&self, text: &str) -> Option<Symbol> {
        self.symbols.get(text).copied()
    }

    /// The text of a symbol
    pub(crate) fn text(&self, symbol: Symbol) -> &Arc<str> {
        #[expect(clippy::indexing_slicing, reason = "by INVARIANT (symbols)")]
        &self.texts[symbol.0 as usize]
    }
}

/// An index as it is kept: what is numbered here would fill the memory long before 2^32
pub(crate) fn index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// A level, numbered in a [`Registry`], with its kind
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct LevelRef {
    pub(crate) number: u32,
    pub(crate) kind: LevelKind,
}

/// A principal, numbered in a [`Registry`], with its kind
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct PrincipalRef {
    pub(crate) number: u32,
    pub(crate) kind: PrincipalKind,
}

/// Things of one type, numbered in the order in which they were met
// INVARIANT (registry): `items[n]` is the item whose number is `n`, and `numbers` its inverse.
#[derive(Debug)]
pub(crate) struct Registry<T> {
    items: Vec<T>,
    numbers: std::collections::HashMap<T, u32>,
}

impl<T> Default for Registry<T> {
    fn default() -> Self {
        Self { items: Vec::new(), numbers: std::collections::HashMap::new() }
    }
}

impl<T: Clone + Eq + std::hash::Hash> Registry<T> {
    /// The number of an item, given now if it was never met
    pub(crate) fn number(&mut self, item: &T) -> u32 {
        if let Some(number) = self.numbers.get(item) {
            return *number;
        }
        let number = index(self.items.len());
        self.items.push(item.clone());
        self.numbers.insert(item.clone(), number);
        number
    }

    pub(crate) fn get(&self, item: &T) -> Option<u32> {
        self.numbers.get(item).copied()
    }

    pub(crate) fn item(&self, number: u32) -> &T {
        #[expect(clippy::indexing_slicing, reason = "by INVARIANT (registry)")]
        &self.items[number as usize]
    }
}

/// What is small and keyed by interned numbers
pub(crate) type Map<K, V> = FxHashMap<K, V>;

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
    }
}
