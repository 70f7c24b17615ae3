//! How does a ledger order its entries by NATS JetStream?

pub mod connect;
pub mod subject;
