//! The daemon's arguments become flags of the configuration.

use std::path::Path;

use super::args::{Common, DaemonArgs, Log, Probing};
use super::output::{Ended, note};
use crate::app::config::{ConfigError, Flags, Loaded, Sources, load, process_environment};
use crate::app::failure::Failure;
use crate::app::{daemon, logging};

pub fn run(args: DaemonArgs) -> Result<(), Ended> {
    start_log(&args.log, "info")?;
    let loaded = configuration(sources(&args.common, flags(&args)))?;
    logging::abort_on_panic();
    for (key, note) in loaded.inactive().iter().map(|key| (*key, "is set and not active yet")) {
        tracing::warn!(key, "{note}");
    }
    loaded.notes().iter().for_each(|note| tracing::warn!("{note}"));
    Ok(daemon::run(loaded, || sources(&args.common, flags(&args)))?)
}

/// The flags of the daemon.
pub fn flags(args: &DaemonArgs) -> Flags {
    Flags {
        role: args.role.clone(),
        region: args.region.clone(),
        id: args.id.clone(),
        parent: args.parent.clone(),
        subnets: args.subnets.clone(),
        listen: args.listen.clone(),
        ..probing_flags(&args.probing, &args.common)
    }
}

/// The flags that say how to probe, and where the NIB is.
pub fn probing_flags(probing: &Probing, common: &Common) -> Flags {
    Flags {
        interface: probing.interface.clone(),
        protocols: probing.protocols.clone(),
        communities: probing.communities.clone(),
        probe_rate: probing.probe_rate,
        timeout_ms: probing.timeout_ms,
        allow_public: probing.allow_public.then_some(true),
        allow_large: probing.allow_large.then_some(true),
        data_dir: common.data_dir.clone(),
        ..Flags::default()
    }
}

/// Everything that settings come from.
pub fn sources(common: &Common, flags: Flags) -> Sources {
    Sources { file: common.config.clone(), environment: process_environment(), flags }
}

/// The configuration, or all that is wrong with it.
pub fn configuration(sources: Sources) -> Result<Loaded, Ended> {
    let file = sources.file.clone();
    load(sources).map_err(|error| refused(error, file.as_deref()))
}

/// Tells every problem on a line of its own.
pub fn refused(error: ConfigError, file: Option<&Path>) -> Ended {
    match error.problems() {
        [] => Failure::usage(error).into(),
        [only] => Failure::Usage(anyhow::anyhow!("{only}")).into(),
        several => {
            several.iter().for_each(|problem| note(&format!("error: {problem}")));
            let place = file.map(|file| format!(" of {}", file.display())).unwrap_or_default();
            Failure::Usage(anyhow::anyhow!("{} problems in the configuration{place}", several.len())).into()
        }
    }
}

/// Starts the log at a level that suits the command.
pub fn start_log(log: &Log, default: &str) -> Result<(), Ended> {
    Ok(logging::start(log.filter.as_deref().unwrap_or(default)).map_err(Failure::usage)?)
}
