//! What does an answer look like to a person?

mod diff;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tenure_core::role_text;
use tenure_wire::api::{self, AsOf, EntryRow, Held, Holding, Interval, LevelThere, Subject};
use tenure_wire::sentence::{self, requirement};
use tenure_wire::v1;

use crate::look_alike;
use crate::output::{Rows, painted};

fn typed<T: DeserializeOwned>(answer: &Value) -> anyhow::Result<T> {
    Ok(T::deserialize(answer)?)
}

/// An answer as a table, with lines before and after it for facts that have no column
pub(crate) fn table(question: &str, answer: &Value) -> anyhow::Result<String> {
    let mut parts = Vec::new();
    if question == "check" {
        let check: api::Check = typed(answer)?;
        parts.push(painted(if check.allowed { "yes" } else { "no" }, check.allowed));
        if let Some(missing) = &check.missing {
            parts.push(format!("missing: {}", requirement(missing)));
        }
        let last_at = check.last_at.filter(|last_at| Some(last_at) != check.as_of.at.as_ref());
        parts.extend(last_at.map(|at| format!("not assigned any more: the last moment was {at}")));
        parts.extend(check.steps.iter().flatten().enumerate().map(step));
    }
    if question == "entry" {
        return Ok(serde_json::to_string_pretty(answer)?);
    }
    // In an own folder, where all submitters are this one, other columns need the room.
    let rows = rows(question, answer)?
        .without("submitter", "client:tenure/local")
        .without_empty(question == "levels");
    // Before the table: who reads no further must not take "not known" for "no".
    parts.extend(known(answer));
    parts.extend(observed(answer));
    parts.extend(elsewhere(answer));
    if rows.rows.is_empty() {
        if question != "check" {
            parts.push(nothing(question, answer).to_owned());
        }
    } else if question == "diff" {
        let tables = diff::tables(&typed(answer)?);
        parts.push(tables.iter().map(Rows::table).collect::<Vec<_>>().join("\n\n"));
    } else {
        parts.push(rows.table());
    }
    if answer.get("more") == Some(&Value::Bool(true)) {
        parts.push("there are more: say another word, or a higher --limit".to_owned());
    }
    parts.extend(footer(answer));
    Ok(parts.join("\n"))
}

/// What is to be said of the principal asked about, if it could be taken for another one
fn known(answer: &Value) -> Vec<String> {
    let Some(known) = answer.get("known").and_then(|known| typed::<api::Known>(known).ok()) else {
        return Vec::new();
    };
    let all = |names: &[String]| {
        names.iter().map(|name| look_alike::visible(name)).collect::<Vec<_>>().join(", ")
    };
    let mut lines = Vec::new();
    if !known.named {
        lines.push("no entry known then names this principal".to_owned());
    }
    if !known.similar.is_empty() {
        lines.push(format!("known, with nearly the same name: {}", all(&known.similar)));
    }
    if !known.elsewhere.is_empty() {
        lines.push(format!("the same name is known in other origins: {}", all(&known.elsewhere)));
    }
    lines
}

/// A step by which one gives oneself something, in a line
fn step((n, step): (usize, &api::Step)) -> String {
    let api::Given { role_collection, role, at } = &step.gives;
    let role = role.as_ref().map(|role| format!("role {role}"));
    let given = role_collection.as_deref().map(look_alike::role_collection).or(role);
    let (operation, level) = (&step.operation, &step.level);
    format!("step {}: {operation} on {level} gives {} at {at}", n + 1, given.unwrap_or_default())
}

/// Where something else decides on roles: it must not be taken for "no"
fn elsewhere(answer: &Value) -> Vec<String> {
    let levels = answer.get("elsewhere").and_then(|one| typed::<Vec<api::Elsewhere>>(one).ok());
    let levels = levels.unwrap_or_default();
    let line = |one: &api::Elsewhere| {
        let from = one.from.as_ref().map(|from| format!(" from {from}"));
        let until = one.until.clone().flatten().map(|until| format!(" until {until}"));
        let (from, until) = (from.unwrap_or_default(), until.unwrap_or_default());
        format!("decided elsewhere, by its role provider: {}{from}{until}", one.level)
    };
    let more = levels.len().saturating_sub(ELSEWHERE_SHOWN);
    let more = (more > 0).then(|| format!("decided elsewhere, too: {more} more"));
    levels.iter().take(ELSEWHERE_SHOWN).map(line).chain(more).collect()
}

