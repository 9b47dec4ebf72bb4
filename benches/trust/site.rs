//! Controllers of one process, each with a NIB of its own on a disk, joined by a bus.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::{Actor, Context, Handler, Recipient};
use anyhow::Context as _;
use pdsno::actors::discovery::DiscoverySettings;
use pdsno::actors::membership::MembershipSettings;
use pdsno::actors::membership::keys::MemoryKeys;
use pdsno::actors::nib::{NibActor, READERS};
use pdsno::actors::post::{Carrier, Dispatch, Undeliverable};
use pdsno::actors::registry::IssueToken;
use pdsno::actors::sweeper::Sweep;
use pdsno::actors::validation::Quotas;
use pdsno::algorithms::discovery::vendor::VendorTable;
use pdsno::algorithms::validation::operator::TokenOrder;
use pdsno::app::clock::SystemClock;
use pdsno::app::entropy::SystemEntropy;
use pdsno::app::node::{Node, NodeSettings, Surroundings};
use pdsno::domain::controller::{Cluster, ControllerId, Region, Role};
use pdsno::domain::operator::Operator;
use pdsno::domain::policy::{DiscoveryPolicy, Policy, Probing};
use pdsno::domain::protocol::Protocol;
use pdsno::domain::subnet::Subnet;
use pdsno::domain::time::Clock;
use pdsno::domain::token::{BootstrapToken, TokenLifetime};
use pdsno::eastwest::bus::Bus;
use pdsno::nib::NibStore;
use pdsno::nib::sqlite::{OpenMode, SqliteNib};
use pdsno::nib::writer::NibWriter;
use pdsno::wire::validation::Metadata;
use tempfile::TempDir;

/// How long a controller may take to get its name.
const PATIENCE: Duration = Duration::from_secs(60);

/// Weighs what a controller sends.
struct Scale {
    octets: Arc<AtomicU64>,
    dispatch: Recipient<Dispatch>,
}

impl Actor for Scale {
    type Context = Context<Self>;
}

impl Handler<Dispatch> for Scale {
    type Result = Result<(), Undeliverable>;

    fn handle(&mut self, message: Dispatch, _: &mut Self::Context) -> Self::Result {
        self.octets.fetch_add(message.bytes.len() as u64, Ordering::Relaxed);
        self.dispatch.try_send(message).map_err(|_| Undeliverable::Ended)
    }
}

/// What the controllers of a bench have in common.
pub struct Site {
    /// Their network.
    pub bus: Bus,
    /// Their clock.
    pub clock: Arc<SystemClock>,
    /// What was sent, when it is weighed.
    pub octets: Option<Arc<AtomicU64>>,
    folder: TempDir,
    vendors: Arc<VendorTable>,
    started: usize,
}

/// What one of them is.
pub struct Plan {
    /// Its tier.
    pub role: Role,
    /// Its region, unless it is the Global Controller.
    pub region: Option<Region>,
    /// Whom it asks, and with what.
    pub parent: Option<(ControllerId, BootstrapToken)>,
    /// Who sweeps for it, and what.
    pub sweep: Option<(Box<dyn Sweep>, Vec<Subnet>)>,
}

impl Site {
    /// Nobody yet.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            bus: Bus::new(),
            clock: Arc::new(SystemClock::start()),
            octets: None,
            folder: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?,
            vendors: Arc::new(VendorTable::builtin()),
            started: 0,
        })
    }

    /// A store in a fresh file.
    pub fn store(&mut self) -> anyhow::Result<SqliteNib> {
        self.started += 1;
        let path = self.folder.path().join(self.started.to_string());
        Ok(SqliteNib::open(&path, OpenMode::Migrate { actor: "standalone", at: self.clock.now() })?)
    }

    /// Starts a controller.
    pub async fn start(&mut self, plan: Plan) -> anyhow::Result<Node> {
        let store = self.store()?;
        let readers = (0..READERS).map(|_| store.reader()).collect::<Result<_, _>>()?;
        let nib = NibActor::new(NibWriter::start(Box::new(store))?, readers).start();
        let port = self.bus.port().start();
        let dispatch = match &self.octets {
            None => port.clone().recipient(),
            Some(octets) => {
                Scale { octets: Arc::clone(octets), dispatch: port.clone().recipient() }.start().recipient()
            }
        };
        let carrier = Carrier { dispatch, attach: port.recipient() };
        let (parent, token) = plan.parent.unzip();
        let (sweep, subnets) = plan.sweep.unzip();
        let settings = NodeSettings {
            membership: MembershipSettings {
                cluster: Cluster::default(),
                role: plan.role,
                region: plan.region.clone(),
                parent,
                metadata: Metadata::default(),
            },
            quotas: Quotas { regional: 1_000, local: 100_000 },
            freshness: Duration::from_secs(300),
            policy: policy(),
            discovery: subnets.map(|subnets| self.discovery(plan.region, subnets)),
        };
        let entropy = Arc::new(SystemEntropy);
        let keys = Arc::new(MemoryKeys::new(Arc::clone(&entropy) as _));
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Node::start(settings, Surroundings { clock, entropy, nib, keys, carrier, sweep, token }).await
    }

    /// The trust root.
    pub async fn global(&mut self) -> anyhow::Result<Node> {
        let global = self.start(Plan { role: Role::Global, region: None, parent: None, sweep: None }).await?;
        joined(&global).await?;
        Ok(global)
    }

    /// A Regional Controller below it.
    pub async fn regional(&mut self, global: &Node, region: &str) -> anyhow::Result<Node> {
        let region: Region = region.parse()?;
        let token = token(global, Role::Regional, &region).await?;
        let parent = Some((joined(global).await?, token));
        let regional = self.start(Plan { role: Role::Regional, region: Some(region), parent, sweep: None }).await?;
        joined(&regional).await?;
        Ok(regional)
    }

    fn discovery(&self, region: Option<Region>, subnets: Vec<Subnet>) -> DiscoverySettings {
        DiscoverySettings {
            actor: ControllerId::standalone(),
            local_controller: None,
            region,
            subnets,
            interface: None,
            policy: policy().discovery,
            credentials: Vec::new().into(),
            vendors: Arc::clone(&self.vendors),
            report: None,
            answered: None,
        }
    }
}

/// As in `config/policy_default.yaml`.
fn policy() -> Policy {
    Policy {
        discovery: DiscoveryPolicy {
            interval: Duration::from_secs(300),
            missed_cycles_before_inactive: 3,
            protocols: Protocol::ALL.to_vec(),
            neighbours: false,
            counters: false,
            probing: Probing::default(),
        },
        lc_report_timeout: Duration::from_secs(900),
        emergency_rate_limit_per_hour: 5,
        discovery_spike_threshold: 50,
    }
}

/// A token of a parent.
pub async fn token(parent: &Node, role: Role, region: &Region) -> anyhow::Result<BootstrapToken> {
    let order = TokenOrder { role, region: region.clone(), lifetime: TokenLifetime::default() };
    let registry = parent.parts.registry.as_ref().context("it lets nobody in")?;
    Ok(registry.send(IssueToken { order, by: Operator { user: None, uid: 0 } }).await??)
}

/// Waits until a controller has its name.
pub async fn joined(node: &Node) -> anyhow::Result<ControllerId> {
    let named = async {
        loop {
            match node.way.ask(|reader| reader.membership()).await? {
                Some(own) => return anyhow::Ok(own.id),
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, named).await.context("a controller was not let in")?
}
