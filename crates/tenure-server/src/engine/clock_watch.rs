//! How far is this server's clock from the log's clock?
//!
//! Nobody reads two clocks at once. An entry is recorded before it arrives: if its recorded time is later than our
//! clock at the arrival, our clock is behind. An entry is recorded after this server has sent it: if its recorded
//! time is earlier than our clock at the sending, our clock is ahead. Both distances are at least that large.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Serialize;
use tenure_core::{Ledger, RecordedAt};
use tenure_log::embedded;

/// A shorter distance is not reported
const REPORTED_FROM: Duration = Duration::from_secs(2);
/// How often a distance is logged at most
const LOG_INTERVAL: Duration = Duration::from_mins(1);

/// What `/readyz` says if the two clocks disagree
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ClockReport {
    /// By at least so many seconds this server's clock was behind the log's
    #[serde(skip_serializing_if = "Option::is_none")]
    behind_log_seconds: Option<f64>,
    /// By at least so many seconds this server's clock was ahead of the log's
    #[serde(skip_serializing_if = "Option::is_none")]
    ahead_of_log_seconds: Option<f64>,
    /// What this server's clock showed then
    measured_at: String,
}

/// What is known of the distance
#[derive(Debug, Default)]
pub(super) struct ClockWatch {
    known: Mutex<Known>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// Our clock less the log's, as close to 0 as it can be
    offset_micros: i64,
    measured_at: Option<RecordedAt>,
    /// The latest recorded time that has arrived
    newest: Option<RecordedAt>,
    logged: Option<Instant>,
}

impl Known {
    /// An entry has arrived: our clock is ahead by at most what lies between the two times
    fn arrived(&mut self, recorded_at: RecordedAt, now: RecordedAt) {
        let most = now.micros() - recorded_at.micros();
        self.offset_micros = if most < 0 { most } else { self.offset_micros.clamp(0, most) };
        self.measured_at = Some(now);
        self.newest = self.newest.max(Some(recorded_at));
    }

    /// What is known now: our clock may have been set back since the newest entry arrived
    fn at(mut self, now: RecordedAt) -> Self {
        let most = self.newest.map_or(0, |newest| now.micros() - newest.micros());
        if most < self.offset_micros.min(0) {
            self.offset_micros = most;
            self.measured_at = Some(now);
        }
        self
    }

    /// An entry of our own has come back: our clock is ahead by at least what lies between the two times
    fn acknowledged(&mut self, recorded_at: RecordedAt, sent_at: RecordedAt) {
        let least = sent_at.micros() - recorded_at.micros();
        self.offset_micros = if least > 0 { least } else { self.offset_micros.min(0) };
        self.measured_at = Some(sent_at);
    }

    fn seconds(&self) -> f64 {
        Duration::from_micros(self.offset_micros.unsigned_abs()).as_secs_f64()
    }

    fn report(&self) -> Option<ClockReport> {
        let far = u128::from(self.offset_micros.unsigned_abs()) > REPORTED_FROM.as_micros();
        let measured_at = self.measured_at.filter(|_| far)?;
        let behind = self.offset_micros < 0;
        Some(ClockReport {
            behind_log_seconds: behind.then_some(self.seconds()),
            ahead_of_log_seconds: (!behind).then_some(self.seconds()),
            measured_at: measured_at.to_string(),
        })
    }
}

impl ClockWatch {
    /// What the newest entry of a ledger that starts shows
    pub(super) fn of(ledger: &Ledger) -> Self {
        let watch = Self::default();
        if let Some(newest) = ledger.newest_recorded_at() {
            watch.arrived(newest);
        }
        watch
    }

    /// Notes that an entry with this recorded time has just arrived
    pub(super) fn arrived(&self, recorded_at: RecordedAt) {
        self.note(|known| known.arrived(recorded_at, embedded::now()));
    }

    /// Notes when an entry was recorded that this server sent
    pub(super) fn acknowledged(&self, recorded_at: RecordedAt, sent_at: RecordedAt) {
        self.note(|known| known.acknowledged(recorded_at, sent_at));
    }

    fn note(&self, note: impl FnOnce(&mut Known)) {
        let mut known = self.known.lock();
        note(&mut known);
        let rests = known.logged.is_some_and(|logged| logged.elapsed() < LOG_INTERVAL);
        if known.report().is_none() || rests {
            return;
        }
        known.logged = Some(Instant::now());
        let which = if known.offset_micros < 0 { "behind" } else { "ahead of" };
        tracing::warn!(seconds = known.seconds(), "this server's clock is {which} the log's clock");
    }

    /// What an operator should know, if the clocks disagree
    pub(super) fn report(&self) -> Option<ClockReport> {
        self.known.lock().at(embedded::now()).report()
    }

    /// Our clock less the log's, in seconds: less than 0 if ours is behind, 0 if nothing is known
    pub(super) fn offset_seconds(&self) -> f64 {
        let known = self.known.lock().at(embedded::now());
        if known.offset_micros < 0 { -known.seconds() } else { known.seconds() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(seconds: i64) -> RecordedAt {
        RecordedAt::saturating_from_micros(seconds * 1_000_000)
    }

    fn offset_after(events: &[(&str, i64, i64)]) -> i64 {
        let mut known = Known::default();
        for (what, recorded, ours) in events {
            match *what {
                "arrived" => known.arrived(second(*recorded), second(*ours)),
                _ => known.acknowledged(second(*recorded), second(*ours)),
            }
        }
        known.offset_micros / 1_000_000
    }

    #[test]
    fn only_what_can_be_known_is_said() {
        // A recorded time in our future shows that our clock is behind.
        assert_eq!(offset_after(&[("arrived", 105, 100)]), -5);
        // An old entry shows nothing.
        assert_eq!(offset_after(&[("arrived", 50, 100)]), 0);
        // An entry that was recorded before it was sent shows that our clock is ahead.
        assert_eq!(offset_after(&[("arrived", 50, 100), ("acknowledged", 50, 57)]), 7);
        // An entry of others that is older than that says nothing against it, a younger one does.
        assert_eq!(offset_after(&[("acknowledged", 50, 57), ("arrived", 80, 100)]), 7);
        assert_eq!(offset_after(&[("acknowledged", 50, 57), ("arrived", 98, 100)]), 2);
        assert_eq!(offset_after(&[("acknowledged", 50, 57), ("arrived", 102, 100)]), -2);
        // The clock was set right.
        assert_eq!(offset_after(&[("acknowledged", 50, 57), ("acknowledged", 61, 60)]), 0);
        assert_eq!(offset_after(&[("arrived", 105, 100), ("arrived", 106, 107)]), 0);
    }

    #[test]
    fn a_distance_of_two_seconds_is_not_reported() {
        let mut known = Known::default();
        known.arrived(second(102), second(100));
        assert_eq!(known.report(), None);
        known.arrived(second(103), second(100));
        let report = serde_json::to_value(known.report()).unwrap();
        let expected = serde_json::json!({
            "behind_log_seconds": 3.0, "measured_at": "1970-01-01T00:01:40Z" });
        assert_eq!(report, expected);
        // Our clock was set back since.
        let report = serde_json::to_value(known.at(second(93)).report()).unwrap();
        assert_eq!(report["behind_log_seconds"], 10.0);
        assert_eq!(known.at(second(200)).report(), known.report());
        known.acknowledged(second(100), second(104));
        let report = serde_json::to_value(known.report()).unwrap();
        assert_eq!(report["ahead_of_log_seconds"], 4.0);
    }
}
