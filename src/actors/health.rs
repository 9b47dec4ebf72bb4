//! The actor that knows how the controller does.
//!
//! ```text
//!   DiscoveryActor ──CycleEnded──► HealthActor ◄──CheckHealth, ReadStatus, RenderMetrics── northbound
//!   other actors ────Note──────────►    │
//!   MembershipActor ─Became────────►    │
//!   AuditActor ──────Freeze────────►    │
//!                                      └──Ping──► every other actor
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler, Message, MessageResult, Recipient, ResponseFuture};
use serde::Serialize;
use serde_json::json;

use super::Ping;
use super::discovery::{CycleEnded, succeeded};
use super::identity::Became;
use super::nib::Freeze;
use crate::domain::controller::{ControllerId, Region, Role};
use crate::domain::cycle::CycleReport;
use crate::domain::subnet::Subnet;
use crate::domain::time::{Clock, Timestamp};

pub mod metrics;

use metrics::Metrics;

/// How long an actor may take to answer a ping before it counts as hung.
pub const PING_DEADLINE: Duration = Duration::from_secs(2);

/// Who this controller is, for those who ask.
#[derive(Debug, Clone, Serialize)]
pub struct Identity {
    /// Its tier.
    pub role: Role,
    /// Its name, when it has been given one.
    pub controller_id: Option<ControllerId>,
    /// Its zone.
    pub region: Option<Region>,
    /// What it covers.
    pub subnets: Vec<Subnet>,
    /// The version of the program.
    pub version: &'static str,
    /// When it was started.
    pub started_at: Timestamp,
}

/// Collects what is told about a controller.
pub struct HealthActor {
    identity: Identity,
    clock: Arc<dyn Clock>,
    started: Duration,
    metrics: Metrics,
    watched: Vec<(&'static str, Recipient<Ping>)>,
    cycles: u64,
    last_cycle: Option<CycleReport>,
    last_error: Option<String>,
    notes: BTreeMap<&'static str, serde_json::Value>,
    frozen: Option<String>,
}

/// An actor to watch over.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Watch(pub &'static str, pub Recipient<Ping>);

/// What the controller covers from now on.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Cover(pub Vec<Subnet>);

/// What an actor has to say about itself for the status. A later note of a section replaces the
/// earlier one.
#[derive(Debug, Clone, PartialEq, Message)]
#[rtype(result = "()")]
pub struct Note {
    /// Under which name it is shown.
    pub section: &'static str,
    /// What is shown.
    pub value: serde_json::Value,
}

/// Asks whether every actor answers, and whether the controller has begun what it is there for.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Health")]
pub struct CheckHealth;

/// How a controller does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The actors that did not answer in time.
    pub silent: Vec<&'static str>,
    /// Whether a cycle has ended in which something could be scanned, so that the NIB tells of the
    /// present; nothing of a controller that does not discover.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovered: Option<bool>,
    /// Whether the controller has a name; nothing of one that discovers, which does not before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validated: Option<bool>,
    /// Why nothing may be written to the NIB, where that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen: Option<String>,
}

impl Health {
    /// Whether all is as it should be.
    pub fn is_ready(&self) -> bool {
        self.silent.is_empty()
            && self.frozen.is_none()
            && self.discovered != Some(false)
            && self.validated != Some(false)
    }
}

/// Asks for what an operator wants to see.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Status")]
pub struct ReadStatus;

/// What an operator wants to see.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// Who this is.
    #[serde(flatten)]
    pub identity: Identity,
    /// Since when, in seconds.
    pub uptime_seconds: u64,
    /// Cycles that ended since the start.
    pub cycles: u64,
    /// The last one that was written.
    pub last_cycle: Option<CycleReport>,
    /// Why the last one failed, if it did.
    pub last_error: Option<String>,
    /// What its actors noted, by section.
    #[serde(flatten)]
    pub notes: BTreeMap<&'static str, serde_json::Value>,
}

/// Asks for all metrics in the text format of OpenMetrics.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<String, std::fmt::Error>")]
pub struct RenderMetrics;

