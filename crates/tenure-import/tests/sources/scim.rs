//! Users and groups of an identity provider

use serde_json::{Value, json};
use tenure_import::{ImportError, Options, Source};

use crate::run::{at, landscape, members, text, try_files};

const LATER: &str = "2026-03-01T00:00:00Z";

fn options(moment: &str) -> Options {
    Options { default_origin: "corp".to_owned(), at: at(moment), ..Options::default() }
}

fn user(id: &str, name: &str, active: bool) -> Value {
    json!({"id": id, "userName": name, "active": active,
           "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"]})
}

fn group(id: &str, name: &str, members: &[(&str, &str)]) -> Value {
    let mut group = json!({"id": id, "displayName": name,
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "urn:sap:cloud:scim:schemas:extension:custom:2.0:Group": {"name": format!("{name}_ext")}});
    // An empty group has no `members`.
    if !members.is_empty() {
        let members = members.iter().map(|(kind, id)| json!({"value": id, "type": kind}));
        group["members"] = members.collect();
    }
    group
}

fn page(total: usize, start: usize, rows: &[Value]) -> String {
    json!({"Resources": rows, "totalResults": total, "startIndex": start, "itemsPerPage": rows.len()}).to_string()
}

fn users() -> String {
    page(2, 1, &[user("u1", "ada@acme.example", true), user("u2", "bob@acme.example", false)])
}

#[test]
fn members_are_those_of_groups_within_too_and_cycles_end() {
    let groups = [
        group("g1", "blue", &[("User", "u1"), ("Group", "g2")]),
        group("g2", "red", &[("User", "u2"), ("Group", "g1")]),
        group("g3", "none", &[]),
        group("g4", "odd", &[("User", "u9")]),
    ];
    let mut memory = landscape();
    let file = format!("{}\n{}", page(4, 1, &groups), users());
    let summary = text(&mut memory, Source::Scim, &file, &options("2026-02-01T00:00:00Z"));
    assert_eq!(summary.records.bad + summary.records.left_out, 0, "{summary:#?}");
    let both = ["user:corp/ada@acme.example", "user:corp/bob@acme.example"];
    assert_eq!(members(&mut memory, "group:corp/blue", LATER), both);
    assert_eq!(members(&mut memory, "group:corp/red", LATER), both);
    assert!(members(&mut memory, "group:corp/none", LATER).is_empty());
    assert_eq!(members(&mut memory, "group:corp/odd", LATER), ["user:corp/id-u9"]);
    // The same in other pages and another order of files.
    let early = page(4, 3, &groups[2..]);
    let (late, users) = (page(4, 1, &groups[..2]), users());
    let files = [("a", early.as_bytes()), ("b", users.as_bytes()), ("c", late.as_bytes())];
    let again = try_files(&mut memory, Source::Scim, &files, &options("2026-02-01T00:00:00Z"));
    let again = again.unwrap();
    assert_eq!((again.entries.applied, again.drift.len()), (0, 0));
}

#[test]
fn only_a_whole_listing_shows_who_left() {
    let first = [group("g1", "blue", &[("User", "u1"), ("User", "u2")])];
    let then = [group("g1", "blue", &[("User", "u1")])];
    let drift_of = |file: String| {
        let mut memory = landscape();
        let before = format!("{}\n{}", page(1, 1, &first), users());
        text(&mut memory, Source::Scim, &before, &options("2026-02-01T00:00:00Z"));
        let file = format!("{file}\n{}", users());
        let options = Options { reconcile: true, ..options("2026-02-10T00:00:00Z") };
        let summary = text(&mut memory, Source::Scim, &file, &options);
        (summary.drift.len(), members(&mut memory, "group:corp/blue", LATER).len())
    };
    assert_eq!(drift_of(page(1, 1, &then)), (1, 1));
    // Another page may have another group of that name.
    assert_eq!(drift_of(page(2, 1, &then)), (0, 2));
    assert_eq!(drift_of(json!(then).to_string()), (0, 2));
    // A group within that was not read may have the others.
    let nested = [group("g1", "blue", &[("User", "u1"), ("Group", "g7")])];
    assert_eq!(drift_of(page(1, 1, &nested)), (0, 2));
    // Nobody asked for members.
    assert_eq!(drift_of(page(1, 1, &[group("g1", "blue", &[])])), (0, 2));
}

#[test]
fn groups_of_one_name_have_their_members_together() {
    let groups = [group("g1", "blue", &[("User", "u1")]), group("g2", "blue", &[("User", "u2")])];
    let mut memory = landscape();
    let file = format!("{}\n{}", users(), page(2, 1, &groups));
    let options = Options { group_by_name: true, ..options("2026-02-01T00:00:00Z") };
    let summary = text(&mut memory, Source::Scim, &file, &options);
    assert_eq!(members(&mut memory, "group:corp/blue_ext", LATER).len(), 2);
    assert!(summary.passed_over.keys().any(|reason| reason.contains("the same name")));
}

#[test]
fn what_cannot_be_read_has_a_sentence() {
    let mut memory = landscape();
    let rows = [
        json!({"displayName": "no id", "members": []}),
        json!({"id": "g1", "members": [{"value": "u1"}]}),
        json!({"id": "x"}),
        user("u1", "ada@acme.example", true),
        user("u1", "ada@acme.example", true),
        user("u1", "eve@acme.example", true),
    ];
    let summary =
        text(&mut memory, Source::Scim, &page(6, 1, &rows), &options("2026-02-01T00:00:00Z"));
    assert_eq!((summary.records.read, summary.records.bad), (6, 4), "{summary:#?}");
    let untimed = Options { at: None, ..options("2026-02-01T00:00:00Z") };
    let (file, mut memory) = (users(), landscape());
    let error =
        try_files(&mut memory, Source::Scim, &[("f", file.as_bytes())], &untimed).unwrap_err();
    assert!(matches!(error, ImportError::Options(said) if said.contains("--at")));
}

#[test]
fn a_chain_of_groups_that_costs_too_much_is_refused() {
    let chain = |length: usize| {
        let groups: Vec<Value> = (0..length)
            .map(|n| {
                group(&format!("g{n}"), &format!("G{n}"), &[("Group", &format!("g{}", n + 1))])
            })
            .collect();
        json!(groups).to_string()
    };
    let mut memory = landscape();
    let long = chain(5_000);
    let files = [("groups", long.as_bytes())];
    let error = try_files(&mut memory, Source::Scim, &files, &options(LATER)).unwrap_err();
    assert!(error.to_string().contains("import them in parts"), "{error}");
    let short = chain(500);
    let files = [("groups", short.as_bytes())];
    try_files(&mut memory, Source::Scim, &files, &options(LATER)).unwrap();
}
