//! Every acknowledged entry is there, whole and at its position, whatever happens to the process. If the disk returns
//! other bytes than were written, the program reports it and does not answer from them
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by a panic: `allow-*-in-tests` does not reach helpers"
)]

mod common;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Instant;

use common::{
    Server, Start, assert_sentence, copy_folder, entry, files_under, grant, landscape, left_behind,
    tenure_on,
};
use serde_json::{Value, json};

/// Numbers that look random and are the same in every run
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// A batch that a client sent
#[derive(Clone)]
struct Batch {
    entries: Vec<Value>,
    /// The positions that the client was told, if it got an answer
    acknowledged: Option<Vec<u64>>,
}

impl Batch {
    fn of(client: u64, size: u64) -> Self {
        let user = |n: u64| format!("user-{client}-{n}@acme.example");
        let entries = (0..size).map(|n| entry(&[grant(&user(n)), grant(&user(n + 1))])).collect();
        Self { entries, acknowledged: None }
    }

    fn body(&self) -> Vec<u8> {
        serde_json::to_vec(&json!({ "entries": self.entries })).unwrap()
    }
}

fn positions(results: &Value) -> Vec<u64> {
    let results = results["results"].as_array().unwrap();
    results.iter().map(|result| result["position"].as_u64().unwrap()).collect()
}

/// Sends batch after batch until the server is gone; returns all batches that were sent
fn send_until_gone(
    server: &Server,
    client: u64,
    seed: u64,
    acknowledged: &AtomicUsize,
) -> Vec<Batch> {
    let mut dice = Dice(seed);
    let mut sent = Vec::new();
    loop {
        // The last client sends large batches, which take more than one block of the journal.
        let size = if client == 3 { 1_000 } else { 1 + dice.below(6) };
        let mut batch = Batch::of(client, size);
        let answer = server.try_post("/v1/entries", "application/json", &batch.body());
        let Some(answer) = answer else {
            sent.push(batch);
            return sent;
        };
        batch.acknowledged = Some(positions(&answer.ok()));
        sent.push(batch);
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}

/// Asserts that the log is dense, has each acknowledged entry at its position, and has each batch whole or not at all
#[track_caller]
fn holds(log: &[Value], batches: &[Batch]) {
    for (n, row) in log.iter().enumerate() {
        assert_eq!(row["position"], n as u64 + 1);
    }
    let mut by_id: HashMap<&str, u64> = HashMap::new();
    for row in log {
        if row["outcome"] != "duplicate" {
            let position = row["position"].as_u64().unwrap();
            let other = by_id.insert(row["id"].as_str().unwrap(), position);
            assert_eq!(other, None, "{row:#}");
        }
    }
    for batch in batches {
        let found: Vec<Option<u64>> = batch
            .entries
            .iter()
            .map(|entry| by_id.get(entry["id"].as_str().unwrap()).copied())
            .collect();
        match &batch.acknowledged {
            Some(told) => {
                let told: Vec<Option<u64>> = told.iter().copied().map(Some).collect();
                assert_eq!(found, told, "an acknowledged batch is not where it was");
            }
            None if found.iter().all(Option::is_none) => continue,
            None => assert!(found.iter().all(Option::is_some), "half a batch: {found:?}"),
        }
        let first = found[0].unwrap();
        assert!(found.iter().zip(first..).all(|(found, n)| *found == Some(n)), "{found:?}");
        let rows = &log[usize::try_from(first).unwrap() - 1..][..found.len()];
        for (row, entry) in rows.iter().zip(&batch.entries) {
            assert_eq!(row["entry"]["changes"], entry["changes"]);
            assert_eq!(row["recorded_at"], rows[0]["recorded_at"]);
        }
    }
}

#[test]
fn killed_at_any_moment_it_loses_nothing_acknowledged() {
    let data = tempfile::tempdir().unwrap();
    let mut dice = Dice(0x7e_0e_11_5e);
    let mut batches: Vec<Batch> = Vec::new();
    let mut before: Vec<Value> = Vec::new();
    Start::on(data.path()).ready().append(&landscape());
    for round in 0..6 {
        let mut server = Start::on(data.path()).ready();
        let log = server.log();
        // Entries that were there before stay as they were.
        assert_eq!(log[..before.len()], before[..], "in round {round}");
        holds(&log, &batches);
        // A client without an answer sends again with the same ids: each entry is there once.
        for batch in batches.iter_mut().filter(|batch| batch.acknowledged.is_none()) {
            let answer = server.post_bytes("/v1/entries", "application/json", &batch.body()).ok();
            let results = answer["results"].as_array().unwrap();
            let outcomes = results.iter().map(|result| &result["outcome"]);
            assert!(
                outcomes.clone().all(|o| o == "applied")
                    || outcomes.clone().all(|o| o == "duplicate")
            );
            let owner = |result: &Value| match result["outcome"].as_str() {
                Some("duplicate") => result["original"]["position"].as_u64().unwrap(),
                _ => result["position"].as_u64().unwrap(),
            };
            batch.acknowledged = Some(results.iter().map(owner).collect());
        }
        before = server.log();
        let acknowledged = AtomicUsize::new(0);
        let enough = usize::try_from(1 + dice.below(60)).unwrap();
        let seeds: Vec<u64> = (0..4).map(|_| dice.below(u64::MAX - 1) + 1).collect();
        let sent = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..4)
                .zip(&seeds)
                .map(|(client, seed)| {
                    let (server, acknowledged) = (&server, &acknowledged);
                    scope.spawn(move || send_until_gone(server, client, *seed, acknowledged))
                })
                .collect();
            let seen =
                common::poll(|| (acknowledged.load(Ordering::Relaxed) >= enough).then_some(()));
            // Before a panic: the clients send until the server is gone.
            kill_by_id(server.id());
            seen.expect("acknowledgements");
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(sent.iter().any(|batch| batch.acknowledged.is_none()));
        batches.extend(sent);
        server.kill();
        // The server is also killed while it reads the journal.
        if round % 2 == 0 {
            Start::on(data.path()).listening().unwrap().kill();
        }
    }
    let ran = tenure_on(data.path(), &["verify"]);
    ran.exits(0);
    assert!(ran.stdout.contains("sound"), "{ran:#?}");
    let server = Start::on(data.path()).ready();
    holds(&server.log(), &batches);
    server.stop();
}

