//! What does a message of the log hold?
//!
//! A message is a CloudEvent in binary mode. Its type says which rules it needs. Its data is one entry, or several
//! as `{"entries": […]}` or `[…]`, in MessagePack or JSON. A message or an entry that cannot be read takes one
//! place in the log, and its bytes are kept. Every replica reads the same bytes the same way, for ever.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::codec::{Encoded, Format, decode_entry};
use crate::v1::RULES_VERSION;

/// Most entries of one message
pub const ENTRIES_MAX: usize = 4_096;
/// The type of messages that need version 1 of the rules
pub const CE_TYPE: &str = "dev.tenure.entries.v1";
/// What the type of every message begins with; the version of the rules follows
const CE_TYPE_START: &str = "dev.tenure.entries.v";

/// The content of one place in the log
#[derive(Clone, Debug)]
pub enum Item {
    /// An entry
    Entry(Encoded),
    /// Bytes that cannot be decoded
    Malformed {
        /// The bytes as they came
        raw: Vec<u8>,
        /// How they were read
        reading: Reading,
    },
}

impl Item {
    /// Bytes of what was submitted
    pub fn bytes(&self) -> usize {
        match self {
            Self::Entry(entry) => entry.bytes().len(),
            Self::Malformed { raw, .. } => raw.len(),
        }
    }
}

/// How bytes were read that turned out to be malformed
///
/// It is what stood around them. Who has both can read them again and say what is wrong
/// ([`sentence::malformed`](crate::sentence::malformed)), so nobody keeps a sentence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reading {
    /// Not at all: the message has no header `ce-type` that names known rules
    NoType,
    /// Not at all: the message's `ce-specversion` is not 1.0
    OtherSpecVersion,
    /// Not at all: the message has no header `content-type` that names a known format
    NoFormat,
    /// As the data of a whole message
    Message(Format),
    /// As one entry of a message
    Entry(Format),
    /// Not at all: the message came on a subject whose token is no name of a submitter
    NoSubmitter,
    /// Not at all: the message's `Tenure-Caller` names nobody that a door may speak for
    NoCaller,
    /// Not at all: the message needs newer rules, and its sender is not the ledger itself
    NewerRules,
    /// Not at all: the message's header block cannot be read
    UnreadableHeaders,
    /// In a way that this program does not know: another one republished them
    Unknown,
}

impl Reading {
    /// Every reading
    pub const ALL: [Self; 12] = [
        Self::NoType,
        Self::OtherSpecVersion,
        Self::NoFormat,
        Self::Message(Format::Json),
        Self::Message(Format::MessagePack),
        Self::Entry(Format::Json),
        Self::Entry(Format::MessagePack),
        Self::NoSubmitter,
        Self::NoCaller,
        Self::NewerRules,
        Self::UnreadableHeaders,
        Self::Unknown,
    ];

    /// Its name, as it is stored
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoType => "no-type",
            Self::OtherSpecVersion => "other-spec-version",
            Self::NoFormat => "no-format",
            Self::Message(Format::Json) => "message-json",
            Self::Message(Format::MessagePack) => "message-msgpack",
            Self::Entry(Format::Json) => "entry-json",
            Self::Entry(Format::MessagePack) => "entry-msgpack",
            Self::NoSubmitter => "no-submitter",
            Self::NoCaller => "no-caller",
            Self::NewerRules => "newer-rules",
            Self::UnreadableHeaders => "unreadable-headers",
            Self::Unknown => "unknown",
        }
    }

    /// The reading of that name; [`Reading::Unknown`] if it is the name of none
    pub fn parse(name: &str) -> Self {
        Self::ALL.into_iter().find(|one| one.as_str() == name).unwrap_or(Self::Unknown)
    }
}

impl From<Encoded> for Item {
    fn from(entry: Encoded) -> Self {
        Self::Entry(entry)
    }
}

/// The identity of a message: its place in the stream, and a digest of it
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin {
    /// Its place in the stream
    pub sequence: u64,
    /// A digest of its time and its data
    pub digest: [u8; 16],
}

impl Origin {
    /// The origin of a message
    pub fn new(sequence: u64, stamped_nanos: i128, data: &[u8]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(sequence.to_be_bytes());
        hasher.update(stamped_nanos.to_be_bytes());
        hasher.update(data);
        let mut digest = [0; 16];
        for (byte, from) in digest.iter_mut().zip(hasher.finalize()) {
            *byte = from;
        }
        Self { sequence, digest }
    }
}

