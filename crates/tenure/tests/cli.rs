//! The command line: its output, in every format, and its exit status
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use common::{
    Ran, Server, Start, command, entry, entry_at, grant, landscape, run, tenure, tenure_on,
};
use serde_json::{Value, json};

const CHECK: [&str; 6] =
    ["check", "alice@acme.example", "--can", "destinations.manage", "--on", "subaccount:dev"];

fn server(data: &Path) -> Server {
    let server = Start::on(data).ready();
    server.append(&landscape());
    server
}

/// Runs a test at both doors: with a server, and then with its data folder after the server has stopped
fn at_both_doors(test: impl Fn(&dyn Fn(&[&str]) -> Ran)) {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path());
    let url = server.url();
    let remote = |arguments: &[&str]| run(command().args(["--server", &url]).args(arguments));
    test(&remote);
    drop(server);
    let data = tempfile::tempdir().unwrap();
    self::server(data.path()).stop();
    test(&|arguments| tenure_on(data.path(), arguments));
}

#[test]
fn exit_status_is_0_for_yes_1_for_no_2_for_wrong_usage() {
    at_both_doors(|tenure| {
        let ran = tenure(&CHECK);
        ran.exits(0);
        assert!(ran.stdout.starts_with("yes"), "{ran:#?}");
        let ran = tenure(&[
            "check",
            "mallory@acme.example",
            "--can",
            "destinations.manage",
            "--on",
            "subaccount:dev",
        ]);
        ran.exits(1);
        assert!(ran.stdout.starts_with("no\nmissing: "), "{ran:#?}");
        assert_eq!(ran.stderr, "");
        // A refused entry is a lawful "no" too.
        let ran = tenure(&[
            "revoke",
            "Subaccount Viewer",
            "--from",
            "zoe@acme.example",
            "--on",
            "subaccount:dev",
        ]);
        ran.exits(1);
        assert!(ran.stdout.contains("not_held"), "{ran:#?}");
        for (arguments, named) in [
            (
                &["who", "--can", "destinations.mange", "--on", "subaccount:dev"][..],
                "unknown_operation",
            ),
            (
                &["who", "--can", "destinations.manage", "--on", "subaccount:nowhere"],
                "unknown_level",
            ),
            (&["who", "--can", "destinations.manage", "--on", "subacount:dev"], "subacount:dev"),
            (
                &[
                    "who",
                    "--can",
                    "destinations.manage",
                    "--on",
                    "subaccount:dev",
                    "--at",
                    "yesterday",
                ],
                "yesterday",
            ),
            (
                &[
                    "who",
                    "--can",
                    "destinations.manage",
                    "--on",
                    "subaccount:dev",
                    "--at",
                    "10000-01-01T00:00:00Z",
                ],
                "10000",
            ),
            (&["who", "--on", "subaccount:dev"], "--can"),
            (&["who", "--can", "x", "--on", "a:b", "--under", "a:b"], "--under"),
            (
                &["check", "robot:x/y", "--can", "destinations.manage", "--on", "subaccount:dev"],
                "robot:x/y",
            ),
            (&["entry", "4711"], "unknown_entry"),
            (&["entry", "first"], "digits alone"),
            (&["history"], "PRINCIPAL"),
            (&["wo"], "wo"),
            (&["--format", "xml", "levels"], "xml"),
        ] {
            let ran = tenure(arguments);
            ran.exits(2).complains(&[named]);
            assert_eq!(ran.stdout, "", "{arguments:?}");
        }
    });
    tenure(&[] as &[&str]).exits(2);
    tenure(&["--help"]).exits(0);
    tenure(&["--version"]).exits(0);
}

#[test]
fn an_entry_that_cannot_be_read_is_wrong_usage_at_both_doors() {
    at_both_doors(|tenure| {
        let before = tenure(&["export"]).stdout;
        for (arguments, named) in [
            (
                &["grant", "Subaccount Viewer", "--to", "robot:x/y", "--on", "subaccount:dev"][..],
                "robot:x/y",
            ),
            (
                &["grant", "Subaccount Viewer", "--to", "a@b.example", "--on", "subacount:dev"],
                "subacount:dev",
            ),
            (
                &[
                    "grant",
                    "Subaccount Viewer",
                    "--to",
                    "a@b.example",
                    "--on",
                    "subaccount:dev",
                    "--id",
                    "4711",
                ],
                "4711",
            ),
            (
                &[
                    "grant",
                    "Subaccount Viewer",
                    "--to",
                    "a@b.example",
                    "--on",
                    "subaccount:dev",
                    "--until",
                    "soon",
                ],
                "soon",
            ),
        ] {
            let ran = tenure(arguments);
            ran.complains(&[named]).exits(2);
        }
        assert_eq!(tenure(&["export"]).stdout, before);
    });
}

