//! How does a client ask over one connection that costs next to nothing itself, with TLS or without?
//!
//! HTTP/1.1 on a blocking socket. A request is bytes before the clock runs, and of an answer the head alone is read.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use anyhow::ensure;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::Value;

use crate::client::read_head;

/// Most bytes of an answer, with its head
const ANSWER_BYTES_MAX: usize = 1 << 16;

/// A request, such as of the line `GET /v1/levels`
pub(super) fn request(line: &str, token: Option<&str>, body: Option<&Value>) -> Vec<u8> {
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n"));
    let body = body.map(Value::to_string).map(|body| {
        let length = body.len();
        format!("content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
    });
    let (token, rest) = (token.unwrap_or_default(), body.unwrap_or("\r\n".to_owned()));
    format!("{line} HTTP/1.1\r\nhost: localhost\r\n{token}{rest}").into_bytes()
}

/// Where a server listens, and how a client speaks TLS to it, if it does
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) address: SocketAddr,
    pub(super) tls: Option<Arc<ClientConfig>>,
}

trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

/// A connection that is kept
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    answer: Box<[u8]>,
}

impl Endpoint {
    /// The same place with another client
    pub(super) fn with_tls(&self, tls: Arc<ClientConfig>) -> Self {
        Self { tls: Some(tls), ..self.clone() }
    }

    /// Connects, up to where the client may send its first request
    pub(super) fn open(&self) -> anyhow::Result<Connection> {
        let mut socket = TcpStream::connect(self.address)?;
        socket.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(socket),
            Some(config) => {
                let name = ServerName::try_from("localhost")?;
                let mut tls = ClientConnection::new(Arc::clone(config), name)?;
                while tls.is_handshaking() {
                    tls.complete_io(&mut socket)?;
                }
                Box::new(StreamOwned::new(tls, socket))
            }
        };
        Ok(Connection { stream, answer: vec![0; ANSWER_BYTES_MAX].into() })
    }
}

impl Connection {
    /// Sends a request, waits for the whole answer, which must have this status, and gives its body
    pub(super) fn ask(&mut self, request: &[u8], expected: u16) -> anyhow::Result<&[u8]> {
        self.stream.write_all(request)?;
        self.stream.flush()?;
        let mut filled = 0;
        let (status, body) = loop {
            let free = self.answer.get_mut(filled..).unwrap_or_default();
            ensure!(!free.is_empty(), "an answer is longer than {ANSWER_BYTES_MAX} bytes");
            let read = self.stream.read(free)?;
            ensure!(read > 0, "the server closed a connection before it answered");
            filled += read;
            let head = read_head(self.answer.get(..filled).unwrap_or_default())?;
            if let Some((status, begins, ends)) = head.filter(|(_, _, ends)| *ends <= filled) {
                break (status, begins..ends);
            }
        };
        let body = self.answer.get(body).unwrap_or_default();
        ensure!(status == expected, "status {status}: {}", String::from_utf8_lossy(body));
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_who_asks_and_how_long_its_body_is() {
        let text = |token, body| String::from_utf8(request("GET /x", token, body)).unwrap();
        assert_eq!(text(None, None), "GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n");
        assert_eq!(
            text(Some("t"), Some(&Value::Null)),
            "GET /x HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer t\r\n\
             content-type: application/json\r\ncontent-length: 4\r\n\r\nnull"
        );
    }
}
