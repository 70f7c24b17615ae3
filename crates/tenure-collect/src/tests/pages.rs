//! Are all pages of each kind of source asked for and handed over?

use serde_json::json;

use super::server::{Reply, Server};
use super::{
    all, all_of, cf_page, cf_server, client_source, page_of, roles, scim_source, token, window,
};
use crate::{What, Window};
use tenure_core::Instant;

#[test]
fn cloud_foundry_is_read_by_the_next_urls() {
    let server = cf_server(|seen, _| match page_of(seen) {
        1 => roles(seen, &["a", "b"], 3, Some(2)),
        _ => roles(seen, &["c"], 3, None),
    });
    let (fetched, ended) = all(&client_source("cf", &server));
    let collected = ended.unwrap();
    assert_eq!((collected.listings, collected.pages, collected.records), (6, 7, 3));
    assert_eq!(collected.window, window());
    let order: Vec<_> = fetched.iter().map(|one| (one.what, one.complete)).collect();
    assert_eq!(
        order,
        [
            (What::CfOrganizations, true),
            (What::CfSpaces, true),
            (What::CfUsers, true),
            (What::CfRoles, false),
            (What::CfRoles, true),
            (What::CfServiceCredentialBindings, true),
            (What::CfAuditEvents, true),
        ]
    );
    assert_eq!(fetched[4].body, cf_page(&["c"], 3, None));
    assert!(fetched.windows(2).all(|two| two[0].at <= two[1].at));
    assert_eq!((fetched[3].window, fetched[6].window), (None, Some(window())));
    let first = &server.seen_at("/v3/roles")[0];
    assert_eq!(first.target, "/v3/roles?per_page=5000&order_by=created_at");
    assert_eq!(first.authorization.as_deref(), Some("Bearer token-hidden-1"));
    assert_eq!(server.seen_at("/v3/roles")[1].target, "/v3/roles?page=2");
    assert_eq!(server.seen_at("/uaa/oauth/token").len(), 1);
}

#[test]
fn events_of_cloud_foundry_are_those_of_the_window_that_are_about_access() {
    let server = cf_server(|seen, _| roles(seen, &[], 0, None));
    let source = client_source("cf", &server);
    all(&source).1.unwrap();
    let asked = &server.seen_at("/v3/audit_events")[0];
    let parameter = |name| asked.parameter(name).unwrap();
    assert_eq!(parameter("created_ats[gte]"), "2026-01-01T00:00:00Z");
    assert_eq!(parameter("created_ats[lt]"), "2026-01-02T00:00:00Z");
    assert_eq!(
        (parameter("per_page"), parameter("order_by")),
        ("5000".into(), "created_at".into())
    );
    let types = parameter("types");
    let types: Vec<_> = types.split(',').collect();
    assert_eq!(types.iter().filter(|kind| kind.starts_with("audit.user.")).count(), 16);
    assert!(types.contains(&"audit.service_key.show"));
    // A window without a second has no event.
    let now = Instant::parse("2026-01-01T00:00:00Z").unwrap();
    let collected = all_of(&source, Window::new(now, now).unwrap()).1.unwrap();
    assert_eq!(collected.listings, 5);
    assert_eq!(server.seen_at("/v3/audit_events").len(), 1);
}

#[test]
fn an_identity_provider_is_read_by_the_start_index() {
    let server = Server::run(|seen| {
        let start = seen.parameter("startIndex").unwrap();
        Reply::json(&match (seen.path(), start.as_str()) {
            ("/scim/Users", "1") => {
                json!({"Resources": [{"id": "a"}, {"id": "b"}], "totalResults": 3})
            }
            ("/scim/Users", "3") => json!({"Resources": [{"id": "c"}], "totalResults": 3}),
            // Without resources the key may be missing.
            ("/scim/Groups", "1") => json!({"totalResults": 0}),
            other => panic!("{other:?}"),
        })
    });
    let (fetched, ended) = all(&scim_source(&server));
    assert_eq!(ended.unwrap().records, 3);
    let order: Vec<_> = fetched.iter().map(|one| (one.what, one.complete)).collect();
    assert_eq!(
        order,
        [(What::ScimUsers, false), (What::ScimUsers, true), (What::ScimGroups, true)]
    );
    let asked = server.seen_at("/scim/Users");
    assert_eq!(asked[0].parameter("count").unwrap(), "100");
    // "admin:user-hidden"
    assert_eq!(asked[0].authorization.as_deref(), Some("Basic YWRtaW46dXNlci1oaWRkZW4="));
}

