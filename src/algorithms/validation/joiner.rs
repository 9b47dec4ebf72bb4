//! The joiner's side: whom to believe, and what to do with the answer.

use crate::algorithms::trust::chain::{ChainError, Trust, verify, verify_parent};
use crate::domain::certificate::Certificate;
use crate::domain::controller::{ControllerId, ControllerName, Region, Role};
use crate::domain::digest::Digest;
use crate::domain::key::{Nonce, PublicKey};
use crate::domain::message::MessageType;
use crate::domain::reason::Reason;
use crate::domain::time::Timestamp;
use crate::domain::token::BootstrapToken;
use crate::wire::canonical::CanonicalError;
use crate::wire::envelope::Message;
use crate::wire::refused::MessageRefused;
use crate::wire::signature::KeyPair;
use crate::wire::statement::Chain;
use crate::wire::transcript::Transcript;
use crate::wire::validation::{
    Challenge, ChallengeResponse, Grant, Metadata, Refused, ValidationRequest, ValidationResult, Verdict,
};

/// A controller that wants to be validated.
#[derive(Debug)]
pub struct Joiner {
    temp_id: ControllerId,
    role: Role,
    region: Region,
    token: BootstrapToken,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    /// Asked.
    Asked(Nonce),
    /// Gave its proofs to the parent with this key.
    Proved(Nonce, PublicKey),
}

/// Why a parent's message is not acted on; the joiner goes on waiting.
#[derive(Debug, thiserror::Error)]
pub enum Distrust {
    /// An answer to another request than the present one.
    #[error("the message does not answer the present request")]
    NotAsked,
    /// The chain does not make its owner a parent of this controller.
    #[error("the parent cannot be trusted")]
    Chain(#[source] ChainError),
    /// The chain is somebody else's.
    #[error("the message was not signed by the owner of the chain that it shows, {0}")]
    NotTheOwner(ControllerId),
    /// What was given does not fit what was asked for.
    #[error("what the parent gave is not what was asked for: {0}")]
    WrongGrant(&'static str),
    /// The proofs cannot be written.
    #[error("the proofs cannot be written")]
    Canonical(#[from] CanonicalError),
}

impl Distrust {
    /// Its name in the log.
    pub const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Chain(_) | Self::NotTheOwner(_) | Self::WrongGrant(_) => Some(Reason::UntrustedParent),
            Self::NotAsked | Self::Canonical(_) => None,
        }
    }
}

/// What makes a controller one of us.
#[derive(Debug, Clone, PartialEq)]
pub struct Membership {
    /// What it was given.
    pub grant: Grant,
    /// Why others may believe it: its certificate before those of its parent.
    pub chain: Chain,
}

/// What a request came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The controller has a name.
    Validated(Box<Membership>),
    /// It may work later: wait, then ask again.
    Retry(Refused),
    /// It cannot work: tell the operator what to do.
    Stop {
        /// Why.
        refused: Refused,
        /// What the operator must do.
        remedy: &'static str,
    },
}

impl Joiner {
    /// A controller that calls itself `temp_id` until it has a name, and holds a token.
    pub const fn new(temp_id: ControllerId, role: Role, region: Region, token: BootstrapToken) -> Self {
        Self { temp_id, role, region, token, state: State::Idle }
    }

    /// What it calls itself.
    pub const fn temp_id(&self) -> &ControllerId {
        &self.temp_id
    }

    /// The fingerprint that the parent's chain must end at.
    pub const fn pin(&self) -> Digest {
        self.token.pin
    }

    /// Step 1: asks, or asks anew; answers to what was asked before are not waited for any more.
    pub fn request(&mut self, key: &KeyPair, client_nonce: Nonce, metadata: Metadata) -> ValidationRequest {
        self.state = State::Asked(client_nonce);
        ValidationRequest {
            temp_id: self.temp_id.clone(),
            role: self.role,
            region: self.region.clone(),
            public_key: key.public_key(),
            token_id: self.token.id,
            client_nonce,
            metadata,
        }
    }

    /// Step 3: looks at the parent, and only then uses the key and the token's secret. A challenge is
    /// answered once. When it ends is for the parent to see, by the clock that it was made by: a joiner
    /// whose clock is ahead would find every challenge over.
    ///
    /// # Errors
    /// [`Distrust`]; nothing was used, and the true parent's challenge is still waited for.
    pub fn challenge(
        &mut self,
        message: &Message<Challenge>,
        key: &KeyPair,
        now: Timestamp,
    ) -> Result<ChallengeResponse, Distrust> {
        let challenge = &message.body;
        let State::Asked(nonce) = self.state else { return Err(Distrust::NotAsked) };
        if challenge.client_nonce != nonce {
            return Err(Distrust::NotAsked);
        }
        let parent = self.trusted(message, &challenge.parent, now)?;
        if challenge.parent_id != parent.controller_id {
            return Err(Distrust::NotTheOwner(parent.controller_id.clone()));
        }
        let Some(certificate) = challenge.parent.leaf() else { return Err(Distrust::Chain(ChainError::Length(0))) };
        let transcript = Transcript {
            message_type: MessageType::ChallengeResponse,
            temp_id: self.temp_id.clone(),
            token_id: self.token.id,
            role: self.role,
            region: self.region.clone(),
            public_key: key.public_key(),
            client_nonce: nonce,
            server_nonce: challenge.server_nonce,
            challenge_id: challenge.challenge_id,
            parent_id: challenge.parent_id.clone(),
            parent_certificate: certificate.digest(),
            issued_at: challenge.issued_at,
        };
        let response = ChallengeResponse {
            challenge_id: challenge.challenge_id,
            temp_id: self.temp_id.clone(),
            token_hmac: transcript.authenticate(&self.token.secret)?,
            signature: transcript.sign(key)?,
        };
        self.state = State::Proved(nonce, message.key);
        Ok(response)
    }

