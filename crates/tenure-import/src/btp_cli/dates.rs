//! How does the btp CLI server write a time?
//!
//! Dates in bodies are US text in UTC without a zone, with day and hour unpadded (`Jan 2, 2026, 3:04:05 AM`).
//! Some are milliseconds since 1970. Newer versions of Java put a narrow no-break space before `AM`. A date
//! that is none of these counts as absent; the exchange is still used.

use chrono::NaiveDateTime;
use serde_json::Value;
use tenure_core::Instant;

const US_TEXT: &str = "%b %d, %Y, %I:%M:%S %p";

/// The instant that a date in a body stands for
pub(crate) fn instant(value: &Value) -> Option<Instant> {
    let instant = match value {
        Value::Number(millis) => Instant::from_micros(millis.as_i64()?.checked_mul(1_000)?),
        Value::String(text) => {
            let text = text.replace(['\u{202f}', '\u{a0}'], " ");
            match NaiveDateTime::parse_from_str(&text, US_TEXT) {
                Ok(moment) => Instant::from_micros(moment.and_utc().timestamp_micros()),
                Err(_) => Instant::parse(&text).ok(),
            }
        }
        _ => None,
    };
    instant.filter(|instant| *instant >= Instant::EPOCH)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_of_a_date_is_the_same_instant() {
        let expected = Instant::parse("2026-01-02T03:04:05Z").ok();
        for date in [
            json!("Jan 2, 2026, 3:04:05 AM"),
            json!("Jan 2, 2026, 3:04:05\u{202f}AM"),
            json!("Jan 02, 2026, 03:04:05 AM"),
            json!("2026-01-02T03:04:05.000+00:00"),
            json!(1_767_323_045_000_i64),
        ] {
            assert_eq!(instant(&date), expected, "{date}");
        }
        assert_eq!(
            instant(&json!("Dec 31, 2025, 12:00:00 PM")),
            Instant::parse("2025-12-31T12:00:00Z").ok()
        );
        for date in [json!("soon"), json!(null), json!(-1), json!(true)] {
            assert_eq!(instant(&date), None, "{date}");
        }
    }
}
