//! Facts about a device: what one source said, by which protocol, and when.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::domain::address::MacAddr;
use crate::domain::controller::ControllerId;
use crate::domain::device::DeviceId;
use crate::domain::digest::Digest;
use crate::domain::engine::EngineId;
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
    /// When this value was observed. Of two values the newer one stays, so it is after the one that it
    /// follows, also where the observer's clock was set back.
    pub observed_at: Timestamp,
    /// The controller that observed it; `None` for the one whose NIB this is.
    pub observer: Option<ControllerId>,
}

/// What is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The engine of SNMP v3.
    SnmpEngine(SnmpEngine),
    /// Who is on the other end of its links, as it tells.
    Neighbours(Vec<Neighbour>),
    /// Why the device is taken to be of its type.
    TypeEvidence(Evidence),
    /// Why the device is taken to be of its vendor.
    VendorEvidence(Evidence),
    /// Addresses that were silent while the device answered at others, with the number of cycles.
    SilentAddresses(BTreeMap<Ipv4Addr, u32>),
    /// One of the others, whose value is too long to be told by the controller that has it.
    #[serde(skip)]
    Withheld(Withheld),
}

/// What is known of a value that was not told: enough to see whether it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Withheld {
    /// The kind of the fact.
    pub kind: FactKind,
    /// How many octets its canonical JSON has.
    pub octets: u32,
    /// The SHA-256 of that.
    pub digest: Digest,
}

/// The kinds of facts: the part of the key that a [`Fact`] carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactKind {
    /// [`Fact::SnmpReachability`].
    SnmpReachability,
    /// [`Fact::SnmpSystem`].
    SnmpSystem,
    /// [`Fact::SnmpUptime`].
    SnmpUptime,
    /// [`Fact::SnmpInterfaces`].
    SnmpInterfaces,
    /// [`Fact::SnmpEngine`].
    SnmpEngine,
    /// [`Fact::Neighbours`].
    Neighbours,
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
    SnmpEngine => "snmp_engine", Neighbours => "neighbours",
    TypeEvidence => "type_evidence", VendorEvidence => "vendor_evidence",
    SilentAddresses => "silent_addresses");

impl Fact {
    /// Whether it tells one device from all others: an engine id, or a hardware address.
    pub fn tells_who(&self) -> bool {
        match self {
            Self::SnmpEngine(_) => true,
            Self::SnmpInterfaces(table) => table.iter().any(|interface| interface.mac.is_some()),
            _ => false,
        }
    }

    /// The kind of this fact.
    pub const fn kind(&self) -> FactKind {
        match self {
            Self::SnmpReachability(_) => FactKind::SnmpReachability,
            Self::SnmpSystem(_) => FactKind::SnmpSystem,
            Self::SnmpUptime(_) => FactKind::SnmpUptime,
            Self::SnmpInterfaces(_) => FactKind::SnmpInterfaces,
            Self::SnmpEngine(_) => FactKind::SnmpEngine,
            Self::Neighbours(_) => FactKind::Neighbours,
            Self::TypeEvidence(_) => FactKind::TypeEvidence,
            Self::VendorEvidence(_) => FactKind::VendorEvidence,
            Self::SilentAddresses(_) => FactKind::SilentAddresses,
            Self::Withheld(withheld) => withheld.kind,
        }
    }
}

/// Which facts of a device are known, each with the time at which its value was observed: a fact is
/// written when it changes, so the time tells which value it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(FactKind, String, Timestamp)>", into = "Vec<(FactKind, String, Timestamp)>")]
pub struct FactVersions(BTreeMap<(FactKind, String), Timestamp>);

impl FactVersions {
    /// When the value that is known of this fact was observed.
    pub fn get(&self, kind: FactKind, source: &str) -> Option<Timestamp> {
        self.0.get(&(kind, source.to_owned())).copied()
    }

    /// Notes that the value is known that was observed then.
    pub fn put(&mut self, kind: FactKind, source: String, observed_at: Timestamp) {
        self.0.insert((kind, source), observed_at);
    }

    /// Only those of some kinds.
    #[must_use]
    pub fn of_kinds(mut self, wanted: impl Fn(FactKind) -> bool) -> Self {
        self.0.retain(|(kind, _), _| wanted(*kind));
        self
    }

