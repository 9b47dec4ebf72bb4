//! The actor that knows who is there: the controller above, and those below.
//!
//! ```text
//!   PostActor ──Delivered<Heartbeat>, Delivered<HeartbeatAck>──► PresenceActor ──Send<…>──► PostActor
//!   app, MembershipActor ──Became──►                               │   ▲  │
//!   northbound ──ReadPresence──►            Beat, Look, its timers └───┘  ├──Note──► HealthActor
//!                                                                         └──Commit, Ask──► NibActor
//!       ParentReached, ParentLost, ChildOnline, ChildOffline: to those who were named for them
//! ```
//!
//! It has a mailbox of its own and answers a heartbeat at once, so that a controller with much to do
//! does not look dead.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, ResponseActFuture, SpawnHandle,
};
use tracing::{debug, error, info, warn};

use super::health::Note;
use super::identity::{Became, Own};
use super::nib::Nib;
use super::post::{Delivered, Send};
use super::{Ping, REQUEST_DEADLINE};
use crate::actors::causes;
use crate::algorithms::presence::{Now, Presence, Turn, WRITTEN_EVERY, beat, beat_again, write_contacts};
use crate::domain::controller::{ControllerId, Role};
use crate::domain::number::{PolicyVersion, StreamSeq};
use crate::domain::registry::ControllerRow;
use crate::domain::stream::Stream;
use crate::domain::time::{Clock, Timestamp};
use crate::nib::{NibError, NibReader};
use crate::wire::envelope::Destination;
use crate::wire::presence::{Heartbeat, HeartbeatAck};

pub use crate::algorithms::presence::{ChildReport, PresenceReport};

/// Every child may say something at once.
const MAILBOX: usize = 512;

/// How many rows are read at a time.
const PAGE: usize = 1_000;

/// How long a heartbeat waits for what the NIB says about this controller.
const PATIENCE: Duration = Duration::from_secs(1);

/// It is not looked more often than this.
const SHORTEST_LOOK: Duration = Duration::from_secs(1);

/// The first heartbeat after a start is sent within this time.
const FIRST_BEAT: Duration = Duration::from_secs(1);

/// The controller above is heard, for the first time since the start or again. What waited for it is
/// sent after a wait that each who has something to send draws evenly from nothing to `spread`, once;
/// what is lost after that is sent again with full jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct ParentReached {
    /// The longest such wait: it grows with the number of controllers that lost the same parent.
    pub spread: Duration,
}

/// The controller above has been silent for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct ParentLost;

/// A controller below is heard, for the first time since the start or again.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct ChildOnline(pub ControllerId);

/// A controller below has been silent for too long, or does not belong here any more.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct ChildOffline(pub ControllerId);

/// Asks who is there.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<PresenceReport, NibError>")]
pub struct ReadPresence;

/// A heartbeat is due.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Beat;

/// Somebody may have been silent for too long, and who belongs here may have changed.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Look;

/// To whom the actor speaks.
#[derive(Debug, Clone)]
pub struct Outlets {
    /// Heartbeats, to the controller above.
    pub heartbeats: Recipient<Send<Heartbeat>>,
    /// Answers, to those below.
    pub answers: Recipient<Send<HeartbeatAck>>,
    /// What the status shows.
    pub notes: Recipient<Note>,
}

/// Who is told of what.
#[derive(Debug, Clone, Default)]
pub struct Listeners {
    /// That the controller above is heard.
    pub reached: Vec<Recipient<ParentReached>>,
    /// That it is silent.
    pub lost: Vec<Recipient<ParentLost>>,
    /// That a controller below is heard.
    pub online: Vec<Recipient<ChildOnline>>,
    /// That it is silent.
    pub offline: Vec<Recipient<ChildOffline>>,
}

/// Sends, answers and misses heartbeats.
pub struct PresenceActor {
    own: Option<Arc<Own>>,
    presence: Presence,
    nib: Nib,
    clock: Arc<dyn Clock>,
    random: fastrand::Rng,
    outlets: Outlets,
    listeners: Listeners,
    /// What was last read of what a heartbeat says about this controller.
    said: (Option<PolicyVersion>, StreamSeq),
    /// Whether turns are being committed; those that come meanwhile wait.
    writing: bool,
    beat: Option<SpawnHandle>,
    look: Option<SpawnHandle>,
    /// The heartbeats of those who are looked for in the NIB: validated just now, or let in again.
    strangers: Vec<(ControllerId, Heartbeat)>,
    /// Why nothing can be written, as it was told last.
    complained: Option<String>,
}

