//! `pdsno init`, `pdsno nib check`, `pdsno nib backup`.

use std::path::Path;

use anyhow::anyhow;

use super::args::{Environment, InitArgs, NibBackupArgs, NibCheckArgs};
use super::daemon::{configuration, sources};
use super::devices::folder_configuration;
use super::output::{self, Ended};
use crate::app::config::{Flags, Origin};
use crate::app::failure::Failure;
use crate::app::maintenance::{BackupError, backup as copy, check as examine, initialise};

/// Where a controller in service keeps its NIB (Filesystem Hierarchy Standard 3.0, section 5.8).
const SERVICE_NIB: &str = "/var/lib/pdsno/pdsno.db";

pub fn init(args: &InitArgs) -> Result<(), Ended> {
    let flags = Flags { data_dir: args.common.data_dir.clone(), ..Flags::default() };
    let loaded = configuration(sources(&args.common, flags))?;
    let named = loaded.rows().iter().any(|row| row.key == "nib.path" && row.origin != Origin::Default);
    let path = match args.env {
        Environment::Prod if !named => Path::new(SERVICE_NIB),
        _ => &loaded.config.nib.path,
    };
    let done = initialise(&loaded.config, path)?;
    let path = done.path.display();
    output::say(&match done.migrated {
        None => format!("{path} is up to date"),
        Some(migrated) => match migrated.from {
            None => format!("{path} created with schema {}", migrated.to),
            Some(from) => {
                format!("{path} migrated from schema {from} to {}: {}", migrated.to, migrated.applied.join(", "))
            }
        },
    })
}

pub fn check(args: &NibCheckArgs) -> Result<(), Ended> {
    let config = folder_configuration(&args.chosen)?;
    let report = examine(&config.nib.path).map_err(Failure::usage)?;
    let path = config.nib.path.display();
    if report.is_sound() {
        let (schema, devices, facts, events) = (report.schema, report.devices, report.facts, report.events);
        return output::say(&format!(
            "{path} is sound: schema {schema}, {devices} devices, {facts} facts, {events} events without a gap"
        ));
    }
    report.problems.iter().for_each(|problem| output::note(&format!("problem: {problem}")));
    Err(Failure::Failed(anyhow!("{path} is not sound: problems found: {}", report.problem_count)).into())
}

pub fn backup(args: &NibBackupArgs) -> Result<(), Ended> {
    let config = folder_configuration(&args.chosen)?;
    let size = copy(&config.nib.path, &args.target).map_err(|error| match error {
        BackupError::Source(_) | BackupError::TargetExists { .. } => Failure::usage(error),
        BackupError::Copy { .. } | BackupError::Damaged { .. } => Failure::failed(error),
    })?;
    output::say(&format!("{} copied to {} ({size} bytes)", config.nib.path.display(), args.target.display()))
}
