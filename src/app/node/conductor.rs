//! Tells the actors what others decided: who the controller is, and which policy holds.
//!
//! ```text
//!   MembershipActor ──Became──────►  Conductor ──Reconfigure, BeginSchedule──► DiscoveryActor
//!   PolicyActor ──PolicyChanged──►      │    └────Reconfigure──► ViewActor
//!   app ──Reload, Record, LastWords──►  └─Commit──► NibActor
//!   app, northbound ──StartCycle──►  Conductor ──StartCycle──► DiscoveryActor, once it began
//! ```
//!
//! Discovery begins when both are known, so nothing is written under another name or by another policy.
//! A controller that has just been let in is about to be given its policy; it waits for it a moment, and
//! works by its configuration where none comes.

use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, ResponseFuture};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tracing::field::display;
use tracing::{Span, error, info, warn};

use crate::actors::discovery::{
    self, BeginSchedule, CycleResult, DiscoverySettings, Refused, ReportSettings, StartCycle,
};
use crate::actors::identity::{Became, Own};
use crate::actors::nib::Nib;
use crate::actors::policy::{InEffect, PolicyChanged};
use crate::actors::report::Wake;
use crate::actors::view::{self, ViewSettings};
use crate::actors::{Ping, REQUEST_DEADLINE};
use crate::algorithms::view::overdue::Limits;
use crate::domain::change::Change;
use crate::domain::event::{EventType, NewEvent};
use crate::domain::time::Clock;
use crate::nib::NibError;

/// What discovery begins with, and who tells what it found.
pub(super) struct Reporting {
    /// As configured; policy and name come in between.
    pub settings: DiscoverySettings,
    /// Who sends reports.
    pub wake: Recipient<Wake>,
}

/// The way to discovery.
pub(super) struct Scanning {
    pub reporting: Reporting,
    pub reconfigure: Recipient<discovery::Reconfigure>,
    pub begin: Recipient<BeginSchedule>,
    pub start: Recipient<StartCycle>,
}

/// Tells the actors what others decided.
pub struct Conductor {
    scanning: Option<Scanning>,
    view: Option<Recipient<view::Reconfigure>>,
    nib: Nib,
    clock: Arc<dyn Clock>,
    own: Option<Arc<Own>>,
    policy: Option<Arc<InEffect>>,
    /// Whether discovery has begun.
    began: bool,
    /// Whether the policy from above has been waited for long enough.
    waited: bool,
}

/// How long a policy from above is waited for before the first cycle.
const PATIENCE: Duration = Duration::from_secs(10);

/// The policy from above has been waited for long enough.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
struct Enough;

/// Writes an event of the controller's own, once it has a name.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), NibError>")]
pub struct Record(pub EventType, pub Value);

/// New settings of discovery, but for name, region and policy, which are not configured.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Reload(pub DiscoverySettings);

/// The last event of a controller that stops.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), NibError>")]
pub struct LastWords(pub Value);

impl Conductor {
    pub(super) const fn new(
        scanning: Option<Scanning>,
        view: Option<Recipient<view::Reconfigure>>,
        nib: Nib,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { scanning, view, nib, clock, own: None, policy: None, began: false, waited: false }
    }

    fn event(&self, event_type: EventType, payload: Value) -> Option<Change> {
        let own = self.own.as_ref()?;
        let (actor, subject) = (own.id.to_string(), own.id.to_string());
        Some(Change::Append(NewEvent { event_type, actor, subject, timestamp: self.clock.now(), payload }))
    }

    /// Without a name there is no log yet to write to.
    fn write(&self, event_type: EventType, payload: Value) -> ResponseFuture<Result<(), NibError>> {
        let event = self.event(event_type, payload);
        let nib = self.nib.clone();
        Box::pin(async move {
            match event {
                None => Ok(()),
                Some(event) => nib.commit(vec![event]).await.map(drop),
            }
        })
    }

