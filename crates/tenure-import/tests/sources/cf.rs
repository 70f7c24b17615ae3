//! Answers of the Cloud Foundry API: roles and spaces come and go, and listings are compared

use serde_json::{Value, json};
use tenure_import::{Options, Source, Summary};

use crate::memory::Memory;
use crate::run::{at, changes_of, held, landscape, text, try_files};

const ADA: &str = "user:sap.default/ada@corp.example";
const SPACE: &str = "cf-space:s1";
const ORG: &str = "cf-org:o1";

fn on_dev() -> Options {
    Options { on: Some("subaccount:dev".to_owned()), ..Options::default() }
}

fn listed_at(moment: &str) -> Options {
    Options { at: at(moment), ..on_dev() }
}

fn import(memory: &mut Memory, value: &Value, options: &Options) -> Summary {
    text(memory, Source::Cf, &value.to_string(), options)
}

/// An event about user `u1` in space `s1` of organization `o1`
fn role_event(guid: &str, time: &str, what: &str) -> Value {
    let space = what.starts_with("space").then(|| json!({"guid": "s1"}));
    json!({
        "guid": guid, "created_at": time, "updated_at": time, "type": format!("audit.user.{what}"),
        "actor": {"guid": "u9", "type": "user", "name": "root@corp.example"},
        "target": {"guid": "u1", "type": "user", "name": ""},
        "data": {}, "space": space, "organization": {"guid": "o1"},
    })
}

fn event(guid: &str, time: &str, kind: &str, target: &str, request: Value) -> Value {
    json!({
        "guid": guid, "created_at": time, "updated_at": time, "type": format!("audit.{kind}"),
        "actor": {"guid": "deployer", "type": "user", "name": ""},
        "target": {"guid": target, "type": "x", "name": "it"},
        "data": {"request": request}, "space": {"guid": "s1"}, "organization": {"guid": "o1"},
    })
}

fn user(guid: &str, name: &str, origin: &str) -> Value {
    json!({"guid": guid, "created_at": "2025-01-01T00:00:00Z", "username": name,
           "presentation_name": name, "origin": origin})
}

fn role(guid: &str, time: &str, kind: &str, level: &str, user: &str) -> Value {
    let of = |is: bool| json!({"data": is.then(|| json!({"guid": level}))});
    let in_space = kind.starts_with("space");
    json!({
        "guid": guid, "created_at": time, "updated_at": time, "type": kind,
        "relationships": {"user": {"data": {"guid": user}}, "space": of(in_space),
                          "organization": of(!in_space)},
    })
}

fn space(guid: &str) -> Value {
    json!({"guid": guid, "created_at": "2026-01-02T00:00:00Z", "name": "blue",
           "updated_at": "2026-01-02T00:00:00Z",
           "relationships": {"organization": {"data": {"guid": "o1"}}},
           "links": {"self": {"href": format!("https://api.example/v3/spaces/{guid}")}}})
}

fn organization(guid: &str) -> Value {
    json!({"guid": guid, "created_at": "2026-01-02T00:00:00Z", "name": "acme-dev",
           "updated_at": "2026-01-02T00:00:00Z", "suspended": false,
           "links": {"self": {"href": format!("https://api.example/v3/organizations/{guid}")}}})
}

/// A page of how many, of a request
fn page(request: &str, number: u64, total: usize, resources: &[Value]) -> Value {
    let link = |number: u64| {
        let sep = if request.contains('?') { '&' } else { '?' };
        json!({"href": format!("https://api.example/v3/{request}{sep}page={number}&per_page=2")})
    };
    let last = number * 2 >= total as u64;
    json!({
        "pagination": {"total_results": total, "first": link(1),
                       "next": (!last).then(|| link(number + 1)),
                       "previous": (number > 1).then(|| link(number - 1))},
        "resources": resources,
    })
}

/// All pages of a request, two records each
fn pages(request: &str, resources: &[Value]) -> Vec<Value> {
    let chunks = resources.chunks(2).enumerate();
    chunks.map(|(n, some)| page(request, n as u64 + 1, resources.len(), some)).collect()
}

/// One document after another
fn import_all(memory: &mut Memory, values: &[Value], options: &Options) -> Summary {
    let texts: Vec<_> = values.iter().map(Value::to_string).collect();
    text(memory, Source::Cf, &texts.join("\n"), options)
}

