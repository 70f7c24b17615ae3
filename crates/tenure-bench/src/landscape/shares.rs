//! How much of a history is unusual?

use std::fmt;
use std::str::FromStr;

/// A part of a whole, in millionths
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Share(u32);

/// The whole
const WHOLE: u32 = 1_000_000;

/// A text that is no share
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is not a share: write a percentage from 0 to 100, like `0.5`")]
pub struct ShareError(String);

impl Share {
    /// So many millionths, at most all of them
    pub const fn millionths(millionths: u32) -> Self {
        Self(if millionths > WHOLE { WHOLE } else { millionths })
    }

    /// Its number of millionths
    pub fn get(self) -> u32 {
        self.0
    }

    /// The chance, in millionths, that the next of a whole is of this part: twice the share while there are
    /// too few, so that what cannot be had now is had later
    pub(super) fn chance(self, part: u64, whole: u64) -> u64 {
        let behind = part * u64::from(WHOLE) <= whole * u64::from(self.0);
        if behind { u64::from(self.0) * 2 } else { 0 }
    }

    /// As a part of 1
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / f64::from(WHOLE)
    }
}

impl FromStr for Share {
    type Err = ShareError;

    /// Reads a percentage
    fn from_str(text: &str) -> Result<Self, ShareError> {
        let error = || ShareError(text.chars().take(64).collect());
        let percent: f64 = text.trim_end_matches('%').parse().map_err(|_| error())?;
        if !(0.0..=100.0).contains(&percent) {
            return Err(error());
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is 0 to a million"
        )]
        let millionths = (percent * 10_000.0).round() as u32;
        Ok(Self(millionths))
    }
}

impl fmt::Display for Share {
    /// As a percentage
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(self.0) / 10_000.0)
    }
}

/// How much of what is unusual a history has
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shares {
    /// Entries that are recorded after they took effect
    pub late: Share,
    /// Entries that are recorded before they take effect
    pub scheduled: Share,
    /// Grants that end by themselves
    pub expiring: Share,
    /// Entries that are voids
    pub voids: Share,
    /// Entries that are refused or duplicates, in equal parts
    pub refused: Share,
}

impl Default for Shares {
    fn default() -> Self {
        Self {
            late: Share::millionths(5_000),
            scheduled: Share::millionths(2_000),
            expiring: Share::millionths(30_000),
            voids: Share::millionths(3_000),
            refused: Share::millionths(1_000),
        }
    }
}

/// Shares that leave too little room for what is usual
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "late, scheduled, voids and refused are {0} of the entries together: at most 95% can be unusual"
)]
pub struct TooUnusual(Share);

impl Shares {
    /// Whether a history can have these shares
    ///
    /// # Errors
    /// More than 95% of the entries in all.
    pub fn check(&self) -> Result<(), TooUnusual> {
        let all = [self.late, self.scheduled, self.voids, self.refused];
        let sum: u32 = all.iter().map(|share| share.get()).sum();
        if sum > 950_000 { Err(TooUnusual(Share(sum))) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage() {
        assert_eq!("0.5".parse::<Share>().unwrap(), Share::millionths(5_000));
        assert_eq!("30%".parse::<Share>().unwrap().to_string(), "30%");
        for text in ["", "x", "-1", "100.1", "NaN"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }
}
