//! Three controllers with their NIBs, and what carries messages between their actors.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler};
use pdsno::actors::audit::{AuditActor, Outlets};
use pdsno::actors::health::{HealthActor, Identity, Note};
use pdsno::actors::identity::{Became, Own};
use pdsno::actors::nib::{Freeze, Nib, NibActor};
use pdsno::actors::post::{Acquaint, Delivered, Send, SendError};
use pdsno::algorithms::audit::seal::LogSealer;
use pdsno::algorithms::trust::authority::{Authority, Order};
use pdsno::domain::change::Change;
use pdsno::domain::controller::{ControllerId, Role};
use pdsno::domain::device::Version;
use pdsno::domain::entropy::{Entropy, NoEntropy};
use pdsno::domain::event::{Event, EventType, NewEvent};
use pdsno::domain::message::{BootId, MessageId};
use pdsno::domain::number::{Epoch, Serial};
use pdsno::domain::registry::{ControllerRow, Membership, RegistryChange, SignedDocument, Standing};
use pdsno::domain::time::{Clock, Timestamp};
use pdsno::domain::token::{TokenId, TokenRow, TokenUse};
use pdsno::nib::sqlite::{OpenMode, SqliteNib};
use pdsno::nib::{EventQuery, NibReader, NibStore};
use pdsno::wire::anchor::{Checkpoint, CheckpointAnswer};
use pdsno::wire::envelope::{Author, Body, Destination};
use pdsno::wire::signature::{KeyPair, PrivateKeyFile, fingerprint, sha256};
use pdsno::wire::statement::Chain;
use secrecy::zeroize::Zeroizing;
use serde_json::json;
use tokio::time::Instant;

pub const EPOCH: Epoch = Epoch::from_number(1);
pub const GLOBAL: &str = "global_cntl_1";
pub const REGIONAL: &str = "regional_cntl_zoneA_1";
pub const LOCAL: &str = "local_cntl_zoneA_1";

pub fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000).saturating_add(Duration::from_secs(seconds))
}

pub fn key(octet: u8) -> KeyPair {
    KeyPair::from_pkcs8(PrivateKeyFile::new(&Zeroizing::new([octet; 32])).as_bytes()).unwrap()
}

/// The runtime's clock, which a test can pause.
struct RuntimeClock(Instant);

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        at(0).saturating_add(self.elapsed())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Randomness that nobody needs to be surprised by.
struct Counting(Mutex<u64>);

impl Entropy for Counting {
    fn fill(&self, octets: &mut [u8]) -> Result<(), NoEntropy> {
        let mut count = self.0.lock().unwrap();
        *count += 1;
        let fresh = sha256(&count.to_be_bytes());
        octets.iter_mut().zip(fresh.as_bytes()).for_each(|(to, from)| *to = *from);
        Ok(())
    }
}

type Peers = Arc<Mutex<BTreeMap<ControllerId, Addr<AuditActor>>>>;

/// What was told to others than controllers.
#[derive(Default)]
pub struct Told {
    pub frozen: Vec<String>,
    pub suspended: Vec<ControllerId>,
    /// The newest word for the status.
    pub noted: serde_json::Value,
}

/// Brings messages to whom they are for, as a PostActor and a bus do.
struct Post {
    own: Arc<Own>,
    author: Author,
    peers: Peers,
    clock: Arc<dyn Clock>,
    told: Arc<Mutex<Told>>,
}

impl Actor for Post {
    type Context = Context<Self>;
}

impl Post {
    fn deliver<B>(&mut self, Send { to, body }: Send<B>) -> Result<MessageId, SendError>
    where
        B: Body + Unpin + std::marker::Send + 'static,
        AuditActor: Handler<Delivered<B>>,
    {
        let header = self.author.header::<B>(to.clone(), EPOCH, self.clock.now(), [7; 10]);
        let id = header.message_id;
        let Destination::Controller(to) = to else { panic!("a log is shown to one") };
        if let Some(peer) = self.peers.lock().unwrap().get(&to) {
            let sender = self.own.chain.leaf().map(|leaf| leaf.unverified().clone());
            let key = self.own.key.public_key();
            peer.try_send(Delivered { header, body, key, sender, source: "bus".to_owned() }).unwrap();
        }
        Ok(id)
    }
}

impl Handler<Send<Checkpoint>> for Post {
    type Result = Result<MessageId, SendError>;

    fn handle(&mut self, message: Send<Checkpoint>, _: &mut Self::Context) -> Self::Result {
        self.deliver(message)
    }
}

impl Handler<Send<CheckpointAnswer>> for Post {
    type Result = Result<MessageId, SendError>;

    fn handle(&mut self, message: Send<CheckpointAnswer>, _: &mut Self::Context) -> Self::Result {
        self.deliver(message)
    }
}

impl Handler<Acquaint> for Post {
    type Result = ();

