//! How does the ledger's server run here?
//!
//! In this process, on threads of its own, on loopback and a port that is free.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tenure_server::config::Partial;
use tenure_server::http::ListenAt;
use tenure_server::server::Server;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::client::Connection;

/// A server on a data folder; it stops when this is dropped
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    running: JoinHandle<anyhow::Result<()>>,
    runtime: Runtime,
    stop: Option<oneshot::Sender<()>>,
}

impl Served {
    /// Starts a server, and waits until it is ready
    pub(crate) fn start(folder: &Path) -> anyhow::Result<Self> {
        let runtime = Runtime::new()?;
        let settings = Partial {
            data: Some(folder.to_owned()),
            listen: Some(ListenAt::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)))),
            catalog: Some("manual".to_owned()),
            ..Partial::default()
        };
        let server = runtime.block_on(Server::bind(settings.settle()?))?;
        let address = server.address().tcp().context("the server has no address")?;
        let (stop, stopped) = oneshot::channel();
        let running = runtime.spawn(async move {
            let stopped = async { drop(stopped.await) };
            Ok(server.run(stopped, |_| {}).await?)
        });
        let served = Self { address, running, runtime, stop: Some(stop) };
        let ready = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\n\r\n").into_bytes();
        let is_ready = async || {
            let mut connection = Connection::open(address).await?;
            anyhow::Ok(connection.ask(&ready).await?.0 == 200)
        };
        while !served.runtime.block_on(is_ready())? {
            ensure!(!served.running.is_finished(), "the server ended before it was ready");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(served)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        // How it ended does not matter any more: all answers are there.
        drop(self.runtime.block_on(&mut self.running));
    }
}