/// What a message says of itself
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Head<'a> {
    /// `ce-specversion`
    pub spec_version: Option<&'a str>,
    /// `ce-type`
    pub kind: Option<&'a str>,
    /// `content-type`
    pub content_type: Option<&'a str>,
}

/// What is in a message
#[derive(Clone, Debug)]
pub enum Content {
    /// At least one item
    Items(Vec<Item>),
    /// It needs newer rules than this program has, so nothing of it may be decided here
    NeedsUpgrade {
        /// The version that it needs
        version: u64,
    },
}

/// Who sent a message, as its subject tells
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sender {
    /// A program of the ledger itself, or an operator who brings back what the stream has lost
    Ledger,
    /// Another program
    Submitter,
    /// Nobody: the subject's token is no name, so each of its entries is malformed
    Unnamed,
    /// A program that speaks for nobody: what it names as its caller is none, so each of its entries is malformed
    ForNobody,
}

/// Reads a message
///
/// Newer rules are taken from the ledger's own programs alone: no submitter can halt the replicas.
///
/// # Cost
/// O(bytes). At most [`ENTRIES_MAX`] items.
pub fn decode(head: Head<'_>, data: &[u8], sender: Sender) -> Content {
    let malformed = |reading| Content::Items(vec![Item::Malformed { raw: data.to_vec(), reading }]);
    let version = head.kind.and_then(|kind| kind.strip_prefix(CE_TYPE_START));
    let version = version.filter(|v| v.len() <= 9 && !v.starts_with('0'));
    match version.and_then(|version| version.parse::<u64>().ok()) {
        None => return malformed(Reading::NoType),
        Some(version) if version > u64::from(RULES_VERSION) => {
            return match sender {
                Sender::Ledger => Content::NeedsUpgrade { version },
                Sender::Submitter | Sender::Unnamed | Sender::ForNobody => {
                    malformed(Reading::NewerRules)
                }
            };
        }
        Some(_) => {}
    }
    if head.spec_version.is_some_and(|version| version != "1.0") {
        return malformed(Reading::OtherSpecVersion);
    }
    let format = match head.content_type.map(essence).as_deref() {
        Some("application/json") => Format::Json,
        Some("application/msgpack" | "application/x-msgpack" | "application/vnd.msgpack") => {
            Format::MessagePack
        }
        _ => return malformed(Reading::NoFormat),
    };
    match parts(format, data) {
        Err(_) => malformed(Reading::Message(format)),
        Ok(parts) => {
            Content::Items(parts.into_iter().map(|part| item(format, part, sender)).collect())
        }
    }
}

/// The bytes of each entry of a message's data, at least one, or what is wrong with the data
pub(crate) fn parts(format: Format, data: &[u8]) -> Result<Vec<&[u8]>, String> {
    let parts = match format {
        Format::Json => json_parts(data),
        Format::MessagePack => message_pack_parts(data),
    }?;
    if parts.is_empty() { Err("the message has no entries".to_owned()) } else { Ok(parts) }
}

/// A media type without its parameters
fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn item(format: Format, bytes: &[u8], sender: Sender) -> Item {
    let unread = match sender {
        Sender::Ledger | Sender::Submitter => None,
        Sender::Unnamed => Some(Reading::NoSubmitter),
        Sender::ForNobody => Some(Reading::NoCaller),
    };
    if let Some(reading) = unread {
        return Item::Malformed { raw: bytes.to_vec(), reading };
    }
    let quick = (format == Format::MessagePack).then(|| Encoded::if_canonical(bytes)).flatten();
    match quick.map_or_else(|| decode_entry(format, bytes), Ok) {
        Ok(entry) => Item::Entry(entry),
        Err(_) => Item::Malformed { raw: bytes.to_vec(), reading: Reading::Entry(format) },
    }
}

fn too_many() -> String {
    format!("a message has at most {ENTRIES_MAX} entries: send more than one")
}