/// Levels on which something else decides that a table names
const ELSEWHERE_SHOWN: usize = 10;

/// What nobody looked at, if there are observations of the place: it must not be taken for "no"
fn observed(answer: &Value) -> Vec<String> {
    let Some(observed) = answer.get("observed").and_then(|one| typed::<api::Observed>(one).ok())
    else {
        return Vec::new();
    };
    match observed {
        api::Observed::At { before, after, .. } => {
            let at = answer.pointer("/as_of/at").and_then(Value::as_str);
            match (before, after) {
                (Some(before), _) if Some(before.as_str()) == at => Vec::new(),
                (Some(before), Some(after)) => {
                    vec![format!(
                        "not observed then: the last time before at {before}, the next at {after}"
                    )]
                }
                (Some(before), None) => vec![format!("not observed after {before}")],
                (None, Some(after)) => vec![format!("not observed before {after}")],
                (None, None) => Vec::new(),
            }
        }
        api::Observed::Over { gaps, gap_count, .. } => {
            let shown = gaps.iter().take(GAPS_SHOWN);
            let line = |gap: &api::Gap| {
                let until = gap.until.as_ref().map(|until| format!(" until {until}"));
                format!("not observed from {}{}", gap.from, until.unwrap_or_default())
            };
            let more = gap_count.saturating_sub(GAPS_SHOWN);
            let more = (more > 0).then(|| format!("nor in {more} more stretches"));
            shown.map(line).chain(more).collect()
        }
        api::Observed::Under { not_observed: 0, .. } => Vec::new(),
        api::Observed::Under { not_observed, levels } => {
            let first = if levels.len() < not_observed { ", the first are" } else { ":" };
            let levels = levels.join(", ");
            vec![format!("not observed then: {not_observed} levels{first} {levels}")]
        }
    }
}

/// Stretches without an observation that a table names
const GAPS_SHOWN: usize = 3;

fn nothing(question: &str, answer: &Value) -> &'static str {
    match question {
        // An answer about one principal has no levels; a power that a move took from it is in none of its holdings.
        "diff" if matches!(typed(answer), Ok(api::DiffAnswer::Diff(diff)) if diff.levels.is_none()) => {
            "nothing in what this principal holds; a move or a new definition may have changed what it can do: \
             ask without --principal, or with --can"
        }
        // The lines above said where something else decides: there it is neither yes nor no.
        _ if !elsewhere(answer).is_empty() => "nothing that the ledger can see",
        "who" => "nobody",
        "where" => "nowhere",
        "timeline" => "never",
        _ => "nothing",
    }
}

/// The coordinates, in a line
fn footer(answer: &Value) -> Option<String> {
    let as_of = answer.get("as_of")?;
    let coordinates = |as_of: &AsOf| {
        let at = as_of.at.as_ref().map(|at| format!("as of {at}, "));
        let recorded = as_of.recorded_at.as_ref().map(|at| format!(" (recorded {at})"));
        let catalog =
            as_of.catalog.clone().flatten().map(|version| format!(", catalogue {version}"));
        let life = as_of.life.as_ref().map(|life| format!(" of {life}"));
        let reading = as_of.reading.as_ref().map(|one| format!(", reading {one}"));
        format!(
            "{}as known at #{}{}{}{}{}",
            at.unwrap_or_default(),
            as_of.known_at,
            recorded.unwrap_or_default(),
            catalog.unwrap_or_default(),
            reading.unwrap_or_default(),
            life.unwrap_or_default()
        )
    };
    let line = match typed::<api::DiffAsOf>(as_of) {
        Ok(both) => format!("from {}\nuntil {}", coordinates(&both.from), coordinates(&both.until)),
        Err(_) => coordinates(&typed::<AsOf>(as_of).ok()?),
    };
    Some(format!("\n{line}"))
}

