//! What does a difference look like to a person?
//!
//! On a terminal holdings, levels and role collections have a table each, as narrow as they can be. A spreadsheet gets
//! one table with a column for each fact.

use tenure_wire::api::{
    Changed, DefinedAt, DefinitionRow, Diff, DiffAnswer, Holding, LevelAttributes, LevelChanged,
    LevelsDiff, PowerDiff, PowerDiffRow,
};
use tenure_wire::v1::{Access, Environment, FeatureSet};

use super::{end, granted, reason, terms};
use crate::look_alike;
use crate::output::Rows;

/// The tables that have rows
pub(super) fn tables(answer: &DiffAnswer) -> Vec<Rows> {
    let all = match answer {
        DiffAnswer::Power(diff) => vec![power(diff)],
        DiffAnswer::Diff(diff) => {
            let levels = diff.levels.as_ref().map(levels);
            let definitions = diff.definitions.as_deref().map(definitions);
            [holdings(diff)].into_iter().chain(levels).chain(definitions).collect()
        }
    };
    all.into_iter().filter(|table| !table.rows.is_empty()).collect()
}

fn holdings(diff: &Diff) -> Rows {
    let mut rows = Rows::new(&["change", "principal", "holding"]);
    let mut push = |change: &str, holding: &Holding, text| {
        rows.push([change.to_owned(), holding.held.principal.clone(), text]);
    };
    diff.gained.iter().for_each(|holding| push("gained", holding, reason(holding)));
    diff.lost.iter().for_each(|holding| push("lost", holding, reason(holding)));
    for Changed { before, after } in &diff.changed {
        let held = format!("{} at {}", granted(&after.held), after.held.level);
        let text = format!("{held}\nbefore: {}\nafter: {}", terms(before), terms(after));
        push("changed", after, text);
    }
    rows
}

fn levels(levels: &LevelsDiff) -> Rows {
    let mut rows = Rows::new(&["change", "level", "before", "after"]);
    level_rows(levels).into_iter().for_each(|row| rows.push(row));
    rows
}

/// What changed, of which level, from what, to what
fn level_rows(levels: &LevelsDiff) -> Vec<[String; 4]> {
    let row = |change: &str, level: &String, before: String, after: String| {
        [change.to_owned(), level.clone(), before, after]
    };
    let bare = |change, level| row(change, level, String::new(), String::new());
    let created = levels.created.iter().map(|level| bare("created", level));
    let deleted = levels.deleted.iter().map(|level| bare("deleted", level));
    let moved = levels.moved.iter().map(|moved| {
        row("moved", &moved.level, format!("in {}", moved.from), format!("in {}", moved.until))
    });
    let changed = levels.changed.iter().map(|changed| {
        let (before, after) = attributes(changed);
        row("changed", &changed.level, before, after)
    });
    created.chain(deleted).chain(moved).chain(changed).collect()
}

/// The attributes that differ, before and after, a line each
fn attributes(changed: &LevelChanged) -> (String, String) {
    let (before, after) = (stated(&changed.before), stated(&changed.after));
    let alone = |here: &[String], there: &[String]| {
        here.iter().filter(|one| !there.contains(one)).cloned().collect::<Vec<_>>()
    };
    let (mut old, mut new) = (alone(&before, &after), alone(&after, &before));
    let in_force = &changed.feature_set;
    if in_force.before != in_force.after {
        let line = |set| format!("feature set {} in force", letter(set));
        old.push(line(in_force.before));
        new.push(line(in_force.after));
    }
    let in_force = &changed.environment;
    if in_force.before != in_force.after {
        let line = |environment| format!("environment {} in force", environment_name(environment));
        old.push(line(in_force.before));
        new.push(line(in_force.after));
    }
    (old.join("\n"), new.join("\n"))
}

