//! The actor through which a controller becomes a member and stays one: the child's side.
//!
//! ```text
//!   PostActor ──Delivered<Challenge, ValidationResult, RenewalResult>──► MembershipActor ◄──Wake── its timer
//!   PostActor ──Delivered<MessageRefused, ParentRenewed>─────────────────────►  │
//!   PresenceActor ──ParentLost, ParentReached────────────────────────────────►  │
//!   NibActor  ◄──membership row and event in one commit, OpenLog──────────────┤
//!   key files ◄──before anybody is told of a key──────────────────────────────┤
//!   PostActor ◄──Assume, Acquaint, Send<ValidationRequest, ChallengeResponse, ValidationAck, RenewalRequest>
//!   HealthActor ◄──Note          all others ◄──Became          ValidationActor ◄──Withdraw
//! ```
//!
//! What was committed is what holds: after every commit the actor begins as at a start, reads its row
//! and becomes what that says. So a kill at any line leaves nothing that a start does not mend.
//!
//! Here are the states, the timer and the messages. `begin` looks at what there is, and `becoming` makes
//! the actor that; `asking` joins and `renewing` stays; `above` knows the parent; `refused` is told that
//! it may not; `record` writes it down, and `keys` keeps the private keys.

use std::sync::Arc;
use std::time::Duration;

use actix::fut::{ready, wrap_future};
use actix::{
    Actor, AsyncContext, AtomicResponse, Context, Handler, Message, Recipient, ResponseActFuture, SpawnHandle,
};
use tracing::{debug, error};

use super::health::Note;
use super::identity::{Became, Own};
use super::nib::{Nib, OpenLog};
use super::post::{Acquaint, Assume, Delivered, Send};
use super::validation::Withdraw;
use super::{Ping, hand};
use crate::algorithms::trust::above::Above;
use crate::algorithms::trust::backoff::Backoff;
use crate::algorithms::validation::joiner::Joiner;
use crate::algorithms::validation::renewer::Renewer;
use crate::domain::certificate::Certificate;
use crate::domain::controller::{Cluster, ControllerId, Region, Role};
use crate::domain::entropy::Entropy;
use crate::domain::log::Sealer;
use crate::domain::reason::Reason;
use crate::domain::time::{Clock, Timestamp};
use crate::domain::token::BootstrapToken;
use crate::wire::envelope::{Body, Destination, Message as Opened};
use crate::wire::refused::MessageRefused;
use crate::wire::signature::KeyPair;
use crate::wire::validation::{
    Challenge, ChallengeResponse, Metadata, ParentRenewed, RenewalRequest, RenewalResult, ValidationAck,
    ValidationRequest, ValidationResult,
};

mod above;
mod asking;
mod becoming;
mod begin;
pub mod keys;
mod record;
mod refused;
mod renewing;
mod status;

use keys::KeyStore;
use renewing::holder;
pub use status::MembershipStatus;

/// How long an answer of the parent is waited for.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Timers that are far away are looked at in between: the wall clock may be set.
const LONGEST: Duration = Duration::from_secs(86_400);

/// What a controller wants to be.
#[derive(Debug, Clone)]
pub struct MembershipSettings {
    /// The installation, as the trust root names it.
    pub cluster: Cluster,
    /// The tier: global, regional or local.
    pub role: Role,
    /// The region; a Global Controller has none.
    pub region: Option<Region>,
    /// Whom it asks to be validated; a Global Controller nobody.
    pub parent: Option<ControllerId>,
    /// What it tells operators about itself.
    pub metadata: Metadata,
}

/// Makes what seals the events of a controller.
pub type SealerFactory = Box<dyn Fn(&Own) -> Box<dyn Sealer> + std::marker::Send>;

/// Whom the actor talks to.
pub struct MembershipLinks {
    /// The NIB.
    pub nib: Nib,
    /// Where its log is opened.
    pub log: Recipient<OpenLog>,
    /// The private keys.
    pub keys: Arc<dyn KeyStore>,
    /// What seals the events, made anew for each key.
    pub sealer: SealerFactory,
    /// Who sends and receives under the controller's name.
    pub assume: Recipient<Assume>,
    /// Who keeps the directory of keys.
    pub acquaint: Recipient<Acquaint>,
    /// Where requests are sent from.
    pub requests: Recipient<Send<ValidationRequest>>,
    /// Where proofs are sent from.
    pub responses: Recipient<Send<ChallengeResponse>>,
    /// Where it is said that a certificate arrived.
    pub acks: Recipient<Send<ValidationAck>>,
    /// Where requests for renewal are sent from.
    pub renewals: Recipient<Send<RenewalRequest>>,
    /// Those who must know who this controller is.
    pub became: Vec<Recipient<Became>>,
    /// Who lets others in, to be told when nobody is to be let in any more; a Local Controller has nobody.
    pub withdraw: Option<Recipient<Withdraw>>,
    /// Who shows how far it is.
    pub health: Recipient<Note>,
}

