//! Which names do ids have, as a person says it?
//!
//! A table with the header `kind,id,name,origin`, in any order of columns:
//!
//! | kind | id | name | origin |
//! |---|---|---|---|
//! | `user` | the id of a user | its name | its origin |
//! | `idp` | an identity provider as a mapping calls it: display name or host | | its origin key |
//! | `level` | the id of an identity zone or tenant | the level, `kind:id` | |

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use crate::fact::{Event, Fact, Holder};
use crate::found::Found;
use crate::input::Decoded;
use crate::record::{Place, Record, RecordId};
use crate::{ImportError, Options};

const NAMESPACE: Uuid = Uuid::from_u128(0x1c7d_93aa_0e4b_5b26_9f60_57d1_84cc_2e05);

/// Names for ids
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Map {
    /// By id: the origin, if it is said, and the name
    pub(crate) users: BTreeMap<String, (Option<String>, String)>,
    /// By display name or host: the origin
    pub(crate) idps: BTreeMap<String, String>,
    /// By the id of a zone: the level
    pub(crate) levels: BTreeMap<String, String>,
}

/// Why a table of names cannot be used
#[derive(Debug, thiserror::Error)]
#[error("line {line} of the map: {problem}")]
pub struct MapError {
    /// From 1, the header
    pub line: u64,
    /// A sentence
    pub problem: String,
}

impl Map {
    /// Reads a table
    ///
    /// # Errors
    /// [`MapError`], with the first line that cannot be used.
    ///
    /// # Cost
    /// O(rows log rows).
    pub fn read(bytes: &[u8]) -> Result<Self, MapError> {
        let at = |line, problem: String| MapError { line, problem };
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
        let header = reader.headers().map_err(|error| at(1, error.to_string()))?.clone();
        let column = |name: &str| header.iter().position(|column| column == name);
        let (Some(kind), Some(id)) = (column("kind"), column("id")) else {
            return Err(at(
                1,
                "the header needs `kind` and `id`, and may have `name` and `origin`".to_owned(),
            ));
        };
        let (name, origin) = (column("name"), column("origin"));
        let mut map = Self::default();
        for row in reader.records() {
            let row = row.map_err(|error| {
                at(error.position().map_or(0, csv::Position::line), error.to_string())
            })?;
            let line = row.position().map_or(0, csv::Position::line);
            let field = |column: Option<usize>| {
                column
                    .and_then(|column| row.get(column))
                    .filter(|text| !text.is_empty())
                    .map(str::to_owned)
            };
            let missing = |what: &str| at(line, format!("it has no `{what}`"));
            let id = field(Some(id)).ok_or_else(|| missing("id"))?;
            match row.get(kind) {
                Some("user") => {
                    let named = (field(origin), field(name).ok_or_else(|| missing("name"))?);
                    map.users.insert(id, named);
                }
                Some("idp") => {
                    let origin = field(origin).ok_or_else(|| missing("origin"))?;
                    map.idps.insert(id.to_ascii_lowercase(), origin);
                }
                Some("level") => {
                    map.levels.insert(id, field(name).ok_or_else(|| missing("name"))?);
                }
                _ => {
                    return Err(at(
                        line,
                        "its kind is none of `user`, `idp` and `level`".to_owned(),
                    ));
                }
            }
        }
        Ok(map)
    }
}

/// Reads a map as renamings: whoever was called by an id has a name from the moment of the options on
///
/// # Errors
/// The input cannot be read, is no map, or the options say no moment.
pub(crate) fn read(
    mut input: Decoded<'_>,
    name: &str,
    file: Option<Arc<str>>,
    options: &Options,
    found: &mut Found<'_>,
) -> Result<u64, ImportError> {
    let place = |number| Place { file: file.clone(), is_line: false, number };
    let bytes = input.whole_of(name)?;
    let map = Map::read(&bytes).map_err(|error| ImportError::Options(error.to_string()))?;
    let Some(at) = options.at else {
        return Err(ImportError::Options("say with `--at` from when on the names hold".to_owned()));
    };
    for (number, (id, (origin, name))) in map.users.into_iter().enumerate() {
        let called = |origin: Option<String>| Holder::user(origin, format!("id-{id}"));
        let to = Holder::user(origin.clone(), name.clone());
        // Where nothing said the origin of the id, it was taken to be the default one.
        let mut before = vec![called(origin.clone())];
        before.extend(origin.is_some().then(|| called(None)));
        let renamed = before.into_iter().map(|from| Event::Renamed { from, to: to.clone() });
        let content = [Value::from(id.as_str()), Value::from(name), Value::from(at.to_string())];
        found.record(Record {
            source: "map",
            kind: "user".to_owned(),
            place: place(number as u64 + 1),
            at,
            version: None,
            id: RecordId::of(&NAMESPACE, content.iter()),
            actor: None,
            facts: renamed.map(Fact::Event).collect(),
            passed_over: None,
        });
    }
    Ok(input.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_names() {
        let text = "kind,id,origin,name\nuser,b1,corp,ada@corp.example\nidp,Corp.Example,corp,\n";
        let map = Map::read(text.as_bytes()).unwrap();
        assert_eq!(map.users["b1"], (Some("corp".to_owned()), "ada@corp.example".to_owned()));
        assert_eq!(map.idps["corp.example"], "corp");
        let error = Map::read(b"kind,id\nuser,b1\n").unwrap_err();
        assert_eq!(error.to_string(), "line 2 of the map: it has no `name`");
        assert!(Map::read(b"a,b\n").unwrap_err().to_string().contains("`kind` and `id`"));
    }
}
