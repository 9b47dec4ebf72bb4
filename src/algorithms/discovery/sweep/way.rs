//! The two ways to targets: frames on a link, and packets that the kernel carries.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::targets::Targets;
use super::window::Window;
use crate::algorithms::discovery::observation::HostObservation;
use crate::algorithms::discovery::plan::{KernelPlan, LinkPlan};
use crate::domain::cycle::ProtocolStats;
use crate::domain::protocol::Protocol;
use crate::domain::subnet::{AddressSet, Subnet};

/// How packets get to targets.
#[derive(Debug)]
pub(super) enum Way {
    /// As whole frames, after ARP.
    Frames(LinkPlan),
    /// By sockets of the kernel's own stack.
    Kernel(KernelWay),
}

/// What a sweep through the kernel knows beside its targets.
#[derive(Debug)]
pub(super) struct KernelWay {
    pub plan: KernelPlan,
    window: Window,
    /// Targets that the kernel has no route to.
    pub no_route: BTreeSet<Ipv4Addr>,
    /// Targets that a router said it does not forward to.
    pub barred: BTreeSet<Ipv4Addr>,
}

/// The statistics in the order of [`Protocol::ALL`].
type Stats = [(Protocol, ProtocolStats); 3];

/// Addresses without a route that are named one by one; of more their number is told.
const MOST_NAMED: usize = 8;

impl Way {
    pub fn targets(&self) -> &AddressSet {
        match self {
            Self::Frames(plan) => &plan.targets,
            Self::Kernel(kernel) => &kernel.plan.targets,
        }
    }

    /// The targets that did not answer and whose silence means nothing, and which have no route, in words.
    pub fn unreached(&self, targets: &Targets) -> (BTreeSet<Ipv4Addr>, Option<String>) {
        let Self::Kernel(kernel) = self else { return (BTreeSet::new(), None) };
        let answered = |address: Ipv4Addr| {
            let target = targets.place_of(&kernel.plan.targets, address).and_then(|place| targets.get(place));
            target.is_some_and(|target| target.host.is_some())
        };
        let unreached = kernel.no_route.union(&kernel.barred).copied().filter(|address| !answered(*address));
        (unreached.collect(), kernel.no_route_text())
    }

    /// What each protocol did, from the lanes of the first question, of the echo and of SNMP; and why
    /// the whole sweep came to nothing.
    pub fn account(
        &self,
        (first, echo, mut snmp): (ProtocolStats, ProtocolStats, ProtocolStats),
        wanted: [bool; 3],
        hosts: &[HostObservation],
        no_route: Option<String>,
    ) -> (Stats, Option<String>) {
        let Self::Kernel(kernel) = self else {
            return ([(Protocol::Arp, first), (Protocol::Icmp, echo), (Protocol::Snmp, snmp)], None);
        };
        let [_, wants_echo, _] = wanted;
        // A ping that only prepares for other protocols is address resolution in another form.
        let (mut resolved, mut pinged) = if wants_echo { (echo, first) } else { (first, echo) };
        resolved.hosts = resolved.hosts.max(hosts.iter().filter(|host| host.mac.is_some()).count() as u64);
        resolved.error.clone_from(&kernel.plan.instead_of_frames);
        pinged.error.clone_from(&no_route);
        snmp.error.clone_from(&no_route);
        let failed = no_route.filter(|_| hosts.is_empty() && kernel.no_route.len() == kernel.asked_for());
        ([(Protocol::Arp, resolved), (Protocol::Icmp, pinged), (Protocol::Snmp, snmp)], failed)
    }
}

impl KernelWay {
    pub fn new(plan: KernelPlan, neighbours: usize) -> Self {
        Self { plan, window: Window::new(neighbours), no_route: BTreeSet::new(), barred: BTreeSet::new() }
    }

    /// The target was asked for the first time.
    pub fn asked(&mut self, address: Ipv4Addr, now: Duration) {
        if self.plan.is_near(address) {
            self.window.ask(now);
        }
    }

    /// When this address may be asked for the first time, if that has yet to come.
    pub fn opens_at(&self, address: Ipv4Addr, now: Duration) -> Option<Duration> {
        let opens = self.window.opens_at();
        (now < opens && self.plan.is_near(address)).then_some(opens)
    }

    /// How many targets there are without this host's own addresses.
    fn asked_for(&self) -> usize {
        let own: BTreeSet<_> = self.plan.own.iter().filter(|own| self.plan.targets.contains(**own)).collect();
        self.plan.targets.len() - own.len()
    }

    /// Subnets without a route as a whole, and single addresses of others.
    fn no_route_text(&self) -> Option<String> {
        let without =
            |subnet: &Subnet| subnet.hosts().all(|host| self.no_route.contains(&host) || self.plan.own.contains(&host));
        let (whole, other): (Vec<Subnet>, Vec<Subnet>) = self.plan.subnets.iter().partition(|subnet| without(subnet));
        let mut named: Vec<String> = whole.iter().map(Subnet::to_string).collect();
        let single: Vec<Ipv4Addr> = self
            .no_route
            .iter()
            .filter(|address| other.iter().any(|subnet| subnet.contains(**address)))
            .copied()
            .collect();
        named.extend(single.iter().take(MOST_NAMED).map(Ipv4Addr::to_string));
        if single.len() > MOST_NAMED {
            named.push(format!("{} more addresses", single.len() - MOST_NAMED));
        }
        (!self.no_route.is_empty()).then(|| format!("no route to {}", named.join(", ")))
    }
}
