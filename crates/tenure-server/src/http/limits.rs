//! How many requests are served at once, and for how long each?

use std::sync::Arc;
use std::time::Instant;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

use super::door::App;
use super::request::Asker;
use super::response::{Failure, turned_away};
use crate::hall::Share;
use crate::metrics::Metrics;

/// A request in flight, counted for as long as it is
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

/// What a request has of its caller's share; its answer has it until the client has taken it
#[derive(Clone)]
pub(super) struct Held(
    #[expect(dead_code, reason = "it is given back when it is dropped")] Arc<Option<Share>>,
);

/// Counts a request from its head to its answer, and takes it of its caller's share
pub(super) async fn in_flight(
    State(door): App,
    Extension(caller): Asker,
    request: Request,
    next: Next,
) -> Response {
    let _counted = InFlight::new(door.hall.metrics());
    match door.hall.share(&caller) {
        Ok(share) => {
            let mut response = next.run(request).await;
            // Until its client has taken it, an answer is in memory.
            response.extensions_mut().insert(Held(Arc::new(share)));
            response
        }
        Err(problem) => turned_away(problem, request.body()),
    }
}

/// Serves so many at once, each for so long
pub(super) async fn limits(State(door): App, request: Request, next: Next) -> Response {
    let appends = request.method() == Method::POST && request.uri().path() == "/v1/entries";
    let hall = Arc::clone(&door.hall);
    let (patience, began) = (hall.request_timeout(), Instant::now());
    let place = match timeout(patience, hall.place()).await {
        Ok(Ok(place)) => place,
        Ok(Err(problem)) => return Failure(problem).into_response(),
        Err(_) => return Failure(hall.late("nothing was done, ask again later")).into_response(),
    };
    let rest = patience.saturating_sub(began.elapsed());
    let served = async move {
        let _place = place;
        next.run(request).await
    };
    timeout(rest, served).await.unwrap_or_else(|_| {
        let then = match appends {
            true => {
                "it is not known whether entries are in the log: send them again with the same ids"
            }
            false => "ask again later",
        };
        Failure(hall.late(then)).into_response()
    })
}
