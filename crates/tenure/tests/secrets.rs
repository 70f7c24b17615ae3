//! No secret is ever shown: not in a log, an answer, a metric, an error, or the list of processes
#![expect(
    clippy::unwrap_used,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

#[expect(dead_code, reason = "a test uses a part of it")]
mod certificates;
mod common;
mod issuer;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use certificates::Authority;
use common::{Start, clean, command, landscape, poll, run, write_secret};
use issuer::{Issuer, Key, SECRET};
use serde_json::json;
use tempfile::TempDir;
use tenure_server::hall::token_digest;
use tenure_test_nats::{Start as StartNats, Version};

const TOKEN: &str = "hidden-token-of-the-file";
const NATS: &str = "hidden-password-of-nats";

/// Everything that anybody could read
#[derive(Default)]
struct Seen(String);

impl Seen {
    fn add(&mut self, what: &str, text: &str) {
        writeln!(self.0, "{what}: {text}").unwrap();
    }

    /// Asserts that no line has any of these
    fn shows_none_of(&self, secrets: &[(&str, String)]) {
        for (what, secret) in secrets {
            assert!(secret.len() > 10, "{what} is too short to look for");
            for line in self.0.lines() {
                assert!(!line.contains(secret), "{what} is shown in: {line}");
            }
        }
    }
}

