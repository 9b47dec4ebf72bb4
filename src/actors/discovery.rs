//! The actor that keeps the discovery cycle of a Local Controller.
//!
//! ```text
//!   app ──StartCycle, Reconfigure, Drain──► DiscoveryActor ──Order──► sweeper thread
//!   its timer ──Tick──►                      │   ▲   │
//!                    LoadDevices, CommitFrom ┘   │   └──CycleEnded──► HealthActor
//!                    to NibActor          Swept ─┘   │    Wake──► ReportActor
//!                                                    └──CycleEnded──► LinkWatch, which follows
//! ```

use std::sync::{Arc, Mutex, PoisonError};

use actix::fut::wrap_future;
use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, MessageResult, Recipient, SpawnHandle,
};
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use super::Ping;
use super::nib::{CommitFrom, LoadDevices};
use super::report::Wake;
use super::sweeper::{Sweep, SweepError, SweepOrder};
use crate::algorithms::discovery::credentials::PreparedCredential;
use crate::algorithms::discovery::vendor::VendorTable;
use crate::domain::controller::{ControllerId, Region};
use crate::domain::cycle::{Completeness, CycleReport, TooLong, Trigger};
use crate::domain::device::DeviceId;
use crate::domain::number::PolicyVersion;
use crate::domain::policy::DiscoveryPolicy;
use crate::domain::subnet::Subnet;
use crate::domain::time::Clock;

pub mod cycle;
mod decision;
pub mod demand;

use cycle::{CycleError, CycleInput};

/// What a Local Controller discovers, and by which rules.
#[derive(Debug, Clone)]
pub struct DiscoverySettings {
    /// The name that events are signed with.
    pub actor: ControllerId,
    /// The name that the controller above gave, if there is one.
    pub local_controller: Option<ControllerId>,
    /// The zone.
    pub region: Option<Region>,
    /// The subnets.
    pub subnets: Vec<Subnet>,
    /// The one interface that may be used, when one is named.
    pub interface: Option<String>,
    /// Policy.
    pub policy: DiscoveryPolicy,
    /// With what SNMP agents are asked, the preferred first.
    pub credentials: Arc<[PreparedCredential]>,
    /// Who owns which prefix of hardware addresses.
    pub vendors: Arc<VendorTable>,
    /// How cycles are told to the controller above; a controller that is not validated tells nobody.
    pub report: Option<ReportSettings>,
    /// Where a cycle leaves which devices answered, if somebody wants to know.
    pub answered: Option<Answered>,
}

/// The devices that answered in the last cycle that was written. No time tells that: a clock may be set
/// while a cycle goes on.
#[derive(Debug, Clone, Default)]
pub struct Answered(Arc<Mutex<Vec<DeviceId>>>);

impl Answered {
    /// Takes the devices away, ascending.
    pub fn take(&self) -> Vec<DeviceId> {
        // Whoever held it let nothing half done.
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, devices: Vec<DeviceId>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = devices;
    }
}

/// How cycles are told to the controller above.
#[derive(Debug, Clone)]
pub struct ReportSettings {
    /// The policy in effect.
    pub policy_version: Option<PolicyVersion>,
    /// Who sends what a cycle wrote to the stream of reports.
    pub wake: Recipient<Wake>,
}

/// Runs cycles: at the start, by the clock, and when asked.
pub struct DiscoveryActor {
    settings: DiscoverySettings,
    clock: Arc<dyn Clock>,
    random: fastrand::Rng,
    sweeper: Box<dyn Sweep>,
    devices: Recipient<LoadDevices>,
    commits: Recipient<CommitFrom>,
    listeners: Vec<Recipient<CycleEnded>>,
    running: bool,
    /// Whether cycles are started by the clock, too.
    scheduled: bool,
    timer: Option<SpawnHandle>,
    waiting: Vec<oneshot::Sender<CycleResult>>,
    /// Those who wait for the end; nobody while it goes on.
    draining: Vec<oneshot::Sender<()>>,
}

/// How a cycle ended, for whoever asked for it.
pub type CycleResult = Result<CycleReport, Arc<CycleError>>;

