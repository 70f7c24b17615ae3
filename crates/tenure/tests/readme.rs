//! The tour of the README, typed as it stands there, prints what stands there
//!
//! Each line after `$ ` is run in an empty folder, with the program on the path. Three kinds of commands are made
//! fit for a test: the alias is left out, the server listens at a free port, and the test itself sends what
//! `curl` would.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Events, Ran, Server, Start, clean, run};
use tenure_core::Instant;
use uuid::Uuid;

/// Where the README's server listens
const ADDRESS: &str = "http://127.0.0.1:7480";

/// A command, and what the README says that it prints
#[derive(Debug)]
struct Step {
    command: String,
    printed: String,
}

/// The commands of the tour, in order
fn tour(readme: &str) -> Vec<Step> {
    let (_, tour) = readme.split_once("\n## A tour").unwrap();
    let (tour, _) = tour.split_once("\n## ").unwrap();
    let mut steps: Vec<Step> = Vec::new();
    // Every second part is within a fence.
    for block in tour.split("\n```\n").skip(1).step_by(2) {
        let mut lines = block.lines();
        while let Some(line) = lines.next() {
            if let Some(command) = line.strip_prefix("$ ") {
                let mut command = command.to_owned();
                let mut go_on = |until: &dyn Fn(&str) -> bool| {
                    for line in lines.by_ref() {
                        command.push('\n');
                        command.push_str(line);
                        if until(line) {
                            break;
                        }
                    }
                };
                if line.ends_with("<<'END'") {
                    go_on(&|line| line == "END");
                } else if line.ends_with('\\') {
                    go_on(&|line| !line.ends_with('\\'));
                }
                steps.push(Step { command, printed: String::new() });
            } else {
                let step = steps.last_mut().unwrap_or_else(|| panic!("no command before `{line}`"));
                step.printed.push_str(line);
                step.printed.push('\n');
            }
        }
    }
    steps
}

/// A text without what differs from run to run: ids, the times of this run, and the width of columns
///
/// All times that the tour chooses are of 2025.
fn normal(text: &str) -> String {
    let word = |word: &str| {
        let core = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        if Uuid::try_parse(core).is_ok() {
            word.replace(core, "<id>")
        } else if Instant::parse(core).is_ok() && !core.starts_with("2025-") {
            word.replace(core, "<time>")
        } else {
            word.to_owned()
        }
    };
    let line = |line: &str| line.split_whitespace().map(word).collect::<Vec<_>>().join(" ");
    text.trim().lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Runs a command of the tour in a shell
fn shell(home: &Path, server: Option<&Server>, command: &str) -> Ran {
    let program = Path::new(env!("CARGO_BIN_EXE_tenure"));
    let mut path = vec![program.parent().unwrap().to_owned()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    let mut sh = clean(Command::new("sh"));
    sh.args(["-c", command]).current_dir(home).env("PATH", std::env::join_paths(path).unwrap());
    if let Some(server) = server {
        sh.env("TENURE_SERVER", server.url());
    }
    run(&mut sh)
}

#[test]
fn the_tour_prints_what_the_readme_says() {
    let readme = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let steps = tour(&fs::read_to_string(readme).unwrap());
    assert!(steps.len() > 10, "{steps:#?}");
    let home = tempfile::tempdir().unwrap();
    let mut server: Option<Server> = None;
    for Step { command, printed } in &steps {
        if command.starts_with("alias tenure=") {
            continue;
        }
        if let Some(serve) = command.strip_prefix("tenure serve --data ") {
            let folder = serve.strip_suffix(" &").unwrap();
            server = Some(Start::on(&home.path().join(folder)).ready());
            continue;
        }
        if command.starts_with("curl ") {
            let (_, path) = command.split_once(ADDRESS).unwrap_or_else(|| panic!("{command}"));
            let path = path.trim_end_matches('\'');
            let server = server.as_ref().unwrap();
            if command.starts_with("curl -N ") {
                Events::of(server, path, None).next();
            } else {
                server.get(path).ok();
            }
            continue;
        }
        let ran = shell(home.path(), server.as_ref(), command);
        assert_eq!(normal(&ran.stdout), normal(printed), "{command}\n{}", ran.stdout);
        assert_eq!(ran.stderr, "", "{command}");
        // A no and a refusal are lawful, and exit with 1.
        let lawful_no = printed.starts_with("no\n") || printed.contains("refused: ");
        assert_eq!(ran.code(), i32::from(lawful_no), "{command}");
    }
}