#[test]
fn exit_status_is_3_when_it_failed() {
    // A port without a server refuses at once, while an address of TEST-NET-1 would make it wait.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}");
    let mut arguments = vec!["--server", &url];
    arguments.extend(CHECK);
    tenure(&arguments).exits(3).complains(&[&url, "tenure serve", "--server", "--data"]);
    // The environment can name the server too; a flag takes precedence.
    let ran = run(command().env("TENURE_SERVER", &url).args(CHECK));
    ran.exits(3).complains(&[&url]);
    tenure(&["submit", "/no/such/file"]).exits(3).complains(&["/no/such/file"]);
    let home = tempfile::tempdir().unwrap();
    tenure_on(home.path(), &["verify"]).exits(3).complains(&["no data folder"]);
    tenure(&["verify"]).exits(3).complains(&["--data DIR"]);
    let data = home.path().join("data");
    let server = server(&data);
    let right = server.url();
    let ran = run(command().env("TENURE_SERVER", &url).args(["--server", &right]).args(CHECK));
    ran.exits(0);
    // Another kind of server answers there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let other = format!("http://{}", listener.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        std::io::Read::read(&mut stream, &mut [0; 4_096]).unwrap();
        let page = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops";
        stream.write_all(page.as_bytes()).unwrap();
    });
    tenure(&["--server", &other, "levels"]).exits(3).complains(&["502", "is it a ledger?"]);
    answering.join().unwrap();
    // The server holds the folder.
    tenure_on(&data, &CHECK).exits(3).complains(&["held by another process"]);
    server.stop();
    tenure_on(&data, &CHECK).exits(0);
}

#[test]
fn both_doors_answer_the_same_in_each_format() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path());
    let url = server.url();
    // `known_at` and `at` pin the answers, so that both doors can be compared.
    let pins = ["--at", "2026-01-01", "--known-at", "#15"];
    let on = ["--on", "subaccount:dev"];
    let can = ["--can", "destinations.manage"];
    let questions: Vec<Vec<&str>> = vec![
        [&["who", "--explain"][..], &can, &on, &pins].concat(),
        [&["who", "--under", "global-account:acme"][..], &can, &pins].concat(),
        [&["who", "--from", "2024-01-01"][..], &can, &on].concat(),
        [&["what", "alice@acme.example"][..], &on, &pins].concat(),
        [&["check", "alice@acme.example"][..], &can, &on, &pins].concat(),
        [&["timeline", "alice@acme.example"][..], &can, &on].concat(),
        [&["where", "alice@acme.example", "--under", "global-account:acme"][..], &can, &pins]
            .concat(),
        vec!["diff", "--from", "2023-01-01", "--until", "2026-01-01"],
        vec![
            "diff",
            "--from",
            "2023-01-01",
            "--until",
            "2026-01-01",
            "--principal",
            "bob@acme.example",
        ],
        [&["diff", "--from", "2023-01-01", "--until", "2026-01-01"][..], &can, &on].concat(),
        [&["assignments"][..], &on, &pins].concat(),
        vec!["history", "alice@acme.example"],
        vec!["log", "--after", "#12"],
        vec!["entry", "#14"],
        [&["search", "SUB", "viewer"][..], &pins].concat(),
        [&["search", "ali", "--limit", "1"][..], &pins].concat(),
        [&["levels"][..], &pins].concat(),
        [&["levels", "--under", "global-account:acme", "--kind", "subaccount"][..], &pins].concat(),
        [&["role-collections"][..], &on, &pins].concat(),
        [&["catalog"][..], &pins].concat(),
    ];
    let formats = ["table", "json", "csv"];
    let cases = || questions.iter().flat_map(|q| formats.map(|format| (q, format)));
    let over_http: Vec<String> = cases()
        .map(|(question, format)| {
            let ran = run(command().args(["--server", &url, "--format", format]).args(question));
            ran.exits(0);
            assert!(!ran.stdout.is_empty() && ran.stderr.is_empty(), "{ran:#?}");
            assert!(!ran.stdout.contains('\u{1b}'), "colour in a pipe: {ran:#?}");
            match format {
                "json" => drop(ran.json()),
                "csv" => assert_csv(&ran.stdout),
                _ => {}
            }
            ran.stdout
        })
        .collect();
    server.stop();
    for ((question, format), over_http) in cases().zip(over_http) {
        let mut arguments = vec!["--format", format];
        arguments.extend(question);
        let ran = tenure_on(data.path(), &arguments);
        ran.exits(0);
        assert_eq!(ran.stdout, over_http, "{question:?} as {format}");
    }
}

