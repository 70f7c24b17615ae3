//! The questions of the command line
//!
//! Each command becomes the question of its name. All pages of the answer are fetched.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use tenure_wire::question::{self, Texts};

use crate::door::{Door, DoorArgs};
use crate::output::{Format, Output, say};
use crate::render;

/// Valid time, and what was known
#[derive(Debug, Args, Serialize)]
pub(crate) struct AsOf {
    /// At this moment: an instant, or a date (its midnight in UTC) [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    known: KnownAt,
}

/// What was known
#[derive(Debug, Args, Serialize)]
pub(crate) struct KnownAt {
    /// As known at this position (42 or #42) or recorded time [default: now]
    #[arg(long, value_name = "POSITION|TIME")]
    known_at: Option<String>,
    /// Wait until this position (or revision) is known
    #[arg(long, value_name = "POSITION")]
    min_position: Option<String>,
}

/// What one could do
#[derive(Debug, Args, Serialize)]
struct Can {
    /// What one could do: an operation, or role:…, scope:…, role-collection:…, permission:…, path:…; several mean any of
    /// them
    #[arg(long, value_name = "WHAT", required = true)]
    can: Vec<String>,
}

/// A stretch of time
#[derive(Debug, Args, Serialize)]
struct Stretch {
    /// From this instant or date [default: 1970]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Until this instant or date, which is not included [default: no end]
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

/// In which sense one could
#[derive(Debug, Args, Serialize)]
struct Reading {
    /// assigned; session: by what was assigned at some moment of a session's life; latent: by what one could have given
    /// oneself [default: assigned]
    #[arg(long, value_name = "READING")]
    reading: Option<String>,
    /// With --reading session: how long a session lives, like 45m, 12h or 2d [default: 12h]
    #[arg(long, value_name = "TIME", requires = "reading")]
    life: Option<String>,
}

/// What is held
#[derive(Debug, Args, Serialize)]
struct Granted {
    /// Only of role collections with this name
    #[arg(long, value_name = "NAME")]
    role_collection: Option<String>,
    /// Only of this single role: a name, or application/name
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
}

/// How much of the evidence is shown
#[derive(Debug, Args, Serialize)]
struct Explain {
    /// Show the holdings that make it true, who gave each, when and why
    #[arg(long)]
    #[serde(serialize_with = "full")]
    explain: bool,
}

fn full<S: serde::Serializer>(explain: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    match explain {
        true => serializer.serialize_str("full"),
        false => serializer.serialize_bool(false),
    }
}

/// Who could do something: on a level, anywhere under one, or during a time
#[derive(Debug, Args, Serialize)]
pub(crate) struct Who {
    #[command(flatten)]
    #[serde(flatten)]
    can: Can,
    /// On this level
    #[arg(long, value_name = "LEVEL", required_unless_present = "under", conflicts_with = "under")]
    on: Option<String>,
    /// On any level in the subtree of this one
    #[arg(long, value_name = "LEVEL")]
    under: Option<String>,
    /// During a time: from this instant or date
    #[arg(long, value_name = "TIME", conflicts_with = "at")]
    from: Option<String>,
    /// During a time: until this instant or date, which is not included
    #[arg(long, value_name = "TIME", conflicts_with = "at")]
    until: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    reading: Reading,
    #[command(flatten)]
    #[serde(flatten)]
    explain: Explain,
    #[command(flatten)]
    #[serde(flatten)]
    as_of: AsOf,
}

/// What a principal could do on a level
#[derive(Debug, Args, Serialize)]
pub(crate) struct What {
    /// The principal, like alice@acme.example or group:corp/admins
    principal: String,
    /// On this level
    #[arg(long, value_name = "LEVEL")]
    on: String,
    #[command(flatten)]
    #[serde(flatten)]
    as_of: AsOf,
}

/// Whether a principal could do something on a level, and why (exit status 1: no)
#[derive(Debug, Args, Serialize)]
pub(crate) struct Check {
    /// The principal, like alice@acme.example or group:corp/admins
    principal: String,
    #[command(flatten)]
    #[serde(flatten)]
    can: Can,
    /// On this level
    #[arg(long, value_name = "LEVEL")]
    on: String,
    #[command(flatten)]
    #[serde(flatten)]
    reading: Reading,
    #[command(flatten)]
    #[serde(flatten)]
    explain: Explain,
    #[command(flatten)]
    #[serde(flatten)]
    as_of: AsOf,
}

/// Since when and until when a principal could do something on a level
#[derive(Debug, Args, Serialize)]
pub(crate) struct Timeline {
    /// The principal, like alice@acme.example or group:corp/admins
    principal: String,
    #[command(flatten)]
    #[serde(flatten)]
    can: Can,
    /// On this level
    #[arg(long, value_name = "LEVEL")]
    on: String,
    #[command(flatten)]
    #[serde(flatten)]
    stretch: Stretch,
    #[command(flatten)]
    #[serde(flatten)]
    explain: Explain,
    #[command(flatten)]
    #[serde(flatten)]
    known: KnownAt,
}

/// On which levels a principal could do something
#[derive(Debug, Args, Serialize)]
pub(crate) struct Where {
    /// The principal, like alice@acme.example or group:corp/admins
    principal: String,
    #[command(flatten)]
    #[serde(flatten)]
    can: Can,
    /// Only in the subtree of this level
    #[arg(long, value_name = "LEVEL")]
    under: String,
    /// Only levels of this kind, like subaccount
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    reading: Reading,
    #[command(flatten)]
    #[serde(flatten)]
    as_of: AsOf,
}

/// What changed between two times or two states of knowledge, or who gained or lost a power
#[derive(Debug, Args, Serialize)]
pub(crate) struct Diff {
    /// Who gained or lost the power to do this: an operation, or role:…, scope:…, role-collection:…; several mean any
    /// of them
    #[arg(long, value_name = "WHAT", conflicts_with = "principal")]
    can: Vec<String>,
    /// With --can: on this level
    #[arg(long, value_name = "LEVEL", requires = "can", conflicts_with = "under")]
    on: Option<String>,
    /// The first time: an instant or a date [default: now]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// The second time [default: now]
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// What was known at the first: a position or a recorded time [default: now]
    #[arg(long, value_name = "POSITION|TIME")]
    known_from: Option<String>,
    /// What was known at the second: a position or a recorded time [default: now]
    #[arg(long, value_name = "POSITION|TIME")]
    known_until: Option<String>,
    /// Only in the subtree of this level, as it was at each time
    #[arg(long, value_name = "LEVEL")]
    under: Option<String>,
    /// Only holdings of this principal
    #[arg(long, value_name = "WHO")]
    principal: Option<String>,
}

/// Holdings that count: at a level, of a principal, or of a role collection
#[derive(Debug, Args, Serialize)]
pub(crate) struct Assignments {
    /// Only at this level
    #[arg(long, value_name = "LEVEL", required_unless_present_any = ["principal", "role_collection", "role"])]
    on: Option<String>,
    /// Only what this principal holds, by itself or through a set
    #[arg(long, value_name = "WHO")]
    principal: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    granted: Granted,
    #[command(flatten)]
    #[serde(flatten)]
    explain: Explain,
    #[command(flatten)]
    #[serde(flatten)]
    as_of: AsOf,
}

/// What was held during a time, by whom, and how each holding ended
#[derive(Debug, Args, Serialize)]
pub(crate) struct Holdings {
    /// What this principal held, by itself or through a set
    #[arg(required_unless_present_any = ["on", "role_collection", "role"])]
    principal: Option<String>,
    /// Only at this level
    #[arg(long, value_name = "LEVEL")]
    on: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    granted: Granted,
    #[command(flatten)]
    #[serde(flatten)]
    stretch: Stretch,
    #[command(flatten)]
    #[serde(flatten)]
    explain: Explain,
    #[command(flatten)]
    #[serde(flatten)]
    known: KnownAt,
}

/// The members of a group or an attribute
#[derive(Debug, Args, Serialize)]
pub(crate) struct Members {
    /// The set, like group:corp/admins
    set: String,
    #[command(flatten)]
    #[serde(flatten)]
    as_of: AsOf,
}

/// The principals that are known, how much each holds, and when the others last held something
#[derive(Debug, Args, Serialize)]
pub(crate) struct Principals {
    /// Only of this kind: user, client, group, attribute or everyone
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Only of this origin
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,
    /// true: only those that hold something that counts; false: only the others
    #[arg(long, value_name = "BOOL")]
    holding: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    as_of: AsOf,
}

/// The names that contain some words: of levels, principals, role collections, roles, operations and permissions
#[derive(Debug, Args, Serialize)]
pub(crate) struct Search {
    /// Words that a name or an id contains, each of them, in any letter case and without accents
    #[arg(required = true, value_name = "WORDS")]
    #[serde(rename = "q", serialize_with = "in_one_text")]
    words: Vec<String>,
    /// Only of this kind: subaccount (or another level), user (or another principal), role-collection, role, operation,
    /// permission
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// At most so many names, 1 to 200 [default: 20]
    #[arg(long, value_name = "N")]
    limit: Option<u16>,
    #[command(flatten)]
    #[serde(flatten)]
    as_of: AsOf,
}

fn in_one_text<S: serde::Serializer>(words: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&words.join(" "))
}

