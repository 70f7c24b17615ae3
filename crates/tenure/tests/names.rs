//! Names that could deceive, and names that nobody knows: no answer about them misleads a person
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;

use common::{Ran, Server, Start, command, entry_at, landscape, run};
use serde_json::{Value, json};
use tempfile::TempDir;

const DEV: &str = "subaccount:dev";
const ADMINISTRATOR: &str = "Subaccount Administrator";
const JANUARY: &str = "2026-01-01T00:00:00Z";
const FEBRUARY: &str = "at=2026-02-01";

/// A server with levels, and nobody who holds anything
fn server() -> (Server, TempDir) {
    let data = tempfile::tempdir().unwrap();
    let server = Start::on(data.path()).ready();
    server.append(&landscape());
    (server, data)
}

fn grant(role_collection: &str, to: &str) -> Value {
    json!({"type": "grant", "level": DEV, "role_collection": role_collection, "to": to})
}

fn given(server: &Server, changes: &[Value]) {
    let results = server.append(&[entry_at(JANUARY, changes)]);
    assert_eq!(results[0]["outcome"], "applied", "{results:#?}");
}

/// What a body is refused with
fn refused(server: &Server, changes: &[Value], parts: &[&str]) {
    server.post("/v1/entries", &entry_at(JANUARY, changes)).is_problem(400, "bad_request", parts);
}

fn ask(server: &Server, question: &str) -> Value {
    server.get(&format!("/v1/{question}&{FEBRUARY}")).ok()
}

fn tenure(server: &Server, arguments: &[&str]) -> Ran {
    run(command().args(["--server", &server.url()]).args(arguments))
}

#[test]
fn a_plus_in_an_address_is_found_as_it_is_typed() {
    let (server, _data) = server();
    given(&server, &[grant(ADMINISTRATOR, "m.k+1@corp.example")]);
    for written in ["m.k+1@corp.example", "m.k%2B1@corp.example", "m.k%2b1%40corp.example"] {
        let check =
            ask(&server, &format!("check?can=destinations.manage&on={DEV}&principal={written}"));
        assert_eq!(check["known"]["named"], true, "{check:#}");
        let held = ask(&server, &format!("assignments?principal={written}"));
        assert_eq!(held["assignments"].as_array().unwrap().len(), 1, "{held:#}");
    }
}

#[test]
fn a_misspelt_person_is_not_no() {
    let (server, _data) = server();
    given(&server, &[grant(ADMINISTRATOR, "vera@corp.example")]);
    for question in [
        format!("check?can=destinations.manage&on={DEV}&principal=vrea@corp.example"),
        format!("what?on={DEV}&principal=vrea@corp.example"),
        format!(
            "where?can=role-collection:{ADMINISTRATOR}&under={DEV}&principal=vrea@corp.example"
        ),
        "assignments?principal=vrea@corp.example".to_owned(),
    ] {
        let answer = ask(&server, &question.replace(' ', "%20"));
        let known = json!({"named": false, "elsewhere": [],
                           "similar": ["user:sap.default/vera@corp.example"]});
        assert_eq!(answer["known"], known, "{question}");
    }
    let history = server.get("/v1/entries?principal=vrea@corp.example").ok();
    assert_eq!(history["known"]["named"], false);
    let can = format!("role-collection:{ADMINISTRATOR}");
    let ran = tenure(&server, &["check", "vrea@corp.example", "--can", &can, "--on", DEV]);
    ran.exits(1);
    assert!(ran.stdout.contains("no entry known then names this principal"), "{ran:#?}");
    assert!(ran.stdout.contains("user:sap.default/vera@corp.example"), "{ran:#?}");
}

#[test]
fn a_person_with_two_accounts_is_pointed_out() {
    let (server, _data) = server();
    given(&server, &[grant("Subaccount Viewer", "ada@corp.example")]);
    given(&server, &[grant(ADMINISTRATOR, "user:corp-idp/ada@corp.example")]);
    let held = ask(&server, "assignments?principal=ada@corp.example");
    assert_eq!(held["known"]["elsewhere"], json!(["user:corp-idp/ada@corp.example"]));
    let ran = tenure(&server, &["assignments", "--principal", "ada@corp.example"]);
    assert!(ran.stdout.contains("in other origins: user:corp-idp/ada@corp.example"), "{ran:#?}");
}

