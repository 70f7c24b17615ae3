//! How does the body of a request come in, before the request takes a place?
//!
//! A stranger may send a body slowly, or never. Until the body is whole, its request takes no place of those that
//! are served at once. A body that comes too slowly is given up, and what all bodies hold in memory is bounded.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use tenure_wire::api::Problem;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::door::App;
use super::media_type::format;
use super::response::{Failure, turned_away};
use crate::body::BODY_BYTES_MAX;
use crate::problem::{Code, problem};

/// A body brings at least so many bytes in each [`PACE`], unless it ends
const PACE_BYTES: usize = 64 * 1_024;
/// How long that many bytes may take
const PACE: Duration = Duration::from_secs(10);
/// The first bytes of each body, of which only the limit of connections bounds the sum: while strangers fill the
/// memory for bodies, small bodies are still read
const SMALL_BYTES: usize = 16 * 1_024;
/// Bytes of a larger body that are still read, so that its client hears why
const DRAINED_BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// Of so many requests that are served at once, one may have a body of the largest size in memory
const LARGE_SHARE: usize = 4;

/// The memory for bodies
#[derive(Debug)]
pub(super) struct Bodies {
    free: Arc<Semaphore>,
    pace: Duration,
}

/// A whole body, and the memory that it takes
#[derive(Default)]
struct Whole {
    bytes: Vec<u8>,
    held: Option<OwnedSemaphorePermit>,
}

impl Bodies {
    pub(super) fn new(requests_max: usize) -> Self {
        let most = requests_max.div_ceil(LARGE_SHARE).saturating_mul(BODY_BYTES_MAX);
        Self { free: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))), pace: PACE }
    }

    /// Reads a body of at most [`BODY_BYTES_MAX`] within the patience, and at its pace
    ///
    /// Of one that is too large the rest is read and forgotten, within bounds, so that a client that is still
    /// sending gets its answer.
    async fn read(&self, body: Body, patience: Duration) -> Result<Whole, Problem> {
        let began = Instant::now();
        let end = began + patience;
        let (mut due, mut due_length) = (began + self.pace, PACE_BYTES);
        let mut stream = body.into_data_stream();
        let mut whole = Whole::default();
        let mut length = 0;
        while let Some(part) =
            timeout_at(due.min(end), stream.next()).await.map_err(|_| slow(length, began))?
        {
            let part = part.map_err(|error| {
                problem(Code::BadRequest, format!("the body broke off: {error}"))
            })?;
            length += part.len();
            if length >= due_length {
                (due, due_length) = (Instant::now() + self.pace, length + PACE_BYTES);
            }
            if length <= BODY_BYTES_MAX {
                self.hold(&mut whole, &part)?;
                continue;
            }
            whole = Whole::default();
            if length > DRAINED_BYTES_MAX {
                break;
            }
        }
        if length > BODY_BYTES_MAX {
            let detail = format!("a body has at most {BODY_BYTES_MAX} bytes: send less at once");
            return Err(problem(Code::TooLarge, detail));
        }
        Ok(whole)
    }

    fn hold(&self, whole: &mut Whole, part: &Bytes) -> Result<(), Problem> {
        let paid = |length: usize| length.saturating_sub(SMALL_BYTES);
        let more = paid(whole.bytes.len() + part.len()) - paid(whole.bytes.len());
        if more > 0 {
            let more = u32::try_from(more).unwrap_or(u32::MAX);
            let taken = Arc::clone(&self.free).try_acquire_many_owned(more).map_err(|_| {
                let detail =
                    "too many large bodies come at once: nothing was appended, send it again later";
                problem(Code::Overloaded, detail)
            })?;
            match &mut whole.held {
                Some(held) => held.merge(taken),
                held => *held = Some(taken),
            }
        }
        whole.bytes.extend_from_slice(part);
        Ok(())
    }
}

fn slow(length: usize, began: Instant) -> Problem {
    let seconds = began.elapsed().as_secs_f64();
    let detail = format!(
        "only {length} bytes of the body came within {seconds:.1} s: nothing was appended, send it again faster"
    );
    problem(Code::SlowBody, detail)
}

/// Reads the whole body of a request before the request goes on, unless its headers already refuse it
pub(super) async fn bodies(State(door): App, request: Request, next: Next) -> Response {
    if let Err(problem) = format(request.headers()) {
        return turned_away(problem, request.body());
    }
    let (parts, body) = request.into_parts();
    match door.bodies.read(body, door.hall.request_timeout()).await {
        Ok(Whole { bytes, held }) => {
            let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
            drop(held);
            response
        }
        Err(problem) => Failure(problem).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(3_600);

    /// A body of so many parts of so many bytes, each after so many milliseconds; then it ends, or never does
    fn body(parts: usize, length: usize, pause_ms: u64, ends: bool) -> Body {
        let steps = (0..parts).map(Some).chain((!ends).then_some(None));
        Body::from_stream(futures::stream::iter(steps).then(move |step| async move {
            if step.is_none() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            Ok::<_, std::convert::Infallible>(vec![b' '; length])
        }))
    }

    async fn code(bodies: &Bodies, body: Body, patience: Duration) -> String {
        bodies.read(body, patience).await.map_or_else(|problem| problem.code, |_| String::new())
    }

    #[tokio::test]
    async fn a_body_keeps_its_pace_or_is_given_up() {
        let bodies = Bodies { pace: Duration::from_millis(500), ..Bodies::new(4) };
        let steady = || body(8, PACE_BYTES, 100, true);
        assert_eq!(code(&bodies, steady(), PATIENCE).await, "");
        assert_eq!(code(&bodies, steady(), Duration::from_millis(200)).await, "slow_body");
        for never in [body(0, 0, 0, false), body(1, PACE_BYTES, 0, false), body(100, 1, 10, true)] {
            assert_eq!(code(&bodies, never, PATIENCE).await, "slow_body");
        }
        let endless = body(17, BODY_BYTES_MAX, 0, false);
        assert_eq!(code(&bodies, endless, PATIENCE).await, "too_large");
    }

    #[tokio::test]
    async fn the_memory_of_bodies_is_bounded_and_given_back() {
        let bodies = Bodies::new(4);
        let large = || body(1, BODY_BYTES_MAX, 0, true);
        let first = bodies.read(large(), PATIENCE).await.ok().unwrap();
        assert_eq!(code(&bodies, large(), PATIENCE).await, "overloaded");
        assert_eq!(code(&bodies, body(1, SMALL_BYTES, 0, true), PATIENCE).await, "");
        drop(first);
        assert_eq!(code(&bodies, large(), PATIENCE).await, "");
    }
}
