//! A controller that can do no more than send and receive.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler};
use pdsno::actors::nib::{Nib, NibActor};
use pdsno::actors::post::{Beginning, Carrier, Delivered, Identity, Leave, PostActor, Routes, Send, SendError};
use pdsno::algorithms::trust::directory::Directory;
use pdsno::algorithms::trust::gate::FRESHNESS;
use pdsno::domain::certificate::Certificate;
use pdsno::domain::controller::{ControllerId, ControllerName};
use pdsno::domain::entropy::{Entropy, NoEntropy};
use pdsno::domain::event::{Event, EventType};
use pdsno::domain::message::{BootId, MessageId};
use pdsno::domain::number::{Epoch, Serial};
use pdsno::domain::reason::Reason;
use pdsno::domain::time::{Clock, Timestamp};
use pdsno::eastwest::bus::Bus;
use pdsno::nib::memory::MemoryNib;
use pdsno::nib::{EventQuery, NibReader, NibStore};
use pdsno::wire::envelope::Destination;
use pdsno::wire::refused::MessageRefused;
use pdsno::wire::signature::{KeyPair, PrivateKeyFile};
use pdsno::wire::validation::{ChallengeResponse, ValidationAck};
use secrecy::zeroize::Zeroizing;
use tokio::time::Instant;

pub const PARENT: &str = "regional_cntl_zoneA_1";
pub const CHILD: &str = "local_cntl_zoneA_1";
pub const OTHER: &str = "local_cntl_zoneA_2";
pub const EPOCH: Epoch = Epoch::from_number(3);

/// When every test begins.
pub const START: i64 = 1_800_000_000_000;

pub fn name(text: &str) -> ControllerId {
    text.parse().unwrap()
}

/// The key that is made of an octet.
pub fn key(octet: u8) -> Arc<KeyPair> {
    Arc::new(KeyPair::from_pkcs8(PrivateKeyFile::new(&Zeroizing::new([octet; 32])).as_bytes()).unwrap())
}

/// The key that a controller of these tests has.
pub fn key_of(id: &str) -> Arc<KeyPair> {
    key(match id {
        PARENT => 1,
        CHILD => 2,
        OTHER => 3,
        _ => 4,
    })
}

pub fn certificate(id: &str, key: &KeyPair, serial: u64) -> Certificate {
    let role = id.parse::<ControllerName>().unwrap().role();
    Certificate {
        controller_id: name(id),
        role,
        region: Some("zone-A".parse().unwrap()),
        public_key: key.public_key(),
        issuer: name(PARENT),
        epoch: EPOCH,
        issued_at: Timestamp::from_millis(START - 1_000_000),
        expires_at: Timestamp::from_millis(START + 1_000_000_000),
        serial: Serial::from_number(serial),
    }
}

/// Who is known where: all three to each other.
pub fn directory() -> Directory {
    let mut directory = Directory::default();
    for (serial, id) in [PARENT, CHILD, OTHER].into_iter().enumerate() {
        directory.insert(certificate(id, &key_of(id), serial as u64 + 1));
    }
    directory
}

/// Virtual time; each controller may be off by as much as the test says.
pub struct VirtualClock {
    started: Instant,
    offset: AtomicI64,
}

impl VirtualClock {
    pub fn start() -> Arc<Self> {
        // The virtual clock of a test starts with its runtime; the wall clock must not be seen.
        Arc::new(Self { started: Instant::now(), offset: AtomicI64::new(0) })
    }

    /// Puts the clock forward, or back.
    pub fn set_off(&self, millis: i64) {
        self.offset.store(millis, Ordering::Relaxed);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        let elapsed = self.started.elapsed().as_millis() as i64;
        Timestamp::from_millis(START + elapsed + self.offset.load(Ordering::Relaxed))
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

pub struct Seeded(Mutex<fastrand::Rng>);

impl Seeded {
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(fastrand::Rng::with_seed(seed))))
    }
}

impl Entropy for Seeded {
    fn fill(&self, octets: &mut [u8]) -> Result<(), NoEntropy> {
        self.0.lock().unwrap().fill(octets);
        Ok(())
    }
}

/// What was handed on.
#[derive(Clone, Default)]
pub struct Taken {
    pub acks: Arc<Mutex<Vec<Delivered<ValidationAck>>>>,
    pub refusals: Arc<Mutex<Vec<Delivered<MessageRefused>>>>,
    pub responses: Arc<Mutex<Vec<Delivered<ChallengeResponse>>>>,
}

impl Actor for Taken {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(10_000);
    }
}

impl Handler<Delivered<ValidationAck>> for Taken {
    type Result = ();

    fn handle(&mut self, delivered: Delivered<ValidationAck>, _: &mut Self::Context) {
        self.acks.lock().unwrap().push(delivered);
    }
}

