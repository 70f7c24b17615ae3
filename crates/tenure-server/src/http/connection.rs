//! What is known of the connection that a request came over, and which requests does the connection have in hand?
//!
//! HTTP/1 has one request at a time, HTTP/2 many. Each beside the first takes the place of one more connection, so
//! requests in hand are never more than connections may be. HTTP/2 also has windows: a client that opens none lets an
//! answer wait while bytes of others go by. So it is noted since when an answer waits for its client.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::Version;
use axum::middleware::Next;
use axum::response::Response;
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use super::connections::Connected;
use super::limits::Held;
use super::response::turned_away;
use super::stranger::CameTo;
use crate::hall::Peer;
use crate::problem::{Code, problem};

/// Bytes of an answer over HTTP/2 that are handed on at once: so many may wait in a stream whose window is closed
const PART: usize = 16 * 1_024;

/// The connection of a request, as a handler takes it
pub(super) type Over = Extension<Arc<Connection>>;

/// A connection, for as long as it or a request of it lives
#[derive(Debug)]
pub(super) struct Connection {
    /// To which socket it came
    pub(super) came_to: CameTo,
    /// What it says of its other end
    pub(super) peer: Option<Peer>,
    connected: Connected,
    requests: Mutex<Requests>,
}

#[derive(Debug)]
struct Requests {
    begun: u64,
    /// Those in hand, and since when their answers wait for the client
    in_hand: HashMap<u64, Option<Instant>>,
    quiet_since: Instant,
    /// Whether HTTP/1 is spoken, which says itself when a head is late
    one_by_one: bool,
}

impl Connection {
    pub(super) fn new(came_to: CameTo, peer: Option<Peer>, connected: Connected) -> Arc<Self> {
        let requests = Requests {
            begun: 0,
            in_hand: HashMap::new(),
            quiet_since: Instant::now(),
            one_by_one: false,
        };
        Arc::new(Self { came_to, peer, connected, requests: Mutex::new(requests) })
    }

    /// Takes a request in hand; `None` if there is no place for one more
    fn begin(self: &Arc<Self>, version: Version) -> Option<InHand> {
        let mut requests = self.requests.lock();
        let place = match requests.in_hand.is_empty() {
            true => None,
            false => Some(self.connected.one_more()?),
        };
        requests.begun += 1;
        let number = requests.begun;
        requests.in_hand.insert(number, None);
        requests.one_by_one = version < Version::HTTP_2;
        Some(InHand { connection: Arc::clone(self), number, _place: place })
    }

    /// Waits until the connection has had no request in hand for so long
    pub(super) async fn quiet(&self, patience: Duration) {
        loop {
            let now = Instant::now();
            let since = {
                let requests = self.requests.lock();
                if requests.in_hand.is_empty() { requests.quiet_since } else { now }
            };
            if now >= since + patience {
                return;
            }
            sleep_until(since + patience).await;
        }
    }

    /// Waits until an answer has waited for the client for so long
    pub(super) async fn untaken(&self, patience: Duration) {
        loop {
            let now = Instant::now();
            let oldest = self.requests.lock().in_hand.values().flatten().min().copied();
            let since = oldest.unwrap_or(now);
            if now >= since + patience {
                return;
            }
            sleep_until(since + patience).await;
        }
    }

    /// Whether HTTP/1 is spoken, as far as a request has shown it
    pub(super) fn is_one_by_one(&self) -> bool {
        self.requests.lock().one_by_one
    }
}

/// A request in hand, until its answer has been handed on or given up
struct InHand {
    connection: Arc<Connection>,
    number: u64,
    _place: Option<Connected>,
}

impl InHand {
    /// Notes whether the answer waits for the client from now on
    fn waits(&self, waits: bool) {
        let mut requests = self.connection.requests.lock();
        if let Some(since) = requests.in_hand.get_mut(&self.number) {
            *since = waits.then(Instant::now);
        }
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        let mut requests = self.connection.requests.lock();
        requests.in_hand.remove(&self.number);
        requests.quiet_since = Instant::now();
    }
}

/// Takes a request in hand, until its answer has been handed on
pub(super) async fn in_hand(Extension(connection): Over, request: Request, next: Next) -> Response {
    let version = request.version();
    let Some(in_hand) = connection.begin(version) else {
        let detail = "too many requests come at once: nothing was done, send it again later";
        return turned_away(problem(Code::Overloaded, detail), request.body());
    };
    let mut response = next.run(request).await;
    let held = response.extensions_mut().remove();
    // Of HTTP/1 the connection itself knows whether its client takes what is written.
    let most = (version >= Version::HTTP_2).then_some(PART);
    response.map(|body| Body::new(Answer::new(body, most, in_hand, held)))
}

