//! What does one line of a recording of the btp CLI say?
//!
//! A line is one request to the btp CLI server with its answer. Its body is reduced at once to facts that
//! the ledger can use, so a recording is held in a fraction of its size. HTTP says 200 for nearly
//! everything: `backend_status` says whether the request was done. A redirect to the regional server is no
//! answer. Params are texts; numbers and truth values are written as texts too.
//!
//! A line is bad if it is no exchange, or if its answer does not have the shape that the command's answer
//! has. A failed exchange is not bad; it says little.

mod bodies;
mod commands;
mod dates;

use std::collections::BTreeMap;

use serde_json::Value;
use tenure_core::{Instant, LevelKind};
use uuid::Uuid;

use crate::document::Document;
use crate::fact::{Fact, Observation};
use crate::found::Found;
use crate::json::text;
use crate::record::{Place, Record, RecordId};
use crate::{ImportError, Options};
use bodies::level_text;
use commands::{NoFact, Reader};

const NAME: &str = "btp CLI";

/// The namespace of the ids of records
const NAMESPACE: Uuid = Uuid::from_u128(0x0b5e_6a0f_5d1c_5b60_9c0e_2f6f_b4a1_7e21);

/// The exchange itself, which makes the id of its record
const CONTENT: [&str; 7] = ["t", "cmd", "verb", "params", "http", "backend_status", "body"];

/// Whether a request was done
enum Status {
    Done,
    NotFound,
    Failed(String),
}

/// Params by their names
type Params = BTreeMap<String, String>;

/// Reads a line
///
/// # Errors
/// A sentence that says why it cannot be used.
pub(crate) fn read(place: Place, bytes: &[u8]) -> Result<Record, String> {
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| format!("it is not JSON: {error}"))?;
    exchange(place, value)
}

/// Reads plain output of the command that the options name, as one exchange each
pub(crate) fn outputs(
    documents: Vec<Document>,
    options: &Options,
    found: &mut Found<'_>,
) -> Result<(), ImportError> {
    let Some(command) = &options.command else { return Ok(()) };
    let said = |problem: &str| ImportError::Options(problem.to_owned());
    let mut words = words(command).into_iter();
    let (Some(verb), Some(cmd)) = (words.next(), words.next()) else {
        return Err(said(
            "`--command` is a verb and a command, as `list security/role-collection`",
        ));
    };
    let Some(at) = options.at else {
        return Err(said("say with `--at` when the command was run: its output does not say it"));
    };
    let level = options.on.as_deref().and_then(|on| on.split_once(':'));
    let mut params = serde_json::Map::new();
    match level {
        Some(("subaccount", id)) => params.insert("subaccount".to_owned(), id.into()),
        Some(("directory", id)) => params.insert("directory".to_owned(), id.into()),
        Some(("global-account", id)) => params.insert("globalAccount".to_owned(), id.into()),
        _ => {
            return Err(said(
                "say with `--on` the global account (by its subdomain), directory or subaccount that the command was about",
            ));
        }
    };
    // What follows the command, as the btp CLI takes it.
    while let Some(word) = words.next() {
        let (name, value) = match word.trim_start_matches("--") {
            "show-hierarchy" => ("showHierarchy", "true"),
            "show-users" | "show-user-assignments" => ("showUserAssignments", "true"),
            "show-attribute-mappings" | "show-mappings" => ("showAttributeMappings", "true"),
            "of-idp" => ("origin", words.next().unwrap_or_default()),
            name if cmd == "security/user" => ("userName", name),
            name => ("roleCollectionName", name),
        };
        params.insert(name.to_owned(), value.into());
    }
    for document in documents {
        let place = document.place(0);
        let exchange = serde_json::json!({
            "t": at.to_string(), "cmd": cmd, "verb": verb, "params": params, "body": document.value,
        });
        let result = self::exchange(place.clone(), exchange);
        found.result(&place, result)?;
    }
    Ok(())
}

/// The words of a command line; double quotes hold words together
fn words(command: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for (n, part) in command.split('"').enumerate() {
        if n % 2 == 1 {
            words.push(part);
        } else {
            words.extend(part.split_whitespace());
        }
    }
    words
}

