//! What the NIB knows, as it is shown to people and programs.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::app::folder::DataFolder;
use crate::domain::address::MacAddr;
use crate::domain::cycle::{CycleReport, millis};
use crate::domain::device::{Device, DeviceId, DeviceStatus, DeviceType};
use crate::domain::event::EventType;
use crate::domain::fact::{Evidence, Fact, FactKind, FactRow, Interface, SnmpFailure};
use crate::domain::protocol::Protocol;
use crate::domain::time::Timestamp;
use crate::nib::sqlite::{OpenError, SqliteReader};
use crate::nib::{NibError, NibReader};

/// How many rows are held at once.
const PAGE: usize = 1_000;

/// A device with its facts, in the shape of the JSON output.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceView {
    /// Its identity; `null` for a scan that is not kept.
    pub device_id: Option<DeviceId>,
    /// Its hardware address.
    pub mac: Option<MacAddr>,
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
}

/// What SNMP told of a device. Facts stay when the agent is silent later.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SnmpView {
    /// Whether the agent answered when it was last asked.
    pub reachable: bool,
    /// Why not.
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
    /// The interface table.
    pub interfaces: Vec<Interface>,
}

impl DeviceView {
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
        view.interfaces.clone_from(interfaces);
    }
    Some(view)
}

/// All devices that the reader has, ascending, of one status or of all, and only those that `keep`
/// lets through.
///
/// # Errors
/// As [`NibReader::device`].
pub fn devices(
    reader: &dyn NibReader,
    status: Option<DeviceStatus>,
    keep: impl Fn(&Device) -> bool,
) -> Result<Vec<DeviceView>, NibError> {
    let mut views = Vec::new();
    let mut after = None;
    loop {
        let page = reader.devices(status, after, PAGE)?;
        let (Some(first), Some(last)) = (page.first(), page.last()) else { return Ok(views) };
        after = Some(last.id);
        let facts = reader.facts(first.id, last.id)?;
        for device in page.into_iter().filter(&keep) {
            let from = facts.partition_point(|row| row.device < device.id);
            let to = facts.partition_point(|row| row.device <= device.id);
            views.push(DeviceView::new(device, facts.get(from..to).unwrap_or_default()));
        }
    }
}

/// What names a device on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKey {
    /// Its identity.
    Id(DeviceId),
    /// Its hardware address.
    Mac(MacAddr),
    /// One of its addresses.
    Address(Ipv4Addr),
}

/// A text that cannot name a device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names no device; give an id (nib-dev-000047), an IPv4 address or a MAC address")]
pub struct DeviceKeyError {
    text: String,
}

impl std::str::FromStr for DeviceKey {
    type Err = DeviceKeyError;

    fn from_str(text: &str) -> Result<Self, DeviceKeyError> {
        let id = text.parse().map(Self::Id).ok();
        let mac = || text.parse().map(Self::Mac).ok();
        let address = || text.parse().map(Self::Address).ok();
        id.or_else(mac).or_else(address).ok_or_else(|| DeviceKeyError { text: text.to_owned() })
    }
}

/// The devices that the key names: none, one, or for a disputed address several.
///
/// # Errors
/// As [`NibReader::device`].
pub fn find(reader: &dyn NibReader, key: DeviceKey) -> Result<Vec<DeviceView>, NibError> {
    let found = match key {
        DeviceKey::Id(id) => reader.device(id)?.into_iter().collect(),
        DeviceKey::Mac(mac) => reader.device_by_mac(mac)?.into_iter().collect(),
        DeviceKey::Address(address) => reader.devices_by_address(address)?,
    };
    let view = |device: Device| {
        let facts = reader.facts(device.id, device.id)?;
        Ok(DeviceView::new(device, &facts))
    };
    found.into_iter().map(view).collect()
}

/// What can be told of a data folder without asking the controller that works on it.
#[derive(Debug, Clone, Serialize)]
pub struct FolderStatus {
    /// The database.
    pub nib: PathBuf,
    /// Whether a controller works on it.
    pub running: bool,
    /// The number of its process, where the system tells.
    pub pid: Option<u32>,
    /// When a controller was last started here.
    pub started_at: Option<Timestamp>,
    /// How many devices there are.
    pub devices: DeviceCounts,
    /// How many events there are.
    pub events: u64,
    /// The last cycle that was swept. One that could not begin has no report, only an event.
    pub last_cycle: Option<CycleReport>,
}

/// How many devices there are, by status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct DeviceCounts {
    /// Of all.
    pub total: u64,
    /// Seen in a recent cycle.
    pub active: u64,
    /// Missed too often.
    pub inactive: u64,
    /// Unreachable, quarantined or degraded.
    pub other: u64,
}

/// The status of a data folder.
///
/// # Errors
/// As [`NibReader::device`].
pub fn status(path: &Path, folder: &Path, reader: &dyn NibReader) -> Result<FolderStatus, NibError> {
    let mut devices = DeviceCounts::default();
    for (status, count) in reader.count_devices()? {
        devices.total += count;
        match status {
            DeviceStatus::Active => devices.active += count,
            DeviceStatus::Inactive => devices.inactive += count,
            DeviceStatus::Unreachable | DeviceStatus::Quarantined | DeviceStatus::Degraded => devices.other += count,
        }
    }
    let completed = reader.last_event(EventType::DiscoveryCycleCompleted)?;
    let failed = reader.last_event(EventType::DiscoveryCycleFailed)?;
    let reports = completed.into_iter().chain(failed).filter_map(|event| {
        let report: CycleReport = serde_json::from_value(event.payload).ok()?;
        Some((event.seq, report))
    });
    let user = DataFolder::user(folder);
    Ok(FolderStatus {
        nib: path.to_owned(),
        running: user.is_some(),
        pid: user.and_then(|user| user.pid),
        started_at: reader.last_event(EventType::ControllerStarted)?.map(|event| event.timestamp),
        devices,
        events: reader.next_event()?.number(),
        last_cycle: reports.max_by_key(|(seq, _)| *seq).map(|(_, report)| report),
    })
}

/// Opens the NIB of a data folder for reading, beside a running controller or alone.
///
/// # Errors
/// [`OpenError`].
pub fn open(path: &Path) -> Result<SqliteReader, OpenError> {
    SqliteReader::open(path)
}

#[cfg(test)]
mod tests;
