//! What was once written on a log can be read for ever
//!
//! Each file under `schemas/golden/v1/` is an entry as MessagePack beside the same entry as JSON. Files are
//! added, never changed: `TENURE_UPDATE=1 cargo test -p tenure-wire --test golden` writes those that are
//! missing.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot read its files fails"
)]

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tenure_wire::codec::{Encoded, Format, decode_entry};
use tenure_wire::v1;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../schemas/golden/v1")
}

const ID: &str = "01930f0e-7c1e-7d2a-9b1a-0d9f6f1c2b3a";
const LEVEL: &str = "subaccount:dev";

/// One of each type of change, bare and with all that it may say
fn samples() -> Vec<(&'static str, Value)> {
    let catalog = json!({
        "version": "golden",
        "custom_role_collections": ["global-account", "subaccount"],
        "scope_aliases": {"a_read": "a.read", "b_read": "b.read"},
        "roles": [
            {"role": "Viewer", "application": "app", "template": "Viewer_T", "at": ["subaccount"],
             "feature_sets": ["B"], "scopes": ["a_read"], "grantable": false},
            {"role": "Org Manager", "application": "cloud-foundry", "at": ["cf-org"], "grantable": true}
        ],
        "role_collections": [
            {"role_collection": "All", "at": ["subaccount"], "feature_sets": ["B"], "roles": ["app/Viewer"]}
        ],
        "operations": [
            {"operation": "a.view", "title": "view a", "at": ["subaccount"], "feature_sets": ["A", "B"],
             "requires": {"any_of": [
                {"role": "Viewer", "application": "app", "at": ["subaccount"]},
                {"all_of": [{"scope": "a_read", "below": ["cf-org"]},
                            {"role_collection": "All", "at": ["subaccount"]}]}]}}
        ]
    });
    let in_neo = json!({
        "version": "golden in Neo",
        "roles": [{"role": "Administrator", "application": "neo", "at": ["subaccount"],
            "environments": ["neo"], "grantable": true}],
        "role_collections": [{"role_collection": "All", "at": ["subaccount"], "environments": ["multi", "neo"],
            "roles": []}],
        "operations": [{"operation": "members.manage", "at": ["subaccount"], "environments": ["neo"],
            "requires": {"role": "Administrator", "at": ["subaccount"]},
            "gives": [{"role": "neo/Administrator", "at": "here"}, {"role_collections": "any", "at": ["cf-org"]},
                {"role_collection": "All", "at": ["subaccount"]}]}]
    });
    let changes = [
        ("create_level", json!({"level": "global-account:acme"})),
        (
            "create_level-full",
            json!({"level": LEVEL, "parent": "global-account:acme", "name": "née Zoë ✓",
            "feature_set": "A", "environment": "neo", "region": "eu10"}),
        ),
        (
            "create_level-directory",
            json!({"level": "directory:d", "parent": "global-account:acme",
            "authorizations": false}),
        ),
        ("move_level", json!({"level": LEVEL, "parent": "directory:d"})),
        (
            "set_level",
            json!({"level": LEVEL, "name": "Orders", "feature_set": "B", "environment": "multi"}),
        ),
        (
            "create_level-application",
            json!({"level": "application:a", "parent": LEVEL, "identity_provider": "corp",
            "role_provider": "successfactors"}),
        ),
        ("set_level-ledger", json!({"level": "ledger:acme", "access": "enforced"})),
        ("delete_level", json!({"level": LEVEL})),
        (
            "create_role",
            json!({"level": LEVEL, "role": "Helper", "application": "app", "template": "Helper"}),
        ),
        (
            "create_role-full",
            json!({"level": LEVEL, "role": "Helper", "application": "app", "template": "T",
            "scopes": ["a.read"], "attributes": {"country": ["DE", "FR"], "z": {"b": 1, "a": true}}}),
        ),
        ("delete_role", json!({"level": LEVEL, "role": "app/Helper"})),
        (
            "create_role_collection",
            json!({"level": LEVEL, "role_collection": "On Call", "roles": []}),
        ),
        (
            "create_role_collection-full",
            json!({"level": LEVEL, "role_collection": "On Call",
            "roles": ["Viewer", "app/Helper"], "description": "who is called at night"}),
        ),
        ("set_roles", json!({"level": LEVEL, "role_collection": "On Call", "roles": ["Viewer"]})),
        ("delete_role_collection", json!({"level": LEVEL, "role_collection": "On Call"})),
        (
            "grant",
            json!({"level": LEVEL, "role_collection": "On Call", "to": "user:sap.default/a@b.example"}),
        ),
        (
            "grant-full",
            json!({"level": LEVEL, "role": "app/Helper", "to": "attribute:corp/dept=IT",
            "until": "2026-04-01T00:00:00.000001Z", "expect": "not_held"}),
        ),
        (
            "grant-any",
            json!({"level": LEVEL, "role_collection": "On Call", "to": "everyone:corp",
            "expect": "any"}),
        ),
        ("revoke", json!({"level": LEVEL, "role": "Helper", "from": "client:corp/CI!b7"})),
        (
            "revoke-full",
            json!({"level": LEVEL, "role_collection": "On Call", "from": "group:corp/Admins",
            "expect": "any"}),
        ),
        (
            "revoke-held",
            json!({"level": LEVEL, "role_collection": "On Call", "from": "group:corp/Admins",
            "expect": "held"}),
        ),
        ("add_member", json!({"set": "group:corp/Admins", "member": "user:corp/a@b.example"})),
        ("remove_member", json!({"set": "group:corp/Admins", "member": "user:corp/a@b.example"})),
        (
            "remove_member-any",
            json!({"set": "group:corp/Admins", "member": "user:corp/a@b.example",
            "expect": "any"}),
        ),
        ("remove_principal", json!({"principal": "user:corp/a@b.example"})),
        ("publish_catalog", json!({"catalog": catalog})),
        ("publish_catalog-neo", json!({"catalog": in_neo})),
        ("set_rule", json!({"set": "group:neo.dev/staff", "origin": "corp"})),
        (
            "set_rule-full",
            json!({"set": "group:neo.dev/staff", "origin": "corp", "rule": {"any_of": [
                {"all_of": [{"attribute": "dept", "equals": "IT"}, {"attribute": "Groups", "matches": "A.*"}]},
                {"everyone": true}]}}),
        ),
        ("set_permission", json!({"level": "application:a", "permission": "Pay", "roles": []})),
        (
            "set_permission-full",
            json!({"level": "application:a", "permission": "Pay", "roles": ["Clerk", "Everyone"],
            "paths": ["/pay", "/"]}),
        ),
        ("delete_permission", json!({"level": "application:a", "permission": "Pay"})),
        ("observe", json!({"level": LEVEL, "source": "listing"})),
        (
            "observe-full",
            json!({"level": LEVEL, "subtree": true, "source": "audit log",
            "from": "2026-02-01T00:00:00Z"}),
        ),
        ("void", json!({"entry": "01930f0e-7c1e-7d2a-9b1a-000000000000"})),
        (
            "void-note",
            json!({"entry": "01930f0e-7c1e-7d2a-9b1a-000000000000", "note": "a mistake"}),
        ),
    ];
    changes
        .into_iter()
        .map(|(name, mut change)| {
            let kind = name.split('-').next().unwrap();
            change["type"] = json!(kind);
            let mut entry =
                json!({"id": ID, "actor": "user:sap.default/admin@b.example", "changes": [change]});
            if name.ends_with("full") {
                entry["reason"] = json!("INC-4711");
                entry["effective_at"] = json!("2026-03-01T00:00:00Z");
            }
            if name == "observe-full" {
                entry["not_before"] = json!("2026-01-01T00:00:00Z");
            }
            (name, entry)
        })
        .collect()
}

