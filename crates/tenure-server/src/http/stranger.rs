//! Is a request heard at all, or does a web page of a stranger make a browser send it?
//!
//! A web page can give its own name the address of this server (DNS rebinding), or simply send a request to
//! it. In both cases the browser says so in headers that the page cannot set. They are read before the body
//! and before anything else. No page gets permission (CORS) but those of origins that an operator names.

use std::net::IpAddr;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tenure_wire::api::Problem;

use super::connection::Over;
use super::cors;
use super::door::App;
use super::host::Host;
use super::response::turned_away;
use crate::problem::{Code, problem};

/// To which socket of the server a connection came
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CameTo {
    /// To this address of the machine
    Address(IpAddr),
    /// To a Unix socket, which no web page reaches
    UnixSocket,
}

/// Turns away what a stranger's web page makes a browser send
pub(super) async fn strangers(
    State(door): App,
    Extension(connection): Over,
    request: Request,
    next: Next,
) -> Response {
    let came_to = connection.came_to;
    // HTTP/2 has the host in `:authority`, which is the authority of the target.
    let asked = request.uri().authority().map(|authority| authority.as_str());
    let host = host(asked, request.headers(), came_to);
    let heard = host.and_then(|host| {
        is_ours(host.as_ref(), came_to, &door.hosts)?;
        if cors::allows(&door.cors_origins, request.uri().path(), request.headers()) {
            return Ok(());
        }
        is_no_foreign_page(host.as_ref(), request.method(), request.headers())
    });
    match heard {
        Ok(()) => next.run(request).await,
        Err(problem) => turned_away(problem, request.body()),
    }
}

fn text(value: &HeaderValue) -> &str {
    // A text that no browser sends is equal to no text that is expected.
    value.to_str().unwrap_or("?")
}

/// The host that a request asks; absent only where a Unix socket was asked
fn host(
    in_target: Option<&str>,
    headers: &HeaderMap,
    came_to: CameTo,
) -> Result<Option<Host>, Problem> {
    let bad = |detail: String| problem(Code::BadRequest, detail);
    let named: Vec<&str> = headers.get_all(HOST).iter().map(text).collect();
    let host = match named[..] {
        [] | [""] => None,
        [host] => Some(host),
        _ => return Err(bad("the request has more than one `Host`".to_owned())),
    };
    // A request target with a host goes before the header (RFC 9112); if both are there, they say the same.
    if let (Some(target), Some(host)) = (in_target, host)
        && !target.eq_ignore_ascii_case(host)
    {
        return Err(bad("the request target names another host than `Host`".to_owned()));
    }
    match in_target.or(host) {
        Some(host) => {
            host.parse().map(Some).map_err(|error| bad(format!("`Host` cannot be read: {error}")))
        }
        None if came_to == CameTo::UnixSocket => Ok(None),
        None => Err(bad("the request has no `Host`: send the name of this server".to_owned())),
    }
}

fn is_ours(host: Option<&Host>, came_to: CameTo, hosts: &[Host]) -> Result<(), Problem> {
    let Some(host) = host else { return Ok(()) };
    let is_literal = matches!(came_to, CameTo::Address(address) if host.is_address(address));
    if host.is_loopback() || is_literal || hosts.iter().any(|ours| ours.covers(host)) {
        return Ok(());
    }
    let detail = format!(
        "`{host}` is no name of this server: ask it as `localhost`, or let its operator add the name to `hosts`"
    );
    Err(problem(Code::BadHost, detail))
}

fn is_no_foreign_page(
    host: Option<&Host>,
    method: &Method,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    let is = |name: &str, expected: &[&str]| {
        headers.get(name).map(text).map(|text| expected.contains(&text))
    };
    if matches!(*method, Method::GET | Method::HEAD) {
        let embedded = is("sec-fetch-site", &["cross-site"]) == Some(true)
            && is("sec-fetch-mode", &["navigate"]) != Some(true);
        return if embedded { Err(foreign("another site")) } else { Ok(()) };
    }
    let own = |origin: &&HeaderValue| host.is_some_and(|host| host.is_origin(text(origin)));
    if let Some(origin) = headers.get_all(ORIGIN).iter().find(|origin| !own(origin)) {
        let shown: String = text(origin).chars().take(100).collect();
        return Err(foreign(&format!("`{shown}`")));
    }
    match is("sec-fetch-site", &["same-origin", "none"]) {
        Some(false) => Err(foreign("another site")),
        None | Some(true) => Ok(()),
    }
}

fn foreign(page: &str) -> Problem {
    let detail = format!(
        "a web page of {page} made the browser send this request: only pages of this server may, so nothing was done"
    );
    problem(Code::ForeignOrigin, detail)
}
