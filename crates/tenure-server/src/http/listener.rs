//! How do connections come in, and how do they end?

use std::io::Result;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_io_timeout::TimeoutStream;
use tokio_util::either::Either;
use tower_http::add_extension::AddExtension;

use super::connections::Connections;
use super::door::HttpDoor;
use super::listen_at::ListenAt;
use super::router::{operators_router, router};
use super::stranger::CameTo;
use super::unix_socket::{self, SocketFile};
use crate::engine::chain;

/// How long the head of a request may take to come, and a connection may be idle
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// How long a client may read nothing of what was sent to it
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// How long requests that have begun may go on when the server is told to stop
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// Connections for each request that is served at once
const CONNECTIONS_PER_REQUEST: usize = 16;
/// Most connections at once
const CONNECTIONS_MAX: usize = 100_000;
/// Most connections of operators at once
const OPERATORS_MAX: usize = 64;

/// A socket that is listened at
#[derive(Debug)]
pub(crate) struct Listener {
    socket: Socket,
    address: ListenAt,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        /// Removed when the listener ends
        _file: SocketFile,
    },
}

/// A connection, and what is known of it
struct Accepted {
    stream: Either<TcpStream, UnixStream>,
    came_to: CameTo,
    peer: Option<IpAddr>,
}

impl Listener {
    /// Listens there
    ///
    /// # Errors
    /// An address that cannot be listened at.
    pub(crate) async fn bind(at: &ListenAt) -> Result<Self> {
        let (socket, address) = match at {
            ListenAt::Tcp(address) => {
                let listener = TcpListener::bind(address).await?;
                let address = listener.local_addr()?;
                (Socket::Tcp(listener), ListenAt::Tcp(address))
            }
            ListenAt::Unix(path) => {
                let (listener, file) = unix_socket::listen(path)?;
                (Socket::Unix { listener, _file: file }, at.clone())
            }
        };
        Ok(Self { socket, address })
    }

    /// Where it listens
    pub(crate) fn address(&self) -> &ListenAt {
        &self.address
    }

    /// Serves connections until the hall is closed, then lets what has begun come to its end
    pub(crate) async fn accept(self, door: Arc<HttpDoor>, requests_max: usize) {
        let most = requests_max.saturating_mul(CONNECTIONS_PER_REQUEST).min(CONNECTIONS_MAX);
        let closed = door.hall.closed();
        accept(self.socket, router(&door), &Connections::new(most), closed).await;
    }

    /// Serves the paths of operators alone
    pub(crate) async fn accept_operators(self, door: Arc<HttpDoor>) {
        let closed = door.hall.closed();
        accept(self.socket, operators_router(&door), &Connections::new(OPERATORS_MAX), closed)
            .await;
    }
}

impl Socket {
    async fn accept(&self) -> Result<Accepted> {
        let listener = match self {
            Self::Tcp(listener) => listener,
            Self::Unix { listener, .. } => {
                let stream = Either::Right(listener.accept().await?.0);
                return Ok(Accepted { stream, came_to: CameTo::UnixSocket, peer: None });
            }
        };
        let (stream, peer) = listener.accept().await?;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
        let came_to = CameTo::Address(stream.local_addr()?.ip().to_canonical());
        Ok(Accepted { stream: Either::Left(stream), came_to, peer: Some(peer.ip()) })
    }
}

async fn accept(
    socket: Socket,
    router: Router,
    connections: &Arc<Connections>,
    closed: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE);
    let mut closed = std::pin::pin!(closed);
    loop {
        let accepted = tokio::select! {
            () = &mut closed => break,
            accepted = async {
                let place = connections.place().await;
                (socket.accept().await, place)
            } => accepted,
        };
        let (accepted, Ok(place)) = accepted else { break };
        let Accepted { stream, came_to, peer } = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Too many open files, or a client that was gone at once: others are still served.
                tracing::warn!(error = chain(&error), "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(connected) = connections.connected(place, peer) else {
            tracing::debug!(?peer, "a peer has its share of the connections already");
            continue;
        };
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(WRITE_PATIENCE));
        let stream = TokioIo::new(Box::pin(stream));
        let service = TowerToHyperService::new(AddExtension::new(router.clone(), came_to));
        let connection = builder.serve_connection(stream, service).into_owned();
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(connected);
        });
    }
    drop(socket);
    if tokio::time::timeout(STOP_PATIENCE, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time");
    }
}