fn kill_by_id(id: u32) {
    let id = id.to_string();
    let told = std::process::Command::new("sh").args(["-c", "kill -KILL \"$0\"", &id]).status();
    assert!(told.unwrap().success());
}

#[test]
fn killed_at_any_step_of_its_first_start_it_starts_again() {
    // The server is killed when each of these files appears, in their order, and in the moments between.
    for step in ["lock", "tenure.json", "acknowledged", "journal", "journal/conf", "journal/db"] {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        let mut command = common::command();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&data);
        let null = std::process::Stdio::null;
        let mut child = command.stdout(null()).stderr(null()).spawn().unwrap();
        let marker = data.join(step);
        let deadline = Instant::now() + common::PATIENCE;
        while !marker.exists() {
            assert!(Instant::now() < deadline, "{step} does not appear");
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let started = Start::on(&data).attempt();
        let server = started.unwrap_or_else(|ran| panic!("killed at `{step}`: {ran:#?}"));
        server.append(&landscape());
        server.stop();
    }
}

#[test]
fn killed_before_the_folder_has_its_name_it_starts_again() {
    let data = tempfile::tempdir().unwrap();
    // The folder looks like this before the file is renamed.
    fs::write(data.path().join("lock"), "").unwrap();
    fs::write(data.path().join("tenure.json.new"), "{\"for").unwrap();
    Start::on(data.path()).ready().stop();
}

