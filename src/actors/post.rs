//! The actor through which a controller talks to others: it seals and checks every message.
//!
//! ```text
//!   others ──Send<B>──────────► PostActor ──Dispatch, Attach──► carrier ⇢ network
//!   others ◄──Delivered<B>────── │  ▲ │ ◄────────Arrived─────── carrier ⇠ network
//!   others ──Acquaint, Assume────┼──┘ └──Commit, Ask──► NibActor
//!                                └─ SumUp, its timer
//! ```
//!
//! What the gate decides and must not be forgotten is committed before the message goes on.

use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, ResponseFuture};
use tokio::sync::Semaphore;
use tracing::{debug, error, warn};

use super::nib::Nib;
use super::{Ping, REQUEST_DEADLINE};
use crate::actors::causes;
use crate::algorithms::trust::answers::Answers;
use crate::algorithms::trust::complaints::Complaint;
use crate::algorithms::trust::directory::Directory;
use crate::algorithms::trust::gate::{Arrival, Gate, Refused};
use crate::algorithms::trust::refusal::Refusal;
use crate::algorithms::validation::attempts::{Attempt, Attempts, limit_reached};
use crate::domain::certificate::Certificate;
use crate::domain::controller::ControllerId;
use crate::domain::entropy::{Entropy, octets};
use crate::domain::event::NewEvent;
use crate::domain::key::PublicKey;
use crate::domain::message::{BootId, MessageId, MessageType, Topic};
use crate::domain::number::Epoch;
use crate::domain::registry::Blocked;
use crate::domain::time::Clock;
use crate::wire::envelope::{Author, Body, Destination, Header, SealError, seal};
use crate::wire::signature::KeyPair;
use crate::wire::statement::Chain;

mod acquaintances;
mod answering;
mod ledger;
mod owed;
pub(in crate::actors) mod routes;

pub use acquaintances::directory_of;
pub use routes::Routes;

use ledger::Ledger;
use owed::Owed;
use routes::Opening;

/// How many messages may wait for the carrier to take them.
const UNDER_WAY: usize = 64;

/// Octets that a carrier brings.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Arrived {
    /// The address that they came from, as the carrier knows it.
    pub source: String,
    /// Whose connection they came over, where the carrier knows that.
    pub peer: Option<ControllerId>,
    /// The envelope.
    pub bytes: Vec<u8>,
}

/// Octets for a carrier to bring to others. Carriers receive it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), Undeliverable>")]
pub struct Dispatch {
    /// For whom.
    pub to: Destination,
    /// The envelope.
    pub bytes: Vec<u8>,
}

/// What arrives for this name goes there from now on, also what arrives for earlier names of the same
/// carrier; its messages go out under this one. Carriers receive it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), Undeliverable>")]
pub struct Attach {
    /// The name.
    pub id: ControllerId,
    /// Who takes what arrives.
    pub to: Recipient<Arrived>,
}

/// Why a carrier did not take a message. What it took may be lost, too.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undeliverable {
    /// Nobody of this name is known or connected.
    #[error("{0} cannot be reached")]
    Unreachable(ControllerId),
    /// Too much waits for it already.
    #[error("too many messages wait for {0}")]
    Full(ControllerId),
    /// The carrier has no topics.
    #[error("this carrier brings nothing to topics, so not to {0}")]
    NoTopics(Topic),
    /// The carrier has ended.
    #[error("the carrier has ended")]
    Ended,
}

/// Who this controller is towards others: what it signs with.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its name; before it has one, what it calls itself.
    pub id: ControllerId,
    /// Its key.
    pub key: Arc<KeyPair>,
    /// The term that it knows; 0 before it has a name.
    pub epoch: Epoch,
}

/// From now on this is who sends, and for whom messages are taken.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Assume(pub Identity);

/// Something is known about another controller, verified and committed.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub enum Acquaint {
    /// Its messages are taken under this certificate alone.
    Insert(Certificate),
    /// Also under this next one.
    Renew(Certificate),
    /// Its messages are taken no more.
    Revoke(ControllerId),
    /// Its messages are taken no more until it is validated again.
    Lock(ControllerId),
    /// Its messages are taken no more until an operator decides.
    Suspend(ControllerId),
    /// And taken again: an operator decided.
    Reinstate(ControllerId),
    /// A key or source is refused.
    Block(Blocked),
    /// And no longer.
    Unblock(Blocked),
}

