//! Lines, files, ids and batches

use std::io::Write;

use serde_json::json;
use tenure_import::{ImportError, Input, Options, Source, Summary, import};

use crate::memory::Memory;
use crate::scenario::{Scenario, btp_cli, hierarchy, line, subaccount};

fn take(bytes: &[u8], options: &Options) -> Result<(Summary, Memory), ImportError> {
    let mut memory = Memory::with_catalogs().unwrap();
    let summary = btp_cli(bytes, options, &mut memory)?;
    Ok((summary, memory))
}

#[test]
fn a_bad_line_is_named_and_does_not_stop_the_rest_unless_strict() {
    let good = Scenario::landscape().lines.remove(0);
    let wrong_shape =
        line("10:00:00", "security/user list", json!({"subaccount": "s"}), (200, "200"), json!({}));
    let two_scopes = line(
        "10:00:00",
        "security/role-collection list",
        json!({"subaccount": "s", "directory": "d"}),
        (200, "200"),
        json!([]),
    );
    let text = format!(
        "{{\n\n[]\n{{\"t\":\"soon\",\"cmd\":\"a\",\"verb\":\"b\"}}\n{wrong_shape}\n{two_scopes}\n{good}\n"
    );
    let (summary, memory) = take(text.as_bytes(), &Options::default()).unwrap();
    let bad: Vec<u64> = summary.bad.listed.iter().map(|bad| bad.place.number).collect();
    assert_eq!(bad, [1, 3, 4, 5, 6]);
    assert_eq!((summary.records.read, summary.bad.total), (6, 5));
    assert_eq!(memory.log().count(), 4);
    let strict = Options { strict: true, ..Options::default() };
    let error = take(text.as_bytes(), &strict).unwrap_err();
    assert!(matches!(&error, ImportError::Bad(bad) if bad.place.number == 1), "{error}");
    assert!(error.to_string().starts_with("line 1 cannot be used: it is not JSON"), "{error}");
}

#[test]
fn gzip_is_read_and_progress_ends_with_the_file() {
    let scenario = Scenario::landscape();
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zip.write_all(scenario.lines.join("\n").as_bytes()).unwrap();
    let bytes = zip.finish().unwrap();
    let mut memory = Memory::with_catalogs().unwrap();
    let mut told = Vec::new();
    let read = &mut bytes.as_slice();
    let input = Input { name: "recording".to_owned(), read };
    let options = Options::default();
    import(Source::BtpCli, vec![input], &options, &mut memory, &mut |bytes| told.push(bytes))
        .unwrap();
    assert_eq!(told.last(), Some(&(bytes.len() as u64)));
    assert!(told.is_sorted());
}

#[test]
fn failed_exchanges_and_redirects_are_counted_and_change_nothing() {
    let mut scenario = Scenario::landscape();
    let params = json!({"subaccount": "sub-1"});
    let list = "security/role-collection list";
    scenario.lines.push(line("10:00:00", list, params.clone(), (307, ""), json!("")));
    scenario.lines.push(line("10:00:01", list, params.clone(), (403, ""), json!("")));
    scenario.lines.push(line(
        "10:00:02",
        list,
        params.clone(),
        (200, "400"),
        json!({"error": "x"}),
    ));
    scenario.done("10:00:03", "security/settings list", params, json!({}));
    let summary = scenario.run();
    assert_eq!(summary.entries.applied, 4);
    assert_eq!(summary.passed_over["a redirect to another server"], 1);
    assert_eq!(summary.passed_over["failed (HTTP status 403)"], 1);
    assert_eq!(summary.passed_over["failed (backend status 400)"], 1);
    assert_eq!(summary.passed_over["not about levels, role collections or who holds them"], 1);
    assert_eq!(summary.kinds["security/role-collection list"], 3);
}

#[test]
fn lines_in_any_order_give_the_same_entries() {
    let mut scenario = Scenario::landscape();
    let params = json!({"subaccount": "sub-1", "roleCollectionName": "Subaccount Viewer",
                        "userName": "ada@acme.test", "origin": "corp"});
    scenario.done("10:00:00", "security/role-collection assign", params.clone(), json!(""));
    scenario.done("11:00:00", "security/role-collection unassign", params, json!(""));
    let ids = |lines: &[String]| -> Vec<String> {
        let (_, memory) = take(lines.join("\n").as_bytes(), &Options::default()).unwrap();
        memory.log().map(|(entry, _)| entry.id.clone()).collect()
    };
    let there = ids(&scenario.lines);
    scenario.lines.reverse();
    scenario.lines.insert(1, String::new());
    assert_eq!(ids(&scenario.lines), there);
    assert_eq!(there.len(), 6);
}

#[test]
fn another_default_actor_changes_nothing_twice() {
    let mut scenario = Scenario::landscape();
    let params = json!({"subaccount": "sub-1", "roleCollectionName": "Subaccount Viewer",
                        "userName": "ada@acme.test", "origin": "corp"});
    scenario.done("10:00:00", "security/role-collection assign", params, json!(""));
    scenario.run();
    let options =
        Options { actor: Some("user:corp/root@acme.test".to_owned()), ..Options::default() };
    let text = scenario.lines.join("\n");
    let again = btp_cli(text.as_bytes(), &options, &mut scenario.memory).unwrap();
    assert_eq!(again.entries.applied, 0);
    assert_eq!(again.entries.refused["id_reused"], 1);
    let nobody = Options { actor: Some("root".to_owned()), ..Options::default() };
    assert!(matches!(take(b"", &nobody), Err(ImportError::Actor(_))));
}

