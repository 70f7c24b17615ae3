//! How are files and folders made that no other user may read?
//!
//! A folder gets mode 0700 and a file 0600, whatever the umask allows. No file is opened through a symbolic link:
//! another user may have put the link there before the folder became ours. sled makes its own files, by the
//! umask; they lie in folders that are made here.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// What is added to the name of a file while it is written
pub(crate) const BESIDE: &str = ".new";

/// Makes a folder that is not there yet; the folders above it get the mode that the umask allows
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    match DirBuilder::new().mode(0o700).create(path) {
        Err(_) if path.is_dir() => Ok(()),
        made => made,
    }
}

/// Takes away what group and others may do with a folder
pub(crate) fn keep_to_owner(folder: &Path) -> io::Result<()> {
    let mode = fs::metadata(folder)?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(folder, Permissions::from_mode(mode & !0o077))
}

fn options() -> io::Result<OpenOptions> {
    let no_link = i32::try_from(OFlags::NOFOLLOW.bits()).map_err(io::Error::other)?;
    let mut options = File::options();
    options.write(true).mode(0o600).custom_flags(no_link);
    Ok(options)
}

/// Opens a file to read and to write, and makes it where it is not there yet
pub(crate) fn open(path: &Path) -> io::Result<File> {
    options()?.create(true).truncate(false).read(true).open(path)
}

/// Writes a file beside, flushes it and gives it its name: it is there whole or not at all
pub(crate) fn replace(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let beside = folder.join(format!("{name}{BESIDE}"));
    // A start that was killed may have left one. Of a link, the link is removed.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = options()?.create_new(true).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, folder.join(name))?;
    File::open(folder)?.sync_all()
}
