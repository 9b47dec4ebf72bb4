//! Policy: what the tier above allows and demands.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::number::PolicyVersion;
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
    /// How probes are sent.
    pub probing: Probing,
}

/// How probes are sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probing {
    /// Packets a second on one interface; at least 1.
    pub rate: u32,
    /// Attempts before silence is believed; 1 to 10.
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
