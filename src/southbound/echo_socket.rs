//! The one socket for ICMP echo through the kernel's own stack (icmp(7), raw(7)).

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use socket2::{Domain, Protocol, Socket, Type};

use crate::southbound::{error_queue, filter};

/// As for packet sockets: replies of a fast sweep come in bursts. And what is sent to hosts on link that
/// do not answer waits in the kernel until their entries of the neighbour table have failed.
const BUFFER: usize = 4 << 20;

/// ICMP messages to and from any address. A datagram socket where the kernel allows it to this user's
/// groups (`net.ipv4.ping_group_range`); it gets the replies to its own requests only. Else a raw one,
/// which needs CAP_NET_RAW when it is opened, and whose messages come with their IP header.
#[derive(Debug)]
pub struct EchoSocket {
    // The calls are the same for every datagram of IPv4.
    socket: UdpSocket,
    is_raw: bool,
}

impl EchoSocket {
    /// Opens the socket.
    ///
    /// # Errors
    /// `PermissionDenied` when the kernel allows neither, others when no descriptor is left.
    pub fn open() -> io::Result<Self> {
        let open = |kind| Socket::new(Domain::IPV4, kind, Some(Protocol::ICMPV4));
        let (socket, is_raw) = match open(Type::DGRAM) {
            Ok(socket) => (socket, false),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => (open(Type::RAW)?, true),
            Err(error) => return Err(error),
        };
        socket.set_nonblocking(true)?;
        socket.set_recv_buffer_size(BUFFER)?;
        socket.set_send_buffer_size(BUFFER)?;
        if is_raw {
            socket.attach_filter(&filter::echo_replies())?;
        }
        error_queue::enable(&socket, true)?;
        Ok(Self { socket: socket.into(), is_raw })
    }

    /// Sends one message, whole.
    ///
    /// # Errors
    /// `WouldBlock` or `ENOBUFS` when a queue or the neighbour table is full, `NetworkUnreachable` and
    /// `HostUnreachable` when there is no route; then nothing was sent.
    pub fn send(&self, message: &[u8], to: Ipv4Addr) -> io::Result<()> {
        self.socket.send_to(message, (to, 0)).map(drop)
    }

    /// Reads one message into the buffer; `None` when there is none.
    pub fn receive<'b>(&self, buffer: &'b mut [u8]) -> Option<(Ipv4Addr, &'b [u8])> {
        let (length, from) = receive(&self.socket, buffer)?;
        let packet = buffer.get(..length)?;
        let message = if self.is_raw { packet.get(header_length(packet)?..)? } else { packet };
        Some((*from.ip(), message))
    }

    /// Reads what was there before, so that it is not taken for answers.
    pub fn clear(&self) {
        let mut rest = [0; 64];
        while receive(&self.socket, &mut rest).is_some() {}
        error_queue::clear(&self.socket);
    }
}

impl AsFd for EchoSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Reads one datagram; an ICMP error that is pending is passed over, for the queue of errors has it.
pub(super) fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> Option<(usize, SocketAddrV4)> {
    loop {
        match socket.recv_from(buffer) {
            Ok((length, SocketAddr::V4(from))) => return Some((length, from)),
            Ok((_, SocketAddr::V6(_))) => return None,
            Err(error) if error_queue::is_delivery(&error) => {}
            Err(_) => return None,
        }
    }
}

/// The octets of an IPv4 header (RFC 791): its length is in words, in the low half of the first octet.
fn header_length(packet: &[u8]) -> Option<usize> {
    packet.first().map(|first| usize::from(first & 0x0f) * 4)
}
