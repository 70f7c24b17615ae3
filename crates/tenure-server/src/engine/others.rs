//! How do replicas tell each other how far they are?

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tenure_log::nats::subject;

use super::error::chain;
use super::peers::Announcement;
use super::replica::Replica;
use super::shared::Shared;

/// How often replicas tell each other how far they are
const TELL_INTERVAL: Duration = Duration::from_secs(1);

/// Tells the others how far this replica is, and hears them
pub(super) async fn tell_others(
    shared: Arc<Shared>,
    replica: Arc<Replica>,
    client: async_nats::Client,
) {
    let to = subject::digests(&shared.name);
    let mut tick = tokio::time::interval(TELL_INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut heard = loop {
        match client.subscribe(to.clone()).await {
            Ok(heard) => break heard,
            Err(error) => {
                tracing::warn!(error = chain(&error), "the other replicas are not heard");
                tokio::select! {
                    () = replica.log.stopped() => return,
                    _ = tick.tick() => {}
                }
            }
        }
    };
    loop {
        tokio::select! {
            () = replica.log.stopped() => return,
            _ = tick.tick() => {
                if !replica.log.connected() {
                    continue;
                }
                let told = Announcement::of(&replica.id, &replica.trail.lock());
                let data = told.and_then(|told| serde_json::to_vec(&told).ok());
                if let Some(data) = data
                    && let Err(error) = client.publish(to.clone(), data.into()).await
                {
                    tracing::debug!(error = chain(&error), "the other replicas were not told");
                }
            }
            message = heard.next() => {
                let Some(message) = message else { return };
                if let Ok(told) = serde_json::from_slice::<Announcement>(&message.payload) {
                    let trail = replica.trail.lock();
                    replica.peers.lock().hear(&told, &trail);
                }
            }
        }
    }
}
