//! What does it cost to ask and to append over HTTP?

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tenure_core::Question;
use tenure_wire::question::{Asked, Texts};

use super::Options;
use super::append::{self, APPENDERS};
use crate::client;
use crate::landscape::Facts;
use crate::question::{Asker, Class};
use crate::report::Report;
use crate::say;
use crate::served::Served;
use crate::times::Measured;

/// Different requests that a connection sends in turn
const REQUESTS: usize = 4_096;
/// Checks in one request
const CHECKS: usize = 100;
/// Longest time that one class of questions is asked by one connection
const CLASS_PATIENCE: Duration = Duration::from_secs(1);

/// Asks and appends over HTTP; gives what single checks took
pub(super) fn measure(
    folder: &Path,
    facts: &Facts,
    options: &Options,
    report: &mut Report,
) -> anyhow::Result<Measured> {
    say("asking and appending over HTTP");
    let served = Served::start(folder)?;
    let address = served.address;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ask = |connections, requests: &[Vec<u8>], lasts, most| {
        runtime.block_on(client::ask_all(address, connections, requests, lasts, most))
    };
    let requests = |questions: Vec<Question>| -> Vec<Vec<u8>> {
        let all = questions.into_iter().map(Asked::from);
        all.map(|asked| client::question(address, &asked)).collect()
    };
    let mut asker = Asker::new(facts, options.seed);
    let connections = usize::from(options.connections);
    let many = |requests: &[Vec<u8>]| ask(connections, requests, options.each(), usize::MAX);
    let row = |name: &str, connections: usize, measured: &Measured| {
        let connections = ("clients", (connections as u64).into());
        measured.row(vec![("question", name.into()), connections])
    };
    let check = many(&requests(asker.some(Class::CheckNow, REQUESTS)))?;
    let bodies = (0..REQUESTS / CHECKS).map(|_| {
        let checks = asker.some(Class::CheckNow, CHECKS).into_iter().map(Asked::from);
        let checks: Vec<_> = checks.map(|check| Texts::of(&check).parameters).collect();
        client::post(address, "/v1/check", &json!({"checks": checks}).to_string())
    });
    let by_hundred = many(&bodies.collect::<Vec<_>>())?;
    let mix = many(&requests(asker.mix(REQUESTS)))?;
    let mut rows = vec![
        row("check-now", connections, &check),
        row("100 checks", connections, &by_hundred),
        row("mix of all", connections, &mix),
    ];
    for class in Class::ALL {
        let requests = requests(asker.some(*class, options.questions.max(1)));
        let asked = ask(1, &requests, CLASS_PATIENCE.min(options.each()), options.questions)?;
        rows.push(row(class.as_str(), 1, &asked));
    }
    report.table("over_http", rows);
    let mut rows = Vec::new();
    for (clients, size) in APPENDERS {
        let bodies = (0..REQUESTS).map(|n| {
            let entries: Vec<_> = (0..size).map(|k| append::draft(n * size + k)).collect();
            client::post(address, "/v1/entries", &json!({"entries": entries}).to_string())
        });
        let requests: Vec<_> = bodies.collect();
        let mut appended = ask(clients, &requests, options.each(), usize::MAX)?;
        appended.per_second *= size as f64;
        rows.push(append::row((clients, size), &appended));
    }
    report.table("append_over_http", rows);
    Ok(check)
}
