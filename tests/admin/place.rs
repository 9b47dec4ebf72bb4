//! A data folder with a controller on it that a test runs, and requests to it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, MessageResult};
use actix_web::dev::ServerHandle;
use pdsno::actors::discovery::demand::Wishes;
use pdsno::actors::discovery::{CycleResult, Refused, StartCycle};
use pdsno::actors::health::{HealthActor, Identity};
use pdsno::actors::identity::{Became, Own};
use pdsno::actors::membership::keys::KeyStore;
use pdsno::actors::nib::{Close, Commit, Nib, NibActor};
use pdsno::actors::policy::{Outlets, PolicyActor};
use pdsno::actors::post::PostActor;
use pdsno::actors::presence::{PresenceReport, ReadPresence};
use pdsno::actors::registry::RegistryActor;
use pdsno::actors::view::RequestDiscovery;
use pdsno::algorithms::trust::authority::Authority;
use pdsno::app::client::{AskError, Refusal, Request, ask};
use pdsno::app::clock::SystemClock;
use pdsno::app::config::{Config, Flags, Sources, load};
use pdsno::app::entropy::SystemEntropy;
use pdsno::app::folder::DataFolder;
use pdsno::app::keys::KeyFiles;
use pdsno::app::socket::AdminSocket;
use pdsno::app::user::user_name;
use pdsno::domain::change::Change;
use pdsno::domain::controller::{ControllerId, Role};
use pdsno::domain::device::Version;
use pdsno::domain::digest::Digest;
use pdsno::domain::number::{Epoch, Serial};
use pdsno::domain::registry::{Membership, RegistryChange, SignedDocument};
use pdsno::domain::time::Clock;
use pdsno::nib::sqlite::{OpenMode, SqliteNib};
use pdsno::nib::writer::NibWriter;
use pdsno::nib::{NibError, NibStore};
use pdsno::northbound::http::{Listeners, Parts, serve};
use pdsno::wire::presence::State;
use pdsno::wire::signature::fingerprint;
use pdsno::wire::statement::Chain;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;

/// Answers requests for cycles as the test says.
pub struct Cycles(pub Arc<Mutex<Vec<Result<CycleResult, Refused>>>>);

impl Actor for Cycles {
    type Context = Context<Self>;
}

impl Handler<StartCycle> for Cycles {
    type Result = MessageResult<StartCycle>;

    fn handle(&mut self, _: StartCycle, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.0.lock().unwrap().remove(0).map(|result| {
            let (tell, told) = oneshot::channel();
            assert!(tell.send(result).is_ok());
            told
        }))
    }
}

/// Who is there, and who is asked for cycles, as the test says.
struct Around {
    presence: Arc<Mutex<Option<PresenceReport>>>,
    demands: Arc<Mutex<Vec<RequestDiscovery>>>,
}

impl Actor for Around {
    type Context = Context<Self>;
}

impl Handler<ReadPresence> for Around {
    type Result = Result<PresenceReport, NibError>;

    fn handle(&mut self, _: ReadPresence, _: &mut Self::Context) -> Self::Result {
        let nobody = PresenceReport { state: State::Active, parent: None, children: Vec::new() };
        Ok(self.presence.lock().unwrap().clone().unwrap_or(nobody))
    }
}

impl Handler<RequestDiscovery> for Around {
    type Result = Result<usize, NibError>;

    /// Those who are named are there, and two Regional Controllers.
    fn handle(&mut self, request: RequestDiscovery, _: &mut Self::Context) -> Self::Result {
        let count = if request.controller.is_some() { 1 } else { 2 };
        let is_known = !request.reason.contains("nobody");
        self.demands.lock().unwrap().push(request);
        Ok(if is_known { count } else { 0 })
    }
}

/// The configuration of a command on this folder.
pub fn config(folder: &Path) -> Config {
    let flags = Flags { data_dir: Some(folder.to_str().unwrap().to_owned()), ..Flags::default() };
    load(Sources { file: None, environment: Vec::new(), flags }).unwrap().config
}

/// A controller that runs here.
pub struct Place {
    pub folder: TempDir,
    pub health: Addr<HealthActor>,
    pub policy: Addr<PolicyActor>,
    /// Who is there; nobody can be heard unless the test says so.
    pub presence: Arc<Mutex<Option<PresenceReport>>>,
    /// The cycles that were asked for below.
    pub demands: Arc<Mutex<Vec<RequestDiscovery>>>,
    pub tcp: SocketAddr,
    pub cycles: Arc<Mutex<Vec<Result<CycleResult, Refused>>>>,
    nib: Addr<NibActor>,
    server: ServerHandle,
    held: Option<(AdminSocket, DataFolder)>,
}

/// A folder with a NIB that is closed.
pub fn folder_with_nib() -> TempDir {
    let folder = TempDir::new().unwrap();
    make_nib(folder.path()).close().unwrap();
    folder
}

fn make_nib(folder: &Path) -> SqliteNib {
    let mode = OpenMode::Migrate { actor: "standalone", at: SystemClock::start().now() };
    SqliteNib::open(&folder.join("pdsno.db"), mode).unwrap()
}

