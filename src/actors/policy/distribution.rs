//! The actor that passes policy on to the controllers below, until each has acknowledged it.
//!
//! ```text
//!   PolicyActor ──PolicyChanged──────────────► PolicyDistributor ──Send<PolicyUpdate>──► PostActor
//!   PresenceActor ──ChildOnline, ChildOffline──►  │  ▲    │
//!   PostActor ──Delivered<PolicyRequest>,         │  └─ Resend, its timer
//!               Delivered<PolicyAck>───►          └──Commit, Ask──► NibActor
//! ```

use std::sync::Arc;

use actix::fut::wrap_future;
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, SpawnHandle};
use tracing::{debug, error, warn};

use super::{PolicyActorError, PolicyChanged, decide};
use crate::actors::Ping;
use crate::actors::REQUEST_DEADLINE;
use crate::actors::causes;
use crate::actors::identity::{Became, Own};
use crate::actors::nib::Nib;
use crate::actors::post::{Delivered, Send};
use crate::actors::presence::{ChildOffline, ChildOnline};
use crate::algorithms::policy::distribution::Distribution;
use crate::algorithms::policy::known::Known;
use crate::algorithms::policy::set::SetError;
use crate::domain::change::Change;
use crate::domain::controller::ControllerId;
use crate::domain::number::PolicyVersion;
use crate::domain::registry::{ControllerRow, RegistryChange, Standing};
use crate::domain::time::{Clock, Timestamp};
use crate::nib::NibReader;
use crate::wire::envelope::Destination;
use crate::wire::policy::{PolicyAck, PolicyRequest, PolicyUpdate};
use crate::wire::statement::Chain;

/// Every child may acknowledge at once.
const MAILBOX: usize = 512;

/// Passes policy on.
pub struct PolicyDistributor {
    own: Option<Arc<Own>>,
    distribution: Distribution,
    nib: Nib,
    clock: Arc<dyn Clock>,
    updates: Recipient<Send<PolicyUpdate>>,
    timer: Option<SpawnHandle>,
}

/// Somebody may be due.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Resend;

impl PolicyDistributor {
    /// An actor that begins when it is told who it is and what is in effect. The seed is for the times
    /// at which it sends again.
    pub fn new(nib: Nib, clock: Arc<dyn Clock>, seed: u64, updates: Recipient<Send<PolicyUpdate>>) -> Self {
        Self { own: None, distribution: Distribution::new(seed), nib, clock, updates, timer: None }
    }

    /// Sends to all who are due, and sets the timer for those who will be.
    fn distribute(&mut self, ctx: &mut Context<Self>) {
        let due = self.distribution.take_due(self.clock.elapsed());
        if !due.is_empty() {
            self.send(due.into_iter().map(|id| (id, None)).collect(), ctx);
        }
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
        let next = self.distribution.next().map(|at| at.saturating_sub(self.clock.elapsed()));
        self.timer = next.map(|after| ctx.notify_later(Resend, after));
    }

    /// Sends to each what it lacks: what it says that it has, or else what is written about it.
    fn send(&self, to: Vec<(ControllerId, Option<PolicyRequest>)>, ctx: &mut Context<Self>) {
        let Some(own) = &self.own else { return };
        let work = Errand {
            nib: self.nib.clone(),
            updates: self.updates.clone(),
            // The root alone: it signed, and whoever has a chain ends it there.
            root: Chain {
                certificates: own.chain.certificates.last().cloned().into_iter().collect(),
                delegation: None,
            },
            now: self.clock.now(),
        };
        ctx.spawn(wrap_future::<_, Self>(work.run(to)).map(|ran, this, _| match ran {
            Ok(written) => written.iter().for_each(|(id, has)| this.distribution.acknowledged(id, *has)),
            Err(error) => error!(error = %causes(&error), "policy was not passed on; it will be tried again"),
        }));
    }
}

/// What is to be sent, off the actor.
struct Errand {
    nib: Nib,
    updates: Recipient<Send<PolicyUpdate>>,
    root: Chain,
    now: Timestamp,
}

