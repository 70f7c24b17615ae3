//! Role collections, users and identity providers of XSUAA

use serde_json::{Value, json};
use tenure_import::{ImportError, Options, Source};

use crate::run::{at, changes_of, held, landscape, text, try_files};

const LATER: &str = "2026-03-01T00:00:00Z";
const VIEWER: &str = "Subaccount Viewer";

fn options(moment: &str) -> Options {
    Options { on: Some("subaccount:dev".to_owned()), at: at(moment), ..Options::default() }
}

fn holder(id: &str, name: &str) -> Value {
    json!({"id": id, "username": name, "email": name, "origin": "corp", "zoneId": "dev"})
}

fn mapping(value: &str) -> Value {
    json!({"roleCollectionIdentityZone": "dev", "attributeName": "Groups", "attributeValue": value,
           "comparisonOperator": "equals", "samlEntityId": "https://idp.acme.example",
           "idpDisplayName": "Acme"})
}

/// A custom role collection with a role; `Green` has neither users nor mappings
fn listing() -> Vec<Value> {
    let role = |name: &str| json!({"roleTemplateAppId": "orders!t1", "roleTemplateName": "R", "name": name});
    vec![
        json!({"name": "Blue", "isReadOnly": false, "roleReferences": [role("Reader")],
               "userReferences": [holder("b1", "ada@acme.example"), holder("b2", "bob@acme.example")],
               "samlAttributeAssignment": [mapping("blue")], "groupReferences": [mapping("blue")]}),
        json!({"name": "Green", "isReadOnly": false}),
    ]
}

fn trust() -> Value {
    json!([{"originKey": "corp-platform", "name": "Acme", "identityProvider": "idp.acme.example"}])
}

fn users(total: usize, start: usize, rows: &[Value]) -> Value {
    json!({"resources": rows, "startIndex": start, "itemsPerPage": rows.len(), "totalResults": total,
           "schemas": ["urn:scim:schemas:core:1.0"]})
}

fn user(id: &str, name: &str, collections: &[&str]) -> Value {
    let groups =
        collections.iter().map(|name| json!({"value": name, "display": name, "type": "DIRECT"}));
    let groups: Vec<_> = groups
        .chain([json!({"value": "Through", "display": "Through", "type": "INDIRECT"})])
        .collect();
    json!({"id": id, "userName": name, "origin": "corp", "zoneId": "dev", "groups": groups,
           "meta": {"version": 3}})
}

#[test]
fn a_listing_is_the_baseline_and_what_it_shows_later_is_drift() {
    let mut memory = landscape();
    let file = format!("{}\n{}", json!(listing()), trust());
    let summary = text(&mut memory, Source::Xsuaa, &file, &options("2026-02-01T00:00:00Z"));
    assert_eq!(summary.records.bad + summary.records.left_out, 0, "{summary:#?}");
    assert_eq!((summary.drift.len(), summary.baseline), (0, 3), "{summary:#?}");
    let expected =
        ["group:corp-platform/blue", "user:corp/ada@acme.example", "user:corp/bob@acme.example"];
    let expected = expected.map(|principal| format!("{principal}: Blue"));
    assert_eq!(held(&mut memory, "subaccount:dev", LATER), expected);
    assert_eq!(changes_of(&memory, "observe").len(), 1);
    // One file for each page, in another order.
    let [blue, green] = listing().try_into().unwrap();
    let (blue, green, idps) =
        (json!([blue]).to_string(), json!([green]).to_string(), trust().to_string());
    let files = [("c", idps.as_bytes()), ("b", green.as_bytes()), ("a", blue.as_bytes())];
    let again =
        try_files(&mut memory, Source::Xsuaa, &files, &options("2026-02-01T00:00:00Z")).unwrap();
    assert_eq!((again.entries.applied, again.drift.len()), (0, 0), "{again:#?}");

    let mut later = listing();
    later[0]["userReferences"] = json!([holder("b1", "ada@acme.example")]);
    later[1]["userReferences"] = json!([holder("b3", "eve@acme.example")]);
    let file = format!("{}\n{}", json!(later), trust());
    let reconcile = Options { reconcile: true, ..options("2026-02-10T00:00:00Z") };
    let summary = text(&mut memory, Source::Xsuaa, &file, &reconcile);
    assert_eq!(summary.drift.len(), 2, "{:#?}", summary.drift);
    let expected = [
        "group:corp-platform/blue: Blue",
        "user:corp/ada@acme.example: Blue",
        "user:corp/eve@acme.example: Green",
    ];
    assert_eq!(held(&mut memory, "subaccount:dev", LATER), expected);
    assert_eq!(changes_of(&memory, "revoke")[0]["not_before"], "2026-02-01T00:00:00Z");
}

