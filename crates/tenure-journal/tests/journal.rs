//! After a restart all committed rows are there, in order, or the journal reports that they are not
#![expect(clippy::unwrap_used, reason = "a test that cannot write its folder fails")]

use std::fs;
use std::path::Path;

use tenure_core::{Original, Outcome, Position, Principal, Reason, RecordedAt, Refusal};
use tenure_journal::{Error, FolderError, Journal, Payload, Row};
use tenure_wire::message::Reading;

fn position(n: u64) -> Position {
    Position::new(n).unwrap()
}

/// A row that differs from its neighbours
fn row(n: u64) -> Row {
    let refusal = Refusal {
        change: Some(usize::try_from(n % 7).unwrap()),
        reason: Reason::AlreadyVoided { void: position(n) },
    };
    let recorded_at = RecordedAt::saturating_from_micros(i64::try_from(n).unwrap() * 1_000);
    let original = |refusal| Original { position: position(n), recorded_at, refusal };
    let outcome = match n % 4 {
        0 => Outcome::Refused(refusal),
        1 => Outcome::Duplicate(original(Some(refusal))),
        2 => Outcome::Duplicate(original(None)),
        _ => Outcome::Applied,
    };
    let bytes = format!("entry {n} {}", "x".repeat(usize::try_from(n % 50).unwrap())).into_bytes();
    let payload = match n % 5 {
        0 => Payload::Malformed { raw: bytes, reading: Reading::NoType },
        _ => Payload::Entry(bytes),
    };
    let submitter = if n.is_multiple_of(3) { Principal::anonymous() } else { Principal::local() };
    let door = n.is_multiple_of(7).then(Principal::anonymous);
    Row { recorded_at, submitter, door, outcome, payload, origin: None }
}

fn expect_rows(journal: &Journal, newest: u64) {
    let rows: Vec<(Position, Row)> =
        journal.reader().rows_from(Position::FIRST).collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len() as u64, newest);
    for (n, (place, found)) in rows.into_iter().enumerate() {
        let n = n as u64 + 1;
        assert_eq!((place.get(), found), (n, row(n)));
    }
}

#[test]
fn invariant_cursor_and_blocks_hold_over_commits_gathering_and_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let mut newest = 0;
    // More commits than the tail holds, of many sizes, with restarts between them.
    for round in 0..3 {
        let mut journal = Journal::open(folder.path(), Some("acme")).unwrap();
        expect_rows(&journal, newest);
        for size in (0..300).map(|n| (n * 7 + round) % 5 + u64::from(n == 100) * 3_000) {
            let rows: Vec<Row> = (newest + 1..=newest + size).map(row).collect();
            journal.commit(&rows).unwrap();
            newest += size;
            assert_eq!(journal.newest(), Position::new(newest));
        }
        expect_rows(&journal, newest);
        assert_eq!(journal.newest_recorded_at(), Some(row(newest).recorded_at));
    }
    // sled puts no value into a file of its own, which it would not flush.
    assert_eq!(fs::read_dir(folder.path().join("journal/blobs")).unwrap().count(), 0);
}

#[test]
fn a_reader_sees_every_row_while_the_tail_is_gathered() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), None).unwrap();
    let reader = journal.reader();
    let reading = std::thread::spawn(move || {
        let mut seen = 0;
        while seen < 600 {
            let newest = reader.newest().map_or(0, Position::get);
            for n in (1..=newest).step_by(17) {
                assert_eq!(reader.row(position(n)).unwrap(), row(n));
            }
            seen = newest;
        }
    });
    for n in 1..=600 {
        journal.commit(&[row(n)]).unwrap();
    }
    reading.join().unwrap();
}