/// The entries that name a principal, a level or a role collection, refused ones too
#[derive(Debug, Args, Serialize)]
pub(crate) struct History {
    /// Entries that name this principal in a change
    #[arg(required_unless_present_any = ["level", "role_collection", "actor", "submitter"])]
    principal: Option<String>,
    /// Only entries that name this level
    #[arg(long, value_name = "LEVEL")]
    level: Option<String>,
    /// Only entries that name this role collection
    #[arg(long, value_name = "NAME")]
    role_collection: Option<String>,
    /// Only entries of this actor
    #[arg(long, value_name = "WHO")]
    actor: Option<String>,
    /// Only entries that this principal handed in, whoever their actor is
    #[arg(long, value_name = "WHO")]
    submitter: Option<String>,
    /// Only entries with this outcome: applied, refused or duplicate
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,
}

/// The log itself, in its order
#[derive(Debug, Args, Serialize)]
pub(crate) struct Log {
    /// Only entries after this position [default: 0]
    #[arg(long, value_name = "POSITION")]
    after: Option<String>,
    /// At most so many entries [default: all]
    #[arg(long, value_name = "N")]
    limit: Option<u16>,
    /// Only entries with this outcome: applied, refused or duplicate
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,
}

/// One entry, with all that it says
#[derive(Debug, Args, Serialize)]
pub(crate) struct Entry {
    /// Its position (42 or #42) or id
    entry: String,
    /// If the entry is not there yet, wait for it so many milliseconds, at most 20,000
    #[arg(long, value_name = "MS")]
    wait: Option<String>,
}

