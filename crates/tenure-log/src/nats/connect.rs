//! How is a NATS server reached?
//!
//! Settings with URLs, TLS and one identity become a client that reconnects by itself, for as long as it takes.
//! Nothing here knows of streams.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_nats::{Client, ConnectOptions, Event, ReconnectToServer, ServerAddr};
use tokio::sync::watch;

/// How long one attempt to connect may take
const CONNECT_PATIENCE: Duration = Duration::from_secs(3);
/// How long the server may take to answer
const REQUEST_PATIENCE: Duration = Duration::from_secs(5);
/// A server that stays silent for two of these intervals is given up, and another one is tried
const PING_INTERVAL: Duration = Duration::from_secs(3);
/// How long a complaint of a server is shown as the possible reason why it is away
const COMPLAINT_HOLDS: Duration = Duration::from_secs(30);
/// Longest pause between two attempts to connect
const RECONNECT_PAUSE_MS_MAX: u64 = 2_000;

/// The servers, and our identity there
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ConnectSettings {
    /// `nats://` or `tls://` URLs, separated by commas; they may contain `user:password@`
    pub urls: String,
    /// A file with a JWT and its seed
    pub credentials: Option<PathBuf>,
    /// A file with the seed of an nkey
    pub nkey: Option<PathBuf>,
    /// The name of a user
    pub user: Option<String>,
    /// The password of that user
    pub password: Option<String>,
    /// A file with the certificates of the trusted authorities, which replace those of the system
    pub tls_ca: Option<PathBuf>,
    /// A file with our certificate
    pub tls_cert: Option<PathBuf>,
    /// A file with the key of our certificate
    pub tls_key: Option<PathBuf>,
    /// Whether every connection must use TLS
    pub tls_required: bool,
}

/// Why there is no client
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// A URL cannot be read
    #[error("`{url}` is no NATS URL: write it like nats://host:4222")]
    Url {
        /// The URL, without its password
        url: String,
    },
    /// A file cannot be read
    #[error("the file `{}` cannot be read", path.display())]
    File {
        /// The file
        path: PathBuf,
        /// Why
        #[source]
        source: std::io::Error,
    },
    /// There is more than one identity, or half of one
    #[error("{0}")]
    Identity(&'static str),
    /// The client refuses to connect, for example because TLS cannot be set up
    #[error("no connection to NATS at {urls} is possible")]
    Connect {
        /// The URLs, without passwords
        urls: String,
        /// Why
        #[source]
        source: async_nats::ConnectError,
    },
}

/// Shows no secrets
impl fmt::Debug for ConnectSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectSettings")
            .field("urls", &self.shown_urls())
            .field("credentials", &self.credentials)
            .field("nkey", &self.nkey)
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| "(left out)"))
            .field("tls_ca", &self.tls_ca)
            .field("tls_cert", &self.tls_cert)
            .field("tls_key", &self.tls_key)
            .field("tls_required", &self.tls_required)
            .finish()
    }
}

/// A URL without its user and password
fn shown(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        // The part of a password before a comma looks like the port of a URL.
        (Some((scheme, host)), None) => match host.rsplit_once(':') {
            Some((host, port)) if !port.chars().all(|c| c.is_ascii_digit() || c == ']') => {
                format!("{scheme}://{host}:…")
            }
            _ => url.to_owned(),
        },
        (None, None) => url.to_owned(),
    }
}

/// A server without user and password: the client logs its URL
fn without_identity(server: ServerAddr) -> ServerAddr {
    let mut url = server.clone().into_inner();
    let cleared = url.set_username("").and_then(|()| url.set_password(None));
    cleared.ok().and_then(|()| ServerAddr::from_url(url).ok()).unwrap_or(server)
}

/// The state of a connection
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Connection {
    /// Whether a server is connected
    pub connected: bool,
    /// Number of connections that were made so far
    pub made: u64,
    /// The last error of a server or of an attempt to reach one, and its time
    complaint: Option<(Arc<str>, Instant)>,
}

impl Connection {
    /// A reason together with the last complaint, which may be its cause
    pub(crate) fn explain(&self, why: String) -> String {
        match &self.complaint {
            Some((said, when)) if when.elapsed() < COMPLAINT_HOLDS && !why.contains(&**said) => {
                format!("{why}; the last complaint was: {said}")
            }
            _ => why,
        }
    }
}

/// Makes the next connection go to another server, when it is asked to
///
/// By itself the client may choose the same server for ever: it prefers servers that did not fail. So here the
/// servers take turns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Elsewhere {
    asked: Arc<AtomicBool>,
    turn: Arc<AtomicUsize>,
}

