//! Neo, and the readings of "could", as people and programs meet them: the page about Neo, HTTP and the command line
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;

use std::fs;
use std::path::Path;

use common::{Server, Start, command, entry_at, run, tenure_on};
use serde_json::{Value, json};
use tempfile::TempDir;

const PAULA: &str = "user:sap.default/paula@acme.example";
const BEA: &str = "user:corp/bea@acme.example";
const SHOP: &str = "application:shop";
const NEO: &str = "subaccount:neo";
const MARCH: &str = "2025-03-01T00:00:00Z";

/// What stands in backticks in a paragraph
fn quoted(paragraph: &str) -> Vec<&str> {
    paragraph.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_page_about_neo_shows_what_is_answered() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/neo.md");
    let page = fs::read_to_string(path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("ledger"), folder.path().join("entries.json"));
    let mut parts = page.split("\n```");
    parts.next();
    let (mut appended, mut asked) = (0, 0);
    // A block within fences, then the text after it.
    while let (Some(block), Some(after)) = (parts.next(), parts.next()) {
        let (language, block) = block.split_once('\n').unwrap();
        if language == "json" {
            fs::write(&file, block).unwrap();
            tenure_on(&data, &["submit", file.to_str().unwrap()]).exits(0);
            appended += 1;
            continue;
        }
        assert_eq!(language, "sh");
        let arguments = block.strip_prefix("tenure ").unwrap().split_whitespace();
        let ran = run(command().arg("--data").arg(&data).args(arguments).env("COLUMNS", "200"));
        let all = format!("{}{}", ran.stdout, ran.stderr);
        let answer = after.trim_start().split("\n\n").next().unwrap();
        let promised = quoted(answer);
        assert!(!promised.is_empty(), "nothing is promised of {block}");
        for part in &promised {
            let is_there = match *part {
                "yes" | "no" => all.lines().next() == Some(*part),
                // A name is not the beginning of a longer one.
                _ => all
                    .split(part)
                    .skip(1)
                    .any(|after| !after.starts_with(|c: char| c.is_alphanumeric() || c == '-')),
            };
            assert!(is_there, "{block}\nhas no {part:?}:\n{all}");
        }
        // Who is not promised is not named, and where it says "alone", no other level is.
        let other = |word: &&str| {
            block.starts_with("tenure who") && word.starts_with("user:")
                || answer.contains("` alone") && word.starts_with("subaccount:")
        };
        let asked_about = |word: &str| block.contains(word);
        for name in ran.stdout.split_whitespace().filter(other).filter(|word| !asked_about(word)) {
            assert!(promised.contains(&name), "{block}\nalso names {name}:\n{all}");
        }
        asked += 1;
    }
    assert_eq!((appended, asked), (8, 20));
}

/// A Neo subaccount with one application, whose payroll is for whoever is of a department
fn portal() -> (Server, TempDir) {
    let data = tempfile::tempdir().unwrap();
    let server = Start::on(data.path()).ready();
    let changes = [
        json!({"type": "create_level", "level": "global-account:acme"}),
        json!({"type": "create_level", "level": NEO, "parent": "global-account:acme",
            "environment": "neo", "identity_provider": "corp"}),
        json!({"type": "create_level", "level": SHOP, "parent": NEO}),
        json!({"type": "grant", "level": NEO, "role": "neo/Administrator", "to": PAULA}),
        json!({"type": "create_role", "level": NEO, "role": "Clerk", "application": "shop", "template": "Clerk"}),
        json!({"type": "set_rule", "set": "group:neo/clerks", "origin": "corp",
            "rule": {"attribute": "dept", "matches": "Pay(roll|ments)"}}),
        json!({"type": "add_member", "set": "attribute:corp/dept=Payroll", "member": BEA}),
        json!({"type": "grant", "level": NEO, "role": "Clerk", "to": "group:neo/clerks"}),
        json!({"type": "set_permission", "level": SHOP, "permission": "pay", "roles": ["Clerk"], "paths": ["/pay"]}),
    ];
    let results = server.append(&[entry_at("2025-01-01T00:00:00Z", &changes)]);
    assert_eq!(results[0]["outcome"], "applied", "{results:#?}");
    (server, data)
}

fn ask(server: &Server, question: &str) -> Value {
    server.get(&format!("/v1/{question}&at={MARCH}")).ok()
}

