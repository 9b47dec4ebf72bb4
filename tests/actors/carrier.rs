//! Links that exist in a script only: who answers, what the queue does, when a link fails.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use pdsno::domain::address::MacAddr;
use pdsno::domain::link::Link;
use pdsno::domain::time::{Clock, Timestamp};
use pdsno::southbound::carrier::{Addressee, Carrier, CarrierError, Handed};
use pdsno::southbound::error_queue::Undelivered;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A clock that stands still until it is told to go on.
#[derive(Default)]
pub struct HandClock(AtomicU64);

impl HandClock {
    pub fn advance(&self, span: Duration) {
        self.0.fetch_add(span.as_nanos() as u64, Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.elapsed().as_millis() as i64)
    }

    fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// What one link does.
#[derive(Debug, Clone, Default)]
pub struct LinkScript {
    /// Who answers for which address.
    pub hosts: BTreeMap<Ipv4Addr, MacAddr>,
    /// Frames that the queue refuses before it takes one; each frame is refused as often.
    pub refusals: u32,
    /// After this many frames the link is down.
    pub down_after: Option<usize>,
    /// An endless stream of these frames.
    pub flood: Option<Vec<u8>>,
    /// SNMP answers come in fragments: by the UDP socket.
    pub in_fragments: bool,
}

/// What happened on one link.
#[derive(Debug, Clone, Default)]
pub struct LinkRecord {
    /// The frames that left, in order.
    pub sent: Vec<Vec<u8>>,
    /// The frames that were offered, taken or not.
    pub offered: Vec<Vec<u8>>,
}

/// What is at an address behind a router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    /// A host that answers everything.
    Host,
    /// Nobody.
    Nobody,
    /// A filter of the router that says so.
    Prohibited,
}

/// Everything that a test scripts and sees.
#[derive(Default)]
pub struct Script {
    /// The interfaces of the host.
    pub interfaces: Vec<Link>,
    /// By the name of the link.
    pub links: BTreeMap<String, LinkScript>,
    /// Who is behind a router; there is no route to others.
    pub routed: BTreeMap<Ipv4Addr, Behind>,
    /// How often the kernel refuses packets before it takes one.
    pub full: u32,
    /// The kernel's neighbour table.
    pub neighbours: Vec<(Ipv4Addr, MacAddr)>,
    /// By the name of the link.
    pub records: BTreeMap<String, LinkRecord>,
    /// Told the number of every wait, and how long it would be.
    pub on_wait: Option<Box<dyn FnMut(usize, Duration) + Send>>,
}

pub type Shared = Arc<Mutex<Script>>;

pub fn locked(script: &Shared) -> MutexGuard<'_, Script> {
    script.lock().unwrap()
}

/// Holds every sweep at its begin until the test lets it go on.
pub struct Gate {
    begun: UnboundedReceiver<()>,
    go_on: Sender<()>,
}

impl Gate {
    /// Waits until a sweep has begun.
    pub async fn begun(&mut self) {
        self.begun.recv().await.unwrap();
    }

    /// Lets one sweep go on.
    pub fn open(&self) {
        self.go_on.send(()).unwrap();
    }
}

pub struct ScriptedCarrier {
    script: Shared,
    clock: Arc<HandClock>,
    gate: Option<(UnboundedSender<()>, Receiver<()>)>,
    links: Vec<Link>,
    inboxes: Vec<VecDeque<Vec<u8>>>,
    datagrams: VecDeque<(Ipv4Addr, Vec<u8>)>,
    echoes: VecDeque<(Ipv4Addr, Vec<u8>)>,
    errors: VecDeque<(Undelivered, bool)>,
    refused: Vec<u32>,
    waits: usize,
}

pub const SNMP_PORT: u16 = 40_000;

impl ScriptedCarrier {
    pub fn new(script: &Shared, clock: &Arc<HandClock>) -> Self {
        Self {
            script: Arc::clone(script),
            clock: Arc::clone(clock),
            gate: None,
            links: Vec::new(),
            inboxes: Vec::new(),
            datagrams: VecDeque::new(),
            echoes: VecDeque::new(),
            errors: VecDeque::new(),
            refused: Vec::new(),
            waits: 0,
        }
    }

