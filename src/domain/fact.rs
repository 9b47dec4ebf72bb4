//! Facts about a device: what one source said, by which protocol, and when.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::domain::address::MacAddr;
use crate::domain::device::DeviceId;
use crate::domain::names::named;
use crate::domain::protocol::Protocol;
use crate::domain::time::Timestamp;

/// One fact, keyed in the NIB by device, kind and source.
#[derive(Debug, Clone, PartialEq)]
pub struct FactRow {
    /// The device that it is about.
    pub device: DeviceId,
    /// What is known.
    pub fact: Fact,
    /// Who said it: the address that answered, or the name of a table.
    pub source: String,
    /// By which protocol; `None` for what was derived.
    pub protocol: Option<Protocol>,
    /// When this value was observed. Of two values the newer one stays.
    pub observed_at: Timestamp,
}

/// What is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum Fact {
    /// Whether the device's SNMP agent answers.
    SnmpReachability(SnmpReachability),
    /// The system group.
    SnmpSystem(SnmpSystem),
    /// How long the agent has been up.
    SnmpUptime(SnmpUptime),
    /// The interface table.
    SnmpInterfaces(Vec<Interface>),
    /// Why the device is taken to be of its type.
    TypeEvidence(Evidence),
    /// Why the device is taken to be of its vendor.
    VendorEvidence(Evidence),
    /// Addresses that were silent while the device answered at others, with the number of cycles.
    SilentAddresses(BTreeMap<Ipv4Addr, u32>),
}

/// The kinds of facts: the part of the key that a [`Fact`] carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactKind {
    /// [`Fact::SnmpReachability`].
    SnmpReachability,
    /// [`Fact::SnmpSystem`].
    SnmpSystem,
    /// [`Fact::SnmpUptime`].
    SnmpUptime,
    /// [`Fact::SnmpInterfaces`].
    SnmpInterfaces,
    /// [`Fact::TypeEvidence`].
    TypeEvidence,
    /// [`Fact::VendorEvidence`].
    VendorEvidence,
    /// [`Fact::SilentAddresses`].
    SilentAddresses,
}

named!(FactKind, FactKindError, "kind of fact",
    SnmpReachability => "snmp_reachability", SnmpSystem => "snmp_system",
    SnmpUptime => "snmp_uptime", SnmpInterfaces => "snmp_interfaces",
    TypeEvidence => "type_evidence", VendorEvidence => "vendor_evidence",
    SilentAddresses => "silent_addresses");

impl Fact {
    /// The kind of this fact.
    pub const fn kind(&self) -> FactKind {
        match self {
            Self::SnmpReachability(_) => FactKind::SnmpReachability,
            Self::SnmpSystem(_) => FactKind::SnmpSystem,
            Self::SnmpUptime(_) => FactKind::SnmpUptime,
            Self::SnmpInterfaces(_) => FactKind::SnmpInterfaces,
            Self::TypeEvidence(_) => FactKind::TypeEvidence,
            Self::VendorEvidence(_) => FactKind::VendorEvidence,
            Self::SilentAddresses(_) => FactKind::SilentAddresses,
        }
    }
}

/// Whether an SNMP agent answers, and if not, why it is thought so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnmpReachability {
    /// Whether it answered with a usable reply.
    pub reachable: bool,
    /// The reason when it did not.
    pub reason: Option<SnmpFailure>,
}

/// Why there are no facts by SNMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnmpFailure {
    /// No answer to any attempt: no agent, a firewall, or a community that it does not know (an
    /// agent is silent then, RFC 3416 section 4.2).
    Timeout,
    /// The host answered with ICMP port unreachable: no agent runs.
    PortUnreachable,
    /// The reply could not be decoded.
    Malformed,
    /// The agent answered with an error status.
    ErrorStatus,
}

named!(SnmpFailure, SnmpFailureError, "SNMP failure",
    Timeout => "timeout", PortUnreachable => "port_unreachable",
    Malformed => "malformed", ErrorStatus => "error_status");

/// The objects of the SNMPv2-MIB system group (RFC 3418) that change seldom. Strings are made
/// readable: octets that are not UTF-8 are replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnmpSystem {
    /// `sysDescr`: the system in its own words.
    pub sys_descr: Option<String>,
    /// `sysObjectID`: the vendor's identification of the model, dotted.
    pub sys_object_id: Option<String>,
    /// `sysName`: the administratively assigned name.
    pub sys_name: Option<String>,
    /// `sysLocation`: the physical location.
    pub sys_location: Option<String>,
    /// `sysServices`: one bit for each layer that the system serves.
    pub sys_services: Option<u32>,
}

/// `sysUpTime` (RFC 3418), read at the time of the fact. It wraps after 497 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnmpUptime {
    /// Whole seconds since the agent started.
    pub uptime_seconds: u64,
}

/// One row of `ifTable` (RFC 2863).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// `ifIndex`.
    pub index: u32,
    /// `ifDescr`.
    pub name: Option<String>,
    /// `ifType` (IANAifType-MIB).
    pub if_type: Option<u32>,
    /// `ifSpeed` in bit/s; 4,294,967,295 means that or more.
    pub speed: Option<u32>,
    /// `ifPhysAddress` when it is an EUI-48.
    pub mac: Option<MacAddr>,
    /// `ifAdminStatus` is up(1).
    pub admin_up: Option<bool>,
    /// `ifOperStatus` is up(1).
    pub oper_up: Option<bool>,
}

/// What a conclusion rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The conclusion.
    pub conclusion: String,
    /// The object or table that it was drawn from, `sysServices` for example.
    pub from: String,
    /// What that said.
    pub value: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_is_written_with_the_name_of_its_kind_and_read_back() {
        let facts = [
            Fact::SnmpReachability(SnmpReachability { reachable: false, reason: Some(SnmpFailure::PortUnreachable) }),
            Fact::SnmpSystem(SnmpSystem { sys_name: Some("core-1".into()), ..SnmpSystem::default() }),
            Fact::SnmpUptime(SnmpUptime { uptime_seconds: 42 }),
            Fact::SnmpInterfaces(vec![Interface { index: 1, ..Interface::default() }]),
            Fact::TypeEvidence(Evidence { conclusion: "router".into(), from: "sysServices".into(), value: "4".into() }),
            Fact::VendorEvidence(Evidence { conclusion: "Cisco".into(), from: "oui".into(), value: "00:1b:2f".into() }),
            Fact::SilentAddresses(BTreeMap::from([(Ipv4Addr::new(10, 0, 1, 7), 2)])),
        ];
        assert_eq!(facts.len(), FactKind::ALL.len());
        for fact in facts {
            let json = serde_json::to_value(&fact).unwrap();
            assert_eq!(json["kind"], fact.kind().as_str());
            assert_eq!(serde_json::from_value::<Fact>(json).unwrap(), fact);
            assert_eq!(fact.kind().as_str().parse(), Ok(fact.kind()));
        }
    }
}
