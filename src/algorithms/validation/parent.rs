//! The parent's side: who may come in.

mod pending;
mod policy;

use std::time::Duration;

use serde_json::json;

use crate::algorithms::trust::authority::{Authority, Order};
use crate::algorithms::trust::chain::Trust;
use crate::algorithms::validation::attempts::{self, Attempt, Attempts, Permit};
use crate::algorithms::validation::decision::{
    Admission, Change, Decider, Decision, Reply, Subject, UNWRITTEN, refusal,
};
use crate::algorithms::validation::parent::pending::{Pending, PendingChallenges};
pub use crate::algorithms::validation::parent::policy::Census;
use crate::domain::certificate::Certificate;
use crate::domain::controller::{Cluster, ControllerId, Role};
use crate::domain::digest::Digest;
use crate::domain::event::{EventType, NewEvent};
use crate::domain::key::{Nonce, PublicKey};
use crate::domain::message::{ChallengeId, MessageType};
use crate::domain::number::{Epoch, Serial};
use crate::domain::reason::Reason;
use crate::domain::time::Timestamp;
use crate::domain::token::{TokenRow, TokenState, TokenUse};
use crate::wire::envelope::Message;
use crate::wire::statement::Statement;
use crate::wire::transcript::Transcript;
use crate::wire::validation::{Challenge, ChallengeResponse, Grant, ValidationRequest, Verdict};

/// The parent as it is now.
#[derive(Clone, Copy)]
pub struct Office<'a> {
    /// The installation.
    pub cluster: &'a Cluster,
    /// Its name.
    pub id: &'a ControllerId,
    /// What it issues with.
    pub authority: &'a Authority,
    /// What its own chain is held against; it has the clock.
    pub trust: Trust<'a>,
    /// The term.
    pub epoch: Epoch,
}

/// Randomness for one challenge.
#[derive(Debug, Clone, Copy)]
pub struct Entropy {
    /// For its id.
    pub challenge_id: [u8; 16],
    /// Its nonce.
    pub server_nonce: [u8; 32],
}

/// What the NIB knows about one joiner, read anew for each attempt to admit it.
#[derive(Debug, Clone, Copy)]
pub struct AdmissionView<'a> {
    /// The token that it names.
    pub token: Option<&'a TokenRow>,
    /// What was given for the use of this token before; for one that is unused, to the key that comes with it.
    pub granted: Option<&'a Grant>,
    /// The regions and controllers that there are.
    pub census: Census<'a>,
    /// The next certificate's number.
    pub next_serial: Serial,
}

/// A joiner that proved to have its key. Whether it knows the token's secret is seen by
/// [`Parent::admit`], beside the token's row.
#[derive(Debug, Clone, PartialEq)]
pub struct Proven {
    request: ValidationRequest,
    source: String,
    transcript: Transcript,
    response: ChallengeResponse,
}

impl Proven {
    /// What it asked for.
    pub const fn request(&self) -> &ValidationRequest {
        &self.request
    }
}

/// The conversations of a parent. They do not outlive the process: a joiner begins again.
#[derive(Debug, Default)]
pub struct Parent {
    attempts: Attempts,
    pending: PendingChallenges,
}

impl Parent {
    /// How long a challenge can be answered.
    pub const CHALLENGE_LIFETIME: Duration = pending::LIFETIME;

    /// Whether challenges are kept, so that [`Parent::expire`] will have something to do.
    pub fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Asks whether a request of this source may be looked at at all. Before its signature is
    /// verified.
    ///
    /// # Errors
    /// The events of the refusal: one when a source begins to ask too often, none after that.
    pub fn attempt(&mut self, source: &str, office: &Office<'_>) -> Result<Permit, Vec<NewEvent>> {
        match self.attempts.ask(source, office.trust.now) {
            Attempt::Allowed(permit) => Ok(permit),
            Attempt::Limited => Err(Vec::new()),
            Attempt::LimitReached => Err(vec![attempts::limit_reached(source, office.id, office.trust.now)]),
        }
    }

