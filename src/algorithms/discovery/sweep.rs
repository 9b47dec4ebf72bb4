//! The sweep of one link: which frame leaves when, and what the answers mean.
//!
//! A state machine without sockets and without a clock: it is asked for the next frame, and told
//! what came back. One table of targets, one of hosts, queues for what is due; nothing for a host
//! but its entry, so that a /16 is the same work as a /24, only more of it.
//!
//! ```text
//!   order ──► ARP ──answer──► host ──► ICMP echo ──► answered or given up
//!               │              └─────► SNMP: system ─► interfaces ─► neighbours ─► told or given up
//!            silence: again, up to the last attempt
//! ```

mod access;
mod agent;
mod cells;
mod engine;
pub mod footprint;
mod host;
mod lane;
mod neighbours;
mod receive;
#[cfg(test)]
mod simulation;
mod table;

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use self::access::Desk;
use self::host::{Asked, Host};
use self::lane::{Lane, Waiting};
use crate::algorithms::discovery::credentials::PreparedCredential;
use crate::algorithms::discovery::observation::HostObservation;
use crate::algorithms::discovery::pacing::Pacer;
use crate::algorithms::discovery::plan::LinkPlan;
use crate::domain::address::MacAddr;
use crate::domain::cycle::ProtocolStats;
use crate::domain::policy::Probing;
use crate::domain::protocol::Protocol;
use crate::wire::icmp::Echo;
use crate::wire::ipv4::Heading;
use crate::wire::udp::Datagram;
use crate::wire::{arp, icmp, udp};

/// The UDP port of SNMP agents (RFC 3417).
pub const SNMP_PORT: u16 = 161;

/// How links are swept.
#[derive(Debug, Clone)]
pub struct SweepSettings {
    /// What to ask. Addresses are resolved in any case: no frame reaches a host without.
    pub protocols: Vec<Protocol>,
    /// How fast, how often, how patiently.
    pub probing: Probing,
    /// With what SNMP agents are asked, the preferred first.
    pub credentials: Arc<[PreparedCredential]>,
    /// Whether agents are asked for their neighbours.
    pub neighbours: bool,
    /// The UDP port that SNMP is asked from, held by a socket.
    pub snmp_port: u16,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The frame in the buffer leaves now.
    Send,
    /// Nothing leaves before this instant, unless an answer comes.
    Wait(Duration),
    /// Everybody has answered or been given up.
    Done,
}

/// What the sweep of a link saw.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkOutcome {
    /// How many addresses were to be asked: all but the host's own.
    pub targets: usize,
    /// Who answered.
    pub hosts: Vec<HostObservation>,
    /// What each protocol did, address resolution first.
    pub stats: [(Protocol, ProtocolStats); 3],
    /// Why the link could not be used to the end; then silence on it means nothing.
    pub failed: Option<String>,
}

/// How far a sweep is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweepProgress {
    /// Addresses that have answered or been given up.
    pub settled: usize,
    /// All addresses.
    pub targets: usize,
    /// Hosts that answered.
    pub hosts: usize,
}

/// A probe that is ready to leave.
#[derive(Debug, Clone, Copy)]
enum Probe {
    Arp { target: u32, attempt: u8 },
    Echo { host: u32, attempt: u8 },
    Snmp { host: u32, question: u32, attempt: u8, packet: u32 },
}

/// The state of one address. Small: a /16 has 65,534 of them.
#[derive(Debug, Clone, Copy)]
struct Target {
    /// When it was first asked, to measure the round trip of an answer to the only attempt.
    asked_at: Duration,
    /// Its entry among the hosts, once it has answered.
    host: Option<u32>,
    attempts: u8,
    given_up: bool,
}

/// The sweep of one link.
#[derive(Debug)]
pub struct LinkSweep {
    plan: LinkPlan,
    settings: SweepSettings,
    random: fastrand::Rng,
    pacer: Pacer,
    targets: Vec<Target>,
    /// The positions of all targets in the order in which they are asked: shuffled, so that no
    /// switch and no host sees a burst.
    order: Vec<u32>,
    fresh: usize,
    hosts: Vec<Host>,
    disputes: Vec<(Ipv4Addr, MacAddr)>,
    again: VecDeque<Probe>,
    talks: VecDeque<Probe>,
    turn: u8,
    resolution: Lane,
    echo: Lane,
    snmp: Lane,
    desk: Desk,
    echo_id: u16,
    cookie: [u8; COOKIE_LENGTH],
    message: Vec<u8>,
    failed: Option<String>,
}

/// Claims to a disputed address that are kept; a host that answers for everything is one line, not
/// sixty thousand.
const MOST_DISPUTES: usize = 256;

/// Octets that an echo request carries and its reply repeats.
const COOKIE_LENGTH: usize = 16;

/// Of each so many packets one belongs to a conversation while addresses are still being asked: the
/// silence of the last address asked is what a sweep waits for longest, so addresses go first.
const TURNS: u8 = 4;

