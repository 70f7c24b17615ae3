//! States of Terraform: what is meant to be is compared with the ledger

use serde_json::{Value, json};
use tenure_import::{ImportError, Options, Source, Summary};

use crate::memory::Memory;
use crate::run::{at, changes_of, held, landscape, text, try_files};

const MOMENT: &str = "2026-02-01T00:00:00Z";
const ADMIN: &str = "Subaccount Administrator";
const ADA: &str = "user:sap.default/ada@corp.example: Subaccount Administrator";

fn drift() -> Options {
    Options { at: at(MOMENT), ..Options::default() }
}

fn reconcile() -> Options {
    Options { reconcile: true, ..drift() }
}

fn import(memory: &mut Memory, value: &Value, options: &Options) -> Summary {
    text(memory, Source::Terraform, &value.to_string(), options)
}

fn state(serial: u64, resources: Value) -> Value {
    json!({"version": 4, "terraform_version": "1.12.2", "serial": serial, "lineage": "l-1",
           "outputs": {}, "resources": resources, "check_results": null})
}

fn resource(kind: &str, instances: Value) -> Value {
    json!({"mode": "managed", "type": kind, "name": "it", "instances": instances,
           "provider": "provider[\"registry.terraform.io/sap/btp\"]"})
}

/// An assignment in `dev`
fn assigned(whom: Value) -> Value {
    let mut attributes = json!({
        "id": "dev,x", "subaccount_id": "dev", "role_collection_name": ADMIN, "user_name": null,
        "group_name": null, "attribute_name": null, "attribute_value": null, "origin": "sap.default",
    });
    for (key, value) in whom.as_object().unwrap() {
        attributes[key] = value.clone();
    }
    attributes
}

fn instance(attributes: Value) -> Value {
    json!({"schema_version": 0, "attributes": attributes, "sensitive_attributes": []})
}

const ASSIGNMENT: &str = "btp_subaccount_role_collection_assignment";

fn assignments(all: &[Value]) -> Value {
    let instances: Vec<_> = all.iter().map(|whom| instance(assigned(whom.clone()))).collect();
    resource(ASSIGNMENT, json!(instances))
}

#[test]
fn an_assignment_is_drift_and_is_recorded_if_asked() {
    let mut memory = landscape();
    let state = state(7, json!([assignments(&[json!({"user_name": "Ada@corp.example"})])]));
    let summary = import(&mut memory, &state, &drift());
    assert_eq!(summary.drift.len(), 1);
    assert_eq!(summary.drift[0].missing, [ADMIN]);
    assert_eq!(summary.entries.applied, 0);
    assert_eq!(summary.records.drift, 1);
    let summary = import(&mut memory, &state, &reconcile());
    assert!(summary.drift[0].reconciled);
    assert_eq!(held(&mut memory, "subaccount:dev", MOMENT), [ADA]);
    let grants = changes_of(&memory, "grant");
    assert_eq!(grants[0]["actor"], "client:terraform/l-1");
    assert_eq!(grants[0]["at"], MOMENT);
    // A plan is no listing of what was held.
    assert_eq!(changes_of(&memory, "observe"), [json!(null); 0]);
}

#[test]
fn what_the_state_lacks_is_drift_and_stays() {
    let mut memory = landscape();
    let both = [json!({"user_name": "ada@corp.example"}), json!({"user_name": "bob@corp.example"})];
    import(&mut memory, &state(7, json!([assignments(&both)])), &reconcile());
    let later = Options { at: at("2026-02-02T00:00:00Z"), ..reconcile() };
    let summary = import(&mut memory, &state(8, json!([assignments(&both[..1])])), &later);
    assert_eq!(summary.drift.len(), 1);
    assert_eq!(summary.drift[0].unexpected, [ADMIN]);
    assert!(!summary.drift[0].reconciled);
    assert_eq!(held(&mut memory, "subaccount:dev", "2026-02-02T00:00:00Z").len(), 2);
}

#[test]
fn a_state_does_not_say_when_it_was_made() {
    let mut memory = landscape();
    let state = state(7, json!([])).to_string();
    let files = [("terraform.tfstate", state.as_bytes())];
    let error = try_files(&mut memory, Source::Terraform, &files, &Options::default()).unwrap_err();
    assert!(matches!(&error, ImportError::Options(sentence) if sentence.contains("--at")));
}