#[test]
fn a_role_event_takes_the_name_that_the_target_lacks_from_the_users() {
    let mut memory = landscape();
    let users = json!([user("u1", "Ada@corp.example", "sap.ids"), user("u9", "boss", "uaa")]);
    let events = json!({
        "pagination": {"total_results": 1, "total_pages": 1, "next": null},
        "resources": [role_event("e1", "2026-01-02T03:04:05Z", "space_developer_add")],
    });
    let summary = import_all(&mut memory, &[events, users], &on_dev());
    assert_eq!(summary.left_out.listed, []);
    assert_eq!(summary.bad.listed, []);
    let developer = format!("{ADA}: cloud-foundry/Space Developer");
    assert_eq!(held(&mut memory, SPACE, "2026-01-02T03:04:05Z"), [developer]);
    let grants = changes_of(&memory, "grant");
    assert_eq!(grants[0]["at"], "2026-01-02T03:04:05Z");
    assert_eq!(grants[0]["actor"], "user:uaa/boss");
    let levels = changes_of(&memory, "create_level");
    let parents: Vec<_> =
        levels[3..].iter().map(|change| (&change["level"], &change["parent"])).collect();
    assert_eq!(parents, [(&json!(ORG), &json!("subaccount:dev")), (&json!(SPACE), &json!(ORG))]);
    // Nothing says what the organization lies in.
    let mut memory = landscape();
    let event = role_event("e1", "2026-01-02T03:04:05Z", "space_developer_add");
    let summary = import(&mut memory, &json!([event]), &Options::default());
    assert_eq!(summary.records.left_out, 1);
}

#[test]
fn all_types_of_roles_are_given_and_taken() {
    let types = [
        ("space_auditor", "Space Auditor"),
        ("space_developer", "Space Developer"),
        ("space_manager", "Space Manager"),
        ("space_supporter", "Space Supporter"),
        ("organization_auditor", "Org Auditor"),
        ("organization_billing_manager", "Org Billing Manager"),
        ("organization_manager", "Org Manager"),
        ("organization_user", "Org User"),
    ];
    let mut events = vec![user("u1", "ada@corp.example", "sap.ids")];
    for (n, (kind, _)) in types.iter().enumerate() {
        // The second add was refused by Cloud Foundry, and has an event all the same.
        for (time, verb) in [("01", "add"), ("02", "add"), ("03", "remove")] {
            let time = format!("2026-01-05T{time}:00:00Z");
            events.push(role_event(&format!("e{n}{time}"), &time, &format!("{kind}_{verb}")));
        }
    }
    let mut memory = landscape();
    let summary = import(&mut memory, &json!(events), &on_dev());
    assert_eq!(summary.records.refused, 0, "{:?}", summary.entries.refusals);
    let all = |names: &[(&str, &str)]| -> Vec<String> {
        names.iter().map(|(_, name)| format!("{ADA}: cloud-foundry/{name}")).collect()
    };
    assert_eq!(held(&mut memory, SPACE, "2026-01-05T02:30:00Z"), all(&types[..4]));
    assert_eq!(held(&mut memory, ORG, "2026-01-05T02:30:00Z"), all(&types[4..]));
    for level in [SPACE, ORG] {
        assert_eq!(held(&mut memory, level, "2026-01-05T03:00:00Z"), [""; 0]);
    }
    let starts = changes_of(&memory, "grant");
    assert_eq!(starts[0]["at"], "2026-01-05T01:00:00Z");
    let unknown = role_event("x", "2026-01-05T01:00:00Z", "space_emperor_add");
    let summary = import(&mut memory, &json!([unknown]), &on_dev());
    assert!(summary.bad.listed[0].problem.contains("space_emperor"));
}

