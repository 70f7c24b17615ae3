//! What other systems say comes in through the command line, and what does not come in is said
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use common::{Ran, tenure_on};
use serde_json::{Value, json};

const DEV: &str = "00000000-0000-4000-8000-00000000000a";

/// A data folder with a global account and a subaccount
fn landscape(folder: &Path) {
    let hierarchy = json!({
        "guid": "ga", "displayName": "Acme", "subdomain": "acme",
        "createdDate": "Jan 2, 2025, 3:04:05 AM",
        "subaccounts": [{"guid": DEV, "displayName": "dev", "globalAccountGUID": "ga",
            "parentGUID": "ga", "parentType": "ROOT", "region": "eu10", "subdomain": "dev",
            "state": "OK", "createdDate": "Jan 2, 2025, 4:04:05 AM"}],
        "children": [],
    });
    fs::write(folder.join("hierarchy.json"), hierarchy.to_string()).unwrap();
    let command = "get accounts/global-account --show-hierarchy";
    let at = "2026-01-01T00:00:00Z";
    let ran = import(
        folder,
        "btp-cli",
        "hierarchy.json",
        &["--command", command, "--on", "global-account:acme", "--at", at],
    );
    ran.exits(0);
}

fn run(folder: &Path, args: &[&str]) -> Ran {
    tenure_on(&folder.join("data"), args)
}

fn import(folder: &Path, source: &str, file: &str, more: &[&str]) -> Ran {
    let file = folder.join(file);
    let mut args = vec!["import", source, file.to_str().unwrap()];
    args.extend(more);
    run(folder, &args)
}

fn holders(folder: &Path, at: &str) -> Vec<String> {
    let on = format!("subaccount:{DEV}");
    let ran = run(folder, &["--format", "json", "assignments", "--on", &on, "--at", at]);
    ran.exits(0);
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap();
    let rows = answer["assignments"].as_array().unwrap().iter();
    rows.map(|row| {
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        format!("{}: {}", text("principal"), text("role_collection"))
    })
    .collect()
}

#[test]
fn an_audit_log_and_a_map_that_comes_later() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    landscape(folder);
    let message = json!({
        "uuid": "m1", "user": "user/sap.default/root@corp.example", "time": "2026-01-02T03:04:05.678Z",
        "object": {"type": "xs_rolecollection2user", "id": {"tableName": "xs_rolecollection2user",
            "crudType": "CREATE", "rolecollection_name": "Subaccount Administrator", "user_id": "b1"}},
        "attributes": [],
    });
    let record = json!([{"message_uuid": "m1", "time": "2026-01-02T03:04:05.678Z", "tenant": DEV,
        "user": "user/sap.default/root@corp.example", "category": "audit.configuration",
        "format_version": "", "message": message.to_string()}]);
    fs::write(folder.join("log.json"), record.to_string()).unwrap();
    let ran = import(folder, "audit-log", "log.json", &[]);
    ran.exits(0);
    assert!(ran.stdout.contains("known by an id alone"), "{}", ran.stdout);
    let nameless = "user:sap.default/id-b1: Subaccount Administrator";
    assert_eq!(holders(folder, "2026-01-03T00:00:00Z"), [nameless]);
    fs::write(
        folder.join("names.csv"),
        "kind,id,name,origin\nuser,b1,ada@corp.example,sap.default\n",
    )
    .unwrap();
    import(folder, "map", "names.csv", &["--at", "2026-02-01T00:00:00Z"]).exits(0);
    assert_eq!(holders(folder, "2026-01-31T23:59:59Z"), [nameless]);
    let ada = "user:sap.default/ada@corp.example: Subaccount Administrator";
    assert_eq!(holders(folder, "2026-02-01T00:00:00Z"), [ada]);
    // Importing all of it again changes nothing.
    let applied = || {
        let rows = run(folder, &["export"]).stdout;
        let rows = rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.filter(|row| row["outcome"] == "applied").count()
    };
    let before = applied();
    import(folder, "map", "names.csv", &["--at", "2026-02-01T00:00:00Z"]).exits(0);
    import(folder, "audit-log", "log.json", &[]).exits(0);
    assert_eq!(applied(), before);
}

#[test]
fn a_file_of_another_kind_and_access_that_is_left_out_are_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    landscape(folder);
    fs::write(folder.join("in.csv"), "subaccount,user\ndev,ada@corp.example\n").unwrap();
    let ran = import(folder, "btp-cli", "in.csv", &[]);
    ran.exits(2);
    assert!(ran.stderr.contains("looks like a table"), "{}", ran.stderr);
    let table = format!(
        "time,action,level,role_collection,principal\n\
         2026-02-01,grant,subaccount:{DEV},Subaccount Viewer,ada@corp.example\n\
         2026-02-01,grant,subaccount:gone,Subaccount Viewer,ada@corp.example\n"
    );
    fs::write(folder.join("table.csv"), table).unwrap();
    let ran = import(folder, "csv", "table.csv", &[]);
    ran.exits(1);
    assert!(ran.stdout.contains("line 3: unknown_level"), "{}", ran.stdout);
    import(folder, "csv", "table.csv", &["--tolerate"]).exits(0);
    assert_eq!(holders(folder, "2026-03-01T00:00:00Z").len(), 1);
}

