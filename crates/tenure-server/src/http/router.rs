//! Which paths are there, and what does a request pass before it is answered?

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, Request};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tenure_wire::question::KINDS;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::trace::{DefaultOnFailure, TraceLayer};
use tracing::Level;

use super::bodies::bodies;
use super::changes::changes;
use super::connection::in_hand;
use super::cors;
use super::door::{App, HttpDoor};
use super::entries::append;
use super::limits::{in_flight, limits};
use super::operators::{healthz, metrics, openapi, readyz};
use super::questions::{ask, check, check_many, entry, history};
use super::request::{Asker, callers};
use super::response::Failure;
use super::stranger::strangers;
use crate::hall::broken_rule;
use crate::problem::{Code, problem};

type Paths = Router<Arc<HttpDoor>>;

/// All paths
pub(super) fn router(door: &Arc<HttpDoor>) -> Router {
    let limits = from_fn_with_state(Arc::clone(door), limits);
    // The last layer is the first that a request passes: it takes a place when its body is there.
    let sent = sent().layer(limits.clone()).layer(from_fn_with_state(Arc::clone(door), bodies));
    let counted = asked().layer(limits).merge(sent);
    let counted = counted.layer(from_fn_with_state(Arc::clone(door), in_flight));
    let paths = counted.merge(measured()).route("/v1/changes", get(changes));
    // Who asks is known before a place is taken, and before anything is looked up.
    let paths = paths.layer(from_fn_with_state(Arc::clone(door), callers));
    guarded(paths.merge(health()), door)
}

/// The paths of operators alone
pub(super) fn operators_router(door: &Arc<HttpDoor>) -> Router {
    guarded(health().merge(measured()), door)
}

/// What is asked without a body
fn asked() -> Paths {
    // These have paths and handlers of their own.
    let others = ["check", "history", "entry"];
    let questions = KINDS.iter().map(|kind| kind.name).filter(|name| !others.contains(name));
    let mut paths = Router::new();
    for name in questions {
        let path = format!("/v1/{name}");
        paths = paths.route(
            &path,
            get(move |app: App, caller: Asker, query: RawQuery| ask(app, caller, name, query)),
        );
    }
    paths
        .route("/v1/check", get(check))
        .route("/v1/entries", get(history))
        .route("/v1/entries/{entry}", get(entry))
        .route("/openapi.json", get(openapi))
}

/// What is sent with a body
fn sent() -> Paths {
    Router::new().route("/v1/check", post(check_many)).route("/v1/entries", post(append))
}

/// What operators ask; it is answered also when as many requests as are served at once are served, and whoever asks
fn health() -> Paths {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz))
}

/// The metrics; they too are answered however many requests there are
fn measured() -> Paths {
    Router::new().route("/metrics", get(metrics))
}

/// What every request passes first, from the last line up
fn guarded(paths: Paths, door: &Arc<HttpDoor>) -> Router {
    let paths = paths.fallback(nothing_here).method_not_allowed_fallback(other_method);
    let paths = match cors::layer(&door.cors_origins) {
        Some(cors) => paths.layer(cors),
        None => paths,
    };
    paths
        .layer(from_fn_with_state(Arc::clone(door), strangers))
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::custom(panicked))
        // A server that is asked whether it is ready, and is not, would fill its log; the metrics count
        // failures.
        .layer(TraceLayer::new_for_http().on_failure(DefaultOnFailure::new().level(Level::DEBUG)))
        .layer(from_fn(in_hand))
        .with_state(Arc::clone(door))
}

fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> Response<Body> {
    tracing::error!("a request ended in a panic");
    Failure(broken_rule()).into_response()
}

fn shown(request: &Request) -> String {
    request.uri().path().chars().take(160).collect()
}

async fn nothing_here(request: Request) -> Failure {
    let path = shown(&request);
    let detail = format!("there is nothing at `{path}`: `/openapi.json` says what there is");
    Failure(problem(Code::NotFound, detail))
}

async fn other_method(request: Request) -> Failure {
    let detail = format!("`{}` does not take {}", shown(&request), request.method());
    Failure(problem(Code::MethodNotAllowed, detail))
}
