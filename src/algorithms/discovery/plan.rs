//! From subnets and interfaces to what each link is asked.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::domain::address::MacAddr;
use crate::domain::link::Link;
use crate::domain::subnet::{AddressSet, Subnet, merge};
use crate::wire::rtnetlink::route::{Route, Unroutable};

/// What one link is to be asked: one or more subnets that are on link of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkPlan {
    /// The interface.
    pub link: Link,
    /// Its hardware address, the source of every frame.
    pub mac: MacAddr,
    /// The subnets, each with the address that this host has on it: the source of what is sent there.
    pub subnets: Vec<(Subnet, Ipv4Addr)>,
    /// The addresses to ask.
    pub targets: AddressSet,
}

impl LinkPlan {
    /// The source address for a target.
    pub fn source_for(&self, target: Ipv4Addr) -> Option<Ipv4Addr> {
        self.subnets.iter().find(|(subnet, _)| subnet.contains(target)).map(|(_, source)| *source)
    }
}

/// What is asked through the kernel's own stack: subnets that are on link of no Ethernet-like
/// interface, or all of them where no frames may be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KernelPlan {
    /// The subnets.
    pub subnets: Vec<Subnet>,
    /// The addresses to ask.
    pub targets: AddressSet,
    /// The addresses that this host has itself, on any interface.
    pub own: Vec<Ipv4Addr>,
    /// The networks on link: each address in them that is asked takes an entry of the kernel's
    /// neighbour table.
    pub near: Vec<Ipv4Net>,
    /// Why no frames are sent, where a link would have carried them.
    pub instead_of_frames: Option<String>,
}

impl KernelPlan {
    /// Whether asking this address takes an entry of the neighbour table.
    pub fn is_near(&self, target: Ipv4Addr) -> bool {
        self.near.iter().any(|network| network.contains(&target))
    }
}

/// What a cycle asks, and by which way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plans {
    /// By frames, link by link.
    pub links: Vec<LinkPlan>,
    /// Through the kernel.
    pub kernel: Option<KernelPlan>,
}

impl Plans {
    /// Whether each subnet can be reached now; a route may come and go while a controller runs, and
    /// then a cycle names what it could not reach.
    ///
    /// # Errors
    /// That of the first subnet which [`Plans::unroutable`] tells.
    pub fn check_routes(
        &self,
        links: &[Link],
        route_to: impl FnMut(Ipv4Addr) -> Result<Route, Unroutable>,
    ) -> Result<(), PlanError> {
        self.unroutable(links, route_to).into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
    }

    /// The subnets with a way to none of their addresses now, as [`PlanError::NoRoute`] or
    /// [`PlanError::NoSource`]. The first, the last and an address in the middle stand for a subnet.
    pub fn unroutable(
        &self,
        links: &[Link],
        mut route_to: impl FnMut(Ipv4Addr) -> Result<Route, Unroutable>,
    ) -> Vec<(Subnet, PlanError)> {
        let mut without = Vec::new();
        for subnet in self.kernel.iter().flat_map(|kernel| &kernel.subnets) {
            let set = AddressSet::new(&[*subnet]);
            let places = [0, set.len() / 2, set.len().saturating_sub(1)];
            let ways: Vec<_> = places.into_iter().filter_map(|place| set.get(place)).map(&mut route_to).collect();
            if ways.iter().all(Result::is_err) {
                let (subnet, known) = (*subnet, with_addresses(links));
                let has_route = ways.contains(&Err(Unroutable::NoSource));
                let no_source = PlanError::NoSource { subnet };
                let error = if has_route { no_source } else { PlanError::NoRoute { subnet, known } };
                without.push((subnet, error));
            }
        }
        without
    }

