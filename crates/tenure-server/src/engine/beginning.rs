//! What does a replica do once, when it follows the stream?

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tenure_journal::quarantine::{expected, forget_expected};
use tenure_log::AppendError;
use tenure_log::nats::{self, Standing};
use tenure_wire::catalogs;
use tenure_wire::codec::Encoded;

use super::error::chain;
use super::options::Genesis;
use super::replica::{Replica, of_set_aside};
use super::shared::Shared;

/// Pause before the built-in catalogues are tried again
const GENESIS_PAUSE: Duration = Duration::from_millis(500);

/// Once the stream is followed: looks whether it has what a journal had that was set aside, and appends the
/// built-in catalogues where they are missing
pub(super) async fn begin(
    shared: Arc<Shared>,
    replica: Arc<Replica>,
    appender: nats::WeakAppender,
    genesis: Genesis,
) {
    let mut standing = replica.log.status().watch();
    loop {
        let followed = tokio::select! {
            followed = standing.wait_for(|standing| *standing == Standing::Following) => followed.is_ok(),
            () = replica.log.stopped() => false,
        };
        if !followed {
            return;
        }
        let Some(appender) = appender.upgrade() else { return };
        match first_step(&shared, &replica, &appender, genesis).await {
            Ok(()) => {
                replica.begun.store(true, Ordering::Release);
                tracing::info!("ready");
                return;
            }
            Err(why) => tracing::warn!(why, "not begun yet"),
        }
        drop(appender);
        tokio::time::sleep(GENESIS_PAUSE).await;
    }
}

async fn first_step(
    shared: &Shared,
    replica: &Replica,
    appender: &nats::Appender,
    genesis: Genesis,
) -> Result<(), String> {
    let newest = *shared.shown.borrow();
    if let Some(before) = expected(&replica.folder) {
        if newest < before.position {
            let why = format!(
                "the stream has {newest} positions: it has lost entries. {}",
                of_set_aside(&before)
            );
            if replica.lost.lock().replace(why.clone()).is_none() {
                tracing::error!(code = "log_lost_tail", "{why}");
            }
            return Err("the stream has lost entries".to_owned());
        }
        forget_expected(&replica.folder).map_err(|error| chain(&error))?;
        replica.lost.lock().take();
    }
    if genesis == Genesis::Manual {
        return Ok(());
    }
    let last = replica.log.status().applied();
    let missing = missing_catalogs(shared)?;
    if missing.is_empty() {
        return Ok(());
    }
    tracing::info!(catalogs = missing.len(), "appending the built-in catalogues");
    // Of several replicas that begin at once, one appends them.
    match appender.append_after(last, missing).await {
        Ok(_) => Ok(()),
        Err(AppendError::NotDone(why)) => Err(why),
        Err(error @ AppendError::Indeterminate) => Err(error.to_string()),
    }
}

fn missing_catalogs(shared: &Shared) -> Result<Vec<Encoded>, String> {
    let built_in = catalogs::genesis(&shared.name).map_err(|error| chain(&error))?;
    let ledger = shared.snapshot.load();
    Ok(built_in.into_iter().filter(|entry| ledger.owner(entry.entry().id()).is_none()).collect())
}
