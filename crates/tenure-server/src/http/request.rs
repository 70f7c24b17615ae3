//! What do the query, the headers and the body of a request say?

use axum::body::Body;
use axum::http::{HeaderMap, header};
use futures::StreamExt;
use serde_json::Value;
use tenure_wire::api::Problem;
use tenure_wire::codec;
use tenure_wire::question::{self, Parameters};

use crate::body::{BODY_BYTES_MAX, format_of};
use crate::hall::Caller;
use crate::problem::{Code, of_texts, problem};

/// Bytes of a larger body that are still read, so that its client hears why
const DRAINED_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// Who sent a request; nobody says so yet
pub(super) fn caller() -> Caller {
    Caller::anonymous()
}

/// Parameters that name a principal
const PRINCIPALS: [&str; 2] = ["principal", "actor"];

/// A query string in which each `+` within an e-mail address is written `%2B`
///
/// In a query a `+` is a space. People type addresses as they are, and no address has a space: so there it is
/// what it looks like.
fn with_addresses(query: &str) -> String {
    let written = |pair: &str| match pair.split_once('=') {
        Some((name, value))
            if PRINCIPALS.contains(&name) && (value.contains('@') || value.contains("%40")) =>
        {
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

/// Reads a body of at most so many bytes
///
/// Of one that is too large the rest is read and forgotten, within bounds, so that a client that is still
/// sending gets its answer.
async fn read(body: Body) -> Result<Vec<u8>, Problem> {
    let mut stream = body.into_data_stream();
    let mut kept = Vec::new();
    let mut length = 0;
    while let Some(part) = stream.next().await {
        let part = part
            .map_err(|error| problem(Code::BadRequest, format!("the body broke off: {error}")))?;
        length += part.len();
        if length <= BODY_BYTES_MAX {
            kept.extend_from_slice(&part);
        } else if length > DRAINED_BYTES_MAX {
            break;
        }
    }
    if length > BODY_BYTES_MAX {
        let detail = format!("a body has at most {BODY_BYTES_MAX} bytes: send less at once");
        return Err(problem(Code::TooLarge, detail));
    }
    Ok(kept)
}

/// Reads a body as a tree, in the format that its header names
pub(super) async fn body_tree(headers: &HeaderMap, body: Body) -> Result<Value, Problem> {
    let body = read(body).await?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.unwrap_or_default();
    codec::tree(format_of(kind), &body)
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
            ("principal=user:corp/a+b", "principal", "user:corp/a b"),
            ("on=x&role_collection=A+B@c", "role_collection", "A B@c"),
        ] {
            assert_eq!(parameters(Some(query)).unwrap()[name], value, "{query}");
        }
    }
}