impl LinkSweep {
    /// A sweep of a link; the same seed gives the same order and the same identifiers.
    pub fn new(plan: LinkPlan, settings: SweepSettings, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let own: Vec<Ipv4Addr> = plan.link.own_addresses().collect();
        let others = (0_u32..).zip(plan.targets.iter()).filter(|(_, target)| !own.contains(target));
        let mut order: Vec<u32> = others.map(|(position, _)| position).collect();
        random.shuffle(&mut order);
        let mut cookie = [0; COOKIE_LENGTH];
        random.fill(&mut cookie);
        // Our own addresses are not asked; whoever speaks for one all the same is heard, and nobody
        // waits for it.
        let target = |address| {
            let given_up = own.contains(&address);
            Target { asked_at: Duration::ZERO, host: None, attempts: 0, given_up }
        };
        let targets = plan.targets.iter().map(target).collect();
        let mut resolution = Lane::new(&settings.probing);
        resolution.open = order.len();
        Self {
            pacer: Pacer::new(settings.probing.rate),
            targets,
            order,
            fresh: 0,
            hosts: Vec::new(),
            disputes: Vec::new(),
            again: VecDeque::new(),
            talks: VecDeque::new(),
            turn: 0,
            resolution,
            echo: Lane::new(&settings.probing),
            snmp: Lane::new(&settings.probing),
            desk: Desk::new(Arc::clone(&settings.credentials), random.u64(..)),
            echo_id: random.u16(..),
            cookie,
            message: Vec::with_capacity(256),
            failed: None,
            random,
            plan,
            settings,
        }
    }

    /// Says what to do at `now`, the time since the sweep began. After [`Step::Send`] the buffer
    /// holds the frame.
    pub fn next(&mut self, now: Duration, frame: &mut Vec<u8>) -> Step {
        if self.failed.is_some() {
            return Step::Done;
        }
        self.expire(now);
        loop {
            if !self.has_work() {
                let open = self.resolution.open + self.echo.open + self.snmp.open;
                return match self.next_due() {
                    Some(due) if open > 0 => Step::Wait(due),
                    _ => Step::Done,
                };
            }
            let ready = self.pacer.ready_at();
            if now < ready {
                return Step::Wait(self.next_due().map_or(ready, |due| due.min(ready)));
            }
            if let Some(probe) = self.pick()
                && self.write(probe, now, frame)
            {
                self.pacer.take(now);
                return Step::Send;
            }
        }
    }

    /// Ends the sweep because the link cannot be used.
    pub fn fail(&mut self, reason: String) {
        self.failed.get_or_insert(reason);
    }

    /// How far the sweep is.
    pub fn progress(&self) -> SweepProgress {
        SweepProgress {
            settled: self.order.len() - self.resolution.open,
            targets: self.order.len(),
            hosts: self.hosts.len(),
        }
    }

    /// Ends the sweep and tells what it saw.
    pub fn finish(mut self) -> LinkOutcome {
        let wants = |protocol| self.settings.protocols.contains(&protocol);
        let wanted = Protocol::ALL.map(wants);
        self.resolution.stats.hosts = self.hosts.len() as u64;
        self.echo.stats.hosts = self.hosts.iter().filter(|host| host.echo == Asked::Answered).count() as u64;
        let mut hosts: Vec<HostObservation> = self.hosts.into_iter().map(|host| host.finish(wanted)).collect();
        self.snmp.stats.hosts = hosts.iter().filter(|host| matches!(host.snmp, Some(Ok(_)))).count() as u64;
        let dispute = |(address, mac)| HostObservation {
            address,
            mac,
            methods: Protocol::ALL.into_iter().filter(|protocol| *protocol == Protocol::Arp && wanted[0]).collect(),
            rtt: None,
            snmp: None,
        };
        hosts.extend(self.disputes.into_iter().map(dispute));
        let stats = [
            (Protocol::Arp, self.resolution.finish()),
            (Protocol::Icmp, self.echo.finish()),
            (Protocol::Snmp, self.snmp.finish()),
        ];
        LinkOutcome { targets: self.order.len(), hosts, stats, failed: self.failed }
    }

    fn has_work(&self) -> bool {
        self.fresh < self.order.len() || !self.again.is_empty() || !self.talks.is_empty()
    }

    fn next_due(&self) -> Option<Duration> {
        [&self.resolution, &self.echo, &self.snmp].into_iter().filter_map(Lane::next_due).min()
    }

    /// The next probe: repetitions and new addresses first, a conversation in its turn.
    fn pick(&mut self) -> Option<Probe> {
        self.turn = (self.turn + 1) % TURNS;
        if self.turn == 0
            && let Some(probe) = self.talks.pop_front()
        {
            return Some(probe);
        }
        if let Some(probe) = self.again.pop_front() {
            return Some(probe);
        }
        if let Some(target) = self.order.get(self.fresh) {
            self.fresh += 1;
            return Some(Probe::Arp { target: *target, attempt: 0 });
        }
        self.talks.pop_front()
    }

