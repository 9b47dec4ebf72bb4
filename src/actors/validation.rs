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
//! One message at a time: what is decided about one joiner holds for the next. Requests of one source
//! are counted here and, before anything is computed for them, where messages arrive.

use std::sync::Arc;
use std::time::Duration;

use actix::fut::{ready, wrap_future};
use actix::{Actor, ActorFutureExt, AsyncContext, AtomicResponse, Context, Handler, Message, Recipient};
use tracing::{debug, error, info};

use super::audit::Nudge;
use super::identity::{Became, Own};
use super::nib::Nib;
use super::post::{Acquaint, Delivered, Send};
use super::{Ping, causes, hand};
use crate::algorithms::trust::authority::Authority;
use crate::algorithms::trust::chain::Trust;
use crate::algorithms::validation::attempts::Permit;
use crate::algorithms::validation::decision::{Change as Decided, Decision, Reply};
use crate::algorithms::validation::parent::{
    AdmissionView, Census, Entropy as ChallengeEntropy, Office, Parent, Proven,
};
use crate::algorithms::validation::renewal::{Renewal, RenewalView, renew};
use crate::domain::certificate::Certificate;
use crate::domain::change::Change;
use crate::domain::controller::{ControllerId, Role};
use crate::domain::entropy::{Entropy, NoEntropy, octets};
use crate::domain::event::NewEvent;
use crate::domain::registry::{ControllerRow, RegistryChange, Standing};
use crate::domain::time::{Clock, Timestamp};
use crate::domain::token::TokenRow;
use crate::nib::{NibError, NibReader};
use crate::wire::envelope::{Body, Destination, Message as Opened};
use crate::wire::validation::{
    Challenge, ChallengeResponse, ParentRenewed, RenewalRequest, RenewalResult, ValidationAck, ValidationRequest,
    ValidationResult,
};

pub(in crate::actors) mod rows;

use rows::{AdmissionRows, Papers, RenewalRows};

/// How many joiners wait for their turn; the next ones come back. A region that starts at once
/// should not have to.
const MAILBOX: usize = 128;

/// How seldom the last contact of a controller is written down.
const CONTACT: Duration = Duration::from_secs(60);

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

/// What every decision needs.
#[derive(Clone)]
struct Desk {
    quotas: Quotas,
    links: ValidationLinks,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// The parent as it is now.
struct Seat {
    own: Arc<Own>,
    authority: Authority,
    /// Whether those above took the certificate back.
    withdrawn: bool,
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

impl Seat {
    fn new(own: Arc<Own>) -> Self {
        let authority = Authority { chain: own.chain.clone(), key: Arc::clone(&own.key) };
        Self { own, authority, withdrawn: false }
    }

    /// Asks the core, with everything that it must know of this parent.
    fn at<T>(&self, now: Timestamp, ask: impl FnOnce(&Office<'_>) -> T) -> T {
        let own = &self.own;
        let is_revoked = |certificate: &Certificate| self.withdrawn && certificate.controller_id == own.id;
        let trust = Trust { pin: own.pin, now, epoch: Some(own.epoch), is_revoked: &is_revoked };
        let office = Office { cluster: &own.cluster, id: &own.id, authority: &self.authority, trust, epoch: own.epoch };
        ask(&office)
    }
}

impl Desk {
    fn challenge_entropy(&self) -> Result<ChallengeEntropy, NoEntropy> {
        let source = self.entropy.as_ref();
        Ok(ChallengeEntropy { challenge_id: octets(source)?, server_nonce: octets(source)? })
    }

    /// Writes what was decided, and only then answers.
    async fn settle(self, decision: Decision, to: ControllerId) {
        let written = match rows::changes(&decision) {
            Ok(changes) => self.write(changes).await.map_err(|error| causes(&error)),
            Err(error) => Err(error.to_string()),
        };
        match written {
            Ok(()) => self.answer(decision.reply, to).await,
            Err(detail) => {
                error!(joiner = %to, error = detail, "a refusal could not be written; it is not told");
                self.answer(decision.reply.unwritten(), to).await;
            }
        }
    }

    async fn write(&self, changes: Vec<Change>) -> Result<(), NibError> {
        if changes.is_empty() {
            return Ok(());
        }
        self.links.nib.commit(changes).await.map(|_| ())
    }

    async fn tell(&self, events: Vec<NewEvent>) {
        if let Err(error) = self.write(rows::appended(&events).collect()).await {
            error!(error = causes(&error), events = ?events, "events could not be written");
        }
    }

    async fn answer(&self, reply: Reply, to: ControllerId) {
        match reply {
            Reply::Challenge(challenge) => send(&self.links.challenges, to, *challenge).await,
            Reply::Result(result) => send(&self.links.results, to, *result).await,
            Reply::Silence => {}
        }
    }

    /// Steps 5 and 6: decided by what the NIB has, and again if somebody else was faster.
    async fn admit(self, seat: Arc<Seat>, proven: Proven, to: ControllerId) {
        let (request, cluster) = (proven.request().clone(), seat.own.cluster.clone());
        let look = move |reader: &dyn NibReader| AdmissionRows::look(reader, &request, &cluster);
        let decided = self.links.nib.decide(look, |rows| {
            let decision = self.decide(&seat, &proven, &rows);
            match rows::changes(&decision) {
                Ok(changes) => (changes, Ok(decision)),
                Err(error) => (Vec::new(), Err(error.to_string())),
            }
        });
        match decided.await.map_err(|error| causes(&error)).and_then(|decision| decision) {
            Ok(decision) => self.admitted(decision, to).await,
            Err(detail) => {
                error!(joiner = %to, error = detail, "a controller that was right could not be validated");
                let failed = seat.at(self.clock.now(), |office| Parent::failed(&proven, &detail, office));
                self.tell(failed.events).await;
                self.answer(failed.reply, to).await;
            }
        }
    }

