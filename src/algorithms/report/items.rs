//! The items of a stream: what changed, in pieces that fit into messages.

use serde::Serialize;

use super::facts;
use super::root::{StateRoot, trace};
use super::sharing::split;
use crate::algorithms::discovery::delta::KnownDevice;
use crate::domain::change::Change;
use crate::domain::device::{Device, DeviceId};
use crate::domain::digest::Digest;
use crate::domain::fact::FactRow;
use crate::domain::stream::{Stream, StreamChange};
use crate::domain::time::Timestamp;
use crate::wire::canonical::{self, CanonicalError};
use crate::wire::report::{MOST_ADDRESSES, Report, ReportedDevice, SnapshotPart, Summary};

/// The most octets of a name, a vendor or a version that are told.
const LONGEST_TEXT: usize = 1_024;

/// A device as it is told, without its facts.
pub fn told(device: &Device) -> ReportedDevice {
    let left_out = device.addresses.len().saturating_sub(MOST_ADDRESSES);
    ReportedDevice {
        id: device.id,
        mac: device.mac,
        addresses: device.addresses.iter().take(MOST_ADDRESSES).copied().collect(),
        addresses_omitted: u32::try_from(left_out).unwrap_or(u32::MAX),
        hostname: device.hostname.as_deref().map(clipped),
        vendor: device.vendor.as_deref().map(clipped),
        device_type: device.device_type,
        firmware: device.firmware.as_deref().map(clipped),
        status: device.status,
        region: device.region.clone(),
        local_controller: device.local_controller.clone(),
        first_seen: device.first_seen,
        last_seen: device.last_seen,
        missed_cycles: device.missed_cycles,
        methods: device.methods.clone(),
        facts: Vec::new(),
    }
}

/// A device as it is told, with these facts.
///
/// # Errors
/// [`CanonicalError`] for a fact that has no canonical form.
pub fn told_with<'a>(
    device: &Device,
    facts: impl IntoIterator<Item = &'a FactRow>,
) -> Result<ReportedDevice, CanonicalError> {
    let facts = facts.into_iter().filter_map(|row| facts::told(row).transpose()).collect::<Result<_, _>>()?;
    Ok(ReportedDevice { facts, ..told(device) })
}

/// The beginning of a text, at most so long as is told and taken.
pub(in crate::algorithms) fn clipped(text: &str) -> String {
    let end = text.floor_char_boundary(LONGEST_TEXT);
    text.get(..end).unwrap_or_default().to_owned()
}

/// Whether the tier above wants to know of this change. When a device was seen, by what and how fast,
/// and how often it was missed so far, goes with the next report about it.
pub fn is_news(before: &Device, after: &Device) -> bool {
    let watched = |device: &Device| ReportedDevice {
        last_seen: Timestamp::from_millis(0),
        missed_cycles: 0,
        methods: Vec::new(),
        ..told(device)
    };
    watched(before) != watched(after)
}

/// The items of one kind: the same frame around different devices.
pub trait Item: Serialize + Clone {
    /// The stream that they belong to.
    const STREAM: Stream;

    /// The frame around these devices, and without those that are gone.
    #[must_use]
    fn around(&self, devices: Vec<ReportedDevice>, removed: Vec<DeviceId>) -> Self;

    /// Without what only the last of several items says: the cycle, the root, and what was found.
    #[must_use]
    fn unfinished(self) -> Self;

    /// As this part of a snapshot.
    #[must_use]
    fn part(self, part: SnapshotPart) -> Self;
}

impl Item for Report {
    const STREAM: Stream = Stream::Reports;

    fn around(&self, devices: Vec<ReportedDevice>, removed: Vec<DeviceId>) -> Self {
        Self { devices, removed, ..self.clone() }
    }

    fn unfinished(self) -> Self {
        Self { cycle: None, state_root: None, ..self }
    }

    fn part(self, part: SnapshotPart) -> Self {
        Self { snapshot: Some(part), ..self }
    }
}

impl Item for Summary {
    const STREAM: Stream = Stream::Summaries;

    fn around(&self, devices: Vec<ReportedDevice>, removed: Vec<DeviceId>) -> Self {
        Self { devices, removed, ..self.clone() }
    }

    fn unfinished(self) -> Self {
        Self { state_root: None, anomalies: Vec::new(), ..self }
    }

    fn part(self, part: SnapshotPart) -> Self {
        Self { snapshot: Some(part), ..self }
    }
}

/// The changes that write items to their stream, in order.
///
/// # Errors
/// [`CanonicalError`] for what has no canonical form.
pub fn enqueue<I: Item>(items: &[I], at: Timestamp) -> Result<Vec<Change>, CanonicalError> {
    items.iter().map(|item| enqueued(item, at)).collect()
}

/// The change that writes one item to its stream.
///
/// # Errors
/// [`CanonicalError`] for what has no canonical form.
pub fn enqueued<I: Item>(item: &I, at: Timestamp) -> Result<Change, CanonicalError> {
    let body = String::from_utf8_lossy(&canonical::to_bytes(item)?).into_owned();
    Ok(Change::Stream(StreamChange::Enqueue { stream: I::STREAM, body, at }))
}

/// A snapshot of all devices: the items that replace whatever waits.
///
/// # Errors
/// [`CanonicalError`] for what has no canonical form.
pub fn snapshot<I: Item>(frame: &I, devices: &[KnownDevice]) -> Result<Vec<I>, CanonicalError> {
    let told = devices.iter().map(|known| told_with(&known.device, &known.facts)).collect::<Result<_, _>>()?;
    let pieces = split(frame, told, Vec::new())?;
    let parts = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
    let numbered = (1..).zip(pieces).map(|(number, piece)| match SnapshotPart::new(number, parts) {
        Ok(part) => piece.part(part),
        // There are not more than 2^32 of them.
        Err(_) => piece,
    });
    Ok(numbered.collect())
}

/// The root of these devices, ascending by id.
///
/// # Errors
/// [`CanonicalError`]: never for these values.
pub fn root_of(devices: &[KnownDevice]) -> Result<Digest, CanonicalError> {
    let mut root = StateRoot::default();
    for known in devices {
        root.add(&trace(&known.device, &known.facts.iter().collect())?)?;
    }
    Ok(root.finish())
}

#[cfg(test)]
pub(super) mod tests;