#[test]
fn events_of_a_second_keep_the_order_of_their_listing() {
    let time = "2026-01-05T01:00:00Z";
    let what = ["add", "remove", "add", "remove", "add"];
    let mut events: Vec<_> = what
        .iter()
        .enumerate()
        .map(|(n, verb)| role_event(&format!("e{n}"), time, &format!("space_manager_{verb}")))
        .collect();
    let held_after = |pages: &[Value]| {
        let texts: Vec<_> = pages.iter().map(Value::to_string).collect();
        let files: Vec<_> = texts.iter().map(|text| ("page", text.as_bytes())).collect();
        let mut memory = landscape();
        let summary = try_files(&mut memory, Source::Cf, &files, &on_dev()).unwrap();
        assert_eq!(summary.ties.total, 4);
        let again = try_files(&mut memory, Source::Cf, &files, &on_dev()).unwrap();
        assert_eq!(again.entries.applied, 0);
        held(&mut memory, SPACE, time).len()
    };
    let mut files = pages("audit_events?order_by=created_at", &events);
    assert_eq!(held_after(&files), 1);
    // Page 2 begins with an add and page 1 ends with a remove.
    files.reverse();
    assert_eq!(held_after(&files), 1);
    events.reverse();
    let mut files = pages("audit_events?order_by=-created_at", &events);
    assert_eq!(held_after(&files), 1);
    files.reverse();
    assert_eq!(held_after(&files), 1);
    events.remove(0);
    let last_is_remove = pages("audit_events?order_by=-created_at", &events);
    let texts: Vec<_> = last_is_remove.iter().map(Value::to_string).collect();
    let mut memory = landscape();
    text(&mut memory, Source::Cf, &texts.join("\n"), &on_dev());
    assert_eq!(held(&mut memory, SPACE, time), [""; 0]);
}

#[test]
fn overlapping_pages_count_an_event_once() {
    let first = role_event("e1", "2026-01-05T01:00:00Z", "space_manager_add");
    let second = role_event("e2", "2026-01-05T01:00:00Z", "space_manager_remove");
    let mut memory = landscape();
    let values = [json!([first, second]), json!([first])];
    let summary = import_all(&mut memory, &values, &on_dev());
    assert_eq!((summary.records.read, summary.records.not_about_access), (3, 1));
    assert_eq!(held(&mut memory, SPACE, "2026-01-05T01:00:00Z"), [""; 0]);
    assert_eq!(changes_of(&memory, "grant").len(), 1);
}

#[test]
fn the_deletion_of_a_space_ends_what_no_event_ends() {
    let deleted = "2026-01-06T00:00:00Z";
    let mut late = role_event("e4", "2026-01-06T00:00:01Z", "space_manager_remove");
    late["target"]["name"] = json!("ada@corp.example");
    let mut developer = role_event("e2", "2026-01-05T01:00:00Z", "space_developer_add");
    developer["target"]["name"] = json!("ada@corp.example");
    let events = json!([
        event("e0", "2026-01-04T00:00:00Z", "organization.create", "o1", json!({"name": "acme"})),
        event("e1", "2026-01-05T00:00:00Z", "space.create", "s1", json!({"name": "blue"})),
        developer,
        event("e3", deleted, "space.delete-request", "s1", json!({"recursive": true})),
        late,
        event("e5", "2026-01-07T00:00:00Z", "organization.delete-request", "o1", json!({})),
    ]);
    let mut memory = landscape();
    let summary = import(&mut memory, &events, &on_dev());
    assert_eq!(held(&mut memory, SPACE, "2026-01-05T23:59:59Z").len(), 1);
    let levels = changes_of(&memory, "create_level");
    let made: Vec<_> = levels[3..].iter().map(|c| (&c["level"], &c["at"], &c["actor"])).collect();
    let deployer = &json!("client:cf/deployer");
    assert_eq!(
        made,
        [
            (&json!(ORG), &json!("2026-01-04T00:00:00Z"), deployer),
            (&json!(SPACE), &json!("2026-01-05T00:00:00Z"), deployer),
        ]
    );
    let gone = changes_of(&memory, "delete_level");
    assert_eq!(gone.len(), 2);
    assert_eq!((&gone[0]["level"], &gone[0]["at"]), (&json!(SPACE), &json!(deleted)));
    // The late event is about a space that is gone.
    assert_eq!(summary.records.left_out, 1);
}