#[test]
fn what_was_not_asked_for_is_no_empty_list() {
    let mut memory = landscape();
    let file = format!("{}\n{}", json!(listing()), trust());
    text(&mut memory, Source::Xsuaa, &file, &options("2026-02-01T00:00:00Z"));
    let before = held(&mut memory, "subaccount:dev", LATER);
    let bare: Vec<_> =
        ["Blue", "Green"].map(|name| json!({"name": name, "isReadOnly": false})).into();
    let reconcile = Options { reconcile: true, ..options("2026-02-10T00:00:00Z") };
    let summary = text(&mut memory, Source::Xsuaa, &json!(bare).to_string(), &reconcile);
    assert_eq!((summary.entries.sent, summary.drift.len()), (0, 0), "{summary:#?}");
    assert_eq!(held(&mut memory, "subaccount:dev", LATER), before);
    assert!(changes_of(&memory, "set_roles").is_empty());
}

#[test]
fn users_are_seen_with_their_own_role_collections() {
    let mut memory = landscape();
    let (ada, bob) =
        (user("b1", "ada@acme.example", &[VIEWER]), user("b2", "bob@acme.example", &[]));
    let zone = Options { on: None, ..options("2026-02-01T00:00:00Z") };
    let first = users(2, 1, &[ada.clone(), bob.clone()]).to_string();
    let summary = text(&mut memory, Source::Xsuaa, &first, &zone);
    assert_eq!(summary.records.bad + summary.records.left_out, 0, "{summary:#?}");
    let expected = format!("user:corp/ada@acme.example: {VIEWER}");
    assert_eq!(held(&mut memory, "subaccount:dev", LATER), [expected]);
    let pages =
        [users(2, 2, std::slice::from_ref(&bob)).to_string(), users(2, 1, &[ada]).to_string()];
    let files = [("2", pages[0].as_bytes()), ("1", pages[1].as_bytes())];
    let again = try_files(&mut memory, Source::Xsuaa, &files, &zone).unwrap();
    assert_eq!((again.entries.applied, again.drift.len()), (0, 0), "{again:#?}");
    // A page that is not all of the list shows nobody gone; a whole list does.
    let drift = |memory: &mut _, total| {
        let later = Options { on: None, ..options("2026-02-10T00:00:00Z") };
        let file = users(total, 1, std::slice::from_ref(&bob)).to_string();
        text(memory, Source::Xsuaa, &file, &later).drift.len()
    };
    assert_eq!(drift(&mut memory, 2), 0);
    assert_eq!(drift(&mut memory, 1), 1);
}

#[test]
fn a_zone_and_a_moment_are_needed() {
    let told = |files: &[Value], options: &Options| {
        let file = files.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
        let files = [("f", file.as_bytes())];
        match try_files(&mut landscape(), Source::Xsuaa, &files, options) {
            Err(ImportError::Options(said)) => said,
            other => panic!("{other:?}"),
        }
    };
    let all = options("2026-02-01T00:00:00Z");
    assert!(told(&[json!(listing())], &Options { at: None, ..all.clone() }).contains("--at"));
    let bare = json!([{"name": "Blue", "isReadOnly": false}]);
    assert!(told(&[bare], &Options { on: None, ..all.clone() }).contains("--on"));
    let of_zone = |zone: &str| {
        let mut user = user("b1", "ada@acme.example", &[]);
        user["zoneId"] = json!(zone);
        users(1, 1, &[user])
    };
    let two = [of_zone("dev"), of_zone("prod")];
    assert!(told(&two, &all).contains("`dev` and `prod`"));
    assert!(
        told(&[two.as_slice(), &[trust()]].concat(), &Options { on: None, ..all }).contains("--on")
    );
}

#[test]
fn what_cannot_be_read_has_a_sentence_and_deletes_nothing() {
    let mut memory = landscape();
    let file = format!("{}\n{}", json!(listing()), trust());
    text(&mut memory, Source::Xsuaa, &file, &options("2026-02-01T00:00:00Z"));
    let mut rows = listing();
    rows[1].as_object_mut().unwrap().remove("name");
    rows.push(json!({"name": "Blue", "isReadOnly": true, "roleReferences": []}));
    rows.push(json!({"x": 1}));
    let file = format!("{}\n{}", json!(rows), trust());
    let summary = text(&mut memory, Source::Xsuaa, &file, &options("2026-02-10T00:00:00Z"));
    assert_eq!(summary.records.bad, 3, "{summary:#?}");
    assert!(changes_of(&memory, "delete_role_collection").is_empty());
}
