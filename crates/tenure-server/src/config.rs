//! How is a server told what to do?
//!
//! By flags over the environment (`TENURE_*`) over one TOML file. The first two are the command line's;
//! the file is read here, and unknown keys in it are refused. [`Settings`] is what comes of all three.

mod authzen;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tenure_core::{DEFAULT_ORIGIN, Principal};
use tenure_log::nats::NatsSettings;
use tenure_log::nats::connect::ConnectSettings;

use crate::engine::{Checkpointing, Genesis, chain};
use crate::file::read_secret;
use crate::hall::{IssuerSettings, Limits};
use crate::http::{Host, ListenAt, Origin, PublicUrl, TlsSettings};
use crate::toml_error::sentence;

pub use authzen::{Authzen, AuthzenPartial, BaseUrl};

/// The settings of a server, each as far as one source says it
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Partial {
    /// Name of the ledger, `[a-z0-9-]{1,32}`
    pub ledger: Option<String>,
    /// Data folder
    pub data: Option<PathBuf>,
    /// Where to listen
    pub listen: Option<ListenAt>,
    /// Whether everybody who reaches an address that is not loopback may read and write the history
    pub allow_open: Option<bool>,
    /// Where the paths of operators are served too, and nothing else
    pub operators_listen: Option<ListenAt>,
    /// The callers' file: whose which token, client certificate or user id is
    pub tokens: Option<PathBuf>,
    /// The issuers of signed tokens, by which callers say who they are
    pub issuer: Option<Vec<IssuerSettings>>,
    /// Names of this server, beside those of loopback
    pub hosts: Option<Vec<Host>>,
    /// The URL at which browsers reach this server
    pub public_url: Option<PublicUrl>,
    /// The certificate of this server, in PEM
    pub tls_cert: Option<PathBuf>,
    /// Its private key, in PEM
    pub tls_key: Option<PathBuf>,
    /// The authorities of client certificates, in PEM
    pub client_ca: Option<PathBuf>,
    /// Origins of other web pages that may ask
    pub cors_origins: Option<Vec<Origin>>,
    /// The log: `embedded`, or the URLs of NATS servers
    pub log: Option<String>,
    /// How NATS is reached
    pub nats: NatsPartial,
    /// What AuthZEN is told of this server's names
    pub authzen: AuthzenPartial,
    /// `built-in`: publish the built-in catalogues where they are missing; `manual`: leave it to people
    pub catalog: Option<String>,
    /// Origin of a user name alone
    pub default_origin: Option<String>,
    /// Most requests that are served at once
    pub requests_max: Option<usize>,
    /// Longest time that a request may take, in milliseconds
    pub request_timeout_ms: Option<u64>,
    /// Index checkpoints: `on` or `off`
    pub index_checkpoints: Option<String>,
    /// Percent of one processor that writing them takes at most
    pub index_checkpoint_share: Option<u8>,
}

/// How NATS is reached, as far as one source says it
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct NatsPartial {
    /// Credentials file
    pub credentials: Option<PathBuf>,
    /// File with the seed of an nkey
    pub nkey: Option<PathBuf>,
    /// User
    pub user: Option<String>,
    /// Its password
    pub password: Option<String>,
    /// A file with its password
    pub password_file: Option<PathBuf>,
    /// Certificates of trusted authorities
    pub tls_ca: Option<PathBuf>,
    /// Our certificate
    pub tls_cert: Option<PathBuf>,
    /// Its key
    pub tls_key: Option<PathBuf>,
    /// No connection without TLS
    pub tls_required: Option<bool>,
    /// Copies of a stream that is made
    pub stream_replicas: Option<usize>,
}

/// Leaves the password out
impl std::fmt::Debug for NatsPartial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NatsPartial").field("user", &self.user).finish_non_exhaustive()
    }
}

impl NatsPartial {
    fn over(self, other: Self) -> Self {
        // Who we are comes from one source: a flag for an nkey is not mixed with a file's user.
        let says_who = self.credentials.is_some() || self.nkey.is_some() || self.user.is_some();
        let other = if says_who {
            Self { credentials: None, nkey: None, user: None, ..other }
        } else {
            other
        };
        Self {
            credentials: self.credentials.or(other.credentials),
            nkey: self.nkey.or(other.nkey),
            user: self.user.or(other.user),
            password: self.password.or(other.password),
            password_file: self.password_file.or(other.password_file),
            tls_ca: self.tls_ca.or(other.tls_ca),
            tls_cert: self.tls_cert.or(other.tls_cert),
            tls_key: self.tls_key.or(other.tls_key),
            tls_required: self.tls_required.or(other.tls_required),
            stream_replicas: self.stream_replicas.or(other.stream_replicas),
        }
    }