#[test]
fn a_subaccount_is_read_with_its_users_and_role_collections() {
    let server = Server::run(|seen| match seen.path() {
        "/uaa/oauth/token" => token(1),
        "/sap/rest/identity-providers" => Reply::json(&json!([{"originKey": "sap.default"}])),
        "/Users" => Reply::json(&json!({"resources": [{"id": "a"}], "totalResults": 1})),
        "/sap/rest/authorization/v2/rolecollections" => {
            Reply::json(&json!([{"name": "Blue Team"}, {"name": "Red Team"}]))
        }
        other => panic!("{other}"),
    });
    let (fetched, ended) = all(&client_source("xsuaa", &server));
    assert_eq!(ended.unwrap().records, 4);
    let order: Vec<_> = fetched.iter().map(|one| (one.what, one.complete)).collect();
    let expected = [What::XsuaaIdentityProviders, What::XsuaaUsers, What::XsuaaRoleCollections];
    assert_eq!(order, expected.map(|what| (what, true)));
    let asked = &server.seen_at("/sap/rest/authorization/v2/rolecollections")[0];
    for name in ["showGroups", "showRoles", "showUsers"] {
        assert_eq!(asked.parameter(name).as_deref(), Some("true"), "{name}");
    }
}

#[test]
fn an_audit_log_is_read_by_its_handles_in_parts_of_thirty_days() {
    let server = Server::run(|seen| {
        let parameter = |name| seen.parameter(name);
        match (seen.path(), parameter("handle").as_deref(), parameter("time_from").as_deref()) {
            ("/uaa/oauth/token", ..) => token(1),
            (_, None, Some("2026-01-01T00:00:00")) => {
                Reply::json(&json!([{"message_uuid": "a"}, {"message_uuid": "b"}]))
                    .header("Paging", "handle=SGFuZGxlMQ==")
            }
            (_, Some("SGFuZGxlMQ=="), None) => {
                Reply::json(&json!([{"message_uuid": "c"}])).header("Paging", "handle=two%2F")
            }
            (_, Some("two/"), None) => Reply::status(204),
            (_, None, Some("2026-01-31T00:00:00")) => Reply::status(204),
            other => panic!("{other:?}"),
        }
    });
    let at = |text| Instant::parse(text).unwrap();
    let window = Window::new(at("2026-01-01T00:00:00Z"), at("2026-02-01T12:00:00.5Z")).unwrap();
    let (fetched, ended) = all_of(&client_source("audit-log", &server), window);
    assert_eq!(ended.unwrap().records, 3);
    let found: Vec<_> = fetched
        .iter()
        .map(|one| (one.body.as_array().unwrap().len(), one.complete, one.window.unwrap()))
        .collect();
    let pieces = window.pieces();
    // The second part has nothing: that it was asked for is handed over.
    assert_eq!(found, [(2, false, pieces[0]), (1, true, pieces[0]), (0, true, pieces[1])]);
    let asked = server.seen_at("/auditlog/v2/auditlogrecords");
    assert_eq!(asked[0].parameter("time_to").unwrap(), "2026-01-31T00:00:00");
    assert_eq!(asked[3].parameter("time_to").unwrap(), "2026-02-01T12:00:00");
    assert_eq!(
        asked[0].parameter("category").unwrap(),
        "audit.configuration,audit.security-events"
    );
}

#[test]
fn nothing_is_asked_about_the_future() {
    let server = cf_server(|seen, _| roles(seen, &[], 0, None));
    let at = |text| Instant::parse(text).unwrap();
    let window = Window::new(at("2026-01-01T00:00:00Z"), at("9000-01-01T00:00:00Z")).unwrap();
    let (_, ended) = all_of(&client_source("cf", &server), window);
    assert!(ended.unwrap_err().to_string().contains("9000-01-01"));
    assert!(server.seen().is_empty());
}
