//! The questions of the command line
//!
//! Each becomes the question of that name; pages are fetched until there are no more.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;
use tenure_wire::question::{self, Question};

use crate::door::{Door, DoorArgs};
use crate::output::{Format, Output, say};
use crate::render;

/// Valid time, and what was known
#[derive(Debug, Args)]
pub(crate) struct AsOf {
    /// When: an instant, or a date (its midnight in UTC) [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    #[command(flatten)]
    known: KnownAt,
}

/// What was known
#[derive(Debug, Args)]
pub(crate) struct KnownAt {
    /// As known at this position (42 or #42) or recorded time [default: now]
    #[arg(long, value_name = "POSITION|TIME")]
    known_at: Option<String>,
    /// Wait until this position (or revision) is known
    #[arg(long, value_name = "POSITION")]
    min_position: Option<String>,
}

fn position(text: Option<String>) -> Option<String> {
    text.map(|text| text.strip_prefix('#').map(str::to_owned).unwrap_or(text))
}

/// Who could do something: on a level, anywhere under one, or during a time
#[derive(Debug, Args)]
pub(crate) struct Who {
    /// What: an operation, or role:…, scope:…, role-collection:…
    #[arg(long, value_name = "WHAT")]
    can: String,
    /// On this level
    #[arg(long, value_name = "LEVEL", required_unless_present = "under", conflicts_with = "under")]
    on: Option<String>,
    /// On any level of this one's subtree
    #[arg(long, value_name = "LEVEL")]
    under: Option<String>,
    /// During a time: from this instant or date
    #[arg(long, value_name = "TIME", conflicts_with_all = ["at", "under"])]
    from: Option<String>,
    /// During a time: until this instant or date
    #[arg(long, value_name = "TIME", conflicts_with_all = ["at", "under"])]
    until: Option<String>,
    /// Show the holdings that make it true
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    as_of: AsOf,
}

impl From<Who> for Question {
    fn from(q: Who) -> Self {
        Self::Who(question::Who {
            can: Some(q.can),
            on: q.on,
            under: q.under,
            at: q.as_of.at,
            from: q.from,
            until: q.until,
            known_at: position(q.as_of.known.known_at),
            explain: q.explain.then(|| "true".to_owned()),
            limit: None,
            page_token: None,
            min_position: position(q.as_of.known.min_position),
        })
    }
}

/// What somebody could do on a level
#[derive(Debug, Args)]
pub(crate) struct What {
    /// Who
    principal: String,
    /// On this level
    #[arg(long, value_name = "LEVEL")]
    on: String,
    #[command(flatten)]
    as_of: AsOf,
}

impl From<What> for Question {
    fn from(q: What) -> Self {
        Self::What(question::What {
            principal: Some(q.principal),
            on: Some(q.on),
            at: q.as_of.at,
            known_at: position(q.as_of.known.known_at),
            min_position: position(q.as_of.known.min_position),
        })
    }
}

/// Whether somebody could do something on a level, and why (exit status 1: no)
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Who
    principal: String,
    /// What: an operation, or role:…, scope:…, role-collection:…
    #[arg(long, value_name = "WHAT")]
    can: String,
    /// On this level
    #[arg(long, value_name = "LEVEL")]
    on: String,
    #[command(flatten)]
    as_of: AsOf,
}

impl From<Check> for Question {
    fn from(q: Check) -> Self {
        Self::Check(question::Check {
            principal: Some(q.principal),
            can: Some(q.can),
            on: Some(q.on),
            at: q.as_of.at,
            known_at: position(q.as_of.known.known_at),
            min_position: position(q.as_of.known.min_position),
        })
    }
}

/// Since when and until when somebody could do something on a level
#[derive(Debug, Args)]
pub(crate) struct Timeline {
    /// Who
    principal: String,
    /// What: an operation, or role:…, scope:…, role-collection:…
    #[arg(long, value_name = "WHAT")]
    can: String,
    /// On this level
    #[arg(long, value_name = "LEVEL")]
    on: String,
    /// From this instant or date [default: 1970]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Until this instant or date [default: no end]
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    #[command(flatten)]
    known: KnownAt,
}

impl From<Timeline> for Question {
    fn from(q: Timeline) -> Self {
        Self::Timeline(question::Timeline {
            principal: Some(q.principal),
            can: Some(q.can),
            on: Some(q.on),
            from: q.from,
            until: q.until,
            known_at: position(q.known.known_at),
            min_position: position(q.known.min_position),
        })
    }
}