/// Asks for a cycle. The answer is the way to its result; a cycle that is going on is not joined,
/// for it may have passed what the sender wants to know.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<oneshot::Receiver<CycleResult>, Refused>")]
pub struct StartCycle(pub Trigger);

/// Why no cycle was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// One is going on.
    #[error("a discovery cycle is going on")]
    Running,
    /// The controller stops.
    #[error("the controller is stopping")]
    Stopping,
    /// Nobody named the controller yet, so there is nobody in whose name to discover.
    #[error("the controller has not been validated yet; `pdsno status` tells how far it is")]
    NotValidated,
}

/// Begins the schedule: a bootstrap cycle now, then one each interval.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct BeginSchedule;

/// The interval has passed.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Tick;

/// New settings; they hold from the next cycle on.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Reconfigure(pub DiscoverySettings);

/// Starts nothing more, ends a sweep that is going on, and answers when all is written that it had
/// seen until then.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "oneshot::Receiver<()>")]
pub struct Drain;

/// Somebody more who is told of each cycle's end.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Follow(pub Recipient<CycleEnded>);

/// A cycle has ended: sent to whoever watches.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct CycleEnded(pub CycleResult);

impl DiscoveryActor {
    /// An actor that has its subnets swept by this one, and uses the NIB through these two addresses.
    pub fn new(
        settings: DiscoverySettings,
        clock: Arc<dyn Clock>,
        seed: u64,
        sweeper: Box<dyn Sweep>,
        devices: Recipient<LoadDevices>,
        commits: Recipient<CommitFrom>,
        listener: Recipient<CycleEnded>,
    ) -> Self {
        Self {
            settings,
            clock,
            random: fastrand::Rng::with_seed(seed),
            sweeper,
            devices,
            commits,
            listeners: vec![listener],
            running: false,
            scheduled: false,
            timer: None,
            waiting: Vec::new(),
            draining: Vec::new(),
        }
    }

    fn start_cycle(&mut self, trigger: Trigger, ctx: &mut Context<Self>) -> Result<(), Refused> {
        if !self.draining.is_empty() {
            return Err(Refused::Stopping);
        }
        if self.running {
            return Err(Refused::Running);
        }
        self.running = true;
        self.wind_up(ctx);
        let order = SweepOrder {
            subnets: self.settings.subnets.clone(),
            interface: self.settings.interface.clone(),
            protocols: self.settings.policy.protocols.clone(),
            probing: self.settings.policy.probing.clone(),
            credentials: Arc::clone(&self.settings.credentials),
            neighbours: self.settings.policy.neighbours,
            counters: self.settings.policy.counters,
            seed: self.random.u64(..),
        };
        let input = CycleInput {
            trigger,
            settings: self.settings.clone(),
            clock: Arc::clone(&self.clock),
            jitter: self.random.fork(),
            started_at: self.clock.now(),
            started: self.clock.elapsed(),
            devices: self.devices.clone(),
            commits: self.commits.clone(),
        };
        let swept = self.sweeper.order(order);
        let work = async move {
            let answer = match swept {
                Ok(answer) => answer.await.unwrap_or(Err(SweepError::Ended)),
                Err(refused) => Err(refused),
            };
            input.write(answer).await
        };
        ctx.spawn(
            wrap_future::<_, Self>(work).map(|result, this, ctx| this.cycle_ended(result.map_err(Arc::new), ctx)),
        );
        Ok(())
    }

    fn cycle_ended(&mut self, result: CycleResult, ctx: &mut Context<Self>) {
        self.running = false;
        self.tell(&result);
        if let (Ok(_), Some(report)) = (&result, &self.settings.report)
            && report.wake.try_send(Wake).is_err()
        {
            // It looks again by itself, at the latest after the next cycle.
            warn!("the actor of reports is behind");
        }
        for asker in self.waiting.drain(..) {
            // An asker that is gone does not want to know.
            let _told = asker.send(result.clone());
        }
        for listener in &self.listeners {
            if listener.try_send(CycleEnded(result.clone())).is_err() {
                warn!("an actor is behind: it does not know of the end of a cycle");
            }
        }
        if !self.draining.is_empty() {
            self.drained(ctx);
        }
    }

