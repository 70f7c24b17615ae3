//! How does the command line ask a server?
//!
//! At `http://` and `https://`, or at a Unix socket of this machine: `unix:/path/to.sock`.

use std::env::VarError;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use serde_json::Value;
use tenure_server::file::certificates;
use tenure_wire::api::Problem;
use ureq::http::Response;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::{Agent, Body, RequestBuilder};

use crate::door::Refused;
use crate::unix_transport::UnixConnector;

/// Longest answer, in bytes
const ANSWER_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Which server to ask, and as whom
#[derive(Debug, Args)]
#[command(next_help_heading = "Where to ask")]
pub(crate) struct RemoteArgs {
    /// Server to talk to: http://…, https://… or unix:/path/to.sock
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "TENURE_SERVER",
        default_value = "http://127.0.0.1:7480"
    )]
    server: String,
    /// Certificates of authorities that the server's certificate may be of (PEM), instead of the system's
    #[arg(long, global = true, value_name = "FILE", env = "TENURE_SERVER_CA")]
    server_ca: Option<PathBuf>,
    /// Client certificate that says who asks (PEM)
    #[arg(long, global = true, value_name = "FILE", env = "TENURE_CLIENT_CERT")]
    client_cert: Option<PathBuf>,
    /// The private key of that certificate (PEM)
    #[arg(long, global = true, value_name = "FILE", env = "TENURE_CLIENT_KEY")]
    client_key: Option<PathBuf>,
    /// File with the bearer token that says who asks (the environment TENURE_TOKEN has the token itself)
    #[arg(long, global = true, value_name = "FILE", env = "TENURE_TOKEN_FILE")]
    token_file: Option<PathBuf>,
}

/// A server that is asked
#[derive(Debug)]
pub(crate) struct Remote {
    agent: Agent,
    /// What stands before each path
    base: String,
    /// How the user named it
    named: String,
    token: Option<Token>,
}

/// A bearer token; no debug output has it
struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl RemoteArgs {
    /// The server that they name
    pub(crate) fn open(&self) -> anyhow::Result<Remote> {
        let named = self.server.trim_end_matches('/').to_owned();
        let authority = named.split_once("://").map_or("", |(_, rest)| rest);
        if authority.split('/').next().is_some_and(|authority| authority.contains('@')) {
            bail!("the URL of the server has a user name: leave it out, a token says who asks");
        }
        let has_identity = self.client_cert.is_some() || self.client_key.is_some();
        if has_identity && !named.starts_with("https://") {
            bail!("a client certificate is sent over TLS alone: name the server by https://");
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(5)))
            .timeout_global(Some(Duration::from_secs(120)));
        let (agent, base) = match named.strip_prefix("unix:") {
            Some(path) => {
                let connector = UnixConnector::new(path.into());
                let config = config.proxy(None).build();
                let agent = Agent::with_parts(config, connector, DefaultResolver::default());
                // The host is not looked at further: everything goes to the socket.
                (agent, "http://127.0.0.1".to_owned())
            }
            None => (config.tls_config(self.tls()?).build().into(), named.clone()),
        };
        Ok(Remote { agent, base, named, token: self.token()? })
    }

    /// The token that says who asks, if there is one; it is in no argument, which others on this machine could read
    fn token(&self) -> anyhow::Result<Option<Token>> {
        let Some(path) = &self.token_file else {
            return match std::env::var("TENURE_TOKEN") {
                Ok(token) => Ok(Some(token).filter(|token| !token.is_empty()).map(Token)),
                Err(VarError::NotPresent) => Ok(None),
                Err(VarError::NotUnicode(_)) => bail!("`TENURE_TOKEN` is no text in UTF-8"),
            };
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("the token file `{}` cannot be read", path.display()))?;
        Ok(Some(Token(text.trim().to_owned())))
    }

    fn tls(&self) -> anyhow::Result<TlsConfig> {
        let roots = match &self.server_ca {
            None => RootCerts::PlatformVerifier,
            Some(path) => certificates(path)?.iter().map(own).into(),
        };
        let client = match (&self.client_cert, &self.client_key) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some(client(cert, key)?),
            _ => bail!(
                "a client certificate and its key go together: `--client-cert` and `--client-key`"
            ),
        };
        Ok(TlsConfig::builder().root_certs(roots).client_cert(client).build())
    }
}

fn own(certificate: &CertificateDer<'static>) -> Certificate<'static> {
    Certificate::from_der(certificate).to_owned()
}

fn client(cert: &Path, key: &Path) -> anyhow::Result<ClientCert> {
    let chain = certificates(cert)?;
    let named = || format!("the file `{}`", key.display());
    let pem = std::fs::read(key).with_context(|| format!("{} cannot be read", named()))?;
    let private = PrivateKeyDer::from_pem_slice(&pem);
    let private = private.map_err(|_| anyhow!("{} has no private key in PEM", named()))?;
    let for_client = chain.iter().map(own).collect::<Vec<_>>();
    // The client takes a wrong pair for a bug, and panics.
    let fits = CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider());
    fits.map_err(|error| {
        anyhow!("{} is not the key of the certificate in `{}`: {error}", named(), cert.display())
    })?;
    let private = PrivateKey::from_pem(&pem)?;
    Ok(ClientCert::new_with_certs(&for_client, private))
}

impl Remote {
    /// Asks at a path
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.agent.get(format!("{}{path}", self.base));
        self.received(self.authorized(request).call())
    }

    /// Sends a JSON body to a path
    pub(crate) fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.agent.post(format!("{}{path}", self.base));
        let request = self.authorized(request.content_type("application/json"));
        self.received(request.send(serde_json::to_vec(body)?.as_slice()))
    }

    fn authorized<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.token {
            Some(Token(token)) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    fn received(&self, sent: Result<Response<Body>, ureq::Error>) -> anyhow::Result<Value> {
        let named = &self.named;
        let mut response = sent.with_context(|| {
            format!(
                "no server answers at {named}: start one with `tenure serve`, name another with `--server`, \
                 or open a data folder with `--data`"
            )
        })?;
        let status = response.status();
        let text = response
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_string()
            .context("the answer broke off")?;
        if status.is_success() {
            return serde_json::from_str(&text).context("the answer is no JSON");
        }
        match serde_json::from_str::<Problem>(&text) {
            Ok(problem) => Err(Refused(problem).into()),
            Err(_) => bail!("{named} answered with status {status}: is it a ledger?"),
        }
    }
}
