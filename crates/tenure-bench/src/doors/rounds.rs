//! How are several things measured so that noise hits all alike?
//!
//! In rounds: in each round every thing is done some times, and each round begins with another one.

use std::time::Duration;

use crate::report::Row;
use crate::times::{Measured, Times};

/// A thing that is measured; each time it says how long it took
pub(super) struct Case {
    name: &'static str,
    run: Box<dyn FnMut() -> anyhow::Result<Duration>>,
    times: Times,
    in_all: Duration,
}

impl Case {
    pub(super) fn new(
        name: &'static str,
        run: impl FnMut() -> anyhow::Result<Duration> + 'static,
    ) -> Self {
        Self { name, run: Box::new(run), times: Times::default(), in_all: Duration::ZERO }
    }

    /// Does it so many times, after a tenth more that are not timed: another case has used the caches
    fn round(&mut self, each: usize) -> anyhow::Result<()> {
        for _ in 0..each.div_ceil(10) {
            (self.run)()?;
        }
        for _ in 0..each {
            let took = (self.run)()?;
            self.times.push(took);
            self.in_all += took;
        }
        Ok(())
    }

    /// Its figures; `base` is the median of the first case, once there is one
    fn row(self, base: &mut Option<f64>) -> Row {
        let Measured { took, per_second } = Measured::of(self.times, self.in_all);
        let base = *base.get_or_insert(took.p50_us.unwrap_or_default());
        vec![
            ("case", self.name.into()),
            ("count", took.count.into()),
            ("p50_us", took.p50_us.into()),
            ("p99_us", took.p99_us.into()),
            ("per_s", per_second.into()),
            ("times_first", took.p50_us.map(|p50| p50 / base).into()),
        ]
    }

    /// Forgets what it took until now
    fn forget(&mut self) {
        (self.times, self.in_all) = Default::default();
    }
}

/// Measures cases in so many rounds after one that warms up; the first is what the others are compared with
pub(super) fn interleaved(
    mut cases: Vec<Case>,
    rounds: u32,
    each: usize,
) -> anyhow::Result<Vec<Row>> {
    for case in &mut cases {
        case.round(each)?;
        case.forget();
    }
    let first = (0..cases.len()).cycle();
    for (first, _) in first.zip(0..rounds) {
        let (last, begin) = cases.split_at_mut(first);
        for case in begin.iter_mut().chain(last) {
            case.round(each)?;
        }
    }
    let mut base = None;
    Ok(cases.into_iter().map(|case| case.row(&mut base)).collect())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use serde_json::json;

    use super::*;

    #[test]
    fn every_case_takes_its_turn_and_is_compared_with_the_first() {
        let order = Rc::new(RefCell::new(String::new()));
        let case = |name: &'static str, micros| {
            let order = Rc::clone(&order);
            Case::new(name, move || {
                order.borrow_mut().push_str(name);
                Ok(Duration::from_micros(micros))
            })
        };
        let rows = interleaved(vec![case("a", 10), case("b", 25)], 3, 1).unwrap();
        // Each is done once more than it is timed; the first round warms up.
        assert_eq!(*order.borrow(), "aabb aabb bbaa aabb".replace(' ', ""));
        let expected = [
            ("case", json!("b")),
            ("count", json!(3)),
            ("p50_us", json!(25.0)),
            ("p99_us", json!(25.0)),
            ("per_s", json!(40_000.0)),
            ("times_first", json!(2.5)),
        ];
        assert_eq!(rows[1], expected);
    }
}
