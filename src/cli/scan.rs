//! `pdsno scan`.

mod plan;

use std::collections::BTreeMap;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::args::{Format, ScanArgs};
use super::daemon::{configuration, probing_flags, sources, start_log};
use super::output::{self, Ended, note};
use crate::app::config::Flags;
use crate::app::failure::Failure;
use crate::app::inventory::DeviceView;
use crate::app::scan::{ScanResult, scan};
use crate::domain::cycle::{Completeness, DeltaCounts, ProtocolStats, RttSummary, TooLong};
use crate::domain::protocol::Protocol;
use crate::domain::subnet::Subnet;
use crate::domain::time::Timestamp;

/// The JSON output: one object.
#[derive(Serialize)]
struct ScanView<'a> {
    started_at: Timestamp,
    completeness: Completeness,
    duration_ms: f64,
    subnets: &'a [Subnet],
    targets: u64,
    protocols: &'a BTreeMap<Protocol, ProtocolStats>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address_resolution: &'a Option<ProtocolStats>,
    rtt: Option<RttSummary>,
    nib_commit_ms: Option<f64>,
    changes: Option<DeltaCounts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    too_long: Option<TooLong>,
    devices: &'a [DeviceView],
}

pub fn run(args: ScanArgs) -> Result<(), Ended> {
    start_log(&args.log, "warn")?;
    let mut flags = Flags { role: Some("local".to_owned()), ..probing_flags(&args.probing, &args.common) };
    if !args.subnets.is_empty() {
        flags.targets = Some(args.subnets.clone());
    }
    if args.plan {
        return plan::run(&args, sources(&args.common, flags));
    }
    let loaded = configuration(sources(&args.common, flags))?;
    loaded.notes().iter().for_each(|text| note(&format!("note: {text}")));
    let bar = progress_bar();
    let shown = bar.clone();
    let lost = std::cell::RefCell::new(None);
    let told = |text: &str| {
        note(&format!("note: {text}"));
        lost.replace(Some(text.to_owned()));
    };
    let result = scan(&loaded.config, args.save, told, move |progress| {
        shown.set_length(progress.targets as u64);
        shown.set_position(progress.settled as u64);
        shown.set_message(format!("{} hosts", progress.hosts));
    });
    bar.finish_and_clear();
    let result = result?;
    match args.format {
        Format::Json => output::json(&view(&result, args.save))?,
        Format::Csv => super::devices::csv(&result.devices)?,
        Format::Table => {
            super::devices::table(&result.devices, args.save)?;
            note(&summary(&result, args.save, lost.into_inner().as_deref()));
        }
    }
    result.interrupted.map_or(Ok(()), |signal| Err(Failure::Interrupted(signal).into()))
}

fn view(result: &ScanResult, saved: bool) -> ScanView<'_> {
    let report = &result.report;
    ScanView {
        started_at: report.started_at,
        completeness: report.completeness,
        duration_ms: report.duration_ms,
        subnets: &report.subnets,
        targets: report.targets,
        protocols: &report.protocols,
        address_resolution: &report.address_resolution,
        rtt: report.rtt,
        nib_commit_ms: report.nib_commit_ms.filter(|_| saved),
        changes: saved.then_some(report.delta),
        too_long: report.too_long,
        devices: &result.devices,
    }
}

/// On a terminal a bar on one line, in a pipe nothing.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0).with_message("0 hosts");
    // The bar has what the figures leave of the line. Those of the widest scan have less than 40 columns.
    let addresses = if output::room_for_notes().is_none_or(|room| room < 80) { "" } else { " addresses" };
    let style = ProgressStyle::with_template(&format!("{{wide_bar}} {{pos}}/{{len}}{addresses}, {{msg}}, {{elapsed}}"));
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// `told` is what was said already.
fn summary(result: &ScanResult, saved: bool, told: Option<&str>) -> String {
    let report = &result.report;
    let protocols: Vec<String> =
        report.protocols.iter().map(|(protocol, stats)| format!("{protocol} {}", stats.hosts)).collect();
    let mut text = format!(
        "{} of {} addresses answered in {:.2} s: {}",
        result.devices.iter().map(|device| device.ip_addresses.len()).sum::<usize>(),
        report.targets,
        report.duration_ms / 1_000.0,
        protocols.join(", ")
    );
    if saved {
        let delta = report.delta;
        text.push_str(&format!(
            "; {} new, {} changed, {} missed, {} now inactive",
            delta.new, delta.updated, delta.missed, delta.inactive
        ));
    }
    if let Some(too_long) = &report.too_long {
        text.push_str(&format!("\nwarning: {too_long}"));
    }
    for (protocol, stats) in &report.protocols {
        if let Some(error) = stats.error.as_deref().filter(|error| Some(*error) != told) {
            text.push_str(&format!("\nwarning: {protocol} was incomplete: {error}"));
        }
    }
    text
}