    fn conduct(&mut self, ctx: &mut Context<Self>) {
        let (Some(own), Some(policy)) = (self.own.clone(), self.policy.clone()) else { return };
        if let Some(view) = &self.view {
            tell(view, view::Reconfigure(viewing(&policy)), "the view");
        }
        let Some(scanning) = &self.scanning else { return };
        if policy.document.is_none() && own.parent.is_some() && !self.waited {
            return;
        }
        let settings = DiscoverySettings {
            actor: own.id.clone(),
            local_controller: Some(own.id.clone()),
            region: own.region.clone(),
            policy: policy.values.discovery.clone(),
            report: Some(ReportSettings { policy_version: policy.version(), wake: scanning.reporting.wake.clone() }),
            ..scanning.reporting.settings.clone()
        };
        let reconfigured = scanning.reconfigure.send(discovery::Reconfigure(settings));
        let begin = (!std::mem::replace(&mut self.began, true)).then(|| scanning.begin.clone());
        // In this order: the first cycle is already one of the controller's own name and policy.
        ctx.wait(wrap_future(async move {
            if !matches!(tokio::time::timeout(REQUEST_DEADLINE, reconfigured).await, Ok(Ok(()))) {
                error!("discovery does not answer: it works on by the settings before");
            }
            if let Some(begin) = begin {
                tell(&begin, BeginSchedule, "discovery");
            }
        }));
    }
}

/// How a view is kept under a policy.
fn viewing(policy: &InEffect) -> ViewSettings {
    let values = &policy.values;
    ViewSettings {
        spike_threshold: values.discovery_spike_threshold,
        limits: Limits {
            report_timeout: values.lc_report_timeout,
            give_up_after: values.discovery.interval * values.discovery.missed_cycles_before_inactive,
        },
        ..ViewSettings::default()
    }
}

fn tell<M: Message<Result: Send> + Send + 'static>(to: &Recipient<M>, message: M, who: &str) {
    if to.try_send(message).is_err() {
        warn!(who, "behind: a change of settings did not reach it");
    }
}

impl Actor for Conductor {
    type Context = Context<Self>;
}

impl Handler<Ping> for Conductor {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

impl Handler<Became> for Conductor {
    type Result = ();

    fn handle(&mut self, Became(own): Became, ctx: &mut Self::Context) {
        if self.own.replace(Arc::clone(&own)).is_none() {
            Span::current().record("id", display(&own.id));
            info!("controller started");
            let payload = json!({ "version": env!("CARGO_PKG_VERSION"), "role": own.role, "region": own.region });
            let written = wrap_future(self.write(EventType::ControllerStarted, payload));
            ctx.spawn(written.map(|written, _: &mut Self, _| {
                if let Err(error) = written {
                    error!(%error, "that the controller started could not be written down");
                }
            }));
        }
        ctx.notify_later(Enough, PATIENCE);
        self.conduct(ctx);
    }
}

impl Handler<Enough> for Conductor {
    type Result = ();

    fn handle(&mut self, _: Enough, ctx: &mut Self::Context) {
        let was_waiting = !std::mem::replace(&mut self.waited, true);
        if was_waiting && !self.began {
            self.conduct(ctx);
        }
    }
}

impl Handler<PolicyChanged> for Conductor {
    type Result = ();

    fn handle(&mut self, PolicyChanged(policy): PolicyChanged, ctx: &mut Self::Context) {
        self.policy = Some(policy);
        self.conduct(ctx);
    }
}

impl Handler<LastWords> for Conductor {
    type Result = ResponseFuture<Result<(), NibError>>;

    fn handle(&mut self, LastWords(payload): LastWords, _: &mut Self::Context) -> Self::Result {
        self.write(EventType::ControllerStopped, payload)
    }
}

impl Handler<Record> for Conductor {
    type Result = ResponseFuture<Result<(), NibError>>;

    fn handle(&mut self, Record(event_type, payload): Record, _: &mut Self::Context) -> Self::Result {
        self.write(event_type, payload)
    }
}

impl Handler<Reload> for Conductor {
    type Result = ();

    fn handle(&mut self, Reload(settings): Reload, ctx: &mut Self::Context) {
        if let Some(scanning) = &mut self.scanning {
            scanning.reporting.settings = settings;
            self.conduct(ctx);
        }
    }
}

/// Nobody scans before the controller is somebody: what it would find would be nobody's.
impl Handler<StartCycle> for Conductor {
    type Result = ResponseFuture<Result<oneshot::Receiver<CycleResult>, Refused>>;

    fn handle(&mut self, start: StartCycle, _: &mut Self::Context) -> Self::Result {
        let asked = self.scanning.as_ref().filter(|_| self.began).map(|scanning| scanning.start.send(start));
        Box::pin(async move {
            match asked {
                None => Err(Refused::NotValidated),
                Some(asked) => asked.await.unwrap_or(Err(Refused::Stopping)),
            }
        })
    }
}
