//! Which day is it at Acme?
//!
//! Days and seconds in UTC, without time zones or holidays.

use tenure_core::{EffectiveAt, MICROS_PER_SECOND, RecordedAt};

const SECONDS_PER_DAY: i64 = 86_400;

/// A day, counted from 1970-01-01
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Day(i64);

/// A second, counted from 1970-01-01T00:00:00Z
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Second(i64);

/// The day with this date in the Gregorian calendar
pub(crate) const fn day(year: i64, month: i64, day: i64) -> Day {
    // Years are counted from March here, so that the leap day is the last day of a year.
    let year = if month > 2 { year } else { year - 1 };
    let month = if month > 2 { month - 3 } else { month + 9 };
    let before_year = year * 365 + year / 4 - year / 100 + year / 400;
    let before_month = (153 * month + 2) / 5;
    Day(before_year + before_month + day - 1 - 719_468)
}

impl Day {
    pub(crate) fn plus(self, days: i64) -> Self {
        Self(self.0 + days)
    }

    pub(crate) fn is_monday(self) -> bool {
        self.of_week() == 0
    }

    pub(crate) fn is_thursday(self) -> bool {
        self.of_week() == 3
    }

    pub(crate) fn is_friday(self) -> bool {
        self.of_week() == 4
    }

    pub(crate) fn is_workday(self) -> bool {
        self.of_week() < 5
    }

    /// The day of the week; Monday is 0
    fn of_week(self) -> i64 {
        (self.0 + 3).rem_euclid(7)
    }

    /// Whether it is one of the days that recur `every` so many days, with `first` as one of them
    pub(crate) fn recurs(self, every: i64, first: Self) -> bool {
        (self.0 - first.0).rem_euclid(every) == 0
    }

    /// Number of whole weeks since `first`
    pub(crate) fn weeks_since(self, first: Self) -> i64 {
        (self.0 - first.0).div_euclid(7)
    }

    pub(crate) fn at(self, hour: i64, minute: i64) -> Second {
        Second(self.0 * SECONDS_PER_DAY + hour * 3_600 + minute * 60)
    }

    /// `2025-03-10`
    pub(crate) fn date(self) -> String {
        self.at(0, 0).text().chars().take(10).collect()
    }
}

impl Second {
    pub(crate) fn plus(self, seconds: i64) -> Self {
        Self(self.0 + seconds)
    }

    pub(crate) fn recorded(self) -> RecordedAt {
        RecordedAt::saturating_from_micros(self.0 * MICROS_PER_SECOND)
    }

    /// `2025-03-10T09:00:00Z`
    pub(crate) fn text(self) -> String {
        EffectiveAt::saturating_from_micros(self.0 * MICROS_PER_SECOND).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(day(1970, 1, 1), Day(0));
        for (when, text) in [
            (day(2023, 7, 3), "2023-07-03"),
            (day(2024, 2, 29), "2024-02-29"),
            (day(2024, 3, 1), "2024-03-01"),
            (day(2026, 12, 31), "2026-12-31"),
        ] {
            assert_eq!(when.date(), text);
        }
        assert!(day(2023, 7, 3).is_monday());
        assert!(!day(2024, 2, 10).is_workday());
        assert_eq!(day(2025, 3, 10).at(9, 5).text(), "2025-03-10T09:05:00Z");
    }
}
