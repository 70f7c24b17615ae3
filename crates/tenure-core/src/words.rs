//! With which words is everything said?
//!
//! Names, moments, levels, changes, outcomes. Nothing here knows a ledger.

pub(crate) mod ability;
pub(crate) mod catalog;
pub(crate) mod change;
pub(crate) mod definitions;
pub(crate) mod ended;
pub(crate) mod grantable;
pub(crate) mod instant;
pub(crate) mod joined_by;
pub(crate) mod level;
pub(crate) mod name;
pub(crate) mod note;
pub(crate) mod outcome;
pub(crate) mod pages;
pub(crate) mod pattern;
pub(crate) mod position;
pub(crate) mod principal;
pub(crate) mod requirement;
pub(crate) mod rule;
pub(crate) mod span;
pub(crate) mod symbol;
pub(crate) mod tenure;
