//! How does a client ask that costs next to nothing itself?
//!
//! Requests are made before the clock runs and sent as they are, each on a connection that is kept and
//! waits for its answer. One thread drives all connections, as client and server share the machine.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::BenchError;
use crate::report::HttpAsked;
use crate::times::{Times, per_second};

/// Headers of an answer, at most
const HEADERS_MAX: usize = 32;
/// Bytes of an answer, at most
const ANSWER_BYTES_MAX: usize = 1 << 30;

/// A `GET`
pub(super) fn get(address: SocketAddr, path: &str, parameters: &[(String, String)]) -> Vec<u8> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters);
    let (query, host) = (query.finish(), address);
    format!("GET {path}?{query} HTTP/1.1\r\nhost: {host}\r\n\r\n").into_bytes()
}

/// A `POST` of JSON
pub(super) fn post(address: SocketAddr, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A connection that is kept
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(1 << 16) })
    }

    /// Sends a request, waits for the whole answer, and gives its status
    async fn ask(&mut self, request: &[u8]) -> Result<u16, BenchError> {
        let broke = |error| BenchError::Io("a connection broke", error);
        self.stream.write_all(request).await.map_err(broke)?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await.map_err(broke)? == 0 {
                return Err(broke(io::ErrorKind::UnexpectedEof.into()));
            }
            if let Some((status, length)) = head(&self.buffer)? {
                while self.buffer.len() < length {
                    if self.stream.read_buf(&mut self.buffer).await.map_err(broke)? == 0 {
                        return Err(broke(io::ErrorKind::UnexpectedEof.into()));
                    }
                }
                return Ok(status);
            }
        }
    }
}

/// The status of an answer and the bytes of all of it, once its head is there
fn head(buffer: &[u8]) -> Result<Option<(u16, usize)>, BenchError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut answer = httparse::Response::new(&mut headers);
    let parsed = answer.parse(buffer).map_err(|e| BenchError::Answer(e.to_string()))?;
    let httparse::Status::Complete(head) = parsed else { return Ok(None) };
    let length = answer.headers.iter().find(|h| h.name.eq_ignore_ascii_case("content-length"));
    let length = length
        .and_then(|header| std::str::from_utf8(header.value).ok()?.parse::<usize>().ok())
        .filter(|length| *length <= ANSWER_BYTES_MAX)
        .ok_or_else(|| BenchError::Answer("it does not say its length".to_owned()))?;
    Ok(Some((answer.code.unwrap_or_default(), head + length)))
}

/// Asks on so many connections at once, each request in turn, until the time is over or each connection has
/// asked `requests_max`, and once at least
pub(super) fn ask(
    address: SocketAddr,
    connections: usize,
    requests: Vec<Vec<u8>>,
    each: Duration,
    requests_max: usize,
) -> Result<HttpAsked, BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| BenchError::Io("the threads cannot be started", e))?;
    let requests = Arc::new(requests);
    runtime.block_on(async move {
        let mut open = Vec::new();
        for _ in 0..connections {
            let connection = Connection::open(address).await;
            open.push(connection.map_err(|e| BenchError::Io("no connection can be made", e))?);
        }
        let began = Instant::now();
        let running = open.into_iter().enumerate().map(|(n, connection)| {
            let requests = Arc::clone(&requests);
            let ends = began + each;
            tokio::spawn(ask_one(connection, requests, n, ends, requests_max))
        });
        let (mut times, mut failed) = (Times::default(), 0);
        for client in running.collect::<Vec<_>>() {
            let ended = client.await.map_err(|error| BenchError::Server(error.to_string()))?;
            let (more, more_failed) = ended?;
            times.extend(more);
            failed += more_failed;
        }
        let per_second = per_second(times.count(), began.elapsed());
        Ok(HttpAsked { per_second, took: times.spread(), failed })
    })
}

async fn ask_one(
    mut connection: Connection,
    requests: Arc<Vec<Vec<u8>>>,
    first: usize,
    ends: Instant,
    requests_max: usize,
) -> Result<(Times, u64), BenchError> {
    let (mut times, mut failed) = (Times::default(), 0);
    // Connections begin at places far from each other.
    let turn = requests.iter().cycle().skip(first * 7_919 % requests.len().max(1));
    for request in turn.take(requests_max) {
        let began = Instant::now();
        // One at least, however late it is.
        if began >= ends && times.count() > 0 {
            break;
        }
        let status = connection.ask(request).await?;
        times.push(began.elapsed());
        failed += u64::from(status != 200);
    }
    Ok((times, failed))
}

/// The status of one answer
pub(super) async fn status(address: SocketAddr, path: &str) -> Result<u16, BenchError> {
    let connection = Connection::open(address).await;
    let mut connection = connection.map_err(|e| BenchError::Io("no connection can be made", e))?;
    connection.ask(&get(address, path, &[])).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_there_once_its_head_says_how_long_it_is() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(head(&answer[..20]).unwrap(), None);
        assert_eq!(head(answer).unwrap(), Some((200, answer.len())));
        assert_eq!(head(&answer[..40]).unwrap(), Some((200, answer.len())));
        assert!(head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(head(b"nonsense\r\n\r\n").is_err());
    }

    #[test]
    fn requests_are_those_of_http_1_1() {
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        let parameters = [("can".to_owned(), "role-collection:A b".to_owned())];
        assert_eq!(
            String::from_utf8(get(address, "/v1/who", &parameters)).unwrap(),
            "GET /v1/who?can=role-collection%3AA+b HTTP/1.1\r\nhost: 127.0.0.1:80\r\n\r\n"
        );
        let post = String::from_utf8(post(address, "/v1/entries", "{}")).unwrap();
        assert!(post.ends_with("content-length: 2\r\n\r\n{}"), "{post}");
    }
}
