//! The actor that keeps the view of a Regional or Global Controller.
//!
//! ```text
//!   PostActor ──Delivered<DiscoveryReport or DiscoverySummary>──► ViewActor ──Commit──► NibActor
//!   its timer ──CheckReports──►                                    │  │
//!   northbound, ReportActor ──RequestDiscovery──►                  │  └──Wake──► ReportActor (summaries)
//!                 Send<StreamAck, StreamRequest, DiscoveryRequest> └──► PostActor
//! ```
//!
//! One item is worked on at a time: what is read for it holds until it is committed. What is kept in
//! memory is when each controller reported and what it was asked; after a restart, everybody has as
//! long as policy gives to report.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::{
    Actor, ActorFutureExt, AsyncContext, AtomicResponse, Context, Handler, Message, Recipient, ResponseFuture,
    SpawnHandle,
};
use tracing::{info, warn};

use super::health::Note;
use super::identity::{Became, Own};
use super::nib::Nib;
use super::post::{Delivered, Send};
use super::report::Wake;
use super::{Ping, REQUEST_DEADLINE};
use crate::algorithms::view::absorb::{Absorbed, Item, Outcome, Rejection};
use crate::algorithms::view::overdue::{Limits, Silence};
use crate::domain::controller::{ControllerId, Role};
use crate::domain::number::StreamSeq;
use crate::domain::stream::Stream;
use crate::domain::time::{Clock, Timestamp};
use crate::nib::NibError;
use crate::wire::envelope::{Body, Destination};
use crate::wire::report::{DiscoveryReport, DiscoveryRequest, DiscoverySummary, StreamAck, StreamRequest, Wanted};

mod look;
mod overdue;
mod request;
mod take;

use overdue::Found;
use take::{Memory, Taking};

/// By which rules a view is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewSettings {
    /// Policy: more new devices than this in one cycle are an anomaly.
    pub spike_threshold: u32,
    /// How long silence is taken for nothing.
    pub limits: Limits,
    /// How often it is looked who is silent.
    pub check_interval: Duration,
    /// A summary is written at least so often, when reports come.
    pub summary_interval: Duration,
}

impl Default for ViewSettings {
    /// The defaults of the discovery spec: 600 s for a report, three cycles of 300 s for a device.
    fn default() -> Self {
        Self {
            spike_threshold: 50,
            limits: Limits { report_timeout: Duration::from_secs(600), give_up_after: Duration::from_secs(900) },
            check_interval: Duration::from_secs(30),
            summary_interval: Duration::from_secs(300),
        }
    }
}

/// Through whom a view answers.
#[derive(Debug, Clone)]
pub struct ViewOutlets {
    /// What was taken.
    pub acks: Recipient<Send<StreamAck>>,
    /// What is missing.
    pub requests: Recipient<Send<StreamRequest>>,
    /// Cycles that are wanted.
    pub demands: Recipient<Send<DiscoveryRequest>>,
    /// Who sends the summaries of a Regional Controller.
    pub summaries: Option<Recipient<Wake>>,
}

/// Looks who has not reported.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct CheckReports;

/// Asks for a discovery cycle below. The answer is how many controllers were asked.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<usize, NibError>")]
pub struct RequestDiscovery {
    /// Why, for people.
    pub reason: String,
    /// The Local Controller; all if none is named.
    pub controller: Option<ControllerId>,
}

/// Other rules, from the next item on.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Reconfigure(pub ViewSettings);

/// Keeps a view.
pub struct ViewActor {
    settings: ViewSettings,
    nib: Nib,
    clock: Arc<dyn Clock>,
    outlets: ViewOutlets,
    own: Option<Arc<Own>>,
    /// Since when reports are waited for.
    since: Timestamp,
    memory: Memory,
    /// When each controller was last asked for what, so that a gap is asked for once and not with
    /// every item after it.
    asked: BTreeMap<ControllerId, (Wanted, Timestamp)>,
    timer: Option<SpawnHandle>,
    notes: Option<Recipient<Note>>,
}

