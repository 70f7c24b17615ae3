//! What is an instant, and which clock does it belong to?
//!
//! An [`Instant`] is a moment in UTC with microsecond precision. [`EffectiveAt`] and [`RecordedAt`]
//! are the same number on two different clocks, and two different types, so that they cannot be
//! swapped. Nothing here reads a clock.
//!
//! Rules: `docs/semantics.md#instant`.

use std::fmt;

use chrono::{DateTime, NaiveDate};

/// Microseconds in a second
pub const MICROS_PER_SECOND: i64 = 1_000_000;
/// 9999-12-31T23:59:59.999999Z, the last instant there is
const LAST_MICROS: i64 = 253_402_300_799_999_999;
/// 0000-01-01T00:00:00Z, the first instant that RFC 3339 can write
const FIRST_WRITABLE_MICROS: i64 = -62_167_219_200_000_000;

/// A moment in UTC, in microseconds since 1970-01-01T00:00:00Z
///
/// Its range is what RFC 3339 can write, the years 0000 to 9999. What lies before 1970 can be
/// written and read, but is refused as [`BadTime`] wherever one of the two clocks is meant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Instant(i64);

/// A text that is no instant
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{text}` is not an instant: {problem}")]
pub struct ParseInstantError {
    text: String,
    problem: &'static str,
}

/// An instant outside the years 1970 to 9999
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0} lies outside 1970-01-01T00:00:00Z to 9999-12-31T23:59:59.999999Z")]
pub struct BadTime(pub Instant);

impl Instant {
    /// 1970-01-01T00:00:00Z
    pub const EPOCH: Self = Self(0);
    /// 9999-12-31T23:59:59.999999Z
    pub const LAST: Self = Self(LAST_MICROS);

    /// The instant so many microseconds after 1970, or `None` outside the years 0000 to 9999
    pub fn from_micros(micros: i64) -> Option<Self> {
        (FIRST_WRITABLE_MICROS..=LAST_MICROS).contains(&micros).then_some(Self(micros))
    }

    /// The instant nearest to so many microseconds after 1970 that lies in 1970 to 9999
    pub fn saturating_from_micros(micros: i64) -> Self {
        Self(micros.clamp(0, LAST_MICROS))
    }

    /// Microseconds since 1970-01-01T00:00:00Z
    pub fn micros(self) -> i64 {
        self.0
    }

    /// Reads an RFC 3339 instant; an offset is converted to UTC, digits finer than a microsecond
    /// are cut off
    ///
    /// # Errors
    /// A text that is no RFC 3339 instant, a leap second, or one whose UTC form has no year of
    /// four digits.
    pub fn parse(text: &str) -> Result<Self, ParseInstantError> {
        let error = |problem| ParseInstantError { text: shown(text), problem };
        const FORM: &str = "write it like `2026-03-01T00:00:00Z` or `2026-03-01T02:00:00+02:00`";
        let bytes = text.as_bytes();
        let shape = bytes.len() >= 20
            && bytes.iter().enumerate().take(19).all(|(i, b)| match i {
                4 | 7 => *b == b'-',
                10 => matches!(b, b'T' | b't'),
                13 | 16 => *b == b':',
                _ => b.is_ascii_digit(),
            });
        if !shape {
            return Err(error(FORM));
        }
        if bytes.get(17..19) == Some(b"60") {
            return Err(error("leap seconds are not told apart here: write second 59"));
        }
        let parsed = DateTime::parse_from_rfc3339(text).map_err(|_| error(FORM))?;
        // Towards the past, also before 1970: a fraction is cut off, never rounded up.
        let micros = parsed.timestamp_micros();
        Self::from_micros(micros).ok_or_else(|| error("in UTC its year has not four digits"))
    }

    /// Reads an RFC 3339 instant or a date alone, which means its midnight in UTC
    ///
    /// # Errors
    /// As [`Instant::parse`], or a date that does not exist.
    pub fn parse_or_date(text: &str) -> Result<Self, ParseInstantError> {
        let bytes = text.as_bytes();
        let date_shape = bytes.len() == 10
            && bytes.iter().enumerate().all(|(i, b)| match i {
                4 | 7 => *b == b'-',
                _ => b.is_ascii_digit(),
            });
        if !date_shape {
            return Self::parse(text);
        }
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()
            .and_then(|date| date.and_hms_opt(0, 0, 0))
            .and_then(|midnight| Self::from_micros(midnight.and_utc().timestamp_micros()))
            .ok_or_else(|| ParseInstantError {
                text: shown(text),
                problem: "there is no such date in the calendar",
            })
    }
}

/// At most the first 64 characters of a stranger's text, for a message
fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

impl fmt::Display for Instant {
    /// The canonical text: UTC, six digits of fraction where there is one and none otherwise
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(moment) = DateTime::from_timestamp_micros(self.0) else { return Err(fmt::Error) };
        let pattern = if self.0.rem_euclid(MICROS_PER_SECOND) == 0 {
            "%Y-%m-%dT%H:%M:%SZ"
        } else {
            "%Y-%m-%dT%H:%M:%S%.6fZ"
        };
        write!(f, "{}", moment.format(pattern))
    }
}

macro_rules! clock {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(Instant);

        impl $name {
            /// The first moment of this clock, 1970-01-01T00:00:00Z
            pub const FIRST: Self = Self(Instant::EPOCH);
            /// The last moment of this clock, 9999-12-31T23:59:59.999999Z
            pub const LAST: Self = Self(Instant::LAST);

            /// The instant this clock shows
            pub fn instant(self) -> Instant {
                self.0
            }

            /// Microseconds since 1970-01-01T00:00:00Z
            pub fn micros(self) -> i64 {
                self.0.micros()
            }

            /// The moment nearest to so many microseconds after 1970 that this clock can show
            pub fn saturating_from_micros(micros: i64) -> Self {
                Self(Instant::saturating_from_micros(micros))
            }
        }

        impl TryFrom<Instant> for $name {
            type Error = BadTime;

            fn try_from(instant: Instant) -> Result<Self, BadTime> {
                if instant < Instant::EPOCH { Err(BadTime(instant)) } else { Ok(Self(instant)) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

clock! {
    /// When something holds in the world: valid time
    EffectiveAt
}

impl EffectiveAt {
    /// Before every moment of this clock: since then there is what no change brought about
    pub(crate) const BEFORE_ALL: Self = Self(Instant(-1));
}
clock! {
    /// When the log learned of something: recorded time
    RecordedAt
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(text: &str) -> i64 {
        Instant::parse(text).unwrap().micros()
    }

    #[test]
    fn an_offset_is_converted_and_finer_digits_are_cut_off() {
        assert_eq!(micros("2026-03-01T02:00:00+02:00"), micros("2026-03-01T00:00:00Z"));
        assert_eq!(micros("2026-03-01T00:00:00.1234567Z"), micros("2026-03-01T00:00:00.123456Z"));
        assert_eq!(micros("1969-12-31T23:59:59.9999999Z"), -1);
        assert_eq!(micros("2026-03-01t00:00:00z"), micros("2026-03-01T00:00:00Z"));
    }

    #[test]
    fn what_is_no_instant_is_refused_with_a_sentence() {
        for text in [
            "",
            "soon",
            "2026-03-01",
            "2026-03-01 00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-03-01T00:00:00",
            "10000-01-01T00:00:00Z",
            "+10000-01-01T00:00:00Z",
            "9999-12-31T23:59:59-00:01",
            "2026-03-01T23:59:60Z",
            "2026-03-01T24:00:00Z",
            "２026-03-01T00:00:00Z",
        ] {
            let error = Instant::parse(text).unwrap_err().to_string();
            assert!(error.contains("is not an instant: "), "{error}");
        }
        assert!(Instant::parse_or_date("2021-02-30").is_err());
        assert_eq!(
            Instant::parse_or_date("2021-03-01").unwrap(),
            Instant::parse("2021-03-01T00:00:00Z").unwrap()
        );
    }

    #[test]
    fn the_canonical_text_is_read_back_as_the_same_instant() {
        for micros in [0, 1, -1, 999_999, 1_000_000, LAST_MICROS, FIRST_WRITABLE_MICROS] {
            let instant = Instant::from_micros(micros).unwrap();
            assert_eq!(Instant::parse(&instant.to_string()).unwrap(), instant, "{instant}");
        }
        assert_eq!(Instant::from_micros(1).unwrap().to_string(), "1970-01-01T00:00:00.000001Z");
        assert_eq!(Instant::LAST.to_string(), "9999-12-31T23:59:59.999999Z");
    }

    #[test]
    fn the_clocks_begin_in_1970() {
        assert!(EffectiveAt::try_from(Instant::from_micros(-1).unwrap()).is_err());
        assert_eq!(EffectiveAt::try_from(Instant::EPOCH).unwrap(), EffectiveAt::FIRST);
    }
}
