//! How is the ledger asked over HTTP?
//!
//! Paths and what they take; what a question means is not decided here. Every error is a problem
//! document (RFC 9457).

mod changes;
mod door;
mod entries;
mod host;
mod limits;
mod listener;
mod media_type;
mod openapi;
mod operators;
mod questions;
mod request;
mod response;
mod router;
mod stranger;

pub(crate) use door::HttpDoor;
pub use host::{Host, NoHost};
pub(crate) use listener::Listener;
pub use openapi::document;
pub(crate) use openapi::parameters_schema;
