//! Does a small run measure everything, and is its report what programs read?
//!
//! Nothing here depends on how long anything takes.
#![expect(
    clippy::unwrap_used,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use tenure_bench::curve::curve;
use tenure_bench::landscape::{Plan, Shape, Size};
use tenure_bench::question::Class;
use tenure_bench::{BenchError, Options, Watch, measure, plot, start};

/// Notes what it is told
#[derive(Default)]
struct Noted(Vec<&'static str>);

impl Watch for Noted {
    fn begins(&mut self, what: &'static str, _: u64) {
        self.0.push(what);
    }
    fn is_at(&mut self, _: u64) {}
    fn ends(&mut self) {}
}

fn plan() -> Plan {
    Plan::new(Shape::new(Size::Steady, 4_000).unwrap(), 1)
}

fn options() -> Options {
    Options { questions: 3, each: Duration::from_millis(40), connections: 2 }
}

/// The paths of all fields, with `[]` for what there are many of
fn paths(value: &Value, at: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                paths(value, &format!("{at}.{name}"), into);
            }
        }
        Value::Array(items) => {
            for item in items {
                paths(item, &format!("{at}[]"), into);
            }
        }
        _ => {
            into.insert(at.trim_start_matches('.').to_owned());
        }
    }
}

#[test]
fn a_small_run_measures_everything_and_its_json_has_the_known_fields() {
    let folder = tempfile::tempdir().unwrap();
    let mut noted = Noted::default();
    let report = measure(&plan(), &options(), folder.path(), start, &mut noted).unwrap();
    assert!(report.landscape.assumption && report.landscape.described.contains("an assumption"));
    assert!(report.landscape.changes >= 4_000);
    let classes: Vec<&str> = report.in_process.classes.iter().map(|asked| asked.class).collect();
    assert_eq!(classes, Class::ALL.iter().map(|class| class.as_str()).collect::<Vec<_>>());
    assert!(report.in_process.classes.iter().all(|asked| (1..=3).contains(&asked.took.count)));
    for asked in &report.http.classes {
        assert!(asked.asked.took.count > 0 && asked.asked.failed == 0, "{asked:?}");
    }
    for asked in [report.http.check, report.http.checks_by_hundred, report.http.mix] {
        assert!(asked.took.count > 0 && asked.failed == 0, "{asked:?}");
    }
    assert_eq!((report.append.len(), report.http.append.len()), (3, 3));
    assert_eq!(report.budgets.len(), 12);
    assert!(report.disk.bytes > 10_000 && report.start.names > 1_000);
    assert!(noted.0.contains(&"asking over HTTP"), "{:?}", noted.0);

    let mut found = BTreeSet::new();
    paths(&serde_json::to_value(&report).unwrap(), "", &mut found);
    let known: BTreeSet<String> =
        include_str!("report_fields.txt").lines().map(str::to_owned).collect();
    let found_text = found.iter().map(String::as_str).collect::<Vec<_>>().join("\n");
    // Fields are added, never renamed or taken away: programs read them.
    assert_eq!(known, found, "the fields are now:\n{found_text}");
}

#[test]
fn a_folder_that_holds_something_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine"), "x").unwrap();
    let measured =
        measure(&plan(), &options(), folder.path(), |_| panic!("started"), &mut Noted::default());
    assert!(matches!(measured, Err(BenchError::NotEmpty(_))), "{measured:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_curve_has_a_point_for_each_length_and_is_drawn() {
    let curve = curve(&[2_000, 4_000], 1, 2, &mut Noted::default()).unwrap();
    let lengths: Vec<u64> = curve.points.iter().map(|point| point.changes).collect();
    assert_eq!(lengths, [2_000, 4_000]);
    // A budget that was not measured is missed, not met.
    assert!(curve.budgets.iter().all(|budget| !budget.met && budget.figure.is_none()));
    let svg = plot::svg(&curve).unwrap();
    assert!(svg.contains("an assumption"));
}
