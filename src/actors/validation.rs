//! The actor that lets controllers in: the parent's side of validation and renewal.
//!
//! ```text
//!   PostActor ──Delivered<ValidationRequest, ChallengeResponse, ValidationAck, RenewalRequest>──►
//!   MembershipActor ──Became, Withdraw──►     ValidationActor ◄──Expire── its timer
//!   NibActor  ◄──look, decide, one commit──────────┤
//!   PostActor ◄──Acquaint, then Send<Challenge, ValidationResult, RenewalResult, ParentRenewed>
//!   AuditActor ◄──Nudge, after an admission
//! ```
//!
//! The actor remembers who is challenged and counts requests; what the NIB has to say, what is written
//! and what is answered is the `desk`'s, and the rows' forms are in `rows`.
//!
//! One message at a time: what is decided about one joiner holds for the next. Requests of one source
//! are counted here and, before anything is computed for them, where messages arrive.

use std::sync::Arc;
use std::time::Duration;

use actix::fut::{ready, wrap_future};
use actix::{Actor, ActorFutureExt, AsyncContext, AtomicResponse, Context, Handler, Message, Recipient};
use tracing::debug;

use super::audit::Nudge;
use super::identity::Became;
use super::nib::Nib;
use super::post::{Acquaint, Delivered, Send};
use super::{Ping, causes};
use crate::algorithms::validation::attempts::Permit;
use crate::algorithms::validation::decision::Decision;
use crate::algorithms::validation::parent::Parent;
use crate::domain::entropy::Entropy;
use crate::domain::time::{Clock, Timestamp};
use crate::domain::token::TokenRow;
use crate::nib::NibError;
use crate::wire::envelope::{Body, Message as Opened};
use crate::wire::validation::{
    Challenge, ChallengeResponse, ParentRenewed, RenewalRequest, RenewalResult, ValidationAck, ValidationRequest,
    ValidationResult,
};

mod desk;
pub(in crate::actors) mod rows;

use desk::{Desk, Seat};

/// How many joiners wait for their turn; the next ones come back. A region that starts at once
/// should not have to.
const MAILBOX: usize = 128;

/// How many controllers a parent takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// Regional Controllers of one region, at a Global Controller.
    pub regional: u32,
    /// Local Controllers that a Regional one may validate: what a Global Controller delegates, and
    /// what a Regional one takes at most.
    pub local: u32,
}

/// Whom the actor talks to.
#[derive(Debug, Clone)]
pub struct ValidationLinks {
    /// The NIB.
    pub nib: Nib,
    /// Where challenges are sent from.
    pub challenges: Recipient<Send<Challenge>>,
    /// Where decisions are sent from.
    pub results: Recipient<Send<ValidationResult>>,
    /// Where decisions on renewals are sent from.
    pub renewals: Recipient<Send<RenewalResult>>,
    /// Where those below are told of this controller's next certificate.
    pub renewed: Recipient<Send<ParentRenewed>>,
    /// Who keeps the directory of keys.
    pub acquaint: Recipient<Acquaint>,
    /// Who shows the log's head after a join.
    pub audit: Recipient<Nudge>,
}

/// Validates the controllers below this one.
pub struct ValidationActor {
    desk: Desk,
    parent: Parent,
    seat: Option<Arc<Seat>>,
    /// Whether a timer for challenges runs.
    armed: bool,
}

/// Time has passed: challenges without an answer are over.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Expire;

/// The controller above told that it took this one's certificate back: nobody is let in with it any
/// more.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Withdraw;

type Done = AtomicResponse<ValidationActor, ()>;

impl ValidationActor {
    /// An actor that lets nobody in before it was told who this controller is.
    pub fn new(quotas: Quotas, links: ValidationLinks, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        let desk = Desk { quotas, links, clock, entropy };
        Self { desk, parent: Parent::default(), seat: None, armed: false }
    }

    /// The seat, and now.
    fn office(&self) -> Option<(Arc<Seat>, Timestamp)> {
        if self.seat.is_none() {
            debug!("a message for a parent that has no name yet");
        }
        self.seat.as_ref().map(|seat| (Arc::clone(seat), self.desk.clock.now()))
    }

    /// Steps 2 and 3, when the token was looked up.
    fn requested(
        &mut self,
        looked: Result<(Permit, Option<TokenRow>), NibError>,
        request: &Delivered<ValidationRequest>,
        seat: &Seat,
    ) -> Decision {
        let message = opened(request);
        let now = self.desk.clock.now();
        let troubled = |detail: &str| seat.at(now, |office| Parent::unread(&request.source, &message, detail, office));
        match (looked, self.desk.challenge_entropy()) {
            (Ok((permit, token)), Ok(entropy)) => {
                seat.at(now, |office| self.parent.request(&permit, &message, token.as_ref(), office, entropy))
            }
            (Err(error), _) => troubled(&causes(&error)),
            (_, Err(error)) => troubled(&error.to_string()),
        }
    }

