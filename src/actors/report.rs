//! The actor that sends what its controller tells the one above: one stream, each item until it is
//! acknowledged.
//!
//! ```text
//!   DiscoveryActor or ViewActor ──Wake──► ReportActor ──Send<DiscoveryReport or DiscoverySummary>──► PostActor
//!   PresenceActor ──ParentReached, ParentLost──► │  ▲
//!   its timer ──Resend──►                        │  └──Delivered<StreamAck, StreamRequest, DiscoveryRequest>── PostActor
//!                                                └──StartCycle──► DiscoveryActor, or RequestDiscovery──► ViewActor
//! ```
//!
//! Items are written by others, in the commit that they tell of; only a snapshot is written here. One
//! round of sending runs at a time; what is asked for meanwhile is done by the next one.

use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, SpawnHandle};
use tracing::{info, warn};

use super::discovery::StartCycle;
use super::health::Note;
use super::identity::{Became, Own};
use super::nib::Nib;
use super::post::{Delivered, Send};
use super::presence::{ParentLost, ParentReached};
use super::view::RequestDiscovery;
use super::{Ping, REQUEST_DEADLINE};
use crate::algorithms::report::pace::{PATIENCE, Pace};
use crate::domain::controller::ControllerId;
use crate::domain::cycle::Trigger;
use crate::domain::number::StreamSeq;
use crate::domain::stream::Stream;
use crate::domain::time::Clock;
use crate::nib::NibError;
use crate::wire::report::{DiscoveryReport, DiscoveryRequest, DiscoverySummary, StreamAck, StreamRequest, Wanted};

mod round;

use round::{Outbox, Round};

/// Where the items of a stream go.
#[derive(Debug, Clone)]
pub enum Outlet {
    /// Reports of a Local Controller.
    Reports(Recipient<Send<DiscoveryReport>>),
    /// Summaries of a Regional one.
    Summaries(Recipient<Send<DiscoverySummary>>),
}

impl Outlet {
    /// The stream.
    pub const fn stream(&self) -> Stream {
        match self {
            Self::Reports(_) => Stream::Reports,
            Self::Summaries(_) => Stream::Summaries,
        }
    }
}

/// Who does what the controller above asks for.
#[derive(Debug, Clone)]
pub enum Demand {
    /// A Local Controller runs a cycle.
    RunCycle(Recipient<StartCycle>),
    /// A Regional one passes it on.
    PassOn(Recipient<RequestDiscovery>),
}

/// Something waits in the outbox.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Wake;

/// An acknowledgement has been waited for long enough.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Resend;

/// Sends the outbox of one stream.
pub struct ReportActor {
    outlet: Outlet,
    demand: Demand,
    nib: Nib,
    clock: Arc<dyn Clock>,
    random: fastrand::Rng,
    own: Option<Arc<Own>>,
    /// Whether the controller above is heard, as far as is known.
    is_reachable: bool,
    /// None while a round has it.
    pace: Option<Pace>,
    orders: Orders,
    timer: Option<SpawnHandle>,
    reached: Option<SpawnHandle>,
    notes: Option<Recipient<Note>>,
}

/// What the next round is to do beside sending what may be sent.
#[derive(Debug, Default)]
struct Orders {
    /// Whether there is anything to look for at all.
    look: bool,
    acknowledge: Option<StreamSeq>,
    /// From where on the parent misses the stream.
    missed_from: Option<StreamSeq>,
    snapshot: bool,
    /// What was on its way is lost.
    resume: bool,
}

impl ReportActor {
    /// An actor that sends the stream of this outlet. The seed is for its waits.
    pub fn new(outlet: Outlet, demand: Demand, nib: Nib, clock: Arc<dyn Clock>, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let pace = Some(Pace::new(random.u64(..)));
        Self {
            outlet,
            demand,
            nib,
            clock,
            random,
            own: None,
            is_reachable: true,
            pace,
            orders: Orders::default(),
            timer: None,
            reached: None,
            notes: None,
        }
    }

    /// The same, which tells the status how its outbox stands.
    #[must_use]
    pub fn with_notes(mut self, notes: Recipient<Note>) -> Self {
        self.notes = Some(notes);
        self
    }

    /// Begins a round, unless one goes on or there is nobody to send to.
    fn pump(&mut self, ctx: &mut Context<Self>) {
        self.orders.look = true;
        let Some(own) = self.own.clone().filter(|own| own.parent.is_some()) else { return };
        let Some(pace) = self.pace.take() else { return };
        let round = Round {
            outlet: self.outlet.clone(),
            nib: self.nib.clone(),
            clock: Arc::clone(&self.clock),
            own,
            may_send: self.is_reachable,
            orders: std::mem::take(&mut self.orders),
            pace,
        };
        ctx.spawn(wrap_future::<_, Self>(round.run()).map(|(pace, result), this, ctx| this.ended(pace, &result, ctx)));
    }

