//! A server with TLS: what it speaks, who clients are by their certificates, and what strangers can do to it
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod certificates;
mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream as Plain};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use certificates::{Authority, Identity, expired, expires_in, with_email, with_uri};
use common::http2::{Http2, block_on};
use common::{
    Answer, PATIENCE, Ran, Server, Start, command, landscape, poll, raw, run, set_mode,
    write_secret as write,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use ureq::http::Request;

const CI: &str = "client:corp/ci";

/// A client of TLS
#[derive(Clone)]
struct Client {
    config: Arc<ClientConfig>,
}

impl Client {
    fn new(
        authority: &Authority,
        identity: Option<&Identity>,
        protocols: &[&str],
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match identity {
            None => config.with_no_client_auth(),
            Some(identity) => {
                let cert = CertificateDer::from_pem_slice(identity.cert.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
                config.with_client_auth_cert(vec![cert], key).unwrap()
            }
        };
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Self { config: Arc::new(config) }
    }

    async fn connect(&self, address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::clone(&self.config)).connect(name, stream).await
    }

    /// Asks over HTTP/1.1; the whole answer, or why there is none
    async fn http_1(&self, address: SocketAddr, line: &str, more: &str) -> std::io::Result<String> {
        let mut stream = self.connect(address).await?;
        let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}");
        stream.write_all(head.as_bytes()).await?;
        let mut answer = String::new();
        match stream.read_to_string(&mut answer).await {
            Err(error) if answer.is_empty() => Err(error),
            _ => Ok(answer),
        }
    }

    async fn http_2(&self, address: SocketAddr) -> Http2 {
        let stream = self.connect(address).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        Http2::over(stream, &h2::client::Builder::new()).await
    }
}

/// A server with TLS, and what it was started with
struct Guarded {
    server: Server,
    folder: TempDir,
    authority: Authority,
    callers: PathBuf,
}

impl Guarded {
    fn start(more: &[(&str, &str)]) -> Self {
        Self::with(None, more)
    }

    /// A server that takes certificates of its own authority, and these callers
    fn with(callers: Option<&str>, more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new("the authority");
        let (cert, key) = authority.server().write(folder.path(), "server");
        let ca = folder.path().join("ca.pem");
        write(&ca, &authority.pem());
        let file = folder.path().join("callers.toml");
        let mut start = Start::on(&folder.path().join("data"))
            .arg("--tls-cert", cert.to_str().unwrap())
            .arg("--tls-key", key.to_str().unwrap());
        if let Some(callers) = callers {
            write(&file, callers);
            start = start.arg("--tokens", file.to_str().unwrap());
            start = start.arg("--client-ca", ca.to_str().unwrap());
        }
        for (name, value) in more {
            start = start.arg(name, value);
        }
        let server = start.listening().unwrap();
        let guarded = Self { server, folder, authority, callers: file };
        let client = guarded.client(None, &[]);
        poll(|| {
            let answer = block_on(client.http_1(guarded.address(), "GET /readyz", "\r\n")).ok()?;
            answer.starts_with("HTTP/1.1 200").then_some(())
        })
        .unwrap_or_else(|| panic!("{}", guarded.server.stderr()));
        guarded
    }

    fn address(&self) -> SocketAddr {
        self.server.address()
    }

    fn client(&self, identity: Option<&Identity>, protocols: &[&str]) -> Client {
        Client::new(&self.authority, identity, protocols, &[&TLS13, &TLS12])
    }

    /// Status and JSON of a question over HTTP/1.1
    fn asked(&self, identity: Option<&Identity>, more: &str) -> (u16, Value) {
        let client = self.client(identity, &["http/1.1"]);
        let more = format!("{more}\r\n");
        let answer = block_on(client.http_1(self.address(), "GET /v1/levels", &more)).unwrap();
        parsed(&answer)
    }

    fn cli(&self, more: &[&str], arguments: &[&str]) -> Ran {
        let server = format!("https://localhost:{}", self.address().port());
        run(command().args(["--server", &server]).args(more).args(arguments))
    }
}

fn parsed(answer: &str) -> (u16, Value) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

