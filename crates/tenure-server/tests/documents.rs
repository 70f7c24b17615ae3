//! What is generated or listed twice says the same in both places
#![expect(
    clippy::unwrap_used,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

use std::fs;
use std::path::PathBuf;

use tenure_core::RefusalCode;
use tenure_server::problem::Code;
use tenure_server::{http, nats};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn has_not_drifted(name: &str, document: &serde_json::Value) {
    let text = serde_json::to_string_pretty(document).unwrap() + "\n";
    let path = root().join("schemas").join(name);
    if std::env::var_os("TENURE_UPDATE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "schemas/{name} is not what the code says: run `just schemas`");
}

#[test]
fn the_openapi_document_has_not_drifted() {
    has_not_drifted("openapi.json", &http::document());
}

#[test]
fn the_asyncapi_document_has_not_drifted() {
    has_not_drifted("asyncapi.json", &nats::document());
}

#[test]
fn every_code_has_its_paragraph_and_every_paragraph_its_code() {
    let text = fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let mut described: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`')).collect();
    described.sort_unstable();
    let codes = Code::ALL.iter().map(|code| code.as_str());
    let mut codes: Vec<&str> =
        codes.chain(RefusalCode::ALL.iter().map(|code| code.as_str())).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(described, codes);
}