/// An answer as rows
pub(crate) fn rows(question: &str, answer: &Value) -> anyhow::Result<Rows> {
    Ok(match question {
        "who" => who(&typed(answer)?),
        "what" => what(&typed(answer)?),
        "check" => holdings(&typed::<api::Check>(answer)?.because),
        "timeline" => timeline(&typed(answer)?),
        "where" => {
            let mut rows = Rows::new(&["level"]);
            for level in typed::<api::Where>(answer)?.levels {
                rows.push([level]);
            }
            rows
        }
        "diff" => diff::rows(&typed(answer)?),
        "assignments" => holdings(&typed::<api::Assignments>(answer)?.assignments),
        "holdings" => holdings_then(&typed(answer)?),
        "members" => members(&typed(answer)?),
        "principals" => principals(&typed(answer)?),
        "search" => found(&typed(answer)?),
        "sources" => sources(&typed(answer)?),
        "levels" => levels(&typed(answer)?),
        "role-collections" => role_collections(&typed(answer)?),
        "catalog" => catalog(&typed(answer)?),
        "history" => entries(&typed::<api::Entries>(answer)?.entries),
        "entry" => entries(&[typed(answer)?]),
        _ => anyhow::bail!("no table is known for the question `{question}`"),
    })
}

fn who(answer: &api::Who) -> Rows {
    let all = || answer.subjects.iter().chain(&answer.sets);
    let mut head = vec!["principal"];
    let by_level = all().any(|subject| subject.levels.is_some());
    let by_time = all().any(|subject| !stretches(subject).is_empty());
    head.extend(by_level.then_some("level"));
    head.extend(by_time.then_some(["from", "until"]).into_iter().flatten());
    head.extend(all().any(|subject| subject.assigned.is_some()).then_some("assigned"));
    let explained = all().any(|subject| {
        subject.because.is_some()
            || stretches(subject).iter().any(|(_, interval)| interval.because.is_some())
    });
    head.extend(explained.then_some("because"));
    let mut rows = Rows { head, rows: Vec::new() };
    for subject in all() {
        rows.rows.extend(subject_rows(subject, explained));
    }
    rows
}

/// The intervals of a subject, each with its level where a subtree was asked about
fn stretches(subject: &Subject) -> Vec<(Option<&String>, &Interval)> {
    let of_levels = subject.levels.iter().flatten().filter_map(|there| match there {
        LevelThere::Now(_) => None,
        LevelThere::During { level, intervals } => Some((level, intervals)),
    });
    let of_levels = of_levels.flat_map(|(level, intervals)| {
        intervals.iter().map(move |interval| (Some(level), interval))
    });
    let own = subject.intervals.iter().flatten().map(|interval| (None, interval));
    own.chain(of_levels).collect()
}

fn subject_rows(subject: &Subject, explained: bool) -> Vec<Vec<String>> {
    let because = |holdings: &[Holding]| holdings.iter().map(reason).collect::<Vec<_>>().join("\n");
    let stretches = stretches(subject);
    if !stretches.is_empty() {
        let row = |(level, interval): &(Option<&String>, &Interval)| {
            let mut row = vec![subject.principal.clone()];
            row.extend(level.cloned());
            row.extend([interval.from.clone(), end(interval.until.as_ref())]);
            let behind = interval.because.as_deref().unwrap_or_default();
            row.extend(explained.then(|| because(behind)));
            row
        };
        return stretches.iter().map(row).collect();
    }
    let mut row = vec![subject.principal.clone()];
    if let Some(levels) = &subject.levels {
        let levels = levels.iter().map(|there| match there {
            LevelThere::Now(level) | LevelThere::During { level, .. } => level.clone(),
        });
        row.push(levels.collect::<Vec<_>>().join("\n"));
    }
    row.extend(subject.assigned.map(|yes| if yes { "yes" } else { "no" }.to_owned()));
    if explained {
        row.push(because(subject.because.as_deref().unwrap_or_default()));
    }
    vec![row]
}

fn end(until: Option<&String>) -> String {
    until.cloned().unwrap_or_else(|| "no end".to_owned())
}

fn granted(held: &Held) -> String {
    match (&held.role_collection, &held.role) {
        (Some(name), _) => look_alike::role_collection(name),
        (None, Some(role)) => format!("role {role}"),
        (None, None) => String::new(),
    }
}

