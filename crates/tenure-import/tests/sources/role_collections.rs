//! Listings and changes of role collections become custom ones

use serde_json::{Value, json};

use crate::scenario::{Scenario, collection};

const SUB: &str = "subaccount:sub-1";

fn listed(scenario: &mut Scenario, time: &str, collections: Value) {
    let params = json!({"subaccount": "sub-1"});
    scenario.done(time, "security/role-collection list", params, collections);
}

fn predefined() -> Value {
    collection(
        "Destination Administrator",
        true,
        &[("destination-xsappname!b9", "Destination Administrator")],
    )
}

#[test]
fn what_the_catalogue_predefines_is_left_alone() {
    let mut scenario = Scenario::landscape();
    listed(&mut scenario, "10:00:00", json!([predefined()]));
    let other = collection("Destination Administrator", false, &[("other!t1", "Other")]);
    listed(&mut scenario, "11:00:00", json!([other.clone()]));
    listed(&mut scenario, "12:00:00", json!([other]));
    let summary = scenario.run();
    assert_eq!(summary.entries.applied, 4);
    let [differs] = summary.definitions.as_slice() else { panic!("{:?}", summary.definitions) };
    assert_eq!(differs.recorded, ["other/Other"]);
    assert_eq!(differs.place.number, 3);
}

#[test]
fn everything_else_is_custom_and_unknown_roles_are_created_first() {
    let mut scenario = Scenario::landscape();
    let role = json!({"name": "Clerk", "roleTemplateName": "Clerk", "roleTemplateAppId": "orders!t7",
        "isReadOnly": true, "scopes": [{"name": "orders!t7.read"}], "attributeList": [
            {"attributeName": "country", "attributeValueOrigin": "static",
             "attributeValues": ["DE", null]}]});
    scenario.done("12:00:00", "security/role list", json!({"subaccount": "sub-1"}), json!([role]));
    let orders = collection(
        "Orders",
        true,
        &[("orders!t7", "Clerk"), ("destination-xsappname!b13", "Destination Viewer")],
    );
    listed(&mut scenario, "10:00:00", json!([predefined(), orders]));
    listed(&mut scenario, "11:00:00", json!([predefined()]));
    let summary = scenario.run();
    let expected = vec!["destination-xsappname/Destination Viewer".into(), "orders/Clerk".into()];
    assert_eq!(scenario.roles(SUB, "Orders", "10:00:00"), Some(expected));
    assert_eq!(scenario.roles(SUB, "Orders", "11:00:00"), None);
    let created = scenario.changes_of("create_role");
    assert_eq!(created.len(), 1);
    assert_eq!(created[0].1["scopes"], json!(["read"]));
    let country = json!({"attributeValueOrigin": "static", "attributeValues": ["DE", null]});
    assert_eq!(created[0].1["attributes"]["country"], country);
    assert_eq!(summary.entries.changes["delete_role_collection"], 1);
    let (entry, _) = scenario
        .memory
        .log()
        .find(|(e, _)| {
            e.changes.len() == 1
                && serde_json::to_value(&e.changes[0]).unwrap()["type"] == "create_role_collection"
        })
        .unwrap();
    assert!(entry.reason.as_ref().unwrap().contains("isReadOnly"), "{entry:?}");
}

#[test]
fn roles_come_and_go_one_by_one() {
    let mut scenario = Scenario::landscape();
    let params = |role: &str| {
        json!({"subaccount": "sub-1", "roleCollectionName": "Team", "roleName": role,
               "roleTemplateAppID": "destination-xsappname!b9", "roleTemplateName": "T"})
    };
    let named = json!({"subaccount": "sub-1", "roleCollectionName": "Team", "description": ""});
    let body = json!({"name": "Team", "description": "", "isReadOnly": false});
    scenario.done("10:00:00", "security/role-collection create", named.clone(), body.clone());
    // The same second: the order in the recording tells.
    scenario.done("10:00:00", "security/role add", params("Destination Viewer"), json!(""));
    scenario.done("10:00:00", "security/role add", params("Destination Administrator"), json!(""));
    scenario.done("10:05:00", "security/role remove", params("Destination Viewer"), json!(""));
    scenario.done("10:06:00", "security/role-collection update", named.clone(), json!(""));
    let plain = json!({"subaccount": "sub-1", "roleCollectionName": "Team"});
    let seen =
        collection("Team", false, &[("destination-xsappname!b9", "Destination Administrator")]);
    scenario.done("10:07:00", "security/role-collection get", plain.clone(), seen);
    scenario.done("10:08:00", "security/role-collection delete", plain.clone(), json!(""));
    scenario.failed("10:09:00", "security/role-collection get", plain, "404");
    scenario.done("10:10:00", "security/role-collection create", named, body);
    let summary = scenario.run();
    let roles = |time: &str| scenario.roles(SUB, "Team", time);
    let administrator = "destination-xsappname/Destination Administrator".to_owned();
    let viewer = "destination-xsappname/Destination Viewer".to_owned();
    assert_eq!(roles("10:00:00"), Some(vec![administrator.clone(), viewer]));
    assert_eq!(roles("10:05:00"), Some(vec![administrator]));
    assert_eq!(roles("10:08:00"), None);
    assert_eq!(roles("10:10:00"), Some(vec![]));
    assert_eq!(summary.passed_over["it changes only a description"], 1);
    assert_eq!(summary.passed_over["not found, and unknown to the ledger too"], 1);
}

