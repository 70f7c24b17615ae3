//! An issuer of signed tokens: it has keys, publishes them over HTTP, rotates them and goes away
#![expect(dead_code, reason = "each test crate uses a part of it")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

/// Who the tokens are for
pub(crate) const AUDIENCE: &str = "tenure";

/// The id by which it knows the server at which people log on, and that server's secret
pub(crate) const CLIENT: &str = "ledger";
pub(crate) const SECRET: &str = "very-secret-of-the-client";

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

/// Someone who logs on: what the browser brought, and what the token will say of him
#[derive(Clone)]
struct LoggingOn {
    challenge: String,
    redirect: String,
    nonce: String,
}

struct State {
    keys: Mutex<Value>,
    /// Signs the tokens of those who log on, with these claims beside the usual
    page: Mutex<Option<(Key, Value)>>,
    logging_on: Mutex<HashMap<String, LoggingOn>>,
    away: AtomicBool,
    /// How long it takes for a token, in milliseconds, and how many ask for one
    slow: AtomicU64,
    asking: [AtomicUsize; 2],
    asked: AtomicUsize,
}

type Texts = HashMap<String, String>;

/// The target, the headers and the form of a request
fn request(stream: &TcpStream) -> Option<(String, Texts, Texts)> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let target = line.split(' ').nth(1)?.to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let form = form_urlencoded::parse(&body).into_owned().collect();
    Some((target, headers, form))
}

fn answer(status: &str, header: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{header}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

impl State {
    fn answer(&self, own: SocketAddr, target: &str, headers: &Texts, form: &Texts) -> String {
        const JSON: &str = "content-type: application/json\r\n";
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query: Texts = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        match path {
            // Whoever comes is logged on at once, and sent back with a code.
            "/authorize" => {
                let said = |name: &str| query[name].clone();
                assert_eq!(
                    (said("response_type"), said("code_challenge_method")),
                    ("code".into(), "S256".into())
                );
                assert_eq!(said("client_id"), CLIENT);
                let (challenge, redirect) = (said("code_challenge"), said("redirect_uri"));
                let code = format!("code-{}", self.asked.load(Ordering::SeqCst));
                let back = format!("location: {redirect}?code={code}&state={}\r\n", said("state"));
                let one = LoggingOn { challenge, redirect, nonce: said("nonce") };
                self.logging_on.lock().unwrap().insert(code, one);
                answer("302 Found", &back, "")
            }
            "/token" => {
                let [current, most] = &self.asking;
                most.fetch_max(current.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(self.slow.load(Ordering::SeqCst)));
                current.fetch_sub(1, Ordering::SeqCst);
                let found = self.logging_on.lock().unwrap().remove(&form["code"]);
                let verified = |one: &LoggingOn| {
                    let digest = aws_lc_rs::digest::digest(
                        &aws_lc_rs::digest::SHA256,
                        form["code_verifier"].as_bytes(),
                    );
                    URL_SAFE_NO_PAD.encode(digest.as_ref()) == one.challenge
                        && form["redirect_uri"] == one.redirect
                        && headers.get("authorization").map(String::as_str)
                            == Some(&format!(
                                "Basic {}",
                                STANDARD.encode(format!("{CLIENT}:{SECRET}"))
                            ))
                };
                let Some(one) = found.filter(verified) else {
                    return answer("400 Bad Request", JSON, "{\"error\":\"invalid_grant\"}");
                };
                let page = self.page.lock().unwrap();
                let (key, more) = page.as_ref().unwrap();
                let mut claims = json!({ "iss": format!("http://{own}"), "aud": CLIENT, "exp": now() + 60,
                                         "nonce": one.nonce });
                claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                answer("200 OK", JSON, &json!({ "id_token": key.sign(&claims) }).to_string())
            }
            _ => answer("200 OK", JSON, &self.keys.lock().unwrap().to_string()),
        }
    }
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
            page: Mutex::new(None),
            logging_on: Mutex::new(HashMap::new()),
            away: AtomicBool::new(false),
            slow: AtomicU64::new(0),
            asking: [AtomicUsize::new(0), AtomicUsize::new(0)],
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
                let serving = Arc::clone(&serving);
                std::thread::spawn(move || {
                    let Some((target, headers, form)) = request(&stream) else { return };
                    let answer = serving.answer(address, &target, &headers, &form);
                    drop(stream.write_all(answer.as_bytes()));
                });
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

    /// Takes so long for a token from now on
    pub(crate) fn is_slow(&self, patience: Duration) {
        let millis = u64::try_from(patience.as_millis()).unwrap();
        self.state.slow.store(millis, Ordering::SeqCst);
    }

    /// How many asked for a token at once, at most
    pub(crate) fn most_asking(&self) -> usize {
        self.state.asking[1].load(Ordering::SeqCst)
    }

    /// How often it was asked
    pub(crate) fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }

    /// Those who log on from now on get a token with these claims, signed by this key
    pub(crate) fn logs_on(&self, key: &Key, claims: Value) {
        *self.state.page.lock().unwrap() = Some((key.clone(), claims));
    }

    /// Its table of the page, at which people log on
    pub(crate) fn page(&self, secret: &std::path::Path) -> String {
        let (name, secret) = (self.name(), secret.display());
        format!(
            "[issuer.page]\nauthorize = \"{name}/authorize\"\ntoken = \"{name}/token\"\n\
             client-id = \"{CLIENT}\"\nclient-secret-file = \"{secret}\"\n"
        )
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
