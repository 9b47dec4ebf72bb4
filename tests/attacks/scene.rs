//! Whole controllers on one bus and on virtual time, for tests of what is done to them.
//!
//! Another test crate takes it by
//! `#[expect(dead_code, reason = "…")] #[path = "attacks/scene.rs"] mod scene;`, as each uses a part of it.
//!
//! ```text
//!   let mut scene = Scene::new();
//!   let global = scene.global(Kept::InMemory).await;
//!   let regional = scene.regional(&global, "zone-A", Kept::InMemory).await;
//!   let local = scene.local(&regional, "10.0.1.0/24", Kept::InAFolder).await;
//!   scene.until("a first report", || local.reader().position(Stream::Reports).unwrap().last.number() > 0).await;
//! ```

#[path = "../machine/controller.rs"]
pub mod controller;
#[path = "../machine/intruder.rs"]
pub mod intruder;
#[path = "../machine/network.rs"]
pub mod network;
#[path = "../machine/time.rs"]
pub mod time;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Context, Handler, Recipient};
use pdsno::actors::discovery::{CycleResult, StartCycle};
use pdsno::actors::membership::keys::{KeyStore, MemoryKeys};
use pdsno::actors::post::{Dispatch, Undeliverable};
use pdsno::actors::registry::IssueToken;
use pdsno::algorithms::validation::operator::TokenOrder;
use pdsno::app::keys::KeyFiles;
use pdsno::app::node::Node;
use pdsno::domain::controller::{ControllerId, Region, Role};
use pdsno::domain::cycle::Trigger;
use pdsno::domain::entropy::Entropy;
use pdsno::domain::event::{Event, EventSeq, EventType};
use pdsno::domain::message::MessageType;
use pdsno::domain::operator::Operator;
use pdsno::domain::registry::ControllerRow;
use pdsno::domain::time::Clock;
use pdsno::domain::token::{BootstrapToken, TokenLifetime};
use pdsno::eastwest::bus::Bus;
use pdsno::eastwest::faults::Faults;
use pdsno::nib::memory::MemoryNib;
use pdsno::nib::sqlite::{OpenMode, SqliteNib};
use pdsno::nib::{EventQuery, NibReader, NibStore};
use pdsno::wire::envelope::{Destination, read};
use pdsno::wire::signature::{KeyPair, PrivateKeyFile};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::Instant;

use controller::{Place, Running, Tasks};
use intruder::Intruder;
use network::Network;
use time::{MachineClock, Seeded};

/// How long anything may take, in virtual time.
const PATIENCE: Duration = Duration::from_secs(600);

/// How closely it is looked whether something has come about.
const GLANCE: Duration = Duration::from_millis(10);

/// How long a controller may take to end in order.
const DRAIN: Duration = Duration::from_secs(5);

/// Where a controller keeps its NIB and its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    InMemory,
    /// As the program does, in a data folder.
    InAFolder,
}

/// What of a controller outlives it.
enum Home {
    Memory(MemoryNib, Arc<MemoryKeys>),
    Folder(PathBuf),
}

/// What a controller gave to the bus, whatever became of it.
#[derive(Debug, Clone)]
pub struct Sent {
    pub at: Instant,
    pub to: Destination,
    pub what: MessageType,
    pub bytes: Vec<u8>,
}

/// Hears what a controller says.
struct Ear {
    sent: Arc<Mutex<Vec<Sent>>>,
    dispatch: Recipient<Dispatch>,
}

impl Actor for Ear {
    type Context = Context<Self>;
}

impl Handler<Dispatch> for Ear {
    type Result = Result<(), Undeliverable>;

    fn handle(&mut self, message: Dispatch, _: &mut Self::Context) -> Self::Result {
        let what = read(&message.bytes).unwrap().message_type();
        let (to, bytes) = (message.to.clone(), message.bytes.clone());
        self.sent.lock().unwrap().push(Sent { at: Instant::now(), to, what, bytes });
        self.dispatch.try_send(message).map_err(|_| Undeliverable::Ended)
    }
}

/// The controllers' network, the devices that they look for, and time.
pub struct Scene {
    pub bus: Bus,
    pub faults: Faults,
    pub network: Network,
    pub clock: Arc<MachineClock>,
    folder: TempDir,
    /// How many seeds were given out.
    seeds: u64,
}

/// A machine of the scene: its home outlives the controller on it.
pub struct Machine {
    place: Place,
    home: Home,
    parent: Option<ControllerId>,
    token: Option<SecretString>,
    entropy: Arc<dyn Entropy>,
    sent: Arc<Mutex<Vec<Sent>>>,
    reader: Box<dyn NibReader>,
    running: Option<Running>,
}

