//! The controllers of a process as they run.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix::{AsyncContext, Context, Recipient};
use actix_web::dev::ServerHandle;
use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::actors::discovery::{DiscoverySettings, StartCycle};
use crate::actors::health::{CheckHealth, Cover};
use crate::actors::link_watch::Ears;
use crate::actors::registry::TokenOrder;
use crate::app::config::{Config, Sources};
use crate::app::daemon::DRAIN;
use crate::app::entropy::SystemEntropy;
use crate::app::hierarchy::controller::{Controller, Discovering, Shared};
use crate::app::hierarchy::open::Opened;
use crate::app::hierarchy::usher::Usher;
use crate::app::node::{Node, Record, Reload};
use crate::app::reload::{problems, reload};
use crate::app::signals::{Asked, Signals};
use crate::app::watch;
use crate::domain::controller::Role;
use crate::domain::cycle::Trigger;
use crate::domain::event::EventType;
use crate::domain::operator::Operator;
use crate::domain::time::Clock;
use crate::domain::token::TokenLifetime;
use crate::eastwest::bus::Bus;
use crate::northbound::http::{Listeners, Parts, serve};
use crate::southbound::carrier::SocketCarrier;
use crate::southbound::interfaces::links;
use crate::southbound::routes::Routes;

/// A controller that has used up the time for all may still close its NIB.
const LEAST: Duration = Duration::from_millis(500);

/// What the process has of the world outside.
pub(super) struct Outside {
    /// For the controller that discovers.
    pub carrier: Option<(SocketCarrier, Ears)>,
    /// Where the topmost controller is read over TCP.
    pub listener: Option<TcpListener>,
    pub clock: Arc<dyn Clock>,
    /// Who runs this process.
    pub operator: Operator,
}

/// The controllers of the process, the topmost first.
pub(super) struct Running {
    config: Config,
    controllers: Vec<Controller>,
    servers: Vec<ServerHandle>,
    /// Who knows how each controller does.
    pub(super) health: Vec<Recipient<CheckHealth>>,
}

impl Running {
    /// Starts all controllers. Each that has a name goes on as what it is; each other one is led to the
    /// one above as soon as that has a name.
    pub(super) async fn start(
        config: Config,
        settings: DiscoverySettings,
        opened: Vec<Opened>,
        outside: Outside,
    ) -> anyhow::Result<Self> {
        let Outside { carrier, mut listener, clock, operator } = outside;
        let shared = Shared { bus: Bus::new(), clock, entropy: Arc::new(SystemEntropy) };
        let mut discovering = carrier.map(|(carrier, ears)| Discovering { settings, carrier, ears });
        let mut running = Self { config, controllers: Vec::new(), servers: Vec::new(), health: Vec::new() };
        // Where the newcomer below is waited for, and who makes its token.
        let mut above: Option<(Role, Context<Usher>, _)> = None;
        let mut opened = opened.into_iter().peekable();
        while let Some(mut next) = opened.next() {
            let role = next.role;
            let newcomer = opened.peek().filter(|below| below.membership.is_none());
            let usher = newcomer.map(|_| Context::<Usher>::new());
            let became = usher.iter().map(|usher| usher.address().recipient()).collect();
            let admin = next.admin.take();
            let discovering = if role == Role::Local { discovering.take() } else { None };
            let (controller, parts, entrance) =
                Controller::start(next, discovering, &running.config, &shared, became).await?;
            let registry = parts.registry.clone();
            running.serve(Listeners { tcp: listener.take(), admin }, parts)?;
            match (above.take(), entrance, running.config.controller.region.clone()) {
                (Some((parent, usher, Some(registry))), entrance, Some(region)) => {
                    let order = TokenOrder { role, region, lifetime: TokenLifetime::default() };
                    controller.waits(parent);
                    usher.run(Usher { registry, order, by: operator.clone(), entrance });
                }
                (_, Some(entrance), _) => entrance.enter(),
                _ => {}
            }
            above = usher.map(|usher| (role, usher, registry));
            running.controllers.push(controller);
        }
        Ok(running)
    }