#[test]
fn a_listing_with_its_request_is_whole_for_the_levels_that_it_names() {
    let moment = "2026-01-10T00:00:00Z";
    let request = "roles?space_guids=s1%2Cs2&include=user";
    let mut listing = pages(
        request,
        &[
            role("r1", "2026-01-05T00:00:00Z", "space_developer", "s1", "u1"),
            role("r2", "2026-01-06T00:00:00Z", "space_manager", "s1", "u2"),
            role("r3", "2026-01-06T00:00:00Z", "space_manager", "s1", "u1"),
        ],
    );
    listing[0]["included"] = json!({
        "users": [user("u1", "ada@corp.example", "sap.ids"), user("u2", "bob", "corp")],
        "spaces": [space("s1"), space("s2")],
    });
    let mut memory = landscape();
    let summary = import_all(&mut memory, &listing, &listed_at(moment));
    assert_eq!(summary.drift, []);
    assert_eq!(summary.records.refused, 0, "{:?}", summary.entries.refusals);
    assert_eq!(summary.kinds["roles"], 2, "one record for each space");
    let all = [
        "user:corp/bob: cloud-foundry/Space Manager".to_owned(),
        format!("{ADA}: cloud-foundry/Space Developer"),
        format!("{ADA}: cloud-foundry/Space Manager"),
    ];
    assert_eq!(held(&mut memory, SPACE, moment), all);
    assert_eq!(held(&mut memory, SPACE, "2026-01-05T12:00:00Z"), all[1..2]);
    let observed = changes_of(&memory, "observe");
    let levels: Vec<_> = observed.iter().map(|change| &change["level"]).collect();
    assert_eq!(levels, [&json!(SPACE), &json!("cf-space:s2")]);
    // The same roles in other pages are the same listing.
    let mut turned = listing.clone();
    turned.reverse();
    let first = turned[0]["resources"][0].take();
    let second = turned[1]["resources"][1].take();
    turned[0]["resources"] = json!([second]);
    turned[1]["resources"] = json!([first, turned[1]["resources"][0]]);
    let summary = import_all(&mut memory, &turned, &listed_at(moment));
    assert_eq!((summary.entries.applied, summary.records.bad), (0, 0));
    // Later, somebody has lost a role, and s2 has one since a known time.
    let mut next = pages(
        request,
        &[
            role("r1", "2026-01-05T00:00:00Z", "space_developer", "s1", "u1"),
            role("r2", "2026-01-06T00:00:00Z", "space_manager", "s1", "u2"),
            role("r4", "2026-01-11T00:00:00Z", "space_auditor", "s2", "u2"),
        ],
    );
    next.reverse();
    next.push(json!([user("u1", "ada@corp.example", "sap.ids"), user("u2", "bob", "corp")]));
    let later = "2026-01-20T00:00:00Z";
    let summary = import_all(&mut memory, &next, &listed_at(later));
    assert_eq!(summary.drift.len(), 1, "{:#?}", summary.drift);
    assert_eq!(summary.drift[0].principal, ADA);
    assert_eq!(summary.drift[0].unexpected, ["cloud-foundry/Space Manager"]);
    assert_eq!(held(&mut memory, "cf-space:s2", "2026-01-11T00:00:00Z").len(), 1);
    // The same, with a page missing: what is not shown is not gone.
    next.remove(0);
    let summary = import_all(&mut memory, &next, &listed_at("2026-01-21T00:00:00Z"));
    assert_eq!(summary.drift, []);
}

#[test]
fn a_listing_that_is_filtered_by_something_else_is_a_part() {
    let moment = "2026-01-10T00:00:00Z";
    let roles = [
        role("r1", "2026-01-05T00:00:00Z", "space_developer", "s1", "u1"),
        role("r2", "2026-01-05T00:00:00Z", "organization_user", "o1", "u1"),
    ];
    let levels = json!([organization("o1"), space("s1"), space("s2")]);
    let whole = |listing: Value| -> Vec<String> {
        let mut memory = landscape();
        import_all(&mut memory, &[listing, levels.clone()], &listed_at(moment));
        assert_eq!(held(&mut memory, SPACE, moment).len(), 1);
        let observed = changes_of(&memory, "observe");
        observed.iter().map(|change| change["level"].as_str().unwrap().to_owned()).collect()
    };
    let nothing: Vec<String> = Vec::new();
    assert_eq!(whole(page("roles", 1, 2, &roles)), [ORG, SPACE, "cf-space:s2"]);
    assert_eq!(whole(page("roles", 1, 3, &roles)), nothing);
    assert_eq!(whole(page("roles?types=space_developer", 1, 2, &roles)), nothing);
    assert_eq!(whole(page("roles?space_guids=s1&types=x", 1, 2, &roles)), nothing);
    assert_eq!(whole(page("roles?space_guids=s1", 1, 2, &roles)), [SPACE]);
    assert_eq!(whole(json!(roles)), nothing);
}

