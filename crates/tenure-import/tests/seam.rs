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
    let both = ["crate::reconcile", "crate::target", "crate::summary", "crate::btp_cli"];
    for (module, forbidden) in [
        ("btp_cli", ledger.as_slice()),
        ("audit_log", &ledger),
        ("xsuaa", &ledger),
        ("scim", &ledger),
        ("reconcile", &["crate::btp_cli"]),
        ("fact", &both),
        ("record", &both),
    ] {
        for file in files(module) {
            let text = fs::read_to_string(&file).unwrap();
            for name in forbidden {
                assert!(!text.contains(name), "{} names {name}", file.display());
            }
        }
    }
}
