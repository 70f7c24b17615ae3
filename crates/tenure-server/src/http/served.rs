//! How is a connection served to its end?
//!
//! Both HTTP/1.1 and HTTP/2 are spoken, on a TLS port by what client and server agree on, else by how a client begins.
//! What bounds a connection is the same: how long its head may take, how long it may be idle, and how long its client
//! may take nothing of an answer. Of HTTP/2, `h2` bounds streams that a client opens and resets at once (20 that wait,
//! 1,024 by errors) and the frames that a head may be cut into, by its defaults.

use std::error::Error;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpStream, UnixStream};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tower_http::add_extension::AddExtension;

use super::connection::Connection;
use super::connections::Connected;
use super::listener::Accepted;
use super::tls::Tls;
use crate::hall::{Certificate, Peer};

/// How long the head of a request may take to come, and a connection may be idle
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// How long a client may read nothing of what was sent to it
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// Most requests at once on an HTTP/2 connection; each beside the first takes the place of a connection
const STREAMS_MAX: u32 = 32;
/// Bytes of all fields in the head of an HTTP/2 request
const HEAD_BYTES_MAX: u32 = 32 * 1_024;
/// Bytes of a body that a client may send over HTTP/2 before any is read
const STREAM_WINDOW: u32 = 64 * 1_024;
/// The same for all bodies of a connection: what HTTP/1 reads ahead is more
const CONNECTION_WINDOW: u32 = 256 * 1_024;
/// Bytes of an answer that wait in a stream until they are written
const SEND_BYTES: usize = 32 * 1_024;

/// The bytes of a connection, which fails when nothing of what is sent is taken
type Plain = Pin<Box<TimeoutStream<Either<TcpStream, UnixStream>>>>;

/// Why a connection ended early
pub(super) type Ended = Box<dyn Error + Send + Sync>;

/// How both kinds of HTTP are spoken
fn spoken() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE);
    builder
        .http2()
        .timer(TokioTimer::new())
        // A client that is gone answers no ping. One that is there and asks nothing is idle all the same.
        .keep_alive_interval(HEAD_PATIENCE)
        .keep_alive_timeout(HEAD_PATIENCE)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BYTES);
    builder
}

/// What each connection of a listener is served from
#[derive(Clone)]
pub(super) struct Served {
    tls: Option<Tls>,
    router: Router,
    builder: Builder<TokioExecutor>,
    /// Set when the server is told to stop
    closing: CancellationToken,
}

impl Served {
    pub(super) fn new(tls: Option<Tls>, router: Router) -> Self {
        Self { tls, router, builder: spoken(), closing: CancellationToken::new() }
    }

    /// Lets every connection come to its end
    pub(super) fn close(&self) {
        self.closing.cancel();
    }

    /// Serves a connection to its end
    pub(super) async fn serve(
        &self,
        accepted: Accepted,
        connected: Connected,
    ) -> Result<(), Ended> {
        let Accepted { stream, came_to, user, .. } = accepted;
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(WRITE_PATIENCE));
        let stream: Plain = Box::pin(stream);
        let (stream, certificate) = match &self.tls {
            None => (Either::Left(stream), None),
            Some(tls) => {
                let stream = tokio::select! {
                    () = self.closing.cancelled() => return Ok(()),
                    shaken = tls.handshake(stream) => Box::new(shaken?),
                };
                let certificate = certificate(&stream)?;
                (Either::Right(stream), certificate)
            }
        };
        let peer = certificate.map(Arc::new).map(Peer::Certificate).or(user.map(Peer::User));
        let connection = Connection::new(came_to, peer, connected);
        let service = AddExtension::new(self.router.clone(), Arc::clone(&connection));
        let served =
            self.builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let mut served = pin!(served);
        tokio::select! {
            ended = &mut served => return ended,
            () = connection.untaken(WRITE_PATIENCE) => return Err(UNTAKEN.into()),
            () = connection.quiet(HEAD_PATIENCE) => {}
            () = self.closing.cancelled() => {}
        }
        served.as_mut().graceful_shutdown();
        // HTTP/2 takes leave of its client, who may not answer, or may not take the end of an answer. HTTP/1 does not.
        let left = async {
            connection.quiet(HEAD_PATIENCE + WRITE_PATIENCE).await;
            if connection.is_one_by_one() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            ended = &mut served => ended,
            () = connection.untaken(WRITE_PATIENCE) => Err(UNTAKEN.into()),
            () = left => Err("the client does not take its leave".into()),
        }
    }
}

/// What is said of a client that opens no window
const UNTAKEN: &str = "the client takes nothing of an answer";

/// The certificate of a client that sent one
fn certificate<S>(stream: &TlsStream<S>) -> Result<Option<Certificate>, Ended> {
    let sent = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    Ok(sent.map(|sent| Certificate::read(sent)).transpose()?)
}
