//! How many records a second come in?
//!
//! `cargo run --release -p tenure-import --example speed [RECORDS]` makes a table, a log of Cloud Foundry events and an
//! audit log of so many records each (100,000 by default), all at different seconds, and imports each of them into a
//! ledger in memory: once to read it and decide, with nothing sent, and once as a whole.

#![expect(clippy::print_stdout, reason = "it is a report on a terminal")]

#[path = "../tests/memory/mod.rs"]
#[expect(dead_code, reason = "the tests ask it more")]
mod memory;

use std::error::Error;
use std::fmt::Write as _;
use std::time::Instant;

use memory::Memory;
use serde_json::json;
use tenure_import::{Input, Options, Source, Target as _, import};
use tenure_wire::v1;

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let said = std::env::args().nth(1).map(|text| text.parse()).transpose()?;
    let records = said.unwrap_or(100_000);
    for (source, text) in [
        (Source::Csv, table(records)?),
        (Source::Cf, events(records)),
        (Source::AuditLog, audit_log(records)),
    ] {
        let options = Options { on: Some("subaccount:dev".to_owned()), ..Options::default() };
        for drift_only in [true, false] {
            let mut memory = landscape()?;
            let options = Options { drift_only, ..options.clone() };
            let mut bytes = text.as_bytes();
            let input = Input { name: "made up".to_owned(), read: &mut bytes };
            let started = Instant::now();
            let summary = import(source, vec![input], &options, &mut memory, &mut |_| {})?;
            let seconds = started.elapsed().as_secs_f64();
            let what = if drift_only { "read and decided" } else { "into a ledger in memory" };
            println!(
                "{:<10} {what:<24} {:>8} records, {:>7} entries, {:>9.0} records/s, {} questions",
                source.name(),
                summary.records.read,
                summary.entries.applied,
                summary.records.read as f64 / seconds,
                memory.asked,
            );
        }
    }
    Ok(())
}

/// A ledger with a subaccount, an organization and a space
fn landscape() -> Result<Memory, Failure> {
    let mut memory = Memory::with_catalogs()?;
    let entry: v1::Entry = serde_json::from_value(json!({
        "id": "0198b6f0-0000-7000-8000-000000000001",
        "actor": "user:sap.default/root@acme.example",
        "effective_at": "2025-01-01T00:00:00Z",
        "changes": [
            {"type": "create_level", "level": "global-account:ga"},
            {"type": "create_level", "level": "subaccount:dev", "parent": "global-account:ga"},
            {"type": "create_level", "level": "cf-org:o1", "parent": "subaccount:dev"},
            {"type": "create_level", "level": "cf-space:s1", "parent": "cf-org:o1"},
        ],
    }))?;
    memory.append(vec![entry])?;
    Ok(memory)
}

/// Half of them give, and half of them take
fn gives(n: usize) -> bool {
    n.is_multiple_of(2)
}

fn who(n: usize) -> String {
    format!("u{}@acme.example", n / 2 % 5_000)
}

fn time(n: usize) -> String {
    let day = n / 86_400;
    let (month, day) = (day / 28 + 1, day % 28 + 1);
    let (hour, minute, second) = (n / 3_600 % 24, n / 60 % 60, n % 60);
    format!("2026-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

fn table(records: usize) -> Result<String, Failure> {
    let mut text = "time,action,level,role_collection,principal\n".to_owned();
    for n in 0..records {
        let action = if gives(n) { "grant" } else { "revoke" };
        writeln!(text, "{},{action},subaccount:dev,Subaccount Viewer,{}", time(n), who(n))?;
    }
    Ok(text)
}

fn events(records: usize) -> String {
    let events = (0..records).map(|n| {
        let end = if gives(n) { "add" } else { "remove" };
        json!({
            "guid": format!("e{n}"), "created_at": time(n), "updated_at": time(n),
            "type": format!("audit.user.space_developer_{end}"),
            "actor": {"guid": "root", "type": "user", "name": "root@acme.example"},
            "target": {"guid": format!("guid-{}", n / 2 % 5_000), "type": "user", "name": who(n)},
            "data": {}, "space": {"guid": "s1"}, "organization": {"guid": "o1"},
        })
    });
    json!(events.collect::<Vec<_>>()).to_string()
}

fn audit_log(records: usize) -> String {
    let records = (0..records).map(|n| {
        let crud = if gives(n) { "CREATE" } else { "DELETE" };
        let message = json!({
            "uuid": format!("m{n}"), "user": "user/sap.default/root@acme.example", "time": time(n),
            "object": {"type": "xs_rolecollection2user", "id": {
                "tableName": "xs_rolecollection2user", "crudType": crud,
                "rolecollection_name": "Subaccount Viewer", "user_id": who(n)}},
            "attributes": [],
        });
        json!({
            "message_uuid": format!("m{n}"), "time": time(n), "tenant": "dev",
            "user": "user/sap.default/root@acme.example", "category": "audit.configuration",
            "message": message.to_string(),
        })
    });
    json!(records.collect::<Vec<_>>()).to_string()
}
