//! A device and its facts, as they are shown to people and programs.

use std::net::Ipv4Addr;

use serde::Serialize;

use crate::domain::address::MacAddr;
use crate::domain::controller::ControllerId;
use crate::domain::counters::{Counters, InterfaceCounters, NoTraffic};
use crate::domain::cycle::millis;
use crate::domain::device::{Device, DeviceId, DeviceStatus, DeviceType};
use crate::domain::fact::{Evidence, Fact, FactKind, FactRow, Interface, Neighbour, SnmpEngine, SnmpFailure};
use crate::domain::protocol::Protocol;
use crate::domain::time::Timestamp;

/// A device with its facts, in the shape of the JSON output.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceView {
    /// Its identity; `null` for a scan that is not kept.
    pub device_id: Option<DeviceId>,
    /// Its hardware address.
    pub mac: Option<MacAddr>,
    /// Whether its address is all that it is known by: it showed no hardware address, and its agent told
    /// nothing of who it is. It becomes another device when more is learnt.
    pub provisional: bool,
    /// Its addresses, ascending.
    pub ip_addresses: Vec<Ipv4Addr>,
    /// The name that it gives itself.
    pub hostname: Option<String>,
    /// Who made it.
    pub vendor: Option<String>,
    /// What kind of thing it is.
    pub device_type: DeviceType,
    /// Its software.
    pub firmware: Option<String>,
    /// What it answered when it was last seen.
    pub methods: Vec<Protocol>,
    /// The round-trip time then, in milliseconds.
    pub rtt_ms: Option<f64>,
    /// What SNMP told; `null` when it was never asked.
    pub snmp: Option<SnmpView>,
    /// Whether it is there.
    pub status: DeviceStatus,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// Cycles in a row that it missed.
    pub missed_cycles: u32,
    /// The zone of the controller that found it.
    pub region: Option<String>,
    /// The Local Controller that owns it.
    pub local_controller: Option<String>,
    /// Why it is taken to be of its vendor.
    pub vendor_evidence: Option<Evidence>,
    /// Why it is taken to be of its type.
    pub type_evidence: Option<Evidence>,
    /// Where everything that is known of it comes from.
    pub facts: Vec<FactView>,
}

/// Where a fact comes from; what it says stands elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FactView {
    /// What it is about.
    pub kind: FactKind,
    /// Who said it: the address that answered, or the name of a table.
    pub source: String,
    /// By which protocol; `null` for what was derived.
    pub protocol: Option<Protocol>,
    /// When this value was observed.
    pub observed_at: Timestamp,
    /// The Local Controller that observed it; `null` where it is the one that is asked.
    pub observer: Option<ControllerId>,
    /// How many octets it has, when it is too long to be known here.
    pub withheld_octets: Option<u32>,
}

impl From<&FactRow> for FactView {
    fn from(row: &FactRow) -> Self {
        let withheld_octets = match row.fact {
            Fact::Withheld(withheld) => Some(withheld.octets),
            _ => None,
        };
        let FactRow { source, protocol, observed_at, observer, .. } = row.clone();
        Self { kind: row.fact.kind(), source, protocol, observed_at, observer, withheld_octets }
    }
}

/// What SNMP told of a device. Facts stay when the agent is silent later.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SnmpView {
    /// Whether the agent answered when it was last asked.
    pub reachable: bool,
    /// Why not, or why it did not tell everything.
    pub reason: Option<SnmpFailure>,
    /// `sysDescr`.
    pub sys_descr: Option<String>,
    /// `sysObjectID`.
    pub sys_object_id: Option<String>,
    /// `sysName`.
    pub sys_name: Option<String>,
    /// `sysLocation`.
    pub sys_location: Option<String>,
    /// `sysUpTime` when it was last told, in seconds.
    pub uptime_seconds: Option<u64>,
    /// When the uptime was told.
    pub read_at: Option<Timestamp>,
    /// Its engine, if it has ever told one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<SnmpEngine>,
    /// The interface table.
    pub interfaces: Vec<InterfaceView>,
    /// Who is on the other end of its links; nothing unless it is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub neighbours: Vec<Neighbour>,
}

/// An interface, and what went through it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InterfaceView {
    /// The interface.
    #[serde(flatten)]
    pub interface: Interface,
    /// The traffic when it was last counted; nothing unless it is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic: Option<TrafficView>,
}

/// What went through an interface between two readings of its counters; `null` for what is not known.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrafficView {
    /// When the counters were last read.
    pub read_at: Timestamp,
    /// When they were read before; `null` when they were not.
    pub since: Option<Timestamp>,
    /// The time between, by the agent's own clock.
    pub seconds: Option<f64>,
    /// Received, in bit/s.
    pub in_bits_per_second: Option<u64>,
    /// Sent, in bit/s.
    pub out_bits_per_second: Option<u64>,
    /// Packets that could not be received.
    pub in_errors: Option<u32>,
    /// Packets that could not be sent.
    pub out_errors: Option<u32>,
    /// Packets that were received and dropped.
    pub in_discards: Option<u32>,
    /// Packets that were to be sent and dropped.
    pub out_discards: Option<u32>,
    /// The width of the counters of octets.
    pub counter_bits: u32,
    /// Why something is not known.
    pub reason: Option<NoTraffic>,
}