/// Asserts that each record has as many fields as the head
#[track_caller]
fn assert_csv(text: &str) {
    let mut fields = vec![1];
    let mut quoted = false;
    for c in text.trim_end().chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => *fields.last_mut().unwrap() += 1,
            '\n' if !quoted => fields.push(1),
            _ => {}
        }
    }
    assert!(!quoted && fields.len() > 1, "{text}");
    assert!(fields.iter().all(|n| *n == fields[0]), "{fields:?}: {text}");
}

/// Nobody is granted or loses anything, and yet a power is lost: the subaccount is moved.
#[test]
fn a_move_is_told_and_who_lost_a_power_by_it() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path());
    let dora = "user:sap.default/dora@acme.example";
    server.append(&[
        entry_at(
            "2025-01-01T00:00:00Z",
            &[
                json!({ "type": "create_level", "level": "directory:apj", "parent": "global-account:acme" }),
                json!({ "type": "grant", "level": "directory:eu",
                    "role_collection": "Directory Administrator", "to": dora }),
            ],
        ),
        entry_at(
            "2026-02-20T00:00:00Z",
            &[json!({ "type": "move_level", "level": "subaccount:dev", "parent": "directory:apj" })],
        ),
    ]);
    let url = server.url();
    let diff = |more: &[&str]| {
        let times = ["diff", "--from", "2026-02-19", "--until", "2026-02-21"];
        run(command().args(["--server", &url]).args(times).args(more))
    };
    let ran = diff(&[]);
    ran.exits(0);
    let table = " CHANGE  LEVEL           BEFORE             AFTER\n \
                  moved   subaccount:dev  in directory:west  in directory:apj\n";
    assert!(ran.stdout.starts_with(table), "{}", ran.stdout);
    for place in [["--on", "subaccount:dev"], ["--under", "global-account:acme"]] {
        let ran = diff(&[&["--can", "subaccounts.update"][..], &place].concat());
        ran.exits(0);
        let table = " CHANGE  PRINCIPAL                           LEVEL\n \
                      lost    user:sap.default/dora@acme.example  subaccount:dev\n";
        assert!(ran.stdout.starts_with(table), "{}", ran.stdout);
    }
    let ran = diff(&["--principal", dora]);
    // Dora holds what she held, and has lost a power: to say "nothing" alone would mislead.
    let said = "nothing in what this principal holds; a move or a new definition may have changed what it can do: \
                ask without --principal, or with --can\n";
    assert!(ran.stdout.starts_with(said), "{}", ran.stdout);
    for wrong in [
        &["--on", "subaccount:dev"][..],
        &["--can", "subaccounts.update"],
        &["--can", "subaccounts.update", "--on", "subaccount:dev", "--principal", dora],
    ] {
        diff(wrong).exits(2);
    }
    server.stop();
}

#[test]
fn a_difference_comes_whole_however_many_pages_it_has() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path());
    let grants = |n: usize| {
        let users = (0..250).map(|user| grant(&format!("u{}@acme.example", 250 * n + user)));
        entry(&users.collect::<Vec<_>>())
    };
    let level =
        json!({ "type": "create_level", "level": "subaccount:new", "parent": "directory:eu" });
    let entries = (0..5).map(grants).chain([entry(&[level])]);
    server.append(&entries.collect::<Vec<_>>());
    let url = server.url();
    let diff = ["diff", "--from", "2025-01-01", "--known-from", "#15", "--format", "json"];
    let answer = run(command().args(["--server", &url]).args(diff)).json();
    assert_eq!(answer["gained"].as_array().unwrap().len(), 1_250);
    assert_eq!(answer["levels"]["created"], json!(["subaccount:new"]));
    assert!(answer["catalogs"]["from"].is_string());
    assert_eq!(answer.get("next_page_token"), None);
    server.stop();
}

