//! What does it cost that a server knows who asks, speaks TLS, and asks the ledger who may?
//!
//! Five processes `tenure serve` run on loopback, each on a copy of the same ledger. One client asks them in turn: it waits
//! for each answer and keeps its connection. Everything in a table is measured in the same rounds.

mod callers;
mod certificates;
mod connection;
mod rounds;
mod server;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use clap::{Args, value_parser};
use serde_json::{Value, json};
use tenure_core::{Principal, PrincipalKind, Question};
use tenure_wire::question::Asked;

use self::callers::{ADMINISTRATOR, AUDITOR, Callers, SUBMITTER};
use self::certificates::Certificates;
use self::connection::{Endpoint, request};
use self::rounds::{Case, interleaved};
use self::server::Server;
use crate::landscape::{Facts, LEDGER, Plan, Size};
use crate::question::{Asker, Class};
use crate::report::Report;
use crate::{client, ledger, say};

/// Checks of one case in a round
const CHECKS: usize = 200;
/// Entries of one case in a round, and new connections of one
const FEW: usize = 20;

/// Measure what callers, TLS and enforced access add to a check and to an append, over one connection
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// A folder on the disk that is to be measured
    #[arg(default_value = "target")]
    folder: PathBuf,
    /// The program tenure
    #[arg(long, value_name = "FILE", default_value = "target/release/tenure")]
    tenure: PathBuf,
    /// Rounds that are measured; one more comes before them and is not
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = value_parser!(u32).range(1..=10_000))]
    rounds: u32,
    /// Changes in the history of the ledger, whose landscape is of size l
    #[arg(long, value_name = "N", default_value_t = 500_000,
        value_parser = value_parser!(u64).range(1_000..=100_000_000))]
    changes: u64,
    /// The same seed makes the same ledger and the same question
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// The servers, in the order in which they start
struct Doors {
    /// Knows nobody
    plain: Server,
    /// Knows callers
    callers: Server,
    /// Knows callers, and access is enforced
    enforced: Server,
    /// Speaks TLS, and knows nobody
    tls: Server,
    /// Speaks TLS, knows callers, and takes their certificates
    certificates: Server,
}

impl Doors {
    /// Starts them in a folder that has the ledger as `data`
    fn start(
        tenure: &Path,
        folder: &Path,
        callers: &Callers,
        certificates: &Certificates,
    ) -> anyhow::Result<Self> {
        let start = |name: &str, arguments, tls| {
            say(&format!("starting a server: {name}"));
            let data = folder.join(name);
            server::copy(&folder.join("data"), &data)?;
            Server::start(tenure, &data, arguments, tls)
        };
        let (known, tls) = (|| callers.of_server(), || certificates.of_server());
        let all = [tls(), certificates.of_clients(), known()].concat();
        let client = certificates.client(false)?;
        Ok(Self {
            plain: start("plain", Vec::new(), None)?,
            callers: start("callers", known(), None)?,
            enforced: start("enforced", known(), None)?,
            tls: start("tls", tls(), Some(Arc::clone(&client)))?,
            certificates: start("certificates", all, Some(client))?,
        })
    }
}

/// A check about a user of the landscape
fn about_a_user(facts: &Facts, seed: u64) -> anyhow::Result<(Principal, Question)> {
    let drawn = Asker::new(facts, seed).some(Class::CheckNow, 1_000);
    let found = drawn.into_iter().find_map(|question| match &question {
        Question::Check { principal, .. } if principal.kind() == PrincipalKind::User => {
            Some((principal.clone(), question))
        }
        _ => None,
    });
    found.context("no check about a user was drawn")
}

/// An entry with these changes, as its sender hands it in
fn entry(token: &str, changes: &Value) -> Vec<u8> {
    let draft = json!({"actor": "user:sap.default/admin@acme.example", "changes": changes});
    request("POST /v1/entries", Some(token), Some(&json!({"entries": [draft]})))
}

fn is_applied(answer: &[u8]) -> anyhow::Result<()> {
    let answer: Value = serde_json::from_slice(answer)?;
    ensure!(answer.pointer("/results/0/outcome") == Some(&json!("applied")), "{answer:#}");
    Ok(())
}

/// Gives the callers their roles, and enforces access at one of the two
fn govern(doors: &Doors, administrator: &str) -> anyhow::Result<()> {
    let level = format!("ledger:{LEDGER}");
    let roles = [("Administrator", ADMINISTRATOR), ("Auditor", AUDITOR), ("Submitter", SUBMITTER)];
    let grants = roles.map(|(role, to)| {
        json!({"type": "grant", "level": level, "role": format!("tenure/{role}"), "to": to})
    });
    let enforced = json!({"type": "set_level", "level": level, "access": "enforced"});
    let (open, enforced) = (grants.to_vec(), [&grants[..], &[enforced]].concat());
    for (server, changes) in [(&doors.callers, open), (&doors.enforced, enforced)] {
        let mut connection = server.endpoint.open()?;
        is_applied(connection.ask(&entry(administrator, &json!(changes)), 200)?)?;
    }
    Ok(())
}

