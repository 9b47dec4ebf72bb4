//! What the command line sets.

use figment::value::Value;
use secrecy::{ExposeSecret, SecretString};

use crate::app::config::layer::Layer;

/// The flags that set keys; `None` leaves a key to the environment, the file and the defaults.
///
/// They are texts as given, so that one place refuses a wrong value in one way, wherever it was
/// set, and names the flag.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--role`: `controller.role`.
    pub role: Option<String>,
    /// `--id`: `controller.id`.
    pub id: Option<String>,
    /// `--region`: `controller.region`.
    pub region: Option<String>,
    /// `--parent`: `controller.parent_id`.
    pub parent: Option<String>,
    /// `--subnets`: `controller.subnets`.
    pub subnets: Option<Vec<String>>,
    /// The same as arguments of their own, as `pdsno scan` takes them.
    pub targets: Option<Vec<String>>,
    /// `--interface`: `controller.interface`.
    pub interface: Option<String>,
    /// `--data-dir`: `nib.path`, the file `pdsno.db` in that folder.
    pub data_dir: Option<String>,
    /// `--listen`: `communication.listen`.
    pub listen: Option<String>,
    /// `--protocols`: `policy.discovery_protocols`.
    pub protocols: Option<Vec<String>>,
    /// `--community`: `security.snmp_communities`.
    pub communities: Option<Vec<SecretString>>,
    /// `--probe-rate`: `policy.probe_rate`, packets a second.
    pub probe_rate: Option<u64>,
    /// `--timeout`: `policy.probe_timeout_ms`, milliseconds.
    pub timeout_ms: Option<u64>,
    /// `--allow-public`: `policy.allow_public`.
    pub allow_public: Option<bool>,
    /// `--allow-large`: `policy.allow_large`.
    pub allow_large: Option<bool>,
}

impl Flags {
    pub(super) fn layer(&self) -> Layer {
        let text = |value: &Option<String>| value.as_deref().map(Value::from);
        let list = |value: &Option<Vec<String>>| value.clone().map(Value::from);
        let secrets = |value: &Option<Vec<SecretString>>| {
            value.as_ref().map(|list| Value::from(list.iter().map(ExposeSecret::expose_secret).collect::<Vec<_>>()))
        };
        let set = [
            ("--role", "controller.role", text(&self.role)),
            ("--id", "controller.id", text(&self.id)),
            ("--region", "controller.region", text(&self.region)),
            ("--parent", "controller.parent_id", text(&self.parent)),
            ("--subnets", "controller.subnets", list(&self.subnets)),
            ("CIDR", "controller.subnets", list(&self.targets)),
            ("--interface", "controller.interface", text(&self.interface)),
            ("--data-dir", "nib.path", self.data_dir.as_deref().map(database_in)),
            ("--listen", "communication.listen", text(&self.listen)),
            ("--protocols", "policy.discovery_protocols", list(&self.protocols)),
            ("--community", "security.snmp_communities", secrets(&self.communities)),
            ("--probe-rate", "policy.probe_rate", self.probe_rate.map(Value::from)),
            ("--timeout", "policy.probe_timeout_ms", self.timeout_ms.map(Value::from)),
            ("--allow-public", "policy.allow_public", self.allow_public.map(Value::from)),
            ("--allow-large", "policy.allow_large", self.allow_large.map(Value::from)),
        ];
        let mut layer = Layer::flags();
        for (flag, path, value) in set {
            if let Some(value) = value {
                layer.flag(flag, path, value);
            }
        }
        layer
    }
}

/// The database in a data folder. No folder makes no path: it is refused as an empty one, rather
/// than read as the current folder.
fn database_in(folder: &str) -> Value {
    let separator = if folder.is_empty() || folder.ends_with('/') { "" } else { "/" };
    let file = if folder.is_empty() { "" } else { "pdsno.db" };
    Value::from(format!("{folder}{separator}{file}"))
}