/// The bytes of each entry of a JSON document
fn json_parts(data: &[u8]) -> Result<Vec<&[u8]>, String> {
    let no_json = |error: serde_json::Error| format!("it is no JSON: {error}");
    let list = |bytes: &[u8]| -> Result<Vec<usize>, String> {
        let raw: Vec<&RawValue> = serde_json::from_slice(bytes).map_err(no_json)?;
        if raw.len() > ENTRIES_MAX {
            return Err(too_many());
        }
        // As offsets, so that the slices are those of the caller.
        let start = bytes.as_ptr().addr();
        Ok(raw
            .iter()
            .flat_map(|raw| {
                let at = raw.get().as_ptr().addr() - start;
                [at, at + raw.get().len()]
            })
            .collect())
    };
    let slices = |bytes| -> Result<Vec<&[u8]>, String> {
        let offsets = list(bytes)?;
        Ok(offsets
            .chunks_exact(2)
            .filter_map(|ends| match ends {
                [from, until] => bytes.get(*from..*until),
                _ => None,
            })
            .collect())
    };
    match data.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => slices(data),
        Some(b'{') => match serde_json::from_slice::<OnlyEntries<'_>>(data) {
            Ok(OnlyEntries(Some(entries))) if entries.get().starts_with('[') => {
                slices(entries.get().as_bytes())
            }
            Ok(_) => Ok(vec![data]),
            Err(error) => Err(no_json(error)),
        },
        _ => Err("it is neither a JSON map nor a list".to_owned()),
    }
}

/// The value of `entries`, if a map has that key and no other
struct OnlyEntries<'a>(Option<&'a RawValue>);

impl<'de> serde::Deserialize<'de> for OnlyEntries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = OnlyEntries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut found = None;
                let mut keys = 0_usize;
                while let Some(key) = map.next_key::<String>()? {
                    let value: &'de RawValue = map.next_value()?;
                    keys += 1;
                    found = (key == "entries").then_some(value);
                }
                Ok(OnlyEntries(found.filter(|_| keys == 1)))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

/// The bytes of each entry of a MessagePack document
fn message_pack_parts(data: &[u8]) -> Result<Vec<&[u8]>, String> {
    let broken = || "it is no MessagePack, or not whole".to_owned();
    let mut inner = data;
    let batch = match rmp::decode::read_marker(&mut inner).map_err(|_| broken())? {
        marker if is_list(marker) => Some(data),
        rmp::Marker::FixMap(1) => {
            // One key: is it `entries`, with a list?
            let mut key = [0; 8];
            match rmp::decode::read_str(&mut inner, &mut key) {
                Ok("entries")
                    if inner.first().is_some_and(|b| is_list(rmp::Marker::from_u8(*b))) =>
                {
                    Some(inner)
                }
                _ => None,
            }
        }
        rmp::Marker::FixMap(_) | rmp::Marker::Map16 | rmp::Marker::Map32 => None,
        _ => return Err("it is neither a MessagePack map nor a list".to_owned()),
    };
    let Some(mut rest) = batch else { return Ok(vec![data]) };
    let count = rmp::decode::read_array_len(&mut rest).map_err(|_| broken())?;
    let count = usize::try_from(count).ok().filter(|count| *count <= ENTRIES_MAX);
    let count = count.ok_or_else(too_many)?;
    let mut parts = Vec::with_capacity(count.min(rest.len()));
    for _ in 0..count {
        let before = rest;
        let _skipped: IgnoredAny = rmp_serde::decode::from_read(&mut rest).map_err(|_| broken())?;
        let length = before.len() - rest.len();
        parts.push(before.get(..length).unwrap_or_default());
    }
    if rest.is_empty() {
        Ok(parts)
    } else {
        Err(format!("it is no MessagePack: {} bytes follow it", rest.len()))
    }
}

fn is_list(marker: rmp::Marker) -> bool {
    matches!(marker, rmp::Marker::FixArray(_) | rmp::Marker::Array16 | rmp::Marker::Array32)
}

/// Writes canonical encodings as the data of one message
///
/// One entry is written alone, several as `{"entries": […]}`.
pub fn encode<'a>(entries: impl ExactSizeIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut data = Vec::new();
    if entries.len() != 1 {
        let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        // A map of one key, then the list's length: writing into a vector does not fail.
        data.push(0x81);
        data.push(0xA7);
        data.extend(b"entries");
        data.push(0xDD);
        data.extend(count.to_be_bytes());
    }
    entries.for_each(|entry| data.extend_from_slice(entry));
    data
}