    /// Whether no fact is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<(FactKind, String, Timestamp)>> for FactVersions {
    fn from(list: Vec<(FactKind, String, Timestamp)>) -> Self {
        Self(list.into_iter().map(|(kind, source, observed_at)| ((kind, source), observed_at)).collect())
    }
}

impl From<FactVersions> for Vec<(FactKind, String, Timestamp)> {
    fn from(FactVersions(versions): FactVersions) -> Self {
        versions.into_iter().map(|((kind, source), observed_at)| (kind, source, observed_at)).collect()
    }
}

impl<'a> FromIterator<&'a FactRow> for FactVersions {
    fn from_iter<I: IntoIterator<Item = &'a FactRow>>(rows: I) -> Self {
        Self(rows.into_iter().map(|row| ((row.fact.kind(), row.source.clone()), row.observed_at)).collect())
    }
}

/// Whether an SNMP agent answers, and what is in the way of knowing more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnmpReachability {
    /// Whether it answered with a usable reply.
    pub reachable: bool,
    /// The reason when it did not, or when it did and did not tell everything.
    pub reason: Option<SnmpFailure>,
}

/// Why there are no facts by SNMP, or not all that were asked for.
///
/// They stand, and compare, by how much they tell, the least first: silence, then any word, then how far
/// a message got with the agent, in the order in which RFC 3414 section 3.2 has it judge one: engine, user,
/// level, digest, time, encryption. Of an agent that was asked in several ways the greatest is told: which
/// user it does not know says little where it knows another one, by another password.
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
    /// The agent says that its engine has another name than the one it just told.
    UnknownEngine,
    /// The agent speaks SNMP v3 and does not know the user.
    UnknownUser,
    /// The agent told its engine's name and nothing to the user: it discards without a word what it
    /// cannot authenticate or decrypt. A user that it does not know it would mostly have refused.
    UserUnanswered,
    /// The agent does not have this protection for the user: its authentication or privacy protocol.
    UnsupportedLevel,
    /// The agent knows the user, and by another password or authentication protocol.
    WrongPassword,
    /// The agent's clock and ours did not agree, also after ours was set by its own.
    NotInTimeWindow,
    /// The agent could not decrypt what it was asked: another privacy password or protocol.
    DecryptionError,
    /// The agent does not have the context.
    UnknownContext,
    /// The agent answered with an error status.
    ErrorStatus,
    /// The agent answered, and to a later question not any more.
    FellSilent,
    /// A table went on for longer than any has rows, or than anybody waits.
    TableTooLong,
    /// A table went backwards or in a circle; what came before is kept.
    TableLoops,
}

named!(SnmpFailure, SnmpFailureError, "SNMP failure",
    Timeout => "timeout", PortUnreachable => "port_unreachable", Malformed => "malformed",
    UnknownEngine => "unknown_engine", UnknownUser => "unknown_user", UserUnanswered => "user_unanswered",
    UnsupportedLevel => "unsupported_level", WrongPassword => "wrong_password",
    NotInTimeWindow => "not_in_time_window", DecryptionError => "decryption_error",
    UnknownContext => "unknown_context", ErrorStatus => "error_status",
    FellSilent => "fell_silent", TableTooLong => "table_too_long", TableLoops => "table_loops");

/// The engine of an agent: as an authenticated answer of SNMP v3 tells it, or the agent's own
/// `snmpEngine` group (RFC 3411), which is as true as everything else that a community is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnmpEngine {
    /// Its name, which no other has, unless it was copied with a disk image.
    pub engine_id: EngineId,
    /// `snmpEngineBoots`: how often it has started since it was given its name.
    pub boots: u32,
}

/// The protocol that a device knows a neighbour by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NeighbourProtocol {
    /// IEEE 802.1AB, by `lldpRemTable` of the LLDP-MIB.
    Lldp,
    /// Cisco's, by `cdpCacheTable` of the CISCO-CDP-MIB.
    Cdp,
}

named!(NeighbourProtocol, NeighbourProtocolError, "neighbour protocol", Lldp => "lldp", Cdp => "cdp");

