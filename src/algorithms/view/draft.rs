//! The rows that an item may touch, as they are and as they will be.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::algorithms::report::facts::digest;
use crate::algorithms::report::root::{Trace, is_there};
use crate::domain::address::MacAddr;
use crate::domain::change::Change;
use crate::domain::controller::{ControllerId, Region};
use crate::domain::device::{Device, DeviceId, DeviceStatus};
use crate::domain::digest::Digest;
use crate::domain::fact::{FactKind, FactRow};
use crate::domain::stream::Sighting;
use crate::wire::canonical::CanonicalError;

/// A fact's key.
pub type FactKey = (DeviceId, FactKind, String);

/// The key of a fact's row.
pub fn fact_key(row: &FactRow) -> FactKey {
    (row.device, row.fact.kind(), row.source.clone())
}

/// A sighting's key: who told, and the device's id there.
pub type Seen = (ControllerId, DeviceId);

/// What was read for an item: for each of its devices and of those that it may take away, the row,
/// everybody who told of it, and the row that has its hardware address.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// The devices.
    pub devices: BTreeMap<DeviceId, Device>,
    /// Who told of them. When the item has a root, or ends a snapshot, all that its reporter told.
    pub sightings: BTreeMap<Seen, Sighting>,
    /// The facts of those devices of which the item tells facts: all that are known of them.
    pub facts: BTreeMap<FactKey, FactRow>,
    /// The regions of those who told.
    pub regions: BTreeMap<ControllerId, Region>,
    /// The lowest device number that was never used.
    pub next: DeviceId,
    /// How many devices there are, by status.
    pub totals: BTreeMap<DeviceStatus, u64>,
    /// All devices of the view, ascending, where the item asks for a root to be told upward.
    pub census: Option<Vec<Trace>>,
}

impl Default for Rows {
    fn default() -> Self {
        Self {
            devices: BTreeMap::new(),
            sightings: BTreeMap::new(),
            facts: BTreeMap::new(),
            regions: BTreeMap::new(),
            next: DeviceId::from_number(1),
            totals: BTreeMap::new(),
            census: None,
        }
    }
}

/// Rows on which an item is applied.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub before: &'a Rows,
    pub devices: BTreeMap<DeviceId, Device>,
    pub sightings: BTreeMap<Seen, Sighting>,
    /// The facts that are new or not as they were.
    pub learnt: BTreeMap<FactKey, FactRow>,
    by_mac: BTreeMap<MacAddr, DeviceId>,
    by_device: BTreeMap<DeviceId, BTreeSet<Seen>>,
    next: DeviceId,
}

impl<'a> Draft<'a> {
    pub fn new(before: &'a Rows) -> Self {
        let mut by_device: BTreeMap<DeviceId, BTreeSet<Seen>> = BTreeMap::new();
        for (key, sighting) in &before.sightings {
            by_device.entry(sighting.device).or_default().insert(key.clone());
        }
        Self {
            before,
            devices: before.devices.clone(),
            sightings: before.sightings.clone(),
            learnt: BTreeMap::new(),
            by_mac: before.devices.values().filter_map(|device| Some((device.mac?, device.id))).collect(),
            by_device,
            next: before.next,
        }
    }

    pub fn by_mac(&self, mac: MacAddr) -> Option<DeviceId> {
        self.by_mac.get(&mac).copied()
    }

    /// A number for a new device.
    pub fn number(&mut self) -> DeviceId {
        let given = self.next;
        self.next = DeviceId::from_number(given.number().saturating_add(1));
        given
    }

    pub fn put(&mut self, device: Device) {
        if let Some(mac) = device.mac {
            self.by_mac.insert(mac, device.id);
        }
        self.devices.insert(device.id, device);
    }

    /// Puts a sighting; the device of the one that it replaces, when that was another one.
    pub fn see(&mut self, sighting: Sighting) -> Option<DeviceId> {
        let key = (sighting.reporter.clone(), sighting.reported);
        let here = sighting.device;
        let left = self.forget(&key).filter(|left| *left != here);
        self.by_device.entry(here).or_default().insert(key.clone());
        self.sightings.insert(key, sighting);
        left
    }

    /// Takes a sighting away; its device.
    pub fn forget(&mut self, key: &Seen) -> Option<DeviceId> {
        let device = self.sightings.remove(key)?.device;
        if let Some(seen) = self.by_device.get_mut(&device) {
            seen.remove(key);
        }
        Some(device)
    }

    /// Who tells of a device.
    pub fn told_of(&self, device: DeviceId) -> impl Iterator<Item = &Sighting> {
        self.by_device.get(&device).into_iter().flatten().filter_map(|key| self.sightings.get(key))
    }

    /// The sighting that the row follows.
    pub fn leading(&self, device: DeviceId) -> Option<&Sighting> {
        leading(self.told_of(device))
    }

    /// What one reporter told, ascending by its ids.
    pub fn told_by(&self, reporter: &ControllerId) -> impl Iterator<Item = &Sighting> {
        self.sightings.iter().filter(move |((by, _), _)| by == reporter).map(|(_, sighting)| sighting)
    }

