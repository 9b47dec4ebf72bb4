//! What a sweep will cost, before anything is sent: packets, octets, time, load and memory.
//!
//! Nobody knows beforehand who will answer, so three courses are told. In the first everybody answers
//! the first packet, and nobody has an SNMP agent, as most devices have none. In the second nobody is
//! there. In the third everything is as slow as it can be: the link loses packets, so that the sweep asks
//! more often than policy says, each address answers the last packet that could still find it, is silent
//! to every echo, and has an agent that answers last packets only. What a sweep sends lies between the
//! cheaper one of the first two and the third, unless an agent has more than [`ASSUMED_ROWS`] to tell.
//!
//! What is asked by frames begins with ARP. What goes through the kernel's own stack begins with the echo;
//! whom the kernel itself asks by ARP then is its own affair, and not counted.

mod courses;
mod survey;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use self::courses::{First, Held, courses};
use self::survey::survey;
use crate::algorithms::discovery::plan::{KernelPlan, LinkPlan};
use crate::algorithms::discovery::sweep::SweepSettings;
use crate::algorithms::discovery::sweep::footprint;
use crate::domain::link::Link;
use crate::domain::subnet::{AddressSet, Subnet};
use crate::wire::rtnetlink::route::{Route, Unroutable};

/// The rows of the interface table that every agent is assumed to have in the slowest course: a switch
/// of 48 ports with its uplinks. An agent with more takes another question for each eight.
pub const ASSUMED_ROWS: u32 = 52;

/// Packets and what they weigh.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets.
    pub packets: u64,
    /// Octets of their Ethernet frames with padding and check sequence, without preamble and gap.
    pub octets: u64,
}

impl Traffic {
    fn of(packets: u64, octets_each: u64) -> Self {
        Self { packets, octets: packets.saturating_mul(octets_each) }
    }

    fn and(self, other: Self) -> Self {
        Self { packets: self.packets.saturating_add(other.packets), octets: self.octets.saturating_add(other.octets) }
    }

    fn times(self, count: u64) -> Self {
        Self { packets: self.packets.saturating_mul(count), octets: self.octets.saturating_mul(count) }
    }
}

/// One course that a sweep can take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Course {
    /// Address resolution, which the other protocols need, too.
    pub arp: Traffic,
    /// Echo requests.
    pub icmp: Traffic,
    /// Questions to agents.
    pub snmp: Traffic,
    /// From the first packet to the end of the last wait.
    pub duration: Duration,
    /// What the program holds for those whom it asks, in octets.
    pub memory: u64,
}

impl Course {
    /// All protocols together.
    pub fn total(&self) -> Traffic {
        self.arp.and(self.icmp).and(self.snmp)
    }

    /// The mean load in packets a second.
    pub fn packets_per_second(&self) -> f64 {
        per_second(self.total().packets, self.duration)
    }

    /// The mean load in kilobits a second.
    pub fn kbit_per_second(&self) -> f64 {
        per_second(self.total().octets, self.duration) * 8.0 / 1_000.0
    }

    /// Both at the same time, on different links.
    fn beside(self, other: Self) -> Self {
        Self {
            arp: self.arp.and(other.arp),
            icmp: self.icmp.and(other.icmp),
            snmp: self.snmp.and(other.snmp),
            duration: self.duration.max(other.duration),
            memory: self.memory.saturating_add(other.memory),
        }
    }
}

/// A load of no duration is one of a single packet: a second of it is that packet.
fn per_second(count: u64, span: Duration) -> f64 {
    count as f64 / if span.is_zero() { 1.0 } else { span.as_secs_f64() }
}

/// The courses that a sweep can take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Courses {
    /// Everybody answers the first packet, and nobody has an agent. No sweep of as many hosts is shorter.
    pub everybody_answers: Course,
    /// Nobody answers any packet.
    pub nobody_answers: Course,
    /// Everybody answers as late as possible, with an agent of [`ASSUMED_ROWS`]. No sweep is longer.
    pub slowest: Course,
    /// The fewest packets that a sweep can take.
    pub fewest_packets: u64,
    /// The least time that it can take.
    pub least_duration: Duration,
}

impl Courses {
    fn new(everybody_answers: Course, nobody_answers: Course, slowest: Course) -> Self {
        Self {
            everybody_answers,
            nobody_answers,
            slowest,
            fewest_packets: everybody_answers.total().packets.min(nobody_answers.total().packets),
            least_duration: everybody_answers.duration.min(nobody_answers.duration),
        }
    }

    /// How long a sweep takes on a link that is well: the longer one of a full and an empty subnet.
    pub fn expected(&self) -> Duration {
        self.everybody_answers.duration.max(self.nobody_answers.duration)
    }

