//! Are secrets taken from files and the environment alone, and never shown? Is each wrong table refused with a reason?

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;
use tempfile::TempDir;

use super::server::{Reply, Server};
use super::{all, cf_server, client_source, roles, said, scim_source, secret_file, settings};
use crate::{Kind, Period};

/// The error of a table, whose files `SECRET`, `KEY` and `OPEN` exist
fn refused(toml: &str) -> String {
    let folder = TempDir::new().unwrap();
    let key = json!({"apiurl": "http://api.example", "url": "https://u.example", "clientid": "c", "clientsecret": "hidden"});
    let open = secret_file(folder.path(), "open", "hidden");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o640)).unwrap();
    let toml = toml
        .replace("SECRET", &secret_file(folder.path(), "secret", "hidden"))
        .replace("EMPTY", &secret_file(folder.path(), "empty", "\n"))
        .replace("KEY", &secret_file(folder.path(), "key.json", &key.to_string()))
        .replace("OPEN", &open);
    let error = match settings(&toml) {
        Ok(settings) => said(&settings.open().expect_err(&toml)),
        Err(error) => error.message().to_owned(),
    };
    assert!(!error.contains("hidden"), "{error}");
    error
}

#[test]
fn a_secret_in_the_table_is_refused_by_a_sentence() {
    for key in ["secret", "client-secret", "client_secret", "password", "refresh-token", "token"] {
        let error = refused(&format!("name = 'x'\nkind = 'cf'\n{key} = 'hidden'"));
        assert!(error.contains("a secret does not stand in the configuration"), "{key}: {error}");
    }
    let error = refused("name = 'x'\nkind = 'cf'\nclient-secret-env = 'hidden-hidden'");
    assert!(error.contains("missing"), "{error}");
}

#[test]
fn a_wrong_table_is_refused_with_a_reason() {
    let cf =
        "name = 'x'\nkind = 'cf'\nurl = 'https://a.example'\ntoken-url = 'https://u.example'\n";
    let scim = "name = 'x'\nkind = 'scim'\nurl = 'https://a.example/scim'\n";
    let user = "username = 'ada'\npassword-file = 'SECRET'\n";
    let client = "client-id = 'c'\nclient-secret-file = 'SECRET'\n";
    for (toml, expected) in [
        (format!("{cf}{client}colour = 'blue'"), "unknown field `colour`"),
        ("name = 'x'\nkind = 'ldap'".to_owned(), "unknown variant"),
        (format!("{cf}{client}every = '1 hour'"), "a time is a number"),
        (format!("{cf}{client}every = '59s'"), "`every`: it is a minute"),
        (format!("{cf}{client}overlap = '31d'"), "`overlap`: it is at most"),
        (format!("{cf}{client}on = 'moon:1'"), "`on`: `moon:1` is not a level"),
        (cf.replace("'x'", "'a b'"), "`name`: it is 1 to 64"),
        (cf.to_owned(), "say which client"),
        (format!("{cf}client-id = 'c'"), "say which client"),
        (format!("{cf}username = 'ada'"), "go together"),
        (format!("{cf}password-file = 'SECRET'"), "go together"),
        (
            format!("{cf}{user}password-env = 'HOME'"),
            "`password-env`: `password-file` says it already",
        ),
        (format!("{cf}{user}refresh-token-file = 'SECRET'"), "`refresh-token-file`: `username`"),
        (format!("{cf}{client}login-origin = 'x'"), "`login-origin`: it belongs to `username`"),
        (format!("{cf}{client}origin = 'x'"), "`origin`: it belongs to sources of the kind `scim`"),
        (format!("{cf}service-key-file = 'KEY'"), "Cloud Foundry has no service key"),
        (format!("{cf}{user}").replace("https://a", "http://a"), "`url`: it is an https URL"),
        (format!("{cf}{user}").replace("https://u", "http://u"), "`token-url`: it is an https URL"),
        (format!("{cf}{user}").replace("https://a", "https://ada:hidden@a"), "without a user name"),
        (format!("{cf}{user}").replace("url = 'https://a.example'\n", ""), "`url` is missing"),
        (format!("{cf}username = 'a'\npassword-file = 'OPEN'"), "has mode 0640"),
        (format!("{cf}username = 'a'\npassword-file = 'EMPTY'"), "it is empty"),
        (format!("{cf}username = 'a'\npassword-file = '/nowhere/x'"), "cannot be read"),
        (
            format!("{cf}username = 'a'\npassword-env = 'TENURE_NO_SUCH'"),
            "no variable `TENURE_NO_SUCH`",
        ),
        (format!("{cf}username = 'a'\npassword-env = 'hidden word'"), "name of a variable"),
        (
            format!("{scim}{user}token-url = 'https://u.example'"),
            "`token-url`: a source of the kind",
        ),
        (scim.to_owned(), "say who asks"),
        (format!("{scim}certificate-file = 'SECRET'"), "say who asks"),
        (format!("{scim}{user}key-file = 'SECRET'"), "`key-file`: `username` says already"),
        (format!("{scim}{user}").replace("'ada'", "'a:b'"), "has no `:`"),
        (format!("{scim}{user}ca-file = 'SECRET'"), "`ca-file`: the file"),
        (
            format!("{scim}certificate-file = 'SECRET'\nkey-file = 'SECRET'"),
            "no certificate in PEM",
        ),
        (
            format!("{scim}certificate-file = 'SECRET'\nkey-file = 'SECRET'")
                .replace("https://a.example", "http://localhost:1"),
            "over https alone",
        ),
        (
            "name = 'x'\nkind = 'xsuaa'\nservice-key-file = 'KEY'".to_owned(),
            "the URL of the API in it: it is an https URL",
        ),
        (
            "name = 'x'\nkind = 'xsuaa'\nservice-key-file = 'SECRET'".to_owned(),
            "it is no JSON object",
        ),
        (
            "name = 'x'\nkind = 'xsuaa'\nservice-key-file = 'KEY'\nclient-id = 'c'".to_owned(),
            "`client-id`: `service-key-file` says it already",
        ),
    ] {
        let error = refused(&toml);
        assert!(error.contains(expected), "{toml}\n{error}");
    }
}