    fn handle(&mut self, message: Acquaint, _: &mut Self::Context) {
        let Acquaint::Suspend(id) = message else { panic!("{message:?}") };
        self.told.lock().unwrap().suspended.push(id);
    }
}

impl Handler<Freeze> for Post {
    type Result = ();

    fn handle(&mut self, Freeze { reason: why }: Freeze, _: &mut Self::Context) {
        self.told.lock().unwrap().frozen.push(why);
    }
}

impl Handler<Note> for Post {
    type Result = ();

    fn handle(&mut self, Note { section, value }: Note, _: &mut Self::Context) {
        assert_eq!(section, "audit");
        self.told.lock().unwrap().noted = value;
    }
}

/// A controller that runs.
pub struct Node {
    pub own: Arc<Own>,
    pub audit: Addr<AuditActor>,
    pub nib: Nib,
    pub reader: Box<dyn NibReader>,
    pub told: Arc<Mutex<Told>>,
    pub health: Addr<HealthActor>,
}

impl Node {
    pub fn events(&self, event_type: EventType) -> Vec<Event> {
        self.reader.events(&EventQuery { types: vec![event_type], ..EventQuery::default() }).unwrap()
    }

    pub fn size(&self) -> u64 {
        self.reader.edge().unwrap().size
    }

    /// Something happens here.
    pub async fn happen(&self, count: usize) {
        let event =
            |number: usize| happened(&self.own.id, EventType::ConfigReloaded, &format!("file {number}"), json!({}));
        self.nib.commit((0..count).map(|number| Change::Append(event(number))).collect()).await.unwrap();
    }
}

pub fn happened(actor: &ControllerId, event_type: EventType, subject: &str, payload: serde_json::Value) -> NewEvent {
    NewEvent { event_type, actor: actor.to_string(), subject: subject.to_owned(), timestamp: at(1), payload }
}

/// One cluster, in a folder.
pub struct Scene {
    folder: tempfile::TempDir,
    clock: Arc<dyn Clock>,
    peers: Peers,
    boots: u8,
}

/// The chain of a tier, the one above included.
pub fn chain(tier: &str) -> (Chain, u8) {
    let root = Authority::root(Arc::new(key(1)), EPOCH, at(0), Duration::from_secs(3_650 * 86_400)).unwrap();
    if tier == GLOBAL {
        return (root.chain, 1);
    }
    let order = |name: &str, octet: u8| Order {
        name: name.parse().unwrap(),
        region: "zone-A".parse().unwrap(),
        public_key: key(octet).public_key(),
        serial: Serial::from_number(2),
        max_local_controllers: 64,
    };
    let (certificate, delegation) = root.issue(order(REGIONAL, 2), EPOCH, at(0)).unwrap();
    let regional = Authority { chain: root.chain.extended(certificate, delegation), key: Arc::new(key(2)) };
    if tier == REGIONAL {
        return (regional.chain, 2);
    }
    let (certificate, delegation) = regional.issue(order(LOCAL, 3), EPOCH, at(0)).unwrap();
    (regional.chain.extended(certificate, delegation), 3)
}

