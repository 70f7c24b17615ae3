//! How is the ledger asked over HTTP?
//!
//! Paths and what they take; what a question means is not decided here. Every error is a problem
//! document (RFC 9457).

mod changes;
mod openapi;
mod serve;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::StreamExt;
use serde::Serialize;
use serde_json::Value;
use tenure_log::AppendError;
use tenure_wire::api::{Appended, EntryResult, Problem, revision};
use tenure_wire::codec::{self, Encoded};
use tenure_wire::question::{self, Asked, Parameters};
use tokio::sync::{OnceCell, Semaphore, watch};
use tower_http::trace::{DefaultOnFailure, TraceLayer};
use tracing::Level;
use uuid::Uuid;

use crate::door::{self, BODY_BYTES_MAX, only_list};
use crate::engine::{Engine, Report};
use crate::metrics::Metrics;
use crate::problem::{Code, of_texts, problem};

pub use openapi::document;
pub(crate) use openapi::parameters_schema;
pub use serve::{ServeError, Server};

/// Bytes of a larger body that are still read, so that its client hears why
const DRAINED_BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// Most entries in one body
const ENTRIES_MAX: usize = 1_000;
/// How long the metrics wait for the file system
const SIZE_PATIENCE: Duration = Duration::from_secs(1);

/// What every request is served from
#[derive(Debug)]
pub(crate) struct Shared {
    /// There once the journal has been folded
    pub(crate) engine: OnceCell<Engine>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) default_origin: String,
    pub(crate) places: Semaphore,
    /// Questions that compute at once: one whose client has gone computes to its end
    pub(crate) computing: Arc<Semaphore>,
    /// Questions over HTTP that wait for an entry at once: each has one of the places
    pub(crate) waiting: Semaphore,
    /// Clients that follow the changes at once
    pub(crate) streams: Arc<Semaphore>,
    /// One looks at the size of the journal at once: a disk that stands still does not answer
    pub(crate) sizing: Arc<Semaphore>,
    pub(crate) request_timeout: Duration,
    /// Set when the server shuts down, so that streams end
    pub(crate) closing: watch::Sender<bool>,
}

type App = State<Arc<Shared>>;

/// A problem as a response
struct Failure(Problem);

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.0).unwrap_or_default();
        let json = HeaderValue::from_static("application/problem+json");
        (status, [(header::CONTENT_TYPE, json)], body).into_response()
    }
}

fn json(answer: &impl Serialize) -> Result<Response, Failure> {
    let body = serde_json::to_vec(answer).map_err(|error| {
        problem(Code::Internal, format!("the answer cannot be written: {error}"))
    })?;
    let json = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, json)], body).into_response())
}

/// All paths
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let questions = ["who", "what", "timeline", "where", "diff", "assignments", "levels"];
    let questions = questions.into_iter().chain(["role-collections", "catalog"]);
    let mut router = Router::new();
    for name in questions {
        let path = format!("/v1/{name}");
        let ask = move |app: App, query: RawQuery| ask_query(app, name, query);
        router = router.route(&path, get(ask));
    }
    router
        .route("/v1/check", get(check_one).post(check_many))
        .route("/v1/entries", post(append).get(history))
        .route("/v1/entries/{entry}", get(entry))
        .route("/v1/changes", get(changes::changes))
        .route("/openapi.json", get(openapi))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .fallback(nothing_here)
        .method_not_allowed_fallback(other_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), limits))
        .layer(tower_http::compression::CompressionLayer::new())
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(panicked))
        // Who is asked whether it is ready, and is not, would fill its log; the metrics count failures.
        .layer(TraceLayer::new_for_http().on_failure(DefaultOnFailure::new().level(Level::DEBUG)))
        .with_state(shared)
}

fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> Response<Body> {
    tracing::error!("a request ended in a panic");
    Failure(problem(Code::Internal, "a rule that should always hold did not: please report it"))
        .into_response()
}

/// A request being served, counted for as long as it is
struct InFlight<'a>(&'a Metrics);

impl<'a> InFlight<'a> {
    fn new(metrics: &'a Metrics) -> Self {
        metrics.requests_in_flight.inc();
        Self(metrics)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.requests_in_flight.dec();
    }
}

/// Serves so many at once, each for so long; streams and what operators ask are not counted
async fn limits(State(shared): App, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let free = matches!(path, "/v1/changes" | "/healthz" | "/readyz" | "/metrics");
    if free {
        return next.run(request).await;
    }
    let request_appends = path == "/v1/entries" && request.method() == Method::POST;
    let served = async {
        let Ok(_place) = shared.places.acquire().await else {
            return Failure(problem(Code::NotReady, "the server is shutting down")).into_response();
        };
        let _counted = InFlight::new(&shared.metrics);
        next.run(request).await
    };
    tokio::time::timeout(shared.request_timeout, served).await.unwrap_or_else(|_| {
        let then = match request_appends {
            true => {
                "it is not known whether entries are in the log: send them again with the same ids"
            }
            false => "ask again later",
        };
        Failure(shared.late(then)).into_response()
    })
}

fn of_query(shared: &Shared, name: &str, query: Option<&str>) -> Result<Asked, Problem> {
    let parameters = of_pairs(query)?;
    question::read(name, parameters, &shared.default_origin).map_err(|error| of_texts(&error))
}

fn of_pairs(query: Option<&str>) -> Result<Parameters, Problem> {
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let pairs = pairs.map(|(name, value)| (name.into_owned(), value.into_owned()));
    question::parameters(pairs).map_err(|error| of_texts(&error))
}