/// How long an answer to the same request is waited for before it is made again.
const PATIENCE: Duration = Duration::from_secs(10);

impl ViewActor {
    /// An actor that keeps the view in this NIB.
    pub fn new(settings: ViewSettings, nib: Nib, clock: Arc<dyn Clock>, outlets: ViewOutlets) -> Self {
        let since = clock.now();
        let (memory, asked) = (Memory::default(), BTreeMap::new());
        Self { settings, nib, clock, outlets, own: None, since, memory, asked, timer: None, notes: None }
    }

    /// The same, which tells the status who is missing.
    #[must_use]
    pub fn with_notes(mut self, notes: Recipient<Note>) -> Self {
        self.notes = Some(notes);
        self
    }

    /// Tells the status; it can do without, so nobody waits for it.
    fn note(&self) {
        let value = self.memory.shown();
        let told = self.notes.as_ref().map(|notes| notes.try_send(Note { section: "view", value }));
        if let Some(Err(_)) = told {
            warn!("the health actor is behind: the status shows an older view");
        }
    }

    fn take(&mut self, from: ControllerId, seq: StreamSeq, item: Item) -> AtomicResponse<Self, ()> {
        let Some(own) = self.own.clone() else {
            warn!(%from, "an item came before this controller has a name");
            return AtomicResponse::new(Box::pin(wrap_future(async {})));
        };
        let (now, stream) = (self.clock.now(), item.stream());
        let missing = match &item {
            Item::Summary(summary) => summary.lcs.as_ref().map(|lcs| lcs.missing.iter().cloned().collect()),
            Item::Report(_) => None,
        };
        let taking = Taking {
            own,
            now,
            from: from.clone(),
            seq,
            item: Arc::new(item),
            settings: self.settings.clone(),
            memory: self.memory.clone(),
        };
        let work = wrap_future::<_, Self>(taking.commit(self.nib.clone()));
        AtomicResponse::new(Box::pin(work.map(move |result, this, ctx| match result {
            Ok(absorbed) => this.taken(&from, stream, missing, absorbed, now, ctx),
            Err(error) => warn!(%from, %seq, %error, "an item was not taken; it will come again"),
        })))
    }

    fn taken(
        &mut self,
        from: &ControllerId,
        stream: Stream,
        missing: Option<BTreeSet<ControllerId>>,
        absorbed: Absorbed,
        now: Timestamp,
        ctx: &mut Context<Self>,
    ) {
        match absorbed.outcome {
            Outcome::Rejected(rejection) => {
                self.memory.rejected(from, rejection, now);
                return;
            }
            Outcome::Taken { is_summarised } => {
                self.memory.heard(from, missing, is_summarised, now);
                self.wake_summaries(is_summarised);
                self.note();
            }
            Outcome::Repeated | Outcome::Gap => {}
        }
        if let Some(up_to) = absorbed.ack {
            tell(&self.outlets.acks, from, StreamAck { stream, up_to }, ctx);
        }
        if let Some(wanted) = absorbed.request {
            let asked = self.asked.get(from);
            if asked.is_none_or(|(before, at)| *before != wanted || now.since(*at) >= PATIENCE) {
                self.asked.insert(from.clone(), (wanted, now));
                tell(&self.outlets.requests, from, StreamRequest { stream, wanted }, ctx);
            }
        }
    }

    fn wake_summaries(&self, is_new: bool) {
        if let (true, Some(summaries)) = (is_new, &self.outlets.summaries)
            && summaries.try_send(Wake).is_err()
        {
            // It looks again by itself.
            warn!("the actor of summaries is behind");
        }
    }

