//! Reading the configuration again while the controller runs (SIGHUP).

use std::net::Ipv4Addr;

use crate::actors::discovery::DiscoverySettings;
use crate::algorithms::discovery::plan::plan;
use crate::app::config::{Config, ConfigError, Sources, load};
use crate::app::controller::discovery_settings;
use crate::domain::link::Link;
use crate::wire::rtnetlink::route::{Route, Unroutable};

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

/// Reads the sources again and takes over what can be: subnets, policy and communities. New
/// subnets must be on one of `links`, or have a route.
///
/// # Errors
/// What a start with these values would be refused for; then the old values stay.
pub fn reload(
    sources: Sources,
    old: &Config,
    links: &[Link],
    route_to: impl FnMut(Ipv4Addr) -> Result<Route, Unroutable>,
) -> anyhow::Result<Taken> {
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
        plan(&settings.subnets, settings.interface.as_deref(), links)?.check_routes(links, route_to)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::config::Flags;
    use crate::domain::address::MacAddr;
    use std::path::Path;
    use std::time::Duration;

    const FILE: &str = "controller:\n  role: local\n  subnets: [10.0.1.0/24]\n";

    fn sources(file: &Path, probe_rate: Option<u64>) -> Sources {
        let flags = Flags { probe_rate, ..Flags::default() };
        Sources { file: Some(file.to_owned()), environment: Vec::new(), flags }
    }

    /// Loads the first text, puts the second one in its place, or nothing, and reads again on a host
    /// with an address in 10.0.2.0/24.
    fn reloaded(first: &str, second: Option<&str>, probe_rate: Option<u64>) -> anyhow::Result<Taken> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c.yaml");
        std::fs::write(&file, first).unwrap();
        let old = load(sources(&file, probe_rate)).unwrap().config;
        match second {
            Some(text) => std::fs::write(&file, text).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let link = Link {
            name: "eth0".to_owned(),
            index: 2,
            mac: Some(MacAddr::new([2, 0, 0, 0, 0, 1])),
            addresses: vec!["10.0.2.9/24".parse().unwrap()],
            running: true,
        };
        let route = Route { interface: 2, gateway: None, source: [10, 0, 2, 9].into() };
        let route_to = |to: Ipv4Addr| if to.octets()[..2] == [10, 4] { Ok(route) } else { Err(Unroutable::NoRoute) };
        reload(sources(&file, probe_rate), &old, &[link], route_to)
    }

    #[test]
    fn what_may_change_while_it_runs_is_taken_and_a_flag_still_wins() {
        let second = "controller:\n  role: local\n  subnets: [10.0.2.0/24]\n\
                      policy:\n  discovery_interval: 60\n  probe_rate: 10\n";
        let taken = reloaded(FILE, Some(second), Some(500)).unwrap();
        assert_eq!(taken.restart, [] as [&str; 0]);
        assert_eq!(taken.config.controller.subnets, ["10.0.2.0/24".parse().unwrap()]);
        assert_eq!(taken.settings.subnets, taken.config.controller.subnets);
        assert_eq!(taken.settings.policy.interval, Duration::from_secs(60));
        assert_eq!(taken.settings.policy.probing.rate, 500);
    }

    #[test]
    fn what_needs_a_restart_is_named_and_keeps_its_value() {
        let second = format!("{FILE}  region: zone-B\ncommunication:\n  listen: 127.0.0.1:9999\n");
        let taken = reloaded(FILE, Some(&second), None).unwrap();
        assert_eq!(taken.restart, ["controller.region", "communication.listen"]);
        assert_eq!((taken.config.controller.region, taken.settings.region), (None, None));
    }

    #[test]
    fn new_subnets_must_have_a_way_and_old_ones_may_be_away() {
        let on = |subnet: &str| format!("{}  interface: eth0\n", FILE.replace("10.0.1.0", subnet));
        let refusal = reloaded(&on("10.0.2.0"), Some(&on("10.0.3.0")), None).unwrap_err();
        assert!(problems(&refusal)[0].contains("no way to 10.0.3.0/24 on eth0"), "{refusal:#}");
        let elsewhere = FILE.replace("10.0.1.0", "10.0.3.0");
        let refusal = reloaded(FILE, Some(&elsewhere), None).unwrap_err();
        assert!(problems(&refusal)[0].contains("no route to 10.0.3.0/24"), "{refusal:#}");
        let routed = FILE.replace("10.0.1.0", "10.4.0.0");
        assert!(reloaded(FILE, Some(&routed), None).is_ok());
        let same = format!("{FILE}policy:\n  discovery_interval: 60\n");
        assert_eq!(reloaded(FILE, Some(&same), None).unwrap().settings.policy.interval, Duration::from_secs(60));
    }

    #[test]
    fn what_is_wrong_is_refused_problem_by_problem_and_shows_no_secret() {
        let second = "controller:\n  role: local\n  subnets: [10.0.1.7/24]\n\
                      policy:\n  probe_rat: 10\nsecurity:\n  snmp_communities: [h\u{fc}nter2]\n";
        let problems = problems(&reloaded(FILE, Some(second), None).unwrap_err());
        assert_eq!(problems.len(), 3, "{problems:?}");
        let text = problems.concat();
        assert!(text.contains("10.0.1.0/24") && text.contains("probe_rate") && !text.contains("nter2"), "{text}");
    }

    #[test]
    fn a_file_that_is_gone_is_one_problem_with_its_name() {
        let problems = problems(&reloaded(FILE, None, None).unwrap_err());
        assert!(problems.len() == 1 && problems[0].contains("c.yaml"), "{problems:?}");
    }
}
