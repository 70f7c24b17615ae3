//! What would a ledger look like after three years in a company?
//!
//! [`demo`] makes the history of the invented company Acme, message by message, and always the same history:
//! some hundred people, thirty subaccounts with Cloud Foundry below them, an upgrade from feature set A
//! to B, joiners, movers and leavers, requests, rotations on call, keys, reviews and mishaps.
//! [`demo_questions`] are eleven questions that are worth asking about it. Nothing here appends, folds or
//! reads a clock: the caller records the messages.
//!
//! Every name in it is invented, and the domain `acme.example` belongs to nobody.

mod calendar;
mod cast;
mod change;
mod company;
mod desk;
pub mod dice;
mod estate;
mod inventory;
mod legacy;
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

/// One message of the log: entries that were recorded at one time
#[derive(Clone, PartialEq, Debug)]
pub struct Dispatch {
    /// When the log recorded it
    pub recorded_at: RecordedAt,
    /// Its entries in order, at least one
    pub entries: Vec<v1::Entry>,
}

/// The history of the demo, oldest first
///
/// It goes from July 2023 to July 2026 and includes the built-in catalogues. Catalogues that held before July 2023
/// come first. Each later one comes in a message of its own at the start of its day. Their ids are those of
/// [`tenure_wire::catalogs::genesis`], so a server that starts on this ledger finds the catalogues there.
///
/// # Guarantees
/// The same ledger gets the same entries with the same ids on every platform. Every entry is well formed; a refused or
/// duplicate entry is meant to be one. Times never go back.
/// # Errors
/// A built-in catalogue is wrong; a test of `tenure-wire` checks all of them.
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
