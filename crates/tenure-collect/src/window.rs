//! From when until when are events asked for?

use tenure_core::{Instant, MICROS_PER_SECOND};

/// The longest time that an audit log is asked about at once, in microseconds: 30 days
const PIECE_MICROS: i64 = 30 * 24 * 3_600 * MICROS_PER_SECOND;

/// A time that begins at `from` and ends before `until`, both in whole seconds
///
/// The sources know no fraction of a second. Both ends are cut down to the second, so what happens in the second of
/// `until` is left to the next window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    from: Instant,
    until: Instant,
}

impl Window {
    /// The time from one instant until another, or `None` if it would end before it begins
    pub fn new(from: Instant, until: Instant) -> Option<Self> {
        let second = |instant: Instant| {
            Instant::saturating_from_micros(
                instant.micros().div_euclid(MICROS_PER_SECOND).saturating_mul(MICROS_PER_SECOND),
            )
        };
        (from <= until).then(|| Self { from: second(from), until: second(until) })
    }

    /// Its first second
    pub fn from(self) -> Instant {
        self.from
    }

    /// The second before which it ends
    pub fn until(self) -> Instant {
        self.until
    }

    /// The same time in parts of at most 30 days, the oldest first; none if it is shorter than a second
    pub(crate) fn pieces(self) -> Vec<Self> {
        let mut pieces = Vec::new();
        let mut from = self.from;
        while from < self.until {
            let end = Instant::saturating_from_micros(from.micros().saturating_add(PIECE_MICROS));
            let piece = Self { from, until: end.min(self.until) };
            from = piece.until;
            pieces.push(piece);
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        Instant::parse(text).unwrap()
    }

    #[test]
    fn a_window_has_whole_seconds_and_does_not_run_backwards() {
        let window = Window::new(at("2026-01-01T00:00:00.9Z"), at("2026-01-01T00:00:02.1Z"));
        let window = window.unwrap();
        assert_eq!(window.from().to_string(), "2026-01-01T00:00:00Z");
        assert_eq!(window.until().to_string(), "2026-01-01T00:00:02Z");
        assert_eq!(Window::new(at("2026-01-02T00:00:00Z"), at("2026-01-01T00:00:00Z")), None);
    }

    #[test]
    fn a_long_window_has_parts_of_thirty_days_without_a_gap() {
        let window = Window::new(at("2026-01-01T00:00:00Z"), at("2026-03-05T00:00:00Z")).unwrap();
        let pieces: Vec<_> = window
            .pieces()
            .iter()
            .map(|piece| format!("{} {}", piece.from(), piece.until()))
            .collect();
        assert_eq!(
            pieces,
            [
                "2026-01-01T00:00:00Z 2026-01-31T00:00:00Z",
                "2026-01-31T00:00:00Z 2026-03-02T00:00:00Z",
                "2026-03-02T00:00:00Z 2026-03-05T00:00:00Z",
            ]
        );
        let now = at("2026-01-01T00:00:00Z");
        assert_eq!(Window::new(now, now).unwrap().pieces(), []);
    }
}
