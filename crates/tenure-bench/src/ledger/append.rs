//! How fast does the embedded log append, with a flush before each acknowledgement?

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tenure_core::Principal;
use tenure_journal::Journal;
use tenure_server::engine::{self, Checkpointing, Engine, Genesis};
use tenure_server::metrics::Metrics;
use tenure_wire::codec::{Encoded, decode_draft};
use uuid::Uuid;

use super::Options;
use crate::report::{Report, Row};
use crate::say;
use crate::times::{Measured, closed_loop};

/// Clients, and entries of each of their requests
pub(super) const APPENDERS: [(usize, usize); 3] = [(64, 1), (64, 16), (1, 1)];
/// People who are granted something in turn
const PEOPLE: usize = 10_000;

/// An entry as a client sends it
pub(super) fn draft(n: usize) -> Value {
    json!({"actor": "user:sap.default/admin@acme.example", "changes": [{"type": "grant",
        "level": "global-account:acme", "role_collection": "Global Account Viewer",
        "to": format!("user:corp/appended.{}@acme.example", n % PEOPLE)}]})
}

fn encoded(draft: &Value) -> anyhow::Result<Encoded> {
    Ok(decode_draft(draft, "sap.default", Uuid::now_v7)?)
}

/// The figures of appenders, in entries a second
pub(super) fn row((clients, size): (usize, usize), measured: &Measured) -> Row {
    let clients = ("clients", (clients as u64).into());
    measured.row(vec![clients, ("entries", (size as u64).into())])
}

/// Appends to a ledger of its own, on the disk of the folder
pub(super) fn measure(
    folder: &Path,
    options: &Options,
    report: &mut Report,
) -> anyhow::Result<[Measured; 3]> {
    say("appending in process");
    let own = tempfile::tempdir_in(folder)?;
    let journal = Journal::open(&own.path().join("append"), Some("append"))?;
    let start = engine::Options {
        genesis: Genesis::BuiltIn,
        checkpoints: Checkpointing::Off,
        accept_clock: false,
    };
    let (engine, writer) = Engine::start(journal, start, Arc::new(Metrics::default()), |_| {})?;
    let account = json!({"actor": "user:sap.default/admin@acme.example",
        "changes": [{"type": "create_level", "level": "global-account:acme"}]});
    engine.append_blocking(&Principal::anonymous(), vec![encoded(&account)?])?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let append = |(clients, size): (usize, usize)| {
        let one = async |engine: &mut Engine, n: usize| {
            let entries = (0..size).map(|k| encoded(&draft(n + k)));
            engine.append(&Principal::anonymous(), entries.collect::<anyhow::Result<_>>()?).await?;
            Ok(())
        };
        let clients = vec![engine.clone(); clients];
        let mut measured =
            runtime.block_on(closed_loop(clients, options.each(), usize::MAX, one))?;
        measured.per_second *= size as f64;
        anyhow::Ok(measured)
    };
    let [many, batches, one] = APPENDERS.map(append);
    let figures = [many?, batches?, one?];
    let rows = APPENDERS.iter().zip(&figures).map(|(clients, measured)| row(*clients, measured));
    report.table("append_in_process", rows.collect());
    drop(engine);
    writer.join();
    Ok(figures)
}