impl PresenceActor {
    /// An actor that begins when it is told who it is. The seed is for the times of heartbeats.
    pub fn new(nib: Nib, clock: Arc<dyn Clock>, seed: u64, outlets: Outlets, listeners: Listeners) -> Self {
        Self {
            own: None,
            presence: Presence::default(),
            nib,
            clock,
            random: fastrand::Rng::with_seed(seed),
            outlets,
            listeners,
            said: (None, StreamSeq::default()),
            writing: false,
            beat: None,
            look: None,
            strangers: Vec::new(),
            complained: None,
        }
    }

    fn now(&self) -> Now {
        Now { at: self.clock.now(), elapsed: self.clock.elapsed() }
    }

    fn is_parent(&self) -> bool {
        self.own.as_ref().is_some_and(|own| own.role != Role::Local)
    }

    fn wind_up_beat(&mut self, after: Duration, ctx: &mut Context<Self>) {
        if let Some(timer) = self.beat.replace(ctx.notify_later(Beat, after)) {
            ctx.cancel_future(timer);
        }
    }

    /// Sets the timer for the next time that somebody may have been silent for too long.
    fn wind_up_look(&mut self, ctx: &mut Context<Self>) {
        let silence = self.presence.next_silence().map(|at| at.saturating_sub(self.clock.elapsed()));
        let after = silence.unwrap_or(WRITTEN_EVERY).clamp(SHORTEST_LOOK, WRITTEN_EVERY);
        if let Some(timer) = self.look.replace(ctx.notify_later(Look, after)) {
            ctx.cancel_future(timer);
        }
    }

    /// Commits what is to be told, then tells it; one commit at a time.
    fn settle(&mut self, ctx: &mut Context<Self>) {
        let Some(own) = self.own.clone().filter(|_| !self.writing) else { return };
        let now = self.now();
        let turns = self.presence.turns(now);
        if turns.is_empty() {
            return;
        }
        self.writing = true;
        let changes: Vec<_> = turns.iter().filter_map(|turn| self.presence.event(turn, &own.id, now)).collect();
        let nib = self.nib.clone();
        let commit = async move { if changes.is_empty() { Ok(()) } else { nib.commit(changes).await.map(drop) } };
        ctx.spawn(wrap_future::<_, Self>(commit).map(move |written, this, ctx| {
            this.writing = false;
            match written {
                Ok(()) => {
                    this.complained = None;
                    this.presence.taken(&turns);
                    this.tell(turns, ctx);
                    this.settle(ctx);
                    this.wind_up_look(ctx);
                }
                // It is looked again, and told as it is then.
                Err(error) => this.complain(causes(&error)),
            }
        }));
    }

    /// Says once why nothing can be written: it is tried again every second.
    fn complain(&mut self, why: String) {
        if self.complained.as_ref() != Some(&why) {
            error!(error = %why, "who is there could not be written down");
            self.complained = Some(why);
        }
    }

    fn tell(&self, turns: Vec<Turn>, ctx: &mut Context<Self>) {
        self.note();
        for turn in turns {
            match turn {
                Turn::ParentReached { spread } => {
                    info!("the controller above is heard");
                    pass_on(&self.listeners.reached, &ParentReached { spread }, ctx);
                }
                Turn::ParentLost => {
                    warn!("the controller above is silent");
                    pass_on(&self.listeners.lost, &ParentLost, ctx);
                }
                Turn::ChildOnline { id, .. } => {
                    info!(below = %id, "a controller below is heard");
                    pass_on(&self.listeners.online, &ChildOnline(id), ctx);
                }
                Turn::ChildOffline(id) | Turn::ChildGone(id) => {
                    warn!(controller = %id, "offline");
                    pass_on(&self.listeners.offline, &ChildOffline(id), ctx);
                }
            }
        }
    }