impl Elsewhere {
    /// Asks for the next connection to be made to the server whose turn it is
    pub(crate) fn ask(&self) {
        self.asked.store(true, Ordering::Release);
    }

    /// Options with which a client does what is asked
    pub(crate) fn heed(&self, options: ConnectOptions) -> ConnectOptions {
        let Self { asked, turn } = self.clone();
        options.reconnect_to_server_callback(move |servers, _| {
            let asked = asked.swap(false, Ordering::AcqRel) && !servers.is_empty();
            let turn = asked.then(|| turn.fetch_add(1, Ordering::AcqRel) % servers.len());
            let server = turn.and_then(|turn| servers.get(turn));
            let to = server.map(|server| ReconnectToServer {
                addr: server.addr.clone(),
                delay: Some(Duration::ZERO),
            });
            std::future::ready(to)
        })
    }
}

impl ConnectSettings {
    /// The URLs, without passwords
    pub fn shown_urls(&self) -> String {
        self.urls.split(',').map(|url| shown(url.trim())).collect::<Vec<_>>().join(",")
    }

    /// The servers
    ///
    /// # Errors
    /// A URL cannot be read.
    pub fn servers(&self) -> Result<Vec<ServerAddr>, ConnectError> {
        let parse = |url: &str| {
            let url = url.trim();
            url.parse::<ServerAddr>()
                .ok()
                .filter(|server| {
                    matches!(server.scheme(), "nats" | "tls") && !server.host().is_empty()
                })
                .ok_or_else(|| ConnectError::Url { url: shown(url) })
        };
        self.urls.split(',').map(parse).collect()
    }

    /// Checks the settings without a look at files or servers
    ///
    /// # Errors
    /// A URL cannot be read, or there are several identities.
    pub fn check(&self) -> Result<(), ConnectError> {
        self.identity()?;
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            return Err(ConnectError::Identity("a certificate and its key belong together"));
        }
        Ok(())
    }

    /// The user and the password, from the settings or from the URLs
    ///
    /// # Errors
    /// There are several identities, or half of one.
    fn identity(&self) -> Result<Option<(String, String)>, ConnectError> {
        let halves = || ConnectError::Identity("a user and a password belong together");
        let decoded = |text: &str| {
            percent_encoding::percent_decode_str(text).decode_utf8().map(String::from).map_err(
                |_| ConnectError::Identity("the user or the password in a URL is no UTF-8"),
            )
        };
        let mut users = match (&self.user, &self.password) {
            (Some(user), Some(password)) => vec![(user.clone(), password.clone())],
            (None, None) => Vec::new(),
            _ => return Err(halves()),
        };
        for server in self.servers()? {
            match (server.username(), server.password()) {
                (None, None) => {}
                (Some(user), Some(password)) => users.push((decoded(user)?, decoded(password)?)),
                _ => return Err(halves()),
            }
        }
        users.dedup();
        let ways = usize::from(self.credentials.is_some()) + usize::from(self.nkey.is_some());
        if ways + users.len() > 1 {
            return Err(ConnectError::Identity(
                "give one identity for all URLs: a credentials file, an nkey, or a user with a password",
            ));
        }
        Ok(users.pop())
    }

    /// A client that connects in the background, and reconnects whenever the connection is lost
    ///
    /// # Guarantees
    /// It does not wait for a server. The receiver shows the state of the connection.
    /// # Errors
    /// The settings cannot be used, or a file cannot be read.
    pub async fn connect(
        &self,
        name: &str,
    ) -> Result<(Client, watch::Receiver<Connection>), ConnectError> {
        self.connect_with(name, |options| options).await
    }

    /// As [`Self::connect`], with further options
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn connect_with(
        &self,
        name: &str,
        own: impl FnOnce(ConnectOptions) -> ConnectOptions,
    ) -> Result<(Client, watch::Receiver<Connection>), ConnectError> {
        self.check()?;
        let file = |path: &PathBuf| {
            let path = path.clone();
            move |source| ConnectError::File { path, source }
        };
        let (state, told) = watch::channel(Connection::default());
        let mut options = ConnectOptions::new()
            .name(name)
            .retry_on_initial_connect()
            .max_reconnects(None)
            .connection_timeout(CONNECT_PATIENCE)
            .request_timeout(Some(REQUEST_PATIENCE))
            .ping_interval(PING_INTERVAL)
            .require_tls(self.tls_required)
            .reconnect_delay_callback(|attempts| {
                let attempts = u64::try_from(attempts).unwrap_or(u64::MAX);
                Duration::from_millis(attempts.saturating_mul(50).min(RECONNECT_PAUSE_MS_MAX))
            })
            .event_callback(move |event| {
                tell(&state, &event);
                std::future::ready(())
            });
        for path in [&self.tls_ca, &self.tls_cert, &self.tls_key].into_iter().flatten() {
            // Read here as well, so that a wrong path is an error at the start.
            std::fs::read(path).map_err(file(path))?;
        }
        if let Some(path) = &self.tls_ca {
            options = options.add_root_certificates(path.clone());
        }
        if let (Some(cert), Some(key)) = (&self.tls_cert, &self.tls_key) {
            options = options.add_client_certificate(cert.clone(), key.clone());
        }
        if let Some(path) = &self.credentials {
            options = options.credentials_file(path).await.map_err(file(path))?;
        }
        if let Some(path) = &self.nkey {
            let seed = std::fs::read_to_string(path).map_err(file(path))?;
            options = options.nkey(seed.trim().to_owned());
        }
        // The client does not read user and password from a URL.
        if let Some((user, password)) = self.identity()? {
            options = options.user_and_password(user, password);
        }
        let servers = self.servers()?.into_iter().map(without_identity).collect::<Vec<_>>();
        let connected = own(options).connect(servers).await;
        let client = connected
            .map_err(|source| ConnectError::Connect { urls: self.shown_urls(), source })?;
        Ok((client, told))
    }
}