/// The arguments of a process, as `ps` shows them
fn arguments(id: u32) -> String {
    let bytes = fs::read(format!("/proc/{id}/cmdline")).unwrap();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

/// The longest line of a PEM file
fn line_of(pem: &str) -> String {
    pem.lines()
        .filter(|line| !line.starts_with('-'))
        .max_by_key(|line| line.len())
        .unwrap()
        .to_owned()
}

#[test]
fn a_run_that_uses_each_kind_of_secret_shows_none() {
    let config =
        format!("authorization {{ users: [ {{ user: ledger, password: \"{NATS}\" }} ] }}\n");
    let nats = StartNats::with(Version::Newest, &config).running();
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let shown = |path: &Path| path.to_str().unwrap().to_owned();
    let (key, foreign) = (Key::rsa("r1"), Key::rsa("r1"));
    let issuer = Issuer::with(&[&key]);
    issuer.logs_on(&key, json!({ "email": "ann@x" }));
    write_secret(&path("client-secret"), SECRET);
    let mapping = "origin = \"corp\"\nuser = \"email\"";
    let port = tenure_test_nats::free_port();
    let public = format!("https://localhost:{port}");
    fs::write(path("tenure.toml"), issuer.table(mapping) + &issuer.page(&path("client-secret")))
        .unwrap();
    let row = format!(
        "[[token]]\nsha256 = \"{}\"\nprincipal = \"client:corp/ci\"\n",
        token_digest(TOKEN)
    );
    write_secret(&path("callers.toml"), &row);
    write_secret(&path("token"), TOKEN);
    let authority = Authority::new("the authority");
    let server_identity = authority.server();
    let (cert, tls_key) = server_identity.write(folder.path(), "server");
    write_secret(&path("ca.pem"), &authority.pem());

    let server = Start::at(&path("data"), &format!("127.0.0.1:{port}"))
        .arg("--ledger", "acme")
        .arg("--config", &shown(&path("tenure.toml")))
        .arg("--public-url", &public)
        .arg("--tokens", &shown(&path("callers.toml")))
        .arg("--tls-cert", &shown(&cert))
        .arg("--tls-key", &shown(&tls_key))
        .env("TENURE_LOG", &nats.url_as("ledger", NATS))
        .env("TENURE_LOG_LEVEL", "trace")
        .listening()
        .unwrap();
    let mut seen = Seen::default();

    // By the command line, with the token of a file and of the environment, a wrong one, and one that has expired.
    let now = issuer.claims(json!({ "email": "ann@x" }));
    let mut late = now.clone();
    late["exp"] = json!(1);
    let (good, old, forged) = (key.sign(&now), key.sign(&late), foreign.sign(&now));
    let wrong = "hidden-token-of-nobody";
    let cli = |token: Option<&str>, arguments: &[&str]| {
        let mut cli = clean(command());
        cli.args(["--server", &public, "--server-ca", &shown(&path("ca.pem"))]).args(arguments);
        match token {
            Some(token) => cli.env("TENURE_TOKEN", token),
            None => cli.args(["--token-file", &shown(&path("token"))]),
        };
        run(&mut cli)
    };
    let entries = path("entries.json");
    fs::write(&entries, json!({ "entries": landscape() }).to_string()).unwrap();
    let mut last = None;
    let submitted = poll(|| {
        let ran = cli(None, &["submit", &shown(&entries)]);
        let code = ran.status.code();
        last = Some(ran);
        (code == Some(0)).then_some(())
    });
    assert!(submitted.is_some(), "{last:?}");
    for token in [None, Some(good.as_str()), Some(&old), Some(&forged), Some(wrong)] {
        let ran = cli(token, &["levels"]);
        seen.add("the command line", &format!("{}{}", ran.stdout, ran.stderr));
    }

    // By a browser that logs on, and by one that guesses.
    let pem = ureq::tls::Certificate::from_pem(authority.pem().as_bytes()).unwrap();
    let tls =
        ureq::tls::TlsConfig::builder().root_certs(ureq::tls::RootCerts::from(vec![pem])).build();
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let agent =
        ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).tls_config(tls);
    let agent: ureq::Agent = agent.build().into();
    let mut get = |path: &str, cookies: &str, token: &str| {
        let url =
            if path.starts_with("http") { path.to_owned() } else { format!("{public}{path}") };
        let mut request = agent.get(url).header("cookie", cookies);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut answer = request.call().unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        let header =
            |name: &str| answer.headers().get(name).map(|one| one.to_str().unwrap().to_owned());
        seen.add("an answer", &text);
        (answer.status().as_u16(), header("set-cookie"), header("location"), text)
    };
    let (_, begun, at_issuer, _) = get("/auth/login?return=/v1/levels", "", "");
    let begun = begun.unwrap().split(';').next().unwrap().to_owned();
    let (_, _, back, _) = get(&at_issuer.unwrap(), "", "");
    let back = back.unwrap();
    get(&back.replace("code=", "code=hidden-guess"), &begun, "");
    let (status, session, ..) = get(&back, &begun, "");
    assert_eq!(status, 303);
    let session = session.unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(get("/v1/levels", &session, "").0, 200);
    assert_eq!(get("/v1/levels", "__Host-tenure-session=hidden-cookie-of-nobody", "").0, 401);
    let (_, _, _, metrics) = get("/metrics", "", TOKEN);
    for (way, outcome) in
        [("bearer", "known"), ("bearer", "refused"), ("session", "known"), ("session", "refused")]
    {
        let counter = format!("tenure_callers_total{{way=\"{way}\",outcome=\"{outcome}\"}}");
        assert!(metrics.contains(&counter), "{counter} in {metrics}");
    }
    for path in ["/readyz", "/openapi.json", "/v1/entries", "/v1/who?can=x&on=y:z"] {
        get(path, "", TOKEN);
    }
    for path in ["/v1/levels", "/nothing"] {
        for token in [&good, &old, &forged, wrong] {
            get(path, "", token);
        }
    }

    // What is wrong with files is said without their text.
    write_secret(
        &path("callers.toml"),
        &format!("{row}[[token]]\nsha256 = \"hidden-line-of-the-file"),
    );
    poll(|| server.stderr().contains("callers.toml").then_some(())).unwrap();
    fs::write(path("wrong.toml"), "[nats]\npasword = \"hidden-line-of-the-file\"\n").unwrap();
    let ran = common::tenure(&["serve", "--config", &shown(&path("wrong.toml"))]);
    seen.add("a start", &ran.stderr);
    let mut help = command();
    help.args(["serve", "--help"]).env("TENURE_NATS_PASSWORD", NATS).env("TENURE_TOKEN", TOKEN);
    let help = run(&mut help);
    seen.add("the help", &help.stdout);
    seen.add("ps", &arguments(server.id()));
    seen.add("the log", &server.stderr());
    assert!(
        seen.0.contains("rustls") && seen.0.contains("tenure_position"),
        "it looks at too little"
    );

    let text = |text: &str| text.to_owned();
    let part = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    seen.shows_none_of(&[
        ("the token of the file", text(TOKEN)),
        ("its digest", token_digest(TOKEN)),
        ("a wrong token", text(wrong)),
        ("a signed token", part(&good)),
        ("a token that has expired", part(&old)),
        ("a forged token", part(&forged)),
        ("the session", session.split_once('=').unwrap().1.to_owned()),
        ("a guessed session", text("hidden-cookie-of-nobody")),
        ("the verifier of a log-on", begun.split('.').nth(2).unwrap().to_owned()),
        ("the secret of the client", text(SECRET)),
        ("the password of NATS", text(NATS)),
        ("the key of TLS", line_of(&server_identity.key)),
        ("a line of a file", text("hidden-line-of-the-file")),
    ]);
}
