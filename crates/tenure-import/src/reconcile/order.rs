//! In which order are records applied?
//!
//! In the order of their times. Records of one time about the same thing are in the order of the versions that the
//! source gave that thing, where it did. Otherwise they stay as they were read, and if they contradict each other, the
//! summary says so.

use std::collections::HashMap;

use crate::fact::{Event, Fact, Held, Holder, Zone, ZoneEvent};
use crate::record::Record;
use crate::summary::{At, Summary};

/// Puts records in the order in which they are applied
///
/// # Cost
/// O(records log records).
pub(crate) fn in_order(records: &mut [Record], summary: &mut Summary) {
    records.sort_by_key(|record| record.at);
    for same_time in records.chunk_by_mut(|one, next| one.at == next.at) {
        if same_time.len() > 1 {
            by_version(same_time);
            ties(same_time, summary);
        }
    }
}

/// Puts the records about each thing in the order of its versions, within the places that they have
fn by_version(records: &mut [Record]) {
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    for (place, record) in records.iter().enumerate() {
        if let Some((thing, _)) = &record.version {
            places.entry(thing.clone()).or_default().push(place);
        }
    }
    // Where each record goes.
    let mut slots: Vec<usize> = (0..records.len()).collect();
    for places in places.into_values().filter(|places| places.len() > 1) {
        let version = |place: &usize| Some(records.get(*place)?.version.as_ref()?.1);
        let mut in_order = places.clone();
        in_order.sort_by_key(version);
        for (from, to) in in_order.into_iter().zip(places) {
            if let Some(slot) = slots.get_mut(from) {
                *slot = to;
            }
        }
    }
    for at in 0..records.len() {
        while let Some(to) = slots.get(at).copied().filter(|to| *to != at) {
            records.swap(at, to);
            slots.swap(at, to);
        }
    }
}

/// Reports records that contradict each other and have no versions
fn ties(records: &[Record], summary: &mut Summary) {
    let mut last: HashMap<(String, &Held), (bool, &Record)> = HashMap::new();
    for record in records {
        for fact in &record.facts {
            let Fact::Event(Event::InZone(zone, event)) = fact else { continue };
            let (held, holder, gets) = match event {
                ZoneEvent::Assigned { held, to, .. } => (held, to, true),
                ZoneEvent::Unassigned { held, from } => (held, from, false),
                _ => continue,
            };
            let before = last.insert((key(zone, holder), held), (gets, record));
            if let Some((got, other)) = before
                && got != gets
                && (record.version.is_none() || other.version.is_none())
            {
                let what = held.name();
                let problem = format!(
                    "`{what}` is given and taken at {} by this and by {}, and nothing says which came first: taken in \
                     the order in which they were read",
                    record.at, other.place,
                );
                summary.ties.add(At { place: record.place.clone(), problem });
            }
        }
    }
}

fn key(zone: &Zone, holder: &Holder) -> String {
    let zone = match zone {
        Zone::GlobalAccount(text) | Zone::Level(text) | Zone::Identity(text) => text,
    };
    let who = holder.id.as_ref().map(|id| &id.id).or(holder.name.as_ref());
    let who = who.map(|name| name.to_lowercase()).unwrap_or_default();
    format!("{zone}\n{}\n{who}", holder.kind.as_str())
}
