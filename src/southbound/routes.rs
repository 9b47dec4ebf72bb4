//! The kernel's routes, as far as they are asked (rtnetlink(7)).

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

use crate::wire::rtnetlink::route::{Route, Unroutable, decode_answer, encode_question};

/// Asks the kernel by which way it would send. Nothing is sent for it, and no right is needed.
#[derive(Debug)]
pub struct Routes {
    socket: OwnedFd,
    asked: u32,
}

/// Room for the answer about one route; it has a few attributes.
const ANSWER: usize = 4_096;

/// Answers to earlier questions that are passed over.
const MOST_STALE: usize = 16;

impl Routes {
    /// Opens the socket.
    ///
    /// # Errors
    /// When the kernel has no such sockets, forbids the address family, or has no descriptor left.
    pub fn open() -> io::Result<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        // No protocol is protocol 0, NETLINK_ROUTE; who is not bound talks to the kernel.
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        Ok(Self { socket, asked: 0 })
    }

    /// The way to an address, as it is now.
    ///
    /// # Errors
    /// [`Unroutable`]; that it cannot be asked counts as no route, too.
    pub fn to(&mut self, address: Ipv4Addr) -> Result<Route, Unroutable> {
        self.asked = self.asked.wrapping_add(1);
        self.ask(address).ok().flatten().unwrap_or(Err(Unroutable::NoRoute))
    }

    /// The kernel has answered when it has taken the question.
    fn ask(&self, address: Ipv4Addr) -> io::Result<Option<Result<Route, Unroutable>>> {
        send(&self.socket, &encode_question(self.asked, address), SendFlags::empty())?;
        let mut buffer = [0; ANSWER];
        for _ in 0..MOST_STALE {
            let (length, _) = recv(&self.socket, &mut buffer, RecvFlags::empty())?;
            let answer = buffer.get(..length).and_then(|datagram| decode_answer(datagram, self.asked));
            if answer.is_some() {
                return Ok(answer);
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_a_route_to_itself_and_none_to_everybody() {
        let mut routes = Routes::open().unwrap();
        let own = routes.to(Ipv4Addr::LOCALHOST).unwrap();
        assert_eq!((own.gateway, own.source), (None, Ipv4Addr::LOCALHOST));
        assert_eq!(routes.to(Ipv4Addr::BROADCAST), Err(Unroutable::NoRoute));
        assert_eq!(routes.to(Ipv4Addr::LOCALHOST), Ok(own));
    }
}