    /// The same, with everything asked through the kernel, because no frames may be sent.
    #[must_use]
    pub fn without_frames(self, reason: &str) -> Self {
        let mut kernel = self.kernel.unwrap_or_default();
        if !self.links.is_empty() {
            kernel.instead_of_frames = Some(reason.to_owned());
        }
        for plan in self.links {
            kernel.subnets.extend(plan.subnets.iter().map(|(subnet, _)| *subnet));
            for own in plan.link.own_addresses().filter(|own| !kernel.own.contains(own)).collect::<Vec<_>>() {
                kernel.own.push(own);
            }
            kernel.near.extend(plan.link.addresses.iter().map(Ipv4Net::trunc));
        }
        kernel.targets = AddressSet::new(&kernel.subnets);
        Self { links: Vec::new(), kernel: Some(kernel).filter(|kernel| !kernel.subnets.is_empty()) }
    }
}

/// Why subnets cannot be scanned from here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The interface that was named does not exist.
    #[error("there is no interface {name:?}; this host has {}", listed(.known))]
    UnknownInterface {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The interface that was named has no address in the subnet.
    #[error(
        "no way to {subnet} on {interface}: it must lie in the network of an address that the interface has; this host \
         has {}. Name no interface to reach it by its route",
        listed(.known)
    )]
    NotOnInterface {
        /// The subnet.
        subnet: Subnet,
        /// The interface that was named.
        interface: String,
        /// The interfaces with their addresses.
        known: Vec<String>,
    },
    /// The subnet is not on link, and nothing leads to it.
    #[error(
        "no route to {subnet}: this host has {}. Give an interface an address there, or this host a route",
        listed(.known)
    )]
    NoRoute {
        /// The subnet.
        subnet: Subnet,
        /// The interfaces with their addresses.
        known: Vec<String>,
    },
    /// The subnet is not on link, and what is sent there has no address to be answered at.
    #[error("there is a route to {subnet}, but no address of this host to send from: give an interface one")]
    NoSource {
        /// The subnet.
        subnet: Subnet,
    },
    /// Every address of the subnet is this host itself.
    #[error("{subnet} is on {interface}, the loopback of this host: there is nobody else to find")]
    Loopback {
        /// The subnet.
        subnet: Subnet,
        /// The interface.
        interface: String,
    },
}

fn with_addresses(links: &[Link]) -> Vec<String> {
    links.iter().filter(|link| !link.addresses.is_empty()).map(Link::to_string).collect()
}

fn listed(known: &[String]) -> String {
    if known.is_empty() { "no interface with an IPv4 address".to_owned() } else { known.join(", ") }
}

/// Finds the way to each subnet: the Ethernet-like interface whose own network covers it, the
/// narrowest such network if there are several, and only `interface` when one is named. What is on
/// link of none goes through the kernel, which knows the routes.
///
/// The host's own addresses are not asked: they answer to nobody on the wire.
///
/// # Errors
/// [`PlanError`] of the first subnet that cannot be asked.
pub fn plan(subnets: &[Subnet], interface: Option<&str>, links: &[Link]) -> Result<Plans, PlanError> {
    if let Some(name) = interface
        && !links.iter().any(|link| link.name == name)
    {
        let known = links.iter().map(|link| link.name.clone()).collect();
        return Err(PlanError::UnknownInterface { name: name.to_owned(), known });
    }
    let mut plans = Plans::default();
    for subnet in merge(subnets).kept {
        match link_of(subnet, interface, links)? {
            Some((link, source, mac)) => add(&mut plans.links, subnet, link, source, mac),
            None => plans.kernel.get_or_insert_with(|| kernel_plan(links)).subnets.push(subnet),
        }
    }
    for plan in &mut plans.links {
        let subnets: Vec<Subnet> = plan.subnets.iter().map(|(subnet, _)| *subnet).collect();
        plan.targets = AddressSet::new(&subnets);
    }
    if let Some(kernel) = &mut plans.kernel {
        kernel.targets = AddressSet::new(&kernel.subnets);
    }
    Ok(plans)
}

fn add(plans: &mut Vec<LinkPlan>, subnet: Subnet, link: &Link, source: Ipv4Addr, mac: MacAddr) {
    match plans.iter_mut().find(|plan| plan.link.index == link.index) {
        Some(plan) => plan.subnets.push((subnet, source)),
        None => plans.push(LinkPlan {
            link: link.clone(),
            mac,
            subnets: vec![(subnet, source)],
            targets: AddressSet::default(),
        }),
    }
}

