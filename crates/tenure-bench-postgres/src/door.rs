//! How is the ledger's server asked over HTTP?
//!
//! The server runs in this process, on threads of its own; a client has one connection that it keeps.

use std::net::SocketAddr;
use std::path::Path;
use std::thread::JoinHandle;

use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tenure_server::config::Partial;
use tenure_server::server::Server;
use tenure_wire::api;
use tenure_wire::question::Question as Asked;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// The ledger's server on a data folder
#[derive(Debug)]
pub(crate) struct Ledger {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Ledger {
    /// Starts it, and waits until it is ready
    ///
    /// # Errors
    /// A folder that it cannot serve.
    pub(crate) fn serve(folder: &Path) -> anyhow::Result<Self> {
        let settings = Partial {
            data: Some(folder.to_owned()),
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            ..Partial::default()
        }
        .settle()?;
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new()?;
            runtime.block_on(async move {
                let server = Server::bind(settings).await?;
                let address = server.address();
                let stopped = async {
                    drop(stopped.await);
                };
                let progress = move |progress: tenure_server::engine::Progress| {
                    if progress.done == progress.of {
                        let _told = ready.send(address);
                    }
                };
                Ok(server.run(stopped, progress).await?)
            })
        });
        match is_ready.recv() {
            Ok(address) => Ok(Self { address, stop: Some(stop), thread: Some(thread) }),
            Err(_) => match thread.join() {
                Ok(ended) => {
                    ended?;
                    bail!("the ledger's server ended before it was ready")
                }
                Err(_) => bail!("the ledger's server panicked"),
            },
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        drop(self.stop.take());
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// A connection to it
pub(crate) struct Door {
    sender: SendRequest<Empty<Bytes>>,
    host: String,
}

impl Door {
    /// Connects
    ///
    /// # Errors
    /// A server that does not listen.
    pub(crate) async fn open(ledger: &Ledger) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(ledger.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut door = Self { sender, host: ledger.address.to_string() };
        // Folded is not yet ready.
        let patience = std::time::Instant::now();
        while door.get("/readyz").await.is_err() {
            if patience.elapsed().as_secs() > 30 {
                bail!("the ledger's server is folded and does not get ready");
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        Ok(door)
    }

    async fn get(&mut self, path: &str) -> anyhow::Result<Bytes> {
        self.sender.ready().await?;
        let request = hyper::Request::builder()
            .uri(path)
            .header(hyper::header::HOST, &self.host)
            .body(Empty::new())?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            bail!("{path}: {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }

    /// Asks a question: until its rows are values here; gives how many
    ///
    /// # Errors
    /// A question that has no answer.
    pub(crate) async fn ask(&mut self, asked: &Asked) -> anyhow::Result<usize> {
        let body = self.get(&path(asked)).await?;
        Ok(match asked {
            Asked::Who(_) => {
                let who: api::Who = read(&body)?;
                who.total + who.sets.len()
            }
            Asked::Check(_) => read::<api::Check>(&body)?.because.len(),
            Asked::Timeline(_) => read::<api::Timeline>(&body)?.intervals.len(),
            Asked::Where(_) => read::<api::Where>(&body)?.levels.len(),
            Asked::Assignments(_) => read::<api::Assignments>(&body)?.assignments.len(),
            Asked::Diff(_) => {
                let diff: api::Diff = read(&body)?;
                diff.gained.len() + diff.lost.len() + diff.changed.len()
            }
            other => bail!("`{}` is not asked here", other.name()),
        })
    }
}

fn read<T: DeserializeOwned>(body: &Bytes) -> anyhow::Result<T> {
    serde_json::from_slice(body).context("an answer that cannot be read")
}

/// The path of a question, with the largest page there is
fn path(asked: &Asked) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(asked.parameters());
    if matches!(asked, Asked::Who(_) | Asked::Where(_) | Asked::Assignments(_)) {
        query.append_pair("limit", "10000");
    }
    format!("/v1/{}?{}", asked.name(), query.finish())
}
