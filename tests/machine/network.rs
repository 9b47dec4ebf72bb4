//! A network that is made up: who is there, subnet by subnet.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pdsno::actors::sweeper::{Sweep, SweepError, SweepOrder, Swept};
use pdsno::algorithms::discovery::observation::{HostObservation, SnmpAnswer};
use pdsno::algorithms::discovery::sweep::LinkOutcome;
use pdsno::domain::address::MacAddr;
use pdsno::domain::cycle::ProtocolStats;
use pdsno::domain::fact::{Interface, SnmpFailure, SnmpSystem, SnmpUptime};
use pdsno::domain::protocol::Protocol;
use pdsno::domain::subnet::AddressSet;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Who is at which address, and what its agent says.
#[derive(Debug, Clone, Default)]
pub struct Network(Arc<Mutex<Hosts>>);

#[derive(Debug, Default)]
struct Hosts {
    there: BTreeMap<Ipv4Addr, u16>,
    /// How often each device was rewired.
    revisions: BTreeMap<u16, u32>,
    began: Option<Instant>,
}

impl Network {
    /// Puts a device with this number at an address, wherever it was before.
    pub fn put(&self, address: Ipv4Addr, device: u16) {
        let mut hosts = self.0.lock().unwrap();
        hosts.there.retain(|_, there| *there != device);
        hosts.there.insert(address, device);
    }

    /// Takes a device away.
    pub fn take(&self, device: u16) {
        self.0.lock().unwrap().there.retain(|_, there| *there != device);
    }

    /// Has a device say something else than before.
    pub fn rewire(&self, device: u16) {
        *self.0.lock().unwrap().revisions.entry(device).or_default() += 1;
    }
}

impl Hosts {
    /// What an agent says: two of three devices have one, and one that was rewired is silent now and
    /// then.
    fn said(&self, device: u16, up: Duration) -> Option<Result<SnmpAnswer, SnmpFailure>> {
        let revision = self.revisions.get(&device).copied().unwrap_or_default();
        match (device % 3, revision % 4) {
            (0, _) => None,
            (_, 3) => Some(Err(SnmpFailure::Timeout)),
            _ => {
                let name = Some(format!("device-{device}-{}", revision / 2));
                let port = Interface { index: 1, name: Some(format!("port {revision}")), ..Interface::default() };
                Some(Ok(SnmpAnswer {
                    system: SnmpSystem { sys_name: name, ..SnmpSystem::default() },
                    uptime: Some(SnmpUptime { uptime_seconds: up.as_secs() }),
                    interfaces: Some(vec![port]),
                    ..SnmpAnswer::default()
                }))
            }
        }
    }
}

fn mac(device: u16) -> MacAddr {
    let [high, low] = device.to_be_bytes();
    MacAddr::new([2, 0, 0, 0, high, low])
}

impl Sweep for Network {
    fn order(&self, order: SweepOrder) -> Result<oneshot::Receiver<Result<Swept, SweepError>>, SweepError> {
        let mut hosts = self.0.lock().unwrap();
        let now = Instant::now();
        let up = now.duration_since(*hosts.began.get_or_insert(now));
        let within = |address: &Ipv4Addr| order.subnets.iter().any(|subnet| subnet.contains(*address));
        let hosts: Vec<HostObservation> = hosts
            .there
            .iter()
            .filter(|(address, _)| within(address))
            .map(|(address, device)| HostObservation {
                address: *address,
                mac: Some(mac(*device)),
                methods: vec![Protocol::Arp],
                rtt: Some(Duration::from_micros(300)),
                snmp: hosts.said(*device, up),
            })
            .collect();
        let arp = ProtocolStats { hosts: hosts.len() as u64, ..ProtocolStats::default() };
        let stats = [
            (Protocol::Arp, arp),
            (Protocol::Icmp, ProtocolStats::default()),
            (Protocol::Snmp, ProtocolStats::default()),
        ];
        let outcome = LinkOutcome { targets: 254, hosts, stats, failed: None, unreached: BTreeSet::new() };
        let asked = vec![AddressSet::new(&order.subnets).into()];
        let (tell, answer) = oneshot::channel();
        let _told = tell.send(Ok(Swept { outcomes: vec![outcome], asked, cancelled: false }));
        Ok(answer)
    }

    fn cancel(&self) {}
}
