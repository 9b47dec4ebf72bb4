//! Reading the configuration again while the controller runs (SIGHUP).

use serde_json::{Value, json};

use crate::app::config::{Config, ConfigError, Loaded, Sources, load};

/// What reading again led to.
#[derive(Debug)]
pub enum Reloaded {
    /// The new values hold.
    Taken {
        /// The new configuration.
        config: Box<Config>,
        /// Keys that changed and hold only after a restart; their old values stay in force.
        restart: Vec<&'static str>,
    },
    /// The new values are refused; the old ones stay.
    Refused(ConfigError),
}

/// Reads the sources again and compares them with what is in force.
pub fn reload(sources: Sources, old: &Config) -> Reloaded {
    match load(sources) {
        Ok(Loaded { config, .. }) => {
            let restart = old.changes_that_need_restart(&config);
            Reloaded::Taken { config: Box::new(config), restart }
        }
        Err(error) => Reloaded::Refused(error),
    }
}

impl Reloaded {
    /// The particulars of the event.
    pub fn payload(&self) -> Value {
        match self {
            Self::Taken { restart, .. } => json!({ "needs_restart": restart }),
            Self::Refused(error) => {
                let problems: Vec<String> = error.problems().iter().map(ToString::to_string).collect();
                json!({ "error": error.to_string(), "problems": problems })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::config::Flags;
    use std::time::Duration;

    const FILE: &str = "controller:\n  role: local\n  subnets: [10.0.1.0/24]\n";

    /// Loads the first text, replaces it by the second one, and reads again, with this probe rate as a flag.
    fn reloaded(first: &str, second: &str, probe_rate: Option<u64>) -> Reloaded {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c.yaml");
        let flags = Flags { probe_rate, ..Flags::default() };
        let sources = Sources { file: Some(file.clone()), environment: Vec::new(), flags };
        std::fs::write(&file, first).unwrap();
        let old = load(sources.clone()).unwrap().config;
        std::fs::write(&file, second).unwrap();
        reload(sources, &old)
    }

    fn taken(reloaded: Reloaded) -> (Config, Vec<&'static str>) {
        match reloaded {
            Reloaded::Taken { config, restart } => (*config, restart),
            Reloaded::Refused(error) => panic!("{error}"),
        }
    }

    #[test]
    fn what_may_change_while_it_runs_is_taken_and_a_flag_still_wins() {
        let second = "controller:\n  role: local\n  subnets: [10.0.2.0/24]\n\
                      policy:\n  discovery_interval: 60\n  probe_rate: 10\n";
        let reloaded = reloaded(FILE, second, Some(500));
        assert_eq!(reloaded.payload(), json!({ "needs_restart": [] }));
        let (config, _) = taken(reloaded);
        assert_eq!(config.controller.subnets, ["10.0.2.0/24".parse().unwrap()]);
        assert_eq!(config.policy.discovery.interval, Duration::from_secs(60));
        assert_eq!(config.policy.discovery.probing.rate, 500);
    }

    #[test]
    fn what_needs_a_restart_is_named() {
        let second = format!("{FILE}  region: zone-B\ncommunication:\n  listen: 127.0.0.1:9999\n");
        let reloaded = reloaded(FILE, &second, None);
        assert_eq!(reloaded.payload(), json!({ "needs_restart": ["controller.region", "communication.listen"] }));
        assert_eq!(taken(reloaded).1, ["controller.region", "communication.listen"]);
    }

    #[test]
    fn what_is_wrong_is_refused_with_every_problem_and_shows_no_secret() {
        let second = "controller:\n  role: local\n  subnets: [10.0.1.7/24]\n\
                      policy:\n  probe_rat: 10\nsecurity:\n  snmp_communities: [h\u{fc}nter2]\n";
        let reloaded = reloaded(FILE, second, None);
        let payload = reloaded.payload();
        let problems = payload["problems"].as_array().unwrap();
        assert_eq!(problems.len(), 3, "{payload}");
        let text = payload.to_string();
        assert!(text.contains("10.0.1.0/24") && text.contains("probe_rate") && !text.contains("nter2"), "{text}");
        assert!(matches!(reloaded, Reloaded::Refused(_)));
    }

    #[test]
    fn a_file_that_is_gone_is_refused() {
        let sources = |file: &str| Sources { file: Some(file.into()), ..Sources::default() };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c.yaml");
        std::fs::write(&file, FILE).unwrap();
        let old = load(sources(file.to_str().unwrap())).unwrap().config;
        std::fs::remove_file(&file).unwrap();
        let reloaded = reload(sources(file.to_str().unwrap()), &old);
        assert!(reloaded.payload()["error"].as_str().unwrap().contains("c.yaml"), "{}", reloaded.payload());
    }
}
