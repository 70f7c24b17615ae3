//! Entries in the ledger's own JSON, and files that are of another kind

use std::io::Write as _;

use tenure_import::{ImportError, Options, Source};

use crate::run::{changes_of, held, landscape, text, try_files};

#[test]
fn entries_without_ids() {
    let mut memory = landscape();
    let entries = r#"{"actor":"client:hr/feed","effective_at":"2026-02-01T00:00:00Z","not_before":"2026-01-20T00:00:00Z","reason":"it was so on the first","changes":[{"type":"grant","level":"subaccount:dev","role_collection":"Subaccount Viewer","to":"user:corp/ada"}]}

{"effective_at":"2026-02-02T00:00:00Z","changes":[{"type":"add_member","set":"group:corp/Admins","member":"user:corp/ada"}]}
{"id":"0198b6f0-0000-7000-8000-000000000009","effective_at":"2026-02-02T00:00:00Z","changes":[]}
{"changes":[]}
{"effective_at":"2026-02-02T00:00:00Z","changes":[{"type":"grant"}]}
{"effective_at":"2026-02-02T00:00:00Z","changes":[],"more":1}
[]
"#;
    let summary = text(&mut memory, Source::Jsonl, entries, &Options::default());
    let bad: Vec<_> = summary.bad.listed.iter().map(|at| at.place.number).collect();
    assert_eq!((summary.records.applied, bad), (2, vec![4, 5, 6, 7, 8]), "{summary:#?}");
    assert_eq!(
        held(&mut memory, "subaccount:dev", "2026-03-01T00:00:00Z"),
        ["user:corp/ada: Subaccount Viewer"]
    );
    let grant = &changes_of(&memory, "grant")[0];
    assert_eq!(grant["not_before"], "2026-01-20T00:00:00Z");
    assert_eq!(grant["reason"], "it was so on the first");
    assert_eq!(changes_of(&memory, "add_member")[0]["actor"], "client:tenure/import-jsonl");
}

#[test]
fn a_file_of_another_kind_is_refused_at_once() {
    let mut memory = landscape();
    for (source, bytes, looks_like) in [
        (Source::Jsonl, &b"time,action\n"[..], "tenure import csv"),
        (Source::Cf, b"{\"terraform_version\": \"1\"}", "tenure import terraform"),
        (Source::Csv, b"[{\"message_uuid\": \"m1\"}]", "JSON"),
        (Source::AuditLog, b"<!doctype html>", "HTML"),
        (Source::Scim, b"PK\x03\x04....", "workbook"),
    ] {
        let error = try_files(&mut memory, source, &[("file.x", bytes)], &Options::default());
        let error = error.unwrap_err();
        assert!(matches!(error, ImportError::OtherKind { .. }), "{error}");
        assert!(error.to_string().contains(looks_like), "{error}");
    }
    assert_eq!(memory.log().count(), 1);
}

#[test]
fn a_truncated_file_appends_nothing() {
    let mut memory = landscape();
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let line = r#"{"effective_at":"2026-02-01T00:00:00Z","changes":[]}"#;
    for n in 0..10_000 {
        writeln!(zip, "{line}{}", " ".repeat(n % 7)).unwrap();
    }
    let whole = zip.finish().unwrap();
    let half = whole.get(..whole.len() / 2).unwrap();
    for source in [Source::Jsonl, Source::Csv, Source::Cf] {
        let error = try_files(&mut memory, source, &[("half.gz", half)], &Options::default());
        let error = error.unwrap_err();
        let other_kind = source != Source::Jsonl && matches!(error, ImportError::OtherKind { .. });
        assert!(other_kind || matches!(error, ImportError::Read { .. }), "{source:?}: {error}");
    }
    assert_eq!(memory.log().count(), 1);
}
