//! What becomes of a damaged journal whose rows a log elsewhere has?
//!
//! It is set aside, whole and with what was found, and a new one is begun. How far it had come is kept: a
//! log that ends before that has lost something.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::folder::{STORE_FOLDER, WITNESS_FILE, witnessed};
use crate::private;

const EXPECTED_FILE: &str = "expected.json";
const QUARANTINE: &str = "quarantine";

/// How far a journal had come that was set aside
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The last position whose flush had returned
    pub position: u64,
    /// Where it was put
    pub set_aside: PathBuf,
}

/// Sets the journal of a data folder aside, and says where it is now
///
/// No process may hold the folder.
///
/// # Errors
/// The folder cannot be read or written; what was there is there still.
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

/// How far the journal had come that was set aside here, until it is forgotten
pub fn expected(folder: &Path) -> Option<Expected> {
    serde_json::from_slice(&fs::read(folder.join(EXPECTED_FILE)).ok()?).ok()
}

/// Forgets how far a journal had come: the new one has come as far
///
/// # Errors
/// The folder cannot be written.
pub fn forget_expected(folder: &Path) -> io::Result<()> {
    match fs::remove_file(folder.join(EXPECTED_FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
