//! The clients that are shown as examples do what they say, against a real server
#![expect(
    clippy::unwrap_used,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;

#[path = "../examples/client.rs"]
#[expect(dead_code, reason = "its `main` is for a person")]
mod client;

use std::path::Path;
use std::process::Command;

use common::{Server, Start, clean, landscape, run};

fn server() -> (Server, tempfile::TempDir) {
    let data = tempfile::tempdir().unwrap();
    let server = Start::on(data.path()).ready();
    server.append(&landscape());
    (server, data)
}

/// What both clients say of the landscape
const SAID: [&str; 5] = [
    "appended: applied at #16",
    "sent again: duplicate of #16",
    "could: user:sap.default/alice@acme.example",
    "could: user:sap.default/erin@acme.example",
    "applied: #16, a grant",
];

#[test]
fn the_client_in_rust_appends_asks_and_follows() {
    let (server, _data) = server();
    assert_eq!(client::run(&server.url()).unwrap(), SAID);
}

#[test]
fn the_client_in_python_appends_asks_and_follows() {
    let (server, _data) = server();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/clients/client.py");
    let ran = run(clean(Command::new("python3")).arg(file).arg(server.url()));
    assert_eq!(ran.exits(0).stdout.lines().collect::<Vec<_>>(), SAID, "{ran:#?}");
}

#[test]
fn a_client_says_what_the_problem_is() {
    let data = tempfile::tempdir().unwrap();
    let server = Start::on(data.path()).ready();
    // Without the landscape the grant is refused, and the question has no answer.
    let error = client::run(&server.url()).unwrap_err().to_string();
    assert!(error.starts_with("unknown_level: "), "{error}");
}
