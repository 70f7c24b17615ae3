//! The oracle, the harness and the end-to-end tests
//!
//! [`oracle`] is the contract as a slow, obvious program. [`world`] names what scenarios are about,
//! [`scenario`] draws logs, [`question`] asks the ledger and the oracle the same. `tests/model_*.rs`
//! compare the two, `tests/laws_*.rs` settle laws that need no oracle. How to try more cases, and how to
//! try a failure again, is said in [`harness`].

pub mod detail;
pub mod harness;
pub mod kept;
pub mod oracle;
pub mod question;
pub mod scenario;
pub mod script;
pub mod world;
