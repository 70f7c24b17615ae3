//! Records of the audit log

use serde_json::{Value, json};
use tenure_import::{Map, Options, Source, Summary};

use crate::memory::Memory;
use crate::run::{at, changes_of, held, landscape, text, try_files};

const VIEWER: &str = "Subaccount Viewer";
const ADA: &str = "user:corp/ada@acme.example";

/// A record about the subaccount `dev`, as the API has it
fn wrapped(uuid: &str, time: &str, category: &str, message: Value) -> Value {
    let mut message = message;
    message["uuid"] = json!(uuid);
    message["time"] = json!(time);
    json!({"message_uuid": uuid, "time": time, "tenant": "dev", "org_id": "o",
           "user": "user/corp/root@acme.example", "category": category, "message": message.to_string()})
}

/// A record of a change, on a day of February
fn change(uuid: &str, day: u8, object: &str, crud: &str, more: Value) -> Value {
    let mut id = json!({"tableName": object, "crudType": crud});
    id.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let message = json!({"object": {"type": object, "id": id}, "attributes": []});
    wrapped(uuid, &format!("2026-02-{day:02}T10:00:00.123Z"), "audit.configuration", message)
}

fn assignment(uuid: &str, day: u8, crud: &str, user: &str) -> Value {
    let more = json!({"rolecollection_name": VIEWER, "user_id": user});
    change(uuid, day, "xs_rolecollection2user", crud, more)
}

fn user(uuid: &str, day: u8, crud: &str, old: Value, new: Value) -> Value {
    let scim = |user: Value| if user.is_null() { json!("") } else { json!(user.to_string()) };
    let mut record = change(uuid, day, "scim user", crud, json!({"user_id": "b1"}));
    let mut message: Value = serde_json::from_str(record["message"].as_str().unwrap()).unwrap();
    message["object"]["id"]["tableName"] = json!("users");
    message["attributes"] = json!([{"name": "complete", "old": scim(old), "new": scim(new)}]);
    record["message"] = json!(message.to_string());
    record
}

fn named(name: &str) -> Value {
    json!({"id": "b1", "userName": name, "origin": "corp", "zoneId": "dev"})
}

fn run(memory: &mut Memory, records: &[Value]) -> Summary {
    text(memory, Source::AuditLog, &json!(records).to_string(), &Options::default())
}

#[test]
fn assignments_are_grants_and_revokes_by_whoever_made_them() {
    let mut memory = landscape();
    let mut second = assignment("m3", 4, "DELETE", "b1");
    let message: Value = serde_json::from_str(second["message"].as_str().unwrap()).unwrap();
    second["message"] = message;
    let records = [
        assignment("m2", 3, "CREATE", "b1"),
        user("m1", 2, "CREATE", json!(null), named("ada@acme.example")),
        second,
    ];
    let summary = run(&mut memory, &records);
    assert_eq!((summary.records.bad, summary.records.left_out), (0, 0), "{summary:#?}");
    assert!(held(&mut memory, "subaccount:dev", "2026-02-03T09:59:59Z").is_empty());
    let viewer = format!("{ADA}: {VIEWER}");
    assert_eq!(held(&mut memory, "subaccount:dev", "2026-02-03T10:00:01Z"), [viewer]);
    assert!(held(&mut memory, "subaccount:dev", "2026-02-04T10:00:01Z").is_empty());
    let grant = &changes_of(&memory, "grant")[0];
    assert_eq!(grant["actor"], "user:corp/root@acme.example");
    assert_eq!(grant["reason"], "audit log: xs_rolecollection2user CREATE");
    let observe = &changes_of(&memory, "observe")[0];
    assert_eq!(observe["from"], "2026-02-02T10:00:00.123000Z");
    assert_eq!(observe["at"], "2026-02-04T10:00:00.123000Z");
}