    fn note(&self) {
        let value = serde_json::to_value(self.presence.report(self.now())).unwrap_or_default();
        if self.outlets.notes.try_send(Note { section: "presence", value }).is_err() {
            debug!("the health actor is behind: the status shows who was there before");
        }
    }

    fn beat_now(&mut self, parent: ControllerId, ctx: &mut Context<Self>) {
        let stream = if self.is_parent() { Stream::Summaries } else { Stream::Reports };
        let (nib, heartbeats) = (self.nib.clone(), self.outlets.heartbeats.clone());
        let look = async move {
            let said = nib.ask(move |reader| {
                let policy = reader.policy()?.map(|row| row.version);
                Ok((policy, reader.position(stream)?.last))
            });
            tokio::time::timeout(PATIENCE, said).await
        };
        ctx.spawn(wrap_future::<_, Self>(look).map(move |said, this, ctx| {
            // A NIB that is busy or broken is no reason to look dead.
            match said {
                Ok(Ok(said)) => this.said = said,
                Ok(Err(error)) => warn!(error = %causes(&error), "the heartbeat tells what was read before"),
                Err(_) => warn!("the NIB is slow: the heartbeat tells what was read before"),
            }
            let now = this.now();
            let body = Heartbeat {
                sent_at: now.at,
                state: this.presence.state(now),
                policy_version: this.said.0,
                last_report: this.said.1,
                children: this.presence.told_above(now),
            };
            this.presence.asked(now.at);
            say(&heartbeats, parent, body, ctx);
        }));
    }

    fn look_for_strangers(&self, ctx: &mut Context<Self>) {
        let look = look_through(self.nib.clone(), BTreeMap::new());
        ctx.spawn(wrap_future::<_, Self>(look).map(|rows, this, ctx| {
            let strangers = std::mem::take(&mut this.strangers);
            let Ok(rows) = rows else { return };
            let now = this.now();
            this.presence.know(&rows, now);
            for (id, heartbeat) in strangers {
                if this.presence.heard(&id, &heartbeat, now) {
                    this.answer(id, heartbeat.sent_at, ctx);
                }
            }
            this.settle(ctx);
            this.wind_up_look(ctx);
        }));
    }

    fn answer(&self, to: ControllerId, sent_at: Timestamp, ctx: &mut Context<Self>) {
        say(&self.outlets.answers, to, HeartbeatAck { sent_at, children: self.presence.count() }, ctx);
    }
}

/// Says something to one controller; it is said again at the next beat if it is lost.
fn say<B>(post: &Recipient<Send<B>>, to: ControllerId, body: B, ctx: &mut Context<PresenceActor>)
where
    B: crate::wire::envelope::Body + std::marker::Send + 'static,
{
    let sent = post.send(Send { to: Destination::Controller(to), body });
    ctx.spawn(wrap_future(async move {
        match tokio::time::timeout(REQUEST_DEADLINE, sent).await {
            Ok(Ok(Ok(_))) => {}
            Ok(Ok(Err(error))) => debug!(error = %causes(&error), "no heartbeat"),
            Ok(Err(_)) | Err(_) => warn!("the post does not answer: no heartbeat"),
        }
    }));
}

/// Tells all of them.
fn pass_on<M>(listeners: &[Recipient<M>], message: &M, ctx: &mut Context<PresenceActor>)
where
    M: Message<Result = ()> + Clone + std::marker::Send + 'static,
{
    for listener in listeners {
        let told = listener.send(message.clone());
        ctx.spawn(wrap_future(async move {
            if !matches!(tokio::time::timeout(REQUEST_DEADLINE, told).await, Ok(Ok(()))) {
                error!("an actor was not told who is there");
            }
        }));
    }
}

