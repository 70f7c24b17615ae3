//! How does a server start, listen and stop?
//!
//! It listens at once, so that liveness can be asked while the journal is read, and is ready when all of
//! it has been folded. It stops when it is told to: requests that have begun are answered, the log is
//! closed, what was appended is on the disk.

use std::sync::Arc;
use std::time::Duration;

use tenure_journal::Journal;
use tenure_log::nats::connect::ConnectError;

use crate::config::{LogSettings, Settings};
use crate::engine::{Engine, Options, Progress, StartError, Writer, open_or_begin_again};
use crate::file::FileError;
use crate::hall::{Callers, CallersFile, Hall, IssuerError, Issuers, Limits};
use crate::http::{HttpDoor, ListenAt, Listener, Tls};
use crate::metrics::Metrics;
use crate::nats;

/// How long the journal may take to close when the server is told to stop
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Why a server did not start, or ended
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// It may not listen there
    #[error("it cannot listen at {address}: choose another address with `{flag}`")]
    Listen {
        /// The flag that says where
        flag: &'static str,
        /// The address
        address: ListenAt,
        /// Why
        #[source]
        source: std::io::Error,
    },
    /// An address that strangers reach
    #[error(
        "it does not serve at {0}, which other machines may reach: access is not enforced, so everybody who \
         is let in would read and write the history. Enforce access first (`tenure govern`, with `--data` or at a \
         loopback address), listen at 127.0.0.1 or at unix:/path/to.sock, or say `--allow-open`"
    )]
    Open(ListenAt),
    /// The journal cannot be opened
    #[error("the journal cannot be opened")]
    Journal(#[source] tenure_journal::Error),
    /// The journal cannot be folded
    #[error("the ledger cannot start")]
    Start(#[source] StartError),
    /// Callers cannot be told by the file that lists them
    #[error("the callers cannot be known")]
    Callers(#[source] FileError),
    /// TLS cannot be spoken
    #[error("TLS cannot be spoken")]
    Tls(#[source] FileError),
    /// Callers cannot be told by the tokens of an issuer
    #[error(transparent)]
    Issuer(IssuerError),
    /// Questions cannot come over NATS
    #[error("questions over NATS cannot be answered")]
    Questions(#[source] ConnectError),
}

/// A server that listens
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    operators: Option<Listener>,
    hall: Arc<Hall>,
    metrics: Arc<Metrics>,
    journal: Journal,
    settings: Settings,
}

impl Server {
    /// Takes hold of the data folder and listens
    ///
    /// # Errors
    /// A folder that cannot be used, or an address that cannot be listened at.
    pub async fn bind(settings: Settings) -> Result<Self, ServeError> {
        let file = settings.tokens.as_deref().map(CallersFile::open).transpose();
        let file = file.map_err(ServeError::Callers)?.map(Arc::new);
        let tls = settings.tls.as_ref().map(Tls::open).transpose().map_err(ServeError::Tls)?;
        let issuers = Issuers::open(&settings.issuers).map_err(ServeError::Issuer)?;
        // In a folder that is new nobody has enforced anything.
        let new =
            settings.log == LogSettings::Embedded && !settings.data.join("tenure.json").exists();
        if new && settings.must_be_enforced() {
            return Err(ServeError::Open(settings.listen));
        }
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
        let listener = bind("--listen", &settings.listen).await?;
        if let Some(file) = &file {
            file.watch();
            let may = open_to_peers(&listener, &settings, file);
            let (flag, address) = ("--listen", settings.listen.clone());
            may.map_err(|source| ServeError::Listen { flag, address, source })?;
        }
        if let Some(tls) = &tls {
            tls.watch();
        }
        let listener = listener.with_tls(tls);
        let operators = match &settings.operators_listen {
            Some(at) => Some(bind("--operators-listen", at).await?),
            None => None,
        };
        let metrics = Arc::new(Metrics::default());
        let limits = Limits {
            requests_max: settings.requests_max,
            request_timeout: settings.request_timeout,
        };
        let callers = Callers::default()
            .with_file(file)
            .with_issuers(issuers)
            .with_public_url(settings.public_url.as_ref());
        let hall =
            Hall::new(limits, &settings.default_origin, Arc::clone(&metrics)).with_callers(callers);
        Ok(Self { listener, operators, hall: Arc::new(hall), metrics, journal, settings })
    }

    /// Where it listens
    pub fn address(&self) -> &ListenAt {
        self.listener.address()
    }

    /// Where operators are answered alone, if anywhere
    pub fn operators_address(&self) -> Option<&ListenAt> {
        self.operators.as_ref().map(Listener::address)
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
        let Self { listener, operators, hall, metrics, journal, settings } = self;
        let questions = nats::spawn(&settings.log, journal.ledger(), &hall).await;
        let questions = questions.map_err(ServeError::Questions)?;
        let door = HttpDoor::new(Arc::clone(&hall), settings.requests_max, settings.hosts.clone())
            .with_authzen(settings.authzen.clone())
            .with_cors(settings.cors_origins.clone());
        let door = Arc::new(door);
        let for_operators =
            operators.map(|listener| tokio::spawn(listener.accept_operators(Arc::clone(&door))));
        let accepting = tokio::spawn(listener.accept(door, settings.requests_max));
        let mut stop = std::pin::pin!(stop);
        let started = tokio::select! {
            started = start(&hall, metrics, journal, &settings, progress) => Some(started),
            // What is being folded is only read: it may be left as it is.
            () = &mut stop => None,
        };
        let outcome = match started {
            None => Ok(None),
            Some(Err(error)) => Err(error),
            Some(Ok(writer)) => {
                if settings.log == LogSettings::Embedded {
                    tracing::info!("ready");
                }
                stop.await;
                Ok(Some(writer))
            }
        };
        tracing::info!("stopping");
        hall.close();
        for accepting in [accepting].into_iter().chain(for_operators) {
            if accepting.await.is_err() {
                tracing::error!("a listener ended in a panic");
            }
        }
        if let Some(questions) = questions
            && questions.await.is_err()
        {
            tracing::error!("the door for questions over NATS ended in a panic");
        }
        let writer = outcome?;
        // The last engine closes the log, and its end closes the journal.
        drop(hall);
        if let Some(writer) = writer {
            let joined = tokio::task::spawn_blocking(move || writer.join());
            if tokio::time::timeout(STOP_PATIENCE, joined).await.is_err() {
                tracing::warn!("requests that have not ended keep the journal open; it is safe");
            }
        }
        Ok(())
    }
}

async fn bind(flag: &'static str, at: &ListenAt) -> Result<Listener, ServeError> {
    let address = at.clone();
    Listener::bind(at).await.map_err(|source| ServeError::Listen { flag, address, source })
}

/// Lets the users whom the callers' file lists connect, and says which of its rows nobody can use
fn open_to_peers(
    listener: &Listener,
    settings: &Settings,
    file: &CallersFile,
) -> std::io::Result<()> {
    if file.lists_certificates() && settings.tls.as_ref().is_none_or(|tls| tls.client_ca.is_none())
    {
        tracing::warn!(
            "the callers' file has rows `[[certificate]]`, and no certificate is asked for: say `client-ca`"
        );
    }
    if !file.lists_peers() {
        return Ok(());
    }
    if settings.listen.tcp().is_some() {
        tracing::warn!("the callers' file has rows `[[peer]]`, which count at a Unix socket alone");
    }
    listener.open_to_all_users()
}

async fn start(
    hall: &Hall,
    metrics: Arc<Metrics>,
    journal: Journal,
    settings: &Settings,
    mut progress: impl FnMut(Progress) + Send + 'static,
) -> Result<Writer, ServeError> {
    let options = Options {
        genesis: settings.genesis,
        checkpoints: settings.checkpoints,
        accept_clock: settings.accept_clock,
    };
    let (engine, writer) = if let LogSettings::Nats(nats) = &settings.log {
        let followed = Engine::follow(journal, nats, options, metrics, progress).await;
        followed.map_err(ServeError::Start)?
    } else {
        let started = tokio::task::spawn_blocking(move || {
            Engine::start(journal, options, metrics, &mut progress)
        });
        match started.await {
            Ok(started) => started.map_err(ServeError::Start)?,
            // A panic in the fold is a bug; it is reported as one.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    };
    if settings.must_be_enforced() && !enforces_access(&engine).await {
        return Err(ServeError::Open(settings.listen.clone()));
    }
    hall.open(engine);
    Ok(writer)
}

/// Whether access is enforced, once the ledger has read what there is; nobody is answered before
async fn enforces_access(engine: &Engine) -> bool {
    while engine.obstacle().is_some() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    engine.ledger().enforces_access(engine.shown())
}
