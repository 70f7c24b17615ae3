//! Who sent a request, and what do its query and its body say?

use axum::http::HeaderMap;
use serde_json::Value;
use tenure_wire::api::Problem;
use tenure_wire::codec;
use tenure_wire::question::{self, Parameters};

use super::media_type::format;
use crate::hall::Caller;
use crate::problem::{Code, of_texts, problem};

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

/// A body as a tree, in the format that its header names
pub(super) fn body_tree(headers: &HeaderMap, body: &[u8]) -> Result<Value, Problem> {
    codec::tree(format(headers)?, body)
        .map_err(|error| problem(Code::BadRequest, error.to_string()))
}
