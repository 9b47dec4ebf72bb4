//! What a cycle writes, decided while it is written: so no more of it than a batch is in memory.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::DiscoverySettings;
use super::cycle::CycleError;
use crate::algorithms::discovery::advice::too_long;
use crate::algorithms::discovery::delta::{BATCH, Context, Delta, KnownDevice, decide, decide_in_batches};
use crate::algorithms::discovery::observation::{Asked, DeviceObservation};
use crate::algorithms::discovery::report::events;
use crate::algorithms::report::items::of_cycle;
use crate::domain::change::Change;
use crate::domain::counters::Readings;
use crate::domain::cycle::{Completeness, CycleReport, DeltaCounts, millis};
use crate::domain::device::{DeviceId, Version};
use crate::domain::time::Clock;
use crate::nib::Sink;
use crate::wire::canonical::CanonicalError;

/// What a sweep came to, for as many decisions as it takes.
pub(super) struct Seen {
    pub devices: Vec<DeviceObservation>,
    pub asked: Vec<Asked>,
}

/// What a decision came to, whether or not it was kept.
pub(super) struct Written {
    /// With the counts; or why there is none.
    pub report: Result<CycleReport, CycleError>,
    /// One of the rows that it leaves behind.
    pub row: Option<(DeviceId, Version)>,
}

/// Decides what a cycle changes, on the thread that writes it.
pub(super) struct Decider {
    settings: DiscoverySettings,
    clock: Arc<dyn Clock>,
    started: Duration,
    report: CycleReport,
    row: Option<(DeviceId, Version)>,
}

impl Decider {
    pub fn new(settings: DiscoverySettings, clock: Arc<dyn Clock>, started: Duration, report: CycleReport) -> Self {
        Self { settings, clock, started, report, row: None }
    }

    /// Hands over all that the cycle changes; tells what was decided, also when it was broken off.
    pub fn run(
        mut self,
        known: Vec<KnownDevice>,
        next: DeviceId,
        readings: &BTreeMap<DeviceId, Readings>,
        seen: &Seen,
        sink: &mut Sink<'_>,
    ) -> (Written, ControlFlow<()>) {
        let settings = self.settings.clone();
        let context = Context {
            began: self.report.started_at,
            now: self.clock.now(),
            actor: &settings.actor,
            region: settings.region.as_ref(),
            local_controller: settings.local_controller.as_ref(),
            missed_cycles_before_inactive: settings.policy.missed_cycles_before_inactive,
            asked: &seen.asked,
            vendors: &settings.vendors,
            readings,
        };
        let made = self.changes(&known, next, seen, &context, sink);
        drop(known);
        let flow = match made {
            Ok(ControlFlow::Continue(())) => sink(&events(&self.report, &settings.actor, context.now)),
            Ok(broken) => broken,
            Err(error) => {
                let written = Written { report: Err(CycleError::Report(error)), row: self.row };
                return (written, ControlFlow::Break(()));
            }
        };
        (Written { report: Ok(self.report), row: self.row }, flow)
    }

    /// The changes of the devices, and what the controller above is told of them.
    fn changes(
        &mut self,
        known: &[KnownDevice],
        next: DeviceId,
        seen: &Seen,
        context: &Context<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<ControlFlow<()>, CanonicalError> {
        if let Some(settings) = self.settings.report.clone() {
            // The items tell of the whole state, so all changes are needed at once.
            let delta = match self.report.completeness {
                Completeness::Failed => Delta::default(),
                _ => decide(known, next, &seen.devices, context),
            };
            self.decided(delta.counts);
            self.row = delta.changes.iter().find_map(row_after);
            let removed = delta.changes.iter().filter_map(removed).collect();
            let items = of_cycle(&self.report, settings.policy_version, known, &delta.changes, removed, context.now)?;
            let mut batches = delta.changes.chunks(BATCH).chain(items.chunks(BATCH));
            return Ok(batches.try_for_each(sink));
        }
        let flow = match self.report.completeness {
            // A cycle that failed saw nothing, so nothing that it did not see means anything.
            Completeness::Failed => ControlFlow::Continue(DeltaCounts::default()),
            _ => decide_in_batches(known, next, &seen.devices, context, &mut |changes| {
                self.row = self.row.or_else(|| changes.iter().find_map(row_after));
                sink(changes)
            }),
        };
        Ok(flow.map_continue(|counts| self.decided(counts)))
    }

    fn decided(&mut self, counts: DeltaCounts) {
        self.report.delta = counts;
        let took = self.clock.elapsed().saturating_sub(self.started);
        measure(&mut self.report, took, &self.settings);
    }
}

/// Notes how long a cycle took so far, and whether that is too long.
pub(super) fn measure(report: &mut CycleReport, took: Duration, settings: &DiscoverySettings) {
    report.duration_ms = millis(took);
    report.too_long = too_long(took, settings.policy.interval);
}

/// The device that a change takes away.
fn removed(change: &Change) -> Option<DeviceId> {
    match change {
        Change::RemoveDevice { id, .. } => Some(*id),
        _ => None,
    }
}

/// The row that a change of a device leaves behind.
fn row_after(change: &Change) -> Option<(DeviceId, Version)> {
    match change {
        Change::InsertDevice(device) => Some((device.id, device.version)),
        Change::UpdateDevice(device) => Some((device.id, device.version.next())),
        Change::TouchDevice { id, version, .. } => Some((*id, version.next())),
        _ => None,
    }
}
