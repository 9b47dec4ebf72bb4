//! From addresses to devices (discovery stage 3).

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use crate::algorithms::discovery::observation::{DeviceObservation, HostObservation};
use crate::domain::address::MacAddr;

/// The devices behind the addresses, by hardware address: a router with eight addresses is one
/// device. The result does not depend on the order in which the hosts answered.
pub fn merge(mut hosts: Vec<HostObservation>) -> BTreeMap<MacAddr, DeviceObservation> {
    hosts.sort_by_key(|host| (host.mac, host.address));
    let mut devices: BTreeMap<MacAddr, DeviceObservation> = BTreeMap::new();
    for host in hosts {
        let device = devices.entry(host.mac).or_insert_with(|| DeviceObservation {
            mac: host.mac,
            addresses: Vec::with_capacity(1),
            methods: Vec::new(),
            rtt: None,
            snmp: None,
        });
        add(device, host);
    }
    devices
}

fn add(device: &mut DeviceObservation, host: HostObservation) {
    if device.addresses.last() != Some(&host.address) {
        device.addresses.push(host.address);
    }
    for method in host.methods {
        if let Err(place) = device.methods.binary_search(&method) {
            device.methods.insert(place, method);
        }
    }
    device.rtt = match (device.rtt, host.rtt) {
        (Some(known), Some(new)) => Some(known.min(new)),
        (known, new) => known.or(new),
    };
    let answered = |snmp: &Option<(Ipv4Addr, Result<_, _>)>| matches!(snmp, Some((_, Ok(_))));
    let new = host.snmp.map(|said| (host.address, said));
    if device.snmp.is_none() || (!answered(&device.snmp) && answered(&new)) {
        device.snmp = new.or_else(|| device.snmp.take());
    }
}

/// Who answered for each address, ascending.
pub type Owners = BTreeMap<Ipv4Addr, BTreeSet<MacAddr>>;

/// Who answered for each address.
pub fn owners(devices: &BTreeMap<MacAddr, DeviceObservation>) -> Owners {
    let mut owners = Owners::new();
    for device in devices.values() {
        for address in &device.addresses {
            owners.entry(*address).or_default().insert(device.mac);
        }
    }
    owners
}

/// The addresses for which more than one device answered, with those devices, ascending.
pub fn disputed(owners: &Owners) -> impl Iterator<Item = (Ipv4Addr, &BTreeSet<MacAddr>)> {
    owners.iter().filter(|(_, macs)| macs.len() > 1).map(|(address, macs)| (*address, macs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::discovery::observation::SnmpAnswer;
    use crate::domain::fact::{SnmpFailure, SnmpSystem};
    use crate::domain::protocol::Protocol;
    use proptest::prelude::*;
    use std::time::Duration;

    fn some_host() -> impl Strategy<Value = HostObservation> {
        let snmp = prop_oneof![
            Just(None),
            Just(Some(Err(SnmpFailure::Timeout))),
            Just(Some(Err(SnmpFailure::PortUnreachable))),
            "[a-c]".prop_map(|name| Some(Ok(SnmpAnswer {
                system: SnmpSystem { sys_name: Some(name), ..SnmpSystem::default() },
                ..SnmpAnswer::default()
            }))),
        ];
        let methods = prop::sample::subsequence(Protocol::ALL.to_vec(), 0..=3);
        (0_u8..4, 0_u8..20, methods, prop::option::of(1_u64..9), snmp).prop_map(|(mac, address, methods, rtt, snmp)| {
            HostObservation {
                address: Ipv4Addr::new(10, 0, 1, address),
                mac: MacAddr::new([2, 0, 0, 0, 0, mac]),
                methods,
                rtt: rtt.map(Duration::from_millis),
                snmp,
            }
        })
    }

    /// Hosts with distinct (address, hardware address), as a sweep gives them, in two orders.
    fn hosts_in_two_orders() -> impl Strategy<Value = (Vec<HostObservation>, Vec<HostObservation>)> {
        prop::collection::vec(some_host(), 0..25)
            .prop_map(|mut hosts| {
                hosts.sort_by_key(|host| (host.mac, host.address));
                hosts.dedup_by_key(|host| (host.mac, host.address));
                hosts
            })
            .prop_flat_map(|hosts| (Just(hosts.clone()), Just(hosts).prop_shuffle()))
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_does_not_matter((one, other) in hosts_in_two_orders()) {
            prop_assert_eq!(merge(one), merge(other));
        }

        #[test]
        fn no_observation_is_lost((hosts, _) in hosts_in_two_orders()) {
            let devices = merge(hosts.clone());
            for host in &hosts {
                let device = &devices[&host.mac];
                prop_assert!(device.addresses.contains(&host.address));
                prop_assert!(host.methods.iter().all(|method| device.methods.contains(method)));
                prop_assert!(device.rtt <= host.rtt || host.rtt.is_none());
                if matches!(host.snmp, Some(Ok(_))) {
                    prop_assert!(matches!(device.snmp, Some((_, Ok(_)))));
                }
            }
            prop_assert_eq!(devices.values().map(|device| device.addresses.len()).sum::<usize>(), hosts.len());
        }
    }

    #[test]
    fn an_address_with_two_owners_is_disputed() {
        let host = |mac: u8, address: u8| HostObservation {
            address: Ipv4Addr::new(10, 0, 1, address),
            mac: MacAddr::new([2, 0, 0, 0, 0, mac]),
            methods: vec![Protocol::Arp],
            rtt: None,
            snmp: None,
        };
        let devices = merge(vec![host(1, 7), host(2, 7), host(1, 8)]);
        let owners = owners(&devices);
        let disputed: BTreeMap<_, _> = disputed(&owners).collect();
        assert_eq!(disputed.keys().copied().collect::<Vec<_>>(), [Ipv4Addr::new(10, 0, 1, 7)]);
        assert_eq!(disputed[&Ipv4Addr::new(10, 0, 1, 7)].len(), 2);
    }
}
