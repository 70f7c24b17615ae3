//! A ledger and a nats-server identify each other in every supported way; if one of them refuses the other, nothing
//! is appended and the process goes on
//!
//! Certificates, nkeys and JWTs are in `tests/nats/identities`, together with the script that made them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;

use std::fs;
use std::path::PathBuf;

use common::{Server, Start, entry, grant, landscape, poll};
use serde_json::{Value, json};
use tempfile::TempDir;
use tenure_test_nats::{Server as Nats, Start as StartNats, Version};

/// A flag and its value
type Flag<'a> = (&'a str, &'a str);

/// The path of a file in `tests/nats/identities`
fn identity(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/nats/identities");
    folder.join(name).to_str().unwrap().to_owned()
}

/// The content of a file in `tests/nats/identities`
fn said_by(name: &str) -> String {
    fs::read_to_string(identity(name)).unwrap().trim().to_owned()
}

/// The environment variable of a flag: `TENURE_NATS_TLS_CA` for `--nats-tls-ca`
fn variable(flag: &str) -> String {
    format!("TENURE_{}", flag.trim_start_matches("--").replace('-', "_").to_uppercase())
}

fn of_url(data: &TempDir, url: &str) -> Start {
    Start::on(data.path()).arg("--ledger", "acme").arg("--log", url)
}

fn with_flags(start: Start, flags: &[Flag<'_>]) -> Start {
    let said = |start: Start, (flag, value): &Flag<'_>| match *flag {
        // No argument has a password.
        "--nats-password" => start.env(&variable(flag), value),
        flag => start.arg(flag, value),
    };
    flags.iter().fold(start, said)
}

