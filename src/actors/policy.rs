//! The actor that keeps the policy of a controller: it sets it at the Global Controller, and takes it
//! from above everywhere else.
//!
//! ```text
//!   northbound ──SetPolicy, ReadPolicy, PolicyHistory──► PolicyActor ──Send<…>──► PostActor
//!   PostActor ──Delivered<PolicyUpdate>──►                │  ▲  ├──Note──► HealthActor
//!   app, MembershipActor ──Became──►                      │  │  └──Commit, Ask──► NibActor
//!   PresenceActor ──ParentReached──►                      │  └─ Remind, its timer
//!                                            PolicyChanged└──► PolicyDistributor and all whom it concerns
//! ```
//!
//! What comes from above is verified, committed, told, and acknowledged, in this order.
//! [`distribution::PolicyDistributor`] passes it on.

use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, ResponseActFuture, ResponseFuture,
    SpawnHandle,
};
use serde::{Deserialize, Serialize};
use tracing::{debug, error, info, warn};

use super::health::Note;
use super::identity::{Became, Own};
use super::nib::Nib;
use super::post::{Delivered, Send};
use super::presence::{self, ParentReached};
use super::{NAMELESS, Ping, REQUEST_DEADLINE};
use crate::actors::causes;
use crate::algorithms::policy::distribution::ANSWER;
use crate::algorithms::policy::set::SetError;
use crate::algorithms::trust::backoff::Backoff;
use crate::domain::controller::{ControllerId, Role};
use crate::domain::number::PolicyVersion;
use crate::domain::operator::Operator;
use crate::domain::policy::Policy;
use crate::domain::reason::Reason;
use crate::domain::registry::Standing;
use crate::domain::time::{Clock, Timestamp};
use crate::nib::NibError;
use crate::wire::envelope::{Body, Destination};
use crate::wire::policy::{PolicyAck, PolicyRequest, PolicyUpdate};

mod decide;
pub mod distribution;
mod view;

use decide::{Decided, Judge};

pub use crate::algorithms::policy::known::PolicySummary;
pub use view::{PolicyView, Running};

/// How many rows are read at a time.
const PAGE: usize = 1_000;

/// The policy in effect is looked at again at least this often: timers are not made for years.
const LOOK: Duration = Duration::from_secs(86_400);

/// The policy that is in effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InEffect {
    /// What it says.
    pub values: Policy,
    /// The document that says it; before any came, the configuration does.
    pub document: Option<PolicySummary>,
}

impl InEffect {
    /// Its version.
    pub fn version(&self) -> Option<PolicyVersion> {
        self.document.as_ref().map(|document| document.version)
    }

    /// Whether its document has ended; it is in effect all the same.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.document.as_ref().is_some_and(|document| now >= document.expires_at)
    }
}

/// This policy is in effect from now on: sent when the controller starts, and when a policy was
/// committed.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct PolicyChanged(pub Arc<InEffect>);

/// An operator sets the policy of all controllers.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<PolicySummary, PolicyActorError>")]
pub struct SetPolicy {
    /// What it shall say.
    pub values: Policy,
    /// When it ends; in a year if nobody says.
    pub expires_at: Option<Timestamp>,
    /// Who asks.
    pub by: Operator,
}

/// Why a policy was not set or cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum PolicyActorError {
    /// The controller has no name yet.
    #[error("{NAMELESS}")]
    Nameless,
    /// It was refused.
    #[error(transparent)]
    Refused(#[from] SetError),
    /// The NIB cannot be used.
    #[error("the NIB cannot be used")]
    Nib(#[from] NibError),
    /// What the NIB keeps is not what was written.
    #[error("a policy in the NIB is damaged")]
    Damaged(#[source] crate::wire::canonical::Malformed),
}

/// Asks for the policy in effect and for who runs what.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<PolicyReport, PolicyActorError>")]
pub struct ReadPolicy;

/// The policy in effect, and who runs what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyReport {
    /// The policy.
    pub in_effect: InEffect,
    /// Whether its document has ended.
    pub expired: bool,
    /// The controllers directly below that are not revoked, ascending.
    pub children: Vec<ChildPolicy>,
}

/// What a controller below runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildPolicy {
    /// Which.
    pub id: ControllerId,
    /// What it acknowledged last.
    pub version: Option<PolicyVersion>,
}