    /// Steps 2 and 3: looks the token up and asks for proofs. Step 1, freshness and blocklist, was the
    /// gate's.
    pub fn request(
        &mut self,
        permit: &Permit,
        message: &Message<ValidationRequest>,
        token: Option<&TokenRow>,
        office: &Office<'_>,
        entropy: Entropy,
    ) -> Decision {
        let (request, now) = (&message.body, office.trust.now);
        let decider = office.decider();
        let subject = subject(request, &message.key, permit.source());
        let refuse = |reason, detail: &str| decider.refuse(subject, reason, detail);
        if request.public_key != message.key {
            return refuse(Reason::InvalidSignature, "the request was signed by another key than the one it names");
        }
        if request.temp_id != message.header.sender_id || !request.temp_id.is_newcomer() {
            return refuse(Reason::TempIdMismatch, "the request names another sender than its header");
        }
        if let Err((reason, detail)) = check_token(token, request, now) {
            return refuse(reason, detail);
        }
        if let Some(earlier) = self.pending.of_key(&message.key) {
            if earlier.is_same(request) && now < earlier.challenge.expires_at {
                return Decision::reply(Reply::Challenge(Box::new(earlier.challenge.clone())));
            }
            if message.header.timestamp <= earlier.requested_at {
                return refuse(Reason::SupersededRequest, "a later request of the same key is being answered");
            }
        }
        let Some(certificate) = office.authority.chain.leaf() else {
            return refuse(Reason::IdentityAssignmentFailed, "the parent has no certificate");
        };
        let challenge = Challenge {
            challenge_id: ChallengeId::new(entropy.challenge_id),
            client_nonce: request.client_nonce,
            server_nonce: Nonce::from_bytes(entropy.server_nonce),
            issued_at: now,
            expires_at: now.saturating_add(pending::LIFETIME),
            parent_id: office.id.clone(),
            parent: office.authority.chain.clone(),
        };
        let pending = Pending {
            transcript: transcript(request, &challenge, certificate.digest()),
            request: request.clone(),
            source: permit.source().to_owned(),
            requested_at: message.header.timestamp,
            challenge: challenge.clone(),
            told: false,
        };
        if self.pending.insert(pending, now) {
            Decision::reply(Reply::Challenge(Box::new(challenge)))
        } else {
            refuse(Reason::TooManyChallenges, "too many challenges are waiting for their answers; try again later")
        }
    }

    /// Step 4: is it the one who asked, and does it have the key? The challenge is spent, whatever the
    /// answer, unless somebody else gave it.
    ///
    /// # Errors
    /// The refusal, with the decision about it.
    pub fn respond(
        &mut self,
        source: &str,
        message: &Message<ChallengeResponse>,
        office: &Office<'_>,
    ) -> Result<Proven, Box<Decision>> {
        let (response, now) = (&message.body, office.trust.now);
        let decider = office.decider();
        let stranger =
            Subject { temp_id: &message.header.sender_id, key: &message.key, token: None, source, nonce: None };
        let refuse = |subject, reason, detail: &str| Err(Box::new(decider.refuse(subject, reason, detail)));
        let Some(pending) = self.pending.get(&response.challenge_id) else {
            return refuse(stranger, Reason::UnknownChallenge, "no such challenge is waiting for an answer");
        };
        let is_its_own = pending.request.public_key == message.key
            && pending.request.temp_id == response.temp_id
            && response.temp_id == message.header.sender_id;
        if !is_its_own {
            return refuse(stranger, Reason::TempIdMismatch, "the challenge was given to somebody else");
        }
        let Some(pending) = self.pending.take(&response.challenge_id) else {
            return refuse(stranger, Reason::UnknownChallenge, "no such challenge is waiting for an answer");
        };
        let asker = subject(&pending.request, &message.key, source);
        if now >= pending.challenge.expires_at {
            return refuse(asker, Reason::ChallengeExpired, "the answer came too late; begin again");
        }
        if !pending.transcript.is_signed(&response.signature) {
            return refuse(asker, Reason::InvalidSignature, "the signature is not over this conversation");
        }
        let Pending { request, source, transcript, .. } = pending;
        Ok(Proven { request, source, transcript, response: response.clone() })
    }