async fn ask_query(
    State(shared): App,
    name: &'static str,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let asked = of_query(&shared, name, query.as_deref())?;
    json(&door::answer(&shared, asked).await?)
}

async fn check_one(app: App, query: RawQuery) -> Result<Response, Failure> {
    ask_query(app, "check", query).await
}

async fn history(app: App, query: RawQuery) -> Result<Response, Failure> {
    ask_query(app, "history", query).await
}

async fn entry(
    State(shared): App,
    Path(entry): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let mut parameters = of_pairs(query.as_deref())?;
    if parameters.insert("entry".to_owned(), entry).is_some() {
        let detail = "the entry is named by the path alone";
        return Err(problem(Code::UnknownParameter, detail).into());
    }
    let asked = question::read("entry", parameters, &shared.default_origin)
        .map_err(|error| of_texts(&error))?;
    door::arrive(&shared, &asked, &shared.waiting).await?;
    json(&door::answer(&shared, asked).await?)
}

/// Reads a body of at most so many bytes
///
/// Of one that is too large the rest is read and forgotten, within bounds, so that a client that is still
/// sending gets its answer.
async fn read_body(body: Body) -> Result<Vec<u8>, Problem> {
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
async fn body_tree(headers: &HeaderMap, body: Body) -> Result<Value, Problem> {
    let body = read_body(body).await?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.unwrap_or_default();
    codec::tree(door::format_of(kind), &body)
        .map_err(|error| problem(Code::BadRequest, error.to_string()))
}

fn decode_entries(tree: Value, default_origin: &str) -> Result<Vec<Encoded>, Problem> {
    let bad = |error: codec::Malformed| problem(Code::BadRequest, error.to_string());
    let decode = |tree: &Value| codec::decode_draft(tree, default_origin, Uuid::now_v7);
    if tree.get("entries").is_none() {
        return Ok(vec![decode(&tree).map_err(bad)?]);
    }
    only_list(tree, "entries", ENTRIES_MAX)?
        .iter()
        .enumerate()
        .map(|(n, tree)| decode(tree).map_err(|error| bad(error.within(&format!("entries[{n}]")))))
        .collect()
}

async fn append(
    State(shared): App,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    if query.is_some_and(|query| !query.is_empty()) {
        return Err(problem(Code::UnknownParameter, "appending takes no parameters").into());
    }
    let tree = body_tree(&headers, body).await?;
    let engine = shared.engine()?;
    let default_origin = shared.default_origin.clone();
    // Decoding computes; the threads that serve sockets do not.
    let decoded = tokio::task::spawn_blocking(move || decode_entries(tree, &default_origin)).await;
    let entries = decoded.map_err(|_| {
        problem(Code::Internal, "a rule that should always hold did not: please report it")
    })??;
    let ids: Vec<String> = entries.iter().map(|entry| entry.entry().id().to_string()).collect();
    let receipts = engine.append(entries).await.map_err(|error| match error {
        AppendError::NotDone(_) | AppendError::Indeterminate => {
            problem(Code::LogUnavailable, error.to_string())
        }
    })?;
    let newest = receipts.last().map_or(0, |receipt| receipt.position.get());
    let results = ids.into_iter().zip(&receipts).map(|(id, receipt)| {
        let recorded_at = receipt.recorded_at.to_string();
        EntryResult::new(Some(id), receipt.position.get(), recorded_at, &receipt.outcome)
    });
    let revision = revision(engine.name(), tenure_core::KnownAt(newest));
    json(&Appended { results: results.collect(), revision })
}

async fn check_many(
    State(shared): App,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let tree = body_tree(&headers, body).await?;
    json(&door::check_many(&shared, tree).await?)
}

async fn openapi() -> Result<Response, Failure> {
    json(&document())
}

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
}

async fn healthz() -> Result<Response, Failure> {
    json(&Status { status: "alive", ledger: None, position: None, log: None })
}

async fn readyz(State(shared): App) -> Result<Response, Failure> {
    let engine = shared.ready()?;
    json(&Status {
        status: "ready",
        ledger: Some(engine.name().to_owned()),
        position: Some(engine.shown().0),
        log: engine.report(),
    })
}

async fn metrics(State(shared): App) -> Response {
    let engine = shared.engine.get();
    let ready = engine.is_some_and(|engine| engine.obstacle().is_none());
    shared.metrics.ready.set(i64::from(ready));
    if let Some(engine) = engine {
        measure_size(&shared, engine).await;
        engine.measure();
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], shared.metrics.text())
        .into_response()
}

/// Brings the size of the journal up to date, unless its disk stands still
async fn measure_size(shared: &Shared, engine: &Engine) {
    let Ok(place) = Arc::clone(&shared.sizing).try_acquire_owned() else { return };
    let reader = engine.reader().clone();
    let looked = tokio::task::spawn_blocking(move || {
        let bytes = reader.size_on_disk_bytes();
        drop(place);
        bytes
    });
    if let Ok(Ok(bytes)) = tokio::time::timeout(SIZE_PATIENCE, looked).await {
        shared.metrics.journal_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}

async fn nothing_here(request: Request) -> Failure {
    let path: String = request.uri().path().chars().take(160).collect();
    let detail = format!("there is nothing at `{path}`: `/openapi.json` says what there is");
    Failure(problem(Code::NotFound, detail))
}

async fn other_method(request: Request) -> Failure {
    let path: String = request.uri().path().chars().take(160).collect();
    let detail = format!("`{path}` does not take {}", request.method());
    Failure(problem(Code::MethodNotAllowed, detail))
}