impl HealthActor {
    /// An actor that knows nothing yet but who this is.
    pub fn new(identity: Identity, clock: Arc<dyn Clock>) -> Self {
        let metrics = Metrics::new(identity.version, identity.started_at);
        let started = clock.elapsed();
        Self {
            identity,
            clock,
            started,
            metrics,
            watched: Vec::new(),
            cycles: 0,
            last_cycle: None,
            last_error: None,
            notes: BTreeMap::new(),
            frozen: None,
        }
    }
}

impl Actor for HealthActor {
    type Context = Context<Self>;
}

impl Handler<Watch> for HealthActor {
    type Result = ();

    fn handle(&mut self, Watch(name, actor): Watch, _: &mut Self::Context) {
        self.watched.push((name, actor));
    }
}

impl Handler<Cover> for HealthActor {
    type Result = ();

    fn handle(&mut self, Cover(subnets): Cover, _: &mut Self::Context) {
        self.identity.subnets = subnets;
    }
}

impl Handler<Became> for HealthActor {
    type Result = ();

    fn handle(&mut self, Became(own): Became, _: &mut Self::Context) {
        self.identity.controller_id = Some(own.id.clone());
        self.identity.region.clone_from(&own.region);
    }
}

/// The controller only answers questions from now on.
impl Handler<Freeze> for HealthActor {
    type Result = ();

    fn handle(&mut self, Freeze { reason }: Freeze, _: &mut Self::Context) {
        self.notes.insert("log", json!({ "state": "LOG_CORRUPT", "reason": reason }));
        self.frozen.get_or_insert(reason);
    }
}

impl Handler<Note> for HealthActor {
    type Result = ();

    fn handle(&mut self, Note { section, value }: Note, _: &mut Self::Context) {
        self.notes.insert(section, value);
    }
}

impl Handler<CycleEnded> for HealthActor {
    type Result = ();

    fn handle(&mut self, CycleEnded(result): CycleEnded, _: &mut Self::Context) {
        self.cycles += 1;
        match result {
            Ok(report) => {
                self.metrics.cycle_ended(&report);
                self.last_cycle = Some(report);
                self.last_error = None;
            }
            Err(error) => {
                self.metrics.cycle_broke();
                self.last_error = Some(super::causes(error.as_ref()));
            }
        }
    }
}

impl Handler<CheckHealth> for HealthActor {
    type Result = ResponseFuture<Health>;

    fn handle(&mut self, _: CheckHealth, _: &mut Self::Context) -> Self::Result {
        // All deadlines begin now, so that several silent actors are named as soon as one.
        let ping = |actor: &Recipient<Ping>| tokio::time::timeout(PING_DEADLINE, actor.send(Ping));
        let pings: Vec<_> = self.watched.iter().map(|(name, actor)| (*name, ping(actor))).collect();
        let discovers = self.identity.role == Role::Local;
        let discovered = discovers.then(|| self.last_cycle.as_ref().is_some_and(succeeded));
        let validated = (!discovers).then_some(self.identity.controller_id.is_some());
        let frozen = self.frozen.clone();
        Box::pin(async move {
            let mut silent = Vec::new();
            for (name, ping) in pings {
                if !matches!(ping.await, Ok(Ok(()))) {
                    silent.push(name);
                }
            }
            Health { silent, discovered, validated, frozen }
        })
    }
}

impl Handler<ReadStatus> for HealthActor {
    type Result = MessageResult<ReadStatus>;

    fn handle(&mut self, _: ReadStatus, _: &mut Self::Context) -> Self::Result {
        MessageResult(Status {
            identity: self.identity.clone(),
            uptime_seconds: self.clock.elapsed().saturating_sub(self.started).as_secs(),
            cycles: self.cycles,
            last_cycle: self.last_cycle.clone(),
            last_error: self.last_error.clone(),
            notes: self.notes.clone(),
        })
    }
}

impl Handler<RenderMetrics> for HealthActor {
    type Result = Result<String, std::fmt::Error>;

    fn handle(&mut self, _: RenderMetrics, _: &mut Self::Context) -> Self::Result {
        self.metrics.render()
    }
}
