//! Who sends a token is known, who sends none is turned away before anything is looked up, and no token is ever shown
#![expect(
    clippy::unwrap_used,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use common::{Ran, Server, Start, command, grant, landscape, poll, run};
use serde_json::{Value, json};
use tempfile::TempDir;

const CI: &str = "client:corp/ci";
const ANN: &str = "user:corp/ann@x";

/// A token that the command line made, and its lines for the file
fn made(principal: &str, more: &[&str]) -> (String, String) {
    let ran = run(command().args(["token", "new", "--principal", principal]).args(more));
    assert!(ran.status.success(), "{ran:?}");
    let token = ran.stdout.lines().next().unwrap().strip_prefix("# ").unwrap().to_owned();
    (token, ran.stdout)
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

struct Guarded {
    server: Server,
    folder: TempDir,
    tokens: PathBuf,
}

/// A server that knows these lines of tokens
fn guarded(lines: &str) -> Guarded {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens.toml");
    write(&tokens, lines);
    let server = Start::on(&folder.path().join("data"));
    let server = server.arg("--tokens", tokens.to_str().unwrap()).ready();
    Guarded { server, folder, tokens }
}

/// The status and the JSON of a request with an `authorization`
fn request(
    server: &Server,
    method: &str,
    path: &str,
    sent: Option<&str>,
    body: &Value,
) -> (u16, Value) {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut request =
        ureq::http::Request::builder().method(method).uri(format!("{}{path}", server.url()));
    if let Some(sent) = sent {
        request = request.header("authorization", sent);
    }
    let request = request.header("content-type", "application/json");
    let mut answer = match method {
        "GET" => agent.run(request.body(()).unwrap()).unwrap(),
        _ => agent.run(request.body(body.to_string()).unwrap()).unwrap(),
    };
    if answer.status() == 401 {
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
        // The body was not read, so nothing else is heard on that connection.
        let closes = answer.headers().get("connection").is_some_and(|close| close == "close");
        assert_eq!(closes, method == "POST");
    }
    let text = answer.body_mut().read_to_string().unwrap();
    (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::Null))
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn cli(server: &Server, token: &str, arguments: &[&str]) -> Ran {
    run(command().args(["--server", &server.url()]).args(arguments).env("TENURE_TOKEN", token))
}

#[test]
fn who_sends_a_token_is_recorded_and_who_sends_none_is_turned_away() {
    let (token, lines) = made(CI, &[]);
    let Guarded { server, folder: _folder, .. } = guarded(&lines);
    let entries = json!({ "entries": landscape() });
    let sent = bearer(&token);
    let (status, answer) = request(&server, "POST", "/v1/entries", Some(&sent), &entries);
    assert_eq!(status, 200, "{answer:#}");
    let (_, log) =
        request(&server, "GET", "/v1/entries?submitter=client:corp/ci", Some(&sent), &Value::Null);
    assert_eq!(log["entries"].as_array().unwrap().len(), landscape().len(), "{log:#}");

    let (_, before) = request(&server, "GET", "/v1/levels", Some(&sent), &Value::Null);
    for wrong in
        [None, Some("Bearer nobodys"), Some("Basic YTpi"), Some("Bearer"), Some(token.as_str())]
    {
        for (method, path) in [
            ("GET", "/v1/levels"),
            ("GET", "/v1/who?can=destinations.manage&on=subaccount:dev"),
            ("GET", "/v1/who?can=no.such&on=subaccount:none"),
            ("GET", "/v1/entries/1"),
            ("GET", "/v1/changes"),
            ("GET", "/metrics"),
            ("GET", "/openapi.json"),
            ("POST", "/v1/entries"),
            ("POST", "/v1/check"),
        ] {
            let (status, problem) = request(&server, method, path, wrong, &entries);
            assert_eq!(
                (status, &problem["code"]),
                (401, &json!("unauthenticated")),
                "{path} {wrong:?}"
            );
            assert!(!problem.to_string().contains(&token), "{problem}");
        }
    }
    for free in ["/healthz", "/readyz"] {
        assert_eq!(request(&server, "GET", free, None, &Value::Null).0, 200, "{free}");
    }
    let (_, after) = request(&server, "GET", "/v1/levels", Some(&sent), &Value::Null);
    assert_eq!(before["as_of"]["known_at"], after["as_of"]["known_at"], "nothing was appended");

    // Where no tokens are configured, a token is none.
    let data = tempfile::tempdir().unwrap();
    let open = Start::on(data.path()).ready();
    assert_eq!(request(&open, "GET", "/v1/levels", Some(&sent), &Value::Null).0, 401);
    assert_eq!(request(&open, "GET", "/v1/levels", None, &Value::Null).0, 200);
}

#[test]
fn the_file_is_read_again_when_it_changes() {
    let (ci, ci_lines) = made(CI, &[]);
    let (ann, ann_lines) = made(ANN, &["--expires", "2999-01-01"]);
    let (old, old_lines) = made(ANN, &["--expires", "2020-01-01"]);
    let Guarded { server, tokens, folder: _folder } = guarded(&(ci_lines.clone() + &old_lines));
    let status =
        |token: &str| request(&server, "GET", "/v1/levels", Some(&bearer(token)), &Value::Null).0;
    assert_eq!([status(&ci), status(&ann), status(&old)], [200, 401, 401]);
    write(&tokens, &ann_lines);
    poll(|| (status(&ann) == 200).then_some(())).unwrap_or_else(|| panic!("{}", server.stderr()));
    assert_eq!(status(&ci), 401, "what was taken out is refused");
    // A file that cannot be used keeps what was there, and the log says why without showing it.
    write(&tokens, &format!("{ann_lines}\n[[token]]\nsha256 = \"hidden-thing"));
    let told = || server.stderr().contains("what was read before still counts").then_some(());
    poll(told).unwrap_or_else(|| panic!("{}", server.stderr()));
    assert_eq!([status(&ann), status(&ci)], [200, 401]);
    assert!(!server.stderr().contains("hidden-thing"), "{}", server.stderr());
    fs::set_permissions(&tokens, fs::Permissions::from_mode(0o644)).unwrap();
    poll(|| server.stderr().contains("mode 0644").then_some(()))
        .unwrap_or_else(|| panic!("{}", server.stderr()));
    assert_eq!(status(&ann), 200);
}

#[test]
fn a_file_that_others_can_read_or_that_names_the_ledger_itself_is_refused_at_the_start() {
    let (_, lines) = made(CI, &[]);
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens.toml");
    let start = || {
        let data = folder.path().join("data");
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
        run(command().args(arguments).args(["--tokens", tokens.to_str().unwrap()]))
    };
    write(&tokens, &lines);
    fs::set_permissions(&tokens, fs::Permissions::from_mode(0o604)).unwrap();
    let ran = start();
    assert!(!ran.status.success() && ran.stderr.contains("mode 0604"), "{ran:?}");
    for own in ["client:tenure/local", "client:nats/crm"] {
        write(&tokens, &lines.replace(CI, own));
        let ran = start();
        assert!(!ran.status.success() && ran.stderr.contains("the ledger gives itself"), "{ran:?}");
    }
}

#[test]
fn the_command_line_sends_a_token_and_shows_none() {
    let (token, lines) = made(CI, &[]);
    let Guarded { server, folder, .. } = guarded(&lines);
    let sent = bearer(&token);
    let entries = json!({ "entries": landscape() });
    assert_eq!(request(&server, "POST", "/v1/entries", Some(&sent), &entries).0, 200);
    let levels = cli(&server, &token, &["levels"]);
    assert!(levels.stdout.contains("subaccount:dev"), "{levels:?}");
    let file = folder.path().join("token");
    write(&file, &format!("{token}\n"));
    let arguments = ["--token-file", file.to_str().unwrap(), "grant", "Subaccount Viewer"];
    let granted =
        cli(&server, "", &[&arguments[..], &["--to", "a@x", "--on", "subaccount:dev"]].concat());
    assert!(granted.stdout.contains("applied"), "{granted:?}");
    let refused = cli(&server, "wrong", &["levels"]);
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    assert!(refused.stderr.contains("unauthenticated"), "{refused:?}");
    let none = cli(&server, "", &["levels"]);
    assert!(none.stderr.contains("authorization: Bearer"), "{none:?}");
    let (_, row) = request(
        &server,
        "POST",
        "/v1/entries",
        Some(&sent),
        &json!({
        "actor": "user:corp/ann@x", "changes": [grant("b@x")] }),
    );
    assert_eq!(row["results"][0]["outcome"], "applied", "{row:#}");
    let (_, metrics) = request(&server, "GET", "/metrics", Some(&sent), &Value::Null);
    for shown in [server.stderr(), metrics.to_string(), refused.stderr, none.stderr] {
        assert!(!shown.contains(&token), "{shown}");
    }
}

#[test]
fn who_follows_the_changes_is_cut_off_with_the_token() {
    let (ci, ci_lines) = made(CI, &[]);
    let (ann, ann_lines) = made(ANN, &[]);
    let Guarded { server, tokens, folder: _folder } = guarded(&(ci_lines + &ann_lines));
    let entries = json!({ "entries": landscape() });
    assert_eq!(request(&server, "POST", "/v1/entries", Some(&bearer(&ann)), &entries).0, 200);
    let mut stream = server
        .agent()
        .get(format!("{}/v1/changes", server.url()))
        .header("authorization", bearer(&ci))
        .call()
        .unwrap();
    assert_eq!(stream.status(), 200);
    write(&tokens, &ann_lines);
    let status = || request(&server, "GET", "/v1/levels", Some(&bearer(&ci)), &Value::Null).0;
    poll(|| (status() == 401).then_some(())).unwrap();
    let level = json!({ "type": "create_level", "level": "global-account:late" });
    let late = json!({ "actor": "user:corp/x", "changes": [level] });
    assert_eq!(request(&server, "POST", "/v1/entries", Some(&bearer(&ann)), &late).0, 200);
    // It ends by itself, after what it may still have had.
    let text = stream.body_mut().read_to_string().unwrap();
    assert!(text.contains("unauthenticated") && !text.contains("global-account:late"), "{text}");
}
