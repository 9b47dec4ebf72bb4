//! The actor that signs the heads of the own log, has them witnessed, and witnesses those of others.
//!
//! ```text
//!   its timers ──Timer──►            ┌──Send<Checkpoint>, Send<CheckpointAnswer>──► PostActor
//!   app, ValidationActor ──Nudge──► AuditActor ──Acquaint (a fork)──► PostActor
//!   PresenceActor ──ParentReached──►  │
//!   PostActor ──Delivered<…>──►       │   └──Freeze (an own log that does not hold)──► NibActor, HealthActor
//!   northbound ──ReadHead,            ▼
//!                MakeCheckpoint──►  NibActor
//! ```
//!
//! A head is stored before its signature leaves, and a head of another before it is cosigned. One thing
//! is done after the other: while the NIB is asked or written, the next message waits. What is sent may
//! be lost; it is sent again until a witness has cosigned it.

mod own;
mod view;
mod witness;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::fut::{self, wrap_future};
use actix::{
    Actor, ActorFutureExt, AsyncContext, AtomicResponse, Context, Handler, Message, Recipient, ResponseActFuture,
    ResponseFuture, WrapFuture,
};
use serde_json::{Map, Value, json};
use tracing::{error, warn};

use super::health::Note;
use super::identity::{Became, Own};
use super::nib::{Freeze, Nib};
use super::post::{Acquaint, Delivered, Send};
use super::presence::ParentReached;
use super::{Ping, REQUEST_DEADLINE};
use crate::algorithms::audit::anchor::{Course, Decision};
use crate::algorithms::audit::own::{INTERVAL, Occasion, REMINDER, RESEND};
use crate::domain::controller::ControllerId;
use crate::domain::log::StoredHead;
use crate::domain::time::{Clock, Timestamp};
use crate::nib::NibError;
use crate::wire::anchor::{Checkpoint, CheckpointAnswer};
use crate::wire::envelope::Destination;

use own::{Answered, Outcome};
pub use view::Tiles;

/// How often it is looked whether logs below are silent.
const LAG_INTERVAL: Duration = Duration::from_secs(60);

/// To whom the actor speaks.
#[derive(Debug, Clone)]
pub struct Outlets {
    /// Heads, to witnesses.
    pub checkpoints: Recipient<Send<Checkpoint>>,
    /// Answers, to those who were witnessed.
    pub answers: Recipient<Send<CheckpointAnswer>>,
    /// Who is not listened to any more.
    pub acquaint: Recipient<Acquaint>,
    /// Whoever keeps the own log from being written on, and whoever tells that it is not.
    pub freeze: Vec<Recipient<Freeze>>,
    /// Whoever knows how the controller does.
    pub health: Recipient<Note>,
}

/// Signs, shows and witnesses heads.
pub struct AuditActor {
    nib: Nib,
    clock: Arc<dyn Clock>,
    random: fastrand::Rng,
    outlets: Outlets,
    own: Option<Arc<Own>>,
    /// Why no head of the own log is signed any more.
    halted: Option<String>,
    /// The size and time of the newest head, for the status.
    newest: Option<(u64, Timestamp)>,
    /// The last word for the status.
    noted: Value,
    /// What the witnesses of the own log are known to have; a cache that their answers fill.
    shown: BTreeMap<ControllerId, Shown>,
    /// The order of the messages of those who are witnessed.
    courses: BTreeMap<ControllerId, Course>,
}

/// What a witness has, as far as it said.
#[derive(Debug, Clone, Copy, Default)]
struct Shown {
    /// The size that it cosigned last.
    cosigned: u64,
    /// What was sent last: the size, from which size it was proven, and when.
    sent: Option<(u64, u64, Duration)>,
}

/// A head is wanted now: a controller joined, a decision must not wait, or the witness is reached again.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Nudge;

/// Time has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum Timer {
    /// Has the log grown?
    Interval,
    /// The witnesses are to see that the log is alive.
    Reminder,
    /// Are those below alive?
    Lag,
}

/// Asks for the newest head of the own log, with its cosignatures.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Option<StoredHead>, NibError>")]
pub struct ReadHead;

/// Asks for a head of all that is there now, and shows it to the witnesses.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Option<StoredHead>, AuditError>")]
pub struct MakeCheckpoint;