#[test]
fn killed_while_sled_writes_its_own_checkpoint_it_starts_again() {
    let (data, log) = left_behind();
    // sled takes the checkpoint that sorts last, but one that was not renamed must not count.
    for content in [b"".as_slice(), &[7; 100]] {
        let left = data.path().join("journal/snap.FFFFFFFFFFFFFFFF.generating");
        fs::write(&left, content).unwrap();
        let server = Start::on(data.path()).ready();
        assert_eq!(server.log(), log);
        server.stop();
        assert!(!left.exists());
    }
}

#[test]
fn what_a_killed_start_has_left_is_cleared_away() {
    let (data, log) = left_behind();
    // Half a copy of the store, and a witness that was being written, are left.
    let half = data.path().join("journal.look");
    fs::create_dir_all(half.join("blobs")).unwrap();
    fs::write(half.join("db"), [7; 5_000]).unwrap();
    fs::write(half.join("conf"), "segm").unwrap();
    fs::write(data.path().join("tenure.json.new"), "{").unwrap();
    let server = Start::on(data.path()).ready();
    assert_eq!(server.log(), log);
    assert!(!half.exists());
    server.stop();
    tenure_on(data.path(), &["verify"]).exits(0);
}

#[test]
fn a_second_process_gets_a_sentence() {
    let data = tempfile::tempdir().unwrap();
    let server = Start::on(data.path()).ready();
    server.append(&landscape());
    let before = server.log();
    let parts = ["held by another process", "--server"];
    Start::on(data.path()).attempt().unwrap_err().exits(3).complains(&parts);
    let entry_file = data.path().with_extension("entry.json");
    fs::write(&entry_file, serde_json::to_vec(&entry(&[grant("x@y.example")])).unwrap()).unwrap();
    let file = entry_file.to_str().unwrap();
    for command in [&["log"][..], &["verify"], &["rebuild"], &["export"], &["submit", file]] {
        tenure_on(data.path(), command).exits(3).complains(&parts);
    }
    fs::remove_file(entry_file).unwrap();
    // Another path leads to the same folder.
    let other = tempfile::tempdir().unwrap();
    let link = other.path().join("link");
    std::os::unix::fs::symlink(data.path(), &link).unwrap();
    Start::on(&link).attempt().unwrap_err().exits(3).complains(&parts);
    // The first server is not disturbed.
    assert_eq!(server.log(), before);
    server.append(&[entry(&[grant("carol@acme.example")])]);
    server.stop();
    tenure_on(data.path(), &["verify"]).exits(0);
}

#[test]
fn of_two_that_start_at_once_one_has_the_folder() {
    for _ in 0..3 {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        let start = || Start::on(&data).attempt();
        let (one, two) = std::thread::scope(|scope| {
            let two = scope.spawn(start);
            (start(), two.join().unwrap())
        });
        let (server, ran) = match (one, two) {
            (Ok(server), Err(ran)) | (Err(ran), Ok(server)) => (server, ran),
            other => panic!("not exactly one has it: {other:#?}"),
        };
        ran.exits(3).complains(&["held by another process"]);
        server.append(&landscape());
        server.stop();
    }
}

/// A data folder with some thousand entries, and its log
struct Sample {
    /// The folder after a crash
    crashed: tempfile::TempDir,
    /// The folder after another start and a stop
    stopped: tempfile::TempDir,
    log: String,
}

/// The sample, made once for all tests that run at the same time, and removed after the last
fn sample() -> Arc<Sample> {
    static SAMPLE: Mutex<Weak<Sample>> = Mutex::new(Weak::new());
    let mut kept = SAMPLE.lock().unwrap();
    if let Some(sample) = kept.upgrade() {
        return sample;
    }
    let sample = Arc::new(Sample::new());
    *kept = Arc::downgrade(&sample);
    sample
}

