//! When is what recorded?
//!
//! Three years pass while the changes of a history are made, evenly: the moment of an entry follows from
//! how many changes came before it, so nobody has to remember it.

use tenure_core::MICROS_PER_SECOND;

/// 2023-07-10T00:00:00Z, when histories begin
pub const BEGINS_MICROS: i64 = 1_688_947_200 * MICROS_PER_SECOND;
/// 2026-07-10T00:00:00Z, when they end: after the last built-in catalogue
pub const ENDS_MICROS: i64 = 1_783_641_600 * MICROS_PER_SECOND;

pub(crate) const MINUTE: i64 = 60 * MICROS_PER_SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// How time passes in a history of so many changes
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    changes: u64,
}

impl Pace {
    pub(crate) fn new(changes: u64) -> Self {
        Self { changes: changes.max(1) }
    }

    /// The first moment at which an entry can be recorded that comes after so many changes
    pub(crate) fn earliest(self, done: u64) -> i64 {
        let span = u128::from(ENDS_MICROS.abs_diff(BEGINS_MICROS));
        let passed = span * u128::from(done) / u128::from(self.changes);
        BEGINS_MICROS.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX))
    }

    /// The first moment at which it cannot be recorded any more
    pub(crate) fn latest(self, done: u64) -> i64 {
        self.earliest(done + 1)
    }
}

#[cfg(test)]
mod tests {
    use tenure_core::Instant;

    use super::*;

    #[test]
    fn histories_are_three_years_long() {
        let text = |micros| Instant::from_micros(micros).unwrap().to_string();
        assert_eq!(text(BEGINS_MICROS), "2023-07-10T00:00:00Z");
        assert_eq!(text(ENDS_MICROS), "2026-07-10T00:00:00Z");
        let pace = Pace::new(1_000);
        assert_eq!(pace.earliest(0), BEGINS_MICROS);
        assert_eq!(pace.latest(999), ENDS_MICROS);
        assert!((0..999).all(|done| pace.latest(done) <= pace.earliest(done + 1)));
    }
}
