//! Intruders that know how joining goes.

use std::sync::Arc;

use pdsno::algorithms::validation::joiner::Joiner;
use pdsno::domain::controller::{ControllerId, Role};
use pdsno::domain::entropy::{Entropy, octets};
use pdsno::domain::key::Nonce;
use pdsno::domain::token::{BootstrapToken, TokenSecret};
use pdsno::wire::envelope::{Body as _, read};
use pdsno::wire::signature::KeyPair;
use pdsno::wire::validation::{Challenge, ChallengeResponse, Metadata, ValidationRequest, ValidationResult, Verdict};
use secrecy::zeroize::Zeroizing;

use crate::machine::Intruder;
use crate::stage::{Stage, new_key};

/// Somebody on a stage who calls himself a newcomer.
pub async fn newcomer(stage: &mut Stage) -> Intruder {
    let entropy = stage.entropy();
    let id = ControllerId::newcomer(octets(entropy.as_ref()).unwrap());
    let key = new_key(entropy.as_ref());
    called(stage, id, key, entropy).await
}

/// Somebody on a stage under this name.
pub async fn called(stage: &Stage, id: ControllerId, key: KeyPair, entropy: Arc<dyn Entropy>) -> Intruder {
    Intruder::called(&stage.bus, Arc::clone(&stage.clock) as _, id, key, entropy).await
}

/// A second one of a token, which only a test makes.
pub fn copy(token: &BootstrapToken) -> BootstrapToken {
    let secret = TokenSecret::new(&Zeroizing::new(*token.secret.as_bytes()));
    BootstrapToken { id: token.id, secret, pin: token.pin }
}

/// An intruder that knows how joining goes.
pub struct Candidate {
    pub intruder: Intruder,
    pub joiner: Joiner,
    pub parent: &'static str,
    token: BootstrapToken,
}

impl Candidate {
    pub async fn new(stage: &mut Stage, parent: &'static str, role: Role, region: &str, token: BootstrapToken) -> Self {
        let intruder = newcomer(stage).await;
        let joiner = Joiner::new(intruder.id.clone(), role, region.parse().unwrap(), copy(&token));
        Self { intruder, joiner, parent, token }
    }

    pub const fn token(&self) -> &BootstrapToken {
        &self.token
    }

    pub async fn ask(&mut self) -> ValidationRequest {
        let nonce = Nonce::from_bytes(octets(self.intruder.entropy.as_ref()).unwrap());
        let request = self.joiner.request(&self.intruder.key, nonce, Metadata::default());
        self.intruder.say(self.parent, &request).await;
        request
    }

    /// To the proofs, which are not sent yet.
    pub async fn prove(&mut self, stage: &Stage) -> Option<ChallengeResponse> {
        self.ask().await;
        let challenge = self.intruder.hear::<Challenge>().await?;
        Some(self.joiner.challenge(&challenge, &self.intruder.key, stage.now()).unwrap())
    }

    pub async fn respond(&mut self, response: &ChallengeResponse) -> Option<Verdict> {
        self.intruder.say(self.parent, response).await;
        self.verdict().await
    }

    pub async fn verdict(&mut self) -> Option<Verdict> {
        Some(self.intruder.hear::<ValidationResult>().await?.body.verdict)
    }

    /// The whole conversation; a request may be refused at once.
    pub async fn join(&mut self, stage: &Stage) -> Option<Verdict> {
        self.ask().await;
        let bytes = self.intruder.next().await?;
        let sealed = read(&bytes).unwrap();
        if sealed.message_type() == ValidationResult::MESSAGE_TYPE {
            return Some(sealed.open::<ValidationResult>().unwrap().body.verdict);
        }
        let challenge = sealed.open::<Challenge>().unwrap();
        let response = self.joiner.challenge(&challenge, &self.intruder.key, stage.now()).unwrap();
        self.respond(&response).await
    }
}
