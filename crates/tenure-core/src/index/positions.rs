//! How are long lists of positions kept small?
//!
//! A list has the differences between neighbours, one or two bytes each, in blocks. Each block says where it
//! begins.

use std::sync::Arc;

use crate::words::position::Position;

/// Positions in a block
const BLOCK: usize = 128;

/// Ascending positions, each once
// INVARIANT (positions): ascending; every block has BLOCK positions, all before those of the tail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Positions {
    blocks: imbl::Vector<Arc<Block>>,
    tail: Vec<u64>,
}

#[derive(Debug)]
struct Block {
    first: u64,
    last: u64,
    /// Differences, seven bits a byte, the lowest first; the highest bit says that more follow
    differences: Box<[u8]>,
}

impl Block {
    fn new(positions: &[u64]) -> Self {
        let mut differences = Vec::with_capacity(2 * positions.len());
        for (before, after) in positions.iter().zip(positions.iter().skip(1)) {
            let mut rest = after - before;
            loop {
                let low = u8::try_from(rest & 0x7f).unwrap_or(0);
                rest >>= 7;
                if rest == 0 {
                    differences.push(low);
                    break;
                }
                differences.push(low | 0x80);
            }
        }
        let end = |position: Option<&u64>| position.copied().unwrap_or(0);
        Self {
            first: end(positions.first()),
            last: end(positions.last()),
            differences: differences.into(),
        }
    }

    fn iter(&self) -> impl Iterator<Item = u64> {
        let mut position = self.first;
        let mut bytes = self.differences.iter();
        let mut first = Some(self.first);
        std::iter::from_fn(move || {
            if let Some(first) = first.take() {
                return Some(first);
            }
            let (mut difference, mut shift) = (0_u64, 0);
            loop {
                let byte = *bytes.next()?;
                difference |= u64::from(byte & 0x7f) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    position += difference;
                    return Some(position);
                }
            }
        })
    }
}

impl Positions {
    /// Notes a position, unless it is the last one already
    pub(crate) fn push(&mut self, position: Position) {
        let position = position.get();
        if self.last() == Some(position) {
            return;
        }
        if self.tail.len() == BLOCK {
            self.blocks.push_back(Arc::new(Block::new(&self.tail)));
            self.tail.clear();
        }
        self.tail.push(position);
    }

    fn last(&self) -> Option<u64> {
        self.tail.last().copied()
    }

    /// Those after a position, in order
    ///
    /// # Cost
    /// O(log blocks + answer).
    pub(crate) fn after(&self, after: u64) -> impl Iterator<Item = Position> {
        let place = self.blocks.binary_search_by(|block| {
            if block.last <= after { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater }
        });
        let place = place.unwrap_or_else(|place| place);
        (place..self.blocks.len())
            .filter_map(|place| self.blocks.get(place))
            .flat_map(|block| block.iter())
            .chain(self.tail.iter().copied())
            .skip_while(move |position| *position <= after)
            .filter_map(Position::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invariant_positions() {
        let mut positions = Positions::default();
        let mut all = Vec::new();
        let mut position = 0_u64;
        for n in 0..2_000_u64 {
            position += [1, 1, 2, 127, 128, 300, 70_000, 1 << 33][(n * n % 8) as usize];
            all.push(position);
            positions.push(Position::new(position).unwrap());
            positions.push(Position::new(position).unwrap());
        }
        for place in (0..all.len()).step_by(37).chain([all.len() - 1]) {
            for after in [all[place] - 1, all[place], all[place] + 1] {
                let found: Vec<u64> = positions.after(after).map(Position::get).collect();
                let expected: Vec<u64> = all.iter().copied().filter(|one| *one > after).collect();
                assert_eq!(found, expected, "after {after}");
            }
        }
        assert_eq!(positions.after(0).count(), 2_000);
    }
}
