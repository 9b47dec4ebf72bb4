//! By which ways the kernel would send to those who are asked.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::{Hop, SubnetForecast};
use crate::algorithms::discovery::plan::KernelPlan;
use crate::domain::link::Link;
use crate::domain::subnet::{AddressSet, Subnet};
use crate::wire::rtnetlink::route::{Route, Unroutable};

/// As many ways are looked up: those of a /16, which takes less than a second. Of more addresses some stand
/// for all.
const MOST_LOOKED_UP: usize = 65_536;

/// What was found.
pub(super) struct Survey {
    pub subnets: Vec<SubnetForecast>,
    /// How many addresses are on link that can be reached.
    pub near: usize,
    /// Of how many addresses one was looked up.
    pub one_of: usize,
}

pub(super) fn survey(
    plan: &KernelPlan,
    links: &[Link],
    route_to: &mut dyn FnMut(Ipv4Addr) -> Result<Route, Unroutable>,
) -> Survey {
    let one_of = plan.targets.len().div_ceil(MOST_LOOKED_UP).max(1);
    let own: BTreeSet<Ipv4Addr> = plan.own.iter().copied().collect();
    let mut near = 0;
    let mut look = |subnet: &Subnet| {
        let set = AddressSet::new(&[*subnet]);
        let asked = set.len() - own.iter().filter(|own| set.contains(**own)).count();
        let (mut looked_up, mut reached, mut reached_near) = (0, 0, 0);
        let mut hops = BTreeSet::new();
        let others = set.iter().step_by(one_of).filter(|address| !own.contains(address));
        for address in others {
            looked_up += 1;
            if let Ok(route) = route_to(address) {
                reached += 1;
                reached_near += usize::from(plan.is_near(address));
                hops.insert(hop(&route, links));
            }
        }
        // Where each was looked up these are counts, else estimates.
        let of_all = |part: usize| if looked_up == 0 { 0 } else { asked.saturating_mul(part).div_ceil(looked_up) };
        near += of_all(reached_near);
        let addresses = of_all(reached);
        SubnetForecast {
            subnet: *subnet,
            hops: hops.into_iter().collect(),
            addresses: addresses as u64,
            without_route: asked.saturating_sub(addresses) as u64,
        }
    };
    let subnets = plan.subnets.iter().map(&mut look).collect();
    Survey { subnets, near, one_of }
}

fn hop(route: &Route, links: &[Link]) -> Hop {
    let link = links.iter().find(|link| link.index == route.interface);
    // An interface that came after the others had been listed has a number all the same.
    let interface = link.map_or_else(|| format!("interface {}", route.interface), |link| link.name.clone());
    Hop { interface, gateway: route.gateway, source: route.source }
}
