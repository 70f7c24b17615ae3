//! How long does a start take, and how much memory is resident then?

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tenure_journal::Journal;
use tenure_server::engine::{Checkpointing, Engine, Genesis, Options};
use tenure_server::metrics::Metrics;

use super::BenchError;
use crate::machine::resident_bytes;

/// A start on a data folder
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Started {
    /// Until the journal was open
    pub opening_seconds: f64,
    /// From then on, until questions could be answered
    pub folding_seconds: f64,
    /// Memory when the journal was open; null where the system does not say
    pub resident_before_bytes: Option<u64>,
    /// Memory when questions could be answered
    pub resident_bytes: Option<u64>,
}

/// Starts on a data folder as a server does, and stops: from its index checkpoint, or where it has none by
/// folding its journal
///
/// # Errors
/// A folder that cannot be started on.
pub fn start(folder: &Path) -> Result<Started, BenchError> {
    let began = Instant::now();
    let journal = Journal::open(folder, None)?;
    let opening_seconds = began.elapsed().as_secs_f64();
    let resident_before_bytes = resident_bytes();
    let began = Instant::now();
    let options = Options { genesis: Genesis::Manual, checkpoints: Checkpointing::Read };
    let (engine, writer) = Engine::start(journal, options, Arc::new(Metrics::default()), |_| {})?;
    let folding_seconds = began.elapsed().as_secs_f64();
    let resident_bytes = resident_bytes();
    drop(engine);
    writer.join();
    Ok(Started { opening_seconds, folding_seconds, resident_before_bytes, resident_bytes })
}
