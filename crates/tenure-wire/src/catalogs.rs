//! Which catalogues does every ledger begin with?
//!
//! The built-in history of SAP's definitions: the documents of `schemas/catalog/`, each with the moment
//! from which it holds and a source beside each fact. The log holds them without sources.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tenure_core::{Change, Entry, EntryId, Instant, Principal};
use uuid::Uuid;

use crate::codec::Encoded;
use crate::v1;

/// The namespace of the ids that are derived from names: UUIDv5 of it and a ledger's name
const NAMESPACE: Uuid = Uuid::from_u128(0x6f0f_6d2c_5c3e_5b58_9d3a_54c1_0a7e_11ed);

/// Who publishes the built-in catalogues
pub const GENESIS_ACTOR: &str = "client:tenure/genesis";

/// A file of `schemas/catalog/`: a catalogue document, the moment from which it holds, and its sources
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CatalogFile {
    /// Where this shape is described
    #[serde(rename = "$schema")]
    pub schema: String,
    /// Any text, the file's name
    pub version: String,
    /// From when on it holds
    #[schemars(extend("format" = "date-time"))]
    pub effective_at: String,
    /// The earliest instant at which the change can have happened, where only an interval is known
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub not_before: Option<String>,
    /// The source of facts that have no row of their own
    pub sources: BTreeMap<String, Vec<String>>,
    /// Kinds of levels that can hold custom role collections
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_role_collections: Option<Vec<String>>,
    /// Other names of scopes, each with the real one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_aliases: Option<BTreeMap<String, String>>,
    /// Predefined roles
    pub roles: Vec<Sourced<v1::CatalogRole>>,
    /// Predefined role collections
    pub role_collections: Vec<Sourced<v1::CatalogRoleCollection>>,
    /// Operations
    pub operations: Vec<Sourced<v1::CatalogOperation>>,
}

/// A fact with its sources
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Sourced<T> {
    /// The fact
    #[serde(flatten)]
    pub fact: T,
    /// At least one
    #[schemars(length(min = 1))]
    pub sources: Vec<String>,
}

/// Why a built-in catalogue cannot be used
#[derive(Debug, thiserror::Error)]
pub enum CatalogFileError {
    /// It is not of the shape
    #[error("the catalogue file `{0}` cannot be read")]
    Shape(&'static str, #[source] serde_json::Error),
    /// Its moment or its content is wrong
    #[error("the catalogue file `{0}` is wrong: {1}")]
    Content(&'static str, String),
}

macro_rules! files {
    ($($version:literal),* $(,)?) => {
        [$(($version, include_str!(concat!("../../../schemas/catalog/", $version, ".json")))),*]
    };
}

/// Versions and texts, oldest first
pub const FILES: [(&str, &str); 12] = files![
    "seeds-2020-01-01",
    "recorded-2023-05-24",
    "recorded-2023-12-05",
    "recorded-2024-07-15",
    "recorded-2025-01-23",
    "recorded-2025-11-17",
    "recorded-2026-02-03",
    "recorded-2026-02-04",
    "recorded-2026-02-12",
    "recorded-2026-02-16",
    "recorded-2026-03-09",
    "recorded-2026-07-07",
];

impl CatalogFile {
    /// The document without its sources
    pub fn document(self) -> v1::Catalog {
        fn facts<T>(rows: Vec<Sourced<T>>) -> Vec<T> {
            rows.into_iter().map(|row| row.fact).collect()
        }
        v1::Catalog {
            version: self.version,
            custom_role_collections: self.custom_role_collections,
            scope_aliases: self.scope_aliases,
            roles: facts(self.roles),
            role_collections: facts(self.role_collections),
            operations: facts(self.operations),
        }
    }
}

/// The entries that publish the built-in catalogues in a ledger, oldest first
///
/// Their ids are derived from the ledger's name and the catalogue's version, so two processes that
/// start at once make a duplicate, not a second catalogue.
///
/// # Errors
/// A file that is wrong; a test checks that no built-in file is.
pub fn genesis(ledger: &str) -> Result<Vec<Encoded>, CatalogFileError> {
    FILES.iter().map(|(version, text)| publication(ledger, version, text)).collect()
}

fn publication(
    ledger: &str,
    version: &'static str,
    text: &str,
) -> Result<Encoded, CatalogFileError> {
    let wrong = |problem: &dyn ToString| CatalogFileError::Content(version, problem.to_string());
    let file: CatalogFile =
        serde_json::from_str(text).map_err(|error| CatalogFileError::Shape(version, error))?;
    if file.version != version {
        return Err(wrong(&format!("it says that it is `{}`", file.version)));
    }
    let effective_at = Instant::parse(&file.effective_at).map_err(|error| wrong(&error))?;
    let catalog = file.document().to_core().map_err(|error| wrong(&error))?;
    let id = Uuid::new_v5(&Uuid::new_v5(&NAMESPACE, ledger.as_bytes()), version.as_bytes());
    let actor = Principal::parse(GENESIS_ACTOR).map_err(|error| wrong(&error))?;
    let changes = vec![Change::PublishCatalog { catalog: catalog.into() }];
    let reason = Some("built-in catalogue".into());
    let entry = Entry::new(EntryId(id), actor, reason, Some(effective_at), changes)
        .map_err(|(_, error)| wrong(&error))?;
    Encoded::new(entry).map_err(|error| wrong(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_catalogue_is_valid_names_its_sources_and_comes_after_the_one_before() {
        let entries = genesis("default").unwrap();
        assert_eq!(entries.len(), FILES.len());
        let moments: Vec<_> =
            entries.iter().map(|entry| entry.entry().effective_at().unwrap()).collect();
        assert!(moments.windows(2).all(|pair| pair[0] < pair[1]));
        for (version, text) in FILES {
            let file: CatalogFile = serde_json::from_str(text).unwrap();
            let sources = file.roles.iter().map(|row| &row.sources);
            let sources = sources.chain(file.role_collections.iter().map(|row| &row.sources));
            let mut sources = sources.chain(file.operations.iter().map(|row| &row.sources));
            assert!(sources.all(|s| s.iter().any(|s| !s.is_empty())), "{version}");
            assert!(file.sources.contains_key("effective_at"), "{version}");
            // Nothing in the file is passed over.
            let whole: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_value(&file).unwrap(), whole, "{version}");
        }
    }

    #[test]
    fn every_file_of_the_folder_is_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/catalog");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let mut built_in: Vec<String> =
            FILES.iter().map(|(version, _)| format!("{version}.json")).collect();
        built_in.sort();
        assert_eq!(names, built_in);
    }

    #[test]
    fn genesis_ids_are_those_of_the_ledger_and_the_version() {
        let ids = |ledger| -> Vec<EntryId> {
            genesis(ledger).unwrap().iter().map(|entry| entry.entry().id()).collect()
        };
        assert_eq!(ids("acme"), ids("acme"));
        assert_ne!(ids("acme")[0], ids("other")[0]);
        assert_ne!(ids("acme")[0], ids("acme")[1]);
    }
}
