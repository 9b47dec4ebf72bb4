//! A sweep, of one link by frames or of many subnets through the kernel: which packet leaves when,
//! and what the answers mean.
//!
//! A state machine without sockets and without a clock: it is asked for the next packet, and told
//! what came back. One table of targets, one of hosts, queues for what is due; nothing for a host
//! but its entry, so that a /16 is the same work as a /24, only more of it.
//!
//! ```text
//!   order ──► first question ──answer──► host ──► ICMP echo ──► answered or given up
//!               │                         └─────► SNMP: system ─► interfaces ─► neighbours ─► counters ─► told or given up
//!            silence: again, up to the last attempt
//! ```
//!
//! The first question is ARP where frames can be sent, and through the kernel the echo itself.

mod access;
mod agent;
mod cells;
mod cookie;
mod counted;
mod desk;
mod engine;
pub mod footprint;
mod host;
mod kernel;
mod lane;
mod neighbours;
mod receive;
#[cfg(test)]
mod simulation;
mod table;
mod targets;
mod way;
mod window;
mod write;

use std::collections::{BTreeSet, VecDeque};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use self::cookie::Cookie;
use self::desk::Desk;
use self::host::{Asked, Host};
pub use self::kernel::DeliveryError;
use self::lane::{Lane, Loss, Waiting};
use self::targets::Targets;
use self::way::{KernelWay, Way};
use crate::algorithms::discovery::credentials::PreparedCredential;
use crate::algorithms::discovery::observation::HostObservation;
use crate::algorithms::discovery::pacing::Pacer;
use crate::algorithms::discovery::plan::{KernelPlan, LinkPlan};
use crate::domain::address::MacAddr;
use crate::domain::cycle::ProtocolStats;
use crate::domain::policy::Probing;
use crate::domain::protocol::Protocol;

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
    /// Whether agents are asked what their interfaces counted.
    pub counters: bool,
    /// The UDP port that SNMP is asked from, held by a socket.
    pub snmp_port: u16,
}

/// What an agent is asked for when it has told its interfaces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::algorithms::discovery) struct Wanted {
    pub neighbours: bool,
    pub counters: bool,
}

impl SweepSettings {
    pub(in crate::algorithms::discovery) fn wanted(&self) -> Wanted {
        Wanted { neighbours: self.neighbours, counters: self.counters }
    }
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The frame in the buffer leaves now.
    Send,
    /// The ICMP message in the buffer leaves now, through the kernel.
    SendEcho(Ipv4Addr),
    /// The SNMP message in the buffer leaves now, through the kernel.
    SendSnmp(Ipv4Addr),
    /// Keys were made, which took some milliseconds: what has come meanwhile is to be told before the next
    /// step, so that nobody waits for our own work.
    Prepared,
    /// Nothing leaves before this instant, unless an answer comes.
    Wait(Duration),
    /// Everybody has answered or been given up.
    Done,
}

/// What a sweep saw.
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
    /// The addresses that no packet could reach; their silence means nothing either.
    pub unreached: BTreeSet<Ipv4Addr>,
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
    First { target: u32, attempt: u8 },
    Echo { host: u32, attempt: u8 },
    Snmp { host: u32, question: u32, attempt: u8, packet: u32 },
}

/// A sweep.
#[derive(Debug)]
pub struct LinkSweep {
    way: Way,
    settings: SweepSettings,
    random: fastrand::Rng,
    pacer: Pacer,
    targets: Targets,
    /// The place of the next target that was never asked.
    fresh: u32,
    hosts: Vec<Host>,
    disputes: Vec<(Ipv4Addr, MacAddr)>,
    again: VecDeque<Probe>,
    talks: VecDeque<Probe>,
    turn: u8,
    /// Until when those who are overdue were looked for, as long as nothing has come since.
    expired_at: Option<Duration>,
    resolution: Lane,
    echo: Lane,
    snmp: Lane,
    loss: Loss,
    desk: Desk,
    echo_id: u16,
    cookie: Cookie,
    message: Vec<u8>,
    failed: Option<String>,
}

/// Claims to a disputed address that are kept; a host that answers for everything is one line, not
/// sixty thousand.
const MOST_DISPUTES: usize = 256;

/// Of those who would answer for an address so many may be taken for silent: one in a /16 is one too
/// many.
const DOUBT: f64 = 1e-5;

/// Of those who are known to be alive, and are asked several questions, fewer.
const DOUBT_OF_THE_LIVING: f64 = 1e-6;

/// Of each so many packets one belongs to a conversation while addresses are still being asked: the
/// silence of the last address asked is what a sweep waits for longest, so addresses go first.
const TURNS: u8 = 4;

impl LinkSweep {
    /// A sweep of a link by frames; the same seed gives the same order and the same identifiers.
    pub fn new(plan: LinkPlan, settings: SweepSettings, seed: u64) -> Self {
        let own = plan.link.own_addresses().collect();
        Self::by(Way::Frames(plan), own, settings, seed)
    }

    /// A sweep through the kernel. No more than `neighbours` addresses on link are asked anew within
    /// the time for which the kernel keeps an entry for each.
    pub fn through_kernel(plan: KernelPlan, neighbours: usize, settings: SweepSettings, seed: u64) -> Self {
        let own = plan.own.clone();
        Self::by(Way::Kernel(KernelWay::new(plan, neighbours)), own, settings, seed)
    }

