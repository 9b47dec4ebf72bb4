//! Keys of which somebody has copies, and what he gets from them once their owner has others.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Context, Handler};
use pdsno::actors::membership::keys::{KeyStore, KeyStoreError, MemoryKeys};
use pdsno::actors::post::{Arrived, Attach, Dispatch};
use pdsno::domain::controller::ControllerId;
use pdsno::domain::entropy::octets;
use pdsno::domain::event::EventType;
use pdsno::domain::key::PublicKey;
use pdsno::domain::message::BootId;
use pdsno::domain::number::Serial;
use pdsno::domain::time::Clock;
use pdsno::eastwest::bus::Bus;
use pdsno::nib::EventQuery;
use pdsno::wire::envelope::{Author, Destination, seal};
use pdsno::wire::signature::KeyPair;
use pdsno::wire::validation::ValidationAck;
use tokio::time::sleep;

use crate::node::Machine;
use crate::time::{MachineClock, Seeded};

/// How long a message takes at most when nothing is wrong, and the commit of what came of it.
const PATIENCE: Duration = Duration::from_secs(5);

/// A machine's keys. Whoever copied its disk each time a key was made has them all.
pub struct CopiedKeys {
    keys: MemoryKeys,
    copies: Mutex<Vec<Arc<KeyPair>>>,
}

impl CopiedKeys {
    pub const fn new(keys: MemoryKeys) -> Self {
        Self { keys, copies: Mutex::new(Vec::new()) }
    }

    /// The public halves of all, in the order in which they were made.
    pub fn all(&self) -> Vec<PublicKey> {
        self.copies.lock().unwrap().iter().map(|key| key.public_key()).collect()
    }
}

impl KeyStore for CopiedKeys {
    fn load(&self, name: &str) -> Result<Option<KeyPair>, KeyStoreError> {
        self.keys.load(name)
    }

    fn create(&self, name: &str) -> Result<KeyPair, KeyStoreError> {
        let key = self.keys.create(name)?;
        self.copies.lock().unwrap().extend(self.keys.load(name)?.map(Arc::new));
        Ok(key)
    }

    fn remove(&self, name: &str) -> Result<(), KeyStoreError> {
        self.keys.remove(name)
    }

    fn names(&self) -> Result<Vec<String>, KeyStoreError> {
        self.keys.names()
    }

    fn waits(&self) -> bool {
        self.keys.waits()
    }
}

/// Where nothing is listened to.
struct Deaf;

impl Actor for Deaf {
    type Context = Context<Self>;
}

impl Handler<Arrived> for Deaf {
    type Result = ();

    fn handle(&mut self, _: Arrived, _: &mut Self::Context) {}
}

/// Says something under a controller's name with each key that it had before the present one: the one
/// above must take none of it.
///
/// # Errors
/// A key that was not refused.
pub async fn old_keys_are_refused(
    bus: &Bus,
    child: &Machine,
    parent: &Machine,
    clock: &MachineClock,
    entropy: &Seeded,
) -> Result<(), String> {
    let id = child.name().ok_or("it has no name")?;
    let row = parent.reader.controller(&id).unwrap().ok_or("the one above does not know it")?;
    let to = Destination::Controller(parent.name().ok_or("the one above has no name")?);
    let mut author = Author::new(id.clone(), BootId::new(octets(entropy).unwrap()));
    let copies = child.keys.copies.lock().unwrap().clone();
    // A key is good if it is the present one, or the next one that was not used yet.
    let good = [Some(row.public_key), row.next.as_ref().map(|next| next.public_key)];
    for key in copies.into_iter().filter(|key| !good.contains(&Some(key.public_key()))) {
        let before = parent.reader.next_event().unwrap();
        let own = parent.reader.membership().unwrap().unwrap();
        // Of each sender one refusal a minute is told: each time it is another one.
        let port = bus.port().start();
        let stranger = ControllerId::newcomer(octets(entropy).unwrap());
        port.send(Attach { id: stranger.clone(), to: Deaf.start().recipient() }).await.unwrap().unwrap();
        let header = author.header::<ValidationAck>(to.clone(), own.epoch, clock.now(), octets(entropy).unwrap());
        let bytes = seal(header, &ValidationAck { serial: Serial::from_number(1) }, &key).unwrap();
        port.send(Dispatch { to: to.clone(), bytes }).await.unwrap().unwrap();
        sleep(PATIENCE).await;
        bus.detach(&stranger);
        let types = vec![EventType::MessageRefused];
        let refused = parent.reader.events(&EventQuery { from: before, types, ..EventQuery::default() }).unwrap();
        let public = key.public_key().to_string();
        let told = refused.iter().find(|event| event.payload["public_key"] == public.as_str());
        match told.and_then(|event| event.payload["reason"].as_str()) {
            Some("CERTIFICATE_RETIRED" | "UNKNOWN_SENDER") => {}
            other => return Err(format!("an old key of {id} was not refused as such, but {other:?}")),
        }
    }
    Ok(())
}
