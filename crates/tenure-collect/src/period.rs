//! How long is a time that an operator writes as `90s`, `15m`, `1h` or `2d`?

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A time of whole seconds, written as a number and `s`, `m`, `h` or `d`
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period(Duration);

/// A text that is no time of whole seconds
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a time is a number and `s`, `m`, `h` or `d`, as `90s`, `15m`, `1h` or `2d`")]
pub struct ParsePeriodError;

/// The units, the longest first, with their seconds
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

impl Period {
    /// An hour
    pub(crate) const HOUR: Self = Self(Duration::from_secs(3_600));

    /// The same time
    pub fn duration(self) -> Duration {
        self.0
    }
}

impl FromStr for Period {
    type Err = ParsePeriodError;

    fn from_str(text: &str) -> Result<Self, ParsePeriodError> {
        let read = |(unit, seconds): (char, u64)| {
            let number = text.strip_suffix(unit)?;
            let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            let number: u64 = digits.then(|| number.parse().ok())??;
            number.checked_mul(seconds)
        };
        let seconds = UNITS.into_iter().find_map(read).ok_or(ParsePeriodError)?;
        Ok(Self(Duration::from_secs(seconds)))
    }
}

impl TryFrom<String> for Period {
    type Error = ParsePeriodError;

    fn try_from(text: String) -> Result<Self, ParsePeriodError> {
        text.parse()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0.as_secs();
        let whole = UNITS.into_iter().find(|(_, seconds)| all > 0 && all.is_multiple_of(*seconds));
        let (unit, seconds) = whole.unwrap_or(('s', 1));
        write!(f, "{}{unit}", all / seconds)
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_and_written() {
        for (text, seconds, written) in [
            ("90s", 90, "90s"),
            ("15m", 900, "15m"),
            ("60m", 3_600, "1h"),
            ("48h", 172_800, "2d"),
            ("0s", 0, "0s"),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!(period.duration().as_secs(), seconds);
            assert_eq!(period.to_string(), written);
        }
        for wrong in ["", "h", "1", "-1h", "+1h", "1.5h", "1h30m", "1 h", "99999999999999999999s"] {
            assert_eq!(wrong.parse::<Period>(), Err(ParsePeriodError), "{wrong}");
        }
        assert_eq!("999999999999999999d".parse::<Period>(), Err(ParsePeriodError));
    }
}
