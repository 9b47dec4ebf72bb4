//! One cycle without a daemon.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use actix::System;
use anyhow::{Context as _, anyhow};

use crate::actors::discovery::{Answered, CycleResult, DiscoverySettings, Drain, succeeded};
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
use crate::app::signals::EndSignals;
use crate::app::ways;
use crate::domain::cycle::{CycleReport, Trigger};
use crate::domain::device::{Device, DeviceId};
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
    /// The number of the signal that ended the sweep before its time.
    pub interrupted: Option<i32>,
}

/// How long a scan that is interrupted may take to end.
const DRAIN: Duration = Duration::from_secs(5);

/// How often progress is shown.
const SHOWN_EVERY: Duration = Duration::from_millis(100);

/// Scans the configured subnets once. With `save` the result goes into the NIB of the data folder,
/// else it is forgotten. `note` is told what cannot be done, `show` how far the sweep is, ten times a
/// second. SIGINT and SIGTERM end the sweep: what was found until then is the result. A second one ends
/// the process at once.
///
/// # Errors
/// [`Failure::Usage`] when it cannot be scanned or saved at all, and then nothing is sent or
/// written; [`Failure::Failed`] when no protocol worked, or when what was found could not be written in time.
pub fn scan(
    config: &Config,
    save: bool,
    note: impl Fn(&str),
    show: impl Fn(SweepProgress) + 'static,
) -> Result<ScanResult, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let answered = Answered::default();
    let settings = discovery_settings(config).map_err(Failure::Usage)?;
    let settings = DiscoverySettings { answered: Some(answered.clone()), ..settings };
    let (carrier, lost) = ways::open(&settings, 0)?;
    lost.iter().for_each(|lost| note(lost));
    let (store, _folder) = store(config, save, &clock)?;
    let reader = store.reader().map_err(Failure::failed)?;
    let nib = OpenNib::new(store).map_err(Failure::Failed)?;
    privileges::drop_all().map_err(Failure::failed)?;
    System::new().block_on(async {
        let mut signals = EndSignals::new().map_err(Failure::failed)?;
        let started = LocalController::start(config, settings, nib, carrier, clock);
        let controller = signals.during(started).await.map_err(Failure::Failed)?;
        let (cycle, interrupted) = tokio::select! {
            ended = run(&controller, &mut signals) => ended,
            never = watch(&controller.progress, show) => match never {},
        };
        let result =
            result(cycle, reader.as_ref(), &answered.take(), save).map(|result| ScanResult { interrupted, ..result });
        // The writer closes the file last, and so leaves nothing beside it.
        drop(reader);
        signals.during(controller.stop(DRAIN, None)).await.map_err(Failure::Failed)?;
        result
    })
}

/// Runs the cycle to its end, or until a signal ends it; tells which.
async fn run(controller: &LocalController, signals: &mut EndSignals) -> (anyhow::Result<CycleResult>, Option<i32>) {
    let mut cycle = pin!(controller.run_cycle(Trigger::OnDemand));
    let signal = tokio::select! {
        // Whoever signals at once still has a cycle begun, which is then ended: what it found, nobody, is the result.
        biased;
        cycle = &mut cycle => return (cycle, None),
        signal = signals.next() => signal,
    };
    // The answer says when all is written, and so does the end of the cycle.
    let ended = async {
        let _drained = controller.discovery.send(Drain).await.context("discovery has ended")?;
        let late = || anyhow!("what was found was not written within {} s", DRAIN.as_secs());
        tokio::time::timeout(DRAIN, cycle).await.map_err(|_| late())?
    };
    (signals.during(ended).await, Some(signal))
}

/// What a cycle that has ended comes to.
fn result(
    cycle: anyhow::Result<CycleResult>,
    reader: &dyn NibReader,
    answered: &[DeviceId],
    save: bool,
) -> Result<ScanResult, Failure> {
    let report = cycle.map_err(Failure::Failed)?.map_err(Failure::failed)?;
    if !succeeded(&report) {
        return Err(Failure::Failed(failed(&report)));
    }
    let devices = seen(reader, answered, save).map_err(Failure::Failed)?;
    Ok(ScanResult { report, devices, interrupted: None })
}

fn store(
    config: &Config,
    save: bool,
    clock: &Arc<dyn Clock>,
) -> Result<(Box<dyn NibStore>, Option<DataFolder>), Failure> {
    if !save {
        return Ok((Box::new(MemoryNib::for_rows()), None));
    }
    let (store, folder) = open_nib(&config.nib, &actor(config), clock.now())?;
    Ok((Box::new(store), Some(folder)))
}

/// Shows progress for ever.
async fn watch(progress: &Progress, show: impl Fn(SweepProgress)) -> Infallible {
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

/// These devices, but for those of which nothing but the hardware address was heard.
fn seen(reader: &dyn NibReader, answered: &[DeviceId], saved: bool) -> anyhow::Result<Vec<DeviceView>> {
    let in_cycle = |device: &Device| answered.binary_search(&device.id).is_ok() && !device.methods.is_empty();
    let mut devices = devices(reader, None, in_cycle)?;
    devices.sort_by(|one, other| one.ip_addresses.cmp(&other.ip_addresses));
    if !saved {
        devices.iter_mut().for_each(|device| device.device_id = None);
    }
    Ok(devices)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::change::Change;
    use crate::domain::device::{DeviceStatus, DeviceType, Version};
    use crate::domain::protocol::Protocol;
    use crate::domain::time::Timestamp;
    use std::net::Ipv4Addr;

    fn device(number: u8, methods: Vec<Protocol>) -> Device {
        Device {
            id: DeviceId::from_number(number.into()),
            mac: None,
            addresses: vec![Ipv4Addr::new(10, 0, 1, 100 - number)],
            hostname: None,
            vendor: None,
            device_type: DeviceType::Unknown,
            firmware: None,
            region: None,
            local_controller: None,
            status: DeviceStatus::Active,
            first_seen: Timestamp::from_millis(0),
            last_seen: Timestamp::from_millis(0),
            missed_cycles: 0,
            methods,
            rtt: None,
            version: Version::FIRST,
        }
    }

    #[test]
    fn who_answered_is_shown_by_address_whenever_it_was() {
        let mut nib = MemoryNib::new();
        let rows = [(1, vec![Protocol::Arp]), (2, vec![Protocol::Arp]), (3, Vec::new()), (4, vec![Protocol::Icmp])];
        nib.commit(&rows.map(|(number, methods)| Change::InsertDevice(device(number, methods)))).unwrap();
        let reader = nib.reader().unwrap();
        let answered = [1, 3, 4].map(DeviceId::from_number);
        let shown = |saved| seen(reader.as_ref(), &answered, saved).unwrap();
        let addresses: Vec<_> = shown(true).into_iter().flat_map(|view| view.ip_addresses).collect();
        assert_eq!(addresses, [[10, 0, 1, 96], [10, 0, 1, 99]].map(Ipv4Addr::from));
        assert!(shown(true)[0].device_id.is_some() && shown(false)[0].device_id.is_none());
    }
}
