//! A process with a whole hierarchy that has nothing to do.

use std::fs;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use pdsno::domain::controller::Role;
use pdsno::domain::time::Clock;
use serde::{Deserialize, Serialize};

use crate::segment::Segment;
use crate::site::{Plan, Site, joined, token};

/// Regional Controllers.
pub const REGIONS: u32 = 4;
/// Local Controllers.
pub const LOCALS: u32 = 250;
/// How long it is watched.
pub const WATCHED: Duration = Duration::from_secs(90);

/// Joining, first reports and first heads are over by then.
const SETTLED: Duration = Duration::from_secs(30);

/// What the bench is called with as the process that is watched.
const INSIDE: &str = "idle";

/// What was seen of the process.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Idle {
    /// Resident after it was watched, in octets.
    pub resident: f64,
    /// Processor time over time.
    pub load: f64,
    /// Threads.
    pub threads: f64,
}

/// Whether this is the process that is watched; then it says what it saw of itself.
pub fn is_inside() -> anyhow::Result<bool> {
    if std::env::args().all(|argument| argument != INSIDE) {
        return Ok(false);
    }
    let idle = actix::System::new().block_on(idle())?;
    println!("{}", serde_json::to_string(&idle)?);
    Ok(true)
}

/// Starts such a process and waits for what it says.
pub fn measure() -> anyhow::Result<Idle> {
    let mut process = Command::new(std::env::current_exe()?);
    let output = process.args(["--bench", INSIDE]).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "the process with a hierarchy: {}", output.status);
    serde_json::from_slice(&output.stdout).context("what the process with a hierarchy says cannot be read")
}

async fn idle() -> anyhow::Result<Idle> {
    let mut site = Site::new()?;
    let global = site.global().await?;
    let mut regionals = Vec::new();
    for region in 1..=REGIONS {
        regionals.push((format!("zone-{region}"), site.regional(&global, &format!("zone-{region}")).await?));
    }
    let mut locals = Vec::new();
    for (number, (region, regional)) in (0..LOCALS).zip(regionals.iter().cycle()) {
        let region = region.parse()?;
        let token = token(regional, Role::Local, &region).await?;
        let parent = Some((joined(regional).await?, token));
        let network = Ipv4Addr::from(0x0a00_0000 | number << 8);
        let sweep =
            Some((Box::new(Segment { network, hosts: Arc::default() }) as _, vec![format!("{network}/24").parse()?]));
        locals.push(site.start(Plan { role: Role::Local, region: Some(region), parent, sweep }).await?);
    }
    for local in &locals {
        joined(local).await?;
    }
    tokio::time::sleep(SETTLED).await;
    let (begun, used) = (site.clock.elapsed(), processor_time()?);
    tokio::time::sleep(WATCHED).await;
    let load = (processor_time()? - used) / (site.clock.elapsed() - begun).as_secs_f64();
    let resident = figure("VmRSS:")? * 1024.0;
    Ok(Idle { resident, load, threads: figure("Threads:")? })
}

/// A number of `/proc/self/status`.
fn figure(name: &str) -> anyhow::Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).context("the system does not say it")?;
    Ok(line.split_whitespace().next().unwrap_or_default().parse()?)
}

/// User and system time of this process, in seconds.
fn processor_time() -> anyhow::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name of the program, in brackets, can have spaces.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = fields.iter().skip(11).take(2).map(|ticks| ticks.parse::<f64>()).sum::<Result<f64, _>>()?;
    Ok(ticks / 100.0)
}
