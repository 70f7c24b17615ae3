//! Whose is a signed token (JWT, RFC 7519)?
//!
//! An issuer that the operator named has signed it, for this server, for now. Which of its claims name the user or the client
//! says the issuer's table in the configuration. Nothing of a token is believed before its signature is verified, but the
//! issuer by which its key is looked up.

mod keys;
mod logon;
mod mapping;
mod settings;

use std::sync::Arc;

use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};
use tenure_core::{Instant, Principal};

use self::keys::{Keys, Lookup};
use self::logon::Logon;
use self::mapping::Mapping;

pub(crate) use logon::Begun;
pub use logon::PageSettings;
pub use settings::{IssuerError, IssuerSettings};

/// Longest token, in bytes
const TOKEN_BYTES_MAX: usize = 16 * 1_024;
/// By how much the clocks of an issuer and of this server may differ
const LEEWAY_S: u64 = 60;

/// The issuers that this server believes
#[derive(Debug, Default)]
pub struct Issuers {
    issuers: Vec<Issuer>,
}

/// One of them
#[derive(Debug)]
struct Issuer {
    name: String,
    audiences: Vec<String>,
    algorithms: Vec<Algorithm>,
    mapping: Mapping,
    keys: Keys,
    logon: Option<Arc<Logon>>,
}

/// The claim by which an issuer is found
#[derive(Deserialize)]
struct Issued {
    iss: String,
}

/// Why a token is refused, as its sender reads it
type Refused = &'static str;

const NO_TOKEN: Refused = "the token cannot be read: it is no signed token (JWT)";

/// Whether a bearer token has the shape of a signed one; tokens of the token file never have it
pub(super) fn is_signed(token: &str) -> bool {
    token.bytes().filter(|byte| *byte == b'.').count() == 2
}

impl Issuers {
    /// The issuers of these settings; their keys are fetched from now on, in the background
    ///
    /// # Errors
    /// Settings that cannot be used.
    pub fn open(settings: &[IssuerSettings]) -> Result<Self, IssuerError> {
        let issuers: Vec<_> = settings.iter().map(Issuer::open).collect::<Result<_, _>>()?;
        for (n, one) in issuers.iter().enumerate() {
            if issuers.iter().take(n).any(|other| other.name == one.name) {
                return Err(IssuerError::twice(&one.name));
            }
        }
        Ok(Self { issuers })
    }

    /// Whether there is none
    pub(super) fn is_empty(&self) -> bool {
        self.issuers.is_empty()
    }

    /// Whose token it is, and until when; waits for the keys of its issuer if they have to be fetched, some seconds at most
    ///
    /// # Errors
    /// Why it is refused.
    ///
    /// # Cost
    /// One signature. A key that is unknown makes the issuer be asked, at most every [`keys::PAUSE_MIN`] whoever asks.
    pub(super) async fn owner(&self, token: &str) -> Result<(Principal, Instant), Refused> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err("the token is longer than 16 KiB");
        }
        let Ok(Header { alg, kid, .. }) = decode_header(token) else {
            return Err(
                "the token cannot be read, or it is signed in a way that this server never takes",
            );
        };
        let named = insecure_decode_claims::<Issued>(token).map_err(|_| NO_TOKEN)?.iss;
        let issuer = self.issuers.iter().find(|issuer| issuer.name == named);
        let issuer = issuer.ok_or("the issuer of the token is none that this server believes")?;
        let claims = issuer.claims(token, (alg, kid.as_deref()), &issuer.audiences).await?;
        Ok((issuer.mapping.principal(&claims)?, expires(&claims)))
    }

    /// The first issuer at which people log on
    fn page(&self) -> Option<(&Issuer, &Arc<Logon>)> {
        self.issuers.iter().find_map(|issuer| Some((issuer, issuer.logon.as_ref()?)))
    }

    /// Where a browser is sent to log on
    pub(super) fn logon_page(&self, begun: &Begun, redirect: &str) -> Option<String> {
        self.page().map(|(_, logon)| logon.page(begun, redirect))
    }

    /// Who has logged on, by the code that the browser brought back
    ///
    /// # Errors
    /// Why nobody has.
    ///
    /// # Cost
    /// A request to the issuer, some seconds at most.
    pub(super) async fn logged_on(
        &self,
        code: String,
        begun: Begun,
        redirect: String,
    ) -> Result<Principal, String> {
        let (issuer, logon) = self.page().ok_or("nobody logs on here in a browser")?;
        let token = logon.exchange(code, begun.verifier, redirect).await?;
        if token.len() > TOKEN_BYTES_MAX {
            return Err("the token is longer than 16 KiB".to_owned());
        }
        let Header { alg, kid, .. } = decode_header(&token).map_err(|_| NO_TOKEN)?;
        let audience = std::slice::from_ref(&logon.client_id);
        let claims = issuer.claims(&token, (alg, kid.as_deref()), audience).await?;
        let said = |name: &str| claims.get(name).and_then(Value::as_str);
        if said("nonce") != Some(&begun.nonce) {
            return Err("the token is of another log-on".to_owned());
        }
        // OpenID Connect Core, 3.1.3.7: a token for several parties says for which of them it was made.
        let several = claims.get("aud").and_then(Value::as_array).is_some_and(|aud| aud.len() > 1);
        if several && said("azp") != Some(&logon.client_id) {
            return Err("the token was made for somebody else".to_owned());
        }
        Ok(issuer.mapping.user(&claims)?.ok_or("the token names no person")?)
    }
}