    pub fn gated(script: &Shared, clock: &Arc<HandClock>) -> (Self, Gate) {
        let ((tell, begun), (go_on, wait)) = (unbounded_channel(), channel());
        (Self { gate: Some((tell, wait)), ..Self::new(script, clock) }, Gate { begun, go_on })
    }

    fn down(&self, place: usize) -> CarrierError {
        CarrierError::Down {
            link: self.links[place].name.clone(),
            source: io::Error::from_raw_os_error(libc::ENETDOWN),
        }
    }

    fn is_down(&self, place: usize) -> bool {
        let name = &self.links[place].name;
        let script = locked(&self.script);
        let sent = script.records.get(name).map_or(0, |record| record.sent.len());
        script.links[name].down_after.is_some_and(|most| sent >= most)
    }

    fn carry(&mut self, place: usize, link: &LinkScript, frame: &[u8]) {
        let is_arp = frame[12..14] == [8, 6];
        let to = Ipv4Addr::from_octets(if is_arp { &frame[38..42] } else { &frame[30..34] }.try_into().unwrap());
        let Some(mac) = link.hosts.get(&to) else { return };
        match (is_arp, frame[23]) {
            (true, _) => self.inboxes[place].push_back(arp_reply(frame, *mac)),
            (false, 17) if link.in_fragments => self.datagrams.push_back((to, snmp_reply(&frame[42..]))),
            _ => {}
        }
    }
}

/// The answer to an ARP request (RFC 826).
pub fn arp_reply(request: &[u8], mac: MacAddr) -> Vec<u8> {
    let mut reply = request.to_vec();
    reply[..6].copy_from_slice(&request[6..12]);
    reply[6..12].copy_from_slice(&mac.octets());
    reply[21] = 2;
    reply[22..28].copy_from_slice(&mac.octets());
    reply[28..32].copy_from_slice(&request[38..42]);
    reply[32..42].copy_from_slice(&request[22..32]);
    reply
}

/// The answer to an ICMP echo request (RFC 792), with an identifier of the kernel's.
fn echo_reply(request: &[u8]) -> Vec<u8> {
    let mut reply = request.to_vec();
    reply[0] = 0;
    reply[2..6].copy_from_slice(&[0, 0, 0x77, 0x77]);
    let sum: u32 =
        reply.chunks(2).map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low))).sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    reply[2..4].copy_from_slice(&sum.to_be_bytes());
    reply
}

/// An answer that gives every object the value that the question had for it: none.
fn snmp_reply(request: &[u8]) -> Vec<u8> {
    let mut reply = request.to_vec();
    // A length from 128 on takes an octet more (X.690 section 8.1.3.5).
    let start = 7 + usize::from(request[1] > 0x80);
    reply[start + usize::from(request[start - 1])] = 0xa2;
    reply
}

impl Carrier for ScriptedCarrier {
    fn begin(&mut self, links: &[Link], _kernel: bool) -> Vec<Result<(), CarrierError>> {
        self.links = links.to_vec();
        self.inboxes = vec![VecDeque::new(); links.len()];
        self.refused = vec![0; links.len()];
        if let Some((tell, wait)) = &self.gate {
            // A test that has ended holds nothing up.
            let _ = tell.send(());
            let _ = wait.recv();
        }
        links.iter().map(|_| Ok(())).collect()
    }

    fn send(&mut self, place: usize, frame: &[u8]) -> Result<bool, CarrierError> {
        if self.is_down(place) {
            return Err(self.down(place));
        }
        let name = self.links[place].name.clone();
        let link = locked(&self.script).links[&name].clone();
        let mut script = locked(&self.script);
        let record = script.records.entry(name).or_default();
        record.offered.push(frame.to_vec());
        if self.refused[place] < link.refusals {
            self.refused[place] += 1;
            return Ok(false);
        }
        self.refused[place] = 0;
        record.sent.push(frame.to_vec());
        drop(script);
        self.carry(place, &link, frame);
        Ok(true)
    }

