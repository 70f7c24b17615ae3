//! The server: doors to a ledger, what they ask, configuration and metrics
//!
//! [`server`] starts and stops everything. [`http`] and [`nats`] are the doors. Both bring what they are asked
//! to the [`hall`], and the hall asks the [`engine`]. What becomes of an entry and what an answer is are
//! decided in `tenure-core`.

pub mod ask;
mod body;
pub mod config;
mod dry_run;
pub mod engine;
pub mod file;
pub mod hall;
pub mod http;
pub mod metrics;
pub mod nats;
pub mod problem;
pub mod server;
mod toml_error;
mod watched;