/// Explicit attributes, a line each
fn stated(attributes: &LevelAttributes) -> Vec<String> {
    let LevelAttributes {
        name,
        feature_set,
        authorizations,
        environment,
        region,
        identity_provider,
        role_provider,
        access,
    } = attributes;
    let lines = [
        name.as_ref().map(|name| format!("name {name}")),
        feature_set.map(|set| format!("feature set {}", letter(set))),
        authorizations.map(|yes| format!("authorizations {yes}")),
        environment.map(|environment| format!("environment {}", environment_name(environment))),
        region.as_ref().map(|region| format!("region {region}")),
        identity_provider.as_ref().map(|origin| format!("identity provider {origin}")),
        role_provider.as_ref().map(|provider| format!("role provider {provider}")),
        access.map(|access| match access {
            Access::Open => "access open".to_owned(),
            Access::Enforced => "access enforced".to_owned(),
        }),
    ];
    lines.into_iter().flatten().collect()
}

fn environment_name(environment: Environment) -> &'static str {
    match environment {
        Environment::Multi => "multi",
        Environment::Neo => "neo",
    }
}

fn letter(set: FeatureSet) -> &'static str {
    match set {
        FeatureSet::A => "A",
        FeatureSet::B => "B",
    }
}

fn definitions(definitions: &[DefinitionRow]) -> Rows {
    let mut rows = Rows::new(&["role collection", "at", "roles"]);
    for row in definitions {
        let name = look_alike::role_collection(&row.role_collection);
        let gained = row.gained.iter().map(|role| format!("+ {role}"));
        let lost = row.lost.iter().map(|role| format!("- {role}"));
        rows.push([name, place(&row.at), gained.chain(lost).collect::<Vec<_>>().join("\n")]);
    }
    rows
}

fn place(at: &DefinedAt) -> String {
    match at {
        DefinedAt::Level { level } => level.clone(),
        DefinedAt::Catalog { kind, feature_set, environment, levels } => {
            let count =
                if *levels == 1 { "1 level".to_owned() } else { format!("{levels} levels") };
            let neo = if *environment == Environment::Neo { " in Neo" } else { "" };
            format!("{kind}{neo}, feature set {} ({count})", letter(*feature_set))
        }
    }
}

fn power(diff: &PowerDiff) -> Rows {
    let mut rows = Rows::new(&["change", "principal", "level"]);
    let mut push = |change: &str, row: &PowerDiffRow| {
        rows.push([change.to_owned(), row.principal.clone(), row.levels.join("\n")]);
    };
    diff.gained.iter().for_each(|row| push("gained", row));
    diff.lost.iter().for_each(|row| push("lost", row));
    rows
}

/// One table for all
pub(super) fn rows(answer: &DiffAnswer) -> Rows {
    let diff = match answer {
        DiffAnswer::Power(diff) => return power(diff),
        DiffAnswer::Diff(diff) => diff,
    };
    let head = ["change", "principal", "holds", "at", "since", "until", "entry", "before", "after"];
    let mut rows = Rows::new(&head);
    let held = [("gained", &diff.gained), ("lost", &diff.lost)];
    for (change, holdings) in held {
        rows.rows.extend(holdings.iter().map(|holding| holding_cells(change, holding)));
    }
    for Changed { before, after } in &diff.changed {
        rows.rows.push(holding_cells("before", before));
        rows.rows.push(holding_cells("after", after));
    }
    for [change, level, before, after] in diff.levels.iter().flat_map(level_rows) {
        rows.rows.push(fact_cells(format!("level {change}"), String::new(), level, before, after));
    }
    for row in diff.definitions.iter().flatten() {
        let name = look_alike::role_collection(&row.role_collection);
        let (lost, gained) = (row.lost.join("\n"), row.gained.join("\n"));
        let change = "roles of a role collection".to_owned();
        rows.rows.push(fact_cells(change, name, place(&row.at), lost, gained));
    }
    rows
}

fn holding_cells(change: &str, holding: &Holding) -> Vec<String> {
    let held = &holding.held;
    vec![
        change.to_owned(),
        held.principal.clone(),
        granted(held),
        held.level.clone(),
        held.since.clone(),
        end(holding.until.as_ref()),
        format!("#{}", held.entry),
        String::new(),
        String::new(),
    ]
}

/// What changed that nobody holds
fn fact_cells(
    change: String,
    what: String,
    at: String,
    before: String,
    after: String,
) -> Vec<String> {
    let nobody = String::new;
    vec![change, nobody(), what, at, nobody(), nobody(), nobody(), before, after]
}
