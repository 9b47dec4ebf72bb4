//! Starts the watch over the network of a controller that discovers and runs.

use std::sync::Arc;

use actix::Addr;
use anyhow::Context;

use crate::actors::discovery::{DiscoveryActor, Follow};
use crate::actors::health::Watch;
use crate::actors::link_watch::{Cover, Ears, LinkWatch, WatchLinks};
use crate::app::config::Config;
use crate::app::failure::Failure;
use crate::domain::subnet::Subnet;
use crate::domain::time::Clock;
use crate::northbound::http::Parts;
use crate::southbound::interfaces::links;

/// Opens what the watch hears by; to be done before privileges are given up.
pub(super) fn open() -> Result<Ears, Failure> {
    Ears::open().context("cannot listen to what happens on the network").map_err(Failure::Usage)
}

/// Starts the watch, as `start_actor` does it. It asks those for cycles whom operators ask, so none begins too early.
pub(super) async fn start(
    ears: Ears,
    config: &Config,
    clock: &Arc<dyn Clock>,
    parts: &Parts,
    discovery: &Addr<DiscoveryActor>,
    start_actor: impl FnOnce(LinkWatch) -> Addr<LinkWatch>,
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
    let watch = start_actor(LinkWatch::new(around, Some(ears)));
    discovery.send(Follow(watch.clone().recipient())).await.context("discovery has ended")?;
    let watched = parts.health.send(Watch("link watch", watch.clone().recipient()));
    watched.await.context("the health actor has ended")?;
    Ok(Some(watch))
}

/// Has the watch follow other subnets, which may lie on other links.
pub(super) async fn cover(watch: Option<&Addr<LinkWatch>>, subnets: Vec<Subnet>) {
    if let Some(watch) = watch {
        // One that has ended watches nothing, and has said why.
        let _covered = watch.send(Cover(subnets)).await;
    }
}