/// Bytes that [`encode`] adds to the entries
pub const ENCODE_BYTES_MAX: usize = 14;

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01930f0e-7c1e-7d2a-9b1a-0d9f6f1c2b3a";

    fn entry(level: &str) -> String {
        format!(
            r#"{{"id": "{ID}", "actor": "client:a/b", "changes": [{{"type": "delete_level", "level": "{level}"}}]}}"#
        )
    }

    fn head<'a>(kind: &'a str, content_type: &'a str) -> Head<'a> {
        Head { spec_version: Some("1.0"), kind: Some(kind), content_type: Some(content_type) }
    }

    fn items(content_type: &str, data: &[u8]) -> Vec<Item> {
        match decode(head(CE_TYPE, content_type), data, Sender::Submitter) {
            Content::Items(items) => items,
            Content::NeedsUpgrade { version } => panic!("needs {version}"),
        }
    }

    fn shape(items: &[Item]) -> String {
        let letter = |item: &Item| match item {
            Item::Entry(_) => 'e',
            Item::Malformed { .. } => 'm',
        };
        items.iter().map(letter).collect()
    }

    #[test]
    fn one_entry_or_several_in_json_or_message_pack() {
        let good = entry("subaccount:a");
        for (data, expected) in [
            (good.clone(), "e"),
            (format!(" [{good}, {good}] "), "ee"),
            (format!(r#"{{"entries": [{good}, {{"id": 5}}, {good}]}}"#), "eme"),
            (format!(r#"{{"entries": [{good}], "more": 1}}"#), "m"),
            (r#"{"entries": []}"#.to_owned(), "m"),
            ("[".to_owned(), "m"),
            ("5".to_owned(), "m"),
            (String::new(), "m"),
            (format!(r#"{{"entries": [{good}, 1"#), "m"),
        ] {
            let found = items("application/json; charset=utf-8", data.as_bytes());
            assert_eq!(shape(&found), expected, "{data}");
            let Ok(tree) = serde_json::from_str::<serde_json::Value>(&data) else { continue };
            let packed = rmp_serde::to_vec(&tree).unwrap();
            let found = items("application/msgpack", &packed);
            assert_eq!(shape(&found), expected, "{data} packed");
            for length in 1..packed.len() {
                let cut = items("application/msgpack", &packed[..length]);
                assert!(cut.iter().all(|item| matches!(item, Item::Malformed { .. })), "{length}");
            }
        }
    }

    #[test]
    fn what_is_malformed_is_kept_as_it_came() {
        let data = br#"[{"id":  5}, {"id":1.50}]"#;
        let raws: Vec<Vec<u8>> = items("application/json", data)
            .into_iter()
            .map(|item| match item {
                Item::Malformed { raw, .. } => raw,
                Item::Entry(_) => panic!("an entry"),
            })
            .collect();
        assert_eq!(raws, [br#"{"id":  5}"#.to_vec(), br#"{"id":1.50}"#.to_vec()]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let one = decode_entry(Format::Json, entry("subaccount:a").as_bytes()).unwrap();
        for count in [1, 2, 16, 4_096] {
            let data = encode(vec![one.bytes(); count].into_iter());
            assert!(data.len() <= count * one.bytes().len() + ENCODE_BYTES_MAX);
            let read = items("application/msgpack", &data);
            assert_eq!(shape(&read), "e".repeat(count));
            assert!(
                read.iter().all(|item| matches!(item, Item::Entry(e) if e.bytes() == one.bytes()))
            );
        }
        let data = encode(vec![one.bytes(); 4_097].into_iter());
        assert_eq!(shape(&items("application/msgpack", &data)), "m");
    }

    #[test]
    fn newer_rules_stop_and_no_rules_are_malformed() {
        let good = entry("subaccount:a");
        let from = |sender, kind| decode(head(kind, "application/json"), good.as_bytes(), sender);
        let newer = "dev.tenure.entries.v2";
        assert!(matches!(from(Sender::Ledger, newer), Content::NeedsUpgrade { version: 2 }));
        let of = |kind| from(Sender::Submitter, kind);
        for kind in
            [newer, "", "dev.tenure.entries.v", "dev.tenure.entries.v0", "dev.tenure.entries.vx"]
        {
            assert!(matches!(of(kind), Content::Items(items) if shape(&items) == "m"), "{kind}");
        }
        for head in [
            Head { kind: Some(CE_TYPE), ..Head::default() },
            Head { kind: Some(CE_TYPE), content_type: Some("text/plain"), spec_version: None },
            Head { spec_version: Some("0.3"), ..head(CE_TYPE, "application/json") },
        ] {
            let found = decode(head, good.as_bytes(), Sender::Ledger);
            assert!(matches!(found, Content::Items(items) if shape(&items) == "m"), "{head:?}");
        }
    }

    #[test]
    fn a_deep_message_is_malformed_and_no_overflow() {
        let mut deep = vec![0x91_u8; 200_000];
        deep.push(0xC0);
        assert_eq!(shape(&items("application/msgpack", &deep)), "m");
        let deep = "[".repeat(200_000) + &"]".repeat(200_000);
        assert_eq!(shape(&items("application/json", deep.as_bytes())), "m");
    }
}