/// A holding in a line, and who gave it in lines below
fn reason(holding: &Holding) -> String {
    let held = &holding.held;
    let via = held.via.as_ref().map(|via| format!(" via {via}")).unwrap_or_default();
    let mut line = format!("{} at {}{via}, {}", granted(held), held.level, terms(holding));
    if let Some(by) = &held.by {
        line.push_str(&format!("\ngiven by {}", giver(by)));
    }
    if let Some(end) = &holding.ended {
        line.push_str(&format!("\n{}", ended_then(end)));
    }
    if let Some(membership) = &held.membership {
        let by = membership.by.as_ref().map(|by| format!(" by {}", giver(by)));
        let by = by.unwrap_or_else(|| format!(", #{}", membership.joined_by.position()));
        let rule = if is_rule(membership.joined_by) { " through a rule" } else { "" };
        line.push_str(&format!("\nmember{rule} since {}{by}", membership.since));
    }
    line
}

fn is_rule(by: api::JoinedBy) -> bool {
    matches!(by, api::JoinedBy::Rule { .. })
}

/// Since when and until when something is held, and by which entry
fn terms(Holding { held, until, .. }: &Holding) -> String {
    let until = until.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
    let not_before = held.not_before.as_ref().map(|at| format!(" (not before {at})"));
    format!("since {}{until}, #{}{}", held.since, held.entry, not_before.unwrap_or_default())
}

/// Who made an entry, when and why
fn giver(by: &api::By) -> String {
    let reason = by.reason.as_ref().map(|reason| format!(": {}", one_line(reason)));
    let (actor, at) = (&by.actor, &by.recorded_at);
    // Whoever can open the folder is the submitter of most entries in it: it tells nothing.
    let submitter = match by.submitter.as_str() {
        "client:tenure/local" => String::new(),
        other => format!(" handed in by {other}"),
    };
    format!("{actor}{submitter}, #{} of {at}{}", by.position, reason.unwrap_or_default())
}

/// A text of several lines in one
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Who gave a holding, and who added the member through whose set it is held
fn given_by(held: &Held) -> String {
    let membership = held.membership.as_ref().and_then(|one| {
        let rule = if is_rule(one.joined_by) { "a rule of " } else { "" };
        Some(format!("member by {rule}{}", giver(one.by.as_ref()?)))
    });
    held.by.as_ref().map(giver).into_iter().chain(membership).collect::<Vec<_>>().join("\n")
}

