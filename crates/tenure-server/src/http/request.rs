//! Who sent a request, and what do its query and its body say?

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, ORIGIN};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::Value;
use tenure_wire::api::Problem;
use tenure_wire::codec;
use tenure_wire::question::{self, Parameters};

use super::connection::{Connection, Over};
use super::cors;
use super::door::{App, HttpDoor};
use super::logon::session;
use super::media_type::format;
use super::response::turned_away;
use crate::hall::{Caller, Credentials};
use crate::problem::{Code, of_texts, problem};

/// Who sent a request, as a handler takes it
pub(super) type Asker = Extension<Caller>;

/// Finds out who sends a request before anything of it is looked up; who cannot be known is turned away
pub(super) async fn callers(
    State(door): App,
    Extension(connection): Over,
    mut request: Request,
    next: Next,
) -> Response {
    match caller(&door, &connection, request.method(), request.headers()).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => turned_away(problem, request.body()),
    }
}

async fn caller(
    door: &HttpDoor,
    connection: &Connection,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Caller, Problem> {
    let mut sent = headers.get_all(AUTHORIZATION).iter();
    // A text that is no header value of ours is no token either.
    let authorization = sent.next().map(|one| one.to_str().unwrap_or_default());
    if sent.next().is_some() {
        return Err(problem(Code::BadRequest, "the request has more than one `authorization`"));
    }
    let session = session(headers);
    if authorization.is_none()
        && session.is_some()
        && !is_safe(method)
        && !headers.contains_key(ORIGIN)
    {
        // Every browser says from which page it changes something; a foreign one has been turned away before.
        let detail = "a session changes something only from a page of this server, and the request names none";
        return Err(problem(Code::ForeignOrigin, detail));
    }
    // Pages of other origins that may ask say by a token for whom.
    let named = cors::is_named(&door.cors_origins, headers);
    let session = session.filter(|_| !named);
    let peer = connection.peer.as_ref().filter(|_| !named);
    door.hall.caller(Credentials { authorization, session, peer }).await
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Parameters that name a principal
const PRINCIPALS: [&str; 3] = ["principal", "actor", "submitter"];

/// Whether a value is an address, or a user with one, as it is typed
fn is_address(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    let other = value.contains(':') || value.contains("%3a");
    (value.contains('@') || value.contains("%40"))
        && (!other || value.starts_with("user:") || value.starts_with("user%3a"))
}

/// A query string in which each `+` within an e-mail address is written `%2B`
///
/// In a query a `+` is a space. People type addresses as they are, and no address has a space: so there it is
/// what it looks like.
fn with_addresses(query: &str) -> String {
    let written = |pair: &str| match pair.split_once('=') {
        Some((name, value)) if PRINCIPALS.contains(&name) && is_address(value) => {
            format!("{name}={}", value.replace('+', "%2B"))
        }
        _ => pair.to_owned(),
    };
    query.split('&').map(written).collect::<Vec<_>>().join("&")
}

/// The parameters of a query string
pub(super) fn parameters(query: Option<&str>) -> Result<Parameters, Problem> {
    let query = with_addresses(query.unwrap_or_default());
    let pairs = form_urlencoded::parse(query.as_bytes());
    let pairs = pairs.map(|(name, value)| (name.into_owned(), value.into_owned()));
    question::parameters(pairs).map_err(|error| of_texts(&error))
}

/// A body as a tree, in the format that its header names
pub(super) fn body_tree(headers: &HeaderMap, body: &[u8]) -> Result<Value, Problem> {
    codec::tree(format(headers)?, body)
        .map_err(|error| problem(Code::BadRequest, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_in_an_address_is_a_plus_and_elsewhere_a_space() {
        for (query, name, value) in [
            ("principal=m.k+1@corp.example", "principal", "m.k+1@corp.example"),
            ("principal=m.k+1%40corp.example", "principal", "m.k+1@corp.example"),
            ("principal=m.k%2B1@corp.example", "principal", "m.k+1@corp.example"),
            ("principal=group:corp/Ops+@+HQ", "principal", "group:corp/Ops @ HQ"),
            ("principal=user:corp/a+b@c", "principal", "user:corp/a+b@c"),
            ("principal=user:corp/a+b", "principal", "user:corp/a b"),
            ("on=x&role_collection=A+B@c", "role_collection", "A B@c"),
        ] {
            let parameters = parameters(Some(query)).unwrap();
            assert_eq!(parameters.get(name), Some(value), "{query}");
        }
    }
}