impl Handler<Delivered<MessageRefused>> for Taken {
    type Result = ();

    fn handle(&mut self, delivered: Delivered<MessageRefused>, _: &mut Self::Context) {
        self.refusals.lock().unwrap().push(delivered);
    }
}

impl Handler<Delivered<ChallengeResponse>> for Taken {
    type Result = ();

    fn handle(&mut self, delivered: Delivered<ChallengeResponse>, _: &mut Self::Context) {
        self.responses.lock().unwrap().push(delivered);
    }
}

pub struct Node {
    pub post: Addr<PostActor>,
    pub nib: Addr<NibActor>,
    pub reader: Box<dyn NibReader>,
    pub clock: Arc<VirtualClock>,
    pub taken: Taken,
}

impl Node {
    /// A controller of these tests, on the bus; it knows the others.
    pub async fn start(bus: &Bus, id: &str, clock: &Arc<VirtualClock>) -> Self {
        let identity = Identity { id: name(id), key: key_of(id), epoch: EPOCH };
        Self::start_as(bus, identity, directory(), clock, 1).await
    }

    pub async fn start_as(
        bus: &Bus,
        identity: Identity,
        directory: Directory,
        clock: &Arc<VirtualClock>,
        boot: u8,
    ) -> Self {
        let store = MemoryNib::new();
        let reader = store.reader().unwrap();
        let nib = NibActor::in_memory(Box::new(store)).unwrap().start();
        Self::over(bus, identity, directory, clock, boot, (nib, reader)).await
    }

    pub async fn over(
        bus: &Bus,
        identity: Identity,
        directory: Directory,
        clock: &Arc<VirtualClock>,
        boot: u8,
        (nib, reader): (Addr<NibActor>, Box<dyn NibReader>),
    ) -> Self {
        let way = Nib::new(nib.clone().recipient(), nib.clone().recipient(), 1);
        Self::with(bus, identity, directory, clock, boot, way, (nib, reader)).await
    }

    /// A controller that has its own way to its NIB.
    pub async fn with(
        bus: &Bus,
        identity: Identity,
        directory: Directory,
        clock: &Arc<VirtualClock>,
        boot: u8,
        way: Nib,
        (nib, reader): (Addr<NibActor>, Box<dyn NibReader>),
    ) -> Self {
        let port = bus.port().start();
        let carrier = Carrier { dispatch: port.clone().recipient(), attach: port.recipient() };
        let taken = Taken::default();
        let actor = taken.clone().start();
        let routes = Routes::new()
            .to::<ValidationAck>(actor.clone().recipient())
            .to::<ChallengeResponse>(actor.clone().recipient())
            .to::<MessageRefused>(actor.recipient());
        let beginning = Beginning { identity, boot_id: BootId::new([boot; 16]), freshness: FRESHNESS, directory };
        let shared: Arc<dyn Clock> = Arc::<VirtualClock>::clone(clock);
        let post = PostActor::new(beginning, shared, Seeded::new(boot.into()), way, carrier, routes).start();
        let node = Self { post, nib, reader, clock: Arc::clone(clock), taken };
        settle().await;
        node
    }

    /// Its clock, in milliseconds since the start of the test.
    pub fn millis(&self) -> i64 {
        self.clock.now().as_millis() - START
    }

    /// Sends a body; nothing in it matters but a number.
    pub async fn say(&self, to: &str, number: u64) -> Result<MessageId, SendError> {
        self.say_to(Destination::Controller(name(to)), number).await
    }

    pub async fn say_to(&self, to: Destination, number: u64) -> Result<MessageId, SendError> {
        self.post.send(Send { to, body: ack(number) }).await.unwrap()
    }

    /// The numbers that were handed on, in their order.
    pub fn heard(&self) -> Vec<u64> {
        self.taken.acks.lock().unwrap().iter().map(|delivered| delivered.body.serial.number()).collect()
    }

    /// The reasons that it was told.
    pub fn told(&self) -> Vec<Reason> {
        self.taken.refusals.lock().unwrap().iter().map(|delivered| delivered.body.reason).collect()
    }

    pub fn events(&self) -> Vec<Event> {
        self.reader.events(&EventQuery::default()).unwrap()
    }

    pub fn event_types(&self) -> Vec<EventType> {
        self.events().into_iter().map(|event| event.event_type).collect()
    }

    /// Ends the controller; its bus is rid of it.
    pub async fn end(self) {
        self.post.send(Leave).await.unwrap();
        settle().await;
    }
}

/// A body; nothing in it matters but the number.
pub fn ack(number: u64) -> ValidationAck {
    ValidationAck { serial: Serial::from_number(number) }
}

/// Until nobody has anything to do: virtual time passes only then.
pub async fn settle() {
    tokio::time::sleep(Duration::from_millis(2)).await;
}
