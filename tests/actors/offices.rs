//! Controllers of three tiers that know each other already, with the actors of presence and policy, on
//! a bus on which things can go wrong.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message, dev::ToEnvelope};
use pdsno::actors::health::Note;
use pdsno::actors::identity::{Became, Own};
use pdsno::actors::nib::{Commit, Nib, NibActor};
use pdsno::actors::policy::distribution::PolicyDistributor;
use pdsno::actors::policy::{self, PolicyActor, PolicyChanged, SetPolicy};
use pdsno::actors::post::{Beginning, Carrier, Identity, PostActor, Routes};
use pdsno::actors::presence::{self, ChildOffline, ChildOnline, Listeners, ParentLost, ParentReached, PresenceActor};
use pdsno::algorithms::trust::authority::{Authority, Order};
use pdsno::algorithms::trust::directory::Directory;
use pdsno::algorithms::trust::gate::FRESHNESS;
use pdsno::domain::change::Change;
use pdsno::domain::controller::{ControllerId, ControllerName, Role};
use pdsno::domain::device::Version;
use pdsno::domain::digest::Digest;
use pdsno::domain::entropy::{Entropy, NoEntropy};
use pdsno::domain::event::{Event, EventType};
use pdsno::domain::log::Sealer;
use pdsno::domain::message::BootId;
use pdsno::domain::number::{Epoch, PolicyVersion, Serial};
use pdsno::domain::operator::Operator;
use pdsno::domain::policy::{DiscoveryPolicy, Policy, Probing};
use pdsno::domain::protocol::Protocol;
use pdsno::domain::registry::{ControllerRow, RegistryChange, SignedDocument, Standing};
use pdsno::domain::time::{Clock, Timestamp};
use pdsno::domain::token::{TokenId, TokenRow, TokenUse};
use pdsno::eastwest::bus::Bus;
use pdsno::eastwest::faults::Faults;
use pdsno::nib::memory::MemoryNib;
use pdsno::nib::{Committed, EventQuery, NibError, NibReader, NibStore};
use pdsno::wire::policy::{PolicyAck, PolicyRequest, PolicyUpdate};
use pdsno::wire::presence::{Heartbeat, HeartbeatAck};
use pdsno::wire::signature::{KeyPair, PrivateKeyFile, fingerprint};
use pdsno::wire::statement::Chain;
use secrecy::zeroize::Zeroizing;
use tokio::time::{Instant, pause};

pub const GC: &str = "global_cntl_1";
pub const RC: &str = "regional_cntl_zoneA_1";
pub const EPOCH: Epoch = Epoch::from_number(1);

/// When every test begins.
pub const START: i64 = 1_800_000_000_000;

pub fn name(text: &str) -> ControllerId {
    text.parse().unwrap()
}

pub fn lc(number: u32) -> String {
    format!("local_cntl_zoneA_{number}")
}

pub fn key(octet: u8) -> KeyPair {
    KeyPair::from_pkcs8(PrivateKeyFile::new(&Zeroizing::new([octet; 32])).as_bytes()).unwrap()
}

/// A policy that says to discover every so many seconds.
pub fn values(seconds: u64) -> Policy {
    Policy {
        discovery: DiscoveryPolicy {
            interval: Duration::from_secs(seconds),
            missed_cycles_before_inactive: 3,
            protocols: Protocol::ALL.to_vec(),
            neighbours: false,
            counters: false,
            probing: Probing::default(),
        },
        lc_report_timeout: Duration::from_secs(600),
        emergency_rate_limit_per_hour: 5,
        discovery_spike_threshold: 50,
    }
}

/// Lets virtual time pass; it passes only while nobody has anything to do.
pub async fn pass(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}

pub struct VirtualClock(Instant);

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(START).saturating_add(self.elapsed())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

struct Seeded(Mutex<fastrand::Rng>);

impl Entropy for Seeded {
    fn fill(&self, octets: &mut [u8]) -> Result<(), NoEntropy> {
        self.0.lock().unwrap().fill(octets);
        Ok(())
    }
}

/// A NIB that outlives its controller.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<MemoryNib>>);

impl NibStore for Shared {
    fn commit_each(&mut self, commits: &[&[Change]]) -> Vec<Result<Committed, NibError>> {
        self.0.lock().unwrap().commit_each(commits)
    }

    fn open_log(&mut self, sealer: Box<dyn Sealer>) -> Result<(), NibError> {
        self.0.lock().unwrap().open_log(sealer)
    }

    fn reader(&self) -> Result<Box<dyn NibReader>, NibError> {
        self.0.lock().unwrap().reader()
    }
}

