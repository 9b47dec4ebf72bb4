//! What a sweep saw, before it is compared with anything.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::domain::address::MacAddr;
use crate::domain::fact::{Interface, Neighbour, SnmpEngine, SnmpFailure, SnmpSystem, SnmpUptime};
use crate::domain::protocol::Protocol;

/// One address that answered, with the hardware address that answered for it.
#[derive(Debug, Clone, PartialEq)]
pub struct HostObservation {
    /// The address.
    pub address: Ipv4Addr,
    /// Who answered for it.
    pub mac: MacAddr,
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
    /// The engine, when it was a user who asked.
    pub engine: Option<SnmpEngine>,
    /// Who is on the other end of its links; `None` when it was not asked, or did not tell it all.
    pub neighbours: Option<Vec<Neighbour>>,
    /// Why not everything that was asked for is here.
    pub shortfall: Option<SnmpFailure>,
}

/// A device as one cycle saw it: all addresses at which one hardware address answered.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceObservation {
    /// The key.
    pub mac: MacAddr,
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
