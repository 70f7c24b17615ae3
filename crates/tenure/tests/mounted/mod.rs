//! File systems for a single test: one that fills up, and one that can be made to stand still
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may fail by a panic, and one that does less says so: `allow-*-in-tests` does not \
              reach helpers"
)]
#![allow(dead_code, reason = "each test uses a part of it")]

use std::path::Path;
use std::process::Command;

/// `Some` if a command succeeds; otherwise stderr says why it failed
fn done(command: &mut Command) -> Option<()> {
    let why = match command.output() {
        Ok(ran) if ran.status.success() => return Some(()),
        Ok(ran) => String::from_utf8_lossy(&ran.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    eprintln!("not tested on a disk of its own: {command:?}: {why}");
    None
}

/// A file system that is mounted in a folder of this test until it goes out of scope
pub(crate) struct Mounted {
    at: tempfile::TempDir,
    /// The image, if an image file is mounted
    image: Option<tempfile::NamedTempFile>,
}

impl Mounted {
    /// Mounts a file system; if that is not permitted, `None` and a line on stderr
    pub(crate) fn new(arguments: &[&str]) -> Option<Self> {
        let at = tempfile::tempdir().unwrap();
        done(Command::new("mount").args(arguments).arg(at.path()))?;
        Some(Self { at, image: None })
    }

    pub(crate) fn small_disk() -> Option<Self> {
        Self::new(&["-t", "tmpfs", "-o", "size=96m", "tmpfs"])
    }

    /// A disk that can be made to stand still
    pub(crate) fn ext4() -> Option<Self> {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(1 << 30).unwrap();
        done(Command::new("mkfs.ext4").arg("-q").arg(image.path()))?;
        let mut mounted = Self::new(&["-o", "loop", image.path().to_str().unwrap()])?;
        mounted.image = Some(image);
        Some(mounted)
    }

    pub(crate) fn path(&self) -> &Path {
        self.at.path()
    }

    /// Makes it stand still until the returned value goes out of scope: every write or flush waits
    pub(crate) fn stand_still(&self) -> Option<StandsStill<'_>> {
        done(Command::new("fsfreeze").arg("--freeze").arg(self.path()))?;
        Some(StandsStill { at: self.path() })
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A lazy unmount works even if a process still has a file open there.
        drop(Command::new("umount").arg("-l").arg(self.at.path()).status());
    }
}

/// A disk that stands still
pub(crate) struct StandsStill<'a> {
    at: &'a Path,
}

impl Drop for StandsStill<'_> {
    fn drop(&mut self) {
        drop(Command::new("fsfreeze").arg("--unfreeze").arg(self.at).status());
    }
}
