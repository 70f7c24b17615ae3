//! Which bearer tokens are there, and whose are they?
//!
//! A file lists them, each by its SHA-256 digest: whoever reads the file cannot use them. It is read again when it changes,
//! so a token that is taken out is refused from then on. A file that cannot be used keeps the tokens that were there before,
//! and the log says so.

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tenure_core::{Instant, Principal};
use tokio::task::JoinHandle;

use super::caller::vouched;
use crate::toml_error::sentence;

/// Longest file, in bytes
const FILE_BYTES_MAX: u64 = 4 * 1_024 * 1_024;
/// How often it is looked whether the file has changed
const PAUSE: Duration = Duration::from_secs(1);

/// Why a file of tokens cannot be used
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// It cannot be read
    #[error("the token file `{}` cannot be read", path.display())]
    Read {
        /// The file
        path: PathBuf,
        /// Why
        #[source]
        source: std::io::Error,
    },
    /// Others than its owner may read or write it
    #[error(
        "the token file `{}` has mode {mode:04o}, so others than its owner may open it: give it mode 0600",
        path.display()
    )]
    Mode {
        /// The file
        path: PathBuf,
        /// Its mode
        mode: u32,
    },
    /// What it says is wrong; no line of the file is shown
    #[error("the token file `{}` is wrong: {problem}", path.display())]
    Content {
        /// The file
        path: PathBuf,
        /// What is wrong, and where
        problem: String,
    },
}

/// The file as it is written
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, rename = "token")]
    tokens: Vec<WrittenToken>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenToken {
    sha256: String,
    principal: String,
    expires: Option<String>,
}

/// A token by its digest
#[derive(Clone, Debug)]
struct Token {
    digest: [u8; 32],
    principal: Principal,
    expires: Option<Instant>,
}

