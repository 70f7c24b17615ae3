//! A person logs on in a browser at an issuer, and is known by a cookie that no other site can use
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;
mod issuer;

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use common::{Server, Start, poll};
use issuer::{Issuer, Key, SECRET};
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::http::Response;

struct Site {
    server: Server,
    issuer: Issuer,
    key: Key,
    /// Sends a browser nowhere by itself
    agent: ureq::Agent,
    _folder: TempDir,
}

impl Site {
    fn start() -> Self {
        let key = Key::rsa("r1");
        let issuer = Issuer::with(&[&key]);
        issuer.logs_on(&key, json!({ "email": "ann@x" }));
        let folder = tempfile::tempdir().unwrap();
        let (file, secret) = (folder.path().join("tenure.toml"), folder.path().join("secret"));
        fs::write(&secret, format!("{SECRET}\n")).unwrap();
        common::set_mode(&secret, 0o600);
        let mapping = "origin = \"corp\"\nuser = \"email\"";
        fs::write(&file, issuer.table(mapping) + &issuer.page(&secret)).unwrap();
        let port = tenure_test_nats::free_port();
        let url = format!("http://localhost:{port}");
        let server = Start::at(&folder.path().join("data"), &format!("127.0.0.1:{port}"))
            .arg("--config", file.to_str().unwrap())
            .arg("--public-url", &url)
            .ready();
        let agent = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
        Self { server, issuer, key, agent: agent.build().into(), _folder: folder }
    }

    fn get(&self, url: &str, cookies: &str) -> Response<ureq::Body> {
        let url =
            if url.starts_with('/') { format!("{}{url}", self.server.url()) } else { url.into() };
        self.agent.get(url).header("cookie", cookies).call().unwrap()
    }

    /// Begins to log on: the cookie, and where the issuer sends the browser back to
    fn begin(&self, path: &str) -> (String, String) {
        let login = self.get(&format!("/auth/login?return={path}"), "");
        assert_eq!(login.status(), 303);
        let begun = cookie(&login, "__Host-tenure-logon").unwrap();
        let at_issuer = self.get(&location(&login), "");
        assert_eq!(at_issuer.status(), 302);
        (begun, location(&at_issuer))
    }

    fn session(&self) -> String {
        let (begun, back) = self.begin("/v1/levels");
        let back = self.get(&back, &begun);
        assert_eq!((back.status().as_u16(), location(&back)), (303, "/v1/levels".to_owned()));
        assert_eq!(back.headers()["cache-control"], "no-store");
        cookie(&back, "__Host-tenure-session").unwrap()
    }

    fn change(&self, cookies: &str, headers: &[(&str, &str)], path: &str) -> (u16, Value) {
        let mut request =
            self.agent.post(format!("{}{path}", self.server.url())).header("cookie", cookies);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let level = json!({ "type": "create_level", "level": "global-account:g" });
        let mut answer =
            request.send_json(json!({ "actor": "user:corp/x", "changes": [level] })).unwrap();
        let status = answer.status().as_u16();
        (status, answer.body_mut().read_json().unwrap_or_default())
    }
}

fn location(response: &Response<ureq::Body>) -> String {
    response.headers()["location"].to_str().unwrap().to_owned()
}

/// A cookie that a response sets, as a browser sends it back
fn cookie(response: &Response<ureq::Body>, name: &str) -> Option<String> {
    let set = response.headers().get_all("set-cookie").iter().map(|line| line.to_str().unwrap());
    let line = set.into_iter().find(|line| line.starts_with(&format!("{name}=")))?;
    for part in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
        assert!(line.contains(part), "{line}");
    }
    assert!(!line.contains("Domain"), "{line}");
    Some(line.split(';').next().unwrap().to_owned())
}