    fn checked(&mut self, found: Found, now: Timestamp, ctx: &mut Context<Self>) {
        for child in &found.overdue.ask {
            info!(%child, "no report came in time; a cycle is asked for");
            let reason = "no report came in time".to_owned();
            tell(&self.outlets.demands, child, DiscoveryRequest { reason, controller: None }, ctx);
        }
        self.wake_summaries(found.has_summary);
        self.memory.overdue(&found.overdue, now);
        self.note();
    }
}

/// Sends a message without waiting for it; what is lost is said again when it is asked for again.
fn tell<B: Body + std::marker::Send + 'static>(
    to: &Recipient<Send<B>>,
    child: &ControllerId,
    body: B,
    ctx: &mut Context<ViewActor>,
) {
    let sent = to.send(Send { to: Destination::Controller(child.clone()), body });
    let child = child.clone();
    let told = async move {
        match tokio::time::timeout(REQUEST_DEADLINE, sent).await {
            Ok(Ok(Ok(_))) => {}
            Ok(Ok(Err(error))) => warn!(%child, message = %B::MESSAGE_TYPE, %error, "not sent"),
            Ok(Err(_)) | Err(_) => warn!(%child, message = %B::MESSAGE_TYPE, "not sent in time"),
        }
    };
    ctx.spawn(wrap_future(told));
}

/// The whole windows of eight controllers: what does not fit is lost, and comes again half a minute later.
const MAILBOX: usize = 64;

impl Actor for ViewActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Ping> for ViewActor {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

impl Handler<Became> for ViewActor {
    type Result = ();

    fn handle(&mut self, Became(own): Became, ctx: &mut Self::Context) {
        let watches = own.role == Role::Regional;
        self.own = Some(own);
        if watches && self.timer.is_none() {
            self.timer = Some(ctx.notify_later(CheckReports, self.settings.check_interval));
        }
    }
}

impl Handler<Reconfigure> for ViewActor {
    type Result = ();

    fn handle(&mut self, Reconfigure(settings): Reconfigure, _: &mut Self::Context) {
        self.settings = settings;
    }
}

impl Handler<Delivered<DiscoveryReport>> for ViewActor {
    type Result = AtomicResponse<Self, ()>;

    fn handle(
        &mut self,
        Delivered { header, body, .. }: Delivered<DiscoveryReport>,
        _: &mut Self::Context,
    ) -> Self::Result {
        self.take(header.sender_id, body.seq, Item::Report(body.report))
    }
}

impl Handler<Delivered<DiscoverySummary>> for ViewActor {
    type Result = AtomicResponse<Self, ()>;

    fn handle(
        &mut self,
        Delivered { header, body, .. }: Delivered<DiscoverySummary>,
        _: &mut Self::Context,
    ) -> Self::Result {
        self.take(header.sender_id, body.seq, Item::Summary(body.summary))
    }
}

impl Handler<CheckReports> for ViewActor {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, _: CheckReports, ctx: &mut Self::Context) -> Self::Result {
        let again = ctx.notify_later(CheckReports, self.settings.check_interval);
        if let Some(earlier) = self.timer.replace(again) {
            ctx.cancel_future(earlier);
        }
        let now = self.clock.now();
        let (own, settings, memory) = (self.own.clone(), self.settings.clone(), self.memory.clone());
        let check = overdue::check(own, settings, memory, self.since, self.nib.clone(), now);
        AtomicResponse::new(Box::pin(wrap_future::<_, Self>(check).map(move |found, this, ctx| match found {
            Ok(found) => this.checked(found, now, ctx),
            Err(error) => warn!(%error, "it is not known who reported"),
        })))
    }
}

impl Handler<RequestDiscovery> for ViewActor {
    type Result = ResponseFuture<Result<usize, NibError>>;

    fn handle(&mut self, request: RequestDiscovery, _: &mut Self::Context) -> Self::Result {
        Box::pin(request::pass_on(request, self.own.clone(), self.nib.clone(), self.outlets.demands.clone()))
    }
}