fn append(server: &Server, at: &str, change: Value) {
    let results = server.append(&[entry_at(at, &[change])]);
    assert_eq!(results[0]["outcome"], "applied", "{results:#?}");
}

#[test]
fn a_member_by_a_rule_is_told_as_one() {
    let (server, _data) = portal();
    let who = ask(&server, &format!("who?can=path:/pay/run&on={SHOP}&explain=full"));
    assert_eq!(who["subjects"][0]["principal"], BEA);
    let because = &who["subjects"][0]["because"][0];
    let position = server.position();
    assert_eq!(because["via"], "group:neo/clerks");
    assert_eq!(because["membership"]["rule"], position, "{because:#}");
    assert_eq!(because["membership"]["entries"], json!([position]));
    assert_eq!(because["membership"]["by"]["position"], position);
    assert!(because["membership"].get("entry").is_none());
    let members = ask(&server, "members?set=group:neo/clerks");
    let expected = json!([{"principal": BEA, "since": "2025-01-01T00:00:00Z", "rule": position}]);
    assert_eq!(members["members"], expected);
    let what = ask(&server, &format!("what?principal={BEA}&on={SHOP}"));
    assert_eq!(what["permissions"], json!(["pay"]));
    // Where no permission protects a path, everybody of the identity provider could, by no holding.
    let anybody = ask(&server, &format!("who?can=path:/news&on={SHOP}&explain=true"));
    assert_eq!(anybody["subjects"][0]["because"], json!([]));
    assert_eq!(anybody["sets"][0]["principal"], "everyone:corp");
}

#[test]
fn where_something_else_decides_nobody_is_not_the_answer() {
    let (server, _data) = portal();
    append(
        &server,
        "2025-02-01T00:00:00Z",
        json!({"type": "set_level", "level": SHOP, "role_provider": "successfactors"}),
    );
    let question = format!("/v1/who?can=permission:pay&on={SHOP}&at={MARCH}");
    server.get(&question).is_problem(409, "decided_elsewhere", &[SHOP, "role provider"]);
    let under = ask(&server, "who?can=permission:pay&under=ledger:default");
    assert_eq!((&under["subjects"], &under["total"]), (&json!([]), &json!(0)));
    assert_eq!(under["elsewhere"], json!([{"level": SHOP}]));
    let during = server.get(&format!("/v1/timeline?principal={BEA}&can=permission:pay&on={SHOP}"));
    let during = during.ok();
    assert_eq!(during["intervals"][0]["until"], "2025-02-01T00:00:00Z");
    let elsewhere = json!([{"level": SHOP, "from": "2025-02-01T00:00:00Z", "until": null}]);
    assert_eq!(during["elsewhere"], elsewhere);
    let url = server.url();
    let mut table = command();
    table.args(["--server", &url, "who", "--can", "permission:pay", "--under", "ledger:default"]);
    let ran = run(&mut table);
    assert!(ran.stdout.starts_with("decided elsewhere, by its role provider: application:shop"));
}

#[test]
fn a_session_keeps_what_was_revoked() {
    let (server, _data) = portal();
    append(
        &server,
        "2025-02-28T20:00:00Z",
        json!({"type": "revoke", "level": NEO, "role": "neo/Administrator", "from": PAULA}),
    );
    let check = format!("check?principal={PAULA}&can=members.manage&on={NEO}");
    assert_eq!(ask(&server, &check)["allowed"], false);
    let session = ask(&server, &format!("{check}&reading=session"));
    assert_eq!(
        (&session["allowed"], &session["as_of"]["reading"]),
        (&json!(true), &json!("session"))
    );
    assert_eq!(session["last_at"], "2025-02-28T19:59:59.999999Z");
    assert_eq!(session["because"][0]["role"], "neo/Administrator");
    assert_eq!(ask(&server, &format!("{check}&reading=session&life=241m"))["allowed"], true);
    assert_eq!(ask(&server, &format!("{check}&reading=session&life=4h"))["allowed"], false);
    let who =
        ask(&server, &format!("who?can=members.manage&on={NEO}&reading=session&explain=true"));
    assert_eq!(who["subjects"][0]["because"][0]["principal"], PAULA);
    let where_could =
        format!("where?principal={PAULA}&can=members.manage&under=global-account:acme");
    assert_eq!(ask(&server, &where_could)["levels"], json!([]));
    assert_eq!(ask(&server, &format!("{where_could}&reading=session"))["levels"], json!([NEO]));
}

