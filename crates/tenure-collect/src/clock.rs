//! What time is it? The only file that reads the wall clock

use std::time::{SystemTime, UNIX_EPOCH};

use tenure_core::Instant;

/// The wall clock, which may step back
pub(crate) fn now() -> Instant {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Instant::saturating_from_micros(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
}