impl Scene {
    /// An empty scene; from now on the clock moves when everybody waits.
    pub fn new() -> Self {
        tokio::time::pause();
        let faults = Faults::new(1);
        Self {
            bus: Bus::with_faults(faults.clone()),
            faults,
            network: Network::default(),
            clock: Arc::new(MachineClock::new(Instant::now(), 0)),
            folder: tempfile::tempdir().unwrap(),
            seeds: 0,
        }
    }

    fn entropy(&mut self) -> Arc<dyn Entropy> {
        self.seeds += 1;
        Arc::new(Seeded::new(self.seeds))
    }

    /// A trust root that runs.
    pub async fn global(&mut self, kept: Kept) -> Machine {
        let place = Place { role: Role::Global, region: None, subnets: Vec::new() };
        self.join(place, None, kept).await
    }

    /// The Regional Controller of this region, let in.
    pub async fn regional(&mut self, global: &Machine, region: &str, kept: Kept) -> Machine {
        let place = Place { role: Role::Regional, region: Some(region.parse().unwrap()), subnets: Vec::new() };
        self.join(place, Some(global), kept).await
    }

    /// A Local Controller of this one's region for a subnet, let in.
    pub async fn local(&mut self, regional: &Machine, subnet: &str, kept: Kept) -> Machine {
        let (region, subnets) = (regional.place.region.clone(), vec![subnet.parse().unwrap()]);
        self.join(Place { role: Role::Local, region, subnets }, Some(regional), kept).await
    }

    /// A controller that has its name, by a token of the one above it.
    async fn join(&mut self, place: Place, above: Option<&Machine>, kept: Kept) -> Machine {
        let entropy = self.entropy();
        let home = match kept {
            Kept::InMemory => Home::Memory(MemoryNib::new(), Arc::new(MemoryKeys::new(Arc::clone(&entropy)))),
            Kept::InAFolder => Home::Folder(self.new_folder()),
        };
        let mut machine = self.machine(place, home, entropy);
        if let Some(above) = above {
            let region = machine.place.region.clone().unwrap();
            machine.token = Some(above.token(machine.place.role, region).await.reveal());
            machine.parent = Some(above.name());
        }
        machine.start(self).await;
        self.until("a name", || machine.reader.membership().unwrap().is_some()).await;
        machine
    }

    fn machine(&self, place: Place, home: Home, entropy: Arc<dyn Entropy>) -> Machine {
        let reader = home.store(self.clock.as_ref()).reader().unwrap();
        let sent = Arc::default();
        Machine { place, home, parent: None, token: None, entropy, sent, reader, running: None }
    }

    fn new_folder(&mut self) -> PathBuf {
        self.seeds += 1;
        let folder = self.folder.path().join(self.seeds.to_string());
        fs::create_dir(&folder).unwrap();
        folder
    }

    /// A second machine with a copy of everything that is in another's data folder, as a backup that is
    /// put back elsewhere has it. Nothing runs on it.
    ///
    /// # Panics
    /// When the other one has no data folder.
    pub fn copy(&mut self, original: &Machine) -> Machine {
        let folder = self.new_folder();
        copy_folder(original.folder(), &folder);
        let Place { role, region, subnets } = &original.place;
        let place = Place { role: *role, region: region.clone(), subnets: subnets.clone() };
        let entropy = self.entropy();
        let mut copy = self.machine(place, Home::Folder(folder), entropy);
        copy.parent.clone_from(&original.parent);
        copy
    }

    /// Somebody on the bus under this name with this key, or with one that nobody knows. What is for
    /// that name comes to him until its controller starts again.
    pub async fn intruder(&mut self, name: &str, key: Option<KeyPair>) -> Intruder {
        let entropy = self.entropy();
        let key = key.unwrap_or_else(|| {
            KeyPair::from_pkcs8(PrivateKeyFile::generate(entropy.as_ref()).unwrap().as_bytes()).unwrap()
        });
        Intruder::called(&self.bus, Arc::clone(&self.clock) as _, name.parse().unwrap(), key, entropy).await
    }

    /// Lets time pass until everybody has done what was due within it.
    pub async fn pass(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }

    /// Lets time pass until this is so.
    ///
    /// # Panics
    /// When it does not come about.
    pub async fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let late = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < late, "in {PATIENCE:?} there was not {what}");
            tokio::time::sleep(GLANCE).await;
        }
    }
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            fs::set_permissions(&target, entry.metadata().unwrap().permissions()).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            // It keeps the mode, too.
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

impl Home {
    fn store(&self, clock: &dyn Clock) -> Box<dyn NibStore> {
        match self {
            Self::Memory(nib, _) => Box::new(nib.reopened()),
            Self::Folder(folder) => {
                let mode = OpenMode::Migrate { actor: "standalone", at: clock.now() };
                Box::new(SqliteNib::open(&folder.join("pdsno.db"), mode).unwrap())
            }
        }
    }