    /// The settings of NATS at these URLs
    ///
    /// # Errors
    /// A value that cannot be used.
    pub fn settle(self, urls: String) -> Result<NatsSettings, ConfigError> {
        let stream_replicas = self.stream_replicas.unwrap_or(1);
        if !(1..=5).contains(&stream_replicas) {
            let problem = "it is 1 to 5".to_owned();
            return Err(ConfigError::Value { key: "nats.stream-replicas", problem });
        }
        let password = match (&self.user, self.password, &self.password_file) {
            (None, ..) => None,
            (Some(_), None, Some(path)) => {
                let text = read_secret(path).map_err(|error| ConfigError::Value {
                    key: "nats.password-file",
                    problem: chain(&error),
                })?;
                let text = String::from_utf8(text).map_err(|_| ConfigError::Value {
                    key: "nats.password-file",
                    problem: format!("the file `{}` is no text in UTF-8", path.display()),
                })?;
                Some(text.trim_end_matches(['\r', '\n']).to_owned())
            }
            (Some(_), password, _) => password,
        };
        let connect = ConnectSettings {
            urls,
            credentials: self.credentials,
            nkey: self.nkey,
            user: self.user,
            password,
            tls_ca: self.tls_ca,
            tls_cert: self.tls_cert,
            tls_key: self.tls_key,
            tls_required: self.tls_required.unwrap_or(false),
        };
        connect
            .check()
            .map_err(|error| ConfigError::Value { key: "log", problem: error.to_string() })?;
        Ok(NatsSettings { connect, stream_replicas })
    }
}

/// Where entries get their order
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::large_enum_variant, reason = "a process has one")]
pub enum LogSettings {
    /// In the data folder
    Embedded,
    /// In a NATS stream
    Nats(NatsSettings),
}

/// Why settings cannot be used
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read
    #[error("the configuration file `{}` cannot be read", path.display())]
    Read {
        /// The file
        path: PathBuf,
        /// Why
        #[source]
        source: std::io::Error,
    },
    /// The file is no TOML with these keys
    #[error("the configuration file `{}` is wrong: {problem}", path.display())]
    Parse {
        /// The file
        path: PathBuf,
        /// What is wrong, and where
        problem: String,
    },
    /// A value that cannot be used
    #[error("the setting `{key}` is wrong: {problem}")]
    Value {
        /// Its key
        key: &'static str,
        /// What is wrong, and what would be right
        problem: String,
    },
}

/// The settings of a server
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Name of the ledger; `None` takes the one that the data folder is of, else `default`
    pub ledger: Option<String>,
    /// Data folder
    pub data: PathBuf,
    /// Where to listen
    pub listen: ListenAt,
    /// Whether an address that other machines reach is served also where access is not enforced
    pub allow_open: bool,
    /// Where the paths of operators are served too, and nothing else
    pub operators_listen: Option<ListenAt>,
    /// The callers' file: whose which token, client certificate or user id is; without one nobody is asked
    pub tokens: Option<PathBuf>,
    /// The issuers of signed tokens, by which callers say who they are
    pub issuers: Vec<IssuerSettings>,
    /// Names of this server, beside those of loopback
    pub hosts: Vec<Host>,
    /// The URL at which browsers reach this server
    pub public_url: Option<PublicUrl>,
    /// The files for TLS; without them plain HTTP is spoken
    pub tls: Option<TlsSettings>,
    /// Origins of other web pages that may ask
    pub cors_origins: Vec<Origin>,
    /// The log
    pub log: LogSettings,
    /// Whether the built-in catalogues are published
    pub genesis: Genesis,
    /// What AuthZEN is told of this server's names
    pub authzen: Authzen,
    /// Origin of a user name alone
    pub default_origin: String,
    /// Most requests that are served at once
    pub requests_max: usize,
    /// Longest time that a request may take
    pub request_timeout: Duration,
    /// What is done with index checkpoints
    pub checkpoints: Checkpointing,
    /// Whether an embedded log believes what this machine's clock shows at the start. It is for one start, so no file
    /// says it
    pub accept_clock: bool,
}

impl Settings {
    /// Whether the server may serve only where access is enforced: other machines may reach it
    pub fn must_be_enforced(&self) -> bool {
        self.listen.is_open() && !self.allow_open
    }
}

