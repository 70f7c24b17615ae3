//! How is the ledger asked over NATS?
//!
//! As a micro service (ADR-32): each question is an endpoint `tenure.<ledger>.ask.<question>`, a request
//! is the question's parameters as a map, a reply its answer, both as JSON, or as MessagePack where the
//! request's `content-type` says so. Replicas share a queue group, so one of those that are ready answers.
//!
//! Appending is not done here: who publishes to the log needs no ledger to be up.

mod asyncapi;
mod door;
mod service;
mod subject;

pub use asyncapi::document;
pub(crate) use door::spawn;
