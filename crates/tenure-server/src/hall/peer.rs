//! What does a connection itself say of who is at its other end?

use std::sync::Arc;

use super::certificate::Certificate;

/// Who is at the other end of a connection, as the connection itself shows it
///
/// Each request looks up anew which caller that is: the rows of the callers' file may change meanwhile.
#[derive(Debug)]
pub(crate) enum Peer {
    /// The owner of a client certificate that the handshake has verified
    Certificate(Arc<Certificate>),
    /// A user of this machine, by the number that the kernel gives
    User(u32),
}