fn with_environment(start: Start, flags: &[Flag<'_>]) -> Start {
    flags.iter().fold(start, |start, (flag, value)| start.env(&variable(flag), value))
}

/// One grant, as the body of a request
fn one(name: &str) -> Value {
    json!({ "entries": [entry(&[grant(&format!("{name}@acme.example"))])] })
}

/// A nats-server, and a ledger that it accepts, with settings from flags and from the environment
struct Met {
    nats: Nats,
    ledger: Server,
    _folders: [TempDir; 2],
}

impl Met {
    /// Asserts that flags and environment variables lead to the same stream
    #[track_caller]
    fn by(version: Version, config: &str, flags: &[Flag<'_>]) -> Self {
        let nats = StartNats::with(version, config).running();
        let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
        let ledger = with_flags(of_url(&folders[0], &nats.url()), flags).ready();
        ledger.append(&landscape());
        let second = with_environment(of_url(&folders[1], &nats.url()), flags).ready();
        let position =
            second.append(&[entry(&[grant("carol@acme.example")])])[0]["position"].clone();
        second.stop();
        // The other ledger has read the entry that the first one appended.
        let read = poll(|| (ledger.position() == position).then_some(()));
        assert!(read.is_some(), "{}", ledger.stderr());
        Self { nats, ledger, _folders: folders }
    }

    /// Asserts that the nats-server keeps out a ledger with any of these flags, and that the ledger goes on; `why` is
    /// the complaint of the nats-server
    #[track_caller]
    fn keeps_out(&self, why: &str, strangers: &[&[Flag<'_>]]) {
        let url = self.nats.url();
        let position = self.ledger.position();
        std::thread::scope(|scope| {
            let kept = strangers.iter().map(|flags| scope.spawn(|| kept_out(&url, flags)));
            let kept: Vec<_> = kept.collect();
            kept.into_iter().for_each(|kept| kept.join().unwrap());
        });
        assert!(self.nats.said().contains(why), "{}", self.nats.said());
        // The next entry gets the next position: nothing came in between.
        let next = self.ledger.append(&[entry(&[grant(&format!("p{position}@acme.example"))])]);
        assert_eq!(next[0]["position"], position + 1, "{}", self.nats.said());
    }
}

/// A ledger that is kept out tries again, is not ready, appends nothing and goes on
fn kept_out(url: &str, flags: &[Flag<'_>]) {
    let data = TempDir::new().unwrap();
    let mut stranger = with_flags(of_url(&data, url), flags).listening().unwrap();
    let tried = || stranger.stderr().matches("no connection to NATS").count();
    let again = poll(|| (tried() >= 2).then_some(()));
    assert!(again.is_some(), "{flags:?}: {}", stranger.stderr());
    // Until the folder is read the answer says so. From then on an append waits for NATS.
    let appended = poll(|| {
        let answer = stranger.post("/v1/entries", &one("mallory"));
        (answer.json()["code"] != "not_ready").then_some(answer)
    });
    let appended = appended.unwrap_or_else(|| panic!("{flags:?}: {}", stranger.stderr()));
    appended.is_problem(503, "log_unavailable", &["NATS is away", "nothing was appended"]);
    let ready = stranger.get("/readyz");
    assert_eq!(ready.status, 503, "{flags:?}: {ready:?}");
    assert!(!stranger.stderr().contains("connected to NATS"), "{flags:?}: {}", stranger.stderr());
    stranger.get("/healthz").ok();
    assert!(!stranger.has_ended(), "{flags:?}: {}", stranger.stderr());
    stranger.stop();
}

/// Tries something on both servers at once, because most of the time is spent waiting
fn on_both(tried: impl Fn(Version) + Sync) {
    std::thread::scope(|scope| {
        let both = Version::ALL.map(|version| {
            scope.spawn({
                let tried = &tried;
                move || tried(version)
            })
        });
        for one in both {
            one.join().unwrap();
        }
    });
}

/// The nats-server's complaint about an unknown identity
const UNKNOWN: &str = "authentication error";
/// Its complaint when TLS with the other side fails
const NO_TLS: &str = "TLS handshake error";

const AUTHORITY: &str = "authorization { users: [ { user: ledger, password: right } ] }\n";

#[test]
fn a_user_with_a_password() {
    on_both(|version| {
        let right = [("--nats-user", "ledger"), ("--nats-password", "right")];
        let met = Met::by(version, AUTHORITY, &right);
        met.keeps_out(
            UNKNOWN,
            &[
                &[("--nats-user", "ledger"), ("--nats-password", "wrong")],
                &[("--nats-user", "other"), ("--nats-password", "right")],
                &[],
            ],
        );
    });
}

#[test]
fn an_nkey() {
    let config = format!("authorization {{ users: [ {{ nkey: {} }} ] }}\n", said_by("ledger.pub"));
    on_both(|version| {
        let met = Met::by(version, &config, &[("--nats-nkey", &identity("ledger.nk"))]);
        met.keeps_out(UNKNOWN, &[&[("--nats-nkey", &identity("stranger.nk"))], &[]]);
    });
}

#[test]
fn a_credentials_file() {
    let config = said_by("operator.conf");
    on_both(|version| {
        let met = Met::by(version, &config, &[("--nats-credentials", &identity("ledger.creds"))]);
        met.keeps_out(UNKNOWN, &[&[("--nats-credentials", &identity("stranger.creds"))], &[]]);
    });
}

/// A `tls` block with a longer timeout: a busy machine may need more than the default of two seconds
fn tls(more: &str) -> String {
    let (cert, key) = (identity("server.pem"), identity("server-key.pem"));
    format!("tls {{ cert_file: \"{cert}\", key_file: \"{key}\", timeout: 30 {more} }}\n")
}

#[test]
fn tls_with_an_authority_of_its_own() {
    on_both(|version| {
        let ca = identity("ca.pem");
        let met = Met::by(version, &tls(""), &[("--nats-tls-ca", &ca)]);
        let data = TempDir::new().unwrap();
        let required = [("--nats-tls-ca", ca.as_str()), ("--nats-tls-required", "true")];
        with_environment(of_url(&data, &met.nats.url()), &required).ready().stop();
        // The scheme of the URL can ask for TLS too.
        let url = met.nats.url().replace("nats://", "tls://");
        let data = TempDir::new().unwrap();
        with_flags(of_url(&data, &url), &required).ready().stop();
        // The system's authorities do not know the server either.
        met.keeps_out(NO_TLS, &[&[("--nats-tls-ca", &identity("other-ca.pem"))], &[]]);
    });
}

#[test]
fn a_certificate_of_its_own() {
    let (ca, own) = (identity("ca.pem"), (identity("client.pem"), identity("client-key.pem")));
    let config = tls(&format!(", ca_file: \"{ca}\", verify: true"));
    let with = |cert: &str, key: &str| -> Vec<(&str, String)> {
        vec![
            ("--nats-tls-ca", ca.clone()),
            ("--nats-tls-cert", cert.to_owned()),
            ("--nats-tls-key", key.to_owned()),
        ]
    };
    on_both(|version| {
        let right = with(&own.0, &own.1);
        let right: Vec<Flag<'_>> =
            right.iter().map(|(flag, value)| (*flag, value.as_str())).collect();
        let met = Met::by(version, &config, &right);
        let wrong = with(&identity("stranger.pem"), &identity("stranger-key.pem"));
        let wrong: Vec<Flag<'_>> =
            wrong.iter().map(|(flag, value)| (*flag, value.as_str())).collect();
        met.keeps_out(NO_TLS, &[&[("--nats-tls-ca", &ca)], &wrong]);
    });
}

#[test]
fn no_tls_where_it_is_required() {
    on_both(|version| {
        let met = Met::by(version, "", &[]);
        let ca = identity("ca.pem");
        // The server does not understand the bytes of a TLS handshake.
        met.keeps_out(
            "parser ERROR",
            &[
                &[("--nats-tls-required", "true")],
                &[("--nats-tls-required", "true"), ("--nats-tls-ca", &ca)],
            ],
        );
    });
}