#[test]
fn positions_may_be_written_as_people_say_them() {
    at_both_doors(|tenure| {
        let json = |arguments: &[&str]| {
            let ran = tenure(&[&["--format", "json"], arguments].concat());
            ran.exits(0);
            ran.json()
        };
        assert_eq!(json(&["entry", "#13"]), json(&["entry", "13"]));
        let id = json(&["entry", "13"])["id"].as_str().unwrap().to_owned();
        assert_eq!(json(&["entry", &id])["position"], 13);
        let known = json(&["levels", "--known-at", "#13"]);
        assert_eq!(known["as_of"]["known_at"], 13);
        assert_eq!(known["levels"].as_array().unwrap().len(), 5);
        // The ledger's own level is there without an entry.
        let before = json(&["levels", "--known-at", "#12"]);
        assert_eq!(before["levels"], json!([{ "level": "ledger:default", "parent": null }]));
        // A question about a later position is refused.
        let ran = tenure(&["levels", "--known-at", "#4711"]);
        ran.exits(3).complains(&["4711", "not_yet"]);
        let log = json(&["log", "--after", "#12", "--limit", "2"]);
        assert_eq!(log["entries"].as_array().unwrap().len(), 2);
        assert_eq!(log["entries"][0]["position"], 13);
    });
}

#[test]
fn granting_and_revoking_say_what_became_of_it() {
    at_both_doors(|tenure| {
        let json = |arguments: &[&str], code: i32| {
            let ran = tenure(&[&["--format", "json"], arguments].concat());
            ran.exits(code);
            ran.json()["results"][0].clone()
        };
        let id = "01930f0e-7c1e-7d2a-9b1a-0d9f6f1c2b3a";
        let grant = ["grant", "Destination Viewer", "--role", "--to", "carol@acme.example"];
        // This role cannot be given by itself.
        let refused = json(&[&grant[..], &["--on", "subaccount:dev"]].concat(), 1);
        assert_eq!(refused["refusal"]["code"], "not_allowed_here");
        let grant = [
            "grant",
            "Destination Administrator",
            "--to",
            "carol@acme.example",
            "--on",
            "subaccount:dev",
            "--until",
            "2098-12-31",
            "--reason",
            "INC-4711",
            "--actor",
            "boss@acme.example",
            "--effective-at",
            "2025-01-01",
            "--id",
            id,
        ];
        let applied = json(&grant, 0);
        assert_eq!((&applied["outcome"], &applied["id"]), (&json!("applied"), &json!(id)));
        let again = json(&grant, 0);
        assert_eq!(again["outcome"], "duplicate");
        assert_eq!(again["original"]["position"], applied["position"]);
        let row = tenure(&["--format", "json", "entry", id]).json();
        assert_eq!(row["entry"]["reason"], "INC-4711");
        assert_eq!(row["entry"]["actor"], "user:sap.default/boss@acme.example");
        assert_eq!(row["entry"]["effective_at"], "2025-01-01T00:00:00Z");
        assert_eq!(row["entry"]["changes"][0]["until"], "2098-12-31T00:00:00Z");
        let held = [
            "grant",
            "Destination Administrator",
            "--to",
            "carol@acme.example",
            "--on",
            "subaccount:dev",
            "--if-not-held",
        ];
        assert_eq!(json(&held, 1)["refusal"]["code"], "already_held");
        let revoke = [
            "revoke",
            "Destination Administrator",
            "--from",
            "carol@acme.example",
            "--on",
            "subaccount:dev",
        ];
        assert_eq!(json(&revoke, 0)["outcome"], "applied");
        assert_eq!(json(&revoke, 1)["refusal"]["code"], "not_held");
        assert_eq!(json(&[&revoke[..], &["--if-held"]].concat(), 0)["outcome"], "applied");
        // With both coordinates: the user could then, and cannot now.
        let check = [
            "check",
            "carol@acme.example",
            "--can",
            "destinations.manage",
            "--on",
            "subaccount:dev",
        ];
        tenure(&check).exits(1);
        tenure(&[&check[..], &["--at", "2025-06-01"]].concat()).exits(0);
        let before = (applied["position"].as_u64().unwrap() - 1).to_string();
        tenure(&[&check[..], &["--at", "2025-06-01", "--known-at", &before]].concat()).exits(1);
        // The output for a person has words.
        let ran = tenure(&[&held[..], &[]].concat());
        ran.exits(0);
        assert!(ran.stdout.contains("applied"), "{ran:#?}");
    });
}

