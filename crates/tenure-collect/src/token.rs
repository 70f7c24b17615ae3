//! Which token do we show? (OAuth 2.0, RFC 6749, as a UAA speaks it)

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use form_urlencoded::Serializer;
use serde_json::Value;

use crate::client::{Client, shown};
use crate::error::CollectError;
use crate::exchange::{Answer, Request};
use crate::secret::Secret;
use crate::source::{Grant, GrantKind};

/// How long before its end a token is renewed; a token of less than twice that time is renewed after half of it
const MARGIN: Duration = Duration::from_secs(60);
/// Longest answer with a token, in bytes
const ANSWER_BYTES_MAX: u64 = 1_024 * 1_024;
/// Codes of a refusal that may be shown; whatever else a server says may repeat a secret
const CODES: [&str; 8] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_token",
    "unauthorized",
];

/// The token of one grant, made when it is needed
pub(crate) struct Tokens<'a> {
    grant: &'a Grant,
    current: Option<Token>,
    /// The refresh token that came with the last token, in the place of the first one
    refresh: Option<Secret>,
}

struct Token {
    text: Secret,
    /// When it is renewed; never, if its server does not say how long it is valid
    renew: Option<Instant>,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(grant: &'a Grant) -> Self {
        Self { grant, current: None, refresh: None }
    }

    /// The server refused it
    pub(crate) fn forget(&mut self) {
        self.current = None;
    }

    /// A token that is valid for a while
    pub(crate) fn current(&mut self, client: &Client<'_>) -> Result<Secret, CollectError> {
        let valid = |token: &&Token| token.renew.is_none_or(|renew| Instant::now() < renew);
        if let Some(token) = self.current.as_ref().filter(valid) {
            return Ok(token.text.clone());
        }
        let asked_at = Instant::now();
        let url = self.grant.base.at("/oauth/token");
        let request = Request {
            authorization: Some(basic(&self.grant.client_id, self.grant.client_secret.reveal())),
            form: Some(self.form()),
            url: url.clone(),
        };
        let answer = client.asked(&request, ANSWER_BYTES_MAX, None)?;
        if answer.status != 200 {
            let advice = refusal(&answer);
            return Err(CollectError::Refused {
                asked: shown(&url),
                status: answer.status,
                advice,
            });
        }
        let text = answer.value.get("access_token").and_then(Value::as_str);
        let lawful =
            |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        let Some(text) = text.filter(lawful).map(Secret::new) else {
            let problem = "it has no `access_token`".to_owned();
            return Err(CollectError::Shape { asked: shown(&url), problem });
        };
        if let Some(refresh) = answer.value.get("refresh_token").and_then(Value::as_str) {
            self.refresh = Some(Secret::new(refresh));
        }
        let seconds = answer.value.get("expires_in").and_then(Value::as_u64);
        let renew = seconds.and_then(|seconds| asked_at.checked_add(kept(seconds)));
        self.current = Some(Token { text: text.clone(), renew });
        Ok(text)
    }

    fn form(&self) -> String {
        let mut form = Serializer::new(String::new());
        match &self.grant.kind {
            GrantKind::Client => {
                form.append_pair("grant_type", "client_credentials");
            }
            GrantKind::Password { username, password, origin } => {
                form.append_pair("grant_type", "password")
                    .append_pair("username", username)
                    .append_pair("password", password.reveal());
                if let Some(origin) = origin {
                    let hint = serde_json::json!({ "origin": origin });
                    form.append_pair("login_hint", &hint.to_string());
                }
            }
            GrantKind::Refresh(first) => {
                let token = self.refresh.as_ref().unwrap_or(first);
                form.append_pair("grant_type", "refresh_token")
                    .append_pair("refresh_token", token.reveal());
            }
        }
        form.finish()
    }
}

/// How long a token is kept that is valid for so many seconds
fn kept(seconds: u64) -> Duration {
    let valid = Duration::from_secs(seconds);
    valid.saturating_sub(MARGIN).max(valid / 2)
}

/// A name and a password as a header
///
/// Both stand there as they are: a UAA decodes nothing, although RFC 6749, 2.3.1 wants the two encoded as in a form.
pub(crate) fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

/// What to do about a refused token
fn refusal(answer: &Answer) -> String {
    let said: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let said = said.as_ref().and_then(|said| said.get("error")?.as_str());
    let code = said.and_then(|said| CODES.into_iter().find(|code| *code == said));
    let code = code.map(|code| format!(" (`{code}`)")).unwrap_or_default();
    let advice = match answer.status {
        300..=399 => {
            "the server sends us elsewhere, and redirects are not followed: write the address of the UAA itself into `token-url`"
        }
        404 => {
            "there is no such path: `token-url` is the address of the UAA, without `/oauth/token`"
        }
        _ => {
            "it made no token: are the client, the user and their secrets right, and is the client allowed this grant?"
        }
    };
    format!("{advice}{code}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_before_it_ends() {
        for (valid, kept_seconds) in [(3_600, 3_540), (120, 60), (60, 30), (10, 5), (0, 0)] {
            assert_eq!(kept(valid).as_secs(), kept_seconds, "{valid}");
        }
    }
}