    fn ended(&mut self, pace: Pace, result: &Result<Outbox, NibError>, ctx: &mut Context<Self>) {
        let due = pace.due();
        self.pace = Some(pace);
        match result {
            Ok(outbox) => self.note(outbox),
            Err(error) => warn!(stream = %self.outlet.stream(), %error, "the outbox cannot be sent now"),
        }
        if self.orders.look {
            return self.pump(ctx);
        }
        let again = match (result, due) {
            (Err(_), _) => Some(PATIENCE),
            (Ok(_), Some(due)) if self.is_reachable => Some(due.saturating_sub(self.clock.elapsed())),
            _ => None,
        };
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        self.timer = again.map(|again| ctx.notify_later(Resend, again));
    }

    /// Tells the status; it can do without, so nobody waits for it.
    fn note(&self, outbox: &Outbox) {
        let value = serde_json::json!({
            "stream": self.outlet.stream(),
            "last": outbox.position.last,
            "acknowledged": outbox.position.acknowledged,
            "waiting": outbox.waiting(),
            "parent_heard": self.is_reachable,
        });
        let told = self.notes.as_ref().map(|notes| notes.try_send(Note { section: "reports", value }));
        if let Some(Err(_)) = told {
            warn!("the health actor is behind: the status shows an older outbox");
        }
    }

    /// Whether a message of this stream comes from the controller above.
    fn is_from_parent(&self, sender: &ControllerId, stream: Stream) -> bool {
        let parent = self.own.as_ref().and_then(|own| own.parent.as_ref());
        let is_own = parent == Some(sender) && stream == self.outlet.stream();
        if !is_own {
            warn!(%sender, %stream, "an answer about a stream that is not sent to its sender is ignored");
        }
        is_own
    }
}

impl Actor for ReportActor {
    type Context = Context<Self>;
}

impl Handler<Ping> for ReportActor {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

impl Handler<Became> for ReportActor {
    type Result = ();

    fn handle(&mut self, Became(own): Became, ctx: &mut Self::Context) {
        self.own = Some(own);
        self.pump(ctx);
    }
}

impl Handler<Wake> for ReportActor {
    type Result = ();

    fn handle(&mut self, _: Wake, ctx: &mut Self::Context) {
        self.pump(ctx);
    }
}

impl Handler<Resend> for ReportActor {
    type Result = ();

    fn handle(&mut self, _: Resend, ctx: &mut Self::Context) {
        self.pump(ctx);
    }
}

impl Handler<ParentReached> for ReportActor {
    type Result = ();

    fn handle(&mut self, ParentReached { spread }: ParentReached, ctx: &mut Self::Context) {
        let wait = spread.mul_f64(self.random.f64());
        let reached = ctx.run_later(wait, |this, ctx| {
            this.is_reachable = true;
            this.orders.resume = true;
            this.pump(ctx);
        });
        if let Some(earlier) = self.reached.replace(reached) {
            ctx.cancel_future(earlier);
        }
    }
}

impl Handler<ParentLost> for ReportActor {
    type Result = ();

    fn handle(&mut self, _: ParentLost, ctx: &mut Self::Context) {
        self.is_reachable = false;
        if let Some(reached) = self.reached.take() {
            ctx.cancel_future(reached);
        }
    }
}

impl Handler<Delivered<StreamAck>> for ReportActor {
    type Result = ();

    fn handle(&mut self, Delivered { header, body, .. }: Delivered<StreamAck>, ctx: &mut Self::Context) {
        if self.is_from_parent(&header.sender_id, body.stream) {
            self.orders.acknowledge = self.orders.acknowledge.max(Some(body.up_to));
            self.pump(ctx);
        }
    }
}

impl Handler<Delivered<StreamRequest>> for ReportActor {
    type Result = ();

    fn handle(&mut self, Delivered { header, body, .. }: Delivered<StreamRequest>, ctx: &mut Self::Context) {
        if self.is_from_parent(&header.sender_id, body.stream) {
            match body.wanted {
                Wanted::From(seq) => self.orders.missed_from = Some(seq),
                Wanted::Snapshot => self.orders.snapshot = true,
            }
            self.pump(ctx);
        }
    }
}

impl Handler<Delivered<DiscoveryRequest>> for ReportActor {
    type Result = ();

    fn handle(&mut self, Delivered { header, body, .. }: Delivered<DiscoveryRequest>, ctx: &mut Self::Context) {
        if !self.is_from_parent(&header.sender_id, self.outlet.stream()) {
            return;
        }
        let demand = self.demand.clone();
        let asked = async move {
            match tokio::time::timeout(REQUEST_DEADLINE, demand.pass(body)).await {
                Ok(true) => info!(parent = %header.sender_id, "a discovery cycle was asked for"),
                Ok(false) | Err(_) => warn!(parent = %header.sender_id, "a discovery cycle was asked for in vain"),
            }
        };
        ctx.spawn(wrap_future(asked));
    }
}

impl Demand {
    /// Has it done; false when it cannot be done now.
    async fn pass(self, DiscoveryRequest { reason, controller }: DiscoveryRequest) -> bool {
        match self {
            // A cycle that is going on will be reported, too.
            Self::RunCycle(discovery) => discovery.send(StartCycle(Trigger::OnDemand)).await.is_ok(),
            Self::PassOn(view) => {
                matches!(view.send(RequestDiscovery { reason, controller }).await, Ok(Ok(asked)) if asked > 0)
            }
        }
    }
}

/// How long an item may take to be sealed and handed to the carrier.
const SEND_DEADLINE: Duration = REQUEST_DEADLINE;
