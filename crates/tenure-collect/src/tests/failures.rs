//! Is a server that fails asked again, and is it said what to do where that does not help?

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::server::{Reply, Seen, Server};
use super::{
    all, cf_page, cf_server, client_source, roles, said, scim_source, scim_source_within, token,
};
use crate::retry::Limits;
use crate::{CollectError, What};

/// Roles that are there at last, after so many tries
fn check_again(fails: impl Fn(usize) -> Option<Reply> + Send + Sync + 'static, tries: usize) {
    let server =
        cf_server(move |seen, asked| fails(asked).unwrap_or_else(|| roles(seen, &["a"], 1, None)));
    let (_, ended) = all(&client_source("cf", &server));
    assert_eq!(ended.unwrap().records, 1);
    assert_eq!(server.seen_at("/v3/roles").len(), tries);
}

fn at_first(times: usize, reply: fn() -> Reply) -> impl Fn(usize) -> Option<Reply> {
    move |asked| (asked <= times).then(reply)
}

#[test]
fn a_broken_server_is_asked_again() {
    for status in [500, 502, 503, 504, 429] {
        check_again(move |asked| (asked <= 5).then(|| Reply::status(status)), 6);
    }
}

#[test]
fn half_a_page_is_read_again() {
    fn half() -> Reply {
        Reply::json(&cf_page(&["a"], 1, None)).half()
    }
    check_again(at_first(2, half), 3);
    check_again(at_first(2, || half().without_length()), 3);
    check_again(at_first(1, || Reply::status(200)), 2);
}

