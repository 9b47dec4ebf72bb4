//! `pdsno status`.

use serde::Serialize;
use serde_json::Value;

mod sections;

use self::sections::{Line, Paint};
use super::args::{PlainFormat, StatusArgs};
use super::devices::folder_configuration;
use super::output::{self, Ended};
use super::text::one_line;
use crate::app::admin::live_status;
use crate::app::failure::Failure;
use crate::app::inventory::{self, FolderStatus};
use crate::domain::event::Event;

/// What the NIB tells, and what the running controller tells.
#[derive(Serialize)]
struct StatusView {
    #[serde(flatten)]
    folder: FolderStatus,
    /// `null` where no controller runs, or it could not be asked.
    live: Option<Value>,
}

/// What of the running controller's answer is shown under names of its own.
const TOLD: [&str; 10] = [
    "role",
    "controller_id",
    "region",
    "subnets",
    "version",
    "started_at",
    "uptime_seconds",
    "cycles",
    "last_cycle",
    "last_error",
];

pub fn run(args: &StatusArgs) -> Result<(), Ended> {
    let config = folder_configuration(&args.chosen)?;
    let reader = inventory::open(&config.nib.path).map_err(Failure::usage)?;
    let folder = inventory::status(&config.nib.path, config.nib.data_dir(), &reader).map_err(Failure::failed)?;
    let live = live_status(config.nib.data_dir()).unwrap_or_else(|error| {
        output::note(&format!("note: what runs was not asked: {:#}", anyhow::Error::from(error)));
        None
    });
    let status = StatusView { folder, live };
    match args.format {
        PlainFormat::Json => output::json(&status),
        PlainFormat::Table => {
            let mut lines = sheet(&status.folder);
            lines.extend(status.live.iter().flat_map(told));
            output::sheet(&lines, 11)
        }
    }
}

/// What the running controller tells, a line for each section.
fn told(live: &Value) -> Vec<Line> {
    let Some(members) = live.as_object() else { return Vec::new() };
    let text = |name: &str| members.get(name).filter(|value| !value.is_null()).map(plain);
    let mut lines: Vec<Line> = Vec::new();
    let mut add = |name: &str, value: String| lines.push((name.to_owned(), value));
    let who = ["role", "controller_id", "region"].into_iter().filter_map(text).collect::<Vec<_>>().join(" ");
    let version = text("version").map(|version| format!(", version {version}")).unwrap_or_default();
    add("runs as", format!("{who}{version}"));
    if let Some(seconds) = text("uptime_seconds") {
        add("uptime", format!("{seconds} s"));
    }
    if let Some(error) = text("last_error") {
        add("last error", error);
    }
    let paint = Paint(output::colours());
    let sections = members.iter().filter(|(name, _)| !TOLD.contains(&name.as_str()));
    lines.extend(sections.flat_map(|(name, value)| sections::lines(name, value, paint)));
    lines
}

/// A value on one line, without the marks of JSON.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => one_line(text),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| format!("{}: {}", name.replace('_', " "), plain(value));
            members.iter().map(member).collect::<Vec<_>>().join("; ")
        }
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

fn sheet(status: &FolderStatus) -> Vec<Line> {
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
    if let Some(event) = &status.last_anomaly {
        let Event { timestamp, event_type, subject, .. } = event;
        lines.push(("anomaly", format!("last {timestamp} {event_type} {}", one_line(subject))));
    }
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
            lines.extend(cycle.too_long.map(|too_long| ("", format!("warning: {too_long}"))));
        }
    }
    lines.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
