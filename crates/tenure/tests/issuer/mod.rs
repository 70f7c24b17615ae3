//! An issuer of signed tokens: it has keys, publishes them over HTTP, rotates them and goes away

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

/// Who the tokens are for
pub(crate) const AUDIENCE: &str = "tenure";

/// A pair of keys
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) algorithm: Algorithm,
    private: EncodingKey,
}

impl Key {
    /// Makes one for RS256
    pub(crate) fn rsa(id: &str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        // The key itself (PKCS #1) stands behind what PKCS #8 says of it, which is as long for every key of this size.
        let private = EncodingKey::from_rsa_der(&der.as_ref()[26..]);
        Self { id: id.to_owned(), algorithm: Algorithm::RS256, private }
    }

    /// Makes one for ES256
    pub(crate) fn curve(id: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let der = pair.to_pkcs8v1().unwrap();
        let private = EncodingKey::from_ec_der(der.as_ref());
        Self { id: id.to_owned(), algorithm: Algorithm::ES256, private }
    }

    /// The public half, as a key set has it
    pub(crate) fn public(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.private, self.algorithm).unwrap();
        jwk.common.key_id = Some(self.id.clone());
        serde_json::to_value(jwk).unwrap()
    }

    /// Signs claims
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.id.clone()), ..Header::new(self.algorithm) };
        self.sign_as(&header, claims)
    }

    /// Signs claims under a header
    pub(crate) fn sign_as(&self, header: &Header, claims: &Value) -> String {
        encode(header, claims, &self.private).unwrap()
    }
}

/// Seconds from 1970 until now
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

struct State {
    keys: Mutex<Value>,
    away: AtomicBool,
    asked: AtomicUsize,
}

/// The issuer
pub(crate) struct Issuer {
    address: SocketAddr,
    state: Arc<State>,
}

impl Issuer {
    /// One with these keys
    pub(crate) fn with(keys: &[&Key]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            keys: Mutex::new(Value::Null),
            away: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                serving.asked.fetch_add(1, Ordering::SeqCst);
                if serving.away.load(Ordering::SeqCst) {
                    continue;
                }
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let read =
                    lines.take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty()));
                drop(read.collect::<Vec<_>>());
                let body = serving.keys.lock().unwrap().to_string();
                let length = body.len();
                let head =
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
                drop(write!(stream, "{head}content-length: {length}\r\n\r\n{body}"));
            }
        });
        let issuer = Self { address, state };
        issuer.publish(&keys.iter().map(|key| key.public()).collect::<Vec<_>>());
        issuer
    }

    /// Publishes these keys from now on
    pub(crate) fn publish(&self, keys: &[Value]) {
        *self.state.keys.lock().unwrap() = json!({ "keys": keys });
    }

    /// Answers nobody, or everybody again
    pub(crate) fn is_away(&self, away: bool) {
        self.state.away.store(away, Ordering::SeqCst);
    }

    /// How often it was asked
    pub(crate) fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }

    /// Its name
    pub(crate) fn name(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Claims that are good for a minute
    pub(crate) fn claims(&self, more: Value) -> Value {
        let mut claims = json!({
            "iss": self.name(), "aud": AUDIENCE, "iat": now(), "nbf": now(), "exp": now() + 60,
        });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        claims
    }

    /// Its table in the configuration of a server
    pub(crate) fn table(&self, more: &str) -> String {
        let name = self.name();
        format!(
            "[[issuer]]\nissuer = \"{name}\"\naudiences = [\"{AUDIENCE}\"]\njwks = \"{name}/keys\"\n{more}\n"
        )
    }
}
