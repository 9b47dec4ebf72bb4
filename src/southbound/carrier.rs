//! What carries a sweep's packets: one packet socket for each link, one ICMP socket and one UDP socket
//! for what goes through the kernel.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::domain::address::MacAddr;
use crate::domain::link::Link;
use crate::southbound::echo_socket::{self, EchoSocket};
use crate::southbound::error_queue::{self, Undelivered};
use crate::southbound::packet_socket::PacketSocket;
use crate::southbound::{filter, neighbours};

/// Carries frames to and from links, which are counted from 0 as they were given to
/// [`Carrier::begin`]. The real one has sockets, a test's one has a script.
pub trait Carrier {
    /// Attaches to the links; one answer for each. `kernel` tells whether packets will go through the
    /// kernel, too.
    fn begin(&mut self, links: &[Link], kernel: bool) -> Vec<Result<(), CarrierError>>;

    /// Why no frames can be sent at all, if so.
    fn without_frames(&self) -> Option<&str>;

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

    /// Hands one packet to the kernel.
    ///
    /// # Errors
    /// [`CarrierError`] when nothing can be sent that way any more.
    fn send_through_kernel(&mut self, to: Addressee, packet: &[u8]) -> Result<Handed, CarrierError>;

    /// Reads one ICMP message that the kernel handed over; `None` when there is none.
    fn receive_echo<'b>(&mut self, buffer: &'b mut [u8]) -> Option<(Ipv4Addr, &'b [u8])>;

    /// Reads one ICMP error about what went through the kernel, and whether that was a message to an
    /// agent; `None` when there is none.
    fn receive_error(&mut self) -> Option<(Undelivered, bool)>;

    /// Who is on link by the kernel's neighbour table.
    fn neighbours(&mut self) -> Vec<(Ipv4Addr, MacAddr)>;

    /// How many entries that table may have.
    fn neighbour_limit(&self) -> usize;

    /// Reads one SNMP datagram that the kernel received, or put together from fragments, with where it
    /// came from; `None` when there is none.
    fn receive_datagram<'b>(&mut self, buffer: &'b mut [u8]) -> Option<(SocketAddrV4, &'b [u8])>;

    /// The UDP port that SNMP replies come to.
    fn snmp_port(&self) -> u16;

    /// Waits until something can be read, at most this long.
    fn wait(&mut self, timeout: Duration);

    /// Leaves all links.
    fn end(&mut self);
}

/// Whom the kernel is handed a packet for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressee {
    /// A host: the packet is an ICMP message.
    Host(Ipv4Addr),
    /// An SNMP agent, at this port: the packet is what the datagram carries.
    Agent(Ipv4Addr, u16),
}

/// What the kernel did with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handed {
    /// It takes care of it.
    Taken,
    /// A queue is full, or the neighbour table; later.
    Full,
    /// There is no route; nothing was sent.
    NoRoute,
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

/// Why no packets can be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No CAP_NET_RAW, and no right to ping either.
    #[error(
        "no permission to send ARP and ICMP frames, nor to ping: grant the first once with \
         `sudo setcap cap_net_raw+ep {program}`, or run as root; or, to do with less, let this user's group ping with \
         `sudo sysctl net.ipv4.ping_group_range='{group} {group}'`"
    )]
    Permission {
        /// The program that needs it.
        program: String,
        /// The group that it runs with.
        group: u32,
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
    echo: EchoSocket,
    snmp: UdpSocket,
    snmp_port: u16,
    without_frames: Option<String>,
    through_kernel: bool,
}

/// A packet that the kernel refuses for an error that came in just before is handed over again.
const ATTEMPTS: u32 = 4;

impl SocketCarrier {
    /// Enough for a controller whose subnets may change while it runs. An idle socket costs one
    /// descriptor, and about 10 ms when it is closed.
    pub const MOST_LINKS: usize = 8;

    /// Opens the sockets for this many links at once. Without CAP_NET_RAW there are none for links, if
    /// the kernel lets this process ping; [`Carrier::without_frames`] then says so.
    ///
    /// # Errors
    /// [`OpenError::Permission`] when neither is allowed, [`OpenError::Io`] when the kernel refuses.
    pub fn open(links: usize) -> Result<Self, OpenError> {
        let group = rustix::process::getegid().as_raw();
        let echo = EchoSocket::open().map_err(|source| match source.kind() {
            io::ErrorKind::PermissionDenied => OpenError::Permission { program: program(), group },
            _ => OpenError::Io { what: "an ICMP socket", source },
        })?;
        let sockets = std::iter::repeat_with(PacketSocket::open).take(links).collect::<io::Result<Vec<_>>>();
        let (sockets, without_frames) = match sockets {
            Ok(sockets) => (sockets, None),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => (Vec::new(), Some(loss())),
            Err(source) => return Err(OpenError::Io { what: "a packet socket", source }),
        };
        let (snmp, snmp_port) = snmp_socket().map_err(|source| OpenError::Io { what: "the SNMP socket", source })?;
        Ok(Self { sockets, links: Vec::new(), echo, snmp, snmp_port, without_frames, through_kernel: false })
    }