/// Keeps what it is told, with the time since the start of the test.
#[derive(Clone)]
pub struct Watcher {
    started: Instant,
    pub told: Arc<Mutex<Vec<(Duration, String)>>>,
    pub changed: Arc<Mutex<Vec<PolicyChanged>>>,
    pub notes: Arc<Mutex<Vec<Note>>>,
    pub spreads: Arc<Mutex<Vec<(Duration, Duration)>>>,
}

impl Watcher {
    fn tell(&self, text: String) {
        self.told.lock().unwrap().push((self.started.elapsed(), text));
    }
}

impl Actor for Watcher {
    type Context = Context<Self>;
}

impl Handler<ParentReached> for Watcher {
    type Result = ();

    fn handle(&mut self, ParentReached { spread }: ParentReached, _: &mut Self::Context) {
        self.spreads.lock().unwrap().push((self.started.elapsed(), spread));
        self.tell("reached".to_owned());
    }
}

impl Handler<ParentLost> for Watcher {
    type Result = ();

    fn handle(&mut self, _: ParentLost, _: &mut Self::Context) {
        self.tell("lost".to_owned());
    }
}

impl Handler<ChildOnline> for Watcher {
    type Result = ();

    fn handle(&mut self, ChildOnline(id): ChildOnline, _: &mut Self::Context) {
        self.tell(format!("{id} online"));
    }
}

impl Handler<ChildOffline> for Watcher {
    type Result = ();

    fn handle(&mut self, ChildOffline(id): ChildOffline, _: &mut Self::Context) {
        self.tell(format!("{id} offline"));
    }
}

impl Handler<PolicyChanged> for Watcher {
    type Result = ();

    fn handle(&mut self, changed: PolicyChanged, _: &mut Self::Context) {
        self.changed.lock().unwrap().push(changed);
    }
}

impl Handler<Note> for Watcher {
    type Result = ();

    fn handle(&mut self, note: Note, _: &mut Self::Context) {
        self.notes.lock().unwrap().push(note);
    }
}

/// A controller.
pub struct Station {
    pub own: Arc<Own>,
    pub nib: Addr<NibActor>,
    pub reader: Box<dyn NibReader>,
    pub post: Addr<PostActor>,
    pub presence: Addr<PresenceActor>,
    pub policy: Addr<PolicyActor>,
    pub watcher: Watcher,
    store: Shared,
}

impl Station {
    /// The events of these types, each with its subject.
    pub fn events(&self, types: &[EventType]) -> Vec<Event> {
        let query = EventQuery { types: types.to_vec(), ..EventQuery::default() };
        self.reader.events(&query).unwrap()
    }

    /// What was told, without the time.
    pub fn told(&self) -> Vec<String> {
        self.watcher.told.lock().unwrap().iter().map(|(_, text)| text.clone()).collect()
    }

    /// When something was told last, since the start of the test.
    pub fn told_at(&self, text: &str) -> Duration {
        let told = self.watcher.told.lock().unwrap();
        told.iter().rev().find(|(_, other)| other == text).unwrap_or_else(|| panic!("{text}: {told:?}")).0
    }

    /// The version in effect, as the NIB has it.
    pub fn version(&self) -> Option<u64> {
        self.reader.policy().unwrap().map(|row| row.version.number())
    }

    /// The versions that are known.
    pub fn versions(&self) -> Vec<u64> {
        let rows = self.reader.policies(PolicyVersion::default(), 1_000).unwrap();
        rows.iter().map(|row| row.version.number()).collect()
    }

    /// The interval and version of each policy that was told to be in effect.
    pub fn intervals(&self) -> Vec<(u64, Option<u64>)> {
        let changed = self.watcher.changed.lock().unwrap();
        let of = |changed: &PolicyChanged| {
            (changed.0.values.discovery.interval.as_secs(), changed.0.version().map(PolicyVersion::number))
        };
        changed.iter().map(of).collect()
    }

    pub fn row(&self, id: &str) -> ControllerRow {
        self.reader.controller(&name(id)).unwrap().unwrap()
    }

    pub async fn commit(&self, change: Change) {
        self.nib.send(Commit(vec![change])).await.unwrap().unwrap();
    }

    /// An operator sets a policy with this interval.
    pub async fn set(&self, seconds: u64) -> Result<u64, policy::PolicyActorError> {
        let by = Operator { user: Some("ada".to_owned()), uid: 1_000 };
        let set = SetPolicy { values: values(seconds), expires_at: None, by };
        self.policy.send(set).await.unwrap().map(|summary| summary.version.number())
    }

    pub async fn ask<M>(&self, message: M) -> M::Result
    where
        M: Message + Send + 'static,
        M::Result: Send,
        PresenceActor: Handler<M>,
        Context<PresenceActor>: ToEnvelope<PresenceActor, M>,
    {
        self.presence.send(message).await.unwrap()
    }
}

