//! Neither a source nor the reconciler names the other

use std::fs;
use std::path::{Path, PathBuf};

/// A module's file, and those in the folder of its name
fn files(module: &str) -> Vec<PathBuf> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![src.join(module).with_extension("rs")];
    if let Ok(folder) = fs::read_dir(src.join(module)) {
        files.extend(folder.flatten().map(|file| file.path()));
    }
    files
}

#[test]
fn a_source_and_the_reconciler_meet_only_in_facts() {
    let ledger = ["crate::reconcile", "crate::target", "crate::summary"];
    let sources = ["audit_log", "btp_cli", "cf", "jsonl", "scim", "table", "terraform", "xsuaa"];
    let named = sources.map(|source| format!("crate::{source}"));
    let of_sources: Vec<&str> = named.iter().map(String::as_str).collect();
    let both: Vec<&str> = ledger.iter().chain(&of_sources).copied().collect();
    let each = sources.iter().map(|source| (*source, ledger.as_slice()));
    let shared = [("reconcile", of_sources.as_slice()), ("fact", &both), ("record", &both)];
    for (module, forbidden) in each.chain(shared) {
        for file in files(module) {
            let text = fs::read_to_string(&file).unwrap();
            for name in forbidden {
                assert!(!text.contains(name), "{} names {name}", file.display());
            }
        }
    }
}
