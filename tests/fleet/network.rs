//! The truth: who lives where, as what, with which faults. It follows from the options alone.

use std::net::Ipv4Addr;

use pdsno::domain::address::MacAddr;
use pdsno::domain::credential::User;
use pdsno::domain::engine::EngineId;

use crate::draw::{Question, Seed};
use crate::fault::{Fault, Faults};
use crate::model::{AGENTLESS_OUIS, MODELS, Model};
use crate::options::Options;
use crate::version::{Version, Versions};

/// What a host does about UDP port 161, and about being pinged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// It has an agent.
    Agent(Agent),
    /// It has none and says so, or not.
    Plain { closed: bool },
    /// It answers nothing but ARP.
    ArpOnly,
}

/// An SNMP agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Its place in [`MODELS`].
    pub model: u8,
    /// The rows of its interface table.
    pub rows: u32,
    /// The octets of the largest message that it sends.
    pub most_octets: usize,
    /// How long it had been up when the fleet began, in seconds.
    pub uptime: u32,
    pub versions: Versions,
    /// Of those that speak SNMP v3.
    pub engine: Option<Engine>,
    /// The hosts before and after it in the line of those that speak LLDP.
    pub previous: Option<u32>,
    pub next: Option<u32>,
    /// Whether it speaks LLDP.
    pub lldp: bool,
}

/// What an agent that speaks SNMP v3 has to do so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Engine {
    /// The number of the user that it knows.
    pub user: u8,
    /// How often it had started when the fleet began.
    pub boots: u32,
}

impl Agent {
    pub fn model(&self) -> &'static Model {
        &MODELS[usize::from(self.model)]
    }
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its addresses as offsets in the prefix, ascending.
    pub offsets: Vec<u32>,
    /// Its own hardware address.
    pub mac: MacAddr,
    /// The host that answers ARP for it and passes on what is meant for it.
    pub behind: Option<u32>,
    pub kind: Kind,
    pub faults: Faults,
}

impl Host {
    pub fn agent(&self) -> Option<&Agent> {
        if let Kind::Agent(agent) = &self.kind { Some(agent) } else { None }
    }

    /// The versions of SNMP by which it can be read.
    pub fn readable_by(&self) -> Vec<Version> {
        let bars = |version: Version| match version {
            Version::V1 | Version::V2c => false,
            Version::V3 => self.faults.bar_users(),
        };
        let spoken = self.agent().filter(|_| !self.faults.spoil_replies()).map_or(&[][..], |agent| agent.versions.0);
        spoken.iter().copied().filter(|version| !bars(*version)).collect()
    }

    /// The name of its engine: the maker's number and the host's hardware address (RFC 3411 section 5).
    pub fn engine_id(&self, agent: &Agent) -> EngineId {
        // mac(3) of SnmpEngineID; the highest bit says that there is a format.
        const MAC: u8 = 3;
        let maker = agent.model().sys_object_id[6] | 1 << 31;
        let octets = [&maker.to_be_bytes()[..], &[MAC], &self.mac.octets()].concat();
        EngineId::try_from(octets.as_slice()).expect("it has eleven octets")
    }
}

/// A fleet.
#[derive(Debug)]
pub struct Network {
    pub options: Options,
    pub seed: Seed,
    /// The address of nobody.
    pub scanner: Ipv4Addr,
    pub hosts: Vec<Host>,
    base: u32,
    /// For each offset the place of its host.
    slots: Vec<u32>,
}

const NOBODY: u32 = u32::MAX;
/// Of UDP over IPv4 in an Ethernet frame.
const WHOLE_FRAME: usize = 1_472;
/// What every agent must be able to send (RFC 3417 section 3.2).
const SMALLEST: usize = 484;