#[test]
fn a_latent_power_is_told_with_its_steps() {
    let (server, _data) = portal();
    let check = format!("check?principal={PAULA}&can=java-applications.deploy&on={NEO}");
    let latent = format!("{check}&reading=latent");
    append(
        &server,
        "2025-01-02T00:00:00Z",
        json!({"type": "create_role", "level": NEO, "role": "Inviter", "application": "platform",
            "template": "Inviter", "scopes": ["manageAccountMembers"]}),
    );
    append(
        &server,
        "2025-01-03T00:00:00Z",
        json!({"type": "grant", "level": NEO, "role": "Inviter", "to": BEA}),
    );
    let check_bea = check.replace(PAULA, BEA);
    assert_eq!(ask(&server, &check_bea)["allowed"], false);
    let found = ask(&server, &latent.replace(PAULA, BEA));
    assert_eq!((&found["allowed"], &found["because"]), (&json!(true), &json!([])), "{found:#}");
    let first = &found["steps"][0];
    assert_eq!((&first["operation"], &first["level"]), (&json!("members.manage"), &json!(NEO)));
    assert_eq!(first["gives"]["at"], NEO);
    // Who has it anyway needs no step.
    assert_eq!(ask(&server, &latent)["steps"], json!([]));
    let who = ask(&server, &format!("who?can=java-applications.deploy&on={NEO}&reading=latent"));
    let assigned: Vec<(&Value, &Value)> = who["subjects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|subject| (&subject["principal"], &subject["assigned"]))
        .collect();
    assert_eq!(assigned, [(&json!(BEA), &json!(false)), (&json!(PAULA), &json!(true))], "{who:#}");
}

#[test]
fn what_is_held_where_something_else_decides_satisfies_no_leaf() {
    let (server, _data) = portal();
    let catalog = json!({
        "version": "own",
        "roles": [
            {"role": "Administrator", "application": "neo", "at": ["subaccount"],
             "environments": ["multi", "neo"], "grantable": true},
            {"role": "Operator", "application": "app", "at": ["application"], "environments": ["neo"],
             "grantable": true}
        ],
        "role_collections": [{"role_collection": "None", "at": ["directory"], "roles": []}],
        "operations": [{"operation": "applications.operate", "at": ["subaccount"], "environments": ["neo"],
            "requires": {"role": "app/Operator", "below": ["application"]}}]
    });
    append(&server, "2025-02-01T00:00:00Z", json!({"type": "publish_catalog", "catalog": catalog}));
    let operator = json!({"type": "grant", "level": SHOP, "role": "app/Operator", "to": BEA});
    append(&server, "2025-02-02T00:00:00Z", operator);
    let check = format!("check?principal={BEA}&can=applications.operate&on={NEO}");
    assert_eq!(ask(&server, &check)["allowed"], true);
    let provider = json!({"type": "set_level", "level": SHOP, "role_provider": "other"});
    append(&server, "2025-02-03T00:00:00Z", provider);
    assert_eq!(ask(&server, &check)["allowed"], false);
    let held = ask(&server, &format!("assignments?on={SHOP}"));
    assert_eq!(held["assignments"][0]["role"], "app/Operator");
    // A permission without a role is given to administrators in Neo alone, whatever a catalogue says of them elsewhere.
    let empty =
        json!({"type": "set_permission", "level": SHOP, "permission": "empty", "roles": []});
    append(&server, "2025-02-02T00:00:00Z", empty);
    let platform = json!({"type": "set_level", "level": SHOP, "role_provider": "platform"});
    append(&server, "2025-02-04T00:00:00Z", platform);
    let who = format!("who?can=permission:empty&on={SHOP}");
    assert_eq!(ask(&server, &who)["subjects"][0]["principal"], PAULA);
    let multi = json!({"type": "set_level", "level": NEO, "environment": "multi"});
    append(&server, "2025-02-05T00:00:00Z", multi);
    let held = ask(&server, &format!("assignments?on={NEO}&role=neo/Administrator"));
    assert_eq!(held["assignments"][0]["principal"], PAULA);
    assert_eq!(ask(&server, &who)["subjects"], json!([]));
}
