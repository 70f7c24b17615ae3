//! A server that is asked in the words of AuthZEN
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{Server, Start, landscape};

pub(crate) const EVALUATION: &str = "/access/v1/evaluation";
pub(crate) const EVALUATIONS: &str = "/access/v1/evaluations";
pub(crate) const SUBJECTS: &str = "/access/v1/search/subject";
pub(crate) const RESOURCES: &str = "/access/v1/search/resource";
pub(crate) const ACTIONS: &str = "/access/v1/search/action";
pub(crate) const DISCOVERY: &str = "/.well-known/authzen-configuration";
pub(crate) const EPOCH: &str = "1970-01-01T00:00:00Z";

/// A server with a configuration file, whose folder lives as long as it
pub(crate) struct Served {
    pub(crate) server: Server,
    _folder: TempDir,
}

pub(crate) fn served(settings: &str) -> Served {
    served_with(settings, Start::on)
}

pub(crate) fn served_with(settings: &str, start: impl FnOnce(&Path) -> Start) -> Served {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("tenure.toml");
    fs::write(&config, settings).unwrap();
    let start = start(&folder.path().join("data"));
    Served { server: start.arg("--config", config.to_str().unwrap()).ready(), _folder: folder }
}

impl Served {
    #[track_caller]
    pub(crate) fn ask(&self, path: &str, request: &Value) -> Value {
        self.server.post(path, request).ok()
    }
}

/// The results of a search, in any order
pub(crate) fn results(answer: &Value) -> BTreeSet<String> {
    answer["results"].as_array().unwrap().iter().map(ToString::to_string).collect()
}

/// Asserts that every answer says as of when it is one
#[track_caller]
pub(crate) fn says_as_of(answer: &Value) -> u64 {
    let as_of = &answer["context"]["as_of"];
    assert!(as_of["at"].is_string() && as_of["revision"].is_string(), "{answer:#}");
    as_of["known_at"].as_u64().unwrap_or_else(|| panic!("{answer:#}"))
}

/// Alice may administer destinations of `dev`, bob may look at it
pub(crate) fn dev() -> Served {
    let served = served("");
    served.server.append(&landscape());
    served
}

pub(crate) fn evaluation(subject: &str, action: &str, resource: &str) -> Value {
    let (kind, id) = resource.split_once(':').unwrap();
    json!({ "subject": { "type": "user", "id": subject }, "action": { "name": action },
        "resource": { "type": kind, "id": id } })
}

pub(crate) fn alice() -> Value {
    evaluation("alice@acme.example", "destinations.manage", "subaccount:dev")
}

pub(crate) fn with(mut request: Value, field: &str, value: Value) -> Value {
    request[field] = value;
    request
}
