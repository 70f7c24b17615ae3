//! Which paths are there?

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, Request};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::trace::{DefaultOnFailure, TraceLayer};
use tracing::Level;

use super::changes::changes;
use super::door::{App, HttpDoor};
use super::entries::append;
use super::limits::limits;
use super::operators::{healthz, metrics, openapi, readyz};
use super::questions::{ask, check, check_many, entry, history};
use super::response::Failure;
use super::stranger::strangers;
use crate::hall::broken_rule;
use crate::problem::{Code, problem};

/// All paths
pub(super) fn router(door: Arc<HttpDoor>) -> Router {
    let questions = ["who", "what", "timeline", "where", "diff", "assignments", "levels"];
    let questions = questions.into_iter().chain(["role-collections", "catalog"]);
    let mut router = Router::new();
    for name in questions {
        let path = format!("/v1/{name}");
        router = router.route(&path, get(move |app: App, query: RawQuery| ask(app, name, query)));
    }
    router
        .route("/v1/check", get(check).post(check_many))
        .route("/v1/entries", post(append).get(history))
        .route("/v1/entries/{entry}", get(entry))
        .route("/v1/changes", get(changes))
        .route("/openapi.json", get(openapi))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .fallback(nothing_here)
        .method_not_allowed_fallback(other_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&door), limits))
        .layer(middleware::from_fn_with_state(Arc::clone(&door), strangers))
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::custom(panicked))
        // A server that is asked whether it is ready, and is not, would fill its log; the metrics count
        // failures.
        .layer(TraceLayer::new_for_http().on_failure(DefaultOnFailure::new().level(Level::DEBUG)))
        .with_state(door)
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