#[test]
fn the_order_of_records_and_files_makes_no_difference() {
    let records = [
        user("m1", 2, "CREATE", json!(null), named("ada@acme.example")),
        assignment("m2", 3, "CREATE", "b1"),
        assignment("m3", 4, "CREATE", "b2"),
    ];
    let mut memory = landscape();
    run(&mut memory, &records);
    let before = memory.log().count();
    // The windows overlap, and are read from the newest to the oldest.
    let late = json!([records[2], records[1]]).to_string();
    let early = json!([records[1], records[0]]).to_string();
    let files = [("late", late.as_bytes()), ("early", early.as_bytes())];
    let summary = try_files(&mut memory, Source::AuditLog, &files, &Options::default()).unwrap();
    assert_eq!(summary.entries.applied, 0);
    assert_eq!(summary.passed_over.values().sum::<u64>(), 1, "{:?}", summary.passed_over);
    assert!(memory.log().skip(before).all(|(_, result)| result.outcome == "duplicate"));
}

#[test]
fn an_id_that_nothing_explains_is_kept() {
    let mut memory = landscape();
    let mut client = assignment("m1", 2, "CREATE", "b7");
    let mut message: Value = serde_json::from_str(client["message"].as_str().unwrap()).unwrap();
    message["user"] = json!("UNKNOWN_USER");
    message["object"]["id"]["origin_key"] = json!("corp");
    client["message"] = json!(message.to_string());
    let summary = run(&mut memory, &[client]);
    assert_eq!(summary.nameless.into_iter().collect::<Vec<_>>(), ["user:corp/id-b7"]);
    let expected = format!("user:corp/id-b7: {VIEWER}");
    assert_eq!(held(&mut memory, "subaccount:dev", "2026-03-01T00:00:00Z"), [expected]);
    assert_eq!(changes_of(&memory, "grant")[0]["actor"], "client:audit-log/UNKNOWN_USER");
    // One record covers no time.
    assert!(changes_of(&memory, "observe").is_empty());
}

#[test]
fn a_renamed_user_keeps_what_it_holds_and_a_deleted_one_loses_it() {
    let mut memory = landscape();
    let mut updated =
        user("m3", 4, "UPDATE", named("ada@acme.example"), named("ada.l@acme.example"));
    updated["category"] = json!("audit.data-modification");
    let records = [
        user("m1", 2, "CREATE", json!(null), named("ada@acme.example")),
        assignment("m2", 3, "CREATE", "b1"),
        updated,
        user("m4", 6, "DELETE", named("ada.l@acme.example"), json!(null)),
    ];
    let summary = run(&mut memory, &records);
    let after = held(&mut memory, "subaccount:dev", "2026-02-05T00:00:00Z");
    assert_eq!(after, [format!("user:corp/ada.l@acme.example: {VIEWER}")]);
    assert_eq!(summary.drift, []);
    assert!(held(&mut memory, "subaccount:dev", "2026-02-07T00:00:00Z").is_empty());
}

#[test]
fn mappings_need_the_origin_of_their_identity_provider() {
    let mapping = |uuid: &str, more: Value| {
        let mut id = json!({"rolecollection_name": VIEWER, "saml_attr_value": "blue",
                            "saml_idp": "https://idp.acme.example/"});
        id.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        change(uuid, 2, "xsrolecollection2samlattribute", "CREATE", id)
    };
    let mut memory = landscape();
    let summary = run(&mut memory, &[mapping("m1", json!({}))]);
    assert_eq!(summary.records.bad, 1);
    assert!(summary.bad.listed[0].problem.contains("https://idp.acme.example/"));
    let records = [
        mapping("m2", json!({"origin_key": "other"})),
        mapping("m3", json!({"saml_attr_name": "department"})),
        mapping("m1", json!({})),
    ];
    let map = Map::read(b"kind,id,origin\nidp,idp.acme.example,corp\n").unwrap();
    let options = Options { map, ..Options::default() };
    let summary = text(&mut memory, Source::AuditLog, &json!(records).to_string(), &options);
    assert_eq!(summary.records.bad, 0, "{summary:#?}");
    let expected = ["attribute:corp/department=blue", "group:corp/blue", "group:other/blue"];
    let expected = expected.map(|principal| format!("{principal}: {VIEWER}"));
    assert_eq!(held(&mut memory, "subaccount:dev", "2026-03-01T00:00:00Z"), expected);
}