#[test]
fn without_its_moment_a_listing_gives_each_role_since_its_own_time() {
    let mut memory = landscape();
    let listing =
        page("roles", 1, 1, &[role("r1", "2026-01-05T00:00:00Z", "space_developer", "s1", "u1")]);
    let values = [listing, json!([space("s1"), user("u1", "ada@corp.example", "sap.ids")])];
    let summary = import_all(&mut memory, &values, &on_dev());
    assert_eq!(summary.left_out.listed, []);
    assert_eq!(held(&mut memory, SPACE, "2026-01-04T23:59:59Z"), [""; 0]);
    assert_eq!(held(&mut memory, SPACE, "2026-01-05T00:00:00Z").len(), 1);
    assert_eq!(changes_of(&memory, "observe"), [json!(null); 0]);
    let names = changes_of(&memory, "set_level");
    let named = changes_of(&memory, "create_level");
    assert!(names.iter().chain(&named).any(|c| c["level"] == SPACE && c["name"] == "blue"));
}

#[test]
fn users_are_called_by_what_is_known_of_them() {
    let time = "2026-01-05T01:00:00Z";
    let mut events = vec![];
    let mut add = |guid: &str, name: &str, request: Value| {
        let mut event = role_event(&format!("e-{guid}"), time, "space_manager_add");
        event["target"] = json!({"guid": guid, "type": "user", "name": name});
        event["data"] = json!({"request": {"relationships": {"user": {"data": request}}}});
        events.push(event);
    };
    add("nobody-knows", "", json!({"guid": "nobody-knows"}));
    add("u3", "Carol@corp.example", json!({"guid": "u3"}));
    add("u4", "", json!({"username": "dan", "origin": "corp"}));
    add("u5", "eve", json!({"guid": "u5"}));
    let mut all = events.clone();
    all.push(user("u5", "eve", "uaa"));
    all.push(json!({"guid": "u6", "username": null, "presentation_name": "u6", "origin": null}));
    let mut memory = landscape();
    let summary = import(&mut memory, &json!(all), &on_dev());
    let names = held(&mut memory, SPACE, time);
    let names: Vec<_> = names.iter().map(|name| name.split(": ").next().unwrap()).collect();
    assert_eq!(
        names,
        [
            "user:corp/dan",
            "user:sap.default/carol@corp.example",
            "user:sap.default/id-nobody-knows",
            "user:uaa/eve",
        ]
    );
    assert_eq!(summary.nameless.len(), 1);
    // A listing that calls an account otherwise than the event did shows a new name.
    all.push(user("u4", "daniel", "corp"));
    all.push(role_event("e-late", "2026-01-06T00:00:00Z", "space_auditor_add"));
    let later = "2026-01-08T00:00:00Z";
    import(&mut memory, &json!(all), &listed_at(later));
    let of_dan = |names: Vec<String>| names.iter().filter(|name| name.contains("dan")).count();
    let then = held(&mut memory, SPACE, "2026-01-07T00:00:00Z");
    assert!(then.iter().any(|name| name.starts_with("user:corp/dan:")));
    let now = held(&mut memory, SPACE, later);
    assert!(now.iter().any(|name| name.starts_with("user:corp/daniel:")), "{now:?}");
    assert_eq!(of_dan(now), 1);
}

#[test]
fn who_acted_is_an_account_or_a_client() {
    let mut events = vec![user("u9", "boss@corp.example", "corp")];
    for (n, actor) in [
        json!({"guid": "u9", "type": "user", "name": "other@corp.example"}),
        json!({"guid": "gone", "type": "user", "name": "root@corp.example"}),
        json!({"guid": "cf-deployer", "type": "user", "name": ""}),
        json!({"guid": "a1", "type": "app", "name": "the-app"}),
        json!({"guid": "00000000-0000-4000-8000-0000000000aa", "type": "user", "name": ""}),
    ]
    .into_iter()
    .enumerate()
    {
        let time = format!("2026-01-05T0{n}:00:00Z");
        let mut event = role_event(&format!("e{n}"), &time, "space_manager_add");
        event["actor"] = actor;
        events.push(event);
    }
    let mut memory = landscape();
    import(&mut memory, &json!(events), &on_dev());
    let grants = changes_of(&memory, "grant");
    let actors: Vec<_> = grants.iter().map(|change| change["actor"].as_str().unwrap()).collect();
    assert_eq!(
        actors,
        [
            "user:corp/boss@corp.example",
            "user:sap.default/root@corp.example",
            "client:cf/cf-deployer",
            "client:cf/the-app",
            "user:sap.default/id-00000000-0000-4000-8000-0000000000aa",
        ]
    );
}

