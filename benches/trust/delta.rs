//! Many new devices, from the Local Controller that found them to the Global Controller.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use pdsno::actors::discovery::StartCycle;
use pdsno::app::node::Node;
use pdsno::domain::controller::Role;
use pdsno::domain::cycle::Trigger;
use pdsno::domain::event::EventType;
use pdsno::domain::time::Clock;

use crate::segment::Segment;
use crate::site::{Plan, Site, joined, token};

/// The devices.
pub const DEVICES: u32 = 10_000;

/// How long they may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// One such delta.
#[derive(Debug, Clone, Copy)]
pub struct Delta {
    /// From the start of the cycle to its commit at the Local Controller, in seconds.
    pub found: f64,
    /// From there to the commit of the last device at the Global Controller, in seconds.
    pub told: f64,
    /// What all controllers sent meanwhile, in octets.
    pub octets: f64,
}

/// Measures it with three fresh controllers.
pub fn measure() -> anyhow::Result<Delta> {
    actix::System::new().block_on(delta())
}

async fn delta() -> anyhow::Result<Delta> {
    let mut site = Site::new()?;
    let octets = Arc::clone(site.octets.insert(Arc::default()));
    let global = site.global().await?;
    let regional = site.regional(&global, "zone-A").await?;
    let region = "zone-A".parse()?;
    let parent = Some((joined(&regional).await?, token(&regional, Role::Local, &region).await?));
    let hosts = Arc::new(AtomicU32::new(0));
    let segment = Segment { network: Ipv4Addr::new(10, 64, 0, 0), hosts: Arc::clone(&hosts) };
    let sweep = Some((Box::new(segment) as _, vec!["10.64.0.0/18".parse()?]));
    let local = site.start(Plan { role: Role::Local, region: Some(region), parent, sweep }).await?;
    joined(&local).await?;
    begun(&local).await?;
    // With a first device at the Global Controller everything before it is through, too.
    hosts.store(1, Ordering::Relaxed);
    cycle(&local).await?;
    wait_for(&global, 1).await?;

    hosts.store(1 + DEVICES, Ordering::Relaxed);
    let (begun, sent) = (site.clock.elapsed(), octets.load(Ordering::Relaxed));
    cycle(&local).await?;
    let found = site.clock.elapsed();
    wait_for(&global, u64::from(1 + DEVICES)).await?;
    let told = site.clock.elapsed() - found;
    let octets = u32::try_from(octets.load(Ordering::Relaxed) - sent)?;
    Ok(Delta { found: (found - begun).as_secs_f64(), told: told.as_secs_f64(), octets: octets.into() })
}

/// Waits for the first cycle: who it is and which policy holds is known by then.
async fn begun(local: &Node) -> anyhow::Result<()> {
    let begun = async {
        while local.way.ask(|reader| reader.last_event(EventType::DiscoveryCycleCompleted)).await?.is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, begun).await.context("discovery did not begin")?
}

/// Runs a cycle to its commit, after the one that may be going on.
async fn cycle(local: &Node) -> anyhow::Result<()> {
    let discovery = local.parts.discovery.as_ref().context("it discovers nothing")?;
    let running = async {
        loop {
            if let Ok(ended) = discovery.send(StartCycle(Trigger::OnDemand)).await? {
                return ended.await?.map(drop).context("the cycle failed");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, running).await.context("no cycle was run")?
}

async fn wait_for(global: &Node, devices: u64) -> anyhow::Result<()> {
    let there = async {
        loop {
            let count: u64 = global.way.ask(|reader| reader.count_devices()).await?.values().sum();
            if count >= devices {
                ensure!(count == devices, "the Global Controller has {count} devices, not {devices}");
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, there).await.context("the Global Controller was not told of all devices")?
}
