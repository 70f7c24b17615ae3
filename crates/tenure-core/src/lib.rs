//! The fold, the timelines and the questions of the ledger
//!
//! This crate decides: what becomes of an entry ([`ledger::Ledger::apply_with`]), and who could do X at T as
//! known at S ([`view::View`]). It has no IO, no clock and no async: everything it knows came in an
//! entry. It does not read or write the durable format (`tenure-wire`), and keeps nothing on disk
//! (`tenure-journal`).

pub mod ability;
pub mod answer;
pub mod ask;
pub mod catalog;
pub mod change;
pub mod checkpoint;
mod fold;
pub mod grantable;
mod holding;
mod index;
pub mod instant;
pub mod known;
mod land;
mod landscape;
pub mod ledger;
pub mod level;
mod membership;
pub mod mentions;
mod mirror;
mod moment;
mod order;
pub mod outcome;
mod owners;
mod pages;
mod places;
mod positions;
pub mod principal;
pub mod requirement;
mod structure;
mod symbol;
mod timeline;
pub mod view;

pub use ask::AssignmentFilter;
