//! A Local Controller as it runs: its actors and how they are joined.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, MailboxError};
use anyhow::{Context, anyhow};

use crate::actors::REQUEST_DEADLINE;
use crate::actors::discovery::demand::Wishes;
use crate::actors::discovery::{CycleResult, DiscoveryActor, DiscoverySettings, Drain, Refused, StartCycle};
use crate::actors::health::{HealthActor, Identity, Watch};
use crate::actors::nib::{Close, Commit, Freeze, Nib, NibActor, READERS};
use crate::actors::sweeper::{Progress, Sweeper};
use crate::algorithms::discovery::credentials::prepare;
use crate::algorithms::discovery::vendor::VendorTable;
use crate::app::audit::check_at_start;
use crate::app::config::Config;
use crate::app::user::user_name;
use crate::domain::change::Change;
use crate::domain::controller::{ControllerId, Role};
use crate::domain::cycle::Trigger;
use crate::domain::event::{EventType, NewEvent};
use crate::domain::time::Clock;
use crate::nib::writer::NibWriter;
use crate::nib::{NibReader, NibStore};
use crate::northbound::http::Parts;
use crate::southbound::carrier::SocketCarrier;
use crate::southbound::interfaces::links;

/// A NIB that is open: where to write, and readers beside.
pub struct OpenNib {
    pub(super) store: Box<dyn NibStore>,
    pub(super) readers: Vec<Box<dyn NibReader>>,
}

impl OpenNib {
    /// Opens the readers of a store.
    ///
    /// # Errors
    /// When no reader can be opened.
    pub fn new(store: Box<dyn NibStore>) -> anyhow::Result<Self> {
        let readers = (0..READERS).map(|_| store.reader()).collect::<Result<_, _>>()?;
        Ok(Self { store, readers })
    }

    /// For those who look before anything runs.
    pub(super) fn reader(&self) -> anyhow::Result<&dyn NibReader> {
        Ok(self.readers.first().context("the NIB has no reader")?.as_ref())
    }

    /// Why nothing may be written to it; to be asked before anything is.
    pub(super) fn frozen(&self) -> anyhow::Result<Option<Freeze>> {
        Ok(check_at_start(self.reader()?)?)
    }
}

/// The actors of a Local Controller.
pub struct LocalController {
    /// Discovers.
    pub discovery: Addr<DiscoveryActor>,
    /// Keeps.
    pub nib: Addr<NibActor>,
    /// Knows how the others do.
    pub health: Addr<HealthActor>,
    /// How far the present sweep is.
    pub progress: Arc<Progress>,
    /// Whom its API asks.
    pub parts: Parts,
    actor: ControllerId,
    clock: Arc<dyn Clock>,
}

/// The settings of discovery that a configuration makes.
///
/// # Errors
/// When the operator's vendor table cannot be read.
pub fn discovery_settings(config: &Config) -> anyhow::Result<DiscoverySettings> {
    let vendors = match &config.controller.oui_file {
        None => VendorTable::builtin(),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read controller.oui_file {}", path.display()))?;
            VendorTable::from_ieee_csv(&text)
                .with_context(|| format!("cannot use controller.oui_file {}", path.display()))?
        }
    };
    Ok(DiscoverySettings {
        actor: actor(config),
        local_controller: config.controller.id.clone(),
        region: config.controller.region.clone(),
        subnets: config.controller.subnets.clone(),
        interface: config.controller.interface.clone(),
        policy: config.policy.discovery.clone(),
        credentials: prepare(&config.security.preferred()),
        vendors: Arc::new(vendors),
        report: None,
        answered: None,
    })
}

/// The name that a controller's events are signed with.
pub fn actor(config: &Config) -> ControllerId {
    config.controller.id.clone().unwrap_or_else(ControllerId::standalone)
}

impl LocalController {
    /// Starts the actors. Nothing is sent before a cycle is asked for.
    ///
    /// # Errors
    /// When the system gives no thread or no randomness.
    pub async fn start(
        config: &Config,
        settings: DiscoverySettings,
        nib: OpenNib,
        carrier: SocketCarrier,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let identity = Identity {
            role: Role::Local,
            controller_id: config.controller.id.clone(),
            region: config.controller.region.clone(),
            subnets: config.controller.subnets.clone(),
            version: env!("CARGO_PKG_VERSION"),
            started_at: clock.now(),
        };
        let seed = getrandom::u64().map_err(|error| anyhow!("the system gives no random numbers: {error}"))?;
        let sweeper = Sweeper::start(carrier, links, Arc::clone(&clock)).context("cannot start the sweeper thread")?;
        let writer = NibWriter::start(nib.store).context("cannot start the writer thread")?;
        let actor = settings.actor.clone();
        let progress = sweeper.progress();
        let nib = NibActor::new(writer, nib.readers).start();
        let health = HealthActor::new(identity, Arc::clone(&clock)).start();
        let discovery = DiscoveryActor::new(
            settings,
            Arc::clone(&clock),
            seed,
            Box::new(sweeper),
            nib.clone().recipient(),
            nib.clone().recipient(),
            health.clone().recipient(),
        )
        .start();
        for watch in [Watch("nib", nib.clone().recipient()), Watch("discovery", discovery.clone().recipient())] {
            health.send(watch).await.context("the health actor has ended")?;
        }
        let way = Nib::new(nib.clone().recipient(), nib.clone().recipient(), seed);
        let parts = Parts {
            health: health.clone(),
            nib: Some(way.clone()),
            discovery: Some(discovery.clone().recipient()),
            registry: None,
            audit: None,
            policy: None,
            presence: None,
            demand: None,
            wishes: Some(Wishes::new(way, Arc::clone(&clock), Some(actor.clone()))),
            user_name,
        };
        Ok(Self { discovery, nib, health, progress, parts, actor, clock })
    }

    /// Writes one event of the controller itself.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn record(&self, event_type: EventType, payload: serde_json::Value) -> anyhow::Result<()> {
        let event = NewEvent {
            event_type,
            actor: self.actor.to_string(),
            subject: self.actor.to_string(),
            timestamp: self.clock.now(),
            payload,
        };
        let answer = self.nib.send(Commit(vec![Change::Append(event)]));
        tokio::time::timeout(REQUEST_DEADLINE, answer).await.context("the NIB does not answer")???;
        Ok(())
    }

    /// Runs one cycle and waits for its end.
    ///
    /// # Errors
    /// The refusal when one is going on, or when the actor has ended.
    pub async fn run_cycle(&self, trigger: Trigger) -> anyhow::Result<CycleResult> {
        let accepted: Result<_, Refused> = self.discovery.send(StartCycle(trigger)).await?;
        accepted?.await.context("the cycle has not ended")
    }

    /// Drains: no new cycle, the present one ended, everything in hand written, the NIB closed.
    ///
    /// # Errors
    /// When the limit passes or the NIB cannot be closed in order.
    pub async fn stop(self, limit: Duration, last_words: Option<serde_json::Value>) -> anyhow::Result<()> {
        let drain = async {
            match self.discovery.send(Drain).await {
                Ok(drained) => drained.await.context("discovery did not drain")?,
                // Who has drained is gone.
                Err(MailboxError::Closed) => {}
                Err(error) => return Err(error.into()),
            }
            if let Some(payload) = last_words {
                self.record(EventType::ControllerStopped, payload).await?;
            }
            self.nib.send(Close).await??;
            anyhow::Ok(())
        };
        tokio::time::timeout(limit, drain)
            .await
            .map_err(|_| anyhow!("not everything was finished within {} s", limit.as_secs()))?
    }
}
