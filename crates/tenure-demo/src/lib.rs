//! What would a ledger look like after three years in a company?
//!
//! [`demo`] makes the history of the invented company Acme, message by message and always the same one:
//! some hundred people, thirty subaccounts with Cloud Foundry below them, an upgrade from feature set A
//! to B, joiners, movers and leavers, requests, rotations on call, keys, reviews, and what goes wrong.
//! [`demo_questions`] are six questions that are worth asking of it. Nothing here appends, folds or
//! reads a clock: whoever calls records the messages.
//!
//! Every name in it is invented; `acme.example` is nobody's domain.

mod calendar;
mod cast;
mod change;
mod company;
mod desk;
pub mod dice;
mod estate;
mod inventory;
mod mishap;
mod model;
mod names;
mod questions;
mod reform;
mod routine;
mod staff;
mod story;
#[cfg(test)]
mod tests;
mod upgrade;

use tenure_core::RecordedAt;
use tenure_wire::catalogs::CatalogFileError;
use tenure_wire::v1;

pub use questions::{DemoQuestion, demo_questions};

/// One message on the log: entries that were recorded at one time
#[derive(Clone, PartialEq, Debug)]
pub struct Dispatch {
    /// When the log took it
    pub recorded_at: RecordedAt,
    /// What it carries, in order; at least one
    pub entries: Vec<v1::Entry>,
}

/// The history of the demo, oldest first
///
/// From July 2023 to July 2026, the built-in catalogues included: those that held when it begins come
/// first, each later one in a message of its own at the start of its day. They have the ids of
/// [`tenure_wire::catalogs::genesis`], so a server that starts on this ledger finds them there.
///
/// # Guarantees
/// The same entries with the same ids for the same ledger, on every platform. Every entry is well
/// formed; what is refused or a duplicate is meant to be. Times never go back.
/// # Errors
/// A built-in catalogue that is wrong; a test of `tenure-wire` sees to it that none is.
pub fn demo(ledger: &str) -> Result<Vec<Dispatch>, CatalogFileError> {
    let messages = company::history(ledger)?;
    Ok(messages
        .into_iter()
        .map(|message| Dispatch {
            recorded_at: message.recorded_at,
            entries: message.entries.into_iter().map(|(entry, _)| entry).collect(),
        })
        .collect())
}