/// Asks for at most `limit` policies that were in effect here, ascending, those after a version.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Vec<PolicySummary>, PolicyActorError>")]
pub struct PolicyHistory {
    /// The version.
    pub after: PolicyVersion,
    /// How many; never more than 1,000.
    pub limit: usize,
}

/// Something is due: what was missed is to be asked for, or the policy has ended.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub enum Remind {
    /// Ask the controller above.
    Ask,
    /// Look whether the policy has ended.
    Look,
}

/// To whom the actor speaks.
#[derive(Debug, Clone)]
pub struct Outlets {
    /// Questions to the controller above.
    pub requests: Recipient<Send<PolicyRequest>>,
    /// Answers to it.
    pub acks: Recipient<Send<PolicyAck>>,
    /// What the status shows.
    pub notes: Recipient<Note>,
    /// All who work by policy.
    pub listeners: Vec<Recipient<PolicyChanged>>,
}

/// Keeps the policy.
pub struct PolicyActor {
    /// What holds before any document came, and what the first one at a Global Controller says.
    configured: Policy,
    own: Option<Arc<Own>>,
    in_effect: Option<Arc<InEffect>>,
    nib: Nib,
    clock: Arc<dyn Clock>,
    outlets: Outlets,
    random: fastrand::Rng,
    backoff: Backoff,
    asking: Option<SpawnHandle>,
    look: Option<SpawnHandle>,
    /// The version that was told to be over: once is enough.
    told_over: Option<PolicyVersion>,
    /// What was refused last, so that the same is not written again and again.
    refused: Option<(PolicyVersion, Reason)>,
}