    /// Has the SNMP socket take what the sweep reads from it: through the kernel everything, beside
    /// frames only what may have come in fragments. Datagrams of an earlier sweep are read away.
    fn prepare(&mut self, kernel: bool) -> io::Result<()> {
        self.through_kernel = kernel;
        error_queue::enable(&self.snmp, kernel)?;
        let socket = socket2::SockRef::from(&self.snmp);
        if kernel {
            socket.attach_filter(&filter::everything())?;
            self.echo.clear();
        } else {
            socket.attach_filter(&filter::perhaps_fragmented())?;
        }
        error_queue::clear(&self.snmp);
        Ok(())
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

/// What is lost without packet sockets, and how to get them.
fn loss() -> String {
    format!(
        "no permission to send frames: hosts on link that answer ARP but no ping are not found; grant it once with \
         `sudo setcap cap_net_raw+ep {}`",
        program()
    )
}

fn program() -> String {
    std::env::current_exe().map_or_else(|_| "pdsno".to_owned(), |path| path.display().to_string())
}

impl Carrier for SocketCarrier {
    fn begin(&mut self, links: &[Link], kernel: bool) -> Vec<Result<(), CarrierError>> {
        self.links = links.to_vec();
        // A filter that is not attached lets through too much or too little, never a false answer.
        let _prepared = self.prepare(kernel);
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

    fn without_frames(&self) -> Option<&str> {
        self.without_frames.as_deref()
    }

    fn send_through_kernel(&mut self, to: Addressee, packet: &[u8]) -> Result<Handed, CarrierError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let sent = match to {
                Addressee::Host(address) => self.echo.send(packet, address),
                Addressee::Agent(address, port) => self.snmp.send_to(packet, (address, port)).map(drop),
            };
            let Err(error) = sent else { return Ok(Handed::Taken) };
            let full = error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::ENOBUFS);
            if full {
                return Ok(Handed::Full);
            }
            // The error of an earlier packet is told once, here or there.
            if error_queue::is_delivery(&error) && attempt < ATTEMPTS {
                continue;
            }
            // A route may forbid, and so may a filter of this host; nobody is pinged by broadcast.
            if let Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EACCES | libc::EINVAL | libc::EPERM) =
                error.raw_os_error()
            {
                return Ok(Handed::NoRoute);
            }
            return Err(CarrierError::Io { link: "the kernel's IP stack".to_owned(), source: error });
        }
    }

    fn receive_echo<'b>(&mut self, buffer: &'b mut [u8]) -> Option<(Ipv4Addr, &'b [u8])> {
        if self.through_kernel { self.echo.receive(buffer) } else { None }
    }

    fn receive_error(&mut self) -> Option<(Undelivered, bool)> {
        if !self.through_kernel {
            return None;
        }
        let of_echo = error_queue::receive(&self.echo).map(|error| (error, false));
        of_echo.or_else(|| error_queue::receive(&self.snmp).map(|error| (error, true)))
    }

    fn neighbours(&mut self) -> Vec<(Ipv4Addr, MacAddr)> {
        neighbours::neighbours()
    }

    fn neighbour_limit(&self) -> usize {
        neighbours::limit()
    }

    fn receive_datagram<'b>(&mut self, buffer: &'b mut [u8]) -> Option<(SocketAddrV4, &'b [u8])> {
        let (length, from) = echo_socket::receive(&self.snmp, buffer)?;
        buffer.get(..length).map(|datagram| (from, datagram))
    }

    fn snmp_port(&self) -> u16 {
        self.snmp_port
    }

    fn wait(&mut self, timeout: Duration) {
        let attached = self.sockets.iter().take(self.links.len());
        let mut fds: Vec<PollFd<'_>> = attached
            .map(|socket| PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN))
            .chain([PollFd::from_borrowed_fd(self.snmp.as_fd(), PollFlags::IN)])
            .chain(self.through_kernel.then(|| PollFd::from_borrowed_fd(self.echo.as_fd(), PollFlags::IN)))
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
        self.through_kernel = false;
    }
}
