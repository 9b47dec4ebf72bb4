//! One machine: its store and keys outlive the controller on it.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler, Recipient};
use pdsno::actors::discovery::DiscoverySettings;
use pdsno::actors::membership::MembershipSettings;
use pdsno::actors::membership::keys::MemoryKeys;
use pdsno::actors::nib::NibActor;
use pdsno::actors::post::{Attach, Carrier, Dispatch, Undeliverable};
use pdsno::actors::validation::Quotas;
use pdsno::algorithms::discovery::vendor::VendorTable;
use pdsno::app::node::{Node, NodeSettings, Surroundings};
use pdsno::domain::controller::{Cluster, ControllerId, Region, Role};
use pdsno::domain::event::{Event, EventSeq};
use pdsno::domain::policy::{DiscoveryPolicy, Policy, Probing};
use pdsno::domain::protocol::Protocol;
use pdsno::domain::subnet::Subnet;
use pdsno::domain::token::BootstrapToken;
use pdsno::eastwest::bus::Bus;
use pdsno::nib::memory::MemoryNib;
use pdsno::nib::{EventQuery, NibReader, NibStore};
use pdsno::wire::validation::Metadata;
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::Instant;

use crate::monitor::Monitor;
use crate::network::Network;
use crate::store::{Fate, MortalNib, Shared, locked};
use crate::time::{MachineClock, Seeded};

/// What does not change while a machine is there.
pub struct Place {
    pub number: usize,
    pub role: Role,
    pub region: Option<Region>,
    pub subnets: Vec<Subnet>,
    pub skew_ms: i64,
}

/// A machine.
pub struct Machine {
    pub place: Place,
    pub nib: MemoryNib,
    pub reader: Box<dyn NibReader>,
    keys: Arc<MemoryKeys>,
    entropy: Arc<Seeded>,
    /// What it was given to be let in with.
    pub token: Option<Box<dyn Fn() -> BootstrapToken>>,
    pub parent: Option<ControllerId>,
    pub running: Option<Running>,
}

/// A controller that runs on a machine.
pub struct Running {
    pub node: Node,
    pub fate: Shared,
    tasks: JoinHandle<()>,
}

impl Drop for Running {
    /// A process that is killed does nothing more: its tasks are dropped where they stand.
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

/// What stands between a controller and the bus: a dead one says nothing.
struct Lips {
    fate: Shared,
    dispatch: Recipient<Dispatch>,
}

impl Actor for Lips {
    type Context = Context<Self>;
}

impl Handler<Dispatch> for Lips {
    type Result = Result<(), Undeliverable>;

    fn handle(&mut self, message: Dispatch, _: &mut Self::Context) -> Self::Result {
        if locked(&self.fate).is_dead {
            return Err(Undeliverable::Ended);
        }
        self.dispatch.try_send(message).map_err(|_| Undeliverable::Ended)
    }
}

/// The policy that everybody starts with.
pub fn policy() -> Policy {
    Policy {
        discovery: DiscoveryPolicy {
            interval: Duration::from_secs(120),
            missed_cycles_before_inactive: 3,
            protocols: vec![Protocol::Arp],
            probing: Probing::default(),
        },
        lc_report_timeout: Duration::from_secs(600),
        emergency_rate_limit_per_hour: 5,
        discovery_spike_threshold: 50,
    }
}

impl Machine {
    pub fn new(place: Place, seed: u64) -> Self {
        let nib = MemoryNib::new();
        let reader = nib.reader().unwrap();
        let entropy = Arc::new(Seeded::new(seed));
        let keys = Arc::new(MemoryKeys::new(Arc::clone(&entropy) as _));
        Self { place, nib, reader, keys, entropy, token: None, parent: None, running: None }
    }

    /// The name of its controller, once there is one.
    pub fn name(&self) -> Option<ControllerId> {
        self.reader.membership().unwrap().map(|own| own.id)
    }

    /// Its last events, for who looks into a failure.
    pub fn last_words(&self) -> String {
        let from = EventSeq::from_number(self.reader.next_event().unwrap().number().saturating_sub(12));
        let events = self.reader.events(&EventQuery { from, ..EventQuery::default() }).unwrap();
        let told = |event: &Event| {
            let Event { seq, event_type, subject, timestamp, payload, .. } = event;
            format!("  node {} {seq} {timestamp} {event_type} {subject} {payload}\n", self.place.number)
        };
        events.iter().map(told).collect()
    }

    /// Starts the controller.
    pub async fn start(&mut self, began: Instant, bus: &Bus, monitor: &Monitor, network: &Network) {
        let fate = Shared::new(std::sync::Mutex::new(Fate::default()));
        let store = MortalNib {
            nib: self.nib.reopened(),
            fate: Arc::clone(&fate),
            monitor: monitor.clone(),
            node: self.place.number,
        };
        let settings = self.settings();
        let clock = Arc::new(MachineClock::new(began, self.place.skew_ms));
        let (entropy, keys) = (Arc::clone(&self.entropy), Arc::clone(&self.keys));
        let token = self.token.as_ref().map(|token| token());
        let sweep = (self.place.role == Role::Local).then(|| Box::new(network.clone()) as _);
        let (bus, lips) = (bus.clone(), Arc::clone(&fate));
        let tasks = LocalSet::new();
        let started = tasks.run_until(async move {
            let port = bus.port().start();
            let dispatch = Lips { fate: lips, dispatch: port.clone().recipient() }.start().recipient();
            let carrier = Carrier { dispatch, attach: port.recipient::<Attach>() };
            let nib = NibActor::in_memory(Box::new(store)).unwrap().start();
            Node::start(settings, Surroundings { clock, entropy, nib, keys, carrier, sweep, token }).await
        });
        let node = started.await.unwrap();
        let tasks = tokio::task::spawn_local(tasks);
        self.running = Some(Running { node, fate, tasks });
    }

    fn settings(&self) -> NodeSettings {
        let discovery = DiscoverySettings {
            actor: ControllerId::standalone(),
            local_controller: None,
            region: self.place.region.clone(),
            subnets: self.place.subnets.clone(),
            interface: None,
            policy: policy().discovery,
            communities: Vec::new().into(),
            vendors: Arc::new(VendorTable::builtin()),
            report: None,
        };
        NodeSettings {
            membership: MembershipSettings {
                cluster: Cluster::default(),
                role: self.place.role,
                region: self.place.region.clone(),
                parent: self.parent.clone(),
                metadata: Metadata::default(),
            },
            quotas: Quotas { regional: 8, local: 64 },
            freshness: Duration::from_secs(300),
            policy: policy(),
            discovery: (self.place.role == Role::Local).then_some(discovery),
        }
    }
}
