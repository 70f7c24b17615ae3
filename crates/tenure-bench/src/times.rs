//! How long did each of many take?

use std::time::{Duration, Instant};

use futures::future::try_join_all;

use crate::report::Row;

/// How long each took
#[derive(Clone, Debug, Default)]
pub(crate) struct Times {
    took: Vec<Duration>,
}

/// The spread of many times, in microseconds
///
/// A percentile is the least of the times that are not exceeded by that share of them (nearest rank). It is
/// `None` where nothing was timed.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Spread {
    pub(crate) count: u64,
    pub(crate) p50_us: Option<f64>,
    pub(crate) p90_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
    pub(crate) max_us: Option<f64>,
}

impl Times {
    pub(crate) fn push(&mut self, took: Duration) {
        self.took.push(took);
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.took.extend(other.took);
    }

    pub(crate) fn count(&self) -> u64 {
        self.took.len() as u64
    }

    pub(crate) fn spread(mut self) -> Spread {
        self.took.sort_unstable();
        let at = |percent: usize| {
            let rank = (self.took.len() * percent).div_ceil(100).max(1);
            self.took.get(rank - 1).map(|took| took.as_secs_f64() * 1e6)
        };
        let [p50_us, p90_us, p99_us, max_us] = [50, 90, 99, 100].map(at);
        Spread { count: self.took.len() as u64, p50_us, p90_us, p99_us, max_us }
    }
}

/// What doing something many times took
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) took: Spread,
    pub(crate) per_second: f64,
}

impl Measured {
    pub(crate) fn of(times: Times, in_all: Duration) -> Self {
        Self { per_second: per_second(times.count(), in_all), took: times.spread() }
    }

    /// Its figures, after those that say what was measured
    pub(crate) fn row(&self, mut row: Row) -> Row {
        let Spread { count, p50_us, p90_us, p99_us, max_us } = self.took;
        row.push(("asked", count.into()));
        let spread = [("p50_us", p50_us), ("p90_us", p90_us), ("p99_us", p99_us)];
        row.extend(spread.map(|(name, figure)| (name, figure.into())));
        row.extend([("max_us", max_us.into()), ("per_s", self.per_second.into())]);
        row
    }
}

/// Lets clients ask, each again when it has its answer, until `lasts` is over or each has asked `most` times
///
/// Each client asks once at least. `ask` gets a client and the number of the question; clients begin at numbers
/// far from each other. All run on the thread that calls.
pub(crate) async fn closed_loop<C>(
    clients: Vec<C>,
    lasts: Duration,
    most: usize,
    ask: impl AsyncFn(&mut C, usize) -> anyhow::Result<()>,
) -> anyhow::Result<Measured> {
    let began = Instant::now();
    let running = clients.into_iter().enumerate().map(async |(client, mut connection)| {
        let mut times = Times::default();
        for n in 0..most.max(1) {
            let asked = Instant::now();
            if n > 0 && asked - began >= lasts {
                break;
            }
            ask(&mut connection, client * 7_919 + n).await?;
            times.push(asked.elapsed());
        }
        anyhow::Ok(times)
    });
    let mut times = Times::default();
    for of_client in try_join_all(running).await? {
        times.extend(of_client);
    }
    Ok(Measured::of(times, began.elapsed()))
}

/// One number over another
pub(crate) fn ratio(one: u64, other: u64) -> f64 {
    one as f64 / other.max(1) as f64
}

/// So many in a second
pub(crate) fn per_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64().max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let spread = |micros: &[u64]| {
            let took = micros.iter().copied().map(Duration::from_micros).collect();
            let Spread { p50_us, p90_us, p99_us, max_us, .. } = Times { took }.spread();
            [p50_us, p90_us, p99_us, max_us].map(|at| at.map(f64::round))
        };
        let hundred: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(spread(&hundred), [Some(50.0), Some(90.0), Some(99.0), Some(100.0)]);
        assert_eq!(spread(&[3, 9]), [Some(3.0), Some(9.0), Some(9.0), Some(9.0)]);
        assert_eq!(spread(&[]), [None; 4]);
    }
}
