//! What do these bytes say, and which bytes are canonical?
//!
//! The canonical encoding of an entry is MessagePack with named fields in the schema's order, absent
//! ones left out, of at most [`ENTRY_BYTES_MAX`] bytes. What is decoded is made canonical, so the log
//! and the journal hold one form of each content, and a [`Fingerprint`] of it tells contents apart.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tenure_core::{Entry, Fingerprint, Submission};
use uuid::Uuid;

use crate::convert::Names;
use crate::strict::{self, BODY_DEPTH_MAX, DEPTH_MAX, ShapeError};
use crate::v1;

/// Most bytes of an entry's canonical encoding
pub const ENTRY_BYTES_MAX: usize = 262_144;

/// A format that entries are written in
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// `application/json`
    Json,
    /// `application/msgpack`
    MessagePack,
}

/// An entry and its canonical encoding
#[derive(Clone, Debug)]
pub struct Encoded {
    entry: Entry,
    bytes: Vec<u8>,
    fingerprint: Fingerprint,
}

/// Why bytes are no entry; the log keeps such bytes as they are, with the outcome `refused: malformed`
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Malformed {
    message: String,
}

impl Malformed {
    fn new(message: impl ToString) -> Self {
        Self { message: message.to_string() }
    }

    /// The same, at a place of a larger document
    #[must_use]
    pub fn within(self, place: &str) -> Self {
        Self { message: format!("{place}: {}", self.message) }
    }
}

impl From<ShapeError> for Malformed {
    fn from(error: ShapeError) -> Self {
        Self::new(error)
    }
}

impl Encoded {
    /// Encodes an entry
    ///
    /// # Errors
    /// A canonical encoding of more than [`ENTRY_BYTES_MAX`] bytes.
    pub fn new(entry: Entry) -> Result<Self, Malformed> {
        let written = v1::Entry::from_core(&entry);
        let bytes = rmp_serde::to_vec_named(&written).map_err(Malformed::new)?;
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(Malformed::new(format!(
                "an entry has at most {ENTRY_BYTES_MAX} bytes in its canonical encoding, this one \
                 has {}: split it",
                bytes.len()
            )));
        }
        let fingerprint = match without_id(&bytes) {
            Some([head, rest]) => {
                Fingerprint(Sha256::new().chain_update(head).chain_update(rest).finalize().into())
            }
            None => fingerprint(&written).map_err(Malformed::new)?,
        };
        Ok(Self { entry, bytes, fingerprint })
    }

    /// Reads canonical bytes that were written here
    ///
    /// # Errors
    /// Bytes that are not the encoding of an entry.
    pub fn from_canonical(bytes: &[u8]) -> Result<Self, Malformed> {
        let written: v1::Entry = rmp_serde::from_slice(bytes).map_err(Malformed::new)?;
        let entry = written.to_core(Names::Full).map_err(Malformed::new)?;
        let fingerprint = fingerprint(&written).map_err(Malformed::new)?;
        Ok(Self { entry, bytes: bytes.to_vec(), fingerprint })
    }

    /// Reads bytes that a stranger wrote, if they are just the canonical encoding of an entry
    ///
    /// This is the quick way of [`decode_entry`] for entries that our own programs wrote. `None` says nothing about
    /// the bytes: read them with [`decode_entry`] then. Changes that hold a document within them always take the
    /// slow way, which counts how deep that is nested.
    pub fn if_canonical(bytes: &[u8]) -> Option<Self> {
        let written: v1::Entry = rmp_serde::from_slice(bytes).ok()?;
        if written.changes.iter().any(v1::Change::has_document) {
            return None;
        }
        let encoded = Self::new(written.to_core(Names::Full).ok()?).ok()?;
        (encoded.bytes == bytes).then_some(encoded)
    }

    /// The entry
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Its canonical encoding
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The digest of its content
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// What the fold is told
    pub fn into_submission(self) -> Submission {
        Submission::Entry(self.entry, self.fingerprint)
    }

    /// Its canonical encoding, and what the fold is told
    pub fn into_parts(self) -> (Vec<u8>, Submission) {
        (self.bytes, Submission::Entry(self.entry, self.fingerprint))
    }
}

/// Reads canonical bytes that were written here, without their fingerprint
///
/// # Errors
/// Bytes that are not the encoding of an entry.
pub fn entry_from_canonical(bytes: &[u8]) -> Result<Entry, Malformed> {
    let written: v1::Entry = rmp_serde::from_slice(bytes).map_err(Malformed::new)?;
    written.to_core(Names::Full).map_err(Malformed::new)
}

/// The content of an entry: all but its id
#[derive(Serialize)]
struct Content<'a> {
    actor: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effective_at: Option<&'a String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<&'a String>,
    changes: &'a [v1::Change],
}

