//! The engine loop, the doors to it, configuration and metrics
//!
//! [`engine`] makes entries facts, [`ask`] makes questions answers, [`http`] and [`nats`] are the doors.
//! What becomes of an entry and what an answer is are decided in `tenure-core`.

pub mod ask;
pub mod config;
mod door;
pub mod engine;
pub mod http;
pub mod metrics;
pub mod nats;
pub mod problem;
