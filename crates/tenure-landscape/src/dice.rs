//! What happens by chance, and the same on every machine?
//!
//! SplitMix64 with a fixed seed: numbers that look random and are not, without a dependency whose next
//! version gives others.

/// Chance
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014)
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let choices = high.abs_diff(low).saturating_add(1);
        low.saturating_add_unsigned(self.next() % choices)
    }

    /// Yes, so many times in a hundred
    pub(crate) fn percent(&mut self, times: i64) -> bool {
        self.between(1, 100) <= times
    }

    /// One of them; `None` if there are none
    pub(crate) fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let last = i64::try_from(all.len()).ok()?.checked_sub(1).filter(|last| *last >= 0)?;
        all.get(usize::try_from(self.between(0, last)).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_splitmix64() {
        let mut dice = Dice::new(1_234_567);
        assert_eq!(dice.next(), 6_457_827_717_110_365_317);
        assert_eq!(dice.next(), 3_203_168_211_198_807_973);
        assert!((0..100).all(|_| (3..=5).contains(&dice.between(3, 5))));
        assert_eq!(dice.pick::<u8>(&[]), None);
    }
}