#[test]
fn credentials_of_a_service_instance_are_held_by_their_binding() {
    let instance =
        |of: &str| json!({"relationships": {"service_instance": {"data": {"guid": of}}}});
    let mut events = vec![
        event("e1", "2026-01-05T01:00:00Z", "service_instance.create", "i1", json!({})),
        event("e2", "2026-01-05T02:00:00Z", "service_key.create", "k1", instance("i1")),
        event("e3", "2026-01-05T03:00:00Z", "service_key.show", "k1", json!({})),
        event(
            "e4",
            "2026-01-05T04:00:00Z",
            "service_binding.create",
            "b1",
            json!({"service_instance_guid": "i1"}),
        ),
        event("e5", "2026-01-05T05:00:00Z", "service_key.delete", "k1", json!({})),
        event("e6", "2026-01-05T06:00:00Z", "app.update", "a1", json!({})),
    ];
    let mut memory = landscape();
    let summary = import(&mut memory, &json!(events), &on_dev());
    assert_eq!(summary.records.refused, 0, "{:?}", summary.entries.refusals);
    assert_eq!(summary.records.not_about_access, 2);
    let holds = |memory: &mut Memory, time: &str| held(memory, "service-instance:i1", time);
    let credentials = "service-credentials/Service Credentials";
    let both = [format!("client:cf/b1: {credentials}"), format!("client:cf/k1: {credentials}")];
    assert_eq!(holds(&mut memory, "2026-01-05T04:00:00Z"), both);
    assert_eq!(holds(&mut memory, "2026-01-05T05:00:00Z"), both[..1]);
    let levels = changes_of(&memory, "create_level");
    assert_eq!(levels.last().unwrap()["parent"], SPACE);
    // A listing of all bindings shows that another one is gone.
    let binding = json!({
        "guid": "b2", "type": "app", "created_at": "2026-01-06T00:00:00Z", "name": null,
        "relationships": {"app": {"data": {"guid": "a1"}},
                          "service_instance": {"data": {"guid": "i1"}}},
    });
    let listing = page("service_credential_bindings", 1, 1, &[binding]);
    let later = "2026-01-07T00:00:00Z";
    let options = Options { reconcile: true, ..listed_at(later) };
    let summary = import_all(&mut memory, &[listing], &options);
    assert_eq!(summary.drift[0].unexpected, [credentials]);
    assert_eq!(holds(&mut memory, later), [format!("client:cf/b2: {credentials}")]);
    // The deletion of the instance ends all of it.
    events.clear();
    events.push(event("e7", "2026-01-08T00:00:00Z", "service_instance.purge", "i1", json!({})));
    events.push(event("e8", "2026-01-08T01:00:00Z", "service_key.delete", "k0", json!({})));
    let summary = import(&mut memory, &json!(events), &on_dev());
    assert_eq!(changes_of(&memory, "delete_level").len(), 1);
    assert!(summary.bad.listed[0].problem.contains("which service instance"));
}