/// Asks again and again over one connection
fn asks(name: &'static str, to: &Endpoint, request: Vec<u8>) -> anyhow::Result<Case> {
    let mut connection = to.open()?;
    Ok(Case::new(name, move || {
        let began = Instant::now();
        connection.ask(&request, 200)?;
        Ok(began.elapsed())
    }))
}

/// Appends one entry after the other over one connection, each a grant to somebody else
fn appends(
    name: &'static str,
    to: &Endpoint,
    token: String,
    level: String,
) -> anyhow::Result<Case> {
    let (mut connection, mut n) = (to.open()?, 0_u64);
    Ok(Case::new(name, move || {
        n += 1;
        let grant = json!([{"type": "grant", "level": level, "role_collection": "Global Account Viewer",
            "to": format!("user:corp/appended.{n}@acme.example")}]);
        let entry = entry(&token, &grant);
        let began = Instant::now();
        let answer = connection.ask(&entry, 200)?;
        let took = began.elapsed();
        is_applied(answer)?;
        Ok(took)
    }))
}

/// Opens a connection and asks; times until the client may send, or until it has the answer
fn connects(name: &'static str, to: &Endpoint, request: &[u8], until_answer: bool) -> Case {
    let (to, request) = (to.clone(), request.to_vec());
    Case::new(name, move || {
        let began = Instant::now();
        let mut connection = to.open()?;
        let open = began.elapsed();
        // Asked in both: in TLS 1.3 the server may still have to verify the client when the client is done.
        connection.ask(&request, 200)?;
        Ok(if until_answer { began.elapsed() } else { open })
    })
}

/// Measures in a folder that is removed again
pub(crate) fn measure(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new();
    let folder = tempfile::tempdir_in(&options.folder)?;
    let folder = folder.path().canonicalize()?;
    let plan = Plan::new(Size::L, options.changes, options.seed);
    // What writing costs is not the question here.
    let facts = ledger::load(&plan, &folder.join("data"), &mut Report::new())?;
    let (person, question) = about_a_user(&facts, options.seed)?;
    let target = format!("GET {}", client::target(&Asked::from(question)));
    let known = Callers::make(&folder, &person)?;
    let certificates = Certificates::make(&folder)?;
    let doors = Doors::start(&options.tenure, &folder, &known, &certificates)?;
    govern(&doors, &known.administrator)?;
    let about = vec![
        ("ledger", plan.shape.described().into()),
        ("request", target.as_str().into()),
        ("client", "HTTP/1.1 on a blocking socket, in this process; with TLS by rustls".into()),
    ];
    report.facts("measured", about);

    let Callers { user, auditor, submitter, rs256, es256, .. } = &known;
    let check = |token: Option<&str>| request(&target, token, None);
    let [plain, callers, enforced, tls] =
        [&doors.plain, &doors.callers, &doors.enforced, &doors.tls].map(|server| &server.endpoint);
    let guarded = &doors.certificates.endpoint;
    let with_certificate = &guarded.with_tls(certificates.client(true)?);
    // The doors are shut: to nobody, and to a caller who may not read.
    callers.open()?.ask(&check(None), 401)?;
    guarded.open()?.ask(&check(None), 401)?;
    enforced.open()?.ask(&check(Some(submitter)), 403)?;

    say("checks by every kind of caller");
    let rounds = options.rounds;
    let cases = vec![
        asks("HTTP, nobody", plain, check(None))?,
        asks("HTTP, token of the callers' file", callers, check(Some(user)))?,
        asks("HTTP, JWT RS256", callers, check(Some(rs256)))?,
        asks("HTTP, JWT ES256", callers, check(Some(es256)))?,
        asks("TLS, nobody", tls, check(None))?,
        asks("TLS, client certificate", with_certificate, check(None))?,
        asks("TLS, JWT RS256", guarded, check(Some(rs256)))?,
    ];
    report.table("check", interleaved(cases, rounds, CHECKS)?);
    say("checks with enforced access");
    let cases = vec![
        asks("open", callers, check(Some(user)))?,
        asks("enforced, an auditor", enforced, check(Some(auditor)))?,
        asks("enforced, about oneself", enforced, check(Some(user)))?,
    ];
    report.table("check_by_a_token", interleaved(cases, rounds, CHECKS)?);
    say("appends with enforced access");
    let level = || facts.root.to_string();
    let cases = vec![
        appends("open", callers, submitter.clone(), level())?,
        appends("enforced, a submitter", enforced, submitter.clone(), level())?,
    ];
    report.table("append_by_a_token", interleaved(cases, rounds, FEW)?);
    for (name, until_answer) in [("new_connection", false), ("new_connection_and_answer", true)] {
        say(&name.replace('_', " "));
        let connects = |name, to| connects(name, to, &check(None), until_answer);
        let cases = vec![
            connects("HTTP", plain),
            connects("TLS", tls),
            connects("TLS, client certificate", with_certificate),
        ];
        report.table(name, interleaved(cases, rounds, FEW)?);
    }
    Ok(report)
}
