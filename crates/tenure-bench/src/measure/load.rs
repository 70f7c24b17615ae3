//! How fast is a history written?

use std::path::Path;
use std::time::{Duration, Instant};

use tenure_core::Ledger;
use tenure_journal::Journal;
use tenure_log::Message;
use tenure_server::engine::record;
use tenure_wire::codec::Encoded;
use tenure_wire::message::Item;

use super::{BenchError, Watch};
use crate::landscape::{Facts, Made, Plan};
use crate::report::Load;
use crate::times::per_second;

/// Entries that are written with one flush: as many as a server takes from its log at once
const BATCH_ENTRIES: usize = 8_192;

/// What was written
pub(super) struct Loaded {
    pub(super) load: Load,
    pub(super) facts: Facts,
}

pub(super) fn load(
    plan: &Plan,
    folder: &Path,
    watch: &mut impl Watch,
) -> Result<Loaded, BenchError> {
    let mut journal = Journal::open(folder, Some(&plan.ledger))?;
    let mut ledger = Ledger::new();
    let mut history = plan.messages().map_err(BenchError::Catalog)?;
    let [mut making, mut encoding, mut recording] = [Duration::ZERO; 3];
    let began = Instant::now();
    watch.begins("making up and writing", plan.shape.changes);
    loop {
        let now = Instant::now();
        let mut made = Vec::new();
        let mut entries = 0;
        while entries < BATCH_ENTRIES
            && let Some(message) = history.next()
        {
            entries += message.entries.len();
            made.push(message);
        }
        making += now.elapsed();
        if made.is_empty() {
            break;
        }
        let now = Instant::now();
        let encoded = made.into_iter().map(|message| {
            let encoded = |made: Made| Encoded::new(made.entry).map(Item::Entry);
            let entries = message.entries.into_iter().map(encoded);
            let entries = entries.collect::<Result<_, _>>().map_err(BenchError::Encode)?;
            Ok(Message { stamped_at: message.recorded_at, entries, origin: None, waiter: None })
        });
        let messages = encoded.collect::<Result<Vec<_>, BenchError>>()?;
        encoding += now.elapsed();
        let now = Instant::now();
        record(&mut journal, &mut ledger, messages)?;
        recording += now.elapsed();
        watch.is_at(history.counts().changes);
    }
    watch.ends();
    let facts = history.facts();
    let changes = facts.counts.changes;
    let load = Load {
        seconds: began.elapsed().as_secs_f64(),
        making_seconds: making.as_secs_f64(),
        encoding_seconds: encoding.as_secs_f64(),
        recording_seconds: recording.as_secs_f64(),
        changes_per_second: per_second(changes, encoding + recording),
        made_per_second: per_second(changes, making),
    };
    Ok(Loaded { load, facts })
}
