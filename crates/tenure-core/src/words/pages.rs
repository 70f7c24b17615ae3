//! How is a long list shared with snapshots, and found in at one step?
//!
//! The list lies in pages. A change copies the page of the item, and the list of pages, if a snapshot shares
//! them. A persistent vector would copy less and take more steps for a look-up; these lists are read far more
//! often than they are changed.

use std::sync::Arc;

/// Items in a page
const PAGE: usize = 64;

/// A list that a clone shares until either changes it
// INVARIANT (pages): every page has PAGE items; `tail` has fewer.
#[derive(Clone, Debug)]
pub(crate) struct Pages<T> {
    pages: Arc<Vec<Arc<[T]>>>,
    tail: Vec<T>,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self { pages: Arc::default(), tail: Vec::new() }
    }
}

impl<T: Clone> Pages<T> {
    pub(crate) fn len(&self) -> usize {
        self.pages.len() * PAGE + self.tail.len()
    }

    pub(crate) fn get(&self, place: usize) -> Option<&T> {
        match self.pages.get(place / PAGE) {
            Some(page) => page.get(place % PAGE),
            None => self.tail.get(place - self.pages.len() * PAGE),
        }
    }

    /// # Cost
    /// O(1), and O(pages) once after a snapshot.
    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        let closed = self.pages.len();
        if place / PAGE >= closed {
            return self.tail.get_mut(place - closed * PAGE);
        }
        let page = Arc::make_mut(&mut self.pages).get_mut(place / PAGE)?;
        Arc::make_mut(page).get_mut(place % PAGE)
    }

    pub(crate) fn push(&mut self, item: T) {
        self.tail.push(item);
        if self.tail.len() == PAGE {
            let page = std::mem::take(&mut self.tail).into();
            Arc::make_mut(&mut self.pages).push(page);
        }
    }

    /// The item at a place; missing items up to it are filled with default ones
    pub(crate) fn entry(&mut self, place: usize) -> Option<&mut T>
    where
        T: Default,
    {
        while self.len() <= place {
            self.push(T::default());
        }
        self.get_mut(place)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        self.pages.iter().flat_map(|page| page.iter()).chain(&self.tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invariant_pages() {
        let mut pages: Pages<u32> = Pages::default();
        let mut snapshots = Vec::new();
        for n in 0..1_000 {
            pages.push(n);
            if n % 100 == 50 {
                snapshots.push((n, pages.clone()));
                *pages.get_mut(n as usize / 2).unwrap() += 10_000;
            }
        }
        *pages.entry(1_100).unwrap() = 7;
        assert_eq!(pages.len(), 1_101);
        assert_eq!((pages.get(1_050), pages.get(1_101)), (Some(&0), None));
        // A snapshot has the changes made before it, and no later ones.
        for (taken, snapshot) in snapshots {
            let changed = |n: u32| (0..taken).any(|at| at % 100 == 50 && at / 2 == n);
            let expected: Vec<u32> =
                (0..=taken).map(|n| n + if changed(n) { 10_000 } else { 0 }).collect();
            assert!(snapshot.iter().copied().eq(expected), "{taken}");
            assert_eq!(snapshot.len(), taken as usize + 1);
        }
    }
}
