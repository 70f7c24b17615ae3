//! How does a test get a real nats-server, of either version?
//!
//! [`Server::start`] runs one on a free port of loopback with a store of its own. When the [`Server`] goes out of scope,
//! the process and the store are removed. `tests/run` installs both versions and sets `TENURE_TEST_*` to their paths.
//! Without these variables the servers are looked for in the places where `tests/run` installs them.

mod wire;

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub use wire::Wire;

/// How long an expected event may take, on a busy machine too
const PATIENCE: Duration = Duration::from_secs(60);

/// The variable with the store's folder, for a configuration file of the caller
const STORE_VARIABLE: &str = "NATS_STORE";

/// The version of a nats-server
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    /// Debian's, 2.9: it knows no `sync_interval: always`
    Debian,
    /// The newest on PyPI
    Newest,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The path in a variable; without the variable the first of some places that exists
fn installed(variable: &str, places: &[PathBuf]) -> PathBuf {
    let said = std::env::var_os(variable).map(PathBuf::from);
    said.or_else(|| places.iter().find(|place| place.exists()).cloned()).unwrap_or_else(|| {
        panic!("{variable} is not set and none of {places:?} exists: `tests/run` installs it")
    })
}

impl Version {
    /// Both versions
    pub const ALL: [Self; 2] = [Self::Debian, Self::Newest];

    /// The path of the program
    pub fn program(self) -> PathBuf {
        match self {
            Self::Debian => installed("TENURE_TEST_NATS_DEBIAN", &["/usr/sbin/nats-server".into()]),
            Self::Newest => {
                installed("TENURE_TEST_NATS_NEWEST", &[root().join(".cache/nats/bin/nats-server")])
            }
        }
    }

    /// Whether it knows `sync_interval: always`
    pub fn can_sync_always(self) -> bool {
        self == Self::Newest
    }
}

/// The path of a Python with `nats-py`, `msgpack` and `jsonschema`
pub fn python() -> PathBuf {
    installed("TENURE_TEST_PYTHON", &[root().join(".cache/nats/bin/python3")])
}

/// How to start a server
#[derive(Debug)]
pub struct Start {
    version: Version,
    config: PathBuf,
    variables: Vec<(OsString, OsString)>,
    folder: TempDir,
    port: Option<u16>,
}

impl Start {
    /// A server that also reads these lines of configuration
    pub fn with(version: Version, config: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("nats.conf");
        fs::write(&path, config).unwrap();
        Self { version, config: path, variables: Vec::new(), folder, port: None }
    }

    /// A server that reads a configuration file as it is
    ///
    /// Only its address comes from here, and the file must take the folder of the store from `NATS_STORE`.
    pub fn of_file(version: Version, config: &Path) -> Self {
        let folder = TempDir::new().unwrap();
        let config = config.to_owned();
        let store = folder.path().join("store").into_os_string();
        let variables = vec![(OsString::from(STORE_VARIABLE), store)];
        Self { version, config, variables, folder, port: None }
    }

    /// Sets a variable that the configuration refers to
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Listens at this port, for servers that must know each other's ports before they start
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Starts it, and waits until it accepts connections
    ///
    /// # Errors
    /// The output of the server, if it ended instead.
    pub fn attempt(self) -> Result<Server, String> {
        let mut server =
            Server { start: self, child: None, port: 0, said: Arc::new(Mutex::new(String::new())) };
        server.spawn()?;
        Ok(server)
    }

    /// Starts it, and waits until it accepts connections
    #[track_caller]
    pub fn running(self) -> Server {
        self.attempt().unwrap_or_else(|said| panic!("the nats-server did not start: {said}"))
    }
}

/// A nats-server with JetStream; when this goes out of scope, it is killed and its store removed
#[derive(Debug)]
pub struct Server {
    start: Start,
    child: Option<Child>,
    port: u16,
    said: Arc<Mutex<String>>,
}

impl Server {
    /// A server with its default configuration, without accounts
    #[track_caller]
    pub fn start(version: Version) -> Self {
        Start::with(version, "").running()
    }

    fn spawn(&mut self) -> Result<(), String> {
        let folder = self.start.folder.path();
        let ports = folder.join("ports");
        // A ports file of an earlier run could be mistaken for the file of this run.
        drop(fs::remove_dir_all(&ports));
        fs::create_dir_all(&ports).unwrap();
        let port = match (self.port, self.start.port) {
            (0, None) => "-1".to_owned(),
            (0, Some(port)) => port.to_string(),
            (port, _) => port.to_string(),
        };
        let mut command = Command::new(self.start.version.program());
        command.arg("--jetstream").arg("--config").arg(&self.start.config);
        command.args(["--addr", "127.0.0.1", "--port", &port]);
        if !self.start.variables.iter().any(|(name, _)| name == STORE_VARIABLE) {
            command.arg("--store_dir").arg(folder.join("store"));
        }
        command.arg("--ports_file_dir").arg(&ports);
        command.envs(self.start.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let said = Arc::clone(&self.said);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut said = said.lock().unwrap();
                said.push_str(&line);
                said.push('\n');
            }
        });
        let file = ports.join(format!("nats-server_{}.ports", child.id()));
        let deadline = Instant::now() + PATIENCE;
        loop {
            // The file may be there before it is fully written.
            if let Some(port) = fs::read(&file).ok().and_then(|text| port_of(&text)) {
                self.port = port;
                self.child = Some(child);
                return Ok(());
            }
            if child.try_wait().unwrap().is_some() {
                reader.join().unwrap();
                return Err(self.said());
            }
            if Instant::now() > deadline {
                child.kill().unwrap();
                child.wait().unwrap();
                return Err(format!("it accepts no connections in time: {}", self.said()));
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// Its URL for clients, `nats://127.0.0.1:<port>`
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Its URL for a client with a user and a password
    pub fn url_as(&self, user: &str, password: &str) -> String {
        format!("nats://{user}:{password}@127.0.0.1:{}", self.port)
    }

    /// The port for clients, which stays the same when the server is started again
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its version
    pub fn version(&self) -> Version {
        self.start.version
    }

    /// The folder of JetStream's files
    pub fn store(&self) -> PathBuf {
        self.start.folder.path().join("store")
    }

    /// Its whole log output, over all its starts
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// The id of its process, if it runs
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id().expect("it runs")).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Ends it at once, as a crash does
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.child.take().unwrap().wait().unwrap();
    }

    /// Stops it as an operator does
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        let mut child = self.child.take().unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            if Instant::now() > deadline {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("the nats-server does not end: {}", self.said());
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// Starts it again on the same port, with the same store
    #[track_caller]
    pub fn start_again(&mut self) {
        assert!(self.child.is_none(), "it still runs");
        self.spawn().unwrap_or_else(|said| panic!("the nats-server did not start again: {said}"));
    }

    /// Makes it stand still, like a machine that hangs
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after [`Self::pause`]
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Removes its store, while it does not run
    pub fn lose_store(&self) {
        assert!(self.child.is_none(), "it still runs");
        fs::remove_dir_all(self.store()).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended already. A kill also ends a paused process.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn port_of(ports: &[u8]) -> Option<u16> {
    let ports: serde_json::Value = serde_json::from_slice(ports).ok()?;
    ports["nats"].as_array()?.first()?.as_str()?.rsplit(':').next()?.parse().ok()
}

/// A port of loopback that is free at this moment, for servers that must know each other's ports beforehand
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
