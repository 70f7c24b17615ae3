//! What does the ledger cost on a big landscape?
//!
//! [`landscape`] makes histories up, of any length and the same for the same seed; [`question`] makes
//! questions about them; [`in_process`] asks them of a ledger. [`measure()`] does all of it on a data folder
//! and gives a [`report::Report`], [`curve`] measures cost against the length of history. The sizes are
//! assumptions, labelled so wherever they are shown: no figure of a customer's landscape is public.
//!
//! Nothing here is a test: tests do not depend on time.

pub mod curve;
pub mod in_process;
pub mod landscape;
pub mod machine;
mod measure;
pub mod plot;
pub mod question;
pub mod report;
pub mod times;

pub use measure::{BenchError, Options, Started, Watch, measure, start};