/// Why there is no new head.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The controller has no name yet, so its log is not open.
    #[error("the controller has no name yet, so its log is not open")]
    NotOpen,
    /// The log does not hold.
    #[error("no head of this log is signed any more: {0}")]
    Halted(String),
    /// The NIB.
    #[error("the log cannot be read or its head cannot be stored")]
    Nib(#[from] NibError),
}

impl AuditActor {
    /// An actor that does nothing until it knows who it is ([`Became`]).
    /// The seed is for the wait before a parent that is reached again is told what it missed.
    pub fn new(nib: Nib, clock: Arc<dyn Clock>, seed: u64, outlets: Outlets) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        let (shown, courses) = (BTreeMap::new(), BTreeMap::new());
        let (own, halted, newest, noted) = (None, None, None, Value::Null);
        Self { nib, clock, random, outlets, own, halted, newest, noted, shown, courses }
    }

    /// Makes a head if there is a reason to, and shows it.
    fn head(&self, occasion: Occasion) -> ResponseActFuture<Self, Result<Option<StoredHead>, AuditError>> {
        let own = match (&self.own, &self.halted) {
            (None, _) => return Box::pin(fut::ready(Err(AuditError::NotOpen))),
            (_, Some(why)) => return Box::pin(fut::ready(Err(AuditError::Halted(why.clone())))),
            (Some(own), None) => Arc::clone(own),
        };
        let work = own::make(self.nib.clone(), own, occasion, self.clock.now());
        Box::pin(work.into_actor(self).map(|made, this, ctx| this.made(made, ctx)))
    }

    /// The same when nobody waits for the head.
    fn head_in_time(&self, occasion: Occasion) -> ResponseActFuture<Self, ()> {
        Box::pin(self.head(occasion).map(|made, _, _| match made {
            Ok(_) | Err(AuditError::NotOpen | AuditError::Halted(_)) => {}
            Err(AuditError::Nib(error)) => warn!(%error, "no head of the event log was made; it will be tried again"),
        }))
    }

    /// A head if the log has grown. Most of the time it has not: then its size is all that is read.
    fn head_if_grown(&self) -> ResponseActFuture<Self, ()> {
        let Some(size) = self.at_rest() else { return self.head_in_time(Occasion::Interval) };
        let nib = self.nib.clone();
        let looked = async move { nib.ask(|reader| reader.edge()).await };
        Box::pin(wrap_future::<_, Self>(looked).then(move |edge, this, _| match edge {
            Ok(edge) if edge.size == size => Box::pin(fut::ready(())),
            _ => this.head_in_time(Occasion::Interval),
        }))
    }

    /// The size of the newest head, when the parent has cosigned it and is its only witness.
    fn at_rest(&self) -> Option<u64> {
        let (size, _) = self.newest?;
        let parent = self.own.as_ref()?.parent.as_ref()?;
        (self.halted.is_none() && self.shown.get(parent)?.cosigned == size).then_some(size)
    }

    fn made(
        &mut self,
        made: Result<Outcome, NibError>,
        ctx: &mut Context<Self>,
    ) -> Result<Option<StoredHead>, AuditError> {
        let made = made?;
        if let Outcome::Rest { head: Some(head), .. } | Outcome::Show { head, .. } = &made {
            self.newest = Some((head.size, head.at));
            self.note();
        }
        match made {
            Outcome::Rest { head, witnesses } => {
                // Whoever has not answered for a while may not have heard.
                if let Some(head) = &head {
                    let waiting = witnesses.into_iter().filter(|id| self.is_due(id, head.size)).collect();
                    self.show(head, waiting, ctx);
                }
                Ok(head)
            }
            Outcome::Show { head, witnesses } => {
                self.show(&head, witnesses, ctx);
                Ok(Some(head))
            }
            Outcome::Broken(why) => {
                self.halt(why.clone(), ctx);
                Err(AuditError::Halted(why))
            }
        }
    }

    fn is_due(&self, witness: &ControllerId, size: u64) -> bool {
        let shown = self.shown.get(witness).copied().unwrap_or_default();
        let waited = shown.sent.map(|(.., at)| self.clock.elapsed().saturating_sub(at));
        shown.cosigned < size && waited.is_none_or(|waited| waited >= RESEND)
    }

    /// Sends a head to these witnesses, each with the proof from what it has.
    fn show(&mut self, head: &StoredHead, witnesses: Vec<ControllerId>, ctx: &mut Context<Self>) {
        let now = self.clock.elapsed();
        let mut olds = Vec::new();
        for witness in witnesses {
            let shown = self.shown.entry(witness.clone()).or_default();
            let old = if shown.cosigned <= head.size { shown.cosigned } else { 0 };
            shown.sent = Some((head.size, old, now));
            olds.push((witness, old));
        }
        if olds.is_empty() {
            return;
        }
        let (nib, head, checkpoints) = (self.nib.clone(), head.clone(), self.outlets.checkpoints.clone());
        ctx.spawn(wrap_future(async move {
            let messages = match own::requests(&nib, &head, olds).await {
                Ok(messages) => messages,
                Err(error) => return warn!(%error, "the proof for a witness cannot be made; it will be tried again"),
            };
            for (witness, body) in messages {
                send(&checkpoints, Send { to: Destination::Controller(witness), body }).await;
            }
        }));
    }

    /// Tells what an operator wants to see of the log, when it is something new.
    fn note(&mut self) {
        let witnesses: Map<_, _> =
            self.shown.iter().map(|(id, shown)| (id.to_string(), json!(shown.cosigned))).collect();
        let head = self.newest.map(|(size, at)| json!({ "size": size, "signed_at": at }));
        let value = json!({ "head": head, "witnesses": witnesses, "halted": self.halted });
        // What was not taken is said again with the next word.
        if self.noted != value && self.outlets.health.try_send(Note { section: "audit", value: value.clone() }).is_ok()
        {
            self.noted = value;
        }
    }

    /// Signs no head any more, and lets nothing more be written.
    fn halt(&mut self, why: String, ctx: &mut Context<Self>) {
        if self.halted.is_some() {
            return;
        }
        error!(reason = %why, "the event log does not hold; nothing more is written or signed");
        let freeze = self.outlets.freeze.clone();
        self.halted = Some(why.clone());
        self.note();
        ctx.spawn(wrap_future(async move {
            for recipient in &freeze {
                send(recipient, Freeze { reason: why.clone() }).await;
            }
        }));
    }

    fn answered(&mut self, from: &ControllerId, answered: Result<Answered, NibError>, ctx: &mut Context<Self>) {
        match answered {
            Ok(Answered::Cosigned { size }) => {
                let shown = self.shown.entry(from.clone()).or_default();
                shown.cosigned = shown.cosigned.max(size);
                self.note();
            }
            Ok(Answered::ProveFrom { size, head }) => {
                self.shown.entry(from.clone()).or_default().cosigned = size;
                self.show(&head, vec![from.clone()], ctx);
            }
            Ok(Answered::Broken { why, confession }) => {
                // The witness gets to see that this is all there is: it keeps the evidence.
                if let Some(body) = confession {
                    let (checkpoints, to) = (self.outlets.checkpoints.clone(), Destination::Controller(from.clone()));
                    ctx.spawn(wrap_future(async move { send(&checkpoints, Send { to, body: *body }).await }));
                }
                self.halt(why, ctx);
            }
            Ok(Answered::Ignored) => {}
            Err(error) => warn!(%error, witness = %from, "the answer of a witness was not stored"),
        }
    }

    fn witnessed(
        &mut self,
        message: &Delivered<Checkpoint>,
        decided: Result<Decision, NibError>,
        ctx: &mut Context<Self>,
    ) {
        let from = message.header.sender_id.clone();
        let decision = match decided {
            Ok(decision) => decision,
            // No answer: the log will show it again.
            Err(error) => return warn!(%error, log = %from, "a head was not witnessed"),
        };
        self.courses.entry(from.clone()).or_default().note(&message.header, decision.heard, self.clock.now());
        let answer = decision.answer.map(|answer| witness::answer(&message.body, answer));
        let (acquaint, answers) = (self.outlets.acquaint.clone(), self.outlets.answers.clone());
        ctx.spawn(wrap_future(async move {
            if let Some(suspended) = decision.suspended {
                error!(log = %suspended, "a log showed two histories; its controller is suspended");
                send(&acquaint, Acquaint::Suspend(suspended)).await;
            }
            if let Some(body) = answer {
                send(&answers, Send { to: Destination::Controller(from), body }).await;
            }
        }));
    }
}