/// A network of controllers that validated each other before the test.
pub struct Tiers {
    pub bus: Bus,
    pub faults: Faults,
    pub clock: Arc<VirtualClock>,
    boots: u8,
    root: Chain,
    regional: Authority,
    locals: Vec<(u32, Chain)>,
}

fn order(id: &str, key: &KeyPair, serial: u64) -> Order {
    Order {
        name: id.parse::<ControllerName>().unwrap(),
        region: "zone-A".parse().unwrap(),
        public_key: key.public_key(),
        serial: Serial::from_number(serial),
        max_local_controllers: 1_000,
    }
}

impl Tiers {
    /// With so many Local Controllers below one Regional one. Time is paused.
    pub fn new(locals: u32) -> Self {
        pause();
        let at = Timestamp::from_millis(START - 3_600_000);
        let root = Authority::root(Arc::new(key(1)), EPOCH, at, Duration::from_secs(10 * 365 * 86_400)).unwrap();
        let (certificate, delegation) = root.issue(order(RC, &key(2), 2), EPOCH, at).unwrap();
        let regional = Authority { chain: root.chain.extended(certificate, delegation), key: Arc::new(key(2)) };
        let local = |number: u32| {
            let order = order(&lc(number), &key(2 + number as u8), 1 + u64::from(number));
            let (certificate, delegation) = regional.issue(order, EPOCH, at).unwrap();
            (number, regional.chain.extended(certificate, delegation))
        };
        let locals = (1..=locals).map(local).collect();
        let faults = Faults::new(1);
        let bus = Bus::with_faults(faults.clone());
        let clock = Arc::new(VirtualClock(Instant::now()));
        Self { bus, faults, clock, boots: 0, root: root.chain, regional, locals }
    }

    fn chain(&self, id: &str) -> Chain {
        match id {
            GC => self.root.clone(),
            RC => self.regional.chain.clone(),
            _ => self.locals.iter().find(|(number, _)| lc(*number) == id).unwrap().1.clone(),
        }
    }

    fn own(&self, id: &str) -> Own {
        let (role, parent, octet) = match id {
            GC => (Role::Global, None, 1),
            RC => (Role::Regional, Some(name(GC)), 2),
            _ => {
                let number = self.locals.iter().find(|(number, _)| lc(*number) == id).unwrap().0;
                (Role::Local, Some(name(RC)), 2 + number as u8)
            }
        };
        Own {
            cluster: "pdsno".parse().unwrap(),
            id: name(id),
            role,
            region: (role != Role::Global).then(|| "zone-A".parse().unwrap()),
            parent,
            pin: fingerprint(&key(1).public_key()),
            chain: self.chain(id),
            key: Arc::new(key(octet)),
            epoch: EPOCH,
        }
    }

    fn children(&self, id: &str) -> Vec<String> {
        match id {
            GC => vec![RC.to_owned()],
            RC => self.locals.iter().map(|(number, _)| lc(*number)).collect(),
            _ => Vec::new(),
        }
    }

    fn admitted(&self, id: &str, number: u32) -> [Change; 2] {
        let chain = self.chain(id);
        let certificate = chain.leaf().unwrap().unverified().clone();
        let token = TokenId::new([number as u8; 12]);
        let (issued_at, expires_at) = (certificate.issued_at, certificate.expires_at);
        let row = TokenRow {
            id: token,
            secret_hash: Digest::from_bytes([1; 32]),
            role: certificate.role,
            region: "zone-A".parse().unwrap(),
            issued_at,
            expires_at,
            wrong_attempts: 0,
            revoked_at: None,
            used: None,
        };
        let controller = ControllerRow {
            id: name(id),
            role: certificate.role,
            region: "zone-A".parse().unwrap(),
            public_key: certificate.public_key,
            serial: certificate.serial,
            certificate: SignedDocument::from_text(serde_json::to_string(chain.leaf().unwrap()).unwrap()),
            delegation: None,
            expires_at,
            next: None,
            standing: Standing::Active,
            standing_reason: None,
            validated_by: certificate.issuer,
            validated_at: issued_at,
            token,
            metadata: Default::default(),
            policy_version: None,
            last_contact: None,
            version: Version::FIRST,
        };
        let used = TokenUse { public_key: controller.public_key, controller_id: controller.id.clone(), at: issued_at };
        [
            Change::Registry(RegistryChange::IssueToken(row)),
            Change::Registry(RegistryChange::Admit { used, number, controller: Box::new(controller) }),
        ]
    }

