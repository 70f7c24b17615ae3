//! How is a file of an operator read, and what is said of one that cannot be used?

use std::fs::File;
use std::io::{Error, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// Longest file, in bytes
const BYTES_MAX: u64 = 4 * 1_024 * 1_024;

/// Why a file cannot be used
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read
    #[error("the file `{}` cannot be read", path.display())]
    Read {
        /// The file
        path: PathBuf,
        /// Why
        #[source]
        source: Error,
    },
    /// Others than its owner may read or write it
    #[error(
        "the file `{}` has mode {mode:04o}, so others than its owner may open it: give it mode 0600",
        path.display()
    )]
    Mode {
        /// The file
        path: PathBuf,
        /// Its mode
        mode: u32,
    },
    /// What it says is wrong; no line of the file is shown
    #[error("the file `{}` is wrong: {problem}", path.display())]
    Content {
        /// The file
        path: PathBuf,
        /// What is wrong, and where
        problem: String,
    },
}

impl FileError {
    /// A file that says something wrong
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

/// The certificates of a file in PEM, at least one
///
/// # Errors
/// A file that cannot be read, has none, or one that is broken.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(FileError::content(path, "it has no certificate in PEM")),
        Err(_) => Err(FileError::content(path, "a certificate in it is no PEM")),
    }
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
