//! What does the body of a request say, at every door?

use serde_json::Value;
use tenure_wire::api::Problem;
use tenure_wire::codec::{self, Encoded, Format};
use tenure_wire::question::{self, Asked};
use uuid::Uuid;

use crate::problem::{Code, of_texts, problem};

/// Most bytes of a body
pub(crate) const BODY_BYTES_MAX: usize = 1_024 * 1_024;
/// Most checks in one body
const CHECKS_MAX: usize = 1_000;
/// Most entries in one body
const ENTRIES_MAX: usize = 1_000;

/// The media types of bodies, and the format of each
const MEDIA_TYPES: [(&str, Format); 4] = [
    ("application/json", Format::Json),
    ("application/msgpack", Format::MessagePack),
    ("application/x-msgpack", Format::MessagePack),
    ("application/vnd.msgpack", Format::MessagePack),
];

/// The format that a media type names, whatever its parameters are
pub(crate) fn format_named(content_type: &str) -> Option<Format> {
    let name = content_type.split(';').next().unwrap_or_default().trim();
    let found = MEDIA_TYPES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
    found.map(|(_, format)| *format)
}

/// The question of a name, with its parameters as a map of texts, numbers and truth values
pub(crate) fn question_of(
    name: &str,
    parameters: &serde_json::Map<String, Value>,
    default_origin: &str,
) -> Result<Asked, Problem> {
    question::parameters_of_json(parameters)
        .and_then(|parameters| question::read(name, parameters, default_origin))
        .map_err(|error| of_texts(&error))
}

/// The one list of a body that has nothing else
fn only_list(tree: Value, name: &str, most: usize) -> Result<Vec<Value>, Problem> {
    let bad = |detail: String| problem(Code::BadRequest, detail);
    let Value::Object(mut map) = tree else {
        return Err(bad(format!("the body is a map with the list `{name}`")));
    };
    let list = map.remove(name);
    if let Some(other) = map.keys().next() {
        return Err(bad(format!("`{other}` is no field beside `{name}`")));
    }
    match list {
        Some(Value::Array(list)) if list.is_empty() => Err(bad(format!("`{name}` is empty"))),
        Some(Value::Array(list)) if list.len() > most => {
            let detail = format!("`{name}` has {}, at most {most} are taken at once", list.len());
            Err(problem(Code::TooMany, detail))
        }
        Some(Value::Array(list)) => Ok(list),
        _ => Err(bad(format!("`{name}` is not a list"))),
    }
}

/// The entries of a body that is one entry or a list of them
pub(crate) fn entries_of(tree: Value, default_origin: &str) -> Result<Vec<Encoded>, Problem> {
    let bad = |error: codec::Malformed| problem(Code::BadRequest, error.to_string());
    let decode = |tree: &Value| codec::decode_draft(tree, default_origin, Uuid::now_v7);
    if tree.get("entries").is_none() {
        return Ok(vec![decode(&tree).map_err(bad)?]);
    }
    only_list(tree, "entries", ENTRIES_MAX)?
        .iter()
        .enumerate()
        .map(|(n, tree)| decode(tree).map_err(|error| bad(error.within(&format!("entries[{n}]")))))
        .collect()
}

/// The checks of a body, each as it can be read
pub(crate) fn checks_of(
    tree: Value,
    default_origin: &str,
) -> Result<Vec<Result<Asked, Problem>>, Problem> {
    let checks = only_list(tree, "checks", CHECKS_MAX)?;
    Ok(checks.iter().map(|check| check_of(check, default_origin)).collect())
}

fn check_of(check: &Value, default_origin: &str) -> Result<Asked, Problem> {
    let map = check
        .as_object()
        .ok_or_else(|| problem(Code::BadRequest, "a check is a map of parameters"))?;
    question_of("check", map, default_origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_is_read_whole_and_its_parameters_are_not() {
        for json in ["application/json", "Application/JSON ; charset=utf-8"] {
            assert_eq!(format_named(json), Some(Format::Json), "{json}");
        }
        for name in ["application/msgpack", "application/x-msgpack;v=1"] {
            assert_eq!(format_named(name), Some(Format::MessagePack), "{name}");
        }
        for other in ["", "text/plain", "application/jsonp", "text/plain; application/json"] {
            assert_eq!(format_named(other), None, "{other}");
        }
    }
}
