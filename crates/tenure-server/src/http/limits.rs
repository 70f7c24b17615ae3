//! How many requests are served at once, and for how long each?

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::door::App;
use super::response::Failure;
use crate::metrics::Metrics;

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

/// Serves so many at once, each for so long; streams and the paths of operators are not counted
pub(super) async fn limits(State(door): App, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let free = matches!(path, "/v1/changes" | "/healthz" | "/readyz" | "/metrics");
    if free {
        return next.run(request).await;
    }
    let request_appends = path == "/v1/entries" && request.method() == Method::POST;
    let hall = Arc::clone(&door.hall);
    let served = async {
        let _place = match hall.place().await {
            Ok(place) => place,
            Err(problem) => return Failure(problem).into_response(),
        };
        let _counted = InFlight::new(hall.metrics());
        next.run(request).await
    };
    tokio::time::timeout(hall.request_timeout(), served).await.unwrap_or_else(|_| {
        let then = match request_appends {
            true => {
                "it is not known whether entries are in the log: send them again with the same ids"
            }
            false => "ask again later",
        };
        Failure(hall.late(then)).into_response()
    })
}