    /// A fact as it is now.
    pub fn fact(&self, key: &FactKey) -> Option<&FactRow> {
        self.learnt.get(key).or_else(|| self.before.facts.get(key))
    }

    /// What was learnt of a device.
    pub fn learnt_of(&self, device: DeviceId) -> impl Iterator<Item = &FactRow> {
        of_device(&self.learnt, device)
    }

    /// The newest fact of a kind, before the item and after it.
    pub fn newest(&self, device: DeviceId, kind: FactKind) -> (Option<&'a FactRow>, Option<&FactRow>) {
        let of_kind = |row: &&FactRow| row.fact.kind() == kind;
        let before = of_device(&self.before.facts, device).filter(of_kind).max_by_key(|row| row.observed_at);
        let learnt = self.learnt_of(device).filter(of_kind).max_by_key(|row| row.observed_at);
        let after = before.into_iter().chain(learnt).max_by_key(|row| row.observed_at);
        (before, after)
    }

    /// What of one reporter's devices its parent knows.
    ///
    /// # Errors
    /// [`CanonicalError`]: never for these values.
    pub fn traces(&self, reporter: &ControllerId) -> Result<Vec<Trace>, CanonicalError> {
        let mac = |device| self.devices.get(&device).and_then(|device: &Device| device.mac);
        let trace = |seen: &Sighting| Ok((seen.reported, mac(seen.device), seen.is_active, digest(&seen.facts)?));
        self.told_by(reporter).map(trace).collect()
    }

    /// All devices of the view after the item.
    ///
    /// # Errors
    /// [`CanonicalError`]: never for these values.
    pub fn census(&self) -> Result<Option<Vec<Trace>>, CanonicalError> {
        let Some(before) = &self.before.census else { return Ok(None) };
        let mut all: BTreeMap<DeviceId, Trace> = before.iter().map(|trace| (trace.0, *trace)).collect();
        for device in self.devices.values() {
            let known = all.get(&device.id).and_then(|trace| trace.3);
            all.insert(
                device.id,
                (device.id, device.mac, is_there(device.status), self.facts_digest(device.id, known)?),
            );
        }
        Ok(Some(all.into_values().collect()))
    }

    /// The digest of a device's facts, which was `known` before the item.
    fn facts_digest(&self, device: DeviceId, known: Option<Digest>) -> Result<Option<Digest>, CanonicalError> {
        if self.learnt_of(device).next().is_none() {
            return Ok(known);
        }
        digest(&of_device(&self.before.facts, device).chain(self.learnt_of(device)).collect())
    }

    /// How many devices of each status there are after the item.
    pub fn totals(&self) -> BTreeMap<DeviceStatus, u64> {
        let mut totals = self.before.totals.clone();
        for device in self.before.devices.values() {
            if let Some(count) = totals.get_mut(&device.status) {
                *count = count.saturating_sub(1);
            }
        }
        self.devices.values().for_each(|device| *totals.entry(device.status).or_default() += 1);
        totals.retain(|_, count| *count > 0);
        totals
    }

    /// The devices that are new or not as they were, each with what it was.
    pub fn changed(&self) -> impl Iterator<Item = (Option<&'a Device>, &Device)> {
        self.both().filter(|(was, is)| *was != Some(*is))
    }

    /// The devices, each with what it was.
    pub fn both(&self) -> impl Iterator<Item = (Option<&'a Device>, &Device)> {
        let before = |id: &DeviceId| self.before.devices.get(id);
        self.devices.iter().map(move |(id, device)| (before(id), device))
    }

    /// What makes the rows of before those of after.
    pub fn changes(&self) -> Vec<Change> {
        let rows = self.changed().map(|(before, device)| match before {
            None => Change::InsertDevice(device.clone()),
            Some(_) => Change::UpdateDevice(device.clone()),
        });
        let told = self.sightings.iter().filter(|(key, seen)| self.before.sightings.get(*key) != Some(*seen));
        let gone = self.before.sightings.keys().filter(|key| !self.sightings.contains_key(*key));
        let learnt = self.learnt.values().cloned().map(Change::PutFact);
        rows.chain(learnt)
            .chain(told.map(|(_, seen)| Change::PutSighting(seen.clone())))
            .chain(
                gone.map(|(reporter, reported)| Change::DropSighting {
                    reporter: reporter.clone(),
                    reported: *reported,
                }),
            )
            .collect()
    }
}

/// The facts of one device, of several ascending by device.
fn of_device(facts: &BTreeMap<FactKey, FactRow>, device: DeviceId) -> impl Iterator<Item = &FactRow> {
    let [lowest, ..] = FactKind::ALL;
    facts.range((device, lowest, String::new())..).map(|(_, row)| row).take_while(move |row| row.device == device)
}

/// Of several who tell of a device, the one that the row follows: where it is there, rather than where
/// it is not; then who saw it last. Who comes first by name wins a tie, so that the order in which they
/// told does not matter.
pub(super) fn leading<'s>(sightings: impl Iterator<Item = &'s Sighting>) -> Option<&'s Sighting> {
    sightings.max_by_key(|seen| (seen.is_active, seen.last_seen, Reverse((&seen.reporter, seen.reported))))
}
