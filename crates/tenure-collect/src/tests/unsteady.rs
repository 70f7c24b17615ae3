//! Is a listing that changes while it is read never handed over in part?

use serde_json::json;

use super::server::{Reply, Seen, Server};
use super::{all, cf_server, client_source, page_of, roles, scim_source, token};
use crate::{CollectError, What};

/// How often roles with these pages are read, if they never are whole, and what is said then
fn check(answer: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static, expected: &str) {
    let server = cf_server(answer);
    let (fetched, ended) = all(&client_source("cf", &server));
    let error = ended.unwrap_err();
    assert!(error.to_string().contains(expected), "{error}");
    assert!(
        matches!(error, CollectError::Unsteady { readings: 4, what: What::CfRoles, .. }),
        "{error}"
    );
    assert!(fetched.iter().all(|one| one.what != What::CfRoles), "part of a listing");
    let begun = server.seen_at("/v3/roles").iter().filter(|seen| page_of(seen) == 1).count();
    assert_eq!(begun, 4);
}

#[test]
fn a_page_that_is_gone() {
    check(
        |seen, _| match page_of(seen) {
            1 => roles(seen, &["a"], 2, Some(2)),
            _ => Reply::status(404),
        },
        "missing",
    );
}

#[test]
fn an_end_before_the_total() {
    check(|seen, _| roles(seen, &["a"], 2, None), "ended before");
}

#[test]
fn an_empty_page_in_the_middle() {
    check(
        |seen, _| match page_of(seen) {
            1 => roles(seen, &["a"], 2, Some(2)),
            2 => roles(seen, &[], 2, Some(3)),
            _ => roles(seen, &["b"], 2, None),
        },
        "no resources",
    );
}

#[test]
fn a_page_that_repeats() {
    check(
        |seen, _| match page_of(seen) {
            3 => roles(seen, &["c"], 3, None),
            page => roles(seen, &["a"], 3, Some(page + 1)),
        },
        "there twice",
    );
}

#[test]
fn a_next_page_that_was_read_before() {
    check(
        |seen, asked| match page_of(seen) {
            1 => roles(seen, &["a"], 100, Some(2)),
            _ => roles(seen, &[&format!("x{asked}")], 100, Some(2)),
        },
        "read before",
    );
}

#[test]
fn a_total_that_changes() {
    check(
        |seen, _| match page_of(seen) {
            1 => roles(seen, &["a"], 2, Some(2)),
            _ => roles(seen, &["b", "c"], 3, None),
        },
        "changed",
    );
}

#[test]
fn a_loop_of_pages_that_never_ends() {
    check(
        |seen, asked| roles(seen, &[&format!("x{asked}")], 20, Some(page_of(seen) + 1)),
        "more resources",
    );
}

#[test]
fn a_listing_that_stands_still_again_is_handed_over_once() {
    let server = cf_server(|seen, asked| match (page_of(seen), asked) {
        // While it is read for the first time, a role is added.
        (1, 1) => roles(seen, &["a"], 2, Some(2)),
        (_, 2) => roles(seen, &["b", "c"], 3, None),
        (1, _) => roles(seen, &["a", "b"], 3, Some(2)),
        _ => roles(seen, &["c"], 3, None),
    });
    let (fetched, ended) = all(&client_source("cf", &server));
    ended.unwrap();
    let found: Vec<_> = fetched.iter().filter(|one| one.what == What::CfRoles).collect();
    let sizes: Vec<_> =
        found.iter().map(|one| one.body["resources"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [2, 1]);
}

#[test]
fn users_that_change_while_they_are_read() {
    for (second, expected) in [
        (json!({"Resources": [{"id": "b"}], "totalResults": 3}), "changed"),
        (json!({"Resources": [{"id": "a"}], "totalResults": 2}), "there twice"),
        (json!({"Resources": [], "totalResults": 2}), "no resources"),
        (json!({"totalResults": 2}), "no resources"),
        (json!({"Resources": [{"id": "b"}, {"id": "c"}], "totalResults": 2}), "more resources"),
    ] {
        let server = Server::run(move |seen| match seen.parameter("startIndex").as_deref() {
            Some("1") => Reply::json(&json!({"Resources": [{"id": "a"}], "totalResults": 2})),
            _ => Reply::json(&second),
        });
        let error = all(&scim_source(&server)).1.unwrap_err();
        assert!(matches!(error, CollectError::Unsteady { readings: 4, .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn handles_that_go_round_and_pages_that_repeat() {
    for (same_handle, expected) in [(true, "read before"), (false, "there twice")] {
        let count = std::sync::atomic::AtomicUsize::new(0);
        let server = Server::run(move |seen| {
            if seen.path() == "/uaa/oauth/token" {
                return token(1);
            }
            let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let (record, handle) = match same_handle {
                true => (number, 0),
                false => (0, number),
            };
            Reply::json(&json!([{"message_uuid": record}]))
                .header("paging", &format!("handle={handle}"))
        });
        let (fetched, ended) = all(&client_source("audit-log", &server));
        let error = ended.unwrap_err();
        assert!(matches!(error, CollectError::Unsteady { readings: 4, .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
        assert!(fetched.is_empty());
    }
}

/// An audit log without an end, whose pages are all different
fn endless() -> Server {
    let count = std::sync::atomic::AtomicUsize::new(0);
    Server::run(move |seen| match seen.path() {
        "/uaa/oauth/token" => token(1),
        _ => {
            let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Reply::json(&json!([{"message_uuid": format!("{number:08}")}]))
                .header("paging", &format!("handle={number}"))
        }
    })
}

#[test]
fn a_listing_without_an_end_is_given_up_at_a_bound() {
    let server = endless();
    let mut source = client_source("audit-log", &server);
    source.limits.pages_max = 20;
    let error = all(&source).1.unwrap_err();
    assert!(error.to_string().contains("more than 20 pages"), "{error}");
    assert_eq!(server.seen_at("/auditlog/v2/auditlogrecords").len(), 20);

    let server = endless();
    let mut source = client_source("audit-log", &server);
    source.limits.listing_bytes_max = 100;
    let error = all(&source).1.unwrap_err();
    assert!(error.to_string().contains("more than 100 bytes"), "{error}");

    let server = endless();
    let mut source = client_source("audit-log", &server);
    source.limits.page_bytes_max = 10;
    let error = all(&source).1.unwrap_err();
    assert!(error.to_string().contains("more than 10 bytes in a page"), "{error}");
    assert_eq!(server.seen_at("/auditlog/v2/auditlogrecords").len(), 1);
}
