//! Who serves, what, and how often? (`$SRV.PING`, `$SRV.INFO`, `$SRV.STATS`)
//!
//! ADR-32 in the types of `async_nats::service`, whose own service is not used: it answers an error with
//! an empty body, and ours has the problem document.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use async_nats::datetime::{self, DateTime};
use async_nats::service::{Info, PingResponse, Stats, endpoint, error};
use async_nats::{Client, Message, SubscribeError};
use futures::Stream;
use futures::stream::select_all;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;
use tenure_wire::api::Problem;
use tenure_wire::question::KINDS;
use uuid::Uuid;

use super::subject::{QUEUE_GROUP, ask_subject};

/// The name that all ledgers share; which one it is says the metadata, and the subjects
const NAME: &str = "tenure";
const DESCRIPTION: &str = "Who could do what on SAP BTP, and who gave it to them";

/// One replica as a micro service
#[derive(Debug)]
pub(super) struct Service {
    id: String,
    started: DateTime,
    metadata: HashMap<String, String>,
    endpoints: Vec<Endpoint>,
}

#[derive(Debug)]
struct Endpoint {
    name: &'static str,
    subject: String,
    counts: Mutex<Counts>,
}

#[derive(Clone, Debug, Default)]
struct Counts {
    requests: usize,
    errors: usize,
    processing: Duration,
    last_error: Option<error::Error>,
}

/// `async_nats` leaves out the metadata, which ADR-32 has in every answer
#[derive(Serialize)]
struct StatsResponse<'a> {
    #[serde(flatten)]
    stats: Stats,
    metadata: &'a HashMap<String, String>,
}

/// This moment with just six digits of a second: readers of STATS take neither none nor nine
fn started() -> DateTime {
    let micros = tenure_log::embedded::now().micros();
    let nanos = i128::from(micros / 10 * 10 + 1) * 1_000;
    datetime::from_nanos(nanos).unwrap_or_else(|_| datetime::now())
}

fn kind(verb: &str) -> String {
    format!("io.nats.micro.v1.{verb}_response")
}

impl Service {
    pub(super) fn new(ledger: &str) -> Self {
        let endpoint = |name: &'static str| Endpoint {
            name,
            subject: ask_subject(ledger, name),
            counts: Mutex::default(),
        };
        Self {
            id: Uuid::now_v7().simple().to_string(),
            started: started(),
            metadata: HashMap::from([("ledger".to_owned(), ledger.to_owned())]),
            endpoints: KINDS.iter().map(|kind| endpoint(kind.name)).collect(),
        }
    }

    /// Subscribes to what is asked of all services, of all of this name, and of this one
    pub(super) async fn subscribe(
        &self,
        client: &Client,
    ) -> Result<impl Stream<Item = Message> + Unpin + use<>, SubscribeError> {
        let mut subscribers = Vec::new();
        for verb in ["PING", "INFO", "STATS"] {
            let id = &self.id;
            for rest in [String::new(), format!(".{NAME}"), format!(".{NAME}.{id}")] {
                subscribers.push(client.subscribe(format!("$SRV.{verb}{rest}")).await?);
            }
        }
        Ok(select_all(subscribers))
    }

    /// The answer to what came on a subject of these
    pub(super) fn tell(&self, subject: &str) -> Option<Vec<u8>> {
        let written = match subject.split('.').nth(1)? {
            "PING" => serde_json::to_vec(&self.ping()),
            "INFO" => serde_json::to_vec(&self.info()),
            "STATS" => serde_json::to_vec(&self.stats()),
            _ => return None,
        };
        written.ok()
    }

    fn ping(&self) -> PingResponse {
        PingResponse {
            kind: kind("ping"),
            name: NAME.to_owned(),
            id: self.id.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            metadata: self.metadata.clone(),
        }
    }

    fn info(&self) -> Info {
        let endpoint = |endpoint: &Endpoint| endpoint::Info {
            name: endpoint.name.to_owned(),
            subject: endpoint.subject.clone(),
            queue_group: QUEUE_GROUP.to_owned(),
            metadata: HashMap::new(),
        };
        let PingResponse { name, id, version, metadata, .. } = self.ping();
        Info {
            kind: kind("info"),
            name,
            id,
            description: DESCRIPTION.to_owned(),
            version,
            metadata,
            endpoints: self.endpoints.iter().map(endpoint).collect(),
        }
    }

    fn stats(&self) -> StatsResponse<'_> {
        let endpoint = |endpoint: &Endpoint| {
            let counts = endpoint.counts.lock().clone();
            let requests = u32::try_from(counts.requests).unwrap_or(u32::MAX);
            endpoint::Stats {
                name: endpoint.name.to_owned(),
                subject: endpoint.subject.clone(),
                requests: counts.requests,
                errors: counts.errors,
                processing_time: counts.processing,
                average_processing_time: counts
                    .processing
                    .checked_div(requests)
                    .unwrap_or_default(),
                last_error: counts.last_error,
                // Some clients' readers want the field, and nothing in it.
                data: Some(Value::Null),
                queue_group: QUEUE_GROUP.to_owned(),
            }
        };
        let PingResponse { name, id, version, .. } = self.ping();
        StatsResponse {
            stats: Stats {
                kind: kind("stats"),
                name,
                id,
                version,
                started: self.started,
                endpoints: self.endpoints.iter().map(endpoint).collect(),
            },
            metadata: &self.metadata,
        }
    }

    /// Counts a request that came at that moment and has its answer now
    pub(super) fn count(&self, question: &str, began: Instant, problem: Option<&Problem>) {
        let asked = self.endpoints.iter().find(|endpoint| endpoint.name == question);
        let Some(endpoint) = asked else { return };
        let mut counts = endpoint.counts.lock();
        counts.requests += 1;
        counts.processing += began.elapsed();
        if let Some(problem) = problem {
            counts.errors += 1;
            let code = usize::from(problem.status);
            counts.last_error = Some(error::Error { status: problem.code.clone(), code });
        }
    }
}
