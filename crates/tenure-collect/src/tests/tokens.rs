//! Is a token of each grant made, kept and renewed?

use serde_json::json;
use tempfile::TempDir;

use super::server::{Reply, Server};
use super::{all, cf_page, cf_server, client_source, page_of, roles, secret_file, source, token};

/// What is asked for a token of these keys, without the secrets of a client
fn asked(keys: &str) -> (String, Vec<(String, String)>) {
    let folder = TempDir::new().unwrap();
    let file = |name, text| secret_file(folder.path(), name, text);
    let keys = keys
        .replace("CLIENT", &file("client", "client+hidden"))
        .replace("PASSWORD", &file("password", "pass&word hidden"))
        .replace("REFRESH", &file("refresh", "refresh-hidden"));
    let server = cf_server(|seen, _| roles(seen, &[], 0, None));
    let toml =
        format!("name = 'one'\nkind = 'cf'\nurl = '{0}'\ntoken-url = '{0}/uaa/'\n", server.url());
    all(&source(&(toml + &keys))).1.unwrap();
    let seen = &server.seen_at("/uaa/oauth/token")[0];
    assert_eq!(seen.method, "POST");
    let form = form_urlencoded::parse(seen.body.as_bytes()).into_owned().collect();
    (seen.authorization.clone().unwrap(), form)
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn each_grant() {
    // "ledger!b1:client+hidden" and "cf:"
    let (client, cf) = ("Basic bGVkZ2VyIWIxOmNsaWVudCtoaWRkZW4=", "Basic Y2Y6");
    let (authorization, form) = asked("client-id = 'ledger!b1'\nclient-secret-file = 'CLIENT'");
    assert_eq!(authorization, client);
    assert_eq!(form, pairs(&[("grant_type", "client_credentials")]));

    // "ledger:tenure-collect": a variable that cargo sets for its tests
    let (authorization, _) = asked("client-id = 'ledger'\nclient-secret-env = 'CARGO_PKG_NAME'");
    assert_eq!(authorization, "Basic bGVkZ2VyOnRlbnVyZS1jb2xsZWN0");

    let (authorization, form) = asked("username = 'ada@example.test'\npassword-file = 'PASSWORD'");
    assert_eq!(authorization, cf);
    let user = [
        ("grant_type", "password"),
        ("username", "ada@example.test"),
        ("password", "pass&word hidden"),
    ];
    assert_eq!(form, pairs(&user));

    let keys =
        "username = 'ada@example.test'\npassword-file = 'PASSWORD'\nlogin-origin = 'acme.ids'";
    let hint = [("login_hint", r#"{"origin":"acme.ids"}"#)];
    assert_eq!(asked(keys).1, pairs(&[&user[..], &hint[..]].concat()));

    let (authorization, form) = asked("refresh-token-file = 'REFRESH'");
    assert_eq!(authorization, cf);
    assert_eq!(
        form,
        pairs(&[("grant_type", "refresh_token"), ("refresh_token", "refresh-hidden")])
    );
}

#[test]
fn a_service_key_says_where_and_as_whom_to_ask() {
    let server = Server::run(|seen| match seen.path() {
        "/uaa/oauth/token" => token(1),
        _ => Reply::status(204),
    });
    let folder = TempDir::new().unwrap();
    let key = json!({
        "url": server.url(),
        "uaa": {"url": format!("{}/uaa", server.url()), "clientid": "key", "clientsecret": "hidden"},
    });
    let file = secret_file(folder.path(), "key.json", &key.to_string());
    let source = source(&format!("name = 'one'\nkind = 'audit-log'\nservice-key-file = '{file}'"));
    all(&source).1.unwrap();
    // "key:hidden"
    let asked = &server.seen_at("/uaa/oauth/token")[0];
    assert_eq!(asked.authorization.as_deref(), Some("Basic a2V5OmhpZGRlbg=="));
}

#[test]
fn a_token_that_ends_in_the_middle_is_renewed_and_reading_goes_on() {
    let server = cf_server(|seen, asked| match (page_of(seen), asked) {
        (1, _) => roles(seen, &["a"], 3, Some(2)),
        (2, 2) => Reply::status(401),
        (2, _) => roles(seen, &["b"], 3, Some(3)),
        _ => roles(seen, &["c"], 3, None),
    });
    let (_, ended) = all(&client_source("cf", &server));
    assert_eq!(ended.unwrap().records, 3);
    let asked: Vec<_> = server
        .seen_at("/v3/roles")
        .iter()
        .map(|seen| (page_of(seen), seen.authorization.clone().unwrap()))
        .collect();
    let (first, second) = ("Bearer token-hidden-1".to_owned(), "Bearer token-hidden-2".to_owned());
    let expected = [(1, first.clone()), (2, first), (2, second.clone()), (3, second)];
    assert_eq!(asked, expected);
}

#[test]
fn a_token_that_is_refused_twice_is_not_asked_for_again() {
    let server = cf_server(|_, _| Reply::status(401));
    let error = all(&client_source("cf", &server)).1.unwrap_err();
    assert!(
        error.to_string().contains("status 401: the server does not accept who asks"),
        "{error}"
    );
    assert_eq!(server.seen_at("/v3/roles").len(), 2);
    assert_eq!(server.seen_at("/uaa/oauth/token").len(), 2);
}

#[test]
fn a_token_is_renewed_when_its_time_is_over_and_takes_the_new_refresh_token() {
    let server = Server::run(|seen| match seen.path() {
        "/uaa/oauth/token" => {
            let next = format!("{}+", seen.field("refresh_token").unwrap());
            Reply::json(&json!({"access_token": "x", "expires_in": 0, "refresh_token": next}))
        }
        _ => Reply::json(&cf_page(&[], 0, None)),
    });
    let folder = TempDir::new().unwrap();
    let file = secret_file(folder.path(), "refresh", "first");
    let source = source(&format!(
        "name = 'one'\nkind = 'cf'\nurl = '{0}'\ntoken-url = '{0}/uaa'\nrefresh-token-file = '{file}'",
        server.url()
    ));
    all(&source).1.unwrap();
    let tokens: Vec<_> = server
        .seen_at("/uaa/oauth/token")
        .iter()
        .map(|seen| seen.field("refresh_token").unwrap())
        .collect();
    assert_eq!(tokens, ["first", "first+", "first++", "first+++", "first++++", "first+++++"]);
}