    fn beside(self, other: Self) -> Self {
        Self {
            everybody_answers: self.everybody_answers.beside(other.everybody_answers),
            nobody_answers: self.nobody_answers.beside(other.nobody_answers),
            slowest: self.slowest.beside(other.slowest),
            fewest_packets: self.fewest_packets.saturating_add(other.fewest_packets),
            least_duration: self.least_duration.max(other.least_duration),
        }
    }
}

/// How packets get to those who are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// As frames of our own on a link.
    Frames {
        /// The name of the interface.
        interface: String,
        /// Whether it is up and has a carrier; else nothing leaves.
        running: bool,
    },
    /// By sockets of the kernel's own stack, which looks for the route of each packet.
    Kernel {
        /// Why no frames are sent, where a link would have carried them.
        instead_of_frames: Option<String>,
    },
}

/// Where packets to a subnet leave.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hop {
    /// The name of the interface.
    pub interface: String,
    /// The router that they are handed to; `None` where those who are asked are on link.
    pub gateway: Option<Ipv4Addr>,
    /// Our address that they come from.
    pub source: Ipv4Addr,
}

/// What one subnet is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubnetForecast {
    /// The subnet.
    pub subnet: Subnet,
    /// Where packets leave; several where the subnet is divided, none where it cannot be reached.
    pub hops: Vec<Hop>,
    /// How many addresses are asked: without the network's, the broadcast and our own.
    pub addresses: u64,
    /// How many have no route, and so nothing is sent to them.
    pub without_route: u64,
}

/// What one way will carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayForecast {
    /// The way.
    pub way: Way,
    /// Its subnets.
    pub subnets: Vec<SubnetForecast>,
    /// How many addresses are asked, each once.
    pub addresses: u64,
    /// How often anybody is asked at most, on a link that is seen to lose packets.
    pub most_attempts: u8,
    /// Of how many addresses of its subnets the way of one was looked up: 1 when of each.
    pub one_of: usize,
    /// What that takes.
    pub courses: Courses,
}

impl WayForecast {
    /// Whether packets can leave at all, as things are.
    pub fn leads_anywhere(&self) -> bool {
        match self.way {
            Way::Frames { running, .. } => running,
            Way::Kernel { .. } => self.subnets.iter().any(|subnet| !subnet.hops.is_empty()),
        }
    }
}

/// What the sweep of one link will take. On one that is down it ends before the first packet.
pub fn by_frames(plan: &LinkPlan, settings: &SweepSettings) -> WayForecast {
    let own: BTreeSet<Ipv4Addr> = plan.link.own_addresses().collect();
    let asked = |set: &AddressSet| set.len() - own.iter().filter(|address| set.contains(**address)).count();
    let Link { name: interface, running, .. } = &plan.link;
    let subnets = plan.subnets.iter().map(|(subnet, source)| SubnetForecast {
        subnet: *subnet,
        hops: vec![Hop { interface: interface.clone(), gateway: None, source: *source }],
        addresses: asked(&AddressSet::new(&[*subnet])) as u64,
        without_route: 0,
    });
    let addresses = asked(&plan.targets);
    WayForecast {
        way: Way::Frames { interface: interface.clone(), running: *running },
        subnets: subnets.collect(),
        addresses: addresses as u64,
        most_attempts: footprint::most_attempts(settings.probing.attempts, addresses),
        one_of: 1,
        courses: if *running { courses(addresses, First::Arp, settings) } else { Courses::default() },
    }
}

/// What the kernel's own stack is, as far as it matters to a sweep.
#[derive(Debug, Clone, Copy)]
pub struct KernelStack<'a> {
    /// The interfaces, which have names where routes have numbers.
    pub links: &'a [Link],
    /// No more addresses on link are asked anew within the time for which the kernel keeps an entry of its
    /// neighbour table for each.
    pub neighbours: usize,
}

/// What the sweep through the kernel will take. The way to each address is looked up, or to so many that
/// stand for all.
pub fn through_kernel(
    plan: &KernelPlan,
    stack: KernelStack<'_>,
    settings: &SweepSettings,
    route_to: &mut dyn FnMut(Ipv4Addr) -> Result<Route, Unroutable>,
) -> WayForecast {
    let survey = survey(plan, stack.links, route_to);
    let addresses = survey.subnets.iter().map(|subnet| subnet.addresses).sum();
    let asked = usize::try_from(addresses).unwrap_or(usize::MAX);
    WayForecast {
        way: Way::Kernel { instead_of_frames: plan.instead_of_frames.clone() },
        subnets: survey.subnets,
        addresses,
        most_attempts: footprint::most_attempts(settings.probing.attempts, asked),
        one_of: survey.one_of,
        courses: courses(asked, First::Echo(Held { near: survey.near, most: stack.neighbours }), settings),
    }
}

/// All ways, which are gone at the same time.
pub fn together(ways: &[WayForecast]) -> Courses {
    ways.iter().fold(Courses::default(), |all, way| all.beside(way.courses))
}

#[cfg(test)]
mod tests;
