//! A packet socket (packet(7)). The one file with `unsafe`: the address of a link has no safe
//! constructor anywhere, and neither has the option that hides our own frames.
#![expect(unsafe_code, reason = "sockaddr_ll and PACKET_IGNORE_OUTGOING have no safe wrapper in socket2 or rustix")]
#![expect(clippy::cast_possible_truncation, reason = "constants of the kernel, in C types wider than its fields")]

use std::io::{self, Read};
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use socket2::{Domain, SockAddr, SockAddrStorage, SockFilter, Socket, Type};

/// Raw Ethernet frames on one interface at a time.
///
/// Only opening one needs CAP_NET_RAW. It can be attached to an interface, and to another one
/// later, when the process has long given its capabilities up.
#[derive(Debug)]
pub struct PacketSocket {
    socket: Socket,
}

/// As much as the kernel allows is taken (`net.core.rmem_max`): replies of a fast sweep come in
/// bursts, and what does not fit is lost.
const RECEIVE_BUFFER: usize = 4 << 20;

/// For what is only overheard: a few hundred frames.
const OVERHEARD_BUFFER: usize = 128 << 10;

const EVERY_INTERFACE: u32 = 0;
const ARP: u16 = libc::ETH_P_ARP as u16;
const EVERY_PROTOCOL: u16 = libc::ETH_P_ALL as u16;
const NO_PROTOCOL: u16 = 0;

impl PacketSocket {
    /// Opens a socket that receives nothing yet.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_NET_RAW; others when the kernel has no packet sockets or no
    /// descriptor is left.
    pub fn open() -> io::Result<Self> {
        let socket = Socket::new_raw(Domain::PACKET, Type::RAW, None)?;
        socket.set_nonblocking(true)?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        ignore_outgoing(&socket)?;
        Ok(Self { socket })
    }

    /// Attaches the socket to an interface, with a filter from its first packet on.
    ///
    /// # Errors
    /// `NetworkDown` or `ENODEV` when the interface is down or gone.
    pub fn attach(&self, interface: u32, filter: &[SockFilter]) -> io::Result<()> {
        self.socket.attach_filter(filter)?;
        // That the interface was down in between is no news; binding says whether it is now.
        let _stale = self.socket.take_error()?;
        self.bind(interface, EVERY_PROTOCOL)
    }

    /// Hears ARP on every interface, also on those that come later. Nobody waits for what is heard, so
    /// little of it is kept.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn hear_arp(&self, filter: &[SockFilter]) -> io::Result<()> {
        self.socket.set_recv_buffer_size(OVERHEARD_BUFFER)?;
        self.filter(filter)?;
        self.bind(EVERY_INTERFACE, ARP)
    }

    /// Replaces the filter.
    ///
    /// # Errors
    /// When the kernel has no memory.
    pub fn filter(&self, filter: &[SockFilter]) -> io::Result<()> {
        self.socket.attach_filter(filter)
    }

    /// Receives nothing more, and forgets what was not read.
    ///
    /// # Errors
    /// When the interface is gone; then nothing comes from it either.
    pub fn detach(&self, interface: u32) -> io::Result<()> {
        self.socket.attach_filter(&super::filter::nothing())?;
        let bound = self.bind(interface, NO_PROTOCOL);
        let mut rest = [0; 64];
        while self.receive(&mut rest)?.is_some() {}
        bound
    }

    fn bind(&self, interface: u32, protocol: u16) -> io::Result<()> {
        self.socket.bind(&link_address(interface, protocol)?)
    }

    /// Sends one frame, whole.
    ///
    /// # Errors
    /// `WouldBlock` or `ENOBUFS` when the interface's queue is full, `ENETDOWN` when it is down.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.socket.send(frame).map(drop)
    }

    /// Reads one frame; `None` when there is none. A frame longer than the buffer is cut.
    ///
    /// # Errors
    /// `ENETDOWN` once when the interface goes down.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match (&self.socket).read(buffer) {
            Ok(length) => Ok(Some(length)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Frames that this host sends itself are no replies, and need not be filtered one by one.
fn ignore_outgoing(socket: &Socket) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the descriptor is open for the whole call, and the pointer and length are those of
    // one live c_int, which is what the option takes (packet(7)).
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_IGNORE_OUTGOING,
            std::ptr::from_ref(&on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn link_address(interface: u32, protocol: u16) -> io::Result<SockAddr> {
    let index = i32::try_from(interface).map_err(io::Error::other)?;
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: sockaddr_ll is one of the kernel's socket addresses, so it fits into the storage and
    // its alignment, and all zeroes are a valid value of it.
    let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    address.sll_family = libc::AF_PACKET as libc::sa_family_t;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = index;
    // SAFETY: the storage holds a sockaddr_ll, and the length is that of one.
    Ok(unsafe { SockAddr::new(storage, size_of::<libc::sockaddr_ll>() as libc::socklen_t) })
}
