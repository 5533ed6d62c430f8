//! Addresses where nobody listens yet.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};

/// An address of this machine's loopback network that no other test uses, so that a server can be started there later,
/// or again. A free port of 127.0.0.1 would be free only until another process is given it.
pub fn unused_address() -> SocketAddr {
    static COUNT: AtomicU16 = AtomicU16::new(1);
    let [high, low] = COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    // Of two runs of the tests at the same time each has its own part of the network.
    let run = u8::try_from(std::process::id() % 200).expect("less than 200") + 50;
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, run, high, low.max(1))), 7443)
}
