//! An index checkpoint is read as it was written, or it is discarded; a damaged one never stops a start
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot write its folder fails, and a test that cannot run says so"
)]

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tenure_core::{Outcome, Position, Principal, RecordedAt};
use tenure_journal::{IndexCheckpoints, Journal, Payload, Row, WriteError};

type Pieces = Vec<Vec<u8>>;

fn position(n: u64) -> Position {
    Position::new(n).unwrap()
}

/// A journal with so many rows; the text is part of each row
fn journal(folder: &Path, ledger: &str, rows: u64, text: &str) -> Journal {
    let mut journal = Journal::open(folder, Some(ledger)).unwrap();
    let row = |n| Row {
        recorded_at: RecordedAt::saturating_from_micros(n),
        submitter: Principal::local(),
        door: None,
        outcome: Outcome::Applied,
        payload: Payload::Entry(format!("{text} {n}").into_bytes()),
        origin: None,
    };
    let rows: Vec<Row> = (1..=i64::try_from(rows).unwrap()).map(row).collect();
    journal.commit(&rows).unwrap();
    journal
}

/// Bytes that do not compress
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(88_172_645_463_325_253);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()
    };
    let mut bytes: Vec<u8> = (0..length.div_ceil(8)).flat_map(|_| next()).collect();
    bytes.truncate(length);
    bytes
}

fn some_pieces() -> Pieces {
    vec![noise(1, 300_000), vec![7; 200_000], Vec::new(), noise(2, 10)]
}

fn write(checkpoints: &IndexCheckpoints, at: u64, pieces: &Pieces) -> Result<(), WriteError> {
    let go_on = |_| ControlFlow::Continue(());
    checkpoints.write((1, 1), position(at), pieces.iter().cloned(), go_on).map(drop)
}

fn load(checkpoints: &IndexCheckpoints) -> Option<(u64, Pieces)> {
    let read =
        |_: &_, pieces: &mut tenure_journal::Pieces<'_>| Ok(pieces.collect::<Result<_, _>>()?);
    checkpoints.load(read).map(|(manifest, pieces)| (manifest.position, pieces))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for file in fs::read_dir(folder).into_iter().flatten().flatten() {
        if file.file_type().unwrap().is_dir() {
            found.extend(files(&file.path()));
        } else {
            found.push(file.path());
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, target).unwrap();
    }
}

#[test]
fn a_checkpoint_is_read_as_written_and_takes_the_space_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path(), "acme", 10, "row");
    let checkpoints = IndexCheckpoints::of(&journal);
    assert_eq!(load(&checkpoints), None);
    for at in 1..=5 {
        let mut pieces = some_pieces();
        pieces.push(noise(at, 2_000_000));
        write(&checkpoints, at, &pieces).unwrap();
        assert_eq!(load(&checkpoints), Some((at, pieces)));
    }
    let index = folder.path().join("index");
    assert_eq!(fs::read_dir(&index).unwrap().count(), 1);
    for made in [&index, &index.join("0000000005")] {
        assert_eq!(fs::metadata(made).unwrap().permissions().mode() & 0o777, 0o700);
    }
    let bytes: u64 = files(&index).iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(bytes < 16 * 1_024 * 1_024, "{bytes} bytes for 2.3 MB");
    assert_eq!(checkpoints.discard_all().unwrap(), 1);
    assert_eq!(load(&checkpoints), None);
    assert_eq!(checkpoints.discard_all().unwrap(), 0);
}

#[test]
fn pieces_that_do_not_fit_one_volume_go_to_more() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path(), "acme", 1, "row");
    let checkpoints = IndexCheckpoints::of(&journal);
    let pieces: Pieces = (0..36).map(|n| noise(n, 1 << 20)).collect();
    write(&checkpoints, 1, &pieces).unwrap();
    assert_eq!(fs::read_dir(folder.path().join("index/0000000001")).unwrap().count(), 2);
    assert!(load(&checkpoints).unwrap().1 == pieces);
    // Without its first or its last volume the checkpoint is discarded.
    for volume in ["0000", "0001"] {
        write(&checkpoints, 1, &pieces).unwrap();
        let generation =
            fs::read_dir(folder.path().join("index")).unwrap().next().unwrap().unwrap();
        fs::remove_dir_all(generation.path().join(volume)).unwrap();
        assert!(load(&checkpoints).is_none());
    }
}

#[test]
fn damage_anywhere_is_found_and_the_checkpoint_discarded() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path(), "acme", 3, "row");
    let checkpoints = IndexCheckpoints::of(&journal);
    let pieces = some_pieces();
    write(&checkpoints, 3, &pieces).unwrap();
    let index = folder.path().join("index");
    let sound = tempfile::tempdir().unwrap();
    copy(&index, sound.path());
    // Reads the checkpoint, puts a sound copy back, and returns 1 if the checkpoint was discarded.
    let look = |what: String| {
        // Unused bytes may be damaged. If the pieces are read at all, they must be the ones that were written.
        let read = load(&checkpoints);
        let discarded = read.is_none();
        match read {
            Some((_, read)) => assert!(read == pieces, "{what}: other pieces"),
            None => {
                assert_eq!(files(&index), Vec::<PathBuf>::new(), "{what}: not discarded");
            }
        }
        fs::remove_dir_all(&index).unwrap();
        copy(sound.path(), &index);
        usize::from(discarded)
    };
    let mut discarded = 0;
    for file in files(sound.path()) {
        let damaged = index.join(file.strip_prefix(sound.path()).unwrap());
        let bytes = fs::read(&file).unwrap();
        let written = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        for at in (0..written).step_by(1 + written / 60) {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&damaged, bytes).unwrap();
            discarded += look(format!("byte {at} of {}", damaged.display()));
        }
        for length in (0..written).step_by(1 + written / 12) {
            fs::write(&damaged, &bytes[..length]).unwrap();
            discarded += look(format!("{} cut to {length}", damaged.display()));
        }
        fs::remove_file(&damaged).unwrap();
        discarded += look(format!("without {}", damaged.display()));
    }
    assert!(discarded > 40, "{discarded} discarded: the damage was not where the pieces are");
    assert_eq!(look("sound".to_owned()), 0);
}