/// On which levels somebody could do something
#[derive(Debug, Args)]
pub(crate) struct Where {
    /// Who
    principal: String,
    /// What: an operation, or role:…, scope:…, role-collection:…
    #[arg(long, value_name = "WHAT")]
    can: String,
    /// In this level's subtree
    #[arg(long, value_name = "LEVEL")]
    under: String,
    #[command(flatten)]
    as_of: AsOf,
}

impl From<Where> for Question {
    fn from(q: Where) -> Self {
        Self::Where(question::Where {
            principal: Some(q.principal),
            can: Some(q.can),
            under: Some(q.under),
            at: q.as_of.at,
            known_at: position(q.as_of.known.known_at),
            limit: None,
            page_token: None,
            min_position: position(q.as_of.known.min_position),
        })
    }
}

/// What changed between two times, or between two states of knowledge
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// First time: an instant or a date [default: now]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Second time [default: now]
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// As known at this position or time, at the first [default: now]
    #[arg(long, value_name = "POSITION|TIME")]
    known_from: Option<String>,
    /// As known at this position or time, at the second [default: now]
    #[arg(long, value_name = "POSITION|TIME")]
    known_until: Option<String>,
    /// In this level's subtree
    #[arg(long, value_name = "LEVEL")]
    under: Option<String>,
    /// Of this principal
    #[arg(long, value_name = "WHO")]
    principal: Option<String>,
}

impl From<Diff> for Question {
    fn from(q: Diff) -> Self {
        Self::Diff(question::Diff {
            from: q.from,
            until: q.until,
            known_from: position(q.known_from),
            known_until: position(q.known_until),
            under: q.under,
            principal: q.principal,
            min_position: None,
        })
    }
}

/// Who holds what: at a level, of somebody, or of a role collection
#[derive(Debug, Args)]
pub(crate) struct Assignments {
    /// At this level
    #[arg(long, value_name = "LEVEL", required_unless_present_any = ["principal", "role_collection"])]
    on: Option<String>,
    /// Of this principal itself
    #[arg(long, value_name = "WHO")]
    principal: Option<String>,
    /// Of a role collection of this name
    #[arg(long, value_name = "NAME")]
    role_collection: Option<String>,
    #[command(flatten)]
    as_of: AsOf,
}

impl From<Assignments> for Question {
    fn from(q: Assignments) -> Self {
        Self::Assignments(question::Assignments {
            on: q.on,
            principal: q.principal,
            role_collection: q.role_collection,
            at: q.as_of.at,
            known_at: position(q.as_of.known.known_at),
            limit: None,
            page_token: None,
            min_position: position(q.as_of.known.min_position),
        })
    }
}

/// The entries that name somebody or something, refused ones too
#[derive(Debug, Args)]
pub(crate) struct History {
    /// That name this principal in a change
    #[arg(required_unless_present_any = ["level", "role_collection", "actor"])]
    principal: Option<String>,
    /// That name this level
    #[arg(long, value_name = "LEVEL")]
    level: Option<String>,
    /// That name this role collection
    #[arg(long, value_name = "NAME")]
    role_collection: Option<String>,
    /// Of this actor
    #[arg(long, value_name = "WHO")]
    actor: Option<String>,
    /// With this outcome: applied, refused or duplicate
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,
}

impl From<History> for Question {
    fn from(q: History) -> Self {
        Self::History(question::History {
            principal: q.principal,
            level: q.level,
            role_collection: q.role_collection,
            actor: q.actor,
            outcome: q.outcome,
            ..question::History::default()
        })
    }
}

/// The log itself, in its order
#[derive(Debug, Args)]
pub(crate) struct Log {
    /// After this position [default: 0]
    #[arg(long, value_name = "POSITION")]
    after: Option<String>,
    /// At most so many entries [default: all]
    #[arg(long, value_name = "N")]
    limit: Option<u16>,
    /// With this outcome: applied, refused or duplicate
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,
}

impl From<Log> for Question {
    fn from(q: Log) -> Self {
        Self::History(question::History {
            after: position(q.after),
            limit: q.limit.map(|limit| limit.to_string()),
            outcome: q.outcome,
            ..question::History::default()
        })
    }
}