/// Who the controller of a folder is, as its NIB says it. The trust root has the key `first.key` of the
/// folder; below it nothing is signed, since no test asks for more.
fn member(folder: &Path, id: &str, role: Role) -> Change {
    let key = KeyFiles::new(folder, Arc::new(SystemEntropy)).create("first.key").unwrap();
    let pin = fingerprint(&key.public_key());
    let (epoch, since) = (Epoch::from_number(1), SystemClock::start().now());
    let root = Authority::root(Arc::new(key), epoch, since, Duration::from_secs(86_400)).unwrap();
    Change::Registry(RegistryChange::SetMembership(Box::new(Membership {
        cluster: "site".parse().unwrap(),
        id: id.parse().unwrap(),
        role,
        region: (role != Role::Global).then(|| "zone-A".parse().unwrap()),
        parent: None,
        pin,
        chain: SignedDocument::from_text(serde_json::to_string(&root.chain).unwrap()),
        serial: Serial::from_number(1),
        key_file: "first.key".to_owned(),
        next_key_file: None,
        next_chain: None,
        epoch,
        since,
        version: Version::FIRST,
    })))
}

/// The same of a Global Controller.
pub fn folder_of_global() -> TempDir {
    folder_of("global_cntl_1", Role::Global)
}

/// The same of a Regional Controller.
pub fn folder_of_regional() -> TempDir {
    folder_of("regional_cntl_zoneA_1", Role::Regional)
}

fn folder_of(id: &str, role: Role) -> TempDir {
    let folder = TempDir::new().unwrap();
    let mut nib = make_nib(folder.path());
    nib.commit(&[member(folder.path(), id, role)]).unwrap();
    nib.close().unwrap();
    folder
}

impl Place {
    /// Starts it on a folder of its own.
    pub fn start() -> Self {
        Self::start_in(TempDir::new().unwrap(), Path::new(""))
    }

    /// Starts it as a Global Controller.
    pub fn start_global() -> Self {
        Self::start_in(folder_of_global(), Path::new(""))
    }

    /// Starts it on a folder below this one.
    pub fn start_in(folder: TempDir, below: &Path) -> Self {
        let path = folder.path().join(below);
        let held = DataFolder::take(&path).unwrap();
        let store = make_nib(&path);
        let readers = vec![store.reader().unwrap(), store.reader().unwrap()];
        let nib = NibActor::new(NibWriter::start(Box::new(store)).unwrap(), readers).start();
        let clock = Arc::new(SystemClock::start());
        let identity = Identity {
            role: Role::Local,
            controller_id: None,
            region: None,
            subnets: Vec::new(),
            version: "1.2.3",
            started_at: clock.now(),
        };
        let way = Nib::new(nib.clone().recipient(), nib.clone().recipient(), 1);
        let registry =
            RegistryActor::new(way.clone(), None, Arc::<SystemClock>::clone(&clock), Arc::new(SystemEntropy)).start();
        let health = HealthActor::new(identity, Arc::<SystemClock>::clone(&clock)).start();
        // A post that never starts: nobody is there to talk to.
        let nowhere = Context::<PostActor>::new().address();
        let outlets = Outlets {
            requests: nowhere.clone().recipient(),
            acks: nowhere.recipient(),
            notes: health.clone().recipient(),
            listeners: Vec::new(),
        };
        let configured = config(&path).policy.distributed();
        let policy = PolicyActor::new(configured, way.clone(), Arc::<SystemClock>::clone(&clock), 2, outlets).start();
        let (presence, demands) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(Vec::new())));
        let around = Around { presence: Arc::clone(&presence), demands: Arc::clone(&demands) }.start();
        let cycles = Arc::new(Mutex::new(Vec::new()));
        let parts = Parts {
            health: health.clone(),
            nib: Some(way.clone()),
            discovery: Some(Cycles(Arc::clone(&cycles)).start().recipient()),
            registry: Some(registry),
            audit: None,
            policy: Some(policy.clone()),
            presence: Some(around.clone().recipient()),
            demand: Some(around.recipient()),
            wishes: Some(Wishes::new(way, clock, Some(ControllerId::standalone()))),
            user_name,
        };
        let (socket, admin) = AdminSocket::bind(&held).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let tcp = listener.local_addr().unwrap();
        let server = serve(Listeners { tcp: Some(listener), admin: Some(admin) }, parts).unwrap();
        let handle = server.handle();
        actix::spawn(server);
        Self { folder, health, policy, presence, demands, tcp, cycles, nib, server: handle, held: Some((socket, held)) }
    }

    pub fn path(&self) -> PathBuf {
        self.held.as_ref().unwrap().1.path().to_owned()
    }

    /// Writes rows as the controller's actors would.
    pub async fn write(&self, changes: Vec<Change>) {
        self.nib.send(Commit(changes)).await.unwrap().unwrap();
    }

    /// Tells it who it is.
    pub async fn become_member(&self, id: &str, role: Role) {
        let key = KeyFiles::new(self.folder.path(), Arc::new(SystemEntropy)).load("first.key").unwrap().unwrap();
        let own = Own {
            cluster: "site".parse().unwrap(),
            id: id.parse::<ControllerId>().unwrap(),
            role,
            region: (role != Role::Global).then(|| "zone-A".parse().unwrap()),
            parent: None,
            pin: Digest::from_bytes([7; 32]),
            chain: Chain { certificates: Vec::new(), delegation: None },
            key: Arc::new(key),
            epoch: Epoch::from_number(1),
        };
        self.policy.send(Became(Arc::new(own))).await.unwrap();
    }

    pub async fn ask(&self, request: &Request) -> Result<Value, AskError> {
        ask(&self.path(), request).await
    }

    /// What it says no with.
    pub async fn refusal(&self, request: &Request) -> Refusal {
        match self.ask(request).await {
            Err(AskError::Refused(refusal)) => refusal,
            other => panic!("{request:?}: {other:?}"),
        }
    }

    /// Ends it in order.
    pub async fn stop(mut self) -> TempDir {
        self.server.stop(true).await;
        self.held.take();
        self.nib.send(Close).await.unwrap().unwrap();
        self.folder
    }
}
