//! Does the cost of a question depend on how long history is?
//!
//! The same landscape at every length, only older and more turned over: so answers are as long, and what
//! changes is the history behind them.

use tenure_core::LedgerInMemory;
use tenure_wire::codec::Encoded;

use crate::in_process;
use crate::landscape::{Plan, Shape, Size};
use crate::machine::Machine;
use crate::measure::{BenchError, Watch, ask_classes};
use crate::question::{Asker, Class};
use crate::report::{Curve, Point};

/// The kinds of questions that are measured
pub const CLASSES: [Class; 5] =
    [Class::WhoNow, Class::WhoKnown, Class::WhoUnder, Class::CheckNow, Class::Timeline];
/// The shortest history
const SHORTEST: u64 = 10_000;

/// The lengths up to one: three in each power of ten
pub fn lengths(longest: u64) -> Vec<u64> {
    let powers = std::iter::successors(Some(SHORTEST), |power| power.checked_mul(10));
    let steps = powers.flat_map(|power| [power, power * 2, power * 5]);
    let mut lengths: Vec<u64> = steps.take_while(|length| *length <= longest).collect();
    if lengths.is_empty() {
        lengths.push(longest);
    }
    lengths
}

/// Measures histories of several lengths in process, without a journal
///
/// # Errors
/// A length that no history has, or whatever failed.
pub fn curve(
    lengths: &[u64],
    seed: u64,
    questions: usize,
    watch: &mut impl Watch,
) -> Result<Curve, BenchError> {
    let mut points = Vec::new();
    let mut described = String::new();
    for changes in lengths {
        let shape = Shape::new(Size::Steady, *changes);
        let shape = shape.map_err(|error| BenchError::Plot(error.to_string()))?;
        let plan = Plan::new(shape, seed);
        described = format!(
            "an assumption: {} subaccounts, {} people, {} holdings at a time, at every length",
            plan.shape.subaccounts, plan.shape.people, plan.shape.live
        );
        let mut history = plan.messages().map_err(BenchError::Catalog)?;
        let mut ledger = LedgerInMemory::new();
        watch.begins("making up and folding", *changes);
        let mut messages = 0_u64;
        while let Some(message) = history.next() {
            for made in message.entries {
                let entry = Encoded::new(made.entry).map_err(BenchError::Encode)?;
                in_process::apply(&mut ledger, message.recorded_at, entry);
            }
            messages += 1;
            if messages.is_multiple_of(1_024) {
                watch.is_at(history.counts().changes);
            }
        }
        watch.ends();
        let facts = history.facts();
        let mut asker = Asker::new(&facts, seed);
        let classes = ask_classes(&CLASSES, &mut asker, &ledger, None, questions, watch)?;
        points.push(Point { changes: *changes, classes });
    }
    let mut curve = Curve {
        version: env!("CARGO_PKG_VERSION"),
        machine: Machine::here(),
        assumption: true,
        described,
        seed,
        points,
        budgets: Vec::new(),
    };
    curve.judge();
    Ok(curve)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_even_on_a_logarithmic_axis() {
        assert_eq!(lengths(100_000), [10_000, 20_000, 50_000, 100_000]);
        assert_eq!(lengths(10_000_000).len(), 10);
        assert_eq!(lengths(5_000), [5_000]);
    }
}
