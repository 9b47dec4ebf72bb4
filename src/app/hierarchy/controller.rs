//! One controller of the process, from its opened folder on.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, Recipient};
use anyhow::Context as _;
use serde_json::Value;

use crate::actors::discovery::DiscoverySettings;
use crate::actors::discovery::demand::Wishes;
use crate::actors::health::{HealthActor, Identity, Note};
use crate::actors::identity::Became;
use crate::actors::link_watch::{Ears, LinkWatch, StopWatching};
use crate::actors::membership::{MembershipSettings, MembershipStatus};
use crate::actors::nib::{Close, Freeze, Nib, NibActor};
use crate::actors::post::Carrier;
use crate::actors::registry::RegistryActor;
use crate::actors::sweeper::{Sweep, Sweeper};
use crate::actors::validation::Quotas;
use crate::app::config::Config;
use crate::app::controller::OpenNib;
use crate::app::folder::DataFolder;
use crate::app::hierarchy::open::Opened;
use crate::app::keys::KeyFiles;
use crate::app::node::{Entrance, Node, NodeSettings, Surroundings};
use crate::app::socket::AdminSocket;
use crate::app::user::user_name;
use crate::app::watch;
use crate::domain::controller::Role;
use crate::domain::entropy::Entropy;
use crate::domain::registry::Membership;
use crate::domain::time::Clock;
use crate::eastwest::bus::Bus;
use crate::nib::writer::NibWriter;
use crate::northbound::audit::Heads;
use crate::northbound::http::Parts;
use crate::southbound::carrier::SocketCarrier;
use crate::southbound::interfaces::links;
use crate::wire::validation::Metadata;

/// As many as a region is meant to have: one for each /24 of a site, and a spare for each Regional
/// Controller.
const QUOTAS: Quotas = Quotas { regional: 8, local: 64 };

/// What the controllers of a process share.
pub(super) struct Shared {
    pub bus: Bus,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// What only the one has that discovers.
pub(super) struct Discovering {
    pub settings: DiscoverySettings,
    pub carrier: SocketCarrier,
    pub ears: Ears,
}

/// A controller and its folder, which is free when this is dropped.
pub(super) struct Controller {
    pub role: Role,
    pub state: State,
    /// Of the one that discovers.
    pub watch: Option<Addr<LinkWatch>>,
    /// Before the folder: it is this one's socket that goes.
    _socket: AdminSocket,
    _folder: DataFolder,
}

/// How a controller runs.
pub(super) enum State {
    /// As it should.
    Works(Box<Node>),
    /// Its log is not what was sealed: nothing is written, and it speaks to nobody.
    Answers(Addr<NibActor>),
}

impl Controller {
    /// Starts the actors of a controller. One that works does nothing before it is let in at its entrance.
    pub(super) async fn start(
        opened: Opened,
        discovering: Option<Discovering>,
        config: &Config,
        shared: &Shared,
        became: Vec<Recipient<Became>>,
    ) -> anyhow::Result<(Self, Parts, Option<Entrance>)> {
        let Opened { role, nib: OpenNib { store, readers }, membership, frozen, socket, folder, .. } = opened;
        let writer = NibWriter::start(store).context("cannot start the writer thread")?;
        let nib = NibActor::new(writer, readers).start();
        let mut watch = None;
        let (state, parts, entrance) = if let (Some(frozen), Some(own)) = (frozen, membership) {
            let parts = answering(&nib, frozen, own, shared).await?;
            (State::Answers(nib), parts, None)
        } else {
            let (discovering, ears) = discovering.map(|it| ((it.settings, it.carrier), it.ears)).unzip();
            let (settings, sweep) = settings(role, config, discovering, shared)?;
            let port = shared.bus.port().start();
            let around = Surroundings {
                clock: Arc::clone(&shared.clock),
                entropy: Arc::clone(&shared.entropy),
                nib,
                keys: Arc::new(KeyFiles::new(folder.path(), Arc::clone(&shared.entropy))),
                carrier: Carrier { dispatch: port.clone().recipient(), attach: port.recipient() },
                sweep,
                token: None,
            };
            let (node, entrance) = Node::prepare(settings, around, became).await?;
            let parts = working(&node, &shared.clock);
            if let (Some(ears), Some(discovery)) = (ears, &node.parts.discovery) {
                let start = |watch| node.start_beside(watch);
                watch = watch::start(ears, config, &shared.clock, &parts, discovery, start).await?;
            }
            (State::Works(Box::new(node)), parts, Some(entrance))
        };
        Ok((Self { role, state, watch, _socket: socket, _folder: folder }, parts, entrance))
    }

