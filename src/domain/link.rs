//! Links: the networks that a host has an interface on.

use std::fmt;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::domain::address::MacAddr;

/// A network interface of this host, as far as probing needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its name, `eth0`.
    pub name: String,
    /// The kernel's number for it.
    pub index: u32,
    /// Its hardware address; `None` where frames have none (loopback, tunnels).
    pub mac: Option<MacAddr>,
    /// Its IPv4 addresses with their prefix lengths.
    pub addresses: Vec<Ipv4Net>,
    /// Whether it is up and has a carrier.
    pub running: bool,
}

impl Link {
    /// The addresses that the host itself has here.
    pub fn own_addresses(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        self.addresses.iter().map(Ipv4Net::addr)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (position, address) in self.addresses.iter().enumerate() {
            write!(f, "{}{address}", if position == 0 { " (" } else { ", " })?;
        }
        f.write_str(if self.addresses.is_empty() { "" } else { ")" })
    }
}
