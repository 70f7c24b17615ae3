//! How is a property tried, and how is a failure tried again?
//!
//! Every case has a seed of its own. A failure prints it, shrunk to the smallest scenario found, with
//! the line that runs exactly that case again. Nothing is kept on disk.
//!
//! `TENURE_CASES=2000` tries more cases than the modest default, `TENURE_SEED=7` starts at that seed
//! instead of at a random one.

use std::hash::{BuildHasher, Hasher, RandomState};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{
    Config, RngAlgorithm, TestCaseError, TestCaseResult, TestRng, TestRunner,
};

/// Longest search for a smaller failure
const SHRINK_MS_MAX: u32 = 60_000;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("`{variable}` is a number, `{text}` is none")))
}

/// Tries a property on `cases` values of a strategy, or on `TENURE_CASES`
///
/// # Panics
/// If the property fails, with the smallest value found and the line that tries it again.
pub fn check<S: Strategy>(
    test: &str,
    cases: u64,
    strategy: S,
    property: impl Fn(S::Value) -> TestCaseResult,
) {
    let cases = number("TENURE_CASES").unwrap_or(cases);
    let first = number("TENURE_SEED")
        .unwrap_or_else(|| u64::from(RandomState::new().build_hasher().finish() as u32));
    for seed in (0..cases).map(|n| first.wrapping_add(n)) {
        let mut runner = runner(seed);
        if let Err(failure) = runner.run(&strategy, &property) {
            panic!(
                "{failure}\n\
                 again: TENURE_SEED={seed} TENURE_CASES=1 cargo test -p tenure-tests {test}\n"
            );
        }
    }
}

/// The same values each time, for tests of the strategies themselves
pub fn samples<S: Strategy>(strategy: &S, count: u64) -> Vec<S::Value> {
    let sample = |seed| strategy.new_tree(&mut runner(seed)).unwrap().current();
    (0..count).map(sample).collect()
}

fn runner(seed: u64) -> TestRunner {
    let config = Config {
        cases: 1,
        failure_persistence: None,
        max_shrink_iters: u32::MAX - 1,
        max_shrink_time: SHRINK_MS_MAX,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// Fails unless two things are the same
///
/// # Errors
/// What they are, and `context`.
pub fn same<T: PartialEq + std::fmt::Debug>(
    context: impl std::fmt::Display,
    ledger: &T,
    expected: &T,
) -> TestCaseResult {
    if ledger == expected {
        return Ok(());
    }
    Err(TestCaseError::fail(format!(
        "{context}\nthe ledger says {ledger:#?}\nand should say {expected:#?}\n"
    )))
}
