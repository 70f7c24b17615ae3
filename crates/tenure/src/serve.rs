//! `tenure serve`: a server

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use tenure_server::config::{AuthzenPartial, BaseUrl, Partial, Settings};
use tenure_server::engine::Progress;
use tenure_server::http::{Host, ListenAt, Origin, PublicUrl};
use tenure_server::server::Server;
use tracing_subscriber::EnvFilter;

use crate::door::DoorArgs;
use crate::nats::NatsArgs;

/// Run a server on a data folder (`--data`, TENURE_DATA; by default `tenure-data`)
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Configuration file (TOML); flags and TENURE_* count more
    #[arg(long, value_name = "FILE", env = "TENURE_CONFIG")]
    config: Option<PathBuf>,
    /// Where to listen: a loopback address and port, or unix:/path/to.sock [default: 127.0.0.1:7480]
    #[arg(long, value_name = "ADDRESS", env = "TENURE_LISTEN")]
    listen: Option<ListenAt>,
    /// Serve at an address that is not loopback although access is not enforced: everybody who is let in reads and
    /// writes the history
    #[arg(long, value_name = "BOOL", env = "TENURE_ALLOW_OPEN", num_args = 0..=1, default_missing_value = "true")]
    allow_open: Option<bool>,
    /// Serve /healthz, /readyz and /metrics at this address too, and nothing else: there they are answered however
    /// many clients there are
    #[arg(long, value_name = "ADDRESS", env = "TENURE_OPERATORS_LISTEN")]
    operators_listen: Option<ListenAt>,
    /// The callers' file (TOML, mode 0600): whose which bearer token, client certificate or user id at a Unix socket
    /// is. Who has none of them gets 401. `tenure token new` makes a token
    #[arg(long, value_name = "FILE", env = "TENURE_TOKENS")]
    tokens: Option<PathBuf>,
    /// Speak TLS, with this certificate and those between it and an authority (PEM); read again when it changes
    #[arg(long, value_name = "FILE", env = "TENURE_TLS_CERT")]
    tls_cert: Option<PathBuf>,
    /// The private key of that certificate (PEM, mode 0600)
    #[arg(long, value_name = "FILE", env = "TENURE_TLS_KEY")]
    tls_key: Option<PathBuf>,
    /// Authorities of client certificates (PEM): a client may say by one who it is
    #[arg(long, value_name = "FILE", env = "TENURE_CLIENT_CA")]
    client_ca: Option<PathBuf>,
    /// Names that clients may ask this server by, beside localhost and the loopback addresses: a,b:7480
    #[arg(long, value_name = "HOSTS", env = "TENURE_HOSTS", value_delimiter = ',')]
    hosts: Option<Vec<Host>>,
    /// The https URL at which browsers reach this server; people log on at an issuer and come back to it
    #[arg(long, value_name = "URL", env = "TENURE_PUBLIC_URL")]
    public_url: Option<PublicUrl>,
    /// Origins whose web pages may ask and append, by a token that they have: `https://portal.acme.example`
    #[arg(long, value_name = "ORIGINS", env = "TENURE_CORS_ORIGINS", value_delimiter = ',')]
    cors_origins: Option<Vec<Origin>>,
    /// Name of the ledger, 1 to 32 of a-z, 0-9 and - [default: that of the data folder, else `default`]
    #[arg(long, value_name = "NAME", env = "TENURE_LEDGER")]
    ledger: Option<String>,
    /// The log: `embedded`, in the data folder, or NATS servers: nats://host:4222,nats://other:4222
    /// [default: embedded]
    #[arg(long, value_name = "LOG", env = "TENURE_LOG")]
    log: Option<String>,
    #[command(flatten)]
    nats: NatsArgs,
    /// `built-in` publishes the built-in catalogues where they are missing, `manual` leaves it to people
    /// [default: built-in]
    #[arg(long, value_name = "WHICH", env = "TENURE_CATALOG")]
    catalog: Option<String>,
    /// Origin of a user name alone [default: sap.default]
    #[arg(long, value_name = "ORIGIN", env = "TENURE_DEFAULT_ORIGIN")]
    default_origin: Option<String>,
    /// Most requests served at once [default: 256]
    #[arg(long, value_name = "N", env = "TENURE_REQUESTS_MAX")]
    requests_max: Option<usize>,
    /// Longest time a request may take, in milliseconds [default: 30000]
    #[arg(long, value_name = "MS", env = "TENURE_REQUEST_TIMEOUT_MS")]
    request_timeout_ms: Option<u64>,
    /// `on` keeps checkpoints of the index in the data folder, so that a start folds little; `off` neither
    /// reads nor writes any [default: on]
    #[arg(long, value_name = "ON|OFF", env = "TENURE_INDEX_CHECKPOINTS")]
    index_checkpoints: Option<String>,
    /// Percent of one processor that writing them takes at most, 1 to 100 [default: 20]
    #[arg(long, value_name = "PERCENT", env = "TENURE_INDEX_CHECKPOINT_SHARE")]
    index_checkpoint_share: Option<u8>,
}