#[test]
fn every_golden_entry_decodes_to_what_it_was_and_encodes_to_the_same_bytes() {
    if std::env::var_os("TENURE_UPDATE").is_some() {
        fs::create_dir_all(folder()).unwrap();
        for (name, entry) in samples() {
            let path = folder().join(format!("{name}.json"));
            if !path.exists() {
                let text = serde_json::to_string_pretty(&entry).unwrap();
                let bytes = decode_entry(Format::Json, text.as_bytes()).unwrap().bytes().to_vec();
                fs::write(folder().join(format!("{name}.msgpack")), bytes).unwrap();
                fs::write(path, text + "\n").unwrap();
            }
        }
    }
    let mut names: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".msgpack").map(str::to_owned))
        .collect();
    names.sort();
    let mut expected: Vec<&str> = samples().iter().map(|(name, _)| *name).collect();
    expected.sort_unstable();
    assert!(
        expected.iter().all(|name| names.iter().any(|n| n == name)),
        "a type has no golden file"
    );
    for name in names {
        let bytes = fs::read(folder().join(format!("{name}.msgpack"))).unwrap();
        let text = fs::read(folder().join(format!("{name}.json"))).unwrap();
        let written: Value = serde_json::from_slice(&text).unwrap();
        for decoded in [
            Encoded::from_canonical(&bytes).unwrap(),
            decode_entry(Format::MessagePack, &bytes).unwrap(),
            decode_entry(Format::Json, &text).unwrap(),
        ] {
            assert_eq!(decoded.bytes(), bytes, "{name}");
            let again = serde_json::to_value(v1::Entry::from_core(decoded.entry())).unwrap();
            assert_eq!(again, written, "{name}");
        }
    }
}

#[test]
fn generated_schemas_have_not_drifted() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    for (name, schema) in tenure_wire::schema::all() {
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        let path = folder.join(name);
        if std::env::var_os("TENURE_UPDATE").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == text, "schemas/{name} is not what the types say: run `just schemas`");
    }
}
