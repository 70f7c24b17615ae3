//! How does a server start, listen and stop?
//!
//! It listens at once, so that liveness can be asked while the journal is read, and is ready when all of
//! it has been folded. It stops when it is told to: requests that have begun are answered, the log is
//! closed, what was appended is on the disk.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tenure_journal::Journal;
use tenure_log::nats::connect::ConnectError;
use tokio::net::TcpListener;
use tokio::sync::{OnceCell, Semaphore, watch};

use super::{Shared, router};
use crate::config::{LogSettings, Settings};
use crate::engine::{Engine, Options, Progress, StartError, Writer, chain, open_or_begin_again};
use crate::metrics::Metrics;
use crate::nats;

/// How long the head of a request may take to come, and a connection may be idle
const HEAD_PATIENCE: Duration = Duration::from_secs(60);
/// How long requests that have begun may go on when the server is told to stop
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// Clients that follow the changes at once
const STREAMS_MAX: usize = 256;
/// Of so many places, one may be taken by a question that waits for an entry
const WAITING_SHARE: usize = 4;
/// Questions that compute at once
const COMPUTING_MAX: usize = 64;
/// Connections for each request that is served at once
const CONNECTIONS_PER_REQUEST: usize = 16;

/// Why a server did not start, or ended
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// It may not listen there
    #[error("it cannot listen at {address}: choose another address with `--listen`")]
    Listen {
        /// The address
        address: SocketAddr,
        /// Why
        #[source]
        source: std::io::Error,
    },
    /// The journal cannot be opened
    #[error("the journal cannot be opened")]
    Journal(#[source] tenure_journal::Error),
    /// The journal cannot be folded
    #[error("the ledger cannot start")]
    Start(#[source] StartError),
    /// Questions cannot come over NATS
    #[error("questions over NATS cannot be answered")]
    Questions(#[source] ConnectError),
}

/// A server that listens
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
    journal: Journal,
    settings: Settings,
}

impl Server {
    /// Takes hold of the data folder and listens
    ///
    /// # Errors
    /// A folder that cannot be used, or an address that cannot be listened at.
    pub async fn bind(settings: Settings) -> Result<Self, ServeError> {
        let listen_error = |source| ServeError::Listen { address: settings.listen, source };
        // The folder first: who holds the ledger already is the likelier reason to stop.
        let (data, ledger) = (&settings.data, settings.ledger.as_deref());
        let journal = match &settings.log {
            LogSettings::Embedded => Journal::open(data, ledger),
            LogSettings::Nats(_) => open_or_begin_again(data, ledger),
        };
        let journal = journal.map_err(ServeError::Journal)?;
        let follows = journal.reader().cursor().map_err(ServeError::Journal)?.is_some();
        if settings.log == LogSettings::Embedded && follows {
            return Err(ServeError::Start(StartError::FollowsStream(data.clone())));
        }
        let listener = TcpListener::bind(settings.listen).await.map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let shared = Arc::new(Shared {
            engine: OnceCell::new(),
            metrics: Arc::new(Metrics::default()),
            default_origin: settings.default_origin.clone(),
            places: Semaphore::new(settings.requests_max),
            computing: Arc::new(Semaphore::new(settings.requests_max.min(COMPUTING_MAX))),
            waiting: Semaphore::new(settings.requests_max.div_ceil(WAITING_SHARE)),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            sizing: Arc::new(Semaphore::new(1)),
            request_timeout: settings.request_timeout,
            closing: watch::Sender::new(false),
        });
        Ok(Self { listener, address, shared, journal, settings })
    }

    /// Where it listens
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The ledger that it serves
    pub fn ledger(&self) -> &str {
        self.journal.ledger()
    }

    /// Serves until `stop` is there, then lets what has begun come to its end
    ///
    /// # Errors
    /// A journal that cannot be folded.
    pub async fn run(
        self,
        stop: impl Future<Output = ()> + Send,
        progress: impl FnMut(Progress) + Send + 'static,
    ) -> Result<(), ServeError> {
        let Self { listener, shared, journal, settings, address: _ } = self;
        let closing = shared.closing.subscribe();
        let questions = nats::spawn(&settings.log, journal.ledger(), &shared).await;
        let questions = questions.map_err(ServeError::Questions)?;
        let connections = Arc::new(Semaphore::new(
            settings.requests_max.saturating_mul(CONNECTIONS_PER_REQUEST).min(100_000),
        ));
        let accepting =
            tokio::spawn(accept(listener, router(Arc::clone(&shared)), connections, closing));
        let mut stop = std::pin::pin!(stop);
        let started = tokio::select! {
            started = start(Arc::clone(&shared), journal, &settings, progress) => Some(started),
            // What is being folded is only read: it may be left as it is.
            () = &mut stop => None,
        };
        let outcome = match started {
            None => Ok(None),
            Some(Err(error)) => Err(ServeError::Start(error)),
            Some(Ok(writer)) => {
                if settings.log == LogSettings::Embedded {
                    tracing::info!("ready");
                }
                stop.await;
                Ok(Some(writer))
            }
        };
        tracing::info!("stopping");
        shared.closing.send_replace(true);
        if accepting.await.is_err() {
            tracing::error!("the listener ended in a panic");
        }
        if let Some(questions) = questions
            && questions.await.is_err()
        {
            tracing::error!("the door for questions over NATS ended in a panic");
        }
        let writer = outcome?;
        // The last engine closes the log, and its end closes the journal.
        drop(shared);
        if let Some(writer) = writer {
            let joined = tokio::task::spawn_blocking(move || writer.join());
            if tokio::time::timeout(STOP_PATIENCE, joined).await.is_err() {
                tracing::warn!("requests that have not ended keep the journal open; it is safe");
            }
        }
        Ok(())
    }
}

async fn start(
    shared: Arc<Shared>,
    journal: Journal,
    settings: &Settings,
    mut progress: impl FnMut(Progress) + Send + 'static,
) -> Result<Writer, StartError> {
    let options = Options { genesis: settings.genesis, checkpoints: settings.checkpoints };
    let metrics = Arc::clone(&shared.metrics);
    if let LogSettings::Nats(nats) = &settings.log {
        let (engine, writer) = Engine::follow(journal, nats, options, metrics, progress).await?;
        set(&shared, engine);
        return Ok(writer);
    }
    let started = tokio::task::spawn_blocking(move || {
        Engine::start(journal, options, metrics, &mut progress)
    });
    let (engine, writer) = match started.await {
        Ok(started) => started?,
        // A panic in the fold is a bug; it is reported as one.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    };
    set(&shared, engine);
    Ok(writer)
}

fn set(shared: &Shared, engine: Engine) {
    if shared.engine.set(engine).is_err() {
        tracing::error!("the ledger was started twice");
    }
}

async fn accept(
    listener: TcpListener,
    router: Router,
    connections: Arc<Semaphore>,
    mut closing: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE);
    loop {
        let place = Arc::clone(&connections);
        let accepted = tokio::select! {
            _ = closing.wait_for(|closing| *closing) => break,
            accepted = async {
                let place = place.acquire_owned().await;
                (listener.accept().await, place)
            } => accepted,
        };
        let (accepted, place) = accepted;
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Too many open files, or a client that was gone at once: others are still served.
                tracing::warn!(error = chain(&error), "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
        let service = TowerToHyperService::new(router.clone());
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(STOP_PATIENCE, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time");
    }
}