#[test]
fn role_collections_come_with_their_roles_and_go() {
    let mut memory = landscape();
    let collection = |uuid: &str, day, crud: &str| {
        change(uuid, day, "xsrolecollections", crud, json!({"rolecollection_name": "Blue"}))
    };
    let role = |uuid: &str, day, crud: &str, name: &str| {
        let more = json!({"rolecollection_name": "Blue", "role_template_app_id": "orders!t1",
                          "roleTemplateName": "Reader_T", "role_name": name});
        change(uuid, day, "xsrolecollection2role", crud, more)
    };
    let records = [
        collection("m1", 2, "CREATE"),
        role("m2", 3, "CREATE", "Reader"),
        role("m3", 4, "CREATE", "Writer"),
        role("m4", 5, "DELETE", "Writer"),
        collection("m5", 6, "UPDATE"),
        // The same record again, from a window that overlaps.
        collection("m1", 2, "CREATE"),
        collection("m6", 7, "DELETE"),
    ];
    let summary = run(&mut memory, &records);
    assert_eq!((summary.records.bad, summary.records.left_out), (0, 0), "{summary:#?}");
    let roles: Vec<_> =
        changes_of(&memory, "set_roles").into_iter().map(|c| c["roles"].clone()).collect();
    let both = json!(["orders/Reader", "orders/Writer"]);
    assert_eq!(roles, [json!(["orders/Reader"]), both, json!(["orders/Reader"])]);
    assert_eq!(changes_of(&memory, "create_role_collection").len(), 1);
    assert_eq!(changes_of(&memory, "delete_role_collection").len(), 1);
}

/// A security event, or a part of one
fn event(uuid: &str, number: u64, id: &str, message: &str) -> Value {
    let data =
        json!({"level": "INFO", "msgNo": number, "msgId": id, "message": message}).to_string();
    wrapped(uuid, "2026-02-02T10:00:00Z", "audit.security-events", json!({"data": data}))
}

#[test]
fn a_text_that_was_cut_is_joined_in_the_order_of_its_parts() {
    let said = json!({"crudType": "CREATE", "type": "Subaccount Administrator assignment",
                      "newUser": {"name": "ada@acme.example", "origin": "corp"}})
    .to_string();
    let (one, rest) = said.split_at(20);
    let (two, three) = rest.split_at(30);
    let mut memory = landscape();
    let other = event("m9", 1, "", ": principal=x, origin=[remoteAddress=1.2.3.4]");
    let records =
        [event("m3", 3, "t1", three), other, event("m1", 1, "t1", one), event("m2", 2, "t1", two)];
    let summary = run(&mut memory, &records);
    let expected = [format!("{ADA}: Subaccount Administrator")];
    assert_eq!(held(&mut memory, "subaccount:dev", "2026-03-01T00:00:00Z"), expected);
    assert_eq!((summary.records.read, summary.records.not_about_access), (4, 3));
    // Security events alone do not tell what else changed.
    assert!(changes_of(&memory, "observe").is_empty());
    // A text of one part, by a writer that counts from 0, is whole too.
    let mut memory = landscape();
    run(&mut memory, &[event("m1", 0, "t1", &said)]);
    assert_eq!(held(&mut memory, "subaccount:dev", "2026-03-01T00:00:00Z"), expected);
    for missing in [0, 1, 2] {
        let mut parts =
            vec![event("m1", 1, "t1", one), event("m2", 2, "t1", two), event("m3", 3, "t1", three)];
        parts.remove(missing);
        let mut memory = landscape();
        let summary = run(&mut memory, &parts);
        assert_eq!(summary.records.bad, 2, "{summary:#?}");
        let problem = &summary.bad.listed[0].problem;
        assert!(problem.contains(&format!("part {} is missing", missing + 1)), "{problem}");
        assert!(held(&mut memory, "subaccount:dev", "2026-03-01T00:00:00Z").is_empty());
    }
}

