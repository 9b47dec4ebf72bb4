//! Starts the watch over the network of a controller that discovers and runs.

use std::sync::Arc;

use actix::{Actor, Addr};
use anyhow::Context;

use crate::actors::discovery::{DiscoveryActor, Follow};
use crate::actors::health::Watch;
use crate::actors::link_watch::{Ears, LinkWatch, WatchLinks};
use crate::app::config::Config;
use crate::app::failure::Failure;
use crate::domain::time::Clock;
use crate::northbound::http::Parts;
use crate::southbound::interfaces::links;

/// Opens what the watch hears by; to be done before privileges are given up.
pub(super) fn open() -> Result<Ears, Failure> {
    Ears::open().context("cannot listen to what happens on the network").map_err(Failure::Usage)
}

/// Starts the watch. It asks those for cycles whom operators ask, so none begins too early.
pub(super) async fn start(
    ears: Ears,
    config: &Config,
    clock: &Arc<dyn Clock>,
    parts: &Parts,
    discovery: &Addr<DiscoveryActor>,
) -> anyhow::Result<Option<Addr<LinkWatch>>> {
    let (Some(nib), Some(start)) = (parts.nib.clone(), parts.discovery.clone()) else { return Ok(None) };
    let around = WatchLinks {
        subnets: config.controller.subnets.clone(),
        interface: config.controller.interface.clone(),
        find_links: Box::new(links),
        clock: Arc::clone(clock),
        nib,
        start,
    };
    let watch = LinkWatch::new(around, Some(ears)).start();
    discovery.send(Follow(watch.clone().recipient())).await.context("discovery has ended")?;
    let watched = parts.health.send(Watch("link watch", watch.clone().recipient()));
    watched.await.context("the health actor has ended")?;
    Ok(Some(watch))
}
