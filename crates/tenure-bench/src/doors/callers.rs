//! By what tokens do callers say who they are?
//!
//! The callers' file has the digests of random tokens, and the row of a certificate. An issuer, whose keys are in a file,
//! has signed tokens for the same user: with RSA of 2,048 bits (RS256) and on the curve P-256 (ES256).

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};
use tenure_core::Principal;
use tenure_server::hall::token_digest;
use uuid::Uuid;

use super::certificates::CLIENT;
use super::server::{Arguments, write};

/// Who gets the ledger's own roles
pub(super) const ADMINISTRATOR: &str = "client:bench/administrator";
pub(super) const AUDITOR: &str = "client:bench/auditor";
pub(super) const SUBMITTER: &str = "client:bench/submitter";

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "tenure";
/// How long signed tokens are valid, in seconds
const VALID_S: u64 = 86_400;
/// Bytes in front of an RSA key of 2,048 bits in PKCS #8; behind them is the key in PKCS #1
const PKCS_8_HEAD: usize = 26;

/// The tokens of callers
pub(super) struct Callers {
    /// Of a user, by the callers' file and by the issuer
    pub(super) user: String,
    pub(super) rs256: String,
    pub(super) es256: String,
    /// Of three clients, by the callers' file
    pub(super) administrator: String,
    pub(super) auditor: String,
    pub(super) submitter: String,
    file: PathBuf,
    config: PathBuf,
}

/// A token that is as long as one of `tenure token new`
fn token() -> String {
    let text = [Uuid::new_v4(), Uuid::new_v4()].map(|id| id.simple().to_string()).concat();
    format!("tenure_{}", text.get(..43).unwrap_or(&text))
}

/// Signs claims by a new key whose id is the algorithm, and gives the token and the public key
fn signed(algorithm: Algorithm, claims: &Value) -> anyhow::Result<(String, Jwk)> {
    let key = if algorithm == Algorithm::RS256 {
        let der = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?.serialize_der();
        EncodingKey::from_rsa_der(der.get(PKCS_8_HEAD..).context("an RSA key is too short")?)
    } else {
        EncodingKey::from_ec_der(&KeyPair::generate()?.serialize_der())
    };
    let id = Some(format!("{algorithm:?}"));
    let mut public = Jwk::from_encoding_key(&key, algorithm)?;
    public.common.key_id.clone_from(&id);
    let header = Header { kid: id, ..Header::new(algorithm) };
    Ok((encode(&header, claims, &key)?, public))
}

impl Callers {
    /// Makes them for this user, and writes what servers read to a folder
    pub(super) fn make(folder: &Path, who: &Principal) -> anyhow::Result<Self> {
        let [user, administrator, auditor, submitter] = [(); 4].map(|()| token());
        let tokens = [
            (&user, who.as_str()),
            (&administrator, ADMINISTRATOR),
            (&auditor, AUDITOR),
            (&submitter, SUBMITTER),
        ];
        let rows = tokens.map(|(token, of)| {
            format!("[[token]]\nsha256 = \"{}\"\nprincipal = \"{of}\"\n", token_digest(token))
        });
        let certificate =
            format!("[[certificate]]\ncommon-name = \"{CLIENT}\"\nprincipal = \"{who}\"\n");
        let [file, keys, config] =
            ["callers.toml", "keys.json", "tenure.toml"].map(|name| folder.join(name));
        write(&file, &(rows.concat() + &certificate))?;

        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let claims = json!({"iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + VALID_S,
            "email": who.name()});
        let (rs256, rsa) = signed(Algorithm::RS256, &claims)?;
        let (es256, curve) = signed(Algorithm::ES256, &claims)?;
        write(&keys, &json!({"keys": [rsa, curve]}).to_string())?;
        let (keys, origin) = (keys.display(), who.origin());
        let issuer = format!(
            "[[issuer]]\nissuer = \"{ISSUER}\"\naudiences = [\"{AUDIENCE}\"]\njwks = \"{keys}\"\n\
             origin = \"{origin}\"\nuser = \"email\"\n"
        );
        write(&config, &issuer)?;
        Ok(Self { user, rs256, es256, administrator, auditor, submitter, file, config })
    }

    /// What a server is told so that it knows them
    pub(super) fn of_server(&self) -> Arguments {
        vec![("--tokens", self.file.clone()), ("--config", self.config.clone())]
    }
}