    fn serve(&mut self, listeners: Listeners, parts: Parts) -> anyhow::Result<()> {
        self.health.push(parts.health.clone().recipient());
        let server = serve(listeners, parts).context("cannot serve")?;
        self.servers.push(server.handle());
        actix::spawn(server);
        Ok(())
    }

    /// Does what signals ask for, until one asks to end; tells which.
    pub(super) async fn attend(&mut self, signals: &mut Signals, sources: impl Fn() -> Sources) -> &'static str {
        loop {
            match signals.next().await {
                Asked::End(signal) => return signal,
                Asked::Cycle => self.scan_now().await,
                Asked::Reload => {
                    if let Err(error) = self.take_over(sources()).await {
                        error!(error = %format!("{error:#}"), "the configuration was not taken over");
                    }
                }
            }
        }
    }

    async fn scan_now(&self) {
        let Some(local) = self.working(Role::Local) else {
            return warn!("SIGUSR1 left out: no controller of this process discovers");
        };
        match local.parts.conductor.send(StartCycle(Trigger::OnDemand)).await {
            Ok(Ok(_)) => info!("discovery cycle asked for by SIGUSR1"),
            Ok(Err(refused)) => warn!(%refused, "SIGUSR1 left out"),
            Err(error) => error!(%error, "discovery does not answer"),
        }
    }

    fn working(&self, role: Role) -> Option<&Node> {
        self.controllers.iter().find(|controller| controller.role == role).and_then(Controller::node)
    }

    /// Reads the configuration again. What may change while it runs is the Local Controller's; policy is
    /// what the Global Controller passes down.
    async fn take_over(&mut self, sources: Sources) -> anyhow::Result<()> {
        let mut routes = Routes::open().context("cannot ask for routes")?;
        let (event, payload) = match reload(sources, &self.config, &links(), |address| routes.to(address)) {
            Ok(taken) => {
                let payload = json!({ "needs_restart": taken.restart });
                let subnets = taken.settings.subnets.clone();
                if let Some(local) = self.working(Role::Local) {
                    local.health.send(Cover(subnets.clone())).await?;
                    local.parts.conductor.send(Reload(taken.settings)).await?;
                }
                for controller in &self.controllers {
                    watch::cover(controller.watch.as_ref(), subnets.clone()).await;
                }
                if taken.config.policy.distributed() != self.config.policy.distributed() {
                    warn!(
                        "policy.* of the configuration is the first policy only, and does not replace the one in \
                         effect: set a policy at the Global Controller"
                    );
                }
                self.config = taken.config;
                for key in taken.restart {
                    warn!(key, "changed in the configuration, but holds only after a restart");
                }
                info!("configuration read again and taken over");
                (EventType::ConfigReloaded, payload)
            }
            Err(refusal) => {
                let problems = problems(&refusal);
                error!("configuration read again and refused; the old values stay");
                for problem in &problems {
                    error!(problem, "configuration");
                }
                (EventType::ConfigRejected, json!({ "problems": problems }))
            }
        };
        self.record(event, payload).await
    }

    /// Writes what happened to the configuration into the log of the controller whose values it has.
    async fn record(&self, event: EventType, payload: Value) -> anyhow::Result<()> {
        let whose = self.working(Role::Local).or_else(|| self.working(Role::Global));
        if let Some(node) = whose {
            node.parts.conductor.send(Record(event, payload)).await??;
        }
        Ok(())
    }

    /// Ends the servers, then the controllers, the lowest first: what it has in hand the one above can
    /// still take.
    pub(super) async fn stop(self, signal: &str) -> anyhow::Result<()> {
        let servers: Vec<_> = self.servers.iter().map(|server| actix::spawn(server.stop(true))).collect();
        for server in servers {
            server.await?;
        }
        let deadline = Instant::now() + DRAIN;
        let mut ended = Ok(());
        for controller in self.controllers.into_iter().rev() {
            let left = deadline.saturating_duration_since(Instant::now()).max(LEAST);
            let stopped = controller.stop(left, json!({ "signal": signal })).await;
            // One that does not end keeps none of the others from it.
            ended = ended.and(stopped);
        }
        ended
    }
}
