//! From addresses to devices (discovery stage 3).

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::algorithms::discovery::identity::{Identity, copied, groups};
use crate::algorithms::discovery::observation::{DeviceObservation, HostObservation, SnmpAnswer};
use crate::domain::address::MacAddr;
use crate::domain::engine::EngineId;
use crate::domain::fact::{Interface, SnmpFailure};
use crate::domain::protocol::Protocol;

/// The devices behind the addresses: by hardware address, and behind routers by what their agents tell
/// ([`super::identity`]); who tells nothing is one device for each address. A router with eight
/// addresses is one device. Those with a hardware address come first, ascending by it, then the others
/// by their lowest address; the order in which the hosts answered does not matter.
///
/// A router that answers ARP for others (RFC 1027) is one device with them: what they look like by their
/// agents alone would change whenever one of those is silent.
pub fn merge(mut hosts: Vec<HostObservation>) -> Vec<DeviceObservation> {
    hosts.sort_by_key(|host| (host.mac.is_none(), host.mac, host.address));
    let mut devices: Vec<DeviceObservation> = Vec::new();
    let mut routed: Vec<HostObservation> = Vec::new();
    for host in hosts {
        match devices.last_mut() {
            _ if host.mac.is_none() => routed.push(host),
            Some(device) if device.mac == host.mac => add(device, host),
            _ => devices.push(device_of([host])),
        }
    }
    let mut alone = Vec::new();
    let identities: Vec<Identity> = devices.iter().map(identity_of).collect();
    let routed = by_identity(routed);
    let behind: Vec<Identity> = routed.iter().map(identity_of).collect();
    let copied = copied(identities.iter().chain(&behind));
    for device in routed {
        match on_link(&identity_of(&device), &identities, &devices, &copied).and_then(|place| devices.get_mut(place)) {
            Some(known) => join(known, device),
            None => alone.push(device),
        }
    }
    alone.sort_by_key(|device| device.addresses.first().copied());
    devices.extend(alone);
    devices
}

/// The device on link that has this identity, too: the first of several, which are ascending by hardware
/// address; a manufacturer's address tells more than an engine id.
fn on_link(
    own: &Identity,
    identities: &[Identity],
    devices: &[DeviceObservation],
    copied: &BTreeSet<EngineId>,
) -> Option<usize> {
    let told = |mac: MacAddr| own.universal().any(|told| told == mac);
    let by_mac = devices.iter().zip(identities).position(|(device, identity)| {
        device.mac.is_some_and(told) || identity.universal().any(|mac| own.stations.contains(&mac))
    });
    by_mac.or_else(|| identities.iter().position(|identity| own.agrees(identity, copied)))
}

/// What the agent of a device told about who it is.
pub fn identity_of(device: &DeviceObservation) -> Identity {
    match &device.snmp {
        Some((_, Ok(answer))) => Identity::of_answer(answer),
        _ => Identity::default(),
    }
}

/// Hosts without a hardware address, one device for each that can be told apart. The table that tells
/// most is the device's, at the lowest of the addresses that tell as much.
fn by_identity(hosts: Vec<HostObservation>) -> Vec<DeviceObservation> {
    let told = |host: &HostObservation| match &host.snmp {
        Some(Ok(answer)) => Identity::of_answer(answer),
        _ => Identity::default(),
    };
    let groups = groups(&hosts.iter().map(told).collect::<Vec<_>>());
    let mut hosts: Vec<Option<HostObservation>> = hosts.into_iter().map(Some).collect();
    let mut take = |place: &usize| hosts.get_mut(*place).and_then(Option::take);
    groups.iter().map(|group| device_of(group.iter().filter_map(&mut take))).collect()
}

fn device_of(hosts: impl IntoIterator<Item = HostObservation>) -> DeviceObservation {
    let mut device =
        DeviceObservation { mac: None, addresses: Vec::with_capacity(1), methods: Vec::new(), rtt: None, snmp: None };
    for host in hosts {
        device.mac = device.mac.or(host.mac);
        add(&mut device, host);
    }
    device
}

/// Adds what was seen of a device at other addresses.
pub fn join(device: &mut DeviceObservation, other: DeviceObservation) {
    let DeviceObservation { addresses, methods, rtt, snmp, .. } = other;
    device.addresses.extend(addresses);
    device.addresses.sort_unstable();
    device.addresses.dedup();
    add_rest(device, methods, rtt, snmp);
}

fn add(device: &mut DeviceObservation, host: HostObservation) {
    if device.addresses.last() != Some(&host.address) {
        device.addresses.push(host.address);
    }
    let snmp = host.snmp.map(|said| (host.address, said));
    add_rest(device, host.methods, host.rtt, snmp);
}

fn add_rest(device: &mut DeviceObservation, methods: Vec<Protocol>, rtt: Option<Duration>, snmp: Option<Said>) {
    for method in methods {
        if let Err(place) = device.methods.binary_search(&method) {
            device.methods.insert(place, method);
        }
    }
    device.rtt = match (device.rtt, rtt) {
        (Some(known), Some(new)) => Some(known.min(new)),
        (known, new) => known.or(new),
    };
    let told = snmp.as_ref().map_or(Told::Nothing, |(_, said)| Told::by(said, device.mac));
    let known = device.snmp.as_ref().map_or(Told::Nothing, |(_, said)| Told::by(said, device.mac));
    if told > known {
        device.snmp = snmp;
    }
}

/// How much what SNMP said counts as the word of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Nothing,
    Failure(SnmpFailure),
    Answer,
    /// An answer of the very station that was seen, by its interface table: not of one for which it
    /// answers ARP.
    OwnAnswer,
}

impl Told {
    fn by(said: &Result<SnmpAnswer, SnmpFailure>, station: Option<MacAddr>) -> Self {
        let has = |table: &Vec<Interface>| table.iter().any(|interface| interface.mac == station);
        match said {
            Err(failure) => Self::Failure(*failure),
            Ok(answer) if station.is_some() && answer.interfaces.as_ref().is_some_and(has) => Self::OwnAnswer,
            Ok(_) => Self::Answer,
        }
    }
}

/// What SNMP said, and at which address.
type Said = (Ipv4Addr, Result<SnmpAnswer, SnmpFailure>);

/// Who answered for each address, ascending; nobody by name where hardware addresses cannot be seen.
pub type Owners = BTreeMap<Ipv4Addr, BTreeSet<MacAddr>>;

/// Who answered for each address.
pub fn owners(devices: &[DeviceObservation]) -> Owners {
    let mut owners = Owners::new();
    for device in devices {
        for address in &device.addresses {
            owners.entry(*address).or_default().extend(device.mac);
        }
    }
    owners
}

/// The addresses for which more than one device answered, with those devices, ascending.
pub fn disputed(owners: &Owners) -> impl Iterator<Item = (Ipv4Addr, &BTreeSet<MacAddr>)> {
    owners.iter().filter(|(_, macs)| macs.len() > 1).map(|(address, macs)| (*address, macs))
}

#[cfg(test)]
mod tests;