/// The canonical encoding of an entry's content, in two parts, from that of the entry
///
/// Both are maps of a few fields in one order, and the id is the first field of the entry's.
fn without_id(bytes: &[u8]) -> Option<[&[u8]; 2]> {
    // A map of 3 to 6 fields; `id`; a text of 36 bytes.
    const AFTER_ID: usize = 1 + 3 + 2 + 36;
    let head: &[u8] = match bytes.get(..6)? {
        [0x83, 0xA2, b'i', b'd', 0xD9, 36] => &[0x82],
        [0x84, 0xA2, b'i', b'd', 0xD9, 36] => &[0x83],
        [0x85, 0xA2, b'i', b'd', 0xD9, 36] => &[0x84],
        [0x86, 0xA2, b'i', b'd', 0xD9, 36] => &[0x85],
        _ => return None,
    };
    Some([head, bytes.get(AFTER_ID..)?])
}

fn fingerprint(entry: &v1::Entry) -> Result<Fingerprint, rmp_serde::encode::Error> {
    let content = Content {
        actor: &entry.actor,
        reason: entry.reason.as_ref(),
        effective_at: entry.effective_at.as_ref(),
        not_before: entry.not_before.as_ref(),
        changes: &entry.changes,
    };
    Ok(Fingerprint(Sha256::digest(rmp_serde::to_vec_named(&content)?).into()))
}

/// Reads one entry as the log holds it: full names only
///
/// # Errors
/// [`Malformed`], with a sentence that names the field.
pub fn decode_entry(format: Format, bytes: &[u8]) -> Result<Encoded, Malformed> {
    let tree = read(format, bytes, DEPTH_MAX)?;
    let written: v1::Entry = typed(&tree)?;
    Encoded::new(written.to_core(Names::Full).map_err(Malformed::new)?)
}

/// Reads a tree as an entry that came to a door: short names are resolved, texts brought into normal form C, an
/// id is made where it is absent
///
/// # Errors
/// [`Malformed`], with a sentence that names the field.
pub fn decode_draft(
    tree: &Value,
    default_origin: &str,
    id: impl FnOnce() -> Uuid,
) -> Result<Encoded, Malformed> {
    if strict::depth(tree) > DEPTH_MAX {
        return Err(Malformed::new(format!("an entry is nested at most {DEPTH_MAX} deep")));
    }
    let written: v1::Draft = typed(&strict::normalised(tree)?)?;
    let written = written.with_id(id);
    let names = Names::Short { default_origin };
    Encoded::new(written.to_core(names).map_err(Malformed::new)?)
}

/// Reads the bytes of a request's body as a tree, strictly: no key stands twice
///
/// # Errors
/// Bytes that are not of the format, or nested deeper than a list of entries may be.
pub fn tree(format: Format, bytes: &[u8]) -> Result<Value, Malformed> {
    read(format, bytes, BODY_DEPTH_MAX)
}

fn read(format: Format, bytes: &[u8], depth_max: usize) -> Result<Value, Malformed> {
    Ok(match format {
        Format::Json => strict::json(bytes, depth_max)?,
        Format::MessagePack => strict::message_pack(bytes, depth_max)?,
    })
}

fn typed<T: serde::de::DeserializeOwned>(tree: &Value) -> Result<T, Malformed> {
    strict::entry_shape(tree)?;
    serde_path_to_error::deserialize(tree).map_err(|error| {
        let path = error.path().to_string();
        let problem = error.into_inner().to_string();
        let within = culprit(tree, &path, &problem);
        let (field, problem) = within.unwrap_or((String::new(), problem));
        Malformed::new(match path.as_str() {
            "." => problem,
            path => format!("{path}{field}: {problem}"),
        })
    })
}

/// Every field that some change has, besides its type
const FIELDS: [&str; 26] = [
    "level",
    "parent",
    "name",
    "feature_set",
    "authorizations",
    "environment",
    "region",
    "access",
    "role",
    "application",
    "template",
    "scopes",
    "attributes",
    "role_collection",
    "roles",
    "description",
    "to",
    "from",
    "until",
    "expect",
    "set",
    "member",
    "principal",
    "catalog",
    "entry",
    "note",
];