    fn by(way: Way, own: Vec<Ipv4Addr>, settings: SweepSettings, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let targets = Targets::new(way.targets(), &own, &mut random);
        let cookie = Cookie::new(&mut random);
        let mut resolution = Lane::new(&settings.probing);
        resolution.open = targets.asked();
        Self {
            pacer: Pacer::new(settings.probing.rate),
            targets,
            fresh: 0,
            hosts: Vec::new(),
            disputes: Vec::new(),
            again: VecDeque::new(),
            talks: VecDeque::new(),
            turn: 0,
            expired_at: None,
            resolution,
            echo: Lane::new(&settings.probing),
            snmp: Lane::new(&settings.probing),
            loss: Loss::default(),
            desk: Desk::new(Arc::clone(&settings.credentials), random.u64(..)),
            echo_id: random.u16(..),
            cookie,
            message: Vec::with_capacity(256),
            failed: None,
            random,
            way,
            settings,
        }
    }

    /// Says what to do at `now`, the time since the sweep began. After [`Step::Send`] and its like the
    /// buffer holds the packet.
    pub fn next(&mut self, now: Duration, frame: &mut Vec<u8>) -> Step {
        if self.failed.is_some() {
            return Step::Done;
        }
        // At an instant that was looked at already nobody more is overdue, unless an answer came.
        if self.expired_at.replace(now) != Some(now) {
            self.expire(now);
        }
        loop {
            if !self.has_work(now) {
                let open = self.resolution.open + self.echo.open + self.snmp.open;
                return match self.next_due(now) {
                    Some(due) if open > 0 => Step::Wait(due),
                    _ => Step::Done,
                };
            }
            if now < self.pacer.ready_at() {
                let then = self.pacer.worth_waking_at();
                return Step::Wait(self.next_due(now).map_or(then, |due| due.min(then)));
            }
            let Some(probe) = self.pick(now) else { continue };
            if self.prepare(probe) {
                self.talks.push_front(probe);
                return Step::Prepared;
            }
            if let Some(step) = self.write(probe, now, frame) {
                self.pacer.take(now);
                return step;
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
            settled: self.targets.asked() - self.resolution.open,
            targets: self.targets.asked(),
            hosts: self.hosts.len(),
        }
    }

    /// Ends the sweep and tells what it saw.
    pub fn finish(mut self) -> LinkOutcome {
        let wanted = Protocol::ALL.map(|protocol| self.settings.protocols.contains(&protocol));
        self.resolution.stats.hosts = self.hosts.len() as u64;
        self.echo.stats.hosts = self.hosts.iter().filter(|host| host.echo == Asked::Answered).count() as u64;
        let (unreached, no_route) = self.way.unreached(&self.targets);
        let mut hosts: Vec<HostObservation> = self.hosts.into_iter().map(|host| host.finish(wanted)).collect();
        self.snmp.stats.hosts = hosts.iter().filter(|host| matches!(host.snmp, Some(Ok(_)))).count() as u64;
        let dispute = |(address, mac)| HostObservation {
            address,
            mac: Some(mac),
            methods: Protocol::ALL.into_iter().filter(|protocol| *protocol == Protocol::Arp && wanted[0]).collect(),
            rtt: None,
            snmp: None,
        };
        hosts.extend(self.disputes.into_iter().map(dispute));
        let lanes = (self.resolution.finish(), self.echo.finish(), self.snmp.finish());
        let (stats, failed) = self.way.account(lanes, wanted, &hosts, no_route);
        LinkOutcome { targets: self.targets.asked(), hosts, stats, failed: self.failed.or(failed), unreached }
    }

    /// Whether something could leave now, if the pace allows.
    fn has_work(&self, now: Duration) -> bool {
        !self.again.is_empty()
            || !self.talks.is_empty()
            || (self.next_fresh().is_some() && self.opens_at(now).is_none())
    }

    /// The next target that was never asked.
    fn next_fresh(&self) -> Option<u32> {
        ((self.fresh as usize) < self.targets.asked()).then_some(self.fresh)
    }

    /// When the next target may be asked for the first time; `None` for now, or when there is none.
    fn opens_at(&self, now: Duration) -> Option<Duration> {
        let Way::Kernel(kernel) = &self.way else { return None };
        kernel.opens_at(self.targets.get(self.next_fresh()?)?.address, now)
    }

    fn next_due(&self, now: Duration) -> Option<Duration> {
        let lanes = [&self.resolution, &self.echo, &self.snmp];
        lanes.into_iter().filter_map(Lane::next_due).chain(self.opens_at(now)).min()
    }

    /// The next probe: repetitions and new addresses first, a conversation in its turn.
    fn pick(&mut self, now: Duration) -> Option<Probe> {
        self.turn = (self.turn + 1) % TURNS;
        if self.turn == 0
            && let Some(probe) = self.talks.pop_front()
        {
            return Some(probe);
        }
        if let Some(probe) = self.again.pop_front() {
            return Some(probe);
        }
        if let Some(target) = self.next_fresh()
            && self.opens_at(now).is_none()
        {
            self.fresh += 1;
            return Some(Probe::First { target, attempt: 0 });
        }
        self.talks.pop_front()
    }

    /// Queues again who has not answered in time, and gives up who has not answered the last attempt.
    fn expire(&mut self, now: Duration) {
        self.resolution.reckon_with(&self.loss, DOUBT);
        self.echo.reckon_with(&self.loss, DOUBT_OF_THE_LIVING);
        self.snmp.reckon_with(&self.loss, DOUBT_OF_THE_LIVING);
        loop {
            let targets = &self.targets;
            let known =
                |waiting: &Waiting| targets.get(waiting.who).is_none_or(|one| one.host.is_some() || one.given_up);
            let Some((Waiting { who, .. }, attempt, last)) = self.resolution.overdue(now, known) else { break };
            if last {
                self.resolution.open -= 1;
                self.targets.get_mut(who).into_iter().for_each(|target| target.given_up = true);
            } else {
                self.again.push_back(Probe::First { target: who, attempt: attempt + 1 });
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
                    && talk.silent(&self.desk, random)
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