#[test]
fn one_account_has_one_name() {
    let (server, _data) = server();
    let names = ["user:LDAP/Bob@corp.example", "user:Sap.Ids/bob@CORP.example", "bob@corp.example"];
    for to in names {
        given(&server, &[grant(ADMINISTRATOR, to)]);
    }
    given(&server, &[grant(ADMINISTRATOR, "user:corp/ÉMILE@corp.example")]);
    given(&server, &[grant(ADMINISTRATOR, "user:corp/e\u{301}mile@corp.example")]);
    let who = ask(&server, &format!("who?can=role-collection:Subaccount%20Administrator&on={DEV}"));
    let subjects: Vec<&str> = who["subjects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["principal"].as_str().unwrap())
        .collect();
    assert_eq!(subjects, ["user:corp/émile@corp.example", "user:sap.default/bob@corp.example"]);
}

#[test]
fn what_no_name_may_have_is_refused_with_the_character() {
    let (server, _data) = server();
    for (to, parts) in [
        ("user:corp/zoe@corp.example ", ["white space", "U+0020"]),
        ("user:corp/\u{a0}zoe@corp.example", ["white space", "U+00A0"]),
        ("user:corp/zoe\u{202e}@corp.example", [r"zoe\u{202e}@", "U+202E"]),
        ("group:corp/a\nb", [r"a\u{a}b", "U+000A"]),
        ("group:corp/a\u{2028}b", ["U+2028", "separator of lines"]),
        ("user:corp/*", ["`*`", "name one"]),
        ("user:https://idp.example/zoe", ["origin key", "not a principal"]),
    ] {
        refused(&server, &[grant(ADMINISTRATOR, to)], &parts);
    }
    refused(&server, &[grant("a\u{1b}[2J", "zoe@corp.example")], &["U+001B", r"a\u{1b}[2J"]);
    let nil = json!({"id": "00000000-0000-0000-0000-000000000000", "actor": "a@corp.example",
                     "changes": [grant(ADMINISTRATOR, "zoe@corp.example")]});
    server.post("/v1/entries", &nil).is_problem(400, "bad_request", &["zeros"]);
}

#[test]
fn a_slash_in_a_role_is_recorded_shown_and_asked() {
    let (server, _data) = server();
    let role = json!({"type": "create_role", "level": DEV, "role": "Create/Edit 50%",
                      "application": "orders", "template": "T", "scopes": ["edit"]});
    let collection = json!({"type": "create_role_collection", "level": DEV,
                            "role_collection": "Orders Team", "roles": ["orders/Create%2FEdit 50%25"]});
    given(&server, &[role, collection, grant("Orders Team", "zoe@corp.example")]);
    let listed = ask(&server, &format!("role-collections?on={DEV}"));
    assert!(listed.to_string().contains("orders/Create%2FEdit 50%25"), "{listed:#}");
    let can = "role:orders/Create%2FEdit 50%25";
    let ran = tenure(&server, &["who", "--can", can, "--on", DEV, "--at", "2026-02-01"]);
    ran.exits(0);
    assert!(ran.stdout.contains("zoe@corp.example"), "{ran:#?}");
}

#[test]
fn what_comes_through_a_group_is_told_with_its_membership() {
    let (server, _data) = server();
    let member = "user:corp-idp/ok@corp.example";
    given(
        &server,
        &[
            grant(ADMINISTRATOR, "attribute:corp-idp/Groups=Admins"),
            json!({"type": "add_member", "set": "group:corp-idp/Admins", "member": member}),
        ],
    );
    let held = ask(&server, &format!("assignments?explain=full&principal={member}"));
    let row = &held["assignments"][0];
    assert_eq!(row["via"], "group:corp-idp/Admins", "{held:#}");
    assert_eq!(row["membership"]["since"], JANUARY, "{held:#}");
    assert_eq!(row["membership"]["by"]["actor"], row["by"]["actor"], "{held:#}");
    let members = ask(&server, "members?set=group:corp-idp/Admins");
    assert_eq!(members["members"][0]["principal"], member);
    let people = ask(&server, "principals?kind=user&holding=false");
    assert!(people["principals"].as_array().unwrap().iter().any(|row| row["principal"] == member));
}

#[test]
fn everything_somebody_ever_had_is_told_with_its_end() {
    let (server, _data) = server();
    let x = "x@corp.example";
    let until = json!({"type": "grant", "level": DEV, "role_collection": ADMINISTRATOR, "to": x,
                       "until": "2026-02-01T00:00:00Z"});
    given(&server, &[until, grant("Subaccount Viewer", x)]);
    let revoke =
        json!({"type": "revoke", "level": DEV, "role_collection": "Subaccount Viewer", "from": x});
    let results = server.append(&[entry_at("2026-03-01T00:00:00Z", &[revoke])]);
    let revoked = results[0]["position"].as_u64().unwrap();
    let held = server.get(&format!("/v1/holdings?principal={x}")).ok();
    let told: Vec<String> = held["holdings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{} {} {}", row["role_collection"], row["until"], row["ended"]))
        .collect();
    assert_eq!(
        told,
        [
            r#""Subaccount Administrator" "2026-02-01T00:00:00Z" {"how":"expired"}"#.to_owned(),
            format!(
                r#""Subaccount Viewer" "2026-03-01T00:00:00Z" {{"entry":{revoked},"how":"revoked"}}"#
            ),
        ]
    );
    let ran = tenure(&server, &["holdings", x, "--explain"]);
    ran.exits(0);
    assert!(ran.stdout.contains(&format!("revoked by #{revoked}")), "{ran:#?}");
}

