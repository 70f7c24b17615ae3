//! Only the owner of a data folder reads what is in it, and no file in it is written through a link
#![expect(clippy::unwrap_used, reason = "a test that cannot write its folder fails")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use tenure_journal::quarantine::quarantine;
use tenure_journal::{Error, FolderError, Journal};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn open(folder: &Path) -> Result<Journal, Error> {
    Journal::open(folder, Some("acme"))
}

#[test]
fn folders_are_0700_and_files_0600() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("above/data");
    drop(open(&folder).unwrap());
    quarantine(&folder, "a test").unwrap();
    drop(open(&folder).unwrap());
    for made in ["", "journal", "quarantine-1", "quarantine-1/journal"] {
        assert_eq!(mode(&folder.join(made)), 0o700, "{made}");
    }
    for made in ["tenure.json", "lock", "acknowledged", "expected.json", "quarantine-1/why.txt"] {
        assert_eq!(mode(&folder.join(made)), 0o600, "{made}");
    }
}

#[test]
fn a_folder_that_was_there_is_closed_to_others_once_it_is_ours() {
    let folder = tempfile::tempdir().unwrap();
    // A folder of somebody else is left as it is.
    set_mode(folder.path(), 0o755);
    fs::write(folder.path().join("letter.txt"), "dear").unwrap();
    let error = open(folder.path()).unwrap_err();
    assert!(matches!(error, Error::Folder(FolderError::NotOurs(_))), "{error}");
    assert_eq!(mode(folder.path()), 0o755);
    fs::remove_file(folder.path().join("letter.txt")).unwrap();
    // The second one was made by an earlier version.
    for _ in 0..2 {
        set_mode(folder.path(), 0o2755);
        drop(open(folder.path()).unwrap());
        assert_eq!(mode(folder.path()), 0o2700);
    }
}

#[test]
fn what_a_killed_start_left_of_the_identity_is_replaced_and_a_link_is_not_followed() {
    let home = tempfile::tempdir().unwrap();
    let outside = home.path().join("outside");
    fs::write(&outside, "not ours").unwrap();
    let left_over = |beside: &Path| fs::write(beside, "{\"format\":").unwrap();
    let link = |beside: &Path| symlink(&outside, beside).unwrap();
    for (name, leave) in [("left", &left_over as &dyn Fn(&Path)), ("link", &link)] {
        let folder = home.path().join(name);
        fs::create_dir(&folder).unwrap();
        leave(&folder.join("tenure.json.new"));
        assert_eq!(open(&folder).unwrap().ledger(), "acme");
        assert!(!folder.join("tenure.json.new").exists());
        let identity = folder.join("tenure.json");
        assert!(fs::symlink_metadata(&identity).unwrap().is_file());
        assert_eq!(mode(&identity), 0o600);
    }
    assert_eq!(fs::read_to_string(outside).unwrap(), "not ours");
}

#[test]
fn a_link_in_the_place_of_the_lock_or_the_witness_is_refused() {
    for name in ["lock", "acknowledged"] {
        let home = tempfile::tempdir().unwrap();
        let outside = home.path().join("outside");
        let folder = home.path().join("data");
        drop(open(&folder).unwrap());
        fs::remove_file(folder.join(name)).unwrap();
        symlink(&outside, folder.join(name)).unwrap();
        let error = open(&folder).unwrap_err();
        assert!(matches!(error, Error::Folder(FolderError::Io { .. })), "{error}");
        assert!(!outside.exists());
    }
}
