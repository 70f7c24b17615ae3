//! A ledger for a test: the program itself, in a process of its own
#![expect(dead_code, reason = "each test crate uses a part of it")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

pub(crate) mod http2;

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long an expected event may take, on a busy machine too
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The actor of all entries that these tests append
pub(crate) const ADMIN: &str = "user:sap.default/admin@acme.example";

/// The output of a process, and how it ended
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The exit status; a process that a signal ended has none
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }

    #[track_caller]
    pub(crate) fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.status.code(), Some(code), "{self:#?}");
        self
    }

    /// Asserts that the complaint has these parts, is no panic, and takes a line or two
    #[track_caller]
    pub(crate) fn complains(&self, parts: &[&str]) -> &Self {
        assert_sentence(&self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` is not in {self:#?}");
        }
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:#?}"))
    }
}

/// Asserts that a complaint is there, is written for a person, and is no panic or backtrace
#[track_caller]
pub(crate) fn assert_sentence(text: &str) {
    assert!(text.split_whitespace().count() >= 3, "no sentence: {text:?}");
    for bad in ["panicked at", "RUST_BACKTRACE", "stack backtrace"] {
        assert!(!text.contains(bad), "a panic: {text}");
    }
}

/// The program, without settings from the environment of the tests
pub(crate) fn command() -> Command {
    clean(Command::new(env!("CARGO_BIN_EXE_tenure")))
}

/// Removes the settings that come from the environment of the tests
pub(crate) fn clean(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TENURE_") {
            command.env_remove(name);
        }
    }
    command.env_remove("RUST_LOG").env_remove("RUST_BACKTRACE").stdin(Stdio::null());
    command
}

/// Runs a command to its end, which must come in time
pub(crate) fn run(command: &mut Command) -> Ran {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdout = drain(child.stdout.take().unwrap());
    let stderr = drain(child.stderr.take().unwrap());
    let Some(status) = poll(|| child.try_wait().unwrap()) else {
        child.kill().unwrap();
        child.wait().unwrap();
        panic!("it does not end: {command:?}\n{}", stderr.join().unwrap());
    };
    Ran { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

fn drain(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Runs `tenure` with these arguments
pub(crate) fn tenure<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Ran {
    run(command().args(arguments))
}

/// Runs `tenure` on a data folder
pub(crate) fn tenure_on(data: &Path, arguments: &[&str]) -> Ran {
    run(command().arg("--data").arg(data).args(arguments))
}

/// Asks again and again until there is an answer or [`PATIENCE`] is over
pub(crate) fn poll<T>(ask: impl FnMut() -> Option<T>) -> Option<T> {
    poll_for(PATIENCE, ask)
}

/// Asks again and again until there is an answer or the time is over
pub(crate) fn poll_for<T>(patience: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() > deadline {
            return None;
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// A server, killed when it goes out of scope
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    stderr: Arc<Mutex<String>>,
    agent: ureq::Agent,
}

/// How to start a server
#[derive(Debug)]
pub(crate) struct Start {
    command: Command,
}

impl Start {
    /// A server that listens at a free port
    pub(crate) fn on(data: &Path) -> Self {
        Self::by(command(), data)
    }

    /// A server that another program starts; that program's own arguments come first
    pub(crate) fn by(command: Command, data: &Path) -> Self {
        Self::by_at(command, data, "127.0.0.1:0")
    }

    /// A server that listens there
    pub(crate) fn at(data: &Path, listen: &str) -> Self {
        Self::by_at(command(), data, listen)
    }

    fn by_at(mut command: Command, data: &Path, listen: &str) -> Self {
        command.args(["serve", "--listen", listen, "--data"]).arg(data);
        command.env("TENURE_LOG_FORMAT", "json");
        Self { command }
    }

    #[must_use]
    pub(crate) fn arg(mut self, name: &str, value: &str) -> Self {
        self.command.args([name, value]);
        self
    }

    #[must_use]
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it, and waits until it listens
    pub(crate) fn listening(mut self) -> Result<Server, Ran> {
        let mut child = self.command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = Arc::new(Mutex::new(String::new()));
        let address = follow(child.stderr.take().unwrap(), &stderr);
        match address.recv_timeout(PATIENCE) {
            Ok(address) => {
                let agent = ureq::Agent::config_builder()
                    .http_status_as_error(false)
                    .timeout_global(Some(PATIENCE))
                    .build()
                    .into();
                Ok(Server { child, address, stderr, agent })
            }
            Err(_) => {
                // It has ended, or it does not listen in time.
                drop(child.kill());
                let status = child.wait().unwrap();
                let stderr = stderr.lock().unwrap().clone();
                Err(Ran { status, stdout: String::new(), stderr })
            }
        }
    }

    /// Starts it, and waits until it is ready or has ended
    pub(crate) fn attempt(self) -> Result<Server, Ran> {
        let mut server = self.listening()?;
        let ready = poll(|| {
            if let Some(status) = server.child.try_wait().unwrap() {
                return Some(Err(status));
            }
            (server.try_get("/readyz")?.status == 200).then_some(Ok(()))
        });
        match ready.unwrap_or_else(|| panic!("not ready in time: {}", server.stderr())) {
            Ok(()) => Ok(server),
            Err(status) => {
                let stderr = server.stderr_to_its_end();
                Err(Ran { status, stdout: String::new(), stderr })
            }
        }
    }

    /// Starts it, and waits until it is ready
    #[track_caller]
    pub(crate) fn ready(self) -> Server {
        self.attempt().unwrap_or_else(|ran| panic!("the server did not start: {ran:#?}"))
    }
}

/// Keeps the output of a server, and finds the address in it
fn follow(from: impl Read + Send + 'static, into: &Arc<Mutex<String>>) -> Receiver<SocketAddr> {
    let (found, address) = channel();
    let into = Arc::clone(into);
    std::thread::spawn(move || {
        let mut found = Some(found);
        for line in BufReader::new(from).lines() {
            let Ok(line) = line else { break };
            if let Ok(event) = serde_json::from_str::<Value>(&line)
                && event["fields"]["message"] == "listening"
                && let Some(found) = found.take()
            {
                let address = event["fields"]["address"].as_str().unwrap();
                found.send(address.parse().unwrap()).unwrap();
            }
            let mut into = into.lock().unwrap();
            into.push_str(&line);
            into.push('\n');
        }
    });
    address
}

/// An answer of a server
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) text: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {self:#?}"))
    }

    /// The JSON of a successful answer
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self:#?}");
        self.json()
    }

    /// Asserts that it is a problem document with this status, this code and these parts in its sentence
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, code: &str, parts: &[&str]) -> Value {
        assert_eq!(self.status, status, "{self:#?}");
        assert_eq!(self.content_type, "application/problem+json", "{self:#?}");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{self:#?}");
        assert_eq!(problem["status"], status, "{self:#?}");
        assert_eq!(problem["type"], format!("urn:tenure:error:{code}"), "{self:#?}");
        assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{self:#?}");
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert_sentence(detail);
        for part in parts {
            assert!(detail.contains(part), "`{part}` is not in {detail:?}");
        }
        problem
    }
}

impl Server {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn agent(&self) -> ureq::Agent {
        self.agent.clone()
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Its whole output, after it has ended and the pipe is read to its end
    fn stderr_to_its_end(&self) -> String {
        poll_for(Duration::from_secs(5), || (Arc::strong_count(&self.stderr) == 1).then_some(()));
        self.stderr()
    }

    pub(crate) fn try_get(&self, path: &str) -> Option<Answer> {
        received(self.agent.get(format!("{}{path}", self.url())).call())
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.try_get(path).unwrap_or_else(|| panic!("no answer to {path}: {}", self.stderr()))
    }

    pub(crate) fn try_post(&self, path: &str, kind: &str, body: &[u8]) -> Option<Answer> {
        post(&self.agent, &format!("{}{path}", self.url()), kind, body)
    }

    #[track_caller]
    pub(crate) fn post_bytes(&self, path: &str, kind: &str, body: &[u8]) -> Answer {
        self.try_post(path, kind, body)
            .unwrap_or_else(|| panic!("no answer to {path}: {}", self.stderr()))
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_bytes(path, "application/json", &serde_json::to_vec(body).unwrap())
    }

    /// Appends entries, each of which must be applied, and returns their results
    #[track_caller]
    pub(crate) fn append(&self, entries: &[Value]) -> Vec<Value> {
        let answer = self.post("/v1/entries", &json!({ "entries": entries })).ok();
        let results = answer["results"].as_array().unwrap().clone();
        assert_eq!(results.len(), entries.len());
        for result in &results {
            assert_eq!(result["outcome"], "applied", "{result:#}");
        }
        results
    }

    /// The newest position
    #[track_caller]
    pub(crate) fn position(&self) -> u64 {
        self.get("/readyz").ok()["position"].as_u64().unwrap()
    }

    /// All rows of the log
    #[track_caller]
    pub(crate) fn log(&self) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut after = 0;
        loop {
            let page = self.get(&format!("/v1/entries?after={after}&limit=10000")).ok();
            rows.extend(page["entries"].as_array().unwrap().iter().cloned());
            match page["next_after"].as_u64() {
                Some(next) => after = next,
                None => return rows,
            }
        }
    }

    /// One sample of the metrics, by its full name with labels
    #[track_caller]
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        let text = self.get("/metrics").text;
        let line =
            text.lines().find(|line| line.split_once(' ').is_some_and(|(n, _)| n == name))?;
        line.rsplit_once(' ').and_then(|(_, value)| value.parse().ok())
    }

    /// Ends it at once, as a crash does
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Tells it to stop
    pub(crate) fn terminate(&self) {
        let pid = self.id().to_string();
        let told = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &pid]).status().unwrap();
        assert!(told.success());
    }

    /// Waits until it has ended
    #[track_caller]
    pub(crate) fn ended(&mut self) -> ExitStatus {
        poll(|| self.child.try_wait().unwrap())
            .unwrap_or_else(|| panic!("it does not end: {}", self.stderr()))
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Stops it as an operator does; the exit status must be a success
    #[track_caller]
    pub(crate) fn stop(mut self) {
        self.terminate();
        let status = self.ended();
        assert_eq!(status.code(), Some(0), "{}", self.stderr());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn post(agent: &ureq::Agent, url: &str, kind: &str, body: &[u8]) -> Option<Answer> {
    received(agent.post(url).content_type(kind).send(body))
}

fn received(sent: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Option<Answer> {
    let mut response = sent.ok()?;
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
    let content_type = kind.unwrap_or_default().to_owned();
    let text = response.body_mut().with_config().limit(1024 * 1024 * 1024).read_to_string().ok()?;
    Some(Answer { status, content_type, text })
}

/// An entry with these changes
pub(crate) fn entry(changes: &[Value]) -> Value {
    json!({ "id": uuid::Uuid::now_v7().to_string(), "actor": ADMIN, "changes": changes })
}

/// An entry with these changes, which hold from a time on
pub(crate) fn entry_at(effective_at: &str, changes: &[Value]) -> Value {
    let mut entry = entry(changes);
    entry["effective_at"] = effective_at.into();
    entry
}

/// A grant that is applied after [`landscape`]
pub(crate) fn grant(to: &str) -> Value {
    json!({ "type": "grant", "level": "subaccount:dev", "role_collection": "Subaccount Viewer",
            "to": format!("user:sap.default/{to}") })
}

/// A server with [`landscape`]
pub(crate) fn server(data: &tempfile::TempDir) -> Server {
    let server = Start::on(data.path()).ready();
    server.append(&landscape());
    server
}

/// Three entries: a global account, a subaccount in it, and a user who may administer its destinations
pub(crate) fn landscape() -> Vec<Value> {
    vec![
        entry_at(
            "2024-01-01T00:00:00Z",
            &[
                json!({ "type": "create_level", "level": "global-account:acme" }),
                json!({ "type": "create_level", "level": "directory:eu", "parent": "global-account:acme",
                    "authorizations": true }),
                json!({ "type": "create_level", "level": "directory:west", "parent": "directory:eu" }),
                json!({ "type": "create_level", "level": "subaccount:dev", "parent": "directory:west" }),
            ],
        ),
        entry_at(
            "2024-02-01T00:00:00Z",
            &[json!({
            "type": "grant", "level": "subaccount:dev",
            "role_collection": "Destination Administrator",
            "to": "user:sap.default/alice@acme.example", "until": "2099-01-01T00:00:00Z" })],
        ),
        entry_at("2024-02-01T00:00:00Z", &[grant("bob@acme.example")]),
    ]
}

/// A data folder with the entries of [`landscape`] and without a server, and its log
pub(crate) fn left_behind() -> (tempfile::TempDir, Vec<Value>) {
    let data = tempfile::tempdir().unwrap();
    let server = Start::on(data.path()).ready();
    server.append(&landscape());
    let log = server.log();
    server.stop();
    (data, log)
}

/// Copies a folder with all that is in it
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy_folder(&item.path(), &target);
        } else {
            fs::copy(item.path(), target).unwrap();
        }
    }
}

/// All files under a folder, by their paths in it, in order
pub(crate) fn files_under(folder: &Path) -> Vec<PathBuf> {
    fn walk(root: &Path, folder: &Path, into: &mut Vec<PathBuf>) {
        for item in fs::read_dir(folder).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                walk(root, &path, into);
            } else {
                into.push(path.strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    let mut files = Vec::new();
    walk(folder, folder, &mut files);
    files.sort();
    files
}

/// A stream of server-sent events, read on a thread of its own
#[derive(Debug)]
pub(crate) struct Events {
    events: Receiver<Event>,
}

/// One event
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) data: String,
}

impl Event {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }
}

impl Events {
    /// Begins to read the stream at a path
    pub(crate) fn of(server: &Server, path: &str, last_event_id: Option<u64>) -> Self {
        let mut agent = server.agent().get(format!("{}{path}", server.url()));
        if let Some(id) = last_event_id {
            agent = agent.header("Last-Event-ID", id.to_string());
        }
        let response = agent.call().unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let (sender, events) = channel();
        std::thread::spawn(move || {
            let mut event = Event::default();
            for line in BufReader::new(response.into_body().into_reader()).lines() {
                let Ok(line) = line else { return };
                match line.split_once(": ") {
                    Some(("id", id)) => event.id = id.to_owned(),
                    Some(("event", name)) => event.name = name.to_owned(),
                    Some(("data", data)) => event.data.push_str(data),
                    _ if line.is_empty() && event != Event::default() => {
                        let sent = sender.send(std::mem::take(&mut event));
                        // The receiver is gone.
                        let Ok(()) = sent else { return };
                    }
                    _ => {}
                }
            }
        });
        Self { events }
    }

    /// The next event
    #[track_caller]
    pub(crate) fn next(&self) -> Event {
        self.next_or_end().unwrap_or_else(|| panic!("the stream has ended"))
    }

    /// The next event; `None` if the stream has ended
    #[track_caller]
    pub(crate) fn next_or_end(&self) -> Option<Event> {
        match self.events.recv_timeout(PATIENCE) {
            Ok(event) => Some(event),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => None,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("the stream does not end"),
        }
    }
}

/// Sends bytes as they are, and reads the answer until the other side closes
pub(crate) fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The server may answer and close before it has read everything; its answer can still be read.
    drop(stream.write_all(bytes));
    let mut answer = Vec::new();
    // A reset after the answer is also an end.
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

/// Whether this runs as the superuser, for whom permissions do not count
pub(crate) fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

/// The program run by a user without rights; if that is not possible, `None` and a line on stderr
///
/// The program is linked or copied to a folder that this user can read.
#[expect(clippy::print_stderr, reason = "a test that does less says so")]
pub(crate) fn unprivileged(folder: &Path) -> Option<Command> {
    if !is_root() {
        return Some(command());
    }
    let tried = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "true"])
        .status();
    if !tried.is_ok_and(|status| status.success()) {
        eprintln!("not tested as a user without rights: there is no `setpriv` that may be used");
        return None;
    }
    open_to_all(folder);
    let program = folder.join("tenure-for-nobody");
    if fs::hard_link(env!("CARGO_BIN_EXE_tenure"), &program).is_err() {
        fs::copy(env!("CARGO_BIN_EXE_tenure"), &program).unwrap();
    }
    let mut command = clean(Command::new("setpriv"));
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
    Some(command)
}

/// Lets everybody read a folder
#[cfg(unix)]
pub(crate) fn open_to_all(folder: &Path) {
    set_mode(folder, 0o755);
}

#[cfg(unix)]
pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Writes a file that its owner alone can open, at once for whoever reads it
pub(crate) fn write_secret(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    set_mode(&new, 0o600);
    fs::rename(new, path).unwrap();
}

/// A query string with these parameters
pub(crate) fn query(parameters: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in parameters {
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        for byte in value.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                    text.push(char::from(byte));
                }
                _ => write!(text, "%{byte:02X}").unwrap(),
            }
        }
    }
    text
}
