//! What carries a sweep's packets: one packet socket for each link, one UDP socket for SNMP.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::domain::link::Link;
use crate::southbound::filter;
use crate::southbound::packet_socket::PacketSocket;

/// Carries frames to and from links, which are counted from 0 as they were given to
/// [`Carrier::begin`]. The real one has sockets, a test's one has a script.
pub trait Carrier {
    /// Attaches to the links; one answer for each.
    fn begin(&mut self, links: &[Link]) -> Vec<Result<(), CarrierError>>;

    /// Sends one frame; `false` when the link's queue is full just now.
    ///
    /// # Errors
    /// [`CarrierError`] when the link cannot be used any more.
    fn send(&mut self, link: usize, frame: &[u8]) -> Result<bool, CarrierError>;

    /// Reads one frame into the buffer; `None` when there is none.
    ///
    /// # Errors
    /// [`CarrierError`] when the link cannot be used any more.
    fn receive<'b>(&mut self, link: usize, buffer: &'b mut [u8]) -> Result<Option<&'b [u8]>, CarrierError>;

    /// Reads one SNMP datagram that the kernel put together from fragments; `None` when there is none.
    fn receive_datagram<'b>(&mut self, buffer: &'b mut [u8]) -> Option<(Ipv4Addr, &'b [u8])>;

    /// The UDP port that SNMP replies come to.
    fn snmp_port(&self) -> u16;

    /// Waits until something can be read, at most this long.
    fn wait(&mut self, timeout: Duration);

    /// Leaves all links.
    fn end(&mut self);
}

/// Why a link cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CarrierError {
    /// More links than sockets were opened at the start.
    #[error("{link} would need one more packet socket than were opened at the start; restart pdsno to scan it")]
    NoSocket {
        /// The link.
        link: String,
    },
    /// The link is down, or went down.
    #[error("{link} is down")]
    Down {
        /// The link.
        link: String,
        /// The kernel's error.
        #[source]
        source: io::Error,
    },
    /// The link is gone.
    #[error("{link} no longer exists")]
    Gone {
        /// The link.
        link: String,
        /// The kernel's error.
        #[source]
        source: io::Error,
    },
    /// Anything else.
    #[error("{link} cannot be used")]
    Io {
        /// The link.
        link: String,
        /// The kernel's error.
        #[source]
        source: io::Error,
    },
}

impl CarrierError {
    fn new(link: &Link, source: io::Error) -> Self {
        let link = link.name.clone();
        match source.raw_os_error() {
            Some(libc::ENETDOWN) => Self::Down { link, source },
            Some(libc::ENODEV | libc::ENXIO) => Self::Gone { link, source },
            _ => Self::Io { link, source },
        }
    }
}

/// The text of the permission error, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No CAP_NET_RAW.
    #[error(
        "no permission to send ARP and ICMP frames: grant it once with \
         `sudo setcap cap_net_raw+ep {program}`, or run as root"
    )]
    Permission {
        /// The program that needs it.
        program: String,
    },
    /// Anything else.
    #[error("cannot open {what}")]
    Io {
        /// Which socket.
        what: &'static str,
        /// The kernel's error.
        #[source]
        source: io::Error,
    },
}

/// The real carrier.
///
/// All descriptors are opened at once, while the process may; what is attached to them changes from
/// sweep to sweep.
#[derive(Debug)]
pub struct SocketCarrier {
    sockets: Vec<PacketSocket>,
    links: Vec<Link>,
    snmp: UdpSocket,
    snmp_port: u16,
}

impl SocketCarrier {
    /// Enough for a controller whose subnets may change while it runs. An idle socket costs one
    /// descriptor, and about 10 ms when it is closed.
    pub const MOST_LINKS: usize = 8;

