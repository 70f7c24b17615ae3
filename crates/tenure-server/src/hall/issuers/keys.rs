//! Which keys does an issuer sign with now?
//!
//! They are fetched at the start, every few minutes, and when a token has a key that is not known yet. While the issuer cannot
//! be asked, its keys of before are taken.

use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use rustls::pki_types::CertificateDer;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use ureq::http::Response;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::engine::chain;
use crate::file::{certificates, read};

/// How often keys are fetched although all that were asked for are known
const PAUSE: Duration = Duration::from_secs(300);
/// The same of a file
const FILE_PAUSE: Duration = Duration::from_secs(10);
/// How long until an issuer that was away is asked again
const AWAY_PAUSE: Duration = Duration::from_secs(10);
/// How long keys are not fetched again, whatever tokens come
pub(super) const PAUSE_MIN: Duration = Duration::from_secs(5);
/// How long an issuer may take to answer
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest key set, in bytes
const SET_BYTES_MAX: u64 = 1_024 * 1_024;
/// Most keys of an issuer
const KEYS_MAX: usize = 256;

/// Where the keys of an issuer are
#[derive(Debug)]
pub(super) enum Source {
    File(PathBuf),
    Url { agent: Agent, url: String },
}

/// A key that an issuer signs with
#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// The algorithm that it is for, if the issuer says so
    algorithm: Option<String>,
    key: DecodingKey,
}

/// A JSON Web Key Set (RFC 7517)
#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

/// What is known of the keys
#[derive(Debug, Default)]
struct Known {
    keys: Vec<Key>,
    /// How often they were fetched, or it was tried
    tries: u64,
    /// When it was tried last
    tried: Option<Instant>,
    /// Whether the last try failed
    away: bool,
}

/// The keys of an issuer, kept up to date until this is dropped
#[derive(Debug)]
pub(super) struct Keys {
    known: watch::Receiver<Known>,
    wanted: Arc<Notify>,
}

/// What was found for a token
pub(super) enum Lookup {
    Found(DecodingKey),
    /// The issuer has no such key
    None,
    /// It is not known here, and the issuer does not answer
    Away,
}

/// What asks an issuer at a URL, and trusts these authorities, else those of the system
pub(super) fn agent(url: &str, ca: Option<&Path>) -> Result<Agent, String> {
    let roots = match ca {
        None => RootCerts::PlatformVerifier,
        Some(path) => {
            let found = certificates(path).map_err(|error| chain(&error))?;
            let own = |one: &CertificateDer<'_>| Certificate::from_der(one).to_owned();
            found.iter().map(own).collect::<Vec<_>>().into()
        }
    };
    Ok(Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        // A scheme may be written in any case; only what is plainly http is not encrypted.
        .https_only(!url.starts_with("http:"))
        .max_redirects(3)
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .build()
        .into())
}

/// The body of an answer, if it has no more than so many bytes once it is decompressed
pub(super) fn bounded(response: &mut Response<Body>, most: u64) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let body = response.body_mut().as_reader().take(most + 1);
    BufReader::new(body).read_to_end(&mut text).map_err(|error| chain(&error))?;
    if text.len() as u64 > most {
        return Err(format!("it has more than {most} bytes"));
    }
    Ok(text)
}

impl Source {
    /// A URL, and the authorities that are trusted for it
    pub(super) fn url(url: String, ca: Option<&Path>) -> Result<Self, String> {
        Ok(Self::Url { agent: agent(&url, ca)?, url })
    }

    fn pause(&self) -> Duration {
        match self {
            Self::File(_) => FILE_PAUSE,
            Self::Url { .. } => PAUSE,
        }
    }