    fn keys(&self, entropy: &Arc<dyn Entropy>) -> Arc<dyn KeyStore> {
        match self {
            Self::Memory(_, keys) => Arc::clone(keys) as _,
            Self::Folder(folder) => Arc::new(KeyFiles::new(folder, Arc::clone(entropy))),
        }
    }
}

impl Machine {
    /// Starts its controller: it goes on as what it is, or asks to be let in.
    pub async fn start(&mut self, scene: &Scene) {
        assert!(self.running.is_none(), "it runs");
        let machine = controller::Machine {
            clock: Arc::clone(&scene.clock) as _,
            entropy: Arc::clone(&self.entropy),
            store: self.home.store(scene.clock.as_ref()),
            keys: self.home.keys(&self.entropy),
            sweep: (self.place.role == Role::Local).then(|| Box::new(scene.network.clone()) as _),
            token: self.token.as_ref().map(|token| token.expose_secret().parse().unwrap()),
        };
        let sent = Arc::clone(&self.sent);
        let between = |dispatch| Ear { sent, dispatch }.start().recipient();
        let settings = self.place.settings(self.parent.clone());
        self.running = Some(controller::start(settings, machine, scene.bus.clone(), between).await);
    }

    /// Ends its controller in order.
    pub async fn stop(&mut self, scene: &Scene) {
        let Running { node, tasks } = self.running.take().expect("no controller runs here");
        node.stop(DRAIN, json!({})).await.unwrap();
        self.bury(tasks, scene).await;
    }

    /// Ends its controller where it stands.
    pub async fn kill(&mut self, scene: &Scene) {
        let Running { tasks, .. } = self.running.take().expect("no controller runs here");
        self.bury(tasks, scene).await;
    }

    async fn bury(&self, tasks: Tasks, scene: &Scene) {
        drop(tasks);
        if let Some(own) = self.reader.membership().unwrap() {
            scene.bus.detach(&own.id);
        }
        // With the next turn of the runtime nothing of it is left, and its files are closed.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    /// The controller that runs here.
    ///
    /// # Panics
    /// When none does.
    pub fn node(&self) -> &Node {
        &self.running.as_ref().expect("no controller runs here").node
    }

    /// The data folder.
    ///
    /// # Panics
    /// When everything is in memory.
    pub fn folder(&self) -> &Path {
        match &self.home {
            Home::Folder(folder) => folder,
            Home::Memory(..) => panic!("it has no folder"),
        }
    }

    /// Runs a discovery cycle to its end, after the one that may be going on.
    pub async fn cycle(&self, scene: &Scene) {
        self.try_cycle(scene).await.unwrap();
    }

    /// As [`Machine::cycle`], where what is found perhaps cannot be written.
    ///
    /// # Errors
    /// Those of the cycle.
    pub async fn try_cycle(&self, scene: &Scene) -> CycleResult {
        loop {
            if let Ok(ended) = self.node().parts.conductor.send(StartCycle(Trigger::OnDemand)).await.unwrap() {
                return ended.await.unwrap();
            }
            scene.pass(GLANCE).await;
        }
    }

    /// Its NIB, whether it runs or not.
    pub fn reader(&self) -> &dyn NibReader {
        self.reader.as_ref()
    }

    /// A key that it keeps, as somebody who read its files has it.
    pub fn stolen_key(&self) -> KeyPair {
        let name = self.reader.membership().unwrap().unwrap().key_file;
        self.home.keys(&self.entropy).load(&name).unwrap().unwrap()
    }

    /// Its name.
    ///
    /// # Panics
    /// When it has none yet.
    pub fn name(&self) -> ControllerId {
        self.reader.membership().unwrap().expect("it has no name").id
    }

    /// The row of one below it.
    pub fn row(&self, below: &Machine) -> ControllerRow {
        self.reader.controller(&below.name()).unwrap().unwrap()
    }

    /// Its events of this type.
    pub fn events(&self, event_type: EventType) -> Vec<Event> {
        self.events_since(EventSeq::FIRST).into_iter().filter(|event| event.event_type == event_type).collect()
    }

    /// Its events from this position on.
    pub fn events_since(&self, from: EventSeq) -> Vec<Event> {
        self.reader.events(&EventQuery { from, limit: 100_000, ..EventQuery::default() }).unwrap()
    }

    /// What its controllers gave to the bus.
    pub fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }

    /// A token that it makes for one below it.
    pub async fn token(&self, role: Role, region: Region) -> BootstrapToken {
        let registry = self.node().parts.registry.as_ref().unwrap();
        let order = TokenOrder { role, region, lifetime: TokenLifetime::default() };
        registry.send(IssueToken { order, by: ada() }).await.unwrap().unwrap()
    }
}

/// The operator.
pub fn ada() -> Operator {
    Operator { user: Some("ada".to_owned()), uid: 1_000 }
}