#[test]
fn a_misspelt_name_is_an_error_with_candidates() {
    let (server, _data) = server();
    for (path, code, similar) in [
        (
            "assignments?role_collection=subaccount%20administrator",
            "unknown_role_collection",
            ADMINISTRATOR,
        ),
        (
            "entries?role_collection=Subaccount%20Administartor",
            "unknown_role_collection",
            ADMINISTRATOR,
        ),
        (
            "who?can=role-collection:Subaccount%20Viewr&on=subaccount:dev",
            "unknown_role_collection",
            "Subaccount Viewer",
        ),
        (
            "who?can=destinations.manag&on=subaccount:dev",
            "unknown_operation",
            "destinations.manage",
        ),
        ("holdings?role=Org%20Managr", "unknown_role", "Org Manager"),
    ] {
        let problem =
            server.get(&format!("/v1/{path}")).is_problem(404, code, &["did you mean", similar]);
        assert!(problem["similar"].as_array().unwrap().iter().any(|s| s == similar), "{problem:#}");
    }
    given(
        &server,
        &[json!({"type": "create_level", "level": "subaccount:staging",
                            "parent": "global-account:acme"})],
    );
    server.get("/v1/role-collections?on=subaccount:stagin").is_problem(
        404,
        "unknown_level",
        &["did you mean `subaccount:staging`?"],
    );
    let gone = json!({"type": "delete_level", "level": "subaccount:staging"});
    let results = server.append(&[entry_at("2026-01-02T00:00:00Z", &[gone])]);
    let by = format!("gone since 2026-01-02T00:00:00Z, by entry #{}", results[0]["position"]);
    server.get(&format!("/v1/role-collections?on=subaccount:staging&{FEBRUARY}")).is_problem(
        404,
        "unknown_level",
        &[&by],
    );
}

#[test]
fn tables_show_what_could_deceive_and_cells_are_no_formulas() {
    let (server, _data) = server();
    let create = |name: &str| json!({"type": "create_role_collection", "level": DEV, "role_collection": name, "roles": []});
    let names = ["Subaccount Administrat\u{3bf}r", "Ops ", "=1+1"];
    given(&server, &names.map(create));
    given(&server, &names.map(|name| grant(name, "zoe@corp.example")));
    let asked = ["assignments", "--principal", "zoe@corp.example", "--at", "2026-02-01"];
    let table = tenure(&server, &asked);
    table.exits(0);
    let flat = table.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("looks like"), "{table:#?}");
    assert!(flat.contains("\"Ops \""), "{table:#?}");
    let csv = tenure(&server, &[&asked[..], &["--format", "csv"]].concat());
    assert!(csv.stdout.contains(",'=1+1,"), "{csv:#?}");
}
