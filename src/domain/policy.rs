//! Policy: what the tier above allows and demands.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::controller::ControllerId;
use crate::domain::number::{Epoch, PolicyVersion};
use crate::domain::protocol::Protocol;
use crate::domain::registry::SignedDocument;
use crate::domain::time::Timestamp;

/// How a Local Controller discovers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscoveryPolicy {
    /// From the start of one cycle to the start of the next.
    pub interval: Duration,
    /// Cycles in a row that a device may miss before it is inactive; at least 1.
    pub missed_cycles_before_inactive: u32,
    /// The protocols to probe with; at least one.
    pub protocols: Vec<Protocol>,
    /// Whether SNMP agents are asked for their neighbours, too.
    pub neighbours: bool,
    /// Whether SNMP agents are asked what their interfaces counted, too.
    pub counters: bool,
    /// How probes are sent.
    pub probing: Probing,
}

/// How probes are sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probing {
    /// Packets a second on one interface; at least 1.
    pub rate: u32,
    /// Attempts before silence is believed; 1 to 10. A link that is seen to lose packets gets up to three
    /// more, unless there is to be but one.
    pub attempts: u8,
    /// The longest wait for a reply to one packet.
    pub timeout: Duration,
}

impl Default for Probing {
    /// The defaults of the discovery spec: 2,000 packets a second, three attempts, one second.
    fn default() -> Self {
        Self { rate: 2_000, attempts: 3, timeout: Duration::from_secs(1) }
    }
}

/// What the Global Controller demands of every controller below it. As JSON it has the keys and units
/// of `config/policy_default.yaml`; `allow_public` and `allow_large` are not in it, for who may be
/// scanned is said where it is scanned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PlainPolicy", into = "PlainPolicy")]
pub struct Policy {
    /// How Local Controllers discover.
    pub discovery: DiscoveryPolicy,
    /// How long a Local Controller may be silent before it is overdue; whole seconds.
    pub lc_report_timeout: Duration,
    /// Emergency changes that one controller may make in an hour; 0 forbids them.
    pub emergency_rate_limit_per_hour: u32,
    /// New devices in one report beyond which it is an anomaly.
    pub discovery_spike_threshold: u32,
}

impl Policy {
    /// Seconds from one cycle to the next, and until a Local Controller is overdue: at most a day.
    pub const SECONDS: RangeInclusive<u64> = 1..=86_400;
    /// Cycles that may be missed.
    pub const MISSED_CYCLES: RangeInclusive<u64> = 1..=1_000;
    /// Packets a second.
    pub const PROBE_RATE: RangeInclusive<u64> = 1..=1_000_000;
    /// Attempts before silence is believed.
    pub const PROBE_ATTEMPTS: RangeInclusive<u64> = 1..=10;
    /// Milliseconds for the reply to one packet.
    pub const PROBE_TIMEOUT_MS: RangeInclusive<u64> = 100..=10_000;
    /// Emergency changes an hour.
    pub const EMERGENCIES: RangeInclusive<u64> = 0..=1_000;
    /// New devices in one report.
    pub const SPIKE: RangeInclusive<u64> = 1..=1_000_000;
}

/// The form of a policy in JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainPolicy {
    discovery_interval: u64,
    missed_cycles_before_inactive: u64,
    discovery_protocols: Vec<Protocol>,
    // Not there when it is not wanted, as in policies of before there was any.
    #[serde(default, skip_serializing_if = "is_off")]
    discovery_neighbours: bool,
    #[serde(default, skip_serializing_if = "is_off")]
    discovery_counters: bool,
    probe_rate: u64,
    probe_attempts: u64,
    probe_timeout_ms: u64,
    lc_report_timeout: u64,
    emergency_rate_limit_per_hour: u64,
    discovery_spike_threshold: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_off(switch: &bool) -> bool {
    !switch
}

/// Values that no policy may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A number beyond its bounds.
    #[error("{key} is {found}, not from {} to {}", bounds.start(), bounds.end())]
    Bounds {
        /// The key.
        key: &'static str,
        /// Its value.
        found: u64,
        /// What it may be.
        bounds: RangeInclusive<u64>,
    },
    /// No protocol, or one twice.
    #[error("discovery_protocols names at least one protocol, each once")]
    Protocols,
}

impl TryFrom<PlainPolicy> for Policy {
    type Error = PolicyError;