impl Scene {
    pub fn new() -> Self {
        let clock = Arc::new(RuntimeClock(Instant::now()));
        Self { folder: tempfile::tempdir().unwrap(), clock, peers: Peers::default(), boots: 0 }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes the NIB of a controller that has its name, and those below it in its registry.
    pub fn found(&self, tier: &str) -> PathBuf {
        let path = self.path(&format!("{tier}.db"));
        found(&path, tier);
        path
    }

    /// Starts a controller over a NIB file.
    pub async fn start(&mut self, tier: &str, path: &Path) -> Node {
        self.boots += 1;
        let own = Arc::new(own(tier));
        let mut store = open(path);
        store.open_log(Box::new(sealer(&own, self.boots))).unwrap();
        let reader = store.reader().unwrap();
        let nib = NibActor::in_memory(Box::new(store)).unwrap().start();
        let nib = Nib::new(nib.clone().recipient(), nib.recipient(), 1);
        let told = Arc::new(Mutex::new(Told::default()));
        let author = Author::new(own.id.clone(), BootId::new([self.boots; 16]));
        let post = Post {
            own: Arc::clone(&own),
            author,
            peers: Arc::clone(&self.peers),
            clock: Arc::clone(&self.clock),
            told: Arc::clone(&told),
        };
        let post = post.start();
        let identity = Identity {
            role: own.role,
            controller_id: Some(own.id.clone()),
            region: own.region.clone(),
            subnets: Vec::new(),
            version: "1.2.3",
            started_at: self.clock.now(),
        };
        let health = HealthActor::new(identity, Arc::clone(&self.clock)).start();
        let outlets = Outlets {
            checkpoints: post.clone().recipient(),
            answers: post.clone().recipient(),
            acquaint: post.clone().recipient(),
            freeze: vec![post.clone().recipient(), health.clone().recipient()],
            health: post.recipient(),
        };
        let audit = AuditActor::new(nib.clone(), Arc::clone(&self.clock), 1, outlets).start();
        self.peers.lock().unwrap().insert(own.id.clone(), audit.clone());
        audit.send(Became(Arc::clone(&own))).await.unwrap();
        Node { own, audit, nib, reader, told, health }
    }

    /// Nothing that is said to this controller arrives any more.
    pub fn cut_off(&self, tier: &str) {
        self.peers.lock().unwrap().remove(&tier.parse().unwrap());
    }
}

pub fn open(path: &Path) -> SqliteNib {
    SqliteNib::open(path, OpenMode::Migrate { actor: "standalone", at: at(0) }).unwrap()
}

pub fn own(tier: &str) -> Own {
    let (chain, octet) = chain(tier);
    let certificate = chain.leaf().unwrap().unverified().clone();
    Own {
        cluster: "prod".parse().unwrap(),
        parent: (tier != GLOBAL).then(|| certificate.issuer.clone()),
        id: certificate.controller_id,
        role: certificate.role,
        region: certificate.region,
        pin: fingerprint(&key(1).public_key()),
        chain,
        key: Arc::new(key(octet)),
        epoch: EPOCH,
    }
}

pub fn sealer(own: &Own, seed: u8) -> LogSealer {
    let entropy = Counting(Mutex::new(u64::from(seed) << 32));
    LogSealer::new(own.origin(), Arc::clone(&own.key), Arc::new(entropy))
}

fn document(value: &impl serde::Serialize) -> SignedDocument {
    SignedDocument::from_text(serde_json::to_string(value).unwrap())
}

pub fn found(path: &Path, tier: &str) {
    let own = own(tier);
    let mut store = open(path);
    let membership = Membership {
        cluster: own.cluster.clone(),
        id: own.id.clone(),
        role: own.role,
        region: own.region.clone(),
        parent: own.parent.clone(),
        pin: own.pin,
        chain: document(&own.chain),
        serial: own.chain.leaf().unwrap().unverified().serial,
        key_file: "key".to_owned(),
        next_key_file: None,
        next_chain: None,
        epoch: EPOCH,
        since: at(0),
        version: Version::FIRST,
    };
    store.commit(&[Change::Registry(RegistryChange::SetMembership(Box::new(membership)))]).unwrap();
    store.open_log(Box::new(sealer(&own, 0))).unwrap();
    match own.role {
        Role::Global => admit(&mut store, &own, REGIONAL),
        Role::Regional => admit(&mut store, &own, LOCAL),
        _ => {}
    }
    store.close().unwrap();
}

fn admit(store: &mut SqliteNib, own: &Own, child: &str) {
    let (chain, _) = chain(child);
    let signed = chain.leaf().unwrap();
    let certificate = signed.unverified();
    let token = TokenRow {
        id: TokenId::new([9; 12]),
        secret_hash: sha256(b"secret"),
        role: certificate.role,
        region: "zone-A".parse().unwrap(),
        issued_at: at(0),
        expires_at: at(600),
        wrong_attempts: 0,
        revoked_at: None,
        used: None,
    };
    let issued = json!({ "role": token.role, "region": token.region, "expires_at": token.expires_at });
    let issued = happened(&own.id, EventType::BootstrapTokenIssued, &token.id.to_string(), issued);
    let validated = json!({
        "role": certificate.role, "region": token.region, "public_key": certificate.public_key,
        "serial": certificate.serial, "expires_at": certificate.expires_at, "certificate": signed.digest(),
        "token_id": token.id,
    });
    let validated = happened(&own.id, EventType::ControllerValidated, child, validated);
    let row = ControllerRow {
        id: certificate.controller_id.clone(),
        role: certificate.role,
        region: token.region.clone(),
        public_key: certificate.public_key,
        serial: certificate.serial,
        certificate: document(signed),
        delegation: chain.delegation.as_ref().filter(|_| certificate.role == Role::Regional).map(document),
        expires_at: certificate.expires_at,
        next: None,
        standing: Standing::Active,
        standing_reason: None,
        validated_by: own.id.clone(),
        validated_at: at(1),
        token: token.id,
        metadata: BTreeMap::new(),
        policy_version: None,
        last_contact: None,
        version: Version::FIRST,
    };
    let used = TokenUse { public_key: row.public_key, controller_id: row.id.clone(), at: at(1) };
    store.commit(&[Change::Registry(RegistryChange::IssueToken(token)), Change::Append(issued)]).unwrap();
    let admit = RegistryChange::Admit { used, number: 1, controller: Box::new(row) };
    store.commit(&[Change::Registry(admit), Change::Append(validated)]).unwrap();
}