    fn fetch(&self) -> Result<Vec<Key>, String> {
        let text = match self {
            Self::File(path) => read(path).map_err(|error| chain(&error))?,
            Self::Url { agent, url } => {
                let failed = |error: ureq::Error| format!("{url}: {error}");
                let mut response = agent.get(url).call().map_err(failed)?;
                bounded(&mut response, SET_BYTES_MAX)
                    .map_err(|problem| format!("{url}: {problem}"))?
            }
        };
        let set: Set = serde_json::from_slice(&text)
            .map_err(|error| format!("it is no JSON Web Key Set: {error}"))?;
        // A key of a kind that is not known here does not spoil the others.
        let keys: Vec<_> = set
            .keys
            .into_iter()
            .filter_map(|jwk| key(&serde_json::from_value(jwk).ok()?))
            .take(KEYS_MAX)
            .collect();
        if keys.is_empty() {
            return Err("there is no key in it that a signature could be of".to_owned());
        }
        Ok(keys)
    }
}

/// A key of a set, unless it is for something else than signatures, or a secret
fn key(jwk: &Jwk) -> Option<Key> {
    let common = &jwk.common;
    if !matches!(common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    let key = DecodingKey::from_jwk(jwk).ok()?;
    if key.family() == AlgorithmFamily::Hmac {
        return None;
    }
    let algorithm = common.key_algorithm.as_ref().map(ToString::to_string);
    Some(Key { id: common.key_id.clone(), algorithm, key })
}

impl Known {
    /// The key of this id; without an id the only key that there is for the algorithm
    fn find(&self, algorithm: Algorithm, id: Option<&str>) -> Option<DecodingKey> {
        let name = format!("{algorithm:?}");
        let mut fitting = self.keys.iter().filter(|key| {
            key.key.family() == algorithm.family()
                && key.algorithm.as_ref().is_none_or(|said| *said == name)
                && (id.is_none() || key.id.as_deref() == id)
        });
        let found = fitting.next()?;
        fitting.next().is_none().then(|| found.key.clone())
    }
}

impl Keys {
    /// Fetches keys in the background, from now on
    pub(super) fn watch(source: Source) -> Self {
        let (sender, known) = watch::channel(Known::default());
        let wanted = Arc::new(Notify::new());
        tokio::spawn(keep(Arc::new(source), sender, Arc::clone(&wanted)));
        Self { known, wanted }
    }

    /// The key of a token
    pub(super) async fn find(&self, algorithm: Algorithm, id: Option<&str>) -> Lookup {
        let mut known = self.known.clone();
        let tries = {
            let now = known.borrow_and_update();
            if let Some(key) = now.find(algorithm, id) {
                return Lookup::Found(key);
            }
            if now.tried.is_some_and(|tried| tried.elapsed() < PAUSE_MIN) {
                return now.none();
            }
            now.tries
        };
        self.wanted.notify_one();
        let newer =
            tokio::time::timeout(PATIENCE + PATIENCE / 5, known.wait_for(|now| now.tries > tries))
                .await;
        match newer {
            Ok(Ok(now)) => now.find(algorithm, id).map_or_else(|| now.none(), Lookup::Found),
            _ => Lookup::Away,
        }
    }
}

impl Known {
    fn none(&self) -> Lookup {
        if self.away { Lookup::Away } else { Lookup::None }
    }
}

/// Fetches keys again and again, until nobody wants them any more
async fn keep(source: Arc<Source>, known: watch::Sender<Known>, wanted: Arc<Notify>) {
    loop {
        let fetching = Arc::clone(&source);
        let fetched = tokio::task::spawn_blocking(move || fetching.fetch()).await;
        let fetched = match fetched {
            Ok(fetched) => fetched,
            Err(error) => {
                tracing::error!(%error, "the keys of an issuer are not fetched any more: restart the server");
                return;
            }
        };
        known.send_modify(|known| {
            known.tries += 1;
            known.tried = Some(Instant::now());
            known.away = fetched.is_err();
            match fetched {
                Ok(keys) => known.keys = keys,
                Err(error) => tracing::warn!(
                    error,
                    keys = known.keys.len(),
                    "the keys of an issuer cannot be fetched: those of before are still taken"
                ),
            }
        });
        let pause = if known.borrow().away { AWAY_PAUSE } else { source.pause() };
        tokio::time::sleep(PAUSE_MIN).await;
        tokio::select! {
            () = tokio::time::sleep(pause.saturating_sub(PAUSE_MIN)) => {}
            () = wanted.notified() => {}
            () = known.closed() => return,
        }
    }
}