    /// Step 6: takes the decision, if it is a parent's.
    ///
    /// # Errors
    /// [`Distrust`]; the true parent's decision is still waited for.
    pub fn result(
        &mut self,
        message: &Message<ValidationResult>,
        key: &KeyPair,
        now: Timestamp,
    ) -> Result<Outcome, Distrust> {
        let result = &message.body;
        let (nonce, proved_to) = match self.state {
            State::Idle => return Err(Distrust::NotAsked),
            State::Asked(nonce) => (nonce, None),
            State::Proved(nonce, parent) => (nonce, Some(parent)),
        };
        // Anybody can ask under this name and with this nonce, and be answered; but not with this key.
        if result.public_key != key.public_key() {
            return Err(Distrust::NotAsked);
        }
        // A request that was refused unread has no nonce to quote.
        if result.client_nonce.is_some_and(|quoted| quoted != nonce) {
            return Err(Distrust::NotAsked);
        }
        self.trusted(message, &result.parent, now)?;
        let outcome = match &result.verdict {
            Verdict::Rejected(refused) => outcome(refused),
            Verdict::Error(refused) => Outcome::Retry(refused.clone()),
            Verdict::Validated(_) if proved_to != Some(message.key) || result.client_nonce.is_none() => {
                return Err(Distrust::NotAsked);
            }
            Verdict::Validated(grant) => {
                let chain = self.check(grant, &result.parent, key, now)?;
                Outcome::Validated(Box::new(Membership { grant: Grant::clone(grant), chain }))
            }
        };
        self.state = State::Idle;
        Ok(outcome)
    }

    /// Hears that a message of its own was not acted on. What is asked is asked on, unless that is no
    /// use: the same word may come more than once.
    ///
    /// # Errors
    /// [`Distrust`]; the true parent's answer is still waited for.
    pub fn refused(
        &self,
        message: &Message<MessageRefused>,
        key: &KeyPair,
        now: Timestamp,
    ) -> Result<Outcome, Distrust> {
        let MessageRefused { keyid, reason, detail, parent, .. } = &message.body;
        if self.state == State::Idle || *keyid != key.public_key() {
            return Err(Distrust::NotAsked);
        }
        self.trusted(message, parent.as_ref().ok_or(Distrust::Chain(ChainError::Length(0)))?, now)?;
        Ok(outcome(&Refused { reason: *reason, detail: detail.clone() }))
    }

    /// The parent, when the chain makes its owner one and the owner signed the message.
    fn trusted<'c, B>(
        &self,
        message: &Message<B>,
        chain: &'c Chain,
        now: Timestamp,
    ) -> Result<&'c Certificate, Distrust> {
        let trust = Trust { pin: self.token.pin, now, epoch: None, is_revoked: &|_| false };
        let parent = verify_parent(chain, self.role, &self.region, &trust).map_err(Distrust::Chain)?;
        if parent.public_key != message.key || parent.controller_id != message.header.sender_id {
            return Err(Distrust::NotTheOwner(parent.controller_id.clone()));
        }
        Ok(parent)
    }

    fn check(&self, grant: &Grant, parent: &Chain, key: &KeyPair, now: Timestamp) -> Result<Chain, Distrust> {
        let claim = grant.certificate.unverified();
        let name: Option<ControllerName> = grant.assigned_id.as_str().parse().ok();
        if !name.is_some_and(|name| name.fits(self.role, Some(&self.region))) {
            return Err(Distrust::WrongGrant("the name is for another role or region"));
        }
        if grant.role != self.role || grant.region != self.region {
            return Err(Distrust::WrongGrant("it is for another role or region"));
        }
        if claim.controller_id != grant.assigned_id || claim.public_key != key.public_key() {
            return Err(Distrust::WrongGrant("the certificate is for another name or key"));
        }
        let chain = parent.extended(grant.certificate.clone(), grant.delegation.clone());
        let trust = Trust { pin: self.token.pin, now, epoch: None, is_revoked: &|_| false };
        verify_own(&chain, &trust).map_err(Distrust::Chain)?;
        Ok(chain)
    }
}

/// What a refusal comes to: where waiting does not help, an operator is told what to do.
fn outcome(refused: &Refused) -> Outcome {
    match refused.reason.remedy() {
        Some(remedy) => Outcome::Stop { refused: refused.clone(), remedy },
        None => Outcome::Retry(refused.clone()),
    }
}

/// Verifies one's own chain, with the delegation that a Regional Controller's must have.
pub(super) fn verify_own(chain: &Chain, trust: &Trust<'_>) -> Result<(), ChainError> {
    let own = verify(chain, trust)?;
    match (own.role, &own.region) {
        (Role::Regional, Some(region)) => verify_parent(chain, Role::Local, region, trust).map(|_| ()),
        _ => Ok(()),
    }
}
