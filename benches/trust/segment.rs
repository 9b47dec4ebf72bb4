//! A network segment that is made up: everybody on it answers ARP at once.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pdsno::actors::sweeper::{Sweep, SweepError, SweepOrder, Swept};
use pdsno::algorithms::discovery::observation::HostObservation;
use pdsno::algorithms::discovery::sweep::LinkOutcome;
use pdsno::domain::address::MacAddr;
use pdsno::domain::cycle::ProtocolStats;
use pdsno::domain::protocol::Protocol;
use pdsno::domain::subnet::AddressSet;
use tokio::sync::oneshot;

/// A segment with so many hosts, from its first address on.
#[derive(Debug, Clone)]
pub struct Segment {
    /// The address of the network.
    pub network: Ipv4Addr,
    /// How many hosts there are at the moment.
    pub hosts: Arc<AtomicU32>,
}

impl Segment {
    fn host(&self, number: u32) -> HostObservation {
        let [_, high, middle, low] = number.to_be_bytes();
        HostObservation {
            address: Ipv4Addr::from(u32::from(self.network).wrapping_add(number)),
            mac: Some(MacAddr::new([0x00, 0x1b, 0x54, high, middle, low])),
            methods: vec![Protocol::Arp],
            rtt: Some(Duration::from_micros(300)),
            snmp: None,
        }
    }
}

impl Sweep for Segment {
    fn order(&self, order: SweepOrder) -> Result<oneshot::Receiver<Result<Swept, SweepError>>, SweepError> {
        let hosts: Vec<_> = (1..=self.hosts.load(Ordering::Relaxed)).map(|number| self.host(number)).collect();
        let stats =
            [Protocol::Arp, Protocol::Icmp, Protocol::Snmp].map(|protocol| (protocol, ProtocolStats::default()));
        let outcome =
            LinkOutcome { targets: hosts.len().max(254), hosts, stats, failed: None, unreached: BTreeSet::new() };
        let asked = vec![AddressSet::new(&order.subnets).into()];
        let (tell, answer) = oneshot::channel();
        tell.send(Ok(Swept { outcomes: vec![outcome], asked, cancelled: false })).map_err(|_| SweepError::Ended)?;
        Ok(answer)
    }

    fn cancel(&self) {}
}