    /// Steps 5 and 6: the token, policy, and what is to be written in one commit. After a conflict it
    /// is asked again with what was then read; nothing is remembered between.
    pub fn admit(proven: &Proven, view: &AdmissionView<'_>, office: &Office<'_>) -> Decision {
        let (request, now) = (&proven.request, office.trust.now);
        let decider = office.decider();
        let subject = subject(request, &request.public_key, &proven.source);
        let refuse = |reason, detail: &str| decider.refuse(subject, reason, detail);
        let (token, state) = match check_token(view.token, request, now) {
            Ok(found) => found,
            Err((reason, detail)) => return refuse(reason, detail),
        };
        if !proven.transcript.is_authentic(&token.secret_hash, &proven.response.token_hmac) {
            return wrong_proof(token, &state, subject, &decider);
        }
        if let TokenState::Answered(name) = &state {
            return match view.granted.filter(|granted| granted.assigned_id == *name) {
                Some(granted) => {
                    Decision::reply(decider.answer(subject, Verdict::Validated(Box::new(granted.clone()))))
                }
                None => refuse(Reason::IdentityAssignmentFailed, "what was given for this token cannot be found"),
            };
        }
        // The key has a name already, and comes with a token that would have given it one: it missed the
        // reply to an earlier token. It is told again, and the token stays.
        let same = |granted: &&Grant| granted.role == request.role && granted.region == request.region;
        if let Some(granted) = view.granted.filter(same) {
            return Decision::reply(decider.answer(subject, Verdict::Validated(Box::new(granted.clone()))));
        }
        let name = match policy::name(request, view.census, office) {
            Ok(name) => name,
            Err((reason, detail)) => return refuse(reason, &detail),
        };
        let order = Order {
            name: name.clone(),
            region: request.region.clone(),
            public_key: request.public_key,
            serial: view.next_serial,
            max_local_controllers: view.census.max_local_controllers,
        };
        let (certificate, delegation) = match office.authority.issue(order, office.epoch, now) {
            Ok(issued) => issued,
            Err(error) => return refuse(Reason::IdentityAssignmentFailed, &error.to_string()),
        };
        let grant = Grant {
            cluster: office.cluster.clone(),
            assigned_id: name.id(),
            role: request.role,
            region: request.region.clone(),
            certificate: certificate.clone(),
            delegation: delegation.clone(),
        };
        let used = TokenUse { public_key: request.public_key, controller_id: name.id(), at: now };
        let validated = decider.event(EventType::ControllerValidated, &name.id(), told(proven, &certificate));
        let admission = Admission {
            token: token.id,
            used,
            number: view.census.next_number,
            region: request.region.clone(),
            certificate,
            delegation,
            parent: office.id.clone(),
            metadata: request.metadata.clone(),
        };
        Decision {
            change: Some(Change::Admit(Box::new(admission))),
            events: vec![validated],
            reply: decider.answer(subject, Verdict::Validated(Box::new(grant))),
        }
    }

    /// The decision when the commit failed: nothing was written, the joiner is told to try again, and
    /// an operator is told, if the event can be written.
    pub fn failed(proven: &Proven, detail: &str, office: &Office<'_>) -> Decision {
        let subject = subject(&proven.request, &proven.request.public_key, &proven.source);
        let mut decision = office.decider().refuse(subject, Reason::IdentityAssignmentFailed, detail);
        let verdict = refusal(Reason::IdentityAssignmentFailed, UNWRITTEN);
        decision.reply = office.decider().answer(subject, verdict);
        decision
    }

    /// The decision on a request when the NIB cannot be read: nothing is known, so nobody is let in.
    pub fn unread(source: &str, message: &Message<ValidationRequest>, detail: &str, office: &Office<'_>) -> Decision {
        let subject = subject(&message.body, &message.key, source);
        let mut decision = office.decider().refuse(subject, Reason::IdentityAssignmentFailed, detail);
        decision.reply = decision.reply.unwritten();
        decision
    }