    /// Opens the sockets for this many links at once.
    ///
    /// # Errors
    /// [`OpenError::Permission`] without CAP_NET_RAW, [`OpenError::Io`] when the kernel refuses.
    pub fn open(links: usize) -> Result<Self, OpenError> {
        let sockets = std::iter::repeat_with(PacketSocket::open).take(links).collect::<io::Result<Vec<_>>>();
        let sockets = sockets.map_err(|source| match source.kind() {
            io::ErrorKind::PermissionDenied => OpenError::Permission { program: program() },
            _ => OpenError::Io { what: "a packet socket", source },
        })?;
        let (snmp, snmp_port) = snmp_socket().map_err(|source| OpenError::Io { what: "the SNMP socket", source })?;
        Ok(Self { sockets, links: Vec::new(), snmp, snmp_port })
    }

    fn link(&self, at: usize) -> Result<(&PacketSocket, &Link), CarrierError> {
        match (self.sockets.get(at), self.links.get(at)) {
            (Some(socket), Some(link)) => Ok((socket, link)),
            (_, link) => Err(CarrierError::NoSocket { link: link.map(|link| link.name.clone()).unwrap_or_default() }),
        }
    }
}

/// SNMP leaves as frames, but its port is held by an ordinary socket: the kernel would answer every
/// agent with port unreachable otherwise.
fn snmp_socket() -> io::Result<(UdpSocket, u16)> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.set_nonblocking(true)?;
    socket2::SockRef::from(&socket).attach_filter(&filter::perhaps_fragmented())?;
    let port = socket.local_addr()?.port();
    Ok((socket, port))
}

fn program() -> String {
    std::env::current_exe().map_or_else(|_| "pdsno".to_owned(), |path| path.display().to_string())
}

impl Carrier for SocketCarrier {
    fn begin(&mut self, links: &[Link]) -> Vec<Result<(), CarrierError>> {
        self.links = links.to_vec();
        let filter = filter::replies(self.snmp_port);
        let attach = |(at, link): (usize, &Link)| {
            let (socket, _) = self.link(at)?;
            socket.attach(link.index, &filter).map_err(|source| CarrierError::new(link, source))
        };
        links.iter().enumerate().map(attach).collect()
    }

    fn send(&mut self, link: usize, frame: &[u8]) -> Result<bool, CarrierError> {
        let (socket, link) = self.link(link)?;
        match socket.send(frame) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => Ok(false),
            Err(source) => Err(CarrierError::new(link, source)),
        }
    }

    fn receive<'b>(&mut self, link: usize, buffer: &'b mut [u8]) -> Result<Option<&'b [u8]>, CarrierError> {
        let (socket, link) = self.link(link)?;
        let length = socket.receive(buffer).map_err(|source| CarrierError::new(link, source))?;
        Ok(length.and_then(|length| buffer.get(..length)))
    }

    fn receive_datagram<'b>(&mut self, buffer: &'b mut [u8]) -> Option<(Ipv4Addr, &'b [u8])> {
        // An error here is an ICMP error of some target; the frame that carried it was read as such.
        match self.snmp.recv_from(buffer) {
            Ok((length, SocketAddr::V4(from))) => buffer.get(..length).map(|datagram| (*from.ip(), datagram)),
            _ => None,
        }
    }

    fn snmp_port(&self) -> u16 {
        self.snmp_port
    }

    fn wait(&mut self, timeout: Duration) {
        let attached = self.sockets.iter().take(self.links.len());
        let mut fds: Vec<PollFd<'_>> = attached
            .map(|socket| PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN))
            .chain([PollFd::from_borrowed_fd(self.snmp.as_fd(), PollFlags::IN)])
            .collect();
        let timeout = Timespec::try_from(timeout).ok();
        // A signal ends the wait early, which the caller's next look at its clock sorts out.
        let _woken = poll(&mut fds, timeout.as_ref());
    }

    fn end(&mut self) {
        for (socket, link) in self.sockets.iter().zip(&self.links) {
            // A link that is gone or down is as good as left.
            let _left = socket.detach(link.index);
        }
        self.links.clear();
    }
}
