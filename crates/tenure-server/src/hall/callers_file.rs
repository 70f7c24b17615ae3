//! Which callers does the callers' file list?
//!
//! Each row gives a principal to whoever has something: a bearer token, of which the file has the SHA-256 digest, so
//! that who reads the file cannot use it; a client certificate with a name; a user id at a Unix socket. The file is
//! read again when it changes, so a row that is taken out counts no more from then on.

use std::collections::HashMap;
use std::hash::Hash;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tenure_core::{Instant, Principal};

use super::caller::vouched;
use super::certificate::{Certificate, Name};
use crate::file::{FileError, read_secret};
use crate::toml_error::sentence;
use crate::watched::Watched;

/// The file as it is written
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, rename = "token")]
    tokens: Vec<WrittenToken>,
    #[serde(default, rename = "certificate")]
    certificates: Vec<WrittenCertificate>,
    #[serde(default, rename = "peer")]
    peers: Vec<WrittenPeer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenToken {
    sha256: String,
    principal: String,
    expires: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenCertificate {
    common_name: Option<String>,
    uri: Option<String>,
    email: Option<String>,
    principal: String,
    expires: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPeer {
    uid: u32,
    principal: String,
    expires: Option<String>,
}

/// Whose something is, and until when
#[derive(Clone, Debug)]
struct Owner {
    principal: Principal,
    expires: Option<Instant>,
}

/// The rows of a file
#[derive(Debug)]
struct Rows {
    tokens: HashMap<[u8; 32], Owner>,
    certificates: HashMap<Name, Owner>,
    peers: HashMap<u32, Owner>,
}

/// A file of callers, read again when it changes
#[derive(Debug)]
pub struct CallersFile(Arc<Watched<Rows>>);

/// The digest of a token, as the file has it: SHA-256 in hexadecimal digits
pub fn token_digest(token: &str) -> String {
    Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Owner {
    fn at(&self, now: Instant) -> Option<&Principal> {
        self.expires.is_none_or(|end| now < end).then_some(&self.principal)
    }
}

impl CallersFile {
    /// Reads a file
    ///
    /// # Errors
    /// A file that cannot be used.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let of = path.to_owned();
        Ok(Self(Watched::open(vec![path.to_owned()], move || rows(&of))?))
    }

    /// Reads the file again whenever it changes, until this is dropped
    pub(crate) fn watch(&self) {
        self.0.watch();
    }

    /// Whether it has rows of certificates
    pub(crate) fn lists_certificates(&self) -> bool {
        !self.0.now().certificates.is_empty()
    }

    /// Whether it has rows of users at a Unix socket
    pub(crate) fn lists_peers(&self) -> bool {
        !self.0.now().peers.is_empty()
    }

    /// Whose token it is, if it is one and has not expired
    ///
    /// # Cost
    /// O(tokens), the same whichever fits.
    pub(super) fn of_token(&self, token: &str, now: Instant) -> Option<(Principal, [u8; 32])> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        Some((self.of_digest(digest, now)?, digest))
    }

    /// Whose token has this digest, if it is one and has not expired
    ///
    /// # Cost
    /// O(tokens), the same whichever fits.
    pub(super) fn of_digest(&self, digest: [u8; 32], now: Instant) -> Option<Principal> {
        let rows = self.0.now();
        let mut found = None;
        for (known, owner) in &rows.tokens {
            if bool::from(known.ct_eq(&digest)) {
                found = owner.at(now).cloned();
            }
        }
        found
    }

    /// Whose certificate it is; one whose names are those of several principals is nobody's
    pub(super) fn of_certificate(&self, sent: &Certificate, now: Instant) -> Option<Principal> {
        let rows = self.0.now();
        let owners = sent.names.iter().filter_map(|name| rows.certificates.get(name)?.at(now));
        let mut owners = owners.cloned();
        let first = owners.next()?;
        owners.all(|other| other == first).then_some(first)
    }

    /// Who the user of this machine with this number is
    pub(super) fn of_user(&self, uid: u32, now: Instant) -> Option<Principal> {
        self.0.now().peers.get(&uid)?.at(now).cloned()
    }
}

fn rows(path: &Path) -> Result<Rows, FileError> {
    let text = String::from_utf8(read_secret(path)?);
    let text = text.map_err(|_| FileError::content(path, "it is no text in UTF-8"))?;
    let written: Written =
        toml::from_str(&text).map_err(|error| FileError::content(path, sentence(&error, &text)))?;
    let tokens = table("token", written.tokens, |row| {
        let key = digest(&row.sha256).ok_or(
            "`sha256` is the digest of a token, 64 hexadecimal digits: `tenure token new` prints it",
        )?;
        Ok((key, owner(&row.principal, row.expires.as_deref())?))
    });
    let certificates = table("certificate", written.certificates, |row| {
        let names =
            [row.common_name.map(Name::Common), row.uri.map(Name::Uri), row.email.map(Name::Email)];
        let mut names = names.into_iter().flatten();
        match (names.next(), names.next()) {
            (Some(name), None) => Ok((name, owner(&row.principal, row.expires.as_deref())?)),
            _ => Err("it has exactly one of `common-name`, `uri` and `email`".to_owned()),
        }
    });
    let peers = table("peer", written.peers, |row| {
        Ok((row.uid, owner(&row.principal, row.expires.as_deref())?))
    });
    let wrong = |problem| FileError::content(path, problem);
    Ok(Rows {
        tokens: tokens.map_err(wrong)?,
        certificates: certificates.map_err(wrong)?,
        peers: peers.map_err(wrong)?,
    })
}

/// The rows of one kind by what each is found by
fn table<W, K: Eq + Hash>(
    kind: &str,
    written: Vec<W>,
    read: impl Fn(W) -> Result<(K, Owner), String>,
) -> Result<HashMap<K, Owner>, String> {
    let mut table = HashMap::with_capacity(written.len());
    for (n, row) in written.into_iter().enumerate() {
        let wrong = |problem: String| format!("{kind} {}: {problem}", n + 1);
        let (key, owner) = read(row).map_err(wrong)?;
        if table.insert(key, owner).is_some() {
            return Err(wrong("a row before it is for the same".to_owned()));
        }
    }
    Ok(table)
}

fn owner(principal: &str, expires: Option<&str>) -> Result<Owner, String> {
    let principal = Principal::parse(principal).map_err(|error| error.to_string())?;
    let principal = vouched(principal)?;
    let expires = expires.map(Instant::parse_or_date).transpose();
    let expires = expires.map_err(|error| format!("`expires`: {error}"))?;
    Ok(Owner { principal, expires })
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
    use std::path::PathBuf;

    use super::*;

    fn at(text: &str) -> Instant {
        Instant::parse_or_date(text).unwrap()
    }

    fn file(folder: &Path, text: &str, mode: u32) -> PathBuf {
        let path = folder.join("callers.toml");
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
        let tokens = CallersFile::open(&file(folder.path(), &text, 0o600)).unwrap();
        let owner =
            |token, now| tokens.of_token(token, at(now)).map(|(owner, _)| owner.to_string());
        assert_eq!(owner("one", "2026-06-01").as_deref(), Some("client:corp/ci"));
        assert_eq!(owner("two", "2026-02-28").as_deref(), Some("user:corp/ann@x"));
        assert_eq!(owner("two", "2026-03-01"), None);
        assert_eq!(owner("three", "2026-02-28"), None);
        assert_eq!(owner(&token_digest("one"), "2026-02-28"), None, "the digest is no token");
    }

    fn certificate(name: &str) -> String {
        format!("[[certificate]]\n{name}\nprincipal = \"client:corp/ci\"\n")
    }

    fn peer(principal: &str) -> String {
        format!("[[peer]]\nuid = 7\nprincipal = \"{principal}\"\n")
    }

    fn sent(names: &[&Name]) -> Certificate {
        Certificate { names: names.iter().copied().cloned().collect(), not_after: at("2031-01-01") }
    }

    #[test]
    fn a_certificate_is_whose_the_file_says_by_one_name_of_that_kind() {
        let folder = tempfile::tempdir().unwrap();
        let text = certificate("common-name = \"ci\"")
            + &certificate("uri = \"spiffe://corp/ci\"")
            + &certificate("email = \"ann@x\"\nexpires = \"2026-03-01\"")
                .replace("client:corp/ci", "user:corp/ann@x")
            + &peer("client:corp/backup");
        let file = CallersFile::open(&file(folder.path(), &text, 0o600)).unwrap();
        let owner = |names: &[&Name], now| {
            file.of_certificate(&sent(names), at(now)).map(|owner| owner.to_string())
        };
        let [common, uri, email] = [
            Name::Common("ci".into()),
            Name::Uri("spiffe://corp/ci".into()),
            Name::Email("ann@x".into()),
        ];
        let now = "2026-01-01";
        assert_eq!(owner(&[&common], now).as_deref(), Some("client:corp/ci"));
        assert_eq!(owner(&[&common, &uri], now).as_deref(), Some("client:corp/ci"));
        assert_eq!(owner(&[&email], now).as_deref(), Some("user:corp/ann@x"));
        assert_eq!(owner(&[&email], "2026-03-01"), None, "the row has expired");
        assert_eq!(owner(&[&uri, &email], now), None, "two principals");
        for other in [Name::Common("CI".into()), Name::Email("ci".into()), Name::Uri("ci".into())] {
            assert_eq!(owner(&[&other], now), None);
        }
        assert_eq!(owner(&[], now), None);
        let user = |uid| file.of_user(uid, at(now)).map(|owner| owner.to_string());
        assert_eq!([user(7).as_deref(), user(8).as_deref()], [Some("client:corp/backup"), None]);
    }

    #[test]
    fn a_file_that_cannot_be_used_says_why_and_shows_nothing_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let said = |text: &str, mode| {
            CallersFile::open(&file(folder.path(), text, mode)).unwrap_err().to_string()
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
            (format!("{good}{good}"), "token 2: a row before"),
            (certificate("common-name = \"a\"\nuri = \"b:c\""), "exactly one"),
            (certificate(""), "certificate 1: it has exactly one"),
            (certificate("email = \"a@b\"").repeat(2), "certificate 2: a row before"),
            (peer("client:corp/ci").repeat(2), "peer 2: a row before"),
            (peer("client:tenure/local"), "the ledger gives itself"),
            (peer("group:corp/ops"), "is a set"),
            (peer("client:corp/ci").replace('7', "-7"), "line 2"),
        ] {
            let said = said(&text, 0o600);
            assert!(said.contains(part) && !said.contains("secret"), "{said}");
        }
        let gone = CallersFile::open(&folder.path().join("none.toml")).unwrap_err().to_string();
        assert!(gone.contains("cannot be read"), "{gone}");
    }
}