#[test]
fn a_checkpoint_of_another_journal_is_discarded() {
    let folder = tempfile::tempdir().unwrap();
    let here = journal(folder.path(), "acme", 10, "row");
    write(&IndexCheckpoints::of(&here), 10, &some_pieces()).unwrap();
    let index = folder.path().join("index");
    for (ledger, rows, text) in [("acme", 9, "row"), ("acme", 10, "other"), ("other", 10, "row")] {
        let elsewhere = tempfile::tempdir().unwrap();
        let journal = journal(elsewhere.path(), ledger, rows, text);
        copy(&index, &elsewhere.path().join("index"));
        assert_eq!(load(&IndexCheckpoints::of(&journal)), None, "{ledger} {rows} {text}");
        assert_eq!(files(&elsewhere.path().join("index")), Vec::<PathBuf>::new());
    }
    // It fits a journal that continues after its position.
    let elsewhere = tempfile::tempdir().unwrap();
    let journal = journal(elsewhere.path(), "acme", 12, "row");
    copy(&index, &elsewhere.path().join("index"));
    assert_eq!(load(&IndexCheckpoints::of(&journal)), Some((10, some_pieces())));
}

#[test]
fn an_unfinished_or_senseless_checkpoint_leaves_the_one_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path(), "acme", 10, "row");
    let checkpoints = IndexCheckpoints::of(&journal);
    write(&checkpoints, 5, &some_pieces()).unwrap();
    let given_up = checkpoints
        .write((1, 1), position(9), some_pieces().into_iter(), |_| ControlFlow::Break(()));
    assert!(matches!(given_up, Err(WriteError::GivenUp)));
    let panics = std::iter::once_with(|| panic!("a bug in the encoder"));
    let panicked = checkpoints.write((1, 1), position(9), panics, |_| ControlFlow::Continue(()));
    assert!(matches!(panicked, Err(WriteError::Panic)));
    assert!(write(&checkpoints, 11, &some_pieces()).is_err());
    let index = folder.path().join("index");
    fs::create_dir_all(index.join("0000000002.part/0000")).unwrap();
    fs::create_dir_all(index.join("0000000007/0000")).unwrap();
    fs::write(index.join("a note"), "of somebody").unwrap();
    assert_eq!(load(&checkpoints), Some((5, some_pieces())));
    let mut left: Vec<_> =
        fs::read_dir(&index).unwrap().map(|file| file.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["0000000001", "a note"]);
    let read = checkpoints.load(|_, _| -> Result<(), _> { panic!("a bug in the decoder") });
    assert!(read.is_none());
    assert_eq!(load(&checkpoints), None);
}

#[test]
fn a_file_in_the_place_of_the_folder_stops_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path(), "acme", 1, "row");
    let checkpoints = IndexCheckpoints::of(&journal);
    fs::write(folder.path().join("index"), "no folder").unwrap();
    assert_eq!(load(&checkpoints), None);
    write(&checkpoints, 1, &some_pieces()).unwrap();
    assert_eq!(load(&checkpoints), Some((1, some_pieces())));
}

/// Tells a second process of this test its folder
const FOLDER: &str = "TENURE_TEST_FOLDER";

/// In a process whose files may not grow, sled's writes fail; the checkpoint before is still there
#[test]
fn a_write_that_fails_in_the_middle_leaves_the_one_before_it() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let journal = Journal::open(Path::new(&folder), None).unwrap();
        let checkpoints = IndexCheckpoints::of(&journal);
        let pieces: Pieces = (0..16).map(|n| noise(n, 1 << 20)).collect();
        assert!(write(&checkpoints, 9, &pieces).is_err());
        assert_eq!(load(&checkpoints), Some((5, some_pieces())));
        return;
    }
    let possible = Command::new("prlimit").args(["--core=0", "true"]).status();
    if !possible.is_ok_and(|status| status.success()) {
        eprintln!("skipped: files that may not grow need `prlimit`, which is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path(), "acme", 10, "row");
    write(&IndexCheckpoints::of(&journal), 5, &some_pieces()).unwrap();
    drop(journal);
    let script = "trap '' XFSZ; exec prlimit --core=0 --fsize=9000000 \"$0\" \"$@\"";
    let test = "a_write_that_fails_in_the_middle_leaves_the_one_before_it";
    let ran = Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{ran:?}");
    let journal = Journal::open(folder.path(), None).unwrap();
    assert_eq!(load(&IndexCheckpoints::of(&journal)), Some((5, some_pieces())));
    assert_eq!(fs::read_dir(folder.path().join("index")).unwrap().count(), 1);
}