    fn drained(&mut self, ctx: &mut Context<Self>) {
        for asker in self.draining.drain(..) {
            let _told = asker.send(());
        }
        ctx.stop();
    }

    fn tell(&self, result: &CycleResult) {
        match result {
            Ok(report) => {
                let delta = report.delta;
                info!(
                    trigger = %report.trigger,
                    completeness = %report.completeness,
                    duration_ms = report.duration_ms,
                    nib_commit_ms = report.nib_commit_ms,
                    targets = report.targets,
                    hosts = report.hosts,
                    new = delta.new,
                    updated = delta.updated,
                    missed = delta.missed,
                    inactive = delta.inactive,
                    "discovery cycle ended"
                );
                for (protocol, stats) in &report.protocols {
                    let Some(reason) = &stats.error else { continue };
                    // What cannot be used for want of a right is told once, at the start.
                    if stats.sent == 0 && report.completeness == Completeness::Complete {
                        info!(%protocol, reason, "protocol not used");
                    } else {
                        warn!(%protocol, reason, "protocol could not be used");
                    }
                }
                if let Some(too_long) = report.too_long {
                    let TooLong { interval_seconds, controllers } = too_long;
                    warn!(took_ms = report.duration_ms, interval_seconds, controllers, "{too_long}");
                }
            }
            Err(reason) => error!(error = %super::causes(reason.as_ref()), "discovery cycle failed"),
        }
    }

    /// Sets the timer for the next scheduled cycle: an interval from now, the start of this one.
    fn wind_up(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        if self.scheduled {
            self.timer = Some(ctx.notify_later(Tick, self.settings.policy.interval));
        }
    }
}

impl Actor for DiscoveryActor {
    type Context = Context<Self>;
}

impl Handler<Ping> for DiscoveryActor {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

impl Handler<BeginSchedule> for DiscoveryActor {
    type Result = ();

    fn handle(&mut self, _: BeginSchedule, ctx: &mut Self::Context) {
        self.scheduled = true;
        if let Err(refused) = self.start_cycle(Trigger::Bootstrap, ctx) {
            warn!(%refused, "no bootstrap cycle");
            self.wind_up(ctx);
        }
    }
}

impl Handler<Tick> for DiscoveryActor {
    type Result = ();

    fn handle(&mut self, _: Tick, ctx: &mut Self::Context) {
        if let Err(refused) = self.start_cycle(Trigger::Scheduled, ctx) {
            warn!(%refused, "scheduled discovery cycle left out");
            self.wind_up(ctx);
        }
    }
}

impl Handler<StartCycle> for DiscoveryActor {
    type Result = Result<oneshot::Receiver<CycleResult>, Refused>;

    fn handle(&mut self, StartCycle(trigger): StartCycle, ctx: &mut Self::Context) -> Self::Result {
        self.start_cycle(trigger, ctx)?;
        let (asker, result) = oneshot::channel();
        self.waiting.push(asker);
        Ok(result)
    }
}

impl Handler<Follow> for DiscoveryActor {
    type Result = ();

    fn handle(&mut self, Follow(listener): Follow, _: &mut Self::Context) {
        self.listeners.push(listener);
    }
}

impl Handler<Reconfigure> for DiscoveryActor {
    type Result = ();

    fn handle(&mut self, Reconfigure(settings): Reconfigure, ctx: &mut Self::Context) {
        let interval_changed = settings.policy.interval != self.settings.policy.interval;
        self.settings = settings;
        if interval_changed {
            self.wind_up(ctx);
        }
    }
}

impl Handler<Drain> for DiscoveryActor {
    type Result = MessageResult<Drain>;

    fn handle(&mut self, _: Drain, ctx: &mut Self::Context) -> Self::Result {
        let (drained, answer) = oneshot::channel();
        self.draining.push(drained);
        self.scheduled = false;
        self.wind_up(ctx);
        if self.running {
            self.sweeper.cancel();
        } else {
            self.drained(ctx);
        }
        MessageResult(answer)
    }
}

/// Whether a cycle is worth a success code: something could be scanned.
pub fn succeeded(report: &CycleReport) -> bool {
    report.completeness != Completeness::Failed
}