/// The field of a change that cannot be read, and what is wrong with it
///
/// serde reads a change's type first, and loses the place of an error in its fields. So one field after the other
/// is left out: when the field at fault is missing, the error is gone or is another one.
fn culprit(tree: &Value, path: &str, problem: &str) -> Option<(String, String)> {
    let n: usize = path.strip_prefix("changes[")?.strip_suffix(']')?.parse().ok()?;
    let change = tree.get("changes")?.get(n)?;
    if problem.contains("field `") {
        return None;
    }
    let kind = serde_json::json!({ "type": change.get("type")? });
    let of_kind: Result<v1::Change, _> = serde_json::from_value(kind);
    if of_kind.is_err_and(|error| error.to_string().contains("variant `")) {
        return None;
    }
    // Only fields that a change may have are tried, so many unknown ones cost nothing.
    let field =
        FIELDS.iter().copied().filter(|field| change.get(field).is_some()).find(|field| {
            let mut without = change.clone();
            let removed = without.as_object_mut().and_then(|map| map.remove(*field));
            let read: Result<v1::Change, _> = serde_json::from_value(without);
            removed.is_some() && read.map_or_else(|error| error.to_string() != problem, |_| true)
        })?;
    if field == "catalog" {
        let catalog: Result<v1::Catalog, _> = serde_path_to_error::deserialize(change.get(field)?);
        let error = catalog.err()?;
        let path = error.path().to_string();
        return Some((format!(".catalog.{path}"), error.into_inner().to_string()));
    }
    Some((format!(".{field}"), problem.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(change: &str) -> String {
        let text = format!(
            r#"{{"id": "01930f0e-7c1e-7d2a-9b1a-0d9f6f1c2b3a", "actor": "client:a/b", "changes": [{change}]}}"#
        );
        decode_entry(Format::Json, text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let grant = |more: &str| {
            problem(&format!(
                r#"{{"type": "grant", "level": "subaccount:a", "to": "client:a/b", {more}}}"#
            ))
        };
        for (found, start) in [
            (grant(r#""role": "r", "until": null"#), "changes[0].until: invalid type: null"),
            (grant(r#""role": 5"#), "changes[0].role: invalid type: integer"),
            (
                grant(r#""role": "r", "expect": "maybe""#),
                "changes[0].expect: unknown variant `maybe`",
            ),
            (grant(r#""role": "r", "untill": "x""#), "changes[0]: unknown field `untill`"),
            (grant(r#""role": "r", "role": "r""#), "it is no JSON: the key `role` stands twice"),
            (grant(r#""role": "r", "role_collection": "c""#), "changes[0]: it names either"),
            (grant(r#""role": "a/b/c""#), "changes[0].role: `"),
            (problem(r#"{"type": "conquer"}"#), "changes[0].type: unknown variant `conquer`"),
            (problem(r#"["delete_level", "subaccount:a"]"#), "changes[0] is not a map"),
            (
                problem(
                    r#"{"type": "publish_catalog", "catalog": {"version": "1", "roles": [{"role": 1}]}}"#,
                ),
                "changes[0].catalog.roles[0].role: invalid type",
            ),
        ] {
            assert!(found.starts_with(start), "{found}");
        }
    }

    #[test]
    fn the_fingerprint_is_that_of_the_content() {
        for more in
            ["", r#","reason": "r""#, r#","reason": "r", "effective_at": "2026-01-01T00:00:00Z""#]
        {
            let text = format!(
                r#"{{"id": "01930f0e-7c1e-7d2a-9b1a-0d9f6f1c2b3a", "actor": "client:a/b"{more},
                "changes": [{{"type": "delete_level", "level": "subaccount:a"}}]}}"#
            );
            let entry = decode_entry(Format::Json, text.as_bytes()).unwrap();
            assert!(without_id(entry.bytes()).is_some());
            let written = v1::Entry::from_core(entry.entry());
            assert_eq!(entry.fingerprint(), fingerprint(&written).unwrap());
            assert_eq!(
                Encoded::if_canonical(entry.bytes()).unwrap().fingerprint(),
                entry.fingerprint()
            );
        }
    }

    #[test]
    fn what_was_made_canonical_is_canonical_for_every_reader() {
        // The first ones are not what a careless reader of decimals makes of them.
        let numbers = [
            "1.102e-20",
            "0.1",
            "1e300",
            "-0.0",
            "2.5e-8",
            "7e22",
            "3",
            "-9",
            "18446744073709551615",
        ];
        let mut seed = 1_u64;
        let random = (0..5_000).map(|_| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            format!("{:e}", f64::from_bits(seed))
        });
        let numbers = numbers.iter().map(ToString::to_string).chain(random);
        for number in numbers.filter(|number| !number.contains("NaN") && !number.contains("inf")) {
            let text = format!(
                r#"{{"id": "01930f0e-7c1e-7d2a-9b1a-0d9f6f1c2b3a", "actor": "client:a/b", "changes": [{{"type":
                "create_role", "level": "subaccount:a", "role": "r", "application": "app!t1", "template": "t",
                "attributes": {{"x": {number}}}}}]}}"#
            );
            let entry = decode_entry(Format::Json, text.as_bytes()).unwrap();
            let again = decode_entry(Format::MessagePack, entry.bytes()).unwrap();
            assert_eq!(again.bytes, entry.bytes, "{number}");
            let read = Encoded::from_canonical(entry.bytes()).unwrap();
            assert_eq!((read.entry(), read.fingerprint()), (entry.entry(), entry.fingerprint()));
        }
    }

    #[test]
    fn the_quick_way_takes_nothing_that_the_slow_way_does_not() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/golden/v1");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let golden: Vec<Vec<u8>> = files
            .filter(|path| path.extension().is_some_and(|extension| extension == "msgpack"))
            .map(|path| std::fs::read(path).unwrap())
            .collect();
        let mut seed = 1_u64;
        let mut random = |below: usize| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        let (mut taken, mut refused) = (0, 0);
        for _ in 0..40_000 {
            let mut bytes = golden[random(golden.len())].clone();
            for _ in 0..random(4) {
                let at = random(bytes.len());
                match random(3) {
                    0 => bytes[at] = u8::try_from(random(256)).unwrap(),
                    1 => bytes.insert(at, u8::try_from(random(256)).unwrap()),
                    _ => drop(bytes.remove(at)),
                }
            }
            let slow = decode_entry(Format::MessagePack, &bytes);
            match Encoded::if_canonical(&bytes) {
                Some(quick) => {
                    let slow = slow.unwrap();
                    assert_eq!((quick.bytes(), quick.entry()), (slow.bytes(), slow.entry()));
                    assert_eq!(quick.fingerprint(), slow.fingerprint());
                    taken += 1;
                }
                None => refused += usize::from(slow.is_err()),
            }
        }
        assert!(taken > 1_000 && refused > 1_000, "{taken} {refused}");
    }

    #[test]
    fn nesting_is_as_deep_in_every_encoding() {
        let entry = |deep: usize| {
            let (open, close) = ("[".repeat(deep), "]".repeat(deep));
            format!(
                r#"{{"id": "01930f0e-7c1e-7d2a-9b1a-0d9f6f1c2b3a", "actor": "client:a/b", "changes": [{{"type":
                "create_role", "level": "subaccount:a", "role": "r", "application": "app", "template": "t",
                "attributes": {{"x": {open}1{close}}}}}]}}"#
            )
        };
        // The entry, its changes, the change and the attributes are four.
        let most = decode_entry(Format::Json, entry(28).as_bytes()).unwrap();
        assert!(decode_entry(Format::MessagePack, most.bytes()).is_ok());
        let deeper: Value = serde_json::from_str(&entry(29)).unwrap();
        let packed = rmp_serde::to_vec_named(&deeper).unwrap();
        for (format, bytes) in
            [(Format::Json, entry(29).into_bytes()), (Format::MessagePack, packed)]
        {
            let error = decode_entry(format, &bytes).unwrap_err().to_string();
            assert!(error.contains("more than 32 deep"), "{error}");
        }
        assert!(decode_draft(&deeper, "corp", Uuid::now_v7).is_err());
    }

    #[test]
    fn no_key_of_attributes_means_something_to_a_library() {
        let text = r#"{"id": "01930f0e-7c1e-7d2a-9b1a-0d9f6f1c2b3a", "actor": "client:a/b", "changes": [{"type":
            "create_role", "level": "subaccount:a", "role": "r", "application": "app", "template": "t",
            "attributes": {"$serde_json::private::RawValue": "{\"a\": 1}",
                           "x": {"$serde_json::private::RawValue": "[1, 1]"},
                           "y": {"$serde_json::private::Number": "1"}}}]}"#;
        let entry = decode_entry(Format::Json, text.as_bytes()).unwrap();
        let sent: Value = strict::json(text.as_bytes(), DEPTH_MAX).unwrap();
        let again = serde_json::to_string(&v1::Entry::from_core(entry.entry())).unwrap();
        let again = strict::json(again.as_bytes(), DEPTH_MAX).unwrap();
        assert_eq!(again["changes"][0]["attributes"], sent["changes"][0]["attributes"]);
    }

    #[test]
    fn an_entry_of_just_the_limit_is_taken_and_one_byte_more_is_not() {
        let entry = |length: usize| {
            let note = "x".repeat(length);
            format!(
                r#"{{"id": "01930f0e-7c1e-7d2a-9b1a-0d9f6f1c2b3a", "actor": "client:a/b",
                "changes": [{{"type": "void", "entry": "01930f0e-7c1e-7d2a-9b1a-0d9f6f1c2b3b", "note": "{note}"}}]}}"#
            )
        };
        let bytes = |length| decode_entry(Format::Json, entry(length).as_bytes());
        let beside = bytes(200_000).unwrap().bytes().len() - 200_000;
        let most = ENTRY_BYTES_MAX - beside;
        assert_eq!(bytes(most).unwrap().bytes().len(), ENTRY_BYTES_MAX);
        assert!(bytes(most + 1).unwrap_err().to_string().contains("262145"));
    }
}