/// Every controller below, ascending.
pub(super) fn rows(reader: &dyn NibReader) -> Result<Vec<ControllerRow>, NibError> {
    let mut all: Vec<ControllerRow> = Vec::new();
    loop {
        let page = reader.controllers(all.last().map(|row| &row.id), PAGE)?;
        let is_last = page.len() < PAGE;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

/// Reads who belongs here, and writes when they were last heard, in one commit.
async fn look_through(nib: Nib, contacts: BTreeMap<ControllerId, Timestamp>) -> Result<Vec<ControllerRow>, NibError> {
    let seen = nib.decide(rows, |rows| (write_contacts(&contacts, &rows), rows)).await?;
    if contacts.is_empty() { Ok(seen) } else { nib.ask(rows).await }
}

impl Actor for PresenceActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Ping> for PresenceActor {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

impl Handler<Became> for PresenceActor {
    type Result = ();

    fn handle(&mut self, Became(own): Became, ctx: &mut Self::Context) {
        self.presence.below(own.parent.as_ref(), self.now());
        self.own = Some(own);
        if self.beat.is_none() {
            // Whoever was started together, by the same power, does not speak at once.
            let after = FIRST_BEAT.mul_f64(self.random.f64());
            self.wind_up_beat(after, ctx);
        }
        ctx.notify(Look);
    }
}

impl Handler<Beat> for PresenceActor {
    type Result = ();

    fn handle(&mut self, _: Beat, ctx: &mut Self::Context) {
        // The answer puts the next one off. Who is known to be away is asked no oftener than the others.
        let again = if self.presence.hears_above(self.now()) { beat_again } else { beat };
        let after = again(self.random.f64());
        self.wind_up_beat(after, ctx);
        if let Some(parent) = self.presence.parent().cloned() {
            self.beat_now(parent, ctx);
        }
        self.note();
    }
}

impl Handler<Look> for PresenceActor {
    type Result = ();

    fn handle(&mut self, _: Look, ctx: &mut Self::Context) {
        self.wind_up_look(ctx);
        if !self.is_parent() {
            return self.settle(ctx);
        }
        let look = look_through(self.nib.clone(), self.presence.contacts());
        ctx.spawn(wrap_future::<_, Self>(look).map(|rows, this, ctx| {
            match rows {
                Ok(rows) => this.presence.know(&rows, this.now()),
                Err(error) => error!(error = %causes(&error), "who belongs here could not be read"),
            }
            this.settle(ctx);
            this.wind_up_look(ctx);
        }));
    }
}

impl Handler<Delivered<Heartbeat>> for PresenceActor {
    type Result = ();

    fn handle(&mut self, message: Delivered<Heartbeat>, ctx: &mut Self::Context) {
        let (from, now) = (message.header.sender_id, self.now());
        if self.presence.heard(&from, &message.body, now) {
            self.answer(from, message.body.sent_at, ctx);
            self.settle(ctx);
        } else if self.is_parent() && self.strangers.len() < MAILBOX {
            self.strangers.push((from, message.body));
            if self.strangers.len() == 1 {
                self.look_for_strangers(ctx);
            }
        }
    }
}

impl Handler<Delivered<HeartbeatAck>> for PresenceActor {
    type Result = ();

    fn handle(&mut self, message: Delivered<HeartbeatAck>, ctx: &mut Self::Context) {
        let HeartbeatAck { sent_at, children } = message.body;
        let now = self.now();
        let before = self.presence.state(now);
        if self.presence.answered(&message.header.sender_id, sent_at, children, now) {
            if self.presence.state(now) == before {
                let after = beat(self.random.f64());
                self.wind_up_beat(after, ctx);
            } else {
                // What the heartbeat before this answer said of the state is not so any more.
                ctx.notify(Beat);
            }
            self.settle(ctx);
        } else {
            debug!(sender = %message.header.sender_id, "an answer to no heartbeat of now");
        }
    }
}

impl Handler<ReadPresence> for PresenceActor {
    type Result = ResponseActFuture<Self, Result<PresenceReport, NibError>>;

    fn handle(&mut self, _: ReadPresence, _: &mut Self::Context) -> Self::Result {
        let (nib, is_parent) = (self.nib.clone(), self.is_parent());
        let look = async move { if is_parent { nib.ask(rows).await.map(Some) } else { Ok(None) } };
        Box::pin(wrap_future::<_, Self>(look).map(|rows, this, ctx| {
            if let Some(rows) = rows? {
                this.presence.know(&rows, this.now());
                this.settle(ctx);
            }
            Ok(this.presence.report(this.now()))
        }))
    }
}
