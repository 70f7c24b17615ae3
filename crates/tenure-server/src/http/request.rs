//! What do the query, the headers and the body of a request say?

use axum::body::Body;
use axum::http::HeaderMap;
use futures::StreamExt;
use serde_json::Value;
use tenure_wire::api::Problem;
use tenure_wire::codec;
use tenure_wire::question::{self, Parameters};

use super::media_type::format;
use crate::body::BODY_BYTES_MAX;
use crate::hall::Caller;
use crate::problem::{Code, of_texts, problem};

/// Bytes of a larger body that are still read, so that its client hears why
const DRAINED_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// Who sent a request; nobody says so yet
pub(super) fn caller() -> Caller {
    Caller::anonymous()
}

/// The parameters of a query string
pub(super) fn parameters(query: Option<&str>) -> Result<Parameters, Problem> {
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
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
    let format = format(headers)?;
    codec::tree(format, &read(body).await?)
        .map_err(|error| problem(Code::BadRequest, error.to_string()))
}