/// Sends with a deadline. Nobody waits for what does not arrive: it is sent again.
async fn send<M>(to: &Recipient<M>, message: M)
where
    M: Message + std::marker::Send + 'static,
    M::Result: std::marker::Send,
{
    if !matches!(tokio::time::timeout(REQUEST_DEADLINE, to.send(message)).await, Ok(Ok(_))) {
        warn!("a message about the log was not taken in time; it will be sent again");
    }
}

impl Actor for AuditActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        for (period, timer) in [(INTERVAL, Timer::Interval), (REMINDER, Timer::Reminder), (LAG_INTERVAL, Timer::Lag)] {
            ctx.run_interval(period, move |_, ctx| ctx.notify(timer));
        }
    }
}

impl Handler<Ping> for AuditActor {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

impl Handler<Became> for AuditActor {
    type Result = ();

    fn handle(&mut self, Became(own): Became, ctx: &mut Self::Context) {
        self.own = Some(own);
        ctx.notify(Nudge);
    }
}

impl Handler<Nudge> for AuditActor {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, _: Nudge, _: &mut Self::Context) -> Self::Result {
        AtomicResponse::new(self.head_in_time(Occasion::Asked))
    }
}

impl Handler<ParentReached> for AuditActor {
    type Result = ();

    fn handle(&mut self, ParentReached { spread }: ParentReached, ctx: &mut Self::Context) {
        ctx.notify_later(Nudge, spread.mul_f64(self.random.f64()));
    }
}

