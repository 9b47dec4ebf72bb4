//! What a cycle writes, decided while it is written: so no more of it than a batch is in memory.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::DiscoverySettings;
use super::cycle::CycleError;
use crate::algorithms::discovery::advice::too_long;
use crate::algorithms::discovery::delta::{About, Batch, Context, KnownDevice, decide_each};
use crate::algorithms::discovery::observation::{Asked, DeviceObservation};
use crate::algorithms::discovery::report::events;
use crate::algorithms::report::cycle::CycleTelling;
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
    /// The devices that answered, if somebody wants to know.
    pub answered: Vec<DeviceId>,
}

/// Decides what a cycle changes, on the thread that writes it.
pub(super) struct Decider {
    settings: DiscoverySettings,
    clock: Arc<dyn Clock>,
    started: Duration,
    report: CycleReport,
    row: Option<(DeviceId, Version)>,
    answered: Vec<DeviceId>,
}

impl Decider {
    pub fn new(settings: DiscoverySettings, clock: Arc<dyn Clock>, started: Duration, report: CycleReport) -> Self {
        Self { settings, clock, started, report, row: None, answered: Vec::new() }
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
                let written = Written { report: Err(CycleError::Report(error)), row: self.row, answered: Vec::new() };
                return (written, ControlFlow::Break(()));
            }
        };
        (Written { report: Ok(self.report), row: self.row, answered: self.answered }, flow)
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
        let telling = match &self.settings.report {
            Some(settings) => Some(CycleTelling::new(&self.report, settings.policy_version, context.now)?),
            None => None,
        };
        let answered = self.settings.answered.as_ref().map(|_| Vec::new());
        let mut batches = Batches { batch: Batch::default(), telling, row: None, answered, unreported: None, sink };
        let flow = match self.report.completeness {
            // A cycle that failed saw nothing, so nothing that it did not see means anything.
            Completeness::Failed => {
                let mut unchanged = known.iter().map(|known| batches.take(About::Unseen(known), &mut Vec::new()));
                unchanged.try_for_each(|taken| taken).map_continue(|()| DeltaCounts::default())
            }
            _ => decide_each(known, next, &seen.devices, context, &mut |about, changes| batches.take(about, changes)),
        };
        self.row = batches.row;
        self.answered = batches.answered.take().unwrap_or_default();
        let flow = match flow {
            ControlFlow::Continue(counts) => {
                self.decided(counts);
                batches.finish(&self.report)
            }
            ControlFlow::Break(()) => ControlFlow::Break(()),
        };
        match batches.unreported {
            Some(error) => Err(error),
            None => Ok(flow),
        }
    }

    fn decided(&mut self, counts: DeltaCounts) {
        self.report.delta = counts;
        let took = self.clock.elapsed().saturating_sub(self.started);
        measure(&mut self.report, took, &self.settings);
    }
}

/// The changes of a cycle on their way to the writer: no more than a batch is held.
struct Batches<'a, 's> {
    batch: Batch,
    /// What the controller above is told, if there is one.
    telling: Option<CycleTelling>,
    row: Option<(DeviceId, Version)>,
    /// Those who answered, if somebody wants to know.
    answered: Option<Vec<DeviceId>>,
    /// Why it cannot be told.
    unreported: Option<CanonicalError>,
    sink: &'a mut Sink<'s>,
}

impl Batches<'_, '_> {
    /// Takes the changes of a device.
    fn take(&mut self, about: About<'_>, changes: &mut Vec<Change>) -> ControlFlow<()> {
        if let Some(answered) = &mut self.answered {
            answered.extend(about.answered());
        }
        self.row = self.row.or_else(|| changes.iter().find_map(row_after));
        let mut items = Vec::new();
        if let Some(telling) = &mut self.telling
            && let Err(error) = telling.device(about.known(), changes, &mut items)
        {
            self.unreported = Some(error);
            return ControlFlow::Break(());
        }
        self.batch.take(changes);
        self.batch.take(&mut items);
        if self.batch.is_full() { self.hand_over() } else { ControlFlow::Continue(()) }
    }

    /// Hands over what is left, and the end of what is told.
    fn finish(&mut self, report: &CycleReport) -> ControlFlow<()> {
        let mut items = Vec::new();
        if let Some(telling) = self.telling.take()
            && let Err(error) = telling.finish(report, &mut items)
        {
            self.unreported = Some(error);
            return ControlFlow::Break(());
        }
        self.batch.take(&mut items);
        self.hand_over()
    }

    fn hand_over(&mut self) -> ControlFlow<()> {
        let taken = (self.sink)(self.batch.changes());
        self.batch.clear();
        taken
    }
}

/// Notes how long a cycle took so far, and whether that is too long.
pub(super) fn measure(report: &mut CycleReport, took: Duration, settings: &DiscoverySettings) {
    report.duration_ms = millis(took);
    report.too_long = too_long(took, settings.policy.interval);
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
