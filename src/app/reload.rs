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
