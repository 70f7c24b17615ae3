//! Can an embedded log believe this machine's clock?
//!
//! A recorded time never steps back. If one entry is recorded in 2099, all later entries are too. So nothing is
//! appended while the clock is far ahead of everything else that knows the time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use tenure_core::{Instant, RecordedAt};
use tenure_log::embedded;
use tenure_wire::catalogs;

use super::steady_clock::SteadyClock;

const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;
/// How far the clock may jump ahead while the program runs
const JUMP_MAX_MICROS: i64 = DAY_MICROS;
/// How far the clock may be ahead of the latest time that is known to be past
///
/// A start cannot tell a jump from a long pause, and a ledger may lie idle for years.
const PAUSE_MAX_MICROS: i64 = 5 * 365 * DAY_MICROS;

const WHAT_TO_DO: &str = "An entry keeps its recorded time for ever. If the clock is wrong, set it right: then \
     appends go on by themselves. If the clock is right, start again with `--accept-clock`";

/// Compares this machine's clock with what else knows the time
#[derive(Debug)]
pub(super) struct ClockGuard {
    steady: SteadyClock,
    /// What the machine's clock showed when the steady clock showed 0
    start: RecordedAt,
    /// A time that was past at the start for sure; `None` if the operator has accepted the clock
    past: Option<RecordedAt>,
}

impl ClockGuard {
    /// A guard that begins now; `accepted` if the operator says that the clock is right now
    pub(super) fn begin(accepted: bool) -> Self {
        let past = [program_written_at(), newest_catalog_at()].into_iter().flatten().max();
        let past = past.unwrap_or(RecordedAt::FIRST);
        Self::new(embedded::now(), (!accepted).then_some(past))
    }

    /// A guard that began when the clock showed `start`
    pub(super) fn new(start: RecordedAt, past: Option<RecordedAt>) -> Self {
        Self { steady: SteadyClock::start(), start, past }
    }

    /// Whether an entry may be recorded now; `newest` is when the newest entry was
    ///
    /// # Errors
    /// A sentence that says why not, and what to do.
    pub(super) fn check(
        &mut self,
        now: RecordedAt,
        newest: Option<RecordedAt>,
    ) -> Result<(), String> {
        self.check_after(self.steady.elapsed(), now, newest)
    }

    fn check_after(
        &mut self,
        elapsed: Duration,
        now: RecordedAt,
        newest: Option<RecordedAt>,
    ) -> Result<(), String> {
        let elapsed = i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX);
        let after = |time: RecordedAt| time.micros().saturating_add(elapsed);
        let time = RecordedAt::saturating_from_micros;
        // A clock that was set back is judged from there.
        self.start = self.start.min(time(now.micros().saturating_sub(elapsed)));
        let expected = after(self.start);
        let newest = newest.unwrap_or(RecordedAt::FIRST);
        if now.micros() - newest.micros() <= JUMP_MAX_MICROS {
            return Ok(());
        }
        if now.micros() - expected > JUMP_MAX_MICROS {
            return Err(format!(
                "this machine's clock has jumped: it shows {now}, and by the time that has passed since the \
                 program started it should show {}. {WHAT_TO_DO}",
                time(expected)
            ));
        }
        let Some(past) = self.past else { return Ok(()) };
        let latest = newest.max(time(after(past)));
        if now.micros() - latest.micros() > PAUSE_MAX_MICROS {
            return Err(format!(
                "this machine's clock shows {now}. This is more than five years after {latest}, the latest time \
                 that the newest entry and the program's own file show. {WHAT_TO_DO}"
            ));
        }
        Ok(())
    }
}

/// When the program's own file was written
fn program_written_at() -> Option<RecordedAt> {
    let file = std::env::current_exe().and_then(std::fs::metadata).ok()?;
    let since_1970 = file.modified().unwrap_or(SystemTime::UNIX_EPOCH).duration_since(UNIX_EPOCH);
    let micros = since_1970.ok()?.as_micros();
    Some(RecordedAt::saturating_from_micros(i64::try_from(micros).unwrap_or(i64::MAX)))
}

/// From when on the newest built-in catalogue holds: a package may give the program's file a false date
fn newest_catalog_at() -> Option<RecordedAt> {
    #[derive(Deserialize)]
    struct Holds {
        effective_at: String,
    }
    let (_, text) = catalogs::FILES.last()?;
    let holds: Holds = serde_json::from_str(text).ok()?;
    RecordedAt::try_from(Instant::parse(&holds.effective_at).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> RecordedAt {
        RecordedAt::try_from(Instant::parse_or_date(text).unwrap()).unwrap()
    }

    fn guard(start: &str) -> ClockGuard {
        ClockGuard::new(at(start), Some(at("2026-07-07")))
    }

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn a_clock_that_jumped_while_the_program_ran_is_refused_until_it_is_back() {
        let mut guard = guard("2027-03-01");
        let newest = Some(at("2027-02-01"));
        assert_eq!(guard.check_after(HOUR, at("2027-03-01T01:00:00Z"), newest), Ok(()));
        // Less than a day is no jump.
        assert_eq!(guard.check_after(HOUR, at("2027-03-02T00:59:00Z"), newest), Ok(()));
        let why = guard.check_after(HOUR, at("2027-03-02T02:00:00Z"), newest).unwrap_err();
        for part in ["2027-03-02T02:00:00Z", "2027-03-01T01:00:00Z", "--accept-clock"] {
            assert!(why.contains(part), "{why}");
        }
        assert_eq!(guard.check_after(2 * HOUR, at("2027-03-01T02:00:00Z"), newest), Ok(()));
        // What is no more than a day after the newest entry dates nothing wrongly.
        let newest = Some(at("2027-03-02"));
        assert_eq!(guard.check_after(HOUR, at("2027-03-02T02:00:00Z"), newest), Ok(()));
    }

    #[test]
    fn a_clock_that_was_set_back_may_not_jump_ahead_again() {
        let mut guard = guard("2029-01-01");
        assert_eq!(guard.check_after(HOUR, at("2027-01-01T01:00:00Z"), None), Ok(()));
        assert!(guard.check_after(2 * HOUR, at("2029-01-01T02:00:00Z"), None).is_err());
    }

    #[test]
    fn a_start_in_2099_is_refused_and_one_after_a_year_is_not() {
        let newest = Some(at("2026-08-01"));
        let mut wrong = guard("2099-01-01");
        let why = wrong.check_after(HOUR, at("2099-01-01T01:00:00Z"), newest).unwrap_err();
        for part in ["2099-01-01T01:00:00Z", "2026-08-01T00:00:00Z", "--accept-clock"] {
            assert!(why.contains(part), "{why}");
        }
        // The clock was set right meanwhile.
        assert_eq!(wrong.check_after(HOUR, at("2026-08-02"), newest), Ok(()));
        for idle in ["2027-08-01", "2031-07-01"] {
            assert_eq!(guard(idle).check_after(Duration::ZERO, at(idle), newest), Ok(()));
        }
        // The operator has accepted what the clock showed at the start, and no later jump.
        let mut accepted = ClockGuard::new(at("2099-01-01"), None);
        assert_eq!(accepted.check_after(HOUR, at("2099-01-01T01:00:00Z"), newest), Ok(()));
        assert!(accepted.check_after(HOUR, at("2099-02-01"), newest).is_err());
    }

    #[test]
    fn the_program_knows_a_time_that_is_past() {
        assert!(newest_catalog_at() >= Some(at("2026-07-07")));
        assert!(program_written_at() > Some(RecordedAt::FIRST));
        assert_eq!(ClockGuard::begin(false).check(embedded::now(), None), Ok(()));
    }
}
