//! The engine loop, the doors to it, configuration and metrics
//!
//! [`engine`] makes entries facts, [`ask`] makes questions answers, [`http`] is the door over HTTP.
//! What becomes of an entry and what an answer is are decided in `tenure-core`.

pub mod ask;
pub mod config;
pub mod engine;
pub mod http;
pub mod metrics;
pub mod problem;