impl Handler<Timer> for AuditActor {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, timer: Timer, _: &mut Self::Context) -> Self::Result {
        match timer {
            Timer::Interval => AtomicResponse::new(self.head_if_grown()),
            Timer::Reminder => AtomicResponse::new(self.head_in_time(Occasion::Reminder)),
            Timer::Lag => {
                let work = witness::tell_silent(self.nib.clone(), self.own.clone(), self.clock.now());
                AtomicResponse::new(Box::pin(work.into_actor(self).map(|told, _, _| {
                    if let Err(error) = told {
                        warn!(%error, "it is not known whether logs below are silent");
                    }
                })))
            }
        }
    }
}

impl Handler<Delivered<Checkpoint>> for AuditActor {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, message: Delivered<Checkpoint>, _: &mut Self::Context) -> Self::Result {
        let Some(own) = self.own.clone() else { return AtomicResponse::new(Box::pin(fut::ready(()))) };
        let course = self.courses.get(&message.header.sender_id).copied().unwrap_or_default();
        let work = witness::consider(self.nib.clone(), own, message, course, self.clock.now());
        AtomicResponse::new(Box::pin(
            work.into_actor(self).map(|(message, decided), this, ctx| this.witnessed(&message, decided, ctx)),
        ))
    }
}

impl Handler<Delivered<CheckpointAnswer>> for AuditActor {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, message: Delivered<CheckpointAnswer>, _: &mut Self::Context) -> Self::Result {
        let Some(own) = self.own.clone() else { return AtomicResponse::new(Box::pin(fut::ready(()))) };
        let is_halted = self.halted.is_some();
        let from = message.header.sender_id.clone();
        let proven_from = self.shown.get(&from).and_then(|shown| shown.sent).map(|(_, old, _)| old);
        let work = own::take_answer(self.nib.clone(), own, message, proven_from, is_halted, self.clock.now());
        AtomicResponse::new(Box::pin(
            work.into_actor(self).map(move |answered, this, ctx| this.answered(&from, answered, ctx)),
        ))
    }
}

impl Handler<ReadHead> for AuditActor {
    type Result = ResponseFuture<Result<Option<StoredHead>, NibError>>;

    fn handle(&mut self, _: ReadHead, _: &mut Self::Context) -> Self::Result {
        let (nib, own) = (self.nib.clone(), self.own.clone());
        Box::pin(async move {
            match own {
                None => Ok(None),
                Some(own) => nib.ask(move |reader| reader.head(&own.origin())).await,
            }
        })
    }
}

impl Handler<MakeCheckpoint> for AuditActor {
    type Result = AtomicResponse<Self, Result<Option<StoredHead>, AuditError>>;

    fn handle(&mut self, _: MakeCheckpoint, _: &mut Self::Context) -> Self::Result {
        AtomicResponse::new(self.head(Occasion::Asked))
    }
}