#[test]
fn a_table_says_everything_about_a_source() {
    let folder = TempDir::new().unwrap();
    let file = secret_file(folder.path(), "secret", "hidden");
    let settings = settings(&format!(
        "name = 'acme'\nkind = 'scim'\nurl = 'https://a.example/scim'\nusername = 'ada'\npassword-file = '{file}'\n\
         on = 'subaccount:s1'\norigin = 'acme.ids'\nevery = '90m'\noverlap = '2h'"
    ))
    .unwrap();
    let source = settings.open().unwrap();
    assert_eq!((source.name(), source.kind()), ("acme", Kind::Scim));
    assert_eq!(source.on().unwrap().as_str(), "subaccount:s1");
    assert_eq!(source.origin(), Some("acme.ids"));
    assert_eq!(source.every().unwrap().as_secs(), 5_400);
    assert_eq!(source.overlap().as_secs(), 7_200);
    assert_eq!(settings.every, Some("90m".parse::<Period>().unwrap()));
    // What is said of the settings can be read again, and has no secret.
    let written = toml::to_string(&settings).unwrap();
    assert_eq!(super::settings(&written).unwrap(), settings);
    assert!(!written.contains("hidden") && !format!("{settings:?}").contains("hidden"));
}

#[test]
fn the_example_has_a_table_of_each_kind() {
    #[derive(serde::Deserialize)]
    struct Example {
        collect: Vec<crate::Settings>,
    }
    let example: Example = toml::from_str(include_str!("../settings/example.toml")).unwrap();
    let kinds: Vec<_> = example.collect.iter().map(|settings| settings.kind).collect();
    assert_eq!(kinds, [Kind::Cf, Kind::Xsuaa, Kind::AuditLog, Kind::Scim]);
    // All that is wrong with each is that its secret is not on this machine.
    for settings in example.collect {
        let error = said(&settings.open().unwrap_err());
        let absent = error.contains("cannot be read") || error.contains("the environment has no");
        assert!(absent, "{error}");
    }
}

#[test]
fn a_source_goes_to_the_thread_that_collects() {
    fn goes<T: Send + Sync>() {}
    goes::<crate::Source>();
    goes::<crate::CollectError>();
}

#[test]
fn a_source_that_is_shown_shows_no_secret() {
    let server = cf_server(|seen, _| roles(seen, &[], 0, None));
    for source in [client_source("cf", &server), scim_source(&server)] {
        let shown = format!("{source:?}");
        assert!(shown.contains("one") && !shown.contains("hidden"), "{shown}");
    }
    let secret = crate::secret::Secret::new("hidden");
    assert_eq!(format!("{secret:?}"), "Secret");
}

#[test]
fn an_error_has_no_secret_even_if_a_server_repeats_it() {
    let repeat = |status: u16| {
        move |seen: &super::Seen| {
            let all = format!("{} {}", seen.authorization.clone().unwrap_or_default(), seen.body);
            let said =
                json!({"error": "invalid_client", "error_description": all, "errors": [all]});
            Reply::status(status).body(&said.to_string()).header("x-said", &all)
        }
    };
    let hidden = ["hidden", "bGVkZ2Vy", "YWRtaW46"];
    for status in [302, 400, 401, 403, 404, 500] {
        let refusing = Server::run(repeat(status));
        let token = all(&client_source("cf", &refusing)).1.unwrap_err();
        let user = all(&scim_source(&refusing)).1.unwrap_err();
        let answer = repeat(status);
        let api = cf_server(move |seen, _| answer(seen));
        let page = all(&client_source("cf", &api)).1.unwrap_err();
        for error in [token, user, page] {
            for text in [said(&error), format!("{error:?}")] {
                assert!(!hidden.iter().any(|hidden| text.contains(hidden)), "{text}");
            }
        }
    }
    // A code that OAuth defines is shown.
    let refusing = Server::run(repeat(401));
    let error = all(&client_source("cf", &refusing)).1.unwrap_err().to_string();
    assert!(
        error.contains("/uaa/oauth/token was answered with status 401: it made no token"),
        "{error}"
    );
    assert!(error.contains("(`invalid_client`)"), "{error}");
    // An answer that should have a token, and has it in another place.
    let odd =
        Server::run(|_| Reply::json(&json!({"token": "hidden", "access_token": "hidden hidden"})));
    let error = all(&client_source("cf", &odd)).1.unwrap_err();
    assert!(
        said(&error).contains("no `access_token`") && !said(&error).contains("hidden"),
        "{error}"
    );
}