impl Network {
    pub fn new(options: Options) -> Self {
        let base = options.prefix.network().to_bits();
        let last = options.prefix.broadcast().to_bits() - base;
        let scanner = options.scanner.unwrap_or(Ipv4Addr::from_bits(base + 250.min(last - 1)));
        let seed = Seed(options.seed);
        let slots = vec![NOBODY; last as usize + 1];
        let mut network = Self { options, seed, scanner, hosts: Vec::new(), base, slots };
        // The host that takes further addresses, and how many.
        let mut taking = (0, 0);
        for offset in (1..last).filter(|offset| base + offset != scanner.to_bits()) {
            if !network.drawn(network.options.live, Question::Live, offset) {
                continue;
            }
            if taking.1 > 0 {
                taking.1 -= 1;
                network.settle(taking.0, offset);
                continue;
            }
            let place = u32::try_from(network.hosts.len()).expect("a host is one of 65,536 addresses");
            let host = network.host(offset);
            if network.drawn(network.options.multi_address, Question::MultiAddress, offset) {
                taking = (place, 1 + network.seed.number(Question::Addresses, offset.into()) % 7);
            }
            network.hosts.push(host);
            network.settle(place, offset);
        }
        network.connect();
        network
    }

    fn settle(&mut self, place: u32, offset: u32) {
        self.slots[offset as usize] = place;
        self.hosts[place as usize].offsets.push(offset);
    }

    fn drawn(&self, share: f64, question: Question, offset: u32) -> bool {
        self.seed.happens(share, question, offset.into())
    }

    fn host(&self, offset: u32) -> Host {
        let options = &self.options;
        let kind = if self.drawn(options.snmp, Question::Agent, offset) {
            Kind::Agent(self.agent(offset))
        } else if self.drawn(options.arp_only, Question::ArpOnly, offset) {
            Kind::ArpOnly
        } else {
            Kind::Plain { closed: self.drawn(options.closed, Question::Closed, offset) }
        };
        let oui = match &kind {
            Kind::Agent(agent) => agent.model().oui,
            _ => AGENTLESS_OUIS[self.pick(Question::Model, offset, AGENTLESS_OUIS.len())],
        };
        let [_, _, high, low] = offset.to_be_bytes();
        let mut faults = Faults::default();
        let strikes = |fault: &Fault| self.seed.strikes(options.share(*fault), *fault, offset.into());
        faults.extend(Fault::OF_HOSTS.into_iter().filter(strikes));
        if let Kind::Agent(agent) = &kind {
            faults.extend(Fault::OF_AGENTS.into_iter().filter(strikes));
            let user = agent.engine.and_then(|engine| self.user(engine));
            let can_be = |fault: &Fault| user.is_some_and(|user| user.privacy.is_some() || !fault.is_of_privacy());
            faults.extend(Fault::OF_ENGINES.into_iter().filter(can_be).find(strikes));
        }
        // A proxy is the last host before it that is reached directly.
        let proxy =
            self.hosts.iter().rposition(|host| host.behind.is_none()).and_then(|place| u32::try_from(place).ok());
        Host {
            offsets: Vec::new(),
            mac: MacAddr::new([oui[0], oui[1], oui[2], 0, high, low]),
            behind: proxy.filter(|_| self.drawn(options.proxy_arp, Question::ProxyArp, offset)),
            kind,
            faults,
        }
    }

    fn agent(&self, offset: u32) -> Agent {
        let model = self.pick(Question::Model, offset, MODELS.len());
        let versions = self.versions(offset);
        let huge = self.options.huge_table > 0 && self.drawn(self.options.huge_share, Question::HugeTable, offset);
        Agent {
            model: u8::try_from(model).expect("there are few models"),
            rows: if huge { self.options.huge_table } else { MODELS[model].ports },
            most_octets: if self.drawn(0.125, Question::SmallMessages, offset) { SMALLEST } else { WHOLE_FRAME },
            // Up to ten years: sysUpTime begins again after 497 days.
            uptime: u32::try_from(self.pick(Question::Uptime, offset, 315_360_000)).expect("it is below 2^32"),
            versions,
            engine: versions.has(Version::V3).then(|| self.engine(offset)),
            previous: None,
            next: None,
            lldp: self.drawn(self.options.lldp, Question::Lldp, offset),
        }
    }

