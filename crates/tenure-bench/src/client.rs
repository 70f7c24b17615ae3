//! How does a client ask over HTTP that costs next to nothing itself?
//!
//! Requests are made before the clock runs. Each client has one connection that it keeps, and waits for each answer.
//! One thread drives all connections, because clients and server share the machine.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tenure_wire::question::{Asked, Texts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::times::{Measured, closed_loop};

/// Most bytes of an answer
const ANSWER_BYTES_MAX: usize = 1 << 30;

/// The path and the query that ask a question
pub(crate) fn target(asked: &Asked) -> String {
    let Texts { name, parameters } = Texts::of(asked);
    let path = if name == "history" { "entries" } else { name };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters.iter());
    format!("/v1/{path}?{}", query.finish())
}

/// The request that asks a question
pub(crate) fn question(address: SocketAddr, asked: &Asked) -> Vec<u8> {
    format!("GET {} HTTP/1.1\r\nhost: {address}\r\n\r\n", target(asked)).into_bytes()
}

/// A `POST` of JSON
pub(crate) fn post(address: SocketAddr, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A connection that is kept
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(1 << 16) })
    }

    /// Sends a request, waits for the whole answer, and gives its status and body
    pub(crate) async fn ask(&mut self, request: &[u8]) -> anyhow::Result<(u16, &[u8])> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let mut head = None;
        loop {
            if head.is_none() {
                head = read_head(&self.buffer)?;
            }
            if let Some((status, begins, ends)) = head
                && self.buffer.len() >= ends
            {
                return Ok((status, self.buffer.get(begins..ends).unwrap_or_default()));
            }
            let read = self.stream.read_buf(&mut self.buffer).await?;
            ensure!(read > 0, "the server closed a connection before it answered");
        }
    }
}

/// The status of an answer, and where its body begins and ends, once its head is there
pub(crate) fn read_head(buffer: &[u8]) -> anyhow::Result<Option<(u16, usize, usize)>> {
    let Some(length) = buffer.windows(4).position(|end| end == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(buffer.get(..length).unwrap_or_default())?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let body = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let (status, body) = status.zip(body).with_context(|| format!("cannot read `{head}`"))?;
    ensure!(body <= ANSWER_BYTES_MAX, "an answer of {body} bytes");
    Ok(Some((status, length + 4, length + 4 + body)))
}

/// Asks on so many connections at once, each request in turn, as [`closed_loop`] says
pub(crate) async fn ask_all(
    address: SocketAddr,
    connections: usize,
    requests: &[Vec<u8>],
    lasts: Duration,
    most: usize,
) -> anyhow::Result<Measured> {
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(Connection::open(address).await.context("the server takes no connection")?);
    }
    closed_loop(open, lasts, most, async |connection, n| {
        let request = requests.get(n % requests.len()).context("there is nothing to ask")?;
        let (status, body) = connection.ask(request).await?;
        let said = || format!("status {status}: {}", String::from_utf8_lossy(body));
        ensure!(status == 200, "{}\n{}", String::from_utf8_lossy(request), said());
        Ok(())
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_there_once_its_head_says_how_long_it_is() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(read_head(&answer[..20]).unwrap(), None);
        assert_eq!(read_head(answer).unwrap(), Some((200, answer.len() - 5, answer.len())));
        assert_eq!(read_head(&answer[..40]).unwrap(), read_head(answer).unwrap());
        assert!(read_head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(read_head(b"nonsense\r\n\r\n").is_err());
    }
}
