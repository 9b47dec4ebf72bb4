//! The interfaces of this host.

use std::net::IpAddr;

use ipnet::Ipv4Net;
use pnet::datalink;

use crate::domain::address::MacAddr;
use crate::domain::link::Link;

/// The interfaces that this host has now, in the kernel's order, those that are down included.
pub fn links() -> Vec<Link> {
    datalink::interfaces().into_iter().map(link).collect()
}

fn link(interface: datalink::NetworkInterface) -> Link {
    let addresses = interface.ips.iter().filter_map(|network| match network.ip() {
        IpAddr::V4(address) => Ipv4Net::new(address, network.prefix()).ok(),
        IpAddr::V6(_) => None,
    });
    Link {
        index: interface.index,
        mac: interface.mac.map(|mac| MacAddr::new(mac.octets())).filter(|mac| mac.is_station()),
        addresses: addresses.collect(),
        running: interface.is_up() && interface.is_running(),
        name: interface.name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_there_and_has_no_hardware_address() {
        let links = links();
        let loopback = links.iter().find(|link| link.name == "lo").unwrap();
        assert_eq!(loopback.mac, None);
    }
}
