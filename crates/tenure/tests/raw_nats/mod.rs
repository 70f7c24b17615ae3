//! A NATS client of a few lines, independent of the client under test
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use tenure_test_nats::Server as Nats;

/// How long an answer may take
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection that sends requests
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    inbox: String,
}

impl Client {
    pub(crate) fn of(nats: &Nats) -> Self {
        Self::within(nats, PATIENCE)
    }

    /// A connection that waits so long for an answer
    pub(crate) fn within(nats: &Nats, patience: Duration) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", nats.port())).unwrap();
        stream.set_read_timeout(Some(patience)).unwrap();
        let mut client = Self {
            stream: BufReader::new(stream),
            inbox: format!("_INBOX.{}", uuid::Uuid::new_v4().simple()),
        };
        client.line();
        client.send(b"CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\n");
        let inbox = client.inbox.clone();
        client.send(format!("SUB {inbox} 1\r\n").as_bytes());
        client
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    /// A line, if one comes in time
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line).ok()?;
        Some(line)
    }

    /// Sends a request, and returns the JSON of the answer if one comes in time
    pub(crate) fn try_request(
        &mut self,
        subject: &str,
        headers: &[(&str, &str)],
        data: &[u8],
    ) -> Option<Value> {
        let mut head = "NATS/1.0\r\n".to_owned();
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        self.try_request_with(subject, head.as_bytes(), data)
    }

    /// The same with a header block of any bytes
    pub(crate) fn try_request_with(
        &mut self,
        subject: &str,
        head: &[u8],
        data: &[u8],
    ) -> Option<Value> {
        let inbox = self.inbox.clone();
        let (hdr, all) = (head.len(), head.len() + data.len());
        self.send(format!("HPUB {subject} {inbox} {hdr} {all}\r\n").as_bytes());
        self.send(head);
        self.send(data);
        self.send(b"\r\n");
        loop {
            let line = self.line()?;
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.first().copied() {
                Some("PING") => self.send(b"PONG\r\n"),
                Some("MSG" | "HMSG") => {
                    let size: usize = words.last().unwrap().parse().unwrap();
                    let mut data = vec![0; size + 2];
                    self.stream.read_exact(&mut data).unwrap();
                    let from = if words[0] == "HMSG" {
                        words[words.len() - 2].parse().unwrap()
                    } else {
                        0
                    };
                    let text = &data[from..size];
                    return serde_json::from_slice(text).ok();
                }
                None => return None,
                Some("-ERR") => panic!("{line}"),
                _ => {}
            }
        }
    }
}
