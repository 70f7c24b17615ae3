//! Tests against a server on loopback that answers as recorded, and as servers do on bad days

mod failures;
mod given_up;
mod pages;
mod secrets;
mod server;
mod tls;
mod tokens;
mod unsteady;

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tenure_core::Instant;

use crate::retry::Limits;
use crate::{CollectError, Collected, Fetched, Settings, Source, Window, collect};
use server::{Reply, Seen, Server};

/// A file that its owner alone may open
fn secret_file(folder: &Path, name: &str, text: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn settings(toml: &str) -> Result<Settings, toml::de::Error> {
    toml::from_str(toml)
}

/// A source that waits for milliseconds where others wait for seconds
fn source(toml: &str) -> Source {
    settings(toml).unwrap().open_within(quick()).unwrap()
}

fn quick() -> Limits {
    Limits { wait_first: Duration::from_millis(4), ..Limits::STANDARD }
}

/// A source of a kind whose client `ledger` has the secret `client-hidden`
fn client_source(kind: &str, server: &Server) -> Source {
    let folder = TempDir::new().unwrap();
    let file = secret_file(folder.path(), "secret", "client-hidden\n");
    source(&format!(
        "name = 'one'\nkind = '{kind}'\nurl = '{url}'\ntoken-url = '{url}/uaa'\nclient-id = 'ledger'\n\
         client-secret-file = '{file}'",
        url = server.url()
    ))
}

/// An identity provider that is asked by a password
fn scim_source(server: &Server) -> Source {
    scim_source_within(server, quick())
}

fn scim_source_within(server: &Server, limits: Limits) -> Source {
    let folder = TempDir::new().unwrap();
    let file = secret_file(folder.path(), "password", "user-hidden");
    let toml = format!(
        "name = 'one'\nkind = 'scim'\nurl = '{}/scim'\nusername = 'admin'\npassword-file = '{file}'",
        server.url()
    );
    settings(&toml).unwrap().open_within(limits).unwrap()
}

fn window() -> Window {
    let at = |text| Instant::parse(text).unwrap();
    Window::new(at("2026-01-01T00:00:00Z"), at("2026-01-02T00:00:00Z")).unwrap()
}

/// What a collection hands over, and how it ends; one that would never end is given up
fn all(source: &Source) -> (Vec<Fetched>, Result<Collected, CollectError>) {
    all_of(source, window())
}

fn all_of(source: &Source, window: Window) -> (Vec<Fetched>, Result<Collected, CollectError>) {
    let begun = std::time::Instant::now();
    let mut fetched = Vec::new();
    let too_long = || begun.elapsed() > Duration::from_secs(20);
    let ended = collect(source, window, &too_long, &mut |one| {
        fetched.push(one);
        Ok(())
    });
    (fetched, ended)
}

/// All that an error says, with its causes
fn said(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn token(number: usize) -> Reply {
    let text = format!("token-hidden-{number}");
    Reply::json(&json!({"access_token": text, "token_type": "bearer", "expires_in": 3_600}))
}

/// A page of Cloud Foundry
fn cf_page(ids: &[&str], total: usize, next: Option<&str>) -> Value {
    let resources: Vec<_> = ids.iter().map(|id| json!({"guid": id})).collect();
    let next = next.map(|href| json!({"href": href}));
    json!({"pagination": {"total_results": total, "next": next}, "resources": resources})
}

/// A page of roles with the number of the next one
fn roles(seen: &Seen, ids: &[&str], total: usize, next: Option<usize>) -> Reply {
    let next = next.map(|page| seen.own(&format!("/v3/roles?page={page}")));
    Reply::json(&cf_page(ids, total, next.as_deref()))
}

/// Which page of the roles is asked for
fn page_of(seen: &Seen) -> usize {
    seen.parameter("page").map_or(1, |page| page.parse().unwrap())
}

/// A server of Cloud Foundry whose listings are empty, but for the roles
fn cf_server(roles: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Server {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let made = std::sync::atomic::AtomicUsize::new(0);
    let count = |of: &std::sync::atomic::AtomicUsize| {
        of.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1
    };
    Server::run(move |seen| match seen.path() {
        "/uaa/oauth/token" => token(count(&made)),
        "/v3/roles" => roles(seen, count(&asked)),
        _ => Reply::json(&cf_page(&[], 0, None)),
    })
}
