//! Controllers of the three tiers on one bus, each with a NIB, keys and actors of its own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler};
use pdsno::actors::audit::Nudge;
use pdsno::actors::health::Note;
use pdsno::actors::identity::{Became, Own};
use pdsno::actors::membership::keys::{KeyStore, MemoryKeys};
use pdsno::actors::membership::{MembershipActor, MembershipLinks, MembershipSettings};
use pdsno::actors::nib::{Nib, NibActor};
use pdsno::actors::post::{Beginning, Carrier, Delivered, Identity, PostActor, Routes};
use pdsno::actors::registry::{IssueToken, RegistryActor};
use pdsno::actors::validation::{Quotas, ValidationActor, ValidationLinks};
use pdsno::algorithms::audit::seal::LogSealer;
use pdsno::algorithms::trust::directory::Directory;
use pdsno::algorithms::validation::operator::TokenOrder;
use pdsno::domain::controller::{ControllerId, Role};
use pdsno::domain::entropy::{Entropy, NoEntropy, octets};
use pdsno::domain::event::{Event, EventType};
use pdsno::domain::message::BootId;
use pdsno::domain::number::Epoch;
use pdsno::domain::operator::Operator;
use pdsno::domain::origin::Origin;
use pdsno::domain::registry::{ControllerRow, Membership};
use pdsno::domain::time::{Clock, Timestamp};
use pdsno::domain::token::{BootstrapToken, TokenLifetime};
use pdsno::eastwest::bus::Bus;
use pdsno::nib::memory::MemoryNib;
use pdsno::nib::{EventQuery, NibReader, NibStore};
use pdsno::wire::refused::MessageRefused;
use pdsno::wire::signature::{KeyPair, PrivateKeyFile};
use pdsno::wire::validation::{
    Challenge, ChallengeResponse, Metadata, ParentRenewed, RenewalRequest, RenewalResult, ValidationAck,
    ValidationRequest, ValidationResult,
};
use tokio::time::Instant;

/// 2027, and the paused clock of the runtime.
#[derive(Clone)]
pub struct RuntimeClock(Instant);

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000).saturating_add(self.0.elapsed())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Randomness that is the same in every run.
pub struct Seeded(Mutex<fastrand::Rng>);

impl Entropy for Seeded {
    fn fill(&self, octets: &mut [u8]) -> Result<(), NoEntropy> {
        self.0.lock().unwrap().fill(octets);
        Ok(())
    }
}

pub fn seeded(seed: u64) -> Arc<dyn Entropy> {
    Arc::new(Seeded(Mutex::new(fastrand::Rng::with_seed(seed))))
}

pub fn new_key(entropy: &dyn Entropy) -> KeyPair {
    KeyPair::from_pkcs8(PrivateKeyFile::generate(entropy).unwrap().as_bytes()).unwrap()
}

/// Hears whatever actors tell.
#[derive(Default)]
pub struct Ears {
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
pub struct Heard {
    pub became: Vec<Arc<Own>>,
    pub membership: serde_json::Value,
    pub nudges: usize,
}

impl Actor for Ears {
    type Context = Context<Self>;
}

impl Handler<Became> for Ears {
    type Result = ();

    fn handle(&mut self, Became(own): Became, _: &mut Self::Context) {
        self.heard.lock().unwrap().became.push(own);
    }
}

impl Handler<Note> for Ears {
    type Result = ();

    fn handle(&mut self, note: Note, _: &mut Self::Context) {
        match note.section {
            "membership" => self.heard.lock().unwrap().membership = note.value,
            section => assert_eq!(section, "refused"),
        }
    }
}

impl Handler<Nudge> for Ears {
    type Result = ();