/// Becomes a member and stays one.
pub struct MembershipActor {
    settings: MembershipSettings,
    token: Option<BootstrapToken>,
    links: MembershipLinks,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    backoff: Backoff,
    random: fastrand::Rng,
    state: State,
    /// The one timer: what it is for, and how it is taken back.
    timer: Option<SpawnHandle>,
    /// The last reason that was written down, so that the same is not written again and again.
    told: Option<Reason>,
    last_reason: Option<String>,
}

enum State {
    Starting,
    Pending(Box<Candidate>),
    Member(Box<Member>),
    Stopped { reason: String, remedy: String },
}

/// A controller without a name.
struct Candidate {
    joiner: Joiner,
    key: Arc<KeyPair>,
    parent: ControllerId,
    attempt: u32,
    next_attempt_at: Option<Timestamp>,
    /// Whether it was written that a false parent answered this attempt.
    alarmed: bool,
}

/// A controller with one.
struct Member {
    own: Arc<Own>,
    certificate: Certificate,
    renew_at: Option<Timestamp>,
    renewer: Renewer,
    /// What is asked of the parent now.
    asking: Option<Ask>,
    /// Whether the certificate has yet to be used for the first time.
    unproven: bool,
    /// The parent, as it is known here.
    parent: Option<Above>,
    /// What an operator must do before the parent takes messages of this controller again.
    barred: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    /// Whether it takes our certificate, and which one it has itself.
    Affirm,
    /// A certificate for the next key.
    Renew,
}

/// A timer of the actor's has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum Wake {
    /// To begin, or to begin again.
    Begin,
    /// To ask the parent.
    Ask,
    /// The parent did not answer.
    Silence,
    /// To see whether the certificate is to be renewed.
    Due,
    /// To renew the certificate, however long it is still good. No timer says so.
    Renew,
}

type Done = AtomicResponse<MembershipActor, ()>;
type Step = ResponseActFuture<MembershipActor, ()>;

impl MembershipActor {
    /// An actor that begins when it is started. The token is needed by a controller that has no name
    /// yet and is not the trust root; the seed is for the jitter of its waits.
    pub fn new(
        settings: MembershipSettings,
        token: Option<BootstrapToken>,
        links: MembershipLinks,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        seed: u64,
    ) -> Self {
        Self {
            settings,
            token,
            links,
            clock,
            entropy,
            backoff: Backoff::new(seed),
            random: fastrand::Rng::with_seed(seed),
            state: State::Starting,
            timer: None,
            told: None,
            last_reason: None,
        }
    }

    /// Sets the one timer; what it was set to before does not come.
    fn wake(&mut self, what: Wake, after: Duration, ctx: &mut Context<Self>) {
        self.rest(ctx);
        self.timer = Some(ctx.notify_later(what, after));
    }

    fn rest(&mut self, ctx: &mut Context<Self>) {
        if let Some(timer) = self.timer.take() {
            ctx.cancel_future(timer);
        }
    }

    /// Waits, then does it again.
    fn again(&mut self, what: Wake, ctx: &mut Context<Self>) {
        let wait = self.backoff.wait();
        if let State::Pending(candidate) = &mut self.state {
            candidate.next_attempt_at = Some(self.clock.now().saturating_add(wait));
        }
        self.wake(what, wait, ctx);
        self.note();
    }

    fn stop(&mut self, reason: String, remedy: String, ctx: &mut Context<Self>) {
        error!(reason, remedy, "the controller is not a member, and waiting does not help");
        self.state = State::Stopped { reason, remedy };
        self.rest(ctx);
        self.note();
    }

    fn note(&self) {
        let Ok(value) = serde_json::to_value(self.status()) else { return };
        if self.links.health.try_send(Note { section: "membership", value }).is_err() {
            debug!("the health actor is behind: the status shows an earlier state of the membership");
        }
    }
}

