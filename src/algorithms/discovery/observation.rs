//! What a sweep saw, before it is compared with anything.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::domain::address::MacAddr;
use crate::domain::counters::Reading;
use crate::domain::fact::{Interface, Neighbour, SnmpEngine, SnmpFailure, SnmpSystem, SnmpUptime};
use crate::domain::protocol::Protocol;
use crate::domain::subnet::AddressSet;

/// One address that answered, with the hardware address that answered for it.
#[derive(Debug, Clone, PartialEq)]
pub struct HostObservation {
    /// The address.
    pub address: Ipv4Addr,
    /// Who answered for it; `None` where that cannot be seen, behind a router.
    pub mac: Option<MacAddr>,
    /// The protocols that were asked for and answered, in order. Empty when the host only let its
    /// address be resolved and ARP was not asked for.
    pub methods: Vec<Protocol>,
    /// The round-trip time, by ICMP if it answered, else by ARP.
    pub rtt: Option<Duration>,
    /// What SNMP said; `None` when it was not asked.
    pub snmp: Option<Result<SnmpAnswer, SnmpFailure>>,
}

/// What an agent said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SnmpAnswer {
    /// The system group.
    pub system: SnmpSystem,
    /// Since when the agent has been up.
    pub uptime: Option<SnmpUptime>,
    /// The interface table; `None` when the agent did not give it.
    pub interfaces: Option<Vec<Interface>>,
    /// The engine, where the agent has one.
    pub engine: Option<SnmpEngine>,
    /// Who is on the other end of its links; `None` when it was not asked, or did not tell it all.
    pub neighbours: Option<Vec<Neighbour>>,
    /// The counters of its interfaces; `None` when they were not asked, or not all were told.
    pub counters: Option<CountersAnswer>,
    /// Why not everything that was asked for is here.
    pub shortfall: Option<SnmpFailure>,
}

/// What an agent said that its interfaces counted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CountersAnswer {
    /// When it had said all, from the beginning of the sweep.
    pub at: Duration,
    /// By `ifIndex`, ascending.
    pub interfaces: Vec<(u32, Reading)>,
}

/// A device as one cycle saw it: all addresses at which it answered.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceObservation {
    /// The key, of a device that is on link.
    pub mac: Option<MacAddr>,
    /// Its addresses, ascending.
    pub addresses: Vec<Ipv4Addr>,
    /// The protocols that it answered at any of them, in order.
    pub methods: Vec<Protocol>,
    /// The shortest round-trip time.
    pub rtt: Option<Duration>,
    /// What SNMP said, and at which address: the lowest one where the agent answered, else the
    /// lowest one where it was asked.
    pub snmp: Option<(Ipv4Addr, Result<SnmpAnswer, SnmpFailure>)>,
}

/// Addresses that were asked, and whose silence therefore means something.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The addresses.
    pub addresses: AddressSet,
    /// Those among them that no packet could reach: without a route, or barred by a router.
    pub unreached: BTreeSet<Ipv4Addr>,
    /// Whether ARP was asked, which no host leaves unanswered; else only a ping was, which some do.
    pub by_arp: bool,
}

impl From<AddressSet> for Asked {
    /// All of them, by ARP.
    fn from(addresses: AddressSet) -> Self {
        Self { addresses, unreached: BTreeSet::new(), by_arp: true }
    }
}

impl Asked {
    /// Whether silence of this address means that nobody is there who answers one of `methods`.
    pub fn judges(&self, address: Ipv4Addr, methods: &[Protocol]) -> bool {
        // Whoever was known by ARP alone may have been silent to pings all the time.
        let told = self.by_arp || methods.contains(&Protocol::Icmp) || !methods.contains(&Protocol::Arp);
        told && self.addresses.contains(address) && !self.unreached.contains(&address)
    }
}