#[test]
fn what_is_meant_to_be_is_compared() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    landscape(folder);
    let state = json!({
        "version": 4, "terraform_version": "1.12.2", "serial": 7, "lineage": "x", "outputs": {},
        "resources": [{"mode": "managed", "type": "btp_subaccount_role_collection_assignment",
            "name": "admins", "provider": "provider[\"registry.terraform.io/sap/btp\"]",
            "instances": [{"schema_version": 0, "attributes": {"subaccount_id": DEV,
                "role_collection_name": "Subaccount Administrator", "user_name": "ada@corp.example",
                "origin": "sap.default"}}]}],
    });
    let path = folder.join("terraform.tfstate");
    fs::write(&path, state.to_string()).unwrap();
    let at = "2026-02-01T00:00:00Z";
    let drift = ["drift", "terraform", path.to_str().unwrap(), "--at", at];
    run(folder, &drift).exits(1);
    assert!(holders(folder, at).is_empty());
    import(folder, "terraform", "terraform.tfstate", &["--at", at, "--reconcile"]).exits(0);
    assert_eq!(holders(folder, at).len(), 1);
    run(folder, &drift).exits(0);
}

/// Answers requests as an XSUAA with one role collection, whose holder is the second word of a file
fn xsuaa(holder: &Path) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let holder = holder.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), &fs::read_to_string(&holder).unwrap());
        }
    });
    port
}

fn answer(mut stream: TcpStream, holder: &str) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    reader.take(length).read_to_end(&mut Vec::new()).unwrap();
    let path = first.split_whitespace().nth(1).unwrap_or_default();
    let body = if path.contains("/oauth/token") {
        json!({"access_token": "t", "token_type": "bearer", "expires_in": 3600})
    } else if path.contains("/rolecollections") {
        json!([{"name": "Subaccount Viewer", "isReadOnly": true, "roleReferences": [], "userReferences":
            [{"id": "u1", "username": holder, "origin": "corp", "zoneId": DEV}],
            "samlAttributeAssignment": []}])
    } else if path.contains("/Users") {
        json!({"resources": [{"id": "u1", "userName": holder, "origin": "corp", "zoneId": DEV,
            "groups": [{"value": "Subaccount Viewer", "display": "Subaccount Viewer", "type": "DIRECT"}]}],
            "startIndex": 1, "itemsPerPage": 1, "totalResults": 1})
    } else {
        json!([])
    };
    let body = body.to_string();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
}

#[test]
fn a_live_source_is_asked_and_what_changed_unseen_is_drift() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    landscape(folder);
    let holder = folder.join("holder");
    fs::write(&holder, "ada@corp.example").unwrap();
    let port = xsuaa(&holder);
    let secret = folder.join("secret");
    fs::write(&secret, "s3cret").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let config = format!(
        "[[collect]]\nname = \"dev\"\nkind = \"xsuaa\"\nurl = \"http://127.0.0.1:{port}\"\n\
         token-url = \"http://127.0.0.1:{port}\"\nclient-id = \"sb\"\nclient-secret-file = \"{}\"\n\
         on = \"subaccount:{DEV}\"\n",
        secret.display()
    );
    let path = folder.join("collect.toml");
    fs::write(&path, config).unwrap();
    let collect = |more: &[&str]| {
        let mut args = vec!["collect", "--config", path.to_str().unwrap()];
        args.extend(more);
        run(folder, &args)
    };
    let now = "2999-01-01T00:00:00Z";
    collect(&["--dry-run"]).exits(0);
    assert!(holders(folder, now).is_empty());
    // The first listing is the baseline.
    let ran = collect(&[]);
    ran.exits(0);
    assert_eq!(
        holders(folder, now),
        ["user:corp/ada@corp.example: Subaccount Viewer"],
        "{}",
        ran.stdout
    );
    let sources = run(folder, &["--format", "json", "sources"]).stdout;
    assert!(sources.contains("\"xsuaa\"") && sources.contains("\"listed\""), "{sources}");
    collect(&["--drift-only"]).exits(0);
    // Another one holds it now, and nobody said so.
    fs::write(&holder, "bob@corp.example").unwrap();
    collect(&["--drift-only"]).exits(1);
    let ran = collect(&["--reconcile"]);
    ran.exits(0);
    assert_eq!(
        holders(folder, now),
        ["user:corp/bob@corp.example: Subaccount Viewer"],
        "{}",
        ran.stdout
    );
    // A source that is not there is said by its name, and a misspelt one too.
    let ran = collect(&["nobody"]);
    ran.exits(2);
    assert!(ran.stderr.contains("no source with the name `nobody`"), "{}", ran.stderr);
}
