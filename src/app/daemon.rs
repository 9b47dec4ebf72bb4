//! The daemon: a controller from its start to its end.
//!
//! In this order: check the whole configuration, open the sockets, bind the listener, take the data
//! folder and its NIB, give up every privilege, and only then start a thread. So a start that is
//! refused has changed nothing, and nothing that runs has a right that it does not need.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, System};
use actix_web::dev::ServerHandle;
use anyhow::{Context, anyhow};
use serde_json::json;
use tracing::{error, info, warn};

use crate::actors::discovery::{BeginSchedule, Reconfigure, StartCycle};
use crate::actors::health::Cover;
use crate::actors::link_watch::{LinkWatch, StopWatching};
use crate::app::clock::SystemClock;
use crate::app::config::{Config, Loaded, Mode, Sources};
use crate::app::controller::{LocalController, OpenNib, actor, discovery_settings};
use crate::app::failure::Failure;
use crate::app::hierarchy;
use crate::app::maintenance::open_nib;
use crate::app::privileges;
use crate::app::reload::{problems, reload};
use crate::app::sd_notify::ServiceManager;
use crate::app::signals::{Asked, Signals};
use crate::app::socket::AdminSocket;
use crate::app::watch;
use crate::app::ways;
use crate::domain::controller::Role;
use crate::domain::cycle::Trigger;
use crate::domain::event::EventType;
use crate::domain::subnet::listed;
use crate::domain::time::Clock;
use crate::northbound::http::{Listeners, serve};
use crate::southbound::carrier::SocketCarrier;
use crate::southbound::interfaces::links;
use crate::southbound::routes::Routes;

/// How long a drain may take.
pub(super) const DRAIN: Duration = Duration::from_secs(5);

/// Runs a controller until a signal ends it. `sources` reads the configuration again on SIGHUP.
///
/// # Errors
/// [`Failure::Usage`] when it cannot be started, and then nothing is sent or written;
/// [`Failure::Failed`] when it could not end in order.
pub fn run(loaded: Loaded, sources: impl Fn() -> Sources) -> Result<(), Failure> {
    check_mode(&loaded.config)?;
    if matches!(loaded.config.controller.role, Some(Role::All | Role::Global)) {
        return hierarchy::run(loaded, sources);
    }
    let config = loaded.config;
    check_role(&config)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let settings = discovery_settings(&config).map_err(Failure::Usage)?;
    let (carrier, lost) = ways::open(&settings, SocketCarrier::MOST_LINKS)?;
    let ears = watch::open()?;
    let listener = config.communication.listen.map(bind).transpose().map_err(Failure::Usage)?;
    let (store, folder) = open_nib(&config.nib, &actor(&config), clock.now())?;
    let nib = OpenNib::new(Box::new(store)).map_err(Failure::Failed)?;
    let (socket, admin) = AdminSocket::bind(&folder).map_err(Failure::usage)?;
    privileges::drop_all().map_err(Failure::failed)?;

    System::new().block_on(async move {
        let mut signals = Signals::new().map_err(Failure::failed)?;
        let controller = LocalController::start(&config, settings, nib, carrier, Arc::clone(&clock))
            .await
            .map_err(Failure::Failed)?;
        let watch = watch::start(ears, &config, &clock, &controller.parts, &controller.discovery, LinkWatch::start);
        let watch = watch.await.map_err(Failure::Failed)?;
        let listening = listener.as_ref().and_then(|listener| listener.local_addr().ok());
        let listeners = Listeners { tcp: listener, admin: Some(admin) };
        let server = serve(listeners, controller.parts.clone()).context("cannot serve").map_err(Failure::Failed)?;
        let handle = server.handle();
        actix::spawn(server);
        info!(
            version = env!("CARGO_PKG_VERSION"),
            subnets = listed(&config.controller.subnets),
            data = %folder.path().display(),
            listen = listening.map(|address| address.to_string()),
            "local controller started"
        );
        if let Some(lost) = lost {
            warn!("{lost}");
        }
        let started =
            json!({ "version": env!("CARGO_PKG_VERSION"), "role": Role::Local, "subnets": config.controller.subnets });
        controller.record(EventType::ControllerStarted, started).await.map_err(Failure::Failed)?;
        let begun = controller.discovery.send(BeginSchedule).await;
        begun.context("discovery has ended").map_err(Failure::Failed)?;

        let manager = ServiceManager::of_this_process();
        manager.ready();
        let health = [controller.health.clone().recipient()];
        let ended_by = tokio::select! {
            ended_by = attend(&mut signals, config, &controller, watch.as_ref(), sources) => ended_by,
            never = manager.keep_alive(&health) => match never {},
        };
        manager.stopping();
        info!(signal = ended_by, "stopping");
        tokio::select! {
            stopped = drain(watch, controller, handle, ended_by) => stopped.map_err(Failure::Failed)?,
            never = signals.second() => match never {},
        }
        info!("stopped");
        drop(socket);
        drop(folder);
        Ok(())
    })
}

