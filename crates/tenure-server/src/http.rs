//! How is the ledger asked over HTTP?
//!
//! Paths and what they take; what a question means is not decided here. Every error is a problem
//! document (RFC 9457).

mod authzen;
mod bodies;
mod changes;
mod connection;
mod connections;
mod cors;
mod door;
mod entries;
mod host;
mod limits;
mod listen_at;
mod listener;
mod logon;
mod media_type;
mod openapi;
mod operators;
mod public_url;
mod questions;
mod request;
mod response;
mod router;
mod served;
mod stranger;
mod tls;
mod unix_socket;

pub use cors::{NoOrigin, Origin};
pub(crate) use door::HttpDoor;
pub use host::{Host, NoHost};
pub use listen_at::{ListenAt, NoPlace};
pub(crate) use listener::Listener;
pub use openapi::document;
pub(crate) use openapi::parameters_schema;
pub use public_url::{NoPublicUrl, PublicUrl};
pub(crate) use tls::Tls;
pub use tls::TlsSettings;
