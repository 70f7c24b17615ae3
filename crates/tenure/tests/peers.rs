//! At a Unix socket the kernel says who asks
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::{
    Ran, clean, command, landscape, open_to_all, poll, run, unprivileged, write_secret as write,
};
use serde_json::Value;
use tempfile::TempDir;

const OWN: &str = "client:corp/own";
const NOBODY: &str = "client:corp/nobody";

/// A server at a Unix socket, killed when it goes out of scope
struct AtSocket {
    server: Child,
    folder: TempDir,
    socket: PathBuf,
    callers: PathBuf,
}

impl AtSocket {
    fn start(callers: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        open_to_all(folder.path());
        let (socket, file) =
            (folder.path().join("tenure.sock"), folder.path().join("callers.toml"));
        write(&file, callers);
        let mut command = command();
        command.arg("serve").arg("--listen").arg(format!("unix:{}", socket.display()));
        command.arg("--tokens").arg(&file);
        command.arg("--data").arg(folder.path().join("data")).stderr(Stdio::null());
        let server = command.spawn().unwrap();
        let mut at = Self { server, folder, socket, callers: file };
        poll(|| {
            assert!(at.server.try_wait().unwrap().is_none(), "the server has ended");
            at.is_ready().then_some(())
        })
        .unwrap();
        at
    }

    fn is_ready(&self) -> bool {
        let Ok(mut stream) = UnixStream::connect(&self.socket) else { return false };
        let head = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(head).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.starts_with("HTTP/1.1 200")
    }

    fn mode(&self) -> u32 {
        fs::metadata(&self.socket).unwrap().permissions().mode() & 0o777
    }

    fn server(&self) -> String {
        format!("unix:{}", self.socket.display())
    }

    /// Lists levels by a program, with a token or with none
    fn asks(&self, program: &mut Command, token: &str) -> Ran {
        run(program.args(["--server", &self.server(), "levels"]).env("TENURE_TOKEN", token))
    }

    fn stop(mut self) {
        let pid = self.server.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.server.wait().unwrap().success());
        assert!(!self.socket.exists());
    }
}

impl Drop for AtSocket {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

fn row(uid: u32, principal: &str) -> String {
    format!("[[peer]]\nuid = {uid}\nprincipal = \"{principal}\"\n")
}

fn own_uid(folder: &Path) -> u32 {
    fs::metadata(folder).unwrap().uid()
}

/// A token that the command line made, and its lines for the file
fn token() -> (String, String) {
    let made = run(command().args(["token", "new", "--principal", "client:corp/token"]));
    let token = made.exits(0).stdout.lines().next().unwrap().strip_prefix("# ").unwrap().to_owned();
    (token, made.stdout)
}

fn submitter(ran: &Ran) -> String {
    ran.exits(0).json().get("submitter").and_then(Value::as_str).unwrap().to_owned()
}

#[test]
fn a_user_of_this_machine_is_known_by_its_row() {
    let home = tempfile::tempdir().unwrap();
    let own = own_uid(home.path());
    let (token, lines) = token();
    let at = AtSocket::start(&(row(own, OWN) + &row(65_534, NOBODY) + &lines));
    assert_eq!(at.mode(), 0o666);
    let ask = |program: &mut Command, arguments: &[&str], token: &str| {
        run(program.args(["--server", &at.server()]).args(arguments).env("TENURE_TOKEN", token))
    };
    for (n, entry) in landscape().iter().enumerate() {
        let file = home.path().join(format!("{n}.json"));
        fs::write(&file, entry.to_string()).unwrap();
        ask(&mut command(), &["submit", file.to_str().unwrap()], "").exits(0);
    }
    assert!(at.asks(&mut command(), "").exits(0).stdout.contains("subaccount:dev"));
    let newest = |program: &mut Command, to: &str, token: &str| {
        let grant = [
            "grant",
            "Subaccount Viewer",
            "--to",
            to,
            "--on",
            "subaccount:dev",
            "--format",
            "json",
        ];
        let granted = ask(program, &grant, token).exits(0).json();
        let position = granted["results"][0]["position"].to_string();
        submitter(&ask(&mut command(), &["entry", &position, "--format", "json"], ""))
    };
    assert_eq!(newest(&mut command(), "a@x", ""), OWN);
    // A token goes before the user id, and one that fails is the end.
    assert_eq!(newest(&mut command(), "b@x", &token), "client:corp/token");
    at.asks(&mut command(), "wrong").exits(3).complains(&["unauthenticated", "token"]);
    let Some(nobody) = unprivileged(at.folder.path()).filter(|_| own != 65_534) else { return };
    let nobody = || {
        let mut again = clean(Command::new(nobody.get_program()));
        again.args(nobody.get_args());
        again
    };
    if own != 0 {
        eprintln!("not tested as another user: that takes the superuser");
        return;
    }
    assert_eq!(newest(&mut nobody(), "c@x", ""), NOBODY);
    assert_eq!(newest(&mut nobody(), "d@x", &token), "client:corp/token");
    // Who is taken out of the file is nobody from then on.
    write(&at.callers, &row(own, OWN));
    let refused = poll(|| Some(at.asks(&mut nobody(), "")).filter(|ran| ran.code() == 3)).unwrap();
    refused.complains(&["unauthenticated", "user id 65534", "[[peer]]"]);
    assert!(!refused.stderr.contains("corp"), "{refused:#?}");
    at.asks(&mut command(), "").exits(0);
    at.stop();
}

#[test]
fn without_rows_of_users_the_socket_is_its_owners_and_asks_for_a_token() {
    let (token, lines) = token();
    let at = AtSocket::start(&lines);
    assert_eq!(at.mode(), 0o600);
    at.asks(&mut command(), "").exits(3).complains(&["unauthenticated", "say who you are"]);
    at.asks(&mut command(), &token).exits(0);
    let own = own_uid(at.folder.path());
    if let Some(mut nobody) = unprivileged(at.folder.path()).filter(|_| own == 0) {
        let ran = at.asks(&mut nobody, &token);
        ran.exits(3).complains(&["no server answers at unix:", "ermission"]);
    }
    at.stop();
}
