//! How do connections come in?

use std::io::Result;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_util::either::Either;
use tokio_util::task::TaskTracker;

use super::connections::Connections;
use super::door::HttpDoor;
use super::listen_at::ListenAt;
use super::router::{operators_router, router};
use super::served::Served;
use super::stranger::CameTo;
use super::tls::Tls;
use super::unix_socket::{self, SocketFile};
use crate::engine::chain;

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
    tls: Option<Tls>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        /// Removed when the listener ends
        file: SocketFile,
    },
}

/// A connection, and what is known of it
pub(super) struct Accepted {
    pub(super) stream: Either<TcpStream, UnixStream>,
    pub(super) came_to: CameTo,
    /// From where it came; a Unix socket has no such place
    from: Option<IpAddr>,
    /// The user at its other end, where the kernel knows
    pub(super) user: Option<u32>,
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
                (Socket::Unix { listener, file }, at.clone())
            }
        };
        Ok(Self { socket, address, tls: None })
    }

    /// The same, and connections are TLS connections
    #[must_use]
    pub(crate) fn with_tls(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    /// Lets every user of this machine connect, if it is a Unix socket
    ///
    /// # Errors
    /// A file system that does not take the mode.
    pub(crate) fn open_to_all_users(&self) -> Result<()> {
        match &self.socket {
            Socket::Tcp(_) => Ok(()),
            Socket::Unix { file, .. } => file.open_to_all(),
        }
    }

    /// Where it listens
    pub(crate) fn address(&self) -> &ListenAt {
        &self.address
    }

    /// Serves connections until the hall is closed, then lets what has begun come to its end
    pub(crate) async fn accept(self, door: Arc<HttpDoor>, requests_max: usize) {
        let most = requests_max.saturating_mul(CONNECTIONS_PER_REQUEST).min(CONNECTIONS_MAX);
        let closed = door.hall.closed();
        accept(self.socket, self.tls, router(&door), &Connections::new(most), closed).await;
    }

    /// Serves the paths of operators alone
    pub(crate) async fn accept_operators(self, door: Arc<HttpDoor>) {
        let closed = door.hall.closed();
        let connections = Connections::new(OPERATORS_MAX);
        accept(self.socket, self.tls, operators_router(&door), &connections, closed).await;
    }
}

impl Socket {
    async fn accept(&self) -> Result<Accepted> {
        let listener = match self {
            Self::Tcp(listener) => listener,
            Self::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                let user = Some(stream.peer_cred()?.uid());
                let stream = Either::Right(stream);
                return Ok(Accepted { stream, came_to: CameTo::UnixSocket, from: None, user });
            }
        };
        let (stream, from) = listener.accept().await?;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
        let came_to = CameTo::Address(stream.local_addr()?.ip().to_canonical());
        let stream = Either::Left(stream);
        Ok(Accepted { stream, came_to, from: Some(from.ip()), user: None })
    }
}

async fn accept(
    socket: Socket,
    tls: Option<Tls>,
    router: Router,
    connections: &Arc<Connections>,
    closed: impl Future<Output = ()>,
) {
    let door = Served::new(tls, router);
    let tasks = TaskTracker::new();
    let mut closed = pin!(closed);
    loop {
        let accepted = tokio::select! {
            () = &mut closed => break,
            accepted = async {
                let place = connections.place().await;
                (socket.accept().await, place)
            } => accepted,
        };
        let (accepted, Ok(place)) = accepted else { break };
        let accepted = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Too many open files, or a client that was gone at once: others are still served.
                tracing::warn!(error = chain(&error), "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(connected) = connections.connected(place, accepted.from) else {
            tracing::debug!(peer = ?accepted.from, "a peer has its share of the connections already");
            continue;
        };
        let door = door.clone();
        tasks.spawn(async move {
            if let Err(error) = door.serve(accepted, connected).await {
                tracing::debug!(error, "a connection ended early");
            }
        });
    }
    drop(socket);
    door.close();
    tasks.close();
    if tokio::time::timeout(STOP_PATIENCE, tasks.wait()).await.is_err() {
        tracing::warn!("some requests did not end in time");
    }
}
