//! Which JSON values does a file have?
//!
//! A file has one value or several, one after another: a page of a listing, all its pages, an array of records, or a
//! record a line. All are read into memory.

use std::sync::Arc;

use serde_json::Value;

use crate::ImportError;
use crate::found::Found;
use crate::input::Decoded;
use crate::record::Place;

/// A value of a file
#[derive(Debug)]
pub(crate) struct Document {
    /// The file, where there are several
    pub(crate) file: Option<Arc<str>>,
    /// How many records the file has before this value, as far as they are counted
    pub(crate) before: u64,
    pub(crate) value: Value,
}

impl Document {
    /// The place of a record in it, counted from 0
    pub(crate) fn place(&self, record: usize) -> Place {
        Place { file: self.file.clone(), is_line: false, number: self.before + record as u64 + 1 }
    }

    /// The records in it: the items of an array, or of the list of a page that has one of these names
    pub(crate) fn records(&self, lists: &[&str]) -> &[Value] {
        match &self.value {
            Value::Array(items) => items,
            page => {
                let list = lists.iter().find_map(|name| page.get(name)?.as_array());
                list.map_or(std::slice::from_ref(page), Vec::as_slice)
            }
        }
    }
}

/// Names of the lists of pages: of Cloud Foundry and UAA, of SCIM, of the btp CLI
const LISTS: [&str; 4] = ["resources", "Resources", "value", "entries"];

/// Reads an input as a whole, and gives how many bytes of it were consumed
///
/// # Errors
/// The input cannot be read. A value that is no JSON is bad, and ends its file.
pub(crate) fn read(
    mut input: Decoded<'_>,
    name: &str,
    file: Option<Arc<str>>,
    found: &mut Found<'_>,
    documents: &mut Vec<Document>,
) -> Result<u64, ImportError> {
    let place = |number| Place { file: file.clone(), is_line: false, number };
    let bytes = input.whole_of(name)?;
    let mut before = 0;
    for value in serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>() {
        match value {
            Ok(value) => {
                let document = Document { file: file.clone(), before, value };
                before += document.records(&LISTS).len() as u64;
                documents.push(document);
            }
            Err(error) => found.bad(place(before + 1), format!("it is not JSON: {error}"))?,
        }
    }
    Ok(input.bytes())
}
