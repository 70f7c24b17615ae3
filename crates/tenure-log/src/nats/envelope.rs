//! What do the headers of a message say?
//!
//! Headers are looked up by exactly these names, so every replica finds the same.

use async_nats::HeaderMap;
use bytes::Bytes;
use tenure_core::{Principal, RecordedAt};
use tenure_journal::Row;
use tenure_wire::codec::Encoded;
use tenure_wire::message::{CE_TYPE, Content, Head, Item, Reading, Sender, decode};
use uuid::Uuid;

use super::subject;
use crate::Waiter;

/// The header of a republished message that says when its entries were recorded, in microseconds since 1970
const RECORDED_AT: &str = "tenure-recorded-at";
/// The header of a republished message that says who submitted its entries
const SUBMITTER: &str = "tenure-submitter";
/// The header of a republished message that says which door spoke for its submitter
const DOOR: &str = "tenure-door";
/// The header by which a door says for whom it speaks
const CALLER: &str = "Tenure-Caller";
/// The header of a republished message whose data is malformed; it says how the data was read
const MALFORMED: &str = "tenure-malformed";

/// A message as it was read from the stream
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) stamped_at: RecordedAt,
    pub(crate) submitter: Principal,
    /// For whom the submitter says that it speaks
    pub(crate) caller: Option<Principal>,
    pub(crate) content: Content,
    /// Waits for the receipts, if this program sent the message
    pub(crate) waiter: Option<Waiter>,
}

/// A message that this program has sent and not yet read back
#[derive(Debug)]
pub(crate) struct UnderWay {
    pub(crate) data: Bytes,
    /// The entries that [`decode`] would find in the data
    pub(crate) entries: Vec<Encoded>,
    pub(crate) waiter: Waiter,
}

/// The headers of this program's own messages
const OWN_HEAD: Head<'static> = Head {
    spec_version: Some("1.0"),
    kind: Some(CE_TYPE),
    content_type: Some("application/msgpack"),
};

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(async_nats::HeaderValue::as_str)
}

/// Reads a message of a ledger's stream
///
/// `under_way` returns the message with that `ce-id` if this program has sent it. If the same bytes come back, they
/// are not decoded again. A message without headers has an empty map; `None` says that they cannot be read.
pub(crate) fn read(
    ledger: &str,
    to: &str,
    headers: Option<&HeaderMap>,
    data: &[u8],
    stamped_nanos: i128,
    under_way: impl FnOnce(Uuid) -> Option<UnderWay>,
) -> Received {
    let micros = i64::try_from(stamped_nanos.div_euclid(1_000)).unwrap_or(i64::MAX);
    let stamped_at = RecordedAt::saturating_from_micros(micros);
    let token = subject::submitter(ledger, to);
    let Some(headers) = headers else {
        let submitter = token.unwrap_or_else(Principal::invalid_nats);
        let reading = Reading::UnreadableHeaders;
        let content = Content::Items(vec![Item::Malformed { raw: data.to_vec(), reading }]);
        return Received { stamped_at, submitter, caller: None, content, waiter: None };
    };
    // Only on this subject, where no submitter may publish, do these headers count.
    if to == subject::republished(ledger) {
        let recorded_at = text(headers, RECORDED_AT).and_then(|micros| micros.parse().ok());
        let stamped_at = recorded_at.map_or(stamped_at, RecordedAt::saturating_from_micros);
        let submitter = text(headers, SUBMITTER).and_then(|text| Principal::parse(text).ok());
        let submitter = submitter.or(token).unwrap_or_else(Principal::invalid_nats);
        let door = text(headers, DOOR).and_then(|text| Principal::parse(text).ok());
        let (submitter, caller) = match door {
            Some(door) => (door, Some(submitter)),
            None => (submitter, None),
        };
        if let Some(reading) = text(headers, MALFORMED).map(Reading::parse) {
            let item = Item::Malformed { raw: data.to_vec(), reading };
            let content = Content::Items(vec![item]);
            return Received { stamped_at, submitter, caller, content, waiter: None };
        }
        let content = decode(head(headers), data, Sender::Ledger);
        return Received { stamped_at, submitter, caller, content, waiter: None };
    }
    let Some(submitter) = token else {
        let submitter = Principal::invalid_nats();
        let content = decode(head(headers), data, Sender::Unnamed);
        return Received { stamped_at, submitter, caller: None, content, waiter: None };
    };
    let own = to == subject::appended(ledger);
    let named = text(headers, CALLER).map(caller);
    let sender = match named {
        Some(None) => Sender::ForNobody,
        _ if own => Sender::Ledger,
        _ => Sender::Submitter,
    };
    let caller = named.flatten();
    let id = own.then(|| text(headers, "ce-id")).flatten();
    let sent = id.and_then(|id| Uuid::parse_str(id).ok()).and_then(under_way);
    let head = head(headers);
    let (content, waiter) = match sent {
        // Another program may have used the same id, so the bytes are compared too.
        Some(UnderWay { data: sent, entries, waiter }) if sent == data && head == OWN_HEAD => {
            (Content::Items(entries.into_iter().map(Item::from).collect()), Some(waiter))
        }
        sent => (decode(head, data, sender), sent.map(|sent| sent.waiter)),
    };
    Received { stamped_at, submitter, caller, content, waiter }
}

/// Whom a door may speak for: a user or a client, and none that the ledger itself names but the anonymous one
fn caller(text: &str) -> Option<Principal> {
    let caller = Principal::parse(text).ok()?;
    let own = caller.is_named_by_the_ledger() && caller != Principal::anonymous();
    (!caller.kind().is_set() && !own).then_some(caller)
}

fn head(headers: &HeaderMap) -> Head<'_> {
    Head {
        spec_version: text(headers, "ce-specversion"),
        kind: text(headers, "ce-type"),
        content_type: text(headers, "content-type").or_else(|| text(headers, "Content-Type")),
    }
}

/// The headers of a message that this program publishes
pub(crate) fn headers(
    id: Uuid,
    source: &str,
    now: RecordedAt,
    caller: Option<&Principal>,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let own = |text: Option<&'static str>| text.unwrap_or_default();
    headers.insert("ce-specversion", own(OWN_HEAD.spec_version));
    headers.insert("ce-id", id.to_string());
    headers.insert("ce-type", own(OWN_HEAD.kind));
    headers.insert("ce-source", source);
    headers.insert("ce-time", now.to_string());
    headers.insert("content-type", own(OWN_HEAD.content_type));
    if let Some(caller) = caller {
        headers.insert(CALLER, caller.as_str());
    }
    headers
}

/// The headers of a republished message, whose first row this is
pub(crate) fn republished(
    id: Uuid,
    ledger: &str,
    first: &Row,
    malformed: Option<Reading>,
) -> HeaderMap {
    let Row { recorded_at, submitter, door, .. } = first;
    let mut headers = headers(id, &format!("urn:tenure:{ledger}:republish"), *recorded_at, None);
    headers.insert(RECORDED_AT, recorded_at.micros().to_string());
    headers.insert(SUBMITTER, submitter.as_str());
    if let Some(door) = door {
        headers.insert(DOOR, door.as_str());
    }
    if let Some(reading) = malformed {
        headers.insert(MALFORMED, reading.as_str());
    }
    headers
}