/// A message to send. The answer says what it was called; whether it arrives, nobody knows.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<MessageId, SendError>")]
pub struct Send<B: Body + 'static> {
    /// For whom.
    pub to: Destination,
    /// What is said.
    pub body: B,
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It cannot be written.
    #[error("the message cannot be sealed")]
    Seal(#[from] SealError),
    /// Nobody takes it.
    #[error("the message cannot be delivered")]
    Undeliverable(#[from] Undeliverable),
    /// The carrier does not answer, or so many messages wait for it that no more can.
    #[error("the carrier is behind")]
    Behind,
    /// The system gives no randomness.
    #[error("the message has no id")]
    NoEntropy(#[from] crate::domain::entropy::NoEntropy),
}

/// A message that passed every check.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Delivered<B: Body + 'static> {
    /// Who says it to whom, when.
    pub header: Header,
    /// What is said.
    pub body: B,
    /// The key that signed it.
    pub key: PublicKey,
    /// The sender's certificate; none for a message by which controllers come to know each other.
    pub sender: Option<Certificate>,
    /// The address that it came from.
    pub source: String,
}

/// The way to a carrier.
#[derive(Debug, Clone)]
pub struct Carrier {
    /// Takes messages.
    pub dispatch: Recipient<Dispatch>,
    /// Is told for which name.
    pub attach: Recipient<Attach>,
}

/// How a [`PostActor`] begins.
#[derive(Debug)]
pub struct Beginning {
    /// Who it is, or what it calls itself as long as it has no name ([`ControllerId::newcomer`], with
    /// the key that it wants a certificate for and epoch 0).
    pub identity: Identity,
    /// This run.
    pub boot_id: BootId,
    /// How old a message may be.
    pub freshness: Duration,
    /// Whom it knows: see [`directory_of`].
    pub directory: Directory,
}

/// Writes down what was not told of refused messages yet, and what could not be written before.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct SumUp;

/// Ends the actor: it takes and sends nothing more, and lets go of its carrier.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Leave;

/// Seals what this controller says, and hands on what others say to it when it passed every check.
pub struct PostActor {
    identity: Identity,
    author: Author,
    gate: Gate,
    directory: Directory,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    nib: Nib,
    carrier: Carrier,
    routes: Routes,
    under_way: Arc<Semaphore>,
    answers: Answers,
    /// Those who are refused unread and were read all the same, to be answered.
    barred: Answers<String>,
    /// Why this controller may be believed, once it has a name.
    chain: Option<Chain>,
    /// How often those ask whom nobody knows.
    attempts: Attempts,
    ledger: Ledger,
    /// What was decided and is not written yet, because the NIB could not be used.
    owed: Vec<Owed>,
    /// How many messages passed and were not taken by their actor.
    not_taken: u64,
}

/// What happens with a message after what it changed is written.
enum Next {
    HandOn(Opening),
    Refuse(Complaint, Option<Box<Answer>>),
    /// Nothing: it is not even looked at.
    Ignore(Option<Box<NewEvent>>),
}

/// Why a message does not go on.
enum Turned {
    Refused(Option<MessageType>, Refused, Option<Box<Header>>),
    /// Its source asks too often, and whether that is news.
    Limited {
        is_news: bool,
    },
}

type Answer = (ControllerId, crate::wire::refused::MessageRefused);

impl PostActor {
    /// An actor that hands messages on along these routes. Nothing from before this instant is taken.
    pub fn new(
        beginning: Beginning,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        nib: Nib,
        carrier: Carrier,
        routes: Routes,
    ) -> Self {
        let Beginning { identity, boot_id, freshness, directory } = beginning;
        Self {
            author: Author::new(identity.id.clone(), boot_id),
            gate: Gate::new(identity.id.clone(), freshness, clock.now()),
            identity,
            directory,
            clock,
            entropy,
            nib,
            carrier,
            routes,
            under_way: Arc::new(Semaphore::new(UNDER_WAY)),
            answers: Answers::default(),
            barred: Answers::default(),
            chain: None,
            attempts: Attempts::default(),
            ledger: Ledger::default(),
            owed: Vec::new(),
            not_taken: 0,
        }
    }

    fn sealed<B: Body>(&mut self, to: &Destination, body: &B) -> Result<(MessageId, Vec<u8>), SendError> {
        let random = octets(self.entropy.as_ref())?;
        let header = self.author.header::<B>(to.clone(), self.identity.epoch, self.clock.now(), random);
        let id = header.message_id;
        Ok((id, seal(header, body, &self.identity.key)?))
    }

    /// Everything stands still until the carrier knows the name: what is sent before would go out
    /// under another one, and what is answered would not find its way.
    fn attach(&self, ctx: &mut Context<Self>) {
        let attach = Attach { id: self.identity.id.clone(), to: ctx.address().recipient() };
        let answer = tokio::time::timeout(REQUEST_DEADLINE, self.carrier.attach.send(attach));
        ctx.wait(wrap_future::<_, Self>(answer).map(|answer, this, _| {
            if !matches!(answer, Ok(Ok(Ok(())))) {
                error!(id = %this.identity.id, "the carrier does not know this controller: no message will arrive");
            }
        }));
    }

    fn open(&mut self, arrived: &Arrived) -> Result<Opening, Turned> {
        let sealed = Gate::read(&arrived.bytes).map_err(|refused| Turned::Refused(None, refused, None))?;
        let message_type = sealed.message_type();
        self.count(message_type, &arrived.source)?;
        let arrival = Arrival { source: &arrived.source, peer: arrived.peer.as_ref(), now: self.clock.now() };
        let opened = match self.routes.get(message_type) {
            Some(route) => route.open(&mut self.gate, &sealed, &mut self.directory, self.identity.epoch, arrival),
            // A controller of this tier has no use for it, whoever signed it.
            None => Err(Refused { refusal: Refusal::WrongRecipient, key: Some(*sealed.key()), header: None }),
        };
        opened.map_err(|refused| {
            let signed = self.author_of(&sealed, &refused, &arrived.source);
            Turned::Refused(Some(message_type), refused, signed.map(Box::new))
        })
    }

    /// Anybody may ask to be validated, so nothing is computed for one who asks too often.
    fn count(&mut self, message_type: MessageType, source: &str) -> Result<(), Turned> {
        if !matches!(message_type, MessageType::ValidationRequest | MessageType::ChallengeResponse) {
            return Ok(());
        }
        match self.attempts.ask(source, self.clock.now()) {
            Attempt::Allowed(_) => Ok(()),
            Attempt::LimitReached => Err(Turned::Limited { is_news: true }),
            Attempt::Limited => Err(Turned::Limited { is_news: false }),
        }
    }

    fn inspect(&mut self, arrived: Arrived) -> Next {
        match self.open(&arrived) {
            Ok(mut opening) => {
                self.owed.extend(opening.switched.take().map(Owed::Switched));
                Next::HandOn(opening)
            }
            Err(Turned::Limited { is_news }) => {
                let told = || limit_reached(&arrived.source, &self.identity.id, self.clock.now());
                Next::Ignore(is_news.then(|| Box::new(told())))
            }
            Err(Turned::Refused(message_type, refused, signed)) => {
                let detail = causes(&refused.refusal);
                if let Refusal::Cloned { sender } = &refused.refusal {
                    self.owed.push(Owed::Locked {
                        sender: sender.clone(),
                        detail: detail.clone(),
                        source: arrived.source.clone(),
                    });
                }
                let complaint = Complaint {
                    reason: refused.refusal.reason(),
                    detail,
                    message_type,
                    header: refused.header.as_deref().map(|header| (header.message_id, header.sender_id.clone())),
                    key: refused.key,
                    source: arrived.source,
                };
                let answer = self.answer_to(message_type, &refused, signed.as_deref());
                Next::Refuse(complaint, answer.map(Box::new))
            }
        }
    }

    /// Writes what is owed, then goes on. No further message is looked at meanwhile: it could be one
    /// that depends on this.
    fn settle(&mut self, next: Option<Next>, ctx: &mut Context<Self>) {
        let (owed, nib, own) = (std::mem::take(&mut self.owed), self.nib.clone(), self.identity.id.clone());
        let settled = owed::settle(owed, nib, own, self.clock.now());
        ctx.wait(wrap_future::<_, Self>(settled).map(|left, this, ctx| {
            this.owed = left;
            if let Some(next) = next {
                this.go_on(next, ctx);
            }
        }));
    }

    fn go_on(&mut self, next: Next, ctx: &mut Context<Self>) {
        match next {
            Next::HandOn(opening) => self.hand_on(opening),
            Next::Ignore(None) => {}
            Next::Ignore(Some(event)) => {
                warn!(source = event.subject, "asks to be validated too often; it is not looked at for a while");
                self.ledger.tell(*event);
                self.write(ctx);
            }
            Next::Refuse(complaint, answer) => {
                debug!(reason = %complaint.reason, detail = complaint.detail, source = complaint.source, "refused");
                if let Some(answer) = answer {
                    self.answer(*answer);
                }
                self.ledger.note(complaint, &self.identity.id, self.clock.as_ref());
                self.write(ctx);
            }
        }
    }

    fn hand_on(&mut self, opening: Opening) {
        let (message_type, sender) = (opening.message_type, opening.sender);
        if self.owed.iter().any(|owed| *owed.controller() == sender) {
            warn!(%sender, %message_type, "not handed on: what it changed could not be written");
        } else if !(opening.hand_on)() {
            self.not_taken += 1;
            warn!(%sender, %message_type, so_far = self.not_taken, "not handed on: the actor that takes it is behind");
        }
    }

    /// Writes what waits in the ledger, one commit at a time, and sees that the rest is told in time.
    fn write(&mut self, ctx: &mut Context<Self>) {
        if let Some(after) = self.ledger.wind_up() {
            ctx.notify_later(SumUp, after);
        }
        let Some(changes) = self.ledger.take() else { return };
        let (nib, count) = (self.nib.clone(), changes.len());
        let commit = async move { nib.commit(changes).await };
        ctx.spawn(wrap_future::<_, Self>(commit).map(move |result, this, ctx| {
            this.ledger.written(count, result.err());
            this.write(ctx);
        }));
    }
}

impl Actor for PostActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.attach(ctx);
    }
}