    fn try_from(plain: PlainPolicy) -> Result<Self, PolicyError> {
        fn within<T: TryFrom<u64>>(
            key: &'static str,
            found: u64,
            bounds: RangeInclusive<u64>,
        ) -> Result<T, PolicyError> {
            let number = Some(found).filter(|found| bounds.contains(found)).and_then(|found| T::try_from(found).ok());
            number.ok_or(PolicyError::Bounds { key, found, bounds })
        }
        let protocols = plain.discovery_protocols;
        let repeated = |(at, protocol): (usize, &Protocol)| protocols.iter().take(at).any(|other| other == protocol);
        if protocols.is_empty() || protocols.iter().enumerate().any(repeated) {
            return Err(PolicyError::Protocols);
        }
        let seconds = |key, found| within(key, found, Self::SECONDS).map(Duration::from_secs);
        Ok(Self {
            discovery: DiscoveryPolicy {
                interval: seconds("discovery_interval", plain.discovery_interval)?,
                missed_cycles_before_inactive: within(
                    "missed_cycles_before_inactive",
                    plain.missed_cycles_before_inactive,
                    Self::MISSED_CYCLES,
                )?,
                protocols,
                neighbours: plain.discovery_neighbours,
                counters: plain.discovery_counters,
                probing: Probing {
                    rate: within("probe_rate", plain.probe_rate, Self::PROBE_RATE)?,
                    attempts: within("probe_attempts", plain.probe_attempts, Self::PROBE_ATTEMPTS)?,
                    timeout: within("probe_timeout_ms", plain.probe_timeout_ms, Self::PROBE_TIMEOUT_MS)
                        .map(Duration::from_millis)?,
                },
            },
            lc_report_timeout: seconds("lc_report_timeout", plain.lc_report_timeout)?,
            emergency_rate_limit_per_hour: within(
                "emergency_rate_limit_per_hour",
                plain.emergency_rate_limit_per_hour,
                Self::EMERGENCIES,
            )?,
            discovery_spike_threshold: within(
                "discovery_spike_threshold",
                plain.discovery_spike_threshold,
                Self::SPIKE,
            )?,
        })
    }
}

impl From<Policy> for PlainPolicy {
    fn from(policy: Policy) -> Self {
        let discovery = policy.discovery;
        Self {
            discovery_interval: discovery.interval.as_secs(),
            missed_cycles_before_inactive: discovery.missed_cycles_before_inactive.into(),
            discovery_protocols: discovery.protocols,
            discovery_neighbours: discovery.neighbours,
            discovery_counters: discovery.counters,
            probe_rate: discovery.probing.rate.into(),
            probe_attempts: discovery.probing.attempts.into(),
            probe_timeout_ms: u64::try_from(discovery.probing.timeout.as_millis()).unwrap_or(u64::MAX),
            lc_report_timeout: policy.lc_report_timeout.as_secs(),
            emergency_rate_limit_per_hour: policy.emergency_rate_limit_per_hour.into(),
            discovery_spike_threshold: policy.discovery_spike_threshold.into(),
        }
    }
}

/// "This is the policy from now on." Only a Global Controller says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyDocument {
    /// Its version.
    pub version: PolicyVersion,
    /// When it was said.
    pub issued_at: Timestamp,
    /// It is not taken from then on. Where it is in effect it stays so: a network does not stop because
    /// a document aged.
    pub expires_at: Timestamp,
    /// Under which term.
    pub epoch: Epoch,
    /// Who says it.
    pub issuer: ControllerId,
    /// What is demanded.
    pub values: Policy,
}

/// A policy as a NIB keeps it. The one with the highest version is in effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRow {
    /// Its version.
    pub version: PolicyVersion,
    /// What the Global Controller signed.
    pub document: SignedDocument,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// When it ends; it is not taken from then on.
    pub expires_at: Timestamp,
    /// When it was taken here.
    pub taken_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn plain() -> Value {
        json!({
            "discovery_interval": 300,
            "missed_cycles_before_inactive": 3,
            "discovery_protocols": ["arp", "icmp"],
            "probe_rate": 2000,
            "probe_attempts": 3,
            "probe_timeout_ms": 1000,
            "lc_report_timeout": 600,
            "emergency_rate_limit_per_hour": 5,
            "discovery_spike_threshold": 50,
        })
    }

    fn with(key: &str, value: impl Into<Value>) -> Result<Policy, serde_json::Error> {
        let mut changed = plain();
        changed[key] = value.into();
        serde_json::from_value(changed)
    }

    #[test]
    fn a_policy_has_the_keys_and_units_of_its_file() {
        let policy: Policy = serde_json::from_value(plain()).unwrap();
        assert_eq!(policy.discovery.interval, Duration::from_secs(300));
        assert_eq!(policy.discovery.probing.timeout, Duration::from_secs(1));
        assert_eq!(serde_json::to_value(&policy).unwrap(), plain());
        for key in ["discovery_neighbours", "discovery_counters"] {
            let asked = with(key, true).unwrap();
            assert_eq!(serde_json::to_value(&asked).unwrap()[key], true, "{key}");
        }
    }

    #[test]
    fn a_policy_beyond_its_bounds_is_refused_by_the_key() {
        for (key, value) in [
            ("discovery_interval", json!(0)),
            ("missed_cycles_before_inactive", json!(1_001)),
            ("discovery_protocols", json!([])),
            ("discovery_protocols", json!(["arp", "arp"])),
            ("probe_rate", json!(1_000_001)),
            ("probe_attempts", json!(11)),
            ("probe_timeout_ms", json!(99)),
            ("lc_report_timeout", json!(86_401)),
            ("emergency_rate_limit_per_hour", json!(1_001)),
            ("discovery_spike_threshold", json!(0)),
        ] {
            let refusal = with(key, value.clone()).unwrap_err().to_string();
            assert!(refusal.contains(key), "{key} = {value}: {refusal}");
        }
        assert!(with("allow_public", true).is_err());
    }

    proptest! {
        #[test]
        fn any_number_is_within_its_bounds_or_refused(number: u64) {
            prop_assert_eq!(with("probe_rate", number).is_ok(), Policy::PROBE_RATE.contains(&number));
            prop_assert_eq!(with("probe_attempts", number % 20).is_ok(), (1..=10).contains(&(number % 20)));
        }
    }
}