fn kernel_plan(links: &[Link]) -> KernelPlan {
    let ethernet = links.iter().filter(|link| link.mac.is_some());
    KernelPlan {
        own: links.iter().flat_map(Link::own_addresses).collect(),
        near: ethernet.flat_map(|link| link.addresses.iter().map(Ipv4Net::trunc)).collect(),
        ..KernelPlan::default()
    }
}

/// The link that carries frames to a subnet, the host's address and hardware address there.
fn link_of<'a>(
    subnet: Subnet,
    interface: Option<&str>,
    links: &'a [Link],
) -> Result<Option<(&'a Link, Ipv4Addr, MacAddr)>, PlanError> {
    let allowed = links.iter().filter(|link| interface.is_none_or(|name| link.name == name));
    let found = allowed
        .flat_map(|link| link.addresses.iter().map(move |address| (link, address)))
        .filter(|(_, address)| address.contains(&subnet.network()) && address.prefix_len() <= subnet.prefix())
        .max_by_key(|(link, address)| (address.prefix_len(), std::cmp::Reverse(link.index)));
    match (found, interface) {
        (Some((link, _)), _) if link.own_addresses().any(|own| own.is_loopback()) => {
            Err(PlanError::Loopback { subnet, interface: link.name.clone() })
        }
        (Some((link, address)), _) => Ok(link.mac.map(|mac| (link, address.addr(), mac))),
        (None, None) => Ok(None),
        (None, Some(name)) => {
            Err(PlanError::NotOnInterface { subnet, interface: name.to_owned(), known: with_addresses(links) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(name: &str, index: u32, addresses: &[&str]) -> Link {
        Link {
            name: name.to_owned(),
            index,
            mac: (name != "lo").then(|| MacAddr::new([2, 0, 0, 0, 0, index as u8])),
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
            running: true,
        }
    }

    fn subnets(texts: &[&str]) -> Vec<Subnet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn subnets_of_one_link_are_asked_together_each_from_its_own_address() {
        let links = [link("eth0", 2, &["10.0.1.5/24", "10.0.2.5/24"]), link("eth1", 3, &["10.9.0.1/16"])];
        let plans = plan(&subnets(&["10.0.2.0/25", "10.9.4.0/24", "10.0.1.0/24", "10.0.1.0/26"]), None, &links);
        let Plans { links: plans, kernel } = plans.unwrap();
        assert_eq!((plans.len(), kernel), (2, None));
        let eth0 = plans.iter().find(|plan| plan.link.name == "eth0").unwrap();
        assert_eq!(eth0.targets.len(), 254 + 126);
        assert_eq!(eth0.source_for([10, 0, 1, 9].into()), Some([10, 0, 1, 5].into()));
        assert_eq!(eth0.source_for([10, 0, 2, 9].into()), Some([10, 0, 2, 5].into()));
        assert_eq!(eth0.source_for([10, 9, 4, 9].into()), None);
    }

    #[test]
    fn the_narrowest_network_that_covers_a_subnet_is_its_link() {
        let links = [link("wide", 2, &["10.0.0.1/8"]), link("narrow", 3, &["10.0.1.1/24"])];
        let plans = plan(&subnets(&["10.0.1.0/24"]), None, &links).unwrap().links;
        assert_eq!(plans[0].link.name, "narrow");
        let plans = plan(&subnets(&["10.0.1.0/24"]), Some("wide"), &links).unwrap().links;
        assert_eq!(plans[0].link.name, "wide");
    }

    #[test]
    fn what_is_on_link_of_no_interface_goes_through_the_kernel() {
        let mut tunnel = link("wg0", 4, &["10.7.0.1/24"]);
        tunnel.mac = None;
        let links = [link("eth0", 2, &["10.0.1.5/24"]), tunnel];
        let plans = plan(&subnets(&["10.2.0.0/24", "10.0.1.0/24", "10.7.0.0/24"]), None, &links).unwrap();
        assert_eq!(plans.links.len(), 1);
        let kernel = plans.kernel.unwrap();
        assert_eq!(kernel.subnets, subnets(&["10.2.0.0/24", "10.7.0.0/24"]));
        assert_eq!(kernel.targets.len(), 2 * 254);
        assert_eq!(kernel.own, [Ipv4Addr::new(10, 0, 1, 5), Ipv4Addr::new(10, 7, 0, 1)]);
        assert!(kernel.is_near([10, 0, 1, 9].into()) && !kernel.is_near([10, 7, 0, 9].into()));
        assert_eq!(kernel.instead_of_frames, None);
    }

    #[test]
    fn a_subnet_that_is_wider_than_its_link_goes_through_the_kernel_which_sees_what_is_near() {
        let links = [link("eth0", 2, &["10.0.1.5/24"])];
        let plans = plan(&subnets(&["10.0.0.0/16"]), None, &links).unwrap();
        assert_eq!(plans.links, []);
        let kernel = plans.kernel.unwrap();
        assert!(kernel.is_near([10, 0, 1, 9].into()) && !kernel.is_near([10, 0, 2, 9].into()));
    }

    #[test]
    fn without_frames_everything_goes_through_the_kernel_and_it_is_said_why() {
        let links = [link("eth0", 2, &["10.0.1.5/24"])];
        let plans = |texts: &[&str]| plan(&subnets(texts), None, &links).unwrap().without_frames("no permission");
        let both = plans(&["10.0.1.0/24", "10.2.0.0/24"]);
        assert_eq!(both.links, []);
        let kernel = both.kernel.unwrap();
        assert_eq!((kernel.targets.len(), kernel.own.len()), (2 * 254, 1));
        assert!(kernel.is_near([10, 0, 1, 9].into()));
        assert_eq!(kernel.instead_of_frames.as_deref(), Some("no permission"));
        assert_eq!(plans(&["10.2.0.0/24"]).kernel.unwrap().instead_of_frames, None, "frames would not have reached it");
        assert_eq!(plans(&[]), Plans::default());
    }

    #[test]
    fn a_subnet_to_which_nothing_leads_is_named() {
        let links = [link("eth0", 2, &["10.0.1.5/24"])];
        let plans = plan(&subnets(&["10.0.1.0/24", "10.2.0.0/24", "10.3.0.0/24"]), None, &links).unwrap();
        let route = Route { interface: 2, gateway: None, source: [10, 0, 1, 5].into() };
        let check = |networks: &[&str]| {
            let leads_to = |address| subnets(networks).iter().any(|subnet| subnet.contains(address));
            plans.check_routes(&links, |to| if leads_to(to) { Ok(route) } else { Err(Unroutable::NoRoute) })
        };
        assert_eq!(check(&["10.2.0.0/16", "10.3.0.128/25"]), Ok(()), "a part is enough to begin with");
        let refusal = check(&["10.2.0.0/24"]).unwrap_err().to_string();
        assert!(refusal.contains("10.3.0.0/24") && refusal.contains("eth0 (10.0.1.5/24)"), "{refusal}");
        let each = plans.unroutable(&links, |_| Err(Unroutable::NoSource));
        let each: Vec<_> = each.into_iter().map(|(_, error)| error).collect();
        let expected = ["10.2.0.0/24", "10.3.0.0/24"].map(|text| PlanError::NoSource { subnet: text.parse().unwrap() });
        assert_eq!(each, expected, "the other one is on link");
    }

    #[test]
    fn what_cannot_be_asked_is_refused_by_name() {
        let links = [link("lo", 1, &["127.0.0.1/8", "10.5.0.1/24"]), link("eth0", 2, &["10.0.1.5/24"])];
        let refusal = |texts: &[&str], name| plan(&subnets(texts), name, &links).unwrap_err();
        let text = refusal(&["10.0.0.0/16"], Some("eth0")).to_string();
        assert!(text.contains("10.0.0.0/16") && text.contains("eth0 (10.0.1.5/24)"), "{text}");
        assert!(matches!(refusal(&["10.0.1.0/24"], Some("lo")), PlanError::NotOnInterface { .. }));
        assert!(matches!(refusal(&["10.0.1.0/24"], Some("eth7")), PlanError::UnknownInterface { .. }));
        assert!(matches!(refusal(&["10.5.0.0/24"], None), PlanError::Loopback { .. }));
    }
}