/// The body of an answer
struct Answer {
    body: Body,
    /// The rest of what the body has given
    rest: Bytes,
    /// Most bytes that are handed on at once, where each part waits for the client
    most: Option<usize>,
    in_hand: InHand,
    _held: Option<Held>,
}

impl Answer {
    fn new(body: Body, most: Option<usize>, in_hand: InHand, held: Option<Held>) -> Self {
        in_hand.waits(most.is_some());
        Self { body, rest: Bytes::new(), most, in_hand, _held: held }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(most) = self.most else {
            return Pin::new(&mut self.body).poll_frame(context);
        };
        // Over HTTP/2 more is asked for when the client has opened its window.
        self.in_hand.waits(false);
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        let length = self.rest.len().min(most);
        let part = self.rest.split_to(length);
        self.in_hand.waits(true);
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let hint = self.body.size_hint();
        let mut all = SizeHint::new();
        all.set_lower(hint.lower().saturating_add(rest));
        if let Some(upper) = hint.upper() {
            all.set_upper(upper.saturating_add(rest));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use futures::StreamExt as _;

    use super::super::connections::Connections;
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    async fn connection(most: usize) -> Arc<Connection> {
        let connections = Connections::new(most);
        let place = connections.place().await.unwrap();
        let connected = connections.connected(place, None).unwrap();
        Connection::new(CameTo::Address(IpAddr::from([127, 0, 0, 1])), None, connected)
    }

    /// Whether something is over within so long, by a clock that is set
    async fn over(waited: impl Future<Output = ()>, seconds: u64) -> bool {
        tokio::time::timeout(Duration::from_secs(seconds), waited).await.is_ok()
    }

    #[tokio::test]
    async fn each_request_beside_the_first_takes_the_place_of_a_connection() {
        let connection = connection(3).await;
        let begin = || connection.begin(Version::HTTP_2);
        let held = [begin(), begin(), begin()];
        assert!(held.iter().all(Option::is_some));
        assert!(begin().is_none());
        drop(held);
        assert!(begin().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_quiet_when_it_has_had_nothing_in_hand_for_so_long() {
        let connection = connection(8).await;
        assert!(!over(connection.quiet(PATIENCE), 4).await);
        assert!(over(connection.quiet(PATIENCE), 2).await);
        let begun = connection.begin(Version::HTTP_11);
        assert!(connection.is_one_by_one());
        assert!(!over(connection.quiet(PATIENCE), 60).await);
        drop(begun);
        assert!(!over(connection.quiet(PATIENCE), 4).await);
        assert!(over(connection.quiet(PATIENCE), 2).await);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_over_http_2_is_handed_on_in_parts_and_must_be_taken() {
        let connection = connection(8).await;
        let text = "a".repeat(2 * PART + 1);
        let answer = |version: Version| {
            let in_hand = connection.begin(version).unwrap();
            let most = (version >= Version::HTTP_2).then_some(PART);
            Answer::new(Body::from(text.clone()), most, in_hand, None)
        };
        let untaken = || connection.untaken(PATIENCE);
        let first = answer(Version::HTTP_2);
        assert_eq!(first.size_hint().exact(), Some(text.len() as u64));
        assert!(!over(untaken(), 4).await);
        assert!(over(untaken(), 2).await, "nothing of it is taken");
        let mut parts = Body::new(first).into_data_stream();
        for length in [PART, PART, 1] {
            assert_eq!(parts.next().await.unwrap().unwrap().len(), length);
            assert!(!over(untaken(), 4).await);
            // Another one that is taken at once changes nothing.
            drop(Body::new(answer(Version::HTTP_2)).into_data_stream().next().await);
            assert!(over(untaken(), 2).await, "no more of it is taken");
        }
        assert!(parts.next().await.is_none());
        drop(parts);
        let whole = answer(Version::HTTP_11);
        assert!(!over(untaken(), 60).await, "the connection watches it");
        let mut parts = Body::new(whole).into_data_stream();
        assert_eq!(parts.next().await.unwrap().unwrap().len(), text.len());
    }
}
