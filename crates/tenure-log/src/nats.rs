//! How does a ledger order its entries by NATS JetStream?

pub mod connect;
pub mod subject;

/// How a ledger's log in NATS is reached, and made where there is none
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NatsSettings {
    /// Where the servers are, and who we are to them
    pub connect: connect::ConnectSettings,
    /// Servers that keep a copy of the stream, when it is made
    pub stream_replicas: usize,
}