impl TrafficView {
    fn new(read_at: Timestamp, counted: &InterfaceCounters) -> Self {
        let InterfaceCounters { reading, traffic, .. } = counted;
        let (in_bits_per_second, out_bits_per_second) = traffic.bits_per_second();
        Self {
            read_at,
            since: traffic.since,
            seconds: traffic.duration().map(|span| span.as_secs_f64()),
            in_bits_per_second,
            out_bits_per_second,
            in_errors: traffic.in_errors,
            out_errors: traffic.out_errors,
            in_discards: traffic.in_discards,
            out_discards: traffic.out_discards,
            counter_bits: reading.width.bits(),
            reason: traffic.reason,
        }
    }
}

impl DeviceView {
    /// Adds what went through the interfaces. The counters are those of all devices, ascending.
    pub fn count(views: &mut [Self], counters: &[Counters]) {
        for view in views {
            let of = |id: DeviceId| counters.binary_search_by_key(&id, |counters| counters.device).ok();
            let counters = view.device_id.and_then(of).and_then(|place| counters.get(place));
            let Some((Counters { read_at, interfaces, .. }, snmp)) = counters.zip(view.snmp.as_mut()) else { continue };
            for shown in &mut snmp.interfaces {
                let place = interfaces.binary_search_by_key(&shown.interface.index, |counted| counted.index).ok();
                let counted = place.and_then(|place| interfaces.get(place));
                shown.traffic = counted.map(|counted| TrafficView::new(*read_at, counted));
            }
        }
    }

    /// The views of these rows. The facts are those of all of them, ascending by device.
    pub fn all(devices: impl IntoIterator<Item = Device>, facts: &[FactRow]) -> Vec<Self> {
        let own = |device: &Device| {
            let from = facts.partition_point(|row| row.device < device.id);
            let to = facts.partition_point(|row| row.device <= device.id);
            facts.get(from..to).unwrap_or_default()
        };
        let view = |device: Device| {
            let facts = own(&device);
            Self::new(device, facts)
        };
        devices.into_iter().map(view).collect()
    }

    /// The view of a row and its facts.
    pub fn new(device: Device, facts: &[FactRow]) -> Self {
        let newest = |kind| facts.iter().filter(|row| row.fact.kind() == kind).max_by_key(|row| row.observed_at);
        let evidence = |kind| match newest(kind).map(|row| &row.fact) {
            Some(Fact::VendorEvidence(evidence) | Fact::TypeEvidence(evidence)) => Some(evidence.clone()),
            _ => None,
        };
        Self {
            device_id: Some(device.id),
            mac: device.mac,
            provisional: device.mac.is_none() && !facts.iter().any(|row| row.fact.tells_who()),
            ip_addresses: device.addresses,
            hostname: device.hostname,
            vendor: device.vendor,
            device_type: device.device_type,
            firmware: device.firmware,
            methods: device.methods,
            rtt_ms: device.rtt.map(millis),
            snmp: snmp(newest),
            status: device.status,
            first_seen: device.first_seen,
            last_seen: device.last_seen,
            missed_cycles: device.missed_cycles,
            region: device.region.map(String::from),
            local_controller: device.local_controller.map(String::from),
            vendor_evidence: evidence(FactKind::VendorEvidence),
            type_evidence: evidence(FactKind::TypeEvidence),
            facts: facts.iter().map(FactView::from).collect(),
        }
    }
}

fn snmp<'a>(newest: impl Fn(FactKind) -> Option<&'a FactRow>) -> Option<SnmpView> {
    let Some(Fact::SnmpReachability(asked)) = newest(FactKind::SnmpReachability).map(|row| &row.fact) else {
        return None;
    };
    let mut view = SnmpView { reachable: asked.reachable, reason: asked.reason, ..SnmpView::default() };
    if let Some(Fact::SnmpSystem(system)) = newest(FactKind::SnmpSystem).map(|row| &row.fact) {
        let system = system.clone();
        (view.sys_descr, view.sys_object_id) = (system.sys_descr, system.sys_object_id);
        (view.sys_name, view.sys_location) = (system.sys_name, system.sys_location);
    }
    if let Some(FactRow { fact: Fact::SnmpUptime(uptime), observed_at, .. }) = newest(FactKind::SnmpUptime) {
        (view.uptime_seconds, view.read_at) = (Some(uptime.uptime_seconds), Some(*observed_at));
    }
    if let Some(Fact::SnmpInterfaces(interfaces)) = newest(FactKind::SnmpInterfaces).map(|row| &row.fact) {
        let shown = |interface: &Interface| InterfaceView { interface: interface.clone(), traffic: None };
        view.interfaces = interfaces.iter().map(shown).collect();
    }
    if let Some(Fact::SnmpEngine(engine)) = newest(FactKind::SnmpEngine).map(|row| &row.fact) {
        view.engine = Some(engine.clone());
    }
    if let Some(Fact::Neighbours(neighbours)) = newest(FactKind::Neighbours).map(|row| &row.fact) {
        view.neighbours.clone_from(neighbours);
    }
    Some(view)
}