#[test]
fn a_role_collection_created_again_had_been_deleted_and_ends_its_holdings() {
    let mut scenario = Scenario::landscape();
    let named = json!({"subaccount": "sub-1", "roleCollectionName": "Team"});
    scenario.done("10:00:00", "security/role-collection create", named.clone(), json!({}));
    let ada = json!({"subaccount": "sub-1", "roleCollectionName": "Team",
                     "userName": "ada@acme.test", "origin": "corp"});
    scenario.done("10:01:00", "security/role-collection assign", ada, json!(""));
    scenario.done("11:00:00", "security/role-collection create", named, json!({}));
    scenario.run();
    assert_eq!(scenario.held("user:corp/ada@acme.test", SUB, "10:59:59"), ["Team"]);
    assert!(scenario.held("user:corp/ada@acme.test", SUB, "11:00:00").is_empty());
    assert_eq!(scenario.roles(SUB, "Team", "11:00:00"), Some(vec![]));
}

#[test]
fn custom_roles_are_created_with_the_scopes_of_their_template_and_deleted() {
    let mut scenario = Scenario::landscape();
    let params = json!({"subaccount": "sub-1", "appId": "destination-xsappname!b9",
        "roleTemplateName": "Destination_Viewer", "roleName": "My Viewer", "description": ""});
    let body = json!({"name": "My Viewer", "roleTemplateName": "Destination_Viewer",
        "roleTemplateAppId": "destination-xsappname!b9", "isReadOnly": false,
        "scopes": [{"name": "destination-xsappname!b9.made.up"}]});
    scenario.done("10:00:00", "security/role create", params.clone(), body);
    scenario.done("11:00:00", "security/role delete", params.clone(), json!(""));
    scenario.done("12:00:00", "security/role delete", params, json!(""));
    let summary = scenario.run();
    let created = scenario.changes_of("create_role");
    assert_eq!(created[0].1.get("scopes"), None);
    assert_eq!(scenario.changes_of("delete_role").len(), 1);
    assert_eq!(summary.passed_over["deleted, and unknown to the ledger before"], 1);
}

#[test]
fn directories_have_custom_role_collections_and_answers_without_a_definition_define_nothing() {
    let mut scenario = Scenario::landscape();
    let list = json!([collection("Unit", false, &[("cis-central!b13", "Directory Viewer")])]);
    scenario.done("10:00:00", "security/role-collection list", json!({"directory": "dir-1"}), list);
    let mapped = json!({"directory": "dir-1", "roleCollectionName": "Unit",
                        "showAttributeMappings": "true"});
    scenario.done("11:00:00", "security/role-collection get", mapped, json!({"name": "Unit"}));
    scenario.run();
    let roles = scenario.roles("directory:dir-1", "Unit", "11:00:00");
    assert_eq!(roles, Some(vec!["cis-central/Directory Viewer".to_owned()]));
}

#[test]
fn a_role_that_the_ledger_cannot_write_is_left_out_and_counted() {
    let mut scenario = Scenario::landscape();
    let odd = collection(
        "Odd",
        false,
        &[("orders!t7", "a/b"), ("orders!t7", "a\nb"), ("orders!t7", "Clerk")],
    );
    listed(&mut scenario, "10:00:00", json!([odd]));
    let summary = scenario.run();
    let roles = Some(vec!["orders/Clerk".to_owned(), "orders/a%2Fb".to_owned()]);
    assert_eq!(scenario.roles(SUB, "Odd", "10:00:00"), roles);
    assert_eq!(summary.left_out.total, 1);
    let problem = &summary.left_out.listed[0].problem;
    assert!(problem.contains("of the role collection `Odd`"), "{problem}");
}

#[test]
fn two_applications_of_one_name_keep_their_suffixes() {
    let mut scenario = Scenario::landscape();
    let one = collection("One", false, &[("orders!t12", "Viewer")]);
    let two = collection("Two", false, &[("orders!t77", "Viewer"), ("bills!t3", "Viewer")]);
    listed(&mut scenario, "10:00:00", json!([one, two]));
    scenario.run();
    let roles = |name: &str| scenario.roles(SUB, name, "10:00:00").unwrap();
    assert_eq!(roles("One"), ["orders!t12/Viewer"]);
    assert_eq!(roles("Two"), ["bills/Viewer", "orders!t77/Viewer"]);
}
