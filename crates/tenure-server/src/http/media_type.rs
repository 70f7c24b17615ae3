//! In which format is the body of a request, and is it one that the server takes?
//!
//! A browser sends some media types, such as `text/plain`, for the web page of a stranger without asking the
//! server first. Before it sends one of the types that are taken here, it asks, and gets no permission.

use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use tenure_wire::api::Problem;
use tenure_wire::codec::Format;

use crate::body::format_named;
use crate::problem::{Code, problem};

/// The format of a body, by the headers of its request
pub(super) fn format(headers: &HeaderMap) -> Result<Format, Problem> {
    let encoding = text(headers, CONTENT_ENCODING);
    if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity") {
        return Err(refused(format!(
            "the `content-encoding` of the body is `{encoding}`: send the body as it is, without one"
        )));
    }
    let named = text(headers, CONTENT_TYPE);
    format_named(&named).ok_or_else(|| {
        let sent = match named.is_empty() {
            true => "the request has no `content-type`".to_owned(),
            false => format!("the `content-type` of the request is `{named}`"),
        };
        refused(format!("{sent}: send `application/json` or `application/msgpack`"))
    })
}

/// All values of a header as one text, as far as it is shown to its sender
fn text(headers: &HeaderMap, name: HeaderName) -> String {
    let values = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let all = values.collect::<Vec<_>>().join(&b", "[..]);
    String::from_utf8_lossy(&all).chars().take(100).collect()
}

fn refused(detail: String) -> Problem {
    problem(Code::UnsupportedMediaType, detail)
}