impl Sample {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let crashed = tempfile::tempdir().unwrap();
        let stopped = tempfile::tempdir().unwrap();
        let mut server = Start::on(data.path()).ready();
        server.append(&landscape());
        for n in 0..300 {
            // Single entries and batches make blocks of all sizes.
            let size = if n % 30 == 0 { 250 } else { 1 };
            server.append(&Batch::of(n, size).entries);
        }
        server.kill();
        copy_folder(data.path(), crashed.path());
        Start::on(data.path()).ready().stop();
        Start::on(data.path()).ready().stop();
        copy_folder(data.path(), stopped.path());
        let ran = tenure_on(data.path(), &["export"]);
        ran.exits(0);
        assert!(ran.stdout.lines().count() > 2_500);
        Self { crashed, stopped, log: ran.stdout }
    }

    /// Both folders
    fn folders(&self) -> [&Path; 2] {
        [self.crashed.path(), self.stopped.path()]
    }
}

/// The result of reading a folder
#[derive(Clone, PartialEq, Eq, Debug)]
enum Look {
    /// The log is the same as before
    Same,
    /// Reading failed, with these words
    Reported(String),
}

/// Reads a folder, and fails if the log differs without a report
fn look(data: &Path, what: &str) -> Look {
    let ran = tenure_on(data, &["export"]);
    if ran.code() == 0 {
        let lines = ran.stdout.lines().count();
        assert!(ran.stdout == sample().log, "another log, of {lines} entries, in silence: {what}");
        return Look::Same;
    }
    assert_eq!(ran.code(), 3, "{what}: {ran:#?}");
    assert_sentence(&ran.stderr);
    Look::Reported(ran.stderr)
}

/// A way to damage a file
#[derive(Clone, Debug)]
enum Damage {
    /// One bit at an offset is flipped
    Bit(u64, u8),
    /// So many bytes from an offset on are zero, as in a sector that was never written
    Zeros(u64, usize),
    /// The file ends earlier
    Cut(u64),
    Removed,
}

impl Damage {
    fn to(&self, path: &Path) {
        let open = || fs::File::options().read(true).write(true).open(path).unwrap();
        match self {
            Self::Bit(offset, bit) => {
                let mut file = open();
                let mut byte = [0];
                file.seek(SeekFrom::Start(*offset)).unwrap();
                file.read_exact(&mut byte).unwrap();
                file.seek(SeekFrom::Start(*offset)).unwrap();
                file.write_all(&[byte[0] ^ (1 << bit)]).unwrap();
            }
            Self::Zeros(offset, length) => {
                let mut file = open();
                file.seek(SeekFrom::Start(*offset)).unwrap();
                file.write_all(&vec![0; *length]).unwrap();
            }
            Self::Cut(length) => open().set_len(*length).unwrap(),
            Self::Removed => fs::remove_file(path).unwrap(),
        }
    }
}

/// The length of a file up to its last byte that is not zero: the rest is not written yet
fn written(path: &Path) -> u64 {
    let bytes = fs::read(path).unwrap();
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1)
}

/// Applies each damage to a copy of a folder, on two threads, and returns the results
fn looks(folder: &Path, damages: Vec<(PathBuf, Damage)>) -> Vec<(PathBuf, Damage, Look)> {
    let damages = Mutex::new(damages.into_iter());
    let seen = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = damages.lock().unwrap().next();
                    let Some((file, damage)) = next else { return };
                    let copy = tempfile::tempdir().unwrap();
                    copy_folder(folder, copy.path());
                    damage.to(&copy.path().join(&file));
                    let look = look(copy.path(), &format!("{damage:?} in {}", file.display()));
                    seen.lock().unwrap().push((file, damage, look));
                }
            });
        }
    });
    seen.into_inner().unwrap()
}