#[test]
fn a_dry_run_says_what_would_become_of_it_and_appends_nothing() {
    at_both_doors(|tenure| {
        let before = tenure(&["export"]).stdout;
        let grant =
            ["grant", "Subaccount Viewer", "--to", "zoe@acme.example", "--on", "subaccount:dev"];
        let json = |arguments: &[&str]| tenure(&[&["--format", "json"], arguments].concat());
        let dry = json(&[&grant[..], &["--dry-run"]].concat());
        let result = dry.exits(0).json()["results"][0].clone();
        assert_eq!((&result["outcome"], &result["position"]), (&json!("applied"), &json!(null)));
        let ran = tenure(&[&grant[..], &["--dry-run"]].concat());
        assert!(ran.exits(0).stdout.contains("nothing was appended"), "{ran:#?}");
        let revoke =
            ["revoke", "Subaccount Viewer", "--from", "zoe@acme.example", "--on", "subaccount:dev"];
        json(&[&revoke[..], &["--dry-run"]].concat()).exits(1);
        assert_eq!(tenure(&["export"]).stdout, before);
        // What was really appended has notes where it changes nothing.
        tenure(&grant).exits(0);
        let again = tenure(&grant);
        assert!(again.exits(0).stdout.contains("repeated, change 0"), "{again:#?}");
        let scheduled = [&grant[..], &["--effective-at", "2090-01-01"]].concat();
        tenure(&scheduled).exits(0);
        let note = json(&revoke).exits(0).json()["results"][0]["notes"][0].clone();
        assert_eq!(note["code"], "scheduled");
        assert!(note["message"].as_str().unwrap().contains("2090-01-01T00:00:00Z"), "{note}");
        let refusal = json(&revoke).exits(1).json()["results"][0]["refusal"].clone();
        assert_eq!(refusal["code"], "not_held");
        assert!(refusal["message"].as_str().unwrap().contains("it is granted later"), "{refusal}");
    });
}

#[test]
fn submitting_takes_an_entry_a_list_or_lines() {
    at_both_doors(|tenure| {
        let folder = tempfile::tempdir().unwrap();
        let submit = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            tenure(&["--format", "json", "submit", path.to_str().unwrap()])
        };
        let draft = |user: &str| json!({ "actor": common::ADMIN, "changes": [grant(user)] });
        let applied = |ran: &Ran, count: usize| {
            ran.exits(0);
            let results = ran.json()["results"].as_array().unwrap().clone();
            assert_eq!(results.len(), count);
            assert!(results.iter().all(|result| result["outcome"] == "applied"), "{ran:#?}");
        };
        applied(&submit("one.json", &draft("a@b.example").to_string()), 1);
        let pretty = serde_json::to_string_pretty(
            &json!({ "entries": [draft("c@d.example"), draft("e@f.example")] }),
        );
        applied(&submit("two.json", &pretty.unwrap()), 2);
        // More entries than a server takes at once.
        let lines: Vec<String> =
            (0..1_500).map(|n| draft(&format!("u{n}@x.example")).to_string()).collect();
        let ran = submit("lines.jsonl", &format!("{}\n\n", lines.join("\n")));
        applied(&ran, 1_500);
        let position = |n: usize| ran.json()["results"][n]["position"].as_u64().unwrap();
        assert_eq!(position(1_499), position(0) + 1_499);
        // If one entry is refused, the others are applied, and the exit status says "no".
        let mut gone = draft("g@h.example");
        gone["changes"][0]["level"] = "subaccount:nowhere".into();
        let ran = submit("mixed.jsonl", &format!("{}\n{gone}", draft("i@j.example")));
        ran.exits(1);
        let outcomes = [&ran.json()["results"][0]["outcome"], &ran.json()["results"][1]["outcome"]]
            .map(Value::clone);
        assert_eq!(outcomes, ["applied", "refused"]);
        // A line that cannot be read appends nothing, and the complaint names the line.
        let count = || tenure(&["export"]).stdout.lines().count();
        let before = count();
        for (text, named) in [
            ("", "holds no entries"),
            ("\n\n", "holds no entries"),
            ("{\"entries\": []}", "entries"),
            ("[]", "entries"),
            ("{\"entries\": [], \"id\": 1}", "entries"),
            (&format!("{}\n{{\"actor\":", draft("k@l.example")) as &str, "line 2"),
        ] {
            let ran = submit("wrong.json", text);
            assert_ne!(ran.code(), 0, "{text}: {ran:#?}");
            ran.complains(&[named]);
        }
        let mut misspelt = draft("m@n.example");
        misspelt["changes"][0]["untill"] = "2030-01-01T00:00:00Z".into();
        let ran = submit("misspelt.jsonl", &format!("{}\n{misspelt}", draft("o@p.example")));
        assert_ne!(ran.code(), 0, "{ran:#?}");
        ran.complains(&["untill", "entries[1]"]);
        assert_eq!(count(), before);
    });
}

