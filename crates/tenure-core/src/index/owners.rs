//! Which entry owns an id?
//!
//! The first decodable entry with an id owns it. The table has positions alone, about seven bytes each. The
//! ids themselves are kept by position elsewhere. A ledger and its snapshots share one table, which only the
//! ledger adds to. A snapshot does not see ids that were added later. A trial keeps its ids in a table of its own.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;
use parking_lot::RwLock;

use crate::words::change::EntryId;
use crate::words::position::Position;

/// Parts of the table; each has a lock, which is held for one look-up or one insertion
const PARTS: usize = 64;

/// The owners of all ids
// INVARIANT (owners): no two positions in it have the same id.
#[derive(Clone, Debug)]
pub(crate) struct Owners {
    parts: Arc<[RwLock<HashTable<u32>>; PARTS]>,
    hasher: RandomState,
    /// The owners whose positions do not fit into four bytes
    far: Arc<RwLock<HashMap<EntryId, Position>>>,
    /// The owners that only this copy has; `None` in a ledger and its snapshots
    own: Option<HashMap<EntryId, Position>>,
}

impl Default for Owners {
    fn default() -> Self {
        Self {
            parts: Arc::new(std::array::from_fn(|_| RwLock::default())),
            hasher: RandomState::new(),
            far: Arc::default(),
            own: None,
        }
    }
}

impl Owners {
    /// The same owners; ids that the result takes in are its own
    pub(crate) fn aside(&self) -> Self {
        Self { own: Some(HashMap::new()), ..self.clone() }
    }

    fn part(&self, hash: u64) -> &RwLock<HashTable<u32>> {
        // The table itself uses the highest and the lowest bits.
        let part = (hash >> 32) as usize % PARTS;
        #[expect(clippy::indexing_slicing, reason = "the remainder is smaller than PARTS")]
        &self.parts[part]
    }

    /// The position that owns an id, as far as `id_at` knows the ids of positions
    pub(crate) fn get(
        &self,
        id: EntryId,
        id_at: impl Fn(Position) -> Option<EntryId>,
    ) -> Option<Position> {
        if let Some(own) = self.own.as_ref().and_then(|own| own.get(&id)) {
            return Some(*own);
        }
        let hash = self.hasher.hash_one(id);
        let part = self.part(hash).read();
        match part.find(hash, |one| place(*one).and_then(&id_at) == Some(id)) {
            Some(found) => place(*found),
            None => {
                let far = self.far.read().get(&id).copied();
                far.filter(|position| id_at(*position) == Some(id))
            }
        }
    }

    /// Makes room for so many ids at once
    pub(crate) fn reserve(&self, ids: usize, id_at: impl Fn(Position) -> Option<EntryId>) {
        let hash_of =
            |one: &u32| place(*one).and_then(&id_at).map_or(0, |id| self.hasher.hash_one(id));
        for part in self.parts.iter() {
            // The parts are not filled evenly.
            part.write().reserve(ids / PARTS + ids / PARTS / 16, hash_of);
        }
    }

    /// Makes a position the owner of its id, unless the id has an owner; the result says whether it became the
    /// owner
    pub(crate) fn insert(
        &mut self,
        id: EntryId,
        position: Position,
        id_at: impl Fn(Position) -> Option<EntryId>,
    ) -> bool {
        if self.own.is_some() {
            if self.get(id, id_at).is_some() {
                return false;
            }
            self.own.get_or_insert_default().insert(id, position);
            return true;
        }
        let id_of = |one: u32| {
            let known = place(one).filter(|one| *one != position);
            known.map_or(Some(id), &id_at)
        };
        let hash = self.hasher.hash_one(id);
        let mut part = self.part(hash).write();
        if part.find(hash, |one| id_of(*one) == Some(id)).is_some() {
            return false;
        }
        match u32::try_from(position.get()) {
            Ok(number) => {
                let hash_of = |one: &u32| id_of(*one).map_or(0, |id| self.hasher.hash_one(id));
                part.insert_unique(hash, number, hash_of);
                true
            }
            Err(_) => *self.far.write().entry(id).or_insert(position) == position,
        }
    }
}

fn place(number: u32) -> Option<Position> {
    Position::new(u64::from(number))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn invariant_owners() {
        let mut owners = Owners::default();
        let id = |n: u64| EntryId(Uuid::from_u128(u128::from(n % 5_000)));
        // The second half has the ids of the first.
        for n in 1..10_000_u64 {
            let position = Position::new(n).unwrap();
            if n % 3_000 == 0 {
                owners.reserve(100_000, |at| Some(id(at.get())));
            }
            owners.insert(id(n), position, |at| Some(id(at.get())));
        }
        for n in 1..10_000_u64 {
            let owner = owners.get(id(n), |at| Some(id(at.get()))).unwrap();
            assert_eq!(owner.get(), if n % 5_000 == 0 { 5_000 } else { n % 5_000 });
        }
        // A snapshot taken earlier does not see later ids.
        let knows = |at: Position| (at.get() <= 100).then(|| id(at.get()));
        assert!(owners.get(id(100), knows).is_some());
        assert!(owners.get(id(101), knows).is_none());
        // What a copy aside takes in, nobody else sees.
        let mut aside = owners.aside();
        let (new, at) = (id(4_999), Position::new(101).unwrap());
        assert!(!aside.insert(id(100), at, knows));
        assert!(aside.insert(new, at, knows));
        assert!(!aside.insert(new, at.next(), knows));
        assert_eq!(aside.get(new, knows), Some(at));
        assert_eq!(owners.get(new, knows), None);
    }
}
