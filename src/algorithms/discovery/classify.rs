//! What a device is and who made it, concluded from what it and its address say.

use crate::algorithms::discovery::vendor::enterprise::{self, Enterprise};
use crate::algorithms::discovery::vendor::{Prefix, VendorTable};
use crate::domain::address::MacAddr;
use crate::domain::device::DeviceType::{self, Endpoint, Printer, Router, Server, Switch, Unknown};
use crate::domain::fact::Evidence;
use crate::wire::mib;
use crate::wire::oid::Oid;

mod description;

/// What is known about a device.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clues<'a> {
    /// Its hardware address.
    pub mac: Option<MacAddr>,
    /// `sysObjectID`, dotted.
    pub sys_object_id: Option<&'a str>,
    /// `sysDescr`.
    pub sys_descr: Option<&'a str>,
    /// `sysServices`.
    pub sys_services: Option<u32>,
}

/// What follows from the clues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conclusion {
    /// Who made it, and why that is thought.
    pub vendor: Option<(String, Evidence)>,
    /// What kind of thing it is.
    pub device_type: DeviceType,
    /// Why that is thought; `None` exactly when the type is unknown.
    pub type_evidence: Option<Evidence>,
    /// Its software and the version, `IOS 15.2(4)M6` for example.
    pub firmware: Option<String>,
}

/// Draws the conclusions, each from the strongest clue that says anything.
///
/// The vendor is told by the enterprise in `sysObjectID`, else by the hardware address: a network
/// card is often not made by the one who made the device, and a general agent (Net-SNMP, Windows)
/// says nothing about the device that it runs on.
///
/// The type is told by a subtree of `sysObjectID` that holds one kind of device, else by a product
/// that `sysDescr` names, by an enterprise that makes one kind, by a plain noun in `sysDescr`, by the
/// layers in `sysServices`, and at last by an owner of the hardware address who makes one kind.
pub fn conclude(clues: &Clues<'_>, vendors: &VendorTable) -> Conclusion {
    let object = clues.sys_object_id.and_then(|text| text.parse::<Oid>().ok());
    let known = Known {
        enterprise: object.as_ref().and_then(enterprise::of),
        object,
        owner: clues.mac.and_then(|mac| vendors.lookup(mac)),
    };
    let (device_type, type_evidence) =
        type_of(clues, &known).map_or((Unknown, None), |(kind, evidence)| (kind, Some(evidence)));
    let firmware = clues.sys_descr.and_then(description::firmware);
    Conclusion { vendor: vendor_of(clues, &known), device_type, type_evidence, firmware }
}

/// What tables know about the clues.
struct Known<'a> {
    object: Option<Oid>,
    enterprise: Option<&'static Enterprise>,
    owner: Option<(Prefix, &'a str)>,
}

fn vendor_of(clues: &Clues<'_>, known: &Known<'_>) -> Option<(String, Evidence)> {
    let (name, evidence) = match (known.enterprise.filter(|enterprise| enterprise.makes_devices), known.owner) {
        (Some(maker), _) => (maker.name, evidence(maker.name, "sysObjectID", clues.sys_object_id?)),
        (None, Some((prefix, name))) => (name, evidence(name, "oui", &prefix.to_string())),
        (None, None) => return None,
    };
    Some((name.to_owned(), evidence))
}

fn type_of(clues: &Clues<'_>, known: &Known<'_>) -> Option<(DeviceType, Evidence)> {
    let object = |kind: DeviceType| Some((kind, evidence(kind.as_str(), "sysObjectID", clues.sys_object_id?)));
    let descr = |kind: DeviceType| Some((kind, evidence(kind.as_str(), "sysDescr", clues.sys_descr?)));
    let by_services = || {
        let services = clues.sys_services?;
        type_of_services(services).map(|kind| (kind, evidence(kind.as_str(), "sysServices", &services.to_string())))
    };
    let by_owner = || {
        let (prefix, name) = known.owner?;
        type_of_owner(name).map(|kind| (kind, evidence(kind.as_str(), "oui", &format!("{prefix} ({name})"))))
    };
    let by_subtree = || type_of_object(known.object.as_ref()?).and_then(object);
    by_subtree()
        .or_else(|| description::type_by_product(clues.sys_descr?).and_then(descr))
        .or_else(|| known.enterprise?.device_type.and_then(object))
        .or_else(|| description::type_by_noun(clues.sys_descr?).and_then(descr))
        .or_else(by_services)
        .or_else(by_owner)
}