/// The sources that observed who holds what: on which levels, since when, and with which gaps
#[derive(Debug, Args, Serialize)]
pub(crate) struct Sources {
    /// Only of this level
    #[arg(long, value_name = "LEVEL", conflicts_with = "under")]
    on: Option<String>,
    /// Only of levels in the subtree of this one, itself included
    #[arg(long, value_name = "LEVEL")]
    under: Option<String>,
    /// Only of this source
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    as_of: AsOf,
}

/// The levels that exist
#[derive(Debug, Args, Serialize)]
pub(crate) struct Levels {
    /// Only in the subtree of this level, itself included
    #[arg(long, value_name = "LEVEL")]
    under: Option<String>,
    /// Only of this kind, like subaccount
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    as_of: AsOf,
}

/// The role collections of a level, with their roles
#[derive(Debug, Args, Serialize)]
pub(crate) struct RoleCollections {
    /// At this level
    #[arg(long, value_name = "LEVEL")]
    on: String,
    #[command(flatten)]
    #[serde(flatten)]
    as_of: AsOf,
}

/// The catalogue in force: operations and what they require (`--format json`: the whole document)
#[derive(Debug, Args, Serialize)]
pub(crate) struct Catalog {
    #[command(flatten)]
    #[serde(flatten)]
    as_of: AsOf,
}