impl Partial {
    /// Reads a TOML file
    ///
    /// # Errors
    /// A file that cannot be read, or an unknown key or a wrong value in it, with its place.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        toml::from_str(&text).map_err(|error| ConfigError::Parse {
            path: path.to_owned(),
            problem: sentence(&error, &text),
        })
    }

    /// These settings, and where they say nothing those
    #[must_use]
    pub fn over(self, other: Self) -> Self {
        Self {
            ledger: self.ledger.or(other.ledger),
            data: self.data.or(other.data),
            listen: self.listen.or(other.listen),
            allow_open: self.allow_open.or(other.allow_open),
            operators_listen: self.operators_listen.or(other.operators_listen),
            tokens: self.tokens.or(other.tokens),
            issuer: self.issuer.or(other.issuer),
            hosts: self.hosts.or(other.hosts),
            public_url: self.public_url.or(other.public_url),
            tls_cert: self.tls_cert.or(other.tls_cert),
            tls_key: self.tls_key.or(other.tls_key),
            client_ca: self.client_ca.or(other.client_ca),
            cors_origins: self.cors_origins.or(other.cors_origins),
            log: self.log.or(other.log),
            nats: self.nats.over(other.nats),
            authzen: self.authzen.over(other.authzen),
            catalog: self.catalog.or(other.catalog),
            default_origin: self.default_origin.or(other.default_origin),
            requests_max: self.requests_max.or(other.requests_max),
            request_timeout_ms: self.request_timeout_ms.or(other.request_timeout_ms),
            index_checkpoints: self.index_checkpoints.or(other.index_checkpoints),
            index_checkpoint_share: self.index_checkpoint_share.or(other.index_checkpoint_share),
        }
    }

    /// The settings, with defaults where nothing says them
    ///
    /// # Errors
    /// A value that cannot be used.
    pub fn settle(self) -> Result<Settings, ConfigError> {
        let value = |key, problem: &str| ConfigError::Value { key, problem: problem.to_owned() };
        if let Some(ledger) = &self.ledger {
            let lawful = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            if ledger.is_empty() || ledger.len() > 32 || !ledger.bytes().all(lawful) {
                return Err(value("ledger", "a name is 1 to 32 of `a-z`, `0-9` and `-`"));
            }
        }
        let default = ListenAt::Tcp(SocketAddr::from(([127, 0, 0, 1], 7480)));
        let listen = self.listen.unwrap_or(default);
        let tls = tls(self.tls_cert, self.tls_key, self.client_ca)?;
        if tls.is_some() && listen.tcp().is_none() {
            return Err(value(
                "tls-cert",
                "at a Unix socket no TLS is spoken: listen at an address",
            ));
        }
        if self.tokens.is_none() && tls.as_ref().is_some_and(|tls| tls.client_ca.is_some()) {
            return Err(value(
                "client-ca",
                "the file `tokens` says whose a certificate is: name it",
            ));
        }
        let log = match self.log {
            None => LogSettings::Embedded,
            Some(log) if log == "embedded" => LogSettings::Embedded,
            Some(log) if log.starts_with("nats://") || log.starts_with("tls://") => {
                LogSettings::Nats(self.nats.settle(log)?)
            }
            Some(_) => {
                return Err(value("log", "it is `embedded`, or NATS servers: nats://host:4222"));
            }
        };
        let genesis = match self.catalog.as_deref() {
            None | Some("built-in") => Genesis::BuiltIn,
            Some("manual") => Genesis::Manual,
            Some(_) => return Err(value("catalog", "it is `built-in` or `manual`")),
        };
        let default_origin = self.default_origin.unwrap_or_else(|| DEFAULT_ORIGIN.to_owned());
        let Ok(everyone) = Principal::everyone(&default_origin) else {
            let why = "an origin is an origin key of letters, digits, `.`, `_` and `-`";
            return Err(value("default-origin", why));
        };
        let default_origin = everyone.origin().to_owned();
        let limits = Limits::default();
        let requests_max = self.requests_max.unwrap_or(limits.requests_max);
        if !(1..=65_536).contains(&requests_max) {
            return Err(value("requests-max", "it is 1 to 65,536"));
        }
        let request_timeout =
            self.request_timeout_ms.map_or(limits.request_timeout, Duration::from_millis);
        if !(100..=3_600_000).contains(&request_timeout.as_millis()) {
            return Err(value("request-timeout-ms", "it is 100 to 3,600,000 (an hour)"));
        }
        let share = self.index_checkpoint_share.unwrap_or(20);
        if !(1..=100).contains(&share) {
            return Err(value(
                "index-checkpoint-share",
                "it is 1 to 100 (percent of one processor)",
            ));
        }
        let checkpoints = match self.index_checkpoints.as_deref() {
            None | Some("on") => Checkpointing::Write { share },
            Some("off") => Checkpointing::Off,
            Some(_) => return Err(value("index-checkpoints", "it is `on` or `off`")),
        };
        let issuers = self.issuer.unwrap_or_default();
        if self.public_url.is_none() && issuers.iter().any(|issuer| issuer.page.is_some()) {
            let why = "say at which URL browsers reach this server: people log on at an issuer and come back";
            return Err(value("public-url", why));
        }
        let mut hosts = self.hosts.unwrap_or_default();
        hosts.extend(self.public_url.as_ref().map(|url| url.host().clone()));
        Ok(Settings {
            ledger: self.ledger,
            data: self.data.unwrap_or_else(|| PathBuf::from("tenure-data")),
            listen,
            allow_open: self.allow_open.unwrap_or(false),
            operators_listen: self.operators_listen,
            tokens: self.tokens,
            issuers,
            hosts,
            public_url: self.public_url,
            tls,
            cors_origins: self.cors_origins.unwrap_or_default(),
            log,
            genesis,
            authzen: self.authzen.settle()?,
            default_origin,
            requests_max,
            request_timeout,
            checkpoints,
            accept_clock: false,
        })
    }
}