fn evidence(conclusion: &str, from: &str, value: &str) -> Evidence {
    Evidence { conclusion: conclusion.to_owned(), from: from.to_owned(), value: value.to_owned() }
}

/// Subtrees of `enterprises` that hold one kind of device, from the vendors' published MIBs.
const SUBTREES: &[(&[u32], DeviceType)] = &[
    (&[9, 12, 3, 1, 3], Switch),       // Cisco: chassis of Nexus and MDS
    (&[11, 2, 3, 7, 11], Switch),      // HP: hpEtherSwitch, ProCurve
    (&[11, 2, 3, 9], Printer),         // HP: network peripherals, JetDirect
    (&[311, 1, 1, 3, 1, 1], Endpoint), // Microsoft: workstation
    (&[311, 1, 1, 3, 1, 2], Server),   // Microsoft: server
    (&[311, 1, 1, 3, 1, 3], Server),   // Microsoft: domain controller
    (&[674, 10892], Server),           // Dell: server administration and iDRAC
    (&[674, 10895], Switch),           // Dell: PowerConnect
    (&[12356, 101], Router),           // Fortinet: FortiGate
    (&[12356, 106], Switch),           // Fortinet: FortiSwitch
];

fn type_of_object(object: &Oid) -> Option<DeviceType> {
    let below = object.suffix(&mib::ENTERPRISES)?;
    SUBTREES.iter().find(|(subtree, _)| below.starts_with(subtree)).map(|(_, kind)| *kind)
}

/// What the layers in `sysServices` tell: layer L adds 2^(L-1) (RFC 3418). Bridging without anything
/// above the network layer is a switch's, also when it routes; routing is a router's, with or
/// without bridged ports. A host has a network layer, too, but no bridge, and serves applications.
/// All seven bits at once come from agents that do not know, and say nothing.
fn type_of_services(services: u32) -> Option<DeviceType> {
    const BRIDGE: u32 = 0x02;
    const ROUTE: u32 = 0x04;
    const TRANSPORT: u32 = 0x08;
    const APPLICATIONS: u32 = 0x40;
    let has = |layers| services & layers == layers;
    if services & !0x4f != 0 || has(0x4f) {
        None
    } else if has(BRIDGE | ROUTE | APPLICATIONS) {
        Some(Router)
    } else if has(BRIDGE) {
        Some(Switch)
    } else if has(APPLICATIONS) {
        Some(Server)
    } else if has(ROUTE) {
        Some(Router)
    } else if has(TRANSPORT) {
        Some(Endpoint)
    } else {
        None
    }
}

/// Owners of hardware addresses who make nearly one kind of device, by how their names begin.
const OWNERS: &[(&str, DeviceType)] = &[
    ("american power conversion", Endpoint),
    ("arista network", Switch),
    ("axis communications", Endpoint),
    ("brother industries", Printer),
    ("espressif", Endpoint),
    ("hangzhou hikvision", Endpoint),
    ("lexmark", Printer),
    ("palo alto networks", Router),
    ("routerboard.com", Router),
    ("sonos, inc", Endpoint),
    ("super micro computer", Server),
    ("synology", Server),
];

fn type_of_owner(name: &str) -> Option<DeviceType> {
    let name = name.to_ascii_lowercase();
    OWNERS.iter().find(|(start, _)| name.starts_with(start)).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests;
