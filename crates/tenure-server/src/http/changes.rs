//! What has been applied, from any position on and then live
//!
//! Server-sent events: each an applied entry with its position as id, so a client that comes back with
//! `Last-Event-ID` misses nothing.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use tenure_core::{OutcomeKind, Position};
use tenure_wire::api::Problem;
use tokio::sync::OwnedSemaphorePermit;

use super::{App, Failure, Shared};
use crate::ask::{entry_row, row};
use crate::engine::Engine;
use crate::problem::{Code, problem};

/// Rows that are read ahead for one client
const READ_AHEAD: usize = 256;
/// Bytes of events that are read ahead for one client; one event may have more
const READ_AHEAD_BYTES: usize = 64 * 1_024;

/// Where a stream is
struct Cursor {
    engine: Engine,
    shared: Arc<Shared>,
    /// The newest position that was looked at
    after: u64,
    ahead: VecDeque<Event>,
    ended: bool,
    /// One of so many streams at once
    _place: OwnedSemaphorePermit,
}

pub(super) async fn changes(
    State(shared): App,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let after = after(query.as_deref(), &headers)?;
    let engine = shared.engine()?.clone();
    let newest = engine.shown().0;
    if after > newest {
        let detail = format!("position {after} does not exist yet: the newest is {newest}");
        return Err(problem(Code::NotYet, detail).into());
    }
    let _place = Arc::clone(&shared.streams).try_acquire_owned().map_err(|_| {
        problem(
            Code::Overloaded,
            "as many clients follow the changes as are served: ask again later",
        )
    })?;
    let cursor = Cursor { engine, shared, after, ahead: VecDeque::new(), ended: false, _place };
    let alive = KeepAlive::new().interval(Duration::from_secs(15)).text("alive");
    Ok(Sse::new(events(cursor)).keep_alive(alive).into_response())
}

/// The header of a client that comes back counts more than what it asked at first
fn after(query: Option<&str>, headers: &HeaderMap) -> Result<u64, Problem> {
    let mut parameters = super::of_pairs(query)?;
    let asked = parameters.remove("after");
    if let Some(other) = parameters.keys().next() {
        let detail = format!("`{other}` is no parameter of the changes; they have `after`");
        return Err(problem(Code::UnknownParameter, detail));
    }
    let last = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default().to_owned());
    let Some(text) = last.or(asked) else { return Ok(0) };
    let detail = format!("`{text}` is no position to go on after: it is digits alone");
    text.parse().map_err(|_| problem(Code::BadRequest, detail))
}

fn events(cursor: Cursor) -> impl Stream<Item = Result<Event, Infallible>> {
    futures::stream::unfold(cursor, |mut cursor| async move {
        loop {
            if let Some(event) = cursor.ahead.pop_front() {
                return Some((Ok(event), cursor));
            }
            if cursor.ended {
                return None;
            }
            if !cursor.wait().await {
                return None;
            }
            let reading = tokio::task::spawn_blocking(move || {
                cursor.read_ahead();
                cursor
            });
            cursor = reading.await.ok()?;
        }
    })
}

impl Cursor {
    /// Waits for something new; whether there is, and the server goes on
    async fn wait(&self) -> bool {
        let mut shown = self.engine.watch();
        let mut closing = self.shared.closing.subscribe();
        tokio::select! {
            newer = shown.wait_for(|shown| *shown > self.after) => newer.is_ok(),
            _ = closing.wait_for(|closing| *closing) => false,
        }
    }

    fn read_ahead(&mut self) {
        let newest = self.engine.shown();
        let mut bytes = 0;
        while self.ahead.len() < READ_AHEAD && bytes < READ_AHEAD_BYTES && self.after < newest.0 {
            self.after += 1;
            let Some(position) = Position::new(self.after) else { continue };
            if self.engine.ledger().outcome(position) != Some(OutcomeKind::Applied) {
                continue;
            }
            let row = row(&self.engine, position);
            let row = row.and_then(|row| entry_row(&self.engine.ledger(), newest, position, &row));
            let text = row.and_then(|row| {
                serde_json::to_string(&row)
                    .map_err(|error| problem(Code::Internal, error.to_string()))
            });
            match text {
                Ok(text) => {
                    bytes += text.len();
                    let event = Event::default().id(self.after.to_string()).event("applied");
                    self.ahead.push_back(event.data(text));
                }
                Err(problem) => {
                    // What cannot be read is never passed over: the stream says so, and ends.
                    let text = serde_json::to_string(&problem).unwrap_or_default();
                    self.ahead.push_back(Event::default().event("problem").data(text));
                    self.ended = true;
                    return;
                }
            }
        }
    }
}