#[test]
fn rows_that_are_taken_on_are_read_at_once_and_a_restart_has_those_that_came_first() {
    let folder = tempfile::tempdir().unwrap();
    let (mut newest, mut written) = (0, 0);
    for round in 0..4_u64 {
        let mut journal = Journal::open(folder.path(), None).unwrap();
        // Only rows that were not written are gone.
        newest = written.min(newest);
        expect_rows(&journal, newest);
        for step in 0..120 {
            let size = 1 + (step * 13 + round) % 9 + u64::from(step % 50 == 9) * 1_500;
            let mut rows: Vec<Row> = (newest + 1..=newest + size).map(row).collect();
            match (step * 7 + round) % 11 {
                0 => {
                    journal.commit(&rows).unwrap();
                    written = newest + size;
                }
                1 => {
                    journal.write_pending().unwrap();
                    assert!(!journal.has_pending());
                    written = newest;
                    continue;
                }
                _ => {
                    journal.note(b"newest", (newest + size).to_be_bytes().to_vec());
                    if journal.commit_unflushed(&mut rows).unwrap().rows > 0 {
                        written = newest;
                    }
                    assert!(rows.is_empty());
                }
            }
            newest += size;
            assert_eq!(journal.newest(), Position::new(newest));
            assert_eq!(journal.reader().row(position(newest)).unwrap(), row(newest));
        }
        expect_rows(&journal, newest);
        let blocks = journal.reader();
        let blocks = blocks.blocks_from(position(newest / 2)).map(|block| block.unwrap().1.len());
        assert_eq!(blocks.sum::<usize>() as u64, newest - newest / 2 + 1);
        if round % 2 == 0 {
            journal.flush().unwrap();
            written = newest;
            let noted = journal.reader().note(b"newest").unwrap().unwrap();
            assert!(u64::from_be_bytes(noted.try_into().unwrap()) <= newest);
        }
    }
    assert!(newest > 10_000);
}

#[test]
fn large_and_small_rows_side_by_side_are_gathered_and_stay_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let sized = |n: u64| {
        let bytes = if n.is_multiple_of(3) { 300_000 } else { 40 };
        Row { payload: Payload::Entry(vec![n.to_be_bytes()[7]; bytes]), ..row(n) }
    };
    let mut journal = Journal::open(folder.path(), None).unwrap();
    for n in 1..=700 {
        journal.commit(&[sized(n)]).unwrap();
    }
    for _ in 0..2 {
        let all = journal.reader();
        let found: Vec<Row> = all.rows_from(Position::FIRST).map(|row| row.unwrap().1).collect();
        assert_eq!(found, (1..=700).map(sized).collect::<Vec<_>>());
        drop((all, journal));
        journal = Journal::open(folder.path(), None).unwrap();
    }
}

#[test]
fn rows_that_do_not_compress_are_gathered_and_read_beside_it_and_stay_what_they_are() {
    let noise = |n: u64, bytes: usize| {
        let mut state = n * 2 + 1;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            u8::try_from(state >> 56).unwrap()
        };
        std::iter::repeat_with(&mut next).take(bytes).collect::<Vec<u8>>()
    };
    // Blocks of one slice and of many slices; some blocks end where a slice ends.
    let sizes = [50, 8_100, 8_200, 20_000, 3 * 8_192 - 60, 100_000, 700_000];
    let row = |n: u64| {
        let raw = noise(
            n,
            sizes[usize::try_from(n).unwrap() % sizes.len()] + usize::try_from(n % 64).unwrap(),
        );
        Row { payload: Payload::Malformed { raw, reading: Reading::NoType }, ..row(n) }
    };
    let folder = tempfile::tempdir().unwrap();
    for round in 0..2 {
        let mut journal = Journal::open(folder.path(), Some("acme")).unwrap();
        let reader = journal.reader();
        let newest = 150 * round;
        for n in newest + 1..=newest + 150 {
            journal.commit(&[row(n)]).unwrap();
            if n % 10 == 0 {
                assert_eq!(reader.row(position(n / 2)).unwrap(), row(n / 2), "{n}");
            }
        }
        let rows = reader.rows_from(Position::FIRST).map(|row| row.unwrap().1);
        assert!(rows.eq((1..=newest + 150).map(row)));
    }
    let journal = Journal::open(folder.path(), Some("acme")).unwrap();
    let rows = journal.reader();
    assert!(rows.rows_from(Position::FIRST).map(|row| row.unwrap().1).eq((1..=300).map(row)));
}

