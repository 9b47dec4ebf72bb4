//! The items of a stream: what changed, in pieces that fit into messages.

use std::collections::BTreeMap;

use serde::Serialize;

use super::facts;
use super::root::{Trace, state_root, trace};
use crate::algorithms::discovery::delta::KnownDevice;
use crate::domain::change::Change;
use crate::domain::cycle::{CycleReport, DeltaCounts};
use crate::domain::device::{Device, DeviceId};
use crate::domain::fact::{FactRow, FactVersions};
use crate::domain::number::PolicyVersion;
use crate::domain::protocol::Protocol;
use crate::domain::stream::{Stream, StreamChange};
use crate::domain::time::Timestamp;
use crate::wire::canonical::{self, CanonicalError};
use crate::wire::report::{
    LARGEST_BODY, MOST_ADDRESSES, Report, ReportedCounts, ReportedCycle, ReportedDevice, SnapshotPart, Summary,
};

/// The most octets of a name, a vendor or a version that are told.
const LONGEST_TEXT: usize = 1_024;

/// Octets that are kept free for the number and the names around an item.
const FRAME: usize = 256;

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

    /// What only the last of several items says: the root, and what was found.
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
        Self { state_root: None, ..self }
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

/// Shares devices among as many items as are needed, each small enough. The frame's own devices are
/// passed over. There is always one item, if only to say that nothing changed.
///
/// # Errors
/// [`CanonicalError`] for what has no canonical form.
pub fn split<I: Item>(
    frame: &I,
    devices: Vec<ReportedDevice>,
    removed: Vec<DeviceId>,
) -> Result<Vec<I>, CanonicalError> {
    let frame = frame.around(Vec::new(), Vec::new());
    let empty = canonical::to_bytes(&frame)?.len() + FRAME;
    let whole = LARGEST_BODY.saturating_sub(empty);
    let mut pieces: Vec<Piece> = vec![(Vec::new(), Vec::new())];
    let mut room = whole;
    for device in devices {
        for (device, length) in cut(device, whole)? {
            open(&mut pieces, &mut room, whole, length);
            if let Some((told, _)) = pieces.last_mut() {
                told.push(device);
            }
        }
    }
    for id in removed {
        open(&mut pieces, &mut room, whole, canonical::to_bytes(&id)?.len());
        if let Some((_, gone)) = pieces.last_mut() {
            gone.push(id);
        }
    }
    let last = pieces.len() - 1;
    let items = pieces.into_iter().enumerate().map(|(place, (told, gone))| {
        let item = frame.around(told, gone);
        if place == last { item } else { item.unfinished() }
    });
    Ok(items.collect())
}

/// A device whose facts do not fit into one item, as several, each with some of them; and the length of
/// each.
fn cut(device: ReportedDevice, whole: usize) -> Result<Vec<(ReportedDevice, usize)>, CanonicalError> {
    let length = canonical::to_bytes(&device)?.len();
    if length <= whole || device.facts.is_empty() {
        return Ok(vec![(device, length)]);
    }
    let bare = ReportedDevice { facts: Vec::new(), ..device.clone() };
    let empty = canonical::to_bytes(&bare)?.len() + FRAME;
    let mut copies: Vec<(ReportedDevice, usize)> = vec![(bare.clone(), empty)];
    for fact in device.facts {
        // And a comma.
        let length = canonical::to_bytes(&fact)?.len() + 1;
        if copies.last().is_some_and(|(copy, sum)| !copy.facts.is_empty() && sum + length > whole) {
            copies.push((bare.clone(), empty));
        }
        if let Some((copy, sum)) = copies.last_mut() {
            copy.facts.push(fact);
            *sum += length;
        }
    }
    Ok(copies)
}

/// Devices that are told together, and those that are gone.
type Piece = (Vec<ReportedDevice>, Vec<DeviceId>);

/// Makes room for something of this length, in a new piece if the last one has none.
fn open(pieces: &mut Vec<Piece>, room: &mut usize, whole: usize, length: usize) {
    // And a comma.
    let length = length + 1;
    if length > *room && pieces.last().is_some_and(|(told, gone)| !(told.is_empty() && gone.is_empty())) {
        pieces.push((Vec::new(), Vec::new()));
        *room = whole;
    }
    *room = room.saturating_sub(length);
}

