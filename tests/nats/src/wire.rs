//! How does a test cut servers off from each other, as a broken network does?
//!
//! A [`Wire`] is a port that leads to another port. While the wire is cut nothing comes through, and neither side sees
//! an end of the connection: bytes that were sent arrive when the wire is mended.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often a wire looks for changes
const TICK: Duration = Duration::from_millis(20);

#[derive(Debug, Default)]
struct State {
    cut: AtomicBool,
    gone: AtomicBool,
}

/// A connection to a port of loopback, which can be cut
#[derive(Debug)]
pub struct Wire {
    port: u16,
    state: Arc<State>,
}

impl Wire {
    /// A wire that leads to a port, which may have no listener yet
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let wire =
            Self { port: listener.local_addr().unwrap().port(), state: Arc::new(State::default()) };
        let state = Arc::clone(&wire.state);
        std::thread::spawn(move || {
            while !state.gone.load(Ordering::Acquire) {
                match listener.accept() {
                    Ok((from, _)) => join(&from, port, &state),
                    Err(_) => std::thread::sleep(TICK),
                }
            }
        });
        wire
    }

    /// The port at its beginning
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Lets nothing through from now on
    pub fn cut(&self) {
        self.state.cut.store(true, Ordering::Release);
    }

    /// Lets everything through again
    pub fn mend(&self) {
        self.state.cut.store(false, Ordering::Release);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.state.gone.store(true, Ordering::Release);
    }
}

/// Joins a connection to a port; without a listener there the connection is closed
fn join(from: &TcpStream, port: u16, state: &Arc<State>) {
    from.set_nonblocking(false).unwrap();
    let Ok(to) = TcpStream::connect(("127.0.0.1", port)) else { return };
    for (from, to) in [(from, &to), (&to, from)] {
        let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        let state = Arc::clone(state);
        std::thread::spawn(move || {
            carry(&from, &to, &state);
            // The other direction ends with this one.
            let _closed = from.shutdown(Shutdown::Both);
            let _closed = to.shutdown(Shutdown::Both);
        });
    }
}

fn carry(mut from: &TcpStream, mut to: &TcpStream, state: &State) {
    from.set_read_timeout(Some(TICK)).unwrap();
    to.set_nodelay(true).unwrap();
    let mut buffer = vec![0; 64 * 1_024];
    loop {
        if state.gone.load(Ordering::Acquire) {
            return;
        }
        if state.cut.load(Ordering::Acquire) {
            std::thread::sleep(TICK);
            continue;
        }
        let read = match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => read,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                continue;
            }
            Err(_) => return,
        };
        // If the wire was cut in between, the bytes arrive later.
        while state.cut.load(Ordering::Acquire) && !state.gone.load(Ordering::Acquire) {
            std::thread::sleep(TICK);
        }
        let Some(data) = buffer.get(..read) else { return };
        if to.write_all(data).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_comes_through_while_it_is_cut_and_all_of_it_afterwards() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Wire::to(listener.local_addr().unwrap().port());
        let mut one = TcpStream::connect(("127.0.0.1", wire.port())).unwrap();
        let (mut other, _) = listener.accept().unwrap();
        let mut told = [0; 2];
        one.write_all(b"hi").unwrap();
        other.read_exact(&mut told).unwrap();
        assert_eq!(&told, b"hi");
        wire.cut();
        one.write_all(b"yo").unwrap();
        other.set_read_timeout(Some(TICK * 10)).unwrap();
        assert!(other.read(&mut told).is_err());
        wire.mend();
        other.set_read_timeout(None).unwrap();
        other.read_exact(&mut told).unwrap();
        assert_eq!(&told, b"yo");
        drop(wire);
        assert_eq!(other.read(&mut told).unwrap(), 0);
    }
}