#[test]
fn entries_come_by_standard_input_and_a_pipe_may_close() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path());
    let mut child = command()
        .args(["--server", &server.url(), "--format", "csv", "submit", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let sent = entry(&[grant("pipe@acme.example")]);
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(&serde_json::to_vec(&sent).unwrap()).unwrap();
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_csv(&text);
    assert!(text.contains("applied") && text.contains(sent["id"].as_str().unwrap()), "{text}");
    // A reader that closes the pipe early causes no error.
    let many: Vec<Value> = (0..900).map(|_| entry(&[grant("many@acme.example")])).collect();
    server.append(&many);
    for arguments in ["log", "--format json log", "export"] {
        let script =
            format!("\"$0\" --server {} {arguments} | head -c 10 >/dev/null", server.url());
        let ran = run(common::clean(std::process::Command::new("sh")).args([
            "-c",
            &script,
            env!("CARGO_BIN_EXE_tenure"),
        ]));
        ran.exits(0);
        assert_eq!(ran.stderr, "", "{arguments}");
    }
    server.stop();
}

#[test]
fn the_log_is_exported_verified_and_rebuilt() {
    let data = tempfile::tempdir().unwrap();
    let server = server(data.path());
    let refused = server
        .post("/v1/entries", &entry(&[json!({ "type": "delete_level", "level": "directory:no" })]));
    assert_eq!(refused.ok()["results"][0]["outcome"], "refused");
    let log = server.log();
    let over_http = tenure(&["--server", &server.url(), "export"]);
    over_http.exits(0);
    let file = data.path().with_extension("jsonl");
    tenure(&["--server", &server.url(), "export", "--output", file.to_str().unwrap()]).exits(0);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), over_http.stdout);
    std::fs::remove_file(&file).unwrap();
    tenure(&["--server", &server.url(), "export", "-o", "/no/such/folder/x"])
        .exits(3)
        .complains(&["/no/such/folder/x"]);
    let rows: Vec<Value> =
        over_http.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows, log);
    server.stop();
    let ran = tenure_on(data.path(), &["export"]);
    assert_eq!(ran.exits(0).stdout, over_http.stdout);
    let count = log.len().to_string();
    let ran = tenure_on(data.path(), &["verify"]);
    assert!(ran.exits(0).stdout.contains(&format!("sound: {count} entries")), "{ran:#?}");
    let ran = tenure_on(data.path(), &["rebuild"]);
    assert!(ran.exits(0).stdout.contains(&format!("rebuilt from {count} entries")), "{ran:#?}");
}

#[test]
fn a_folder_can_be_begun_without_a_server() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let file = home.path().join("entries.json");
    std::fs::write(&file, serde_json::to_vec(&json!({ "entries": landscape() })).unwrap()).unwrap();
    tenure_on(&data, &["submit", file.to_str().unwrap()]).exits(0);
    tenure_on(&data, &CHECK).exits(0);
    let server = Start::on(&data).ready();
    assert_eq!(server.log().len(), 15);
    server.stop();
}

#[test]
fn completions_are_there_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = tenure(&["completions", shell]);
        assert!(ran.exits(0).stdout.contains("tenure"), "{ran:#?}");
    }
    tenure(&["completions", "csh"]).exits(2);
}
