//! How large, how long and how often? And how long is the wait between two tries?

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use chrono::DateTime;

/// The bounds of a collection
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How long a connection may take
    pub(crate) connect: Duration,
    /// How long an answer may take from the first byte of the request to its own last one
    pub(crate) answer: Duration,
    /// The first wait before another try, which doubles from then on
    pub(crate) wait_first: Duration,
    /// The longest such wait
    pub(crate) wait_max: Duration,
    /// The longest wait that a server may ask for
    pub(crate) wait_asked_max: Duration,
    /// How often a request is tried again in a row
    pub(crate) tries_again_max: u32,
    /// How often a listing that changed is read again
    pub(crate) readings_again_max: u32,
    /// Most pages of a listing
    pub(crate) pages_max: usize,
    /// Longest page, in bytes once it is decompressed
    pub(crate) page_bytes_max: u64,
    /// All pages of a listing together
    pub(crate) listing_bytes_max: u64,
}

impl Limits {
    pub(crate) const STANDARD: Self = Self {
        connect: Duration::from_secs(10),
        answer: Duration::from_secs(120),
        wait_first: Duration::from_millis(500),
        wait_max: Duration::from_secs(30),
        wait_asked_max: Duration::from_secs(3_600),
        tries_again_max: 5,
        readings_again_max: 3,
        pages_max: 10_000,
        page_bytes_max: 64 * 1_024 * 1_024,
        listing_bytes_max: 1_024 * 1_024 * 1_024,
    };

    /// The wait after so many failed tries in a row: between a half and the whole of a time that doubles, so that
    /// clients that failed together do not come back together
    pub(crate) fn wait(&self, tries: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
        let whole = self.wait_first.saturating_mul(doubled).min(self.wait_max);
        // A new state has new keys, so the hash of nothing is a random number.
        let random = RandomState::new().hash_one(()) % 1_000;
        whole / 2 + whole.mul_f64(random as f64 / 2_000.0)
    }
}

/// How long a server asks to wait: `retry-after` has seconds or a date, which is compared with the server's own `date`
pub(crate) fn asked_to_wait(retry_after: &str, date: Option<&str>, now: i64) -> Option<Duration> {
    let retry_after = retry_after.trim();
    if let Ok(seconds) = retry_after.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    // The form of HTTP dates (RFC 9110) is one of RFC 2822.
    let seconds = |text: &str| Some(DateTime::parse_from_rfc2822(text.trim()).ok()?.timestamp());
    let now = date.and_then(seconds).unwrap_or(now);
    let wait = seconds(retry_after)?.saturating_sub(now);
    Some(Duration::from_secs(u64::try_from(wait).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_differ() {
        let limits = Limits::STANDARD;
        for (tries, half_ms, whole_ms) in
            [(1, 250, 500), (2, 500, 1_000), (5, 4_000, 8_000), (40, 15_000, 30_000)]
        {
            let wait = limits.wait(tries).as_millis();
            assert!((half_ms..=whole_ms).contains(&wait), "{tries}: {wait}");
        }
        let waits: std::collections::HashSet<_> = (0..20).map(|_| limits.wait(9)).collect();
        assert!(waits.len() > 5, "{waits:?}");
    }

    #[test]
    fn a_server_asks_to_wait_by_seconds_or_by_a_date() {
        let date = "Wed, 21 Oct 2015 07:28:30 GMT";
        let seconds = |text, own, now| asked_to_wait(text, own, now).map(|wait| wait.as_secs());
        assert_eq!(seconds(" 7 ", None, 0), Some(7));
        assert_eq!(seconds(date, Some("Wed, 21 Oct 2015 07:28:00 GMT"), 0), Some(30));
        assert_eq!(seconds(date, None, 1_445_412_500), Some(10));
        assert_eq!(seconds(date, None, 1_545_412_500), Some(0));
        assert_eq!(seconds("soon", None, 0), None);
    }
}