/// What tells one version of a file from the next
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Version {
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

impl From<&Metadata> for Version {
    fn from(found: &Metadata) -> Self {
        let changed = (found.ctime(), found.ctime_nsec());
        Self { inode: found.ino(), bytes: found.len(), changed }
    }
}

/// The tokens of a file, read again when it changes
#[derive(Debug)]
pub struct Tokens {
    path: PathBuf,
    known: ArcSwap<Vec<Token>>,
}

/// The digest of a token, as the file has it: SHA-256 in hexadecimal digits
pub fn token_digest(token: &str) -> String {
    Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Tokens {
    /// Reads a file
    ///
    /// # Errors
    /// A file that cannot be used.
    pub fn open(path: &Path) -> Result<Self, TokensError> {
        let (_, tokens) = read(path)?;
        Ok(Self { path: path.to_owned(), known: ArcSwap::from_pointee(tokens) })
    }

    /// Whose token it is, if it is one and has not expired
    ///
    /// # Cost
    /// O(tokens), the same whichever fits.
    pub(super) fn owner(&self, token: &str, now: Instant) -> Option<Principal> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        let known = self.known.load();
        let mut owner = None;
        for one in known.iter() {
            if bool::from(one.digest.ct_eq(&digest)) && one.expires.is_none_or(|end| now < end) {
                owner = Some(one.principal.clone());
            }
        }
        owner
    }

    /// Reads the file again whenever it changes, until this is dropped
    pub(crate) fn watch(self: &Arc<Self>) -> JoinHandle<()> {
        let tokens = Arc::downgrade(self);
        let path = self.path.clone();
        tokio::spawn(async move {
            let mut seen: Option<Version> = None;
            loop {
                let (path, before) = (path.clone(), seen);
                // A disk that stands still holds up one thread, and no request.
                let looked = tokio::task::spawn_blocking(move || changed(&path, before)).await;
                let Some(tokens) = tokens.upgrade() else { return };
                match looked {
                    Ok((version, Some(Ok(read)))) => {
                        if seen.is_some() {
                            tracing::info!(path = %tokens.path.display(), tokens = read.len(), "tokens read again");
                        }
                        tokens.known.store(Arc::new(read));
                        seen = version;
                    }
                    Ok((version, Some(Err(error)))) => {
                        let error = crate::engine::chain(&error);
                        tracing::error!(error, "the tokens of before are still taken");
                        seen = version;
                    }
                    Ok((version, None)) => seen = version,
                    Err(_) => return,
                }
                drop(tokens);
                tokio::time::sleep(PAUSE).await;
            }
        })
    }
}

/// The version of the file now, and what it says if that is another one than before
fn changed(
    path: &Path,
    before: Option<Version>,
) -> (Option<Version>, Option<Result<Vec<Token>, TokensError>>) {
    let version = std::fs::metadata(path).ok().map(|found| Version::from(&found));
    if version.is_some() && version == before {
        return (version, None);
    }
    match read(path) {
        Ok((version, tokens)) => (Some(version), Some(Ok(tokens))),
        // A file that is gone is told of once.
        Err(_) if version.is_none() && before.is_none() => (None, None),
        Err(error) => (version, Some(Err(error))),
    }
}

fn read(path: &Path) -> Result<(Version, Vec<Token>), TokensError> {
    let unread = |source| TokensError::Read { path: path.to_owned(), source };
    let wrong = |problem: String| TokensError::Content { path: path.to_owned(), problem };
    let file = File::open(path).map_err(unread)?;
    let found = file.metadata().map_err(unread)?;
    let mode = found.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(TokensError::Mode { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(unread)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(wrong(format!("it has more than {FILE_BYTES_MAX} bytes")));
    }
    let written: Written = toml::from_str(&text).map_err(|error| wrong(sentence(&error, &text)))?;
    let tokens = written.tokens.iter().enumerate().map(|(n, written)| {
        token(written).map_err(|problem| wrong(format!("token {}: {problem}", n + 1)))
    });
    Ok((Version::from(&found), tokens.collect::<Result<_, _>>()?))
}

fn token(written: &WrittenToken) -> Result<Token, String> {
    let digest = digest(&written.sha256).ok_or(
        "`sha256` is the digest of a token, 64 hexadecimal digits: `tenure token new` prints it",
    )?;
    let principal = Principal::parse(&written.principal).map_err(|error| error.to_string())?;
    let principal = vouched(principal)?;
    let expires = written.expires.as_deref().map(Instant::parse_or_date).transpose();
    let expires = expires.map_err(|error| format!("`expires`: {error}"))?;
    Ok(Token { digest, principal, expires })
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    // A sign would be read as part of a number.
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (n, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * n..2 * n + 2)?, 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn at(text: &str) -> Instant {
        Instant::parse_or_date(text).unwrap()
    }

    fn file(folder: &Path, text: &str, mode: u32) -> PathBuf {
        let path = folder.join("tokens.toml");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn row(token: &str, principal: &str, more: &str) -> String {
        format!(
            "[[token]]\nsha256 = \"{}\"\nprincipal = \"{principal}\"\n{more}\n",
            token_digest(token)
        )
    }

    #[test]
    fn a_token_is_whose_the_file_says_until_it_expires() {
        let folder = tempfile::tempdir().unwrap();
        let text = row("one", "client:corp/ci", "")
            + &row("two", "user:corp/Ann@x", "expires = \"2026-03-01\"");
        let tokens = Tokens::open(&file(folder.path(), &text, 0o600)).unwrap();
        let owner = |token, now| tokens.owner(token, at(now)).map(|owner| owner.to_string());
        assert_eq!(owner("one", "2026-06-01").as_deref(), Some("client:corp/ci"));
        assert_eq!(owner("two", "2026-02-28").as_deref(), Some("user:corp/ann@x"));
        assert_eq!(owner("two", "2026-03-01"), None);
        assert_eq!(owner("three", "2026-02-28"), None);
        assert_eq!(owner(&token_digest("one"), "2026-02-28"), None, "the digest is no token");
    }

    #[test]
    fn a_file_that_cannot_be_used_says_why_and_shows_nothing_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let said = |text: &str, mode| {
            Tokens::open(&file(folder.path(), text, mode)).unwrap_err().to_string()
        };
        let good = row("one", "client:corp/ci", "");
        assert!(said(&good, 0o640).contains("mode 0640"), "{}", said(&good, 0o640));
        for (text, part) in [
            (row("x", "client:tenure/local", ""), "the ledger gives itself"),
            (row("x", "client:nats/crm", ""), "the ledger gives itself"),
            (row("x", "group:corp/ops", ""), "is a set"),
            (row("x", "nobody", ""), "token 1"),
            (row("x", "client:corp/ci", "expires = \"soon\""), "`expires`"),
            (row("x", "client:corp/ci", "until = \"2026-01-01\""), "line 4"),
            (row("x", "client:corp/ci", "").replace("sha256 = \"", "sha256 = \"+"), "64 hex"),
            (
                format!("[[token]]\nsha256 = \"{}\"\nprincipal = \"client:a/b\"", "+f".repeat(32)),
                "64 hex",
            ),
            ("[[token]]\nsha256 = \"secret\"\nprincipal = \"client:a/b\"".to_owned(), "64 hex"),
            (format!("{good}[[token]]\nsha256 = \"very secret"), "line 6"),
        ] {
            let said = said(&text, 0o600);
            assert!(said.contains(part) && !said.contains("secret"), "{said}");
        }
        let gone = Tokens::open(&folder.path().join("none.toml")).unwrap_err().to_string();
        assert!(gone.contains("cannot be read"), "{gone}");
    }
}