fn bits_of(folder: &Path, file: &str, count: u64, dice: &mut Dice) -> Vec<(PathBuf, Damage)> {
    let length = written(&folder.join(file));
    let bit = |dice: &mut Dice| u8::try_from(dice.below(8)).unwrap();
    let mut damages = Vec::new();
    if length <= count {
        damages.extend((0..length).map(|offset| Damage::Bit(offset, bit(dice))));
    } else {
        // The first and the last byte, and one byte in each stretch of equal length.
        damages.extend([Damage::Bit(0, bit(dice)), Damage::Bit(length - 1, bit(dice))]);
        for n in 0..count {
            let from = length * n / count;
            let to = length * (n + 1) / count;
            damages.push(Damage::Bit(from + dice.below(to - from), bit(dice)));
        }
    }
    damages.into_iter().map(|damage| (PathBuf::from(file), damage)).collect()
}

/// The file whose name begins so
fn named(folder: &Path, beginning: &str) -> Option<String> {
    let files = files_under(folder);
    let mut names = files.iter().map(|file| file.to_str().unwrap().to_owned());
    names.find(|name| name.starts_with(beginning))
}

#[test]
fn a_damaged_byte_is_never_answered_around() {
    let sample = sample();
    let mut dice = Dice(0xda_3a_6e);
    for folder in sample.folders() {
        let mut damages = bits_of(folder, "journal/db", 30, &mut dice);
        damages.extend(bits_of(folder, "journal/conf", 8, &mut dice));
        damages.extend(bits_of(folder, "acknowledged", 24, &mut dice));
        if let Some(snapshot) = named(folder, "journal/snap.") {
            damages.extend(bits_of(folder, &snapshot, 12, &mut dice));
        }
        let length = written(&folder.join("journal/db"));
        damages.extend((0..6).map(|_| {
            (PathBuf::from("journal/db"), Damage::Zeros(dice.below(length / 512) * 512, 512))
        }));
        let seen = looks(folder, damages);
        let reported = seen.iter().filter(|(_, _, look)| *look != Look::Same).count();
        assert!(reported > 30, "{reported} of {} were found", seen.len());
        // A damaged witness loses nothing: its position is also in the other slot or in the store.
        for (file, damage, look) in seen {
            if file == Path::new("acknowledged") {
                assert_eq!(look, Look::Same, "{damage:?}");
            }
        }
    }
}

#[test]
fn damage_is_reported_with_its_position_and_file() {
    let sample = sample();
    let mut dice = Dice(0xf1_1e);
    let mut silent = BTreeMap::new();
    for folder in sample.folders() {
        let damages = bits_of(folder, "journal/db", 8, &mut dice);
        for (file, damage, look) in looks(folder, damages) {
            let Look::Reported(words) = look else {
                continue;
            };
            let place = words.contains("position ") && words.contains("journal/db");
            if !place {
                silent.insert(words, (file, damage));
            }
        }
    }
    assert!(silent.is_empty(), "without a position or a file: {silent:#?}");
}

#[test]
fn a_look_at_a_damaged_folder_does_not_damage_it_more() {
    let sample = sample();
    let mut dice = Dice(0x100c);
    for folder in sample.folders() {
        for (file, damage) in bits_of(folder, "journal/db", 2, &mut dice) {
            let copy = tempfile::tempdir().unwrap();
            copy_folder(folder, copy.path());
            let path = copy.path().join(&file);
            damage.to(&path);
            let first = look(copy.path(), &format!("{damage:?}"));
            let second = look(copy.path(), &format!("{damage:?}, a second time"));
            assert_eq!(first == Look::Same, second == Look::Same);
            // The same bit is flipped back.
            damage.to(&path);
            let healed = look(copy.path(), &format!("{damage:?}, undone"));
            assert_eq!(healed, Look::Same, "{damage:?} undone; before it was {first:?}");
        }
    }
}

#[test]
fn whose_the_folder_is_cannot_change_by_a_damaged_byte() {
    let sample = sample();
    let folder = sample.crashed.path();
    let mut dice = Dice(0x1d);
    let mut renamed = Vec::new();
    for (file, damage) in bits_of(folder, "tenure.json", 100, &mut dice) {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(folder, copy.path());
        damage.to(&copy.path().join(&file));
        let ran = tenure_on(copy.path(), &["--format", "json", "levels"]);
        if ran.code() == 0 {
            let revision = ran.json()["as_of"]["revision"].as_str().unwrap().to_owned();
            if !revision.starts_with("default@") {
                renamed.push((damage, revision));
            }
        } else {
            ran.exits(3).complains(&[copy.path().to_str().unwrap()]);
        }
    }
    assert!(renamed.is_empty(), "the ledger has another name in silence: {renamed:?}");
}