impl Serve {
    fn settings(self, door: &DoorArgs) -> anyhow::Result<Settings> {
        let file = match &self.config {
            Some(path) => Partial::read(path)?,
            None => Partial::default(),
        };
        let flags = Partial {
            ledger: self.ledger,
            data: door.data.clone().or_else(|| std::env::var_os("TENURE_DATA").map(PathBuf::from)),
            listen: self.listen,
            allow_open: self.allow_open,
            operators_listen: self.operators_listen,
            tokens: self.tokens,
            // A table of the file: it has too much to say for a flag.
            issuer: None,
            public_url: self.public_url,
            tls_cert: self.tls_cert,
            tls_key: self.tls_key,
            client_ca: self.client_ca,
            hosts: self.hosts,
            cors_origins: self.cors_origins,
            log: self.log,
            nats: self.nats.into(),
            // A file alone says it.
            authzen: AuthzenPartial::default(),
            catalog: self.catalog,
            default_origin: self.default_origin,
            requests_max: self.requests_max,
            request_timeout_ms: self.request_timeout_ms,
            index_checkpoints: self.index_checkpoints,
            index_checkpoint_share: self.index_checkpoint_share,
        };
        Ok(Settings { accept_clock: door.accept_clock, ..flags.over(file).settle()? })
    }

    pub(crate) fn run(self, door: &DoorArgs) -> anyhow::Result<ExitCode> {
        let settings = self.settings(door)?;
        serve(settings)
    }
}

/// Runs a server until it is told to stop
pub(crate) fn serve(settings: Settings) -> anyhow::Result<ExitCode> {
    if settings.listen.is_open() && settings.allow_open {
        tracing::warn!(
            "unless access is enforced, everybody who reaches the address reads and writes the history"
        );
    }
    if settings.listen.is_open() && settings.tls.is_none() {
        tracing::warn!(
            "what travels to this address is not encrypted: say `--tls-cert`, or put TLS in front"
        );
    }
    tracing::info!(
        data = %settings.data.display(),
        listen = %settings.listen,
        allow_open = settings.allow_open,
        operators_listen = settings.operators_listen.as_ref().map(tracing::field::display),
        tokens = settings.tokens.as_ref().map(|path| tracing::field::display(path.display())),
        issuers = ?settings.issuers.iter().map(|one| &one.issuer).collect::<Vec<_>>(),
        tls_cert = settings.tls.as_ref().map(|tls| tracing::field::display(tls.cert.display())),
        tls_key = settings.tls.as_ref().map(|tls| tracing::field::display(tls.key.display())),
        client_ca = settings
            .tls
            .as_ref()
            .and_then(|tls| Some(tracing::field::display(tls.client_ca.as_ref()?.display()))),
        public_url = settings.public_url.as_ref().map(tracing::field::display),
        hosts = ?settings.hosts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        cors_origins = ?settings.cors_origins.iter().map(ToString::to_string).collect::<Vec<_>>(),
        log = ?settings.log,
        authzen = settings.authzen.base_url.as_ref().map(BaseUrl::as_str),
        default_origin = settings.default_origin,
        catalog = ?settings.genesis,
        requests_max = settings.requests_max,
        request_timeout_ms = settings.request_timeout.as_millis(),
        index_checkpoints = ?settings.checkpoints,
        accept_clock = settings.accept_clock,
        "effective settings"
    );
    let runtime = tokio::runtime::Runtime::new().context("the threads cannot be started")?;
    let served = runtime.block_on(async {
        // Heard from here on, also while the journal is folded.
        let stop = stop();
        let server = Server::bind(settings).await?;
        let operators = server.operators_address().map(tracing::field::display);
        tracing::info!(ledger = server.ledger(), operators, address = %server.address(), "listening");
        let mut told = 0;
        server
            .run(stop, move |progress: Progress| {
                let percent = progress.done * 100 / progress.of.max(1);
                if percent >= told + 10 || progress.done == progress.of {
                    told = percent;
                    tracing::info!(done = progress.done, of = progress.of, "folding the journal");
                }
            })
            .await?;
        tracing::info!("stopped");
        Ok(ExitCode::SUCCESS)
    });
    // A fold that was left is not waited for.
    runtime.shutdown_background();
    served
}

/// Is there when the process is told to stop; listens from the call on
fn stop() -> impl Future<Output = ()> + Send {
    #[cfg(unix)]
    let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    #[cfg(unix)]
    let interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt());
    async move {
        #[cfg(unix)]
        if let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            return;
        }
        if tokio::signal::ctrl_c().await.is_err() {
            tracing::warn!("no signal is heard: stop the process by its id");
            std::future::pending().await
        }
    }
}

/// Logs to stderr: by default a server says what it does, other commands only what is wrong
///
/// `TENURE_LOG_LEVEL` takes a level or the directives of `RUST_LOG`; `TENURE_LOG_FORMAT=json` is for
/// programs.
pub(crate) fn log_to_stderr(default: &str) {
    let filter = std::env::var("TENURE_LOG_LEVEL").unwrap_or_else(|_| default.to_owned());
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    if std::env::var("TENURE_LOG_FORMAT").is_ok_and(|format| format == "json") {
        builder.json().init();
    } else {
        builder.with_ansi(terminal && std::env::var_os("NO_COLOR").is_none()).init();
    }
}