/// The way to speak that comes later.
fn check_mode(config: &Config) -> Result<(), Failure> {
    match config.communication.mode {
        Mode::InProcess => Ok(()),
        mode => Err(Failure::Usage(anyhow!(
            "communication.mode {mode} comes with a later version; in_process is the one that there is"
        ))),
    }
}

/// The ways to run that come later.
fn check_role(config: &Config) -> Result<(), Failure> {
    match (config.controller.role, &config.controller.parent) {
        (Some(Role::Local), None) => Ok(()),
        (Some(role @ (Role::Regional | Role::Local)), parent) => {
            let parent = parent.as_ref().map_or_else(|| "its parent".to_owned(), ToString::to_string);
            let alone = if role == Role::Local { ", or unset controller.parent_id to run it standalone" } else { "" };
            Err(Failure::Usage(anyhow!(
                "a {role} controller reaches {parent} in another process by communication.mode rest+mqtt, which comes \
                 with a later version; run the three tiers in one process with --role all{alone}"
            )))
        }
        _ => Err(Failure::Usage(anyhow!("no role is set; say --role local, or --role all for three tiers"))),
    }
}

/// Binds the listener.
pub(super) fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).with_context(|| {
        format!("cannot listen on {address}; name another address with --listen, or none with --listen none")
    })
}

/// Does what signals ask for, until one asks to end; tells which.
async fn attend(
    signals: &mut Signals,
    mut config: Config,
    controller: &LocalController,
    watch: Option<&Addr<LinkWatch>>,
    sources: impl Fn() -> Sources,
) -> &'static str {
    loop {
        match signals.next().await {
            Asked::End(signal) => return signal,
            Asked::Cycle => scan_now(controller).await,
            Asked::Reload => {
                if let Err(error) = take_over(&mut config, controller, watch, sources()).await {
                    error!(error = %format!("{error:#}"), "the configuration was not taken over");
                }
            }
        }
    }
}

async fn scan_now(controller: &LocalController) {
    match controller.discovery.send(StartCycle(Trigger::OnDemand)).await {
        Ok(Ok(_)) => info!("discovery cycle asked for by SIGUSR1"),
        Ok(Err(refused)) => warn!(%refused, "SIGUSR1 left out"),
        Err(error) => error!(%error, "discovery does not answer"),
    }
}

async fn take_over(
    config: &mut Config,
    controller: &LocalController,
    watch: Option<&Addr<LinkWatch>>,
    sources: Sources,
) -> anyhow::Result<()> {
    let mut routes = Routes::open().context("cannot ask for routes")?;
    let (event, payload) = match reload(sources, config, &links(), |address| routes.to(address)) {
        Ok(taken) => {
            let payload = json!({ "needs_restart": taken.restart });
            let subnets = taken.settings.subnets.clone();
            controller.health.send(Cover(subnets.clone())).await?;
            controller.discovery.send(Reconfigure(taken.settings)).await?;
            watch::cover(watch, subnets).await;
            *config = taken.config;
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
    controller.record(event, payload).await
}

async fn drain(
    watch: Option<Addr<LinkWatch>>,
    controller: LocalController,
    server: ServerHandle,
    signal: &str,
) -> anyhow::Result<()> {
    if let Some(watch) = watch {
        // One that has ended notices nothing either.
        let _stopped = watch.send(StopWatching).await;
    }
    server.stop(true).await;
    controller.stop(DRAIN, Some(json!({ "signal": signal }))).await
}
