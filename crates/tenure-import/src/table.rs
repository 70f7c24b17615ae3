//! What does a table of grants and revokes say?
//!
//! The header has `time`, `action`, `level`, `principal` and one or both of `role_collection` and `role`, and may have
//! `actor`, `until`, `reason` and `source`, in any order. `action` is `grant` or `revoke`. The columns are separated by
//! commas, semicolons or tabs: whatever the header uses.

use std::sync::Arc;

use serde_json::Value;
use tenure_core::{Instant, Principal};
use tenure_wire::v1::{Change, RevokeExpects};
use uuid::Uuid;

use crate::fact::{Event, Fact};
use crate::found::Found;
use crate::input::Decoded;
use crate::record::{Place, Record, RecordId};
use crate::{ImportError, Options};

const NAMESPACE: Uuid = Uuid::from_u128(0x8a1e_6b0c_53f2_5d4e_a7c9_0f3e_91d2_6c58);

/// The columns that there can be
const COLUMNS: [&str; 10] = [
    "time",
    "actor",
    "action",
    "level",
    "role_collection",
    "role",
    "principal",
    "until",
    "reason",
    "source",
];

/// Reads a table, and gives how many bytes of the input were consumed
///
/// # Errors
/// The input cannot be read, or its header has not the columns that are needed.
pub(crate) fn read(
    mut input: Decoded<'_>,
    name: &str,
    file: Option<Arc<str>>,
    options: &Options,
    found: &mut Found<'_>,
) -> Result<u64, ImportError> {
    let place = |number| Place { file: file.clone(), is_line: true, number };
    let bytes = input.whole_of(name)?;
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let delimiter = [b',', b';', b'\t'].into_iter().find(|d| first.contains(d)).unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader.delimiter(delimiter).trim(csv::Trim::All).from_reader(bytes.as_slice());
    let header =
        reader.headers().map_err(|error| ImportError::Options(format!("`{name}`: {error}")))?;
    let header = header.clone();
    check(&header).map_err(|problem| ImportError::Options(format!("`{name}`: {problem}")))?;
    let mut row = csv::StringRecord::new();
    loop {
        let line = reader.position().line();
        match reader.read_record(&mut row) {
            Ok(false) => return Ok(input.bytes()),
            Ok(true) => {
                let line = row.position().map_or(line, csv::Position::line);
                let record = record(place(line), &header, &row, options);
                found.result(&place(line), record)?;
            }
            Err(error) => {
                let line = error.position().map_or(line, csv::Position::line);
                found.bad(place(line), error.to_string())?;
            }
        }
    }
}

fn check(header: &csv::StringRecord) -> Result<(), String> {
    let has = |name: &str| header.iter().any(|column| column == name);
    if let Some(other) = header.iter().find(|column| !COLUMNS.contains(column)) {
        return Err(format!("the column `{other}` is none of {}", COLUMNS.join(", ")));
    }
    if let Some(missing) =
        ["time", "action", "level", "principal"].into_iter().find(|name| !has(name))
    {
        return Err(format!("the header has no column `{missing}`"));
    }
    if !has("role_collection") && !has("role") {
        return Err("the header has no column `role_collection` and no column `role`".to_owned());
    }
    Ok(())
}

fn record(
    place: Place,
    header: &csv::StringRecord,
    row: &csv::StringRecord,
    options: &Options,
) -> Result<Record, String> {
    let field = |name: &str| {
        let column = header.iter().position(|column| column == name)?;
        row.get(column).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let needed = |name: &str| field(name).ok_or_else(|| format!("it has no `{name}`"));
    let at = time("time", &needed("time")?)?;
    let until = field("until").map(|text| time("until", &text)).transpose()?;
    let level = needed("level")?;
    let who = Principal::parse_short(&needed("principal")?, &options.default_origin);
    let who = who.map_err(|error| format!("`principal`: {error}"))?.to_string();
    let (role_collection, role) = (field("role_collection"), field("role"));
    if role_collection.is_some() == role.is_some() {
        return Err("it has not exactly one of `role_collection` and `role`".to_owned());
    }
    let action = needed("action")?;
    let change = match (action.as_str(), until) {
        ("grant", until) => {
            let until = until.map(|until| until.to_string());
            Change::Grant { level, role_collection, role, to: who, until, expect: None }
        }
        ("revoke", None) => {
            let expect = Some(RevokeExpects::Any);
            Change::Revoke { level, role_collection, role, from: who, expect }
        }
        ("revoke", Some(_)) => return Err("a revoke has no `until`".to_owned()),
        _ => return Err(format!("the action `{action}` is none of `grant` and `revoke`")),
    };
    let reason = match (field("source"), field("reason")) {
        (Some(source), Some(reason)) => Some(format!("{source}: {reason}")),
        (source, reason) => source.or(reason),
    };
    // The order of the columns makes no difference.
    let content = COLUMNS.map(|name| field(name).map_or(Value::Null, Value::from));
    Ok(Record {
        source: "table",
        kind: action,
        place,
        at,
        version: None,
        id: RecordId::of(&NAMESPACE, content.iter()),
        actor: field("actor"),
        facts: vec![Fact::Event(Event::Said {
            changes: vec![change],
            not_before: None,
            reason,
            by_name: true,
        })],
        passed_over: None,
    })
}

/// A moment: with an offset, or in UTC with the parts that are left out at their first instant
fn time(name: &str, text: &str) -> Result<Instant, String> {
    let utc = text.replacen(' ', "T", 1);
    let written =
        [text.to_owned(), format!("{utc}Z"), format!("{utc}:00Z"), format!("{utc}T00:00:00Z")];
    let read = written.iter().find_map(|text| Instant::parse(text).ok());
    read.ok_or_else(|| {
        format!("`{name}` is no moment: write 2026-03-01, 2026-03-01 14:00 or 2026-03-01T14:00:00Z")
    })
}
