//! One cycle without a daemon.

use std::sync::Arc;
use std::time::Duration;

use actix::System;
use anyhow::anyhow;

use crate::actors::discovery::{CycleResult, succeeded};
use crate::actors::sweeper::Progress;
use crate::algorithms::discovery::sweep::SweepProgress;
use crate::app::clock::SystemClock;
use crate::app::config::Config;
use crate::app::controller::{LocalController, OpenNib, actor, discovery_settings};
use crate::app::failure::Failure;
use crate::app::folder::DataFolder;
use crate::app::inventory::{DeviceView, devices};
use crate::app::maintenance::open_nib;
use crate::app::privileges;
use crate::app::ways;
use crate::domain::cycle::{CycleReport, Trigger};
use crate::domain::time::Clock;
use crate::nib::memory::MemoryNib;
use crate::nib::{NibReader, NibStore};

/// What a scan found.
#[derive(Debug, Clone)]
pub struct ScanResult {
    /// The cycle.
    pub report: CycleReport,
    /// The devices that answered, ascending by address.
    pub devices: Vec<DeviceView>,
}

/// How long a scan that is interrupted may take to end.
const DRAIN: Duration = Duration::from_secs(5);

/// How often progress is shown.
const SHOWN_EVERY: Duration = Duration::from_millis(100);

/// Scans the configured subnets once. With `save` the result goes into the NIB of the data folder,
/// else it is forgotten. `note` is told what cannot be done, `show` how far the sweep is, ten times a
/// second.
///
/// # Errors
/// [`Failure::Usage`] when it cannot be scanned or saved at all, and then nothing is sent or
/// written; [`Failure::Failed`] when no protocol worked; [`Failure::Interrupted`] by Ctrl-C.
pub fn scan(
    config: &Config,
    save: bool,
    note: impl Fn(&str),
    show: impl Fn(SweepProgress) + 'static,
) -> Result<ScanResult, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let settings = discovery_settings(config).map_err(Failure::Usage)?;
    let (carrier, lost) = ways::open(&settings, 0)?;
    lost.iter().for_each(|lost| note(lost));
    let (store, _folder) = store(config, save, &clock)?;
    let reader = store.reader().map_err(Failure::failed)?;
    let nib = OpenNib::new(store).map_err(Failure::Failed)?;
    privileges::drop_all().map_err(Failure::failed)?;
    System::new().block_on(async {
        let controller =
            LocalController::start(config, settings, nib, carrier, clock).await.map_err(Failure::Failed)?;
        let cycle = tokio::select! {
            cycle = controller.run_cycle(Trigger::OnDemand) => Some(cycle),
            () = watch(&controller.progress, show) => None,
            _ = tokio::signal::ctrl_c() => None,
        };
        let result = result(cycle, reader.as_ref(), save);
        // The writer closes the file last, and so leaves nothing beside it.
        drop(reader);
        controller.stop(DRAIN, None).await.map_err(Failure::Failed)?;
        result
    })
}

/// What a cycle that has ended, or was given up, comes to.
fn result(
    cycle: Option<anyhow::Result<CycleResult>>,
    reader: &dyn NibReader,
    save: bool,
) -> Result<ScanResult, Failure> {
    let cycle = cycle.ok_or(Failure::Interrupted(libc::SIGINT))?;
    let report = cycle.map_err(Failure::Failed)?.map_err(Failure::failed)?;
    if !succeeded(&report) {
        return Err(Failure::Failed(failed(&report)));
    }
    let devices = seen(reader, &report, save).map_err(Failure::Failed)?;
    Ok(ScanResult { report, devices })
}

fn store(
    config: &Config,
    save: bool,
    clock: &Arc<dyn Clock>,
) -> Result<(Box<dyn NibStore>, Option<DataFolder>), Failure> {
    if !save {
        return Ok((Box::new(MemoryNib::new()), None));
    }
    let (store, folder) = open_nib(&config.nib, &actor(config), clock.now())?;
    Ok((Box::new(store), Some(folder)))
}

/// Shows progress for ever.
async fn watch(progress: &Progress, show: impl Fn(SweepProgress)) {
    let mut ticks = tokio::time::interval(SHOWN_EVERY);
    loop {
        ticks.tick().await;
        show(progress.now());
    }
}

fn failed(report: &CycleReport) -> anyhow::Error {
    let reason = report.protocols.values().find_map(|stats| stats.error.clone());
    anyhow!("nothing could be scanned: {}", reason.unwrap_or_else(|| "no protocol worked".to_owned()))
}

/// The devices that answered in this cycle: those last seen since it began.
fn seen(reader: &dyn NibReader, report: &CycleReport, saved: bool) -> anyhow::Result<Vec<DeviceView>> {
    let in_cycle =
        |device: &crate::domain::device::Device| device.last_seen >= report.started_at && !device.methods.is_empty();
    let mut devices = devices(reader, None, in_cycle)?;
    devices.sort_by(|one, other| one.ip_addresses.cmp(&other.ip_addresses));
    if !saved {
        devices.iter_mut().for_each(|device| device.device_id = None);
    }
    Ok(devices)
}
