//! `pdsno status`.

use super::args::{PlainFormat, StatusArgs};
use super::devices::folder_configuration;
use super::output::{self, Ended};
use crate::app::failure::Failure;
use crate::app::inventory::{self, FolderStatus};

pub fn run(args: &StatusArgs) -> Result<(), Ended> {
    let config = folder_configuration(&args.common)?;
    let reader = inventory::open(&config.nib.path).map_err(Failure::usage)?;
    let status = inventory::status(&config.nib.path, config.nib.data_dir(), &reader).map_err(Failure::failed)?;
    match args.format {
        PlainFormat::Json => output::json(&status),
        PlainFormat::Table => output::text(&sheet(&status)),
    }
}

fn sheet(status: &FolderStatus) -> String {
    let state = match (status.running, status.pid) {
        (true, Some(pid)) => format!("running (process {pid})"),
        (true, None) => "running".to_owned(),
        (false, _) => "stopped".to_owned(),
    };
    let devices = status.devices;
    let mut lines = vec![
        ("controller", state),
        ("nib", status.nib.display().to_string()),
        ("started", status.started_at.map_or_else(|| "never".to_owned(), |at| at.to_string())),
        (
            "devices",
            format!(
                "{} ({} active, {} inactive, {} other)",
                devices.total, devices.active, devices.inactive, devices.other
            ),
        ),
        ("events", status.events.to_string()),
    ];
    match &status.last_cycle {
        None => lines.push(("last cycle", "none yet".to_owned())),
        Some(cycle) => {
            let subnets: Vec<String> = cycle.subnets.iter().map(ToString::to_string).collect();
            let delta = cycle.delta;
            lines.push(("last cycle", format!("{} {} ({})", cycle.started_at, cycle.completeness, cycle.trigger)));
            lines.push((
                "",
                format!("{:.0} ms for {} addresses of {}", cycle.duration_ms, cycle.targets, subnets.join(", ")),
            ));
            lines.push((
                "",
                format!(
                    "{} devices: {} new, {} changed, {} unchanged; {} missed, {} now inactive",
                    cycle.hosts, delta.new, delta.updated, delta.unchanged, delta.missed, delta.inactive
                ),
            ));
        }
    }
    lines.iter().map(|(name, value)| format!("{name:<11} {value}\n")).collect()
}