/// Who is on the other end of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neighbour {
    /// The protocol whose table says so. An agent may show there whom it heard by another one, as lldpd shows
    /// those who speak CDP.
    pub protocol: NeighbourProtocol,
    /// This device's port: its name, else its address, else its number.
    pub local_port: String,
    /// What identifies the other device: a MAC address, an IP address or a name.
    pub chassis: Option<String>,
    /// The other device's port.
    pub port: Option<String>,
    /// What the other device says about that port.
    pub port_description: Option<String>,
    /// The other device's name.
    pub name: Option<String>,
    /// What the other device is, in its own words.
    pub description: Option<String>,
    /// An address of the other device.
    pub address: Option<Ipv4Addr>,
}

/// The objects of the SNMPv2-MIB system group (RFC 3418) that change seldom. Strings are made
/// readable: octets that are not UTF-8 are replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
#[serde(deny_unknown_fields)]
pub struct SnmpUptime {
    /// Whole seconds since the agent started.
    pub uptime_seconds: u64,
}

/// One row of `ifTable` (RFC 2863).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
#[serde(deny_unknown_fields)]
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
    fn a_reason_that_tells_more_is_greater() {
        use SnmpFailure::{DecryptionError, ErrorStatus, Malformed, NotInTimeWindow, PortUnreachable, Timeout};
        use SnmpFailure::{UnknownEngine, UnknownUser, UnsupportedLevel, UserUnanswered, WrongPassword};
        assert!(SnmpFailure::ALL.is_sorted_by(|less, more| less < more));
        assert!(SnmpFailure::ALL.iter().skip(1).all(|word| *word > Timeout), "any word tells more than silence");
        for (less, more) in [
            (PortUnreachable, UnknownEngine),
            (Malformed, UnknownUser),
            (UnknownEngine, UnknownUser),
            (UnknownUser, UserUnanswered),
            (UserUnanswered, UnsupportedLevel),
            (UnsupportedLevel, WrongPassword),
            (WrongPassword, NotInTimeWindow),
            (NotInTimeWindow, DecryptionError),
            (DecryptionError, ErrorStatus),
        ] {
            assert!(less < more, "{less} {more}");
        }
    }

    #[test]
    fn a_fact_is_written_with_the_name_of_its_kind_and_read_back() {
        let facts = [
            Fact::SnmpReachability(SnmpReachability { reachable: false, reason: Some(SnmpFailure::PortUnreachable) }),
            Fact::SnmpSystem(SnmpSystem { sys_name: Some("core-1".into()), ..SnmpSystem::default() }),
            Fact::SnmpUptime(SnmpUptime { uptime_seconds: 42 }),
            Fact::SnmpInterfaces(vec![Interface { index: 1, ..Interface::default() }]),
            Fact::SnmpEngine(SnmpEngine { engine_id: "80001f8804".parse().unwrap(), boots: 3 }),
            Fact::Neighbours(vec![Neighbour {
                protocol: NeighbourProtocol::Lldp,
                local_port: "eth1".into(),
                chassis: Some("00:1b:54:00:00:01".into()),
                port: Some("Gi0/1".into()),
                port_description: None,
                name: Some("core-1".into()),
                description: None,
                address: Some(Ipv4Addr::new(10, 0, 1, 1)),
            }]),
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
            assert_eq!(serde_json::to_value(fact.kind()).unwrap(), fact.kind().as_str());
        }
    }

    #[test]
    fn versions_are_written_in_the_order_of_their_keys_and_read_back() {
        let mut versions = FactVersions::default();
        assert!(versions.is_empty());
        versions.put(FactKind::SnmpUptime, "b".to_owned(), Timestamp::from_millis(2));
        versions.put(FactKind::SnmpSystem, "b".to_owned(), Timestamp::from_millis(1));
        versions.put(FactKind::SnmpSystem, "a".to_owned(), Timestamp::from_millis(3));
        let json = serde_json::to_value(&versions).unwrap();
        let (one, other) = ("1970-01-01T00:00:00.001Z", "1970-01-01T00:00:00.003Z");
        let system = serde_json::json!([["snmp_system", "a", other], ["snmp_system", "b", one]]);
        assert_eq!(json.as_array().unwrap()[..2], system.as_array().unwrap()[..]);
        assert_eq!(serde_json::from_value::<FactVersions>(json).unwrap(), versions);
        assert_eq!(versions.get(FactKind::SnmpUptime, "b"), Some(Timestamp::from_millis(2)));
        let few = versions.of_kinds(|kind| kind == FactKind::SnmpSystem);
        assert_eq!(serde_json::to_value(few).unwrap(), system);
    }
}