impl Issuer {
    fn open(settings: &IssuerSettings) -> Result<Self, IssuerError> {
        let algorithms = settings.check()?;
        Ok(Self {
            name: settings.issuer.clone(),
            audiences: settings.audiences.clone(),
            algorithms,
            mapping: settings.mapping(),
            logon: settings.logon()?.map(Arc::new),
            keys: Keys::watch(settings.source()?),
        })
    }

    /// What a token of this issuer says, if it is for one of these audiences and for now
    async fn claims(
        &self,
        token: &str,
        (algorithm, key_id): (Algorithm, Option<&str>),
        audiences: &[String],
    ) -> Result<Map<String, Value>, Refused> {
        if !self.algorithms.contains(&algorithm) {
            return Err("the token is signed by an algorithm that is not taken of its issuer");
        }
        let key = match self.keys.find(algorithm, key_id).await {
            Lookup::Found(key) => key,
            Lookup::None => return Err("the key of the token is none of its issuer's"),
            Lookup::Away => {
                return Err(
                    "the key of the token is not known here, and its issuer could not be asked for it: try again",
                );
            }
        };
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY_S;
        validation.validate_nbf = true;
        validation.set_audience(audiences);
        validation.set_issuer(&[&self.name]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        let decoded = decode::<Map<String, Value>>(token, &key, &validation);
        let claims = decoded.map_err(|error| refusal(error.kind()))?.claims;
        let issued_at = claims.get("iat").and_then(Value::as_f64);
        if issued_at.is_some_and(|at| at > seconds_now() + LEEWAY_S as f64) {
            return Err("the token was issued in the future: compare the clocks");
        }
        Ok(claims)
    }
}

/// When a token ends, as long as the clocks may differ later
fn expires(claims: &Map<String, Value>) -> Instant {
    let seconds = claims.get("exp").and_then(Value::as_f64).unwrap_or_default();
    // A number that is too large is the largest; what has ended has ended.
    let micros = (seconds + LEEWAY_S as f64) * 1e6;
    #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
    Instant::saturating_from_micros(micros as i64)
}

fn seconds_now() -> f64 {
    crate::ask::now().micros() as f64 / 1e6
}

fn refusal(kind: &ErrorKind) -> Refused {
    match kind {
        ErrorKind::ExpiredSignature => "the token has expired",
        ErrorKind::ImmatureSignature => "the token is not valid yet",
        ErrorKind::InvalidAudience => "the token is for another audience than this server",
        ErrorKind::InvalidIssuer => "the issuer of the token is none that this server believes",
        ErrorKind::MissingRequiredClaim(_) => {
            "the token lacks one of the claims `exp`, `iss` and `aud`"
        }
        ErrorKind::InvalidSignature => "the signature of the token is wrong",
        _ => NO_TOKEN,
    }
}
