//! ICMP errors about what a socket sent, as the kernel queues them beside it (ip(7), IP_RECVERR).

use std::io::{self, IoSliceMut};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt, sockopt::Ipv4RecvErr};

/// An ICMP error about a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undelivered {
    /// Where the packet had gone to.
    pub target: Ipv4Addr,
    /// Who says so.
    pub from: Ipv4Addr,
    /// The ICMP type.
    pub kind: u8,
    /// The ICMP code.
    pub code: u8,
}

/// Has the kernel queue errors, or pass them over. A queue that nobody reads wakes whoever waits for the
/// socket, again and again.
///
/// # Errors
/// When the kernel refuses.
pub fn enable(socket: &impl AsFd, is_read: bool) -> io::Result<()> {
    setsockopt(socket, Ipv4RecvErr, &is_read).map_err(io::Error::from)
}

/// Reads one error; `None` when there is none. Errors of this host itself, and what does not say
/// where it came from, are passed over.
pub fn receive(socket: &impl AsFd) -> Option<Undelivered> {
    loop {
        // Of the packet that is quoted nothing is needed.
        let mut quoted = [0; 64];
        let mut parts = [IoSliceMut::new(&mut quoted)];
        let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in);
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let message = recvmsg::<SockaddrIn>(socket.as_fd().as_raw_fd(), &mut parts, Some(&mut control), flags).ok()?;
        let target = message.address.map(|address| address.ip());
        let Ok(mut controls) = message.cmsgs() else { continue };
        let error = controls.find_map(|one| match one {
            ControlMessageOwned::Ipv4RecvErr(error, from) if error.ee_origin == libc::SO_EE_ORIGIN_ICMP => {
                Some((error, from?))
            }
            _ => None,
        });
        if let (Some(target), Some((error, from))) = (target, error) {
            let from = Ipv4Addr::from_octets(from.sin_addr.s_addr.to_ne_bytes());
            return Some(Undelivered { target, from, kind: error.ee_type, code: error.ee_code });
        }
    }
}

/// Reads all errors away.
pub fn clear(socket: &impl AsFd) {
    while receive(socket).is_some() {}
}

/// Whether an error of a call may be that of an earlier packet, which the queue has, too.
pub fn is_delivery(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNREFUSED
                | libc::EHOSTUNREACH
                | libc::ENETUNREACH
                | libc::EHOSTDOWN
                | libc::ENONET
                | libc::EPROTO
                | libc::ENOPROTOOPT
                | libc::EOPNOTSUPP
                | libc::EACCES
                | libc::EMSGSIZE
        )
    )
}
