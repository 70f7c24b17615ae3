//! `tenure bench`: that it measures and reports, never how long anything takes

mod common;

use common::{tenure, tenure_on};

const SMALL: [&str; 9] =
    ["bench", "--size", "s", "--changes", "1000", "--questions", "2", "--each-ms", "20"];

#[test]
fn a_small_run_reports_figures_budgets_and_that_sizes_are_assumed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("new");
    let ran = tenure_on(&data, &SMALL);
    ran.exits(0);
    assert!(ran.stderr.contains("S (an assumption): 25 subaccounts"), "{ran:#?}");
    for part in
        ["machine: ", "an assumption", "who-now", "over HTTP", "met", "missed", "bytes a change"]
    {
        assert!(ran.stdout.contains(part), "{part}: {ran:#?}");
    }
    // What was written stays a ledger that every command reads.
    tenure_on(&data, &["verify"]).exits(0);
    // It is not written over.
    tenure_on(&data, &SMALL).exits(3).complains(&["is not empty"]);
}

#[test]
fn a_run_without_a_folder_is_measured_in_a_temporary_one_and_reported_as_json() {
    let mut arguments = SMALL.to_vec();
    arguments.extend(["--format", "json", "--seed", "9", "--late", "30%"]);
    let ran = tenure(&arguments);
    ran.exits(0);
    let report = ran.json();
    assert_eq!(report["landscape"]["seed"], 9);
    assert_eq!(report["landscape"]["assumption"], true);
    assert!(report["landscape"]["late"].as_u64().unwrap() > 50, "{report}");
    assert!(report["budgets"].as_array().unwrap().iter().all(|b| b["met"].is_boolean()));
}

#[test]
fn a_curve_is_reported_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let plot = folder.path().join("curve.svg");
    let arguments =
        ["bench", "--curve", "--changes", "2000", "--questions", "2", "--format", "csv", "--plot"];
    let mut arguments: Vec<&str> = arguments.to_vec();
    arguments.push(plot.to_str().unwrap());
    let ran = tenure(&arguments);
    ran.exits(0);
    assert!(ran.stdout.starts_with("changes,question,rows,"), "{ran:#?}");
    assert!(std::fs::read_to_string(&plot).unwrap().starts_with("<svg"));
}

#[test]
fn wrong_usage_is_said_in_a_sentence() {
    tenure(&["bench", "--changes", "10"]).exits(2).complains(&["1000 to 100000000 changes"]);
    tenure(&["bench", "--late", "150"]).exits(2).complains(&["percentage from 0 to 100"]);
    let ran = tenure(&["bench", "--late", "60", "--voids", "60"]);
    ran.exits(2).complains(&["at most 95%"]);
    tenure(&["bench", "--plot", "x.svg"]).exits(2).complains(&["--curve"]);
}
