//! What happens to a damaged journal whose rows are in a stream as well?
//!
//! The whole journal is set aside together with the reason, and a new one is begun. The last position of the old
//! journal is kept: if the stream ends before it, the stream has lost entries.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::folder::{STORE_FOLDER, WITNESS_FILE, witnessed};
use crate::private;

const EXPECTED_FILE: &str = "expected.json";
const QUARANTINE: &str = "quarantine";

/// A journal that was set aside, and its last position
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The last position whose flush had returned
    pub position: u64,
    /// The folder where it is now
    pub set_aside: PathBuf,
}

/// Sets the journal of a data folder aside, and returns where it is now
///
/// No process may hold the folder.
///
/// # Errors
/// The folder cannot be read or written; all of the journal is still there.
pub fn quarantine(folder: &Path, why: &str) -> io::Result<Expected> {
    let position = witnessed(folder)?.max(expected(folder).map_or(0, |before| before.position));
    let place = (1..10_000)
        .map(|n| folder.join(format!("{QUARANTINE}-{n}")))
        .find(|place| !place.exists())
        .ok_or_else(|| io::Error::other("there are too many quarantines: move some away"))?;
    private::create_folder(&place)?;
    private::replace(&place, "why.txt", format!("{why}\n").as_bytes())?;
    let expected = Expected { position, set_aside: place.clone() };
    private::replace(folder, EXPECTED_FILE, &serde_json::to_vec(&expected)?)?;
    for name in [STORE_FOLDER, WITNESS_FILE] {
        match fs::rename(folder.join(name), place.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::File::open(folder)?.sync_all()?;
    Ok(expected)
}

/// The journal of this folder that was set aside, until it is forgotten
pub fn expected(folder: &Path) -> Option<Expected> {
    serde_json::from_slice(&fs::read(folder.join(EXPECTED_FILE)).ok()?).ok()
}

/// Forgets the journal that was set aside: the new one has reached its last position
///
/// # Errors
/// The folder cannot be written.
pub fn forget_expected(folder: &Path) -> io::Result<()> {
    match fs::remove_file(folder.join(EXPECTED_FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
