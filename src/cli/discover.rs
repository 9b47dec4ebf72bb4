//! `pdsno discover`.

use serde_json::json;

use super::args::{DiscoverArgs, PlainFormat};
use super::devices::folder_configuration;
use super::output::{self, Ended};
use crate::app::demand::{Demanded, demand};
use crate::app::failure::Failure;
use crate::domain::controller::ControllerId;

pub fn run(args: &DiscoverArgs) -> Result<(), Ended> {
    let of: Option<ControllerId> = args.of.as_deref().map(str::parse).transpose().map_err(Failure::usage)?;
    let config = folder_configuration(&args.chosen)?;
    let demanded = demand(&config, of.as_ref(), &args.reason, args.wait)?;
    match (args.format, demanded) {
        (PlainFormat::Json, Demanded::Started) => output::json(&json!({ "started": true })),
        (PlainFormat::Json, Demanded::Ended(report)) => output::json(&report),
        (PlainFormat::Json, Demanded::Asked(count)) => output::json(&json!({ "asked": count })),
        (PlainFormat::Table, Demanded::Started) => output::say("a discovery cycle was started"),
        (PlainFormat::Table, Demanded::Asked(count)) => {
            let whom = if count == 1 { "controller was" } else { "controllers were" };
            output::say(&format!("{count} {whom} asked for a discovery cycle"))
        }
        (PlainFormat::Table, Demanded::Ended(report)) => {
            let delta = report.delta;
            output::say(&format!(
                "cycle {}: {} devices: {} new, {} changed, {} unchanged; {} missed, {} now inactive",
                report.completeness,
                report.hosts,
                delta.new,
                delta.updated,
                delta.unchanged,
                delta.missed,
                delta.inactive
            ))
        }
    }
}
