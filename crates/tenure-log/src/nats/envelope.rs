//! What stands on a message of the stream?
//!
//! Headers are looked up by just these names, so every replica finds the same.

use async_nats::HeaderMap;
use tenure_core::instant::RecordedAt;
use tenure_wire::message::{CE_TYPE, Content, Head, Item, decode};
use uuid::Uuid;

use super::subject;

/// On a republished message: when its entries were recorded, in microseconds since 1970
const RECORDED_AT: &str = "tenure-recorded-at";
/// On a republished message: its data is no entry, and why
const MALFORMED: &str = "tenure-malformed";

/// What is read of a message
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) stamped_at: RecordedAt,
    pub(crate) content: Content,
    /// The `ce-id` of a message that a ledger appended
    pub(crate) id: Option<Uuid>,
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(async_nats::HeaderValue::as_str)
}

/// Reads a message of a ledger's stream
pub(crate) fn open(
    ledger: &str,
    to: &str,
    headers: &HeaderMap,
    data: &[u8],
    stamped_nanos: i128,
) -> Opened {
    let micros = i64::try_from(stamped_nanos.div_euclid(1_000)).unwrap_or(i64::MAX);
    let stamped_at = RecordedAt::saturating_from_micros(micros);
    // Only where no submitter may publish does a message say more of itself.
    if to == subject::republished(ledger) {
        let recorded_at = text(headers, RECORDED_AT).and_then(|micros| micros.parse().ok());
        let stamped_at = recorded_at.map_or(stamped_at, RecordedAt::saturating_from_micros);
        if let Some(why) = text(headers, MALFORMED) {
            let item = Item::Malformed { raw: data.to_vec(), message: why.to_owned() };
            return Opened { stamped_at, content: Content::Items(vec![item]), id: None };
        }
        return Opened { stamped_at, content: decode(head(headers), data), id: None };
    }
    let id = (to == subject::appended(ledger)).then(|| text(headers, "ce-id")).flatten();
    let id = id.and_then(|id| Uuid::parse_str(id).ok());
    Opened { stamped_at, content: decode(head(headers), data), id }
}

fn head(headers: &HeaderMap) -> Head<'_> {
    Head {
        spec_version: text(headers, "ce-specversion"),
        kind: text(headers, "ce-type"),
        content_type: text(headers, "content-type").or_else(|| text(headers, "Content-Type")),
    }
}

/// The headers of a message that this program publishes
pub(crate) fn headers(id: Uuid, source: &str, now: RecordedAt) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("ce-specversion", "1.0");
    headers.insert("ce-id", id.to_string());
    headers.insert("ce-type", CE_TYPE);
    headers.insert("ce-source", source);
    headers.insert("ce-time", now.to_string());
    headers.insert("content-type", "application/msgpack");
    headers
}

/// The headers of a message that is published again
pub(crate) fn republished(
    id: Uuid,
    ledger: &str,
    recorded_at: RecordedAt,
    malformed: Option<&str>,
) -> HeaderMap {
    let mut headers = headers(id, &format!("urn:tenure:{ledger}:republish"), recorded_at);
    headers.insert(RECORDED_AT, recorded_at.micros().to_string());
    if let Some(why) = malformed {
        // One line: what a stranger sent may stand in the sentence.
        let why: String = why.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        headers.insert(MALFORMED, why);
    }
    headers
}
