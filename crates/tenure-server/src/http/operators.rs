//! What do operators read over HTTP?

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::door::App;
use super::openapi::document;
use super::response::{Failure, json};
use crate::engine::{ClockReport, Report};

/// What operators read in a few words
#[derive(Serialize)]
struct Status {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    /// Of a replica that follows a stream
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<Report>,
    /// If this server's clock and the log's disagree
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<ClockReport>,
}

pub(super) async fn openapi() -> Result<Response, Failure> {
    json(&document())
}

pub(super) async fn healthz() -> Result<Response, Failure> {
    json(&Status { status: "alive", ledger: None, position: None, log: None, clock: None })
}

pub(super) async fn readyz(State(door): App) -> Result<Response, Failure> {
    let ready = door.hall.ready()?;
    json(&Status {
        status: "ready",
        ledger: Some(ready.ledger),
        position: Some(ready.position),
        log: ready.report,
        clock: ready.clock,
    })
}

pub(super) async fn metrics(State(door): App) -> Response {
    door.hall.measure().await;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let text = door.hall.metrics().text();
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], text).into_response()
}