    fn receive<'b>(&mut self, place: usize, buffer: &'b mut [u8]) -> Result<Option<&'b [u8]>, CarrierError> {
        if self.is_down(place) {
            self.inboxes[place].clear();
            return Err(self.down(place));
        }
        let flood = locked(&self.script).links[&self.links[place].name].flood.clone();
        let Some(frame) = self.inboxes[place].pop_front().or(flood) else { return Ok(None) };
        buffer[..frame.len()].copy_from_slice(&frame);
        Ok(Some(&buffer[..frame.len()]))
    }

    fn without_frames(&self) -> Option<&str> {
        None
    }

    fn send_through_kernel(&mut self, to: Addressee, packet: &[u8]) -> Result<Handed, CarrierError> {
        let mut script = locked(&self.script);
        let (Addressee::Host(address) | Addressee::Agent(address, _)) = to;
        if script.full > 0 {
            script.full -= 1;
            return Ok(Handed::Full);
        }
        match script.routed.get(&address) {
            None => return Ok(Handed::NoRoute),
            Some(Behind::Nobody) => {}
            Some(Behind::Prohibited) => {
                let from = Ipv4Addr::new(10, 0, 1, 1);
                self.errors.push_back((Undelivered { target: address, from, kind: 3, code: 13 }, false));
            }
            Some(Behind::Host) if matches!(to, Addressee::Host(_)) => {
                self.echoes.push_back((address, echo_reply(packet)));
            }
            Some(Behind::Host) => self.datagrams.push_back((address, snmp_reply(packet))),
        }
        Ok(Handed::Taken)
    }

    fn receive_echo<'b>(&mut self, buffer: &'b mut [u8]) -> Option<(Ipv4Addr, &'b [u8])> {
        let (from, message) = self.echoes.pop_front()?;
        buffer[..message.len()].copy_from_slice(&message);
        Some((from, &buffer[..message.len()]))
    }

    fn receive_error(&mut self) -> Option<(Undelivered, bool)> {
        self.errors.pop_front()
    }

    fn neighbours(&mut self) -> Vec<(Ipv4Addr, MacAddr)> {
        locked(&self.script).neighbours.clone()
    }

    fn neighbour_limit(&self) -> usize {
        1_024
    }

    fn receive_datagram<'b>(&mut self, buffer: &'b mut [u8]) -> Option<(SocketAddrV4, &'b [u8])> {
        let (from, datagram) = self.datagrams.pop_front()?;
        buffer[..datagram.len()].copy_from_slice(&datagram);
        Some((SocketAddrV4::new(from, 161), &buffer[..datagram.len()]))
    }

    fn snmp_port(&self) -> u16 {
        SNMP_PORT
    }

    fn wait(&mut self, timeout: Duration) {
        self.waits += 1;
        if let Some(on_wait) = &mut locked(&self.script).on_wait {
            on_wait(self.waits, timeout);
        }
        let is_quiet = self.datagrams.is_empty() && self.echoes.is_empty() && self.errors.is_empty();
        if self.inboxes.iter().all(VecDeque::is_empty) && is_quiet {
            self.clock.advance(timeout);
        }
    }

    fn end(&mut self) {
        self.links.clear();
    }
}

pub fn link(name: &str, index: u32, address: &str) -> Link {
    Link {
        name: name.to_owned(),
        index,
        mac: Some(MacAddr::new([2, 0, 0, 0, 0xff, index as u8])),
        addresses: vec![address.parse().unwrap()],
        running: true,
    }
}

/// The hardware address of the host with this number on a link.
pub fn mac(link: u8, host: u8) -> MacAddr {
    MacAddr::new([2, 0, 0, 0, link, host])
}

/// Hosts 10.0.LINK.HOST, each with its own hardware address.
pub fn hosts(link: u8, numbers: impl IntoIterator<Item = u8>) -> BTreeMap<Ipv4Addr, MacAddr> {
    numbers.into_iter().map(|host| (Ipv4Addr::new(10, 0, link, host), mac(link, host))).collect()
}

/// Links eth1, eth2, … with the network 10.0.NUMBER.0/28 and these hosts, at .14 of which is this one.
pub fn script(links: impl IntoIterator<Item = Vec<u8>>) -> Shared {
    let mut script = Script::default();
    for (number, there) in (1_u8..).zip(links) {
        let name = format!("eth{number}");
        script.interfaces.push(link(&name, u32::from(number), &format!("10.0.{number}.14/28")));
        script.links.insert(name, LinkScript { hosts: hosts(number, there), ..LinkScript::default() });
    }
    Arc::new(Mutex::new(script))
}
