//! Does the ledger say after an import what the recording says at each `get security/user`?
//!
//! `cargo run -p tenure-import --example check_recording -- FILE [SUMMARY.json]` imports the recording
//! into a ledger in memory, once without and once with `reconcile`, and compares. What differs is listed
//! with the reason that the import gives for it.

#![expect(clippy::print_stdout, reason = "it is a report on a terminal")]

#[path = "../tests/memory/mod.rs"]
mod memory;

use std::collections::BTreeSet;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::time::Instant;

use flate2::read::MultiGzDecoder;
use memory::Memory;
use serde_json::Value;
use tenure_import::{Input, Options, Source, Summary, import};

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("say which file")?;
    let records = records(&path)?;
    let observations = observations(&records)?;
    println!("{} recorded `get security/user` answers", observations.len());
    for reconcile in [false, true] {
        let mut memory = Memory::with_catalogs()?;
        let started = Instant::now();
        let summary = run(&path, reconcile, &mut memory)?;
        println!(
            "\n== reconcile: {reconcile}, {:?}, {} questions",
            started.elapsed(),
            memory.asked
        );
        report(&summary);
        compare(&observations, &memory, &summary)?;
        compare_subaccounts(&records, &memory)?;
        let calls = memory.calls.len();
        let before: Vec<_> = memory.view().levels(tenure_core::EffectiveAt::LAST);
        let again = run(&path, reconcile, &mut memory)?;
        println!(
            "a second import: {} sent, {} applied, {} duplicate, refused {:?}, drift {}, {} calls",
            again.entries.sent,
            again.entries.applied,
            again.entries.duplicate,
            again.entries.refused,
            again.drift.len(),
            memory.calls.len() - calls,
        );
        let after = memory.view().levels(tenure_core::EffectiveAt::LAST);
        println!("{} entries in the log", memory.log().count());
        println!(
            "{} levels at the end, the same after the second: {}",
            after.len(),
            after == before
        );
        if let Some(path) = arguments.next() {
            serde_json::to_writer_pretty(File::create(path)?, &summary)?;
        }
    }
    Ok(())
}

fn run(path: &str, reconcile: bool, memory: &mut Memory) -> Result<Summary, Failure> {
    let options = Options { reconcile, ..Options::default() };
    let mut file = BufReader::new(File::open(path)?);
    let input = Input { name: path.to_owned(), read: &mut file };
    Ok(import(Source::BtpCli, vec![input], &options, memory, &mut |_| {})?)
}

fn report(summary: &Summary) {
    println!("{:?}, bad: {:?}", summary.records, summary.bad);
    println!("left out: {:#?}", summary.left_out);
    println!("ties: {:?}, baseline: {}", summary.ties, summary.baseline);
    println!("entries: {:?}", summary.entries);
    for (reason, count) in &summary.passed_over {
        println!("passed over {count:>5}: {reason}");
    }
    println!("{} observations, {} drift", summary.observations, summary.drift.len());
    for drift in &summary.drift {
        println!(
            "  {} {} {} {}: missing {:?}, unexpected {:?}; {}{}",
            drift.place,
            drift.source,
            drift.on,
            drift.principal,
            drift.missing,
            drift.unexpected,
            drift.because,
            if drift.reconciled { "; reconciled" } else { "" },
        );
    }
    for differs in &summary.definitions {
        println!("  definition: {differs:?}");
    }
}

struct Observation {
    line: u64,
    at: String,
    level: String,
    principal: String,
    collections: BTreeSet<String>,
}

/// Every record, read apart from the importer's own reading
fn records(path: &str) -> Result<Vec<Value>, Failure> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    let input: Box<dyn BufRead> = if bytes.starts_with(&[0x1f, 0x8b]) {
        Box::new(BufReader::new(MultiGzDecoder::new(bytes.as_slice())))
    } else {
        Box::new(bytes.as_slice())
    };
    input.lines().map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}

