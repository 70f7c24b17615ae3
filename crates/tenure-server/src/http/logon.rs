//! How does a person log on in a browser, and off again?
//!
//! `/auth/login` sends the browser to the issuer, `/auth/callback` takes it back and begins a session, `/auth/logout` ends it.
//! The cookies are bound to this host (`__Host-`), no script reads them, and no other site makes a browser send them with
//! anything but a link.

use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

use super::door::App;
use super::response::Failure;
use crate::hall::{Begun, SESSION};
use crate::problem::{Code, problem};

/// The cookie of a session
const SESSION_COOKIE: &str = "__Host-tenure-session";
/// The cookie of a log-on that has begun
const LOGON_COOKIE: &str = "__Host-tenure-logon";
/// How long a person may take to log on
const LOGON: Duration = Duration::from_secs(600);
/// Longest path to go to afterwards, in bytes
const PATH_BYTES_MAX: usize = 2_048;

/// The text of the session that a request brings
pub(super) fn session(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, SESSION_COOKIE)
}

fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find_map(|(found, value)| (found.trim() == name).then(|| value.trim()))
}

/// A cookie for so long; at once over for no time at all
fn set(name: &str, value: &str, age: Duration) -> (HeaderName, String) {
    let age = age.as_secs();
    (SET_COOKIE, format!("{name}={value}; Path=/; Max-Age={age}; Secure; HttpOnly; SameSite=Lax"))
}

fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.find_map(|(found, value)| (found == name).then(|| value.into_owned()))
}

/// A path of this server; a browser reads `//` and `/\` as the begin of another host
fn own_path(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next() == Some(b'/')
        && !matches!(bytes.next(), Some(b'/' | b'\\'))
        && text.len() <= PATH_BYTES_MAX
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A response that no cache keeps and that sends the browser on
fn on(to: &str, cookies: impl IntoIterator<Item = (HeaderName, String)>) -> Response {
    let headers = [(LOCATION, to.to_owned()), (CACHE_CONTROL, "no-store".to_owned())];
    let headers = AppendHeaders(headers.into_iter().chain(cookies).collect::<Vec<_>>());
    (StatusCode::SEE_OTHER, headers).into_response()
}

pub(super) async fn login(
    State(door): App,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let path = parameter(query.as_deref(), "return").unwrap_or_else(|| "/".to_owned());
    if !own_path(&path) {
        let detail = "`return` is a path of this server, like `/`";
        return Err(problem(Code::BadRequest, detail).into());
    }
    let begun = Begun::now();
    let Some(page) = door.hall.callers().logon_page(&begun) else {
        let detail = "nobody logs on here in a browser: no issuer of this server has a `page`";
        return Err(problem(Code::NotFound, detail).into());
    };
    let Begun { state, nonce, verifier } = begun;
    let value = format!("{state}.{nonce}.{verifier}.{}", URL_SAFE_NO_PAD.encode(path));
    Ok(on(&page, [set(LOGON_COOKIE, &value, LOGON)]))
}

/// What the cookie of a log-on says: what comes back, and where to go then
fn begun(headers: &HeaderMap) -> Option<(Begun, String)> {
    let parts: Vec<&str> = cookie(headers, LOGON_COOKIE)?.split('.').collect();
    let [state, nonce, verifier, path] = parts[..] else { return None };
    let path = String::from_utf8(URL_SAFE_NO_PAD.decode(path).ok()?).ok()?;
    let [state, nonce, verifier] = [state, nonce, verifier].map(str::to_owned);
    own_path(&path).then_some((Begun { state, nonce, verifier }, path))
}

pub(super) async fn callback(
    State(door): App,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let said = |name: &str| parameter(query.as_deref(), name);
    let none = || {
        let detail = "this browser has not begun to log on here, or it took too long: begin at `/auth/login`";
        problem(Code::Unauthenticated, detail)
    };
    let (begun, path) = begun(&headers).ok_or_else(none)?;
    let state = said("state").unwrap_or_default();
    if !bool::from(state.as_bytes().ct_eq(begun.state.as_bytes())) {
        return Err(none().into());
    }
    let Some(code) = said("code").filter(|code| !code.is_empty()) else {
        let detail = "the issuer logged nobody on: begin again at `/auth/login`";
        return Err(problem(Code::Unauthenticated, detail).into());
    };
    let session = door.hall.callers().log_on(code, begun).await?;
    let over = set(LOGON_COOKIE, "", Duration::ZERO);
    Ok(on(&path, [set(SESSION_COOKIE, &session, SESSION), over]))
}

pub(super) async fn logout(State(door): App, headers: HeaderMap) -> Response {
    if let Some(session) = session(&headers) {
        door.hall.callers().log_off(session);
    }
    let over = set(SESSION_COOKIE, "", Duration::ZERO);
    (StatusCode::NO_CONTENT, AppendHeaders([over])).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_to_go_to_is_of_this_server() {
        for path in ["/", "/levels?at=2025-03-01", "/a//b"] {
            assert!(own_path(path), "{path}");
        }
        for path in
            ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a b", "/a\r\nx"]
        {
            assert!(!own_path(path), "{path}");
        }
    }

    #[test]
    fn a_cookie_is_found_among_others_and_in_several_lines() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=1; __Host-tenure-sessions=no".parse().unwrap());
        assert_eq!(session(&headers), None);
        headers.append(COOKIE, "b=2;  __Host-tenure-session=yes ".parse().unwrap());
        assert_eq!(session(&headers), Some("yes"));
    }
}
