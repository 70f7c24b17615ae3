//! How long did it take, and how often?

use std::time::Duration;

use serde::Serialize;

/// How long each of many took
#[derive(Clone, Debug, Default)]
pub struct Times {
    nanos: Vec<u64>,
}

/// The spread of how long each took, in microseconds
///
/// A percentile is the least of the times that are not exceeded by that share of them (nearest rank); null
/// where nothing was timed.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct Spread {
    /// How many were timed
    pub count: u64,
    /// Half of them took at most this
    pub p50_us: Option<f64>,
    /// 90%
    pub p90_us: Option<f64>,
    /// 99%
    pub p99_us: Option<f64>,
    /// All of them
    pub max_us: Option<f64>,
}

impl Times {
    /// Takes in how long one took
    pub fn push(&mut self, took: Duration) {
        self.nanos.push(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Takes in those of another
    pub fn extend(&mut self, other: Self) {
        self.nanos.extend(other.nanos);
    }

    /// How many
    pub fn count(&self) -> u64 {
        self.nanos.len() as u64
    }

    /// Their spread
    pub fn spread(mut self) -> Spread {
        self.nanos.sort_unstable();
        let at = |percent: usize| {
            let rank = (self.nanos.len() * percent).div_ceil(100).max(1);
            #[expect(clippy::cast_precision_loss, reason = "nanoseconds of less than 100 days")]
            self.nanos.get(rank - 1).map(|nanos| *nanos as f64 / 1_000.0)
        };
        Spread {
            count: self.nanos.len() as u64,
            p50_us: at(50),
            p90_us: at(90),
            p99_us: at(99),
            max_us: at(100),
        }
    }
}

/// So many in a second
pub fn per_second(count: u64, took: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a rate has few digits")]
    let count = count as f64;
    count / took.as_secs_f64().max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(micros: impl IntoIterator<Item = u64>) -> Spread {
        let mut times = Times::default();
        micros.into_iter().for_each(|micros| times.push(Duration::from_micros(micros)));
        times.spread()
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let hundred = spread((1..=100).rev());
        assert_eq!(
            (hundred.p50_us, hundred.p90_us, hundred.p99_us, hundred.max_us),
            (Some(50.0), Some(90.0), Some(99.0), Some(100.0))
        );
        let one = spread([7]);
        assert_eq!((one.count, one.p50_us, one.p99_us), (1, Some(7.0), Some(7.0)));
        let two = spread([3, 9]);
        assert_eq!((two.p50_us, two.p90_us), (Some(3.0), Some(9.0)));
        assert_eq!(spread([]), Spread::default());
    }
}