    /// Starts a controller that has never run. Its configuration says to discover every 300 seconds.
    pub async fn start(&mut self, id: &str) -> Station {
        let mut store = Shared(Arc::new(Mutex::new(MemoryNib::new())));
        for (at, child) in self.children(id).iter().enumerate() {
            store.commit(&self.admitted(child, at as u32 + 1)).unwrap();
        }
        self.start_over(id, store).await
    }

    /// Ends a controller, as a kill would, and starts it again on its NIB.
    pub async fn restart(&mut self, station: Station) -> Station {
        let id = station.own.id.to_string();
        let store = self.end(station);
        self.start_over(&id, store).await
    }

    /// Ends a controller, as a kill would; what is left is its NIB.
    pub fn end(&self, station: Station) -> Shared {
        self.bus.detach(&station.own.id);
        station.store
    }

    pub async fn start_over(&mut self, id: &str, store: Shared) -> Station {
        self.boots += 1;
        let own = Arc::new(self.own(id));
        let reader = store.reader().unwrap();
        let nib = NibActor::in_memory(Box::new(store.clone())).unwrap().start();
        let seed = u64::from(self.boots);
        let way = || Nib::new(nib.clone().recipient(), nib.clone().recipient(), seed);
        let clock: Arc<dyn Clock> = Arc::<VirtualClock>::clone(&self.clock);
        let watcher = Watcher {
            started: self.clock.0,
            told: Arc::default(),
            changed: Arc::default(),
            notes: Arc::default(),
            spreads: Arc::default(),
        };
        let watching = watcher.clone().start();
        let (post_ctx, presence_ctx) = (Context::<PostActor>::new(), Context::<PresenceActor>::new());
        let (policy_ctx, distributor_ctx) = (Context::<PolicyActor>::new(), Context::<PolicyDistributor>::new());
        let (post, presence) = (post_ctx.address(), presence_ctx.address());
        let (policy, distributor) = (policy_ctx.address(), distributor_ctx.address());
        presence_ctx.run(PresenceActor::new(
            way(),
            Arc::clone(&clock),
            seed,
            presence::Outlets {
                heartbeats: post.clone().recipient(),
                answers: post.clone().recipient(),
                notes: watching.clone().recipient(),
            },
            Listeners {
                reached: vec![watching.clone().recipient(), policy.clone().recipient()],
                lost: vec![watching.clone().recipient()],
                online: vec![watching.clone().recipient(), distributor.clone().recipient()],
                offline: vec![watching.clone().recipient(), distributor.clone().recipient()],
            },
        ));
        policy_ctx.run(PolicyActor::new(
            values(300),
            way(),
            Arc::clone(&clock),
            seed,
            policy::Outlets {
                requests: post.clone().recipient(),
                acks: post.clone().recipient(),
                notes: watching.clone().recipient(),
                listeners: vec![watching.recipient(), distributor.clone().recipient()],
            },
        ));
        distributor_ctx.run(PolicyDistributor::new(way(), Arc::clone(&clock), seed, post.clone().recipient()));
        let routes = Routes::new()
            .to::<Heartbeat>(presence.clone().recipient())
            .to::<HeartbeatAck>(presence.clone().recipient())
            .to::<PolicyUpdate>(policy.clone().recipient())
            .to::<PolicyRequest>(distributor.clone().recipient())
            .to::<PolicyAck>(distributor.clone().recipient());
        let mut directory = Directory::default();
        for other in self.children(id).iter().cloned().chain(own.parent.iter().map(ToString::to_string)) {
            directory.insert(self.chain(&other).leaf().unwrap().unverified().clone());
        }
        let port = self.bus.port().start();
        let beginning = Beginning {
            identity: Identity { id: own.id.clone(), key: Arc::clone(&own.key), epoch: EPOCH },
            boot_id: BootId::new([self.boots; 16]),
            freshness: FRESHNESS,
            directory,
        };
        let carrier = Carrier { dispatch: port.clone().recipient(), attach: port.recipient() };
        let entropy = Arc::new(Seeded(Mutex::new(fastrand::Rng::with_seed(seed))));
        post_ctx.run(PostActor::new(beginning, clock, entropy, way(), carrier, routes));
        // A message is taken from the instant of the start on; give it one.
        pass(0.002).await;
        distributor.send(Became(Arc::clone(&own))).await.unwrap();
        policy.send(Became(Arc::clone(&own))).await.unwrap();
        presence.send(Became(Arc::clone(&own))).await.unwrap();
        Station { own, nib, reader, post, presence, policy, watcher, store }
    }

    /// One controller of each tier.
    pub async fn three(&mut self) -> (Station, Station, Station) {
        (self.start(GC).await, self.start(RC).await, self.start(&lc(1)).await)
    }
}
