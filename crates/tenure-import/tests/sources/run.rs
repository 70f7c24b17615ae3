//! Short words for imports, and for what the ledger says after them

use serde_json::{Value, json};
use tenure_core::Instant;
use tenure_import::{ImportError, Input, Options, Source, Summary, Target as _, import};
use tenure_wire::api;
use tenure_wire::question::Texts;
use tenure_wire::v1;

use crate::memory::Memory;

/// A moment as options have it
pub(crate) fn at(text: &str) -> Option<Instant> {
    Some(Instant::parse(text).unwrap())
}

/// A ledger with the catalogues, a global account `ga` and the subaccounts `dev` and `prod` in it, since 2026-01-01
pub(crate) fn landscape() -> Memory {
    let mut memory = Memory::with_catalogs().unwrap();
    let changes = json!([
        {"type": "create_level", "level": "global-account:ga", "name": "Acme"},
        {"type": "create_level", "level": "subaccount:dev", "parent": "global-account:ga"},
        {"type": "create_level", "level": "subaccount:prod", "parent": "global-account:ga"},
    ]);
    let entry: v1::Entry = serde_json::from_value(json!({
        "id": "0198b6f0-0000-7000-8000-000000000001", "actor": "user:sap.default/root@acme.example",
        "effective_at": "2026-01-01T00:00:00Z", "changes": changes,
    }))
    .unwrap();
    let results = memory.append(vec![entry]).unwrap();
    assert_eq!(results[0].outcome, "applied");
    memory
}

/// Imports files, each a name and its bytes
pub(crate) fn try_files(
    memory: &mut Memory,
    source: Source,
    files: &[(&str, &[u8])],
    options: &Options,
) -> Result<Summary, ImportError> {
    let mut readers: Vec<&[u8]> = files.iter().map(|(_, bytes)| *bytes).collect();
    let named = readers.iter_mut().zip(files);
    let inputs = named.map(|(read, (name, _))| Input { name: (*name).to_owned(), read }).collect();
    let summary = import(source, inputs, options, memory, &mut |_| {})?;
    accounted(&summary);
    Ok(summary)
}

/// Imports one text, and then again, which changes nothing
pub(crate) fn text(memory: &mut Memory, source: Source, text: &str, options: &Options) -> Summary {
    let summary = try_files(memory, source, &[("file", text.as_bytes())], options).unwrap();
    let again = try_files(memory, source, &[("file", text.as_bytes())], options).unwrap();
    assert_eq!(again.entries.applied, 0, "{:#?}", memory.log().last());
    summary
}

/// Each record is in exactly one count
pub(crate) fn accounted(summary: &Summary) {
    let r = &summary.records;
    let all = [r.applied, r.known, r.not_about_access, r.drift, r.left_out, r.refused, r.bad];
    assert_eq!(all.iter().sum::<u64>(), r.read, "{r:#?}");
}

/// Who holds what at a level at a moment, as `principal: role collection or role`
pub(crate) fn held(memory: &mut Memory, on: &str, at: &str) -> Vec<String> {
    let question = Texts::named("assignments").with("on", on).with("at", at);
    let answer: api::Assignments = serde_json::from_value(memory.ask(&question).unwrap()).unwrap();
    let holdings = answer.assignments.into_iter().map(|holding| holding.held);
    let mut held: Vec<String> = holdings
        .map(|held| {
            let what = held.role_collection.or(held.role).unwrap();
            format!("{}: {what}", held.principal)
        })
        .collect();
    held.sort();
    held
}

/// The members of a set at a moment
pub(crate) fn members(memory: &mut Memory, set: &str, at: &str) -> Vec<String> {
    let question = Texts::named("members").with("set", set).with("at", at);
    let answer: api::Members = serde_json::from_value(memory.ask(&question).unwrap()).unwrap();
    answer.members.into_iter().map(|member| member.principal).collect()
}

/// The applied changes of a type, each with the actor, the moment and the reason of its entry
pub(crate) fn changes_of(memory: &Memory, name: &str) -> Vec<Value> {
    let applied = memory.log().filter(|(_, result)| result.outcome == "applied");
    let all = applied.flat_map(|(entry, _)| {
        entry.changes.iter().map(move |change| {
            let mut change = serde_json::to_value(change).unwrap();
            change["actor"] = entry.actor.clone().into();
            change["at"] = entry.effective_at.clone().into();
            change["not_before"] = entry.not_before.clone().into();
            change["reason"] = entry.reason.clone().into();
            change
        })
    });
    all.filter(|change| change["type"] == name).collect()
}
