//! The socket that the kernel tells of links, addresses and neighbours by (netlink(7), rtnetlink(7)).

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

/// Hears what changes. It asks the kernel nothing, and needs no right.
#[derive(Debug)]
pub struct RouteSocket {
    socket: OwnedFd,
}

/// What there was to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// Nothing, for now.
    Nothing,
    /// So many octets of notices.
    Datagram(usize),
    /// More came than the kernel kept for us (ENOBUFS): something changed, and nobody knows what.
    Overrun,
}

/// What the kernel is asked to tell of.
const GROUPS: u32 = (libc::RTMGRP_LINK | libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_NEIGH).cast_unsigned();

impl RouteSocket {
    /// Opens the socket; from now on nothing that happens is missed untold.
    ///
    /// # Errors
    /// When the kernel has no such sockets, forbids the address family, or has no descriptor left.
    pub fn open() -> io::Result<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        // No protocol is protocol 0, NETLINK_ROUTE.
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        Ok(Self { socket })
    }

    /// Reads one datagram; what does not fit into the buffer is cut off.
    ///
    /// # Errors
    /// When the socket cannot be used any more.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<Read> {
        match recv(&self.socket, &mut *buffer, RecvFlags::empty()) {
            Ok((length, _)) => Ok(Read::Datagram(length.min(buffer.len()))),
            Err(Errno::AGAIN | Errno::INTR) => Ok(Read::Nothing),
            Err(Errno::NOBUFS) => Ok(Read::Overrun),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsRawFd for RouteSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_without_a_right_and_does_not_wait() {
        let socket = RouteSocket::open().unwrap();
        // Whatever happens on the machine meanwhile, reading it comes to an end.
        let mut buffer = [0; 64];
        assert!((0..100_000).any(|_| socket.read(&mut buffer).unwrap() == Read::Nothing));
    }
}
