//! How does a person log on in a browser? (OpenID Connect: the authorization code flow with PKCE)
//!
//! The browser goes to the issuer and comes back with a code. This server gives the code to the issuer and gets a token that
//! says who it is. What the browser must bring back unchanged is in a cookie of its own, so this server remembers nothing of
//! those who never come back.

use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use ureq::Agent;

use super::keys::bounded;
use crate::hall::secret::secret;

/// Most log-ons that wait for their issuer at once
const WAITING_MAX: usize = 16;
/// Longest answer of an issuer, in bytes
const ANSWER_BYTES_MAX: u64 = 64 * 1_024;

/// The table `page` of an issuer: people log on there, in a browser
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PageSettings {
    /// Where a browser is sent (`authorization_endpoint`)
    pub authorize: String,
    /// Where the code is exchanged (`token_endpoint`)
    pub token: String,
    /// The id by which the issuer knows this server
    pub client_id: String,
    /// A file with its secret, if it has one
    pub client_secret_file: Option<PathBuf>,
}

/// Where people log on
#[derive(Debug)]
pub(super) struct Logon {
    pub(super) agent: Agent,
    pub(super) authorize: String,
    pub(super) token: String,
    pub(super) client_id: String,
    pub(super) secret: Option<Secret>,
    pub(super) waiting: Arc<Semaphore>,
}

/// A secret that is never shown
pub(super) struct Secret(pub(super) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// What a browser must bring back
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Begun {
    /// Comes back in the query
    pub(crate) state: String,
    /// Comes back in the token
    pub(crate) nonce: String,
    /// Of this the issuer has the digest
    pub(crate) verifier: String,
}

impl Begun {
    /// A log-on that begins now
    pub(crate) fn now() -> Self {
        Self { state: secret(), nonce: secret(), verifier: secret() }
    }
}

/// The token of an answer
#[derive(Deserialize)]
struct Answer {
    id_token: String,
}

impl Logon {
    pub(super) fn new(agent: Agent, settings: &PageSettings, secret: Option<String>) -> Self {
        Self {
            agent,
            authorize: settings.authorize.clone(),
            token: settings.token.clone(),
            client_id: settings.client_id.clone(),
            secret: secret.map(Secret),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
        }
    }

    /// Where the browser goes to
    pub(super) fn page(&self, begun: &Begun, redirect: &str) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&begun.verifier));
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", redirect)
            .append_pair("scope", "openid email")
            .append_pair("state", &begun.state)
            .append_pair("nonce", &begun.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .finish();
        let joint = if self.authorize.contains('?') { '&' } else { '?' };
        format!("{}{joint}{query}", self.authorize)
    }

    /// The token for a code
    ///
    /// # Errors
    /// Why there is none; nothing of the code or the secret is in it.
    pub(super) async fn exchange(
        self: &Arc<Self>,
        code: String,
        verifier: String,
        redirect: String,
    ) -> Result<String, String> {
        let Ok(place) = Arc::clone(&self.waiting).try_acquire_owned() else {
            return Err("more people log on at once than are served".to_owned());
        };
        let logon = Arc::clone(self);
        let asked = tokio::task::spawn_blocking(move || {
            // Until the issuer has answered, whether the browser still waits or not.
            let _place = place;
            logon.ask(&code, &verifier, &redirect)
        });
        asked
            .await
            .unwrap_or_else(|_| Err("the question to the issuer ended in a panic".to_owned()))
    }

    fn ask(&self, code: &str, verifier: &str, redirect: &str) -> Result<String, String> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
        ];
        let mut request = self.agent.post(&self.token);
        match &self.secret {
            // RFC 6749, 2.3.1: both parts are encoded as in a form before they are joined.
            Some(Secret(secret)) => {
                let part = |text: &str| {
                    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
                };
                let both = format!("{}:{}", part(&self.client_id), part(secret));
                let basic = format!("Basic {}", STANDARD.encode(both));
                request = request.header("authorization", basic);
            }
            None => form.push(("client_id", &self.client_id)),
        }
        let failed = |error: ureq::Error| format!("the issuer gave no token: {error}");
        let mut response = request.send_form(form).map_err(failed)?;
        let body = bounded(&mut response, ANSWER_BYTES_MAX)
            .map_err(|problem| format!("the issuer's answer: {problem}"))?;
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|_| "the issuer's answer has no `id_token`".to_owned())?;
        Ok(answer.id_token)
    }
}