fn row(name: &str, principal: &str) -> String {
    format!("[[certificate]]\n{name}\nprincipal = \"{principal}\"\n")
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

#[test]
fn both_kinds_of_http_are_spoken_over_tls_1_2_and_1_3() {
    let guarded = Guarded::start(&[]);
    let address = guarded.address();
    block_on(async {
        for version in [&TLS12, &TLS13] {
            let client =
                |protocols: &[&str]| Client::new(&guarded.authority, None, protocols, &[version]);
            for protocols in [&[][..], &["http/1.1"]] {
                let client = client(protocols);
                let answer = client.http_1(address, "GET /v1/levels", "\r\n").await.unwrap();
                assert_eq!(parsed(&answer).0, 200, "{answer}");
            }
            let mut http_2 = client(&["h2", "http/1.1"]).http_2(address).await;
            http_2.get("/v1/levels").await.ok();
            let other = client(&["spdy/3"]).connect(address).await;
            assert!(other.is_err(), "no protocol of both");
        }
        // A stranger's authority vouches for nobody here.
        let stranger = Client::new(&Authority::new("another"), None, &[], &[&TLS13]);
        assert!(stranger.connect(address).await.is_err());
    });
    guarded.server.stop();
}

/// The alert of a server whom a client offers TLS 1.1 and nothing newer
#[test]
fn tls_1_1_is_not_offered() {
    let guarded = Guarded::start(&[]);
    let mut hello = vec![3, 2]; // TLS 1.1
    hello.extend([7; 32]); // random
    hello.extend([0, 0, 4, 0xc0, 0x13, 0xc0, 0x09, 1, 0]); // no session, two suites, no compression
    // elliptic curves, their points, signatures
    let extensions = [0, 10, 0, 4, 0, 2, 0, 0x17, 0, 11, 0, 2, 1, 0, 0, 13, 0, 4, 0, 2, 4, 3];
    hello.extend([0, u8::try_from(extensions.len()).unwrap()]);
    hello.extend(extensions);
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(hello);
    let mut stream = Plain::connect(guarded.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&record).unwrap();
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    // An alert, fatal: protocol_version
    assert_eq!([answer[0], answer[5], answer[6]], [21, 2, 70], "{answer:?}");
    assert_eq!(answer.len(), 7, "and nothing else");
    guarded.server.stop();
}

#[test]
fn a_client_that_speaks_no_tls_is_closed_without_harm() {
    let guarded = Guarded::start(&[]);
    let no_tls = [
        &b"GET /v1/levels HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &[0x16, 3, 1, 0xff, 0xff],
        &[0; 4_096],
    ];
    for bytes in no_tls {
        let mut stream = Plain::connect(guarded.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        drop(stream.write_all(bytes));
        drop(stream.shutdown(std::net::Shutdown::Write));
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        assert!(!String::from_utf8_lossy(&answer).contains("HTTP"), "{answer:?}");
    }
    assert_eq!(guarded.asked(None, "").0, 200);
    guarded.server.stop();
}

#[test]
fn a_handshake_that_never_ends_holds_up_nobody_and_ends() {
    // 16 connections at once
    let guarded = Guarded::start(&[("--requests-max", "1")]);
    let silent = |bytes: &[u8]| {
        let mut stream = Plain::connect(guarded.address()).unwrap();
        stream.write_all(bytes).unwrap();
        stream
    };
    let some: Vec<Plain> = [&b""[..], &[22, 3, 1, 2, 0, 1]]
        .iter()
        .cycle()
        .take(10)
        .map(|bytes| silent(bytes))
        .collect();
    assert_eq!(guarded.asked(None, "").0, 200, "others are served meanwhile");
    let more: Vec<Plain> = (0..6).map(|_| silent(b"")).collect();
    let client = guarded.client(None, &[]);
    let question = client.http_1(guarded.address(), "GET /healthz", "\r\n");
    let soon = block_on(async { tokio::time::timeout(Duration::from_secs(2), question).await });
    assert!(soon.is_err(), "a connection in handshake counts");
    assert_eq!(guarded.asked(None, "").0, 200, "after the time of a handshake");
    drop((some, more));
    guarded.server.stop();
}

#[test]
fn a_renewed_certificate_is_taken_without_a_restart_and_a_broken_one_is_not() {
    let guarded = Guarded::start(&[]);
    let folder = guarded.folder.path();
    let client = guarded.client(None, &[]);
    let shown = || {
        let stream = block_on(client.connect(guarded.address())).unwrap();
        let (_, session) = stream.get_ref();
        session.peer_certificates().unwrap()[0].to_vec()
    };
    let first = shown();
    // A connection that is there goes on.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut kept = runtime.block_on(guarded.client(None, &["h2"]).http_2(guarded.address()));
    let renewed = guarded.authority.server();
    renewed.write(folder, "server");
    poll(|| (shown() != first).then_some(()))
        .unwrap_or_else(|| panic!("{}", guarded.server.stderr()));
    runtime.block_on(kept.get("/healthz")).ok();
    let second = shown();
    let other = guarded.authority.server();
    for (cert, key, said) in [
        (&*other.cert, &*renewed.key, "not the key of the certificate"),
        ("nothing", &renewed.key, "no certificate in PEM"),
        (&renewed.cert, "nothing", "no private key in PEM"),
    ] {
        write(&folder.join("server.key.pem"), key);
        write(&folder.join("server.pem"), cert);
        poll(|| guarded.server.stderr().contains(said).then_some(()))
            .unwrap_or_else(|| panic!("{said}: {}", guarded.server.stderr()));
        assert!(guarded.server.stderr().contains("what was read before still counts"));
        assert_eq!(shown(), second, "{said}");
    }
    other.write(folder, "server");
    poll(|| (shown() != second).then_some(()))
        .unwrap_or_else(|| panic!("{}", guarded.server.stderr()));
    for secret in [&other.key, &renewed.key] {
        let line = secret.lines().nth(1).unwrap();
        assert!(!guarded.server.stderr().contains(line), "a key is in the log");
    }
    drop(kept);
    guarded.server.stop();
}

#[test]
fn a_certificate_says_who_asks_by_its_row_and_a_wrong_credential_is_the_end() {
    let rows = row("common-name = \"ci\"", CI)
        + &row("uri = \"spiffe://acme.example/crm\"", "client:corp/crm")
        + &row("email = \"ann@acme.example\"", "user:corp/ann@acme.example")
        + &row("common-name = \"left\"\nexpires = \"2020-01-01\"", "client:corp/left");
    let guarded = Guarded::with(Some(&rows), &[]);
    let authority = &guarded.authority;
    let ci = authority.client("ci");
    let crm = authority.client_with("crm", with_uri("spiffe://acme.example/crm"));
    let ann = authority.client_with("Ann", with_email("ann@acme.example"));
    // Each appends, and the log says who.
    for (identity, submitter) in
        [(&ci, CI), (&crm, "client:corp/crm"), (&ann, "user:corp/ann@acme.example")]
    {
        let body = json!({ "entries": landscape() }).to_string();
        let more = format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let client = guarded.client(Some(identity), &[]);
        let answer = block_on(client.http_1(guarded.address(), "POST /v1/entries", &more)).unwrap();
        let (status, answer) = parsed(&answer);
        assert_eq!(status, 200, "{answer:#}");
        let position = answer["results"][0]["position"].as_u64().unwrap();
        let client = guarded.client(Some(identity), &["h2"]);
        let row = block_on(async {
            let mut http_2 = client.http_2(guarded.address()).await;
            http_2.get(&format!("/v1/entries/{position}")).await.ok()
        });
        assert_eq!(row["submitter"], submitter, "{row:#}");
    }
    let refused = |identity: Option<&Identity>, more: &str, part: &str| {
        let (status, problem) = guarded.asked(identity, more);
        assert_eq!((status, &problem["code"]), (401, &json!("unauthenticated")), "{problem:#}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(part), "{detail}");
        // It names nobody whom the file names.
        assert!(!["corp", "spiffe", "ann@"].iter().any(|name| detail.contains(name)), "{detail}");
    };
    refused(None, "", "say who you are");
    for unknown in ["nobody", "left", "CI", "ann@acme.example", "spiffe://acme.example/crm"] {
        refused(Some(&authority.client(unknown)), "", "[[certificate]]");
    }
    // A name of another kind, and names of two principals
    refused(Some(&authority.client_with("x", with_uri("ci"))), "", "[[certificate]]");
    let both = authority.client_with("ci", with_uri("spiffe://acme.example/crm"));
    refused(Some(&both), "", "[[certificate]]");
    refused(Some(&ci), "Authorization: Bearer nobodys\r\n", "token");
    // In the handshake, so that nothing is asked.
    let of_another = Authority::new("another").client("ci");
    // It has the same name and another key.
    let of_namesake = Authority::new("the authority").client("ci");
    let old = authority.client_with("ci", expired);
    for (identity, what) in
        [(&of_another, "another authority"), (&of_namesake, "a namesake"), (&old, "expired")]
    {
        for version in [&TLS12, &TLS13] {
            let client = Client::new(authority, Some(identity), &[], &[version]);
            let answer = block_on(client.http_1(guarded.address(), "GET /v1/levels", "\r\n"));
            assert!(answer.is_err(), "{what}: {answer:?}");
        }
    }
    guarded.server.stop();
}

#[test]
fn a_row_that_is_taken_out_counts_no_more_on_a_connection_that_is_there() {
    let guarded = Guarded::with(Some(&row("common-name = \"ci\"", CI)), &[]);
    let identity = guarded.authority.client("ci");
    block_on(async {
        let mut http_2 = guarded.client(Some(&identity), &["h2"]).http_2(guarded.address()).await;
        http_2.get("/v1/levels").await.ok();
        write(&guarded.callers, &row("common-name = \"other\"", CI));
        let mut last: Option<Answer> = None;
        for _ in 0..600 {
            let answer = http_2.get("/v1/levels").await;
            let refused = answer.status != 200;
            last = Some(answer);
            if refused {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        last.unwrap().is_problem(401, "unauthenticated", &["[[certificate]]"]);
        write(&guarded.callers, &row("common-name = \"ci\"", CI));
        for _ in 0..600 {
            if http_2.get("/v1/levels").await.status == 200 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it is not known again: {}", guarded.server.stderr());
    });
    guarded.server.stop();
}

#[test]
fn where_certificates_are_taken_each_connection_shows_its_own() {
    let second = |guarded: &Guarded, identity: Option<&Identity>, version| {
        let client = Client::new(&guarded.authority, identity, &[], &[version]);
        block_on(async {
            client.http_1(guarded.address(), "GET /healthz", "\r\n").await.unwrap();
            let stream = client.connect(guarded.address()).await.unwrap();
            stream.get_ref().1.handshake_kind()
        })
    };
    let open = Guarded::start(&[]);
    let taken = Guarded::with(Some(&row("common-name = \"ci\"", CI)), &[]);
    let ci = taken.authority.client("ci");
    for version in [&TLS12, &TLS13] {
        assert_eq!(second(&open, None, version), Some(HandshakeKind::Resumed));
        for identity in [None, Some(&ci)] {
            let kind = second(&taken, identity, version);
            assert!(kind.is_some_and(|kind| kind != HandshakeKind::Resumed), "{kind:?}");
        }
    }
    open.server.stop();
    taken.server.stop();
}

#[test]
fn a_certificate_that_expires_on_a_connection_that_is_there_counts_no_more() {
    let guarded = Guarded::with(Some(&row("common-name = \"ci\"", CI)), &[]);
    block_on(async {
        let identity = guarded.authority.client_with("ci", expires_in(8));
        let mut http_2 = guarded.client(Some(&identity), &["h2"]).http_2(guarded.address()).await;
        http_2.get("/v1/levels").await.ok();
        for _ in 0..600 {
            let answer = http_2.get("/v1/levels").await;
            if answer.status != 200 {
                answer.is_problem(401, "unauthenticated", &["has expired"]);
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it is still known");
    });
    guarded.server.stop();
}

#[test]
fn the_command_line_asks_over_https_as_the_owner_of_a_certificate() {
    let guarded = Guarded::with(Some(&row("common-name = \"ci\"", CI)), &[]);
    let folder = guarded.folder.path();
    let ca = path(folder, "ca.pem");
    let (cert, key) = guarded.authority.client("ci").write(folder, "ci");
    let [cert, key] = [cert, key].map(|path| path.to_str().unwrap().to_owned());
    let own = ["--server-ca", &ca, "--client-cert", &cert, "--client-key", &key];
    for (n, entry) in landscape().iter().enumerate() {
        let file = folder.join(format!("{n}.json"));
        fs::write(&file, entry.to_string()).unwrap();
        let sent = guarded.cli(&own, &["submit", file.to_str().unwrap()]);
        sent.exits(0);
    }
    let levels = guarded.cli(&own, &["levels"]);
    assert!(levels.exits(0).stdout.contains("subaccount:dev"), "{levels:#?}");
    // By the environment, and by the authorities that the system trusts
    let server = format!("https://localhost:{}", guarded.address().port());
    let by_environment = |ca_name: &str| {
        run(command()
            .arg("levels")
            .env("TENURE_SERVER", &server)
            .env(ca_name, &ca)
            .env("TENURE_CLIENT_CERT", &cert)
            .env("TENURE_CLIENT_KEY", &key))
    };
    for name in ["TENURE_SERVER_CA", "SSL_CERT_FILE"] {
        let levels = by_environment(name);
        assert!(levels.exits(0).stdout.contains("subaccount:dev"), "{levels:#?}");
    }
    let unknown = guarded.cli(&["--client-cert", &cert, "--client-key", &key], &["levels"]);
    unknown.exits(3).complains(&["no server answers at https://localhost", "certificate"]);
    guarded.cli(&["--server-ca", &ca], &["levels"]).exits(3).complains(&["unauthenticated"]);
    let half = guarded.cli(&["--server-ca", &ca, "--client-cert", &cert], &["levels"]);
    half.exits(3).complains(&["--client-key"]);
    let (_, other) = guarded.authority.client("other").write(folder, "other");
    let other = other.to_str().unwrap().to_owned();
    let wrong = ["--server-ca", &ca, "--client-cert", &cert, "--client-key", &other];
    guarded.cli(&wrong, &["levels"]).exits(3).complains(&["other.key.pem", "is not the key"]);
    let none = path(folder, "none.pem");
    guarded
        .cli(&["--server-ca", &none], &["levels"])
        .exits(3)
        .complains(&["none.pem", "cannot be read"]);
    let (_, log) = parsed(
        &block_on(
            guarded
                .client(
                    Some(&Identity {
                        cert: fs::read_to_string(&cert).unwrap(),
                        key: fs::read_to_string(&key).unwrap(),
                    }),
                    &[],
                )
                .http_1(guarded.address(), "GET /v1/entries?submitter=client:corp/ci", "\r\n"),
        )
        .unwrap(),
    );
    assert_eq!(log["entries"].as_array().unwrap().len(), landscape().len(), "{log:#}");
    guarded.server.stop();
}

#[test]
fn files_that_cannot_be_used_are_refused_at_the_start_with_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let authority = Authority::new("the authority");
    let (cert, key) = authority.server().write(folder, "server");
    let [cert, key] = [cert, key].map(|path| path.to_str().unwrap().to_owned());
    let callers = path(folder, "callers.toml");
    write(Path::new(&callers), &row("common-name = \"ci\"", CI));
    let start = |arguments: &[(&str, &str)]| {
        let mut start = Start::on(&folder.join("data"));
        for (name, value) in arguments {
            start = start.arg(name, value);
        }
        start.listening()
    };
    let refused = |arguments: &[(&str, &str)], parts: &[&str]| {
        start(arguments).unwrap_err().exits(3).complains(parts);
    };
    let (tls_cert, tls_key) = (("--tls-cert", &*cert), ("--tls-key", &*key));
    refused(&[("--client-ca", &cert)], &["client-ca", "tls-cert"]);
    refused(&[tls_cert], &["tls-key"]);
    refused(&[tls_key], &["tls-cert"]);
    refused(&[tls_cert, tls_key, ("--client-ca", &cert)], &["client-ca", "tokens"]);
    refused(&[tls_cert, ("--tls-key", &cert)], &["server.pem", "no private key in PEM"]);
    set_mode(Path::new(&key), 0o640);
    refused(&[tls_cert, tls_key], &["server.key.pem", "mode 0640"]);
    set_mode(Path::new(&key), 0o600);
    // Rows that nobody can use are said, and no more.
    write(
        Path::new(&callers),
        &(row("common-name = \"ci\"", CI)
            + "[[peer]]\nuid = 7\nprincipal = \"client:corp/backup\"\n"),
    );
    let server = start(&[("--tokens", &callers)]).unwrap();
    for said in ["no certificate is asked for", "count at a Unix socket alone"] {
        assert!(server.stderr().contains(said), "{}", server.stderr());
    }
    server.stop();
    // Operators are answered in plain HTTP beside it.
    let data = tempfile::tempdir().unwrap();
    let server = Start::on(data.path())
        .arg("--tls-cert", &cert)
        .arg("--tls-key", &key)
        .arg("--operators-listen", "127.0.0.1:0")
        .listening()
        .unwrap();
    let operators = || {
        let said = server.stderr();
        let mut events = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.find_map(|event| event["fields"]["operators"].as_str()?.parse::<SocketAddr>().ok())
    };
    let operators = poll(operators).expect("where operators are answered");
    let head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert!(raw(operators, head).starts_with("HTTP/1.1 200"));
    server.stop();
}

#[test]
fn a_host_that_is_not_the_servers_is_refused_over_tls_too() {
    let guarded = Guarded::start(&[]);
    block_on(async {
        let mut http_2 = guarded.client(None, &["h2"]).http_2(guarded.address()).await;
        let request = Request::get("https://evil.example/v1/levels").body(()).unwrap();
        let answer = http_2.send(request, true).await.answer().await;
        answer.is_problem(421, "bad_host", &["evil.example"]);
    });
    guarded.server.stop();
}
