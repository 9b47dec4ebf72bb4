//! The kernel's routes, as far as they are asked.

use std::net::{Ipv4Addr, UdpSocket};

/// Whether the kernel has a route to the address. Connecting a datagram socket looks the route up and
/// sends nothing (connect(2)).
pub fn has_route(address: Ipv4Addr) -> bool {
    /// The discard port (RFC 863); nothing gets there.
    const ANY: u16 = 9;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0));
    socket.and_then(|socket| socket.connect((address, ANY))).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_a_route_to_itself() {
        assert!(has_route(Ipv4Addr::LOCALHOST));
    }
}