/// The changes that write items to their stream, in order.
///
/// # Errors
/// [`CanonicalError`] for what has no canonical form.
pub fn enqueue<I: Item>(items: &[I], at: Timestamp) -> Result<Vec<Change>, CanonicalError> {
    let written = |item: &I| {
        let body = String::from_utf8_lossy(&canonical::to_bytes(item)?).into_owned();
        Ok(Change::Stream(StreamChange::Enqueue { stream: I::STREAM, body, at }))
    };
    items.iter().map(written).collect()
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
pub fn root_of(devices: &[KnownDevice]) -> Result<crate::domain::digest::Digest, CanonicalError> {
    let traces = devices.iter().map(|known| trace(&known.device, &known.facts.iter().collect()));
    state_root(&traces.collect::<Result<Vec<Trace>, _>>()?)
}

/// What a Local Controller tells of a cycle, decided together with its changes: the changes that write
/// it to the stream. `known` are the devices before the cycle, ascending by id; `removed` those that
/// the same commit takes away.
///
/// # Errors
/// [`CanonicalError`] for what has no canonical form.
pub fn of_cycle(
    cycle: &CycleReport,
    policy_version: Option<PolicyVersion>,
    known: &[KnownDevice],
    changes: &[Change],
    removed: Vec<DeviceId>,
    now: Timestamp,
) -> Result<Vec<Change>, CanonicalError> {
    let mut after: BTreeMap<DeviceId, After<'_>> =
        known.iter().map(|known| (known.device.id, After::of(known))).collect();
    for change in changes {
        match change {
            Change::InsertDevice(device) | Change::UpdateDevice(device) => match after.get_mut(&device.id) {
                Some(known) => known.become_as(device),
                None => drop(after.insert(device.id, After::new(device))),
            },
            Change::TouchDevice { id, last_seen, methods, .. } => {
                after.entry(*id).and_modify(|known| known.touched = Some((*last_seen, methods)));
            }
            Change::PutFact(row) => {
                after.entry(row.device).and_modify(|known| known.learn(row));
            }
            _ => {}
        }
    }
    after.retain(|id, _| !removed.contains(id));
    let traces = after.values().map(|device| trace(device.device, &device.versions));
    let frame = Report {
        cycle: Some(reported(cycle)),
        policy_version,
        state_root: Some(state_root(&traces.collect::<Result<Vec<Trace>, _>>()?)?),
        ..Report::default()
    };
    let news = after.values().filter(|device| device.is_news).map(After::told).collect::<Result<_, _>>()?;
    enqueue(&split(&frame, news, removed)?, now)
}

/// A device after a cycle, as its changes say.
struct After<'a> {
    device: &'a Device,
    before: &'a [FactRow],
    touched: Option<(Timestamp, &'a [Protocol])>,
    learnt: Vec<&'a FactRow>,
    versions: FactVersions,
    is_news: bool,
}

impl<'a> After<'a> {
    fn of(known: &'a KnownDevice) -> Self {
        let versions = known.facts.iter().collect();
        let (device, before) = (&known.device, known.facts.as_slice());
        Self { device, before, touched: None, learnt: Vec::new(), versions, is_news: false }
    }

    fn new(device: &'a Device) -> Self {
        let versions = FactVersions::default();
        Self { device, before: &[], touched: None, learnt: Vec::new(), versions, is_news: true }
    }

    fn become_as(&mut self, device: &'a Device) {
        self.is_news |= is_news(self.device, device);
        self.device = device;
    }

    /// A fact that is older than the one that the NIB has is not taken there, so it is not told either.
    fn learn(&mut self, row: &'a FactRow) {
        let kind = row.fact.kind();
        if self.versions.get(kind, &row.source).is_some_and(|known| row.observed_at < known) {
            return;
        }
        let newest = self.before.iter().filter(|before| before.fact.kind() == kind).max_by_key(|row| row.observed_at);
        self.is_news |= facts::is_news(newest, row);
        self.versions.put(kind, row.source.clone(), row.observed_at);
        self.learnt.push(row);
    }

    fn told(&self) -> Result<ReportedDevice, CanonicalError> {
        let told = told_with(self.device, self.learnt.iter().copied())?;
        Ok(match self.touched {
            Some((last_seen, methods)) => {
                ReportedDevice { last_seen, methods: methods.to_vec(), missed_cycles: 0, ..told }
            }
            None => told,
        })
    }
}

fn reported(cycle: &CycleReport) -> ReportedCycle {
    ReportedCycle {
        trigger: cycle.trigger,
        completeness: cycle.completeness,
        started_at: cycle.started_at,
        duration_ms: whole_millis(cycle.duration_ms),
        counts: counted(cycle.delta),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the value is within the range that it is converted to"
)]
fn whole_millis(millis: f64) -> u32 {
    millis.round().clamp(0.0, f64::from(u32::MAX)) as u32
}

fn counted(counts: DeltaCounts) -> ReportedCounts {
    let bounded = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    ReportedCounts {
        new: bounded(counts.new),
        updated: bounded(counts.updated),
        unchanged: bounded(counts.unchanged),
        missed: bounded(counts.missed),
        inactive: bounded(counts.inactive),
    }
}

#[cfg(test)]
mod tests;