/// Rows with a last column for who gave each, if anybody is told
fn with_givers<'a>(
    head: &[&'static str],
    rows: impl Iterator<Item = (&'a Held, Vec<String>)> + Clone,
) -> Rows {
    let mut head = head.to_vec();
    let explained = rows.clone().any(|(held, _)| held.by.is_some());
    head.extend(explained.then_some("given by"));
    let row = |(held, mut row): (&Held, Vec<String>)| {
        row.extend(explained.then(|| given_by(held)));
        row
    };
    Rows { head, rows: rows.map(row).collect() }
}

fn holdings(list: &[Holding]) -> Rows {
    let mut head = vec!["principal", "holds", "at", "via", "since", "until", "entry"];
    let ends = list.iter().any(|holding| holding.ended.is_some());
    head.extend(ends.then_some("ends"));
    let row = |holding: &Holding| {
        let mut row = Vec::from(holding_row(holding));
        row.extend(ends.then(|| holding.ended.as_ref().map(ended_then).unwrap_or_default()));
        row
    };
    with_givers(&head, list.iter().map(|holding| (&holding.held, row(holding))))
}

/// How and when a holding ends
fn ended_then(end: &api::Ended) -> String {
    let at = end.at.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
    let entry = end.entry.filter(|_| end.by.is_none()).map(|entry| format!(" by #{entry}"));
    let by = end.by.as_ref().map(|by| format!(" by {}", giver(by)));
    format!("{}{at}{}", end.how.replace('_', " "), entry.or(by).unwrap_or_default())
}

fn holding_row(Holding { held, until, .. }: &Holding) -> [String; 7] {
    let [principal, granted, level, via, entry] = held_cells(held);
    [principal, granted, level, via, held.since.clone(), end(until.as_ref()), entry]
}

/// Who, what, where, through which set, by which entry
fn held_cells(held: &Held) -> [String; 5] {
    let via = held.via.clone().unwrap_or_default();
    let not_before = held.not_before.as_ref().map(|at| format!("\nnot before {at}"));
    let entry = format!("#{}{}", held.entry, not_before.unwrap_or_default());
    [held.principal.clone(), granted(held), held.level.clone(), via, entry]
}

fn holdings_then(answer: &api::Holdings) -> Rows {
    let head = ["principal", "holds", "at", "via", "from", "until", "ended", "entry"];
    let cells = |row: &api::HoldingRow| {
        let [principal, granted, level, via, entry] = held_cells(&row.held);
        let ended = row.ended.as_ref().map(ended).unwrap_or_default();
        let (from, until) = (row.from.clone(), end(row.until.as_ref()));
        vec![principal, granted, level, via, from, until, ended, entry]
    };
    with_givers(&head, answer.holdings.iter().map(|row| (&row.held, cells(row))))
}

/// How a stretch ended, and who ended it in a line below
fn ended(ended: &api::Ended) -> String {
    let entry = ended.entry.map(|entry| format!(" by #{entry}")).unwrap_or_default();
    let by = ended.by.as_ref().map(|by| format!("\n{}", giver(by))).unwrap_or_default();
    format!("{}{entry}{by}", ended.how.replace('_', " "))
}

fn members(answer: &api::Members) -> Rows {
    let mut rows = Rows::new(&["member", "since", "entry"]);
    for member in &answer.members {
        let rule = if is_rule(member.by) { "rule " } else { "" };
        let entry = format!("{rule}#{}", member.by.position());
        rows.push([member.principal.clone(), member.since.clone(), entry]);
    }
    rows
}

fn principals(answer: &api::Principals) -> Rows {
    let mut rows = Rows::new(&["principal", "holdings", "last held"]);
    for row in &answer.principals {
        let last_held = row.last_held.clone().unwrap_or_default();
        rows.push([row.principal.clone(), row.holdings.to_string(), last_held]);
    }
    rows
}

fn sources(answer: &api::Sources) -> Rows {
    let head = ["source", "level", "first", "last", "last listed", "listings", "gaps"];
    let mut rows = Rows::new(&head);
    for row in &answer.sources {
        let below = if row.subtree { " and below" } else { "" };
        let gone = if row.level_exists { "" } else { " (does not exist)" };
        rows.push([
            row.source.clone(),
            format!("{}{below}{gone}", row.level),
            row.first.clone(),
            row.last.clone(),
            row.listed.clone().unwrap_or_default(),
            row.moments.to_string(),
            gaps(row),
        ]);
    }
    rows
}

/// The gaps of a source, each in a line
fn gaps(row: &api::SourceRow) -> String {
    let Some(gaps) = &row.gaps else { return String::new() };
    if gaps.is_empty() {
        return "none".to_owned();
    }
    let line = |gap: &api::Gap| format!("{} until {}", gap.from, end(gap.until.as_ref()));
    let more = row.gap_count.unwrap_or_default().saturating_sub(GAPS_SHOWN.min(gaps.len()));
    let more = (more > 0).then(|| format!("and {more} more"));
    gaps.iter().take(GAPS_SHOWN).map(line).chain(more).collect::<Vec<_>>().join("\n")
}

fn found(answer: &api::Search) -> Rows {
    let mut rows = Rows::new(&["kind", "id", "title", "in"]);
    for found in &answer.found {
        let id = match found.kind.as_str() {
            "role-collection" => look_alike::role_collection(&found.id),
            _ => look_alike::visible(&found.id),
        };
        let path = found.path.iter().flatten().cloned().collect::<Vec<_>>().join(" / ");
        rows.push([found.kind.clone(), id, found.title.clone().unwrap_or_default(), path]);
    }
    rows
}

fn what(answer: &api::What) -> Rows {
    let mut rows = Rows::new(&["kind", "name"]);
    let lists = [
        ("role collection", &answer.role_collections),
        ("role", &answer.roles),
        ("scope", &answer.scopes),
        ("operation", &answer.operations),
        ("permission", &answer.permissions),
    ];
    for (kind, names) in lists {
        for name in names {
            let name = match kind {
                "role collection" => look_alike::role_collection(name),
                _ => name.clone(),
            };
            rows.push([kind.to_owned(), name]);
        }
    }
    rows
}

fn timeline(answer: &api::Timeline) -> Rows {
    let mut rows = Rows::new(&["from", "until", "because"]);
    for interval in &answer.intervals {
        rows.push([
            interval.from.clone(),
            end(interval.until.as_ref()),
            interval.because.iter().flatten().map(reason).collect::<Vec<_>>().join("\n"),
        ]);
    }
    rows
}

fn levels(answer: &api::Levels) -> Rows {
    let mut rows = Rows::new(&[
        "level",
        "parent",
        "name",
        "feature set",
        "authorizations",
        "environment",
        "region",
        "identity provider",
        "role provider",
        "access",
    ]);
    for level in &answer.levels {
        let stated = &level.attributes;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        rows.push([
            level.level.clone(),
            text(&level.parent),
            text(&stated.name),
            stated.feature_set.map(|set| format!("{set:?}")).unwrap_or_default(),
            stated.authorizations.map(|yes| yes.to_string()).unwrap_or_default(),
            stated.environment.map(|e| format!("{e:?}").to_lowercase()).unwrap_or_default(),
            text(&stated.region),
            text(&stated.identity_provider),
            text(&stated.role_provider),
            stated.access.map(|access| format!("{access:?}").to_lowercase()).unwrap_or_default(),
        ]);
    }
    rows
}

fn role_collections(answer: &api::RoleCollections) -> Rows {
    let mut rows = Rows::new(&["role collection", "kind", "roles"]);
    for row in &answer.role_collections {
        let kind = if row.predefined { "predefined" } else { "custom" };
        let name = look_alike::role_collection(&row.role_collection);
        rows.push([name, kind.to_owned(), row.roles.join("\n")]);
    }
    rows
}

fn catalog(answer: &api::CatalogAnswer) -> Rows {
    let mut rows = Rows::new(&["operation", "on", "feature sets", "requires"]);
    for row in answer.catalog.iter().flat_map(|catalog| &catalog.operations) {
        let sets = row.feature_sets.as_ref().map_or("A, B".to_owned(), |sets| {
            sets.iter().map(|set| format!("{set:?}")).collect::<Vec<_>>().join(", ")
        });
        rows.push([row.operation.clone(), row.at.join(", "), sets, requirement(&row.requires)]);
    }
    rows
}

/// Rows of the log
pub(crate) fn entries(list: &[EntryRow]) -> Rows {
    let mut rows = Rows::new(&[
        "#",
        "recorded",
        "effective",
        "actor",
        "submitter",
        "changes",
        "outcome",
        "reason",
    ]);
    for row in list {
        let entry = row.entry.as_ref();
        let changes =
            entry.map(|entry| entry.changes.iter().map(change).collect::<Vec<_>>().join("\n"));
        rows.push([
            row.result.position.to_string(),
            row.result.recorded_at.clone(),
            effective(row),
            entry.map(|entry| entry.actor.clone()).unwrap_or_default(),
            row.submitter.clone(),
            changes.unwrap_or_else(|| "(not decodable)".to_owned()),
            outcome(&row.result, row.voided_by),
            entry.and_then(|entry| entry.reason.clone()).unwrap_or_default(),
        ]);
    }
    rows
}

/// When it holds, and the earliest moment at which it can have happened
fn effective(row: &EntryRow) -> String {
    let not_before = row.not_before.as_ref().map(|at| format!("not before {at}"));
    row.effective_at.clone().into_iter().chain(not_before).collect::<Vec<_>>().join("\n")
}

/// What became of an entry, in a few words
pub(crate) fn outcome(result: &api::EntryResult, voided_by: Option<u64>) -> String {
    let voided = voided_by.map(|void| format!(", voided by #{void}")).unwrap_or_default();
    let became = became(&result.outcome, result.refusal.as_ref(), result.original.as_ref());
    format!("{became}{voided}")
}

/// What became of an entry that was handed in, in a few words
pub(crate) fn appended(result: &api::AppendResult) -> String {
    became(&result.outcome, result.refusal.as_ref(), result.original.as_ref())
}

/// Notes in lines
pub(crate) fn notes(notes: &[api::Note]) -> String {
    let line =
        |note: &api::Note| format!("{}, change {}: {}", note.code, note.change, note.message);
    notes.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn became(
    outcome: &str,
    refusal: Option<&api::Refusal>,
    original: Option<&api::Original>,
) -> String {
    match (refusal, original) {
        (Some(refusal), _) => {
            let change = refusal.change.map(|n| format!(", change {n}")).unwrap_or_default();
            format!("refused: {}{change}: {}", refusal.code, refusal.message)
        }
        (None, Some(original)) => {
            format!("duplicate of #{} ({})", original.position, original.outcome)
        }
        (None, None) => outcome.to_owned(),
    }
}

/// A change in a line
fn change(change: &v1::Change) -> String {
    let what = |role_collection: &Option<String>, role: &Option<String>| match role {
        Some(role) => format!("role {role}"),
        None => role_collection.as_deref().map(look_alike::role_collection).unwrap_or_default(),
    };
    match change {
        v1::Change::CreateLevel { level, parent, .. } => match parent {
            Some(parent) => format!("create {level} in {parent}"),
            None => format!("create {level}"),
        },
        v1::Change::MoveLevel { level, parent } => format!("move {level} to {parent}"),
        v1::Change::SetLevel { level, .. } => format!("set attributes of {level}"),
        v1::Change::DeleteLevel { level } => format!("delete {level}"),
        v1::Change::CreateRole { level, role, application, .. } => {
            format!("create role {} at {level}", role_text(application, role))
        }
        v1::Change::DeleteRole { level, role } => format!("delete role {role} at {level}"),
        v1::Change::CreateRoleCollection { level, role_collection, roles, .. } => {
            let name = look_alike::role_collection(role_collection);
            format!("create role collection {name} at {level} of {}", roles.join(", "))
        }
        v1::Change::SetRoles { level, role_collection, roles } => {
            let name = look_alike::role_collection(role_collection);
            format!("set roles of {name} at {level} to {}", roles.join(", "))
        }
        v1::Change::DeleteRoleCollection { level, role_collection } => {
            let name = look_alike::role_collection(role_collection);
            format!("delete role collection {name} at {level}")
        }
        v1::Change::Grant { level, role_collection, role, to, until, .. } => {
            let until = until.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
            format!("grant {} at {level} to {to}{until}", what(role_collection, role))
        }
        v1::Change::Revoke { level, role_collection, role, from, .. } => {
            format!("revoke {} at {level} from {from}", what(role_collection, role))
        }
        v1::Change::AddMember { set, member } => format!("add {member} to {set}"),
        v1::Change::RemoveMember { set, member, .. } => format!("remove {member} from {set}"),
        v1::Change::SetRule { set, rule: None, .. } => format!("end the rule of {set}"),
        v1::Change::SetRule { set, origin, rule: Some(v1::Rule { everyone: Some(true), .. }) } => {
            format!("every user of {origin} is a member of {set}")
        }
        v1::Change::SetRule { set, origin, rule: Some(rule) } => {
            format!("members of {set} are the users of {origin} with {}", sentence::rule(rule))
        }
        v1::Change::SetPermission { level, permission, roles, paths } => {
            let roles = if roles.is_empty() { "no role".to_owned() } else { roles.join(", ") };
            let paths = paths.as_deref().unwrap_or_default().join(", ");
            let paths = if paths.is_empty() { String::new() } else { format!(", for {paths}") };
            format!("set permission {permission} at {level} to {roles}{paths}")
        }
        v1::Change::DeletePermission { level, permission } => {
            format!("delete permission {permission} at {level}")
        }
        v1::Change::RemovePrincipal { principal } => format!("remove {principal}"),
        v1::Change::PublishCatalog { catalog } => format!("publish catalogue {}", catalog.version),
        v1::Change::Observe { level, subtree, source, from } => {
            let below = if *subtree == Some(true) { " and all below it" } else { "" };
            let from = from.as_ref().map(|from| format!(" since {from}")).unwrap_or_default();
            format!("observed {level}{below}{from} by {source}")
        }
        v1::Change::Void { entry, .. } => format!("void {entry}"),
    }
}