fn code(mut response: Response<ureq::Body>) -> (u16, String) {
    let problem: Value = response.body_mut().read_json().unwrap();
    (response.status().as_u16(), problem["detail"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_person_logs_on_asks_changes_and_logs_off() {
    let site = Site::start();
    assert_eq!(site.get("/v1/levels", "").status(), 401);
    let session = site.session();
    assert_eq!(site.get("/v1/levels", &session).status(), 200);
    assert_eq!(site.get("/v1/levels", &format!("other=1; {session}")).status(), 200);
    assert_eq!(site.get("/v1/levels", "__Host-tenure-session=nobodys").status(), 401);

    // A cookie without its origin changes nothing, and no other site's page does.
    let own = site.server.url();
    assert_eq!(site.change(&session, &[], "/v1/entries").0, 403);
    assert_eq!(site.change(&session, &[("origin", "https://evil.example")], "/v1/entries").0, 403);
    let (status, answer) = site.change(&session, &[("origin", &own)], "/v1/entries");
    assert_eq!(status, 200, "{answer:#}");
    let row = site.get(&format!("/v1/entries/{}", answer["results"][0]["position"]), &session);
    let row: Value = { row }.body_mut().read_json().unwrap();
    assert_eq!(row["submitter"], "user:corp/ann@x");

    assert_eq!(site.change(&session, &[("origin", "https://evil.example")], "/auth/logout").0, 403);
    assert_eq!(site.get("/v1/levels", &session).status(), 200);
    assert_eq!(site.change(&session, &[("origin", &own)], "/auth/logout").0, 204);
    assert_eq!(site.get("/v1/levels", &session).status(), 401);
    let said = site.server.stderr();
    let text = session.split_once('=').unwrap().1;
    assert!(!said.contains(SECRET) && !said.contains(text), "{said}");
}

#[test]
fn a_log_on_that_is_not_this_browsers_or_not_true_logs_nobody_on() {
    let site = Site::start();
    let refused = |response: Response<ureq::Body>, part: &str| {
        assert_eq!(cookie(&response, "__Host-tenure-session"), None);
        let (status, detail) = code(response);
        assert!(status == 401 && detail.contains(part), "{status} {detail} / {part}");
    };
    // Another browser, or a link that somebody else made.
    let (begun, back) = site.begin("/");
    let (other, _) = site.begin("/");
    refused(site.get(&back, ""), "has not begun");
    refused(site.get(&back, &other), "has not begun");
    refused(site.get(&back.replace("state=", "state=x"), &begun), "has not begun");
    refused(site.get("/auth/callback?code=x", &begun), "has not begun");
    let state = back.split("state=").nth(1).unwrap();
    refused(
        site.get(&format!("/auth/callback?error=denied&state={state}"), &begun),
        "logged nobody on",
    );
    refused(
        site.get(&format!("/auth/callback?code=guessed&state={state}"), &begun),
        "gave no token",
    );
    // The code counts once.
    assert_eq!(site.get(&back, &begun).status(), 303);
    refused(site.get(&back, &begun), "gave no token");

    let foreign = Key::rsa("r1");
    for (key, claims, part) in [
        (&foreign, json!({ "email": "root@x" }), "signature of the token is wrong"),
        (&site.key, json!({ "email": "root@x", "nonce": "another" }), "another log-on"),
        (&site.key, json!({ "email": "root@x", "aud": "tenure" }), "another audience"),
        (&site.key, json!({ "email": "root@x", "aud": ["ledger", "b"] }), "somebody else"),
        (&site.key, json!({ "email": "root@x", "exp": 1 }), "expired"),
        (
            &site.key,
            json!({ "email": "root@x", "iss": "https://evil.example" }),
            "none that this server",
        ),
        (&site.key, json!({ "sub": "root" }), "names no person"),
    ] {
        site.issuer.logs_on(key, claims);
        let (begun, back) = site.begin("/");
        refused(site.get(&back, &begun), part);
    }
    site.issuer.is_away(true);
    refused(site.get(&back, &begun), "gave no token");

    for away in ["//evil.example", "https://evil.example", "/%5Cevil.example", "x"] {
        assert_eq!(site.get(&format!("/auth/login?return={away}"), "").status(), 400, "{away}");
    }
}

#[test]
fn browsers_that_hang_up_leave_no_more_questions_to_the_issuer_than_may_wait() {
    let site = Site::start();
    let (begun, back) = site.begin("/");
    site.issuer.is_slow(Duration::from_secs(2));
    let path = back.split_once(&site.server.address().port().to_string()).unwrap().1;
    for _ in 0..60 {
        let mut stream = TcpStream::connect(site.server.address()).unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {begun}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(10));
    }
    poll(|| (site.issuer.most_asking() > 0).then_some(())).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let most = site.issuer.most_asking();
    assert!((2..=16).contains(&most), "{most} at once");
}

#[test]
fn where_nobody_logs_on_there_is_nothing_to_begin() {
    let folder = tempfile::tempdir().unwrap();
    let server = Start::on(folder.path()).ready();
    server.get("/auth/login").is_problem(404, "not_found", &["nobody logs on"]);
    assert_eq!(server.get("/v1/levels").status, 200);
    // A page without the URL at which it is reached is refused at the start.
    let issuer = Issuer::with(&[]);
    let file = folder.path().join("tenure.toml");
    let mapping = "origin = \"corp\"\nuser = \"email\"";
    fs::write(&file, issuer.table(mapping) + &issuer.page(&file)).unwrap();
    let data = folder.path().join("other");
    let config = [file.to_str().unwrap(), data.to_str().unwrap()];
    let ran = common::tenure(&["serve", "--config", config[0], "--data", config[1]]);
    ran.exits(3).complains(&["public-url"]);
}