/// Sends to the parent. What is lost is asked again.
async fn send<B: Body + std::marker::Send + 'static>(by: &Recipient<Send<B>>, to: ControllerId, body: B) {
    let message = Send { to: Destination::Controller(to.clone()), body };
    if let Some(Err(error)) = hand(by, message, "a message to the parent").await {
        debug!(%to, %error, "a message to the parent was not sent");
    }
}

fn opened<B: Body>(delivered: Delivered<B>) -> (Opened<B>, String) {
    let Delivered { header, body, key, source, .. } = delivered;
    (Opened { header, body, key }, source)
}

impl Actor for MembershipActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.wake(Wake::Begin, Duration::ZERO, ctx);
    }
}

impl Handler<Ping> for MembershipActor {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

impl Handler<Wake> for MembershipActor {
    type Result = Done;

    fn handle(&mut self, wake: Wake, ctx: &mut Self::Context) -> Done {
        let step: Step = match wake {
            Wake::Begin => self.begin(),
            Wake::Ask => self.ask(ctx),
            Wake::Silence => {
                self.silence(ctx);
                Box::pin(ready(()))
            }
            Wake::Due => {
                self.due(ctx);
                Box::pin(ready(()))
            }
            Wake::Renew => {
                self.renew_now(ctx);
                Box::pin(ready(()))
            }
        };
        AtomicResponse::new(step)
    }
}

impl Handler<Delivered<Challenge>> for MembershipActor {
    type Result = Done;

    fn handle(&mut self, challenge: Delivered<Challenge>, ctx: &mut Self::Context) -> Done {
        let (message, source) = opened(challenge);
        let now = self.clock.now();
        let State::Pending(candidate) = &mut self.state else { return AtomicResponse::new(Box::pin(ready(()))) };
        let step: Step = match candidate.joiner.challenge(&message, &candidate.key, now) {
            Ok(response) => {
                let (responses, parent) = (self.links.responses.clone(), message.header.sender_id);
                self.wake(Wake::Silence, PATIENCE, ctx);
                Box::pin(wrap_future(async move { send(&responses, parent, response).await }))
            }
            Err(distrust) => self.distrusted(&distrust, &source),
        };
        AtomicResponse::new(step)
    }
}

impl Handler<Delivered<ValidationResult>> for MembershipActor {
    type Result = Done;

    fn handle(&mut self, result: Delivered<ValidationResult>, ctx: &mut Self::Context) -> Done {
        let (message, source) = opened(result);
        let now = self.clock.now();
        let State::Pending(candidate) = &mut self.state else { return AtomicResponse::new(Box::pin(ready(()))) };
        let step = match candidate.joiner.result(&message, &candidate.key, now) {
            Ok(outcome) => self.decided(outcome, source, ctx),
            Err(distrust) => self.distrusted(&distrust, &source),
        };
        AtomicResponse::new(step)
    }
}

impl Handler<Delivered<RenewalResult>> for MembershipActor {
    type Result = Done;

    fn handle(&mut self, result: Delivered<RenewalResult>, ctx: &mut Self::Context) -> Done {
        let (message, source) = opened(result);
        let now = self.clock.now();
        let State::Member(member) = &mut self.state else { return AtomicResponse::new(Box::pin(ready(()))) };
        let Member { own, certificate, renewer, parent, .. } = &mut **member;
        let Some((holder, parent)) = holder(own, certificate).zip(parent.as_ref()) else {
            return AtomicResponse::new(Box::pin(ready(())));
        };
        let step = match renewer.result(&message, &holder, parent.certificate(), now) {
            Ok(renewed) => self.renewed(renewed, &source, ctx),
            Err(distrust) => self.distrusted(&distrust, &source),
        };
        AtomicResponse::new(step)
    }
}

impl Handler<Delivered<MessageRefused>> for MembershipActor {
    type Result = Done;

    fn handle(&mut self, refused: Delivered<MessageRefused>, ctx: &mut Self::Context) -> Done {
        AtomicResponse::new(self.refused(refused, ctx))
    }
}

impl Handler<Delivered<ParentRenewed>> for MembershipActor {
    type Result = Done;

    fn handle(&mut self, renewed: Delivered<ParentRenewed>, _: &mut Self::Context) -> Done {
        AtomicResponse::new(self.succeeded(renewed))
    }
}