    fn versions(&self, offset: u32) -> Versions {
        let Options { snmp_v1, snmp_v3, snmp_all, .. } = self.options;
        match self.seed.unit(Question::Versions, offset.into()) {
            drawn if drawn < snmp_v1 => Versions::V1,
            drawn if drawn < snmp_v1 + snmp_v3 => Versions::V3,
            drawn if drawn < snmp_v1 + snmp_v3 + snmp_all => Versions::ALL,
            _ => Versions::COMMUNITIES,
        }
    }

    fn engine(&self, offset: u32) -> Engine {
        let users = self.options.snmp_users.as_ref().map_or(1, |users| users.count());
        Engine {
            user: u8::try_from(self.pick(Question::User, offset, users)).expect("there are at most 255 users"),
            boots: 1 + u32::try_from(self.pick(Question::Boots, offset, 200)).expect("it is below 200"),
        }
    }

    /// The user that an engine knows, as the options have him.
    pub fn user(&self, engine: Engine) -> Option<&User> {
        self.options.snmp_users.as_ref()?.get(engine.user)
    }

    fn pick(&self, question: Question, offset: u32, choices: usize) -> usize {
        (self.seed.number(question, offset.into()) % choices as u64) as usize
    }

    /// Puts the agents that speak LLDP into a line, in the order of their addresses.
    fn connect(&mut self) {
        let mut previous: Option<usize> = None;
        for place in 0..self.hosts.len() {
            let Kind::Agent(agent) = &mut self.hosts[place].kind else { continue };
            if !agent.lldp {
                continue;
            }
            agent.previous = previous.and_then(|place| u32::try_from(place).ok());
            if let Some(before) = previous
                && let Kind::Agent(before) = &mut self.hosts[before].kind
            {
                before.next = u32::try_from(place).ok();
            }
            previous = Some(place);
        }
    }

    /// The offset of an address in the prefix.
    pub fn offset(&self, address: Ipv4Addr) -> Option<u32> {
        address.to_bits().checked_sub(self.base).filter(|offset| (*offset as usize) < self.slots.len())
    }