fn tell(state: &watch::Sender<Connection>, event: &Event) {
    match event {
        Event::Connected => {
            tracing::info!("connected to NATS");
            state.send_modify(|connection| {
                connection.connected = true;
                connection.made += 1;
                connection.complaint = None;
            });
        }
        Event::Disconnected | Event::Closed => {
            tracing::warn!("the connection to NATS is lost");
            state.send_modify(|connection| connection.connected = false);
        }
        Event::ServerError(error) => {
            tracing::warn!(%error, "NATS complains");
            complain(state, error);
        }
        Event::ClientError(error) => {
            tracing::warn!(%error, "no connection to NATS");
            complain(state, error);
        }
        Event::SlowConsumer(_) | Event::LameDuckMode | Event::Draining => {
            tracing::info!(%event, "NATS says");
        }
    }
}

fn complain(state: &watch::Sender<Connection>, error: &dyn fmt::Display) {
    let said: Arc<str> = error.to_string().into();
    state.send_if_modified(|connection| {
        let other = connection.complaint.as_ref().is_none_or(|(before, _)| *before != said);
        connection.complaint = Some((said, Instant::now()));
        other
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(urls: &str) -> ConnectSettings {
        ConnectSettings { urls: urls.to_owned(), ..ConnectSettings::default() }
    }

    #[test]
    fn several_urls_are_taken_and_what_is_none_is_named_without_its_password() {
        assert_eq!(of("nats://a:4222, tls://b,nats://u:p@c").servers().unwrap().len(), 3);
        for wrong in ["http://u:secret@a", "nats://", "nats://a,,nats://b", "nats://u:secr,et@a"] {
            let error = of(wrong).check().unwrap_err().to_string();
            assert!(error.contains("no NATS URL") && !error.contains("secr"), "{error}");
        }
    }

    #[test]
    fn no_secret_is_shown() {
        let settings = ConnectSettings {
            user: Some("ledger".into()),
            password: Some("secret".into()),
            ..of("nats://me:secret@a:4222")
        };
        let shown = format!("{settings:?}");
        assert!(shown.contains("nats://a:4222") && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn one_identity_is_enough() {
        let two = ConnectSettings {
            nkey: Some("seed".into()),
            credentials: Some("creds".into()),
            ..of("nats://a")
        };
        assert!(two.check().is_err());
        assert!(ConnectSettings { user: Some("u".into()), ..of("nats://a") }.check().is_err());
        let identity = |urls: &str| of(urls).identity().ok().flatten();
        let user = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(identity("nats://a,nats://b"), None);
        assert_eq!(identity("nats://a,nats://u:p%40%3A@b,nats://u:p%40%3A@c"), user("u", "p@:"));
        for wrong in ["nats://u@a", "nats://u:p@a,nats://v:p@b", "nats://u:%FF@a"] {
            assert!(of(wrong).check().is_err(), "{wrong}");
        }
        for server in of("nats://u:secret@a:4222,tls://v:secret@b").servers().unwrap() {
            let shown = format!("{:?}", without_identity(server));
            assert!(!shown.contains("secret") && !shown.contains('@'), "{shown}");
        }
        let settings = ConnectSettings { nkey: Some("seed".into()), ..of("nats://u:p@a") };
        assert!(settings.check().is_err());
    }
}
