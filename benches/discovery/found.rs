//! What a program found, compared with who is there.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use anyhow::{Context, ensure};
use serde::Deserialize;

use crate::lab::Truth;

/// Who is there, as the lab's kernel has it.
pub struct Real {
    hosts: BTreeSet<Ipv4Addr>,
    agents: BTreeSet<Ipv4Addr>,
    scanner: Ipv4Addr,
}

impl Real {
    pub fn of(truth: &Truth) -> Self {
        let agents = truth.hosts.iter().filter(|host| host.snmp.as_ref().is_some_and(|agent| agent.running));
        Self {
            hosts: truth.hosts.iter().flat_map(|host| host.addresses.iter().copied()).collect(),
            agents: agents.flat_map(|host| host.addresses.iter().copied()).collect(),
            scanner: truth.scanner.address,
        }
    }

    /// How many of the hosts were found. The scanner itself may be among them, nobody else.
    pub fn hosts(&self, found: impl Iterator<Item = Ipv4Addr>) -> anyhow::Result<usize> {
        self.count(&self.hosts, found)
    }

    /// How many of the agents were read.
    pub fn agents(&self, found: impl Iterator<Item = Ipv4Addr>) -> anyhow::Result<usize> {
        self.count(&self.agents, found)
    }

    fn count(&self, real: &BTreeSet<Ipv4Addr>, found: impl Iterator<Item = Ipv4Addr>) -> anyhow::Result<usize> {
        let found: BTreeSet<Ipv4Addr> = found.filter(|address| *address != self.scanner).collect();
        let strangers: Vec<_> = found.difference(real).collect();
        ensure!(strangers.is_empty(), "found what is not there: {strangers:?}");
        Ok(found.len())
    }
}

/// What is needed of `pdsno scan --format json`.
#[derive(Deserialize)]
pub struct Scan {
    pub duration_ms: f64,
    pub protocols: Protocols,
    pub nib_commit_ms: f64,
    devices: Vec<Device>,
}

#[derive(Deserialize)]
pub struct Protocols {
    pub arp: Protocol,
    pub icmp: Protocol,
    pub snmp: Protocol,
}

#[derive(Deserialize)]
pub struct Protocol {
    pub sent: u64,
    pub duration_ms: f64,
}

#[derive(Deserialize)]
struct Device {
    ip_addresses: Vec<Ipv4Addr>,
    methods: Vec<String>,
    snmp: Snmp,
}

#[derive(Deserialize)]
struct Snmp {
    sys_descr: Option<String>,
}

impl Scan {
    pub fn read(printed: &str) -> anyhow::Result<Self> {
        serde_json::from_str(printed).context("pdsno printed what is no scan")
    }

    /// Who answered ARP and ICMP.
    pub fn up(&self) -> impl Iterator<Item = Ipv4Addr> {
        let answers = |device: &&Device, method: &str| device.methods.iter().any(|known| known == method);
        let up = self.devices.iter().filter(move |device| answers(device, "arp") && answers(device, "icmp"));
        up.flat_map(|device| device.ip_addresses.iter().copied())
    }

    /// Whose sysDescr was read.
    pub fn described(&self) -> impl Iterator<Item = Ipv4Addr> {
        let described = self.devices.iter().filter(|device| device.snmp.sys_descr.is_some());
        described.flat_map(|device| device.ip_addresses.iter().copied())
    }
}
