//! What the NIB knows, as it is shown to people and programs.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::app::folder::DataFolder;
use crate::domain::address::MacAddr;
use crate::domain::cycle::CycleReport;
use crate::domain::device::{Device, DeviceId, DeviceStatus};
use crate::domain::event::{Event, EventType};
pub use crate::domain::inventory::{DeviceView, SnmpView};
use crate::domain::time::Timestamp;
use crate::nib::sqlite::{OpenError, SqliteReader};
use crate::nib::{NibError, NibReader};

/// How many rows are held at once.
const PAGE: usize = 1_000;

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
        let counters = reader.counters(first.id, last.id)?;
        let mut shown = DeviceView::all(page.into_iter().filter(&keep), &facts);
        DeviceView::count(&mut shown, &counters);
        views.append(&mut shown);
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
        let (id, facts) = (device.id, reader.facts(device.id, device.id)?);
        let mut shown = [DeviceView::new(device, &facts)];
        DeviceView::count(&mut shown, &reader.counters(id, id)?);
        let [shown] = shown;
        Ok(shown)
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
    /// The last of what operators should look at: anomalies, and controllers that do not report.
    pub last_anomaly: Option<Event>,
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
    let mut last_anomaly: Option<Event> = None;
    for kind in EventType::ANOMALIES {
        let newest = reader.last_event(kind)?;
        last_anomaly = last_anomaly.into_iter().chain(newest).max_by_key(|event| event.seq);
    }
    let user = DataFolder::user(folder);
    Ok(FolderStatus {
        nib: path.to_owned(),
        running: user.is_some(),
        pid: user.and_then(|user| user.pid),
        started_at: reader.last_event(EventType::ControllerStarted)?.map(|event| event.timestamp),
        devices,
        events: reader.next_event()?.number(),
        last_cycle: reports.max_by_key(|(seq, _)| *seq).map(|(_, report)| report),
        last_anomaly,
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
