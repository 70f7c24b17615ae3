//! How does chance fall the same way on every machine?
//!
//! By SplitMix64 with a fixed seed: its numbers look random and are always the same. A dependency might give other
//! numbers in its next version.

/// A source of chance
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice that give the same numbers for the same seed
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number
    ///
    /// # Source
    /// Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014)
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, including both
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let choices = high.abs_diff(low).saturating_add(1);
        low.saturating_add_unsigned(self.number() % choices)
    }

    /// A number below `choices`; 0 if there is none
    ///
    /// # Source
    /// Lemire, "Fast random integer generation in an interval" (2019), without the rejection: the error is
    /// below choices / 2^64.
    pub fn below(&mut self, choices: u64) -> u64 {
        let wide = u128::from(self.number()) * u128::from(choices);
        u64::try_from(wide >> 64).unwrap_or_default()
    }

    /// `true` so many times in a hundred
    pub fn percent(&mut self, times: i64) -> bool {
        self.between(1, 100) <= times
    }

    /// One element; `None` if there are none
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
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
        assert_eq!(dice.number(), 6_457_827_717_110_365_317);
        assert_eq!(dice.number(), 3_203_168_211_198_807_973);
        assert!((0..100).all(|_| (3..=5).contains(&dice.between(3, 5))));
        assert!((0..100).all(|_| dice.below(3) < 3));
        assert_eq!(dice.below(0), 0);
        assert_eq!(dice.pick::<u8>(&[]), None);
    }
}
