//! Who is on the other end of a device's links: `lldpRemTable` and `cdpCacheTable`.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::cells::{address, cell, number, octets, station, text};
use super::table::{Columns, Index};
use crate::domain::fact::{Interface, Neighbour, NeighbourProtocol};
use crate::wire::mib;
use crate::wire::snmp::Value;

/// More neighbours than anybody has cables.
pub(super) const MOST_NEIGHBOURS: usize = 4_096;

/// A row of `lldpLocPortTable`: what the ports of `lldpRemTable` are called.
#[derive(Debug, Default)]
pub(super) struct LocalPort {
    kind: u32,
    id: Vec<u8>,
    description: Option<String>,
}

impl LocalPort {
    /// What people call it. Agents that identify a port by an address, as lldpd does, describe it by its name.
    fn name(&self) -> Option<String> {
        let identifier = || identifier(&PORT, self.kind, &self.id);
        if [PORT.mac, PORT.address].contains(&self.kind) {
            self.description.clone().or_else(identifier)
        } else {
            identifier().or_else(|| self.description.clone())
        }
    }
}

/// The columns of `lldpLocPortTable`, by the port's number.
pub(super) static LOCAL_PORTS: Columns<LocalPort> = &[
    (mib::LLDP_LOC_PORT_ID_SUBTYPE, |row, value| row.kind = number(value).unwrap_or(0)),
    (mib::LLDP_LOC_PORT_ID, |row, value| row.id = bounded(value)),
    (mib::LLDP_LOC_PORT_DESC, |row, value| row.description = cell(value)),
];

/// A row of `lldpRemTable`.
#[derive(Debug, Default)]
pub(super) struct Remote {
    chassis: (u32, Vec<u8>),
    port: (u32, Vec<u8>),
    port_description: Option<String>,
    name: Option<String>,
    description: Option<String>,
}

/// The columns of `lldpRemTable`, by time mark, the local port's number and a number of the neighbour.
pub(super) static REMOTES: Columns<Remote> = &[
    (mib::LLDP_REM_CHASSIS_ID_SUBTYPE, |row, value| row.chassis.0 = number(value).unwrap_or(0)),
    (mib::LLDP_REM_CHASSIS_ID, |row, value| row.chassis.1 = bounded(value)),
    (mib::LLDP_REM_PORT_ID_SUBTYPE, |row, value| row.port.0 = number(value).unwrap_or(0)),
    (mib::LLDP_REM_PORT_ID, |row, value| row.port.1 = bounded(value)),
    (mib::LLDP_REM_PORT_DESC, |row, value| row.port_description = cell(value)),
    (mib::LLDP_REM_SYS_NAME, |row, value| row.name = cell(value)),
    (mib::LLDP_REM_SYS_DESC, |row, value| row.description = cell(value)),
];

/// A row of `cdpCacheTable`.
#[derive(Debug, Default)]
pub(super) struct Cached {
    is_ip: bool,
    address: Vec<u8>,
    device: Option<String>,
    port: Option<String>,
    platform: Option<String>,
}

/// The columns of `cdpCacheTable`, by `ifIndex` and a number of the neighbour.
pub(super) static CACHE: Columns<Cached> = &[
    (mib::CDP_CACHE_ADDRESS_TYPE, |row, value| row.is_ip = number(value) == Some(1)),
    (mib::CDP_CACHE_ADDRESS, |row, value| row.address = bounded(value)),
    (mib::CDP_CACHE_DEVICE_ID, |row, value| row.device = cell(value)),
    (mib::CDP_CACHE_DEVICE_PORT, |row, value| row.port = cell(value)),
    (mib::CDP_CACHE_PLATFORM, |row, value| row.platform = cell(value)),
];

/// As many octets of an identifier as an identifier may have.
fn bounded(value: &Value) -> Vec<u8> {
    octets(value).map(|octets| octets.iter().copied().take(255).collect()).unwrap_or_default()
}

/// Neighbours that LLDP told, with the names of the local ports.
pub(super) fn of_lldp(rows: &BTreeMap<Index, Remote>, ports: &BTreeMap<Index, LocalPort>) -> Vec<Neighbour> {
    let neighbour = |(index, row): (&Index, &Remote)| {
        let [_, local, _] = **index else { return None };
        let local_port = ports.get(&[local][..]).and_then(LocalPort::name).unwrap_or_else(|| local.to_string());
        Some(Neighbour {
            protocol: NeighbourProtocol::Lldp,
            local_port,
            chassis: identifier(&CHASSIS, row.chassis.0, &row.chassis.1),
            port: identifier(&PORT, row.port.0, &row.port.1),
            port_description: row.port_description.clone(),
            name: row.name.clone(),
            description: row.description.clone(),
            address: (row.chassis.0 == CHASSIS.address).then(|| network_address(&row.chassis.1)).flatten(),
        })
    };
    // The time mark, which leads the index, says when a row changed: it is no order to show.
    let mut found: Vec<Neighbour> = rows.iter().filter_map(neighbour).collect();
    found.sort_by(|one, other| {
        (&one.local_port, &one.chassis, &one.port).cmp(&(&other.local_port, &other.chassis, &other.port))
    });
    found.dedup();
    found
}

