//! How much time has passed, whatever happens to the wall clock?

use std::time::Duration;

/// A clock that nobody can set
///
/// On Linux it also counts the time for which the machine sleeps.
#[derive(Debug)]
pub(super) struct SteadyClock {
    #[cfg(target_os = "linux")]
    start: Duration,
    #[cfg(not(target_os = "linux"))]
    start: std::time::Instant,
}

#[cfg(target_os = "linux")]
fn since_boot() -> Duration {
    let shown = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(shown).unwrap_or_default()
}

impl SteadyClock {
    /// A clock that shows 0 now
    pub(super) fn start() -> Self {
        #[cfg(target_os = "linux")]
        let start = since_boot();
        #[cfg(not(target_os = "linux"))]
        let start = std::time::Instant::now();
        Self { start }
    }

    /// What it shows
    pub(super) fn elapsed(&self) -> Duration {
        #[cfg(target_os = "linux")]
        let elapsed = since_boot().saturating_sub(self.start);
        #[cfg(not(target_os = "linux"))]
        let elapsed = self.start.elapsed();
        elapsed
    }
}