#[test]
fn a_folder_is_held_by_one_and_is_of_one_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), Some("acme")).unwrap();
    let held = Journal::open(folder.path(), None).unwrap_err();
    assert!(matches!(held, Error::Folder(FolderError::Held(_))), "{held}");
    drop(journal);
    let other = Journal::open(folder.path(), Some("other")).unwrap_err();
    assert!(matches!(other, Error::Folder(FolderError::OtherLedger { .. })), "{other}");
    assert_eq!(Journal::open(folder.path(), None).unwrap().ledger(), "acme");
}

#[test]
fn a_folder_of_something_else_or_of_a_newer_format_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("letter.txt"), "dear").unwrap();
    let error = Journal::open(folder.path(), None).unwrap_err();
    assert!(matches!(error, Error::Folder(FolderError::NotOurs(_))), "{error}");
    fs::remove_file(folder.path().join("letter.txt")).unwrap();
    fs::write(folder.path().join("tenure.json"), r#"{"format": 99, "ledger": "acme"}"#).unwrap();
    let error = Journal::open(folder.path(), None).unwrap_err();
    assert!(matches!(error, Error::Folder(FolderError::NewerFormat { found: 99, .. })), "{error}");
    fs::write(folder.path().join("tenure.json"), "{").unwrap();
    let error = Journal::open(folder.path(), None).unwrap_err();
    assert!(matches!(error, Error::Folder(FolderError::Identity(_))), "{error}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(file.file_name());
        if file.file_type().unwrap().is_dir() {
            copy(&file.path(), &target);
        } else {
            fs::copy(file.path(), target).unwrap();
        }
    }
}

#[test]
fn rows_need_room_for_all_that_is_written_until_they_stay() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), Some("acme")).unwrap();
    let stat = rustix::fs::statvfs(folder.path()).unwrap();
    let free_bytes = usize::try_from(stat.f_bavail * stat.f_frsize).unwrap();
    journal.writable(0).unwrap();
    journal.writable(free_bytes / 16).unwrap();
    // The rows are written several times, so they need several times their bytes.
    let error = journal.writable(free_bytes / 4).unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }), "{error}");
    assert!(error.to_string().contains("make room"), "{error}");
}

#[test]
fn settings_that_were_being_written_when_the_first_start_was_killed_are_written_again() {
    let folder = tempfile::tempdir().unwrap();
    drop(Journal::open(folder.path(), Some("acme")).unwrap());
    let store = folder.path().join("journal");
    let settings = store.join("conf");
    let whole = fs::read(&settings).unwrap();
    for length in 0..=whole.len() {
        fs::remove_dir_all(&store).unwrap();
        fs::create_dir(&store).unwrap();
        fs::write(&settings, &whole[..length]).unwrap();
        drop(Journal::open(folder.path(), Some("acme")).unwrap());
        assert_eq!(fs::read(&settings).unwrap(), whole, "cut at {length}");
    }
    let mut journal = Journal::open(folder.path(), Some("acme")).unwrap();
    journal.commit(&[row(1)]).unwrap();
    expect_rows(&journal, 1);
}

#[test]
fn a_store_that_lost_its_tail_is_damaged_although_it_looks_sound() {
    let folder = tempfile::tempdir().unwrap();
    let commit = |rows: std::ops::RangeInclusive<u64>| {
        let mut journal = Journal::open(folder.path(), None).unwrap();
        journal.commit(&rows.map(row).collect::<Vec<_>>()).unwrap();
    };
    commit(1..=10);
    let backup = tempfile::tempdir().unwrap();
    copy(&folder.path().join("journal"), &backup.path().join("journal"));
    commit(11..=20);
    fs::remove_dir_all(folder.path().join("journal")).unwrap();
    copy(&backup.path().join("journal"), &folder.path().join("journal"));
    match Journal::open(folder.path(), None).unwrap_err() {
        Error::Damaged { position: 11, problem, .. } => {
            assert!(problem.contains("20"), "{problem}")
        }
        other => panic!("{other}"),
    }
    fs::remove_dir_all(folder.path().join("journal")).unwrap();
    let gone = Journal::open(folder.path(), None).unwrap_err();
    assert!(matches!(gone, Error::Damaged { position: 1, .. }), "{gone}");
}
