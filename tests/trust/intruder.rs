//! Somebody on the bus whose every message is his own choice.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler};
use pdsno::actors::post::{Arrived, Attach, Dispatch};
use pdsno::algorithms::validation::joiner::Joiner;
use pdsno::domain::controller::{ControllerId, Role};
use pdsno::domain::entropy::{Entropy, octets};
use pdsno::domain::key::Nonce;
use pdsno::domain::message::BootId;
use pdsno::domain::number::Epoch;
use pdsno::domain::token::{BootstrapToken, TokenSecret};
use pdsno::eastwest::bus::BusPort;
use pdsno::wire::envelope::{Author, Body, Destination, Message, read, seal};
use pdsno::wire::signature::KeyPair;
use pdsno::wire::validation::{Challenge, ChallengeResponse, Metadata, ValidationRequest, ValidationResult, Verdict};
use secrecy::zeroize::Zeroizing;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::stage::{Stage, new_key};

struct Inbox(UnboundedSender<Vec<u8>>);

impl Actor for Inbox {
    type Context = Context<Self>;
}

impl Handler<Arrived> for Inbox {
    type Result = ();

    fn handle(&mut self, arrived: Arrived, _: &mut Self::Context) {
        self.0.send(arrived.bytes).unwrap();
    }
}

pub struct Intruder {
    pub id: ControllerId,
    pub key: KeyPair,
    pub epoch: Epoch,
    author: Author,
    entropy: Arc<dyn Entropy>,
    port: Addr<BusPort>,
    inbox: UnboundedReceiver<Vec<u8>>,
}

impl Intruder {
    /// Somebody who calls himself a newcomer.
    pub async fn new(stage: &mut Stage) -> Self {
        let entropy = stage.entropy();
        let id = ControllerId::newcomer(octets(entropy.as_ref()).unwrap());
        let key = new_key(entropy.as_ref());
        Self::called(stage, id, key, entropy).await
    }

    pub async fn called(stage: &Stage, id: ControllerId, key: KeyPair, entropy: Arc<dyn Entropy>) -> Self {
        let port = stage.bus.port().start();
        let (tell, inbox) = unbounded_channel();
        let attach = Attach { id: id.clone(), to: Inbox(tell).start().recipient() };
        port.send(attach).await.unwrap().unwrap();
        let author = Author::new(id.clone(), BootId::new(octets(entropy.as_ref()).unwrap()));
        Self { id, key, epoch: Epoch::default(), author, entropy, port, inbox }
    }

    pub fn nonce(&self) -> Nonce {
        Nonce::from_bytes(octets(self.entropy.as_ref()).unwrap())
    }

    pub async fn say<B: Body>(&mut self, stage: &Stage, to: &str, body: &B) {
        let to = Destination::Controller(to.parse().unwrap());
        let random = octets(self.entropy.as_ref()).unwrap();
        let header = self.author.header::<B>(to.clone(), self.epoch, stage.now(), random);
        let bytes = seal(header, body, &self.key).unwrap();
        self.port.send(Dispatch { to, bytes }).await.unwrap().unwrap();
    }

    async fn next(&mut self) -> Option<Vec<u8>> {
        tokio::time::timeout(Duration::from_secs(2), self.inbox.recv()).await.ok()?
    }

    /// The next message of this kind; others are passed over. None when none comes for a while.
    pub async fn hear<B: Body>(&mut self) -> Option<Message<B>> {
        loop {
            let bytes = self.next().await?;
            let sealed = read(&bytes).unwrap();
            if sealed.message_type() == B::MESSAGE_TYPE {
                return Some(sealed.open().unwrap());
            }
        }
    }
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
        let intruder = Intruder::new(stage).await;
        let joiner = Joiner::new(intruder.id.clone(), role, region.parse().unwrap(), copy(&token));
        Self { intruder, joiner, parent, token }
    }

    pub const fn token(&self) -> &BootstrapToken {
        &self.token
    }

    pub async fn ask(&mut self, stage: &Stage) -> ValidationRequest {
        let nonce = self.intruder.nonce();
        let request = self.joiner.request(&self.intruder.key, nonce, Metadata::default());
        self.intruder.say(stage, self.parent, &request).await;
        request
    }

    /// To the proofs, which are not sent yet.
    pub async fn prove(&mut self, stage: &Stage) -> Option<ChallengeResponse> {
        self.ask(stage).await;
        let challenge = self.intruder.hear::<Challenge>().await?;
        Some(self.joiner.challenge(&challenge, &self.intruder.key, stage.now()).unwrap())
    }

    pub async fn respond(&mut self, stage: &Stage, response: &ChallengeResponse) -> Option<Verdict> {
        self.intruder.say(stage, self.parent, response).await;
        self.verdict().await
    }

    pub async fn verdict(&mut self) -> Option<Verdict> {
        Some(self.intruder.hear::<ValidationResult>().await?.body.verdict)
    }

    /// The whole conversation; a request may be refused at once.
    pub async fn join(&mut self, stage: &Stage) -> Option<Verdict> {
        self.ask(stage).await;
        let bytes = self.intruder.next().await?;
        let sealed = read(&bytes).unwrap();
        if sealed.message_type() == ValidationResult::MESSAGE_TYPE {
            return Some(sealed.open::<ValidationResult>().unwrap().body.verdict);
        }
        let challenge = sealed.open::<Challenge>().unwrap();
        let response = self.joiner.challenge(&challenge, &self.intruder.key, stage.now()).unwrap();
        self.respond(stage, &response).await
    }
}
