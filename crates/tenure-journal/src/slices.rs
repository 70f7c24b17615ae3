//! How does a block lie in sled?
//!
//! A block is cut into slices, and each slice is a value of its own. sled keeps a node, which is some neighbouring
//! values, together in memory, and it limits the number of nodes there, not their bytes. It puts a node of many
//! bytes into a file of its own, which it neither flushes nor counts. With small values sled's memory is bounded,
//! however large a row is.
//!
//! ```text
//! key    'b' | first position 8              the first slice
//! key    'b' | first position 8 | number 4   those after it, from 1 on
//! ```
//! Numbers are big-endian, so slices lie in the order of positions. A slice with fewer bytes than [`SLICE_BYTES`] is
//! the last one of its block. So is a slice with more bytes: it is a whole block of a journal from before blocks
//! were cut.

/// Prefix of the keys of blocks
const BLOCK: u8 = b'b';
/// Bytes of every slice but the last one
const SLICE_BYTES: usize = 8 * 1_024;

fn key(first: u64, number: u32) -> Vec<u8> {
    let mut key = Vec::with_capacity(13);
    key.push(BLOCK);
    key.extend(first.to_be_bytes());
    if number > 0 {
        key.extend(number.to_be_bytes());
    }
    key
}

/// The position and the number of a slice
fn parse(key: &[u8]) -> Option<(u64, u32)> {
    let (first, number) = key.strip_prefix(&[BLOCK])?.split_first_chunk::<8>()?;
    let number = match number {
        [] => 0,
        number => u32::from_be_bytes(number.try_into().ok()?),
    };
    Some((u64::from_be_bytes(*first), number))
}

/// Inserts the value of a block
pub(crate) fn insert(batch: &mut sled::Batch, first: u64, value: &[u8]) {
    for (number, slice) in (0..).zip(value.chunks(SLICE_BYTES)) {
        batch.insert(key(first, number), slice);
    }
}

/// Removes the value of a block
pub(crate) fn remove(batch: &mut sled::Batch, first: u64, value_bytes: usize) {
    for (number, _) in (0..).zip((0..value_bytes.max(1)).step_by(SLICE_BYTES)) {
        batch.remove(key(first, number));
    }
}

/// The value of a block, if there is one
pub(crate) fn get(db: &sled::Db, first: u64) -> sled::Result<Option<Vec<u8>>> {
    let Some(slice) = db.get(key(first, 0))? else { return Ok(None) };
    let mut value = slice.to_vec();
    let mut number = 1;
    while goes_on(&value, number)
        && let Some(slice) = db.get(key(first, number))?
    {
        value.extend_from_slice(&slice);
        number += 1;
    }
    Ok(Some(value))
}

/// Whether another slice may follow after so many
fn goes_on(value: &[u8], slices: u32) -> bool {
    value.len() == SLICE_BYTES * slices as usize
}

/// The values of all blocks, in order, each with its first position; `None` if a slice has no first slice
pub(crate) fn all(db: &sled::Db) -> impl Iterator<Item = sled::Result<(Option<u64>, Vec<u8>)>> {
    let mut before = sled::IVec::from(&[BLOCK]);
    // Each value is looked up: values that an iterator passes over stay in sled's memory.
    let mut next = move || -> sled::Result<Option<(Option<u64>, Vec<u8>)>> {
        let Some((found, slice)) = db.get_gt(&before)? else { return Ok(None) };
        if !found.starts_with(&[BLOCK]) {
            return Ok(None);
        }
        let first = parse(&found).and_then(|(first, number)| (number == 0).then_some(first));
        let mut value = slice.to_vec();
        before = found;
        let Some(first) = first else { return Ok(Some((None, value))) };
        let mut number = 1;
        while goes_on(&value, number)
            && let Some((found, slice)) = db.get_gt(&before)?
            && *found == *key(first, number)
        {
            value.extend_from_slice(&slice);
            before = found;
            number += 1;
        }
        Ok(Some((Some(first), value)))
    };
    std::iter::from_fn(move || next().transpose())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, sled::Db) {
        let folder = tempfile::tempdir().unwrap();
        let db = crate::sled_store::config(folder.path(), 1_024 * 1_024).open().unwrap();
        (folder, db)
    }

    /// A value in which neighbouring slices differ
    fn value(bytes: usize) -> Vec<u8> {
        (0..251_u8).cycle().take(bytes).collect()
    }

    const SIZES: [usize; 10] = [
        1,
        SLICE_BYTES - 1,
        SLICE_BYTES,
        SLICE_BYTES + 1,
        2 * SLICE_BYTES - 1,
        2 * SLICE_BYTES,
        2 * SLICE_BYTES + 1,
        3 * SLICE_BYTES,
        1_000_000,
        // So many slices that their number needs more than one byte.
        300 * SLICE_BYTES,
    ];

    #[test]
    fn a_value_replaces_the_whole_value_before_it() {
        let (_folder, db) = store();
        for before in SIZES {
            for after in SIZES {
                let mut batch = sled::Batch::default();
                remove(&mut batch, 5, before);
                insert(&mut batch, 5, &value(after));
                insert(&mut batch, 6, b"next");
                db.apply_batch(batch).unwrap();
                assert_eq!(get(&db, 5).unwrap(), Some(value(after)), "{before} then {after}");
                let all: Vec<_> = all(&db).collect::<Result<_, _>>().unwrap();
                assert_eq!(all, [(Some(5), value(after)), (Some(6), b"next".to_vec())]);
                let mut batch = sled::Batch::default();
                remove(&mut batch, 5, after);
                remove(&mut batch, 6, 4);
                db.apply_batch(batch).unwrap();
                assert!(db.is_empty());
                let mut batch = sled::Batch::default();
                insert(&mut batch, 5, &value(before));
                db.apply_batch(batch).unwrap();
            }
            let mut batch = sled::Batch::default();
            remove(&mut batch, 5, before);
            db.apply_batch(batch).unwrap();
        }
    }

    #[test]
    fn a_value_from_before_blocks_were_cut_is_read_and_removed() {
        let (_folder, db) = store();
        let whole = value(100_000);
        db.insert(key(7, 0), whole.as_slice()).unwrap();
        db.insert(b"cursor", b"7").unwrap();
        assert_eq!(get(&db, 7).unwrap(), Some(whole.clone()));
        assert_eq!(all(&db).collect::<Result<Vec<_>, _>>().unwrap(), [(Some(7), whole)]);
        let mut batch = sled::Batch::default();
        remove(&mut batch, 7, 100_000);
        db.apply_batch(batch).unwrap();
        assert_eq!(get(&db, 7).unwrap(), None);
        assert_eq!(all(&db).count(), 0);
    }

    #[test]
    fn a_slice_without_a_first_slice_is_reported() {
        let (_folder, db) = store();
        db.insert(key(7, 0), b"short").unwrap();
        db.insert(key(7, 1), b"left behind").unwrap();
        db.insert(b"bx", b"no position").unwrap();
        let found: Vec<_> = all(&db).map(|value| value.unwrap().0).collect();
        assert_eq!(found, [Some(7), None, None]);
    }
}