impl PolicyActor {
    /// An actor that begins when it is told who it is. The seed is for the times at which it asks.
    pub fn new(configured: Policy, nib: Nib, clock: Arc<dyn Clock>, seed: u64, outlets: Outlets) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let backoff = Backoff::new(random.u64(..));
        Self {
            configured,
            own: None,
            in_effect: None,
            nib,
            clock,
            outlets,
            random,
            backoff,
            asking: None,
            look: None,
            told_over: None,
            refused: None,
        }
    }

    /// What a decision needs to know, if the controller has a name.
    fn judge(&self) -> Option<Judge> {
        let own = self.own.clone()?;
        Some(Judge { own, configured: self.configured.clone(), now: self.clock.now(), refused: self.refused })
    }

    /// A policy is in effect: tells it to all whom it concerns. An older one than is known is not told:
    /// it was overtaken on its way here.
    fn adopt(&mut self, in_effect: InEffect, ctx: &mut Context<Self>) {
        let known = self.in_effect.as_deref();
        if known.is_some_and(|known| known.version() > in_effect.version() || *known == in_effect) {
            return;
        }
        let in_effect = Arc::new(in_effect);
        self.in_effect = Some(Arc::clone(&in_effect));
        match in_effect.version().map(PolicyVersion::number) {
            Some(version) => info!(version, "policy in effect"),
            None => info!("the configuration's policy is in effect, until one comes from above"),
        }
        for listener in &self.outlets.listeners {
            let told = listener.send(PolicyChanged(Arc::clone(&in_effect)));
            ctx.spawn(wrap_future(async move {
                if !matches!(tokio::time::timeout(REQUEST_DEADLINE, told).await, Ok(Ok(()))) {
                    error!("an actor was not told of the policy in effect");
                }
            }));
        }
        self.look(ctx);
    }

    /// Notes the policy, warns once when it has ended, and sees to it that this is looked at in time.
    fn look(&mut self, ctx: &mut Context<Self>) {
        let Some(in_effect) = self.in_effect.clone() else { return };
        let now = self.clock.now();
        let is_over = in_effect.is_over(now);
        if is_over && self.told_over != in_effect.version() {
            self.told_over = in_effect.version();
            warn!("the policy in effect has ended; it stays in effect until the Global Controller sets another");
        }
        let value = serde_json::json!({ "in_effect": *in_effect, "expired": is_over });
        if self.outlets.notes.try_send(Note { section: "policy", value }).is_err() {
            debug!("the health actor is behind: the status shows the policy before this one");
        }
        let ends = in_effect.document.as_ref().filter(|_| !is_over).map(|document| document.expires_at.since(now));
        let after = ends.unwrap_or(LOOK).min(LOOK);
        if let Some(timer) = self.look.replace(ctx.notify_later(Remind::Look, after)) {
            ctx.cancel_future(timer);
        }
    }

    fn ask_later(&mut self, after: Duration, ctx: &mut Context<Self>) {
        if let Some(timer) = self.asking.replace(ctx.notify_later(Remind::Ask, after)) {
            ctx.cancel_future(timer);
        }
    }

    /// Asks the controller above for what was missed, until it answers.
    fn ask(&mut self, ctx: &mut Context<Self>) {
        let Some(parent) = self.own.as_ref().and_then(|own| own.parent.clone()) else { return };
        let have = self.in_effect.as_ref().and_then(|in_effect| in_effect.version());
        say(&self.outlets.requests, parent, PolicyRequest { have }, ctx);
        let after = ANSWER + self.backoff.wait();
        self.ask_later(after, ctx);
    }

    fn heard(&mut self, ctx: &mut Context<Self>) {
        self.backoff.reset();
        if let Some(timer) = self.asking.take() {
            ctx.cancel_future(timer);
        }
    }
}

/// Says something to one controller. Whoever must hear it is told again by those who wait for it.
fn say<A, B>(post: &Recipient<Send<B>>, to: ControllerId, body: B, ctx: &mut Context<A>)
where
    A: Actor<Context = Context<A>>,
    B: Body + std::marker::Send + 'static,
{
    let sent = post.send(Send { to: Destination::Controller(to), body });
    ctx.spawn(wrap_future(async move {
        match tokio::time::timeout(REQUEST_DEADLINE, sent).await {
            Ok(Ok(Ok(_))) => {}
            Ok(Ok(Err(error))) => debug!(message = %B::MESSAGE_TYPE, error = %causes(&error), "not sent"),
            Ok(Err(_)) | Err(_) => warn!(message = %B::MESSAGE_TYPE, "not sent: the post does not answer"),
        }
    }));
}

impl Actor for PolicyActor {
    type Context = Context<Self>;
}

impl Handler<Ping> for PolicyActor {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

impl Handler<Became> for PolicyActor {
    type Result = ();

    fn handle(&mut self, Became(own): Became, ctx: &mut Self::Context) {
        self.own = Some(own);
        let Some(judge) = self.judge() else { return };
        let nib = self.nib.clone();
        let begin = async move { nib.decide(decide::look, |rows| judge.begin(&rows)).await? };
        // Whoever asks or sets something after this finds what the start made.
        ctx.wait(wrap_future::<_, Self>(begin).map(|begun: Result<_, PolicyActorError>, this, ctx| match begun {
            Ok(in_effect) => this.adopt(in_effect, ctx),
            Err(error) => error!(error = %causes(&error), "no policy in effect"),
        }));
    }
}

impl Handler<SetPolicy> for PolicyActor {
    type Result = ResponseActFuture<Self, Result<PolicySummary, PolicyActorError>>;

