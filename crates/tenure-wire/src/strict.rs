//! Has a stranger's document the right shape?
//!
//! Both formats are read into one tree first. The tree refuses four things that the formats allow: a key that
//! stands twice, a list in the place of a map, binary and extension values, and deep nesting. No key has a meaning
//! of its own here, whatever a library makes of it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Deepest nesting of lists and maps within an entry, which is itself one
pub(crate) const DEPTH_MAX: usize = 32;
/// Deepest nesting of a request's body: a list in a map of it has entries
pub(crate) const BODY_DEPTH_MAX: usize = DEPTH_MAX + 2;

/// Why bytes are no document of the right shape
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ShapeError(pub(crate) String);

/// A document that may be nested so deep
#[derive(Clone, Copy)]
struct Tree {
    depth_max: usize,
    deeper: usize,
}

impl<'de> DeserializeSeed<'de> for Tree {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Tree {
    fn of(depth_max: usize) -> Self {
        Self { depth_max, deeper: depth_max }
    }

    fn deeper<E: Error>(self) -> Result<Self, E> {
        match self.deeper.checked_sub(1) {
            Some(deeper) => Ok(Self { deeper, ..self }),
            None => Err(E::custom(format!("nested more than {} deep", self.depth_max))),
        }
    }
}

impl<'de> Visitor<'de> for Tree {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, a truth value, a list or a map")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(Value::from(v))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(Value::from(v))
    }

    fn visit_f64<E: Error>(self, v: f64) -> Result<Value, E> {
        serde_json::Number::from_f64(v)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(Value::String(v.to_owned()))
    }

    fn visit_string<E>(self, v: String) -> Result<Value, E> {
        Ok(Value::String(v))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(deeper)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                let shown: String = key.chars().take(64).collect();
                return Err(A::Error::custom(format!("the key `{shown}` stands twice")));
            }
            map.insert(key, entries.next_value_seed(deeper)?);
        }
        Ok(Value::Object(map))
    }
}

/// A value of a map that the ledger keeps and does not read
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(transparent)]
pub struct Plain(pub Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Tree::of(DEPTH_MAX).deserialize(deserializer).map(Self)
    }
}

impl From<Value> for Plain {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

/// Checks that each text of a document, keys included, is what `check` takes
pub(crate) fn each_text<E>(
    value: &Value,
    check: &mut impl FnMut(&str) -> Result<(), E>,
) -> Result<(), E> {
    match value {
        Value::String(text) => check(text),
        Value::Array(items) => items.iter().try_for_each(|item| each_text(item, check)),
        Value::Object(map) => map.iter().try_for_each(|(key, value)| {
            check(key)?;
            each_text(value, check)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// A document with each text in normal form C
///
/// # Errors
/// Two keys that are one then.
pub(crate) fn normalised(value: &Value) -> Result<Value, ShapeError> {
    Ok(match value {
        Value::String(text) => Value::String(tenure_core::normalised(text)),
        Value::Array(items) => {
            Value::Array(items.iter().map(normalised).collect::<Result<_, _>>()?)
        }
        Value::Object(map) => {
            let mut normal = Map::new();
            for (key, value) in map {
                if normal.insert(tenure_core::normalised(key), normalised(value)?).is_some() {
                    let shown: String = key.chars().take(64).collect();
                    return Err(ShapeError(format!("the key `{shown}` stands twice")));
                }
            }
            Value::Object(normal)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    })
}

/// How deep lists and maps are nested in a document
pub(crate) fn depth(value: &Value) -> usize {
    let deepest = |values: &mut dyn Iterator<Item = &Value>| values.map(depth).max().unwrap_or(0);
    match value {
        Value::Array(items) => 1 + deepest(&mut items.iter()),
        Value::Object(map) => 1 + deepest(&mut map.values()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Reads JSON into a tree
pub(crate) fn json(bytes: &[u8], depth_max: usize) -> Result<Value, ShapeError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let tree = Tree::of(depth_max)
        .deserialize(&mut deserializer)
        .and_then(|tree| deserializer.end().map(|()| tree));
    tree.map_err(|error| ShapeError(format!("it is no JSON: {error}")))
}

/// Reads MessagePack into a tree
pub(crate) fn message_pack(bytes: &[u8], depth_max: usize) -> Result<Value, ShapeError> {
    let error = |problem: String| ShapeError(format!("it is no MessagePack: {problem}"));
    let mut deserializer = rmp_serde::Deserializer::new(bytes);
    deserializer.set_max_depth(depth_max + 2);
    let tree =
        Tree::of(depth_max).deserialize(&mut deserializer).map_err(|e| error(e.to_string()))?;
    let rest = deserializer.into_inner();
    if rest.is_empty() { Ok(tree) } else { Err(error(format!("{} bytes follow it", rest.len()))) }
}

/// Refuses a list where an entry has a map, because a format may read one as the other
pub(crate) fn entry_shape(entry: &Value) -> Result<(), ShapeError> {
    fn map<'a>(path: &str, value: &'a Value) -> Result<&'a Map<String, Value>, ShapeError> {
        value.as_object().ok_or_else(|| ShapeError(format!("{path} is not a map")))
    }
    fn maps(path: &str, value: Option<&Value>) -> Result<(), ShapeError> {
        let items = value.and_then(Value::as_array).into_iter().flatten();
        items.enumerate().try_for_each(|(n, item)| map(&format!("{path}[{n}]"), item).map(drop))
    }
    fn requirement(path: &str, value: Option<&Value>) -> Result<(), ShapeError> {
        let Some(value) = value else { return Ok(()) };
        let expr = map(path, value)?;
        for list in ["any_of", "all_of"] {
            let parts = expr.get(list).and_then(Value::as_array).into_iter().flatten();
            for (n, part) in parts.enumerate() {
                requirement(&format!("{path}.{list}[{n}]"), Some(part))?;
            }
        }
        Ok(())
    }
    let entry = map("an entry", entry)?;
    let changes = entry.get("changes").and_then(Value::as_array).into_iter().flatten();
    for (n, change) in changes.enumerate() {
        let path = format!("changes[{n}]");
        let Some(catalog) = map(&path, change)?.get("catalog") else { continue };
        let path = format!("{path}.catalog");
        let catalog = map(&path, catalog)?;
        for list in ["roles", "role_collections", "operations"] {
            maps(&format!("{path}.{list}"), catalog.get(list))?;
        }
        let operations = catalog.get("operations").and_then(Value::as_array).into_iter().flatten();
        for (n, operation) in operations.enumerate() {
            requirement(&format!("{path}.operations[{n}].requires"), operation.get("requires"))?;
        }
    }
    Ok(())
}