impl Errand {
    /// Sends, and says what is written about those who were to be sent something.
    async fn run(
        self,
        to: Vec<(ControllerId, Option<PolicyRequest>)>,
    ) -> Result<Vec<(ControllerId, Option<PolicyVersion>)>, PolicyActorError> {
        let look = move |reader: &dyn NibReader| {
            let mut rows = Vec::with_capacity(to.len());
            for (id, request) in to {
                let row = reader.controller(&id)?.filter(|row| row.standing == Standing::Active);
                rows.extend(row.map(|row| (row, request)));
            }
            Ok((decide::look(reader)?, rows))
        };
        let (policies, rows) = self.nib.ask(look).await?;
        let known = Known::read(&policies).map_err(PolicyActorError::Damaged)?;
        let mut written = Vec::with_capacity(rows.len());
        for (row, request) in rows {
            written.push((row.id.clone(), row.policy_version));
            let is_answer = request.is_some();
            let have = request.map_or(row.policy_version, |request| request.have);
            let body = known.catch_up(have, self.root.clone(), self.now).map_err(SetError::from)?;
            // Who asks is answered also when there is nothing, or he would go on asking.
            if is_answer || !body.documents.is_empty() {
                self.say(row.id, body).await;
            }
        }
        Ok(written)
    }

    async fn say(&self, to: ControllerId, body: PolicyUpdate) {
        let sent = self.updates.send(Send { to: Destination::Controller(to.clone()), body });
        match tokio::time::timeout(REQUEST_DEADLINE, sent).await {
            Ok(Ok(Ok(_))) => {}
            Ok(Ok(Err(error))) => debug!(controller = %to, error = %causes(&error), "policy not sent"),
            Ok(Err(_)) | Err(_) => warn!(controller = %to, "policy not sent: the post does not answer"),
        }
    }
}

/// Writes what a controller below says that it runs, if that is news.
fn written(row: Option<ControllerRow>, version: Option<PolicyVersion>) -> Vec<Change> {
    let row = row.filter(|row| row.standing == Standing::Active && row.policy_version != version);
    let update = |row| RegistryChange::UpdateController(Box::new(ControllerRow { policy_version: version, ..row }));
    row.map(|row| Change::Registry(update(row))).into_iter().collect()
}

impl Actor for PolicyDistributor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Ping> for PolicyDistributor {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

impl Handler<Became> for PolicyDistributor {
    type Result = ();

    fn handle(&mut self, Became(own): Became, ctx: &mut Self::Context) {
        self.own = Some(own);
        self.distribute(ctx);
    }
}

impl Handler<PolicyChanged> for PolicyDistributor {
    type Result = ();

    fn handle(&mut self, PolicyChanged(in_effect): PolicyChanged, ctx: &mut Self::Context) {
        if let Some(version) = in_effect.version() {
            self.distribution.set(version, self.clock.elapsed());
            self.distribute(ctx);
        }
    }
}

impl Handler<ChildOnline> for PolicyDistributor {
    type Result = ();

    fn handle(&mut self, ChildOnline(id): ChildOnline, ctx: &mut Self::Context) {
        self.distribution.online(id, self.clock.elapsed());
        self.distribute(ctx);
    }
}

impl Handler<ChildOffline> for PolicyDistributor {
    type Result = ();

    fn handle(&mut self, ChildOffline(id): ChildOffline, _: &mut Self::Context) {
        self.distribution.offline(&id);
    }
}

impl Handler<Delivered<PolicyRequest>> for PolicyDistributor {
    type Result = ();

    fn handle(&mut self, message: Delivered<PolicyRequest>, ctx: &mut Self::Context) {
        self.send(vec![(message.header.sender_id, Some(message.body))], ctx);
    }
}

impl Handler<Delivered<PolicyAck>> for PolicyDistributor {
    type Result = ();

    fn handle(&mut self, message: Delivered<PolicyAck>, ctx: &mut Self::Context) {
        let (from, PolicyAck { version, refused }) = (message.header.sender_id, message.body);
        if let Some(refused) = refused {
            let (reason, detail) = (refused.reason, refused.detail);
            warn!(controller = %from, version = %refused.version, %reason, detail, "policy refused below");
        }
        let (nib, id) = (self.nib.clone(), from.clone());
        let write =
            async move { nib.decide(move |reader| reader.controller(&id), |row| (written(row, version), ())).await };
        ctx.spawn(wrap_future::<_, Self>(write).map(move |result, this, ctx| match result {
            Ok(()) => {
                this.distribution.acknowledged(&from, version);
                this.distribute(ctx);
            }
            // It is sent again, and acknowledged again.
            Err(error) => error!(controller = %from, error = %causes(&error), "what it runs could not be written"),
        }));
    }
}

impl Handler<Resend> for PolicyDistributor {
    type Result = ();

    fn handle(&mut self, _: Resend, ctx: &mut Self::Context) {
        self.distribute(ctx);
    }
}
