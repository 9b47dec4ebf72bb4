//! Somebody with a key who writes messages by hand, as the program itself never would.

use std::sync::{Arc, Mutex};

use actix::{Actor, Addr, Context, Handler};
use pdsno::actors::post::{Arrived, Attach, Dispatch, Undeliverable};
use pdsno::domain::message::BootId;
use pdsno::domain::number::Epoch;
use pdsno::domain::reason::Reason;
use pdsno::domain::time::Timestamp;
use pdsno::eastwest::bus::{Bus, BusPort};
use pdsno::wire::dsse::Dsse;
use pdsno::wire::envelope::{Author, Destination, Header, read, seal};
use pdsno::wire::refused::MessageRefused;
use pdsno::wire::signature::KeyPair;
use pdsno::wire::validation::ValidationAck;

use crate::node::{EPOCH, PARENT, START, ack, key_of, name, settle};

/// Keeps what arrives.
#[derive(Clone, Default)]
struct Letterbox(Arc<Mutex<Vec<Vec<u8>>>>);

impl Actor for Letterbox {
    type Context = Context<Self>;
}

impl Handler<Arrived> for Letterbox {
    type Result = ();

    fn handle(&mut self, arrived: Arrived, _: &mut Self::Context) {
        self.0.lock().unwrap().push(arrived.bytes);
    }
}

pub struct Hand {
    pub author: Author,
    pub key: Arc<KeyPair>,
    pub epoch: Epoch,
    port: Addr<BusPort>,
    arrived: Letterbox,
    number: u64,
}

impl Hand {
    /// Has a controller's name on the bus, its key, and a run of its own.
    pub async fn attach(bus: &Bus, id: &str, boot: u8) -> Self {
        let port = bus.port().start();
        let arrived = Letterbox::default();
        let to = arrived.clone().start().recipient();
        port.send(Attach { id: name(id), to }).await.unwrap().unwrap();
        let author = Author::new(name(id), BootId::new([boot; 16]));
        Self { author, key: key_of(id), epoch: EPOCH, port, arrived, number: 0 }
    }

    /// The header of its next message to the parent.
    pub fn header(&mut self, millis: i64) -> Header {
        self.number += 1;
        let mut random = [self.author.id.as_str().len() as u8; 10];
        random[2..].copy_from_slice(&self.number.to_be_bytes());
        let to = Destination::Controller(name(PARENT));
        self.author.header::<ValidationAck>(to, self.epoch, Timestamp::from_millis(START + millis), random)
    }

    /// A message that was made so long after the start.
    pub fn sealed(&mut self, millis: i64, change: impl FnOnce(&mut Header)) -> Vec<u8> {
        let mut header = self.header(millis);
        change(&mut header);
        seal(header, &ack(self.number), &self.key).unwrap()
    }

    /// A message whose contents are this text, signed as it is.
    pub fn signed(&self, payload: &str) -> Vec<u8> {
        let payload_type = "application/vnd.pdsno.validation_ack.v1+json".to_owned();
        serde_json::to_vec(&Dsse::sign(payload_type, payload.as_bytes().to_vec(), &self.key)).unwrap()
    }

    /// Puts octets on the bus for the parent, and waits until all is done.
    pub async fn put(&self, bytes: &[u8]) {
        self.put_quickly(bytes).await.unwrap();
        settle().await;
    }

    pub async fn put_quickly(&self, bytes: &[u8]) -> Result<(), Undeliverable> {
        let to = Destination::Controller(name(PARENT));
        self.port.send(Dispatch { to, bytes: bytes.to_vec() }).await.unwrap()
    }

    /// What it was told since it was last asked.
    pub fn told(&self) -> Vec<(Reason, String)> {
        let bytes = std::mem::take(&mut *self.arrived.0.lock().unwrap());
        let opened = bytes.iter().map(|bytes| read(bytes).unwrap().open::<MessageRefused>().unwrap().body);
        opened.map(|refused| (refused.reason, refused.detail)).collect()
    }

    pub fn told_reasons(&self) -> Vec<Reason> {
        self.told().into_iter().map(|(reason, _)| reason).collect()
    }
}