    /// Sets the timer for the challenges that wait.
    fn arm(&mut self, ctx: &mut Context<Self>) {
        if !self.armed && self.parent.is_waiting() {
            self.armed = true;
            ctx.notify_later(Expire, Parent::CHALLENGE_LIFETIME + Duration::from_secs(1));
        }
    }
}

fn opened<B: Body + Clone>(delivered: &Delivered<B>) -> Opened<B> {
    Opened { header: delivered.header.clone(), body: delivered.body.clone(), key: delivered.key }
}

fn nothing() -> Done {
    AtomicResponse::new(Box::pin(ready(())))
}

impl Actor for ValidationActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Ping> for ValidationActor {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

impl Handler<Became> for ValidationActor {
    type Result = ();

    fn handle(&mut self, Became(own): Became, ctx: &mut Self::Context) {
        let before = self.seat.replace(Arc::new(Seat::new(Arc::clone(&own))));
        // At a start each child asks by itself, once it hears or misses this controller.
        if before.is_some_and(|seat| seat.own.key.public_key() != own.key.public_key()) {
            ctx.spawn(wrap_future(self.desk.clone().introduce(own)));
        }
    }
}

impl Handler<Withdraw> for ValidationActor {
    type Result = ();

    fn handle(&mut self, _: Withdraw, _: &mut Self::Context) {
        if let Some(seat) = &self.seat {
            self.seat = Some(Arc::new(Seat { withdrawn: true, ..Seat::new(Arc::clone(&seat.own)) }));
        }
    }
}

impl Handler<Delivered<ValidationRequest>> for ValidationActor {
    type Result = Done;

    fn handle(&mut self, request: Delivered<ValidationRequest>, _: &mut Self::Context) -> Done {
        let Some((seat, now)) = self.office() else { return nothing() };
        let desk = self.desk.clone();
        let permit = match seat.at(now, |office| self.parent.attempt(&request.source, office)) {
            Ok(permit) => permit,
            Err(events) => return AtomicResponse::new(Box::pin(wrap_future(async move { desk.tell(events).await }))),
        };
        let token = request.body.token_id;
        let looked = async move {
            let token = desk.links.nib.ask(move |reader| reader.token(token)).await?;
            Ok((permit, token))
        };
        AtomicResponse::new(Box::pin(wrap_future::<_, Self>(looked).then(move |looked, this, ctx| {
            let decision = this.requested(looked, &request, &seat);
            this.arm(ctx);
            wrap_future(this.desk.clone().settle(decision, request.header.sender_id))
        })))
    }
}

impl Handler<Delivered<ChallengeResponse>> for ValidationActor {
    type Result = Done;

    fn handle(&mut self, response: Delivered<ChallengeResponse>, _: &mut Self::Context) -> Done {
        let Some((seat, now)) = self.office() else { return nothing() };
        let (desk, message, to) = (self.desk.clone(), opened(&response), response.header.sender_id);
        match seat.at(now, |office| self.parent.respond(&response.source, &message, office)) {
            Ok(proven) => AtomicResponse::new(Box::pin(wrap_future(desk.admit(seat, proven, to)))),
            Err(refused) => AtomicResponse::new(Box::pin(wrap_future(desk.settle(*refused, to)))),
        }
    }
}

/// A child under its new name says that it has its certificate. It marks the contact and nothing
/// more: what the certificate is worth was decided when it was given, and an acknowledgement that is
/// lost or repeated changes nothing.
impl Handler<Delivered<ValidationAck>> for ValidationActor {
    type Result = Done;

    fn handle(&mut self, ack: Delivered<ValidationAck>, _: &mut Self::Context) -> Done {
        let Some(child) = ack.sender else { return nothing() };
        AtomicResponse::new(Box::pin(wrap_future(self.desk.clone().heard(child.controller_id))))
    }
}

impl Handler<Delivered<RenewalRequest>> for ValidationActor {
    type Result = Done;

    fn handle(&mut self, request: Delivered<RenewalRequest>, _: &mut Self::Context) -> Done {
        let Some((seat, _)) = self.office() else { return nothing() };
        if request.sender.is_none() {
            return nothing();
        }
        AtomicResponse::new(Box::pin(wrap_future(self.desk.clone().renew(seat, opened(&request)))))
    }
}

impl Handler<Expire> for ValidationActor {
    type Result = Done;

    fn handle(&mut self, _: Expire, ctx: &mut Self::Context) -> Done {
        self.armed = false;
        let Some((seat, now)) = self.office() else { return nothing() };
        let events = seat.at(now, |office| self.parent.expire(office));
        self.arm(ctx);
        let desk = self.desk.clone();
        AtomicResponse::new(Box::pin(wrap_future(async move { desk.tell(events).await })))
    }
}