    fn decide(&self, seat: &Seat, proven: &Proven, rows: &AdmissionRows) -> Decision {
        let quota = match seat.own.role {
            Role::Global => self.quotas.regional,
            _ => self.quotas.local,
        };
        let census = Census {
            regions: &rows.regions,
            controllers: rows.controllers,
            quota,
            next_number: rows.next_number,
            max_local_controllers: self.quotas.local,
        };
        let (token, granted) = (rows.token.as_ref(), rows.granted.as_ref());
        let view = AdmissionView { token, granted, census, next_serial: rows.next_serial };
        seat.at(self.clock.now(), |office| Parent::admit(proven, &view, office))
    }

    /// What was committed is told: first to those who must know the newcomer when it speaks.
    async fn admitted(&self, decision: Decision, to: ControllerId) {
        let joined = match decision.change {
            Some(Decided::Admit(admission)) => Some(admission.certificate.unverified().clone()),
            _ => None,
        };
        if let Some(certificate) = &joined {
            info!(controller = %certificate.controller_id, serial = %certificate.serial, "a controller was validated");
            hand(&self.links.acquaint, Acquaint::Insert(certificate.clone()), "a controller joined").await;
        }
        self.answer(decision.reply, to).await;
        if joined.is_some() && self.links.audit.try_send(Nudge).is_err() {
            debug!("the head of the log is shown when its time comes");
        }
    }

    async fn renew(self, seat: Arc<Seat>, message: Opened<RenewalRequest>) {
        let (id, key) = (message.header.sender_id.clone(), message.key);
        let asked = id.clone();
        let look = move |reader: &dyn NibReader| RenewalRows::look(reader, &asked, &key);
        let decided = self.links.nib.decide(look, |rows| match self.renewal(&seat, &message, rows) {
            Ok(Some((changes, renewal))) => (changes, Ok(Some(renewal))),
            Ok(None) => (Vec::new(), Ok(None)),
            Err(error) => (Vec::new(), Err(error)),
        });
        match decided.await.map_err(|error| causes(&error)).and_then(|renewal| renewal) {
            Ok(Some(Renewal { issued, reply, .. })) => {
                if let Some((certificate, _)) = issued {
                    let known = Acquaint::Renew(certificate.unverified().clone());
                    hand(&self.links.acquaint, known, "a certificate was renewed").await;
                }
                send(&self.links.renewals, id, reply).await;
            }
            Ok(None) => debug!(controller = %id, "a renewal was asked for by a controller that has no row"),
            Err(detail) => {
                error!(controller = %id, error = detail, "a certificate could not be renewed");
                let reply = seat.at(self.clock.now(), |office| Renewal::failed(&message, office));
                send(&self.links.renewals, id, reply).await;
            }
        }
    }

    /// The decision on a renewal with what it writes; none when there is no such controller.
    fn renewal(
        &self,
        seat: &Seat,
        message: &Opened<RenewalRequest>,
        rows: RenewalRows,
    ) -> Result<Option<(Vec<Change>, Renewal)>, String> {
        let Some(row) = rows.row else { return Ok(None) };
        let papers = Papers::of(&row).map_err(|error| causes(&error))?;
        let view = RenewalView {
            standing: row.standing,
            present: &papers.present,
            next: papers.next.as_ref(),
            next_serial: rows.next_serial,
            max_local_controllers: self.quotas.local,
        };
        let renewal = seat.at(self.clock.now(), |office| renew(message, &view, office));
        let row = renewal.issued.as_ref().map(|issued| rows::with_next(row, issued));
        let row = row.transpose().map_err(|error| error.to_string())?;
        let changes = row.into_iter().map(Change::Registry).chain(rows::appended(&renewal.events)).collect();
        Ok(Some((changes, renewal)))
    }

    /// Shows the next certificate to those below, who would not believe its key. Who does not hear it
    /// asks when it misses this controller.
    async fn introduce(self, own: Arc<Own>) {
        let children = match self.links.nib.ask(super::presence::rows).await {
            Ok(rows) => rows,
            Err(error) => return debug!(error = causes(&error), "those below learn of the new key by themselves"),
        };
        for child in children.into_iter().filter(|row| row.standing == Standing::Active) {
            send(&self.links.renewed, child.id, ParentRenewed { chain: own.chain.clone() }).await;
        }
    }

    /// Notes that a controller was heard, unless that was written a moment ago.
    async fn heard(self, id: ControllerId) {
        let now = self.clock.now();
        let asked = id.clone();
        let noted = self.links.nib.decide(
            move |reader| reader.controller(&asked),
            |row| {
                let changed = row.filter(|row| row.last_contact.is_none_or(|last| now.since(last) >= CONTACT));
                let row = changed.map(|row| ControllerRow { last_contact: Some(now), ..row });
                let update = |row| Change::Registry(RegistryChange::UpdateController(Box::new(row)));
                (row.map(update).into_iter().collect(), ())
            },
        );
        if let Err(error) = noted.await {
            debug!(controller = %id, error = causes(&error), "its last contact is not written");
        }
    }
}

/// Sends to a joiner or a child. What is lost is asked for again.
async fn send<B: Body + std::marker::Send + 'static>(by: &Recipient<Send<B>>, to: ControllerId, body: B) {
    let message = Send { to: Destination::Controller(to.clone()), body };
    if let Some(Err(error)) = hand(by, message, "an answer").await {
        debug!(%to, %error, "an answer was not sent");
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
