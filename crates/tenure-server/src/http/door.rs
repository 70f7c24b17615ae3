//! What is every request over HTTP served from?

use std::sync::Arc;

use axum::extract::State;
use tokio::sync::Semaphore;

use super::bodies::Bodies;
use super::cors::Origin;
use super::host::Host;
use crate::config::Authzen;
use crate::hall::Hall;

/// Clients that follow the changes at once
const STREAMS_MAX: usize = 256;
/// Of so many places, one may be taken by a question that waits for an entry
const WAITING_SHARE: usize = 4;

/// What every request over HTTP is served from
#[derive(Debug)]
pub(crate) struct HttpDoor {
    pub(super) hall: Arc<Hall>,
    /// The names of this server, beside those of loopback
    pub(super) hosts: Vec<Host>,
    /// What AuthZEN is told of this server's names
    pub(super) authzen: Authzen,
    /// Origins of other web pages that may ask
    pub(super) cors_origins: Vec<Origin>,
    pub(super) bodies: Bodies,
    /// Questions that wait for an entry at once: each has one of the places
    pub(super) waiting: Semaphore,
    /// Clients that follow the changes at once
    pub(super) streams: Arc<Semaphore>,
}

/// The door, as a handler takes it
pub(super) type App = State<Arc<HttpDoor>>;

impl HttpDoor {
    /// A door to a hall that serves so many requests at once, on a server of these names
    pub(crate) fn new(hall: Arc<Hall>, requests_max: usize, hosts: Vec<Host>) -> Self {
        Self {
            hall,
            hosts,
            authzen: Authzen::default(),
            cors_origins: Vec::new(),
            bodies: Bodies::new(requests_max),
            waiting: Semaphore::new(requests_max.div_ceil(WAITING_SHARE)),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        }
    }

    /// The same with settings of AuthZEN
    pub(crate) fn with_authzen(self, authzen: Authzen) -> Self {
        Self { authzen, ..self }
    }

    /// The same, and pages of these origins may ask
    #[must_use]
    pub(crate) fn with_cors(self, cors_origins: Vec<Origin>) -> Self {
        Self { cors_origins, ..self }
    }
}
