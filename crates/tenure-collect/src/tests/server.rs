//! A server on loopback that does what it is told

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// A request
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) target: String,
    host: String,
    pub(super) authorization: Option<String>,
    pub(super) body: String,
}

/// What is answered
pub(super) struct Reply {
    status: u16,
    headers: String,
    body: String,
    /// How long it takes
    pause: Duration,
    /// Whether the connection breaks in the middle of the body
    half: bool,
    /// Whether the length of the body is said before
    has_length: bool,
}

/// A server that ends with its value
pub(super) struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    ended: Arc<AtomicBool>,
}

impl Seen {
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    /// A URL of the server that was asked
    pub(super) fn own(&self, target: &str) -> String {
        format!("http://{}{target}", self.host)
    }

    /// A parameter of the query
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let query = self.target.split_once('?')?.1;
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// A field of the form
    pub(super) fn field(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.body.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// Reads one from a connection
    pub(super) fn read(stream: &mut impl std::io::Read) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let mut words = line.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let (mut authorization, mut host, mut length) = (None, String::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "host" => host = value.to_owned(),
                "authorization" => authorization = Some(value.to_owned()),
                "content-length" => length = value.parse().ok()?,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let body = String::from_utf8(body).ok()?;
        Some(Self { method, target, host, authorization, body })
    }
}

impl Reply {
    pub(super) fn status(status: u16) -> Self {
        Self {
            status,
            headers: String::new(),
            body: String::new(),
            pause: Duration::ZERO,
            half: false,
            has_length: true,
        }
    }

    pub(super) fn json(body: &Value) -> Self {
        Self::status(200).body(&body.to_string())
    }

    pub(super) fn body(self, body: &str) -> Self {
        Self { body: body.to_owned(), ..self }
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    pub(super) fn after(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    pub(super) fn half(self) -> Self {
        Self { half: true, ..self }
    }

    pub(super) fn without_length(self) -> Self {
        Self { has_length: false, ..self }
    }

    pub(super) fn write(&self, stream: &mut impl std::io::Write) {
        thread::sleep(self.pause);
        let length = match self.has_length {
            true => format!("content-length: {}\r\n", self.body.len()),
            false => String::new(),
        };
        let head = format!(
            "HTTP/1.1 {} X\r\n{}connection: close\r\n{length}\r\n",
            self.status, self.headers
        );
        let sent = if self.half { self.body.len() / 2 } else { self.body.len() };
        // The client may be gone.
        drop(stream.write_all(head.as_bytes()));
        drop(stream.write_all(&self.body.as_bytes()[..sent]));
        drop(stream.flush());
    }
}

impl Server {
    pub(super) fn run(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::run_at(TcpListener::bind("127.0.0.1:0").unwrap(), answer)
    }

    pub(super) fn run_at(
        listener: TcpListener,
        answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let (seen, ended) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (answer, all, end) = (Arc::new(answer), Arc::clone(&seen), Arc::clone(&ended));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let (answer, all) = (Arc::clone(&answer), Arc::clone(&all));
                thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let Some(request) = Seen::read(&mut stream) else { return };
                    all.lock().unwrap().push(request.clone());
                    answer(&request).write(&mut stream);
                });
            }
        });
        Self { address, seen, ended }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The requests of a path
    pub(super) fn seen_at(&self, path: &str) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.path() == path).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the one that accepts.
        drop(TcpStream::connect(self.address));
    }
}
