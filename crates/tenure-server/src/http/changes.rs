//! What has been applied, from any position on and then live
//!
//! Server-sent events: each an applied entry with its position as id, so a client that comes back with
//! `Last-Event-ID` misses nothing.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use tenure_wire::api::{EntryRow, Problem};
use tokio::sync::OwnedSemaphorePermit;

use super::door::App;
use super::request::{Asker, parameters};
use super::response::Failure;
use crate::hall::{Changes, Share};
use crate::problem::{Code, problem};

/// Rows that are read ahead for one client
const READ_AHEAD: usize = 256;
/// Bytes of events that are read ahead for one client; one event may have more
const READ_AHEAD_BYTES: usize = 64 * 1_024;

/// Where a stream is
struct Cursor {
    changes: Changes,
    ahead: VecDeque<Event>,
    ended: bool,
    /// One of so many streams at once
    _place: OwnedSemaphorePermit,
    /// One of its caller's requests
    _share: Option<Share>,
}

pub(super) async fn changes(
    State(door): App,
    Extension(caller): Asker,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let after = after(query.as_deref(), &headers)?;
    let changes = door.hall.follow(&caller, after)?;
    let _place = Arc::clone(&door.streams).try_acquire_owned().map_err(|_| {
        problem(
            Code::Overloaded,
            "as many clients follow the changes as are served: ask again later",
        )
    })?;
    let _share = door.hall.share(&caller)?;
    let cursor = Cursor { changes, ahead: VecDeque::new(), ended: false, _place, _share };
    let alive = KeepAlive::new().interval(Duration::from_secs(15)).text("alive");
    Ok(Sse::new(events(cursor)).keep_alive(alive).into_response())
}

/// The header of a client that comes back counts more than what it asked at first
fn after(query: Option<&str>, headers: &HeaderMap) -> Result<u64, Problem> {
    let mut parameters = parameters(query)?;
    let asked = parameters.get("after").map(str::to_owned);
    parameters.remove("after");
    if let Some((other, _)) = parameters.iter().next() {
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
            if !cursor.changes.wait().await {
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
    fn read_ahead(&mut self) {
        if let Err(problem) = self.changes.may() {
            return self.end(&problem);
        }
        let mut bytes = 0;
        while self.ahead.len() < READ_AHEAD
            && bytes < READ_AHEAD_BYTES
            && let Some(row) = self.changes.next_now()
        {
            match row.and_then(|row| event(&row)) {
                Ok((event, length)) => {
                    bytes += length;
                    self.ahead.push_back(event);
                }
                Err(problem) => return self.end(&problem),
            }
        }
    }

    /// What cannot be read is never passed over: the stream says so, and ends
    fn end(&mut self, problem: &Problem) {
        let text = serde_json::to_string(problem).unwrap_or_default();
        self.ahead.push_back(Event::default().event("problem").data(text));
        self.ended = true;
    }
}

/// An entry as an event, and how long its text is
fn event(row: &EntryRow) -> Result<(Event, usize), Problem> {
    let text =
        serde_json::to_string(row).map_err(|error| problem(Code::Internal, error.to_string()))?;
    let length = text.len();
    let id = row.result.position.to_string();
    Ok((Event::default().id(id).event("applied").data(text), length))
}
