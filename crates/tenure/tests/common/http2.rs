//! A client that speaks HTTP/2, also as slowly as a test wants
#![expect(
    clippy::expect_used,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use ureq::http::{Request, Response};

use super::{Answer, PATIENCE};

/// A connection
pub(crate) struct Http2 {
    send: SendRequest<Bytes>,
    /// Is there when the connection has ended
    pub(crate) ended: JoinHandle<Result<(), h2::Error>>,
}

/// A request whose answer is still to come
pub(crate) struct Asked {
    pub(crate) answer: ResponseFuture,
    pub(crate) body: SendStream<Bytes>,
}

/// Runs what waits for a server
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

impl Http2 {
    /// Connects without TLS, and begins with HTTP/2
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap(), &Builder::new()).await
    }

    pub(crate) async fn over<S>(stream: S, as_said: &Builder) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (send, connection) = as_said.handshake(stream).await.unwrap();
        Self { send, ended: tokio::spawn(connection) }
    }

    /// Sends a head; the body comes by the stream, unless the request is whole
    pub(crate) async fn send(&mut self, request: Request<()>, whole: bool) -> Asked {
        let mut send = self.send.clone().ready().await.unwrap();
        let (answer, body) = send.send_request(request, whole).unwrap();
        Asked { answer, body }
    }

    /// Sends a whole request; `None` if the connection has ended
    pub(crate) async fn try_send(&mut self, request: Request<()>) -> Option<Asked> {
        let mut send = self.send.clone().ready().await.ok()?;
        let (answer, body) = send.send_request(request, true).ok()?;
        Some(Asked { answer, body })
    }

    /// Asks at a path of `localhost`
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let request = Request::get(format!("http://localhost{path}")).body(()).unwrap();
        self.send(request, true).await.answer().await
    }

    /// Waits until the connection has ended
    pub(crate) async fn end(self) {
        drop(self.send);
        drop(timeout(2 * PATIENCE, self.ended).await.expect("it does not end"));
    }
}

impl Asked {
    /// Sends a part of the body, unless the answer came before it
    pub(crate) async fn part(&mut self, bytes: impl Into<Bytes>, last: bool) {
        let mut bytes: Bytes = bytes.into();
        while !bytes.is_empty() {
            self.body.reserve_capacity(bytes.len());
            let capacity = std::future::poll_fn(|context| self.body.poll_capacity(context));
            let Some(Ok(may)) = timeout(PATIENCE, capacity).await.expect("no window") else {
                return;
            };
            let part = bytes.split_to(may.min(bytes.len()));
            if self.body.send_data(part, last && bytes.is_empty()).is_err() {
                return;
            }
        }
    }

    /// The whole answer
    pub(crate) async fn answer(self) -> Answer {
        let response = timeout(PATIENCE, self.answer).await.expect("no answer").unwrap();
        text(response).await
    }
}

async fn text(response: Response<RecvStream>) -> Answer {
    let (head, mut body) = response.into_parts();
    let mut bytes = Vec::new();
    while let Some(part) = timeout(PATIENCE, body.data()).await.expect("no more of the answer") {
        let part = part.unwrap();
        body.flow_control().release_capacity(part.len()).unwrap();
        bytes.extend_from_slice(&part);
    }
    let content_type = head.headers.get("content-type");
    Answer {
        status: head.status.as_u16(),
        content_type: content_type.map_or("", |kind| kind.to_str().unwrap()).to_owned(),
        text: String::from_utf8(bytes).unwrap(),
    }
}
