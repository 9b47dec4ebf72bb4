//! Reading the configuration again while the controller runs (SIGHUP).

use crate::actors::discovery::DiscoverySettings;
use crate::algorithms::discovery::plan::plan;
use crate::app::config::{Config, ConfigError, Sources, load};
use crate::app::controller::discovery_settings;
use crate::domain::link::Link;

/// New values that hold from now on.
#[derive(Debug)]
pub struct Taken {
    /// The configuration; what needs a restart has its old value.
    pub config: Config,
    /// What discovery takes from it.
    pub settings: DiscoverySettings,
    /// Keys that changed and hold only after a restart.
    pub restart: Vec<&'static str>,
}

/// Reads the sources again and takes over what can be: subnets, policy and communities. `links` is
/// what new subnets must be on.
///
/// # Errors
/// What a start with these values would be refused for; then the old values stay.
pub fn reload(sources: Sources, old: &Config, links: &[Link]) -> anyhow::Result<Taken> {
    let new = load(sources)?.config;
    let restart = old.changes_that_need_restart(&new);
    let mut config = old.clone();
    config.controller.subnets = new.controller.subnets;
    config.policy = new.policy;
    config.security = new.security;
    let settings = discovery_settings(&config)?;
    // The link of a subnet that has been scanned may be away just now; that is no reason to refuse
    // another interval.
    if config.controller.subnets != old.controller.subnets {
        plan(&settings.subnets, settings.interface.as_deref(), links)?;
    }
    Ok(Taken { config, settings, restart })
}

/// Everything that is wrong, one by one.
pub fn problems(refusal: &anyhow::Error) -> Vec<String> {
    match refusal.downcast_ref::<ConfigError>().map(ConfigError::problems) {
        None | Some([]) => vec![format!("{refusal:#}")],
        Some(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}
