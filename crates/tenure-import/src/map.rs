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

    /// The users, by id: origin and name
    pub fn users(&self) -> impl Iterator<Item = (&str, Option<&str>, &str)> {
        self.users
            .iter()
            .map(|(id, (origin, name))| (id.as_str(), origin.as_deref(), name.as_str()))
    }
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