    fn handle(&mut self, _: Nudge, _: &mut Self::Context) {
        self.heard.lock().unwrap().nudges += 1;
    }
}

/// A network of controllers.
pub struct Stage {
    pub bus: Bus,
    pub clock: Arc<RuntimeClock>,
    pub seeds: u64,
}

/// One controller.
pub struct Node {
    pub validation: Addr<ValidationActor>,
    pub registry: Addr<RegistryActor>,
    pub membership: Addr<MembershipActor>,
    pub post: Addr<PostActor>,
    pub reader: Box<dyn NibReader>,
    pub keys: Arc<dyn KeyStore>,
    heard: Arc<Mutex<Heard>>,
}

/// What a node is made of.
pub struct Plan {
    pub role: Role,
    pub region: Option<&'static str>,
    pub parent: Option<ControllerId>,
    pub token: Option<BootstrapToken>,
    pub quotas: Quotas,
}

impl Plan {
    pub fn global() -> Self {
        Self { role: Role::Global, region: None, parent: None, token: None, quotas: Quotas { regional: 8, local: 8 } }
    }

    pub fn below(parent: &str, role: Role, token: Option<BootstrapToken>) -> Self {
        Self { role, region: Some("zone-A"), parent: Some(parent.parse().unwrap()), token, ..Self::global() }
    }
}

impl Stage {
    /// An empty network; from now on the clock moves when everybody waits.
    pub fn new() -> Self {
        tokio::time::pause();
        Self { bus: Bus::new(), clock: Arc::new(RuntimeClock(Instant::now())), seeds: 0 }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn entropy(&mut self) -> Arc<dyn Entropy> {
        self.seeds += 1;
        seeded(self.seeds)
    }

    pub fn node(&mut self, plan: Plan) -> Node {
        self.node_with(plan, Box::new(MemoryNib::new()), None)
    }

    /// A node over this store, with the keys of one that ran before.
    pub fn node_with(&mut self, plan: Plan, store: Box<dyn NibStore>, keys: Option<Arc<dyn KeyStore>>) -> Node {
        let entropy = self.entropy();
        let keys = keys.unwrap_or_else(|| Arc::new(MemoryKeys::new(Arc::clone(&entropy))));
        let reader = store.reader().unwrap();
        let nib_actor = NibActor::in_memory(store).unwrap().start();
        let nib = Nib::new(nib_actor.clone().recipient(), nib_actor.clone().recipient(), self.seeds);
        let port = self.bus.port().start();
        let carrier = Carrier { dispatch: port.clone().recipient(), attach: port.recipient() };
        let ears = Ears::default();
        let heard = Arc::clone(&ears.heard);
        let ears = ears.start();
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let seed = self.seeds;
        let mut parts = None;
        let post = PostActor::create(|ctx| {
            let post = ctx.address();
            let links = ValidationLinks {
                nib: nib.clone(),
                challenges: post.clone().recipient(),
                results: post.clone().recipient(),
                renewals: post.clone().recipient(),
                renewed: post.clone().recipient(),
                acquaint: post.clone().recipient(),
                audit: ears.clone().recipient(),
            };
            let validation = ValidationActor::new(plan.quotas, links, Arc::clone(&clock), Arc::clone(&entropy)).start();
            let registry = RegistryActor::new(
                nib.clone(),
                Some(post.clone().recipient()),
                Arc::clone(&clock),
                Arc::clone(&entropy),
            )
            .start();
            let ids = Arc::clone(&entropy);
            let links = MembershipLinks {
                nib: nib.clone(),
                log: nib_actor.recipient(),
                keys: Arc::clone(&keys),
                sealer: Box::new(move |own| {
                    let origin = Origin::new(&own.cluster, &own.id);
                    Box::new(LogSealer::new(origin, Arc::clone(&own.key), Arc::clone(&ids)))
                }),
                assume: post.clone().recipient(),
                acquaint: post.clone().recipient(),
                requests: post.clone().recipient(),
                responses: post.clone().recipient(),
                acks: post.clone().recipient(),
                renewals: post.clone().recipient(),
                became: vec![post.clone().recipient(), validation.clone().recipient(), ears.clone().recipient()],
                withdraw: Some(validation.clone().recipient()),
                health: ears.clone().recipient(),
            };
            let settings = MembershipSettings {
                cluster: "lab".parse().unwrap(),
                role: plan.role,
                region: plan.region.map(|region| region.parse().unwrap()),
                parent: plan.parent,
                metadata: Metadata::default(),
            };
            let membership =
                MembershipActor::new(settings, plan.token, links, Arc::clone(&clock), Arc::clone(&entropy), seed)
                    .start();
            let routes = Routes::new()
                .to(validation.clone().recipient::<Delivered<ValidationRequest>>())
                .to(validation.clone().recipient::<Delivered<ChallengeResponse>>())
                .to(validation.clone().recipient::<Delivered<ValidationAck>>())
                .to(validation.clone().recipient::<Delivered<RenewalRequest>>())
                .to(membership.clone().recipient::<Delivered<Challenge>>())
                .to(membership.clone().recipient::<Delivered<ValidationResult>>())
                .to(membership.clone().recipient::<Delivered<RenewalResult>>())
                .to(membership.clone().recipient::<Delivered<MessageRefused>>())
                .to(membership.clone().recipient::<Delivered<ParentRenewed>>());
            parts = Some((validation, registry, membership));
            let beginning = Beginning {
                identity: Identity {
                    id: ControllerId::newcomer(octets(entropy.as_ref()).unwrap()),
                    key: Arc::new(new_key(entropy.as_ref())),
                    epoch: Epoch::default(),
                },
                boot_id: BootId::new(octets(entropy.as_ref()).unwrap()),
                freshness: Duration::from_secs(300),
                directory: Directory::default(),
            };
            PostActor::new(beginning, Arc::clone(&clock), Arc::clone(&entropy), nib.clone(), carrier, routes)
        });
        let (validation, registry, membership) = parts.unwrap();
        Node { validation, registry, membership, post, reader, keys, heard }
    }

    /// Lets time pass until everybody has done what was due within it.
    pub async fn pass(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }

    pub async fn seconds(&self, seconds: u64) {
        self.pass(Duration::from_secs(seconds)).await;
    }

    /// The trust root.
    pub async fn global(&mut self) -> Node {
        let node = self.node(Plan::global());
        self.seconds(1).await;
        node
    }

    /// The trust root, and the Regional Controller of zone-A.
    pub async fn two_tiers(&mut self) -> (Node, Node) {
        let global = self.global().await;
        let token = global.token(Role::Regional, "zone-A").await;
        let regional = self.node(Plan::below("global_cntl_1", Role::Regional, Some(token)));
        self.seconds(1).await;
        (global, regional)
    }
}

pub fn ada() -> Operator {
    Operator { user: Some("ada".to_owned()), uid: 1_000 }
}

impl Node {
    pub async fn token(&self, role: Role, region: &str) -> BootstrapToken {
        let order = TokenOrder { role, region: region.parse().unwrap(), lifetime: TokenLifetime::default() };
        self.registry.send(IssueToken { order, by: ada() }).await.unwrap().unwrap()
    }

    pub fn heard<T>(&self, look: impl FnOnce(&Heard) -> T) -> T {
        look(&self.heard.lock().unwrap())
    }

    pub fn status(&self) -> serde_json::Value {
        self.heard(|heard| heard.membership.clone())
    }

    pub fn state(&self) -> String {
        self.status()["state"].as_str().unwrap_or_default().to_owned()
    }

    pub fn row(&self) -> Option<Membership> {
        self.reader.membership().unwrap()
    }

    pub fn children(&self) -> Vec<ControllerRow> {
        self.reader.controllers(None, 1_000).unwrap()
    }

    pub fn events(&self, event_type: EventType) -> Vec<Event> {
        let query = EventQuery { types: vec![event_type], limit: 10_000, ..EventQuery::default() };
        self.reader.events(&query).unwrap()
    }

    /// The reasons of the newcomers that were refused, in the order of the log.
    pub fn refusals(&self) -> Vec<String> {
        let types = vec![EventType::ControllerRejected, EventType::ControllerValidationFailed];
        let events = self.reader.events(&EventQuery { types, limit: 10_000, ..EventQuery::default() }).unwrap();
        events.iter().map(|event| event.payload["reason"].as_str().unwrap().to_owned()).collect()
    }
}