#[test]
fn only_a_listing_of_all_events_covers_a_stretch() {
    let events = [
        role_event("e1", "2026-01-05T01:00:00Z", "space_manager_add"),
        role_event("e2", "2026-01-06T01:00:00Z", "space_manager_remove"),
        role_event("e3", "2026-01-07T01:00:00Z", "space_manager_add"),
    ];
    let covered = |pages: &[Value], options: &Options| {
        let mut memory = landscape();
        import_all(&mut memory, pages, options);
        changes_of(&memory, "observe")
    };
    let all = pages("audit_events?created_ats%5Bgt%5D=2026-01-05T00:00:00Z", &events);
    let observed = covered(&all, &on_dev());
    assert_eq!(observed.len(), 1);
    assert_eq!(observed[0]["level"], "cf-org:o1");
    assert_eq!(observed[0]["subtree"], true);
    assert_eq!(observed[0]["from"], "2026-01-05T01:00:00Z");
    assert_eq!(observed[0]["at"], "2026-01-07T01:00:00Z");
    assert_eq!(covered(&all, &Options::default()), [json!(null); 0]);
    assert_eq!(covered(&all[1..], &on_dev()), [json!(null); 0]);
    assert_eq!(covered(&[json!(events)], &on_dev()), [json!(null); 0]);
    for filter in
        ["types=audit.user.x", "target_guids=u1", "space_guids=s1", "organization_guids=o1"]
    {
        let pages = pages(&format!("audit_events?{filter}"), &events);
        assert_eq!(covered(&pages, &on_dev()), [json!(null); 0], "{filter}");
    }
    // A filter of all types that give or end access leaves nothing out.
    let roles = [
        "space_auditor",
        "space_supporter",
        "space_developer",
        "space_manager",
        "organization_user",
        "organization_auditor",
        "organization_billing_manager",
        "organization_manager",
    ];
    let mut types: Vec<String> = roles
        .iter()
        .flat_map(|role| ["add", "remove"].map(|end| format!("audit.user.{role}_{end}")))
        .collect();
    types.extend(["organization", "space"].map(|kind| format!("audit.{kind}.delete-request")));
    let all = pages(&format!("audit_events?types={}", types.join(",")), &events);
    assert_eq!(covered(&all, &on_dev()).len(), 1);
    let most = pages(&format!("audit_events?types={}", types[1..].join(",")), &events);
    assert_eq!(covered(&most, &on_dev()), [json!(null); 0]);
    // What was asked for is covered, also where nothing happened.
    let organizations = page("organizations", 1, 1, &[organization("o1")]);
    let asked = |text: &str| at(text).unwrap();
    let window = Some((asked("2026-01-04T00:00:00Z"), asked("2026-01-08T00:00:00Z")));
    let options = Options { window, ..on_dev() };
    for happened in [&events[..], &events[..1], &[]] {
        let mut pages = pages("audit_events?created_ats%5Bgt%5D=x", happened);
        if happened.is_empty() {
            pages = vec![page("audit_events?created_ats%5Bgt%5D=x", 1, 0, &[])];
        }
        pages.push(organizations.clone());
        let observed = covered(&pages, &options);
        assert_eq!(observed.len(), 1, "{happened:?}");
        assert_eq!(observed[0]["from"], "2026-01-04T00:00:00Z");
        assert_eq!(observed[0]["at"], "2026-01-08T00:00:00Z");
    }
    // One event is no stretch.
    assert_eq!(covered(&pages("audit_events", &events[..1]), &on_dev()), [json!(null); 0]);
}

#[test]
fn what_cannot_be_read_gets_a_sentence() {
    let mut memory = landscape();
    let mut no_user = role_event("e1", "2026-01-05T01:00:00Z", "space_manager_add");
    no_user["target"] = json!({});
    let mut no_time = role_event("e2", "2026-01-05T01:00:00Z", "space_manager_add");
    no_time["created_at"] = json!("yesterday");
    let mut no_level = role_event("e3", "2026-01-05T01:00:00Z", "space_manager_add");
    no_level["space"] = json!(null);
    let mut no_role_user = role("r1", "2026-01-05T00:00:00Z", "space_manager", "s1", "u1");
    no_role_user["relationships"]["user"]["data"] = json!(null);
    let domain = json!({"guid": "d", "name": "x.example", "internal": false,
                        "created_at": "2026-01-05T00:00:00Z",
                        "relationships": {"organization": {"data": {"guid": "o1"}}}});
    let error = json!({"errors": [{"code": 10002, "title": "CF-NotAuthenticated", "detail": "x"}]});
    let records = json!([no_user, no_time, no_level, no_role_user, domain, 7]);
    let summary = import_all(&mut memory, &[records, error], &on_dev());
    assert_eq!((summary.records.bad, summary.records.not_about_access), (6, 1));
    let problems: Vec<_> = summary.bad.listed.iter().map(|at| at.problem.as_str()).collect();
    for part in ["which user it is", "when it was", "which space", "CF-NotAuthenticated"] {
        assert!(problems.iter().any(|problem| problem.contains(part)), "{part}: {problems:?}");
    }
}
