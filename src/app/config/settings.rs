//! The configuration as types.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use crate::domain::controller::{Cluster, ControllerId, Region, Role};
use crate::domain::credential::Credential;
use crate::domain::policy::{DiscoveryPolicy, Policy};
use crate::domain::secret::Community;
use crate::domain::subnet::Subnet;

/// A valid configuration: every section, every key, checked one by one and against each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Who this controller is and what it covers.
    pub controller: ControllerSettings,
    /// Where it keeps its NIB.
    pub nib: NibSettings,
    /// How it is reached.
    pub communication: CommunicationSettings,
    /// What it may and shall do.
    pub policy: PolicySettings,
    /// What it holds in confidence.
    pub security: SecuritySettings,
}

/// The section `controller`.
#[derive(Debug, Clone, PartialEq)]
pub struct ControllerSettings {
    /// The installation that it belongs to; below a parent, the parent says it.
    pub cluster: Cluster,
    /// Its name; `None` leaves it to the controller above.
    pub id: Option<ControllerId>,
    /// Its tier; `None` when nobody chose one yet.
    pub role: Option<Role>,
    /// Its zone.
    pub region: Option<Region>,
    /// The controller above; `None` for one that stands alone.
    pub parent: Option<ControllerId>,
    /// What it discovers: disjoint, ascending.
    pub subnets: Vec<Subnet>,
    /// The interface to discover through; `None` takes the one each subnet is reached by.
    pub interface: Option<String>,
    /// A registry file that replaces the built-in table of vendors.
    pub oui_file: Option<PathBuf>,
}

/// The section `nib`. The backend is SQLite with a write-ahead log; nothing else is accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct NibSettings {
    /// The database file.
    pub path: PathBuf,
}

impl NibSettings {
    /// The folder of the database, in which everything else that must survive a restart lives.
    pub fn data_dir(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }
}

/// The section `communication`.
#[derive(Debug, Clone, PartialEq)]
pub struct CommunicationSettings {
    /// How controllers talk to each other.
    pub mode: Mode,
    /// The TCP port for other controllers (inactive).
    pub rest_port: u16,
    /// The MQTT broker, `host:port` (inactive).
    pub mqtt_broker: String,
    /// Where the status is served; `None` serves nothing.
    pub listen: Option<SocketAddr>,
}

/// How controllers talk to each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// In one process.
    #[default]
    InProcess,
    /// By HTTP and MQTT (inactive).
    RestMqtt,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::InProcess => "in_process",
            Self::RestMqtt => "rest+mqtt",
        })
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::InProcess, Self::RestMqtt]
            .into_iter()
            .find(|mode| mode.to_string() == text)
            .ok_or_else(|| format!("unknown mode {text:?}; the modes are in_process and rest+mqtt"))
    }
}

/// The section `policy`.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicySettings {
    /// How to discover.
    pub discovery: DiscoveryPolicy,
    /// Whether public subnets may be scanned.
    pub allow_public: bool,
    /// Whether more than [`PolicySettings::MANY_ADDRESSES`] may be scanned in one cycle.
    pub allow_large: bool,
    /// How long a Local Controller may be silent.
    pub lc_report_timeout: Duration,
    /// Emergency changes that one controller may make in an hour (inactive).
    pub emergency_rate_limit_per_hour: u32,
    /// New devices in one report beyond which it is an anomaly.
    pub discovery_spike_threshold: u32,
}

impl PolicySettings {
    /// What of it a Global Controller passes down.
    pub fn distributed(&self) -> Policy {
        Policy {
            discovery: self.discovery.clone(),
            lc_report_timeout: self.lc_report_timeout,
            emergency_rate_limit_per_hour: self.emergency_rate_limit_per_hour,
            discovery_spike_threshold: self.discovery_spike_threshold,
        }
    }

    /// As many addresses as a /16 has: more must be allowed.
    pub const MANY_ADDRESSES: usize = 65_536;
}

/// The section `security`.
#[derive(Debug, Clone, PartialEq)]
pub struct SecuritySettings {
    /// The file with the signing key (inactive).
    pub signing_key: Option<PathBuf>,
    /// The file with the certificate (inactive).
    pub cert: Option<PathBuf>,
    /// How old a signed message may be.
    pub freshness_window: Duration,
    /// The SNMP communities in order of preference, each once.
    pub snmp_communities: Vec<Community>,
    /// The file that they were read from.
    pub snmp_communities_file: Option<PathBuf>,
    /// Users of SNMP v3 and communities, each with its subnets, in order of preference.
    pub snmp_credentials: Vec<Credential>,
    /// The file that they were read from.
    pub snmp_credentials_file: Option<PathBuf>,
}

impl SecuritySettings {
    /// With what SNMP agents are asked, the preferred first: the credentials, then the communities.
    pub fn preferred(&self) -> Vec<Credential> {
        let communities = self.snmp_communities.iter().cloned().map(Credential::from);
        self.snmp_credentials.iter().cloned().chain(communities).collect()
    }
}
