//! How does a PostgreSQL of our own start, and how does it go away again?
//!
//! It runs in a temporary folder and listens on loopback alone, as an unprivileged user where we are root. It stops
//! when it is dropped, and when this process dies.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use crate::machine::memory_bytes;

/// How long it may take to start
const START_PATIENCE: Duration = Duration::from_secs(60);
/// How long it may take to stop before it is killed
const STOP_PATIENCE: Duration = Duration::from_secs(20);
const USER: &str = "tenure";
/// Set as an expert would set it for reading, all data in memory
const SETTINGS: [&str; 13] = [
    "work_mem=64MB",
    "maintenance_work_mem=512MB",
    "jit=off",
    "random_page_cost=1.1",
    "default_statistics_target=500",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=8GB",
    "autovacuum=off",
    "shared_preload_libraries=pg_stat_statements",
];

/// A running PostgreSQL
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    port: u16,
    /// What is set besides its addresses
    pub(super) settings: Vec<String>,
    // Removed after `drop` has stopped the server.
    folder: TempDir,
}

impl Server {
    /// Makes a cluster and starts it
    pub(super) async fn start() -> anyhow::Result<Self> {
        let programs = programs()?;
        let folder = tempfile::Builder::new().prefix("tenure-bench-postgres-").tempdir()?;
        let is_root = std::fs::metadata("/proc/self")?.uid() == 0;
        if is_root {
            let given = Command::new("chown").arg("postgres:postgres").arg(folder.path()).status();
            ensure!(given?.success(), "there is no user `postgres`, as whom PostgreSQL would run");
        }
        let data = folder.path().join("data");
        let initialised = command(&programs.join("initdb"), is_root)
            .args(["--username", USER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C"])
            .args(["--no-sync", "--no-instructions", "--pgdata"])
            .arg(&data)
            .current_dir(folder.path())
            .output()
            .context("initdb cannot be started")?;
        let complaint = String::from_utf8_lossy(&initialised.stderr);
        ensure!(initialised.status.success(), "initdb failed: {complaint}");
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let megabytes = memory_bytes().unwrap_or(4 << 30) >> 20;
        let mut settings: Vec<String> = SETTINGS.map(str::to_owned).into();
        settings.push(format!("shared_buffers={}MB", megabytes / 4));
        settings.push(format!("effective_cache_size={}MB", megabytes / 2));
        let folder_setting = format!("unix_socket_directories={}", folder.path().display());
        let own = ["listen_addresses=127.0.0.1".to_owned(), format!("port={port}"), folder_setting];
        let log = std::fs::File::create(folder.path().join("log"))?;
        let mut command = command(&programs.join("postgres"), is_root);
        command.arg("-D").arg(&data).current_dir(folder.path());
        for setting in settings.iter().chain(&own) {
            command.args(["-c", setting]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().context("postgres cannot be started")?;
        let mut server = Self { child, port, settings, folder };
        server.wait().await?;
        let extensions = "CREATE EXTENSION pg_stat_statements";
        let client = server.connect().await?;
        client.batch_execute(extensions).await.context("postgresql-contrib is missing")?;
        Ok(server)
    }

    async fn wait(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        while let Err(error) = self.connect().await {
            if self.child.try_wait()?.is_some() || began.elapsed() > START_PATIENCE {
                let log = std::fs::read_to_string(self.folder.path().join("log"));
                let said = log.unwrap_or_default();
                return Err(error.context(format!("PostgreSQL did not start: {said}")));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// A new connection, over TCP on loopback
    pub(super) async fn connect(&self) -> anyhow::Result<Client> {
        let port = self.port;
        let config = format!("host=127.0.0.1 port={port} user={USER} dbname=postgres");
        let (client, connection) = tokio_postgres::connect(&config, NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's fast shutdown.
        drop(Command::new("kill").args(["-INT", &self.child.id().to_string()]).status());
        let began = Instant::now();
        while began.elapsed() < STOP_PATIENCE && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Where the programs of PostgreSQL are
fn programs() -> anyhow::Result<PathBuf> {
    let debian = PathBuf::from("/usr/lib/postgresql/15/bin");
    let asked = || Command::new("pg_config").arg("--bindir").output().ok();
    let found = match debian.join("postgres").exists() {
        true => Some(debian),
        false => asked().map(|said| String::from_utf8_lossy(&said.stdout).trim().into()),
    };
    let found = found.filter(|found: &PathBuf| found.join("postgres").exists());
    found.context("PostgreSQL is missing: install it (Debian: apt-get install postgresql)")
}

/// A program that gets SIGINT when this process dies; PostgreSQL refuses to run as root
fn command(program: &Path, is_root: bool) -> Command {
    let mut command = Command::new("/usr/bin/setpriv");
    command.args(["--pdeathsig", "INT"]);
    if is_root {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command.arg("--").arg(program);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C");
    command
}
