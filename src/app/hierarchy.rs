//! The daemon that holds a hierarchy: a Global Controller, and with `--role all` a Regional and a Local
//! one below it.
//!
//! They share the process, its clock and its randomness, and nothing else: each has its folder, its NIB
//! and its keys, and they speak to each other over the bus in sealed messages.
//!
//! ```text
//!   GC ──Became──► Usher of the RC ──IssueToken──► RegistryActor of the GC
//!                        └── parent and token ──► RC ──Became──► Usher of the LC ── … ──► LC
//! ```
//!
//! The start has the order of the standalone [`daemon`](crate::app::daemon): what can be refused comes
//! before anything is written, and what needs a right before the first thread.

mod controller;
mod open;
mod running;
mod usher;

use std::sync::Arc;

use actix::System;
use anyhow::anyhow;
use nix::unistd::Uid;
use tracing::{info, warn};

use crate::app::clock::SystemClock;
use crate::app::config::NibSettings;
use crate::app::config::{Config, Loaded, Sources};
use crate::app::controller::discovery_settings;
use crate::app::daemon::bind;
use crate::app::failure::Failure;
use crate::app::hierarchy::open::{Opened, open};
use crate::app::hierarchy::running::{Outside, Running};
use crate::app::privileges;
use crate::app::sd_notify::ServiceManager;
use crate::app::signals::Signals;
use crate::app::tiers::of_tier;
use crate::app::user::user_name;
use crate::app::watch;
use crate::app::ways;
use crate::domain::controller::{ControllerName, Role};
use crate::domain::operator::Operator;
use crate::domain::subnet::listed;
use crate::domain::time::Clock;
use crate::southbound::carrier::SocketCarrier;

/// Runs the controllers of a hierarchy until a signal ends them. `sources` reads the configuration again
/// on SIGHUP.
///
/// # Errors
/// [`Failure::Usage`] when they cannot be started, and then nothing is sent or written;
/// [`Failure::Failed`] when they could not end in order.
pub fn run(loaded: Loaded, sources: impl Fn() -> Sources) -> Result<(), Failure> {
    let config = loaded.config;
    let places = places(&config)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let settings = discovery_settings(&config).map_err(Failure::Usage)?;
    let discovers = places.iter().any(|(role, _)| *role == Role::Local);
    let sockets = if discovers { Some(ways::open(&settings, SocketCarrier::MOST_LINKS)?) } else { None };
    let (carrier, lost) = sockets.unzip();
    let ears = if discovers { Some(watch::open()?) } else { None };
    let carrier = carrier.zip(ears);
    let listener = config.communication.listen.map(bind).transpose().map_err(Failure::Usage)?;
    let opened = open(places, &config, clock.now())?;
    privileges::drop_all().map_err(Failure::failed)?;
    let uid = Uid::current().as_raw();
    let outside = Outside { carrier, listener, clock, operator: Operator { user: user_name(uid), uid } };

    System::new().block_on(async move {
        let mut signals = Signals::new().map_err(Failure::failed)?;
        tell(&config, &opened, &outside);
        if let Some(lost) = lost.flatten() {
            warn!("{lost}");
        }
        let mut running = Running::start(config, settings, opened, outside).await.map_err(Failure::Failed)?;
        let manager = ServiceManager::of_this_process();
        manager.ready();
        let health = running.health.clone();
        let ended_by = tokio::select! {
            ended_by = running.attend(&mut signals, sources) => ended_by,
            never = manager.keep_alive(&health) => match never {},
        };
        manager.stopping();
        info!(signal = ended_by, "stopping");
        tokio::select! {
            stopped = running.stop(ended_by) => stopped.map_err(Failure::Failed)?,
            never = signals.second() => match never {},
        }
        info!("stopped");
        Ok(())
    })
}

fn tell(config: &Config, opened: &[Opened], outside: &Outside) {
    let listening = outside.listener.as_ref().and_then(|listener| listener.local_addr().ok());
    info!(
        version = env!("CARGO_PKG_VERSION"),
        tiers = opened.iter().map(|opened| opened.role.as_str()).collect::<Vec<_>>().join(", "),
        region = config.controller.region.as_ref().map(ToString::to_string),
        subnets = listed(&config.controller.subnets),
        data = %config.nib.data_dir().display(),
        listen = listening.map(|address| address.to_string()),
        "starting"
    );
}

/// The controllers of this process, the topmost first, each with the place of its NIB.
fn places(config: &Config) -> Result<Vec<(Role, NibSettings)>, Failure> {
    let refuse = |text: String| Err(Failure::Usage(anyhow!(text)));
    let of = |role| (role, NibSettings { path: of_tier(&config.nib, role) });
    if let Some(parent) = &config.controller.parent {
        return refuse(format!(
            "controller.parent_id is {parent}, and the Global Controller has nobody above it; with --role all the \
             others find theirs in this process: unset it"
        ));
    }
    let own = ControllerName::Global(1).id();
    match (&config.controller.id, config.controller.role) {
        (Some(id), Some(Role::All)) => refuse(format!(
            "controller.id is {id}, and with --role all there are three controllers, each of which is given its \
             name: unset it"
        )),
        (Some(id), _) if *id != own => {
            refuse(format!("controller.id is {id}, and the name of the Global Controller is {own}: unset it"))
        }
        (_, Some(Role::All)) => Ok([Role::Global, Role::Regional, Role::Local].map(of).to_vec()),
        _ => Ok(vec![(Role::Global, config.nib.clone())]),
    }
}
