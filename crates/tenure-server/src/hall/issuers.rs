//! Whose is a signed token (JWT, RFC 7519)?
//!
//! An issuer that the operator named has signed it, for this server, for now. Which of its claims name the user or the client
//! says the issuer's table in the configuration. Nothing of a token is believed before its signature is verified, but the
//! issuer by which its key is looked up.

mod keys;
mod mapping;
mod settings;

use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};
use tenure_core::Principal;

use self::keys::{Keys, Lookup};
use self::mapping::Mapping;

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

    /// Whose token it is; waits for the keys of its issuer if they have to be fetched, some seconds at most
    ///
    /// # Errors
    /// Why it is refused.
    ///
    /// # Cost
    /// One signature. A key that is unknown makes the issuer be asked, at most every [`keys::PAUSE_MIN`] whoever asks.
    pub(super) async fn owner(&self, token: &str) -> Result<Principal, Refused> {
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
        issuer.owner(token, alg, kid.as_deref()).await
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
            keys: Keys::watch(settings.source()?),
        })
    }

    async fn owner(
        &self,
        token: &str,
        algorithm: Algorithm,
        key_id: Option<&str>,
    ) -> Result<Principal, Refused> {
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
        validation.set_audience(&self.audiences);
        validation.set_issuer(&[&self.name]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        let decoded = decode::<Map<String, Value>>(token, &key, &validation);
        let claims = decoded.map_err(|error| refusal(error.kind()))?.claims;
        let issued_at = claims.get("iat").and_then(Value::as_f64);
        if issued_at.is_some_and(|at| at > seconds_now() + LEEWAY_S as f64) {
            return Err("the token was issued in the future: compare the clocks");
        }
        self.mapping.principal(&claims)
    }
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
