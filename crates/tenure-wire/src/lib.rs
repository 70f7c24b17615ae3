//! The durable entry format, the built-in catalogues and the types of the doors
//!
//! [`v1`] is how an entry is written, [`codec`] which bytes are canonical and what strangers' bytes
//! say, [`catalogs`] the built-in history of definitions, [`question`] and [`api`] what every door is
//! asked and answers, [`authzen`] the same in the words of AuthZEN, [`sentence`] says why an entry was refused, [`schema`] is what is generated from these
//! types.

pub mod api;
pub mod authzen;
pub mod catalogs;
pub mod codec;
mod convert;
pub mod message;
pub mod question;
pub mod schema;
pub mod sentence;
mod strict;
pub mod v1;

pub use convert::{EntryProblem, Names, environment_from_core, feature_set_from_core};
pub use strict::Plain;
