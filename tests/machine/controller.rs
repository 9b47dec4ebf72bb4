//! A whole controller of a test, as a process would run it.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Recipient};
use pdsno::actors::discovery::DiscoverySettings;
use pdsno::actors::membership::MembershipSettings;
use pdsno::actors::membership::keys::KeyStore;
use pdsno::actors::nib::NibActor;
use pdsno::actors::post::{Attach, Carrier, Dispatch};
use pdsno::actors::sweeper::Sweep;
use pdsno::actors::validation::Quotas;
use pdsno::algorithms::discovery::vendor::VendorTable;
use pdsno::app::node::{Node, NodeSettings, Surroundings};
use pdsno::domain::controller::{Cluster, ControllerId, Region, Role};
use pdsno::domain::entropy::Entropy;
use pdsno::domain::policy::{DiscoveryPolicy, Policy, Probing};
use pdsno::domain::protocol::Protocol;
use pdsno::domain::subnet::Subnet;
use pdsno::domain::time::Clock;
use pdsno::domain::token::BootstrapToken;
use pdsno::eastwest::bus::Bus;
use pdsno::nib::NibStore;
use pdsno::wire::validation::Metadata;
use tokio::task::{JoinHandle, LocalSet};

/// What a controller is to be, wherever it runs.
pub struct Place {
    pub role: Role,
    pub region: Option<Region>,
    pub subnets: Vec<Subnet>,
}

/// What a controller finds on its machine. All of it is the test's, but for the way to the bus.
pub struct Machine {
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub store: Box<dyn NibStore>,
    pub keys: Arc<dyn KeyStore>,
    pub sweep: Option<Box<dyn Sweep>>,
    pub token: Option<BootstrapToken>,
}

/// A controller that runs. Dropped, it is killed.
pub struct Running {
    pub node: Node,
    pub tasks: Tasks,
}

/// Everything that a controller does.
pub struct Tasks(JoinHandle<()>);

impl Drop for Tasks {
    /// A process that is killed does nothing more: its tasks are dropped where they stand.
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The policy that everybody starts with.
pub fn policy() -> Policy {
    Policy {
        discovery: DiscoveryPolicy {
            interval: Duration::from_secs(120),
            missed_cycles_before_inactive: 3,
            protocols: vec![Protocol::Arp],
            neighbours: false,
            counters: false,
            probing: Probing::default(),
        },
        lc_report_timeout: Duration::from_secs(600),
        emergency_rate_limit_per_hour: 5,
        discovery_spike_threshold: 50,
    }
}

impl Place {
    /// The settings of a controller at this place, below this parent.
    pub fn settings(&self, parent: Option<ControllerId>) -> NodeSettings {
        let discovery = DiscoverySettings {
            actor: ControllerId::standalone(),
            local_controller: None,
            region: self.region.clone(),
            subnets: self.subnets.clone(),
            interface: None,
            policy: policy().discovery,
            credentials: Vec::new().into(),
            vendors: Arc::new(VendorTable::builtin()),
            report: None,
            answered: None,
        };
        NodeSettings {
            membership: MembershipSettings {
                cluster: Cluster::default(),
                role: self.role,
                region: self.region.clone(),
                parent,
                metadata: Metadata::default(),
            },
            quotas: Quotas { regional: 8, local: 64 },
            freshness: Duration::from_secs(300),
            policy: policy(),
            discovery: (self.role == Role::Local).then_some(discovery),
        }
    }
}

/// Starts a controller; what it says to the bus goes through what the test puts between them.
pub async fn start(
    settings: NodeSettings,
    machine: Machine,
    bus: Bus,
    between: impl FnOnce(Recipient<Dispatch>) -> Recipient<Dispatch>,
) -> Running {
    let Machine { clock, entropy, store, keys, sweep, token } = machine;
    let tasks = LocalSet::new();
    let started = tasks.run_until(async move {
        let port = bus.port().start();
        let dispatch = between(port.clone().recipient());
        let carrier = Carrier { dispatch, attach: port.recipient::<Attach>() };
        let nib = NibActor::in_memory(store).unwrap().start();
        Node::start(settings, Surroundings { clock, entropy, nib, keys, carrier, sweep, token }).await
    });
    let node = started.await.unwrap();
    Running { node, tasks: Tasks(tokio::task::spawn_local(tasks)) }
}
