//! How is a file of an operator read, and what is said of one that cannot be used?

use std::fs::File;
use std::io::{Error, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Longest file, in bytes
const BYTES_MAX: u64 = 1_024 * 1_024;

/// Why a file cannot be used; no line of it is shown
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("the file `{}` cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: Error },
    #[error(
        "the file `{}` has mode {mode:04o}, so others than its owner may open it: give it mode 0600",
        path.display()
    )]
    Mode { path: PathBuf, mode: u32 },
    #[error("the file `{}` is wrong: {problem}", path.display())]
    Content { path: PathBuf, problem: String },
}

impl FileError {
    pub(crate) fn content(path: &Path, problem: impl Into<String>) -> Self {
        Self::Content { path: path.to_owned(), problem: problem.into() }
    }
}

/// The bytes of a file that everybody may know
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    all(path, |_| Ok(()))
}

/// The bytes of a file that its owner alone may open
pub(crate) fn read_secret(path: &Path) -> Result<Vec<u8>, FileError> {
    all(path, |mode| match mode & 0o077 {
        0 => Ok(()),
        _ => Err(FileError::Mode { path: path.to_owned(), mode }),
    })
}

fn all(path: &Path, may_have: impl Fn(u32) -> Result<(), FileError>) -> Result<Vec<u8>, FileError> {
    let unread = |source| FileError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(unread)?;
    may_have(file.metadata().map_err(unread)?.mode() & 0o7777)?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unread)?;
    match bytes.len() as u64 <= BYTES_MAX {
        true => Ok(bytes),
        false => Err(FileError::content(path, format!("it has more than {BYTES_MAX} bytes"))),
    }
}
