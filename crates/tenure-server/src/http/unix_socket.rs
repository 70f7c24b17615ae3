//! How is a Unix socket made, who reaches the server by it, and how does it go away?

use std::fs;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixSocket};

/// Connections that wait to be accepted
const WAITING_MAX: u32 = 1_024;

/// The file of a socket that is listened at; it is removed when this goes out of scope
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    inode: u64,
}

/// Listens at a Unix socket with mode 0600
///
/// # Errors
/// A path at which another process listens, or at which there is something else than a socket. What is there
/// stays as it is.
pub(super) fn listen(path: &Path) -> Result<(UnixListener, SocketFile)> {
    make_room(path)?;
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    let inode = fs::symlink_metadata(path)?.ino();
    let file = SocketFile { path: path.to_owned(), inode };
    // Nobody can connect before `listen`, and so nobody connects with a wider mode.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok((socket.listen(WAITING_MAX)?, file))
}

impl SocketFile {
    /// Lets every user of this machine connect
    ///
    /// This is for a server that knows its callers by their user ids, which the kernel vouches for: each request of a
    /// user who has no row in the callers' file gets 401. Folders above the socket may still keep users out.
    pub(super) fn open_to_all(&self) -> Result<()> {
        fs::set_permissions(&self.path, fs::Permissions::from_mode(0o666))
    }
}

/// Removes a socket that a process left behind
fn make_room(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            let why = "there is something else than a socket at this path";
            return Err(Error::new(ErrorKind::AlreadyExists, why));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
        Ok(_) => Err(Error::new(ErrorKind::AddrInUse, "another process listens at this socket")),
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A socket that another server has put there since stays.
        let ours = fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "the socket stays behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_socket_that_nobody_listens_at_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tenure.sock");
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let (listener, file) = listen(&path).unwrap();
        assert_eq!(mode(), 0o600);
        assert_eq!(listen(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
        // A process that was killed leaves its socket behind.
        std::mem::forget(file);
        drop(listener);
        let (listener, file) = listen(&path).unwrap();
        assert_eq!(mode(), 0o600);
        file.open_to_all().unwrap();
        assert_eq!(mode(), 0o666);
        drop((listener, file));
        assert!(!path.exists());
        fs::write(&path, "years of work").unwrap();
        assert_eq!(listen(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"years of work");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), &path).unwrap();
        assert_eq!(listen(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
    }
}