    fn handle(&mut self, order: SetPolicy, _: &mut Self::Context) -> Self::Result {
        let (nib, judge) = (self.nib.clone(), self.judge());
        let set = async move {
            let judge = judge.ok_or(PolicyActorError::Nameless)?;
            nib.decide(decide::look, |rows| judge.set(&rows, &order)).await?
        };
        Box::pin(wrap_future::<_, Self>(set).map(|set: Result<PolicySummary, PolicyActorError>, this, ctx| {
            let summary = set?;
            this.adopt(InEffect { values: summary.values.clone(), document: Some(summary.clone()) }, ctx);
            Ok(summary)
        }))
    }
}

impl Handler<Delivered<PolicyUpdate>> for PolicyActor {
    type Result = ();

    fn handle(&mut self, message: Delivered<PolicyUpdate>, ctx: &mut Self::Context) {
        let Some(judge) = self.judge() else { return };
        let (nib, from) = (self.nib.clone(), message.header.sender_id.clone());
        let take = async move { nib.decide(decide::look, |rows| judge.take(&rows, &from, &message.body)).await? };
        let answer = move |decided: Result<Decided, PolicyActorError>, this: &mut Self, ctx: &mut Context<Self>| {
            match decided {
                Ok(Decided { in_effect, ack, refused, is_from_parent }) => {
                    this.refused = refused.or(this.refused);
                    if let Some(in_effect) = in_effect {
                        this.adopt(in_effect, ctx);
                    }
                    if is_from_parent {
                        this.heard(ctx);
                        say(&this.outlets.acks, message.header.sender_id, ack, ctx);
                    }
                }
                // It is sent again until it is acknowledged.
                Err(error) => error!(error = %causes(&error), "a policy from above was not taken"),
            }
        };
        ctx.spawn(wrap_future::<_, Self>(take).map(answer));
    }
}

impl Handler<ParentReached> for PolicyActor {
    type Result = ();

    fn handle(&mut self, ParentReached { spread }: ParentReached, ctx: &mut Self::Context) {
        self.backoff.reset();
        let after = spread.mul_f64(self.random.f64());
        self.ask_later(after, ctx);
    }
}

impl Handler<Remind> for PolicyActor {
    type Result = ();

    fn handle(&mut self, remind: Remind, ctx: &mut Self::Context) {
        match remind {
            Remind::Ask => self.ask(ctx),
            Remind::Look => self.look(ctx),
        }
    }
}

impl Handler<ReadPolicy> for PolicyActor {
    type Result = ResponseFuture<Result<PolicyReport, PolicyActorError>>;

    fn handle(&mut self, _: ReadPolicy, _: &mut Self::Context) -> Self::Result {
        let (nib, now) = (self.nib.clone(), self.clock.now());
        let configured = self.configured.clone();
        let is_parent = self.own.as_ref().is_none_or(|own| own.role != Role::Local);
        Box::pin(async move {
            let (row, rows) = nib
                .ask(move |reader| {
                    let rows = if is_parent { presence::rows(reader)? } else { Vec::new() };
                    Ok((reader.policy()?, rows))
                })
                .await?;
            let in_effect = decide::in_effect(row.as_ref(), configured)?;
            let belongs = rows.into_iter().filter(|row| row.standing != Standing::Revoked);
            let children = belongs.map(|row| ChildPolicy { id: row.id, version: row.policy_version }).collect();
            Ok(PolicyReport { expired: in_effect.is_over(now), in_effect, children })
        })
    }
}

impl Handler<PolicyHistory> for PolicyActor {
    type Result = ResponseFuture<Result<Vec<PolicySummary>, PolicyActorError>>;

    fn handle(&mut self, PolicyHistory { after, limit }: PolicyHistory, _: &mut Self::Context) -> Self::Result {
        let nib = self.nib.clone();
        Box::pin(async move {
            let rows = nib.ask(move |reader| reader.policies(after, limit.min(PAGE))).await?;
            rows.iter().map(decide::summary).collect()
        })
    }
}