#[test]
fn groups_and_attribute_values_are_assigned_too() {
    let mut memory = landscape();
    let state = state(
        7,
        json!([assignments(&[
            json!({"group_name": "Blue", "origin": "corp"}),
            json!({"attribute_name": "department", "attribute_value": "42", "origin": "corp"}),
            json!({"attribute_name": "Groups", "attribute_value": "Red", "origin": "corp"}),
            json!({"user_name": "ada", "group_name": "Blue"}),
            json!({"attribute_name": "department"}),
        ])]),
    );
    let summary = import(&mut memory, &state, &reconcile());
    let all = ["attribute:corp/department=42", "group:corp/Blue", "group:corp/Red"];
    let all = all.map(|who| format!("{who}: {ADMIN}"));
    assert_eq!(held(&mut memory, "subaccount:dev", MOMENT), all);
    assert_eq!(summary.records.bad, 2);
    assert!(summary.bad.listed[0].problem.contains("btp_subaccount_role_collection_assignment.it"));
}

#[test]
fn what_show_prints_says_the_same_with_its_modules() {
    let values = |whom: Value| assigned(whom);
    let one = |address: &str, mode: &str, provider: &str, whom: &str| {
        json!({"address": address, "mode": mode, "type": ASSIGNMENT, "name": "it", "index": whom,
               "provider_name": provider, "schema_version": 0,
               "values": values(json!({"user_name": whom}))})
    };
    let registry = "registry.opentofu.org/SAP/btp";
    let mut deposed = one("d", "managed", registry, "deposed@x.example");
    deposed["deposed_key"] = json!("00000000");
    let shown = json!({
        "format_version": "1.0", "terraform_version": "1.12.2",
        "values": {"root_module": {
            "resources": [one("a", "managed", registry, "ada@corp.example"), deposed],
            "child_modules": [{
                "address": "module.m", "resources": [one("b", "data", registry, "data@x.example")],
                "child_modules": [{"address": "module.m.module.n", "resources": [
                    one("c", "managed", registry, "bob@corp.example"),
                    one("e", "managed", "example.com/someone/btp", "else@x.example"),
                ]}],
            }],
        }},
    });
    let mut memory = landscape();
    let summary = import(&mut memory, &shown, &reconcile());
    let bob = "user:sap.default/bob@corp.example: Subaccount Administrator";
    assert_eq!(held(&mut memory, "subaccount:dev", MOMENT), [ADA, bob]);
    assert_eq!(summary.records.not_about_access, 3);
    // It has no lineage.
    assert_eq!(changes_of(&memory, "grant")[0]["actor"], "client:tenure/import-terraform");
    // The same as a state, in another order, is known.
    let mut instances = json!([instance(assigned(json!({"user_name": "bob@corp.example"})))]);
    instances[0]["index_key"] = json!("bob");
    let mut replaced = instance(assigned(json!({"user_name": "deposed@x.example"})));
    replaced["deposed"] = json!("00000000");
    let mut in_module = resource(ASSIGNMENT, json!([instances[0], replaced]));
    in_module["module"] = json!("module.m[\"k\"]");
    let ada = assignments(&[json!({"user_name": "ada@corp.example"})]);
    let summary = import(&mut memory, &state(1, json!([in_module, ada])), &reconcile());
    assert_eq!((summary.drift, summary.entries.applied), (vec![], 0));
}

#[test]
fn of_one_lineage_the_highest_serial_counts() {
    let of = |serial, whom: &str| {
        state(serial, json!([assignments(&[json!({"user_name": whom})])])).to_string()
    };
    let (old, new) = (of(7, "old@x.example"), of(8, "ada@corp.example"));
    for texts in [[&old, &new, &new], [&new, &new, &old]] {
        let mut memory = landscape();
        let files = texts.map(|text| ("state", text.as_bytes()));
        let summary = try_files(&mut memory, Source::Terraform, &files, &reconcile()).unwrap();
        assert_eq!(held(&mut memory, "subaccount:dev", MOMENT), [ADA]);
        assert_eq!(summary.passed_over["an older serial of the same state"], 1);
        assert_eq!(summary.passed_over["the same state again"], 1);
    }
    let other = of(8, "bob@corp.example");
    let mut memory = landscape();
    let files = [&new, &other].map(|text| ("state", text.as_bytes()));
    let summary = try_files(&mut memory, Source::Terraform, &files, &reconcile()).unwrap();
    assert_eq!((summary.records.bad, summary.entries.applied), (2, 0));
}

