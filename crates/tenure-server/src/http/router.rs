//! Which paths are there, and what does a request pass before it is answered?

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, Request};
use axum::http::{HeaderMap, HeaderName};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tenure_wire::authzen::Sought;
use tenure_wire::question::KINDS;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::propagate_header::PropagateHeaderLayer;
use tower_http::trace::{DefaultOnFailure, TraceLayer};
use tracing::Level;

use super::authzen;
use super::bodies::bodies;
use super::changes::changes;
use super::connection::in_hand;
use super::cors;
use super::door::{App, HttpDoor};
use super::entries::append;
use super::limits::{in_flight, limits};
use super::logon::{callback, login, logout};
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
    let limited = from_fn_with_state(Arc::clone(door), limits);
    // The last layer is the first that a request passes: it takes a place when its body is there.
    let bodies = from_fn_with_state(Arc::clone(door), bodies);
    let sent = sent().layer(limited.clone()).layer(bodies.clone());
    let evaluated =
        evaluated().layer(limited.clone()).layer(bodies).layer(from_fn(authzen::json_alone));
    let counted = asked().layer(limited.clone()).merge(sent).merge(evaluated);
    let counted = counted.layer(from_fn_with_state(Arc::clone(door), in_flight));
    let paths = counted.merge(measured()).route("/v1/changes", get(changes));
    // Who asks is known before a place is taken, and before anything is looked up.
    let paths = paths.layer(from_fn_with_state(Arc::clone(door), callers));
    let logon = logon().layer(limited);
    guarded(paths.merge(logon).merge(health()).merge(discovery()), door)
}

/// How a person logs on in a browser, before it is known who asks
fn logon() -> Paths {
    Router::new()
        .route("/auth/login", get(login))
        .route("/auth/callback", get(callback))
        .route("/auth/logout", post(logout))
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

/// What is asked in the words of AuthZEN
fn evaluated() -> Paths {
    let mut paths = Router::new()
        .route("/access/v1/evaluation", post(authzen::evaluation))
        .route("/access/v1/evaluations", post(authzen::evaluations));
    for (name, sought) in [
        ("subject", Sought::Subjects),
        ("resource", Sought::Resources),
        ("action", Sought::Actions),
    ] {
        paths = paths.route(
            &format!("/access/v1/search/{name}"),
            post(move |app: App, caller: Asker, headers: HeaderMap, body: Bytes| {
                authzen::search(app, caller, sought, headers, body)
            }),
        );
    }
    paths
}

/// Where the endpoints of AuthZEN are, whoever asks
fn discovery() -> Paths {
    let under_a_path = format!("{}/{{*path}}", authzen::CONFIGURATION);
    Router::new()
        .route(authzen::CONFIGURATION, get(authzen::configuration))
        .route(&under_a_path, get(authzen::configuration))
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
        // A client finds each answer, also an error, by the id that it gave its request.
        .layer(PropagateHeaderLayer::new(HeaderName::from_static("x-request-id")))
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