#[test]
fn a_file_that_is_cut_short_or_gone_is_noticed() {
    let sample = sample();
    for folder in sample.folders() {
        let length = written(&folder.join("journal/db"));
        let mut damages: Vec<(PathBuf, Damage)> =
            [0, 1, 511, length / 4, length / 2, length - 4_096, length - 100, length - 1]
                .map(|length| (PathBuf::from("journal/db"), Damage::Cut(length)))
                .into();
        damages.push(("acknowledged".into(), Damage::Cut(0)));
        damages.push(("acknowledged".into(), Damage::Cut(13)));
        damages.push(("tenure.json".into(), Damage::Cut(0)));
        damages.extend(files_under(folder).into_iter().map(|file| (file, Damage::Removed)));
        let seen = looks(folder, damages);
        for (file, damage, look) in seen {
            let (file, what) =
                (file.to_str().unwrap(), format!("{damage:?} of {}", file.display()));
            match (file, damage) {
                // Acknowledged entries are certainly missing, so it must be reported.
                ("journal/db", Damage::Removed | Damage::Cut(_)) => {
                    assert_ne!(look, Look::Same, "{what}");
                }
                ("tenure.json", _) => assert_ne!(look, Look::Same, "{what}"),
                ("lock" | "acknowledged", _) => assert_eq!(look, Look::Same, "{what}"),
                _ => {}
            }
        }
    }
}

#[test]
fn a_store_put_back_from_yesterday_is_noticed() {
    let sample = sample();
    let yesterday = sample.stopped.path();
    let data = tempfile::tempdir().unwrap();
    copy_folder(yesterday, data.path());
    let server = Start::on(data.path()).ready();
    server.append(&[entry(&[grant("today@acme.example")])]);
    let newest = server.position();
    server.stop();
    fs::remove_dir_all(data.path().join("journal")).unwrap();
    let promised = newest.to_string();
    // The store is missing at first, and then put back.
    Start::on(data.path()).attempt().unwrap_err().exits(3).complains(&["journal", &promised]);
    tenure_on(data.path(), &["verify"]).exits(3).complains(&["journal", &promised]);
    drop(fs::remove_dir_all(data.path().join("journal")));
    copy_folder(&yesterday.join("journal"), &data.path().join("journal"));
    let place = format!("position {newest}");
    let parts = [place.as_str(), "journal/db", "was acknowledged"];
    Start::on(data.path()).attempt().unwrap_err().exits(3).complains(&parts);
    tenure_on(data.path(), &["verify"]).exits(3).complains(&parts);
    tenure_on(data.path(), &["log"]).exits(3).complains(&parts);
}

#[test]
fn damage_under_a_running_server_is_never_answered_around() {
    let sample = sample();
    let data = tempfile::tempdir().unwrap();
    copy_folder(sample.crashed.path(), data.path());
    let mut server = Start::on(data.path()).ready();
    let path = data.path().join("journal/db");
    let length = written(&path);
    for n in 0..200 {
        Damage::Bit(length * n / 200, 3).to(&path);
    }
    let log: Vec<Value> = sample.log.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    for row in log.iter().step_by(37) {
        let position = row["position"].as_u64().unwrap();
        let answer = server.get(&format!("/v1/entries/{position}"));
        if answer.status == 200 {
            assert_eq!(answer.json(), *row);
        } else {
            answer.is_problem(500, "internal", &["position", "journal/db"]);
        }
    }
    server.kill();
    assert_ne!(look(data.path(), "damaged under a running server"), Look::Same);
}