#[test]
fn states_of_one_subaccount_are_compared_together() {
    let mut other = state(3, json!([assignments(&[json!({"user_name": "bob@corp.example"})])]));
    other["lineage"] = json!("l-2");
    let one = state(7, json!([assignments(&[json!({"user_name": "ada@corp.example"})])]));
    let (one, other) = (one.to_string(), other.to_string());
    let mut memory = landscape();
    for texts in [[&one, &other], [&other, &one]] {
        let files = texts.map(|text| ("state", text.as_bytes()));
        let summary = try_files(&mut memory, Source::Terraform, &files, &reconcile()).unwrap();
        assert!(summary.drift.iter().all(|drift| drift.unexpected.is_empty()));
    }
    assert_eq!(held(&mut memory, "subaccount:dev", MOMENT).len(), 2);
    assert_eq!(changes_of(&memory, "grant").len(), 2);
}

#[test]
fn levels_and_role_collections_are_described() {
    let mut memory = landscape();
    let subaccount = |id: &str, parent: &str| {
        instance(json!({"id": id, "parent_id": parent, "name": id, "region": "eu10",
                        "created_date": "2026-01-15T00:00:00Z", "parent_features": null}))
    };
    let collection = json!({
        "subaccount_id": "new", "name": "Blue Team", "description": "x",
        "roles": [{"name": "Subaccount Viewer", "role_template_app_id": "cis-local!b2",
                   "role_template_name": "Subaccount_Viewer"}],
    });
    let mut blue = assigned(json!({"user_name": "ada@corp.example"}));
    blue["subaccount_id"] = json!("new");
    blue["role_collection_name"] = json!("Blue Team");
    let directory = instance(json!({"id": "d1", "parent_id": "ga", "name": "EMEA"}));
    let global =
        json!({"role_collection_name": "Global Account Viewer", "user_name": "x@x.example"});
    let resources = json!([
        resource(ASSIGNMENT, json!([instance(blue)])),
        resource("btp_subaccount_role_collection", json!([instance(collection)])),
        resource("btp_subaccount", json!([subaccount("new", "d1"), subaccount("lost", "d9")])),
        resource("btp_directory", json!([directory])),
        resource("btp_globalaccount_role_collection_assignment", json!([instance(global)])),
        resource("btp_subaccount_entitlement", json!([instance(json!({}))])),
    ]);
    let state = state(7, resources);
    let summary = import(&mut memory, &state, &reconcile());
    assert!(summary.passed_over.keys().any(|reason| reason.contains("--on global-account")));
    // Nothing says that `ga` is a global account, so nothing has a place.
    assert_eq!(summary.records.left_out, 5, "{:#?}", summary.left_out.listed);
    let options = Options { on: Some("global-account:ga".to_owned()), ..reconcile() };
    let summary = import(&mut memory, &state, &options);
    // Nothing says that `d9` is a directory.
    assert_eq!(summary.records.left_out, 1, "{:#?}", summary.left_out.listed);
    assert_eq!(summary.records.refused, 0, "{:#?}", summary.entries.refusals);
    let levels = changes_of(&memory, "create_level");
    let new = levels.iter().find(|change| change["level"] == "subaccount:new").unwrap();
    assert_eq!((&new["parent"], &new["name"]), (&json!("directory:d1"), &json!("new")));
    let blue = ["user:sap.default/ada@corp.example: Blue Team"];
    assert_eq!(held(&mut memory, "subaccount:new", MOMENT), blue);
    let viewer = ["user:sap.default/x@x.example: Global Account Viewer"];
    assert_eq!(held(&mut memory, "global-account:ga", MOMENT), viewer);
    let made = changes_of(&memory, "create_role_collection");
    assert_eq!(made[0]["role_collection"], "Blue Team");
    assert_eq!(made[0]["roles"], json!(["cis-local/Subaccount Viewer"]));
}

#[test]
fn what_is_no_state_that_can_be_read_gets_a_sentence() {
    for (file, part) in [
        (
            json!({"terraform_version": "1.9", "serial": 1, "lineage": "x", "meta": {},
                "encrypted_data": "AA==", "encryption_version": "v0"}),
            "tofu state pull",
        ),
        (
            json!({"version": 3, "terraform_version": "0.11", "serial": 1, "modules": []}),
            "version 3",
        ),
        (
            json!({"format_version": "1.2", "terraform_version": "1.9", "values": {},
                "planned_values": {}}),
            "a plan",
        ),
    ] {
        let mut memory = landscape();
        let summary = import(&mut memory, &file, &drift());
        assert_eq!(summary.records.bad, 1);
        assert!(summary.bad.listed[0].problem.contains(part), "{:?}", summary.bad.listed);
    }
}