/// Neighbours that CDP told, with the names of the interfaces.
pub(super) fn of_cdp(rows: &BTreeMap<Index, Cached>, interfaces: &[Interface]) -> Vec<Neighbour> {
    let neighbour = |(index, row): (&Index, &Cached)| {
        let [local, _] = **index else { return None };
        let interface = interfaces.iter().find(|interface| interface.index == local);
        Some(Neighbour {
            protocol: NeighbourProtocol::Cdp,
            local_port: interface.and_then(|one| one.name.clone()).unwrap_or_else(|| local.to_string()),
            chassis: row.device.clone(),
            port: row.port.clone(),
            port_description: None,
            name: row.device.clone(),
            description: row.platform.clone(),
            address: row.is_ip.then(|| address(&row.address)).flatten(),
        })
    };
    rows.iter().filter_map(neighbour).collect()
}

/// The subtypes of an identifier that are not text.
struct Subtypes {
    mac: u32,
    address: u32,
}

/// `LldpChassisIdSubtype` (IEEE 802.1AB, LLDP-MIB).
const CHASSIS: Subtypes = Subtypes { mac: 4, address: 5 };
/// `LldpPortIdSubtype`.
const PORT: Subtypes = Subtypes { mac: 3, address: 4 };

fn identifier(subtypes: &Subtypes, kind: u32, octets: &[u8]) -> Option<String> {
    if kind == subtypes.mac {
        station(octets).map(|mac| mac.to_string())
    } else if kind == subtypes.address {
        network_address(octets).map(|address| address.to_string())
    } else {
        None
    }
    .or_else(|| text(octets, 255))
}

/// An address family number of IANA, 1 for IPv4, and the address.
fn network_address(octets: &[u8]) -> Option<Ipv4Addr> {
    match octets {
        [1, rest @ ..] => address(rest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lldp_identifiers_are_read_by_their_subtype() {
        let remote = |chassis: (u32, &[u8]), port: (u32, &[u8])| Remote {
            chassis: (chassis.0, chassis.1.to_vec()),
            port: (port.0, port.1.to_vec()),
            name: Some("core-1".into()),
            ..Remote::default()
        };
        let rows = BTreeMap::from([
            ([900, 2, 1].into(), remote((4, &[0, 0x1b, 0x54, 0, 0, 1]), (5, b"Gi0/1"))),
            ([7, 3, 1].into(), remote((5, &[1, 10, 0, 1, 9]), (3, &[0, 0x1b, 0x54, 0, 0, 9]))),
            ([7, 3].into(), Remote::default()),
        ]);
        let port = LocalPort { kind: 5, id: b"eth2".to_vec(), description: None };
        let found = of_lldp(&rows, &BTreeMap::from([([2].into(), port)]));
        let told: Vec<_> = found
            .iter()
            .map(|one| (one.local_port.as_str(), one.chassis.as_deref(), one.port.as_deref(), one.address))
            .collect();
        let address = Ipv4Addr::new(10, 0, 1, 9);
        assert_eq!(
            told,
            [
                ("3", Some("10.0.1.9"), Some("00:1b:54:00:00:09"), Some(address)),
                ("eth2", Some("00:1b:54:00:00:01"), Some("Gi0/1"), None),
            ]
        );
    }

    #[test]
    fn a_port_that_is_identified_by_an_address_is_called_by_its_description() {
        let mac = vec![0, 0x1b, 0x54, 0, 0, 9];
        let port = |kind, id: &[u8], description: Option<&str>| LocalPort {
            kind,
            id: id.to_vec(),
            description: description.map(str::to_owned),
        };
        for (port, name) in [
            (port(3, &mac, Some("eth2")), Some("eth2")),
            (port(3, &mac, None), Some("00:1b:54:00:00:09")),
            (port(5, b"Gi0/1", Some("uplink")), Some("Gi0/1")),
            (port(5, b"", Some("uplink")), Some("uplink")),
            (port(3, b"", None), None),
        ] {
            assert_eq!(port.name().as_deref(), name);
        }
    }

    #[test]
    fn cdp_names_the_interface_it_was_heard_on() {
        let cached = Cached {
            is_ip: true,
            address: vec![10, 0, 1, 2],
            device: Some("dist-2.example".into()),
            port: Some("GigabitEthernet1/0/3".into()),
            platform: Some("cisco WS-C3850".into()),
        };
        let interface = Interface { index: 10_101, name: Some("Gi1/0/1".into()), ..Interface::default() };
        let found = of_cdp(&BTreeMap::from([([10_101, 4].into(), cached)]), &[interface]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].protocol, found[0].local_port.as_str()), (NeighbourProtocol::Cdp, "Gi1/0/1"));
        assert_eq!(found[0].address, Some(Ipv4Addr::new(10, 0, 1, 2)));
    }
}
