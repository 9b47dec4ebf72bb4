//! What a Local Controller tells of a cycle, written while the cycle is decided: device by device, so
//! that neither the news nor what the root is computed from is ever held as a whole.

use std::collections::BTreeMap;

use super::facts;
use super::items::{enqueued, is_news, told_with};
use super::root::{StateRoot, trace};
use super::sharing::Sharing;
use crate::algorithms::discovery::delta::KnownDevice;
use crate::domain::change::Change;
use crate::domain::cycle::{CycleReport, DeltaCounts};
use crate::domain::device::{Device, DeviceId};
use crate::domain::digest::Digest;
use crate::domain::fact::{FactRow, FactVersions};
use crate::domain::number::PolicyVersion;
use crate::domain::protocol::Protocol;
use crate::domain::time::Timestamp;
use crate::wire::canonical::CanonicalError;
use crate::wire::report::{Report, ReportedCounts, ReportedCycle, ReportedDevice};

/// What is told of a cycle that is being decided. It holds one item, and the ids of the rows that are
/// no more.
#[derive(Debug)]
pub struct CycleTelling {
    policy_version: Option<PolicyVersion>,
    now: Timestamp,
    sharing: Sharing<Report>,
    root: StateRoot,
    removed: Vec<DeviceId>,
}

impl CycleTelling {
    /// Of this cycle, whose counts and duration are not known yet.
    ///
    /// # Errors
    /// [`CanonicalError`]: never for these values.
    pub fn new(
        cycle: &CycleReport,
        policy_version: Option<PolicyVersion>,
        now: Timestamp,
    ) -> Result<Self, CanonicalError> {
        let most = u32::MAX;
        let counts = ReportedCounts { new: most, updated: most, unchanged: most, missed: most, inactive: most };
        let longest = ReportedCycle { duration_ms: most, counts, ..reported(cycle) };
        let frame = Report {
            cycle: Some(longest),
            policy_version,
            state_root: Some(Digest::from_bytes([0; 32])),
            ..Report::default()
        };
        let (sharing, root, removed) = (Sharing::new(frame)?, StateRoot::default(), Vec::new());
        Ok(Self { policy_version, now, sharing, root, removed })
    }

    /// A device as the cycle leaves it: how it was, and all that is changed of it. Devices come
    /// ascending by id. Items that are full are written by changes that are added to `items`.
    ///
    /// # Errors
    /// [`CanonicalError`] for what has no canonical form.
    pub fn device(
        &mut self,
        known: Option<&KnownDevice>,
        changes: &[Change],
        items: &mut Vec<Change>,
    ) -> Result<(), CanonicalError> {
        let mut after = known.map(After::of);
        for change in changes {
            match (change, &mut after) {
                (Change::InsertDevice(device) | Change::UpdateDevice(device), Some(after)) => after.become_as(device),
                (Change::InsertDevice(device) | Change::UpdateDevice(device), None) => after = Some(After::new(device)),
                (Change::TouchDevice { last_seen, methods, .. }, Some(after)) => {
                    after.touched = Some((*last_seen, methods));
                }
                (Change::PutFact(row), Some(after)) => after.learn(row),
                (Change::RemoveDevice { id, .. }, _) => self.removed.push(*id),
                _ => {}
            }
        }
        let Some(after) = after else { return Ok(()) };
        self.root.add(&trace(after.device, &after.versions)?)?;
        if !after.is_news {
            return Ok(());
        }
        let mut full = Vec::new();
        self.sharing.tell(after.told()?, &mut full)?;
        self.write(&full, items)
    }

    /// The last item: how the cycle went, and the root of all devices.
    ///
    /// # Errors
    /// [`CanonicalError`]: never for these values.
    pub fn finish(mut self, cycle: &CycleReport, items: &mut Vec<Change>) -> Result<(), CanonicalError> {
        let mut rest = Vec::new();
        for id in std::mem::take(&mut self.removed) {
            self.sharing.forget(id, &mut rest)?;
        }
        self.write(&rest, items)?;
        let last = Report {
            cycle: Some(reported(cycle)),
            policy_version: self.policy_version,
            state_root: Some(self.root.finish()),
            ..Report::default()
        };
        items.push(enqueued(&self.sharing.finish(&last), self.now)?);
        Ok(())
    }

    fn write(&self, full: &[Report], items: &mut Vec<Change>) -> Result<(), CanonicalError> {
        full.iter().try_for_each(|item| {
            items.push(enqueued(item, self.now)?);
            Ok(())
        })
    }
}

/// What is told of a cycle whose changes are all there: the changes that write it to the stream.
/// `known` are the devices before the cycle, ascending by id.
///
/// # Errors
/// [`CanonicalError`] for what has no canonical form.
pub fn of_cycle(
    cycle: &CycleReport,
    policy_version: Option<PolicyVersion>,
    known: &[KnownDevice],
    changes: &[Change],
    now: Timestamp,
) -> Result<Vec<Change>, CanonicalError> {
    let mut by_device: BTreeMap<DeviceId, (Option<&KnownDevice>, Vec<Change>)> =
        known.iter().map(|known| (known.device.id, (Some(known), Vec::new()))).collect();
    let mut removed = Vec::new();
    for change in changes {
        let id = match change {
            Change::InsertDevice(device) | Change::UpdateDevice(device) => device.id,
            Change::TouchDevice { id, .. } => *id,
            Change::PutFact(row) => row.device,
            Change::RemoveDevice { id, .. } => {
                by_device.remove(id);
                removed.push(change.clone());
                continue;
            }
            _ => continue,
        };
        by_device.entry(id).or_default().1.push(change.clone());
    }
    let (mut telling, mut items) = (CycleTelling::new(cycle, policy_version, now)?, Vec::new());
    for (known, changes) in by_device.values() {
        telling.device(*known, changes, &mut items)?;
    }
    telling.device(None, &removed, &mut items)?;
    telling.finish(cycle, &mut items)?;
    Ok(items)
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