    /// Tells which challenges got no answer in time, each once.
    pub fn expire(&mut self, office: &Office<'_>) -> Vec<NewEvent> {
        let decider = office.decider();
        let told = |pending: &Pending| {
            let payload = json!({
                "reason": Reason::ChallengeTimeout,
                "public_key": pending.request.public_key,
                "token_id": pending.request.token_id,
                "source": pending.source,
            });
            decider.event(EventType::ControllerRejected, &pending.request.temp_id, payload)
        };
        self.pending.expire(office.trust.now).iter().map(told).collect()
    }
}

impl<'a> Office<'a> {
    pub(super) fn decider(&self) -> Decider<'a> {
        Decider { id: self.id, chain: &self.authority.chain, now: self.trust.now }
    }

    pub(super) fn role(&self) -> Option<Role> {
        self.authority.certificate().map(|own| own.role)
    }
}

impl Decision {
    /// An answer and nothing to write.
    pub(super) const fn reply(reply: Reply) -> Self {
        Self { change: None, events: Vec::new(), reply }
    }
}

fn subject<'a>(request: &'a ValidationRequest, key: &'a PublicKey, source: &'a str) -> Subject<'a> {
    let (token, nonce) = (Some(request.token_id), Some(request.client_nonce));
    Subject { temp_id: &request.temp_id, key, token, source, nonce }
}

fn transcript(request: &ValidationRequest, challenge: &Challenge, parent_certificate: Digest) -> Transcript {
    Transcript {
        message_type: MessageType::ChallengeResponse,
        temp_id: request.temp_id.clone(),
        token_id: request.token_id,
        role: request.role,
        region: request.region.clone(),
        public_key: request.public_key,
        client_nonce: request.client_nonce,
        server_nonce: challenge.server_nonce,
        challenge_id: challenge.challenge_id,
        parent_id: challenge.parent_id.clone(),
        parent_certificate,
        issued_at: challenge.issued_at,
    }
}

fn check_token<'t>(
    token: Option<&'t TokenRow>,
    request: &ValidationRequest,
    now: Timestamp,
) -> Result<(&'t TokenRow, TokenState), (Reason, &'static str)> {
    let token = token.ok_or((Reason::InvalidBootstrapToken, "the token is unknown"))?;
    let state = token.state(&request.public_key, now);
    let detail = match &state {
        TokenState::Usable | TokenState::Answered(_)
            if token.role != request.role || token.region != request.region =>
        {
            return Err((Reason::TokenScopeMismatch, "the token is for another role or region"));
        }
        TokenState::Usable | TokenState::Answered(_) => return Ok((token, state)),
        TokenState::UsedByAnother => {
            return Err((Reason::BootstrapTokenAlreadyConsumed, "the token was used by another key"));
        }
        TokenState::Spent => "the token was used by this key more than ten minutes ago",
        TokenState::Expired => "the token has expired",
        TokenState::Revoked => "the token was taken back",
        TokenState::Locked => "the token is locked after five wrong proofs",
    };
    Err((Reason::InvalidBootstrapToken, detail))
}

fn wrong_proof(token: &TokenRow, state: &TokenState, subject: Subject<'_>, decider: &Decider<'_>) -> Decision {
    let mut decision = decider.refuse(subject, Reason::InvalidBootstrapToken, "the proof was made with another secret");
    // A used token cannot be used again, so there is nothing to lock.
    if *state == TokenState::Usable {
        decision.change = Some(Change::WrongProof { token: token.id, from: token.wrong_attempts });
        if token.wrong_attempts.saturating_add(1) >= TokenRow::MAX_WRONG_ATTEMPTS {
            let payload = json!({ "token_id": token.id, "source": subject.source, "public_key": subject.key });
            decision.events.push(decider.event(EventType::BootstrapTokenLocked, subject.temp_id, payload));
        }
    }
    decision
}

fn told(proven: &Proven, certificate: &Statement<Certificate>) -> serde_json::Value {
    let claim = certificate.unverified();
    json!({
        "temp_id": proven.request.temp_id,
        "role": claim.role,
        "region": claim.region,
        "public_key": claim.public_key,
        "serial": claim.serial,
        "expires_at": claim.expires_at,
        "certificate": certificate.digest(),
        "token_id": proven.request.token_id,
        "source": proven.source,
        "metadata": proven.request.metadata,
    })
}
