//! Somebody on the bus whose every message is his own choice.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler};
use pdsno::actors::post::{Arrived, Attach, Dispatch};
use pdsno::domain::controller::ControllerId;
use pdsno::domain::entropy::{Entropy, octets};
use pdsno::domain::message::BootId;
use pdsno::domain::number::Epoch;
use pdsno::domain::time::Clock;
use pdsno::eastwest::bus::{Bus, BusPort};
use pdsno::wire::envelope::{Author, Body, Destination, Message, read, seal};
use pdsno::wire::signature::KeyPair;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

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
    pub entropy: Arc<dyn Entropy>,
    clock: Arc<dyn Clock>,
    author: Author,
    port: Addr<BusPort>,
    inbox: UnboundedReceiver<Vec<u8>>,
}

impl Intruder {
    /// Somebody under this name with this key. What is for that name comes to him from now on.
    pub async fn called(
        bus: &Bus,
        clock: Arc<dyn Clock>,
        id: ControllerId,
        key: KeyPair,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let port = bus.port().start();
        let (tell, inbox) = unbounded_channel();
        let attach = Attach { id: id.clone(), to: Inbox(tell).start().recipient() };
        port.send(attach).await.unwrap().unwrap();
        let author = Author::new(id.clone(), BootId::new(octets(entropy.as_ref()).unwrap()));
        Self { id, key, epoch: Epoch::default(), entropy, clock, author, port, inbox }
    }

    /// Says what a controller could say.
    pub async fn say<B: Body>(&mut self, to: &str, body: &B) {
        let to = Destination::Controller(to.parse().unwrap());
        let random = octets(self.entropy.as_ref()).unwrap();
        let header = self.author.header::<B>(to.clone(), self.epoch, self.clock.now(), random);
        let bytes = seal(header, body, &self.key).unwrap();
        self.put(to, bytes).await;
    }

    /// Puts any octets on the bus.
    pub async fn put(&self, to: Destination, bytes: Vec<u8>) {
        self.port.send(Dispatch { to, bytes }).await.unwrap().unwrap();
    }

    pub async fn next(&mut self) -> Option<Vec<u8>> {
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