#[test]
fn an_answer_that_takes_too_long_is_asked_for_again() {
    let server = Server::run(|seen| {
        let slow = seen.path() == "/scim/Users";
        let pause = if slow { Duration::from_secs(20) } else { Duration::ZERO };
        Reply::json(&json!({"totalResults": 0})).after(pause)
    });
    let limits = Limits {
        answer: Duration::from_millis(100),
        wait_first: Duration::from_millis(4),
        ..Limits::STANDARD
    };
    let begun = Instant::now();
    let error = all(&scim_source_within(&server, limits)).1.unwrap_err();
    assert!(matches!(error, CollectError::Unreachable { tries: 6, .. }), "{}", said(&error));
    assert!(said(&error).contains("timeout"), "{}", said(&error));
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_server_that_stays_broken_ends_the_collection() {
    let server = cf_server(|_, _| Reply::status(502));
    let error = all(&client_source("cf", &server)).1.unwrap_err();
    assert!(matches!(error, CollectError::Busy { status: 502, tries: 6, .. }), "{error}");
    assert_eq!(server.seen_at("/v3/roles").len(), 6);
}

#[test]
fn the_count_of_failures_begins_anew_after_an_answer() {
    let server = cf_server(|seen, asked| match asked {
        1..=4 | 6..=9 => Reply::status(500),
        5 => roles(seen, &["a"], 2, Some(2)),
        _ => roles(seen, &["b"], 2, None),
    });
    assert_eq!(all(&client_source("cf", &server)).1.unwrap().records, 2);
}

#[test]
fn a_server_says_how_long_to_wait() {
    for status in [429, 503] {
        let begun = Instant::now();
        check_again(
            move |asked| (asked == 1).then(|| Reply::status(status).header("retry-after", "1")),
            2,
        );
        assert!(begun.elapsed() >= Duration::from_secs(1));
        let begun = Instant::now();
        let by_date = || {
            Reply::status(503)
                .header("date", "Wed, 21 Oct 2015 07:28:00 GMT")
                .header("retry-after", "Wed, 21 Oct 2015 07:28:01 GMT")
        };
        check_again(at_first(1, by_date), 2);
        assert!(begun.elapsed() >= Duration::from_secs(1));
    }
}

#[test]
fn a_wait_of_hours_ends_the_collection() {
    let server = cf_server(|_, _| Reply::status(429).header("retry-after", "7200"));
    let error = all(&client_source("cf", &server)).1.unwrap_err();
    assert!(matches!(error, CollectError::Wait { seconds: 7_200, .. }), "{error}");
}

#[test]
fn a_server_that_goes_away_and_comes_back() {
    fn answer(seen: &Seen) -> Reply {
        match (seen.path(), seen.parameter("startIndex").as_deref()) {
            ("/scim/Users", Some("1")) => {
                Reply::json(&json!({"Resources": [{"id": "a"}], "totalResults": 2}))
            }
            ("/scim/Users", _) => {
                Reply::json(&json!({"Resources": [{"id": "b"}], "totalResults": 2}))
            }
            _ => Reply::json(&json!({"totalResults": 0})),
        }
    }
    // The port is taken, and nobody listens at first.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::run_at(listener, answer);
    let mut source = scim_source(&server);
    source.limits.wait_first = Duration::from_millis(100);
    drop(server);
    let back = thread::spawn(move || {
        thread::sleep(Duration::from_millis(250));
        Server::run_at(TcpListener::bind(address).unwrap(), answer)
    });
    let (fetched, ended) = all(&source);
    assert_eq!(ended.unwrap().records, 2);
    assert_eq!(fetched.len(), 3);
    drop(back.join().unwrap());

    source.limits.wait_first = Duration::from_millis(4);
    thread::sleep(Duration::from_millis(50));
    let error = all(&source).1.unwrap_err();
    assert!(matches!(error, CollectError::Unreachable { tries: 6, .. }), "{}", said(&error));
}

#[test]
fn a_page_at_another_server_is_not_asked_for() {
    let other = Server::run(|_| panic!("it was asked"));
    let elsewhere = other.url();
    let next = format!("{elsewhere}/v3/roles?page=2");
    let server = cf_server(move |_, _| Reply::json(&cf_page(&["a"], 2, Some(&next))));
    let (fetched, ended) = all(&client_source("cf", &server));
    let error = ended.unwrap_err();
    assert!(
        matches!(&error, CollectError::Elsewhere { elsewhere: said, .. } if *said == elsewhere),
        "{error}"
    );
    assert!(other.seen().is_empty());
    assert!(fetched.iter().all(|one| one.what != What::CfRoles));
}

#[test]
fn a_redirect_is_not_followed() {
    let other = Server::run(|_| panic!("it was asked"));
    let location = format!("{}/v3/roles", other.url());
    let server = cf_server(move |_, _| Reply::status(302).header("location", &location));
    let error = all(&client_source("cf", &server)).1.unwrap_err();
    assert!(error.to_string().contains("status 302: the server sends us elsewhere"), "{error}");
    assert!(other.seen().is_empty());
}

#[test]
fn a_refusal_says_what_was_asked_and_what_to_do() {
    fn check(kind: &str, path: &'static str, status: u16, expected: &str) {
        let server = Server::run(move |seen| match seen.path() {
            "/uaa/oauth/token" => token(1),
            asked if asked == path => Reply::status(status),
            "/Users" => Reply::json(&json!({"totalResults": 0})),
            asked if asked.starts_with("/v3") => Reply::json(&cf_page(&[], 0, None)),
            _ => Reply::json(&json!([])),
        });
        let error = all(&client_source(kind, &server)).1.unwrap_err().to_string();
        assert!(error.contains(&format!("{path} was answered with status {status}")), "{error}");
        assert!(error.contains(expected), "{error}");
        // It was asked once: another try would not help.
        assert_eq!(server.seen_at(path).len(), 1);
    }
    check("cf", "/v3/roles", 403, "cloud_controller.global_auditor");
    check("xsuaa", "/sap/rest/authorization/v2/rolecollections", 403, "xs_authorization.read");
    check("xsuaa", "/Users", 403, "xs_user.read");
    check("xsuaa", "/sap/rest/identity-providers", 403, "xs_idp.read");
    check("audit-log", "/auditlog/v2/auditlogrecords", 403, "auditlog-management");
    check("cf", "/v3/organizations", 404, "is `url` the address");
    check("cf", "/v3/audit_events", 400, "does not take this question");
    check("cf", "/v3/users", 418, "not expected");
}

#[test]
fn an_answer_of_another_shape_says_what_is_missing() {
    fn check(kind: &str, reply: fn() -> Reply, expected: &str) {
        let server = Server::run(move |seen| match seen.path() {
            "/uaa/oauth/token" => token(1),
            _ => reply(),
        });
        let error = all(&client_source(kind, &server)).1.unwrap_err();
        assert!(matches!(error, CollectError::Shape { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    check("cf", || Reply::status(200).body("<html>log on</html>"), "no JSON");
    check("cf", || Reply::json(&json!([])), "total_results");
    check("cf", || Reply::json(&json!({"pagination": {"total_results": 0}})), "`resources`");
    check(
        "cf",
        || Reply::json(&json!({"pagination": {"total_results": 1}, "resources": [{}]})),
        "no id",
    );
    check(
        "cf",
        || Reply::json(&cf_page(&["a"], 2, Some("/v3/roles?page=2"))),
        "no http or https URL",
    );
    check("xsuaa", || Reply::json(&json!({})), "no array");
    check("audit-log", || Reply::json(&json!([])).header("paging", "x"), "`handle=`");
    check("audit-log", || Reply::json(&json!([])).header("paging", "handle=a&b"), "`handle=`");
}