fn tls(
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    client_ca: Option<PathBuf>,
) -> Result<Option<TlsSettings>, ConfigError> {
    let missing = |key, problem: &str| Err(ConfigError::Value { key, problem: problem.to_owned() });
    match (cert, key) {
        (Some(cert), Some(key)) => Ok(Some(TlsSettings { cert, key, client_ca })),
        (Some(_), None) => missing("tls-key", "a certificate needs its key: name the file"),
        (None, Some(_)) => missing("tls-cert", "a key needs its certificate: name the file"),
        (None, None) if client_ca.is_some() => missing(
            "client-ca",
            "clients send certificates over TLS: name `tls-cert` and `tls-key`",
        ),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Partial, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn what_is_said_first_is_taken_and_the_rest_has_defaults() {
        let flags = Partial { ledger: Some("acme".into()), ..Partial::default() };
        let file = parsed("ledger = \"other\"\nlisten = \"127.0.0.1:80\"").unwrap();
        let settings = flags.over(file).settle().unwrap();
        assert_eq!(settings.ledger.as_deref(), Some("acme"));
        assert_eq!(settings.listen.to_string(), "127.0.0.1:80");
        assert_eq!(settings.default_origin, "sap.default");
    }

    #[test]
    fn an_address_is_a_socket_or_a_path() {
        let settings =
            parsed("listen = \"0.0.0.0:80\"\nallow-open = true").unwrap().settle().unwrap();
        assert!(settings.listen.is_open() && settings.allow_open);
        let unix = parsed("listen = \"unix:/run/t.sock\"").unwrap().settle().unwrap();
        assert_eq!(unix.listen, ListenAt::Unix("/run/t.sock".into()));
    }

    #[test]
    fn the_file_to_start_from_has_settings_alone_in_its_comments_too() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/tenure.toml");
        Partial::read(&path).unwrap().settle().unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let mut said = String::new();
        for line in text.lines() {
            let setting = line.strip_prefix("# ");
            let setting = setting.filter(|line| line.contains(" = ") || line.starts_with('['));
            said = said + setting.unwrap_or(line) + "\n";
        }
        let partial = parsed(&said).unwrap();
        assert!(partial.nats.tls_required.is_some());
        let settings = partial.settle().unwrap();
        assert!(settings.operators_listen.is_some());
        assert_eq!(settings.issuers.len(), 1);
        assert!(settings.authzen.base_url.is_some());
    }

    #[test]
    fn an_unknown_key_and_a_wrong_value_are_refused() {
        assert!(parsed("lisen = \"0.0.0.0:80\"").unwrap_err().to_string().contains("lisen"));
        for wrong in ["*", "https://portal.acme.example/page"] {
            let error = parsed(&format!("cors-origins = [\"{wrong}\"]")).unwrap_err().to_string();
            assert!(error.contains("an origin is"), "{error}");
        }
        for text in [
            "ledger = \"Acme\"",
            "log = \"kafka://x\"",
            "log = \"nats://x,http://y\"",
            "log = \"nats://x\"\nnats.stream-replicas = 6",
            "log = \"nats://x\"\nnats.user = \"u\"",
            "catalog = \"none\"",
            "requests-max = 0",
            "tls-cert = \"c.pem\"",
            "tls-key = \"k.pem\"",
            "client-ca = \"ca.pem\"",
            "tls-cert = \"c.pem\"\ntls-key = \"k.pem\"\nclient-ca = \"ca.pem\"",
            "tls-cert = \"c.pem\"\ntls-key = \"k.pem\"\nlisten = \"unix:/run/t.sock\"",
            "request-timeout-ms = 1",
            "default-origin = \"a/b\"",
            "index-checkpoints = \"sometimes\"",
            "index-checkpoint-share = 0",
            "index-checkpoint-share = 101",
        ] {
            let error = parsed(text).unwrap().settle().unwrap_err().to_string();
            assert!(error.starts_with("the setting `"), "{error}");
        }
    }
}