    /// Its actors, if it works.
    pub(super) fn node(&self) -> Option<&Node> {
        match &self.state {
            State::Works(node) => Some(node),
            State::Answers(_) => None,
        }
    }

    /// Shows in its status that it waits for a parent.
    pub(super) fn waits(&self, parent: Role) {
        let reason = format!("the {parent} controller of this process has no name yet");
        let waits =
            MembershipStatus::PendingValidation { attempt: 0, last_reason: Some(reason), next_attempt_at: None };
        if let (Some(node), Ok(value)) = (self.node(), serde_json::to_value(waits)) {
            // Nobody else has told it anything yet.
            let _told = node.health.try_send(Note { section: "membership", value });
        }
    }

    /// Ends it in order.
    pub(super) async fn stop(self, limit: Duration, last_words: Value) -> anyhow::Result<()> {
        if let Some(watch) = self.watch {
            // One that has ended notices nothing either.
            let _stopped = watch.send(StopWatching).await;
        }
        let stopped = match self.state {
            State::Works(node) => node.stop(limit, last_words).await,
            State::Answers(nib) => nib.send(Close).await.map_err(Into::into).and_then(|closed| Ok(closed?)),
        };
        stopped.with_context(|| format!("the {} controller did not end in order", self.role))
    }
}

fn settings(
    role: Role,
    config: &Config,
    discovering: Option<(DiscoverySettings, SocketCarrier)>,
    shared: &Shared,
) -> anyhow::Result<(NodeSettings, Option<Box<dyn Sweep>>)> {
    let (discovery, sweep) = match discovering {
        None => (None, None),
        Some((settings, carrier)) => {
            let sweeper = Sweeper::start(carrier, links, Arc::clone(&shared.clock));
            let sweeper: Box<dyn Sweep> = Box::new(sweeper.context("cannot start the sweeper thread")?);
            (Some(settings), Some(sweeper))
        }
    };
    let settings = NodeSettings {
        membership: MembershipSettings {
            cluster: config.controller.cluster.clone(),
            role,
            region: config.controller.region.clone().filter(|_| role != Role::Global),
            parent: None,
            metadata: Metadata::default(),
        },
        quotas: QUOTAS,
        freshness: config.security.freshness_window,
        policy: config.policy.distributed(),
        discovery,
    };
    Ok((settings, sweep))
}

/// Whom the API of a controller asks that works.
fn working(node: &Node, clock: &Arc<dyn Clock>) -> Parts {
    let Node { parts, way, health, .. } = node;
    Parts {
        health: health.clone(),
        nib: Some(way.clone()),
        // The one who knows whether the controller may discover yet.
        discovery: parts.discovery.as_ref().map(|_| parts.conductor.clone().recipient()),
        registry: parts.registry.clone(),
        audit: Some(Heads { newest: parts.audit.clone().recipient(), make: parts.audit.clone().recipient() }),
        policy: Some(parts.policy.clone()),
        presence: Some(parts.presence.clone().recipient()),
        demand: parts.view.clone().map(Addr::recipient),
        wishes: Some(Wishes::new(way.clone(), Arc::clone(clock), None)),
        user_name,
    }
}

/// Makes the NIB read-only, and starts those who can be asked about what is in it.
async fn answering(nib: &Addr<NibActor>, frozen: Freeze, own: Membership, shared: &Shared) -> anyhow::Result<Parts> {
    nib.send(frozen.clone()).await?;
    let (role, registry) = (own.role, (own.role != Role::Local));
    let identity = Identity {
        role,
        controller_id: Some(own.id),
        region: own.region,
        subnets: Vec::new(),
        version: env!("CARGO_PKG_VERSION"),
        started_at: shared.clock.now(),
    };
    let health = HealthActor::new(identity, Arc::clone(&shared.clock)).start();
    health.send(frozen).await?;
    let way = Nib::new(nib.clone().recipient(), nib.clone().recipient(), 0);
    let (clock, entropy) = (Arc::clone(&shared.clock), Arc::clone(&shared.entropy));
    let registry = registry.then(|| RegistryActor::new(way.clone(), None, clock, entropy).start());
    Ok(Parts {
        health,
        nib: Some(way),
        discovery: None,
        registry,
        audit: None,
        policy: None,
        presence: None,
        demand: None,
        wishes: None,
        user_name,
    })
}
