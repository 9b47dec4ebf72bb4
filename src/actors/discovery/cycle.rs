//! One cycle, from what was swept to what is written: plan and sweep are behind it.

use std::sync::Arc;
use std::time::Duration;

use actix::{Message, Recipient};
use tokio::sync::oneshot;

use super::DiscoverySettings;
use super::decision::{Decider, Seen, Written, measure};
use crate::actors::nib::{CommitFrom, DeviceTable, LoadDevices};
use crate::actors::sweeper::{SweepError, Swept};
use crate::actors::{REQUEST_DEADLINE, causes};
use crate::algorithms::discovery::delta::KnownDevice;
use crate::algorithms::discovery::merge::merge;
use crate::algorithms::discovery::report::{CycleOrder, report};
use crate::domain::change::Change;
use crate::domain::cycle::{CycleReport, Trigger, millis};
use crate::domain::event::{EventType, NewEvent};
use crate::domain::subnet::listed;
use crate::domain::time::{Clock, Timestamp};
use crate::nib::{NibError, Source};
use crate::wire::canonical::CanonicalError;

/// Why a cycle changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum CycleError {
    /// Nothing could be swept.
    #[error("nothing could be scanned")]
    Sweep(#[source] SweepError),
    /// The NIB could not be read or written.
    #[error("the result of the cycle could not be kept, {attempted}")]
    Nib {
        /// What was attempted.
        attempted: &'static str,
        /// Why it failed.
        #[source]
        source: NibError,
    },
    /// The report for the controller above has no form.
    #[error("the result of the cycle cannot be reported")]
    Report(#[source] CanonicalError),
    /// An actor did not answer in time.
    #[error("the NIB did not answer within {} s, {attempted}", REQUEST_DEADLINE.as_secs())]
    NoAnswer {
        /// What was attempted.
        attempted: &'static str,
    },
}

/// How often a result is decided anew when others wrote the same rows meanwhile.
const ATTEMPTS: u32 = 4;

const WRITING: &str = "to write what was found";

/// What a cycle works with.
pub(super) struct CycleInput {
    pub trigger: Trigger,
    pub settings: DiscoverySettings,
    pub clock: Arc<dyn Clock>,
    pub jitter: fastrand::Rng,
    pub devices: Recipient<LoadDevices>,
    pub commits: Recipient<CommitFrom>,
    pub started_at: Timestamp,
    pub started: Duration,
}

impl CycleInput {
    /// Compares what was swept with what is known, and writes the difference.
    pub async fn write(mut self, swept: Result<Swept, SweepError>) -> Result<CycleReport, CycleError> {
        let mut swept = match swept {
            Ok(swept) => swept,
            Err(error) => {
                let error = CycleError::Sweep(error);
                self.record(EventType::DiscoveryCycleFailed, &error).await;
                return Err(error);
            }
        };
        let order = CycleOrder {
            trigger: self.trigger,
            started_at: self.started_at,
            subnets: self.settings.subnets.clone(),
            protocols: self.settings.policy.protocols.clone(),
        };
        let mut report = report(&order, &swept.outcomes, swept.cancelled, self.took());
        let hosts = swept.outcomes.iter_mut().flat_map(|outcome| std::mem::take(&mut outcome.hosts)).collect();
        let seen = merge(hosts);
        report.hosts = seen.iter().filter(|device| !device.methods.is_empty()).count() as u64;
        let seen = Arc::new(Seen { devices: seen, asked: swept.asked });
        let mut attempt = 0;
        let answered;
        let mut doubtful: Option<(Written, Duration)> = None;
        loop {
            attempt += 1;
            let table = match self.load().await {
                Ok(table) => table,
                Err(CycleError::Nib { source, .. }) if source.is_retryable() && attempt < ATTEMPTS => {
                    self.back_off(attempt).await;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if let Some((written, begun)) = doubtful.take()
                && written.row.is_some_and(|row| table.has(row))
            {
                report = written.report?;
                answered = written.answered;
                report.nib_commit_ms = Some(millis(self.clock.elapsed().saturating_sub(begun)));
                break;
            }
            let begun = self.clock.elapsed();
            let (source, mut told) = self.decision(table, Arc::clone(&seen), report.clone());
            let committed = self.commit(source).await;
            // Nothing is told of a decision that the writer never asked for.
            match (committed, told.try_recv().ok()) {
                (Ok(()), Some(written)) => {
                    report = written.report?;
                    answered = written.answered;
                    report.nib_commit_ms = Some(millis(self.clock.elapsed().saturating_sub(begun)));
                    break;
                }
                (_, Some(Written { report: Err(unreported), .. })) => return Err(unreported),
                (Ok(()), None) => return Err(CycleError::NoAnswer { attempted: WRITING }),
                (Err(CycleError::Nib { source, .. }), told) if source.is_retryable() && attempt < ATTEMPTS => {
                    // All was written or nothing, so one row tells, and nobody else writes devices.
                    let in_doubt = matches!(source, NibError::MaybeCommitted { .. });
                    doubtful = told.filter(|_| in_doubt).map(|written| (written, begun));
                    self.back_off(attempt).await;
                }
                (Err(error), _) => {
                    if matches!(&error, CycleError::Nib { source: NibError::Conflict { .. }, .. }) {
                        self.record(EventType::DiscoveryWriteConflict, &error).await;
                    }
                    return Err(error);
                }
            }
        }
        if let Some(shown) = &self.settings.answered {
            shown.put(answered);
        }
        self.measure(&mut report);
        Ok(report)
    }

    /// What is to be written, made while it is written, and afterwards what was decided.
    fn decision(
        &self,
        table: DeviceTable,
        seen: Arc<Seen>,
        report: CycleReport,
    ) -> (Source, oneshot::Receiver<Written>) {
        let (tell, told) = oneshot::channel();
        let decider = Decider::new(self.settings.clone(), Arc::clone(&self.clock), self.started, report);
        let source = Source::new(move |sink| {
            let known = table.devices.into_iter().map(|(device, facts)| KnownDevice { device, facts }).collect();
            let (written, flow) = decider.run(known, table.next, &table.readings, &seen, sink);
            // Who asked may be gone.
            let _told = tell.send(written);
            flow
        });
        (source, told)
    }

    fn took(&self) -> Duration {
        self.clock.elapsed().saturating_sub(self.started)
    }

    /// Notes how long the cycle took so far, and whether that is too long.
    fn measure(&self, report: &mut CycleReport) {
        measure(report, self.took(), &self.settings);
    }

    async fn load(&self) -> Result<DeviceTable, CycleError> {
        ask(&self.devices, LoadDevices, "to read what is known").await
    }

    async fn commit(&self, source: Source) -> Result<(), CycleError> {
        ask(&self.commits, CommitFrom(source), WRITING).await.map(drop)
    }

    /// 50, 100, 200 ms, each up to half longer.
    async fn back_off(&mut self, attempt: u32) {
        let base = 25_u64 << attempt.min(4);
        tokio::time::sleep(Duration::from_millis(base + self.jitter.u64(0..=base / 2))).await;
    }

    /// Keeps the record of a cycle that changed nothing. That it could not be kept is for the log:
    /// the failure itself is what the caller must hear of.
    async fn record(&self, event_type: EventType, error: &CycleError) {
        if let Err(unwritten) = self.commit(Source::of(vec![self.event(event_type, error)])).await {
            tracing::error!(error = %causes(&unwritten), "a failed cycle could not be recorded");
        }
    }

    fn event(&self, event_type: EventType, error: &CycleError) -> Change {
        Change::Append(NewEvent {
            event_type,
            actor: self.settings.actor.to_string(),
            subject: listed(&self.settings.subnets),
            timestamp: self.clock.now(),
            payload: serde_json::json!({ "trigger": self.trigger, "error": causes(error) }),
        })
    }
}

/// Asks the NIB and waits for its answer, within the deadline.
async fn ask<M, T>(nib: &Recipient<M>, message: M, attempted: &'static str) -> Result<T, CycleError>
where
    M: Message<Result = Result<T, NibError>> + Send + 'static,
    T: Send + 'static,
{
    match tokio::time::timeout(REQUEST_DEADLINE, nib.send(message)).await {
        Ok(Ok(answer)) => answer.map_err(|source| CycleError::Nib { attempted, source }),
        Ok(Err(_)) | Err(_) => Err(CycleError::NoAnswer { attempted }),
    }
}