#[test]
fn the_hierarchy_is_taken_over_as_far_as_it_is_said() {
    let mut memory = landscape();
    let record = |uuid: &str, time: &str, message: Value| {
        wrapped(uuid, time, "audit.configuration", message)
    };
    let records = [
        record(
            "m1",
            "2026-02-01T10:00:00Z",
            json!({"type": "CREATE", "entity": "Subaccount", "guid": "new"}),
        ),
        record(
            "m2",
            "2026-02-02T10:00:00Z",
            json!({"type": "CREATE", "entity": "Subaccount", "guid": "qa",
            "parentGUID": "ga", "globalAccountGUID": "ga", "displayName": "QA"}),
        ),
        record(
            "m3",
            "2026-02-03T10:00:00Z",
            json!({"type": "UPDATE", "entity": "Subaccount", "guid": "qa"}),
        ),
        record(
            "m4",
            "2026-02-04T10:00:00Z",
            json!({"type": "DELETE", "entity": "Subaccount", "guid": "prod"}),
        ),
    ];
    let summary = run(&mut memory, &records);
    assert_eq!(summary.records.bad, 0, "{summary:#?}");
    assert_eq!(summary.records.not_about_access, 2);
    let created = changes_of(&memory, "create_level");
    assert_eq!(created.last().unwrap()["level"], "subaccount:qa");
    assert_eq!(created.last().unwrap()["parent"], "global-account:ga");
    assert_eq!(changes_of(&memory, "delete_level")[0]["level"], "subaccount:prod");
}

#[test]
fn what_cannot_be_read_and_what_is_about_something_else_is_told_apart() {
    let mut memory = landscape();
    let mut failed = assignment("m1", 2, "CREATE", "b1");
    let mut message: Value = serde_json::from_str(failed["message"].as_str().unwrap()).unwrap();
    message["success"] = json!(false);
    failed["message"] = json!(message.to_string());
    let mut early = assignment("m2", 2, "CREATE", "b1");
    let at = "1969-12-31T23:59:59Z";
    early["message"] =
        json!(early["message"].as_str().unwrap().replace("2026-02-02T10:00:00.123Z", at));
    let mut torn = assignment("m3", 2, "CREATE", "b1");
    torn["message"] = json!("{\"object\":");
    let records = [
        failed,
        wrapped("m4", "2026-02-02T10:00:00Z", "audit.data-access", json!({})),
        change("m5", 2, "IdentityProvider", "CREATE", json!({})),
        early,
        torn,
        assignment("m6", 3, "UPDATE", "b1"),
        assignment("m7", 4, "MERGE", "b1"),
        json!("m8"),
    ];
    let summary = run(&mut memory, &records);
    assert_eq!((summary.records.not_about_access, summary.records.bad), (3, 5), "{summary:#?}");
    let reasons: Vec<_> = summary.passed_over.keys().map(String::as_str).collect();
    assert_eq!(
        reasons,
        [
            "`IdentityProvider` is not about levels, role collections or who holds them",
            "it failed",
            "records of the category `audit.data-access` are not about access",
        ]
    );
    assert!(held(&mut memory, "subaccount:dev", "2026-03-01T00:00:00Z").is_empty());
    // What could not be read may have been a change.
    assert!(changes_of(&memory, "observe").is_empty());
}

#[test]
fn a_time_in_which_nothing_happened_is_covered_too() {
    let mut memory = landscape();
    let asked = |text: &str| at(text).unwrap();
    let options = Options {
        on: Some("subaccount:dev".to_owned()),
        window: Some((asked("2026-02-01T00:00:00Z"), asked("2026-02-02T00:00:00Z"))),
        ..Options::default()
    };
    text(&mut memory, Source::AuditLog, "[]", &options);
    let observed = &changes_of(&memory, "observe")[0];
    assert_eq!(observed["level"], "subaccount:dev");
    assert_eq!(observed["from"], "2026-02-01T00:00:00Z");
    assert_eq!(observed["at"], "2026-02-02T00:00:00Z");
}
