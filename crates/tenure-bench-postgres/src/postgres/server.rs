//! How does a PostgreSQL of our own start, and how does it go away again?
//!
//! In a temporary folder, on a socket and a loopback port of its own, as an unprivileged user where we
//! are root. It stops when it is dropped, and when this process dies.

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, getuid, kill_process};
use tempfile::TempDir;
use tokio_postgres::Client;

/// How long it may take to start
const START_PATIENCE: Duration = Duration::from_secs(60);
/// How long it may take to stop before it is killed
const STOP_PATIENCE: Duration = Duration::from_secs(20);
const USER: &str = "tenure";

/// A running PostgreSQL
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    port: u16,
    // Dropped after `drop` has stopped the server.
    folder: TempDir,
    settings: Vec<String>,
}

/// Whom to run it as
#[derive(Clone, Copy, Debug)]
struct Account {
    user: u32,
    group: u32,
}

impl Server {
    /// Makes a cluster and starts it
    ///
    /// # Errors
    /// No PostgreSQL 15, or one that does not start: what it said.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let programs = programs()?;
        let account = if getuid().is_root() { Some(unprivileged()?) } else { None };
        let folder = tempfile::Builder::new().prefix("tenure-bench-postgres-").tempdir()?;
        let data = folder.path().join("data");
        if let Some(account) = account {
            chown(folder.path(), Some(account.user), Some(account.group))?;
        }
        let initialised = command(&programs.join("initdb"), account)
            .args(["--username", USER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C"])
            .args(["--no-sync", "--no-instructions", "--pgdata"])
            .arg(&data)
            .current_dir(folder.path())
            .output()
            .context("initdb cannot be started")?;
        if !initialised.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&initialised.stderr));
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let settings = settings(folder.path(), port)?;
        let log = std::fs::File::create(folder.path().join("log"))?;
        let mut command = command(&programs.join("postgres"), account);
        command.arg("-D").arg(&data).current_dir(folder.path());
        for setting in &settings {
            command.args(["-c", setting]);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("postgres cannot be started")?;
        let mut server = Self { child, port, folder, settings };
        server.wait().await?;
        Ok(server)
    }

    async fn wait(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            match self.connect().await {
                Ok(client) => {
                    let create = "CREATE EXTENSION btree_gist; CREATE EXTENSION pg_stat_statements";
                    return client.batch_execute(create).await.context(
                        "its extensions are missing: install the package postgresql-contrib",
                    );
                }
                Err(error) => {
                    let ended = self.child.try_wait()?.is_some();
                    if ended || began.elapsed() > START_PATIENCE {
                        let log = self.folder.path().join("log");
                        let said = std::fs::read_to_string(log).unwrap_or_default();
                        return Err(error.context(format!("PostgreSQL did not start: {said}")));
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A new connection, over TCP on loopback
    ///
    /// # Errors
    /// A server that does not take it.
    pub(crate) async fn connect(&self) -> anyhow::Result<Client> {
        let port = self.port;
        let config = format!("host=127.0.0.1 port={port} user={USER} dbname=postgres");
        super::connect(&config).await
    }

    /// Its version, as it says it
    ///
    /// # Errors
    /// Whatever PostgreSQL says.
    pub(crate) async fn version(&self) -> anyhow::Result<String> {
        let row = self.connect().await?.query_one("SHOW server_version", &[]).await?;
        Ok(row.try_get(0)?)
    }

    /// What was set, besides its folders
    pub(crate) fn settings(&self) -> impl Iterator<Item = &str> {
        let ours = ["listen_addresses", "port", "unix_socket_directories"];
        let all = self.settings.iter().map(String::as_str);
        all.filter(move |setting| !ours.iter().any(|name| setting.starts_with(name)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id())
            && let Some(pid) = Pid::from_raw(pid)
        {
            // SIGINT is PostgreSQL's fast shutdown.
            let _gone = kill_process(pid, Signal::INT);
        }
        let began = Instant::now();
        while began.elapsed() < STOP_PATIENCE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Where the programs of PostgreSQL 15 are
fn programs() -> anyhow::Result<PathBuf> {
    let debian = Path::new("/usr/lib/postgresql/15/bin");
    if debian.join("postgres").exists() {
        return Ok(debian.to_owned());
    }
    let asked = Command::new("pg_config").arg("--bindir").output();
    let found = asked.ok().map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned());
    match found.map(PathBuf::from).filter(|found| found.join("postgres").exists()) {
        Some(found) => Ok(found),
        None => bail!(
            "PostgreSQL is not there: install it (Debian: apt-get install postgresql), then run \
             this again"
        ),
    }
}

/// PostgreSQL refuses to run as root
fn unprivileged() -> anyhow::Result<Account> {
    let all = std::fs::read_to_string("/etc/passwd").context("/etc/passwd cannot be read")?;
    let find = |name: &str| {
        let line = all.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        let user = fields.next()?.parse().ok()?;
        Some(Account { user, group: fields.next()?.parse().ok()? })
    };
    find("postgres").or_else(|| find("nobody")).context("there is no user `postgres` or `nobody`")
}

/// A program that gets SIGINT when this process dies, where `setpriv` can see to it
fn command(program: &Path, account: Option<Account>) -> Command {
    let setpriv = Path::new("/usr/bin/setpriv");
    let mut command;
    if setpriv.exists() {
        command = Command::new(setpriv);
        command.args(["--pdeathsig", "INT"]);
        if let Some(account) = account {
            command.arg(format!("--reuid={}", account.user));
            command.arg(format!("--regid={}", account.group));
            command.arg("--clear-groups");
        }
        command.arg("--").arg(program);
    } else {
        command = Command::new(program);
        if let Some(account) = account {
            command.uid(account.user).gid(account.group);
        }
    }
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C");
    command
}

/// As an expert would set it for reading, all data in memory
fn settings(folder: &Path, port: u16) -> anyhow::Result<Vec<String>> {
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes: u64 = match total.and_then(|rest| rest.split_whitespace().next()) {
        Some(number) => number.parse()?,
        None => 4 * 1_024 * 1_024,
    };
    let megabytes = kilobytes / 1_024;
    let all = [
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        format!("unix_socket_directories={}", folder.display()),
        format!("shared_buffers={}MB", megabytes / 4),
        format!("effective_cache_size={}MB", megabytes / 2),
        "work_mem=64MB".to_owned(),
        "maintenance_work_mem=512MB".to_owned(),
        "jit=off".to_owned(),
        "random_page_cost=1.1".to_owned(),
        "default_statistics_target=500".to_owned(),
        "fsync=off".to_owned(),
        "synchronous_commit=off".to_owned(),
        "full_page_writes=off".to_owned(),
        "wal_level=minimal".to_owned(),
        "max_wal_senders=0".to_owned(),
        "max_wal_size=8GB".to_owned(),
        "autovacuum=off".to_owned(),
        "shared_preload_libraries=pg_stat_statements".to_owned(),
    ];
    Ok(all.into())
}
