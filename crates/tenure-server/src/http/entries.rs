//! How are entries appended over HTTP?

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use tenure_core::shown;
use tenure_wire::api::Problem;

use super::door::App;
use super::request::{body_tree, caller, parameters};
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
    let dry_run = is_dry_run(query.as_deref())?;
    let tree = body_tree(&headers, &body)?;
    let hall = Arc::clone(&door.hall);
    // Decoding computes; the threads that serve sockets do not.
    let decoded =
        tokio::task::spawn_blocking(move || entries_of(tree, hall.default_origin())).await;
    let entries = decoded.map_err(|_| broken_rule())??;
    if dry_run {
        return json(&door.hall.dry_run(&caller(), entries).await?);
    }
    json(&door.hall.append(&caller(), entries).await?)
}

/// Whether the entries are only tried
fn is_dry_run(query: Option<&str>) -> Result<bool, Problem> {
    let mut parameters = parameters(query)?;
    let dry_run = parameters.get("dry_run").map(str::to_owned);
    parameters.remove("dry_run");
    if let Some((other, _)) = parameters.iter().next() {
        let other = shown(other);
        let detail = format!("`{other}` is no parameter: appending takes `dry_run` alone");
        return Err(problem(Code::UnknownParameter, detail));
    }
    match dry_run.as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(problem(Code::BadRequest, "`dry_run`: it is `true` or `false`")),
    }
}