    pub fn address(&self, offset: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.base + offset)
    }

    /// Who has an address: the place of its host.
    pub fn at(&self, address: Ipv4Addr) -> Option<u32> {
        let place = self.slots[self.offset(address)? as usize];
        (place != NOBODY).then_some(place)
    }

    /// The hardware address under which a host is reached.
    pub fn station(&self, host: &Host) -> MacAddr {
        host.behind.map_or(host.mac, |proxy| self.hosts[proxy as usize].mac)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::options::tests::{USERS, options};

    #[test]
    fn a_whole_fleet_has_the_shares_that_were_asked_for() {
        let network = Network::new(options("--seed 3"));
        let agents = network.hosts.iter().filter(|host| host.agent().is_some()).count();
        assert!((19_300..20_000).contains(&network.hosts.len()), "{}", network.hosts.len());
        assert!((7_600..8_150).contains(&agents), "{agents}");
        let macs: BTreeSet<_> = network.hosts.iter().map(|host| host.mac).collect();
        assert_eq!(macs.len(), network.hosts.len());
        assert_eq!(network.at(network.scanner), None);
        assert!(network.hosts.iter().all(|host| host.faults == Faults::default() && host.behind.is_none()));
    }

    #[test]
    fn every_address_may_live_but_three() {
        for prefix in ["10.9.0.0/16", "10.9.8.0/22", "10.9.8.64/26", "10.9.8.8/29"] {
            let network = Network::new(options(&format!("--live 1 --prefix {prefix}")));
            let inside = network.options.prefix;
            assert_eq!(network.hosts.len(), inside.hosts().count() - 1, "{prefix}");
            for address in inside.hosts() {
                assert_eq!(network.at(address).is_none(), address == network.scanner, "{address}");
            }
            assert_eq!((network.at(inside.network()), network.at(inside.broadcast())), (None, None));
            assert_eq!(network.at(Ipv4Addr::new(10, 8, 255, 255)), None);
            assert_eq!(network.at(Ipv4Addr::new(10, 10, 0, 0)), None);
        }
    }

    #[test]
    fn a_seed_is_one_fleet() {
        let line = "--prefix 10.1.0.0/22 --multi-address 0.1 --proxy-arp 0.1 --wrong-id 0.1 --looping 0.2";
        let of = |seed| Network::new(options(&format!("{line} --seed {seed}"))).hosts;
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn hosts_have_several_addresses_and_proxies_when_asked_to() {
        let network = Network::new(options("--prefix 10.1.0.0/20 --multi-address 0.1 --proxy-arp 0.1"));
        let several = network.hosts.iter().filter(|host| host.offsets.len() > 1).count();
        assert!(several > 30 && network.hosts.iter().all(|host| (1..=8).contains(&host.offsets.len())));
        for host in &network.hosts {
            for offset in &host.offsets {
                assert_eq!(network.at(network.address(*offset)).map(|at| &network.hosts[at as usize]), Some(host));
            }
        }
        let proxied: Vec<_> = network.hosts.iter().filter(|host| host.behind.is_some()).collect();
        assert!(proxied.len() > 30);
        for host in proxied {
            assert_ne!(network.station(host), host.mac);
            assert!(network.hosts.iter().any(|proxy| proxy.mac == network.station(host) && proxy.behind.is_none()));
        }
    }

    #[test]
    fn agents_speak_the_versions_that_were_asked_for_and_have_one_fault_of_theirs() {
        let shares = "--snmp-v1 0.1 --snmp-v3 0.3 --snmp-all 0.2 --v3-reboots 0.5 --v3-no-privacy 0.5";
        let network = Network::new(options(&format!("--live 1 --snmp 1 {shares} --snmp-users {USERS}")));
        let all = network.hosts.len() as f64;
        let with = |versions| network.hosts.iter().filter(move |host| host.agent().unwrap().versions == versions);
        for (versions, share) in [(Versions::V1, 0.1), (Versions::V3, 0.3), (Versions::ALL, 0.2)] {
            assert!((with(versions).count() as f64 / all - share).abs() < 0.01, "{versions:?}");
        }
        let (mut users, mut engines) = (BTreeSet::new(), BTreeSet::new());
        for host in &network.hosts {
            let agent = host.agent().unwrap();
            assert_eq!(agent.engine.is_some(), agent.versions.has(Version::V3));
            assert!(host.faults.iter().count() <= usize::from(agent.engine.is_some()));
            let Some(engine) = agent.engine else { continue };
            let privacy = network.user(engine).unwrap().privacy.is_some();
            assert!(privacy || !host.faults.has(Fault::NoPrivacy), "who has no privacy cannot lack it");
            assert_eq!(host.readable_by().contains(&Version::V3), !host.faults.has(Fault::NoPrivacy));
            users.insert(engine.user);
            engines.insert(host.engine_id(agent));
        }
        assert_eq!((users.len(), engines.len()), (4, with(Versions::V3).count() + with(Versions::ALL).count()));
    }

    #[test]
    fn neighbours_know_each_other() {
        let network = Network::new(options("--prefix 10.1.0.0/20"));
        let agent = |place: u32| network.hosts[place as usize].agent().unwrap();
        let mut links = 0;
        for (place, host) in network.hosts.iter().enumerate() {
            let Some(next) = host.agent().and_then(|agent| agent.next) else { continue };
            assert_eq!(agent(next).previous, Some(place as u32));
            links += 1;
        }
        assert!(links > 200);
    }
}
