//! ARP announcements, overheard on every interface between sweeps (RFC 5227 section 3).

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use crate::southbound::filter;
use crate::southbound::packet_socket::PacketSocket;

/// Hears announcements, and sends nothing. One socket for all links: it hears those that come later, too.
#[derive(Debug)]
pub struct AnnouncementSocket {
    socket: PacketSocket,
}

impl AnnouncementSocket {
    /// Opens the socket, which hears from now on.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_NET_RAW.
    pub fn open() -> io::Result<Self> {
        let socket = PacketSocket::open()?;
        socket.hear_arp(&filter::announcements())?;
        Ok(Self { socket })
    }

    /// Hears nothing more: the kernel drops what comes before it costs a copy or a wake-up.
    ///
    /// # Errors
    /// When the kernel has no memory.
    pub fn deafen(&self) -> io::Result<()> {
        self.socket.filter(&filter::nothing())
    }

    /// Hears again.
    ///
    /// # Errors
    /// When the kernel has no memory.
    pub fn listen(&self) -> io::Result<()> {
        self.socket.filter(&filter::announcements())
    }

    /// Reads one frame; `None` when there is none.
    ///
    /// # Errors
    /// When the socket cannot be used any more.
    pub fn read<'b>(&self, buffer: &'b mut [u8]) -> io::Result<Option<&'b [u8]>> {
        let length = self.socket.receive(buffer)?;
        Ok(length.and_then(|length| buffer.get(..length)))
    }
}

impl AsRawFd for AnnouncementSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_fd().as_raw_fd()
    }
}