impl Handler<Ping> for PostActor {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

impl Handler<Arrived> for PostActor {
    type Result = ();

    fn handle(&mut self, arrived: Arrived, ctx: &mut Self::Context) {
        let known = self.owed.len();
        let next = self.inspect(arrived);
        let concerns = |opening: &Opening| self.owed.iter().any(|owed| *owed.controller() == opening.sender);
        if self.owed.len() == known && !matches!(&next, Next::HandOn(opening) if concerns(opening)) {
            return self.go_on(next, ctx);
        }
        self.settle(Some(next), ctx);
    }
}

impl<B: Body + std::marker::Send + 'static> Handler<Send<B>> for PostActor {
    type Result = ResponseFuture<Result<MessageId, SendError>>;

    fn handle(&mut self, Send { to, body }: Send<B>, _: &mut Self::Context) -> Self::Result {
        let Ok(place) = Arc::clone(&self.under_way).try_acquire_owned() else {
            return Box::pin(std::future::ready(Err(SendError::Behind)));
        };
        let (id, bytes) = match self.sealed(&to, &body) {
            Ok(sealed) => sealed,
            Err(error) => return Box::pin(std::future::ready(Err(error))),
        };
        let taken = self.carrier.dispatch.send(Dispatch { to, bytes });
        Box::pin(async move {
            let answer = tokio::time::timeout(REQUEST_DEADLINE, taken).await;
            drop(place);
            match answer {
                Ok(Ok(taken)) => Ok(taken.map(|()| id)?),
                Ok(Err(_)) => Err(Undeliverable::Ended.into()),
                Err(_) => Err(SendError::Behind),
            }
        })
    }
}

impl Handler<Acquaint> for PostActor {
    type Result = ();

    fn handle(&mut self, news: Acquaint, _: &mut Self::Context) {
        acquaintances::learn(&mut self.directory, news);
    }
}

impl Handler<Assume> for PostActor {
    type Result = ();

    fn handle(&mut self, Assume(identity): Assume, ctx: &mut Self::Context) {
        let is_renamed = identity.id != self.identity.id;
        self.gate.rename(identity.id.clone());
        self.author.id = identity.id.clone();
        self.identity = identity;
        if is_renamed {
            self.attach(ctx);
        }
    }
}

impl Handler<SumUp> for PostActor {
    type Result = ();

    fn handle(&mut self, _: SumUp, ctx: &mut Self::Context) {
        self.ledger.sum_up(&self.identity.id, self.clock.as_ref());
        self.write(ctx);
        // Who is locked is not heard again, so nothing else would bring this up.
        if !self.owed.is_empty() {
            self.settle(None, ctx);
        }
    }
}

impl Handler<Leave> for PostActor {
    type Result = ();

    fn handle(&mut self, _: Leave, ctx: &mut Self::Context) {
        ctx.stop();
    }
}