fn exchange(place: Place, value: Value) -> Result<Record, String> {
    let Value::Object(record) = &value else {
        return Err("it is JSON, but not an object".to_owned());
    };
    let field = |name: &str| text(&value, name).ok_or_else(|| format!("it has no text `{name}`"));
    let at = Instant::parse(&field("t")?).map_err(|error| format!("`t`: {error}"))?;
    if at < Instant::EPOCH {
        return Err("`t` lies before 1970".to_owned());
    }
    let (cmd, verb) = (field("cmd")?, field("verb")?);
    let params = params(record.get("params"))?;
    let status = status(record.get("http"), record.get("backend_status"));
    let body = record.get("body").unwrap_or(&Value::Null);
    let actor = text(&value, "actor").or_else(|| text(&value, "user"));
    let mut facts = Vec::from_iter(subdomain(&cmd, &params, body));
    let reader = Reader { params: &params, body, actor: actor.as_deref() };
    let mut passed_over = None;
    match reader.facts(&cmd, &verb, &status) {
        Ok(more) => facts.extend(more),
        Err(NoFact::PassedOver(reason)) => passed_over = Some(reason),
        Err(NoFact::Bad(problem)) => {
            return Err(format!("the answer to `{cmd} {verb}` is not of its shape: {problem}"));
        }
    }
    Ok(Record {
        source: NAME,
        kind: format!("{cmd} {verb}"),
        place,
        at,
        version: version(body),
        id: id(record),
        actor,
        facts,
        passed_over,
    })
}

/// The version of the user that the answer shows: the server counts it up with every write to the user
fn version(body: &Value) -> Option<(String, u64)> {
    let version = body.get("version")?.as_u64()?;
    Some((format!("{}/{}", text(body, "zoneId")?, text(body, "id")?), version))
}

fn id(record: &serde_json::Map<String, Value>) -> RecordId {
    let content = CONTENT.iter().map(|key| record.get(*key).unwrap_or(&Value::Null));
    RecordId::of(&NAMESPACE, content)
}

fn params(value: Option<&Value>) -> Result<Params, String> {
    let map = match value {
        None | Some(Value::Null) => return Ok(Params::new()),
        Some(Value::Object(map)) => map,
        Some(_) => return Err("`params` is not an object".to_owned()),
    };
    let texts = map.iter().filter_map(|(name, value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Null => return None,
            other => other.to_string(),
        };
        Some((name.clone(), text))
    });
    Ok(texts.collect())
}

fn number(value: Option<&Value>) -> Option<u64> {
    match value? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn status(http: Option<&Value>, backend: Option<&Value>) -> Status {
    match (number(http).unwrap_or(200), number(backend)) {
        (300..=399, _) => Status::Failed("a redirect to another server".to_owned()),
        (200..=299, None | Some(200..=299)) => Status::Done,
        (200..=299, Some(404)) => Status::NotFound,
        (200..=299, Some(code)) => Status::Failed(format!("failed (backend status {code})")),
        (code, _) => Status::Failed(format!("failed (HTTP status {code})")),
    }
}

/// A global account's subdomain with its level, where the exchange shows both
fn subdomain(cmd: &str, params: &Params, body: &Value) -> Option<Fact> {
    let subdomain = params.get("globalAccount")?.clone();
    let first = |body: &Value| text(body, "globalAccountGUID");
    let guid = match cmd {
        "accounts/global-account" => text(body, "guid"),
        "accounts/directory" => first(body),
        "accounts/subaccount" => {
            first(body).or_else(|| body.get("value")?.as_array()?.iter().find_map(first))
        }
        // The identity zone of a global account has its GUID.
        "security/user" | "security/role-collection" => {
            text(body, "zoneId").or_else(|| text(body, "roleCollectionIdentityZone"))
        }
        _ => None,
    };
    let level = level_text(LevelKind::GlobalAccount, &guid?);
    Some(Fact::Observation(Observation::Subdomain { subdomain, level }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_content_of_a_record_makes_its_id() {
        let id = |text: &str| id(serde_json::from_str::<Value>(text).unwrap().as_object().unwrap());
        let plain = id(r#"{"t":"x","params":{"a":"1","b":"2"},"body":[1]}"#);
        assert_eq!(id(r#"{"body":[1],"params":{"b":"2","a":"1"},"t":"x","line":9}"#), plain);
        assert_ne!(id(r#"{"t":"x","params":{"a":"1","b":"3"},"body":[1]}"#), plain);
        assert_ne!(id(r#"{"t":"x","params":{"a":"1","b":"2"},"body":["1"]}"#), plain);
    }
}
