//! Events: every decision, in the order in which it was made.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::names::named;
use crate::domain::time::Timestamp;

/// The position of an event in its NIB's log: from 0, without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventSeq(u64);

impl EventSeq {
    /// The first event of a log.
    pub const FIRST: Self = Self(0);

    /// The event at this position.
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The position, from 0.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for EventSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventType {
    /// A NIB was created or migrated.
    NibMigrated,
    /// A controller began its work.
    ControllerStarted,
    /// A controller ended its work in an orderly way.
    ControllerStopped,
    /// The configuration was read again and taken.
    ConfigReloaded,
    /// The configuration was read again and refused; the old values stay.
    ConfigRejected,
    /// A cycle had nothing to do.
    DiscoverySkipped,
    /// A cycle ended.
    DiscoveryCycleCompleted,
    /// A cycle ended without any working protocol; no device changed.
    DiscoveryCycleFailed,
    /// A cycle's result could not be written, because others wrote the same rows.
    DiscoveryWriteConflict,
    /// A protocol could not be used in a cycle.
    ScanProtocolFailed,
    /// A device was seen for the first time.
    DeviceDiscovered,
    /// A device's address, name, vendor, type, status or interfaces changed.
    DeviceUpdated,
    /// A device was missed as often as policy allows.
    DeviceInactive,
    /// Two devices answered for one address.
    AnomalyDuplicateAddress,
    /// A controller was given a name and a certificate.
    ControllerValidated,
    /// A controller did not pass.
    ControllerRejected,
    /// A controller that might have passed was not validated, because pdsno failed.
    ControllerValidationFailed,
    /// A controller was given a certificate for its next key.
    CertificateRenewed,
    /// Too many proofs for a token were wrong.
    BootstrapTokenLocked,
    /// A source asks to be validated more often than is allowed; told once until it stops.
    AttemptsLimited,
    /// Somebody may be attacking; the payload has the reason.
    SecurityAlert,
}

named!(EventType, EventTypeError, "event type",
    NibMigrated => "NIB_MIGRATED",
    ControllerStarted => "CONTROLLER_STARTED",
    ControllerStopped => "CONTROLLER_STOPPED",
    ConfigReloaded => "CONFIG_RELOADED",
    ConfigRejected => "CONFIG_REJECTED",
    DiscoverySkipped => "DISCOVERY_SKIPPED",
    DiscoveryCycleCompleted => "DISCOVERY_CYCLE_COMPLETED",
    DiscoveryCycleFailed => "DISCOVERY_CYCLE_FAILED",
    DiscoveryWriteConflict => "DISCOVERY_WRITE_CONFLICT",
    ScanProtocolFailed => "SCAN_PROTOCOL_FAILED",
    DeviceDiscovered => "DEVICE_DISCOVERED",
    DeviceUpdated => "DEVICE_UPDATED",
    DeviceInactive => "DEVICE_INACTIVE",
    AnomalyDuplicateAddress => "ANOMALY_DUPLICATE_ADDRESS",
    ControllerValidated => "CONTROLLER_VALIDATED",
    ControllerRejected => "CONTROLLER_REJECTED",
    ControllerValidationFailed => "CONTROLLER_VALIDATION_FAILED",
    CertificateRenewed => "CERTIFICATE_RENEWED",
    BootstrapTokenLocked => "BOOTSTRAP_TOKEN_LOCKED",
    AttemptsLimited => "ATTEMPTS_LIMITED",
    SecurityAlert => "SECURITY_ALERT");

/// An event before the store has given it its place.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// What happened.
    pub event_type: EventType,
    /// Who decided or did it: a controller's name.
    pub actor: String,
    /// What it happened to: a device's id, a protocol, a subnet, a file.
    pub subject: String,
    /// When it was decided.
    pub timestamp: Timestamp,
    /// The particulars, an object.
    pub payload: Value,
}

/// An event in its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its position in the log.
    pub seq: EventSeq,
    /// What happened.
    pub event_type: EventType,
    /// Who decided or did it.
    pub actor: String,
    /// What it happened to.
    pub subject: String,
    /// When it was decided.
    pub timestamp: Timestamp,
    /// The particulars, an object.
    pub payload: Value,
}

impl NewEvent {
    /// The event at its place in a log.
    pub fn at(self, seq: EventSeq) -> Event {
        let Self { event_type, actor, subject, timestamp, payload } = self;
        Event { seq, event_type, actor, subject, timestamp, payload }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_one_name_in_text_and_in_json() {
        for kind in EventType::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        assert!("DEVICE_EXPLODED".parse::<EventType>().unwrap_err().to_string().contains("DEVICE_EXPLODED"));
    }
}