/// The texts of a question from the arguments of its command
///
/// The default origin is the server's, so names are sent as they were written.
fn texts(name: &'static str, arguments: &impl Serialize) -> anyhow::Result<Texts> {
    let mut arguments = serde_json::to_value(arguments)?;
    if let Some(map) = arguments.as_object_mut() {
        map.retain(|_, value| !value.is_null() && *value != Value::Bool(false));
    }
    let map = arguments.as_object().into_iter().flatten();
    let mut parameters =
        question::parameters_of_json(&map.map(|(n, v)| (n.clone(), v.clone())).collect())?;
    for name in ["known_at", "known_from", "known_until", "min_position", "after", "entry"] {
        // A person may write a position as tables show it.
        if let Some(position) = parameters.get(name).and_then(|text| text.strip_prefix('#')) {
            let position = position.to_owned();
            parameters.set(name, position);
        }
    }
    Ok(Texts { name, parameters })
}

/// Asks, and shows the whole answer
pub(crate) fn ask(
    door: &DoorArgs,
    output: &Output,
    name: &'static str,
    arguments: &impl Serialize,
) -> anyhow::Result<ExitCode> {
    let texts = texts(name, arguments)?;
    let door = door.reading()?;
    let answer = whole(&door, texts);
    door.close();
    let answer = answer?;
    show(output.format, name, &answer)?;
    let no = answer.get("allowed").and_then(Value::as_bool) == Some(false);
    Ok(if no { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Shows the answer to a question of that name in a format
pub(crate) fn show(format: Format, name: &str, answer: &Value) -> anyhow::Result<()> {
    match format {
        Format::Json => say(&serde_json::to_string_pretty(answer)?),
        Format::Table => say(&render::table(name, answer)?),
        Format::Csv => say(render::rows(name, answer)?.csv()?.trim_end()),
    }
}

/// Asks for all pages and puts them together
pub(crate) fn whole(door: &Door, mut texts: Texts) -> anyhow::Result<Value> {
    let mut answer = door.ask(&texts)?;
    let (lists, next): (&[&str], &str) = match texts.name {
        "who" => (&["/subjects"], "page_token"),
        "where" => (&["/levels"], "page_token"),
        "diff" => (&DIFF_LISTS, "page_token"),
        "assignments" => (&["/assignments"], "page_token"),
        "holdings" => (&["/holdings"], "page_token"),
        "members" => (&["/members"], "page_token"),
        "principals" => (&["/principals"], "page_token"),
        "sources" => (&["/sources"], "page_token"),
        "history" => (&["/entries"], "after"),
        _ => return Ok(answer),
    };
    let one_page = texts.name == "history" && texts.parameters.get("limit").is_some();
    loop {
        let Some(all) = answer.as_object_mut() else { return Ok(answer) };
        let token = all.remove(&format!("next_{next}"));
        let Some(token) = token.filter(|_| !one_page) else { return Ok(answer) };
        let token = token.as_str().map_or_else(|| token.to_string(), str::to_owned);
        texts.parameters.set(next, token);
        let mut page = door.ask(&texts)?;
        for list in lists {
            if let (Some(Value::Array(all)), Some(Value::Array(more))) =
                (answer.pointer_mut(list), page.pointer_mut(list))
            {
                all.append(more);
            }
        }
        if let (Some(all), Some(page)) = (answer.as_object_mut(), page.as_object_mut()) {
            all.extend(page.remove_entry(&format!("next_{next}")));
        }
    }
}

/// The lists of a difference
const DIFF_LISTS: [&str; 8] = [
    "/gained",
    "/lost",
    "/changed",
    "/levels/created",
    "/levels/deleted",
    "/levels/moved",
    "/levels/changed",
    "/definitions",
];