#[test]
fn entries_travel_in_batches_of_at_most_a_thousand() {
    let subaccounts: Vec<_> =
        (0..1_500).map(|n| subaccount(&format!("s-{n}"), "ga-1", json!({}))).collect();
    let mut scenario = Scenario::new();
    scenario.hierarchy("10:00:00", hierarchy(json!([]), json!(subaccounts)));
    let (summary, memory) =
        take(scenario.lines.join("\n").as_bytes(), &Options::default()).unwrap();
    assert_eq!(summary.entries.applied, 1_501);
    assert!(memory.calls.iter().all(|entries| *entries <= 1_000));
    assert!(memory.calls.len() < 5, "{:?}", memory.calls);
    // One each for the new levels, whether the ledger ever had them, and few others.
    assert!(memory.asked < 1_510, "{}", memory.asked);
}

#[test]
fn what_cannot_be_written_is_counted_and_the_rest_goes_on() {
    let mut scenario = Scenario::new();
    let odd = subaccount("not an id", "ga-1", json!({}));
    let fine = subaccount("sub-1", "ga-1", json!({}));
    scenario.hierarchy("10:00:00", hierarchy(json!([]), json!([odd, fine])));
    let long = json!({"subaccount": "sub-1", "roleCollectionName": "Long",
                      "description": "x".repeat(300_000)});
    scenario.done("11:00:00", "security/role-collection create", long, json!({}));
    let nowhere = json!({"subaccount": "no id", "roleCollectionName": "Nowhere"});
    scenario.done("12:00:00", "security/role-collection create", nowhere, json!({}));
    let (summary, memory) =
        take(scenario.lines.join("\n").as_bytes(), &Options::default()).unwrap();
    let left_out: Vec<_> = summary.left_out.listed.iter().map(|at| at.problem.as_str()).collect();
    assert_eq!(left_out.len(), 2, "{left_out:?}");
    assert!(left_out[0].contains("`subaccount:not an id` is no level that the ledger can write"));
    assert!(left_out[1].contains("the ledger has no `subaccount:no id`"));
    assert_eq!(summary.entries.refused["malformed"], 1);
    assert_eq!(summary.entries.refusals[0].place.number, 2);
    assert_eq!(summary.entries.applied, 2);
    assert_eq!(memory.log().count(), 2);
}

#[test]
fn the_plain_output_of_a_command_is_read_with_its_command_level_and_time() {
    let mut scenario = Scenario::landscape();
    scenario.run();
    let role = json!({"roleTemplateAppId": "xsuaa!t1", "roleTemplateName": "xsuaa_auditor",
                      "name": "User and Role Auditor"});
    let output = json!([{"name": "Blue Team", "isReadOnly": false, "roleReferences": [role]}]);
    let output = serde_json::to_string_pretty(&output).unwrap();
    let options = Options {
        command: Some("list security/role-collection".to_owned()),
        on: Some("subaccount:sub-1".to_owned()),
        at: Some(tenure_core::Instant::parse("2026-03-01T10:00:00Z").unwrap()),
        ..Options::default()
    };
    let summary = btp_cli(output.as_bytes(), &options, &mut scenario.memory).unwrap();
    assert_eq!((summary.records.read, summary.records.applied), (1, 1), "{summary:#?}");
    let roles = scenario.roles("subaccount:sub-1", "Blue Team", "10:00:00").unwrap();
    assert_eq!(roles, ["xsuaa/User and Role Auditor"]);
    let page = json!({"totalPages": 1, "items": [{"username": "ada", "origin": "corp"}]});
    let command = Some("get security/role-collection \"Blue Team\" --show-users".to_owned());
    let options = Options { command, ..options };
    let text = page.to_string();
    let summary = btp_cli(text.as_bytes(), &options, &mut scenario.memory).unwrap();
    assert_eq!(summary.baseline, 1, "{summary:#?}");
    assert_eq!(scenario.held("user:corp/ada", "subaccount:sub-1", "10:00:00"), ["Blue Team"]);
    for (wrong, sentence) in [
        (Options { at: None, ..options.clone() }, "`--at`"),
        (Options { on: None, ..options.clone() }, "`--on`"),
        (Options { command: Some("list".to_owned()), ..options }, "a verb and a command"),
    ] {
        let error = btp_cli(text.as_bytes(), &wrong, &mut scenario.memory).unwrap_err();
        assert!(error.to_string().contains(sentence), "{error}");
    }
}

#[test]
fn files_of_two_landscapes_keep_apart_and_a_level_that_is_gone_is_said() {
    let mut scenario = Scenario::landscape();
    let mut other = hierarchy(json!([]), json!([]));
    let mut theirs = subaccount("sub-9", "ga-9", json!({}));
    (theirs["globalAccountGUID"], theirs["parentType"]) = (json!("ga-9"), json!("ROOT"));
    (other["guid"], other["subdomain"]) = (json!("ga-9"), json!("other"));
    other["subaccounts"] = json!([theirs]);
    let params = json!({"globalAccount": "other", "showHierarchy": "true"});
    scenario.done("10:00:00", "accounts/global-account get", params, other);
    // A complete hierarchy of the one says nothing of the other.
    let names = |scenario: &mut Scenario, time: &str| {
        scenario.run();
        scenario.level_names(time)
    };
    let there = names(&mut scenario, "10:00:00");
    assert!(there.contains(&"subaccount:sub-1".to_owned()), "{there:?}");
    assert!(there.contains(&"subaccount:sub-9".to_owned()), "{there:?}");
    let params = json!({"subaccount": "sub-9"});
    scenario.failed("11:00:00", "accounts/subaccount get", params.clone(), "404");
    scenario.done("12:00:00", "security/role-collection list", params, json!([]));
    let summary = scenario.run();
    let problem = &summary.left_out.listed[0].problem;
    assert!(problem.contains("the ledger has no `subaccount:sub-9`"), "{problem}");
    assert!(summary.is_incomplete());
}
