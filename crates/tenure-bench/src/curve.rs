//! Does the cost of a question depend on how long history is?
//!
//! The landscape is as big at every length, only older and more turned over. So answers are as long, and only the
//! history behind them grows.

use std::path::PathBuf;

use clap::{Args, value_parser};

use crate::ask::{self, InProcess};
use crate::landscape::{Plan, Size};
use crate::ledger::BUDGET_CHANGES;
use crate::plot::{self, Line};
use crate::question::{Asker, Class};
use crate::report::Report;
use crate::say;

/// The classes of questions that are measured
const CLASSES: [Class; 5] =
    [Class::WhoNow, Class::WhoKnown, Class::WhoUnder, Class::CheckNow, Class::Timeline];

/// Measure questions against the length of history, and draw a plot of it
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Changes in the longest history
    #[arg(long, value_name = "N", default_value_t = BUDGET_CHANGES,
        value_parser = value_parser!(u64).range(1_000..=100_000_000))]
    changes: u64,
    /// The same seed makes the same histories and questions
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Questions of each class, at most; a class ends after five seconds too
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    questions: usize,
    /// Draw the curve as SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// The lengths from 10,000 up to the longest: three in each power of ten
fn lengths(longest: u64) -> Vec<u64> {
    let powers = std::iter::successors(Some(10_000_u64), |power| power.checked_mul(10));
    let steps = powers.flat_map(|power| [power, power * 2, power * 5]);
    let lengths: Vec<u64> = steps.take_while(|length| *length <= longest).collect();
    if lengths.is_empty() { vec![longest] } else { lengths }
}

/// Measures histories of several lengths in process, without a journal
pub(crate) fn measure(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new();
    let mut lines = CLASSES.map(|class| Line { name: class.as_str(), points: Vec::new() });
    let mut rows = Vec::new();
    let mut described = String::new();
    for changes in lengths(options.changes) {
        say(&format!("{changes} changes"));
        let plan = Plan::new(Size::Steady, changes, options.seed);
        described = plan.shape.described();
        let (ledger, facts) = plan.fold()?;
        let mut asker = Asker::new(&facts, options.seed);
        let asked = InProcess::of(&ledger, None);
        let classes = asked.classes(&CLASSES, &mut asker, options.questions)?;
        for ((class, asked), line) in classes.iter().zip(&mut lines) {
            let mut row = vec![("changes", changes.into())];
            row.extend(ask::row(*class, asked));
            rows.push(row);
            let took = &asked.1.took;
            line.points.extend(took.p50_us.zip(took.p99_us).map(|(p50, p99)| (changes, p50, p99)));
        }
    }
    report.facts("landscape", vec![("longest", described.as_str().into())]);
    report.table("curve", rows);
    if let Some(path) = &options.plot {
        std::fs::write(path, plot::svg(&lines, &described))?;
    }
    let who = lines.first().map(|line| line.points.as_slice()).unwrap_or_default();
    let p50 = |changes| who.iter().find(|point| point.0 == changes).map(|point| point.1);
    let ratio = p50(BUDGET_CHANGES).zip(p50(100_000)).map(|(long, short)| long / short);
    let what = "who-now: p50 at 10,000,000 changes over that at 100,000";
    report.at_most(what, ratio, 2.0, "times");
    Ok(report)
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
