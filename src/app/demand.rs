//! Asking a running controller for a discovery cycle: its own, or those of the controllers below it.

use std::time::Duration;

use anyhow::anyhow;
use serde::Deserialize;
use serde_json::json;

use crate::app::admin::request;
use crate::app::client::{Request, Verb};
use crate::app::config::Config;
use crate::app::failure::Failure;
use crate::app::folder::DataFolder;
use crate::app::inventory::open;
use crate::app::registry::told;
use crate::domain::controller::{ControllerId, Role};
use crate::domain::cycle::CycleReport;
use crate::nib::RegistryReader;

/// A little longer than a controller waits for the end of a cycle.
const CYCLE: Duration = Duration::from_secs(620);

/// What became of it.
#[derive(Debug)]
pub enum Demanded {
    /// The controller's own cycle began.
    Started,
    /// The controller's own cycle has ended.
    Ended(Box<CycleReport>),
    /// So many controllers below were asked.
    Asked(usize),
}

#[derive(Deserialize)]
struct Asked {
    asked: usize,
}

/// Asks the controller of a data folder for a cycle now: a Local Controller for its own, one of the
/// tiers above for that of one controller below it, or for all.
///
/// # Errors
/// [`Failure::Usage`] when nobody runs here or a Local Controller is asked for those of others;
/// otherwise as [`request`].
pub fn demand(config: &Config, of: Option<&ControllerId>, reason: &str, wait: bool) -> Result<Demanded, Failure> {
    let folder = config.nib.data_dir();
    let own = open(&config.nib.path).map_err(Failure::usage)?.membership().map_err(Failure::failed)?;
    if DataFolder::user(folder).is_none() {
        let advice = "start it, or use `pdsno scan` for one cycle without it";
        return Err(Failure::Usage(anyhow!("no controller runs in {}; {advice}", folder.display())));
    }
    if own.is_some_and(|own| own.role != Role::Local) {
        if wait {
            let refusal = "what is found below comes with reports, which cannot be waited for; leave out --wait";
            return Err(Failure::Usage(anyhow!(refusal)));
        }
        let order = json!({ "controller": of, "reason": reason });
        let asked: Asked = told(config, &Request::change(Verb::Post, "/api/v1/discovery/requests", Some(order)))?;
        return Ok(Demanded::Asked(asked.asked));
    }
    if of.is_some() {
        let refusal = "a Local Controller has none below it; leave out the name, or ask the Regional Controller";
        return Err(Failure::Usage(anyhow!(refusal)));
    }
    let cycle =
        Request::change(Verb::Post, format!("/api/v1/discovery/cycles?wait={wait}"), Some(json!({ "reason": reason })));
    if wait {
        return Ok(Demanded::Ended(Box::new(told(config, &Request { deadline: CYCLE, ..cycle })?)));
    }
    request(config, &cycle).map(|_| Demanded::Started)
}
