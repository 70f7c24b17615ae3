//! How many connections are there at once, and how many of them may one peer have?
//!
//! A request that an HTTP/2 connection has in hand beside others counts as a connection.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// One peer may have one of so many connections
const PEER_SHARE: usize = 4;
/// The part of an IPv6 address that one network has for itself
const NETWORK: u128 = !0 << 64;

/// The connections of a listener
#[derive(Debug)]
pub(super) struct Connections {
    all: Arc<Semaphore>,
    of_peer_max: usize,
    of_peers: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection, counted until this goes out of scope
#[derive(Debug)]
pub(super) struct Connected {
    _place: OwnedSemaphorePermit,
    peer: Option<IpAddr>,
    connections: Arc<Connections>,
}

impl Connections {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            all: Arc::new(Semaphore::new(most)),
            of_peer_max: most.div_ceil(PEER_SHARE),
            of_peers: Mutex::default(),
        })
    }

    /// Waits until there may be one more
    pub(super) async fn place(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        Arc::clone(&self.all).acquire_owned().await
    }

    /// Counts a connection of a peer; `None` if that peer has its share already
    pub(super) fn connected(
        self: &Arc<Self>,
        place: OwnedSemaphorePermit,
        peer: Option<IpAddr>,
    ) -> Option<Connected> {
        let peer = peer.and_then(counted_as);
        if let Some(peer) = peer {
            let mut of_peers = self.of_peers.lock();
            let count = of_peers.entry(peer).or_default();
            if *count >= self.of_peer_max {
                return None;
            }
            *count += 1;
        }
        Some(Connected { _place: place, peer, connections: Arc::clone(self) })
    }
}

impl Connected {
    /// Counts one more for the same peer, without waiting; `None` if there is no place
    pub(super) fn one_more(&self) -> Option<Self> {
        let place = Arc::clone(&self.connections.all).try_acquire_owned().ok()?;
        self.connections.connected(place, self.peer)
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        let Some(peer) = self.peer else { return };
        let mut of_peers = self.connections.of_peers.lock();
        if let Some(count) = of_peers.get_mut(&peer) {
            *count -= 1;
            if *count == 0 {
                of_peers.remove(&peer);
            }
        }
    }
}

/// As whom a peer is counted: an IPv6 address as its network; `None` on loopback, where everybody is one peer
fn counted_as(peer: IpAddr) -> Option<IpAddr> {
    let peer = match peer.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & NETWORK))
        }
        other => other,
    };
    (!peer.is_loopback()).then_some(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn connect(connections: &Arc<Connections>, peer: &str) -> Option<Connected> {
        let place = connections.place().await.unwrap();
        connections.connected(place, Some(peer.parse().unwrap()))
    }

    #[tokio::test]
    async fn one_peer_has_its_share_and_loopback_has_all() {
        let connections = Connections::new(8);
        let mut held = Vec::new();
        for peer in ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "2001:db8::ffff:2"] {
            held.push(connect(&connections, peer).await.unwrap());
        }
        assert!(connect(&connections, "192.0.2.1").await.is_none());
        assert!(connect(&connections, "2001:db8::3").await.is_none());
        // A connection that was turned away holds nothing, and one that ended holds nothing any more.
        held.remove(0);
        held.push(connect(&connections, "192.0.2.1").await.unwrap());
        held.push(connect(&connections, "2001:db8:0:1::1").await.unwrap());
        for _ in 0..3 {
            held.push(connect(&connections, "127.0.0.1").await.unwrap());
        }
        assert_eq!(connections.all.available_permits(), 0);
        assert!(held[6].one_more().is_none());
        held.remove(0);
        assert!(held[0].one_more().is_none(), "that peer has its share");
        held.push(held[6].one_more().unwrap());
        held.clear();
        assert_eq!(connections.all.available_permits(), 8);
        assert!(connections.of_peers.lock().is_empty());
    }
}