    /// Writes the probe's frame and begins to wait for its answer; `false` when the probe has become
    /// needless meanwhile.
    fn write(&mut self, probe: Probe, now: Duration, frame: &mut Vec<u8>) -> bool {
        match probe {
            Probe::Arp { target, attempt } => self.write_arp(target, attempt, now, frame),
            Probe::Echo { host, attempt } => self.write_echo(host, attempt, now, frame),
            Probe::Snmp { host, question, attempt, packet } => {
                self.write_snmp(host, question, attempt, packet, now, frame)
            }
        }
        .is_some()
    }

    fn write_arp(&mut self, position: u32, attempt: u8, now: Duration, frame: &mut Vec<u8>) -> Option<()> {
        let target = self.targets.get_mut(position as usize).filter(|target| target.host.is_none())?;
        let address = self.plan.targets.get(position as usize)?;
        let source = self.plan.source_for(address)?;
        if attempt == 0 {
            target.asked_at = now;
        }
        target.attempts = attempt + 1;
        arp::encode_request(frame, self.plan.mac, source, address);
        self.resolution.sent(attempt, now);
        self.resolution.wait_for(attempt, Waiting { who: position, question: 0, sent_at: now });
        Some(())
    }

    fn write_echo(&mut self, position: u32, attempt: u8, now: Duration, frame: &mut Vec<u8>) -> Option<()> {
        let host = self.hosts.get_mut(position as usize).filter(|host| host.echo == Asked::Open)?;
        let echo = Echo { identifier: self.echo_id, sequence: u16::from(attempt), payload: &self.cookie };
        let heading = heading(&self.plan, host, self.random.u16(..));
        icmp::encode_echo_request(frame, &heading, &echo).ok()?;
        host.echo_sent = (attempt, now);
        self.echo.sent(attempt, now);
        self.echo.wait_for(attempt, Waiting { who: position, question: 0, sent_at: now });
        Some(())
    }

    /// An attempt is one packet, or one for each of the communities that are tried at once.
    fn write_snmp(
        &mut self,
        position: u32,
        question: u32,
        attempt: u8,
        packet: u32,
        now: Duration,
        frame: &mut Vec<u8>,
    ) -> Option<()> {
        let host = self.hosts.get_mut(position as usize)?;
        let talk = host.open_talk().filter(|talk| talk.question() == question)?;
        let packets = talk.packets();
        talk.encode(packet, &mut self.desk, now, &mut self.message);
        host.snmp_sent = (attempt, now);
        let heading = heading(&self.plan, host, self.random.u16(..));
        let ports = (self.settings.snmp_port, SNMP_PORT);
        let datagram = Datagram { source_port: ports.0, destination_port: ports.1, payload: &self.message };
        udp::encode(frame, &heading, &datagram).ok()?;
        self.snmp.sent(attempt, now);
        if packet + 1 < packets {
            self.talks.push_front(Probe::Snmp { host: position, question, attempt, packet: packet + 1 });
        } else {
            self.snmp.wait_for(attempt, Waiting { who: position, question, sent_at: now });
        }
        Some(())
    }

    /// Queues again who has not answered in time, and gives up who has not answered the last attempt.
    fn expire(&mut self, now: Duration) {
        loop {
            let targets = &self.targets;
            let known = |waiting: &Waiting| targets.get(waiting.who as usize).is_none_or(|one| one.host.is_some());
            let Some((Waiting { who, .. }, attempt, last)) = self.resolution.overdue(now, known) else { break };
            if last {
                self.resolution.open -= 1;
                self.targets.get_mut(who as usize).into_iter().for_each(|target| target.given_up = true);
            } else {
                self.again.push_back(Probe::Arp { target: who, attempt: attempt + 1 });
            }
        }
        loop {
            let hosts = &self.hosts;
            let known = |waiting: &Waiting| hosts.get(waiting.who as usize).is_none_or(|host| host.echo != Asked::Open);
            let Some((Waiting { who, .. }, attempt, last)) = self.echo.overdue(now, known) else { break };
            if last {
                self.echo.open -= 1;
                self.hosts.get_mut(who as usize).into_iter().for_each(|host| host.echo = Asked::GivenUp);
            } else {
                self.again.push_back(Probe::Echo { host: who, attempt: attempt + 1 });
            }
        }
        loop {
            let hosts = &self.hosts;
            let known =
                |waiting: &Waiting| hosts.get(waiting.who as usize).is_none_or(|host| !host.asks(waiting.question));
            let Some((Waiting { who, question, .. }, attempt, last)) = self.snmp.overdue(now, known) else { break };
            if last {
                let Some(host) = self.hosts.get_mut(who as usize) else { continue };
                let random = self.random.u32(..);
                if let Some(talk) = &mut host.talk
                    && talk.silent(&mut self.desk, random)
                {
                    self.talks.push_back(Probe::Snmp { host: who, question: talk.question(), attempt: 0, packet: 0 });
                } else {
                    self.snmp.open -= 1;
                    host.talking = Asked::GivenUp;
                }
            } else {
                self.again.push_back(Probe::Snmp { host: who, question, attempt: attempt + 1, packet: 0 });
            }
        }
    }
}

fn heading(plan: &LinkPlan, host: &Host, identification: u16) -> Heading {
    Heading {
        source_mac: plan.mac,
        source: host.source,
        destination_mac: host.mac,
        destination: host.address,
        identification,
    }
}
