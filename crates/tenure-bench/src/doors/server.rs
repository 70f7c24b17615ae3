//! How does the program itself serve here?
//!
//! `tenure serve` in a process of its own, on loopback and a port that is free, with the settings of every server.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use rustls::ClientConfig;
use serde_json::Value;

use super::connection::{Endpoint, request};

/// Files that a server is told of
pub(super) type Arguments = Vec<(&'static str, PathBuf)>;

/// A server that ends when this is dropped
pub(super) struct Server {
    child: Child,
    pub(super) endpoint: Endpoint,
}

/// Writes a new file that its owner alone may read, as a server asks of secrets
pub(super) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}

/// Copies a folder with all that is in it
pub(super) fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for item in std::fs::read_dir(from)? {
        let item = item?;
        let target = to.join(item.file_name());
        if item.file_type()?.is_dir() {
            copy(&item.path(), &target)?;
        } else {
            std::fs::copy(item.path(), target)?;
        }
    }
    Ok(())
}

/// The address in a line of the log that says where the server listens
fn listening(line: &str) -> Option<SocketAddr> {
    let event: Value = serde_json::from_str(line).ok()?;
    let fields = event.get("fields")?;
    let is_it = fields.get("message")? == "listening";
    is_it.then(|| fields.get("address")?.as_str()?.parse().ok())?
}

impl Server {
    /// Starts it on a data folder, and waits until it is ready
    pub(super) fn start(
        tenure: &Path,
        data: &Path,
        arguments: Arguments,
        tls: Option<Arc<ClientConfig>>,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(tenure);
        command.args(["serve", "--listen", "127.0.0.1:0", "--catalog", "manual"]);
        // Nothing is written in the background while it is measured.
        command.args(["--index-checkpoints", "off", "--data"]).arg(data);
        for (name, file) in arguments {
            command.arg(name).arg(file);
        }
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TENURE_") {
                command.env_remove(name);
            }
        }
        command.env("TENURE_LOG_FORMAT", "json");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().with_context(|| {
            format!("`{}` does not start: build it, or name it by --tenure", tenure.display())
        })?;
        let endpoint = Endpoint { address: SocketAddr::from(([127, 0, 0, 1], 0)), tls };
        let mut server = Self { child, endpoint };
        let log = server.child.stderr.take().context("the server has no log")?;
        let (mut log, mut said) = (BufReader::new(log), String::new());
        server.endpoint.address = loop {
            let begins = said.len();
            if log.read_line(&mut said)? == 0 {
                bail!("the server ended before it listened:\n{said}");
            }
            if let Some(address) = said.get(begins..).and_then(listening) {
                break address;
            }
        };
        // A server whose log nobody reads would stop at a full pipe.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let ready = request("GET /readyz", None, None);
        while server.endpoint.open()?.ask(&ready, 200).is_err() {
            ensure!(server.child.try_wait()?.is_none(), "the server ended before it was ready");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}
