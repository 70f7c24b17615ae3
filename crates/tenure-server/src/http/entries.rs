//! How are entries appended over HTTP?

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::door::App;
use super::request::{body_tree, caller};
use super::response::{Failure, json};
use crate::body::entries_of;
use crate::hall::broken_rule;
use crate::problem::{Code, problem};

pub(super) async fn append(
    State(door): App,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    if query.is_some_and(|query| !query.is_empty()) {
        return Err(problem(Code::UnknownParameter, "appending takes no parameters").into());
    }
    let tree = body_tree(&headers, &body)?;
    let hall = Arc::clone(&door.hall);
    // Decoding computes; the threads that serve sockets do not.
    let decoded =
        tokio::task::spawn_blocking(move || entries_of(tree, hall.default_origin())).await;
    let entries = decoded.map_err(|_| broken_rule())??;
    json(&door.hall.append(&caller(), entries).await?)
}