/// One entry, with all that it says
#[derive(Debug, Args)]
pub(crate) struct Entry {
    /// Its position (42 or #42) or id
    entry: String,
    /// Wait for it so many milliseconds, at most 20,000, if it is not there yet
    #[arg(long, value_name = "MS")]
    wait: Option<String>,
}

impl From<Entry> for Question {
    fn from(q: Entry) -> Self {
        let entry = position(Some(q.entry));
        Self::Entry(question::Entry { entry, wait: q.wait, min_position: None })
    }
}

/// The levels that exist
#[derive(Debug, Args)]
pub(crate) struct Levels {
    #[command(flatten)]
    as_of: AsOf,
}

impl From<Levels> for Question {
    fn from(q: Levels) -> Self {
        Self::Levels(question::Levels {
            at: q.as_of.at,
            known_at: position(q.as_of.known.known_at),
            min_position: position(q.as_of.known.min_position),
        })
    }
}

/// The role collections of a level, with their roles
#[derive(Debug, Args)]
pub(crate) struct RoleCollections {
    /// At this level
    #[arg(long, value_name = "LEVEL")]
    on: String,
    #[command(flatten)]
    as_of: AsOf,
}

impl From<RoleCollections> for Question {
    fn from(q: RoleCollections) -> Self {
        Self::RoleCollections(question::RoleCollections {
            on: Some(q.on),
            at: q.as_of.at,
            known_at: position(q.as_of.known.known_at),
            min_position: position(q.as_of.known.min_position),
        })
    }
}

/// The catalogue in force: operations and what they require (`--format json`: the whole document)
#[derive(Debug, Args)]
pub(crate) struct Catalog {
    #[command(flatten)]
    as_of: AsOf,
}

impl From<Catalog> for Question {
    fn from(q: Catalog) -> Self {
        Self::Catalog(question::Catalog {
            at: q.as_of.at,
            known_at: position(q.as_of.known.known_at),
            min_position: position(q.as_of.known.min_position),
        })
    }
}

/// Asks, and shows the whole answer
pub(crate) fn ask(
    door: &DoorArgs,
    output: &Output,
    question: Question,
) -> anyhow::Result<ExitCode> {
    let door = door.reading()?;
    let answer = whole(&door, question.clone());
    door.close();
    let answer = answer?;
    show(output.format, &question, &answer)?;
    let no = answer.get("allowed").and_then(Value::as_bool) == Some(false);
    Ok(if no { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Shows an answer in a format
pub(crate) fn show(format: Format, question: &Question, answer: &Value) -> anyhow::Result<()> {
    match format {
        Format::Json => say(&serde_json::to_string_pretty(answer)?),
        Format::Table => say(&render::table(question, answer)?),
        Format::Csv => say(render::rows(question, answer)?.csv()?.trim_end()),
    }
}

/// Asks for all pages and puts them together
pub(crate) fn whole(door: &Door, mut question: Question) -> anyhow::Result<Value> {
    let one_page = matches!(&question, Question::History(q) if q.limit.is_some());
    let mut answer = door.ask(&question)?;
    let list = match question.name() {
        "who" => "subjects",
        "where" => "levels",
        "assignments" => "assignments",
        "history" => "entries",
        _ => return Ok(answer),
    };
    loop {
        let next = ["next_page_token", "next_after"].into_iter().find_map(|field| {
            let next = answer.as_object_mut()?.remove(field)?;
            Some(next.as_str().map_or_else(|| next.to_string(), str::to_owned))
        });
        let Some(next) = next.filter(|_| !one_page) else { return Ok(answer) };
        match &mut question {
            Question::Who(q) => q.page_token = Some(next),
            Question::Where(q) => q.page_token = Some(next),
            Question::Assignments(q) => q.page_token = Some(next),
            Question::History(q) => q.after = Some(next),
            _ => return Ok(answer),
        }
        let mut page = door.ask(&question)?;
        let more = page.get_mut(list).map(Value::take);
        if let (Some(Value::Array(all)), Some(Value::Array(more))) = (answer.get_mut(list), more) {
            all.extend(more);
        }
        if let (Value::Object(all), Value::Object(page)) = (&mut answer, page) {
            let next = page.into_iter().filter(|(field, _)| field.starts_with("next_"));
            all.extend(next);
        }
    }
}
