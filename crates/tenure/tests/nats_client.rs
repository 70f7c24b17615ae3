//! An independent client, `nats-py`, publishes and asks with a server of either version; the newest server has the
//! configuration of `deploy/nats`
//!
//! Its tests are in `tests/nats/python`. `tests/run` installs it.
#![expect(
    clippy::unwrap_used,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;

use std::path::PathBuf;
use std::process::Command;

use common::{Start, clean, run};
use tempfile::TempDir;
use tenure_test_nats::{Server, Version, python};

const USERS: [&str; 6] = ["LEDGER", "CRM", "HR", "AUDITOR", "OPERATOR", "SYSTEM"];
const SECRETS: &str = "secret-of-";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A ledger on a server, which has the users of the configuration if there are any
struct Deployment {
    nats: Server,
    ledger: common::Server,
    users: bool,
    _data: TempDir,
}

impl Deployment {
    fn start(version: Version) -> Self {
        let users = version.can_sync_always();
        let nats = if users {
            let file = root().join("deploy/nats/nats-server.conf");
            let start = tenure_test_nats::Start::of_file(version, &file);
            let secret = |user: &str| format!("{SECRETS}{}", user.to_lowercase());
            let variable = |start: tenure_test_nats::Start, user: &str| {
                start.variable(&format!("{user}_PASSWORD"), secret(user))
            };
            USERS.into_iter().fold(start, variable).running()
        } else {
            Server::start(version)
        };
        let data = tempfile::tempdir().unwrap();
        let mut start = Start::on(data.path()).arg("--ledger", "acme").arg("--log", &nats.url());
        if users {
            let password = format!("{SECRETS}ledger");
            start = start.arg("--nats-user", "ledger").env("TENURE_NATS_PASSWORD", &password);
        }
        let ledger = start.ready();
        Self { nats, ledger, users, _data: data }
    }

    #[track_caller]
    fn passes(&self, module: &str) {
        let mut command = clean(Command::new(python()));
        command.arg("-m").arg("unittest").arg("-v").arg(module);
        command.current_dir(root().join("tests/nats/python"));
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("LEDGER", "acme");
        command.env("NATS_URL", self.nats.url()).env("HTTP_URL", self.ledger.url());
        if self.users {
            command.env("SECRETS", SECRETS);
        }
        let ran = run(&mut command);
        let said = format!("{}\n{}\n{}", self.nats.said(), self.ledger.stderr(), ran.stderr);
        assert_eq!(ran.code(), 0, "{said}");
        assert!(ran.stderr.contains("\nOK"), "{said}");
        // The ledger does only what the configuration allows.
        assert!(!self.ledger.stderr().to_lowercase().contains("permissions violation"), "{said}");
    }
}

#[test]
fn it_asks_every_question_of_a_ledger_on_the_newest_server() {
    Deployment::start(Version::Newest).passes("test_asking");
}

#[test]
fn it_asks_every_question_of_a_ledger_on_an_older_server() {
    Deployment::start(Version::Debian).passes("test_asking");
}

#[test]
fn it_publishes_to_the_log_on_the_newest_server() {
    Deployment::start(Version::Newest).passes("test_publishing");
}

#[test]
fn it_publishes_to_the_log_on_an_older_server() {
    Deployment::start(Version::Debian).passes("test_publishing");
}
