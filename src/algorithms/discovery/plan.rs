//! From subnets and interfaces to what each link is asked.

use std::net::Ipv4Addr;

use crate::domain::address::MacAddr;
use crate::domain::link::Link;
use crate::domain::subnet::{AddressSet, Subnet, merge};

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
    /// No interface has an address in the subnet.
    #[error(
        "no interface for {subnet}: it must lie in the network of an address that this host has{}; this host has {}. \
         Give the interface an address there, or scan from a host that has one",
        on(.interface), listed(.known)
    )]
    NoInterface {
        /// The subnet.
        subnet: Subnet,
        /// The interface that was named, if one was.
        interface: Option<String>,
        /// The interfaces with their addresses.
        known: Vec<String>,
    },
    /// The interface has no hardware address, so nobody can be asked by ARP.
    #[error(
        "{subnet} is on {interface}, which has no hardware address (loopback or tunnel); ARP needs an Ethernet-like interface"
    )]
    NoHardwareAddress {
        /// The subnet.
        subnet: Subnet,
        /// The interface.
        interface: String,
    },
}

fn listed(known: &[String]) -> String {
    if known.is_empty() { "no interface with an IPv4 address".to_owned() } else { known.join(", ") }
}

fn on(interface: &Option<String>) -> String {
    interface.as_ref().map(|name| format!(" on {name}")).unwrap_or_default()
}

/// Finds the link of each subnet: the interface whose own network covers it, the narrowest such
/// network if there are several, and only `interface` when one is named.
///
/// The host's own addresses are not asked: they answer to nobody on the wire.
///
/// # Errors
/// [`PlanError`] of the first subnet that has no link.
pub fn plan(subnets: &[Subnet], interface: Option<&str>, links: &[Link]) -> Result<Vec<LinkPlan>, PlanError> {
    if let Some(name) = interface
        && !links.iter().any(|link| link.name == name)
    {
        let known = links.iter().map(|link| link.name.clone()).collect();
        return Err(PlanError::UnknownInterface { name: name.to_owned(), known });
    }
    let mut plans: Vec<LinkPlan> = Vec::new();
    for subnet in merge(subnets).kept {
        let (link, source) = link_of(subnet, interface, links)?;
        let mac = link.mac.ok_or_else(|| PlanError::NoHardwareAddress { subnet, interface: link.name.clone() })?;
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
    for plan in &mut plans {
        let subnets: Vec<Subnet> = plan.subnets.iter().map(|(subnet, _)| *subnet).collect();
        plan.targets = AddressSet::new(&subnets);
    }
    Ok(plans)
}

fn link_of<'a>(subnet: Subnet, interface: Option<&str>, links: &'a [Link]) -> Result<(&'a Link, Ipv4Addr), PlanError> {
    let allowed = links.iter().filter(|link| interface.is_none_or(|name| link.name == name));
    allowed
        .flat_map(|link| link.addresses.iter().map(move |address| (link, address)))
        .filter(|(_, address)| address.contains(&subnet.network()) && address.prefix_len() <= subnet.prefix())
        .max_by_key(|(link, address)| (address.prefix_len(), std::cmp::Reverse(link.index)))
        .map(|(link, address)| (link, address.addr()))
        .ok_or_else(|| PlanError::NoInterface {
            subnet,
            interface: interface.map(str::to_owned),
            known: links.iter().filter(|link| !link.addresses.is_empty()).map(Link::to_string).collect(),
        })
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
        let plans =
            plan(&subnets(&["10.0.2.0/25", "10.9.4.0/24", "10.0.1.0/24", "10.0.1.0/26"]), None, &links).unwrap();
        assert_eq!(plans.len(), 2);
        let eth0 = plans.iter().find(|plan| plan.link.name == "eth0").unwrap();
        assert_eq!(eth0.targets.len(), 254 + 126);
        assert_eq!(eth0.source_for([10, 0, 1, 9].into()), Some([10, 0, 1, 5].into()));
        assert_eq!(eth0.source_for([10, 0, 2, 9].into()), Some([10, 0, 2, 5].into()));
        assert_eq!(eth0.source_for([10, 9, 4, 9].into()), None);
    }

    #[test]
    fn the_narrowest_network_that_covers_a_subnet_is_its_link() {
        let links = [link("wide", 2, &["10.0.0.1/8"]), link("narrow", 3, &["10.0.1.1/24"])];
        let plans = plan(&subnets(&["10.0.1.0/24"]), None, &links).unwrap();
        assert_eq!(plans[0].link.name, "narrow");
        let plans = plan(&subnets(&["10.0.1.0/24"]), Some("wide"), &links).unwrap();
        assert_eq!(plans[0].link.name, "wide");
    }

    #[test]
    fn a_subnet_without_a_link_is_refused_by_name() {
        let links = [link("lo", 1, &["10.5.0.1/24"]), link("eth0", 2, &["10.0.1.5/24"])];
        let refusal = |texts: &[&str], name| plan(&subnets(texts), name, &links).unwrap_err();
        let text = refusal(&["10.0.0.0/16"], None).to_string();
        assert!(text.contains("10.0.0.0/16") && text.contains("eth0 (10.0.1.5/24)"), "{text}");
        assert!(matches!(refusal(&["10.0.1.0/24"], Some("lo")), PlanError::NoInterface { interface: Some(_), .. }));
        assert!(matches!(refusal(&["10.0.1.0/24"], Some("eth7")), PlanError::UnknownInterface { .. }));
        assert!(matches!(refusal(&["10.5.0.0/24"], None), PlanError::NoHardwareAddress { .. }));
    }
}