fn observations(records: &[Value]) -> Result<Vec<Observation>, Failure> {
    let mut found = Vec::new();
    for (n, record) in records.iter().enumerate() {
        let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
        let is = |pointer: &str, wanted: &str| text(pointer) == Some(wanted);
        let user = is("/cmd", "security/user") && is("/verb", "get");
        if !user || !is("/backend_status", "200") {
            continue;
        }
        // The identity zone of an entity has its GUID.
        let zone = text("/body/zoneId").ok_or("a user without a zone")?;
        let kind = [
            ("global-account", "/params/globalAccount"),
            ("directory", "/params/directory"),
            ("subaccount", "/params/subaccount"),
        ];
        let (kind, _) = kind.into_iter().find(|(_, p)| text(p).is_some()).ok_or("no scope")?;
        let origin = text("/body/origin").ok_or("a user without an origin")?;
        let name = text("/params/userName").ok_or("a user without a name")?;
        let names = record.pointer("/body/roleCollections").and_then(Value::as_array);
        let names = names.ok_or("a user without role collections")?.iter();
        found.push(Observation {
            line: n as u64 + 1,
            at: text("/t").ok_or("an exchange without a time")?.to_owned(),
            level: format!("{kind}:{zone}"),
            principal: format!("user:{origin}/{}", name.to_ascii_lowercase()),
            collections: names.filter_map(Value::as_str).map(str::to_owned).collect(),
        });
    }
    Ok(found)
}

fn compare(
    observations: &[Observation],
    memory: &Memory,
    summary: &Summary,
) -> Result<(), Failure> {
    let mut equal = 0;
    for seen in observations {
        let held = memory.held(&seen.principal, &seen.level, &seen.at)?;
        let held: BTreeSet<String> = held.into_iter().collect();
        if held == seen.collections {
            equal += 1;
            continue;
        }
        let drift = summary.drift.iter().find(|drift| drift.place.number == seen.line);
        println!(
            "  EXCEPTION line {} at {}: {} on {}: recorded {:?}, ledger {held:?}; {}",
            seen.line,
            seen.at,
            seen.principal,
            seen.level,
            seen.collections,
            drift.map_or("UNEXPLAINED", |drift| drift.because.as_str()),
        );
    }
    println!("`get security/user`: {equal} of {} equal", observations.len());
    Ok(())
}

/// Whether the ledger had at the time of each complete list of subaccounts these, each in its parent
fn compare_subaccounts(records: &[Value], memory: &Memory) -> Result<(), Failure> {
    let (mut lists, mut equal) = (0, 0);
    for (n, record) in records.iter().enumerate() {
        let is = |pointer: &str, wanted: &str| {
            record.pointer(pointer).and_then(Value::as_str) == Some(wanted)
        };
        let alone = record.pointer("/params").and_then(Value::as_object).map(|map| map.len());
        let list = is("/cmd", "accounts/subaccount") && is("/verb", "list");
        let Some(rows) = record.pointer("/body/value").and_then(Value::as_array) else { continue };
        if !list || alone != Some(1) {
            continue;
        }
        lists += 1;
        let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let listed: BTreeSet<(String, String)> =
            rows.iter().map(|row| (text(row, "guid"), text(row, "parentGUID"))).collect();
        let at = tenure_core::Instant::parse(&text(record, "t"))?;
        let at = tenure_core::EffectiveAt::try_from(at)?;
        let id = |level: &tenure_core::Level| {
            level.to_string().split_once(':').map(|(_, id)| id.to_owned()).unwrap_or_default()
        };
        let held: BTreeSet<(String, String)> = memory
            .view()
            .levels(at)
            .iter()
            .filter(|row| row.level.to_string().starts_with("subaccount:"))
            .map(|row| (id(&row.level), row.parent.as_ref().map(id).unwrap_or_default()))
            .collect();
        if held == listed {
            equal += 1;
        } else {
            let more: Vec<_> = held.difference(&listed).collect();
            let less: Vec<_> = listed.difference(&held).collect();
            println!(
                "  EXCEPTION line {}: only in the ledger {more:?}, only listed {less:?}",
                n + 1
            );
        }
    }
    println!("complete lists of subaccounts: {equal} of {lists} equal");
    Ok(())
}
